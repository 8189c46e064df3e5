"""What the prose of the chapters says of the book's records, a test a claim: one that fails names what to rewrite."""

from dataclasses import asdict
from functools import cache
from math import hypot
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from resnet_book import augment, data, models
from resnet_book.analysis import answers, diagnostics, landscape
from resnet_book.analysis import signals as signals_measured
from resnet_book.analysis.paths import effective_length
from resnet_book.experiments import landscape_records, lesion_records, records, signal_records, studies, weights
from resnet_book.report import (
    landscape_figures,
    lesion_figures,
    published,
    signal_figures,
    study_figures,
    tables,
    wide_tables,
)

RESULTS = Path(__file__).parent.parent / "results"
SHORT, LONG = 2_000, 64_000  # iterations
Frame = Any  # a pandas.DataFrame: its columns are beyond a type checker


# --- Chapter 8 ---


@cache
def lesions() -> list[lesion_records.LesionRecord]:
    return [each for each in lesion_records.all_lesions(RESULTS) if each.experiment.split("-")[1] == "cifar10"]


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


def test_their_residual_twins_lose_less_than_half_as_much_with_a_block() -> None:
    for plain, residual in zip(PLAINS, RESIDUALS, strict=True):
        assert one_lost(*residual).added.mean() / one_lost(*plain).added.mean() < 0.5


def test_with_nine_blocks_none_can_be_lost_for_nothing_and_longer_training_does_not_help() -> None:
    assert min(one_lost(*each)[["added", "added_anew"]].min().min() for each in RESIDUALS[:2]) > 2
    assert one_lost("residual", LONG).added.mean() > one_lost("residual").added.mean()
    assert set(one_lost("residual", LONG).nlargest(2, "added").block) == {4, 7}  # they begin a stage


def test_the_deep_residual_network_bears_the_loss_of_four_blocks_better_than_the_shallow_one_that_of_one() -> None:
    four = cuts(*DEEP)[cuts(*DEEP).removed == 4]
    one = one_lost("residual", LONG)
    assert four.added.mean() < 0.5 * one.added[~one.block.isin([4, 7])].mean()  # none of the four begins a stage


def test_with_27_blocks_most_can_be_lost_after_long_training_but_for_those_where_a_stage_begins_or_ends() -> None:
    lost = one_lost(*DEEP)
    assert (lost.added < 2).mean() > 0.6
    assert lost.added.median() < 1.5
    assert set(lost.block[lost.added > 5]) == {10, 17, 18, 19, 20}
    assert lost.added.drop(lost.index[lost.added > 5]).max() < 3


def test_on_average_a_cut_network_is_surer_than_right() -> None:
    lost = [one_lost(*each) for each in [*PLAINS, *RESIDUALS]]
    assert min((100 * each.confidence - (100 - each.error)).mean() for each in lost) > 3


def left_anew(each: tuple[str, int, int]) -> float:
    """Which share of the damage by one lost block is there with fresh statistics, too."""
    return one_lost(*each).added_anew.mean() / one_lost(*each).added.mean()


def test_fresh_statistics_undo_about_half_of_the_damage_or_more_in_residual_networks() -> None:
    assert max(map(left_anew, RESIDUALS)) < 0.55


def test_fresh_statistics_undo_less_in_plain_networks_and_save_the_deep_one_from_the_loss_of_some_blocks() -> None:
    assert min(map(left_anew, PLAINS)) > max(map(left_anew, RESIDUALS)) + 0.1
    lost = one_lost("plain", LONG, 56)
    assert (lost.added_anew < 6).sum() == 3
    assert 1.5 < lost.added_anew.min() < 2.5


def test_a_shortcut_is_worth_about_twice_its_block_with_nine_blocks_and_far_more_with_27() -> None:
    for each in RESIDUALS:
        closed = cuts(*each)[cuts(*each).cut == "close shortcut"]
        for column in ("added", "added_anew"):
            worth = closed[column].mean() / one_lost(*each)[column].mean()
            assert 1.75 < worth < 2.25 if each[2] == 20 else worth > 7


def test_swapping_two_blocks_costs_about_as_much_as_losing_one() -> None:
    for each in RESIDUALS:
        swapped = cuts(*each)[cuts(*each).cut == "swap"]
        for column in ("added", "added_anew"):
            assert 0.7 < swapped[column].mean() / one_lost(*each)[column].mean() < 1.5


def test_a_factor_of_three_quarters_or_five_adds_nine_points_as_trained_and_little_or_nothing_measured_anew() -> None:
    for each in RESIDUALS:
        near = cuts(*each)[cuts(*each).factor.isin([0.75, 1.25])]
        assert len(near) == 2
        assert near.added.min() > 8.5
        assert near.added_anew.max() < 2.5


