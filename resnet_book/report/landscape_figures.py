"""Draw what chapter 9 shows: the loss on lines and planes through weights, between two seeds, and its curvature.

Colours as everywhere: plain orange, residual blue; 20 layers dashed, 56 solid. Losses are on a logarithmic scale. Every
``plot`` function draws into the ``ax`` it is given and returns it; where nothing is recorded it says so.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from resnet_book.experiments.landscape_records import BOTH, EIGENVECTOR, EIGENVECTOR_SHARE, LandscapeRecord
from resnet_book.report import figures
from resnet_book.report.figures import COLOURS, KINDS, look, say_nothing_recorded
from resnet_book.report.tables import WHOSE, whose

Frame = Any  # a pandas.DataFrame: its columns are beyond a type checker
FLOOR, CEILING = 0.1, 1000.0  # nats: heights of surfaces are cut off there
CHANCE = float(np.log(10))  # loss of blind answers to ten classes
TWINS = ("depth", "iterations", "seed")  # what twins have in common
IN_WORDS = {"as trained": "statistics as trained", "anew": "statistics measured anew"}


# --- Frames ---------------------------------------------------------------------------------------------------------


def slice_frame(found: Iterable[LandscapeRecord]) -> Frame:
    """Every loss on a line through weights, a row each; a plane gives the two lines through its middle.

    Columns: those of ``tables.whose``, at, statistics, direction (its seed), step, loss.
    """
    rows = list[dict[str, Any]]()
    for each in found:
        for one in each.slices:
            values, middle = one.surface(), len(one.steps) // 2
            lines = [values] if values.ndim == 1 else [values[:, middle], values[middle]]
            for direction, line in zip(one.directions, lines, strict=True):
                where = {"at": one.around.at, "statistics": one.statistics, "direction": direction}
                points = zip(one.steps, line.tolist(), strict=True)
                rows += [whose(each.experiment, each.seed) | where | {"step": a, "loss": b} for a, b in points]
    return pd.DataFrame(rows, columns=[*WHOSE, "at", "statistics", "direction", "step", "loss"])


def curvature_frame(found: Iterable[LandscapeRecord]) -> Frame:
    """A row for each curvature: columns as ``slice_frame`` up to statistics, then those of ``Curvature``."""
    rows = [
        whose(each.experiment, each.seed) | {"at": one.around.at} | one.model_dump(exclude={"around"})
        for each in found
        for one in each.curvatures
    ]
    return pd.DataFrame(rows, columns=[*WHOSE, "at", "statistics", "top", "last_change", "random", "overlap"])


def line_frame(found: Iterable[LandscapeRecord]) -> Frame:
    """Every point of the lines between two networks, a row each.

    Columns: those of ``tables.whose``, seeds ("one" or "two"), start (iteration), end, statistics, share, loss, error.
    """
    rows = list[dict[str, Any]]()
    for each in found:
        for line in each.lines:
            alike = "one" if line.one.seed == line.other.seed else "two"
            where = {"seeds": alike, "start": line.one.at, "end": line.other.at, "statistics": line.statistics}
            points = zip(line.shares, line.loss, line.error, strict=True)
            rows += [
                whose(each.experiment, each.seed) | where | {"share": a, "loss": b, "error": c} for a, b, c in points
            ]
    return pd.DataFrame(rows, columns=[*WHOSE, "seeds", "start", "end", "statistics", "share", "loss", "error"])


def rises(slices: Frame) -> Frame:
    """What each random line through trained weights does: a row a line.

    Columns: those of ``tables.whose``, statistics, direction; middle, half and end: the loss at the weights, and its
    mean over both sides half a step and one step away; down: the share of the line's pieces that lead down on the way
    out.
    """
    rows, keys = list[dict](), [*WHOSE, "statistics", "direction"]
    random = slices[(slices["at"] == "trained") & (slices.direction != EIGENVECTOR)]
    for key, group in random.groupby(keys):
        line = group.sort_values("step")
        middle, half, end = (np.interp([-far, far], line.step, line.loss).mean() for far in (0.0, 0.5, 1.0))
        sides = line.loss[line.step >= 0].to_numpy(), line.loss[line.step <= 0].to_numpy()[::-1]
        down = (np.concatenate([np.diff(side) for side in sides]) < 0).mean()
        rows.append(dict(zip(keys, key, strict=True)) | {"middle": middle, "half": half, "end": end, "down": down})
    return pd.DataFrame(rows, columns=[*keys, "middle", "half", "end", "down"])


# --- Still figures --------------------------------------------------------------------------------------------------


def plot_map(loss: np.ndarray, steps: Sequence[float], ax: Axes, kind: str) -> Axes:
    """The loss on a plane (S, S) as a map: darker is higher, a contour line at each doubling; a cross in the middle."""
    heights = np.log2(np.clip(loss, FLOOR, CEILING)).T  # the first direction to the right
    low, high = np.log2(FLOOR), np.log2(CEILING)
    ax.imshow(heights, origin="lower", extent=(-1, 1, -1, 1), cmap=colour_map(kind), vmin=low, vmax=high)
    ax.contour(steps, steps, heights, levels=np.arange(np.ceil(low), high), colors="black", linewidths=0.5, alpha=0.6)
    ax.plot(0, 0, "+", color="black", markersize=8)
    ax.set(xlabel="first direction", ylabel="second direction", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    ax.grid(False)
    return ax


def draw_maps(found: Sequence[LandscapeRecord]) -> Figure:
    """A map for each network and each statistics, around trained weights: a row for each pair of twins."""
    planes = [
        (whose(each.experiment, each.seed), statistics, plane)
        for statistics in BOTH
        for each in found
        if (plane := each.find("trained", [0, 1], statistics))
    ]
    pairs = sorted({tuple(about[name] for name in TWINS) for about, _, _ in planes}) or [(0, 0, 0)]
    figure, axes = plt.subplots(
        len(pairs), 4, figsize=(8.4, 0.5 + 2.2 * len(pairs)), squeeze=False, sharex=True, sharey=True
    )
    if not planes:
        say_nothing_recorded(axes[0, 0])
    for about, statistics, plane in planes:
        row = pairs.index(tuple(about[name] for name in TWINS))
        ax = axes[row, 2 * BOTH.index(statistics) + KINDS.index(about["kind"])]
        plot_map(plane.surface().numpy(), plane.steps, ax, about["kind"])
        ax.set_title(
            f"{about['kind']}, {about['depth']} layers\n{about['iterations']:,} iterations, {statistics}", fontsize=8
        )
        ax.label_outer()
    return figure


def _one_run_each(frame: Frame) -> Frame:
    """``frame``. Raises ValueError where it has several runs of one network, which would be drawn as one.

    A frame of the reader's own, without the columns iterations and seed, is of one.
    """
    for column, what in (("iterations", "recipes, of {} iterations"), ("seed", "runs, of seeds {}")):
        if column in frame and (frame.groupby(["kind", "depth"])[column].nunique() > 1).any():
            found = ", ".join(map(str, sorted(set(frame[column]))))
            raise ValueError(f"rows of several {what.format(found)}: draw one after the other")
    return frame


def plot_slices(slices: Frame, ax: Axes) -> Axes:
    """The loss along lines through weights: thin, a line for each direction; thick, their median. Of one recipe."""
    ax.set(xlabel="step (1: as long as the filters)", ylabel="loss (nats)", yscale="log")
    if slices.empty:
        return say_nothing_recorded(ax)
    for (kind, depth), group in _one_run_each(slices).groupby(["kind", "depth"]):
        by_direction = group.pivot_table(index="step", columns="direction", values="loss")
        ax.plot(by_direction.index, by_direction, linewidth=0.6, alpha=0.6, **look(str(kind), depth, named=False))
        ax.plot(by_direction.median(axis=1), linewidth=2.2, **look(str(kind), depth))
    ax.axhline(CHANCE, color=COLOURS["neutral"], linestyle=":", linewidth=1)
    return ax


def draw_slices(slices: Frame) -> Figure:
    """Lines through trained weights in random directions: a row a depth, statistics as trained and anew beside it."""
    random = _one_run_each(slices[(slices["at"] == "trained") & (slices.direction != EIGENVECTOR)])
    depths = sorted(set(random.depth)) or [0]
    figure, axes = plt.subplots(len(depths), 2, figsize=(7.2, 0.6 + 2.4 * len(depths)), squeeze=False, sharey="row")
    for row, depth in zip(axes, depths, strict=True):
        for ax, statistics in zip(row, BOTH, strict=True):
            plot_slices(random[(random.depth == depth) & (random.statistics == statistics)], ax)
            ax.set_title(f"{depth} layers, {IN_WORDS[statistics]}" if depth else IN_WORDS[statistics], fontsize=10)
            ax.label_outer()
    figures.add_legend(figure, ncols=4)
    return figure


def plot_curvature(curvatures: Frame, ax: Axes) -> Axes:
    """Curvature at trained weights: the largest eigenvalue (a circle) and random directions (bars), on a log scale."""
    ax.set(xlabel="second derivative of the loss (size)", xscale="log")
    trained = curvatures[curvatures["at"] == "trained"].sort_values(
        ["depth", "statistics", "kind"], ascending=[True, False, True]
    )
    if trained.empty:
        return say_nothing_recorded(ax)
    names = [f"{row.kind}, {row.depth} layers, {row.statistics}" for row in _one_run_each(trained).itertuples()]
    for height, row in enumerate(trained.itertuples()):
        random = np.abs(np.array(row.random))
        ax.plot(abs(row.top), height, "o", color=COLOURS[row.kind])
        ax.plot(random, [height] * len(random), "|", color=COLOURS[row.kind], markersize=12, markeredgewidth=2)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    return ax


def plot_eigenvector(slices: Frame, ax: Axes, statistics: str = "anew") -> Axes:
    """The loss along the first eigenvector (thick) and, equally far, in a random direction (thin, nearly flat)."""
    ax.set(xlabel="distance from the weights (in their filters' length)", ylabel="loss (nats)", yscale="log")
    trained = slices[(slices["at"] == "trained") & (slices.statistics == statistics)]
    along = trained[trained.direction == EIGENVECTOR]
    if along.empty:
        return say_nothing_recorded(ax)
    for (kind, depth), group in _one_run_each(along).groupby(["kind", "depth"]):
        ax.plot(EIGENVECTOR_SHARE * group.step, group.loss, linewidth=2, **look(str(kind), depth))
        first = trained[(trained.direction == 0) & (trained.kind == kind) & (trained.depth == depth)]
        first = first.sort_values("step")
        there = np.linspace(-EIGENVECTOR_SHARE, EIGENVECTOR_SHARE, 13)
        ax.plot(there, np.interp(there, first.step, first.loss), linewidth=0.8, **look(str(kind), depth, named=False))
    ax.legend(fontsize=7)
    return ax


def plot_way(slices: Frame, ax: Axes, kind: str) -> Axes:
    """The loss along one direction at stages of a training, the darker the later."""
    ax.set(xlabel="step (1: as long as the filters)", ylabel="loss (nats)", yscale="log", title=kind)
    stages = slices[slices["at"].map(lambda at: isinstance(at, int)) & (slices.kind == kind)]
    if stages.empty:
        return say_nothing_recorded(ax)
    iterations = sorted(set(_one_run_each(stages)["at"]))
    for number, iteration in enumerate(iterations, start=1):
        line = stages[stages["at"] == iteration]
        colour = colour_map(kind)(0.2 + 0.8 * number / len(iterations))
        ax.plot(line.step, line.loss, color=colour, label=f"{iteration:,}")
    ax.legend(title="iteration", fontsize=8, title_fontsize=8)
    return ax


def plot_way_curvature(curvatures: Frame, ax: Axes) -> Axes:
    """The size of the largest eigenvalue against the iteration."""
    ax.set(xlabel="iteration", ylabel="largest eigenvalue (size)", yscale="log")
    stages = curvatures[curvatures["at"].map(lambda at: isinstance(at, int))]
    if stages.empty:
        return say_nothing_recorded(ax)
    for (kind, depth), group in _one_run_each(stages).groupby(["kind", "depth"]):
        in_order = group.sort_values("at")
        ax.plot(in_order["at"], in_order.top.abs(), "o-", color=COLOURS[str(kind)], label=f"{kind}, {depth} layers")
    ax.legend()
    return ax


def plot_between(lines: Frame, ax: Axes, column: str = "loss") -> Axes:
    """Loss or error on the straight line between two networks, with interpolated statistics and with fresh ones."""
    label = {"loss": "loss (nats)", "error": "error (%)"}[column]
    ax.set(xlabel="share of the way", ylabel=label)
    if lines.empty:
        return say_nothing_recorded(ax)
    looks = {"as trained": ("--", "interpolated"), "anew": ("-", "measured anew")}
    for (kind, statistics), group in _one_run_each(lines).groupby(["kind", "statistics"]):
        style, words = looks[str(statistics)]
        ax.plot(group.share, group[column], style, color=COLOURS[str(kind)], label=f"{kind}, statistics {words}")
    ax.legend(fontsize=7)
    return ax


def colour_map(kind: str) -> LinearSegmentedColormap:
    """From nearly white to the colour of "plain" or "residual"."""
    return LinearSegmentedColormap.from_list(kind, ["#F5F5F5", COLOURS[kind]])
