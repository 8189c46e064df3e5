"""Draw feature studies, and lay their numbers out in a table. Nothing here loads files."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from torch import Tensor

from resnet_book.analysis import purity, study
from resnet_book.analysis.study import Study
from resnet_book.engine.checks import whole
from resnet_book.experiments.records import Record
from resnet_book.report import feature_picture, tables
from resnet_book.report.figures import COLOURS, say_nothing_recorded

MEANS = ("purity", "untrained_purity")
COLUMNS = [  # those that the chapters use, also where there is no study
    *("kind", "depth", "recipe", "iterations", "test_error", "chance_purity"),
    *("selectivity", "floor", "selectivity_above_floor"),
    *(f"{mean}{end}" for mean in MEANS for end in ("", "_low", "_high")),
    *("features", "shared", "untrained_shared", "untrained_led", "untrained_leaders", "tied_at_zero"),
]


def study_frame(studied: Mapping[str, tuple[Record, Study]]) -> pd.DataFrame:
    """A row for each of ``studies.recorded_studies``: short trainings first, then shallow networks, then plain ones.

    Index: the experiment without its dataset. Columns: kind, depth, recipe, iterations, test_error, the mean over the
    features of their class selectivity (selectivity), of their lowest class mean as a share of the largest (floor), and
    of their selectivity once the lowest is subtracted from all (selectivity_above_floor), how many images two rows
    share on average (shared, untrained_shared), how many rows the class leads alone that leads most of them before
    training (untrained_led), its name, or the names of several that lead as many (untrained_leaders), and those of
    ``study.summary``.
    """
    rows = {}
    for name, (record, found) in studied.items():
        kind, depth = tables.kind_and_depth(record.model["name"])
        means, lowest, largest = found.class_means, *found.class_means.aminmax(dim=0)
        leading = purity.leading_class(found.untrained_most, found.labels, len(found.class_names))
        led = leading[leading >= 0].bincount(minlength=len(found.class_names)).tolist()
        leaders = [each for each, count in zip(found.class_names, led, strict=True) if count == max(led) > 0]
        rows[name.replace(f"-{record.dataset['name']}", "")] = {
            "kind": kind,
            "depth": depth,
            "recipe": record.recipe_name,
            "iterations": record.recipe["iterations"],
            "test_error": record.test_error,
            "selectivity": purity.selectivity(means).mean().item(),
            "floor": (lowest / largest.clamp(min=torch.finfo(means.dtype).tiny)).mean().item(),
            "selectivity_above_floor": purity.selectivity(means - lowest).mean().item(),
            "shared": purity.shared_images(found.most),
            "untrained_shared": purity.shared_images(found.untrained_most),
            "untrained_led": max(led),
            "untrained_leaders": ", ".join(leaders),
            **study.summary(found),
        }
    frame = pd.DataFrame.from_dict(rows, orient="index") if rows else pd.DataFrame(columns=COLUMNS, dtype=float)
    return frame.sort_values(["iterations", "depth", "kind"])


def plot_means(frame: pd.DataFrame, ax: Axes, measure: str, label: str) -> Axes:
    """A measure of the rows of several networks before and after training: two dots and the line between, and chance.

    ``frame``: a row a network, its index the names, with the columns of ``study.summary``, ``kind``, "plain" or
    "residual", and ``test_error``, which stands behind the name. ``measure``: "purity", say, described by ``label``.
    """
    if frame.empty:
        say_nothing_recorded(ax)
    places = np.arange(len(frame))[::-1]  # the first on top
    for place, (_, row) in zip(places, frame.iterrows(), strict=True):
        before, after, colour = row[f"untrained_{measure}"], row[measure], COLOURS[str(row["kind"])]
        ax.plot([before, after], [place, place], color=colour, linewidth=1)
        ax.plot([before], [place], "o", color=colour, mfc="white")
        ax.plot([after], [place], "o", color=colour)
    for kind in ("plain", "residual"):
        ax.plot([], [], "o", color=COLOURS[kind], mfc="white", label=f"{kind}, before training")
        ax.plot([], [], "o", color=COLOURS[kind], label=f"{kind}, trained")
    for chance in set(frame[f"chance_{measure}"].round(6)):
        ax.axvline(chance, color=COLOURS["accent"], linestyle="--", label="drawn at random")
    ax.legend()
    ax.set_yticks(places, [f"{name} ({row['test_error']:.1f} %)" for name, row in frame.iterrows()])
    ax.set_ylim(-0.6, len(frame) - 0.4)
    ax.set_xlabel(label)
    ax.set_ylabel("network (test error)")
    return ax


def plot_positions(positions: Tensor, groups: Tensor, names: Sequence[str], ax: Axes, shares: Tensor) -> Axes:
    """Images as dots on a plane: positions (N, 2), coloured by ``groups`` (N,), which are ``names``.

    ``shares`` (2,): of the variance along each axis, for its label. Both axes have one scale. Dots are drawn in the
    order of the images, so no class lies on top of the others.
    """
    palette = np.array(feature_picture.class_colours(len(names)))
    size = 4 if len(positions) > 5_000 else 14
    ax.scatter(*positions.T.numpy(), c=palette[groups.numpy()], s=size, alpha=0.7, linewidths=0)
    for name, colour in zip(names, palette, strict=True):
        ax.scatter([], [], c=colour, s=24, label=name.replace("_", " "))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.2, fontsize=9)
    for number, (axis, share) in enumerate(zip((ax.xaxis, ax.yaxis), shares.tolist(), strict=True), start=1):
        axis.set_label_text(f"component {number} ({100 * share:.0f} %)")
    ax.set_aspect("equal")
    return ax


def show_row_classes(shown: Study, ax: Axes, every: int = 1) -> Axes:
    """The whole picture without images: a line a feature, purest on top, each cell the colour of one image's class.

    Least relevant images on the left, most relevant on the right, as in ``feature_picture.draw``; of a dataset with
    superclasses, their colours. Drawn from the study alone. ``every``: of so many features one is drawn. Raises
    ValueError for an ``every`` below 1.
    """
    names, group = feature_picture.groups(shown)
    palette, blank = feature_picture.class_colours(len(names)), len(names)
    order = shown.purest_first[:: whole("every", every, 1)]
    halves = [group[indices[order]].numpy() for indices in (shown.least, shown.most)]  # (C, k) each
    cells = np.concatenate([halves[0], np.full((len(order), 1), blank), halves[1]], axis=1)
    places = (-0.5, cells.shape[1] - 0.5, every * len(order) - 0.5, -0.5)  # a line is as thick as its features
    ax.imshow(cells, ListedColormap([*palette, "white"]), aspect="auto", vmin=0, vmax=blank, extent=places)
    ax.set_xticks([(shown.k - 1) / 2, shown.k + (shown.k + 1) / 2], ["least relevant", "most relevant"])
    ax.set_ylabel("features, purest first" + (f", one of {every}" if every > 1 else ""))
    ax.grid(False)
    for name, colour in zip(names, palette, strict=True):
        ax.scatter([], [], c=colour, marker="s", label=name.replace("_", " "))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8 if blank <= 10 else 6)
    return ax
