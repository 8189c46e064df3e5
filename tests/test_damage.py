"""Whatever is damaged in a record, in weights, studies or checkpoints is refused when it is read."""

import json
import random
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from invented import sound_record

from resnet_book.engine import checkpoints
from resnet_book.engine.checkpoints import CheckpointError
from resnet_book.experiments import lesion_records, records, study_files, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.study_files import StudyError
from resnet_book.models import Network
from resnet_book.recipe import Recipe

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parent.parent / "results"
BUILTIN = RESULTS / "resnet20-builtin-smoke" / "seed0.json"
VALIDATED = RESULTS / "resnet10-cifar100-short" / "seed0.json"
GONE = object()  # in place of a value: the field is not there


def recorded() -> dict[str, dict[str, Any]]:
    """The fields of sound records: an invented one, one with superclasses and images held out."""
    invented = sound_record(top5_error=10.0, weights_sha256=64 * "a", study_sha256=64 * "b")
    return {"invented": invented.model_dump(mode="json"), "validated": json.loads(VALIDATED.read_text())}


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The way to every value inside a record, and that value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield (*way, name), each
        yield from places(each, (*way, name))


def damages(value: Any, optional: bool) -> list[Any]:
    """Values of another type, not finite, negative, empty, out of range, or none at all."""
    found = [None, "x", "", [], {}, [value], {"value": value}, float("nan"), float("inf"), -float("inf")]
    if isinstance(value, int | float):
        found += [str(value), int(value) if isinstance(value, bool) else True, -1 - value, 1e300, 10**30, 2**63]
    else:
        found += [True, 1.5, -1]
    return [*found, *([] if optional else [GONE])]


def is_possible(way: tuple[Any, ...], damage: Any) -> bool:
    """Whether another run of the same experiment could have left this: what is not known, other words for a machine."""
    unknown = re.fullmatch(r"top5_error|superclass_error|\w+_sha256|parts\.0\.threads", ".".join(map(str, way)))
    machine = way[0] == "parts" and way[-1] in ("device", "torch", "python")
    return (unknown is not None and damage is None) or (machine and isinstance(damage, str) and bool(damage))


def changed(sound: dict[str, Any], way: tuple[Any, ...], damage: Any) -> bytes:
    """The file of the record with one value in place of another."""
    whole = deepcopy(sound)
    inside = whole
    for name in way[:-1]:
        inside = inside[name]
    if damage is GONE:
        del inside[way[-1]]
    else:
        inside[way[-1]] = damage
    return json.dumps(whole).encode()


def refuses(read: Callable[[], object], error: type[Exception]) -> bool:
    """Whether ``read`` raises ``error``; any other exception gets through."""
    try:
        read()
    except error:
        return True
    return False


@pytest.mark.parametrize("name", recorded())
def test_a_record_with_an_impossible_value_is_refused(name: str, tmp_path: Path) -> None:
    sound = recorded()[name]
    path = records.path_of(tmp_path, sound["experiment"], sound["seed"])
    path.parent.mkdir()
    defaults = {field.name: field.default for field in fields(Recipe)}
    tried, accepted, chance = 0, list[tuple[Any, ...]](), random.Random(0)
    for way, value in [*places(sound), *(((*way, "extra"), GONE) for way, _ in places(sound))]:
        if way[-1] == "extra":
            found: list[Any] = [0] if isinstance(inside(sound, way[:-1]), dict) else []
        else:
            has_default = way[-1] in ("validation_loss", "validation_error") and value is None
            has_default |= way[0] == "recipe" and len(way) == 2 and defaults[way[-1]] == value
            found = damages(value, optional=has_default)
        for damage in found:
            if repr(damage) == repr(value) or is_possible(way, damage) or chance.random() > 0.5:
                continue
            path.write_bytes(changed(sound, way, damage))  # every second one, at random but the same, to save time
            tried += 1
            if not refuses(lambda: records.load_record(path), RecordError):
                accepted.append((way, value, damage))
    print(f"{name}: {tried} damaged records, {tried - len(accepted)} refused")
    assert tried > 700
    assert not accepted, accepted


TWINS = ("resnet20-cifar10-short", "plain20-cifar10-short")
WORDS = ("device", "torch", "python")  # of made_by: another machine's are as good
MEASURED = ("confidence", "confidence_anew", "feature_change", "feature_change_anew", "together", "seconds")


@pytest.mark.parametrize("name", TWINS)
def test_lesions_with_an_impossible_value_are_refused(name: str, tmp_path: Path) -> None:
    for ending in (".json", ".lesions.json"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / f"seed0{ending}").write_bytes((RESULTS / name / f"seed0{ending}").read_bytes())
    path = tmp_path / name / "seed0.lesions.json"
    sound, record = json.loads(path.read_text()), records.load_record(path.with_name("seed0.json"))
    tried, accepted, chance = 0, list[tuple[Any, ...]](), random.Random(0)
    damaged = [(way, value, damage) for way, value in places(sound) for damage in damages(value, optional=False)]
    for way, value, damage in [each for each in damaged if each[0][0] == "made_by"] + chance.sample(damaged, 300):
        possible = way[0] == "made_by" and way[-1] in WORDS and damage == "x"
        possible |= way[-1] == "threads" and damage is None
        possible |= way[-1] in MEASURED and damage is True  # 1.0
        if repr(damage) == repr(value) or possible:
            continue
        path.write_bytes(changed(sound, way, damage))
        tried += 1
        if not refuses(lambda: lesion_records.LESIONS.load(path, record), RecordError):
            accepted.append((way, value, damage))
    for rows in ("cuts", "paths") if sound["paths"] else ("cuts",):
        for fewer in (sound[rows][1:], sound[rows][::-1], [*sound[rows], sound[rows][-1]], []):
            path.write_text(json.dumps({**sound, rows: fewer}))
            assert refuses(lambda: lesion_records.LESIONS.load(path, record), RecordError), rows
    print(f"{name}: {tried} damaged lesions, {tried - len(accepted)} refused")
    assert tried > 350
    assert not accepted, accepted


