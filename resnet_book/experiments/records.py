"""Records: what a finished run measured, and all that is needed to run it again and to trust its numbers.

``<results>/<experiment>/seed<k>.json`` is written once, never overwritten, never half-written, and checked whenever it
is read. Weights and feature study, where they are kept, lie beside it; the record holds their checksums.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from torch import nn
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from resnet_book import data, models
from resnet_book.augment import channel_values
from resnet_book.data import ImageSet
from resnet_book.engine.checks import LARGEST, checked_seed
from resnet_book.engine.files import write_atomically
from resnet_book.experiments import catalogue, record_checks
from resnet_book.experiments.checked_json import Checked, Percent, RecordError, Sha256, read_checked, read_each
from resnet_book.recipe import Epoch, History, Part, Recipe

SCHEMA_VERSION = 2
PACKAGE = Path(__file__).parents[1]
NEAR = (Path("results"), Path("../results"))  # where records are looked for first


class Split(TypedDict):
    """The images of one split."""

    images: Annotated[int, Field(ge=1, le=10**8)]
    sha256: Sha256  # as ImageSet.sha256


class Dataset(TypedDict):
    """What the network was trained and tested on."""

    name: str
    train: Split
    test: Split


class Model(TypedDict):
    """What was trained."""

    name: str  # a key of models.MODELS
    num_classes: Annotated[int, Field(ge=2, le=10**4)]
    shortcut: str | None  # a key of models.SHORTCUTS; None: the model's own
    parameters: Annotated[int, Field(ge=1)]


class Record(Checked):
    """One finished run of one experiment with one seed."""

    model_config = ConfigDict(protected_namespaces=())  # `model` is a field here

    schema_version: int
    experiment: str
    seed: Annotated[int, Field(ge=0, le=LARGEST)]
    dataset: Dataset
    model: Model
    recipe_name: str
    recipe: dict[str, Any]  # every field of recipe.Recipe; in a file, one that is not there had its default
    seconds: Annotated[float, Field(gt=0)]  # of training and testing
    train_seconds: Annotated[float, Field(gt=0)]  # of training alone
    images_per_second: Annotated[float, Field(gt=0, le=1e9)]  # training images over train_seconds
    peak_memory: Annotated[
        int, Field(ge=0, le=2**50)
    ]  # bytes: on the GPU allocated; on the CPU resident; 0: not measured
    mean: list[float]  # subtracted from each channel, 0 to 255
    std: list[float]  # each channel was divided by it, 0 to 255
    top5_error: Percent | None  # % of test images whose class is not among the five best; None: not measured
    superclass_error: Percent | None  # % of test images whose answer is of another superclass; None: without any
    weights_sha256: Sha256 | None  # of the weights file beside the record; None: there never was one
    study_sha256: Sha256 | None  # of the feature study beside it
    parts: list[Part]
    epochs: list[Epoch]

    @property
    def test_error(self) -> float:
        """Test error (%) after the last epoch: the reported one, never the best."""
        return self.epochs[-1].test_error

    @property
    def train_error(self) -> float:
        """Training error (%) of the last whole epoch: the very last one, cut short, is of a few thousand images."""
        begins = [0, *(each.iteration for each in self.epochs[:-1])]
        steps = [each.iteration - begin for each, begin in zip(self.epochs, begins, strict=True)]
        return next(
            each.train_error for each, count in zip(self.epochs[::-1], steps[::-1], strict=True) if count == steps[0]
        )

    @property
    def device(self) -> str:
        """Where the run was trained: "AMD EPYC, 2 threads"; parts that differ are joined by ", then "."""
        return _each_once(map(_where, self.parts))

    @property
    def precision(self) -> str:
        """What it was trained in; parts that differ are joined by ", then "."""
        return _each_once(part.precision for part in self.parts)

    @property
    def compiled(self) -> bool:
        """Whether any part of it was compiled."""
        return any(part.compiled for part in self.parts)

    @property
    def torch_version(self) -> str:
        """Version of torch; parts that differ are joined by ", then "."""
        return _each_once(part.torch for part in self.parts)

    @property
    def started(self) -> str:
        """When the first part began: UTC, ISO 8601."""
        return self.parts[0].started

    @property
    def commit(self) -> str:
        """The first digits of the code's commit, "with changes" if it was not exactly that; or "unknown"."""
        return _each_once((part.commit or "unknown")[:10] + " with changes" * bool(part.dirty) for part in self.parts)

    # --- Checks: each raises ValueError, which pydantic turns into a ValidationError ---

    @field_validator("mean", "std")
    @classmethod
    def _three_channels(cls, values: list[float], field: Any) -> list[float]:
        return list(channel_values(field.field_name, values))

    @field_validator("recipe")
    @classmethod
    def _possible_recipe(cls, values: dict[str, Any]) -> dict[str, Any]:
        unknown = values.keys() - {field.name for field in fields(Recipe)}
        if unknown:
            raise ValueError(f"{min(unknown)!r} is no field of a recipe")
        return record_checks.as_read(asdict(Recipe(**values)))

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        record_checks.require_sound(self)
        return self


