"""What time alone may do, and that it never turns an unknown outcome into a known one."""

from decimal import Decimal

import pytest

from jumun.model.commands import Tick
from jumun.model.ids import OrderId
from jumun.model.orders import OrderStatus, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import Unknown
from jumun.rules.decide_time import next_deadline_ns
from tests.unit.rules.desk_values import OPEN_NS, SECOND, Bench, a_policy, an_intent, limits, names

D = Decimal
S = OrderStatus
LIMITS = limits()
DAY_ORDER = an_intent(time_in_force=TimeInForce.DAY)


@pytest.mark.req("S000-16", "S000-98", "C-38")
def test_an_order_that_waits_too_long_in_the_queue_ends_as_expired() -> None:
    bench = Bench()
    order = bench.submit(DAY_ORDER)
    assert next_deadline_ns(order, LIMITS) == OPEN_NS + 300 * SECOND
    bench.wait(299)
    assert bench.tick(order).events == ()
    bench.wait(1)
    assert names(bench.tick(order)) == ["OrderCancelled"]
    ended = bench.order(order)
    assert (ended.status, ended.reason) == (S.CANCELLED, Reason.EXPIRED)
    assert "never sent" in ended.reason_text


@pytest.mark.req("S000-94", "S000-98")
def test_the_shorter_of_timeout_and_queue_time_counts_while_it_waits() -> None:
    bench = Bench(a_policy(limits=limits(order_timeout_s=60)))
    order = bench.submit()
    assert next_deadline_ns(order, bench.policy.limits) == OPEN_NS + 60 * SECOND
    bench.wait(60)
    bench.tick(order)
    assert bench.order(order).reason is Reason.EXPIRED


@pytest.mark.req("S002-51", "S000-98")
def test_an_order_between_tries_is_looked_at_when_its_retry_is_due() -> None:
    bench = Bench()
    order = bench.not_sent(bench.sent())
    assert next_deadline_ns(order, LIMITS) == OPEN_NS + SECOND
    bench.wait(1)
    assert bench.tick(order).events == ()
    bench.wait(299)
    bench.tick(order)
    ended = bench.order(order)
    assert (ended.reason, ended.reason_text) == (Reason.EXPIRED, "it never left in time")


@pytest.mark.req("S000-94", "C-14", "I-20")
def test_a_working_order_past_its_timeout_is_asked_to_be_cancelled_once() -> None:
    bench = Bench()
    order = bench.working()
    bench.wait(30)
    assert names(bench.tick(order)) == ["OrderAlarmed"]
    assert next_deadline_ns(bench.order(order), LIMITS) == OPEN_NS + 300 * SECOND
    bench.wait(270)
    assert names(bench.tick(order)) == ["CancelRequested", "CancelIntended"]
    now = bench.order(order)
    assert (now.cancel_reason, now.status) == (Reason.ORDER_TIMEOUT, S.SENT)
    assert bench.tick(order).events == ()
    assert next_deadline_ns(now, LIMITS) is None


@pytest.mark.req("C-14")
def test_an_order_with_a_time_in_force_has_no_timeout_at_the_broker() -> None:
    bench = Bench()
    order = bench.working(DAY_ORDER)
    bench.wait(30)
    bench.tick(order)  # no acceptance for half a minute is an alarm, and the last thing time has to say
    assert next_deadline_ns(bench.order(order), LIMITS) is None
    bench.wait(3_600)
    assert bench.tick(order).events == ()


@pytest.mark.req("S000-16", "F-50")
def test_a_cancel_to_be_repeated_has_its_own_time() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    bench.conclude_cancel(order, Unknown(text=""))
    assert next_deadline_ns(bench.order(order), LIMITS) == OPEN_NS + SECOND


@pytest.mark.req("I-15", "F-18")
def test_no_time_turns_an_order_in_flight_or_unknown_into_a_known_one() -> None:
    bench = Bench()
    flying, lost = bench.sent(an_intent(1)), bench.unknown(an_intent(2, qty=D(9)))
    bench.wait(86_400 * 30)
    bench.tick(flying, lost)
    assert (bench.order(flying).status, bench.order(flying).attempt_open) == (S.NEW, True)
    assert bench.order(lost).status is S.ERROR


def test_time_means_nothing_to_an_order_that_ended_or_is_not_there() -> None:
    bench = Bench()
    order = bench.submit(an_intent(qty=D(0)))
    assert next_deadline_ns(order, LIMITS) is None
    bench.wait(1_000)
    assert bench.tick(order).events == ()
    assert bench.do(Tick(due=(OrderId("nobody"),))).events == ()
