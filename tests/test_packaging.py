"""What installs, tries and publishes the project elsewhere: its files promise the same, and the lock names no host."""

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace

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
LOCKED = [Requirement(line.removesuffix(" \\")) for line in LOCK.splitlines() if re.match(r"\w", line)]
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
def test_the_lock_has_one_version_of_each_dependency_and_it_is_in_range(python: str) -> None:
    for wanted in map(Requirement, DIRECT):
        versions = locked_versions(wanted.name, python)
        assert len(versions) == 1, f"{wanted.name}: run `make lock`"
        assert Version(versions[0]) in wanted.specifier, f"{wanted.name} {versions[0]}: run `make lock`"


def test_the_ways_to_cite_the_book_agree_with_the_project_and_offer_no_choice_of_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    bibtex = re.search(r"```bibtex\n(.*?)```", (ROOT / "book" / "reproduce.md").read_text(encoding="utf-8"), re.DOTALL)
    assert bibtex is not None
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == "MIT"  # in a list the schema has the reader choose one of several
    assert f"{{{citation['title']}}}" in bibtex[1]
    assert f"Version {PROJECT['version']}, commit" in bibtex[1]
    names = {citation["authors"][0]["name"], PROJECT["authors"][0]["name"]}
    assert [f"{{{{{name}}}}}" in bibtex[1] for name in names] == [True]


def test_the_lock_names_exact_versions_only() -> None:
    assert [str(each) for each in LOCKED if not re.fullmatch(r"==[\w.!+]+", str(each.specifier))] == []


def test_the_lock_has_the_sha256_of_every_package_and_the_makefile_wants_them() -> None:
    entries = re.split(r"^(?=\w)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(LOCKED)
    assert [each for each in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", each)] == []
    assert "--require-hashes -r requirements.lock" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_lock_names_no_host_and_no_path() -> None:
    assert re.findall(r"https?:|--index|--find-links|file:|@ |/", LOCK.replace("# via", "")) == []


def test_conda_installs_a_python_that_the_project_supports() -> None:
    (python,) = [each for each in ENVIRONMENT["dependencies"] if isinstance(each, str) and each.startswith("python")]
    offered, supported = SpecifierSet(python.removeprefix("python")), SpecifierSet(PROJECT["requires-python"])
    candidates = [f"3.{minor}.{patch}" for minor in range(8, 20) for patch in (0, 5)]
    assert list(offered.filter(candidates)) == list(supported.filter(candidates)) != []


def test_conda_installs_the_locked_packages_and_checks_them() -> None:
    (pip,) = [each["pip"] for each in ENVIRONMENT["dependencies"] if isinstance(each, dict)]
    assert pip == ["--require-hashes", "-r requirements.lock"]
    # A folder has no hash, so the project itself comes after.
    for text in ("environment.yml", "README.md", "book/reproduce.md"):
        assert "pip install --no-deps -e ." in (ROOT / text).read_text(encoding="utf-8"), text


def test_binder_has_all_that_the_chapters_import_in_the_ranges_of_the_project() -> None:
    binder = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda_names = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}  # smaller than the packages of these names
    for each in map(Requirement, PROJECT["dependencies"] + EXTRAS["notebooks"]):
        if each.name != PROJECT["name"]:
            assert f"{conda_names.get(each.name, each.name)}{each.specifier}" in binder
    script = (ROOT / ".binder" / "postBuild").read_text(encoding="utf-8")
    assert "pip install --no-deps" in script
    assert (ROOT / ".binder" / "postBuild").stat().st_mode & 0o111


def test_conda_installs_pip_itself() -> None:
    assert "pip" in ENVIRONMENT["dependencies"]


def test_the_workflow_tries_every_python_on_three_systems_with_the_scripts_of_the_repository() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["fast"]["strategy"]["matrix"]
    assert matrix["python"] == PYTHONS
    assert [each.split("-")[0] for each in matrix["system"]] == ["ubuntu", "macos", "windows"]
    steps = "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    assert "--require-hashes -r requirements.lock" in steps
    for script in (".ci/run", ".ci/publish"):
        assert script in steps
        assert (ROOT / script).stat().st_mode & 0o111


def test_the_development_container_has_what_the_readme_asks_for() -> None:
    settings = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    image = (ROOT / ".devcontainer" / settings["build"]["dockerfile"]).read_text(encoding="utf-8")
    assert settings["postCreateCommand"] == "make env"
    python = re.search(r"^FROM python:(\d+\.\d+)", image, re.MULTILINE)
    assert python is not None
    assert python[1] in PYTHONS
    assert set(re.findall(r"\b(?:make|git|g\+\+|chromium)(?=\s)", image)) == {"make", "git", "g++", "chromium"}


def test_publishing_replaces_the_pages_of_a_branch_and_leaves_the_work_as_it_was(tmp_path: Path) -> None:
    def git(*arguments: str, folder: Path = tmp_path / "clone") -> str:
        names = {f"GIT_{who}_{what}": "someone" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | names).stdout

    (tmp_path / "clone" / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "publish", tmp_path / "clone" / ".ci" / "publish")
    page = "book/_build/html/_static/page.html"
    (tmp_path / "clone" / "Makefile").write_text(f"pdf:\n\tmkdir -p {Path(page).parent}\n\techo new > {page}\n")
    (tmp_path / "clone" / ".gitignore").write_text("_build\n")
    git("init", "--quiet", "--bare", str(tmp_path / "remote"), folder=tmp_path)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "First")
    git("push", "--quiet", str(tmp_path / "remote"), "HEAD:gh-pages")
    names = {f"GIT_{who}_{what}": "someone" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    script = [tmp_path / "clone" / ".ci" / "publish", tmp_path / "remote"]
    done = subprocess.run(script, env=os.environ | names, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert git("status", "--short") == ""
    published = git("ls-tree", "-r", "--name-only", "gh-pages", folder=tmp_path / "remote").split()
    assert published == [".nojekyll", "_static/page.html"]
    assert git("rev-list", "--count", "gh-pages", folder=tmp_path / "remote").strip() == "1"


def test_the_makefile_looks_for_the_pythons_that_the_project_supports() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    line = re.search(r"^PYTHON \?= python3 (.*)$", makefile, re.MULTILINE)
    assert line is not None
    assert sorted(line[1].split()) == [f"python{python}" for python in PYTHONS]
    assert all(SpecifierSet(PROJECT["requires-python"]).contains(f"{python}.0") for python in PYTHONS)


def test_nox_checks_with_the_commands_of_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))  # the file changes it
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    ran = list[str]()
    session = SimpleNamespace(posargs=[], run=lambda *words, **_: ran.append(" ".join(map(str, words))))
    loaded.check.func(session)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lint = re.findall(r"^\t\$\(BIN\)/(.*)$", makefile[makefile.index("\nlint:") :].partition("\n\n")[0], re.MULTILINE)
    assert len(lint) > 3
    assert ran[:-1] == lint
    fast = re.search(r"^check:.*\n\t\$\(PYTEST\) (.*)$", makefile, re.MULTILINE)
    assert fast
    assert ran[-1].endswith(fast[1].replace('"', ""))


def test_nox_has_sessions_that_make_has_too() -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    sessions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.decorator_list}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert sessions == {"check", "test", "book", "pages"}
    assert all(re.search(rf"^{name}: ", makefile, re.MULTILINE) for name in sessions)
