"""The trainer does what the recipe says, measures what it says it measures, and disturbs nothing else."""

# pyright: reportArgumentType=false
# Values of other types than the annotated ones are what some tests are about.

import platform
import random
import re
import shutil
import signal
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_runs import RECIPE, TEST, TRAIN, fit, same_weights, tiny
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from resnet_book import augment, data, features, models, train
from resnet_book.data import ImageSet
from resnet_book.engine.callbacks import KeepFeatures, ProgressBar, TensorBoard
from resnet_book.engine.checkpointing import Checkpoint
from resnet_book.engine.device import CPU, Engine, can_compile, kernels, worth_compiling
from resnet_book.experiments import catalogue
from resnet_book.recipe import Recipe
from resnet_book.state import Meter, Training, epoch_seed

MEAN, STD = (120.0, 121.0, 122.0), (60.0, 61.0, 62.0)
SETS = {"images": TRAIN, "test": TEST}


# --- The recipe -----------------------------------------------------------------------------------------------------

SCHEDULES = {
    "resnet20-cifar10": [(0, 0.1), (31_999, 0.1), (32_000, 0.01), (47_999, 0.01), (48_000, 0.001), (63_999, 0.001)],
    "resnet20-cifar10-short": [(0, 0.1), (999, 0.1), (1_000, 0.01), (1_499, 0.01), (1_500, 0.001), (1_999, 0.001)],
    "resnet110-cifar10": [(0, 0.01), (399, 0.01), (400, 0.1), (31_999, 0.1), (32_000, 0.01), (48_000, 0.001)],
    "plain110-cifar10-short": [(0, 0.01), (11, 0.01), (12, 0.1), (999, 0.1), (1_000, 0.01), (1_500, 0.001)],
    "resnet18-cifar100": [(0, 0.1), (38_999, 0.1), (39_000, 0.01), (77_999, 0.01), (78_000, 0.001)],
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_learning_rate_steps_at_exactly_the_iterations_of_the_recipe(name: str) -> None:
    recipe = catalogue.get(name).recipe
    assert [(i, recipe.learning_rate_at(i)) for i, _ in SCHEDULES[name]] == [
        (i, pytest.approx(rate)) for i, rate in SCHEDULES[name]
    ]


def test_the_optimizer_uses_the_learning_rate_of_the_recipe_at_every_step() -> None:
    used = []
    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: used.append(float(optimizer.param_groups[0]["lr"])))
    try:
        fit(tiny(), recipe=replace(RECIPE, warmup_iterations=3))
    finally:
        handle.remove()
    assert used == pytest.approx([0.01] * 3 + [0.1] * 9 + [0.01] * 4 + [0.001] * 4)


def test_the_optimizer_has_the_momentum_and_the_weight_decay_of_the_recipe() -> None:
    used = []
    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: used.append(optimizer.param_groups))
    try:
        network = tiny()
        fit(network, recipe=replace(RECIPE, iterations=1, momentum=0.8, weight_decay=0.003))
    finally:
        handle.remove()
    assert [(len(groups), groups[0]["momentum"], groups[0]["weight_decay"]) for groups in used] == [(1, 0.8, 0.003)]
    assert len(used[0][0]["params"]) == len(list(network.parameters()))


def test_one_step_is_stochastic_gradient_descent_on_the_augmented_batch() -> None:
    network, recipe = tiny(), replace(RECIPE, iterations=1)
    by_hand = tiny().train()
    generator = torch.Generator().manual_seed(epoch_seed(0, 0))
    batch = torch.randperm(len(TRAIN), generator=generator)[: recipe.batch_size]
    sampled = augment.sample(len(TRAIN), generator)[:, : recipe.batch_size]
    images = augment.apply(TRAIN.images[batch], sampled)
    mean, std = augment.channel_mean_std(TRAIN.images)
    loss = F.cross_entropy(by_hand(augment.normalise(images, mean, std)), TRAIN.labels[batch])
    loss.backward()
    history = fit(network, recipe=recipe)
    assert history.epochs[0].train_loss == pytest.approx(loss.item(), rel=1e-5)
    for trained, parameter in zip(network.parameters(), by_hand.parameters(), strict=True):
        assert parameter.grad is not None
        step = recipe.learning_rate * (parameter.grad + recipe.weight_decay * parameter)
        torch.testing.assert_close(trained, parameter - step, rtol=1e-4, atol=1e-5)  # float32, summed in another order


