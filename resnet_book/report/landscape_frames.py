"""Put recorded landscapes into frames: losses on lines, curvatures, how high walks rise."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from resnet_book.experiments.landscape_records import EIGENVECTOR, LandscapeRecord
from resnet_book.report.tables import WHOSE, whose

Frame = Any  # a pandas.DataFrame: its columns are beyond a type checker


def slice_frame(found: Iterable[LandscapeRecord]) -> Frame:
    """Every loss on a line through weights, a row each; a plane gives the two lines through its middle.

    Columns: those of ``tables.whose``, at, statistics, direction (its seed), step, loss.
    """
    rows = list[dict[str, Any]]()
    for each in found:
        for one in each.slices:
            values, middle = one.surface(), len(one.steps) // 2
            lines = [values] if values.ndim == 1 else [values[:, middle], values[middle]]
            for direction, line in zip(one.directions, lines, strict=True):
                where = {"at": one.around.at, "statistics": one.statistics, "direction": direction}
                points = zip(one.steps, line.tolist(), strict=True)
                rows += [whose(each.experiment, each.seed) | where | {"step": a, "loss": b} for a, b in points]
    return pd.DataFrame(rows, columns=[*WHOSE, "at", "statistics", "direction", "step", "loss"])


def curvature_frame(found: Iterable[LandscapeRecord]) -> Frame:
    """A row for each curvature: columns as ``slice_frame`` up to statistics, then those of ``Curvature``."""
    rows = [
        whose(each.experiment, each.seed) | {"at": one.around.at} | one.model_dump(exclude={"around"})
        for each in found
        for one in each.curvatures
    ]
    return pd.DataFrame(rows, columns=[*WHOSE, "at", "statistics", "top", "last_change", "random", "overlap"])


def line_frame(found: Iterable[LandscapeRecord]) -> Frame:
    """Every point of the lines between two networks, a row each.

    Columns: those of ``tables.whose``, seeds ("one" or "two"), start (iteration), end, statistics, share, loss, error.
    """
    rows = list[dict[str, Any]]()
    for each in found:
        for line in each.lines:
            alike = "one" if line.one.seed == line.other.seed else "two"
            where = {"seeds": alike, "start": line.one.at, "end": line.other.at, "statistics": line.statistics}
            points = zip(line.shares, line.loss, line.error, strict=True)
            rows += [
                whose(each.experiment, each.seed) | where | {"share": a, "loss": b, "error": c} for a, b, c in points
            ]
    return pd.DataFrame(rows, columns=[*WHOSE, "seeds", "start", "end", "statistics", "share", "loss", "error"])


def walks(slices: Frame) -> Frame:
    """The walks away from trained weights, a row a point: each line in a random direction is two, one to each side.

    Columns: those of ``tables.whose``, statistics, direction, side (1 or -1), distance (from 0 to 1), loss.
    """
    random = slices[(slices["at"] == "trained") & (slices.direction != EIGENVECTOR)]
    random = random.assign(distance=random.step.abs())
    sides = [random[side * random.step >= 0].assign(side=side) for side in (1, -1)]
    columns = [*WHOSE, "statistics", "direction", "side", "distance", "loss"]
    away: Frame = pd.concat(sides)[columns]
    return away.sort_values(columns[:-1], ignore_index=True)


def rises(slices: Frame) -> Frame:
    """How high each walk of ``walks`` gets: a row a walk.

    Columns: those of ``tables.whose``, statistics, direction, side; middle, half and end: the loss at the weights, half
    a step and one step away (between two points: on the straight line from one to the other); pieces: how many there
    are from point to point; down: how many of them lead down.
    """
    rows, keys = list[dict](), [*WHOSE, "statistics", "direction", "side"]
    for key, walk in walks(slices).groupby(keys):
        middle, half, end = np.interp([0.0, 0.5, 1.0], walk.distance, walk.loss)
        found = {"middle": middle, "half": half, "end": end}
        found |= {"pieces": len(walk) - 1, "down": int((np.diff(walk.loss) < 0).sum())}
        rows.append(dict(zip(keys, key, strict=True)) | found)
    return pd.DataFrame(rows, columns=[*keys, "middle", "half", "end", "pieces", "down"])


def heights(slices: Frame) -> Frame:
    """``rises`` as a table to read, a row for each depth, statistics and kind. Of one recipe.

    Columns: start (at the weights); half a step, one step (median, and least–most, over the walks); down (pieces).
    """
    each = one_run_each(rises(slices)).groupby(["depth", "statistics", "kind"])
    table = {"start": each.middle.first().map("{:.3f}".format)}
    for column, words in (("half", "half a step"), ("end", "one step")):
        found = each[column].agg(["median", "min", "max"]).map(lambda loss: f"{loss:,.{2 if loss < 100 else 0}f}")
        table[words] = found["median"] + " (" + found["min"] + "–" + found["max"] + ")"
    table["down"] = each.down.sum().astype(str) + " of " + each.pieces.sum().astype(str)
    return pd.DataFrame(table)


def one_run_each(frame: Frame) -> Frame:
    """``frame``. Raises ValueError where it has several runs of one network, which would be drawn as one.

    A frame of the reader's own, without the columns iterations, seed and experiment, is of one.
    """
    several = {"iterations": "recipes, of {} iterations", "seed": "runs, of seeds {}", "experiment": "recipes, {}"}
    for column, what in several.items():
        if column in frame and (frame.groupby(["kind", "depth"])[column].nunique() > 1).any():
            found = ", ".join(map(str, sorted(set(frame[column]))))
            raise ValueError(f"rows of several {what.format(found)}: draw one after the other")
    return frame
