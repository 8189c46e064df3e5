"""The sentences of chapter 5 say what the runs show, whichever way they went."""

import math

import pandas as pd
import pytest

from resnet_book.report.recipe_words import compared, joined, overlap


def errors(*each: float) -> pd.Series:
    return pd.Series(each)


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (
            errors(40, 42),
            "41.0 % against 31.0 %: higher with every seed, by 10.0 and 10.0 points, and the runs of the two do",
        ),
        (
            errors(20, 22),
            "21.0 % against 31.0 %: lower with every seed, by 10.0 and 10.0 points, and the runs of the two do",
        ),
        (errors(29, 35), "32.0 % against 31.0 %: 3.0 points higher with seed 1 and 1.0 points lower with seed 0, and"),
        (errors(30, 35), "3.0 points higher with seed 1 and the same with seed 0, and the runs of the two overlap"),
        (errors(30, 32), "the same with seed 0 and the same with seed 1, and the runs of the two overlap"),
        (errors(math.nan, 32), "unknown, since the loss stopped being finite in 1 of 2 runs"),
        (errors(math.nan, math.nan), "unknown, since the loss stopped being finite in every run"),
    ],
)
def test_two_runs_each_are_compared_seed_by_seed(ours: pd.Series, said: str):
    assert said in compared(ours, errors(30, 32))


def test_one_run_each_is_said_to_be_one():
    assert compared(errors(40), errors(30)) == "40.0 % against 30.0 %, one run each"


def test_runs_that_share_a_value_overlap():
    assert overlap(errors(30, 32), errors(32, 34))
    assert not overlap(errors(30, 31), errors(32, 34))


def test_other_seeds_cannot_be_compared_pairwise():
    with pytest.raises(ValueError, match=r"the seeds \[0\], theirs \[0, 1\]"):
        compared(errors(40), errors(30, 32))


def test_names_are_joined_as_they_are_spoken():
    assert [joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"]), joined([])] == [
        "a",
        "a and b",
        "a, b and c",
        "",
    ]
