"""Taking networks apart: what each cut is, what it leaves alone, and that paths add up to the whole."""

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from small_runs import RECIPE, TEST, TRAIN, move_away_and_make_again, same_weights
from torch import nn

from resnet_book import augment, models
from resnet_book.analysis import cutting, diagnostics, lesions, pre_activation
from resnet_book.analysis.cuts import KINDS, Cut, all_cuts
from resnet_book.analysis.paths import gradients_by_length, path_gradient
from resnet_book.engine import machine
from resnet_book.experiments import lesion_records, lesion_survey, records
from resnet_book.experiments.checked_json import RecordError
from resnet_book.models import Network
from resnet_book.report import lesion_figures, tables

RESULTS = Path(__file__).parent.parent / "results"
KEPT = sorted(RESULTS.glob("*/seed*.lesions.json"))
MEAN, STD = augment.channel_mean_std(TRAIN.images)
STATISTICS = MEAN.tolist(), STD.tolist()
IMAGES, LABELS = augment.normalise(TEST.images[:6], MEAN, STD), TEST.labels[:6]


def small(shortcut: str | None = "subsample", seed: int = 0) -> Network:
    """Five blocks, of which the third changes the shape; batch norm with statistics and parameters of some use."""
    network = Network((4, 8), (2, 3), shortcut, generator=torch.Generator().manual_seed(seed))
    draw = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=draw)
            nn.init.uniform_(module.bias, -0.5, 0.5, generator=draw)
    return lesions.measured_anew(network, TRAIN, *STATISTICS).eval()


RESIDUAL, PLAIN = small(), small(None)
BOTH = pytest.mark.parametrize("network", [RESIDUAL, PLAIN], ids=["residual", "plain"])


def entering(network: Network, block: int) -> torch.Tensor:
    """What goes into the block with this number."""
    x = network.stem(IMAGES)
    for _, module in diagnostics.blocks(network)[: block - 1]:
        x = module(x)  # type: ignore[operator]
    return x


def same(one: Network, other: Network) -> bool:
    return torch.equal(one(IMAGES), other(IMAGES))


# --- Cuts ---


@pytest.mark.parametrize("block", [1, 2, 3, 4, 5])
def test_leaving_out_a_residual_block_leaves_its_shortcut_alone(block: int) -> None:
    cut, x = cutting.leave_out(RESIDUAL, [block]), entering(RESIDUAL, block)
    shortcut = diagnostics.blocks(RESIDUAL)[block - 1][1].shortcut
    assert torch.equal(diagnostics.blocks(cut)[block - 1][1](x), shortcut(x))  # type: ignore[operator]


@pytest.mark.parametrize("block", [1, 2, 3, 4, 5])
def test_a_plain_block_that_is_left_out_is_replaced_by_its_twins_shortcut(block: int) -> None:
    cut, x = cutting.leave_out(PLAIN, [block]), entering(PLAIN, block)
    shortcut = diagnostics.blocks(RESIDUAL)[block - 1][1].shortcut
    assert torch.equal(diagnostics.blocks(cut)[block - 1][1](x), shortcut(x))  # type: ignore[operator]


@BOTH
def test_leaving_out_nothing_changes_nothing(network: Network) -> None:
    assert same(cutting.leave_out(network, []), network)


def test_leaving_out_is_the_same_in_any_order_and_one_by_one() -> None:
    at_once = cutting.leave_out(RESIDUAL, [4, 1])
    assert same(at_once, cutting.leave_out(cutting.leave_out(RESIDUAL, [1]), [4]))


def test_a_block_that_was_left_out_stays_out_and_still_changes_the_shape() -> None:
    once = cutting.leave_out(RESIDUAL, [2, 3])
    assert same(cutting.leave_out(once, [2, 3]), once)
    assert cutting.keeping_shape(once) == cutting.keeping_shape(RESIDUAL)


