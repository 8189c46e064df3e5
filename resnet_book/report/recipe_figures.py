"""Draw what drops of the learning rate did in recorded runs (chapter 5). Nothing here loads or trains."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from resnet_book.experiments.catalogue import PAPER, SHORT
from resnet_book.report import figures


def plot_drops(frame: pd.DataFrame, axes: Sequence[Axes]) -> Sequence[Axes]:
    """Test error (%) against iterations, a line a run: left by the paper's recipe, right by ``short`` and ``no-drops``.

    ``frame``: what ``tables.curves`` makes of the runs of one network. The left panel has its second half enlarged.
    """
    long, short = axes
    inset = long.inset_axes((0.46, 0.5, 0.52, 0.44), ylim=(8, 10))
    panels = [(long, PAPER, ["paper"]), (inset, PAPER, ["paper"]), (short, SHORT, ["short", "no-drops"])]
    for ax, schedule, shown in panels:
        for (recipe, _), run in frame[frame.recipe.isin(shown)].groupby(["recipe", "seed"]):
            colour = figures.COLOURS["accent" if recipe == "no-drops" else "residual"]
            ax.plot(run.iteration, run.test_error, color=colour, linewidth=1.3)
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
    return axes
