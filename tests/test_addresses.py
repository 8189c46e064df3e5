"""One setting for the addresses: the buttons of the pages, the head of a page, and the cell that Colab needs."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import addresses
import build
import jupytext
import nbformat
import page_extras
import pytest
import rendering
import yaml
from errors import BuildError

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "notebooks").glob("[0-9a]*.py"))
SERVERS = {"colab": "https://colab.example", "binder": "https://binder.example", "jupyterhub": "https://hub.example"}
CHAPTER = (
    "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Python 3\n#     language: python\n#     name: python3\n"
)
CHAPTER += '# ---\n\n# %% [markdown]\n# # A chapter\n\n# %% tags=["parameters"]\ntier = "smoke"\ntier\n'


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tools set for their kernels goes with the test."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what carries the addresses, and one small chapter that was executed."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "notebooks").mkdir()
    for name in ("pyproject.toml", "CITATION.cff"):
        shutil.copy(ROOT / name, folder / name)
    source = folder / "notebooks" / "01_small.py"
    source.write_text(CHAPTER)
    assert build.main(["sync", str(source)]) == 0
    return folder


@pytest.fixture
def project(executed: Path, tmp_path: Path) -> Path:
    """That folder, for one test."""
    shutil.copytree(executed, tmp_path, dirs_exist_ok=True)
    return tmp_path


def set_address(project: Path, *arguments: str | None) -> None:
    build.address(project, *arguments, *[None] * (2 - len(arguments)))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_code_of_a_chapter_begins_with_the_cell_that_installs_the_package(source: Path) -> None:
    first, second = [cell for cell in jupytext.read(source).cells if cell.cell_type == "code"][:2]
    assert first.source == addresses.read(ROOT).first_cell, "run `make address`"
    assert first.metadata["tags"] == ["remove-cell"]
    assert second.metadata["tags"] == ["parameters"]


def test_the_citation_names_the_addresses_of_the_setting() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    found = addresses.read(ROOT)
    assert citation.get("repository-code", "") == found.repository, "run `make address`"
    assert citation.get("url", "") == found.site, "run `make address`"


def test_setting_an_address_puts_it_everywhere_and_keeps_the_outputs(project: Path) -> None:
    set_address(project, "https://github.com/someone/the-book")
    urls = tomllib.loads((project / "pyproject.toml").read_text())["project"]["urls"]
    site = "https://someone.github.io/the-book/"
    assert urls == {"Repository": "https://github.com/someone/the-book", "Documentation": site}
    citation = yaml.safe_load((project / "CITATION.cff").read_text())
    assert (citation["repository-code"], citation["url"]) == tuple(urls.values())
    source = (project / "notebooks" / "01_small.py").read_text()
    assert '"install --quiet git+https://github.com/someone/the-book"' in source
    notebook = nbformat.read(project / "notebooks" / "01_small.ipynb", as_version=4)
    _, first, parameters = notebook.cells
    assert first.source in source
    assert parameters.outputs[0].data["text/plain"] == "'smoke'"
    assert [first.execution_count, parameters.execution_count, parameters.outputs[0].execution_count] == [1, 2, 2]


def test_setting_an_address_keeps_the_outputs_of_cells_with_ids_of_other_tools(project: Path) -> None:
    path = project / "notebooks" / "01_small.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    nbformat.write(notebook, path)
    set_address(project, "https://github.com/someone/the-book")
    assert nbformat.read(path, as_version=4).cells[-1].outputs[0].data["text/plain"] == "'smoke'"


def test_setting_an_address_twice_changes_nothing_and_another_one_leaves_nothing_of_the_first(project: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}

    set_address(project, "https://github.com/someone/the-book")
    first = files()
    set_address(project)
    assert files() == first
    set_address(project, "https://gitlab.example/group/book.git", "https://book.example/")
    set_address(project, "https://github.com/someone/the-book/")
    assert files() == first
    set_address(project, "")
    assert b"someone" not in b"".join(files().values())


def test_the_books_address_ends_with_one_slash_however_it_is_typed(project: Path) -> None:
    for typed in ("https://example.org/book", "https://example.org/book//"):
        set_address(project, "https://github.com/someone/the-book", typed)
        text = (project / "pyproject.toml").read_text()
        assert tomllib.loads(text)["project"]["urls"]["Documentation"] == "https://example.org/book/"
    (project / "pyproject.toml").write_text(text.replace("example.org/book/", "example.org/book"))
    assert addresses.read(project).site == "https://example.org/book/"


@pytest.mark.parametrize("last", [False, True])
def test_setting_an_address_keeps_what_else_the_table_holds(project: Path, last: bool) -> None:
    path = project / "pyproject.toml"
    head, found, rest = path.read_text().partition("[project.urls]\n")
    path.write_text(f'{head}{found}Funding = "https://example.org/give"\n' + ("" if last else rest))
    set_address(project, "https://github.com/someone/the-book")
    urls = tomllib.loads(path.read_text())["project"]["urls"]
    assert urls.keys() == {"Funding", "Repository", "Documentation"}


def test_a_setting_that_is_no_address_stops_the_build_with_a_message(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rendering, "ROOT", project)
    monkeypatch.setattr(rendering, "BOOK", project / "book")
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace("[project.urls]", '[project.urls]\nRepository = "github.com/a/b"'))
    assert build.main(["render", "01.ipynb", "--tier", "smoke"]) == 1
    assert "Repository='github.com/a/b': give an address like" in capsys.readouterr().err


def test_a_chapter_that_was_not_up_to_date_is_not_made_to_look_so(project: Path) -> None:
    source = project / "notebooks" / "01_small.py"
    source.write_text(source.read_text() + "\n# %%\nprint(1)\n")
    before = source.with_suffix(".ipynb").read_bytes()
    set_address(project, "https://github.com/someone/the-book")
    assert source.with_suffix(".ipynb").read_bytes() == before


@pytest.mark.parametrize("wrong", ["github.com/a/b", "http://github.com/a/b", 'https://a.b/c"; d', "https://a.b/c d"])
def test_an_address_that_is_none_is_refused_before_anything_changes(project: Path, wrong: str) -> None:
    before = (project / "CITATION.cff").read_bytes()
    with pytest.raises(BuildError, match="give an address like"):
        set_address(project, wrong)
    assert (project / "CITATION.cff").read_bytes() == before


def links(repository: str, page: str) -> dict[str, str]:
    """The buttons of a page, by their texts."""
    groups = page_extras.buttons(addresses.Addresses(repository), page, SERVERS, "main")
    return {link["text"]: link["url"] for group in groups for link in group["buttons"]}


def test_a_chapter_on_github_opens_in_three_places_and_can_be_edited() -> None:
    assert links("https://github.com/someone/book", "chapters/01_x") == {
        "Colab": "https://colab.example/github/someone/book/blob/main/notebooks/01_x.ipynb",
        "Binder": "https://binder.example/v2/gh/someone/book/main?urlpath=lab/tree/notebooks/01_x.ipynb",
        "JupyterHub": "https://hub.example/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com%2Fsomeone%2Fbook"
        "&amp;branch=main&amp;urlpath=lab%2Ftree%2Fbook%2Fnotebooks%2F01_x.ipynb",
        "Repository": "https://github.com/someone/book",
        "Edit this page": "https://github.com/someone/book/edit/main/notebooks/01_x.py",
        "Open an issue": "https://github.com/someone/book/issues/new?title=chapters%2F01_x%3A%20",
    }


def test_a_page_that_is_no_chapter_can_be_edited_and_not_launched() -> None:
    found = links("https://github.com/someone/book", "reproduce")
    assert list(found) == ["Repository", "Edit this page", "Open an issue"]
    assert found["Edit this page"].endswith("/edit/main/book/reproduce.md")


def test_gitlab_has_its_own_pages_and_no_colab_and_an_unknown_host_only_what_git_can() -> None:
    found = links("https://gitlab.com/group/book", "chapters/01_x")
    assert "Colab" not in found
    assert found["Binder"].startswith("https://binder.example/v2/gl/group%2Fbook/main?")
    assert found["Edit this page"] == "https://gitlab.com/group/book/-/edit/main/notebooks/01_x.py"
    assert "/-/issues/new?issue%5Btitle%5D=" in found["Open an issue"]
    git_alone = ["Binder", "JupyterHub", "Repository"]
    assert list(links("https://git.example/me/book", "chapters/01_x")) == git_alone
    company = links("https://github.example.org/me/book", "chapters/01_x")  # no repository of github.com
    assert "Colab" not in company
    assert company["Binder"].startswith("https://binder.example/v2/git/https%3A%2F%2Fgithub.example.org%2Fme%2Fbook/")


def test_a_repository_that_is_its_owners_site_is_published_at_the_root() -> None:
    assert addresses.Addresses("https://github.com/Alice/alice.github.io").published == "https://alice.github.io/"


def test_what_would_be_lost_or_left_out_is_refused(project: Path) -> None:
    address = addresses.Addresses("https://github.com/someone/book")
    source = project / "notebooks" / "01_small.py"
    with pytest.raises(addresses.AddressError, match="add the owner and the name"):
        addresses.write(project, addresses.Addresses("https://github.com/someone"))
    addresses.write(project, address)
    text = source.read_text()
    source.write_text(
        text.replace(addresses.PARAMETERS_HEAD, f"# %% [markdown]\n# Mine.\n\n{addresses.PARAMETERS_HEAD}")
    )
    with pytest.raises(addresses.AddressError, match="a cell stands between"):
        addresses.write(project, address)
    source.write_text(text)
    (project / "CITATION.cff").write_text("title: A book\n")
    with pytest.raises(addresses.AddressError, match="no line that begins with version"):
        addresses.write(project, address)


def test_without_an_address_no_page_has_such_buttons_and_the_build_says_why() -> None:
    assert links("", "chapters/01_x") == {}
    assert "no launch, edit and issue buttons" in addresses.described(addresses.Addresses())
    assert "\n" not in addresses.described(addresses.Addresses())


def test_every_page_that_can_be_edited_is_a_file_of_the_repository() -> None:
    pages = re.findall(r"file: (\S+)", (ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    assert [page for page in ["intro", *pages] if not (ROOT / "book" / f"{page}.md").exists()] == []


@pytest.mark.slow
def test_a_book_with_an_address_shows_its_buttons_and_describes_itself_to_other_sites(tmp_path: Path) -> None:
    hidden = shutil.ignore_patterns("_build", "_generated", "chapters", "live", "*.md", "_toc.yml", "__pycache__")
    shutil.copytree(ROOT / "book", tmp_path / "book", ignore=hidden)
    project = (
        '[project.urls]\nRepository = "https://github.com/someone/book"\nDocumentation = "https://book.example/"\n'
    )
    (tmp_path / "pyproject.toml").write_text(project)
    (tmp_path / "book" / "_generated" / "extra").mkdir(parents=True)
    (tmp_path / "book" / "chapters").mkdir()
    nbformat.write(jupytext.reads(CHAPTER, "py:percent"), tmp_path / "book" / "chapters" / "01_small.ipynb")
    (tmp_path / "book" / "intro.md").write_text(
        '# A book\n\nIs it "short"? It is. {cite}`he2015deep`\n\n## More\n\nNo.\n'
    )
    (tmp_path / "book" / "bibliography.md").write_text("# Works\n\n```{bibliography}\n```\n")
    contents = "format: jb-book\nroot: intro\nchapters:\n  - file: chapters/01_small\n  - file: bibliography\n"
    (tmp_path / "book" / "_toc.yml").write_text(contents)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "-W", "-n", "-q", tmp_path / "book"]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    html = tmp_path / "book" / "_build" / "html"
    first, chapter = ((html / page).read_text(encoding="utf-8") for page in ("intro.html", "chapters/01_small.html"))

    def buttons(page: str) -> list[str]:
        return re.findall(r'<span class="btn__text-container">([^<]*)</span>', page)

    assert buttons(chapter)[:5] == ["Colab", "Binder", "Repository", "Edit this page", "Open an issue"]
    assert buttons(first)[:3] == ["Repository", "Edit this page", "Open an issue"]
    tags = dict(re.findall(r'<meta (?:name|property)="([^"]*)" content="([^"]*)" />', first))
    wanted: dict[str, Any] = {
        "description": "Is it “short”? It is.",
        "og:title": "A book",
        "og:url": "https://book.example/intro.html",
        "og:image": "https://book.example/_static/card.png",
    }
    assert {name: tags[name].partition(" [")[0].partition(" He")[0] for name in wanted} == wanted
    assert '<link rel="canonical" href="https://book.example/intro.html"' in first
    assert (html / "_static" / "card.png").exists()


@pytest.mark.slow
def test_the_first_cell_installs_a_wheel_beside_the_notebook_where_the_package_is_not(tmp_path: Path) -> None:
    # An environment like Colab's: all that the package needs is there, the package is not.
    others = tmp_path / "others"
    others.mkdir()
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "resnet_book" not in path.name:
            (others / path.name).symlink_to(path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "colab"], check=True)
    (packages,) = (tmp_path / "colab").glob("lib/*/site-packages")
    (packages / "others.pth").write_text(str(others))
    source, content = tmp_path / "source", tmp_path / "content"
    source.mkdir()
    content.mkdir()
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    (source / "pyproject.toml").write_text(
        f'[project]\nname = "resnet-book"\nversion = "1"\ndependencies = {dependencies}\n'
        '[tool.setuptools]\npy-modules = ["resnet_book"]\n'
    )
    (source / "resnet_book.py").write_text("answer = 42\n")
    make = f"from setuptools import build_meta; build_meta.build_wheel({str(content)!r})"
    subprocess.run([sys.executable, "-c", make], cwd=source, check=True, capture_output=True)
    cells = [addresses.Addresses().first_cell, "import resnet_book; print(resnet_book.answer)"]
    run = f"from IPython.core.interactiveshell import InteractiveShell as S; shell = S(); cells = {cells!r}\n"
    run += "[shell.run_cell(cell).raise_error() for cell in cells]"
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"HOME": str(tmp_path)}
    command = [tmp_path / "colab" / "bin" / "python", "-c", run]
    missing, first, again = (
        subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True)
        for folder in (tmp_path, content, content)
    )
    assert "AssertionError: Put resnet_book-*.whl here" in missing.stderr, missing.stdout + missing.stderr
    assert first.stdout.endswith("42\n"), first.stdout + first.stderr
    assert again.stdout == "42\n", "where the package is, the cell says nothing"
