"""No result is typed: ``typed_numbers.csv`` says of each fraction and percentage in the prose of the pages whose it is.

Numbers in tables, figures and outputs are computed. In code, in formulas and in addresses a number is no claim.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "notebooks").glob("[0-9a]*.py")), *sorted((ROOT / "book").glob("*.md"))]
NO_CLAIMS = [
    r"```.*?```",
    r"<!-- (\w+): begin.*?<!-- \1: end -->",  # computed tables
    r"\$\$.*?\$\$",
    r"\$[^$]*\$",
    r"`[^`]*`",
    r"(?<=\])\([^)]*\)",  # addresses
    r"(Figures?|[Ee]quation|Python(?: from)?|[Ss]ections?) \(?A?\d+\.\d+\)?((, | and | or | to )A?\d+\.\d+)*",
]


def typed(page: Path) -> Iterator[str]:
    """The fractions and percentages of a page's prose."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".py":
        text = "\n\n".join(
            cell.source for cell in jupytext.reads(text, "py:percent").cells if cell.cell_type == "markdown"
        )
    for pattern in NO_CLAIMS:
        text = re.sub(pattern, " ", text, flags=re.DOTALL)
    for found in re.finditer(r"(?<![\w.])\d[\d,]*\.\d+(?![\d.])|\d[\d.,]*(?= %)", text):
        yield found[0]


def listed() -> dict[tuple[str, str], str]:
    with Path(__file__).with_name("typed_numbers.csv").open(encoding="utf-8", newline="") as file:
        return {(row["page"], row["number"]): row["whose"] for row in csv.DictReader(file)}


def test_every_typed_number_is_listed_with_whose_it_is_and_no_other() -> None:
    found = {(page.stem, number) for page in PAGES for number in typed(page)}
    assert found == set(listed())


def test_whose_a_number_is_is_one_of_few_kinds_and_a_test_that_is_named_exists() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for whose in listed().values():
        kind, _, what = whose.partition(": ")
        assert kind in ("exact", "a setting", "published", "quoted", "ours"), whose
        assert what, whose
        assert all(f"def {name}(" in tests for name in re.findall(r"test_\w+", what)), whose


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It errs on 6.97 %.", ["6.97"]),
        ("Half of the 1,000 are right, 50 %", ["50"]),
        ("Figure 3.2, Figures A4.1 and A4.2, section 4.2, Python 3.11 or 3.12", []),
        ("$0.5$, `0.1`, [a page](https://a.b/1.5), twice", []),
        ("in 2015 it took 0.01 seconds", ["0.01"]),
    ],
)
def test_what_counts_as_typed(text: str, expected: list[str], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert list(typed(page)) == expected
