"""The table of studies that chapter 4 shows, and how chapters find the networks that they load."""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

from resnet_book.cifar import DataMissingError
from resnet_book.experiments import catalogue, studies, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.report import study_figures

RESULTS = Path(__file__).parent.parent / "results"
SMOKE = "resnet20-builtin-smoke"


def test_the_table_of_the_recorded_studies_has_twins_next_to_each_other_and_no_ablation():
    table = study_figures.study_frame(studies.recorded_studies("cifar10", RESULTS))
    assert list(table.index[:2]) == ["plain20-short", "resnet20-short"]
    assert {"paper", "short", "4k", "8k"} <= set(table["recipe"]) <= {"paper", "short", "wide", *catalogue.LADDER}
    assert not any("projection" in str(name) for name in table.index)
    assert min(table["purity"] - table["chance_purity"]) > 0
    assert max(table["untrained_led"] - table["features"]) <= 0


def test_what_is_added_to_a_feature_for_all_images_lowers_its_selectivity_but_not_that_above_the_floor():
    record, found = next(iter(studies.recorded_studies("cifar10", RESULTS).values()))
    bare = found.class_means - found.class_means.amin(dim=0)
    lifted = bare + bare.amax(dim=0)  # the floor: half of the largest class mean
    studied = {key: (record, replace(found, class_means=means)) for key, means in (("bare", bare), ("lifted", lifted))}
    table = study_figures.study_frame(studied)
    assert table.floor.to_dict() == pytest.approx({"bare": 0, "lifted": 0.5})
    assert table.selectivity["lifted"] < table.selectivity["bare"] / 2
    assert table.selectivity_above_floor.to_dict() == pytest.approx(dict.fromkeys(studied, table.selectivity["bare"]))


@pytest.mark.parametrize(
    ("rows", "led", "leaders"),
    [
        (["cat cat dog", "cat cat ship", "dog dog cat"], 2, "cat"),
        (["cat cat dog", "dog dog ship"], 1, "cat, dog"),
        ([], 0, ""),
    ],
)
def test_the_table_counts_the_rows_that_a_class_leads_alone_and_names_all_that_lead_as_many(rows, led, leaders):
    name, (record, found) = next(iter(studies.recorded_studies("cifar10", RESULTS).items()))
    rows = rows + ["airplane cat dog"] * (len(found.most) - len(rows))  # which no class leads
    classes = [[found.class_names.index(word) for word in row.split()] for row in rows]
    images = torch.tensor([[found.labels.tolist().index(label) for label in row] for row in classes])
    table = study_figures.study_frame({name: (record, replace(found, untrained_most=images))})
    assert (table.untrained_led.item(), table.untrained_leaders.item()) == (led, leaders)


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
    with pytest.raises(RecordError, match="holds none of resnet1202-cifar10 with weights"):
        weights.load_first(["resnet1202-cifar10"], None, RESULTS)


def test_without_studies_the_table_is_empty_and_can_be_shown_and_drawn():
    frame = study_figures.study_frame({})
    assert frame[["kind", "depth", "features", "test_error", "purity_low", "shared", "tied_at_zero"]].empty
    study_figures.plot_means(frame, plt.figure().subplots(), "purity", "purity")
