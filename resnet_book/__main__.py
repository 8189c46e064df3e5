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
    from resnet_book import runs


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. Raises SystemExit, as argparse does, for --help and wrong usage."""
    start = argparse.Namespace(began=time.monotonic(), caller=os.getppid())  # before torch, which takes seconds
    options = parser().parse_args(arguments, start)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin slow down what else runs
    try:
        return COMMANDS[options.command](options)
    except KeyboardInterrupt:
        return _interrupted()
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
    for path in paths.values():
        records.refuse_to_overwrite(path)
        runs.require_writable(path.parent)
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
    from resnet_book import queue, queue_view, records, runs

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
    for folder in (options.results, options.runs):
        runs.require_writable(folder)
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


def _setting(options: argparse.Namespace) -> "runs.Setting":
    """The options of ``run`` that hold for each run. Raises ValueError for a GPU that is not there."""
    import torch

    from resnet_book import distributed, runs

    auto = "cuda" if torch.cuda.is_available() else "cpu"
    device = distributed.local_device(torch.device(auto if options.device == "auto" else options.device))
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"--device {options.device}: torch sees {torch.cuda.device_count()} GPUs. Use one of them, or --device cpu"
        )
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


def show_table(options: argparse.Namespace) -> int:
    """Print recorded results on CIFAR-10 beside the published ones, or every record, or put that into a file."""
    from resnet_book import records, tables

    recorded = records.load_all(options.results)
    if options.records:
        text = tables.to_markdown(tables.record_table(recorded))
    else:
        table = tables.depth_table(recorded)
        body = tables.to_markdown(table) if options.markdown or options.into else table.to_string() + "\n"
        caption = "Test error (%) on CIFAR-10, mean ± standard deviation (runs):"
        shown = [record for record in recorded if record.recipe_name in tables.DEPTH_TABLE_RECIPES]
        text = f"{caption}\n\n{body}\n{tables.provenance(shown)}\n"
    if options.into:
        _replace_between_marks(options.into, "records" if options.records else "results", text)
    else:
        print(text, end="")
    return 0


def _replace_between_marks(path: Path, mark: str, text: str) -> None:
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->"
    whole = path.read_text(encoding="utf-8")
    head, found_begin, rest = whole.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{path} has no line {begin.strip()} with a {end} after it")
    path.write_text(head + begin + text + end + tail, encoding="utf-8")


COMMANDS = {"list": list_experiments, "data": fetch_data, "run": run_experiments, "table": show_table}

if __name__ == "__main__":
    sys.exit(main())
