"""Measure signals and gradients in the networks of a recorded run, into the file beside its record.

Measured are the network before its first step, the one that the run left, where its weights lie beside the record, and,
where a folder of them is given, those along the way.
"""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from resnet_book import augment, data
from resnet_book.analysis import diagnostics, lesions, signals
from resnet_book.engine import checkpointing, checkpoints, machine
from resnet_book.engine.checks import whole
from resnet_book.experiments import records, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.records import Record
from resnet_book.experiments.signal_records import SIGNALS, Origin, SignalRecord
from resnet_book.models import Network
from resnet_book.recipe import Recipe

PAIRS = 3  # of training batches, each as large as the recipe's, augmented: what one gradient says of the next
IMAGES = 64  # the first training images, as they are: sizes, and gradients at pictures nearby
DISTANCES = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the noise that makes a picture nearby; the pixels have about 1


def make_signals(
    experiment: str,
    seed: int = 0,
    *,
    folder: str | Path | None = None,
    repetition: str | Path | None = None,
    results: str | Path | None = None,
    data_root: str | Path | None = None,
    device: str | torch.device = "cpu",
    tell: Callable[[str], object] = lambda line: None,
) -> SignalRecord:
    """Measure the networks of a recorded run, write the file, and return what it holds. ``tell`` is told each stage.

    ``folder``: of weights along the way, ``<iteration>.safetensors``, as ``weights.KeepWeights`` leaves it, and
    ``repetition``: the path of the record of the run that left them, where that is another one with the same seed (of
    one that is under way, its checkpoint says it). Raises RecordError where a record is not there, the training images
    are other ones, or weights are not of its network, or are seen to be of another run; ValueError for a folder without
    weights; DataError without the images.
    """
    path = records.path_of(records.find_results(results), experiment, seed)
    record = records.load_record(path)
    files = _files(folder) if folder else {}
    kept_by = _kept_by(Path(folder), files, record, repetition) if folder else None
    for iteration in files:
        whole("the iteration in the file's name", iteration, 0, record.recipe["iterations"])
    along_the_way = {iteration: weights.load_kept(file, record) for iteration, file in files.items()}
    if 0 in files:
        _require_beginning(along_the_way[0][0], record, files[0])
    train = records.load_images(record, "train", data_root)
    _refuse_to_lose(path, record, set(files))
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    made_by = machine.describe(device, "float32", False)  # now: the code may change while this takes its time
    ruler, stages = _Ruler(record, train, device), list[dict[str, Any]]()

    def measure(network: Network, iteration: int, origin: Origin, sha256: str | None) -> None:
        stages.append(ruler.measure(network, iteration) | {"origin": origin, "weights_sha256": sha256})
        cosine = pd.DataFrame(stages[-1]["predictions"]).next.mean()
        tell(f"iteration {iteration:,} ({origin}): the next gradient has a cosine of {cosine:.3f} with the last one")

    if 0 not in files:
        measure(weights.untrained(record), 0, "initialisation", None)
    for iteration, (network, sha256) in along_the_way.items():
        measure(network, iteration, "along the way", sha256)
    if path.with_suffix(".safetensors").exists():
        network, _ = weights.load_network(experiment, record.seed, path.parent.parent)
        measure(network, ruler.recipe.iterations, "record", record.weights_sha256)
    content = {
        "train_sha256": train.sha256,
        "images": IMAGES,
        "pairs": PAIRS,
        "batch_size": ruler.recipe.batch_size,
        "started": started,
        "made_by": made_by,
        "kept_by": kept_by,
        "stages": stages,
        "seconds": round(time.monotonic() - began, 1),
    }
    return SIGNALS.write(_rounded(content), record, path)


class _Ruler:
    """Measures any network of one run, always on the same images."""

    def __init__(self, record: Record, train: data.ImageSet, device: str | torch.device) -> None:
        self.recipe, self.device = Recipe(**record.recipe), torch.device(device)

        def batch(images: data.ImageSet) -> tuple[torch.Tensor, torch.Tensor]:
            pixels = augment.normalise(images.images, record.mean, record.std)
            return pixels.to(device, memory_format=torch.channels_last), images.labels.to(device)

        size = self.recipe.batch_size
        seen = lesions.augmented(train.subset(2 * PAIRS * size), self.recipe)
        images, labels = batch(seen)
        self.batches = list(zip(images.split(size), labels.split(size), strict=True))
        self.few = batch(train.subset(IMAGES))

    def measure(self, network: Network, iteration: int) -> dict[str, Any]:
        """What a ``Stage`` holds, but for where the weights are from."""
        network = deepcopy(network).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        rate = self.recipe.learning_rate_at(min(iteration, self.recipe.iterations - 1))
        layers = diagnostics.layer_responses(network, self.few[0], training=True).drop(columns="name")
        trained = diagnostics.layer_responses(network, self.few[0]).response
        of_weights = diagnostics.weight_gradients(network, *self.few)[["weight_norm", "gradient_norm"]]
        return {
            "iteration": iteration,
            "learning_rate": rate,
            "layers": layers.assign(trained_response=trained).join(of_weights).to_dict("records"),
            "blocks": diagnostics.block_gradients(network, *self.few).drop(columns="name").to_dict("records"),
            "predictions": signals.predictions(network, self.batches, rate).to_dict("records"),
            "distances": signals.shattering(network, self.few, DISTANCES).to_dict("records"),
        }


