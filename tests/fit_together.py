"""What ``test_processes`` starts under torchrun: the tiny run of ``small_runs``, and what it left, in a file.

``torchrun --nproc-per-node 2 fit_together.py FOLDER ITERATIONS``; process 1 is interrupted after so many, then both go
on.
"""

import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import torch
from small_runs import RECIPE, fit, tiny

from resnet_book.engine import processes
from resnet_book.recipe import History


def main(folder: Path, stop_at: int) -> None:
    """Train, and write history and weights of each process to a file of its own."""
    torch.set_num_threads(1)
    processes.start("cpu")
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
    processes.stop()
    networks = {"after_one_step": after_one_step.state_dict(), "network": network.state_dict()}
    state = {"epochs": [asdict(epoch) for epoch in history.epochs], **networks}
    torch.save(state, folder / f"process{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