def test_with_nine_blocks_the_paths_that_matter_are_about_as_long_as_most_and_with_27_far_shorter() -> None:
    share = {size: effective_length(paths(*size))[0] / paths(*size).length.max() for size in SIZES}
    assert 0.45 < min(share[SHORT, 20], share[LONG, 20]) < max(share[SHORT, 20], share[LONG, 20]) < 0.55
    assert share[LONG, 56] < share[SHORT, 56] < 0.36
    assert 5.5 < effective_length(paths(LONG, 56))[0] < 6.5


def test_a_longer_path_carries_less_but_for_nine_blocks_after_long_training_and_most_so_for_27_after_it() -> None:
    slope = {size: np.polyfit(paths(*size).length, np.log(paths(*size).single), 1)[0] for size in SIZES}
    assert slope[LONG, 56] < slope[SHORT, 56] < slope[SHORT, 20] < 0 < slope[LONG, 20]


def test_paths_of_one_length_cancel_nearly_all_with_27_blocks() -> None:
    left = {size: paths(*size).together.sum() / (paths(*size).number * paths(*size).single).sum() for size in SIZES}
    assert max(left.values()) < 0.25
    assert max(left[SHORT, 56], left[LONG, 56]) < 0.05


def out_or_swapped(each: tuple[str, int, int]) -> Frame:
    return cuts(*each)[cuts(*each).cut.isin(["leave out", "swap"])]


def test_with_statistics_as_trained_plain_networks_have_hardly_a_cut_that_leaves_them_away_from_chance() -> None:
    assert [(out_or_swapped(each).error < 75).sum() for each in PLAINS] == [0, 0, 0, 3]


def test_at_equal_change_measured_anew_the_deep_plain_network_loses_no_more_than_its_twin() -> None:
    plain, residual = out_or_swapped(("plain", LONG, 56)), out_or_swapped(DEEP)
    residual = residual[[27 not in blocks for blocks in residual.blocks]]  # those without the last block lie apart
    compared = 0
    for change, added in zip(plain.feature_change_anew, plain.added_anew, strict=True):
        near = residual.added_anew[(residual.feature_change_anew - change).abs() < 0.06]
        if len(near) >= 2:
            compared += 1
            assert added < near.median() + 0.5
    assert compared >= 8
    small = [(each.feature_change_anew < 0.25).sum() for each in (plain, residual)]
    assert small[0] <= 2 < 20 < small[1]  # nearly all small changes are the residual network's


def test_cuts_of_the_last_block_change_features_more_than_answers() -> None:
    residual = out_or_swapped(DEEP)
    last = residual[[27 in blocks and len(blocks) <= 4 for blocks in residual.blocks]]
    assert last.feature_change_anew.between(0.6, 0.66).all()
    assert last.added_anew.max() < 6


# --- Chapter 9: networks of the short recipe, one of each kind and depth ---


@cache
def landscapes() -> list[landscape_records.LandscapeRecord]:
    return [each for each in landscape_records.all_landscapes(RESULTS) if each.experiment.endswith("-cifar10-short")]


def rises() -> Frame:
    """Loss at the weights and away from them: medians over the directions, a row a network and statistics."""
    lines = landscape_figures.rises(landscape_figures.slice_frame(landscapes()))
    return lines.groupby(["depth", "statistics", "kind"])[["middle", "half", "end"]].median()


def ends() -> Frame:
    """The loss one step away: a row a network and statistics, a column a direction."""
    lines = landscape_figures.rises(landscape_figures.slice_frame(landscapes()))
    return lines.pivot_table(index=["depth", "statistics", "kind"], columns="direction", values="end")


def curvatures() -> Frame:
    frame = landscape_figures.curvature_frame(landscapes())
    return frame[frame["at"] == "trained"].set_index(["depth", "statistics", "kind"])


def way() -> Frame:
    """The largest eigenvalue: a row a network, a column an iteration of the training."""
    frame = landscape_figures.curvature_frame(landscapes())
    return frame[frame["at"].map(lambda at: isinstance(at, int))].pivot_table(index="kind", columns="at", values="top")


def by_recipe(depth: int = 20) -> tuple[Frame, Frame]:
    """Heights, and largest eigenvalues, of the pair of a depth: rows a statistics and network, columns a recipe."""
    wanted = tuple(f"{depth}-cifar10{recipe}" for recipe in ("", "-short"))
    both = [each for each in landscape_records.all_landscapes(RESULTS) if each.experiment.endswith(wanted)]
    keys = ["statistics", "kind", "iterations"]
    heights = landscape_figures.rises(landscape_figures.slice_frame(both)).groupby(keys)[["middle", "half", "end"]]
    eigenvalues: Any = landscape_figures.curvature_frame(both).query("at == 'trained'").set_index(keys).top
    return heights.median().unstack("iterations"), eigenvalues.unstack("iterations")


