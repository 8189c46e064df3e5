"""Measure what a cut does to a trained network: its error, its confidence, how far its features move.

Each cut (see ``cuts``) is tested with batch norm's statistics as trained, and measured anew. Follows Veit, Wilber,
Belongie (arXiv:1605.06431), section 4; the features' change and the statistics are ours.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace

import pandas as pd
import torch
from torch import Tensor

from resnet_book import augment, features
from resnet_book.analysis import diagnostics
from resnet_book.analysis.cuts import Cut, all_cuts
from resnet_book.data import ImageSet
from resnet_book.engine.checks import checked_seed, require_features
from resnet_book.models import Network
from resnet_book.recipe import Recipe


def measured_anew(
    network: Network,
    images: ImageSet,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    device: str | torch.device = "cpu",
) -> Network:
    """A copy of the network on ``device``, batch norm's statistics measured on ``images``; its weights stay.

    A layer behind a cut sees other activations than those whose statistics it was trained with. ``images`` should be
    training images, augmented as in training (``augmented``). Raises ValueError as ``features.measure_batch_norm``.
    """
    diagnostics.blocks(network)  # raises for what is no Network
    measured = deepcopy(network)
    features.measure_batch_norm(measured, images, mean, std, device=device, batch_size=125)
    return measured


def augmented(images: ImageSet, recipe: Recipe, seed: int = 0) -> ImageSet:
    """The images as a training by ``recipe`` may see them: shifted and flipped at random, once.

    The borders of zeros count: statistics of the whole resnet20-cifar10 measured on images without them gave 3 points
    more error than its own, on images with them no more. Raises ValueError for a negative seed.
    """
    generator = torch.Generator().manual_seed(checked_seed(seed))
    sampled = augment.sample(len(images), generator, recipe.padding, recipe.flip_probability)
    return replace(images, images=augment.apply(images.images, sampled, recipe.padding, recipe.padding_mode))


@dataclass(frozen=True)
class Damage:
    """What a network answers, and how far its features are from those of the whole network."""

    error: float  # % of the images
    confidence: float  # mean softmax of the answer, 0 to 1
    feature_change: float  # mean over the images of |cut - whole| / |whole|, features as vectors


def damage(
    network: Network,
    test: ImageSet,
    mean: Sequence[float],
    std: Sequence[float],
    whole_features: Tensor,
    *,
    device: str | torch.device = "cpu",
) -> Damage:
    """Test a cut network: ``whole_features`` (N, C) are those of the images ``test`` by the whole one.

    The network is moved to ``device``. Raises ValueError for features of other images or another network, or that are
    not finite; as ``features.extract``.
    """
    values = features.extract(network, test, mean, std, device=device, batch_size=125)
    require_features(whole_features)
    if whole_features.shape != values.shape:
        found, expected = tuple(whole_features.shape), tuple(values.shape)
        raise ValueError(f"whole_features: expected {expected}, those of the test images, found {found}")
    scores = features.class_scores(network, values)
    change = (values - whole_features).norm(dim=1) / whole_features.norm(dim=1).clamp(min=1e-12)  # (N,)
    return Damage(
        error=features.loss_and_error(scores, test.labels)[1],
        confidence=scores.softmax(dim=1).amax(dim=1).double().mean().item(),
        feature_change=change.double().mean().item(),
    )


def lesions(
    network: Network,
    train: ImageSet,
    test: ImageSet,
    mean: Sequence[float],
    std: Sequence[float],
    cuts: Sequence[Cut] | None = None,
    *,
    device: str | torch.device = "cpu",
) -> Iterator[tuple[Cut, Damage, Damage]]:
    """Each cut (None: ``all_cuts``) with its damage, as trained and with statistics measured anew on ``train``.

    Features are compared with those of the whole network, whose statistics are those of training, or measured anew on
    the same images. The network that is passed stays as and where it is.
    """
    network = deepcopy(network).to(memory_format=torch.channels_last)  # twice as fast on a CPU
    bases = network, measured_anew(network, train, mean, std, device=device)
    whole = [features.extract(base, test, mean, std, device=device, batch_size=125) for base in bases]
    for cut in all_cuts(network) if cuts is None else cuts:
        made = cut.made(network)
        yield (
            cut,
            damage(made, test, mean, std, whole[0], device=device),
            damage(measured_anew(made, train, mean, std, device=device), test, mean, std, whole[1], device=device),
        )


def lesion_frame(measured: Sequence[tuple[Cut, Damage, Damage]]) -> pd.DataFrame:
    """A row a cut: kind, blocks, factor, removed (how many blocks), error, ..., error_anew, ..., as ``Damage``."""
    rows = [
        {**asdict(cut), "removed": cut.removed, **asdict(as_trained)}
        | {f"{name}_anew": value for name, value in asdict(anew).items()}
        for cut, as_trained, anew in measured
    ]
    return pd.DataFrame(rows)
