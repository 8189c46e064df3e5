"""Let trained networks run in the reader's browser: in a page of the book, or in a notebook's output.

``live/live.js`` computes them, in plain JavaScript and typed arrays. This module writes their data for it.
"""

import base64
import html
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from resnet_book.experiments import records
from resnet_book.experiments.lesion_records import LESIONS, LesionRecord
from resnet_book.experiments.trained import TrainedNetwork, load_trained
from resnet_book.models import ResidualBlock, SubsampleShortcut
from resnet_book.report.assets import script_and_style

ASSETS = Path(__file__).parent / "live"
PICTURES = ("cat", "horse", "rocket", "coffee")  # the first is shown first
RECIPES = ("cifar10", "cifar10-short")  # whose networks are looked for, the best first
PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>A live network</title>
<style>
:root {{ color-scheme: light dark; --pst-color-border: light-dark(#c9c9c9, #505050); --pst-color-primary: #0072b2;
  --pst-color-surface: light-dark(#f3f3f3, #2a2a2a); --pst-color-text-base: light-dark(#222, #ddd); }}
body {{ font: 15px sans-serif; margin: 0; background: Canvas; }} /* dark where the text is light, whatever is around */
{css}</style>
<div class="live-network" role="group" aria-label="A trained network"></div>
<script>{data}</script><script>{script}
window.LiveNetwork.start(document.querySelector(".live-network"), window.LIVE_NETWORK);
const all = document.documentElement, frame = window.frameElement; // as high as what it holds
const fit = () => (frame.style.height = `${{Math.ceil(all.getBoundingClientRect().height)}}px`);
if (frame) new ResizeObserver(fit).observe(all);
</script>"""


class LiveNetwork:
    """Networks (see ``described``) as the output of a notebook's cell, to be played with. Needs no connection."""

    def __init__(self, networks: Sequence[dict[str, Any]]) -> None:
        self.networks = list(networks)

    def __repr__(self) -> str:
        names = " and ".join(each["experiment"] for each in self.networks) or "no network with its weights"
        return f"A live network ({names}): run this cell to play with it."

    def _repr_html_(self) -> str:
        script, css = script_and_style("live/live")
        page = PAGE.format(css=css, data=as_script(self.networks), script=script)
        style = "width: 100%; height: 900px; border: none"
        return f'<iframe title="A live network" style="{style}" srcdoc="{html.escape(page)}"></iframe>'


def recorded_twins(results: str | Path | None = None) -> list[dict[str, Any]]:
    """The recorded networks of 20 layers on CIFAR-10, residual and plain, with what single cuts cost where it is kept.

    Both are of seed 0 and of one recipe: the first of ``RECIPES`` by which both have weights, or else one of them.
    Empty where there are none. Raises RecordError for one that is there and damaged.
    """
    folder = records.find_results(results)
    of_recipes = [
        [
            name
            for name in (f"resnet20-{recipe}", f"plain20-{recipe}")
            if records.path_of(folder, name, 0).with_suffix(".safetensors").exists()
        ]
        for recipe in RECIPES
    ]
    names = max(of_recipes, key=len)  # the first of those with most
    return [described(load_trained(name, results=folder), LESIONS.read(name, results=folder)) for name in names]


def folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weights (out, in, 3, 3) and biases (out,) of the convolution that does what both do in evaluation mode.

    Raises ValueError for a batch norm without running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("norm: it keeps no statistics (track_running_stats=False), so there is nothing to fold in")
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


def described(trained: TrainedNetwork, lesions: LesionRecord | None = None) -> dict[str, Any]:
    """What the page has to know of a network: how it is built, its preprocessing, its weights (base64).

    The weights are those of each convolution with its batch norm folded in, weights then biases, in the order in which
    an image meets them, then those of the last layer; of each float32 the upper three bytes, rounded, which changes it
    by a part in 65,536 at most. ``lesions``: what single cuts cost. Raises ValueError for a network with other blocks
    than the page computes: of two layers, with shortcuts that subsample where the shape changes, or without.
    """
    network, record = trained.network, trained.record
    blocks = [block for stage in network.stages.children() for block in stage.children()]
    if any(len(block.layers) != 5 for block in blocks) or not all(map(_page_knows, blocks)):  # type: ignore[arg-type]
        raise ValueError(
            "network: the page computes blocks of two layers, with shortcuts that subsample where the shape changes or "
            f"without, and {record.model['name']} has others"
        )
    with torch.inference_mode():
        tensors = [each for pair in _folded_pairs(network, blocks) for each in pair]
        tensors += [network.classifier.weight, network.classifier.bias]
        flat = torch.cat([tensor.flatten() for tensor in tensors]).float().numpy().astype("<f4")
    upper = ((flat.view("<u4") + 128) & 0xFFFFFF00).astype("<u4").view(np.uint8).reshape(-1, 4)[:, 1:]
    return {
        "name": record.model["name"],
        "experiment": record.experiment,
        "seed": record.seed,
        "test_error": record.test_error,
        "test_images": record.dataset["test"]["images"],
        "classes": list(trained.class_names),
        "mean": record.mean,
        "std": record.std,
        "residual": all(isinstance(block, ResidualBlock) for block in blocks),
        "stem": network.stem[0].out_channels,  # type: ignore[union-attr]
        "blocks": [[block.layers[0].out_channels, block.layers[0].stride[0]] for block in blocks],  # type: ignore[index]
        "lesions": _costs(lesions) if lesions else None,
        "weights": base64.b64encode(upper.tobytes()).decode("ascii"),
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


def as_script(networks: Sequence[dict[str, Any]]) -> str:
    """Networks (see ``described``) and the book's pictures, as the script that ``live.js`` takes its data from.

    A page that is opened as a file may not read other files, but it may run scripts, so the data is one.
    """
    paths = [ASSETS / "pictures" / f"{name}.jpg" for name in PICTURES]
    pictures = [{"name": each.stem, "jpeg": base64.b64encode(each.read_bytes()).decode("ascii")} for each in paths]
    data = json.dumps({"networks": list(networks), "pictures": pictures}, separators=(",", ":")).replace("<", "\\u003c")
    return f"window.LIVE_NETWORK = {data};\n"


def as_scripts(networks: Sequence[dict[str, Any]]) -> dict[str, str]:
    """As ``as_script``, by names of files: the weights of networks after the first are fetched when they are chosen."""
    light = [each if number == 0 else {**each, "weights": ""} for number, each in enumerate(networks)]
    scripts = {"live_data.js": as_script(light)}
    for number, each in enumerate(networks[1:], start=1):
        weights = json.dumps(each["weights"])
        scripts[f"live_weights_{number}.js"] = f"window.LIVE_NETWORK.networks[{number}].weights = {weights};\n"
    return scripts
