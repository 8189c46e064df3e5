"""The command line: ``python -m resnet_book`` or ``resnet-book``. Joins experiment, trainer and record.

Exit status: 0 done; 1 something went wrong, and the message says what; 2 the command is not one, or names something
that does not exist; 130 interrupted. Results go to standard output, progress and messages to standard error. Modules
that import torch are imported inside the functions, so that ``--help`` answers at once.
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. Raises SystemExit, as argparse does, for --help and wrong usage."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin slow down what else runs
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from what was saved.", file=sys.stderr)
        return 130
    except (ValueError, RuntimeError, OSError) as error:
        print(f"resnet-book: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="resnet-book", description="Train, record and compare residual networks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="show every experiment and which seeds are recorded")
    listing.set_defaults(command=list_experiments)

    data = commands.add_parser("data", help="fetch datasets, or check the files that are there")
    data.add_argument(
        "names", nargs="*", type=_dataset, default=["cifar10"], metavar="DATASET", help="cifar10 (default), cifar100"
    )
    data.add_argument("--check", action="store_true", help="only check the files; fetch nothing")
    data.set_defaults(command=fetch_data)

    run = commands.add_parser("run", help="train experiments and record what they measured")
    run.add_argument("names", nargs="+", type=_experiment, metavar="NAME", help="an experiment, as `list` names it")
    run.add_argument("--seed", type=_seed, default=0, help="seed of initialisation, order and augmentation (default 0)")
    run.add_argument(
        "--device", type=_device, default="auto", help="cpu, cuda, cuda:1, ... (default: a GPU where there is one)"
    )
    run.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="default float32")
    run.add_argument("--compile", action="store_true", help="train through torch.compile")
    run.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="checkpoints and logs (default runs)"
    )
    run.add_argument("--tensorboard", action="store_true", help="write TensorBoard logs beside the checkpoint")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    run.set_defaults(command=run_experiments)

    table = commands.add_parser("table", help="show recorded results beside the published ones")
    table.add_argument("--markdown", action="store_true", help="as Markdown, as the README shows it")
    table.add_argument("--into", type=Path, metavar="FILE", help="put the Markdown between FILE's results marks")
    table.set_defaults(command=show_table)

    for command in (data, run):
        command.add_argument(
            "--data", metavar="DIR", help="folder of the datasets (default: $RESNET_BOOK_DATA, else ./data)"
        )
    for command in (listing, run, table):
        command.add_argument(
            "--results",
            type=Path,
            default=Path("results"),
            metavar="DIR",
            help="folder of the records (default results)",
        )
    return parser


def _experiment(text: str) -> str:
    from resnet_book import experiments

    try:
        experiments.get(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _dataset(text: str) -> str:
    from resnet_book import data

    if text not in data.LAYOUTS:
        raise argparse.ArgumentTypeError(f"dataset {text!r} cannot be fetched: choose from {', '.join(data.LAYOUTS)}")
    return text


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"seed {text!r}: choose a whole number, 0 or above")
    return int(text)


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"device {text!r}: choose auto, cpu, cuda, or one GPU of several as cuda:1")
    return text


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
    """Train and record the named experiments, one after the other."""
    from datetime import UTC, datetime

    import torch

    from resnet_book import data, experiments, models, records, train

    chosen = {name: experiments.get(name) for name in options.names}
    for name in chosen:
        path = records.path_of(options.results, name, options.seed)
        records.refuse_to_overwrite(path)
        _require_writable(path.parent)
    auto = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(auto if options.device == "auto" else options.device)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"--device {options.device}: torch sees {torch.cuda.device_count()} GPUs here. Use --device cpu, or another"
        )

    for name, experiment in chosen.items():
        print(f"{name}, seed {options.seed}, on {device}")
        environment = records.environment(device, options.precision, options.compile)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        train_images = data.load(experiment.dataset, "train", options.data)
        test_images = data.load(experiment.dataset, "test", options.data)
        shortcut = {} if experiment.shortcut is None else {"shortcut": experiment.shortcut}
        generator = torch.Generator().manual_seed(options.seed)
        network = models.MODELS[experiment.model](num_classes=train_images.num_classes, generator=generator, **shortcut)
        run_folder = options.runs / name / f"seed{options.seed}"
        history = train.fit(
            network,
            train_images,
            test_images,
            experiment.recipe,
            seed=options.seed,
            device=device,
            precision=options.precision,
            compiled=options.compile,
            checkpoint=run_folder / "checkpoint.pt",
            log_dir=run_folder / "tensorboard" if options.tensorboard else None,
            progress=not options.quiet,
        )
        record = records.make_record(
            name, options.seed, (train_images, test_images), network, environment, started, history
        )
        path = records.path_of(options.results, name, options.seed)
        records.refuse_to_overwrite(path)
        records.save_weights(network, path.with_suffix(".safetensors"))  # first: the record says that the run is done
        records.save_record(record, options.results)
        (run_folder / "checkpoint.pt").unlink(missing_ok=True)  # it would pass for a run of the same seed again
        print(f"{path}: test error {record.test_error:.2f} % after {history.seconds:.0f} s")
    return 0


def _require_writable(folder: Path) -> None:
    """Make ``folder`` and try to write there, so that it fails before the training and not after it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def show_table(options: argparse.Namespace) -> int:
    """Print recorded results on CIFAR-10 beside the published ones, or put them into a file."""
    from resnet_book import records, tables

    recorded = records.load_all(options.results)
    table = tables.depth_table(recorded)
    as_markdown = options.markdown or options.into
    body = tables.to_markdown(table) if as_markdown else table.to_string() + "\n"
    caption = "Test error (%) on CIFAR-10, mean ± standard deviation (runs):"
    text = f"{caption}\n\n{body}\n{tables.provenance(recorded)}\n"
    if options.into:
        _replace_between_marks(options.into, text)
    else:
        print(text, end="")
    return 0


def _replace_between_marks(path: Path, text: str) -> None:
    begin, end = "<!-- results: begin -->\n", "<!-- results: end -->"
    whole = path.read_text(encoding="utf-8")
    head, found_begin, rest = whole.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{path} has no line {begin.strip()} with a {end} after it")
    path.write_text(head + begin + text + end + tail, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
