"""Say in numbers how well the images that a feature ranks first belong together, beside images drawn at random.

Purity and entropy say how much the ``k`` images of a row are of one class, and what images drawn at random would give;
the class selectivity of a feature is that of Morcos, Barrett, Rabinowitz, Botvinick, *On the importance of single
directions for generalization* (arXiv:1803.06959), section 2.3.
"""

from math import comb, log, log2, nan

import torch
from torch import Tensor

from resnet_book.engine.checks import checked_indices, described, finite, require_features, whole


def class_counts(indices: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """How many of each row's images belong to each class: indices (C, k), labels (N,) -> (C, num_classes) int64.

    Raises ValueError for a label that is not below ``num_classes``, an index that is not below N, and rows of none.
    """
    num_classes = whole("num_classes", num_classes, 1)
    labels = checked_indices("labels", labels, ("N",), num_classes)
    chosen = labels[checked_indices("indices", indices, ("C", "k"), len(labels))]  # (C, k)
    if chosen.shape[1] == 0:
        raise ValueError("indices: expected one image or more in each row, found none")
    counts = torch.zeros(len(indices), num_classes, dtype=torch.int64)
    return counts.scatter_add_(1, chosen, torch.ones_like(chosen))


def purity(indices: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Share of the most frequent class among each row's images: (C, k), (N,) -> (C,) float64, 1 / k to 1.

    Raises ValueError as ``class_counts`` does.
    """
    return class_counts(indices, labels, num_classes).amax(dim=1).double() / indices.shape[1]


def leading_class(indices: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """The class that alone is the most frequent of each row; -1 where several are level: (C, k), (N,) -> (C,) int64.

    Raises ValueError as ``class_counts`` does.
    """
    counts = class_counts(indices, labels, num_classes)
    level = (counts == counts.amax(dim=1, keepdim=True)).sum(dim=1) > 1
    return counts.argmax(dim=1).masked_fill(level, -1)


def shared_images(indices: Tensor) -> float:
    """How many images two different rows have in common, on average over all pairs: (C, k) int64, 0 to k.

    No row may name an image twice. Rows drawn at random from N images share k * k / N. NaN for fewer than two rows.
    """
    if len(indices) < 2:
        return nan
    rows_with = indices.unique(return_counts=True)[1]  # of each image that occurs
    return (rows_with * (rows_with - 1)).sum().item() / (len(indices) * (len(indices) - 1))


def chance_distribution(labels: Tensor, k: int) -> Tensor:
    """How likely each purity is by chance: element m is the probability that the largest class has m of ``k`` images.

    The ``k`` images are drawn without replacement from those that ``labels`` (N,) describes. Returns (k + 1,) float64.
    Exact: the sets of ``k`` images with at most m of each class are counted by the coefficient of x^k in the product,
    over the classes, of the polynomials sum_j (size choose j) x^j with j up to m. ``k``: 1 to N, else ValueError.
    """
    labels = checked_indices("labels", labels, ("N",))
    k = whole("k", k, 1, len(labels), "the number of images")
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
    """Expected purity of ``k`` images drawn at random, without replacement. ``k``: 1 to N, else ValueError."""
    distribution = chance_distribution(labels, k)
    return float(distribution @ torch.arange(k + 1, dtype=torch.float64)) / k


def entropy(indices: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Entropy (bits) of the classes among each row's images: (C, k), (N,) -> (C,) float64.

    From 0, where all are of one class, to log2 of k or of ``num_classes``, whichever is less, where no two are, or all
    classes are as frequent. Unlike purity, it sees the other classes too. Raises ValueError as ``class_counts`` does.
    """
    shares = class_counts(indices, labels, num_classes).double() / indices.shape[1]  # (C, num_classes)
    return torch.special.entr(shares).sum(dim=1) / log(2)


def chance_entropy(labels: Tensor, k: int) -> float:
    """Expected entropy (bits) of ``k`` images drawn at random, without replacement. ``k``: 1 to N, else ValueError.

    Exact: the sum over the classes of the expected -p log2 p, where a class's count is hypergeometric.
    """
    labels = checked_indices("labels", labels, ("N",))
    k = whole("k", k, 1, len(labels), "the number of images")
    total = 0.0
    for size in labels.bincount().tolist():
        for count in range(1, k + 1):
            probability = comb(size, count) * comb(len(labels) - size, k - count) / comb(len(labels), k)
            total -= probability * (count / k) * log2(count / k)
    return total


def class_means(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Mean of each feature over each class's images: (N, C), (N,) -> (num_classes, C); 0 for a class without images.

    Raises ValueError as ``checks.require_features`` does, and unless each image has a label below ``num_classes``.
    """
    require_features(features)
    num_classes = whole("num_classes", num_classes, 1)
    labels = checked_indices("labels", labels, features.shape[:1], num_classes)
    sums = torch.zeros(num_classes, features.shape[1], dtype=torch.float64).index_add_(0, labels, features.double())
    counts = labels.bincount(minlength=num_classes).clamp(min=1)
    return (sums / counts[:, None]).to(features.dtype)


def selectivity(means: Tensor) -> Tensor:
    """Class selectivity of each feature: class means (classes, C), not negative -> (C,), from 0 to 1.

    (a - b) / (a + b), with a the largest class mean and b the mean of the other classes' (Morcos et al. 2018). 0: it
    responds to all classes alike, or to none; 1: to one class only; at 0.5, the class stands out threefold. Raises
    ValueError for fewer than two classes, and for means that are whole numbers, negative or not finite.
    """
    if not means.is_floating_point():
        raise ValueError(f"means: expected floats (classes, C), found {described(means)}")
    if means.ndim != 2 or len(means) < 2 or not ((means >= 0) & means.isfinite()).all():
        found = f"{tuple(means.shape)}, from {means.min()} to {means.max()}" if means.numel() else "none"
        raise ValueError(f"means: expected (classes, C), two classes or more, none below 0 or infinite, found {found}")
    largest = means.amax(dim=0)
    others = (means.sum(dim=0) - largest) / (len(means) - 1)
    return (largest - others) / (largest + others).clamp(min=torch.finfo(means.dtype).tiny)


def mean_interval(values: Tensor) -> tuple[float, float, float]:
    """Mean of ``values`` (C,), and the ends of its 95 % bootstrap interval, always the same for the same values.

    Resampling the features of one network says how much its mean depends on which of its features one happened to
    have. It says nothing of other seeds. Three times NaN for no values. Raises ValueError for another shape, and
    for values that are not finite.
    """
    if values.ndim != 1:
        raise ValueError(f"values: expected one for each feature (C,), found {tuple(values.shape)}")
    if not len(values):
        return nan, nan, nan
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randint(len(values), (2_000, len(values)), generator=generator)  # a row a resample
    means = finite("values", values).double()[chosen].mean(dim=1)
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return values.double().mean().item(), low, high
