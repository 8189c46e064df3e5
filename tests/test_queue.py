"""The queue: in which order it trains, that nothing stops it but what should, and that it leaves nothing behind."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from queued_runs import COMMAND, DIVERGING, LONG, add_experiments
from small_runs import LONGER, NAME, TEST, TRAIN, fit, tiny

from resnet_book import data
from resnet_book.engine.device import Engine
from resnet_book.experiments import catalogue, child, queue, queue_view, records
from resnet_book.experiments import run as runs
from resnet_book.experiments.child import Run
from resnet_book.experiments.progress import Progress, Reporter, read_progress
from resnet_book.experiments.queue import Queue
from resnet_book.recipe import Epoch, History
from resnet_book.state import Training

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Options:
    """The folder of the test, with the tiny experiments, on one thread."""
    add_experiments(monkeypatch)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return runs.Options(CPU, results=tmp_path / "results", runs=tmp_path / "runs", compiled=False)


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Return once ``condition`` holds; fail if it does not within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(process: int) -> bool:
    """Whether a process of that id runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def signalled(work: Queue, condition: Callable[[], object], *numbers: signal.Signals) -> list[int]:
    """Send signals to this process, half a second apart, once ``condition`` holds; the list will hold the children."""
    processes: list[int] = []

    def send() -> None:
        wait_for(condition)
        processes.extend(each.process.pid for each in work.children)
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(0.5)

    threading.Thread(target=send).start()
    return processes


def checkpoint(options: runs.Options, run: Run) -> Path:
    return runs.folder_of(options.runs, run.name, run.seed) / "checkpoint.pt"


# --- The order --------------------------------------------------------------------------------------------------------


def test_every_experiment_has_one_place_for_each_of_its_seeds() -> None:
    places = Counter(
        (name, seed)
        for patterns, which in queue.PRIORITY
        for name in queue.matching(patterns)
        for seed in range(3)[which]
    )
    assert places == Counter({(name, seed): 1 for name in catalogue.EXPERIMENTS for seed in range(3)})


def test_the_papers_networks_come_first_and_the_deepest_last() -> None:
    order = queue.in_order(catalogue.EXPERIMENTS, range(3))
    first = ["plain20", "resnet20", "plain56", "resnet56", "plain32", "resnet32", "plain44", "resnet44"]
    first += ["plain110", "resnet110"]
    assert order[:10] == [Run(f"{model}-cifar10", 0) for model in first]
    assert order[10:20] == [Run(f"{model}-cifar10", 1) for model in first]
    wide = [
        f"{model}-{dataset}"
        for dataset in ("cifar10", "cifar100")
        for model in ("resnet18", "plain18", "resnet34", "plain34")
    ]
    assert order[30:38] == [Run(name, 0) for name in wide]
    others = {
        f"{kind}{depth}-{dataset}"
        for kind in ("plain", "resnet")
        for depth in (10, 50)
        for dataset in ("cifar10", "cifar100")
    }
    assert {run.name for run in order[38:46]} == others
    assert order[-3:] == [Run("resnet1202-cifar10", seed) for seed in range(3)]
    assert len(order) == len(set(order)) == 3 * len(catalogue.EXPERIMENTS)


def test_a_single_seed_keeps_the_order_whichever_it_is() -> None:
    zero, seven = (queue.in_order(catalogue.EXPERIMENTS, [seed]) for seed in (0, 7))
    assert [run.name for run in zero] == [run.name for run in seven]


def test_an_experiment_without_a_place_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.EXPERIMENTS, "new", catalogue.get("resnet20-cifar10"))
    assert queue.in_order(["new", "resnet1202-cifar10"], [0]) == [Run("resnet1202-cifar10", 0), Run("new", 0)]


