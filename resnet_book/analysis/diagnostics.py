"""Measure what happens in a network layer by layer, on a batch of normalised images.

Layer responses follow He et al. 2015 (arXiv:1512.03385), figure 7; the comparison of gradients at neighbouring images
follows Balduzzi et al. 2017, *The Shattered Gradients Problem* (arXiv:1702.08591). Each function leaves the network as
it found it: its mode, its running statistics, its gradients. Each raises ValueError as ``checked_batch`` does, and for
a network without such layers or blocks.

``training=True`` normalises by the batch's own statistics, as a training step does; ``False`` by the running ones.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_book.engine.checks import checked_images
from resnet_book.engine.device import in_mode
from resnet_book.models import Network


@contextmanager
def unchanged(network: nn.Module, training: bool) -> Iterator[None]:
    """The network in training or evaluation mode; afterwards every module's mode and every buffer as they were."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        with in_mode(network, training=training):
            yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def layers_3x3(network: nn.Module) -> list[tuple[str, nn.Conv2d, nn.BatchNorm2d]]:
    """Name, 3x3 convolution and the batch norm behind it, for every such pair, from the images to the classes.

    Raises ValueError where there is none.
    """
    found = [
        (f"{name}.{index}", convolution, norm)
        for name, module in network.named_modules()
        if isinstance(module, nn.Sequential)
        for index, (convolution, norm) in enumerate(pairwise(module))
        if isinstance(convolution, nn.Conv2d) and convolution.kernel_size == (3, 3) and isinstance(norm, nn.BatchNorm2d)
    ]
    if not found:
        raise ValueError(f"network ({type(network).__name__}) has no 3x3 convolution with a batch norm behind it")
    return found


def blocks(network: Network) -> list[tuple[str, nn.Module]]:
    """Name and module of every block, from the images to the classes.

    Raises ValueError for what is no ``models.Network``.
    """
    if not isinstance(network, Network):
        raise ValueError(f"network is of type {type(network).__name__}: pass a Network, as models.build makes them")
    return [
        (f"stages.{stage}.{block}", module)
        for stage, modules in enumerate(network.stages)
        for block, module in enumerate(modules)  # type: ignore[arg-type]
    ]


def layer_responses(network: nn.Module, images: Tensor, *, training: bool = False) -> pd.DataFrame:
    """Standard deviation of each 3x3 layer's output, behind its batch norm, before ReLU and addition (fig. 7).

    ``images`` (N, 3, H, W) float, normalised. A row a layer: layer (1 is nearest to the images), name, response.
    """
    checked_batch(network, images)
    with unchanged(network, training), torch.no_grad():
        _, outputs = _run(network, images, [norm for _, _, norm in layers_3x3(network)])
    return _layer_frame(network).assign(response=[output.std().item() for output in outputs])


def responses_of_weights(network: nn.Module) -> pd.DataFrame:
    """What ``layer_responses`` gives with ``training=True`` on any images, from the batch norms' parameters alone.

    A batch norm in training mode gives each channel the standard deviation |weight| and the mean bias, so that all
    channels together have the variance mean(weight^2) + var(bias). A row a layer: layer, name, response, spread
    (standard deviation of the channels' weights).
    """
    norms = [norm for _, _, norm in layers_3x3(network)]
    variances = [norm.weight.square().mean() + norm.bias.var(correction=0) for norm in norms]
    return _layer_frame(network).assign(
        response=[variance.sqrt().item() for variance in variances],
        spread=[norm.weight.std(correction=0).item() for norm in norms],
    )


def weight_similarities(network: nn.Module, start: nn.Module) -> pd.DataFrame:
    """How much of ``start`` is left in each 3x3 convolution: the cosine between its weights and those in ``start``.

    1 where only their length has changed, as weight decay changes it; 0 for unrelated ones. A row a layer: layer,
    name, cosine. Raises ValueError where ``start`` has other layers.
    """
    now, then = ([convolution.weight for _, convolution, _ in layers_3x3(each)] for each in (network, start))
    if [each.shape for each in now] != [each.shape for each in then]:
        raise ValueError(
            f"start: expected the {len(now)} 3x3 layers of network, of the same shapes, found {len(then)} layers; "
            "pass the network as it was before its training"
        )
    pairs = zip(now, then, strict=True)
    cosines = [F.cosine_similarity(one.flatten(), other.flatten(), dim=0).item() for one, other in pairs]
    return _layer_frame(network).assign(cosine=cosines)


def weight_gradients(network: nn.Module, images: Tensor, labels: Tensor, *, training: bool = True) -> pd.DataFrame:
    """Euclidean norms of each 3x3 layer's weights and of the loss's gradient with respect to them.

    ``images`` (N, 3, H, W) float, normalised; ``labels`` (N,) int64; the loss is the mean cross-entropy in nats. A row
    a layer: layer, name, weight_norm, gradient_norm.
    """
    labels = checked_batch(network, images, labels)
    weights = [convolution.weight for _, convolution, _ in layers_3x3(network)]
    with unchanged(network, training):
        gradients = torch.autograd.grad(F.cross_entropy(network(images), labels), weights)
    return _layer_frame(network).assign(
        weight_norm=[weight.norm().item() for weight in weights],
        gradient_norm=[gradient.norm().item() for gradient in gradients],
    )


