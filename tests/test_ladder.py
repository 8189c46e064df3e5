"""The ladder: what more depth changes at each training budget, said in words that fit whatever is recorded."""

from dataclasses import replace
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from invented import table_record

from resnet_book.experiments import catalogue
from resnet_book.experiments.records import Record
from resnet_book.report import ladder, tables

BUDGETS = {"short": 2_000, "4k": 4_000, "8k": 8_000, "16k": 16_000}


def four(recipe: str, plain20: float, plain56: float, resnet20: float, resnet56: float) -> list[Record]:
    """One run of each corner, with these test errors (%); the training errors are half of them."""
    errors = {"plain20": plain20, "plain56": plain56, "resnet20": resnet20, "resnet56": resnet56}
    return [table_record(f"{model}-cifar10-{recipe}", 0, error) for model, error in errors.items()]


def trained_otherwise(records: list[Record], train_error: float) -> list[Record]:
    """The records, resnet56-cifar10-16k with another training error (%)."""
    (deep,) = [each for each in records if each.experiment == "resnet56-cifar10-16k"]
    others = [each for each in records if each is not deep]
    return [*others, deep.model_copy(update={"epochs": [replace(deep.epochs[-1], train_error=train_error)]})]


def said(records: list[Record], kind: str) -> str:
    return ladder.in_words(ladder.depth_changes(ladder.corners(records)), kind)


def test_the_changes_are_those_of_the_deep_network_beside_the_shallow_one() -> None:
    records = [*four("8k", 20, 30, 18, 12), table_record("resnet56-cifar10-8k", 1, 14)]
    changes = ladder.depth_changes(ladder.corners(records)).set_index("kind")
    assert changes.loc["plain", ["test", "train"]].tolist() == [10, 5]
    assert changes.loc["residual", ["test", "train"]].tolist() == [-5, -2.5]
    assert changes.iterations.tolist() == [8_000, 8_000]


def test_networks_of_other_depths_recipes_and_datasets_are_left_out() -> None:
    others = ["resnet32-cifar10-8k", "resnet20-cifar10-no-decay", "resnet20-builtin-smoke", "resnet18-cifar10"]
    assert ladder.corners([table_record(name, 0, 10.0) for name in others]).empty


@pytest.mark.parametrize(
    ("residual", "words"),
    [
        ([], "By no recipe are the residual networks of 20 and of 56 layers both recorded yet."),
        ([("short", 9)], "After 2,000 iterations the residual network of 56 layers errs more often than that of 20. ("),
        ([("short", 9)], "The training errors are in the same order, so it fails to fit: this is no over-fitting."),
        ([("16k", 0)], "After 16,000 iterations the residual network of 56 layers errs as often as that of 20."),
        (
            [("16k", -1)],
            "errs less often than that of 20. (No other budget has records of both.) The training errors are",
        ),
        (
            [("short", 9), ("4k", 2)],
            "After 2,000 and 4,000 iterations the residual network of 56 layers errs more often than that of 20. The",
        ),
        (
            [("short", 9), ("4k", 2), ("16k", -1)],
            "After 2,000 and 4,000 iterations the residual network of 56 layers errs more often than that of 20, after "
            "16,000 less often: somewhere in between depth begins to pay.",
        ),
        (
            [("short", -1), ("8k", 3), ("16k", -1)],
            "After 2,000 iterations the residual network of 56 layers errs less often than that of 20, after 8,000 "
            "more often, after 16,000 less often: these runs show no single crossing.",
        ),
        (
            [("short", -1), ("16k", 1)],
            "errs less often than that of 20, after 16,000 more often: somewhere in between depth ceases to pay. The",
        ),
        (
            [("short", 0), ("16k", 1)],
            "errs as often as that of 20, after 16,000 more often. The training errors are in",
        ),
        ([("16k", 0)], "(No other budget has records of both.) The training errors are in the same order."),
    ],
)
def test_the_words_fit_whatever_is_recorded(residual: list[tuple[str, float]], words: str) -> None:
    records = [each for recipe, change in residual for each in four(recipe, 30, 50, 20, 20 + change)]
    assert words in said(records, "residual")


