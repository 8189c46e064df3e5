"""Note each call that PyTorch makes: its arithmetic, the bytes that it moves, and its time.

The bytes are those of an ideal machine without caches: every call reads its inputs once and writes its outputs once.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import flop_registry

GATHERS = {"index", "index_select", "gather"}  # read as much as they write, not the whole of what they choose from


class Call(NamedTuple):
    """One call of PyTorch, forward or backward."""

    name: str  # PyTorch's own: convolution, relu, threshold_backward (which is a ReLU's), ...
    operations: int  # additions and multiplications of a product; of others a guess: one for each number given
    moved: int  # bytes
    spent: float  # in the unit of the clock
    product: bool  # a convolution or a matrix product, forward or backward


def calls(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> list[Call]:
    """Run once, eagerly, and list the calls; not views and empty tensors, which move nothing."""
    with _Ledger(clock) as ledger:
        run()
    return ledger.rows


class _Ledger(TorchDispatchMode):
    """Keeps a row for each call. While it is active, PyTorch hands every call to ``__torch_dispatch__``."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock, self.rows = clock, list[Call]()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        start, kwargs = self.clock(), kwargs or {}
        result = func(*args, **kwargs)
        spent, call = self.clock() - start, func.overloadpacket  # the call, whatever types its arguments have
        if func.is_view or "empty" in call.__name__:
            return result
        product = call in flop_registry
        if product:
            operations = flop_registry[call](*args, **kwargs, out_val=result)
        else:
            operations = sum(each.numel() for each in _tensors(result))
        given = zip(func._schema.arguments, args, strict=False)  # those given by name are no tensors that change
        changed = [value for argument, value in given if argument.alias_info and argument.alias_info.is_write]
        written = _bytes(changed or result)
        moved = written + (written if call.__name__ in GATHERS else _bytes((args, kwargs)))
        self.rows.append(Call(call.__name__, operations, moved, spent, product))
        return result


def _tensors(values: object) -> list[Tensor]:
    """All tensors in ``values``, and in the tuples, lists and dictionaries among them."""
    return [value for value in tree_iter(values) if isinstance(value, Tensor)]


def _bytes(values: object) -> int:
    """Bytes of the tensors in ``values``; what a tensor repeats without storing it counts once."""
    sizes = (min(value.numel() * value.element_size(), value.untyped_storage().nbytes()) for value in _tensors(values))
    return sum(sizes)
