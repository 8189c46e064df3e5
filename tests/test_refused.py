"""What no function can work with is refused with its name, its value and what is allowed; nothing wrong is computed."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from math import inf, nan
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from small_runs import TEST, TRAIN, tiny

from resnet_book import augment, data, features, models, train
from resnet_book.analysis import answers, cutting, diagnostics, landscape, lesions, paths, purity
from resnet_book.analysis.cuts import Cut
from resnet_book.experiments import catalogue
from resnet_book.recipe import Recipe
from resnet_book.report import figures

NETWORK: Any = tiny()
FEATURES = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
SCORES, LABELS = FEATURES[:, :4], torch.tensor([0, 1, 2, 3, 0, 1])
PIXELS, FLOATS = TEST.images[:6], TEST.images[:6] / 64 - 2
MEAN, STD = torch.tensor([120.0] * 3), torch.tensor([60.0] * 3)
STATISTICS = MEAN.tolist(), STD.tolist()
NOT_A_NUMBER = torch.where(torch.arange(6)[:, None] == 3, nan, SCORES)
ANY: Any = None  # for what a type checker would refuse


def with_nan(images: torch.Tensor) -> torch.Tensor:
    images = images.clone()
    images[3, 0, 5, 5] = nan
    return images


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    # the core
    "a list of indices": (lambda: TEST.chosen([1, 2]), r"indices is of type list: expected a tensor of .* \(M,\)"),  # type: ignore[arg-type]
    "class names that are numbers": (
        lambda: data.ImageSet("mine", "test", PIXELS, LABELS, (1, 2, 3, 4)),  # type: ignore[arg-type]
        r"class_names=\(1, 2, 3, 4\): give a tuple of names",
    ),
    "one mean for three channels": (lambda: augment.normalise(PIXELS, MEAN[:1], STD), r"mean: .* of 3 .* \(1,\)"),
    "statistics from 0 to 1": (lambda: augment.normalise(PIXELS, [0.49, 0.48, 0.45], STD), "mean=.* units of 0 to 1"),
    "a single image": (lambda: augment.channel_mean_std(PIXELS[0]), r"images: expected uint8 .* uint8 \(3, 32, 32\)"),
    "the mean of no images": (lambda: augment.channel_mean_std(PIXELS[:0]), r"one image or more, found .* \(0, "),
    "the mean of floats": (lambda: augment.channel_mean_std(FLOATS), "expected uint8 .* found float32"),
    "a number beyond 63 bits": (lambda: augment.pad(PIXELS, 10**30), r"padding=10+: .* 0 to 9,223,372,036,854,775,807"),
    "no blocks": (lambda: models.Network((4, 8), (1, 0), None), "num_blocks=0: choose a whole number of at least 1"),
    "a width of 0": (lambda: models.Network((4, 0), (1, 1), None), "widths=0: choose a whole number of at least 1"),
    "half a block": (lambda: models.Network((4, 8), (1, 1.5), None), "num_blocks=1.5"),  # type: ignore[arg-type]
    "a stage without blocks": (lambda: models.Network((4, 8), (1,), None), r"num_blocks=\(1,\): give one of each"),
    "no stages": (lambda: models.Network((), (), None), r"widths=\(\), num_blocks=\(\): give one of each"),
    "fewer and fewer channels": (lambda: models.Network((8, 4), (1, 1), "subsample"), "out_channels=4: .*'projection'"),
    "an unknown shortcut": (lambda: models.make_shortcut("x", 4, 8, 2), "kind='x': choose one of subsample"),
    "a depth in words": (lambda: models.narrow("20", True), "depth='20': choose a whole number"),  # type: ignore[arg-type]
    "a negative iteration": (lambda: Recipe().learning_rate_at(-1), "iteration=-1: .* at least 0"),
    "no iteration": (lambda: Recipe().learning_rate_at(nan), "iteration=nan"),  # type: ignore[arg-type]
    "images without labels": (
        lambda: train.evaluate(NETWORK, PIXELS, *STATISTICS),  # type: ignore[arg-type]
        "images is of type Tensor: give an ImageSet",
    ),
    "training images without labels": (
        lambda: train.fit(NETWORK, PIXELS, TEST, Recipe()),  # type: ignore[arg-type]
        "train is of type Tensor: give an ImageSet",
    ),
    "a test without images": (lambda: train.fit(NETWORK, TRAIN, TEST.subset(0), Recipe()), "test: the set .* is empty"),
    "training images that are not square": (
        lambda: train.fit(NETWORK, replace(TRAIN, images=TRAIN.images[..., 2:]), TEST, Recipe()),
        "train: images of 32 x 30 pixels; random crops need square ones",
    ),
    "features of a numpy array": (
        lambda: features.extract(NETWORK, PIXELS.numpy(), *STATISTICS),  # type: ignore[arg-type]
        "images is of type ndarray: .* torch.from_numpy makes one",
    ),
    "scores of a network that diverged": (
        lambda: features.loss_and_error(NOT_A_NUMBER, LABELS),
        r"scores: expected finite ones \(N, classes\), found \(6, 4\), some not finite",
    ),
    "one score": (lambda: features.loss_and_error(SCORES[0], LABELS), r"scores: .* \(N, classes\), found \(4,\)$"),
    "ranks of no image": (lambda: features.rank(FEATURES[:0], 1), r"features: .* N from 1 .* \(0, 8\)"),
    "batch norm of floats": (lambda: features.measure_batch_norm(NETWORK, FLOATS, *STATISTICS), "found float32"),
    "a true padding, of torch": (
        lambda: augment.pad(PIXELS, torch.tensor(True)),  # type: ignore[arg-type]
        r"padding=tensor\(True\): choose a whole",
    ),
    "a true rate, of torch": (lambda: Recipe(learning_rate=torch.tensor(True)), r"learning_rate=tensor\(True\)"),  # type: ignore[arg-type]
    "superclasses without labels": (
        lambda: replace(TEST, coarse_class_names=("x", "y")),
        "coarse_labels: .* Pass the place of each image's class in coarse_class_names",
    ),
    "fewer epochs than phases": (lambda: catalogue.wide(epochs=2), "epochs=2: choose a whole number of at least 3"),
    "epochs without thirds": (lambda: catalogue.wide(epochs=10), "epochs=10: choose a multiple of 3"),
    "a batch of no images": (lambda: catalogue.wide(batch_size=0), "batch_size=0"),
    "all images held out": (lambda: catalogue.wide(validation_images=50_000), "validation_images=50000: .* to 49,872"),
    # what a trained network is like
    "errors of scores that are not finite": (lambda: answers.top_error(NOT_A_NUMBER, LABELS), "some not finite"),
    "no number of classes": (lambda: answers.confusion(LABELS, LABELS, nan), "num_classes=nan"),  # type: ignore[arg-type]
    "counts of no classes": (lambda: purity.class_counts(LABELS[None] % 2, LABELS, 0), "num_classes=0: .* at least 1"),
    "means of no classes": (lambda: purity.class_means(FEATURES, LABELS, "4"), "num_classes='4'"),  # type: ignore[arg-type]
    "infinite means": (
        lambda: purity.selectivity(FEATURES / 0),
        r"means: expected .* none below 0 or infinite, .* inf",
    ),
    "means in a table": (lambda: purity.mean_interval(FEATURES), r"values: .* \(C,\), found \(6, 8\)"),
    "raw pixels": (
        lambda: diagnostics.layer_responses(NETWORK, PIXELS),
        "images: .* augment.normalise, .* found uint8",
    ),
    "images with a NaN": (lambda: diagnostics.layer_responses(NETWORK, with_nan(FLOATS)), "some values are not finite"),
    "too few labels": (
        lambda: diagnostics.weight_gradients(NETWORK, FLOATS, LABELS[:5]),
        r"labels: expected whole numbers \(6,\), found int64 \(5,\)",
    ),
    "a label that torch ignores": (
        lambda: diagnostics.block_gradients(NETWORK, FLOATS, torch.where(LABELS == 3, -100, LABELS)),
        r"labels\[3\]=-100: expected 0 to 9",
    ),
    "fewer neighbours": (
        lambda: diagnostics.neighbour_similarities(NETWORK, FLOATS, FLOATS[:5], LABELS),
        r"neighbours: expected \(6, 3, 32, 32\), .* found \(5, ",
    ),
    "raw neighbours": (
        lambda: diagnostics.neighbour_similarities(NETWORK, FLOATS, PIXELS, LABELS),
        "neighbours: expected floats .* found uint8",
    ),
    "images in a list": (
        lambda: diagnostics.layer_responses(NETWORK, [FLOATS]),  # type: ignore[arg-type]
        "images is of type list: expected a tensor",
    ),
    "layers of a linear one": (lambda: diagnostics.responses_of_weights(torch.nn.Linear(1, 1)), "no 3x3 convolution"),
    "a start of another depth": (
        lambda: diagnostics.weight_similarities(models.MODELS["plain20"](), models.MODELS["plain32"]()),
        "start: expected the 19 3x3 layers of network, .* found 31",
    ),
    "blocks of a layer": (
        lambda: diagnostics.block_gradients(torch.nn.Conv2d(3, 4, 3), FLOATS, LABELS),  # type: ignore[arg-type]
        "network is of type Conv2d: pass a Network",
    ),
    "whole numbers as means": (lambda: purity.selectivity(LABELS[:, None]), "means: expected floats .* found int64"),
    "a mean of NaN": (lambda: purity.mean_interval(NOT_A_NUMBER[:, 0]), "values: some values are not finite"),
    **{
        f"block {number} for a shortcut": (
            lambda number=number: cutting.close_shortcut(NETWORK, number),
            f"block={number}: choose a whole number from 1 to 2",
        )
        for number in tuple[Any, ...]((0, -1, 3, True, 1.5))
    },
    "a branch beyond all numbers": (lambda: cutting.scale_branches(NETWORK, 1e300), r"factor=1e\+300: too large"),
    "raw pixels on a path": (lambda: paths.path_gradient(NETWORK, PIXELS, LABELS, [1]), "images: .* found uint8"),
    "a block in place of a list": (lambda: cutting.leave_out(NETWORK, 2), r"blocks=2: give a list of blocks, as \[2\]"),  # type: ignore[arg-type]
    "a block twice, as a tensor": (lambda: cutting.leave_out(NETWORK, torch.tensor([1, 1])), "each block once"),  # type: ignore[arg-type]
    "a branch scaled twice": (lambda: cutting.scale_branches(NETWORK, 0.5, [1, 1]), r"blocks=\(1, 1\): name each"),
    "a path that returns": (lambda: paths.path_gradient(NETWORK, FLOATS, LABELS, [1, 1]), "name each block once"),
    "a cut of no kind": (lambda: Cut("leave", (1,)), "kind='leave': choose one of nothing, leave out, swap"),
    "two shortcuts to close": (lambda: Cut("close shortcut", (1, 2)), r"blocks=\(1, 2\): 'close shortcut' takes 1"),
    "a scale for some blocks": (lambda: Cut("scale", (1,), 0.5), r"blocks=\(1,\): 'scale' takes 0 blocks"),
    "a swap of one block": (lambda: Cut("swap", (1,)), r"blocks=\(1,\): 'swap' takes 2 blocks"),
    "a cut of a number": (lambda: Cut("leave out", 5), r"blocks=5: give a list of blocks, as \[5\]"),  # type: ignore[arg-type]
    "a block cut twice": (lambda: Cut("leave out", (5, 5)), r"blocks=\(5, 5\): name each block once"),
    "a cut of block 0": (lambda: Cut("leave out", (0,)), "block=0: choose a whole number of at least 1"),
    "a factor of no branch": (lambda: Cut("leave out", (5,), 0.5), "factor=0.5: 'leave out' takes none"),
    "a negative factor": (lambda: Cut("scale", factor=-1), "factor=-1: choose a number of at least 0"),
    "features of other images": (
        lambda: lesions.damage(NETWORK, TEST, *STATISTICS, FEATURES[:1]),
        r"whole_features: expected \(70, 8\), .* found \(1, 8\)",
    ),
    "features that are infinite": (
        lambda: lesions.damage(NETWORK, TEST, *STATISTICS, torch.full((70, 8), inf)),
        "features: some are not finite",
    ),
    "a seed beyond 63 bits": (lambda: lesions.augmented(TRAIN, Recipe(), 10**30), "seed=10+: .* from 0 to"),
    "images that are elsewhere": (
        lambda: diagnostics.layer_responses(deepcopy(NETWORK).to("meta"), FLOATS),
        r"images are on cpu, the network is on meta; use images.to\('meta'\)",
    ),
    "labels that are elsewhere": (
        lambda: diagnostics.weight_gradients(NETWORK, FLOATS, LABELS.to("meta")),
        r"labels are on meta, the network is on cpu; use labels.to\('cpu'\)",
    ),
    "a direction that is elsewhere": (
        lambda: landscape.moved(NETWORK, [[each.to("meta") for each in NETWORK.parameters()]], [1]),
        "direction: expected a tensor for each parameter, of its shape and device",
    ),
    "weights beyond all numbers": (
        lambda: landscape.losses(
            NETWORK, [landscape.random_direction(NETWORK, 0)], [1e30], landscape.Batch(FLOATS, LABELS)
        ),
        "scores: some are not finite: .* moved too far away; take smaller steps",
    ),
    "directions of other networks": (
        lambda: landscape.dot([MEAN], [MEAN[:1]]),
        "other: expected 1 tensors of the same shapes",
    ),
    # figures
    "no columns": (lambda: figures.show_grid(PIXELS, ANY, columns=0), "columns=0: .* at least 1"),
    "a gap below 0": (lambda: figures.show_grid(PIXELS, ANY, 2, gap=-1), "gap=-1: .* at least 0"),
    "a grid of floats": (lambda: figures.show_grid(FLOATS, ANY, 2), "images: expected uint8 .* found float32"),
    "a grid of nothing": (lambda: figures.show_grid(PIXELS[:0], ANY, 2), "one image or more"),
    "images that are not there": (
        lambda: figures.show_ranked(PIXELS, torch.tensor([[9]]), torch.tensor([[1]]), ANY, [("", "")]),
        r"left\[0, 0\]=9: expected 0 to 5",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_by_name(name: str) -> None:
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_numbers_of_numpy_and_tensors_of_one_element_are_taken() -> None:
    network = models.Network((np.int64(4), 8), (torch.tensor(1), 1), "subsample")  # type: ignore[arg-type]
    assert Recipe().learning_rate_at(np.int64(0)) == 0.1  # type: ignore[arg-type]
    assert cutting.count_blocks(cutting.leave_out(network, torch.tensor([1]))) == 2  # type: ignore[arg-type]
    figures.show_grid(PIXELS, plt.figure().subplots(), np.int64(3))  # type: ignore[arg-type]
