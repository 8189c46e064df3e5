"""What a training run leaves besides its weights: a row of measurements an epoch, and what the whole run took.

Of what it takes, the memory is measured here; seconds are counted where they pass.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch. Losses are means of the cross-entropy in nats, errors are % of wrong answers."""

    iteration: int  # steps finished at its end
    learning_rate: float  # of its last step
    train_loss: float  # over the epoch's augmented batches, each before its step
    train_error: float
    test_loss: float  # at the epoch's end, on all test images as they are
    test_error: float
    validation_loss: float | None = None  # as the test's, on the training images held out; None: there are none
    validation_error: float | None = None


@dataclass
class History:
    """What a run leaves besides its weights."""

    epochs: list[Epoch] = field(default_factory=list)
    mean: tuple[float, ...] = ()  # what was subtracted from each channel, 0 to 255
    std: tuple[float, ...] = ()  # what each channel was divided by, 0 to 255
    seconds: float = 0.0  # of training and testing, over all resumed parts
    train_seconds: float = 0.0  # of training alone
    images_per_second: float = 0.0  # training images over seconds of training
    peak_memory: int = 0  # bytes: allocated on the GPU; on the CPU, resident for the whole process; 0: not measured


def peak_memory(device: torch.device) -> int:
    """Most bytes so far: that torch allocated on a GPU; else resident for the process, for all that it did (Linux).

    0 where no one says.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    found = [line.split() for line in lines if line.startswith("VmHWM:")]  # VmHWM: 123456 kB
    return 1024 * int(found[0][1]) if found else 0
