"""Tables: what is recorded is averaged over seeds, and what is not recorded is said to be missing."""

import math
from dataclasses import replace

import pytest

from resnet_book.experiments import catalogue
from resnet_book.experiments.records import SCHEMA_VERSION, Record
from resnet_book.history import Epoch
from resnet_book.report import tables


def record(experiment: str, seed: int, *test_errors: float) -> Record:
    setting = catalogue.get(experiment)
    epochs = [Epoch(10 * (i + 1), 0.1, 1.0, error / 2, 1.0, error) for i, error in enumerate(test_errors)]
    return Record(
        schema_version=SCHEMA_VERSION,
        experiment=experiment,
        seed=seed,
        dataset={"name": setting.dataset},
        model={"name": setting.model, "num_classes": 10, "shortcut": None, "parameters": 269_722},
        recipe_name=setting.recipe_name,
        recipe={"iterations": setting.recipe.iterations},
        environment={"device": "a machine", "precision": "float32", "compiled": False},
        started="2026-01-01T00:00:00+00:00",
        seconds=120.0,
        train_seconds=100.0,
        images_per_second=1_000.0,
        peak_memory=0,
        mean=[0.0] * 3,
        std=[1.0] * 3,
        epochs=epochs,
    )


TWO_SEEDS = [record("resnet20-cifar10-short", 0, 50.0, 20.0), record("resnet20-cifar10-short", 1, 50.0, 22.0)]


def test_summary_averages_the_last_epoch_over_seeds() -> None:
    row = tables.summary(TWO_SEEDS).iloc[0]
    assert (row.runs, row.test_error, row.minutes) == (2, 21.0, 2.0)
    assert row.test_std == pytest.approx(math.sqrt(2))  # the sample standard deviation of 20 and 22


def test_a_single_run_has_no_spread() -> None:
    assert math.isnan(tables.summary(TWO_SEEDS[:1]).iloc[0].test_std)
    assert tables.depth_table(TWO_SEEDS[:1]).loc["resnet20", "ours, short"] == "20.00 (1 run)"


def test_a_difference_comes_with_its_standard_error() -> None:
    plain = [record("plain20-cifar10-short", seed, error) for seed, error in enumerate((30.0, 33.0, 36.0))]
    found = tables.difference(tables.summary([*TWO_SEEDS, *plain]), ("plain", 20), ("residual", 20))
    assert found == pytest.approx((12.0, math.sqrt(2 / 2 + 9 / 3)))
    assert tables.points(*found) == "+12.00 ± 2.00 points"


def test_a_difference_to_a_single_run_has_no_standard_error() -> None:
    summaries = tables.summary([*TWO_SEEDS, record("plain20-cifar10-short", 0, 20.0)])
    difference, standard_error = tables.difference(summaries, ("plain", 20), ("residual", 20))
    assert difference == -1
    assert math.isnan(standard_error)
    assert tables.points(difference, standard_error) == "-1.00 points (no spread known)"


def test_the_depth_table_shows_mean_spread_and_runs() -> None:
    assert tables.depth_table(TWO_SEEDS).loc["resnet20", "ours, short"] == "21.00 ± 1.41 (2 runs)"


def test_the_depth_table_says_what_is_not_recorded_and_not_published() -> None:
    table = tables.depth_table([])
    assert (table.filter(like="ours") == tables.NOT_RECORDED).all(axis=None)
    assert table.loc["plain110", tables.PAPER] == tables.NOT_PUBLISHED


def test_records_of_another_dataset_or_recipe_do_not_enter_a_cell() -> None:
    others = [record("resnet20-builtin-smoke", 0, 1.0), record("resnet20-cifar10-edge", 0, 1.0)]
    assert (tables.depth_table(others).filter(like="ours") == tables.NOT_RECORDED).all(axis=None)


@pytest.mark.parametrize(
    ("network", "source", "cell"),
    [
        ("resnet20", tables.PAPER, "8.75"),
        ("resnet110", tables.PAPER, "6.61 ± 0.16 (5 runs)"),
        ("plain20", tables.PAPER, "about 9.5"),
        ("plain56", tables.TECHXZEN, "15.39"),
        ("plain56", tables.NABLA, "12.95 ± 0.22 (5 runs)"),
    ],
)
def test_published_numbers_stand_as_published(network: str, source: str, cell: str) -> None:
    assert tables.depth_table([]).loc[network, source] == cell


def test_curves_have_a_row_an_epoch_with_kind_and_depth() -> None:
    frame = tables.curves(TWO_SEEDS)
    assert len(frame) == 4
    assert (frame.kind.unique().tolist(), frame.depth.unique().tolist()) == (["residual"], [20])
    assert frame.loc[frame.seed == 1, "test_error"].tolist() == [50.0, 22.0]


def test_provenance_names_recipe_iterations_runs_and_device() -> None:
    assert tables.provenance(TWO_SEEDS) == "`short`: 2,000 iterations; 2 runs on a machine, float32."
    assert tables.provenance([]) == "Nothing is recorded yet."


def test_the_depth_table_shows_no_other_recipe_dataset_or_shortcut() -> None:
    others = [
        replace(TWO_SEEDS[0], recipe_name="no-drops"),
        replace(TWO_SEEDS[0], dataset={**TWO_SEEDS[0].dataset, "name": "cifar100"}),
        replace(TWO_SEEDS[0], model={**TWO_SEEDS[0].model, "shortcut": "projection"}),
        replace(TWO_SEEDS[0], model={**TWO_SEEDS[0].model, "name": "resnet10"}),
    ]
    assert tables.of_depth_table([*TWO_SEEDS, *others]) == list(TWO_SEEDS)


def test_provenance_names_every_device() -> None:
    other = replace(TWO_SEEDS[1], environment={"device": "another", "precision": "bfloat16", "compiled": True})
    expected = "2 runs on a machine, float32 and another, bfloat16 (1 of them compiled)."
    assert expected in tables.provenance([TWO_SEEDS[0], other])


def test_a_model_name_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="vgg16"):
        tables.kind_and_depth("vgg16")


def test_markdown_has_a_line_a_row_and_the_index_first() -> None:
    lines = tables.to_markdown(tables.depth_table([])).splitlines()
    assert lines[0].startswith("| network | ours, paper |")
    assert len(lines) == 2 + len(tables.DEPTH_TABLE_MODELS)
