"""Cut a trained network: leave blocks out, swap them, close shortcuts, scale residual branches.

Blocks are counted from the images, the first is 1. Every function that cuts returns a new network and leaves the one it
got as it was. Follows Veit, Wilber, Belongie, *Residual Networks Behave Like Ensembles of Relatively Shallow Networks*
(arXiv:1605.06431), section 4.

What leaving a block out means where it changes the shape: of a residual block its shortcut stays, which gives the next
block the shape that it was trained for. A plain block has none; in its place stands the one that takes every second
pixel, with zeros for the new channels. In the 6n+2 networks that is the twin's; the twins of the wide ones average. A
plain network can thus be cut exactly where its twin can.

A cut that leaves a block out joins channel j before it to channel j behind it. In a residual network the shortcut does
so, too. In a plain one nothing ties the two numberings together: ``relabel`` gives the same function with another one,
of which the same cut is another network.
"""

import random
from collections.abc import Iterable, Sequence
from copy import deepcopy
from itertools import combinations

import torch
from torch import Tensor, nn

from resnet_book.analysis import diagnostics
from resnet_book.engine.checks import checked_images, checked_seed, real, whole
from resnet_book.engine.device import in_mode
from resnet_book.models import Network, PlainBlock, ResidualBlock, make_shortcut


class LeftOut(nn.Sequential):
    """What stands in the place of a block that was left out: y = ReLU(x), where the shape changes behind a shortcut."""

    def __init__(self, shortcut: nn.Module) -> None:
        super().__init__(shortcut, nn.ReLU())


def count_blocks(network: Network) -> int:
    """How many blocks the network has.

    Raises ValueError for what is no ``models.Network``, and for a block that is neither plain nor residual.
    """
    return len(_blocks(network))


def keeping_shape(network: Network) -> list[int]:
    """The blocks whose output has the shape of their input. Raises as ``count_blocks``."""
    return [number for number, block in enumerate(_blocks(network), start=1) if not _changes_shape(block)]


def leave_out(network: Network, blocks: Sequence[int]) -> Network:
    """The network without these blocks; where one changes the shape, a shortcut stays (see above).

    Raises ValueError for a block that is not there or named twice, and as ``count_blocks``.
    """
    cut, blocks = deepcopy(network), checked_blocks(network, blocks)
    for number in blocks:
        _put(cut, number, LeftOut(_shortcut_of(_block(cut, number))))
    return cut


def relabel(network: Network, block: int, order: Sequence[int] | Tensor) -> Network:
    """The same function, in which channel j of what goes into a plain block is the one that was ``order[j]``.

    The channels that the layer before puts out and those that the block takes in are renumbered alike. Raises
    ValueError for a block that is not plain, changes the shape, or stands behind one that was left out, for an
    ``order`` that does not name each channel once, and as ``count_blocks``.
    """
    block = _checked_plain(network, block)
    same = deepcopy(network)
    if block > 1 and isinstance(_block(same, block - 1), LeftOut):
        raise ValueError(f"block={block}: the block before it was left out, and with it the channels to renumber")
    before = same.stem if block == 1 else _layers(_block(same, block - 1))
    convolution = [each for each in before if isinstance(each, nn.Conv2d)][-1]
    norm = [each for each in before if isinstance(each, nn.BatchNorm2d)][-1]
    order = torch.as_tensor(order)
    if sorted(order.tolist()) != list(range(convolution.out_channels)):
        raise ValueError(f"order={order.tolist()}: name each of the {convolution.out_channels} channels once, from 0")
    with torch.no_grad():
        for values in (convolution.weight, *norm.state_dict().values()):
            if values.ndim:  # all but the count of batches
                values.copy_(values[order])
        taken = _convolutions(_block(same, block))[0].weight
        taken.copy_(taken[:, order])
    return same


