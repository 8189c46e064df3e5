"""``resnet-book features`` draws every feature of a recorded network, and says what is wrong where it cannot."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from PIL import Image
from small_runs import NAME, add_tiny_experiment, tiny

from resnet_book import data
from resnet_book.analysis import study
from resnet_book.cli.main import main
from resnet_book.experiments import weights

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a tiny recorded run, in the folder that the command line works in."""
    add_tiny_experiment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert main(["run", NAME, "--device", "cpu", "--quiet"]) == 0
    return tmp_path / "results" / NAME


def outcome(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int | str | None, str]:
    """The exit status, and all that was written."""
    capsys.readouterr()
    try:
        status = main(["features", *arguments])
    except SystemExit as end:
        status = end.code
    written = capsys.readouterr()
    return status, written.out + written.err


def test_a_run_leaves_the_study_that_the_command_shows(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = study.load(run_folder / "seed0.study.safetensors")
    status, text = outcome([NAME], capsys)
    assert status == 0
    assert text == study.in_words(found) + "\n"
    assert f"trained          {study.summary(found)['purity']:.2f} (" in text


def test_the_picture_is_a_png_file_with_a_row_for_each_feature(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome([NAME, "--k", "3", "--out", "deep/down/picture.png"], capsys)[0] == 0
    with Image.open("deep/down/picture.png") as picture:
        assert picture.format == "PNG"
        wide, high = picture.size
    assert outcome([NAME, "--k", "6", "--out", "wider.png"], capsys)[0] == 0
    with Image.open("wider.png") as picture:
        assert picture.size[0] > wide
        assert picture.size[1] <= high


def test_the_numbers_need_neither_weights_nor_images(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_folder / "seed0.safetensors").unlink()
    monkeypatch.setattr(data, "load", lambda *arguments: pytest.fail("images were loaded"))
    assert outcome([NAME, "--k", "7"], capsys)[0] == 0


def test_without_its_weights_a_longer_row_is_refused_with_advice(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_folder / "seed0.safetensors").unlink()
    status, text = outcome([NAME, "--k", "11"], capsys)
    assert status == 1
    assert "weights were not kept" in text
    assert f"resnet-book run {NAME} --seed 0" in text


def test_longer_rows_come_from_the_weights(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = outcome([NAME, "--k", "70"], capsys)
    assert status == 0
    assert "the 70 most relevant images" in text


def test_record_makes_the_study_anew(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run_folder / "seed0.study.safetensors"
    before = study.load(path)
    path.write_bytes(b"damaged")
    status, text = outcome([NAME], capsys)
    assert status == 1
    assert "is not a feature study" in text
    assert outcome([NAME, "--record"], capsys)[0] == 0
    assert torch.equal(study.load(path).most, before.most)


def test_the_weights_of_a_twin_are_refused_and_the_study_is_kept(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = run_folder / "seed0.json"
    fields = json.loads(record.read_text())
    fields["epochs"][-1]["test_error"] = 40.0  # that of a network that has learnt more than the tiny one
    record.write_text(json.dumps(fields))
    before = (run_folder / "seed0.study.safetensors").read_bytes()
    weights.save_weights(tiny(shortcut=None, seed=1), run_folder / "seed0.safetensors")
    for arguments in ([NAME, "--k", "11"], [NAME, "--record"]):
        status, text = outcome(arguments, capsys)
        assert status == 1
        assert "seed0.safetensors holds the weights of another run" in text
    assert (run_folder / "seed0.study.safetensors").read_bytes() == before


def test_a_picture_that_cannot_be_written_leaves_the_old_one(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(picture: Image.Image, file: BinaryIO, kind: str) -> None:
        file.write(b"half a picture")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Path("picture.png").write_bytes(b"the old one")
    monkeypatch.setattr(Image.Image, "save", full)
    status, text = outcome([NAME, "--out", "picture.png"], capsys)
    assert status == 1
    assert "--out: picture.png cannot be written (No space left on device). Name another file." in text
    assert Path("picture.png").read_bytes() == b"the old one"
    assert not list(Path().glob(".*part"))


def test_where_no_feature_is_alive_the_numbers_are_open(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run_folder / "seed0.study.safetensors"
    found = study.load(path)
    study.save(replace(found, zeros=torch.full_like(found.zeros, len(found.labels))), path)
    status, text = outcome([NAME], capsys)
    assert status == 0
    assert "8 dead" in text
    assert "trained          nan" in text


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([NAME, "--k", "71"], 1, "k=71: there are 70 test images to rank; choose 1 to 70"),
        ([NAME, "--k", "0"], 2, "choose a whole number, 1 to 100"),
        ([NAME, "--k", "20000"], 2, "choose a whole number, 1 to 100"),
        ([NAME, "--seed", "4"], 1, "seed4.json does not exist"),
        (["resnet18-cifar10"], 1, "is not recorded"),
        (["resnet21-cifar10"], 2, "did you mean"),
        ([NAME, "--out", "picture.gif"], 2, "ends in .png"),
        ([NAME, "--out", "results/tiny-builtin-smoke/seed0.json/picture.png"], 1, "--out"),
        ([NAME, "--results", "nowhere"], 2, "there is no folder 'nowhere'"),
        ([NAME, "--device", "cuda:63"], 1, "cuda:63 is not there"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    arguments: list[str], status: int, words: str, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().rglob("*"))
    found, text = outcome(arguments, capsys)
    assert found == status
    assert words in text
    assert sorted(Path().rglob("*")) == before
