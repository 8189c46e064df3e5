"""A study holds what the picture and the numbers need, comes back whole from its file, and belongs to its run."""

import dataclasses
import hashlib
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from resnet_book import augment, data, features
from resnet_book.analysis import study
from resnet_book.analysis.study import Study
from resnet_book.experiments import records, studies, study_files
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.study_files import StudyError
from resnet_book.models import Network
from resnet_book.report import feature_picture, study_figures

RESULTS = Path(__file__).parent.parent / "results"
KEPT = sorted(RESULTS.glob("*/seed*.study.safetensors"))
NAME = "resnet20-builtin-smoke"
MEAN, STD = (120.0, 121.0, 122.0), (60.0, 61.0, 62.0)


def small(shortcut: str | None = "average", seed: int = 0) -> Network:
    generator = torch.Generator().manual_seed(seed)
    return Network((4, 6), (1, 1), shortcut=shortcut, generator=generator)


@pytest.fixture(scope="module")
def test() -> data.ImageSet:
    return data.load("builtin", "test").subset(60)


@pytest.fixture(scope="module")
def made(test: data.ImageSet) -> Study:
    train, network = data.load("builtin", "train").subset(100), small(seed=1)
    values = features.extract(network, test, MEAN, STD)
    return study.make(network, values, small(), train, test, MEAN, STD, k=4)


def same(one: Study, other: Study, but: tuple[str, ...] = ()) -> bool:
    pairs = (
        (getattr(one, name.name), getattr(other, name.name))
        for name in dataclasses.fields(Study)
        if name.name not in but
    )
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def test_a_study_ranks_as_features_do(made, test):
    values = features.extract(small(seed=1), test, MEAN, STD)
    least, most = features.rank(values, 4)
    assert torch.equal(made.least, least)
    assert torch.equal(made.most, most)
    assert torch.equal(made.zeros, (values == 0).sum(dim=0))


def test_its_file_gives_it_back_but_for_the_maps_last_digits(made, tmp_path):
    path = tmp_path / "folder" / "seed0.study.safetensors"
    loaded = study_files.load(path, study_files.save(made, path))
    assert same(loaded, made, but=("map",))
    torch.testing.assert_close(loaded.map, made.map, rtol=1e-3, atol=1e-3)
    assert study.summary(loaded) == study.summary(made)


def test_superclasses_come_back_too(made, tmp_path):
    superclasses = torch.arange(10) // 5
    whole = dataclasses.replace(made, superclass_names=("this", "that"), superclasses=superclasses)
    checksum = study_files.save(whole, str(tmp_path / "s"))
    loaded = study_files.load(str(tmp_path / "s"), checksum)
    assert loaded.superclass_of_class == {name: "this" if i < 5 else "that" for i, name in enumerate(made.class_names)}


def test_fewer_images_of_a_row_are_the_outermost(made):
    assert torch.equal(made.first(2).most, made.most[:, :2])
    assert made.first(2).k == 2


@pytest.mark.parametrize("k", [0, 5])
def test_more_images_than_a_study_holds_are_refused(made, k):
    with pytest.raises(
        ValueError, match=f"k={k}: choose a whole number from 1 to 4, the number of images that this study"
    ):
        made.first(k)


def test_the_purest_rows_come_first(made):
    purities = made.purity[made.purest_first]
    assert torch.equal(purities, purities.sort(descending=True).values)
    assert sorted(made.purest_first.tolist()) == list(range(6))


def test_a_feature_that_is_nearly_always_zero_is_left_out_of_the_means(made):
    silent = made.zeros.clone()
    silent[0] = 57  # of 60 images: three are ranked, and the fourth of its row is a tie
    numbers = study.summary(dataclasses.replace(made, zeros=silent))
    assert numbers["purity"] == pytest.approx(made.purity[1:].mean().item())


def test_measuring_batch_norm_changes_statistics_and_no_weight(test):
    network = small().train(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    features.measure_batch_norm(network, test, MEAN, STD, batch_size=20)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.rsplit(".", 1)[1] for name in changed} == {"running_mean", "running_var", "num_batches_tracked"}
    assert not network.training
    assert all(module.momentum == 0.1 for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d))


