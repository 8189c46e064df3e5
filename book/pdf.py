"""Print the whole book into one PDF: its single-page form, by Chromium, as ``_static/book.css`` has it for paper."""

import os
import shutil
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NAME = "resnet-book.pdf"
LINK = f"""```{{raw}} html
<p><a href="{NAME}">The whole book as one PDF</a>, to print or to read away from the network.</p>
```
"""
TIMEOUT = 600_000  # milliseconds
SCALE = 0.75  # of what a browser shows: few lines of code, of at most 120 characters, have to be broken
WIDTH = round((210 - 2 * 16) / 25.4 * 96 / SCALE)  # of the text, in a browser's pixels
MARGINS = {"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
FOOT = """<div style="width: 100%; text-align: center; font: 8px sans-serif"><span class="pageNumber"></span></div>"""

# The single page holds the chapters inside the front page, under headings of a lower level. On paper they follow the
# front page, under headings of the first, which makes them the bookmarks. Solutions are open. Links to other files (a
# figure's own, for one) lead nowhere.
PREPARE = """async () => {
  const article = document.querySelector("article");
  for (const chapter of [...document.querySelectorAll(".toctree-wrapper > section")]) {
    const anchor = chapter.previousElementSibling;
    if (anchor?.tagName === "SPAN") chapter.prepend(anchor);
    chapter.classList.add("chapter");
    article.append(chapter);
    const lift = chapter.querySelector("h1, h2, h3, h4, h5, h6").tagName[1] - 1;
    for (const heading of chapter.querySelectorAll("h2, h3, h4, h5, h6")) {
      const raised = document.createElement(`h${heading.tagName[1] - lift}`);
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
# How code and tables begin that the edge of the paper would cut.
CUT = """() => [...document.querySelectorAll("article pre, article table")].filter((each) => {
  const edge = document.querySelector("article").getBoundingClientRect().right;
  return each.scrollWidth > each.clientWidth + 1 || each.getBoundingClientRect().right > edge + 1;
}).map((each) => each.innerText.slice(0, 60))"""


def find_browser() -> str | None:
    """The program of a Chromium: that in $BROWSER_PATH, else an installed one; None where there is none."""
    return os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)


def print_pages(page: Path, target: Path, browser: str) -> None:
    """Print the single ``page`` of the book into the file ``target``, without links to files beside it.

    Raises ValueError for code or a table that is wider than the paper, and for a browser that does not start.
    """
    from playwright.sync_api import Error, PdfMargins, sync_playwright

    with sync_playwright() as playwright:
        try:
            window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page()
        except Error as error:
            raise ValueError(f"{browser} did not start as a Chromium ($BROWSER_PATH names another): {error}") from None
        window.set_default_timeout(TIMEOUT)
        window.emulate_media(media="print", color_scheme="light")
        window.goto(page.as_uri(), wait_until="load")
        window.evaluate(PREPARE)
        window.set_viewport_size({"width": WIDTH, "height": 1200})
        if cut := window.evaluate(CUT):
            raise ValueError(f"code or tables that begin so are wider than the paper, make them narrower: {cut}")
        window.pdf(
            path=target,
            format="A4",
            scale=SCALE,
            margin=PdfMargins(**MARGINS),
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOT,
            print_background=True,
            outline=True,
            tagged=True,
        )
