"""Check that what a record says fits together: with its experiment, and each number with the others.

Types and ranges are the schema's (``records.Record``). Every check raises ValueError that names what does not fit.
"""

import json
import math
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from resnet_book import models
from resnet_book.data import CLASS_NAMES, SUPERCLASS_NAMES
from resnet_book.engine.device import PRECISIONS
from resnet_book.experiments import catalogue
from resnet_book.recipe import Part, Recipe

if TYPE_CHECKING:
    from resnet_book.experiments.records import Record

MOST_THREADS = 4_096
MOST_LOSS = 1e15  # of a network that has not diverged, with a margin


def require_sound(record: "Record") -> None:
    """Raise ValueError unless ``record`` is what its experiment says, trained in parts that follow each other."""
    _require_experiment(record)
    _require_parts(record)
    _require_seconds(record)
    _require_epochs(record)
    _require_errors(record)


def as_read(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` as they come back from a JSON file, where tuples are lists."""
    return json.loads(json.dumps(values))


def _require_experiment(record: "Record") -> None:
    known = catalogue.EXPERIMENTS.get(record.experiment)
    if known is None:
        raise ValueError(
            f"experiment {record.experiment!r} is unknown to this code: it is a younger or older one's, or your own. "
            "Read it with that code, or add the experiment to catalogue.EXPERIMENTS"
        )
    model = record.model
    found = (model["name"], model["shortcut"], record.dataset["name"], record.recipe_name)
    expected = (known.model, known.shortcut, known.dataset, known.recipe_name)
    require(found == expected, f"{record.experiment} is {expected}, and this is {found}")
    wanted = as_read(asdict(known.recipe))
    for name, value in record.recipe.items():
        require(value == wanted[name], f"recipe.{name} is {value}, and {wanted[name]} in {record.experiment}")
    classes = len(CLASS_NAMES[known.dataset])
    require(model["num_classes"] == classes, f"model.num_classes is {model['num_classes']}, of the images {classes}")
    size = _count_parameters(model["name"], model["num_classes"], model["shortcut"])
    require(model["parameters"] == size, f"model.parameters is {model['parameters']:,}, of the network {size:,}")
    for name, values in (("mean", record.mean), ("std", record.std)):
        given = record.recipe[name]
        require(given in (None, values), f"{name} is {values}, and {given} in its recipe")


def _require_parts(record: "Record") -> None:
    """Each part begins where the one before it ended, and the last one ends the run."""
    require(bool(record.parts), "it has no parts")
    wanted = catalogue.EXPERIMENTS[record.experiment].precision
    iteration = 0
    for place, part in enumerate(record.parts):
        at = f"parts.{place}."
        follows = part.first_iteration == iteration <= part.last_iteration
        require(follows, f"{at}first_iteration: {part.first_iteration}, where {iteration:,} were finished")
        iteration = part.last_iteration
        possible = part.precision in PRECISIONS and wanted in (None, part.precision)
        require(possible, f"{at}precision is {part.precision!r}")
        shared = part.processes >= 1 and record.recipe["batch_size"] % part.processes == 0
        require(shared, f"{at}processes is {part.processes}, by which no batch can be shared")
        require_machine(at, part)
    require(iteration == record.recipe["iterations"], f"parts: they end at iteration {iteration:,}")


def require_machine(at: str, part: Part) -> None:
    """Where and when a part was computed can be. ``at``: what the message calls it."""
    require(part.seconds >= 0, f"{at}seconds is {part.seconds}")
    require(bool(part.device and part.torch and part.python), f"{at}device, torch or python is empty")
    threads, cuda = part.threads, part.cuda
    require(threads is None or 1 <= threads <= MOST_THREADS, f"{at}threads is {threads}")
    require(cuda is None or (cuda != "" and threads is None), f"{at}cuda is {cuda!r}")
    require((part.commit is None) == (part.dirty is None), f"{at}commit and dirty: one of them alone is null")
    require(part.commit is None or _is_hexadecimal(part.commit, 40), f"{at}commit is {part.commit!r}")
    offset = datetime.fromisoformat(part.started).utcoffset()  # ValueError for no time
    require(offset is not None and not offset, f"{at}started is {part.started!r}, not a time of UTC")


def _require_seconds(record: "Record") -> None:
    seconds = math.fsum(part.seconds for part in record.parts)
    sums = math.isclose(seconds, record.seconds, rel_tol=1e-6)
    require(sums, f"seconds is {record.seconds}, of its parts {seconds}")
    require(record.train_seconds <= record.seconds, f"train_seconds is {record.train_seconds}, more than all seconds")
    trained = record.recipe["iterations"] * record.recipe["batch_size"]  # images
    slowest = trained / record.train_seconds  # the speed is that before the last checkpoint was written
    require(record.images_per_second > 0.999 * slowest, f"images_per_second is {record.images_per_second}, too low")


def _require_epochs(record: "Record") -> None:
    """There is a row for each epoch that the recipe makes, with a loss and an error for each set that there is."""
    recipe = Recipe(**record.recipe)
    steps = (record.dataset["train"]["images"] - recipe.validation_images) // recipe.batch_size  # of an epoch
    require(steps > 0, f"dataset.train.images is {record.dataset['train']['images']}, too few for a batch")
    ends = [*range(steps, recipe.iterations, steps), recipe.iterations]
    require(len(record.epochs) == len(ends), f"epochs: {len(record.epochs)}, where its recipe makes {len(ends)}")
    images = {"test": record.dataset["test"]["images"], "validation": recipe.validation_images}
    begin = 0
    for place, (epoch, end) in enumerate(zip(record.epochs, ends, strict=True)):
        at, images["train"] = f"epochs.{place}.", (end - begin) * recipe.batch_size
        begin = end
        require(epoch.iteration == end, f"{at}iteration is {epoch.iteration}, not {end}")
        rate = recipe.learning_rate_at(end - 1)
        require(math.isclose(epoch.learning_rate, rate), f"{at}learning_rate is {epoch.learning_rate}, not {rate}")
        for name in ("train", "test", "validation"):
            loss, error = getattr(epoch, f"{name}_loss"), getattr(epoch, f"{name}_error")
            held = bool(images[name])
            require((loss is not None) == (error is not None) == held, f"{at}{name}_loss or {name}_error is amiss")
            require(loss is None or 0 <= loss <= MOST_LOSS, f"{at}{name}_loss is {loss}")
            require_share(f"{at}{name}_error", error, images[name])


def _require_errors(record: "Record") -> None:
    """The errors besides the test error can be, and are not above it."""
    images, dataset = record.dataset["test"]["images"], record.dataset["name"]
    for name, error in (("top5_error", record.top5_error), ("superclass_error", record.superclass_error)):
        require_share(name, error, images)
        none = name == "superclass_error" and dataset not in SUPERCLASS_NAMES
        require(error is None or not none, f"{name} is {error}, and {dataset} has no superclasses")
        few = 300 / images  # three images: another test of the same network may round differently
        require(error is None or error <= record.test_error + few, f"{name} is {error}, above the test error")


def require(right: bool, problem: str) -> None:
    if not right:
        raise ValueError(problem)


def require_share(name: str, error: float | None, images: int) -> None:
    """Raise ValueError unless ``error`` is None, or % of so many images: a whole number of them is wrong."""
    if error is not None:
        wrong = error * images / 100
        possible = -0.001 < wrong < images + 0.001 and abs(wrong - round(wrong)) < 0.001
        require(possible, f"{name} is {error}, which is no share of {images:,} images in %")


def _is_hexadecimal(text: str, digits: int) -> bool:
    return len(text) == digits and not set(text) - set("0123456789abcdef")


@cache
def _count_parameters(name: str, num_classes: int, shortcut: str | None) -> int:
    with torch.device("meta"):  # shapes alone, no numbers
        return models.count_parameters(models.build(name, num_classes, shortcut))
