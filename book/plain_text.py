"""Turn the plain Markdown of the notebooks into what the book renders: numbers, cross-references, citations.

A notebook is read in JupyterLab, on GitHub and in Colab, too, which know no roles of MyST. So its text has none. It
says "Figure 3.2", and below the figure a cell that begins with "**Figure 3.2.**" is the caption; a formula ends in
``\\tag{3.1}``, and the text says "equation (3.1)"; a work is a link to it, "[He et al. (2015a)](https://...)". Here
they become what MyST has for them, just before the pages are made.
"""

import re
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from pybtex.database import parse_file

BIBLIOGRAPHY = Path(__file__).parent / "references.bib"
NUMBER = r"([A-Z]?\d+\.\d+)"  # "3.2" in a chapter, "A4.2" in an appendix
CAPTION = re.compile(rf"\*\*Figure {NUMBER}\.\*\*\s+(.*)", re.DOTALL)  # a whole cell
FIGURE = re.compile(rf"\bFigure\s+{NUMBER}\b")
FORMULA = re.compile(rf"\$\$((?:(?!\$\$).)*?)\s*\\tag\{{{NUMBER}\}}(\s*)\$\$", re.DOTALL)
EQUATION = re.compile(rf"\b([Ee]quation\s+)\({NUMBER}\)")
LINK = re.compile(r"(\(?)\[([^\[\]]+)\]\((https://[^()\s]+)\)(\)?)")
ASIDE = re.compile(r"^> \*\*(.+)\*\*\n>\n((?:>.*(?:\n|\Z))+)", re.MULTILINE)
PAGE = re.compile(r"\[([^\[\]]*)\]\(\.\./book/(\w+)\.md\)")


def as_myst(notebook: NotebookNode, works: dict[str, str]) -> NotebookNode:
    """Give figures their captions, and text its references; changes and returns ``notebook``.

    ``works`` are the keys of the bibliography by address, as ``read_works`` has them.
    """
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            caption = CAPTION.fullmatch(cell.source)
            if caption and cells:
                text = " ".join(_with_references(caption[2], works).split())
                figure = {"caption": text, "name": _name("fig", caption[1])}
                cells[-1].metadata.setdefault("mystnb", {})["figure"] = figure
                continue
            cell.source = _with_references(cell.source, works)
        cells.append(cell)
    notebook.cells = cells
    return notebook


def _with_references(text: str, works: dict[str, str]) -> str:
    def citation(link: re.Match[str]) -> str:
        if link[3] not in works:
            return link[0]
        if link[1] and link[4]:
            return f"{{cite}}`{works[link[3]]}`"
        return f"{link[1]}{{cite:t}}`{works[link[3]]}`{link[4]}"

    def aside(quote: re.Match[str]) -> str:
        body = re.sub(r"^> ?", "", quote[2], flags=re.MULTILINE).rstrip()
        return f"```{{admonition}} {quote[1]}\n:class: tip\n\n{body}\n```\n"

    text = FORMULA.sub(lambda found: f"$${found[1]}{found[3]}$$ ({_name('eq', found[2])})", text)
    text = EQUATION.sub(lambda found: f"{found[1]}{{eq}}`{_name('eq', found[2])}`", text)
    text = FIGURE.sub(lambda found: f"{{numref}}`{_name('fig', found[1])}`", text)
    return ASIDE.sub(aside, PAGE.sub(r"[\1](../\2)", LINK.sub(citation, text)))


def _name(kind: str, number: str) -> str:
    return f"{kind}-{number.lower().replace('.', '-')}"


def prefix(stem: str) -> str:
    """What the numbers of a notebook's figures and formulas begin with: "3" in ``03_name``, "A4" in ``a4_name``."""
    return stem.split("_")[0].lstrip("0").upper()


def read_works() -> dict[str, str]:
    """The keys of the bibliography's entries, by the address where each can be read."""
    return {address(entry): key for key, entry in read_entries().items()}


def read_entries() -> dict[str, Any]:
    """The entries of the bibliography, by their keys."""
    return dict(parse_file(str(BIBLIOGRAPHY)).entries)  # pyright: ignore[reportArgumentType, reportCallIssue]


def address(entry: Any) -> str:
    """Where an entry of the bibliography can be read: on arXiv if it is there. Raises KeyError if it has no address."""
    if found := re.match(r"arXiv:([\d.]+\d)", entry.fields.get("note", "")):
        return f"https://arxiv.org/abs/{found[1]}"
    if "url" in entry.fields:
        return entry.fields["url"]
    if "howpublished" in entry.fields:
        return "https://" + entry.fields["howpublished"].replace("\\_", "_")
    return f"https://doi.org/{entry.fields['doi']}"


def in_words(entry: Any) -> tuple[str, str]:
    """Author and year of a work as the pages show them, in a sentence and in parentheses."""
    names = [" ".join([*person.prelast_names, *person.last_names]).strip("{}") for person in entry.persons["author"]]
    authors = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    return f"{authors} ({entry.fields['year']})", f"{authors}, {entry.fields['year']}"
