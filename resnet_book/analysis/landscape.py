"""Look at the loss around trained weights: along directions, on planes, between two networks, and its curvature.

Filter-normalised directions follow Li, Xu, Taylor, Studer, Goldstein, *Visualizing the Loss Landscape of Neural Nets*
(arXiv:1712.09913), section 4; products with the Hessian follow Pearlmutter (1994).

A batch of images is normalised pixels (N, 3, H, W) with labels (N,). The loss depends on the statistics with which
batch norm divides, and every function takes one of two (``anew``): those that the network keeps, as it does when it is
tested; or those of each batch of ``BATCH`` images, as in training. The network that is passed stays as it was.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from resnet_book import augment, features
from resnet_book.analysis import diagnostics
from resnet_book.data import ImageSet
from resnet_book.engine.checks import checked_images, checked_seed, finite, real, whole
from resnet_book.models import Network

BATCH = 128  # images that share their statistics, as in training
DIRECTION_SEEDS = 1_000_000  # on top of a seed: from the bare one, a network drew the weights it began with
Direction = list[Tensor]  # one tensor for each parameter, of its shape, in the order of ``network.parameters()``


@dataclass(frozen=True)
class Batch:
    """Normalised images (N, 3, H, W) and labels (N,). Raises ValueError where they do not fit, or are none."""

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", checked_images(self.images, self.labels))  # the dataclass is frozen

    def parts(self) -> list[tuple[Tensor, Tensor]]:
        """Images and labels, ``BATCH`` at a time."""
        return list(zip(self.images.split(BATCH), self.labels.split(BATCH), strict=True))


def batch_of(images: ImageSet, mean: Sequence[float], std: Sequence[float]) -> Batch:
    """The images of a set, normalised as the network saw them in training.

    Raises ValueError for an empty set, and for a mean or a standard deviation that ``augment.channel_values`` refuses.
    """
    mean, std = augment.channel_values("mean", mean), augment.channel_values("std", std)
    pixels = augment.normalise(images.images, mean, std)
    return Batch(pixels.contiguous(memory_format=torch.channels_last), images.labels)  # twice as fast on a CPU


# --- The loss, and where to look ------------------------------------------------------------------------------------


def loss_and_error(network: Network, batch: Batch, anew: bool = False) -> tuple[float, float]:
    """Mean cross-entropy (nats) and error (%) of the network on the images, all together.

    Raises ValueError for images and labels that the network cannot be tested on, and where its scores are not finite.
    """
    diagnostics.checked_batch(network, batch.images, batch.labels)
    with torch.inference_mode():
        network = _prepared(network, anew)
        scores = torch.cat([network(images) for images, _ in batch.parts()])  # (N, classes)
    if not scores.isfinite().all():
        raise ValueError(
            "scores: some are not finite: the network diverged, or its weights were moved too far away; take smaller "
            "steps, or a share between 0 and 1"
        )
    return features.loss_and_error(scores, batch.labels)


def filter_norms(weight: Tensor) -> Tensor:
    """The norm of each filter (each row of a linear layer): (out, ...) -> (out, 1, ...)."""
    return weight.flatten(1).norm(dim=1).view(-1, *[1] * (weight.ndim - 1))


def random_direction(network: Network, seed: int) -> Direction:
    """A Gaussian direction, each of its filters as long as the network's; zero for biases and batch norm's parameters.

    It is at a right angle, but for chance, to the weights that a network of the same seed began with. Raises ValueError
    for a seed that cannot be.
    """
    generator = torch.Generator().manual_seed(DIRECTION_SEEDS + checked_seed(seed))
    direction = list[Tensor]()
    for weight in network.parameters():
        if weight.ndim == 1:
            direction.append(torch.zeros_like(weight))
            continue
        drawn = torch.randn(weight.shape, generator=generator).to(weight.device)
        direction.append(drawn * (filter_norms(weight.detach()) / filter_norms(drawn).clamp(min=1e-12)))
    return direction


def moved(network: Network, directions: Sequence[Direction], steps: Sequence[float]) -> Network:
    """A copy of the network, ``steps`` along ``directions`` away; its statistics stay.

    Raises ValueError unless there is one finite step for each direction, and a finite tensor for each parameter.
    """
    if len(directions) != len(steps):
        raise ValueError(f"steps={list(steps)!r}: give one for each of {len(directions)} directions")
    copy = deepcopy(network)
    with torch.no_grad():
        for direction, step in zip(directions, steps, strict=True):
            step = real("step", step)
            for weight, along in zip(copy.parameters(), _checked(copy, direction), strict=True):
                weight.add_(along, alpha=step)
    return copy


def losses(
    network: Network, directions: Sequence[Direction], steps: Sequence[float], batch: Batch, anew: bool = False
) -> Tensor:
    """The loss (nats) at every combination of ``steps``: (S,) along one direction, (S, S) along two (first, second).

    Raises ValueError for no direction and for no step, and as ``moved``.
    """
    whole("number of directions", len(directions), 1)
    whole("number of steps", len(steps), 1)
    steps = [real("steps", step) for step in steps]
    points = torch.cartesian_prod(*[torch.tensor(steps, dtype=torch.float64)] * len(directions))
    found = [
        loss_and_error(moved(network, directions, point), batch, anew)[0]
        for point in points.view(-1, len(directions)).tolist()
    ]
    return torch.tensor(found, dtype=torch.float64).view([len(steps)] * len(directions))


# --- Between two networks -------------------------------------------------------------------------------------------


def between(one: Network, other: Network, share: float) -> Network:
    """The network at ``share`` of the straight line from ``one`` (0) to ``other`` (1), statistics included.

    Raises ValueError for a share that is not finite, and for two networks that are not built alike, as twins.
    """
    share = real("share", share)
    ends = one.state_dict(), other.state_dict()
    shapes = [{name: tuple(each.shape) for name, each in end.items()} for end in ends]
    if shapes[0] != shapes[1] or str(one) != str(other):  # twins differ in their modules alone
        raise ValueError("other: it has other layers, shapes or shortcuts than one; pass two networks that are alike")
    middle = deepcopy(one)
    middle.load_state_dict(
        {
            name: torch.lerp(each, ends[1][name], share) if each.is_floating_point() else each
            for name, each in ends[0].items()
        }
    )
    return middle


def barrier(values: Sequence[float]) -> float:
    """How far the values on a line, at equal distances, rise above the straight line between the two ends; 0 or more.

    Raises ValueError for fewer than two, and for values that are not finite.
    """
    whole("number of values", len(values), 2)
    found = torch.tensor([real("values", value) for value in values], dtype=torch.float64)
    chord = torch.lerp(found[0], found[-1], torch.linspace(0, 1, len(found), dtype=torch.float64))
    return (found - chord).max().item()


# --- Curvature ------------------------------------------------------------------------------------------------------


def hessian_product(network: Network, batch: Batch, direction: Direction, anew: bool = False) -> Direction:
    """The Hessian of the mean loss times ``direction``, over all parameters, without the Hessian itself.

    Raises ValueError for labels that are none of the network's classes, for a direction as ``moved``, and for a loss
    that is not finite.
    """
    diagnostics.checked_batch(network, batch.images, batch.labels)
    copy = _prepared(deepcopy(network), anew).to(memory_format=torch.contiguous_format)  # here this is the faster one
    direction = _checked(copy, direction)
    weights = list(copy.parameters())
    product = [torch.zeros_like(weight) for weight in weights]
    for images, labels in batch.parts():
        loss = F.cross_entropy(copy(images.contiguous()), labels, reduction="sum") / len(batch.labels)
        if not loss.isfinite():
            raise ValueError("loss: it is not finite; did the network diverge?")
        gradient = torch.autograd.grad(loss, weights, create_graph=True)
        along = dot(gradient, direction)  # the slope in this direction: its gradient is H times the direction
        product = [a + b for a, b in zip(product, torch.autograd.grad(along, weights), strict=True)]
    return product


def curvature(network: Network, batch: Batch, direction: Direction, anew: bool = False) -> float:
    """The second derivative of the loss along the unit vector of ``direction``.

    Raises ValueError for a direction that is zero everywhere, and as ``hessian_product``.
    """
    product = hessian_product(network, batch, direction, anew)
    length = dot(direction, direction)
    if not length > 0:
        raise ValueError("direction: it is zero everywhere, so it has no unit vector")
    return (dot(direction, product) / length).item()


@dataclass(frozen=True)
class Eigenvalue:
    """One eigenvalue of the Hessian, as far as power iteration got."""

    value: float
    vector: Direction  # of length 1
    last_change: float  # of the value in the last step, relative: how far it has settled


def top_eigenvalue(network: Network, batch: Batch, steps: int = 30, seed: int = 0, anew: bool = False) -> Eigenvalue:
    """The eigenvalue of the Hessian that is largest in size, by power iteration.

    It takes at most ``steps`` products, fewer once the value changes by less than 0.1 %. Raises ValueError for steps
    below 1, labels that are none of the network's classes, and where the loss is not finite.
    """
    steps, generator = whole("steps", steps, 1), torch.Generator().manual_seed(DIRECTION_SEEDS + checked_seed(seed))
    vector = [torch.randn(each.shape, generator=generator).to(each.device) for each in network.parameters()]
    unit, value, change = vector, torch.inf, torch.inf
    for _ in range(steps):
        length = dot(vector, vector).sqrt().clamp(min=1e-30)
        unit = [each / length for each in vector]
        vector = hessian_product(network, batch, unit, anew)
        before, value = value, dot(unit, vector).item()
        change = abs(value - before) / max(abs(value), 1e-12)
        if change < 0.001:
            break
    return Eigenvalue(value, unit, min(change, 1.0))


def dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """The scalar product of two directions. Raises ValueError unless their tensors have the same shapes."""
    if (found := [a.shape for a in one]) != [b.shape for b in other]:
        raise ValueError(
            f"other: expected {len(found)} tensors of the same shapes as in one; both must come from networks that are "
            "built alike"
        )
    return torch.stack([(a * b).sum() for a, b in zip(one, other, strict=True)]).sum()


def _prepared(network: Network, anew: bool) -> Network:
    """The network in the mode that is asked for; a copy where that would change its statistics."""
    return deepcopy(network).train() if anew else (network if not network.training else deepcopy(network).eval())


def _checked(network: Network, direction: Direction) -> Direction:
    """``direction``. Raises ValueError unless it has a finite tensor for each parameter, of its shape and device."""
    wanted, found = ([(each.shape, each.device) for each in every] for every in (network.parameters(), direction))
    if wanted != found:
        raise ValueError(
            "direction: expected a tensor for each parameter, of its shape and device; random_direction makes such"
        )
    return [finite("direction", each) for each in direction]
