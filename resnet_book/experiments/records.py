"""Records: what a finished run measured enters; ``<results>/<experiment>/seed<k>.json`` leaves, written once.

A record holds all that is needed to run the experiment again and to trust its numbers. It is never overwritten, and
never half-written. Weights, where they are kept, lie beside it (see ``weights``).
"""

import json
import math
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet_book.data import ImageSet
from resnet_book.engine import processes
from resnet_book.engine.checkpoints import write_atomically
from resnet_book.experiments import catalogue
from resnet_book.history import Epoch, History
from resnet_book.models import count_parameters
from resnet_book.recipe import Recipe

SCHEMA_VERSION = 1


class RecordError(RuntimeError):
    """A record is damaged, of another schema, or in the way; the message says which file and what to do."""


@dataclass(frozen=True)
class Record:
    """One finished run of one experiment with one seed."""

    schema_version: int
    experiment: str
    seed: int
    dataset: dict[str, Any]  # name, images and SHA-256 of each split
    model: dict[str, Any]  # name, classes, shortcut, number of parameters
    recipe_name: str
    recipe: dict[str, Any]  # every field of recipe.Recipe; one that is not there is younger, and had its default
    environment: dict[str, Any]  # device, precision, compiled, versions, commit, dirty or not
    started: str  # UTC, ISO 8601; of the last part, as is the environment, if the run was stopped and went on
    seconds: float  # of training and testing
    train_seconds: float  # of training alone
    images_per_second: float  # training images over train_seconds
    peak_memory: int  # bytes: allocated on the GPU; on the CPU, resident for the process; 0: not measured
    mean: list[float]  # subtracted from each channel, 0 to 255
    std: list[float]  # each channel was divided by it, 0 to 255
    epochs: list[Epoch]
    top5_error: float | None = None  # % of test images whose class is not among the five best; None: not measured
    superclass_error: float | None = None  # % of test images whose answer is of another superclass; None: without any

    @property
    def test_error(self) -> float:
        """Test error (%) after the last epoch: the reported one, never the best."""
        return self.epochs[-1].test_error


def make_record(
    experiment: str,
    seed: int,
    images: tuple[ImageSet, ...],
    network: nn.Module,
    environment: dict[str, Any],
    started: str,
    history: History,
    top5_error: float | None = None,
    superclass_error: float | None = None,
) -> Record:
    """The record of a run that trained and tested ``network`` on ``images`` (train, test) and left ``history``.

    Raises ValueError for an experiment that does not exist.
    """
    setting = catalogue.get(experiment)
    splits = {each.split: {"images": len(each), "sha256": each.sha256} for each in images}
    model = {"name": setting.model, "num_classes": images[0].num_classes, "shortcut": setting.shortcut}
    return Record(
        schema_version=SCHEMA_VERSION,
        experiment=experiment,
        seed=seed,
        dataset={"name": setting.dataset, **splits},
        model={**model, "parameters": count_parameters(network)},
        recipe_name=setting.recipe_name,
        recipe=_as_read(asdict(setting.recipe)),
        environment=environment,
        started=started,
        seconds=history.seconds,
        train_seconds=history.train_seconds,
        images_per_second=history.images_per_second,
        peak_memory=history.peak_memory,
        mean=list(history.mean),
        std=list(history.std),
        epochs=history.epochs,
        top5_error=top5_error,
        superclass_error=superclass_error,
    )


def find_results() -> Path:
    """The folder ``results`` here or, so that notebooks find it too, in the folder above. It need not exist."""
    return Path("../results") if Path("../results").is_dir() and not Path("results").is_dir() else Path("results")


def path_of(results: Path, experiment: str, seed: int) -> Path:
    """Where the record of ``experiment`` with ``seed`` lies."""
    return results / experiment / f"seed{seed}.json"


def save_record(record: Record, results: Path) -> Path:
    """Write ``record`` under ``results`` and return its path. Raises RecordError if there is one already."""
    path = path_of(results, record.experiment, record.seed)
    refuse_to_overwrite(path)
    whole = path.with_suffix(f".{os.getpid()}.tmp")
    text = json.dumps(asdict(record), indent=1, allow_nan=False) + "\n"
    write_atomically(whole, lambda file: file.write(text.encode()))
    try:
        os.link(whole, path)  # fails if another process was faster, where a rename would overwrite its record
    except FileExistsError:
        refuse_to_overwrite(path)
    finally:
        whole.unlink()
    return path


def refuse_to_overwrite(path: Path) -> None:
    """Raise RecordError if there is something at ``path``."""
    if path.exists():
        raise RecordError(
            f"{path} exists, and a record is never overwritten. Train another seed (--seed), keep records "
            "elsewhere (--results), or move it away."
        )


