"""Ask how much a gradient is worth: for other images, after a step, and at a picture nearby.

Gradients at neighbouring images follow Balduzzi et al. 2017, *The Shattered Gradients Problem* (arXiv:1702.08591).
A batch is two tensors: images (N, 3, H, W), float, normalised, and labels (N,), int64. One that a network cannot learn
from is a ValueError, as in ``diagnostics.checked_batch``. Batch norm normalises by the batch's own statistics
throughout, as in a training step. The networks passed stay as they are.
"""

from collections.abc import Sequence
from copy import deepcopy

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_book.analysis.diagnostics import checked_batch, unchanged
from resnet_book.engine.checks import checked_seed, finite, real


def gradient(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The gradient of a batch's mean cross-entropy with respect to all parameters, as one vector."""
    images, labels = batch
    labels = checked_batch(network, images, labels)
    with unchanged(network, training=True):
        loss = F.cross_entropy(network(images), labels)
        return torch.cat([each.flatten() for each in torch.autograd.grad(loss, list(network.parameters()))])


def part(network: nn.Module, ndim: int) -> Tensor:
    """Which numbers of ``gradient`` are of parameters with so many dimensions: 4, convolutions; 2, the classifier's."""
    return torch.cat(
        [torch.full((each.numel(),), each.ndim == ndim, device=each.device) for each in network.parameters()]
    )


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


def predictions(network: nn.Module, batches: Sequence[tuple[Tensor, Tensor]], learning_rate: float) -> pd.DataFrame:
    """How far the gradient of one batch predicts that of the next: cosines, 1 for "the same direction", 0 "unrelated".

    Takes the batches two by two. A row a pair: pair, and three cosines with the first batch's gradient: of the second
    batch's (other_images), of the first batch's after one step along it (after_step), and of the second batch's after
    that step (next), which is what the training meets. The step is plain gradient descent, without momentum. Raises
    ValueError for an odd number of batches, or none, and for a learning rate that is not above 0.
    """
    learning_rate = real("learning_rate", learning_rate, above=0)
    rows = []
    for pair, (one, other) in enumerate(_two_by_two(batches), start=1):
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


def agreement(network: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """How alike the gradients of two batches are in all parameters, and in parts of them: mean cosines over the pairs.

    Takes the batches two by two. Beside the cosines (all, convolutions, classifier, without its biases) stands the
    classifier's share of the squared length of these gradients (share). Raises ValueError as ``predictions``.
    """
    pairs = [torch.stack([gradient(network, each) for each in pair]) for pair in _two_by_two(batches)]
    both = torch.stack(pairs, dim=1)  # (2, pairs, parameters)
    classifier = part(network, 2)
    parts = {"all": slice(None), "convolutions": part(network, 4), "classifier": classifier}
    cosines = {name: F.cosine_similarity(*both[..., of], dim=1).mean().item() for name, of in parts.items()}
    return cosines | {"share": (both[..., classifier].norm() / both.norm()).item() ** 2}


def _two_by_two(batches: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]]:
    if not batches or len(batches) % 2:
        raise ValueError(f"batches: expected pairs, so an even number of two or more, found {len(batches)}")
    return list(zip(batches[::2], batches[1::2], strict=True))


def pixel_gradients(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The gradient of a batch's mean cross-entropy with respect to its pixels: (N, 3, H, W)."""
    images, labels = batch
    labels = checked_batch(network, images, labels)
    pixels = images.detach().clone().requires_grad_()
    with unchanged(network, training=True):
        return torch.autograd.grad(F.cross_entropy(network(pixels), labels), pixels)[0]


def shattering(
    network: nn.Module, batch: tuple[Tensor, Tensor], distances: Sequence[float], seed: int = 0
) -> pd.DataFrame:
    """How alike the pixel gradients of an image and a noisy copy of it are, against the noise.

    ``distances``: the noise's standard deviation, where that of the pixels is about 1. A row a distance: distance, and
    over the images the mean of the cosine and its standard deviation (spread). With the seed of a network the noise is
    drawn as its first weights are; it does not show, for other seeds gave the same within 0.01 at a distance of 0.01
    in untrained networks. Raises ValueError for a distance that is not above 0, none at all, or a single image.
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
