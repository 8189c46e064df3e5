"""Run the command line, ``resnet-book`` or ``python -m resnet_book``.

Exit status: 0 done; 1 something went wrong, and the message says what; 2 the command is not one, or names something
that does not exist; 75 another process trains that run; 130 interrupted by Ctrl-C, the queue by SIGTERM too. Results
go to standard output, progress and messages to standard error. Modules that import torch are imported inside the
functions, so that ``--help`` answers at once.
"""

import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from resnet_book import __version__
from resnet_book.cli import arguments, show

if TYPE_CHECKING:
    from resnet_book.experiments.run import Options

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
DATASETS = ("cifar10", "cifar100")  # data.FORMATS, known without torch


def main(typed: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    try:
        program.main(typed, prog_name="resnet-book")
    except SystemExit as end:  # so every command ends, whatever came of it
        return int(end.code or 0)
    return 0


class Program(click.Group):
    """The commands, with one place where what goes wrong in them becomes a message and an exit status."""

    def invoke(self, ctx: click.Context) -> None:
        """Run the command, and end with its exit status."""
        ctx.obj = time.monotonic(), os.getppid()  # when and by whom this was started; torch takes seconds to import
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin slow down what else runs
        try:
            status = super().invoke(ctx) or 0
            sys.stdout.flush()
        except click.exceptions.Exit:  # of --help
            raise
        except KeyboardInterrupt:
            status = _interrupted()
        except BrokenPipeError:  # whoever read the output wanted no more of it, as `| head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 1 if ctx.invoked_subcommand == "run" else 0
        except (ValueError, RuntimeError, OSError) as error:
            click.echo(f"resnet-book: {error}", err=True)
            status = 1
        ctx.exit(status)


def _interrupted() -> int:
    click.echo("Interrupted. The same command goes on from what was saved.", err=True)
    return 130


@click.group(cls=Program, commands=show.COMMANDS, context_settings=CONTEXT)
@click.version_option(__version__)
def program() -> None:
    """Train, record and compare residual networks."""


@program.command("data")
@click.argument("names", nargs=-1, metavar="[DATASET]...", type=click.Choice(DATASETS))
@click.option("--check", is_flag=True, help="only check the files; fetch nothing")
@arguments.data_option
def fetch_data(names: tuple[str, ...], check: bool, data: str | None) -> None:
    """Fetch and check cifar10 (the default) or cifar100."""
    from resnet_book import data as datasets
    from resnet_book.cli.fetch import fetch

    for name in names or DATASETS[:1]:
        if not check:
            fetch(name, data)
        for split in ("train", "test"):
            images = datasets.load(name, split, data)
            click.echo(f"{name} {split}: {len(images):,} images, checksums right")


@program.command("run")
@click.argument("names", nargs=-1, metavar="[NAME]...", type=arguments.ExperimentName(patterns=True))
@click.option("--seed", type=arguments.SEED, help="of initialisation, order and augmentation (default 0)")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), help="default: bfloat16 on a GPU that has it")
@click.option("--compile/--no-compile", "compiled", default=None, help="use torch.compile (default: where worth it)")
@click.option(
    "--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of checkpoints and logs (default runs)"
)
@click.option("--tensorboard", is_flag=True, help="write TensorBoard logs beside the checkpoint")
@click.option("--quiet", is_flag=True, help="show no progress")
@click.option("--report", type=Path, hidden=True, help="keep progress in this file; stop when the caller ends")
@click.option("--missing", is_flag=True, help="queue: all without a record, or those of NAMEs and patterns (*-short)")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="queue: N runs at a time (default 1)")
@click.option("--budget", type=arguments.budget, metavar="TIME", help="queue: save and stop after 90s, 25m, 2h, 1h30m")
@click.option("--seeds", type=click.IntRange(1), metavar="N", help="queue: seeds 0 to N-1 (default with --missing: 3)")
@arguments.device_option
@arguments.data_option
@arguments.results_option
@click.pass_obj
def run(
    start: tuple[float, int],
    names: tuple[str, ...],
    seed: int | None,
    precision: str | None,
    compiled: bool | None,
    runs: Path,
    tensorboard: bool,
    quiet: bool,
    report: Path | None,
    missing: bool,
    jobs: int | None,
    budget: float | None,
    seeds: int | None,
    device: str,
    data: str | None,
    results: Path,
) -> int:
    """Train experiments and record what they measured.

    Any of --missing, --jobs, --budget and --seeds makes it a queue, which trains each run in a process of its own.
    """
    queued = missing or jobs or budget or seeds
    if queued and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise click.UsageError("under torchrun, give names alone: the queue starts a process for each run itself")
    if queued and report:
        raise click.UsageError("--report is for one run only, not for the queue")
    if seeds and seed is not None:
        raise click.UsageError("--seeds is not allowed with --seed")
    if not (names or missing):
        raise click.UsageError("give the NAME of an experiment, or --missing for all that have no record")
    from resnet_book.experiments.run import Options

    options = Options(arguments.device(device), precision, compiled, results, runs, data, tensorboard, not quiet)
    began, caller = start
    if not queued:
        return _run_here(names, seed or 0, options, report, caller)
    chosen = range(seeds or (3 if missing else 1)) if seed is None else [seed]
    return _run_queue(names, chosen, options, jobs or 1, budget or math.inf, began)


