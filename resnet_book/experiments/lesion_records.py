"""Take a recorded network apart, and keep what that did in ``seed<k>.lesions.json`` beside its record.

The file holds every cut of ``analysis.lesions.all_cuts`` with its damage, and the gradient by length of path. It is of
exactly one network: it names the SHA-256 of its weights, which is compared with the record's whenever it is read. It
can be made again from the weights, so unlike a record it may be overwritten.
"""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

import pandas as pd
import torch
from pydantic import Field, model_validator

from resnet_book import augment, data, models
from resnet_book.analysis import cutting, lesions
from resnet_book.analysis.lesions import Cut
from resnet_book.analysis.paths import count_paths, gradients_by_length
from resnet_book.engine import machine
from resnet_book.experiments import catalogue, records, weights
from resnet_book.experiments.kept import Checked, Count, Kept, Kind, Machine, Seconds, Size, require_measured
from resnet_book.experiments.record_checks import require, require_share
from resnet_book.experiments.records import Record, RecordError, Sha256
from resnet_book.recipe import Recipe

SCHEMA_VERSION = 1
TEST_IMAGES = 2_000  # the first ones of the test set
MEASURING_IMAGES = 1_000  # the first training images, augmented: batch norm is measured anew on them
PATH_IMAGES = 64  # the first training images: gradients of paths
PATH_SAMPLES = 20  # random paths of each length

Share = Annotated[float, Field(ge=0, le=1 + 1e-9)]


class CutRow(Checked):
    """One cut and its damage, as trained and with batch norm's statistics measured anew; units as ``Damage``."""

    kind: str  # a key of lesions.KINDS
    blocks: list[Annotated[int, Field(ge=1)]]
    factor: Size
    removed: Count  # how many blocks were left out
    error: records.Percent
    confidence: Share
    feature_change: Size
    error_anew: records.Percent
    confidence_anew: Share
    feature_change_anew: Size


class PathRow(Checked):
    """The paths of one length, as ``paths.gradients_by_length``."""

    length: Count
    number: Annotated[int, Field(ge=1)]
    single: Size
    together: Size
    share: Share


class LesionRecord(Kept):
    """One network, taken apart."""

    test_sha256: Sha256  # of the whole test set, as ImageSet.sha256
    test_images: Annotated[int, Field(ge=1)]  # the first ones, on which each cut was tested
    measuring_images: Annotated[int, Field(ge=1)]
    path_images: Count
    path_samples: Annotated[int, Field(ge=0, le=10**6)]
    seconds: Seconds
    started: str  # UTC, ISO 8601
    made_by: Machine
    cuts: list[CutRow]
    paths: list[PathRow]  # [] of a plain network

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        _require_sound(self)
        return self

    @property
    def cut_frame(self) -> pd.DataFrame:
        """A row a cut."""
        return pd.DataFrame([row.model_dump() for row in self.cuts])

    @property
    def path_frame(self) -> pd.DataFrame:
        """A row a length; no row of a plain network."""
        return pd.DataFrame([row.model_dump() for row in self.paths], columns=list(PathRow.model_fields))


def _require_images(found: LesionRecord, record: Record) -> None:
    """Raise ValueError unless the images are those of the run."""
    test, train = record.dataset["test"], record.dataset["train"]
    few = found.test_images <= test["images"] and max(found.measuring_images, found.path_images) <= train["images"]
    require(found.test_sha256 == test["sha256"] and few, "is of other images than this run's")


LESIONS = Kind(LesionRecord, ".lesions.json", SCHEMA_VERSION, "lesions", _require_images)


