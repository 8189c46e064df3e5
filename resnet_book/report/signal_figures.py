"""Draw what chapter 10 shows: signals, gradients, and what they predict, through training.

Colours as everywhere: plain orange, residual blue; a training's moments go from pale to full colour, each with a marker
of its own. Every ``plot`` function draws into the ``ax`` it is given and returns it; where nothing is recorded it says
so. The columns of frames say which network, kind ("plain" or "residual"), depth, seed, recipe_iterations, and which
moment, iteration, origin.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterMathtext, LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from resnet_book.experiments import catalogue
from resnet_book.experiments.records import Record
from resnet_book.experiments.signal_records import BlockRow, DistanceRow, LayerRow, PredictionRow, SignalRecord
from resnet_book.report.figures import COLOURS, KINDS, look, say_nothing_recorded
from resnet_book.report.tables import kind_and_depth, stacked

PALEST = 0.72  # share of white in the colour of a training's first moment
MARKERS = ("o", "s", "^", "D", "v", "P")  # of the moments, one after the other
MOMENTS_SHOWN = len(MARKERS)  # lines in a panel, at most
STAGES = 3  # of a narrow network, all with as many blocks
RATE = 0.1  # the learning rate of the step that ``with_moves`` asks about, the same at every moment
NETWORK = ["experiment", "kind", "depth", "seed", "recipe_iterations"]
STAGE = ["iteration", "origin", "learning_rate"]
COLUMNS = {
    "layers": [*STAGE, *LayerRow.model_fields],
    "blocks": [*STAGE, *BlockRow.model_fields],
    "predictions": [*STAGE, *PredictionRow.model_fields],
    "distances": [*STAGE, *DistanceRow.model_fields],
}


def of_networks(
    found: Iterable[SignalRecord], rows: Literal["layers", "blocks", "predictions", "distances"]
) -> pd.DataFrame:
    """The rows of all records, with whose they are. Empty, with the same columns, where there are none."""
    frames = []
    for each in found:
        known = catalogue.get(each.experiment)
        kind, depth = kind_and_depth(known.model)
        frame = each.frame(rows)
        if len(frame):
            own = (each.experiment, kind, depth, each.seed, known.recipe.iterations)
            frames.append(frame.assign(**dict(zip(NETWORK, own, strict=True))))
    return stacked(frames, [*COLUMNS[rows], *NETWORK])


def once(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows without those of a record's own network where its weights along the way reach the end of the recipe.

    The record's own network may be of another run, so a moment would be there twice.
    """
    return frame if frame.empty else frame.loc[~((frame.origin == "record") & (_last(frame) == frame.iteration))]


