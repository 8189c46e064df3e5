"""What ``test_processes`` starts under torchrun: the tiny run of ``small_runs``, and what it left, in a file.

``torchrun --nproc-per-node 2 fit_together.py FOLDER ITERATIONS``; process 1 is interrupted after so many, then both go
on. Before, both are the command line, which records such a run.
"""

import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from small_runs import NAME, RECIPE, add_tiny_experiment, fit, tiny

from resnet_book.cli.main import main
from resnet_book.engine import processes
from resnet_book.recipe import History


def fit_all(folder: Path, stop_at: int) -> None:
    """Train, and write history and weights of each process to a file of its own."""
    rank = processes.rank()

    def interrupt(iteration: int, _: History) -> None:
        if iteration == stop_at and rank == 1:
            signal.raise_signal(signal.SIGINT)

    after_one_step, interrupted, network = tiny(), tiny(), tiny()
    fit(after_one_step, recipe=replace(RECIPE, iterations=1))
    path = folder / "checkpoint"
    with suppress(KeyboardInterrupt):
        fit(interrupted, recipe=RECIPE, checkpoint=path, on_step=interrupt)
        raise RuntimeError("process 1 was to be interrupted")
    if rank == 0:
        shutil.copy(path, folder / "stopped")
    history = fit(network, recipe=RECIPE, checkpoint=path)
    networks = {"after_one_step": after_one_step.state_dict(), "network": network.state_dict()}
    state = {"epochs": [asdict(epoch) for epoch in history.epochs], **networks}
    torch.save(state, folder / f"process{rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        add_tiny_experiment(patch)
        patch.setattr(processes, "stop", lambda: None)  # what the command line began serves the other runs, too
        folders = ["--results", f"{sys.argv[1]}/results", "--runs", f"{sys.argv[1]}/runs"]
        assert main(["run", NAME, "--device", "cpu", "--quiet", *folders]) == 0
    fit_all(Path(sys.argv[1]), int(sys.argv[2]))
    processes.stop()
