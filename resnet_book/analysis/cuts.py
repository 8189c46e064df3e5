"""Say what to cut: what a cut is, and which of them a study makes.

``cutting`` makes them on a network.
"""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from resnet_book.analysis import cutting, diagnostics
from resnet_book.engine.checks import one_of, real
from resnet_book.models import Network, ResidualBlock


@dataclass(frozen=True)
class Cut:
    """What to do to a network: one of ``KINDS``, to which blocks. Raises ValueError where they do not fit."""

    kind: str
    blocks: tuple[int, ...] = ()
    factor: float = 1.0  # of "scale" alone, which has all blocks

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        blocks = cutting.block_numbers(self.blocks)
        object.__setattr__(self, "blocks", blocks)  # the dataclass is frozen
        takes = TAKES.get(self.kind, len(blocks))
        if len(blocks) != takes:
            raise ValueError(f"blocks={blocks!r}: {self.kind!r} takes {takes} block{'s' * (takes != 1)}")
        if real("factor", self.factor, 0) != 1 and self.kind != "scale":
            raise ValueError(f"factor={self.factor!r}: {self.kind!r} takes none; leave it out")

    @property
    def removed(self) -> int:
        """How many blocks it leaves out."""
        return len(self.blocks) * (self.kind == "leave out")

    def made(self, network: Network) -> Network:
        """The network with this cut."""
        return KINDS[self.kind](network, self)


KINDS: dict[str, Callable[[Network, Cut], Network]] = {
    "nothing": lambda network, cut: deepcopy(network),
    "leave out": lambda network, cut: cutting.leave_out(network, cut.blocks),
    "swap": lambda network, cut: cutting.swap(network, (cut.blocks[0], cut.blocks[1])),
    "close shortcut": lambda network, cut: cutting.close_shortcut(network, cut.blocks[0]),
    "scale": lambda network, cut: cutting.scale_branches(network, cut.factor),
}
TAKES = {"nothing": 0, "swap": 2, "close shortcut": 1, "scale": 0}  # blocks; "leave out": any number of them
COUNTS = (2, 4, 6, 8, 12, 16)  # of blocks that are left out together
CHOICES = 5  # different ones at random, for each of these counts
SWAPS = 10  # at most, at random
FACTORS = (0.0, 0.25, 0.5, 0.75, 1.25, 1.5)


def all_cuts(network: Network) -> list[Cut]:
    """The cuts of a study: nothing; each block; several at random; swaps; and of a residual network, its shortcuts.

    The random ones are the same for every network of as many blocks, so that twins are cut alike.
    """
    numbers = range(1, cutting.count_blocks(network) + 1)
    there, pairs = cutting.keeping_shape(network), cutting.possible_swaps(network)
    counts = [count for count in COUNTS if count < len(there)]
    seeds = range(4 * CHOICES)
    drawn = [dict.fromkeys(cutting.choose_blocks(network, count, seed) for seed in seeds) for count in counts]
    together = [blocks for different in drawn for blocks in list(different)[:CHOICES]]
    swapped = sorted(random.Random(0).sample(pairs, min(SWAPS, len(pairs))))
    residual = all(isinstance(block, ResidualBlock) for _, block in diagnostics.blocks(network))
    return [
        Cut("nothing"),
        *(Cut("leave out", (number,)) for number in numbers),
        *(Cut("leave out", blocks) for blocks in together),
        *(Cut("swap", pair) for pair in swapped),
        *(Cut("close shortcut", (number,)) for number in numbers if residual),
        *(Cut("scale", factor=factor) for factor in FACTORS if residual),
    ]
