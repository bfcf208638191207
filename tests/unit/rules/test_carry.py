"""Orders of several days, carried by the desk from session to session (C-10, F-56, F-58)."""

from typing import Any

import pytest

from jumun.model.commands import SendNext
from jumun.model.events import SendIntended
from jumun.model.instruments import Venue
from jumun.model.orders import Flag, Order, OrderStatus, OrderType, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, BrokerState, NotSent, Rejected, Unknown
from jumun.rules.book import is_waiting
from jumun.rules.decide_time import next_deadline_ns
from tests.unit.rules.desk_values import (
    ACCOUNT,
    KINDS,
    SAMSUNG,
    TODAY,
    Bench,
    D,
    a_notice,
    a_policy,
    a_ref,
    a_report,
    an_intent,
    at,
    names,
)

S = OrderStatus
GTC: dict[str, Any] = {"time_in_force": TimeInForce.GTC}
EVENING = at("2025-05-27T18:00:00+09:00")
TOMORROW = "2025-05-28"
NEXT_OPEN = at("2025-05-28T09:00:00+09:00")


def expired(order: Order, **changes: Any) -> Any:
    return a_report(order, state=BrokerState.EXPIRED, **changes)


def overnight(bench: Bench, order: Order, filled: int = 0) -> Order:
    """The session ends; the broker's list says so."""
    bench.now_ns = EVENING
    bench.study(expired(order, qty_filled=D(filled), amount_filled=D(filled) * 70_000))
    return bench.order(order)


def next_day(bench: Bench, order: Order) -> Order:
    """The next session has opened, and the queue comes to the order."""
    bench.now_ns = NEXT_OPEN + 60 * 1_000_000_000
    bench.send(order)
    return bench.order(order)


def sends(bench: Bench) -> list[SendIntended]:
    return [r.event for r in bench.records if isinstance(r.event, SendIntended)]


@pytest.mark.req("C-10", "F-56", "I-33", "S002-17")
def test_an_order_good_till_cancelled_rests_over_night_and_goes_out_again_for_what_is_left() -> None:
    bench = Bench()
    order = bench.fill(bench.working(an_intent(**GTC)), 4)
    assert sends(bench)[0].request.tif is TimeInForce.DAY, "the venue knows orders for a day only"
    resting = overnight(bench, order, filled=4)
    assert (resting.status, resting.resting, resting.retry_at_ns) == (S.PART_FILLED, True, NEXT_OPEN)
    assert is_waiting(resting)
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] == 6 * 70_000 + 98 - 39, "its shares are still wanted"
    again = next_day(bench, resting)
    assert (again.attempt, again.attempt_open, again.attempt_qty) == (2, True, 6)
    assert (sends(bench)[1].request.qty, sends(bench)[1].request.trade_date) == (6, TOMORROW)
    bench.conclude(again, Accepted(ref=a_ref(1, TOMORROW), raw=""))
    now = bench.order(order)
    assert (now.refs, now.flags) == ((a_ref(1), a_ref(1, TOMORROW)), ())
    bench.study(
        a_report(now, qty=D(6), qty_filled=D(6), amount_filled=D(420_000), state=BrokerState.FILLED),
        day=TOMORROW,
    )
    done = bench.order(order)
    assert (done.status, done.qty_filled, done.amount_filled) == (S.FILLED, 10, 700_000)


@pytest.mark.req("C-14", "S000-16")
def test_neither_order_timeout_nor_the_queue_ends_an_order_of_several_days() -> None:
    bench = Bench()
    order = overnight(bench, bench.working(an_intent(**GTC)))
    assert next_deadline_ns(order, bench.policy.limits) == NEXT_OPEN
    bench.now_ns = NEXT_OPEN - 1
    assert bench.tick(order).events == ()


@pytest.mark.req("I-40", "I-13", "F-31")
def test_yesterdays_list_coming_again_changes_nothing() -> None:
    bench = Bench()
    order = overnight(bench, bench.working(an_intent(**GTC)))
    assert bench.study(expired(order)).events == ()
    again = next_day(bench, order)
    assert bench.study(expired(again)).events == (), "the number of yesterday does not end today's attempt"
    assert bench.order(order).attempt_open


