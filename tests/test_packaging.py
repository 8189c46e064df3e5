"""pyproject.toml, requirements.lock and environment.yml promise the same, and the lock names no host."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
NEEDED = [*PROJECT["dependencies"], *(each for extra in EXTRAS.values() for each in extra)]
DIRECT = [each for each in NEEDED if Requirement(each).name != PROJECT["name"]]  # an extra may include another
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCKED = [Requirement(line) for line in LOCK.splitlines() if line and not line.lstrip().startswith("#")]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
PYTHONS = ["3.11", "3.12", "3.13"]
PLATFORM = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}


def locked_versions(name: str, python: str) -> list[str]:
    """The versions that the lock gives ``name`` on Linux with this Python."""
    marks = {**PLATFORM, "python_version": python, "python_full_version": f"{python}.0"}
    return [
        str(each.specifier).removeprefix("==")
        for each in LOCKED
        if canonicalize_name(each.name) == canonicalize_name(name)
        and (each.marker is None or each.marker.evaluate(marks))
    ]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("dependency", DIRECT)
def test_the_lock_has_one_version_of_each_dependency_and_it_is_in_range(dependency: str, python: str) -> None:
    wanted = Requirement(dependency)
    versions = locked_versions(wanted.name, python)
    assert len(versions) == 1, f"{wanted.name}: run `make lock`"
    assert Version(versions[0]) in wanted.specifier, f"{wanted.name} {versions[0]}: run `make lock`"


def test_the_lock_names_exact_versions_only() -> None:
    assert [str(each) for each in LOCKED if not re.fullmatch(r"==[\w.!+]+", str(each.specifier))] == []


def test_the_lock_names_no_host_and_no_path() -> None:
    assert re.findall(r"https?:|--index|--find-links|file:|@ |/", LOCK.replace("# via", "")) == []


def test_conda_installs_a_python_that_the_project_supports() -> None:
    (python,) = [each for each in ENVIRONMENT["dependencies"] if isinstance(each, str) and each.startswith("python")]
    offered, supported = SpecifierSet(python.removeprefix("python")), SpecifierSet(PROJECT["requires-python"])
    candidates = [f"3.{minor}.{patch}" for minor in range(8, 20) for patch in (0, 5)]
    assert list(offered.filter(candidates)) == list(supported.filter(candidates)) != []


def test_conda_installs_the_project_with_every_extra_at_the_locked_versions() -> None:
    (pip,) = [each["pip"] for each in ENVIRONMENT["dependencies"] if isinstance(each, dict)]
    (project,) = [each for each in pip if each.startswith("-e ")]
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", project)
    assert extras is not None
    assert set(extras[1].split(",")) == set(EXTRAS)
    assert "-c requirements.lock" in pip


def test_conda_installs_pip_itself() -> None:
    assert "pip" in ENVIRONMENT["dependencies"]


def test_the_makefile_looks_for_the_pythons_that_the_project_supports() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    line = re.search(r"^PYTHON \?= python3 (.*)$", makefile, re.MULTILINE)
    assert line is not None
    assert sorted(line[1].split()) == [f"python{python}" for python in PYTHONS]
    assert all(SpecifierSet(PROJECT["requires-python"]).contains(f"{python}.0") for python in PYTHONS)
