"""The sdist holds what git holds, and the wheel built from it works where nothing else of the project is."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from resnet_book.experiments import catalogue, records

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
NOT_COPIED = (".*", "*.egg-info", "__pycache__", "build", "_build", "_generated", "chapters", "data", "runs", "shared")
# Files that git ignores, and that lie about in a folder in which somebody works.
LEFTOVERS = (
    "results/resnet18-cifar10/seed0.safetensors",
    "results/resnet10-cifar10-short/seed0.safetensors",
    "results/resnet20-cifar10-short/seed1.safetensors",
    "book/_build/html/index.html",
    "book/chapters/01_dataset.ipynb",
    "notebooks/.ipynb_checkpoints/01_dataset-checkpoint.ipynb",
    "tests/__pycache__/test_data.cpython-311.pyc",
    "data/cifar-10-batches-bin/test_batch.bin",
    "runs/resnet20-cifar10/seed0/checkpoint.pt",
)


@dataclass(frozen=True)
class Built:
    sdist: Path  # unpacked
    wheel: Path
    installed: Path  # the wheel, unpacked into an empty folder


def build(kind: str, source: Path, target: Path) -> Path:
    """An sdist or a wheel of the project in ``source``, in the new folder ``target``; without a network."""
    target.mkdir()
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(target)!r})"
    result = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What is built, once for all processes of pytest-xdist."""
    pytest.importorskip("setuptools", minversion="77")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheel"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            build_all(folder)
    (sdist,), (wheel,) = ((folder / name).iterdir() for name in ("unpacked", "dist"))
    return Built(sdist, wheel, folder / "installed")


def build_all(folder: Path) -> None:
    """Build an sdist of a clone in which somebody works, of it a wheel, and unpack both."""
    shutil.copytree(ROOT, folder / "clone", ignore=shutil.ignore_patterns(*NOT_COPIED))
    for hidden in (".binder", ".ci", ".devcontainer", ".gitattributes", ".github", ".gitignore"):
        copy = shutil.copytree if (ROOT / hidden).is_dir() else shutil.copy
        copy(ROOT / hidden, folder / "clone" / hidden)
    for leftover in LEFTOVERS:
        (folder / "clone" / leftover).parent.mkdir(parents=True, exist_ok=True)
        (folder / "clone" / leftover).touch()
    with tarfile.open(build("sdist", folder / "clone", folder / "sdist")) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (sdist,) = (folder / "unpacked").iterdir()
    zipfile.ZipFile(build("wheel", sdist, folder / "dist")).extractall(folder / "installed")


def files_under(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# --- The sdist ----------------------------------------------------------------------------------------------------


def test_the_sdist_holds_every_file_of_git(built: Built) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a checkout")
    command = ["git", "-C", str(ROOT), "ls-files"]
    tracked = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {name for name in tracked if (ROOT / name).exists()} - files_under(built.sdist) == set()


def test_the_sdist_holds_nothing_that_git_ignores(built: Built) -> None:
    assert files_under(built.sdist) & set(LEFTOVERS) == set()


# --- The wheel ----------------------------------------------------------------------------------------------------


def test_the_wheel_holds_every_record_and_study_as_they_are(built: Built) -> None:
    results, recorded = ROOT / "results", built.installed / "resnet_book" / "recorded"
    wanted = {
        path.relative_to(results) for glob in ("*/*.json", "*/*.study.safetensors") for path in results.glob(glob)
    }
    assert wanted
    assert [name for name in wanted if (recorded / name).read_bytes() != (results / name).read_bytes()] == []


def test_the_wheel_holds_the_weights_that_the_chapters_show(built: Built) -> None:
    recorded = built.installed / "resnet_book" / "recorded"
    kept = {path.parent.name for path in recorded.glob("*/seed0.safetensors")}
    wide = *catalogue.WIDE_NETWORKS, *catalogue.QUARTERS
    shown = {
        each.experiment
        for each in records.load_all(recorded)
        if each.seed == 0 and each.recipe_name in ("short", "smoke") and each.model["name"] not in wide
    }
    assert shown <= kept
    assert "resnet20-cifar10-short" in kept


def test_the_wheel_is_as_large_as_the_readme_says(built: Built) -> None:
    (said,) = re.findall(r"make the wheel, some (\d+) MB", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert abs(built.wheel.stat().st_size / 1e6 - int(said)) < 2


def test_the_wheel_says_that_it_is_typed(built: Built) -> None:
    assert (built.installed / "resnet_book" / "py.typed").exists()


def test_the_wheel_holds_every_module(built: Built) -> None:
    assert {name for name in files_under(ROOT / "resnet_book") if name.endswith(".py")} <= files_under(
        built.installed / "resnet_book"
    )


# --- Where there is nothing but the wheel -------------------------------------------------------------------------


def test_a_network_answers_and_the_table_shows_the_records_where_only_the_wheel_is(
    built: Built, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 200), "skyblue").save(tmp_path / "sky.png")
    code = """
import sys, resnet_book
from pathlib import Path
from resnet_book.cli.main import main
assert Path(resnet_book.__file__).is_relative_to(sys.argv[1]), resnet_book.__file__
trained = resnet_book.load_trained("resnet20-cifar10-short")
print(trained, trained.classify("sky.png"))
sys.exit(main(["table"]))
"""
    named = {name: value for name, value in os.environ.items() if not name.startswith("RESNET_BOOK_")}
    environment = {**named, "PYTHONPATH": str(built.installed)}  # of this project, only the wheel is to be found
    command = [sys.executable, "-c", code, str(built.installed)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<TrainedNetwork: resnet20-cifar10-short, seed 0, 10 classes, test error ")
    assert "(picture of 300 x 200 pixels, resized on the short side and cut to the middle 32 x 32)" in done.stdout
    runs = len(list((ROOT / "results" / "resnet20-cifar10-short").glob("seed?.json")))
    _, shorter = [line for line in done.stdout.splitlines() if line.startswith("resnet20 ")]
    assert f"({runs} runs)" in shorter