def test_without_a_gpu_only_short_recipes_are_taken() -> None:
    names = queue.without_gpu(catalogue.EXPERIMENTS)
    assert {"resnet20-cifar10-short", "resnet20-cifar10-no-drops", "plain20-builtin-smoke"} <= set(names)
    assert max(catalogue.get(name).recipe.iterations for name in names) == catalogue.LADDER["16k"].iterations


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("*-shrot", "matches no experiment"), ("resnet20-cifar-10", "did you mean resnet20-cifar10")],
)
def test_a_pattern_that_matches_nothing_is_an_error(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        queue.matching(["resnet*", pattern])


# --- Training ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_that_fails_does_not_stop_the_others(options: runs.Options) -> None:
    diverging, good = Run(DIVERGING, 0), Run(NAME, 0)
    work = Queue([diverging, good], options, jobs=2, quiet=True)
    assert work.work() == 1
    record = records.load_record(records.path_of(options.results, NAME, 0))
    assert work.recorded == {good: record.test_error}
    assert work.failed.keys() == {diverging}
    assert work.failed[diverging].startswith("the loss was not finite in epoch 1 ")
    log = runs.folder_of(options.runs, DIVERGING, 0) / "log.txt"
    assert str(log) in work.failed[diverging]
    assert "not finite" in log.read_text()
    assert work.left() == []
    assert not runs.is_locked(log.parent)


class LeapingClock:
    """In place of the module ``time``: real time that leaps by 3,300 seconds once ``condition`` holds."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        self.condition, self.sleep = condition, time.sleep

    def monotonic(self) -> float:
        return time.monotonic() + 3300 * self.condition()


@pytest.mark.slow
def test_what_the_budget_stops_goes_on_the_next_time_to_the_same_numbers(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(LONG, 3)
    monkeypatch.setenv("PAUSE", "0.5")
    monkeypatch.setattr(queue, "SAVE_SECONDS", 400)
    monkeypatch.setattr(queue, "time", LeapingClock(checkpoint(options, run).exists))
    work = Queue([run, Run(NAME, 3)], options, budget=3600, began=time.monotonic())
    begin = time.monotonic()
    assert work.work() == 0
    assert time.monotonic() - begin < 3600 - 3300
    assert checkpoint(options, run).exists()
    assert (work.recorded, work.failed) == ({}, {})
    (stopped, how_far), (other, not_begun) = work.left()
    assert (stopped, other, not_begun) == (run, Run(NAME, 3), "")
    assert " of 200 iterations" in how_far
    assert how_far in capsys.readouterr().err

    monkeypatch.undo()
    add_experiments(monkeypatch)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    again = Queue([run], options)
    assert again.work() == 0
    record = records.load_record(records.path_of(options.results, LONG, 3))
    assert record.epochs == fit(tiny(3), seed=3, recipe=LONGER).epochs
    assert again.recorded == {run: record.test_error}
    assert not checkpoint(options, run).exists()


@pytest.mark.slow
def test_two_queues_that_start_the_same_run_record_it_once(options: runs.Options) -> None:
    run = Run(NAME, 0)
    queues = [Queue([run], options, quiet=True) for _ in range(2)]
    threads = [threading.Thread(target=each.work) for each in queues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = records.load_record(records.path_of(options.results, NAME, 0))
    assert sorted((each.recorded for each in queues), key=len) == [{}, {run: record.test_error}]
    assert [(each.failed, each.left()) for each in queues] == [({}, [])] * 2
    log = (checkpoint(options, run).parent / "log.txt").read_text()
    assert log.count("another process trains this run") <= 1


@pytest.mark.slow
def test_ctrl_c_saves_and_leaves_no_process(options: runs.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAUSE", "0.5")
    before = signal.getsignal(signal.SIGINT)
    run = Run(LONG, 0)
    work = Queue([run], options, quiet=True)
    processes = signalled(work, checkpoint(options, run).exists, signal.SIGINT)
    assert work.work() == 130
    assert [alive(process) for process in processes] == [False]
    assert [each for each, _ in work.left()] == [run]
    log = (checkpoint(options, run).parent / "log.txt").read_text()
    assert log == "Interrupted. The same command goes on from what was saved.\n"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
@pytest.mark.skipif(not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="finds the processes in /proc")
def test_a_queue_that_is_killed_leaves_no_process(options: runs.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAUSE", "0.1")
    folders = ["--results", str(options.results), "--runs", str(options.runs)]
    command = [*COMMAND, "run", LONG, "--jobs", "1", "--device", "cpu", *folders]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        saved = checkpoint(options, Run(LONG, 0))
        wait_for(saved.exists)
        (process,) = map(int, Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text().split())
    finally:
        killed.kill()
        killed.wait()
    wait_for(lambda: not alive(process), 60)
    assert (saved.parent / "log.txt").read_text().startswith("Interrupted")  # it saved, as on Ctrl-C
    assert not runs.is_locked(saved.parent)


# --- Stopping, with processes that train nothing ----------------------------------------------------------------------


def pretend(patch: pytest.MonkeyPatch, code: str) -> None:
    """Let the processes of the queue execute ``code`` instead of training."""
    patch.setattr(child, "COMMAND", (sys.executable, "-c", f"import os, signal, sys, time\n{code}"))


STUBBORN = "signal.signal(signal.SIGINT, signal.SIG_IGN); open(f'ready{os.getpid()}', 'w').close(); time.sleep(100)"
OBEDIENT = "signal.signal(signal.SIGINT, lambda *_: sys.exit(130)); open('ready', 'w').close(); time.sleep(100)"


def test_what_does_not_stop_is_killed_before_the_budget_ends(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, STUBBORN)
    monkeypatch.setattr(queue, "SAVE_SECONDS", 500)
    monkeypatch.setattr(queue, "KILL_SECONDS", 400)
    ready = Path.cwd()
    monkeypatch.setattr(queue, "time", LeapingClock(lambda: len(list(ready.glob("ready*"))) == 2))
    work = Queue([Run(NAME, 0), Run(NAME, 1)], options, jobs=2, budget=3600, began=time.monotonic(), quiet=True)
    begin = time.monotonic()
    assert work.work() == 0
    assert time.monotonic() - begin < 60  # the processes sleep for longer
    watched = [int(file.name.removeprefix("ready")) for file in ready.glob("ready*")]
    assert [alive(process) for process in watched] == [False, False]
    assert len(work.left()) == 2


def test_sigterm_stops_the_processes_too(options: runs.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, OBEDIENT)
    work = Queue([Run(NAME, 0)], options, quiet=True)
    processes = signalled(work, Path("ready").exists, signal.SIGTERM)
    assert work.work() == 130
    assert [alive(process) for process in processes] == [False]


def test_a_second_signal_does_not_wait(options: runs.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, STUBBORN)
    work = Queue([Run(NAME, 0)], options, quiet=True)
    begin = time.monotonic()
    ready = Path.cwd()
    processes = signalled(work, lambda: any(ready.glob("ready*")), signal.SIGINT, signal.SIGINT)
    assert work.work() == 130
    assert time.monotonic() - begin < queue.PATIENCE_SECONDS / 2
    assert [alive(process) for process in processes] == [False]


def test_an_error_of_the_queue_leaves_no_process(options: runs.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "time.sleep(100)")
    work = Queue([Run(NAME, 0)], options, quiet=True)
    started = []

    def fail(_: object) -> None:
        started.extend(work.children)
        raise OSError("the terminal is gone")

    monkeypatch.setattr(work.view, "show", fail)
    with pytest.raises(OSError, match="the terminal is gone"):
        work.work()
    assert [alive(each.process.pid) for each in started] == [False]


def test_a_budget_too_short_for_a_start_starts_nothing(options: runs.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "time.sleep(100)")
    work = Queue([Run(NAME, 0)], options, budget=queue.START_SECONDS, quiet=True)
    assert work.work() == 0
    assert work.left() == [(Run(NAME, 0), "")]
    assert not checkpoint(options, Run(NAME, 0)).parent.exists()


def test_a_run_under_way_elsewhere_is_left_alone_and_the_next_is_trained(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, "sys.exit(3)")
    folder = runs.folder_of(options.runs, NAME, 0)
    folder.mkdir(parents=True)
    with FileLock(folder / "lock"):
        work = Queue([Run(NAME, 0), Run(NAME, 1)], options, quiet=True)
        assert work.work() == 1
        assert work.failed.keys() == {Run(NAME, 1)}
        assert work.left() == [(Run(NAME, 0), "under way elsewhere")]
    assert not (folder / "log.txt").exists()


def test_a_process_that_is_killed_is_a_failure_that_says_so(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, "os.kill(os.getpid(), signal.SIGKILL)")
    work = Queue([Run(NAME, 0)], options, quiet=True)
    assert work.work() == 1
    assert work.failed[Run(NAME, 0)].startswith("killed by SIGKILL ")


def test_runs_without_data_fail_once_and_start_no_process(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, split: str, root: str | None) -> None:
        raise data.DataError(f"{name} is not in {root}")

    monkeypatch.setattr(data, "load", load)
    pretend(monkeypatch, "time.sleep(100)")
    work = Queue([Run(NAME, 0), Run(NAME, 1)], options, quiet=True)
    assert work.work() == 1
    assert queue_view.summary(work.recorded, work.failed, work.left()) == (
        f"Recorded: 0 runs\nFailed: 2 runs\n  {NAME}, seed 0 and 1 more: builtin is not in None"
    )


@pytest.mark.parametrize(("given", "expected"), [(None, "2"), ("7", "7")])
def test_processes_share_the_cores_unless_the_user_said_otherwise(
    given: str | None, expected: str, options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(queue, "_cores", lambda: 8)
    pretend(monkeypatch, "print(os.environ['OMP_NUM_THREADS'], file=sys.stderr); sys.exit(3)")
    work = Queue([Run(NAME, 0)], options, jobs=3 if given else 4, quiet=True)
    assert work.work() == 1
    assert work.failed[Run(NAME, 0)].split()[0] == expected


# --- One run ----------------------------------------------------------------------------------------------------------


def test_a_run_leaves_nothing_of_what_killed_processes_had_half_written(options: runs.Options) -> None:
    folder = runs.folder_of(options.runs, NAME, 1)
    results = options.results / NAME
    leftovers = [folder / ".checkpoint.pt.99.part", folder / ".progress.json.99.part"]
    leftovers += [results / name for name in (".seed1.safetensors.99.part", ".seed1.99.tmp.99.part", "seed1.99.tmp")]
    others = [results / name for name in (".seed10.safetensors.99.part", "seed10.99.tmp", ".seed0.99.tmp.99.part")]
    for path in (*leftovers, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    runs.train_and_record(NAME, 1, runs.Options(CPU, results=options.results, runs=options.runs, progress=False))
    assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in others)
    assert list(folder.iterdir()) == []


def after(iteration: int, history: History) -> Training:
    """The long run after so many iterations."""
    training = Training(tiny(), {"train": TRAIN, "test": TEST, "validation": TRAIN.subset(0)}, LONGER, 0, Engine())
    training.iteration, training.history = iteration, history
    return training


def epochs(error: float) -> list[Epoch]:
    return [Epoch(8, 0.1, 2.0, 90.0, 2.0, error)]


def test_progress_is_reported_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    path = tmp_path / "progress.json"
    report = Reporter(path, os.getppid()).after_step
    report(after(11, History()))
    assert read_progress(path) == Progress(11, 200, 0.0, None, 0.0)
    now = 100.5
    report(after(12, History()))
    assert read_progress(path) == Progress(11, 200, 0.0, None, 0.0)
    now = 102.0
    report(after(15, History(epochs=epochs(12.5), seconds=3.0)))
    assert read_progress(path) == Progress(15, 200, 4 * 32 / 2, 12.5, 3.0)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_report_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    Reporter(tmp_path / "missing" / "progress.json", os.getppid()).after_step(after(1, History()))


def test_a_run_whose_caller_has_ended_interrupts_itself(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Reporter(tmp_path / "progress.json", os.getpid()).after_step(after(1, History()))
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_damaged_report_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    for text in ("", "{", "[]", '{"iteration": 3}'):
        path.write_text(text)
        assert read_progress(path) is None


# --- What it shows ----------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_lines_are_drawn_in_place_of_the_last_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "11")
    view = queue_view.View()
    view.begin("not shown")
    view.show(["one", "two"])
    view.show(["three, too long a line"])
    view.say("done")
    assert terminal.getvalue() == (
        "one\x1b[K\ntwo\x1b[K\n\x1b[J" + "\x1b[2Fthree, too\x1b[K\n\x1b[J" + "\x1b[1F\x1b[J" + "done\n"
    )


def test_elsewhere_there_is_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    lines = io.StringIO()
    monkeypatch.setattr(sys, "stderr", lines)
    view = queue_view.View()
    view.begin("begun")
    for now in (1.0, 59.0, 61.0, 62.0, 119.0, 121.0):
        view.show([f"at {now}", "all"])
    assert lines.getvalue() == "begun\nat 61.0; all\nat 121.0; all\n"


def test_quiet_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        view = queue_view.View(quiet=True)
        view.begin("begun")
        view.show(["line"])
        view.say("done")
        view.clear()
        assert stream.getvalue() == ""


def test_the_summary_says_what_became_of_each_run() -> None:
    left = [(Run("a", 3), "5 of 10 iterations"), (Run("a", 4), ""), (Run("a", 5), "")]
    assert queue_view.summary({Run("a", 0): 8.754}, {Run("a", 1): "why", Run("a", 2): "because"}, left).split("\n") == [
        "Recorded: 1 run",
        "  a, seed 0: test error 8.75 %",
        "Failed: 2 runs",
        "  a, seed 1: why",
        "  a, seed 2: because",
        "Left: 3 runs",
        "  a, seed 3: 5 of 10 iterations",
        "  2 not begun, next a, seed 4",
    ]


def test_time_left_is_that_of_the_arithmetic_at_the_speed_of_now(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process is half through resnet20; resnet56, with three times the multiply-adds, waits."""
    pretend(monkeypatch, "time.sleep(100)")
    run, other = Run("resnet20-cifar10-short", 0), Run("resnet56-cifar10-short", 0)
    work = Queue([other], options, quiet=True)
    process = child.Child(run, options, 1)
    try:
        work.children = [process]
        assert work._seconds_left() is None
        process.progress = Progress(1_000, 2_000, 128.0, None, 1_000.0)
        assert work._seconds_left() == pytest.approx(1_000 + 2_000 * 125_485_696 / 40_551_040)
    finally:
        process.kill()
        process.process.wait()
