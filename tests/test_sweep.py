"""The sweep: in which order it trains, that nothing stops it but what should, and that it leaves nothing behind."""

import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from dask import config
from distributed import Client, Nanny, Scheduler, SpecCluster, Worker
from distributed.core import Status
from distributed.deploy.cluster import Cluster
from filelock import FileLock
from small_runs import LONGER, NAME, RECIPE, never_stopped
from sweep_runs import COMMAND, DIVERGING, ENVIRONMENT, LONG, PRELOAD, add_experiments, go_on, wait_for

from resnet_book import cifar, data
from resnet_book.analysis import study
from resnet_book.cli.main import main
from resnet_book.engine import device
from resnet_book.experiments import catalogue, clusters, order, records, sweep, sweep_view, weights, worker
from resnet_book.experiments import run as runs
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.order import Run
from resnet_book.experiments.sweep import Sweep

SCHEDULER = {"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}}


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Options:
    """The folder of the test, with the tiny experiments."""
    add_experiments(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return runs.Options("cpu", results=tmp_path / "results", runs=tmp_path / "runs", progress=False)


@pytest.fixture(scope="module")
def cluster() -> Iterator[SpecCluster]:
    """Two workers that know the tiny experiments; they wait 0.1 s after each step of the long one."""
    common: dict[str, Any] = {"nthreads": 1, "memory_limit": None, "silence_logs": clusters.QUIET, "preload": [PRELOAD]}
    workers = {place: {"cls": Nanny, "options": common} for place in range(2)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (ENVIRONMENT | {"PAUSE": "0.1"}).items():
            patch.setenv(name, value)
        with (
            config.set({"distributed.scheduler.allowed-failures": 10, "distributed.deploy.lost-worker-timeout": "1h"}),
            closing(SpecCluster(workers=workers, scheduler=SCHEDULER, silence_logs=clusters.QUIET)) as running,
        ):
            yield running
            clusters.kill(running)


def checkpoint(options: runs.Options, run: Run) -> Path:
    return runs.folder_of(options.runs, run.name, run.seed) / "checkpoint.pt"


def once_it_trains(options: runs.Options, run: Run, act: Callable[[], object]) -> threading.Thread:
    """Do so once ``run`` has saved its first step."""

    def wait_and_act() -> None:
        wait_for(checkpoint(options, run).exists)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def undisturbed(options: runs.Options, run: Run) -> bool:
    """Whether the record of the long run has every number of one that was never stopped."""
    record = records.load_record(records.path_of(options.results, run.name, run.seed))
    return record.epochs == never_stopped(run.seed)[1].epochs


# --- The order --------------------------------------------------------------------------------------------------------


def test_every_experiment_has_one_place_for_each_of_its_seeds() -> None:
    places = Counter(
        (name, seed)
        for patterns, which in order.PRIORITY
        for name in order.matching(patterns)
        for seed in range(3)[which]
    )
    assert places == Counter({(name, seed): 1 for name in catalogue.EXPERIMENTS for seed in range(3)})


def test_the_papers_networks_come_first_and_the_deepest_last() -> None:
    ordered = order.in_order(catalogue.EXPERIMENTS, range(3))
    first = ["plain20", "resnet20", "plain56", "resnet56", "plain32", "resnet32", "plain44", "resnet44"]
    first += ["plain110", "resnet110"]
    assert ordered[:10] == [Run(f"{model}-cifar10", 0) for model in first]
    assert ordered[10:20] == [Run(f"{model}-cifar10", 1) for model in first]
    wide = [
        f"{model}-{dataset}"
        for dataset in ("cifar10", "cifar100")
        for model in ("resnet18", "plain18", "resnet34", "plain34")
    ]
    assert ordered[30:38] == [Run(name, 0) for name in wide]
    others = {
        f"{kind}{depth}-{dataset}"
        for kind in ("plain", "resnet")
        for depth in (10, 50)
        for dataset in ("cifar10", "cifar100")
    }
    assert {run.name for run in ordered[38:46]} == others
    assert ordered[-3:] == [Run("resnet1202-cifar10", seed) for seed in range(3)]
    assert len(ordered) == len(set(ordered)) == 3 * len(catalogue.EXPERIMENTS)


def test_a_single_seed_keeps_the_order_whichever_it_is() -> None:
    zero, seven = (order.in_order(catalogue.EXPERIMENTS, [seed]) for seed in (0, 7))
    assert [run.name for run in zero] == [run.name for run in seven]


def test_an_experiment_without_a_place_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.EXPERIMENTS, "new", catalogue.get("resnet20-cifar10"))
    assert order.in_order(["new", "resnet1202-cifar10"], [0]) == [Run("resnet1202-cifar10", 0), Run("new", 0)]


def test_without_a_gpu_only_short_recipes_are_taken() -> None:
    names = order.without_gpu(catalogue.EXPERIMENTS)
    assert {"resnet20-cifar10-short", "resnet20-cifar10-no-drops", "plain20-builtin-smoke"} <= set(names)
    assert max(catalogue.get(name).recipe.iterations for name in names) == catalogue.LADDER["16k"].iterations


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("*-shrot", "matches no experiment"), ("resnet20-cifar-10", "did you mean resnet20-cifar10")],
)
def test_a_pattern_that_matches_nothing_is_an_error(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        order.matching(["resnet*", pattern])


# --- Training ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_that_fails_does_not_stop_the_others(options: runs.Options, cluster: SpecCluster) -> None:
    work = Sweep(options, cluster=cluster.scheduler_address)
    assert work.work([DIVERGING, NAME], [0]) == 1
    record = records.load_record(records.path_of(options.results, NAME, 0))
    assert work.recorded == {Run(NAME, 0): record.test_error}
    assert work.failed.keys() == {Run(DIVERGING, 0)}
    log = runs.folder_of(options.runs, DIVERGING, 0) / "log.txt"
    assert "was not finite in epoch 1 " in work.failed[Run(DIVERGING, 0)]
    assert str(log) in work.failed[Run(DIVERGING, 0)]
    assert "DivergedError" in log.read_text()
    assert work.left == []
    assert not runs.is_locked(log.parent)


@pytest.mark.slow
def test_what_the_budget_stops_goes_on_to_the_same_numbers(options: runs.Options, cluster: SpecCluster) -> None:
    run = Run(LONG, 3)
    work = Sweep(options, cluster=cluster.scheduler_address)
    thread = once_it_trains(options, run, lambda: setattr(work, "stop_at", 0))
    assert work.work([LONG], [3]) == 0
    thread.join()
    assert (work.recorded, work.failed) == ({}, {})
    ((stopped, how_far),) = work.left
    assert stopped == run
    assert how_far.endswith(f" of {LONGER.iterations} iterations")
    assert not runs.is_locked(checkpoint(options, run).parent)

    go_on(options.runs)
    again = Sweep(options, cluster=cluster.scheduler_address)
    assert again.work([LONG], [3]) == 0
    assert again.recorded.keys() == {run}
    assert undisturbed(options, run)
    assert not checkpoint(options, run).exists()


@pytest.mark.slow
def test_a_run_that_began_when_the_sweep_had_not_heard_of_it_yet_is_waited_for(
    options: runs.Options, cluster: SpecCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = Sweep._handle_next

    def handle_late(sweep: Sweep, *what: Any) -> None:
        if sweep.stopping:
            handle(sweep, *what)
        else:
            time.sleep(0.1)

    monkeypatch.setattr(Sweep, "_handle_next", handle_late)
    run, work = Run(LONG, 4), Sweep(options, cluster=cluster.scheduler_address)
    thread = once_it_trains(options, run, lambda: setattr(work, "stop_at", 0))
    assert work.work([LONG], [4]) == 0
    thread.join()
    assert not runs.is_locked(checkpoint(options, run).parent)
    assert work.left[0][1].endswith(f" of {LONGER.iterations} iterations")


@pytest.mark.slow
def test_the_run_of_a_killed_worker_is_taken_up_and_ends_as_if_nothing_had_been(
    options: runs.Options, cluster: SpecCluster
) -> None:
    def kill_workers() -> None:
        for nanny in cluster.workers.values():
            os.kill(nanny.pid, signal.SIGKILL)
        go_on(options.runs)

    run = Run(LONG, 1)
    work = Sweep(options, cluster=cluster.scheduler_address)
    thread = once_it_trains(options, run, kill_workers)
    assert work.work([LONG], [1]) == 0
    thread.join()
    assert work.recorded.keys() == {run}
    assert "Goes on from" in (checkpoint(options, run).parent / "log.txt").read_text()
    assert undisturbed(options, run)


@pytest.mark.slow
def test_two_sweeps_of_one_scheduler_train_a_run_once(options: runs.Options, cluster: SpecCluster) -> None:
    sweeps = [Sweep(options, cluster=cluster.scheduler_address) for _ in range(2)]
    threads = [threading.Thread(target=each.work, args=([LONG], [0])) for each in sweeps]
    for thread in threads:
        thread.start()
    tasks = cluster.scheduler.tasks  # pyright: ignore[reportOptionalMemberAccess]
    wait_for(lambda: any(len(task.who_wants or ()) == len(sweeps) for task in list(tasks.values())))
    go_on(options.runs)
    for thread in threads:
        thread.join()
    error = records.load_record(records.path_of(options.results, LONG, 0)).test_error
    assert [(each.recorded, each.failed, each.left) for each in sweeps] == [({Run(LONG, 0): error}, {}, [])] * 2
    assert "RecordError" not in (checkpoint(options, Run(LONG, 0)).parent / "log.txt").read_text()


@pytest.mark.slow
def test_a_run_under_way_elsewhere_is_left_alone_and_no_failure(options: runs.Options, cluster: SpecCluster) -> None:
    folder = runs.folder_of(options.runs, NAME, 0)
    folder.mkdir(parents=True)
    with FileLock(folder / "lock"):
        work = Sweep(options, cluster=cluster.scheduler_address)
        assert work.work([NAME], [0, 1]) == 0
        assert work.recorded.keys() == {Run(NAME, 1)}
        assert (work.failed, work.left) == ({}, [(Run(NAME, 0), "under way elsewhere")])


@pytest.mark.slow
def test_a_run_of_its_own_that_ends_before_it_has_saved_is_not_called_elsewheres(
    options: runs.Options, cluster: SpecCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(LONG, 1)
    work = Sweep(options, cluster=cluster.scheduler_address)
    monkeypatch.setattr(Sweep, "_stop_now", lambda sweep: run in sweep.under_way)
    monkeypatch.setattr(sweep, "PATIENCE_SECONDS", 0)  # as on a machine too busy to save in time
    work.work([run.name], [run.seed])
    ((left, why),) = work.left
    assert left == run
    assert why.endswith("ended before it had saved")
    wait_for(lambda: not runs.is_locked(runs.folder_of(options.runs, run.name, run.seed)))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGINT, 2), (signal.SIGTERM, 1)])
