"""The plain Markdown of the notebooks, as the book turns it into captions, references and citations."""

import nbformat
import plain_text
import pytest

WORKS = {"https://arxiv.org/abs/1512.03385": "he2015deep"}


@pytest.mark.parametrize(
    ("plain", "myst"),
    [
        ("Figure 3.2 shows it.", "{numref}`fig-3-2` shows it."),
        ("see\nFigure\nA4.1, too", "see\n{numref}`fig-a4-1`, too"),
        ("the paper's figure 6 and Figure 6", "the paper's figure 6 and Figure 6"),
        ("$$ y = x \\tag{1.2} $$", "$$ y = x $$ (eq-1-2)"),
        ("$$\ny = x . \\tag{A6.1}\n$$\n\n$$ z $$", "$$\ny = x .\n$$ (eq-a6-1)\n\n$$ z $$"),
        ("Equation (1.2) and (1.2)", "Equation {eq}`eq-1-2` and (1.2)"),
        ("As [He et al. (2015a)](https://arxiv.org/abs/1512.03385) say", "As {cite:t}`he2015deep` say"),
        ("nets ([He et\nal., 2015a](https://arxiv.org/abs/1512.03385)).", "nets {cite}`he2015deep`."),
        ("(as [He et al. (2015a)](https://arxiv.org/abs/1512.03385) say)", "(as {cite:t}`he2015deep` say)"),
        ("([another](https://example.org/page))", "([another](https://example.org/page))"),
        ("> **Predict**\n>\n> Up?\n> Down?\n\nYes.", "```{admonition} Predict\n:class: tip\n\nUp?\nDown?\n```\n\nYes."),
        ("> **Predict**\n>\n> Up?", "```{admonition} Predict\n:class: tip\n\nUp?\n```\n"),
        ("[Again](../book/reproduce.md)", "[Again](../reproduce)"),
    ],
)
def test_plain_text_becomes_what_myst_has_for_it(plain: str, myst: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(plain)])
    assert plain_text.as_myst(notebook, WORKS).cells[0].source == myst


def test_a_caption_goes_to_the_figure_above_it() -> None:
    figure = nbformat.v4.new_code_cell("plot()", metadata={"mystnb": {"image": {"alt": "A line."}}})
    caption = nbformat.v4.new_markdown_cell("**Figure 3.2.** A *line*,\nas in Figure 3.1.")
    (left,) = plain_text.as_myst(nbformat.v4.new_notebook(cells=[figure, caption]), WORKS).cells
    named = {"caption": "A *line*, as in {numref}`fig-3-1`.", "name": "fig-3-2"}
    assert left.metadata["mystnb"] == {"image": {"alt": "A line."}, "figure": named}


def test_every_work_has_an_address_of_its_own() -> None:
    entries = plain_text.read_entries()
    assert len(plain_text.read_works()) == len(entries)
    assert len({plain_text.in_words(entry) for entry in entries.values()}) == len(entries), (
        "years with letters tell apart"
    )
