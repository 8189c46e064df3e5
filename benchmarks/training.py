"""Time training: resnet_book's step beside the conventional one, and beside what the device allows.

Both train the same network on the same images and device, with the same augmentation and hyper-parameters. The
conventional way is the one of most scripts: PIL images augmented one by one in worker processes, float32, eager, and
two numbers fetched from the device in every step. Ours is the step that ``resnet_book.train.fit`` takes. Each way has
a process of its own, since what one sets, as the memory allocator, would reach the others; all take turns, so that a
busy machine slows all. Run it with ``python benchmarks/training.py``; README.md holds what was measured.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from augmentation import conventional_transform
from cost import Cost, Device, count, measure_device, wait_for_gpu
from PIL import Image
from processes import Process, serve
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

from resnet_book import augment, data, models, train
from resnet_book.engine import device as devices
from resnet_book.engine import machine
from resnet_book.engine.device import PRECISIONS, Engine, can_compile
from resnet_book.recipe import Recipe
from resnet_book.state import Training

SETTLING = 4  # steps before a pass is timed, and at least twice what the loader's workers have ready
ENDLESS = 10**6  # steps: more than are ever taken
RECIPE = Recipe(iterations=ENDLESS, drops=())


@dataclass
class Way:
    """One way to train, in a process of its own, and what it took."""

    name: str
    arguments: tuple[str, ...]  # of the process
    precision: str = "float32"
    first_step: float = 0.0  # seconds, with all that was made ready for it
    steps: int = 0  # of a pass
    passes: list[float] = field(default_factory=list)  # seconds a step, of each pass


@dataclass
class Trainer:
    """A network that is ready to take steps."""

    step: Callable[[], None]
    first_step: float  # as in ``Way``
    settling: int = SETTLING
    steps: int = 0  # of a pass; 0: not chosen yet

    def run(self, seconds: float) -> tuple[int, float]:
        """Take steps for about ``seconds``, when all has settled: how many, always as many, and the seconds of one."""
        for _ in range(self.settling):
            self.step()
        if not self.steps:
            self.steps = max(2, round(seconds / self._time(2)))
        return self.steps, self._time(self.steps)

    def _time(self, steps: int) -> float:
        wait_for_gpu()
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        wait_for_gpu()
        return (time.perf_counter() - start) / steps


class Pictures(Dataset):
    """PIL images that are augmented one by one when asked for, as torchvision's CIFAR10 does it."""

    def __init__(self, images: data.ImageSet, mean: Tensor, std: Tensor) -> None:
        self.arrays = images.images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = images.labels.tolist()
        self.transform = conventional_transform(mean, std)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


