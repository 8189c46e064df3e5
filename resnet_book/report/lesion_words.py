"""Say in sentences what the lesions of recorded networks show, as chapter 8 does. Markdown; numbers computed.

Every function takes the frame of ``lesion_figures.all_cuts`` or ``all_paths``, with whichever networks are recorded;
where there is none, it says so.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from resnet_book.analysis.paths import effective_length

NOTHING = "Nothing is recorded that could be compared; `resnet-book lesions NAME` records it."
HARDLY = 2.0  # points of error added that are within the noise of some 2,000 images
SAME_CHANGE = 0.05  # relative changes of the features that count as equal
NEAR_CHANCE = 80.0  # error (%) beyond which answers are nearly blind
PAIRS = 5  # of cuts with equal changes, at least, before they are averaged


def of_each(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every network: its name in words, and its rows."""
    for (depth, kind, iterations), group in _groups(frame, "depth", "network", "iterations"):
        yield f"{kind}, {depth} layers, {iterations:,} iterations", group


def single_blocks(cuts: pd.DataFrame) -> str:
    """A line a network: what it costs to lose one block."""
    lines = []
    for name, group in of_each(cuts):
        whole, single = group.query("kind == 'nothing'").iloc[0], group.query("removed == 1")
        worst, best = single.loc[single.error.idxmax()], single.loc[single.error.idxmin()]
        lines.append(
            f"- **{name}:** {whole.error:.1f} % whole; without one block {single.error.mean():.1f} % on average, from "
            f"{best.error:.1f} % (block {best.blocks[0]}) to {worst.error:.1f} % (block {worst.blocks[0]}). Whole, it "
            f"is right on {100 - whole.error:.0f} % of the images at a mean confidence of "
            f"{100 * whole.confidence:.0f} %; cut, right on {100 - single.error.mean():.0f} % at "
            f"{100 * single.confidence.mean():.0f} %."
        )
    return _listed(lines)


def twins_without_a_block(cuts: pd.DataFrame) -> str:
    """Whether plain networks lose more than their residual twins, and whether the residual ones notice at all."""
    if cuts.empty:
        return NOTHING
    single, sentences = cuts.query("removed == 1"), []
    for (depth, iterations), group in _groups(single, "depth", "iterations"):
        mean = group.groupby("network").added.mean()
        if len(mean) == 2:
            alike = "as" if mean["residual"] < mean["plain"] else "other than"
            sentences.append(
                f"Of the twins of {depth} layers after {iterations:,} iterations, the plain one loses "
                f"{mean['plain']:.0f} points with a block, on average, and the residual one {mean['residual']:.0f}, "
                f"{alike} in {{cite:t}}`veit2016residual`."
            )
    residual = single.query("network == 'residual'")
    for depth, group in _groups(residual, "depth"):
        added = group.groupby("iterations").added.mean()
        if len(added) > 1:
            first, last = added.index[0], added.index[-1]
            bears = "worse" if added[last] > added[first] else "better"
            sentences.append(
                f"The residual network of {depth} layers bears the loss {bears} after {last:,} iterations, "
                f"{added[last]:.0f} points, than after {first:,}, {added[first]:.0f} points."
            )
    if len(residual):
        few = int((residual.added < HARDLY).sum())
        verdict = "holds here, too" if few > len(residual) / 2 else "does not hold for these small networks"
        sentences.append(
            "The stronger claim there, that a residual network hardly notices the loss of nearly any one block, "
            f"{verdict}: {_count(few)} of {len(residual)} cuts cost less than {HARDLY:g} points. Their network had 54 "
            "blocks; the fewer there are, the larger a part of the whole each is."
        )
    return " ".join(sentences) or NOTHING


def where_stages_begin(cuts: pd.DataFrame) -> str:
    """A line a residual network: whether the blocks that change the shape are missed more than the others."""
    lines = []
    for name, group in of_each(cuts if cuts.empty else cuts.query("network == 'residual'")):
        single = group.query("removed == 1")
        per_stage = (group.depth.iloc[0] - 2) // 6
        begins = single.blocks.str[0].isin([per_stage + 1, 2 * per_stage + 1])
        changing, keeping = single[begins].added.mean(), single[~begins].added.mean()
        which = "more" if changing > keeping else "less"
        lines.append(
            f"- **{name}:** the two blocks that begin a stage are missed {which} than the others: {changing:.0f} "
            f"points against {keeping:.0f}."
        )
    return _listed(lines)


def statistics(cuts: pd.DataFrame) -> str:
    """A line a network: how much of the damage is gone once batch norm's statistics are measured anew."""
    lines = []
    for name, group in of_each(cuts):
        single = group.query("removed == 1")
        before, after = single.added.mean(), single.added_anew.mean()
        share = 100 * (1 - after / before) if before > 0 else 0.0
        part = f"{share:.0f} % of the damage" if share > 0 else "none of the damage"
        few = int((single.added_anew < HARDLY).sum())
        lines.append(
            f"- **{name}:** a block costs {before:.1f} points as trained, {after:.1f} measured anew, so {part} "
            f"was in the statistics. {_count(few).capitalize()} of {len(single)} cuts then cost{'s' * (few == 1)} "
            f"less than {HARDLY:g} points."
        )
    return _listed(lines)


