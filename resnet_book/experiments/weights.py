"""Keep the weights of a recorded run beside its record, ``seed<k>.safetensors``, and load them again.

The file holds parameters and buffers, nothing that could be executed. Not every run keeps one: the record, which is
small, says how to train the same network again. ``KeepWeights`` also keeps those along the way, for as long as
somebody wants to look at them.
"""

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from resnet_book import cifar, data, models
from resnet_book.engine import processes
from resnet_book.engine.callbacks import Callback
from resnet_book.engine.files import write_atomically
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.records import Record, find_results, load_record, path_of
from resnet_book.recipe import Recipe
from resnet_book.state import Training


def save_weights(network: nn.Module, path: str | Path) -> str:
    """Write the network's parameters and buffers to ``path`` (safetensors), atomically; return the file's SHA-256."""
    content = content_of(network)
    write_atomically(path, lambda file: file.write(content))
    return hashlib.sha256(content).hexdigest()


def content_of(network: nn.Module) -> bytes:
    """The network's parameters and buffers as the file of ``save_weights`` holds them."""
    return save({name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()})


def moments(recipe: Recipe) -> list[int]:
    """The iterations at which a training is worth looking at: dense at first, before each drop, and the last.

    0 and 1, 3, 10, 30, ... up to the first drop; each drop; the end.
    """
    ends = {drop for drop in recipe.drops if drop < recipe.iterations} | {recipe.iterations}
    early = (factor * 10**power for power in range(9) for factor in (1, 3))
    return sorted({0, *(iteration for iteration in early if iteration < min(ends)), *ends})


class KeepWeights(Callback):
    """Keeps the network's weights in ``folder`` at the ``moments`` of its training, as ``<iteration>.safetensors``."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def begin(self, training: Training) -> None:
        if training.iteration == 0:
            self.after_step(training)

    def after_step(self, training: Training) -> None:
        if training.iteration in moments(training.recipe) and processes.rank() == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_weights(training.network, self.folder / f"{training.iteration}.safetensors")


def load_network(experiment: str, seed: int = 0, results: str | Path | None = None) -> tuple[models.Network, Record]:
    """The network that a recorded run trained, in evaluation mode on the CPU, and the run's record.

    ``results``: where ``records.find_results`` looks. Raises RecordError where the run is not recorded, its weights
    were not kept, or the file is not exactly the one that the run left.
    """
    path = path_of(find_results(results), experiment, seed)
    record = load_record(path)
    weights = path.with_suffix(".safetensors")
    try:
        state = load(_read(weights, record))
        network = untrained(record)
        network.load_state_dict(state)
    except (RecordError, OSError, SafetensorError, RuntimeError) as error:
        problem = str(error) if isinstance(error, RecordError) else f"{weights} cannot be read ({error})."
        raise RecordError(f"{problem.splitlines()[0]} {_how_to_train_again(record, path)}") from error
    return network.eval(), record


def load_kept(file: str | Path, record: Record) -> tuple[models.Network, str]:
    """The network with weights that ``KeepWeights`` left, in evaluation mode on the CPU, and the file's SHA-256.

    Raises RecordError where ``file`` holds no weights of the network of ``record``.
    """
    content, network = Path(file).read_bytes(), untrained(record)
    try:
        network.load_state_dict(load(content))
    except (SafetensorError, RuntimeError) as error:
        problem = str(error).splitlines()[0]
        raise RecordError(
            f"{file} holds no weights of {record.experiment} ({problem}). Name another folder, or delete the file."
        ) from error
    return network.eval(), hashlib.sha256(content).hexdigest()


def load_first(
    experiments: Sequence[str], data_root: str | Path | None = None, results: str | Path | None = None
) -> tuple[models.Network, Record]:
    """The first of these networks whose weights are kept (seed 0) and whose test images are here, and its record.

    As ``load_network`` gives them. Raises as ``load_first_group``.
    """
    return load_first_group([[experiment] for experiment in experiments], data_root, results)[0]


def load_first_group(
    groups: Sequence[Sequence[str]], data_root: str | Path | None = None, results: str | Path | None = None
) -> list[tuple[models.Network, Record]]:
    """As ``load_first``, the first group, for example a pair of twins, of which all of that is true; one dataset each.

    Raises RecordError where there is none, and DataError where ``data_root`` is named and does not hold the images of
    a group whose weights are kept: nothing may stand in for a folder that somebody named.
    """
    results = find_results(results)
    for group in groups:
        paths = [path_of(results, experiment, 0) for experiment in group]
        if not all(path.exists() and path.with_suffix(".safetensors").exists() for path in paths):
            continue
        try:
            data.load(load_record(paths[0]).dataset["name"], "test", data_root)
        except cifar.DataMissingError as missing:
            if missing.named:
                raise
        else:
            return [load_network(experiment, 0, results) for experiment in group]
    wanted = ", ".join(" and ".join(group) for group in groups)
    raise RecordError(f"{results} holds none of {wanted} with weights whose images are here. Name another folder.")


def untrained(record: Record) -> models.Network:
    """The network of a recorded run as it was before its first step, in training mode, on the CPU."""
    model = record.model
    return models.untrained(model["name"], model["num_classes"], model["shortcut"], record.seed)


def _read(weights: Path, record: Record) -> bytes:
    """The content of ``weights``. Raises RecordError unless it is what ``record`` has the checksum of."""
    if not weights.exists():
        raise RecordError(f"{weights} does not exist: this run's weights were not kept.")
    if record.weights_sha256 is None:
        raise RecordError(f"{weights} is not of this run, which left no weights. Move it away.")
    content = weights.read_bytes()
    if hashlib.sha256(content).hexdigest() != record.weights_sha256:
        raise RecordError(
            f"{weights} holds other weights than those that the run left (its SHA-256 is not the one in the record): "
            "damaged, or of another run. Restore it, from git for example, or delete it."
        )
    return content


def _how_to_train_again(record: Record, path: Path) -> str:
    """The command that makes the weights again, in another folder, since the record at ``path`` is in the way."""
    results = path.parent.parent
    other = results.parent / f"{results.resolve().name}-again"
    command = f"resnet-book run {record.experiment} --seed {record.seed} --results {shlex.quote(str(other))}"
    return f"To train it again, into another folder: `{command}`."
