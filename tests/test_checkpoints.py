"""A run that was stopped, at whatever moment, ends where the run that was never stopped ends; bad files are refused."""

import os
import pickle
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import RECIPE, TEST, TRAIN, fit, same_weights, tiny
from torch import Tensor

from resnet_book import features, train
from resnet_book.engine import checkpointing, checkpoints
from resnet_book.engine.callbacks import Callback
from resnet_book.engine.checkpointing import Checkpoint
from resnet_book.engine.checkpoints import CheckpointError
from resnet_book.engine.device import CPU, Engine
from resnet_book.engine.files import write_atomically
from resnet_book.models import Network
from resnet_book.recipe import History
from resnet_book.state import DivergedError, Meter, Training


def at_step(patch: pytest.MonkeyPatch, iteration: int, do: Callable[[Training], object]) -> None:
    """Call ``do(training)`` once, at the end of the step that follows ``iteration`` finished ones."""
    make_step, pending = train.make_step, [do]

    def make(training: Training) -> Callable[[Tensor], None]:
        step = make_step(training)

        def step_and_do(plan: Tensor) -> None:
            step(plan)
            if training.iteration == iteration and pending:
                pending.pop()(training)

        return step_and_do

    patch.setattr(train, "make_step", make)


def ctrl_c(_: object = None) -> None:
    signal.raise_signal(signal.SIGINT)


