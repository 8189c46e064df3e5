"""The wide networks' tables: published numbers stand as published, missing ones are missing, spreads are spreads."""

import math
from functools import partial

import pandas as pd
import pytest
import torch
from invented import part, table_record

from resnet_book.experiments.records import Record
from resnet_book.report import published, tables, wide_tables

record = partial(table_record, validated=True)


def run(errors: list[float], rates: list[float] | None = None, seed: int = 0) -> pd.DataFrame:
    """The validation errors of one plain run, an epoch each, as ``tables.curves`` gives them."""
    frame = pd.DataFrame({"iteration": range(1, len(errors) + 1), "validation_error": errors})
    return frame.assign(learning_rate=rates or 0.1, kind="plain", depth=10, seed=seed)


# --- Published ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "kind", "depth", "error"),
    [
        ("cifar10", "plain", 10, 5.8),
        ("cifar10", "residual", 50, 5.0),
        ("cifar100", "plain", 34, 28.6),
        ("cifar100", "residual", 18, 20.8),
    ],
)
def test_published_errors_are_what_accuracy_leaves(dataset: str, kind: str, depth: int, error: float) -> None:
    published = wide_tables.published_errors().set_index(["dataset", "kind", "depth"])
    assert published.loc[(dataset, kind, depth), "test_error"] == error


def test_the_published_gap_on_cifar100_is_eight_points_at_34_layers() -> None:
    gaps = wide_tables.gaps(wide_tables.published_errors()).set_index(["dataset", "depth"])
    assert gaps.loc[("cifar100", 34), "gap"] == pytest.approx(8.0)
    assert ("cifar100", 50) not in gaps.index  # not reported


def test_the_standard_error_of_a_gap_is_the_binomial_one_of_a_difference() -> None:
    errors = pd.DataFrame({"dataset": "cifar10", "kind": ["plain", "residual"], "depth": 10, "test_error": [20.0, 10]})
    assert wide_tables.gaps(errors).standard_error[0] == pytest.approx(
        100 * math.sqrt((0.2 * 0.8 + 0.1 * 0.9) / 10_000)
    )


def test_a_network_without_its_twin_has_no_gap() -> None:
    errors = pd.DataFrame({"dataset": "cifar10", "kind": ["plain"], "depth": 10, "test_error": [20.0]})
    assert wide_tables.gaps(errors).empty
    assert wide_tables.gaps(tables.summary([])).empty


# --- Ours beside it -----------------------------------------------------------------------------------------------


def cell(records: list[Record], network: str, dataset: str, column: str) -> str:
    table = wide_tables.wide_table(records)
    return table[table.dataset == dataset].loc[network, column]


def test_the_wide_table_has_rows_and_columns_for_what_is_recorded() -> None:
    assert wide_tables.wide_table([]).empty
    found = wide_tables.wide_table([record("resnet10-cifar10-short", 0, 9.0), record("resnet50-cifar100", 0, 9.0)])
    assert found.index.tolist() == ["resnet10", "resnet50"]
    assert found.columns.tolist() == ["dataset", "ours, wide", "ours, short", published.WIDE]
    assert found["ours, wide"].tolist() == [tables.NOTHING, "9.00 (1 run)"]
    assert "ours, wide" not in wide_tables.wide_table([record("resnet10-cifar10-short", 0, 9.0)])


def test_what_the_source_did_not_report_is_a_dash() -> None:
    runs = [record(f"resnet50-{dataset}", 0, 6.0) for dataset in ("cifar10", "cifar100")]
    assert cell(runs, "resnet50", "cifar100", published.WIDE) == tables.NOTHING
    assert cell(runs, "resnet50", "cifar10", published.WIDE) == "5.0"


def test_a_network_of_a_quarter_of_the_width_has_no_published_error_beside_it() -> None:
    runs = [record(f"{name}-cifar10-short", 0, 30.0) for name in ("resnet34-quarter", "resnet34")]
    assert wide_tables.wide_table(runs).index.tolist() == ["resnet34", "resnet34-quarter"]
    assert cell(runs, "resnet34-quarter", "cifar10", published.WIDE) == tables.NOTHING
    assert cell(runs, "resnet34", "cifar10", published.WIDE) == "4.5"


