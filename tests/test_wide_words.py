"""The sentences about the wide networks: they say who is ahead, what may be chance, and what is not recorded."""

import pandas as pd
import pytest
from invented import table_record

from resnet_book.report import tables, wide_words

PROJECTION = "resnet18-cifar10-projection"


def summaries(**errors: list[float]) -> pd.DataFrame:
    """Of experiments, written with _ for -, with an error a seed."""
    runs = [
        table_record(name.replace("_", "-"), seed, error)
        for name, each in errors.items()
        for seed, error in enumerate(each)
    ]
    return tables.summary(runs).set_index("experiment")


def curves(plain: float, residual: float, depth: int = 18) -> pd.DataFrame:
    """Two runs of three phases of 20 epochs, whose errors jump up and down by so many points."""
    rows = [
        {"experiment": f"{word}{depth}-cifar10-validation", "kind": kind, "depth": depth, "seed": 0}
        | {
            "iteration": epoch,
            "learning_rate": 10.0 ** -(1 + epoch // 20),
            "validation_error": 20 + jump * (-1) ** epoch,
        }
        for word, kind, jump in (("plain", "plain", plain), ("resnet", "residual", residual))
        for epoch in range(60)
    ]
    return pd.DataFrame(rows)


NO_CURVES = tables.curves([])


def test_without_records_nothing_is_claimed() -> None:
    nothing = summaries()
    assert "No pair is recorded yet" in wide_words.projections(nothing)
    assert wide_words.twins(nothing).strip() == "**No pair of twins has been through the 300 epochs yet.**"
    assert wide_words.scatter(NO_CURVES) == []
    table = wide_words.claims(nothing, NO_CURVES)
    assert table.verdict.str.startswith("open").all()
    assert table.published.tolist()[1] == "+0.2 points at 10 layers, +2.0 at 34, on CIFAR-10"


@pytest.mark.parametrize(
    ("projection", "said", "verdict"),
    [
        (5.1, "The two are level: they are apart by 0.10 points, 0.3 standard errors.", "holds here (one run of each)"),
        (
            4.0,
            "The one with projections is ahead by 1.00 points, 3.4 standard errors.",
            "does not hold here (one run of each)",
        ),
        (6.0, "The network with zeros is ahead by 1.00 points, 3.1 standard errors.", "holds here (one run of each)"),
    ],
)
def test_shortcuts_need_parameters_where_projections_are_clearly_ahead(
    projection: float, said: str, verdict: str
) -> None:
    found = summaries(resnet18_cifar10=[5.0], resnet18_cifar10_projection=[projection])
    assert said in wide_words.projections(found)
    assert wide_words.claims(found, NO_CURVES).verdict.iloc[0] == verdict


def test_a_pair_without_its_other_half_is_no_pair() -> None:
    assert "No pair" in wide_words.projections(summaries(resnet18_cifar10=[5.0]))


def test_the_spread_of_seeds_is_told_where_it_is_known() -> None:
    one = wide_words.twins(summaries(plain10_cifar10_short=[16.0], resnet10_cifar10_short=[19.0]))
    assert "(One run of each, so how far seeds are apart is not known.)" in one
    assert one.endswith("not where the two end.")
    text = wide_words.twins(summaries(plain18_cifar10=[5.0, 5.4], resnet18_cifar10=[5.2, 5.4, 5.6]))
    assert "(2 and 3 runs. Their seeds give the difference a standard error of 0.23 points.)" in text
    assert "300 epochs yet" not in text


def test_twins_are_named_with_depth_dataset_and_length_and_projections_are_none() -> None:
    found = summaries(
        plain10_cifar100_short=[47.0], resnet10_cifar100_short=[46.8], resnet10_cifar10_short_projection=[18]
    )
    text = wide_words.twins(found)
    assert text.startswith(
        "- **10 layers, CIFAR-100, 9 epochs:** the plain network errs on 47.00 %, the residual one on"
    )
    assert "On the training images they err on 23.5 and 23.4 %." in text
    assert text.count("**10 layers") == 1


@pytest.mark.parametrize(("deep", "verdict"), [(6.5, "holds on CIFAR-10"), (4.7, "does not show on CIFAR-10")])
def test_a_gap_opens_where_it_is_clearly_wider_between_deep_twins(deep: float, verdict: str) -> None:
    shallow = {"plain18_cifar10": [5.2], "resnet18_cifar10": [5.0]}
    assert wide_words.claims(summaries(**shallow), NO_CURVES).verdict.iloc[1].startswith("open")
    found = summaries(**shallow, plain34_cifar10=[deep], resnet34_cifar10=[4.5])
    assert wide_words.claims(found, NO_CURVES).verdict.iloc[1] == verdict


def test_scatter_is_counted_by_phase_and_set_beside_chance() -> None:
    (sentence,) = wide_words.scatter(curves(plain=2.0, residual=0.5))
    assert sentence.startswith("With 18 layers the residual network scatters less in 3 of 3 phases.")
    assert "4.0, 4.0, 4.0 times the smaller one" in sentence
    assert "more than 1.6 times (one run of each)" in sentence
    assert wide_words.claims(summaries(), curves(2.0, 0.5)).verdict.iloc[2] == "see the appendix"


def test_one_kind_alone_is_not_compared() -> None:
    assert wide_words.scatter(curves(2.0, 0.5).query("kind == 'plain'")) == []
