"""The order of the house: a module imports only modules above it; the command line answers before torch is loaded."""

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "resnet_book"
ORDER = (
    "builtin",
    "data",
    "unpack",
    "download",
    "augment",
    "models",
    "checkpoints",
    "recipe",
    "history",
    "distributed",
    "cuda_graph",
    "precision",
    "run_state",
    "train",
    "features",
    "answers",
    "grounding",
    "study",
    "experiments",
    "records",
    "weights",
    "recorded_study",
    "runs",
    "child",
    "queue_view",
    "queue",
    "diagnostics",
    "tables",
    "wide_tables",
    "figures",
    "wide_figures",
    "feature_picture",
    "study_figures",
    "arguments",
    "show",
    "__main__",
)


def imported_modules(source: str) -> set[str]:
    """Modules of resnet_book that ``source`` imports anywhere, in whatever spelling, "" for the package alone."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "resnet_book" if node.level else node.module or ""  # the package is flat: "." is resnet_book
            base += f".{node.module}" if node.level and node.module else ""
            paths = [f"{base}.{alias.name}" for alias in node.names] if base == "resnet_book" else [base]
        else:
            continue
        found |= {(*path.split("."), "")[1] for path in paths if path.split(".")[0] == "resnet_book"}
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch.nn", set()),
        ("from resnet_book import data, models", {"data", "models"}),
        ("from resnet_book.data import load", {"data"}),
        ("import resnet_book.data as d, resnet_book", {"data", ""}),
        ("from . import train", {"train"}),
        ("from .train import fit", {"train"}),
        ("def f():\n    from resnet_book import tables", {"tables"}),
        ("import resnet_bookkeeping.data", set()),
    ],
)
def test_every_spelling_of_an_import_is_seen(source: str, expected: set[str]) -> None:
    assert imported_modules(source) == expected


def test_every_module_has_its_place_in_the_order() -> None:
    files = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py")}
    assert files == {*ORDER, "__init__"}


@pytest.mark.parametrize("module", ORDER)
def test_module_imports_only_modules_above_it(module: str) -> None:
    above = set(ORDER[: ORDER.index(module)])
    assert imported_modules((PACKAGE / f"{module}.py").read_text()) <= above


def test_importing_the_package_imports_nothing() -> None:
    nodes = ast.walk(ast.parse((PACKAGE / "__init__.py").read_text()))
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes)


# --- The command line -------------------------------------------------------------------------------------------------


def test_help_answers_in_under_a_second() -> None:
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "resnet_book", "--help"], cwd=PACKAGE.parent, capture_output=True, text=True
        )
        seconds.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
        assert "COMMAND" in done.stdout
    assert min(seconds) < 1


@pytest.mark.parametrize("arguments", [[], ["list"], ["data"], ["run"], ["table"], ["curves"]])
def test_help_does_not_load_torch(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "resnet_book", *arguments, "--help"],
        cwd=PACKAGE.parent,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},  # names every imported module on stderr
        capture_output=True,
        text=True,
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.returncode == 0
    assert "argparse" in imported
    assert not imported & {"torch", "numpy", "pandas", "matplotlib"}
