"""Tables: what is recorded is averaged over seeds, and what is not recorded is left out or a dash."""

import math

import pytest
from invented import part
from invented import table_record as record

from resnet_book.experiments import catalogue
from resnet_book.experiments.records import Record
from resnet_book.report import published, tables

TWO_SEEDS = [record("resnet20-cifar10-short", 0, 50.0, 20.0), record("resnet20-cifar10-short", 1, 50.0, 22.0)]


def test_summary_averages_the_last_epoch_over_seeds() -> None:
    row = tables.summary(TWO_SEEDS).iloc[0]
    assert (row.runs, row.test_error, row.minutes) == (2, 21.0, 2.0)
    assert row.test_std == pytest.approx(math.sqrt(2))  # the sample standard deviation of 20 and 22


def test_a_single_run_has_no_spread() -> None:
    assert math.isnan(tables.summary(TWO_SEEDS[:1]).iloc[0].test_std)
    assert tables.budget_table(TWO_SEEDS[:1]).loc["resnet20", "ours, short"] == "20.00"


def test_a_difference_comes_with_its_standard_error() -> None:
    plain = [record("plain20-cifar10-short", seed, error) for seed, error in enumerate((30.0, 33.0, 36.0))]
    residual, plain_row = (row for _, row in tables.summary([*TWO_SEEDS, *plain]).iterrows())
    found = tables.change(plain_row, residual)
    assert found == pytest.approx((12.0, math.sqrt(2 / 2 + 9 / 3)))
    assert tables.points(*found) == "+12.00 ± 2.00 points"


@pytest.mark.parametrize(("runs", "expected"), [((3, 3), 2.776), ((100, 100), 1.972)])
def test_what_a_difference_exceeds_by_chance_is_students_t_for_as_many_runs_of_each(
    runs: tuple[int, int], expected: float
) -> None:
    assert tables.by_chance(*runs) == pytest.approx(expected, rel=0.01)


def test_a_difference_to_a_single_run_has_no_standard_error() -> None:
    summaries = tables.summary([*TWO_SEEDS, record("plain20-cifar10-short", 0, 20.0)])
    difference, standard_error = tables.change(summaries.iloc[1], summaries.iloc[0])
    assert difference == -1
    assert math.isnan(standard_error)
    assert tables.points(difference, standard_error) == "-1.00 points (no spread known)"


LENGTHS = ["plain20-cifar10-4k", "resnet20-cifar10", "resnet20-cifar10-short", "plain56-cifar10-16k"]


def test_both_tables_show_mean_spread_and_runs() -> None:
    assert tables.budget_table(TWO_SEEDS).loc["resnet20", "ours, short"] == "21.00 ± 1.41 (2 runs)"
    long = [record("resnet20-cifar10", seed, error) for seed, error in enumerate((8.0, 9.0, 10.0))]
    assert tables.depth_table(long).loc["resnet20", "ours, paper"] == "9.00 ± 1.00 (3 runs)"


def test_the_depth_table_has_of_ours_what_is_by_the_papers_recipe_and_nothing_without_a_record() -> None:
    assert not list(tables.depth_table([]).filter(like="ours"))
    table = tables.depth_table([record(name, 0, 9.0) for name in LENGTHS])
    assert list(table) == ["ours, paper", *dict.fromkeys(each.source for each in published.ERRORS)]
    assert (table.loc["resnet20", "ours, paper"], table.loc["plain20", "ours, paper"]) == ("9.00", tables.NOTHING)


def test_the_budget_table_has_rows_and_columns_for_recorded_shorter_trainings_only_the_shortest_first() -> None:
    assert len(tables.budget_table([])) == 0
    assert len(tables.budget_table([record("resnet20-cifar10", 0, 9.0)])) == 0
    table = tables.budget_table([record(name, 0, 9.0) for name in LENGTHS])
    assert list(table) == ["ours, short", "ours, 4k", "ours, 16k"]
    assert table.index.tolist() == ["plain20", "plain56", "resnet20"]
    assert table.loc["plain20"].tolist() == [tables.NOTHING, "9.00", tables.NOTHING]


