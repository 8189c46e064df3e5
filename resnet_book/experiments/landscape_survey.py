"""Measure the loss around the weights of a recorded run, piece by piece, into the file beside its record.

What takes long is kept at once: the same command goes on with what is missing.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import torch

from resnet_book.analysis import landscape
from resnet_book.analysis.landscape import Batch, Direction
from resnet_book.engine import machine
from resnet_book.experiments import records, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.landscape_records import (
    BOTH,
    EIGENVECTOR,
    EIGENVECTOR_SHARE,
    LANDSCAPE,
    LARGEST,
    Curvature,
    LandscapeRecord,
    Line,
    Point,
    Slice,
    Statistics,
    shares,
    steps,
)
from resnet_book.experiments.records import Record
from resnet_book.models import Network
from resnet_book.recipe import Recipe

IMAGES = landscape.BATCH  # the first training images, as they are: as many as one step of training sees
STAGES = (0, 100)  # iterations that are looked at along the way, beside the first drop and the last
Piece = Slice | Line | Curvature


class _Survey:
    """All that is measured around the weights of one run, piece by piece; what is ``there`` is not measured again."""

    def __init__(self, record: Record, batch: Batch, runs: str | Path, there: list[Piece]) -> None:
        self.record, self.batch, self.there = record, batch, there
        self.recipe = Recipe(**record.recipe)
        self.drop = min(self.recipe.drops, default=self.recipe.iterations)  # the first; without any, the end
        self.runs = Path(runs) / record.experiment
        self.deep = record.model["name"] not in ("resnet20", "plain20")  # coarser: each point takes three times as long
        self.steps = steps(9 if self.deep else 11)
        points = [
            point for each in there for point in ((each.one, each.other) if isinstance(each, Line) else (each.around,))
        ]
        self.known = {(point.at, point.seed): point.weights_sha256 for point in points}

    def pieces(self, trained: Network) -> Iterator[Piece]:
        """What is missing, the most telling first."""
        around = self.point("trained", trained)
        for statistics in BOTH:
            yield from self.slice(trained, around, [0, 1], statistics)
        for statistics in BOTH:
            if not self.deep or statistics == "anew":
                yield from self.curvature(trained, around, statistics, randoms=2)
            for seed in (2, 3, 4):
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
        """Which weights these are. Raises RecordError where others were measured at the same moment of the same run."""
        checksum = hashlib.sha256(weights.content_of(network)).hexdigest()
        seed = self.record.seed if seed is None else seed
        if self.known.get((at, seed), checksum) != checksum:
            moment = at if isinstance(at, str) else f"after {at:,} iterations"
            raise RecordError(
                f"{self.record.experiment}, seed {seed}, {moment}: the kept landscape is of other weights than those "
                "here. Name the folder of the runs that left them, or move the kept file away."
            )
        return Point.model_validate({"at": at, "seed": seed, "weights_sha256": checksum})

    def way(self, seed: int) -> dict[int, Network]:
        """The networks along the way of a training with this seed, by iteration; {} where none were kept."""
        found = dict[int, Network]()
        for iteration in sorted({*STAGES, self.drop, self.recipe.iterations}):
            path = self.runs / f"seed{seed}" / "weights" / f"{iteration}.safetensors"
            if path.exists():
                network, _ = weights.load_kept(path, self.record)
                found[iteration] = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return found

    def slice(self, network: Network, around: Point, seeds: list[int], statistics: Statistics) -> Iterator[Slice]:
        if not self.has_slice(around, seeds, statistics):
            directions = [landscape.random_direction(network, seed) for seed in seeds]
            yield self.along(network, around, seeds, directions, statistics)

    def has_slice(self, around: Point, seeds: list[int], statistics: Statistics) -> bool:
        slices = [each for each in self.there if isinstance(each, Slice)]
        return (around, seeds, statistics) in [(each.around, each.directions, each.statistics) for each in slices]

    def along(
        self, network: Network, around: Point, seeds: list[int], directions: list[Direction], statistics: Statistics
    ) -> Slice:
        loss = landscape.losses(network, directions, self.steps, self.batch, statistics == "anew").flatten().tolist()
        kept = [_rounded(value) for value in loss]
        return Slice(around=around, directions=seeds, statistics=statistics, steps=self.steps, loss=kept)

    def curvature(self, network: Network, around: Point, statistics: Statistics, randoms: int) -> Iterator[Piece]:
        """The largest eigenvalue; with ``randoms``, random directions, and the slice along the eigenvector."""
        known = [each for each in self.there if isinstance(each, Curvature)]
        has_value = (around, statistics) in [(each.around, each.statistics) for each in known]
        has_slice = randoms == 0 or self.has_slice(around, [EIGENVECTOR], statistics)
        if has_value and has_slice:
            return
        anew = statistics == "anew"
        top = landscape.top_eigenvalue(network, self.batch, anew=anew)
        drawn = [landscape.random_direction(network, seed) for seed in range(randoms)]
        lengths = [landscape.dot(each, each).sqrt() for each in drawn]
        cosines = [landscape.dot(each, top.vector) / length for each, length in zip(drawn, lengths, strict=True)]
        if not has_slice:
            stretched = [each * lengths[0] * EIGENVECTOR_SHARE for each in top.vector]
            yield self.along(network, around, [EIGENVECTOR], [stretched], statistics)
        if not has_value:
            yield Curvature(
                around=around,
                statistics=statistics,
                top=top.value,
                last_change=top.last_change,
                random=[landscape.curvature(network, self.batch, each, anew) for each in drawn],
                overlap=[cosine.item() for cosine in cosines],
            )

    def lines(self) -> Iterator[Line]:
        """From the learning rate's first drop to the end, and from this seed's end to the next one's, where kept."""
        seed, drop, end = self.record.seed, self.drop, self.recipe.iterations
        here, beside = self.way(seed), self.way(seed + 1)
        known = [(each.one, each.other, each.statistics) for each in self.there if isinstance(each, Line)]
        ways = [*([(drop, here, seed)] if drop < end else []), (end, beside, seed + 1)]
        for start, way, other_seed in ways:
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
    return float(f"{loss:.5g}") if loss < LARGEST else LARGEST


