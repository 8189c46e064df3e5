"""A step can be recorded: it asks for no number, changes only what it names, is few kernels. Replaying needs a GPU."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import RECIPE, TEST, TRAIN, fit, same_weights, tiny
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from resnet_book import models, train
from resnet_book.engine import cuda_graph
from resnet_book.engine.device import Engine
from resnet_book.recipe import History
from resnet_book.state import Training

PRECISIONS = ("float32", "bfloat16")


def make_training(network: nn.Module, engine: Engine | None = None) -> Training:
    return Training(network.train(), {"train": TRAIN, "test": TEST}, RECIPE, 0, engine or Engine())


# --- On any machine: what a recording needs of a step ---------------------------------------------------------------


class Operations(TorchDispatchMode):
    """Counts the operations that the device is asked for, and refuses those after which Python waits for a number."""

    # Their results, or the shapes of these, depend on what the device computes.
    WAITING = ("_local_scalar_dense", "item", "nonzero", "unique", "masked_select", "equal", "is_nonzero", "bincount")
    # They compute nothing on the device: views, allocations, bookkeeping.
    FREE = (
        "view _unsafe_view t transpose expand slice select unsqueeze squeeze detach alias as_strided unfold permute "
        "reshape split unbind empty empty_like new_empty new_empty_strided empty_strided lift_fresh "
        "_record_function_enter_new _record_function_exit"
    )

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counter[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name.startswith(self.WAITING):
            raise AssertionError(f"the step waits for the device: {func}")
        if name == "index" and any(index is not None and index.dtype == torch.bool for index in args[1]):
            raise AssertionError("the step waits for the device: a mask as index asks how many are true")
        if func is torch.ops.aten._to_copy.default and (kwargs or {}).get("device") is not None:
            assert kwargs["device"] == args[0].device, "the step moves a tensor between devices"
        if name not in self.FREE.split():
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("wait", [Tensor.item, Tensor.nonzero, bool, lambda x: x[x > 0]])
def test_what_waits_for_the_device_is_found(wait: Callable[[Tensor], object]) -> None:
    with pytest.raises(AssertionError, match="waits for the device"), Operations():
        wait(torch.ones(1))


def as_on_a_gpu(training: Training) -> Callable[[], None]:
    """The training's second step (the first one makes the momenta), with the optimizer that a GPU has."""
    for group in training.optimizer.param_groups:
        group["fused"] = True
    step, plans = train.make_step(training), training.plans()
    step(next(plans))
    plan = next(plans)
    return lambda: step(plan)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("mode", ["zeros", "edge", "reflect"])
def test_a_step_asks_the_device_for_no_number(mode: Any, precision: str) -> None:
    recipe = replace(RECIPE, padding_mode=mode)
    training = Training(tiny(), {"train": TRAIN, "test": TEST}, recipe, 0, Engine(precision=precision))
    step_and_next_plan = as_on_a_gpu(training)
    with Operations():
        training.learning_rate.fill_(0.05)
        step_and_next_plan()


# In every step: cropping, mirroring, normalising, loss, meter, optimizer; some to spare for other versions of torch.
# For each layer, forwards and backwards: convolution, batch norm and its counter, ReLU. For each block: the sum, and
# now and then a shortcut.
FIXED, PER_LAYER, PER_BLOCK = 45, 7, 3


@pytest.mark.parametrize(("name", "layers", "blocks"), [("plain20", 20, 0), ("resnet20", 20, 9)])
def test_a_step_is_few_operations(name: str, layers: int, blocks: int) -> None:
    step = as_on_a_gpu(make_training(models.build(name)))
    with Operations() as operations:
        step()
    counts = operations.counts
    assert counts["convolution"] == counts["convolution_backward"] == layers - 1
    assert counts["_fused_sgd_"] == 1
    assert counts.total() <= FIXED + PER_LAYER * layers + PER_BLOCK * blocks


