"""JSON files that are checked when they are read: records, and the files beside them.

A file that does not fit its schema is an error that says which file, what is amiss, and what to do.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

NAMED_IN_ONE_MESSAGE = 5  # damaged files

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Percent = Annotated[float, Field(ge=0, le=100)]


class RecordError(RuntimeError):
    """A record is damaged, of another schema, or in the way; the message says which file and what to do."""


class Checked(BaseModel):
    """What is read from a file: every field there, of its type, finite, and none besides."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Found = TypeVar("Found")
Schema = TypeVar("Schema", bound=BaseModel)


def read_each(paths: Iterable[str | Path], read: Callable[[str | Path], Found]) -> list[Found]:
    """What ``read`` makes of each path. Raises one RecordError for all it refuses (of very many, the first few)."""
    found, problems = list[Found](), list[str]()
    for path in sorted(map(Path, paths)):
        try:
            found.append(read(path))
        except RecordError as error:
            problems.append(str(error))
    if problems:
        more = len(problems) - NAMED_IN_ONE_MESSAGE
        shown = [*problems[:NAMED_IN_ONE_MESSAGE], *([f"And {more} more."] if more > 0 else [])]
        raise RecordError("\n".join(shown))
    return found


def read_checked(path: str | Path, schema: type[Schema], version: int, name: str, mend: str) -> Schema:
    """The JSON file as ``schema`` of this ``version``.

    Raises FileNotFoundError where there is none; RecordError with ``name``, what the file should be, and ``mend``, what
    to do, for one that is not.
    """
    try:
        return _parse(Path(path).read_bytes(), schema, version)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({error.strerror}). Check the file and its permissions.") from error
    except ValueError as error:
        problem = _first_problem(error) if isinstance(error, ValidationError) else str(error)
        raise RecordError(f"{path} is not {name}: {problem}. {mend}") from error


def _parse(content: bytes, schema: type[Schema], wanted: int) -> Schema:
    """What a file's ``content`` says. Raises ValueError, or ValidationError, which is one."""
    if b"\n<<<<<<< " in b"\n" + content:
        raise ValueError("it holds the marks of a git merge (<<<<<<<)")
    found = from_json(content)  # ValueError for what is no JSON, is nested too deeply, or is not UTF-8
    version = found.get("schema_version") if isinstance(found, dict) else None
    if type(version) is not int:
        raise ValueError("it has no schema_version")
    if version != wanted:
        mend = "Newer code wrote it: update" if version > wanted else "Older code wrote it: read it with that"
        raise ValueError(f"it has schema version {version}, this code reads {wanted}. {mend}")
    return schema.model_validate_json(content)


def _first_problem(error: ValidationError) -> str:
    """What pydantic complains about first, in a line: where, what, and what was found."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    what = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] in ("value_error", "missing") else f", found {str(first['input'])[:40]!r}"
    return " ".join(f"{place}{': ' * bool(place)}{what}{found}".split())
