"""The command line: ``python -m resnet_book`` or ``resnet-book``. Joins experiment, trainer and record.

Exit status: 0 done; 1 something went wrong, and the message says what; 2 the command is not one; 130 interrupted.
Modules that import torch are imported inside the commands, so that ``--help`` answers at once.
"""

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on where it was.", file=sys.stderr)
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
    data.add_argument("names", nargs="*", default=["cifar10"], metavar="DATASET", help="cifar10 (default), cifar100")
    data.add_argument("--check", action="store_true", help="only check the files; fetch nothing")
    data.set_defaults(command=fetch_data)

    run = commands.add_parser("run", help="train experiments and record what they measured")
    run.add_argument("names", nargs="+", metavar="NAME", help="an experiment, as `list` names it")
    run.add_argument("--seed", type=int, default=0, help="seed of initialisation, order and augmentation (default 0)")
    run.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ... (default: a GPU where there is one)")
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
        if name not in data.LAYOUTS:
            raise ValueError(f"dataset {name!r} cannot be fetched: choose from {', '.join(data.LAYOUTS)}")
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
        if path.exists():
            raise records.RecordError(f"{path} exists, and a record is never overwritten. Move it away to run again.")
    auto = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(auto if options.device == "auto" else options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--device {options.device}: torch sees no GPU on this machine; use --device cpu")

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
        path = records.save_record(record, options.results)
        records.save_weights(network, path.with_suffix(".safetensors"))
        print(f"{path}: test error {record.test_error:.2f} % after {history.seconds:.0f} s")
    return 0


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
