"""What happens between the steps of a training besides the training: a progress bar, features kept, logs.

``train.fit`` calls each method of each callback with the ``state.Training`` under way. ``checkpointing`` has one
more, which saves it.
"""

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from torch import Tensor
from tqdm import tqdm

from resnet_book.engine import processes

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from resnet_book.state import Training


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

    Give it after ``checkpointing.Checkpoint``, so that it knows where the training goes on.
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
