"""Draw what chapter 10 shows: signals, gradients, and what they predict, through training.

Colours as everywhere: plain orange, residual blue; a training's moments go from pale to full colour. Every function
draws into the ``ax`` it is given and returns it; where nothing is recorded it says so. Frames have a column each for
the network: kind ("plain" or "residual"), depth, seed, recipe_iterations; and for the moment: iteration, origin.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

from resnet_book.experiments import catalogue
from resnet_book.experiments.signal_records import BlockRow, DistanceRow, LayerRow, PredictionRow, SignalRecord
from resnet_book.report.figures import COLOURS, LINE_STYLES, say_nothing_recorded
from resnet_book.report.tables import kind_and_depth

PALEST = 0.72  # share of white in the colour of a training's first moment
MOMENTS_SHOWN = 6  # lines in a panel, at most
STARTS = {False: ("as usual", COLOURS["residual"]), True: ("last norms at zero", COLOURS["accent"])}
NETWORK = ["kind", "depth", "seed", "recipe_iterations"]
COLUMNS = {
    "layers": [*LayerRow.model_fields],
    "blocks": [*BlockRow.model_fields],
    "predictions": [*PredictionRow.model_fields],
    "distances": [*DistanceRow.model_fields],
    "starts": ["zeroed", "loss"],
}


def of_networks(
    found: Iterable[SignalRecord], rows: Literal["layers", "blocks", "predictions", "distances", "starts"]
) -> pd.DataFrame:
    """The rows of all records, with whose they are. Empty, with the same columns, where there are none."""
    frames = []
    for each in found:
        known = catalogue.get(each.experiment)
        kind, depth = kind_and_depth(known.model)
        frame = each.start_frame if rows == "starts" else each.frame(rows)
        if len(frame):
            own = {"kind": kind, "depth": depth, "seed": each.seed, "recipe_iterations": known.recipe.iterations}
            frames.append(frame.assign(**own))
    if frames:
        return pd.concat(frames, ignore_index=True)
    return pd.DataFrame(columns=[*NETWORK, "iteration", "origin", *COLUMNS[rows]], dtype=float)


def through_training(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of those networks alone whose weights along the way were measured.

    Where these reach the end of the recipe, without the record's own network, which may be of another run.
    """
    if frame.empty:
        return frame
    on_the_way = frame.origin == "along the way"
    last = frame.iteration.where(on_the_way).groupby([frame[name] for name in NETWORK]).transform("max")
    return frame.loc[last.notna() & ~((frame.origin == "record") & (last == frame.recipe_iterations))]


def plot_stages(frame: pd.DataFrame, ax: Axes, measure: str, label: str, log: bool = True) -> Axes:
    """A measurement against the layer, a line a moment of one training, from pale to full colour."""
    ax.set(xlabel="layer, from the images to the classes", ylabel=label)
    if frame.empty:
        return say_nothing_recorded(ax)
    colour = to_rgb(COLOURS[frame.kind.iloc[0]])
    moments = _few(sorted(frame.iteration.unique()))
    for place, moment in enumerate(moments):
        white = PALEST * (1 - place / max(1, len(moments) - 1))
        shade = tuple(white + (1 - white) * part for part in colour)
        rows: Any = frame[frame.iteration == moment].groupby("layer")[measure].mean()
        ax.plot(rows.index, rows, color=shade, marker="o", markersize=3.5, linewidth=1.5, label=f"{moment:,}")
    ax.set_yscale("log" if log else "linear")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(title="iteration", fontsize=8, title_fontsize=8, ncols=2)
    return ax


def plot_moments(frame: pd.DataFrame, ax: Axes, measure: str, label: str, spread: str | None = None) -> Axes:
    """A measurement against the iteration, a line a network: the mean over its rows, a band of a standard deviation.

    ``spread``: a column that holds the standard deviation already.
    """
    ax.set(xlabel="iteration", ylabel=label)
    if frame.empty:
        return say_nothing_recorded(ax)
    for group, style in _networks(frame):
        each: Any = group.groupby("iteration")[measure].agg(["mean", "std"])
        width = group.groupby("iteration")[spread].mean() if spread else each["std"].fillna(0)
        ax.plot(each.index, each["mean"], marker="o", markersize=3.5, **style)
        ax.fill_between(each.index, each["mean"] - width, each["mean"] + width, color=style["color"], alpha=0.15, lw=0)
    _iterations(ax, frame.iteration.max())
    return ax


def plot_depths(frame: pd.DataFrame, ax: Axes, measure: str, label: str) -> Axes:
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


def plot_starts(frame: pd.DataFrame, ax: Axes) -> Axes:
    """The loss of a training's first steps from two beginnings: the mean over seeds, a band from lowest to highest."""
    ax.set(xlabel="iteration", ylabel="loss of the batch (nats)")
    if frame.empty:
        return say_nothing_recorded(ax)
    for zeroed, group in frame.groupby("zeroed"):
        name, colour = STARTS[bool(zeroed)]
        each = group.groupby("iteration").loss.agg(["mean", "min", "max"])
        ax.plot(each.index, each["mean"], color=colour, label=name, linewidth=1.6)
        ax.fill_between(each.index, each["min"], each["max"], color=colour, alpha=0.15, lw=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_yscale("log")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_yticks([tick for tick in (0.5, 1, 2, 3, 5, 10, 20, 50) if ax.get_ylim()[0] <= tick <= ax.get_ylim()[1]])
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return ax


def _networks(frame: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, dict[str, Any]]]:
    """Each run's rows and how to draw them, plain first; runs of one network but for the seed are labelled once."""
    named, each = set(), frame.groupby(NETWORK)
    for (kind, depth, _, recipe), group in each:  # type: ignore[misc]
        label = f"{kind}, {depth} layers"
        style = {"color": COLOURS[kind], "linestyle": LINE_STYLES.get(depth, "-"), "linewidth": 1.5}
        yield group, style | {"label": f"_{label}" if (label, recipe) in named else label}
        named.add((label, recipe))


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
