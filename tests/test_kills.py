"""Killed again and again, at any moment, in the midst of writing too, a run ends as the run that was never stopped.

``KILLS=1000 pytest -s tests/test_kills.py -k random`` goes on until there were so many, and prints what it counted.
"""

import importlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from small_runs import NAME, add_tiny_experiment

from resnet_book.cli.main import main
from resnet_book.engine import checkpointing, checkpoints
from resnet_book.experiments import records, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.recipe import Recipe

pytestmark = pytest.mark.slow
RECIPE = Recipe(iterations=80, batch_size=32, drops=(40, 60))  # ten epochs
PREPARED = multiprocessing.get_context("forkserver")  # its children have torch already, so twenty cost little


@pytest.fixture(autouse=True)
def _with_torch_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    PREPARED.set_forkserver_preload(["small_runs", "resnet_book.experiments.run", "torch._dynamo"])


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def terminate_self() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def run_and_die(folder: Path, writes: int, delay: float | None, act: Callable[[], None] = kill_self) -> None:
    """Record the run under ``folder``, saving at every step; die at write number ``writes``: half-way, or later.

    ``delay``: seconds between that write and death; None for death in its midst. ``act``: how it dies later.
    """
    with pytest.MonkeyPatch.context() as patch:
        add_tiny_experiment(patch, RECIPE)
        patch.setattr(checkpointing, "CHECKPOINT_SECONDS", 0)
        torch.set_num_threads(1)
        synchronise, left = os.fsync, [writes]

        def counted(file: int) -> None:
            left[0] -= 1
            if left[0] == 0 and delay is None:
                os.ftruncate(file, os.fstat(file).st_size // 2)  # half of it is on the disk
                kill_self()
            if left[0] == 0:
                threading.Timer(delay or 0, act).start()
            synchronise(file)

        patch.setattr(os, "fsync", counted)
        folders = ["--results", str(folder / "results"), "--runs", str(folder / "runs")]
        sys.exit(main(["run", NAME, "--quiet", "--device", "cpu", *folders]))


def start(
    folder: Path, writes: int = -1, delay: float | None = None, act: Callable[[], None] = kill_self
) -> BaseProcess:
    """The run in a process of its own, which dies as ``run_and_die`` has it; without more words it lives."""
    process = PREPARED.Process(target=run_and_die, args=(folder, writes, delay, act))
    process.start()
    return process


def recorded(folder: Path) -> tuple[object, bytes]:
    """The epochs of the record, and the bytes of the weights."""
    record = records.path_of(folder / "results", NAME, 0)
    return json.loads(record.read_text())["epochs"], record.with_suffix(".safetensors").read_bytes()


WAYS = {  # how a run is killed: the exit statuses that this may have, beside 0 where it was recorded before
    "killed while it wrote a file": (-signal.SIGKILL,),
    "killed between two files": (-signal.SIGKILL,),
    "ended by SIGTERM": (130, -signal.SIGTERM),  # the second just after training, when nobody catches it
}
HALF, *_, TERM = WAYS


def kill_until_recorded(folder: Path, draw: random.Random, counts: Counter[str]) -> None:
    """Run it until it is recorded, killed at random moments; count kills, and what of it was lost or half-written."""
    record = records.path_of(folder / "results", NAME, 0)
    last = 0
    while not record.exists():
        way = draw.choice(list(WAYS))
        delay = None if way == HALF else draw.uniform(0, 0.02)
        process = start(folder, draw.randint(1, 12), delay, terminate_self if way == TERM else kill_self)
        process.join()
        assert process.exitcode in (0, *WAYS[way]), f"{way}: {counts}"
        counts[way] += process.exitcode != 0
        try:
            saved = checkpoints.load(folder / "runs" / NAME / "seed0" / "checkpoint.pt")
            records.load_all(folder / "results")
        except (checkpoints.CheckpointError, RecordError):
            counts["half-written"] += 1
            return
        if saved and not record.exists():
            counts["saved, then lost"] += saved["iteration"] < last
            last = saved["iteration"]


def test_a_run_killed_at_random_moments_ends_bit_for_bit_as_the_run_never_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_experiment(monkeypatch, RECIPE)  # so that its record can be read here
    start(tmp_path / "whole").join()
    undisturbed = recorded(tmp_path / "whole")
    seed = random.randrange(10**6)
    draw = random.Random(seed)
    faults = dict.fromkeys(("half-written", "saved, then lost", "other than undisturbed"), 0)
    counts = Counter[str]({"seed": seed, **faults})
    while sum(counts[way] for way in WAYS) < int(os.environ.get("KILLS", "5")) and not counts["half-written"]:
        folder = tmp_path / str(counts["runs"])
        kill_until_recorded(folder, draw, counts)
        counts["runs"] += 1
        counts["other than undisturbed"] += not counts["half-written"] and recorded(folder) != undisturbed
        shutil.rmtree(folder)
    print(dict(counts))
    assert {name: counts[name] for name in faults} == faults, counts


@pytest.mark.parametrize("file", ["weights", "record"])
def test_killed_while_it_writes_the_last_files_it_leaves_no_half_of_either(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_experiment(monkeypatch, RECIPE)  # so that its record can be read here
    module, function = {"weights": (weights, "save_weights"), "record": (records, "save_record")}[file]
    process = PREPARED.Process(target=run_and_die_in, args=(tmp_path, module.__name__, function))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert records.load_all(tmp_path / "results") == []
    start(tmp_path).join()
    (record,) = records.load_all(tmp_path / "results")
    assert record.epochs[-1].iteration == RECIPE.iterations
    left = {path.name for path in (tmp_path / "results" / NAME).iterdir()}
    assert left == {"seed0.json", "seed0.safetensors", "seed0.study.safetensors"}


def run_and_die_in(folder: Path, name: str, function: str) -> None:
    """As ``run_and_die``, but in the midst of what ``function`` of the module ``name`` writes."""
    module = importlib.import_module(name)
    write = getattr(module, function)

    def deadly(*arguments: object) -> None:
        os.fsync = lambda file: (os.ftruncate(file, os.fstat(file).st_size // 2), kill_self())  # type: ignore[assignment]
        write(*arguments)

    setattr(module, function, deadly)
    run_and_die(folder, -1, None)
