"""What the tests of the sweep share: tiny experiments, which as a script the command line knows, and its workers too.

``tiny-builtin-smoke`` is recorded in a moment, ``long-builtin-smoke`` has five times the steps, and
``diverging-builtin-smoke`` fails. Where $PAUSE is set, workers save twice a second, and the long experiment waits so
many seconds after each step, so that a test can stop it midway, until the test calls ``go_on``. Dask's workers know all
this by the line ``PRELOAD``.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_runs import LONGER, add_tiny_experiment

from resnet_book.cli.main import main
from resnet_book.engine import checkpointing
from resnet_book.experiments import catalogue, worker
from resnet_book.experiments.catalogue import Experiment
from resnet_book.recipe import Recipe
from resnet_book.state import Training

LONG, DIVERGING = "long-builtin-smoke", "diverging-builtin-smoke"
COMMAND = (sys.executable, str(Path(__file__).resolve()))
PRELOAD = "import sweep_runs; sweep_runs.prepare()"
ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)]),
    "DASK_DISTRIBUTED__WORKER__PRELOAD": repr([PRELOAD]),
    "OMP_NUM_THREADS": "1",
}


def wait_for(condition: Callable[[], object], seconds: float = 240) -> None:
    """Return once ``condition`` holds; fail if it does not within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def add_experiments(patch: pytest.MonkeyPatch) -> None:
    """Make the three experiments."""
    add_tiny_experiment(patch)
    others = {LONG: LONGER, DIVERGING: Recipe(iterations=20, batch_size=32, learning_rate=1e30)}
    for name, recipe in others.items():
        patch.setitem(catalogue.EXPERIMENTS, name, Experiment("tiny", "builtin", "smoke", recipe))


def go_on(runs: Path) -> None:
    """Let the long runs in the folder ``runs`` pause no more; it may not be there yet."""
    runs.mkdir(parents=True, exist_ok=True)
    (runs / "go on").touch()


def prepare() -> None:
    """Let this process know the experiments for good, and pause as it is told to."""
    patch = pytest.MonkeyPatch()
    add_experiments(patch)
    patch.setattr(worker, "PATIENCE_SECONDS", 1)
    torch.set_num_threads(1)
    if "PAUSE" in os.environ:
        after_step = checkpointing.Checkpoint.before_step

        def wait_too(self: checkpointing.Checkpoint, training: Training) -> None:
            after_step(self, training)
            if training.recipe == LONGER and not (self.path.parents[2] / "go on").exists():
                time.sleep(float(os.environ["PAUSE"]))

        patch.setattr(checkpointing.Checkpoint, "before_step", wait_too)
        patch.setattr(checkpointing, "CHECKPOINT_SECONDS", 0.5)


if __name__ == "__main__":
    prepare()
    sys.exit(main(sys.argv[1:]))
