"""The words of the command line: what the user typed enters; checked options leave.

A wrong word ends the program with status 2 and a message. What only this machine can tell, whether it has a GPU or a
folder that can be written, is checked when the command runs. Torch is imported where it is needed alone, so that
``--help`` answers at once.
"""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LONGEST_ROW = 100  # images at each end of a feature's row: what chance gives is counted exactly, which takes k cubed


def parser() -> argparse.ArgumentParser:
    """The parser: its ``command`` is the chosen one's name; ``usage_error`` complains about wrong usage of it."""
    whole = argparse.ArgumentParser(prog="resnet-book", description="Train, record and compare residual networks.")
    commands = whole.add_subparsers(required=True, dest="command", metavar="COMMAND")

    listing = commands.add_parser("list", help="show every experiment and which seeds are recorded")

    data = commands.add_parser("data", help="fetch datasets, or check the files that are there")
    data.add_argument(
        "names", nargs="*", type=_dataset, default=["cifar10"], metavar="DATASET", help="cifar10 (default), cifar100"
    )
    data.add_argument("--check", action="store_true", help="only check the files; fetch nothing")

    run = commands.add_parser("run", help="train experiments and record what they measured")
    _add_run(run)

    table = commands.add_parser("table", help="show recorded results beside the published ones")
    table.add_argument("--markdown", action="store_true", help="as Markdown, as the README shows it")
    table.add_argument("--records", action="store_true", help="a row a record, with its origin, as Markdown")
    table.add_argument("--into", type=Path, metavar="FILE", help="put the Markdown between FILE's marks")

    curves = commands.add_parser("curves", help="write the recorded curves as CSV, a row an epoch")
    curves.add_argument("names", nargs="*", metavar="NAME", help="an experiment, as `list` names it (default: all)")
    curves.add_argument("--out", type=Path, metavar="FILE", help="write to FILE (default: standard output)")
    curves.set_defaults(usage_error=curves.error)

    features = commands.add_parser(
        "features", help="show which test images each feature of a recorded network ranks first"
    )
    features.add_argument("name", metavar="NAME", help="a recorded experiment, as `list` names it")
    features.add_argument("--seed", type=_whole_number, default=0, help="of the recorded run (default 0)")
    features.add_argument(
        "--k",
        type=_row_length,
        default=10,
        metavar="K",
        help=f"images at each end of a row, up to {LONGEST_ROW} (default 10)",
    )
    features.add_argument("--out", type=_picture, metavar="FILE", help="draw the rows of all features into a PNG file")
    features.add_argument("--record", action="store_true", help="write the study beside the record, from the weights")
    features.set_defaults(usage_error=features.error)

    for command in (run, features):
        command.add_argument(
            "--device",
            type=_device_name,
            default="auto",
            help="cpu, cuda, cuda:1, ... (default auto: a GPU where there is one)",
        )
    for command in (data, run, features):
        command.add_argument(
            "--data", metavar="DIR", help="folder of the datasets (default: $RESNET_BOOK_DATA, else ./data)"
        )
    for command in (listing, run, table, curves, features):
        command.add_argument(
            "--results",
            type=Path if command is run else _folder,  # run makes it; the others read what is there
            default=Path("results"),
            metavar="DIR",
            help="folder of the records (default results)",
        )
    return whole


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument("names", nargs="*", metavar="NAME", help="an experiment, as `list` names it")
    run.add_argument("--seed", type=_whole_number, help="seed of initialisation, order and augmentation (default 0)")
    run.add_argument("--precision", choices=("float32", "bfloat16"), help="default: bfloat16 on a GPU that has it")
    run.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="train through torch.compile, or not (default: where it is worth it)",
    )
    run.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of checkpoints and logs (default runs)"
    )
    run.add_argument("--tensorboard", action="store_true", help="write TensorBoard logs beside the checkpoint")
    run.add_argument("--quiet", action="store_true", help="show no progress")
    run.add_argument("--report", type=Path, metavar="FILE", help="keep progress in FILE; stop when the caller ends")
    queued = run.add_argument_group("the queue", "Any of these trains each run in a process of its own.")
    queued.add_argument(
        "--missing",
        action="store_true",
        help="all runs without a record, most important first; NAMEs, which may be patterns (*-short), restrict it",
    )
    queued.add_argument("--jobs", type=_positive, metavar="N", help="runs at a time (default 1)")
    queued.add_argument("--budget", type=_budget, metavar="TIME", help="save and stop after 90s, 25m, 2h, 1h30m")
    queued.add_argument("--seeds", type=_positive, metavar="N", help="seeds 0 to N-1 (default with --missing: 3)")
    run.set_defaults(usage_error=run.error)


def _dataset(text: str) -> str:
    from resnet_book import data

    if text not in data.FORMATS:
        raise argparse.ArgumentTypeError(f"dataset {text!r} cannot be fetched: choose from {', '.join(data.FORMATS)}")
    return text


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}: name the one that `run --results` wrote to")
    return Path(text)


def _row_length(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_ROW:
        raise argparse.ArgumentTypeError(f"{text!r}: choose a whole number, 1 to {LONGEST_ROW}")
    return int(text)


def _picture(text: str) -> Path:
    if Path(text).suffix.lower() != ".png" or Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: name a file that ends in .png")
    return Path(text)


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: choose a whole number, 0 or above")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: choose a whole number, 1 or above")
    return int(text)


def _budget(text: str) -> float:
    """Seconds of "90s", "25m", "2h" or "1h30m"."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text, re.ASCII)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    if not hours + minutes + seconds:
        raise argparse.ArgumentTypeError(f"{text!r}: write a time as 90s, 25m, 2h or 1h30m")
    return 3600.0 * hours + 60.0 * minutes + seconds


def _device_name(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"device {text!r}: choose auto, cpu, cuda, or one GPU of several as cuda:1")
    return text


def device(options: argparse.Namespace) -> "torch.device":
    """The device that ``--device`` means for this process. Raises ValueError for a GPU that is not there."""
    import torch

    from resnet_book.engine import processes

    auto = "cuda" if torch.cuda.is_available() else "cpu"
    device = processes.local_device(torch.device(auto if options.device == "auto" else options.device))
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        found = "no GPU" if count == 0 else "cuda:0 alone" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        advice = (
            f"Choose one of these, or --device cpu; start {count} processes at most." if count else "Use --device cpu."
        )
        raise ValueError(f"--device {options.device}: {device} is not there, torch sees {found}. {advice}")
    return device


def require_writable(folder: Path, option: str) -> None:
    """Raise ValueError, before anything is trained, for a folder that cannot be made or written to."""
    from resnet_book.experiments import runs

    try:
        runs.require_writable(folder)
    except OSError as error:
        message = f"{option}: the folder {folder} cannot be written ({error.strerror}). Name another one with {option}."
        raise ValueError(message) from error