def between(seeds: str) -> Frame:
    """Barrier and error halfway (%) on a line between two networks: a row a network and statistics."""
    frame = landscape_figures.line_frame(landscapes())
    each = frame[frame.seeds == seeds].groupby(["kind", "statistics"])
    halfway = frame[(frame.seeds == seeds) & (frame.share == 0.5)].set_index(["kind", "statistics"]).error
    return each.loss.apply(lambda loss: landscape.barrier(loss.tolist())).to_frame("barrier").assign(error=halfway)


def test_the_plain_twin_is_the_flatter_one_at_20_layers_and_the_residual_one_at_56_with_either_statistics() -> None:
    found = rises()
    share = (found.half - found.middle) / (landscape_figures.CHANCE - found.middle)  # of the way to blind guesses
    flatter = (share.unstack("kind").residual < share.unstack("kind").plain).to_dict()
    assert flatter == {(20, "anew"): False, (20, "as trained"): False, (56, "anew"): True, (56, "as trained"): True}


def test_lines_rise_nearly_all_the_way() -> None:
    lines = landscape_figures.rises(landscape_figures.slice_frame(landscapes()))
    assert lines.groupby(["kind", "depth"]).down.mean().max() < 0.1


def test_most_of_the_height_was_the_statistics_and_measured_anew_no_loss_goes_far_above_blind_guesses() -> None:
    height = (rises().end - rises().middle).unstack("statistics")
    assert (height.anew / height["as trained"]).max() < 0.5
    assert ends().xs("anew", level="statistics").max().max() < landscape_figures.CHANCE + 0.6
    assert rises().end[56, "as trained", "plain"] > 2000 * landscape_figures.CHANCE


def test_directions_differ_by_less_than_a_half_measured_anew_and_by_far_more_than_ten_times_as_trained() -> None:
    apart = (ends().max(axis=1) / ends().min(axis=1)).unstack("statistics")
    assert len(apart) == 4
    assert apart.anew.max() < 1.5
    assert apart["as trained"].min() > 25


def test_the_order_of_the_twins_changes_with_the_direction_in_two_of_four_pairs() -> None:
    mixed = {}
    for pair in ((20, "as trained"), (20, "anew"), (56, "as trained"), (56, "anew")):
        found = ends().loc[pair].dropna(axis=1)
        mixed[pair] = len(set(found.loc["plain"] > found.loc["residual"])) == 2
    assert [pair for pair, both in mixed.items() if both] == [(20, "as trained"), (56, "anew")]


def test_the_steepest_direction_curves_thousands_of_times_as_much_as_a_random_one() -> None:
    found = curvatures()[curvatures().random.map(bool)]
    assert min(abs(row.top) / np.mean(np.abs(row.random)) for row in found.itertuples()) > 2000


def test_measured_anew_the_twin_that_looks_flatter_curves_more() -> None:
    top = curvatures().top.abs()
    assert top[20, "anew", "plain"] > top[20, "anew", "residual"]
    assert top[56, "anew", "residual"] > top[56, "anew", "plain"]
    changed = curvatures().last_change
    assert changed[changed > 0.1].index.tolist() == [(56, "anew", "plain")]  # had not quite settled


def test_before_training_the_weights_lie_on_a_ridge_and_soon_in_a_valley_that_gets_wider() -> None:
    assert way().columns.tolist() == [0, 100, 1000, 2000]
    assert way()[0].max() < -100
    assert way()[2000].min() > 0
    assert way()[100].max() < 10
    assert (way()[100] > way()[1000]).all()
    assert (way()[1000] > way()[2000]).all()


def test_there_is_a_barrier_between_two_seeds_and_none_between_two_moments_of_one_training() -> None:
    assert between("one").barrier.max() < 0.01
    two = between("two").loc["residual"]
    assert 0.3 < two.barrier["anew"] < 0.5 * two.barrier["as trained"]
    assert two.error.min() > 75


def test_after_long_training_the_pairs_lie_deeper_and_rise_above_blind_guesses_up_to_about_twice_as_high() -> None:
    for depth in (20, 56):
        heights, _ = by_recipe(depth)
        assert (heights.middle[LONG] / heights.middle[SHORT]).max() < 0.15
        for name in (f"plain{depth}-cifar10", f"resnet{depth}-cifar10"):  # seldom wrong on the training images
            assert records.load_record(RESULTS / name / "seed0.json").epochs[-1].train_error < 4.5
        anew = (heights.end[LONG] / landscape_figures.CHANCE).loc["anew"]
        assert (heights.end[LONG].loc["anew"] > heights.end[SHORT].loc["anew"]).all()
        assert anew.between(1.1, 2.3).all()


