"""Tables: records enter, pandas data frames leave, with the published numbers to set beside them.

Errors are % of wrong answers on the test set after the last epoch. Spread is the sample standard deviation over seeds.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import pandas as pd

from resnet_book.experiments.records import Record


@dataclass(frozen=True)
class Published:
    """One published test error (%) on CIFAR-10, and where it stands."""

    source: str
    model: str
    error: float
    std: float | None = None  # over ``runs``, where the source gives it
    runs: int = 1
    approximate: bool = False  # read off a figure

    def __str__(self) -> str:
        spread = "" if self.std is None else f" ± {self.std:.2f}"
        runs = f" ({self.runs} runs)" if self.runs > 1 else ""
        return f"about {self.error:g}" if self.approximate else f"{self.error:.2f}{spread}{runs}"


PAPER, TECHXZEN, AKAMASTER, NABLA, MARTYN = (
    "He et al. 2015",  # arXiv:1512.03385, table 6; plain networks: read off figure 6
    "techxzen 2019",  # github.com/techxzen/pytorch-residual-networks
    "akamaster 2018",  # github.com/akamaster/pytorch_resnet_cifar10, 200 epochs
    "nabla0001",  # github.com/nabla0001/resnet, 64k iterations
    "a-martyn (best epoch)",  # github.com/a-martyn/resnet, the best epoch
)

PUBLISHED = (
    Published(PAPER, "resnet20", 8.75),
    Published(PAPER, "resnet32", 7.51),
    Published(PAPER, "resnet44", 7.17),
    Published(PAPER, "resnet56", 6.97),
    Published(PAPER, "resnet110", 6.61, std=0.16, runs=5),
    Published(PAPER, "resnet1202", 7.93),
    Published(PAPER, "plain20", 9.5, approximate=True),
    Published(PAPER, "plain32", 10, approximate=True),
    Published(PAPER, "plain44", 12, approximate=True),
    Published(PAPER, "plain56", 13.5, approximate=True),
    Published(TECHXZEN, "resnet20", 8.74),
    Published(TECHXZEN, "resnet32", 8.30),
    Published(TECHXZEN, "resnet44", 7.16),
    Published(TECHXZEN, "resnet56", 7.41),
    Published(TECHXZEN, "plain20", 10.08),
    Published(TECHXZEN, "plain32", 11.15),
    Published(TECHXZEN, "plain44", 14.12),
    Published(TECHXZEN, "plain56", 15.39),
    Published(AKAMASTER, "resnet20", 8.27),
    Published(AKAMASTER, "resnet32", 7.37),
    Published(AKAMASTER, "resnet44", 6.90),
    Published(AKAMASTER, "resnet56", 6.61),
    Published(AKAMASTER, "resnet110", 6.32),
    Published(NABLA, "resnet20", 8.51, std=0.22, runs=5),
    Published(NABLA, "resnet56", 7.40, std=0.27, runs=5),
    Published(NABLA, "resnet110", 7.14, std=0.20, runs=5),
    Published(NABLA, "plain20", 9.78, std=0.13, runs=5),
    Published(NABLA, "plain56", 12.95, std=0.22, runs=5),
    Published(MARTYN, "plain20", 9.5),
    Published(MARTYN, "plain32", 9.92),
    Published(MARTYN, "plain44", 11.35),
    Published(MARTYN, "plain56", 12.76),
)

# mbsariyildiz/resnet-pytorch 2018, the wide networks on CIFAR-10: accuracy (%) without and with shortcuts.
PUBLISHED_WIDE = {10: (94.2, 94.4), 18: (94.8, 95.0), 34: (93.5, 95.5), 50: (90.3, 95.0)}

DEPTH_TABLE_MODELS = tuple(f"{kind}{depth}" for kind in ("plain", "resnet") for depth in (20, 32, 44, 56, 110))
DEPTH_TABLE_RECIPES = ("paper", "short")
NOT_RECORDED, NOT_PUBLISHED = "not recorded", "–"


def kind_and_depth(model: str) -> tuple[str, int]:
    """("plain" or "residual", layers) of a model's name. Raises ValueError for a name of another form."""
    match = re.fullmatch(r"(plain|resnet)(\d+)", model)
    if match is None:
        raise ValueError(f"model={model!r}: expected plain<depth> or resnet<depth>")
    return {"plain": "plain", "resnet": "residual"}[match[1]], int(match[2])


