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
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from filelock import FileLock
from PIL import Image
from safetensors.torch import load_file
from small_runs import LONGER, NAME, TEST, TRAIN, add_tiny_experiment, fit, never_stopped, same_weights, tiny
from sweep_runs import wait_for

from resnet_book import __version__, cifar, data, train
from resnet_book.cli import arguments, fetch
from resnet_book.cli.main import DATASETS, EXIT_LOCKED, program
from resnet_book.engine import checkpointing, checkpoints, device
from resnet_book.experiments import (
    catalogue,
    clusters,
    landscape_survey,
    lesion_survey,
    records,
    signal_survey,
    sweep,
    verification,
    weights,
)
from resnet_book.experiments import run as runs
from resnet_book.experiments.landscape_records import LANDSCAPE
from resnet_book.experiments.order import Run
from resnet_book.report import tables

ROOT = Path(__file__).parent.parent
RECORDED = ROOT / "results"
SCRIPT = Path(sys.executable).with_name("resnet-book")
SHORT = "resnet20-cifar10-short"


def call(*typed: str) -> Result:
    """What comes of a command typed in this process: ``exit_code``, ``stdout``, ``stderr``."""
    return CliRunner(catch_exceptions=False).invoke(program, typed, prog_name="resnet-book")


@pytest.fixture
def tiny_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words that run the tiny experiment in ``tmp_path``, without a progress bar."""
    add_tiny_experiment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return ["run", NAME, "--device", "cpu", "--quiet"]


@pytest.fixture
def few_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[records.Record]:
    """Some records, one of them with validation errors, in ``results`` of the folder that the command works in."""
    for name in ("plain20-builtin-smoke", SHORT, "resnet10-cifar10-short"):
        shutil.copytree(RECORDED / name, tmp_path / "results" / name)
    monkeypatch.chdir(tmp_path)
    return records.load_all("results")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- run ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, set[tuple[str, ...]]]:
    """A run that names each folder: the folder that it worked in, what it printed, which images it loaded."""
    folder, loaded = tmp_path_factory.mktemp("finished"), set()

    def load(*wanted: str) -> data.ImageSet:
        loaded.add(wanted)
        return {"train": TRAIN, "test": TEST}[wanted[1]]

    with pytest.MonkeyPatch.context() as patch:
        add_tiny_experiment(patch)
        patch.setattr(data, "load", load)
        patch.chdir(folder)
        places = ["--data", "images", "--runs", "a/runs", "--results", "b/records"]
        return folder, call("run", NAME, "--seed", "3", "--device", "cpu", "--tensorboard", *places), loaded


def test_run_leaves_record_weights_study_and_logs_where_it_was_told_to_and_no_checkpoint(finished: Any) -> None:
    folder, _, loaded = finished
    written = set(files(folder))
    logs = {path for path in written if path.startswith(f"a/runs/{NAME}/seed3/tensorboard/events.out.tfevents.")}
    assert len(logs) == 1
    assert written - logs == {f"b/records/{NAME}/seed3.{end}" for end in ("json", "safetensors", "study.safetensors")}
    assert loaded == {("builtin", "train", Path("images")), ("builtin", "test", Path("images"))}


@pytest.mark.usefixtures("tiny_run")  # reading a record asks what its experiment is
def test_results_go_to_standard_output_and_progress_to_standard_error(finished: Any) -> None:
    folder, done, _ = finished
    record = records.load_record(folder / "b" / "records" / NAME / "seed3.json")
    assert done.exit_code == 0
    said = done.stdout.splitlines()
    assert said[0] == f"{NAME}, seed 3, on cpu"
    assert said[1].startswith(f"b/records/{NAME}/seed3.json: test error {record.test_error:.2f} % after")
    assert "epoch 3 of 3" in done.stderr


@pytest.mark.usefixtures("tiny_run")
def test_run_trains_just_what_fit_trains_from_the_same_seed(finished: Any) -> None:
    network = tiny(seed=3)
    history = fit(network, seed=3)
    loaded, record = weights.load_network(NAME, 3, finished[0] / "b" / "records")
    assert record.epochs == history.epochs
    assert same_weights(loaded, network)
    assert train.evaluate(loaded, TEST, record.mean, record.std)[1] == record.test_error


def test_weights_are_kept_along_the_way_where_that_is_wanted(
    tiny_run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(*tiny_run, "--keep-weights").exit_code == 0
    kept = {int(path.stem): load_file(path) for path in tmp_path.glob("runs/*/seed0/weights/*.safetensors")}
    assert sorted(kept) == [0, 1, 3, 10, 12, 16, 20]  # RECIPE drops the learning rate at 12 and 16
    begun, (trained, _) = tiny().state_dict(), weights.load_network(NAME, 0, tmp_path / "results")
    assert all(torch.equal(kept[0][name], begun[name]) for name in begun)
    assert all(torch.equal(kept[20][name], value) for name, value in trained.state_dict().items())
    assert not torch.equal(kept[12]["classifier.weight"], kept[16]["classifier.weight"])


def test_run_refuses_to_overwrite_a_record_and_trains_nothing(
    few_records: list[records.Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    before = files(tmp_path)
    refused = call("run", SHORT, "--device", "cpu", "--quiet")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"resnet-book: results/{SHORT}/seed0.json exists")
    assert "never overwritten" in refused.stderr
    assert files(tmp_path) == before


def test_of_several_runs_those_that_are_recorded_are_left_out(
    few_records: list[records.Record], asked: list[tuple[Any, ...]]
) -> None:
    """So after Ctrl-C in the second one, the same command goes on there."""
    typed = ["run", SHORT, "plain20-cifar10-short", "--device", "cpu", "--quiet"]
    assert call(*typed).stderr.startswith(f"results/{SHORT}/seed0.json is there already, so this run is left out.\n")
    assert [(name, seed) for name, seed, _ in asked] == [("plain20-cifar10-short", 0)]


def test_a_run_that_another_process_trains_is_refused_with_75(tiny_run: list[str], tmp_path: Path) -> None:
    lock = tmp_path / "runs" / NAME / "seed0" / "lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        refused = call(*tiny_run, "--results", "results")
    assert refused.exit_code == 75
    assert refused.stderr.startswith("resnet-book: another process trains this run")
    assert str(lock.relative_to(tmp_path)) in refused.stderr


def test_a_run_that_diverges_is_a_failure_without_a_record(
    tiny_run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_experiment(monkeypatch, catalogue.Recipe(iterations=20, batch_size=32, learning_rate=1e30))
    failed = call(*tiny_run)
    assert failed.exit_code == 1
    assert "not finite" in failed.stderr
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("typed", "own", "expected"),
    [
        ([], None, ("bfloat16", True)),
        (["--precision", "float32", "--compile"], None, ("float32", True)),
        (["--no-compile"], None, ("bfloat16", False)),
        ([], "float32", ("float32", True)),
    ],
    ids=str,
)
def test_precision_and_compilation_are_what_was_typed_or_else_what_suits(
    typed: list[str],
    own: str | None,
    expected: tuple[str, bool],
    tiny_run: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fit_nothing(*_: object, engine: device.Engine, **__: object) -> None:
        raise RuntimeError(f"seen: {(engine.precision, engine.compiled)}")

    monkeypatch.setattr(device, "default_precision", lambda device: "bfloat16")
    monkeypatch.setattr(device, "worth_compiling", lambda iterations, device: True)
    monkeypatch.setattr(train, "fit", fit_nothing)
    monkeypatch.setitem(catalogue.EXPERIMENTS, NAME, replace(catalogue.EXPERIMENTS[NAME], precision=own))
    assert f"seen: {expected}" in call(*tiny_run, *typed).stderr
    if own:
        assert f"{NAME} is trained in float32" in call(*tiny_run, "--precision", "bfloat16").stderr


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """With what ``train_and_record`` was called; it says that another process trains the run."""
    calls = []

    def train_nothing(*wanted: object) -> None:
        calls.append(wanted)
        raise runs.LockedError("another process trains it")

    monkeypatch.setattr(runs, "train_and_record", train_nothing)
    return calls


def test_what_is_typed_reaches_the_run(tiny_run: list[str], asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    typed = ["--seed", "7", "--device", "cuda:1", "--results", "a", "--runs", "b", "--data", "c"]
    assert call("run", NAME, *typed).exit_code == EXIT_LOCKED
    options = runs.Options("cuda:1", results=Path("a"), runs=Path("b"), data_root=Path("c"))
    assert asked == [(NAME, 7, options)]
    monkeypatch.setenv("RESNET_BOOK_RESULTS", "elsewhere")
    call(*tiny_run)
    elsewhere = runs.Options("cpu", results=Path("elsewhere"), runs=Path("runs"), progress=False)
    assert asked[1] == (NAME, 0, elsewhere)


def test_a_run_is_recorded_where_commands_read_and_refused_where_it_is_recorded(
    tiny_run: list[str], few_records: list[records.Record], asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    call(*tiny_run)
    assert asked[-1][-1].results == Path("../results")
    assert "a record is never overwritten" in call("run", SHORT, "--device", "cpu").stderr
    call(*tiny_run, "--results", "results")
    assert asked[-1][-1].results == Path("results")


def test_it_is_said_where_a_new_record_hides_others(
    tiny_run: list[str], few_records: list[records.Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hides = f"show them from now on, and no more those in {records.PACKAGE.parent / 'results'}"
    assert hides not in call(*tiny_run).stderr  # recorded beside others
    (tmp_path / "far" / "away").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "far" / "away")
    assert hides not in call(*tiny_run, "--results", "named").stderr
    assert hides in call(*tiny_run).stderr
    assert hides not in call(*tiny_run, "--seed", "1").stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [("plain10-cifar10", "`plain10-cifar10-short`"), ("resnet110-cifar10", "days"), (SHORT, "")],
)
def test_a_long_run_on_a_cpu_is_warned_of(name: str, said: str, tiny_run: list[str], asked: Any) -> None:
    warning = call("run", name, "--device", "cpu").stderr
    assert said in warning
    assert ("hours to days on a CPU" in warning) == bool(said)


@pytest.mark.slow
def test_ctrl_c_exits_130_and_the_same_command_goes_on_to_the_same_record(
    tiny_run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a real SIGINT to a real process; ``small_runs.py`` is the command line with the tiny experiment."""
    script = [sys.executable, str(Path(__file__).with_name("small_runs.py"))]
    process = subprocess.Popen(
        [*script, *tiny_run], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    checkpoint = tmp_path / "runs" / NAME / "seed0" / "checkpoint.pt"
    wait_for(lambda: checkpoint.exists() or process.poll() is not None)  # until it trains
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert message == "Interrupted. The same command goes on from what was saved, if anything was yet.\n"
    assert not list(tmp_path.rglob("*.json"))
    add_tiny_experiment(monkeypatch, LONGER)
    assert call(*tiny_run).exit_code == 0
    resumed, record = weights.load_network(NAME, 0, tmp_path / "results")
    network, history = never_stopped()
    assert record.epochs == history.epochs
    assert same_weights(resumed, network)


# --- run, as a sweep --------------------------------------------------------------------------------------------------


@pytest.fixture
def swept(tiny_run: list[str], monkeypatch: pytest.MonkeyPatch) -> list[tuple[sweep.Sweep, list[Run]]]:
    """The sweeps of this test, which train nothing, and their runs; in an empty folder with the tiny experiment."""
    found: list[tuple[sweep.Sweep, list[Run]]] = []
    init = sweep.Sweep.__init__

    def note(self: sweep.Sweep, *given: Any, **how: Any) -> None:
        init(self, *given, **how)
        found.append((self, []))

    def missing(self: sweep.Sweep, *what: Any) -> list[Run]:
        found[-1][1].extend(waiting := own_missing(self, *what))
        self.left = [(run, "") for run in waiting]
        return []

    own_missing = sweep.Sweep._missing
    monkeypatch.setattr(sweep.Sweep, "__init__", note)
    monkeypatch.setattr(sweep.Sweep, "_missing", missing)
    monkeypatch.setattr(sweep.worker, "look", lambda options, names: (options.device.split(":")[0], {}))
    return found


def test_missing_is_every_run_without_a_record_that_suits_a_cpu(swept: list[Any], tmp_path: Path) -> None:
    (tmp_path / "results" / SHORT).mkdir(parents=True)
    (tmp_path / "results" / SHORT / "seed1.json").touch()
    done = call("run", "--missing", "--device", "cpu")
    waiting = swept[0][1]
    assert done.exit_code == 0
    assert Run(SHORT, 0) in waiting
    assert Run(SHORT, 1) not in waiting
    assert {run.seed for run in waiting} == {0, 1, 2}
    assert not [run for run in waiting if run.name == "resnet20-cifar10"]
    assert done.stderr.count("\n") == 1
    assert "'*' means all" in done.stderr
    assert f"without a record: {len(waiting)}" in done.stdout
    assert f"{len(waiting)} not begun, next {waiting[0]}" in done.stdout


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_star_is_every_experiment_and_so_is_nothing_on_a_gpu(device: str, swept: list[Any]) -> None:
    names = ["*"] if device == "cpu" else []
    words = [*names, "--device", device, "--seeds", "1", "--results", "results"]
    assert call("run", "--missing", *words).stderr == ""
    assert {run.name for run in swept[0][1]} == set(catalogue.EXPERIMENTS)
    assert swept[0][1][0] == Run("plain20-cifar10", 0)


def test_the_sweep_is_told_what_the_command_says(swept: list[Any], tmp_path: Path) -> None:
    begin = time.monotonic()
    typed = ["--jobs", "4", "--budget", "1h30m", "--seeds", "2", "--device", "cpu", "--quiet", "--no-compile"]
    folders = ["--results", "a", "--runs", "b", "--data", "c"]
    assert call("run", "--missing", "*56*-short", *typed, *folders).exit_code == 0
    ((work, waiting),) = swept
    names = ("plain56-cifar10-short", "resnet56-cifar10-short")
    assert waiting == [Run(name, seed) for seed in (0, 1) for name in names]
    assert begin <= work.end - 5400 <= time.monotonic()
    assert (work.jobs, work.cluster) == (4, None)
    a, b, c = (tmp_path / name for name in "abc")  # on a worker elsewhere they mean the same
    assert work.options == runs.Options("cpu", None, False, results=a, runs=b, data_root=c, progress=False)


@pytest.mark.parametrize(
    ("typed", "seeds"),
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
def test_each_option_of_the_sweep_makes_named_runs_use_it(typed: list[str], seeds: list[int], swept: list[Any]) -> None:
    assert call("run", NAME, *typed, "--device", "cpu").exit_code == 0
    assert swept[0][1] == [Run(NAME, seed) for seed in seeds]


def test_ctrl_c_is_still_counted_once_the_batch_systems_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        monkeypatch.delitem(sys.modules, name)  # imported for the first time again
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="one of"), clusters.join("abacus", 1):
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_the_wait_for_a_scheduler_ends_with_the_budget(tiny_run: list[str]) -> None:
    pytest.importorskip("distributed")
    began = time.monotonic()
    failed = call(*tiny_run, "--cluster", "tcp://127.0.0.1:9", "--budget", "2s")
    assert failed.exit_code == 1
    assert "tcp://127.0.0.1:9" in failed.stderr
    assert time.monotonic() - began < 20  # dask alone waits for 30


@pytest.mark.parametrize("where", ["", "slrum", "localhost:8786"])
def test_a_cluster_that_is_none_is_named_with_those_there_are(where: str, tiny_run: list[str]) -> None:
    pytest.importorskip("dask_jobqueue")
    failed = call(*tiny_run, "--cluster", where)
    assert failed.exit_code == 1
    assert f"--cluster {where}: give the address of a scheduler, tcp://host:8786, or one of" in failed.stderr
    assert "slurm" in failed.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("25m", 1500), ("2h", 7200), ("1h30m", 5400), ("1h0m1s", 3601)]
)
def test_a_budget_is_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert arguments.budget(text) == seconds


