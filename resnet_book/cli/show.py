"""The commands that show what is recorded: list, table, curves, features, classify, verify.

Each raises ValueError for what cannot be shown. Torch is imported where it is needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from resnet_book.cli import arguments

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

LONGEST_ROW = 100  # images at each end of a feature's row: what chance gives is counted exactly, which takes k cubed


@click.command("list")
@click.option("--under-way", is_flag=True, help="only runs that are begun and not recorded, and how far they are")
@arguments.runs_option("with --under-way: folder of checkpoints", arguments.EXISTING_FOLDER)
@arguments.records_option
def list_experiments(under_way: bool, runs: Path | None, results: Path | None) -> None:
    """Show every experiment and which seeds are recorded."""
    if under_way:
        return _list_under_way(runs or arguments.RUNS, results)
    if runs:
        raise click.UsageError("--runs says where runs are under way: add --under-way, or leave it out")
    from resnet_book.experiments import catalogue, records

    seeds: dict[str, list[int]] = {}
    for record in records.load_all(arguments.folder_of_records(results)):
        seeds.setdefault(record.experiment, []).append(record.seed)
    width = max(map(len, catalogue.EXPERIMENTS))
    recipe_width = max(len(experiment.recipe_name) for experiment in catalogue.EXPERIMENTS.values())
    click.echo(f"{'experiment':{width}}  {'recipe':{recipe_width}}  recorded seeds")
    for name, experiment in catalogue.EXPERIMENTS.items():
        recorded = ", ".join(map(str, seeds.get(name, []))) or "-"
        click.echo(f"{name:{width}}  {experiment.recipe_name:{recipe_width}}  {recorded}")


def _list_under_way(runs: Path, results: Path | None) -> None:
    """A line for each run with a checkpoint and no record; one that cannot be read says so."""
    from resnet_book.engine.checkpoints import CheckpointError
    from resnet_book.experiments import catalogue, records
    from resnet_book.experiments.run import begun, is_locked

    results = results or records.folder_for_new()
    shown, recorded = 0, 0
    for folder in sorted(path.parent for path in runs.glob("*/seed*/checkpoint.pt")):
        name, seed = folder.parent.name, folder.name.removeprefix("seed")
        if name not in catalogue.EXPERIMENTS or not seed.isdecimal():
            continue
        if records.path_of(results, name, int(seed)).exists():
            recorded += 1
            continue
        shown += 1
        try:
            at = begun(runs, name, int(seed))
        except CheckpointError as error:
            click.echo(f"{name}, seed {seed}: {error}")
            continue
        if at is None:  # recorded, or removed, meanwhile
            continue
        parts = [str(at)]
        if at.test_error is not None:
            parts.append(f"test error {at.test_error:.2f} %")
        if at.seconds_left is not None:
            parts.append(f"about {at.seconds_left / 3600:.1f} hours left")
        if is_locked(folder):
            parts.append("a process trains it now")
        click.echo(f"{name}, seed {seed}: {', '.join(parts)}")
    if not shown:
        others = f"; begun there, with a record in {results}: {recorded}" if recorded else ""
        click.echo(f"No run is under way in {runs}{others}.", err=True)


@click.command()
@click.option("--markdown", is_flag=True, help="as Markdown, as the README shows it")
@click.option("--records", "every", is_flag=True, help="one row per record, with its origin, as Markdown")
@click.option("--into", type=arguments.EXISTING_FILE, metavar="FILE", help="put the Markdown between FILE's marks")
@arguments.records_option
def table(markdown: bool, every: bool, into: Path | None, results: Path | None) -> None:
    """Show recorded results beside the published ones."""
    if markdown and (every or into):
        raise click.UsageError(f"{'--records' if every else '--into'} means Markdown anyway: leave out --markdown")
    from resnet_book.experiments import records
    from resnet_book.report import tables, wide_tables

    recorded = records.load_all(arguments.folder_of_records(results))
    others = 0
    if every:
        text = tables.to_markdown(tables.record_table(recorded))
    else:
        of_depth = tables.of_depth_table(recorded)
        by_paper = [record for record in of_depth if record.recipe_name == "paper"]
        shorter = [record for record in of_depth if record.recipe_name != "paper"]
        parts = [
            ("Networks of 6n+2 layers on CIFAR-10, by the paper's recipe", tables.depth_table(recorded), by_paper),
            ("The same networks after shorter trainings", tables.budget_table(recorded), shorter),
            ("Wide networks", wide_tables.wide_table(recorded), wide_tables.of_wide_table(recorded)),
        ]
        lines = list[str]()
        for networks, frame, shown in (part for part in parts if len(part[1])):
            body = tables.to_markdown(frame) if markdown or into else frame.to_string() + "\n"
            title = f"{networks}: test error (%), mean ± standard deviation (runs):\n"
            lines += [title, body, tables.provenance(shown), ""]
        text = "\n".join(lines)
        others = len(recorded) - sum(len(shown) for _, _, shown in parts)
    if into:
        _replace_between_marks(into, "records" if every else "results", text)
    else:
        click.echo(text, nl=False)
    if others:
        command = f"table --records{f' --results {results}' if results else ''}"
        click.echo(f"{others} more recorded run{'s' * (others != 1)}: `{command}` shows all.", err=True)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", type=arguments.NAME)
@click.option("--out", type=arguments.new_file, metavar="FILE", help="write to FILE (default: standard output)")
@arguments.records_option
def curves(names: tuple[str, ...], out: Path | None, results: Path | None) -> None:
    """Write recorded curves, all or those of NAMEs, as CSV."""
    from resnet_book.experiments import records
    from resnet_book.report import tables

    folder = arguments.folder_of_records(results)
    recorded = records.load_all(folder)
    known = {record.experiment for record in recorded}
    if missing := [name for name in names if name not in known]:
        raise ValueError(f"{missing[0]} has no record in {folder}: `resnet-book run {missing[0]}` makes one.")
    chosen = [record for record in recorded if record.experiment in (names or known)]
    frame = tables.curves(chosen)
    text = frame.to_csv(index=False)
    if out is None:
        click.echo(text, nl=False)
    else:
        _write("--out", out, lambda file: file.write(text.encode()))
        click.echo(f"{out}: {len(frame):,} epochs of {len(chosen)} run{'s' * (len(chosen) != 1)}")


@click.command()
@click.argument("name", metavar="NAME", type=arguments.NAME)
@arguments.recorded_seed_option
@click.option("--k", type=click.IntRange(1, LONGEST_ROW), default=10, help="images at each end of a row (default 10)")
@click.option("--out", type=arguments.png_file, metavar="FILE", help="draw the rows of all features into a PNG file")
@arguments.device_option
@arguments.data_option
@arguments.records_option
def features(
    name: str, seed: int, k: int, out: Path | None, device: str, data: Path | None, results: Path | None
) -> None:
    """Show the test images that a network's features rank first."""
    from resnet_book import data as datasets
    from resnet_book.analysis import study
    from resnet_book.engine.device import find
    from resnet_book.experiments import studies
    from resnet_book.report import feature_picture

    folder, computer = arguments.folder_of_records(results), find(device)
    if out:
        arguments.require_writable(out.parent, "--out")
    found = studies.find_study(name, seed, k=k, results=folder, data_root=data, device=computer)
    if out:
        test = datasets.load(found.dataset, "test", data)
        title = f"{name}, seed {seed}: {len(found.most)} features, the purest rows first"
        picture = feature_picture.draw(found, test, title)
        _write("--out", out, lambda file: picture.save(file, "PNG"))
        click.echo(f"{out}: {picture.width:,} x {picture.height:,} pixels")
    click.echo(study.in_words(found))


