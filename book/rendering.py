"""Render the book of executed chapters: its pages, and one PDF of them all where there is a Chromium."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import addresses
import chapter_tables
import lighten
import live_pages
import nbformat
import pdf
import plain_text
from errors import BuildError

ROOT = Path(__file__).parent.parent
BOOK = ROOT / "book"


def render(chapters: list[Path], tier: str, with_pdf: bool = False) -> None:
    """Render the book of the executed ``chapters`` into ``book/_build/html``, ``with_pdf`` with a PDF of all of it.

    Raises BuildError on any warning, for what is no address, and for code or a table too wide for paper. Without a
    Chromium there is no PDF, and a line says so.
    """
    try:
        about_addresses = addresses.described(addresses.read(ROOT))
    except addresses.AddressError as error:
        raise BuildError(f"pyproject.toml, [project.urls]: {error}") from None
    browser = pdf.find_browser() if with_pdf else None
    if with_pdf and not browser:
        print(f"book: no PDF, for no Chromium was found ({', '.join(pdf.BROWSERS)})")
    try:
        questions = chapter_tables.chapter_map(chapters)
    except ValueError as error:
        raise BuildError(str(error)) from None
    for folder in ("chapters", "_generated", "_build"):
        shutil.rmtree(BOOK / folder, ignore_errors=True)
    (BOOK / "chapters").mkdir()
    (BOOK / "_generated").mkdir()
    works = plain_text.read_works()
    for chapter in chapters:
        notebook = plain_text.as_myst(live_pages.show_network(nbformat.read(chapter, as_version=4)), works)
        nbformat.write(notebook, BOOK / "chapters" / chapter.name)
    table = subprocess.run(
        [sys.executable, "-m", "resnet_book", "table", "--markdown", "--results", ROOT / "results"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    if table.returncode:
        raise BuildError(f"the table of recorded results could not be made.\n{table.stderr}")
    (BOOK / "_generated" / "chapters.md").write_text(questions, encoding="utf-8")
    times = chapter_tables.execution_table(chapters)
    (BOOK / "_generated" / "execution.md").write_text(times, encoding="utf-8")
    (BOOK / "_generated" / "results.md").write_text(table.stdout, encoding="utf-8")
    _draw_front_page(BOOK / "_generated")
    live_pages.write_network(BOOK / "_generated")
    (BOOK / "_generated" / "pdf.md").write_text(pdf.LINK if browser else "", encoding="utf-8")
    (BOOK / "_generated" / "tier.md").write_text(_about_this_copy(tier), encoding="utf-8")

    print(f"book: {about_addresses}")
    if browser:
        began = time.monotonic()
        _run_sphinx("singlehtml")
        page, target = BOOK / "_build" / "singlehtml" / "intro.html", BOOK / "_generated" / "extra" / pdf.NAME
        try:
            pdf.print_pages(page, target, browser)
        except ValueError as error:
            raise BuildError(f"{pdf.NAME}: {error}") from None
        print(f"book: printed {pdf.NAME} in {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    _run_sphinx("html")
    for chapter in chapters:  # what a page offers for download
        shutil.copyfile(chapter, BOOK / "_build" / "html" / "_sources" / "chapters" / chapter.name)
    saved = lighten.lighten(BOOK / "_build" / "html")
    print(f"book: rendered in {time.monotonic() - began:.0f} s, and made {saved / 1e6:.1f} MB lighter")


def _about_this_copy(tier: str) -> str:
    """Which version and commit the pages are of, where it is known, and the tier of their chapters, in a sentence."""
    from resnet_book import __version__

    # Not the commit of a repository around this folder, and the hash also where there is a tag.
    command = ["git", "--git-dir=.git", "describe", "--always", "--exclude=*", "--dirty=, with changes", "--abbrev=10"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
        commit = f", commit {found.stdout.strip()}"
    except (OSError, subprocess.CalledProcessError):
        commit = ""
    return f"This copy is of version {__version__}{commit}; its chapters ran at tier `{tier}`.\n"


def _run_sphinx(builder: str) -> None:
    """Run Jupyter Book into the folder of that name in ``book/_build``. Raises BuildError on any warning."""
    program = shutil.which("jupyter-book", path=Path(sys.executable).parent) or "jupyter-book"
    command = [program, "build", "-W", "-n", "--keep-going", "-q", "--builder", builder, str(BOOK)]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    log = BOOK / "_build" / "build.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text(result.stdout, encoding="utf-8")
    if result.returncode or not (BOOK / "_build" / builder / "index.html").exists():
        lines = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout).splitlines()
        found = [line for line in lines if re.search("WARNING|ERROR|CRITICAL", line)] or lines[-15:]
        raise BuildError("\n".join(["the book has warnings or errors:", *found, f"The whole log is {log}."]))


def _draw_front_page(folder: Path) -> None:
    """Write the figure that the front page opens with, and what it shows in words, both made from the records."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from resnet_book.experiments import records
    from resnet_book.report import figures, ladder

    figures.use_style()
    corners = ladder.corners(records.load_all(ROOT / "results"))
    figure, axes = plt.subplots(1, 2)
    ladder.plot(corners, *axes)
    figure.savefig(folder / "ladder.png")
    changes = ladder.depth_changes(corners)
    text = "".join(f"- {ladder.in_words(changes, kind)}\n" for kind in figures.KINDS)
    (folder / "ladder.md").write_text(text, encoding="utf-8")
