"""Count what a training step costs, and measure what a device can do.

The bytes are those of an ideal machine without caches: every operation reads its inputs once and writes its outputs
once. Together they give a floor, in the manner of the roofline model (Williams et al. 2009, doi
10.1145/1498765.1498785): a step takes at least as long as its operations at the device's rate, and at least as long as
its bytes at the device's bandwidth.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode, flop_registry

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
GATHERS = {"index", "index_select", "gather"}  # read as much as they write, not the whole of what they choose from


@dataclass(frozen=True)
class Cost:
    """What one step asks of a device."""

    operations: dict[str, int]  # floating-point, of each kind of convolution and matrix product; one multiply-add is 2
    moved: int  # bytes that all operations read and write, each on its own
    moved_by_products: int  # bytes of the convolutions and matrix products alone: all else fused into them

    @property
    def flops(self) -> int:
        """Floating-point operations of all convolutions and matrix products."""
        return sum(self.operations.values())


@dataclass(frozen=True)
class Device:
    """What a device was seen to do, at its best: a large matrix product and a large copy."""

    flops_per_second: dict[str, float]  # precision -> operations
    bytes_per_second: float  # read and written, together

    def floor(self, cost: Cost, precision: str) -> float:
        """Seconds below which a step of ``cost`` could go only with a better algorithm or with the help of caches."""
        return max(cost.flops / self.flops_per_second[precision], cost.moved_by_products / self.bytes_per_second)


def count(step: Callable[[], object]) -> Cost:
    """Run ``step`` once, eagerly, and count."""
    with FlopCounterMode(display=False) as flops, _Bytes() as moved:
        step()
    found = flops.get_flop_counts().get("Global", {})
    operations = {kind.__name__: number for kind, number in found.items()}
    return Cost(operations, moved.total, moved.by_products)


class _Bytes(TorchDispatchMode):
    """Adds up the bytes of the tensors that operations read and write. Views and empty tensors move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.total = self.by_products = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if func.is_view or "empty" in name:
            return result
        read = _bytes((args, kwargs))
        given = zip(func._schema.arguments, args, strict=False)  # those given by name are no tensors that change
        changed = [value for argument, value in given if argument.alias_info and argument.alias_info.is_write]
        written = _bytes(changed) if changed else _bytes(result)
        moved = 2 * written if name in GATHERS else read + written
        self.total += moved
        self.by_products += moved if func.overloadpacket in flop_registry else 0
        return result


def _bytes(values: object) -> int:
    """Bytes of the tensors in ``values``; what a tensor repeats without storing it counts once."""
    return sum(
        min(value.numel() * value.element_size(), value.untyped_storage().nbytes())
        for value in tree_iter(values)
        if isinstance(value, Tensor)
    )


def measure_device(device: torch.device, precisions: Iterable[str], repeats: int = 7) -> Device:
    """The best rates of several tries, for matrix products in each of ``precisions``.

    Sizes are such that a GPU is busy, and that no cache holds the copy.
    """
    size, copied = (8_192, 2**30) if device.type == "cuda" else (2_048, 2**28)  # rows and columns; bytes
    rates = {}
    for precision in precisions:
        matrix = torch.randn(size, size, device=device, dtype=DTYPES[precision])
        product = torch.empty_like(matrix)
        rates[precision] = 2 * size**3 / _best_seconds(lambda a=matrix, out=product: torch.mm(a, a, out=out), repeats)
    source = torch.zeros(copied // 4, device=device)
    target = torch.zeros_like(source)
    return Device(rates, 2 * copied / _best_seconds(lambda: target.copy_(source), repeats))


def _best_seconds(run: Callable[[], object], repeats: int) -> float:
    run()  # warm up
    best = math.inf
    for _ in range(repeats):
        wait_for_gpu()
        start = time.perf_counter()
        run()
        wait_for_gpu()
        best = min(best, time.perf_counter() - start)
    return best


def wait_for_gpu() -> None:
    """Return when the GPU has done all that it was asked for; at once where none is used."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
