"""The sweep on what real clusters are made of: a Slurm of this machine's own, and two hosts, as network namespaces.

Both need root and programs of the system. Where these are missing the tests are skipped by name, or fail where
``$REQUIRE_CLUSTER`` is set, as in continuous integration.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import slurm_node
from small_runs import LONGER, never_stopped
from sweep_runs import COMMAND, ENVIRONMENT, LONG, add_experiments, go_on, wait_for

from resnet_book.experiments import records

pytestmark = pytest.mark.slow
SEEDS = range(3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the runs and the records of a test lie; its records can be read here."""
    add_experiments(monkeypatch)
    return tmp_path


def need(fault: str | None) -> None:
    """Skip the test because of a ``fault`` of this machine, or fail where clusters are required."""
    if fault and os.environ.get("REQUIRE_CLUSTER"):
        pytest.fail(fault)
    if fault:
        pytest.skip(fault)


def trained(folder: Path) -> set[int]:
    """The seeds that have a checkpoint."""
    return {int(path.parent.name.removeprefix("seed")) for path in folder.glob(f"runs/{LONG}/seed*/checkpoint.pt")}


def words(folder: Path, cluster: str) -> list[str]:
    """The command of the sweep."""
    places = ["--results", str(folder / "results"), "--runs", str(folder / "runs")]
    return [*COMMAND, "run", LONG, "--cluster", cluster, "--seeds", str(len(SEEDS)), "--device", "cpu", *places]


def parts_of_undisturbed(folder: Path, seed: int) -> int:
    """In how many parts the run was trained, after a look that it ended as one that was never stopped, and once."""
    record = records.load_record(records.path_of(folder / "results", LONG, seed))
    assert record.epochs == never_stopped(seed)[1].epochs
    begins = [part.first_iteration for part in record.parts]
    ends = [part.last_iteration for part in record.parts]
    assert begins == [0, *ends[:-1]]  # nothing was trained twice
    assert ends[-1] == LONGER.iterations
    return len(record.parts)


# --- Slurm ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a Slurm that runs, with dask's own configuration of its jobs."""
    need(slurm_node.why_not())
    pytest.importorskip("dask_jobqueue")
    folder = tmp_path_factory.mktemp("slurm")
    jobqueue = {
        "CORES": "1",
        "MEMORY": "1GB",
        "INTERFACE": "lo",
        "LOG_DIRECTORY": str(folder / "logs"),
        "LOCAL_DIRECTORY": str(folder),
        "SCHEDULER_OPTIONS": repr({"dashboard": False}),
    }
    with slurm_node.running(folder) as environment:
        yield environment | {f"DASK_JOBQUEUE__SLURM__{name}": value for name, value in jobqueue.items()}


def test_slurm_trains_every_run_once_though_a_job_is_cancelled_midway(slurm: dict[str, str], folder: Path) -> None:
    environment = {**os.environ, **ENVIRONMENT, **slurm, "PAUSE": "0.3"}
    process = subprocess.Popen(
        [*words(folder, "slurm"), "--jobs", "2"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(lambda: len(trained(folder)) == 2)
        before = slurm_node.jobs(slurm)
        assert set(before.values()) == {"RUNNING"}
        slurm_node.cancel(slurm, cancelled := next(iter(before)))
        wait_for(lambda: cancelled not in slurm_node.jobs(slurm), 60)
        go_on(folder / "runs")
        said, _ = process.communicate(timeout=400)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "Recorded: 3 runs" in said
    assert sum(parts_of_undisturbed(folder, seed) > 1 for seed in SEEDS) == 1  # the one whose job was cancelled
    wait_for(lambda: not slurm_node.jobs(slurm), 60)  # nothing of it is left in the queue


# --- Two hosts --------------------------------------------------------------------------------------------------------


@contextmanager
def two_hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them: ``10.83.0.1`` and ``10.83.0.2``; yields their names."""
    names = f"book-{os.getpid()}-a", f"book-{os.getpid()}-b"
    ends = f"bk{os.getpid()}a", f"bk{os.getpid()}b"
    with ExitStack() as closing:
        for name in names:
            ip("netns", "add", name)
            closing.callback(ip, "netns", "delete", name)
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for number, (name, end) in enumerate(zip(names, ends, strict=True), start=1):
            ip("link", "set", end, "netns", name)
            ip("-n", name, "address", "add", f"10.83.0.{number}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def network_fault() -> str | None:
    """What is missing for network namespaces, or None. Skips the test where the system allows none."""
    if shutil.which("ip") is None:
        return "ip is not installed (Debian: iproute2)"
    try:
        ip("netns", "add", f"book-{os.getpid()}-try")
        ip("netns", "delete", f"book-{os.getpid()}-try")
    except subprocess.CalledProcessError as error:  # which no installation would change
        pytest.skip(f"no network namespaces here ({error.stderr.decode().strip()})")
    return None


@contextmanager
def on_host(host: str, *command: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A process with the network of ``host`` alone; ended after."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", host, *command],
        env={**os.environ, **ENVIRONMENT, "PAUSE": "0.3", "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5s"},
        text=True,
        start_new_session=True,
        **more,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def dask(program: str, *options: str) -> list[str]:
    return [sys.executable, "-m", f"distributed.cli.dask_{program}", *options]


def test_a_host_that_is_cut_off_midway_costs_no_run_and_trains_none_twice(folder: Path) -> None:
    need(network_fault())
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    worker = (
        "--nthreads",
        "1",
        "--memory-limit",
        "0",
        "--no-dashboard",
        "--local-directory",
        str(folder),
        "tcp://10.83.0.1:8786",
    )
    with ExitStack() as closing:
        near, far = closing.enter_context(two_hosts())

        def start(host: str, *command: str, **more: Any) -> subprocess.Popen[str]:
            return closing.enter_context(on_host(host, *command, **more))

        start(near, *dask("scheduler", "--host", "10.83.0.1", "--no-dashboard"), **quiet)
        for host in (near, far):
            start(host, *dask("worker", *worker), **quiet)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        client = start(near, *words(folder, "tcp://10.83.0.1:8786"), **pipes)
        wait_for(lambda: len(trained(folder)) == 2)
        ip("-n", far, "link", "set", f"bk{os.getpid()}b", "down")  # the cable is out; the worker there goes on
        go_on(folder / "runs")
        said, _ = client.communicate(timeout=400)
    assert client.returncode == 0, said
    assert "Recorded: 3 runs" in said
    for seed in SEEDS:
        parts_of_undisturbed(folder, seed)
    assert not list((folder / "results").rglob("*.part"))