@pytest.mark.parametrize("block", [1, 2, 4, 5])
def test_a_plain_network_with_other_labels_is_the_same_function_and_without_the_block_another(block: int) -> None:
    channels = entering(PLAIN, block).shape[1]
    order = torch.randperm(channels, generator=torch.Generator().manual_seed(block))
    other = cutting.relabel(PLAIN, block, order)
    torch.testing.assert_close(entering(other, block), entering(PLAIN, block)[:, order])
    torch.testing.assert_close(other.features(IMAGES), PLAIN.features(IMAGES), rtol=0, atol=1e-4)
    cut, cut_other = cutting.leave_out(PLAIN, [block]), cutting.leave_out(other, [block])
    assert (cut(IMAGES) - cut_other(IMAGES)).abs().max() > 0.01
    back = cutting.relabel(other, block, order.argsort())
    assert same_weights(back, PLAIN)


def test_channels_are_matched_with_those_of_the_output_that_they_are_most_like() -> None:
    network = small(None)
    block: Any = diagnostics.blocks(network)[1][1]
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        for convolution in (block.layers[0], block.layers[3]):
            convolution.weight.zero_()
        block.layers[0].weight[range(4), range(4), 1, 1] = 1
        block.layers[3].weight[range(4), order, 1, 1] = 1
        for norm in (block.layers[1], block.layers[4]):
            norm.weight.fill_(1)
            norm.bias.zero_()
            norm.reset_running_stats()
    assert cutting.match_channels(network, 2, IMAGES).tolist() == order.tolist()
    other = cutting.relabel(network, 2, order)
    assert cutting.match_channels(other, 2, IMAGES).tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(cutting.leave_out(other, [2])(IMAGES), network(IMAGES), rtol=1e-3, atol=1e-3)


def test_blocks_of_another_kind_are_refused_by_every_cut() -> None:
    network = pre_activation.PreActivationNetwork(20, torch.Generator().manual_seed(0))
    message = r"block 1 \(stages\.0\.0\) is of type PreActivationBlock; cuts are defined for PlainBlock"
    for cut in (
        lambda: cutting.leave_out(network, [2]),
        lambda: cutting.swap(network, (1, 2)),
        lambda: cutting.close_shortcut(network, 1),
        lambda: cutting.scale_branches(network, 0.5),
        lambda: cutting.keeping_shape(network),
        lambda: path_gradient(network, IMAGES, LABELS, [1]),
        lambda: all_cuts(network),
    ):
        with pytest.raises(ValueError, match=message):
            cut()
    assert lesions.measured_anew(network, TRAIN, *STATISTICS)(IMAGES).shape == (6, 10)


def test_swapping_twice_gives_the_network_back_and_once_does_not() -> None:
    once = cutting.swap(RESIDUAL, (1, 2))
    assert not same(once, RESIDUAL)
    assert same(cutting.swap(once, (2, 1)), RESIDUAL)


@BOTH
def test_blocks_are_swapped_within_a_stage_and_where_they_keep_the_shape(network: Network) -> None:
    assert cutting.keeping_shape(network) == [1, 2, 4, 5]
    assert cutting.possible_swaps(network) == [(1, 2), (4, 5)]


def test_closing_all_shortcuts_makes_a_plain_network() -> None:
    cut = RESIDUAL
    for block in range(1, 6):
        cut = cutting.close_shortcut(cut, block)
    plain = small(None)
    plain.load_state_dict(RESIDUAL.state_dict())
    assert same(cut, plain)


def test_a_factor_of_one_changes_nothing() -> None:
    assert same(cutting.scale_branches(RESIDUAL, 1), RESIDUAL)


def test_a_factor_of_zero_is_leaving_out() -> None:
    assert same(cutting.scale_branches(RESIDUAL, 0), cutting.leave_out(RESIDUAL, range(1, 6)))
    assert same(cutting.scale_branches(RESIDUAL, 0, [2]), cutting.leave_out(RESIDUAL, [2]))


def test_a_factor_multiplies_the_branch_alone() -> None:
    (block,), x = [each for _, each in diagnostics.blocks(RESIDUAL)[3:4]], entering(RESIDUAL, 4)
    cut = diagnostics.blocks(cutting.scale_branches(RESIDUAL, 1.5, [4]))[3][1]
    torch.testing.assert_close(cut(x), F.relu(1.5 * block.layers(x) + x))  # type: ignore[operator]


