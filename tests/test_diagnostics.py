"""Diagnostics: what they measure equals what is computed by hand, and the network stays as it was."""

from collections.abc import Callable
from copy import deepcopy

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_book.analysis import diagnostics
from resnet_book.models import MODELS, Network, narrow


def make_network(depth: int = 8, residual: bool = True) -> Network:
    return narrow(depth, residual)(generator=torch.Generator().manual_seed(0))


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(16, 3, 8, 8, generator=generator), torch.randint(10, (16,), generator=generator)


def neighbours_of(images: Tensor, distance: float = 0.05) -> Tensor:
    return images + distance * torch.randn(images.shape, generator=torch.Generator().manual_seed(2))


DIAGNOSTICS: dict[str, Callable[[Network, Tensor, Tensor], pd.DataFrame]] = {
    "layer_responses": lambda network, images, _: diagnostics.layer_responses(network, images, training=True),
    "weight_gradients": diagnostics.weight_gradients,
    "block_gradients": diagnostics.block_gradients,
    "neighbour_similarities": lambda network, images, labels: diagnostics.neighbour_similarities(
        network, images, neighbours_of(images), labels
    ),
}


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_running_statistics_mode_and_gradients_stay_as_they_were(name: str, batch: tuple[Tensor, Tensor]) -> None:
    network = make_network().eval()
    network.stem.train()  # a mode of its own must come back too
    before = deepcopy(network.state_dict())
    DIAGNOSTICS[name](network, *batch)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert network.stem.training
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_no_hook_stays_behind(name: str, batch: tuple[Tensor, Tensor]) -> None:
    network = make_network()
    DIAGNOSTICS[name](network, *batch)
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(("model", "count"), [("resnet20", 19), ("plain56", 55), ("resnet18", 17), ("resnet50", 17)])
def test_every_3x3_layer_is_found_once(model: str, count: int) -> None:
    layers = diagnostics.layers_3x3(MODELS[model]())
    assert len({id(convolution) for _, convolution, _ in layers}) == len(layers) == count


def test_layer_responses_are_the_standard_deviations_behind_the_batch_norms(batch: tuple[Tensor, Tensor]) -> None:
    network, (images, _) = make_network().eval(), batch
    with torch.no_grad():
        x = network.stem(images)
        first_layers = network.stages[0][0].layers  # type: ignore[index, union-attr]
        expected = [network.stem[1](network.stem[0](images)).std(), first_layers[1](first_layers[0](x)).std()]
        expected.append(first_layers(x).std())
    found = diagnostics.layer_responses(network, images).response[:3]
    assert found.tolist() == pytest.approx([value.item() for value in expected])


def test_each_response_is_that_of_its_own_layer_in_whatever_order_a_module_was_built(
    batch: tuple[Tensor, Tensor],
) -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.second = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3))
            self.first = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3))
            nn.init.constant_(self.first[1].weight, 7)  # type: ignore[arg-type]

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x))

    found = diagnostics.layer_responses(Backwards(), batch[0], training=True)
    assert dict(zip(found.name, found.response.round(), strict=True)) == {"first.0": 7, "second.0": 1}


def test_at_initialisation_batch_norm_makes_every_response_one_in_training_mode(batch: tuple[Tensor, Tensor]) -> None:
    responses = diagnostics.layer_responses(make_network(20), batch[0], training=True).response
    assert responses.tolist() == pytest.approx([1.0] * 19, abs=0.01)


def test_responses_of_weights_are_those_of_any_batch_in_training_mode(batch: tuple[Tensor, Tensor]) -> None:
    network = make_network()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for _, _, norm in diagnostics.layers_3x3(network):
            norm.weight.normal_(generator=generator)
            norm.bias.normal_(generator=generator)
    found = diagnostics.responses_of_weights(network)
    measured = diagnostics.layer_responses(network, batch[0], training=True)
    assert found.name.tolist() == measured.name.tolist()
    assert found.response.tolist() == pytest.approx(measured.response.tolist(), rel=0.01)
    spreads = [norm.weight.std(correction=0).item() for _, _, norm in diagnostics.layers_3x3(network)]
    assert found.spread.tolist() == pytest.approx(spreads)


