"""Find and read the official files of CIFAR-10 and CIFAR-100, byte by byte, and say what is amiss with them.

The binary files (https://www.cs.toronto.edu/~kriz/cifar.html) hold a row an image: one label byte (CIFAR-10) or two
(CIFAR-100: coarse, then fine), then 3,072 pixel bytes: 1,024 red, 1,024 green, 1,024 blue, each plane row by row.
Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, University of Toronto, 2009.
"""

import hashlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from resnet_book.engine.checks import one_of

IMAGE_SHAPE = (3, 32, 32)
PIXEL_BYTES = 3 * 32 * 32


class DataError(RuntimeError):
    """The data on disk is not what it should be; the message says which file or folder, and what to do."""


class DataMissingError(DataError):
    """The data is not there at all. ``named``: the reader named the folder, so nothing may quietly stand in for it."""

    def __init__(self, message: str, named: bool = False) -> None:
        super().__init__(message)
        self.named = named


@dataclass(frozen=True)
class BatchFile:
    """One official file: its name, how many images it holds, and its SHA-256."""

    name: str
    num_images: int
    sha256: str


@dataclass(frozen=True)
class Format:
    """How one dataset is stored: its folder, the classes that each label byte counts, its files."""

    folder: str
    label_classes: tuple[int, ...]  # number of classes of each label byte, in the order of the bytes
    files: dict[str, tuple[BatchFile, ...]]  # split -> files
    pickled: tuple[str, ...]  # folder and archive of the version for Python, which we do not read

    @property
    def row_bytes(self) -> int:
        return len(self.label_classes) + PIXEL_BYTES


