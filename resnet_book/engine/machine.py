"""Describe the parts of a run: the machine, the versions and the commit that each is computed with."""

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from resnet_book.engine import processes

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Part:
    """Some iterations of a run that one process, or several together, trained without a stop."""

    first_iteration: int  # finished ones when it began
    last_iteration: int  # finished ones when it ended
    seconds: float  # of training and testing
    device: str  # the processor's or the GPU's name
    threads: int | None  # of a CPU; None on a GPU
    processes: int  # that trained together, each on a device of its own
    precision: str
    compiled: bool
    torch: str  # version
    cuda: str | None  # version; None on a CPU
    python: str  # version
    commit: str | None  # of the package; None where it lies in no checkout
    dirty: bool | None  # whether the package differed from the commit
    started: str  # UTC, ISO 8601


def describe(device: torch.device | str, precision: str, compiled: bool) -> dict[str, Any]:
    """What computes now, as fields of ``Part``: from device to dirty.

    ``threads`` is None on a GPU, ``cuda`` on a CPU. ``dirty`` says whether the package differs from the commit; both
    are None where the package lies in no checkout, or git cannot tell.
    """
    device = torch.device(device)
    on_gpu, name = device.type == "cuda", cpu_name()
    if device.type == "mps":
        name += ", GPU"  # Apple's are part of the processor
    tracked, commit = _git("ls-files", "--error-unmatch", "__init__.py"), _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", ".")
    known = None not in (tracked, commit, changes)
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else name,
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "processes": processes.size(),
        "precision": precision,
        "compiled": compiled,
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda if on_gpu else None,
        "python": platform.python_version(),
        "commit": commit if known else None,
        "dirty": bool(changes) if known else None,
    }


def cpu_name() -> str:
    """The processor's name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(*arguments: str) -> str | None:
    """Output of a git command in the package's folder; None where it fails, or where there is no git."""
    command = ["git", "-C", str(PACKAGE), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
