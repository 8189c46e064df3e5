"""Checkpoints: a dictionary of tensors and plain values enters, a file that is whole or absent leaves.

A file is written beside its place, forced to the disk, and then renamed over the old one, so that a kill at any moment
leaves either the old checkpoint or the new. Loading executes nothing that the file contains (``weights_only``).
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read, or belongs to another run; the message says which file and what to do."""


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call ``write`` on a new file beside ``path``, then put it in place whole. Makes missing folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def save(state: dict[str, Any], path: Path) -> None:
    """Write ``state`` (tensors, numbers, strings, lists, dictionaries) to ``path`` atomically."""
    write_atomically(path, lambda file: torch.save(state, file))


def load(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint, or None where there is none. Tensors come back on the CPU.

    Raises CheckpointError for a file that cannot be read, is damaged, or holds anything but tensors and plain values.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}). Delete it to train from the start."
        ) from error
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to mean
        raise CheckpointError(_distrust(path)) from error
    if not isinstance(state, dict):
        raise CheckpointError(_distrust(path))
    return state


def _distrust(path: Path) -> str:
    return (
        f"{path} is not a checkpoint that can be trusted (damaged, or holding more than tensors and plain values). "
        f"Delete it to train from the start."
    )
