"""The loss around weights: directions, slices, lines, curvature; kept, drawn, and turned in a page."""

import json
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from math import inf, nan
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from playwright.sync_api import Browser
from small_runs import TEST, TRAIN, move_away_and_make_again, same_weights, tiny

from resnet_book import augment, models
from resnet_book.analysis import landscape
from resnet_book.engine import machine
from resnet_book.experiments import landscape_records, landscape_survey, records, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.landscape_records import BOTH, LandscapeRecord
from resnet_book.models import Network
from resnet_book.report import landscape_figures, landscape_frames, surfaces

RESULTS = Path(__file__).parent.parent / "results"
KEPT = sorted(RESULTS.glob("*/seed*.landscape.json"))
MEAN, STD = augment.channel_mean_std(TRAIN.images)
BATCH = landscape.batch_of(TEST.subset(10), MEAN.tolist(), STD.tolist())
STEPS = landscape_records.steps(5)
INVENTED_SHA256 = 64 * "a"
NOT_NUMBERS: Any = (nan, inf, True, "3")


@pytest.fixture
def network() -> Network:
    """Some thousand parameters, in evaluation mode."""
    return tiny().eval()


# --- Directions and slices ---


def test_each_filter_of_a_direction_is_as_long_as_the_networks(network: Network) -> None:
    for weight, along in zip(network.parameters(), landscape.random_direction(network, 3), strict=True):
        if weight.ndim == 1:
            assert not along.any()  # biases and batch norm stay
        else:
            lengths = along.flatten(1).norm(dim=1), weight.detach().flatten(1).norm(dim=1)
            torch.testing.assert_close(*lengths)


def test_a_direction_follows_its_seed_and_another_seed_is_nearly_at_a_right_angle(network: Network) -> None:
    one, again, other = (landscape.random_direction(network, seed) for seed in (1, 1, 2))
    assert landscape.dot(one, again) == pytest.approx(landscape.dot(one, one))
    assert abs(landscape.dot(one, other) / landscape.dot(one, one)) < 0.2


@pytest.mark.parametrize("seed", range(5))
def test_a_direction_is_not_the_weights_that_a_network_of_its_seed_began_with(seed: int) -> None:
    began = models.MODELS["resnet20"](generator=torch.Generator().manual_seed(seed))
    weights = [each.detach() for each in began.parameters()]
    for other in range(5):
        direction = landscape.random_direction(began, other)
        cosine = landscape.dot(weights, direction) / landscape.dot(direction, direction)
        assert abs(cosine) < 0.01  # chance: 0.002


