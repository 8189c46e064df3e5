"""The recorded runs: sound, described as they are, and kept with the weights that made their numbers."""

import re
import subprocess
from pathlib import Path

import pytest
import torch
from invented import part

from resnet_book import data, features, models
from resnet_book.analysis import answers, purity
from resnet_book.engine import machine
from resnet_book.experiments import records, weights
from resnet_book.report import tables

RESULTS = Path(__file__).parent.parent / "results"
RECORDS = records.load_all(RESULTS)
BUILTIN = [record for record in RECORDS if record.dataset["name"] == "builtin"]


def named(record: records.Record) -> str:
    return f"{record.experiment}-seed{record.seed}"


def test_a_record_comes_from_a_commit_without_changes() -> None:
    assert [
        named(each) for each in RECORDS if not all(part.commit and part.dirty is False for part in each.parts)
    ] == []


def test_the_runs_of_one_training_set_normalise_alike() -> None:
    seen = {
        (each.dataset["train"]["sha256"], each.recipe["validation_images"], *each.mean, *each.std) for each in RECORDS
    }
    assert len(seen) == len({each[:2] for each in seen})


RENEW = "cd results && git ls-files '*.json' '*.safetensors' | LC_ALL=C sort | xargs sha256sum > SHA256SUMS"


def test_every_committed_record_and_its_files_are_in_the_checksum_list() -> None:
    listed = {line.split("  ", 1)[1] for line in (RESULTS / "SHA256SUMS").read_text().splitlines()}
    command = ["git", "-C", str(RESULTS), "ls-files", "*.json", "*.safetensors"]
    committed = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    if committed:  # none outside a checkout
        assert listed == set(committed), f"other files than in the list: `{RENEW}`"


def test_there_is_a_network_that_needs_no_download() -> None:
    assert {"plain20-builtin-smoke", "resnet20-builtin-smoke"} <= {record.experiment for record in BUILTIN}


def error_again(record: records.Record, test: data.ImageSet) -> float:
    """Test error (%) of the kept weights."""
    network, _ = weights.load_network(record.experiment, record.seed, RESULTS)
    network.to(memory_format=torch.channels_last)  # faster on a CPU
    values = features.extract(network, test, record.mean, record.std)
    return answers.top_error(features.class_scores(network, values), test.labels)


@pytest.mark.parametrize("record", [each for each in BUILTIN if each.seed == 0], ids=named)
def test_the_kept_weights_make_the_recorded_error(record: records.Record) -> None:
    other_machines_round_differently = 0.3
    found = error_again(record, data.load("builtin", "test"))
    assert found == pytest.approx(record.test_error, abs=other_machines_round_differently)


ONE_OF_EACH_MODEL = {
    record.model["name"]: record
    for record in RECORDS
    if record not in BUILTIN and record.seed == 0
    if records.path_of(RESULTS, record.experiment, 0).with_suffix(".safetensors").exists()
}
EXACT = [record for record in RECORDS if (record.experiment, record.seed) == ("resnet20-cifar10-short", 0)]


@pytest.mark.slow
@pytest.mark.parametrize("record", EXACT, ids=named)
def test_the_kept_weights_make_exactly_the_recorded_error_on_the_real_test_set(
    record: records.Record, cifar_root: Path
) -> None:
    here, last = machine.describe("cpu", "float32", False), record.parts[-1]
    same_machine = all(here[each] == getattr(last, each) for each in ("device", "threads", "torch"))
    one_image = 100 / 10_000  # other kernels round differently, which may turn an answer that was undecided
    test = data.load("cifar10", "test", cifar_root)
    assert record.dataset["test"] == {"images": len(test), "sha256": test.sha256}
    found = error_again(record, test)
    assert found == pytest.approx(record.test_error, abs=1e-9 if same_machine else 2 * one_image)


@pytest.mark.slow
@pytest.mark.parametrize("record", ONE_OF_EACH_MODEL.values(), ids=named)
def test_the_kept_weights_err_about_as_often_as_recorded_on_some_real_test_images(
    record: records.Record, cifar_root: Path
) -> None:
    """Ours take minutes for all of them; a wrong normalisation, or another network's weights, show on some."""
    count, share = 800, record.test_error / 100
    test = data.load(record.dataset["name"], "test", cifar_root).subset(count)
    spread = 100 * (share * (1 - share) / count) ** 0.5  # standard deviation over such samples, in %
    assert error_again(record, test) == pytest.approx(record.test_error, abs=4 * spread)


def test_the_weights_of_seed_0_of_a_6n_plus_2_network_are_kept() -> None:
    wanted = [each for each in RECORDS if each.seed == 0 and each.model["name"] in tables.DEPTH_TABLE_MODELS]
    files = [records.path_of(RESULTS, each.experiment, 0).with_suffix(".safetensors") for each in wanted]
    assert [file for file in files if not file.exists()] == []


def test_the_readme_of_the_results_shows_every_record() -> None:
    readme = (RESULTS / "README.md").read_text(encoding="utf-8")
    between = re.search(r"<!-- records: begin -->\n(.*)<!-- records: end -->", readme, re.DOTALL)
    assert between is not None
    assert between[1].strip() == tables.to_markdown(tables.record_table(RECORDS)).strip()


@pytest.mark.parametrize(
    ("commit", "dirty", "shown"), [(40 * "0", True, "0000000000 with changes"), (None, None, "unknown")]
)
def test_a_run_of_changed_or_unknown_code_is_marked(commit: str | None, dirty: bool | None, shown: str) -> None:
    record = RECORDS[0].model_copy(update={"parts": [part(0, 1, 1.0, commit=commit, dirty=dirty)]})
    assert tables.record_table([record])["commit"].item() == shown


def test_the_numbers_in_the_solutions_of_chapter_4_are_those_of_the_recorded_networks() -> None:
    def extracted(name: str) -> tuple[models.Network, torch.Tensor]:
        network, record = weights.load_network(name, results=RESULTS)
        return network, features.extract(network, test, record.mean, record.std)

    def mean_purity(rows: torch.Tensor) -> float:
        return purity.purity(rows, test.labels, test.num_classes).mean().item()

    test = data.load("builtin", "test")
    pages = (RESULTS.parent / "notebooks" / f"{name}.py" for name in ("04_features", "a4_more_about_features"))
    text = "".join(page.read_text() for page in pages).replace("\n# ", " ")
    network, values = extracted("resnet20-builtin-smoke")
    mine = [f"{mean_purity(features.rank(values, k)[1]):.2f}" for k in (2, 10, 50)]
    chance = [f"{purity.chance_purity(test.labels, k):.2f}" for k in (2, 10, 50)]
    assert f"{mine[0]}, {mine[1]} and {mine[2]}, against {chance[0]}, {chance[1]} and {chance[2]} by chance" in text
    behind = mean_purity(features.rank(values, 10)[0])
    assert f"higher than behind the ReLU ({behind:.2f}, with the tied rows in it)" in text
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
