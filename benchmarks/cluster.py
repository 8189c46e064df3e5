"""Simulate a sweep on a large cluster: the real scheduler, sweep and workers, and runs that sleep instead of training.

Nodes are processes with some workers each; they are killed at random and start again after a while. What is measured:
how long the sweep takes beside the time that perfect workers would, how much work is done twice because of the kills,
and what scheduler and sweep need of a processor. Run it with ``python benchmarks/cluster.py``, some ten minutes on two
cores that do nothing else. ``--figure`` draws how many runs were recorded when.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from distributed import Client, Worker
from filelock import FileLock, Timeout

from resnet_book.engine.callbacks import Callback
from resnet_book.engine.files import write_atomically
from resnet_book.experiments import records, worker
from resnet_book.experiments.run import LockedError, Options, folder_of

ROOT = Path(__file__).parent.parent
EXPERIMENT = "resnet20-builtin-smoke"
TICK_SECONDS = 0.5  # of a run: between two looks whether it is still wanted
SEED = 0  # of the lengths of runs and of the kills


@dataclass(frozen=True)
class Plan:
    """What is simulated. Seconds are simulated ones; ``speed`` of them pass in a real second."""

    runs: int = 3_000
    nodes: int = 10
    workers: int = 200  # of all nodes together
    run_seconds: float = 600.0  # mean length of a run; single ones have half to one and a half of it
    save_seconds: float = 45.0  # between two checkpoints
    node_kills: float = 20.0  # of any node, in the whole sweep, on average
    down_seconds: float = 300.0  # until a killed node is back
    speed: float = 30.0

    @property
    def ideal_seconds(self) -> float:
        """How long the sweep would take on workers that never fail and lose no moment between two runs."""
        return sum(self.length(seed) for seed in range(self.runs)) / self.workers

    def length(self, seed: int) -> float:
        """How many simulated seconds the run with this seed takes."""
        return self.run_seconds * (0.5 + random.Random(SEED + seed).random())


@dataclass
class Curve:
    """How many runs were recorded after how many simulated hours, and when nodes were killed."""

    hours: list[float] = field(default_factory=list)
    recorded: list[int] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)


def pretend(plan: Plan) -> Callable[..., records.Record]:
    """What stands in for ``train_and_record``: sleeps, saves how far it is, goes on from there, leaves a record."""
    template = json.loads((ROOT / "results" / EXPERIMENT / "seed0.json").read_text())
    template |= {"weights_sha256": None, "study_sha256": None}

    def train(
        name: str, seed: int, options: Options, stop: Callable[[], bool], further: list[Callback]
    ) -> records.Record:
        folder = folder_of(options.runs, name, seed)
        folder.mkdir(parents=True, exist_ok=True)
        saved, worked = folder / "saved.json", folder / "worked.txt"
        try:
            with FileLock(folder / "lock", timeout=1):
                done = json.loads(saved.read_text()) if saved.exists() else 0.0
                last = done
                while done < plan.length(seed):
                    if stop():
                        _write(saved, json.dumps(done))
                        raise KeyboardInterrupt
                    time.sleep(TICK_SECONDS)
                    done += TICK_SECONDS * plan.speed
                    with worked.open("a") as file:
                        file.write(".")  # a tick of work, of whichever worker
                    if done - last > plan.save_seconds:
                        last = done
                        _write(saved, json.dumps(done))
                path = records.path_of(options.results, name, seed)
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(path, json.dumps(template | {"seed": seed}))
                return records.load_record(path)
        except Timeout:
            raise LockedError(str(folder)) from None

    return train


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))


def be_node(address: str, workers: int, plan: Plan, folder: Path) -> None:
    """Be one node: so many workers in this process, until it is killed or the scheduler goes."""
    worker.train_and_record = pretend(plan)  # type: ignore[assignment]
    worker.redirect_stderr = nullcontext  # type: ignore[assignment]  # which is the whole process's
    worker.TELL_SECONDS = 5.0

    async def work() -> None:
        quiet: dict[str, Any] = {"nthreads": 1, "memory_limit": 0, "silence_logs": 50, "dashboard": False}
        started = [Worker(address, local_directory=str(folder / "scratch"), **quiet) for _ in range(workers)]
        await asyncio.gather(*started)
        await asyncio.gather(*(each.finished() for each in started))

    asyncio.run(work())


def simulate(plan: Plan) -> tuple[dict[str, float], Curve]:
    """Run the simulation; returns what was measured, and how many runs were recorded after how many hours."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = f"tcp://127.0.0.1:{port}"
        listening = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        scheduler = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", *listening],
            env={**environment, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "10"},
            stderr=subprocess.DEVNULL,
        )
        words = ["--node", address, "--folder", name, *(f"--{key}={value}" for key, value in _options(plan))]
        nodes = [_start(words, environment) for _ in range(plan.nodes)]
        over, kills, curve = threading.Event(), list[float](), Curve()
        breaker = threading.Thread(target=_break, args=(plan, nodes, words, environment, over, kills))
        watcher = threading.Thread(target=_watch, args=(plan, folder, over, curve))
        try:
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(plan.workers)  # their start is not of the sweep
            began, cpu = time.monotonic(), _seconds_of(scheduler.pid)
            breaker.start()
            watcher.start()
            status, sweep_seconds = _sweep(address, plan, folder)
            seconds = time.monotonic() - began
            scheduler_seconds = _seconds_of(scheduler.pid) - cpu
        finally:
            over.set()
            for thread in (breaker, watcher):
                if thread.is_alive():  # not before the workers are there
                    thread.join()
            for process in (*nodes, scheduler):
                process.kill()
                process.wait()  # else it might still write into the folder that goes
        recorded = sum(1 for _ in folder.glob("results/*/seed*.json"))
        ticks = sum(path.stat().st_size for path in folder.glob("runs/*/seed*/worked.txt"))
        tick = TICK_SECONDS * plan.speed
        worked = ticks * tick
        needed = sum(ceil(plan.length(seed) / tick) * tick for seed in range(plan.runs))  # the last tick is a whole one
        measured = {
            "status": status,
            "recorded": recorded,
            "node kills": len(kills),
            "hours": seconds * plan.speed / 3600,
            "ideal hours": plan.ideal_seconds / 3600,
            "work done twice, %": 100 * (worked / needed - 1),
            "scheduler, % of a core": 100 * scheduler_seconds / seconds,
            "sweep, % of a core": 100 * sweep_seconds / seconds,
            "saves a second": sum(plan.length(seed) // plan.save_seconds + 1 for seed in range(plan.runs))
            / (seconds * plan.speed),
        }
        curve.kills = [(moment - began) * plan.speed / 3600 for moment in kills]
        return measured, curve


def _sweep(address: str, plan: Plan, folder: Path) -> tuple[int, float]:
    """Sweep all runs; returns the exit status and the processor's seconds."""
    from resnet_book.experiments.sweep import Sweep

    began = time.process_time()
    options = Options("cpu", results=folder / "results", runs=folder / "runs", progress=False)
    status = Sweep(options, cluster=address).work([EXPERIMENT], range(plan.runs))
    return status, time.process_time() - began


def _break(
    plan: Plan,
    nodes: list[Any],
    words: list[str],
    environment: dict[str, str],
    over: threading.Event,
    kills: list[float],
) -> None:
    """Kill a node now and then, and start it again later; ``kills`` are the moments."""
    drawn = random.Random(SEED)
    mean = plan.ideal_seconds / plan.speed / plan.node_kills if plan.node_kills else 1e9
    while not over.wait(drawn.expovariate(1 / mean)):
        place = drawn.randrange(len(nodes))
        nodes[place].send_signal(signal.SIGKILL)
        nodes[place].wait()
        kills.append(time.monotonic())
        if over.wait(plan.down_seconds / plan.speed):
            return
        nodes[place] = _start(words, environment)


def _watch(plan: Plan, folder: Path, over: threading.Event, curve: Curve) -> None:
    """Count the records every two seconds."""
    began = time.monotonic()
    while True:
        last = over.wait(2)
        curve.hours.append((time.monotonic() - began) * plan.speed / 3600)
        curve.recorded.append(sum(1 for _ in folder.glob("results/*/seed*.json")))
        if last:
            return


def draw(plan: Plan, curve: Curve, path: Path) -> None:
    """Draw how many runs were recorded when, beside perfect workers, as SVG or PNG."""
    import matplotlib.pyplot as plt

    from resnet_book.report import figures

    figures.use_style()
    figure, ax = plt.subplots(figsize=(6.4, 3.4))
    ideal = plan.ideal_seconds / 3600
    ax.plot(
        [0, ideal], [0, plan.runs], color=figures.COLOURS["neutral"], linestyle=":", label="workers that never fail"
    )
    ax.plot(curve.hours, curve.recorded, color=figures.COLOURS["residual"], label="simulated sweep")
    shown = [sum(hour <= kill for hour in curve.hours) - 1 for kill in curve.kills]
    heights = [curve.recorded[max(0, place)] for place in shown]
    ax.plot(curve.kills, heights, "x", color=figures.COLOURS["plain"], label="a node is killed")
    ax.set(xlabel="simulated hours", ylabel="recorded runs", xlim=(0, None), ylim=(0, None))
    ax.legend()
    figure.savefig(path)


def _start(words: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, __file__, *words], env=environment, stderr=subprocess.DEVNULL)


def _seconds_of(process: int) -> float:
    """Seconds of processor that a process has had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _options(plan: Plan) -> list[tuple[str, float]]:
    return [(name.replace("_", "-"), value) for name, value in vars(plan).items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--figure", type=Path, metavar="FILE", help="draw the records over time: a name in .svg or .png"
    )
    for name, value in _options(Plan()):
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default {value:g}")
    options = parser.parse_args()
    plan = Plan(**{name: getattr(options, name) for name in vars(Plan())})
    if plan.nodes < 1 or plan.workers % plan.nodes:
        parser.error(f"--workers={plan.workers}: give each of --nodes={plan.nodes} as many, so choose a multiple of it")
    if options.node:
        be_node(options.node, plan.workers // plan.nodes, plan, options.folder)
        return
    measured, curve = simulate(plan)
    for name, value in measured.items():
        print(f"{name}: {value:,.2f}" if isinstance(value, float) else f"{name}: {value:,}")
    if options.figure:
        draw(plan, curve, options.figure)


if __name__ == "__main__":
    main()
