"""A record is written once, reads back as it was, is checked when it is read, and is what the code would run today."""

import errno
import json
import multiprocessing
import os
import re
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
import torch
from invented import EXPERIMENT, IMAGES, part, sound_record
from small_runs import NAME, TEST, TRAIN, add_tiny_experiment, fit, same_weights, tiny

from resnet_book import train
from resnet_book.experiments import catalogue, records, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.records import Record
from resnet_book.recipe import History


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a sound record."""
    return records.save_record(sound_record(), tmp_path)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the fields of the record at ``path``."""
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


# --- Writing and reading --------------------------------------------------------------------------------------------


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    record = sound_record(top5_error=10.0, weights_sha256=64 * "a")
    path = records.save_record(record, str(tmp_path))
    assert path == tmp_path / EXPERIMENT / "seed0.json"
    assert records.load_record(str(path)) == record
    assert records.load_all(str(tmp_path)) == [record]
    assert list(path.parent.iterdir()) == [path]


def test_a_record_holds_what_is_needed_to_run_it_again() -> None:
    record = sound_record(seed=3)
    assert (record.schema_version, record.experiment, record.seed) == (2, EXPERIMENT, 3)
    for images in IMAGES:
        assert record.dataset[images.split] == {"images": len(images), "sha256": images.sha256}
    assert record.model == {"name": "resnet20", "num_classes": 10, "shortcut": None, "parameters": 269_722}
    assert record.recipe_name == "smoke"
    assert record.recipe == vars(catalogue.SMOKE) | {"drops": list(catalogue.SMOKE.drops)}
    assert (record.mean, record.std, record.peak_memory) == ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 7)
    assert (record.seconds, record.train_seconds, record.images_per_second) == (20.0, 15.0, 1280.0)


def test_the_training_error_is_that_of_the_last_whole_epoch() -> None:
    first = sound_record().epochs[0]
    rows = [(390, 50.0), (780, 40.0), (1_000, 1.0)]
    epochs = [replace(first, iteration=iteration, train_error=error) for iteration, error in rows]
    for kept, expected in ((3, 40.0), (2, 40.0), (1, 50.0)):
        assert sound_record().model_copy(update={"epochs": epochs[:kept]}).train_error == expected


def test_the_test_error_is_the_last_and_not_the_best(path: Path) -> None:
    edit(path, lambda fields: fields["epochs"][-1].update(test_error=77.0))
    assert records.load_record(path).test_error == 77.0


def test_a_run_in_parts_tells_of_each(tmp_path: Path) -> None:
    gpu = part(100, 150, 5.0, device="a GPU", threads=None, cuda="13", processes=2, commit=None, dirty=None)
    parts = [part(0, 50, 10.0, threads=2, dirty=True), part(50, 100, 2.5), part(100, 100, 2.5), gpu]
    record = records.load_record(records.save_record(sound_record(parts=parts), tmp_path))
    assert record.parts == parts
    assert record.device == "a machine, 2 threads, then a machine, 1 thread, then 2 x a GPU"
    assert record.commit == "aaaaaaaaaa with changes, then aaaaaaaaaa, then unknown"
    assert (record.started, record.precision, record.compiled, record.seconds) == (
        parts[0].started,
        "float32",
        False,
        20,
    )


def test_a_record_is_read_by_its_name_from_inside_its_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    assert records.load_record(path.name) == sound_record()
    path.rename("seed7.json")
    with pytest.raises(RecordError, match=f"move it to {re.escape(str(path))}"):
        records.load_record("seed7.json")
    with pytest.raises(RecordError, match=f"`resnet-book run {path.parent.name}` trains it"):
        records.load_record(path.name)


def test_a_record_of_an_unknown_experiment_is_not_made() -> None:
    with pytest.raises(ValueError, match="did you mean"):
        sound_record(experiment="resnet20-builtin-smoking")


