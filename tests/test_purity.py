"""Purity, entropy, selectivity: counted by hand in small cases, and what chance gives agrees with random draws."""

import math
import re
from typing import Any

import pytest
import torch

from resnet_book.analysis import purity


def test_classes_are_counted_row_by_row():
    counts = purity.class_counts(torch.tensor([[0, 1, 2], [3, 3, 0]]), torch.tensor([0, 0, 2, 1]), 4)
    assert counts.tolist() == [[2, 0, 1, 0], [1, 2, 0, 0]]


def test_purity_is_the_share_of_the_most_frequent_class():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2, 3])
    found = purity.purity(torch.tensor([[0, 1, 2, 3], [0, 4, 5, 6], [0, 4, 6, 7]]), labels, 4)
    assert found.tolist() == [1.0, 0.5, 0.25]


def test_a_class_leads_a_row_only_where_no_other_is_as_frequent():
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    rows = torch.tensor([[0, 1, 2], [2, 3, 0], [0, 2, 5], [0, 1, 2]])
    assert purity.leading_class(rows, labels, 4).tolist() == [0, 1, -1, 0]


def test_images_that_two_rows_share_are_counted_over_all_pairs_of_rows():
    rows = torch.tensor([[0, 1, 2], [2, 0, 5], [7, 6, 2]])
    assert purity.shared_images(rows) == pytest.approx((2 + 1 + 1) / 3)
    assert purity.shared_images(rows[:1].repeat(4, 1)) == 3
    assert math.isnan(purity.shared_images(rows[:1]))


def test_rows_drawn_at_random_share_as_many_images_as_is_said():
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([torch.randperm(200, generator=generator)[:10] for _ in range(1_000)])
    assert purity.shared_images(draws) == pytest.approx(10 * 10 / 200, abs=0.01)


def test_a_label_beyond_the_classes_is_refused():
    with pytest.raises(ValueError, match="labels\\[2\\]=2: expected 0 to 1"):
        purity.purity(torch.tensor([[0]]), torch.tensor([0, 1, 2]), 2)


def test_chance_is_exact_for_two_images_of_two_pairs():
    distribution = purity.chance_distribution(torch.tensor([0, 0, 1, 1]), 2)
    torch.testing.assert_close(distribution, torch.tensor([0, 2 / 3, 1 / 3], dtype=torch.float64))


def test_chance_agrees_with_random_draws():
    labels = torch.arange(200) % 10
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([torch.randperm(200, generator=generator)[:10] for _ in range(4_000)])
    simulated = purity.purity(draws, labels, 10)
    standard_error = simulated.std() / len(draws) ** 0.5
    assert abs(simulated.mean() - purity.chance_purity(labels, 10)) < 4 * standard_error


def test_chance_is_certain_with_a_single_class():
    assert purity.chance_purity(torch.zeros(50, dtype=torch.int64), 10) == 1


def test_chance_probabilities_sum_to_one_at_the_size_of_cifar10():
    distribution = purity.chance_distribution(torch.arange(10_000) % 10, 10)
    torch.testing.assert_close(distribution.sum().item(), 1.0)


def test_chance_needs_enough_images():
    with pytest.raises(ValueError, match="k=5: choose a whole number from 1 to 4"):
        purity.chance_purity(torch.zeros(4, dtype=torch.int64), 5)


def test_the_mean_of_no_values_is_open():
    assert all(map(math.isnan, purity.mean_interval(torch.empty(0))))


def test_entropy_is_zero_for_one_class_and_a_bit_for_two_equal_ones():
    labels = torch.tensor([0, 0, 1, 1, 2, 3])
    rows = torch.tensor([[0, 1, 0, 1], [0, 1, 2, 3], [0, 2, 4, 5], [0, 1, 2, 4]])
    torch.testing.assert_close(purity.entropy(rows, labels, 4), torch.tensor([0.0, 1.0, 2.0, 1.5], dtype=torch.float64))


def test_entropy_of_a_pure_row_has_no_minus() -> None:
    assert not purity.entropy(ROWS[:1] * 0, ROW_LABELS * 0, 1).signbit().any()
    assert not purity.entropy(ROWS[:1] * 0, ROW_LABELS * 0, 2).signbit().any()


def test_entropy_by_chance_agrees_with_random_draws():
    labels = torch.arange(200) % 10
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([torch.randperm(200, generator=generator)[:10] for _ in range(4_000)])
    simulated = purity.entropy(draws, labels, 10)
    standard_error = simulated.std() / len(draws) ** 0.5
    assert abs(simulated.mean() - purity.chance_entropy(labels, 10)) < 4 * standard_error


