"""Augmentation: the pixels of torchvision, draws from the given generator alone, an own draw for each image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from resnet_book import augment, data
from resnet_book.augment import PaddingMode

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
MODES: list[PaddingMode] = ["zeros", "edge", "reflect"]
TORCHVISION_MODES = {"zeros": "constant", "edge": "edge", "reflect": "reflect"}
MEAN, STD = torch.tensor([125.3, 123.0, 113.9]), torch.tensor([63.0, 62.1, 66.7])


def seeded(seed: int = 0, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def noise(count: int, size: int = 32, seed: int = 1) -> Tensor:
    """Images (count, 3, size, size) uint8 in which no two windows look alike."""
    return torch.randint(0, 256, (count, 3, size, size), generator=seeded(seed), dtype=torch.uint8)


def crop(images: Tensor, generator: torch.Generator, padding: int = 4, mode: augment.PaddingMode = "zeros") -> Tensor:
    """Crop at random, and mirror nothing."""
    return augment.apply(images, augment.sample(len(images), generator, padding, 0), padding, mode)


def flip(images: Tensor, generator: torch.Generator, probability: float = 0.5) -> Tensor:
    """Mirror at random, and crop nothing."""
    return augment.flip_where(images, augment.sample(len(images), generator, 0, probability)[2])


both_random = pytest.mark.parametrize("transform", [crop, flip], ids=["crop", "flip"])
all_modes = pytest.mark.parametrize("mode", MODES)


# --- The same pixels as torchvision -----------------------------------------------------------------------------------


@all_modes
@pytest.mark.parametrize("padding", [0, 1, 4, 31])
def test_pad_equals_torchvision(mode: PaddingMode, padding: int) -> None:
    images = noise(3)
    expected = reference.pad(images, [padding], padding_mode=TORCHVISION_MODES[mode])
    assert torch.equal(augment.pad(images, padding, mode), expected)


@all_modes
def test_crop_at_each_of_the_81_places_equals_torchvision(mode: PaddingMode) -> None:
    images = noise(81)
    padded = augment.pad(images, 4, mode)
    top, left = torch.arange(81) // 9, torch.arange(81) % 9
    expected = [
        reference.crop(reference.pad(image, [4], padding_mode=TORCHVISION_MODES[mode]), row, column, 32, 32)
        for image, row, column in zip(images, top.tolist(), left.tolist(), strict=True)
    ]
    assert torch.equal(augment.crop_at(padded, top, left), torch.stack(expected))


def test_flip_where_equals_torchvision() -> None:
    images = noise(8)
    mirrored = torch.tensor([True, False, False, True, True, False, True, False])
    expected = [
        reference.horizontal_flip(image) if mirror else image for image, mirror in zip(images, mirrored, strict=True)
    ]
    assert torch.equal(augment.flip_where(images, mirrored), torch.stack(expected))


def test_normalise_equals_torchvision() -> None:
    images = noise(8)
    scaled = reference.to_dtype(images, torch.float32, scale=True)
    expected = reference.normalize(scaled, mean=(MEAN / 255).tolist(), std=(STD / 255).tolist())
    torch.testing.assert_close(augment.normalise(images, MEAN, STD), expected, rtol=1e-5, atol=1e-5)
    from_numbers = augment.normalise(images, MEAN.tolist(), tuple(STD.tolist()))
    assert torch.equal(from_numbers, augment.normalise(images, MEAN, STD))


def drawn_place(image: Tensor, cropped: Tensor, mode: PaddingMode) -> tuple[int, int, bool]:
    """The only row, column and mirroring with which torchvision makes ``cropped`` out of ``image``."""
    padded = reference.pad(image, [4], padding_mode=TORCHVISION_MODES[mode])
    found = []
    for row in range(9):
        for column in range(9):
            window = reference.crop(padded, row, column, 32, 32)
            found += [(row, column, False)] if torch.equal(window, cropped) else []
            found += [(row, column, True)] if torch.equal(reference.horizontal_flip(window), cropped) else []
    assert len(found) == 1, f"{len(found)} of torchvision's 162 crops equal ours"
    return found[0]


@all_modes
def test_crop_and_flip_make_what_torchvision_makes_for_the_draws_found(mode: PaddingMode) -> None:
    images, generator = noise(12), seeded()
    augmented = flip(crop(images, generator, 4, mode), generator)
    normalised = augment.normalise(augmented, MEAN, STD)
    for image, whole, floats in zip(images, augmented, normalised, strict=True):
        row, column, mirror = drawn_place(image, whole, mode)
        window = reference.crop(reference.pad(image, [4], padding_mode=TORCHVISION_MODES[mode]), row, column, 32, 32)
        window = reference.horizontal_flip(window) if mirror else window
        expected = reference.normalize(window / 255, mean=(MEAN / 255).tolist(), std=(STD / 255).tolist())
        torch.testing.assert_close(floats, expected, rtol=1e-5, atol=1e-5)


# --- Draws ------------------------------------------------------------------------------------------------------------


@both_random
def test_same_generator_state_gives_the_same_images(transform: Callable[..., Tensor]) -> None:
    images = noise(32)
    assert torch.equal(transform(images, seeded(3)), transform(images, seeded(3)))


@both_random
def test_another_seed_gives_other_images(transform: Callable[..., Tensor]) -> None:
    images = noise(32)
    assert not torch.equal(transform(images, seeded(3)), transform(images, seeded(4)))


@both_random
def test_a_second_call_draws_anew(transform: Callable[..., Tensor]) -> None:
    images, generator = noise(32), seeded()
    assert not torch.equal(transform(images, generator), transform(images, generator))


@both_random
def test_the_global_generator_is_neither_read_nor_moved(transform: Callable[..., Tensor]) -> None:
    images = noise(32)
    results = []
    for global_seed in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(global_seed)
            before = torch.get_rng_state()
            results.append(transform(images, seeded()))
            assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*results)


@both_random
def test_each_image_has_its_own_draw(transform: Callable[..., Tensor]) -> None:
    copies = noise(1).expand(64, -1, -1, -1)
    different = transform(copies, seeded()).unique(dim=0)
    assert len(different) == 2 if transform is flip else len(different) > 20


@both_random
def test_a_batch_is_not_changed_in_place(transform: Callable[..., Tensor]) -> None:
    images = noise(16)
    before = images.clone()
    result = transform(images, seeded())
    result.zero_()
    assert torch.equal(images, before)


def test_all_81_places_are_reached_about_equally_often() -> None:
    each = 200  # expected at every place
    images = torch.zeros(81 * each, 1, 16, 16, dtype=torch.uint8)
    images[:, :, 8, 8] = 1  # the mark moves from (8, 8) to (8 + 4 - top, 8 + 4 - left)
    cropped = crop(images, seeded(), padding=4)
    marks = cropped.flatten(1).argmax(1)
    top, left = 12 - marks // 16, 12 - marks % 16
    counts = torch.bincount(top * 9 + left, minlength=81)
    assert counts.shape == (81,)
    assert counts.min() > 0
    chi_squared = ((counts - each) ** 2 / each).sum()  # 80 degrees of freedom: mean 80, deviation 12.6
    assert chi_squared < 80 + 4 * 12.6


def test_rows_and_columns_are_drawn_independently() -> None:
    images = torch.zeros(4_000, 1, 16, 16, dtype=torch.uint8)
    images[:, :, 8, 8] = 1
    marks = crop(images, seeded()).flatten(1).argmax(1)
    correlation = torch.corrcoef(torch.stack([marks // 16, marks % 16]).double())[0, 1]
    assert abs(correlation) < 4 / 4_000**0.5


def test_flip_and_crop_are_drawn_independently() -> None:
    images = torch.zeros(4_000, 1, 16, 16, dtype=torch.uint8)
    images[:, :, 8, 8], images[:, :, 8, 9] = 1, 2  # the order of 1 and 2 shows the flip, their row the crop
    generator = seeded()
    augmented = flip(crop(images, generator), generator).flatten(1)
    ones, twos = (augmented == 1).int().argmax(1), (augmented == 2).int().argmax(1)
    correlation = torch.corrcoef(torch.stack([ones // 16, (twos < ones).long()]).double())[0, 1]
    assert abs(correlation) < 4 / 4_000**0.5


def test_probability_0_mirrors_no_image() -> None:
    images = noise(64)
    assert torch.equal(flip(images, seeded(), probability=0), images)


def test_probability_1_mirrors_every_image() -> None:
    images = noise(64)
    assert torch.equal(flip(images, seeded(), probability=1), images.flip(-1))


@pytest.mark.parametrize("probability", [0.25, 0.5])
def test_images_are_mirrored_with_the_probability_asked_for(probability: float) -> None:
    images = torch.tensor([0, 1], dtype=torch.uint8).expand(10_000, 1, 1, 2)
    mirrored = flip(images, seeded(), probability)[:, 0, 0, 0].double().mean()
    deviation = (probability * (1 - probability) / 10_000) ** 0.5
    assert abs(mirrored - probability) < 4 * deviation


# --- Shapes, types, devices -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@all_modes
def test_crop_and_flip_keep_shape_dtype_and_device(mode: PaddingMode, dtype: torch.dtype, device: str) -> None:
    images = noise(5).to(device, dtype)
    generator = seeded(0, device)
    result = flip(crop(images, generator, 4, mode), generator)
    assert (result.shape, result.dtype, result.device) == (images.shape, dtype, images.device)


@pytest.mark.parametrize("device", DEVICES)
def test_given_draws_give_the_same_pixels_on_every_device(device: str) -> None:
    images, top, left = noise(5), torch.tensor([0, 8, 3, 4, 1]), torch.tensor([8, 0, 4, 4, 7])
    expected = augment.flip_where(augment.crop_at(augment.pad(images, 4), top, left), top > 2)
    there = augment.crop_at(augment.pad(images.to(device), 4), top.to(device), left.to(device))
    assert torch.equal(augment.flip_where(there, top.to(device) > 2).cpu(), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_normalise_gives_contiguous_float32_on_the_batchs_device(device: str) -> None:
    images = noise(5).to(device)
    result = augment.normalise(images, MEAN.to(device), STD.to(device))
    assert (result.shape, result.dtype, result.device) == (images.shape, torch.float32, images.device)
    assert result.is_contiguous()


def test_a_batch_that_is_a_view_is_cropped_like_its_copy() -> None:
    view = noise(8, seed=2).permute(0, 1, 3, 2)[::2]  # neither contiguous nor in the usual order
    assert torch.equal(crop(view, seeded()), crop(view.contiguous(), seeded()))


# --- Errors -----------------------------------------------------------------------------------------------------------


def test_unknown_padding_mode_is_an_error_that_names_the_modes() -> None:
    with pytest.raises(ValueError, match=r"mode='mirror'.*zeros, edge, reflect"):
        crop(noise(2), seeded(), 4, "mirror")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("padding", [-1, 2.5, True, "4"])
def test_a_padding_that_cannot_be_is_an_error(padding: int) -> None:
    expected = rf"padding={padding!r}: choose a whole number of at least 0"
    with pytest.raises(ValueError, match=expected):
        augment.sample(2, seeded(), padding)
    for mode in MODES:
        with pytest.raises(ValueError, match=expected):
            augment.pad(noise(2), padding, mode)


@pytest.mark.parametrize("probability", [-0.1, 1.1, 50, float("nan"), "0.5"])
def test_a_probability_that_cannot_be_is_an_error(probability: float) -> None:
    with pytest.raises(ValueError, match=rf"flip_probability={probability!r}: choose a number from 0 to 1"):
        augment.sample(2, seeded(), flip_probability=probability)


@pytest.mark.parametrize("count", [-1, 1.5])
def test_a_count_that_cannot_be_is_an_error(count: int) -> None:
    with pytest.raises(ValueError, match=rf"count={count}: choose a whole number of at least 0"):
        augment.sample(count, seeded())


def test_reflecting_more_than_the_image_holds_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"padding=32.*below 32 to reflect"):
        augment.pad(noise(2), 32, "reflect")


def test_a_crop_of_images_that_are_not_square_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"24 x 32 pixels"):
        crop(noise(2)[:, :, :24], seeded())


def test_corners_sampled_with_more_padding_than_the_images_get_are_an_error() -> None:
    with pytest.raises(IndexError):
        augment.apply(noise(50), augment.sample(50, seeded(), padding=4), padding=2)


@pytest.mark.parametrize(("top", "left"), [(9, 0), (0, 9)])
def test_a_window_that_leaves_the_image_is_an_error(top: int, left: int) -> None:
    padded = augment.pad(noise(1), 4)
    with pytest.raises(IndexError):
        augment.crop_at(padded, torch.tensor([top]), torch.tensor([left]))


# --- Mean and standard deviation --------------------------------------------------------------------------------------


def test_channel_mean_std_equals_torchs_in_float64() -> None:
    images = noise(50)
    images[:, 1] //= 2  # channels that differ
    mean, std = augment.channel_mean_std(images)
    wide = images.double()
    torch.testing.assert_close(mean, wide.mean(dim=(0, 2, 3)).float(), rtol=1e-6, atol=0)
    torch.testing.assert_close(std, wide.std(dim=(0, 2, 3), correction=0).float(), rtol=1e-6, atol=0)


def test_normalised_by_their_own_statistics_images_have_mean_0_and_deviation_1() -> None:
    images = data.load("builtin", "test").images
    channels = augment.normalise(images, *augment.channel_mean_std(images)).double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(channels.mean(1), torch.zeros(3).double(), rtol=0, atol=1e-5)
    torch.testing.assert_close(channels.std(1), torch.ones(3).double(), rtol=1e-5, atol=0)


def test_channel_mean_std_of_cifar10_are_the_published_ones(cifar_root: Path) -> None:
    mean, std = augment.channel_mean_std(data.load("cifar10", "train", cifar_root).images)
    torch.testing.assert_close(mean, MEAN, rtol=0, atol=0.051)
    torch.testing.assert_close(std, STD, rtol=0, atol=0.051)


# --- Sampled beforehand ------------------------------------------------------------------------------------------


def test_draws_are_corners_and_coins_in_their_ranges_and_use_the_whole_range() -> None:
    top, left, mirrored = augment.sample(5_000, torch.Generator().manual_seed(0), padding=4, flip_probability=0.5)
    for corner in (top, left):
        assert sorted(corner.unique().tolist()) == list(range(9))
        assert corner.bincount().float().div(5_000).sub(1 / 9).abs().max() < 0.02
    assert sorted(mirrored.unique().tolist()) == [0, 1]
    assert abs(mirrored.float().mean() - 0.5) < 0.03


def test_an_epoch_sampled_at_once_and_applied_batch_by_batch_is_the_same_images() -> None:
    images, sampled = noise(20), augment.sample(20, seeded())  # as the trainer does it
    parts = [augment.apply(images[begin : begin + 5], sampled[:, begin : begin + 5]) for begin in range(0, 20, 5)]
    assert torch.equal(torch.cat(parts), augment.apply(images, sampled))


def test_without_padding_and_flips_nothing_is_changed() -> None:
    images = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8)
    draws = augment.sample(6, torch.Generator().manual_seed(0), padding=0, flip_probability=0.0)
    assert torch.equal(augment.apply(images, draws, padding=0), images)


@pytest.mark.parametrize("mode", ["zeros", "edge", "reflect"])
def test_applying_draws_cuts_and_mirrors_each_image_as_they_say(mode: augment.PaddingMode) -> None:
    images = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8)
    draws = augment.sample(40, torch.Generator().manual_seed(1), padding=3)
    padded = augment.pad(images, 3, mode)
    for image, (top, left, mirrored), found in zip(
        padded, draws.T.tolist(), augment.apply(images, draws, 3, mode), strict=True
    ):
        window = image[:, top : top + 32, left : left + 32]
        assert torch.equal(found, window.flip(-1) if mirrored else window)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_normalising_leaves_the_images_as_they_are(dtype: torch.dtype) -> None:
    images = torch.full((2, 3, 4, 4), 100, dtype=dtype)
    normalised = augment.normalise(images, torch.tensor([90.0, 100.0, 110.0]), torch.tensor([10.0, 10.0, 10.0]))
    assert (images == 100).all()
    assert normalised.dtype == torch.float32
    torch.testing.assert_close(normalised[0, :, 0, 0], torch.tensor([1.0, 0.0, -1.0]))


@pytest.mark.parametrize("seed", [0, None], ids=repr)
def test_a_seed_in_place_of_a_generator_is_told_how_to_become_one(seed: Any) -> None:
    with pytest.raises(ValueError, match=rf"generator={seed}: make one from a seed with torch.Generator\(\)"):
        augment.sample(2, seed)