@BOTH
def test_random_blocks_keep_the_shape_are_in_order_and_follow_the_seed(network: Network) -> None:
    chosen = cutting.choose_blocks(network, 3, seed=1)
    assert len(set(chosen)) == 3
    assert set(chosen) <= set(cutting.keeping_shape(network))
    assert list(chosen) == sorted(chosen)
    assert chosen == cutting.choose_blocks(network, 3, seed=1)
    assert len({cutting.choose_blocks(network, 3, seed) for seed in range(20)}) == 4


@BOTH
def test_no_cut_touches_the_network_it_is_made_of(network: Network) -> None:
    before, answers = {name: each.clone() for name, each in network.state_dict().items()}, network(IMAGES)
    for cut in {cut.kind: cut for cut in all_cuts(network)}.values():  # one of each kind
        made = lesions.measured_anew(cut.made(network), TRAIN, *STATISTICS)
        with torch.no_grad():
            for each in made.parameters():
                each.zero_()
    assert torch.equal(network(IMAGES), answers)
    assert all(torch.equal(each, network.state_dict()[name]) for name, each in before.items())


@pytest.mark.parametrize("name", ["resnet20", "plain20", "resnet18", "plain18"])
def test_every_cut_of_a_network_answers(name: str) -> None:
    network = models.build(name).eval()
    with torch.no_grad():
        for cut in all_cuts(network)[::7]:
            assert cut.made(network)(IMAGES[:1]).shape == (1, 10)


def test_twins_are_cut_alike_and_shortcuts_only_where_there_are_some() -> None:
    residual, plain = (all_cuts(models.build(name)) for name in ("resnet56", "plain56"))
    assert plain == [cut for cut in residual if cut.kind in ("nothing", "leave out", "swap")]
    assert {cut.kind for cut in residual} == set(KINDS)
    assert len(set(residual)) == len(residual)


def test_measuring_anew_changes_statistics_and_no_parameter() -> None:
    cut = cutting.leave_out(RESIDUAL, [1])
    anew = lesions.measured_anew(cut, TRAIN, *STATISTICS)
    assert all(torch.equal(a, b) for a, b in zip(cut.parameters(), anew.parameters(), strict=True))
    assert not same_weights(cut, anew)
    assert not anew.training


def test_the_whole_network_measured_anew_on_the_same_images_stays_as_it_is() -> None:
    torch.testing.assert_close(lesions.measured_anew(RESIDUAL, TRAIN, *STATISTICS)(IMAGES), RESIDUAL(IMAGES))


def test_images_to_measure_on_are_shifted_and_flipped_as_in_training() -> None:
    plain, seen = (lesions.augmented(TRAIN, replace(RECIPE, padding=4, flip_probability=flip)) for flip in (0.0, 0.5))
    assert (plain.images != TRAIN.images).any()
    assert (plain.images != seen.images).any()
    assert torch.equal(seen.labels, TRAIN.labels)
    assert torch.equal(lesions.augmented(TRAIN, replace(RECIPE, padding=0, flip_probability=0.0)).images, TRAIN.images)


def test_damage_is_nothing_for_the_whole_network_and_something_for_a_cut_one() -> None:
    cuts = [Cut("nothing"), Cut("leave out", (1, 2)), Cut("scale", factor=0.0)]
    nothing, two, _ = rows = list(lesions.lesions(RESIDUAL, TRAIN, TEST, *STATISTICS, cuts))
    assert nothing[1].feature_change == nothing[2].feature_change == 0
    assert two[1].feature_change > 0.01
    assert 0.1 <= two[1].confidence <= 1
    frame = lesions.lesion_frame(rows)
    assert frame.removed.tolist() == [0, 2, 0]
    assert frame.error[0] == nothing[1].error
    assert frame.feature_change_anew[1] == two[2].feature_change