def block_gradients(network: Network, images: Tensor, labels: Tensor, *, training: bool = True) -> pd.DataFrame:
    """Size of each block's output, and Euclidean norm of the loss's gradient with respect to it.

    ``images`` (N, 3, H, W) float, normalised; ``labels`` (N,) int64; the loss is the mean cross-entropy in nats. A row
    a block: block (1 is nearest to the images), name, layer (how many convolutions lie before this output, the stem's
    included), signal (root mean square of the output), gradient_norm.
    """
    labels = checked_batch(network, images, labels)
    with unchanged(network, training):
        outputs, gradients = _outputs_and_gradients(network, images, labels)
    return _block_frame(network).assign(
        signal=[output.square().mean().sqrt().item() for output in outputs],
        gradient_norm=[gradient.norm().item() for gradient in gradients],
    )


def neighbour_similarities(
    network: Network, images: Tensor, neighbours: Tensor, labels: Tensor, *, training: bool = True
) -> pd.DataFrame:
    """How alike a network treats each image and a neighbour of it, for example the same image with a little noise.

    ``images`` and ``neighbours`` (N, 3, H, W) float, normalised; ``labels`` (N,) int64. A row a block: block, name,
    layer, and two mean cosines over the images, 1 for "the same direction" and 0 for "unrelated": activation (of the
    block's output, the mean of each channel over the batch subtracted) and gradient (of the loss with respect to it).
    """
    labels = checked_batch(network, images, labels)
    checked_batch(network, neighbours, name="neighbours")
    if neighbours.shape != images.shape:
        found = tuple(neighbours.shape)
        raise ValueError(f"neighbours: expected {tuple(images.shape)}, one for each of images, found {found}")
    with unchanged(network, training):
        outputs, gradients = _outputs_and_gradients(network, images, labels)
        other_outputs, other_gradients = _outputs_and_gradients(network, neighbours, labels)
    return _block_frame(network).assign(
        activation=_mean_cosines(map(_centred, outputs), map(_centred, other_outputs)),
        gradient=_mean_cosines(gradients, other_gradients),
    )


def checked_batch(network: nn.Module, images: Tensor, labels: Tensor | None = None, name: str = "images") -> Tensor:
    """``labels`` (N,), or zeros, as int64, if ``network`` can learn from them and the normalised ``images``.

    Raises ValueError as ``checked_images``: images are of the type and on the device of the network's weights, labels
    of its classes.
    """
    classes = network.classifier.out_features if isinstance(network, Network) else None
    return checked_images(images, labels, classes, next(network.parameters(), None), name)


def _run(network: nn.Module, images: Tensor, modules: list[nn.Module]) -> tuple[Tensor, list[Tensor]]:
    """Scores of the images, and the output of each of ``modules`` on the way."""
    outputs = dict[nn.Module, Tensor]()  # by module: they need not run in the order in which they were registered

    def keep(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs[module] = output

    hooks = [module.register_forward_hook(keep) for module in modules]
    try:
        scores = network(images)
        return scores, [outputs[module] for module in modules]
    finally:
        for hook in hooks:
            hook.remove()


def _outputs_and_gradients(network: Network, images: Tensor, labels: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Each block's output, and the gradient of the loss with respect to it."""
    scores, outputs = _run(network, images, [module for _, module in blocks(network)])
    gradients = torch.autograd.grad(F.cross_entropy(scores, labels), outputs)
    return [output.detach() for output in outputs], list(gradients)


def _layer_frame(network: nn.Module) -> pd.DataFrame:
    """A row a 3x3 layer: layer, name."""
    names = [name for name, _, _ in layers_3x3(network)]
    return pd.DataFrame({"layer": range(1, len(names) + 1), "name": names})


def _block_frame(network: Network) -> pd.DataFrame:
    """A row a block: block, name, layer."""
    rows, layer = [], 1  # the stem is layer 1
    for block, (name, module) in enumerate(blocks(network), start=1):
        on_the_way = (part for path, part in module.named_modules() if not path.startswith("shortcut"))
        layer += sum(isinstance(part, nn.Conv2d) for part in on_the_way)
        rows.append({"block": block, "name": name, "layer": layer})
    return pd.DataFrame(rows)


def _centred(activations: Tensor) -> Tensor:
    """(N, C, H, W) minus each channel's mean over the batch and its pixels."""
    return activations - activations.mean(dim=(0, 2, 3), keepdim=True)


def _mean_cosines(ones: Iterable[Tensor], others: Iterable[Tensor]) -> list[float]:
    """Of each pair of tensors, the mean over i of the cosine between ``one[i]`` and ``other[i]``, taken as vectors."""
    pairs = zip(ones, others, strict=True)
    return [F.cosine_similarity(one.flatten(1), other.flatten(1)).mean().item() for one, other in pairs]
