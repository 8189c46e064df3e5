"""Say in sentences what signals and gradients do, as chapter 10 does. Markdown; numbers computed.

Every function takes a frame as ``signal_figures.of_networks`` makes it, with whichever networks are there; where there
is none, it says so.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from resnet_book.experiments import catalogue
from resnet_book.experiments.signal_records import SignalRecord

NOTHING = "Nothing is recorded that could be compared; `resnet-book signals NAME` records it."
CLEARLY = 1.5  # a ratio of sizes further from 1 than this, or than its inverse, is called a change
COSINES = {"other_images": "other images", "after_step": "after a step", "next": "other images after a step"}


def provenance(found: Iterable[SignalRecord]) -> str:
    """Which runs the figures are drawn from, and whose weights on the way were measured."""
    found = list(found)
    if not found:
        return NOTHING
    with_way = [each for each in found if any(stage.origin == "along the way" for stage in each.stages)]
    text = f"Measured are {_count(len(found), 'recorded run')} on CIFAR-10"
    if not with_way:
        return f"{text}, none of them with weights along the way."
    names = ", ".join(
        f"`{each.experiment}` (seed {each.seed}, up to iteration {_on_the_way(each):,})" for each in with_way
    )
    text += f"; of {_count(len(with_way), 'run')} also the weights along the way: {names}."
    if any(each.kept_by for each in with_way):
        text += (
            " The recorded runs kept their last weights alone, so these are of repetitions: same recipe, same seed, "
            "later code."
        )
    if any(_on_the_way(each) < catalogue.get(each.experiment).recipe.iterations for each in with_way):
        text += " Where they do not reach the end of the training yet, the recorded network stands for the last moment."
    return text


def _on_the_way(each: SignalRecord) -> int:
    return max(stage.iteration for stage in each.stages if stage.origin == "along the way")


def growth(blocks: pd.DataFrame) -> str:
    """A line a network: how much larger the gradient is at the first block than at the last, before and after."""
    lines = []
    for name, group in _of_each(blocks):
        before, after = (_ratio(rows, "gradient_norm") for rows in _ends(group))
        trend = _trend(
            after / before,
            "the growth towards the images has gone" if after < CLEARLY else "it grows less",
            "it grows more",
            "about as before",
        )
        lines.append(
            f"- **{name}:** before training the gradient at the first block is {_times(before)} that at the last; "
            f"after {_last(group):,} iterations {_times(after)}: {trend}."
        )
    return _listed(lines)


def signal(blocks: pd.DataFrame) -> str:
    """A line a network: how the signal changes from the first block to the last, before and after."""
    lines = []
    for name, group in _of_each(blocks):
        before, after = (1 / _ratio(rows, "signal") for rows in _ends(group))
        lines.append(
            f"- **{name}:** the output of the last block is {_times(before)} that of the first before training, and "
            f"{_times(after)} after {_last(group):,} iterations."
        )
    return _listed(lines)


def predictions(frame: pd.DataFrame) -> str:
    """A line a network: what one gradient says of the next at the beginning and at the end, and what spoils it."""
    lines = []
    for name, group in _of_each(frame):
        start, end = _ends(group)
        first, last = (", ".join(_cosine(rows, column) for column in COSINES) for rows in (start, end))
        lines.append(f"- **{name}:** {first} before training; {last} after {_last(group):,} iterations.")
    if not lines:
        return NOTHING
    pairs = frame.groupby([*_KEY, "seed", "iteration"]).pair.nunique().max()
    order = ", ".join(COSINES.values())
    text = [f"In the order {order} (mean ± standard deviation over {_count(int(pairs), 'pair')} of batches a network):"]
    text += ["", *lines, "", what_spoils(frame)]
    return "\n".join(text)


def what_spoils(frame: pd.DataFrame) -> str:
    """Which of the two, the step or the other images, costs a gradient more: at first, and at the end."""
    if frame.empty:
        return NOTHING
    said = []
    for when, place in (("Before training", 0), ("At the end", 1)):
        worse = {}
        for name, group in _of_each(frame):
            rows = _ends(group)[place]
            worse[name] = "the step" if rows.after_step.mean() < rows.other_images.mean() else "the other images"
        kinds = sorted(set(worse.values()))
        if len(kinds) == 1:
            networks = "in every network here" if len(worse) > 1 else f"in the network here, {next(iter(worse))}"
            said.append(f"{when} {kinds[0]} cost{'s' * (kinds[0] == 'the step')} more, {networks}.")
        else:
            parts = (f"{what} in {' and '.join(n for n, w in worse.items() if w == what)}" for what in kinds)
            said.append(f"{when}, what costs more is {', '.join(parts)}.")
    return " ".join(said)


def shattering_by_depth(frame: pd.DataFrame) -> str:
    """Whether the pixel gradients of neighbours lose their likeness with depth, and in which kind sooner."""
    if frame.empty:
        return NOTHING
    means: Any = frame.groupby(["kind", "depth"]).cosine.mean().unstack("kind")
    shallow, deep = means.index[0], means.index[-1]
    seeds = frame.groupby(["kind", "depth"]).seed.nunique()
    each = (
        f"{'falls from' if column[deep] < column[shallow] else 'does not fall, from'} {column[shallow]:.2f} to "
        f"{_near(column[deep])} in {kind} networks"
        for kind, column in means.items()
    )
    lines = [f"From {shallow} to {deep} layers the cosine {' and '.join(each)}."]
    if {"plain", "residual"} <= set(means.columns):
        slower = (means["residual"] > means["plain"]).sum()
        alike = "as" if slower == len(means) else "not quite as" if slower else "unlike"
        lines.append(
            f"The residual network's is higher at {slower} of {len(means)} depths, {alike} in "
            "{cite:t}`balduzzi2017shattered`."
        )
    number = f"{seeds.min()} to {seeds.max()}" if seeds.min() < seeds.max() else f"{seeds.min()}"
    return " ".join([*lines, f"({_plural(number, 'network')} of each kind and depth.)"])


def shattering(distances: pd.DataFrame, distance: float) -> str:
    """A line a network: how alike the pixel gradients of neighbours are before training and at its end."""
    near: Any = distances[distances.distance == distance] if len(distances) else distances
    lines, more = [], 0
    for name, group in _of_each(near):
        before, after = (rows.cosine.mean() for rows in _ends(group))
        more += after > before
        lines.append(
            f"- **{name}:** {_near(before)} before training, {_near(after)} after {_last(group):,} iterations."
        )
    if lines:
        which = f"{more} of {_count(len(lines), 'network')}" if more else "none of them"
        lines.append(f"\nTraining made the gradients of neighbours more alike in {which}.")
    return _listed(lines)


def responses(layers: pd.DataFrame) -> str:
    """Whether residual networks respond less than their plain twins, deeper ones less, and longer trained ones less."""
    if layers.empty:
        return NOTHING
    means = layers.groupby(["recipe_iterations", "kind", "depth"]).response.mean()
    said, pairs = list[str](), list[tuple[float, float]]()
    for (iterations, depth), group in means.groupby(["recipe_iterations", "depth"]):
        each = group.droplevel(["recipe_iterations", "depth"])
        if len(each) == 2:
            pairs.append((each["plain"], each["residual"]))
            said.append(
                f"- {depth} layers, {iterations:,} iterations: {each['plain']:.2f} plain, {each['residual']:.2f} "
                "residual."
            )
    if pairs:
        less = sum(residual < plain for plain, residual in pairs)
        verdict = "holds" if less == len(pairs) else "does not hold" if not less else "holds in part"
        said.append(
            f"\nThe paper's finding that residual networks respond less than plain ones {verdict}: it is so in {less} "
            f"of {_count(len(pairs), 'pair')} of twins, one seed each."
        )
    for (iterations, kind), group in means.groupby(["recipe_iterations", "kind"]):
        if kind == "residual" and len(group) > 1:
            depths = ", ".join(map(str, group.index.get_level_values("depth")))
            numbers = ", ".join(f"{value:.2f}" for value in group)
            verdict = "respond less, too" if group.is_monotonic_decreasing else "do not respond less here"
            said.append(
                f"That deeper residual networks respond less than shallow ones is the paper's other finding. Ours "
                f"{verdict}: with {depths} layers, {numbers} after {iterations:,} iterations."
            )
    for (kind, depth), group in means.groupby(["kind", "depth"]):
        if len(group) > 1:
            short, long = group.index[0][0], group.index[-1][0]
            said.append(
                f"The {kind} network of {depth} layers responds {group.iloc[0]:.2f} after {short:,} iterations and "
                f"{group.iloc[-1]:.2f} after {long:,}."
            )
    return "\n".join(said) if said else NOTHING


def starts(frame: pd.DataFrame, last: int = 10) -> str:
    """A line a depth: the first losses from the two beginnings, and the mean over the ``last`` steps measured."""
    lines = []
    for depth, group in frame.groupby("depth") if len(frame) else ():
        first = group[group.iteration == 0].groupby("zeroed").loss.mean()
        worst = group.groupby(["zeroed", "seed"]).loss.max().groupby("zeroed").mean()
        late = group[group.iteration > group.iteration.max() - last].groupby(["zeroed", "seed"]).loss.mean()
        apart = (late[True] - late[False]).dropna()
        n = len(apart)
        better = int((apart < 0).sum())
        lines.append(
            f"- **{depth} layers:** the first loss is {first[False]:.2f} as usual and {first[True]:.2f} with the norms "
            f"at zero; the highest is {worst[False]:.2f} and {worst[True]:.2f}. Over the last {last} of "
            f"{group.iteration.max() + 1} steps they average {late[False].mean():.2f} and {late[True].mean():.2f}: "
            f"the start at zero is ahead in {better} of {_count(n, 'seed')}."
        )
    return _listed(lines)


_KEY = ["kind", "depth", "recipe_iterations"]


def _of_each(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every network, all its seeds together: its name in words, and its rows."""
    if len(frame):
        for (kind, depth, _), group in frame.groupby(_KEY):  # type: ignore[misc]
            seeds = group.seed.nunique()
            yield f"{kind}, {depth} layers{f', {seeds} seeds' * (seeds > 1)}", group


def _ends(group: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the first and of the last moment."""
    return group[group.iteration == group.iteration.min()], group[group.iteration == group.iteration.max()]


def _last(group: pd.DataFrame) -> int:
    return int(group.iteration.max())


def _ratio(rows: pd.DataFrame, column: str) -> float:
    """The mean over the seeds of the first block's value over the last block's."""
    by_seed: Any = rows.sort_values("block").groupby("seed")[column]
    return (by_seed.first() / by_seed.last()).mean()


def _cosine(rows: Any, column: str) -> str:
    return f"{_near(rows[column].mean())} ± {rows[column].std(ddof=1) if len(rows) > 1 else 0:.2f}"


def _near(value: float) -> str:
    """Two digits, and never "-0.00"."""
    return f"{round(value, 2) + 0:.2f}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def _trend(ratio: float, less: str, more: str, same: str) -> str:
    return less if ratio < 1 / CLEARLY else more if ratio > CLEARLY else same


def _count(number: int, noun: str) -> str:
    return _plural(str(number), noun)


def _plural(number: str, noun: str) -> str:
    return f"{number} {noun}{'' if number == '1' else 's'}"


def _listed(lines: list[str]) -> str:
    return "\n".join(lines) or NOTHING
