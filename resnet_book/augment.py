"""Augment whole batches of images, as the paper's recipe does, and normalise them for the network.

Images are uint8 (N, 3, H, W). Every function works on the batch's own device, without a loop over images. ``sample``
alone is random, and takes an explicit generator; ``apply`` crops and mirrors as sampled, and is deterministic. Source
of the recipe: He et al. 2015, section 4.2 ("4 pixels are padded on each side, and a 32x32 crop is randomly sampled from
the padded image or its horizontal flip").
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from resnet_book.engine.checks import described, one_of, real, require_generator, whole

PaddingMode = Literal["zeros", "edge", "reflect"]


def sample(count: int, generator: torch.Generator, padding: int = 4, flip_probability: float = 0.5) -> Tensor:
    """Random crops and flips for ``count`` images: (3, count) int64 on the generator's device, for ``apply``.

    Its rows: row and column of the crop's corner in the padded image, 0 to 2 ``padding``, and 1 where the image is
    mirrored, else 0. Raises ValueError for a negative padding or count, a probability outside 0 to 1, or a seed in
    place of a ``generator``.
    """
    require_generator(generator)
    count, padding = whole("count", count, 0), whole("padding", padding, 0)
    flip_probability = real("flip_probability", flip_probability, 0, 1)
    corners = torch.randint(0, 2 * padding + 1, (2, count), generator=generator, device=generator.device)
    mirrored = torch.rand(count, generator=generator, device=generator.device) < flip_probability
    return torch.cat([corners, mirrored[None].long()])


def apply(images: Tensor, sampled: Tensor, padding: int = 4, mode: PaddingMode = "zeros") -> Tensor:
    """Crop and mirror each image as ``sampled`` (3, N) says: (N, C, S, S) of any dtype -> the same shape and dtype.

    Give the ``padding`` that ``sample`` was given: with a larger one the crops would lie off the centre. Raises
    ValueError for images that are not square, and as ``pad`` does.
    """
    height, width = images.shape[-2:]
    if height != width:
        raise ValueError(f"images of {height} x {width} pixels: apply takes square ones; use pad and crop_at")
    top, left, mirrored = sampled
    return flip_where(crop_at(pad(images, padding, mode), top, left, width), mirrored)


def flip_where(images: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror the images (N, C, H, W) where ``mirrored`` (N,), bool or int64, is true or 1."""
    both = torch.cat([images, images.flip(-1)])  # (2 N, C, H, W)
    each = torch.arange(len(images), device=images.device)
    return both.index_select(0, each + len(images) * mirrored)  # moves whole images, not pixel by pixel


def crop_at(images: Tensor, top: Tensor, left: Tensor, size: int = 32) -> Tensor:
    """Cut a ``size`` x ``size`` window out of each image, its corner at row ``top``, column ``left`` (N,) int64.

    In memory the rows of a plane follow each other, so from its first pixel to its last a window is one run of
    numbers. Moving runs is much faster than moving pixels; what lies between the window's rows is then skipped.
    A corner lies in 0 to H - size, 0 to W - size: IndexError beyond that (on a GPU, torch reports it later), while a
    negative one would count from the other end.
    """
    count, channels, height, width = images.shape
    pixel = torch.arange(height * width, device=images.device).view(height, width)  # place in its plane
    corners = pixel[: height - size + 1, : width - size + 1][top, left]  # (N,)
    planes = torch.arange(count * channels, device=images.device).view(count, channels) * (height * width)
    starts = planes + corners[:, None]  # (N, C): place in the whole batch
    length = (size - 1) * width + size
    runs = images.flatten().unfold(0, length, 1)  # a view: the run of ``length`` pixels from every place
    cut = runs.index_select(0, starts.flatten()).view(count, channels, length)
    return cut.unfold(2, size, width)  # (N, C, size, size), a view: of each row's ``width`` pixels, the first ``size``


