"""Check the numbers, indices, batches and generators that readers hand in, and turn numpy's numbers into Python's."""

import math
from collections.abc import Iterable
from typing import SupportsFloat, SupportsIndex

import torch
from torch import Tensor

LARGEST = 2**63 - 1  # the largest whole number that every tensor, generator and file takes


def whole(name: str, value: SupportsIndex, low: int | None = None, high: int | None = None, most: str = "") -> int:
    """``value`` as an int, between ``low`` and ``high`` where they are given. ``most`` says in words what ``high`` is.

    Takes ints, numpy's integers and integer tensors of one element, up to ``LARGEST``. Raises ValueError, with
    ``name``, for others.
    """
    try:
        number = None if _is_bool(value) else value.__index__()
    except (AttributeError, TypeError, RuntimeError):
        number = None
    if number is not None and number > LARGEST and high is None:
        high = LARGEST
    if number is None or not (low is None or number >= low) or not (high is None or number <= high):
        raise ValueError(f"{name}={value!r}: choose a whole number{_limits(low, high)}{', ' * bool(most)}{most}")
    return number


def real(
    name: str, value: SupportsFloat, low: float = -math.inf, high: float = math.inf, *, above: float | None = None
) -> float:
    """``value`` as a finite float between ``low`` and ``high``, or larger than ``above`` where that is given.

    Takes ints, floats, numpy's numbers and tensors of one element. Raises ValueError, with ``name``, for others.
    """
    try:
        number = math.nan if _is_bool(value) or isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and low <= number <= high) or (above is not None and number <= above):
        limits = _limits(low, high)
        if above is not None:
            limits = f" above {above:g}" + f" and at most {high:g}" * (high < math.inf)
        raise ValueError(f"{name}={value!r}: choose a number{limits}")
    return number


def one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    """``value`` as a str. Raises ValueError, with ``name``, unless it is one of ``allowed``."""
    if value not in (words := tuple(allowed)):
        raise ValueError(f"{name}={value!r}: choose one of {', '.join(words)}")
    return str(value)


def checked_seed(seed: int, name: str = "seed") -> int:
    """``seed`` as an int. Raises ValueError for one that is negative or beyond ``LARGEST``."""
    return whole(name, seed, 0, LARGEST)


def require_generator(generator: object) -> None:
    """Raise ValueError for what is no generator, as a seed."""
    if not isinstance(generator, torch.Generator):
        raise ValueError(f"generator={generator!r}: make one from a seed with torch.Generator().manual_seed(seed)")


def checked_indices(name: str, values: Tensor, shape: tuple[int | str, ...], end: int | None = None) -> Tensor:
    """``values``, labels or indices, as int64: of ``shape``, where a letter is any size, from 0 to below ``end``.

    Raises ValueError, with ``name``, for others.
    """
    sizes = str(tuple(shape)).replace("'", "")
    if not isinstance(values, Tensor):
        raise ValueError(f"{name} is of type {type(values).__name__}: expected a tensor of whole numbers {sizes}")
    found = tuple(values.shape)
    fits = len(found) == len(shape) and all(size in (n, str(size)) for n, size in zip(found, shape, strict=True))
    fractional = values.is_floating_point() or values.is_complex() or values.dtype == torch.bool
    if not fits or (fractional and values.numel()):
        raise ValueError(f"{name}: expected whole numbers {sizes}, found {described(values)}")
    values = values.long()
    wrong = values < 0 if end is None else (values < 0) | (values >= end)
    if wrong.any():
        place = wrong.nonzero()[0].tolist()
        limits = "0 or above" if end is None else f"0 to {end - 1}"
        raise ValueError(f"{name}{place}={int(values[tuple(place)])}: expected {limits}")
    return values


def checked_images(
    images: Tensor,
    labels: Tensor | None = None,
    classes: int | None = None,
    weight: Tensor | None = None,
    name: str = "images",
) -> Tensor:
    """``labels`` (N,), or zeros, as int64: one for each of the normalised ``images``.

    Raises ValueError, with ``name``, for images that are not finite floats (N, 3, H, W), N from 1 up, of the type and
    on the device of a network's ``weight``; and for labels that are not one whole number for each, from 0 to below
    ``classes``, on the same device. None: any.
    """
    if not isinstance(images, Tensor):
        raise ValueError(f"{name} is of type {type(images).__name__}: expected a tensor (N, 3, H, W)")
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape or not images.is_floating_point():
        wanted = "floats (N, 3, H, W) from augment.normalise, N from 1 up"
        raise ValueError(f"{name}: expected {wanted}, found {described(images)}")
    if weight is not None and weight.dtype != images.dtype:
        raise ValueError(
            f"{name}: expected {weight.dtype} as the network's weights, found {images.dtype}; use "
            f"{name}.to({weight.dtype})"
        )
    device = images.device if weight is None else weight.device
    for each, values in ((name, images), ("labels", labels)):
        if isinstance(values, Tensor) and values.device != device:
            where = "the network is" if weight is not None else f"{name} are"
            raise ValueError(f"{each} are on {values.device}, {where} on {device}; use {each}.to({str(device)!r})")
    if not images.isfinite().all():
        raise ValueError(f"{name}: some values are not finite; was a standard deviation zero?")
    given = torch.zeros(len(images), dtype=torch.int64, device=images.device) if labels is None else labels
    return checked_indices("labels", given, (len(images),), classes)


def finite(name: str, values: Tensor) -> Tensor:
    """``values``. Raises ValueError, with ``name``, where some are infinite or not numbers."""
    if not values.isfinite().all():
        raise ValueError(f"{name}: some values are not finite")
    return values


def checked_labels(scores: Tensor, labels: Tensor) -> Tensor:
    """``labels`` (N,) as int64: one of the classes of ``scores`` (N, classes) for each image.

    Raises ValueError for others, and for scores of another shape or that are not finite: they have no best class.
    """
    if scores.ndim != 2 or not scores.isfinite().all():
        raise ValueError(
            f"scores: expected finite ones (N, classes), found {tuple(scores.shape)}"
            + ", some not finite; has the network diverged?" * (scores.ndim == 2)
        )
    return checked_indices("labels", labels, scores.shape[:1], scores.shape[1])


def require_features(features: Tensor, least: int = 1) -> None:
    """Raise ValueError unless ``features`` are finite floats (N, C), of an image or more, C at least ``least``."""
    if features.ndim != 2 or 0 in features.shape or features.shape[1] < least or not features.is_floating_point():
        wanted = f"floats (N, C), N from 1 and C from {least} up"
        raise ValueError(f"features: expected {wanted}, found {described(features)}")
    if not features.isfinite().all():
        raise ValueError("features: some are not finite; has the network diverged?")


def described(tensor: Tensor) -> str:
    """Type and shape, as "uint8 (3, 32, 32)"."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _is_bool(value: object) -> bool:
    """Whether it is one of Python, numpy or torch."""
    return str(getattr(value, "dtype", type(value).__name__)) in ("bool", "torch.bool")


def _limits(low: float | None, high: float | None) -> str:
    """ " from 0 to 1", " of at least 0" or "", with infinite limits left out."""
    low = None if low is None or low == -math.inf else low
    high = None if high is None or high == math.inf else high
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    return f" of at least {low:,}" if low is not None else f" of at most {high:,}" if high is not None else ""
