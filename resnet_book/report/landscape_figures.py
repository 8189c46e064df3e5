"""Draw what chapter 9 shows: the loss on lines and planes through weights, and its curvature.

Colours as everywhere: plain orange, residual blue; 20 layers dashed, 56 solid. Every ``plot`` function draws into the
``ax`` it is given and returns it; where nothing is recorded it says so. ``landscape_frames`` makes the frames.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from resnet_book.experiments.landscape_records import BOTH, EIGENVECTOR, EIGENVECTOR_SHARE, LandscapeRecord
from resnet_book.report import figures
from resnet_book.report.figures import COLOURS, KINDS, look, say_nothing_recorded
from resnet_book.report.landscape_frames import Frame, one_run_each, walks
from resnet_book.report.tables import whose

CUT_OFF = {"as trained": (0.1, 1000.0), "anew": (0.1, 10.0)}  # nats: from where to where surfaces and maps go
CONTOURS = {"as trained": (1, 10, 100), "anew": (1, 2, 3, 4)}  # nats
CHANCE = float(np.log(10))  # loss of blind answers to ten classes
TWINS = ("depth", "iterations", "seed")  # what twins have in common
IN_WORDS = {"as trained": "statistics as trained", "anew": "statistics measured anew"}


def plot_map(loss: np.ndarray, steps: Sequence[float], ax: Axes, kind: str, statistics: str = "anew") -> Axes:
    """The loss on a plane (S, S) as a map: darker is higher, contour lines with their loss; a cross in the middle."""
    heights = np.log10(np.clip(loss, *CUT_OFF[statistics])).T  # the first direction to the right
    low, high = np.log10(CUT_OFF[statistics])
    ax.pcolormesh(steps, steps, heights, cmap=colour_map(kind), vmin=low, vmax=high, rasterized=True)
    levels = {float(np.log10(each)): f"{each:g}" for each in CONTOURS[statistics]}
    drawn = ax.contour(steps, steps, heights, levels=list(levels), colors="black", linewidths=0.5, linestyles="solid")
    ax.clabel(drawn, fmt=levels, fontsize=8)
    ax.plot(0, 0, "+", color="black", markersize=8)
    ax.set(xlabel="first direction", ylabel="second direction", xticks=(-1, 0, 1), yticks=(-1, 0, 1), aspect="equal")
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
    figure = plt.figure(figsize=(7.2, 0.8 + 1.8 * len(pairs)))
    axes = dict[str, Any]()
    for part, statistics in zip(figure.subfigures(1, 2, squeeze=False)[0], BOTH, strict=True):
        part.suptitle(IN_WORDS[statistics], fontsize=11)
        axes[statistics] = part.subplots(len(pairs), 2, squeeze=False, sharex=True, sharey=True)
    if not planes:
        say_nothing_recorded(axes[BOTH[0]][0, 0])
    several = len({about["iterations"] for about, _, _ in planes}) > 1
    for about, statistics, plane in planes:
        ax = axes[statistics][pairs.index(tuple(about[name] for name in TWINS)), KINDS.index(about["kind"])]
        plot_map(plane.surface().numpy(), plane.steps, ax, about["kind"], statistics)
        when = f"\n{about['iterations']:,} iterations" if several else ""
        ax.set_title(f"{about['kind']}, {about['depth']} layers{when}", fontsize=10)
        ax.label_outer()
    return figure


def plot_walks(away: Frame, ax: Axes) -> Axes:
    """The loss on walks away from weights: thin, each of them; thick, their median. Of one recipe."""
    ax.set(xlabel="distance (1: as long as the filters)", ylabel="loss (nats)")
    if away.empty:
        return say_nothing_recorded(ax)
    for (kind, depth), group in one_run_each(away).groupby(["kind", "depth"]):
        each = group.pivot_table(index="distance", columns=["direction", "side"], values="loss")
        ax.plot(each.index, each, linewidth=0.6, alpha=0.7, **look(str(kind), depth, named=False))
        ax.plot(each.median(axis=1), linewidth=2.2, **look(str(kind), depth))
    ax.axhline(CHANCE, color=COLOURS["neutral"], linestyle=":", linewidth=1)
    return ax


def draw_walks(slices: Frame) -> Figure:
    """Walks away from trained weights: a row a depth; as trained on a logarithmic scale, anew on a linear one."""
    away = one_run_each(walks(slices))
    depths = sorted(set(away.depth)) or [0]
    figure, axes = plt.subplots(len(depths), 2, figsize=(7.2, 0.6 + 2.4 * len(depths)), squeeze=False, sharey="col")
    for row, depth in zip(axes, depths, strict=True):
        for ax, statistics in zip(row, BOTH, strict=True):
            plot_walks(away[(away.depth == depth) & (away.statistics == statistics)], ax)
            ax.set_title(f"{depth} layers, {IN_WORDS[statistics]}" if depth else IN_WORDS[statistics], fontsize=10)
            if statistics == "as trained":
                ax.set(yscale="log")
            else:
                ax.set_ylim(bottom=0)
    figures.add_legend(figure, ncols=4)
    return figure


def plot_curvature(curvatures: Frame, ax: Axes) -> Axes:
    """Curvature at trained weights: the largest eigenvalue (a circle) and random directions (bars), on a log scale."""
    ax.set(xlabel="curvature: second derivative, size", xscale="log")
    trained = curvatures[curvatures["at"] == "trained"].sort_values(
        ["depth", "statistics", "kind"], ascending=[True, False, True]
    )
    if trained.empty:
        return say_nothing_recorded(ax)
    names = [f"{row.kind}, {row.depth} layers, {row.statistics}" for row in one_run_each(trained).itertuples()]
    for height, row in enumerate(trained.itertuples()):
        random = np.abs(np.array(row.random))
        ax.plot(abs(row.top), height, "o", color=COLOURS[row.kind])
        ax.plot(random, [height] * len(random), "|", color=COLOURS[row.kind], markersize=12, markeredgewidth=2)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    return ax


def plot_eigenvector(slices: Frame, ax: Axes, statistics: str = "anew") -> Axes:
    """The loss along the first eigenvector (thick) and, equally far, in a random direction (thin, nearly flat)."""
    ax.set(
        xlabel="step (1: as long as the filters)",
        ylabel="loss (nats)",
        xticks=(-EIGENVECTOR_SHARE, 0, EIGENVECTOR_SHARE),
    )
    trained = slices[(slices["at"] == "trained") & (slices.statistics == statistics)]
    along = trained[trained.direction == EIGENVECTOR]
    if along.empty:
        return say_nothing_recorded(ax)
    for (kind, depth), group in one_run_each(along).groupby(["kind", "depth"]):
        ax.plot(EIGENVECTOR_SHARE * group.step, group.loss, linewidth=2, **look(str(kind), depth))
        first = trained[(trained.direction == 0) & (trained.kind == kind) & (trained.depth == depth)]
        first = first.sort_values("step")
        there = np.linspace(-EIGENVECTOR_SHARE, EIGENVECTOR_SHARE, 13)
        ax.plot(there, np.interp(there, first.step, first.loss), linewidth=0.8, **look(str(kind), depth, named=False))
    return ax


def plot_way(slices: Frame, ax: Axes, kind: str) -> Axes:
    """The loss along one direction at stages of a training, the darker the later."""
    ax.set(xlabel="step (1: as long as the filters)", ylabel="loss (nats)", title=kind)
    stages = slices[slices["at"].map(lambda at: isinstance(at, int)) & (slices.kind == kind)]
    if stages.empty:
        return say_nothing_recorded(ax)
    if stages.depth.nunique() > 1:
        raise ValueError(f"slices: networks of {sorted(set(stages.depth))} layers; draw one after the other")
    iterations = sorted(set(one_run_each(stages)["at"]))
    for number, iteration in enumerate(iterations, start=1):
        line = stages[stages["at"] == iteration]
        colour = colour_map(kind)(0.2 + 0.8 * number / len(iterations))
        ax.plot(line.step, line.loss, color=colour, label=f"{iteration:,}")
    ax.legend(title="iteration", fontsize=8, title_fontsize=8)
    return ax


def colour_map(kind: str) -> LinearSegmentedColormap:
    """From nearly white to the colour of "plain" or "residual"."""
    return LinearSegmentedColormap.from_list(kind, ["#F5F5F5", COLOURS[kind]])