def test_a_layer_that_was_rescaled_is_its_start_one_drawn_anew_is_not_and_one_turned_half_lies_between() -> None:
    start, network = make_network(), make_network()
    scaled, anew, half = [layer.weight for _, layer, _ in diagnostics.layers_3x3(network)][:3]
    with torch.no_grad():
        scaled.mul_(3)
        anew.normal_(generator=torch.Generator().manual_seed(4))
        across = torch.randn(half.shape, generator=torch.Generator().manual_seed(5))
        across -= half * (across * half).sum() / half.square().sum()
        half.add_(across * half.norm() / across.norm())
    found = diagnostics.weight_similarities(network, start)
    assert found.layer.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert found.cosine[0] == pytest.approx(1)
    assert abs(found.cosine[1]) < 0.1
    assert found.cosine[2] == pytest.approx(0.5**0.5, rel=1e-4)
    assert found.cosine[3:].tolist() == pytest.approx([1.0] * 4)


def test_evaluation_mode_uses_the_running_statistics(batch: tuple[Tensor, Tensor]) -> None:
    network = make_network()
    with torch.no_grad():
        network.stem[1].running_var.fill_(100.0)  # type: ignore[union-attr]
    evaluated = diagnostics.layer_responses(network, batch[0], training=False).response[0]
    trained = diagnostics.layer_responses(network, batch[0], training=True).response[0]
    assert evaluated < 0.5 * trained


def test_weight_gradients_are_those_of_backward(batch: tuple[Tensor, Tensor]) -> None:
    network, (images, labels) = make_network(), batch
    found = diagnostics.weight_gradients(network, images, labels)
    F.cross_entropy(network(images), labels).backward()
    weights = [convolution.weight for _, convolution, _ in diagnostics.layers_3x3(network)]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    assert found.gradient_norm.tolist() == pytest.approx([gradient.norm().item() for gradient in gradients])
    assert found.weight_norm.tolist() == pytest.approx([weight.norm().item() for weight in weights])


def test_last_blocks_gradient_is_the_classifiers(batch: tuple[Tensor, Tensor]) -> None:
    """After the last block there are only the mean over pixels and a linear layer: the gradient is known by hand."""
    network, (images, labels) = make_network(), batch
    found = diagnostics.block_gradients(network, images, labels)
    with torch.no_grad():
        wrong = (network(images).softmax(dim=1) - F.one_hot(labels, 10)) / len(labels)
        pixels = 2 * 2  # 8 / 2 / 2 a side
        expected = (wrong @ network.classifier.weight).norm() / pixels**0.5
    assert found.gradient_norm.iloc[-1] == pytest.approx(expected.item(), rel=1e-4)


def test_blocks_know_their_place_in_the_depth() -> None:
    frame = diagnostics.block_gradients(make_network(14), torch.randn(4, 3, 8, 8), torch.arange(4))
    assert frame.block.tolist() == [1, 2, 3, 4, 5, 6]
    assert frame.layer.tolist() == [3, 5, 7, 9, 11, 13]
    assert frame.name.iloc[-1] == "stages.2.1"


def test_an_image_is_its_own_perfect_neighbour(batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    frame = diagnostics.neighbour_similarities(make_network(), images, images, labels)
    assert frame.activation.tolist() == pytest.approx([1.0] * 3)
    assert frame.gradient.tolist() == pytest.approx([1.0] * 3)


def test_deep_plain_networks_shatter_gradients_where_residual_ones_do_not(batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    plain, residual = (
        diagnostics.neighbour_similarities(make_network(44, shortcuts), images, neighbours_of(images), labels)
        for shortcuts in (False, True)
    )
    assert abs(plain.gradient.iloc[0]) < 0.05
    assert residual.gradient.iloc[0] > 0.1


def test_gradients_of_deep_plain_networks_grow_towards_the_images(batch: tuple[Tensor, Tensor]) -> None:
    plain, residual = (diagnostics.block_gradients(make_network(44, shortcuts), *batch) for shortcuts in (False, True))

    def growth(frame: pd.DataFrame) -> float:
        return frame.gradient_norm.iloc[0] / frame.gradient_norm.iloc[-1]

    assert growth(plain) > 100
    assert growth(plain) > 10 * growth(residual)
