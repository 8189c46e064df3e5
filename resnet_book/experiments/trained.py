"""Ask a recorded network what a picture shows; its preprocessing and its class names come with it.

``resnet_book.load_trained("resnet20-cifar10-short").classify("cat.jpg")`` is all there is to it: raw pixels go in, so
that no normalisation can be wrong or forgotten, and the network is in evaluation mode whatever was done to it before.
"""

import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from resnet_book import features
from resnet_book.cifar import IMAGE_SHAPE
from resnet_book.data import CLASS_NAMES
from resnet_book.engine.checks import whole
from resnet_book.experiments import catalogue, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.records import Record, find_results
from resnet_book.models import Network

SIZE = IMAGE_SHAPE[-1]  # pixels on each side of what the networks see
Picture = str | Path | Image.Image | np.ndarray | Tensor
WHAT_TO_PASS = (
    "pass a path, a PIL image, or uint8 pixels 0 to 255 as (3, 32, 32) or (N, 3, 32, 32), red, green, blue, neither "
    "scaled nor normalised"
)
READABLE = "PNG, JPEG, GIF, WebP, BMP and TIFF"
UNREADABLE = ("EPS", "WMF", "EMF", "BUFR", "GRIB", "HDF5")  # Pillow knows them, and leaves them to other programs


@dataclass(frozen=True, repr=False)
class Answer:
    """What a network makes of one picture: its best ``names`` with their ``probabilities`` (0 to 1), the best first.

    ``prepared`` says what was done to the picture before the network saw it.
    """

    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    prepared: str

    def __str__(self) -> str:
        best = (f"{name} {100 * each:.1f} %" for name, each in zip(self.names, self.probabilities, strict=True))
        return f"{', '.join(best)} ({self.prepared})"

    def __repr__(self) -> str:
        return f"<Answer: {self}>"


@dataclass(frozen=True, repr=False)
class TrainedNetwork:
    """A recorded network, in evaluation mode, with all that is needed to use it."""

    network: Network
    record: Record

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of the network's scores."""
        return CLASS_NAMES[self.record.dataset["name"]]

    def __repr__(self) -> str:
        of = f"{self.record.experiment}, seed {self.record.seed}"
        return f"<TrainedNetwork: {of}, {len(self.class_names)} classes, test error {self.record.test_error:.2f} %>"

    @overload
    def classify(self, picture: str | Path | Image.Image, k: int = 5) -> Answer: ...
    @overload
    def classify(self, picture: Sequence[Picture], k: int = 5) -> list[Answer]: ...
    @overload
    def classify(self, picture: np.ndarray | Tensor, k: int = 5) -> Any: ...

    def classify(self, picture: Picture | Sequence[Picture], k: int = 5) -> Answer | list[Answer]:
        """The ``k`` most probable classes of a picture; of several pictures, a list of answers.

        A picture is a path, a PIL image, or pixels (3, 32, 32) uint8, as numpy array or tensor. Several are a list of
        such, or pixels (N, 3, 32, 32). A path or PIL image may have any size and mode: it is turned as its EXIF says,
        put on white where it is transparent, resized on the short side and cut to the middle 32 x 32. Of several
        pictures in a file, as of an animated GIF, the first is seen. Raises ValueError for anything else, for a file of
        more pixels than Pillow's limit (some 89 million), and for ``k`` below 1 or above the number of classes.
        """
        k = whole("k", k, 1, len(self.class_names), "the number of classes")
        if isinstance(picture, list | tuple):
            prepared = [_prepare(each, f"picture[{index}]") for index, each in enumerate(picture)]
        elif isinstance(picture, np.ndarray | Tensor) and picture.ndim == 4:
            prepared = [(pixels, _AS_GIVEN) for pixels in _check_pixels(picture, "picture")]
        else:
            return self._answer([_prepare(picture, "picture")], k)[0]
        return self._answer(prepared, k) if prepared else []

    def _answer(self, prepared: list[tuple[Tensor, str]], k: int) -> list[Answer]:
        pixels = torch.stack([pixels for pixels, _ in prepared])  # (N, 3, 32, 32) uint8
        device, mean, std = self.network.classifier.weight.device, self.record.mean, self.record.std
        seen = features.extract(self.network, pixels, mean, std, device=device)
        probabilities, classes = features.class_scores(self.network, seen).softmax(dim=1).topk(k)  # (N, k) each
        return [
            Answer(tuple(self.class_names[index] for index in best), tuple(likely), note)
            for best, likely, (_, note) in zip(classes.tolist(), probabilities.tolist(), prepared, strict=True)
        ]


def load_trained(name: str, seed: int = 0, results: str | Path | None = None) -> TrainedNetwork:
    """The network that the experiment ``name`` trained with ``seed``, ready to ``classify``.

    ``results``: the folder of the records; None looks where ``records.find_results`` does. Raises ValueError, with
    names that are near, for an experiment that does not exist; RecordError, with the names of those that can be had,
    where its record or its weights are not there or are damaged.
    """
    catalogue.get(name)
    folder = find_results(results)
    try:
        return TrainedNetwork(*weights.load_network(name, seed, folder))
    except RecordError as error:
        files = (each.stem.removeprefix("seed") for each in folder.glob(f"{name}/seed*.safetensors"))
        seeds = sorted(int(each) for each in files if each.isdecimal())  # a study's file has a word more
        others = f" {name} has weights of seed {', '.join(map(str, seeds))}." if seeds and seed not in seeds else ""
        kept = sorted(each.parent.name for each in folder.glob(f"*/seed{seed}.safetensors"))
        there = f"With weights of seed {seed} in {folder}: {', '.join(kept) or 'none'}."
        raise RecordError(f"{error}{others} {there}") from error


