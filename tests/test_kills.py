"""Killed again and again, at any moment, in the midst of writing too, a run ends as the run that was never stopped."""

import importlib
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from small_runs import NAME, add_tiny_experiment

from resnet_book.cli.main import main
from resnet_book.engine import callbacks, checkpoints
from resnet_book.experiments import records, weights
from resnet_book.recipe import Recipe

pytestmark = pytest.mark.slow
RECIPE = Recipe(iterations=80, batch_size=32, drops=(40, 60))  # ten epochs
PREPARED = multiprocessing.get_context("forkserver")  # its children have torch already, so twenty cost little


@pytest.fixture(autouse=True)
def _with_torch_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    PREPARED.set_forkserver_preload(["small_runs", "resnet_book.experiments.run", "torch._dynamo"])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_and_die(folder: Path, writes: int, delay: float | None) -> None:
    """Record the run under ``folder``, saving at every step; die at write number ``writes``: half-way, or later.

    ``delay``: seconds between that write and death; None for death in its midst.
    """
    with pytest.MonkeyPatch.context() as patch:
        add_tiny_experiment(patch, RECIPE)
        patch.setattr(callbacks, "CHECKPOINT_SECONDS", 0)
        torch.set_num_threads(1)
        synchronise, left = os.fsync, [writes]

        def counted(file: int) -> None:
            left[0] -= 1
            if left[0] == 0 and delay is None:
                os.ftruncate(file, os.fstat(file).st_size // 2)  # half of it is on the disk
                die()
            if left[0] == 0:
                threading.Timer(delay or 0, die).start()
            synchronise(file)

        patch.setattr(os, "fsync", counted)
        folders = ["--results", str(folder / "results"), "--runs", str(folder / "runs")]
        sys.exit(main(["run", NAME, "--quiet", "--device", "cpu", *folders]))


def start(folder: Path, writes: int = -1, delay: float | None = None) -> BaseProcess:
    process = PREPARED.Process(target=run_and_die, args=(folder, writes, delay))
    process.start()
    return process


def recorded(folder: Path) -> tuple[object, bytes]:
    """The epochs of the record, and the bytes of the weights."""
    record = records.path_of(folder / "results", NAME, 0)
    return json.loads(record.read_text())["epochs"], record.with_suffix(".safetensors").read_bytes()


def test_a_run_killed_at_random_moments_ends_bit_for_bit_as_the_run_never_stopped(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole")
    folder = tmp_path / "killed"
    record = records.path_of(folder / "results", NAME, 0)
    seed = random.randrange(10**6)
    draw, kills, last = random.Random(seed), 0, 0
    while not record.exists():
        delay = draw.choice([None, draw.uniform(0, 0.02)])  # in the midst of a write, or between two
        process = start(folder, draw.randint(1, 12), delay)
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0), f"seed {seed}"
        kills += process.exitcode == -signal.SIGKILL
        saved = checkpoints.load(folder / "runs" / NAME / "seed0" / "checkpoint.pt")
        if saved and not record.exists():
            assert saved["iteration"] >= last, f"seed {seed}"  # nothing that was saved is lost
            last = saved["iteration"]
    whole.join()
    assert recorded(folder) == recorded(tmp_path / "whole"), f"seed {seed}"
    assert kills >= 5


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
        os.fsync = lambda file: (os.ftruncate(file, os.fstat(file).st_size // 2), die())  # type: ignore[assignment]
        write(*arguments)

    setattr(module, function, deadly)
    run_and_die(folder, -1, None)
