"""``resnet-book features`` draws every feature of a recorded network, and says what is wrong where it cannot."""

import errno
import os
import shutil
from pathlib import Path
from typing import BinaryIO

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from small_runs import NAME, add_tiny_experiment

from resnet_book import data
from resnet_book.analysis import study
from resnet_book.cli.main import program
from resnet_book.experiments.studies import kept_study


def call(*typed: str) -> Result:
    return CliRunner(catch_exceptions=False).invoke(program, typed)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of results with a tiny recorded run."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        add_tiny_experiment(patch)
        places = ["--results", str(folder / "results"), "--runs", str(folder / "runs")]
        assert call("run", NAME, "--device", "cpu", "--quiet", *places).exit_code == 0
    return folder / "results"


@pytest.fixture
def run_folder(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the tiny run, in the folder that the command line works in."""
    add_tiny_experiment(monkeypatch)
    shutil.copytree(recorded, tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results" / NAME


def test_the_command_shows_the_study_beside_the_record(run_folder: Path) -> None:
    found = kept_study(NAME)
    assert found
    shown = call("features", NAME)
    assert (shown.exit_code, shown.stdout) == (0, study.in_words(found) + "\n")
    assert f"trained          {study.summary(found)['purity']:.2f} (" in shown.stdout


def test_the_picture_is_a_png_file_whose_rows_are_as_long_as_asked_for(run_folder: Path) -> None:
    sizes = []
    for k, name in (("3", "deep/down/picture.png"), ("6", "wider.png")):
        assert call("features", NAME, "--k", k, "--out", name).exit_code == 0
        with Image.open(name) as picture:
            assert picture.format == "PNG"
            sizes.append(picture.size)
    (wide, high), (wider, not_higher) = sizes
    assert wider > wide
    assert not_higher <= high


def test_the_numbers_need_neither_weights_nor_images(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run_folder / "seed0.safetensors").unlink()
    monkeypatch.setattr(data, "load", lambda *arguments: pytest.fail("images were loaded"))
    assert call("features", NAME, "--k", "7").exit_code == 0


def test_longer_rows_come_from_the_weights_and_without_them_are_refused_with_advice(run_folder: Path) -> None:
    assert "the 70 most relevant images" in call("features", NAME, "--k", "70").stdout
    (run_folder / "seed0.safetensors").unlink()
    refused = call("features", NAME, "--k", "11")
    assert refused.exit_code == 1
    assert f"resnet-book run {NAME} --seed 0" in refused.stderr


@pytest.mark.parametrize(("name", "k"), [("seed0.study.safetensors", "7"), ("seed0.safetensors", "11")])
def test_a_damaged_study_or_weights_are_refused(name: str, k: str, run_folder: Path) -> None:
    content = bytearray((run_folder / name).read_bytes())
    content[-1] ^= 1
    (run_folder / name).write_bytes(content)
    refused = call("features", NAME, "--k", k)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert name in refused.stderr


def test_a_picture_that_cannot_be_written_leaves_the_old_one(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(picture: Image.Image, file: BinaryIO, kind: str) -> None:
        file.write(b"half a picture")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Path("picture.png").write_bytes(b"the old one")
    monkeypatch.setattr(Image.Image, "save", full)
    failed = call("features", NAME, "--out", "picture.png")
    assert failed.exit_code == 1
    assert "--out: picture.png cannot be written (No space left on device). Name another file." in failed.stderr
    assert Path("picture.png").read_bytes() == b"the old one"
    assert not list(Path().glob(".*part"))


@pytest.mark.parametrize(
    ("typed", "status", "words"),
    [
        ([NAME, "--k", "71"], 1, "k=71: choose a whole number from 1 to 70, the number of test images"),
        ([NAME, "--k", "0"], 2, "1<=x<=100"),
        ([NAME, "--k", "20000"], 2, "1<=x<=100"),
        ([NAME, "--seed", "4"], 1, "seed4.json does not exist"),
        (["resnet18-cifar10"], 1, "is not recorded"),
        (["resnet21-cifar10"], 2, "did you mean"),
        ([NAME, "--out", "picture.gif"], 2, "ends in .png"),
        ([NAME, "--out", "results/tiny-builtin-smoke/seed0.json/picture.png"], 1, "--out"),
        ([NAME, "--device", "cuda:63"], 1, "cuda:63 is not there"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    typed: list[str], status: int, words: str, run_folder: Path
) -> None:
    before = sorted(Path().rglob("*"))
    refused = call("features", *typed)
    assert (refused.exit_code, refused.stdout) == (status, "")
    assert words in refused.stderr
    assert sorted(Path().rglob("*")) == before
