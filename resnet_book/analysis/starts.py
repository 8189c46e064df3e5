"""Change how a training begins: branches that add nothing, or no batch norm; and keep its first losses.

The first follows Goyal et al. 2017 (arXiv:1706.02677), section 5.1.
"""

from copy import deepcopy
from dataclasses import replace

from torch import nn

from resnet_book import models
from resnet_book.analysis.diagnostics import blocks
from resnet_book.data import ImageSet
from resnet_book.engine.callbacks import Callback
from resnet_book.engine.checks import whole
from resnet_book.models import Network
from resnet_book.recipe import Recipe
from resnet_book.state import Training
from resnet_book.train import fit


def zero_last_norms(network: Network) -> Network:
    """A copy whose every residual branch ends in a batch norm of weight 0, so that it adds nothing (Goyal et al.).

    Where a shortcut pads with channels of zeros, these are ReLU(0 + 0) in every block behind it and never get a
    gradient, so the network stays as narrow as its first stage. Goyal et al. have projections.

    Raises ValueError for a network without shortcuts: nothing would get through it.
    """
    zeroed = deepcopy(network)
    for name, block in blocks(zeroed):
        if not isinstance(block, models.ResidualBlock):
            raise ValueError(f"network: {name} is no residual block; with its last norm at zero nothing gets through")
        nn.init.zeros_(block.layers[-1].weight)  # type: ignore[arg-type]
    return zeroed


def without_batch_norm(network: Network) -> Network:
    """A copy with the identity in place of every batch norm (``nn.BatchNorm2d``)."""
    changed = deepcopy(network)
    for module in list(changed.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return changed


class Losses(Callback):
    """Keeps the loss (nats) of every step's batch, as it was before the step, in ``each``."""

    def __init__(self) -> None:
        self.each: list[float] = []
        self._sum = 0.0

    def after_step(self, training: Training) -> None:
        before = 0.0 if training.steps_of_epoch == 1 else self._sum  # the meter begins anew with an epoch
        self._sum = training.meter.loss_sum.item()
        self.each.append((self._sum - before) / training.recipe.batch_size)


def first_losses(
    network: nn.Module, images: ImageSet, recipe: Recipe, iterations: int, batch_size: int, seed: int = 0
) -> list[float]:
    """The loss (nats) of each of the first steps of a training by ``recipe``, which changes ``network``.

    The batches are of ``batch_size``, whatever the recipe says, and its drops of the learning rate are left out. Raises
    ValueError as ``train.fit`` does, and for fewer than one iteration.
    """
    short = replace(recipe, iterations=whole("iterations", iterations, 1), drops=(), batch_size=batch_size)
    losses = Losses()
    few = images.subset(2) if isinstance(images, ImageSet) else images  # it tests; two images cost little
    fit(network, images, few, short, seed=seed, callbacks=[losses])
    return losses.each
