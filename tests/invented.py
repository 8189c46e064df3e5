"""Records with invented measurements, for the tests of what reads records."""

from typing import Any

import torch

from resnet_book import data, models
from resnet_book.experiments import catalogue, records
from resnet_book.experiments.records import Record
from resnet_book.recipe import Epoch, History, Part

EXPERIMENT = "resnet20-builtin-smoke"
IMAGES = data.load("builtin", "train"), data.load("builtin", "test")


def part(first: int, last: int, seconds: float, **changes: Any) -> Part:
    """A part of a run on one thread of a CPU."""
    fields: dict[str, Any] = {
        "device": "a machine",
        "threads": 1,
        "processes": 1,
        "precision": "float32",
        "compiled": False,
        "torch": "2.11",
        "cuda": None,
        "python": "3.11.7",
        "commit": 40 * "a",
        "dirty": False,
        "started": "2026-01-01T00:00:00+00:00",
    }
    return Part(first, last, seconds, **{**fields, **changes})


def sound_record(
    seed: int = 0, experiment: str = EXPERIMENT, parts: list[Part] | None = None, **further: Any
) -> Record:
    """A record of the built-in images as a run leaves it: one that can be read again."""
    known = catalogue.get(experiment)
    recipe, steps = known.recipe, len(IMAGES[0]) // known.recipe.batch_size
    ends = [*range(steps, recipe.iterations, steps), recipe.iterations]
    epochs = [Epoch(end, recipe.learning_rate_at(end - 1), 2.0, 50.0, 1.5, 50.0) for end in ends]
    parts = parts or [part(0, recipe.iterations, 20.0)]
    history = History(epochs, parts, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), sum(each.seconds for each in parts), 15.0)
    history.images_per_second, history.peak_memory = recipe.iterations * recipe.batch_size / 15.0, 7
    with torch.device("meta"):
        network = models.build(known.model, 10, known.shortcut)
    return records.make_record(experiment, seed, IMAGES, network, history, **further)


def table_record(experiment: str, seed: int, *test_errors: float, validated: bool = False, **changes: Any) -> Record:
    """A record, not checked, with as many epochs as there are ``test_errors``, for tables to show.

    The validation error is one point above the test error, the train error half of it.
    """
    known = catalogue.get(experiment)
    epochs = [
        Epoch(10 * count, 0.1, 1.0, error / 2, 1.0, error, *((1.0, error + 1) if validated else ()))
        for count, error in enumerate(test_errors, 1)
    ]
    fields: dict[str, Any] = {
        "schema_version": records.SCHEMA_VERSION,
        "experiment": experiment,
        "seed": seed,
        "dataset": {"name": known.dataset},
        "model": {"name": known.model, "num_classes": 10, "shortcut": known.shortcut, "parameters": 269_722},
        "recipe_name": known.recipe_name,
        "recipe": {"iterations": known.recipe.iterations},
        "seconds": 120.0,
        "train_seconds": 100.0,
        "images_per_second": 1_000.0 + 200 * seed,
        "peak_memory": 3_000_000,
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        **dict.fromkeys(("top5_error", "superclass_error", "weights_sha256", "study_sha256")),
        "parts": [part(0, known.recipe.iterations, 120.0)],
        "epochs": epochs,
    }
    return Record.model_construct(**{**fields, **changes})
