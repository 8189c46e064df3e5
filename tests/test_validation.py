"""Validation images: held out by a recipe, never trained on, tested after every epoch, and recorded."""

import itertools
import json
import signal
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from small_runs import NAME, RECIPE, TEST, TRAIN, add_tiny_experiment, same_weights, tiny

from resnet_book import augment, data, train
from resnet_book.engine import checkpoints
from resnet_book.experiments import records
from resnet_book.history import History
from resnet_book.models import Network

pytestmark = pytest.mark.usefixtures("one_thread")

HOLDING_OUT = replace(RECIPE, validation_images=64)  # 192 are left: three epochs of six iterations, and two
KEPT, HELD_OUT = data.hold_out(TRAIN, HOLDING_OUT.validation_images, HOLDING_OUT.validation_seed)


def held_out_places() -> torch.Tensor:
    """Where in ``TRAIN`` the images lie that are held out."""
    numbered = replace(TRAIN, labels=torch.arange(len(TRAIN)))
    return data.hold_out(numbered, HOLDING_OUT.validation_images, HOLDING_OUT.validation_seed)[1].labels


def fit(network: Network, images: data.ImageSet = TRAIN, checkpoint: Path | None = None) -> History:
    return train.fit(network, images, TEST, HOLDING_OUT, checkpoint=checkpoint, progress=False)


# --- Training -------------------------------------------------------------------------------------------------------


def test_every_epoch_tells_the_error_on_the_images_held_out() -> None:
    network = tiny()
    history = fit(network)
    assert [epoch.iteration for epoch in history.epochs] == [6, 12, 18, 20]
    assert all(epoch.validation_error is not None for epoch in history.epochs)
    last = history.epochs[-1]
    expected = train.evaluate(network, HELD_OUT, history.mean, history.std)
    assert (last.validation_loss, last.validation_error) == expected
    assert (last.test_loss, last.test_error) == train.evaluate(network, TEST, history.mean, history.std)


def test_a_recipe_that_holds_out_nothing_leaves_no_validation_errors() -> None:
    history = train.fit(tiny(), TRAIN, TEST, RECIPE, progress=False)
    assert all(epoch.validation_error is epoch.validation_loss is None for epoch in history.epochs)


def test_training_is_that_on_the_kept_images_alone() -> None:
    network, alone = tiny(), tiny()
    history = fit(network)
    expected = train.fit(alone, KEPT, TEST, RECIPE, progress=False)
    assert same_weights(network, alone)
    without = [replace(epoch, validation_loss=None, validation_error=None) for epoch in history.epochs]
    assert without == expected.epochs


def test_other_pixels_in_the_images_held_out_change_their_error_and_not_the_weights() -> None:
    pixels = TRAIN.images.clone()
    pixels[held_out_places()] = 255 - pixels[held_out_places()]
    network, other = tiny(), tiny()
    history, changed = fit(network), fit(other, replace(TRAIN, images=pixels))
    assert same_weights(network, other)
    assert history.epochs[-1].validation_loss != changed.epochs[-1].validation_loss
    assert [epoch.test_loss for epoch in history.epochs] == [epoch.test_loss for epoch in changed.epochs]


def test_other_labels_of_the_images_held_out_change_their_error_and_not_the_weights() -> None:
    labels = TRAIN.labels.clone()
    network, other = tiny(), tiny()
    history = fit(network)
    mean, std = (torch.tensor(values) for values in (history.mean, history.std))
    with torch.no_grad():
        answered = network.eval()(augment.normalise(HELD_OUT.images, mean, std)).argmax(dim=1)
    labels[held_out_places()] = (answered + 1) % 10
    changed = fit(other, replace(TRAIN, labels=labels))
    assert same_weights(network, other)
    assert changed.epochs[-1].validation_error == 100


def test_other_pixels_in_a_kept_image_change_the_weights() -> None:
    pixels = TRAIN.images.clone()
    kept = next(place for place in range(len(TRAIN)) if place not in held_out_places())
    pixels[kept] = 255 - pixels[kept]
    network, other = tiny(), tiny()
    fit(network)
    fit(other, replace(TRAIN, images=pixels))
    assert not same_weights(network, other)


def test_the_mean_that_is_subtracted_is_that_of_the_kept_images() -> None:
    mean, std = augment.channel_mean_std(KEPT.images)
    history = fit(tiny())
    assert (history.mean, history.std) == (tuple(mean.tolist()), tuple(std.tolist()))
    assert history.mean != tuple(augment.channel_mean_std(TRAIN.images)[0].tolist())


def test_the_seed_of_the_run_does_not_choose_the_images_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(train, "hold_out", lambda *arguments: seen.append(arguments[1:]) or data.hold_out(*arguments))
    for seed in (0, 1):
        train.fit(tiny(), TRAIN, TEST, HOLDING_OUT, seed=seed, progress=False)
    assert seen == [(64, 0), (64, 0)]


