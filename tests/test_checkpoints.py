"""A run that was stopped, at whatever moment, ends where the run that was never stopped ends; bad files are refused."""

import os
import pickle
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import RECIPE, TEST, TRAIN, fit, same_weights, tiny

from resnet_book import run_state, train
from resnet_book.engine import checkpoints
from resnet_book.engine.checkpoints import CheckpointError
from resnet_book.run_state import DivergedError, RunState

pytestmark = pytest.mark.usefixtures("one_thread")


def at_step(patch: pytest.MonkeyPatch, iteration: int, do: Any) -> None:
    """Call ``do(run)`` once, in the midst of the step that follows ``iteration`` finished ones."""
    measure = RunState.measure
    pending = [do]

    def wrapped(run: RunState, *arguments: Any) -> None:
        measure(run, *arguments)
        if run.iteration == iteration and pending:
            pending.pop()(run)

    patch.setattr(RunState, "measure", wrapped)


def ctrl_c(_: object = None) -> None:
    signal.raise_signal(signal.SIGINT)


# --- Going on -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("iteration", [0, 3, 7, 8, 15, 18, 19])  # 7 and 15 end an epoch, 19 ends the run
def test_a_run_that_was_interrupted_ends_as_the_run_that_was_not(
    iteration: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_stopped = tiny()
    history = fit(never_stopped)
    at_step(monkeypatch, iteration, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")
    saved = checkpoints.load(tmp_path / "checkpoint")
    assert saved is not None
    assert saved["iteration"] == iteration + 1  # the step under way was finished
    resumed = tiny(seed=9)  # its weights come from the checkpoint
    assert fit(resumed, checkpoint=tmp_path / "checkpoint").epochs == history.epochs
    assert same_weights(resumed, never_stopped)


@pytest.mark.parametrize("iteration", [5, 8])
def test_a_run_that_died_goes_on_from_its_last_checkpoint(
    iteration: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: RunState) -> None:
        raise MemoryError

    never_stopped = tiny()
    history = fit(never_stopped)
    monkeypatch.setattr(run_state, "CHECKPOINT_SECONDS", -1)
    at_step(monkeypatch, iteration, die)
    with pytest.raises(MemoryError):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")
    resumed = tiny()
    assert fit(resumed, checkpoint=tmp_path / "checkpoint").epochs == history.epochs
    assert same_weights(resumed, never_stopped)


def test_a_run_goes_on_with_the_threads_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = fit(tiny())  # with one thread
    at_step(monkeypatch, 5, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")
    torch.set_num_threads(2)
    assert fit(tiny(), checkpoint=tmp_path / "checkpoint").epochs == history.epochs
    assert torch.get_num_threads() == 1


def test_a_run_that_goes_on_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = {"checkpoint": tmp_path / "checkpoint", "progress": True}
    at_step(monkeypatch, 5, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        train.fit(tiny(), TRAIN, TEST, RECIPE, **shown)
    assert "Goes on" not in capsys.readouterr().err
    train.fit(tiny(), TRAIN, TEST, RECIPE, **shown)
    assert f"Goes on from {tmp_path / 'checkpoint'}, after 6 of 20 iterations" in capsys.readouterr().err


def test_a_run_that_died_in_a_test_of_the_network_only_tests_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_stopped, resumed = tiny(), tiny()
    history = fit(never_stopped)
    evaluate, tests = train.evaluate, iter(range(3))
    with monkeypatch.context() as patch:
        patch.setattr(run_state, "CHECKPOINT_SECONDS", 0)
        patch.setattr(train, "evaluate", lambda *a, **b: exit("killed") if next(tests) == 1 else evaluate(*a, **b))
        with pytest.raises(SystemExit):
            fit(tiny(), checkpoint=tmp_path / "checkpoint")
    steps = []
    found = fit(resumed, checkpoint=tmp_path / "checkpoint", on_step=lambda iteration, _: steps.append(iteration))
    assert steps == [17, 18, 19, 20]
    assert found.epochs == history.epochs
    assert same_weights(resumed, never_stopped)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    network, again = tiny(), tiny(seed=9)
    history = fit(network, checkpoint=tmp_path / "checkpoint")
    assert fit(again, checkpoint=tmp_path / "checkpoint") == history
    assert same_weights(again, network)


def test_a_bfloat16_run_goes_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(checkpoint: Path | None = None) -> list[train.Epoch]:
        return train.fit(
            tiny(), TRAIN, TEST, RECIPE, precision="bfloat16", checkpoint=checkpoint, progress=False
        ).epochs

    never_stopped = run()
    at_step(monkeypatch, 10, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "checkpoint")
    assert run(tmp_path / "checkpoint") == never_stopped


def test_the_seconds_of_all_parts_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = RunState.measure
    monkeypatch.setattr(RunState, "measure", lambda *arguments: (time.sleep(0.01), measure(*arguments)))
    at_step(monkeypatch, 13, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")
    history = fit(tiny(), checkpoint=tmp_path / "checkpoint")
    assert 20 * 0.01 <= history.train_seconds <= history.seconds


def test_a_second_ctrl_c_interrupts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 2, lambda run: (ctrl_c(), ctrl_c(), pytest.fail("went on")))
    with pytest.raises(KeyboardInterrupt):
        fit(tiny())


def test_ctrl_c_is_handled_as_before_after_the_run() -> None:
    before = signal.getsignal(signal.SIGINT)
    fit(tiny())
    assert signal.getsignal(signal.SIGINT) is before


# --- When it is written ---------------------------------------------------------------------------------------------


def test_a_checkpoint_is_due_within_a_minute() -> None:
    assert 0 < run_state.CHECKPOINT_SECONDS < 60


def test_a_checkpoint_is_written_as_soon_as_it_is_due_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    monkeypatch.setattr(checkpoints, "save", lambda state, path: saved.append(state["iteration"]))
    fit(tiny(), checkpoint=tmp_path / "checkpoint")
    assert saved == [8, 20]  # before the first test, of which nobody knows how long it will take
    saved.clear()
    monkeypatch.setattr(run_state, "CHECKPOINT_SECONDS", -1)
    fit(tiny(), checkpoint=tmp_path / "checkpoint")
    assert saved == sorted([*range(21), *2 * [8, 16, 20]])  # an epoch's end, before its test and after it


# --- A loss that is not finite --------------------------------------------------------------------------------------


def spoil(run: RunState) -> None:
    """Make a weight infinite in the midst of a step, after the loss was computed."""
    with torch.no_grad():
        next(run.network.parameters()).fill_(torch.inf)


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 10, spoil)
    with pytest.raises(
        DivergedError, match=r"loss .*not finite at iteration 11 \(epoch 2, learning rate 0.1, seed 5\)"
    ):
        fit(tiny(), seed=5)


def test_a_learning_rate_far_too_high_diverges() -> None:
    with pytest.raises(DivergedError, match=r"iteration \d+ \(epoch \d, learning rate 1e\+30"):
        fit(tiny(), recipe=replace(RECIPE, learning_rate=1e30, drops=()))


def test_weights_spoilt_by_the_last_step_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 19, spoil)
    with pytest.raises(DivergedError, match="iteration 19"):
        fit(tiny())


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_diverged_is_never_saved(interrupted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 10, lambda run: (spoil(run), ctrl_c() if interrupted else None))
    monkeypatch.setattr(run_state, "CHECKPOINT_SECONDS", -1)
    with pytest.raises(DivergedError):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")
    saved = checkpoints.load(tmp_path / "checkpoint")
    assert saved is not None
    assert saved["iteration"] == 10
    assert all(tensor.isfinite().all() for tensor in saved["network"].values())


# --- Files of other runs, damaged files, hostile files --------------------------------------------------------------

OTHER_RUNS = {
    "another network": {"network": tiny(shortcut=None)},  # its parameters have the same names and shapes
    "other training images": {"train": TRAIN.subset(128)},
    "other test images": {"test": TEST.subset(60)},
    "another recipe": {"recipe": replace(RECIPE, momentum=0.8)},
    "seed": {"seed": 1},
    "precision": {"precision": "bfloat16"},
}


@pytest.mark.parametrize("name", OTHER_RUNS)
def test_the_checkpoint_of_another_run_is_refused_and_kept(name: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    fit(tiny(), checkpoint=path)
    before = path.read_bytes()
    run = {"network": tiny(), "train": TRAIN, "test": TEST, "recipe": RECIPE, "seed": 0} | OTHER_RUNS[name]
    with pytest.raises(CheckpointError, match=rf"another run \({name}[^;]*\)\. Delete it") as caught:
        train.fit(**run, checkpoint=path, progress=False)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


class Bomb:
    """Unpickling it makes the file at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("written_with", [torch.save, lambda state, path: path.write_bytes(pickle.dumps(state))])
def test_a_checkpoint_that_would_execute_something_is_refused_and_executes_nothing(
    written_with: Any, tmp_path: Path
) -> None:
    path, harm = tmp_path / "checkpoint", tmp_path / "harm"
    written_with({"iteration": 1, "bomb": Bomb(harm)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint that can be trusted"):
        checkpoints.load(path)
    assert not harm.exists()
    pickle.loads(pickle.dumps(Bomb(harm)))
    assert harm.exists()  # the bomb is a bomb


def test_a_checkpoint_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    fit(tiny(), checkpoint=path)
    whole = path.read_bytes()
    for length in (0, 1, 2, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="Delete it"):
            fit(tiny(), checkpoint=path)


NOT_CHECKPOINTS = {
    "text": b"hello\n",
    "web page": b"<!DOCTYPE html><html></html>",
    "zip": b"PK\x05\x06" + bytes(18),
    "pickle of a list": pickle.dumps([1, 2]),
    "pickle of an empty dictionary": pickle.dumps({}),
    "pickle protocol 5": pickle.dumps({"a": 1}, protocol=5),
    **{f"noise {seed}": random.Random(seed).randbytes(50) for seed in range(20)},
}


@pytest.mark.filterwarnings("ignore")  # torch's, about files of an old kind
@pytest.mark.parametrize("name", NOT_CHECKPOINTS)
def test_a_file_that_is_no_checkpoint_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(NOT_CHECKPOINTS[name])
    with pytest.raises(CheckpointError, match="Delete it"):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")


def test_a_folder_in_the_place_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoints.load(tmp_path)


def test_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoints.load(tmp_path / "checkpoint") is None


# --- Writing atomically ---------------------------------------------------------------------------------------------


def test_writing_makes_missing_folders_and_leaves_only_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    checkpoints.write_atomically(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(error: type[BaseException], tmp_path: Path) -> None:
    def write(file: Any) -> None:
        file.write(b"half")
        raise error

    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error):
        checkpoints.write_atomically(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_a_half_written_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(file: Any) -> None:
        file.write(b"ne")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"w")

    checkpoints.write_atomically(path, write)
    assert path.read_bytes() == b"new"