def test_an_epoch_shows_each_image_once_at_most_and_the_next_one_shuffles_anew() -> None:
    count = 100  # three batches of 32; four images sit out
    numbered = ImageSet("numbers", "train", TRAIN.images[:count], torch.arange(count), tuple(map(str, range(count))))
    training = Training(tiny(), {"train": numbered, "test": TEST}, RECIPE, 0, CPU)
    first = torch.cat([training.batches.load(plan)[1] for plan in training.plans()])
    training.iteration = training.batches.per_epoch
    assert list(training.plans()) == []  # the epoch lacks its test alone
    training.finish_epoch({"test_loss": 1.0, "test_error": 50.0})
    second = torch.cat([training.batches.load(plan)[1] for plan in training.plans()])
    assert len(first) == len(first.unique()) == len(second.unique()) == 96
    assert not torch.equal(first, second)


def test_a_batch_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch_size=512.*256 images"):
        fit(tiny(), recipe=replace(RECIPE, batch_size=512))


def test_an_empty_set_is_refused_before_the_training() -> None:
    for sets in ({"images": TRAIN.subset(0)}, {"test": TEST.subset(0)}):
        with pytest.raises(ValueError, match=r"(train|test): the set builtin \(\1\) is empty"):
            fit(tiny(), **sets)


@pytest.mark.parametrize(
    "network", [tiny(), nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))], ids=["a Network", "of one's own"]
)
@pytest.mark.parametrize("field", ["images", "test"])
def test_labels_that_the_network_has_no_class_for_are_refused_before_the_training(
    field: str, network: nn.Module
) -> None:
    sets = {name: replace(each, class_names=tuple(map(str, range(20)))) for name, each in SETS.items()}
    labels = sets[field].labels.clone()
    labels[3] = 11
    sets[field] = replace(sets[field], labels=labels)
    with pytest.raises(ValueError, match=r"labels up to 11, the network 10 classes; build one with num_classes=20"):
        fit(network, **sets, on_step=lambda *_: pytest.fail("trained"))
    with pytest.raises(ValueError, match=r"labels up to 11, the network 10 classes"):
        train.evaluate(network, sets[field], MEAN, STD)


def test_a_channel_that_is_the_same_everywhere_needs_a_std() -> None:
    pixels = TRAIN.images.clone()
    pixels[:, 2] = 0
    grey = replace(TRAIN, images=pixels)
    with pytest.raises(ValueError, match="std: a channel of the training images is the same everywhere; give"):
        fit(tiny(), images=grey)
    fit(tiny(), images=grey, recipe=replace(RECIPE, iterations=1, std=(60, 60, 60)))