def _run_here(names: tuple[str, ...], seed: int, options: "Options", report: Path | None, caller: int) -> int:
    """Train and record one run after the other, in this process."""
    from resnet_book.engine import processes
    from resnet_book.experiments import queue, records
    from resnet_book.experiments import run as runs
    from resnet_book.experiments.catalogue import EXPERIMENTS

    if patterns := [name for name in names if name not in EXPERIMENTS]:
        raise click.UsageError(f"{patterns[0]!r} is a pattern: add --missing to train what it names and has no record")
    paths = {name: records.path_of(options.results, name, seed) for name in names}
    for name, path in paths.items():
        records.refuse_to_overwrite(path)
        arguments.require_writable(path.parent, "--results")
        arguments.require_writable(runs.folder_of(options.runs, name, seed), "--runs")
    processes.start(options.device.type)
    first = processes.rank() == 0
    for name, path in paths.items():
        if first and options.device.type == "cpu" and not queue.without_gpu([name]):
            shorter = [
                f" `{each}` is made for machines without a GPU." for each in EXPERIMENTS if each == f"{name}-short"
            ]
            iterations = EXPERIMENTS[name].recipe.iterations
            click.echo(f"{name} takes {iterations:,} iterations: hours to days on a CPU.{''.join(shorter)}", err=True)
        if first:
            click.echo(f"{name}, seed {seed}, on {processes.described(options.device)}")
        try:
            record = runs.train_and_record(name, seed, options, report, caller)
        except runs.LockedError as error:
            click.echo(f"resnet-book: {error}", err=True)
            return runs.EXIT_LOCKED
        if first:
            click.echo(f"{path}: test error {record.test_error:.2f} % after {record.seconds:.0f} s")
    processes.stop()
    return 0


def _run_queue(
    names: tuple[str, ...], seeds: Sequence[int], options: "Options", jobs: int, budget: float, began: float
) -> int:
    """Let the queue train what is missing."""
    from resnet_book.experiments import queue, queue_view, records

    try:
        chosen = queue.matching(names or ["*"])
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    arguments.require_writable(options.results, "--results")
    arguments.require_writable(options.runs, "--runs")
    if options.device.type == "cpu" and not names:
        chosen = queue.without_gpu(chosen)
        recipes = ", ".join(queue.WITHOUT_GPU)
        click.echo(f"On a CPU: only recipes for machines without a GPU ({recipes}). '*' means all.", err=True)
    wanted = queue.in_order(chosen, seeds)
    missing = [run for run in wanted if not records.path_of(options.results, run.name, run.seed).exists()]
    click.echo(f"{len(wanted)} run{'s' * (len(wanted) != 1)}, without a record: {len(missing)}")
    work = queue.Queue(missing, options, jobs=jobs, budget=budget, began=began, quiet=not options.progress)
    status = work.work()
    click.echo(queue_view.summary(work.recorded, work.failed, work.left()))
    return _interrupted() if status == 130 else status


if __name__ == "__main__":
    sys.exit(main())