def _where(part: Part) -> str:
    several = f"{part.processes} x " if part.processes > 1 else ""
    threads = "" if part.threads is None else f", {part.threads} thread{'s' * (part.threads != 1)}"
    return several + part.device + threads


def _each_once(words: Iterable[str]) -> str:
    return ", then ".join(dict.fromkeys(words))


# --- Making and writing ---------------------------------------------------------------------------------------------


def make_record(
    experiment: str,
    seed: int,
    images: tuple[ImageSet, ...],
    network: nn.Module,
    history: History,
    *,
    top5_error: float | None = None,
    superclass_error: float | None = None,
    weights_sha256: str | None = None,
    study_sha256: str | None = None,
) -> Record:
    """The record of a run that trained and tested ``network`` on ``images`` (train, test) and left ``history``.

    ``history`` must have parts, as a run with a checkpoint has. Raises ValueError for an experiment that does not
    exist, and for what could not be read again.
    """
    known = catalogue.get(experiment)
    splits = {each.split: {"images": len(each), "sha256": each.sha256} for each in images}
    model = {"name": known.model, "num_classes": images[0].num_classes, "shortcut": known.shortcut}
    record = {
        "schema_version": SCHEMA_VERSION,
        "experiment": experiment,
        "seed": seed,
        "dataset": {"name": known.dataset, **splits},
        "model": {**model, "parameters": models.count_parameters(network)},
        "recipe_name": known.recipe_name,
        "recipe": asdict(known.recipe),
        "top5_error": top5_error,
        "superclass_error": superclass_error,
        "weights_sha256": weights_sha256,
        "study_sha256": study_sha256,
        **asdict(history),
    }
    return Record.model_validate_json(json.dumps(record))


def path_of(results: str | Path, experiment: str, seed: int) -> Path:
    """Where the record of ``experiment`` with ``seed`` lies. Raises ValueError for an impossible seed."""
    return Path(results) / experiment / f"seed{checked_seed(seed)}.json"


def save_record(record: Record, results: str | Path) -> Path:
    """Write ``record`` under ``results`` and return its path. Raises RecordError if there is one already."""
    path = path_of(results, record.experiment, record.seed)
    refuse_to_overwrite(path)
    whole = path.with_suffix(f".{os.getpid()}.tmp")
    text = json.dumps(record.model_dump(), indent=1, allow_nan=False) + "\n"
    write_atomically(whole, lambda file: file.write(text.encode()))
    try:
        _put_in_place(whole, path)
    except FileExistsError:  # another process was faster
        refuse_to_overwrite(path)
    finally:
        whole.unlink(missing_ok=True)
    return path


