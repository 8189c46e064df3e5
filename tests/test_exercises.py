"""What the check of an exercise says to right, wrong, empty and sly answers."""

import math
import statistics
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import jupytext
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnet_book import features, models
from resnet_book.analysis import cutting, landscape, purity
from resnet_book.engine.device import WORTH_COMPILING
from resnet_book.experiments import landscape_records
from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import landscape_frames

CHAPTER = Path(__file__).parent.parent / "notebooks" / "03_plain_and_residual.py"
CELLS = [cell.source for cell in jupytext.read(CHAPTER).cells if cell.cell_type == "code"]
UNCHANGED = "Not yet: the weights are as they were."
DIRAC = "nn.init.dirac_(block.convolution1.weight), nn.init.dirac_(block.convolution2.weight)"


def check(answer: str) -> None:
    """Run the exercise of chapter 3 with ``answer`` as the body of its function."""
    after_relu = F.relu(torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(0)))
    names: dict[str, Any] = {"nn": nn, "F": F, "torch": torch, "after_relu": after_relu}
    exec(next(cell for cell in CELLS if cell.startswith("class PlainBlock")), names)
    exec(f"def as_identity(block):\n    {answer}\n", names)
    exec(CELLS[-1], names)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (DIRAC, "Right, in evaluation mode."),
        (f"block.train(), {DIRAC}", "Right, in evaluation mode."),
        ("pass", UNCHANGED),
        ("return nn.Identity()", UNCHANGED),
        ("block.forward = lambda x: x", UNCHANGED),
        (
            "for each in (block.convolution1, block.convolution2): "
            "each.weight[:] = 0; each.weight[range(16), range(16), 1, 1] = 1",
            "Right, in evaluation mode.",
        ),
        (f"{DIRAC}, block(torch.randn(2, 16, 8, 8))", "Right, in evaluation mode."),  # tried by the reader
        (  # min(x, 6)
            "[(nn.init.dirac_(each.weight).neg_(), nn.init.constant_(norm.bias, 6)) for each, norm in "
            "((block.convolution1, block.norm1), (block.convolution2, block.norm2))]",
            "Wrong: what comes out differs",
        ),
        ("nn.init.zeros_(block.norm2.weight)", "Wrong: the block gives zeros."),
        ("nn.init.dirac_(block.convolution1.weight)", "Wrong: what comes out differs from what went in by up to "),
        ("nn.init.constant_(block.convolution2.weight, torch.nan)", "Wrong: what comes out differs"),
    ],
)
def test_the_check_of_the_plain_identity_tells_right_wrong_and_empty_answers_apart(
    answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check(answer)
    assert capsys.readouterr().out.startswith(said)


@pytest.mark.parametrize("answer", ["block.convolution1 = nn.Identity()", "block.norm2 = nn.BatchNorm2d(8)"])
def test_a_plain_identity_of_other_layers_is_refused(answer: str) -> None:
    with pytest.raises(RuntimeError, match="loading state_dict for PlainBlock"):
        check(answer)


RECIPE_PAGE = Path(__file__).parent.parent / "notebooks" / "a5_more_about_the_recipe.py"
EACH_KEPT = "\n        if isinstance(block.shortcut, nn.Identity):\n            nn.init.zeros_(block.layers[-1].weight)"


def check_gentle_start(answer: str) -> None:
    """Run exercise 2 of the appendix on the recipe with ``answer`` as what is done to each block."""
    cells = [cell.source for cell in jupytext.read(RECIPE_PAGE).cells if cell.cell_type == "code"]
    begins = "import math", "from resnet_book", "wanted =", "def new_network", "@torch.no_grad()\ndef first_step"
    names: dict[str, Any] = {"tier": "smoke", "data_root": ""}
    for begin in begins:
        exec(next(cell for cell in cells if cell.startswith(begin)).partition("\neach = {\n")[0], names)
    loop = f"    for block in (block for stage in network.stages for block in stage):\n        {answer}\n"
    exercise = next(cell for cell in cells if cell.startswith("def begin_as_identity"))
    exec(exercise.replace("    # your code", f"{loop}    # your code"), names)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (EACH_KEPT.strip(), "Right. The scores now move by 0."),
        (f"nn.init.constant_(block.layers[-1].weight, 0.1){EACH_KEPT}", "Right. The scores now move by 0."),
        ("pass", "Not answered yet"),
        ("nn.init.zeros_(block.layers[-1].weight)", "Wrong: 6 of 9 blocks have channels"),
        ("nn.init.zeros_(block.layers[1].weight)", "Wrong: 9 of 9 blocks have channels"),
        ("nn.init.zeros_(block.layers[3].weight)", "Wrong: 9 of 9 blocks have channels"),
        ("nn.init.constant_(block.layers[-1].weight, 0.1)", "Wrong: 7 of 7 branches still put something out."),
    ],
)
def test_a_gentle_start_is_right_only_where_every_channel_can_learn(
    answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check_gentle_start(answer)
    assert capsys.readouterr().out.startswith(said)


def check_page(page: str, empty: str, answer: str, names: dict[str, Any]) -> None:
    """Run the exercise of a page whose cell has ``empty`` where an answer goes."""
    pages = Path(__file__).parent.parent / "notebooks"
    cells = [cell.source for cell in jupytext.read(pages / f"{page}.py").cells if cell.cell_type == "code"]
    exec(next(cell for cell in cells if empty in cell).replace(empty, answer), names)


@pytest.mark.parametrize(
    ("page", "name", "answer", "said"),
    [
        ("01_dataset", "byte", "7 * 3_073 + 1 + 1024 * 2 + 32 * 31 + 31", "Right"),
        ("01_dataset", "byte", "24_584", "Nearly: count from zero."),
        ("01_dataset", "byte", "8 * 3_073 + 1 + 1024 * 2 + 32 * 31 + 31", "Nearly: how many rows"),
        ("01_dataset", "byte", "1 + 1024 * 2 + 32 * 31 + 31", "Wrong"),
        ("01_dataset", "byte", "0", "Wrong"),
        ("01_dataset", "byte", "None", "Not answered yet."),
        ("05_training", "rate", "0.01", "Right"),
        ("05_training", "rate", "0.1", "Wrong"),
        ("05_training", "rate", "0", "Wrong"),
        ("05_training", "rate", "None", "Not answered yet."),
        ("05_training", "decay", "0.0032", "Right"),
        ("05_training", "decay", "0.0001 * 64_000 / 2_000", "Right"),
        ("05_training", "decay", "0.0001", "Wrong"),
        ("05_training", "decay", "0.0001 / 32", "Wrong"),
        ("05_training", "decay", "0", "Wrong"),
        ("05_training", "decay", "None", "Not answered yet."),
        ("05_training", "seeds_each", "4", "Right."),
        ("05_training", "seeds_each", "3", "Wrong"),
        ("05_training", "seeds_each", "50", "Wrong"),
        ("05_training", "seeds_each", "None", "Not answered yet."),
        ("a6_more_about_speed", "num_steps", "(33_000 - 493) / (572 - 493)", "Right, on that machine."),
        ("a6_more_about_speed", "num_steps", "412", "Right, on that machine."),
        ("a6_more_about_speed", "num_steps", "33_000 / 79", "Right, on that machine."),  # the 33 seconds are rounded
        ("a6_more_about_speed", "num_steps", "33 / 79", "Nearly: seconds on one side"),
        ("a6_more_about_speed", "num_steps", "33_000 / 493", "Wrong"),
        ("a6_more_about_speed", "num_steps", "0", "Wrong"),
        ("a6_more_about_speed", "num_steps", "None", "Not answered yet."),
        # A number is as good as a set.
        ("a6_more_about_speed", "waiting", "{16}", "Right."),
        ("a6_more_about_speed", "waiting", "16", "Right."),
        ("a6_more_about_speed", "waiting", "[16, 32]", "Nearly: how many bytes"),
        ("a6_more_about_speed", "waiting", "{64}", "Wrong: at how many FLOP"),
        ("a6_more_about_speed", "waiting", "None", "Not answered yet."),
        # The deviation of a cosine is not its mean size.
        ("09_the_landscape", "deviation", "269_722 ** -0.5", "Right."),
        ("09_the_landscape", "deviation", "0.0019", "Right."),
        ("09_the_landscape", "deviation", "(2 / (math.pi * 269_722)) ** 0.5", "Wrong: n variances"),
        ("09_the_landscape", "deviation", "1 / 269_722", "Wrong: n variances"),
        ("09_the_landscape", "deviation", "None", "Not answered yet."),
        # The quantile of one in 50 is not the mean of the least of 50.
        ("a7_more_about_wide_networks", "too_low", "0.45", "Right."),
        ("a7_more_about_wide_networks", "too_low", "0.2 * 2.054", "Too little"),
        ("a7_more_about_wide_networks", "too_low", "0.2 * 50**0.5", "Too much"),
        ("a7_more_about_wide_networks", "too_low", "None", "Not answered yet."),
    ],
)
def test_the_check_of_a_number_tells_right_and_wrong_ones_apart(
    page: str, name: str, answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"math": math, "PAPER": PAPER, "WORTH_COMPILING": WORTH_COMPILING, "torch": torch}
    check_page(page, f"{name} = None", f"{name} = {answer}", names)
    assert capsys.readouterr().out.startswith(said)


RANKED = "return purity.purity(features.rank({}, {})[{}], test.labels, test.num_classes).mean().item()"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RANKED.format("values", "k", 1), "Right."),
        (RANKED.format("values", "k", 1).replace(".item()", ""), "Right."),
        ("return None", "Not answered yet."),
        (RANKED.format("values", "k", 0), "Wrong: this is the purity of the least relevant images"),
        (RANKED.format("values", "2 * k", 1), "Wrong: for 10 images it should be"),
        (RANKED.format("values", "K", 1), "Nearly: right here"),
        (RANKED.format("trained", "k", 1), "Nearly: right here"),
        ("return row_purity.mean()", "Nearly: right here"),
    ],
)
def test_the_check_of_longer_rows_sees_an_answer_that_ignores_its_arguments(
    answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = torch.rand(200, 8, generator=torch.Generator().manual_seed(0))
    test = SimpleNamespace(labels=torch.arange(200) % 10, num_classes=10)
    least, most = (purity.purity(each, test.labels, 10) for each in features.rank(trained, 10))
    names = {"trained": trained, "test": test, "K": 10, "row_purity": most, "least_purity": least}
    modules = {"torch": torch, "features": features, "purity": purity}
    check_page("04_features", "return None  # your code: two lines", answer + "  #", names | modules)
    assert capsys.readouterr().out.startswith(said)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("-mean[0] / std[0]", "Right."),
        ("-2.33", "Right."),
        ("0", "Wrong"),
        ("-128", "Wrong"),
        ("2.33", "Wrong"),
        ("None", "Not answered yet."),
    ],
)
def test_the_check_of_black_after_normalisation(answer: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"mean": torch.tensor([127.9007, 127.0731]), "std": torch.tensor([55.0, 54.7735])}
    check_page("02_augmentation", "black = None", f"black = {answer}", names)
    assert capsys.readouterr().out.startswith(said)