@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...", type=arguments.EXISTING_FILE)
@click.option(
    "--network",
    type=arguments.NAME,
    help="a recorded experiment (default: the best on CIFAR-10 whose weights are there)",
)
@click.option("--seed", type=arguments.SEED, help="of the recorded run (default with --network: 0)")
@click.option("--k", type=click.IntRange(1), default=3, help="how many of the likeliest classes to name (default 3)")
@arguments.records_option
def classify(pictures: tuple[Path, ...], network: str | None, seed: int | None, k: int, results: Path | None) -> None:
    """Say what pictures show, as a recorded network sees them."""
    from resnet_book.experiments.trained import load_trained

    folder = arguments.folder_of_records(results)
    name, seed = (network, seed or 0) if network else _best_on_cifar10(folder, seed)
    trained = load_trained(name, seed, folder)
    first = f"{name}, seed {seed}, test error {trained.record.test_error:.2f} %:"
    for place, picture in enumerate(pictures):
        answer = trained.classify(picture, k)  # its message for what is no picture stands alone
        if place == 0:
            click.echo(first, err=True)
        click.echo(f"{picture}: {answer}")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", type=arguments.NAME)
@click.option("--again", is_flag=True, help="also test each kept network again: a minute or more each")
@arguments.data_option
@arguments.records_option
def verify(names: tuple[str, ...], again: bool, data: Path | None, results: Path | None) -> None:
    """Check every record and all files beside them.

    With NAMEs, those of these experiments alone; then also say what to cite each of their records by.
    """
    if data and not again:
        raise click.UsageError("--data says where the images for --again are: add it, or leave out --data")
    from resnet_book.experiments import records, verification

    folder = arguments.folder_of_records(results)
    verification.verify(folder, click.echo, names)
    if again:
        verification.repeat_tests(folder, data, click.echo, names)
    for path in records.paths(folder):
        if path.parent.name in names:
            click.echo(verification.citation(records.load_record(path), folder))
    click.echo("All sound.")


