"""Say in sentences what the recorded landscapes show, as chapter 9 does. Markdown; numbers computed.

Every function takes frames of ``landscape_figures``, with whichever networks are recorded; where there is none, it says
so.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from resnet_book.analysis import landscape
from resnet_book.experiments.landscape_records import BOTH, EIGENVECTOR, LARGEST
from resnet_book.models import build, count_parameters
from resnet_book.report.landscape_figures import CHANCE, IN_WORDS, Frame

NOTHING = "Nothing is recorded that could be compared; `resnet-book landscape NAME` records it."


def rises(slices: Frame) -> Frame:
    """What each random line through trained weights does: a row a line.

    Columns: network, depth, statistics, direction; middle, half and end: the loss at the weights, and its mean over
    both sides half a step and one step away; outward and down: how many pieces of the line lead away, and how many of
    them lead down.
    """
    rows, keys = list[dict](), ["network", "depth", "statistics", "direction"]
    random = slices[(slices["at"] == "trained") & (slices.direction != EIGENVECTOR)]
    for key, group in random.groupby(keys) if len(random) else ():
        line = group.sort_values("step")
        half, end = (np.interp([-far, far], line.step, line.loss).mean() for far in (0.5, 1.0))
        sides = line.loss[line.step >= 0].to_numpy(), line.loss[line.step <= 0].to_numpy()[::-1]
        down = sum(int((np.diff(side) < 0).sum()) for side in sides)
        found = {"middle": line.loss[line.step == 0].iloc[0], "half": half, "end": end}
        rows.append(dict(zip(keys, key, strict=True)) | found | {"outward": len(line) - 1, "down": down})
    return pd.DataFrame(rows, columns=[*keys, "middle", "half", "end", "outward", "down"])


def slices_of_twins(slices: Frame) -> str:
    """A line for each depth and statistics: how far the loss of the twins rises, and whether it does so smoothly."""
    lines = []
    for depth, statistics, plain, residual in _twins(rises(slices)):
        flatter = "residual" if _rise(residual) < _rise(plain) else "plain"
        said = [
            f"from {each.middle.iloc[0]:.2f} to {_loss(each.half.median())}, {_of_the_way(each)}, in the {kind} one"
            for kind, each in (("plain", plain), ("residual", residual))
        ]
        lines.append(
            f"- **{depth} layers, {IN_WORDS[statistics]}:** over half a step the loss rises {' and '.join(said)} "
            f"(medians of {len(plain)} directions). The {flatter} one is flatter."
        )
    return _listed(lines)


def verdict(slices: Frame) -> str:
    """Whether these networks show what Li and others saw."""
    compared = [
        (_rise(residual) < _rise(plain), depth, which) for depth, which, plain, residual in _twins(rises(slices))
    ]
    if not compared:
        return NOTHING
    for_it = [f"{depth} layers, {IN_WORDS[statistics]}" for better, depth, statistics in compared if better]
    against = [f"{depth} layers, {IN_WORDS[statistics]}" for better, depth, statistics in compared if not better]
    if not against:
        return "The residual network is the flatter one in every comparison, as in {cite:t}`li2018visualizing`."
    if not for_it:
        return (
            "The residual network is the flatter one in none of the comparisons, unlike in {cite:t}`li2018visualizing`."
        )
    deepest = max(depth for _, depth, _ in compared)
    with_depth = all(better == (depth == deepest) for better, depth, _ in compared)
    end = (
        "{cite:t}`li2018visualizing`, too, found that shortcuts matter once a network is deep."
        if with_depth
        else "What {cite:t}`li2018visualizing` saw in networks trained for longer is here only in part."
    )
    return (
        f"The residual network is the flatter one in {len(for_it)} of {len(compared)} comparisons ("
        f"{'; '.join(for_it)}), and not in the others ({'; '.join(against)}). {end}"
    )


def roughness(slices: Frame) -> str:
    """Whether the plain networks' lines are rougher: how many of their pieces lead down on the way out."""
    found = rises(slices)
    if found.empty:
        return NOTHING
    shares = {
        (network, depth): 100 * group.down.sum() / group.outward.sum()
        for (network, depth), group in found.groupby(["network", "depth"])
    }
    listed = ", ".join(f"{share:.0f} % ({network}, {depth} layers)" for (network, depth), share in shares.items())
    rough = [who for who, share in shares.items() if share > 10]
    end = (
        "hills and valleys are common here"
        if rough
        else "the lines rise almost all the way: at these steps, no chaos is seen"
    )
    return f"Pieces of line that lead down on the way out, with both statistics: {listed}. So {end}."


def statistics(slices: Frame) -> str:
    """A line a network: how much of the rise is only batch norm with statistics that no longer fit."""
    lines, found = [], rises(slices)
    for (depth, network), group in found.groupby(["depth", "network"]) if len(found) else ():
        end = group.groupby("statistics").end.median()
        if set(end.index) == set(BOTH):
            lines.append(
                f"- **{network}, {depth} layers:** one step away the loss is {_loss(end['as trained'])} with "
                f"statistics as trained and {_loss(end['anew'])} measured anew (medians)."
            )
    return _listed(lines)


def other_directions(slices: Frame) -> str:
    """How much the seed of the direction matters, within one network and for the order of twins."""
    lines = []
    for depth, which, plain, residual in _twins(rises(slices)):
        pair = plain.merge(residual, on="direction", suffixes=("", "_residual"))
        higher = int((pair.end - pair.middle > pair.end_residual - pair.middle_residual).sum())
        spread = [f"{_loss(each.end.min())} to {_loss(each.end.max())}" for each in (plain, residual)]
        lines.append(
            f"- **{depth} layers, {IN_WORDS[which]}:** one step away, from {spread[0]} in the plain network and from "
            f"{spread[1]} in the residual one, by the seed of the direction alone. With equal seeds the plain one "
            f"rises further in {higher} of {len(pair)} directions."
        )
    return _listed(lines)


