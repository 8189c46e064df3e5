"""What the tests of the queue share: tiny experiments, and as a script the command line that knows them.

``tiny-builtin-smoke`` is recorded in a moment, ``long-builtin-smoke`` has ten times the steps, and
``diverging-builtin-smoke`` fails. Where $PAUSE is set, the script saves at every step, and the long experiment waits so
many seconds after each, so that a test can stop it midway. The processes of its queue are this script again.
"""

import os
import sys
import time
from pathlib import Path

import pytest
import torch
from small_runs import LONGER, add_tiny_experiment

from resnet_book.cli.main import main
from resnet_book.engine import callbacks
from resnet_book.experiments import catalogue, child
from resnet_book.experiments.catalogue import Experiment
from resnet_book.experiments.progress import Reporter
from resnet_book.recipe import Recipe
from resnet_book.state import Training

LONG, DIVERGING = "long-builtin-smoke", "diverging-builtin-smoke"
COMMAND = (sys.executable, str(Path(__file__).resolve()))


def add_experiments(patch: pytest.MonkeyPatch) -> None:
    """Make the three experiments, and the queue's processes know them."""
    add_tiny_experiment(patch)
    others = {LONG: LONGER, DIVERGING: Recipe(iterations=20, batch_size=32, learning_rate=1e30)}
    for name, recipe in others.items():
        patch.setitem(catalogue.EXPERIMENTS, name, Experiment("tiny", "builtin", "smoke", recipe))
    patch.setattr(child, "COMMAND", COMMAND)


def pause_after_steps(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let each step of the long experiment that is reported take so many seconds more."""
    report = Reporter.after_step

    def report_and_wait(self: Reporter, training: Training) -> None:
        report(self, training)
        if training.recipe == LONGER:
            time.sleep(seconds)

    patch.setattr(Reporter, "after_step", report_and_wait)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as monkeypatch:
        add_experiments(monkeypatch)
        if "PAUSE" in os.environ:
            pause_after_steps(monkeypatch, float(os.environ["PAUSE"]))
            monkeypatch.setattr(callbacks, "CHECKPOINT_SECONDS", 0)
        torch.set_num_threads(1)
        sys.exit(main(sys.argv[1:]))
