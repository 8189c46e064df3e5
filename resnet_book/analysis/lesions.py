"""Take a trained network apart: leave blocks out, swap them, close shortcuts, follow single paths through it.

Blocks are counted from the images, the first is 1. Every function that cuts returns a new network and leaves the one it
got as it was. Follows Veit, Wilber, Belongie, *Residual Networks Behave Like Ensembles of Relatively Shallow Networks*
(arXiv:1605.06431), sections 3 to 5.

What leaving a block out means where it changes the shape: of a residual block its shortcut stays, which gives the next
block the shape that it was trained for. A plain block has none; in its place stands the shortcut that its twin has
(every second pixel, zeros for the new channels). A plain network can thus be cut exactly where its twin can.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from math import comb

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_book import augment, features
from resnet_book.analysis import diagnostics
from resnet_book.data import ImageSet
from resnet_book.engine.checks import checked_seed, one_of, real, whole
from resnet_book.engine.device import in_mode
from resnet_book.models import Network, PlainBlock, ResidualBlock, make_shortcut
from resnet_book.recipe import Recipe

# --- Cutting --------------------------------------------------------------------------------------------------------


def count_blocks(network: Network) -> int:
    """How many blocks the network has. Raises ValueError for what is no ``models.Network``."""
    if not isinstance(network, Network):
        raise ValueError(f"network is of type {type(network).__name__}: pass a Network, as models.build makes them")
    return len(diagnostics.blocks(network))


def keeping_shape(network: Network) -> list[int]:
    """The blocks whose output has the shape of their input. Raises as ``count_blocks``."""
    count_blocks(network)
    blocks = enumerate(diagnostics.blocks(network), start=1)
    return [number for number, (_, block) in blocks if not _changes_shape(block)]


def leave_out(network: Network, blocks: Sequence[int]) -> Network:
    """The network without these blocks; where one changes the shape, a shortcut stays (see above).

    Raises ValueError for a block that is not there or named twice, and for what is no ``models.Network``.
    """
    cut, blocks = deepcopy(network), _checked_blocks(network, blocks)
    for number in blocks:
        _put(cut, number, nn.Sequential(_shortcut_of(_block(cut, number)), nn.ReLU()))
    return cut


def choose_blocks(network: Network, k: int, seed: int) -> tuple[int, ...]:
    """``k`` different blocks at random, of those that keep the shape, in order; the same ones for the same ``seed``.

    Raises ValueError where there are fewer, for a negative seed, and for what is no ``models.Network``.
    """
    there = keeping_shape(network)
    k = whole("k", k, 1, len(there))
    return tuple(sorted(random.Random(checked_seed(seed)).sample(there, k)))


def swap(network: Network, blocks: tuple[int, int]) -> Network:
    """The network with two blocks of one stage in each other's place.

    Raises ValueError where they are not two different blocks of one stage that both keep the shape.
    """
    pair = _checked_blocks(network, blocks)
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
    (block,) = _checked_residual(network, [block])
    cut = deepcopy(network)
    _put(cut, block, PlainBlock(_layers(_block(cut, block))))
    return cut


def scale_branches(network: Network, factor: float, blocks: Sequence[int] | None = None) -> Network:
    """The network with F(x) of residual blocks (None: of all) multiplied by ``factor``: y = ReLU(factor F(x) + x).

    The last batch norm's weight and bias are multiplied, which is the same. Raises ValueError for a factor that is not
    finite or negative, and for a block that is not there, named twice, or without a shortcut.
    """
    factor = real("factor", factor, 0)
    chosen = _checked_residual(network, range(1, count_blocks(network) + 1) if blocks is None else blocks)
    cut = deepcopy(network)
    with torch.no_grad():
        for number in chosen:
            norm = _layers(_block(cut, number))[-1]
            norm.weight.mul_(factor)  # type: ignore[operator]
            norm.bias.mul_(factor)  # type: ignore[operator]
    return cut


def measured_anew(
    network: Network,
    images: ImageSet,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    device: str | torch.device = "cpu",
) -> Network:
    """The network with batch norm's statistics measured on ``images``; weights, and the network passed, stay.

    A layer behind a cut sees other activations than those whose statistics it was trained with. ``images`` should be
    training images, augmented as in training (``augmented``). Raises ValueError as ``features.measure_batch_norm``.
    """
    count_blocks(network)
    measured = deepcopy(network)
    features.measure_batch_norm(measured, images, mean, std, device=device, batch_size=125)
    return measured


def augmented(images: ImageSet, recipe: Recipe, seed: int = 0) -> ImageSet:
    """The images as a training by ``recipe`` may see them: shifted and flipped at random, once.

    The borders of zeros count: statistics of the whole resnet20-cifar10 measured on images without them gave 3 points
    more error than its own, on images with them no more. Raises ValueError for a negative seed.
    """
    generator = torch.Generator().manual_seed(checked_seed(seed))
    sampled = augment.sample(len(images), generator, recipe.padding, recipe.flip_probability)
    return replace(images, images=augment.apply(images.images, sampled, recipe.padding, recipe.padding_mode))


def _changes_shape(block: nn.Module) -> bool:
    """Whether input and output of a block differ in channels or resolution."""
    convolutions = _convolutions(block)
    return any(each.stride != (1, 1) for each in convolutions) or (
        bool(convolutions) and convolutions[0].in_channels != convolutions[-1].out_channels
    )


def _convolutions(block: nn.Module) -> list[nn.Conv2d]:
    """Those of the branch, in order."""
    return [each for each in _layers(block) if isinstance(each, nn.Conv2d)]


def _layers(block: nn.Module) -> nn.Sequential:
    """The branch F of a block; empty where it has been left out."""
    return block.layers if isinstance(block, PlainBlock | ResidualBlock) else nn.Sequential()


def _shortcut_of(block: nn.Module) -> nn.Module:
    """The block's own shortcut, or that of a plain block's twin; a block that was left out stays as it is."""
    if isinstance(block, ResidualBlock):
        return block.shortcut
    if not isinstance(block, PlainBlock):
        return block
    convolutions = _convolutions(block)
    stride = max(each.stride[0] for each in convolutions)
    return make_shortcut("subsample", convolutions[0].in_channels, convolutions[-1].out_channels, stride)


def _place(network: Network, number: int) -> tuple[int, int]:
    """Stage and place in it, from 0, of the block with this number."""
    _, stage, place = diagnostics.blocks(network)[number - 1][0].split(".")
    return int(stage), int(place)


def _block(network: Network, number: int) -> nn.Module:
    return diagnostics.blocks(network)[number - 1][1]


def _put(network: Network, number: int, block: nn.Module) -> None:
    stage, place = _place(network, number)
    network.stages[stage][place] = block.train(network.training)  # type: ignore[index]


def _checked_blocks(network: Network, blocks: Sequence[int]) -> tuple[int, ...]:
    """``blocks`` as ints. Raises ValueError for one that is not there or named twice, and for no sequence."""
    count = count_blocks(network)
    if not isinstance(blocks, Iterable):
        raise ValueError(f"blocks={blocks!r}: give a list of blocks, as [{blocks!r}]")
    numbers = tuple(whole("block", number, 1, count) for number in blocks)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"blocks={numbers}: name each block once")
    return numbers


def _checked_residual(network: Network, blocks: Sequence[int]) -> tuple[int, ...]:
    """As ``_checked_blocks``. Raises ValueError for a block without a shortcut, too."""
    numbers = _checked_blocks(network, blocks)
    for number in numbers:
        if not isinstance(_block(network, number), ResidualBlock):
            raise ValueError(f"block={number}: it has no shortcut; choose a residual block of a residual network")
    return numbers


# --- What a cut does ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cut:
    """What to do to a network: one of ``KINDS``, to which blocks. Raises ValueError where they do not fit."""

    kind: str
    blocks: tuple[int, ...] = ()
    factor: float = 1.0  # of "scale" alone, which has all blocks

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        takes = TAKES.get(self.kind, len(self.blocks))
        if len(self.blocks) != takes:
            raise ValueError(f"blocks={self.blocks!r}: {self.kind!r} takes {takes}")

    @property
    def removed(self) -> int:
        """How many blocks it leaves out."""
        return len(self.blocks) * (self.kind == "leave out")

    def made(self, network: Network) -> Network:
        """The network with this cut."""
        return KINDS[self.kind](network, self)


KINDS: dict[str, Callable[[Network, Cut], Network]] = {
    "nothing": lambda network, cut: deepcopy(network),
    "leave out": lambda network, cut: leave_out(network, cut.blocks),
    "swap": lambda network, cut: swap(network, (cut.blocks[0], cut.blocks[1])),
    "close shortcut": lambda network, cut: close_shortcut(network, cut.blocks[0]),
    "scale": lambda network, cut: scale_branches(network, cut.factor),
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
    numbers, there, pairs = range(1, count_blocks(network) + 1), keeping_shape(network), possible_swaps(network)
    counts = [count for count in COUNTS if count < len(there)]
    drawn = [dict.fromkeys(choose_blocks(network, count, seed) for seed in range(4 * CHOICES)) for count in counts]
    together = [blocks for different in drawn for blocks in list(different)[:CHOICES]]
    swapped = sorted(random.Random(0).sample(pairs, min(SWAPS, len(pairs))))
    residual = all(isinstance(_block(network, number), ResidualBlock) for number in numbers)
    return [
        Cut("nothing"),
        *(Cut("leave out", (number,)) for number in numbers),
        *(Cut("leave out", blocks) for blocks in together),
        *(Cut("swap", pair) for pair in swapped),
        *(Cut("close shortcut", (number,)) for number in numbers if residual),
        *(Cut("scale", factor=factor) for factor in FACTORS if residual),
    ]


@dataclass(frozen=True)
class Damage:
    """What a network answers, and how far its features are from those of the whole network."""

    error: float  # % of the images
    confidence: float  # mean softmax of the answer, 0 to 1
    feature_change: float  # mean over the images of |cut - whole| / |whole|, features as vectors


def damage(
    network: Network,
    test: ImageSet,
    mean: Sequence[float],
    std: Sequence[float],
    whole_features: Tensor,
    *,
    device: str | torch.device = "cpu",
) -> Damage:
    """Test a cut network: ``whole_features`` (N, C) are those of the images ``test`` by the whole one.

    Raises ValueError for features of other images or another network, or that are not finite; as ``features.extract``.
    """
    values = features.extract(network, test, mean, std, device=device, batch_size=125)
    features.require_finite(whole_features)
    if whole_features.shape != values.shape:
        found, expected = tuple(whole_features.shape), tuple(values.shape)
        raise ValueError(f"whole_features: expected {expected}, those of the test images, found {found}")
    scores = features.class_scores(network, values)
    change = (values - whole_features).norm(dim=1) / whole_features.norm(dim=1).clamp(min=1e-12)  # (N,)
    return Damage(
        error=features.loss_and_error(scores, test.labels)[1],
        confidence=scores.softmax(dim=1).amax(dim=1).double().mean().item(),
        feature_change=change.double().mean().item(),
    )


def lesions(
    network: Network,
    train: ImageSet,
    test: ImageSet,
    mean: Sequence[float],
    std: Sequence[float],
    cuts: Sequence[Cut] | None = None,
    *,
    device: str | torch.device = "cpu",
) -> Iterator[tuple[Cut, Damage, Damage]]:
    """Each cut (None: ``all_cuts``) with its damage, as trained and with statistics measured anew on ``train``.

    Features are compared with those of the whole network, whose statistics are those of training, or measured anew on
    the same images. The network is moved to ``device``.
    """
    network = deepcopy(network).to(memory_format=torch.channels_last)  # twice as fast on a CPU
    bases = network, measured_anew(network, train, mean, std, device=device)
    whole = [features.extract(base, test, mean, std, device=device, batch_size=125) for base in bases]
    for cut in all_cuts(network) if cuts is None else cuts:
        made = cut.made(network)
        yield (
            cut,
            damage(made, test, mean, std, whole[0], device=device),
            damage(measured_anew(made, train, mean, std, device=device), test, mean, std, whole[1], device=device),
        )


def lesion_frame(measured: Sequence[tuple[Cut, Damage, Damage]]) -> pd.DataFrame:
    """A row a cut: kind, blocks, factor, removed (how many blocks), error, ..., error_anew, ..., as ``Damage``."""
    rows = [
        {**asdict(cut), "removed": cut.removed, **asdict(as_trained)}
        | {f"{name}_anew": value for name, value in asdict(anew).items()}
        for cut, as_trained, anew in measured
    ]
    return pd.DataFrame(rows)


# --- Paths ----------------------------------------------------------------------------------------------------------


def count_paths(blocks: int, length: int) -> int:
    """How many paths lead through exactly ``length`` of the branches of ``blocks`` blocks: the binomial coefficient.

    Raises ValueError for a length that is not between 0 and ``blocks``.
    """
    blocks = whole("blocks", blocks, 0)
    return comb(blocks, whole("length", length, 0, blocks))


@dataclass(frozen=True)
class _Step:
    """One block on the way forward, kept for the way back."""

    x: Tensor  # what went in
    branch: Tensor  # F(x)
    skip: Tensor  # the shortcut's output
    open: Tensor  # where the last ReLU let through: 1, else 0

    def back(self, gradient: Tensor, through_branch: bool) -> Tensor:
        """The gradient at the output, brought back to the input through one of the two ways alone."""
        way = self.branch if through_branch else self.skip
        return torch.autograd.grad(way, self.x, gradient * self.open, retain_graph=True)[0]


def path_gradient(network: Network, images: Tensor, labels: Tensor, branches: Sequence[int]) -> Tensor:
    """The gradient that one path carries from each image's loss to the output of the stem: (N, C, H, W).

    The path leads through the branches of the blocks in ``branches``, and through the shortcuts of all others.
    ``images`` (N, 3, H, W) normalised, ``labels`` (N,) int64. Added up over all 2^n paths these are the whole gradient,
    since backwards each block is linear: its ReLUs are open or closed as the images left them. Evaluation mode. Raises
    ValueError for a block that is not there, and for a network that is not residual in all of its blocks.
    """
    chosen = set(_checked_blocks(network, branches))
    steps, gradient = _forward(network, images, labels)
    return _along(steps, gradient, chosen)


def gradients_by_length(
    network: Network, images: Tensor, labels: Tensor, *, samples: int = 20, seed: int = 0
) -> pd.DataFrame:
    """How much gradient the paths of each length carry to the output of the stem; arguments as ``path_gradient``.

    A row a length: length (branches on the path); number (of such paths); single (norm of the gradient that one path
    carries, mean over images and ``samples`` random paths, as Veit et al. measure it); together (norm of the sum over
    *all* paths of the length, exact, mean over the images: less than number x single where they cancel); share (of
    number x single; all shares add up to 1). Raises ValueError as ``path_gradient`` and for fewer than one sample.
    """
    samples, count = whole("samples", samples, 1), count_blocks(network)
    steps, gradient = _forward(network, images, labels)
    drawn, rows = random.Random(checked_seed(seed)), []
    for length, together in enumerate(_sums_by_length(steps, gradient)):
        paths = [set(drawn.sample(range(1, count + 1), length)) for _ in range(min(samples, comb(count, length)))]
        single = torch.stack([_norms(_along(steps, gradient, path)) for path in paths]).double().mean().item()
        rows.append((length, comb(count, length), single, _norms(together).double().mean().item()))
    frame = pd.DataFrame(rows, columns=["length", "number", "single", "together"])
    carried = frame.number * frame.single
    return frame.assign(share=carried / carried.sum())


def effective_length(frame: pd.DataFrame, within: float = 0.95) -> tuple[float, int, int]:
    """Mean length of a path, weighted by ``share`` of ``gradients_by_length``, and the lengths that hold ``within``.

    The range leaves out at most half of the rest at either end. Raises ValueError for ``within`` that is not between 0
    and 1, and for a frame without rows, as a plain network has.
    """
    if frame.empty:
        raise ValueError("frame: it has no row; a plain network has no paths to measure")
    outside = (1 - real("within", within, 0, 1)) / 2
    below = frame.share.cumsum()
    lengths = frame.length[(below > outside) & (below - frame.share < 1 - outside)]
    return float((frame.length * frame.share).sum()), int(lengths.iloc[0]), int(lengths.iloc[-1])


def _forward(network: Network, images: Tensor, labels: Tensor) -> tuple[list[_Step], Tensor]:
    """Every block's step, each with a graph of its own, and the gradient of each image's loss at the last output."""
    _checked_residual(network, range(1, count_blocks(network) + 1))
    labels = diagnostics.checked_batch(images, labels)
    steps = list[_Step]()
    with in_mode(network, training=False), torch.enable_grad():
        x = network.stem(images).detach()
        for _, block in diagnostics.blocks(network):
            x = x.requires_grad_()
            branch, skip = block.layers(x), block.shortcut(x)  # type: ignore[operator]
            y = F.relu(branch + skip).detach()
            steps.append(_Step(x, branch, skip, (y > 0).to(y.dtype)))
            x = y
        x = x.requires_grad_()
        loss = F.cross_entropy(network.classifier(x.mean(dim=(2, 3))), labels, reduction="sum")
        return steps, torch.autograd.grad(loss, x)[0]


def _along(steps: Sequence[_Step], gradient: Tensor, branches: set[int]) -> Tensor:
    for number in range(len(steps), 0, -1):
        gradient = steps[number - 1].back(gradient, through_branch=number in branches)
    return gradient


def _sums_by_length(steps: Sequence[_Step], gradient: Tensor) -> list[Tensor]:
    """The gradient through all paths of length 0, 1, ..., n, each the sum over its paths.

    A path of length k into a block comes out of its shortcut with length k, or out of its branch with k + 1.
    """
    sums = [gradient]
    for step in reversed(steps):
        by_skip = [step.back(each, through_branch=False) for each in sums]
        by_branch = [step.back(each, through_branch=True) for each in sums]
        sums = [by_skip[0], *(a + b for a, b in zip(by_skip[1:], by_branch[:-1], strict=True)), by_branch[-1]]
    return sums


def _norms(gradient: Tensor) -> Tensor:
    """(N, C, H, W) -> (N,)"""
    return gradient.flatten(1).norm(dim=1)
