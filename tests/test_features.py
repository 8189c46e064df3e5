"""Claims about ``resnet_book.features``."""

import re
from typing import Any

import pytest
import torch

from resnet_book import augment, data, features, models
from resnet_book.models import MODELS, Network

MEAN, STD = (120.0, 121.0, 122.0), (60.0, 61.0, 62.0)


@pytest.fixture(scope="module")
def network() -> Network:
    return MODELS["resnet20"](generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def images() -> data.ImageSet:
    return data.load("builtin", "test").subset(30)


@pytest.fixture(scope="module")
def extracted(network: Network, images: data.ImageSet) -> torch.Tensor:
    return features.extract(network, images, MEAN, STD, batch_size=30)


def test_features_are_what_the_classifier_reads(network, images, extracted):
    normalised = augment.normalise(images.images, torch.tensor(MEAN), torch.tensor(STD))
    with torch.inference_mode():
        torch.testing.assert_close(network.classifier(extracted), network(normalised))


def test_features_are_float32_on_the_cpu_one_row_an_image(extracted):
    assert extracted.shape == (30, 64)
    assert extracted.dtype == torch.float32
    assert extracted.device.type == "cpu"


def test_features_carry_no_gradient(extracted):
    assert not extracted.requires_grad


def test_features_are_never_negative(extracted):
    assert extracted.min() >= 0


def test_features_do_not_depend_on_the_batch_size(network, images, extracted):
    torch.testing.assert_close(features.extract(network, images, MEAN, STD, batch_size=7), extracted)


def test_no_more_than_a_batch_is_in_the_network_at_once(network, images):
    sizes = []
    hook = network.stem.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    features.extract(network, images, MEAN, STD, batch_size=12)
    hook.remove()
    assert sizes == [12, 12, 6]


def test_an_image_set_and_its_tensor_give_the_same_features(network, images, extracted):
    assert torch.equal(features.extract(network, images.images, MEAN, STD, batch_size=30), extracted)


@pytest.mark.parametrize("training", [True, False])
def test_extraction_leaves_mode_and_running_statistics_as_they_were(images, training):
    network = MODELS["resnet20"](generator=torch.Generator().manual_seed(0)).train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    features.extract(network, images, MEAN, STD)
    assert network.training is training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_extraction_uses_evaluation_mode_even_for_a_network_in_training(images, extracted):
    network = MODELS["resnet20"](generator=torch.Generator().manual_seed(0)).train()
    assert torch.equal(features.extract(network, images, MEAN, STD, batch_size=30), extracted)


def test_no_images_give_no_rows(network, images):
    assert features.extract(network, images.images[:0], MEAN, STD).shape == (0, 64)


def test_normalised_images_are_refused(network, images):
    with pytest.raises(ValueError, match=r"expected uint8 \(N, 3, H, W\), found float32"):
        features.extract(network, images.images.float(), MEAN, STD)


def test_a_single_image_without_batch_axis_is_refused(network, images):
    with pytest.raises(ValueError, match=r"found uint8 \(3, 32, 32\)"):
        features.extract(network, images.images[0], MEAN, STD)


def test_a_batch_of_none_is_refused(network, images):
    with pytest.raises(ValueError, match="batch_size=0"):
        features.extract(network, images, MEAN, STD, batch_size=0)


def test_least_runs_upwards_and_most_downwards():
    values = torch.tensor([[3.0, 0.1], [1.0, 0.4], [2.0, 0.2], [0.0, 0.3]])
    least, most = features.rank(values, 3)
    assert least.tolist() == [[3, 1, 2], [0, 2, 3]]
    assert most.tolist() == [[0, 2, 1], [1, 3, 2]]


def test_equal_values_come_in_the_order_of_the_images_at_both_ends():
    values = torch.zeros(10_000, 1)
    values[[7, 9]] = 1.0
    least, most = features.rank(values, 4)
    assert least.tolist() == [[0, 1, 2, 3]]
    assert most.tolist() == [[7, 9, 0, 1]]


def test_indices_are_int64_a_row_a_feature(extracted):
    for indices in features.rank(extracted, 5):
        assert indices.shape == (64, 5)
        assert indices.dtype == torch.int64


def test_all_images_can_be_ranked():
    least, most = features.rank(torch.arange(6.0)[:, None], 6)
    assert torch.equal(least, most.flip(1))


@pytest.mark.parametrize("k", [0, 31, 2.0])
def test_more_images_than_there_are_cannot_be_ranked(extracted, k):
    with pytest.raises(ValueError, match=f"k={k}: choose a whole number from 1 to 30, the number of images"):
        features.rank(extracted, k)


def test_features_that_are_not_numbers_cannot_be_ranked():
    with pytest.raises(ValueError, match="not finite"):
        features.rank(torch.tensor([[0.0], [torch.nan]]), 1)


def test_class_scores_are_the_networks_own(network, images, extracted):
    normalised = augment.normalise(images.images, torch.tensor(MEAN), torch.tensor(STD))
    with torch.inference_mode():
        torch.testing.assert_close(features.class_scores(network, extracted), network(normalised))


def test_a_network_that_fails_is_left_in_its_mode(network, images):
    network.train()
    with pytest.raises(RuntimeError):
        features.extract(network, images.images[:, :, :1, :0], MEAN, STD)
    assert network.training
    network.eval()


def test_a_wide_network_has_as_many_features_as_its_last_stage(images):
    wide = Network((4, 6, 8, 12), (1, 1, 1, 1), shortcut="average", generator=torch.Generator().manual_seed(0))
    assert features.extract(wide, images, MEAN, STD).shape == (30, 12)


def test_neighbours_are_those_of_nearly_the_same_direction_whatever_their_length():
    values = torch.tensor([[1.0, 0.0], [9.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    assert features.nearest(values, torch.tensor([0, 2]), 2).tolist() == [[1, 3], [3, 1]]


def test_neighbours_do_not_depend_on_the_batch_size(extracted):
    queries = torch.arange(30)
    assert torch.equal(features.nearest(extracted, queries, 4, batch_size=7), features.nearest(extracted, queries, 4))


def test_an_image_is_not_its_own_neighbour(extracted):
    assert not (features.nearest(extracted, torch.arange(30), 29) == torch.arange(30)[:, None]).any()


@pytest.mark.parametrize("k", [0, 30])
def test_an_image_has_no_more_neighbours_than_there_are_others(extracted, k):
    with pytest.raises(ValueError, match=f"k={k}: choose a whole number from 1 to 29, the number of other images"):
        features.nearest(extracted, torch.arange(30), k)


def test_no_queries_have_no_neighbours(extracted):
    assert features.nearest(extracted, torch.empty(0, dtype=torch.int64), 3).shape == (0, 3)


def test_the_map_lies_along_the_largest_variance_and_says_its_share():
    values = torch.tensor([[0.0, 3.0, 5.0], [0.0, -3.0, 5.0], [1.0, 0.0, 5.0], [-1.0, 0.0, 5.0]])
    positions, shares = features.principal_map(values)
    torch.testing.assert_close(positions, torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    torch.testing.assert_close(shares, torch.tensor([0.9, 0.1], dtype=torch.float64))


def test_the_map_points_the_same_way_whatever_the_order_of_the_images(extracted):
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(features.principal_map(extracted[order])[0], features.principal_map(extracted)[0][order])


def test_features_that_are_all_the_same_have_a_map():
    positions, shares = features.principal_map(torch.ones(5, 3))
    assert positions.abs().max() == 0
    assert shares.tolist() == [0, 0]


def test_batch_norm_is_measured_on_a_set_or_its_tensor_and_every_module_keeps_its_mode() -> None:
    images = data.load("builtin", "test").subset(20)
    one, other = (models.untrained("resnet20").eval() for _ in range(2))
    one.stem.train()
    features.measure_batch_norm(one, images, MEAN, STD)
    features.measure_batch_norm(other, images.images, MEAN, STD)
    assert all(torch.equal(*pair) for pair in zip(one.buffers(), other.buffers(), strict=True))
    assert [one.training, one.stem.training, one.stages.training] == [False, True, False]


def test_batch_norm_is_not_measured_on_nothing() -> None:
    network = models.narrow(8, residual=True)()
    before = network.stem[1].running_var.clone()  # type: ignore[union-attr, operator]
    with pytest.raises(ValueError, match="images: the set is empty"):
        features.measure_batch_norm(network, data.load("builtin", "test").subset(0), (1.0,) * 3, (50.0,) * 3)
    assert torch.equal(network.stem[1].running_var, before)  # type: ignore[arg-type]


def test_no_image_has_no_mean_loss() -> None:
    with pytest.raises(ValueError, match="labels: there are none"):
        features.loss_and_error(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64))


TWO = torch.zeros(2, 10)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (
            features.principal_map,
            (torch.ones(5, 1),),
            "features: expected floats (N, C), N from 1 and C from 2 up, found",
        ),
        (features.principal_map, (torch.ones(0, 3),), "found float32 (0, 3)"),
        (features.principal_map, (torch.ones(5),), "found float32 (5,)"),
        (features.principal_map, (torch.ones(5, 3, dtype=torch.int64),), "found int64 (5, 3)"),
        (features.principal_map, (torch.full((5, 3), torch.inf),), "features: some are not finite"),
        (features.rank, (torch.ones(5), 1), "found float32 (5,)"),
        (features.nearest, (torch.ones(5, 3), torch.tensor([5]), 1), "queries[0]=5: expected 0 to 4"),
        (
            features.nearest,
            (torch.ones(5, 3), torch.tensor(2), 1),
            "queries: expected whole numbers (Q,), found int64 ()",
        ),
        (features.loss_and_error, (TWO, torch.tensor([0])), "labels: expected whole numbers (2,), found int64 (1,)"),
        (features.loss_and_error, (TWO, torch.tensor([0, 10])), "labels[1]=10: expected 0 to 9"),
    ],
)
def test_features_and_labels_that_do_not_fit_are_named(function: Any, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        function(*arguments)
