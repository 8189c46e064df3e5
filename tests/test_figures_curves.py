"""Curves and depth plots: what the axes hold equals the data frame, in the colours of the book."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from resnet_book.report import figures


def curves() -> pd.DataFrame:
    rows = [
        {"kind": kind, "depth": depth, "seed": seed, "iteration": iteration, "train_error": 10.0, "test_error": error}
        for kind, depth, seed, error in [
            ("plain", 20, 0, 40.0),
            ("plain", 20, 1, 44.0),
            ("plain", 56, 0, 60.0),
            ("residual", 20, 0, 30.0),
        ]
        for iteration in (10, 20)
    ]
    return pd.DataFrame(rows)


def test_test_error_is_the_mean_over_seeds(ax: Axes) -> None:
    figures.plot_curves(curves(), ax)
    line = next(line for line in ax.lines if line.get_label() == "plain, 20 layers")
    assert np.asarray(line.get_ydata()).tolist() == [42.0, 42.0]


def test_training_error_is_thinner_than_test_error(ax: Axes) -> None:
    figures.plot_curves(curves(), ax)
    widths = {float(np.asarray(line.get_ydata())[0]): line.get_linewidth() for line in ax.lines}
    assert widths[10.0] < widths[30.0]


def test_a_band_shows_the_spread_only_where_there_are_several_seeds(ax: Axes) -> None:
    figures.plot_curves(curves(), ax)
    assert len(ax.collections) == 1
    heights = np.asarray(ax.collections[0].get_paths()[0].vertices)[:, 1]
    assert (heights.min(), heights.max()) == (40.0, 44.0)


def test_every_drop_is_marked(ax: Axes) -> None:
    figures.plot_curves(curves(), ax, drops=(12, 17))
    across = [np.asarray(line.get_xdata()) for line in ax.lines]
    assert [x[0] for x in across if np.ptp(x) == 0] == [12, 17]


def test_without_records_the_curves_say_so(ax: Axes) -> None:
    figures.plot_curves(curves().iloc[:0], ax)
    assert [text.get_text() for text in ax.texts] == ["nothing recorded yet"]


def test_colour_tells_the_kind_and_line_style_the_depth(ax: Axes) -> None:
    figures.plot_curves(curves(), ax)
    looks = {str(line.get_label()): (to_hex(line.get_color()).upper(), line.get_linestyle()) for line in ax.lines}
    plain, residual = figures.COLOURS["plain"], figures.COLOURS["residual"]
    assert looks["plain, 20 layers"] == (plain, "--")
    assert looks["plain, 56 layers"] == (plain, "-")
    assert looks["residual, 20 layers"] == (residual, "--")


def test_layers_are_drawn_as_measured(ax: Axes) -> None:
    frame = pd.DataFrame({"kind": "plain", "depth": 20, "layer": [1, 2, 3], "gradient_norm": [100.0, 10.0, 1.0]})
    figures.plot_layers(frame, ax, "gradient_norm", "norm", log=True)
    assert np.asarray(ax.lines[0].get_xydata()).tolist() == [[1, 100], [2, 10], [3, 1]]
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "norm"