def test_training_images_that_look_like_pixels_from_0_to_1_are_refused_before_the_training() -> None:
    dark = replace(TRAIN, images=TRAIN.images // 128)
    with pytest.raises(ValueError, match=r"train: the mean of the images is .*or give the recipe a mean"):
        fit(tiny(), images=dark, on_step=lambda *_: pytest.fail("trained"))
    fit(tiny(), images=dark, recipe=replace(RECIPE, iterations=1, mean=(0, 0, 0), std=(1, 1, 1)))


# --- What fit leaves ------------------------------------------------------------------------------------------------


def test_the_loss_falls() -> None:
    epochs = fit(tiny(), recipe=replace(RECIPE, iterations=64, drops=(48,))).epochs
    assert epochs[-1].train_loss < 0.9 * epochs[0].train_loss


@pytest.mark.slow
def test_a_residual_network_learns_the_builtin_images() -> None:
    network = models.narrow(8, residual=True)(generator=torch.Generator().manual_seed(0))
    images, test = data.load("builtin", "train"), data.load("builtin", "test").subset(500)
    recipe = Recipe(iterations=100, batch_size=32, drops=(80,))
    history = train.fit(network, images, test, recipe)
    assert history.epochs[-1].test_error < 70  # by chance: 90


def test_the_history_has_a_row_an_epoch_and_one_for_the_last_part_of_one() -> None:
    epochs = fit(tiny()).epochs
    assert [(epoch.iteration, epoch.learning_rate) for epoch in epochs] == [
        (8, pytest.approx(0.1)),
        (16, pytest.approx(0.01)),
        (20, pytest.approx(0.001)),
    ]


def test_the_training_error_counts_the_wrong_answers_of_the_epoch_in_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[float, int]] = []
    add = Meter.add

    def spy(meter: Meter, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        steps.append((loss.item(), int((scores.argmax(1) != labels).sum())))
        add(meter, loss, scores, labels)

    monkeypatch.setattr(Meter, "add", spy)
    epochs = fit(tiny()).epochs
    for epoch, part in zip(epochs, (steps[:8], steps[8:16], steps[16:]), strict=True):
        assert epoch.train_loss == pytest.approx(np.mean([loss for loss, _ in part]))
        assert epoch.train_error == pytest.approx(100 * sum(wrong for _, wrong in part) / (32 * len(part)))


def test_the_last_test_error_is_that_of_the_network_that_is_left() -> None:
    network = tiny()
    history = fit(network)
    last = history.epochs[-1]
    loss, error = train.evaluate(network, TEST, history.mean, history.std)
    assert (last.test_loss, last.test_error) == (pytest.approx(loss), error)


def test_the_features_of_the_test_images_give_the_recorded_loss_and_error() -> None:
    network, kept = tiny(), KeepFeatures()
    last = train.fit(network, TRAIN, TEST, RECIPE, callbacks=[kept]).epochs[-1]
    assert kept.values is not None
    assert kept.values.shape == (len(TEST), network.classifier.in_features)
    scores = features.class_scores(network, kept.values)
    assert features.loss_and_error(scores, TEST.labels) == (last.test_loss, last.test_error)


def test_the_network_sees_the_test_images_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    network, tested = tiny(), []
    network.stem.register_forward_hook(lambda stem, images, _: None if stem.training else tested.append(len(images[0])))
    epochs = fit(network).epochs
    assert sum(tested) == len(epochs) * len(TEST)


def test_a_network_of_the_readers_own_is_trained_and_has_no_features() -> None:
    own, kept = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10)), KeepFeatures()
    history = train.fit(own, TRAIN, TEST, replace(RECIPE, learning_rate=0.001), callbacks=[kept])
    assert kept.values is None
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss


def test_the_history_tells_seconds_and_images_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    add = Meter.add
    monkeypatch.setattr(Meter, "add", lambda *arguments: (time.sleep(0.01), add(*arguments)))
    history = fit(tiny())
    assert 20 * 0.01 <= history.train_seconds <= history.seconds
    assert history.images_per_second == pytest.approx(20 * 32 / history.train_seconds)


def test_images_are_normalised_by_the_training_sets_own_mean_unless_the_recipe_says_otherwise() -> None:
    mean, std = augment.channel_mean_std(TRAIN.images)
    own = fit(tiny(), recipe=replace(RECIPE, iterations=1))
    assert (own.mean, own.std) == (tuple(mean.tolist()), tuple(std.tolist()))
    given = fit(tiny(), recipe=replace(catalogue.EDGE, iterations=1))
    assert (given.mean, given.std) == ((125, 123, 114), (1, 1, 1))


