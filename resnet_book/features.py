"""Read a network's features off images, and rank, compare and map the images by them.

A feature is one of the C numbers that the last linear layer reads: the average of one channel over the image, after
the last ReLU, so never negative. Follows the feature study of mbsariyildiz/resnet-pytorch (2018), which draws the ten
least and the ten most relevant images of each feature in a row. What such rows are worth: ``analysis.purity``.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import update_bn

from resnet_book import augment
from resnet_book.data import ImageSet
from resnet_book.engine.checks import checked_indices, checked_labels, described, require_features, whole
from resnet_book.engine.device import in_mode, kernels
from resnet_book.models import Network


def extract(
    network: Network,
    images: ImageSet | Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    device: str | torch.device = "cpu",
    batch_size: int = 500,
) -> Tensor:
    """Features (N, C) float32, on the CPU, of images (N, 3, H, W) uint8, or of an ``ImageSet``.

    ``mean`` and ``std`` (3 each, 0 to 255) normalise the images: give those that the network was trained with.
    Evaluation mode, no gradients, ``batch_size`` images in the network at a time. The network is moved to ``device``,
    and left in the mode (training or evaluation) in which it came. Raises ValueError for images of another dtype or
    shape, and for a batch size below 1.
    """
    pixels, batch_size, device = _pixels(images), whole("batch_size", batch_size, 1), torch.device(device)
    network.to(device)
    mean, std = augment.channel_values("mean", mean), augment.channel_values("std", std)
    features = torch.empty(len(pixels), network.classifier.in_features)
    with torch.inference_mode(), kernels(device, "float32"), in_mode(network, training=False):
        for begin in range(0, len(pixels), batch_size):
            batch = augment.normalise(pixels[begin : begin + batch_size].to(device), mean, std)
            features[begin : begin + batch_size] = network.features(batch).cpu()  # (batch, C)
    return features


def _pixels(images: ImageSet | Tensor) -> Tensor:
    """The pixels (N, 3, H, W) uint8 of ``images``. Raises ValueError for others."""
    pixels = images.images if isinstance(images, ImageSet) else images
    if not isinstance(pixels, Tensor):
        raise ValueError(
            f"images is of type {type(images).__name__}: expected an ImageSet or a tensor; of a numpy array "
            "torch.from_numpy makes one"
        )
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3:
        raise ValueError(f"images: expected uint8 (N, 3, H, W), found {described(pixels)}")
    return pixels


def measure_batch_norm(
    network: Network,
    images: ImageSet | Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    device: str | torch.device = "cpu",
    batch_size: int = 250,
) -> None:
    """Set the statistics of batch norm to those of ``images``, in place; no weight changes.

    They are averages over batches of ``batch_size``, each of which counts as much. An untrained network has none yet:
    it takes every mean for 0 and every variance for 1, and its features are not what the same weights give with
    statistics that fit. Raises ValueError for an empty set, and as ``extract`` does.
    """
    pixels, batch_size, device = _pixels(images), whole("batch_size", batch_size, 1), torch.device(device)
    if len(pixels) == 0:
        raise ValueError("images: the set is empty, so there is nothing to measure; give at least one image")
    network.to(device)
    mean, std = augment.channel_values("mean", mean), augment.channel_values("std", std)
    batches = (augment.normalise(batch.to(device), mean, std) for batch in pixels.split(batch_size))
    with kernels(device, "float32"), in_mode(network, training=True):
        update_bn(batches, network)


def class_scores(network: Network, features: Tensor) -> Tensor:
    """What the network's last layer makes of features (N, C): scores before softmax (N, classes), on the CPU."""
    with torch.inference_mode():
        return network.classifier(features.to(network.classifier.weight.device)).cpu()


def loss_and_error(scores: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and error (%) of scores (N, classes) for labels (N,) int64.

    Raises ValueError where there is no image, and as ``checked_labels``.
    """
    labels = checked_labels(scores, labels).to(scores.device)
    if len(labels) == 0:
        raise ValueError("labels: there are none, so there is no mean; give at least one image")
    loss = F.cross_entropy(scores.double(), labels).item()
    return loss, 100 * (scores.argmax(dim=1) != labels).sum().item() / len(labels)


def rank(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` least and the ``k`` most relevant images of each feature: (N, C) -> two (C, k) int64 of indices.

    ``least`` runs from the lowest value upwards, ``most`` from the highest downwards. Equal values come in the order
    of the images, at both ends, so the answer is the same every time. Raises ValueError where ``k`` is not between 1
    and N, and as ``require_features`` does.
    """
    require_features(features)
    k = whole("k", k, 1, len(features), "the number of images")
    least = features.argsort(dim=0, stable=True)[:k]
    most = features.argsort(dim=0, stable=True, descending=True)[:k]
    return least.T.contiguous(), most.T.contiguous()  # (C, k) each


def nearest(features: Tensor, queries: Tensor, k: int, batch_size: int = 500) -> Tensor:
    """The ``k`` images nearest to each query, by the cosine of their features, nearest first: (Q, k) int64.

    ``features`` (N, C); ``queries`` (Q,) int64, indices of images; an image is not its own neighbour. An image all of
    whose features are zero has the cosine 0 with every other; of equal cosines, any comes first. Compares
    ``batch_size`` queries at a time. Raises ValueError where ``k`` is not between 1 and N - 1, for an image that is not
    there, and as ``require_features`` does.
    """
    require_features(features)
    queries = checked_indices("queries", queries, ("Q",), len(features))
    k = whole("k", k, 1, len(features) - 1, "the number of other images")
    batch_size = whole("batch_size", batch_size, 1)
    directions = F.normalize(features, dim=1)
    found = []
    for part in queries.split(batch_size):
        cosines = directions[part] @ directions.T  # (batch, N)
        cosines[torch.arange(len(part)), part] = -torch.inf
        found.append(cosines.topk(k, dim=1).indices)
    return torch.cat(found)


def principal_map(features: Tensor) -> tuple[Tensor, Tensor]:
    """Features on a plane: their first two principal components, and the share of the variance that each holds.

    (N, C) with two features or more -> (N, 2) of the features' type, (2,) float64. Each axis points to where its
    largest loading is positive, so that the map is the same every time. Raises ValueError as ``require_features``.
    """
    require_features(features, least=2)
    centred = features.double() - features.double().mean(dim=0)
    variances, axes = torch.linalg.eigh(centred.T @ centred)  # in rising order; (C,), (C, C)
    axes = axes[:, -2:].flip(1)  # (C, 2)
    axes = axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
    shares = variances[-2:].flip(0) / variances.sum().clamp(min=1e-300)
    return (centred @ axes).to(features.dtype), shares
