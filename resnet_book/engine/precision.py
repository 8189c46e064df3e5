"""How a device computes: a device and a precision enter; contexts to compute in, and sensible choices, leave."""

import os
import shutil
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from resnet_book.engine import processes
from resnet_book.recipe import Recipe

PRECISIONS = ("float32", "bfloat16")
# Iterations from which on compiling saves more than it costs: of a CPU measured on two cores (benchmarks/README.md), of
# a GPU a guess.
WORTH_COMPILING = {"cpu": 1_000, "cuda": 20_000}


def default_precision(device: torch.device) -> str:
    """ "bfloat16" on a GPU that has instructions for it, else "float32"."""
    if device.type != "cuda":
        return "float32"
    with torch.cuda.device(device):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"


def worth_compiling(recipe: Recipe, device: torch.device) -> bool:
    """Whether a run of ``recipe`` on ``device`` is long enough to repay ``torch.compile``, and what it needs is there.

    It needs a C++ compiler for a CPU, a C compiler for a GPU, and Python's headers.
    """
    compilers = (os.environ.get("CC", "gcc"), "clang") if device.type == "cuda" else (os.environ.get("CXX", "g++"),)
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    can = headers.exists() and any(map(shutil.which, compilers))
    return can and recipe.iterations >= WORTH_COMPILING[device.type] and processes.size() == 1


def kernels(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """How a GPU computes: with the kernels it finds fastest, and in float32 without TensorFloat-32."""
    if device.type != "cuda":
        return nullcontext()
    tf32 = precision != "float32"
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=tf32)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context of forward passes in ``precision``. Raises ValueError if it is not one of ``PRECISIONS``."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r}: choose one of {', '.join(PRECISIONS)}")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def evaluation_mode(network: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Have ``network`` in evaluation mode inside, and in the mode in which it came afterwards."""
    was_training = isinstance(network, nn.Module) and network.training
    if isinstance(network, nn.Module):
        network.eval()
    try:
        yield
    finally:
        if isinstance(network, nn.Module):
            network.train(was_training)
