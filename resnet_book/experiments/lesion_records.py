"""Take a recorded network apart, and keep what that did in ``seed<k>.lesions.json`` beside its record.

The file holds every cut of ``analysis.lesions.all_cuts`` with its damage, and the gradient by length of path. It is of
exactly one network: it names the SHA-256 of its weights, which is compared with the record's whenever it is read. It
can be made again from the weights, so unlike a record it may be overwritten.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
from pydantic import Field

from resnet_book import augment, data
from resnet_book.analysis import lesions
from resnet_book.engine import machine
from resnet_book.experiments import records, weights
from resnet_book.experiments.kept import Checked, Count, Kept, Kind, Size
from resnet_book.experiments.records import RecordError, Sha256
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
    """The paths of one length, as ``lesions.gradients_by_length``."""

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
    path_samples: Count
    seconds: Annotated[float, Field(gt=0)]
    started: str  # UTC, ISO 8601
    made_by: dict[str, Any]  # machine, versions, commit, as engine.machine.describe
    cuts: list[CutRow]
    paths: list[PathRow]  # [] of a plain network

    @property
    def cut_frame(self) -> pd.DataFrame:
        """A row a cut."""
        return pd.DataFrame([row.model_dump() for row in self.cuts])

    @property
    def path_frame(self) -> pd.DataFrame:
        """A row a length; no row of a plain network."""
        return pd.DataFrame([row.model_dump() for row in self.paths], columns=list(PathRow.model_fields))


LESIONS = Kind(LesionRecord, ".lesions.json", SCHEMA_VERSION, "lesions")


def make_lesions(
    experiment: str,
    seed: int = 0,
    *,
    results: str | Path | None = None,
    data_root: str | None = None,
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
        frame = lesions.gradients_by_length(network.to(device), images, labels, samples=PATH_SAMPLES)
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
    """The lesions beside the record of a run; None where none lie there.

    Raises RecordError where the run is not recorded, and for a file that is damaged, of another schema, or of other
    weights than the run left.
    """
    return LESIONS.read(experiment, seed, results)


def all_lesions(results: str | Path | None = None) -> list[LesionRecord]:
    """All that lie beside records, by experiment, then seed. Raises RecordError as ``kept_lesions``."""
    return LESIONS.read_all(results)
