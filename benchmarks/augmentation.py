"""Images per second of augmentation: a batch at once (resnet_book.augment) beside one image at a time (torchvision).

Both make the same thing of the same images: pad 4, a random 32x32 crop, a flip with probability 0.5, normalisation, a
float32 batch. Both work in this process alone. The two take turns, so that a busy machine slows both. Run it with
``python benchmarks/augmentation.py``; README.md beside it holds what was measured.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import PIL
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torchvision import transforms

from resnet_book import augment, data

Augmentation = Callable[[int, int], Tensor]  # first image and the one after the last -> batch (N, 3, 32, 32) float32


def batches_at_once(images: Tensor, mean: Tensor, std: Tensor) -> Augmentation:
    """Ours: whole batches of uint8 tensors, as training has them."""
    generator = torch.Generator().manual_seed(0)

    def run(begin: int, end: int) -> Tensor:
        batch = augment.apply(images[begin:end], augment.sample(end - begin, generator, padding=4), padding=4)
        return augment.normalise(batch, mean, std)

    return run


def conventional_transform(mean: Tensor, std: Tensor) -> transforms.Compose:
    """torchvision's transforms for one PIL image, to float32 (3, 32, 32); ``mean`` and ``std`` are of 0 to 255."""
    return transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((mean / 255).tolist(), (std / 255).tolist()),
        ]
    )


def one_by_one(images: Tensor, mean: Tensor, std: Tensor) -> Augmentation:
    """The conventional way: torchvision's transforms on one PIL image after the other, then a stack.

    The PIL images are made beforehand, which usual datasets do anew for each image; that time is not counted.
    """
    pictures: list[Any] = [Image.fromarray(image) for image in images.permute(0, 2, 3, 1).contiguous().numpy()]
    transform = conventional_transform(mean, std)

    def run(begin: int, end: int) -> Tensor:
        return torch.stack([transform(picture) for picture in pictures[begin:end]])

    return run


def seconds(run: Augmentation, num_images: int, batch_size: int) -> float:
    """Seconds for one pass over all images in batches."""
    start = time.perf_counter()
    for begin in range(0, num_images, batch_size):
        run(begin, min(begin + batch_size, num_images))
    return time.perf_counter() - start


def compare(ours: Augmentation, theirs: Augmentation, options: argparse.Namespace) -> None:
    """Time both in turns and print a line for each, then their ratio."""
    for run in (ours, theirs):  # warm up
        seconds(run, min(options.images, 2 * options.batch), options.batch)
    timings: dict[str, list[float]] = {"batch at once": [], "one by one": []}
    for _ in range(options.repeats):
        for name, run in zip(timings, (ours, theirs), strict=True):
            timings[name].append(seconds(run, options.images, options.batch))
    for name, measured in timings.items():
        rates = sorted(options.images / value for value in measured)
        print(
            f"  {name:14} {statistics.median(measured) / options.images * 1e6:8.2f} microseconds an image, "
            f"{statistics.median(rates):10,.0f} images/s (median; {rates[0]:,.0f} to {rates[-1]:,.0f})"
        )
    pairs = sorted(theirs / ours for ours, theirs in zip(*timings.values(), strict=True))
    print(f"  ratio {statistics.median(pairs):.1f} (median of {len(pairs)} pairs; {pairs[0]:.1f} to {pairs[-1]:.1f})")


def main(arguments: list[str] | None = None) -> None:
    """Measure with as many threads as torch takes by itself, and with one."""
    parser = argparse.ArgumentParser(description="Time augmentation: batches at once, and torchvision one by one.")
    parser.add_argument("--data", metavar="DIR", help="folder of CIFAR-10 (default: the built-in images)")
    parser.add_argument("--images", type=int, default=2_560, help="images a pass (default 2560)")
    parser.add_argument("--batch", type=int, default=128, help="images a batch (default 128)")
    parser.add_argument("--repeats", type=int, default=21, help="passes of each, in turns (default 21)")
    parser.add_argument("--threads", type=int, nargs="+", help="torch's threads (default: as they are, then 1)")
    options = parser.parse_args(arguments)
    if min(options.images, options.batch, options.repeats, *(options.threads or [1])) < 1:
        parser.error("--images, --batch, --repeats and --threads must be at least 1")

    dataset = data.load("cifar10" if options.data else "builtin", "train", options.data).subset(options.images)
    options.images = len(dataset)  # there may be fewer
    mean, std = augment.channel_mean_std(dataset.images)
    ours, theirs = batches_at_once(dataset.images, mean, std), one_by_one(dataset.images, mean, std)
    print(f"{options.images:,} images of {dataset.name}, batches of {options.batch}, {options.repeats} passes of each")
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"  # not on Windows
    print(
        f"CPU ({platform.machine()}), {os.cpu_count()} cores, load before the start {load}, one process, "
        f"{torch.get_num_threads()} threads by default"
    )
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}, "
        f"Pillow {PIL.__version__}"
    )
    for threads in options.threads or dict.fromkeys([torch.get_num_threads(), 1]):
        torch.set_num_threads(threads)
        print(f"{threads} thread{'s' if threads > 1 else ''}:")
        compare(ours, theirs, options)


if __name__ == "__main__":
    main()
