"""Rows about orders that ended long ago: only what agrees in everything is no news (I-40)."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.orders import CostFigure, Order, Side
from jumun.model.reports import BrokerState
from jumun.rules.listed import says_nothing_new
from tests.unit.rules.desk_values import HYNIX, Bench, a_ref, a_report

D = Decimal
FILLED: dict[str, Any] = {"state": BrokerState.FILLED, "qty_filled": D(10), "amount_filled": D(700_000)}


def ended() -> Order:
    bench = Bench()
    return bench.fill(bench.working(), 10)


@pytest.mark.req("I-40", "I-42")
def test_a_row_that_agrees_to_the_last_share_is_no_news() -> None:
    order = ended()
    assert says_nothing_new(order, a_report(order, **FILLED))


@pytest.mark.req("I-40", "I-44", "F-50")
@pytest.mark.parametrize(
    "changes",
    [
        {"qty_filled": D(11)},
        {"qty_filled": D(9)},
        {"amount_filled": D(700_001)},
        {"state": BrokerState.WORKING},
        {"symbol": HYNIX},
        {"side": Side.SELL},
        {"costs": {"BROKERAGE": D(99)}},
    ],
)
def test_whatever_differs_in_one_thing_is_news(changes: dict[str, Any]) -> None:
    order = ended()
    assert not says_nothing_new(order, a_report(order, **(FILLED | changes)))


@pytest.mark.req("I-44")
def test_an_order_that_has_not_ended_is_always_news() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 4)
    part: dict[str, Any] = {"qty_filled": D(4), "amount_filled": D(280_000)}
    assert not says_nothing_new(order, a_report(order, state=BrokerState.REPLACED, **part))


@pytest.mark.req("I-37", "F-63")
def test_costs_that_are_known_already_are_no_news() -> None:
    order = ended()
    figure = CostFigure(ref=a_ref(1), costs={"BROKERAGE": D(99)}, qty=D(10), amount=D(700_000), ts_event_ns=7)
    known = replace(order, cost_figures=(figure,))
    row = a_report(order, **FILLED, costs={"BROKERAGE": D(99)}, costs_ts_ns=7)
    assert says_nothing_new(known, row)
    assert not says_nothing_new(known, replace(row, costs_ts_ns=8))


@pytest.mark.req("F-49")
def test_an_older_number_is_compared_with_what_it_filled_itself() -> None:
    order = replace(ended(), refs=(a_ref(1), a_ref(2)))
    tallies = tuple(
        replace(order.tally(a_ref(1)), ref=ref, qty=D(5), amount=D(350_000)) for ref in order.refs
    )
    order = replace(order, tallies=tallies)
    half: dict[str, Any] = {"qty_filled": D(5), "amount_filled": D(350_000)}
    assert says_nothing_new(order, a_report(order, ref=a_ref(1), state=BrokerState.WORKING, **half))
    assert not says_nothing_new(order, a_report(order, ref=a_ref(2), state=BrokerState.WORKING, **half))
