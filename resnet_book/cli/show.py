"""The commands that read records: what was typed enters; tables, curves and pictures leave.

Each returns the exit status, and raises ValueError for what cannot be shown. Torch is imported where it is needed.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_book.cli import arguments

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from resnet_book.experiments.records import Record


def list_experiments(options: argparse.Namespace) -> int:
    """Print a line an experiment: name, recipe, recorded seeds."""
    from resnet_book.experiments import catalogue

    seeds: dict[str, list[int]] = {}
    for record in _recorded(options.results):
        seeds.setdefault(record.experiment, []).append(record.seed)
    width = max(map(len, catalogue.EXPERIMENTS))
    recipe_width = max(len(experiment.recipe_name) for experiment in catalogue.EXPERIMENTS.values())
    print(f"{'experiment':{width}}  {'recipe':{recipe_width}}  recorded seeds")
    for name, experiment in catalogue.EXPERIMENTS.items():
        recorded = ", ".join(map(str, seeds.get(name, []))) or "-"
        print(f"{name:{width}}  {experiment.recipe_name:{recipe_width}}  {recorded}")
    return 0


def show_table(options: argparse.Namespace) -> int:
    """Print recorded results beside the published ones, or every record, or put that into a file."""
    from resnet_book.report import tables, wide_tables

    recorded = _recorded(options.results)
    others = 0
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
        others = len(recorded) - sum(len(shown) for _, _, shown in parts)
    if options.into:
        _replace_between_marks(options.into, "records" if options.records else "results", text)
    else:
        print(text, end="")
    if others:
        print(f"{others} more recorded run{'s' * (others != 1)}: `table --records` shows all.", file=sys.stderr)
    return 0


def write_curves(options: argparse.Namespace) -> int:
    """Write a row an epoch of the named experiments' records, or of all, as CSV: to a file or to standard output."""
    from resnet_book.experiments import catalogue
    from resnet_book.report import tables

    recorded = _recorded(options.results)
    names = {record.experiment for record in recorded}
    for name in (name for name in options.names if name not in names):
        try:
            catalogue.get(name)
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
    from resnet_book import data
    from resnet_book.analysis import study
    from resnet_book.experiments import catalogue, recorded_study, records
    from resnet_book.report import feature_picture

    try:
        catalogue.get(options.name)
    except ValueError as error:
        options.usage_error(str(error))
    path = records.path_of(options.results, options.name, options.seed)
    device = arguments.device(options)
    if options.out:
        arguments.require_writable(options.out.parent, "--out")
    if options.record:
        arguments.require_writable(path.parent, "--results")
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


def _recorded(results: Path) -> "list[Record]":
    """Every record; says so where there is not even the folder, as when the program is started elsewhere."""
    from resnet_book.experiments import records

    if not results.is_dir():
        print(f"There is no folder {results} here, so nothing is recorded (--results names another).", file=sys.stderr)
    return records.load_all(results)


def _write_out(path: Path, write: "Callable[[BinaryIO], object]") -> None:
    """Put what ``write`` writes at ``path``, whole or not at all. Raises ValueError, with advice, if it cannot be."""
    from resnet_book.engine import checkpoints

    try:
        checkpoints.write_atomically(path, write)
    except OSError as error:
        raise ValueError(f"--out: {path} cannot be written ({error.strerror}). Name another file.") from error


def _replace_between_marks(path: Path, mark: str, text: str) -> None:
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->"
    whole = path.read_text(encoding="utf-8") if path.is_file() else ""
    head, found_begin, rest = whole.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"--into: {path} has no line {begin.strip()} with a {end} after it, to put the table between")
    path.write_text(head + begin + text + end + tail, encoding="utf-8")
