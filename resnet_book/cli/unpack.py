"""Unpack CIFAR: an archive (tar.gz) and a layout enter; the official binary files lie in their folder afterwards.

The archive's paths are not trusted: only regular files that the layout names are unpacked, each into the place that we
choose; they are written beside that place, checked (size, SHA-256, names), and moved in when all of them are right.
"""

import errno
import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from resnet_book import data
from resnet_book.data import DataError

CHUNK_BYTES = 1 << 18
NAMES_BYTES = 1 << 14  # no official text file of class names is as long
NOTHING_UNPACKED = "Nothing was unpacked. Delete this archive and fetch it again."


def unpack(archive: Path, layout: data.Layout, root: Path) -> None:
    """Put the files of ``layout`` from a tar.gz into ``root / layout.folder``, if and only if all of them are right.

    Raises DataError for an archive or a disk that is not what it should be; files already in place are then as before.
    """
    batches = {file.name: file for files in layout.files.values() for file in files}
    wanted = {f"{layout.folder}/{name}": name for name in (*batches, *layout.names_files)}
    num_bytes = sum(file.num_images for file in batches.values()) * layout.row_bytes
    folder, unpacked = root / layout.folder, root / f"{layout.folder}.part"
    try:
        with writing(unpacked, num_bytes):
            shutil.rmtree(unpacked, ignore_errors=True)
            unpacked.mkdir()
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts:
                    raise DataError(f"{archive}: member {member.name!r} points outside. {NOTHING_UNPACKED}")
                if name := wanted.get(str(path)):
                    _unpack_member(tar, member, unpacked / name, layout, batches.get(name))
        if missing := [member for member, name in wanted.items() if not (unpacked / name).exists()]:
            raise DataError(f"{archive}: expected a member {missing[0]}, found none. {NOTHING_UNPACKED}")
        for name, count in zip(layout.names_files, layout.label_classes, strict=True):
            data.read_names(unpacked / name, count)
        with writing(folder, num_bytes):
            folder.mkdir(exist_ok=True)
            for name in wanted.values():
                os.replace(unpacked / name, folder / name)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{archive}: expected a tar.gz archive, found {error}. {NOTHING_UNPACKED}") from error
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _unpack_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path, layout: data.Layout, batch: data.BatchFile | None
) -> None:
    """Write one member to ``path`` if it is what it should be: one of the batches, or (None) a file of class names."""
    where = f"{tar.name}: member {member.name}"
    source = tar.extractfile(member) if member.isreg() else None
    if source is None:
        raise DataError(f"{where}: expected a regular file, found a link or another kind. {NOTHING_UNPACKED}")
    num_bytes = layout.row_bytes * batch.num_images if batch else min(member.size, NAMES_BYTES)
    if member.size != num_bytes:
        raise DataError(f"{where}: expected {num_bytes:,} bytes, found {member.size:,}. {NOTHING_UNPACKED}")
    digest = hashlib.sha256()
    with writing(path, num_bytes), path.open("wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
    if batch and digest.hexdigest() != batch.sha256:
        raise DataError(
            f"{where} has the wrong checksum: expected SHA-256 {batch.sha256}, found {digest.hexdigest()}. "
            f"{NOTHING_UNPACKED}"
        )


@contextmanager
def writing(path: Path, num_bytes: int, *, remove: bool = False) -> Iterator[None]:
    """Turn the disk's refusal into a DataError that says what to do; ``remove``: and leave no half-written file."""
    try:
        yield
    except gzip.BadGzipFile:
        raise  # of the archive that is read, not of the disk
    except OSError as error:
        if remove:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        match error.errno:
            case errno.ENOSPC | errno.EDQUOT:
                advice = "Make room, or choose a folder on another disk with --data."
            case errno.EACCES | errno.EPERM | errno.EROFS:
                advice = "Change the permissions of its folder, or choose another folder with --data."
            case _:
                advice = "Choose another folder with --data."
        raise DataError(
            f"{path} cannot be written: expected room and permission for {num_bytes / 1e6:,.0f} MB, "
            f"found: {error.strerror or error}. {advice}"
        ) from error
