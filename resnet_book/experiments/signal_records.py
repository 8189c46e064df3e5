"""What ``seed<k>.signals.json`` beside a record holds: signals and gradients in the networks of the run.

A later repetition of the run may have left the weights along the way, so each stage names the SHA-256 of its weights
and where they are from.
"""

from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from resnet_book.experiments.checked_json import Checked, Sha256
from resnet_book.experiments.kept import (
    Count,
    KeptOfTraining,
    Kind,
    Machine,
    Seconds,
    Size,
    require_measured,
    require_same_images,
)
from resnet_book.experiments.record_checks import require
from resnet_book.recipe import Part

SCHEMA_VERSION = 2
Number = Annotated[int, Field(ge=1)]
Cosine = Annotated[float, Field(ge=-1.001, le=1.001)]
FLOAT32_MAX = 3.4028235e38
# What a network puts out by running statistics that its first steps have left behind grows with every layer.
Unbounded = Annotated[float, Field(ge=0, le=FLOAT32_MAX)]
COUNTED = {"layers": "layer", "blocks": "block", "predictions": "pair", "distances": "distance"}
Origin = Literal["initialisation", "along the way", "record"]


class LayerRow(Checked):
    """A 3x3 layer, as ``diagnostics.layer_responses`` and ``weight_gradients``; ``trained_response``: by the running
    statistics, as in a test."""

    layer: Number
    response: Size
    trained_response: Unbounded
    weight_norm: Size
    gradient_norm: Size


class BlockRow(Checked):
    """A block, as ``diagnostics.block_gradients``."""

    block: Number
    layer: Number
    signal: Size
    gradient_norm: Size


class PredictionRow(Checked):
    """A pair of batches, as ``signals.predictions``."""

    pair: Number
    other_images: Cosine
    after_step: Cosine
    next: Cosine


class DistanceRow(Checked):
    """A distance, as ``signals.shattering``."""

    distance: Size
    cosine: Cosine
    spread: Size


class Stage(Checked):
    """What was measured in one network."""

    iteration: Count  # finished ones
    origin: Origin
    weights_sha256: Sha256 | None  # of the file they were read from; None: initialised from the seed
    learning_rate: Size  # of the step that the predictions take: the recipe's at this iteration
    layers: list[LayerRow]
    blocks: list[BlockRow]
    predictions: list[PredictionRow]
    distances: list[DistanceRow]


class SignalRecord(KeptOfTraining):
    """Signals and gradients of one run."""

    pairs: Number
    batch_size: Number
    seconds: Seconds
    started: str  # UTC, ISO 8601
    made_by: Machine
    kept_by: Part | None  # the first part of the run that left the weights along the way; None: not known
    stages: Annotated[list[Stage], Field(min_length=1)]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        require_measured(self.made_by, self.started, self.seconds)
        iterations = [stage.iteration for stage in self.stages]
        require(iterations == sorted(iterations), f"stages: their iterations {iterations} do not rise")
        for place, stage in enumerate(self.stages):
            read = stage.origin != "initialisation"
            require(read == (stage.weights_sha256 is not None), f"stages.{place}: weights_sha256 and origin")
            first = self.stages[0]
            for name, column in COUNTED.items():
                found, wanted = ([getattr(row, column) for row in getattr(each, name)] for each in (stage, first))
                require(found == wanted, f"stages.{place}.{name}: each stage has others")
                counted = name == "distances" or found == list(range(1, len(found) + 1))
                require(counted and found == sorted(set(found)), f"stages.{place}.{name}: {column} does not count up")
            layers = [row.layer for row in stage.blocks]
            require(layers == sorted(set(layers)), f"stages.{place}.blocks: layer does not rise")
            require(max(layers, default=0) <= len(stage.layers), f"stages.{place}.blocks: layer is too large")
            require(len(stage.predictions) == self.pairs, f"stages.{place}.predictions: not {self.pairs} pairs")
        return self

    def frame(self, rows: Literal["layers", "blocks", "predictions", "distances"]) -> pd.DataFrame:
        """The rows of all stages, with the iteration, origin and learning rate of each."""
        of_stage = ("iteration", "origin", "learning_rate")
        return pd.DataFrame(
            {**{name: getattr(stage, name) for name in of_stage}, **row.model_dump()}
            for stage in self.stages
            for row in getattr(stage, rows)
        )


SIGNALS = Kind(SignalRecord, ".signals.json", SCHEMA_VERSION, "signals", require_same_images)
