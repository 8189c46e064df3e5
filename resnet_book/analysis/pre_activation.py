"""Build residual networks whose batch norm and ReLU come before each convolution, and check a reader's own block.

Follows He et al. 2016, *Identity Mappings in Deep Residual Networks* (arXiv:1603.05027).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_book import models
from resnet_book.engine.checks import require_generator
from resnet_book.models import Network


class PreActivationBlock(nn.Module):
    """y = x + F(x), where F is batch norm, ReLU, convolution, twice, and nothing comes behind the addition.

    Where the shape changes, the shortcut adapts x, as in ``models.ResidualBlock``. (In the paper such a shortcut begins
    behind the first ReLU; here it begins at x, so that every block is the same equation.)
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.norm1, self.convolution1 = nn.BatchNorm2d(in_channels), models.conv3x3(in_channels, width, stride)
        self.norm2, self.convolution2 = nn.BatchNorm2d(width), models.conv3x3(width, width)
        self.shortcut = models.make_shortcut("subsample", in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution1(F.relu(self.norm1(x)))
        y = self.convolution2(F.relu(self.norm2(y)))
        return self.shortcut(x) + y


class PreActivationNetwork(Network):
    """The residual network of ``depth`` = 6n+2 layers made of pre-activation blocks.

    Its stem is the convolution alone, and a batch norm with ReLU follows the last block. It has as many parameters as
    ``models.narrow``'s, and the same convolutions, drawn from ``generator``. Raises ValueError as ``models.narrow``.
    """

    def __init__(
        self,
        depth: int,
        generator: torch.Generator,
        block: type[nn.Module] = PreActivationBlock,
        num_classes: int = 10,
    ) -> None:
        require_generator(generator)
        super().__init__(models.NARROW_WIDTHS, models.narrow_blocks(depth), "subsample", num_classes)
        self.stem = nn.Sequential(self.stem[0])
        in_channels = models.NARROW_WIDTHS[0]
        for stage, width in zip(self.stages, models.NARROW_WIDTHS, strict=True):
            for place in range(len(stage)):  # type: ignore[arg-type]
                stage[place] = block(in_channels, width, stride=width // in_channels)  # type: ignore[index]
                in_channels = width
        self.norm = nn.BatchNorm2d(in_channels)
        models.initialise(self, generator)

    def features(self, x: Tensor) -> Tensor:
        x = self.stages(self.stem(x))  # (N, 64, H/4, W/4)
        return F.relu(self.norm(x)).mean(dim=(2, 3))  # (N, 64)


def check(block: type[nn.Module]) -> str:
    """Whether a reader's block computes what ``PreActivationBlock``, whose layers it has, does: in a sentence."""
    x = torch.randn(4, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    whole_block, silent, halving = block(16, 16), block(16, 16), block(16, 32, 2)
    nn.init.zeros_(silent.convolution2.weight)  # type: ignore[arg-type]  # so F(x) = 0
    first, seen = whole_block.convolution1, list[Tensor]()
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))  # type: ignore[operator]
    y = whole_block(x)
    if y is None:
        return "Not answered yet."
    if not seen or (seen[0] < 0).any():
        return "Wrong: the first convolution sees negative values, or nothing. What comes before it?"
    if (y >= 0).all():
        return "Wrong: no output is negative. Is there still a ReLU behind the addition?"
    if not torch.equal(silent(x), x):
        return "Wrong: where F(x) is zero, the block should give back x. Is x added as it came in?"
    if not torch.allclose(y, PreActivationBlock.forward(whole_block, x), atol=1e-5):  # type: ignore[arg-type]
        return "Nearly: the shortcut is clean, but the branch is another one. Compare its order with the equation."
    try:
        right = torch.allclose(halving(x), PreActivationBlock.forward(halving, x), atol=1e-5)  # type: ignore[arg-type]
    except RuntimeError:  # shapes that cannot be added
        right = False
    return "Right." if right else "Nearly: where a new stage begins, x has another shape. Which layer adapts it?"
