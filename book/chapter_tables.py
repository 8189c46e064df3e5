"""What the book says about its chapters: what each one asks, how long it takes to read, and how long to execute."""

import platform
import re
from datetime import UTC, datetime
from pathlib import Path

import nbformat

WORDS, LINES = 200, 40  # words of prose, and lines of code, that are read in a minute
HEAD = "| chapter | asks | minutes to read |\n| --- | --- | --- |\n"


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
    """Rounded to five minutes, never less than five."""
    words = lines = 0
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            lines += len(cell.source.splitlines())
        else:
            words += len(cell.source.split())
    return max(1, round((words / WORDS + lines / LINES) / 5)) * 5


def execution(tier: str, seconds: float) -> dict[str, str | float]:
    """Where, when and in how many seconds a chapter was executed just now, to be kept in its notebook's metadata."""
    import torch

    from resnet_book.engine.device import find
    from resnet_book.engine.machine import cpu_name

    device = find("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    return {
        "tier": tier,
        "seconds": round(seconds, 1),
        "on": f"{name}, Python {platform.python_version()}, PyTorch {torch.__version__}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def execution_table(chapters: list[Path]) -> str:
    """A Markdown table of what ``execution`` says of the ``chapters``, or a sentence where it says nothing."""
    read = ((path, nbformat.read(path, as_version=4).metadata.get("execution")) for path in chapters)
    known = [(path, found) for path, found in read if found]
    if not known:
        return "This copy was rendered from the notebooks as the repository has them, so there are no times to show.\n"
    rows = [f"| [](chapters/{path.stem}) | {each['tier']} | {each['seconds']:.0f} |\n" for path, each in known]
    where = "; ".join(sorted({f"{each['on']}, {each['date']}" for _, each in known}))
    return f"| chapter | tier | seconds |\n| --- | --- | --- |\n{''.join(rows)}\nExecuted on: {where}.\n"