def test_a_record_is_never_overwritten(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(RecordError, match="never overwritten"):
        records.save_record(sound_record(top5_error=1.0), tmp_path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_record_is_kept_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    path = records.save_record(sound_record(), tmp_path)
    assert records.load_record(path) == sound_record()
    assert list(path.parent.iterdir()) == [path]
    monkeypatch.setattr(records, "refuse_to_overwrite", lambda path: None)  # as if the other came after this look
    records.save_record(sound_record(top5_error=1.0), tmp_path)
    assert records.load_record(path) == sound_record()
    assert list(path.parent.iterdir()) == [path]


ROUNDS = 20


def race(results: Path, record: Record, barrier: Barrier, won: Any) -> None:
    """Save the record under ``ROUNDS`` seeds, each at the moment at which the other processes do, too."""
    for seed in range(ROUNDS):
        barrier.wait(60)
        try:
            records.save_record(record.model_copy(update={"seed": seed}), results)
        except RecordError:
            continue
        won.put((seed, record.top5_error))


@pytest.mark.slow
def test_of_processes_that_save_the_same_record_at_once_exactly_one_succeeds(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, won = context.Barrier(2), context.Queue()
    racers = [
        context.Process(target=race, args=(tmp_path, sound_record(top5_error=float(each)), barrier, won))
        for each in range(2)
    ]
    for racer in racers:
        racer.start()
    winners = [won.get(timeout=100) for _ in range(ROUNDS)]
    for racer in racers:
        racer.join(60)
        assert racer.exitcode == 0
    assert won.empty()
    assert sorted(winners) == [(record.seed, record.top5_error) for record in records.load_all(tmp_path)]


# --- Damage (test_damage.py tries every field) ----------------------------------------------------------------------

DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda content: b"", "EOF"),
    "cut off": (lambda content: content[: len(content) // 2], "EOF|expected"),
    "a list": (lambda content: b"[]", "no schema_version"),
    "no JSON": (lambda content: b"<html></html>", "expected value"),
    "no text": (lambda content: b"\xff\xfe\x00", "expected value|invalid"),
    "other classes than its images have": (
        lambda content: content.replace(b'"num_classes": 10', b'"num_classes": 100'),
        "num_classes is 100, of the images 10",
    ),
    "no UTF-8 inside": (lambda content: content.replace(b"a machine", b"a\xffmachine"), "unicode"),
    "a field missing": (lambda content: content.replace(b'"mean": [', b'"average": [', 1), "recipe|mean|average"),
    "a column missing": (
        lambda content: content.replace(b'"test_error"', b'"test_accuracy"'),
        r"epochs\.0\.test_error",
    ),
    "no version": (lambda content: content.replace(b'"schema_version"', b'"version"'), "no schema_version"),
    "a git conflict": (lambda content: b"<<<<<<< ours\n" + content, "marks of a git merge"),
    "a conflict inside": (
        lambda content: content.replace(b' "seed"', b'<<<<<<< HEAD\n "seed"'),
        "marks of a git merge",
    ),
    "nested deeply": (lambda content: b'{"a":' * 100_000, "recursion"),
    "a huge integer": (lambda content: content.replace(b'"seed": 0', b'"seed": ' + b"9" * 5_000), "seed|number"),
    "NaN": (lambda content: content.replace(b'"train_seconds": 15.0', b'"train_seconds": NaN'), "train_seconds"),
    "infinite": (lambda content: content.replace(b'"peak_memory": 7', b'"peak_memory": Infinity'), "peak_memory"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_refused_in_a_line_that_says_what_to_do(damage: str, path: Path) -> None:
    change, words = DAMAGES[damage]
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    with pytest.raises(RecordError, match=words) as caught:
        records.load_record(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is not a sound record: ")
    assert message.endswith("Restore it, from git for example, or move it away and run again.")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 350


def spoil(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets the field at ``place``, as "epochs.2.test_error"."""

    def change(fields: dict[str, Any]) -> None:
        *way, last = (int(name) if name.isdecimal() else name for name in place.split("."))
        inside: Any = fields
        for name in way:
            inside = inside[name]
        inside[last] = value

    return change


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("epochs", [], "epochs: 0, where its recipe makes 4"),
        ("epochs.0.iteration", 30, r"epochs\.0\.iteration is 30, not 39"),
        ("epochs.3.iteration", 149, "iteration is 149, not 150"),
        ("epochs.2.test_error", 100.5, r"epochs\.2\.test_error is 100\.5"),
        ("epochs.2.test_error", 49.99, "which is no share of 1,000 images"),
        ("epochs.2.train_error", -1.0, "train_error is -1.0"),
        ("epochs.2.test_error", "50", "Input should be a valid number, found '50'"),
        ("epochs.2.test_loss", -0.1, r"test_loss is -0\.1"),
        ("epochs.2.learning_rate", 0.1, "learning_rate is 0.1, not 0.01"),
        ("epochs.2.validation_loss", 1.0, "validation_loss or validation_error is amiss"),
        ("recipe.momentum", 0.8, "recipe.momentum is 0.8, and 0.9 in resnet20-builtin-smoke"),
        ("recipe.momentum", -1, "recipe: momentum=-1: choose a number"),
        ("recipe.momentun", 0.9, "'momentun' is no field of a recipe"),
        ("model.name", "plain20", "resnet20-builtin-smoke is"),
        ("model.parameters", 269_723, "parameters is 269,723, of the network 269,722"),
        ("dataset.test.sha256", "z" * 64, "dataset.test.sha256"),
        ("weights_sha256", "abc", "weights_sha256"),
        ("parts", [], "it has no parts"),
        ("parts.0.first_iteration", 1, "first_iteration: 1, where 0 were finished"),
        ("parts.0.last_iteration", 149, "they end at iteration 149"),
        ("parts.0.seconds", 21.0, "seconds is 20.0, of its parts 21.0"),
        ("parts.0.started", "yesterday", "isoformat"),
        ("parts.0.started", "2026-01-01T00:00:00", "not a time of UTC"),
        ("parts.0.commit", "abc", "commit is 'abc'"),
        ("parts.0.precision", "float8", "precision is 'float8'"),
        ("seed", -1, "seed: Input should be greater than or equal to 0, found '-1'"),
        ("comment", "", "comment: Extra inputs are not permitted"),
        ("schema_version", 3, r"schema version 3, this code reads 2\. Newer"),
        ("schema_version", 1, r"schema version 1, this code reads 2\. Older"),
        ("experiment", "resnet2", "experiment 'resnet2' is unknown to this code: .*catalogue.EXPERIMENTS"),
    ],
)
def test_what_a_run_cannot_have_left_is_refused(place: str, value: Any, words: str, path: Path) -> None:
    edit(path, spoil(place, value))
    with pytest.raises(RecordError, match=words):
        records.load_record(path)


def test_a_precision_that_the_experiment_does_not_have_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = catalogue.Experiment("resnet20", "builtin", "smoke", catalogue.SMOKE, precision="bfloat16")
    monkeypatch.setitem(catalogue.EXPERIMENTS, EXPERIMENT, other)
    with pytest.raises(RecordError, match="precision is 'float32'"):
        records.load_record(path)


def test_a_recipe_of_before_a_field_was_thought_of_had_its_default(path: Path) -> None:
    edit(path, lambda fields: fields["recipe"].pop("validation_seed"))
    assert records.load_record(path) == sound_record()


def test_a_missing_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"seed0\.json does not exist: this run is not recorded"):
        records.load_record(tmp_path / "seed0.json")


# --- All records ----------------------------------------------------------------------------------------------------


def test_all_records_come_by_experiment_and_then_by_seed_as_a_number(tmp_path: Path) -> None:
    for experiment, seed in ((EXPERIMENT, 10), (EXPERIMENT, 9), ("plain20-builtin-smoke", 2)):
        records.save_record(sound_record(seed, experiment), tmp_path)
    found = [(record.experiment, record.seed) for record in records.load_all(tmp_path)]
    assert found == [("plain20-builtin-smoke", 2), ("resnet20-builtin-smoke", 9), ("resnet20-builtin-smoke", 10)]


def test_every_damaged_record_is_named_and_none_is_shown(tmp_path: Path) -> None:
    paths = [records.save_record(sound_record(seed), tmp_path) for seed in range(9)]
    for path in paths[1:4]:
        path.write_bytes(b"")
    with pytest.raises(RecordError) as caught:
        records.load_all(tmp_path)
    assert [line.split(" is not ")[0] for line in str(caught.value).splitlines()] == [str(path) for path in paths[1:4]]
    for path in paths[1:]:
        path.write_bytes(b"")
    with pytest.raises(RecordError, match=r"seed5\.json is not .*\nAnd 3 more\.$"):
        records.load_all(tmp_path)


def test_a_folder_that_is_missing_or_empty_holds_no_records(tmp_path: Path) -> None:
    assert records.load_all(tmp_path) == records.load_all(tmp_path / "missing") == []


@pytest.mark.parametrize("place", ["resnet20-builtin-smoke/seed1.json", "resnet20/seed0.json", "a/seed0 copy.json"])
def test_a_record_in_the_wrong_place_is_refused(place: str, path: Path, tmp_path: Path) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    path.rename(tmp_path / place)
    for read in (lambda: records.load_record(tmp_path / place), lambda: records.load_all(tmp_path)):
        with pytest.raises(RecordError, match=r"holds resnet20-builtin-smoke, seed 0: move it to \S+seed0\.json"):
            read()


# --- Where results are ----------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, for a package that lies in no clone."""
    monkeypatch.delenv("RESNET_BOOK_RESULTS", raising=False)
    monkeypatch.setattr(records, "PACKAGE", tmp_path / "site" / "resnet_book")
    (tmp_path / "book" / "notebooks").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "book")
    return tmp_path / "book"


def with_a_record(folder: Path) -> Path:
    (folder / "resnet20-cifar10").mkdir(parents=True)
    (folder / "resnet20-cifar10" / "seed0.json").touch()
    return folder


def test_results_are_found_here_or_above(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_record(elsewhere / "results")
    assert records.find_results().resolve() == elsewhere / "results"
    monkeypatch.chdir(elsewhere / "notebooks")
    assert records.find_results().resolve() == elsewhere / "results"


def test_without_any_folder_results_are_those_of_the_clone_or_of_the_wheel(elsewhere: Path, tmp_path: Path) -> None:
    (elsewhere / "results" / "of-something-else").mkdir(parents=True)
    assert records.find_results() == tmp_path / "site" / "resnet_book" / "recorded"
    with_a_record(tmp_path / "site" / "results")
    assert records.find_results() == tmp_path / "site" / "resnet_book" / "recorded"  # some other package's
    (tmp_path / "site" / "pyproject.toml").touch()
    assert records.find_results() == tmp_path / "site" / "results"


def test_a_new_record_goes_where_near_ones_are_read_and_else_here(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_record(tmp_path / "site" / "resnet_book" / "recorded")
    assert records.folder_for_new() == Path("results")  # those of the wheel are not to be added to
    with_a_record(elsewhere / "results")
    assert records.folder_for_new().resolve() == records.find_results().resolve() == elsewhere / "results"
    monkeypatch.chdir(elsewhere / "notebooks")
    assert records.folder_for_new().resolve() == records.find_results().resolve() == elsewhere / "results"
    with_a_record(elsewhere / "notebooks" / "results")
    assert records.folder_for_new() == records.find_results() == Path("results")


def test_a_folder_that_is_named_is_the_folder(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "results").mkdir()
    (elsewhere / "mine").mkdir()
    monkeypatch.setenv("RESNET_BOOK_RESULTS", "notebooks")
    assert records.find_results() == Path("notebooks")
    assert records.find_results("mine") == records.find_results(Path("mine")) == Path("mine")


def test_a_folder_that_is_named_and_not_there_is_an_error(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "results").mkdir()
    with pytest.raises(RecordError, match="'mine', and there is no such folder"):
        records.find_results("mine")
    monkeypatch.setenv("RESNET_BOOK_RESULTS", "theirs")
    with pytest.raises(RecordError, match=r"\$RESNET_BOOK_RESULTS was named as 'theirs'"):
        records.find_results()


# --- Weights --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, History]:
    """A tiny trained network, and how it was trained."""
    network = tiny()
    return network, fit(network, checkpoint=tmp_path_factory.mktemp("runs") / "checkpoint")


@pytest.fixture
def trained(
    trained_once: tuple[torch.nn.Module, History], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[torch.nn.Module, Path]:
    """A tiny trained network, and the path of its record, beside which its weights lie."""
    add_tiny_experiment(monkeypatch)
    network, history = trained_once
    path = records.path_of(tmp_path / "results", NAME, 0)
    checksum = weights.save_weights(network, str(path.with_suffix(".safetensors")))
    record = records.make_record(NAME, 0, (TRAIN, TEST), network, history, weights_sha256=checksum)
    assert records.save_record(record, tmp_path / "results") == path
    return network, path


def test_a_trained_network_comes_back_with_exactly_its_recorded_error(trained: tuple[torch.nn.Module, Path]) -> None:
    network, path = trained
    before = torch.get_rng_state()
    loaded, record = weights.load_network(NAME, results=str(path.parents[1]))
    assert torch.equal(torch.get_rng_state(), before)
    assert record == records.load_record(path)
    assert same_weights(loaded, network)
    assert not loaded.training
    loss, error = train.evaluate(loaded, TEST, record.mean, record.std)
    assert error == record.test_error
    assert loss == pytest.approx(record.epochs[-1].test_loss, rel=1e-6)


AGAIN = re.escape(f"`resnet-book run {NAME} --seed 0 --results ")


def test_missing_weights_say_that_they_were_not_kept(trained: tuple[torch.nn.Module, Path]) -> None:
    trained[1].with_suffix(".safetensors").unlink()
    with pytest.raises(RecordError, match=rf"seed0\.safetensors does not exist: .* were not kept.*{AGAIN}\S+again`"):
        weights.load_network(NAME, results=trained[1].parents[1])


@pytest.mark.parametrize("content", [b"", b"half", bytes(100)])
def test_damaged_weights_are_refused(content: bytes, trained: tuple[torch.nn.Module, Path]) -> None:
    trained[1].with_suffix(".safetensors").write_bytes(content)
    with pytest.raises(RecordError, match=rf"holds other weights than .*damaged.*Restore it.*{AGAIN}"):
        weights.load_network(NAME, results=trained[1].parents[1])


def test_the_weights_of_a_twin_are_refused(trained: tuple[torch.nn.Module, Path]) -> None:
    weights.save_weights(tiny(shortcut=None, seed=1), trained[1].with_suffix(".safetensors"))  # the same names, shapes
    with pytest.raises(RecordError, match="of another run"):
        weights.load_network(NAME, results=trained[1].parents[1])


def test_weights_beside_a_record_that_knows_of_none_are_refused(trained: tuple[torch.nn.Module, Path]) -> None:
    edit(trained[1], lambda fields: fields.update(weights_sha256=None))
    with pytest.raises(RecordError, match="which left no weights"):
        weights.load_network(NAME, results=trained[1].parents[1])


def test_weights_of_another_network_whose_checksum_is_recorded_are_refused_on_one_line(
    trained: tuple[torch.nn.Module, Path],
) -> None:
    checksum = weights.save_weights(tiny(shortcut="projection"), trained[1].with_suffix(".safetensors"))
    edit(trained[1], lambda fields: fields.update(weights_sha256=checksum))
    with pytest.raises(RecordError, match=r"seed0\.safetensors cannot be read") as caught:
        weights.load_network(NAME, results=trained[1].parents[1])
    assert "\n" not in str(caught.value)