def test_means_of_several_runs_that_are_equal_but_for_rounding_are_equal() -> None:
    one, again = four("16k", 20, 30, 18.1, 18.2), table_record("resnet20-cifar10-16k", 1, 18.3)
    assert "errs as often as that of 20." in said([*one, again], "residual")


def test_who_errs_as_often_does_not_fail_to_fit() -> None:
    records = four("16k", 20, 30, 18, 18)
    assert "fails to fit" not in said(records, "residual")
    assert "fails to fit" not in said([*records, *four("short", 30, 50, 20, 25)], "residual")
    assert said(trained_otherwise(records, 0.1), "residual").endswith(
        "On the training images it is otherwise after 16,000 iterations."
    )


def test_where_the_training_images_say_something_else_the_words_say_so() -> None:
    records = four("16k", 20, 30, 18, 12)
    assert said(trained_otherwise(records, 40.0), "residual").endswith(
        "On the training images it is the other way round after 16,000 iterations."
    )
    assert said(records, "residual").endswith("The training errors are in the same order.")
    assert said(records, "plain").endswith("this is no over-fitting.")


@pytest.mark.parametrize("recipes", [["short"], ["short", "16k"], ["16k", "8k", "4k", "short"]])
def test_the_figure_has_a_line_for_each_network_and_a_published_mark(recipes: list[str]) -> None:
    records = [each for recipe in recipes for each in four(recipe, 30, 50, 20, 15)]
    figure, axes = plt.subplots(1, 2)
    training, test = ladder.plot(ladder.corners(records), *axes)
    assert [len(ax.containers) for ax in (training, test)] == [4, 4]
    marks = [line for line in test.lines if line.get_markerfacecolor() == "white"]
    assert sorted(float(np.asarray(line.get_ydata()).item()) for line in marks) == [6.97, 8.75, 9.5, 13.5]
    labels = [label.get_text() for label in test.get_xticklabels()]
    assert labels == [f"{each // 1000}k" for each in sorted(BUDGETS[recipe] for recipe in recipes)] + ["64k"]
    figure.canvas.draw()


def test_without_records_the_figure_is_empty() -> None:
    figure, axes = plt.subplots(1, 2)
    for ax in ladder.plot(ladder.corners([]), *axes):
        assert not ax.containers
    figure.canvas.draw()


def test_networks_of_one_budget_and_with_nearly_one_error_are_all_seen() -> None:
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained")
    records = [each for recipe in BUDGETS for each in four(recipe, 9, 60, 9, 9)]
    _, test = ladder.plot(ladder.corners(records), *axes)
    figure.canvas.draw()
    at = [float(np.asarray(each[0].get_xdata())[0]) for each in test.containers]
    places = sorted({test.transData.transform((each, 9))[0] for each in at})
    size = plt.rcParams["lines.markersize"] * figure.dpi / 72
    assert len(places) == 3
    assert min(second - first for first, second in pairwise(places)) > size


def test_the_longest_recipe_that_compares_both_kinds_at_two_depths_is_shown() -> None:
    short = four("short", 30, 50, 20, 25)
    deep = [table_record("plain56-cifar10-16k", 0, 20.0), table_record("resnet56-cifar10-16k", 0, 10.0)]
    assert tables.longest_comparison([*short, *deep]) == "short"
    assert tables.longest_comparison([*short, *four("16k", 9, 20, 9, 8)]) == "16k"
    assert tables.longest_comparison(deep) == "16k"
    with pytest.raises(ValueError, match="none is given"):
        tables.longest_comparison([])


def test_every_recipe_of_the_ladder_has_its_four_corners() -> None:
    frame = pd.DataFrame([(each.model, each.recipe_name) for each in catalogue.EXPERIMENTS.values()])
    for recipe in ("paper", *BUDGETS):
        models = set(frame[frame[1] == recipe][0])
        assert {"plain20", "plain56", "resnet20", "resnet56"} <= models
