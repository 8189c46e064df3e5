"""Train the runs that have no record on a Dask cluster: of this machine, one that runs, or a batch system's.

Each worker trains one run at a time. A run that fails stops no other; one whose worker is killed is taken up by
another. What the budget or Ctrl-C stops saves first, and the next sweep goes on from there; so does a run whose worker
is asked to close, and one that nobody wants any more because its sweep was killed.
"""

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from distributed import Client, Future

from resnet_book import cifar
from resnet_book.engine.checkpoints import CheckpointError
from resnet_book.experiments import catalogue, clusters, order, records, worker
from resnet_book.experiments.order import Run
from resnet_book.experiments.run import Begun, LockedError, Options, begun, folder_of, is_locked
from resnet_book.experiments.sweep_view import View

TICK_SECONDS = 0.2  # between two looks at the clock
SAVE_SECONDS = 30.0  # before the end of a budget, for saving, after a test under way; of a short budget, a quarter
CLOSE_SECONDS = 3.0  # before the end of a budget, for ending the workers; of a short budget, an eighth
HEARD_SECONDS = 1.0  # within which a scheduler has heard that a run is not wanted any more
PATIENCE_SECONDS = 60.0  # after Ctrl-C, for saving, with a compilation under way
GONE = "the scheduler is gone. Its workers save what they train. Start another: the same command goes on from there."


