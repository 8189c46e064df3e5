"""Say in words what drops of the learning rate did in the recorded runs of chapter 5."""

import numpy as np
import pandas as pd

from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import tables


def drops_in_words(frame: pd.DataFrame) -> str:
    """Markdown: how the test error moves before, at and after the drops of the paper's recipe, and how ``short`` ends.

    ``frame``: what ``tables.curves`` makes of the runs of one network by ``paper``, ``short`` and ``no-drops``.
    """
    first, second = PAPER.drops
    said = []
    for seed, run in frame[frame.recipe == "paper"].groupby("seed"):
        at, error, moves = run.iteration, run.test_error, run.test_error.diff().abs()
        early, late = moves[at.between(first / 2, first)].mean(), moves[at > first][1:].mean()
        falls = [
            f"from {error[at <= drop].tail(5).mean():.2f} to {error[at > drop][1:6].mean():.2f} %"
            for drop in (first, second)
        ]
        middle = (at > first) & (at <= second)
        rise = np.polyfit(at[middle][1:], error[middle][1:], 1)[0] * (second - first)
        said.append(
            f"By the paper's recipe (seed {seed}) the test error moved from one epoch to the next by {early:.1f} "
            f"points, on average, between the iterations {first // 2:,} and {first:,}, and by {late:.1f} from the "
            f"second epoch after the first drop on. The mean of five epochs (after a drop, from the second on) fell "
            f"{falls[0]} at the first drop, and {falls[1]} at the second. Between the two a straight line through the "
            f"epochs, without the first, moves by {rise:+.1f} points."
        )
    means = frame[frame.recipe.isin(["short", "no-drops"])].groupby(["recipe", "iteration"]).test_error.mean()
    if {"short", "no-drops"} <= set(frame.recipe):
        table = means.unstack("recipe")[["short", "no-drops"]].tail(4).map("{:.1f}".format)
        said.append(f"The right panel ends with these errors (%; means over the runs):\n\n{tables.to_markdown(table)}")
    return "\n\n".join(said) or "No such run is recorded."
