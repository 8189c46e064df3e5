"""Figures: data frames and images enter, matplotlib Axes leave. Nothing here loads or trains.

One palette for one meaning through the whole book: plain and residual networks keep their colours (Okabe and Ito's,
which colour-blind readers tell apart). Every function draws into the ``ax`` it is given and returns it.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

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
    plt.rcParams.update(STYLE)


def to_pixels(images: Tensor) -> np.ndarray:
    """Images (N, 3, H, W) or one (3, H, W), uint8 or float in 0 to 1 -> the same with channels last, for imshow."""
    return images.detach().cpu().movedim(-3, -1).numpy()


def show_image(image: Tensor, ax: Axes, title: str = "") -> Axes:
    """One image (3, H, W), uint8 or float in 0 to 1, without ticks."""
    ax.imshow(to_pixels(image))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.set_title(title)
    return ax


def show_grid(images: Tensor, ax: Axes, columns: int, gap: int = 2) -> Axes:
    """Images (N, 3, H, W) uint8 in rows of ``columns``, ``gap`` white pixels apart, as one picture."""
    count, _, height, width = images.shape
    rows = -(-count // columns)
    picture = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for index, pixels in enumerate(to_pixels(images)):
        row, column = divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        picture[top : top + height, left : left + width] = pixels
    ax.imshow(picture)
    ax.set_axis_off()
    return ax