def make_lesions(
    experiment: str,
    seed: int = 0,
    *,
    results: str | Path | None = None,
    data_root: str | Path | None = None,
    device: str | torch.device = "cpu",
    tell: Callable[[str], object] = lambda line: None,
) -> Path:
    """Take the network of a recorded run apart, write its file, and return its path. ``tell`` is told each cut.

    Raises RecordError where record or weights are not there, or the test images are other ones; DataError without the
    images.
    """
    path = records.path_of(records.find_results(results), experiment, seed)
    network, record = weights.load_network(experiment, seed, path.parent.parent)
    train, test = (data.load(record.dataset["name"], split, data_root) for split in ("train", "test"))
    if test.sha256 != record.dataset["test"]["sha256"]:
        raise RecordError(f"{path} was recorded with other test images than those of {test.name} found here.")
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    made_by = machine.describe(device, "float32", False)  # now: the code may change while this takes its time
    few = test.subset(min(TEST_IMAGES, len(test)))
    recipe = Recipe(**record.recipe)
    measuring = lesions.augmented(train.subset(min(MEASURING_IMAGES, len(train))), recipe)
    cuts, measured = lesions.all_cuts(network), []
    for number, each in enumerate(
        lesions.lesions(network, measuring, few, record.mean, record.std, cuts, device=device), start=1
    ):
        measured.append(each)
        cut, as_trained, anew = each
        errors = f"{as_trained.error:.2f} %, with statistics measured anew {anew.error:.2f} %"
        tell(f"{number} of {len(cuts)}: {cut.kind} {', '.join(map(str, cut.blocks)) or cut.factor}: {errors}")
    paths = list[dict[str, Any]]()
    if record.model["name"].startswith("resnet"):
        mean, std = torch.tensor(record.mean), torch.tensor(record.std)
        images = augment.normalise(train.images[:PATH_IMAGES], mean, std).to(device)
        labels = train.labels[:PATH_IMAGES].to(device)
        frame = gradients_by_length(network.to(device), images, labels, samples=PATH_SAMPLES)
        paths = frame.to_dict("records")
    content = {
        "schema_version": SCHEMA_VERSION,
        "experiment": experiment,
        "seed": record.seed,
        "weights_sha256": record.weights_sha256,
        "test_sha256": test.sha256,
        "test_images": len(few),
        "measuring_images": len(measuring),
        "path_images": PATH_IMAGES if paths else 0,
        "path_samples": PATH_SAMPLES if paths else 0,
        "seconds": round(time.monotonic() - began, 1),
        "started": started,
        "made_by": made_by,
        "cuts": [{**row, "blocks": list(row["blocks"])} for row in lesions.lesion_frame(measured).to_dict("records")],
        "paths": paths,
    }
    return LESIONS.write(content, path)


def kept_lesions(experiment: str, seed: int = 0, results: str | Path | None = None) -> LesionRecord | None:
    """The lesions beside the record of a run; None where none lie there. Raises RecordError as ``Kind.read``."""
    return LESIONS.read(experiment, seed, results)


def all_lesions(results: str | Path | None = None) -> list[LesionRecord]:
    """All that lie beside records, by experiment, then seed. Raises RecordError as ``Kind.read_all``."""
    return LESIONS.read_all(results)


@cache
def _shapes(model: str, shortcut: str | None) -> models.Network:
    """The network, without numbers."""
    with torch.device("meta"):
        return models.build(model, shortcut=shortcut)


def _require_sound(found: LesionRecord) -> None:
    """Raise ValueError unless these are all cuts and paths of the experiment's network, and the numbers agree."""
    known = catalogue.get(found.experiment)
    network = _shapes(known.model, known.shortcut)
    cuts, blocks = lesions.all_cuts(network), cutting.count_blocks(network)
    require(len(found.cuts) == len(cuts), f"cuts: {len(found.cuts)}, where {known.model} has {len(cuts)}")
    for place, (row, cut) in enumerate(zip(found.cuts, cuts, strict=True)):
        this = Cut(row.kind, tuple(row.blocks), row.factor)
        require(this == cut and row.removed == cut.removed, f"cuts.{place} is {this}, not {cut}")
        for name in ("error", "error_anew"):
            require_share(f"cuts.{place}.{name}", getattr(row, name), found.test_images)
    require(len(found.paths) == (blocks + 1 if known.model.startswith("resnet") else 0), "paths: not one a length")
    require(bool(found.paths) == bool(found.path_images) == bool(found.path_samples), "path_images or path_samples")
    carried = [row.number * row.single for row in found.paths]
    for length, row in enumerate(found.paths):
        right = row.length == length and row.number == count_paths(blocks, length)
        require(right, f"paths.{length}: length or number is amiss")
        share = carried[length] / (sum(carried) or 1)
        require(math.isclose(row.share, share, rel_tol=1e-6), f"paths.{length}.share is {row.share}, not {share}")
    require_measured(found.made_by, found.started, found.seconds)
