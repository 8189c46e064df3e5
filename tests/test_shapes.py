"""The built-in images: the same everywhere, as many of every class, and safe to change."""

import numpy as np
import pytest
import torch

from resnet_book import data, shapes

SHA256 = {
    "train": "581859e21d6b345768c01ef2ea52f3f19a72f896db39e960658ce35f680aa74d",
    "test": "0583244558797da3c15e3279c0e8bb154148bcc2f83106a1230f849de5b506d2",
}
SPLITS: tuple[data.Split, ...] = ("train", "test")


@pytest.mark.parametrize("split", SPLITS)
def test_the_built_in_images_are_the_same_bytes_always(split: data.Split):
    assert data.load("builtin", split).sha256 == SHA256[split]


def test_another_global_seed_makes_the_same_bytes():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    for again, before in zip(shapes.make.__wrapped__("test"), shapes.make("test"), strict=True):
        assert np.array_equal(again, before)


@pytest.mark.parametrize("split", SPLITS)
def test_the_built_in_images_have_the_shapes_and_types_of_cifar(split: data.Split):
    images = data.load("builtin", split)
    count = shapes.SIZES[split]
    assert (images.images.shape, images.images.dtype) == ((count, 3, 32, 32), torch.uint8)
    assert (images.labels.shape, images.labels.dtype) == ((count,), torch.int64)


@pytest.mark.parametrize("split", SPLITS)
def test_every_class_is_as_frequent_as_every_other(split: data.Split):
    images = data.load("builtin", split)
    assert images.labels.bincount().tolist() == [len(images) // 10] * 10


def test_the_classes_come_in_mixed_order():
    labels = data.load("builtin", "train").labels
    assert all(len(labels[begin : begin + 100].unique()) == 10 for begin in range(0, len(labels), 100))


def test_no_test_image_is_a_training_image():
    train, test = (set(map(bytes, data.load("builtin", split).images.flatten(1).numpy())) for split in SPLITS)
    assert len(train) == shapes.SIZES["train"]
    assert not train & test


def test_changing_a_loaded_set_leaves_the_next_one_as_it_was():
    first = data.load("builtin", "test")
    first.images.zero_()
    first.labels.zero_()
    assert data.load("builtin", "test").sha256 == SHA256["test"]


def test_the_built_in_images_need_no_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESNET_BOOK_DATA", "/nowhere")
    assert len(data.load("builtin", "test")) == shapes.SIZES["test"]


def test_an_unknown_shape_is_answered_with_the_known_ones():
    point = torch.zeros(1).numpy()
    with pytest.raises(ValueError, match="'blob': choose one of disc, ring"):
        shapes.signed_distance("blob", point, point)


def test_an_unknown_split_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="split='validation': choose one of train, test"):
        shapes.make("validation")