def test_ctrl_c_and_sigterm_save_and_leave_no_process(number: signal.Signals, jobs: int, options: runs.Options) -> None:
    """As a terminal sends it, Ctrl-C reaches the workers' processes too."""
    folders = ["--results", str(options.results), "--runs", str(options.runs)]
    process = subprocess.Popen(
        [*COMMAND, "run", LONG, "--jobs", str(jobs), "--seeds", str(jobs), "--device", "cpu", *folders],
        env={**os.environ, **ENVIRONMENT, "PAUSE": "0.3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    for seed in range(jobs):
        wait_for(checkpoint(options, Run(LONG, seed)).exists)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.count("stopped at ") == jobs
    assert said.endswith("Interrupted. The same command goes on from what was saved, if anything was yet.\n")
    assert "Traceback" not in said
    assert "distributed" not in said
    wait_for(lambda: not of_session(process.pid), 10)
    assert not any(runs.is_locked(checkpoint(options, Run(LONG, seed)).parent) for seed in range(jobs))


@pytest.mark.slow
def test_what_dask_logs_once_a_cluster_has_closed_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a message to a worker that is gone: the cluster silences dask's log only until it has closed."""
    close, said, log = Cluster._close, io.StringIO(), logging.getLogger("distributed")
    monkeypatch.setattr(log, "handlers", [logging.StreamHandler(said)])  # as dask makes it, where it is imported first

    async def close_and_log(cluster: Cluster) -> None:
        await close(cluster)
        log.info("Batched Comm Closed")

    monkeypatch.setattr(Cluster, "_close", close_and_log)
    with clusters.of_this_machine(runs.Options("cpu"), None, 1):
        pass
    assert said.getvalue() == ""
    log.info("seen again")
    assert "seen again" in said.getvalue()


def of_session(session: int) -> list[str]:
    """The processes of a session, but for those that only wait to be waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().rpartition(")")
        except OSError:
            continue
        if int(fields.split()[3]) == session and fields.split()[0] != "Z":
            found.append(name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("time_is_up", [False, True])
def test_a_worker_that_gets_sigterm_or_whose_time_is_up_saves_and_goes(time_is_up: bool, options: runs.Options) -> None:
    with closing(SpecCluster(scheduler=SCHEDULER, silence_logs=clusters.QUIET)) as scheduler:
        words = ["--nthreads", "1"]
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", scheduler.scheduler_address, *words],
            env={**os.environ, **ENVIRONMENT, "PAUSE": "0.5"},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        run, work = Run(LONG, 0), Sweep(options, cluster=scheduler.scheduler_address)

        def close_soon(dask_worker: Worker) -> None:
            dask_worker.loop.call_later(0.1, dask_worker.close_gracefully)  # as after --lifetime

        def end() -> None:
            if time_is_up:
                with Client(scheduler.scheduler_address) as client:
                    client.run(close_soon)
            else:
                os.killpg(process.pid, signal.SIGTERM)  # to its nanny and itself, as from a batch system
            process.wait(90)
            work.stop_at = 0

        thread = once_it_trains(options, run, end)
        assert work.work([LONG], [0]) == 0
        thread.join()
    assert of_session(process.pid) == []
    ((stopped, how_far),) = work.left
    assert stopped == run
    assert not runs.is_locked(checkpoint(options, run).parent)
    assert how_far.endswith(f" of {LONGER.iterations} iterations")
    assert not list(checkpoint(options, run).parent.glob(".*.part"))


@pytest.mark.slow
def test_what_killed_workers_leave_is_cleaned_up_without_a_word() -> None:
    """As the processes of a compiler do that were killed with their worker."""
    leave = "resource_tracker.register('/left by a killed worker', 'semaphore')"
    code = f"from multiprocessing import resource_tracker\nfrom resnet_book.experiments import clusters\n{{}}\n{leave}"
    with_it = code.format("with clusters._without_interrupts(): pass")
    without = code.format("resource_tracker.ensure_running()")
    said = [subprocess.run([sys.executable, "-c", each], capture_output=True, text=True) for each in (with_it, without)]
    assert [each.returncode for each in said] == [0, 0]
    assert (said[0].stderr, "leaked semaphore" in said[1].stderr) == ("", True)


@pytest.mark.slow
def test_a_sweep_whose_scheduler_is_killed_says_so_and_fails(options: runs.Options, tmp_path: Path) -> None:
    """The worker saves and goes; the sweep gives up once dask does, here sooner than by default."""
    address, run = tmp_path / "scheduler.json", Run(LONG, 0)

    def start(*command: str) -> subprocess.Popen[bytes]:
        """Start a program of dask; it is killed at the end of this test in any case."""
        process = processes.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", *command, "--no-dashboard"],
                env={**os.environ, **ENVIRONMENT, "PAUSE": "0.5"},
                stderr=subprocess.DEVNULL,
            )
        )
        processes.callback(process.kill)
        return process

    with ExitStack() as processes:
        here = ("--host", "127.0.0.1", "--port", "0")
        scheduler = start("distributed.cli.dask_scheduler", *here, "--scheduler-file", str(address))
        wait_for(lambda: address.exists() and address.read_text().endswith("\n}"))  # it is written in pieces
        uri = json.loads(address.read_text())["address"]
        worker = start("distributed.cli.dask_worker", uri, "--nthreads", "1")
        thread = once_it_trains(options, run, scheduler.kill)
        with config.set({"distributed.comm.timeouts.connect": "5s"}):
            work = Sweep(options, cluster=uri)
            assert work.work([LONG], [0, 1]) == 1
        thread.join()
        assert work.failed == dict.fromkeys([run, Run(LONG, 1)], sweep.GONE)
        assert (work.recorded, work.left) == ({}, [])
        worker.wait(60)
    assert not runs.is_locked(checkpoint(options, run).parent)
    assert runs.begun(options.runs, run.name, run.seed)


def test_runs_without_data_fail_once_and_start_no_worker(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, split: str, root: str | None) -> None:
        raise cifar.DataError(f"{name} is not there")

    monkeypatch.setattr(data, "load", load)
    monkeypatch.setattr(clusters, "SpecCluster", lambda **_: pytest.fail("started workers"))
    work = Sweep(options)
    assert work.work([NAME], [0, 1]) == 1
    assert sweep_view.summary(work.recorded, work.failed, work.left) == (
        f"Recorded: 0 runs\nFailed: 2 runs\n  {NAME}, seed 0 and 1 more: builtin is not there"
    )


def test_a_run_that_another_process_records_while_its_worker_waits_is_recorded(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = records.path_of(options.results, "resnet20-builtin-smoke", 0), list[object]()
    worker_seen = SimpleNamespace(
        status=Status.running,
        state=SimpleNamespace(tasks={"a": SimpleNamespace(state="executing")}),
        get_current_task=lambda: "a",
        log_event=lambda topic, message: told.append(message["state"]),
    )

    def refuse(*_: object) -> None:
        path.parent.mkdir(parents=True)
        shutil.copyfile(records.path_of(records.PACKAGE.parent / "results", "resnet20-builtin-smoke", 0), path)
        raise RecordError("exists, and a record is never overwritten")

    monkeypatch.setattr(worker, "get_worker", lambda: worker_seen)
    monkeypatch.setattr(worker, "train_and_record", refuse)
    assert worker.train(Run("resnet20-builtin-smoke", 0), options) == records.load_record(path).test_error
    assert told == ["begins", "ends"]


@pytest.mark.parametrize("runs_wanted", [100, 2])
@pytest.mark.parametrize("given", [None, 3])
@pytest.mark.parametrize("visible", [None, "4,7"])
def test_each_worker_has_its_share_of_the_cores_and_a_gpu_of_its_own(
    given: int | None, visible: str | None, runs_wanted: int, options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}

    class Seen(Exception):
        pass

    def note(workers: dict[int, Any], **_: object) -> None:
        made.update(workers=workers, environment=config.get("distributed.nanny.pre-spawn-environ"))
        raise Seen

    monkeypatch.setattr(clusters, "SpecCluster", note)
    monkeypatch.setattr(clusters, "_cores", lambda: 8)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(Seen), clusters.of_this_machine(runs.Options("cuda" if visible else "cpu"), given, runs_wanted):
        pass
    seen = [each["options"]["env"].get("CUDA_VISIBLE_DEVICES") for each in made["workers"].values()]
    number = min(given or (2 if visible else 8), runs_wanted)
    assert seen == (["4", "7", "4"] if visible else [None] * 8)[:number]
    assert made["environment"]["OMP_NUM_THREADS"] == 8 // len(seen)
    assert made["environment"]["OMP_WAIT_POLICY"] == "PASSIVE"


@pytest.mark.parametrize("named", ["cuda", "cuda:1"])
def test_a_worker_finds_the_gpu_that_it_shall_train_on(
    named: str, options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with two, of which it sees its own alone, as number 0."""

    class Found(Exception):
        pass

    def start(workers: dict[int, Any], **_: object) -> MagicMock:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", workers[0]["options"]["env"]["CUDA_VISIBLE_DEVICES"])
        return MagicMock()

    def submit(call: object, run: Run, options: runs.Options, **_: object) -> None:
        raise Found(os.environ["CUDA_VISIBLE_DEVICES"], device.find(options.device).type)

    client = MagicMock()
    client.return_value.__enter__.return_value.submit = submit
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(os.getenv("CUDA_VISIBLE_DEVICES", "0,1").split(",")))
    monkeypatch.setattr(clusters, "SpecCluster", start)
    monkeypatch.setattr(clusters, "Client", client)
    with pytest.raises(Found) as found:
        Sweep(replace(options, device=named)).work([NAME], [0, 1])
    assert found.value.args == ("1" if named == "cuda:1" else "0", "cuda")


@pytest.mark.parametrize(("given", "asked"), [(None, 2), (1, 1), (50, 2)])
def test_a_batch_system_is_asked_for_no_more_jobs_than_runs_lack_a_record(
    given: int | None, asked: int, options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(Exception):
        pass

    def join(cluster: str, jobs: int, patience: float) -> None:
        raise Asked(jobs)

    monkeypatch.setattr(clusters, "join", join)
    path = records.path_of(options.results, NAME, 1)
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(Asked) as found:
        Sweep(options, cluster="slurm", jobs=given).work([NAME], [0, 1, 2])
    assert found.value.args == (asked,)


def test_where_every_run_has_a_record_no_cluster_is_started(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clusters, "join", lambda *_: pytest.fail("started a cluster"))
    path = records.path_of(options.results, NAME, 0)
    path.parent.mkdir(parents=True)
    path.touch()
    work = Sweep(options, cluster="slurm")
    assert work.work([NAME], [0]) == 0
    assert (work.recorded, work.failed, work.left) == ({}, {}, [])
    assert capsys.readouterr().out == "Every run has a record.\n"


def test_a_cluster_without_a_worker_leaves_every_run_and_says_so(
    options: runs.Options, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(SpecCluster(scheduler=SCHEDULER, silence_logs=clusters.QUIET)) as scheduler:
        work = Sweep(options, cluster=scheduler.scheduler_address, budget=1)
        assert work.work([NAME], [0, 1]) == 0
    assert (work.recorded, work.failed, work.left) == ({}, {}, [(Run(NAME, 0), ""), (Run(NAME, 1), "")])
    assert f"--cluster {scheduler.scheduler_address}: no worker began in time." in capsys.readouterr().err


def test_without_dask_a_sweep_says_what_to_install(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("sweep", "worker", "clusters"):
        monkeypatch.delitem(sys.modules, f"resnet_book.experiments.{name}")
        monkeypatch.delattr(f"resnet_book.experiments.{name}")
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["run", "--missing", NAME]) == 1
    assert "`pip install distributed`" in capsys.readouterr().err


# --- One run ----------------------------------------------------------------------------------------------------------


def test_a_run_leaves_nothing_of_what_killed_processes_had_half_written(options: runs.Options) -> None:
    folder = runs.folder_of(options.runs, NAME, 1)
    results = options.results / NAME
    leftovers = [folder / ".checkpoint.pt.99.part", folder / ".other.99.part"]
    leftovers += [results / name for name in (".seed1.safetensors.99.part", ".seed1.99.tmp.99.part", "seed1.99.tmp")]
    others = [results / name for name in (".seed10.safetensors.99.part", "seed10.99.tmp", ".seed0.99.tmp.99.part")]
    for path in (*leftovers, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    runs.train_and_record(NAME, 1, options)
    assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in others)
    assert list(folder.iterdir()) == []


def test_of_two_runs_with_folders_of_their_own_the_first_one_recorded_keeps_its_files(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(options, runs=options.runs.with_name("other"), precision="bfloat16")
    make = study.make

    def overtaken(*given: Any, **how: Any) -> study.Study:
        monkeypatch.setattr(study, "make", make)
        runs.train_and_record(NAME, 1, other)  # while this run's study is made
        return make(*given, **how)

    monkeypatch.setattr(study, "make", overtaken)
    with pytest.raises(RecordError, match="never overwritten"):
        runs.train_and_record(NAME, 1, options)
    _, record = weights.load_network(NAME, 1, options.results)  # whose checksum is the record's
    assert record.precision == "bfloat16"
    assert [path.name for path in (options.results / NAME).glob(".*")] == []


def test_a_trained_run_is_kept_while_another_process_records_it(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RECORD_SECONDS", 0)
    lock = options.results / NAME / ".seed1.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(runs.LockedError, match="The trained run is kept"):
        runs.train_and_record(NAME, 1, options)
    assert runs.train_and_record(NAME, 1, options).epochs[-1].iteration == RECIPE.iterations


# --- What it shows ----------------------------------------------------------------------------------------------------


def test_the_summary_says_what_became_of_each_run() -> None:
    left = [(Run("a", 3), "5 of 10 iterations"), (Run("a", 4), ""), (Run("a", 5), "")]
    assert sweep_view.summary({Run("a", 0): 8.754}, {Run("a", 1): "why", Run("a", 2): "because"}, left).split("\n") == [
        "Recorded: 1 run",
        "  a, seed 0: test error 8.75 %",
        "Failed: 2 runs",
        "  a, seed 1: why",
        "  a, seed 2: because",
        "Left: 3 runs",
        "  a, seed 3: 5 of 10 iterations",
        "  2 not begun, next a, seed 4",
    ]
