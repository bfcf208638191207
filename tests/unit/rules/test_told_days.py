"""A broker's trading days beside our calendar: what differs is not sent, and says what to do."""

from datetime import date, time

import pytest

from jumun.model.commands import CancelOrder
from jumun.model.ids import UserId
from jumun.model.instruments import Venue
from jumun.model.orders import OrderStatus, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import ToldDay
from jumun.rules.sessions import local_date
from jumun.rules.told_days import DayDispute, blocked, disputes
from jumun.rules.trading_days import ALWAYS_OPEN, NO_OVERRIDES, DayOverride, Overrides
from tests.unit.rules.desk_values import TODAY, Bench, a_policy, an_intent

FRIDAY, SATURDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 23)


def told(day: date, *, is_open: bool, venue: Venue = Venue.KRX) -> ToldDay:
    return ToldDay(venue=venue, day=day, is_open=is_open)


def overrides(**entry: object) -> Overrides:
    return Overrides(days=(DayOverride(venue=Venue.KRX, day=FRIDAY, **entry),))  # type: ignore[arg-type]


HOURS = {"open": time(9), "close": time(15, 30)}


@pytest.mark.req("F-93")
def test_days_that_both_know_alike_are_no_dispute() -> None:
    assert disputes((told(FRIDAY, is_open=True), told(SATURDAY, is_open=False)), NO_OVERRIDES) == ()
    assert disputes((told(SATURDAY, is_open=True),), ALWAYS_OPEN) == ()


@pytest.mark.req("F-93", "I-53")
def test_a_day_that_the_broker_calls_closed_is_blocked_at_krx_and_nxt_and_says_what_to_write() -> None:
    [found] = disputes((told(FRIDAY, is_open=False), told(MONDAY, is_open=True)), NO_OVERRIDES)
    assert (found.venue, found.day, found.is_told_open) == (Venue.KRX, FRIDAY, False)
    assert set(blocked([found])) == {(Venue.KRX, FRIDAY), (Venue.NXT, FRIDAY)}
    for word in ("KRX is closed on 2026-11-20", 'venue = "KRX", day = 2026-11-20, closed = true', "despite_"):
        assert word in found.text


@pytest.mark.req("F-93", "I-53")
def test_a_day_that_only_the_broker_calls_open_is_told_and_stays_closed() -> None:
    [found] = disputes((told(SATURDAY, is_open=True),), NO_OVERRIDES)
    assert found.is_told_open
    assert "our calendar has it closed" in found.text
    assert blocked([found]) == {}, "our calendar sends nothing then, and the broker tells no hours"


@pytest.mark.req("F-93", "I-53")
@pytest.mark.parametrize(("is_open", "todo"), [(True, "give its hours"), (False, "closed = true into")])
def test_a_day_that_our_calendar_does_not_know_is_told_either_way(is_open: bool, todo: str) -> None:
    [found] = disputes((told(date(2099, 1, 5), is_open=is_open),), NO_OVERRIDES)
    assert "our calendar does not know it" in found.text
    assert todo in found.text


@pytest.mark.req("F-93", "I-53")
def test_hours_that_an_operator_wrote_do_not_overrule_the_broker_unless_they_say_so() -> None:
    closed = (told(FRIDAY, is_open=False),)
    assert disputes(closed, overrides(closed=True)) == ()
    assert len(disputes(closed, overrides(**HOURS))) == 1
    assert disputes(closed, overrides(**HOURS, despite_broker=True)) == ()


def test_a_dispute_elsewhere_blocks_that_venue_alone() -> None:
    found = DayDispute(venue=Venue.US, day=FRIDAY, is_told_open=False, text="why")
    assert blocked([found]) == {(Venue.US, FRIDAY): "why"}


# ---- what the desk makes of it ------------------------------------------------------------------

WHY = "the broker says that KRX is closed today"
TODAY_AT = {venue: date.fromisoformat(TODAY) for venue in Venue}


def disputed_bench() -> Bench:
    bench = Bench()
    bench.disputed = {(venue, TODAY_AT[venue]): WHY for venue in (Venue.KRX, Venue.NXT)}
    return bench


@pytest.mark.req("F-93", "I-53")
def test_a_new_order_for_a_disputed_day_is_refused_with_the_reason_and_elsewhere_goes_on() -> None:
    bench = disputed_bench()
    refused = bench.submit()
    assert (refused.status, refused.reason, refused.reason_text) == (
        OrderStatus.REJECTED,
        Reason.NO_TABLE,
        WHY,
    )
    abroad = Bench()
    abroad.disputed = {(Venue.US, TODAY_AT[Venue.US]): WHY}
    assert abroad.submit().status is OrderStatus.NEW, "Seoul has nothing to do with New York"


@pytest.mark.req("F-93", "I-53", "I-07")
def test_an_order_that_waits_while_its_day_becomes_disputed_is_never_sent() -> None:
    bench = Bench()
    order = bench.submit()
    bench.disputed = {(Venue.KRX, TODAY_AT[Venue.KRX]): WHY}
    ended = bench.send(order)
    assert (ended.status, ended.reason, ended.attempt) == (OrderStatus.CANCELLED, Reason.NO_TABLE, 0)


@pytest.mark.req("F-93", "F-56", "I-53")
def test_a_multi_day_order_rests_over_a_disputed_day() -> None:
    bench = Bench()
    order = bench.submit(an_intent(time_in_force=TimeInForce.GTC))
    bench.disputed = {(Venue.KRX, TODAY_AT[Venue.KRX]): WHY}
    resting = bench.send(order)
    assert (resting.resting, resting.attempt) == (True, 0)
    assert resting.retry_at_ns is not None
    assert local_date(Venue.KRX, resting.retry_at_ns) > TODAY_AT[Venue.KRX]


@pytest.mark.req("F-93", "I-07")
def test_an_order_proven_never_to_have_arrived_is_not_sent_again_on_a_disputed_day() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    order = bench.unknown()
    bench.disputed = {(Venue.KRX, TODAY_AT[Venue.KRX]): WHY}
    bench.absent_twice()
    ended = bench.send(order)
    assert (ended.status, ended.attempt) == (OrderStatus.CANCELLED, 1)


@pytest.mark.req("F-93")
def test_a_working_order_can_be_cancelled_on_a_disputed_day() -> None:
    bench = Bench()
    order = bench.working()
    bench.disputed = {(Venue.KRX, TODAY_AT[Venue.KRX]): WHY}
    assert bench.do(CancelOrder(order_id=order.order_id, by=UserId("demo"))).denial is None
