"""Keep checkpoints, which are dictionaries of tensors and plain values.

A file begins with a line of text and its SHA-256, so that a single changed bit is seen; loading one executes nothing
that it contains (``weights_only``).
"""

import errno
import hashlib
import io
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from resnet_book.engine.files import write_atomically

HEAD = b"resnet-book checkpoint, SHA-256 of what follows: "
PLAIN = (bool, int, float, str, bytes)


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read, or belongs to another run; the message says which file and what to do."""


def save(state: dict[str, Any], path: str | Path) -> None:
    """Write ``state`` (tensors, numbers, strings, lists, dictionaries) to ``path`` atomically.

    Numbers of numpy become Python's. Raises TypeError for other objects, which could not be read again, and OSError,
    which says what is kept, where the file cannot be written.
    """
    path, buffer = Path(path), io.BytesIO()
    torch.save(_plain(state, "state"), buffer)
    content = buffer.getbuffer()
    digest = hashlib.sha256(content).hexdigest().encode()

    def write(file: BinaryIO) -> None:
        file.write(HEAD + digest + b"\n")
        file.write(content)

    try:
        write_atomically(path, write)
    except OSError as error:
        mend = "Make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Check what is amiss"
        kept = "The previous checkpoint is kept" if path.exists() else "There is no older checkpoint"
        raise OSError(
            f"{path} cannot be written ({error.strerror}; it takes {len(content) / 1e6:,.1f} MB). {kept}. {mend} in "
            f"{path.parent}, or choose another folder of checkpoints, and start the run again."
        ) from error


def load(path: str | Path) -> dict[str, Any] | None:
    """Read a checkpoint, or None where there is none. Tensors come back on the CPU.

    Raises CheckpointError for a file that cannot be read, is damaged, or holds anything but tensors and plain values.
    """
    try:
        head, _, content = Path(path).read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}). Delete it to train from the start."
        ) from error
    if head != HEAD + hashlib.sha256(content).hexdigest().encode():
        raise CheckpointError(_distrust(path))
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle raises whatever its bytes happen to mean
        raise CheckpointError(_distrust(path)) from error
    if not isinstance(state, dict):
        raise CheckpointError(_distrust(path))
    return state


def _plain(value: Any, name: str) -> Any:
    """``value`` in types that ``load`` reads. Raises TypeError, with ``name``, for one that has no such form."""
    if value is None or type(value) in PLAIN or isinstance(value, Tensor):
        return value
    if isinstance(value, dict):
        return {_plain(key, f"a key of {name}"): _plain(each, f"{name}[{key!r}]") for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_plain(each, f"{name}[{place}]") for place, each in enumerate(value)])
    if getattr(value, "shape", None) == () and type(value.item()) in PLAIN:  # a number of numpy
        return value.item()
    raise TypeError(f"{name} is {type(value).__name__}: a checkpoint keeps tensors, numbers, text, lists, dictionaries")


def _distrust(path: str | Path) -> str:
    return (
        f"{path} is not a checkpoint that can be trusted (damaged, of an older version of this code, or no checkpoint "
        "at all). Delete it to train from the start."
    )