def curvature(curvatures: Frame) -> str:
    """A line a network and statistics: the largest eigenvalue beside what random directions see of it."""
    lines = []
    trained = curvatures[(curvatures["at"] == "trained") & curvatures.random.map(len).astype(bool)]
    for row in trained.sort_values(["depth", "network", "statistics"], ascending=[True, True, False]).itertuples():
        mean = float(np.mean(np.abs(np.array(row.random))))
        count = count_parameters(build(f"{'plain' if row.network == 'plain' else 'resnet'}{row.depth}"))
        settled = "" if row.last_change < 0.1 else f" (not settled: it still changed by {100 * row.last_change:.0f} %)"
        times = abs(row.top) / max(mean, 1e-12)
        lines.append(
            f"- **{row.network}, {row.depth} layers, {IN_WORDS[str(row.statistics)]}:** {_short(row.top)} along the "
            f"steepest direction{settled}; {_short(mean)} along random ones, {times:,.0f} times less. "
            f"Cosine between the two: {np.mean(np.abs(row.overlap)):.4f}; chance gives about {count**-0.5:.4f}."
        )
    return _listed(lines)


def curvature_of_twins(curvatures: Frame) -> str:
    """Which twin curves more, by its largest eigenvalue."""
    lines = []
    for depth, which, plain, residual in _twins(curvatures[curvatures["at"] == "trained"]):
        one, other = abs(plain.top.iloc[0]), abs(residual.top.iloc[0])
        which_one = "plain" if one > other else "residual"
        lines.append(
            f"At {depth} layers, {IN_WORDS[which]}, the {which_one} network's steepest direction curves "
            f"{max(one, other) / max(min(one, other), 1e-12):.1f} times as much as its twin's."
        )
    return " ".join(lines) or NOTHING


def way(curvatures: Frame) -> str:
    """A line a network: how the curvature went through training."""
    lines = []
    stages = curvatures[curvatures["at"].map(lambda at: isinstance(at, int))]
    for (network, depth), group in stages.groupby(["network", "depth"]) if len(stages) else ():
        listed = [
            f"{'about ' if row.last_change > 0.1 else ''}{_short(row.top)} at {row.at:,}"
            for row in group.sort_values("at").itertuples()
        ]
        lines.append(
            f"- **{network}, {depth} layers:** the eigenvalue largest in size, by iteration: {', '.join(listed)}."
        )
    if lines and (stages.top < 0).any():
        lines.append("\nA negative one curves downwards: there the weights lie in no valley, but on a ridge.")
    return _listed(lines)


def between(lines: Frame) -> str:
    """A line for each pair of ends: the barrier between them, with interpolated statistics and with fresh ones."""
    said = []
    keys = ["network", "depth", "seeds", "start", "end"]
    for (network, depth, seeds, start, end), group in lines.groupby(keys) if len(lines) else ():
        heights = {which: landscape.barrier(one.loss.tolist()) for which, one in group.groupby("statistics")}
        middle = {which: one.error.iloc[(one.share - 0.5).abs().argmin()] for which, one in group.groupby("statistics")}
        if set(heights) != set(BOTH):
            continue
        who = (
            f"From iteration {start:,} to iteration {end:,} of one training"
            if seeds == "one"
            else f"From seed to seed, both after {end:,} iterations"
        )
        barrier = [
            f"a barrier of {heights[which]:.2f} nats" if heights[which] > 0.005 else "no barrier" for which in BOTH
        ]
        said.append(
            f"- **{who}** ({network}, {depth} layers): {barrier[0]} with interpolated statistics, {barrier[1]} with "
            f"statistics measured anew. Halfway the network errs on {middle['as trained']:.0f} % and "
            f"{middle['anew']:.0f} % of the images."
        )
    return _listed(said)


def in_short(slices: Frame, curvatures: Frame) -> str:
    """Two lines: what the pictures of these networks say, and what the curvature adds."""
    return f"- {verdict(slices)}\n- {curvature_of_twins(curvatures)}"


def _twins(frame: Frame) -> Iterator[tuple[int, str, Frame, Frame]]:
    """For each depth and statistics of which both are there: these, and the rows of the plain and the residual one."""
    for depth in sorted(set(frame.depth)):
        for which in BOTH:
            group = frame[(frame.depth == depth) & (frame.statistics == which)]
            plain, residual = group[group.network == "plain"], group[group.network == "residual"]
            if "direction" in frame:  # those that both have
                plain = plain[plain.direction.isin(residual.direction)]
                residual = residual[residual.direction.isin(plain.direction)]
            if len(plain) and len(residual):
                yield depth, which, plain, residual


def _rise(lines: Frame) -> float:
    """How far the loss rises half a step away, 1 being the rise to blind guesses: who is near them cannot rise far."""
    return float((lines.half - lines.middle).median() / max(CHANCE - lines.middle.iloc[0], 0.01))


def _of_the_way(lines: Frame) -> str:
    share = 100 * _rise(lines)
    return f"{share:.0f} % of the way to blind guesses" if share <= 100 else "beyond blind guesses"


def _loss(value: float) -> str:
    return "half a million or more" if value >= LARGEST / 2 else _short(value)  # one side may have been cut off


def _short(value: float) -> str:
    """Two or three digits, without an exponent."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 4 if size >= 0.001 else 6
    return f"{value:,.{digits}f}"


def _listed(lines: list[str]) -> str:
    return "\n".join(lines) or NOTHING
