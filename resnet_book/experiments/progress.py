"""Tell another process how far a run is, through a small file."""

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from resnet_book.engine.callbacks import Callback
from resnet_book.state import Training

REPORT_SECONDS = 1.0  # between two reports


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    iteration: int  # finished ones
    iterations: int  # of the whole run
    images_per_second: float  # trained since its process began to, time for tests included; 0: not known yet
    test_error: float | None  # % after the last whole epoch, if there is one
    seconds: float  # of training and testing that History counts


class Reporter(Callback):
    """Writes ``Progress`` to a file about once a second, and interrupts the run once the process ``caller`` has ended.

    A report that cannot be written is no reason to stop.
    """

    def __init__(self, path: Path, caller: int) -> None:
        self.path, self.caller = path, caller
        self.first: tuple[float, int] | None = None  # when the first step had ended, and which it was
        self.next = 0.0  # when to report again

    def after_step(self, training: Training) -> None:
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + REPORT_SECONDS
        if os.getppid() != self.caller:
            signal.raise_signal(signal.SIGINT)  # callbacks.Checkpoint saves and stops, as on Ctrl-C
        began, first = self.first = self.first or (now, training.iteration)
        images = (training.iteration - first) * training.recipe.batch_size
        speed = images / (now - began) if now > began else 0.0
        history = training.history
        error = history.epochs[-1].test_error if history.epochs else None
        progress = Progress(training.iteration, training.recipe.iterations, speed, error, history.seconds)
        with suppress(OSError):
            write_progress(self.path, progress)


def write_progress(path: Path, progress: Progress) -> None:
    """Write ``progress`` to ``path``, whole, though not forced to the disk: after a crash it is worth nothing."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(asdict(progress)) + "\n", encoding="utf-8")
    part.replace(path)


def read_progress(path: Path) -> Progress | None:
    """What ``write_progress`` wrote; None where there is nothing, or something else."""
    try:
        return Progress(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