def _best_on_cifar10(folder: Path, seed: int | None) -> tuple[str, int]:
    """Experiment and seed of the record with the smallest test error among those whose weights lie beside it."""
    from resnet_book.experiments import records

    there = [
        (record.test_error, record.experiment, record.seed)
        for record in records.load_all(folder)
        if record.dataset["name"] == "cifar10"
        if records.path_of(folder, record.experiment, record.seed).with_suffix(".safetensors").exists()
    ]
    if not there:
        raise ValueError(
            f"{folder} has no network trained on CIFAR-10 with its weights. `resnet-book run resnet20-cifar10-short` "
            "trains one; or name another folder with --results, another network with --network."
        )
    seeds = sorted({each[-1] for each in there})
    if seed not in (None, *seeds):
        there_are = ", ".join(map(str, seeds))
        raise ValueError(
            f"--seed {seed}: {folder} has weights of networks trained on CIFAR-10 only for seed {there_are}"
        )
    return min(each for each in there if seed in (None, each[-1]))[1:]


def _write(option: str, path: Path, write: "Callable[[BinaryIO], object]") -> None:
    """Put what ``write`` writes at ``path``, whole or not at all; into a device or a pipe that is there, directly."""
    from resnet_book.engine.files import write_atomically

    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                write(file)
        else:
            write_atomically(path.resolve(), write)  # what a link leads to, not the link
    except OSError as error:
        raise ValueError(f"{option}: {path} cannot be written ({error.strerror}). Name another file.") from error


def _replace_between_marks(path: Path, mark: str, text: str) -> None:
    """Put ``text`` into the file in place of what stands between the marks. Raises ValueError where there are none."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->"
    whole = path.read_text(encoding="utf-8")
    head, found_begin, rest = whole.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"--into: {path} has no line {begin.strip()} with a {end} after it, to put the table between")
    _write("--into", path, lambda file: file.write((head + begin + text + end + tail).encode()))


COMMANDS = [list_experiments, table, curves, features, classify, verify]