# --- Paths ---


def whole_gradient() -> torch.Tensor:
    """Of each image's loss with respect to the output of the stem."""
    x = RESIDUAL.stem(IMAGES).detach().requires_grad_()
    loss = F.cross_entropy(RESIDUAL.classifier(RESIDUAL.stages(x).mean(dim=(2, 3))), LABELS, reduction="sum")
    return torch.autograd.grad(loss, x)[0]


def test_the_gradients_of_all_paths_add_up_to_the_whole_gradient() -> None:
    paths = chain.from_iterable(combinations(range(1, 6), length) for length in range(6))
    together = torch.stack([path_gradient(RESIDUAL, IMAGES, LABELS, path) for path in paths])
    assert len(together) == 2**5
    torch.testing.assert_close(together.sum(dim=0), whole_gradient())


def test_together_is_the_exact_sum_over_the_paths_of_a_length() -> None:
    frame = gradients_by_length(RESIDUAL, IMAGES, LABELS)
    for length in (0, 2, 5):
        paths = [path_gradient(RESIDUAL, IMAGES, LABELS, path) for path in combinations(range(1, 6), length)]
        expected = torch.stack(paths).sum(dim=0).flatten(1).norm(dim=1).mean()
        assert frame.together[length] == pytest.approx(expected.item(), rel=1e-4)


def test_all_paths_of_a_length_are_sampled_where_there_are_few() -> None:
    frame = gradients_by_length(RESIDUAL, IMAGES, LABELS, samples=50)
    assert frame.number.tolist() == [1, 5, 10, 10, 5, 1]
    assert frame.share.sum() == pytest.approx(1)
    assert (frame.together <= frame.number * frame.single * 1.6).all()
    for length in (0, 5):  # one path alone
        assert frame.together[length] == pytest.approx(frame.single[length], rel=1e-5)


def test_measuring_paths_leaves_the_network_as_it_was() -> None:
    network = small().train()
    before = {name: each.clone() for name, each in network.state_dict().items()}
    gradients_by_length(network, IMAGES, LABELS, samples=2)
    assert network.training
    assert all(torch.equal(each, network.state_dict()[name]) for name, each in before.items())
    assert all(each.grad is None for each in network.parameters())


