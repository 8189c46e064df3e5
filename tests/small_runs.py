"""What the tests of training share: a tiny network, a few built-in images, a recipe of moments.

As a script it is the command line with one experiment more, ``tiny-builtin-smoke``, saved at every step, so that a test
can kill it anywhere: ``python small_runs.py run tiny-builtin-smoke --results DIR --runs DIR``.
"""

import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from resnet_book import data, models, train
from resnet_book.cli.main import main
from resnet_book.data import ImageSet
from resnet_book.engine import checkpointing
from resnet_book.engine.callbacks import Callback
from resnet_book.engine.checkpointing import Checkpoint
from resnet_book.engine.device import CPU, Engine
from resnet_book.experiments import catalogue
from resnet_book.experiments.catalogue import Experiment
from resnet_book.models import Network
from resnet_book.recipe import History, Recipe
from resnet_book.state import Training

TRAIN = data.load("builtin", "train").subset(256)
TEST = data.load("builtin", "test").subset(70)
RECIPE = Recipe(iterations=20, batch_size=32, drops=(12, 16))  # two epochs of eight iterations, and a half
NAME = "tiny-builtin-smoke"
LONGER = Recipe(iterations=100, batch_size=32, drops=(50, 75))


def tiny(seed: int = 0, shortcut: str | None = "subsample") -> Network:
    """A network of six layers and some thousand parameters."""
    return Network((4, 8), (1, 1), shortcut, generator=torch.Generator().manual_seed(seed))


class OnStep(Callback):
    """Calls ``call(iteration, history)`` after each step."""

    def __init__(self, call: Callable[[int, History], object]) -> None:
        self.call = call

    def after_step(self, training: Training) -> None:
        self.call(training.iteration, training.history)


def fit(
    network: nn.Module,
    *,
    recipe: Recipe = RECIPE,
    seed: int = 0,
    images: ImageSet = TRAIN,
    test: ImageSet = TEST,
    engine: Engine = CPU,
    checkpoint: str | Path | None = None,
    on_step: Callable[[int, History], object] | None = None,
) -> History:
    """``train.fit`` on the few images, in silence."""
    calls = [*([Checkpoint(checkpoint)] if checkpoint else []), *([OnStep(on_step)] if on_step else [])]
    return train.fit(network, images, test, recipe, seed=seed, engine=engine, callbacks=calls)


@cache
def never_stopped(seed: int = 0) -> tuple[Network, History]:
    """The network and the history of the run of ``LONGER`` that nothing disturbs."""
    network = tiny(seed)
    return network, fit(network, seed=seed, recipe=LONGER)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks agree in every bit of every parameter and buffer."""
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def move_away_and_make_again(message: str, file: Path) -> None:
    """Do what the ``message`` about a ``file`` beside a record says, by the command line."""
    assert "move it away and make it again" in message
    file.rename(file.with_suffix(".away"))
    command = re.findall("`resnet-book (.*?)`", message)[0].split()
    assert main([*command, "--results", str(file.parent.parent)]) == 0


def add_tiny_experiment(patch: pytest.MonkeyPatch, recipe: Recipe = RECIPE) -> None:
    """Make ``NAME`` an experiment that the command line can run in a second."""
    patch.setitem(models.MODELS, "tiny", models.constructor((4, 8), (1, 1), "subsample"))
    patch.setitem(catalogue.EXPERIMENTS, NAME, Experiment("tiny", "builtin", "smoke", recipe))
    patch.setattr(data, "load", lambda name, split, root=None: {"train": TRAIN, "test": TEST}[split])


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as monkeypatch:
        add_tiny_experiment(monkeypatch, LONGER)
        monkeypatch.setattr(checkpointing, "CHECKPOINT_SECONDS", 0)
        torch.set_num_threads(1)
        sys.exit(main(sys.argv[1:]))
