"""Write trained networks as data for a page that runs them in the reader's browser (``book/live/live.js``)."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from resnet_book.experiments.lesion_records import LesionRecord
from resnet_book.experiments.trained import TrainedNetwork
from resnet_book.models import ResidualBlock, SubsampleShortcut


def folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weights (out, in, 3, 3) and biases (out,) of the convolution that does what both do in evaluation mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


def described(trained: TrainedNetwork, lesions: LesionRecord | None = None) -> dict[str, Any]:
    """What the page has to know of a network: how it is built, its preprocessing, its weights (base64, float32).

    The weights are those of each convolution with its batch norm folded in, weights then biases, in the order in which
    an image meets them, then those of the last layer. ``lesions``: what single cuts cost. Raises ValueError for a
    network that is not of the 6n+2 family.
    """
    network, record = trained.network, trained.record
    blocks = [block for stage in network.stages.children() for block in stage.children()]
    if any(len(block.layers) != 5 for block in blocks) or not all(map(_page_knows, blocks)):  # type: ignore[arg-type]
        raise ValueError(f"network: the page computes networks of 6n+2 layers, and {record.model['name']} is none")
    with torch.inference_mode():
        tensors = [each for pair in _folded_pairs(network, blocks) for each in pair]
        tensors += [network.classifier.weight, network.classifier.bias]
        flat = torch.cat([tensor.flatten() for tensor in tensors]).float().numpy().astype("<f4")
    return {
        "name": record.model["name"],
        "experiment": record.experiment,
        "seed": record.seed,
        "test_error": record.test_error,
        "classes": list(trained.class_names),
        "mean": record.mean,
        "std": record.std,
        "residual": all(isinstance(block, ResidualBlock) for block in blocks),
        "stem": network.stem[0].out_channels,  # type: ignore[union-attr]
        "blocks": [[block.layers[0].out_channels, block.layers[0].stride[0]] for block in blocks],  # type: ignore[index]
        "lesions": _costs(lesions) if lesions else None,
        "weights": base64.b64encode(flat.tobytes()).decode("ascii"),
    }


def _costs(lesions: LesionRecord) -> dict[str, Any]:
    """Test errors (%) by what is cut, as the page calls it: "", "block 3", "shortcut 3"; and of how many images."""
    names = {"nothing": "", "leave out": "block", "close shortcut": "shortcut"}
    single = [cut for cut in lesions.cuts if cut.kind in names and len(cut.blocks) <= 1]
    errors = {" ".join([names[cut.kind], *map(str, cut.blocks)]): cut.error for cut in single}
    return {"images": lesions.test_images, "errors": errors}


def _page_knows(block: nn.Module) -> bool:
    plain = not isinstance(block, ResidualBlock)
    return plain or isinstance(block.shortcut, nn.Identity | SubsampleShortcut)


def _folded_pairs(network: Any, blocks: Sequence[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    for layers in (network.stem, *(block.layers for block in blocks)):
        for place, layer in enumerate(layers):
            if isinstance(layer, nn.Conv2d):
                yield folded(layer, layers[place + 1])


def write(networks: Sequence[dict[str, Any]], pictures: Sequence[str | Path], path: str | Path) -> None:
    """Write networks (see ``described``) and JPEG ``pictures`` as a script that a page can load from a disk.

    A page that is opened as a file may not read other files, but it may run scripts, so the data is one.
    """
    shown = [
        {"name": each.stem, "jpeg": base64.b64encode(each.read_bytes()).decode("ascii")} for each in map(Path, pictures)
    ]
    data = json.dumps({"networks": list(networks), "pictures": shown}, separators=(",", ":"))
    Path(path).write_text(f"window.LIVE_NETWORK = {data};\n", encoding="utf-8")