def curves(records: Iterable[Record]) -> pd.DataFrame:
    """A row an epoch of each record: experiment, seed, model, kind, depth, dataset, recipe, epoch, fields of Epoch.

    ``epoch`` counts from 1; the last one may be shorter, which ``iteration``, the steps so far, shows.

    The validation columns are NaN where no images were held out.
    """
    rows = [
        {**_about(record), "seed": record.seed, "epoch": number, **asdict(epoch)}
        for record in records
        for number, epoch in enumerate(record.epochs, 1)
    ]
    measured = [f"{of}_{what}" for of in ("train", "test", "validation") for what in ("loss", "error")]
    frame = pd.DataFrame(rows, columns=[*ABOUT, "seed", "epoch", "iteration", "learning_rate", *measured])
    return frame.astype(dict.fromkeys(measured, float))  # NaN for None


def runs(records: Iterable[Record]) -> pd.DataFrame:
    """A row a record: what was run, its last train and test error (%), device, precision, seconds, images a second."""
    rows = [
        {
            **_about(record),
            "seed": record.seed,
            "parameters": record.model["parameters"],
            "iterations": record.recipe["iterations"],
            "train_error": record.epochs[-1].train_error,
            "test_error": record.test_error,
            "device": record.environment["device"],
            "precision": record.environment["precision"],
            "compiled": record.environment["compiled"],
            "seconds": record.seconds,
            "images_per_second": record.images_per_second,
        }
        for record in records
    ]
    extra = [
        "parameters",
        "iterations",
        "train_error",
        "test_error",
        "device",
        "precision",
        "compiled",
        "seconds",
        "images_per_second",
    ]
    return pd.DataFrame(rows, columns=[*ABOUT, "seed", *extra])


def summary(records: Iterable[Record]) -> pd.DataFrame:
    """A row an experiment: number of runs, mean and standard deviation (NaN for one run) of the errors (%), devices."""
    grouped = runs(records).groupby(ABOUT, sort=False)
    return grouped.agg(
        runs=("seed", "count"),
        train_error=("train_error", "mean"),
        train_std=("train_error", "std"),
        test_error=("test_error", "mean"),
        test_std=("test_error", "std"),
        device=("device", lambda devices: ", ".join(sorted(set(devices)))),
        minutes=("seconds", lambda seconds: seconds.mean() / 60),
    ).reset_index()


def difference(summaries: pd.DataFrame, one: tuple[str, int], other: tuple[str, int]) -> tuple[float, float]:
    """Mean test error (%) of ``one`` minus that of ``other``, and the standard error of it, in percentage points.

    ``summaries`` as ``summary`` gives them, of one dataset and recipe; each network is (kind, depth). The standard
    error is NaN unless both have two runs or more. Raises KeyError for a network that is not among them.
    """
    rows = summaries.set_index(["kind", "depth"])
    return change(rows.loc[one], rows.loc[other])


def change(first: pd.Series, second: pd.Series) -> tuple[float, float]:
    """Mean test error (%) of ``first`` minus that of ``second``, rows of ``summary``, and the standard error of it.

    Both in percentage points; the standard error is NaN unless both have two runs or more.
    """
    standard_error = (first.test_std**2 / first.runs + second.test_std**2 / second.runs) ** 0.5
    return float(first.test_error - second.test_error), float(standard_error)


def points(difference: float, standard_error: float) -> str:
    """A difference in percentage points as text: "+1.20 ± 0.31 points", or "+1.20 points (no spread known)"."""
    known = standard_error == standard_error  # not NaN
    return f"{difference:+.2f}" + (f" ± {standard_error:.2f} points" if known else " points (no spread known)")


