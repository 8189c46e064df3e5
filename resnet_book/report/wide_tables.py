"""Make tables of the wide networks, with the published numbers beside ours.

The published numbers are those of mbsariyildiz/resnet-pytorch (2018): one number for each network, on CIFAR-10 and
CIFAR-100, with and without shortcuts. They are accuracies there and errors here.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from math import nan, sqrt

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from resnet_book.engine.checks import whole
from resnet_book.experiments import catalogue
from resnet_book.experiments.records import Record
from resnet_book.report import published, tables

DEPTHS = (10, 18, 34, 50)
WIDE_TABLE_MODELS = (*(f"{kind}{depth}" for depth in DEPTHS for kind in ("plain", "resnet")), *catalogue.QUARTERS)
TEST_IMAGES = 10_000  # of CIFAR-10, and of CIFAR-100


def published_errors() -> pd.DataFrame:
    """A row a published number: dataset, kind, depth, test_error (%)."""
    return pd.DataFrame(
        {"dataset": dataset, "kind": kind, "depth": depth, "test_error": round(100 - accuracy, 1)}
        for dataset, accuracies in published.WIDE_ACCURACY.items()
        for depth, pair in accuracies.items()
        for kind, accuracy in zip(("plain", "residual"), pair, strict=True)
    )


def standard_error(error: float, images: int = TEST_IMAGES) -> float:
    """Of an error (%) as a share of ``images`` independent ones, in percentage points."""
    share = error / 100
    return 100 * (share * (1 - share) / images) ** 0.5


def gaps(errors: pd.DataFrame) -> pd.DataFrame:
    """What shortcuts save at each depth: dataset, depth, plain and residual (%), gap and standard_error (points).

    ``errors``: dataset, kind, depth, test_error, a row a network; depths with one kind alone are left out. ``gap`` is
    the plain error minus the residual one. ``standard_error`` is that which it would have if nothing but the
    choice of the test images were random, and independent for the two networks (it is not: they are tested on the same
    images, so this is probably too large). Raises ValueError for two rows of one network.
    """
    pairs = errors.pivot(index=["dataset", "depth"], columns="kind", values="test_error")
    pairs = pairs.reindex(columns=["plain", "residual"]).dropna()
    of_gap = (pairs.map(standard_error) ** 2).sum(axis=1) ** 0.5
    return pairs.assign(gap=pairs.plain - pairs.residual, standard_error=of_gap).reset_index()


def wide_table(records: Iterable[Record]) -> pd.DataFrame:
    """Test errors (%) as text, a row a network and dataset with a record: by the recipe wide, by its short form.

    The published ones stand beside them; of the networks of a quarter of the width there are none. A recipe without any
    record has no column; without records the table is empty.
    """
    records = of_wide_table(records)
    recorded = tables.summary(records).set_index("experiment")
    models = published_errors().replace({"kind": {"residual": "resnet"}})
    models["name"] = models.kind + models.depth.astype(str)
    theirs = models.set_index(["dataset", "name"]).test_error.map("{:.1f}".format)
    ends = {"wide": "", "short": "-short"}  # recipe -> end of the experiment's name
    shown = [recipe for recipe in ends if recipe in {record.recipe_name for record in records}]
    rows = []
    for dataset, model in product(published.WIDE_ACCURACY, WIDE_TABLE_MODELS):
        ours = [tables.recorded_cell(recorded, f"{model}-{dataset}{ends[recipe]}", tables.NOTHING) for recipe in shown]
        if set(ours) - {tables.NOTHING}:
            rows.append([model, dataset, *ours, theirs.get((dataset, model), tables.NOTHING)])
    headings = ["network", "dataset", *(f"ours, {recipe}" for recipe in shown), published.WIDE]
    return pd.DataFrame(rows, columns=headings).set_index("network")


def of_wide_table(records: Iterable[Record]) -> list[Record]:
    """Those of ``records`` that ``wide_table`` shows."""
    shown = {f"{model}-{dataset}" for model in WIDE_TABLE_MODELS for dataset in published.WIDE_ACCURACY}
    return [record for record in records if record.experiment.removesuffix("-short") in shown]


def phase_variability(curves: pd.DataFrame, last: int) -> pd.DataFrame:
    """How the validation error moves at the end of each phase, that is at each learning rate: a row a run and phase.

    ``curves``: kind, depth, seed, iteration, learning_rate and validation_error (%), as ``tables.curves`` gives them,
    of one experiment for each kind and depth. Of the ``last`` epochs of a phase (all, if it has fewer): their
    number, mean (%), std (sample standard deviation, points), fall (points an epoch) of the straight line through them,
    and scatter (points), the standard deviation around that line, with n - 2 degrees of freedom. A steady fall adds to
    std and not to scatter. What too few epochs leave open is NaN. Raises ValueError for a ``last`` below 3.
    """
    last = whole("last", last, 3)  # fewer epochs have no scatter around a line
    rows = []
    for key, run in curves.sort_values("iteration").groupby(["kind", "depth", "seed"]):
        about = dict(zip(("kind", "depth", "seed"), key, strict=True))  # type: ignore[call-overload]
        phases = (run.learning_rate != run.learning_rate.shift()).cumsum()
        for phase, epochs in run.groupby(phases):
            values = epochs.validation_error.tail(last)
            fall, scatter = _line(values.to_numpy())
            which = {"phase": phase, "learning_rate": epochs.learning_rate.iloc[0], "epochs": len(values)}
            spread = {"mean": values.mean(), "std": values.std(), "fall": fall, "scatter": scatter}
            rows.append({**about, **which, **spread})
    columns = ["kind", "depth", "seed", "phase", "learning_rate", "epochs", "mean", "std", "fall", "scatter"]
    return pd.DataFrame(rows, columns=columns)


def _line(values: np.ndarray) -> tuple[float, float]:
    """The fall a step of the straight line through ``values``, and their standard deviation around it; else NaN.

    Not by np.polyfit, which leaves rounding errors where a line fits exactly, in place of 0.
    """
    if len(values) < 2:
        return nan, nan
    steps = np.arange(len(values)) - (len(values) - 1) / 2  # around 0
    slope = (steps * values).sum() / (steps**2).sum()
    around = values - values.mean() - slope * steps
    return -slope, sqrt((around**2).sum() / (len(values) - 2)) if len(values) > 2 else nan


def ratio_by_chance(epochs: int) -> tuple[float, float]:
    """Larger to smaller scatter of two runs that scatter alike: exceeded in half of all pairs, and in one of 20.

    Simulated, for epochs that are independent; the line through them leaves ``epochs`` - 2 degrees of freedom. Raises
    ValueError for fewer than 3.
    """
    noise = torch.randn(2, 100_000, whole("epochs", epochs, 3) - 2, generator=torch.Generator().manual_seed(0))
    one, other = noise.square().mean(dim=2).sqrt()
    ratio = torch.maximum(one, other) / torch.minimum(one, other)
    half, twentieth = ratio.quantile(torch.tensor([0.5, 0.95])).tolist()
    return half, twentieth


def chance_errors(num_classes: int = 100, num_superclasses: int = 20, k: int = 5) -> dict[str, float]:
    """Errors (%) of guessing at random where all classes are equally frequent, in superclasses of equal size.

    Raises ValueError for a ``k`` that is not 1 to ``num_classes``.
    """
    k = whole("k", k, 1, num_classes, "the number of classes")
    hits = {"top-1": 1 / num_classes, f"top-{k}": k / num_classes, "superclass": 1 / num_superclasses}
    return {name: 100 * (1 - share) for name, share in hits.items()}


def two_label_table(records: Iterable[Record], experiments: Sequence[str]) -> pd.DataFrame:
    """Top-1, top-5 and superclass errors (%) on CIFAR-100 as text, a row for each of ``experiments``, chance last.

    And which share of the mistakes (%) top-5 and the superclass forgive: those that are an error by top-1 alone.
    """
    records = list(records)
    rows = {}
    for name in experiments:
        runs = [record for record in records if record.experiment == name]
        measured = {
            "top-1": [record.test_error for record in runs],
            "top-5": [record.top5_error for record in runs],
            "superclass": [record.superclass_error for record in runs],
        }
        forgiven = {
            f"forgiven by {column}": [_forgiven(each, one) for each, one in zip(values, measured["top-1"], strict=True)]
            for column, values in measured.items()
            if column != "top-1"
        }
        rows[name] = {column: _mean_and_spread(values) for column, values in measured.items()}
        rows[name] |= {column: _mean_and_spread(values, ".0f") for column, values in forgiven.items()}
    chance = chance_errors()
    rows["guessing"] = {column: f"{error:.2f}" for column, error in chance.items()}
    rows["guessing"] |= {
        f"forgiven by {each}": f"{_forgiven(chance[each], chance['top-1']):.0f}" for each in list(chance)[1:]
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")


def _forgiven(error: float | None, top1_error: float) -> float | None:
    """The share (%) of the mistakes by top-1 that are none by a milder error (%); None where that was not measured."""
    return None if error is None else 100 * (1 - error / top1_error)


def cost_table(records: Iterable[Record], experiments: Sequence[str]) -> pd.DataFrame:
    """What training cost, as text, a row for each of ``experiments`` and device: speed and minutes."""
    records = list(records)
    rows = []
    for name in experiments:
        runs = [record for record in records if record.experiment == name]
        for device in sorted({record.device for record in runs}) or [tables.NOT_RECORDED]:
            here = [record for record in runs if record.device == device]
            rows.append(
                {
                    "experiment": name,
                    "device": device,
                    "images a second": _mean_and_spread([record.images_per_second for record in here], ",.0f"),
                    "minutes": _mean_and_spread([record.seconds / 60 for record in here], ",.1f"),
                }
            )
    columns = ["experiment", "device", "images a second", "minutes"]
    return pd.DataFrame(rows, columns=columns).set_index("experiment")


def frequent_confusions(
    matrix: Tensor, names: Sequence[str], groups: Sequence[str] | None = None, k: int = 10
) -> pd.DataFrame:
    """The ``k`` most frequent mistakes, most frequent first: class, taken for, images, reversed, share (%).

    ``reversed``: how many images of the other class are taken for this one. ``share``: of the class's images.
    ``matrix`` (classes, classes) int64 as ``answers.confusion`` gives it; with ``groups``, the superclass of each
    class, a column ``same superclass``. Raises ValueError for a negative ``k``.
    """
    k = whole("k", k, 0)
    mistakes = matrix.clone().fill_diagonal_(0)
    pairs = mistakes.nonzero()  # (pairs that were confused, 2)
    counts, order = mistakes[*pairs.T].sort(descending=True, stable=True)
    rows = []
    for (true, answer), count in zip(pairs[order[:k]].tolist(), counts[:k].tolist(), strict=True):
        row = {"class": names[true], "taken for": names[answer], "images": count, "reversed": int(matrix[answer, true])}
        row["share (%)"] = 100 * count / int(matrix[true].sum())
        rows.append(row if groups is None else {**row, "same superclass": groups[true] == groups[answer]})
    return pd.DataFrame(rows)


def _mean_and_spread(values: Sequence[float | None], form: str = ".2f") -> str:
    """Values of runs as ``tables.mean_and_spread`` writes them; those that were not measured are left out."""
    found = pd.Series([value for value in values if value is not None], dtype=float)
    if found.empty:
        return tables.NOT_RECORDED
    mean, std = found.agg(["mean", "std"])
    return tables.mean_and_spread(mean, std, len(found), form)
