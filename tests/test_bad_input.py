"""What cannot work fails before anything is trained, with one line that says what to do, and loses nothing."""

import ast
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import NAME, RECIPE, TEST, TRAIN, add_tiny_experiment, fit, same_weights, tiny

from resnet_book import cifar, models, train
from resnet_book.cli.main import main
from resnet_book.experiments import catalogue, records, weights
from resnet_book.experiments.catalogue import Experiment
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.records import Record


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments that run the tiny experiment in ``tmp_path``, without a progress bar."""
    add_tiny_experiment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return ["run", NAME, "--device", "cpu", "--quiet"]


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says, on one line, when it fails with status 1."""
    capsys.readouterr()
    assert main(arguments) == 1
    message = capsys.readouterr().err
    assert message.startswith("resnet-book: ")
    assert message.count("\n") == 1
    return message


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


# --- Checkpoints ----------------------------------------------------------------------------------------------------


OTHER_NETWORKS = {
    "more layers": models.Network((4, 8), (1, 2), shortcut="subsample"),
    "a plain twin, of the same shapes": tiny(shortcut=None),
}


@pytest.mark.parametrize("network", OTHER_NETWORKS.values(), ids=OTHER_NETWORKS)
def test_the_checkpoint_of_another_network_is_refused_and_kept(
    network: models.Network, run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "runs" / NAME / "seed0" / "checkpoint.pt"
    fit(network, checkpoint=checkpoint)
    before = files(tmp_path)
    message = complaint(run, capsys)
    assert str(checkpoint.relative_to(tmp_path)) in message
    assert "belongs to another run (another network)" in message
    assert "choose another folder of checkpoints" in message
    assert files(tmp_path) == before
    assert main([*run, "--runs", "elsewhere"]) == 0
    assert checkpoint.read_bytes() == before[checkpoint]


def test_a_damaged_checkpoint_is_refused_and_kept(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "runs" / NAME / "seed0" / "checkpoint.pt"
    fit(tiny(), checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1_000])
    message = complaint(run, capsys)
    assert "is not a checkpoint that can be trusted" in message
    assert "Delete it to train from the start" in message
    assert len(checkpoint.read_bytes()) == 1_000


# --- Records and weights --------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    """The record of a tiny trained network in ``tmp_path/results``, with its weights."""
    add_tiny_experiment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    network = tiny()
    history, path = fit(network, checkpoint=tmp_path / "checkpoint"), tmp_path / "results" / NAME / "seed0.json"
    checksum = weights.save_weights(network, path.with_suffix(".safetensors"))
    record = records.make_record(NAME, 0, (TRAIN, TEST), network, history, weights_sha256=checksum)
    records.save_record(record, tmp_path / "results")
    return record


AGAIN = f"`resnet-book run {NAME} --seed 0 --results results-again`"


@pytest.mark.slow
def test_the_command_that_makes_missing_weights_again_makes_them(recorded: Record, tmp_path: Path) -> None:
    path = tmp_path / "results" / NAME / "seed0.safetensors"
    trained, _ = weights.load_network(NAME, results=tmp_path / "results")
    path.unlink()
    with pytest.raises(RecordError) as caught:
        weights.load_network(NAME, results=Path("results"))
    message = str(caught.value)
    assert "seed0.safetensors does not exist: this run's weights were not kept" in message
    assert AGAIN in message
    assert main([*AGAIN.strip("`").split()[1:], "--device", "cpu", "--quiet"]) == 0
    again, _ = weights.load_network(NAME, results=tmp_path / "results-again")
    assert same_weights(again, trained)


def test_a_folder_with_a_space_is_quoted_in_the_command(recorded: Record, tmp_path: Path) -> None:
    folder = tmp_path / "my results"
    (tmp_path / "results").rename(folder)
    (folder / NAME / "seed0.safetensors").unlink()
    with pytest.raises(RecordError, match="--results 'my results-again'`"):
        weights.load_network(NAME, results=Path("my results"))


def test_a_run_that_is_not_recorded_says_how_to_record_it(recorded: Record, tmp_path: Path) -> None:
    with pytest.raises(
        RecordError, match=r"seed7\.json does not exist: this run is not recorded here.*`resnet-book run \S+ --seed 7`"
    ):
        weights.load_network(NAME, seed=7, results=tmp_path / "results")


# --- Data -----------------------------------------------------------------------------------------------------------


def test_missing_data_is_a_failure_that_says_how_to_fetch_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = complaint(
        ["run", "resnet20-cifar10-short", "--device", "cpu", "--quiet", "--data", str(tmp_path)], capsys
    )
    assert str(tmp_path) in message
    assert "resnet-book data cifar10" in message
    assert files(tmp_path) == {}


@pytest.mark.parametrize("renamed", [False, True], ids=["in their own folder", "in the folder of CIFAR-100"])
def test_cifar100_asked_of_cifar10_files_is_refused(
    renamed: bool, small_cifar: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ten, hundred = (small_cifar / cifar.FORMATS[name].folder for name in ("cifar10", "cifar100"))
    shutil.rmtree(hundred)
    if renamed:
        ten.rename(hundred)
    before = files(small_cifar)
    monkeypatch.chdir(small_cifar.parent)
    arguments = ["run", "resnet10-cifar100-short", "--device", "cpu", "--quiet", "--data", str(small_cifar)]
    message = complaint(arguments, capsys)
    assert "cifar-100-binary" in message
    assert "`resnet-book data cifar100" in message
    assert files(small_cifar) == before
    assert files(small_cifar.parent) == before


def test_more_images_held_out_than_there_are_is_refused(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_experiment(monkeypatch, replace(RECIPE, validation_images=256))
    assert "hold out 0 to 255 of 256 images" in complaint(run, capsys)
    assert files(tmp_path) == {}


# --- Devices --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        ("cuda", 0, "device=cuda: cuda is not there, torch sees no GPU. Choose cpu."),
        ("cuda:7", 0, "device=cuda:7: cuda:7 is not there, torch sees no GPU. Choose cpu."),
        ("cuda:1", 1, "torch sees cuda:0 alone. Choose one of these, or cpu"),
        ("cuda:7", 2, "torch sees cuda:0 to cuda:1. Choose one of these, or cpu"),
    ],
)
@pytest.mark.parametrize("swept", [False, True], ids=["one run", "a sweep"])
def test_a_gpu_that_is_not_there_is_missed_before_the_training(
    swept: bool,
    device: str,
    gpus: int,
    expected: str,
    run: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    message = complaint([*run, "--device", device, *(["--jobs", "2"] if swept else [])], capsys)
    assert expected in message
    assert files(tmp_path) == {}


def test_more_processes_than_gpus_are_refused(
    run: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "2")
    message = complaint([*run, "--device", "cuda"], capsys)
    assert "device=cuda: cuda:2 is not there, torch sees cuda:0 to cuda:1" in message
    assert "start 2 processes at most" in message


# --- Folders --------------------------------------------------------------------------------------------------------

NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")


@pytest.mark.parametrize("option", ["--results", "--runs"])
@pytest.mark.parametrize("folder", ["file", "file/below", pytest.param("/proc/folder", marks=NEEDS_PROC)])
@pytest.mark.parametrize("swept", [False, True], ids=["one run", "a sweep"])
def test_a_folder_that_cannot_be_written_fails_before_the_training(
    swept: bool,
    folder: str,
    option: str,
    run: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file in its place, or a place where not even root may write: as root, permissions alone forbid nothing."""
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    (tmp_path / "file").write_text("in the way")
    message = complaint([*run, option, folder, *(["--jobs", "2"] if swept else [])], capsys)
    assert message.startswith(f"resnet-book: {option}: the folder {folder}")
    assert "cannot be written (" in message
    assert f"Name another one with {option}." in message
    assert files(tmp_path) == {tmp_path / "file": b"in the way"}


@pytest.mark.parametrize("out", ["file/curves.csv", pytest.param("/proc/curves.csv", marks=NEEDS_PROC)])
def test_curves_that_cannot_be_written_leave_what_is_there(
    out: str, run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "results").mkdir()
    before = files(tmp_path)
    message = complaint(["curves", "--results", "results", "--out", out], capsys)
    assert f"--out: {out} cannot be written" in message
    assert "Name another file." in message
    assert files(tmp_path) == before


# --- Experiments ----------------------------------------------------------------------------------------------------


def test_an_experiment_with_a_network_that_does_not_exist_fails_with_those_that_do(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalogue.EXPERIMENTS, NAME, Experiment("resnet21", "builtin", "smoke", RECIPE))
    message = complaint(run, capsys)
    assert "network 'resnet21' is unknown: choose one of resnet20" in message
    assert files(tmp_path) == {}


def test_every_public_function_takes_a_path_as_text_too() -> None:
    package = Path(__file__).parents[1] / "resnet_book"
    alone = [
        f"{path.relative_to(package)}: {function.name}({argument.arg})"
        for path in package.rglob("*.py")
        if "cli" not in path.parts  # the command line makes paths of what is typed
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef) and (function.name == "__init__" or not function.name.startswith("_"))
        for argument in (*function.args.args, *function.args.kwonlyargs)
        if argument.annotation and "Path" in (words := ast.unparse(argument.annotation)) and "str" not in words
    ]
    assert alone == []
