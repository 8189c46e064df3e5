"""Measure the loss around the weights of a recorded run, and keep it in ``seed<k>.landscape.json`` beside its record.

The file is of exactly one network: it names the SHA-256 of its weights, which is compared with the record's whenever it
is read. Weights along the way, and of another seed, come from trainings with ``--keep-weights``; they need not be the
recorded one, so everything that was measured names the SHA-256 of the weights that it is of. What takes long is kept
piece by piece: the same command goes on with what is missing.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load

from resnet_book import data
from resnet_book.analysis import landscape
from resnet_book.analysis.landscape import Batch, Direction
from resnet_book.engine import machine
from resnet_book.engine.checks import whole
from resnet_book.experiments import records, weights
from resnet_book.experiments.kept import Checked, Count, Kept, Kind, Machine, Seconds, Size, require_measured
from resnet_book.experiments.record_checks import require
from resnet_book.experiments.records import Record, RecordError, Sha256
from resnet_book.models import Network
from resnet_book.recipe import Recipe

SCHEMA_VERSION = 1
IMAGES = landscape.BATCH  # the first training images, as they are: as many as one step of training sees
STAGES = (0, 100)  # iterations that are looked at along the way, beside the first drop and the last
Statistics = Literal["as trained", "anew"]
BOTH: tuple[Statistics, ...] = ("as trained", "anew")
EIGENVECTOR = -1  # in place of the seed of a direction: along the eigenvector of the largest eigenvalue,
EIGENVECTOR_SHARE = 0.05  # a step of 1 being this share of the length of the direction with seed 0
LARGEST = 1e6  # nats: what is larger, or too large to be computed, is kept as this


class Point(Checked):
    """Weights: those that a run left ("trained"), or began with ("initial"), or had after some iterations."""

    at: Literal["trained", "initial"] | Count
    seed: Count
    weights_sha256: Sha256  # of a file as weights.save_weights writes it


class Slice(Checked):
    """The loss on a line or a plane through some weights, at every combination of ``steps``."""

    around: Point
    directions: list[int]  # seeds of one or two filter-normalised directions; or EIGENVECTOR
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
    error: list[records.Percent]

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


class LandscapeRecord(Kept):
    """The loss around the weights of one run."""

    train_sha256: Sha256  # of the whole training set, as ImageSet.sha256
    images: Annotated[int, Field(ge=1)]  # the first training images
    sittings: list[Sitting]
    slices: list[Slice]
    lines: list[Line]
    curvatures: list[Curvature]

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


def _require_images(found: LandscapeRecord, record: Record) -> None:
    """Raise ValueError unless the images are those of the run."""
    require(found.train_sha256 == record.dataset["train"]["sha256"], "is of other images than this run's")


LANDSCAPE = Kind(LandscapeRecord, ".landscape.json", SCHEMA_VERSION, "landscape", _require_images)
Piece = Slice | Line | Curvature


def steps(count: int) -> list[float]:
    """``count`` steps from -1 to 1, at equal distances. Raises ValueError for an even number: 0 would be left out."""
    if whole("count", count, 3) % 2 == 0:
        raise ValueError(f"count={count}: choose an odd number, so that the weights themselves are on the grid")
    return [round(2 * place / (count - 1) - 1, 6) for place in range(count)]


def shares(count: int) -> list[float]:
    """``count`` shares of the way from 0 to 1, at equal distances."""
    return [place / (count - 1) for place in range(whole("count", count, 2))]


# --- Measuring ------------------------------------------------------------------------------------------------------


class _Survey:
    """All that is measured around the weights of one run, piece by piece; what is ``there`` is not measured again."""

    def __init__(self, record: Record, batch: Batch, runs: str | Path, there: list[Piece]) -> None:
        self.record, self.batch, self.there = record, batch, there
        self.recipe = Recipe(**record.recipe)
        self.runs = Path(runs) / record.experiment
        self.deep = record.model["name"] not in ("resnet20", "plain20")  # coarser: each point takes three times as long
        self.steps = steps(9 if self.deep else 11)

    def pieces(self, trained: Network) -> Iterator[Piece]:
        """What is missing, the most telling first."""
        around = self.point("trained", trained)
        for statistics in BOTH:
            yield from self.slice(trained, around, [0, 1], statistics)
        for statistics in BOTH:
            if not self.deep or statistics == "anew":
                yield from self.curvature(trained, around, statistics, randoms=2)
            for seed in (2,) if self.deep else (2, 3, 4):
                yield from self.slice(trained, around, [seed], statistics)
        initial = weights.untrained(self.record).eval()
        for seeds in [[0], [1]] if self.deep else [[0, 1]]:
            yield from self.slice(initial, self.point("initial", initial), seeds, "anew")
        for iteration, network in self.way(self.record.seed).items():
            around = self.point(iteration, network)
            yield from self.slice(network, around, [0], "anew")
            yield from self.curvature(network, around, "anew", randoms=0)
        yield from self.lines()

    def point(self, at: str | int, network: Network, seed: int | None = None) -> Point:
        checksum = hashlib.sha256(weights.content_of(network)).hexdigest()
        seed = self.record.seed if seed is None else seed
        return Point.model_validate({"at": at, "seed": seed, "weights_sha256": checksum})

    def way(self, seed: int) -> dict[int, Network]:
        """The networks along the way of a training with this seed, by iteration; {} where none were kept."""
        found = dict[int, Network]()
        for iteration in sorted({*STAGES, self.recipe.drops[0], self.recipe.iterations}):
            path = self.runs / f"seed{seed}" / "weights" / f"{iteration}.safetensors"
            if path.exists():
                network = weights.untrained(self.record)
                try:
                    network.load_state_dict(load(path.read_bytes()))
                except (OSError, SafetensorError, RuntimeError) as error:
                    raise RecordError(f"{path} cannot be read ({error}). Delete it, or train again.") from error
                found[iteration] = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return found

    def slice(self, network: Network, around: Point, seeds: list[int], statistics: Statistics) -> Iterator[Slice]:
        there = (each for each in self.there if isinstance(each, Slice))
        if (around, seeds, statistics) not in [(each.around, each.directions, each.statistics) for each in there]:
            directions = [landscape.random_direction(network, seed) for seed in seeds]
            yield self.along(network, around, seeds, directions, statistics)

    def along(
        self, network: Network, around: Point, seeds: list[int], directions: list[Direction], statistics: Statistics
    ) -> Slice:
        loss = landscape.losses(network, directions, self.steps, self.batch, statistics == "anew").flatten().tolist()
        kept = [_rounded(value) for value in loss]
        return Slice(around=around, directions=seeds, statistics=statistics, steps=self.steps, loss=kept)

    def curvature(self, network: Network, around: Point, statistics: Statistics, randoms: int) -> Iterator[Piece]:
        """The largest eigenvalue; with ``randoms``, random directions, and the slice along the eigenvector."""
        there = (each for each in self.there if isinstance(each, Curvature))
        if (around, statistics) in [(each.around, each.statistics) for each in there]:
            return
        anew = statistics == "anew"
        (top,) = landscape.top_eigenvalues(network, self.batch, steps=6, anew=anew)
        drawn = [landscape.random_direction(network, seed) for seed in range(randoms)]
        lengths = [landscape.dot(each, each).sqrt() for each in drawn]
        cosines = [landscape.dot(each, top.vector) / length for each, length in zip(drawn, lengths, strict=True)]
        yield Curvature(
            around=around,
            statistics=statistics,
            top=top.value,
            last_change=top.last_change,
            random=[landscape.curvature(network, self.batch, each, anew) for each in drawn],
            overlap=[cosine.item() for cosine in cosines],
        )
        if drawn:
            stretched = [each * lengths[0] * EIGENVECTOR_SHARE for each in top.vector]
            yield self.along(network, around, [EIGENVECTOR], [stretched], statistics)

    def lines(self) -> Iterator[Line]:
        """From the learning rate's first drop to the end, and from this seed's end to the next one's, where kept."""
        seed, drop, end = self.record.seed, self.recipe.drops[0], self.recipe.iterations
        here, there = self.way(seed), self.way(seed + 1)
        known = [(each.one, each.other, each.statistics) for each in self.there if isinstance(each, Line)]
        for start, way, other_seed in ((drop, here, seed), (end, there, seed + 1)):
            if start not in here or end not in way:
                continue
            one, other = here[start], way[end]
            points = self.point(start, one), self.point(end, other, other_seed)
            for statistics in BOTH:
                if (*points, statistics) in known:
                    continue
                on_the_way = shares(21)
                middles = (landscape.between(one, other, share) for share in on_the_way)
                measured = [landscape.loss_and_error(each, self.batch, statistics == "anew") for each in middles]
                yield Line(
                    one=points[0],
                    other=points[1],
                    statistics=statistics,
                    shares=on_the_way,
                    loss=[_rounded(loss) for loss, _ in measured],
                    error=[error for _, error in measured],
                )


