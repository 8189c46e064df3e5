"""Change what a network begins a training with: branches that add nothing, or no batch norm."""

from copy import deepcopy

from torch import nn

from resnet_book import models
from resnet_book.analysis.diagnostics import blocks
from resnet_book.models import Network


def zero_last_norms(network: Network) -> Network:
    """A copy whose every residual branch ends in a batch norm of weight 0, so that it adds nothing.

    Follows Goyal et al. 2017 (arXiv:1706.02677), section 5.1, who have projections. Where a shortcut pads with channels
    of zeros, these are ReLU(0 + 0) in every block behind it and never get a gradient: the network stays as narrow as
    its first stage. Raises ValueError for a network without shortcuts: nothing would get through it.
    """
    zeroed = deepcopy(network)
    for name, block in blocks(zeroed):
        if not isinstance(block, models.ResidualBlock):
            raise ValueError(f"network: {name} is no residual block; with its last norm at zero nothing gets through")
        nn.init.zeros_(block.layers[-1].weight)  # type: ignore[arg-type]
    return zeroed


def without_batch_norm(network: Network) -> Network:
    """A copy with the identity in place of every batch norm (``nn.BatchNorm2d``)."""
    changed = deepcopy(network)
    for module in list(changed.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return changed