def test_whether_the_valley_gets_wider_by_long_training_depends_on_the_statistics() -> None:
    for depth in (20, 56):
        eigenvalues = by_recipe(depth)[1]
        assert (eigenvalues[LONG] / eigenvalues[SHORT])["anew"].between(3, 20).all()
    shallow = by_recipe()[1]
    assert (shallow[LONG] / shallow[SHORT])["as trained"].max() < 0.34
    assert [*by_recipe(56)[1].index.get_level_values("statistics").unique()] == ["anew"]


def test_by_both_recipes_the_plain_network_of_20_layers_is_the_flatter_one_and_the_residual_one_of_56() -> None:
    for depth in (20, 56):
        heights, _ = by_recipe(depth)
        for recipe in (SHORT, LONG):
            middle = heights.middle[recipe]
            share = ((heights.half[recipe] - middle) / (landscape_figures.CHANCE - middle)).unstack("kind")
            assert ((share.plain < share.residual) == (depth == 20)).all()


def test_after_long_training_the_deep_residual_network_curves_not_half_as_much_as_its_twin() -> None:
    top = by_recipe(56)[1][LONG]["anew"]
    assert top.residual < 0.5 * top.plain


# --- Chapter 10 ---


@cache
def signals() -> list[signal_records.SignalRecord]:
    return [each for each in signal_records.all_signals(RESULTS) if each.experiment.split("-")[1] == "cifar10"]


def on_the_way(rows: Any) -> Frame:
    """Rows of the recorded networks whose weights on the way were measured: all by the short recipe."""
    frame: Any = signal_figures.through_training(signal_figures.of_networks(signals(), rows))
    assert set(frame.recipe_iterations) == {SHORT}
    return frame


def growth(measure: str) -> Frame:
    """The first block's value over the last one's: a row a depth and iteration, a column a kind."""
    blocks: Any = signal_figures.once(signal_figures.of_networks(signals(), "blocks"))
    each = blocks[blocks.recipe_iterations == SHORT].sort_values("block").groupby(["depth", "iteration", "kind"])
    return (each[measure].first() / each[measure].last()).unstack("kind")


def worth(depth: int = 20) -> Frame:
    """The three cosines of gradients in the weights: a row an iteration, two columns (kinds) each."""
    rows = on_the_way("predictions").query("depth == @depth")
    return rows.pivot_table(index="iteration", columns="kind", values=["other_images", "after_step", "next"])


def likeness(depth: int = 20) -> Frame:
    """Cosine of pixel gradients at pictures nearby, as in the chapter's figure: a row an iteration, a column a kind."""
    near = on_the_way("distances").query("distance == 0.01 and depth == @depth")
    return near.pivot_table(index="iteration", columns="kind", values="cosine")


@cache
def before_and_after() -> Frame:
    """The chapter's table of likeness and errors: a row a kind, depth and number of steps."""
    table = signal_figures.likeness_table(signals(), records.load_all(RESULTS), 0.01)
    return table.set_index(["kind", "depth", "steps"]).sort_index()


def test_untrained_plain_gradients_of_56_layers_have_no_likeness_and_residual_ones_far_more() -> None:
    before = before_and_after()["likeness before"]
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
            signals_measured.pre_activation(56, generator)
            if moved
            else models.narrow(56, residual=True)(generator=generator)
        )
        return signals_measured.shattering(network, (images[:32], labels[:32]), (0.01,)).cosine[0]

    ours, usual = ([cosine(seed, moved=moved) for seed in range(3)] for moved in (True, False))
    assert min(ours) < max(usual)
    assert min(usual) < max(ours)


def held(network: models.Network, length: float | None = None) -> tuple[float, float]:
    """The cosine after a step on built-in images, of the given length or at a rate of 0.1; and the step's length."""
    images, labels = built_in(16)
    pair = list(zip(images.split(32), labels.split(32), strict=True))
    norm = signals_measured.gradient(network, pair[0]).norm().item()
    length = length or 0.1 * norm
    return signals_measured.predictions(network, pair, length / norm).after_step[0], length


def test_the_deep_residual_gradient_holds_behind_a_hundredth_and_the_plain_one_not_behind_a_hundredth_of_that() -> None:
    plain, residual = (
        models.narrow(56, residual=residual)(generator=torch.Generator().manual_seed(0)) for residual in (False, True)
    )
    assert held(residual, 0.01)[0] > 0.9
    assert abs(held(plain, 0.0001)[0]) < 0.2
    for network, shortest in ((plain, 100), (residual, 1)):  # the first step that training takes
        cosine, length = held(network)
        assert cosine < 0.1
        assert length > shortest


