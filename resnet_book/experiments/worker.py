"""What a worker of the sweep does: train one run after the other, tell how far it is, save before it closes."""

import asyncio
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress
from typing import Any

from distributed import Reschedule, Worker, get_worker
from distributed.core import Status
from distributed.diagnostics.plugin import WorkerPlugin

from resnet_book import data
from resnet_book.engine import device
from resnet_book.engine.callbacks import Callback
from resnet_book.experiments import catalogue, records
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.order import Run
from resnet_book.experiments.run import LockedError, Options, folder_of, train_and_record
from resnet_book.state import Training

TOPIC = "resnet-book"  # of the messages to the sweep
TELL_SECONDS = 1.0  # between two of a run
PATIENCE_SECONDS = 15.0  # with a lock: a worker that closes may still be saving the run


def look(options: Options, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Which type of device this machine computes on, and what is wrong with each dataset of the experiments ``names``.

    Raises ValueError for a device that is not there.
    """
    kind, faults = device.find(options.device).type, dict[str, str]()
    for dataset in {catalogue.get(name).dataset for name in names}:
        try:
            data.load(dataset, "test", options.data_root)
        except (OSError, RuntimeError, ValueError) as error:
            faults[dataset] = str(error)
    return kind, faults


def train(run: Run, options: Options) -> float:
    """Train and record ``run``, a task of this worker; returns the test error (%). What it says goes into log.txt."""
    worker = get_worker()
    key, path = worker.get_current_task(), records.path_of(options.results, run.name, run.seed)
    message = {"run": [run.name, run.seed], "results": str(options.results)}

    def unwanted() -> bool:
        """Whether the worker closes, or no sweep wants the run any more."""
        task = worker.state.tasks.get(key)
        return worker.status not in (Status.running, Status.paused) or task is None or task.state == "cancelled"

    folder = folder_of(options.runs, run.name, run.seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a", encoding="utf-8") as log, redirect_stderr(log):
        worker.log_event(TOPIC, {**message, "state": "begins"})
        patience = time.monotonic() + PATIENCE_SECONDS
        try:
            while not path.exists():
                try:
                    train_and_record(run.name, run.seed, options, unwanted, [_Tell(worker, message)])
                except LockedError:
                    if unwanted() or time.monotonic() > patience:
                        raise
                except RecordError:  # another process recorded the run while this one waited for its lock
                    if not path.exists():
                        raise
            return records.load_record(path).test_error
        except KeyboardInterrupt:  # ``unwanted``, and saved: another worker takes it up, if any is to
            raise Reschedule from None
        except Exception:
            traceback.print_exc(file=log)
            raise
        finally:
            worker.log_event(TOPIC, {**message, "state": "ends"})


class _Tell(Callback):
    """Tells the sweep about once a second how far the run is."""

    def __init__(self, worker: Worker, message: dict[str, Any]) -> None:
        self.worker, self.message, self.next = worker, message, 0.0

    def before_step(self, training: Training) -> None:
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + TELL_SECONDS
            error = training.history.epochs[-1].test_error if training.history.epochs else None
            message = {**self.message, "state": "trains", "iteration": training.iteration, "test_error": error}
            self.worker.log_event(TOPIC, message)


class CloseOnSignals(WorkerPlugin):
    """Lets a worker that gets SIGTERM or SIGINT itself, as from ``scancel``, close as one does that is asked to."""

    name = "resnet-book-signals"

    def setup(self, worker: Worker) -> None:
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            with suppress(NotImplementedError):  # Windows: such a worker ends at once, and its last checkpoint counts
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, lambda: asyncio.ensure_future(worker.close(nanny=False)))
