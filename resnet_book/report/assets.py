"""Read the scripts and styles that lie beside the modules of the report, for what a reader can play with in a page."""

from pathlib import Path


def script_and_style(name: str) -> tuple[str, str]:
    """The JavaScript and the CSS of "crop", "surfaces" or "live/live"."""
    folder = Path(__file__).parent
    script, style = ((folder / f"{name}.{end}").read_text(encoding="utf-8") for end in ("js", "css"))
    return script, style
