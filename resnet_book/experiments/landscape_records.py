"""What ``seed<k>.landscape.json`` beside a record holds: the loss around the weights of the run.

The file is of exactly one network: it names the SHA-256 of its weights, which is compared with the record's whenever it
is read. Weights along the way, and of another seed, come from trainings with ``--keep-weights``; they need not be the
recorded one, so everything that was measured names the SHA-256 of the weights that it is of.
"""

from typing import Annotated, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator

from resnet_book.engine.checks import whole
from resnet_book.experiments.checked_json import Checked, Percent, Sha256
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

SCHEMA_VERSION = 2  # of 1, direction 0 was the initial weights of a run with seed 0
Statistics = Literal["as trained", "anew"]
BOTH: tuple[Statistics, ...] = ("as trained", "anew")
EIGENVECTOR = -1  # in place of the seed of a direction: along the eigenvector of the largest eigenvalue,
EIGENVECTOR_SHARE = 0.05  # a step of 1 being this share of the length of the direction with seed 0
LARGEST = 1e6  # nats: what is larger is kept as this


class Point(Checked):
    """Weights: those that a run left ("trained"), or began with ("initial"), or had after some iterations."""

    at: Literal["trained", "initial"] | Count
    seed: Count
    weights_sha256: Sha256  # of a file as weights.save_weights writes it


class Slice(Checked):
    """The loss on a line or a plane through some weights, at every combination of ``steps``."""

    around: Point
    # Seeds of filter-normalised directions, or EIGENVECTOR.
    directions: Annotated[list[int], Field(min_length=1, max_length=2)]
    statistics: Statistics
    steps: Annotated[list[float], Field(min_length=3)]
    loss: list[Size]  # nats; of a plane: row by row, a row has one step along the first direction

    @model_validator(mode="after")
    def _has_a_loss_for_each_point(self) -> Self:
        ends, distances = (self.steps[0], self.steps[-1]), np.diff(self.steps)
        if ends != (-1, 1) or not np.allclose(distances, distances[0], atol=1e-5):
            raise ValueError(f"steps {self.steps}: not from -1 to 1 at equal distances")
        if len(self.loss) != len(self.steps) ** len(self.directions):
            raise ValueError(f"{len(self.loss)} losses for {len(self.steps)} steps on {len(self.directions)} axes")
        return self

    def surface(self) -> torch.Tensor:
        """The losses (S,) of a line, (S, S) of a plane."""
        return torch.tensor(self.loss, dtype=torch.float64).view([len(self.steps)] * len(self.directions))


class Line(Checked):
    """Size and error on the straight line between two networks, with statistics interpolated too, or anew."""

    one: Point
    other: Point
    statistics: Statistics
    shares: list[float]  # from 0, which is ``one``, to 1
    loss: list[Size]  # nats
    error: list[Percent]

    @model_validator(mode="after")
    def _has_both_for_each_share(self) -> Self:
        if not len(self.shares) == len(self.loss) == len(self.error) or self.shares != shares(len(self.shares)):
            raise ValueError("shares, losses and errors: not one of each, from 0 to 1 at equal distances")
        return self


class Curvature(Checked):
    """The largest eigenvalue of the Hessian, and the curvature along random directions (their seeds: 0, 1, ...)."""

    around: Point
    statistics: Statistics
    top: Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
    last_change: Size  # relative, in the last step of power iteration
    random: list[float]  # along filter-normalised directions
    overlap: list[Annotated[float, Field(ge=-1.001, le=1.001)]]  # their cosines with the eigenvector


class Sitting(Checked):
    """When and where a part of the file was measured."""

    started: str  # UTC, ISO 8601
    seconds: Seconds
    made_by: Machine

    @model_validator(mode="after")
    def _can_have_been(self) -> Self:
        require_measured(self.made_by, self.started, self.seconds)
        return self


class LandscapeRecord(KeptOfTraining):
    """The loss around the weights of one run."""

    sittings: list[Sitting]
    slices: list[Slice]
    lines: list[Line]
    curvatures: list[Curvature]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        around = [each.around for each in (*self.slices, *self.curvatures)]
        require(all(each.seed == self.seed for each in around), f"around: a seed is not {self.seed}")
        trained = {each.weights_sha256 for each in around if each.at == "trained"}
        require(trained <= {self.weights_sha256}, "around: the trained weights are not those of weights_sha256")
        points = [*around, *(point for line in self.lines for point in (line.one, line.other))]
        names = {(point.at, point.seed, point.weights_sha256) for point in points}
        require(len(names) == len({name[:2] for name in names}), "the same moment of a run has two weights_sha256")
        return self

    @property
    def minutes(self) -> int:
        """How long it took, in all."""
        return round(sum(each.seconds for each in self.sittings) / 60)

    def find(self, at: str | int, directions: list[int], statistics: str) -> Slice | None:
        """The slice around these weights of the run, along these directions; None where it was not measured."""
        wanted = (at, directions, statistics)
        return next(
            (each for each in self.slices if (each.around.at, each.directions, each.statistics) == wanted), None
        )

    def curvature(self, at: str | int, statistics: Statistics) -> Curvature | None:
        """The curvature at these weights of the run; None where it was not measured."""
        found = (each for each in self.curvatures if (each.around.at, each.statistics) == (at, statistics))
        return next(found, None)


LANDSCAPE = Kind(LandscapeRecord, ".landscape.json", SCHEMA_VERSION, "landscape", require_same_images)


def steps(count: int) -> list[float]:
    """``count`` steps from -1 to 1, at equal distances. Raises ValueError for an even number: 0 would be left out."""
    if whole("count", count, 3) % 2 == 0:
        raise ValueError(f"count={count}: choose an odd number, so that the weights themselves are on the grid")
    return [round(2 * place / (count - 1) - 1, 6) for place in range(count)]


def shares(count: int) -> list[float]:
    """``count`` shares of the way from 0 to 1, at equal distances."""
    return [place / (count - 1) for place in range(whole("count", count, 2))]
