"""What a training run leaves besides its weights: a row of measurements an epoch, and what the whole run took."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch. Losses are means of the cross-entropy in nats, errors are % of wrong answers."""

    iteration: int  # steps finished at its end
    learning_rate: float  # of its last step
    train_loss: float  # over the epoch's augmented batches, each before its step
    train_error: float
    test_loss: float  # at the epoch's end, on all test images as they are
    test_error: float
    validation_loss: float | None = None  # as the test's, on the training images held out; None: there are none
    validation_error: float | None = None


@dataclass
class History:
    """What a run leaves besides its weights."""

    epochs: list[Epoch] = field(default_factory=list)
    mean: tuple[float, ...] = ()  # what was subtracted from each channel, 0 to 255
    std: tuple[float, ...] = ()  # what each channel was divided by, 0 to 255
    seconds: float = 0.0  # of training and testing, over all resumed parts
    train_seconds: float = 0.0  # of training alone
    images_per_second: float = 0.0  # training images over seconds of training
    peak_memory: int = 0  # bytes: allocated on the GPU; on the CPU, resident for the whole process; 0: not measured
