"""Keep a feature study in a small file beside its run's record: ``results/<experiment>/seed<k>.study.safetensors``."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from resnet_book.analysis.study import Study
from resnet_book.engine.files import write_atomically

# How each tensor lies in the file, small enough to keep beside the record; only the map is rounded.
DTYPES = {
    **dict.fromkeys(("labels", "superclasses", "predicted"), torch.uint8),
    **dict.fromkeys(("least", "most", "untrained_most", "zeros"), torch.int32),
    "map": torch.float16,
}
LOADED = {torch.uint8: torch.int64, torch.int32: torch.int64, torch.float16: torch.float32}


class StudyError(RuntimeError):
    """A study is missing or damaged, or of other images; the message says which file and what to do."""


def path_of(record: str | Path) -> Path:
    """Where the study of the run lies whose record lies, or would lie, at ``record``."""
    return Path(record).with_suffix(".study.safetensors")


def save(study: Study, path: str | Path) -> str:
    """Write ``study`` to ``path`` atomically, over an older one; return the file's SHA-256."""
    values = {field.name: getattr(study, field.name) for field in fields(Study)}
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    stored = {name: value.to(_stored_as(name, value)).contiguous() for name, value in tensors.items()}
    words = {name: json.dumps(value) for name, value in values.items() if name not in tensors}
    content = to_bytes(stored, words)
    write_atomically(path, lambda file: file.write(content))
    return hashlib.sha256(content).hexdigest()


def _stored_as(name: str, value: Tensor) -> torch.dtype:
    dtype = DTYPES.get(name, value.dtype)
    fits = dtype != torch.uint8 or value.numel() == 0 or int(value.max()) <= 255
    return dtype if fits else torch.int32


def load(path: str | Path, sha256: str | None) -> Study:
    """Read a file of ``save``, whose SHA-256 the run's record holds (``Record.study_sha256``).

    Raises StudyError where there is no file, or not exactly that one.
    """
    mend = (
        "Restore it, from git for example, or delete it: then it is made anew from the run's weights, if they are kept."
    )
    try:
        content = Path(path).read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StudyError(f"{path} is not the feature study that its run left (another SHA-256). {mend}")
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        words = {name: json.loads(value) for name, value in header["__metadata__"].items()}
        loaded = {name: value.to(LOADED.get(value.dtype, value.dtype)) for name, value in from_bytes(content).items()}
        words |= {name: tuple(words[name]) for name in ("class_names", "superclass_names")}  # JSON has lists
        return Study(**{**words, **loaded})
    except FileNotFoundError:
        raise StudyError(f"{path} does not exist: this run's features were not studied.") from None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"{path} is not a feature study ({error}). {mend}") from error
