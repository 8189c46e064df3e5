"""Draw data frames and images with matplotlib. Nothing here loads or trains.

One palette for one meaning through the whole book: plain and residual networks keep their colours (Okabe and Ito's,
which colour-blind readers tell apart). Every ``plot`` and ``show`` function draws into the ``ax`` it is given and
returns it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from torch import Tensor

from resnet_book.engine.checks import checked_indices, whole

KINDS = ("plain", "residual")
GAP = 2  # white pixels between two images of a picture
COLOURS = {"plain": "#D55E00", "residual": "#0072B2", "neutral": "#666666", "accent": "#009E73"}

STYLE = {
    "figure.figsize": (7.2, 4.0),
    "figure.dpi": 144,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.axisbelow": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "figure.constrained_layout.use": True,
}


def use_style() -> None:
    """Make matplotlib draw as the book does, from here on."""
    plt.rcParams.update(STYLE)  # type: ignore[call-overload]


def to_pixels(images: Tensor) -> np.ndarray:
    """Images (N, 3, H, W) or one (3, H, W), uint8 or float in 0 to 1 -> the same with channels last, for imshow."""
    return images.detach().cpu().movedim(-3, -1).numpy()


def show_image(image: Tensor, ax: Axes, title: str = "") -> Axes:
    """One image (3, H, W), uint8 or float in 0 to 1, without ticks."""
    ax.imshow(to_pixels(image))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.grid(False)
    ax.set_title(title)
    return ax


def show_grid(images: Tensor, ax: Axes, columns: int, gap: int = GAP) -> Axes:
    """Images (N, 3, H, W) uint8 in rows of ``columns``, ``gap`` white pixels apart, as one picture.

    Raises ValueError for images of another dtype or shape, or none, and for fewer than one column.
    """
    columns, gap = whole("columns", columns, 1), whole("gap", gap, 0)
    if images.dtype != torch.uint8 or images.ndim != 4 or len(images) == 0:
        found = f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
        raise ValueError(f"images: expected uint8 (N, 3, H, W), one image or more, found {found}")
    full_rows = F.pad(images, (0, 0, 0, 0, 0, 0, 0, -len(images) % columns), value=255)  # white images at the end
    picture = _tiles(full_rows.unflatten(0, (-1, columns)), gap)
    ax.imshow(picture[: len(picture) - gap, : picture.shape[1] - gap])
    ax.set_axis_off()
    return ax


def show_rows(images: Tensor, names: Sequence[str], ax: Axes) -> Axes:
    """Images (rows, columns, 3, H, W) uint8 as ``show_grid`` draws them, each row with its name to the left."""
    rows, columns, _, height, _ = images.shape
    show_grid(images.flatten(0, 1), ax, columns)
    for row, name in zip(range(rows), names, strict=True):
        ax.text(-2 * GAP, row * (height + GAP) + height / 2, name.replace("_", " "), ha="right", va="center")
    return ax


def _tiles(images: Tensor, gap: int, above: int = 0) -> np.ndarray:
    """Images (rows, columns, 3, H, W) uint8 as one picture, channels last.

    White are ``gap`` pixels to the right of each image and below it, and ``above`` pixels above it.
    """
    framed = to_pixels(F.pad(images, (0, gap, above, gap), value=255))
    return np.vstack([np.hstack(list(row)) for row in framed])


CHANNELS = {"red": "#CC3311", "green": "#228833", "blue": "#332288"}


def plot_channel_values(images: Tensor, ax: Axes, bins: int = 64) -> Axes:
    """How the values of images (N, 3, H, W), of any dtype, are spread: a line and a dotted mean for each channel."""
    for values, (name, colour) in zip(images.unbind(dim=1), CHANNELS.items(), strict=True):
        flat = values.float().flatten().numpy()
        share, edges = np.histogram(flat, bins)
        ax.stairs(100 * share / flat.size, edges, color=colour, label=name, linewidth=1.4)
        ax.axvline(flat.mean(dtype=np.float64), color=colour, linestyle=":", linewidth=1.2)
    ax.set_xlabel("value")
    ax.set_ylabel("pixels in each bin (%)")
    ax.legend()
    return ax


def say_nothing_recorded(ax: Axes) -> Axes:
    """A sentence in the middle of axes that there is nothing to draw in."""
    ax.text(0.5, 0.5, "nothing recorded yet", transform=ax.transAxes, ha="center", color=COLOURS["neutral"])
    return ax


# A depth keeps its line through the whole book; one that is not named here is drawn solid.
LINE_STYLES = {8: ":", 20: "--", 32: "-.", 44: (0, (8, 2)), 56: "-", 110: (0, (8, 2, 1, 2, 1, 2))}


def look(kind: str, depth: int, named: bool = True) -> dict[str, Any]:
    """How the line of a network is drawn and, if ``named``, what the legend calls it: for matplotlib's ``plot``."""
    label = f"{kind}, {depth} layers" if named else None
    return {"color": COLOURS[kind], "linestyle": LINE_STYLES.get(depth, "-"), "label": label}


def add_legend(figure: Figure, ncols: int = 2) -> None:
    """One legend below all panels, with everything that they label once."""
    shown = dict[str, Any]()
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            shown.setdefault(label, handle)
    if shown:
        figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=ncols, fontsize=9)