def pad(images: Tensor, padding: int, mode: PaddingMode = "zeros") -> Tensor:
    """Add ``padding`` pixels to each side: (N, C, H, W) -> (N, C, H + 2 padding, W + 2 padding), same dtype.

    ``mode``: "zeros" (black), "edge" (repeat the border pixel), "reflect" (mirror, without repeating the border).
    Raises ValueError for another mode, a negative padding, or a reflection wider than the image.
    """
    one_of("mode", mode, get_args(PaddingMode))
    height, width = images.shape[-2:]
    padding = whole("padding", padding, 0)
    if mode == "reflect" and padding >= min(height, width):
        raise ValueError(f"padding={padding}: must be below {min(height, width)} to reflect")
    if mode == "zeros":
        return F.pad(images, (padding, padding, padding, padding))
    left, right = _border_sources(width, padding, mode, images.device)
    images = torch.cat([images[..., left], images, images[..., right]], dim=3)  # (N, C, H, W + 2 padding)
    top, bottom = _border_sources(height, padding, mode, images.device)
    return torch.cat([images[:, :, top], images, images[:, :, bottom]], dim=2)


def _border_sources(length: int, padding: int, mode: PaddingMode, device: torch.device) -> tuple[Tensor, Tensor]:
    """Which pixels of a line of ``length`` the ``padding`` new ones before it, and those after it, repeat."""
    outwards = torch.arange(1, padding + 1, device=device) if mode == "reflect" else torch.zeros(padding, device=device)
    outwards = outwards.long()  # distance of the source from the border, for new pixels ever farther out
    return outwards.flip(0), length - 1 - outwards


def normalise(images: Tensor, mean: Tensor | Sequence[float], std: Tensor | Sequence[float]) -> Tensor:
    """(images - mean) / std for each channel: (N, C, H, W) of any dtype -> float32 (N, C, H, W), a new tensor.

    ``mean`` and ``std`` (C,) are in units of pixel values, 0 to 255. Raises ValueError for another number of them, and,
    unless they are tensors, as ``channel_values`` does.
    """
    mean = mean if isinstance(mean, Tensor) else torch.tensor(channel_values("mean", mean))
    std = std if isinstance(std, Tensor) else torch.tensor(channel_values("std", std))
    for name, values in (("mean", mean), ("std", std)):
        if values.shape != images.shape[1:2]:
            raise ValueError(f"{name}: give one for each of {images.shape[1]} channels, found {tuple(values.shape)}")
    mean, std = mean.to(images.device), std.to(images.device)
    scale = (1 / std)[:, None, None]
    shift = (-mean / std)[:, None, None]
    return images.to(torch.float32, copy=True).mul_(scale).add_(shift)


def channel_values(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """``values`` as three floats for red, green and blue, checked: means or standard deviations ("std"), 0 to 255.

    Raises ValueError, with ``name``, for another number of them, values out of range, and values in units of 0 to 1, as
    torchvision and most published networks give them.
    """
    expected = "give three numbers for red, green and blue, in units of pixel values, 0 to 255"
    shape = getattr(values, "shape", (len(values),) if isinstance(values, Sequence) else ())
    if isinstance(values, str) or tuple(shape) != (3,):
        raise ValueError(f"{name}={values!r}: {expected}")
    above = 0 if name == "std" else None
    checked = tuple(real(name, value, 0, 255, above=above) for value in values)
    if are_fractions(checked):
        raise ValueError(f"{name}={checked}: these look like units of 0 to 1; {expected} (255 times these)")
    return checked


def are_fractions(values: Sequence[float]) -> bool:
    """Whether means or standard deviations look like those of pixels from 0 to 1."""
    return max(values) < 1 and any(values)


def channel_mean_std(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over all images (N, C, H, W), uint8 -> two float32 (C,), 0 to 255.

    Computed from the histogram of pixel values, so exact sums, in little memory, the same on every machine. Raises
    ValueError for another dtype or shape, and for no images.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.numel() == 0:
        raise ValueError(f"images: expected uint8 (N, C, H, W), one image or more, found {described(images)}")
    values = torch.arange(256, dtype=torch.float64)
    statistics = []
    for channel in range(images.shape[1]):
        pixels = images[:, channel].flatten().cpu()
        counts = torch.bincount(pixels, minlength=256).double()
        mean = (counts * values).sum() / counts.sum()
        variance = (counts * (values - mean) ** 2).sum() / counts.sum()
        statistics.append((mean, variance.sqrt()))
    means, stds = zip(*statistics, strict=True)
    return torch.stack(means).float(), torch.stack(stds).float()
