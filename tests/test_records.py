"""A record is written once, reads back as it was, and the records of this repository are what the code would run."""

import json
import multiprocessing
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import NAME, TEST, TRAIN, add_tiny_experiment, fit, same_weights, tiny

from resnet_book import data, train
from resnet_book.experiments import catalogue, records, weights
from resnet_book.experiments.records import Record, RecordError
from resnet_book.history import Epoch, History
from resnet_book.models import MODELS, count_parameters

ROOT = Path(__file__).parent.parent
COMMITTED = sorted((ROOT / "results").glob("*/*.json"))
EXPERIMENT = "resnet20-builtin-smoke"

pytestmark = pytest.mark.usefixtures("one_thread")


def a_record(seed: int = 0, experiment: str = EXPERIMENT) -> Record:
    """A record as a run leaves it, with invented measurements."""
    setting = catalogue.get(experiment)
    rows = [Epoch(iteration, 0.1, 2.0, 60.0, 1.5, 50.0) for iteration in (39, 78, setting.recipe.iterations)]
    history = History(rows, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 20.0, 15.0, 1280.0, 7)
    environment = records.environment(torch.device("cpu"), "float32", False)
    network = MODELS[setting.model]()
    started = "2026-01-01T00:00:00+00:00"
    return records.make_record(experiment, seed, (TRAIN, TEST), network, environment, started, history)


# --- Writing and reading --------------------------------------------------------------------------------------------


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    record = a_record()
    path = records.save_record(record, tmp_path)
    assert path == tmp_path / EXPERIMENT / "seed0.json"
    assert records.load_record(path) == record
    assert list(path.parent.iterdir()) == [path]


def test_a_record_holds_what_is_needed_to_run_it_again() -> None:
    record = a_record(seed=3)
    assert (record.schema_version, record.experiment, record.seed) == (1, EXPERIMENT, 3)
    assert record.dataset == {
        "name": "builtin",
        "train": {"images": 256, "sha256": TRAIN.sha256},
        "test": {"images": 70, "sha256": TEST.sha256},
    }
    assert record.model == {"name": "resnet20", "num_classes": 10, "shortcut": None, "parameters": 269_722}
    assert record.recipe_name == "smoke"
    assert record.recipe == asdict(catalogue.SMOKE) | {"drops": list(catalogue.SMOKE.drops)}
    assert (record.mean, record.std, record.peak_memory) == ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 7)
    assert (record.seconds, record.train_seconds, record.images_per_second) == (20.0, 15.0, 1280.0)


def test_the_test_error_is_the_last_and_not_the_best() -> None:
    record = a_record()
    last = replace(record.epochs[-1], test_error=77.0)
    assert replace(record, epochs=[*record.epochs, last]).test_error == 77.0


def test_a_record_of_an_unknown_experiment_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean"):
        a_record(experiment="resnet20-builtin-smoking")


