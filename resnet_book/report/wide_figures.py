"""Draw what chapter 7 and its appendix show of the wide networks: errors, phases of the learning rate, confusions.

As in ``figures``: the book's palette, nothing loads or trains, every function draws into its ``ax`` and returns it.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from resnet_book.report.figures import COLOURS, say_nothing_recorded
from resnet_book.report.wide_tables import standard_error

BOTTLENECKS = 50  # the depth of the wide networks with other blocks
NAMED = 25  # up to so many classes are named one by one
MARKERS = "osv^Dp"  # a seed each
LONG = 50  # runs of more epochs are drawn thin, without markers and the height of their first tenth


def plot_published(errors: pd.DataFrame, ax: Axes) -> Axes:
    """Test errors (%) of one dataset against depth, a line a kind, bars of one standard error from the test images.

    ``errors``: kind, depth, test_error, as ``wide_tables.published_errors`` gives them. BOTTLENECKS are open and not
    joined to the others: they have other blocks, and were trained by another recipe.
    """
    for kind, group in errors.sort_values("depth").groupby("kind"):
        colour, others = COLOURS[str(kind)], group.depth == BOTTLENECKS
        bars = group.test_error.map(standard_error)
        ax.errorbar(group.depth, group.test_error, bars, fmt="none", ecolor=colour, elinewidth=1, capsize=2)
        ax.plot(group.depth[~others], group.test_error[~others], "o-", color=colour, label=kind)
        if others.any():
            label = f"{kind}, bottlenecks"
            ax.plot(group.depth[others], group.test_error[others], "o", color=colour, mfc="white", label=label)
    ax.set_xticks(sorted({*map(int, errors.depth)}))
    ax.set_xlabel("depth (layers)")
    ax.set_ylabel("test error (%)")
    return ax


def plot_errors(runs: pd.DataFrame, ax: Axes, measure: str) -> Axes:
    """An error (%) of recorded runs against depth: a mark a run, and a line a kind through the means.

    ``runs``: kind, depth and the column ``measure``, as ``tables.run_rows`` gives them. Where there is nothing to draw,
    a sentence says so.
    """
    if runs.empty:
        return say_nothing_recorded(ax)
    for kind, group in runs.groupby("kind"):
        colour = COLOURS[str(kind)]
        means = group.pivot_table(values=measure, index="depth")[measure]
        ax.plot(means.index, means, "-", color=colour, label=kind)
        ax.plot(group.depth, group[measure], "o", color=colour, mfc="none", ms=5)
    ax.set_xticks(sorted({*map(int, runs.depth)}))
    ax.set_xlabel("depth (layers)")
    return ax


def plot_phases(curves: pd.DataFrame, ax: Axes) -> Axes:
    """Validation errors (%) against epochs, a line a run, never an average, and the phases of the learning rate.

    ``curves``: kind, depth, seed, iteration, learning_rate and validation_error, as ``tables.curves`` gives them. A
    marker a seed, but not in long runs, of which the first tenth may leave the axes at the top. Runs without validation
    images are left out. Where there is nothing to draw, a sentence says so.
    """
    curves = curves.dropna(subset="validation_error")
    if curves.empty:
        ax.set_axis_off()
        return say_nothing_recorded(ax)
    ax.set_xlabel("epoch")
    ax.set_ylabel("validation error (%)")
    long, seeds = curves.iteration.nunique() > LONG, sorted(curves.seed.unique())
    labels = set()
    for key, run in curves.sort_values("iteration").groupby(["kind", "depth", "seed"]):
        kind, seed = str(key[0]), key[2]  # type: ignore[index]
        width, marker = (0.6, "") if long else (1.3, MARKERS[seeds.index(seed) % len(MARKERS)])
        label = kind + (f", seed {seed}" if len(seeds) > 1 and not long else "")
        shown = None if label in labels else label
        labels.add(label)
        epochs = range(1, len(run) + 1)
        ax.plot(epochs, run.validation_error, color=COLOURS[kind], lw=width, marker=marker, ms=4, label=shown)
    _mark_phases(curves, ax)
    if long:
        ax.set_ylim(0, 1.1 * curves[curves.iteration > curves.iteration.max() / 10].validation_error.max())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="upper right", fontsize=8, frameon=True, framealpha=1, edgecolor="none")  # hides the dotted lines
    return ax


def _mark_phases(curves: pd.DataFrame, ax: Axes) -> None:
    """A dotted line after the last epoch of each learning rate, and the rate above the axes, over its phase."""
    rates = curves.drop_duplicates("iteration").sort_values("iteration").learning_rate.tolist()
    begin = 0
    for rate, epochs in groupby(rates):
        end = begin + len(list(epochs))
        if begin:
            ax.axvline(begin + 0.5, color=COLOURS["neutral"], linewidth=0.8, linestyle=":", zorder=0)
        text, middle, above = f"rate {rate:g}", (begin + end + 1) / 2, ax.get_xaxis_transform()
        ax.text(middle, 1.01, text, transform=above, ha="center", va="bottom", color=COLOURS["neutral"], fontsize=8)
        begin = end


def show_confusion(matrix: Tensor, names: Sequence[str], groups: Sequence[str] | None, ax: Axes) -> Axes:
    """Which classes (rows) are taken for which (columns), in % of the class's images, on a square-root scale.

    ``matrix`` (classes, classes) int64 as ``answers.confusion`` gives it. The diagonal, right answers, is left grey, so
    that mistakes show. ``groups``: the superclass of each class; then classes are sorted by it, and each superclass is
    named and outlined on the diagonal. Without them, up to NAMED classes are named, and each cell that is not empty
    has its number of images in it. Raises ValueError for another number of names or groups than classes.
    """
    if not len(matrix) == len(names) == len(names if groups is None else groups):
        found = f"{len(names)} names" + ("" if groups is None else f", {len(groups)} groups")
        raise ValueError(f"names, groups: expected one for each of {len(matrix)} classes, found {found}")
    order = list(range(len(names)))
    if groups is not None:
        order.sort(key=lambda i: (groups[i], names[i]))
    shares = 100 * matrix.double() / matrix.sum(dim=1, keepdim=True).clamp(min=1)
    picture = np.ma.array(shares.numpy()[np.ix_(order, order)], mask=np.eye(len(names), dtype=bool))
    ax.set_facecolor("#999999")  # shows where the picture is masked
    image = ax.imshow(picture, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=max(1.0, float(picture.max()))))
    if groups is not None:
        places = _outline([groups[i] for i in order], ax)
    elif len(names) <= NAMED:
        places = {name: float(place) for place, name in enumerate(names)}
        _write_counts(matrix, picture, ax)
    else:
        places = {}
    texts = [name.replace("_", " ") for name in places]
    ax.set_xticks(list(places.values()), texts, rotation=90, fontsize=7)
    ax.set_yticks(list(places.values()), texts, fontsize=7)
    ax.tick_params(length=0)
    ax.set_xlabel("taken for")
    ax.set_ylabel("class")
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, shrink=0.6, label="images of the class (%)")
    return ax


def _write_counts(matrix: Tensor, picture: np.ma.MaskedArray, ax: Axes) -> None:
    """The number of images into each cell that has any, white where ``picture`` is dark."""
    dark = picture.filled(0) > 0.4 * float(picture.max())
    for row, column in matrix.nonzero().tolist():
        colour = "white" if dark[row, column] else "black"
        text = str(int(matrix[row, column]))
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)


def _outline(groups: Sequence[str], ax: Axes) -> dict[str, float]:
    """A frame around each group of neighbours on the diagonal; returns the middle of each."""
    middles, begin = {}, -0.5
    for name, members in groupby(groups):
        size = len(list(members))
        ax.add_patch(Rectangle((begin, begin), size, size, fill=False, edgecolor=COLOURS["accent"], linewidth=0.9))
        middles[name] = begin + size / 2
        begin += size
    return middles
