"""The recipe: every hyper-parameter of a training run, each once, with its unit and source.

Source of the defaults: He et al. 2015 (arXiv:1512.03385), section 4.2.
"""

from dataclasses import dataclass

from resnet_book.augment import PaddingMode


@dataclass(frozen=True)
class Recipe:
    """Every hyper-parameter of a training run. Defaults: He et al. 2015, section 4.2."""

    iterations: int = 64_000  # steps in all
    batch_size: int = 128  # images a step
    learning_rate: float = 0.1
    drops: tuple[int, ...] = (32_000, 48_000)  # iterations before which the learning rate is divided by drop_divisor
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

    def learning_rate_at(self, iteration: int) -> float:
        """Learning rate of the step that follows ``iteration`` finished ones."""
        if iteration < self.warmup_iterations:
            return self.warmup_learning_rate
        return self.learning_rate / self.drop_divisor ** sum(iteration >= drop for drop in self.drops)