def match_channels(network: Network, block: int, images: Tensor) -> Tensor:
    """The order (C,) int64 for ``relabel`` that puts each channel where the output of ``block`` is most like it.

    Correlations over all pixels of the normalised ``images`` (N, 3, H, W); of all pairs of an input and an output that
    are still free, the highest is taken, and so on. Other orders may be better: this one is greedy. Raises ValueError
    as ``relabel`` and ``checked_images``.
    """
    block = _checked_plain(network, block)
    checked_images(images)
    with torch.no_grad(), in_mode(network, training=False):
        x = network.stem(images)
        for each in _blocks(network)[: block - 1]:
            x = each(x)
        taken, given = (each.transpose(0, 1).flatten(1) for each in (x, _block(network, block)(x)))  # (C, N H W)
        taken, given = (each - each.mean(dim=1, keepdim=True) for each in (taken, given))
        sizes = taken.norm(dim=1)[:, None] * given.norm(dim=1)
        alike = taken @ given.T / sizes.clamp(min=1e-12)  # (C, C), the correlation of input i with output j
    order = torch.empty(len(alike), dtype=torch.int64)
    for _ in range(len(alike)):
        i, j = divmod(int(alike.argmax()), len(alike))
        order[j] = i
        alike[i, :] = alike[:, j] = -torch.inf
    return order


def choose_blocks(network: Network, k: int, seed: int) -> tuple[int, ...]:
    """``k`` different blocks at random, of those that keep the shape, in order; the same ones for the same ``seed``.

    Raises ValueError where there are fewer, for a negative seed, and as ``count_blocks``.
    """
    there = keeping_shape(network)
    k = whole("k", k, 1, len(there))
    return tuple(sorted(random.Random(checked_seed(seed)).sample(there, k)))


def swap(network: Network, blocks: tuple[int, int]) -> Network:
    """The network with two blocks of one stage in each other's place.

    Raises ValueError where they are not two different blocks of one stage that both keep the shape.
    """
    pair = checked_blocks(network, blocks)
    if tuple(sorted(pair)) not in possible_swaps(network):
        raise ValueError(f"blocks={pair!r}: choose two different blocks of one stage, none of which changes the shape")
    cut = deepcopy(network)
    one, other = (_block(cut, number) for number in pair)
    _put(cut, pair[0], other)
    _put(cut, pair[1], one)
    return cut


def possible_swaps(network: Network) -> list[tuple[int, int]]:
    """All pairs of blocks that ``swap`` can exchange, the smaller number first."""
    stage = {number: _place(network, number)[0] for number in keeping_shape(network)}
    return [(one, other) for one, other in combinations(stage, 2) if stage[one] == stage[other]]


def close_shortcut(network: Network, block: int) -> Network:
    """The network with one residual block turned into a plain one, of the same layers.

    Raises ValueError for a block that is not there or has no shortcut.
    """
    (block,) = checked_residual(network, [block])
    cut = deepcopy(network)
    _put(cut, block, PlainBlock(_layers(_block(cut, block))))
    return cut


def scale_branches(network: Network, factor: float, blocks: Sequence[int] | None = None) -> Network:
    """The network with F(x) of residual blocks (None: of all) multiplied by ``factor``: y = ReLU(factor F(x) + x).

    The last batch norm's weight and bias are multiplied, which is the same. Raises ValueError for a factor that is not
    finite, negative, or so large that weights become infinite, and for a block that is not there, named twice, or
    without a shortcut.
    """
    factor = real("factor", factor, 0)
    chosen = checked_residual(network, range(1, count_blocks(network) + 1) if blocks is None else blocks)
    cut = deepcopy(network)
    with torch.no_grad():
        for number in chosen:
            norm = _layers(_block(cut, number))[-1]
            norm.weight.mul_(factor)  # type: ignore[operator]
            norm.bias.mul_(factor)  # type: ignore[operator]
            if not (norm.weight.isfinite() & norm.bias.isfinite()).all():  # type: ignore[operator]
                raise ValueError(f"factor={factor:g}: too large, weights of block {number} would be infinite")
    return cut


