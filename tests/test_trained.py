"""A recorded network, asked about pictures: what it takes, what it answers, and what it refuses."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import resnet_book
from resnet_book import data, models
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.records import load_record
from resnet_book.experiments.trained import Answer, TrainedNetwork

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
SMOKE, SHORT = "resnet20-builtin-smoke", "resnet20-cifar10-short"


@pytest.fixture(scope="module")
def trained() -> TrainedNetwork:
    return resnet_book.load_trained(SMOKE, results=RESULTS)


@pytest.fixture(scope="module")
def images() -> data.ImageSet:
    return data.load("builtin", "test").subset(200)


def noise(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.RandomState(seed).randint(0, 256, (height, width, bands)).astype(np.uint8)
    return Image.frombytes(mode, (width, height), values.tobytes())


def as_image(pixels: Tensor) -> Image.Image:
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def alike(one: Answer, other: Answer) -> bool:
    return one.names == other.names and np.allclose(one.probabilities, other.probabilities, atol=1e-4)


# --- The package --------------------------------------------------------------------------------------------------


def test_the_package_shows_load_trained_and_nothing_that_is_not_there() -> None:
    assert "load_trained" in dir(resnet_book)
    with pytest.raises(AttributeError, match="module 'resnet_book' has no attribute 'load_trianed'"):
        _ = resnet_book.load_trianed  # pyright: ignore[reportAttributeAccessIssue]


# --- Which network ------------------------------------------------------------------------------------------------


def test_a_trained_network_knows_its_record_and_its_classes(trained: TrainedNetwork) -> None:
    assert (trained.record.experiment, trained.record.seed) == (SMOKE, 0)
    assert trained.class_names == data.CLASS_NAMES["builtin"]
    assert not trained.network.training
    assert repr(trained) == f"<TrainedNetwork: {SMOKE}, seed 0, 10 classes, test error 18.90 %>"


@pytest.mark.parametrize("results", [RESULTS, str(RESULTS)])
def test_results_may_be_a_path_or_text(results: str | Path) -> None:
    assert resnet_book.load_trained(SMOKE, results=results).record.experiment == SMOKE


def test_an_unknown_name_gets_near_names() -> None:
    with pytest.raises(ValueError, match=f"did you mean {SHORT}"):
        resnet_book.load_trained("resnet20-cifar10-shrt", results=RESULTS)


@pytest.mark.parametrize(("name", "seed"), [("resnet110-cifar10", 0), (SHORT, 99)])
def test_a_network_that_is_not_there_is_told_which_are(name: str, seed: int, tmp_path: Path) -> None:
    for each in ("plain20-builtin-smoke", SMOKE):
        shutil.copytree(RESULTS / each, tmp_path / each)
    with pytest.raises(RecordError) as caught:
        resnet_book.load_trained(name, seed, tmp_path)
    kept = f"plain20-builtin-smoke, {SMOKE}" if seed == 0 else "none"
    assert str(caught.value).endswith(f"With weights of seed {seed} in {tmp_path}: {kept}.")


def test_another_seed_than_those_that_are_there_is_told_which_are() -> None:
    with pytest.raises(RecordError, match=f" {SMOKE} has weights of seed 0. With weights of seed 7 in "):
        resnet_book.load_trained(SMOKE, 7, RESULTS)


def test_a_network_for_cifar100_names_the_100_fine_classes() -> None:
    record = load_record(RESULTS / "resnet10-cifar100-short" / "seed0.json")
    trained = TrainedNetwork(models.build("resnet20", num_classes=100), record)
    assert len(trained.class_names) == 100
    assert set(trained.classify(noise(32, 32), k=100).names) == set(data.CLASS_NAMES["cifar100"])


# --- Answers ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_its_answers_make_the_recorded_mistakes(trained: TrainedNetwork) -> None:
    everything = data.load("builtin", "test")
    answers = trained.classify(everything.images, k=1)
    right = [
        answer.names[0] == everything.class_names[label]
        for answer, label in zip(answers, everything.labels, strict=True)
    ]
    assert 100 * (1 - np.mean(right)) == pytest.approx(trained.record.test_error, abs=2 * 100 / len(everything))


def test_cifar10_pictures_make_the_recorded_mistakes(cifar_root: Path) -> None:
    trained = resnet_book.load_trained(SHORT, results=RESULTS)
    images = data.load("cifar10", "test", cifar_root).subset(500)
    answers = trained.classify([as_image(each) for each in images.images], k=1)
    wrong = [a.names[0] != images.class_names[label] for a, label in zip(answers, images.labels, strict=True)]
    assert 100 * np.mean(wrong) == pytest.approx(trained.record.test_error, abs=5)  # of the first ones


def test_probabilities_are_sorted_and_those_of_all_classes_sum_to_one(
    trained: TrainedNetwork, images: data.ImageSet
) -> None:
    answer = trained.classify(as_image(images.images[0]), k=10)
    assert sorted(answer.names) == sorted(trained.class_names)
    assert list(answer.probabilities) == sorted(answer.probabilities, reverse=True)
    assert sum(answer.probabilities) == pytest.approx(1)


def test_it_answers_in_evaluation_mode_whatever_was_done_to_the_network(images: data.ImageSet) -> None:
    trained = resnet_book.load_trained(SMOKE, results=RESULTS)
    before = trained.classify(images.images)
    trained.network.train()
    assert all(alike(one, other) for one, other in zip(before, trained.classify(images.images), strict=True))


def test_an_answer_reads_like_a_sentence() -> None:
    answer = Answer(("cat", "dog"), (0.8312, 0.1), "pixels as given")
    assert str(answer) == "cat 83.1 %, dog 10.0 % (pixels as given)"
    assert repr(answer) == "<Answer: cat 83.1 %, dog 10.0 % (pixels as given)>"


@pytest.mark.parametrize("k", [0, 11, -1, 2.5, True, "3"])
def test_an_impossible_k_is_refused(trained: TrainedNetwork, k: Any) -> None:
    with pytest.raises(ValueError, match=r"^k="):
        trained.classify(noise(32, 32), k=k)


# --- Pictures -----------------------------------------------------------------------------------------------------


def test_every_way_to_pass_a_picture_gives_the_same_answer(
    trained: TrainedNetwork, images: data.ImageSet, tmp_path: Path
) -> None:
    pixels = images.images[7]
    image = as_image(pixels)
    image.save(tmp_path / "picture.png")
    read_only, reversed_twice = np.asarray(image).transpose(2, 0, 1), pixels.numpy()[:, ::-1].copy()[:, ::-1]
    ways: list[Any] = [pixels, pixels.numpy(), read_only, reversed_twice, image, tmp_path / "picture.png"]
    answer = trained.classify(pixels)
    assert all(alike(trained.classify(way), answer) for way in [*ways, str(tmp_path / "picture.png")])
    assert all(alike(each, answer) for each in trained.classify(ways))
    assert all(alike(each, answer) for way in (pixels[None], pixels[None].numpy()) for each in trained.classify(way))
    permuted = pixels.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert alike(trained.classify(permuted), answer)


def test_no_pictures_no_answers(trained: TrainedNetwork) -> None:
    assert trained.classify([]) == trained.classify(torch.zeros(0, 3, 32, 32, dtype=torch.uint8)) == []


def test_a_picture_of_another_size_is_resized_on_the_short_side_and_cut_to_the_middle(trained: TrainedNetwork) -> None:
    middle = noise(32, 32)
    wide = Image.new("RGB", (96, 32), "red")
    wide.paste(middle, (32, 0))
    answer = trained.classify(wide)
    assert alike(answer, trained.classify(middle))
    assert answer.prepared == ("picture of 96 x 32 pixels, resized on the short side and cut to the middle 32 x 32")


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (31, 33), (1000, 40)])
def test_any_size_will_do(trained: TrainedNetwork, size: tuple[int, int]) -> None:
    assert trained.classify(noise(*size)).prepared.startswith(f"picture of {size[0]} x {size[1]} pixels, resized")


def test_a_square_picture_keeps_all_of_itself(trained: TrainedNetwork) -> None:
    small = noise(32, 32)
    answer = trained.classify(small.resize((320, 320), Image.Resampling.NEAREST))
    assert answer.prepared == "picture of 320 x 320 pixels, resized to 32 x 32"


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "I", "I;16"]
)
def test_a_white_picture_is_white_in_every_mode(trained: TrainedNetwork, mode: str) -> None:
    whites = {"I;16": 65_535, "I": 65_535, "HSV": (0, 0, 255)}
    white = Image.new("RGB", (32, 32), "white")
    picture = Image.new(mode, (32, 32), whites[mode]) if mode in whites else _as_mode(white, mode)
    assert alike(trained.classify(picture), trained.classify(white))


def _as_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "PA":
        return image.convert("P").convert("PA")
    return image.convert("RGBA").convert(mode) if mode == "RGBa" else image.convert(mode)


@pytest.mark.parametrize("ending", ["png", "gif", "webp", "tiff", "bmp", "jpg"])
def test_files_of_the_usual_kinds_are_read(trained: TrainedNetwork, ending: str, tmp_path: Path) -> None:
    noise(64, 48).save(tmp_path / f"picture.{ending}")
    assert trained.classify(tmp_path / f"picture.{ending}").prepared.startswith("picture of 64 x 48 pixels")


def test_sixteen_bit_grey_is_scaled_not_cut_off(trained: TrainedNetwork, tmp_path: Path) -> None:
    levels = np.asarray(noise(32, 32, "L"))
    Image.fromarray(levels.astype(np.uint16) << 8).save(tmp_path / "deep.png")
    answer = trained.classify(tmp_path / "deep.png")
    assert alike(answer, trained.classify(Image.fromarray(levels)))
    assert "16 bits made 8" in answer.prepared


def test_transparency_is_put_on_white(trained: TrainedNetwork, tmp_path: Path) -> None:
    hidden = noise(32, 32, "RGBA")
    hidden.putalpha(0)
    answer = trained.classify(hidden)
    assert alike(answer, trained.classify(Image.new("RGB", (32, 32), "white")))
    assert "put on white where it is transparent" in answer.prepared
    palette = noise(32, 32).quantize(8)
    palette.save(tmp_path / "palette.png", transparency=palette.getpixel((0, 0)))
    assert "put on white" in trained.classify(tmp_path / "palette.png").prepared
    levels = np.asarray(noise(32, 32, "L")).copy()
    Image.fromarray(levels.astype(np.uint16) << 8).save(tmp_path / "deep.png", transparency=int(levels[0, 0]) << 8)
    answer = trained.classify(tmp_path / "deep.png")
    levels[levels == levels[0, 0]] = 255
    assert alike(answer, trained.classify(Image.fromarray(levels)))
    assert "16 bits made 8, put on white" in answer.prepared


def test_a_photograph_is_turned_as_its_exif_says(trained: TrainedNetwork, tmp_path: Path) -> None:
    upright = noise(32, 48)
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to look at it
    lying.save(tmp_path / "photograph.png", exif=exif)
    answer = trained.classify(tmp_path / "photograph.png")
    assert alike(answer, trained.classify(upright))
    assert "turned as its EXIF says" in answer.prepared


PIXELS = np.zeros((3, 32, 32), np.uint8)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (torch.rand(3, 32, 32), r"picture holds float32 \(3, 32, 32\): pass .* neither scaled nor normalised"),
        (torch.rand(8, 3, 32, 32), r"picture holds float32 \(8, 3, 32, 32\)"),
        (PIXELS.astype(np.float64), "picture holds float64"),
        (PIXELS.astype(np.int64), "picture holds int64"),
        (PIXELS.transpose(1, 2, 0), r"picture has shape \(32, 32, 3\).*channels come first"),
        (np.zeros((8, 32, 32, 3), np.uint8), r"picture has shape \(8, 32, 32, 3\).*channels come first"),
        (np.zeros((3, 224, 224), np.uint8), r"picture has shape \(3, 224, 224\).*a path or PIL image is resized"),
        (np.zeros((1, 32, 32), np.uint8), r"picture has shape \(1, 32, 32\)"),
        (np.zeros((32, 32), np.uint8), r"picture has shape \(32, 32\)"),
        (np.zeros(3072, np.uint8), r"picture has shape \(3072,\)"),
        ([PIXELS, PIXELS.astype(np.float32)], r"picture\[1\] holds float32"),
        ([PIXELS[None]], r"picture\[0\] of shape \(1, 3, 32, 32\) in a list"),
        ([[PIXELS]], r"picture\[0\] is of type list: pass a path"),
        (b"bytes", "picture is of type bytes: pass a path"),
        (None, "picture is of type NoneType: pass a path"),
        (Image.new("F", (32, 32)), "mode F"),
        (Image.new("RGB", (0, 7)), "0 x 7 pixels"),
        (Image.fromarray(np.full((32, 32), -1, np.int32)), "from -1 to -1: pass 8 or 16 bits"),
        ("no such.png", r"picture='no such.png': there is no such file"),
        (["no such.png"], r"picture\[0\]='no such.png': there is no such file"),
        (Path(__file__), r"test_trained.py' cannot be read as a picture"),
        (Path(__file__).parent, r"cannot be read as a picture \(.*[Dd]irectory"),
    ],
)
def test_anything_else_is_refused_with_what_to_pass(trained: TrainedNetwork, picture: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trained.classify(picture)


def test_of_several_pictures_in_a_file_the_first_is_seen_and_the_answer_says_so(
    trained: TrainedNetwork, tmp_path: Path
) -> None:
    first, *others = (noise(32, 32, "L", seed) for seed in range(3))
    for ending in ("gif", "tiff"):
        first.save(tmp_path / f"three.{ending}", save_all=True, append_images=others)
        answer = trained.classify(tmp_path / f"three.{ending}")
        assert alike(answer, trained.classify(first))
        assert answer.prepared.endswith(" made RGB, the first of 3 in the file")


def test_several_pictures_in_a_file_cut_off_anywhere_are_refused_or_answered(
    trained: TrainedNetwork, tmp_path: Path
) -> None:
    first, *others = (noise(32, 32, "L", seed) for seed in range(3))
    first.save(tmp_path / "three.gif", save_all=True, append_images=others)
    whole = (tmp_path / "three.gif").read_bytes()
    for length in range(len(whole) // 2, len(whole), 101):
        (tmp_path / "half.gif").write_bytes(whole[:length])
        with suppress(ValueError):
            trained.classify(tmp_path / "half.gif")


@pytest.mark.parametrize("times", [1, 2])
def test_a_picture_of_too_many_pixels_is_refused(
    trained: TrainedNetwork, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_500)
    noise(40, 40 * times).save(tmp_path / "large.png")  # beyond one limit Pillow warns, beyond twice that it raises
    with pytest.raises(ValueError, match=r"large.png' has more than 1,500 pixels; make it smaller first"):
        trained.classify(tmp_path / "large.png")


@pytest.mark.parametrize("ending", ["eps", "svg"])
def test_a_format_that_cannot_be_read_is_refused_with_those_that_can(
    trained: TrainedNetwork, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"picture.{ending}"
    path.write_text("<svg/>") if ending == "svg" else noise(32, 32).save(path)
    with pytest.raises(ValueError, match=r"picture\.\w+' cannot be read .*; PNG, JPEG, GIF, WebP, BMP and TIFF can"):
        trained.classify(path)


def test_a_truncated_picture_is_refused(trained: TrainedNetwork, tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    noise(64, 64).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"half.png' cannot be read as a picture"):
        trained.classify(path)
