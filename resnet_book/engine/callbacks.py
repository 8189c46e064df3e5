"""What happens between the steps of a training besides the training: a progress bar, checkpoints, logs.

``train.fit`` calls each method of each callback with the ``state.Training`` under way.
"""

import hashlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from torch import Tensor, nn
from tqdm import tqdm

from resnet_book.engine import checkpoints, machine, processes
from resnet_book.engine.machine import Part

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

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


class Callback:
    """Does nothing; override what is wanted."""

    def begin(self, training: "Training") -> None:
        """Before the first step."""

    def before_step(self, training: "Training") -> None:
        """Before each step; ``training.iteration`` iterations are finished."""

    def after_step(self, training: "Training") -> None:
        """After each step, which ``training.iteration`` counts already."""

    def before_test(self, training: "Training") -> None:
        """After the last step of an epoch, before the network is tested."""

    def after_epoch(self, training: "Training") -> None:
        """After the test; ``training.history.epochs[-1]`` is the epoch."""

    def end(self, training: "Training") -> None:
        """At the end, also when the training failed or was interrupted."""


class ProgressBar(Callback):
    """Shows how far the training is, in images, on standard error; of several processes, the first one does.

    Give it after ``Checkpoint``, so that it knows where the training goes on.
    """

    bar: "tqdm[NoReturn] | None" = None

    def begin(self, training: "Training") -> None:
        batch_size = training.recipe.batch_size
        self.bar = tqdm(
            desc=self._epoch(training),
            total=training.recipe.iterations * batch_size,
            initial=training.iteration * batch_size,
            unit=" images",
            unit_scale=True,
            mininterval=0.5,
            disable=processes.rank() > 0,
        )

    def before_step(self, training: "Training") -> None:
        if self.bar is not None and training.steps_of_epoch == 0:
            self.bar.set_description(self._epoch(training), refresh=False)

    def after_step(self, training: "Training") -> None:
        if self.bar is not None:
            self.bar.update(training.recipe.batch_size)

    def after_epoch(self, training: "Training") -> None:
        epoch = training.history.epochs[-1]
        errors = f"train error {epoch.train_error:.1f} %, test error {epoch.test_error:.1f} %"
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {epoch.train_loss:.3f}, {errors}")

    def end(self, training: "Training") -> None:
        if self.bar is not None:
            self.bar.close()

    @staticmethod
    def _epoch(training: "Training") -> str:
        """Which epoch is under way; of a finished run, the last."""
        epochs = math.ceil(training.recipe.iterations / training.batches.per_epoch)
        return f"epoch {min(len(training.history.epochs) + 1, epochs)} of {epochs}"


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


class KeepFeatures(Callback):
    """Keeps the features of the test images that the last test computed, for whoever wants more than its error."""

    values: Tensor | None = None  # (N, C); None too for a run that was tested already when it was taken up

    def end(self, training: "Training") -> None:
        self.values = training.test_features


class TensorBoard(Callback):
    """Logs each epoch's measurements into ``folder``, for TensorBoard; of several processes, the first one does.

    Raises RuntimeError where tensorboard is not installed.
    """

    writer: "SummaryWriter | None" = None

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            raise RuntimeError("TensorBoard is not installed: `pip install tensorboard`, or leave it out.") from None

    def begin(self, training: "Training") -> None:
        if processes.rank() > 0:
            return
        from torch.utils.tensorboard import SummaryWriter  # slow to import, and rarely wanted

        self.writer = SummaryWriter(self.folder, purge_step=0)  # whatever a killed part of the run left there goes
        for epoch in training.history.epochs:
            self._log(epoch)

    def after_epoch(self, training: "Training") -> None:
        if self.writer:
            self._log(training.history.epochs[-1])

    def end(self, training: "Training") -> None:
        if self.writer:
            self.writer.close()

    def _log(self, epoch: Any) -> None:
        for name, value in asdict(epoch).items():
            if self.writer and name != "iteration" and value is not None:
                self.writer.add_scalar(name, value, epoch.iteration)
