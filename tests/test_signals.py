"""Signals through training: what a gradient predicts, two other beginnings, and what is kept of it beside a record."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from math import nan
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from small_runs import RECIPE, TRAIN, move_away_and_make_again, tiny
from torch import nn

from resnet_book import augment, models
from resnet_book.analysis import diagnostics, paths, pre_activation, signals, starts
from resnet_book.cli.main import main
from resnet_book.engine import checkpointing, checkpoints, machine
from resnet_book.experiments import catalogue, records, signal_records, signal_survey, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.signal_records import SignalRecord
from resnet_book.recipe import Recipe
from resnet_book.report import signal_figures
from resnet_book.train import fit

RESULTS = Path(__file__).parent.parent / "results"
KEPT = sorted(RESULTS.glob("*/seed*.signals.json"))
MEAN, STD = augment.channel_mean_std(TRAIN.images)
BATCHES = [
    (augment.normalise(TRAIN.images[8 * k : 8 * k + 8], MEAN, STD), TRAIN.labels[8 * k : 8 * k + 8]) for k in range(4)
]
BATCH = BATCHES[0]


# --- What a gradient predicts ---


def test_a_gradient_is_that_of_every_parameter_in_order() -> None:
    network = tiny()
    F.cross_entropy(network(BATCH[0]), BATCH[1]).backward()
    expected = torch.cat([each.grad.flatten() for each in network.parameters()])  # type: ignore[union-attr]
    torch.testing.assert_close(signals.gradient(tiny(), BATCH), expected)


def test_a_step_moves_a_copy_as_gradient_descent_does() -> None:
    network, step = tiny(), signals.gradient(tiny(), BATCH)
    moved = signals.after_a_step(network, -0.1 * step)
    expected = tiny()
    F.cross_entropy(expected(BATCH[0]), BATCH[1]).backward()
    torch.optim.SGD(expected.parameters(), lr=0.1).step()
    for one, other in zip(moved.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), tiny().parameters(), strict=True))


def test_a_step_is_the_same_in_another_order_of_memory() -> None:
    step = signals.gradient(tiny(), BATCH)
    one, other = (signals.after_a_step(each, step) for each in (tiny(), tiny().to(memory_format=torch.channels_last)))  # type: ignore[call-overload]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_batch_predicts_itself_and_a_tiny_step_changes_nothing() -> None:
    frame = signals.predictions(tiny(), [BATCH, BATCH, BATCHES[1], BATCHES[2]], 1e-6)
    assert frame.pair.tolist() == [1, 2]
    assert frame.other_images[0] == pytest.approx(1, abs=1e-4)
    assert frame.next[0] == pytest.approx(1, abs=1e-3)
    assert (frame.after_step > 0.999).all()
    assert frame.other_images[1] < 0.99
    assert frame.next[1] == pytest.approx(frame.other_images[1], abs=1e-2)


def test_gradients_agree_in_parts_as_in_the_named_parameters() -> None:
    found = signals.agreement(tiny(), BATCHES)
    gradients = [
        dict(
            zip(
                dict(tiny().named_parameters()),
                torch.autograd.grad(F.cross_entropy(network(images), labels), list(network.parameters())),
                strict=True,
            )
        )
        for network, (images, labels) in zip((tiny() for _ in BATCHES), BATCHES, strict=True)
    ]
    kernels = {name for name, each in tiny().named_modules() if isinstance(each, nn.Conv2d)}
    names = {
        "all": list(gradients[0]),
        "convolutions": [name for name in gradients[0] if name.removesuffix(".weight") in kernels],
        "classifier": ["classifier.weight"],
    }
    joined = {
        part: [torch.cat([each[name].flatten() for name in of]) for each in gradients] for part, of in names.items()
    }
    for part, each in joined.items():
        cosines = [F.cosine_similarity(each[k], each[k + 1], dim=0).item() for k in (0, 2)]
        assert found[part] == pytest.approx(sum(cosines) / 2, abs=1e-5)
    squares = {part: sum(one.square().sum().item() for one in each) for part, each in joined.items()}
    assert found["share"] == pytest.approx(squares["classifier"] / squares["all"], rel=1e-4)


def test_a_pixel_gradient_says_how_the_loss_changes() -> None:
    network = tiny().double()
    images, labels = BATCH[0].double(), BATCH[1]
    move = torch.zeros_like(images)
    move[2, 1, 5, 5] = 1e-6
    with torch.no_grad():
        there, here = (F.cross_entropy(network(images + sign * move), labels) for sign in (1, -1))
    found = signals.pixel_gradients(network, (images, labels))
    assert found.shape == images.shape
    assert found[2, 1, 5, 5].item() == pytest.approx((there - here).item() / 2e-6, rel=1e-3)


def test_likeness_falls_with_distance_and_is_whole_nearby() -> None:
    frame = signals.shattering(tiny(), BATCH, (1e-4, 0.1, 3.0))
    assert frame.cosine[0] > 0.99
    assert frame.cosine.is_monotonic_decreasing
    assert (frame.spread >= 0).all()


@pytest.mark.parametrize(
    "measure",
    [
        lambda network: signals.gradient(network, BATCH),
        lambda network: signals.predictions(network, BATCHES, 0.1),
        lambda network: signals.agreement(network, BATCHES),
        lambda network: signals.shattering(network, BATCH, (0.1,)),
        starts.zero_last_norms,
        starts.without_batch_norm,
    ],
)
def test_measuring_leaves_the_network_as_it_was(measure: Callable[[nn.Module], object]) -> None:
    network = tiny().eval()
    before = {name: each.clone() for name, each in network.state_dict().items()}
    measure(network)
    assert not network.training
    assert all(torch.equal(each, network.state_dict()[name]) for name, each in before.items())
    assert all(each.grad is None for each in network.parameters())


# --- Two other beginnings ---


def test_with_last_norms_at_zero_a_network_is_its_shortcuts() -> None:
    network = starts.zero_last_norms(tiny())
    x = network.stem(BATCH[0])
    expected = x
    for _, block in diagnostics.blocks(network):
        expected = block.shortcut(expected)  # type: ignore[operator]
    torch.testing.assert_close(network.stages(x), expected)


def test_with_last_norms_at_zero_the_first_step_moves_nothing_else_in_a_branch() -> None:
    network = starts.zero_last_norms(tiny())
    F.cross_entropy(network(BATCH[0]), BATCH[1]).backward()
    moved = {name for name, each in network.named_parameters() if each.grad is not None and each.grad.any()}
    assert {name for name in moved if ".layers." in name} == {
        f"stages.{stage}.0.layers.4.{name}" for stage in (0, 1) for name in ("weight", "bias")
    }
    assert {name.split(".")[0] for name in moved} == {"stem", "stages", "classifier"}


@pytest.mark.parametrize(("shortcut", "awake"), [("subsample", [16, 16, 16]), ("projection", [16, 32, 64])])
def test_with_last_norms_at_zero_the_channels_that_padding_adds_never_learn(shortcut: str, awake: list[int]) -> None:
    network = starts.zero_last_norms(models.untrained("resnet20", shortcut=shortcut))
    fit(network, TRAIN, TRAIN.subset(2), replace(RECIPE, iterations=8))
    for width, stage in zip(awake, network.stages, strict=True):
        for block in stage:  # type: ignore[attr-defined]
            norm = block.layers[-1]
            assert norm.weight.count_nonzero() == norm.bias.count_nonzero() == width


def test_without_batch_norm_the_convolutions_are_all_that_weighs_and_a_doubled_image_gives_doubled_signals() -> None:
    network = starts.without_batch_norm(tiny())
    kinds = {type(each).__name__ for each in network.modules() if any(True for _ in each.parameters(recurse=False))}
    assert kinds == {"Conv2d", "Linear"}
    signal = network.stages(network.stem(BATCH[0]))
    torch.testing.assert_close(network.stages(network.stem(2 * BATCH[0])), 2 * signal)


def test_a_pre_activation_block_adds_to_what_it_got_and_nothing_comes_behind() -> None:
    block = pre_activation.PreActivationBlock(16, 16)
    x = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    assert (block(x) < 0).any()
    nn.init.zeros_(block.convolution2.weight)
    assert torch.equal(block(x), x)


def test_a_pre_activation_network_has_the_convolutions_of_its_usual_one() -> None:
    network, usual = pre_activation.PreActivationNetwork(20, torch.Generator().manual_seed(0)), models.build("resnet20")
    shapes = [
        sorted(each.weight.shape for each in one.modules() if isinstance(each, nn.Conv2d)) for one in (network, usual)
    ]
    assert shapes[0] == shapes[1]
    assert network(BATCH[0]).shape == (8, 10)
    assert models.count_parameters(network) - models.count_parameters(usual) == 0
    assert diagnostics.block_gradients(network, *BATCH).layer.tolist() == [3, 5, 7, 9, 11, 13, 15, 17, 19]
    again = pre_activation.PreActivationNetwork(20, torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def block_with(forward: Callable[..., object]) -> type[nn.Module]:
    return type("Block", (pre_activation.PreActivationBlock,), {"forward": forward})


def branch(self: pre_activation.PreActivationBlock, x: torch.Tensor) -> torch.Tensor:
    return self.convolution2(F.relu(self.norm2(self.convolution1(F.relu(self.norm1(x))))))


@pytest.mark.parametrize(
    ("forward", "verdict"),
    [
        (lambda self, x: None, "Not answered"),
        (lambda self, x: self.shortcut(x) + branch(self, x), "Right."),
        (lambda self, x: x + self.convolution2(F.relu(self.norm2(self.convolution1(x)))), "first convolution"),
        (lambda self, x: x, "first convolution"),
        (lambda self, x: F.relu(self.shortcut(x) + branch(self, x)), "ReLU behind"),
        (lambda self, x: branch(self, x), "give back x"),
        (lambda self, x: self.shortcut(F.relu(self.norm1(x))) + branch(self, x), "give back x"),
        (lambda self, x: x + self.convolution2(self.norm2(self.convolution1(F.relu(self.norm1(x))))), "another one"),
        (lambda self, x: x + branch(self, x), "another shape"),
    ],
)
def test_a_readers_block_is_told_what_is_wrong(forward: Callable[..., object], verdict: str) -> None:
    assert verdict in pre_activation.check(block_with(forward))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: signals.predictions(tiny(), BATCHES[:3], 0.1), "batches: expected pairs"),
        (lambda: signals.predictions(tiny(), [], 0.1), "found 0"),
        (lambda: signals.predictions(tiny(), BATCHES, 0), "learning_rate=0"),
        (lambda: signals.agreement(tiny(), BATCHES[:1]), "batches: expected pairs"),
        (lambda: signals.shattering(tiny(), BATCH, (0,)), "distances=0"),
        (lambda: signals.shattering(tiny(), BATCH, ()), "a distance or more"),
        (lambda: signals.shattering(tiny(), (BATCH[0][:1], BATCH[1][:1]), (0.1,)), "two images or more"),
        (lambda: signals.shattering(tiny(), BATCH, (0.1,), seed=-1), "seed=-1"),
        (lambda: signals.after_a_step(tiny(), nan * signals.gradient(tiny(), BATCH)), "step: .* not finite"),
        (lambda: signals.after_a_step(tiny(), torch.zeros(3)), r"step: expected .* \(\d+,\), found \(3,\)"),
        (lambda: starts.zero_last_norms(tiny(shortcut=None)), "no residual block"),
        (lambda: pre_activation.PreActivationNetwork(21, torch.Generator()), "depth=21"),
        (lambda: pre_activation.PreActivationNetwork(20, 0), "generator=0"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_done_is_an_error_that_names_it(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


IMAGES, LABELS = BATCH
NO_BATCHES = {
    "no images": ((IMAGES[:0], LABELS[:0]), "images: .* N from 1 up, found"),
    "raw pixels": ((TRAIN.images[:8], LABELS), "images: expected floats .* found uint8"),
    "wider numbers than the weights": (
        (IMAGES.double(), LABELS),
        "images: expected torch.float32 .* found torch.float64",
    ),
    "an image that is not finite": ((IMAGES / 0, LABELS), "images: some values are not finite"),
    "a label too few": ((IMAGES, LABELS[:7]), r"labels: expected whole numbers \(8,\), found int64 \(7,\)"),
    "a class that is not there": ((IMAGES, LABELS + 10), r"labels\[0\]=\d+: expected 0 to 9"),
    "labels that are fractions": ((IMAGES, LABELS / 2), "labels: expected whole numbers"),
}
MEASURES: dict[str, Any] = {
    "gradient": signals.gradient,
    "pixel_gradients": signals.pixel_gradients,
    "predictions": lambda network, batch: signals.predictions(network, [BATCH, batch], 0.1),
    "agreement": lambda network, batch: signals.agreement(network, [BATCH, batch]),
    "shattering": lambda network, batch: signals.shattering(network, batch, (0.1,)),
    "weight_gradients": lambda network, batch: diagnostics.weight_gradients(network, *batch),
    "block_gradients": lambda network, batch: diagnostics.block_gradients(network, *batch),
    "neighbour_similarities": lambda network, batch: diagnostics.neighbour_similarities(
        network, batch[0], IMAGES, batch[1]
    ),
    "path_gradient": lambda network, batch: paths.path_gradient(network, *batch, branches=[1]),
    "gradients_by_length": lambda network, batch: paths.gradients_by_length(network, *batch),
}


@pytest.mark.parametrize(
    ("measure", "batch"),
    [*(("gradient", batch) for batch in NO_BATCHES), *((measure, "a label too few") for measure in MEASURES)],
)
def test_a_batch_that_a_network_cannot_learn_from_is_refused_by_every_measure(measure: str, batch: str) -> None:
    wrong, message = NO_BATCHES[batch]
    with pytest.raises(ValueError, match=message):
        MEASURES[measure](tiny(), wrong)


# --- Kept beside the record ---

SMOKE = "resnet20-builtin-smoke"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One recorded run with its weights; measured on few images."""
    for name, value in (("PAIRS", 1), ("IMAGES", 4), ("DISTANCES", (0.1,))):
        monkeypatch.setattr(signal_survey, name, value)
    first = records.load_record(RESULTS / SMOKE / "seed0.json").recipe
    monkeypatch.setattr(signal_survey, "Recipe", lambda **fields: Recipe(**{**fields, "batch_size": 8}))
    assert first["batch_size"] > 8
    folder = tmp_path / "results"
    (folder / SMOKE).mkdir(parents=True)
    for ending in (".json", ".safetensors"):
        shutil.copy(RESULTS / SMOKE / f"seed0{ending}", folder / SMOKE)
    return folder


