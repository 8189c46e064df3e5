"""Recording the step changes nothing; replaying it does what the step does (that part needs a GPU)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import RECIPE, TEST, TRAIN, fit, same_weights, tiny
from torch import Tensor, nn

from resnet_book import train
from resnet_book.engine import cuda_graph
from resnet_book.history import History
from resnet_book.run_state import RunState

pytestmark = pytest.mark.usefixtures("one_thread")


def make_run(network: nn.Module, device: str = "cpu") -> RunState:
    network.train()
    return RunState(network, TRAIN, RECIPE, 0, torch.device(device), None, {})


def test_steps_that_are_taken_back_leave_no_trace() -> None:
    network, undisturbed = tiny(), tiny()
    run, other = make_run(network), make_run(undisturbed)
    step = train.make_step(run, network, "float32")
    with cuda_graph.unchanged(run.changing):
        for plan in list(run.batches())[3:6]:
            step(plan)
        assert not same_weights(network, undisturbed)
    assert same_weights(network, undisturbed)
    assert (float(run.loss_sum), int(run.wrong), int(run.finite), int(run.finite_steps)) == (0, 0, 1, 0)
    other_step = train.make_step(other, undisturbed, "float32")
    for plan in list(run.batches())[:2]:  # the first step starts the momentum, from zeros or from nothing
        step(plan)
        other_step(plan)
        assert same_weights(network, undisturbed)
    assert float(run.loss_sum) == float(other.loss_sum) > 0


def test_a_step_changes_only_what_the_run_says_it_changes() -> None:
    run = make_run(tiny())
    step = train.make_step(run, run.network, "float32")
    named = {id(tensor) for tensor in run.changing()}
    other = {
        name: value for name, value in vars(run).items() if isinstance(value, torch.Tensor) and id(value) not in named
    }
    before = {name: value.clone() for name, value in other.items()}
    assert {"images", "labels", "learning_rate", "mean", "std"} == set(before)
    step(next(run.batches()))
    assert all(torch.equal(other[name], value) for name, value in before.items())


on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@on_gpu
def test_a_replayed_step_does_what_the_step_does() -> None:
    replayed, eager = tiny().cuda(), tiny().cuda()
    run, other = make_run(replayed, "cuda"), make_run(eager, "cuda")
    replay = train.make_step(run, replayed, "float32")
    for plan in run.batches():
        replay(plan)
        images, labels = other.batch(plan)
        scores = eager(images)
        loss = nn.functional.cross_entropy(scores, labels)
        loss.backward()
        other.optimizer.step()
        other.optimizer.zero_grad()
        other.measure(loss.detach(), scores.detach(), labels)
    for one, two in zip(replayed.parameters(), eager.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-2, atol=1e-3)
    assert float(run.loss_sum) == pytest.approx(float(other.loss_sum), rel=1e-3)


def under_way() -> tuple[RunState, Callable[[Tensor], None], Iterator[Tensor]]:
    """A run on the GPU after its first step, which draws the epoch's order and records the graph; the other plans."""
    network = tiny().cuda()
    run = make_run(network, "cuda")
    step, plans = train.make_step(run, network, "float32"), run.batches()
    step(next(plans))
    return run, step, plans


@on_gpu
def test_an_epoch_waits_for_no_number_from_the_gpu() -> None:
    run, step, plans = under_way()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for plan in plans:
            run.set_learning_rate(0.05)
            step(plan)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@on_gpu
def test_a_replayed_step_uses_the_new_learning_rate() -> None:
    run, step, plans = under_way()
    run.set_learning_rate(0.0)
    before = [parameter.clone() for parameter in run.network.parameters()]
    step(next(plans))
    assert all(torch.equal(one, two) for one, two in zip(before, run.network.parameters(), strict=True))


@on_gpu
@pytest.mark.filterwarnings("ignore")  # of the compiler's own
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_compiled_runs_on_a_gpu_one_after_the_other_learn_as_on_a_cpu(precision: str) -> None:
    recipe = replace(RECIPE, iterations=64, drops=(48,))
    losses = []
    for device, compiled in (("cpu", False), ("cuda", True), ("cuda", True), ("cuda", False)):
        how = {"device": device, "compiled": compiled, "precision": precision if device == "cuda" else "float32"}
        history = train.fit(tiny(), TRAIN, TEST, recipe, progress=False, **how)
        losses.append(history.epochs[-1].train_loss)
    assert losses[0] < 0.9 * fit(tiny(), recipe=replace(RECIPE, iterations=8, drops=())).epochs[0].train_loss
    assert losses[1:] == pytest.approx(3 * [losses[0]], rel=0.15)  # a GPU draws other numbers from the seed


@on_gpu
def test_a_run_stopped_on_a_gpu_goes_on(tmp_path: Path) -> None:
    def stop(iteration: int, _: History) -> None:
        if iteration == 11:
            raise MemoryError

    never_stopped = train.fit(tiny(), TRAIN, TEST, RECIPE, device="cuda", progress=False)
    path = tmp_path / "checkpoint"
    with pytest.raises(MemoryError):
        train.fit(tiny(), TRAIN, TEST, RECIPE, device="cuda", checkpoint=path, progress=False, on_step=stop)
    steps = []
    how = {"device": "cuda", "checkpoint": path, "progress": False, "on_step": lambda step, _: steps.append(step)}
    resumed = train.fit(tiny(seed=9), TRAIN, TEST, RECIPE, **how)
    assert steps[0] == 9  # saved before the first test
    losses = [[epoch.train_loss for epoch in history.epochs] for history in (resumed, never_stopped)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