# --- Randomness -----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits() -> None:
    one, two = tiny(), tiny()
    assert fit(one).epochs == fit(two).epochs
    assert same_weights(one, two)


def test_another_seed_gives_other_weights() -> None:
    one, two = tiny(), tiny()
    fit(one, seed=0)
    fit(two, seed=1)
    assert not same_weights(one, two)


def test_fit_neither_reads_nor_moves_the_global_generators() -> None:
    one, two = tiny(), tiny()
    torch.manual_seed(1)
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())  # noqa: NPY002
    fit(one)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), str(np.random.get_state())) == before[1:]  # noqa: NPY002
    torch.manual_seed(2)
    fit(two)
    assert same_weights(one, two)


# --- Progress and logs ----------------------------------------------------------------------------------------------


def test_the_progress_bar_shows_epoch_loss_errors_speed_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    train.fit(tiny(), TRAIN, TEST, RECIPE, callbacks=[ProgressBar()])
    bar = capsys.readouterr().err.split("\r")[-1]
    assert "epoch 3 of 3" in bar
    assert re.search(r"<\d\d:\d\d, +[\d.]+k? images/s", bar)
    assert re.search(r"loss \d+\.\d+, train error \d+\.\d %, test error \d+\.\d %", bar)


def test_the_progress_bar_of_a_run_that_goes_on_begins_where_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(iteration: int, _: object) -> None:
        if iteration == 11:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), checkpoint=tmp_path / "checkpoint", on_step=stop)
    train.fit(tiny(), TRAIN, TEST, RECIPE, callbacks=[Checkpoint(tmp_path / "checkpoint"), ProgressBar()])
    bars = capsys.readouterr().err.split("\r")
    assert "55%" in next(bar for bar in bars if "%" in bar)  # 11 of 20
    assert any("epoch 2 of 3" in bar for bar in bars)
    assert "100%" in bars[-1]


def test_without_callbacks_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    fit(tiny())
    assert capfd.readouterr() == ("", "")


def logged(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of every scalar in TensorBoard's files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorBoard's own imports
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(folder)).Reload()
        return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_logs_hold_errors_losses_and_learning_rate_of_every_epoch(tmp_path: Path) -> None:
    history = train.fit(tiny(), TRAIN, TEST, RECIPE, callbacks=[TensorBoard(tmp_path)])
    tags = {"learning_rate", "train_loss", "train_error", "test_loss", "test_error"}
    assert logged(tmp_path) == {
        tag: [(epoch.iteration, pytest.approx(getattr(epoch, tag))) for epoch in history.epochs] for tag in tags
    }


def test_tensorboard_logs_of_a_run_that_goes_on_hold_every_epoch_once(tmp_path: Path) -> None:
    for _ in range(2):
        calls = [Checkpoint(tmp_path / "checkpoint"), TensorBoard(tmp_path)]
        history = train.fit(tiny(), TRAIN, TEST, RECIPE, callbacks=calls)
        expected = [(epoch.iteration, pytest.approx(epoch.test_error)) for epoch in history.epochs]
        assert logged(tmp_path)["test_error"] == expected


# --- Precision and compilation --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_bfloat16_trains_and_stays_finite() -> None:
    network = tiny()
    recipe = replace(RECIPE, iterations=32, drops=())
    epochs = fit(network, recipe=recipe, engine=Engine(precision="bfloat16")).epochs
    assert epochs[-1].train_loss < epochs[0].train_loss
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


def test_the_last_test_is_in_float32_so_that_the_weights_alone_repeat_it() -> None:
    network = tiny()
    history = fit(network, engine=Engine(precision="bfloat16"))
    last = history.epochs[-1]
    loss, error = train.evaluate(network, TEST, history.mean, history.std)
    assert (last.test_loss, last.test_error) == (pytest.approx(loss, rel=1e-6), error)
    rounded, _ = train.evaluate(network, TEST, history.mean, history.std, precision="bfloat16")
    assert abs(rounded - loss) > 1e-5 * loss


