"""Train a network by a recipe, and test it.

Follows He et al. 2015 (arXiv:1512.03385), section 4.2. An iteration is one step on one batch; an epoch is one pass over
the shuffled training images, whose last ones, too few for a batch, sit out until the next shuffle.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_book import augment, features
from resnet_book.data import ImageSet, hold_out
from resnet_book.engine import processes
from resnet_book.engine.callbacks import Callback
from resnet_book.engine.checks import checked_seed, whole
from resnet_book.engine.device import CPU, Engine, autocast, in_mode, kernels, sum_type
from resnet_book.models import Network
from resnet_book.recipe import History, Recipe
from resnet_book.state import Training

# Images at a time in the tests between epochs: a GPU is busy with many, a CPU's caches hold few.
TEST_BATCH = {"cuda": 2_500, "cpu": 500}


def evaluate(
    network: Callable[[Tensor], Tensor],
    images: ImageSet,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    device: str | torch.device = "cpu",
    precision: str = "float32",
    batch_size: int = 500,
) -> tuple[float, float]:
    """Mean cross-entropy (nats) and error (%) over all images once, in evaluation mode, without gradients.

    ``network``: any function of normalised images (N, 3, H, W) float32 to scores (N, classes); a module is moved to
    ``device``, and left in the mode (training or evaluation) in which it came. ``mean`` and ``std`` normalise the
    images, 0 to 255 for each channel, as in ``History``. Under ``torchrun`` every process must call this, and tests its
    share. Raises ValueError for an empty set, for labels that ``network`` has no class for, a mean or a standard
    deviation in other units, an unknown precision.
    """
    device = torch.device(device)
    batch_size = whole("batch_size", batch_size, 1)
    _require_images(images)
    if isinstance(network, nn.Module):
        network.to(device)
    mean, std = augment.channel_values("mean", mean), augment.channel_values("std", std)
    loss_sum = torch.zeros((), device=device, dtype=sum_type(device))
    wrong = torch.zeros((), device=device, dtype=torch.int64)
    starts = range(0, len(images), batch_size)
    casting = autocast(device, precision)
    with torch.inference_mode(), kernels(device, precision), casting, in_mode(network, training=False):
        for begin in starts[processes.rank() :: processes.size()]:
            batch = images.images[begin : begin + batch_size].to(device)
            labels = images.labels[begin : begin + batch_size].to(device)
            scores = network(augment.normalise(batch, mean, std))
            _require_classes(images, scores.shape[1])
            loss_sum += F.cross_entropy(scores.float(), labels, reduction="sum")
            wrong += (scores.argmax(dim=1) != labels).sum()
        loss_sum, wrong = processes.total(loss_sum), processes.total(wrong)
    return loss_sum.item() / len(images), 100 * wrong.item() / len(images)


def make_step(training: Training) -> Callable[[Tensor], None]:
    """One step of gradient descent: a function of a plan of ``Batches`` that learns from its images, and measures.

    It is computed as ``training.engine`` says, with the learning rate that the training has at the time.
    """
    forward = training.engine.prepare(training.network)

    def step(plan: Tensor) -> None:
        images, labels = training.batches.load(plan)
        with training.engine.autocast():
            scores = forward(images)
            for name, each in training.sets.items():
                _require_classes(each, scores.shape[1], name)
            loss = F.cross_entropy(scores, labels)
        loss.backward()
        training.optimizer.step()
        training.optimizer.zero_grad()
        training.meter.add(loss.detach(), scores.detach(), labels)

    example = torch.zeros(4, training.recipe.batch_size, dtype=torch.int64, device=training.device)
    return training.engine.repeated(step, example, training.changing)


def fit(
    network: nn.Module,
    train: ImageSet,
    test: ImageSet,
    recipe: Recipe,
    *,
    seed: int = 0,
    engine: Engine = CPU,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train ``network`` in place by ``recipe``, test it after every epoch, and return what was measured.

    The images that the recipe holds out of ``train`` for validation are not trained on; the network is tested on them
    too. ``engine``: device, precision, compiled or not; the last test is in float32 always. ``callbacks``: what else
    happens between steps: a progress bar, checkpoints, logs (see ``engine.callbacks``). The network is moved to the
    engine's device and left in training mode: call ``network.eval()`` before you use it yourself.

    In each of several processes that ``torchrun`` started (see ``engine.processes``), trains one network together.

    Raises ValueError for an impossible seed, an empty set, sets of different classes, labels that ``network`` has no
    class for, training images that are not square or look like pixels from 0 to 1, more validation images than there
    are, a channel that is the same everywhere, or a batch that is larger than the training set or cannot be shared by
    the processes; DivergedError when the loss is not finite; CheckpointError for a checkpoint that is damaged or of
    another run.
    """
    # Before the first step: which images are trained on, and where the run stands.
    for name, images in (("train", train), ("test", test)):
        _require_images(images, name)
    height, width = train.images.shape[2:]
    if height != width:
        raise ValueError(
            f"train: images of {height} x {width} pixels; random crops need square ones, so pad or crop them"
        )
    if train.class_names != test.class_names:
        raise ValueError("test: its class_names are not those of train, so its labels mean something else")
    kept, held_out = hold_out(train, recipe.validation_images, recipe.validation_seed)
    if recipe.batch_size > len(kept):
        raise ValueError(f"batch_size={recipe.batch_size}: larger than the training set ({len(kept)} images)")
    if recipe.batch_size % processes.size():
        raise ValueError(f"batch_size={recipe.batch_size}: cannot be shared evenly by {processes.size()} processes")
    sets = {"train": kept, "test": test, "validation": held_out}
    training = Training(network, sets, recipe, checked_seed(seed), engine)

    with ExitStack() as ending, engine.computing():
        for callback in callbacks:
            ending.callback(callback.end, training)
            callback.begin(training)
        step = make_step(training)
        training.clock = time.monotonic()
        while not training.finished:
            # Train for the rest of an epoch.
            network.train()
            for plan in training.plans():
                for callback in callbacks:
                    callback.before_step(training)
                training.learning_rate.fill_(recipe.learning_rate_at(training.iteration))
                step(plan)
                training.iteration += 1
                for callback in callbacks:
                    callback.after_step(training)
            training.check_finite()
            training.count_seconds()

            # Test the network.
            for callback in callbacks:
                callback.before_test(training)
            training.finish_epoch(_test(training))
            training.count_seconds(testing=True)
            for callback in callbacks:
                callback.after_epoch(training)
    return training.history