def test_a_start_at_zero_takes_a_step_ten_times_shorter_and_more_and_holds_as_well_behind_one_of_equal_length() -> None:
    usual = models.narrow(20, residual=True)(generator=torch.Generator().manual_seed(0))
    zeroed = signals_measured.zero_last_norms(usual)
    assert held(zeroed)[1] < 0.1 * held(usual)[1]
    assert held(usual)[0] < 0.1 < 0.9 < held(zeroed)[0]
    for length in (0.1, 0.01, 0.001, 0.0001):
        assert abs(held(zeroed, length)[0] - held(usual, length)[0]) < 0.1
    assert max(held(network, 1.0)[0] for network in (usual, zeroed)) < 0


def test_weights_on_the_way_are_of_repetitions() -> None:
    with_way = [each for each in signals() if any(stage.origin == "along the way" for stage in each.stages)]
    assert with_way
    assert all(each.kept_by for each in with_way)


def test_the_gradient_grows_towards_the_images_before_training_soon_hardly_and_later_less_than_fourfold() -> None:
    found = growth("gradient_norm")
    assert found.plain[20, 0] > 10
    assert found.plain[56, 0] > 1_000
    assert (found.residual < 0.5 * found.plain).loc[[(20, 0), (56, 0)]].all()
    assert found.loc[20, 30].max() < 1.5
    assert found.xs(SHORT, level="iteration").min(axis=None) > 1
    assert found.xs(SHORT, level="iteration").max(axis=None) < 4


def test_the_signal_has_one_size_in_untrained_plain_networks_and_grows_in_residual_ones_but_where_stages_begin() -> (
    None
):
    blocks: Any = signal_figures.of_networks(signals(), "blocks")
    blocks = blocks[(blocks.recipe_iterations == SHORT) & (blocks.iteration == 0)]
    for (kind, depth), each in blocks.groupby(["kind", "depth"]):
        signal = each.set_index("block").signal
        if kind == "plain":
            assert signal.max() < 1.2 * signal.min()
        else:
            a_stage = len(signal) // 3
            falls = signal.index[signal.diff() < 0].tolist()
            assert falls == [a_stage + 1, 2 * a_stage + 1]
            assert signal.iloc[-1] > 1.8 * signal.iloc[0], depth


def test_after_the_short_training_the_signal_grows_no_longer_and_is_large_in_the_first_blocks_of_plain_56() -> None:
    found = growth("signal").xs(SHORT, level="iteration")
    assert found.min(axis=None) > 0.95
    assert found.plain[56] > 10


def test_within_a_hundred_steps_the_plain_networks_pixel_gradients_are_as_alike_as_its_twins() -> None:
    near = likeness()
    assert near.plain[0] < 0.6 < 0.8 < near.residual[0]
    assert near.loc[100].min() > 0.98


def test_after_the_short_training_none_is_noise_and_by_the_long_one_a_part_of_the_likeness_is_lost_again() -> None:
    after = before_and_after()["likeness after"].unstack("steps")
    assert after[SHORT].min() > 0.9
    assert (after[LONG] < after[SHORT] - 0.03).all()
    assert after[LONG].min() > 0.8


def test_after_training_the_deep_twins_are_as_smooth_and_the_plain_one_makes_far_more_mistakes() -> None:
    for steps in (SHORT, LONG):
        plain, residual = (before_and_after().loc[kind, 56, steps] for kind in ("plain", "residual"))
        assert abs(plain["likeness after"] - residual["likeness after"]) < 0.02
        for error in ("training error (%)", "test error (%)"):
            assert plain[error] > 1.5 * residual[error]


def test_before_training_other_images_agree_well_in_the_residual_network_and_no_gradient_holds_after_a_step() -> None:
    first = worth().loc[0]
    assert first["other_images"].plain < 0.2 < 0.8 < first["other_images"].residual
    assert first["after_step"].plain < 0.2
    assert -0.3 < first["after_step"].residual < -0.1  # slightly backwards


def test_at_first_the_plain_gradient_is_the_less_bad_one_for_other_images_after_a_step() -> None:
    assert 0.1 < worth().loc[0]["next"].plain < 0.2
    assert -0.3 < worth().loc[0]["next"].residual < -0.1


def test_a_hundred_steps_later_other_images_spoil_it_and_at_the_end_these_have_nothing_in_common() -> None:
    assert worth().after_step.loc[100].min() > 0.9
    assert worth().other_images.loc[100].max() < 0.3
    assert worth().other_images.loc[2_000].abs().max() < 0.05
    assert worth().after_step.loc[2_000].min() > 0.95


def test_the_learning_rates_on_the_way_are_those_of_the_short_recipe() -> None:
    for each in signals():
        rates = {stage.iteration: stage.learning_rate for stage in each.stages}
        if 100 in rates:
            assert rates[0] == rates[100] == pytest.approx(0.1)
            assert rates[1_000] == pytest.approx(0.01)
            assert rates[1_500] == rates[2_000] == pytest.approx(0.001)


