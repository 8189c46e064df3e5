"""The recorded runs: sound, described as they are, and kept with the weights that made their numbers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resnet_book import data, features, models, train
from resnet_book.analysis import purity
from resnet_book.experiments import records, weights
from resnet_book.report import tables

RESULTS = Path(__file__).parent.parent / "results"
RECORDS = records.load_all(RESULTS)
BUILTIN = [record for record in RECORDS if record.dataset["name"] == "builtin"]


def named(record: records.Record) -> str:
    return f"{record.experiment}-seed{record.seed}"


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_a_record_is_sound(record: records.Record) -> None:
    assert records.check(record) == []


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_a_record_comes_from_a_commit_without_changes(record: records.Record) -> None:
    assert re.fullmatch(r"[0-9a-f]{40}", record.environment["commit"])
    assert record.environment["dirty"] is False


def test_there_is_a_network_that_needs_no_download() -> None:
    assert {"plain20-builtin-smoke", "resnet20-builtin-smoke"} <= {record.experiment for record in BUILTIN}


@pytest.mark.parametrize("record", [each for each in BUILTIN if each.seed == 0], ids=named)
def test_the_kept_weights_make_exactly_the_recorded_error(record: records.Record) -> None:
    network, _ = weights.load_trained(record.experiment, record.seed, RESULTS)
    test = data.load("builtin", "test")
    assert test.sha256 == record.dataset["test"]["sha256"]
    _, error = train.evaluate(network, test, tuple(record.mean), tuple(record.std))
    assert error == pytest.approx(record.test_error)


@pytest.mark.parametrize("record", [each for each in RECORDS if each not in BUILTIN and each.seed == 0], ids=named)
def test_the_kept_weights_make_exactly_the_recorded_error_on_the_real_test_set(
    record: records.Record, cifar_root: Path
) -> None:
    if not records.path_of(RESULTS, record.experiment, 0).with_suffix(".safetensors").exists():
        pytest.skip("its weights were not kept")
    network, _ = weights.load_trained(record.experiment, 0, RESULTS)
    test = data.load(record.dataset["name"], "test", cifar_root)
    assert test.sha256 == record.dataset["test"]["sha256"]
    _, error = train.evaluate(network, test, tuple(record.mean), tuple(record.std))
    here = records.environment(torch.device("cpu"), "float32", False)
    same_machine = all(here[each] == record.environment[each] for each in ("device", "torch"))
    one_image = 100 / len(test)  # other kernels round differently, which may turn an answer that was undecided
    assert error == pytest.approx(record.test_error, abs=1e-9 if same_machine else 2 * one_image)


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_the_weights_of_seed_0_of_a_6n_plus_2_network_are_kept(record: records.Record) -> None:
    if record.seed == 0 and record.model["name"] in tables.DEPTH_TABLE_MODELS:
        assert records.path_of(RESULTS, record.experiment, 0).with_suffix(".safetensors").exists()


def test_the_readme_of_the_results_shows_every_record() -> None:
    readme = (RESULTS / "README.md").read_text(encoding="utf-8")
    between = re.search(r"<!-- records: begin -->\n(.*)<!-- records: end -->", readme, re.DOTALL)
    assert between is not None
    assert between[1].strip() == tables.to_markdown(tables.record_table(RECORDS)).strip()


def test_a_run_of_changed_code_is_marked() -> None:
    changed = replace(RECORDS[0], environment={**RECORDS[0].environment, "commit": "0123456789abcdef", "dirty": True})
    assert tables.record_table([changed])["commit"].item() == "0123456789 with changes"


def test_a_run_of_an_unknown_commit_is_marked() -> None:
    unknown = replace(RECORDS[0], environment={**RECORDS[0].environment, "commit": None, "dirty": None})
    assert tables.record_table([unknown])["commit"].item() == "unknown"


def test_the_numbers_in_the_solutions_of_chapter_4_are_those_of_the_recorded_networks() -> None:
    def extracted(name: str) -> tuple[models.Network, torch.Tensor]:
        network, record = weights.load_trained(name, results=RESULTS)
        return network, features.extract(network, test, record.mean, record.std)

    def mean_purity(rows: torch.Tensor) -> float:
        return purity.purity(rows, test.labels, test.num_classes).mean().item()

    test = data.load("builtin", "test")
    text = (RESULTS.parent / "notebooks" / "04_features.py").read_text().replace("\n# ", " ")
    network, values = extracted("resnet20-builtin-smoke")
    mine = [f"{mean_purity(features.rank(values, k)[1]):.2f}" for k in (2, 10, 50)]
    chance = [f"{purity.chance_purity(test.labels, k):.2f}" for k in (2, 10, 50)]
    assert f"{mine[0]}, {mine[1]} and {mine[2]}, against {chance[0]}, {chance[1]} and {chance[2]} by chance" in text
    assert f"higher than behind the ReLU ({mean_purity(features.rank(values, 10)[0]):.2f})" in text
    plain = mean_purity(features.rank(extracted("plain20-builtin-smoke")[1], 10)[1])
    errors = {record.model["name"]: record.test_error for record in BUILTIN if record.seed == 0}
    assert f"({plain:.2f} against {mine[1]})" in text
    by_score = purity.purity(
        features.rank(features.class_scores(network, values), 10)[1], test.labels, test.num_classes
    )
    impure = {name: share for name, share in zip(test.class_names, by_score.tolist(), strict=True) if share < 1}
    assert impure == pytest.approx({"square": 0.7, "bow tie": 0.7})
    assert "all but *square* and *bow tie*, with 0.7" in text
    assert f"({errors['plain20']:.1f} % against {errors['resnet20']:.1f} %)" in text