def changed(kept: SignalRecord, rows: str, place: int, **values: float) -> dict:
    """The stages of ``kept``, with something else in one row of the last."""
    stages = kept.model_dump()["stages"]
    stages[-1][rows][place] |= values
    return {"stages": stages}


@pytest.mark.slow
def test_signals_are_kept_beside_the_record_and_read_again(results: Path, tmp_path: Path) -> None:
    way = tmp_path / "weights"
    shas = [
        weights.save_weights(models.untrained("resnet20", seed=seed), way / f"{seed}.safetensors") for seed in (0, 3)
    ]
    told = list[str]()
    kept = signal_survey.make_signals(SMOKE, folder=way, results=results, tell=told.append)
    assert signal_records.SIGNALS.read_all(results) == [kept]
    recorded = records.load_record(results / SMOKE / "seed0.json").weights_sha256
    assert [(each.iteration, each.origin, each.weights_sha256) for each in kept.stages] == [
        (0, "along the way", shas[0]),
        (3, "along the way", shas[1]),
        (150, "record", recorded),
    ]
    assert len(told) == 3
    assert kept.frame("layers").groupby("iteration").layer.max().tolist() == [19, 19, 19]
    assert [each.experiment for each in records.load_all(results)] == [SMOKE]  # the new file is no record
    path = results / SMOKE / "seed0.signals.json"
    text = path.read_text()
    for change, message in (
        ({"weights_sha256": 64 * "0"}, "other weights"),
        ({"schema_version": 9}, "schema version 9"),
        ({"stages": None}, "not a sound signals file: stages"),
        ({"stages": kept.model_dump()["stages"][::-1]}, "do not rise"),
        ({"made_by": {**kept.made_by, "processes": 2}}, "made_by: processes, precision, compiled are"),
        ({"started": "x"}, "not a sound signals file"),
        ({"pairs": 5}, "not 5 pairs"),
        (changed(kept, "layers", 1, layer=5), "layer does not count up|others"),
        (changed(kept, "blocks", 2, block=11), "block does not count up|others"),
        (changed(kept, "blocks", 2, layer=25), "layer is too large|layer does not rise"),
        (changed(kept, "distances", 0, distance=6.3), "each stage has others"),
    ):
        path.write_text(json.dumps(json.loads(text) | change))
        with pytest.raises(RecordError, match=message):
            signal_records.SIGNALS.read(SMOKE, 0, results)


