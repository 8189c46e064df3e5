"""A recipe is checked when it is made: what cannot be is refused in words, and numpy's numbers become Python's."""

# pyright: reportArgumentType=false
# Values of other types than the annotated ones are what some tests are about.

import json
import math
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import RECIPE, fit, tiny

from resnet_book.engine import checkpoints
from resnet_book.engine.checks import LARGEST
from resnet_book.recipe import Epoch, History, Recipe

WHOLE, REAL = "choose a whole number", "choose a number"
CHANNELS = r"give three numbers for red, green and blue, in units of pixel values, 0 to 255"

# Field, values that cannot be, and what the error says is allowed.
IMPOSSIBLE: list[tuple[str, list[Any], str]] = [
    ("iterations", [0, -5, 2.5, 2.0, True, "x", "5", None, math.nan, math.inf, [3]], rf"{WHOLE} of at least 1"),
    ("batch_size", [0, -1, 128.0, False, "128", None], rf"{WHOLE} of at least 1"),
    ("learning_rate", [0, -0.1, math.nan, math.inf, True, "0.1", None, (0.1,)], rf"{REAL} above 0"),
    ("drops", [(0,), (-1, 5), (1.5,), ("x",), (True,), "x"], rf"{WHOLE} of at least 1"),
    ("drops", [1000, None, 2.5], r"give a tuple of iterations"),
    ("drops", [np.array(1000), torch.tensor(1000)], r"give a tuple of iterations"),
    ("drops", [(1500, 1000), (5, 5)], r"in rising order, each once"),
    ("drop_divisor", [0, -10, math.nan, math.inf, "10", None], rf"{REAL} above 0"),
    ("warmup_iterations", [-1, 0.5, "0", None], rf"{WHOLE} of at least 0"),
    ("warmup_learning_rate", [0, -0.01, math.nan, None], rf"{REAL} above 0"),
    ("momentum", [2, -0.1, 1.01, math.nan, "0.9", None, False], rf"{REAL} from 0 to 1"),
    ("weight_decay", [-1e-4, math.nan, math.inf, "1e-4", None], rf"{REAL} of at least 0"),
    ("padding", [-1, 4.0, "4", None, True], rf"{WHOLE} of at least 0"),
    ("padding_mode", ["mirror", "", None, 0, ["zeros"]], "choose one of zeros, edge, reflect"),
    ("flip_probability", [50, 1.01, -0.5, math.nan, "0.5", None, True], rf"{REAL} from 0 to 1"),
    ("mean", [125.0, (125.0,), (125, 123), (125, 123, 114, 1), "rgb", 0, {125, 123, 114}, torch.tensor(9)], CHANNELS),
    ("mean", [(0.49, 0.48, 0.45)], rf"units of 0 to 1; {CHANNELS}"),
    ("mean", [(125, 123, 256), (-1, 0, 0), (math.nan, 1, 1)], rf"{REAL} from 0 to 255"),
    ("std", [63.0, (63.0,), "rgb", 0], CHANNELS),
    ("std", [(0.247, 0.243, 0.262)], rf"units of 0 to 1; {CHANNELS}"),
    ("std", [(0, 62, 66), (-63, 62, 66), (63, math.nan, 66), (63, 62, 300)], rf"{REAL} above 0 and at most 255"),
    ("validation_images", [-1, 0.1, "5000", None], rf"{WHOLE} of at least 0"),
    ("validation_seed", [-1, 2**63, 2**64, 0.0, None], rf"{WHOLE} from 0 to {LARGEST:,}"),
]
CASES = [(field, value, allowed) for field, values, allowed in IMPOSSIBLE for value in values]