def stopped(patch: pytest.MonkeyPatch, path: Path, iteration: int, engine: Engine = CPU) -> None:
    """Train until Ctrl-C in the step that follows ``iteration`` finished ones."""
    with patch.context() as patched:
        at_step(patched, iteration, ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            fit(tiny(), checkpoint=path, engine=engine)


# --- Going on -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def never_stopped() -> tuple[Network, History]:
    """The network and the history of the run that was never stopped."""
    network = tiny()
    return network, fit(network)


Whole = tuple[Network, History]


@pytest.fixture(scope="module")
def bytes_of_finished(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("finished") / "checkpoint"
    fit(tiny(), checkpoint=path)
    return path.read_bytes()


@pytest.fixture
def finished(bytes_of_finished: bytes, tmp_path: Path) -> Path:
    """The checkpoint of a run that came to its end."""
    (tmp_path / "checkpoint").write_bytes(bytes_of_finished)
    return tmp_path / "checkpoint"


@pytest.mark.slow
@pytest.mark.parametrize("iteration", [0, 3, 7, 8, 15, 18, 19])  # 7 and 15 end an epoch, 19 ends the run
def test_a_run_that_was_interrupted_ends_as_the_run_that_was_not(
    iteration: int, never_stopped: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, history = never_stopped
    stopped(monkeypatch, tmp_path / "checkpoint", iteration)
    saved = checkpoints.load(tmp_path / "checkpoint")
    assert saved is not None
    assert saved["iteration"] == iteration + 1  # the step under way was finished
    resumed = tiny(seed=9)  # its weights come from the checkpoint
    assert fit(resumed, checkpoint=str(tmp_path / "checkpoint")).epochs == history.epochs
    assert same_weights(resumed, network)


@pytest.mark.parametrize("iteration", [5, 8])
def test_a_run_that_died_goes_on_from_its_last_checkpoint(
    iteration: int, never_stopped: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: Training) -> None:
        raise MemoryError

    network, history = never_stopped
    monkeypatch.setattr(checkpointing, "CHECKPOINT_SECONDS", -1)
    at_step(monkeypatch, iteration, die)
    with pytest.raises(MemoryError):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")
    resumed = tiny()
    assert fit(resumed, checkpoint=tmp_path / "checkpoint").epochs == history.epochs
    assert same_weights(resumed, network)


def test_sigterm_saves_and_stops_as_ctrl_c_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 5, lambda _: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")
    saved = checkpoints.load(tmp_path / "checkpoint")
    assert saved is not None
    assert saved["iteration"] == 6


def test_a_run_that_goes_on_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint"
    stopped(monkeypatch, path, 5)
    assert capsys.readouterr().err == ""
    fit(tiny(), checkpoint=path)
    assert capsys.readouterr().err == f"Goes on from {path}, after 6 of 20 iterations.\n"


@pytest.mark.parametrize(("epoch", "saved", "steps"), [(1, 8, range(9, 21)), (2, 16, range(17, 21)), (3, 20, [])])
def test_a_run_that_died_in_a_test_of_the_network_only_tests_again(
    epoch: int, saved: int, steps: Sequence[int], never_stopped: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(test: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *a, **b: exit("killed") if next(tests) == epoch else test(*a, **b)

    network, history = never_stopped
    tests = iter(range(1, 4))
    with monkeypatch.context() as patch:
        patch.setattr(checkpointing, "CHECKPOINT_SECONDS", 0)
        patch.setattr(train, "evaluate", dying(train.evaluate))
        patch.setattr(features, "extract", dying(features.extract))  # in the last test
        with pytest.raises(SystemExit):
            fit(tiny(), checkpoint=tmp_path / "checkpoint")
    taken, resumed = [], tiny()
    found = fit(resumed, checkpoint=tmp_path / "checkpoint", on_step=lambda iteration, _: taken.append(iteration))
    assert taken == list(steps)
    assert [(part.first_iteration, part.last_iteration) for part in found.parts] == [(0, saved), (saved, 20)]
    assert found.epochs == history.epochs
    assert same_weights(resumed, network)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    network, again = tiny(), tiny(seed=9)
    history = fit(network, checkpoint=tmp_path / "checkpoint")
    before = (tmp_path / "checkpoint").read_bytes()
    assert fit(again, checkpoint=tmp_path / "checkpoint") == history
    assert same_weights(again, network)
    assert (tmp_path / "checkpoint").read_bytes() == before


@pytest.mark.slow
def test_a_bfloat16_run_goes_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(precision="bfloat16")
    network, resumed = tiny(), tiny()
    history = fit(network, engine=engine)
    stopped(monkeypatch, tmp_path / "checkpoint", 10, engine)
    assert fit(resumed, checkpoint=tmp_path / "checkpoint", engine=engine).epochs == history.epochs
    assert same_weights(resumed, network)


@pytest.mark.slow
def test_a_run_goes_on_in_another_precision_which_its_parts_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that was begun on a GPU, in bfloat16, and goes on on a CPU."""
    stopped(monkeypatch, tmp_path / "checkpoint", 13, Engine(precision="bfloat16"))
    history = fit(tiny(), checkpoint=tmp_path / "checkpoint")
    parts = [(part.last_iteration, part.precision) for part in history.parts]
    assert parts == [(14, "bfloat16"), (20, "float32")]
    assert history.epochs[-1].train_loss == pytest.approx(fit(tiny()).epochs[-1].train_loss, rel=0.02)


def test_another_version_of_torch_which_describes_modules_otherwise_may_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(monkeypatch, tmp_path / "checkpoint", 5)
    monkeypatch.setattr(torch.nn.BatchNorm2d, "extra_repr", lambda layer: "described otherwise")
    assert [part.first_iteration for part in fit(tiny(), checkpoint=tmp_path / "checkpoint").parts] == [0, 6]


def test_a_checkpoint_keeps_momenta_and_not_how_a_device_steps(finished: Path) -> None:
    """So that a run of a CPU goes on on a GPU with the GPU's fused step, which a CUDA graph needs."""
    state = checkpoints.load(finished)
    assert state is not None
    other = Training(tiny(), {"train": TRAIN, "test": TEST}, RECIPE, 0, CPU)
    (group,) = other.optimizer.param_groups
    group["fused"] = True
    other.load_state_dict(state)
    (group,) = other.optimizer.param_groups
    assert group["fused"]
    assert group["lr"] is other.learning_rate  # the tensor that the trainer fills
    assert (group["momentum"], group["weight_decay"]) == (RECIPE.momentum, RECIPE.weight_decay)
    assert {tuple(kept) for kept in other.optimizer.state.values()} == {("momentum_buffer",)}


# --- Parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_stopped_twice_and_taken_up_with_other_threads_has_three_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: torch.set_num_threads(1))
    add = Meter.add
    monkeypatch.setattr(Meter, "add", lambda *arguments: (time.sleep(0.01), add(*arguments)))
    path = tmp_path / "checkpoint"
    stopped(monkeypatch, path, 5)
    torch.set_num_threads(2)
    stopped(monkeypatch, path, 13)
    torch.set_num_threads(3)
    history = fit(tiny(), checkpoint=path)
    assert torch.get_num_threads() == 3  # nobody sets them but the user
    parts = history.parts
    found = [(part.first_iteration, part.last_iteration, part.threads) for part in parts]
    assert found == [(0, 6, 1), (6, 14, 2), (14, 20, 3)]
    for part in parts:
        assert part.seconds >= 0.01 * (part.last_iteration - part.first_iteration)
    assert sum(part.seconds for part in parts) == pytest.approx(history.seconds)
    assert 20 * 0.01 <= history.train_seconds <= history.seconds
    assert history.images_per_second == pytest.approx(20 * 32 / history.train_seconds, rel=0.2)  # saving comes after
    assert [part.started for part in parts] == sorted(part.started for part in parts)
    first, second, third = (
        replace(part, first_iteration=0, last_iteration=0, seconds=0.0, threads=1, started="") for part in parts
    )
    assert first == second == third
    assert (first.processes, first.precision, first.compiled, first.cuda) == (1, "float32", False, None)
    assert first.device


def test_a_run_that_was_not_stopped_has_one_part(tmp_path: Path) -> None:
    history = fit(tiny(), checkpoint=tmp_path / "checkpoint")
    (part,) = history.parts
    assert (part.first_iteration, part.last_iteration, part.seconds) == (0, 20, pytest.approx(history.seconds))


def test_a_run_that_is_stopped_before_a_step_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint"

    def stop_at_once() -> None:
        with pytest.raises(KeyboardInterrupt):
            train.fit(tiny(), TRAIN, TEST, RECIPE, callbacks=[Checkpoint(path, stop=lambda: True)])

    stop_at_once()
    assert not path.exists()
    stopped(monkeypatch, path, 5)
    stop_at_once()
    history = fit(tiny(), checkpoint=path)
    assert [(part.first_iteration, part.last_iteration) for part in history.parts] == [(0, 6), (6, 20)]
    assert sum(part.seconds for part in history.parts) == pytest.approx(history.seconds)


# --- Signals --------------------------------------------------------------------------------------------------------


def test_a_second_ctrl_c_interrupts_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 2, lambda _: (ctrl_c(), ctrl_c(), pytest.fail("went on")))
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


def test_ctrl_c_after_the_last_save_interrupts_too_and_nothing_is_lost(tmp_path: Path) -> None:
    class Late(Callback):
        def end(self, training: Training) -> None:
            ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        train.fit(tiny(), TRAIN, TEST, RECIPE, callbacks=[Checkpoint(tmp_path / "checkpoint"), Late()])
    assert fit(tiny(), checkpoint=tmp_path / "checkpoint", on_step=lambda *_: pytest.fail("trained")).epochs


def test_without_a_checkpoint_ctrl_c_interrupts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 2, lambda _: (ctrl_c(), pytest.fail("went on")))
    with pytest.raises(KeyboardInterrupt):
        fit(tiny())


def test_one_checkpoint_object_serves_one_run_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeping = Checkpoint(tmp_path / "checkpoint")  # as a cell of a notebook that is run again after Ctrl-C
    with monkeypatch.context() as patch:
        at_step(patch, 2, ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            train.fit(tiny(), TRAIN, TEST, RECIPE, callbacks=[keeping])
    assert train.fit(tiny(), TRAIN, TEST, RECIPE, callbacks=[keeping]).epochs[-1].iteration == RECIPE.iterations


@pytest.mark.parametrize("fails", [False, True])
def test_signals_are_handled_as_before_after_the_run(fails: bool, tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    during = []

    def look(iteration: int, _: History) -> None:
        during.extend(signal.getsignal(number) for number in numbers)
        if fails:
            raise MemoryError

    with pytest.raises(MemoryError) if fails else nullcontext():
        fit(tiny(), recipe=replace(RECIPE, iterations=1), checkpoint=tmp_path / "checkpoint", on_step=look)
    assert [signal.getsignal(number) for number in numbers] == before
    assert not set(during) & set(before)


# --- When it is written ---------------------------------------------------------------------------------------------


def test_a_checkpoint_is_due_within_a_minute() -> None:
    assert 0 < checkpointing.CHECKPOINT_SECONDS < 60


def test_a_checkpoint_is_written_as_soon_as_it_is_due_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    monkeypatch.setattr(checkpoints, "save", lambda state, path: saved.append(state["iteration"]))
    fit(tiny(), checkpoint=tmp_path / "checkpoint")
    assert saved == [8, 20]  # before the first test, of which nobody knows how long it will take
    saved.clear()
    monkeypatch.setattr(checkpointing, "CHECKPOINT_SECONDS", -1)
    fit(tiny(), checkpoint=tmp_path / "checkpoint")
    assert saved == sorted([*range(1, 20), *2 * [8, 16, 20]])  # an epoch's end, before its test and after it


# --- A loss that is not finite --------------------------------------------------------------------------------------


def spoil(training: Training) -> None:
    """Make weights infinite at the end of a step, after the loss was computed."""
    with torch.no_grad():
        next(training.network.parameters()).fill_(torch.inf)


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 10, spoil)
    with pytest.raises(
        DivergedError, match=r"loss was not finite in epoch 2 \(iterations 8 to 16, learning rate 0.01, seed 5\)"
    ):
        fit(tiny(), seed=5)


def test_a_learning_rate_far_too_high_diverges() -> None:
    with pytest.raises(DivergedError, match=r"in epoch 1 \(iterations 0 to 8, learning rate 1e\+30"):
        fit(tiny(), recipe=replace(RECIPE, learning_rate=1e30, drops=()))


def test_weights_spoilt_by_the_last_step_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 19, spoil)
    with pytest.raises(DivergedError, match=r"network was not finite in epoch 3 \(iterations 16 to 20"):
        fit(tiny())


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_diverged_is_never_saved(interrupted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 10, lambda training: (spoil(training), ctrl_c() if interrupted else None))
    monkeypatch.setattr(checkpointing, "CHECKPOINT_SECONDS", -1)
    with pytest.raises(DivergedError):
        fit(tiny(), checkpoint=tmp_path / "checkpoint")
    saved = checkpoints.load(tmp_path / "checkpoint")
    assert saved is not None
    assert saved["iteration"] == 10
    assert all(tensor.isfinite().all() for tensor in saved["network"].values())


# --- Files of other runs, damaged files, hostile files --------------------------------------------------------------

OTHER_RUNS = {
    "another network": {"network": tiny(shortcut=None)},  # its parameters have the same names and shapes
    "other training images": {"images": TRAIN.subset(128)},
    "other test images": {"test": TEST.subset(60)},
    "another recipe": {"recipe": replace(RECIPE, momentum=0.8)},
    "seed": {"seed": 1},
}


@pytest.mark.parametrize("name", OTHER_RUNS)
def test_the_checkpoint_of_another_run_is_refused_and_kept(name: str, finished: Path) -> None:
    before = finished.read_bytes()
    with pytest.raises(CheckpointError, match=rf"another run \({name}[^;]*\)\. Delete it") as caught:
        fit(**({"network": tiny()} | OTHER_RUNS[name]), checkpoint=finished)
    assert str(finished) in str(caught.value)
    assert finished.read_bytes() == before


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


def test_a_checkpoint_cut_off_anywhere_is_refused(finished: Path) -> None:
    whole = finished.read_bytes()
    for length in (0, 1, 2, 100, len(whole) // 2, len(whole) - 1):
        finished.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="Delete it"):
            fit(tiny(), checkpoint=finished)


NOT_CHECKPOINTS = {
    "text": b"hello\n",
    "web page": b"<!DOCTYPE html><html></html>",
    "zip": b"PK\x05\x06" + bytes(18),
    "pickle of a list": pickle.dumps([1, 2]),
    "pickle of an empty dictionary": pickle.dumps({}),
    "pickle protocol 5": pickle.dumps({"a": 1}, protocol=5),
    **{f"noise {seed}": random.Random(seed).randbytes(50) for seed in range(2)},
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
    write_atomically(path, lambda file: file.write(b"new"))
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
        write_atomically(path, write)
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

    write_atomically(path, write)
    assert path.read_bytes() == b"new"
