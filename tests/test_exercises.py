"""What the check of an exercise says to right, wrong, empty and sly answers."""

import math
from pathlib import Path
from typing import Any

import jupytext
import pytest
import torch
import torch.nn.functional as F
from torch import nn

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
        (DIRAC, "Right. So"),
        (f"block.train(), {DIRAC}", "Right. So"),
        ("pass", UNCHANGED),
        ("return nn.Identity()", UNCHANGED),
        ("block.forward = lambda x: x", UNCHANGED),
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
        exec(next(cell for cell in cells if cell.startswith(begin)).partition("\neach = {(depth")[0], names)
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


SPEED_PAGE = Path(__file__).parent.parent / "notebooks" / "a6_more_about_speed.py"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("{16}", "Right."),
        ("16", "Right."),
        ("[16, 32]", "Nearly: how many bytes"),
        ("{64}", "Wrong: at how many FLOP"),
        ("None", "Not answered yet."),
    ],
)
def test_which_convolutions_wait_for_memory_may_be_said_as_a_number_or_a_set(
    answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [cell.source for cell in jupytext.read(SPEED_PAGE).cells if cell.cell_type == "code"]
    exercise = next(cell for cell in cells if cell.startswith("waiting = None"))
    exec(exercise.replace("waiting = None", f"waiting = {answer}"), {})
    assert capsys.readouterr().out.startswith(said)


LANDSCAPE_PAGE = Path(__file__).parent.parent / "notebooks" / "09_the_landscape.py"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("269_722 ** -0.5", "Right."),
        ("0.0019", "Right."),
        ("(2 / (math.pi * 269_722)) ** 0.5", "Wrong: n variances"),  # the mean absolute cosine
        ("1 / 269_722", "Wrong: n variances"),
        ("None", "Not answered yet."),
    ],
)
def test_the_deviation_of_a_cosine_is_not_its_mean_size(
    answer: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [cell.source for cell in jupytext.read(LANDSCAPE_PAGE).cells if cell.cell_type == "code"]
    exercise = next(cell for cell in cells if cell.startswith("deviation = None"))
    exec(exercise.replace("deviation = None", f"deviation = {answer}"), {"math": math})
    assert capsys.readouterr().out.startswith(said)
