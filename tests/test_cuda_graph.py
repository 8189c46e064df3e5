"""Recording the step changes nothing; replaying it does what the step does (this part needs a GPU)."""

import pytest
import torch
from small_runs import RECIPE, TRAIN, same_weights, tiny
from torch import nn

from resnet_book import cuda_graph, train
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
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
