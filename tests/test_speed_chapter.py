"""What chapter 6 says of speed is what benchmarks/README.md holds, or what is counted on every machine."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jupytext
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from resnet_book import data, models, train
from resnet_book.analysis import ledger
from resnet_book.engine.device import Engine
from resnet_book.experiments.catalogue import PAPER
from resnet_book.state import Training

ROOT = Path(__file__).parent.parent
CELLS = jupytext.read(ROOT / "notebooks" / "06_speed.py").cells
CODE = [cell.source for cell in CELLS if cell.cell_type == "code"]
PROSE = " ".join(" ".join(cell.source for cell in CELLS if cell.cell_type == "markdown").split())
APPENDIX = (ROOT / "notebooks" / "a6_more_about_speed.py").read_text(encoding="utf-8").replace("\n# ", " ")
README = " ".join((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").split())


def code(start: str) -> str:
    """The cell of the chapter that begins so."""
    return next(each for each in CODE if each.startswith(start))


# What is quoted.


def test_the_table_of_the_chapter_is_that_of_the_benchmark() -> None:
    rows = ast.literal_eval(re.sub("^.*?= ", "", code("BENCHMARK = ").partition("\npd.")[0]))
    assert len(rows) == 8
    for device, way, milliseconds, ratio in rows:
        assert re.search(
            rf"\| {re.escape(f'{device} | {way} |')} [^|]* \| {milliseconds} \| {re.escape(ratio)} \|", README
        )


QUOTED = [  # a number of the chapter, the cell or the words of benchmarks/README.md that have it, maybe not rounded
    ("16,000", "| 2 | 468,897 | 16,095 |"),
    ("469,000", "| 2 | 468,897 | 16,095 |"),
    ("955", "ours, float32, compiled | 955 "),
    ("80,000", "| H200 | ours, bfloat16, compiled | 80,461 "),
    ("1.81", "move 1.81 GB, of which convolutions and matrix products 0.48 GB"),
    ("0.93 GB", "matrix products 0.48 GB; in bfloat16 0.93"),
    ("159", "compiled, against 159 in float32"),
    ("14", "14 (11 to 16) images/s"),
    ("12 seconds", "first compiled step takes 12 s for `resnet20` with a cold"),
    ("20 seconds", "took 20 s more with a cold cache (39 s for `resnet56`; four networks were being compiled at once)"),
    ("45,000", "repaid after 45,000 or 8,000 steps"),
    ("4 seconds", "n = 7 passes of about 4 seconds"),
    ("1.5", "n = 3 passes of 1.5 seconds"),
    ("2.15", "torch 2.15.0+cu132"),
    ("2.11", "torch 2.11.0+cu130"),
    *((time, "channels_last took 1.97 ms in bfloat16 against 4.20 in NCHW") for time in ("4.20", "1.97 ms")),
    *((each, "362 compiled, 1.46 of 1.60") for each in ("362", "1.46", "1.60 ms")),
    ("465", "the convolution 465 and 785, the copy 66 GB/s"),
    ("66", "the convolution 465 and 785, the copy 66 GB/s"),
    ("27th", "compiled | 80,461 (80,263 to 80,537) | 1.59 | 6.44 (5.36 to 6.62) | 5.1 | 27.4 |"),
]


@pytest.mark.parametrize(("number", "measured"), QUOTED)
def test_a_number_that_the_chapter_quotes_was_measured(number: str, measured: str) -> None:
    assert re.search(rf"(?<![\d.,]){re.escape(number)}(?!\d|[.,]\d)", PROSE)
    assert measured in README


def quoted(pattern: str) -> list[float]:
    """The numbers in parentheses of the one place in benchmarks/README.md that has ``pattern``."""
    (found,) = re.finditer(pattern, README)
    return [float(each.replace(",", "")) for each in found.groups()]


def in_prose(pattern: str) -> list[float]:
    (found,) = re.finditer(pattern, PROSE)
    return [float(each.replace(",", "")) for each in found.groups()]


def test_compiling_on_the_cpu_is_repaid_after_the_steps_that_the_table_gives() -> None:
    (first,) = quoted(r"first compiled step takes ([\d.]+) s for `resnet20` with a cold")
    eager, compiled = (
        quoted(rf"CPU, 2 cores \| ours, float32, {way} \| [^|]* \| ([\d.]+) \|")[0] for way in ("eager", "compiled")
    )
    (steps,) = in_prose(r"repaid after some ([\d,]+) steps at the times of the table")
    assert steps == pytest.approx(1000 * first / (eager - compiled), rel=0.02)


def test_the_exercise_of_the_appendix_has_the_times_of_the_benchmark_and_its_solution_follows_from_them() -> None:
    said = re.search(r"found (\d+) seconds .* and (\d+) milliseconds .* every step took (\d+)\.", APPENDIX)
    (first,) = quoted(r"and ([\d.]+) s for `plain56` with a cold one")
    eager, compiled = quoted(r"\| plain56 \| ([\d.]+) \| ([\d.]+) \|")
    assert said
    assert [float(each) for each in said.groups()] == [first, compiled, eager]
    steps = next(n for n in range(1, 1_000) if 1_000 * first + compiled * (n - 1) < eager * n)
    assert f"`num_steps = {steps}`" in APPENDIX
    assert f"repaid by {steps - 1} later steps" in APPENDIX


def test_the_bend_of_each_machine_and_what_convolutions_do_a_byte() -> None:
    product, flops, moved = quoted(
        r"product did ([\d.]+) GFLOP/s in .* the convolution ([\d.]+) and 785, the copy ([\d.]+) GB"
    )
    assert flops > product
    assert in_prose(r"([\d.]+) operations a byte\. Batch norm") == [round(flops / moved, 1)]
    gpu_flops, gpu_moved = quoted(r"51 TFLOP/s in float32 and ([\d.]+) in bfloat16, the copy ([\d.]+) TB/s")
    operations, in_float32, in_bfloat16 = (
        *quoted(r"on 128 images has ([\d.]+) G floating"),
        *quoted(r"products ([\d.]+) GB; in bfloat16 0.93 and ([\d.]+) GB"),
    )
    (bend, convolutions) = in_prose(r"the limit is ([\d.]+)\. There convolutions do ([\d.]+) operations a byte")
    assert (bend, convolutions) == (round(gpu_flops / gpu_moved), round(operations / in_bfloat16))
    assert convolutions < bend  # so on the side of memory
    assert operations / in_float32 > flops / moved  # and of arithmetic


def test_all_bytes_would_take_a_seventh_of_the_compiled_step_those_of_convolutions_a_27th_arithmetic_less() -> None:
    (step,) = quoted(r"H200 \| ours, bfloat16, compiled \| [^|]* \| ([\d.]+) \|")
    flops, bandwidth = quoted(r"51 TFLOP/s in float32 and ([\d.]+) in bfloat16, the copy ([\d.]+) TB/s")
    moved, by_products = quoted(r"products 0.48 GB; in bfloat16 ([\d.]+) and ([\d.]+) GB")
    (operations,) = quoted(r"on 128 images has ([\d.]+) G floating")
    assert round(step / (moved / bandwidth)) == 7
    assert step / (by_products / bandwidth) == pytest.approx(27.4, rel=0.03)  # 0.24 GB is rounded
    assert operations / flops < by_products / bandwidth
    assert "a seventh of the time, those of convolutions alone a 27th" in PROSE


@pytest.mark.parametrize(
    ("said", "measured"),
    [
        ("fetches the number of right answers", "`loss.item()` and the number of right answers in every step"),
        (
            "its convolutions use TensorFloat-32, PyTorch's default",
            "and TensorFloat-32 in convolutions, which is torch's",
        ),
        ("the fused optimizer come with it", "On a GPU `train.fit` uses it."),
        ("on the GPU a CUDA graph", "On a GPU each is replayed as a CUDA graph."),
    ],
)
def test_what_the_two_steps_of_the_benchmark_contain_is_what_it_says_of_them(said: str, measured: str) -> None:
    assert said in PROSE
    assert measured in README


# What is counted.


def calls(model: str, count: int) -> Any:
    """The data frame of the chapter for the calls of a forward and backward pass of ``count`` images."""
    names: dict[str, Any] = {"torch": torch, "F": F, "Tensor": Tensor, "models": models, "pd": pd, "ledger": ledger}
    names["read_clock"] = lambda: 0.0
    both = re.search(r"def forward_and_backward.*?\n\n\n", code("def new_network"), re.DOTALL)
    assert both
    exec(both[0], names)
    exec(code("KINDS = ").partition("\n\n\norder = ")[0], names)
    network = models.MODELS[model](generator=torch.Generator().manual_seed(0))
    return names["calls_of_pass"](network, torch.zeros(count, 3, 32, 32), torch.zeros(count, dtype=torch.int64))


@pytest.mark.parametrize("count", [16, 128])
def test_convolutions_have_nearly_all_operations_and_a_quarter_of_the_bytes(count: int) -> None:
    totals = calls("resnet20", count).groupby(level=0).sum()
    shares = 100 * totals / totals.sum()
    assert shares.operations["convolutions"] > 98
    assert 24 < shares.bytes["convolutions"] < 29
    assert totals.bytes["ReLU"] == pytest.approx(totals.bytes["batch norm"], rel=0.001)  # as many nominal bytes


def test_the_chapter_counts_the_operations_and_bytes_of_the_benchmark() -> None:
    totals = calls("resnet20", 128).groupby(level=0).sum()
    assert totals.operations["convolutions"] == pytest.approx(31.03e9, rel=0.001)
    assert "31.03 G floating-point operations" in README
    assert totals.bytes.sum() == pytest.approx(1.81e9, rel=0.02)  # which has loading and the optimizer, too
    assert "eager operations move 1.81 GB, of which convolutions and matrix products 0.48 GB" in README
    assert totals.bytes["convolutions"] == pytest.approx(0.48e9, rel=0.02)


def test_the_solution_on_wider_networks_says_what_its_code_counts() -> None:
    narrow, wide = calls("resnet20", 16), calls("resnet18", 8)
    intensity = [
        each.loc["convolutions"].operations.sum() / each.loc["convolutions"].bytes.sum() for each in (narrow, wide)
    ]
    assert 1.8 < intensity[1] / intensity[0] < 2.2
    weights = sum(each.numel() for each in models.MODELS["resnet18"]().parameters() if each.ndim == 4)
    assert 0.5 < 3 * 4 * weights / wide.loc["convolutions"].bytes.sum() < 0.7  # read twice, their gradient written


# What the step does.


@pytest.mark.parametrize("changed", [None, "weight_decay", "momentum"])
def test_three_steps_of_the_chapter_are_three_steps_of_the_package(changed: str | None) -> None:
    recipe = replace(PAPER, batch_size=16, learning_rate=0.01, weight_decay=0.1)
    mine = recipe if changed is None else replace(recipe, **{changed: 0.0})
    names: dict[str, Any] = {"torch": torch, "F": F, "Tensor": Tensor, "models": models, "PAPER": mine}
    names |= {"Callable": Callable, "dataclass": dataclass, "device": torch.device("cpu"), "one_by_one": None}
    exec(code("def new_network").partition("\n\n\nnetwork = ")[0], names)
    exec(code("@dataclass(frozen=True)\nclass Way"), names)

    training = Training(names["new_network"](), {"train": data.load("builtin", "train")}, recipe, 0, Engine())
    plans = [plan for plan, _ in zip(training.plans(), range(3), strict=False)]
    theirs = train.make_step(training)
    network, batches = names["new_network"](), iter([training.batches.load(plan) for plan in plans])
    way = names["Way"](load=partial(next, batches), order=torch.channels_last)
    step = names["make_step"](network, way)
    for plan in plans:
        theirs(plan)
        step()
    pairs = list(zip(network.parameters(), training.network.parameters(), strict=True))
    same = [torch.allclose(own, other, rtol=1e-4, atol=1e-5) for own, other in pairs]
    assert all(same) == (changed is None)  # a step that forgets one of them would be seen
