"""Make one large picture of a feature study, a row of images for each feature.

After mbsariyildiz/resnet-pytorch (2018): the least relevant images of a feature on the left, the most relevant ones on
the right. Ours frames each image in the colour of its class, puts the purest rows first, and breaks long columns.
"""

from dataclasses import dataclass
from io import BytesIO
from math import ceil

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from resnet_book.analysis.study import Study, StudyError
from resnet_book.data import ImageSet

FRAME, GAP = 3, 2  # pixels around an image, between two frames
LABEL, MIDDLE, COLUMN_GAP, MARGIN = 92, 20, 28, 16  # pixels: a row's words, between its halves, between columns, around
LINE = 20  # pixels of a line of text
MAX_PIXELS = 160_000_000  # of the whole picture, four bytes each in memory
WHITE, BLACK, GREY = (255, 255, 255), (20, 20, 20), (110, 110, 110)
PALETTE = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB", "#222255", "#EE7733", "#775511")


def colours(count: int) -> list[str]:
    """Colours that tell ``count`` classes apart, as far as colours can."""
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    return [to_hex(colour) for colour in matplotlib.colormaps["tab20"](np.arange(count) % 20)]


def groups(study: Study) -> tuple[tuple[str, ...], Tensor]:
    """What is coloured: names, and (N,) int64 which of them each test image is; superclasses where there are any."""
    if study.superclass_names:
        return study.superclass_names, study.superclasses[study.labels]
    return study.class_names, study.labels


@dataclass(frozen=True)
class Grid:
    """Where everything lies in a picture, in pixels."""

    side: int  # from image to image, and from row to row
    row_width: int
    columns: int
    rows: int  # in a column
    legend: list[tuple[int, int]]  # of each name: pixels from the left, line

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self.column(self.columns) - COLUMN_GAP + MARGIN, self.top + self.rows * self.side + MARGIN

    @property
    def legend_top(self) -> int:
        return 2 * MARGIN + LINE

    @property
    def top(self) -> int:
        """Of the first row; the words above the columns are a line higher."""
        return self.legend_top + LINE * (2 + self.legend[-1][1])

    def column(self, number: int) -> int:
        """Left edge of a column."""
        return MARGIN + number * (self.row_width + COLUMN_GAP)

    def halves(self, left: int) -> tuple[int, int]:
        """Left edges of the two halves of the row that begins at ``left``."""
        first = left + LABEL
        return first, first + (self.row_width - LABEL - MIDDLE) // 2 + MIDDLE


def arrange(num_rows: int, k: int, names: tuple[str, ...], side: int, columns: int | None = None) -> Grid:
    """Where everything lies in a picture of ``num_rows`` rows of ``k`` and ``k`` images, with a legend of ``names``.

    Images are ``side`` pixels apart. Raises ValueError for a picture beyond ``MAX_PIXELS``.
    """
    row_width = LABEL + 2 * k * side + MIDDLE
    columns = columns or max(1, round((num_rows * side / row_width) ** 0.5))
    legend = _legend_places(names, columns * (row_width + COLUMN_GAP) - COLUMN_GAP)
    grid = Grid(side, row_width, columns, ceil(num_rows / columns), legend)
    width, height = grid.size
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"k={k}: the picture would have {width:,} x {height:,} pixels, over {MAX_PIXELS:,}. Choose a smaller k."
        )
    return grid


def draw(
    study: Study, test: ImageSet, title: str, rows: Tensor | None = None, columns: int | None = None
) -> Image.Image:
    """The picture of the features ``rows`` (R,) int64, in that order; without them all, the purest first.

    ``columns``: of rows; without it, as many as make the picture about as wide as high.
    Raises StudyError for other images than the study's, and ValueError for a picture beyond ``MAX_PIXELS``.
    """
    if test.sha256 != study.test_sha256:
        raise StudyError(
            f"the study is of other images than these of {test.name} (SHA-256 {study.test_sha256[:12]}..., found "
            f"{test.sha256[:12]}...). Check the files with `resnet-book data {study.dataset} --check`."
        )
    rows = study.purest_first if rows is None else rows
    names, group = groups(study)
    palette = colours(len(names))
    grid = arrange(len(rows), study.k, names, test.images.shape[-1] + 2 * FRAME + GAP, columns)
    picture = Image.new("RGB", grid.size, WHITE)
    pen = ImageDraw.Draw(picture)
    _draw_words(pen, grid, title, names, palette)
    frames = [palette[each] for each in group.tolist()]  # of each image
    purity, pixels = study.purity, test.images.movedim(1, -1).numpy()
    for place, feature in enumerate(rows.tolist()):
        column, row = divmod(place, grid.rows)
        x, y = grid.column(column), grid.top + row * grid.side
        pen.text((x, y + 4), f"feature {feature}", BLACK, ImageFont.load_default(13))
        pen.text((x, y + 20), f"purity {purity[feature]:.2f}", GREY, ImageFont.load_default(13))
        for left, indices in zip(grid.halves(x), (study.least, study.most), strict=True):
            for position, index in enumerate(indices[feature].tolist()):
                framed = ImageOps.expand(Image.fromarray(pixels[index]), FRAME, frames[index])
                picture.paste(framed, (left + position * grid.side, y))
    return picture


def _draw_words(pen: ImageDraw.ImageDraw, grid: Grid, title: str, names: tuple[str, ...], palette: list[str]) -> None:
    """The title, the legend, and the words above the columns."""
    font = ImageFont.load_default(13)
    pen.text((MARGIN, MARGIN), title, BLACK, ImageFont.load_default(16))
    for name, colour, (x, line) in zip(names, palette, grid.legend, strict=True):
        y = grid.legend_top + LINE * line
        pen.rectangle((MARGIN + x, y, MARGIN + x + 12, y + 12), colour)
        pen.text((MARGIN + x + 18, y - 2), name.replace("_", " "), BLACK, font)
    for column in range(grid.columns):
        for left, words in zip(grid.halves(grid.column(column)), ("least relevant", "most relevant"), strict=True):
            pen.text((left, grid.top - LINE), words, GREY, font)


def as_jpeg(picture: Image.Image) -> bytes:
    """The picture as a JPEG file, several times smaller than PNG, for a page."""
    file = BytesIO()
    picture.save(file, "JPEG", quality=50)
    return file.getvalue()


def _legend_places(names: tuple[str, ...], width: int) -> list[tuple[int, int]]:
    """(pixels from the left, line) of each name, in lines no longer than ``width``."""
    font, places, x, line = ImageFont.load_default(13), [], 0, 0
    for name in names:
        needed = 36 + int(font.getlength(name))
        if x and x + needed > width:
            x, line = 0, line + 1
        places.append((x, line))
        x += needed
    return places
