"""The state of a training run between two steps: what a checkpoint holds, and where the next batch comes from.

Images, a recipe and a seed enter; batches on the device leave, and measurements are accumulated there. An epoch is
one pass over the shuffled training images, whose last images, too few for a batch, sit out until the next shuffle.
Every random draw follows from the seed and the epoch, so a run that was stopped goes on exactly where it was.
"""

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from resnet_book import augment, checkpoints
from resnet_book.data import ImageSet
from resnet_book.history import Epoch, History
from resnet_book.recipe import Recipe

CHECKPOINT_SECONDS = 45.0  # between two checkpoints: under a minute, with the step under way
NEVER = 2**62  # an iteration that no run reaches


class DivergedError(RuntimeError):
    """The loss or the weights stopped being finite; the message says at which iteration."""


class RunState:
    """A run between two steps: all that ``train.fit`` must keep, and how to save and restore it.

    ``setting`` names whatever else the numbers depend on: a checkpoint is taken up by the same run only, which is one
    with the same network, training images, recipe, seed, kind of device and ``setting``.
    """

    def __init__(
        self,
        network: nn.Module,
        train: ImageSet,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        checkpoint: Path | None,
        setting: dict[str, str | bool],
    ) -> None:
        self.network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.seed, self.device, self.checkpoint = recipe, seed, device, checkpoint
        self.images, self.labels = train.images.to(device), train.labels.to(device)
        self.optimizer = torch.optim.SGD(
            network.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
        own_mean, own_std = augment.channel_mean_std(train.images)
        self.mean = own_mean if recipe.mean is None else torch.tensor(recipe.mean)
        self.std = own_std if recipe.std is None else torch.tensor(recipe.std)
        self.history = History(mean=tuple(self.mean.tolist()), std=tuple(self.std.tolist()))
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        self.iteration = 0
        self.generator = torch.Generator(device)
        self.loss_sum = torch.zeros((), device=device, dtype=torch.float64)  # of the epoch's steps so far
        self.wrong = torch.zeros((), device=device, dtype=torch.int64)
        self.first_bad = torch.full((), NEVER, device=device, dtype=torch.int64)
        self.clock = self.last_save = time.monotonic()
        self.identity: dict[str, str | int] = {
            "network": hashlib.sha256(repr(network).encode()).hexdigest(),  # twins have the same names of parameters
            "train": train.sha256,
            "recipe": repr(recipe),
            "seed": seed,
            "device": device.type,  # kinds of devices draw different numbers from the same seed
            **setting,
        }
        self.resume_generator: Tensor | None = None
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self._restore()

    @property
    def iterations_per_epoch(self) -> int:
        """Steps of a whole epoch."""
        return len(self.images) // self.recipe.batch_size

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The rest of the epoch under way: yields images (B, 3, 32, 32) uint8 and labels (B,) int64 on the device."""
        epoch, done = divmod(self.iteration, self.iterations_per_epoch)
        self.generator.manual_seed(epoch_seed(self.seed, epoch))
        order = torch.randperm(len(self.images), generator=self.generator, device=self.device)
        if self.resume_generator is not None:
            self.generator.set_state(self.resume_generator)
            self.resume_generator = None
        end = min(self.iterations_per_epoch, done + self.recipe.iterations - self.iteration)
        for step in range(done, end):
            batch = order[step * self.recipe.batch_size : (step + 1) * self.recipe.batch_size]
            yield self.images[batch], self.labels[batch]

    def augment(self, images: Tensor) -> Tensor:
        """uint8 (B, 3, 32, 32) -> cropped, flipped, normalised float32 (B, 3, 32, 32)."""
        images = augment.crop(images, self.generator, self.recipe.padding, self.recipe.padding_mode)
        images = augment.flip(images, self.generator, self.recipe.flip_probability)
        return augment.normalise(images, self.mean, self.std)

    @property
    def epochs(self) -> int:
        """Epochs of the whole run, of which the last may be cut short."""
        return math.ceil(self.recipe.iterations / self.iterations_per_epoch)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Let the next step use ``learning_rate``."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

    def measure(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Accumulate loss, wrong answers and the first iteration gone bad, without waiting for the device."""
        self.loss_sum += loss
        self.wrong += (scores.argmax(dim=1) != labels).sum()
        now = torch.full_like(self.first_bad, self.iteration)
        self.first_bad = torch.where(loss.isfinite(), self.first_bad, torch.minimum(self.first_bad, now))

    def check_finite(self) -> None:
        """Raise DivergedError if a loss was not finite, or if the weights are not. Waits for the device."""
        if (first_bad := int(self.first_bad)) < NEVER:
            raise self.diverged("loss", first_bad)
        tensors = [tensor for tensor in self.network.state_dict().values() if tensor.is_floating_point()]
        if not torch.stack([tensor.isfinite().all() for tensor in tensors]).all():
            raise self.diverged("network", self.iteration - 1)

    def diverged(self, what: str, iteration: int) -> DivergedError:
        """The error that says of ``what`` that it was not finite, and where."""
        rate = self.recipe.learning_rate_at(iteration)
        epoch = iteration // self.iterations_per_epoch + 1
        return DivergedError(
            f"the {what} was not finite at iteration {iteration:,} (epoch {epoch}, learning rate {rate:g}, "
            f"seed {self.seed}). Lower the learning rate, warm up longer, or use another precision."
        )

    def start_clock(self) -> None:
        """Start to count seconds from now."""
        self.clock = time.monotonic()

    def stop_clock(self) -> None:
        """Add the time since the clock was last read to the seconds of training (the device is done by now)."""
        now = time.monotonic()
        self.history.train_seconds += now - self.clock
        self.history.seconds += now - self.clock
        self.clock = now

    def finish_epoch(self, test_loss: float, test_error: float) -> Epoch:
        """Add the epoch's row to the history, and begin to measure anew. Raises DivergedError if the test loss did."""
        if not math.isfinite(test_loss):
            raise self.diverged("test loss", self.iteration - 1)
        now = time.monotonic()
        self.history.seconds += now - self.clock
        self.clock = now
        steps = (self.iteration - 1) % self.iterations_per_epoch + 1
        epoch = Epoch(
            iteration=self.iteration,
            learning_rate=self.recipe.learning_rate_at(self.iteration - 1),
            train_loss=self.loss_sum.item() / steps,
            train_error=100 * self.wrong.item() / (steps * self.recipe.batch_size),
            test_loss=test_loss,
            test_error=test_error,
        )
        self.history.epochs.append(epoch)
        trained = self.iteration * self.recipe.batch_size
        self.history.images_per_second = trained / max(self.history.train_seconds, 1e-9)
        if self.device.type == "cuda":
            self.history.peak_memory = max(self.history.peak_memory, torch.cuda.max_memory_allocated(self.device))
        self.loss_sum.zero_()
        self.wrong.zero_()
        return epoch

    def save_if_due(self) -> None:
        """Save in the midst of training, if the last time was long enough ago."""
        if self.checkpoint and time.monotonic() - self.last_save > CHECKPOINT_SECONDS:
            self.save_under_way()

    def save_under_way(self) -> None:
        """Save in the midst of training, if all is finite; the seconds that saving takes are not counted."""
        self.check_finite()
        self.stop_clock()
        self.save()
        self.start_clock()

    def save(self) -> None:
        """Write the checkpoint, if one is wanted. Call ``check_finite`` first: what diverged is never saved."""
        if self.checkpoint is None:
            return
        state = {
            "identity": self.identity,
            "iteration": self.iteration,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "loss_sum": self.loss_sum,
            "wrong": self.wrong,
            "history": asdict(self.history),
        }
        checkpoints.save(state, self.checkpoint)
        self.last_save = time.monotonic()

    def _restore(self) -> None:
        state = checkpoints.load(self.checkpoint) if self.checkpoint else None
        if state is None:
            return
        found = state.get("identity")
        if not isinstance(found, dict):
            raise checkpoints.CheckpointError(f"{self.checkpoint} does not say which run it belongs to. Delete it.")
        if found != self.identity:
            names = [name for name in self.identity if found.get(name) != self.identity[name]]
            differences = "; ".join(f"{name} {found.get(name)}, not {self.identity[name]}" for name in names)
            raise checkpoints.CheckpointError(
                f"{self.checkpoint} belongs to another run ({differences}). Delete it, or name another file."
            )
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration = state["iteration"]
        self.loss_sum, self.wrong = state["loss_sum"].to(self.device), state["wrong"].to(self.device)
        if self.iteration % self.iterations_per_epoch:
            self.resume_generator = state["generator"]
        epochs = [Epoch(**row) for row in state["history"].pop("epochs")]
        self.history = History(epochs=epochs, **state["history"])


def epoch_seed(seed: int, epoch: int) -> int:
    """A 32-bit seed for one epoch of one run (torch's CPU generator uses no more bits than that)."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
