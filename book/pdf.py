"""Print the whole book into one PDF: its single-page form, by Chromium, as ``_static/book.css`` has it for paper."""

import shutil
from pathlib import Path

from playwright.sync_api import PdfMargins, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NAME = "resnet-book.pdf"
LINK = f"""```{{raw}} html
<p><a href="{NAME}">The whole book as one PDF</a>, to print or to read away from the network.</p>
```
"""
TIMEOUT = 600_000  # milliseconds
SCALE = 0.75  # of the type in a browser; so that a line of code of 120 characters nearly fits
MARGINS: PdfMargins = {"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
FOOT = """<div style="width: 100%; text-align: center; font: 8px sans-serif"><span class="pageNumber"></span></div>"""

# The single page holds the chapters inside a section of the front page, under headings of the third level. On paper
# they follow the front page, under headings of the first, which makes them the bookmarks. Solutions are open. Links to
# other files (a figure's own, for one) lead nowhere.
PREPARE = """async () => {
  const article = document.querySelector("article");
  for (const chapter of [...document.querySelectorAll(".toctree-wrapper > section")]) {
    const anchor = chapter.previousElementSibling;
    if (anchor?.tagName === "SPAN") chapter.prepend(anchor);
    chapter.classList.add("chapter");
    article.append(chapter);
    for (const heading of chapter.querySelectorAll("h3, h4, h5, h6")) {
      const raised = document.createElement(`h${heading.tagName[1] - 2}`);
      raised.append(...heading.childNodes);
      heading.replaceWith(raised);
    }
  }
  for (const each of document.querySelectorAll("details")) each.open = true;
  for (const link of document.querySelectorAll("a[href]:not([href^='#'])")) {
    const page = location.href.split("#")[0];
    if (link.href.startsWith("file:") && link.href.split("#")[0] !== page) link.replaceWith(...link.childNodes);
  }
  for (const each of document.querySelectorAll("img")) each.loading = "eager";
  await Promise.all([...document.images].map((each) => each.decode().catch(() => null)));
  await window.MathJax?.startup?.promise;
}"""


def find_browser() -> str | None:
    """The program of a Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def print_pages(page: Path, target: Path, browser: str) -> None:
    """Print the single ``page`` of the book into the file ``target``."""
    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page()
        window.set_default_timeout(TIMEOUT)
        window.emulate_media(media="print", color_scheme="light")
        window.goto(page.as_uri(), wait_until="load")
        window.evaluate(PREPARE)
        window.pdf(
            path=target,
            format="A4",
            scale=SCALE,
            margin=MARGINS,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOT,
            print_background=True,
            outline=True,
            tagged=True,
        )