@pytest.mark.req("I-11", "I-64", "F-31", "I-17")
def test_a_late_fill_of_yesterdays_number_counts_and_leaves_todays_attempt_open() -> None:
    bench = Bench()
    order = next_day(bench, overnight(bench, bench.working(an_intent(**GTC))))
    bench.hear(a_notice(order, 3, ref=a_ref(1)))
    now = bench.order(order)
    assert (now.qty_filled, now.attempt_open, now.status) == (3, True, S.PART_FILLED)


@pytest.mark.req("C-10", "C-38")
def test_an_order_good_till_a_day_ends_after_the_session_of_that_day() -> None:
    bench = Bench()
    till: dict[str, Any] = {"time_in_force": TimeInForce.GTD, "good_till": TOMORROW}
    order = overnight(bench, bench.working(an_intent(**till)))
    assert order.resting
    order = next_day(bench, order)
    bench.conclude(order, Accepted(ref=a_ref(7, TOMORROW), raw=""))
    bench.now_ns = at("2025-05-28T18:00:00+09:00")
    bench.study(expired(bench.order(order)), day=TOMORROW)
    ended = bench.order(order)
    assert (ended.status, ended.reason) == (S.CANCELLED, Reason.EXPIRED)


@pytest.mark.req("C-38")
def test_one_that_rests_when_its_last_day_is_over_expires_by_the_clock() -> None:
    bench = Bench()
    till: dict[str, Any] = {"time_in_force": TimeInForce.GTD, "good_till": TOMORROW}
    order = overnight(bench, bench.working(an_intent(**till)))
    assert order.expires_ns is not None
    bench.now_ns = order.expires_ns
    bench.tick(order)
    ended = bench.order(order)
    assert (ended.status, ended.reason, ended.reason_text) == (
        S.CANCELLED,
        Reason.EXPIRED,
        "its last day is over",
    )


@pytest.mark.req("C-10", "S002-23")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"time_in_force": TimeInForce.GTD}, Reason.BAD_TIME),
        ({"time_in_force": TimeInForce.GTD, "good_till": "soon"}, Reason.BAD_TIME),
        ({"time_in_force": TimeInForce.GTD, "good_till": "2025-05-26"}, Reason.BAD_TIME),
        ({"time_in_force": TimeInForce.DAY, "good_till": TOMORROW}, Reason.KIND_NOT_SUPPORTED),
        (GTC | {"order_type": OrderType.MARKET, "price": None}, Reason.KIND_NOT_SUPPORTED),
    ],
)
def test_what_makes_no_sense_over_several_days_is_refused(changes: dict[str, Any], reason: Reason) -> None:
    assert Bench().submit(an_intent(**changes)).reason is reason


@pytest.mark.req("C-10", "F-58")
def test_one_that_is_placed_in_the_evening_waits_for_the_morning() -> None:
    bench = Bench(now_ns=EVENING)
    order = bench.submit(an_intent(**GTC))
    assert (order.status, order.resting, order.retry_at_ns) == (S.NEW, True, NEXT_OPEN)
    assert bench.submit(an_intent(2)).reason is Reason.SESSION_CLOSED, "an order for the day does not"
    assert next_day(bench, order).attempt_open


@pytest.mark.req("F-58", "I-57")
def test_a_price_that_todays_limits_refuse_rests_one_session_more() -> None:
    bench = Bench()
    order = overnight(bench, bench.working(an_intent(**GTC)))
    bench.quotes[SAMSUNG] = (D(50_000), D(50_000))
    order = next_day(bench, order)
    assert (order.attempt, order.resting) == (1, True)
    assert order.retry_at_ns == at("2025-05-29T09:00:00+09:00")
    bench.quotes[SAMSUNG] = (D(70_000), D(70_000))
    bench.now_ns = order.retry_at_ns
    assert bench.send(order).attempt == 2


@pytest.mark.req("S002-39", "I-49", "S002-43")
def test_a_resting_order_is_cancelled_at_once() -> None:
    bench = Bench()
    order = overnight(bench, bench.fill(bench.working(an_intent(**GTC)), 4), filled=4)
    assert names(bench.cancel(order)) == ["CancelRequested", "OrderCancelled"]
    now = bench.order(order)
    assert (now.status, now.qty_filled, now.resting) == (S.CANCELLED, 4, False)
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] == 0


@pytest.mark.req("I-20", "I-11")
def test_a_cancel_while_todays_attempt_is_open_waits_for_its_number() -> None:
    bench = Bench()
    order = next_day(bench, overnight(bench, bench.working(an_intent(**GTC))))
    assert names(bench.cancel(order)) == ["CancelRequested"], "yesterday's number is not cancelled"
    decision = bench.conclude(order, Accepted(ref=a_ref(4, TOMORROW), raw=""))
    assert names(decision) == ["OrderSent", "CancelIntended"]