def through_training(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of those networks alone whose weights along the way were measured, a moment once."""
    return frame if frame.empty else once(frame.loc[_last(frame).notna()])


def _last(frame: pd.DataFrame) -> pd.Series:
    """For each row the last iteration on the way of its network; not a number where there is none."""
    along = frame.iteration.where(frame.origin == "along the way")
    return along.groupby([frame[name] for name in NETWORK]).transform("max")


def likeness_table(found: Iterable[SignalRecord], runs: Iterable[Record], noises: Iterable[float]) -> pd.DataFrame:
    """How alike pixel gradients at pictures nearby are before training and after it, beside the last errors (%).

    A row a record of which both were measured, by steps, depth, kind and seed; two columns a noise. After training, in
    the network whose errors ``runs`` has. Raises ValueError for a noise that was not measured.
    """
    of_run, noises = {(run.experiment, run.seed): run for run in runs}, list(noises)
    rows = []
    for each in found:
        likeness = {
            stage.iteration > 0: {near.distance: near.cosine for near in stage.distances}
            for stage in each.stages
            if stage.iteration == 0 or stage.origin == "record"
        }
        run = of_run.get((each.experiment, each.seed))
        if run and len(likeness) == 2:
            kind, depth = kind_and_depth(run.model["name"])
            row = {"steps": run.recipe["iterations"], "depth": depth, "kind": kind, "seed": each.seed}
            for noise in noises:
                if noise not in likeness[True]:
                    raise ValueError(f"noises={noise:g}: measured at {', '.join(f'{one:g}' for one in likeness[True])}")
                row |= {f"{noise:g}, {when}": likeness[when == "after"][noise] for when in ("before", "after")}
            rows.append(row | {"training error (%)": run.train_error, "test error (%)": run.test_error})
    whose = ["steps", "depth", "kind", "seed"]
    return pd.DataFrame(rows).set_index(whose).sort_index() if rows else pd.DataFrame()


def with_moves(layers: pd.DataFrame) -> pd.DataFrame:
    """The rows of layers with three columns more: stage, longer and moved.

    stage: 1 to 3, the stem in the first. longer: how many times as long as before training the weights are. moved: the
    length of one step of gradient descent at a rate of ``RATE``, as a share of that of the weights.
    """
    start = layers[layers.iteration == 0].set_index([*NETWORK, "layer"]).weight_norm.rename("start")
    start = layers.join(start, on=[*NETWORK, "layer"]).start
    return layers.assign(
        stage=(layers.layer - 2).clip(lower=0) // ((layers.depth - 2) // STAGES) + 1,
        longer=layers.weight_norm / start,
        moved=RATE * layers.gradient_norm / layers.weight_norm,
    )


def factors(deep: pd.DataFrame, shallow: pd.DataFrame) -> pd.DataFrame:
    """How many times less a step moves the layers of a deep network than those of a shallow one, as two factors.

    Takes rows of ``with_moves``. A row a kind and stage; for each moment (iteration, origin) that both networks have,
    like with like: *length²*, the square of how many times as long the weights of the deep network are, *gradient*, how
    many times smaller the gradient would be at equal length, and *product*, how many times less a step moves them. Of
    geometric means over the layers of a stage.
    """
    where = ["kind", "stage", "iteration", "origin"]

    def means(layers: pd.DataFrame) -> Any:
        logarithms: Any = np.log(layers[["weight_norm", "moved"]])
        return logarithms.groupby([layers[name] for name in where]).mean()

    apart = (means(deep) - means(shallow)).dropna()
    length, product = 2 * apart.weight_norm, -apart.moved
    each: Any = np.exp(pd.DataFrame({"length²": length, "gradient": product - length, "product": product}))
    table = each.unstack(["iteration", "origin"]).reorder_levels([1, 2, 0], axis=1)
    return table.sort_index(axis=1, level=[0, 1], sort_remaining=False)


def plot_along(
    frame: pd.DataFrame,
    ax: Axes,
    measure: str,
    label: str,
    along: Literal["block", "layer"] = "block",
) -> Axes:
    """A measurement against the block or the layer, a line a moment of one training, from pale to full colour.

    Dotted lines stand where a stage begins. ``add_moments`` draws the legend.
    """
    ax.set(xlabel=f"{along}, from the images to the classes", ylabel=label)
    if frame.empty:
        return say_nothing_recorded(ax)
    for moment, look_of_moment in _moments(frame.iteration.unique(), COLOURS[frame.kind.iloc[0]]):
        rows: Any = frame[frame.iteration == moment].groupby(along)[measure].mean()
        ax.plot(rows.index, rows, **look_of_moment)
    before, last = (0 if along == "block" else 1), int(max(frame[along]))  # the stem is a layer of no stage
    for stage in range(1, STAGES):
        begins = before + stage * (last - before) / STAGES + 0.5
        ax.axvline(begins, color=COLOURS["neutral"], linestyle=":", linewidth=1)
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1,) if high > 1_000 * low else (1, 2, 5)))
    few = high < 1e5 * low
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}") if few else LogFormatterMathtext())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def plot_twins_along(
    figure: Figure, frame: pd.DataFrame, measures: dict[str, str], along: Literal["block", "layer"]
) -> Figure:
    """``plot_along`` of a pair, plain left, residual right, a row a measurement, and one legend of the moments below.

    ``measures``: the label of each column drawn.
    """
    rows = figure.subplots(len(measures), 2, sharex=True, sharey="row", squeeze=False)
    for row, (measure, label) in zip(rows, measures.items(), strict=True):
        for ax, kind in zip(row, KINDS, strict=True):
            plot_along(frame.loc[frame.kind == kind], ax, measure, label, along=along)
            ax.set_title(kind if ax in rows[0] else "")
            ax.label_outer()
    add_moments(figure, frame.iteration.unique())
    return figure


def add_moments(figure: Figure, moments: Iterable[int]) -> None:
    """One legend below all panels that ``plot_along`` drew: which line is which iteration, in grey for all kinds."""
    handles = [Line2D([], [], **look_of_moment) for _, look_of_moment in _moments(moments, COLOURS["neutral"])]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9, title="iteration")


def _moments(moments: Iterable[int], colour: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """A few of the moments, and how to draw them."""
    few, full = _few(sorted(moments)), to_rgb(colour)
    for place, (moment, marker) in enumerate(zip(few, MARKERS, strict=False)):
        white = PALEST * (1 - place / max(1, len(few) - 1))
        shade = tuple(white + (1 - white) * part for part in full)
        yield moment, {"color": shade, "marker": marker, "markersize": 3.5, "linewidth": 1.5, "label": f"{moment:,}"}


def plot_moments(frame: pd.DataFrame, ax: Axes, measure: str, label: str, spread: str | None = None) -> Axes:
    """A cosine against the iteration, a line a network: the mean over its rows, a band of a standard deviation.

    The band ends at 1, where a cosine does. ``spread``: a column that holds the standard deviation already.
    """
    ax.set(xlabel="iteration", ylabel=label)
    if frame.empty:
        return say_nothing_recorded(ax)
    ax.axhline(0, color=COLOURS["neutral"], linewidth=0.8, zorder=1)
    for group, style in _networks(frame):
        each: Any = group.groupby("iteration")[measure].agg(["mean", "std"])
        width = group.groupby("iteration")[spread].mean() if spread else each["std"].fillna(0)
        ax.plot(each.index, each["mean"], marker="o", markersize=2.5, **style)
        top = (each["mean"] + width).clip(upper=1)
        ax.fill_between(each.index, each["mean"] - width, top, color=style["color"], alpha=0.15, lw=0)
    _iterations(ax, frame.iteration.max())
    return ax


def plot_against_depth(frame: pd.DataFrame, ax: Axes, measure: str, label: str) -> Axes:
    """A measurement against depth, a line a kind: the mean over its rows, bars of a standard deviation."""
    ax.set(xlabel="depth (layers)", ylabel=label)
    if frame.empty:
        return say_nothing_recorded(ax)
    for kind, group in frame.groupby("kind"):
        each: Any = group.groupby("depth")[measure].agg(["mean", "std"])
        each = each.fillna(0)
        ax.errorbar(
            each.index, each["mean"], yerr=each["std"], fmt="o-", capsize=3, color=COLOURS[str(kind)], label=kind
        )
    ax.set_xticks(sorted({*map(int, frame.depth)}))
    ax.legend()
    return ax


def _networks(frame: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, dict[str, Any]]]:
    """Each run's rows and how to draw them, plain first; runs of one network but for the seed are labelled once."""
    named, each = set(), frame.groupby(NETWORK)
    for (experiment, kind, depth, _, _), group in each:  # type: ignore[misc]
        yield group, look(kind, depth, (experiment, kind, depth) not in named) | {"linewidth": 1.5}
        named.add((experiment, kind, depth))


def _iterations(ax: Axes, last: int) -> None:
    """A logarithmic axis of iterations that has a place for 0, too."""
    ax.set_xscale("symlog", linthresh=1)
    ticks = [0, *(10**power for power in range(9) if 10**power <= last)]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())


def _few(moments: list[int]) -> list[int]:
    """At most ``MOMENTS_SHOWN`` of the moments, evenly chosen, the first and the last among them."""
    if len(moments) <= MOMENTS_SHOWN:
        return moments
    step = (len(moments) - 1) / (MOMENTS_SHOWN - 1)
    return [moments[round(place * step)] for place in range(MOMENTS_SHOWN)]
