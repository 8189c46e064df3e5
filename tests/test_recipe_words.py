"""The sentences of chapter 5 say what the runs show, whichever way they went."""

import math

import pandas as pd
import pytest

from resnet_book.report.recipe_words import ablation_table, compared, joined, overlap


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
        (errors(29, 35), "32.0 % against 31.0 %: 1.0 points lower with seed 0 and 3.0 points higher with seed 1, and"),
        (errors(30, 35), "the same with seed 0 and 3.0 points higher with seed 1, and the runs of the two overlap"),
        (errors(30, 32), "31.0 % against 31.0 %: the same with every seed, and the runs of the two overlap"),
        (errors(math.nan, 32), "unknown, since the loss stopped being finite with 1 of 2 seeds"),
        (errors(math.nan, math.nan), "unknown, since the loss stopped being finite with every seed"),
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


def summary(base_runs: int = 3) -> pd.DataFrame:
    rows = {
        "full": (30.0, 1.0 if base_runs > 1 else math.nan, base_runs),
        "small": (32.0, math.nan, 1),
        "large": (40.0, math.nan, 1),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["test_error", "test_std", "runs"])


def five(base_runs: int, runs: int) -> float:
    return 5.0


def test_only_a_change_beyond_the_limit_is_called_larger_than_chance():
    text = ablation_table(summary(), "full", ["small", "large"], five)
    assert "| `small` | 32.00 (1 run) | +2.0 | 5.0 |" in text
    assert text.endswith("chance exceeds it in 1 of 20 cases. Beyond it: `large`.")
    assert ablation_table(summary(), "full", ["small"], five).endswith("No change is beyond it.")


def test_one_run_of_the_full_recipe_has_no_spread():
    text = ablation_table(summary(1), "full", ["large"], five)
    assert "| +10.0 | unknown |" in text
    assert "no spread is known" in text


def test_what_is_not_recorded_is_left_out_and_said_where_nothing_is():
    assert "absent" not in ablation_table(summary(), "full", ["small", "absent"], five)
    assert ablation_table(summary(), "full", ["absent"], five).startswith("Nothing that could be compared with `full`")
