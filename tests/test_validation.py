"""Validation images: held out by a recipe, never trained on, tested after every epoch, and recorded."""

import signal
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import small_runs
import torch
from small_runs import NAME, RECIPE, TEST, TRAIN, add_tiny_experiment, same_weights, tiny

from resnet_book import augment, data, train
from resnet_book.engine import checkpoints, machine
from resnet_book.engine.device import Engine, begin_peak_memory
from resnet_book.engine.machine import Part
from resnet_book.experiments import records
from resnet_book.experiments.checked_json import RecordError
from resnet_book.models import Network
from resnet_book.recipe import History
from resnet_book.state import Training

pytestmark = pytest.mark.slow

HOLDING_OUT = replace(RECIPE, validation_images=64)  # 192 are left: three epochs of six iterations, and two
KEPT, HELD_OUT = data.hold_out(TRAIN, HOLDING_OUT.validation_images, HOLDING_OUT.validation_seed)


def held_out_places() -> torch.Tensor:
    """Where in ``TRAIN`` the images lie that are held out."""
    numbered = replace(TRAIN, labels=torch.arange(len(TRAIN)), class_names=tuple(map(str, range(len(TRAIN)))))
    return data.hold_out(numbered, HOLDING_OUT.validation_images, HOLDING_OUT.validation_seed)[1].labels


fit = partial(small_runs.fit, recipe=HOLDING_OUT)


