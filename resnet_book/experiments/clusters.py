"""Make, or join, the Dask cluster that a sweep trains on."""

import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from multiprocessing import resource_tracker
from typing import Any

import torch
from dask import config
from dask.utils import parse_timedelta
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.utils import silence_logging_cmgr

from resnet_book.engine import device
from resnet_book.experiments.run import Options

LOST_WORKERS = 10  # that a run may have had before it is called a failure; elsewhere, the scheduler's settings say
QUIET: Any = logging.CRITICAL  # of dask's messages, from workers that come and go
THREADS_THAT_WAIT_SLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}  # set before a worker starts
# Dask watches the memory of data that it keeps itself; near a job's limit it would give a worker no more runs.
NO_MEMORY_WATCH = {f"DASK_DISTRIBUTED__WORKER__MEMORY__{each}": "False" for each in ("PAUSE", "SPILL", "TERMINATE")}


@contextmanager
def of_this_machine(options: Options, jobs: int | None, runs: int) -> Iterator[Client]:
    """Workers on this machine, one per GPU or else per core, or ``jobs`` that share these; at most one per run."""
    computer, cores = device.find(options.device), _cores()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
    gpus = visible.split(",") if computer.type == "cuda" else []
    gpus = gpus if not gpus or computer.index is None else [gpus[computer.index]]
    places = {"cuda": len(gpus), "mps": 1}.get(computer.type, cores)
    jobs = min(jobs or places, runs)
    common = {"nthreads": 1, "memory_limit": None, "silence_logs": QUIET}
    own = [{"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {} for number in range(jobs)]
    workers = {number: {"cls": Nanny, "options": {**common, "env": env}} for number, env in enumerate(own)}
    dashboard = find_spec("bokeh") is not None
    page = {"dashboard": dashboard, "dashboard_address": f"127.0.0.1:{8787 if dashboard else 0}"}
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", **page}}
    settings = {
        "distributed.nanny.pre-spawn-environ": {**THREADS_THAT_WAIT_SLEEP, "OMP_NUM_THREADS": max(1, cores // jobs)},
        "distributed.scheduler.allowed-failures": LOST_WORKERS,
        "distributed.worker.daemon": False,  # a compiler starts processes
        "distributed.deploy.lost-worker-timeout": "1h",  # a killed worker starts again, on a busy machine slowly
    }
    with config.set(settings), silence_logging_cmgr(QUIET):  # the cluster's own silence ends before its last messages
        with _without_interrupts():
            cluster = SpecCluster(workers=workers, scheduler=scheduler, silence_logs=QUIET)
        with cluster:
            try:
                with Client(cluster, set_as_default=False) as client:
                    yield client
            finally:
                kill(cluster)  # all is saved: no need to wait until they have closed


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start threads and processes that Ctrl-C at the terminal is not for: it is for the sweep alone.

    They inherit what is blocked, unless they start python's resource tracker, which unblocks it. Windows cannot block
    it: there the workers see Ctrl-C, too, and what they have not saved by then is trained again.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    sys.warnoptions.append("ignore:resource_tracker")  # it cleans up what killed workers leave, and would say so
    resource_tracker.ensure_running()
    sys.warnoptions.pop()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def kill(cluster: SpecCluster) -> None:
    """End the workers of this machine at once."""
    for nanny in cluster.workers.values():
        process = nanny.pid
        nanny.close_gracefully()  # it shall not start another
        if process:
            os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows ends it at once by either


@contextmanager
def join(cluster: str, jobs: int, patience: float = math.inf) -> Iterator[Client]:
    """The workers of a scheduler, by its address, or ``jobs`` that are jobs of the batch system of that name.

    ``patience``: seconds that the scheduler has to answer, if fewer than dask gives it.

    Raises ValueError for a batch system that dask-jobqueue does not know, OSError for a scheduler that does not answer.
    """
    made = nullcontext(cluster) if "://" in cluster else _batch_cluster(cluster, jobs)
    limit = min(patience, parse_timedelta(config.get("distributed.comm.timeouts.connect")))
    with (
        silence_logging_cmgr(logging.WARNING),
        made as where,
        Client(where, timeout=limit, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _batch_cluster(name: str, jobs: int) -> Iterator[SpecCluster]:
    """Workers that are jobs of the batch system ``name``, as dask's own configuration describes them."""
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue  # which lets Ctrl-C end this process at once from here on, with nothing saved
    except ImportError:
        raise ValueError(f"--cluster {name}: dask-jobqueue is not installed: `pip install dask-jobqueue`.") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, interrupted)
    kinds = {each.removesuffix("Cluster").lower(): each for each in vars(dask_jobqueue) if each.endswith("Cluster")}
    if name not in kinds:
        known = ", ".join(sorted(kinds))
        raise ValueError(f"--cluster {name}: give the address of a scheduler, tcp://host:8786, or one of {known}.")
    prologue = config.get(f"jobqueue.{name}.job-script-prologue", None) or []
    variables = THREADS_THAT_WAIT_SLEEP | NO_MEMORY_WATCH
    exports = [f"export {variable}={value}" for variable, value in variables.items()]
    with getattr(dask_jobqueue, kinds[name])(job_script_prologue=[*exports, *prologue]) as cluster:
        cluster.adapt(minimum=jobs, maximum=jobs)  # a job that ends is submitted again
        yield cluster


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
