"""Say in sentences what the recorded wide networks show, as chapter 7 and its appendix do. Markdown; numbers computed.

``summaries`` is what ``tables.summary`` gives, its index set to the column ``experiment``; whatever is recorded.
"""

from math import hypot

import pandas as pd

from resnet_book.report import wide_tables
from resnet_book.report.wide_tables import standard_error

SURE = 2.0  # standard errors from which on a difference is one
PROJECTION_PAIRS = {  # title -> the experiment with zeros; that with projections has a name that ends so
    "10 layers, 9 epochs": "resnet10-cifar10-short",
    "18 layers, 300 epochs": "resnet18-cifar10",
}
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
EPOCHS = {"wide": 300, "short": 9}  # of the recipes of the wide networks
VALIDATED = {18: "18-cifar10-validation", 34: "34-cifar10-validation"}  # depth -> the twins' names but for the kind
LAST = 20  # epochs taken of the end of each phase
OPEN = "open: no long pair is recorded"


def projections(summaries: pd.DataFrame) -> str:
    """A line a recorded pair: whether zeros or projections err less, and whether that can be chance."""
    lines = []
    for title, zeros, projection in _projection_pairs(summaries):
        lines.append(
            f"- **{title}:** {_better(zeros, projection, 'the network with zeros', 'the one with projections')} "
            f"{_seeds(zeros, projection)}"
        )
    return "\n".join(lines) or "No pair is recorded yet, so this page cannot say which of the two is more accurate."


def own_gaps(summaries: pd.DataFrame, recipe: str) -> pd.DataFrame:
    """``wide_tables.gaps`` of the recorded wide networks by a recipe, "wide" or "short", with their own shortcuts."""
    shown = (summaries.recipe == recipe) & summaries.depth.isin(wide_tables.DEPTHS)
    return wide_tables.gaps(summaries.loc[shown & ~summaries.index.str.endswith("-projection")])


def twins(summaries: pd.DataFrame) -> str:
    """A line a recorded pair of wide twins: whether plain or residual errs less, and whether that can be chance."""
    lines = []
    for recipe, epochs in EPOCHS.items():
        for pair in own_gaps(summaries, recipe).to_dict("records"):
            ends = f"{pair['depth']}-{pair['dataset']}" + ("-short" if recipe == "short" else "")
            plain, residual = summaries.loc[f"plain{ends}"], summaries.loc[f"resnet{ends}"]
            lines.append(
                f"- **{pair['depth']} layers, {DATASETS[pair['dataset']]}, {epochs} epochs:** "
                f"{_better(plain, residual, 'the plain network', 'the residual one')} On the training images they err "
                f"on {plain.train_error:.1f} and {residual.train_error:.1f} %. {_seeds(plain, residual)}"
            )
    text = "\n".join(lines)
    if own_gaps(summaries, "wide").empty:
        text += "\n\n**No pair of twins has been through the 300 epochs yet.**"
        text += " Nine epochs say which network gets on faster at first, not where the two end." if lines else ""
    return text


def scatter(curves: pd.DataFrame) -> list[str]:
    """A sentence for each recorded pair that trained long with images held out: which of the two scatters less.

    ``curves`` as ``tables.curves`` gives them.
    """
    sentences = []
    for depth, ends in VALIDATED.items():
        pair = curves.loc[curves.experiment.isin([f"plain{ends}", f"resnet{ends}"])]
        found = wide_tables.phase_variability(pair, LAST)
        if found.kind.nunique() == 2:
            runs = found.groupby("kind").seed.nunique()
            by_phase = found.groupby(["phase", "kind"]).scatter.mean().unstack()
            calmer = int((by_phase.residual < by_phase.plain).sum())
            ratios = ", ".join(f"{each:.1f}" for each in by_phase.max(axis=1) / by_phase.min(axis=1))
            rare = wide_tables.ratio_by_chance(LAST)[1]
            sentences.append(
                f"With {depth} layers the residual network scatters less in {calmer} of {len(by_phase)} phases. The "
                f"larger scatter is {ratios} times the smaller one; of single runs that are alike, one pair in 20 "
                f"is apart by more than {rare:.1f} times ({_counted(runs['plain'], runs['residual'])})."
            )
    return sentences