class Whole(NamedTuple):
    network: Network
    history: History
    checkpoint: Path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run with images held out; what it leaves is not to be changed."""
    network, path = tiny(), tmp_path_factory.mktemp("whole") / "checkpoint"
    return Whole(network, fit(network, checkpoint=path), path)


# --- Training -------------------------------------------------------------------------------------------------------


def test_every_epoch_tells_the_error_on_the_images_held_out(whole: Whole) -> None:
    network, history, _ = whole
    assert [epoch.iteration for epoch in history.epochs] == [6, 12, 18, 20]
    assert all(epoch.validation_error is not None for epoch in history.epochs)
    last = history.epochs[-1]
    expected = train.evaluate(network, HELD_OUT, history.mean, history.std)
    assert (last.validation_loss, last.validation_error) == expected
    loss, error = train.evaluate(network, TEST, history.mean, history.std)
    assert (last.test_loss, last.test_error) == (pytest.approx(loss, rel=1e-6), error)


def test_a_recipe_that_holds_out_nothing_leaves_no_validation_errors() -> None:
    history = small_runs.fit(tiny())
    assert all(epoch.validation_error is epoch.validation_loss is None for epoch in history.epochs)


def test_training_is_that_on_the_kept_images_alone(whole: Whole) -> None:
    alone = tiny()
    expected = small_runs.fit(alone, images=KEPT)
    assert same_weights(whole.network, alone)
    without = [replace(epoch, validation_loss=None, validation_error=None) for epoch in whole.history.epochs]
    assert without == expected.epochs


def test_other_pixels_in_the_images_held_out_change_their_error_and_not_the_weights(whole: Whole) -> None:
    pixels = TRAIN.images.clone()
    pixels[held_out_places()] = 255 - pixels[held_out_places()]
    other = tiny()
    changed = fit(other, images=replace(TRAIN, images=pixels))
    assert same_weights(whole.network, other)
    assert whole.history.epochs[-1].validation_loss != changed.epochs[-1].validation_loss
    assert [epoch.test_loss for epoch in whole.history.epochs] == [epoch.test_loss for epoch in changed.epochs]


def test_other_labels_of_the_images_held_out_change_their_error_and_not_the_weights(whole: Whole) -> None:
    labels, other = TRAIN.labels.clone(), tiny()
    network, history, _ = whole
    mean, std = (torch.tensor(values) for values in (history.mean, history.std))
    with torch.no_grad():
        answered = deepcopy(network).eval()(augment.normalise(HELD_OUT.images, mean, std)).argmax(dim=1)
    labels[held_out_places()] = (answered + 1) % 10
    changed = fit(other, images=replace(TRAIN, labels=labels))
    assert same_weights(network, other)
    assert changed.epochs[-1].validation_error == 100


def test_other_pixels_in_a_kept_image_change_the_weights(whole: Whole) -> None:
    pixels = TRAIN.images.clone()
    kept = next(place for place in range(len(TRAIN)) if place not in held_out_places())
    pixels[kept] = 255 - pixels[kept]
    other = tiny()
    fit(other, images=replace(TRAIN, images=pixels))
    assert not same_weights(whole.network, other)


def test_the_mean_that_is_subtracted_is_that_of_the_kept_images(whole: Whole) -> None:
    mean, std = augment.channel_mean_std(KEPT.images)
    assert (whole.history.mean, whole.history.std) == (tuple(mean.tolist()), tuple(std.tolist()))
    assert whole.history.mean != tuple(augment.channel_mean_std(TRAIN.images)[0].tolist())


def test_the_seed_of_the_run_does_not_choose_the_images_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(train, "hold_out", lambda *arguments: seen.append(arguments[1:]) or data.hold_out(*arguments))
    for seed in (0, 1):
        fit(tiny(), seed=seed)
    assert seen == [(64, 0), (64, 0)]


def test_a_run_that_was_interrupted_ends_with_the_same_validation_errors(whole: Whole, tmp_path: Path) -> None:
    def stop(finished: int, _: History) -> None:
        if finished == 12:
            signal.raise_signal(signal.SIGINT)

    resumed = tiny(seed=9)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), checkpoint=tmp_path / "checkpoint", on_step=stop)
    assert fit(resumed, checkpoint=tmp_path / "checkpoint").epochs == whole.history.epochs
    assert same_weights(resumed, whole.network)


@pytest.mark.parametrize(
    "changes", [{"validation_images": 0}, {"validation_images": 65}, {"validation_seed": 1}], ids=str
)
def test_a_checkpoint_is_not_taken_up_with_other_images_held_out(changes: dict[str, int], whole: Whole) -> None:
    other = replace(HOLDING_OUT, **changes)
    with pytest.raises(checkpoints.CheckpointError, match="belongs to another run"):
        fit(tiny(), recipe=other, checkpoint=whole.checkpoint)


@pytest.mark.parametrize("count", [256, 1_000])
def test_holding_out_all_images_is_refused_before_the_training(count: int) -> None:
    with pytest.raises(
        ValueError, match=rf"count={count} \(validation_images of a recipe\): hold out 0 to 255 of 256 images"
    ):
        fit(tiny(), recipe=replace(RECIPE, validation_images=count))


def test_a_batch_larger_than_what_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch_size=32: larger than the training set \(31 images\)"):
        fit(tiny(), recipe=replace(RECIPE, validation_images=225))


# --- Records --------------------------------------------------------------------------------------------------------


@pytest.fixture
def record(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> records.Record:
    """The record of a run with images held out."""
    add_tiny_experiment(monkeypatch, HOLDING_OUT)
    return records.make_record(NAME, 0, (TRAIN, TEST), whole.network, whole.history)


def test_a_record_keeps_the_validation_errors(record: records.Record, tmp_path: Path) -> None:
    read = records.load_record(records.save_record(record, tmp_path))
    assert read == record
    assert read.recipe["validation_images"] == HOLDING_OUT.validation_images
    assert all(epoch.validation_error is not None for epoch in read.epochs)


def test_a_record_where_one_validation_error_is_missing_is_refused(record: records.Record, tmp_path: Path) -> None:
    epochs = [*record.epochs[:-1], replace(record.epochs[-1], validation_error=None)]
    path = records.save_record(record.model_copy(update={"epochs": epochs}), tmp_path)
    with pytest.raises(RecordError, match="validation_loss or validation_error is amiss"):
        records.load_record(path)


def test_a_record_with_validation_errors_that_its_recipe_does_not_explain_is_refused(
    record: records.Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_experiment(monkeypatch, replace(HOLDING_OUT, validation_images=0))
    recipe = {**record.recipe, "validation_images": 0}
    path = records.save_record(record.model_copy(update={"recipe": recipe}), tmp_path)
    with pytest.raises(RecordError, match="epochs"):
        records.load_record(path)


def test_the_memory_of_a_run_on_a_gpu_and_a_cpu_counts_as_not_measured() -> None:
    def measured(cuda: str | None) -> int:
        training = Training(tiny(), {"train": TRAIN, "test": TEST}, RECIPE, 0, Engine())
        part = Part(0, 1, 1.0, started="", **{**machine.describe("cpu", "float32", False), "cuda": cuda})
        training.history.parts, training.history.peak_memory, training.iteration = [part], 2**49, 1
        training.finish_epoch({"test_loss": 1.0, "test_error": 1.0})
        return training.history.peak_memory

    assert (measured(None), measured("12.8")) == (2**49, 0)


def test_the_memory_of_a_gpu_is_that_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[object]()
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", asked.append)
    Training(tiny(), {"train": TRAIN, "test": TEST}, RECIPE, 0, Engine())
    assert asked == []
    begin_peak_memory("cuda:1")
    assert asked == ["cuda:1"]


def test_peak_memory_is_measured_on_a_cpu() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell the memory of a process")
    before = fit(tiny()).peak_memory
    assert before > 50e6  # torch alone takes more
    much = torch.ones(before // 4)  # four bytes each: as much again
    assert fit(tiny()).peak_memory > 1.5 * before
    del much
