"""Save a training under way, and take it up again.

``checkpoints`` reads and writes the files.
"""

import hashlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from torch import nn

from resnet_book.engine import checkpoints, machine, processes
from resnet_book.engine.callbacks import Callback
from resnet_book.engine.machine import Part

if TYPE_CHECKING:
    from resnet_book.state import Training

CHECKPOINT_SECONDS = 45.0  # between two checkpoints: under a minute, with the step under way
FORMAT = 6  # of checkpoints: one of another format, or with other random choices from the same seed, is refused
DIFFERENCES = {  # between two runs, where the values say nothing to people
    "network": "another network",
    "train": "other training images",
    "test": "other test images",
    "validation": "other validation images",
    "recipe": "another recipe",
}
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Checkpoint(Callback):
    """Keeps ``path`` less than a minute of training old, and goes on from it where it is there already.

    On the CPU with the same precision and number of threads the run then ends with exactly the numbers of one never
    stopped; another device or precision may take it up, which the history's ``parts`` show. Ctrl-C
    and SIGTERM save and raise KeyboardInterrupt, a second one without saving; so does ``stop``, asked before each step,
    once it answers True (for a thread other than the main one, where no signal arrives). Raises CheckpointError for a
    file that is damaged or belongs to another run.
    """

    def __init__(self, path: str | Path, stop: Callable[[], bool] = lambda: False) -> None:
        self.path, self.stop = Path(path), stop

    def begin(self, training: "Training") -> None:
        self.last_save = time.monotonic()
        self.received = 0  # signals
        self.handlers: dict[signal.Signals, Any] = {}  # those of before
        self.identity = _identity(training)
        state = processes.from_first(lambda: checkpoints.load(self.path))
        if state is not None:
            _require_same_run(self.path, state, self.identity)
            training.load_state_dict(state)
            if processes.rank() == 0:
                trained = f"{training.iteration:,} of {training.recipe.iterations:,} iterations"
                print(f"Goes on from {self.path}, after {trained}.", file=sys.stderr)
        self.earlier_parts = training.history.parts
        self.first_iteration, self.first_epochs = training.iteration, len(training.history.epochs)
        self.earlier_seconds = training.history.seconds
        self.machine = machine.describe(training.device, training.engine.precision, training.engine.compiled)
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        if threading.current_thread() is threading.main_thread():  # only it may handle signals
            self.handlers = {number: signal.signal(number, self._remember) for number in SIGNALS}

    def before_step(self, training: "Training") -> None:
        self._stop_if_wanted(training, training.iteration)
        self._save_if(self._due(), training, training.iteration)

    def before_test(self, training: "Training") -> None:
        self._save_if(self._due(ahead=training.test_seconds or CHECKPOINT_SECONDS), training, 0)

    def after_epoch(self, training: "Training") -> None:
        self._save_if(self._due() or training.finished, training, 0)
        self._stop_if_wanted(training, 0)

    def end(self, training: "Training") -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        if self.received and sys.exception() is None:  # it came after the last question
            raise KeyboardInterrupt

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received += 1  # the step under way is not cut in two

    def _due(self, ahead: float = 0.0) -> bool:
        """Whether the last save will have been too long ago in ``ahead`` seconds."""
        return time.monotonic() + ahead - self.last_save > CHECKPOINT_SECONDS

    def _stop_if_wanted(self, training: "Training", iteration: int) -> None:
        if processes.agree(bool(self.received) or self.stop(), iteration):
            self._save(training)
            raise KeyboardInterrupt

    def _save_if(self, wanted: bool, training: "Training", iteration: int) -> None:
        if processes.agree(wanted, iteration):
            self._save(training)

    def _save(self, training: "Training") -> None:
        if training.iteration == self.first_iteration and len(training.history.epochs) == self.first_epochs:
            return  # else the run would have a part without a step and a test
        training.check_finite()  # what is not finite is never saved
        training.count_seconds()
        seconds = training.history.seconds - self.earlier_seconds
        part = Part(self.first_iteration, training.iteration, seconds, started=self.started, **self.machine)
        training.history.parts = [*self.earlier_parts, part]
        state = {"identity": self.identity, **training.state_dict()}
        if processes.rank() == 0:
            checkpoints.save(state, self.path)
        self.last_save = time.monotonic()


def _identity(training: "Training") -> dict[str, Any]:
    """What makes a run the same run: a checkpoint of another one is not taken up."""
    return {
        "format": FORMAT,
        "network": structure_of(training.network),
        **{name: images.sha256 for name, images in training.sets.items()},
        "recipe": repr(training.recipe),
        "seed": training.seed,
    }


def structure_of(network: nn.Module) -> str:
    """A digest of the modules' kinds and the tensors' shapes: the same in every version of torch."""
    kinds = [(name, type(module).__name__) for name, module in network.named_modules()]  # twins differ in these alone
    shapes = [(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()]
    return hashlib.sha256(repr((kinds, shapes)).encode()).hexdigest()


def _require_same_run(path: Path, state: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise CheckpointError if ``state`` was saved by another run than the one that is ``expected``."""
    found = state.get("identity")
    if not isinstance(found, dict):
        raise checkpoints.CheckpointError(f"{path} does not say which run it belongs to. Delete it.")
    different = [name for name in expected if found.get(name) != expected[name]]
    if different:
        words = (DIFFERENCES.get(name, f"{name} {found.get(name)}, not {expected[name]}") for name in different)
        raise checkpoints.CheckpointError(
            f"{path} belongs to another run ({'; '.join(words)}). Delete it, or choose another folder of checkpoints."
        )
