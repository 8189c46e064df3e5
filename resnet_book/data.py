"""CIFAR-10, CIFAR-100 and the built-in images: a name and a folder enter, uint8 tensors leave.

Layout of the official binary files (https://www.cs.toronto.edu/~kriz/cifar.html): a row an image; one label byte
(CIFAR-10) or two (CIFAR-100: coarse, then fine), then 3,072 pixel bytes: 1,024 red, 1,024 green, 1,024 blue, each
plane row by row. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, University of Toronto, 2009.
"""

import hashlib
import os
import shlex
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from resnet_book import shapes

Split = Literal["train", "test"]
IMAGE_SHAPE = (3, 32, 32)
PIXEL_BYTES = 3 * 32 * 32


class DataError(RuntimeError):
    """The data on disk is missing or not what it should be; the message says which file and what to do."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images of one split.

    ``images`` (N, 3, 32, 32) uint8, ``labels`` (N,) int64; on the CPU as loaded. CIFAR-100 also has the
    labels of its 20 superclasses, ``coarse_labels`` (N,) int64, which are None elsewhere.
    """

    name: str
    split: Split
    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    coarse_labels: Tensor | None = None
    coarse_class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of all pixel bytes in order, then all labels as bytes: the identity of this split."""
        digest = hashlib.sha256(self.images.numpy().data)
        digest.update(self.labels.to(torch.uint8).numpy().data)
        return digest.hexdigest()

    def subset(self, count: int) -> "ImageSet":
        """The first ``count`` images (all, if there are fewer)."""
        return self.chosen(torch.arange(min(count, len(self))))

    def chosen(self, indices: Tensor) -> "ImageSet":
        """The images that ``indices`` (M,) int64 names, in that order."""
        coarse = None if self.coarse_labels is None else self.coarse_labels[indices]
        return replace(self, images=self.images[indices], labels=self.labels[indices], coarse_labels=coarse)


def hold_out(images: ImageSet, count: int, seed: int) -> tuple[ImageSet, ImageSet]:
    """The images without ``count`` of them, drawn by ``seed``, and those ``count``; both in their old order.

    The paper chose its schedule on 45,000 / 5,000 training images of CIFAR-10 split so (section 4.2). Raises ValueError
    unless ``count`` is 0 or above and leaves at least one image.
    """
    if not 0 <= count < len(images):
        raise ValueError(f"count={count}: hold out 0 to {len(images) - 1} of {len(images)} images")
    if count == 0:
        return images, images.subset(0)
    shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images.chosen(shuffled[count:].sort().values), images.chosen(shuffled[:count].sort().values)


@dataclass(frozen=True)
class BatchFile:
    """One official file: its name, how many images it holds, and its SHA-256."""

    name: str
    num_images: int
    sha256: str


@dataclass(frozen=True)
class Layout:
    """How one dataset lies on disk: its folder, the classes each label byte counts, its files and files of names."""

    folder: str
    label_classes: tuple[int, ...]  # number of classes of each label byte, in the order of the bytes
    files: dict[str, tuple[BatchFile, ...]]  # split -> files
    names_files: tuple[str, ...]  # text files of class names, one for each label byte

    @property
    def row_bytes(self) -> int:
        return len(self.label_classes) + PIXEL_BYTES


LAYOUTS = {
    "cifar10": Layout(
        folder="cifar-10-batches-bin",
        label_classes=(10,),
        files={
            "train": (
                BatchFile(
                    "data_batch_1.bin", 10_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"
                ),
                BatchFile(
                    "data_batch_2.bin", 10_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"
                ),
                BatchFile(
                    "data_batch_3.bin", 10_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"
                ),
                BatchFile(
                    "data_batch_4.bin", 10_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"
                ),
                BatchFile(
                    "data_batch_5.bin", 10_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"
                ),
            ),
            "test": (
                BatchFile("test_batch.bin", 10_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
            ),
        },
        names_files=("batches.meta.txt",),
    ),
    "cifar100": Layout(
        folder="cifar-100-binary",
        label_classes=(20, 100),
        files={
            "train": (
                BatchFile("train.bin", 50_000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"),
            ),
            "test": (
                BatchFile("test.bin", 10_000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"),
            ),
        },
        names_files=("coarse_label_names.txt", "fine_label_names.txt"),
    ),
}
DATASETS = (*LAYOUTS, "builtin")

# The names of the classes in the order of the labels, known without the files.
CLASS_NAMES: dict[str, tuple[str, ...]] = {
    "cifar10": tuple("airplane automobile bird cat deer dog frog horse ship truck".split()),
    "cifar100": tuple(
        (
            "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly "
            "camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup "
            "dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower "
            "leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid "
            "otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray "
            "road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar "
            "sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle "
            "wardrobe whale willow_tree wolf woman worm "
        ).split()
    ),
    "builtin": shapes.CLASS_NAMES,
}


def find_root(root: str | Path | None = None) -> Path:
    """The folder that holds the datasets: ``root``, else ``$RESNET_BOOK_DATA``, else ``data``. It need not exist.

    ``data`` is looked for here and, so that notebooks find it too, in the folder above.
    """
    if named := root or os.environ.get("RESNET_BOOK_DATA"):
        return Path(named).expanduser()
    return Path("../data") if Path("../data").is_dir() and not Path("data").is_dir() else Path("data")


def load(name: str, split: Split, root: str | Path | None = None, *, verify: bool = True) -> ImageSet:
    """Read one split of "cifar10", "cifar100" or "builtin" into memory, in the official order.

    ``verify`` compares each file with its known SHA-256. Raises ValueError for an unknown name or split, DataError for
    missing, damaged or unreadable files. "builtin" needs no files.
    """
    if name not in DATASETS:
        raise ValueError(f"dataset {name!r} is unknown: choose one of {', '.join(DATASETS)}")
    if split not in get_args(Split):
        raise ValueError(f"split={split!r}: choose 'train' or 'test'")
    if name == "builtin":
        images, labels = shapes.draw(split)
        return ImageSet(name, split, torch.tensor(images), torch.tensor(labels), shapes.CLASS_NAMES)

    layout = LAYOUTS[name]
    folder = find_root(root) / layout.folder
    if not folder.is_dir():
        raise DataError(
            f"{name} is not in {folder.resolve()}: no such folder. Fetch it with `resnet-book data {name}`, or name "
            f"the folder that holds {layout.folder}/, as root (--data on the command line) or in $RESNET_BOOK_DATA."
        )
    names = [
        read_names(folder / file, count) for file, count in zip(layout.names_files, layout.label_classes, strict=True)
    ]
    files = layout.files[split]
    rows = np.empty((sum(file.num_images for file in files), layout.row_bytes), dtype=np.uint8)
    begin = 0
    for file in files:
        end = begin + file.num_images
        read_rows(folder / file.name, layout, rows[begin:end], file.sha256 if verify else None)
        begin = end
    labels, images = split_rows(rows, len(layout.label_classes))
    coarse = (labels[:, 0], names[0]) if len(names) > 1 else (None, ())
    return ImageSet(name, split, images, labels[:, -1], names[-1], *coarse)


def split_rows(rows: np.ndarray, num_label_bytes: int) -> tuple[Tensor, Tensor]:
    """Rows of bytes (N, label bytes + 3072) -> labels (N, label bytes) int64, images (N, 3, 32, 32) uint8."""
    labels = torch.from_numpy(rows[:, :num_label_bytes].astype(np.int64))
    images = torch.from_numpy(np.ascontiguousarray(rows[:, num_label_bytes:])).view(-1, *IMAGE_SHAPE)
    return labels, images


def read_rows(path: Path, layout: Layout, rows: np.ndarray, sha256: str | None = None) -> None:
    """Fill ``rows`` (images, row bytes) uint8 from one official file, and check size, labels and checksum.

    Raises DataError that names the file, what was expected, what was found and what to do.
    """
    advice = _how_to_replace(path)
    try:
        with path.open("rb") as file:
            found_bytes = os.fstat(file.fileno()).st_size
            if found_bytes != rows.nbytes:
                kind = "truncated" if found_bytes < rows.nbytes else "too long"
                raise DataError(
                    f"{path} is {kind}: expected {rows.nbytes:,} bytes ({len(rows):,} images of {layout.row_bytes:,}), "
                    f"found {found_bytes:,}. {advice}"
                )
            file.readinto(rows.data)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): expected {rows.nbytes:,} bytes, {len(rows):,} images. {advice}"
        ) from error
    for byte, num_classes in enumerate(layout.label_classes):
        wrong = np.flatnonzero(rows[:, byte] >= num_classes)
        if len(wrong):
            raise DataError(
                f"{path}: label out of range in row {wrong[0]:,}: expected 0 to {num_classes - 1}, "
                f"found {rows[wrong[0], byte]}. {advice}"
            )
    if sha256 is not None:
        found = hashlib.sha256(rows.data).hexdigest()
        if found != sha256:
            raise DataError(f"{path} has the wrong checksum: expected SHA-256 {sha256}, found {found}. {advice}")


def read_names(path: Path, count: int) -> tuple[str, ...]:
    """The ``count`` class names in a text file, one a line. Raises DataError if it is missing or has another number."""
    try:
        names = tuple(path.read_text(encoding="ascii", errors="replace").split())
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): expected {count} class names. {_how_to_replace(path)}"
        ) from error
    if len(names) != count:
        raise DataError(f"{path}: expected {count} class names, found {len(names)}. {_how_to_replace(path)}")
    return names


def _how_to_replace(path: Path) -> str:
    """What to do about a file that is missing or wrong: the command that puts the right one in its place."""
    name = next((f" {name}" for name, layout in LAYOUTS.items() if layout.folder == path.parent.name), "")
    folder = shlex.quote(str(path.parent.parent))
    return f"`resnet-book data{name} --data {folder}` fetches the dataset again and replaces the file."
