"""Claims about ``resnet_book.features``."""

import pytest
import torch

from resnet_book import augment, data, features
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
    with pytest.raises(ValueError, match=r"expected uint8 \(N, 3, H, W\), found torch.float32"):
        features.extract(network, images.images.float(), MEAN, STD)


def test_a_single_image_without_batch_axis_is_refused(network, images):
    with pytest.raises(ValueError, match=r"found torch.uint8 \(3, 32, 32\)"):
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


@pytest.mark.parametrize("k", [0, 31])
def test_more_images_than_there_are_cannot_be_ranked(extracted, k):
    with pytest.raises(ValueError, match=f"k={k}: there are 30 images to rank; choose 1 to 30"):
        features.rank(extracted, k)


def test_features_that_are_not_numbers_cannot_be_ranked():
    with pytest.raises(ValueError, match="not finite"):
        features.rank(torch.tensor([[0.0], [torch.nan]]), 1)


def test_only_features_that_are_zero_everywhere_are_dead():
    values = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.5, 1.0]])
    assert features.dead(values).tolist() == [True, False, False]


def test_classes_are_counted_row_by_row():
    counts = features.class_counts(torch.tensor([[0, 1, 2], [3, 3, 0]]), torch.tensor([0, 0, 2, 1]), 4)
    assert counts.tolist() == [[2, 0, 1, 0], [1, 2, 0, 0]]


def test_purity_is_the_share_of_the_most_frequent_class():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2, 3])
    purity = features.purity(torch.tensor([[0, 1, 2, 3], [0, 4, 5, 6], [0, 4, 6, 7]]), labels, 4)
    assert purity.tolist() == [1.0, 0.5, 0.25]


def test_a_label_beyond_the_classes_is_refused():
    with pytest.raises(ValueError, match="num_classes=2, found 0 to 2"):
        features.purity(torch.tensor([[0]]), torch.tensor([0, 1, 2]), 2)


def test_chance_is_exact_for_two_images_of_two_pairs():
    distribution = features.chance_distribution(torch.tensor([0, 0, 1, 1]), 2)
    torch.testing.assert_close(distribution, torch.tensor([0, 2 / 3, 1 / 3], dtype=torch.float64))


def test_chance_agrees_with_random_draws():
    labels = torch.arange(200) % 10
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([torch.randperm(200, generator=generator)[:10] for _ in range(4_000)])
    simulated = features.purity(draws, labels, 10)
    standard_error = simulated.std() / len(draws) ** 0.5
    assert abs(simulated.mean() - features.chance_purity(labels, 10)) < 4 * standard_error


def test_chance_is_certain_with_a_single_class():
    assert features.chance_purity(torch.zeros(50, dtype=torch.int64), 10) == 1


def test_chance_probabilities_sum_to_one_at_the_size_of_cifar10():
    distribution = features.chance_distribution(torch.arange(10_000) % 10, 10)
    torch.testing.assert_close(distribution.sum().item(), 1.0)


def test_chance_needs_enough_images():
    with pytest.raises(ValueError, match="k=5: there are 4 images"):
        features.chance_purity(torch.zeros(4, dtype=torch.int64), 5)