def test_recorded_runs_stand_with_their_spread_in_the_column_of_their_recipe() -> None:
    runs = [record("resnet10-cifar100-short", 0, 60.0), record("resnet10-cifar100-short", 1, 62.0)]
    assert cell(runs, "resnet10", "cifar100", "ours, short") == "61.00 ± 1.41 (2 runs)"
    assert wide_tables.wide_table(runs).dataset.tolist() == ["cifar100"]


@pytest.mark.parametrize("name", ["resnet18-cifar10-projection", "resnet18-cifar10-validation"])
def test_projections_and_validation_runs_do_not_enter_the_column_of_the_recipe(name: str) -> None:
    assert wide_tables.wide_table([record(name, 0, 5.0)]).empty


# --- Stability ------------------------------------------------------------------------------------------------------


def test_phases_are_told_apart_by_the_learning_rate() -> None:
    rates = [0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01]
    found = wide_tables.phase_variability(run([50, 42, 38, 34, 20, 13, 12, 11], rates), last=3)
    assert found.learning_rate.tolist() == [0.1, 0.01]
    assert found["mean"].tolist() == [38.0, 12.0]
    assert found.fall.tolist() == [4.0, 1.0]
    assert found.epochs.tolist() == [3, 3]


def test_two_phases_of_the_same_learning_rate_stay_two() -> None:
    found = wide_tables.phase_variability(run([9, 9, 9, 9, 9, 9], [0.1, 0.1, 0.01, 0.01, 0.1, 0.1]), last=3)
    assert found.phase.tolist() == [1, 2, 3]


def test_independent_epochs_scatter_as_much_as_their_standard_deviation() -> None:
    noise = torch.randn(4_000, generator=torch.Generator().manual_seed(0)).double()
    found = wide_tables.phase_variability(run((40 + noise).tolist()), last=4_000).iloc[0]
    assert found["std"] == pytest.approx(1, rel=0.05)
    assert found.scatter == pytest.approx(1, rel=0.05)
    assert found.fall == pytest.approx(0, abs=1e-3)


def test_a_steady_fall_has_a_large_deviation_and_no_scatter() -> None:
    found = wide_tables.phase_variability(run([40.0 - i for i in range(20)]), last=20).iloc[0]
    assert found.scatter == pytest.approx(0, abs=1e-9)
    assert found.fall == pytest.approx(1)
    assert found["std"] > 5


def test_scatter_of_three_epochs_is_that_of_one_degree_of_freedom() -> None:
    found = wide_tables.phase_variability(run([10.0, 7.0, 10.0]), last=3).iloc[0]
    assert found.scatter == pytest.approx(math.sqrt(1 + 4 + 1))  # around the line of 9
    assert found.fall == pytest.approx(0)


def test_each_run_keeps_its_own_row_whatever_the_order_of_epochs() -> None:
    mixed = pd.concat([run([30, 20, 10]), run([5, 5, 5], seed=1)]).sample(frac=1, random_state=0)
    found = wide_tables.phase_variability(mixed, last=3).set_index("seed")
    assert found.fall.to_dict() == {0: 10, 1: 0}


def test_a_short_phase_counts_all_its_epochs() -> None:
    assert wide_tables.phase_variability(run([10, 20, 30]), last=20).epochs.tolist() == [3]


@pytest.mark.parametrize(("errors", "known"), [([9], {"mean"}), ([9, 8], {"mean", "std", "fall"})])
def test_what_too_few_epochs_leave_open_is_not_a_number(errors: list[float], known: set[str]) -> None:
    found = wide_tables.phase_variability(run(errors), last=3).iloc[0]
    assert {name for name in ("mean", "std", "fall", "scatter") if not math.isnan(found[name])} == known


def test_two_epochs_have_no_scatter() -> None:
    with pytest.raises(ValueError, match="last=2"):
        wide_tables.phase_variability(run([1, 2, 3]), last=2)


def test_curves_of_records_hold_the_validation_error() -> None:
    curves = tables.curves([record("resnet10-cifar10-short", 0, 50.0, 40.0)])
    assert curves.validation_error.tolist() == [51, 41]
    assert wide_tables.phase_variability(curves, last=3).kind.tolist() == ["residual"]
    assert wide_tables.phase_variability(tables.curves([]), last=3).empty


