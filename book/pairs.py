"""Make a chapter's notebook from its source, executed, and see whether it is up to date.

A chapter is a pair: ``notebooks/NN_name.py`` is the source, a percent script; ``NN_name.ipynb`` beside it is executed.
"""

import hashlib
import os
import re
import sys
import time
from pathlib import Path

import chapter_tables
import jupytext
import live_pages
import nbformat
import papermill
from errors import BuildError
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

ROOT = Path(__file__).parent.parent


def read_source(source: Path) -> nbformat.NotebookNode:
    """Read a chapter's percent script as a notebook without outputs; cell ids follow from the cells' text."""
    notebook = jupytext.read(source)
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    text = jupytext.writes(notebook, fmt="ipynb")
    return nbformat.reads(text, as_version=4)


def execute(source: Path, target: Path, tier: str, data: str) -> None:
    """Execute the chapter ``source`` at ``tier`` from the repository root; ``target`` appears only when it is whole.

    Raises BuildError if a cell fails, and keeps the notebook up to that cell under ``failed/`` beside ``target``.
    """
    prepared, failed = target.parent / "prepared" / target.name, target.parent / "failed" / target.name
    for path in (prepared, failed):
        path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(read_source(source), prepared)
    parameters = {"tier": tier, **({"data_root": os.path.abspath(data)} if data else {})}
    began = time.monotonic()
    try:
        papermill.execute_notebook(
            str(prepared), str(failed), parameters, cwd=str(ROOT), progress_bar=sys.stderr.isatty()
        )
    except (PapermillExecutionError, DeadKernelError) as error:
        raise BuildError(
            f"{source.stem} failed.\n{error}\nThe notebook up to the failing cell is {failed.resolve()}."
        ) from None
    notebook = nbformat.read(failed, as_version=4)
    seconds = time.monotonic() - began
    part = target.with_suffix(".part")
    folded = live_pages.drop_network(fold_parameters(notebook))
    folded.metadata["execution"] = chapter_tables.execution(tier, seconds)
    nbformat.write(folded, part)
    part.replace(target)
    failed.unlink()
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    print(f"{source.stem}: {cells} cells in {seconds:.0f} s", flush=True)


def fold_parameters(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Undo what papermill adds, so that the parameters cell shows what was run; changes and returns ``notebook``.

    The injected cell goes, and its tier is put where the parameters cell states one (a folder of data is not: it is
    one machine's). Cells are numbered from 1. Papermill's own metadata, which names paths, goes too.
    """
    injected = [cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    notebook.cells = [cell for cell in notebook.cells if cell not in injected]
    tiers = re.findall(r'^tier = (".*")$', "\n".join(cell.source for cell in injected), re.MULTILINE)
    number = 0
    for cell in notebook.cells:
        if tiers and "parameters" in cell.metadata.get("tags", []):
            cell.source = re.sub(r'^tier = "\w*"', f"tier = {tiers[0]}", cell.source, flags=re.MULTILINE)
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code" and cell.execution_count is not None:
            number += 1
            cell.execution_count = number
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = number
    notebook.metadata.pop("papermill", None)
    return notebook


def sync(sources: list[Path], force: bool = False) -> None:
    """Regenerate the notebook beside each source, executed, unless it is up to date; ``force``: in any case.

    The source is then written as JupyterLab saves it: with jupytext's version, and a cell's metadata in order.
    Raises BuildError if a cell fails; the notebook is then left as it was.
    """
    for source in sources:
        target = source.with_suffix(".ipynb")
        if not force and is_up_to_date(source):
            print(f"{source.stem}: up to date")
            continue
        print(f"{source.stem}: executing", flush=True)
        text = source.read_text(encoding="utf-8")
        fresh = read_source(source)
        _execute_in_place(fresh, source)
        live_pages.drop_network(fresh)
        _write_notebook(fresh, target)
        saved = jupytext.writes(nbformat.read(target, as_version=4), fmt="py:percent")
        if source.read_text(encoding="utf-8") != text:
            print(f"{source.stem}: it was edited meanwhile, and is not up to date; what you wrote is kept")
        elif saved != text:
            part = source.with_suffix(".part")
            part.write_text(saved, encoding="utf-8")
            part.replace(source)


def _execute_in_place(notebook: nbformat.NotebookNode, source: Path) -> None:
    resources = {"metadata": {"path": str(source.parent)}}
    try:
        NotebookClient(notebook, timeout=None, record_timing=False, resources=resources).execute()
    except (CellExecutionError, DeadKernelError) as error:
        raise BuildError(f"{source.stem} failed, and its notebook is left as it was.\n{error}") from None
    notebook.metadata.get("language_info", {}).pop("version", None)  # differs between machines


def is_up_to_date(source: Path) -> bool:
    """Whether the notebook beside ``source`` was executed, and has the same cells."""
    target = source.with_suffix(".ipynb")
    return target.exists() and _is_executed_copy(read_source(source), nbformat.read(target, as_version=4))


def move_outputs(source: Path) -> None:
    """Bring the notebook beside ``source`` up to date when nothing but its first code cell changed."""
    target = source.with_suffix(".ipynb")
    old, fresh = nbformat.read(target, as_version=4), read_source(source)
    outputs: dict[str, list[list]] = {}  # of the cells with this source, in their order
    for cell in old.cells:
        if cell.cell_type == "code":
            outputs.setdefault(cell.source, []).append(cell.outputs)
    number = 0
    for cell in fresh.cells:
        if cell.cell_type == "code":
            number += 1
            cell.execution_count = number
            found = outputs.get(cell.source)
            cell.outputs = found.pop(0) if found else []
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = number
    fresh.metadata = old.metadata
    _write_notebook(fresh, target)


def _write_notebook(notebook: nbformat.NotebookNode, target: Path) -> None:
    for cell in notebook.cells:  # GitHub and nbconvert read the description of a picture beside it, and nowhere else
        if alt := cell.metadata.get("mystnb", {}).get("image", {}).get("alt"):
            for output in cell.get("outputs", []):
                for kind in output.get("data", {}):
                    if kind.startswith("image/"):
                        output.metadata[kind] = {**output.metadata.get(kind, {}), "alt": alt}
    part = target.with_suffix(".part")
    part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    part.replace(target)


def _is_executed_copy(fresh: nbformat.NotebookNode, old: nbformat.NotebookNode) -> bool:
    def essence(notebook: nbformat.NotebookNode) -> list[tuple]:
        return [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]

    executed = all(cell.execution_count is not None for cell in old.cells if cell.cell_type == "code")
    return executed and essence(fresh) == essence(old)
