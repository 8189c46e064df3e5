"""Train one run in a process of its own.

It is the command line, ``run NAME --seed K``, in a session of its own, so that Ctrl-C on the terminal reaches only
the queue, which passes it on. What it writes to standard error goes to ``log.txt`` in the run's folder.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from resnet_book import models
from resnet_book.experiments import catalogue
from resnet_book.experiments.progress import Progress, read_progress
from resnet_book.experiments.run import Options, folder_of

COMMAND = (sys.executable, "-m", "resnet_book")
INTERRUPTED = (130, -signal.SIGINT)  # exit statuses of a process that Ctrl-C stopped


@dataclass(frozen=True)
class Run:
    """One experiment with one seed."""

    name: str
    seed: int

    def __str__(self) -> str:
        return f"{self.name}, seed {self.seed}"

    @property
    def effort_an_image(self) -> float:
        """How long an image takes, beside those of other networks: their multiply-adds."""
        experiment = catalogue.get(self.name)
        return models.count_operations(experiment.model, shortcut=experiment.shortcut)

    def images_left(self, progress: Progress | None) -> int:
        """Images that the run has yet to train on."""
        recipe = catalogue.get(self.name).recipe
        return (recipe.iterations - (progress.iteration if progress else 0)) * recipe.batch_size

    def progress(self, folder: str | Path) -> Progress | None:
        """How far the run was when last seen; None if there is no checkpoint to go on from. ``folder``: of all runs."""
        own = folder_of(folder, self.name, self.seed)
        return read_progress(own / "progress.json") if (own / "checkpoint.pt").exists() else None


class Child:
    """A process that trains ``run``; ``threads`` on the CPU, unless the environment says how many."""

    def __init__(self, run: Run, options: Options, threads: int) -> None:
        self.run, self.started = run, time.monotonic()
        folder = folder_of(options.runs, run.name, run.seed)
        folder.mkdir(parents=True, exist_ok=True)
        self.log, self.report = folder / "log.txt", folder / "progress.json"
        self.before = run.progress(options.runs)  # what an earlier process left
        if self.before is None:
            self.report.unlink(missing_ok=True)
        self.stopped = False  # asked to stop: whatever it says then is no failure
        self.progress: Progress | None = None  # what this process reported
        self.seconds_to_start: float | None = None  # until its first step
        environment = {"OMP_NUM_THREADS": str(threads), **os.environ} if options.device.type == "cpu" else None
        arguments = ["run", run.name, "--seed", str(run.seed), "--quiet", "--report", str(self.report)]
        with self.log.open("ab") as log:
            self.log_begin = log.tell()  # another queue's process may write to the same log
            self.process = subprocess.Popen(
                [*COMMAND, *arguments, *_arguments(options)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def look(self) -> bool:
        """See how far the run is; False once the process has ended."""
        progress = read_progress(self.report)
        if progress not in (None, self.before):
            self.progress = progress
            self.seconds_to_start = self.seconds_to_start or time.monotonic() - self.started
        return self.process.poll() is None

    def interrupt(self) -> None:
        """Ask the process to save and to stop."""
        self.stopped = True
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End the process, and those that it started, at once."""
        self.stopped = True
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # it leads a group of its own

    def wait(self, until: float) -> None:
        """Wait for a killed process to be gone, which a GPU can delay: a second, but not past ``until``."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, min(1.0, until - time.monotonic())))

    def last_words(self) -> str:
        """Why the process failed: the last line that it wrote to its log, or what killed it."""
        status = self.process.returncode
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        with self.log.open("rb") as file:
            file.seek(self.log_begin)
            lines = [line.strip() for line in file.read().decode(errors="replace").split("\n") if line.strip()]
        reasons = [line for line in lines if line.startswith("resnet-book: ")] or lines  # torch adds advice after it
        return reasons[-1].removeprefix("resnet-book: ") if lines else f"exit status {status}"


def _arguments(options: Options) -> Sequence[str]:
    """``options`` in the words of the command line."""
    arguments = ["--device", str(options.device), "--results", str(options.results), "--runs", str(options.runs)]
    if options.precision is not None:
        arguments += ["--precision", options.precision]
    if options.compiled is not None:
        arguments.append("--compile" if options.compiled else "--no-compile")
    if options.data_root is not None:
        arguments += ["--data", str(options.data_root)]
    if options.tensorboard:
        arguments.append("--tensorboard")
    return arguments
