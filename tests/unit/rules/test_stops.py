"""Stops that the desk holds: nothing of them is at the broker until their price is seen (C-10, C-11)."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.commands import HearPrice, SendNext
from jumun.model.events import SendIntended
from jumun.model.instruments import Venue
from jumun.model.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted
from jumun.rules.book import is_waiting
from jumun.rules.stops import StopIndex
from jumun.testing.builders import an_order
from tests.unit.rules.desk_values import (
    ACCOUNT,
    KINDS,
    OPEN_NS,
    SAMSUNG,
    Bench,
    D,
    a_policy,
    a_ref,
    a_sale,
    an_intent,
    at,
    limits,
    names,
)

S = OrderStatus


def a_stop(bench: Bench, price: int = 68_000, **changes: Any) -> Order:
    """Sell 10 Samsung at the market when it trades at 68,000 or below."""
    values: dict[str, Any] = {"order_type": OrderType.STOP, "price": None, "stop_price": D(price), **changes}
    return bench.submit(a_sale(**values))


def hear(bench: Bench, price: int, ts_ns: int | None = None) -> list[str]:
    return names(bench.do(HearPrice(symbol=SAMSUNG, price=D(price), source="feed", ts_ns=ts_ns)))


@pytest.mark.req("C-11", "C-10")
def test_a_stop_is_held_and_reserved_until_its_price_is_seen_and_then_goes_out_as_a_market_order() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    order = a_stop(bench)
    assert (order.status, order.stop_held, is_waiting(order)) == (S.NEW, True, False)
    assert bench.book.shares_free(ACCOUNT, SAMSUNG) == 0
    assert bench.do(SendNext(order_id=order.order_id)).events == ()
    assert hear(bench, 68_100) == []
    assert hear(bench, 68_000) == ["StopTriggered"]
    assert hear(bench, 67_000) == [], "once is enough"
    now = bench.order(order)
    assert (now.stop_held, now.triggered_ns, is_waiting(now)) == (False, bench.now_ns, True)
    bench.send(now)
    [sent] = [r.event for r in bench.records if isinstance(r.event, SendIntended)]
    assert (sent.request.order_type, sent.request.price, sent.request.stop_price) == (
        OrderType.MARKET,
        None,
        None,
    )


@pytest.mark.req("C-11")
def test_a_stop_limit_goes_out_as_a_limit_order_at_its_limit() -> None:
    bench = Bench()
    kind: dict[str, Any] = {"order_type": OrderType.STOP_LIMIT, "stop_price": D(71_000), "price": D(71_500)}
    order = bench.submit(an_intent(**kind))
    assert hear(bench, 70_900) == []
    assert hear(bench, 71_000) == ["StopTriggered"]
    bench.send(bench.order(order))
    [sent] = [r.event for r in bench.records if isinstance(r.event, SendIntended)]
    assert (sent.request.order_type, sent.request.price) == (OrderType.LIMIT, 71_500)
    bench.conclude(order, Accepted(ref=a_ref(), raw=""))
    assert bench.order(order).order_type is OrderType.STOP_LIMIT, "what was asked for stays on record"


@pytest.mark.req("C-11")
def test_a_broker_that_knows_stops_gets_the_stop_itself() -> None:
    native = KINDS | {(Venue.KRX, OrderType.STOP_LIMIT, TimeInForce.DAY)}
    bench = Bench(a_policy(kinds=native))
    kind: dict[str, Any] = {"order_type": OrderType.STOP_LIMIT, "stop_price": D(71_000), "price": D(71_500)}
    order = bench.sent(an_intent(**kind))
    assert (order.stop_held, order.attempt_open) == (False, True)
    [sent] = [r.event for r in bench.records if isinstance(r.event, SendIntended)]
    assert (sent.request.order_type, sent.request.stop_price) == (OrderType.STOP_LIMIT, 71_000)


@pytest.mark.req("C-11", "I-19")
def test_a_price_older_than_the_order_does_not_trigger_it() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    a_stop(bench)
    assert hear(bench, 60_000, ts_ns=OPEN_NS - 1) == []
    assert hear(bench, 60_000, ts_ns=OPEN_NS) == ["StopTriggered"]


@pytest.mark.req("S002-39", "I-49")
def test_a_held_stop_is_cancelled_at_once_and_its_shares_are_free() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    order = a_stop(bench)
    assert names(bench.cancel(order)) == ["CancelRequested", "OrderCancelled"]
    assert bench.book.shares_free(ACCOUNT, SAMSUNG) == 10
    assert hear(bench, 60_000) == []
    assert len(bench.book.stops) == 0


@pytest.mark.req("C-14", "C-38")
def test_a_stop_for_the_day_outlives_the_order_timeout_and_ends_with_its_session() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    order = a_stop(bench)
    assert order.expires_ns == at("2025-05-27T15:30:00+09:00")
    bench.wait(3_600)
    assert bench.tick(order).events == ()
    bench.now_ns = order.expires_ns
    bench.tick(order)
    ended = bench.order(order)
    assert (ended.status, ended.reason) == (S.CANCELLED, Reason.EXPIRED)
    assert ended.reason_text == "its stop price was never seen"


@pytest.mark.req("C-11", "I-33", "I-53")
def test_a_triggered_stop_goes_out_although_the_feed_has_gone_since() -> None:
    bench = Bench(a_policy(limits=limits(quote_age_max_s=60)))
    kind: dict[str, Any] = {"order_type": OrderType.STOP, "stop_price": D(70_000), "price": None}
    order = bench.submit(an_intent(**kind))
    hear(bench, 70_000)
    triggered = bench.order(order)
    bench.quote_ts_ns = bench.now_ns - 61 * 1_000_000_000
    bench.send(triggered)
    now = bench.order(order)
    assert now.attempt_open, "its price was seen, which is why it goes"
    assert (now.reserve_price, now.reserve_cost) == (triggered.reserve_price, triggered.reserve_cost)


@pytest.mark.req("I-57", "F-58", "S002-23")
def test_a_triggered_stop_is_looked_at_again_before_it_leaves() -> None:
    bench = Bench(krw=710_200)
    kind: dict[str, Any] = {"order_type": OrderType.STOP_LIMIT, "stop_price": D(70_000), "price": D(70_500)}
    order = bench.submit(an_intent(**kind))
    hear(bench, 70_000)
    bench.quotes[SAMSUNG] = (D(70_000), D(50_000))  # the base was corrected: 70,500 is above today's limit
    bench.send(bench.order(order))
    ended = bench.order(order)
    assert (ended.status, ended.reason, ended.attempt) == (S.CANCELLED, Reason.PRICE_OUTSIDE_BAND, 0)


@pytest.mark.req("S002-26")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order_type": OrderType.STOP, "price": None}, Reason.PRICE_MISSING),
        ({"order_type": OrderType.STOP, "price": None, "stop_price": D(0)}, Reason.PRICE_NOT_POSITIVE),
        ({"order_type": OrderType.STOP, "price": None, "stop_price": D("NaN")}, Reason.PRICE_NOT_POSITIVE),
        ({"order_type": OrderType.STOP, "price": D(1), "stop_price": D(1)}, Reason.PRICE_NOT_ALLOWED),
        ({"order_type": OrderType.STOP_LIMIT, "price": None, "stop_price": D(1)}, Reason.PRICE_MISSING),
        ({"stop_price": D(71_000)}, Reason.PRICE_NOT_ALLOWED),
    ],
)
def test_a_stop_needs_its_price_and_nothing_else_may_carry_one(
    changes: dict[str, Any], reason: Reason
) -> None:
    bench = Bench()
    assert bench.submit(an_intent(**changes)).reason is reason


@given(
    stops=st.lists(st.tuples(st.booleans(), st.integers(1, 20)), max_size=30),
    gone=st.sets(st.integers(0, 29)),
    price=st.integers(1, 20),
)
def test_the_index_finds_exactly_the_stops_that_a_price_touches(
    stops: list[tuple[bool, int]], gone: set[int], price: int
) -> None:
    index, orders = StopIndex(), []
    for number, (buy, stop) in enumerate(stops):
        side = Side.BUY if buy else Side.SELL
        order = an_order(order_id=f"o{number:02d}", side=side, stop_price=Decimal(stop), stop_held=True)
        orders.append(order)
        index.add(order)
        index.add(order)
    for number in gone:
        if number < len(orders):
            index.discard(orders[number])
            index.discard(orders[number])
    left = [order for number, order in enumerate(orders) if number not in gone]
    due = {
        order.order_id
        for order in left
        if order.stop_price is not None
        and (price >= order.stop_price if order.side is Side.BUY else price <= order.stop_price)
    }
    touched = index.touched(orders[0].symbol, Decimal(price)) if orders else []
    assert set(touched) == due
    assert len(touched) == len(due)
    assert len(index) == len(left)
    assert bool(index.symbols) is bool(left)