def _changes_shape(block: nn.Module) -> bool:
    """Whether input and output of a block differ in channels or resolution."""
    if isinstance(block, LeftOut):
        return not isinstance(block[0], nn.Identity)
    convolutions = _convolutions(block)
    strides = {each.stride for each in convolutions}
    return strides != {(1, 1)} or convolutions[0].in_channels != convolutions[-1].out_channels


def _convolutions(block: nn.Module) -> list[nn.Conv2d]:
    """Those of the branch, in order."""
    return [each for each in _layers(block) if isinstance(each, nn.Conv2d)]


def _layers(block: nn.Module) -> nn.Sequential:
    """The branch F of a plain or residual block."""
    return block.layers  # type: ignore[return-value]


def _shortcut_of(block: nn.Module) -> nn.Module:
    """What stays of a block: its shortcut; a plain one gets one, see above."""
    if isinstance(block, LeftOut):
        return block[0]
    if isinstance(block, ResidualBlock):
        return block.shortcut
    convolutions = _convolutions(block)
    stride = max(each.stride[0] for each in convolutions)
    return make_shortcut("subsample", convolutions[0].in_channels, convolutions[-1].out_channels, stride)


def _blocks(network: Network) -> list[nn.Module]:
    """All blocks. Raises as ``count_blocks``."""
    found = diagnostics.blocks(network)
    for number, (name, block) in enumerate(found, start=1):
        if not isinstance(block, PlainBlock | ResidualBlock | LeftOut):
            raise ValueError(
                f"network: block {number} ({name}) is of type {type(block).__name__}; cuts are defined for PlainBlock "
                "and ResidualBlock, as models.build makes them"
            )
    return [block for _, block in found]


def _place(network: Network, number: int) -> tuple[int, int]:
    """Stage and place in it, from 0, of the block with this number."""
    _, stage, place = diagnostics.blocks(network)[number - 1][0].split(".")
    return int(stage), int(place)


def _block(network: Network, number: int) -> nn.Module:
    return _blocks(network)[number - 1]


def _put(network: Network, number: int, block: nn.Module) -> None:
    stage, place = _place(network, number)
    network.stages[stage][place] = block.train(network.training)  # type: ignore[index]


def checked_blocks(network: Network, blocks: Sequence[int]) -> tuple[int, ...]:
    """``blocks`` as ints. Raises ValueError for one that is not there, as ``block_numbers``, as ``count_blocks``."""
    return block_numbers(blocks, count_blocks(network))


def block_numbers(blocks: Sequence[int], most: int | None = None) -> tuple[int, ...]:
    """``blocks`` as ints, 1 to ``most``. Raises ValueError for others, one that is named twice, and no sequence."""
    if not isinstance(blocks, Iterable):
        raise ValueError(f"blocks={blocks!r}: give a list of blocks, as [{blocks!r}]")
    numbers = tuple(whole("block", number, 1, most) for number in blocks)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"blocks={numbers}: name each block once")
    return numbers


def checked_residual(network: Network, blocks: Sequence[int]) -> tuple[int, ...]:
    """As ``checked_blocks``. Raises ValueError for a block without a shortcut, too."""
    numbers = checked_blocks(network, blocks)
    for number in numbers:
        if not isinstance(_block(network, number), ResidualBlock):
            raise ValueError(f"block={number}: it has no shortcut; choose a residual block of a residual network")
    return numbers


def _checked_plain(network: Network, block: int) -> int:
    """The number of a plain block that keeps the shape. Raises ValueError for others, and as ``count_blocks``."""
    (block,) = checked_blocks(network, [block])
    if not isinstance(_block(network, block), PlainBlock):
        raise ValueError(f"block={block}: it is not plain; a shortcut ties the channels together. Choose a plain block")
    if _changes_shape(_block(network, block)):
        raise ValueError(f"block={block}: it changes the shape, so its input's channels match no output's")
    return block