def claims(summaries: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The source's three claims, a row each: what is published, what ours say, and how far the claim has come."""
    pairs = {title: (zeros, projection) for title, zeros, projection in _projection_pairs(summaries)}
    ours = [
        f"{title}: {zeros.test_error:.2f} % with zeros, {projection.test_error:.2f} % with projections"
        for title, (zeros, projection) in pairs.items()
    ]
    gaps = {recipe: own_gaps(summaries, recipe) for recipe in EPOCHS}
    found = [
        f"{pair['gap']:+.1f} points at {pair['depth']} layers on {DATASETS[pair['dataset']]}, {EPOCHS[recipe]} epochs"
        for recipe, frame in gaps.items()
        for pair in frame.to_dict("records")
    ]
    theirs = wide_tables.gaps(wide_tables.published_errors()).query("dataset == 'cifar10'").set_index("depth").gap
    published = f"{theirs[10]:+.1f} points at 10 layers, {theirs[34]:+.1f} at 34, on CIFAR-10"
    stable = scatter(curves)
    rows = {
        "shortcuts need no parameters": [
            "no comparison",
            "; ".join(ours) or "not recorded",
            _verdict_on_projections(*pairs[long]) if (long := list(PROJECTION_PAIRS)[-1]) in pairs else OPEN,
        ],
        "the gap opens with depth": [published, "; ".join(found) or "not recorded", _verdict_on_depth(gaps["wide"])],
        "identity mappings stabilise training": [
            "a remark, without numbers",
            " ".join(stable) or "short runs only, too short to say",
            "see the appendix" if stable else OPEN,
        ],
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["published", "ours", "verdict"]).rename_axis("claim")


def _projection_pairs(summaries: pd.DataFrame) -> list[tuple[str, pd.Series, pd.Series]]:
    """Title, zeros and projections of each pair of which both are recorded."""
    return [
        (title, summaries.loc[name], summaries.loc[f"{name}-projection"])
        for title, name in PROJECTION_PAIRS.items()
        if {name, f"{name}-projection"} <= set(summaries.index)
    ]


def _apart(one: pd.Series, other: pd.Series) -> tuple[float, float]:
    """How much more ``one`` errs than ``other``, in points and in standard errors (choice of the test images alone)."""
    points = one.test_error - other.test_error
    return points, points / hypot(standard_error(one.test_error), standard_error(other.test_error))


def _better(one: pd.Series, other: pd.Series, this: str, that: str) -> str:
    """Two sentences: both errors, and which is the better one; ``this`` and ``that`` name them."""
    points, times = _apart(one, other)
    errors = f"{this} errs on {one.test_error:.2f} %, {that} on {other.test_error:.2f} %."
    size = f"{abs(points):.2f} points, {abs(times):.1f} standard errors"
    if abs(times) < SURE:
        return f"{errors} The two are level: they are apart by {size}."
    ahead = that if points > 0 else this
    return f"{errors} {ahead.capitalize()} is ahead by {size}."


def _counted(first: int, second: int) -> str:
    if first == second:
        return "one run of each" if first == 1 else f"{first} runs of each"
    return f"{first} and {second} runs"


def _seeds(one: pd.Series, other: pd.Series) -> str:
    """What is known of the luck of the seeds."""
    counted = _counted(one.runs, other.runs)
    if min(one.runs, other.runs) < 2:
        return f"({counted.capitalize()}, so how far seeds are apart is not known.)"
    spread = (one.test_std**2 / one.runs + other.test_std**2 / other.runs) ** 0.5
    return f"({counted.capitalize()}. Their seeds give the difference a standard error of {spread:.2f} points.)"


def _verdict_on_projections(zeros: pd.Series, projection: pd.Series) -> str:
    holds = _apart(zeros, projection)[1] < SURE  # zeros are not clearly behind
    return f"{'holds' if holds else 'does not hold'} here ({_counted(zeros.runs, projection.runs)})"


def _verdict_on_depth(gaps: pd.DataFrame) -> str:
    """Whether the gap at the deepest recorded depth of a dataset is clearly larger than at the shallowest."""
    verdicts = []
    for dataset, group in gaps.sort_values("depth").groupby("dataset"):
        first, last = group.iloc[0], group.iloc[-1]
        if first.depth <= 18 and last.depth >= 34:
            wider = last.gap - first.gap > SURE * hypot(first["sampling"], last["sampling"])
            verdicts.append(f"{'holds' if wider else 'does not show'} on {DATASETS[str(dataset)]}")
    return "; ".join(verdicts) or "open: it takes a shallow and a deep pair"
