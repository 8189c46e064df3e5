"""What chapter 6 says of speed is what benchmarks/README.md holds, or what its own ledger counts on every machine."""

import ast
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import jupytext
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import flop_registry

from resnet_book import models

ROOT = Path(__file__).parent.parent
CELLS = jupytext.read(ROOT / "notebooks" / "06_speed.py").cells
CODE = [cell.source for cell in CELLS if cell.cell_type == "code"]
PROSE = " ".join(" ".join(cell.source for cell in CELLS if cell.cell_type == "markdown").split())
README = " ".join((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").split())


def code(start: str) -> str:
    """The cell of the chapter that begins so."""
    return next(each for each in CODE if each.startswith(start))


# What is quoted.


def test_the_table_of_the_chapter_is_that_of_the_benchmark() -> None:
    rows = ast.literal_eval(re.sub("^.*?= ", "", code("BENCHMARK = ").partition("\npd.")[0]))
    assert len(rows) == 7
    for device, way, milliseconds, ratio in rows:
        assert re.search(
            rf"\| {re.escape(f'{device} | {way} |')} [^|]* \| {milliseconds} \| {re.escape(ratio)} \|", README
        )


QUOTED = [  # a number of the chapter, the cell or the words of benchmarks/README.md that have it, maybe not rounded
    ("16,000", "| 2 | 468,897 | 16,095 |"),
    ("469,000", "| 2 | 468,897 | 16,095 |"),
    ("836", "ours, float32, compiled | 836 "),
    ("80,000", "| H200 | ours, bfloat16, compiled | 80,461 "),
    *(
        (share, "convolutions 54 %, batch norm 20 %, ReLU 15 %, additions 7 %")
        for share in ("54 %", "20 %", "15 %", "7 %")
    ),
    ("1.81", "move 1.81 GB, of which convolutions and matrix products 0.48 GB"),
    ("0.93 GB", "matrix products 0.48 GB; in bfloat16 0.93"),
    ("159", "compiled, against 159 in float32"),
    ("14", "14 (11 to 16) images/s"),
    ("12 seconds", "first compiled step takes 12 s for `resnet20` with a cold"),
    ("250 steps", "repaid after some 250 and 420 steps"),
    ("20", "took 20 s more with a cold cache"),
    ("45,000", "repaid after 45,000 or 8,000 steps"),
    ("4 seconds", "n = 7 passes of about 4 seconds"),
    ("1.5", "n = 3 passes of 1.5 seconds"),
    ("2.15", "torch 2.15.0+cu132"),
    ("2.11", "torch 2.11.0+cu130"),
    ("188", "one of 2 threads, memory given back | 188 "),
    ("237", "ours, one of 2 threads | 237 "),
    ("689", "one of 2 threads, memory given back | 689 "),
    ("1,005", "ours, one of 2 threads | 1,005 "),
    *((time, "channels_last took 1.97 ms in bfloat16 against 4.20 in NCHW") for time in ("4.20", "1.97 ms")),
    *((each, "362 compiled, 1.46 of 1.60") for each in ("362", "1.46", "1.60 ms")),
    ("27th", "compiled | 80,461 (80,263 to 80,537) | 1.59 | 6.44 (5.36 to 6.62) | 5.1 | 27.4 |"),
]


@pytest.mark.parametrize(("number", "measured"), QUOTED)
def test_a_number_that_the_chapter_quotes_was_measured(number: str, measured: str) -> None:
    assert re.search(rf"(?<![\d.,]){re.escape(number)}(?!\d|[.,]\d)", PROSE)
    assert measured in README


# What is counted.


def calls(model: str, count: int) -> Any:
    """The data frame of the chapter's ledger for a forward and backward pass of ``count`` images."""
    names: dict[str, Any] = {"torch": torch, "F": F, "Tensor": Tensor, "models": models, "pd": pd}
    names |= {"TorchDispatchMode": TorchDispatchMode, "tree_iter": tree_iter, "flop_registry": flop_registry}
    names["read_clock"] = lambda: 0.0
    both = re.search(r"def forward_and_backward.*?\n\n\n", code("def new_network"), re.DOTALL)
    assert both
    exec(both[0], names)
    exec(code("def tensors"), names)
    exec(code("KINDS = ").partition("\n\n\ncalls = ")[0], names)
    network = models.MODELS[model](generator=torch.Generator().manual_seed(0))
    return names["calls_of_pass"](network, torch.zeros(count, 3, 32, 32), torch.zeros(count, dtype=torch.int64))


@pytest.mark.parametrize("count", [16, 128])
def test_convolutions_have_nearly_all_operations_and_a_quarter_of_the_bytes(count: int) -> None:
    totals = calls("resnet20", count).groupby(level=0).sum()
    shares = 100 * totals / totals.sum()
    assert shares.operations["convolutions"] > 98
    assert 24 < shares.bytes["convolutions"] < 29
    assert totals.bytes["ReLU"] == pytest.approx(totals.bytes["batch norm"], rel=0.001)  # as many nominal bytes


def test_the_ledger_counts_the_operations_of_convolutions_that_the_benchmark_counts() -> None:
    totals = calls("resnet20", 128).groupby(level=0).sum()
    assert totals.operations["convolutions"] == pytest.approx(31.03e9, rel=0.001)
    assert "31.03 G floating-point operations" in README


def test_half_of_the_additions_are_those_of_shortcuts_and_the_others_count_batches() -> None:
    added = calls("resnet20", 2).loc["additions"].bytes
    assert ((added > 1_000).sum(), (added < 100).sum(), len(added)) == (18, 19, 37)


def test_the_solution_on_wider_networks_says_what_its_code_counts() -> None:
    narrow, wide = calls("resnet20", 16), calls("resnet18", 8)
    intensity = [
        each.loc["convolutions"].operations.sum() / each.loc["convolutions"].bytes.sum() for each in (narrow, wide)
    ]
    assert 1.8 < intensity[1] / intensity[0] < 2.2
    weights = sum(each.numel() for each in models.MODELS["resnet18"]().parameters() if each.ndim == 4)
    assert 0.5 < 3 * 4 * weights / wide.loc["convolutions"].bytes.sum() < 0.7  # read twice, their gradient written


# What the exercise says.


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return None", "Not answered yet."),
        ("return in_turns(first, second, clock, 20)", "Right."),
        ("return in_turns(first, second, clock, 1)", "Wrong: "),
        ("return each_by_itself(first, clock) / each_by_itself(second, clock)", "Wrong: "),
    ],
)
def test_the_check_of_a_fair_comparison_tells_turns_from_others(
    body: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = code("def compare").replace("return None  # your code", body)

    def in_turns(first: Any, second: Any, clock: Any, count: int) -> float:
        ratios = []
        for _ in range(count):
            marks = [clock()]
            for run in (first, second):
                run()
                marks.append(clock())
            spent = [after - before for before, after in pairwise(marks)]
            ratios.append(spent[0] / spent[1])
        return sorted(ratios[1:] or ratios)[len(ratios) // 2]

    def each_by_itself(run: Any, clock: Any) -> float:
        run()
        start = clock()
        for _ in range(20):
            run()
        return clock() - start

    exec("from collections.abc import Callable\n" + source, {"in_turns": in_turns, "each_by_itself": each_by_itself})
    assert capsys.readouterr().out.startswith(said)
