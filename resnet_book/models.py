"""Build plain and residual networks for 32x32 images: pixels (N, 3, 32, 32) to class scores (N, classes).

Two families, both from a 3x3 stem, stages of equal blocks, global average pooling and one linear layer:

- 6n+2 layers, widths 16, 32, 64: He, Zhang, Ren, Sun, *Deep Residual Learning for Image Recognition*
  (arXiv:1512.03385), section 4.2.
- wide, widths 64, 128, 256, 512: the "ResNet in PyTorch" networks of mbsariyildiz/resnet-pytorch (2018). Those whose
  names end in ``-quarter`` have a quarter of the widths, for trainings without a GPU.

``MODELS`` maps each name to its constructor. ``plain<depth>`` is ``resnet<depth>`` with the shortcuts taken out.
"""

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_book.engine.checks import checked_seed, one_of, require_generator, whole


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution, zero padding 1, no bias (the batch norm behind it has one)."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)


def conv1x1(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """1x1 convolution without bias."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)


# --- Shortcuts: what x goes through on its way around the block -----------------------------------------------------


class SubsampleShortcut(nn.Module):
    """Take every ``stride``-th pixel, and pad the new channels with zeros, half before and half after the old ones.

    Without parameters. Option A of the paper, section 4.1; the placement of the zeros is ours (the paper does not say).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        new_channels = out_channels - in_channels
        self.stride = stride
        self.before, self.after = new_channels // 2, new_channels - new_channels // 2

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]  # (N, C, ceil(H/stride), ceil(W/stride))
        return F.pad(x, (0, 0, 0, 0, self.before, self.after))  # (N, before + C + after, ...)


class AveragePoolShortcut(nn.Module):
    """Average over ``stride`` x ``stride`` pixels, and append channels of zeros after the old ones.

    Where ``stride`` does not divide the side, the last ones average over the pixels that there are. Without parameters.
    The shortcut of mbsariyildiz/resnet-pytorch.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.after = out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)  # (N, C, ceil(H/stride), ceil(W/stride))
        return F.pad(x, (0, 0, 0, 0, 0, self.after))  # (N, C + after, ceil(H/stride), ceil(W/stride))


class ProjectionShortcut(nn.Sequential):
    """1x1 convolution with ``stride``, then batch norm: option B of the paper, section 4.1. It has parameters."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(conv1x1(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))


SHORTCUTS: dict[str, type[nn.Module]] = {
    "subsample": SubsampleShortcut,
    "average": AveragePoolShortcut,
    "projection": ProjectionShortcut,
}


