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
from typing import TYPE_CHECKING

from resnet_book.cli import arguments, show

if TYPE_CHECKING:
    from resnet_book.experiments import runs


def main(typed: list[str] | None = None) -> int:
    """Run one command; returns the exit status. Raises SystemExit, as argparse does, for --help and wrong usage."""
    start = argparse.Namespace(began=time.monotonic(), caller=os.getppid())  # before torch, which takes seconds
    options = arguments.parser().parse_args(typed, start)
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


def fetch_data(options: argparse.Namespace) -> int:
    """Fetch and check, or only check, the named datasets."""
    from resnet_book import data
    from resnet_book.cli.fetch import fetch

    for name in options.names:
        if not options.check:
            fetch(name, options.data)
        for split in ("train", "test"):
            images = data.load(name, split, options.data)
            print(f"{name} {split}: {len(images):,} images, checksums right")
    return 0


def run_experiments(options: argparse.Namespace) -> int:
    """Train and record the named experiments: here, one after the other, or in the queue."""
    from resnet_book.engine import processes
    from resnet_book.experiments import catalogue, records, runs

    if options.missing or options.jobs or options.budget or options.seeds:
        return _run_queue(options)
    if not options.names:
        options.usage_error("give the NAME of an experiment, or --missing for all that have no record")
    if patterns := [name for name in options.names if set(name) & set("*[")]:
        options.usage_error(
            f"{patterns[0]!r} is a pattern: add --missing to train all runs that it names and that have no record"
        )
    try:
        for name in options.names:
            catalogue.get(name)
    except ValueError as error:
        options.usage_error(str(error))
    seed = options.seed or 0
    paths = {name: records.path_of(options.results, name, seed) for name in options.names}
    for name, path in paths.items():
        records.refuse_to_overwrite(path)
        arguments.require_writable(path.parent, "--results")
        arguments.require_writable(runs.folder_of(options.runs, name, seed), "--runs")
    setting = _setting(options)
    first = processes.rank() == 0
    for name, path in paths.items():
        if first and setting.device.type == "cpu":
            _warn_of_long_runs(name)
        if first:
            print(f"{name}, seed {seed}, on {processes.described(setting.device)}", flush=True)
        try:
            record = runs.train_and_record(name, seed, setting, options.report, options.caller)
        except runs.LockedError as error:
            print(f"resnet-book: {error}", file=sys.stderr)
            return runs.EXIT_LOCKED
        if first:
            print(f"{path}: test error {record.test_error:.2f} % after {record.seconds:.0f} s")
    processes.stop()
    return 0


def _warn_of_long_runs(name: str) -> None:
    """Say so, if a run that wants a GPU is started on a CPU."""
    from resnet_book.experiments import catalogue, queue

    recipe = catalogue.get(name).recipe
    if not queue.without_gpu([name]):
        shorter = (
            f" `{name}-short` is made for machines without a GPU." if f"{name}-short" in catalogue.EXPERIMENTS else ""
        )
        print(f"{name} takes {recipe.iterations:,} iterations: hours to days on a CPU.{shorter}", file=sys.stderr)


def _run_queue(options: argparse.Namespace) -> int:
    """Let the queue train what is missing."""
    from resnet_book.experiments import queue, queue_view, records

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
    arguments.require_writable(options.results, "--results")
    arguments.require_writable(options.runs, "--runs")
    if setting.device.type == "cpu" and not options.names:
        names = queue.without_gpu(names)
        print(
            f"On a CPU: only recipes for machines without a GPU ({', '.join(queue.WITHOUT_GPU)}). '*' means all.",
            file=sys.stderr,
        )
    seeds = range(options.seeds or (3 if options.missing else 1)) if options.seed is None else [options.seed]
    wanted = queue.in_order(names, seeds)
    missing = [run for run in wanted if not records.path_of(setting.results, run.name, run.seed).exists()]
    print(f"{len(wanted)} run{'s' * (len(wanted) != 1)}, without a record: {len(missing)}")
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
    from resnet_book.engine import processes
    from resnet_book.experiments import runs

    device = arguments.device(options)
    processes.start(device.type)
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


COMMANDS = {
    "list": show.list_experiments,
    "data": fetch_data,
    "run": run_experiments,
    "table": show.show_table,
    "curves": show.write_curves,
    "features": show.show_features,
}

if __name__ == "__main__":
    sys.exit(main())
