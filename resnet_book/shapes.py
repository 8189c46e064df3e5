"""Make the built-in images: ten classes of small shapes, so that every page runs with no download.

Images are (N, 3, 32, 32) uint8, labels (N,) int64, the same bytes on every machine: random numbers come from numpy's
RandomState, whose stream is frozen, and pixels from operations alone that IEEE 754 rounds exactly (+ - * / sqrt,
comparisons). Shapes are given by signed distances: negative inside, positive outside.
"""

from functools import lru_cache

import numpy as np

from resnet_book.engine.checks import one_of

CLASS_NAMES = ("disc", "ring", "square", "frame", "triangle", "plus", "bow tie", "bars", "crescent", "heart")
SIZES = {"train": 5_000, "test": 1_000}
SEEDS = {"train": 2015, "test": 1512}
SIDE, SAMPLES = 32, 2  # pixels a side; samples a pixel and side, averaged for smooth edges


def signed_distance(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Roughly how far the points (x, y) are outside the named shape, which fills about [-1, 1] x [-1, 1]; y is down.

    ``x`` and ``y`` float of shapes that broadcast -> float of their common shape. Raises ValueError for another name.
    """
    radius = np.sqrt(x * x + y * y)
    box = np.maximum(abs(x), abs(y))
    match shape:
        case "disc":
            return radius - 0.95
        case "ring":
            return abs(radius - 0.75) - 0.25
        case "square":
            return box - 0.85
        case "frame":
            return abs(box - 0.7) - 0.2
        case "triangle":
            return np.maximum(y - 0.75, abs(x) * 0.87 - y * 0.5 - 0.5)
        case "plus":
            return np.maximum(box - 1, np.minimum(abs(x), abs(y)) - 0.3)
        case "bow tie":
            return np.maximum(abs(x) - 0.95, abs(y) - 0.8 * abs(x) - 0.08)
        case "bars":
            return np.maximum(box - 0.95, 0.22 - abs(abs(y) - 0.36))
        case "crescent":
            return np.maximum(radius - 1, 0.8 - np.sqrt((x - 0.5) * (x - 0.5) + y * y))
        case "heart":
            lobes = np.sqrt((abs(x) - 0.45) * (abs(x) - 0.45) + (y + 0.35) * (y + 0.35)) - 0.55
            tip = np.maximum(abs(x) * 0.75 + y * 0.66 - 0.6, -0.25 - y)
            return np.minimum(lobes, tip)
    raise ValueError(f"shape={shape!r}: choose one of {', '.join(CLASS_NAMES)}")


@lru_cache(maxsize=2)
def make(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Make a split: images (N, 3, 32, 32) uint8, labels (N,) int64, classes in equal numbers and mixed order.

    The arrays are made once and cannot be changed: copy them. Raises ValueError for a split but "train" and "test".
    """
    random = np.random.RandomState(SEEDS[one_of("split", split, SEEDS)])
    labels = random.permutation(SIZES[split]) % len(CLASS_NAMES)
    images = np.empty((SIZES[split], 3, SIDE, SIDE), dtype=np.uint8)
    for label, shape in enumerate(CLASS_NAMES):
        images[labels == label] = _make_class(shape, int((labels == label).sum()), random)
    labels = labels.astype(np.int64)
    for array in (images, labels):
        array.setflags(write=False)
    return images, labels


def _make_class(shape: str, count: int, random: np.random.RandomState) -> np.ndarray:
    """``count`` images (count, 3, 32, 32) uint8 of one shape: place, size, tilt, colours and clutter vary."""
    grid = (np.arange(SIDE * SAMPLES) + 0.5) / (SIDE * SAMPLES) * 2 - 1  # -1 to 1
    y, x = grid[:, None], grid[None, :]

    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return low + (high - low) * random.random_sample((count, *shape))

    def inside(x: np.ndarray, y: np.ndarray, name: str) -> np.ndarray:
        covered = signed_distance(name, x, y) < 0  # (count, 64, 64)
        corners = [covered[:, i::SAMPLES, j::SAMPLES] for i in range(SAMPLES) for j in range(SAMPLES)]
        return np.add.reduce(corners, dtype=np.uint8)[:, None] / SAMPLES**2  # (count, 1, 32, 32)

    # The main shape: moved, scaled and tilted (t is the tangent of half the angle).
    center_x, center_y, size, t = uniform(-0.3, 0.3, 4, 1, 1).transpose(1, 0, 2, 3)
    size = 0.55 + 0.6 * size  # of half the image
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    turned_x = ((x - center_x) * cosine + (y - center_y) * sine) / size
    turned_y = ((y - center_y) * cosine - (x - center_x) * sine) / size

    # Colours: a ground that fades from top to bottom, and a shape that differs from it in brightness.
    top, bottom = uniform(0.15, 0.85, 3, 1, 1), uniform(0.15, 0.85, 3, 1, 1)
    fade = ((np.arange(SIDE) + 0.5) / SIDE)[:, None]
    image = top * (1 - fade) + bottom * fade + np.zeros((count, 3, SIDE, SIDE))
    ground = (top + bottom) / 2
    contrast = uniform(0.25, 0.6, 1, 1, 1)
    lighter = ground.mean(axis=1, keepdims=True) < 0.5
    colour = np.clip(ground + np.where(lighter, contrast, -contrast) + uniform(-0.15, 0.15, 3, 1, 1), 0, 1)

    # Clutter that says nothing about the class: two small dots under the shape (the shape covers them), a little noise.
    for _ in range(2):
        dot_x, dot_y = uniform(-0.9, 0.9, 2, 1, 1).transpose(1, 0, 2, 3)
        dot = inside((x - dot_x) / 0.16, (y - dot_y) / 0.16, "disc")
        image = image * (1 - dot) + uniform(0, 1, 3, 1, 1) * dot
    covered = inside(turned_x, turned_y, shape)
    image = image * (1 - covered) + colour * covered
    image = image + uniform(-0.06, 0.06, 3, SIDE, SIDE)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
