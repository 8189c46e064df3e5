"""The state of a training between two steps: where batches come from, what is measured, what a checkpoint keeps.

What changes from step to step is a tensor that keeps its place in memory, as a CUDA graph needs it (see
``engine.cuda_graph``).
"""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from resnet_book import augment
from resnet_book.data import ImageSet
from resnet_book.engine import processes
from resnet_book.engine.device import Engine, begin_peak_memory, peak_memory, sum_type
from resnet_book.recipe import Epoch, History, Recipe


class DivergedError(RuntimeError):
    """The loss or the weights stopped being finite; the message says at which iteration."""


class Batches:
    """Where training batches come from: the images on the device, in an order that follows from seed and epoch.

    All that is random about an epoch is drawn at its start, on the CPU: a run that was stopped goes on exactly where it
    was, on any device.
    """

    def __init__(self, images: ImageSet, recipe: Recipe, seed: int, device: torch.device, history: History) -> None:
        self.images, self.labels = images.images.to(device), images.labels.to(device)
        self.recipe, self.seed, self.device = recipe, seed, device
        self.mean, self.std = torch.tensor(history.mean, device=device), torch.tensor(history.std, device=device)
        self.per_epoch = len(images) // recipe.batch_size

    def plans(self, epoch: int, steps: range) -> Iterator[Tensor]:
        """For each of ``steps`` of ``epoch``, a (4, B) int64 tensor: which images, and how ``augment.sample`` has them.

        Of several processes, each gets its share of the batch.
        """
        generator = torch.Generator().manual_seed(epoch_seed(self.seed, epoch))
        order = torch.randperm(len(self.images), generator=generator)
        sampled = augment.sample(len(order), generator, self.recipe.padding, self.recipe.flip_probability)
        plan = torch.cat([order[None], sampled]).to(self.device)  # (4, N)
        for step in steps:
            yield processes.share(plan[:, step * self.recipe.batch_size : (step + 1) * self.recipe.batch_size])

    def load(self, plan: Tensor) -> tuple[Tensor, Tensor]:
        """The batch of a plan: cropped, mirrored, normalised images (B, 3, S, S) float32, and labels (B,) int64."""
        chosen, sampled = plan[0], plan[1:]
        images = self.images.index_select(0, chosen)
        images = augment.apply(images, sampled, self.recipe.padding, self.recipe.padding_mode)
        images = augment.normalise(images, self.mean, self.std)
        return images.contiguous(memory_format=torch.channels_last), self.labels[chosen]


