"""Draw what chapter 9 shows: the loss on lines and planes through weights, between two seeds, and its curvature.

Colours as everywhere: plain orange, residual blue; 20 layers dashed, 56 solid. Every ``plot`` function draws into the
``ax`` it is given and returns it; where nothing is recorded it says so.
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
CUT_OFF = {"as trained": (0.1, 1000.0), "anew": (0.1, 10.0)}  # nats: from where to where surfaces and maps go
CONTOURS = {"as trained": (0.3, 1, 3, 10, 30, 100, 300), "anew": (0.5, 1, 2, 3, 4, 5)}  # nats
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


def walks(slices: Frame) -> Frame:
    """The walks away from trained weights, a row a point: each line in a random direction is two, one to each side.

    Columns: those of ``tables.whose``, statistics, direction, side (1 or -1), distance (from 0 to 1), loss.
    """
    random = slices[(slices["at"] == "trained") & (slices.direction != EIGENVECTOR)]
    random = random.assign(distance=random.step.abs())
    sides = [random[side * random.step >= 0].assign(side=side) for side in (1, -1)]
    columns = [*WHOSE, "statistics", "direction", "side", "distance", "loss"]
    away: Frame = pd.concat(sides)[columns]
    return away.sort_values(columns[:-1], ignore_index=True)


def rises(slices: Frame) -> Frame:
    """How high each walk of ``walks`` gets: a row a walk.

    Columns: those of ``tables.whose``, statistics, direction, side; middle, half and end: the loss at the weights, half
    a step and one step away (between two points: on the straight line from one to the other); pieces: how many there
    are from point to point; down: how many of them lead down.
    """
    rows, keys = list[dict](), [*WHOSE, "statistics", "direction", "side"]
    for key, walk in walks(slices).groupby(keys):
        middle, half, end = np.interp([0.0, 0.5, 1.0], walk.distance, walk.loss)
        found = {"middle": middle, "half": half, "end": end}
        found |= {"pieces": len(walk) - 1, "down": int((np.diff(walk.loss) < 0).sum())}
        rows.append(dict(zip(keys, key, strict=True)) | found)
    return pd.DataFrame(rows, columns=[*keys, "middle", "half", "end", "pieces", "down"])


def heights(slices: Frame) -> Frame:
    """``rises`` as a table to read, a row for each depth, statistics and kind. Of one recipe.

    Columns: start (at the weights); half a step, one step (median, and least–most, over the walks); down (pieces).
    """
    each = _one_run_each(rises(slices)).groupby(["depth", "statistics", "kind"])
    table = {"start": each.middle.first().map("{:.3f}".format)}
    for column, words in (("half", "half a step"), ("end", "one step")):
        found = each[column].agg(["median", "min", "max"]).map(lambda loss: f"{loss:,.{2 if loss < 100 else 0}f}")
        table[words] = found["median"] + " (" + found["min"] + "–" + found["max"] + ")"
    table["down"] = each.down.sum().astype(str) + " of " + each.pieces.sum().astype(str)
    return pd.DataFrame(table)


def dips(loss: np.ndarray) -> int:
    """How many points of a plane (S, S), beside the one in the middle, lie lower than all that are next to them.

    Next to a point are those before and after it along either direction: four, fewer at the rim.
    """
    padded = np.pad(loss, 1, constant_values=np.inf)
    around = np.stack([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    lower = loss < around.min(axis=0)
    lower[len(loss) // 2, len(loss) // 2] = False
    return int(lower.sum())


def dips_of(found: Iterable[LandscapeRecord]) -> Frame:
    """``dips`` of the planes around trained weights: a row a network, a column for each statistics."""
    planes = [
        (each.experiment, each.seed, words, each.find("trained", [0, 1], words)) for each in found for words in BOTH
    ]
    rows = [(network, seed, words, dips(plane.surface().numpy())) for network, seed, words, plane in planes if plane]
    counted = pd.DataFrame(rows, columns=["network", "seed", "statistics", "dips"])
    _one_run_each(counted.assign(kind=counted.network, depth=0))
    return counted.pivot(index="network", columns="statistics", values="dips")


# --- Still figures --------------------------------------------------------------------------------------------------


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


def _one_run_each(frame: Frame) -> Frame:
    """``frame``. Raises ValueError where it has several runs of one network, which would be drawn as one.

    A frame of the reader's own, without the columns iterations, seed and experiment, is of one.
    """
    several = {"iterations": "recipes, of {} iterations", "seed": "runs, of seeds {}", "experiment": "recipes, {}"}
    for column, what in several.items():
        if column in frame and (frame.groupby(["kind", "depth"])[column].nunique() > 1).any():
            found = ", ".join(map(str, sorted(set(frame[column]))))
            raise ValueError(f"rows of several {what.format(found)}: draw one after the other")
    return frame


def plot_walks(away: Frame, ax: Axes) -> Axes:
    """The loss on walks away from weights: thin, each of them; thick, their median. Of one recipe."""
    ax.set(xlabel="distance (1: as long as the filters)", ylabel="loss (nats)")
    if away.empty:
        return say_nothing_recorded(ax)
    for (kind, depth), group in _one_run_each(away).groupby(["kind", "depth"]):
        each = group.pivot_table(index="distance", columns=["direction", "side"], values="loss")
        ax.plot(each.index, each, linewidth=0.6, alpha=0.7, **look(str(kind), depth, named=False))
        ax.plot(each.median(axis=1), linewidth=2.2, **look(str(kind), depth))
    ax.axhline(CHANCE, color=COLOURS["neutral"], linestyle=":", linewidth=1)
    return ax


def draw_walks(slices: Frame) -> Figure:
    """Walks away from trained weights: a row a depth; as trained on a logarithmic scale, anew on a linear one."""
    away = _one_run_each(walks(slices))
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
    ax.set(
        xlabel="step (1: as long as the filters)",
        ylabel="loss (nats)",
        xticks=(-EIGENVECTOR_SHARE, 0, EIGENVECTOR_SHARE),
    )
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
    return ax


def plot_way(slices: Frame, ax: Axes, kind: str) -> Axes:
    """The loss along one direction at stages of a training, the darker the later."""
    ax.set(xlabel="step (1: as long as the filters)", ylabel="loss (nats)", title=kind)
    stages = slices[slices["at"].map(lambda at: isinstance(at, int)) & (slices.kind == kind)]
    if stages.empty:
        return say_nothing_recorded(ax)
    if stages.depth.nunique() > 1:
        raise ValueError(f"slices: networks of {sorted(set(stages.depth))} layers; draw one after the other")
    iterations = sorted(set(_one_run_each(stages)["at"]))
    for number, iteration in enumerate(iterations, start=1):
        line = stages[stages["at"] == iteration]
        colour = colour_map(kind)(0.2 + 0.8 * number / len(iterations))
        ax.plot(line.step, line.loss, color=colour, label=f"{iteration:,}")
    ax.legend(title="iteration", fontsize=8, title_fontsize=8)
    return ax


def colour_map(kind: str) -> LinearSegmentedColormap:
    """From nearly white to the colour of "plain" or "residual"."""
    return LinearSegmentedColormap.from_list(kind, ["#F5F5F5", COLOURS[kind]])
