"""The trainer: a network, images and a recipe enter; trained weights and a ``History`` leave.

Follows He et al. 2015 (arXiv:1512.03385), section 4.2. An iteration is one step on one batch; an epoch is one pass
over the training images.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from resnet_book import augment
from resnet_book.data import ImageSet, hold_out
from resnet_book.engine import cuda_graph, processes
from resnet_book.engine.precision import autocast, default_precision, evaluation_mode, kernels, worth_compiling
from resnet_book.history import Epoch, History
from resnet_book.recipe import Recipe
from resnet_book.run_state import DivergedError, RunState

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# Images at a time in the tests between epochs: a GPU is busy with many, a CPU's caches hold few.
TEST_BATCH = {"cuda": 2_500, "cpu": 500}

__all__ = [
    "DivergedError",
    "Epoch",
    "History",
    "Recipe",
    "default_precision",
    "evaluate",
    "fit",
    "kernels",
    "make_step",
    "worth_compiling",
]


def evaluate(
    network: Callable[[Tensor], Tensor],
    images: ImageSet,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    device: str | torch.device = "cpu",
    precision: str = "float32",
    batch_size: int = 500,
) -> tuple[float, float]:
    """Mean cross-entropy (nats) and error (%) over all images once, in evaluation mode, without gradients.

    ``mean`` and ``std`` normalise the images, 0 to 255 for each channel, as in ``History``. The network is left in the
    mode (training or evaluation) in which it came. Under ``torchrun`` every process must call this, and tests its
    share. Raises ValueError for a precision that is not one of the two.
    """
    device = torch.device(device)
    casting = autocast(device, precision)
    loss_sum = torch.zeros((), device=device, dtype=torch.float64)
    wrong = torch.zeros((), device=device, dtype=torch.int64)
    mean_tensor, std_tensor = torch.tensor(mean, device=device), torch.tensor(std, device=device)
    starts = range(0, len(images), batch_size)
    with torch.inference_mode(), kernels(device, precision), casting, evaluation_mode(network):
        for begin in starts[processes.rank() :: processes.size()]:
            batch = images.images[begin : begin + batch_size].to(device)
            labels = images.labels[begin : begin + batch_size].to(device)
            scores = network(augment.normalise(batch, mean_tensor, std_tensor))
            loss_sum += F.cross_entropy(scores.float(), labels, reduction="sum")
            wrong += (scores.argmax(dim=1) != labels).sum()
        loss_sum, wrong = processes.total(loss_sum), processes.total(wrong)
    return loss_sum.item() / len(images), 100 * wrong.item() / len(images)


def make_step(run: RunState, forward: Callable[[Tensor], Tensor], precision: str) -> Callable[[Tensor], None]:
    """The training step: takes what ``run.batches`` yields, and changes the network, the optimizer and the sums."""

    def step(plan: Tensor) -> None:
        images, labels = run.batch(plan)
        with casting:
            scores = forward(images)
            loss = F.cross_entropy(scores, labels)
        loss.backward()
        run.optimizer.step()
        run.optimizer.zero_grad()
        run.measure(loss.detach(), scores.detach(), labels)

    casting = autocast(run.device, precision)
    if run.device.type == "cuda" and processes.size() == 1:
        example = torch.zeros(4, run.recipe.batch_size, dtype=torch.int64, device=run.device)
        return cuda_graph.replayed(step, example, run.changing)
    return step


def fit(
    network: nn.Module,
    train: ImageSet,
    test: ImageSet,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    precision: str = "float32",
    compiled: bool = False,
    checkpoint: Path | None = None,
    log_dir: Path | None = None,
    progress: bool = True,
    on_step: Callable[[int, History], None] | None = None,
) -> History:
    """Train ``network`` in place by ``recipe``, test it after every epoch, and return what was measured.

    The images that the recipe holds out of ``train`` for validation are not trained on; the network is tested on them
    too.
    ``precision``: "float32" or "bfloat16" (autocast); the last test is in float32 always. ``compiled``: through
    ``torch.compile``. ``checkpoint``: a file written at least once a minute of training, on Ctrl-C and at the end; if
    it is there already, the run goes on from it, on the CPU to exactly the numbers of a run never stopped: with as many
    threads as it began with, which it sets for the whole process.
    ``log_dir``: TensorBoard logs. ``progress``: show a bar. ``on_step``: called after each iteration with the number of
    finished ones and the history so far.

    In each of several processes that ``torchrun`` started (see ``distributed``), trains one network together.

    Raises ValueError for a precision that is not one of the two, a batch larger than the training set or not divisible
    among the processes, or ``compiled`` in several processes; DivergedError when the loss is not finite;
    CheckpointError for a checkpoint that is damaged or of another run.
    """
    device = torch.device(device)
    autocast(device, precision)  # refuses an unknown precision before anything is done
    kept, held_out = hold_out(train, recipe.validation_images, recipe.validation_seed)
    if recipe.batch_size > len(kept):
        raise ValueError(f"batch_size={recipe.batch_size}: larger than the training set ({len(kept)} images)")
    if recipe.batch_size % processes.size():
        raise ValueError(f"batch_size={recipe.batch_size}: cannot be shared evenly by {processes.size()} processes")
    if compiled and processes.size() > 1:
        raise ValueError("compiled=True: several processes train together without torch.compile; leave it out")
    setting = {"test": test.sha256, "precision": precision, "compiled": compiled}
    run = RunState(network, kept, recipe, seed, device, checkpoint, setting)
    test, held_out = (
        replace(each, images=each.images.to(device), labels=each.labels.to(device)) for each in (test, held_out)
    )
    together = processes.parallel(network, device)
    if compiled:
        torch.compiler.reset()  # else torch stops to compile, and says nothing, after some networks in one process
    forward = torch.compile(together) if compiled else together
    normalisation = run.history.mean, run.history.std
    in_training = {"device": device, "precision": precision, "batch_size": TEST_BATCH[device.type]}
    first = processes.rank() == 0
    log = _open_log(log_dir, run.history.epochs) if log_dir and first else nullcontext()
    if progress and first and run.iteration:
        _say_where_it_goes_on(run)
    bar = _make_bar(run, show=progress and first)

    with log as writer, bar, kernels(device, precision), _interrupts() as interrupted:
        network.train()
        together.train()
        run.start_clock()
        train_step = make_step(run, forward, precision)
        while run.iteration < recipe.iterations or run.steps_of_epoch:
            bar.set_description(f"epoch {len(run.history.epochs) + 1} of {run.epochs}", refresh=False)
            for plan in run.batches():
                if processes.agree(bool(interrupted), run.iteration):
                    run.save_under_way()
                    raise KeyboardInterrupt
                run.save_if_due()
                run.set_learning_rate(recipe.learning_rate_at(run.iteration))
                train_step(plan)
                run.iteration += 1
                bar.update(recipe.batch_size)
                if on_step:
                    on_step(run.iteration, run.history)
            run.check_finite()
            run.save_at_epoch_end(ahead=run.test_seconds)
            run.stop_clock()
            # The last test, which is the reported one, is as anyone would repeat it with the weights alone.
            last = run.iteration == recipe.iterations
            on = {"device": device, "precision": "float32"} if last else in_training
            on_test = evaluate(network, test, *normalisation, **on)
            on_held_out = evaluate(network, held_out, *normalisation, **on) if len(held_out) else None
            epoch = run.finish_epoch(on_test, on_held_out)
            run.save_at_epoch_end()
            run.start_clock()
            errors = f"train error {epoch.train_error:.1f} %, test error {epoch.test_error:.1f} %"
            bar.set_postfix_str(f"loss {epoch.train_loss:.3f}, {errors}")
            if writer:
                _log(writer, epoch)
        run.save()
        if processes.agree(bool(interrupted), 0):
            raise KeyboardInterrupt
    return run.history


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect the first Ctrl-C in the list, so that a step is never cut in two; a second one interrupts at once."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may handle signals
        return
    previous = signal.getsignal(signal.SIGINT)

    def remember(number: int, frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    signal.signal(signal.SIGINT, remember)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, previous)


def _make_bar(run: RunState, show: bool) -> "tqdm[NoReturn]":
    return tqdm(
        total=run.recipe.iterations * run.recipe.batch_size,
        initial=run.iteration * run.recipe.batch_size,
        unit=" images",
        unit_scale=True,
        mininterval=0.5,
        disable=not show,
    )


def _say_where_it_goes_on(run: RunState) -> None:
    trained = f"{run.iteration:,} of {run.recipe.iterations:,} iterations"
    print(f"Goes on from {run.checkpoint}, after {trained}.", file=sys.stderr)


def _open_log(log_dir: Path, epochs: list[Epoch]) -> "SummaryWriter":
    """Logs that hold ``epochs``, whatever an earlier part of the run, perhaps killed, left in the folder."""
    from torch.utils.tensorboard import SummaryWriter  # slow to import, and rarely wanted

    writer = SummaryWriter(log_dir, purge_step=0)
    for epoch in epochs:
        _log(writer, epoch)
    return writer


def _log(writer: "SummaryWriter", epoch: Epoch) -> None:
    for name, value in asdict(epoch).items():
        if name != "iteration" and value is not None:
            writer.add_scalar(name, value, epoch.iteration)