def _put_in_place(whole: Path, path: Path) -> None:
    """Let ``path`` be the file ``whole``. Raises FileExistsError where a mere rename would overwrite something."""
    try:
        os.link(whole, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: take the name first, then put the content there
        path.touch(exist_ok=False)
        whole.replace(path)


def refuse_to_overwrite(path: str | Path) -> None:
    """Raise RecordError if there is something at ``path``."""
    if Path(path).exists():
        raise RecordError(
            f"{path} exists, and a record is never overwritten. Train another seed (--seed), keep records "
            "elsewhere (--results), or move it away."
        )


# --- Reading --------------------------------------------------------------------------------------------------------


def find_results(named: str | Path | None = None) -> Path:
    """The folder of records: ``named``; else $RESNET_BOOK_RESULTS; else the first of several that holds a record.

    These are ``results`` here, ``results`` in the folder above, that of the clone, that which the wheel carries.
    Raises RecordError for a folder that was named and is not there.
    """
    variable = os.environ.get("RESNET_BOOK_RESULTS")
    if folder := named or variable:
        if not Path(folder).is_dir():
            source = "the folder of results" if named else "$RESNET_BOOK_RESULTS"
            raise RecordError(f"{source} was named as {str(folder)!r}, and there is no such folder. Name another.")
        return Path(folder)
    clone = PACKAGE.parent
    places = [
        *NEAR,
        *([clone / "results"] if (clone / "pyproject.toml").exists() else []),
    ]
    return next((place for place in places if paths(place)), PACKAGE / "recorded")


def folder_for_new() -> Path:
    """Where a run is recorded for which no folder is named: ``results`` here, or above if there alone are records."""
    return next((place for place in NEAR if paths(place)), NEAR[0])


def load_record(path: str | Path) -> Record:
    """Read and check one record.

    Raises RecordError for a file that is missing, damaged, of another schema or experiment, or in another's place.
    """
    path = Path(path)
    whole = path.absolute()  # the name alone, from inside the folder, does not say of which experiment it is
    mend = "Restore it, from git for example, or move it away and run again."
    try:
        record = read_checked(path, Record, SCHEMA_VERSION, "a sound record", mend)
    except FileNotFoundError:
        raise RecordError(f"{path} does not exist: this run is not recorded here. {_how_to_run(whole)}") from None
    if whole.parts[-2:] != path_of("", record.experiment, record.seed).parts:
        place = path_of(whole.parent.parent, record.experiment, record.seed)
        raise RecordError(f"{path} holds {record.experiment}, seed {record.seed}: move it to {place}.")
    return record


def load_images(record: Record, split: Literal["train", "test"], data_root: str | Path | None = None) -> ImageSet:
    """The images of a run. Raises DataError where they are not there, RecordError where they are other ones."""
    found = data.load(record.dataset["name"], split, data_root)
    if found.sha256 != record.dataset[split]["sha256"]:
        run = f"{record.experiment}, seed {record.seed}"
        raise RecordError(f"{run} was recorded with other {split} images than those of {found.name} found here.")
    return found


def load_all(results: str | Path) -> list[Record]:
    """All records under ``results``, by experiment, then seed. A missing folder holds none.

    Raises RecordError if any of them is not sound, and names each (of very many, the first few).
    """
    return sorted(read_each(paths(results), load_record), key=lambda record: (record.experiment, record.seed))


def paths(results: str | Path) -> list[Path]:
    """Where the records under ``results`` lie. (``seed0.lesions.json`` is none.)"""
    return sorted(path for path in Path(results).glob("*/seed*.json") if "." not in path.stem)


def _how_to_run(path: Path) -> str:
    try:
        catalogue.get(path.parent.name)
    except ValueError as error:
        return f"And {error}"
    seed = path.stem.removeprefix("seed")
    train = f"`resnet-book run {path.parent.name}" + (f" --seed {seed}`" if seed != "0" else "`")
    return f"{train} trains it; or name the folder of its record with --results."