def test_the_usual_start_is_worse_than_blind_guesses_and_gets_worse_and_the_start_at_zero_does_not() -> None:
    whose = ["recipe_iterations", "depth", "zeroed"]
    each = signal_figures.of_networks(signals(), "starts").groupby(whose).loss
    first, most = each.first().unstack("zeroed"), each.max().unstack("zeroed")
    late = each.apply(lambda loss: loss.tail(10).mean()).unstack("zeroed")
    assert first[False].xs(56, level="depth").min() > first[False].xs(20, level="depth").max()
    assert first[False].min() > landscape_figures.CHANCE + 1
    assert (most[False] > first[False]).all()
    assert (first[True] - landscape_figures.CHANCE).abs().max() < 0.1
    assert most[True].max() < landscape_figures.CHANCE + 0.1
    ahead = (late[False] - late[True]).groupby("depth").agg(["min", "max"])
    assert 0 < ahead["min"][20] <= ahead["max"][20] < 0.15  # they have nearly met
    assert ahead["min"][56] > 0.3


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


def test_the_first_drop_takes_off_a_third_and_the_second_does_nothing_visible() -> None:
    name = "resnet20-cifar10"
    assert mean_error(name, 32_000, 34_000) < 0.7 * mean_error(name, 30_000, 32_000)
    assert abs(mean_error(name, 48_000, 50_000) - mean_error(name, 46_000, 48_000)) < 0.5


def test_the_drop_puts_short_runs_ahead_and_the_run_without_nearly_catches_up() -> None:
    behind = [
        mean_error("resnet20-cifar10-no-drops", *epochs) - mean_error("resnet20-cifar10-short", *epochs)
        for epochs in ((1_000, 1_500), (1_500, SHORT))
    ]
    assert behind[0] > 4
    assert 0 < behind[1] < 2


def test_short_runs_without_decay_are_apart_by_no_more_than_the_limit_of_chance() -> None:
    full, without = (summaries().loc[f"resnet20-cifar10-{name}"] for name in ("short", "no-decay"))
    assert full.runs == 3
    assert abs(without.test_error - full.test_error) < 4.9 * full.test_std


# --- Chapter 7 and its appendix ---


def test_in_short_runs_projections_are_ahead_by_more_than_the_luck_of_the_images_and_less_than_seeds_differ() -> None:
    zeros, projection = summaries().test_error[["resnet10-cifar10-short", "resnet10-cifar10-short-projection"]]
    assert zeros - projection > 2 * hypot(*map(wide_tables.standard_error, (zeros, projection)))
    seeds = [each.test_error for each in recorded() if each.experiment == "resnet20-cifar10-short"]
    assert len(seeds) == 3
    assert max(seeds) - min(seeds) > zeros - projection


def test_no_wide_network_is_recorded_by_the_long_recipe() -> None:
    assert summaries()[(summaries().recipe == "wide") & summaries().depth.isin(wide_tables.DEPTHS)].empty


def test_the_published_gap_opens_with_depth() -> None:
    gaps = wide_tables.gaps(wide_tables.published_errors()).set_index(["dataset", "depth"])
    sure = (gaps.gap / gaps["sampling"]).unstack("dataset")
    assert sure.loc[10].abs().max() < 1
    assert sure.cifar10[18] < 1
    assert gaps.gap["cifar100", 18] == pytest.approx(2.5)
    assert sure.loc[34:].min().min() > 5
    assert all(gaps.plain[data, 34] > gaps.plain[data, 18] for data in ("cifar10", "cifar100"))


def test_after_nine_epochs_the_plain_network_is_ahead_by_four_samplings_on_cifar10_and_level_on_cifar100() -> None:
    gaps = wide_tables.own_gaps(summaries(), "short").set_index(["dataset", "depth"])
    assert gaps.index.tolist() == [("cifar10", 10), ("cifar100", 10)]
    sure = gaps.gap / gaps["sampling"]
    assert sure["cifar10", 10] < -4
    assert abs(sure["cifar100", 10]) < 1
    train = summaries().train_error
    assert train["plain10-cifar10-short"] < train["resnet10-cifar10-short"] - 1


def test_validation_and_test_errors_are_apart_by_no_more_than_luck_and_to_either_side() -> None:
    curves = tables.curves(recorded()).dropna(subset="validation_error")
    apart = (curves.test_error - curves.validation_error).groupby([curves.experiment, curves.seed]).mean()
    luck = hypot(*(wide_tables.standard_error(curves.test_error.mean(), images) for images in (5_000, 10_000)))
    assert apart.abs().max() < 2 * luck
    assert apart.min() < 0 < apart.max()


def test_of_the_mistakes_on_cifar100_top5_forgives_more_than_half_and_the_superclass_about_a_quarter() -> None:
    of_hundred = [each for each in recorded() if each.top5_error is not None and each.superclass_error is not None]
    assert min(1 - each.top5_error / each.test_error for each in of_hundred if each.top5_error) > 0.5
    assert all(0.2 < 1 - (each.superclass_error or 0) / each.test_error < 0.33 for each in of_hundred)


