"""Say in words how the test errors (%) of two recipes compare, as chapter 5 and its appendix do."""

from collections.abc import Callable, Iterable

import pandas as pd

from resnet_book.report import tables


def compared(ours: pd.Series, theirs: pd.Series) -> str:
    """What follows "the test error is": both means, which is higher, and whether the runs of the two overlap.

    Test errors by seed, NaN where the loss of the run stopped being finite. Raises ValueError unless both have the
    same seeds.
    """
    if list(ours.index) != list(theirs.index) or ours.empty:
        raise ValueError(
            f"ours has the seeds {list(ours.index)}, theirs {list(theirs.index)}: give both the same, one or more"
        )
    if (lost := int((ours.isna() | theirs.isna()).sum())) > 0:
        count = "every seed" if lost == len(ours) else f"{lost} of {len(ours)} seeds"
        return f"unknown, since the loss stopped being finite with {count}"
    means = f"{ours.mean():.1f} % against {theirs.mean():.1f} %"
    if len(ours) == 1:
        return f"{means}, one run each"
    shared = "overlap" if overlap(ours, theirs) else "do not overlap"
    return f"{means}: {_by_seed(ours - theirs)}, and the runs of the two {shared}"


def overlap(ours: pd.Series, theirs: pd.Series) -> bool:
    """False if every run of the one is above every run of the other."""
    return not (ours.min() > theirs.max() or ours.max() < theirs.min())


def ablation_table(
    summary: pd.DataFrame, base: str, names: Iterable[str], by_chance: Callable[[int, int], float]
) -> str:
    """Markdown: the recorded experiments ``names`` beside ``base``, and which of the changes may be chance.

    ``summary``: of ``tables.summary``, its index set to the column ``experiment``. ``by_chance``: of so many runs of
    ``base`` and so many others, how many standard deviations of ``base`` chance exceeds in 1 of 20 cases.
    """
    recorded = [name for name in names if {base, name} <= set(summary.index)]
    if not recorded:
        return f"Nothing that could be compared with `{base}` is recorded yet."
    full, lines, beyond = summary.loc[base], {}, []
    known = full["runs"] > 1
    for name in recorded:
        part = summary.loc[name]
        change = part["test_error"] - full["test_error"]
        limit = by_chance(full["runs"], part["runs"]) * full["test_std"] if known else float("inf")
        lines[f"`{name}`"] = (
            tables.recorded_cell(summary, name),
            f"{change:+.1f}",
            f"{limit:.1f}" if known else "unknown",
        )
        beyond += [f"`{name}`"] if abs(change) > limit else []
    columns = ["test error (%)", "change (points)", "limit (points)"]
    table = pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("experiment")
    limits = (
        "The limit is the standard deviation of the full recipe times the number above for so many runs; chance "
        "exceeds it in 1 of 20 cases."
    )
    if not known:
        said = "With one run of the full recipe no spread is known, and nothing here can be told from chance."
    elif beyond:
        said = f"{limits} Beyond it: {joined(beyond)}."
    else:
        said = f"{limits} No change is beyond it."
    return f"The full recipe, `{base}`: {tables.recorded_cell(summary, base)}.\n\n{tables.to_markdown(table)}\n{said}"


def joined(words: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _by_seed(change: pd.Series) -> str:
    """Which way the error went with which seed, and how far."""
    by_seed = {seed: round(each, 1) for seed, each in change.items()}  # no more digits than are shown
    if not any(by_seed.values()):
        return "the same with every seed"
    for way, sign in (("higher", 1), ("lower", -1)):
        if all(sign * each > 0 for each in by_seed.values()):
            return f"{way} with every seed, by {joined([f'{abs(each):.1f}' for each in by_seed.values()])} points"
    return joined(
        [
            f"{abs(each):.1f} points {'higher' if each > 0 else 'lower'} with seed {seed}"
            if each
            else f"the same with seed {seed}"
            for seed, each in by_seed.items()
        ]
    )