def _rounded(loss: float) -> float:
    """Five digits of it."""
    return float(f"{loss:.5g}") if loss < LARGEST else LARGEST  # nan, too


def make_landscape(
    experiment: str,
    seed: int = 0,
    *,
    results: str | Path | None = None,
    data_root: str | None = None,
    runs: str | Path = "runs",
    tell: Callable[[str], object] = lambda line: None,
) -> Path:
    """Measure what is missing around a recorded run's weights, on the CPU; return the path of the file.

    ``runs``: the folder in which trainings with ``--keep-weights`` lie; without them, the way and the lines are left
    out. ``tell`` is told each piece, which is kept at once. Raises RecordError where record or weights are not there,
    or the images are other ones; DataError without the images.
    """
    folder = records.find_results(results)
    path = records.path_of(folder, experiment, seed)
    network, record = weights.load_network(experiment, seed, folder)
    train = data.load(record.dataset["name"], "train", data_root)
    if train.sha256 != record.dataset["train"]["sha256"]:
        raise RecordError(f"{path} was recorded with other training images than those of {train.name} found here.")
    few = train.subset(min(IMAGES, len(train)))
    batch = landscape.batch_of(few, record.mean, record.std)
    kept = kept_landscape(experiment, seed, folder)
    if kept is None:
        kept = LandscapeRecord(
            schema_version=SCHEMA_VERSION,
            experiment=experiment,
            seed=record.seed,
            weights_sha256=record.weights_sha256 or "",
            train_sha256=train.sha256,
            images=len(few),
            sittings=[],
            slices=[],
            lines=[],
            curvatures=[],
        )
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    made_by = machine.describe("cpu", "float32", False)  # now: the code may change while this takes its time
    there: list[Piece] = [*kept.slices, *kept.lines, *kept.curvatures]
    earlier = kept.sittings
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for piece in _Survey(record, batch, Path(runs), there).pieces(network):
        there.append(piece)
        seconds = round(time.monotonic() - began, 1)
        content = kept.model_dump() | {
            "sittings": [*(each.model_dump() for each in earlier), {"started": started, "seconds": seconds}],
            "slices": [each.model_dump() for each in there if isinstance(each, Slice)],
            "lines": [each.model_dump() for each in there if isinstance(each, Line)],
            "curvatures": [each.model_dump() for each in there if isinstance(each, Curvature)],
        }
        content["sittings"][-1]["made_by"] = made_by
        LANDSCAPE.write(content, path)
        tell(f"{type(piece).__name__.lower()} {len(there)}, {piece.statistics}: after {seconds:.0f} s")
    return LANDSCAPE.path_of(path)


def kept_landscape(experiment: str, seed: int = 0, results: str | Path | None = None) -> LandscapeRecord | None:
    """The landscape beside the record of a run; None where none lies there. Raises RecordError as ``Kind.read``."""
    return LANDSCAPE.read(experiment, seed, results)


def all_landscapes(results: str | Path | None = None) -> list[LandscapeRecord]:
    """All that lie beside records, by experiment, then seed. Raises RecordError as ``Kind.read_all``."""
    return LANDSCAPE.read_all(results)
