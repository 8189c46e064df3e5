"""Draw what chapter 8 shows: the errors of networks taken apart, and the gradient that paths of each length carry.

Colours as everywhere: plain orange, residual blue. Filled marks: trained by the paper's recipe; white ones: for less
time. Every ``plot`` function draws into the ``ax`` it is given and returns it; where nothing is recorded it says so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter, MaxNLocator

from resnet_book.experiments import catalogue
from resnet_book.experiments.lesion_records import CutRow, LesionRecord, PathRow
from resnet_book.report import figures
from resnet_book.report.figures import COLOURS, look, say_nothing_recorded
from resnet_book.report.tables import WHOSE, stacked, whose

CHANCE = 90.0  # error (%) of blind answers to ten classes
SUM = {"boxstyle": "circle,pad=0.1", "facecolor": "white"}  # around a plus sign


def labelled(cuts: pd.DataFrame, experiment: str, seed: int) -> pd.DataFrame:
    """A ``lesions.lesion_frame`` with the columns of ``tables.whose``; the kind of a cut is then in the column cut.

    Two columns more, added and added_anew: the error beyond that of the whole network (points).
    """
    cuts = cuts.rename(columns={"kind": "cut"}).assign(**whose(experiment, seed))
    whole = cuts.query("cut == 'nothing'").iloc[0]
    return cuts.assign(added=cuts.error - whole.error, added_anew=cuts.error_anew - whole.error_anew)


def all_cuts(found: Iterable[LesionRecord]) -> pd.DataFrame:
    """Every cut of every network, ``labelled``; empty where there is none."""
    frames = [labelled(each.cut_frame, each.experiment, each.seed) for each in found]
    fields = ["cut" if name == "kind" else name for name in CutRow.model_fields]
    return stacked(frames, [*fields, *WHOSE, "added", "added_anew"])


def all_paths(found: Iterable[LesionRecord]) -> pd.DataFrame:
    """Every length of path of every residual network, with whose it is; empty where there is none.

    A column more, together_scaled: ``together``, the largest of a network's set to 1. Sums of different lengths partly
    cancel one another, so their norms are no shares of the whole gradient.
    """
    frames = [each.path_frame.assign(**whose(each.experiment, each.seed)) for each in found if each.paths]
    frames = [frame.assign(together_scaled=frame.together / frame.together.max()) for frame in frames]
    return stacked(frames, [*PathRow.model_fields, *WHOSE, "together_scaled"])


def keep_shape(cuts: pd.DataFrame) -> pd.Series:
    """Whether none of a cut's blocks begins a stage, where the shape changes: a boolean a row, of 6n+2 layers each."""
    return pd.Series(
        [not set(_stage_starts(depth)) & set(blocks) for depth, blocks in zip(cuts.depth, cuts.blocks, strict=True)],
        index=cuts.index,
        dtype=bool,
    )


