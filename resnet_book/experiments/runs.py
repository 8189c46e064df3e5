"""One run: the name of an experiment and a seed enter; the run is trained and its record leaves.

A run has a folder, ``<runs>/<experiment>/seed<k>``, for its checkpoint, log and progress. Whoever trains it holds the
file ``lock`` there, so that two processes never train the same run; the system lets go of it however a process ends.
"""

import json
import logging
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from resnet_book import data, features, models, train
from resnet_book.analysis import answers, study
from resnet_book.engine import processes
from resnet_book.experiments import catalogue, recorded_study, records, weights
from resnet_book.history import History
from resnet_book.recipe import Recipe

EXIT_LOCKED = 75  # exit status of the command line after LockedError: EX_TEMPFAIL of sysexits.h
LOCK_SECONDS = 1.0  # how long to wait for a lock: longer than ``is_locked`` takes to look
REPORT_SECONDS = 1.0  # between two reports of progress


class LockedError(RuntimeError):
    """Another process trains this run at this moment."""


@dataclass(frozen=True)
class Setting:
    """All that an experiment leaves open: where and how its runs are computed, and where their files go."""

    device: torch.device
    precision: str | None = None  # None: train.default_precision
    compiled: bool | None = None  # None: train.worth_compiling
    results: Path = Path("results")
    runs: Path = Path("runs")
    data_root: str | None = None  # None: where data.load looks
    tensorboard: bool = False
    progress: bool = True  # show a bar


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    iteration: int  # finished ones
    iterations: int  # of the whole run
    images_per_second: float  # trained since its process began to, time for tests included; 0: not known yet
    test_error: float | None  # % after the last whole epoch, if there is one
    seconds: float  # of training and testing that History counts


def folder_of(runs: Path, name: str, seed: int) -> Path:
    """The folder of checkpoint, log, lock and progress of experiment ``name`` with ``seed``."""
    return runs / name / f"seed{seed}"


def train_and_record(
    name: str, seed: int, setting: Setting, report: Path | None = None, caller: int | None = None
) -> records.Record:
    """Train experiment ``name`` from ``seed``, or go on from its checkpoint; save and return its record.

    Its feature study is saved too, beside the record.

    ``report``: a file to keep this run's ``Progress`` in; the run then saves and stops, as on Ctrl-C, once the process
    ``caller`` that started this one (default: the parent of now) has ended.
    Of several processes under ``torchrun``, each calls this; the first one alone has the lock and writes.
    Raises LockedError if another process trains this run, RecordError if it is recorded, and what ``train.fit`` raises.
    """
    folder, path = folder_of(setting.runs, name, seed), records.path_of(setting.results, name, seed)
    first = processes.rank() == 0
    with _ready(folder, path) if first else nullcontext(), _threads_restored():
        # It warns of compilers for a GPU whenever something is compiled for the CPU.
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        experiment, device = catalogue.get(name), setting.device
        precision = _precision(name, experiment, setting)
        compiled = setting.compiled
        if compiled is None:
            compiled = train.worth_compiling(experiment.recipe, device)
        environment = records.environment(device, precision, compiled)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        train_images = data.load(experiment.dataset, "train", setting.data_root)
        test_images = data.load(experiment.dataset, "test", setting.data_root)
        generator = torch.Generator().manual_seed(seed)
        network = models.build(experiment.model, train_images.num_classes, experiment.shortcut, generator)
        history = train.fit(
            network,
            train_images,
            test_images,
            experiment.recipe,
            seed=seed,
            device=device,
            precision=precision,
            compiled=compiled,
            checkpoint=folder / "checkpoint.pt",
            log_dir=folder / "tensorboard" if setting.tensorboard else None,
            progress=setting.progress,
            on_step=Reporter(report, experiment.recipe, caller or os.getppid()) if report else None,
        )
        environment["device"] = records.device_name(device)  # a run that went on has the threads it began with
        images = train_images, test_images
        further = _further_errors(network, test_images, history, device) if first else ()
        record = records.make_record(name, seed, images, network, environment, started, history, *further)
        if first:
            made = recorded_study.of_network(record, network, train_images, test_images, device=device)
            _save(record, network, made, setting.results)
            (folder / "checkpoint.pt").unlink(missing_ok=True)  # it would pass for a run of the same seed again
            if report:
                report.unlink(missing_ok=True)
            with suppress(OSError):  # where it cannot be removed while it is held, or is gone
                (folder / "lock").unlink()  # whoever waits for it finds the record
    return record


