"""Draw what momentum does in a valley, and drops in recorded runs (chapter 5). Nothing here loads or trains."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from resnet_book.experiments.catalogue import PAPER, SHORT
from resnet_book.report import figures


def plot_valley(paths: Mapping[str, np.ndarray], ax: Axes) -> Axes:
    """Two paths (steps + 1, 2), without and with momentum, by name, down the valley x^2 / 2 + 25 y^2."""
    x, y = np.meshgrid(np.linspace(-6, 11, 90), np.linspace(-1.5, 1.5, 60))
    ax.contour(x, y, x**2 / 2 + 25 * y**2, levels=[2, 8, 20, 40, 70], colors="0.8", linewidths=0.8)
    for (name, path), colour in zip(paths.items(), ("neutral", "accent"), strict=True):
        ax.plot(*path.T, ".-", color=figures.COLOURS[colour], linewidth=0.9, markersize=5, label=name)
    ax.plot(0, 0, "k+")
    ax.set(xlabel="x, along the valley", ylabel="y, across (stretched)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def plot_drops(frame: pd.DataFrame, axes: Sequence[Axes]) -> Sequence[Axes]:
    """Test error (%) against iterations, a line a run: left by the paper's recipe, right by ``short`` and ``no-drops``.

    ``frame``: what ``tables.curves`` makes of the runs of one network. The left panel has its second half enlarged.
    """
    long, short = axes
    inset = long.inset_axes((0.46, 0.5, 0.52, 0.44), ylim=(8, 10))
    panels = [(long, PAPER, ["paper"]), (inset, PAPER, ["paper"]), (short, SHORT, ["short", "no-drops"])]
    lines: dict[str, Line2D] = {}
    for ax, schedule, shown in panels:
        for (recipe, _), run in frame[frame.recipe.isin(shown)].groupby(["recipe", "seed"]):  # type: ignore[misc]
            colour = figures.COLOURS["accent" if recipe == "no-drops" else "residual"]
            (line,) = ax.plot(run.iteration, run.test_error, color=colour, linewidth=1.3)
            lines[recipe] = line
        for drop in schedule.drops:
            ax.axvline(drop, color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
        ax.xaxis.set_major_locator(MaxNLocator(2 if ax is inset else 4, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter("{x:,.0f}")
        start = schedule.iterations / 2 if ax is inset else 0
        ax.set_xlim(start, 1.01 * schedule.iterations)
    inset.tick_params(labelsize=8)
    inset.yaxis.set_major_locator(MaxNLocator(2))
    long.set(xlabel="iteration", ylabel="test error (%)", ylim=(0, 60), title="paper")
    short.set(xlabel="iteration", ylim=(20, 60), title="short and no-drops")
    of_short = [name for name in ("short", "no-drops") if name in lines]
    short.legend([lines[name] for name in of_short], of_short)
    return axes