def test_measured_statistics_make_the_features_those_of_training_mode(test):
    network = small()
    features.measure_batch_norm(network, test, MEAN, STD, batch_size=60)
    evaluated = features.extract(network, test, MEAN, STD)
    with torch.no_grad():
        trained = network.train().features(augment.normalise(test.images, torch.tensor(MEAN), torch.tensor(STD)))
    torch.testing.assert_close(evaluated, trained, rtol=0.05, atol=0.05)  # variance of 60 x 1,024 values, or one less


def test_features_of_other_images_or_of_another_network_are_refused(test):
    network, values = small(), torch.zeros(60, 6)
    for wrong in (values[:59], values[:, :5]):
        with pytest.raises(ValueError, match=r"values: expected \(60, 6\)"):
            study.make(network, wrong, small(), test, test, MEAN, STD)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"values": torch.full((60, 6), torch.nan)}, "features: some are not finite"),
        ({"values": torch.ones(60, 6, dtype=torch.int64)}, "features: expected floats"),
        ({"k": 61}, "k=61: .* the number of images"),
        ({"mean": (0.5, 0.5, 0.5)}, "mean=.* units of 0 to 1"),
        ({"std": (60.0, -1.0, 60.0)}, "std=-1"),
        ({"train": "none"}, "images: the set is empty"),
        ({"train": "others"}, "test: its class_names are not those of train"),
        ({"network": 12}, "test: it has 10 classes, network 12"),
        ({"untrained": 12}, "untrained: it has other layers, shapes or shortcuts"),
        ({"shortcut": None}, "untrained: it has other layers, shapes or shortcuts"),
        ({"shortcut": "subsample"}, "untrained: it has other layers, shapes or shortcuts"),
    ],
)
def test_what_cannot_be_studied_is_refused_and_the_untrained_network_is_not_measured(test, wrong, message):
    sets = {"none": test.subset(0), "others": dataclasses.replace(test, class_names=tuple("abcdefghij"))}
    asked = {"values": torch.ones(60, 6), "train": "test", "mean": MEAN, "std": STD, "k": 4} | wrong
    shortcuts = {"network": "average", "untrained": asked.get("shortcut", "average")}
    networks = [Network((4, 6), (1, 1), shortcut, asked.get(each, 10)) for each, shortcut in shortcuts.items()]
    before = {name: each.clone() for name, each in networks[1].state_dict().items()}
    train = sets.get(asked["train"], test)
    with pytest.raises(ValueError, match=message):
        study.make(networks[0], asked["values"], networks[1], train, test, asked["mean"], asked["std"], k=asked["k"])
    assert all(torch.equal(each, before[name]) for name, each in networks[1].state_dict().items())


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_is_no_study_is_refused_even_if_its_checksum_is_recorded(tmp_path, content):
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(StudyError, match=r"is not a feature study .*or delete it"):
        study_files.load(tmp_path / "s", hashlib.sha256(content).hexdigest())


def test_another_study_than_the_one_that_the_run_left_is_refused(made, tmp_path):
    study_files.save(made, tmp_path / "s")
    for recorded in (None, 64 * "a"):
        with pytest.raises(StudyError, match=r"another SHA-256.*Restore it"):
            study_files.load(tmp_path / "s", recorded)


def test_a_missing_study_says_so(tmp_path):
    with pytest.raises(StudyError, match="features were not studied"):
        study_files.load(tmp_path / "some-run" / "seed3.study.safetensors", 64 * "a")


def test_there_are_studies_to_show_in_the_book():
    named = {path.parent.name for path in KEPT}
    assert named >= {NAME, "plain20-builtin-smoke"}
    assert named >= {f"{kind}{depth}-cifar10-short" for kind in ("plain", "resnet") for depth in (20, 56)}


