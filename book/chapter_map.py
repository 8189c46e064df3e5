"""The map of the chapters on the front page: what each one asks, and how long it takes to read."""

import re
from pathlib import Path

import nbformat

WORDS, LINES = 200, 40  # words of prose, and lines of code, that are read in a minute
HEAD = "| | asks | minutes to read |\n| --- | --- | --- |\n"


def chapter_map(chapters: list[Path]) -> str:
    """A Markdown table with a row for each of the executed ``chapters``, linked as from the top of the book.

    Raises ValueError for a chapter that opens without a question in bold.
    """
    rows = [f"| [](chapters/{path.stem}) | {_question(path)} | {_minutes(path)} |\n" for path in chapters]
    return HEAD + "".join(rows)


def _question(path: Path) -> str:
    opening = nbformat.read(path, as_version=4).cells[0].source
    found = re.search(r"\*\*([^*]+\?)\*\*", opening)
    if not found:
        raise ValueError(f"{path.name}: its first cell asks no question in bold, as **Does depth pay?**")
    return " ".join(found[1].split())


def _minutes(path: Path) -> int:
    """To the next five minutes."""
    words = lines = 0
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            lines += len(cell.source.splitlines())
        else:
            words += len(cell.source.split())
    return max(1, round((words / WORDS + lines / LINES) / 5)) * 5
