"""What the check of an exercise says to right, wrong, empty and sly answers."""

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
