"""Load labelled images, CIFAR-10, CIFAR-100 or the built-in ones, unchanged; choose among them, hold some out."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from resnet_book import cifar, shapes
from resnet_book.engine.checks import checked_indices, checked_seed, described, one_of, whole

Split = Literal["train", "test"]
CLASS_NAMES = {  # by label, as the official files of names have them
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "cifar100": tuple(
        """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
        castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
        elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
        man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
        pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
        skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
        tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
        """.split()  # noqa: SIM905
    ),
    "builtin": shapes.CLASS_NAMES,
}
SUPERCLASS_NAMES = {
    "cifar100": tuple(
        """
        aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
        household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes
        large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees
        vehicles_1 vehicles_2
        """.split()  # noqa: SIM905
    )
}
DATASETS = tuple(CLASS_NAMES)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images of one split; your own, as tensors or numpy arrays, are checked when the set is made.

    ``images`` (N, 3, H, W) uint8, 32 x 32 in the datasets here; ``labels`` (N,) whole numbers, kept as int64, each the
    place of the image's class in ``class_names``. CIFAR-100 also has the labels of its superclasses, ``coarse_labels``
    (N,), which are None elsewhere. A set may be empty; what cannot work without images refuses it. Raises ValueError
    for other shapes and types, for labels that no class has, and for two classes of one name.
    """

    name: str
    split: Split
    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    coarse_labels: Tensor | None = None
    coarse_class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        images = _as_tensor("images", self.images).contiguous()
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
            raise ValueError(
                f"images: expected uint8 (N, 3, height, width), found {described(images)}. Pass pixels from 0 to 255, "
                "channels first: (x * 255).round().to(torch.uint8) of floats from 0 to 1, x.permute(0, 3, 1, 2) of "
                "channels last."
            )
        one_of("split", self.split, get_args(Split))
        count, coarse, coarse_names = len(images), self.coarse_labels, self.coarse_class_names
        labels, names = _checked_classes("labels", self.labels, count, "class_names", self.class_names)
        if coarse is not None or coarse_names:
            coarse, coarse_names = _checked_classes("coarse_labels", coarse, count, "coarse_class_names", coarse_names)
        object.__setattr__(self, "images", images)  # the dataclass is frozen
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "class_names", names)
        object.__setattr__(self, "coarse_labels", coarse)
        object.__setattr__(self, "coarse_class_names", coarse_names or ())

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @cached_property
    def largest_label(self) -> int:
        """The largest label; -1 in an empty set."""
        return int(self.labels.max()) if len(self) else -1

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of all pixel bytes in order, then all labels, a byte each: the identity of this split.

        Labels of more than 256 classes count as int64; the shape counts where the images are not 32 x 32.
        """
        digest = hashlib.sha256(self.images.cpu().numpy().data)
        if self.images.shape[1:] != cifar.IMAGE_SHAPE:
            digest.update(repr(tuple(self.images.shape)).encode())
        digest.update(self.labels.to(torch.uint8 if self.num_classes <= 256 else torch.int64).cpu().numpy().data)
        return digest.hexdigest()

    def subset(self, count: int) -> "ImageSet":
        """The first ``count`` images (all, if there are fewer). Raises ValueError for a negative ``count``."""
        return self.chosen(torch.arange(min(whole("count", count, 0), len(self))))

    def chosen(self, indices: Tensor) -> "ImageSet":
        """The images that ``indices`` (M,) int64 names, in that order. Raises ValueError for one that is not there."""
        indices = checked_indices("indices", indices, ("M",), len(self))
        coarse = None if self.coarse_labels is None else self.coarse_labels[indices]
        return replace(self, images=self.images[indices], labels=self.labels[indices], coarse_labels=coarse)


def _as_tensor(name: str, values: object) -> Tensor:
    """``values``, or a copy of an array of numbers as a tensor. Raises ValueError, with ``name``, for others."""
    if isinstance(values, Tensor):
        return values
    try:
        array = np.array(values, order="C")  # a copy: theirs may be read-only
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected a tensor or a numpy array of numbers ({error})") from error


def _checked_classes(
    name: str, labels: object, count: int, names: str, classes: tuple[str, ...]
) -> tuple[Tensor, tuple[str, ...]]:
    """``count`` labels (N,) int64, called ``name``, each the place of one of the ``classes``, called ``names``."""
    if not isinstance(classes, tuple | list) or not all(isinstance(each, str) for each in classes):
        raise ValueError(f"{names}={classes!r}: give a tuple of names, one for each class")
    if twice := {each for each, times in Counter(classes).items() if times > 1}:
        raise ValueError(f"{names}: more than one class is called {min(twice)!r}; give each its own name")
    try:
        return checked_indices(name, _as_tensor(name, labels), (count,), len(classes)), tuple(classes)
    except ValueError as error:
        raise ValueError(f"{error}. Pass the place of each image's class in {names}, counted from 0.") from None


def hold_out(images: ImageSet, count: int, seed: int) -> tuple[ImageSet, ImageSet]:
    """The images without ``count`` of them, chosen at random by ``seed``, and those ``count``; both in their old order.

    The paper chose its schedule on 45,000 / 5,000 training images of CIFAR-10 split so (section 4.2). Raises ValueError
    unless ``count`` is 0 or above and leaves at least one image, and ``seed`` is from 0 to 2^63 - 1.
    """
    count, seed = whole("count", count, 0), checked_seed(seed)
    if count == 0:
        return images, images.subset(0)
    if count >= len(images):
        most = max(len(images) - 1, 0)
        raise ValueError(f"count={count} (validation_images of a recipe): hold out 0 to {most} of {len(images)} images")
    shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images.chosen(shuffled[count:].sort().values), images.chosen(shuffled[:count].sort().values)


def load(name: str, split: Split, root: str | Path | None = None) -> ImageSet:
    """Read one split of "cifar10", "cifar100" or "builtin" into memory, in the official order.

    Raises ValueError for an unknown name or split; cifar.DataMissingError where the data is not there, cifar.DataError
    where it is damaged, unreadable, or another version of the data. "builtin" needs no files.
    """
    one_of("name", name, DATASETS)
    if name == "builtin":
        images, labels = shapes.make(split)
        return ImageSet(name, split, torch.tensor(images), torch.tensor(labels), CLASS_NAMES[name])

    labels, images = cifar.read(name, split, root)
    coarse = (labels[:, 0], SUPERCLASS_NAMES[name]) if name in SUPERCLASS_NAMES else (None, ())
    return ImageSet(name, split, images, labels[:, -1], CLASS_NAMES[name], *coarse)
