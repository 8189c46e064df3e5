"""The sentences of chapter 4 say what the table of studies holds, whatever networks are recorded."""

from pathlib import Path

import pandas as pd
import pytest

from resnet_book.cifar import DataMissingError
from resnet_book.experiments import records, studies, weights
from resnet_book.report import study_figures, study_words

RESULTS = Path(__file__).parent.parent / "results"
SMOKE = "resnet20-builtin-smoke"


def network(kind: str, purity: float, before: float, selective: float, error: float, depth: int = 20) -> dict:
    """A row of the table, with intervals of 0.05 to both sides."""
    means = {"purity": purity, "untrained_purity": before, "selective_share": selective}
    ends = {
        f"{name}_{end}": mean + step for name, mean in means.items() for end, step in (("low", -0.05), ("high", 0.05))
    }
    about = {"kind": kind, "depth": depth, "iterations": 2_000, "test_error": error, "chance_purity": 0.3}
    return {**means, **ends, **about}


def frame(**rows: dict) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index")


PAIR = frame(
    plain20=network("plain", purity=0.8, before=0.2, selective=0.6, error=30),
    resnet20=network("residual", purity=0.7, before=0.5, selective=0.2, error=20),
)


def test_the_strongest_untrained_network_is_named_with_how_far_it_stands_from_chance():
    assert "untrained `resnet20`: it stands 50 % of the way" in study_words.trained_and_untrained(PAIR)


def test_untrained_networks_at_chance_are_no_opponents():
    assert "opponent" not in study_words.trained_and_untrained(PAIR.iloc[:1])


@pytest.mark.parametrize(("before", "words"), [(0.65, "1 of 2 networks"), (0.5, "all 2 networks")])
def test_only_intervals_that_are_apart_count_as_purer(before, words):
    rows = frame(plain20=network("plain", 0.8, 0.2, 0.6, 30), resnet20=network("residual", 0.7, before, 0.2, 20))
    assert words in study_words.trained_and_untrained(rows)


def test_depths_are_listed_from_the_shallowest_to_the_deepest():
    rows = frame(
        plain56=network("plain", 0.5, 0.2, 0.6, 70, depth=56), plain20=network("plain", 0.8, 0.2, 0.6, 30, depth=20)
    )
    expected = "- **Plain, 2,000 iterations:** with 20 and 56 layers the purity is 0.80 and 0.50"
    assert study_words.depth(rows).startswith(expected)


def test_twins_are_compared_by_share_purity_and_mistakes():
    selective, purity, mistakes = study_words.twins_compared(PAIR).splitlines()
    assert "none of 1 pairs" in selective
    assert "always with the plain network as the higher one" in selective
    assert "overlap in every pair" in purity
    assert "none of 1 pairs" in mistakes


def test_nothing_to_compare_is_said():
    assert study_words.depth(PAIR) == study_words.NOTHING
    assert study_words.twins_compared(PAIR.iloc[:1]) == study_words.NOTHING
    assert study_words.trained_and_untrained(PAIR.iloc[:0]) == study_words.NOTHING


def test_the_table_of_the_recorded_studies_has_twins_next_to_each_other_and_no_ablation():
    table = study_figures.study_frame(studies.recorded_studies("cifar10", RESULTS))
    assert list(table.index[:2]) == ["plain20-short", "resnet20-short"]
    assert set(table["recipe"]) <= {"paper", "short", "wide"}
    assert not any("projection" in str(name) for name in table.index)
    assert min(table["purity"] - table["chance_purity"]) > 0


def test_the_first_network_with_weights_and_images_is_loaded(tmp_path, monkeypatch):
    monkeypatch.delenv("RESNET_BOOK_DATA", raising=False)
    monkeypatch.chdir(tmp_path)  # no CIFAR-10 there
    wishes = ["resnet1202-cifar10", "resnet20-cifar10-short", SMOKE]
    assert weights.load_first(wishes, None, RESULTS)[1].experiment == SMOKE


def test_a_folder_that_somebody_named_is_not_replaced_in_silence(tmp_path):
    with pytest.raises(DataMissingError):
        weights.load_first(["resnet20-cifar10-short", SMOKE], str(tmp_path), RESULTS)


def test_twins_are_loaded_together_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.delenv("RESNET_BOOK_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    groups = [("resnet1202-cifar10", SMOKE), ("plain20-builtin-smoke", SMOKE)]
    found = weights.load_first_group(groups, None, RESULTS)
    assert [record.experiment for _, record in found] == ["plain20-builtin-smoke", SMOKE]


def test_no_network_to_load_is_said():
    with pytest.raises(records.RecordError, match="holds none of resnet1202-cifar10 with weights"):
        weights.load_first(["resnet1202-cifar10"], None, RESULTS)
