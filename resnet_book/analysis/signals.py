"""Ask how much a gradient is worth: for other images, after a step, at a picture nearby; and try two other beginnings.

Gradients at neighbouring images follow Balduzzi et al. 2017, *The Shattered Gradients Problem* (arXiv:1702.08591); a
batch norm that begins at zero follows Goyal et al. 2017 (arXiv:1706.02677), section 5.1; pre-activation He et al. 2016,
*Identity Mappings in Deep Residual Networks* (arXiv:1603.05027). Batch norm normalises by the batch's own statistics
throughout, as in a training step. The networks passed stay as they are. A batch that a network cannot learn from is a
ValueError, as in ``diagnostics.checked_batch``.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_book import models
from resnet_book.analysis.diagnostics import blocks, checked_batch, unchanged
from resnet_book.data import ImageSet
from resnet_book.engine.callbacks import Callback
from resnet_book.engine.checks import checked_seed, finite, real, require_generator, whole
from resnet_book.models import Network
from resnet_book.recipe import Recipe
from resnet_book.state import Training
from resnet_book.train import fit

Batch = tuple[Tensor, Tensor]  # images (N, 3, H, W) float, normalised; labels (N,) int64


# --- What a gradient predicts ---------------------------------------------------------------------------------------


def gradient(network: nn.Module, batch: Batch) -> Tensor:
    """The gradient of a batch's mean cross-entropy with respect to all parameters, as one vector."""
    images, labels = batch
    labels = checked_batch(network, images, labels)
    with unchanged(network, training=True):
        loss = F.cross_entropy(network(images), labels)
        return torch.cat([each.flatten() for each in torch.autograd.grad(loss, list(network.parameters()))])


def after_a_step(network: nn.Module, step: Tensor) -> nn.Module:
    """A copy of the network whose parameters are moved by ``step``, a vector as ``gradient`` gives.

    Raises ValueError for a step that is not finite, or not one number for each parameter.
    """
    moved = deepcopy(network)
    parameters = list(moved.parameters())
    sizes = [parameter.numel() for parameter in parameters]
    if step.shape != (sum(sizes),):
        raise ValueError(f"step: expected one number for each parameter ({sum(sizes)},), found {tuple(step.shape)}")
    parts = finite("step", step).split(sizes)
    with torch.no_grad():
        for parameter, part in zip(parameters, parts, strict=True):
            parameter += part.view(parameter.shape)
    return moved


def predictions(network: nn.Module, batches: Sequence[Batch], learning_rate: float) -> pd.DataFrame:
    """How far the gradient of one batch predicts that of the next: cosines, 1 for "the same direction", 0 "unrelated".

    Takes the batches two by two. A row a pair: pair, and three cosines with the first batch's gradient: of the second
    batch's (other_images), of the first batch's after one step along it (after_step), and of the second batch's after
    that step (next), which is what the training meets. The step is plain gradient descent, without momentum. Raises
    ValueError for an odd number of batches, or none, and for a learning rate that is not above 0.
    """
    learning_rate = real("learning_rate", learning_rate, above=0)
    if not batches or len(batches) % 2:
        raise ValueError(f"batches: expected pairs, so an even number of two or more, found {len(batches)}")
    rows = []
    for pair, (one, other) in enumerate(zip(batches[::2], batches[1::2], strict=True), start=1):
        here = gradient(network, one)
        moved = after_a_step(network, -learning_rate * here)
        compared = {
            "other_images": gradient(network, other),
            "after_step": gradient(moved, one),
            "next": gradient(moved, other),
        }
        cosines = {name: F.cosine_similarity(here, each, dim=0).item() for name, each in compared.items()}
        rows.append({"pair": pair, **cosines})
    return pd.DataFrame(rows)


def pixel_gradients(network: nn.Module, batch: Batch) -> Tensor:
    """The gradient of a batch's mean cross-entropy with respect to its pixels: (N, 3, H, W)."""
    images, labels = batch
    labels = checked_batch(network, images, labels)
    pixels = images.detach().clone().requires_grad_()
    with unchanged(network, training=True):
        return torch.autograd.grad(F.cross_entropy(network(pixels), labels), pixels)[0]


def shattering(network: nn.Module, batch: Batch, distances: Sequence[float], seed: int = 0) -> pd.DataFrame:
    """How alike the pixel gradients of an image and a noisy copy of it are, against the noise.

    ``distances``: the noise's standard deviation, where that of the pixels is about 1. A row a distance: distance, and
    over the images the mean of the cosine and its standard deviation (spread). Raises ValueError for a distance that is
    not above 0, none at all, or a single image.
    """
    distances = [real("distances", each, above=0) for each in distances]
    images, labels = batch
    labels = checked_batch(network, images, labels)
    if not distances or len(images) < 2:
        raise ValueError(f"shattering: give a distance or more, and two images or more; found {len(images)} images")
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(checked_seed(seed))).to(images.device)
    here, rows = pixel_gradients(network, batch).flatten(1), []
    for distance in distances:
        there = pixel_gradients(network, (images + distance * noise, labels)).flatten(1)
        cosines = F.cosine_similarity(here, there)  # (N,)
        rows.append({"distance": distance, "cosine": cosines.mean().item(), "spread": cosines.std().item()})
    return pd.DataFrame(rows)


