"""The loss surfaces of chapter 9 that a reader can turn in the page, without a server."""

import base64
import io
import json
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from resnet_book.experiments import catalogue
from resnet_book.experiments.landscape_records import LandscapeRecord, Slice
from resnet_book.report.assets import script_and_style
from resnet_book.report.figures import KINDS
from resnet_book.report.landscape_figures import CUT_OFF, IN_WORDS, colour_map
from resnet_book.report.tables import whose


def scenes(found: Sequence[LandscapeRecord]) -> list[dict[str, Any]]:
    """Every pair of planes around twins, plain and residual, as the page's script takes them: the deepest and longest
    trained first, with statistics as trained and then anew; last, those before training.

    Raises ValueError for networks as deep and trained as long that are no twins: of two datasets or recipes.
    """
    pairs = dict[tuple[bool, int, int, int], dict[str, dict[str, Slice]]]()  # then by statistics, then by kind
    names = dict[tuple[bool, int, int, int], dict[str, str]]()  # of their experiments, by kind
    for at, statistics in (("trained", "as trained"), ("trained", "anew"), ("initial", "anew")):
        for each in found:
            if plane := each.find(at, [0, 1], statistics):
                about = whose(each.experiment, each.seed)
                iterations = about["iterations"] if at == "trained" else 0  # before training all recipes are one
                key = (at == "trained", about["depth"], iterations, each.seed)
                names.setdefault(key, {}).setdefault(about["kind"], each.experiment)
                for kind, name in names[key].items():
                    if not _may_be_twins(name, each.experiment, kind == about["kind"], trained=at == "trained"):
                        raise ValueError(f"found: {name} and {each.experiment} are no twins; draw one after the other")
                pairs.setdefault(key, {}).setdefault(statistics, {}).setdefault(about["kind"], plane)
    several = len({seed for *_, seed in pairs}) > 1
    made = list[dict[str, Any]]()
    for (trained, depth, iterations, seed), by_statistics in sorted(pairs.items(), reverse=True):
        for statistics, twins in by_statistics.items():
            if len(twins) == 2:
                surfaces = [
                    {
                        "name": f"{kind.capitalize()}, {depth} layers",
                        "kind": kind,
                        "loss": twins[kind].surface().tolist(),
                    }
                    for kind in KINDS
                ]
                when = f"after {iterations:,} iterations" if trained else "before training"
                title = f"{depth} layers, {when}, {IN_WORDS[statistics]}" + f", seed {seed}" * several
                floor, ceiling = CUT_OFF[statistics]
                shared = {"steps": twins["plain"].steps, "floor": floor, "ceiling": ceiling}
                made.append({"title": title, "surfaces": surfaces, **shared})
    return made


def _may_be_twins(name: str, other: str, same_kind: bool, trained: bool) -> bool:
    """Whether two experiments may share a pair: of one dataset and shortcut and, once ``trained``, of one recipe."""
    if name == other:
        return True
    first, second = catalogue.get(name), catalogue.get(other)
    of_one_recipe = first.recipe_name == second.recipe_name and not same_kind  # there is room for one of each kind
    alike = (first.dataset, first.shortcut) == (second.dataset, second.shortcut)
    return alike and (of_one_recipe or not trained)


def turnable(shown: Sequence[dict[str, Any]]) -> str:
    """HTML of ``scenes`` that can be turned; a still picture of the first two on paper and where no script runs; and
    all numbers.
    """
    if not shown:
        return "<p>Nothing is recorded yet that could be drawn; <code>resnet-book landscape NAME</code> records it.</p>"
    still = base64.b64encode(_still(shown[:2])).decode("ascii")
    script, style = script_and_style("surfaces")
    titles = "; below them: ".join(scene["title"] for scene in shown[:2])
    what = f"Two loss surfaces, plain and residual: {titles}. The numbers stand below."
    tables = "".join(_table(scene["title"], scene["steps"], each) for scene in shown for each in scene["surfaces"])
    data = json.dumps({"scenes": list(shown)}, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<div class="surfaces" role="group" aria-label="Loss surfaces that can be turned"><style>{style}</style>'
        f'<img class="surfaces-still" alt="{escape(what)}" src="data:image/png;base64,{still}">'
        f'<details><summary>The numbers (loss in nats)</summary><div class="surfaces-numbers">{tables}</div></details>'
        f'<script type="application/json">{data}</script><script>{script}</script></div>'
    )


def _still(shown: Sequence[dict[str, Any]]) -> bytes:
    """A PNG of scenes, one below the other."""
    figure = plt.figure(figsize=(7.2, 3.4 * len(shown)))
    for part, scene in zip(figure.subfigures(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
        part.suptitle(scene["title"], fontsize=11)
        axes = part.subplots(1, 2, subplot_kw={"projection": "3d", "computed_zorder": False})
        x, y = np.meshgrid(scene["steps"], scene["steps"], indexing="ij")
        low, high = np.log10(scene["floor"]), np.log10(scene["ceiling"])
        ticks = range(round(low), round(high) + 1)
        for ax, surface in zip(axes, scene["surfaces"], strict=True):
            heights = np.log10(np.clip(surface["loss"], scene["floor"], scene["ceiling"]))
            ax.plot_surface(x, y, heights, cmap=colour_map(surface["kind"]), vmin=low, vmax=high, rcount=50, ccount=50)
            middle = len(scene["steps"]) // 2
            ax.plot(0, 0, heights[middle, middle], "o", color="black", markersize=5)  # the network itself
            ax.set(zlim=(low, high), title=surface["name"], xticks=(-1, 0, 1), yticks=(-1, 0, 1))
            ax.set(xlabel="first direction", ylabel="second direction", zlabel="loss (nats)")
            ax.set_box_aspect(None, zoom=0.88)  # room for the labels
            ax.set_zticks(ticks, [f"{10.0**k:g}" for k in ticks])
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100, facecolor="white")
    plt.close(figure)
    return content.getvalue()


def _table(title: str, steps: Sequence[float], surface: dict[str, Any]) -> str:
    """The numbers of one surface: a row for each step along the first direction."""
    head = "".join(f"<th scope='col'>{step:.2g}</th>" for step in steps)
    rows = "".join(
        f"<tr><th scope='row'>{step:.2g}</th>{''.join(f'<td>{value:.3g}</td>' for value in row)}</tr>"
        for step, row in zip(steps, surface["loss"], strict=True)
    )
    caption = f"{surface['kind']}: {title}. Rows: step along the first direction, columns: along the second."
    return f"<table><caption>{caption}</caption><tr><td></td>{head}</tr>{rows}</table>"