def plot_curves(curves: pd.DataFrame, ax: Axes, drops: Iterable[int] = ()) -> Axes:
    """Error (%) against iterations, as figure 6 of the paper: training error thin, test error thick.

    ``curves``: kind, depth, seed, iteration, train_error, test_error, as ``tables.curves`` gives them. A line is the
    mean over seeds, a band from the lowest to the highest test error. ``drops``: iterations to mark, where the learning
    rate drops. Says so where there is nothing to draw.
    """
    ax.set_xlabel("iteration")
    ax.set_ylabel("error (%)")
    if curves.empty:
        return say_nothing_recorded(ax)
    for drop in drops:
        ax.axvline(drop, color=COLOURS["neutral"], linewidth=0.8, linestyle=":", zorder=0)
    for (kind, depth), group in curves.groupby(["kind", "depth"]):  # type: ignore[misc]
        test = group.pivot(index="iteration", columns="seed", values="test_error")
        train = group.pivot(index="iteration", columns="seed", values="train_error")
        ax.plot(train.index, train.mean(axis=1), linewidth=0.9, alpha=0.8, **look(kind, depth, named=False))
        ax.plot(test.index, test.mean(axis=1), linewidth=2.2, **look(kind, depth))
        if len(test.columns) > 1:
            ax.fill_between(test.index, test.min(axis=1), test.max(axis=1), color=COLOURS[kind], alpha=0.15, lw=0)
    ax.set_ylim(0, None)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))  # so that 64,000 iterations have room
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.legend(handlelength=3.5)  # long enough to tell dashes apart
    return ax


def plot_layers(frame: pd.DataFrame, ax: Axes, measure: str, label: str, log: bool = False) -> Axes:
    """A measurement against the layer where it was taken, a line a network.

    ``frame``: kind, depth, layer (1 is nearest to the images) and the column ``measure``, described by ``label``.
    """
    if frame.empty:
        return say_nothing_recorded(ax)
    for (kind, depth), group in frame.groupby(["kind", "depth"]):  # type: ignore[misc]
        ax.plot(group.layer, group[measure], **look(kind, depth))
    if log:
        ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("layer, from the images to the classes")
    ax.set_ylabel(label)
    ax.legend()
    return ax


def show_ranked(
    images: Tensor,
    left: Tensor,
    right: Tensor,
    ax: Axes,
    headings: Sequence[tuple[str, str]],
    framed_first: bool = False,
) -> Axes:
    """A row a feature: the images ``left`` names, a wide gap, the images ``right`` names, as one picture.

    ``images`` (N, 3, H, W) uint8; ``left`` and ``right`` (rows, k) int64, indices of images. ``headings``: two texts a
    row, above its left and its right half. ``framed_first``: the first image of each half has a frame. Raises
    ValueError for another number of headings than rows, and for images that are not there.
    """
    left, right = (checked_indices(*each, ("rows", "k"), len(images)) for each in (("left", left), ("right", right)))
    if len(headings) != len(left):
        raise ValueError(f"headings: expected one pair for each of {len(left)} rows, found {len(headings)}")
    height, width = images.shape[-2:]
    above = height // 2  # pixels above each row, for its headings
    one, other = (_tiles(images[chosen], GAP, above) for chosen in (left, right))
    between = np.full_like(one[:, : width // 2], 255)
    ax.imshow(np.hstack([one, between, other])[:-GAP, :-GAP])
    for row, words in enumerate(headings):
        y = row * (above + height + GAP) + above - 3
        for x, text in zip((0, one.shape[1] + width // 2), words, strict=True):
            ax.text(x, y, text, fontsize=8, va="bottom")
            if framed_first:
                corner = (x - 1, y + 2)  # half a pixel outside the image, whose first pixel is around 0
                frame = Rectangle(corner, width + 1, height + 1, fill=False, edgecolor="black", lw=1.5, clip_on=False)
                ax.add_patch(frame)
    ax.set_axis_off()
    return ax


def filter_pixels(filters: Tensor) -> Tensor:
    """Filters on colours (N, 3, H, W) -> pictures (N, 3, H, W) uint8: zero is middle grey, each filter fills its range.

    Each filter is divided by its own largest absolute weight; one that is zero everywhere is grey.
    """
    largest = filters.detach().abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    return (127.5 + 127.5 * filters.detach() / largest).round().to(torch.uint8)


def show_filters(filters: Tensor, ax: Axes, title: str = "") -> Axes:
    """Filters on colours (N, 3, H, W) in rows of 8 pictures, each weight 10 pixels wide; see filter_pixels."""
    pictures = filter_pixels(filters).repeat_interleave(10, dim=2).repeat_interleave(10, dim=3)
    show_grid(pictures, ax, columns=8, gap=5)
    ax.set_title(title)
    return ax


def purity_histogram(purities: Mapping[str, Tensor], colours: Sequence[str], chance: Tensor, ax: Axes) -> Axes:
    """How many features have how pure a row: bars for each network, and a line for images drawn at random.

    ``purities``: name -> (C,) multiples of 1 / k; ``colours``: one for each name, keys of COLOURS; ``chance``
    (k + 1,): probability of m of k images in the largest class.
    """
    if not purities:
        return say_nothing_recorded(ax)
    k, width = len(chance) - 1, 0.8 / len(purities)
    for place, ((name, purity), colour) in enumerate(zip(purities.items(), colours, strict=True)):
        counts = (purity * k).round().long().bincount(minlength=k + 1).numpy()
        x = np.arange(k + 1) + (place - (len(purities) - 1) / 2) * width
        ax.bar(x, 100 * counts / len(purity), width, color=COLOURS[colour], label=name)
    ax.plot(range(1, k + 1), 100 * chance[1:].numpy(), "o--", color=COLOURS["accent"], label="images drawn at random")
    ax.set_xlim(0.5, k + 0.5)
    ax.set_xticks(range(1, k + 1))
    ax.set_xlabel(f"images of the most frequent class among the {k} most relevant")
    ax.set_ylabel("features (%)")
    ax.legend()
    return ax
