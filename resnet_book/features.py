"""Features: a trained network and images enter; the images that each feature ranks least and most relevant leave.

A feature is one of the C numbers that the last linear layer reads: the average of one channel over the image, after
the last ReLU, so never negative. Follows the feature study of mbsariyildiz/resnet-pytorch (2018), which draws the ten
least and the ten most relevant images of each feature in a row; the class purity, and what chance gives, are ours.
"""

from collections.abc import Sequence
from math import comb

import torch
from torch import Tensor

from resnet_book import augment
from resnet_book.data import ImageSet
from resnet_book.models import Network
from resnet_book.precision import evaluation_mode, kernels


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
    pixels = images.images if isinstance(images, ImageSet) else images
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3:
        raise ValueError(f"images: expected uint8 (N, 3, H, W), found {pixels.dtype} {tuple(pixels.shape)}")
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: must be at least 1")
    device = torch.device(device)
    network.to(device)
    mean_tensor, std_tensor = torch.tensor(mean, device=device), torch.tensor(std, device=device)
    features = torch.empty(len(pixels), network.classifier.in_features)
    with torch.inference_mode(), kernels(device, "float32"), evaluation_mode(network):
        for begin in range(0, len(pixels), batch_size):
            batch = augment.normalise(pixels[begin : begin + batch_size].to(device), mean_tensor, std_tensor)
            features[begin : begin + batch_size] = network.features(batch).cpu()  # (batch, C)
    return features


def class_scores(network: Network, features: Tensor) -> Tensor:
    """What the network's last layer makes of features (N, C): scores before softmax (N, classes), on the CPU."""
    with torch.inference_mode():
        return network.classifier(features.to(network.classifier.weight.device)).cpu()


def rank(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` least and the ``k`` most relevant images of each feature: (N, C) -> two (C, k) int64 of indices.

    ``least`` runs from the lowest value upwards, ``most`` from the highest downwards. Equal values come in the order
    of the images, at both ends, so the answer is the same every time. Raises ValueError where ``k`` is not between 1
    and N, or a feature is not finite.
    """
    count = len(features)
    if not 1 <= k <= count:
        raise ValueError(f"k={k}: there are {count} images to rank; choose 1 to {count}")
    if not features.isfinite().all():
        raise ValueError("features: some are not finite, so they cannot be ranked; has the network diverged?")
    least = features.argsort(dim=0, stable=True)[:k]
    most = features.argsort(dim=0, stable=True, descending=True)[:k]
    return least.T.contiguous(), most.T.contiguous()  # (C, k) each


def dead(features: Tensor) -> Tensor:
    """Which features are zero for every image, so that they rank nothing: (N, C) -> (C,) bool."""
    return (features == 0).all(dim=0)


def class_counts(indices: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """How many of each row's images belong to each class: indices (C, k), labels (N,) -> (C, num_classes) int64.

    Raises ValueError for a label that is not below ``num_classes``.
    """
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        found = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(f"labels: expected 0 to {num_classes - 1} for num_classes={num_classes}, found {found}")
    chosen = labels[indices]  # (C, k)
    counts = torch.zeros(len(indices), num_classes, dtype=torch.int64)
    return counts.scatter_add_(1, chosen, torch.ones_like(chosen))


def purity(indices: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Share of the most frequent class among each row's images: (C, k), (N,) -> (C,) float64, 1 / k to 1.

    Raises ValueError as ``class_counts`` does.
    """
    return class_counts(indices, labels, num_classes).amax(dim=1).double() / indices.shape[1]


def chance_distribution(labels: Tensor, k: int) -> Tensor:
    """How likely each purity is by chance: element m is the probability that the largest class has m of ``k`` images.

    The ``k`` images are drawn without replacement from those that ``labels`` (N,) describes. Returns (k + 1,) float64.
    Exact: the sets of ``k`` images with at most m of each class are counted by the coefficient of x^k in the product,
    over the classes, of the polynomials sum_j (size choose j) x^j with j up to m. Raises ValueError as ``rank`` does.
    """
    if not 1 <= k <= len(labels):
        raise ValueError(f"k={k}: there are {len(labels)} images to draw from; choose 1 to {len(labels)}")
    sizes = labels.bincount().tolist()
    all_sets = comb(len(labels), k)
    at_most = [0.0]  # at_most[m]: probability that no class has more than m; no set of k images has none of any
    for largest in range(1, k + 1):
        ways = [1] + [0] * k  # ways[n]: sets of n images of the classes so far
        for size in sizes:
            choices = [comb(size, j) for j in range(largest + 1)]
            ways = [sum(choices[j] * ways[n - j] for j in range(min(largest, n) + 1)) for n in range(k + 1)]
        at_most.append(ways[k] / all_sets)
    cumulative = torch.tensor(at_most, dtype=torch.float64)
    return torch.cat([cumulative[:1], cumulative.diff()])


def chance_purity(labels: Tensor, k: int) -> float:
    """Expected purity of ``k`` images drawn at random, without replacement. Raises ValueError as ``rank`` does."""
    distribution = chance_distribution(labels, k)
    return float(distribution @ torch.arange(k + 1, dtype=torch.float64)) / k
