"""Understand the words that click does not know: names of experiments, devices, times, pictures; find the records.

A wrong word ends the program with status 2 and a message. What only this machine can tell, whether it has a GPU or a
folder that can be written, is checked when the command runs. Torch is imported where it is needed alone, so that
``--help`` answers at once.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

Command = TypeVar("Command", bound=Callable[..., object])  # what an option is put on
SEED = click.IntRange(0)  # how large one may be, the run knows
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class ExperimentName(click.ParamType):
    """The name of an experiment; where ``patterns`` are allowed, "*-short" passes too."""

    name = "NAME"

    def __init__(self, patterns: bool = False) -> None:
        self.patterns = patterns

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``value``, if there is such an experiment."""
        from resnet_book.experiments import catalogue

        try:
            if not (self.patterns and set(value) & set("*?[")):
                catalogue.get(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The experiments whose names begin so."""
        from resnet_book.experiments import catalogue

        return [CompletionItem(name) for name in catalogue.EXPERIMENTS if name.startswith(incomplete)]


NAME = ExperimentName()


def budget(text: str) -> float:
    """Seconds of "90s", "25m", "2h" or "1h30m"."""
    match = re.fullmatch(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", text, re.ASCII)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    if not hours + minutes + seconds:
        raise click.BadParameter(f"{text!r}: write a time as 90s, 25m, 2h or 1h30m")
    return 3600.0 * hours + 60.0 * minutes + seconds


def folder(path: str | Path) -> Path:
    """The path of a folder, there or not. An empty word, as of a shell's variable that is not set, is refused."""
    if path == "":
        raise click.BadParameter("it is empty: name a folder, or leave the option out")
    return Path(path)


def new_file(text: str) -> Path:
    """The path of a file to write, there or not."""
    if not text or Path(text).is_dir():
        raise click.BadParameter(f"{text!r}: name a file")
    return Path(text)


def png_file(text: str) -> Path:
    """The path of a picture to write."""
    if Path(text).suffix.lower() != ".png":
        raise click.BadParameter(f"{text!r}: name a file that ends in .png")
    return new_file(text)


def _device_name(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", text, re.ASCII):
        raise click.BadParameter(f"device {text!r}: choose auto, cpu, cuda, one GPU of several as cuda:1, or mps")
    return text


_DEVICES = "cpu, cuda, cuda:1, ..., mps (default: a CUDA GPU where there is one)"
_DATASETS = "folder of the datasets (default: $RESNET_BOOK_DATA, else data here or in the folder above)"
_RECORDS = "folder of the records (default: results here or in the folder above, else those that came with the book)"
_ENVIRONMENT = {"envvar": "RESNET_BOOK_RESULTS", "show_envvar": True, "metavar": "DIR"}
device_option = click.option("--device", type=_device_name, default="auto", metavar="DEVICE", help=_DEVICES)
data_option = click.option("--data", type=folder, metavar="DIR", help=_DATASETS)
records_option = click.option("--results", type=EXISTING_FOLDER, help=_RECORDS, **_ENVIRONMENT)
_NEW = "folder of the records (default: results here, or in the folder above if there alone are records)"
results_option = click.option("--results", type=folder, help=_NEW, **_ENVIRONMENT)
RUNS = Path("runs")  # where --runs names no folder
recorded_seed_option = click.option("--seed", type=SEED, default=0, help="of the recorded run (default 0)")


def runs_option(what: str, kind: Callable[[str], Path] | click.ParamType = folder) -> Callable[[Command], Command]:
    """The option ``--runs``, None where it is left out."""
    return click.option("--runs", type=kind, metavar="DIR", help=f"{what} (default {RUNS})")


def tell(line: str) -> None:
    """Write a line of progress to standard error."""
    click.echo(line, err=True)


def folder_of_records(results: Path | None) -> Path:
    """``--results``, or the records' usual place; unless it was typed or is ./results, says which folder it is."""
    from resnet_book.experiments import records

    folder = results or records.find_results()
    typed = click.get_current_context().get_parameter_source("results") is ParameterSource.COMMANDLINE
    if not typed and folder.resolve() != Path("results").resolve():
        click.echo(f"The records are those in {folder} (--results names another folder).", err=True)
    return folder


@contextmanager
def folder_to_record_in(results: Path | None) -> Iterator[Path]:
    """``--results``, or the usual place for new records; says so in the end if these are shown in place of others."""
    from resnet_book.experiments import records

    folder, shown = results or records.folder_for_new(), results or records.find_results()
    hides = folder.resolve() != shown.resolve() and records.paths(shown)
    yield folder
    if hides and records.paths(folder):
        others = f"Commands and chapters that start here show them from now on, and no more those in {shown}."
        click.echo(f"There are records in {folder.absolute()} now. {others} --results names another folder.", err=True)


def require_writable(folder: Path, option: str, advice: str = "Name another one") -> None:
    """Make ``folder`` and try to write there. Raises ValueError where that fails: before the work, and not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = f"{option}: the folder {folder} cannot be written ({error.strerror}). {advice} with {option}."
        raise ValueError(message) from error