def load_record(path: Path) -> Record:
    """Read one record. Raises RecordError for a file that is missing, damaged or of another schema."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = fields["schema_version"]
        if version != SCHEMA_VERSION:
            raise RecordError(f"{path} has schema version {version}, this code reads {SCHEMA_VERSION}.")
        epochs = [Epoch(**row) for row in fields.pop("epochs")]
        return Record(**fields, epochs=epochs)
    except FileNotFoundError:
        seed = path.stem.removeprefix("seed")
        train = f"`resnet-book run {path.parent.name}" + (f" --seed {seed}`" if seed != "0" else "`")
        advice = f"{train} trains it; or name the folder of its record with --results."
        raise RecordError(f"{path} does not exist: this run is not recorded here. {advice}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is not a record ({error}). Restore it, or move it away and run again.") from error


def load_all(results: Path) -> list[Record]:
    """All records under ``results``, by experiment, then seed. A missing folder holds none.

    Raises RecordError for a record that is damaged, or that lies where another one belongs.
    """
    records = []
    for path in results.glob("*/seed*.json"):
        record = load_record(path)
        if path != path_of(results, record.experiment, record.seed):
            raise RecordError(f"{path} holds {record.experiment}, seed {record.seed}: move it to where that belongs.")
        records.append(record)
    return sorted(records, key=lambda record: (record.experiment, record.seed))


def check(record: Record) -> list[str]:
    """What is wrong with a record, in words; an empty list if nothing is."""
    problems = []
    setting = catalogue.EXPERIMENTS.get(record.experiment)
    if setting is None:
        problems.append(f"its experiment {record.experiment!r} does not exist")
    else:
        recorded = (record.model["name"], record.model["shortcut"], record.dataset["name"], record.recipe_name)
        if recorded != (setting.model, setting.shortcut, setting.dataset, setting.recipe_name):
            problems.append(f"it was run with {recorded}, which is not what {record.experiment} is")
        if setting.precision not in (None, record.environment.get("precision")):
            problems.append(f"it was not trained in {setting.precision}")
        if {**_as_read(asdict(Recipe())), **record.recipe} != _as_read(asdict(setting.recipe)):
            problems.append(f"its recipe is not the recipe of {record.experiment}")
    if not record.epochs:
        return [*problems, "it has no epochs"]
    iterations = [epoch.iteration for epoch in record.epochs]
    if iterations != sorted(set(iterations)):
        problems.append("its epochs are not in order")
    if iterations[-1] != record.recipe["iterations"]:
        problems.append(f"it ends at iteration {iterations[-1]}, its recipe at {record.recipe['iterations']}")
    measured = [(epoch.train_error, epoch.test_error, epoch.validation_error) for epoch in record.epochs]
    errors = [error for row in (*measured, (record.top5_error, record.superclass_error)) for error in row]
    if not all(0 <= error <= 100 for error in errors if error is not None):
        problems.append("an error is not between 0 and 100 %")
    rows = [(epoch.train_loss, epoch.test_loss, epoch.validation_loss) for epoch in record.epochs]
    losses = [loss for row in rows for loss in row if loss is not None]
    validated = [epoch for epoch in record.epochs if epoch.validation_error is not None]
    if len(validated) != (len(record.epochs) if record.recipe.get("validation_images") else 0):
        problems.append("it has validation errors where its recipe holds out no images, or none where it does")
    if not all(0 <= loss < math.inf for loss in losses):
        problems.append("a loss is negative or not finite")
    return problems


def environment(device: torch.device, precision: str, compiled: bool) -> dict[str, Any]:
    """The machine, the versions and the commit that a run is about to use.

    ``processes``, each on a device of its own, train together. ``dirty`` says whether the package differs from the
    commit; both are None where the package is not in a checkout.
    """
    on_gpu = device.type == "cuda"
    tracked = _git("ls-files", "--error-unmatch", "__init__.py") is not None
    return {
        "device": device_name(device),
        "precision": precision,
        "compiled": compiled,
        "processes": processes.size(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if on_gpu else None,
        "python": platform.python_version(),
        "commit": _git("rev-parse", "HEAD") if tracked else None,
        "dirty": bool(_git("status", "--porcelain", ".")) if tracked else None,
    }


def device_name(device: torch.device) -> str:
    """The GPU's name; of a CPU also how many threads compute now."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    count = torch.get_num_threads()
    return f"{_cpu_name()}, {count} thread{'s' * (count != 1)}"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _as_read(fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` as they come back from a JSON file, where tuples are lists."""
    return json.loads(json.dumps(fields))


def _git(*arguments: str) -> str | None:
    """Output of a git command in this package's folder; None where it fails, or where there is no git."""
    command = ["git", "-C", str(Path(__file__).parents[1]), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