def block_or_shortcut(cuts: pd.DataFrame) -> str:
    """A line a residual network: which is worse, to lose a block or the shortcut around it."""
    lines = []
    for name, group in of_each(cuts):
        single = group.query("removed == 1 or kind == 'close shortcut'")
        added = {kind: rows.set_index(rows.blocks.str[0]).added for kind, rows in single.groupby("kind")}
        if "close shortcut" in added:
            block, shortcut = added["leave out"].mean(), added["close shortcut"].mean()
            which = "the shortcut" if shortcut > block else "the block"
            apart = (added["close shortcut"] - added["leave out"]).dropna()
            lines.append(
                f"- **{name}:** losing {which} is worse on average: a block costs {block:.0f} points, the "
                f"shortcut around it {shortcut:.0f}. Block by block, the shortcut costs more in "
                f"{(apart > 0).sum()} of {len(apart)}; least beside its block in block {apart.idxmin()}."
            )
    return _listed(lines)


def paths_that_matter(paths: pd.DataFrame) -> str:
    """A line a residual network: how long the paths are that carry its gradient, and how far they cancel."""
    lines, shorter = list[str](), 0
    for name, group in of_each(paths):
        blocks = int(group.length.max())
        mean, low, high = effective_length(group)
        slope = np.exp(np.polyfit(group.length, np.log(group.single.clip(lower=1e-30)), 1)[0])
        shorter += mean < 0.45 * blocks
        than = "shorter than" if mean < 0.45 * blocks else "longer than" if mean > 0.55 * blocks else "about as long as"
        left = 100 * group.together.sum() / (group.number * group.single).sum()
        lines.append(
            f"- **{name}:** each further branch multiplies what a path carries by {slope:.2f}, on average. The paths "
            f"that matter have {mean:.1f} branches, {than} the typical path with its {blocks / 2:.1f}; 95 % of the "
            f"gradient is in paths of {low} to {high}. Paths of one length cancel in part: together they carry "
            f"{left:.0f} % of what their norms add up to."
        )
    if lines:
        seen = "is seen here, too" if 2 * shorter > len(lines) else "is not seen here"
        count = f": {_count(shorter)} of {len(lines)} networks show{'s' * (shorter == 1)} it" * (len(lines) > 1)
        lines.append(
            "\nThe finding of {cite:t}`veit2016residual`, that the paths that matter are much shorter than most, "
            f"{seen}{count}."
        )
    return _listed(lines)


def at_equal_change(cuts: pd.DataFrame) -> str:
    """A line a pair of twins: how much the features change, and what that costs where both change equally."""
    lines = []
    for (depth, iterations), group in _groups(cuts, "depth", "iterations"):
        cut = group.query("kind in ['leave out', 'swap']")
        plain, residual = (cut.query("network == @kind") for kind in ("plain", "residual"))
        if plain.empty or residual.empty:
            continue
        text = (
            f"- **{depth} layers, {iterations:,} iterations:** over the same cuts the features change by "
            f"{plain.feature_change.mean():.2f} on average in the plain network, by "
            f"{residual.feature_change.mean():.2f} in the residual one; the error rises by {plain.added.mean():.0f} "
            f"and {residual.added.mean():.0f} points."
        )
        differences = equal_pairs(plain, residual)
        if len(differences) >= PAIRS:
            mean = sum(differences) / len(differences)
            text += (
                f" Where both change equally ({len(differences)} pairs of cuts), the plain network loses "
                f"{abs(mean):.0f} points {'more' if mean > 0 else 'less'}."
            )
            near_chance = (plain.error > NEAR_CHANCE).mean()
            if near_chance > 0.5:
                text += (
                    f" But {100 * near_chance:.0f} % of the cuts leave the plain network near chance, at an error "
                    f"above {NEAR_CHANCE:g} %, where no difference can show: this comparison decides little."
                )
        lines.append(text)
    return _listed(lines)


def in_short(cuts: pd.DataFrame) -> str:
    """A line a pair of recorded twins: their mean errors once they have lost one block."""
    lines = []
    single = cuts if cuts.empty else cuts.query("removed == 1")
    for (depth, iterations), group in _groups(single, "depth", "iterations"):
        mean: Any = group.groupby("network")[["error", "error_anew"]].mean()
        if len(mean) == 2:
            plain, residual = mean.loc["plain"], mean.loc["residual"]
            lines.append(
                f"- Twins of {depth} layers after {iterations:,} iterations, without one block: the plain one errs on "
                f"{plain.error:.0f} %, with statistics measured anew on {plain.error_anew:.0f} %, the residual one on "
                f"{residual.error:.0f} and {residual.error_anew:.0f} %."
            )
    return _listed(lines)


def equal_pairs(plain: pd.DataFrame, residual: pd.DataFrame) -> list[float]:
    """For each plain cut with a residual one that changes the features equally: by how much more it adds (points)."""
    differences = []
    for change, added in zip(plain.feature_change, plain.added, strict=True):
        distance = (residual.feature_change - change).abs()
        if distance.min() < SAME_CHANGE:
            differences.append(added - residual.added[distance.idxmin()])
    return differences


def _groups(frame: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """The rows with equal values in these columns, after those values; nothing of an empty frame."""
    by = list(columns)
    yield from frame.groupby(by if len(by) > 1 else by[0]) if len(frame) else ()


def _listed(lines: list[str]) -> str:
    return "\n".join(lines) or NOTHING


def _count(number: int) -> str:
    return "none" if number == 0 else str(number)
