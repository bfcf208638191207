"""Which listed order could be the one whose reply never came."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.orders import Order, OrderType, Side
from jumun.rules.book import shape_of
from jumun.rules.matching import CLOCK_SKEW_NS, candidates, shape_of_report
from tests.unit.rules.desk_values import HYNIX, OPEN_NS, SHARED, Bench, a_report

D = Decimal


def unknown() -> Order:
    return Bench().unknown()


@pytest.mark.req("F-03", "I-11")
def test_the_order_itself_is_a_candidate() -> None:
    order = unknown()
    report = a_report(order)
    assert shape_of_report(report) == shape_of(order)
    assert candidates(order, [report], carries_reference=False) == [report]


@pytest.mark.req("F-03", "I-11")
@pytest.mark.parametrize(
    "changes",
    [
        {"account_id": SHARED},
        {"symbol": HYNIX},
        {"side": Side.SELL},
        {"order_type": OrderType.MARKET},
        {"qty": D(11)},
        {"price": D(70_100)},
        {"price": None},
        {"ts_event_ns": OPEN_NS - CLOCK_SKEW_NS - 1},
    ],
)
def test_whatever_differs_in_one_thing_is_not(changes: dict[str, Any]) -> None:
    order = unknown()
    assert candidates(order, [a_report(order, **changes)], carries_reference=False) == []


@pytest.mark.req("F-03")
def test_a_broker_clock_a_little_behind_ours_still_fits_and_so_do_trailing_zeros() -> None:
    order = unknown()
    report = a_report(order, ts_event_ns=OPEN_NS - CLOCK_SKEW_NS, price=D("70000.00"), qty=D("10.0"))
    assert candidates(order, [report], carries_reference=False) == [report]


@pytest.mark.req("F-03", "I-42")
def test_where_the_broker_carries_our_reference_only_that_counts() -> None:
    order = unknown()
    alike = a_report(order)
    ours = a_report(order, 2, qty=D(99), ts_event_ns=0, reference=order.order_id)
    assert candidates(order, [alike, ours], carries_reference=True) == [ours]


@pytest.mark.req("F-03", "F-04", "I-07")
@pytest.mark.parametrize(
    ("sent", "listed"),
    [
        (OrderType.LOC, OrderType.LIMIT),
        (OrderType.LOO, OrderType.LIMIT),
        (OrderType.MOC, OrderType.MARKET),
        (OrderType.MOO, OrderType.MARKET),
    ],
)
def test_an_auction_order_is_found_in_a_list_that_does_not_tell_its_kind(
    sent: OrderType, listed: OrderType
) -> None:
    price = D(70_000) if listed is OrderType.LIMIT else None
    order = replace(unknown(), order_type=sent, price=price)
    report = a_report(order, order_type=listed, price=price)
    assert shape_of_report(report) == shape_of(order)
    assert candidates(order, [report], carries_reference=False) == [report]
