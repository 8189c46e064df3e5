"""The wide networks' figures: what the axes hold is what was given, in the colours of the book."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from resnet_book.report import figures, wide_figures, wide_tables

NAMES = ["b", "a", "d", "c"]
GROUPS = ["y", "x", "x", "y"]
MATRIX = torch.tensor([[6, 0, 0, 4], [0, 10, 0, 0], [0, 5, 5, 0], [0, 0, 2, 8]])


def curves(epochs: int = 3) -> pd.DataFrame:
    rows = [
        {"kind": kind, "depth": 10, "seed": seed, "iteration": 5 * epoch, "learning_rate": rate}
        | {"validation_error": 90.0 / epoch}
        for kind, seed in (("plain", 0), ("plain", 1), ("residual", 0))
        for epoch in range(1, epochs + 1)
        for rate in [0.1 if epoch < 3 else 0.01]
    ]
    return pd.DataFrame(rows)


def test_published_errors_are_a_line_a_kind_with_bottlenecks_apart(ax: Axes) -> None:
    wide_figures.plot_published(wide_tables.published_errors().query("dataset == 'cifar10'"), ax)
    drawn = {str(line.get_label()): line for line in ax.lines if not str(line.get_label()).startswith("_")}
    heights = {label: np.asarray(line.get_ydata()).tolist() for label, line in drawn.items()}
    assert heights["plain"] == [5.8, 5.2, 6.5]
    assert heights["residual"] == [5.6, 5.0, 4.5]
    assert heights["plain, bottlenecks"] == [9.7]
    assert heights["residual, bottlenecks"] == [5.0]
    for kind in ("plain", "residual"):
        colours = [to_hex(line.get_color()).upper() for label, line in drawn.items() if label.startswith(kind)]
        assert colours == 2 * [figures.COLOURS[kind]]
    bars = ax.collections[0]
    assert isinstance(bars, LineCollection)
    errors = [np.ptp(np.asarray(bar)[:, 1]) / 2 for bar in bars.get_segments()]  # one standard error up and down
    assert errors == pytest.approx([wide_tables.standard_error(each) for each in (5.8, 5.2, 6.5, 9.7)])


def test_where_no_bottleneck_is_published_none_is_in_the_legend(ax: Axes) -> None:
    wide_figures.plot_published(wide_tables.published_errors().query("dataset == 'cifar100'"), ax)
    assert ax.get_legend_handles_labels()[1] == ["plain", "residual"]


def test_runs_are_a_mark_each_and_a_line_a_kind_through_their_means(ax: Axes) -> None:
    runs = pd.DataFrame(
        [("plain", 10, 20.0), ("plain", 34, 50.0), ("plain", 34, 70.0), ("residual", 10, 22.0), ("residual", 34, 30.0)],
        columns=["kind", "depth", "train_error"],
    )
    wide_figures.plot_errors(runs, ax, "train_error")
    lines = {str(line.get_label()): line for line in ax.lines if line.get_linestyle() == "-"}
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    assert {kind: np.asarray(line.get_ydata()).tolist() for kind, line in lines.items()} == {
        "plain": [20, 60],
        "residual": [22, 30],
    }
    assert [np.asarray(line.get_ydata()).tolist() for line in marks] == [[20, 50, 70], [22, 30]]
    for kind, line, dots in zip(("plain", "residual"), lines.values(), marks, strict=True):
        assert {to_hex(each.get_color()).upper() for each in (line, dots)} == {figures.COLOURS[kind]}
    assert ax.get_xticks().tolist() == [10, 34]


def test_without_runs_a_sentence_says_that_nothing_is_recorded(ax: Axes) -> None:
    wide_figures.plot_errors(pd.DataFrame(columns=["kind", "depth", "test_error"]), ax, "test_error")
    assert [text.get_text() for text in ax.texts] == ["nothing recorded yet"]


def test_every_run_is_a_line_of_its_own_with_the_marker_of_its_seed(ax: Axes) -> None:
    wide_figures.plot_phases(curves(), ax)
    drawn = [line for line in ax.lines if len(np.asarray(line.get_xdata())) == 3]
    assert [to_hex(line.get_color()).upper() for line in drawn] == [
        figures.COLOURS[kind] for kind in ("plain", "plain", "residual")
    ]
    assert np.asarray(drawn[0].get_ydata()).tolist() == [90, 45, 30]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["plain, seed 0", "plain, seed 1", "residual, seed 0"]
    markers = [line.get_marker() for line in drawn]
    assert markers[0] == markers[2] != markers[1]
    assert ax.get_ylabel() == "validation error (%)"


def test_runs_of_one_seed_are_named_by_their_kind(ax: Axes) -> None:
    wide_figures.plot_phases(curves().query("seed == 0"), ax)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["plain", "residual"]


def test_phases_are_parted_and_named_by_their_learning_rate(ax: Axes) -> None:
    wide_figures.plot_phases(curves(), ax)
    assert [np.asarray(line.get_xdata())[0] for line in ax.lines if line.get_linestyle() == ":"] == [2.5]
    assert [text.get_text() for text in ax.texts] == ["rate 0.1", "rate 0.01"]


def test_the_first_epochs_of_a_long_run_do_not_set_the_height(ax: Axes) -> None:
    wide_figures.plot_phases(curves(epochs=100), ax)
    assert ax.get_ylim()[1] < 10
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["plain", "residual"]  # no seed could be told apart


def test_nothing_recorded_is_said_in_the_figure(ax: Axes) -> None:
    wide_figures.plot_phases(curves().iloc[:0], ax)
    wide_figures.plot_phases(curves().assign(validation_error=float("nan")), ax)
    assert [text.get_text() for text in ax.texts] == ["nothing recorded yet"] * 2


def test_classes_are_sorted_by_superclass_and_right_answers_are_masked(ax: Axes) -> None:
    wide_figures.show_confusion(MATRIX, NAMES, GROUPS, ax)
    shown = ax.images[0].get_array()
    assert isinstance(shown, np.ma.MaskedArray)
    assert np.ma.getmaskarray(shown).tolist() == np.eye(4, dtype=bool).tolist()
    order = [1, 2, 0, 3]  # a, d of x; b, c of y
    expected = 100 * (MATRIX / MATRIX.sum(dim=1, keepdim=True)).numpy()[np.ix_(order, order)]
    assert shown.filled(0) == pytest.approx(np.where(np.eye(4, dtype=bool), 0, expected))


def test_superclasses_are_named_and_outlined(ax: Axes) -> None:
    wide_figures.show_confusion(MATRIX, NAMES, GROUPS, ax)
    frames = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [(frame.get_xy(), frame.get_width()) for frame in frames] == [((-0.5, -0.5), 2), ((1.5, 1.5), 2)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x", "y"]
    assert ax.get_yticks().tolist() == [0.5, 2.5]


def test_few_classes_without_superclasses_are_named_in_their_order(ax: Axes) -> None:
    wide_figures.show_confusion(MATRIX, NAMES, None, ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == NAMES
    assert len(ax.patches) == 0


def test_few_classes_have_their_number_of_images_in_each_cell_that_is_not_empty(ax: Axes) -> None:
    wide_figures.show_confusion(MATRIX, NAMES, None, ax)
    written = {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in ax.texts}
    assert written == {(row, column): str(int(MATRIX[row, column])) for row, column in MATRIX.nonzero().tolist()}


def test_many_classes_without_superclasses_have_no_names_to_overlap(ax: Axes) -> None:
    count = wide_figures.NAMED + 1
    wide_figures.show_confusion(torch.eye(count, dtype=torch.int64), [str(i) for i in range(count)], None, ax)
    assert len(ax.get_xticks()) == 0


def test_a_class_without_images_is_an_empty_row(ax: Axes) -> None:
    wide_figures.show_confusion(torch.tensor([[0, 0], [1, 1]]), ["a", "b"], None, ax)
    shown = ax.images[0].get_array()
    assert shown is not None
    assert shown[0, 1] == 0


@pytest.mark.parametrize(("names", "groups"), [(NAMES[:3], None), (NAMES, GROUPS[:3])])
def test_a_name_or_superclass_too_few_is_refused(names: list[str], groups: list[str] | None, ax: Axes) -> None:
    with pytest.raises(ValueError, match="one for each of 4 classes"):
        wide_figures.show_confusion(MATRIX, names, groups, ax)