def _require_images(images: ImageSet, name: str = "images") -> None:
    """Raise ValueError for what is no set, or one without images."""
    if not isinstance(images, ImageSet):
        raise ValueError(f"{name} is of type {type(images).__name__}: give an ImageSet, pixels with their labels")
    if len(images) == 0:
        raise ValueError(f"{name}: the set {images.name} ({images.split}) is empty; give at least one image")


def _require_classes(images: ImageSet, classes: int, name: str = "images") -> None:
    """Raise ValueError for labels that a network of so many ``classes`` does not have."""
    if images.largest_label >= classes:
        raise ValueError(
            f"{name}: the set {images.name} ({images.split}) has labels up to {images.largest_label}, the network "
            f"{classes} classes; build one with num_classes={images.num_classes}"
        )


def _test(training: Training) -> dict[str, float]:
    """Losses (nats) and errors (%) on the test images, and on those held out: test_loss, test_error, ...

    The last test, which is the reported one, is as anyone would repeat it with the weights alone: in float32. Its
    features are kept.
    """
    network, device, mean, std = training.network, training.device, training.history.mean, training.history.std
    last = training.iteration == training.recipe.iterations
    precision = "float32" if last else training.engine.precision
    measured = dict[str, float]()
    for name, images in training.test_sets.items():
        if last and name == "test" and isinstance(network, Network):
            training.test_features = features.extract(network, images, mean, std, device=device)
            scores = features.class_scores(network, training.test_features)
            loss, error = features.loss_and_error(scores, images.labels)
        else:
            size = TEST_BATCH.get(device.type, 500)
            loss, error = evaluate(network, images, mean, std, device=device, precision=precision, batch_size=size)
        measured |= {f"{name}_loss": loss, f"{name}_error": error}
    return measured