def test_the_most_frequent_confusions_are_between_relatives_and_so_is_about_a_quarter_of_all() -> None:
    found = studies.kept_study("resnet10-cifar100-short", results=RESULTS)
    assert found
    groups = [found.superclass_of_class[each] for each in found.class_names]
    matrix = answers.confusion(found.predicted, found.labels, len(groups))
    assert all(wide_tables.frequent_confusions(matrix, found.class_names, groups)["same superclass"].tolist())
    wrong = found.predicted != found.labels
    pairs = zip(found.predicted[wrong].tolist(), found.labels[wrong].tolist(), strict=True)
    assert 0.2 < np.mean([groups[one] == groups[other] for one, other in pairs]) < 0.33


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


def test_after_2000_iterations_the_four_networks_stand_in_one_order_in_training_and_test_error() -> None:
    for column in ("train_error", "test_error"):
        error = after_the_short_training(column)
        assert error.plain[56] > error.residual[56] > error.plain[20] > error.residual[20]
        assert error.plain[56] - error.plain[20] > 2 * (error.residual[56] - error.residual[20])


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
    assert gain < (theirs[20] - theirs[56]).min()
    assert (theirs[20] - theirs[56]).min() > 1
    train = after_training("paper", "train_error").residual
    assert train[56] < train[20] / 2


def test_of_the_corners_the_deep_residual_network_alone_errs_more_than_any_that_was_published() -> None:
    error = after_training("paper", "test_error")
    for kind, theirs in published_errors().groupby("kind"):
        for depth in (20, 56):
            worse_than_all = error[kind][depth] > theirs[depth].max()
            assert worse_than_all == ((kind, depth) == ("residual", 56))
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


def test_the_one_published_network_of_more_than_110_layers_errs_more_than_that_of_110() -> None:
    deep = published_errors().loc[:, 110:].dropna(how="all")
    assert set(deep.columns) == {110, 1202}
    assert deep[1202].dropna().index.tolist() == [(published.PAPER, "residual")]
    assert deep.loc[published.PAPER, "residual"].tolist() == [6.61, 7.93]


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
    assert rates["residual", 56][2] < 1.03
    assert round(theory**52, -3) == 21_000
    assert 0.16 < (rates["plain", 56][0] / theory) ** 52 < 0.22


def test_the_rate_of_growth_is_about_the_same_at_every_depth_and_a_little_below_the_theorys() -> None:
    train = data.load("builtin", "train")
    images = augment.normalise(train.images[:32], *augment.channel_mean_std(train.images))
    for depth in (20, 32, 44, 56, 110):
        network = models.narrow(depth, residual=False)(generator=torch.Generator().manual_seed(0))
        assert 1.16 < per_layer(diagnostics.block_gradients(network, images, train.labels[:32])) < 1.2


def test_outputs_become_unlike_up_to_layer_33_and_gradients_within_the_last_ten_layers() -> None:
    train = data.load("builtin", "train")
    images = augment.normalise(train.images[:32], *augment.channel_mean_std(train.images))
    nearby = images + 0.05 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    found = {}
    for kind in ("plain", "residual"):
        network = models.narrow(56, residual=kind == "residual")(generator=torch.Generator().manual_seed(0))
        frame = diagnostics.neighbour_similarities(network, images, nearby, train.labels[:32])
        found[kind] = frame.set_index("layer")[["activation", "gradient"]]
    outputs, gradients = found["plain"].activation, found["plain"].gradient
    assert outputs.loc[:33].is_monotonic_decreasing
    assert 0.2 < outputs.loc[33] < 0.27
    assert outputs.loc[33:].min() > outputs.loc[33] - 0.02
    assert outputs.loc[55] > outputs.loc[33] + 0.1
    assert gradients.loc[55] > 0.99
    assert gradients.loc[:45].abs().max() < 0.05
    twin = found["residual"]
    assert twin.activation.min() > 0.85
    assert 0.1 > twin.gradient.diff().dropna().max() >= twin.gradient.diff().dropna().min() > 0
    assert twin.gradient.min() > 0.25


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


def mean_responses(iterations: int) -> Frame:
    """A row a depth and place in the block (0: first layer, 1: second); columns plain and residual."""
    frame = inside()[(inside().layer > 1) & (inside().iterations == iterations)]
    return frame.assign(place=frame.layer % 2).pivot_table(["response"], ["depth", "place"], "kind").response


def start_left(kind: str, depth: int, iterations: int = SHORT) -> Frame:
    frame = inside()[(inside().kind == kind) & (inside().depth == depth) & (inside().iterations == iterations)]
    return frame.set_index("layer").left


