"""What ``seed<k>.lesions.json`` beside a record holds: what taking the network apart did.

The file holds every cut of ``analysis.cuts.all_cuts`` with its damage, and the gradient by length of path. It is of
exactly one network: it names the SHA-256 of its weights, which is compared with the record's whenever it is read. It
can be made again from the weights.
"""

import math
from functools import cache
from math import comb
from typing import Annotated, Self

import pandas as pd
import torch
from pydantic import Field, model_validator

from resnet_book import models
from resnet_book.analysis import cutting
from resnet_book.analysis.cuts import Cut, all_cuts
from resnet_book.experiments import catalogue
from resnet_book.experiments.checked_json import Checked, Percent, Sha256
from resnet_book.experiments.kept import Count, Kept, Kind, Machine, Seconds, Size, require_measured
from resnet_book.experiments.record_checks import require, require_share
from resnet_book.experiments.records import Record

SCHEMA_VERSION = 1
Share = Annotated[float, Field(ge=0, le=1 + 1e-9)]


class CutRow(Checked):
    """One cut and its damage, as trained and with batch norm's statistics measured anew; units as ``Damage``."""

    kind: str  # a key of cuts.KINDS
    blocks: list[Annotated[int, Field(ge=1)]]
    factor: Size
    removed: Count  # how many blocks were left out
    error: Percent
    confidence: Share
    feature_change: Size
    error_anew: Percent
    confidence_anew: Share
    feature_change_anew: Size


class PathRow(Checked):
    """The paths of one length, as ``paths.gradients_by_length``."""

    length: Count
    number: Annotated[int, Field(ge=1)]
    single: Size
    together: Size
    share: Share


class LesionRecord(Kept):
    """One network, taken apart."""

    test_sha256: Sha256  # of the whole test set, as ImageSet.sha256
    test_images: Annotated[int, Field(ge=1)]  # the first ones, on which each cut was tested
    measuring_images: Annotated[int, Field(ge=1)]
    path_images: Count
    path_samples: Annotated[int, Field(ge=0, le=10**6)]
    seconds: Seconds
    started: str  # UTC, ISO 8601
    made_by: Machine
    cuts: list[CutRow]
    paths: list[PathRow]  # [] of a plain network

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        _require_sound(self)
        return self

    @property
    def cut_frame(self) -> pd.DataFrame:
        """A row a cut."""
        return pd.DataFrame([row.model_dump() for row in self.cuts])

    @property
    def path_frame(self) -> pd.DataFrame:
        """A row a length; no row of a plain network."""
        return pd.DataFrame([row.model_dump() for row in self.paths], columns=list(PathRow.model_fields))


def _require_images(found: LesionRecord, record: Record) -> None:
    """Raise ValueError unless the images are those of the run."""
    test, train = record.dataset["test"], record.dataset["train"]
    few = found.test_images <= test["images"] and max(found.measuring_images, found.path_images) <= train["images"]
    require(found.test_sha256 == test["sha256"] and few, "is of other images than this run's")


LESIONS = Kind(LesionRecord, ".lesions.json", SCHEMA_VERSION, "lesions", _require_images)


@cache
def _without_numbers(model: str, shortcut: str | None) -> models.Network:
    """The network, whose tensors have shapes alone."""
    with torch.device("meta"):
        return models.build(model, shortcut=shortcut)


def _require_sound(found: LesionRecord) -> None:
    """Raise ValueError unless these are all cuts and paths of the experiment's network, and the numbers agree."""
    known = catalogue.get(found.experiment)
    network = _without_numbers(known.model, known.shortcut)
    cuts, blocks = all_cuts(network), cutting.count_blocks(network)
    require(len(found.cuts) == len(cuts), f"cuts: {len(found.cuts)}, where {known.model} has {len(cuts)}")
    for place, (row, cut) in enumerate(zip(found.cuts, cuts, strict=True)):
        this = Cut(row.kind, tuple(row.blocks), row.factor)
        require(this == cut and row.removed == cut.removed, f"cuts.{place} is {this}, not {cut}")
        for name in ("error", "error_anew"):
            require_share(f"cuts.{place}.{name}", getattr(row, name), found.test_images)
    require(len(found.paths) == (blocks + 1 if known.model.startswith("resnet") else 0), "paths: not one a length")
    require(bool(found.paths) == bool(found.path_images) == bool(found.path_samples), "path_images or path_samples")
    carried = [row.number * row.single for row in found.paths]
    for length, row in enumerate(found.paths):
        right = row.length == length and row.number == comb(blocks, length)
        require(right, f"paths.{length}: length or number is amiss")
        share = carried[length] / (sum(carried) or 1)
        require(math.isclose(row.share, share, rel_tol=1e-6), f"paths.{length}.share is {row.share}, not {share}")
    require_measured(found.made_by, found.started, found.seconds)