def test_scatters_of_few_epochs_lie_far_apart_by_chance() -> None:
    few, many = wide_tables.ratio_by_chance(3), wide_tables.ratio_by_chance(20)
    assert few[0] == pytest.approx(1 + math.sqrt(2), rel=0.02)  # of two normal numbers, exactly
    assert many[1] == pytest.approx(
        1.61, rel=0.02
    )  # square root of the F distribution's 97.5 % point, 18 and 18 degrees
    with pytest.raises(ValueError, match="epochs=2"):
        wide_tables.ratio_by_chance(2)


def test_curves_of_runs_that_hold_nothing_out_have_no_validation_error() -> None:
    assert math.isnan(tables.curves([table_record("resnet10-cifar10", 0, 50.0)]).validation_error[0])


# --- Two labels, cost, confusions -----------------------------------------------------------------------------------


def test_guessing_on_cifar100_is_wrong_99_95_and_95_times_in_a_hundred() -> None:
    assert wide_tables.chance_errors() == pytest.approx({"top-1": 99, "top-5": 95, "superclass": 95})


def test_top5_and_superclass_errors_stand_beside_top1() -> None:
    runs = [record("resnet10-cifar100", 0, 25.0, top5_error=7.0, superclass_error=15.5)]
    table = wide_tables.two_label_table(runs, ["resnet10-cifar100", "plain10-cifar100"])
    errors, forgiven = ["25.00 (1 run)", "7.00 (1 run)", "15.50 (1 run)"], ["72 (1 run)", "38 (1 run)"]
    assert table.loc["resnet10-cifar100"].tolist() == errors + forgiven
    assert (table.loc["plain10-cifar100"] == tables.NOT_RECORDED).all()
    assert table.loc["guessing"].tolist() == ["99.00", "95.00", "95.00", "4", "4"]


def test_a_run_without_top5_error_is_not_counted_as_zero() -> None:
    table = wide_tables.two_label_table([record("resnet10-cifar100", 0, 25.0)], ["resnet10-cifar100"])
    assert table.loc["resnet10-cifar100", "top-5"] == tables.NOT_RECORDED


def test_speed_is_given_for_each_device() -> None:
    first, second = (record("resnet10-cifar10", seed, 5.0) for seed in (0, 1))
    there = [part(0, 100, 120.0, device="another")]
    elsewhere = second.model_copy(update={"seed": 2, "parts": there})
    table = wide_tables.cost_table([first, second, elsewhere], ["resnet10-cifar10", "plain10-cifar10"])
    assert table.device.tolist() == ["a machine, 1 thread", "another, 1 thread", tables.NOT_RECORDED]
    assert table["images a second"].tolist()[:2] == ["1,100 ± 141 (2 runs)", "1,200 (1 run)"]


def test_confusions_come_most_frequent_first_and_leave_right_answers_out() -> None:
    matrix = torch.tensor([[90, 2, 8], [0, 5, 5], [1, 0, 9]])
    found = wide_tables.frequent_confusions(matrix, ["a", "b", "c"], ["x", "y", "x"], k=3)
    assert found["class"].tolist() == ["a", "b", "a"]
    assert found["taken for"].tolist() == ["c", "c", "b"]
    assert found.images.tolist() == [8, 5, 2]
    assert found.reversed.tolist() == [1, 0, 0]
    assert found["share (%)"].tolist() == [8, 50, 2]
    assert found["same superclass"].tolist() == [True, False, False]


def test_no_more_confusions_are_listed_than_there_are() -> None:
    found = wide_tables.frequent_confusions(torch.tensor([[3, 1], [0, 4]]), ["a", "b"])
    assert found.images.tolist() == [1]
    assert "same superclass" not in found


def test_a_number_of_answers_or_mistakes_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="k=101: choose a whole number from 1 to 100, the number of classes"):
        wide_tables.chance_errors(k=101)
    with pytest.raises(ValueError, match="k=-1: choose a whole number of at least 0"):
        wide_tables.frequent_confusions(torch.eye(2, dtype=torch.int64), ["a", "b"], k=-1)
