"""Record a training step as a CUDA graph, so that a GPU replays it by itself.

A small network's step is some hundred kernels of microseconds; started one by one from Python, the GPU waits for each.
A CUDA graph remembers them all, with their places in memory, and starts them at once. So the step may not ask the GPU
for a number, and whatever changes from step to step must be copied into one place: here, a tensor.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

WARM_UP = 3  # steps before the recording: compilation, choice of kernels, and memory must be settled by then


def replayed(step: Callable[[Tensor], None], example: Tensor, state: Callable[[], list[Tensor]]) -> Callable:
    """Record ``step(example)`` as a CUDA graph; returns a function that replays it on another tensor of that shape.

    ``state`` names the tensors that the step changes (it may make some of them): after the recording they hold what
    they held before, and new ones hold zeros. Needs a GPU.
    """
    static = example.clone()
    with torch.cuda.device(example.device), restored(state):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                step(static)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with garbage_kept(), torch.cuda.graph(graph, stream=stream):
            step(static)

    def replay(batch: Tensor) -> None:
        static.copy_(batch)
        graph.replay()

    return replay


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Collect garbage now, and not inside: to free another graph in the midst of a recording would spoil it."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def restored(state: Callable[[], list[Tensor]]) -> Iterator[None]:
    """Put the tensors of ``state`` back to what they held; those that are made in between become zero."""
    before = [(tensor, tensor.detach().clone()) for tensor in state()]
    yield
    known = {id(tensor) for tensor, _ in before}
    with torch.no_grad():
        for tensor, value in before:
            tensor.copy_(value)
        for tensor in state():
            if id(tensor) not in known:
                tensor.zero_()
