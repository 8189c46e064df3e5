"""Trained weights: the network of a recorded run enters; ``<results>/<experiment>/seed<k>.safetensors`` leaves.

The file lies beside the run's record and holds parameters and buffers, nothing that could be executed. Not every run
keeps one: the record, which is small, says how to train the same network again.
"""

import shlex
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from resnet_book.engine.checkpoints import write_atomically
from resnet_book.experiments.records import Record, RecordError, find_results, load_record, path_of
from resnet_book.models import Network, build


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the network's parameters and buffers to ``path`` (safetensors), atomically."""
    state = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    write_atomically(path, lambda file: file.write(save(state)))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Parameters and buffers from a file of ``save_weights``, on the CPU.

    Raises RecordError if there is none, or if it is damaged.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise RecordError(f"{path} does not exist: this run's weights were not kept.") from None
    except (OSError, SafetensorError) as error:
        raise RecordError(f"{path} cannot be read ({error}). Restore it, or delete it.") from error


def load_trained(experiment: str, seed: int = 0, results: Path | None = None) -> tuple[Network, Record]:
    """The network that a recorded run trained, in evaluation mode on the CPU, and the run's record.

    Raises RecordError where the run is not recorded, or where its weights were not kept, are damaged or belong to
    another network.
    """
    path = path_of(results or find_results(), experiment, seed)
    record = load_record(path)
    network = untrained(record)
    weights = path.with_suffix(".safetensors")
    try:
        network.load_state_dict(load_weights(weights))
    except RecordError as error:
        raise RecordError(f"{error} {_how_to_train_again(record, path)}") from error
    except RuntimeError as error:  # torch names every tensor that does not fit, over many lines
        raise RecordError(
            f"{weights} holds the weights of another network than {record.model['name']} with "
            f"{record.model['num_classes']} classes. Put the right file in its place, or delete it. "
            f"{_how_to_train_again(record, path)}"
        ) from error
    return network.eval(), record


def untrained(record: Record) -> Network:
    """The network of a recorded run as it was before its first step, in training mode, on the CPU."""
    model, generator = record.model, torch.Generator().manual_seed(record.seed)
    with torch.random.fork_rng(devices=[]):  # torch's layers draw before we do
        return build(model["name"], model["num_classes"], model["shortcut"], generator)


def _how_to_train_again(record: Record, path: Path) -> str:
    """The command that makes the weights again, in another folder, since the record at ``path`` is in the way."""
    results = path.parent.parent
    other = results.parent / f"{results.resolve().name}-again"
    command = f"resnet-book run {record.experiment} --seed {record.seed} --results {shlex.quote(str(other))}"
    return f"To train it again, into another folder: `{command}`."