def make_shortcut(kind: str, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """Identity where the shape stays, ``SHORTCUTS[kind]`` where it changes (paper, section 3.2, equations 1 and 2).

    Raises ValueError for another kind, and for fewer channels than come in, which only a projection can make.
    """
    one_of("kind", kind, SHORTCUTS)
    if out_channels < in_channels and kind != "projection":
        raise ValueError(
            f"out_channels={out_channels}: fewer than in_channels={in_channels}, take shortcut 'projection'"
        )
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return SHORTCUTS[kind](in_channels, out_channels, stride)


# --- Blocks ---------------------------------------------------------------------------------------------------------


def basic_layers(in_channels: int, width: int, stride: int) -> nn.Sequential:
    """Two 3x3 convolutions with batch norm, ReLU between them: (N, in, H, W) -> (N, width, H/stride, W/stride)."""
    return nn.Sequential(
        conv3x3(in_channels, width, stride),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        conv3x3(width, width),
        nn.BatchNorm2d(width),
    )


def bottleneck_layers(in_channels: int, width: int, stride: int) -> nn.Sequential:
    """1x1 to ``width``, 3x3, 1x1 to 4 ``width`` (paper, fig. 5): (N, in, H, W) -> (N, 4 width, H/stride, W/stride)."""
    return nn.Sequential(
        conv1x1(in_channels, width),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        conv3x3(width, width, stride),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        conv1x1(width, 4 * width),
        nn.BatchNorm2d(4 * width),
    )


class PlainBlock(nn.Module):
    """y = ReLU(F(x)): the layers of a residual block, without the shortcut."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layers(x))


class ResidualBlock(nn.Module):
    """y = ReLU(F(x) + x): equation 1 of the paper; where the shape changes, the shortcut adapts x (equation 2)."""

    def __init__(self, layers: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layers(x) + self.shortcut(x))


# --- Networks -------------------------------------------------------------------------------------------------------


class Network(nn.Module):
    """Stem, stages of blocks, global average pooling, linear classifier.

    ``widths[i]`` and ``num_blocks[i]`` describe stage i; every stage but the first starts with stride 2. ``shortcut``
    is a key of ``SHORTCUTS``, or None for a plain network. ``bottleneck`` chooses the three-layer block. Weights are
    drawn from ``generator`` (He initialisation); None draws from torch's global generator.

    Raises ValueError for an unknown ``shortcut``, fewer than two classes, or a seed in place of a ``generator``; and
    unless there are as many ``widths`` as ``num_blocks``, each a whole number of at least 1.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        num_blocks: tuple[int, ...],
        shortcut: str | None,
        num_classes: int = 10,
        bottleneck: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if shortcut is not None and shortcut not in SHORTCUTS:
            raise ValueError(f"shortcut={shortcut!r}: choose one of {sorted(SHORTCUTS)}, or None for a plain network")
        num_classes = whole("num_classes", num_classes, 2)
        widths = tuple(whole("widths", width, 1) for width in widths)
        num_blocks = tuple(whole("num_blocks", blocks, 1) for blocks in num_blocks)
        if not widths or len(widths) != len(num_blocks):
            raise ValueError(f"widths={widths}, num_blocks={num_blocks}: give one of each for every stage")
        self.stem = nn.Sequential(conv3x3(3, widths[0]), nn.BatchNorm2d(widths[0]), nn.ReLU())
        make_layers, expansion = (bottleneck_layers, 4) if bottleneck else (basic_layers, 1)
        in_channels = widths[0]
        stages = []
        for stage, (width, blocks) in enumerate(zip(widths, num_blocks, strict=True)):
            stage_blocks = []
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                layers = make_layers(in_channels, width, stride)
                out_channels = expansion * width
                stage_blocks.append(
                    PlainBlock(layers)
                    if shortcut is None
                    else ResidualBlock(layers, make_shortcut(shortcut, in_channels, out_channels, stride))
                )
                in_channels = out_channels
            stages.append(nn.Sequential(*stage_blocks))
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear(in_channels, num_classes)
        initialise(self, generator)

    def features(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> globally averaged activations of the last block (N, C), float, >= 0."""
        x = self.stem(x)  # (N, widths[0], H, W)
        x = self.stages(x)  # (N, C, H / 2^(stages - 1), W / 2^(stages - 1))
        return x.mean(dim=(2, 3))  # (N, C)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> class scores before softmax (N, num_classes)."""
        return self.classifier(self.features(x))


def initialise(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """He initialisation in place: weights ~ N(0, 2 / fan-in), biases 0 (He et al. 2015, arXiv:1502.01852, eq. 10).

    Raises ValueError for a seed in place of a ``generator``.
    """
    if generator is not None:
        require_generator(generator)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def count_parameters(network: nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


# --- The names ------------------------------------------------------------------------------------------------------

NARROW_WIDTHS = (16, 32, 64)  # channels of the 6n+2 networks' stages


def narrow(depth: int, residual: bool) -> Callable[..., Network]:
    """Constructor of the 6n+2 network of ``depth`` layers; the paper's section 4.2 has n = 3, 5, 7, 9, 18, 200.

    Raises ValueError as ``narrow_blocks``.
    """
    return constructor(NARROW_WIDTHS, narrow_blocks(depth), "subsample" if residual else None)


def narrow_blocks(depth: int) -> tuple[int, int, int]:
    """The n blocks of each stage of a 6n+2 network. Raises ValueError for another depth, and for n below 1."""
    n, rest = divmod(whole("depth", depth) - 2, 6)
    if n < 1 or rest:
        raise ValueError(f"depth={depth}: these networks have 6n+2 layers: 8, 14, 20, 26, 32, ...")
    return n, n, n


def wide(
    num_blocks: tuple[int, int, int, int], residual: bool, bottleneck: bool = False, width: int = 64
) -> Callable[..., Network]:
    """Constructor of a wide network with ``num_blocks`` blocks in its four stages, the first of ``width`` channels."""
    widths = (width, 2 * width, 4 * width, 8 * width)
    return constructor(widths, num_blocks, "average" if residual else None, bottleneck)


def constructor(
    widths: tuple[int, ...], num_blocks: tuple[int, ...], own: str | None, bottleneck: bool = False
) -> Callable[..., Network]:
    """Constructor of a network whose shortcuts are its ``own`` unless others are asked for; None: it is plain."""

    def construct(
        num_classes: int = 10, shortcut: str | None = None, generator: torch.Generator | None = None
    ) -> Network:
        if own is None and shortcut is not None:
            raise ValueError(f"shortcut={shortcut!r}: a plain network has none; take resnet<depth>, its residual twin")
        return Network(widths, num_blocks, own if shortcut is None else shortcut, num_classes, bottleneck, generator)

    return construct


# Each constructor takes num_classes=10, shortcut= (a key of SHORTCUTS; None: its own) and generator=, as ``build``.
MODELS: dict[str, Callable[..., Network]] = {
    "resnet20": narrow(20, residual=True),
    "resnet32": narrow(32, residual=True),
    "resnet44": narrow(44, residual=True),
    "resnet56": narrow(56, residual=True),
    "resnet110": narrow(110, residual=True),
    "resnet1202": narrow(1202, residual=True),
    "plain20": narrow(20, residual=False),
    "plain32": narrow(32, residual=False),
    "plain44": narrow(44, residual=False),
    "plain56": narrow(56, residual=False),
    "plain110": narrow(110, residual=False),
    "plain1202": narrow(1202, residual=False),
    "resnet10": wide((1, 1, 1, 1), residual=True),
    "resnet18": wide((2, 2, 2, 2), residual=True),
    "resnet34": wide((3, 4, 6, 3), residual=True),
    "resnet50": wide((3, 4, 6, 3), residual=True, bottleneck=True),
    "plain10": wide((1, 1, 1, 1), residual=False),
    "plain18": wide((2, 2, 2, 2), residual=False),
    "plain34": wide((3, 4, 6, 3), residual=False),
    "plain50": wide((3, 4, 6, 3), residual=False, bottleneck=True),
    "resnet10-quarter": wide((1, 1, 1, 1), residual=True, width=16),
    "resnet18-quarter": wide((2, 2, 2, 2), residual=True, width=16),
    "resnet34-quarter": wide((3, 4, 6, 3), residual=True, width=16),
    "plain10-quarter": wide((1, 1, 1, 1), residual=False, width=16),
    "plain18-quarter": wide((2, 2, 2, 2), residual=False, width=16),
    "plain34-quarter": wide((3, 4, 6, 3), residual=False, width=16),
}


def build(
    name: str, num_classes: int = 10, shortcut: str | None = None, generator: torch.Generator | None = None
) -> Network:
    """The network ``name``, a key of ``MODELS``; ``shortcut``: a key of ``SHORTCUTS``, or None for its family's own.

    Raises ValueError for an unknown name, for a plain network with a shortcut, and as ``Network`` does.
    """
    if name not in MODELS:
        raise ValueError(f"network {name!r} is unknown: choose one of {', '.join(MODELS)}")
    return MODELS[name](num_classes, shortcut, generator)


def untrained(name: str, num_classes: int = 10, shortcut: str | None = None, seed: int = 0) -> Network:
    """The network that a run with ``seed`` begins with, in training mode, on the CPU.

    Raises ValueError for a seed that is negative or beyond 63 bits, and as ``build`` does.
    """
    seed = checked_seed(seed)
    with torch.random.fork_rng(devices=[]):  # torch's layers draw before we do
        return build(name, num_classes, shortcut, torch.Generator().manual_seed(seed))


@cache
def count_operations(name: str, num_classes: int = 10, shortcut: str | None = None) -> int:
    """Multiplications, each with its addition, of one 32x32 image's forward pass. Raises as ``build`` does."""
    from torch.utils.flop_counter import FlopCounterMode  # slow to import, and rarely wanted

    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # shapes alone, no numbers
        build(name, num_classes, shortcut)(torch.empty(1, 3, 32, 32))
    return counter.get_total_flops() // 2
