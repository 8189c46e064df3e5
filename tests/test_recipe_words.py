"""The sentences and the figures of chapter 5 say what the runs show, whichever way they went."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import figures, recipe_figures
from resnet_book.report.recipe_words import ablation_table, drops_in_words, joined


def test_names_are_joined_as_they_are_spoken():
    assert [joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"]), joined([])] == [
        "a",
        "a and b",
        "a, b and c",
        "",
    ]


def summary(base_runs: int = 3) -> pd.DataFrame:
    rows = {
        "full": (30.0, 1.0 if base_runs > 1 else math.nan, base_runs),
        "small": (32.0, math.nan, 1),
        "large": (40.0, math.nan, 1),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["test_error", "test_std", "runs"])


def five(base_runs: int, others: list[int]) -> float:
    assert (base_runs, set(others)) == (3, {1})
    return 5.0


def test_only_a_change_beyond_the_limit_is_called_larger_than_chance():
    text = ablation_table(summary(), "full", ["small", "large"], five)
    assert "| `small` | 32.00 (1 run) | +2.0 |" in text
    assert text.endswith("The limit is 5.0 points. Beyond it: `large`.")
    assert ablation_table(summary(), "full", ["small"], five).endswith("Beyond it: none.")


def test_one_run_of_the_full_recipe_has_no_spread():
    text = ablation_table(summary(1), "full", ["large"], five)
    assert "| +10.0 |" in text
    assert "no spread is known" in text


def test_what_is_not_recorded_is_left_out_and_said_where_nothing_is():
    assert "absent" not in ablation_table(summary(), "full", ["small", "absent"], five)
    assert ablation_table(summary(), "full", ["absent"], five).startswith("Nothing that could be compared with `full`")


def curves() -> pd.DataFrame:
    """A run by ``paper`` that jumps between 19 and 21 %, then is at 10 and 9; two by ``short``; one without drops."""
    errors = [
        20 + (-1) ** (at // 1_000) if at <= 32_000 else 10 if at <= 48_000 else 9 for at in range(1_000, 64_001, 1_000)
    ]
    rows = [("paper", 0, 1_000 * number, error) for number, error in enumerate(errors, 1)]
    rows += [("short", seed, at, 24 + 2 * seed) for seed in (0, 1) for at in (1_950, 2_000)]
    rows += [("no-drops", 0, 1_950, 25), ("no-drops", 0, 2_000, 27)]
    return pd.DataFrame(rows, columns=["recipe", "seed", "iteration", "test_error"]).astype({"test_error": float})


def test_what_drops_did_is_told_in_means_of_epochs_and_of_runs():
    text = drops_in_words(curves())
    assert "(seed 0) the test error moved from one epoch to the next by 2.0 points" in text
    assert "and by 0.0 from the second epoch" in text
    assert "from 20.2 to 10.0 % at the first drop, and from 10.0 to 9.0 % at the second" in text
    assert "| 1950 | 25.0 | 25.0 |\n| 2000 | 25.0 | 27.0 |" in text


def test_of_drops_without_runs_to_compare_nothing_is_told():
    assert drops_in_words(curves().query("recipe == 'no-drops'")) == "No such run is recorded."


def test_the_figure_of_drops_has_a_line_a_run_and_marks_every_drop():
    _, axes = plt.subplots(1, 2)
    recipe_figures.plot_drops(curves(), axes)
    (inset,) = axes[0].child_axes
    for ax, colours in (
        (axes[0], ["residual"]),
        (inset, ["residual"]),
        (axes[1], ["accent", "residual", "residual"]),
    ):
        across = [np.ptp(np.asarray(line.get_xdata())) > 0 for line in ax.lines]
        assert [line.get_color() for line, wide in zip(ax.lines, across, strict=True) if wide] == [
            figures.COLOURS[colour] for colour in colours
        ]
        assert across.count(False) == len(PAPER.drops)
    assert inset.get_xlim()[0] == PAPER.iterations / 2


def test_the_valley_has_both_paths_by_name_and_its_bottom_at_zero(ax):
    paths = {"slow": np.array([[10.0, 1.0], [9.0, 0.0]]), "fast": np.array([[10.0, 1.0], [5.0, -1.0]])}
    recipe_figures.plot_valley(paths, ax)
    drawn = {line.get_label(): np.column_stack(line.get_data()).tolist() for line in ax.lines[:2]}
    assert drawn == {name: path.tolist() for name, path in paths.items()}
    assert np.column_stack(ax.lines[2].get_data()).tolist() == [[0, 0]]