def test_the_budget_table_knows_every_shorter_length_of_the_schedule() -> None:
    lengths = [catalogue.EXPERIMENTS[f"resnet20-cifar10-{each}"].recipe.iterations for each in tables.SHORTER_RECIPES]
    assert lengths == sorted(lengths)
    assert set(tables.SHORTER_RECIPES) == {"short", *catalogue.LADDER}


def test_what_is_not_published_is_a_dash_and_a_network_of_dashes_has_no_row() -> None:
    table = tables.depth_table([])
    assert table.loc["resnet110", published.TECHXZEN] == tables.NOTHING
    assert "plain110" not in table.index
    assert "plain110" in tables.depth_table([record("plain110-cifar10", 0, 9.0)]).index


def test_records_of_another_dataset_or_recipe_do_not_enter_a_cell() -> None:
    others = [record("resnet20-builtin-smoke", 0, 1.0), record("resnet20-cifar10-edge", 0, 1.0)]
    assert not list(tables.depth_table(others).filter(like="ours"))
    assert len(tables.budget_table(others)) == 0


@pytest.mark.parametrize(
    ("network", "source", "cell"),
    [
        ("resnet20", published.PAPER, "8.75"),
        ("resnet110", published.PAPER, "6.61 ± 0.16 (5 runs)"),
        ("plain20", published.PAPER, "about 9.5"),
        ("plain56", published.TECHXZEN, "15.39"),
        ("plain56", published.NABLA, "12.95 ± 0.22 (5 runs)"),
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
    expected = "`short`: 2,000 iterations; 2 runs: resnet20 on a machine, 1 thread, in float32."
    assert tables.provenance(TWO_SEEDS) == expected
    assert tables.provenance([]) == "Of these nothing is recorded yet."


def changed(**fields: object) -> Record:
    return TWO_SEEDS[0].model_copy(update=fields)


def test_the_tables_show_no_other_recipe_dataset_or_shortcut() -> None:
    others = [
        changed(recipe_name="no-drops"),
        changed(dataset={"name": "cifar100"}),
        changed(model={**TWO_SEEDS[0].model, "shortcut": "projection"}),
        changed(model={**TWO_SEEDS[0].model, "name": "resnet10"}),
    ]
    assert tables.of_depth_table([*TWO_SEEDS, *others]) == TWO_SEEDS


def test_provenance_names_every_device() -> None:
    other = changed(parts=[part(0, 2_000, 120.0, device="another", threads=2, precision="bfloat16", compiled=True)])
    expected = (
        "2 runs, 1 of them compiled: resnet20 on a machine, 1 thread, in float32; "
        "resnet20 on another, 2 threads, in bfloat16."
    )
    assert expected in tables.provenance([TWO_SEEDS[0], other])


def test_provenance_has_the_shortest_training_first_and_says_where_all_were_compiled() -> None:
    compiled = [part(0, 2_000, 120.0, device="a machine", threads=1, precision="float32", compiled=True)]
    short = [each.model_copy(update={"parts": compiled}) for each in TWO_SEEDS]
    shorter, longer = tables.provenance([record("resnet20-cifar10-16k", 0, 9.0), *short]).split(". ")
    assert shorter.startswith("`short`: 2,000 iterations; 2 runs, compiled: resnet20 on a machine")
    assert longer.startswith("`16k`: 16,000 iterations; 1 run: resnet20")


def test_a_model_name_says_kind_and_depth() -> None:
    assert tables.kind_and_depth("plain110") == ("plain", 110)
    assert tables.kind_and_depth("resnet34-quarter") == ("residual", 34)


@pytest.mark.parametrize("name", ["vgg16", "resnet34-half", "resnet"])
def test_a_model_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        tables.kind_and_depth(name)


def test_markdown_has_a_line_a_row_and_the_index_first() -> None:
    table = tables.budget_table(TWO_SEEDS)
    lines = tables.to_markdown(table).splitlines()
    assert lines[0].startswith("| network | ours, short |")
    assert len(lines) == 2 + len(table)
