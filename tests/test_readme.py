"""The README tells the truth: its table is the recorded one, its commands and files exist."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_runs import RECIPE, TEST, TRAIN, same_weights

from resnet_book import models, train
from resnet_book.experiments import catalogue

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_results_are_what_the_table_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    from resnet_book.cli.main import main

    assert main(["table", "--markdown", "--results", str(ROOT / "results")]) == 0
    between = re.search(r"<!-- results: begin -->\n(.*)<!-- results: end -->", README, re.DOTALL)
    assert between is not None
    assert between[1].strip() == capsys.readouterr().out.strip(), "run `resnet-book table --into README.md`"


def test_what_a_stopped_run_has_is_read_as_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "results" / "resnet20-cifar10-short", tmp_path / "results" / "resnet20-cifar10-short")
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[1]
    names: dict[str, Any] = {"models": models}  # imported by the block before
    exec(block, names)
    assert names["record"].experiment in block
    assert names["state"] is None
    checkpoint = tmp_path / re.findall(r"runs/\S+checkpoint.pt", block)[0]
    stopped = models.build("resnet56")
    recipe = replace(RECIPE, iterations=2, batch_size=8)
    train.fit(stopped, TRAIN.subset(8), TEST.subset(8), recipe, checkpoint=checkpoint, progress=False)
    exec(block, names)
    assert capsys.readouterr().out.startswith("2 [")
    assert same_weights(names["network"], stopped)


@pytest.mark.parametrize("name", re.findall(r"^\$ make (\w+)|^\| `make (\w+)", README, re.MULTILINE))
def test_every_make_command_of_the_readme_is_a_target(name: tuple[str, str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{name[0] or name[1]}\s*:", makefile, re.MULTILINE)


@pytest.mark.parametrize("name", re.findall(r"^  (\w+\.py) ", README, re.MULTILINE))
def test_every_module_in_the_tree_exists(name: str) -> None:
    assert (ROOT / "resnet_book" / name).is_file()


def test_every_module_is_in_the_tree() -> None:
    modules = {path.name for path in (ROOT / "resnet_book").glob("*.py")} - {"__init__.py"}
    assert modules == set(re.findall(r"^  (\w+\.py) ", README, re.MULTILINE))


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./-]+)\)", README))
def test_every_link_leads_to_a_file(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", re.findall(r"resnet-book run (\S+)", README))
def test_every_experiment_named_exists(name: str) -> None:
    assert name in catalogue.EXPERIMENTS
