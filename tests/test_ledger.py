"""The ledger has every call with its counts and its time, and leaves out what computes and moves nothing."""

from itertools import count

import torch

from resnet_book.analysis import ledger


def test_calls_are_listed_in_their_order_forward_and_backward_without_views_and_empty_tensors() -> None:
    x = torch.randn(5, 7, requires_grad=True)
    made = ledger.calls(lambda: torch.empty_like(x).copy_(x.t().t().relu()).sum().backward())
    assert [each.name for each in made if each.name in ("relu", "copy_", "sum")] == ["relu", "copy_", "sum"]
    assert made[-1].name == "threshold_backward"
    assert not {"t", "empty_like", "expand"} & {each.name for each in made}


def test_a_product_has_its_multiplications_and_additions_and_any_other_call_one_for_each_number_that_it_gives() -> None:
    x, weight = torch.randn(5, 7), torch.randn(7, 3)
    product, relu = ledger.calls(lambda: (x @ weight).relu())
    assert (product.operations, product.product) == (2 * 5 * 7 * 3, True)
    assert (relu.operations, relu.product) == (5 * 3, False)
    assert (product.moved, relu.moved) == (4 * (35 + 21 + 15), 4 * (15 + 15))


def test_a_call_has_the_time_that_the_clock_gives_it() -> None:
    ticks = count(step=3)
    x = torch.randn(4)
    assert [each.spent for each in ledger.calls(lambda: x.relu() + x, lambda: next(ticks))] == [3, 3]


def test_a_list_holds_one_run_alone() -> None:
    x = torch.randn(4)
    assert len(ledger.calls(x.relu)) == len(ledger.calls(x.relu)) == 1
