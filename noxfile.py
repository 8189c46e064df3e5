"""What `make check`, `test`, `book` and `pages` do, on any system: `nox` lists the sessions, `nox -s check` runs one.

They run in the environment in which nox is installed, that of requirements.lock; nothing is made or installed. Chapters
are executed one after the other, each time: only `make` knows which are up to date.
"""

import os
import sysconfig
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = []
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
os.environ.update(OMP_WAIT_POLICY="PASSIVE", PYTHONUTF8="1")  # threads that wait sleep; UTF-8 on Windows, too

ROOT = Path(__file__).parent
SOURCES = sorted(Path("notebooks").glob("[0-9a]*.py"))
BUILD = ("python", Path("book", "build.py"))
MADE = f"The book is made. Open {(ROOT / 'book' / '_build' / 'html' / 'index.html').as_uri()}"
PYTEST = ("python", "-m", "pytest", "-p", "no:cacheprovider", "--numprocesses", "2")
# Two chapters, or two tests, with a thread each are done sooner than one after the other with two.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@nox.session
def check(session: nox.Session) -> None:
    """Style, types and the fast tests. What follows `--` goes to pytest."""
    lint(session)
    session.run(*PYTEST, "tests", "--dist", "worksteal", "-m", "not slow", *session.posargs, env=ONE_THREAD)


@nox.session
def test(session: nox.Session) -> None:
    """Style, types, the notebooks as tests, all tests, the rendered book in a browser."""
    lint(session)
    session.run(*BUILD, "outside", Path("build", "outside"))
    with session.chdir(Path("build", "outside", "notebooks")):
        outside = {**ONE_THREAD, "PYTHONPATH": str(ROOT / "build" / "outside" / "installed")}
        session.run(*PYTEST, "--nbval", ".", "--dist", "loadfile", "--quiet", env=outside)
    pages(session, "--pdf")
    session.run(*PYTEST, "tests", "--dist", "worksteal", env=ONE_THREAD)


@nox.session
def book(session: nox.Session) -> None:
    """Execute the chapters and render the book; `nox -s book -- cpu` at another tier than smoke."""
    tier = session.posargs[0] if session.posargs else "smoke"
    executed = [Path("build", tier, source.with_suffix(".ipynb").name) for source in SOURCES]
    for source, target in zip(SOURCES, executed, strict=True):
        options = ("--tier", tier, "--data", os.environ.get("DATA", ""))
        session.run(*BUILD, "execute", source, target, *options, env=ONE_THREAD)
    session.run(*BUILD, "render", "--tier", tier, *executed)
    session.log(MADE)


@nox.session
def pages(session: nox.Session, *options: str) -> None:
    """Render the book of the notebooks as they are committed; executes nothing."""
    session.run(*BUILD, "render", "--tier", "smoke", *options, *[source.with_suffix(".ipynb") for source in SOURCES])
    session.log(MADE)


def lint(session: nox.Session) -> None:
    """Style, types, and who may import whom."""
    for command in ("ruff check .", "ruff format --check .", "pyright", "lint-imports --no-logo --no-cache"):
        session.run(*command.split())