def plot_single(cuts: pd.DataFrame, ax: Axes, column: str = "error") -> Axes:
    """Error (%) after each block alone has been left out, against the block; dotted: the whole networks, and chance.

    A thin line stands where a stage begins. The networks are of one depth, 6n+2 layers.
    """
    ax.set(xlabel="block left out (1: nearest to the images)", ylabel="test error (%)")
    ax.axhline(CHANCE, color=COLOURS["neutral"], linestyle=":", linewidth=1)
    if len(cuts):
        depth = int(cuts.depth.iloc[0])
        ax.set_xticks(range(1, depth // 6 * 3 + 1, max(1, depth // 18)))  # of 20 and 56 layers: stage starts, too
        for start in _stage_starts(depth):
            ax.axvline(start, color=COLOURS["neutral"], linewidth=0.8, zorder=0)
    for group, style in _networks(cuts, ax):
        single = group[group.removed == 1]
        ax.plot([blocks[0] for blocks in single.blocks], single[column], **style)
        ax.axhline(group.query("cut == 'nothing'")[column].iloc[0], color=style["color"], linestyle=":", linewidth=1)
    return ax


def plot_together(cuts: pd.DataFrame, ax: Axes, column: str = "error") -> Axes:
    """Error (%) against how many blocks are left out: the mean over choices, bars from lowest to highest.

    Choices of blocks that keep the shape, also where one alone is left out.
    """
    ax.set(xlabel="blocks left out", ylabel="test error (%)")
    for number, (group, style) in enumerate(_networks(cuts, ax)):
        by_count = group[group.cut.isin(["nothing", "leave out"]) & keep_shape(group)].groupby("removed")[column]
        each = by_count.agg(["mean", "min", "max"])
        spread = [each["mean"] - each["min"], each["max"] - each["mean"]]
        beside = 0.08 * number  # so that bars do not hide each other
        ax.errorbar(each.index + beside, each["mean"], yerr=spread, capsize=3, elinewidth=1, **style)
    ax.axhline(CHANCE, color=COLOURS["neutral"], linestyle=":", linewidth=1)
    return ax


def plot_factors(cuts: pd.DataFrame, ax: Axes, column: str = "error") -> Axes:
    """Error (%) against the factor by which all residual branches are multiplied; 1 is the whole network.

    Dotted: the whole networks, and chance.
    """
    ax.set(xlabel="factor of all residual branches", ylabel="test error (%)")
    ax.axhline(CHANCE, color=COLOURS["neutral"], linestyle=":", linewidth=1)
    residual = cuts.loc[cuts.cut.isin(["scale", "nothing"]) & (cuts.kind == "residual")]
    for group, style in _networks(residual, ax):
        in_order = group.sort_values("factor")
        ax.plot(in_order.factor, in_order[column], **style)
        ax.axhline(group.query("cut == 'nothing'")[column].iloc[0], color=style["color"], linestyle=":", linewidth=1)
    return ax


def plot_equal_change(cuts: pd.DataFrame, ax: Axes, column: str = "added") -> Axes:
    """Error added (points) against the change of the features: a mark a cut, but for closed shortcuts.

    ``column``: "added", as trained, or "added_anew", both with statistics measured anew.
    """
    ax.set(xlabel="relative change of the last features", ylabel="error added (points)")
    change = {"added": "feature_change", "added_anew": "feature_change_anew"}[column]
    for group, style in _networks(cuts, ax):
        of_kind = {
            "one block left out": (group.removed == 1, {"marker": "o", "alpha": 0.6}),
            "several left out": (group.removed > 1, {"marker": "s", "markerfacecolor": "none"}),
            "two swapped": (group.cut == "swap", {"marker": "x"}),
            "branches scaled": (group.cut == "scale", {"marker": "^"}),
        }
        for name, (chosen, marks) in of_kind.items():
            if chosen.any():  # a plain network has no branches
                own = {**style, **marks, "linestyle": "none", "markersize": 4, "label": f"{style['label']}, {name}"}
                ax.plot(group[change][chosen], group[column][chosen], **own)
    return ax


def plot_paths(paths: pd.DataFrame, ax: Axes, column: str) -> Axes:
    """One column of a path frame against the length of the path."""
    names = {
        "number": "number of paths",
        "single": "norm of one's gradient",
        "together_scaled": "norm of the sum (largest: 1)",
    }
    ax.set(xlabel="blocks on the path", ylabel=names[column])
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    for group, style in _networks(paths, ax):
        ax.plot(group.length, group[column], **style)
    if len(paths) and column == "single":
        ax.set_yscale("log")
    if column == "number":
        ax.yaxis.set_major_formatter(EngFormatter(sep=""))  # "20M"
    return ax


def draw_by_budget(frame: pd.DataFrame, plot: Callable[[pd.DataFrame, Axes], Axes]) -> Figure:
    """A figure with a panel for each depth (rows) and each length of training (columns), one scale, and one legend."""
    depths, budgets = _values(frame, "depth"), _values(frame, "iterations")
    figure, axes = _panels(len(depths), len(budgets), sharex=False, sharey=True)
    for row, depth in zip(axes, depths, strict=True):
        for ax, budget in zip(row, budgets, strict=True):
            plot(frame.loc[(frame.depth == depth) & (frame.iterations == budget)], ax)
            if len(frame):
                ax.set_title(f"{depth} layers, {budget:,} iterations")
    _label_outside(axes, comparable=True)
    figures.add_legend(figure)
    return figure


def draw_by_depth(
    frame: pd.DataFrame,
    plot: Callable[[pd.DataFrame, Axes, str], Axes],
    columns: Mapping[str, str],
    *,
    comparable: bool,
) -> Figure:
    """A figure with a panel for each depth (rows) and each column of ``frame`` named in ``columns``, and one legend.

    ``columns`` has the title of each. ``comparable``: they are in the same units: a row of panels has one scale.
    """
    depths = _values(frame, "depth")
    shared: Literal["row"] | Literal[False] = "row" if comparable else False
    figure, axes = _panels(len(depths), len(columns), sharex=shared, sharey=shared)
    for row, depth in zip(axes, depths, strict=True):
        for ax, column in zip(row, columns, strict=True):
            plot(frame.loc[frame.depth == depth], ax, column)
            ax.set_title(f"{depth} layers, {columns[column]}" if len(frame) else columns[column])
    _label_outside(axes, comparable)
    figures.add_legend(figure)
    return figure


def _stage_starts(depth: int) -> tuple[int, int]:
    """The blocks that begin the second and the third stage of a network of 6n+2 layers, where the shape changes."""
    return depth // 6 + 1, depth // 6 * 2 + 1


def _label_outside(axes: Any, comparable: bool) -> None:
    """Leave the horizontal axis named in the lowest row alone and, if ``comparable``, the vertical one on the left."""
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    if comparable:
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")


def _values(frame: pd.DataFrame, column: str) -> list[int]:
    """What there is of ``column``, in order; a single zero where nothing is recorded, for one empty panel."""
    return sorted(set(frame[column])) or [0]


def _panels(rows: int, columns: int, **shared: Literal["row"] | bool) -> tuple[Figure, Any]:
    return plt.subplots(rows, columns, figsize=(7.2, 0.6 + 3 * rows), squeeze=False, **shared)  # type: ignore[call-overload]


def _networks(frame: pd.DataFrame, ax: Axes) -> Iterator[tuple[pd.DataFrame, dict[str, Any]]]:
    """Each network's rows and how to draw it, plain first; its label says what differs within the panel."""
    if frame.empty:
        say_nothing_recorded(ax)
        return
    keys = ["depth", "kind", "iterations", "experiment", "seed"]
    for (depth, kind, iterations, _, seed), group in frame.groupby(keys):  # type: ignore[misc]
        style = look(kind, depth) | {"linewidth": 1.3, "linestyle": "-", "marker": "o", "markersize": 5}
        varying = {"depth": f"{depth} layers", "iterations": f"{iterations:,} iterations", "seed": f"seed {seed}"}
        named = [text for name, text in varying.items() if len(set(frame[name])) > 1]
        style["label"] = ", ".join([kind, *named])
        style["markerfacecolor"] = COLOURS[kind] if iterations >= catalogue.PAPER.iterations else "white"
        yield group, style


def draw_cut(ax: Axes, residual: bool) -> Axes:
    """A chain of blocks, one of which is cut out; around each block of a residual network leads its shortcut.

    A plain network has none: there a dashed arrow joins the neighbours.
    """
    blocks, cut = 6, 3
    colour = COLOURS["residual" if residual else "plain"]
    ax.set(xlim=(-0.2, blocks + 1.2), ylim=(-0.4, 0.8), aspect="equal")
    ax.set_axis_off()
    arrow = {"arrowstyle": "->", "color": colour}
    for number in range(1, blocks + 1):
        before, after = number - 0.5, number + 0.5
        missing = number == cut
        face, line = ("white", "--") if missing else (colour, "-")
        ax.add_patch(Rectangle((number - 0.28, -0.28), 0.56, 0.56, facecolor=face, edgecolor=colour, linestyle=line))
        if not missing:
            ax.annotate("", (number - 0.28, 0), (before - 0.02, 0), arrowprops=arrow)
            ax.plot([number + 0.28, after], [0, 0], color=colour, linewidth=1)
        elif not residual:
            ax.annotate("", (after, 0), (before, 0), arrowprops=arrow | {"linestyle": "--"})
        if residual:
            bend = {"connectionstyle": "arc3,rad=-0.9", "shrinkB": 5}
            ax.annotate("", (after, 0.04), (before, 0.04), arrowprops=arrow | bend)
            ax.text(after, 0, "+", color=colour, ha="center", va="center", fontsize=9, bbox=SUM | {"edgecolor": colour})
    ax.annotate("", (blocks + 0.85, 0), (blocks + 0.5, 0), arrowprops=arrow)
    ax.text(0.2, 0, "images", ha="right", va="center", fontsize=9)
    ax.text(blocks + 0.9, 0, "classes", va="center", fontsize=9)
    ax.set_title("residual" if residual else "plain")
    return ax
