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

from resnet_book import run_state
from resnet_book.cli.main import main
from resnet_book.experiments import catalogue, child, runs
from resnet_book.experiments.catalogue import Experiment
from resnet_book.history import History
from resnet_book.recipe import Recipe

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
    report = runs.Reporter.__call__

    def report_and_wait(self: runs.Reporter, iteration: int, history: History) -> None:
        report(self, iteration, history)
        if self.recipe == LONGER:
            time.sleep(seconds)

    patch.setattr(runs.Reporter, "__call__", report_and_wait)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as monkeypatch:
        add_experiments(monkeypatch)
        if "PAUSE" in os.environ:
            pause_after_steps(monkeypatch, float(os.environ["PAUSE"]))
            monkeypatch.setattr(run_state, "CHECKPOINT_SECONDS", 0)
        torch.set_num_threads(1)
        sys.exit(main(sys.argv[1:]))
