"""The sentences and the figures of chapter 5 say what the runs show, whichever way they went."""

from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import figures, recipe_figures
from resnet_book.report.recipe_words import drops_in_words


def curves() -> pd.DataFrame:
    """A run by ``paper``: between 19 and 21 %, 15 once, up from 10 by 1.4, 9. Three other runs."""
    errors = [
        20 + (-1) ** (at // 1_000) if at <= 32_000 else 15 if at == 33_000 else 10 + (at - 34_000) / 10_000
        for at in range(1_000, 48_001, 1_000)
    ] + [9.0] * 16
    rows = [("paper", 0, 1_000 * number, error) for number, error in enumerate(errors, 1)]
    rows += [("short", seed, at, 24 + 2 * seed) for seed in (0, 1) for at in (1_950, 2_000)]
    rows += [("no-drops", 0, 1_950, 25), ("no-drops", 0, 2_000, 27)]
    return pd.DataFrame(rows, columns=["recipe", "seed", "iteration", "test_error"]).astype({"test_error": float})


def test_what_drops_did_is_told_in_means_of_epochs_and_of_runs():
    text = drops_in_words(curves())
    assert "(seed 0) the test error moved from one epoch to the next by 2.0 points" in text
    assert "and by 0.3 from the second epoch" in text
    assert "from 20.20 to 10.20 % at the first drop, and from 11.20 to 9.00 % at the second" in text
    assert "moves by +1.6 points" in text
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
    legend = axes[1].get_legend()
    assert {text.get_text(): line.get_color() for text, line in zip(legend.texts, legend.get_lines(), strict=True)} == {
        "short": figures.COLOURS["residual"],
        "no-drops": figures.COLOURS["accent"],
    }


def test_the_valley_has_both_paths_by_name_and_its_bottom_at_zero(ax):
    paths = {"slow": np.array([[10.0, 1.0], [9.0, 0.0]]), "fast": np.array([[10.0, 1.0], [5.0, -1.0]])}
    recipe_figures.plot_valley(paths, ax)
    drawn = {line.get_label(): np.column_stack(line.get_data()).tolist() for line in ax.lines[:2]}
    assert drawn == {name: path.tolist() for name, path in paths.items()}
    assert np.column_stack(ax.lines[2].get_data()).tolist() == [[0, 0]]


CHAPTER = Path(__file__).parent.parent / "notebooks" / "05_training.py"
STEP = next(cell.source for cell in jupytext.read(CHAPTER).cells if cell.source.startswith("def sgd_step"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("gradient + weight_decay * weight", "gradient"),
        ("gradient + weight_decay * weight", "gradient - weight_decay * weight"),
        ("gradient + weight_decay * weight", "gradient + 1.01 * weight_decay * weight"),
        ("mul_(momentum)", "mul_(0)"),
        ("add_(gradient", "add_((1 - momentum) * gradient"),
        ("add_(gradient + weight_decay * weight)", "add_(learning_rate * (gradient + weight_decay * weight))"),
        ("sub_(learning_rate * velocity)", "sub_(learning_rate * (gradient + momentum * velocity))"),
    ],
)
def test_the_comparison_with_pytorchs_step_sees_what_is_wrong(right: str, wrong: str) -> None:
    exec(STEP, {"torch": torch, "pd": pd})
    assert right in STEP
    with pytest.raises(AssertionError, match="not close"):
        exec(STEP.replace(right, wrong), {"torch": torch, "pd": pd})
