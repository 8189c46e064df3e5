"""Count what a training step costs, and measure what a device can do.

Operations and bytes are those of ``resnet_book.analysis.ledger``. Together they give a floor, in the manner of the
roofline model (Williams et al. 2009, doi 10.1145/1498765.1498785): a step takes at least as long as its operations at
the device's rate, and at least as long as its bytes at the device's bandwidth.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from resnet_book.analysis import ledger
from resnet_book.engine.device import kernels

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Cost:
    """What one step asks of a device."""

    operations: dict[str, int]  # floating-point, of each kind of convolution and matrix product; one multiply-add is 2
    moved: int  # bytes that all operations read and write, each on its own
    moved_by_products: int  # bytes of the convolutions and matrix products alone: all else fused into them

    @property
    def flops(self) -> int:
        """Floating-point operations of all convolutions and matrix products."""
        return sum(self.operations.values())


@dataclass(frozen=True)
class Device:
    """What a device was seen to do, at its best: a large matrix product, a convolution, and a large copy."""

    matrix_product: dict[str, float]  # precision -> operations a second
    convolution: dict[str, float]
    bytes_per_second: float  # read and written, together

    def flops_per_second(self, precision: str) -> float:
        """Operations, by whichever of the two does more."""
        return max(self.matrix_product[precision], self.convolution[precision])

    def floor(self, cost: Cost, precision: str) -> float:
        """Seconds below which a step of ``cost`` could go only with a better algorithm or with the help of caches."""
        return max(cost.flops / self.flops_per_second(precision), cost.moved_by_products / self.bytes_per_second)


def count(step: Callable[[], object]) -> Cost:
    """Run ``step`` once, eagerly, and count."""
    made = ledger.calls(step)
    operations = Counter[str]()
    for call in made:
        operations[call.name] += call.operations if call.product else 0
    by_products = sum(call.moved for call in made if call.product)
    return Cost(dict(+operations), sum(call.moved for call in made), by_products)


def measure_device(device: torch.device, precisions: Iterable[str], repeats: int = 7) -> Device:
    """The best rates of several tries, for products and convolutions in each of ``precisions``.

    Sizes are such that a GPU is busy, and that no cache holds the copy. The convolution is that of ResNet-20's last
    stage, on a CPU with a batch of the recipe.
    """
    size, copied = (8_192, 2**30) if device.type == "cuda" else (2_048, 2**28)  # rows and columns; bytes
    num_images = 16_384 if device.type == "cuda" else 128  # images
    products, convolutions = {}, {}
    for precision in precisions:
        dtype = DTYPES[precision]
        matrix = torch.randn(size, size, device=device, dtype=dtype)
        product = torch.empty_like(matrix)
        shapes = (num_images, 64, 8, 8), (64, 64, 3, 3)
        maps, weights = (torch.randn(each, device=device, dtype=dtype) for each in shapes)
        maps, weights = (each.contiguous(memory_format=torch.channels_last) for each in (maps, weights))
        with kernels(device, precision):
            seconds = _best_seconds(lambda a=matrix, out=product: torch.mm(a, a, out=out), repeats)
            products[precision] = 2 * size**3 / seconds
            seconds = _best_seconds(lambda a=maps, b=weights: F.conv2d(a, b, padding=1), repeats)
            convolutions[precision] = 2 * 9 * 64 * maps.numel() / seconds
    source = torch.zeros(copied // 4, device=device)
    target = torch.zeros_like(source)
    bandwidth = 2 * copied / _best_seconds(lambda: target.copy_(source), repeats)
    return Device(products, convolutions, bandwidth)


def _best_seconds(run: Callable[[], object], repeats: int) -> float:
    run()  # warm up
    best = math.inf
    for _ in range(repeats):
        wait_for_gpu()
        start = time.perf_counter()
        run()
        wait_for_gpu()
        best = min(best, time.perf_counter() - start)
    return best


def wait_for_gpu() -> None:
    """Return when the GPU has done all that it was asked for; at once where none is used."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