@pytest.mark.parametrize("iteration", [4, 12, 19])
def test_a_run_that_was_interrupted_ends_with_the_same_validation_errors(iteration: int, tmp_path: Path) -> None:
    def stop(finished: int, _: History) -> None:
        if finished == iteration:
            signal.raise_signal(signal.SIGINT)

    whole, resumed = tiny(), tiny(seed=9)
    history = fit(whole)
    with pytest.raises(KeyboardInterrupt):
        train.fit(tiny(), TRAIN, TEST, HOLDING_OUT, checkpoint=tmp_path / "checkpoint", progress=False, on_step=stop)
    assert fit(resumed, checkpoint=tmp_path / "checkpoint").epochs == history.epochs
    assert same_weights(resumed, whole)


@pytest.mark.parametrize(
    "changes", [{"validation_images": 0}, {"validation_images": 65}, {"validation_seed": 1}], ids=str
)
def test_a_checkpoint_is_not_taken_up_with_other_images_held_out(changes: dict[str, int], tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    fit(tiny(), checkpoint=path)
    other = replace(HOLDING_OUT, **changes)
    with pytest.raises(checkpoints.CheckpointError, match="belongs to another run"):
        train.fit(tiny(), TRAIN, TEST, other, checkpoint=path, progress=False)


@pytest.mark.parametrize("count", [-1, 256, 1_000])
def test_holding_out_all_images_or_fewer_than_none_is_refused_before_the_training(count: int) -> None:
    with pytest.raises(ValueError, match=f"count={count}: hold out 0 to 255 of 256 images"):
        train.fit(tiny(), TRAIN, TEST, replace(RECIPE, validation_images=count), progress=False)


def test_a_batch_larger_than_what_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch_size=32: larger than the training set \(31 images\)"):
        train.fit(tiny(), TRAIN, TEST, replace(RECIPE, validation_images=225), progress=False)


# --- Records --------------------------------------------------------------------------------------------------------


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> records.Record:
    """The record of a run with images held out."""
    add_tiny_experiment(monkeypatch, HOLDING_OUT)
    network = tiny()
    return records.make_record(NAME, 0, (TRAIN, TEST), network, {}, "", fit(network), top5_error=10.0)


def test_a_record_keeps_the_validation_errors_and_has_nothing_wrong(record: records.Record, tmp_path: Path) -> None:
    read = records.load_record(records.save_record(record, tmp_path))
    assert read == record
    assert records.check(read) == []
    assert read.recipe["validation_images"] == 64
    assert all(epoch.validation_error is not None for epoch in read.epochs)


def test_a_record_where_one_validation_error_is_missing_is_found(record: records.Record) -> None:
    epochs = [*record.epochs[:-1], replace(record.epochs[-1], validation_error=None)]
    (problem,) = records.check(replace(record, epochs=epochs))
    assert problem.startswith("it has validation errors where its recipe holds out no images, or none where it does")


def test_a_record_with_validation_errors_that_its_recipe_does_not_explain_is_found(
    record: records.Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_experiment(monkeypatch, RECIPE)
    recipe = {**record.recipe, "validation_images": 0}
    (problem,) = records.check(replace(record, recipe=recipe))
    assert problem.startswith("it has validation errors where its recipe holds out no images")


@pytest.mark.parametrize("field", ["validation_error", "top5_error", "superclass_error"])
def test_a_record_with_an_error_above_100_percent_is_found(field: str, record: records.Record) -> None:
    if field == "validation_error":
        wrong = replace(record, epochs=[*record.epochs[:-1], replace(record.epochs[-1], validation_error=101.0)])
    else:
        wrong = replace(record, **{field: 101.0})
    assert records.check(wrong) == ["an error is not between 0 and 100 %"]


def test_what_a_run_without_images_held_out_recorded_before_there_were_any_is_still_sound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A record of an older program: without the fields of recipe, epochs and record that are younger."""
    add_tiny_experiment(monkeypatch)
    network = tiny()
    history = train.fit(network, TRAIN, TEST, RECIPE, progress=False)
    record = records.make_record(NAME, 0, (TRAIN, TEST), network, {}, "", history)
    path = records.save_record(record, tmp_path)
    fields = json.loads(path.read_text())
    for young, of in (
        (("validation_images", "validation_seed"), [fields["recipe"]]),
        (("validation_loss", "validation_error"), fields["epochs"]),
        (("top5_error", "superclass_error"), [fields]),
    ):
        for each, name in itertools.product(of, young):
            del each[name]
    path.write_text(json.dumps(fields))
    read = records.load_record(path)
    assert records.check(read) == []
    assert [asdict(epoch) for epoch in read.epochs] == [asdict(epoch) for epoch in record.epochs]
    assert (read.top5_error, read.superclass_error) == (None, None)


def test_peak_memory_is_measured_on_a_cpu() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell the memory of a process")
    before = fit(tiny()).peak_memory
    assert before > 50e6  # torch alone takes more
    much = torch.ones(before // 4)  # four bytes each: as much again
    assert fit(tiny()).peak_memory > 1.5 * before
    del much