@pytest.mark.req("S002-51", "S002-52")
def test_each_session_has_its_own_retries() -> None:
    bench = Bench()
    order = next_day(bench, overnight(bench, bench.working(an_intent(**GTC))))
    for _ in range(3):
        bench.conclude(order, NotSent(text="refused"))
        assert not bench.order(order).status.is_final
        bench.wait(5)
        bench.send(order)
    bench.conclude(order, NotSent(text="refused"))
    ended = bench.order(order)
    assert (ended.status, ended.reason, ended.attempt) == (S.CANCELLED, Reason.NOT_SENT, 5)


@pytest.mark.req("I-17", "S002-29", "F-51")
def test_a_rejection_on_a_later_day_ends_it_and_keeps_what_filled() -> None:
    bench = Bench()
    order = overnight(bench, bench.fill(bench.working(an_intent(**GTC)), 4), filled=4)
    order = next_day(bench, order)
    bench.conclude(order, Rejected(code="40", text="suspended", raw="r"))
    ended = bench.order(order)
    assert (ended.status, ended.reason, ended.qty_filled) == (S.CANCELLED, Reason.BROKER_REJECTED, 4)


@pytest.mark.req("F-03", "I-15", "I-07")
def test_an_unknown_attempt_of_a_later_day_is_found_by_what_it_asked_for() -> None:
    bench = Bench()
    order = overnight(bench, bench.fill(bench.working(an_intent(**GTC)), 4), filled=4)
    order = next_day(bench, order)
    bench.conclude(order, Unknown(text="no reply"))
    assert bench.order(order).status is S.ERROR
    found = a_report(order, ref=a_ref(9, TOMORROW), qty=D(6))
    bench.study(found, day=TOMORROW)
    now = bench.order(order)
    assert (now.refs[-1], now.status, now.flags) == (a_ref(9, TOMORROW), S.PART_FILLED, ())


@pytest.mark.req("I-15", "F-04", "I-07")
def test_an_attempt_that_never_arrived_goes_out_in_the_next_session() -> None:
    bench = Bench()
    order = bench.unknown(an_intent(**GTC))
    bench.now_ns = at("2025-05-27T20:11:00+09:00")
    bench.study()
    bench.wait(30)
    decision = bench.study()
    assert names(decision) == ["AttemptNotReceived"]
    now = bench.order(order)
    assert (now.attempt_open, now.retry_at_ns, now.status) == (False, NEXT_OPEN, S.ERROR)
    again = next_day(bench, now)
    assert (again.attempt, again.attempt_open) == (2, True)


@pytest.mark.req("C-10")
def test_a_broker_that_keeps_orders_over_the_days_is_asked_to() -> None:
    native = KINDS | {(Venue.KRX, OrderType.LIMIT, TimeInForce.GTC)}
    bench = Bench(a_policy(kinds=native))
    bench.sent(an_intent(**GTC))
    assert sends(bench)[0].request.tif is TimeInForce.GTC


@pytest.mark.req("I-38", "F-55")
def test_an_order_at_rest_is_not_missed_in_the_brokers_list() -> None:
    bench = Bench()
    order = overnight(bench, bench.working(an_intent(**GTC)))
    bench.wait(60)
    bench.study(day=TODAY)
    assert Flag.DISPUTED not in bench.order(order).flags


@pytest.mark.req("S002-33")
def test_a_resting_order_is_modified_here_even_while_the_venue_is_closed() -> None:
    bench = Bench()
    order = overnight(bench, bench.fill(bench.working(an_intent(**GTC)), 4), filled=4)
    assert names(bench.modify(order, qty=7, price=69_000)) == ["OrderModified"]
    again = next_day(bench, bench.order(order))
    assert (sends(bench)[-1].request.qty, sends(bench)[-1].request.price) == (3, 69_000)
    assert again.qty == 7


def test_nothing_is_sent_for_an_order_that_is_not_due() -> None:
    bench = Bench(now_ns=EVENING)
    order = bench.submit(an_intent(**GTC))
    decision = bench.do(SendNext(order_id=order.order_id))
    assert names(decision) == ["OrderResting"]
    assert bench.order(order).attempt == 0
