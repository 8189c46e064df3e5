"""Errors and confusions, from examples small enough to be counted by hand, and the real superclasses of CIFAR-100."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from resnet_book import data
from resnet_book.analysis import answers

SCORES = torch.tensor(  # the best class first: 2 0 1 3, 0 1 2 3, 3 2 1 0, 1 3 0 2
    [[0.3, 0.2, 0.4, 0.1], [4.0, 3.0, 2.0, 1.0], [-4.0, -3.0, -2.0, -1.0], [0.0, 9.0, -1.0, 5.0]]
)
LABELS = torch.tensor([0, 0, 0, 2])  # second best, best, worst, worst


def with_superclasses(labels: list[int], coarse_labels: list[int]) -> data.ImageSet:
    """Black images of four classes, a and b of one superclass, c and d of another."""
    images = torch.zeros(len(labels), 3, 32, 32, dtype=torch.uint8)
    names = ("a", "b", "c", "d"), torch.tensor(coarse_labels), ("first", "second")
    return data.ImageSet("four", "test", images, torch.tensor(labels), *names)


FOUR = with_superclasses([0, 1, 2, 3, 3], [1, 1, 0, 0, 0])


@pytest.mark.parametrize(("k", "expected"), [(1, 75.0), (2, 50.0), (3, 50.0), (4, 0.0)])
def test_the_top_error_counts_the_images_whose_class_is_not_among_the_k_best(k: int, expected: float) -> None:
    assert answers.top_error(SCORES, LABELS, k) == expected


def test_the_top_error_is_of_the_best_alone_unless_told_otherwise() -> None:
    assert answers.top_error(SCORES, LABELS) == 75.0


@pytest.mark.parametrize("k", [0, -1, 5, 1.5])
def test_more_or_fewer_best_classes_than_there_are_is_an_error(k: Any) -> None:
    with pytest.raises(ValueError, match=f"k={k}: choose a whole number from 1 to 4, the number of classes"):
        answers.top_error(SCORES, LABELS, k)


def test_superclasses_map_each_class_to_its_own() -> None:
    assert answers.superclasses(FOUR).tolist() == [1, 1, 0, 0]


def test_the_superclass_error_forgives_a_wrong_class_of_the_right_superclass() -> None:
    predicted = torch.tensor([1, 1, 0, 2, 1])  # forgiven, right, wrong, forgiven, wrong
    assert answers.superclass_error(predicted, FOUR) == pytest.approx(40.0)


def test_images_without_superclasses_are_refused() -> None:
    with pytest.raises(ValueError, match="builtin has no superclasses; cifar100 has"):
        answers.superclasses(data.load("builtin", "test"))


@pytest.mark.parametrize(
    ("labels", "coarse_labels"), [([0, 1, 3], [1, 1, 0]), ([0, 1, 2, 3, 3], [1, 1, 0, 0, 1])], ids=["missing", "two"]
)
def test_a_class_without_images_or_with_two_superclasses_is_refused(
    labels: list[int], coarse_labels: list[int]
) -> None:
    with pytest.raises(ValueError, match="in no image, or in more than one superclass"):
        answers.superclass_error(torch.zeros(len(labels), dtype=torch.int64), with_superclasses(labels, coarse_labels))


def test_a_confusion_has_a_row_a_true_class_and_a_column_an_answer() -> None:
    labels, predicted = torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 2, 1, 1, 1])
    found = answers.confusion(predicted, labels, 3)
    assert found.tolist() == [[2, 0, 1], [0, 1, 0], [0, 2, 0]]
    assert found.dtype == torch.int64


def test_a_confusion_of_no_images_is_all_zeros() -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    assert answers.confusion(nothing, nothing, 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("predicted", "labels", "named"),
    [([0, 3], [0, 1], "predicted"), ([0, 1], [0, 3], "labels"), ([-1], [0], "predicted")],
)
def test_a_class_that_does_not_exist_is_refused(predicted: list[int], labels: list[int], named: str) -> None:
    with pytest.raises(ValueError, match=rf"{named}\[\d\]=-?\d: expected 0 to 2"):
        answers.confusion(torch.tensor(predicted), torch.tensor(labels), 3)


# The real data


def coarse_of(images: data.ImageSet, name: str) -> str:
    coarse = answers.superclasses(images)[images.class_names.index(name)]
    return images.coarse_class_names[coarse]


def test_cifar100_has_20_superclasses_of_5_classes_the_same_in_both_splits(cifar_root: Path) -> None:
    train, test = (data.load("cifar100", split, cifar_root) for split in ("train", "test"))
    of_class: Tensor = answers.superclasses(train)
    assert of_class.bincount().tolist() == [5] * 20
    assert torch.equal(of_class, answers.superclasses(test))


def test_cifar100_classes_are_in_the_superclasses_of_the_official_list(cifar_root: Path) -> None:
    test = data.load("cifar100", "test", cifar_root)
    members = {"dolphin": "aquatic_mammals", "cloud": "large_natural_outdoor_scenes", "wardrobe": "household_furniture"}
    assert {name: coarse_of(test, name) for name in members} == members


def test_cifar100s_own_labels_as_answers_have_no_superclass_error_and_shuffled_ones_95_percent(
    cifar_root: Path,
) -> None:
    test = data.load("cifar100", "test", cifar_root)
    assert answers.superclass_error(test.labels, test) == 0
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    assert answers.superclass_error(test.labels[order], test) == pytest.approx(95, abs=1)  # 19 of 20
    with_one_gone = replace(test, labels=test.labels.clamp(max=98))
    with pytest.raises(ValueError, match="some class is in no image"):
        answers.superclasses(with_one_gone)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_labels_than_of_answers_is_refused(count: int) -> None:
    labels = torch.zeros(count, dtype=torch.int64)
    with pytest.raises(ValueError, match="labels: expected"):
        answers.top_error(torch.zeros(2, 10), labels)
    with pytest.raises(ValueError, match="labels: expected"):
        answers.confusion(torch.zeros(2, dtype=torch.int64), labels, 10)


def test_labels_of_one_byte_are_counted_as_whole_numbers() -> None:
    labels = torch.tensor([19], dtype=torch.uint8)
    assert answers.confusion(torch.tensor([15], dtype=torch.uint8), labels, 20)[19, 15] == 1


@pytest.mark.parametrize(
    ("predicted", "found"),
    [([0], ": expected whole numbers (4,), found int64 (1,)"), ([0, 1, 2, 4], "[3]=4: expected 0 to 3")],
)
def test_answers_that_are_no_classes_of_the_images_have_no_superclass_error(predicted: list[int], found: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"predicted{found}")):
        answers.superclass_error(torch.tensor(predicted), with_superclasses([0, 1, 2, 3], [0, 0, 1, 1]))
