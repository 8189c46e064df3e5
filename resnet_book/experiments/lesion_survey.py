"""Take a recorded network apart, into the file beside its record."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from resnet_book import augment
from resnet_book.analysis import lesions
from resnet_book.analysis.cuts import all_cuts
from resnet_book.analysis.paths import gradients_by_length
from resnet_book.engine import machine
from resnet_book.experiments import records, weights
from resnet_book.experiments.lesion_records import LESIONS, LesionRecord
from resnet_book.recipe import Recipe

TEST_IMAGES = 2_000  # the first ones of the test set
MEASURING_IMAGES = 1_000  # the first training images, augmented: batch norm is measured anew on them
PATH_IMAGES = 64  # the first training images: gradients of paths
PATH_SAMPLES = 20  # random paths of each length


def make_lesions(
    experiment: str,
    seed: int = 0,
    *,
    results: str | Path | None = None,
    data_root: str | Path | None = None,
    device: str | torch.device = "cpu",
    tell: Callable[[str], object] = lambda line: None,
) -> LesionRecord:
    """Take the network of a recorded run apart, write its file, and return what it holds. ``tell`` is told each cut.

    Raises RecordError where record or weights are not there, or the images are other ones; DataError without the
    images.
    """
    path = records.path_of(records.find_results(results), experiment, seed)
    network, record = weights.load_network(experiment, seed, path.parent.parent)
    train, test = records.load_images(record, "train", data_root), records.load_images(record, "test", data_root)
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    made_by = machine.describe(device, "float32", False)  # now: the code may change while this takes its time
    few = test.subset(min(TEST_IMAGES, len(test)))
    recipe = Recipe(**record.recipe)
    measuring = lesions.augmented(train.subset(min(MEASURING_IMAGES, len(train))), recipe)
    cuts, measured = all_cuts(network), []
    for number, each in enumerate(
        lesions.lesions(network, measuring, few, record.mean, record.std, cuts, device=device), start=1
    ):
        measured.append(each)
        cut, as_trained, anew = each
        errors = f"{as_trained.error:.2f} %, with statistics measured anew {anew.error:.2f} %"
        tell(f"{number} of {len(cuts)}: {cut.kind} {', '.join(map(str, cut.blocks)) or cut.factor}: {errors}")
    paths = list[dict[str, Any]]()
    if record.model["name"].startswith("resnet"):
        images = augment.normalise(train.images[:PATH_IMAGES], record.mean, record.std).to(device)
        labels = train.labels[:PATH_IMAGES].to(device)
        frame = gradients_by_length(network.to(device), images, labels, samples=PATH_SAMPLES)
        paths = frame.to_dict("records")
    content = {
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
    return LESIONS.write(content, record, path)
