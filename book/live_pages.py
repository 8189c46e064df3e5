"""Put the live network into the book's pages, and keep its megabytes out of the notebooks."""

import shutil
from pathlib import Path

from errors import BuildError
from nbformat import NotebookNode, v4

ROOT = Path(__file__).parent.parent
TAG = "live-network"  # of cells that show it
# Where the live network stands in a page; {root} leads to the top of the book.
PLACE = """<link rel="stylesheet" href="{root}live/live.css">
<div class="live-network" data-source="{root}live/live_data.js" role="group" aria-label="A trained network">
<p>The network loads when it comes into view, and needs JavaScript.
Without it: chapter 8 shows what each cut costs.</p>
</div>
<script src="{root}live/live.js" defer></script>
"""


def write_network(folder: Path) -> None:
    """Write what the pages with the live network load: its script, pictures, and networks of the records.

    Raises BuildError for a damaged record, or file beside one.
    """
    from resnet_book.experiments.checked_json import RecordError
    from resnet_book.report import live_network

    target = folder / "extra" / "live"
    target.mkdir(parents=True)
    for name in ("live.js", "live.css"):
        shutil.copyfile(live_network.ASSETS / name, target / name)
    try:
        twins = live_network.recorded_twins(ROOT / "results")
    except RecordError as error:
        raise BuildError(str(error)) from None
    for name, script in live_network.as_scripts(twins).items():
        (target / name).write_text(script, encoding="utf-8")
    (folder / "live.md").write_text(f"```{{raw}} html\n{PLACE.format(root='')}```\n", encoding="utf-8")


def show_network(notebook: NotebookNode) -> NotebookNode:
    """Let cells tagged ``live-network`` show what the front page shows; changes and returns ``notebook``."""
    for cell in notebook.cells:
        if TAG in cell.metadata.get("tags", []):
            cell.outputs = [v4.new_output("display_data", {"text/html": PLACE.format(root="../")})]
    return notebook


def drop_network(notebook: NotebookNode) -> NotebookNode:
    """Drop the networks, megabytes, from what cells tagged ``live-network`` show; changes and returns ``notebook``."""
    for cell in notebook.cells:
        if TAG in cell.metadata.get("tags", []):
            for output in cell.outputs:
                output.get("data", {}).pop("text/html", None)
    return notebook