def test_a_scaled_network_has_the_same_slice_once_statistics_are_measured_anew(network: Network) -> None:
    scaled = deepcopy(network)
    with torch.no_grad():
        scaled.stem[0].weight.mul_(10)  # type: ignore[index, operator]
    slices = [
        landscape.losses(each, [landscape.random_direction(each, 0)], STEPS, BATCH, anew=True)
        for each in (network, scaled)
    ]
    torch.testing.assert_close(*slices, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("anew", [False, True])
def test_zero_coefficients_give_the_networks_own_loss_and_touch_nothing(network: Network, anew: bool) -> None:
    before = deepcopy(network)
    directions = [landscape.random_direction(network, seed) for seed in (0, 1)]
    plane = landscape.losses(network, directions, STEPS, BATCH, anew)
    assert plane.shape == (5, 5)
    assert plane[2, 2] == landscape.loss_and_error(network, BATCH, anew)[0]
    line = landscape.losses(network, directions[:1], STEPS, BATCH, anew)
    torch.testing.assert_close(plane[:, 2], line)  # rows are steps along the first
    assert same_weights(network, before)
    assert not network.training


def test_the_loss_with_fresh_statistics_is_that_of_training_mode(network: Network) -> None:
    expected = F.cross_entropy(deepcopy(network).train()(BATCH.images), BATCH.labels).item()
    assert landscape.loss_and_error(network, BATCH, anew=True)[0] == pytest.approx(expected, rel=1e-5)


# --- Between two networks ---


def test_the_line_between_two_networks_hits_both_ends_statistics_included() -> None:
    ends = [landscape_trained(seed) for seed in (0, 1)]
    for share, end in ((0, ends[0]), (1, ends[1])):
        assert same_weights(landscape.between(ends[0], ends[1], share), end)
    one, middle, other = (each.state_dict() for each in (ends[0], landscape.between(ends[0], ends[1], 0.5), ends[1]))
    for name in ("stem.0.weight", "stem.1.running_mean"):
        torch.testing.assert_close(middle[name], (one[name] + other[name]) / 2)


def landscape_trained(seed: int) -> Network:
    """A network whose statistics have seen a batch."""
    network = tiny(seed).train()
    network(BATCH.images)
    return network.eval()


@pytest.mark.parametrize(
    ("values", "height"), [([1, 3, 1], 2), ([1, 2, 3], 0), ([0, 2, 2], 1), ([1, 0, 1], 0), ([2, 1], 0)]
)
def test_the_barrier_is_measured_from_the_line_between_the_ends(values: list[float], height: float) -> None:
    assert landscape.barrier(values) == pytest.approx(height)


# --- Curvature ---


def exact_hessian(network: Network, anew: bool) -> torch.Tensor:
    """All of it: (P, P)."""
    copy = deepcopy(network).train(anew)
    names = [name for name, _ in copy.named_parameters()]
    sizes = [each.numel() for each in copy.parameters()]
    shapes = [each.shape for each in copy.parameters()]

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = [each.view(shape) for each, shape in zip(flat.split(sizes), shapes, strict=True)]
        return F.cross_entropy(
            torch.func.functional_call(copy, dict(zip(names, parts, strict=True)), (BATCH.images,)), BATCH.labels
        )

    start = torch.cat([each.detach().flatten() for each in copy.parameters()])
    return torch.autograd.functional.hessian(loss, start)  # type: ignore[return-value]


@pytest.mark.slow
@pytest.mark.parametrize("anew", [False, True])
def test_products_and_the_top_eigenvalue_are_those_of_the_exact_hessian(anew: bool) -> None:
    network = Network((1, 2), (1, 1), "subsample", generator=torch.Generator().manual_seed(0)).eval()
    exact = exact_hessian(network, anew)
    direction = [torch.randn(each.shape, generator=torch.Generator().manual_seed(1)) for each in network.parameters()]
    flat = torch.cat([each.flatten() for each in direction])
    product = landscape.hessian_product(network, BATCH, direction, anew)
    torch.testing.assert_close(torch.cat([each.flatten() for each in product]), exact @ flat, rtol=1e-3, atol=1e-3)
    expected = (flat @ exact @ flat / (flat @ flat)).item()
    assert landscape.curvature(network, BATCH, direction, anew) == pytest.approx(expected, rel=1e-2, abs=1e-4)
    eigenvalues = torch.linalg.eigvalsh(exact)
    largest = eigenvalues[eigenvalues.abs().argmax()].item()
    top = landscape.top_eigenvalue(network, BATCH, steps=60, anew=anew)
    assert top.value == pytest.approx(largest, rel=0.05)
    assert top.last_change < 0.01


def test_the_eigenvector_is_a_unit_vector(network: Network) -> None:
    vector = landscape.top_eigenvalue(network, BATCH, steps=3, anew=True).vector
    assert landscape.dot(vector, vector) == pytest.approx(1, abs=1e-4)


def diverged(network: Network) -> Network:
    torch.nn.init.constant_(network.classifier.bias, nan)
    return network


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: landscape.random_direction(n, -1), "seed=-1"),
        (lambda n: landscape.moved(n, [landscape.random_direction(n, 0)], [1.0, 2.0]), "one for each of 1 directions"),
        (lambda n: landscape.moved(n, [landscape.random_direction(n, 0)], [float("nan")]), "step=nan"),
        (lambda n: landscape.moved(n, [[torch.zeros(1)]], [1.0]), "a tensor for each parameter"),
        (
            lambda n: landscape.between(n, models.build("resnet20"), 0.5),
            "other: it has other layers, shapes or shortcuts",
        ),
        (lambda n: landscape.between(n, tiny(shortcut=None), 0.5), "other layers, shapes or shortcuts than one"),
        (lambda n: landscape.between(n, tiny(shortcut="average"), 0.5), "other layers, shapes or shortcuts than one"),
        (lambda n: landscape.between(n, n, float("inf")), "share=inf"),
        (lambda n: landscape.barrier([1.0]), "number of values=1"),
        *((lambda n, wrong=wrong: landscape.barrier([1.0, wrong, 2.0]), f"values={wrong!r}") for wrong in NOT_NUMBERS),
        *(
            (
                lambda n, wrong=wrong: landscape.batch_of(
                    TEST, *({"mean": MEAN.tolist(), "std": STD.tolist()} | wrong).values()
                ),
                message,
            )
            for wrong, message in (
                ({"std": (60, -60, 60)}, "std=-60"),
                ({"std": (60, 0, 60)}, "std=0"),
                ({"mean": (nan, 0, 0)}, "mean=nan"),
                ({"mean": (0.5, 0.5, 0.5)}, "mean=.* units of 0 to 1"),
                ({"std": (60, 60)}, "std=.* three numbers"),
            )
        ),
        (lambda n: landscape.losses(n, [], STEPS, BATCH), "number of directions=0"),
        (lambda n: landscape.losses(n, [landscape.random_direction(n, 0)], [], BATCH), "number of steps=0"),
        (lambda n: landscape.losses(n, [landscape.random_direction(n, 0)], [True], BATCH), "steps=True"),
        (lambda n: landscape.moved(n, [[nan * each for each in n.parameters()]], [1.0]), "direction: .* not finite"),
        *(
            (lambda n, of=of: of(n, landscape.Batch(BATCH.images, BATCH.labels + 5)), r"labels.*: expected 0 to 9")
            for of in (
                landscape.loss_and_error,
                landscape.top_eigenvalue,
                lambda n, batch: landscape.curvature(n, batch, landscape.random_direction(n, 0)),
                lambda n, batch: landscape.losses(n, [landscape.random_direction(n, 0)], STEPS, batch),
            )
        ),
        (
            lambda n: landscape.curvature(n, BATCH, [0 * each for each in n.parameters()]),
            "direction: it is zero everywhere",
        ),
        (lambda n: landscape.top_eigenvalue(n, BATCH, steps=0), "steps=0"),
        (lambda n: landscape.top_eigenvalue(diverged(n), BATCH), "loss: it is not finite; did the network diverge"),
        (lambda n: landscape.hessian_product(n, BATCH, []), "a tensor for each parameter"),
        (lambda n: landscape.Batch(BATCH.images[:0], BATCH.labels[:0]), "images: .* N from 1 up"),
        (lambda n: landscape.Batch(TEST.images, TEST.labels), "images: expected floats"),
        (lambda n: landscape.Batch(BATCH.images, BATCH.labels[:3]), "labels"),
        (lambda n: landscape_records.steps(4), "an odd number"),
    ],
)
def test_what_cannot_be_done_is_an_error_that_names_it(
    call: Callable[[Network], object], message: str, network: Network
) -> None:
    with pytest.raises(ValueError, match=message):
        call(network)