def test_a_kept_study_is_small_and_of_the_recorded_network():
    for path in KEPT:
        record = records.load_record(path.with_name(path.name.replace(".study.safetensors", ".json")))
        found = study_files.load(path, record.study_sha256)
        wrong = (found.predicted != found.labels).sum().item()
        few = 100 * 3 / len(found.labels)  # a network on a GPU may be studied on a CPU, which rounds differently
        assert 100 * wrong / len(found.labels) == pytest.approx(record.test_error, abs=few), path
        assert found.test_sha256 == record.dataset["test"]["sha256"], path
        assert found.most.shape[1] == study.IMAGES_AT_EACH_END, path
        assert path.stat().st_size < 150_000 + found.most.shape[0] * (300 + 12 * len(found.class_names)), path


@pytest.mark.slow
def test_the_kept_study_is_that_of_the_kept_weights(tmp_path):
    results = without_weights(tmp_path, keep_study=False)
    (results / NAME / "seed0.safetensors").write_bytes((RESULTS / NAME / "seed0.safetensors").read_bytes())
    longer, kept = studies.find_study(NAME, k=11, results=results), studies.kept_study(NAME, results=RESULTS)
    assert kept is not None
    assert longer.k == 11
    again = longer.first(10)
    assert (again.predicted != kept.predicted).sum() <= 3  # other machines round differently
    torch.testing.assert_close(again.class_means, kept.class_means, rtol=1e-3, atol=1e-4)
    assert (again.most == kept.most).double().mean() > 0.99  # near ties may turn on another machine


def without_weights(tmp_path: Path, *, keep_study: bool) -> Path:
    """A results folder with the record of ``NAME``, and maybe its study, and no weights."""
    folder = tmp_path / "results" / NAME
    folder.mkdir(parents=True)
    for name in ("seed0.json", *(["seed0.study.safetensors"] if keep_study else [])):
        (folder / name).write_bytes((RESULTS / NAME / name).read_bytes())
    return tmp_path / "results"


def test_a_study_is_found_without_weights(tmp_path):
    found = studies.find_study(NAME, k=3, results=without_weights(tmp_path, keep_study=True))
    assert found.k == 3


def test_more_images_than_were_kept_need_the_weights(tmp_path):
    with pytest.raises(RecordError, match="weights were not kept"):
        studies.find_study(NAME, k=11, results=without_weights(tmp_path, keep_study=True))


def test_a_record_without_study_and_weights_says_what_to_do(tmp_path):
    with pytest.raises(RecordError, match=f"resnet-book run {NAME} --seed 0"):
        studies.find_study(NAME, results=without_weights(tmp_path, keep_study=False))


@pytest.mark.parametrize("k", [0, 1_001])
def test_no_more_images_than_the_test_set_has_are_ranked(k):
    with pytest.raises(ValueError, match=f"k={k}: choose a whole number from 1 to 1,000, the number of test images"):
        studies.find_study(NAME, k=k, results=RESULTS)


def test_a_damaged_study_is_never_shown_and_not_replaced_in_silence(tmp_path):
    results = without_weights(tmp_path, keep_study=True)
    (results / NAME / "seed0.study.safetensors").write_bytes(b"damaged")
    with pytest.raises(StudyError, match="another SHA-256"):
        studies.find_study(NAME, results=results)


# --- The picture ----------------------------------------------------------------------------------------------------


def test_the_picture_shows_the_images_in_the_order_of_the_rows(made, test):
    rows = torch.tensor([5, 2])
    picture = feature_picture.draw(made, test, "title", rows)
    side = 32 + 2 * feature_picture.FRAME + feature_picture.GAP
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(picture.height, picture.width, 3)
    for half, indices in ((0, made.least), (1, made.most)):
        x = feature_picture.MARGIN + feature_picture.LABEL + half * (made.k * side + feature_picture.MIDDLE)
        for row, feature in enumerate(rows.tolist()):
            y = picture.height - feature_picture.MARGIN - (2 - row) * side
            for place, index in enumerate(indices[feature].tolist()):
                left, top = x + place * side + feature_picture.FRAME, y + feature_picture.FRAME
                assert torch.equal(pixels[top : top + 32, left : left + 32], test.images[index].movedim(0, -1))
                red, green, blue = pixels[y, left].tolist()
                colour = feature_picture.class_colours(10)[int(test.labels[index])]
                assert f"#{red:02X}{green:02X}{blue:02X}" == colour