@pytest.mark.parametrize(("precision", "tensorfloat"), [("float32", False), ("bfloat16", True)])
def test_a_gpu_computes_with_cudnn_and_in_float32_without_tensorfloat(precision: str, tensorfloat: bool) -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.benchmark, cudnn.allow_tf32
    with kernels("cuda", precision):
        assert (cudnn.enabled, cudnn.benchmark, cudnn.allow_tf32) == (True, True, tensorfloat)
    assert (cudnn.enabled, cudnn.benchmark, cudnn.allow_tf32) == before


def test_a_short_run_is_not_compiled_nor_any_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"g++": "/usr/bin/g++"}
    monkeypatch.setattr(shutil, "which", found.get)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("pathlib.Path.exists", lambda _: True)  # Python's headers
    short, smoke, paper = (recipe.iterations for recipe in (catalogue.SHORT, catalogue.SMOKE, catalogue.PAPER))
    assert worth_compiling(short, "cpu")
    assert not worth_compiling(smoke, "cpu")
    assert can_compile("cpu")
    assert not can_compile("mps")
    assert not worth_compiling(paper, "cuda")  # which needs a C compiler
    found["gcc"] = "/usr/bin/gcc"
    assert worth_compiling(paper, "cuda")
    assert not worth_compiling(short, "cuda")
    found.clear()
    assert not worth_compiling(short, "cpu")


@pytest.mark.parametrize("precision", ["float16", "", "double"])
def test_testing_in_an_unknown_precision_is_refused(precision: str) -> None:
    with pytest.raises(ValueError, match="float32, bfloat16"):
        train.evaluate(tiny(), TEST, MEAN, STD, precision=precision)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of the compiler's own
def test_a_compiled_run_gives_about_the_same_numbers() -> None:
    recipe = replace(RECIPE, iterations=10)
    plainly = fit(tiny(), recipe=recipe).epochs
    compiled = fit(tiny(), recipe=recipe, engine=Engine(compiled=True)).epochs
    assert [epoch.train_loss for epoch in compiled] == pytest.approx([e.train_loss for e in plainly], rel=0.01)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of the compiler's own
def test_one_compiled_run_after_the_other_is_compiled() -> None:
    recipe = replace(RECIPE, iterations=2, drops=())
    with torch._dynamo.config.patch(recompile_limit=1, fail_on_recompile_limit_hit=True):
        for width in (4, 6):
            network = models.Network((width,), (1,), shortcut="subsample")
            fit(network, recipe=recipe, engine=Engine(compiled=True))


# --- Evaluation -----------------------------------------------------------------------------------------------------


def test_evaluation_leaves_the_network_as_it_was() -> None:
    network = tiny()
    for mode in (True, False):
        network.train(mode)
        train.evaluate(network, TEST, MEAN, STD)
        assert all(module.training == mode for module in network.modules())
    assert same_weights(network, tiny())


def test_evaluation_restores_the_mode_after_an_error() -> None:
    network = tiny().train()
    network.classifier = torch.nn.Linear(7, 10)
    with pytest.raises(RuntimeError):
        train.evaluate(network, TEST, MEAN, STD)
    assert network.training


def test_evaluation_uses_the_running_statistics_so_the_batch_does_not_matter() -> None:
    network = tiny()
    losses, errors = zip(
        *(train.evaluate(network, TEST, MEAN, STD, batch_size=b) for b in (1, 32, 70, 500)), strict=True
    )
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-5)
    assert set(errors) == {errors[0]}


