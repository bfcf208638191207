"""What a person hears of while an order lives (S000-83 to 86, S000-95 to 101, S002-69)."""

from typing import Any

import pytest

from jumun.model.orders import Alarm, Order, OrderStatus, OrderType, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import NotSent
from jumun.rules.decide_time import next_deadline_ns
from tests.unit.rules.desk_values import (
    OPEN_NS,
    SAMSUNG,
    SECOND,
    Bench,
    D,
    a_policy,
    a_report,
    an_intent,
    limits,
    names,
)

S = OrderStatus
DAY: dict[str, Any] = {"time_in_force": TimeInForce.DAY}


def after(bench: Bench, order: Order, seconds: int) -> tuple[Alarm, ...]:
    """The alarms of an order once so much time has passed since the session's hour began."""
    bench.now_ns = OPEN_NS + seconds * SECOND
    bench.tick(order)
    return bench.order(order).alarms


@pytest.mark.req("S002-69", "C-14")
def test_no_acceptance_for_half_a_minute_is_an_alarm_and_only_once() -> None:
    bench = Bench()
    order = bench.working(an_intent(**DAY))
    assert next_deadline_ns(order, bench.policy.limits) == OPEN_NS + 30 * SECOND
    assert after(bench, order, 29) == ()
    assert after(bench, order, 30) == (Alarm.ACK_DELAY,)
    assert bench.tick(order).events == ()
    message = bench.entries[-1].messages[0]
    assert (message.event_type, message.payload["alarm"]) == ("order_alarm", "ACK_DELAY")


@pytest.mark.req("S002-69", "S000-83")
def test_an_unknown_outcome_is_an_alarm_too_and_one_that_never_left_is_not() -> None:
    bench = Bench()
    unknown = bench.unknown(an_intent(1, **DAY))
    assert after(bench, unknown, 30) == (Alarm.ACK_DELAY,)
    other = Bench()
    done = other.sent(an_intent(**DAY))
    for _ in range(4):
        other.conclude(done, NotSent(text="refused"))
        if not other.order(done).status.is_final:
            other.wait(4)
            other.send(other.order(done))
    assert other.order(done).status is S.CANCELLED
    assert after(other, done, 600) == ()


@pytest.mark.req("S000-83")
def test_no_fill_for_two_minutes_is_an_alarm_unless_the_order_waits_by_nature() -> None:
    bench = Bench()
    order = bench.working(an_intent(1, **DAY))
    bench.study(a_report(order))
    assert bench.order(order).status is S.ACCEPTED
    assert after(bench, order, 119) == ()
    assert after(bench, order, 120) == (Alarm.FILL_DELAY,)
    patient = Bench()
    waiting = patient.working(an_intent(time_in_force=TimeInForce.GTC))
    patient.study(a_report(waiting))
    assert after(patient, waiting, 3_600) == ()


@pytest.mark.req("S000-86", "S000-99", "S000-114")
def test_a_part_fill_that_lasts_is_an_alarm_counted_from_the_first_fill() -> None:
    bench = Bench()
    order = bench.working(an_intent(**DAY))
    bench.wait(10)
    bench.fill(order, 4, number=1)
    bench.wait(100)
    bench.fill(order, 1, number=2)
    assert after(bench, order, 309) == ()
    assert after(bench, order, 310) == (Alarm.PARTIAL_TIMEOUT,)


@pytest.mark.req("S000-84", "S000-32")
@pytest.mark.parametrize(
    ("last", "alarmed"), [(66_667, False), (66_666, True), (74_500, True), (70_000, False)]
)
def test_a_fill_more_than_a_twentieth_off_the_market_is_an_alarm(last: int, alarmed: bool) -> None:
    bench = Bench()
    order = bench.working()
    bench.quotes[SAMSUNG] = (D(last), D(70_000))
    bench.fill(order, 10)
    assert (Alarm.ABNORMAL_PRICE in bench.order(order).alarms) is alarmed


@pytest.mark.req("S000-84", "I-53")
def test_without_a_price_a_fill_is_held_against_the_price_at_its_arrival() -> None:
    bench = Bench()
    order = bench.working()
    assert order.arrival_price == 70_000
    bench.quotes[SAMSUNG] = (None, D(70_000))
    assert bench.fill(order, 5, price=D(60_000)).alarms == (Alarm.ABNORMAL_PRICE,)
    blind = Bench()
    blind.quotes[SAMSUNG] = (None, D(70_000))
    assert blind.fill(blind.working(), 5, price=D(60_000)).alarms == ()


@pytest.mark.req("S000-85", "S000-101")
def test_more_fills_than_allowed_are_an_alarm() -> None:
    bench = Bench(a_policy(limits=limits(max_fills_per_order=3)))
    order = bench.working()
    for number in range(3):
        assert bench.fill(order, 1, number=number).alarms == ()
    assert bench.fill(order, 1, number=3).alarms == (Alarm.FRAGMENTED,)
    assert bench.fill(order, 1, number=4).alarms == (Alarm.FRAGMENTED,), "and once only"


@pytest.mark.req("S000-100")
def test_a_fill_below_the_smallest_size_is_an_alarm_unless_it_completes_the_order() -> None:
    bench = Bench(a_policy(limits=limits(min_fill_size=D(3))))
    order = bench.working()
    assert bench.fill(order, 3, number=1).alarms == ()
    assert bench.fill(order, 2, number=2).alarms == (Alarm.SMALL_FILL,)
    last = Bench(a_policy(limits=limits(min_fill_size=D(3))))
    order = last.working()
    last.fill(order, 8, number=1)
    assert last.fill(order, 2, number=2).alarms == ()


@pytest.mark.req("S000-95")
def test_with_partial_fills_off_a_part_fill_cancels_the_rest() -> None:
    bench = Bench(a_policy(limits=limits(enable_partial_fills=False)))
    order = bench.working()
    bench.fill(order, 4)
    assert names(bench.last) == ["FillBooked", "OrderAlarmed", "CancelRequested", "CancelIntended"]
    now = bench.order(order)
    assert (now.cancel_reason, now.alarms) == (Reason.PARTIAL_FILLS_OFF, (Alarm.PARTIAL_FILL,))
    whole = Bench(a_policy(limits=limits(enable_partial_fills=False)))
    assert whole.fill(whole.working(), 10).alarms == ()


@pytest.mark.req("I-17", "S000-95", "S000-100")
def test_a_late_fill_of_an_ended_order_asks_for_no_cancel() -> None:
    bench = Bench(a_policy(limits=limits(enable_partial_fills=False, min_fill_size=D(5))))
    order = bench.submit(an_intent(order_type=OrderType.LIMIT))
    order = bench.send(order)
    working = bench.working(an_intent(2, price=D(69_000)), number=4)
    bench.cancel(working)
    from jumun.model.reports import BrokerState

    bench.study(a_report(bench.order(working), state=BrokerState.CANCELLED))
    late = bench.fill(working, 1, number=9)
    assert (late.status, late.alarms) == (S.CANCELLED, ())