@contextmanager
def _threads_restored() -> Iterator[None]:
    """Leave torch with as many threads as it came with: a run that goes on takes those it began with."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _precision(name: str, experiment: catalogue.Experiment, setting: Setting) -> str:
    """The precision to train in. Raises ValueError where the experiment has one of its own and another is asked for."""
    if experiment.precision and setting.precision not in (None, experiment.precision):
        raise ValueError(
            f"precision={setting.precision!r}: {name} is trained in {experiment.precision}. Leave --precision out."
        )
    return experiment.precision or setting.precision or train.default_precision(setting.device)


def _further_errors(
    network: models.Network, test: data.ImageSet, history: History, device: torch.device
) -> tuple[float, float | None]:
    """Top-5 error and superclass error (%) of the trained network; None where there are no superclasses."""
    values = features.extract(network, test, history.mean, history.std, device=device)
    scores = features.class_scores(network, values)
    among_superclasses = answers.superclass_error(scores.argmax(dim=1), test) if test.coarse_class_names else None
    return answers.top_error(scores, test.labels, 5), among_superclasses


def _save(record: records.Record, network: models.Network, made: study.Study, results: Path) -> None:
    path = records.path_of(results, record.experiment, record.seed)
    records.refuse_to_overwrite(path)
    weights.save_weights(network, path.with_suffix(".safetensors"))
    study.save(made, study.path_of(path))
    # Last: the record says that the run is done.
    records.save_record(record, results)


def require_writable(folder: Path) -> None:
    """Make ``folder`` and try to write there, so that it fails before the training and not after it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def is_locked(folder: Path) -> bool:
    """Whether a process trains the run of this folder."""
    if not (folder / "lock").exists():
        return False
    try:
        with FileLock(folder / "lock", timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def _ready(folder: Path, record: Path) -> Iterator[None]:
    """Hold the run's lock, with no record there, and nothing half-written."""
    with _locked(folder):
        records.refuse_to_overwrite(record)
        _remove_leftovers(folder, record)
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        message = f"another process trains this run now (it holds {folder / 'lock'}). Wait for it, or stop it."
        raise LockedError(message) from None
    try:
        yield
    finally:
        lock.release()


def _remove_leftovers(folder: Path, record: Path) -> None:
    """Remove what killed processes had half-written. Only for the one that holds the lock."""
    patterns = ((folder, ".*.part"), (record.parent, f".{record.stem}.*.part"), (record.parent, f"{record.stem}.*.tmp"))
    for place, pattern in patterns:
        for leftover in place.glob(pattern):
            leftover.unlink(missing_ok=True)


class Reporter:
    """Writes ``Progress`` to a file about once a second, and interrupts the run once the ``caller`` has ended.

    For ``train.fit`` to call after every step. A report that cannot be written is no reason to stop.
    """

    def __init__(self, path: Path, recipe: Recipe, caller: int) -> None:
        self.path, self.recipe, self.caller = path, recipe, caller
        self.first: tuple[float, int] | None = None  # when the first step had ended, and which it was
        self.next = 0.0  # when to report again

    def __call__(self, iteration: int, history: History) -> None:
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + REPORT_SECONDS
        if os.getppid() != self.caller:
            signal.raise_signal(signal.SIGINT)  # train.fit saves and stops, as on Ctrl-C
        began, first = self.first = self.first or (now, iteration)
        images = (iteration - first) * self.recipe.batch_size
        error = history.epochs[-1].test_error if history.epochs else None
        speed = images / (now - began) if now > began else 0.0
        with suppress(OSError):
            write_progress(self.path, Progress(iteration, self.recipe.iterations, speed, error, history.seconds))


def write_progress(path: Path, progress: Progress) -> None:
    """Write ``progress`` to ``path``, whole, though not forced to the disk: after a crash it is worth nothing."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(asdict(progress)) + "\n", encoding="utf-8")
    part.replace(path)


def read_progress(path: Path) -> Progress | None:
    """What ``write_progress`` wrote; None where there is nothing, or something else."""
    try:
        return Progress(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
