"""Make pandas tables of records, with the published numbers beside them.

Errors are % of wrong answers on the test set after the last epoch. Spread is the sample standard deviation over seeds.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from resnet_book.experiments import catalogue
from resnet_book.experiments.records import Record
from resnet_book.report import published

DEPTH_TABLE_MODELS = tuple(f"{kind}{depth}" for kind in ("plain", "resnet") for depth in (20, 32, 44, 56, 110))
SHORTER_RECIPES = ("short", *catalogue.LADDER)  # the shortest first
MEASURED = ["test_error", "device", "precision", "compiled", "seconds", "images_per_second"]
WHOSE = ["experiment", "kind", "depth", "seed", "iterations"]
ABOUT = ["experiment", "model", "kind", "depth", "dataset", "recipe"]
NOT_RECORDED, NOTHING = "not recorded", "–"


def kind_and_depth(model: str) -> tuple[str, int]:
    """("plain" or "residual", layers) of a model's name. Raises ValueError for a name of another form."""
    match = re.fullmatch(r"(plain|resnet)(\d+)(?:-quarter)?", model)
    if match is None:
        raise ValueError(f"model={model!r}: expected plain<depth> or resnet<depth>, and perhaps -quarter")
    return {"plain": "plain", "resnet": "residual"}[match[1]], int(match[2])


def whose(experiment: str, seed: int) -> dict[str, Any]:
    """Whose a row is: the run, its network's kind ("plain" or "residual") and depth, its recipe's iterations."""
    known = catalogue.get(experiment)
    return dict(zip(WHOSE, (experiment, *kind_and_depth(known.model), seed, known.recipe.iterations), strict=True))


def stacked(frames: list[pd.DataFrame], columns: Iterable[str]) -> pd.DataFrame:
    """The frames below each other; where there is none, one without rows that has their ``columns``."""
    return pd.concat(frames or [pd.DataFrame(columns=list(columns), dtype=float)], ignore_index=True)


def curves(records: Iterable[Record]) -> pd.DataFrame:
    """A row an epoch of each record: experiment, seed, model, kind, depth, dataset, recipe, epoch, fields of Epoch.

    ``epoch`` counts from 1; the last one may be shorter, which ``iteration``, the steps so far, shows. The validation
    columns are NaN where no images were held out.
    """
    rows = [
        {**_about(record), "seed": record.seed, "epoch": number, **asdict(epoch)}
        for record in records
        for number, epoch in enumerate(record.epochs, 1)
    ]
    measured = [f"{of}_{what}" for of in ("train", "test", "validation") for what in ("loss", "error")]
    frame = pd.DataFrame(rows, columns=[*ABOUT, "seed", "epoch", "iteration", "learning_rate", *measured])
    return frame.astype(dict.fromkeys(measured, float))  # NaN for None


def run_rows(records: Iterable[Record]) -> pd.DataFrame:
    """A row a record: what was run, its last train and test error (%), device, precision, seconds, images a second."""
    rows = [
        {
            **_about(record),
            "seed": record.seed,
            "parameters": record.model["parameters"],
            "iterations": record.recipe["iterations"],
            "train_error": record.train_error,
            **{name: getattr(record, name) for name in MEASURED},
        }
        for record in records
    ]
    return pd.DataFrame(rows, columns=[*ABOUT, "seed", "parameters", "iterations", "train_error", *MEASURED])


def summary(records: Iterable[Record]) -> pd.DataFrame:
    """A row an experiment: iterations, runs, mean and standard deviation (NaN for one run) of errors (%), devices."""
    grouped = run_rows(records).groupby(ABOUT, sort=False)
    return grouped.agg(
        iterations=("iterations", "first"),
        runs=("seed", "count"),
        train_error=("train_error", "mean"),
        train_std=("train_error", "std"),
        test_error=("test_error", "mean"),
        test_std=("test_error", "std"),
        device=("device", lambda devices: ", ".join(sorted(set(devices)))),
        minutes=("seconds", lambda seconds: seconds.mean() / 60),
    ).reset_index()


def change(first: pd.Series, second: pd.Series) -> tuple[float, float]:
    """Mean test error (%) of ``first`` minus that of ``second``, rows of ``summary``, and the standard error of it.

    Both in percentage points; the standard error is NaN unless both have two runs or more.
    """
    standard_error = (first.test_std**2 / first.runs + second.test_std**2 / second.runs) ** 0.5
    return float(first.test_error - second.test_error), float(standard_error)


def by_chance(first_runs: int, second_runs: int) -> float:
    """Standard errors, as ``change`` has them, that the change exceeds by chance in 1 of 20 cases, from 200,000 draws.

    Of so many runs of each, two or more, whose errors are normally distributed and do not differ but by chance.
    """
    generator = np.random.default_rng(0)
    first, second = (generator.standard_normal((200_000, runs)) for runs in (first_runs, second_runs))
    variance = first.var(axis=1, ddof=1) / first_runs + second.var(axis=1, ddof=1) / second_runs
    return float(np.quantile(np.abs(first.mean(axis=1) - second.mean(axis=1)) / np.sqrt(variance), 0.95))


def points(difference: float, standard_error: float) -> str:
    """A difference in percentage points as text: "+1.20 ± 0.31 points", or "+1.20 points (no spread known)"."""
    known = not math.isnan(standard_error)
    return f"{difference:+.2f}" + (f" ± {standard_error:.2f} points" if known else " points (no spread known)")