def test_a_young_network_may_answer_hugely_by_running_statistics_and_by_those_alone() -> None:
    row: dict[str, Any] = {"layer": 55, "response": 1.0, "weight_norm": 1.0, "gradient_norm": 1.0}
    row["trained_response"] = 8e17
    assert signal_records.LayerRow.model_validate(row).trained_response == 8e17
    for name, value in (("trained_response", float("inf")), ("response", 8e17), ("gradient_norm", 8e17)):
        with pytest.raises(ValueError, match=name):
            signal_records.LayerRow.model_validate(row | {name: value})


def test_weights_of_another_network_and_empty_folders_are_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no weights"):
        signal_survey.make_signals(SMOKE, folder=tmp_path, results=results)
    weights.save_weights(tiny(), tmp_path / "way" / "0.safetensors")
    with pytest.raises(RecordError, match=r"0\.safetensors holds no weights of resnet20-builtin-smoke"):
        signal_survey.make_signals(SMOKE, folder=tmp_path / "way", results=results)
    record = RESULTS / SMOKE / "seed0.json"
    with pytest.raises(RecordError, match="another run"):
        signal_survey.make_signals(SMOKE, folder=tmp_path / "way", repetition=record, results=results)


def test_weights_of_another_seed_are_refused_by_the_first_of_them(results: Path, tmp_path: Path) -> None:
    weights.save_weights(models.untrained("resnet20", seed=1), tmp_path / "0.safetensors")
    with pytest.raises(RecordError, match=r"0\.safetensors is not the network that .*-smoke, seed 0, began"):
        signal_survey.make_signals(SMOKE, folder=tmp_path, results=results)


