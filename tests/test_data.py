"""The reader of the official files: every byte in its place, every wrong file named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resnet_book import cifar, data, shapes

CIFAR10, CIFAR100 = cifar.FORMATS["cifar10"], cifar.FORMATS["cifar100"]


def row_with(label_bytes: list[int], pixels: dict[tuple[int, int, int], int]) -> np.ndarray:
    """One row of a binary file, black but for ``pixels``: (channel, row, column) -> value."""
    row = np.zeros((1, len(label_bytes) + 3072), dtype=np.uint8)
    row[0, : len(label_bytes)] = label_bytes
    for (channel, y, x), value in pixels.items():
        row[0, len(label_bytes) + 1024 * channel + 32 * y + x] = value
    return row


@pytest.mark.parametrize("pixel", [(0, 0, 0), (0, 0, 31), (1, 31, 0), (2, 5, 17), (2, 31, 31)])
def test_a_byte_of_a_row_becomes_the_pixel_of_its_channel_row_and_column(pixel: tuple[int, int, int]):
    _, images = cifar.split_rows(row_with([3], {pixel: 200}), 1)
    assert images[0][pixel] == 200
    assert images.sum() == 200


def test_the_planes_are_red_then_green_then_blue():
    row = np.concatenate([[7], np.full(1024, 10), np.full(1024, 20), np.full(1024, 30)]).astype(np.uint8)[None]
    _, images = cifar.split_rows(row, 1)
    assert images[0].flatten(1).float().mean(1).tolist() == [10, 20, 30]


def test_cifar100_rows_begin_with_the_coarse_label_and_then_the_fine_one():
    labels, images = cifar.split_rows(row_with([19, 99], {(0, 0, 0): 1}), 2)
    assert labels.tolist() == [[19, 99]]
    assert images[0, 0, 0, 0] == 1


def test_cifar10_is_read_into_bytes_and_whole_numbers(small_cifar: Path):
    train, test = data.load("cifar10", "train", small_cifar), data.load("cifar10", "test", small_cifar)
    assert (train.images.shape, train.images.dtype) == ((20, 3, 32, 32), torch.uint8)
    assert (train.labels.shape, train.labels.dtype) == ((20,), torch.int64)
    assert (len(train), len(test), train.num_classes) == (20, 4, 10)
    assert train.coarse_labels is None


def test_batches_follow_each_other_in_the_order_of_their_numbers(small_cifar: Path):
    folder = small_cifar / CIFAR10.folder
    rows = b"".join((folder / f"data_batch_{number}.bin").read_bytes() for number in range(1, 6))
    train = data.load("cifar10", "train", small_cifar)
    assert train.labels.tolist() == list(rows[::3073])
    assert train.images[-1].numpy().tobytes() == rows[-3072:]


def test_cifar100_has_the_labels_of_its_classes_and_of_its_superclasses(small_cifar: Path):
    rows = (small_cifar / CIFAR100.folder / "test.bin").read_bytes()
    test = data.load("cifar100", "test", small_cifar)
    assert test.coarse_labels is not None
    assert test.coarse_labels.tolist() == list(rows[::3074])
    assert test.labels.tolist() == list(rows[1::3074])
    assert (test.coarse_class_names, test.class_names) == (
        data.SUPERCLASS_NAMES["cifar100"],
        data.CLASS_NAMES["cifar100"],
    )


def test_a_subset_keeps_the_first_images_and_all_their_labels(small_cifar: Path):
    test = data.load("cifar100", "test", small_cifar)
    subset = test.subset(3)
    assert torch.equal(subset.images, test.images[:3])
    assert torch.equal(subset.labels, test.labels[:3])
    assert subset.coarse_labels is not None
    assert len(subset.coarse_labels) == 3


def test_chosen_images_come_in_the_order_asked_for_with_all_their_labels(small_cifar: Path):
    test = data.load("cifar100", "test", small_cifar)
    chosen = test.chosen(torch.tensor([3, 0, 3]))
    assert torch.equal(chosen.images, torch.stack([test.images[3], test.images[0], test.images[3]]))
    assert chosen.labels.tolist() == [test.labels[place] for place in (3, 0, 3)]
    assert test.coarse_labels is not None
    assert chosen.coarse_labels is not None
    assert chosen.coarse_labels.tolist() == [test.coarse_labels[place] for place in (3, 0, 3)]
    assert (chosen.name, chosen.split, chosen.class_names) == ("cifar100", "test", test.class_names)


def test_choosing_nothing_leaves_no_image_but_the_classes():
    nothing = data.load("builtin", "test").chosen(torch.tensor([], dtype=torch.int64))
    assert (len(nothing), tuple(nothing.images.shape), nothing.num_classes) == (0, (0, 3, 32, 32), 10)


def test_one_changed_pixel_or_label_changes_the_identity_of_a_split(small_cifar: Path):
    first, second, third = (data.load("cifar10", "test", small_cifar) for _ in range(3))
    second.images[0, 0, 0, 0] += 1
    third.labels[0] ^= 1
    assert len({first.sha256, second.sha256, third.sha256}) == 3


# Sets of one's own

PIXELS = (
    np.random.RandomState(0).randint(0, 256, (4, 32, 32, 3)).astype(np.uint8)
)  # channels last, as pictures have them
IMAGES = torch.from_numpy(PIXELS.transpose(0, 3, 1, 2).copy())
LABELS = torch.tensor([2, 0, 1, 2])
NAMES = ("a", "b", "c")


def image_set(images: Any = IMAGES, labels: Any = LABELS, *others: Any) -> data.ImageSet:
    return data.ImageSet("own", "test", images, labels, NAMES, *others)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (IMAGES, LABELS.int()),
        (IMAGES, LABELS.to(torch.uint8)),
        (IMAGES, LABELS.repeat_interleave(2)[::2]),
        (torch.from_numpy(PIXELS).permute(0, 3, 1, 2), LABELS),
        (PIXELS.transpose(0, 3, 1, 2), LABELS.numpy()),
        (PIXELS[::-1].transpose(0, 3, 1, 2)[::-1], LABELS.numpy().astype(">i4")),
        (IMAGES.numpy(), [2, 0, 1, 2]),
    ],
    ids=["int32", "uint8", "every second", "permuted", "numpy", "numpy views", "a list"],
)
def test_arrays_and_views_of_the_same_numbers_make_the_same_set(images: Any, labels: Any):
    own = image_set(images, labels)
    assert own.sha256 == image_set().sha256
    assert (own.images.dtype, own.labels.dtype) == (torch.uint8, torch.int64)
    assert own.subset(3).labels.tolist() == [2, 0, 1]


def test_a_read_only_array_is_copied():
    pixels = IMAGES.numpy().copy()
    pixels.flags.writeable = False
    own = image_set(pixels)
    own.images.zero_()
    assert pixels.any()


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (IMAGES / 255, r"found float32 \(4, 3, 32, 32\)\. Pass pixels from 0 to 255"),
        (PIXELS / 255, r"found float64 \(4, 32, 32, 3\).*permute\(0, 3, 1, 2\) of channels last"),
        (PIXELS, r"found uint8 \(4, 32, 32, 3\)"),
        (IMAGES[0], r"found uint8 \(3, 32, 32\)"),
        (IMAGES[:, :1], r"found uint8 \(4, 1, 32, 32\)"),
        (IMAGES[..., :0], r"found uint8 \(4, 3, 32, 0\)"),
        (IMAGES.long(), r"found int64 \(4, 3, 32, 32\)"),
        (None, "expected a tensor or a numpy array of numbers"),
    ],
)
def test_images_of_another_type_or_shape_are_refused_with_what_to_pass(images: Any, found: str):
    with pytest.raises(ValueError, match=f"images: .*{found}"):
        image_set(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS.float(), r"expected whole numbers \(4,\).*found float32 \(4,\).*counted from 0"),
        (LABELS.bool(), r"found bool \(4,\)"),
        (LABELS[:3], r"found int64 \(3,\)"),
        (torch.eye(3)[LABELS], r"found float32 \(4, 3\)"),
        (["a", "b", "c", "d"], "expected a tensor or a numpy array of numbers"),
        (torch.tensor([0, 1, 11, 2]), r"\[2\]=11: expected 0 to 2.*each image's class in class_names, counted from 0"),
        (torch.tensor([0, 1, 2, -1]), r"\[3\]=-1: expected 0 to 2"),
    ],
)
def test_labels_of_another_type_shape_or_range_are_refused_with_what_to_pass(labels: Any, message: str):
    with pytest.raises(ValueError, match=f"labels.*{message}"):
        image_set(labels=labels)


def test_superclasses_are_checked_as_classes_are():
    assert image_set(IMAGES, LABELS, LABELS.int(), NAMES).coarse_labels is not None
    with pytest.raises(ValueError, match=r"coarse_labels\[0\]=2: expected 0 to 1.*class in coarse_class_names"):
        image_set(IMAGES, LABELS, LABELS, ("a", "b"))


def test_a_set_may_be_empty_and_has_an_identity():
    empty = image_set(IMAGES[:0], LABELS[:0])
    assert (len(empty), empty.num_classes, len(empty.sha256)) == (0, 3, 64)


@pytest.mark.parametrize("count", [-1, 2.5, True, "3", None])
def test_a_subset_of_no_whole_number_is_refused(count: Any):
    with pytest.raises(ValueError, match=r"count=.*choose a whole number of at least 0"):
        image_set().subset(count)


# Holding images out

NUMBERED = replace(  # each label tells which image it is of
    data.load("builtin", "train").subset(100), labels=torch.arange(100), class_names=tuple(map(str, range(100)))
)


@pytest.mark.parametrize("count", [1, 10, 50, 99])
def test_the_images_held_out_and_those_kept_are_all_images_once_in_their_old_order(count: int):
    kept, held_out = data.hold_out(NUMBERED, count, seed=0)
    assert (len(kept), len(held_out)) == (100 - count, count)
    kept_numbers, numbers = kept.labels.tolist(), held_out.labels.tolist()
    assert sorted(kept_numbers + numbers) == list(range(100))
    assert (kept_numbers, numbers) == (sorted(kept_numbers), sorted(numbers))
    assert torch.equal(held_out.images, NUMBERED.images[numbers])
    assert torch.equal(kept.images, NUMBERED.images[kept_numbers])


def test_the_images_held_out_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = data.hold_out(NUMBERED, 10, seed=5)[1].labels.tolist()
    torch.manual_seed(2)
    assert data.hold_out(NUMBERED, 10, seed=5)[1].labels.tolist() == first
    assert data.hold_out(NUMBERED, 10, seed=6)[1].labels.tolist() != first


def test_the_images_held_out_come_from_all_of_them():
    held_out = {number for seed in range(100) for number in data.hold_out(NUMBERED, 10, seed)[1].labels.tolist()}
    assert len(held_out) > 95  # each is missed with a probability of 0.9 to the power of 100


def test_holding_out_nothing_keeps_the_images_as_they_are():
    kept, held_out = data.hold_out(NUMBERED, 0, seed=0)
    assert kept is NUMBERED
    assert len(held_out) == 0


@pytest.mark.parametrize("count", [100, 5_000])
def test_holding_out_all_images_is_refused(count: int):
    with pytest.raises(ValueError, match=f"count={count} .*: hold out 0 to 99 of 100 images"):
        data.hold_out(NUMBERED, count, seed=0)


@pytest.mark.parametrize(
    ("count", "seed", "message"),
    [
        (-1, 0, "count=-1: choose a whole number of at least 0"),
        (2.5, 0, "count=2.5: choose a whole number"),
        (10, -1, "seed=-1: choose a whole number from 0"),
        (10, 2**64, f"seed={2**64}: choose a whole number from 0"),
        (10, 0.5, "seed=0.5: choose a whole number"),
    ],
)
def test_counts_and_seeds_that_are_no_such_numbers_are_refused(count: Any, seed: Any, message: str):
    with pytest.raises(ValueError, match=message):
        data.hold_out(NUMBERED, count, seed)


def test_numbers_of_numpy_hold_out_what_those_of_python_do():
    held_out = data.hold_out(NUMBERED, np.arange(11)[10], np.int64(5))[1]  # type: ignore[arg-type]
    assert held_out.sha256 == data.hold_out(NUMBERED, 10, 5)[1].sha256


def test_superclasses_are_held_out_with_their_images(small_cifar: Path):
    test = data.load("cifar100", "test", small_cifar)
    parts = data.hold_out(test, 1, seed=0)
    assert [None if part.coarse_labels is None else len(part.coarse_labels) for part in parts] == [3, 1]


# Where the data is looked for


def test_the_named_folder_comes_before_the_environment_variable(small_cifar: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESNET_BOOK_DATA", "/nowhere")
    assert len(data.load("cifar10", "test", small_cifar)) == 4


def test_the_environment_variable_names_the_folder(small_cifar: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESNET_BOOK_DATA", str(small_cifar))
    assert len(data.load("cifar10", "test")) == 4


@pytest.mark.parametrize("subfolder", [".", "notebooks"])
@pytest.mark.parametrize("named", [None, "my data", "deep/er"])
def test_the_same_folder_is_found_from_the_root_and_from_the_notebooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subfolder: str, named: str | None
):
    for folder in (named or "data", "notebooks"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.delenv("RESNET_BOOK_DATA", raising=False)
    if named:
        monkeypatch.setenv("RESNET_BOOK_DATA", named)
    monkeypatch.chdir(tmp_path / subfolder)
    assert cifar.find_root().resolve() == tmp_path / (named or "data")


# What is not there, what is something else, and what to do

TEN = CIFAR10.folder


def complaint(root: Path | str | None, kind: type[cifar.DataError] = cifar.DataError) -> str:
    """What ``load`` says of CIFAR-10 in ``root``, in an error of exactly this kind."""
    with pytest.raises(cifar.DataError) as caught:
        data.load("cifar10", "train", root)
    assert type(caught.value) is kind
    return str(caught.value)


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("named", ["", "argument", "variable"])
def test_what_is_not_there_says_who_named_the_folder_and_which_command_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, exists: bool
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESNET_BOOK_DATA", raising=False)
    root = tmp_path / "data"
    if exists:
        root.mkdir()
    if named == "variable":
        monkeypatch.setenv("RESNET_BOOK_DATA", str(root))
    with pytest.raises(cifar.DataMissingError) as caught:
        data.load("cifar10", "train", root if named == "argument" else None)
    message = str(caught.value)
    assert caught.value.named == (named != "")
    assert f"the folder {root}" in message
    assert (f"has no {TEN}/" if exists else "does not exist") in message
    assert "`resnet-book data cifar10 --data " in message
    assert ("named by $RESNET_BOOK_DATA" in message) == (named == "variable")


def test_whoever_names_the_folder_of_the_files_itself_is_told_the_one_above(small_cifar: Path):
    message = complaint(small_cifar / TEN)
    assert message.endswith(f"is the folder of the files itself. Name the folder above it, {small_cifar}")


def test_files_in_a_folder_of_another_name_are_told_the_right_one(small_cifar: Path):
    (small_cifar / TEN).rename(small_cifar / "cifar")
    assert complaint(small_cifar / "cifar").endswith(f"above it, {small_cifar}, and call this one {TEN}")


def test_data_one_folder_deeper_is_found_and_named(small_cifar: Path):
    assert complaint(small_cifar.parent).endswith(f"name {small_cifar}")


def test_a_folder_that_is_there_twice_one_in_the_other_is_named(small_cifar: Path):
    (small_cifar / TEN).rename(small_cifar / "inner")
    (small_cifar / TEN).mkdir()
    (small_cifar / "inner").rename(small_cifar / TEN / TEN)
    assert f"move the files of {small_cifar / TEN / TEN} into {small_cifar / TEN}" in complaint(small_cifar)


@pytest.mark.parametrize("have", ["cifar-10-batches-py/data_batch_1", "cifar-10-python.tar.gz"])
def test_the_version_for_python_is_called_so(tmp_path: Path, have: str):
    (tmp_path / have).parent.mkdir(exist_ok=True)
    (tmp_path / have).touch()
    message = complaint(tmp_path)
    assert f"{tmp_path / have.split('/')[0]} is the version of cifar10 for Python (pickles)" in message
    assert f"`resnet-book data cifar10 --data {tmp_path}`" in message
    if "/" in have:
        assert f"`resnet-book data cifar10 --data {tmp_path}`" in complaint(tmp_path / "cifar-10-batches-py")


def test_pickles_in_the_folder_of_the_binary_files_are_called_so(tmp_path: Path):
    (tmp_path / TEN).mkdir()
    (tmp_path / TEN / "data_batch_1").touch()
    assert "The folder holds the version for Python (pickles)" in complaint(tmp_path)


@pytest.mark.parametrize("link", ["root", f"root/{TEN}", f"root/{TEN}/data_batch_1.bin"])
def test_a_link_to_what_is_not_there_is_named_with_its_target(tmp_path: Path, link: str):
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to("gone")
    message = complaint(tmp_path / "root")
    assert str(tmp_path / link) in message
    assert "a link to gone" in message


@pytest.mark.parametrize(("file", "below"), [("root", ""), (f"root/{TEN}", ""), ("root", "sub/deeper")])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path, file: str, below: str):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    assert f"{tmp_path / file} is a file; expected a folder" in complaint(tmp_path / "root" / below)


def test_a_folder_that_may_not_be_read_is_named(small_cifar: Path, monkeypatch: pytest.MonkeyPatch):
    def forbid(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.listdir", forbid)
    assert f"{small_cifar / TEN} cannot be read (Permission denied). Change the permissions" in complaint(small_cifar)


def test_a_path_is_taken_as_text_too(small_cifar: Path):
    assert len(data.load("cifar10", "test", str(small_cifar))) == 4


# What is damaged


def test_a_missing_batch_is_named_together_with_the_command_that_fetches_it(small_cifar: Path):
    path = small_cifar / CIFAR100.folder / "train.bin"
    path.unlink()
    with pytest.raises(cifar.DataError) as caught:
        data.load("cifar100", "train", small_cifar)
    assert str(path) in str(caught.value)
    assert f"`resnet-book data cifar100 --data {small_cifar}`" in str(caught.value)


def test_a_truncated_file_is_named_with_both_sizes(small_cifar: Path):
    path = small_cifar / CIFAR10.folder / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(cifar.DataError, match=r"data_batch_2\.bin is truncated: expected 12,292 bytes.*found 12,291"):
        data.load("cifar10", "train", small_cifar)


def test_an_over_long_file_is_named_with_both_sizes(small_cifar: Path):
    path = small_cifar / CIFAR10.folder / "data_batch_2.bin"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(cifar.DataError, match=r"data_batch_2\.bin is too long: expected 12,292 bytes.*found 12,293"):
        data.load("cifar10", "train", small_cifar)


@pytest.mark.parametrize(("name", "file", "byte", "limit"), [("cifar10", 5, 0, 9), ("cifar100", 0, 1, 99)])
def test_a_label_out_of_range_is_named_with_its_row(small_cifar: Path, name: str, file: int, byte: int, limit: int):
    format = cifar.FORMATS[name]
    batch = [*format.files["train"], *format.files["test"]][file]
    path = small_cifar / format.folder / batch.name
    content = bytearray(path.read_bytes())
    content[2 * format.row_bytes + byte] = limit + 1
    path.write_bytes(content)
    split = "train" if batch in format.files["train"] else "test"
    with pytest.raises(
        cifar.DataError, match=rf"label out of range in row 2: expected 0 to {limit}, found {limit + 1}"
    ):
        data.load(name, split, small_cifar)


def test_a_single_changed_pixel_is_a_wrong_checksum(small_cifar: Path):
    path = small_cifar / CIFAR10.folder / "test_batch.bin"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(cifar.DataError, match=r"test_batch\.bin has the wrong checksum: expected SHA-256"):
        data.load("cifar10", "test", small_cifar)


def test_a_file_that_may_not_be_read_is_named(small_cifar: Path, monkeypatch: pytest.MonkeyPatch):
    opened = Path.open

    def forbid(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "test_batch.bin":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", forbid)
    with pytest.raises(cifar.DataError, match=r"test_batch\.bin cannot be read \(Permission denied\).*Change the perm"):
        data.load("cifar10", "test", small_cifar)


def test_an_unknown_dataset_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="name='cifar11': choose one of cifar10, cifar100, builtin"):
        data.load("cifar11", "train")
    with pytest.raises(ValueError, match=r"name='builtin': choose one of cifar10, cifar100$"):
        cifar.read("builtin", "train")


@pytest.mark.parametrize("name", data.DATASETS)
def test_an_unknown_split_is_answered_with_the_known_ones(name: str):
    split: Any = "validation"
    with pytest.raises(ValueError, match="split='validation': choose one of train, test"):
        data.load(name, split)


# The real data


@pytest.mark.parametrize(
    ("name", "split", "count", "sha256"),
    [
        ("cifar10", "train", 50_000, "1e91790dbaf241617ca1f29a9aba08eb9a62df84cc90676b47edd05ad2ab3c94"),
        ("cifar10", "test", 10_000, "9a4c74f5c8b6f2c4e13d3a1dfb43a5a8cda8a9da515e99fd620d2013a1a6287a"),
        ("cifar100", "train", 50_000, "4e50520a1125d045fade68001374cf6c74e360819dc08b7ecffe4e6c79e9b419"),
        ("cifar100", "test", 10_000, "dc66669533e5da36cbeb472b8e2af54edcb17f1d9736fdbd5fede79d08f46b2f"),
    ],
)
def test_the_real_images_and_labels_are_the_known_ones(
    cifar_root: Path, name: str, split: data.Split, count: int, sha256: str
):
    images = data.load(name, split, cifar_root)
    assert len(images) == count
    assert len(set(images.labels.bincount().tolist())) == 1  # every class is as frequent as every other
    assert images.sha256 == sha256


@pytest.mark.parametrize(
    ("file", "names"),
    [
        (f"{CIFAR10.folder}/batches.meta.txt", data.CLASS_NAMES["cifar10"]),
        (f"{CIFAR100.folder}/fine_label_names.txt", data.CLASS_NAMES["cifar100"]),
        (f"{CIFAR100.folder}/coarse_label_names.txt", data.SUPERCLASS_NAMES["cifar100"]),
    ],
)
def test_the_names_of_the_classes_are_those_of_the_official_files(cifar_root: Path, file: str, names: tuple[str, ...]):
    assert tuple((cifar_root / file).read_text().split()) == names


def test_the_first_cifar10_images_are_a_frog_two_trucks_and_a_deer(cifar_root: Path):
    train = data.load("cifar10", "train", cifar_root)
    assert [train.class_names[label] for label in train.labels[:4]] == ["frog", "truck", "truck", "deer"]


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_45000_and_5000_images_of_the_paper_are_a_fixed_split_with_every_class(cifar_root: Path, name: str):
    train = data.load(name, "train", cifar_root)
    kept, held_out = data.hold_out(train, 5_000, seed=0)
    assert (len(kept), len(held_out)) == (45_000, 5_000)
    assert held_out.labels.bincount(minlength=train.num_classes).min() > 0
    assert data.hold_out(train, 5_000, seed=0)[1].sha256 == held_out.sha256


def test_every_cifar100_class_belongs_to_one_superclass_of_five(cifar_root: Path):
    train = data.load("cifar100", "train", cifar_root)
    assert train.coarse_labels is not None
    pairs = set(zip(train.labels.tolist(), train.coarse_labels.tolist(), strict=True))
    assert len(pairs) == 100
    assert np.bincount([coarse for _, coarse in pairs]).tolist() == [5] * 20


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_all_60000_images_are_read_and_verified(cifar_root: Path, name: str):
    assert len(data.load(name, "train", cifar_root)) + len(data.load(name, "test", cifar_root)) == 60_000


def test_sets_of_many_classes_or_other_shapes_have_identities_of_their_own() -> None:
    def one_image(label: int, *shape: int) -> data.ImageSet:
        names = tuple(f"class {number}" for number in range(300))
        return data.ImageSet("own", "train", torch.zeros(1, *shape, dtype=torch.uint8), torch.tensor([label]), names)

    sets = [one_image(0, 3, 8, 8), one_image(256, 3, 8, 8), one_image(0, 3, 4, 16)]
    assert len({each.sha256 for each in sets}) == 3


@pytest.mark.parametrize("names", ["class_names", "coarse_class_names"])
def test_two_classes_of_one_name_are_refused(names: str):
    with pytest.raises(ValueError, match=f"{names}: more than one class is called 'b'; give each its own name"):
        replace(data.load("builtin", "test").subset(0), **{names: ("a", "b", "c", "b")})


@pytest.mark.parametrize("indices", [[0, 4], [-1], [0.5]])
def test_an_image_that_is_not_there_cannot_be_chosen(indices: list[float]):
    with pytest.raises(ValueError, match=r"indices.*: expected"):
        image_set().chosen(torch.tensor(indices))


@pytest.mark.parametrize(("field", "value"), [("split", "validation"), ("class_names", "ab"), ("class_names", None)])
def test_a_split_or_names_that_cannot_be_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}="):
        replace(data.load("builtin", "test"), **{field: value})


def test_the_builtin_images_cannot_be_changed_by_accident() -> None:
    for array in shapes.make("test"):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    data.load("builtin", "test").images[0] = 1  # a copy
    assert data.load("builtin", "test").images[0].any()
