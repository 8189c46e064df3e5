"""The recipe of a training run, every hyper-parameter once with its unit and source, and what a run measures.

Source of the defaults: He et al. 2015 (arXiv:1512.03385), section 4.2.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, get_args

from resnet_book.augment import PaddingMode, channel_values
from resnet_book.engine.checks import checked_seed, one_of, real, whole
from resnet_book.engine.machine import Part


@dataclass(frozen=True)
class Recipe:
    """Every hyper-parameter of a training run. Defaults: He et al. 2015, section 4.2.

    Raises ValueError when it is made with a value that cannot be, and names the field, the value and what is allowed.
    Numbers of numpy become Python's.
    """

    iterations: int = 64_000  # steps in all
    batch_size: int = 128  # images a step
    learning_rate: float = 0.1
    drops: tuple[int, ...] = (32_000, 48_000)  # finished iterations after which the rate is divided by drop_divisor
    drop_divisor: float = 10.0
    warmup_iterations: int = 0  # steps at warmup_learning_rate before the first at learning_rate
    warmup_learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4  # on every parameter
    padding: int = 4  # pixels on each side before the random crop
    padding_mode: PaddingMode = "zeros"
    flip_probability: float = 0.5
    mean: tuple[float, ...] | None = None  # subtracted from each channel, 0 to 255; None: the training images' own
    std: tuple[float, ...] | None = None  # divides each channel, 0 to 255; None: the training images' own
    validation_images: int = 0  # training images held out: not trained on, tested after every epoch
    validation_seed: int = 0  # which ones: the same for every seed of the run

    def __post_init__(self) -> None:
        checked = {
            "iterations": whole("iterations", self.iterations, 1),
            "batch_size": whole("batch_size", self.batch_size, 1),
            "learning_rate": real("learning_rate", self.learning_rate, above=0),
            "drops": _drops(self.drops),
            "drop_divisor": real("drop_divisor", self.drop_divisor, above=0),
            "warmup_iterations": whole("warmup_iterations", self.warmup_iterations, 0),
            "warmup_learning_rate": real("warmup_learning_rate", self.warmup_learning_rate, above=0),
            "momentum": real("momentum", self.momentum, 0, 1),
            "weight_decay": real("weight_decay", self.weight_decay, 0),
            "padding": whole("padding", self.padding, 0),
            "padding_mode": one_of("padding_mode", self.padding_mode, get_args(PaddingMode)),
            "flip_probability": real("flip_probability", self.flip_probability, 0, 1),
            "mean": None if self.mean is None else channel_values("mean", self.mean),
            "std": None if self.std is None else channel_values("std", self.std),
            "validation_images": whole("validation_images", self.validation_images, 0),
            "validation_seed": checked_seed(self.validation_seed, "validation_seed"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen

    def learning_rate_at(self, iteration: int) -> float:
        """Learning rate of the step that follows ``iteration`` finished ones. Raises ValueError below 0."""
        iteration = whole("iteration", iteration, 0)
        if iteration < self.warmup_iterations:
            return self.warmup_learning_rate
        return self.learning_rate / self.drop_divisor ** sum(iteration >= drop for drop in self.drops)


def _drops(drops: Iterable[int]) -> tuple[int, ...]:
    """``drops`` as ints. Raises ValueError unless they are iterations in rising order."""
    try:
        each = tuple(drops)
    except TypeError:  # a single number
        raise ValueError(f"drops={drops!r}: give a tuple of iterations, as ({drops},)") from None
    checked = tuple(whole("drops", drop, 1) for drop in each)
    if list(checked) != sorted(set(checked)):
        raise ValueError(f"drops={checked}: give the iterations in rising order, each once")
    return checked


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch. Losses are means of the cross-entropy in nats, errors are % of wrong answers."""

    iteration: int  # steps finished at its end
    learning_rate: float  # of its last step
    train_loss: float  # over the epoch's augmented batches, each before its step, with the batch's own statistics
    train_error: float
    test_loss: float  # at the epoch's end, on all test images as they are
    test_error: float
    validation_loss: float | None = None  # as the test's, on the training images held out; None: there are none
    validation_error: float | None = None


@dataclass
class History:
    """What a run leaves besides its weights."""

    epochs: list[Epoch] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)  # of a run with checkpoints; else none
    mean: tuple[float, ...] = ()  # what was subtracted from each channel, 0 to 255
    std: tuple[float, ...] = ()  # what each channel was divided by, 0 to 255
    seconds: float = 0.0  # of training and testing, over all parts
    train_seconds: float = 0.0  # of training alone
    images_per_second: float = 0.0  # training images over seconds of training
    # Bytes: on a GPU, allocated at most in the run; on a CPU, resident for the whole process, whatever else it did. 0:
    # not measured, as in a run that was trained on both.
    peak_memory: int = 0

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "History":
        """The history of which ``asdict`` made ``fields``."""
        epochs, parts = [Epoch(**row) for row in fields["epochs"]], [Part(**row) for row in fields["parts"]]
        mean, std = tuple(fields["mean"]), tuple(fields["std"])
        return cls(**{**fields, "epochs": epochs, "parts": parts, "mean": mean, "std": std})
