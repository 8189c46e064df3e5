"""Execute the chapters and render the book; the Makefile calls it.

``execute`` runs one chapter with papermill, ``render`` makes the Jupyter Book of executed chapters, ``sync``
regenerates the notebooks of the repository from their sources, ``outside`` puts them where only the wheel is,
``address`` says where the repository is. Exit status: 0 done; 1 failed, and the message says what.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import addresses
import pairs
import rendering
from errors import BuildError

ROOT = Path(__file__).parent.parent
KERNEL_SETTINGS = {  # kernels that say nothing of their own, whatever the user's own IPython is told to do
    "IPYTHONDIR": str(ROOT / "build" / "ipython"),
    "JUPYTER_PLATFORM_DIRS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",  # on Windows, too
}
OUTSIDE = {"notebooks", "installed"}  # what ``outside`` makes


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(description="Execute the chapters and render the book.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("execute", help="execute one chapter")
    command.add_argument("source", type=Path, help="notebooks/NN_name.py")
    command.add_argument("target", type=Path, help="where to put the executed notebook")
    command.add_argument("--tier", required=True, help="smoke, cpu or paper")
    command.add_argument("--data", default="", help="folder of the datasets")
    command.set_defaults(run=lambda options: pairs.execute(options.source, options.target, options.tier, options.data))

    command = commands.add_parser("render", help="render the book of executed chapters")
    command.add_argument("chapters", type=Path, nargs="+", help="executed notebooks")
    command.add_argument("--tier", required=True)
    command.add_argument("--pdf", action="store_true", help="also one PDF of the whole book, where there is a Chromium")
    command.set_defaults(run=lambda options: rendering.render(options.chapters, options.tier, options.pdf))

    command = commands.add_parser("sync", help="regenerate notebooks from their sources, executed")
    command.add_argument("sources", type=Path, nargs="+", help="notebooks/NN_name.py")
    command.add_argument("--force", action="store_true", help="also those that are up to date")
    command.set_defaults(run=lambda options: pairs.sync(options.sources, options.force))

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
    date stays executed: where the package is, that cell installs nothing. Raises BuildError for what is no address.
    """
    try:
        found = addresses.read(root)
        if repository is not None:
            found = addresses.Addresses(repository)
            found = addresses.Addresses(found.repository, found.published if site is None else site)
        sources = sorted((root / "notebooks").glob("[0-9a]*.py"))
        current = [each for each in sources if pairs.is_up_to_date(each)]
        changed = addresses.write(root, found)
    except addresses.AddressError as error:
        raise BuildError(str(error)) from None
    for source in current:
        pairs.move_outputs(source)
    print(f"{addresses.described(found)}. Files changed: {', '.join(each.name for each in changed) or 'none'}.")


if __name__ == "__main__":
    sys.exit(main())