def make_landscape(
    experiment: str,
    seed: int = 0,
    *,
    results: str | Path | None = None,
    data_root: str | Path | None = None,
    runs: str | Path = "runs",
    tell: Callable[[str], object] = lambda line: None,
) -> LandscapeRecord:
    """Measure what is missing around a recorded run's weights, on the CPU; return all that its file then holds.

    ``runs``: the folder in which trainings with ``--keep-weights`` lie; without them, the way and the lines are left
    out. ``tell`` is told each piece, which is kept at once. Raises RecordError where record or weights are not there,
    or the images are other ones; DataError without the images.
    """
    folder = records.find_results(results)
    path = records.path_of(folder, experiment, seed)
    network, record = weights.load_network(experiment, seed, folder)
    train = records.load_images(record, "train", data_root)
    kept = LANDSCAPE.read(experiment, seed, folder)
    few = train.subset(kept.images if kept else IMAGES)
    batch = landscape.batch_of(few, record.mean, record.std)
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    made_by = machine.describe("cpu", "float32", False)  # now: the code may change while this takes its time
    there: list[Piece] = [*kept.slices, *kept.lines, *kept.curvatures] if kept else []
    earlier = [each.model_dump() for each in kept.sittings] if kept else []
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for piece in _Survey(record, batch, Path(runs), there).pieces(network):
        there.append(piece)
        seconds = round(time.monotonic() - began, 1)
        content = {
            "train_sha256": train.sha256,
            "images": len(few),
            "sittings": [*earlier, {"started": started, "seconds": seconds, "made_by": made_by}],
            "slices": [each.model_dump() for each in there if isinstance(each, Slice)],
            "lines": [each.model_dump() for each in there if isinstance(each, Line)],
            "curvatures": [each.model_dump() for each in there if isinstance(each, Curvature)],
        }
        LANDSCAPE.write(content, record, path)
        tell(f"{type(piece).__name__.lower()} {len(there)}, {piece.statistics}: after {seconds:.0f} s")
    return LANDSCAPE.load(LANDSCAPE.path_of(path), record)