# --- Bad input ---


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cutting.leave_out(RESIDUAL, [6]), "block=6: choose a whole number from 1 to 5"),
        (lambda: cutting.leave_out(RESIDUAL, [0]), "block=0"),
        (lambda: cutting.leave_out(RESIDUAL, [2, 2]), "each block once"),
        (lambda: cutting.choose_blocks(RESIDUAL, 5, 0), "k=5: choose a whole number from 1 to 4"),
        (lambda: cutting.choose_blocks(RESIDUAL, 0, 0), "k=0"),
        (lambda: cutting.swap(RESIDUAL, (2, 4)), r"blocks=\(2, 4\)"),
        (lambda: cutting.swap(RESIDUAL, (1, 1)), r"blocks=\(1, 1\)"),
        (lambda: cutting.swap(RESIDUAL, (3, 4)), "changes the shape"),
        (lambda: cutting.relabel(RESIDUAL, 2, range(4)), "block=2: it is not plain; a shortcut ties the channels"),
        (lambda: cutting.relabel(PLAIN, 3, range(4)), "block=3: it changes the shape"),
        (lambda: cutting.relabel(PLAIN, 6, range(4)), "block=6"),
        (lambda: cutting.relabel(PLAIN, 2, [0, 1, 2, 2]), r"order=\[0, 1, 2, 2\]: name each of the 4 channels once"),
        (lambda: cutting.relabel(cutting.leave_out(PLAIN, [1]), 2, range(4)), "block=2: the block before it was left"),
        (lambda: cutting.match_channels(RESIDUAL, 2, IMAGES), "block=2: it is not plain"),
        (lambda: cutting.match_channels(PLAIN, 3, IMAGES), "block=3: it changes the shape"),
        (lambda: cutting.match_channels(PLAIN, 2, IMAGES[0]), "images: expected floats"),
        (lambda: cutting.close_shortcut(PLAIN, 1), "block=1: it has no shortcut"),
        (lambda: cutting.close_shortcut(cutting.leave_out(RESIDUAL, [1]), 1), "no shortcut"),
        (lambda: cutting.scale_branches(RESIDUAL, math.nan), "factor=nan"),
        (lambda: cutting.scale_branches(RESIDUAL, math.inf), "factor=inf"),
        (lambda: cutting.scale_branches(RESIDUAL, -1), "factor=-1"),
        (lambda: cutting.scale_branches(PLAIN, 0.5), "no shortcut"),
        (lambda: cutting.leave_out(nn.Linear(1, 1), [1]), "network is of type Linear"),  # type: ignore[arg-type]
        (lambda: all_cuts(nn.Linear(1, 1)), "network is of type Linear"),  # type: ignore[arg-type]
        (lambda: path_gradient(PLAIN, IMAGES, LABELS, [1]), "no shortcut"),
        (lambda: path_gradient(RESIDUAL, IMAGES, LABELS, [9]), "block=9"),
        (lambda: gradients_by_length(RESIDUAL, IMAGES, LABELS, samples=0), "samples=0"),
    ],
)
def test_what_cannot_be_done_is_an_error_that_names_it(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- Kept beside the record ---

SMOKE = "resnet20-builtin-smoke"


def copy_run(folder: Path) -> Path:
    """Copy one recorded run with its weights into the new folder."""
    (folder / SMOKE).mkdir(parents=True)
    for ending in (".json", ".safetensors"):
        shutil.copy(RESULTS / SMOKE / f"seed0{ending}", folder / SMOKE)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One recorded run with its weights."""
    return copy_run(tmp_path / "results")


def take_few(patch: pytest.MonkeyPatch) -> None:
    """Three cuts on few images."""
    for name, value in (("TEST_IMAGES", 20), ("MEASURING_IMAGES", 30), ("PATH_IMAGES", 2), ("PATH_SAMPLES", 1)):
        patch.setattr(lesion_survey, name, value)
    cuts = [Cut("nothing"), Cut("leave out", (1,)), Cut("scale", factor=0.5)]
    for module in (lesion_survey, lesion_records):
        patch.setattr(module, "all_cuts", lambda network: cuts)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies of three cuts on few images."""
    take_few(monkeypatch)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the file of such a study holds."""
    results = copy_run(tmp_path_factory.mktemp("lesions") / "results")
    with pytest.MonkeyPatch.context() as patch:
        take_few(patch)
        lesion_survey.make_lesions(SMOKE, results=results)
    return (results / SMOKE / "seed0.lesions.json").read_text()


@pytest.mark.usefixtures("few")
def test_lesions_are_kept_beside_the_record_and_read_again(results: Path) -> None:
    told = list[str]()
    kept = lesion_survey.make_lesions(SMOKE, results=results, tell=told.append)
    assert len(told) == 3
    assert lesion_records.LESIONS.read_all(results) == [kept]
    assert kept == lesion_records.LESIONS.read(SMOKE, 0, results)
    assert kept.weights_sha256 == records.load_record(results / SMOKE / "seed0.json").weights_sha256
    assert kept.cut_frame.kind.tolist() == ["nothing", "leave out", "scale"]
    assert kept.path_frame.number.sum() == 2**9
    assert [record.experiment for record in records.load_all(results)] == [SMOKE]  # the new file is no record


def test_where_none_are_kept_none_are_found(results: Path) -> None:
    assert lesion_records.LESIONS.read(SMOKE, 0, results) is None
    assert lesion_records.LESIONS.read_all(results) == []


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights_sha256": 64 * "0"}, "other weights"),
        ({"schema_version": 9}, "schema version 9"),
        ({"seed": 1}, "holds resnet20-builtin-smoke, seed 1"),
        ({"test_sha256": 64 * "0"}, "other images"),
        ({"test_images": 1_001, "cuts": []}, "other images|cuts: 0, where resnet20 has 3"),
        ({"cuts": None}, "not a sound lesions file: cuts: Input should be a valid array"),
        ({"more": 1}, "not a sound lesions file: more: Extra inputs"),
    ],
)
def test_lesions_that_are_not_of_the_record_are_refused(results: Path, kept: str, change: dict, message: str) -> None:
    path = results / SMOKE / "seed0.lesions.json"
    path.write_text(json.dumps(json.loads(kept) | change))
    with pytest.raises(RecordError, match=message):
        lesion_records.LESIONS.read(SMOKE, 0, results)


@pytest.mark.usefixtures("few")
def test_what_is_said_of_damaged_lesions_works(results: Path) -> None:
    path = results / SMOKE / "seed0.lesions.json"
    path.write_text("{}")
    with pytest.raises(RecordError) as caught:
        lesion_records.LESIONS.read(SMOKE, 0, results)
    move_away_and_make_again(str(caught.value), path)
    assert lesion_records.LESIONS.read(SMOKE, 0, results)


@pytest.mark.usefixtures("few")
def test_reading_all_lesions_names_every_damaged_file_and_needs_no_particular_name(results: Path, kept: str) -> None:
    path = results / SMOKE / "seed0.lesions.json"
    copy = path.with_name("seed0 (copy).lesions.json")
    copy.write_text(kept)
    path.write_text("{")
    with pytest.raises(RecordError) as caught:
        lesion_records.LESIONS.read_all(results)
    assert re.findall(r"^(.*?\.(?:lesions\.)?json)", str(caught.value), re.MULTILINE) == [
        str(copy.with_name("seed0 (copy).json")),
        str(path),
    ]


def test_the_committed_lesions_were_measured_with_committed_code() -> None:
    assert [path for path in KEPT if json.loads(path.read_text())["made_by"]["dirty"] is not False] == []


# --- Drawn ---


def invented(experiment: str) -> lesion_records.LesionRecord:
    """The lesions of a network of nine blocks."""
    network = models.build(experiment.split("-")[0])
    damages = {"error": 50.0, "confidence": 0.5, "feature_change": 0.5}
    damages |= {f"{name}_anew": value for name, value in damages.items()}
    rows = [
        {"kind": cut.kind, "blocks": list(cut.blocks), "factor": cut.factor, "removed": cut.removed, **damages}
        for cut in all_cuts(network)
    ]
    paths = [
        {"length": k, "number": math.comb(9, k), "single": 1.0, "together": 0.5, "share": math.comb(9, k) / 2**9}
        for k in range(10)
        if experiment.startswith("resnet")
    ]
    content = {
        "schema_version": 1,
        "experiment": experiment,
        "seed": 0,
        "weights_sha256": 64 * "0",
        "test_sha256": 64 * "0",
        "test_images": 2000,
        "measuring_images": 1000,
        "path_images": len(paths) and 1,
        "path_samples": len(paths) and 1,
        "seconds": 1.0,
        "started": "2026-01-01T00:00:00+00:00",
        "made_by": machine.describe("cpu", "float32", False),
        "cuts": rows,
        "paths": paths,
    }
    return lesion_records.LesionRecord.model_validate_json(json.dumps(content))


FOUND = [invented(each) for each in ("plain20-cifar10-short", "resnet20-cifar10-short", "resnet20-cifar10")]
SETS = pytest.mark.parametrize("found", [[], FOUND[:1], FOUND[1:2], FOUND[:2], FOUND], ids=range(5))


@SETS
def test_whatever_is_recorded_is_drawn(found: list[lesion_records.LesionRecord]) -> None:
    cuts, paths = lesion_figures.all_cuts(found), lesion_figures.all_paths(found)
    residual = sum(each.paths != [] for each in found)
    for draw in (lesion_figures.plot_single, lesion_figures.plot_together, lesion_figures.plot_equal_change):
        ax = draw(cuts, plt.figure().subplots())
        assert [text.get_text() for text in ax.texts] == ([] if found else ["nothing recorded yet"])
        by_kind = draw is lesion_figures.plot_equal_change  # three of each network, and branches scaled
        assert len(ax.get_legend_handles_labels()[1]) == (3 * len(found) + residual if by_kind else len(found))
    ax = lesion_figures.plot_paths(paths, plt.figure().subplots(), "together_scaled")
    assert len(ax.get_legend_handles_labels()[1]) == residual
    lesion_figures.plot_factors(cuts, plt.figure().subplots())
    panels = lesion_figures.draw_by_budget(cuts, lesion_figures.plot_single)
    assert len(panels.axes) == max(1, len({each.experiment.endswith("short") for each in found}))
    kinds = {tables.whose(each.experiment, each.seed)["kind"] for each in found}
    assert [{text.get_text() for text in legend.get_texts()} for legend in panels.legends] == ([kinds] if found else [])
    columns = {"error": "as trained", "error_anew": "measured anew"}
    for plot in (lesion_figures.plot_together, lesion_figures.plot_factors):
        panels = lesion_figures.draw_by_depth(cuts, plot, columns, comparable=True)
        depth = "20 layers, " if found else ""
        assert [ax.get_title() for ax in panels.axes] == [depth + title for title in columns.values()]
    lesion_figures.draw_cut(plt.figure().subplots(), residual=True)


def test_blocks_that_begin_a_stage_do_not_keep_the_shape_as_the_networks_themselves_say() -> None:
    cuts = lesion_figures.all_cuts(FOUND)
    alone = cuts.loc[cuts.removed == 1]
    kept = {blocks[0] for blocks in alone.blocks[lesion_figures.keep_shape(alone)]}
    assert kept == set(cutting.keeping_shape(models.build("resnet20"))) & {blocks[0] for blocks in alone.blocks}
    assert 4 not in kept
    assert not lesion_figures.keep_shape(cuts.assign(depth=56, blocks=[[2, 19]] * len(cuts))).any()


@pytest.mark.parametrize(("depth", "ticks", "starts"), [(20, range(1, 10), [4, 7]), (56, range(1, 26, 3), [10, 19])])
def test_a_tick_and_a_line_stand_where_a_stage_begins(depth: int, ticks: range, starts: list[int]) -> None:
    ax = lesion_figures.plot_single(lesion_figures.all_cuts(FOUND[:1]).assign(depth=depth), plt.figure().subplots())
    assert list(ax.get_xticks()) == list(ticks)
    lines = [(line.get_xdata(), line.get_ydata()) for line in ax.lines]
    upright = [[*map(int, x)] for x, y in lines if [*y] == [0, 1]]  # type: ignore[arg-type, misc]
    assert upright == [[start, start] for start in starts]
    assert set(starts) <= set(ticks)


def test_two_seeds_of_one_network_get_a_line_each() -> None:
    again = [each.model_copy(update={"seed": 1}) for each in FOUND[:1]]
    ax = lesion_figures.plot_single(lesion_figures.all_cuts([*FOUND[:1], *again]), plt.figure().subplots())
    assert [label[-6:] for label in ax.get_legend_handles_labels()[1]] == ["seed 0", "seed 1"]


def test_networks_of_two_depths_get_a_row_of_panels_each() -> None:
    cuts = lesion_figures.all_cuts(FOUND)
    deep = cuts[cuts.iterations == 2_000].assign(depth=56)
    columns = {"error": "as trained", "error_anew": "measured anew"}
    both = pd.concat([cuts, deep])
    panels = lesion_figures.draw_by_depth(both, lesion_figures.plot_together, columns, comparable=True)
    titles = [f"{depth} layers, {title}" for depth in (20, 56) for title in columns.values()]
    assert [ax.get_title() for ax in panels.axes] == titles
    assert [len(ax.get_legend_handles_labels()[1]) for ax in panels.axes] == [3, 3, 2, 2]
    panels = lesion_figures.draw_by_budget(both, lesion_figures.plot_single)
    assert [len(ax.get_legend_handles_labels()[1]) for ax in panels.axes] == [2, 1, 2, 0]
