"""The commands that measure a recorded network, and keep that beside its record: lesions, landscape, signals.

Each raises ValueError for what cannot be measured. Torch is imported where it is needed.
"""

from pathlib import Path

import click

from resnet_book.cli import arguments


def _record_to_measure(name: str, seed: int, results: Path | None) -> Path:
    """The path of the run's record. Raises RecordError where there is none, ValueError where nothing can join it."""
    from resnet_book.experiments import records

    path = records.path_of(arguments.folder_of_records(results), name, seed)
    records.load_record(path)
    advice = "The result is kept beside the record: copy the folder of all records, and name the copy"
    arguments.require_writable(path.parent, "--results", advice)
    return path


@click.command()
@click.argument("name", metavar="NAME", type=arguments.NAME)
@arguments.recorded_seed_option
@arguments.device_option
@arguments.data_option
@arguments.records_option
def lesions(name: str, seed: int, device: str, data: Path | None, results: Path | None) -> None:
    """Take a recorded network apart, and keep what that does."""
    from resnet_book.engine.device import find
    from resnet_book.experiments import lesion_records, lesion_survey

    path, computer = _record_to_measure(name, seed, results), find(device)
    kept = lesion_survey.make_lesions(
        name, seed, results=path.parent.parent, data_root=data, device=computer, tell=arguments.tell
    )
    click.echo(f"{lesion_records.LESIONS.path_of(path)}: {len(kept.cuts)} cuts")


@click.command()
@click.argument("name", metavar="NAME", type=arguments.NAME)
@arguments.recorded_seed_option
@arguments.runs_option("weights of `run --keep-weights`", arguments.EXISTING_FOLDER)
@arguments.data_option
@arguments.records_option
def landscape(name: str, seed: int, runs: Path | None, data: Path | None, results: Path | None) -> None:
    """Measure the loss around a recorded network, and keep it."""
    from resnet_book.experiments import landscape_records, landscape_survey, run

    runs = runs or arguments.RUNS
    path = _record_to_measure(name, seed, results)
    kept = landscape_survey.make_landscape(
        name, seed, results=path.parent.parent, data_root=data, runs=runs, tell=arguments.tell
    )
    pieces = f"{len(kept.slices)} slices, {len(kept.curvatures)} curvatures, {len(kept.lines)} lines"
    click.echo(f"{landscape_records.LANDSCAPE.path_of(path)}: {pieces}")
    if not any(isinstance(each.around.at, int) for each in kept.slices):
        place = run.folder_of(runs, name, seed) / "weights"
        arguments.tell(f"The way there and the lines are left out: there are no weights along the way in {place}.")


@click.command()
@click.argument("name", metavar="NAME", type=arguments.NAME)
@arguments.recorded_seed_option
@click.option("--weights", type=arguments.EXISTING_FOLDER, metavar="DIR", help="weights along the way (--keep-weights)")
@click.option("--repetition", type=arguments.EXISTING_FILE, metavar="FILE", help="record of the run that left them")
@arguments.device_option
@arguments.data_option
@arguments.records_option
def signals(
    name: str,
    seed: int,
    weights: Path | None,
    repetition: Path | None,
    device: str,
    data: Path | None,
    results: Path | None,
) -> None:
    """Measure a recorded network's signals and gradients."""
    from resnet_book.engine.device import find
    from resnet_book.experiments import signal_records, signal_survey

    if repetition and not weights:
        raise click.UsageError(
            "--repetition says which run left the weights along the way: name their folder with --weights"
        )
    path, computer = _record_to_measure(name, seed, results), find(device)
    kept = signal_survey.make_signals(
        name,
        seed,
        folder=weights,
        repetition=repetition,
        results=path.parent.parent,
        data_root=data,
        device=computer,
        tell=arguments.tell,
    )
    click.echo(f"{signal_records.SIGNALS.path_of(path)}: {len(kept.stages)} networks")


COMMANDS = [lesions, landscape, signals]