def test_evaluation_sees_every_image_once_in_order_without_gradients() -> None:
    seen = []

    def network(images: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        seen.append(images)
        return torch.zeros(len(images), 10)

    train.evaluate(network, TEST, MEAN, STD, batch_size=32)
    assert [len(batch) for batch in seen] == [32, 32, 6]
    assert torch.equal(torch.cat(seen), augment.normalise(TEST.images, torch.tensor(MEAN), torch.tensor(STD)))


def test_evaluation_gives_mean_cross_entropy_and_percent_of_wrong_answers() -> None:
    always_three = torch.tensor([0.0] * 3 + [2.0] + [0.0] * 6)
    loss, error = train.evaluate(lambda images: always_three.repeat(len(images), 1), TEST, MEAN, STD, batch_size=32)
    threes = int((TEST.labels == 3).sum())
    assert 0 < threes < len(TEST)
    assert error == pytest.approx(100 * (1 - threes / len(TEST)))
    assert loss == pytest.approx(np.log(np.exp(2) + 9) - 2 * threes / len(TEST))


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_evaluation_refuses_a_batch_size_that_cannot_be(batch_size: int) -> None:
    with pytest.raises(ValueError, match=rf"batch_size={batch_size}: choose a whole number of at least 1"):
        train.evaluate(tiny(), TEST, MEAN, STD, batch_size=batch_size)


def test_evaluation_refuses_an_empty_set() -> None:
    with pytest.raises(ValueError, match=r"images: the set builtin \(test\) is empty"):
        train.evaluate(tiny(), TEST.subset(0), MEAN, STD)


WRONG_UNITS = {
    "mean": ((0.49, 0.48, 0.45), "units of 0 to 1"),  # as torchvision has them
    "std": ((0.247, 0.243, 0.262), "units of 0 to 1"),
    "a mean": ((125.0,), "three numbers"),
}


@pytest.mark.parametrize("name", WRONG_UNITS)
def test_evaluation_refuses_a_mean_or_a_deviation_in_other_units(name: str) -> None:
    values, expected = WRONG_UNITS[name]
    field = name.removeprefix("a ")
    statistics = {"mean": MEAN, "std": STD} | {field: values}
    with pytest.raises(ValueError, match=rf"{field}=\(.*{expected}.*0 to 255"):
        train.evaluate(tiny(), TEST, **statistics)


def test_evaluation_takes_mean_and_deviation_as_arrays_and_tensors() -> None:
    network = tiny()
    expected = train.evaluate(network, TEST, MEAN, STD)
    for kind in (np.array, torch.tensor, list):
        assert train.evaluate(network, TEST, kind(MEAN), kind(STD), batch_size=np.int64(500)) == expected


def test_labels_that_a_function_has_no_scores_for_are_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))
    with pytest.raises(ValueError, match="labels up to 9, the network 4 classes"):
        train.evaluate(network, TEST, (120.0,) * 3, (60.0,) * 3)


def test_sets_of_different_classes_are_refused() -> None:
    renamed = replace(TEST, class_names=TEST.class_names[::-1])
    with pytest.raises(ValueError, match="test: its class_names are not those of train"):
        train.fit(tiny(), TRAIN, renamed, RECIPE)


def test_testing_leaves_every_module_in_its_own_mode() -> None:
    network = tiny().train()
    network.stem.eval()  # frozen statistics
    train.evaluate(network, TEST, (120.0,) * 3, (60.0,) * 3)
    assert network.training
    assert not network.stem.training
    assert not network.stem[1].training


@pytest.mark.parametrize(("field", "value"), [("device", None), ("precision", "float16"), ("compiled", "no")])
def test_an_impossible_engine_is_refused_when_it_is_made(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}={value!r}: choose"):
        Engine(**{field: value})  # type: ignore[arg-type]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is glibc's")
def test_a_cpu_keeps_the_memory_of_large_tensors_for_the_next_step() -> None:
    def resident() -> int:
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
        return 1024 * int(line.split()[1])

    with Engine().computing():
        large = torch.ones(2**25)
        size, before = large.nbytes, resident()
        del large
        assert resident() > before - size / 2
