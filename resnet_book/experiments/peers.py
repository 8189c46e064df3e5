"""Load weights that were trained elsewhere into a network of ours.

Knows the tensors' names in akamaster/pytorch_resnet_cifar10 (our 6n+2 networks) and in kuangliu/pytorch-cifar (our wide
networks with shortcut "projection"), besides our own; what PyTorch's wrappers put before the names; and the
dictionaries that training scripts put around them. Normalise images as the weights' source did; its mean and std are
often given for pixels of 0 to 1, ours for 0 to 255.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from resnet_book.models import Network

OUTER_KEYS = ("state_dict", "network", "model", "net", "module")  # the last as DeepSpeed saves
WRAPPERS = ("module", "_orig_mod")  # of DataParallel and of torch.compile
OURS = {"conv1": "stem.0", "bn1": "stem.1", "linear": "classifier", "fc": "classifier"}


class PeerError(ValueError):
    """Weights cannot be read, or do not fit the network; the message names the first tensor that does not."""


def load_state(network: Network, source: str | Path | Mapping[str, Any]) -> Network:
    """Copy the weights of ``source`` into ``network``, and return it in evaluation mode.

    ``source``: a file of ``torch.save`` (.pt, .pth, .th) or safetensors, whatever its ending, or a state dict. Nothing
    that the file contains is executed. Batch norm's counters of batches may be missing. All tensors of the network must
    be there, in their shape, and no others; else PeerError, and the network is as it was.
    """
    named, state = ("source", source) if not isinstance(source, str | Path) else (str(source), _read(Path(source)))
    if not isinstance(state, Mapping):
        raise PeerError(f"{named} is a {type(state).__name__}: give a state dict, or a file that holds one.")
    found = dict[str, tuple[Any, Any]]()
    for name, value in _without_outer(state).items():
        ours = _our_name(str(name))
        if ours in found:
            raise _misfit(named, name, f"is for {ours}, and so is {found[ours][0]}", None)
        found[ours] = name, value
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        theirs, value = found.get(name, (name, None))
        if name.endswith(".num_batches_tracked") and value is None:
            continue  # only a batch norm without momentum reads it
        if value is None:
            others = (str(theirs) for ours, (theirs, _) in found.items() if ours not in wanted)
            raise _misfit(named, name, f"is missing, the first unknown name is {next(others, None)}", tensor)
        if not isinstance(value, Tensor) or value.shape != tensor.shape:
            what = f"has shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"is a {type(value).__name__}"
            raise _misfit(named, theirs, what, tensor)
        if tensor.is_floating_point() and not (value.is_floating_point() and value.isfinite().all()):
            raise _misfit(named, theirs, f"holds {value.dtype}, or numbers that are not finite", tensor)
    for name, (theirs, value) in found.items():
        if name not in wanted:
            raise _misfit(named, theirs, f"has no place in it, shape {tuple(getattr(value, 'shape', ()))}", None)
    network.load_state_dict({**wanted, **{name: value for name, (_, value) in found.items()}})
    return network.eval()


def _our_name(name: str) -> str:
    """The name that a tensor of a peer's network has in ours."""
    parts = [part for part in name.split(".") if part not in WRAPPERS] or [name]
    if parts[0] in OURS:
        return ".".join([OURS[parts[0]], *parts[1:]])
    name = ".".join(parts)
    # layer2.0.bn1 -> stages.1.0.layers.1: a convolution, its batch norm and a ReLU are three of our layers
    if match := re.fullmatch(r"layer(\d)\.(\d+)\.(conv|bn)(\d)\.(\w+)", name):
        stage, block, kind, number, tensor = match.groups()
        return f"stages.{int(stage) - 1}.{block}.layers.{3 * (int(number) - 1) + (kind == 'bn')}.{tensor}"
    if match := re.fullmatch(r"layer(\d)\.(\d+)\.(?:shortcut|downsample)\.(.+)", name):
        return f"stages.{int(match[1]) - 1}.{match[2]}.shortcut.{match[3]}"
    return name


def _without_outer(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The innermost dictionary of tensors."""
    for key in OUTER_KEYS:
        if isinstance(state.get(key), Mapping):
            return _without_outer(state[key])
    return state


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            if file.read(9)[8:] == b"{":  # safetensors: eight bytes of length, then JSON
                return safetensors.torch.load_file(path)
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise PeerError(f"{path} cannot be read ({error.strerror or error}): name a file of weights.") from error
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to mean
        reason = str(error) if isinstance(error, SafetensorError) else "damaged, or more than tensors and plain values"
        raise PeerError(f"{path} is not a file of weights that can be trusted ({reason}).") from error


def _misfit(source: str, tensor: str, found: str, expected: Tensor | None) -> PeerError:
    wanted = "" if expected is None else f"; the network expects {tuple(expected.shape)}, {expected.dtype}"
    return PeerError(
        f"{source} does not fit the network: {tensor} {found}{wanted}.\n"
        f"Build the network that it was trained as (name, num_classes, shortcut); resnet_book.models.build does."
    )