class Meter:
    """What is measured in an epoch, summed up on the device without waiting for it."""

    def __init__(self, device: torch.device) -> None:
        self.loss_sum = torch.zeros((), device=device, dtype=sum_type(device))  # over the images so far
        self.wrong = torch.zeros((), device=device, dtype=torch.int64)  # answers

    def add(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Count a step: its mean loss (), scores (B, classes), labels (B,)."""
        self.loss_sum += loss.to(self.loss_sum.dtype) * len(labels)
        self.wrong += (scores.argmax(dim=1) != labels).sum()

    def tensors(self) -> list[Tensor]:
        """Every tensor that ``add`` changes."""
        return [self.loss_sum, self.wrong]

    def reset(self) -> None:
        """Begin a new epoch."""
        self.loss_sum.zero_()
        self.wrong.zero_()


class Training:
    """A run between two steps: everything that a step changes, and what a checkpoint keeps of it."""

    def __init__(
        self, network: nn.Module, sets: dict[str, ImageSet], recipe: Recipe, seed: int, engine: Engine
    ) -> None:
        device = torch.device(engine.device)
        self.sets, self.recipe, self.seed, self.engine, self.device = sets, recipe, seed, engine, device
        self.network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        begin_peak_memory(device)
        means, stds = augment.channel_mean_std(sets["train"].images)
        if recipe.std is None and not stds.all():
            raise ValueError("std: a channel of the training images is the same everywhere; give the recipe a std")
        self.history = History(mean=recipe.mean or tuple(means.tolist()), std=recipe.std or tuple(stds.tolist()))
        for name, values in (("mean", self.history.mean), ("std", self.history.std)):
            if augment.are_fractions(values):
                raise ValueError(
                    f"train: the {name} of the images is {values}, as of pixels from 0 to 1; give pixels from 0 to "
                    f"255, or give the recipe a {name}"
                )
        self.batches = Batches(sets["train"], recipe, seed, device, self.history)
        self.test_sets = {
            name: replace(images, images=images.images.to(device), labels=images.labels.to(device))
            for name, images in sets.items()
            if name != "train" and len(images)
        }
        self.learning_rate = torch.tensor(recipe.learning_rate, device=device)  # a tensor: it keeps its place in memory
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            lr=self.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            fused=device.type == "cuda",
        )
        self.meter = Meter(device)
        self.iteration = 0  # finished ones
        self.test_seconds = 0.0  # of the last test
        self.test_features: Tensor | None = None  # (N, C), of the test images, once the last test has computed them
        self.clock = time.monotonic()

    @property
    def steps_of_epoch(self) -> int:
        """Steps taken in the epoch under way, or in the one that has just ended and is not yet in the history."""
        return self.iteration - (self.history.epochs[-1].iteration if self.history.epochs else 0)

    @property
    def finished(self) -> bool:
        """Whether the last step was taken, and tested."""
        return self.iteration >= self.recipe.iterations and self.steps_of_epoch == 0

    def plans(self) -> Iterator[Tensor]:
        """What ``batches`` has for the rest of the epoch under way. An epoch that only lacks its test has none left."""
        done = self.steps_of_epoch
        end = min(self.batches.per_epoch, done + self.recipe.iterations - self.iteration)
        return self.batches.plans(len(self.history.epochs), range(done, end))

    def changing(self) -> list[Tensor]:
        """Every tensor that a step changes, among those that exist so far."""
        moving = [buffer for state in self.optimizer.state.values() for buffer in state.values() if buffer is not None]
        return [*self.network.parameters(), *self.network.buffers(), *moving, *self.meter.tensors()]

    def check_finite(self) -> None:
        """Raise DivergedError if a loss of the epoch or the weights were not finite. Waits for the device."""
        if not processes.total(self.meter.loss_sum).isfinite():  # once it is not finite, it stays so
            raise self.diverged("loss")
        tensors = [tensor for tensor in self.network.state_dict().values() if tensor.is_floating_point()]
        if not nn.utils.get_total_norm(tensors).isfinite():  # one number for all of them, in few kernels
            raise self.diverged("network")

    def diverged(self, what: str) -> DivergedError:
        """The error that says of ``what`` that it was not finite, and where."""
        begin = self.iteration - self.steps_of_epoch
        rate = self.recipe.learning_rate_at(max(begin, self.iteration - 1))
        return DivergedError(
            f"the {what} was not finite in epoch {len(self.history.epochs) + 1} (iterations {begin:,} to "
            f"{self.iteration:,}, learning rate {rate:g}, seed {self.seed}). Lower the learning rate, warm up longer, "
            "or use another precision."
        )

    def count_seconds(self, *, testing: bool = False) -> None:
        """Add the time since the last count to the seconds of the run, and to those of training.

        With ``testing`` to the run's alone; it is then kept as ``test_seconds``, those of the last test.
        """
        now = time.monotonic()
        seconds, self.clock = now - self.clock, now
        self.history.seconds += seconds
        if testing:
            self.test_seconds = seconds
        else:
            self.history.train_seconds += seconds

    def finish_epoch(self, measured: dict[str, float]) -> None:
        """Add a row to the history: what the meter has, and losses (nats) and errors (%) ``measured`` in the test.

        Raises DivergedError if one of these is not finite.
        """
        for name, value in measured.items():
            if not math.isfinite(value):
                raise self.diverged(name.replace("_", " "))
        trained = self.steps_of_epoch * self.recipe.batch_size  # images
        epoch = Epoch(
            iteration=self.iteration,
            learning_rate=self.recipe.learning_rate_at(self.iteration - 1),
            train_loss=processes.total(self.meter.loss_sum).item() / trained,
            train_error=100 * processes.total(self.meter.wrong).item() / trained,
            **measured,
        )
        self.history.epochs.append(epoch)
        self.history.images_per_second = self.iteration * self.recipe.batch_size / max(self.history.train_seconds, 1e-9)
        self.history.peak_memory = self._peak_memory()
        self.meter.reset()

    def _peak_memory(self) -> int:
        """The largest of all parts; 0 where some were trained on a GPU and some not: their bytes are other ones."""
        on_gpu = {part.cuda is not None for part in self.history.parts} | {self.device.type == "cuda"}
        return max(self.history.peak_memory, peak_memory(self.device)) if len(on_gpu) == 1 else 0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "iteration": self.iteration,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict()["state"],
            "loss_sum": processes.total(self.meter.loss_sum),
            "wrong": processes.total(self.meter.wrong),
            "history": asdict(self.history),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.network.load_state_dict(state["network"])
        own = self.optimizer.state_dict()["param_groups"]  # the recipe's, in the way that suits this device
        self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": own})
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate  # not a copy of it
        self.iteration = state["iteration"]
        self.history = History.from_dict(state["history"])
        if processes.rank() == 0:
            self.meter.loss_sum.copy_(state["loss_sum"])
            self.meter.wrong.copy_(state["wrong"])


def epoch_seed(seed: int, epoch: int) -> int:
    """A 32-bit seed for one epoch of one run (torch's CPU generator uses no more bits than that)."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