def test_the_picture_of_all_features_is_not_much_longer_than_wide(made, test):
    many = dataclasses.replace(
        made,
        **{name: getattr(made, name).repeat(50, 1) for name in ("least", "most", "untrained_most")},
        zeros=made.zeros.repeat(50),
        class_means=made.class_means.repeat(1, 50),
    )
    width, height = feature_picture.draw(many, test, "title").size
    assert 0.5 < width / height < 2


def test_a_picture_beyond_all_memory_is_refused(made, test, monkeypatch):
    monkeypatch.setattr(feature_picture, "MAX_PIXELS", 100_000)
    with pytest.raises(ValueError, match="Choose a smaller k"):
        feature_picture.draw(made, test, "title")


def test_a_picture_of_other_images_is_refused(made, test):
    with pytest.raises(StudyError, match="of other images"):
        feature_picture.draw(made, test.subset(59), "title")


def test_a_hundred_classes_are_coloured_by_their_superclass(made):
    whole = dataclasses.replace(made, superclass_names=("this", "that"), superclasses=torch.arange(10) // 5)
    names, group = feature_picture.groups(whole)
    assert names == ("this", "that")
    assert torch.equal(group, made.labels // 5)


@pytest.mark.parametrize("count", [2, 10, 20])
def test_classes_have_different_colours(count):
    assert len(set(feature_picture.class_colours(count))) == count


def test_the_picture_for_a_page_is_the_same_picture_in_a_smaller_file(made, test):
    picture = feature_picture.draw(made, test, "t")
    file = feature_picture.as_jpeg(picture)
    with Image.open(BytesIO(file)) as found:
        assert found.format == "JPEG"
        assert found.size == picture.size
        difference = np.asarray(found, dtype=float) - np.asarray(picture, dtype=float)
    assert np.abs(difference).mean() < 8  # of 255


# --- Figures --------------------------------------------------------------------------------------------------------


def test_the_classes_of_the_rows_are_drawn_purest_first(made, ax):
    cells = np.asarray(study_figures.show_row_classes(made, ax).images[0].get_array())
    assert cells.shape == (6, 9)
    assert cells[0, 5:].tolist() == made.labels[made.most[made.purest_first[0]]].tolist()
    assert (cells[:, 4] == 10).all()  # between the halves: no class


def test_of_many_features_every_so_manieth_is_drawn_at_its_place(made, ax):
    image = study_figures.show_row_classes(made, ax, every=4).images[0]
    cells = np.asarray(image.get_array())
    assert cells[:, 5:].tolist() == made.labels[made.most[made.purest_first[[0, 4]]]].tolist()
    assert list(image.get_extent()) == [-0.5, 8.5, 7.5, -0.5]
    with pytest.raises(ValueError, match="every=0"):
        study_figures.show_row_classes(made, ax, every=0)


def test_every_image_is_a_dot_of_its_class_on_the_map(made, ax):
    study_figures.plot_positions(made.map, made.labels, made.class_names, ax, made.map_shares)
    dots = ax.collections[0]
    assert np.shape(dots.get_offsets()) == (60, 2)
    assert ax.get_xlabel().endswith(" %)")
    assert ax.get_aspect() == 1
    assert ax.get_legend_handles_labels()[1][6] == "bow tie"


def test_means_are_drawn_for_each_network_before_and_after_training(made):
    kinds = {"one": ("plain", 29.51), "two": ("residual", 8.2)}
    frame = pd.DataFrame(
        {name: {**study.summary(made), "kind": kind, "test_error": error} for name, (kind, error) in kinds.items()}
    ).T
    _, ax = plt.subplots()
    study_figures.plot_means(frame, ax, "purity", "purity")
    ways = [np.asarray(line.get_xdata(), dtype=float) for line in ax.lines if np.shape(line.get_xdata()) == (2,)]
    expected = [frame[each].iloc[0] for each in ("untrained_purity", "purity")]
    assert [way.tolist() for way in ways[:2]] == [expected, expected]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["one (29.5 %)", "two (8.2 %)"]
    words = ax.get_legend_handles_labels()[1]
    assert words[:2] == ["plain, before training", "plain, trained"]
