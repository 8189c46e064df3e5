"""What the prose of the chapters says of the book's records, a test a claim: one that fails names what to rewrite."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from resnet_book.analysis.paths import effective_length
from resnet_book.experiments import lesion_records
from resnet_book.report import lesion_figures

RESULTS = Path(__file__).parent.parent / "results"
SHORT, LONG = 2_000, 64_000  # iterations
Frame = Any  # a pandas.DataFrame: its columns are beyond a type checker


# --- Chapter 8 ---


@cache
def lesions() -> list[lesion_records.LesionRecord]:
    return [each for each in lesion_records.all_lesions(RESULTS) if "-cifar10" in each.experiment]


def cuts(network: str, iterations: int = SHORT) -> Frame:
    every = lesion_figures.all_cuts(lesions())
    return every[(every.network == network) & (every.iterations == iterations)]


def one_lost(network: str, iterations: int = SHORT) -> Frame:
    frame = cuts(network, iterations)
    return frame[frame.removed == 1].assign(block=[blocks[0] for blocks in frame[frame.removed == 1].blocks])


def paths(iterations: int) -> Frame:
    every = lesion_figures.all_paths(lesions())
    return every[every.iterations == iterations]


RESIDUALS = [("residual", SHORT), ("residual", LONG)]


def test_a_plain_network_answers_nearly_blindly_whichever_block_it_has_lost() -> None:
    assert one_lost("plain").error.min() > 80


def test_its_residual_twin_loses_less_than_half_as_much_with_a_block() -> None:
    assert 0.3 < one_lost("residual").added.mean() / one_lost("plain").added.mean() < 0.5


def test_no_residual_network_loses_a_block_for_nothing() -> None:
    assert min(one_lost(*each)[["added", "added_anew"]].min().min() for each in RESIDUALS) > 2


def test_longer_training_does_not_help_a_residual_network_to_bear_a_cut() -> None:
    assert one_lost("residual", LONG).added.mean() > one_lost("residual").added.mean()


def test_blocks_that_begin_a_stage_are_missed_most_after_long_training_and_the_first_two_after_short() -> None:
    missed = [set(one_lost(*each).nlargest(2, "added").block) for each in RESIDUALS]
    assert missed == [{1, 2}, {4, 7}]


def test_a_cut_network_is_far_surer_than_right() -> None:
    lost = [one_lost(*each) for each in [("plain", SHORT), *RESIDUALS]]
    assert min((100 * each.confidence - (100 - each.error)).mean() for each in lost) > 15


def test_fresh_statistics_undo_more_than_half_of_the_damage_in_residual_networks_and_little_in_the_plain_one() -> None:
    left = [one_lost(*each).added_anew.mean() / one_lost(*each).added.mean() for each in RESIDUALS]
    assert max(left) < 0.5
    assert one_lost("plain").added_anew.mean() / one_lost("plain").added.mean() > 0.85


def test_a_shortcut_is_worth_about_twice_its_block_in_most_places_but_not_in_all() -> None:
    for each in RESIDUALS:
        closed = cuts(*each)[cuts(*each).kind == "close shortcut"]
        for column in ("added", "added_anew"):
            assert 1.75 < closed[column].mean() / one_lost(*each)[column].mean() < 2.25
        worse = closed.added.to_numpy() > one_lost(*each).added.to_numpy()
        assert 0.5 < worse.mean() < 1


def test_swapping_two_blocks_costs_about_as_much_as_losing_one() -> None:
    for each in RESIDUALS:
        swapped = cuts(*each)[cuts(*each).kind == "swap"]
        for column in ("added", "added_anew"):
            assert 0.75 < swapped[column].mean() / one_lost(*each)[column].mean() < 1.4


def test_a_factor_of_three_quarters_or_five_ruins_as_trained_and_costs_nothing_measured_anew() -> None:
    for each in RESIDUALS:
        near = cuts(*each)[cuts(*each).factor.isin([0.75, 1.25])]
        assert len(near) == 2
        assert near.added.min() > 10
        assert near.added_anew.max() < 1


def test_the_paths_that_matter_are_about_as_long_as_most() -> None:
    for iterations in (SHORT, LONG):
        assert 0.45 < effective_length(paths(iterations))[0] / paths(iterations).length.max() < 0.55


def test_a_longer_path_carries_less_after_short_training_and_not_after_long() -> None:
    slopes = [np.polyfit(each.length, np.log(each.single), 1)[0] for each in map(paths, (SHORT, LONG))]
    assert slopes[0] < 0 < slopes[1]


def test_paths_of_one_length_cancel_for_the_most_part() -> None:
    for each in map(paths, (SHORT, LONG)):
        assert each.together.sum() < 0.5 * (each.number * each.single).sum()


def test_the_same_cuts_change_the_features_of_a_residual_network_less_and_leave_the_plain_one_near_chance() -> None:
    plain, residual = (cuts(each)[cuts(each).kind.isin(["leave out", "swap"])] for each in ("plain", "residual"))
    assert len(plain) == len(residual)
    assert residual.feature_change.mean() < 0.8 * plain.feature_change.mean()
    assert plain.error.min() > 80