def tensors_of(thing: object, path: str, seen: set[int] | None = None) -> Iterator[tuple[str, Tensor]]:
    """Every tensor that can be reached from ``thing`` through attributes and containers, and by which way."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, str | bytes | int | float | type | torch.Generator):
        return
    seen.add(id(thing))
    if isinstance(thing, Tensor):
        yield path, thing
        return
    if isinstance(thing, dict):
        keys = (place if isinstance(key, Tensor) else key for place, key in enumerate(thing))
        inside = [(f"{path}[{key}]", value) for key, value in zip(keys, thing.values(), strict=True)]
    elif isinstance(thing, list | tuple | set):
        inside = [(f"{path}[{place}]", value) for place, value in enumerate(thing)]
    elif type(thing).__module__.split(".")[0] in ("resnet_book", "torch", "collections"):
        inside = [(f"{path}.{name}", value) for name, value in getattr(thing, "__dict__", {}).items()]
    else:
        return
    for place, value in inside:
        yield from tensors_of(value, place, seen)


def test_every_tensor_that_a_step_changes_is_among_those_that_a_recording_restores() -> None:
    training = make_training(tiny())
    step = as_on_a_gpu(training)
    everything = dict(tensors_of(training, "training"))
    named = {id(tensor) for tensor in training.changing()}
    constant = (training.batches.images, training.batches.labels, training.batches.mean, training.learning_rate)
    assert named | set(map(id, constant)) <= set(map(id, everything.values()))  # the walk finds what there is
    before = {path: tensor.detach().clone() for path, tensor in everything.items()}
    step()
    changed = {path for path, tensor in everything.items() if not torch.equal(tensor, before[path])}
    assert changed
    assert {path for path in changed if id(everything[path]) not in named} == set()
    assert {id(everything[path]) for path in changed} == named  # nothing is named for nothing
    assert {id(tensor) for _, tensor in tensors_of(training, "training")} == set(map(id, everything.values()))


def test_steps_that_are_taken_back_leave_no_trace() -> None:
    network, undisturbed = tiny(), tiny()
    training, other = make_training(network), make_training(undisturbed)
    step = train.make_step(training)
    with cuda_graph.restored(training.changing):
        for plan in list(training.plans())[3:6]:
            step(plan)
        assert not same_weights(network, undisturbed)
    assert same_weights(network, undisturbed)
    assert (float(training.meter.loss_sum), int(training.meter.wrong)) == (0, 0)
    other_step = train.make_step(other)
    for plan in list(training.plans())[:2]:  # the first step starts the momentum, from zeros or from nothing
        step(plan)
        other_step(plan)
        assert same_weights(network, undisturbed)
    assert float(training.meter.loss_sum) == float(other.meter.loss_sum) > 0


# --- On a GPU -------------------------------------------------------------------------------------------------------

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
GPU = Engine("cuda") if torch.cuda.is_available() else Engine()


@on_gpu
def test_a_replayed_step_does_what_the_step_does(monkeypatch: pytest.MonkeyPatch) -> None:
    replayed, eager = tiny(), tiny()
    training, other = make_training(replayed, GPU), make_training(eager, GPU)
    replay = train.make_step(training)
    monkeypatch.setattr(Engine, "repeated", lambda engine, step, example, state: step)
    step = train.make_step(other)
    for plan in training.plans():
        replay(plan)
        step(plan)
    for one, two in zip(replayed.parameters(), eager.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-2, atol=1e-3)
    assert float(training.meter.loss_sum) == pytest.approx(float(other.meter.loss_sum), rel=1e-3)


def under_way() -> tuple[Training, Callable[[Tensor], None], Iterator[Tensor]]:
    """A training on the GPU after its first step, which draws the epoch's order; the other plans."""
    training = make_training(tiny(), GPU)
    step, plans = train.make_step(training), training.plans()
    step(next(plans))
    return training, step, plans


@on_gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_an_epoch_waits_for_no_number_from_the_gpu() -> None:
    training, step, plans = under_way()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for plan in plans:
            training.learning_rate.fill_(0.05)
            step(plan)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@on_gpu
def test_a_replayed_step_uses_the_new_learning_rate() -> None:
    training, step, plans = under_way()
    training.learning_rate.fill_(0.0)
    before = [parameter.clone() for parameter in training.network.parameters()]
    step(next(plans))
    assert all(torch.equal(one, two) for one, two in zip(before, training.network.parameters(), strict=True))


@on_gpu
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler's own
@pytest.mark.parametrize("precision", PRECISIONS)
def test_compiled_runs_on_a_gpu_one_after_the_other_learn_as_on_a_cpu(precision: str) -> None:
    recipe = replace(RECIPE, iterations=64, drops=(48,))
    ways = (Engine(), *(Engine("cuda", precision, compiled) for compiled in (True, True, False)))
    losses = [fit(tiny(), recipe=recipe, engine=engine).epochs[-1].train_loss for engine in ways]
    assert losses[0] < 0.9 * fit(tiny(), recipe=replace(RECIPE, iterations=8, drops=())).epochs[0].train_loss
    assert losses[1:] == pytest.approx(3 * [losses[0]], rel=0.15)  # the same batches; rounding grows


@on_gpu
@pytest.mark.parametrize("first", ["cpu", "cuda"])
def test_a_run_stopped_on_a_cpu_or_a_gpu_goes_on_on_a_gpu(first: str, tmp_path: Path) -> None:
    def stop(iteration: int, _: History) -> None:
        if iteration == 11:
            raise MemoryError

    never_stopped = fit(tiny(), engine=GPU)
    path, steps = tmp_path / "checkpoint", []
    with pytest.raises(MemoryError):
        fit(tiny(), engine=Engine(first), checkpoint=path, on_step=stop)
    resumed = fit(tiny(seed=9), engine=GPU, checkpoint=path, on_step=lambda step, _: steps.append(step))
    assert steps[0] == 9  # saved before the first test
    losses = [[epoch.train_loss for epoch in history.epochs] for history in (resumed, never_stopped)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert [part.device for part in resumed.parts][1] == torch.cuda.get_device_name()