BLOCKS = "cut = deepcopy(network); blocks = cut.stages[0]; "
SWAPPED = "blocks[first], blocks[second] = blocks[second], blocks[first]; return cut"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (BLOCKS + SWAPPED, "Right."),
        ("return None", "Not answered yet."),
        ("cut = network; blocks = cut.stages[0]; " + SWAPPED, "Wrong: the network itself has changed."),
        ("return deepcopy(network)", "Wrong: nothing was exchanged."),
        (BLOCKS + "blocks[first] = blocks[second]; return cut", "Wrong: another network than the one asked for."),
        (BLOCKS + "blocks[0], blocks[2] = blocks[2], blocks[0]; return cut", "Nearly: other blocks than the ones"),
    ],
)
def test_the_check_of_two_exchanged_blocks_sees_a_changed_network_and_blocks_that_were_not_named(
    answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network = models.untrained("resnet20").eval()
    few = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    names = {"network": network, "few": few, "deepcopy": deepcopy, "cutting": cutting, "torch": torch}
    check_page("08_take_it_apart", "return None  # your code", answer, names)
    assert capsys.readouterr().out.startswith(said)


LINE = "last = len(values) - 1; line = [values[0] + (values[-1] - values[0]) * at / last for at in range(last + 1)]; "


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (LINE + "return max(value - below for value, below in zip(values, line))", "Right:"),
        ("return None", "Not answered yet."),
        # The recorded ends are nearly level: these come out right, or nearly so, on the recorded lines.
        (LINE + "top = values.index(max(values)); return values[top] - line[top]", "Wrong: how high"),
        (LINE + "return max(abs(value - below) for value, below in zip(values, line))", "Wrong: how high"),
        ("return max(values) - (values[0] + values[-1]) / 2", "Wrong: how high"),
        ("return max(values) - values[0]", "Wrong: how high"),
    ],
)
def test_the_check_of_a_barrier_wants_the_largest_rise_above_the_line_whatever_its_slope(
    answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = landscape_records.LANDSCAPE.read_all(CHAPTER.parent.parent / "results")
    short = [each for each in found if each.experiment.endswith("-cifar10-short")]
    names = {"landscape_frames": landscape_frames, "landscape": landscape, "short": short}
    check_page("09_the_landscape", "return None  # your code", answer, names)
    assert capsys.readouterr().out.startswith(said)


BOTTLENECK = """return nn.Sequential(
        nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width),
    )"""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (BOTTLENECK, "Right."),
        ("return None", "Not answered yet."),
        (BOTTLENECK.replace("3, stride", "3, 2"), "Wrong: with stride 4, 48 channels of 8x8 became (128, 4, 4)"),
        (BOTTLENECK.replace("4 * width", "2 * in_channels"), "Wrong: with stride 4, 48 channels of 8x8 became (96,"),
        (BOTTLENECK.replace(", bias=False", ""), "Wrong: 192 parameters too many."),
        (BOTTLENECK.replace("3, stride", "3").replace("width, 1,", "width, 1, stride,", 1), "Nearly: which of the"),
    ],
)
def test_the_check_of_a_bottleneck_sees_a_stride_or_a_width_that_is_right_for_one_block_alone(
    answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check_page("07_wide_networks", "return None  # your code", answer, {"nn": nn, "torch": torch, "models": models})
    assert capsys.readouterr().out.startswith(said)


IN_TURNS = """spent = []
    for _ in range({count}):
        marks = [clock()]
        for run in (first, second):
            run()
            marks.append(clock())
        spent.append((marks[1] - marks[0], marks[2] - marks[1]))
    return """
MEDIAN = IN_TURNS + "statistics.median(a / b for a, b in spent{which})"
SEPARATE = """means = []
    for run in (first, second):
        run()
        spent = []
        for _ in range(20):
            start = clock()
            run()
            spent.append(clock() - start)
        means.append({summary}(spent))
    return means[0] / means[1]"""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (MEDIAN.format(count=20, which="[1:]"), "Right."),
        # A median does not mind one slow pair of twenty, and the fastest of calls in turns are neighbours.
        (MEDIAN.format(count=20, which=""), "Right."),
        (IN_TURNS.format(count=20) + "min(a for a, _ in spent) / min(b for _, b in spent)", "Right."),
        ("return None", "Not answered yet."),
        ("return 2", "Wrong on "),
        ("return float('nan')", "Wrong on 10 of 10 machines: nan for "),
        (MEDIAN.format(count=2, which="[1:]"), "Wrong on "),  # once each, after a warm-up
        (MEDIAN.format(count=1, which=""), "Wrong on "),
        (IN_TURNS.format(count=20) + "sum(a for a, _ in spent[1:]) / sum(b for _, b in spent[1:])", "Wrong on "),
        (IN_TURNS.format(count=20) + "statistics.mean(a / b for a, b in spent[1:])", "Wrong on "),
        (SEPARATE.format(summary="min"), "Wrong on "),
        (SEPARATE.format(summary="statistics.median"), "Wrong on "),
        (SEPARATE.format(summary="sum"), "Wrong on "),
    ],
)
def test_the_check_of_a_fair_comparison_wants_turns_and_something_that_an_interruption_does_not_move(
    answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"Callable": Callable, "Random": Random, "partial": partial, "statistics": statistics}
    check_page("06_speed", "return None  # your code", answer, names)
    assert capsys.readouterr().out.startswith(said)


def test_the_solution_of_a_fair_comparison_that_the_page_prints_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    page = (CHAPTER.parent / "06_speed.py").read_text(encoding="utf-8").replace("\n# ", "\n")
    body = page.partition("def compare(first, second, clock):\n")[2].partition("```")[0].strip()
    names = {"Callable": Callable, "Random": Random, "partial": partial, "statistics": statistics}
    check_page("06_speed", "return None  # your code", body, names)
    assert capsys.readouterr().out == "Right.\n"
