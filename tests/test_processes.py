"""Two processes under torchrun train one network as one process does, but for rounding; alone, nothing is exchanged."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import NAME, RECIPE, TEST, TRAIN, fit, tiny
from torch import nn

from resnet_book import train
from resnet_book.engine import checkpoints, device, processes
from resnet_book.engine.device import Engine

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def fit_together(folder: Path, stop_at: int) -> str:
    """Run ``fit_together.py`` in two processes; returns what they print."""
    script = str(Path(__file__).with_name("fit_together.py"))
    done = subprocess.run([*TORCHRUN, script, str(folder), str(stop_at)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_processes_give_the_numbers_of_one_but_for_rounding_and_record_that_they_are_two(tmp_path: Path) -> None:
    alone, after_one_step = tiny(), tiny()
    expected = fit(alone).epochs
    fit(after_one_step, recipe=replace(RECIPE, iterations=1))

    said = fit_together(tmp_path, stop_at=9)  # in the second epoch; both stop, at the same step, and save, and go on
    saved = checkpoints.load(tmp_path / "stopped")
    assert saved is not None
    assert saved["iteration"] == 9
    left: list[dict[str, Any]] = [torch.load(tmp_path / f"process{rank}.pt") for rank in (0, 1)]
    assert left[0]["epochs"] == left[1]["epochs"]
    for name, tensor in after_one_step.state_dict().items():
        torch.testing.assert_close(left[0]["after_one_step"][name], tensor, rtol=1e-4, atol=1e-5)
    for name, tensor in alone.state_dict().items():  # twenty steps let rounding grow
        assert torch.equal(left[0]["network"][name], left[1]["network"][name])
        torch.testing.assert_close(left[0]["network"][name], tensor, rtol=1e-2, atol=5e-3)
    for epoch, row in zip(expected, left[0]["epochs"], strict=True):
        assert row["train_loss"] == pytest.approx(epoch.train_loss, rel=1e-3)
        assert row["test_loss"] == pytest.approx(epoch.test_loss, rel=1e-2)
        assert (row["iteration"], row["learning_rate"]) == (epoch.iteration, epoch.learning_rate)
        assert row["train_error"] == pytest.approx(epoch.train_error, abs=0.8)  # one image of an epoch is 0.4 %
    assert said.startswith(f"{NAME}, seed 0, on cpu, 2 processes\n")
    assert '"processes": 2' in (tmp_path / "results" / NAME / "seed0.json").read_text()


def test_alone_every_exchange_is_the_identity() -> None:
    tensor = torch.arange(8.0).reshape(2, 4)
    assert torch.equal(processes.share(tensor), tensor)
    assert torch.equal(processes.total(tensor), tensor)
    assert [processes.agree(wanted, 7) for wanted in (True, False)] == [True, False]
    assert processes.from_first(lambda: 3) == 3
    network = tiny()
    assert processes.parallel(network, torch.device("cpu")) is network


def test_of_several_processes_each_takes_the_gpu_that_torchrun_gave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    assert device.find("cuda") == torch.device("cuda", 3)
    assert device.find("cpu") == torch.device("cpu")


def test_a_batch_that_the_processes_cannot_share_evenly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "size", lambda: 3)
    with pytest.raises(ValueError, match=r"batch_size=32.*3 processes"):
        train.fit(tiny(), TRAIN, TEST, replace(RECIPE, iterations=1))


def test_compiling_in_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "size", lambda: 2)
    with pytest.raises(ValueError, match="compiled=True"):
        Engine(compiled=True)


def test_synchronised_batch_norm_is_batch_norm_where_there_is_one_process() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = processes.SynchronisedBatchNorm(5), nn.BatchNorm2d(5)
    for module in (ours, theirs):
        with torch.no_grad():
            module.weight.copy_(torch.linspace(0.5, 2, 5))
            module.bias.copy_(torch.linspace(-1, 1, 5))
    for training in (True, True, False):
        x = torch.randn(6, 5, 4, 4, generator=generator).mul(3).add(1)
        one, two = x.clone().requires_grad_(), x.clone().requires_grad_()
        y, expected = ours.train(training)(one), theirs.train(training)(two)
        torch.testing.assert_close(y, expected)
        weights = torch.randn(y.shape, generator=generator)
        (y * weights).sum().backward()
        (expected * weights).sum().backward()
        torch.testing.assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
        torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
