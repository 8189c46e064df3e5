"""Follow single paths through a residual network: how many there are, and how much gradient each length carries.

Follows Veit, Wilber, Belongie (arXiv:1605.06431), sections 3 and 5. Blocks are counted from the images, the first is 1.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from resnet_book.analysis import diagnostics
from resnet_book.analysis.cutting import checked_blocks, checked_residual, count_blocks
from resnet_book.engine.checks import checked_seed, whole
from resnet_book.engine.device import in_mode
from resnet_book.models import Network


@dataclass(frozen=True)
class _BlockPass:
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
    chosen = set(checked_blocks(network, branches))
    passes, gradient = _forward(network, images, labels)
    return _along(passes, gradient, chosen)


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
    passes, gradient = _forward(network, images, labels)
    drawn, rows = random.Random(checked_seed(seed)), []
    for length, together in enumerate(_sums_by_length(passes, gradient)):
        paths = [set(drawn.sample(range(1, count + 1), length)) for _ in range(min(samples, comb(count, length)))]
        single = torch.stack([_norms(_along(passes, gradient, path)) for path in paths]).cpu().double().mean().item()
        rows.append((length, comb(count, length), single, _norms(together).cpu().double().mean().item()))
    frame = pd.DataFrame(rows, columns=["length", "number", "single", "together"])
    carried = frame.number * frame.single
    return frame.assign(share=carried / carried.sum())


def _forward(network: Network, images: Tensor, labels: Tensor) -> tuple[list[_BlockPass], Tensor]:
    """Every block's pass, each with a graph of its own, and the gradient of each image's loss at the last output."""
    checked_residual(network, range(1, count_blocks(network) + 1))
    labels = diagnostics.checked_batch(network, images, labels)
    passes = list[_BlockPass]()
    with in_mode(network, training=False), torch.enable_grad():
        x = network.stem(images).detach()
        for _, block in diagnostics.blocks(network):
            x = x.requires_grad_()
            branch, skip = block.layers(x), block.shortcut(x)  # type: ignore[operator]
            y = F.relu(branch + skip).detach()
            passes.append(_BlockPass(x, branch, skip, (y > 0).to(y.dtype)))
            x = y
        x = x.requires_grad_()
        loss = F.cross_entropy(network.classifier(x.mean(dim=(2, 3))), labels, reduction="sum")
        return passes, torch.autograd.grad(loss, x)[0]


def _along(passes: Sequence[_BlockPass], gradient: Tensor, branches: set[int]) -> Tensor:
    for number in range(len(passes), 0, -1):
        gradient = passes[number - 1].back(gradient, through_branch=number in branches)
    return gradient


def _sums_by_length(passes: Sequence[_BlockPass], gradient: Tensor) -> list[Tensor]:
    """The gradient through all paths of length 0, 1, ..., n, each the sum over its paths.

    A path of length k into a block comes out of its shortcut with length k, or out of its branch with k + 1.
    """
    sums = [gradient]
    for each_pass in reversed(passes):
        by_skip = [each_pass.back(each, through_branch=False) for each in sums]
        by_branch = [each_pass.back(each, through_branch=True) for each in sums]
        sums = [by_skip[0], *(a + b for a, b in zip(by_skip[1:], by_branch[:-1], strict=True)), by_branch[-1]]
    return sums


def _norms(gradient: Tensor) -> Tensor:
    """(N, C, H, W) -> (N,)"""
    return gradient.flatten(1).norm(dim=1)