@pytest.mark.parametrize(
    ("name", "other", "is_taken"),
    [
        ("resnet20", {}, True),
        ("plain20", {}, False),  # its twin's tensors have the same names and shapes
        ("resnet20", {"seed": 1}, False),
        ("resnet20", {"recipe": repr(RECIPE)}, False),
    ],
)
def test_a_checkpoint_beside_the_weights_says_whose_they_are(
    name: str, other: dict[str, Any], is_taken: bool, tmp_path: Path
) -> None:
    record = records.load_record(RESULTS / SMOKE / "seed0.json")
    identity = {"network": checkpointing.structure_of(models.untrained(name)), "recipe": repr(Recipe(**record.recipe))}
    history = {"parts": [{"commit": "abc"}]}
    checkpoints.save({"identity": {**identity, "seed": 0, **other}, "history": history}, tmp_path / "checkpoint.pt")
    if is_taken:
        assert signal_survey._kept_by(tmp_path / "weights", {}, record, None) == {"commit": "abc"}
    else:
        with pytest.raises(RecordError, match="is of another run than resnet20-builtin-smoke, seed 0"):
            signal_survey._kept_by(tmp_path / "weights", {}, record, None)


def test_weights_that_end_in_the_recorded_ones_are_of_the_recorded_run(tmp_path: Path) -> None:
    path = RESULTS / SMOKE / "seed0.json"
    record, other = records.load_record(path), records.load_record(path.with_name("seed1.json"))
    last = {150: path.with_suffix(".safetensors")}
    assert signal_survey._kept_by(tmp_path, last, record, None) == asdict(record.parts[0])
    assert signal_survey._kept_by(tmp_path, last, record, path) == asdict(record.parts[0])
    assert signal_survey._kept_by(tmp_path, {}, record, None) is None
    with pytest.raises(RecordError, match="or no repetition of resnet20-builtin-smoke, seed 1"):
        signal_survey._kept_by(tmp_path, last, other, path)


