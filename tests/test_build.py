"""The tools that execute chapters, on small ones of the test's own: papermill, sync, what `make` does with a folder."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import build as make_book
import chapter_tables
import nbformat
import pytest

ROOT = Path(__file__).parent.parent
CHAPTER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A chapter

# %% tags=["parameters"]
tier = "smoke"  # how much is trained
data_root = ""

# %%
f"{tier} {data_root}"

# %%
print(6 * 7)
"""


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``book/build.py`` as a function of its arguments that returns its exit status."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # it sets what kernels are to inherit
    return lambda *arguments: make_book.main([str(each) for each in arguments])


@pytest.fixture
def chapter(tmp_path: Path) -> Path:
    """The source of a small chapter."""
    path = tmp_path / "01_small.py"
    path.write_text(CHAPTER)
    return path


def test_a_chapter_is_executed_by_papermill_with_its_tier_and_data(
    build: Callable[..., int], chapter: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "01_small.ipynb"
    assert build("execute", chapter, target, "--tier", "cpu", "--data", tmp_path / "my 'data'") == 0
    notebook = nbformat.read(target, as_version=4)
    _, parameters, shows, prints = notebook.cells
    assert f"cpu {tmp_path}/my 'data'" in shows.outputs[0].data["text/plain"]
    assert prints.outputs[0].text == "42\n"
    # What papermill added is gone; the tier that ran stands where a reader looks, one machine's folder does not.
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3]
    assert parameters.source.startswith('tier = "cpu"  # how much')
    assert str(tmp_path) not in parameters.source
    assert "papermill" not in notebook.metadata


def test_the_book_says_where_and_in_how_many_seconds_a_chapter_was_executed(
    build: Callable[..., int], chapter: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "01_small.ipynb"
    assert "no times" in chapter_tables.execution_table([])
    assert build("execute", chapter, target, "--tier", "smoke") == 0
    row = re.search(
        r"^\| \[\]\(chapters/01_small\) \| smoke \| \d+ \|$", chapter_tables.execution_table([target]), re.MULTILINE
    )
    assert row
    assert re.search(r"PyTorch [\d.]+\S*, 20\d\d-\d\d-\d\d\.$", chapter_tables.execution_table([target]), re.MULTILINE)


def test_a_chapter_that_opens_without_a_question_is_named(chapter: Path) -> None:
    notebook = chapter.with_suffix(".ipynb")
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A chapter")]), notebook)
    with pytest.raises(ValueError, match=r"01_small\.ipynb: its first cell asks no question"):
        chapter_tables.chapter_map([notebook])


def test_a_cell_that_fails_is_named_and_its_notebook_kept_aside(
    build: Callable[..., int], chapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chapter.write_text(CHAPTER.replace("6 * 7", "6 / 0"))
    target = tmp_path / "out" / "01_small.ipynb"
    assert build("execute", chapter, target, "--tier", "smoke") == 1
    message = capsys.readouterr().err
    assert "01_small failed" in message
    assert "ZeroDivisionError" in message
    assert not target.exists()
    assert (target.parent / "failed" / target.name).exists()


@pytest.mark.slow
def test_sync_executes_what_changed_and_gives_the_same_bytes_twice(
    build: Callable[..., int], chapter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = chapter.with_suffix(".ipynb")
    assert build("sync", chapter) == 0
    first = made.read_bytes()
    assert build("sync", chapter) == 0
    assert "up to date" in capsys.readouterr().out
    assert build("sync", "--force", chapter) == 0
    assert made.read_bytes() == first
    chapter.write_text(CHAPTER.replace("6 * 7", "6 * 8"))
    assert build("sync", chapter) == 0
    assert "up to date" not in capsys.readouterr().out
    assert "48" in made.read_text()
    writing = f"__import__('pathlib').Path('{chapter}').write_text('# mine')"
    chapter.write_text(CHAPTER.replace("print(6 * 7)", writing))
    assert build("sync", chapter) == 0
    assert "what you wrote is kept" in capsys.readouterr().out
    assert chapter.read_text() == "# mine"


@pytest.mark.parametrize("folder", ["my data", """a,b 'c' ("d")"""])
@pytest.mark.parametrize("name", ["DATA", "RESNET_BOOK_DATA"])
def test_make_understands_a_relative_folder_of_data_with_any_name(tmp_path: Path, name: str, folder: str) -> None:
    outer = tmp_path / "Makefile"
    outer.write_text(f'include {ROOT}/Makefile\ntry:\n\t@+$(MAKE) -s -f {outer} again\nagain:\n\t@echo "$${name}"\n')
    done = subprocess.run(
        ["make", "-s", "-f", outer, "try", f"{name}={folder}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == f"{tmp_path}/{folder}\n", done.stderr


@pytest.mark.parametrize("command", ["book", "lab", "gpu"])
def test_make_refuses_a_folder_of_data_that_is_not_there_before_the_work(command: str, tmp_path: Path) -> None:
    words = ["make", "-C", ROOT, command, f"DATA={tmp_path / 'typo'}", "INSTALLED="]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"DATA={tmp_path / 'typo'}: there is no such folder.\n")


def test_a_folder_with_other_things_is_not_taken_for_the_notebooks(
    build: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("notebooks", "thesis.tex"):
        (tmp_path / name).touch()
    assert build("outside", tmp_path) == 1
    assert f"{tmp_path} is there and holds other things" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").exists()