# --- What README and book promise -------------------------------------------------------------------------------------

README, PAGE = ((ROOT / path).read_text("utf-8") for path in ("README.md", "book/commands.md"))
PROMISES = README.split("## The command line\n")[1].split("\n## ")[0] + PAGE
LINES = re.findall(r"^\$ (.*(?:(?<=\\)\n.*)*resnet[-_]book .*)", PROMISES, re.MULTILINE)


@pytest.mark.parametrize("line", sorted({line for line in LINES if "COMPLETE" not in line}))
def test_every_line_of_readme_and_book_works(
    line: str, few_records: list[records.Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU, and without training, torchrun, the sweep and the network that data come from."""

    def record(name: str, seed: int, options: runs.Options, *_: object) -> object:
        written.append(records.path_of(options.results, name, seed))
        return SimpleNamespace(test_error=9.0, seconds=60.0)

    written = list[Path]()
    for folder in ("cifar", "my-results"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (40, 30), "red").save("cat.jpg")
    monkeypatch.setattr(sweep.Sweep, "work", lambda *_, **__: 0)
    monkeypatch.setattr(runs, "train_and_record", record)
    monkeypatch.setattr(verification, "repeat_tests", lambda *_: None)
    kept = SimpleNamespace(cuts=[], slices=[], curvatures=[], lines=[], stages=[])
    monkeypatch.setattr(lesion_survey, "make_lesions", lambda *_, **__: kept)
    monkeypatch.setattr(landscape_survey, "make_landscape", lambda *_, **__: kept)
    monkeypatch.setattr(signal_survey, "make_signals", lambda *_, **__: kept)
    words = shlex.split(line, comments=True)
    program = next(index for index, word in enumerate(words) if word in ("resnet-book", "resnet_book"))
    typed = words[program + 1 :]
    if typed[0] == "data":
        monkeypatch.setattr(fetch, "fetch", lambda name, root: [TRAIN, TEST])
    if typed[0] == "features":  # the images of CIFAR-10 need not be there
        typed[1] = "plain20-builtin-smoke"
    if typed[0] == "run":
        typed += ["--device", "cpu"]
    if typed[:2] == ["run", SHORT]:
        shutil.rmtree(tmp_path / "results" / SHORT)
    assert call(*typed).exit_code == 0
    if typed[0] == "run" and "--missing" not in typed:
        results = typed[typed.index("--results") + 1] if "--results" in typed else "results"
        assert [path.parent for path in written] == [Path(results, typed[1])]
    if "--out" in typed:
        assert (tmp_path / typed[typed.index("--out") + 1]).stat().st_size > 0


# --- Usage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], "COMMAND"),
        (["tabel"], "Did you mean 'table'"),
        (["run"], "NAME"),
        (["run", "resnet20-cifar-10"], "did you mean resnet20-cifar10"),
        (["run", "ResNet20-CIFAR10"], "did you mean resnet20-cifar10"),
        (["run", "resnet20-cifar10", "!"], "resnet-book list"),
        (["run", "resnet20-cifar10", "--seed", "-1"], "x>=0"),
        (["run", "resnet20-cifar10", "--seed", "one"], "not a valid integer"),
        (["run", "resnet20-cifar10", "--device", "gpu"], "choose auto, cpu, cuda"),
        (["run", "resnet20-cifar10", "--precision", "float16"], "bfloat16"),
        (["run", "resnet20-cifar10", "--epochs", "3"], "No such option"),
        (["run", "--jobs", "2"], "NAME"),
        (["run", "--missing", "resnet*", "*-shrot"], "'*-shrot' matches no experiment"),
        (["run", "--missing", "resnet20-cifar-10"], "did you mean resnet20-cifar10"),
        (["run", "resnet20-*"], "'resnet20-*' is a pattern: add --missing"),
        (["run", "--missing", "--jobs", "0"], "x>=1"),
        (["run", "--missing", "--seeds", "all"], "not a valid integer"),
        (["run", "--missing", "--seeds", "2", "--seed", "1"], "not allowed with"),
        (["run", "--missing", "--seeds", "1001"], "1<=x<=1000"),
        (["run", "resnet20-cifar10", "--device", "cuda:99999999999999999999"], "choose auto, cpu, cuda"),
        *((["run", SHORT, option, ""], "it is empty: name a folder") for option in ("--results", "--runs", "--data")),
        *(
            (["run", "--missing", "--budget", wrong], "as 90s, 25m")
            for wrong in ("", "25", "0m", "m", "1m1h", "1.5h", 400 * "9" + "h")
        ),
        (["data", "cifar1000"], "'cifar10', 'cifar100'"),
        (["data", "builtin"], "'cifar10', 'cifar100'"),
        (["curves", "resnet20-cifar-10"], "did you mean resnet20-cifar10"),
        (["run", "resnet20"], "did you mean resnet20-cifar10 or resnet20-cifar10-short"),
        (["run", "plain20-cifar-10"], "did you mean plain20-cifar10 or"),
        (["classify"], "PICTURE"),
        (["classify", "no-such-picture.png"], "no-such-picture.png"),
        (["classify", __file__, "--network", "resnet20-cifar-10"], "did you mean resnet20-cifar10"),
        *(
            ([*command, "--results", "nowhere"], "'nowhere' does not exist")
            for command in (["list"], ["table"], ["curves"])
        ),
        *(([command, "--results", __file__], "is a file") for command in ("list", "table", "curves")),
        (["features", SHORT, "--results", "nowhere"], "'nowhere' does not exist"),
        (["lesions", SHORT, "--results", "nowhere"], "'nowhere' does not exist"),
        (["lesions", "resnet20-cifar-10"], "did you mean resnet20-cifar10"),
        (["landscape", SHORT, "--results", "nowhere"], "'nowhere' does not exist"),
        *((["landscape", SHORT, "--runs", typo], f"{typo!r} does not exist") for typo in ("nowhere", "")),
        (["list", "--runs", "."], "add --under-way"),
        (["list", "--under-way", "--runs", "nowhere"], "'nowhere' does not exist"),
        *((["curves", "--out", wrong], f"{wrong!r}: name a file") for wrong in ("", "/")),
        (["table", "--into", "no-page.md"], "'no-page.md' does not exist"),
        (["table", "--records", "--markdown"], "--records means Markdown anyway"),
        (["table", "--into", __file__, "--markdown"], "--into means Markdown anyway"),
        (["verify", "--data", "cifar"], "images for --again"),
        (["classify", __file__, "--results", "nowhere"], "'nowhere' does not exist"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_was_wrong(typed: list[str], message: str) -> None:
    wrong = call(*typed)
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert message in wrong.stderr


def test_the_datasets_that_can_be_fetched_are_those_that_the_package_reads() -> None:
    assert set(DATASETS) == set(cifar.FORMATS)


@pytest.mark.parametrize("command", [[], *([name] for name in program.commands)], ids=str)
def test_help_exits_0_and_shows_the_usage(command: list[str]) -> None:
    assert call(*command, "--help").stdout.startswith(" ".join(["Usage: resnet-book", *command]))


def test_the_version_is_the_packages() -> None:
    assert call("--version").stdout == f"resnet-book, version {__version__}\n"


def test_a_shell_completes_commands_and_experiments() -> None:
    def completed(line: str) -> list[str]:
        words = {"_RESNET_BOOK_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        answer = CliRunner().invoke(program, [], prog_name="resnet-book", env=words).stdout
        return [each.removeprefix("plain,") for each in answer.split()]

    assert completed("resnet-book f") == ["features"]
    assert completed("resnet-book run --missing resnet20-cifar10-s") == [SHORT, f"{SHORT}-warmup", f"{SHORT}-bfloat16"]
    assert completed("resnet-book classify --network resnet110-cifar10-n") == ["resnet110-cifar10-no-warmup"]


# --- The program, in a process of its own -----------------------------------------------------------------------------


def status(program: list[str], *typed: str) -> int:
    return subprocess.run([*program, *typed], capture_output=True).returncode


@pytest.mark.slow
def test_the_program_passes_its_exit_status_on() -> None:
    module = [sys.executable, "-m", "resnet_book"]
    assert status(module, "--version") == 0
    assert status(module, "data", "--check", "--data", "no-such-folder") == 1
    assert status(module, "run") == 2


@pytest.mark.skipif(not SCRIPT.exists(), reason="the script is not installed")
def test_the_script_is_the_same_program() -> None:
    assert status([str(SCRIPT)], "--version") == 0
    assert status([str(SCRIPT)], "run") == 2


@pytest.mark.slow
def test_output_that_nobody_reads_to_its_end_is_no_error(tmp_path: Path) -> None:
    shutil.copytree(RECORDED / SHORT, tmp_path / SHORT)
    command = [sys.executable, "-m", "resnet_book", "list", "--results", str(tmp_path)]
    reading, writing = os.pipe()
    os.close(reading)
    program = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (program.returncode, program.stderr) == (0, "")


# --- list and table -------------------------------------------------------------------------------------------------


def test_records_of_another_place_are_read_where_there_are_none_and_that_is_said(
    few_records: list[records.Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = call("list")
    assert here.stderr == ""
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    above = call("list")
    assert above.stdout == here.stdout
    assert "those in ../results" in above.stderr
    assert call("list", "--results", "../results").stderr == ""
    monkeypatch.setenv("RESNET_BOOK_RESULTS", str(tmp_path / "results"))
    assert f"those in {tmp_path / 'results'}" in call("list").stderr
    monkeypatch.setenv("RESNET_BOOK_RESULTS", "nowhere")
    assert call("list").exit_code == 2


def test_list_shows_every_experiment_with_its_recorded_seeds(few_records: list[records.Record]) -> None:
    header, *lines = call("list").stdout.splitlines()
    assert header.split() == ["experiment", "recipe", "recorded", "seeds"]
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
    assert list(rows) == list(catalogue.EXPERIMENTS)
    assert rows[SHORT] == ["short", "0, 1, 2"]
    assert rows["resnet20-cifar10"] == ["paper", "-"]


def test_list_shows_what_is_under_way_and_how_far(
    few_records: list[records.Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(iteration: int, _: object) -> None:
        if iteration == 20:
            raise KeyboardInterrupt

    add_tiny_experiment(monkeypatch, LONGER)
    monkeypatch.setattr(checkpointing, "CHECKPOINT_SECONDS", 0)
    for seed in range(2):
        with pytest.raises(KeyboardInterrupt):
            fit(
                tiny(),
                recipe=LONGER,
                checkpoint=tmp_path / "runs" / NAME / f"seed{seed}" / "checkpoint.pt",
                on_step=stop,
            )
    damaged = tmp_path / "runs" / NAME / "seed1" / "checkpoint.pt"
    damaged.write_bytes(b"?")
    shutil.copytree(tmp_path / "runs" / NAME / "seed0", tmp_path / "runs" / SHORT / "seed0")  # it is recorded
    first, second = call("list", "--under-way").stdout.splitlines()
    assert re.fullmatch(rf"{NAME}, seed 0: 19 of 100 iterations, test error [\d.]+ %, about 0\.0 hours left", first)
    assert second.startswith(f"{NAME}, seed 1: {damaged.relative_to(tmp_path)} is not a checkpoint")
    older = tmp_path / "runs" / NAME / "seed0" / "checkpoint.pt"
    state = checkpoints.load(older)
    assert state is not None
    state["history"]["what there once was"] = None
    checkpoints.save(state, older)
    assert "seed0/checkpoint.pt is of another version of this code." in call("list", "--under-way").stdout
    shutil.rmtree(tmp_path / "runs" / NAME)
    nothing = call("list", "--under-way")
    assert nothing.stdout == ""
    assert nothing.stderr == "No run is under way in runs; begun there, with a record in results: 1.\n"
    assert call("list", "--under-way", "--runs", "results").stderr == "No run is under way in results.\n"


@pytest.mark.parametrize("command", ["list", "table", "curves"])
def test_a_damaged_record_is_named_and_fails(command: str, tmp_path: Path) -> None:
    path = tmp_path / "resnet20-cifar10" / "seed0.json"
    path.parent.mkdir()
    path.write_text("{")
    failed = call(command, "--results", str(tmp_path))
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert str(path) in failed.stderr


def test_table_shows_what_is_recorded_and_says_what_it_leaves_out(few_records: list[records.Record]) -> None:
    shown = call("table")
    errors = pd.Series([record.test_error for record in few_records if record.experiment == SHORT])
    assert f"{errors.mean():.2f} ± {errors.std():.2f} (3 runs)" in shown.stdout
    assert "3 more recorded runs: `table --records`" in shown.stderr
    assert call("table", "--records").stdout == tables.to_markdown(tables.record_table(few_records))


@pytest.mark.parametrize(("option", "mark"), [([], "results"), (["--records"], "records")])
def test_table_into_a_file_replaces_what_is_between_the_marks_alone(
    option: list[str], mark: str, few_records: list[records.Record], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    blocks = {name: f"<!-- {name}: begin -->\nold\n<!-- {name}: end -->\n" for name in ("results", "records")}
    page.write_text("before\n" + "".join(blocks.values()) + "after\n")
    assert call("table", *option, "--into", "page.md").stdout == ""
    new = call("table", *(option or ["--markdown"])).stdout
    blocks[mark] = blocks[mark].replace("old\n", new)
    assert page.read_text() == "before\n" + "".join(blocks.values()) + "after\n"


def test_table_into_a_file_without_marks_fails_and_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("no marks")
    failed = call("table", "--results", str(tmp_path), "--into", str(tmp_path / "page.md"))
    assert failed.exit_code == 1
    assert "page.md has no line <!-- results: begin -->" in failed.stderr
    assert files(tmp_path) == {"page.md": b"no marks"}


def test_table_into_a_file_that_cannot_be_written_whole_leaves_it(
    few_records: list[records.Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    Path("page.md").write_text(page := "<!-- results: begin -->\nold\n<!-- results: end -->\n")
    monkeypatch.setattr(os, "fsync", fail)
    assert "--into: page.md cannot be written (No space left" in call("table", "--into", "page.md").stderr
    assert Path("page.md").read_text() == page


# --- curves -----------------------------------------------------------------------------------------------------------


def test_curves_are_a_file_that_pandas_reads_in_one_line(few_records: list[records.Record], tmp_path: Path) -> None:
    assert call("curves", "--out", "new/curves.csv").exit_code == 0
    frame = pd.read_csv(tmp_path / "new" / "curves.csv")
    pd.testing.assert_frame_equal(frame, tables.curves(few_records), check_exact=True, check_dtype=False)
    for record in few_records:
        rows = frame[(frame.experiment == record.experiment) & (frame.seed == record.seed)]
        assert rows.epoch.tolist() == list(range(1, len(record.epochs) + 1))
        for column in ("iteration", "learning_rate", "train_error", "test_loss", "test_error"):
            assert rows[column].tolist() == [getattr(epoch, column) for epoch in record.epochs]
        held_out = record.recipe["validation_images"] > 0
        assert (rows.validation_error.notna() == held_out).all()
    assert list(files(tmp_path / "new")) == ["curves.csv"]


def test_curves_without_a_file_go_to_standard_output(few_records: list[records.Record]) -> None:
    shown = call("curves", "resnet10-cifar10-short")
    assert shown.stderr == ""
    frame = pd.read_csv(StringIO(shown.stdout))
    assert set(frame.experiment) == {"resnet10-cifar10-short"}
    assert len(frame) == 9


def test_curves_go_through_a_link_and_into_a_pipe_and_both_stay(few_records: list[records.Record]) -> None:
    shown = call("curves").stdout
    Path("link.csv").symlink_to("target.csv")
    assert call("curves", "--out", "link.csv").exit_code == 0
    assert Path("link.csv").is_symlink()
    assert Path("target.csv").read_text() == shown
    os.mkfifo("pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True)
    assert call("curves", "--out", "pipe").exit_code == 0
    assert reader.communicate(timeout=60)[0] == shown
    assert Path("pipe").is_fifo()


def test_curves_of_no_records_have_the_columns_and_no_rows(tmp_path: Path) -> None:
    frame = pd.read_csv(StringIO(call("curves", "--results", str(tmp_path)).stdout))
    assert frame.empty
    assert "test_error" in frame.columns


def test_curves_of_what_is_not_recorded_say_how_to_record_it(few_records: list[records.Record], tmp_path: Path) -> None:
    failed = call("curves", SHORT, "resnet20-cifar10", "--out", "curves.csv")
    advice = "resnet20-cifar10 has no record in results: `resnet-book run resnet20-cifar10` makes one."
    assert (failed.exit_code, failed.stdout, failed.stderr) == (1, "", f"resnet-book: {advice}\n")
    assert not (tmp_path / "curves.csv").exists()


# --- landscape --------------------------------------------------------------------------------------------------------


def test_landscape_says_what_is_kept_and_that_there_were_no_weights_along_the_way(
    few_records: list[records.Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("results", SHORT, "seed0.landscape.json")
    monkeypatch.setattr(landscape_survey, "make_landscape", lambda *_, **__: LANDSCAPE.read(SHORT))
    content = json.loads(path.read_text())
    number = {kind: len(content[kind]) for kind in ("slices", "curvatures", "lines")}
    whole = call("landscape", SHORT)
    assert whole.stdout == f"{path}: {', '.join(f'{number[kind]} {kind}' for kind in number)}\n"
    assert whole.stderr == ""
    for kind in ("slices", "curvatures"):
        content[kind] = [each for each in content[kind] if isinstance(each["around"]["at"], str)]
    path.write_text(json.dumps(content | {"lines": []}))
    without = call("landscape", SHORT)
    assert without.stdout.endswith(", 0 lines\n")
    assert f"no weights along the way in runs/{SHORT}/seed0/weights" in without.stderr


# --- classify ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    for colour in ("red", "blue"):
        Image.new("RGB", (40, 30), colour).save(tmp_path / f"{colour}.png")
    return [str(tmp_path / "red.png"), str(tmp_path / "blue.png")]


def test_classify_says_the_likeliest_classes_of_each_picture_a_line_each(pictures: list[str]) -> None:
    shown = call("classify", *pictures, "--network", SHORT, "--k", "2", "--results", str(RECORDED))
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == pictures
    assert all(re.search(r": [a-z]+ [\d.]+ %, [a-z]+ [\d.]+ % \(", line) for line in lines)
    assert shown.stderr.startswith(f"{SHORT}, seed 0, test error ")


def test_without_a_name_the_best_network_on_cifar10_whose_weights_are_there_answers(
    few_records: list[records.Record], pictures: list[str]
) -> None:
    kept = [record for record in few_records if Path("results", SHORT, f"seed{record.seed}.safetensors").exists()]
    best = min((record for record in kept if record.experiment == SHORT), key=lambda record: record.test_error)
    assert f"{SHORT}, seed {best.seed}, " in call("classify", *pictures).stderr
    shutil.rmtree(Path("results", SHORT))
    failed = call("classify", *pictures)
    assert failed.exit_code == 1
    assert "has no network trained on CIFAR-10 with its weights" in failed.stderr


def test_without_a_network_of_the_seed_classify_says_which_seeds_there_are(pictures: list[str]) -> None:
    failed = call("classify", *pictures, "--seed", "99", "--results", str(RECORDED))
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert re.search(r"--seed 99: .* has weights of networks trained on CIFAR-10 only for seed 0\D", failed.stderr)


def test_a_file_that_is_no_picture_is_named_and_fails() -> None:
    failed = call("classify", __file__, "--network", SHORT, "--results", str(RECORDED))
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert Path(__file__).name in failed.stderr