def depth_table(records: Iterable[Record]) -> pd.DataFrame:
    """Test errors (%) of the 6n+2 networks on CIFAR-10 by the paper's recipe, as text: ours, then the published ones.

    A row a network. A recorded cell reads "mean ± standard deviation (runs)", or is the number of a single run; what is
    not recorded, or not published, is a dash. Without records there is no column of ours; a network of dashes is left
    out.
    """
    frame = _ours(records, ("paper",))
    for source in dict.fromkeys(each.source for each in published.ERRORS):
        theirs = {each.model: str(each) for each in published.ERRORS if each.source == source}
        frame[source] = [theirs.get(model, NOTHING) for model in frame.index]
    return frame.loc[(frame != NOTHING).any(axis=1)]


def budget_table(records: Iterable[Record]) -> pd.DataFrame:
    """Test errors (%) of the same networks after shorter trainings, as text: a row a network with a record.

    A column for each recipe that has records, the shortest first. The cells are as in ``depth_table``.
    """
    frame = _ours(records, SHORTER_RECIPES)
    return frame.loc[(frame != NOTHING).any(axis=1)]


def _ours(records: Iterable[Record], recipes: Iterable[str]) -> pd.DataFrame:
    """Recorded cells: a row each of DEPTH_TABLE_MODELS, a column each of ``recipes`` that has records."""
    records = of_depth_table(records)
    recorded, known = summary(records).set_index("experiment"), {record.recipe_name for record in records}
    frame = pd.DataFrame(index=pd.Index(DEPTH_TABLE_MODELS, name="network"))
    for recipe in (each for each in recipes if each in known):
        names = [f"{model}-cifar10" + f"-{recipe}" * (recipe != "paper") for model in frame.index]
        cells = [recorded_cell(recorded, name, NOTHING).removesuffix(" (1 run)") for name in names]
        frame[f"ours, {recipe}"] = cells
    return frame


def of_depth_table(records: Iterable[Record]) -> list[Record]:
    """Those of ``records`` that ``depth_table`` or ``budget_table`` shows."""
    return [
        record
        for record in records
        if record.model["name"] in DEPTH_TABLE_MODELS
        and record.dataset["name"] == "cifar10"
        and record.recipe_name in ("paper", *SHORTER_RECIPES)
        and record.model["shortcut"] is None
    ]


def longest_comparison(records: Iterable[Record]) -> str:
    """The recipe whose records compare most: the longest that has both kinds at two depths, else that of most networks.

    Raises ValueError where there is no record.
    """
    frame = run_rows(records)
    if frame.empty:
        raise ValueError("records: none is given; `resnet-book run` records runs")

    def worth(recipe: str) -> tuple[bool, int, int]:
        rows = frame[frame.recipe == recipe]
        depths = rows.groupby("kind").depth.nunique()
        compares = len(depths) == 2 and depths.min() >= 2
        return compares, 0 if compares else rows.model.nunique(), rows.iterations.max()

    return max(frame.recipe.unique(), key=worth)


def provenance(records: Iterable[Record]) -> str:
    """A sentence a recipe on where the numbers of ``records`` come from: runs, iterations, devices."""
    frame = run_rows(records)
    sentences = []
    for _, group in frame.groupby(["iterations", "recipe"], sort=True):
        where = group.groupby(group.device + ", in " + group.precision).model.unique()
        places = [f"{', '.join(sorted(models))} on {place}" for place, models in where.items()]
        recipe, iterations, runs = group.recipe.iloc[0], group.iterations.iloc[0], len(group)
        count = group.compiled.sum()
        compiled = ", compiled" if count == runs else f", {count} of them compiled" if count else ""
        text = f"`{recipe}`: {iterations:,} iterations; {runs} run{'s' * (runs > 1)}{compiled}: {'; '.join(places)}."
        sentences.append(text)
    return " ".join(sentences) or "Of these nothing is recorded yet."


def record_table(records: Iterable[Record]) -> pd.DataFrame:
    """A row a record, as text: how, where and with what it was recorded, and its last test error (%)."""
    rows = {}
    for record in records:
        rows[f"{record.experiment}, seed {record.seed}"] = {
            "test error (%)": f"{record.test_error:.2f}",
            "parameters": f"{record.model['parameters']:,}",
            "iterations": f"{record.recipe['iterations']:,}",
            "device": record.device,
            "precision": record.precision + ", compiled" * record.compiled,
            "torch": record.torch_version,
            "seconds": f"{record.seconds:,.0f}",
            "started (UTC)": record.started[:16].replace("T", " "),
            "commit": record.commit,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("run")


def to_markdown(table: pd.DataFrame) -> str:
    """A data frame of text or numbers as a Markdown table, its index as the first column."""
    header = [table.index.name or "", *map(str, table.columns)]
    body = [[str(index), *map(str, row)] for index, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _about(record: Record) -> dict[str, str | int]:
    kind, depth = kind_and_depth(record.model["name"])
    values = (record.experiment, record.model["name"], kind, depth, record.dataset["name"], record.recipe_name)
    return dict(zip(ABOUT, values, strict=True))


def recorded_cell(recorded: pd.DataFrame, experiment: str, missing: str = NOT_RECORDED) -> str:
    """The test error (%) of ``experiment`` as ``mean_and_spread`` writes it, or ``missing``.

    ``recorded``: what ``summary`` gives, its index set to the column ``experiment``.
    """
    if experiment not in recorded.index:
        return missing
    row = recorded.loc[experiment]
    return mean_and_spread(row.test_error, row.test_std, row.runs)


def mean_and_spread(mean: float, std: float, runs: int, form: str = ".2f") -> str:
    """Text such as "8.75 ± 0.21 (3 runs)": mean and standard deviation; a single run has no deviation."""
    return f"{mean:{form}} ± {std:{form}} ({runs} runs)" if runs > 1 else f"{mean:{form}} (1 run)"
