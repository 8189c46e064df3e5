"""The command line, ``python -m resnet_book`` or ``resnet-book``: what was typed enters, the package does it.

Exit status: 0 done; 1 something went wrong, and the message says what; 2 the command is not one, or names something
that does not exist; 75 another process trains that run; 130 interrupted by Ctrl-C, the queue by SIGTERM too. Results
go to standard output, progress and messages to standard error. Modules that import torch are imported inside the
functions, so that ``--help`` answers at once.
"""

import argparse
import math
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_book.arguments import parser

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    import torch

    from resnet_book import runs


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. Raises SystemExit, as argparse does, for --help and wrong usage."""
    start = argparse.Namespace(began=time.monotonic(), caller=os.getppid())  # before torch, which takes seconds
    options = parser().parse_args(arguments, start)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin slow down what else runs
    try:
        status = COMMANDS[options.command](options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:  # whoever read the output wanted no more of it, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1 if options.command == "run" else 0
    except (ValueError, RuntimeError, OSError) as error:
        print(f"resnet-book: {error}", file=sys.stderr)
        return 1


def _interrupted() -> int:
    print("Interrupted. The same command goes on from what was saved.", file=sys.stderr)
    return 130


def list_experiments(options: argparse.Namespace) -> int:
    """Print a line an experiment: name, recipe, recorded seeds."""
    from resnet_book import experiments, records

    seeds: dict[str, list[int]] = {}
    for record in records.load_all(options.results):
        seeds.setdefault(record.experiment, []).append(record.seed)
    width = max(map(len, experiments.EXPERIMENTS))
    print(f"{'experiment':{width}}  recipe  recorded seeds")
    for name, experiment in experiments.EXPERIMENTS.items():
        recorded = ", ".join(map(str, seeds.get(name, []))) or "-"
        print(f"{name:{width}}  {experiment.recipe_name:6}  {recorded}")
    return 0


def fetch_data(options: argparse.Namespace) -> int:
    """Fetch and check, or only check, the named datasets."""
    from resnet_book import data, download

    for name in options.names:
        if not options.check:
            download.fetch(name, options.data)
        for split in ("train", "test"):
            images = data.load(name, split, options.data)
            print(f"{name} {split}: {len(images):,} images, checksums right")
    return 0


def run_experiments(options: argparse.Namespace) -> int:
    """Train and record the named experiments: here, one after the other, or in the queue."""
    from resnet_book import distributed, experiments, records, runs

    if options.missing or options.jobs or options.budget or options.seeds:
        return _run_queue(options)
    if not options.names:
        options.usage_error("give the NAME of an experiment, or --missing for all that have no record")
    try:
        for name in options.names:
            experiments.get(name)
    except ValueError as error:
        options.usage_error(str(error))
    seed = options.seed or 0
    paths = {name: records.path_of(options.results, name, seed) for name in options.names}
    for name, path in paths.items():
        records.refuse_to_overwrite(path)
        _require_writable(path.parent, "--results")
        _require_writable(runs.folder_of(options.runs, name, seed), "--runs")
    setting = _setting(options)
    first = distributed.rank() == 0
    for name, path in paths.items():
        if first:
            print(f"{name}, seed {seed}, on {distributed.described(setting.device)}", flush=True)
        try:
            record = runs.train_and_record(name, seed, setting, options.report, options.caller)
        except runs.LockedError as error:
            print(f"resnet-book: {error}", file=sys.stderr)
            return runs.EXIT_LOCKED
        if first:
            print(f"{path}: test error {record.test_error:.2f} % after {record.seconds:.0f} s")
    distributed.stop()
    return 0


def _run_queue(options: argparse.Namespace) -> int:
    """Let the queue train what is missing."""
    from resnet_book import queue, queue_view, records

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        options.usage_error("under torchrun, give names alone: the queue starts a process for each run itself")
    if options.seeds and options.seed is not None:
        options.usage_error("argument --seeds: not allowed with argument --seed")
    if options.report:
        options.usage_error("argument --report: for one run only, not for the queue")
    if not (options.names or options.missing):
        options.usage_error("give the NAME of an experiment, or --missing for all that have no record")
    try:
        names = queue.matching(options.names or ["*"])
    except ValueError as error:
        return options.usage_error(str(error))
    setting = _setting(options)
    _require_writable(options.results, "--results")
    _require_writable(options.runs, "--runs")
    if setting.device.type == "cpu" and not options.names:
        names = queue.without_gpu(names)
        print(
            f"On a CPU: only recipes for machines without a GPU ({', '.join(queue.WITHOUT_GPU)}). '*' means all.",
            file=sys.stderr,
        )
    seeds = range(options.seeds or (3 if options.missing else 1)) if options.seed is None else [options.seed]
    wanted = queue.in_order(names, seeds)
    missing = [run for run in wanted if not records.path_of(setting.results, run.name, run.seed).exists()]
    print(f"{len(wanted)} runs, {len(missing)} of them without a record")
    work = queue.Queue(
        missing,
        setting,
        jobs=options.jobs or 1,
        budget=options.budget or math.inf,
        began=options.began,
        quiet=options.quiet,
    )
    status = work.work()
    print(queue_view.summary(work.recorded, work.failed, work.left()))
    return _interrupted() if status == 130 else status


def _require_writable(folder: Path, option: str) -> None:
    """Raise ValueError, before anything is trained, for a folder that cannot be made or written to."""
    from resnet_book import runs

    try:
        runs.require_writable(folder)
    except OSError as error:
        message = f"{option}: the folder {folder} cannot be written ({error.strerror}). Name another one with {option}."
        raise ValueError(message) from error


def _setting(options: argparse.Namespace) -> "runs.Setting":
    """The options of ``run`` that hold for each run. Raises ValueError for a GPU that is not there."""
    from resnet_book import distributed, runs

    device = _device(options)
    distributed.start(device.type)
    return runs.Setting(
        device=device,
        precision=options.precision,
        compiled=options.compile,
        results=options.results,
        runs=options.runs,
        data_root=options.data,
        tensorboard=options.tensorboard,
        progress=not options.quiet,
    )


def _device(options: argparse.Namespace) -> "torch.device":
    """The device that ``--device`` means for this process. Raises ValueError for a GPU that is not there."""
    import torch

    from resnet_book import distributed

    auto = "cuda" if torch.cuda.is_available() else "cpu"
    device = distributed.local_device(torch.device(auto if options.device == "auto" else options.device))
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        found = "no GPU" if count == 0 else "cuda:0 alone" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        advice = (
            f"Choose one of these, or --device cpu; start {count} processes at most." if count else "Use --device cpu."
        )
        raise ValueError(f"--device {options.device}: {device} is not there, torch sees {found}. {advice}")
    return device


def show_table(options: argparse.Namespace) -> int:
    """Print recorded results beside the published ones, or every record, or put that into a file."""
    from resnet_book import records, tables, wide_tables

    recorded = records.load_all(options.results)
    if options.records:
        text = tables.to_markdown(tables.record_table(recorded))
    else:
        parts = [
            ("Networks of 6n+2 layers on CIFAR-10", tables.depth_table(recorded), tables.of_depth_table(recorded)),
            ("Wide networks", wide_tables.wide_table(recorded), wide_tables.of_wide_table(recorded)),
        ]
        lines = list[str]()
        for networks, table, shown in parts:
            body = tables.to_markdown(table) if options.markdown or options.into else table.to_string() + "\n"
            lines += [
                f"{networks}: test error (%), mean ± standard deviation (runs):\n",
                body,
                tables.provenance(shown),
                "",
            ]
        text = "\n".join(lines)
    if options.into:
        _replace_between_marks(options.into, "records" if options.records else "results", text)
    else:
        print(text, end="")
    return 0


def write_curves(options: argparse.Namespace) -> int:
    """Write a row an epoch of the named experiments' records, or of all, as CSV: to a file or to standard output."""
    from resnet_book import experiments, records, tables

    recorded = records.load_all(options.results)
    names = {record.experiment for record in recorded}
    for name in (name for name in options.names if name not in names):
        try:
            experiments.get(name)
        except ValueError as error:
            options.usage_error(str(error))
        raise ValueError(f"{name} has no record in {options.results}: `resnet-book run {name}` makes one.")
    chosen = [record for record in recorded if record.experiment in (options.names or names)]
    frame = tables.curves(chosen)
    if options.out is None:
        print(frame.to_csv(index=False), end="")
        return 0
    content = frame.to_csv(index=False).encode()
    _write_out(options.out, lambda file: file.write(content))
    print(f"{options.out}: {len(frame):,} epochs of {len(chosen)} run{'s' * (len(chosen) != 1)}")
    return 0


