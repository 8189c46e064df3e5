"""Study the features of one trained network: which images each ranks first and last, and how pure those rows are.

A study holds no images. With them at hand, the picture of mbsariyildiz/resnet-pytorch (2018) is drawn again from it;
without them, all the numbers are still there.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from resnet_book import features
from resnet_book.analysis import answers, purity
from resnet_book.data import ImageSet
from resnet_book.engine.checks import whole
from resnet_book.models import Network

IMAGES_AT_EACH_END = 10  # of a row, in the studies that runs keep
MEASURING_IMAGES = 1_000  # training images that the untrained network's batch norm is measured on
SELECTIVE = 0.5  # class selectivity of a feature whose class stands out threefold


@dataclass(frozen=True, eq=False)
class Study:
    """N test images, C features, ``k`` images at each end of a row. Indices count the test images in official order."""

    dataset: str
    test_sha256: str  # of the test images, as ImageSet.sha256
    class_names: tuple[str, ...]
    superclass_names: tuple[str, ...]  # () where there are none
    labels: Tensor  # (N,) int64
    superclasses: Tensor  # (classes,) int64: the superclass of each class; (0,) where there are none
    predicted: Tensor  # (N,) int64: the answered class
    confidence: Tensor  # (N,) float32: softmax of the answer
    map: Tensor  # (N, 2) float32: features.principal_map
    map_shares: Tensor  # (2,) float64: of the variance
    least: Tensor  # (C, k) int64, as features.rank
    most: Tensor  # (C, k) int64
    untrained_most: Tensor  # (C, k) int64: of the network before training, its batch norm measured
    zeros: Tensor  # (C,) int64: images for which the feature is exactly zero
    class_means: Tensor  # (classes, C) float32
    untrained_class_means: Tensor  # (classes, C) float32
    class_weights: Tensor  # (classes, C) float32: of the last layer

    @property
    def k(self) -> int:
        """Images at each end of a row."""
        return self.most.shape[1]

    def first(self, k: int) -> "Study":
        """The study of the ``k`` images nearest to each end. Raises ValueError for a ``k`` that is not 1 to ``k``."""
        k = whole("k", k, 1, self.k, "the number of images that this study holds at each end")
        return replace(self, least=self.least[:, :k], most=self.most[:, :k], untrained_most=self.untrained_most[:, :k])

    @property
    def purity(self) -> Tensor:
        """Purity of the most relevant images of each feature: (C,) float64."""
        return purity.purity(self.most, self.labels, len(self.class_names))

    @property
    def purest_first(self) -> Tensor:
        """All features, the purest rows first; of equally pure ones, the more selective: (C,) int64."""
        by_selectivity = purity.selectivity(self.class_means).argsort(descending=True, stable=True)
        return by_selectivity[self.purity[by_selectivity].argsort(descending=True, stable=True)]

    @property
    def superclass_of_class(self) -> dict[str, str]:
        """Names of classes -> names of their superclasses; empty where there are none."""
        return {
            name: self.superclass_names[index]
            for name, index in zip(self.class_names, self.superclasses.tolist(), strict=False)
        }


def make(
    network: Network,
    values: Tensor,
    untrained: Network,
    train: ImageSet,
    test: ImageSet,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    k: int = IMAGES_AT_EACH_END,
) -> Study:
    """Study a trained network beside itself untrained (whose batch norm is measured here, in place).

    ``values`` (N, C): the features of the images ``test`` by the trained network, which ``features.extract`` reads off.
    ``mean`` and ``std`` normalise the images: those of the run. Computes on the device of the trained network. Raises
    ValueError as ``features.rank`` does, for features of other images or another network, an untrained network that is
    built otherwise, and sets whose classes are not those of the network or of each other.
    """
    if train.class_names != test.class_names:
        raise ValueError("test: its class_names are not those of train, so its labels mean something else")
    if network.classifier.out_features != test.num_classes:
        raise ValueError(f"test: it has {test.num_classes} classes, network {network.classifier.out_features}")
    if str(untrained) != str(network):  # twins differ in their modules alone
        raise ValueError("untrained: it has other layers, shapes or shortcuts than network; build it as network was")
    device = network.classifier.weight.device
    if values.shape != (len(test), network.classifier.in_features):
        expected = (len(test), network.classifier.in_features)
        raise ValueError(f"values: expected {expected}, features of the test images, found {tuple(values.shape)}")
    least, most = features.rank(values, k)
    features.measure_batch_norm(untrained, train.subset(MEASURING_IMAGES), mean, std, device=device)
    confidence, predicted = features.class_scores(network, values).softmax(dim=1).max(dim=1)
    positions, shares = features.principal_map(values)
    before = features.extract(untrained, test, mean, std, device=device)
    return Study(
        dataset=test.name,
        test_sha256=test.sha256,
        class_names=test.class_names,
        superclass_names=test.coarse_class_names,
        labels=test.labels,
        superclasses=answers.superclasses(test) if test.coarse_class_names else torch.empty(0, dtype=torch.int64),
        predicted=predicted,
        confidence=confidence,
        map=positions,
        map_shares=shares,
        least=least,
        most=most,
        untrained_most=features.rank(before, k)[1],
        zeros=(values == 0).sum(dim=0),
        class_means=purity.class_means(values, test.labels, test.num_classes),
        untrained_class_means=purity.class_means(before, test.labels, test.num_classes),
        class_weights=network.classifier.weight.detach().cpu().clone(),
    )


def summary(study: Study) -> dict[str, float]:
    """The study in numbers; those ending in _low and _high are 95 % intervals over the features.

    Purity (0 to 1) and entropy (bits) of the most relevant images, of the least relevant, before training, by chance;
    features, how many are dead, selective to a class (before training, too), and tied at zero at the least end; of all
    images in the rows of the most relevant ones, the share of different ones (before training, too). A feature that is
    zero for so many images that its most relevant ones are tied, too, ranks nothing and is left out of the means;
    so is one that is zero everywhere before training. The mean of none is NaN.
    """
    alive = study.zeros <= len(study.labels) - study.k
    alive_before = study.untrained_class_means.amax(dim=0) > 0
    classes, numbers = len(study.class_names), dict[str, float]()
    rows = {"": study.most[alive], "untrained_": study.untrained_most[alive_before], "least_": study.least[alive]}
    for measure in (purity.purity, purity.entropy):
        for prefix, indices in rows.items():
            name = prefix + measure.__name__
            values = measure(indices, study.labels, classes)
            numbers[name], numbers[f"{name}_low"], numbers[f"{name}_high"] = purity.mean_interval(values)
    return {
        "features": len(study.most),
        **numbers,
        "chance_purity": purity.chance_purity(study.labels, study.k),
        "chance_entropy": purity.chance_entropy(study.labels, study.k),
        "dead": int((study.zeros == len(study.labels)).sum()),
        "selective": int((purity.selectivity(study.class_means) >= SELECTIVE).sum()),
        "untrained_selective": int((purity.selectivity(study.untrained_class_means) >= SELECTIVE).sum()),
        "tied_at_zero": int((study.zeros > study.k).sum()),
        "different": study.most.unique().numel() / study.most.numel(),
        "untrained_different": study.untrained_most.unique().numel() / study.untrained_most.numel(),
        "zero_share": study.zeros.double().mean().item() / len(study.labels),
    }


def in_words(study: Study) -> str:
    """``summary`` as a few lines for people."""
    each = summary(study)

    def mean(name: str) -> str:
        return f"{each[name]:.2f} ({each[name + '_low']:.2f} to {each[name + '_high']:.2f})"

    return f"""{each["features"]:,} features; {each["dead"]} dead, {each["selective"]} selective to a class, \
{each["tied_at_zero"]} zero for more than {study.k} images
the {study.k} most relevant images of a feature: mean over the features, and its 95 % interval
                   purity               entropy (bits)
  trained          {mean("purity")}  {mean("entropy")}
  before training  {mean("untrained_purity")}  {mean("untrained_entropy")}
  at random        {each["chance_purity"]:.2f}                 {each["chance_entropy"]:.2f}"""
