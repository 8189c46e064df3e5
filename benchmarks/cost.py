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

from resnet_book.analysis import ledger

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
    """What a device was seen to do, at its best: a large matrix product and a large copy."""

    flops_per_second: dict[str, float]  # precision -> operations
    bytes_per_second: float  # read and written, together

    def floor(self, cost: Cost, precision: str) -> float:
        """Seconds below which a step of ``cost`` could go only with a better algorithm or with the help of caches."""
        return max(cost.flops / self.flops_per_second[precision], cost.moved_by_products / self.bytes_per_second)


def count(step: Callable[[], object]) -> Cost:
    """Run ``step`` once, eagerly, and count."""
    made = ledger.calls(step)
    operations = Counter[str]()
    for call in made:
        operations[call.name] += call.operations if call.product else 0
    by_products = sum(call.moved for call in made if call.product)
    return Cost(dict(+operations), sum(call.moved for call in made), by_products)


def measure_device(device: torch.device, precisions: Iterable[str], repeats: int = 7) -> Device:
    """The best rates of several tries, for matrix products in each of ``precisions``.

    Sizes are such that a GPU is busy, and that no cache holds the copy.
    """
    size, copied = (8_192, 2**30) if device.type == "cuda" else (2_048, 2**28)  # rows and columns; bytes
    rates = {}
    for precision in precisions:
        matrix = torch.randn(size, size, device=device, dtype=DTYPES[precision])
        product = torch.empty_like(matrix)
        rates[precision] = 2 * size**3 / _best_seconds(lambda a=matrix, out=product: torch.mm(a, a, out=out), repeats)
    source = torch.zeros(copied // 4, device=device)
    target = torch.zeros_like(source)
    return Device(rates, 2 * copied / _best_seconds(lambda: target.copy_(source), repeats))


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