# --- Kept beside the record ---

SMOKE = "resnet20-builtin-smoke"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One recorded run with its weights; grids of three steps, few images, one product for an eigenvalue."""
    folder = tmp_path / "results"
    (folder / SMOKE).mkdir(parents=True)
    for ending in (".json", ".safetensors"):
        shutil.copy(RESULTS / SMOKE / f"seed0{ending}", folder / SMOKE)
    three, top = landscape_records.steps(3), landscape.top_eigenvalue
    monkeypatch.setattr(landscape_survey, "IMAGES", 2)
    monkeypatch.setattr(landscape_survey, "steps", lambda count: three)
    monkeypatch.setattr(landscape, "top_eigenvalue", lambda *all, **named: top(*all, steps=1, **named))
    return folder


@pytest.mark.slow
def test_a_landscape_is_kept_beside_the_record_and_read_again_and_goes_on_with_what_is_missing(results: Path) -> None:
    told = list[str]()
    kept = landscape_survey.make_landscape(SMOKE, results=results, runs=results / "runs", tell=told.append)
    assert landscape_records.LANDSCAPE.read_all(results) == [kept]
    assert kept.weights_sha256 == records.load_record(results / SMOKE / "seed0.json").weights_sha256
    assert {each.around.weights_sha256 for each in kept.slices if each.around.at == "trained"} == {kept.weights_sha256}
    assert len(told) == len(kept.slices) + len(kept.curvatures)
    assert kept.lines == []
    assert [record.experiment for record in records.load_all(results)] == [SMOKE]  # the new file is no record
    # Weights along the way appear: only these are measured.
    network, record = weights.load_network(SMOKE, results=results)
    drop = record.recipe["drops"][0]
    for seed, iteration in ((0, 0), (0, drop), (0, 150), (1, 150)):
        folder = results / "runs" / SMOKE / f"seed{seed}" / "weights"
        folder.mkdir(parents=True, exist_ok=True)
        other = models.untrained("resnet20", seed=seed)
        weights.save_weights(other if seed else network, folder / f"{iteration}.safetensors")
    told.clear()
    landscape_survey.make_landscape(SMOKE, results=results, runs=results / "runs", tell=told.append)
    more = landscape_records.LANDSCAPE.read(SMOKE, 0, results)
    assert more is not None
    assert more.slices[: len(kept.slices)] == kept.slices
    assert len(more.sittings) == 2
    assert {(line.one.seed, line.other.seed) for line in more.lines} == {(0, 0), (0, 1)}
    assert more.curvature(150, "anew") is not None


def test_weights_of_another_repetition_are_refused_before_anything_is_measured(kept_file: Path) -> None:
    kept = LandscapeRecord.model_validate_json(kept_file.read_text())
    record = records.load_record(kept_file.with_name("seed0.json"))
    survey = landscape_survey._Survey(record, BATCH, "runs", list(kept.slices))
    with pytest.raises(RecordError, match="the kept landscape is of other weights than those here"):
        survey.point(0, models.untrained("resnet20", seed=5))


def test_what_is_said_of_a_damaged_landscape_works(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one(self: Any, network: Network) -> Iterator[Any]:
        return self.slice(network, self.point("trained", network), [0], "anew")

    monkeypatch.setattr(landscape_survey._Survey, "pieces", one)
    path = results / SMOKE / "seed0.landscape.json"
    path.write_text("{}")
    with pytest.raises(RecordError) as caught:
        landscape_survey.make_landscape(SMOKE, results=results)
    move_away_and_make_again(str(caught.value), path)
    assert landscape_records.LANDSCAPE.read(SMOKE, 0, results)


@pytest.mark.usefixtures("results")
def test_a_survey_stopped_anywhere_around_an_eigenvector_makes_up_for_it() -> None:
    record = records.load_record(RESULTS / SMOKE / "seed0.json")
    network = weights.untrained(record).eval()

    def pieces(there: list[Any]) -> list[Any]:
        survey = landscape_survey._Survey(record, BATCH, "runs", there)
        return list(survey.curvature(network, survey.point("initial", network), "as trained", randoms=1))

    whole = pieces([])
    assert [type(each).__name__ for each in whole] == ["Slice", "Curvature"]
    assert whole[0].directions == [landscape_records.EIGENVECTOR]
    for kept, missing in (whole, whole[::-1]):
        assert pieces([kept]) == [missing]
    assert pieces(whole) == []


def test_a_recipe_without_drops_has_no_line_from_a_drop(tmp_path: Path) -> None:
    record = records.load_record(RESULTS / "resnet20-cifar10-no-drops" / "seed0.json")
    folder = tmp_path / record.experiment / "seed0" / "weights"
    for iteration in (100, 2_000):
        weights.save_weights(weights.untrained(record), folder / f"{iteration}.safetensors")
    survey = landscape_survey._Survey(record, BATCH, tmp_path, [])
    assert list(survey.way(0)) == [100, 2_000]
    assert list(survey.lines()) == []


def test_two_recipes_of_one_network_are_not_drawn_as_one() -> None:
    slices = landscape_frames.slice_frame(FOUND[:1])
    mixed = pd.concat([slices, slices.assign(iterations=64_000)])
    with pytest.raises(ValueError, match="several recipes, of 2000, 64000 iterations"):
        landscape_figures.draw_walks(mixed)


def test_two_seeds_of_one_network_are_not_drawn_as_one() -> None:
    again = [each.model_copy(update={"seed": 1}) for each in FOUND]
    assert len(surfaces.scenes([*FOUND, *again])) == 2 * len(surfaces.scenes(FOUND))
    assert len(landscape_figures.draw_maps([*FOUND, *again]).axes) == 2 * len(landscape_figures.draw_maps(FOUND).axes)
    slices = landscape_frames.slice_frame([*FOUND, *again])
    for draw in (landscape_figures.draw_walks, landscape_frames.heights):
        with pytest.raises(ValueError, match="several runs, of seeds 0, 1"):
            draw(slices)


@pytest.mark.parametrize(
    ("plain", "other"),
    [
        ("plain10-cifar10-short", "resnet10-cifar100-short"),
        ("plain20-cifar10-short", "resnet20-cifar10-no-decay"),
        ("resnet20-cifar10-short", "resnet20-cifar10-no-decay"),
        ("resnet10-cifar10-short", "resnet10-cifar10-short-projection"),
    ],
)
def test_networks_of_two_datasets_recipes_or_shortcuts_are_not_drawn_as_twins(plain: str, other: str) -> None:
    found = [FOUND[0].model_copy(update={"experiment": name}) for name in (plain, other)]
    with pytest.raises(ValueError, match=f"found: {plain} and {other} are no twins"):
        surfaces.scenes(found)


@pytest.fixture
def kept_file(results: Path) -> Path:
    """The committed landscape of another run, brought to this one: quicker than measuring."""
    record = records.load_record(results / SMOKE / "seed0.json")
    text = invented("resnet20-cifar10-short", 1.0).model_dump_json()
    content = json.loads(text.replace(INVENTED_SHA256, record.weights_sha256 or ""))
    content |= {"experiment": SMOKE}
    content["train_sha256"] = record.dataset["train"]["sha256"]
    path = results / SMOKE / "seed0.landscape.json"
    path.write_text(json.dumps(content))
    assert landscape_records.LANDSCAPE.read(SMOKE, 0, results)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights_sha256": 64 * "0", "slices": [], "curvatures": []}, "other weights"),
        ({"weights_sha256": 64 * "0"}, "the trained weights are not those"),
        ({"schema_version": 9}, "schema version 9"),
        ({"seed": 1, "slices": [], "curvatures": []}, "holds resnet20-builtin-smoke, seed 1"),
        ({"train_sha256": 64 * "0"}, "other images"),
        ({"slices": None}, "not a sound landscape file"),
        ({"more": 1}, "not a sound landscape file"),
    ],
)
def test_a_landscape_that_is_not_of_the_record_is_refused(kept_file: Path, change: dict, message: str) -> None:
    kept_file.write_text(json.dumps(json.loads(kept_file.read_text()) | change))
    with pytest.raises(RecordError, match=message):
        landscape_records.LANDSCAPE.read(SMOKE, 0, kept_file.parent.parent)


def test_steps_shares_and_machines_that_cannot_be_are_refused(kept_file: Path) -> None:
    sound = kept_file.read_text()
    for way, value in (
        (("slices", 0, "steps", 1), 1e30),
        (("lines", 0, "shares", 1), -1.0),
        (("curvatures", 0, "overlap", 0), 2.0),
        (("slices", 0, "around", "seed"), 9),
        (("slices", 1, "around", "weights_sha256"), 64 * "0"),
        (("lines", 0, "one", "weights_sha256"), 64 * "0"),
        (("sittings", 0, "started"), "x"),
        (("sittings", 0, "made_by", "processes"), -1),
    ):
        content = json.loads(sound)
        place = content
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = value
        kept_file.write_text(json.dumps(content))
        with pytest.raises(RecordError, match="not a sound landscape file"):
            landscape_records.LANDSCAPE.read(SMOKE, 0, kept_file.parent.parent)


def test_a_plane_with_a_number_too_few_is_refused(kept_file: Path) -> None:
    content = json.loads(kept_file.read_text())
    content["slices"][0]["loss"].pop()
    kept_file.write_text(json.dumps(content))
    with pytest.raises(RecordError, match="not a sound landscape file"):
        landscape_records.LANDSCAPE.read(SMOKE, 0, kept_file.parent.parent)


def test_the_committed_landscapes_are_small_and_were_measured_with_committed_code() -> None:
    for path in KEPT:
        sittings = json.loads(path.read_text())["sittings"]
        assert [each["made_by"]["dirty"] for each in sittings] == [False] * len(sittings), path
        assert path.stat().st_size < 300_000, path


# --- Drawn and turned ---


def invented(experiment: str, height: float) -> LandscapeRecord:
    """Bowls of this height, wherever something may be measured."""
    steps, sha = [-1.0, -0.5, 0.0, 0.5, 1.0], INVENTED_SHA256
    squares = [0.2 + height * step**2 for step in steps]

    def point(at: str | int, seed: int = 0) -> dict:
        return {"at": at, "seed": seed, "weights_sha256": sha}

    def sliced(at: str | int, directions: list[int], statistics: str) -> dict:
        loss = squares if len(directions) == 1 else [one + other for one in squares for other in squares]
        return {"around": point(at), "directions": directions, "statistics": statistics, "steps": steps, "loss": loss}

    def curved(at: str | int, statistics: str, random: list[float]) -> dict:
        sizes = {"top": 100 * height, "last_change": 0.01, "random": random, "overlap": [0.002] * len(random)}
        return {"around": point(at), "statistics": statistics} | sizes

    ends = [(point(1000), point(2000)), (point(2000), point(2000, 1))]
    content = {
        "schema_version": landscape_records.SCHEMA_VERSION,
        "experiment": experiment,
        "seed": 0,
        "weights_sha256": sha,
        "train_sha256": sha,
        "images": 128,
        "sittings": [
            {
                "started": "2026-01-01T00:00:00+00:00",
                "seconds": 60.0,
                "made_by": machine.describe("cpu", "float32", False),
            }
        ],
        "slices": [
            *(sliced("trained", directions, each) for each in BOTH for directions in ([0, 1], [2], [-1])),
            sliced("initial", [0, 1], "anew"),
            *(sliced(at, [0], "anew") for at in (0, 2000)),
        ],
        "lines": [
            {"one": one, "other": other, "statistics": each, "shares": [0.0, 0.5, 1.0]}
            | {"loss": [0.5, 2.5 if each == "as trained" else 0.5, 0.5], "error": [10.0, 80.0, 10.0]}
            for one, other in ends
            for each in BOTH
        ],
        "curvatures": [
            *(curved("trained", each, [0.1 * height]) for each in BOTH),
            *(curved(at, "anew", []) for at in (0, 2000)),
        ],
    }
    return LandscapeRecord.model_validate_json(json.dumps(content))


FOUND = [
    invented("plain20-cifar10-short", 4.0),
    invented("resnet20-cifar10-short", 2.0),
    invented("plain56-cifar10-short", 1.0),
]
SETS = pytest.mark.parametrize("found", [[], FOUND[:1], FOUND[1:2], FOUND[:2], FOUND], ids=range(5))


@SETS
def test_whatever_is_recorded_is_drawn(found: list[LandscapeRecord]) -> None:
    slices, curvatures = landscape_frames.slice_frame(found), landscape_frames.curvature_frame(found)
    landscape_figures.draw_maps(found)
    landscape_figures.draw_walks(slices)
    for draw, frame in (
        (landscape_figures.plot_curvature, curvatures),
        (landscape_figures.plot_eigenvector, slices),
    ):
        ax = draw(frame, plt.figure().subplots())
        assert [text.get_text() for text in ax.texts] == ([] if found else ["nothing recorded yet"])
    landscape_figures.plot_way(slices[slices.depth == 20], plt.figure().subplots(), "plain")


def test_a_bowl_rises_alike_to_all_sides_and_leads_nowhere_down() -> None:
    found = landscape_frames.rises(landscape_frames.slice_frame(FOUND[:1]))
    walked = {key: [0, 0, 1, 1, 2, 2] for key in BOTH}  # to both sides
    assert found.groupby("statistics").direction.apply(list).to_dict() == walked
    assert found[["middle", "half", "end", "pieces", "down"]].iloc[0].tolist() == pytest.approx([0.4, 1.4, 4.4, 2, 0])
    assert landscape_frames.rises(landscape_frames.slice_frame([])).empty


def test_a_table_of_heights_has_the_median_and_the_least_and_the_most() -> None:
    slices = landscape_frames.slice_frame(FOUND[:1])
    slices.loc[(slices.direction == 2) & (slices.step == 1), "loss"] = 1234.5
    row = landscape_frames.heights(slices).loc[20, "anew", "plain"]
    assert row.tolist() == ["0.400", "1.40 (1.20–1.40)", "4.40 (4.20–1,234)", "0 of 12"]
    assert landscape_frames.heights(landscape_frames.slice_frame([])).empty


def test_without_records_the_page_says_so_in_place_of_the_figure() -> None:
    assert "Nothing is recorded yet" in surfaces.turnable(surfaces.scenes([]))


@pytest.mark.slow
def test_the_surfaces_are_turned_with_mouse_and_keyboard_and_named_for_those_who_do_not_see_them(
    browser: Browser,
) -> None:
    problems = list[str]()
    page = browser.new_page()
    page.on("console", lambda each: problems.append(each.text) if each.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_content(surfaces.turnable(surfaces.scenes(FOUND)))
    plain = page.get_by_role("img", name="Loss on a plane: Plain, 20 layers")
    residual = page.get_by_role("img", name="Loss on a plane: Residual, 20 layers")
    assert plain.count() == residual.count() == 1
    assert page.locator(".surfaces-still").is_hidden()  # it made place

    def drawn() -> str:
        return page.evaluate("() => [...document.querySelectorAll('canvas')].map((one) => one.toDataURL()).join()")

    seen = [drawn()]
    page.get_by_label("Turn:").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("Turn:").get_attribute("aria-valuetext") == "40 degrees"
    seen.append(drawn())
    page.get_by_label("Tilt:").focus()
    page.keyboard.press("ArrowUp")
    seen.append(drawn())
    box = plain.bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 50)
    page.mouse.up()
    seen.append(drawn())
    page.get_by_label("Show:").select_option(label="20 layers, before training, statistics measured anew")
    seen.append(drawn())
    assert len(set(seen)) == len(seen)
    assert "Residual, 20 layers: loss 0.4 in the middle" in page.get_by_role("status").inner_text()
    page.emulate_media(media="print")
    assert page.locator(".surfaces-still").is_visible()
    assert plain.is_hidden()
    assert problems == []
    page.close()


@pytest.mark.slow
def test_the_surfaces_are_turned_by_the_first_button_alone_and_drawn_anew_when_a_notebook_gets_dark(
    browser: Browser,
) -> None:
    page = browser.new_page()
    dark = "<style>body[data-jp-theme-light=false] { --jp-content-font-color1: #eee }</style>"
    page.set_content(dark + surfaces.turnable(surfaces.scenes(FOUND)))

    def drawn() -> str:
        return page.evaluate("() => [...document.querySelectorAll('canvas')].map((one) => one.toDataURL()).join()")

    box, before = page.locator(".surfaces-views").bounding_box(), drawn()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 120, box["y"] + 50)
    page.mouse.up(button="right")
    assert drawn() == before
    page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
    assert drawn() != before
    page.close()


@pytest.mark.slow
def test_without_javascript_a_still_picture_and_all_numbers_are_there(browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(surfaces.turnable(surfaces.scenes(FOUND)))
    still = page.get_by_role("img", name="Two loss surfaces, plain and residual: 20 layers, after 2,000 iterations")
    assert still.is_visible()
    page.get_by_text("The numbers (loss in nats)").click()
    assert page.locator("details table").count() == 6  # three scenes of two surfaces
    assert page.locator("details table").first.locator("td").nth(1).inner_text() == "8.4"  # the corner: 0.4 + 2 * 4
    context.close()


@pytest.mark.slow
def test_the_script_puts_points_where_geometry_says(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(surfaces.turnable(surfaces.scenes(FOUND)))
    above = page.evaluate("() => Surfaces.project([0.5, -0.25, 0.9], 0, Math.PI / 2)")
    assert above[:2] == pytest.approx([0.5, 0.25])  # seen from above a surface is its map
    quarter = page.evaluate("() => Surfaces.project([1, 0, 0.5], Math.PI / 2, Math.PI / 2)")
    assert quarter[:2] == pytest.approx([0, -1], abs=1e-9)
    heights = [page.evaluate("x => Surfaces.heightOf(x, {floor: 0.1, ceiling: 10})", loss) for loss in (0.01, 1, 1e9)]
    assert heights == pytest.approx([0, 0.5, 1])
    page.close()
