"""The chapters as committed: pairs that agree, executed, opened and closed as every chapter is."""

import re
from itertools import pairwise
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("[0-9a]*.py"))
pytestmark = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def committed(source: Path) -> NotebookNode:
    """The notebook beside a chapter's source."""
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def code_cells(source: Path) -> list[NotebookNode]:
    return [cell for cell in committed(source).cells if cell.cell_type == "code"]


def prose(source: Path) -> str:
    return "\n\n".join(cell.source for cell in committed(source).cells if cell.cell_type == "markdown")


def test_a_notebook_has_the_cells_and_tags_of_its_source(source: Path) -> None:
    def essence(notebook: NotebookNode) -> list[tuple]:
        return [(cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]

    assert essence(committed(source)) == essence(jupytext.read(source)), "run `make sync`"


def test_every_cell_was_executed_in_order(source: Path) -> None:
    assert [cell.execution_count for cell in code_cells(source)] == list(range(1, len(code_cells(source)) + 1))


def test_no_output_is_an_error_or_a_warning(source: Path) -> None:
    outputs = [output for cell in code_cells(source) for output in cell.outputs]
    assert [each for each in outputs if each.output_type == "error" or each.get("name") == "stderr"] == []


def test_no_output_names_an_address_in_memory_or_a_folder_of_one_machine(source: Path) -> None:
    for cell in code_cells(source):
        text = "\n".join(
            str(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in cell.outputs
        )
        assert not re.search(r" at 0x[0-9a-f]{6}|/home/|/root/|/Users/|/tmp/ipykernel", text), cell.source


def test_the_committed_run_is_the_smoke_tier_with_the_default_data(source: Path) -> None:
    (parameters,) = [cell for cell in code_cells(source) if "parameters" in cell.metadata.get("tags", [])]
    assert re.search(r'^tier = "smoke"', parameters.source, re.MULTILINE)
    assert re.search(r'^data_root = ""', parameters.source, re.MULTILINE)
    assert not any("injected-parameters" in cell.metadata.get("tags", []) for cell in code_cells(source))


def test_a_chapter_opens_with_its_title_what_you_will_learn_and_what_it_needs(source: Path) -> None:
    opening = committed(source).cells[0].source
    assert re.match(r"# \w", opening)
    assert "?" in opening
    _, found, rest = opening.partition("You will learn")
    assert found
    assert re.search(r"needs?\b", rest)


def test_a_chapter_has_one_title_and_headings_in_order(source: Path) -> None:
    text = re.sub(r"```.*?```", "", prose(source), flags=re.DOTALL)
    levels = [len(each) for each in re.findall(r"^(#{1,6}) ", text, re.MULTILINE)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_chapter_closes_with_a_summary_exercises_with_solutions_and_references(source: Path) -> None:
    text = prose(source)
    for heading in ("Summary", "Exercises", "References"):
        assert re.search(rf"^(?:##+ |\*\*){heading}\b", text, re.MULTILINE), heading
    assert re.search(r"<details>\s*<summary>.*?</summary>", text, re.DOTALL)
    assert text.count("<details>") == text.count("</details>")


def test_nothing_is_imported_by_a_star_or_silenced(source: Path) -> None:
    code = "\n".join(cell.source for cell in code_cells(source))
    assert re.findall(r"import \*|filterwarnings|simplefilter|%%capture|2>/dev/null", code) == []


def test_every_figure_has_a_description_a_caption_and_a_name_that_the_prose_uses(source: Path) -> None:
    for cell in code_cells(source):
        if not any("image/png" in output.get("data", {}) for output in cell.outputs):
            continue
        settings = cell.metadata.get("mystnb", {})
        assert len(settings.get("image", {}).get("alt", "")) >= 15, cell.source
        assert settings.get("figure", {}).get("caption"), cell.source
        assert f"{{numref}}`{settings['figure']['name']}`" in prose(source), settings["figure"]["name"]


def test_a_notebook_is_small_enough_to_keep_in_the_repository(source: Path) -> None:
    assert source.with_suffix(".ipynb").stat().st_size < 3_000_000


def test_a_save_by_jupyterlab_leaves_the_pair_as_it_is(source: Path) -> None:
    saved = jupytext.writes(nbformat.read(source.with_suffix(".ipynb"), as_version=4), fmt="py:percent")
    version = re.compile(r"^(#       jupytext_version: ).*$", re.MULTILINE)  # of whoever has another one
    assert version.sub(r"\1", saved) == version.sub(r"\1", source.read_text()), "run `make sync`"
