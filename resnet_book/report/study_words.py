"""Say in sentences what the feature studies of recorded networks show, as chapter 4 and its appendix do.

Markdown; numbers computed. Every function takes a ``study_figures.study_frame``, of whichever networks are recorded;
where there is nothing to compare, it says so.
"""

from collections.abc import Iterable

import pandas as pd

NOTHING = "No two networks are recorded that could be compared."


def of_all(count: int, total: int, what: str) -> str:
    """ "all 3 networks", "none of 3 networks", "2 of 3 networks"."""
    if count == total and total > 1:
        return f"all {total} {what}"
    return f"{count or 'none'} of {total} {what}"


def twins(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Names of plain networks and of the residual ones with as many layers and the same training."""
    plain = [str(name) for name, kind in zip(frame.index, frame["kind"].tolist(), strict=True) if kind == "plain"]
    names = ((name, name.replace("plain", "resnet")) for name in plain)
    return [(name, residual) for name, residual in names if residual in frame.index]


def trained_and_untrained(frame: pd.DataFrame) -> str:
    """In how many networks training made the rows purer, and how far from chance they were before."""
    if frame.empty:
        return NOTHING
    apart = [each > 0 for each in (frame["purity_low"] - frame["untrained_purity_high"]).tolist()]
    gone = (frame["untrained_purity"] - frame["chance_purity"]) / (frame["purity"] - frame["chance_purity"])
    ways = dict(zip(map(str, frame.index), gone.tolist(), strict=True))
    strongest = max(ways, key=lambda name: ways[name])
    text = (
        f"In {of_all(sum(apart), len(frame), 'networks')} the trained rows are purer than the untrained ones, and the "
    )
    text += "intervals do not overlap. "
    if ways[strongest] > 0:
        text += (
            f"The strongest opponent is the untrained `{strongest}`: it stands {100 * ways[strongest]:.0f} % of the "
        )
        text += "way from chance to the same network trained. "
    pairs = twins(frame)
    more = sum(
        frame.loc[residual, "untrained_purity"] > frame.loc[plain, "untrained_purity"] for plain, residual in pairs
    )
    if pairs:
        text += f"Before training, the residual network has the purer rows in {of_all(more, len(pairs), 'pairs')} of "
        text += "a plain and a residual network that differ in nothing else."
    return text.strip()


def depth(frame: pd.DataFrame) -> str:
    """A line a kind and recipe: purity and test error from the shallowest network to the deepest."""
    lines = []
    for _, group in frame.groupby(["iterations", "kind"]):
        group = group.sort_values("depth")
        first = group.iloc[0]
        if len(group) > 1:
            depths, errors = _listed(group["depth"], 0), _listed(group["test_error"], 1)
            lines.append(
                f"- **{first['kind'].capitalize()}, {first['iterations']:,} iterations:** with {depths} layers the "
                f"purity is {_listed(group['purity'], 2)}, and the test error {errors} %."
            )
    return "\n".join(lines) or NOTHING


def twins_compared(frame: pd.DataFrame) -> str:
    """Two lines: whether plain networks or their residual twins have more selective features, and purer rows.

    A third one: whether more selective features go with fewer mistakes.
    """
    pairs = twins(frame)
    if not pairs:
        return NOTHING
    lines = []
    for measure, name, has in (
        ("selective_share", "Selective features", "a larger share of them"),
        ("purity", "Purity", "the purer rows"),
    ):
        more = sum(frame.loc[residual, measure] > frame.loc[plain, measure] for plain, residual in pairs)
        line = f"- **{name}:** the residual network has {has} in {of_all(more, len(pairs), 'pairs')}. "
        above = [_apart(frame, residual, plain, measure) for plain, residual in pairs]
        below = [_apart(frame, plain, residual, measure) for plain, residual in pairs]
        count, higher = sum(above) + sum(below), "residual" if any(above) else "plain"
        if count == 0:
            line += "The two intervals overlap in every pair."
        elif any(above) and any(below):
            line += (
                f"The two intervals are apart in {count}: the residual network is the higher one in {sum(above)} of "
            )
            line += f"these, the plain one in {sum(below)}."
        else:
            line += f"The two intervals are apart in {count}, always with the {higher} network as the higher one."
        lines.append(line)
    errors = [frame.loc[list(pair)].sort_values("selective_share")["test_error"] for pair in pairs]
    fewer = sum(each.iloc[1] < each.iloc[0] for each in errors)
    lines.append(
        f"- **Mistakes:** the twin with more selective features makes fewer of them in "
        f"{of_all(fewer, len(pairs), 'pairs')}."
    )
    return "\n".join(lines)


def _apart(frame: pd.DataFrame, high: str, low: str, measure: str) -> bool:
    """Whether the interval of ``high`` lies above that of ``low``."""
    return bool(frame.loc[high, f"{measure}_low"] > frame.loc[low, f"{measure}_high"])


def _listed(values: Iterable[float], digits: int) -> str:
    *first, last = (f"{each:.{digits}f}" for each in values)
    return f"{', '.join(first)} and {last}"
