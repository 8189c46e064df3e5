"""Give each page of the book its buttons, and its head a description and what a link to it shows elsewhere.

A Sphinx extension. The theme has such buttons too, but supposes that a page's source lies in the repository where it
lies while the book is built. A chapter is edited as ``notebooks/NN_name.py`` and opened as ``notebooks/NN_name.ipynb``.
"""

import re
from html import escape
from pathlib import Path
from typing import Any

import addresses
import plain_text
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).parent.parent
CARD = "_static/card.png"
CARD_ALT = "Two chains of blocks. In the lower one, a shortcut leads around every block."
DESCRIPTION = 200  # characters: about what search engines show


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx; the settings are described in ``_config.yml``."""
    app.add_config_value("book_branch", "main", "html")
    app.add_config_value("book_servers", {}, "html", dict)
    app.connect("config-inited", _set_base)
    app.connect("env-get-updated", _number_appendices, priority=900)  # after the figures were numbered
    app.connect("html-page-context", _add_buttons, priority=502)  # after the theme made its list
    app.connect("html-page-context", _describe)
    app.connect("html-page-context", _mend)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _set_base(app: Sphinx, config: Config) -> None:
    config["html_baseurl"] = addresses.read(ROOT).site


def _number_appendices(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Number figures and formulas of appendix a4 as A4.1, A4.2, ...: Sphinx counts through all appendices."""
    for page, kinds in env.toc_fignumbers.items():
        if page.startswith("chapters/a"):
            for numbers in kinds.values():
                for count, name in enumerate(numbers, start=1):
                    numbers[name] = (plain_text.prefix(Path(page).name), count)  # pyright: ignore[reportArgumentType]
    return []


def _add_buttons(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is None:  # a page without a source, such as the index
        return
    groups = buttons(addresses.read(ROOT), pagename, app.config.book_servers, app.config.book_branch)
    context["header_buttons"][:0] = groups


def buttons(found: addresses.Addresses, page: str, servers: dict[str, str], branch: str) -> list[dict[str, Any]]:
    """The groups of buttons of a page, as the theme's templates take them; none without an address.

    ``page`` is its name in the book; ``servers`` the addresses of Colab, Binder and JupyterHub, by name.
    """
    chapter = page.removeprefix("chapters/") if page.startswith("chapters/") else ""
    launch = []
    if chapter:
        path = f"notebooks/{chapter}.ipynb"
        launch = [
            _link("Colab", found.colab(servers.get("colab", ""), path, branch), "_static/images/logo_colab.png"),
            _link("Binder", found.binder(servers.get("binder", ""), path, branch), "_static/images/logo_binder.svg"),
            _link(
                "JupyterHub",
                found.jupyterhub(servers.get("jupyterhub", ""), path, branch),
                "_static/images/logo_jupyterhub.svg",
            ),
        ]
    source = f"notebooks/{chapter}.py" if chapter else f"book/{page}.md"
    about = [
        _link("Repository", found.repository, "fas fa-code-branch"),
        _link("Edit this page", found.edit(source, branch), "fas fa-pencil-alt"),
        _link("Open an issue", found.issue(f"{page}: "), "fas fa-lightbulb"),
    ]
    return [
        {"type": "group", "label": label, "icon": icon, "tooltip": tooltip, "buttons": kept}
        for label, icon, tooltip, links in (
            ("launch-buttons", "fas fa-rocket", "Run this chapter elsewhere", launch),
            ("source-buttons", "fab fa-git-alt", "The source of this page", about),
        )
        if (kept := [link for link in links if link["url"]])
    ]


def _link(text: str, url: str, icon: str) -> dict[str, str]:
    return {"type": "link", "text": text, "url": escape(url), "icon": icon}


def _describe(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is None:
        return
    site = addresses.read(ROOT).site
    title, text = re.sub("<[^>]+>", "", context["title"]), description(doctree)
    kind = "website" if pagename == app.config.root_doc else "article"
    tags = [
        ("name", "description", text),
        ("property", "og:title", title),
        ("property", "og:description", text),
        ("property", "og:site_name", app.config.html_title),
        ("property", "og:type", kind),
    ]
    if site:  # a card is fetched from outside, so its address has to be whole
        tags += [
            ("property", "og:url", f"{site}{pagename}.html"),
            ("property", "og:image", f"{site}{CARD}"),
            ("property", "og:image:alt", CARD_ALT),
            ("name", "twitter:card", "summary_large_image"),
        ]
    lines = (f'<meta {kind}="{name}" content="{escape(content)}" />' for kind, name, content in tags)
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(lines)


def _mend(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Change what a screen reader would stumble over: roles out of use, headers of tables, code without a name."""
    body = context.get("body", "").replace(' role="doc-biblioentry"', ' role="listitem"')
    body = re.sub(r"<th>\s*</th>", "<td></td>", body)  # the corner of a table that pandas shows
    body = re.sub(r'<table border="1" class="dataframe">.*?</table>', _name_headers, body, flags=re.DOTALL)
    body = FIRST_CELL.sub(r'\1<th class="stub" scope="row">\2</th>', body)
    body = re.sub(r'<div class="cell_input[^"]*"', r'\g<0> role="group" aria-label="code"', body)
    context["body"] = re.sub(r'<div class="output (?!text_html)[^"]*"', r'\g<0> role="group" aria-label="output"', body)


FIRST_CELL = re.compile(r'(<tr class="row-(?:even|odd)">)\s*<td>(.*?)</td>', re.DOTALL)  # of a row of Markdown


def _name_headers(table: re.Match[str]) -> str:
    """Say of each header of a table what it heads: a browser takes one of several rows for one of a column."""
    head, foot, rows = table[0].partition("</thead>")
    return re.sub("<th(?= |>)", '<th scope="col"', head) + foot + re.sub("<th(?= |>)", '<th scope="row"', rows)


def description(page: nodes.document) -> str:
    """The first sentences of a page, as many as fit into some 200 characters."""
    paragraphs = (each for each in page.findall(nodes.paragraph) if isinstance(each.parent, nodes.section))
    text = " ".join(next(paragraphs, nodes.paragraph()).astext().split())
    first, *others = re.split(r"(?<=[.?!]) ", text)
    for sentence in others:
        if len(first) + 1 + len(sentence) > DESCRIPTION:
            break
        first += f" {sentence}"
    return first