def conventional(
    network: nn.Module, images: data.ImageSet, recipe: Recipe, device: torch.device, workers: int
) -> Trainer:
    """Training as most scripts have it.

    The loader shuffles without end, so that no pass begins with batches that were made while nobody looked, nor ends
    with idle workers. Their start belongs to the first step.
    """
    start = time.perf_counter()
    torch.backends.cudnn.benchmark = True
    dataset = Pictures(images, *augment.channel_mean_std(images.images))
    loader = DataLoader(
        dataset,
        batch_size=recipe.batch_size,
        sampler=RandomSampler(dataset, num_samples=ENDLESS * recipe.batch_size),
        num_workers=workers,
        pin_memory=device.type == "cuda",
        drop_last=True,
    )
    batches = iter(loader)
    network = network.to(device).train()
    optimizer = torch.optim.SGD(
        network.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    measured = {"loss": 0.0, "right": 0.0}

    def step() -> None:
        batch, labels = next(batches)
        batch, labels = batch.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        optimizer.zero_grad()
        scores = network(batch)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
        measured["loss"] += loss.item()
        measured["right"] += (scores.argmax(dim=1) == labels).sum().item()

    step()
    wait_for_gpu()
    return Trainer(step, time.perf_counter() - start, max(SETTLING, 2 * 2 * workers))


def ours(network: nn.Module, images: data.ImageSet, recipe: Recipe, engine: Engine) -> Trainer:
    """The step of ``train.fit``, which a test holds to it: its parts, without callbacks and the tests between epochs.

    The first step includes compilation, and on a GPU the recording of a CUDA graph.
    """
    training = Training(network.train(), {"train": images}, recipe, 0, engine)
    plans = endless_plans(training)
    start = time.perf_counter()
    with engine.computing():  # kernels are chosen now, when the graph is recorded; without a GPU there is no choice
        take = train.make_step(training)

    def step() -> None:
        training.learning_rate.fill_(recipe.learning_rate_at(training.iteration))
        take(next(plans))
        training.iteration += 1

    step()
    wait_for_gpu()
    return Trainer(step, time.perf_counter() - start)


def give_memory_back() -> None:
    """From here on training on a CPU leaves glibc as it is, in place of letting this process keep its memory."""
    devices.keep_memory = lambda: None


def endless_plans(training: Training) -> Iterator[Tensor]:
    """The plans of one epoch after the other, each ended as ``fit`` does it, but for the tests."""
    while True:
        yield from training.plans()
        training.check_finite()
        training.finish_epoch({"test_loss": 0.0, "test_error": 0.0})


def count_step(network: nn.Module, images: data.ImageSet, recipe: Recipe, precision: str) -> Cost:
    """The cost of our eager step. It is counted on the CPU, whose operations are the same."""
    trainer = ours(network, images, recipe, Engine("cpu", precision))
    return count(trainer.step)  # the second step: the first has no momentum yet


def default_variants(device: torch.device) -> list[tuple[str, bool]]:
    """Precisions, each with whether to compile."""
    variants = [("float32", False), ("float32", True), ("bfloat16", True)]
    return [*variants, ("bfloat16", False)] if device.type == "cuda" else variants


def chosen_variants(options: argparse.Namespace) -> list[tuple[str, bool]]:
    """The variants of ours that were asked for and can be run."""
    variants = default_variants(options.device)
    if options.precision or options.compile is not None:
        precisions = options.precision or dict.fromkeys(precision for precision, _ in variants)
        variants = list(product(precisions, [options.compile] if options.compile is not None else [False, True]))
    if any(compiled for _, compiled in variants) and not can_compile(options.device):
        print("Nothing is compiled: this machine lacks a compiler or Python's headers.")
        variants = [variant for variant in variants if not variant[1]]
    return variants


def ways_of(options: argparse.Namespace) -> list[Way]:
    """What is compared: the conventional way first. On a CPU the first of ours is also run without kept memory."""
    loaders = f"{options.workers} worker{'' if options.workers == 1 else 's'}"
    ways = [Way(f"conventional, {loaders}", ("conventional",))]
    for precision, compiled in chosen_variants(options):
        name = f"ours, {precision}, {'compiled' if compiled else 'eager'}"
        arguments = ("ours", "--precision", precision, "--compile" if compiled else "--no-compile")
        if options.device.type == "cpu" and len(ways) == 1:
            ways.append(Way(f"{name}, memory given back", (*arguments, "--give-memory-back"), precision))
        ways.append(Way(name, arguments, precision))
    return ways


def measure(ways: list[Way], options: argparse.Namespace) -> None:
    """Let all ways train in turns, each in a process that lives as long as there are passes."""
    common = ["--model", options.model, "--device", str(options.device), "--seconds", str(options.seconds)]
    common += ["--workers", str(options.workers)]
    common += ["--data", options.data] if options.data else []
    common += ["--threads", str(options.threads)] if options.threads else []
    running = []
    for way in ways:
        running.append(Process(__file__, *common, "--train", *way.arguments))
        way.first_step = running[-1].answer()  # before the next one starts
    for _ in range(options.repeats):
        for way, process in zip(ways, running, strict=True):
            process.ask()
            way.steps, seconds = process.answer()
            way.passes.append(seconds)
    for process in running:
        process.end()


def train_here(options: argparse.Namespace) -> None:
    """Be one of the processes: train in the way that ``options`` describe."""
    if options.give_memory_back:
        give_memory_back()
    images = data.load("cifar10" if options.data else "builtin", "train", options.data)
    if options.train == "conventional":
        trainer = conventional(new_network(options.model), images, RECIPE, options.device, options.workers)
    else:
        engine = Engine(options.device, options.precision[0], options.compile)
        trainer = ours(new_network(options.model), images, RECIPE, engine)
    serve(trainer.first_step, lambda: trainer.run(options.seconds))


def new_network(name: str) -> models.Network:
    """The network of that name, with the same weights in every way."""
    return models.MODELS[name](generator=torch.Generator().manual_seed(0))


def print_ways(ways: list[Way], batch_size: int) -> None:
    """Print a line for each way: images a second, milliseconds a step, and how many times as fast as the first way."""
    reference = ways[0]
    for way in ways:
        rates = sorted(batch_size / seconds for seconds in way.passes)
        print(
            f"  {way.name:40} {statistics.median(rates):9,.0f} images/s (median; {rates[0]:,.0f} to {rates[-1]:,.0f}), "
            f"{1000 * statistics.median(way.passes):.2f} ms a step, {way.steps:,} steps a pass; "
            f"first step {way.first_step:.1f} s"
        )
        if way is not reference:
            pairs = sorted(theirs / own for theirs, own in zip(reference.passes, way.passes, strict=True))
            spread = f"median of {len(pairs)} pairs; {pairs[0]:.2f} to {pairs[-1]:.2f}"
            print(f"  {'':40} ratio {statistics.median(pairs):.2f} ({spread})")


def print_tests(
    network: nn.Module, images: data.ImageSet, precisions: Iterable[str], device: torch.device, repeats: int
) -> None:
    """Print images a second of the tests between epochs, as ``train.fit`` makes them."""
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = replace(images, images=images.images.to(device), labels=images.labels.to(device))
    mean, std = ((128.0,) * 3, (64.0,) * 3)
    for precision in precisions:
        rates = []
        for _ in range(repeats + 1):
            wait_for_gpu()
            start = time.perf_counter()
            batch_size = train.TEST_BATCH[device.type]
            train.evaluate(network, images, mean, std, device=device, precision=precision, batch_size=batch_size)
            rates.append(len(images) / (time.perf_counter() - start))
        rates = sorted(rates[1:])  # the first one chose its kernels
        name = f"test between epochs, {precision}"
        print(f"  {name:28} {statistics.median(rates):,.0f} images/s (median; {rates[0]:,.0f} to {rates[-1]:,.0f})")


def print_limits(ways: list[Way], costs: dict[str, Cost], device: Device) -> None:
    """Print what a step costs in each precision, what the device does at best, how far each way is from the floor."""
    for precision, cost in costs.items():
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in cost.operations.items())
        print(f"A step in {precision}: {cost.flops:,} floating-point operations ({kinds})")
        print(
            f"  {cost.moved / 1e9:.2f} GB moved if each operation reads and writes its own; "
            f"{cost.moved_by_products / 1e9:.2f} GB by convolutions and matrix products alone"
        )
    for name, found in {"matrix product": device.matrix_product, "convolution": device.convolution}.items():
        rates = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s {precision}" for precision, rate in found.items())
        print(f"The device at its best: {name} {rates}")
    print(f"The device at its best: copy {device.bytes_per_second / 1e9:,.0f} GB/s")
    for precision, cost in costs.items():
        compute, memory, eager = (
            1000 * amount / rate
            for amount, rate in (
                (cost.flops, device.flops_per_second(precision)),
                (cost.moved_by_products, device.bytes_per_second),
                (cost.moved, device.bytes_per_second),
            )
        )
        print(
            f"floor {precision}: {1000 * device.floor(cost, precision):.2f} ms a step (operations {compute:.2f}, bytes "
            f"{memory:.2f}); to move what the eager step moves would take {eager:.2f} ms"
        )
    for way in ways:
        times = statistics.median(way.passes) / device.floor(costs[way.precision], way.precision)
        print(f"  {way.name:40} takes {times:.2f} times its floor")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time training: ours, the conventional way, and the device's limit.")
    parser.add_argument("--data", metavar="DIR", help="folder of CIFAR-10 (default: the built-in images)")
    parser.add_argument("--model", choices=models.MODELS, default="resnet20", metavar="NAME", help="default resnet20")
    parser.add_argument("--seconds", type=float, default=4.0, help="that a pass takes, about (default 4)")
    parser.add_argument("--repeats", type=int, default=7, help="passes of each, in turns (default 7)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")
    parser.add_argument("--threads", type=int, help="torch's threads (default: as they are)")
    parser.add_argument("--workers", type=int, help="of the loader (default: 2; with a GPU, cores - 1 up to 8)")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, help="of ours (default: a selection)")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, help="ours (default: a selection)")
    parser.add_argument("--train", choices=("conventional", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--give-memory-back", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if min(options.repeats, options.threads or 1) < 1 or (options.workers or 0) < 0 or options.seconds <= 0:
        parser.error("--repeats and --threads must be at least 1, --workers at least 0, --seconds above 0")
    options.device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if options.workers is None:
        options.workers = min(8, max(1, (os.cpu_count() or 1) - 1)) if options.device.type == "cuda" else 2
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure all ways in turns, then the device, and print both."""
    options = parse(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.train:
        return train_here(options)
    device = options.device
    images = data.load("cifar10" if options.data else "builtin", "train", options.data)
    print(
        f"{options.model}, batches of {RECIPE.batch_size} of {len(images):,} images ({images.name}), "
        f"{options.repeats} passes of about {options.seconds:g} s of each way, in turns"
    )
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"  # not on Windows
    where = machine.describe(device, precision="", compiled=False)
    threads = "" if where["threads"] is None else f", threads: {where['threads']}"
    print(f"{where['device']}{threads} ({platform.machine()}), {os.cpu_count()} cores, load before the start {load}")
    versions = f"torch {where['torch']}, CUDA {where['cuda']}, torchvision {torchvision.__version__}"
    print(f"Python {where['python']}, {versions}", flush=True)

    ways = ways_of(options)
    measure(ways, options)
    print_ways(ways, RECIPE.batch_size)
    precisions = dict.fromkeys(way.precision for way in ways)
    test = data.load(images.name, "test", options.data)
    print_tests(new_network(options.model), test, precisions, device, options.repeats)
    costs = {each: count_step(new_network(options.model), images, RECIPE, each) for each in precisions}
    print_limits(ways, costs, measure_device(device, precisions))
    return None


if __name__ == "__main__":
    main()