# --- A batch norm that begins at zero -------------------------------------------------------------------------------


def zero_last_norms(network: Network) -> Network:
    """A copy whose every residual branch ends in a batch norm of weight 0, so that it adds nothing (Goyal et al.).

    Raises ValueError for a network without shortcuts: nothing would get through it.
    """
    zeroed = deepcopy(network)
    for name, block in blocks(zeroed):
        if not isinstance(block, models.ResidualBlock):
            raise ValueError(f"network: {name} is no residual block; with its last norm at zero nothing gets through")
        nn.init.zeros_(block.layers[-1].weight)  # type: ignore[arg-type]
    return zeroed


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


# --- Batch norm and ReLU before the convolution ---------------------------------------------------------------------


class PreActivationBlock(nn.Module):
    """y = x + F(x), where F is batch norm, ReLU, convolution, twice, and nothing comes behind the addition.

    Where the shape changes, the shortcut adapts x, as in ``models.ResidualBlock``. (In the paper such a shortcut begins
    behind the first ReLU; here it begins at x, so that every block is the same equation.)
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.norm1, self.convolution1 = nn.BatchNorm2d(in_channels), models.conv3x3(in_channels, width, stride)
        self.norm2, self.convolution2 = nn.BatchNorm2d(width), models.conv3x3(width, width)
        self.shortcut = models.make_shortcut("subsample", in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution1(F.relu(self.norm1(x)))
        y = self.convolution2(F.relu(self.norm2(y)))
        return self.shortcut(x) + y


class PreActivationNetwork(Network):
    """The residual network of ``depth`` = 6n+2 layers made of pre-activation blocks.

    Its stem is the convolution alone, and a batch norm with ReLU follows the last block. It has as many parameters as
    ``models.narrow``'s, and the same convolutions. Raises ValueError as ``models.narrow``.
    """

    def __init__(self, depth: int, generator: torch.Generator, block: type[nn.Module], num_classes: int) -> None:
        require_generator(generator)
        super().__init__(models.NARROW_WIDTHS, models.narrow_blocks(depth), "subsample", num_classes)
        self.stem = nn.Sequential(self.stem[0])
        in_channels = models.NARROW_WIDTHS[0]
        for stage, width in zip(self.stages, models.NARROW_WIDTHS, strict=True):
            for place in range(len(stage)):  # type: ignore[arg-type]
                stage[place] = block(in_channels, width, stride=width // in_channels)  # type: ignore[index]
                in_channels = width
        self.norm = nn.BatchNorm2d(in_channels)
        models.initialise(self, generator)

    def features(self, x: Tensor) -> Tensor:
        x = self.stages(self.stem(x))  # (N, 64, H/4, W/4)
        return F.relu(self.norm(x)).mean(dim=(2, 3))  # (N, 64)


def pre_activation(
    depth: int, generator: torch.Generator, block: type[nn.Module] = PreActivationBlock, num_classes: int = 10
) -> PreActivationNetwork:
    """A ``PreActivationNetwork``, whose weights are drawn from ``generator``. Raises as it does."""
    return PreActivationNetwork(depth, generator, block, num_classes)


def check_pre_activation(block: type[nn.Module]) -> str:
    """Whether a reader's block computes what ``PreActivationBlock``, whose layers it has, does: in a sentence."""
    x = torch.randn(4, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    whole_block, silent, halving = block(16, 16), block(16, 16), block(16, 32, 2)
    nn.init.zeros_(silent.convolution2.weight)  # type: ignore[arg-type]  # so F(x) = 0
    first, seen = whole_block.convolution1, list[Tensor]()
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))  # type: ignore[operator]
    y = whole_block(x)
    if y is None:
        return "Not answered yet."
    if not seen or (seen[0] < 0).any():
        return "Wrong: the first convolution sees negative values, or nothing. What comes before it?"
    if (y >= 0).all():
        return "Wrong: no output is negative. Is there still a ReLU behind the addition?"
    if not torch.equal(silent(x), x):
        return "Wrong: where F(x) is zero, the block should give back x. Is x added as it came in?"
    if not torch.allclose(y, PreActivationBlock.forward(whole_block, x), atol=1e-5):  # type: ignore[arg-type]
        return "Nearly: the shortcut is clean, but the branch is another one. Compare its order with the equation."
    try:
        right = torch.allclose(halving(x), PreActivationBlock.forward(halving, x), atol=1e-5)  # type: ignore[arg-type]
    except RuntimeError:  # shapes that cannot be added
        right = False
    return "Right." if right else "Nearly: where a new stage begins, x has another shape. Which layer adapts it?"