def inside(value: Any, way: tuple[Any, ...]) -> Any:
    """The value at ``way``."""
    for name in way:
        value = value[name]
    return value


def flipped(content: bytes, count: int) -> Iterator[bytes]:
    """``content`` with one bit changed: ``count`` times, at places spread over all of it, at random but the same."""
    chance = random.Random(0)
    for place in {0, len(content) - 1, *(chance.randrange(len(content)) for _ in range(count - 2))}:
        damaged = bytearray(content)
        damaged[place] ^= 1 << chance.randrange(8)
        yield bytes(damaged)


def refused_of(path: Path, count: int, read: Callable[[], object], error: type[Exception]) -> tuple[int, int]:
    """Of how many files with one changed bit how many are refused. The file is left as it was."""
    whole = path.read_bytes()
    read()  # as it is, it can be read
    answers = []
    for content in flipped(whole, count):
        path.write_bytes(content)
        answers.append(refuses(read, error))
    path.write_bytes(whole)
    read()
    print(f"{path.name}: {len(answers)} with one changed bit, {sum(answers)} refused")
    return sum(answers), len(answers)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A copy of a record with its weights and its study."""
    path = tmp_path / "results" / BUILTIN.parent.name / BUILTIN.name
    path.parent.mkdir(parents=True)
    for ending in (".json", ".safetensors", ".study.safetensors"):
        path.with_suffix(ending).write_bytes(BUILTIN.with_suffix(ending).read_bytes())
    return path


def test_weights_with_one_changed_bit_are_refused(kept: Path) -> None:
    def read() -> object:
        return weights.load_network(kept.parent.name, results=kept.parents[1])

    refused, tried = refused_of(kept.with_suffix(".safetensors"), 200, read, RecordError)
    assert refused == tried >= 190


def test_a_study_with_one_changed_bit_is_refused(kept: Path) -> None:
    path, checksum = study_files.path_of(kept), records.load_record(kept).study_sha256
    refused, tried = refused_of(path, 400, lambda: study_files.load(path, checksum), StudyError)
    assert refused == tried >= 380


def test_a_checkpoint_with_one_changed_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    network = Network((4, 8), (1, 1), shortcut="subsample")
    checkpoints.save({"network": network.state_dict(), "iteration": 7, "history": {"seconds": 1.5}}, path)
    refused, tried = refused_of(path, 400, lambda: checkpoints.load(path), CheckpointError)
    assert refused == tried >= 380


# --- What is written can be read ------------------------------------------------------------------------------------

NUMBERS = (np.float64(0.5), np.float32(0.5), np.int64(3), np.uint8(3), np.bool_(True), np.str_("x"), 3, 0.5, None, "x")


def test_numbers_of_numpy_make_a_checkpoint_that_can_be_read(tmp_path: Path) -> None:
    state = {"all": NUMBERS, "listed": [list(NUMBERS)], "deep": {"deeper": {"one": np.float64(2)}}, np.int64(1): "key"}
    checkpoints.save(state, str(tmp_path / "checkpoint"))
    found = checkpoints.load(str(tmp_path / "checkpoint"))
    assert found == state
    assert all(type(each) in (float, int, bool, str, type(None)) for each in (found or {})["all"])


@pytest.mark.parametrize("value", [np.ones(3), {1, 2}, Path("x"), torch.Generator()])
def test_what_could_not_be_read_again_is_not_written(value: object, tmp_path: Path) -> None:
    checkpoints.save({"a": 1}, tmp_path / "checkpoint")
    with pytest.raises(TypeError, match=r"state\['b'\]\[0\] is \w+: a checkpoint keeps"):
        checkpoints.save({"b": [value]}, tmp_path / "checkpoint")
    assert checkpoints.load(tmp_path / "checkpoint") == {"a": 1}


def test_a_full_disk_is_told_with_the_folder_and_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs" / "checkpoint"
    with monkeypatch.context() as full:
        full.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(
            OSError, match=r"left on device; it takes .* MB\)\. There is no older checkpoint\. Make room"
        ):
            checkpoints.save({"a": 1}, path)
        assert not list(path.parent.iterdir())
    checkpoints.save({"a": 1}, path)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    words = rf"The previous checkpoint is kept\. Make room in {re.escape(str(path.parent))}"
    with pytest.raises(OSError, match=words):
        checkpoints.save({"a": 2}, path)
    assert checkpoints.load(path) == {"a": 1}


def test_a_bomb_with_the_right_checksum_executes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.mkdir, (tmp_path / "harm",)

    monkeypatch.setattr(checkpoints, "_plain", lambda value, name: value)
    checkpoints.save({"bomb": Bomb()}, tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match="not a checkpoint that can be trusted"):
        checkpoints.load(tmp_path / "checkpoint")
    assert not (tmp_path / "harm").exists()
