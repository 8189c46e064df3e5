"""A full disk loses no trained run, and a clock that jumps changes none; messages say which folder and what to do."""

import errno
import os
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from small_runs import NAME, add_tiny_experiment, fit, tiny

from resnet_book.engine import checkpointing
from resnet_book.experiments import records, weights
from resnet_book.experiments import run as runs

pytestmark = pytest.mark.slow


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Options:
    add_tiny_experiment(monkeypatch)
    return runs.Options("cpu", results=tmp_path / "results", runs=tmp_path / "runs", compiled=False, progress=False)


def fill(patch: pytest.MonkeyPatch, full: Callable[[str], bool]) -> None:
    """Let the disk be full for files of whose path ``full`` says so: nothing reaches it."""
    synchronise = os.fsync

    def refuse(file: int) -> None:
        if full(os.readlink(f"/proc/self/fd/{file}")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synchronise(file)

    patch.setattr(os, "fsync", refuse)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="finds the names of open files in /proc")
@pytest.mark.parametrize("file", [".seed0.safetensors", ".seed0.study.safetensors", ".tmp"])
def test_a_trained_run_whose_results_do_not_fit_on_the_disk_is_recorded_later(
    file: str, options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fill(patch, lambda path: f"{file}." in path)
        with pytest.raises(OSError, match="No space left") as failure:
            runs.train_and_record(NAME, 0, options)
    kept = runs.folder_of(options.runs, NAME, 0) / "checkpoint.pt"
    assert f"the trained run is in {kept}. Make room in {options.results / NAME}" in str(failure.value)
    assert records.load_all(options.results) == []
    monkeypatch.setattr(checkpointing.Checkpoint, "before_step", lambda *_: pytest.fail("it was trained again"))
    record = runs.train_and_record(NAME, 0, options)
    network = tiny()
    assert record.epochs == fit(network).epochs
    assert weights.load_network(NAME, 0, options.results)[1] == record
    assert files(options.results) == ["seed0.json", "seed0.safetensors", "seed0.study.safetensors"]
    assert not kept.exists()


def test_a_clock_that_jumps_by_days_changes_neither_the_numbers_nor_the_seconds(
    options: runs.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, jumps = time.time, cycle((0, 86_400, -86_400, 3_600))
    monkeypatch.setattr(time, "time", lambda: now() + next(jumps))
    began = time.monotonic()
    record = runs.train_and_record(NAME, 0, options)
    assert 0 < record.seconds <= time.monotonic() - began
    assert record.epochs == fit(tiny()).epochs