def _refuse_to_lose(path: Path, record: Record, iterations: set[int]) -> None:
    """Raise RecordError if what is kept is of networks that are not here, beside ``path`` or in ``iterations``.

    A file that cannot be read at all may be replaced.
    """
    here, file = {"initialisation"}, SIGNALS.path_of(path)
    if path.with_suffix(".safetensors").exists():
        here.add("record")
    lost = 0
    with suppress(OSError, ValueError, AttributeError, TypeError):
        stages = json.loads(file.read_text(encoding="utf-8"))["stages"]
        lost = sum(stage.get("origin") not in here and stage.get("iteration") not in iterations for stage in stages)
    if lost:
        raise RecordError(
            f"{file} has {lost} networks whose weights are not here, so they would be lost. Name "
            "the folder of these weights (--weights), or move the file away."
        )


def _files(folder: str | Path) -> dict[int, Path]:
    """The files of weights in ``folder`` by iteration. Raises ValueError where there is none."""
    found = {int(path.stem): path for path in Path(folder).glob("*.safetensors") if path.stem.isdecimal()}
    if not found:
        made = "`resnet-book run NAME --keep-weights` leaves them in runs/NAME/seed0/weights"
        raise ValueError(f"folder={str(folder)!r} holds no weights, as 1000.safetensors: {made}")
    return dict(sorted(found.items()))


def _kept_by(
    folder: Path, files: dict[int, Path], record: Record, repetition: str | Path | None
) -> dict[str, Any] | None:
    """The first part of the run that left the ``files``: of a repetition, of a run under way, or of the recorded one.

    None where none of them is known to have left them. Raises RecordError for a repetition that did not, and for a
    checkpoint beside ``folder`` of a run that is none.
    """
    run = f"{record.experiment}, seed {record.seed}"
    checkpoint = folder.parent / "checkpoint.pt"
    if repetition is None and (under_way := checkpoints.load(checkpoint)):
        structure, recipe = checkpointing.structure_of(weights.untrained(record)), repr(Recipe(**record.recipe))
        expected = {"network": structure, "recipe": recipe, "seed": record.seed}
        if not expected.items() <= under_way.get("identity", {}).items():
            raise RecordError(
                f"{checkpoint} is of another run than {run} (network, recipe or seed), and so are the weights in "
                f"{folder}. Name the folder of a training of {run} (--weights)."
            )
        return under_way["history"]["parts"][0]
    left_by = records.load_record(repetition) if repetition else record
    last = files.get(left_by.recipe["iterations"])
    sha256 = hashlib.sha256(last.read_bytes()).hexdigest() if last else None
    if repetition is None:
        return asdict(record.parts[0]) if sha256 and sha256 == record.weights_sha256 else None
    same = (left_by.experiment, left_by.seed) == (record.experiment, record.seed)
    if not same or (left_by.weights_sha256 and sha256 != left_by.weights_sha256):
        raise RecordError(
            f"{repetition} is the record of another run than the one that left these weights, or no repetition of "
            f"{run}. Name the record of the run that left them (--repetition), or leave it out."
        )
    return asdict(left_by.parts[0])


def _require_beginning(network: Network, record: Record, file: Path) -> None:
    """Raise RecordError unless ``network``, from ``file``, is that with which the recorded run began."""
    pairs = zip(network.state_dict().values(), weights.untrained(record).state_dict().values(), strict=True)
    if not all(torch.allclose(*pair) for pair in pairs):  # not to the last bit, which another machine may round
        run = f"{record.experiment}, seed {record.seed}"
        raise RecordError(
            f"{file} is not the network that {run}, began with: these weights are of another seed or run. Name the "
            f"folder of a training of {run} (--weights)."
        )


def _rounded(value: Any) -> Any:
    """``value`` with every float at six significant digits: what was measured has no more, and files stay small."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
