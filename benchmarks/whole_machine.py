"""Time what a whole CPU or GPU trains: one network by itself, or several side by side.

Every way runs in processes of its own, started anew for each pass: threads and the memory allocator are set once a
process. All ways take turns. Run it with ``python benchmarks/whole_machine.py``; README.md holds what was measured.
"""

import argparse
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

from processes import Process, serve

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
STEPS_AT_A_TIME = {"cpu": 1, "cuda": 25}  # between two looks at the clock, for which a GPU is waited for


@dataclass
class Way:
    """One way to keep the machine busy, and the images per second of its passes, all processes together."""

    name: str
    kind: str  # "conventional" or "ours"
    processes: int
    threads: int  # of each process
    kept: bool  # a CPU's memory, instead of giving it back after each step
    precision: str = "float32"
    device: str = "cpu"
    allocator: str = ""  # a library that is loaded in place of glibc's malloc
    passes: list[float] = field(default_factory=list)

    def run(self, options: argparse.Namespace) -> None:
        """Train in all processes at once for about ``options.seconds``, from a common start, and keep the rate."""
        setting = {"OMP_NUM_THREADS": str(self.threads), "OMP_WAIT_POLICY": "PASSIVE"}
        if self.allocator:
            setting["LD_PRELOAD"] = str(Path(self.allocator).resolve())  # a bare name would be looked up elsewhere
        arguments = ["--train", self.kind, "--precision", self.precision, "--device", self.device]
        arguments += ["--model", options.model, "--seconds", str(options.seconds)]
        arguments += ["--data", options.data] if options.data else []
        arguments += ["--give-memory-back"] if not self.kept else []
        arguments += ["--no-compile"] if not options.compile else []
        running = [Process(__file__, *arguments, **setting) for _ in range(self.processes)]
        for process in running:
            process.answer()
        for process in running:
            process.ask()
        self.passes.append(sum(process.answer() for process in running))
        for process in running:
            process.end()


def train(options: argparse.Namespace) -> None:
    """Be one of the processes: get ready, and when asked train and answer with images per second."""
    import torch
    from cost import wait_for_gpu
    from training import RECIPE, conventional, give_memory_back, new_network, ours

    from resnet_book import data
    from resnet_book.engine.device import Engine, can_compile

    if options.give_memory_back:
        give_memory_back()
    images = data.load("cifar10" if options.data else "builtin", "train", options.data)
    recipe, network = RECIPE, new_network(options.model)
    if options.train == "conventional":
        training = conventional(network, images, recipe, torch.device(options.device), workers(options.device))
    else:
        compiled = options.compile and can_compile(options.device)
        training = ours(network, images, recipe, Engine(options.device, options.precision, compiled))
    for _ in range(training.settling):
        training.step()
    wait_for_gpu()

    def images_per_second() -> float:
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < options.seconds:
            for _ in range(STEPS_AT_A_TIME[options.device]):
                training.step()
                steps += 1
            wait_for_gpu()
        return recipe.batch_size * steps / (time.perf_counter() - start)

    serve("ready", images_per_second)


def workers(device: str) -> int:
    """Of the conventional loop's loader."""
    return CORES if device == "cpu" else min(8, max(1, CORES - 1))


def ways_of(options: argparse.Namespace) -> list[Way]:
    """What is compared on ``options.device``."""
    loaders = workers(options.device)
    usual = Way(f"conventional, {loaders} workers", "conventional", 1, loaders, kept=False, device=options.device)
    if options.device == "cuda":
        counts = [1, *(count for count in (2, 4, 8) if count <= CORES)]
        ours = [Way(f"ours, {count} at once", "ours", count, 1, True, "bfloat16", "cuda") for count in counts]
        return [usual, *ours]
    ways = [
        usual,
        Way(f"ours, one of {CORES} threads", "ours", 1, CORES, kept=False),
        Way(f"ours, one of {CORES} threads, memory kept", "ours", 1, CORES, kept=True),
        Way(f"ours, {CORES} of one thread", "ours", CORES, 1, kept=False),
        Way(f"ours, {CORES} of one thread, memory kept", "ours", CORES, 1, kept=True),
    ]
    for path in options.allocator:
        name = f"ours, {CORES} of one thread, {Path(path).name}"
        ways.append(Way(name, "ours", CORES, 1, kept=False, allocator=path))
    if options.bfloat16:
        ways.append(Way(f"ours, bfloat16, {CORES} of one thread, memory kept", "ours", CORES, 1, True, "bfloat16"))
    return ways


def main() -> None:
    """Measure all ways in turns and print images per second of the machine, and ratios to the first way."""
    parser = argparse.ArgumentParser(
        description="Time training on a whole CPU or GPU: one network, or several at once."
    )
    parser.add_argument("--data", metavar="DIR", help="folder of CIFAR-10 (default: the built-in images)")
    parser.add_argument("--model", default="resnet20", metavar="NAME", help="default resnet20")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a pass (default 20)")
    parser.add_argument("--repeats", type=int, default=3, help="passes of each, in turns (default 3)")
    parser.add_argument("--device", choices=STEPS_AT_A_TIME, default="cpu", help="default cpu")
    parser.add_argument(
        "--bfloat16", action="store_true", help="ours in bfloat16 too, on a CPU; on a GPU ours always is"
    )
    parser.add_argument(
        "--allocator", action="append", default=[], metavar="FILE", help="ours with this malloc too, on a CPU (Linux)"
    )
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="ours (default: yes)")
    parser.add_argument("--train", choices=("conventional", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--give-memory-back", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="float32", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.repeats < 1 or options.seconds <= 0:
        parser.error("--repeats must be at least 1, --seconds above 0")
    if missing := [path for path in options.allocator if not Path(path).is_file()]:
        parser.error(f"--allocator: there is no file {missing[0]}")
    if options.train:
        return train(options)
    ways = ways_of(options)
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(
        f"{options.model} on {options.device}, {CORES} cores, load before the start {load}; images/s of all processes",
        flush=True,
    )
    for _ in range(options.repeats):
        for way in ways:
            way.run(options)
    for way in ways:
        ratios = sorted(own / first for own, first in zip(way.passes, ways[0].passes, strict=True))
        rate = f"{statistics.median(way.passes):,.0f} ({min(way.passes):,.0f} to {max(way.passes):,.0f})"
        print(f"  {way.name:50} {rate:22} ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    return None


if __name__ == "__main__":
    main()