def test_signals_along_the_way_are_not_lost_for_want_of_their_weights(results: Path) -> None:
    rich = RESULTS / "resnet20-cifar10-short" / "seed0"
    folder = results / rich.parent.name
    folder.mkdir()
    for ending in (".json", ".signals.json"):
        shutil.copy(rich.with_suffix(ending), folder)
    record = records.load_record(folder / "seed0.json")
    with pytest.raises(RecordError, match=r"seed0.signals.json has 11 networks whose weights are not here"):
        signal_survey._refuse_to_lose(folder / "seed0.json", record, set())
    way = {stage.iteration for stage in signal_records.SIGNALS.load(folder / "seed0.signals.json", record).stages}
    signal_survey._refuse_to_lose(folder / "seed0.json", record, way)
    (folder / "seed0.signals.json").write_text("damaged")
    signal_survey._refuse_to_lose(folder / "seed0.json", record, set())


def test_what_is_said_of_damaged_signals_works_where_weights_along_the_way_are_gone(results: Path) -> None:
    path = results / SMOKE / "seed0.signals.json"
    path.write_text(json.dumps({"schema_version": 1, "stages": [{"iteration": 3, "origin": "along the way"}]}))
    with pytest.raises(RecordError) as caught:
        signal_records.SIGNALS.read(SMOKE, 0, results)
    move_away_and_make_again(str(caught.value), path)
    assert signal_records.SIGNALS.read(SMOKE, 0, results)