CIFAR10_FILES = {
    "train": (
        BatchFile("data_batch_1.bin", 10_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        BatchFile("data_batch_2.bin", 10_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        BatchFile("data_batch_3.bin", 10_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        BatchFile("data_batch_4.bin", 10_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        BatchFile("data_batch_5.bin", 10_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    ),
    "test": (BatchFile("test_batch.bin", 10_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),),
}
CIFAR100_FILES = {
    "train": (BatchFile("train.bin", 50_000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"),),
    "test": (BatchFile("test.bin", 10_000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"),),
}
FORMATS = {
    "cifar10": Format("cifar-10-batches-bin", (10,), CIFAR10_FILES, ("cifar-10-batches-py", "cifar-10-python.tar.gz")),
    "cifar100": Format("cifar-100-binary", (20, 100), CIFAR100_FILES, ("cifar-100-python", "cifar-100-python.tar.gz")),
}


def find_root(root: str | Path | None = None) -> Path:
    """The folder that holds the datasets: ``root``, else ``$RESNET_BOOK_DATA``, else ``data``. It need not exist.

    So that notebooks find the folder that the command line finds, the last two are looked for here and, where they are
    not here, in the folder above.
    """
    if root:
        return Path(root).expanduser()
    here = Path(os.environ.get("RESNET_BOOK_DATA") or "data").expanduser()
    above = Path("..") / here  # ``here`` itself where that is absolute
    return above if os.path.isdir(above) and not os.path.isdir(here) else here


def read(name: str, split: str, root: str | Path | None = None) -> tuple[Tensor, Tensor]:
    """Labels and images of one split of "cifar10" or "cifar100", as ``split_rows`` gives them, in the official order.

    Raises ValueError for another name or split; DataMissingError where the data is not there; DataError for what is
    there and is damaged, unreadable, or another version of the data.
    """
    format = FORMATS[one_of("name", name, FORMATS)]
    files, folder = format.files[one_of("split", split, format.files)], _find_folder(name, root)
    rows = np.empty((sum(file.num_images for file in files), format.row_bytes), dtype=np.uint8)
    begin = 0
    for file in files:
        end = begin + file.num_images
        read_rows(folder / file.name, format, rows[begin:end], file.sha256)
        begin = end
    return split_rows(rows, len(format.label_classes))


def split_rows(rows: np.ndarray, num_label_bytes: int) -> tuple[Tensor, Tensor]:
    """Rows of bytes (N, label bytes + 3072) -> labels (N, label bytes) int64, images (N, 3, 32, 32) uint8."""
    labels = torch.from_numpy(rows[:, :num_label_bytes].astype(np.int64))
    images = torch.from_numpy(np.ascontiguousarray(rows[:, num_label_bytes:])).view(-1, *IMAGE_SHAPE)
    return labels, images


def read_rows(path: str | Path, format: Format, rows: np.ndarray, sha256: str) -> None:
    """Fill ``rows`` (images, row bytes) uint8 from one official file, and check size, labels and checksum.

    Raises DataError that names the file, what was expected, what was found and what to do.
    """
    path = Path(path)
    name = next((name for name, each in FORMATS.items() if each.folder == format.folder), "")
    fetch = _command(name, path.parent.parent)
    advice = f"{fetch} fetches the dataset again and replaces the file."
    try:
        with path.open("rb") as file:
            found_bytes = os.fstat(file.fileno()).st_size
            if found_bytes != rows.nbytes:
                kind = "truncated" if found_bytes < rows.nbytes else "too long"
                raise DataError(
                    f"{path} is {kind}: expected {rows.nbytes:,} bytes ({len(rows):,} images of {format.row_bytes:,}), "
                    f"found {found_bytes:,}. {advice}"
                )
            file.readinto(rows.data)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): expected {rows.nbytes:,} bytes, {len(rows):,} images. "
            f"{_mistake_inside(path, error, fetch) or advice}"
        ) from error
    for byte, num_classes in enumerate(format.label_classes):
        wrong = np.flatnonzero(rows[:, byte] >= num_classes)
        if len(wrong):
            raise DataError(
                f"{path}: label out of range in row {wrong[0]:,}: expected 0 to {num_classes - 1}, "
                f"found {rows[wrong[0], byte]}. {advice}"
            )
    found = hashlib.sha256(rows.data).hexdigest()
    if found != sha256:
        raise DataError(f"{path} has the wrong checksum: expected SHA-256 {sha256}, found {found}. {advice}")


# What people have in place of the data


def _find_folder(name: str, root: str | Path | None) -> Path:
    """The folder of the dataset's files. Raises DataError that names what is there instead, and the mending step."""
    folder = find_root(root) / FORMATS[name].folder
    try:
        os.listdir(folder)
        return folder
    except FileNotFoundError:
        by = "which was named" if root else "named by $RESNET_BOOK_DATA" if os.environ.get("RESNET_BOOK_DATA") else ""
        raise _mistake_outside(name, folder, by) from None
    except NotADirectoryError:
        path = next(path for path in (folder, *folder.parents) if path.exists())
        raise DataError(
            f"{path} is a file; expected a folder. Name the folder that holds {folder.name}/, or move the file away."
        ) from None
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read ({error.strerror}). Change the permissions, or name another folder."
        ) from error


def _mistake_outside(name: str, folder: Path, named: str) -> DataError:
    """The error for a dataset whose folder is not there; ``named``: how the folder above was named, or ""."""
    root, format, fetch = folder.parent, FORMATS[name], _command(name, folder.parent)
    first = format.files["train"][0].name
    for path in (root, folder):
        if path.is_symlink() and not path.exists():
            return DataError(
                f"{path} is a link to {os.readlink(path)}, which is not there. Mend or delete the link; then {fetch} "
                "fetches what is missing."
            )
    itself = root.resolve()
    if (root / first).exists():
        return DataError(
            f"{root} is the folder of the files itself. Name the folder above it, {itself.parent}"
            + ("" if itself.name == folder.name else f", and call this one {folder.name}")
        )
    if deeper := next(root.glob(f"*/{folder.name}/{first}"), None):
        return DataError(f"{name} lies one folder deeper than {root}: name {deeper.parent.parent}")
    pickled = [root / each for each in format.pickled if (root / each).exists()]
    if pickled or itself.name in format.pickled:
        return DataError(
            f"{(pickled or [root])[0]} is the version of {name} for Python (pickles); expected the binary version in "
            f"{folder.name}/. {fetch if pickled else _command(name, itself.parent)} fetches it; the other may stay."
        )
    which = f"the folder {itself}{f', {named},' * bool(named)}"
    return DataMissingError(
        f"{name} is not there: {which} {f'has no {folder.name}/' if root.is_dir() else 'does not exist'}. "
        f"Fetch it with {fetch}, or name the folder that holds {folder.name}/ as the root (--data on the command line) "
        "or in $RESNET_BOOK_DATA.",
        bool(named),
    )


def _mistake_inside(path: Path, error: OSError, fetch: str) -> str:
    """The mending step for a file that cannot be read, where it is another one than to fetch it with ``fetch``."""
    folder, inner = path.parent, path.parent / path.parent.name
    if isinstance(error, PermissionError):
        return f"Change the permissions of the file and of {folder}."
    if path.is_symlink():
        return f"It is a link to {os.readlink(path)}. Delete the link; then {fetch} fetches the file."
    if (inner / path.name).exists():
        return f"The folder is there twice, one in the other: move the files of {inner} into {folder}."
    if path.with_suffix("").exists():
        return f"The folder holds the version for Python (pickles). {fetch} puts the binary files beside them."
    return ""


def _command(name: str, root: Path) -> str:
    """The command that puts the right files of a dataset into ``root``."""
    return f"`resnet-book data {name} --data {shlex.quote(str(root))}`"
