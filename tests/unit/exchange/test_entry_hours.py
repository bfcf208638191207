"""When a venue takes an order of each session, and how long it lives."""

from datetime import date

import pytest

from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, TradingSession
from jumun.rules.sessions import ALWAYS_OPEN, NO_OVERRIDES, Overrides, SessionPlan, session_on
from tests.unit.exchange.builders import new_york_ns, seoul_ns

REFORM = date(2026, 9, 14)
BEFORE = date(2026, 9, 11)
EXAM = date(2025, 11, 13)
S = TradingSession


def plan_of(venue: Venue, day: date, overrides: Overrides = NO_OVERRIDES) -> SessionPlan:
    plan = session_on(venue, day, overrides)
    assert plan is not None
    return plan


@pytest.mark.parametrize(
    ("venue", "session", "day", "hours"),
    [
        (Venue.KRX, S.REGULAR, BEFORE, ("08:30", "15:30")),
        (Venue.KRX, S.CLOSE_BEFORE, BEFORE, ("08:30", "08:40")),
        (Venue.KRX, S.CLOSE_BEFORE, EXAM, ("09:30", "09:40")),
        (Venue.KRX, S.CLOSE_AFTER, BEFORE, ("15:30", "16:00")),
        (Venue.KRX, S.SINGLE_PRICE, BEFORE, ("16:00", "18:00")),
        (Venue.KRX, S.SINGLE_PRICE, REFORM, None),
        (Venue.KRX, S.AFTER_MARKET, BEFORE, None),
        (Venue.KRX, S.AFTER_MARKET, REFORM, ("16:00", "20:00")),
        (Venue.KRX, S.PRE_MARKET, REFORM, None),
        (Venue.NXT, S.PRE_MARKET, REFORM, ("08:00", "08:50")),
        (Venue.NXT, S.PRE_MARKET, EXAM, None),
        (Venue.NXT, S.REGULAR, REFORM, ("08:00", "20:00")),
        (Venue.NXT, S.AFTER_MARKET, REFORM, ("15:40", "20:00")),
        (Venue.NXT, S.CLOSE_BEFORE, REFORM, None),
    ],
)
@pytest.mark.req("F-56", "I-57")
def test_an_order_lives_in_the_hours_of_its_session(
    venue: Venue, session: TradingSession, day: date, hours: tuple[str, str] | None
) -> None:
    expected = None if hours is None else tuple(seoul_ns(f"{day} {time}") for time in hours)
    plan = plan_of(venue, day)
    assert plan.span(session) == expected
    if expected is not None:
        assert plan.takes(session, expected[0])
        assert not plan.takes(session, expected[1])
        assert not plan.takes(session, expected[0] - 1)


@pytest.mark.req("I-57")
def test_nothing_is_taken_in_a_pause_between_two_parts_of_one_session() -> None:
    plan = plan_of(Venue.NXT, REFORM)
    assert plan.takes(S.REGULAR, seoul_ns("2026-09-14 08:10"))
    assert not plan.takes(S.REGULAR, seoul_ns("2026-09-14 08:55"))
    assert not plan.takes(S.REGULAR, seoul_ns("2026-09-14 15:25"))
    assert plan.takes(S.REGULAR, seoul_ns("2026-09-14 16:00"))


def test_around_the_clock_there_is_the_regular_session_only() -> None:
    plan = plan_of(Venue.KRX, BEFORE, ALWAYS_OPEN)
    assert [session for session in S if plan.span(session) is not None] == [S.REGULAR]


@pytest.mark.parametrize(
    ("kind", "day", "hours"),
    [
        (OrderType.MOO, "2025-06-16", ("04:00", "09:28")),
        (OrderType.LOO, "2025-06-16", ("04:00", "09:28")),
        (OrderType.MOC, "2025-06-16", ("09:30", "15:50")),
        (OrderType.LOC, "2025-07-03", ("09:30", "12:50")),
        (OrderType.LIMIT, "2025-06-16", None),
    ],
)
def test_orders_for_one_us_auction_have_a_cut_off_also_on_a_short_day(
    kind: OrderType, day: str, hours: tuple[str, str] | None
) -> None:
    plan = plan_of(Venue.US, date.fromisoformat(day))
    expected = None if hours is None else tuple(new_york_ns(f"{day} {time}") for time in hours)
    assert plan.auction_entry(kind) == expected
    assert plan_of(Venue.KRX, date.fromisoformat(day)).auction_entry(kind) is None