def test_a_repetition_without_its_weights_is_a_wrong_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["signals", SMOKE, "--repetition", str(RESULTS / SMOKE / "seed0.json")]) == 2
    assert "--weights" in capsys.readouterr().err


def test_the_committed_signals_begin_before_training_and_end_with_it() -> None:
    for path in KEPT:
        kept = json.loads(path.read_text())
        assert kept["made_by"]["commit"], path
        assert kept["stages"][0]["iteration"] == 0, path
        ends = {each["iteration"] for each in kept["stages"] if each["origin"] == "record"}
        assert ends <= {catalogue.get(path.parent.name).recipe.iterations}, path


# --- Drawn ---


def invented(experiment: str, seed: int, moments: tuple[int, ...], plain: bool) -> SignalRecord:
    """The signals of a network, all alike."""

    def stage(iteration: int) -> dict:
        origin = "along the way" if len(moments) > 2 else "record" if iteration else "initialisation"
        return {
            "iteration": iteration,
            "origin": origin,
            "weights_sha256": None if origin == "initialisation" else 64 * "0",
            "learning_rate": 0.1,
            "layers": [
                {"layer": k, "response": 1.0, "trained_response": 1.0, "weight_norm": 1.0, "gradient_norm": 1.0}
                for k in range(1, 20)
            ],
            "blocks": [{"block": k, "layer": 2 * k + 1, "signal": 1.0, "gradient_norm": 1.0} for k in range(1, 10)],
            "predictions": [{"pair": k, "other_images": 0.1, "after_step": 0.5, "next": 0.0} for k in (1, 2)],
            "distances": [{"distance": 0.1, "cosine": 0.5, "spread": 0.1}],
        }

    content = {
        "schema_version": 1,
        "experiment": experiment,
        "seed": seed,
        "weights_sha256": None,
        "train_sha256": 64 * "0",
        "images": 64,
        "pairs": 2,
        "batch_size": 128,
        "seconds": 1.0,
        "started": "2026-01-01T00:00:00+00:00",
        "made_by": machine.describe("cpu", "float32", False),
        "kept_by": None,
        "stages": [stage(iteration) for iteration in moments],
    }
    return SignalRecord.model_validate_json(json.dumps(content))


