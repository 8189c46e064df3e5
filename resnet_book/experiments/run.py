"""Train one run, an experiment with a seed, and record it.

A run has a folder, ``<runs>/<experiment>/seed<k>``, for its checkpoint and logs. Whoever trains it holds the
file ``lock`` there, so that two processes never train the same run; the system lets go of it however a process ends.
Where two with different folders record the same run, a lock beside the record lets the first one do it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from torch import Tensor

from resnet_book import data, features, models, train
from resnet_book.analysis import answers, study
from resnet_book.data import ImageSet
from resnet_book.engine import callbacks, checkpoints, device, processes
from resnet_book.engine.checkpointing import Checkpoint
from resnet_book.engine.checks import checked_seed
from resnet_book.experiments import catalogue, records, study_files, weights
from resnet_book.experiments.catalogue import Experiment
from resnet_book.recipe import History

LOCK_SECONDS = 1.0  # how long to wait for a run's lock: longer than ``is_locked`` takes to look
RECORD_SECONDS = 60.0  # how long to wait while another process writes a record of this run


class LockedError(RuntimeError):
    """Another process trains this run at this moment."""


@dataclass(frozen=True)
class Options:
    """All that an experiment leaves open: where and how its runs are computed, and where their files go.

    What suits the device is decided where the run is computed, which may be another machine.
    """

    device: str = "auto"  # as device.find understands it
    precision: str | None = None  # None: device.default_precision
    compiled: bool | None = None  # None: device.worth_compiling
    results: Path = Path("results")
    runs: Path = Path("runs")
    data_root: str | Path | None = None  # None: where data.load looks
    tensorboard: bool = False
    progress: bool = True  # show a bar
    keep_weights: bool = False  # keep those of weights.moments in the run's folder, too

    def __post_init__(self) -> None:
        for name, kind in (("device", str), ("results", Path), ("runs", Path)):
            object.__setattr__(self, name, kind(getattr(self, name)))  # the dataclass is frozen


def folder_of(runs: str | Path, name: str, seed: int) -> Path:
    """The folder of checkpoint, logs and lock of experiment ``name`` with ``seed``."""
    return Path(runs) / name / f"seed{seed}"


def train_and_record(
    name: str,
    seed: int,
    options: Options,
    stop: Callable[[], bool] = lambda: False,
    further: Sequence[callbacks.Callback] = (),
) -> records.Record:
    """Train experiment ``name`` from ``seed``, or go on from its checkpoint; save and return its record.

    Weights and feature study are saved too, beside the record. ``stop``: see ``checkpointing.Checkpoint``; ``further``:
    callbacks of the caller's. Of several processes under ``torchrun``, each calls this; the first one alone has the
    lock and writes.

    Raises LockedError if another process trains this run, RecordError if it is recorded, what ``train.fit`` raises, and
    OSError where the record cannot be written: the trained run is then kept, and the message says how to record it.
    """
    experiment, seed = catalogue.get(name), checked_seed(seed)
    folder, path = folder_of(options.runs, name, seed), records.path_of(options.results, name, seed)
    first = processes.rank() == 0
    with _locked(folder, path) if first else nullcontext():
        # This logger warns of compilers for a GPU whenever something is compiled for the CPU.
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        engine = _engine(name, experiment, options)
        images, test = (data.load(experiment.dataset, split, options.data_root) for split in ("train", "test"))
        network = models.untrained(experiment.model, images.num_classes, experiment.shortcut, seed)
        kept = folder / "checkpoint.pt"
        seen = callbacks.KeepFeatures()
        calls: list[callbacks.Callback] = [Checkpoint(kept, stop), seen]
        if options.progress:
            calls.append(callbacks.ProgressBar())
        if options.tensorboard:
            calls.append(callbacks.TensorBoard(folder / "tensorboard"))
        if options.keep_weights:
            calls.append(weights.KeepWeights(folder / "weights"))
        calls += further
        history = train.fit(network, images, test, experiment.recipe, seed=seed, engine=engine, callbacks=calls)
        try:
            done = (name, seed, network, images, test, history, seen.values, path)
            record = processes.from_first(lambda: _record(*done))
        except OSError as error:
            raise OSError(
                f"{error.filename or path} cannot be written ({error.strerror}). Nothing is lost: the trained run is "
                f"in {kept}. Make room in {path.parent}, or name another folder (--results), and run it again: it is "
                "recorded without further training."
            ) from error
        if first:
            kept.unlink(missing_ok=True)  # it would pass for a run of the same seed again
            with suppress(OSError):  # where it cannot be removed while it is held, or is gone
                (folder / "lock").unlink()  # whoever waits for it finds the record
    return record


def _engine(name: str, experiment: Experiment, options: Options) -> device.Engine:
    """How to compute. Raises ValueError where the experiment has a precision of its own and another is asked for."""
    if experiment.precision and options.precision not in (None, experiment.precision):
        raise ValueError(
            f"precision={options.precision!r}: {name} is trained in {experiment.precision}. Leave --precision out."
        )
    computer = device.find(options.device)
    precision = experiment.precision or options.precision or device.default_precision(computer)
    compiled = options.compiled
    if compiled is None:
        compiled = device.worth_compiling(experiment.recipe.iterations, computer)
    return device.Engine(computer, precision, compiled)


def _record(
    name: str,
    seed: int,
    network: models.Network,
    images: ImageSet,
    test: ImageSet,
    history: History,
    values: Tensor | None,
    path: Path,
) -> records.Record:
    """Save weights and study of the trained network, and the record, which says that the run is done, last.

    ``values``: the features (N, C) of the test images; None: the run was tested, but not recorded, when it was stopped.
    """
    records.refuse_to_overwrite(path)
    mean, std = history.mean, history.std
    if values is None:
        values = features.extract(network, test, mean, std, device=network.classifier.weight.device)
    scores = features.class_scores(network, values)
    superclasses = bool(test.coarse_class_names)
    experiment = catalogue.get(name)
    before = models.untrained(experiment.model, images.num_classes, experiment.shortcut, seed)
    k = min(study.IMAGES_AT_EACH_END, len(test))
    made = study.make(network, values, before, images, test, mean, std, k=k)
    with _one_at_a_time(path):
        records.refuse_to_overwrite(path)
        record = records.make_record(
            name,
            seed,
            (images, test),
            network,
            history,
            top5_error=answers.top_error(scores, test.labels, 5),
            superclass_error=answers.superclass_error(scores.argmax(dim=1), test) if superclasses else None,
            weights_sha256=weights.save_weights(network, path.with_suffix(".safetensors")),
            study_sha256=study_files.save(made, study_files.path_of(path)),
        )
        records.save_record(record, path.parent.parent)
    return record


@dataclass(frozen=True)
class Begun:
    """How far a run is that has no record yet."""

    iteration: int  # finished ones
    iterations: int  # of the whole run
    test_error: float | None  # % after the last whole epoch, if there is one
    seconds_left: float | None  # about, at the pace of its last part that got on; None: unknown

    def __str__(self) -> str:
        return f"{self.iteration:,} of {self.iterations:,} iterations"


def begun(runs: str | Path, name: str, seed: int) -> Begun | None:
    """How far the checkpoint of a run is, or None where there is none. Raises CheckpointError for a damaged one."""
    state = checkpoints.load(folder_of(runs, name, seed) / "checkpoint.pt")
    if state is None:
        return None
    try:
        history = History.from_dict(state["history"])
    except (KeyError, TypeError) as fault:
        raise checkpoints.CheckpointError(
            f"{folder_of(runs, name, seed) / 'checkpoint.pt'} is of another version of this code. Go on with that, or "
            "delete it to train from the start."
        ) from fault
    error = history.epochs[-1].test_error if history.epochs else None
    iteration, iterations = state["iteration"], catalogue.get(name).recipe.iterations
    paces = [
        part.seconds / (part.last_iteration - part.first_iteration)
        for part in history.parts
        if part.last_iteration > part.first_iteration
    ]
    return Begun(iteration, iterations, error, paces[-1] * (iterations - iteration) if paces else None)


def is_locked(folder: str | Path) -> bool:
    """Whether a process trains the run of this folder."""
    lock = Path(folder) / "lock"
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def _one_at_a_time(record: Path) -> Iterator[None]:
    """Let no other process write this record meanwhile: one with another folder of checkpoints may be as far."""
    path = record.with_name(f".{record.stem}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=RECORD_SECONDS):
            try:
                yield
            finally:
                with suppress(OSError):  # where it cannot be removed while it is held
                    path.unlink()
    except Timeout:
        message = f"another process records this run (it holds {path}). The trained run is kept: run it again later."
        raise LockedError(message) from None


@contextmanager
def _locked(folder: Path, record: Path) -> Iterator[None]:
    """Hold the run's lock, with no record there, and nothing half-written."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        message = f"another process trains this run now (it holds {folder / 'lock'}). Wait for it, or stop it; or train"
        raise LockedError(f"{message} another seed (--seed), or in a folder of your own (--runs, --results).") from None
    try:
        records.refuse_to_overwrite(record)
        _remove_leftovers(folder, record)
        yield
    finally:
        lock.release()


def _remove_leftovers(folder: Path, record: Path) -> None:
    """Remove what killed processes had half-written. Only for the one that holds the lock."""
    patterns = ((folder, ".*.part"), (record.parent, f".{record.stem}.*.part"), (record.parent, f"{record.stem}.*.tmp"))
    for place, pattern in patterns:
        for leftover in place.glob(pattern):
            leftover.unlink(missing_ok=True)
