"""Train the runs that have no record, each in a process of its own, several at a time.

A run that fails, or is killed, stops no other. Stopped by its budget or by Ctrl-C, the queue lets its runs save, and
the next queue goes on from there. Two queues on the same folders share the work: a lock tells what is under way.
"""

import math
import os
import re
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from types import FrameType

from resnet_book import data
from resnet_book.experiments import catalogue, records
from resnet_book.experiments.child import INTERRUPTED, Child, Run
from resnet_book.experiments.queue_view import View, clock, run_line, steps
from resnet_book.experiments.run import EXIT_LOCKED, Options, folder_of, is_locked

DEPTH_TABLE_RUNS = tuple(f"{kind}{depth}-cifar10" for depth in (20, 56, 32, 44, 110) for kind in ("plain", "resnet"))
WIDE_RUNS = (
    *(f"{kind}{depth}-cifar10" for depth in (18, 34) for kind in ("resnet", "plain")),
    *(f"{kind}{depth}-cifar100" for depth in (18, 34) for kind in ("resnet", "plain")),
    *(
        f"{kind}{depth}-{dataset}"
        for dataset in ("cifar10", "cifar100")
        for depth in (10, 50)
        for kind in ("resnet", "plain")
    ),
    "resnet18-cifar10-projection",
)
FIRST, FURTHER, EVERY = slice(0, 1), slice(1, None), slice(None)  # which of the wanted seeds

# What to train first: names, or patterns of names, and for which seeds. Within a line, a whole seed before the next.
PRIORITY: tuple[tuple[tuple[str, ...], slice], ...] = (
    (DEPTH_TABLE_RUNS, FIRST),
    (DEPTH_TABLE_RUNS, FURTHER),
    (WIDE_RUNS, FIRST),
    (("*-validation",), FIRST),
    (("*-edge",), EVERY),
    (("*-float32",), EVERY),
    (tuple(f"{kind}{depth}-cifar10-16k" for depth in (56, 20) for kind in ("plain", "resnet")), EVERY),
    (("*20-cifar10-8k", "*56-cifar10-8k"), EVERY),
    (("*20-cifar10-4k", "*56-cifar10-4k"), EVERY),
    (("*-short", "*-short-*"), EVERY),
    (tuple(f"*{depth}-cifar10-{name}" for name in ("8k", "4k", "16k") for depth in (32, 44)), EVERY),
    (("resnet20-cifar10-no-*", "resnet110-cifar10-no-warmup"), EVERY),
    (("*-smoke",), EVERY),
    (WIDE_RUNS, FURTHER),
    (("*-validation",), FURTHER),
    (("resnet1202-cifar10",), EVERY),
)
# Recipes made for machines without a GPU.
WITHOUT_GPU = ("short", "short-bfloat16", *catalogue.LADDER, "smoke", *catalogue.ABLATIONS)

TICK_SECONDS = 0.2  # between two looks at the processes
START_SECONDS = 5.0  # from the start of a process to its first step, until one was measured
SAVE_SECONDS = 30.0  # before the end of a budget, for saving, after a test under way; of a short budget, a quarter
KILL_SECONDS = 2.0  # before the end of a budget, for ending what is left; of a short budget, an eighth
PATIENCE_SECONDS = 60.0  # after Ctrl-C, for saving, with a compilation under way


def matching(patterns: Iterable[str]) -> list[str]:
    """Names of the experiments that match, in the order of the patterns ("*-short", or just a name).

    Raises ValueError for a pattern that matches none.
    """
    found = dict[str, None]()
    for pattern in patterns:
        names = [name for name in catalogue.EXPERIMENTS if fnmatchcase(name, pattern)]
        if not names and not re.search(r"[*?[]", pattern):
            catalogue.get(pattern)  # its message names what is near
        if not names:
            raise ValueError(f"pattern {pattern!r} matches no experiment: `resnet-book list` shows all.")
        found |= dict.fromkeys(names)
    return list(found)


def without_gpu(names: Iterable[str]) -> list[str]:
    """Those of ``names`` whose recipe is made for machines without a GPU."""
    return [name for name in names if catalogue.get(name).recipe_name in WITHOUT_GPU]


def in_order(names: Iterable[str], seeds: Sequence[int]) -> list[Run]:
    """Every experiment of ``names`` with every seed, in the order of ``PRIORITY``; what has no place there is last."""
    wanted, ordered = list(names), dict[Run, None]()
    for patterns, which in PRIORITY:
        stage = [name for name in matching(patterns) if name in wanted]
        ordered |= {Run(name, seed): None for seed in seeds[which] for name in stage}
    return list(ordered | {Run(name, seed): None for seed in seeds for name in wanted})