FOUND = [
    invented("plain20-cifar10-short", 0, (0, 10, 2000), True),
    invented("resnet20-cifar10-short", 0, (0, 10, 2000), False),
    invented("resnet20-cifar10-short", 1, (0, 10, 2000), False),
    invented("resnet56-cifar10-short", 0, (0, 2000), False),
]
SETS = pytest.mark.parametrize("found", [[], FOUND[:1], FOUND[1:2], FOUND[:2], FOUND], ids=range(5))


def test_the_recorded_network_stands_for_the_end_where_weights_on_the_way_do_not_reach_it() -> None:
    rows = [(0, "along the way"), (30, "along the way"), (2_000, "record")]
    frame = pd.DataFrame(rows, columns=["iteration", "origin"])
    frame = frame.assign(experiment="a", kind="plain", depth=20, seed=0, recipe_iterations=2_000)
    assert signal_figures.through_training(frame).iteration.tolist() == [0, 30, 2_000]
    whole = pd.concat([frame, frame.iloc[:1].assign(iteration=2_000)])
    assert signal_figures.through_training(whole).origin.unique().tolist() == ["along the way"]
    assert signal_figures.through_training(frame.iloc[2:]).empty
    assert signal_figures.once(whole).origin.unique().tolist() == ["along the way"]
    assert signal_figures.once(frame.iloc[2:]).iteration.tolist() == [2_000]


@SETS
def test_whatever_is_recorded_is_drawn(found: list[SignalRecord]) -> None:
    blocks, predicted, near = (
        signal_figures.of_networks(found, rows) for rows in ("blocks", "predictions", "distances")
    )
    on_the_way = signal_figures.through_training(blocks)
    assert set(on_the_way.depth) <= {20}
    kinds = {each.experiment.removesuffix("20-cifar10-short") for each in found if len(each.stages) > 2}
    for kind in ("plain", "residual"):
        one: Any = on_the_way[(on_the_way.kind == kind) & (on_the_way.seed == 0)]
        figure = plt.figure()
        ax = signal_figures.plot_along(one, figure.subplots(), "signal", "signal")
        signal_figures.add_moments(figure, one.iteration.unique())
        assert len(figure.legends) == bool(len(one))
        assert bool(ax.lines) == ({"plain": "plain", "residual": "resnet"}[kind] in kinds)
    for frame, column in ((on_the_way, "signal"), (signal_figures.through_training(predicted), "next")):
        ax = signal_figures.plot_moments(frame, plt.figure().subplots(), column, column)
        assert len(ax.get_legend_handles_labels()[1]) == len(kinds)
    signal_figures.plot_moments(near, plt.figure().subplots(), "cosine", "cosine", spread="spread")


@SETS
def test_a_pair_is_drawn_plain_left_residual_right_with_one_legend(found: list[SignalRecord]) -> None:
    blocks = signal_figures.through_training(signal_figures.of_networks(found, "blocks"))
    figure = plt.figure()
    signal_figures.plot_twins_along(figure, blocks, {"signal": "size", "gradient_norm": "norm"}, "block")
    assert [ax.get_title() for ax in figure.axes] == ["plain", "residual", "", ""]
    assert [ax.get_ylabel() for ax in figure.axes[::2]] == ["size", "norm"]
    assert [bool(ax.lines) for ax in figure.axes[:2]] == [kind in set(blocks.kind) for kind in ("plain", "residual")]
    assert len(figure.legends) == bool(len(blocks))


def test_a_band_of_cosines_ends_at_one() -> None:
    frame = signal_figures.through_training(signal_figures.of_networks(FOUND[:1], "predictions"))
    ax: Any = signal_figures.plot_moments(frame.assign(wide=0.9), plt.figure().subplots(), "after_step", "", "wide")
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == 1
    assert heights.min() == pytest.approx(0.5 - 0.9)


