"""Say in words what the recorded runs of chapter 5 show: which part was missed, and what drops did."""

from collections.abc import Callable, Iterable

import pandas as pd

from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import tables


def ablation_table(
    summary: pd.DataFrame, base: str, names: Iterable[str], by_chance: Callable[[int, list[int]], float]
) -> str:
    """Markdown: the recorded experiments ``names`` beside ``base``, and which of the changes may be chance.

    ``summary``: of ``tables.summary``, its index set to the column ``experiment``. ``by_chance``: of so many runs of
    ``base`` and so many of each other, how many standard deviations of ``base`` the farthest of the others gets away by
    chance in 1 of 20 cases.
    """
    recorded = [name for name in names if {base, name} <= set(summary.index)]
    if not recorded:
        return f"Nothing that could be compared with `{base}` is recorded yet."
    full, parts = summary.loc[base], summary.loc[recorded]
    changes = parts["test_error"] - full["test_error"]
    lines = {f"`{name}`": (tables.recorded_cell(summary, name), f"{change:+.1f}") for name, change in changes.items()}
    table = pd.DataFrame.from_dict(lines, orient="index", columns=["test error (%)", "change (points)"])
    if full["runs"] > 1:
        limit = by_chance(int(full["runs"]), [int(runs) for runs in parts["runs"]]) * full["test_std"]
        beyond = [f"`{name}`" for name, change in changes.items() if abs(change) > limit]
        said = f"The limit is {limit:.1f} points. Beyond it: {joined(beyond) or 'none'}."
    else:
        said = "With one run of the full recipe no spread is known, and nothing here can be told from chance."
    table = tables.to_markdown(table.rename_axis("experiment"))
    return f"The full recipe, `{base}`: {tables.recorded_cell(summary, base)}.\n\n{table}\n{said}"


def drops_in_words(frame: pd.DataFrame) -> str:
    """Markdown: how the test error moves before, at and after the drops of the paper's recipe, and how ``short`` ends.

    ``frame``: what ``tables.curves`` makes of the runs of one network by ``paper``, ``short`` and ``no-drops``.
    """
    first, second = PAPER.drops
    said = []
    for seed, run in frame[frame.recipe == "paper"].groupby("seed"):
        at, moves = run.iteration, run.test_error.diff().abs()
        early, late = moves[at.between(first / 2, first)].mean(), moves[at > first][1:].mean()
        falls = [
            f"from {run.test_error[at <= drop].tail(5).mean():.1f} to {run.test_error[at > drop].head(5).mean():.1f} %"
            for drop in (first, second)
        ]
        said.append(
            f"By the paper's recipe (seed {seed}) the test error moved from one epoch to the next by {early:.1f} "
            f"points, on average, between the iterations {first // 2:,} and {first:,}, and by {late:.1f} from the "
            f"second epoch after the first drop on. The mean of five epochs fell {falls[0]} at the first drop, and "
            f"{falls[1]} at the second."
        )
    means = frame[frame.recipe.isin(["short", "no-drops"])].groupby(["recipe", "iteration"]).test_error.mean()
    if {"short", "no-drops"} <= set(frame.recipe):
        table = means.unstack("recipe")[["short", "no-drops"]].tail(4).map("{:.1f}".format)
        said.append(f"The right panel ends with these errors (%; means over the runs):\n\n{tables.to_markdown(table)}")
    return "\n\n".join(said) or "No such run is recorded."


def joined(words: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