def test_a_record_is_never_overwritten(tmp_path: Path) -> None:
    path = records.save_record(a_record(), tmp_path)
    before = path.read_bytes()
    with pytest.raises(RecordError, match="never overwritten"):
        records.save_record(replace(a_record(), seconds=1.0), tmp_path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


ROUNDS = 20


def race(results: Path, record: Record, barrier: Barrier, won: Any) -> None:
    """Save the record under ``ROUNDS`` seeds, each at the moment at which the other processes do, too."""
    for seed in range(ROUNDS):
        barrier.wait(60)
        try:
            records.save_record(replace(record, seed=seed), results)
        except RecordError:
            continue
        won.put((seed, record.seconds))


def test_of_processes_that_save_the_same_record_at_once_exactly_one_succeeds(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, won = context.Barrier(2), context.Queue()
    racers = [
        context.Process(target=race, args=(tmp_path, replace(a_record(), seconds=float(each)), barrier, won))
        for each in range(2)
    ]
    for racer in racers:
        racer.start()
    winners = [won.get(timeout=100) for _ in range(ROUNDS)]
    for racer in racers:
        racer.join(60)
        assert racer.exitcode == 0
    assert won.empty()
    assert sorted(winners) == [(record.seed, record.seconds) for record in records.load_all(tmp_path)]


# --- Damage ---------------------------------------------------------------------------------------------------------

DAMAGES: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "cut off": lambda text: text[: len(text) // 2],
    "a list": lambda text: "[]",
    "no JSON": lambda text: "<html></html>",
    "a field missing": lambda text: text.replace('"started"', '"begun"'),
    "a column of an epoch missing": lambda text: text.replace('"test_error"', '"test_accuracy"'),
    "no version": lambda text: text.replace('"schema_version"', '"version"'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_refused(damage: str, tmp_path: Path) -> None:
    path = records.save_record(a_record(), tmp_path)
    path.write_text(DAMAGES[damage](path.read_text()))
    with pytest.raises(RecordError, match="is not a record") as caught:
        records.load_record(path)
    assert str(path) in str(caught.value)


def test_a_record_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "seed0.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="is not a record"):
        records.load_record(path)


def test_a_record_of_another_schema_is_refused_with_both_versions(tmp_path: Path) -> None:
    path = records.save_record(replace(a_record(), schema_version=99), tmp_path)
    with pytest.raises(RecordError, match="schema version 99, this code reads 1"):
        records.load_record(path)


def test_a_missing_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"seed0\.json does not exist: this run is not recorded"):
        records.load_record(tmp_path / "seed0.json")


# --- All records ----------------------------------------------------------------------------------------------------


def test_all_records_come_by_experiment_and_then_by_seed_as_a_number(tmp_path: Path) -> None:
    for experiment, seed in (
        ("resnet20-builtin-smoke", 10),
        ("resnet20-builtin-smoke", 9),
        ("plain20-builtin-smoke", 2),
    ):
        records.save_record(a_record(seed, experiment), tmp_path)
    found = [(record.experiment, record.seed) for record in records.load_all(tmp_path)]
    assert found == [("plain20-builtin-smoke", 2), ("resnet20-builtin-smoke", 9), ("resnet20-builtin-smoke", 10)]


def test_a_folder_that_is_missing_or_empty_holds_no_records(tmp_path: Path) -> None:
    assert records.load_all(tmp_path) == records.load_all(tmp_path / "missing") == []


@pytest.mark.parametrize("place", ["resnet20-builtin-smoke/seed1.json", "resnet20/seed0.json", "a/seed0 copy.json"])
def test_a_record_in_the_wrong_place_is_refused(place: str, tmp_path: Path) -> None:
    path = records.save_record(a_record(), tmp_path)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    path.rename(tmp_path / place)
    with pytest.raises(RecordError, match="holds resnet20-builtin-smoke, seed 0"):
        records.load_all(tmp_path)


def test_results_are_found_here_or_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert records.find_results().resolve() == tmp_path / "results"
    monkeypatch.chdir(tmp_path / "notebooks")
    assert records.find_results().resolve() == tmp_path / "results"


# --- Checking -------------------------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_a_good_record() -> None:
    assert records.check(a_record()) == []


def with_last_epoch(record: Record, **changes: float) -> Record:
    return replace(record, epochs=[*record.epochs[:-1], replace(record.epochs[-1], **changes)])


PROBLEMS: dict[str, Callable[[Record], Record]] = {
    "it has no epochs": lambda record: replace(record, epochs=[]),
    "its epochs are not in order": lambda record: replace(record, epochs=[record.epochs[1], *record.epochs]),
    "it ends at iteration 149": lambda record: with_last_epoch(record, iteration=149),
    "an error is not between 0 and 100 %": lambda record: with_last_epoch(record, test_error=100.5),
    "an error is not between": lambda record: with_last_epoch(record, train_error=float("nan")),
    "a loss is negative or not finite": lambda record: with_last_epoch(record, test_loss=float("inf")),
    "a loss is negative": lambda record: with_last_epoch(record, train_loss=float("nan")),
    "its recipe is not": lambda record: replace(record, recipe=record.recipe | {"momentum": 0.8}),
    "its experiment 'resnet2' does not exist": lambda record: replace(record, experiment="resnet2"),
    "it was run with": lambda record: replace(record, model=record.model | {"name": "plain20"}),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_check_finds(problem: str) -> None:
    problems = records.check(PROBLEMS[problem](a_record()))
    assert len(problems) == 1
    assert problems[0].startswith(problem)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}/{path.stem}")
class TestTheCommittedRecord:
    def test_has_nothing_wrong_and_is_what_its_experiment_would_run_today(self, path: Path) -> None:
        assert records.check(records.load_record(path)) == []

    def test_lies_where_it_belongs(self, path: Path) -> None:
        record = records.load_record(path)
        assert path == records.path_of(ROOT / "results", record.experiment, record.seed)

    def test_tells_the_size_of_its_network(self, path: Path) -> None:
        model = records.load_record(path).model
        options = {} if model["shortcut"] is None else {"shortcut": model["shortcut"]}
        network = MODELS[model["name"]](num_classes=model["num_classes"], **options)
        assert count_parameters(network) == model["parameters"]

    def test_comes_from_a_known_commit_without_changes(self, path: Path) -> None:
        environment = records.load_record(path).environment
        assert len(environment["commit"]) == 40
        assert environment["dirty"] is False

    def test_has_weights_that_fit_if_they_were_kept(self, path: Path) -> None:
        if path.with_suffix(".safetensors").exists():
            record = records.load_record(path)
            weights.load_trained(record.experiment, record.seed, ROOT / "results")

    def test_of_the_builtin_images_gives_its_test_error_again(self, path: Path) -> None:
        record = records.load_record(path)
        if record.dataset["name"] != "builtin" or not path.with_suffix(".safetensors").exists():
            return
        test = data.load("builtin", "test")
        assert record.dataset["test"] == {"images": len(test), "sha256": test.sha256}
        network, _ = weights.load_trained(record.experiment, record.seed, ROOT / "results")
        _, error = train.evaluate(network, test, tuple(record.mean), tuple(record.std))
        assert error == pytest.approx(record.test_error, abs=0.3)  # other machines round differently


def test_records_are_committed() -> None:
    assert COMMITTED


# --- Weights --------------------------------------------------------------------------------------------------------


def test_weights_read_back_as_they_were(tmp_path: Path) -> None:
    one, other = tiny(seed=1), tiny(seed=2)
    fit(one)  # its running statistics are not the initial ones, its memory format is not contiguous
    weights.save_weights(one, tmp_path / "seed0.safetensors")
    other.load_state_dict(weights.load_weights(tmp_path / "seed0.safetensors"))
    assert same_weights(one, other)


def test_missing_weights_say_that_they_were_not_kept(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="were not kept"):
        weights.load_weights(tmp_path / "seed0.safetensors")


@pytest.mark.parametrize("content", [b"", b"half", bytes(100)])
def test_damaged_weights_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "seed0.safetensors").write_bytes(content)
    with pytest.raises(RecordError, match="cannot be read"):
        weights.load_weights(tmp_path / "seed0.safetensors")


def test_a_trained_network_comes_back_with_exactly_its_recorded_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_experiment(monkeypatch)
    network = tiny()
    history = fit(network)
    record = records.make_record(NAME, 0, (TRAIN, TEST), network, {}, "", history)
    path = records.save_record(record, tmp_path)
    weights.save_weights(network, path.with_suffix(".safetensors"))
    before = torch.get_rng_state()
    loaded, its_record = weights.load_trained(NAME, results=tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert its_record == record
    assert not loaded.training
    measured = train.evaluate(loaded, TEST, tuple(record.mean), tuple(record.std))
    assert measured[1] == record.test_error
    assert measured[0] == pytest.approx(record.epochs[-1].test_loss, rel=1e-6)


def test_a_run_without_weights_is_not_loaded(tmp_path: Path) -> None:
    records.save_record(a_record(), tmp_path)
    with pytest.raises(RecordError, match="were not kept"):
        weights.load_trained(EXPERIMENT, results=tmp_path)


# --- Environment ----------------------------------------------------------------------------------------------------


def test_the_environment_names_machine_versions_and_commit() -> None:
    environment = records.environment(torch.device("cpu"), "bfloat16", True)
    assert (environment["precision"], environment["compiled"], environment["cuda"]) == ("bfloat16", True, None)
    assert environment["torch"] == torch.__version__
    assert environment["device"].endswith(", 1 thread")
    assert json.loads(json.dumps(environment)) == environment
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    git = subprocess.run(command, capture_output=True, text=True) if (ROOT / ".git").exists() else None
    assert environment["commit"] == (git.stdout.strip() if git and git.returncode == 0 else None)
    assert isinstance(environment["dirty"], bool) == (environment["commit"] is not None)


def test_outside_a_checkout_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "__file__", str(tmp_path / "records.py"))
    environment = records.environment(torch.device("cpu"), "float32", False)
    assert (environment["commit"], environment["dirty"]) == (None, None)


def test_a_checkout_that_the_package_is_not_part_of_is_not_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the package is installed in an environment inside somebody else's repository."""
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setattr(records, "__file__", str(tmp_path / "records.py"))
    assert records.environment(torch.device("cpu"), "float32", False)["commit"] is None