def layers_of(depth: int, lengths: list[float], gradients: list[float]) -> pd.DataFrame:
    """Rows of layers before training, where all lengths are 2, and after ten steps."""
    rows = [
        {"layer": layer, "iteration": iteration, "weight_norm": length, "gradient_norm": norm}
        for iteration, each in ((0, [2.0] * len(lengths)), (10, lengths))
        for layer, (length, norm) in enumerate(zip(each, gradients, strict=True), start=1)
    ]
    about = {"origin": "along the way", "kind": "plain", "depth": depth, "seed": 0, "recipe_iterations": 2_000}
    return signal_figures.with_moves(pd.DataFrame(rows).assign(experiment="a", **about))


def test_two_recipes_of_equally_many_iterations_are_two_networks() -> None:
    both = [FOUND[0], FOUND[0].model_copy(update={"experiment": f"{FOUND[0].experiment}-warmup"})]
    frame = signal_figures.of_networks(both, "predictions")
    ax = signal_figures.plot_moments(frame, plt.figure().subplots(), "next", "")
    assert len(ax.get_legend_handles_labels()[1]) == 2


def test_how_much_less_a_step_moves_a_stage_is_split_into_the_length_of_its_weights_and_the_rest() -> None:
    shallow = layers_of(8, [2.0] * 7, [0.4] * 3 + [0.2] * 4)
    deep = layers_of(14, [6.0] * 5 + [2] * 4 + [1] * 4, [0.1] * 13)
    assert deep.stage[:13].tolist() == [1] * 5 + [2] * 4 + [3] * 4
    assert shallow.stage[:7].tolist() == [1, 1, 1, 2, 2, 3, 3]
    assert deep.moved[13] == pytest.approx(0.1 * 0.1 / 6)
    table = signal_figures.factors(deep, shallow)[10, "along the way"]
    assert table.columns.tolist() == ["length²", "gradient", "product"]
    assert table.loc["plain", 1].tolist() == pytest.approx([9, 4 / 3, 12])  # three times as long, a quarter as steep
    assert table.loc["plain", 2].tolist() == pytest.approx([1, 2, 2])  # beside the same stage
    assert table.loc["plain", 3].tolist() == pytest.approx([1 / 4, 4, 1])
    assert signal_figures.factors(deep, shallow.query("iteration == 10")).shape == (3, 3)  # a moment that both have
    assert signal_figures.factors(deep.iloc[:0], shallow.iloc[:0]).empty


def test_likeness_stands_beside_the_errors_of_the_network_that_has_it() -> None:
    found = [each for each in signal_records.SIGNALS.read_all(RESULTS) if each.experiment == "plain56-cifar10-short"]
    run = records.load_record(RESULTS / "plain56-cifar10-short" / "seed0.json")
    table = signal_figures.likeness_table(found, [run], (0.01, 0.1))
    assert table.columns.tolist()[:4] == ["0.01, before", "0.01, after", "0.1, before", "0.1, after"]
    assert table.index.tolist() == [(2_000, 56, "plain", 0)]
    row: Any = table.iloc[0]
    assert (row["training error (%)"], row["test error (%)"]) == (run.train_error, run.test_error)
    first, own = found[0].stages[0], next(each for each in found[0].stages if each.origin == "record")
    for noise in (0.01, 0.1):
        for stage, when in ((first, "before"), (own, "after")):
            assert row[f"{noise:g}, {when}"] == next(each.cosine for each in stage.distances if each.distance == noise)
    assert signal_figures.likeness_table(found, [], (0.1,)).empty
    with pytest.raises(ValueError, match=r"noises=0\.2: measured at 0\.01, 0\.03, 0\.1, 0\.3, 1"):
        signal_figures.likeness_table(found, [run], (0.2,))


def test_a_measurement_is_drawn_against_depth() -> None:
    rows = [("plain", 8, 0.9), ("plain", 56, -0.001), ("residual", 8, 0.95), ("residual", 56, 0.5)]
    frame = pd.DataFrame(rows, columns=["kind", "depth", "cosine"])
    ax = signal_figures.plot_against_depth(frame, plt.figure().subplots(), "cosine", "cosine")
    assert ax.get_legend_handles_labels()[1] == ["plain", "residual"]