def test_residual_networks_respond_less_than_their_twins_in_both_layers_of_a_block_after_either_training() -> None:
    for iterations in (SHORT, LONG):
        found = mean_responses(iterations)
        assert (found.residual < found.plain).all()
    less = (mean_responses(SHORT).plain - mean_responses(SHORT).residual).unstack("place").loc[[20, 32]]
    assert less[0].max() < 0.04 < 0.1 < less[1].min()


def test_a_deeper_network_responds_less_after_the_long_training_in_both_kinds_and_more_after_the_short_one() -> None:
    assert (mean_responses(LONG).loc[56] < mean_responses(LONG).loc[20]).all(axis=None)
    assert (mean_responses(SHORT).loc[56] > mean_responses(SHORT).loc[20]).all(axis=None)


def test_in_deep_plain_networks_the_layers_next_to_the_images_respond_most_and_pull_the_means_up() -> None:
    for depth in (44, 56):
        frame = inside()[(inside().kind == "plain") & (inside().depth == depth) & (inside().iterations == SHORT)]
        plain = frame.set_index("layer").response
        assert set(plain.nlargest(5).index) <= set(range(1, 10))
        assert plain.max() > 3 * plain.loc[20:].max()
        assert plain.loc[20:].mean() < 0.92 < 1.1 < plain.loc[2:].mean()


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


def test_with_56_layers_nearly_half_have_turned_far_and_the_last_hardly_and_in_the_twin_only_six() -> None:
    plain, residual = start_left("plain", 56), start_left("residual", 56)
    assert 0.4 < (plain < 0.5).mean() < 0.5
    assert plain[plain < 0.5].index.max() < 25
    assert plain.loc[1:10].max() < 0.1
    assert plain.loc[38:].min() > 0.96
    assert (residual < 0.5).sum() == 6
    assert residual.min() > 0.1


def test_after_the_long_training_every_layer_of_56_has_left_its_start_in_both_kinds() -> None:
    assert max(start_left(kind, 56, LONG).max() for kind in ("plain", "residual")) < 0.2


# --- Chapter 4 and its appendix ---


@cache
def networks() -> Frame:
    return study_figures.study_frame(studies.recorded_studies("cifar10", RESULTS))


def twins(column: str) -> Frame:
    """A row a pair of twins, shallow ones first; columns plain and residual."""
    return networks().pivot_table(index=["iterations", "depth"], columns="kind", values=column).dropna()


def apart(measure: str) -> tuple[list[int], list[int]]:
    """Depths of the twins whose intervals are apart with the plain one above, and with the residual one above."""
    low, high = twins(f"{measure}_low"), twins(f"{measure}_high")
    depths = low.index.get_level_values("depth")
    return [*depths[low.plain > high.residual]], [*depths[low.residual > high.plain]]


def test_in_every_network_the_trained_rows_are_purer_than_the_untrained_ones() -> None:
    assert (networks().purity_low > networks().untrained_purity_high).all()


def test_before_training_residual_networks_have_the_purer_rows_and_the_best_stands_half_of_the_way() -> None:
    assert (twins("untrained_purity").residual > twins("untrained_purity").plain).all()
    frame = networks()
    way = (frame.untrained_purity - frame.chance_purity) / (frame.purity - frame.chance_purity)
    assert 0.4 < way.max() < 0.6
    assert frame.kind[way.idxmax()] == "residual"


def test_in_a_short_training_purity_goes_down_with_depth_as_the_errors_go_up() -> None:
    purity, error = (twins(each).loc[SHORT] for each in ("purity", "test_error"))
    assert purity.plain.is_monotonic_decreasing
    assert purity.residual.loc[:44].is_monotonic_decreasing
    assert 0 < purity.residual[56] - purity.residual[44] < 0.1
    assert all(error[kind].is_monotonic_increasing for kind in error)


def test_plain_networks_have_more_selective_features_in_all_pairs_but_the_deepest() -> None:
    share = twins("selective_share")
    assert share[share.residual > share.plain].index.tolist() == [(SHORT, 56)]
    plain, residual = apart("selective_share")
    assert len(plain) > 1
    assert not residual


def test_purity_has_the_same_signs_but_after_long_training_and_one_pair_each_is_apart() -> None:
    purity, share = twins("purity"), twins("selective_share")
    other = (purity.residual > purity.plain) != (share.residual > share.plain)
    assert other[other].index.tolist() == [(LONG, 20)]
    assert purity.residual[LONG, 20] > purity.plain[LONG, 20]
    assert [len(each) for each in apart("purity")] == [1, 1]


def test_in_most_pairs_the_twin_with_more_selective_features_makes_more_mistakes() -> None:
    share, error = twins("selective_share"), twins("test_error")
    assert ((share.plain > share.residual) == (error.plain > error.residual)).mean() > 0.5