def depth_table(records: Iterable[Record], recipes: tuple[str, ...] = DEPTH_TABLE_RECIPES) -> pd.DataFrame:
    """Test errors (%) of the 6n+2 networks on CIFAR-10 as text: a row a network; recorded, then published columns.

    A recorded cell reads "mean ± standard deviation (runs)"; what was never recorded says so.
    """
    recorded = summary(records).set_index("experiment")
    rows = {}
    for model in DEPTH_TABLE_MODELS:
        names = {recipe: f"{model}-cifar10" + (f"-{recipe}" if recipe != "paper" else "") for recipe in recipes}
        row = {f"ours, {recipe}": recorded_cell(recorded, name) for recipe, name in names.items()}
        for source in dict.fromkeys(each.source for each in PUBLISHED):
            found = [str(each) for each in PUBLISHED if (each.source, each.model) == (source, model)]
            row[source] = found[0] if found else NOT_PUBLISHED
        rows[model] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("network")


def of_depth_table(records: Iterable[Record], recipes: tuple[str, ...] = DEPTH_TABLE_RECIPES) -> list[Record]:
    """Those of ``records`` that ``depth_table`` shows."""
    return [
        record
        for record in records
        if record.model["name"] in DEPTH_TABLE_MODELS
        and record.dataset["name"] == "cifar10"
        and record.recipe_name in recipes
        and record.model["shortcut"] is None
    ]


def provenance(records: Iterable[Record]) -> str:
    """A sentence a recipe on where the numbers of ``records`` come from: runs, iterations, devices."""
    frame = runs(records)
    sentences = []
    for _, group in frame.groupby(["recipe", "iterations"], sort=True):
        devices = " and ".join(sorted(set(group.device + ", " + group.precision)))
        devices += f" ({compiled} of them compiled)" if (compiled := group.compiled.sum()) else ""
        count = f"{len(group)} run{'s' if len(group) > 1 else ''}"
        recipe, iterations = group.recipe.iloc[0], group.iterations.iloc[0]
        sentences.append(f"`{recipe}`: {iterations:,} iterations; {count} on {devices}.")
    return " ".join(sentences) or "Nothing is recorded yet."


def record_table(records: Iterable[Record]) -> pd.DataFrame:
    """A row a record, as text: how, where and with what it was recorded, and its last test error (%)."""
    rows = {}
    for record in records:
        where = record.environment
        commit = (where["commit"] or "unknown")[:10] + (" with changes" if where["dirty"] else "")
        rows[f"{record.experiment}, seed {record.seed}"] = {
            "test error (%)": f"{record.test_error:.2f}",
            "parameters": f"{record.model['parameters']:,}",
            "iterations": f"{record.recipe['iterations']:,}",
            "device": (f"{count} x " if (count := where.get("processes", 1)) > 1 else "") + where["device"],
            "precision": where["precision"] + (", compiled" if where["compiled"] else ""),
            "torch": where["torch"],
            "seconds": f"{record.seconds:,.0f}",
            "started (UTC)": record.started[:16].replace("T", " "),
            "commit": commit,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("run")


def to_markdown(table: pd.DataFrame) -> str:
    """A data frame of text or numbers as a Markdown table, its index as the first column."""
    header = [table.index.name or "", *map(str, table.columns)]
    body = [[str(index), *map(str, row)] for index, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


ABOUT = ["experiment", "model", "kind", "depth", "dataset", "recipe"]


def _about(record: Record) -> dict[str, str | int]:
    kind, depth = kind_and_depth(record.model["name"])
    values = (record.experiment, record.model["name"], kind, depth, record.dataset["name"], record.recipe_name)
    return dict(zip(ABOUT, values, strict=True))


def recorded_cell(recorded: pd.DataFrame, experiment: str) -> str:
    """The test error (%) of ``experiment`` as text, "mean ± standard deviation (runs)", or that it is not recorded.

    ``recorded``: what ``summary`` gives, its index set to the column ``experiment``.
    """
    if experiment not in recorded.index:
        return NOT_RECORDED
    row = recorded.loc[experiment]
    spread = f" ± {row.test_std:.2f}" if row.runs > 1 else ""
    return f"{row.test_error:.2f}{spread} ({row.runs} run{'s' if row.runs > 1 else ''})"