def test_entropy_by_chance_is_exact_for_two_images_of_two_pairs():
    assert purity.chance_entropy(torch.tensor([0, 0, 1, 1]), 2) == pytest.approx(2 / 3)


@pytest.mark.parametrize("k", [0, 5])
def test_entropy_by_chance_needs_enough_images(k):
    with pytest.raises(ValueError, match=f"k={k}: choose a whole number from 1 to 4, the number of images"):
        purity.chance_entropy(torch.zeros(4, dtype=torch.int64), k)


def test_class_means_are_means_over_each_classs_images():
    values = torch.tensor([[1.0, 0.0], [3.0, 0.0], [5.0, 8.0]])
    means = purity.class_means(values, torch.tensor([0, 0, 2]), 3)
    assert means.tolist() == [[2.0, 0.0], [0.0, 0.0], [5.0, 8.0]]


def test_selectivity_is_one_for_one_class_zero_for_all_alike_and_half_at_threefold():
    means = torch.tensor([[1.0, 2.0, 3.0, 0.0], [0.0, 2.0, 1.0, 0.0], [0.0, 2.0, 1.0, 0.0]])
    assert purity.selectivity(means).tolist() == [1.0, 0.0, 0.5, 0.0]


def test_the_interval_of_the_mean_holds_it_and_narrows_with_more_values():
    generator = torch.Generator().manual_seed(3)
    few, many = torch.randn(20, generator=generator), torch.randn(2_000, generator=generator)
    (mean, low, high), (_, many_low, many_high) = map(purity.mean_interval, (few, many))
    assert low < mean < high
    assert mean == pytest.approx(few.mean().item())
    assert many_high - many_low < (high - low) / 5
    assert many_high - many_low == pytest.approx(2 * 1.96 * many.std().item() / 2_000**0.5, rel=0.1)


def test_the_interval_is_the_same_every_time_and_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    values = torch.arange(9.0)
    assert purity.mean_interval(values) == purity.mean_interval(values)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_interval_of_equal_values_is_a_point():
    assert purity.mean_interval(torch.full((4,), 0.5)) == (0.5, 0.5, 0.5)


ROWS, ROW_LABELS, VALUES = torch.tensor([[0, 1], [2, 1]]), torch.tensor([0, 1, 1]), torch.ones(3, 2)


@pytest.mark.parametrize(
    ("measure", "arguments", "message"),
    [
        (purity.purity, (torch.tensor([[0, 3]]), ROW_LABELS, 2), "indices[0, 1]=3: expected 0 to 2"),
        (purity.purity, (torch.tensor([[0, -1]]), ROW_LABELS, 2), "indices[0, 1]=-1: expected 0 to 2"),
        (
            purity.purity,
            (torch.tensor([0, 1]), ROW_LABELS, 2),
            "indices: expected whole numbers (C, k), found int64 (2,)",
        ),
        (purity.entropy, (ROWS[:, :0], ROW_LABELS, 2), "indices: expected one image or more in each row, found none"),
        (purity.entropy, (ROWS, ROW_LABELS.float(), 2), "labels: expected whole numbers (N,), found float32 (3,)"),
        (purity.entropy, (ROWS, ROW_LABELS[:, None], 2), "labels: expected whole numbers (N,), found int64 (3, 1)"),
        (purity.chance_purity, (ROW_LABELS - 1, 2), "labels[0]=-1: expected 0 or above"),
        (purity.chance_entropy, (ROW_LABELS.double(), 2), "labels: expected whole numbers (N,), found float64 (3,)"),
        (purity.chance_entropy, (ROW_LABELS, 1.5), "k=1.5: choose a whole number from 1 to 3, the number of images"),
        (purity.class_means, (VALUES, ROW_LABELS, 1), "labels[1]=1: expected 0 to 0"),
        (purity.class_means, (VALUES, ROW_LABELS[:2], 2), "labels: expected whole numbers (3,), found int64 (2,)"),
        (purity.class_means, (VALUES.long(), ROW_LABELS, 2), "features: expected floats (N, C)"),
        (purity.class_means, (VALUES / 0, ROW_LABELS, 2), "features: some are not finite"),
        (purity.selectivity, (VALUES[:1],), "means: expected (classes, C), two classes or more, none below 0"),
        (purity.selectivity, (-VALUES,), "means: expected (classes, C), two classes or more, none below 0"),
    ],
)
def test_what_no_measure_can_be_taken_of_is_named(measure: Any, arguments: tuple[Any, ...], message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        measure(*arguments)
