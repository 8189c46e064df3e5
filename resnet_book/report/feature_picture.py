"""Make one large picture of a feature study, a row of images for each feature.

After mbsariyildiz/resnet-pytorch (2018): the least relevant images of a feature on the left, the most relevant ones on
the right. Ours frames each image in the colour of its class, puts the purest rows first, and breaks long columns.
"""

from io import BytesIO
from math import ceil

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from resnet_book.analysis.study import Study
from resnet_book.data import ImageSet
from resnet_book.engine.checks import checked_indices, whole
from resnet_book.experiments.study_files import StudyError

FRAME, GAP = 3, 2  # pixels around an image, between two frames
LABEL, MIDDLE, COLUMN_GAP, MARGIN = 92, 20, 28, 16  # pixels: a row's words, between its halves, between columns, around
LINE = 20  # pixels of a line of text
LEGEND_TOP = 2 * MARGIN + LINE  # below the title
MAX_PIXELS = 160_000_000  # of the whole picture, four bytes each in memory
WHITE, BLACK, GREY = (255, 255, 255), (20, 20, 20), (110, 110, 110)
PALETTE = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB", "#222255", "#EE7733", "#775511")


def class_colours(count: int) -> list[str]:
    """Colours that tell ``count`` classes apart, as far as colours can."""
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    return [to_hex(colour) for colour in matplotlib.colormaps["tab20"](np.arange(count) % 20)]


def groups(study: Study) -> tuple[tuple[str, ...], Tensor]:
    """What is coloured: names, and (N,) int64 which of them each test image is; superclasses where there are any."""
    if study.superclass_names:
        return study.superclass_names, study.superclasses[study.labels]
    return study.class_names, study.labels


def draw(
    study: Study, test: ImageSet, title: str, rows: Tensor | None = None, columns: int | None = None
) -> Image.Image:
    """The picture of the features ``rows`` (R,) int64, in that order; without them all, the purest first.

    ``columns``: of rows; without it, as many as make the picture about as wide as high.
    Raises StudyError for other images than the study's, and ValueError for a feature that is not there, an impossible
    number of columns, and a picture beyond ``MAX_PIXELS``.
    """
    if test.sha256 != study.test_sha256:
        raise StudyError(
            f"the study is of other images than these of {test.name} (SHA-256 {study.test_sha256[:12]}..., found "
            f"{test.sha256[:12]}...). Check the files with `resnet-book data {study.dataset} --check`."
        )
    rows = study.purest_first if rows is None else checked_indices("rows", rows, ("R",), len(study.most))
    if len(rows) == 0:
        raise ValueError("rows: there are none; name one feature or more")
    names, group = groups(study)
    palette = class_colours(len(names))

    # Where everything lies.
    side = test.images.shape[-1] + 2 * FRAME + GAP  # from image to image, and from row to row
    row_width = LABEL + 2 * study.k * side + MIDDLE
    if columns is None:
        columns = max(1, round((len(rows) * side / row_width) ** 0.5))
    columns = whole("columns", columns, 1, len(rows), "the number of rows")
    column_length = ceil(len(rows) / columns)
    width = columns * (row_width + COLUMN_GAP) - COLUMN_GAP + 2 * MARGIN
    legend = _legend_places(names, width - 2 * MARGIN)
    top = LEGEND_TOP + LINE * (2 + legend[-1][1])  # of the first row; the words above the columns are a line higher
    height = top + column_length * side + MARGIN
    if width * height > MAX_PIXELS:
        size = f"{width:,} x {height:,} pixels, over {MAX_PIXELS:,}"
        raise ValueError(f"k={study.k}: the picture would have {size}. Choose a smaller k.")

    picture = Image.new("RGB", (width, height), WHITE)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    pen.text((MARGIN, MARGIN), title, BLACK, ImageFont.load_default(16))
    for name, colour, (right, line) in zip(names, palette, legend, strict=True):
        x, y = MARGIN + right, LEGEND_TOP + LINE * line
        pen.rectangle((x, y, x + 12, y + 12), colour)
        pen.text((x + 18, y - 2), name.replace("_", " "), BLACK, font)

    # The rows; above the first one of each column, what its halves are.
    frames = [palette[each] for each in group.tolist()]  # of each image
    purity, pixels = study.purity, test.images.movedim(1, -1).numpy()
    for place, feature in enumerate(rows.tolist()):
        column, row = divmod(place, column_length)
        x, y = MARGIN + column * (row_width + COLUMN_GAP), top + row * side
        pen.text((x, y + 4), f"feature {feature}", BLACK, font)
        pen.text((x, y + 20), f"purity {purity[feature]:.2f}", GREY, font)
        left = x + LABEL
        for words, indices in (("least relevant", study.least), ("most relevant", study.most)):
            if row == 0:
                pen.text((left, top - LINE), words, GREY, font)
            for index in indices[feature].tolist():
                framed = ImageOps.expand(Image.fromarray(pixels[index]), FRAME, frames[index])
                picture.paste(framed, (left, y))
                left += side
            left += MIDDLE
    return picture


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
