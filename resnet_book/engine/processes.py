"""Several processes that train one network together, each on its share of every batch; alone, nothing changes.

``torchrun`` starts the processes and tells each its place. Every function here is the identity, or does nothing, in a
process that was started alone, so the trainer calls them without asking. Gradients are averaged by
``DistributedDataParallel``; batch norm takes its statistics over the whole batch, so the result is that of one process
but for rounding. Exchange is by nccl between GPUs and by gloo between CPUs, where it can be tested without a GPU.
"""

import copy
import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Result = TypeVar("Result")
CONTROL_INTERVAL = 20  # iterations between two questions of ``agree`` where GPUs train: they take milliseconds each


def launched() -> bool:
    """Whether ``torchrun`` started this process, and others beside it."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def start(device_type: str) -> None:
    """Join the other processes that ``torchrun`` started for this run. Does nothing in a process started alone."""
    if launched() and not dist.is_initialized():
        if device_type == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl" if device_type == "cuda" else "gloo")


def stop() -> None:
    """Leave the group that ``start`` joined."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(batch: Tensor) -> Tensor:
    """This process's share of a batch along its last dimension, which the number of processes must divide."""
    return batch.chunk(size(), dim=-1)[rank()]


def total(tensor: Tensor) -> Tensor:
    """Sum over all processes, as a new tensor."""
    tensor = tensor.clone()
    if size() > 1:
        dist.all_reduce(tensor)
    return tensor


def agree(wanted: bool, iteration: int) -> bool:
    """Whether any process wants it. Between GPUs the answer is no but for every ``CONTROL_INTERVAL``-th iteration."""
    if size() == 1:
        return wanted
    if torch.cuda.is_initialized() and iteration % CONTROL_INTERVAL:
        return False
    votes = torch.tensor(int(wanted))  # on the CPU, so that no GPU is waited for
    dist.all_reduce(votes)
    return bool(votes)


def from_first(make: Callable[[], Result]) -> Result:
    """What ``make`` returns in process 0, or raises there, in every process."""
    if size() == 1:
        return make()
    answer: list[Any] = [None, None]
    if rank() == 0:
        try:
            answer[0] = make()
        except Exception as error:
            answer[1] = error
    dist.broadcast_object_list(answer)
    if answer[1] is not None:
        raise answer[1]
    return answer[0]


def parallel(network: nn.Module, device: torch.device) -> nn.Module:
    """``network``; together, one that shares its parameters and buffers, and exchanges statistics and gradients."""
    if size() == 1:
        return network
    tensors = [*network.parameters(), *network.buffers()]
    twin = copy.deepcopy(network, memo={id(tensor): tensor for tensor in tensors})
    if device.type == "cuda":
        return DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(twin))
    for module in twin.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SynchronisedBatchNorm  # with the parameters and buffers that it has
    return DistributedDataParallel(twin)


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics are those of all processes' images: torch's own works on GPUs only.

    (N, C, H, W) -> the same shape and dtype; every process must hold as many images.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        images = input.float()
        mean = _AverageOverProcesses.apply(images.mean(dim=(0, 2, 3)))  # (C,)
        centred = images - mean[:, None, None]
        variance = _AverageOverProcesses.apply(centred.square().mean(dim=(0, 2, 3)))  # (C,)
        count = size() * input.numel() / input.shape[1]
        self.running_mean.lerp_(mean.detach(), self.momentum)  # type: ignore[union-attr, arg-type]
        self.running_var.lerp_(variance.detach() * count / (count - 1), self.momentum)  # type: ignore[union-attr, arg-type]
        self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)


class _AverageOverProcesses(torch.autograd.Function):
    """Mean over processes, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return total(tensor) / size()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        return total(grad_outputs[0]) / size()