class Queue:
    """Trains ``waiting`` runs, ``jobs`` at a time, until all had their turn, the budget is spent, or Ctrl-C.

    ``budget``: seconds, counted from ``began`` (``time.monotonic``, default now). After ``work``, ``recorded`` holds
    the test error (%) of each run that this queue recorded, ``failed`` why a run failed, ``left`` the others.
    """

    def __init__(
        self,
        waiting: Sequence[Run],
        options: Options,
        *,
        jobs: int = 1,
        budget: float = math.inf,
        began: float | None = None,
        quiet: bool = False,
    ) -> None:
        self.waiting, self.options, self.jobs, self.view = list(waiting), options, jobs, View(quiet)
        self.children, self.stopped = list[Child](), list[Run]()
        self.recorded, self.failed = dict[Run, float](), dict[Run, str]()
        self.end = budget + (time.monotonic() if began is None else began)
        self.stop_at = self.end - min(SAVE_SECONDS, budget / 4)
        self.kill_at = self.end - min(KILL_SECONDS, budget / 8)
        self.start_seconds = START_SECONDS
        self.signals = 0  # received: SIGINT and SIGTERM
        self.stopping = False
        self.begun = {run: run.progress(options.runs) for run in waiting}

    def work(self) -> int:
        """Work through the runs; returns the exit status: 0, 1 if a run failed, 130 if interrupted."""
        with self._count_signals():
            self._drop_without_data()
            try:
                while self._step():
                    self.view.show(self._lines())
                    time.sleep(TICK_SECONDS)
            finally:
                for child in self.children:
                    child.kill()
                for child in self.children:
                    child.wait(self.end)
                self.view.clear()
        return 130 if self.signals else 1 if self.failed else 0

    def left(self) -> list[tuple[Run, str]]:
        """The runs that are neither recorded nor failed, with how far they are: "" for one that is not begun."""
        states = []
        for run in [*self.stopped, *(child.run for child in self.children), *self.waiting]:
            if records.path_of(self.options.results, run.name, run.seed).exists():  # by another queue
                continue
            progress = run.progress(self.options.runs)
            elsewhere = is_locked(folder_of(self.options.runs, run.name, run.seed))
            parts = [*([steps(progress)] if progress else []), *(["under way elsewhere"] if elsewhere else [])]
            states.append((run, ", ".join(parts)))
        return states

    def _drop_without_data(self) -> None:
        """Let the runs whose data is not there fail at once, and not each in a process."""
        for dataset in {catalogue.get(run.name).dataset for run in self.waiting}:
            try:
                data.load(dataset, "test", self.options.data_root)
            except (OSError, RuntimeError, ValueError) as error:
                without = [run for run in self.waiting if catalogue.get(run.name).dataset == dataset]
                self.waiting = [run for run in self.waiting if run not in without]
                self.failed |= dict.fromkeys(without, str(error))

    def _step(self) -> bool:
        """See what became of the processes, stop or start some; False when none is left."""
        for child in list(self.children):
            if child.look():
                self.start_seconds = child.seconds_to_start or self.start_seconds
            else:
                self.children.remove(child)
                self._finish(child)
        now = time.monotonic()
        if not self.stopping and (self.signals or now >= self.stop_at):
            self.stopping = True
            self.kill_at = min(self.kill_at, now + PATIENCE_SECONDS)
            for child in self.children:
                child.interrupt()
        if self.signals > 1 or now >= self.kill_at:
            for child in self.children:
                child.kill()
        if not self.stopping and now + 2 * self.start_seconds < self.stop_at:
            self._start_more()
        return bool(self.children) and now < self.end

    def _start_more(self) -> None:
        for run in list(self.waiting):
            if len(self.children) >= self.jobs:
                return
            if records.path_of(self.options.results, run.name, run.seed).exists():  # another queue was faster
                self.waiting.remove(run)
            elif not is_locked(folder_of(self.options.runs, run.name, run.seed)):
                self.waiting.remove(run)
                try:
                    self.children.append(Child(run, self.options, max(1, _cores() // self.jobs)))
                except OSError as error:
                    self.failed[run] = str(error)
                else:
                    self.view.begin(f"{run}: starting")

    def _finish(self, child: Child) -> None:
        """Note what became of the run of a process that has ended."""
        run, status = child.run, child.process.returncode
        path = records.path_of(self.options.results, run.name, run.seed)
        if path.exists() and status != EXIT_LOCKED:
            self.recorded[run] = records.load_record(path).test_error
            self.view.say(f"{run}: recorded, test error {self.recorded[run]:.2f} %")
        elif status == EXIT_LOCKED:  # another queue was faster
            self.waiting.insert(0, run)
        elif child.stopped or status in INTERRUPTED:
            self.stopped.append(run)
            progress = run.progress(self.options.runs)
            self.view.say(f"{run}: stopped at {steps(progress) if progress else 'its start'}")
        else:
            self.failed[run] = f"{child.last_words()} ({child.log})"
            self.view.say(f"{run}: failed: {self.failed[run]}")

    def _lines(self) -> list[str]:
        """A line a process, and one on the whole."""
        parts = [f"{len(self.children)} under way, {len(self.waiting)} waiting, {len(self.recorded)} recorded"]
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if (seconds := self._seconds_left()) is not None:
            parts.append(f"about {clock(seconds)} left")
        if self.end < math.inf:
            parts.append(f"the budget ends in {clock(max(0, self.end - time.monotonic()))}")
        return [*(run_line(child) for child in self.children), ", ".join(parts)]

    def _seconds_left(self) -> float | None:
        """An estimate of the time that all runs take from here: that of their arithmetic, at the speed of now."""
        known = [
            (each.run, each.progress) for each in self.children if each.progress and each.progress.images_per_second
        ]
        if not known:
            return None
        speed = sum(run.effort_an_image * progress.images_per_second for run, progress in known)
        speed *= len(self.children) / len(known)  # the others will soon be as fast
        under_way = [(child.run, child.progress or child.before) for child in self.children]
        to_do = [*under_way, *((run, self.begun[run]) for run in self.waiting)]
        effort = sum(run.effort_an_image * run.images_left(progress) for run, progress in to_do)
        longest = max(run.images_left(progress) / progress.images_per_second for run, progress in known)
        return max(effort / speed, longest)

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


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
