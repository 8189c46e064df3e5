"""The commands that measure a recorded network, and keep that beside its record: lesions, landscape, signals.

Each raises ValueError for what cannot be measured. Torch is imported where it is needed.
"""

from pathlib import Path

import click

from resnet_book.cli import arguments


def _folder_to_write(name: str, seed: int, results: Path | None) -> Path:
    """The folder of the records. Raises ValueError where the run has none there, or nothing can be put beside it."""
    from resnet_book.experiments import records, run

    folder = arguments.folder_of_records(results)
    records.load_record(records.path_of(folder, name, seed))
    try:
        run.require_writable(folder / name)
    except OSError as error:
        raise ValueError(
            f"{folder / name} cannot be written ({error.strerror}), and the result is kept beside the record. "
            f"Copy {folder}, and name the copy with --results."
        ) from error
    return folder


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

    folder, computer = _folder_to_write(name, seed, results), find(device)
    path = lesion_survey.make_lesions(name, seed, results=folder, data_root=data, device=computer, tell=arguments.tell)
    kept = lesion_records.LESIONS.read(name, seed, folder)
    click.echo(f"{path}: {len(kept.cuts) if kept else 0} cuts")


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
    folder = _folder_to_write(name, seed, results)
    path = landscape_survey.make_landscape(name, seed, results=folder, data_root=data, runs=runs, tell=arguments.tell)
    kept = landscape_records.LANDSCAPE.read(name, seed, folder)
    slices, curvatures, lines = (kept.slices, kept.curvatures, kept.lines) if kept else ([], [], [])
    click.echo(f"{path}: {len(slices)} slices, {len(curvatures)} curvatures, {len(lines)} lines")
    if not any(isinstance(each.around.at, int) for each in slices):
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
    folder, computer = _folder_to_write(name, seed, results), find(device)
    path = signal_survey.make_signals(
        name,
        seed,
        folder=weights,
        repetition=repetition,
        results=folder,
        data_root=data,
        device=computer,
        tell=arguments.tell,
    )
    kept = signal_records.SIGNALS.read(name, seed, folder)
    click.echo(f"{path}: {len(kept.stages) if kept else 0} networks")


COMMANDS = [lesions, landscape, signals]
