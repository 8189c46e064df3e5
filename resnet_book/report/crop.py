"""An image in the page of chapter 2 that the reader pads, crops and mirrors, without a server."""

import base64
import json

import torch
from torch import Tensor

from resnet_book.engine.checks import whole
from resnet_book.report.assets import script_and_style
from resnet_book.report.figures import to_pixels


def movable(images: Tensor, padding: int = 4) -> str:
    """HTML of square images (N, 3, S, S) uint8, one at a time, with the window that a crop takes.

    A sentence stands there where no script runs. Raises ValueError for images of another shape or dtype, and for a
    padding that is not from 1 to S - 1.
    """
    if (
        images.dtype != torch.uint8
        or images.shape[1:2] != (3,)
        or images.shape[2:] != images.shape[-1:] * 2
        or images.shape[-1] < 2
        or not len(images)
    ):
        found = f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
        raise ValueError(f"images: expected uint8 (N, 3, S, S), N from 1 up, S from 2, found {found}")
    pixels = to_pixels(images)
    whole("padding", padding, 1, pixels.shape[1] - 1)
    script, style = script_and_style("crop")
    encoded = [base64.b64encode(each.tobytes()).decode("ascii") for each in pixels]
    data = json.dumps({"images": encoded, "size": pixels.shape[1], "padding": padding})
    return (
        f'<div class="crop" role="group" aria-label="An image to crop"><style>{style}</style>'
        '<p class="crop-still">Here is an image to crop by hand; it takes JavaScript.</p>'
        f'<script type="application/json">{data}</script><script>{script}</script></div>'
    )