def show_features(options: argparse.Namespace) -> int:
    """Say how pure the rows of a recorded network's features are; with ``--out``, draw them all."""
    from resnet_book import data, experiments, feature_picture, recorded_study, records, study

    try:
        experiments.get(options.name)
    except ValueError as error:
        options.usage_error(str(error))
    path = records.path_of(options.results, options.name, options.seed)
    device = _device(options)
    if options.out:
        _require_writable(options.out.parent, "--out")
    if options.record:
        _require_writable(path.parent, "--results")
        made = recorded_study.keep(records.load_record(path), options.results, data_root=options.data, device=device)
        print(f"{made}: the study, without images")
    where = {"results": options.results, "data_root": options.data}
    found = recorded_study.find(options.name, options.seed, k=options.k, **where, device=device)
    if options.out:
        test = data.load(found.dataset, "test", options.data)
        title = f"{options.name}, seed {options.seed}: {len(found.most)} features, the purest rows first"
        picture = feature_picture.draw(found, test, title)
        _write_out(options.out, lambda file: picture.save(file, "PNG"))
        print(f"{options.out}: {picture.width:,} x {picture.height:,} pixels")
    print(study.in_words(found))
    return 0


def _write_out(path: Path, write: "Callable[[BinaryIO], object]") -> None:
    """Put what ``write`` writes at ``path``, whole or not at all. Raises ValueError, with advice, if it cannot be."""
    from resnet_book import checkpoints

    try:
        checkpoints.write_atomically(path, write)
    except OSError as error:
        raise ValueError(f"--out: {path} cannot be written ({error.strerror}). Name another file.") from error


def _replace_between_marks(path: Path, mark: str, text: str) -> None:
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->"
    whole = path.read_text(encoding="utf-8")
    head, found_begin, rest = whole.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{path} has no line {begin.strip()} with a {end} after it")
    path.write_text(head + begin + text + end + tail, encoding="utf-8")


COMMANDS = {
    "list": list_experiments,
    "data": fetch_data,
    "run": run_experiments,
    "table": show_table,
    "curves": write_curves,
    "features": show_features,
}

if __name__ == "__main__":
    sys.exit(main())
