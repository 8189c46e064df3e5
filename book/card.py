"""Draw the picture that a link to the book shows elsewhere: two chains of blocks, in the book's own colours.

``python book/card.py`` writes ``book/_static/card.png``, 1200 by 630 pixels, as sites that show cards want it.
"""

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image

from resnet_book.report import figures

PATH = Path(__file__).parent / "_static" / "card.png"
SIZE, DPI = (1200, 630), 100
BLOCKS = 6


def main() -> None:
    """Draw the card and write it with as many colours as a small file has."""
    figures.use_style()
    with plt.rc_context({"figure.constrained_layout.use": False}):
        figure = plt.figure(figsize=(SIZE[0] / DPI, SIZE[1] / DPI), dpi=DPI, facecolor="white")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, SIZE[0]), ylim=(0, SIZE[1]))
    ax.set_axis_off()
    ax.text(70, 500, "Residual networks,", fontsize=50, weight="bold", color="#222222")
    ax.text(70, 420, "from the bytes up", fontsize=50, weight="bold", color="#222222")
    ax.text(70, 360, "A book of code that you can run", fontsize=25, color=figures.COLOURS["neutral"])
    _chain(ax, 235, figures.COLOURS["plain"], shortcuts=False)
    _chain(ax, 85, figures.COLOURS["residual"], shortcuts=True)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    plt.close(figure)
    Image.open(file).convert("RGB").quantize(32).save(PATH, optimize=True)
    print(f"{PATH}: {PATH.stat().st_size:,} bytes")


def _chain(ax: Axes, height: float, colour: str, shortcuts: bool) -> None:
    """Blocks from left to right in one ``colour`` around ``height``, with a shortcut around each or without."""
    width, step, size = 96, 178, 62
    arrow: dict[str, Any] = {
        "arrowstyle": "-|>",
        "mutation_scale": 22,
        "linewidth": 4,
        "color": colour,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    for block in range(BLOCKS):
        left = 100 + block * step
        ax.add_patch(
            FancyBboxPatch((left, height - size / 2), width, size, boxstyle="round,pad=0,rounding_size=12", fc=colour)
        ).set_edgecolor("none")
        ax.add_patch(FancyArrowPatch((left - step + width, height), (left, height), **arrow))
        if shortcuts:
            middle = (width - step) / 2
            ends = (left + middle, height), (left + width - middle - 4, height)
            ax.add_patch(FancyArrowPatch(*ends, connectionstyle="arc3,rad=-0.75", **{**arrow, "arrowstyle": "-"}))
    end = 100 + BLOCKS * step
    ax.add_patch(FancyArrowPatch((end - step + width, height), (end, height), **arrow))


if __name__ == "__main__":
    main()
