"""Run the command line, ``resnet-book`` or ``python -m resnet_book``.

Exit status: 0 done; 1 something went wrong, and the message says what; 2 the command is not one, or names something
that does not exist; 75 another process trains that run; 130 interrupted by Ctrl-C or SIGTERM. Results go to
standard output, progress and messages to standard error. Modules that import torch are imported inside the functions,
so that ``--help`` answers at once.
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
from resnet_book.cli import arguments, measure, show

if TYPE_CHECKING:
    from resnet_book.experiments.run import Options

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
MOST_SEEDS = 1_000  # of a sweep
EXIT_LOCKED = 75  # EX_TEMPFAIL of sysexits.h
DATASETS = ("cifar10", "cifar100")  # cifar.FORMATS, known without torch


def main(typed: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    try:
        # On Windows, click makes names of files of `*.jpg`; the patterns of `run`, quoted or not, are of experiments.
        program.main(typed, prog_name="resnet-book", windows_expand_args=sys.argv[1:2] != ["run"])
    except SystemExit as end:  # so every command ends, whatever came of it
        return int(end.code or 0)
    return 0


class Program(click.Group):
    """The commands, with one place where what goes wrong in them becomes a message and an exit status."""

    def invoke(self, ctx: click.Context) -> None:
        """Run the command, and end with its exit status."""
        ctx.obj = time.monotonic()  # when this was started; torch takes seconds to import
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
    click.echo("Interrupted. The same command goes on from what was saved, if anything was yet.", err=True)
    return 130


@click.group(cls=Program, commands=[*show.COMMANDS, *measure.COMMANDS], context_settings=CONTEXT)
@click.version_option(__version__)
def program() -> None:
    """Train, record and compare residual networks."""


@program.command("data")
@click.argument("names", nargs=-1, metavar="[DATASET]...", type=click.Choice(DATASETS))
@click.option("--check", is_flag=True, help="only check the files; fetch nothing")
@arguments.data_option
def fetch_data(names: tuple[str, ...], check: bool, data: Path | None) -> None:
    """Fetch and check cifar10 (the default) or cifar100."""
    from resnet_book.cli import fetch

    for name in names or DATASETS[:1]:
        for images in fetch.load(name, data) if check else fetch.fetch(name, data):
            click.echo(f"{name} {images.split}: {len(images):,} images, checksums right")


@program.command("run")
@click.argument("names", nargs=-1, metavar="[NAME]...", type=arguments.ExperimentName(patterns=True))
@click.option("--seed", type=arguments.SEED, help="of initialisation, order and augmentation (default 0)")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), help="default: bfloat16 on a GPU that has it")
@click.option("--compile/--no-compile", "compiled", default=None, help="use torch.compile (default: where worth it)")
@arguments.runs_option("folder of checkpoints and logs")
@click.option("--tensorboard", is_flag=True, help="write TensorBoard logs beside the checkpoint")
@click.option("--keep-weights", is_flag=True, help="keep the weights along the way, too, beside the checkpoint")
@click.option("--quiet", is_flag=True, help="show no progress")
@click.option("--missing", is_flag=True, help="sweep: all without a record, or those of NAMEs and patterns (*-short)")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="sweep: N runs at a time (default: one per GPU, else one per core)",
)
@click.option("--budget", type=arguments.budget, metavar="TIME", help="sweep: save and stop after 90s, 25m, 2h, 1h30m")
@click.option(
    "--seeds", type=click.IntRange(1, MOST_SEEDS), metavar="N", help="sweep: seeds 0 to N-1 (default with --missing: 3)"
)
@click.option("--cluster", metavar="WHERE", help="sweep: on dask's workers at tcp://host:8786, or by slurm, pbs, ...")
@arguments.device_option
@arguments.data_option
@arguments.results_option
@click.pass_obj
def run(
    began: float,
    names: tuple[str, ...],
    seed: int | None,
    precision: str | None,
    compiled: bool | None,
    runs: Path | None,
    tensorboard: bool,
    keep_weights: bool,
    quiet: bool,
    missing: bool,
    jobs: int | None,
    budget: float | None,
    seeds: int | None,
    cluster: str | None,
    device: str,
    data: Path | None,
    results: Path | None,
) -> int:
    """Train experiments and record what they measured.

    Any of --missing, --jobs, --budget, --seeds and --cluster makes it a sweep: dask's workers train several at a time.
    """
    swept = missing or jobs or budget or seeds or cluster is not None
    if seeds and seed is not None:
        raise click.UsageError("--seeds is not allowed with --seed")
    if not (names or missing):
        raise click.UsageError("give the NAME of an experiment, or --missing for all that have no record")
    from resnet_book.engine import processes
    from resnet_book.experiments.run import Options

    if swept and processes.launched():
        raise click.UsageError("under torchrun, give only names: the sweep starts its processes itself")
    with arguments.folder_to_record_in(results) as folder:
        options = Options(
            device=device,
            precision=precision,
            compiled=compiled,
            results=folder,
            runs=runs or arguments.RUNS,
            data_root=data,
            tensorboard=tensorboard,
            progress=not quiet,
            keep_weights=keep_weights,
        )
        if not swept:
            return _run_here(names, seed or 0, options)
        chosen = range(seeds or (3 if missing else 1)) if seed is None else [seed]
        return _sweep(names, chosen, options, cluster=cluster, jobs=jobs, budget=budget or math.inf, began=began)


def _run_here(names: tuple[str, ...], seed: int, options: "Options") -> int:
    """Train and record one run after the other, in this process; of several, those that have no record yet."""
    from resnet_book.engine import processes
    from resnet_book.engine.device import find
    from resnet_book.experiments import order, records
    from resnet_book.experiments import run as runs
    from resnet_book.experiments.catalogue import EXPERIMENTS

    if patterns := [name for name in names if name not in EXPERIMENTS]:
        raise click.UsageError(f"{patterns[0]!r} is a pattern: add --missing to train what it names and has no record")
    paths = {name: records.path_of(options.results, name, seed) for name in names}
    recorded = [path for path in paths.values() if len(paths) > 1 and path.exists()]  # as after Ctrl-C in a later run
    left = {name: path for name, path in paths.items() if path not in recorded}
    for name, path in left.items():
        records.refuse_to_overwrite(path)
        arguments.require_writable(path.parent, "--results")
        arguments.require_writable(runs.folder_of(options.runs, name, seed), "--runs")
    computer = find(options.device)
    processes.start(computer.type)
    first = processes.rank() == 0
    for path in recorded if first else ():
        click.echo(f"{path} is there already, so this run is left out.", err=True)
    for name, path in left.items():
        if first and computer.type == "cpu" and not order.without_gpu([name]):
            short = f"{name}-short"
            advice = f" `{short}` is made for machines without a GPU." if short in EXPERIMENTS else ""
            iterations = EXPERIMENTS[name].recipe.iterations
            click.echo(f"{name} takes {iterations:,} iterations: hours to days on a CPU.{advice}", err=True)
        if first:
            together = f", {processes.size()} processes" if processes.size() > 1 else ""
            click.echo(f"{name}, seed {seed}, on {computer}{together}")
        try:
            record = runs.train_and_record(name, seed, options)
        except runs.LockedError as error:
            click.echo(f"resnet-book: {error}", err=True)
            return EXIT_LOCKED
        if first:
            click.echo(f"{path}: test error {record.test_error:.2f} % after {record.seconds:.0f} s")
    processes.stop()
    return 0


def _sweep(
    names: tuple[str, ...],
    seeds: Sequence[int],
    options: "Options",
    *,
    cluster: str | None,
    jobs: int | None,
    budget: float,
    began: float,
) -> int:
    """Train what is missing, several runs at a time."""
    from resnet_book.experiments import order

    try:
        from resnet_book.experiments import sweep, sweep_view
    except ModuleNotFoundError as error:
        message = f"a sweep needs dask ({error.name} is missing): `pip install distributed`. One run alone needs none."
        raise RuntimeError(message) from None
    try:
        chosen = order.matching(names or ["*"])
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    arguments.require_writable(options.results, "--results")
    arguments.require_writable(options.runs, "--runs")
    work = sweep.Sweep(options, cluster=cluster, jobs=jobs, budget=budget, began=began)
    status = work.work(chosen, seeds, every=bool(names))
    click.echo(sweep_view.summary(work.recorded, work.failed, work.left))
    return _interrupted() if status == 130 else status
