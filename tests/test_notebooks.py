"""The chapters as committed: pairs that agree, executed, opened and closed as every chapter is."""

import re
from itertools import pairwise
from pathlib import Path

import jupytext
import nbformat
import plain_text
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


def test_every_figure_has_a_description_and_a_number_that_the_prose_uses(source: Path) -> None:
    cells, number = committed(source).cells, 0
    for cell, after in pairwise(cells):
        outputs = [each for each in cell.get("outputs", []) if "data" in each]
        pictures = [each.metadata.get(kind) for each in outputs for kind in each.data if kind.startswith("image/")]
        if not pictures:
            assert not plain_text.CAPTION.fullmatch(after.source), f"a caption below no figure: {after.source}"
            continue
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        assert len(alt) >= 15, cell.source
        assert all(each["alt"] == alt for each in pictures), "run `make sync`"
        number += 1
        caption = plain_text.CAPTION.fullmatch(after.source)
        assert caption, f"no caption in a cell below the figure of {cell.source}"
        assert "\n\n" not in caption[2], f"more than a caption in one cell: {after.source}"
        assert caption[1] == f"{plain_text.prefix(source.stem)}.{number}", "figures are numbered in their order"
        assert caption[1] in figures_named(source), f"the prose does not name figure {caption[1]}"


def test_the_prose_names_only_figures_and_equations_that_there_are(source: Path) -> None:
    text = prose(source)
    captions = [found[1] for cell in committed(source).cells if (found := plain_text.CAPTION.fullmatch(cell.source))]
    tags = [found[2] for found in plain_text.FORMULA.finditer(text)]
    head = plain_text.prefix(source.stem)
    assert tags == [f"{head}.{number}" for number in range(1, len(tags) + 1)], "equations are numbered in their order"
    assert text.count("\\tag") == len(tags), "a \\tag stands at the end of a formula between $$"
    assert set(figures_named(source)) <= set(captions)
    assert {found[2] for found in plain_text.EQUATION.finditer(text)} <= set(tags)


def figures_named(source: Path) -> list[str]:
    """Numbers of the figures that the text names, captions not counted."""
    cells = [cell.source for cell in committed(source).cells if cell.cell_type == "markdown"]
    return plain_text.FIGURE.findall("\n".join(each for each in cells if not plain_text.CAPTION.fullmatch(each)))


def test_the_text_of_a_notebook_reads_well_where_nothing_knows_myst(source: Path) -> None:
    roles, directives, labels, bare_links = (
        r"\{[a-z:-]+\}`",
        r"^ *(?:`{3}|:{3})\{",
        r"^\([\w-]+\)=$|\$\$ *\(eq-",
        r"\[\]\(",
    )
    raw = "|".join((roles, directives, labels, bare_links))
    assert re.findall(raw, prose(source), re.MULTILINE) == [], "CONTRIBUTING.md says what to write instead"


def test_a_work_is_named_by_its_authors_and_year(source: Path) -> None:
    works = {plain_text.address(entry): entry for entry in plain_text.read_entries().values()}
    for before, words, address, after in plain_text.LINK.findall(prose(source)):
        if address in works:
            in_parentheses = bool(before and after)
            assert " ".join(words.split()) == plain_text.in_words(works[address])[in_parentheses]


def test_a_notebook_is_small_enough_to_keep_in_the_repository(source: Path) -> None:
    assert source.with_suffix(".ipynb").stat().st_size < 3_000_000


def test_a_save_by_jupyterlab_leaves_the_pair_as_it_is(source: Path) -> None:
    saved = jupytext.writes(nbformat.read(source.with_suffix(".ipynb"), as_version=4), fmt="py:percent")
    version = re.compile(r"^(#       jupytext_version: ).*$", re.MULTILINE)  # of whoever has another one
    assert version.sub(r"\1", saved) == version.sub(r"\1", source.read_text()), "run `make sync`"
