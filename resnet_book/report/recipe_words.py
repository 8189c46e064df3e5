"""Say in words how the test errors of two recipes compare, as chapter 5 and its appendix do.

Every function takes test errors (%) by seed; NaN where the loss of the run stopped being finite.
"""

import pandas as pd


def compared(ours: pd.Series, theirs: pd.Series) -> str:
    """What follows "the test error is": both means, which is higher, and whether the runs of the two overlap.

    Raises ValueError unless both have the same seeds.
    """
    if list(ours.index) != list(theirs.index) or ours.empty:
        raise ValueError(
            f"ours has the seeds {list(ours.index)}, theirs {list(theirs.index)}: give both the same, one or more"
        )
    if (lost := int((ours.isna() | theirs.isna()).sum())) > 0:
        return f"unknown, since the loss stopped being finite in {_of(lost, len(ours))}"
    means = f"{ours.mean():.1f} % against {theirs.mean():.1f} %"
    if len(ours) == 1:
        return f"{means}, one run each"
    shared = "overlap" if overlap(ours, theirs) else "do not overlap"
    return f"{means}: {_by_seed(ours - theirs)}, and the runs of the two {shared}"


def overlap(ours: pd.Series, theirs: pd.Series) -> bool:
    """False if every run of the one is above every run of the other."""
    return not (ours.min() > theirs.max() or ours.max() < theirs.min())


def joined(words: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _by_seed(change: pd.Series) -> str:
    """Which way the error went with which seed, and how far; no more digits than are shown."""
    change = change.round(1)
    ways = {"higher": change[change > 0], "lower": change[change < 0]}
    for way, part in ways.items():
        if len(part) == len(change):
            return f"{way} with every seed, by {joined([f'{abs(each):.1f}' for each in part])} points"
    said = [
        f"{abs(each):.1f} points {way} with seed {seed}" for way, part in ways.items() for seed, each in part.items()
    ]
    said += [f"the same with seed {seed}" for seed in change.index[change == 0]]
    return joined(said)


def _of(count: int, total: int) -> str:
    return "every run" if count == total else f"{count} of {total} runs"
