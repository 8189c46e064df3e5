"""Who may import whom is `make lint`'s (import-linter); here: what is light answers before torch is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnet_book.cli.main import program

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "pandas", "matplotlib", "PIL", "pydantic"}


def imported_by(*arguments: str) -> set[str]:
    """The modules that ``python ARGUMENTS`` loads."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},  # names every imported module on stderr
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_importing_the_package_imports_nothing_heavy() -> None:
    loaded = imported_by("-c", "import resnet_book")
    assert "resnet_book" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("arguments", [[], *([name] for name in program.commands)])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = imported_by("-m", "resnet_book", *arguments, "--help")
    assert "resnet_book.cli" in loaded
    assert not loaded & HEAVY


def test_a_module_of_the_core_loads_neither_pandas_nor_matplotlib() -> None:
    loaded = imported_by("-c", "from resnet_book import data, models, train")
    assert "torch" in loaded
    assert not loaded & {"pandas", "matplotlib", "pydantic", "torchvision", "tensorboard"}
