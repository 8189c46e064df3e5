"""The README tells the truth: its table is the recorded one, its commands and files exist."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import chapter_tables
import pytest
from PIL import Image
from small_runs import RECIPE, TEST, TRAIN, same_weights

from resnet_book import __version__, models, train
from resnet_book.engine.checkpointing import Checkpoint
from resnet_book.experiments import catalogue

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_results_are_what_the_table_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    from resnet_book.cli.main import main

    assert main(["table", "--markdown", "--results", str(ROOT / "results")]) == 0
    between = re.search(r"<!-- results: begin -->\n(.*)<!-- results: end -->", README, re.DOTALL)
    assert between is not None
    assert between[1].strip() == capsys.readouterr().out.strip(), "run `resnet-book table --into README.md`"


def test_the_code_for_a_recorded_network_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (48, 32), "blue").save("picture.png")
    exec(CODE[0], {})
    assert "resnet20-cifar10-short" in capsys.readouterr().out


def test_the_code_for_a_training_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CODE[1].count("iterations=150, drops=(75, 112)") == 1
    exec(CODE[1].replace("iterations=150, drops=(75, 112)", "iterations=2, batch_size=8, drops=()"), {})
    assert 0 <= float(capsys.readouterr().out) <= 100
    assert Path("runs/mine/checkpoint.pt").exists()


def test_what_a_stopped_run_has_is_read_as_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(CODE[2], names)
    assert names["state"] is None
    assert capsys.readouterr().out.startswith("not begun, or recorded")
    (checkpoint,) = re.findall(r"runs/\S+checkpoint.pt", CODE[2])
    stopped = models.build("resnet56")
    recipe = replace(RECIPE, iterations=2, batch_size=8, drops=())
    train.fit(stopped, TRAIN.subset(8), TEST.subset(8), recipe, callbacks=[Checkpoint(checkpoint)])
    exec(CODE[2], names)
    assert capsys.readouterr().out.startswith("2 [")
    assert same_weights(names["network"], stopped)


def test_every_make_command_of_the_readme_is_a_target() -> None:
    targets = re.findall(r"^(\w+)\s*:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"^(?:\$ |\| `)make (\w+)", README, re.MULTILINE)
    assert named
    assert set(named) <= set(targets)


def test_every_file_and_folder_in_the_tree_exists() -> None:
    (tree,) = re.findall(r"## The house\n\n```text\n(.*?)```", README, re.DOTALL)
    for line in tree.splitlines():
        folder = ROOT / "resnet_book" if line.startswith("  ") else ROOT
        named = re.findall(r"[\w.-]+(?:/|\.py)(?=\s)", line[:22])
        assert named, line
        assert [each for each in named if not (folder / each).exists()] == []


def test_every_module_and_room_is_in_the_tree() -> None:
    inside = (ROOT / "resnet_book").iterdir()
    modules = {path.name for path in inside if path.suffix == ".py" and not path.name.startswith("__")}
    rooms = {f"{path.parent.name}/" for path in (ROOT / "resnet_book").glob("*/*.py")}
    assert [each for each in sorted(modules | rooms) if not re.search(rf"^  .*\b{re.escape(each)}", README, re.M)] == []


def test_every_link_leads_somewhere_outside_the_repository_too() -> None:
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert [link for link in re.findall(r"\]\(([^)]*)\)", text) if not link.startswith("https://")] == []


def test_every_file_named_exists() -> None:
    named = re.findall(r"`((?:notebooks|results)/[\w./]+|[A-Z]+[-.]\w+)`", README)
    assert named
    assert [path for path in named if not list(ROOT.glob(f"{path}*"))] == []


def test_the_wheel_named_is_of_this_version() -> None:
    (name,) = set(re.findall(r"resnet_book-\S*?\.whl", README))
    assert name == f"resnet_book-{__version__}-py3-none-any.whl"


@pytest.mark.parametrize("text", ["README.md", "book/commands.md", "book/reproduce.md", "results/README.md"])
def test_every_experiment_named_exists(text: str) -> None:
    page = (ROOT / text).read_text(encoding="utf-8")
    named = re.findall(r"^\$ resnet-book run ((?:\w+-[\w-]+ )+)", page, re.MULTILINE)
    assert {name for names in named for name in names.split()} <= set(catalogue.EXPERIMENTS)
    assert named


def test_the_readme_asks_the_questions_that_the_chapters_open_with() -> None:
    for notebook in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        asked = chapter_tables.chapter_map([notebook]).splitlines()[-1].split(" | ")[1]
        assert f"`notebooks/{notebook.stem}` | {asked} |" in README
