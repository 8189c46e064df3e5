"""The command line: what it prints, what it leaves, and the exit status that a script can rely on."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import torch
from filelock import FileLock
from small_runs import LONGER, NAME, RECIPE, TEST, TINY, add_tiny_experiment, fit, same_weights, tiny

from resnet_book import data, models, train
from resnet_book.analysis import study
from resnet_book.cli import download
from resnet_book.cli.arguments import parser
from resnet_book.cli.main import main
from resnet_book.experiments import catalogue, queue, records, runs, weights
from resnet_book.experiments.child import Run
from resnet_book.report import tables
from resnet_book.run_state import RunState

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments that run the tiny experiment in ``tmp_path``, without a progress bar."""
    add_tiny_experiment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return ["run", NAME, "--device", "cpu", "--quiet"]


def status(arguments: list[str]) -> int | str | None:
    """The exit status of the command line, whether it returns it or, as argparse does, raises it."""
    try:
        return main(arguments)
    except SystemExit as stop:
        return stop.code


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- run ------------------------------------------------------------------------------------------------------------


def test_run_trains_and_leaves_record_and_weights_but_no_checkpoint(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status([*run, "--seed", "3"]) == 0
    written = {str(path.relative_to(tmp_path)) for path in files(tmp_path)}
    folder = f"results/{NAME}"
    assert written == {f"{folder}/seed3.{kind}" for kind in ("json", "safetensors", "study.safetensors")}
    record = records.load_record(tmp_path / folder / "seed3.json")
    assert (record.experiment, record.seed, records.check(record)) == (NAME, 3, [])
    assert record.peak_memory > 0 or sys.platform == "win32"
    assert record.top5_error is not None
    assert 0 <= record.top5_error <= record.test_error
    assert record.superclass_error is None
    output = capsys.readouterr()
    assert f"seed3.json: test error {record.test_error:.2f} %" in output.out
    assert output.err == ""


def test_a_run_whose_record_was_moved_away_is_trained_anew(run: list[str], tmp_path: Path) -> None:
    assert status(run) == 0
    record = tmp_path / "results" / NAME / "seed0.json"
    first = records.load_record(record)
    record.rename(tmp_path / "elsewhere.json")
    assert status(run) == 0
    again = records.load_record(record)
    assert again.epochs == first.epochs
    assert again.train_seconds != first.train_seconds


def test_run_trains_just_what_fit_trains_from_the_same_seed(run: list[str], tmp_path: Path) -> None:
    assert status([*run, "--seed", "3"]) == 0
    network = tiny(seed=3)
    history = fit(network, seed=3)
    loaded, record = weights.load_trained(NAME, 3, tmp_path / "results")
    assert record.epochs == history.epochs
    assert same_weights(loaded, network)
    error = train.evaluate(loaded, TEST, tuple(record.mean), tuple(record.std))[1]
    assert error == record.test_error


def test_run_refuses_to_overwrite_a_record_and_trains_nothing(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(run) == 0
    before = files(tmp_path)
    capsys.readouterr()
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    assert status(run) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("resnet-book: ")
    assert "never overwritten" in output.err
    assert files(tmp_path) == before


def test_run_does_several_experiments_in_turn_and_another_seed_beside(
    run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalogue.EXPERIMENTS, "tiny-again", catalogue.EXPERIMENTS[NAME])
    for seed in ("0", "1"):
        assert status([*run[:2], "tiny-again", *run[2:], "--seed", seed]) == 0
    found = [(record.experiment, record.seed) for record in records.load_all(tmp_path / "results")]
    assert found == [("tiny-again", 0), ("tiny-again", 1), (NAME, 0), (NAME, 1)]


def test_run_in_bfloat16_says_so_in_the_record(run: list[str], tmp_path: Path) -> None:
    assert status([*run, "--precision", "bfloat16"]) == 0
    assert records.load_all(tmp_path / "results")[0].environment["precision"] == "bfloat16"


def test_without_quiet_a_progress_bar_goes_to_standard_error(
    run: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(run[:-1]) == 0
    output = capsys.readouterr()
    assert "epoch 3 of 3" in output.err
    assert "epoch" not in output.out


def test_a_run_that_another_process_trains_is_refused(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "runs" / NAME / "seed0" / "lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        assert status(run) == 75
    message = capsys.readouterr().err
    assert message.startswith("resnet-book: another process trains this run")
    assert str(lock.relative_to(tmp_path)) in message
    assert status(run) == 0


def test_precision_and_compilation_are_those_that_suit_the_device(
    run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "default_precision", lambda device: "bfloat16")
    monkeypatch.setattr(train, "worth_compiling", lambda recipe, device: recipe.iterations > RECIPE.iterations)
    assert status(run) == 0
    assert status([*run, "--precision", "float32", "--seed", "1"]) == 0
    environments = [record.environment for record in records.load_all(tmp_path / "results")]
    assert [each["precision"] for each in environments] == ["bfloat16", "float32"]
    assert [each["compiled"] for each in environments] == [False, False]


def test_an_experiment_with_a_precision_of_its_own_is_trained_in_it_alone(
    run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = replace(catalogue.EXPERIMENTS[NAME], precision="bfloat16")
    monkeypatch.setitem(catalogue.EXPERIMENTS, NAME, experiment)
    assert status([*run, "--precision", "float32"]) == 1
    assert f"{NAME} is trained in bfloat16. Leave --precision out." in capsys.readouterr().err
    assert status(run) == 0
    record = records.load_record(tmp_path / "results" / NAME / "seed0.json")
    assert record.environment["precision"] == "bfloat16"
    assert records.check(record) == []
    record.environment["precision"] = "float32"
    assert records.check(record) == ["it was not trained in bfloat16"]


@pytest.mark.parametrize(
    ("arguments", "expected"), [([], True), (["--compile"], True), (["--no-compile"], False)], ids=str
)
def test_compile_and_no_compile_overrule_what_is_worth_it(
    arguments: list[str], expected: bool, run: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def fit_nothing(*_: object, compiled: bool, **__: object) -> None:
        seen.append(compiled)
        raise RuntimeError("seen")

    monkeypatch.setattr(train, "worth_compiling", lambda recipe, device: True)
    monkeypatch.setattr(train, "fit", fit_nothing)
    assert status([*run, *arguments]) == 1
    assert seen == [expected]


def test_a_report_of_progress_is_kept_while_the_run_is_not_recorded(
    run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, seen = tmp_path / "report.json", []
    whole = runs.write_progress

    def write_and_look(path: Path, progress: runs.Progress) -> None:
        whole(path, progress)
        seen.append(runs.read_progress(report))

    monkeypatch.setattr(runs, "REPORT_SECONDS", 0)
    monkeypatch.setattr(runs, "write_progress", write_and_look)
    assert status([*run, "--report", str(report)]) == 0
    assert [each.iteration for each in seen if each] == list(range(1, 21))
    assert not report.exists()


def test_a_run_that_diverges_is_a_failure_without_a_record(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_experiment(monkeypatch, catalogue.Recipe(iterations=20, batch_size=32, learning_rate=1e30))
    assert status(run) == 1
    assert "not finite at iteration" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.json"))


def test_ctrl_c_exits_130_and_the_same_command_goes_on_to_the_same_record(
    run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a real SIGINT to a real process; ``small_runs.py`` is the command line with the tiny experiment."""
    script = [sys.executable, str(Path(__file__).with_name("small_runs.py"))]
    process = subprocess.Popen(
        [*script, *run], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    checkpoint = tmp_path / "runs" / NAME / "seed0" / "checkpoint.pt"
    while not checkpoint.exists():  # until it trains
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert message == "Interrupted. The same command goes on from what was saved.\n"
    assert not list(tmp_path.rglob("*.json"))
    add_tiny_experiment(monkeypatch, LONGER)
    assert status(run) == 0
    assert status([*run, "--results", "whole", "--runs", "whole-runs"]) == 0
    resumed, whole = (tmp_path / folder / NAME / "seed0.json" for folder in ("results", "whole"))
    assert json.loads(resumed.read_text())["epochs"] == json.loads(whole.read_text())["epochs"]
    weights = [path.with_suffix(".safetensors").read_bytes() for path in (resumed, whole)]
    assert weights[0] == weights[1]


def test_output_that_nobody_reads_to_its_end_is_no_error() -> None:
    command = [sys.executable, "-m", "resnet_book", "curves", "--results", str(ROOT / "results")]
    reading, writing = os.pipe()
    os.close(reading)
    program = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (program.returncode, program.stderr) == (0, "")


# --- What the README promises -----------------------------------------------------------------------------------------

PROMISES = (ROOT / "README.md").read_text("utf-8").split("## The command line\n")[1].split("\n## ")[0]
LINES = re.findall(r"^\$ (.*(?:(?<=\\)\n.*)*)", PROMISES, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_the_readme_works(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a tiny experiment for each that is named, on a CPU, and without torchrun, the queue and the network."""
    words = shlex.split(line, comments=True)
    program = next(index for index, word in enumerate(words) if word in ("resnet-book", "resnet_book"))
    arguments = words[program + 1 :]
    options = parser().parse_args(arguments)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queue, "Queue", NoQueue)
    monkeypatch.setattr(download, "fetch", lambda name, root: None)
    recorded = "results/resnet20-cifar10-short/seed0.json"
    (tmp_path / recorded).parent.mkdir(parents=True)
    shutil.copy(ROOT / recorded, tmp_path / recorded)
    add_tiny_experiment(monkeypatch)
    if options.command == "run":
        arguments += ["--device", "cpu", "--quiet"]
        for name in options.names:
            monkeypatch.setitem(catalogue.EXPERIMENTS, name, catalogue.EXPERIMENTS[NAME])
    if options.command == "features":
        assert status(["run", NAME, "--device", "cpu", "--quiet"]) == 0
        arguments[arguments.index(options.name)] = NAME
    assert status(arguments) == 0
    if options.command == "features":
        assert (tmp_path / options.out).exists()
    if options.command == "run":
        folder = tmp_path / options.results
        assert all(records.path_of(folder, name, options.seed or 0).exists() for name in options.names)
    if options.command == "curves" and options.out:
        assert not pd.read_csv(tmp_path / options.out).empty


def test_the_name_of_an_experiment_chooses_network_and_dataset(run: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def load(name: str, split: str, root: str | None) -> data.ImageSet:
        seen.append((name, split, root))
        return replace(TEST, name=name, class_names=tuple(map(str, range(100))))

    monkeypatch.setattr(data, "load", load)
    recipe = catalogue.Recipe(iterations=1, batch_size=32)
    experiment = catalogue.Experiment("resnet20", "cifar100", "short", recipe)
    monkeypatch.setitem(catalogue.EXPERIMENTS, "resnet20-cifar100-short", experiment)
    assert status(["run", "resnet20-cifar100-short", "--data", "folder", *run[2:]]) == 0
    (record,) = records.load_all(Path("results"))
    assert (record.model["name"], record.model["num_classes"]) == ("resnet20", 100)
    assert record.dataset["name"] == "cifar100"
    assert set(seen) == {("cifar100", "train", "folder"), ("cifar100", "test", "folder")}


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_device_chooses_the_gpu(device: str, run: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def train_nothing(name: str, seed: int, setting: runs.Setting, *_: object) -> None:
        seen.append(setting.device)
        raise RuntimeError("seen")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(runs, "train_and_record", train_nothing)
    assert status([*run, "--device", device]) == 1
    assert seen == [torch.device(device)]


def test_torchrun_chooses_how_many_processes_train_one_network(run: list[str], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nimport pytest\n"
        "from small_runs import add_tiny_experiment, main\n"
        "with pytest.MonkeyPatch.context() as patch:\n"
        "    add_tiny_experiment(patch)\n    sys.exit(main(sys.argv[1:]))\n"
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*torchrun, str(script), *run]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{NAME}, seed 0, on cpu, 2 processes\n")
    (record,) = records.load_all(tmp_path / "results")
    assert (record.environment["processes"], records.check(record)) == (2, [])
    found = study.load(tmp_path / "results" / NAME / "seed0.study.safetensors")
    assert 100 * (found.predicted != found.labels).double().mean().item() == pytest.approx(record.test_error)
    assert record.top5_error is not None


def test_every_file_lies_where_the_command_says(run: list[str], tmp_path: Path) -> None:
    assert status([*run, "--tensorboard", "--runs", "a/runs", "--results", "b/records"]) == 0
    written = {path.relative_to(tmp_path) for path in files(tmp_path)}
    record = Path("b/records", NAME, "seed0.json")
    logs = {path for path in written if path.name.startswith("events.out.tfevents.")}
    weights_and_study = {record.with_suffix(".safetensors"), record.with_suffix(".study.safetensors")}
    assert written == {record, *weights_and_study, *logs}
    assert {path.parent for path in logs} == {Path("a/runs", NAME, "seed0", "tensorboard")}


@pytest.mark.parametrize("validation_images", [0, 64])
def test_tensorboard_shows_errors_losses_and_learning_rate(
    validation_images: int, run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_experiment(monkeypatch, replace(RECIPE, validation_images=validation_images))
    assert status([*run, "--tensorboard"]) == 0
    (record,) = records.load_all(tmp_path / "results")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorBoard's own imports
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(tmp_path / "runs" / NAME / "seed0" / "tensorboard")).Reload()
        shown = {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    tags = ["learning_rate", "train_loss", "train_error", "test_loss", "test_error"]
    tags += ["validation_loss", "validation_error"] if validation_images else []
    assert shown == {
        tag: [(epoch.iteration, pytest.approx(getattr(epoch, tag))) for epoch in record.epochs] for tag in tags
    }


# --- run, in the queue ------------------------------------------------------------------------------------------------


class NoQueue:
    """In place of the queue: keeps what it was told, and trains nothing."""

    told: ClassVar[list["NoQueue"]] = []

    def __init__(self, waiting: list[Run], setting: runs.Setting, **options: object) -> None:
        self.waiting, self.setting, self.options = waiting, setting, options
        self.recorded, self.failed = {}, {}
        self.told.append(self)

    def work(self) -> int:
        return 0

    def left(self) -> list[tuple[Run, str]]:
        return [(run, "") for run in self.waiting]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[NoQueue]:
    """What the queues of this test are told, in an empty folder with the tiny experiment."""
    add_tiny_experiment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queue, "Queue", NoQueue)
    NoQueue.told.clear()
    return NoQueue.told


def test_missing_is_every_run_without_a_record_that_suits_a_cpu(
    told: list[NoQueue], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results" / "resnet20-cifar10-short").mkdir(parents=True)
    (tmp_path / "results" / "resnet20-cifar10-short" / "seed1.json").touch()
    assert status(["run", "--missing", "--device", "cpu"]) == 0
    runs_ = told[0].waiting
    assert Run("resnet20-cifar10-short", 0) in runs_
    assert Run("resnet20-cifar10-short", 1) not in runs_
    assert {run.seed for run in runs_} == {0, 1, 2}
    assert not [run for run in runs_ if run.name == "resnet20-cifar10"]
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert "'*' means all" in output.err
    assert f"without a record: {len(runs_)}" in output.out
    assert f"{len(runs_)} not begun, next plain20-cifar10-short, seed 0" in output.out


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_star_is_every_experiment_and_so_is_nothing_on_a_gpu(
    device: str, told: list[NoQueue], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    names = ["*"] if device == "cpu" else []
    assert status(["run", "--missing", *names, "--device", device, "--seeds", "1"]) == 0
    assert {run.name for run in told[0].waiting} == set(catalogue.EXPERIMENTS)
    assert told[0].waiting[0] == Run("plain20-cifar10", 0)
    assert capsys.readouterr().err == ""


def test_the_queue_is_told_what_the_command_says(told: list[NoQueue], tmp_path: Path) -> None:
    begin = time.monotonic()
    arguments = ["--jobs", "4", "--budget", "1h30m", "--seeds", "2", "--device", "cpu", "--quiet", "--no-compile"]
    folders = ["--results", "a", "--runs", "b", "--data", "c"]
    assert status(["run", "--missing", "*56*-short", *arguments, *folders]) == 0
    (only,) = told
    names = ("plain56-cifar10-short", "resnet56-cifar10-short")
    assert only.waiting == [Run(name, seed) for seed in (0, 1) for name in names]
    began = only.options.pop("began")
    assert isinstance(began, float)
    assert begin <= began <= time.monotonic()
    assert only.options == {"jobs": 4, "budget": 5400.0, "quiet": True}
    assert only.setting == runs.Setting(
        torch.device("cpu"), None, False, Path("a"), Path("b"), data_root="c", progress=False
    )


@pytest.mark.parametrize(
    ("arguments", "seeds"),
    [
        (["--seeds", "5"], [0, 1, 2, 3, 4]),
        (["--jobs", "2"], [0]),
        (["--budget", "90s"], [0]),
        (["--jobs", "2", "--seed", "7"], [7]),
        (["--missing"], [0, 1, 2]),
        (["--missing", "--seed", "7"], [7]),
    ],
    ids=str,
)
def test_each_option_of_the_queue_makes_named_runs_use_it(
    arguments: list[str], seeds: list[int], told: list[NoQueue]
) -> None:
    assert status(["run", NAME, *arguments, "--device", "cpu"]) == 0
    assert told[0].waiting == [Run(NAME, seed) for seed in seeds]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("25m", 1500), ("2h", 7200), ("1h30m", 5400), ("1h0m1s", 3601)]
)
def test_a_budget_is_hours_minutes_and_seconds(text: str, seconds: float, told: list[NoQueue]) -> None:
    assert status(["run", NAME, "--budget", text, "--device", "cpu"]) == 0
    assert told[0].options["budget"] == seconds


# --- Usage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["train"], "invalid choice"),
        (["run"], "NAME"),
        (["run", "resnet20-cifar-10"], "did you mean resnet20-cifar10"),
        (["run", "resnet20-cifar10", "?"], "resnet-book list"),
        (["run", "resnet20-cifar10", "--seed", "-1"], "0 or above"),
        (["run", "resnet20-cifar10", "--seed", "one"], "whole number"),
        (["run", "resnet20-cifar10", "--device", "gpu"], "choose auto, cpu, cuda"),
        (["run", "resnet20-cifar10", "--precision", "float16"], "bfloat16"),
        (["run", "resnet20-cifar10", "--epochs", "3"], "unrecognized"),
        (["run", "--jobs", "2"], "NAME"),
        (["run", "--missing", "resnet*", "*-shrot"], "'*-shrot' matches no experiment"),
        (["run", "--missing", "resnet20-cifar-10"], "did you mean resnet20-cifar10"),
        (["run", "resnet20-*"], "'resnet20-*' is a pattern: add --missing"),
        (["run", "--missing", "--jobs", "0"], "1 or above"),
        (["run", "--missing", "--seeds", "all"], "1 or above"),
        (["run", "--missing", "--seeds", "2", "--seed", "1"], "not allowed with"),
        (["run", "--missing", "--report", "file"], "for one run only"),
        *((["run", "--missing", "--budget", wrong], "as 90s, 25m") for wrong in ("", "25", "0m", "m", "1m1h", "1.5h")),
        (["data", "cifar1000"], "cifar10, cifar100"),
        (["data", "builtin"], "cannot be fetched"),
        (["curves", "resnet20-cifar-10"], "did you mean resnet20-cifar10"),
        *(([command, "--results", "no-such-folder"], "no-such-folder") for command in ("list", "table", "curves")),
        (["features", NAME, "--results", "no-such-folder"], "no-such-folder"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_was_wrong(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(arguments) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert output.out == ""


@pytest.mark.parametrize("command", [[], ["list"], ["data"], ["run"], ["table"], ["curves"], ["features"]])
def test_help_exits_0_and_shows_the_usage(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status([*command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(" ".join(["usage: resnet-book", *command]))


def test_help_answers_in_under_a_second_without_importing_torch() -> None:
    code = "import sys; sys.argv = ['resnet-book', '--help']\nfrom resnet_book.__main__ import main\n"
    code += "try: main()\nfinally: assert not {'torch', 'numpy', 'pandas', 'matplotlib'} & sys.modules.keys()"
    seconds = []
    for _ in range(3):
        begin = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        seconds.append(time.monotonic() - begin)
    assert min(seconds) < 1


def test_the_record_of_a_run_that_went_on_names_the_threads_it_began_with(
    run: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = RunState.measure

    def interrupted(state: RunState, *measured: torch.Tensor) -> None:
        measure(state, *measured)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunState, "measure", interrupted)
        assert main(run) == 130
    torch.set_num_threads(2)
    assert main(run) == 0
    (record,) = records.load_all(Path("results"))
    assert record.environment["device"].endswith(", 1 thread")
    assert torch.get_num_threads() == 2


SCRIPT = Path(sys.executable).with_name("resnet-book")


@pytest.mark.parametrize(
    "program",
    [
        [sys.executable, "-m", "resnet_book"],
        pytest.param(
            [str(SCRIPT)], marks=pytest.mark.skipif(not SCRIPT.exists(), reason="the console script is not installed")
        ),
    ],
    ids=["python -m resnet_book", "resnet-book"],
)
def test_the_program_passes_its_exit_status_on(program: list[str], tmp_path: Path) -> None:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "120"}
        return subprocess.run([*program, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)

    (tmp_path / "results").mkdir()
    listing = call("list")
    assert (listing.returncode, listing.stderr) == (0, "")
    assert "resnet20-cifar10-short" in listing.stdout
    missing = call("data", "--check", "--data", ".")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("resnet-book: cifar10 is not in")
    assert "Traceback" not in missing.stderr
    assert call("run").returncode == 2


# --- list and table -------------------------------------------------------------------------------------------------


def test_list_shows_every_experiment_with_its_recorded_seeds(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in ("10", "9"):
        assert status([*run, "--seed", seed]) == 0
    capsys.readouterr()
    assert status(["list"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["experiment", "recipe", "recorded", "seeds"]
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
    assert list(rows) == list(catalogue.EXPERIMENTS)
    assert rows[NAME] == ["smoke", "9, 10"]
    assert rows["resnet20-cifar10"] == ["paper", "-"]


def test_list_fails_on_a_damaged_record_and_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "resnet20-cifar10" / "seed0.json"
    path.parent.mkdir()
    path.write_text("{")
    assert status(["list", "--results", str(tmp_path)]) == 1
    assert str(path) in capsys.readouterr().err


def test_table_works_with_and_without_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["table", "--results", str(tmp_path)]) == 0
    assert "resnet20" in capsys.readouterr().out
    recorded = Path(__file__).parent.parent / "results"
    name = "resnet20-cifar10-short/seed0.json"
    (tmp_path / name).parent.mkdir()
    shutil.copy(recorded / name, tmp_path / name)
    assert status(["table", "--results", str(tmp_path)]) == 0
    assert f"{records.load_record(recorded / name).test_error:.2f} (1 run)" in capsys.readouterr().out


def test_table_into_a_file_replaces_what_is_between_the_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n")
    assert status(["table", "--results", str(tmp_path), "--into", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- results: begin -->\nNetworks of 6n+2 layers")
    assert text.endswith("<!-- results: end -->\nafter\n")
    assert "old" not in text


@pytest.mark.parametrize(
    ("name", "said"), [("plain10-cifar10", "`plain10-cifar10-short`"), ("resnet110-cifar10", "days")]
)
def test_a_long_run_on_a_cpu_is_warned_of(
    name: str, said: str, run: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def locked(*_: object) -> None:
        raise runs.LockedError("another process trains it")

    monkeypatch.setattr(runs, "train_and_record", locked)
    assert status(["run", name, "--device", "cpu"]) == runs.EXIT_LOCKED
    assert said in capsys.readouterr().err
    assert status(["run", "resnet20-cifar10-short", "--device", "cpu"]) == runs.EXIT_LOCKED
    assert "days" not in capsys.readouterr().err


def test_the_table_says_what_it_does_not_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = Path(__file__).parent.parent / "results" / "resnet20-builtin-smoke"
    (tmp_path / recorded.name).mkdir()
    shutil.copy(recorded / "seed0.json", tmp_path / recorded.name)
    assert status(["table", "--results", str(tmp_path)]) == 0
    assert "1 more recorded run: `table --records`" in capsys.readouterr().err


def test_table_into_a_file_that_is_not_there_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["table", "--results", str(tmp_path), "--into", str(tmp_path / "page.md")]) == 1
    assert "page.md has no line <!-- results: begin -->" in capsys.readouterr().err


def test_table_into_a_file_without_marks_fails_and_leaves_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks")
    assert status(["table", "--results", str(tmp_path), "--into", str(page)]) == 1
    assert "results: begin" in capsys.readouterr().err
    assert page.read_text() == "no marks"


def test_table_of_records_shows_every_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = Path(__file__).parent.parent / "results"
    assert status(["table", "--records", "--results", str(recorded)]) == 0
    text = capsys.readouterr().out
    assert text == tables.to_markdown(tables.record_table(records.load_all(recorded)))
    page = tmp_path / "page.md"
    page.write_text("<!-- results: begin -->\n<!-- results: end -->\n<!-- records: begin -->\n<!-- records: end -->\n")
    assert status(["table", "--records", "--results", str(recorded), "--into", str(page)]) == 0
    marks = "<!-- results: begin -->\n<!-- results: end -->\n<!-- records: begin -->\n"
    assert page.read_text() == f"{marks}{text}<!-- records: end -->\n"


# --- curves -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[records.Record]:
    """Records of two tiny networks that have a depth, one of them with validation images, in ``results``."""
    for name, held_out in (("plain6", 0), ("resnet6", 64)):
        recipe = replace(RECIPE, validation_images=held_out)
        monkeypatch.setitem(models.MODELS, name, TINY)
        experiment = catalogue.Experiment(name, "builtin", "smoke", recipe)
        monkeypatch.setitem(catalogue.EXPERIMENTS, f"{name}-builtin-smoke", experiment)
    assert status(["run", "plain6-builtin-smoke", "resnet6-builtin-smoke", *run[2:]]) == 0
    return records.load_all(tmp_path / "results")


def test_curves_are_a_file_that_pandas_reads_in_one_line(recorded: list[records.Record], tmp_path: Path) -> None:
    assert status(["curves", "--out", "new/curves.csv"]) == 0
    frame = pd.read_csv(tmp_path / "new" / "curves.csv")
    pd.testing.assert_frame_equal(frame, tables.curves(recorded), check_exact=True, check_dtype=False)
    for record in recorded:
        rows = frame[frame.experiment == record.experiment]
        assert rows.epoch.tolist() == list(range(1, len(record.epochs) + 1))
        for column in ("iteration", "learning_rate", "train_error", "test_loss", "test_error"):
            assert rows[column].tolist() == [getattr(epoch, column) for epoch in record.epochs]
        validation = [epoch.validation_error for epoch in record.epochs]
        assert (
            rows.validation_error.isna().all() if None in validation else rows.validation_error.tolist() == validation
        )
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["curves.csv"]


def test_curves_without_a_file_go_to_standard_output(
    recorded: list[records.Record], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert status(["curves", "resnet6-builtin-smoke"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    frame = pd.read_csv(StringIO(output.out))
    assert set(frame.experiment) == {"resnet6-builtin-smoke"}
    assert len(frame) == len(recorded[1].epochs)


def test_curves_of_no_records_have_the_columns_and_no_rows(run: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["curves"]) == 0
    frame = pd.read_csv(StringIO(capsys.readouterr().out))
    assert frame.empty
    assert "test_error" in frame.columns


def test_curves_of_what_is_not_recorded_say_how_to_record_it(
    recorded: list[records.Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert status(["curves", "plain6-builtin-smoke", "resnet20-cifar10", "--out", "curves.csv"]) == 1
    output = capsys.readouterr()
    assert (
        output.err
        == "resnet-book: resnet20-cifar10 has no record in results: `resnet-book run resnet20-cifar10` makes one.\n"
    )
    assert output.out == ""
    assert not (tmp_path / "curves.csv").exists()
