"""Execute the chapters and render the book; the Makefile calls it.

``execute`` runs one chapter with papermill, ``render`` makes the Jupyter Book of executed chapters, ``sync``
regenerates the notebooks of the repository from their sources, ``outside`` puts them where only the wheel is,
``address`` says where the repository is. Exit status: 0 done; 1 failed, and the message says what.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import addresses
import chapter_tables
import jupytext
import lighten
import nbformat
import papermill
import pdf
import plain_text
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

ROOT = Path(__file__).parent.parent
BOOK = ROOT / "book"
KERNEL_SETTINGS = {  # kernels that say nothing of their own, whatever the user's own IPython is told to do
    "IPYTHONDIR": str(ROOT / "build" / "ipython"),
    "JUPYTER_PLATFORM_DIRS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",  # on Windows, too
}

# Where the live network stands in a page; {root} leads to the top of the book.
LIVE = """<link rel="stylesheet" href="{root}live/live.css">
<div class="live-network" data-source="{root}live/live_data.js" role="group" aria-label="A trained network">
<p>The network loads when it comes into view, and needs JavaScript.
Without it: chapter 8 shows what each cut costs.</p>
</div>
<script src="{root}live/live.js" defer></script>
"""
OUTSIDE = {"notebooks", "installed"}  # what ``outside`` makes
LIVE_TAG = "live-network"  # of cells that show it


class BuildError(RuntimeError):
    """A step failed; the message says which, why and where to look."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(description="Execute the chapters and render the book.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("execute", help="execute one chapter")
    command.add_argument("source", type=Path, help="notebooks/NN_name.py")
    command.add_argument("target", type=Path, help="where to put the executed notebook")
    command.add_argument("--tier", required=True, help="smoke, cpu or paper")
    command.add_argument("--data", default="", help="folder of the datasets")
    command.set_defaults(run=lambda options: execute(options.source, options.target, options.tier, options.data))

    command = commands.add_parser("render", help="render the book of executed chapters")
    command.add_argument("chapters", type=Path, nargs="+", help="executed notebooks")
    command.add_argument("--tier", required=True)
    command.add_argument("--pdf", action="store_true", help="also one PDF of the whole book, where there is a Chromium")
    command.set_defaults(run=lambda options: render(options.chapters, options.tier, options.pdf))

    command = commands.add_parser("sync", help="regenerate notebooks from their sources, executed")
    command.add_argument("sources", type=Path, nargs="+", help="notebooks/NN_name.py")
    command.add_argument("--force", action="store_true", help="also those that are up to date")
    command.set_defaults(run=lambda options: sync(options.sources, options.force))

    command = commands.add_parser("outside", help="put the notebooks where of the project only the wheel is")
    command.add_argument("folder", type=Path, help="a new folder; notebooks/ and installed/ will be in it")
    command.set_defaults(run=lambda options: outside(options.folder))

    command = commands.add_parser("address", help="set the repository's address, and put it where it has to stand")
    command.add_argument("repository", nargs="?", help="https://github.com/owner/name; left out: as it is set")
    command.add_argument("site", nargs="?", help="where the book is published; left out: as GitHub and GitLab do it")
    command.set_defaults(run=lambda options: address(ROOT, options.repository, options.site))

    options = parser.parse_args(arguments)
    os.environ.update(KERNEL_SETTINGS)
    profile = Path(KERNEL_SETTINGS["IPYTHONDIR"]) / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text('get_config().IPKernelApp.log_level = "ERROR"\n')
    try:
        options.run(options)
    except BuildError as error:
        print(f"\nError: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 1
    return 0


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
    folded = _without_live_network(fold_parameters(notebook))
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
        notebook = plain_text.as_myst(_with_live_network(nbformat.read(chapter, as_version=4)), works)
        nbformat.write(notebook, BOOK / "chapters" / chapter.name)
    table = subprocess.run(
        [sys.executable, "-m", "resnet_book", "table", "--markdown", "--results", ROOT / "results"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    if table.returncode:
        raise BuildError("the table of recorded results could not be made; the message is above.")
    (BOOK / "_generated" / "chapters.md").write_text(questions, encoding="utf-8")
    times = chapter_tables.execution_table(chapters)
    (BOOK / "_generated" / "execution.md").write_text(times, encoding="utf-8")
    (BOOK / "_generated" / "results.md").write_text(table.stdout, encoding="utf-8")
    _draw_front_page(BOOK / "_generated")
    _write_live_network(BOOK / "_generated")
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
    print("book: rendering the pages", flush=True)
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


def _write_live_network(folder: Path) -> None:
    """Write what the pages with the live network load: its script, pictures, and networks of the records."""
    from resnet_book.report import live_network

    target = folder / "extra" / "live"
    target.mkdir(parents=True)
    for name in ("live.js", "live.css"):
        shutil.copyfile(live_network.ASSETS / name, target / name)
    for name, script in live_network.as_scripts(live_network.recorded_twins(ROOT / "results")).items():
        (target / name).write_text(script, encoding="utf-8")
    (folder / "live.md").write_text(f"```{{raw}} html\n{LIVE.format(root='')}```\n", encoding="utf-8")


def _with_live_network(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Let cells tagged ``live-network`` show what the front page shows; changes and returns ``notebook``."""
    for cell in notebook.cells:
        if LIVE_TAG in cell.metadata.get("tags", []):
            cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": LIVE.format(root="../")})]
    return notebook


def _without_live_network(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop the networks, megabytes, from what cells tagged ``live-network`` show; changes and returns ``notebook``."""
    for cell in notebook.cells:
        if LIVE_TAG in cell.metadata.get("tags", []):
            for output in cell.outputs:
                output.get("data", {}).pop("text/html", None)
    return notebook


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


def sync(sources: list[Path], force: bool = False) -> None:
    """Regenerate the notebook beside each source, executed, unless it is up to date; ``force``: in any case.

    The source is then written as JupyterLab saves it: with jupytext's version, and a cell's metadata in order.
    Raises BuildError if a cell fails; the notebook is then left as it was.
    """
    for source in sources:
        target = source.with_suffix(".ipynb")
        if not force and _is_up_to_date(source):
            print(f"{source.stem}: up to date")
            continue
        print(f"{source.stem}: executing", flush=True)
        text = source.read_text(encoding="utf-8")
        fresh = read_source(source)
        _execute_in_place(fresh, source)
        _without_live_network(fresh)
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


def outside(folder: Path) -> None:
    """Copy the notebooks into ``folder``, beside what the wheel installs, as for somebody without the clone.

    What was made there before is made anew. Raises BuildError for a folder that holds anything else, and if there is no
    wheel to be made.
    """
    if folder.exists() and not (folder.is_dir() and {each.name for each in folder.iterdir()} <= OUTSIDE):
        raise BuildError(f"{folder} is there and holds other things, which would be lost: name a new folder.")
    for old in (folder, ROOT / "build" / "lib"):  # setuptools would put modules that are gone into the wheel
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("*.py", ".*", "__*"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--target", str(folder / "installed"), str(ROOT)]
    if subprocess.run(command).returncode:
        raise BuildError("the wheel could not be made; the message is above.")


def address(root: Path, repository: str | None, site: str | None) -> None:
    """Set the addresses of the project in the folder ``root``, and put them into each chapter's first cell.

    Without ``repository``, those that are set are put there again, as into a new chapter. A notebook that was up to
    date stays executed: where the package is, that cell does nothing. Raises BuildError for what is no address.
    """
    try:
        found = addresses.read(root)
        if repository is not None:
            found = addresses.Addresses(repository)
            found = addresses.Addresses(found.repository, found.published if site is None else site)
        sources = sorted((root / "notebooks").glob("[0-9a]*.py"))
        current = [each for each in sources if _is_up_to_date(each)]
        changed = addresses.write(root, found)
    except addresses.AddressError as error:
        raise BuildError(str(error)) from None
    for source in current:
        _move_outputs(source)
    print(f"{addresses.described(found)}. Files changed: {', '.join(each.name for each in changed) or 'none'}.")


def _move_outputs(source: Path) -> None:
    """Bring the notebook beside ``source`` up to date when nothing but its first code cell changed."""
    target = source.with_suffix(".ipynb")
    old, fresh = nbformat.read(target, as_version=4), read_source(source)
    outputs = {cell.id: cell.outputs for cell in old.cells if cell.cell_type == "code"}
    number = 0
    for cell in fresh.cells:
        if cell.cell_type == "code":
            number += 1
            cell.execution_count = number
            cell.outputs = outputs.get(cell.id, [])
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


def _is_up_to_date(source: Path) -> bool:
    target = source.with_suffix(".ipynb")
    return target.exists() and _is_executed_copy(read_source(source), nbformat.read(target, as_version=4))


def _is_executed_copy(fresh: nbformat.NotebookNode, old: nbformat.NotebookNode) -> bool:
    def essence(notebook: nbformat.NotebookNode) -> list[tuple]:
        return [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]

    executed = all(cell.execution_count is not None for cell in old.cells if cell.cell_type == "code")
    return executed and essence(fresh) == essence(old)


if __name__ == "__main__":
    sys.exit(main())
