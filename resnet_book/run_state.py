"""The state of a training run between two steps: what a checkpoint holds, and where the next batch comes from.

Images, a recipe and a seed enter; batches on the device leave, and measurements are accumulated there. An epoch is
one pass over the shuffled training images, whose last images, too few for a batch, sit out until the next shuffle.
Every random draw of an epoch is made at its start and follows from the seed and the epoch, so a run that was stopped
goes on exactly where it was. What changes from step to step is a tensor that keeps its place in memory, as a CUDA
graph needs it (see ``cuda_graph``).
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

from resnet_book import augment
from resnet_book.data import ImageSet
from resnet_book.engine import checkpoints, processes
from resnet_book.history import Epoch, History, peak_memory
from resnet_book.recipe import Recipe

CHECKPOINT_SECONDS = 45.0  # between two checkpoints: under a minute, with the step under way
OTHERS = {  # what differs between two runs, where the values say nothing to people
    "network": "another network",
    "train": "other training images",
    "test": "other test images",
    "recipe": "another recipe",
}
FORMAT = 3  # of checkpoints: one of another format, or with other draws from the same seed, is refused


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
        self.learning_rate = torch.tensor(recipe.learning_rate, device=device)
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            lr=self.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            fused=device.type == "cuda",
        )
        own_mean, own_std = augment.channel_mean_std(train.images)
        self.mean = own_mean if recipe.mean is None else torch.tensor(recipe.mean)
        self.std = own_std if recipe.std is None else torch.tensor(recipe.std)
        self.history = History(mean=tuple(self.mean.tolist()), std=tuple(self.std.tolist()))
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        self.iteration = 0
        self.set_rate = recipe.learning_rate  # what self.learning_rate holds
        self.generator = torch.Generator(device)
        self.loss_sum = torch.zeros((), device=device, dtype=torch.float64)  # over the epoch's images so far
        self.wrong = torch.zeros((), device=device, dtype=torch.int64)
        self.finite = torch.ones((), device=device, dtype=torch.int64)  # 1 while every loss of the epoch was finite
        self.finite_steps = torch.zeros((), device=device, dtype=torch.int64)  # of the epoch, before the first bad one
        self.clock = self.last_save = time.monotonic()
        self.test_seconds = CHECKPOINT_SECONDS  # of the last test, which saves nothing; before the first, unknown
        self.identity: dict[str, str | int] = {
            "format": FORMAT,
            "network": hashlib.sha256(repr(network).encode()).hexdigest(),  # twins have the same names of parameters
            "train": train.sha256,
            "recipe": repr(recipe),
            "seed": seed,
            "device": device.type,  # kinds of devices draw different numbers from the same seed
            **setting,
        }
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self._restore()

    @property
    def iterations_per_epoch(self) -> int:
        """Steps of a whole epoch."""
        return len(self.images) // self.recipe.batch_size

    def batches(self) -> Iterator[Tensor]:
        """The rest of the epoch under way, a (4, B) int64 tensor a step for ``batch``: this process's share.

        Its rows: which images, and the three of ``augment.draw``. An epoch that only lacks its test has no step left.
        """
        epoch, done = len(self.history.epochs), self.steps_of_epoch
        self.generator.manual_seed(epoch_seed(self.seed, epoch))
        order = torch.randperm(len(self.images), generator=self.generator, device=self.device)
        draws = augment.draw(len(order), self.generator, self.recipe.padding, self.recipe.flip_probability)
        plan = torch.cat([order[None], draws])  # (4, N)
        end = min(self.iterations_per_epoch, done + self.recipe.iterations - self.iteration)
        for step in range(done, end):
            yield processes.share(plan[:, step * self.recipe.batch_size : (step + 1) * self.recipe.batch_size])

    def batch(self, plan: Tensor) -> tuple[Tensor, Tensor]:
        """What ``batches`` yields -> cropped, flipped, normalised float32 (B, 3, 32, 32), and labels (B,) int64."""
        chosen, draws = plan[0], plan[1:]
        images = augment.apply(
            self.images.index_select(0, chosen), draws, self.recipe.padding, self.recipe.padding_mode
        )
        images = augment.normalise(images, self.mean, self.std)
        return images.contiguous(memory_format=torch.channels_last), self.labels[chosen]

    @property
    def epochs(self) -> int:
        """Epochs of the whole run, of which the last may be cut short."""
        return math.ceil(self.recipe.iterations / self.iterations_per_epoch)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Let the next step use ``learning_rate``."""
        if learning_rate != self.set_rate:
            self.learning_rate.fill_(learning_rate)
            self.set_rate = learning_rate

    def measure(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Accumulate loss, wrong answers, and steps before the first bad one, without waiting for the device."""
        self.loss_sum += loss * len(labels)
        self.wrong += (scores.argmax(dim=1) != labels).sum()
        self.finite *= loss.isfinite()
        self.finite_steps += self.finite

    def changing(self) -> list[Tensor]:
        """Every tensor that a step changes, among those that exist so far."""
        moving = [buffer for state in self.optimizer.state.values() for buffer in state.values() if buffer is not None]
        sums = [self.loss_sum, self.wrong, self.finite, self.finite_steps]
        return [*self.network.parameters(), *self.network.buffers(), *moving, *sums]

    def check_finite(self) -> None:
        """Raise DivergedError if a loss was not finite, or if the weights are not. Waits for the device."""
        steps = self.steps_of_epoch
        finite_steps = steps - int(processes.most(steps - self.finite_steps))
        if finite_steps < steps:
            raise self.diverged("loss", self.iteration - steps + finite_steps)
        tensors = [tensor for tensor in self.network.state_dict().values() if tensor.is_floating_point()]
        if not nn.utils.get_total_norm(tensors).isfinite():  # one number for all of them, in few kernels
            raise self.diverged("network", self.iteration - 1)

    @property
    def steps_of_epoch(self) -> int:
        """Steps taken in the epoch under way, or in the one that has just ended and is not yet in the history."""
        before = self.history.epochs[-1].iteration if self.history.epochs else 0
        return self.iteration - before

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

    def finish_epoch(self, test: tuple[float, float], validation: tuple[float, float] | None = None) -> Epoch:
        """Add the epoch's row to the history, and begin to measure anew.

        ``test`` and ``validation``: loss and error (%). Raises DivergedError if one of these losses is not finite.
        """
        for name, measured in (("test", test), ("validation", validation)):
            if measured and not math.isfinite(measured[0]):
                raise self.diverged(f"{name} loss", self.iteration - 1)
        now = time.monotonic()
        self.test_seconds = now - self.clock
        self.history.seconds += self.test_seconds
        self.clock = now
        images = self.steps_of_epoch * self.recipe.batch_size
        epoch = Epoch(
            iteration=self.iteration,
            learning_rate=self.recipe.learning_rate_at(self.iteration - 1),
            train_loss=processes.total(self.loss_sum).item() / images,
            train_error=100 * processes.total(self.wrong).item() / images,
            test_loss=test[0],
            test_error=test[1],
            validation_loss=validation[0] if validation else None,
            validation_error=validation[1] if validation else None,
        )
        self.history.epochs.append(epoch)
        trained = self.iteration * self.recipe.batch_size
        self.history.images_per_second = trained / max(self.history.train_seconds, 1e-9)
        self.history.peak_memory = max(self.history.peak_memory, peak_memory(self.device))
        for accumulated in (self.loss_sum, self.wrong, self.finite_steps):
            accumulated.zero_()
        return epoch

    def save_if_due(self) -> None:
        """Save in the midst of training, if the last time was long enough ago."""
        due = time.monotonic() - self.last_save > CHECKPOINT_SECONDS
        if self.checkpoint and processes.agree(due, self.iteration):
            self.save_under_way()

    def save_at_epoch_end(self, ahead: float = 0.0) -> None:
        """Save, if the last time will have been too long ago in ``ahead`` seconds; several GPUs wait for each other."""
        due = time.monotonic() + ahead - self.last_save > CHECKPOINT_SECONDS
        if self.checkpoint and processes.agree(due, 0):
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
            "loss_sum": processes.total(self.loss_sum),
            "wrong": processes.total(self.wrong),
            "history": asdict(self.history),
            "threads": torch.get_num_threads(),
        }
        if processes.rank() == 0:
            checkpoints.save(state, self.checkpoint)
        self.last_save = time.monotonic()

    def _restore(self) -> None:
        checkpoint = self.checkpoint
        state = processes.from_first(lambda: checkpoints.load(checkpoint)) if checkpoint else None
        if state is None:
            return
        found = state.get("identity")
        if not isinstance(found, dict):
            raise checkpoints.CheckpointError(f"{self.checkpoint} does not say which run it belongs to. Delete it.")
        if found != self.identity:
            names = [name for name in self.identity if found.get(name) != self.identity[name]]
            differences = "; ".join(_difference(name, found.get(name), self.identity[name]) for name in names)
            raise checkpoints.CheckpointError(
                f"{self.checkpoint} belongs to another run ({differences}). Delete it, or save elsewhere (--runs)."
            )
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            self.set_rate = float(group["lr"])
            group["lr"] = self.learning_rate.fill_(self.set_rate)
        self.iteration = state["iteration"]
        if self.device.type == "cpu":  # another number of threads adds up in another order
            torch.set_num_threads(state.get("threads", torch.get_num_threads()))
        epochs = [Epoch(**row) for row in state["history"].pop("epochs")]
        self.history = History(epochs=epochs, **state["history"])
        self.finite_steps.fill_(self.steps_of_epoch)
        if processes.rank() == 0:
            self.loss_sum.copy_(state["loss_sum"])
            self.wrong.copy_(state["wrong"])


def _difference(name: str, found: object, expected: object) -> str:
    """What differs, in words; of a checksum or a whole recipe, which nobody reads, only that it does."""
    return OTHERS.get(name, f"{name} {found}, not {expected}")


def epoch_seed(seed: int, epoch: int) -> int:
    """A 32-bit seed for one epoch of one run (torch's CPU generator uses no more bits than that)."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
