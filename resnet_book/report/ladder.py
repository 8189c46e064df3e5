"""How long must one train until depth pays? Errors against the training budget, in numbers, words and one figure.

The corners of the table of He et al. 2015, section 4.2: plain and residual networks of 20 and of 56 layers.
"""

from collections.abc import Iterable
from itertools import groupby

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from resnet_book.engine.checks import one_of
from resnet_book.experiments import catalogue
from resnet_book.experiments.records import Record
from resnet_book.report import published, tables
from resnet_book.report.figures import COLOURS, KINDS

SHALLOW, DEEP = 20, 56  # layers
MARKERS = {SHALLOW: "s", DEEP: "o"}
BESIDE = {("plain", SHALLOW): 0.87, ("plain", DEEP): 1.0, ("residual", SHALLOW): 1.0, ("residual", DEEP): 1.15}
OFTEN = {1: ("more often", "than"), 0: ("as often", "as"), -1: ("less often", "than")}
PAPER_ITERATIONS = catalogue.PAPER.iterations


def corners(records: Iterable[Record]) -> pd.DataFrame:
    """The rows of ``tables.summary`` that the ladder is made of, the shortest training first."""
    summaries = tables.summary(tables.of_depth_table(records))
    return summaries.loc[summaries.depth.isin((SHALLOW, DEEP))].sort_values("iterations")


def depth_changes(corners: pd.DataFrame) -> pd.DataFrame:
    """A row for each kind and budget of which both depths are recorded: what the deeper network changes, in points.

    Columns: kind, recipe, iterations; ``train`` and ``test``, the error (%) at 56 layers minus that at 20;
    ``standard_error`` of ``test``, NaN unless both were trained twice or more.
    """
    rows = []
    for (kind, iterations), group in corners.groupby(["kind", "iterations"]):  # type: ignore[misc]
        of_depth = group.set_index("depth")
        if {SHALLOW, DEEP} <= set(of_depth.index):
            deep, shallow = of_depth.loc[DEEP], of_depth.loc[SHALLOW]
            test, standard_error = tables.change(deep, shallow)
            rows.append((kind, deep.recipe, iterations, deep.train_error - shallow.train_error, test, standard_error))
    return pd.DataFrame(rows, columns=["kind", "recipe", "iterations", "train", "test", "standard_error"])


def in_words(changes: pd.DataFrame, kind: str) -> str:
    """Whether depth pays for the networks of ``kind``, and from which budget on, as far as ``depth_changes`` knows.

    Raises ValueError for another kind than "plain" and "residual".
    """
    one_of("kind", kind, KINDS)
    found = changes.loc[changes.kind == kind].sort_values("iterations")
    if found.empty:
        return f"By no recipe are the {kind} networks of {SHALLOW} and of {DEEP} layers both recorded yet."
    signs, of_training = (np.sign(found[measure].round(6)) for measure in ("test", "train"))  # means are rounded
    stretches = [
        (sign, _listed(iterations for _, iterations in rows))
        for sign, rows in groupby(zip(signs, found.iterations, strict=True), key=lambda row: row[0])
    ]
    (sign, first), *later = stretches
    often, than = OFTEN[sign]
    text = f"After {first} iterations the {kind} network of {DEEP} layers errs {often} {than} that of {SHALLOW}"
    text += "".join(f", after {iterations} {OFTEN[sign][0]}" for sign, iterations in later)
    turns = [sign for sign, _ in groupby(sign for sign, _ in stretches if sign)]  # equal errors are no turn
    if len(turns) > 2:
        text += ": these runs show no single crossing."
    elif len(turns) == 2:
        text += f": somewhere in between depth {'begins' if turns[0] > 0 else 'ceases'} to pay."
    else:
        text += "." if len(found) > 1 else ". (No other budget has records of both.)"

    differs = found.loc[of_training != signs]
    if len(differs):
        how = "the other way round" if (differs.train * differs.test < 0).all() else "otherwise"
        training = f"On the training images it is {how} after {_listed(differs.iterations)} iterations."
    else:
        training = "The training errors are in the same order"
        training += ", so it fails to fit: this is no over-fitting." if (signs > 0).all() else "."
    return f"{text} {training}"


def _listed(iterations: Iterable[int]) -> str:
    """Numbers in a sentence: "2,000, 4,000 and 8,000"."""
    words = [f"{each:,}" for each in iterations]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def plot(corners: pd.DataFrame, training: Axes, test: Axes) -> tuple[Axes, Axes]:
    """Draw training error and test error (%) against the training budget, a colour and marker a network.

    Bars are standard deviations, where there are several runs. The three networks whose errors come near each other
    stand beside each other. Open markers in the panel of the test error are what He et al. published for their own
    training, further to the right; a dotted line leads there from a network without so long a run. Each panel has a
    scale of its own. The legend is put above both.
    """
    beside = 1.4 * PAPER_ITERATIONS
    published_errors = []
    for (kind, depth), group in corners.groupby(["kind", "depth"]):  # type: ignore[misc]
        colour, marker = COLOURS[str(kind)], MARKERS[depth]
        budgets = group.iterations * BESIDE[str(kind), depth]
        how = {"color": colour, "linestyle": "-", "linewidth": 1.2, "marker": marker, "capsize": 2}
        for ax, measure in ((training, "train"), (test, "test")):
            errors, spread = group[f"{measure}_error"], group[f"{measure}_std"].fillna(0)
            ax.errorbar(budgets, errors, spread, **how)  # type: ignore[arg-type]
        training.plot([], [], marker, color=colour, label=f"{kind}, {depth} layers")
        last = group.iloc[-1]
        model = {"plain": "plain", "residual": "resnet"}[str(kind)] + str(depth)
        (theirs,) = (each.error for each in published.ERRORS if (each.source, each.model) == (published.PAPER, model))
        published_errors.append(theirs)
        if last.iterations < PAPER_ITERATIONS:
            test.plot([budgets.iloc[-1], beside], [last.test_error, theirs], ":", color=colour, linewidth=0.8)
        test.plot(beside, theirs, marker, color=colour, markerfacecolor="white")
    published_look = {"color": COLOURS["neutral"], "markerfacecolor": "white", "label": "open: the paper's own"}
    training.plot([], [], MARKERS[DEEP], **published_look)  # type: ignore[arg-type]
    drawn = {training: corners.train_error, test: [*corners.test_error, *published_errors]}
    for ax, title in ((training, "training images"), (test, "test images")):
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ticks = sorted({*map(int, corners.iterations), PAPER_ITERATIONS})
        ax.set_xticks(ticks, [f"{each // 1_000}k" for each in ticks])
        ax.set_xticks([], minor=True)
        marks = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 80) if ax is training else (7, 10, 15, 20, 30, 40, 60, 80)
        ax.set_yticks(marks, [f"{each:g}" for each in marks])
        ax.set_yticks([], minor=True)
        ax.set_ylim(0.85 * min([50.0, *drawn[ax]]), 95)
        ax.set_xlim(ticks[0] / 1.3, PAPER_ITERATIONS * 1.7)
        ax.set_xlabel("training budget (iterations)")
        ax.set_title(title)
    training.set_ylabel("error (%)")
    training.figure.legend(*training.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return training, test