_AS_GIVEN = "pixels as given"


def _prepare(picture: object, name: str) -> tuple[Tensor, str]:
    """One picture as pixels (3, 32, 32) uint8, and what was done to it in words. Raises ValueError, with ``name``."""
    if isinstance(picture, np.ndarray | Tensor):
        if picture.ndim == 4:
            raise ValueError(f"{name} of shape {tuple(picture.shape)} in a list: pass the array alone, or one by one")
        return _check_pixels(picture, name), _AS_GIVEN
    if isinstance(picture, str | Path):
        return _prepare_file(picture, f"{name}={str(picture)!r}")
    if isinstance(picture, Image.Image):
        return _prepare_image(picture, name)
    raise ValueError(f"{name} is of type {type(picture).__name__}: {WHAT_TO_PASS}; or a list of such")


def _prepare_file(path: str | Path, name: str) -> tuple[Tensor, str]:
    """The picture in a file as ``_prepare`` gives it, the first one where there are several."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow says of odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                if opened.format in UNREADABLE:
                    raise UnidentifiedImageError(f"{opened.format} needs another program")
                pixels, note = _prepare_image(opened, name)
                pictures = getattr(opened, "n_frames", 1)  # which only some formats have
                return pixels, f"{note}, the first of {pictures} in the file" if pictures > 1 else note
    except FileNotFoundError:
        raise ValueError(f"{name}: there is no such file; pass the path of a picture") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError(f"{name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller first") from None
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} cannot be read as a picture ({error}); {READABLE} can") from error
    except (OSError, SyntaxError, LookupError, TypeError, EOFError, struct.error) as error:  # Pillow raises them all
        raise ValueError(f"{name} cannot be read as a picture ({error})") from error


def _check_pixels(pixels: np.ndarray | Tensor, name: str) -> Tensor:
    """Pixels (..., 3, 32, 32) uint8 on the CPU. Raises ValueError that says what was found and what to pass."""
    dtype, shape = str(pixels.dtype).removeprefix("torch."), tuple(pixels.shape)
    if dtype != "uint8":
        raise ValueError(f"{name} holds {dtype} {shape}: {WHAT_TO_PASS}")
    if pixels.ndim not in (3, 4) or shape[-3:] != IMAGE_SHAPE:
        last = pixels.ndim in (3, 4) and shape[-1] == 3
        advice = "; channels come first: move the last axis forward" if last else "; a path or PIL image is resized"
        raise ValueError(f"{name} has shape {shape}: {WHAT_TO_PASS}{advice}")
    return torch.tensor(np.ascontiguousarray(pixels)) if isinstance(pixels, np.ndarray) else pixels.cpu()


def _prepare_image(image: Image.Image, name: str) -> tuple[Tensor, str]:
    """A PIL image as pixels (3, 32, 32) uint8, and what was done to it in words."""
    done = []
    if 0 in image.size:
        raise ValueError(f"{name} has {image.width} x {image.height} pixels: pass one with at least one")
    upright = ImageOps.exif_transpose(image)
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        done.append("turned as its EXIF says")
    if upright.mode.startswith("I"):  # whole numbers of more than 8 bits, which Pillow would cut off at 255
        levels = np.asarray(upright).astype(np.int64)
        if levels.min() < 0 or levels.max() >= 1 << 16:
            raise ValueError(f"{name} has values from {levels.min()} to {levels.max()}: pass 8 or 16 bits a pixel")
        clear = levels == upright.info.get("transparency", -1)
        if upright.mode != "I" or levels.max() >= 1 << 8:
            levels >>= 8
            done.append("16 bits made 8")
        if clear.any():
            levels[clear] = 255
            done.append("put on white where it is transparent")
        upright = Image.fromarray(levels.astype(np.uint8))
    elif upright.has_transparency_data:
        seen = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
        done.append("put on white where it is transparent")
    elif upright.mode == "F":
        raise ValueError(f"{name} is a PIL image of mode F (floats): pass one of 8 bits, such as RGB or L")
    if image.mode not in ("RGB", "RGBA", "RGBX"):
        done.append(f"mode {image.mode} made RGB")
    upright = upright.convert("RGB")
    if upright.width != upright.height:
        done.append(f"resized on the short side and cut to the middle {SIZE} x {SIZE}")
    elif upright.width != SIZE:
        done.append(f"resized to {SIZE} x {SIZE}")
    if upright.size != (SIZE, SIZE):
        upright = ImageOps.fit(upright, (SIZE, SIZE), Image.Resampling.BICUBIC)
    note = f"picture of {image.width} x {image.height} pixels, {', '.join(done) or 'as given'}"
    return torch.from_numpy(np.array(upright)).permute(2, 0, 1).contiguous(), note  # (3, 32, 32)
