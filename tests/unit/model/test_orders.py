"""An order and a position as values: what is left, what it cost, what is final."""

from decimal import Decimal

import msgspec
import pytest

from jumun.model.orders import FINAL_STATUSES, Order, OrderStatus
from jumun.testing.builders import a_fill, a_position, a_ref, an_order

D = Decimal


@pytest.mark.req("S002-30", "C-1")
def test_the_statuses_are_the_eight_of_the_specification() -> None:
    assert [status.value for status in OrderStatus] == [
        "NEW",
        "SENT",
        "ACCEPTED",
        "PART_FILLED",
        "FILLED",
        "CANCELLED",
        "REJECTED",
        "ERROR",
    ]


@pytest.mark.req("C-1", "I-15", "I-17")
def test_an_unknown_outcome_is_not_final() -> None:
    assert {status for status in OrderStatus if status.is_final} == FINAL_STATUSES
    assert not OrderStatus.ERROR.is_final
    unknown = an_order(status=OrderStatus.ERROR)
    assert unknown.is_unknown
    assert unknown.is_executable
    assert not an_order().is_unknown


@pytest.mark.req("I-01")
def test_what_is_left_is_never_negative_also_after_an_overfill() -> None:
    assert an_order(qty=D(10), qty_filled=D(4)).qty_left == 6
    assert an_order(qty=D(10), qty_filled=D(12)).qty_left == 0


@pytest.mark.req("C-7", "I-04")
def test_the_average_is_derived_and_absent_before_the_first_fill() -> None:
    assert an_order().average_fill_price is None
    assert an_order(qty_filled=D(3), amount_filled=D(10)).average_fill_price == D(10) / D(3)


@pytest.mark.req("S000-51", "S000-52")
def test_an_order_and_a_fill_answer_to_the_names_of_the_first_specification() -> None:
    order = an_order(qty=D(10), qty_filled=D(4), amount_filled=D(400))
    assert (order.quantity, order.filled_quantity, order.average_fill_price) == (10, 4, 100)
    assert a_fill(order).quantity == 6


@pytest.mark.req("I-11")
def test_one_order_can_have_many_broker_numbers_and_knows_the_newest() -> None:
    order = an_order(refs=(a_ref(1), a_ref(2)))
    assert order.newest_ref == a_ref(2)
    assert order.has_ref(a_ref(1))
    assert not order.has_ref(a_ref(3))
    assert an_order().newest_ref is None


@pytest.mark.req("I-64")
def test_the_same_number_on_another_day_is_another_number() -> None:
    assert not an_order(refs=(a_ref(1),)).has_ref(a_ref(1, trade_date="2025-05-27"))


@pytest.mark.req("S000-53", "C-7", "C-8")
def test_a_position_derives_its_average_and_keeps_gross_costs_and_net_apart() -> None:
    held = a_position(realised_gross=D(5_000), costs=D(120), mark=D(71_000))
    assert (held.average_price, held.realised_net) == (70_000, 4_880)
    assert held.unrealised == 10_000
    assert (held.quantity, held.market_price) == (10, 71_000)
    assert (held.unrealized_pnl, held.realized_pnl) == (10_000, 4_880)


def test_a_flat_position_has_no_average_and_nothing_unrealised() -> None:
    flat = a_position(qty=D(0), cost_basis=D(0))
    assert flat.average_price == 0
    assert flat.unrealised == 0


def test_a_position_without_a_mark_says_so_instead_of_zero() -> None:
    assert a_position().unrealised is None


def test_nobody_changes_an_order_in_place() -> None:
    order: Order = an_order()
    with pytest.raises(AttributeError):
        order.qty = D(11)  # type: ignore[misc]
    assert msgspec.structs.replace(order, qty=D(11)).qty == 11
