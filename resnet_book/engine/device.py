"""Choose how steps are computed: on which device, in which precision, compiled or not, as a CUDA graph or not."""

import ctypes
import os
import shutil
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from resnet_book.engine import cuda_graph, processes
from resnet_book.engine.checks import one_of

PRECISIONS = ("float32", "bfloat16")
# Iterations from which on compiling saves more than it costs: measured, see benchmarks/README.md.
WORTH_COMPILING = {"cpu": 1_000, "cuda": 20_000}


@dataclass(frozen=True)
class Engine:
    """How training steps are computed. The same numbers, but for rounding, whichever is chosen.

    ``device``: "cpu", "cuda", "cuda:1", ..., "mps"; ``precision``: "float32" or "bfloat16" (autocast); ``compiled``:
    through ``torch.compile``. Raises ValueError for another device or precision, ``compiled`` in several processes, and
    bfloat16 or ``compiled`` on "mps".
    """

    device: torch.device | str = "cpu"
    precision: str = "float32"
    compiled: bool = False

    def __post_init__(self) -> None:
        device = checked_device(self.device)
        object.__setattr__(self, "device", device)  # the dataclass is frozen
        autocast(device, self.precision)  # raises for one that does not exist
        if not isinstance(self.compiled, bool):
            raise ValueError(f"compiled={self.compiled!r}: choose True or False")
        if device.type == "mps" and (self.compiled or self.precision != "float32"):
            raise ValueError("device=mps: Apple's GPU computes in float32 and without torch.compile here")
        if self.compiled and processes.size() > 1:
            raise ValueError("compiled=True: several processes train together without torch.compile; leave it out")

    def computing(self) -> AbstractContextManager[object]:
        """The context of a whole training: the GPU's kernels, the CPU's memory."""
        return kernels(self.device, self.precision)

    def autocast(self) -> torch.autocast:
        """The context of forward passes."""
        return autocast(self.device, self.precision)

    def prepare(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """What computes ``network``'s scores in training steps: shared among processes, or compiled, where wanted."""
        together = processes.parallel(network, torch.device(self.device)).train()
        if not self.compiled:
            return together
        torch.compiler.reset()  # else torch stops compiling, and says nothing, after some networks in one process
        return torch.compile(together)

    def repeated(
        self, step: Callable[[Tensor], None], example: Tensor, state: Callable[[], list[Tensor]]
    ) -> Callable[[Tensor], None]:
        """``step``, on a GPU recorded with ``example`` as a CUDA graph; ``state``: the tensors that it changes."""
        if torch.device(self.device).type == "cuda" and processes.size() == 1:
            return cuda_graph.replayed(step, example, state)
        return step


def checked_device(device: torch.device | str) -> torch.device:
    """``device``. Raises ValueError for one that torch does not know, or that is neither a CPU nor a GPU."""
    with suppress(RuntimeError, TypeError):
        found = torch.device(device)
        if found.type in ("cpu", "cuda", "mps"):
            return found
    raise ValueError(f"device={device!r}: choose cpu, cuda, one GPU of several as cuda:1, or mps")


def find(name: str) -> torch.device:
    """The device of that name for this process: "auto" is a CUDA GPU where there is one, else the CPU.

    A process that ``torchrun`` started for a GPU has one of its own. Apple's GPUs, "mps", have to be asked for: nothing
    of this book was run on one. Raises ValueError for another device, a GPU that is not there, and "mps" in several
    processes, which cannot exchange gradients between such GPUs.
    """
    auto = "cuda" if torch.cuda.is_available() else "cpu"
    found = checked_device(auto if name == "auto" else name)
    if found.type == "cuda" and processes.launched():
        found = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    if found.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"device={name}: torch sees no Apple GPU here. Choose cpu.")
    if found.type == "mps" and processes.launched():
        raise ValueError(f"device={name}: one process alone trains on it; leave out torchrun, or choose cpu.")
    count = torch.cuda.device_count()
    if found.type == "cuda" and (found.index or 0) >= count:
        seen = "no GPU" if count == 0 else "cuda:0 alone" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        advice = f"Choose one of these, or cpu; start {count} processes at most." if count else "Choose cpu."
        raise ValueError(f"device={name}: {found} is not there, torch sees {seen}. {advice}")
    return found


def default_precision(device: torch.device | str) -> str:
    """ "bfloat16" on a GPU that has instructions for it, else "float32"."""
    device = torch.device(device)
    if device.type != "cuda":
        return "float32"
    with torch.cuda.device(device):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"


def can_compile(device: torch.device | str) -> bool:
    """Whether a network can be compiled here for ``device``, a CPU or a CUDA GPU, and this process trains alone.

    That takes a C++ compiler for a CPU, a C compiler for a GPU, and Python's headers.
    """
    kind = torch.device(device).type
    compilers = (os.environ.get("CC", "gcc"), "clang") if kind == "cuda" else (os.environ.get("CXX", "g++"),)
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    there = headers.exists() and any(map(shutil.which, compilers))
    return kind in WORTH_COMPILING and there and processes.size() == 1


def worth_compiling(iterations: int, device: torch.device | str) -> bool:
    """Whether a run of ``iterations`` on ``device`` can be compiled, and is long enough to repay it."""
    return can_compile(device) and iterations >= WORTH_COMPILING[torch.device(device).type]


def sum_type(device: torch.device | str) -> torch.dtype:
    """The type in which an epoch's losses are summed up: float64, but float32 on Apple's GPUs, which have no other."""
    return torch.float32 if torch.device(device).type == "mps" else torch.float64


def kernels(device: torch.device | str, precision: str) -> AbstractContextManager[object]:
    """How a GPU computes: with the kernels it finds fastest, and in float32 without TensorFloat-32.

    On a CPU, memory is kept from here on: see ``keep_memory``.
    """
    if torch.device(device).type != "cuda":
        keep_memory()
        return nullcontext()
    tf32 = precision != "float32"
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=tf32)


@cache
def keep_memory() -> None:
    """Let this process keep the memory of large tensors, in place of giving it back after each step and asking again.

    For glibc, which else clears gigabytes a step anew; how much faster a step is then: benchmarks/README.md. Elsewhere
    it does nothing. The numbers are from malloc.h.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    for parameter, size in ((mmap_threshold, 2**30), (trim_threshold, 2**31 - 1), (top_pad, 2**28)):  # bytes
        mallopt(parameter, size)


def autocast(device: torch.device | str, precision: str) -> torch.autocast:
    """The context of forward passes in ``precision``. Raises ValueError if it is not one of ``PRECISIONS``."""
    one_of("precision", precision, PRECISIONS)
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def in_mode(network: Callable[[Tensor], Tensor], *, training: bool) -> Iterator[None]:
    """Put ``network`` into training or evaluation mode, and afterwards each of its modules back into its own."""
    modes = [(module, module.training) for module in network.modules()] if isinstance(network, nn.Module) else []
    for module, _ in modes:
        module.training = training
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def begin_peak_memory(device: torch.device | str) -> None:
    """Let ``peak_memory`` of a GPU count from here on: what this process needed before is of other trainings."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device | str) -> int:
    """Most bytes that torch allocated on a GPU since ``begin_peak_memory``; else resident for the process (Linux).

    0 where the system does not tell.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    found = [line.split() for line in lines if line.startswith("VmHWM:")]  # VmHWM: 123456 kB
    return 1024 * int(found[0][1]) if found else 0


CPU = Engine()
