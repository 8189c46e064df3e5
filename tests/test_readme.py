"""The README tells the truth: its table is the recorded one, its commands and files exist."""

import re
from pathlib import Path

import pytest

from resnet_book import experiments, records, tables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_results_are_what_the_table_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    from resnet_book.__main__ import main

    assert main(["table", "--markdown", "--results", str(ROOT / "results")]) == 0
    between = re.search(r"<!-- results: begin -->\n(.*)<!-- results: end -->", README, re.DOTALL)
    assert between is not None
    assert between[1].strip() == capsys.readouterr().out.strip(), "run `resnet-book table --into README.md`"


def test_the_readme_shows_every_recorded_cifar10_run_of_the_depth_table() -> None:
    recorded = {record.experiment for record in records.load_all(ROOT / "results")}
    shown = {
        name
        for name in recorded & experiments.EXPERIMENTS.keys()
        if experiments.get(name).model in tables.DEPTH_TABLE_MODELS and experiments.get(name).dataset == "cifar10"
    }
    cells = re.findall(r"\| \d+\.\d+(?: ± \d+\.\d+)? \(\d+ runs?\) \|", README)
    assert len(cells) >= len([name for name in shown if name.endswith("-short")])


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
    assert name in experiments.EXPERIMENTS