class Sweep:
    """Trains runs until all had their turn, the budget is spent, or Ctrl-C.

    ``cluster``: None for one of this machine, the address of a scheduler, or a batch system that dask-jobqueue knows;
    ``jobs``: workers (default: one per GPU, else one per core; of a batch system, one per run). ``budget``: seconds,
    counted from ``began`` (``time.monotonic``, default now). After ``work``, ``recorded`` has the test error (%) of
    each run that was recorded meanwhile, ``failed`` why a run failed, ``left`` the others and how far they are ("": not
    begun).
    """

    def __init__(
        self,
        options: Options,
        *,
        cluster: str | None = None,
        jobs: int | None = None,
        budget: float = math.inf,
        began: float | None = None,
    ) -> None:
        root = cifar.find_root(options.data_root)
        self.options = replace(
            options,
            results=options.results.absolute(),
            runs=options.runs.absolute(),
            data_root=root.absolute() if options.data_root or root.is_dir() else None,  # None: where the workers look
        )
        self.cluster, self.jobs = cluster, jobs
        self.recorded, self.failed, self.left = dict[Run, float](), dict[Run, str](), list[tuple[Run, str]]()
        self.end = budget + (time.monotonic() if began is None else began)
        self.stop_at = self.end - min(SAVE_SECONDS, budget / 4)
        self.close_at = self.end - min(CLOSE_SECONDS, budget / 8)
        self.signals = 0  # received: SIGINT and SIGTERM
        self.stopping = False
        self.events = SimpleQueue[Any]()  # messages of the workers, and futures that are done
        self.under_way = set[Run]()  # on a worker
        self.told = dict[Run, float]()  # test errors (%), by the workers that recorded them

    def work(self, names: Sequence[str], seeds: Sequence[int], every: bool = True) -> int:
        """Train what has no record; unless ``every``, only what suits the workers. Returns the exit status.

        0, 1 if a run failed, 130 if interrupted. Raises ValueError for a device that is not there or
        workers that train several runs at a time, OSError for a scheduler that does not answer.
        """
        with self._count_signals():
            if self.cluster is None:
                self._work_here(names, seeds, every)
            else:
                self._work_on(self.cluster, names, seeds, every)
        return 130 if self.signals else 1 if self.failed else 0

    def _work_here(self, names: Sequence[str], seeds: Sequence[int], every: bool) -> None:
        kind, faults = worker.look(self.options, names)
        if missing := self._missing(names, seeds, every, kind, faults):
            with clusters.of_this_machine(self.options, self.jobs, len(missing)) as client:
                self._train(client, missing, kind)  # a worker sees no GPU but its own, whatever its number is here

    def _work_on(self, cluster: str, names: Sequence[str], seeds: Sequence[int], every: bool) -> None:
        unrecorded = self._without_record(order.in_order(names, seeds))
        if not unrecorded:
            print("Every run has a record.", flush=True)
            return
        patience = max(1.0, self.stop_at - time.monotonic())
        with clusters.join(cluster, min(self.jobs or len(unrecorded), len(unrecorded)), patience) as client:
            found = client.submit(worker.look, self.options, names, pure=False, priority=1)
            while not found.done() and not self._stop_now():
                time.sleep(TICK_SECONDS)
            if found.done():
                threads: Any = client.nthreads()
                if max(threads.values(), default=1) > 1:
                    raise ValueError(f"--cluster {cluster}: start its workers with --nthreads 1, a run each.")
                self._train(client, self._missing(names, seeds, every, *found.result()), self.options.device)
                return
        if not self.signals:
            advice = "See whether its workers start, or give it more time (--budget)."
            print(f"--cluster {cluster}: no worker began in time. {advice}", file=sys.stderr)
        self.left = [(run, self._state(run)) for run in unrecorded]

    def _missing(
        self, names: Sequence[str], seeds: Sequence[int], every: bool, kind: str, faults: dict[str, str]
    ) -> list[Run]:
        """The runs to train, in their order. Those whose data is not there fail here, and not each on a worker."""
        if kind == "cpu" and not every:
            names, recipes = order.without_gpu(names), ", ".join(order.WITHOUT_GPU)
            print(f"On a CPU: only recipes for machines without a GPU ({recipes}). '*' means all.", file=sys.stderr)
        wanted = order.in_order(names, seeds)
        missing = self._without_record(wanted)
        print(f"{len(wanted)} run{'s' * (len(wanted) != 1)}, without a record: {len(missing)}", flush=True)
        fault = {run: faults.get(catalogue.get(run.name).dataset) for run in missing}
        self.failed |= {run: why for run, why in fault.items() if why}
        return [run for run in missing if run not in self.failed]

    def _train(self, client: Client, missing: Sequence[Run], device: str) -> None:
        """Let the workers train, each on its ``device``, and note what becomes of it."""
        known = {run: at for run in missing if (at := self._begun(run))}
        self.view = View(missing, known, quiet=not self.options.progress)
        client.register_plugin(worker.CloseOnSignals())
        client.subscribe_topic(worker.TOPIC, lambda event: self.events.put(event[1]))
        options, futures = replace(self.options, device=device, progress=False), dict[Future, Run]()
        for place, run in enumerate(missing):
            key = ("train", str(run), str(options.results))  # the same in every sweep: what two want is trained once
            future = client.submit(worker.train, run, options, key=key, pure=False, priority=-place)
            futures[future] = run
            future.add_done_callback(self.events.put)
        waiting = set(futures)
        while waiting and not self._stop_now():
            self._handle_next(futures, waiting)
        self._stop(client, futures, waiting)
        for run in (run for run in missing if run not in self.failed):
            if run in self.told:
                self.recorded[run] = self.told[run]
            elif self._path(run).exists():
                self.recorded[run] = records.load_record(self._path(run)).test_error
            else:
                self.left.append((run, self._state(run)))
        self.view.close()

    def _stop(self, client: Client, futures: dict[Future, Run], waiting: set[Future]) -> None:
        """Let the workers know that nobody wants the rest, and wait until they have saved it, but not for ever."""
        patience, signals = min(self.close_at, time.monotonic() + PATIENCE_SECONDS), self.signals
        self.stopping = True
        with suppress(OSError):
            before = _processed(client)  # a worker that is gone told no more
            client.cancel(list(waiting))
            ours = {future.key: run for future, run in futures.items() if future.key in before}
            heard = time.monotonic() + HEARD_SECONDS
            while (wanted := ours.keys() & _processed(client)) and time.monotonic() < heard:
                time.sleep(TICK_SECONDS)  # the scheduler hears of it a moment later
            ours = {run for key, run in ours.items() if key not in wanted}  # another sweep wants those
            self.under_way = {run for run in ours if run in self.under_way or self._is_locked(run)}  # told, or not yet
        while self.under_way and self.signals == signals and time.monotonic() < patience:
            self._handle_next(futures, waiting)

    def _handle_next(self, futures: dict[Future, Run], waiting: set[Future]) -> None:
        """Wait a moment for the next message of a worker, or for a run that is done, and note what it says."""
        try:
            event = self.events.get(timeout=TICK_SECONDS)
        except Empty:
            return
        if isinstance(event, Future):
            waiting.discard(event)
            self._note(event, futures[event])
            if not self.stopping:
                self.under_way.discard(futures[event])
                self.view.end(futures[event])
        elif (run := Run(*event["run"])) in futures.values() and event["results"] == str(self.options.results):
            if event["state"] == "begins":
                self.under_way.add(run)
                self.view.begin(run)
            elif event["state"] == "trains":
                self.view.move(run, event["iteration"], event["test_error"])
            elif run in self.under_way:
                self.under_way.discard(run)
                self.view.end(run)
                if self.stopping and not self._path(run).exists():
                    self.view.say(f"{run}: stopped at {self._begun(run) or 'its start'}")

    def _note(self, future: Future, run: Run) -> None:
        """Note what became of a run that is done: recorded, failed, or nothing, as when this sweep cancelled it."""
        if future.status == "finished":
            self.told[run] = future.result()
            self.view.say(f"{run}: recorded, test error {self.told[run]:.2f} %")
        elif future.status == "error" and not isinstance(error := future.exception(), LockedError):
            self.failed[run] = f"{error} ({folder_of(self.options.runs, run.name, run.seed) / 'log.txt'})"
            self.view.say(f"{run}: failed: {self.failed[run]}")
        elif future.status == "cancelled" and not self.stopping and not self._path(run).exists():
            self.failed[run] = GONE

    def _state(self, run: Run) -> str:
        """How far a run is that is left, and who has it; "" for one that is not begun."""
        locked = self._is_locked(run)
        late = "ended before it had saved" if run in self.under_way else ""  # a worker of ours: nothing else
        states = [str(self._begun(run) or ""), late or ("under way elsewhere" if locked else "")]
        return ", ".join(filter(None, states))

    def _without_record(self, runs: Sequence[Run]) -> list[Run]:
        return [run for run in runs if not self._path(run).exists()]

    def _path(self, run: Run) -> Path:
        return records.path_of(self.options.results, run.name, run.seed)

    def _is_locked(self, run: Run) -> bool:
        return is_locked(folder_of(self.options.runs, run.name, run.seed))

    def _begun(self, run: Run) -> Begun | None:
        with suppress(CheckpointError):  # the worker says what is wrong with it
            return begun(self.options.runs, run.name, run.seed)
        return None

    def _stop_now(self) -> bool:
        return bool(self.signals) or time.monotonic() >= self.stop_at

    @contextmanager
    def _count_signals(self) -> Iterator[None]:
        """Count Ctrl-C and SIGTERM instead of dying of them, where this is the main thread: no other may."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def count(number: int, frame: FrameType | None) -> None:
            self.signals += 1

        previous = {number: signal.signal(number, count) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _processed(client: Client) -> set[str]:
    """The keys of all that the workers work at."""
    processing: Any = client.processing()
    return set().union(*processing.values())
