"""What the prose of the chapters says of the book's records, a test a claim: one that fails names what to rewrite."""

from dataclasses import asdict, replace
from datetime import datetime
from functools import cache
from itertools import pairwise, product
from math import comb, hypot, log
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.optim.swa_utils import update_bn

from resnet_book import augment, data, features, models
from resnet_book.analysis import answers, cutting, diagnostics, landscape, pre_activation, purity, starts
from resnet_book.analysis import lesions as lesion
from resnet_book.analysis import signals as signals_measured
from resnet_book.experiments import (
    catalogue,
    landscape_records,
    lesion_records,
    records,
    signal_records,
    studies,
    weights,
)
from resnet_book.recipe import Recipe
from resnet_book.report import (
    ladder,
    landscape_figures,
    landscape_frames,
    lesion_figures,
    published,
    signal_figures,
    study_figures,
    tables,
    wide_tables,
)
from resnet_book.train import evaluate, fit

RESULTS = Path(__file__).parent.parent / "results"
SHORT, LONG = 2_000, 64_000  # iterations
Frame = Any  # a pandas.DataFrame: its columns are beyond a type checker


# --- Chapter 1 ---


def column_steps(images: data.ImageSet, shift: int) -> list[float]:
    """How much columns 0 and 1 differ, 1 and 2, 29 and 30, 30 and 31, with every byte ``shift`` places too far on."""
    row = torch.cat([images.labels[:, None].to(torch.uint8), images.images.flatten(1)], dim=1)
    planes = row.roll(shift, dims=1)[:, 1:].reshape(-1, 32, 32)[:, 1:-1].double()
    return planes.diff(dim=2).abs().mean(dim=(0, 1))[[0, 1, -2, -1]].tolist()


def test_a_hundred_drawings_read_one_byte_early_or_late_differ_at_the_edges_as_elsewhere() -> None:
    drawings = data.load("builtin", "train").subset(100)
    for shift in (0, 1, -1):
        steps = column_steps(drawings, shift)
        assert max(steps) < 1.2 * min(steps)


def test_photographs_read_one_byte_early_or_late_differ_three_times_as_much_at_one_edge(cifar_root: Path) -> None:
    photographs = data.load("cifar10", "train", cifar_root).subset(100)
    right, early, late = (column_steps(photographs, shift) for shift in (0, 1, -1))
    assert right == pytest.approx([13.1, 13.8, 13.3, 14.4], abs=0.05)
    assert early[0] == pytest.approx(39.0, abs=0.05)
    assert late[-1] == pytest.approx(39.0, abs=0.05)
    assert 2.5 < early[0] / max(early[1:]) < 3.2
    assert 2.5 < late[-1] / max(late[:-1]) < 3.2