@pytest.mark.parametrize(("field", "value", "allowed"), CASES, ids=[f"{field}={value!r}" for field, value, _ in CASES])
def test_an_impossible_value_is_refused_with_field_value_and_what_is_allowed(
    field: str, value: object, allowed: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{field}=.*{allowed}") as caught:
        Recipe(**{field: value})
    culprits = [value, *value] if isinstance(value, tuple | list | str) else [value]
    checked = [tuple(float(part) for part in value)] if field in ("mean", "std") and isinstance(value, tuple) else []
    assert any(str(caught.value).startswith(f"{field}={each!r}: ") for each in [*culprits, *checked])


def test_every_field_has_an_impossible_value_here() -> None:
    assert {field for field, _, _ in CASES} == {field.name for field in fields(Recipe)}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("drops", ()),
        ("drops", [500, 750]),
        ("drops", (70_000,)),  # after the end: then the learning rate never drops
        ("momentum", 0),
        ("momentum", 1),
        ("weight_decay", 0),
        ("padding", 0),
        ("flip_probability", 1),
        ("mean", (0, 0, 0)),
        ("mean", [125.3, 123.0, 113.9]),
        ("std", (1, 1, 1)),
        ("validation_seed", LARGEST),
    ],
)
def test_a_value_at_the_edge_of_what_is_allowed_is_taken(field: str, value: Any) -> None:
    taken = getattr(Recipe(**{field: value}), field)
    assert taken == (tuple(value) if isinstance(value, list) else value)


def test_a_recipe_is_a_value_that_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Recipe().learning_rate = 1.0  # type: ignore[misc]


# --- Numbers of numpy -------------------------------------------------------------------------------------------------

FROM_NUMPY = Recipe(
    iterations=np.int64(3),
    batch_size=np.int32(32),
    learning_rate=np.logspace(-1, -2, 2)[0],
    drops=np.array([1, 2]),
    drop_divisor=np.float32(10),
    warmup_iterations=np.uint8(1),
    warmup_learning_rate=np.float64(0.01),
    momentum=np.float32(0.5),
    weight_decay=np.float64(1e-4),
    padding=np.int8(4),
    padding_mode=np.str_("zeros"),  # pyright: ignore[reportArgumentType]
    flip_probability=np.float16(0.5),
    mean=np.array([125.0, 123.0, 114.0]),
    std=torch.tensor([63.0, 62.0, 66.0]),
    validation_images=np.int16(32),
    validation_seed=np.uint64(1),
)
FROM_PYTHON = Recipe(
    iterations=3,
    batch_size=32,
    learning_rate=0.1,
    drops=(1, 2),
    drop_divisor=10.0,
    warmup_iterations=1,
    warmup_learning_rate=0.01,
    momentum=0.5,
    weight_decay=1e-4,
    padding=4,
    padding_mode="zeros",
    flip_probability=0.5,
    mean=(125.0, 123.0, 114.0),
    std=(63.0, 62.0, 66.0),
    validation_images=32,
    validation_seed=1,
)


@pytest.mark.parametrize("field", [field.name for field in fields(Recipe)])
def test_numbers_of_numpy_become_pythons(field: str) -> None:
    found, expected = getattr(FROM_NUMPY, field), getattr(FROM_PYTHON, field)
    assert found == expected
    assert type(found) is type(expected)
    if isinstance(found, tuple):
        assert [type(each) for each in found] == [type(each) for each in expected]


def test_recipes_of_numpys_and_pythons_numbers_are_the_same_recipe() -> None:
    assert FROM_NUMPY == FROM_PYTHON
    assert repr(FROM_NUMPY) == repr(FROM_PYTHON)  # by which a checkpoint knows its run


def test_a_checkpoint_of_numpys_numbers_can_be_read_and_is_that_of_pythons(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    history = fit(tiny(), recipe=FROM_NUMPY, seed=np.arange(5)[3], checkpoint=path)
    assert checkpoints.load(path) is not None
    assert fit(tiny(), recipe=FROM_PYTHON, seed=3, checkpoint=path) == history


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 1.0, "0", None, True], ids=repr)
def test_a_seed_that_no_generator_takes_is_refused_before_anything_is_computed(seed: Any) -> None:
    network = tiny().eval()
    with pytest.raises(ValueError, match=rf"seed={seed!r}: choose a whole number from 0 to {LARGEST:,}"):
        fit(network, seed=seed)
    assert not network.training


def test_the_largest_seed_trains() -> None:
    fit(tiny(), recipe=replace(RECIPE, iterations=1), seed=LARGEST)


# --- Histories --------------------------------------------------------------------------------------------------------


def test_a_history_comes_back_from_its_plain_values() -> None:
    history = History([Epoch(8, 0.1, 2.0, 90.0, 2.0, 90.0)], mean=(1.0, 2.0, 3.0))
    assert History.from_dict(json.loads(json.dumps(asdict(history)))) == history