def by_mean_colour(name: str, root: Path | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The class of the nearest mean colour, for every test image, and the right ones."""
    train, test = (data.load(name, split, root) for split in ("train", "test"))
    colours, wanted = (each.images.float().mean(dim=(2, 3)) for each in (train, test))
    centres = torch.stack([colours[train.labels == label].mean(dim=0) for label in range(10)])
    return torch.cdist(wanted, centres).argmin(dim=1), test.labels


def test_by_mean_colour_alone_88_9_percent_of_the_drawings_are_taken_wrong() -> None:
    answered, right = by_mean_colour("builtin")
    assert 100 * (answered != right).double().mean() == pytest.approx(88.9, abs=0.05)


def test_by_mean_colour_alone_80_4_percent_are_wrong_and_most_answers_airplane_or_frog(cifar_root: Path) -> None:
    answered, right = by_mean_colour("cifar10", cifar_root)
    assert 100 * (answered != right).double().mean() == pytest.approx(80.4, abs=0.05)
    said, found = answered.bincount(), answered[answered == right].bincount()
    airplane_and_frog = [data.CLASS_NAMES["cifar10"].index(name) for name in ("airplane", "frog")]
    assert said[airplane_and_frog].sum() > len(right) / 2
    assert found[airplane_and_frog].sum() > found.sum() / 2
    assert [label for label in range(10) if found[label] > 500] == airplane_and_frog


def test_the_mean_deviation_within_a_photograph_is_what_others_divide_by(cifar_root: Path) -> None:
    images = data.load("cifar10", "train", cifar_root).images.float() / 255
    within = images.std(dim=(2, 3)).mean(dim=0)
    assert [f"{each:.4f}" for each in within.tolist()] == ["0.2023", "0.1994", "0.2010"]
    without_brightness = images.var(dim=(2, 3)).mean(dim=0).sqrt()
    whole = images.transpose(0, 1).flatten(1).std(dim=1)
    assert torch.allclose((whole - without_brightness) / (whole - within), torch.tensor(0.8), rtol=0, atol=0.03)


# --- Chapter 2: drawings ---


def chapter_2_inputs(name: str = "builtin", root: Path | None = None) -> dict[str, torch.Tensor]:
    images = data.load(name, "train", root).images
    mean, std = augment.channel_mean_std(images)
    pixels = images[:1_000].float()
    centred = pixels - mean[:, None, None]
    return {
        "raw": pixels / 255,
        "centred": centred / 255,
        "divided": centred / std[:, None, None],
        "divided by one": centred / std.mean(),
    }


def test_black_is_more_than_two_deviations_below_the_mean_and_the_mean_is_no_byte() -> None:
    mean, std = augment.channel_mean_std(data.load("builtin", "train").images)
    assert f"{-mean[0] / std[0]:.2f}" == "-2.33"
    assert f"{mean[0]:.1f}" == "127.9"


def patch_eigenvalues(images: torch.Tensor) -> torch.Tensor:
    """Of the mean of x x^T over all 3x3 patches x, the largest first."""
    patches = torch.nn.functional.unfold(images, 3).transpose(1, 2).flatten(0, 1).double()
    return torch.linalg.eigvalsh(patches.T @ patches / len(patches)).flip(0)


def test_subtracting_the_mean_lowers_the_largest_eigenvalue_alone_and_dividing_leaves_the_ratio() -> None:
    found = {kind: patch_eigenvalues(images) for kind, images in chapter_2_inputs().items()}
    lowered = found["centred"] / found["raw"]
    assert 10 < 1 / lowered[0] < 12
    assert (lowered[1:] - 1).abs().max() < 0.05
    ratio = {kind: (each[0] / each[-1]).item() for kind, each in found.items()}
    assert 10 < ratio["raw"] / ratio["centred"] < 12
    assert ratio["divided"] == pytest.approx(ratio["centred"], rel=0.01)
    noise = 0.06**2 / 3  # evenly spread from -0.06 to 0.06
    assert 1 < found["centred"][-1] / noise < 1.15


def test_in_photographs_the_smallest_eigenvalue_is_a_hundred_times_smaller(cifar_root: Path) -> None:
    drawn, taken = chapter_2_inputs(), chapter_2_inputs("cifar10", cifar_root)
    for kind in ("raw", "centred"):
        drawings, photographs = patch_eigenvalues(drawn[kind]), patch_eigenvalues(taken[kind])
        assert 90 < drawings[-1] / photographs[-1] < 130
        assert photographs[0] / photographs[-1] > 100 * drawings[0] / drawings[-1]


def test_a_batch_norm_undoes_the_subtraction_but_for_the_border_and_the_division_but_for_unequal_channels() -> None:
    inputs = chapter_2_inputs()

    def change(before: str, after: str, padding: int, seed: int) -> float:
        weight = torch.randn(16, 3, 3, 3, generator=torch.Generator().manual_seed(seed)) * (2 / 27) ** 0.5
        old, new = (
            torch.nn.functional.batch_norm(
                torch.nn.functional.conv2d(inputs[kind][:256], weight, padding=padding), None, None, training=True
            )
            for kind in (before, after)
        )
        return ((new - old).norm() / old.norm()).item()

    for seed in range(3):
        assert change("raw", "centred", 0, seed) < 0.001
        assert change("raw", "centred", 1, seed) > 0.4
        for padding in (0, 1):
            assert change("centred", "divided", padding, seed) < 0.01
            assert change("centred", "divided by one", padding, seed) < change("centred", "divided", padding, seed) / 4


@pytest.mark.slow
def test_flips_and_crops_keep_the_small_network_of_chapter_2_from_learning_drawings_by_heart() -> None:
    def halved(split: data.Split, count: int) -> data.ImageSet:
        images = data.load("builtin", split).subset(count)
        small = torch.nn.functional.avg_pool2d(images.images.float(), 2).round().to(torch.uint8)
        return replace(images, images=small)

    few, many = halved("train", 200), halved("test", 500)
    full = replace(catalogue.PAPER, iterations=600, drops=(360, 480), batch_size=32, padding=2)
    neither = replace(full, padding=0, flip_probability=0.0)

    def errors(recipe: Recipe) -> list[float]:
        """The errors (%) on the training images and on the test images."""
        network = models.Network((8, 16, 32), (1, 1, 1), "subsample", generator=torch.Generator().manual_seed(0))
        history = fit(network, few, many.subset(32), recipe)
        return [evaluate(network, each, history.mean, history.std)[1] for each in (few, many)]

    by_heart, augmented = errors(neither), errors(full)
    assert by_heart[0] == 0  # it gets them right and errs on most others
    assert by_heart[1] > 55
    assert augmented[0] < 8
    assert augmented[1] < 50


# --- Chapter 8 ---


@cache
def lesions() -> list[lesion_records.LesionRecord]:
    shown = {record.experiment for record in tables.of_depth_table(recorded())}
    return [each for each in lesion_records.LESIONS.read_all(RESULTS) if each.experiment in shown]


def cuts(kind: str, iterations: int = SHORT, depth: int = 20) -> Frame:
    every = lesion_figures.all_cuts(lesions())
    return every[(every.kind == kind) & (every.iterations == iterations) & (every.depth == depth)]


def one_lost(kind: str, iterations: int = SHORT, depth: int = 20) -> Frame:
    frame = cuts(kind, iterations, depth)
    return frame[frame.removed == 1].assign(block=[blocks[0] for blocks in frame[frame.removed == 1].blocks])


def paths(iterations: int, depth: int = 20) -> Frame:
    every = lesion_figures.all_paths(lesions())
    return every[(every.iterations == iterations) & (every.depth == depth)]


SIZES = [(iterations, depth) for depth in (20, 56) for iterations in (SHORT, LONG)]
PLAINS = [("plain", *size) for size in SIZES]
RESIDUALS = [("residual", *size) for size in SIZES]
DEEP = ("residual", LONG, 56)


def test_of_each_network_that_was_taken_apart_one_seed_is_recorded() -> None:
    assert sorted(each.experiment for each in lesions()) == sorted({each.experiment for each in lesions()})
    assert len(lesions()) == len(PLAINS) + len(RESIDUALS)


def test_plain_networks_answer_nearly_blindly_with_nearly_any_block_lost() -> None:
    assert min((one_lost(*each).error > 80).mean() for each in PLAINS) > 0.85


@pytest.mark.slow
def test_without_a_block_plain20_errs_less_with_matched_channels_and_still_more_than_its_twin(cifar_root: Path) -> None:
    network, record = weights.load_network("plain20-cifar10", 0, RESULTS)
    network, statistics = network.to(memory_format=torch.channels_last), (record.mean, record.std)
    test = data.load("cifar10", "test", cifar_root).subset(200)
    measuring = lesion.augmented(data.load("cifar10", "train", cifar_root).subset(200), Recipe(**record.recipe))
    seen = augment.normalise(measuring.images, torch.tensor(record.mean), torch.tensor(record.std))
    there = cutting.keeping_shape(network)
    channels = {block: len(cutting.match_channels(network, block, seen[:1])) for block in there}
    orders = {
        "as numbered": lambda block: torch.arange(channels[block]),
        "at random": lambda block: torch.randperm(channels[block], generator=torch.Generator().manual_seed(block)),
        "matched": lambda block: cutting.match_channels(network, block, seen),
    }

    def error(cut: models.Network) -> float:
        found = features.extract(cut, test, *statistics, batch_size=100)
        return features.loss_and_error(features.class_scores(cut, found), test.labels)[1]

    expected = {"as numbered": (89, 79), "at random": (88, 78), "matched": (67, 42)}
    for name, order in orders.items():
        lost = [cutting.leave_out(cutting.relabel(network, block, order(block)), [block]) for block in there]
        assert np.mean([error(cut) for cut in lost]) == pytest.approx(expected[name][0], abs=0.6)
        anew = [lesion.measured_anew(cut, measuring, *statistics) for cut in lost]
        assert np.mean([error(cut) for cut in anew]) == pytest.approx(expected[name][1], abs=0.6)
    twin = keeping_shape(one_lost("residual", LONG))
    assert [twin.error.mean(), twin.error_anew.mean()] == pytest.approx([30, 19], abs=0.5)


def test_with_nine_blocks_none_can_be_lost_for_nothing() -> None:
    assert min(one_lost(*each)[["added", "added_anew"]].min().min() for each in RESIDUALS[:2]) > 2
    assert set(one_lost("residual", LONG).nlargest(2, "added").block) == {4, 7}  # they begin a stage


def test_with_four_blocks_lost_of_which_none_costs_most_the_deep_residual_network_errs_less_than_the_shallow_one() -> (
    None
):
    four, one = cuts(*DEEP)[cuts(*DEEP).removed == 4], keeping_shape(one_lost("residual", LONG))
    for column in ("error", "error_anew"):
        assert four[column].mean() < one[column].mean()
    assert set(keeping_shape(one_lost(*DEEP)).nlargest(2, "added").block) == {17, 18}
    assert not {17, 18} & {block for blocks in four.blocks for block in blocks}


def test_larger_random_choices_mostly_contain_smaller_ones() -> None:
    for each in RESIDUALS:
        several = [set(blocks) for blocks in cuts(*each)[cuts(*each).removed > 1].blocks]
        smaller = [one for one in several if len(one) < max(map(len, several))]
        assert np.mean([any(one < other for other in several) for one in smaller]) > 0.9


def test_with_27_blocks_most_can_be_lost_after_long_training_but_for_those_where_a_stage_begins_or_ends() -> None:
    lost = one_lost(*DEEP)
    assert (lost.added < 2).mean() > 0.6
    assert keeping_shape(lost).error.mean() == pytest.approx(10, abs=0.5)
    assert lost.added.median() < 1.5
    assert set(lost.block[lost.added > 5]) == {10, 17, 18, 19, 20}
    assert lost.added.drop(lost.index[lost.added > 5]).max() < 3


def test_more_than_half_of_the_damage_was_in_the_statistics_in_the_first_two_stages_and_less_in_the_last() -> None:
    for each in RESIDUALS:
        lost = one_lost(*each)
        stages = lost.groupby((lost.block - 1) // (each[2] // 6))
        assert (stages.added_anew.mean() / stages.added.mean() < 0.5).tolist() == [True, True, False]


def test_measured_anew_the_last_of_nine_blocks_costs_most_and_of_27_block_19_alone_more_than_five_points() -> None:
    nine, deep = one_lost("residual", LONG), one_lost(*DEEP)
    assert nine.block[nine.added_anew.idxmax()] == 9
    assert nine.added_anew.max() == pytest.approx(34, abs=0.5)
    assert deep.block[deep.added_anew > 5].tolist() == [19]


def keeping_shape(frame: Frame) -> Frame:
    return frame[lesion_figures.keep_shape(frame)]


def test_a_closed_shortcut_costs_over_two_lost_branches_with_nine_blocks_and_far_more_with_27_but_for_the_last() -> (
    None
):
    for each in RESIDUALS:
        closed = keeping_shape(cuts(*each)[cuts(*each).cut == "close shortcut"])
        for column in ("added", "added_anew"):
            worth = closed[column].median() / keeping_shape(one_lost(*each))[column].median()
            assert worth > 2.5 if each[2] == 20 else worth > 13
        if each[1] == LONG:
            cheap = closed[closed.added < 40]
            assert [tuple(blocks) for blocks in cheap.blocks] == [(9,) if each[2] == 20 else (27,)]
            assert cheap[["added", "added_anew"]].max().max() < 0.7


def test_swapping_two_blocks_typically_costs_about_as_much_as_losing_one_and_at_worst_more() -> None:
    for each in RESIDUALS:
        swapped, lost = cuts(*each)[cuts(*each).cut == "swap"], keeping_shape(one_lost(*each))
        assert len(keeping_shape(swapped)) == len(swapped)
        for column in ("added", "added_anew"):
            typical = swapped[column].median(), lost[column].median()
            assert 0.7 < typical[0] / typical[1] < 1.6 or abs(typical[0] - typical[1]) < 0.5
            assert swapped[column].max() > lost[column].max()


def test_a_factor_of_three_quarters_or_five_adds_nine_points_as_trained_and_little_or_nothing_measured_anew() -> None:
    for each in RESIDUALS:
        near = cuts(*each)[cuts(*each).factor.isin([0.75, 1.25])]
        assert len(near) == 2
        assert near.added.min() > 8.5
        assert near.added_anew.max() < 2.5


def test_fresh_statistics_take_out_what_a_factor_from_075_to_15_does_and_not_what_a_quarter_does() -> None:
    for each in RESIDUALS:
        scaled = cuts(*each)[cuts(*each).cut == "scale"].set_index("factor")
        wide = scaled.loc[[0.75, 1.25, 1.5]]
        assert (wide.added_anew / wide.added).max() < 0.15
        assert scaled.error_anew[0.25] > 100 / 3


def test_a_longer_path_carries_less_but_for_nine_blocks_after_long_training_and_most_so_for_27_after_it() -> None:
    slope = {size: np.polyfit(paths(*size).length, np.log(paths(*size).single), 1)[0] for size in SIZES}
    assert slope[LONG, 56] < slope[SHORT, 56] < slope[SHORT, 20] < 0 < slope[LONG, 20]


def test_the_sums_are_largest_at_typical_lengths_with_nine_blocks_and_well_below_them_with_27() -> None:
    largest = [paths(*size).set_index("length").together_scaled.idxmax() for size in SIZES]
    assert set(largest[:2]) <= {4, 5}
    assert max(largest[2:]) < 10


def whole_gradient(name: str, root: Path) -> torch.Tensor:
    """Its norms before the first block, largest first, of the 64 images of the path records."""
    images = data.load("cifar10", "train", root).subset(64)
    network, record = weights.load_network(name, 0, RESULTS)
    x = network.stem(augment.normalise(images.images, torch.tensor(record.mean), torch.tensor(record.std))).detach()
    scores = network.classifier(network.stages(x.requires_grad_()).mean(dim=(2, 3)))
    (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(scores, images.labels, reduction="sum"), x)
    return gradient.flatten(1).norm(dim=1).sort(descending=True).values


def test_after_long_training_most_of_the_gradient_is_that_of_one_to_three_images_of_64(cifar_root: Path) -> None:
    for name in ("resnet20-cifar10", "resnet56-cifar10"):
        norms = whole_gradient(name, cifar_root)
        assert norms[0] > norms.sum() / 2
        assert norms[:3].sum() > 0.8 * norms.sum()


def test_the_sums_over_paths_of_a_length_partly_cancel_one_another(cifar_root: Path) -> None:
    for name, iterations in (("resnet56-cifar10-short", SHORT), ("resnet56-cifar10", LONG)):
        left = whole_gradient(name, cifar_root).mean().item() / paths(iterations, 56).together.sum()
        assert left < (0.2 if iterations == SHORT else 0.8)


def out_or_swapped(each: tuple[str, int, int]) -> Frame:
    return cuts(*each)[cuts(*each).cut.isin(["leave out", "swap"])]


def test_with_statistics_as_trained_plain_networks_have_hardly_a_cut_that_leaves_them_away_from_chance() -> None:
    assert [(out_or_swapped(each).error < 75).sum() for each in PLAINS] == [0, 0, 0, 3]


def test_at_equal_change_the_deep_plain_network_loses_no_more_than_its_twin_and_up_to_twelve_points_less() -> None:
    plain, residual = out_or_swapped(("plain", LONG, 56)), out_or_swapped(DEEP)
    residual = residual[[27 not in blocks for blocks in residual.blocks]]  # those without the last block lie apart
    residual = residual.sort_values("feature_change_anew")
    plain = plain[plain.feature_change_anew.between(*residual.feature_change_anew.iloc[[0, -1]])]
    twin = np.interp(plain.feature_change_anew, residual.feature_change_anew, residual.added_anew)
    less = twin - plain.added_anew
    assert len(less) >= 12
    assert less.min() > 0
    assert 11.5 < less.max() < 13


def test_four_cuts_of_the_last_block_add_two_to_five_points_where_the_plain_network_loses_over_thirty() -> None:
    residual, plain = out_or_swapped(DEEP), out_or_swapped(("plain", LONG, 56))
    below = residual[residual.feature_change_anew.between(0.625, 0.66) & (residual.added_anew < 30)]
    assert below.feature_change_anew.max() < 0.655
    assert below.added_anew.between(1.5, 5.5).tolist() == 4 * [True]
    assert all(27 in blocks for blocks in below.blocks)
    assert plain.added_anew[plain.feature_change_anew.between(0.6, 0.7)].min() > 30
    others = residual[residual.feature_change_anew.between(0.53, 0.8)]
    assert others.added_anew[others.blocks.map(lambda blocks: 27 not in blocks)].min() > 25


def test_with_a_factor_of_one_and_a_half_the_features_change_by_a_half_and_no_error_is_added() -> None:
    (scaled,) = cuts(*DEEP)[cuts(*DEEP).factor == 1.5].itertuples()
    assert scaled.feature_change_anew == pytest.approx(0.5, abs=0.005)
    assert scaled.added_anew < 0


def test_one_lost_block_does_to_the_plain_network_what_takes_several_in_the_residual_one() -> None:
    plain, residual = out_or_swapped(("plain", LONG, 56)), out_or_swapped(DEEP)
    middle = [each[each.feature_change_anew.between(0.3, 0.7)] for each in (plain, residual)]
    assert (middle[0].removed == 1).mean() > 0.8
    assert (middle[1].removed == 1).sum() == 2
    assert (middle[1].removed >= 4).mean() > 0.7


# --- Chapter 9: one network of each kind, depth and recipe ---

PLACE = ["iterations", "statistics", "depth", "kind"]


@cache
def landscapes() -> list[landscape_records.LandscapeRecord]:
    return [
        each
        for each in landscape_records.LANDSCAPE.read_all(RESULTS)
        if each.experiment.endswith(("-cifar10", "-cifar10-short"))
    ]


@cache
def rises() -> Frame:
    """The loss half a step and one step away: a row a walk."""
    return landscape_frames.rises(landscape_frames.slice_frame(landscapes())).set_index(PLACE).sort_index()


def curvatures() -> Frame:
    frame = landscape_frames.curvature_frame(landscapes())
    return frame[frame["at"] == "trained"].set_index(PLACE).sort_index()


def on_the_way(frame: Frame) -> Frame:
    return frame[frame["at"].map(lambda at: isinstance(at, int))]


def way() -> Frame:
    """The largest eigenvalue: a row a network, a column an iteration of the training."""
    frame = on_the_way(landscape_frames.curvature_frame(landscapes()))
    return frame.pivot_table(index="kind", columns="at", values="top")


def test_as_trained_the_loss_of_the_built_in_twins_rises_far_higher_than_measured_anew() -> None:
    errors = {}
    for kind, name in (("plain", "plain20-builtin-smoke"), ("residual", "resnet20-builtin-smoke")):
        network, record = weights.load_network(name, 0, RESULTS)
        errors[kind] = record.test_error
        assert record.recipe["iterations"] == 150
        images = data.load("builtin", "train").subset(64)
        batch = landscape.batch_of(images, record.mean, record.std)
        direction = landscape.random_direction(network, 0)
        as_trained, anew = (landscape.losses(network, [direction], [-1, 1], batch, each) for each in (False, True))
        assert as_trained.min() > 5
        assert (anew - landscape_figures.CHANCE).abs().max() < 0.2
    assert errors["plain"] < errors["residual"]


def test_drawn_from_its_own_seed_a_direction_would_be_along_the_weights_that_the_network_began_with() -> None:
    network, record = weights.load_network("resnet20-builtin-smoke", 0, RESULTS)
    began = [each.detach() for each in weights.untrained(record).parameters() if each.ndim > 1]
    generator = torch.Generator().manual_seed(record.seed)
    drawn = [torch.randn(each.shape, generator=generator) for each in began]
    lengths = landscape.dot(drawn, drawn), landscape.dot(began, began)
    assert landscape.dot(drawn, began) / (lengths[0] * lengths[1]).sqrt() > 0.9
    for one, other in zip(drawn, began, strict=True):
        torch.testing.assert_close(one / one.norm(), other / other.norm())
    now = [each.detach() for each in network.parameters() if each.ndim > 1]
    trap = [
        torch.stack([ours * theirs.norm() / ours.norm() for ours, theirs in zip(one, other, strict=True)])
        for one, other in zip(drawn, now, strict=True)
    ]
    lengths = landscape.dot(trap, trap), landscape.dot(now, now)
    assert landscape.dot(trap, now) / (lengths[0] * lengths[1]).sqrt() > 0.9  # so soon, still along those of now


def test_after_2000_iterations_the_deep_plain_network_had_hardly_learned() -> None:
    record = records.load_record(RESULTS / "plain56-cifar10-short" / "seed0.json")
    assert record.train_error > 70


def test_beyond_the_scale_as_trained_is_half_of_the_map_of_the_deep_plain_network_after_2000_iterations() -> None:
    beyond = {
        each.experiment: float((found.surface() > 1_000).double().mean())
        for each in landscapes()
        if (found := each.find("trained", [0, 1], "as trained"))
    }
    assert len(beyond) == 8
    assert max(beyond, key=lambda name: beyond[name]) == "plain56-cifar10-short"
    assert beyond.pop("plain56-cifar10-short") == pytest.approx(0.5, abs=0.05)
    starts = {each.experiment: landscape_frames.rises(landscape_frames.slice_frame([each])) for each in landscapes()}
    low = {name for name, each in starts.items() if each.middle.min() < 0.1}
    assert low == {f"{kind}{depth}-cifar10" for kind in ("plain", "resnet") for depth in (20, 56)}


def test_half_a_step_away_and_farther_nearly_all_of_a_map_is_higher_as_trained() -> None:
    for each in landscapes():
        if each.experiment.endswith("-cifar10"):
            as_trained, anew = (each.find("trained", [0, 1], words) for words in landscape_records.BOTH)
            assert as_trained
            assert anew
            distance = torch.tensor(anew.steps, dtype=torch.float64)
            far = torch.hypot(distance[:, None], distance[None]) >= 0.5
            assert (as_trained.surface() > anew.surface())[far].double().mean() > 0.97


def test_the_points_of_a_map_are_a_fifth_or_a_quarter_of_a_step_apart() -> None:
    steps = {each.steps[1] - each.steps[0] for found in landscapes() for each in found.slices}
    assert {round(step, 3) for step in steps} == {0.2, 0.25}


def lower() -> Frame:
    """On how many walks the residual network is lower than its twin: a row a depth and statistics."""
    walks: Frame = rises().loc[LONG].reset_index()
    walks = walks.pivot_table(
        index=["depth", "statistics", "direction", "side"], columns="kind", values=["half", "end"]
    ).swaplevel(axis=1)
    assert walks.groupby(["depth", "statistics"]).size().unique().tolist() == [10]
    count: Frame = (walks["residual"] < walks["plain"]).groupby(["depth", "statistics"]).sum()
    return count


@pytest.mark.parametrize(
    ("depth", "statistics", "half", "end"),
    [(56, "anew", 10, 9), (20, "anew", 3, 5), (56, "as trained", 9, 3), (20, "as trained", 5, 1)],
)
def test_on_how_many_of_ten_walks_the_residual_network_is_lower(
    depth: int, statistics: str, half: int, end: int
) -> None:
    assert lower().loc[(depth, statistics), ["half", "end"]].tolist() == [half, end]


def test_with_20_layers_the_residual_network_begins_higher_and_is_so_on_all_walks_a_fifth_of_a_step_away() -> None:
    walks = landscape_frames.walks(landscape_frames.slice_frame(landscapes()))
    near = walks[(walks.iterations == LONG) & (walks.depth == 20) & (walks.statistics == "anew")]
    by_kind = near.pivot_table(index=["direction", "side", "distance"], columns="kind", values="loss")
    for distance in (0.0, 0.2):
        at = by_kind[np.isclose(by_kind.index.get_level_values("distance"), distance)]
        assert len(at) == 10
        assert (at.residual > at.plain).all()


def test_as_trained_more_than_half_of_the_walks_are_worse_than_blind_guesses_half_a_step_away() -> None:
    half = rises().loc[LONG].half.loc["as trained"]
    assert len(half) == 40
    assert 0.5 < (half > landscape_figures.CHANCE).mean() < 0.8


def test_the_deep_plain_network_of_the_long_recipe_is_less_trained_than_its_twin() -> None:
    errors = summaries().train_error[["plain56-cifar10", "resnet56-cifar10"]]
    assert [round(each, 1) for each in errors] == [4.5, 0.2]


def test_on_the_maps_some_stretches_lead_outwards_and_down_around_all_four_networks() -> None:
    for each in landscapes():
        if each.experiment.endswith("-cifar10"):
            for words in landscape_records.BOTH:
                found = each.find("trained", [0, 1], words)
                assert found
                surface, middle = found.surface().numpy(), len(found.steps) // 2
                outwards = [surface[middle:], surface[middle::-1], surface.T[middle:], surface.T[middle::-1]]
                assert sum((np.diff(half, axis=0) < 0).sum() for half in outwards) >= 2, each.experiment


def test_a_step_away_the_loss_is_above_that_of_blind_guesses_on_nearly_every_walk() -> None:
    ends = rises().loc[LONG].end
    assert (ends > landscape_figures.CHANCE).mean() > 0.95
    assert ends.loc["as trained"].min() > landscape_figures.CHANCE


def test_at_the_weights_the_loss_measured_anew_is_higher_in_three_networks_more_than_ten_times() -> None:
    start = rises().loc[LONG].middle.groupby(PLACE[1:]).first()
    times = start["anew"] / start["as trained"]
    assert times.min() > 1
    assert times[times < 10].index.tolist() == [(56, "plain")]


def test_with_images_cropped_as_in_training_it_is_at_most_about_twice_as_high(cifar_root: Path) -> None:
    images = data.load("cifar10", "train", cifar_root).subset(128)
    for name in ("plain20-cifar10", "resnet20-cifar10", "plain56-cifar10", "resnet56-cifar10"):
        network, record = weights.load_network(name, 0, RESULTS)
        for seed in range(2):
            drawn = augment.sample(len(images.images), torch.Generator().manual_seed(seed))
            cropped = replace(images, images=augment.apply(images.images, drawn))
            batch = landscape.batch_of(cropped, record.mean, record.std)
            kept, anew = (landscape.loss_and_error(network, batch, each)[0] for each in (False, True))
            assert anew < 2.1 * kept


def test_half_a_step_away_the_median_of_the_deep_residual_network_is_little_more_than_half_of_its_twins() -> None:
    half = rises().loc[LONG].half.groupby(PLACE[1:]).median()
    assert 0.5 < half["anew", 56, "residual"] / half["anew", 56, "plain"] < 0.6


def test_pieces_of_walks_lead_down_as_trained_alone_and_around_plain_networks_alone() -> None:
    walks = rises().loc[LONG].loc["as trained"].xs("plain", level="kind")
    assert (len(walks), (walks.down > 0).sum()) == (20, 7)
    down = rises().loc[LONG].groupby(PLACE[1:]).down.sum()
    assert down["anew"].tolist() == [0, 0, 0, 0]
    assert [kind for (_, kind), count in down["as trained"].items() if count] == ["plain", "plain"]
    pieces = rises().loc[LONG].groupby(PLACE[1:]).pieces.sum()
    assert down["as trained"].xs("plain", level="kind").sum() == 8
    assert pieces["as trained"].xs("plain", level="kind").sum() == 90


def test_the_most_curved_direction_curves_more_than_twenty_thousand_times_as_much_as_a_random_one() -> None:
    found = curvatures().loc[LONG]
    assert min(row.top / np.mean(np.abs(row.random)) for row in found.itertuples()) > 2e4
    assert found.last_change.max() < 0.1
    assert {index[:2] for index in found.index} == {("anew", 20), ("as trained", 20), ("anew", 56)}


def test_along_the_eigenvector_the_loss_rises_most_around_the_deep_plain_network_and_far_less_than_foretold() -> None:
    slices = landscape_frames.slice_frame(landscapes())
    along = slices[(slices.direction == landscape_records.EIGENVECTOR) & (slices.statistics == "anew")]
    along = along[along.iterations == LONG]
    assert len(set(along.experiment)) == 4
    ends = along[along.step.abs() == 1].groupby(["depth", "kind"]).loss.mean()
    assert ends.idxmax() == (56, "plain")
    for name, walk in along.groupby("experiment"):
        one = landscape.random_direction(weights.load_network(name, 0, RESULTS)[0], 0)
        distance = landscape_records.EIGENVECTOR_SHARE * landscape.dot(one, one).sqrt().item()
        found = curvatures().loc[LONG].loc["anew"]
        foretold = found[found.experiment == name].top.item() * distance**2 / 2
        loss = walk.set_index("step").loss
        assert foretold > 30 * (loss[[-1.0, 1.0]].mean() - loss[0.0])
        sides = sorted(loss[[-1.0, 1.0]] - loss[0.0])
        assert (sides[0] < sides[1] / 20) == (name == "resnet20-cifar10")  # almost to one side only


def test_before_training_the_weights_lie_on_a_ridge_and_the_largest_eigenvalue_is_positive_from_then_on() -> None:
    assert way().columns.tolist() == [0, 100, 1000, 2000]
    assert way()[0].max() < -100
    assert way()[0]["plain"] < 5 * way()[0]["residual"]
    assert way()[[100, 1000, 2000]].min().min() > 0
    assert way().loc["plain", [100, 1000, 2000]].is_monotonic_increasing
    assert way()[1000]["residual"] < min(way()[100]["residual"], way()[2000]["residual"])


def test_along_a_random_direction_the_residual_valley_gets_flatter_at_first_then_both_get_deeper_and_steeper() -> None:
    slices = on_the_way(landscape_frames.slice_frame(landscapes()))
    by_step: Any = slices.pivot_table(index=["kind", "at"], columns="step", values="loss")
    bends = {
        kind: by_step.loc[kind].loc[:, [-0.2, 0.2]].mean(axis=1) - by_step.loc[kind][0.0]
        for kind in ("plain", "residual")
    }
    assert bends["residual"][0] > 4 * bends["plain"][0] > 0
    sides = by_step.loc["residual"].loc[:, [-1.0, 1.0]].mean(axis=1) - by_step.loc["residual"][0.0]
    assert sides[100] < sides[0] / 2
    for kind in ("plain", "residual"):
        loss = by_step.loc[kind].loc[[100, 1000, 2000]]
        assert loss[0.0].is_monotonic_decreasing
        assert all((loss[side] - loss[0.0]).is_monotonic_increasing for side in (-1.0, 1.0))


def test_between_two_seeds_there_is_a_barrier_of_3_4_nats_as_trained_and_1_6_measured_anew() -> None:
    lines = landscape_frames.line_frame(landscapes())
    loss = lines[lines.seeds == "two"].groupby(["kind", "statistics"]).loss
    barrier = loss.apply(lambda values: landscape.barrier(values.tolist())).loc["residual"]
    assert (round(barrier["as trained"], 1), round(barrier["anew"], 1)) == (3.4, 1.6)


# --- Chapter 10 ---


@cache
def signals() -> list[signal_records.SignalRecord]:
    every = signal_records.SIGNALS.read_all(RESULTS)
    return [each for each in every if each.experiment.endswith(("-cifar10", "-cifar10-short"))]


def in_training(rows: Any) -> Frame:
    """Rows of the recorded networks whose weights on the way were measured: all by the short recipe."""
    frame: Any = signal_figures.through_training(signal_figures.of_networks(signals(), rows))
    assert set(frame.recipe_iterations) == {SHORT}
    return frame


def growth(measure: str) -> Frame:
    """The first block's value over that of the last but one: a row an origin, depth and iteration, a column a kind."""
    blocks: Any = signal_figures.of_networks(signals(), "blocks")
    blocks = blocks[blocks.recipe_iterations == SHORT].sort_values("block")
    each = blocks.groupby(["origin", "depth", "iteration", "kind"])[measure]
    return each.agg(lambda values: values.iloc[0] / values.iloc[-2]).unstack("kind")


def through_the_repetition(measure: str) -> Frame:
    """The same of the repetitions alone: a row a depth and iteration."""
    return growth(measure).loc["along the way"]


def worth(depth: int) -> Frame:
    """The three cosines of gradients in the weights: a row an iteration, two columns (kinds) each."""
    rows = in_training("predictions").query("depth == @depth")
    return rows.pivot_table(index="iteration", columns="kind", values=["other_images", "after_step", "next"])


def likeness(depth: int) -> Frame:
    """Cosine of pixel gradients at pictures nearby, as in the chapter's figure: a row an iteration, a column a kind."""
    near = in_training("distances").query("distance == 0.01 and depth == @depth")
    return near.pivot_table(index="iteration", columns="kind", values="cosine")


@cache
def before_and_after() -> Frame:
    """The chapter's table of likeness and errors: a row a kind, depth and number of steps."""
    table = signal_figures.likeness_table(signals(), records.load_all(RESULTS), (0.01, 0.1))
    return table.droplevel("seed").reorder_levels(["kind", "depth", "steps"]).sort_index()


def test_untrained_plain_gradients_of_56_layers_have_no_likeness_and_residual_ones_far_more() -> None:
    before = before_and_after()["0.01, before"]
    assert before["plain", 56].abs().max() < 0.05
    assert 0.5 < before["residual", 56].min() < before["residual", 20].min()
    assert before["plain", 56].max() < before["plain", 20].min() < before["residual", 20].min()


def built_in(side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Built-in images as chapter 10 takes them, of one side in pixels, and their labels."""
    train = data.load("builtin", "train")
    small = torch.nn.functional.adaptive_avg_pool2d(train.images[:64].float(), side).round().to(torch.uint8)
    return augment.normalise(small, *augment.channel_mean_std(train.images)), train.labels[:64]


def test_untrained_on_the_built_in_images_the_seeds_of_pre_activation_and_residual_networks_mingle() -> None:
    images, labels = built_in()

    def cosine(seed: int, *, moved: bool) -> float:
        generator = torch.Generator().manual_seed(seed)
        network = (
            pre_activation.PreActivationNetwork(56, generator)
            if moved
            else models.narrow(56, residual=True)(generator=generator)
        )
        return signals_measured.shattering(network, (images[:32], labels[:32]), (0.01,), seed=100).cosine[0]

    ours, usual = ([cosine(seed, moved=moved) for seed in range(3)] for moved in (True, False))
    assert min(ours) < max(usual)
    assert min(usual) < max(ours)
    assert [round(each, 2) for each in (min(ours), max(ours), min(usual), max(usual))] == [0.70, 0.77, 0.72, 0.74]


def untrained_56(kind: str) -> list[models.Network]:
    """Of three seeds, as in the chapter."""
    return [
        models.narrow(56, residual=kind == "residual")(generator=torch.Generator().manual_seed(seed))
        for seed in range(3)
    ]


def held(network: models.Network, promise: float) -> float:
    """The cosine of gradients in convolutions before and after a step along the first, on built-in images."""
    batch = small_batches(32)[0]
    of = signals_measured.part(network, 4)
    before = signals_measured.gradient(network, batch) * of
    moved = signals_measured.after_a_step(network, -promise / before.norm() ** 2 * before)
    return torch.cosine_similarity(before, signals_measured.gradient(moved, batch) * of, dim=0).item()


def small_batches(size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Built-in images of 16 pixels a side in batches, as the chapter's training has them."""
    train = data.load("builtin", "train")
    few = torch.nn.functional.adaptive_avg_pool2d(train.images[:960].float(), 16).round().to(torch.uint8)
    pixels = augment.normalise(few, *augment.channel_mean_std(train.images))
    return list(zip(pixels.split(size), train.labels[:960].split(size), strict=True))


def test_the_deep_plain_gradient_holds_after_a_step_of_small_promise_and_the_residual_one_after_a_larger() -> None:
    plain, residual = (
        {promise: [held(each, promise) for each in untrained_56(kind)] for promise in (1, 0.1, 0.01)}
        for kind in ("plain", "residual")
    )
    assert min(residual[0.1]) > 0.92 > 0.35 > max(plain[0.1])
    assert all(one < other for one, other in zip(plain[0.1], residual[1], strict=True))  # of twins
    assert min(plain[0.01] + residual[0.01]) > 0.85
    assert 0.15 < min(plain[0.1]) < max(plain[0.1]) < 0.35  # 0.2 to 0.3
    batch = small_batches(32)[0]
    for kind in ("plain", "residual"):  # the first step that training takes
        for network in untrained_56(kind):
            promised = 0.1 * signals_measured.gradient(network, batch).norm().item() ** 2
            loss = torch.nn.functional.cross_entropy(network.train()(batch[0]), batch[1]).item()
            assert 2 < loss < 11
            assert promised > 8 * loss


def test_before_training_other_images_agree_about_the_classifier_and_hardly_in_the_convolutions() -> None:
    batches = small_batches(32)[:6]
    for network in untrained_56("residual"):
        found = signals_measured.agreement(network, batches)
        assert found["convolutions"] < 0.105 < 0.25 < found["all"]
        assert found["classifier"] > 0.9
        assert 0.25 < found["share"] < 0.45
    classifier = signals_measured.part(untrained_56("residual")[0], 2)
    assert classifier.sum() == 640
    assert classifier.shape == (853_018,)
    assert max(signals_measured.agreement(each, batches)["share"] for each in untrained_56("plain")) < 0.005


@pytest.mark.slow
def test_on_cifar10_the_classifier_is_most_of_the_residual_gradient_before_training(cifar_root: Path) -> None:
    train = data.load("cifar10", "train", cifar_root)
    pixels = augment.normalise(train.images[:768], *augment.channel_mean_std(train.images))
    batches = list(zip(pixels.split(128), train.labels[:768].split(128), strict=True))
    for depth, cosine in ((20, 0.5), (56, 0.4)):
        network = models.narrow(depth, residual=True)(generator=torch.Generator().manual_seed(0))
        found = signals_measured.agreement(network, batches)
        assert found["share"] > 0.5
        assert round(found["convolutions"], 1) == cosine


def test_with_last_norms_at_zero_16_of_64_channels_and_98362_weights_learn() -> None:
    network = starts.zero_last_norms(models.narrow(20, residual=True)(generator=torch.Generator().manual_seed(0)))
    images, labels = (each[:32] for each in built_in())
    for _ in range(3):
        step = -0.1 * signals_measured.gradient(network, (images, labels))
        network = signals_measured.after_a_step(network, step)
    gradient = signals_measured.gradient(network, (images, labels))
    assert gradient.shape == (269_722,)
    assert gradient.count_nonzero() == 98_362
    assert network.stages[-1][-1].layers[-1].weight.count_nonzero() == 16  # type: ignore[index, union-attr]


@pytest.mark.slow
def test_for_batches_of_twice_the_size_the_cosine_after_a_step_rises_and_the_others_do_by_about_their_spread() -> None:
    train = data.load("builtin", "train")
    statistics, few = augment.channel_mean_std(train.images), train.subset(960)
    small = torch.nn.functional.adaptive_avg_pool2d(few.images.float(), 16).round().to(torch.uint8)
    seen = replace(few, images=small)
    recipe = replace(catalogue.PAPER, iterations=60, drops=(), batch_size=32, padding=2)
    network = models.narrow(20, residual=True)(generator=torch.Generator().manual_seed(0))
    fit(network, seen, seen.subset(100), recipe)
    pixels, found, length = augment.normalise(small, *statistics), {}, {}
    for size in (32, 64):
        batches = list(zip(pixels.split(size), seen.labels.split(size), strict=True))[:14]
        found[size] = signals_measured.predictions(network, batches, 0.1).agg(["mean", "std"])
        length[size] = sum(signals_measured.gradient(network, each).norm() for each in batches)
    assert length[64] < 0.9 * length[32]
    assert [round(found[size].after_step["mean"], 2) for size in (32, 64)] == [0.98, 0.99]
    for column in ("other_images", "next"):
        rise = found[64][column]["mean"] - found[32][column]["mean"]
        assert round(rise, 1) == 0.1
        spread = [found[size][column]["std"] for size in (32, 64)]
        assert 0.5 * min(spread) < rise < 1.5 * max(spread)  # an Intel Xeon and an AMD EPYC round differently


def test_weights_on_the_way_are_of_repetitions() -> None:
    with_way = [each for each in signals() if any(stage.origin == "along the way" for stage in each.stages)]
    assert sorted(each.experiment for each in with_way) == [
        f"{name}-cifar10-short" for name in ("plain20", "plain56", "resnet20", "resnet56")
    ]
    for each in with_way:
        run = next(run for run in recorded() if (run.experiment, run.seed) == (each.experiment, each.seed))
        assert each.kept_by is not None
        assert each.kept_by.commit != run.parts[0].commit


def test_of_56_layers_the_gradient_shrinks_soon_in_the_plain_repetition_and_is_level_in_its_twin() -> None:
    found = through_the_repetition("gradient_norm")
    assert found.plain[56, 0] > 1_000
    assert max(found.plain[20, 0], found.residual[20, 0], found.residual[56, 0]) < 20
    assert found.plain[56].loc[10:].max() < 1
    assert found.plain[56].loc[[10, 100, SHORT]].max() < 0.2  # in the figure
    assert round(found.residual[56, 10]) == 48 == round(found.residual[56].max())
    assert found.residual[56, 100] == pytest.approx(1, abs=0.1)
    blocks = in_training("blocks").query("kind == 'residual' & depth == 56 & iteration == 100").sort_values("block")
    assert blocks.gradient_norm.iloc[-2] / blocks.gradient_norm.iloc[-1] == pytest.approx(1 / 20, rel=0.1)


def test_at_the_end_the_gradient_grows_in_the_twin_and_the_recorded_plain_run_and_not_in_its_repetition() -> None:
    found = growth("gradient_norm").xs(SHORT, level="iteration")
    assert found.plain["along the way", 56] < 0.2
    assert 3 < found.residual["along the way", 56] < 7
    record = found.loc["record", 56]
    assert 3 < min(record.plain, record.residual) < max(record.plain, record.residual) < 4  # about as much


@cache
def layers() -> Frame:
    """Of each layer: how many times its weights' first length, and how far a step at one rate moves it."""
    return signal_figures.with_moves(signal_figures.of_networks(signals(), "layers"))


def lengths_and_moves(kind: str, depth: int, iteration: int, origin: str = "along the way") -> Frame:
    """A row a layer, of the short training."""
    rows = layers().query("kind == @kind & depth == @depth & iteration == @iteration & origin == @origin")
    return rows[rows.recipe_iterations == SHORT].set_index("layer")


@cache
def less_than_shallow() -> Frame:
    """How many times less a step moves layers with 56 layers than with 20, as in the chapter's table of factors."""
    return signal_figures.factors(layers()[layers().depth == 56], layers()[layers().depth == 20])


@cache
def less_when_begun_gently() -> Frame:
    gentle = [each for each in signal_records.SIGNALS.read_all(RESULTS) if each.experiment.endswith("-short-warmup")]
    moves = signal_figures.with_moves(signal_figures.of_networks(gentle, "layers"))
    return signal_figures.factors(moves, layers()[layers().depth == 20])


NETWORKS = [(kind, depth) for kind in ("plain", "residual") for depth in (20, 56)]


def test_the_first_step_of_plain_56_is_ten_times_as_long_as_the_weights_it_moves() -> None:
    first = {each: lengths_and_moves(*each, 0).moved.max() for each in NETWORKS}
    assert first.pop(("plain", 56)) > 10
    assert max(first.values()) < 0.1


def test_a_hundred_steps_make_the_first_weights_of_plain_56_seventy_times_as_long_and_so_they_stay() -> None:
    longest = {each: lengths_and_moves(*each, 100).longer.max() for each in NETWORKS}
    assert 65 < longest["plain", 56] < 75
    assert 5 < longest["residual", 56] < 6
    assert max(longest["plain", 20], longest["residual", 20]) < 1.25
    for origin in ("along the way", "record"):
        assert lengths_and_moves("plain", 56, SHORT, origin).longer.max() > 60
    assert lengths_and_moves("plain", 56, SHORT).moved[:6].max() < 1e-6  # below a millionth, in the figure
    for kind in ("plain", "residual"):
        assert lengths_and_moves(kind, 56, 100).longer[37:].max() < 1.15  # hardly longer in the last layers


def test_in_the_first_stage_of_plain_56_it_is_the_length_and_soon_elsewhere_the_gradient() -> None:
    soon = less_than_shallow()[100, "along the way"]
    assert soon["length²"]["plain", 1] > 30 * soon.gradient["plain", 1]
    others = soon.drop(("plain", 1))
    assert (others.gradient > 3 * others["length²"]).all()
    end = less_than_shallow()[SHORT, "record"].loc["plain", 1]  # the example worked out
    assert round(end["length²"] ** 0.5) == 11
    assert round(end["length²"]) == 128
    assert round(end.gradient, 1) == 0.5
    assert round(end["product"], -1) == 60


def first_stage_moves_less(recipe: str, batches: int, cifar_root: Path) -> Any:
    """How many times less a step moves the first stage of the plain network of 56 layers, a batch of 64 a value."""
    train = data.load("cifar10", "train", cifar_root)
    logarithms: dict[int, list[float]] = {20: [], 56: []}
    for depth, each in logarithms.items():
        network, record = weights.load_network(f"plain{depth}-cifar10{recipe}", 0, RESULTS)
        for start in range(0, 64 * batches, 64):
            pixels = augment.normalise(train.images[start : start + 64], record.mean, record.std)
            rows = diagnostics.weight_gradients(network, pixels, train.labels[start : start + 64])
            rows = rows[rows.layer <= 1 + (depth - 2) // 3]
            each.append(np.log(rows.gradient_norm / rows.weight_norm).mean())
    return np.exp(np.subtract(logarithms[20], logarithms[56]))


def test_on_other_batches_a_step_moves_the_first_stage_of_plain_56_60_to_90_times_less(cifar_root: Path) -> None:
    times = first_stage_moves_less("-short", 4, cifar_root)
    assert [round(each, -1) for each in (times.min(), times.max())] == [60, 90]
    larger = less_than_shallow()[SHORT, "record"].loc["plain", 1]["length²"] / times
    assert 1.45 < larger.min() < larger.max() < 2.2


def test_after_the_long_training_another_batch_gives_other_factors(cifar_root: Path) -> None:
    one, other = first_stage_moves_less("", 2, cifar_root)
    assert other > 2 * one


def test_in_the_recorded_runs_it_passes_but_in_the_first_stage_of_plain_56() -> None:
    at_the_end = less_than_shallow()[SHORT, "record"]["product"].drop(("plain", 1))
    assert round(at_the_end.max()) == 6
    assert (at_the_end < less_than_shallow()[100, "along the way"]["product"].drop(("plain", 1))).all()


def test_after_the_long_training_weights_are_shorter_than_those_of_20_layers() -> None:
    assert less_than_shallow()[LONG, "record"]["length²"].max() < 1


def test_both_gentle_runs_end_below_the_usual_ones_and_far_above_the_twin_where_one_shows_no_gain() -> None:
    runs: Frame = tables.run_rows(recorded())
    runs = runs[runs.recipe.isin(["short", "short-warmup"]) & (runs.depth == 56)]
    test = runs.groupby(["kind", "recipe"]).test_error.agg(["mean", "min", "max", "count"])
    usual, gentle, twin = (
        test.loc[each] for each in (("plain", "short"), ("plain", "short-warmup"), ("residual", "short"))
    )
    assert (usual["count"], gentle["count"], comb(3 + 2, 2)) == (3, 2, 10)  # once in ten times
    assert round(usual["mean"] - gentle["mean"]) == 7
    assert round(gentle["mean"] - twin["mean"]) == 20
    lag = usual["mean"] - twin["mean"]
    assert round(lag) == 28
    seed_2 = runs.query("kind == 'plain' & recipe == 'short' & seed == 2").test_error.item()
    assert [round(each - gentle["mean"]) for each in (seed_2, 81.6)] == [3, 20]  # of newer code
    assert gentle["max"] < usual["min"]
    assert twin["min"] < test["min"]["residual", "short-warmup"] < twin["max"]  # one run
    assert 0.7 < (gentle["mean"] - twin["mean"]) / lag < 0.78
    for column in ("train_error", "test_error"):
        each = runs.groupby(["kind", "recipe"])[column].agg(["min", "max"])
        assert each["max"]["plain", "short-warmup"] < each["min"]["plain", "short"]
        assert each["min"]["residual", "short"] < each["min"]["residual", "short-warmup"]
        assert each["max"]["residual", "short-warmup"] <= each["max"]["residual", "short"]
    assert (round(usual["min"], 1), round(usual["max"], 1)) == (64.7, 71.4)


def test_begun_gently_the_plain_weights_hardly_get_longer_and_a_step_moves_the_first_stage() -> None:
    end = less_when_begun_gently()[SHORT, "record"].loc["plain"]
    assert end["length²"].max() < 1.2
    assert round(end["product"][1], 1) == 2.5


def test_of_the_deep_plain_runs_that_of_seed_0_without_a_gentle_start_alone_is_of_older_code() -> None:
    runs = [each for each in recorded() if each.experiment.startswith("plain56-cifar10-short")]
    older = [
        (each.experiment, each.seed) for each in runs if (each.parts[0].commit or "").startswith(SAMPLED_BATCH_BY_BATCH)
    ]
    assert older == [("plain56-cifar10-short", 0)]
    assert len(runs) == 5
    pair = [each.test_error for each in runs if each.seed == 1]
    assert sorted(round(each, 1) for each in pair) == [61.1, 69.4]


def test_after_some_dozens_of_steps_the_plain_networks_pixel_gradients_are_nearly_as_alike_as_their_twins() -> None:
    for depth in (20, 56):
        assert likeness(depth).plain[0] < likeness(depth).residual[0] - 0.3
        assert likeness(depth).loc[[30, 100]].min(axis=None) > 0.97


def test_after_the_short_training_none_is_noise() -> None:
    assert before_and_after()["0.01, after"].unstack("steps")[SHORT].min() > 0.9


def test_after_the_long_training_most_pictures_have_hardly_a_loss_and_their_gradient_is_that_of_others(
    cifar_root: Path,
) -> None:
    train = data.load("cifar10", "train", cifar_root)
    labels = train.labels[:64]
    for name in ("plain20-cifar10", "resnet20-cifar10", "plain56-cifar10", "resnet56-cifar10"):
        network, record = weights.load_network(name, 0, RESULTS)
        pixels = augment.normalise(train.images[:64], record.mean, record.std).requires_grad_()
        whole = signals_measured.pixel_gradients(network, (pixels, labels)).flatten(1).norm(dim=1)
        losses = torch.nn.functional.cross_entropy(network.train()(pixels), labels, reduction="none")
        low = (losses < 0.01).nonzero().flatten().tolist()
        assert len(low) > 0.7 * 64
        own = [torch.autograd.grad(losses[k], pixels, retain_graph=True)[0][k].norm() / 64 for k in low[:9]]
        assert (torch.stack(own) / whole[low[:9]]).median() < 0.02


def test_at_ten_times_the_noise_gradients_agree_after_the_short_training_and_in_the_bad_run_not_always() -> None:
    table = before_and_after()[["0.1, before", "0.1, after"]].xs(SHORT, level="steps")
    assert (table["0.1, after"] > table["0.1, before"]).all()
    assert [round(table["0.1, after"][kind, 56], 1) for kind in ("plain", "residual")] == [0.9, 0.9]
    bad = (
        in_training("distances").query("distance == 0.1 & kind == 'plain' & depth == 56").set_index("iteration").cosine
    )
    assert [round(bad[iteration], 2) for iteration in (1_000, SHORT)] == [-0.58, 0.95]


def test_after_training_the_deep_twins_are_as_smooth_and_the_plain_one_makes_far_more_mistakes() -> None:
    for steps in (SHORT, LONG):
        plain, residual = (before_and_after().loc[kind, 56, steps] for kind in ("plain", "residual"))
        assert abs(plain["0.01, after"] - residual["0.01, after"]) < 0.02
        assert plain["0.1, after"] > residual["0.1, after"]
        for error in ("training error (%)", "test error (%)"):
            assert plain[error] > 1.5 * residual[error]


def test_before_training_other_images_agree_well_in_residual_networks_and_no_gradient_holds_after_a_step() -> None:
    for depth in (20, 56):
        first = worth(depth).loc[0]
        assert first["other_images"].plain < 0.2 < 0.8 < first["other_images"].residual
        assert first["after_step"].plain < 0.1
        assert first["after_step"].residual < 0.1


def test_a_hundred_steps_later_other_images_spoil_it_and_at_the_end_they_agree_within_the_spread_of_three_pairs() -> (
    None
):
    for depth in (20, 56):
        assert worth(depth).after_step.loc[100].min() > 0.9
        assert worth(depth).other_images.loc[100].max() < 0.3
        assert worth(depth).after_step.loc[SHORT].min() > 0.95
        end = in_training("predictions").query("depth == @depth & iteration == 2_000").groupby("kind")
        for column in ("other_images", "next"):
            assert (end[column].mean().abs() < end[column].std()).all()
    assert worth(56).other_images.loc[10:].max(axis=None) < 0.35


def test_beside_the_weights_the_step_at_one_rate_shrinks_in_a_hundred_steps_to_a_fifth_with_56_layers() -> None:
    for kind in ("plain", "residual"):
        shrunk = lengths_and_moves(kind, 56, 100).moved / lengths_and_moves(kind, 56, 0).moved
        assert shrunk.max() < 0.2


def test_the_learning_rates_on_the_way_are_those_of_the_short_recipe() -> None:
    for each in signals():
        rates = {stage.iteration: stage.learning_rate for stage in each.stages}
        if 100 in rates:
            assert rates[0] == rates[100] == pytest.approx(0.1)
            assert rates[1_000] == pytest.approx(0.01)
            assert rates[1_500] == rates[2_000] == pytest.approx(0.001)


# --- Chapter 5 ---


@cache
def recorded() -> list[records.Record]:
    return records.load_all(RESULTS)


@cache
def summaries() -> Frame:
    return tables.summary(recorded()).set_index("experiment")


def mean_error(experiment: str, first: int, last: int) -> float:
    """Mean test error (%) of all runs after the iteration ``first`` until ``last``."""
    frame = tables.curves([each for each in recorded() if each.experiment == experiment])
    return frame[(frame.iteration > first) & (frame.iteration <= last)].test_error.mean()


PARTS = ("no-drops", "no-momentum", "no-decay", "no-augmentation")


def standard_error(errors: np.ndarray) -> np.ndarray:
    """As chapter 5: by chance, of the difference between the means of two recipes; errors: (..., recipes, seeds)."""
    recipes, seeds = errors.shape[-2:]
    left = errors - errors.mean(axis=-1, keepdims=True)
    return np.sqrt((left**2).sum(axis=(-2, -1)) / (recipes * (seeds - 1)) * 2 / seeds)


@cache
def farthest(parts: int, seeds: int) -> np.ndarray:
    """As chapter 5: in draws by luck, standard errors that the farthest mean of so many recipes is off."""
    errors = np.random.default_rng(1).normal(size=(200_000, 1 + parts, seeds))
    means = errors.mean(axis=2)
    return np.abs(means[:, 1:] - means[:, :1]).max(axis=1) / standard_error(errors)


def luck_limit(parts: int, seeds: int) -> float:
    return float(np.quantile(farthest(parts, seeds), 0.95))


def ablations() -> Frame:
    """Test errors (%) of ``resnet20``: a row for ``short`` and each recipe without a part, a column a seed."""
    runs: Frame = tables.run_rows([each for each in recorded() if each.experiment.startswith("resnet20-cifar10-")])
    return runs.pivot_table(index="recipe", columns="seed", values="test_error").loc[["short", *PARTS]].dropna(axis=1)


def test_momentum_is_missed_augmentation_is_not_and_of_drops_and_decay_nothing_can_be_said() -> None:
    errors = ablations()
    assert errors.columns.tolist() == [0, 1, 2]
    limit = luck_limit(4, 3) * float(standard_error(errors.to_numpy()))
    change = (errors - errors.loc["short"]).drop("short")
    assert 2.8 * limit < change.mean(axis=1)["no-momentum"] < 3.2 * limit
    assert -1.15 * limit < change.mean(axis=1)["no-augmentation"] < -limit
    assert change.loc["no-augmentation"].round(1).tolist() == [-3.0, -2.9, -3.6]
    assert change.mean(axis=1)[["no-drops", "no-decay"]].abs().max() < limit
    assert change.mean(axis=1).round().astype(int)[["no-momentum", "no-augmentation"]].tolist() == [9, -3]


def test_chance_is_not_as_large_by_all_recipes_and_with_a_row_left_out_the_limit_is_between_2_3_and_3_2() -> None:
    errors = ablations()
    ranges = errors.max(axis=1) - errors.min(axis=1)
    assert [round(ranges[name], 1) for name in ("no-momentum", "no-drops")] == [0.2, 3.4]
    limits = [luck_limit(3, 3) * float(standard_error(errors.drop(part).to_numpy())) for part in PARTS]
    assert [round(each, 1) for each in (min(limits), max(limits))] == [2.3, 3.2]


def test_two_standard_errors_are_the_limit_of_one_part_with_many_seeds_and_all_get_farther_with_few() -> None:
    assert 1.9 < luck_limit(1, 100) < 2.1
    assert luck_limit(1, 2) > luck_limit(1, 3) > luck_limit(1, 100)
    assert luck_limit(4, 3) > luck_limit(4, 10) > luck_limit(1, 100)
    assert luck_limit(1, 4) * np.sqrt(2 / 4) < 1.9 < 2.1 < luck_limit(1, 3) * np.sqrt(2 / 3)  # exercise 3


def test_in_the_valley_momentum_changes_sides_every_two_or_three_steps_and_gets_to_the_bottom_in_ten() -> None:
    def descend(rate: float, momentum: float, steps: int = 25) -> np.ndarray:
        position, velocity, steep = np.array([10.0, 1.0]), np.zeros(2), np.array([1.0, 50.0])
        path = [position]
        for _ in range(steps):
            velocity = momentum * velocity + steep * position
            position = position - rate * velocity
            path.append(position)
        return np.array(path)

    plain, with_momentum = descend(0.03, 0.0), descend(0.03, 0.9)
    np.testing.assert_allclose(plain[1:, 1] / plain[:-1, 1], -0.5)
    assert 0.4 < plain[25, 0] / plain[0, 0] < 0.6
    changes = np.flatnonzero(np.diff(np.sign(with_momentum[:, 1])))
    assert set(np.diff(changes)) == {2, 3}
    assert np.abs(with_momentum[:, 1]).argmax() == 2
    assert with_momentum[2, 1] < -1
    assert abs(with_momentum[25, 1]) > 0.2
    assert abs(with_momentum[10, 0]) < 1 < -with_momentum[:, 0].min()
    far = {rate: np.abs(descend(rate, 0.9, 3_000)[-10:, 1]).max() for rate in (0.0755, 0.0765)}
    assert far[0.0755] < 1e-3
    assert far[0.0765] > 1e3
    near = np.sign(descend(0.0759, 0.9, 8)[:, 1])
    assert (near[1:] == -near[:-1]).all()


def test_the_first_drop_takes_off_two_fifths_most_of_it_at_once_and_the_second_a_quarter_of_a_point() -> None:
    name = "resnet20-cifar10"
    assert summaries().loc[name].runs == 1
    before, after, at_once = (
        mean_error(name, *when) for when in ((30_000, 32_000), (32_500, 34_500), (32_000, 32_400))
    )
    assert 0.57 < after / before < 0.62
    assert before - at_once > 0.9 * (before - after)
    # Much of what the second takes off, the error had crept up by since the first.
    fall = mean_error(name, 46_000, 48_000) - mean_error(name, 48_500, 50_500)
    assert 0.2 < fall < 0.3
    paper = tables.curves([each for each in recorded() if each.experiment == name])
    between = paper[(paper.iteration > 32_400) & (paper.iteration <= 48_000)]
    crept = np.polyfit(between.iteration, between.test_error, 1)[0] * 16_000
    assert 0.5 * fall < crept < fall
    halves = [mean_error(name, *when) for when in ((32_400, 40_000), (40_000, 48_000))]
    assert halves[0] < halves[1]


def test_runs_by_one_recipe_lie_points_apart_before_the_first_drop_and_those_with_drops_are_ahead_after_it() -> None:
    curves: Frame = tables.curves([each for each in recorded() if each.experiment.startswith("resnet20-cifar10")])
    curves = curves[curves.recipe.isin(["short", "no-drops"])]
    before = curves[curves.iteration <= 1_000].groupby("iteration").test_error
    assert (before.agg(np.ptp) > 4).all()
    assert set(before.size()) == {6}
    by_recipe: Frame = curves.pivot_table(index="iteration", columns="recipe", values="test_error")
    after = by_recipe[by_recipe.index > 1_000]
    assert after["no-drops"].loc[1_170] > after["short"].loc[1_170] + 5
    last: Frame = curves[curves.iteration == SHORT].pivot_table(index="seed", columns="recipe", values="test_error")
    assert last["short"].min() < last["no-drops"].max()
    assert last["no-drops"].min() < last["short"].max()


def test_before_the_first_drop_no_training_error_lies_between_the_two_of_another_seed_though_test_errors_do() -> None:
    curves: Frame = tables.curves([each for each in recorded() if each.experiment.startswith("resnet20-cifar10")])
    curves = curves[curves.recipe.isin(["short", "no-drops"])].set_index("iteration")
    for iteration in (390, 780):
        of_seed: Frame = (
            curves.loc[iteration].groupby("seed").train_error.agg(["min", "max", "size"]).sort_values("min")
        )
        assert of_seed["size"].tolist() == [2, 2, 2]
        assert (of_seed["max"].iloc[:-1].to_numpy() < of_seed["min"].iloc[1:].to_numpy()).all()
    assert curves.loc[390].groupby("seed").test_error.agg(np.ptp).between(4, 5).all()


def test_without_drops_a_part_of_the_test_error_is_of_statistics_that_lag_and_by_short_with_seed_0_none() -> None:
    def whole(name: str, seed: int) -> tuple[float, float]:
        record = lesion_records.LESIONS.read(f"resnet20-cifar10-{name}", seed, RESULTS)
        assert record
        row = record.cut_frame.query("kind == 'nothing'").iloc[0]
        return row.error, row.error_anew

    as_trained, by_short = whole("short", 0)
    assert abs(by_short - as_trained) < 0.2
    found = [whole("no-drops", seed) for seed in range(3)]
    assert [1.3 < kept - anew < 3.2 for kept, anew in found] == [True] * 3
    assert max(anew for _, anew in found) < by_short - 2
    runs: Frame = tables.run_rows([each for each in recorded() if each.experiment.startswith("resnet20-cifar10-")])
    training = runs.pivot_table(index="seed", columns="recipe", values="train_error")  # of the last whole epoch
    assert (training["no-drops"] < training["short"]).all()
    assert len(training["no-drops"].dropna()) == 3


def test_at_the_first_drop_the_training_error_falls_from_8_0_to_5_1_percent_at_once_and_to_3_2_within_four_epochs() -> (
    None
):
    paper = tables.curves([each for each in recorded() if each.experiment == "resnet20-cifar10"])
    before, *after = paper.set_index("iteration").train_error.loc[31_980:33_600]
    assert [round(each, 1) for each in (before, after[0], after[3])] == [8.0, 5.1, 3.2]
    last = paper[paper.iteration % 390 == 0].iloc[-1]
    assert round(last.test_error - last.train_error) == 8


def test_weights_of_all_convolutions_grow_in_short_training_and_with_decay_they_grow_less() -> None:
    def length(network: models.Network) -> torch.Tensor:
        return torch.stack([each.weight.detach().norm() for _, each, _ in diagnostics.layers_3x3(network)])

    grown = {}
    for name in ("short", "no-decay"):
        network, record = weights.load_network(f"resnet20-cifar10-{name}", results=RESULTS)
        grown[name] = length(network) / length(weights.untrained(record))
        assert (grown[name] > 1).all()
    shares = grown["short"] / grown["no-decay"]
    assert (shares < 1).all()
    assert 1.15 < shares.median() ** -2 < 1.25
    rates = sum(catalogue.SHORT.learning_rate_at(iteration) for iteration in range(SHORT))
    alone = np.exp(-rates * catalogue.SHORT.weight_decay / (1 - catalogue.SHORT.momentum))
    assert alone == pytest.approx(0.90, abs=0.005)
    assert shares.median().item() == pytest.approx(alone, abs=0.02)


def test_tested_as_the_test_images_are_the_training_images_leave_gaps_of_about_one_and_five_points(
    cifar_root: Path,
) -> None:
    few = data.load("cifar10", "train", cifar_root).subset(10_000)  # of 50,000, which take minutes
    for name, error, gap in (("short", 23.5, 1), ("no-augmentation", 17, 5)):
        network, record = weights.load_network(f"resnet20-cifar10-{name}", 0, RESULTS)
        found = evaluate(network, few, record.mean, record.std, device="cpu", precision="float32", batch_size=500)
        assert found[1] == pytest.approx(error, abs=0.8)  # two standard errors
        assert record.test_error - found[1] == pytest.approx(gap, abs=0.8)


def test_a_short_training_has_a_gap_of_four_points_without_augmentation_and_below_one_with_it() -> None:
    curves = tables.curves([each for each in recorded() if each.experiment.startswith("resnet20-cifar10")])
    whole = curves[curves.iteration % 390 == 0].groupby(["recipe", "seed"]).tail(1).set_index("recipe")
    gap = whole.test_error - whole.train_error
    assert len(gap["short"]) == 3
    assert gap["short"].between(0, 1).all()
    assert gap["no-augmentation"].between(3.2, 4.5).all()
    assert whole.test_error["no-augmentation"].max() < whole.test_error["short"].min()
    assert whole.train_error["paper"] < 1
    assert gap["paper"] > 0.8 * whole.test_error["paper"]


# --- The appendix to chapter 5: untrained networks, and drawings of 16x16 pixels ---


@cache
def small_drawings() -> tuple[torch.Tensor, torch.Tensor]:
    """64 images (64, 3, 16, 16) float32, and their labels."""
    few = data.load("builtin", "train").subset(64)
    halved = torch.nn.functional.avg_pool2d(few.images.float(), 2).round().to(torch.uint8)
    return augment.normalise(halved, *augment.channel_mean_std(halved)), few.labels


def of_seed(seed: int, depth: int, residual: bool = True) -> models.Network:
    return models.narrow(depth, residual)(generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def sizes_without_norm(seed: int, depth: int, residual: bool, padding: str = "zeros") -> torch.Tensor:
    """Root mean square of each block's output."""
    network, found = starts.without_batch_norm(of_seed(seed, depth, residual)), list[torch.Tensor]()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.padding_mode = padding  # type: ignore[assignment]
    x = network.stem(small_drawings()[0])
    for _, block in diagnostics.blocks(network):
        x = block(x)
        found.append(x.square().mean().sqrt())
    return torch.stack(found)


def test_without_batch_norm_a_residual_block_about_doubles_the_mean_square_and_most_plain_ones_lose_some() -> None:
    grown, plain = sizes_without_norm(0, 56, True), sizes_without_norm(0, 56, False)
    assert 1.8 < (grown[-1] / grown[0]).square() ** (1 / 26) < 2.2
    assert (plain[1:] < plain[:-1]).float().mean() > 0.75


def test_without_batch_norm_a_branch_adds_up_to_twice_what_comes_in_and_relu_and_borders_take_a_part() -> None:
    added, left = dict[str, float](), dict[str, float]()
    for padding in ("zeros", "circular"):
        network, branches, outputs = starts.without_batch_norm(of_seed(0, 56)), list[float](), list[float]()
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.padding_mode = padding  # type: ignore[assignment]
        with torch.no_grad():
            x = network.stem(small_drawings()[0])
            for _, block in diagnostics.blocks(network):
                assert isinstance(block, models.ResidualBlock)
                branch, y = block.layers(x), block(x)
                if y.shape == x.shape:
                    branches.append((branch.square().mean() / x.square().mean()).item())
                    outputs.append((y.square().mean() / x.square().mean()).item())
                x = y
        added[padding], left[padding] = (float(np.exp(np.log(each).mean())) for each in (branches, outputs))
    assert 1.3 < added["zeros"] < 1.7 < added["circular"] < 2.1
    for padding in added:
        assert 1.8 < left[padding] < 1 + added[padding] - 0.3


def test_plain_layers_lose_less_of_the_signal_with_circular_padding_with_each_of_three_seeds() -> None:
    for seed in range(3):
        zeros, circular = (
            (sizes[-1] / sizes[0]) ** (1 / 16)
            for sizes in (sizes_without_norm(seed, 20, False, padding) for padding in ("zeros", "circular"))
        )
        assert 0.85 < zeros < circular - 0.02 < 1 - 0.02


def test_with_batch_norm_the_mean_square_of_a_residual_network_grows_evenly_within_a_stage() -> None:
    x, stages = (network := of_seed(0, 56)).stem(small_drawings()[0]), list[list[float]]()
    for name, block in diagnostics.blocks(network):
        x = block(x)
        if name.endswith(".0"):
            stages.append([])
        stages[-1].append(x.square().mean().item())
    for first, second in pairwise(stages):
        assert second[0] < first[-1]  # half of the channels are new, and zero
    for squares in stages:
        assert 0.4 < np.diff(squares).min() < np.diff(squares).max() < 1.2


def first_step(seed: int, depth: int, variance: float) -> tuple[list[float], float, float, float]:
    """Losses before, after 0.1 and after 0.01; root mean square of features, of common errors; move against scores."""
    images, labels = small_drawings()
    features = (network := of_seed(seed, depth)).features(images).detach()
    scores = variance**0.5 * network.classifier(features).detach()
    errors = scores.softmax(dim=1) - torch.nn.functional.one_hot(labels, 10)
    move = -features @ features.T @ errors / len(features)
    losses = [torch.nn.functional.cross_entropy(scores + rate * move, labels).item() for rate in (0, 0.1, 0.01)]
    size, common = (each.square().mean().sqrt().item() for each in (features, errors.mean(0)))
    return losses, size, common, 0.1 * (move.norm() / scores.norm()).item()


def test_the_classifiers_first_step_helps_20_layers_and_harms_110_by_larger_features_with_each_seed_and_variance() -> (
    None
):
    features, common, moved, by_seed = dict[int, Any](), dict[Any, Any](), dict[Any, Any](), dict[Any, Any]()
    for variance, depth in product((1, 1 / 6), (20, 56, 110)):
        losses, *means = zip(*(first_step(seed, depth, variance) for seed in range(4)), strict=True)
        features[depth], common[variance, depth], moved[variance, depth] = np.mean(means, axis=1)
        by_seed[variance, depth] = np.array(means[2])
        for before, after, gently in losses:
            assert before > log(10)
            assert gently < before
            assert (after > before) == (depth == 110 or (depth == 56 and variance < 1))
    assert features[110] / features[56] == pytest.approx(1.5, abs=0.05)
    for variance, most in ((1, 1), (1 / 6, 1.25)):
        assert common[variance, 110] < most * common[variance, 56]
        assert moved[variance, 20] < moved[variance, 56] < moved[variance, 110]
        assert (by_seed[variance, 20] < by_seed[variance, 56]).all()
        assert not (by_seed[variance, 56] < by_seed[variance, 110]).all()


def test_blocks_that_begin_as_the_identity_make_the_first_step_of_110_layers_as_short_as_that_of_20() -> None:
    images, labels = small_drawings()

    def moved(seed: int, depth: int) -> float:
        for _, block in diagnostics.blocks(network := of_seed(seed, depth)):
            if isinstance(block.shortcut, torch.nn.Identity):
                torch.nn.init.zeros_(block.layers[-1].weight)  # type: ignore[union-attr, index, arg-type]
        features = network.features(images).detach()
        scores = network.classifier(features).detach()
        errors = scores.softmax(dim=1) - torch.nn.functional.one_hot(labels, 10)
        return ((0.1 * features @ features.T @ errors / len(features)).norm() / scores.norm()).item()

    assert {depth: np.mean([moved(seed, depth) for seed in range(4)]) for depth in (20, 110)} == pytest.approx(
        {20: 1 / 4, 110: 1 / 4}, abs=0.03
    )


def test_noise_with_momentum_settles_at_nearly_the_level_of_ten_times_the_rate_and_no_sooner() -> None:
    def jitter(rate: float, momentum: float) -> list[float]:
        generator = torch.Generator().manual_seed(0)
        weight, velocity, sizes = torch.full((1_000,), 5.0), torch.zeros(1_000), list[float]()
        for _ in range(1_000):
            velocity = momentum * velocity + weight + torch.randn(1_000, generator=generator)
            weight = weight - rate * velocity
            sizes.append(weight.square().mean().sqrt().item())
        return sizes

    heavy, fast, slow = jitter(0.01, 0.9), jitter(0.1, 0), jitter(0.01, 0)
    assert np.mean(heavy[-200:]) == pytest.approx(np.mean(fast[-200:]), rel=0.05)
    assert fast[30] < heavy[30] < slow[30]
    assert slow[-1] < heavy[-1] / 2


def test_most_of_the_overshoot_of_110_layers_comes_with_the_classifiers_steps() -> None:
    images, labels = small_drawings()

    def peak(frozen: bool) -> float:
        network, losses = of_seed(0, 110), list[float]()
        network.classifier.requires_grad_(not frozen)
        learning = [each for each in network.parameters() if each.requires_grad]
        optimizer = torch.optim.SGD(learning, 0.1, 0.9, weight_decay=1e-4)
        for step in range(4):
            batch = slice(16 * step, 16 * step + 16)
            loss = torch.nn.functional.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return max(losses) / losses[0]

    assert peak(frozen=True) - 1 < 0.3 * (peak(frozen=False) - 1)


# --- The appendix to chapter 6 ---

PRECISIONS = "resnet20-cifar10-short", "resnet20-cifar10-short-bfloat16"


def test_between_precisions_no_effect_was_found_in_three_short_runs_of_each() -> None:
    fine, coarse = (summaries().loc[f"resnet20-cifar10-short{end}"] for end in ("", "-bfloat16"))
    assert (fine.runs, coarse.runs) == (3, 3)
    assert fine.iterations == coarse.iterations == LONG / 32
    change, error = tables.change(coarse, fine)
    assert abs(change) < 0.6 * tables.by_chance(3, 3) * error


def test_bfloat16_was_lower_with_each_seed_most_with_seed_0_whose_float32_is_of_older_code_and_not_compiled() -> None:
    runs = {(each.precision, each.seed): each for each in recorded() if each.experiment in PRECISIONS}
    assert set(runs) == {(precision, seed) for precision in ("float32", "bfloat16") for seed in range(3)}
    lower = [runs["float32", seed].test_error - runs["bfloat16", seed].test_error for seed in range(3)]
    assert min(lower) > 0
    assert max(lower) == lower[0]
    assert [key for key, each in runs.items() if not each.compiled] == [("float32", 0)]
    # Its crops and flips were sampled batch by batch, those of the others for a whole epoch.
    assert [key for key, each in runs.items() if (each.parts[0].commit or "").startswith("5a1990d")] == [("float32", 0)]


def test_by_the_papers_recipe_no_network_is_recorded_in_both_precisions() -> None:
    float32 = {each.experiment for each in recorded() if each.precision == "float32"}
    assert not float32 & {"resnet20-cifar10-float32", "resnet56-cifar10-float32"}


# --- Chapter 7 and its appendix ---


def test_what_shortcuts_alone_hand_on_fills_64_of_512_features_without_projections_and_practically_all_with_them() -> (
    None
):
    noise = torch.randn(72, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for shortcut, least, most in (("average", 64, 64), ("projection", 510, 512)):
        network = models.untrained("resnet34", shortcut=shortcut)
        for block in network.modules():
            if isinstance(block, models.ResidualBlock):
                torch.nn.init.zeros_(block.layers[-1].weight)  # type: ignore[arg-type]
        update_bn([noise[8:]], network)
        with torch.no_grad():
            filled = (network.eval().features(noise[:8]) != 0).sum(dim=1)
        assert least <= filled.min() <= filled.max() <= most


def test_one_short_run_each_puts_plain_before_projections_before_zeros_in_training_error_as_well() -> None:
    order = ["plain10-cifar10-short", "resnet10-cifar10-short-projection", "resnet10-cifar10-short"]
    three = summaries().loc[order]
    assert three.runs.tolist() == [1, 1, 1]
    assert three.test_error.is_monotonic_increasing
    assert three.train_error.is_monotonic_increasing


def test_differences_of_short_wide_runs_are_below_what_seeds_of_resnet20_do_but_in_float32_one_is_little_above() -> (
    None
):
    names = ["plain10-cifar10-short", "resnet10-cifar10-short-projection", "resnet10-cifar10-short"]
    plain, projections, zeros = summaries().test_error[names]
    assert {each.precision for each in recorded() if each.experiment in names} == {"bfloat16"}
    of_seeds = summaries().loc[["resnet20-cifar10-short-bfloat16", "resnet20-cifar10-short"]]
    assert of_seeds.runs.tolist() == [3, 3]
    assert of_seeds.iterations.max() < summaries().iterations[names].min()
    luck, in_float32 = 2 * 2**0.5 * of_seeds.test_std
    assert max(zeros - plain, zeros - projections, projections - plain) < luck
    assert max(zeros - projections, projections - plain) < in_float32 < zeros - plain < 1.2 * in_float32
    for one, other in ((zeros, plain), (zeros, projections), (projections, plain)):
        assert one - other > 2 * hypot(*map(wide_tables.standard_error, (one, other)))  # by the images alone


def test_after_nine_epochs_plain_and_residual_are_level_on_cifar100() -> None:
    plain, residual = summaries().test_error[["plain10-cifar100-short", "resnet10-cifar100-short"]]
    assert abs(plain - residual) < hypot(*map(wide_tables.standard_error, (plain, residual)))


def test_no_wide_network_is_recorded_by_the_long_recipe_and_by_the_short_one_none_of_more_than_ten_layers() -> None:
    wide = summaries()[summaries().model.isin([*catalogue.WIDE_NETWORKS, *catalogue.BOTTLENECKS])]
    assert set(wide.recipe) == {"short"}
    assert set(wide.depth) == {10}
    assert set(wide.runs) == {1}


def quarters() -> Frame:
    """A row a recorded run of a network of a quarter of the width, on CIFAR-10."""
    runs: Frame = tables.run_rows(recorded())
    return runs[runs.model.isin(catalogue.QUARTERS) & (runs.dataset == "cifar10")]


@pytest.mark.parametrize("column", ["train_error", "test_error"])
def test_at_a_quarter_of_the_width_the_gap_opens_with_depth_and_34_plain_layers_fail_to_fit(column: str) -> None:
    error: Frame = quarters().pivot_table(index="depth", columns="kind", values=column)
    assert error.index.tolist() == [10, 18, 34]
    gap = error.plain - error.residual
    assert abs(gap[10]) < 1
    assert round(gap[18]) == 5
    each: Frame = quarters().query("depth == 34").pivot_table(index="seed", columns="kind", values=column)
    assert [round(twins.plain - twins.residual) for twins in each.itertuples()] == {
        "train_error": [28, 20],
        "test_error": [26, 19],
    }[column]
    steps = {kind: error[kind].diff().dropna().tolist() for kind in error}
    assert 1.5 < steps["plain"][0] < 3
    assert round(steps["residual"][0]) == -3
    if column == "test_error":
        assert round(steps["residual"][1]) == 8
        assert round(each.plain[0] - each.plain[1]) == 8
    assert each.plain.min() - error.plain[18] > 20
    assert steps["plain"][1] > 2.5 * steps["residual"][1] > 0
    assert 45 < error.plain[34] < 55
    assert 1.7 < error.plain[34] / error.residual[34] < 2
    assert round(error.plain[10], -1) == 20
    assert gap[18] > 2 * 2**0.5 * summaries().test_std["resnet20-cifar10-short-bfloat16"]  # the larger yardstick


def test_one_core_trains_a_network_of_a_quarter_of_the_width_in_nine_minutes_to_an_hour() -> None:
    runs = [each for each in recorded() if each.experiment in set(quarters().experiment)]
    assert all(each.parts[-1].threads == 1 and each.parts[-1].precision == "float32" for each in runs)
    assert 8 < min(each.seconds for each in runs) / 60 < 9
    assert 45 < max(each.seconds for each in runs) / 60 < 60
    work = [models.count_operations(name) for name in ("resnet34-quarter", "resnet34")]
    assert 1 / 17 < work[0] / work[1] < 1 / 15


def published_gaps() -> Frame:
    return wide_tables.gaps(wide_tables.published_errors()).set_index(["dataset", "depth"])


def test_at_18_layers_on_cifar10_a_gap_of_up_to_eight_tenths_would_fit_the_published_errors() -> None:
    there = published_gaps().loc["cifar10"].loc[18]
    assert round(there.gap + 2 * there.standard_error, 1) == 0.8


def test_the_published_gap_is_chance_at_10_layers_and_sure_from_34_on_but_at_18_sure_on_cifar100_only() -> None:
    sure = (published_gaps().gap / published_gaps().standard_error).unstack("dataset")
    assert sure.loc[10].abs().max() < 1
    assert sure.cifar10[18] < 1
    assert sure.cifar100[18] > 4
    assert sure.loc[34:].min().min() > 6


def test_the_published_gap_opens_from_18_to_34_layers_mostly_as_plain_networks_get_worse_and_residual_not() -> None:
    for name in ("cifar10", "cifar100"):
        change = published_gaps().loc[name].loc[34] - published_gaps().loc[name].loc[18]
        assert change.plain > change.gap / 2 > 0
        assert change.residual < 0


def test_from_18_to_34_layers_published_residual_errors_fall_by_nearly_two_standard_errors_or_by_far_less() -> None:
    for name, fall, least, most in (("cifar10", 0.5, 1.6, 2), ("cifar100", 0.2, 0, 0.5)):
        shallow, deep = published_gaps().loc[name].residual[[18, 34]]
        assert shallow - deep == pytest.approx(fall)
        assert least < (shallow - deep) / hypot(*map(wide_tables.standard_error, (shallow, deep))) < most


def test_of_six_phases_of_short_wide_pairs_the_residual_network_scatters_more_in_four_and_one_is_barely_unlikely() -> (
    None
):
    curves: Frame = tables.curves(recorded())
    names = [[f"{kind}10-{data}-short" for kind in ("plain", "resnet")] for data in ("cifar10", "cifar100")]
    lines = [wide_tables.phase_variability(curves[curves.experiment.isin(pair)], last=3) for pair in names]
    assert [each.epochs.tolist() for each in lines] == [[3] * 6] * 2  # a phase has no more
    each_phase = [each.pivot(index="phase", columns="kind", values="scatter") for each in lines]
    scatter = pd.concat(each_phase, ignore_index=True)
    assert len(scatter) == 6
    image = 100 / 5_000
    assert (scatter.residual > scatter.plain + image).sum() == 4
    assert (scatter.residual < scatter.plain - image).sum() == 1
    assert 2 * sum(comb(5, alike) for alike in (4, 5)) / 2**5 == 3 / 8
    ratio = scatter.max(axis=1) / scatter.min(axis=1)
    twentieth = wide_tables.ratio_by_chance(3)[1]
    assert (ratio > twentieth).sum() == 1
    assert ratio.max() < 1.1 * twentieth
    assert ratio.idxmax() == scatter.plain.idxmin()
    assert scatter.plain.min() < 2 * image
    assert pytest.approx(1 / 4, abs=0.03) == 1 - 0.95**6  # of six pairs, one or more
    assert scatter.max().idxmax() == "residual"
    assert scatter.residual.idxmax() == 0  # on CIFAR-10, in the first phase
    first = curves[curves.experiment == names[0][1]].sort_values("iteration")[:3]
    for errors in (first.validation_error, first.test_error):  # it falls, and then by less
        before, after = -np.diff(errors)
        assert before > after > 0


def test_short_wide_networks_err_less_most_in_the_first_phase_and_at_the_first_drop() -> None:
    curves: Frame = tables.curves(recorded())
    for name in ("plain10-cifar10", "resnet10-cifar10", "plain10-cifar100", "resnet10-cifar100"):
        falls = -np.diff(curves[curves.experiment == f"{name}-short"].sort_values("iteration").validation_error)
        assert falls[:3].min() > 3 > falls[3:].max()  # two within the first phase, and the first drop


def test_of_the_mistakes_on_cifar100_top5_forgives_more_than_twice_as_many_as_the_superclass() -> None:
    of_hundred = [each for each in recorded() if each.top5_error is not None and each.superclass_error is not None]
    assert len(of_hundred) == 2
    for each in of_hundred:
        assert each.test_error - (each.top5_error or 0) > 2 * (each.test_error - (each.superclass_error or 0))


def hundred() -> tuple[torch.Tensor, tuple[str, ...], list[str]]:
    """The confusion matrix of the recorded residual network on CIFAR-100, its classes and their superclasses."""
    found = studies.kept_study("resnet10-cifar100-short", results=RESULTS)
    assert found
    groups = [found.superclass_of_class[each] for each in found.class_names]
    return answers.confusion(found.predicted, found.labels, len(groups)), found.class_names, groups


def test_the_most_frequent_confusions_are_between_relatives_and_so_is_more_than_a_quarter_of_all() -> None:
    matrix, names, groups = hundred()
    assert all(wide_tables.frequent_confusions(matrix, names, groups)["same superclass"].tolist())
    every: Frame = wide_tables.frequent_confusions(matrix, names, groups, k=10_000)
    assert 1 / 4 < every.images[every["same superclass"]].sum() / every.images.sum() < 0.3
    assert every["share (%)"][~every["same superclass"]].max() > 10
    assert pytest.approx(1 / 25, abs=0.001) == 4 / 99  # a class has four relatives among 99 others
    of = dict(zip(names, groups, strict=True))
    assert [of[each] for each in ("bus", "streetcar")] == ["vehicles_1", "vehicles_2"]
    assert matrix.sum(dim=1).unique().tolist() == [100]


def test_the_darkest_frames_are_those_of_people_and_trees() -> None:
    matrix, _, groups = hundred()
    mistakes = matrix.clone().fill_diagonal_(0)
    within = dict.fromkeys(groups, 0)
    for row, column in mistakes.nonzero().tolist():
        within[groups[row]] += int(mistakes[row, column]) * (groups[row] == groups[column])
    assert set(sorted(within, key=lambda name: within[name])[-2:]) == {"people", "trees"}


def test_maples_are_taken_for_oaks_18_times_more_often_than_the_reverse_beyond_chance_among_all_pairs() -> None:
    matrix, names, _ = hundred()
    maple, oak = names.index("maple_tree"), names.index("oak_tree")
    assert matrix[[maple, oak], [oak, maple]].tolist() == [24, 6]
    assert (matrix - matrix.T).flatten().topk(2).values.tolist() == [18, 14]
    assert matrix[:, oak].sum() == 135  # for 100 images
    confused = (matrix + matrix.T).triu(1).flatten().double()
    assert 1_600 < (confused > 0).sum() < 1_700
    confused = confused[confused > 0].expand(500, -1)
    one_way = torch.binomial(confused, torch.full_like(confused, 0.5), torch.Generator().manual_seed(0))
    largest = (2 * one_way - confused).abs().amax(dim=1)
    assert largest.median() == 11
    assert (largest >= 18).double().mean() < 1 / 20 < (largest >= 14).double().mean()


def test_short_wide_networks_with_shortcuts_train_at_about_half_the_rate_and_one_resnet20_at_rates_apart_by_three() -> (
    None
):
    tens = ("plain10-cifar", "resnet10-cifar")
    of = {each.experiment: each for each in recorded() if each.experiment.startswith(tens)}
    again = [each for each in recorded() if each.experiment == "resnet20-cifar10-short-bfloat16"]
    residual = {"cifar10-short", "cifar10-short-projection", "cifar100-short"}
    assert {name.removeprefix("resnet10-") for name in of if name.startswith("resnet")} == residual
    for end in residual:
        twin = of[f"plain10-{end.removesuffix('-projection')}"]
        assert 0.4 < of[f"resnet10-{end}"].images_per_second / twin.images_per_second < 0.6
    for each in of.values():
        assert 1.05 < each.seconds / each.train_seconds < 1.15  # validation and testing add about a tenth
    assert {(each.device, each.parts[-1].precision, each.parts[-1].compiled) for each in (*of.values(), *again)} == {
        ("AMD EPYC, 2 threads", "bfloat16", True)
    }
    assert len({each.parts[-1].commit for each in again}) == 1
    slow, *fast = sorted(each.images_per_second for each in again)
    assert round(slow) == 330
    assert 3 * slow < min(fast)
    (run,) = (each for each in again if round(each.images_per_second) == 330)
    (other,) = (each for each in recorded() if each.experiment == "resnet10-cifar100-short")
    into = (datetime.fromisoformat(other.started) - datetime.fromisoformat(run.started)).total_seconds()
    assert 0 < into < run.seconds / 2  # began while that one ran


def test_the_tests_of_a_run_took_little_longer_with_shortcuts() -> None:
    ends = ("cifar10-short", "cifar100-short", "cifar10-short-projection")
    names = [f"{kind}10-{end}" for kind in ("plain", "resnet") for end in ends[:2]] + [f"resnet10-{ends[2]}"]
    of = {each.experiment: each.seconds - each.train_seconds for each in recorded() if each.experiment in names}
    zeros = [of[f"resnet10-{end}"] / of[f"plain10-{end}"] for end in ends[:2]]
    assert [round(each, 1) for each in zeros] == [1.2, 1.3]
    assert of[f"resnet10-{ends[2]}"] < of["plain10-cifar10-short"]


def test_at_the_rate_of_one_run_300_epochs_of_ten_wide_layers_take_a_day_and_of_34_more_than_five() -> None:
    (rate,) = [each.images_per_second for each in recorded() if each.experiment == "resnet10-cifar10-short"]
    day, many = (
        300 * 50_000 / rate / 86_400 * models.count_operations(name) / models.count_operations("resnet10")
        for name in ("resnet10", "resnet34")
    )
    assert 1 < day < 1.2
    assert 5 < many < 5.5
    assert models.count_operations("plain10") == models.count_operations("resnet10")
    assert 1 < models.count_operations("resnet10", shortcut="projection") / models.count_operations("resnet10") < 1.03


def test_the_best_of_50_equal_epochs_is_too_low_by_more_than_twice_the_published_gap_at_18_layers() -> None:
    draws = 0.2 * torch.randn(10_000, 50, generator=torch.Generator().manual_seed(0))
    assert -draws.amin(dim=1).mean() > 2 * published_gaps().gap["cifar10", 18] + 0.02


# --- Chapter 3 and its appendix ---


def published_errors() -> Frame:
    """A row a source and kind, a column a depth."""
    frame = pd.DataFrame([asdict(each) for each in published.ERRORS])
    frame["kind"], frame["depth"] = zip(*frame.model.map(tables.kind_and_depth), strict=True)
    return frame.pivot_table(index=["source", "kind"], columns="depth", values="error")


def after_training(recipe: str, column: str) -> Frame:
    """A row a depth; columns plain and residual."""
    frame = tables.summary(tables.of_depth_table(recorded())).query("recipe == @recipe")
    return frame.pivot_table(index="depth", columns="kind", values=column)


def after_the_short_training(column: str) -> Frame:
    return after_training("short", column)


def test_every_source_has_plain_networks_worse_at_56_layers_than_at_20_and_residual_ones_better() -> None:
    change = (published_errors()[56] - published_errors()[20]).dropna().unstack("kind")
    assert len(change) == 5
    assert change.plain.dropna().min() > 0
    assert change.residual.dropna().max() < 0


def test_published_plain_errors_rise_at_every_step_and_residual_ones_fall_at_most_steps() -> None:
    steps = {kind: rows.loc[:, :56] for kind, rows in published_errors().groupby("kind")}
    assert all(row.dropna().is_monotonic_increasing for _, row in steps["plain"].iterrows())
    assert [row.dropna().is_monotonic_decreasing for _, row in steps["residual"].iterrows()].count(False) == 1


@pytest.mark.parametrize("recipe", ["short", "4k", "8k", "16k"])
def test_up_to_16000_iterations_the_four_networks_stand_in_one_order(recipe: str) -> None:
    for column in ("train_error", "test_error"):
        error = after_training(recipe, column)
        assert error.plain[56] > error.residual[56] > error.plain[20] > error.residual[20]
        assert error.plain[56] - error.plain[20] > 2 * (error.residual[56] - error.residual[20])


def test_the_handicap_of_56_residual_layers_shrinks_from_budget_to_budget_and_is_there_after_16000() -> None:
    changes = ladder.depth_changes(ladder.corners(tables.of_depth_table(recorded())))
    handicap: Frame = changes[changes.kind == "residual"].set_index("recipe")
    assert handicap.index.tolist() == ["short", "4k", "8k", "16k", "paper"]
    for measure in ("train", "test"):
        assert handicap[measure].is_monotonic_decreasing
    assert [round(handicap.test[each]) for each in ("short", "16k")] == [16, 3]
    of_plain: Frame = changes[changes.kind == "plain"].set_index("recipe")
    assert of_plain.loc["4k":].train.is_monotonic_decreasing
    assert of_plain.loc["4k":].test.is_monotonic_decreasing
    assert round(of_plain.test["paper"]) == 4


def test_with_seed_0_the_handicap_is_18_12_7_and_3_points_and_with_seed_1_15_8_and_4() -> None:
    handicaps = list[list[int]]()
    for seed, recipes in enumerate((("short", "4k", "8k", "16k"), ("short", "4k", "8k"))):
        errors = [[errors_of_seeds(f"resnet{depth}-cifar10-{each}")[seed] for depth in (20, 56)] for each in recipes]
        handicaps.append([round(deep - shallow) for shallow, deep in errors])
    assert handicaps == [[18, 12, 7, 3], [15, 8, 4]]


def test_after_16000_iterations_the_deep_residual_network_is_behind_plain_20_by_less_than_its_seeds_differed() -> None:
    for column in ("train_error", "test_error"):
        error = after_training("16k", column)
        seeds = [getattr(each, column) for each in recorded() if each.experiment == "resnet56-cifar10-8k"]
        assert 0 < error.residual[56] - error.plain[20] < max(seeds) - min(seeds)


def test_with_1202_layers_the_papers_network_errs_more_than_with_110_and_akamasters_a_little_less() -> None:
    of = {(each.source, each.model): each.error for each in published.ERRORS}
    assert of[published.PAPER, "resnet1202"] - of[published.PAPER, "resnet110"] > 1
    assert 0 < of[published.AKAMASTER, "resnet110"] - of[published.AKAMASTER, "resnet1202"] < 0.2


def test_the_unrecorded_repetition_of_plain_56_would_double_the_spread_of_its_seeds() -> None:
    errors = errors_of_seeds("plain56-cifar10-short")
    assert len(errors) == 3
    for runs, mean, std in ((errors, 68.5, 3.4), ([*errors, 81.56], 71.8, 7.1)):
        assert (round(np.mean(runs), 1), round(np.std(runs, ddof=1), 1)) == (mean, std)
    (first,) = (each for each in recorded() if (each.experiment, each.seed) == ("plain56-cifar10-short", 0))
    (found,) = (each for each in signal_records.SIGNALS.read_all(RESULTS) if each.experiment == first.experiment)
    assert found.kept_by
    again, (part,) = found.kept_by, first.parts
    assert ((part.threads, part.compiled), (again.threads, again.compiled)) == ((2, False), (1, True))


def test_after_the_smoke_recipe_plain_networks_of_20_layers_err_less_with_all_three_seeds() -> None:
    plain, residual = (errors_of_seeds(f"{kind}20-builtin-smoke") for kind in ("plain", "resnet"))
    assert max(plain) < min(residual)
    found = [(round(np.mean(each), 1), round(np.std(each, ddof=1), 1)) for each in (plain, residual)]
    assert found == [(9.9, 3.6), (15.7, 2.7)]
    ways = comb(len(plain) + len(residual), len(plain))
    assert 2 / ways == 1 / 10  # all of one kind below all of the other, or above: once in ten times by luck


def test_after_64000_iterations_the_deep_residual_network_is_the_first_and_the_deep_plain_one_the_last() -> None:
    for column in ("train_error", "test_error"):
        error = after_training("paper", column)
        assert error.residual[56] < error.residual[20] < error.plain[20] < error.plain[56]


def train_errors(experiment: str, seed: int) -> dict[int, float]:
    """Training error (%) of a recorded run after each epoch, by iteration."""
    (record,) = (each for each in recorded() if (each.experiment, each.seed) == (experiment, seed))
    return {each.iteration: each.train_error for each in record.epochs}


@pytest.mark.parametrize("model", ["plain20", "plain56", "resnet20", "resnet56"])
def test_trainings_of_one_seed_are_one_that_forks_where_the_rate_drops(model: str) -> None:
    shortest, middle, longest = (train_errors(f"{model}-cifar10-{recipe}", 0) for recipe in ("4k", "8k", "16k"))
    for shorter, longer, drop in ((shortest, middle, 2_000), (middle, longest, 4_000)):
        before = [iteration for iteration in shorter if iteration <= drop]
        assert [shorter[each] for each in before] == [longer[each] for each in before]
        assert shorter[max(before) + 390] != longer[max(before) + 390]


def test_in_bfloat16_the_long_training_of_seed_0_had_caught_up_with_seed_1_after_3900_iterations() -> None:
    runs = (("resnet56-cifar10", 0), ("resnet56-cifar10-8k", 0), ("resnet56-cifar10-8k", 1))
    assert [round(train_errors(*run)[3_900], 1) for run in runs] == [21.9, 26.6, 22.5]
    (long,) = (each for each in recorded() if each.experiment == "resnet56-cifar10")
    assert (long.parts[0].precision, long.parts[0].last_iteration > 3_900) == ("bfloat16", True)


SAMPLED_BATCH_BY_BATCH = ("5a1990d", "1f69d29")  # commits of the first runs; later ones sample for a whole epoch


def errors_of_seeds(experiment: str) -> list[float]:
    """Test errors (%) of the recorded runs, by seed."""
    return [each.test_error for each in recorded() if each.experiment == experiment]


def test_in_shorter_trainings_seeds_of_56_layers_differ_by_two_to_seven_points_and_of_20_by_less_than_two() -> None:
    spread: dict[int, list[float]] = {20: [], 56: []}
    for kind, depth, recipe in product(("plain", "resnet"), spread, ("short", *catalogue.LADDER)):
        errors = errors_of_seeds(f"{kind}{depth}-cifar10-{recipe}")
        spread[depth] += [max(errors) - min(errors)] * (len(errors) > 1)
    assert (round(min(spread[56])), round(max(spread[56]))) == (2, 7)
    assert len(spread[20]) > 2
    assert max(spread[20]) < 2


def test_of_the_deep_residual_network_seed_1_is_ahead_by_five_four_and_three_points_and_seed_0_alone_went_on() -> None:
    errors = [errors_of_seeds(f"resnet56-cifar10-{recipe}") for recipe in ("short", "4k", "8k")]
    assert [round(of_seed_0 - of_seed_1) for of_seed_0, of_seed_1 in errors] == [5, 4, 3]
    assert [[round(each, 1) for each in seeds] for seeds in errors] == [[43.3, 38.5], [28.5, 24.5], [19.6, 16.4]]
    assert {each.seed for each in recorded() if each.experiment in ("resnet56-cifar10-16k", "resnet56-cifar10")} == {0}


def test_all_four_networks_have_several_seeds_up_to_4000_iterations_and_a_single_one_after_64000() -> None:
    corners = ladder.corners(tables.of_depth_table(recorded()))
    runs: Frame = corners.pivot_table(index="iterations", columns=["kind", "depth"], values="runs")
    assert (runs.loc[:4_000] >= 2).all(axis=None)
    assert not (runs.loc[8_000:] >= 2).all(axis=1).any()
    assert (runs.loc[64_000] == 1).all()
    assert runs.max(axis=None) == 3


def test_after_the_long_training_the_deep_residual_network_errs_on_8_2_percent_and_others_on_6_6_to_7_5() -> None:
    assert [round(each, 1) for each in errors_of_seeds("resnet56-cifar10")] == [8.2]
    theirs: Frame = published_errors().xs("residual", level="kind")[56]
    assert (round(theirs.min(), 1), round(theirs.max(), 1)) == (6.6, 7.5)


def test_the_curves_of_figure_3_4_fall_at_the_first_drop_and_the_deep_plain_network_lies_above_from_there_on() -> None:
    assert tables.longest_comparison(tables.of_depth_table(recorded())) == "paper"
    long = [each for each in tables.of_depth_table(recorded()) if each.recipe_name == "paper"]
    frame: Frame = tables.curves(long)
    assert set(frame.depth) == {20, 56}
    for name in {each.experiment for each in long}:
        assert mean_error(name, 32_000, 34_000) < 0.75 * mean_error(name, 30_000, 32_000)
    late = frame[frame.iteration > 33_000]
    for column in ("train_error", "test_error"):
        error: Frame = late.pivot_table(index="iteration", columns=["kind", "depth"], values=column)
        assert (error["plain", 56] > error["plain", 20]).all()
    assert late[(late.kind == "residual") & (late.depth == 56)].train_error.mean() < 1
    thin: Frame = frame[frame.kind == "residual"].pivot_table(index="iteration", columns="depth", values="train_error")
    ahead = thin[56] < thin[20]  # the residual panel's thin lines change places and stay so
    assert not ahead[ahead.index < 10_000].any()
    assert ahead[ahead.index > 18_000].all()
    end = after_training("paper", "test_error").residual
    assert abs(end[56] - end[20]) < 1


def test_after_64000_iterations_the_four_networks_stand_in_one_order_ours_and_the_papers() -> None:
    theirs: Frame = published_errors().loc[published.PAPER].T
    for error in (after_training("paper", "train_error"), after_training("paper", "test_error"), theirs):
        assert error.plain[56] > error.plain[20] > error.residual[20] > error.residual[56]


def test_what_depth_costs_the_plain_network_is_many_times_the_spread_and_what_it_gains_the_other_no_more_than_it() -> (
    None
):
    spread = [each.std for each in published.ERRORS if each.source == "nabla0001" and each.std]
    assert 0.1 < min(spread) < max(spread) < 0.31
    error = after_training("paper", "test_error")
    assert error.plain[56] - error.plain[20] > 10 * max(spread)
    gain = error.residual[20] - error.residual[56]
    assert 0 < gain < max(spread)
    theirs = published_errors().xs("residual", level="kind")
    gains = theirs[20] - theirs[56]
    assert (round(gain, 1), round(gains.min(), 1), round(gains.max(), 1)) == (0.2, 0.6, 1.8)
    train = after_training("paper", "train_error").residual
    assert train[56] < train[20] / 4


def test_from_seed_0_the_first_convolutions_of_the_deep_residual_network_grow_four_to_six_times_as_long() -> None:
    for name, least, most in (("resnet56-cifar10-short", 3.7, 5.8), ("resnet20-cifar10-short", 1.0, 1.15)):
        record = signal_records.SIGNALS.read(name, 0, RESULTS)
        assert record
        before, after = (
            [layer.weight_norm for layer in stage.layers[:6]]
            for iteration in (0, 100)
            for stage in record.stages
            if (stage.iteration, stage.origin) == (iteration, "along the way")
        )
        assert all(least < b / a < most for a, b in zip(before, after, strict=True))


def test_from_seed_1_they_hardly_grow_in_the_first_ten_iterations(cifar_root: Path) -> None:
    train_set, test_set = data.load("cifar10", "train", cifar_root), data.load("cifar10", "test", cifar_root)
    network = models.MODELS["resnet56"](generator=torch.Generator().manual_seed(1))
    first = [each for each in network.parameters() if each.ndim == 4][:6]
    lengths = [each.norm().item() for each in first]
    recipe = replace(catalogue.PAPER, iterations=10, drops=())
    fit(network, train_set, test_set.subset(100), recipe, seed=1)
    assert all(each.norm().item() < 1.25 * before for each, before in zip(first, lengths, strict=True))


def test_the_deep_residual_network_erred_as_much_before_its_run_changed_machine() -> None:
    record = records.load_record(RESULTS / "resnet56-cifar10" / "seed0.json")
    assert record.parts[1].first_iteration == 55_241
    before = [each.test_error for each in record.epochs if 48_000 < each.iteration <= 55_241]
    assert round(np.mean(before), 1) == 8.1


def test_of_the_corners_the_deep_residual_network_errs_more_than_any_that_was_published_and_plain20_less() -> None:
    error = after_training("paper", "test_error")
    for kind, theirs in published_errors().groupby("kind"):
        for depth in (20, 56):
            worse_than_all = error[kind][depth] > theirs[depth].max()
            assert worse_than_all == ((kind, depth) == ("residual", 56))
            better_than_all = error[kind][depth] < theirs[depth].min()
            assert better_than_all == ((kind, depth) == ("plain", 20))
    assert abs(error.residual[20] - error.residual[56] - 0.2) < 0.05
    assert set(after_training("paper", "runs").stack()) == {1}


def test_after_the_short_training_shortcuts_help_at_every_depth_the_more_the_deeper() -> None:
    error = after_the_short_training("test_error")
    assert error.index.tolist() == [20, 32, 44, 56]
    helped = error.plain - error.residual
    assert helped.min() > 0
    assert helped.is_monotonic_increasing
    assert error.plain.is_monotonic_increasing
    assert error.residual.is_monotonic_increasing


@cache
def untrained_blocks() -> Frame:
    """Signal and gradient before training, as on the page: a row a depth, kind and block."""
    train = data.load("builtin", "train")
    images = augment.normalise(train.images[:32], *augment.channel_mean_std(train.images))
    frames = []
    for depth, kind in ((20, "plain"), (56, "plain"), (20, "residual"), (56, "residual")):
        network = models.narrow(depth, residual=kind == "residual")(generator=torch.Generator().manual_seed(0))
        rows = diagnostics.block_gradients(network, images, train.labels[:32]).assign(depth=depth, kind=kind)
        layers = diagnostics.weight_gradients(network, images, train.labels[:32])
        frames.append(rows.assign(first_steps=(0.1 * layers.gradient_norm / layers.weight_norm).max()))
    return pd.concat(frames)


def test_before_training_the_signal_stays_in_plain_networks_and_grows_in_residual_ones() -> None:
    signal = untrained_blocks().groupby(["kind", "depth"]).signal.agg(["first", "last"])
    grown = signal["last"] / signal["first"]
    assert grown.loc["plain"].between(0.9, 1.1).all()
    assert grown["residual", 56] > grown["residual", 20] > 1.5


def test_before_training_the_plain_gradient_grows_by_several_powers_of_ten_and_the_first_step_overshoots() -> None:
    gradient = untrained_blocks().groupby(["kind", "depth"]).gradient_norm.agg(["first", "last"])
    grown = gradient["first"] / gradient["last"]
    assert grown["plain", 56] > 1000
    assert grown["residual", 56] < 30
    steps = untrained_blocks().groupby(["kind", "depth"]).first_steps.first()
    assert steps.drop(("plain", 56)).max() < 0.1 < 1 < steps["plain", 56]


def test_an_untrained_block_enlarges_the_gradient_most_next_to_the_images_and_least_next_to_the_classes() -> None:
    gradient = {key: rows.gradient_norm.to_numpy() for key, rows in untrained_blocks().groupby(["kind", "depth"])}
    per_block = {key: norms[:-1] / norms[1:] for key, norms in gradient.items()}
    deep = per_block["residual", 56]
    assert deep[:4].min() > 1.2 > 1.1 > deep[-4:].max()
    assert per_block["plain", 56].min() > 1.15


def per_layer(blocks: Frame) -> float:
    """By what factor a layer the gradient grows from the last of the blocks to the first."""
    first, last = blocks.iloc[0], blocks.iloc[-1]
    return (first.gradient_norm / last.gradient_norm) ** (1 / (last.layer - first.layer))


def test_the_plain_gradient_grows_at_the_theorys_rate_next_to_the_images_and_slower_next_to_the_classes() -> None:
    theory = (1 - 1 / np.pi) ** -0.5
    rates = {}
    for key, blocks in untrained_blocks().groupby(["kind", "depth"]):
        third = len(blocks) // 3
        rates[key] = [per_layer(blocks), per_layer(blocks[:third]), per_layer(blocks[-third:])]
    for depth in (20, 56):
        plain, residual = rates["plain", depth], rates["residual", depth]
        assert abs(plain[1] - theory) < 0.015
        assert 1.1 < plain[2] < plain[0] - 0.03 < theory - 0.06
        assert residual[0] < plain[0] - 0.05
        assert 1 < residual[2] < 1.07
        assert all(np.array(residual) < plain)
    assert rates["residual", 56][2] < 1.03
    assert rates["plain", 20][1] - rates["residual", 20][1] < 0.02


def test_the_rate_of_growth_is_about_the_same_at_every_depth_and_a_little_below_the_theorys() -> None:
    train = data.load("builtin", "train")
    images = augment.normalise(train.images[:32], *augment.channel_mean_std(train.images))
    for depth in (20, 32, 44, 56, 110):
        network = models.narrow(depth, residual=False)(generator=torch.Generator().manual_seed(0))
        rate = per_layer(diagnostics.block_gradients(network, images, train.labels[:32]))
        assert 1.17 <= round(rate, 2) <= 1.19 < (1 - 1 / np.pi) ** -0.5


def images_and_noisy_copies(noise: float = 0.05) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The page's images, their labels and the copies."""
    train = data.load("builtin", "train")
    images = augment.normalise(train.images[:32], *augment.channel_mean_std(train.images))
    copies = images + noise * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    return images, train.labels[:32], copies


def untrained(kind: str, depth: int) -> models.Network:
    return models.narrow(depth, residual=kind == "residual")(generator=torch.Generator().manual_seed(0))


@cache
def untrained_neighbours(kind: str, depth: int, noise: float = 0.05) -> Frame:
    """Cosines of outputs (activation) and gradients for an image and its noisy copy: a row a block, by layer."""
    images, labels, copies = images_and_noisy_copies(noise)
    return diagnostics.neighbour_similarities(untrained(kind, depth), images, copies, labels).set_index("layer")


def test_the_first_step_moves_some_16_layers_of_the_deep_plain_network_by_more_than_their_length() -> None:
    images, labels, _ = images_and_noisy_copies()
    layers: Frame = diagnostics.weight_gradients(untrained("plain", 56), images, labels).set_index("layer")
    steps = 0.1 * layers.gradient_norm / layers.weight_norm
    long = steps[steps > 1].index.tolist()
    assert long == list(range(1, len(long) + 1))
    assert 15 <= len(long) <= 17
    assert steps.max() > 10


def test_the_gradient_stands_at_a_right_angle_so_a_step_of_r_lengths_leaves_a_cosine_of_1_over_root_1_plus_r2() -> None:
    images, labels, _ = images_and_noisy_copies()
    network = untrained("plain", 56).train()
    weight = diagnostics.layers_3x3(network)[1][1].weight
    (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(network(images), labels.long()), weight)
    step = 0.1 * gradient
    cosine = torch.nn.functional.cosine_similarity(weight.flatten(), (weight - step).flatten(), dim=0).item()
    assert abs(cosine - 1 / hypot(1, (step.norm() / weight.norm()).item())) < 0.01


def test_outputs_become_unlike_up_to_layer_33_and_gradients_within_the_last_ten_layers() -> None:
    deep, twin = untrained_neighbours("plain", 56), untrained_neighbours("residual", 56)
    outputs, gradients = deep.activation, deep.gradient
    assert outputs.loc[:33].is_monotonic_decreasing
    assert 0.2 < outputs.loc[33] < 0.27
    assert outputs.loc[33:].min() > outputs.loc[33] - 0.02
    assert 0.36 < outputs.loc[55] < 0.4
    assert gradients.loc[55] > 0.99
    assert gradients.loc[:45].abs().max() < 0.05
    assert twin.activation.min() > 0.85
    assert 0.1 > twin.gradient.diff().dropna().max() >= twin.gradient.diff().dropna().min() > 0


def test_gradients_of_plain_20_end_less_alike_than_those_of_residual_56_and_it_trains_better() -> None:
    shallow, deep = untrained_neighbours("plain", 20).gradient, untrained_neighbours("residual", 56).gradient
    assert abs(shallow.loc[3] - 0.1) < 0.03
    assert abs(deep.loc[3] - 1 / 3) < 0.03
    for column in ("train_error", "test_error"):
        error = after_the_short_training(column)
        assert error.plain[20] < error.residual[56]


def switched(kind: str, depth: int) -> float:
    """The share of the last ReLUs that are open for an image and shut for its noisy copy, or the reverse."""
    images, _, copies = images_and_noisy_copies()
    network = untrained(kind, depth).train()
    with torch.no_grad():
        one, other = (network.stages(network.stem(batch)) > 0 for batch in (images, copies))
        scores = [network(batch).softmax(1) for batch in (images, copies)]
    assert (scores[0] - scores[1]).abs().mean() < 0.01  # class probabilities hardly change
    return (one != other).float().mean().item()


def test_over_a_third_of_the_last_relus_switch_in_plain_56_and_in_plain_networks_each_takes_that_off_the_likeness() -> (
    None
):
    assert 0.4 > switched("plain", 56) > 1 / 3
    assert 0.09 < switched("residual", 56) < 0.1
    for depth in (20, 56):
        before, last = untrained_neighbours("plain", depth).gradient.iloc[-2:]  # two ReLUs apart
        share = 1 - (before / last) ** 0.5
        assert switched("plain", depth) < share < switched("plain", depth) + 0.06


def test_for_noise_a_hundred_times_smaller_outputs_stay_alike_up_to_layer_37_and_gradients_are_lost_as_soon() -> None:
    found = untrained_neighbours("plain", 56, 0.0005)
    assert found.activation.loc[:37].min() > 0.9 > found.activation.loc[39:].max()
    assert found.gradient.loc[:45].abs().max() < 0.05


@cache
def inside() -> Frame:
    """Responses of the layers after training, and what is left of their start: a row a network and layer, seed 0."""
    frames = []
    names = [f"{kind}{depth}-cifar10-short" for kind in ("plain", "resnet") for depth in (20, 32, 44, 56)]
    for name in (*names, *(f"{kind}{depth}-cifar10" for kind in ("plain", "resnet") for depth in (20, 56))):
        network, record = weights.load_network(name, results=RESULTS)
        left = diagnostics.weight_similarities(network, weights.untrained(record)).cosine
        frames.append(diagnostics.responses_of_weights(network).assign(left=left, **tables.whose(name, 0)))
    return pd.concat(frames)


def median_responses(iterations: int) -> Frame:
    """A row a depth and place in the block (0: first layer, 1: second); columns plain and residual."""
    frame = inside()[(inside().layer > 1) & (inside().iterations == iterations)]
    places = frame.assign(place=frame.layer % 2)
    return places.pivot_table(["response"], ["depth", "place"], "kind", aggfunc="median").response


def responses(kind: str, depth: int) -> Frame:
    """Of the layers in blocks, after the short training."""
    frame = inside()[(inside().kind == kind) & (inside().depth == depth) & (inside().iterations == SHORT)]
    return frame.set_index("layer").response.loc[2:]


def start_left(kind: str, depth: int, iterations: int = SHORT) -> Frame:
    frame = inside()[(inside().kind == kind) & (inside().depth == depth) & (inside().iterations == iterations)]
    return frame.set_index("layer").left


@pytest.mark.parametrize(("recipe", "left"), [(catalogue.SHORT, 0.90), (catalogue.PAPER, 0.03)])
def test_of_a_weight_without_gradient_the_short_training_leaves_nine_tenths_and_the_long_one_little(
    recipe: Recipe, left: float
) -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    optimiser = torch.optim.SGD([weight], recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay)
    for iteration in range(recipe.iterations):
        optimiser.param_groups[0]["lr"] = recipe.learning_rate_at(iteration)
        weight.grad = torch.zeros(1)
        optimiser.step()
    rates = sum(recipe.learning_rate_at(iteration) for iteration in range(recipe.iterations))
    assert abs(weight.item() - np.exp(-rates * recipe.weight_decay / (1 - recipe.momentum))) < 0.001
    assert round(weight.item(), 2) == left


def respond_by_decay(kind: str, depth: int) -> Frame:
    """Of the layers in blocks, after the short training, those within 0.01 of what decay alone leaves."""
    frame = inside()[(inside().kind == kind) & (inside().depth == depth) & (inside().iterations == SHORT)]
    return frame[(frame.layer > 1) & ((frame.response - np.exp(-0.1055)).abs() < 0.01)]


def test_about_half_of_the_plain_layers_and_a_third_of_the_residual_respond_by_decay_nearly_all_these_first() -> None:
    for depth in (32, 44, 56):
        assert 0.45 < len(respond_by_decay("plain", depth)) / (depth - 2) < 0.6
        near = respond_by_decay("residual", depth)
        assert abs(len(near) / (depth - 2) - 1 / 3) < 0.05
        assert (near.layer % 2 == 1).sum() <= 2
    for depth in (20, 32, 44, 56):
        response = responses("residual", depth)
        assert (response[response.index % 2 == 1] < 0.88).mean() > 0.7


def test_in_these_layers_gamma_spreads_by_002_to_008_and_hardly_in_most_of_the_deep_plain_network_alone() -> None:
    spreads = {(k, d): respond_by_decay(k, d).spread for k in ("plain", "residual") for d in (20, 32, 44, 56)}
    medians = pd.Series({each: round(spread.median(), 2) for each, spread in spreads.items()})
    assert medians.idxmin() == ("plain", 56)
    assert (medians.min(), medians.max()) == (0.02, 0.08)
    small = {each: float((spread < 0.025).mean()) for each, spread in spreads.items()}  # a quarter of the decay's
    assert small.pop(("plain", 56)) > 0.6
    assert max(small.values()) < 0.5


def test_the_first_18_layers_of_the_deep_plain_network_respond_more_strongly_than_before_training() -> None:
    frame = inside()[(inside().kind == "plain") & (inside().depth == 56) & (inside().iterations == SHORT)]
    response = frame.set_index("layer").response
    assert response.index[response > 1].tolist() == list(range(1, 19))
    most: Frame = inside()[inside().iterations == SHORT].groupby(["kind", "depth"]).response.max()
    assert most["plain", 44] > 1.5 * most.drop([("plain", 44), ("plain", 56)]).max()
    assert most["plain", 56] > 3 * most["plain", 44]


def test_residual_networks_respond_less_in_second_layers_after_the_short_training_and_in_all_after_the_long() -> None:
    less = (median_responses(SHORT).plain - median_responses(SHORT).residual).unstack("place")
    assert less[0].abs().max() < 0.015 < 0.07 < less[1].min()
    assert (median_responses(LONG).residual < median_responses(LONG).plain - 0.05).all()


def test_deeper_networks_respond_less_after_long_training_in_both_kinds_and_residual_ones_not_after_short() -> None:
    assert (median_responses(LONG).loc[56] < median_responses(LONG).loc[20]).all(axis=None)
    change = median_responses(SHORT).loc[56] - median_responses(SHORT).loc[20]
    assert change.residual[0] > -0.001
    assert change.residual[1] > 0.01


def test_the_deeper_the_plain_network_the_less_is_left_of_its_first_layers_and_the_more_of_its_last() -> None:
    thirds = []
    for depth in (20, 32, 44, 56):
        left, third = start_left("plain", depth), (depth - 1) // 3
        thirds.append((left.iloc[:third].mean(), left.iloc[-third:].mean(), left.min(), left.max()))
    first, last, least, most = (pd.Series(each) for each in zip(*thirds, strict=True))
    assert first.is_monotonic_decreasing
    assert least.is_monotonic_decreasing
    assert last.is_monotonic_increasing
    assert most.is_monotonic_increasing


def test_with_56_layers_hardly_anything_is_left_at_one_end_and_nearly_all_at_the_other_and_with_20_two_thirds() -> None:
    deep, shallow = start_left("plain", 56), start_left("plain", 20)
    assert deep.loc[1:10].max() < 0.1
    assert deep.loc[38:].min() > 0.96
    assert (round(shallow.min(), 2), round(shallow.max(), 2)) == (0.65, 0.91)
    for kind in ("plain", "residual"):  # front and back are less far apart in all others of the figure's alt text
        for depth in (20, 56) if kind == "residual" else (20,):
            left = start_left(kind, depth)
            assert left.max() - left.min() < deep.max() - deep.min() - 0.1


def test_after_the_long_training_every_layer_of_56_has_left_its_start_in_both_kinds() -> None:
    assert max(start_left(kind, 56, LONG).max() for kind in ("plain", "residual")) < 0.2


# --- Chapter 4 and its appendix ---


@cache
def networks() -> Frame:
    return study_figures.study_frame(studies.recorded_studies("cifar10", RESULTS))


def twins(column: str) -> Frame:
    """A row a pair of twins, shallow ones first; columns plain and residual."""
    return networks().pivot(index=["iterations", "depth"], columns="kind", values=column).dropna()


def narrow() -> Frame:
    """The networks that chapter 4 itself shows: those with 64 features."""
    return networks()[networks().features == 64]


def narrow_twins(column: str) -> Frame:
    return twins(column).drop(index=10, level="depth")


def test_in_every_network_training_made_the_rows_purer_and_they_share_fewer_images() -> None:
    assert (networks().purity - networks().untrained_purity > 0.1).all()
    assert (networks().shared < networks().untrained_shared / 2).all()


def test_before_training_each_of_four_residual_networks_lies_above_its_plain_twin() -> None:
    before = narrow_twins("untrained_purity")
    assert before.index.get_level_values("depth").nunique() == 4
    assert (before.residual > before.plain).all()
    of_one_start = narrow().groupby(["kind", "depth"]).untrained_purity.nunique()
    assert (of_one_start == 1).all()


def test_networks_of_different_depths_have_their_first_weights_in_common() -> None:
    for kind in ("plain", "resnet"):
        shallow, deep = (models.untrained(f"{kind}{depth}", seed=0).state_dict() for depth in (20, 56))
        kernels = [name for name in shallow if shallow[name].ndim == 4 and name.startswith(("stem", "stages.0"))]
        assert len(kernels) == 7
        assert all(torch.equal(shallow[name], deep[name]) for name in kernels)


def test_untrained_rows_repeat_each_other_in_plain_networks_and_are_led_by_airplanes_in_residual_ones() -> None:
    shared = narrow_twins("untrained_shared")
    assert (shared.plain.xs(56, level="depth") > 6).all()
    assert (shared.residual < shared.plain).all()
    residual = narrow()[narrow().kind == "residual"]
    assert set(residual.untrained_leaders) == {"airplane"}
    assert (residual.untrained_led > 64 / 2).all()


def test_in_a_short_training_purity_falls_with_depth_as_the_errors_rise_the_deepest_residual_network_aside() -> None:
    purity_of, error = (narrow_twins(each).loc[SHORT] for each in ("purity", "test_error"))
    assert purity_of.plain.is_monotonic_decreasing
    assert purity_of.residual.loc[:44].is_monotonic_decreasing
    assert purity_of.residual[56] > purity_of.residual[44]
    assert all(error[kind].is_monotonic_increasing for kind in error)


def test_over_all_networks_fewer_mistakes_go_with_purer_rows() -> None:
    assert narrow().purity.corr(narrow().test_error) < -0.5


def test_rows_of_20_layers_are_purest_on_the_way_to_the_fewest_mistakes() -> None:
    purity_of, error = (narrow_twins(each).xs(20, level="depth") for each in ("purity", "test_error"))
    assert (purity_of.loc[8_000] > purity_of.loc[SHORT]).all()
    assert (purity_of.loc[8_000] > purity_of.loc[LONG]).all()
    assert all(error[kind].is_monotonic_decreasing for kind in error)
    assert (error.loc[8_000] / error.loc[LONG] > 1.5).all()
    assert purity_of.plain[SHORT] > purity_of.plain[LONG]
    assert 3 < error.plain[SHORT] / error.plain[LONG] < 3.5


@cache
def drawings() -> tuple[data.ImageSet, Any]:
    """The built-in test images, and the study that chapter 4 shows of them."""
    return data.load("builtin", "test"), studies.find_study("resnet20-builtin-smoke", results=RESULTS)


def purity_of_rows(rows: torch.Tensor) -> torch.Tensor:
    return purity.purity(rows, drawings()[0].labels, 10)


def before_training(seed: int) -> models.Network:
    """The network of the built-in images with another start, its batch norm measured."""
    record = next(each for each in recorded() if each.experiment == "resnet20-builtin-smoke" and each.seed == 0)
    network = models.untrained("resnet20", seed=seed)
    images = data.load("builtin", "train").subset(1_000)
    features.measure_batch_norm(network, images, record.mean, record.std)
    return network


@cache
def untrained_rows(seed: int) -> torch.Tensor:
    """The ten most relevant built-in images (C, 10) of each feature before training."""
    record = next(each for each in recorded() if each.experiment == "resnet20-builtin-smoke" and each.seed == 0)
    values = features.extract(before_training(seed), drawings()[0], record.mean, record.std)
    return features.rank(values, 10)[1]


def test_of_the_first_twelve_rows_eight_right_halves_are_of_one_class_and_three_left_ones() -> None:
    test, found = drawings()
    pure = (purity_of_rows(found.most[:12]) == 1).nonzero()[:, 0]
    assert len(pure) == 8
    assert [test.class_names[label] for label in test.labels[found.most[pure, 0]]].count("bars") == 5
    assert (purity_of_rows(found.least[:12]) == 1).sum() == 3


def test_two_mixed_rows_have_a_form_in_common() -> None:
    test, found = drawings()
    kinds = [{test.class_names[label] for label in test.labels[found.most[row]]} for row in (6, 10)]
    assert kinds == [{"frame", "ring"}, {"disc", "square", "heart"}]


def test_untrained_rows_share_colours_and_images_and_none_of_those_shown_is_of_one_class() -> None:
    test, found = drawings()
    border = torch.ones(32, 32, dtype=torch.bool)
    border[3:-3, 3:-3] = False
    strongest = test.images[:, :, border].float().median(dim=2).values.argmax(dim=1)  # of red, green and blue
    assert (strongest[found.untrained_most[5]] == 1).all()
    assert (strongest[found.untrained_most[7]] == 0).all()
    first, second, third = (set(row.tolist()) for row in found.untrained_most[1:4])
    assert len(first & second) == len(first & third) == len(second & third) == 6
    assert purity_of_rows(found.untrained_most[:8]).max() < 1
    assert 0.2 <= purity_of_rows(found.untrained_most).min() < purity_of_rows(found.untrained_most).max() <= 0.6


def test_an_untrained_network_lies_above_or_below_chance_by_the_luck_of_its_seed() -> None:
    test, found = drawings()
    chance = purity.chance_purity(test.labels, 10)
    assert purity_of_rows(untrained_rows(3)).mean() < chance < purity_of_rows(found.untrained_most).mean()


def test_eight_in_ten_images_of_a_trained_row_are_of_one_class_and_three_by_chance_or_untrained() -> None:
    test, found = drawings()
    assert 0.75 < purity_of_rows(found.most).mean() < 0.85
    assert 0.25 < purity.chance_purity(test.labels, 10) < purity_of_rows(found.untrained_most).mean() < 0.35
    assert 0.45 < (purity_of_rows(found.most) == 1).double().mean() < 0.55


def test_left_halves_are_purer_than_chance_tied_ones_too() -> None:
    test, found = drawings()
    chance, pure = purity.chance_purity(test.labels, 10), purity_of_rows(found.least)
    assert pure.mean() > chance + 0.3
    assert pure[found.zeros > 10].mean() > chance + 0.2


def test_most_left_halves_of_every_network_on_cifar_are_tied() -> None:
    assert (narrow().tied_at_zero > 64 / 2).all()


def test_a_row_mostly_has_a_positive_weight_for_its_class_not_mostly_the_largest_and_a_negative_one_at_the_left() -> (
    None
):
    test, found = drawings()
    weight = found.class_weights - found.class_weights.mean(dim=0)
    right, left = (purity.leading_class(rows, test.labels, 10) for rows in (found.most, found.least))
    led_right, led_left = ((each >= 0).nonzero()[:, 0] for each in (right, left))
    assert (weight[right[led_right], led_right] > 0).double().mean() > 0.8
    assert (weight.argmax(dim=0) == right)[led_right].double().mean() < 0.5
    assert (weight[left[led_left], led_left] < 0).double().mean() > 0.8


def test_in_most_pairs_plain_features_are_more_selective_and_a_good_part_of_the_lead_is_the_floor() -> None:
    as_they_are, above, floor = (twins(each) for each in ("selectivity", "selectivity_above_floor", "floor"))
    assert (as_they_are.plain > as_they_are.residual).mean() > 0.6
    assert (floor.residual > floor.plain).mean() > 0.9
    lead, without = (each.plain - each.residual for each in (as_they_are, above))
    assert 0 < without.median() < lead.median() / 2
    of_20: Frame = pd.DataFrame({"lead": lead, "without": without}).xs(20, level="depth")
    assert (of_20.without < 0.6 * of_20.lead).all()


def test_above_the_floor_20_plain_layers_lead_less_from_4000_iterations_on_and_not_after_64000() -> None:
    above = twins("selectivity_above_floor")
    lead = (above.plain - above.residual).xs(20, level="depth")
    assert lead.index.tolist() == [2_000, 4_000, 8_000, 16_000, 64_000]
    assert (lead.loc[:16_000] > 0.01).all()
    assert lead.loc[4_000:].is_monotonic_decreasing
    assert abs(lead.loc[64_000]) < 0.005


def test_with_more_layers_the_plain_network_errs_by_ten_points_more_in_all_pairs_but_one() -> None:
    error = narrow_twins("test_error")
    more = (error.plain - error.residual)[error.index.get_level_values("depth") > 20]
    assert (more > 10).sum() == len(more) - 1


@cache
def drawn_features(trained: bool = True) -> torch.Tensor:
    """The features of the built-in test images, less their means."""
    network, record = weights.load_network("resnet20-builtin-smoke", results=RESULTS)
    values = features.extract(network if trained else before_training(0), drawings()[0], record.mean, record.std)
    return values - values.mean(dim=0)


def test_entropy_goes_with_purity_over_the_rows_and_sets_the_trained_network_apart_as_well() -> None:
    test, found = drawings()
    pure, bits = (each(found.most, test.labels, 10) for each in (purity.purity, purity.entropy))
    assert torch.corrcoef(torch.stack([pure, bits]))[0, 1] < -0.95
    assert ((pure[:, None] > pure) & (bits[:, None] > bits)).double().mean() < 0.01  # pairs that they order differently
    untrained, chance = purity.entropy(found.untrained_most, test.labels, 10), purity.chance_entropy(test.labels, 10)
    assert abs(untrained.mean() - chance) < 0.2 < 1.5 < chance - bits.mean()


def test_two_of_four_other_untrained_networks_lie_outside_the_interval_of_the_first() -> None:
    _, low, high = purity.mean_interval(purity_of_rows(drawings()[1].untrained_most))
    means = [purity_of_rows(untrained_rows(seed)).mean().item() for seed in range(1, 5)]
    assert sum(not low < each < high for each in means) == 2


def test_a_third_of_the_pure_rows_belong_to_features_that_are_not_selective() -> None:
    pure = purity_of_rows(drawings()[1].most) == 1
    selective = purity.selectivity(drawings()[1].class_means) >= 0.5
    assert (pure & ~selective).sum() * 3 == pure.sum()


def test_a_feature_that_answers_three_of_ten_classes_is_selective_and_one_of_four_is_on_the_limit() -> None:
    of = [purity.selectivity(torch.tensor([1.0] * n + [0.0] * (10 - n))[:, None]).item() for n in (3, 4, 5)]
    assert of == pytest.approx([7 / 11, 1 / 2, 5 / 13])


def test_the_first_speakers_of_three_classes_answer_these_most_and_those_of_ring_square_and_frame_bars_alone() -> None:
    test, found = drawings()
    # 100 images of each class, so the mean over all images is that of the classes' means
    assert test.labels.bincount().tolist() == [100] * 10
    parts = (found.class_weights - found.class_weights.mean(dim=0)) * (
        found.class_means - found.class_means.mean(dim=0)
    )
    counts = purity.class_counts(found.most[parts.argmax(dim=1)], test.labels, 10)
    leading = [test.class_names[each] for each in counts.argmax(dim=1)]
    assert [one for one, other in zip(test.class_names, leading, strict=True) if one == other] == [
        "disc",
        "bars",
        "heart",
    ]
    for name in ("ring", "square", "frame"):
        assert counts[test.class_names.index(name), test.class_names.index("bars")] == 10
    share, speakers = (parts / parts.clamp(min=0).sum(dim=1, keepdim=True)).topk(3)
    together = share.sum(dim=1)
    assert 0.22 < together.min() < together.max() < 0.38
    assert speakers.unique().numel() < speakers.numel()


def test_the_nearest_neighbour_is_level_with_the_classifier_and_random_weights_do_worse_than_the_pixels() -> None:
    test, found = drawings()
    pixels = test.images.flatten(1).float()
    every = torch.arange(len(test))
    trained, untrained, raw = (
        (test.labels[features.nearest(each, every, 1)[:, 0]] == test.labels).double()
        for each in (drawn_features(), drawn_features(trained=False), pixels - pixels.mean(dim=0))
    )
    difference = trained - (found.predicted == test.labels).double()
    assert difference.mean().abs() < 2 * difference.std() / len(test) ** 0.5
    assert (raw - untrained).mean() > 2 * (raw - untrained).std() / len(test) ** 0.5
    components = torch.linalg.svd(pixels - pixels.mean(dim=0), full_matrices=False)[0][:, :32]
    scaled = test.labels[features.nearest(components, every, 1)[:, 0]] == test.labels
    assert round(100 * scaled.double().mean().item()) == 51


def test_the_first_component_is_mostly_bars_and_nearly_half_of_the_mistakes_are_among_disc_square_and_heart() -> None:
    test, found = drawings()
    first = found.map[:, 0].double()
    shares = []  # of the component's variance, by whether an image is of the class
    for label in range(10):
        means = torch.where(
            test.labels == label, first[test.labels == label].mean(), first[test.labels != label].mean()
        )
        shares.append((means.var() / first.var()).item())
    assert shares.pop(test.class_names.index("bars")) > 0.6 > 0.1 > max(shares)
    three = torch.tensor([test.class_names.index(each) for each in ("disc", "square", "heart")])
    wrong = found.predicted != test.labels
    among = wrong & torch.isin(test.labels, three) & torch.isin(found.predicted, three)
    assert 0.4 < among.sum() / wrong.sum() < 0.5
    centres = [found.map[test.labels == label].mean(dim=0) for label in range(10)]
    assert set(torch.stack(centres)[:, 0].argsort()[:3].tolist()) == set(three.tolist())


def test_first_filters_point_where_they_began_after_a_short_training_and_none_after_a_long_one() -> None:
    within, means = [], []
    for name in ("resnet20-builtin-smoke", "resnet20-cifar10-short", "resnet20-cifar10"):
        network, record = weights.load_network(name, results=RESULTS)
        begin, end = (each.state_dict()["stem.0.weight"].flatten(1) for each in (weights.untrained(record), network))
        cosine = torch.cosine_similarity(begin, end)
        within.append(int((cosine > 0.5**0.5).sum()))
        means.append(cosine.mean().item())
    assert within[0] == 16 > within[1] > 8 > within[2] == 0
    assert means[2] > 3 / (27 * 16) ** 0.5  # standard errors of a mean of 16 strangers


def test_next_to_no_left_half_of_the_wide_network_is_of_one_class() -> None:
    found = studies.kept_study("resnet10-cifar10-short", results=RESULTS)
    assert found
    assert (purity.purity(found.least, found.labels, 10) == 1).double().mean() < 0.01


def test_before_the_last_relu_nothing_is_tied_and_left_halves_are_as_pure_as_right_ones() -> None:
    network, record = weights.load_network("resnet20-builtin-smoke", results=RESULTS)
    mean, std = torch.tensor(record.mean), torch.tensor(record.std)
    block = network.stages[-1][-1]  # type: ignore[index]
    with torch.inference_mode():
        x = network.stages[:-1](network.stem(augment.normalise(drawings()[0].images, mean, std)))  # type: ignore[operator]
        x = network.stages[-1][:-1](x)  # type: ignore[index]
        values = (block.layers(x) + block.shortcut(x)).mean(dim=(2, 3))
    assert ((values == values.amin(dim=0)).sum(dim=0) == 1).all()
    left, right = (purity_of_rows(each).mean().item() for each in features.rank(values, 10))
    assert f"{left:.2f}" == "0.85"
    assert abs(left - right) < 0.03
