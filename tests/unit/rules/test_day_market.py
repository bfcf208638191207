"""The US day market: 10:00 to 18:00 in Seoul, on the date of the regular session that follows it."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.instruments import Market, Venue
from jumun.model.orders import OrderType, TradingSession
from jumun.rules.day_stats import newest_session
from jumun.rules.sessions import (
    NO_OVERRIDES,
    DayOverride,
    Overrides,
    Phase,
    SessionPlan,
    phase_at,
    session_on,
    trade_date_of,
)
from jumun.rules.settlement import settlement_date

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")
NS = 1_000_000_000
DAY = TradingSession.DAY_MARKET
NOT_ON_KOREAN_HOLIDAYS = Overrides(day_market_on_korean_holidays=False)


def at(zone: ZoneInfo, moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=zone).timestamp()) * NS


def plan_of(day: str, overrides: Overrides = NO_OVERRIDES) -> SessionPlan:
    plan = session_on(Venue.US, date.fromisoformat(day), overrides)
    assert plan is not None
    return plan


@pytest.mark.req("I-57", "F-94")
@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2026-01-15", "2026-01-14T20:00", "2026-01-15T04:00"),
        ("2026-07-15", "2026-07-14T21:00", "2026-07-15T05:00"),
        ("2026-03-09", "2026-03-08T21:00", "2026-03-09T05:00"),  # summer time began that Sunday morning
        ("2026-03-06", "2026-03-05T20:00", "2026-03-06T04:00"),
        ("2026-10-30", "2026-10-29T21:00", "2026-10-30T05:00"),
        ("2026-11-02", "2026-11-01T20:00", "2026-11-02T04:00"),  # and ended that Sunday
    ],
)
def test_it_is_fixed_in_seoul_and_begins_on_the_evening_before_in_new_york(
    day: str, opens: str, closes: str
) -> None:
    span = plan_of(day).span(DAY)
    assert span == (at(SEOUL, f"{day}T10:00"), at(SEOUL, f"{day}T18:00"))
    assert span == (at(NEW_YORK, opens), at(NEW_YORK, closes))


@pytest.mark.req("I-64", "F-94")
def test_its_orders_belong_to_the_date_of_the_regular_session_on_both_sides_of_midnight_in_new_york() -> None:
    friday = date(2026, 11, 20)
    for moment in ("2026-11-20T10:00", "2026-11-20T13:59", "2026-11-20T14:00", "2026-11-20T17:59"):
        assert phase_at(Venue.US, at(SEOUL, moment)) == (Phase.DAY_MARKET, friday)
    assert phase_at(Venue.US, at(SEOUL, "2026-11-20T09:59")) == (Phase.CLOSED, friday)
    assert phase_at(Venue.US, at(SEOUL, "2026-11-20T18:00")) == (Phase.CLOSED, friday)


@pytest.mark.req("F-93")
def test_on_the_korean_date_of_a_us_holiday_or_a_weekend_there_is_none() -> None:
    thanksgiving = at(SEOUL, "2026-11-26T11:00")
    assert phase_at(Venue.US, thanksgiving) == (Phase.CLOSED, date(2026, 11, 27))
    assert phase_at(Venue.US, at(SEOUL, "2026-11-21T11:00"))[0] is Phase.CLOSED  # Saturday
    # The day after a holiday has one, though New York still writes the holiday; Monday has one on Sunday.
    assert phase_at(Venue.US, at(SEOUL, "2026-11-27T11:00")) == (Phase.DAY_MARKET, date(2026, 11, 27))
    assert phase_at(Venue.US, at(NEW_YORK, "2026-11-22T20:30")) == (Phase.DAY_MARKET, date(2026, 11, 23))


@pytest.mark.req("F-93")
def test_on_a_korean_holiday_it_runs_unless_the_operator_says_otherwise() -> None:
    chuseok = "2026-09-25"
    assert session_on(Venue.KRX, date.fromisoformat(chuseok)) is None
    assert plan_of(chuseok).takes(DAY, at(SEOUL, f"{chuseok}T11:00"))
    assert plan_of(chuseok, NOT_ON_KOREAN_HOLIDAYS).span(DAY) is None
    assert plan_of("2026-11-20", NOT_ON_KOREAN_HOLIDAYS).span(DAY) is not None
    # A day of which nobody knows whether Korea works counts as a holiday, and the US session stays known.
    doubtful = plan_of("2027-07-19", NOT_ON_KOREAN_HOLIDAYS)
    assert doubtful.span(DAY) is None
    assert doubtful.takes(TradingSession.REGULAR, doubtful.open_ns)


@pytest.mark.req("I-57")
def test_it_takes_its_own_orders_only_and_the_regular_session_none_of_them() -> None:
    plan = plan_of("2026-11-20")
    noon = at(SEOUL, "2026-11-20T12:00")
    assert plan.takes(DAY, noon)
    assert not plan.takes(TradingSession.REGULAR, noon)
    assert not plan.takes(DAY, plan.open_ns)
    assert plan.takes(TradingSession.REGULAR, plan.open_ns)
    assert plan.span(TradingSession.REGULAR) == (plan.open_ns, plan.close_ns)
    assert plan.auction_entry(OrderType.LOO) == (at(NEW_YORK, "2026-11-20T04:00"), plan.open_ns - 120 * NS)


@pytest.mark.req("F-55")
def test_its_orders_end_with_it_and_those_of_the_regular_session_with_the_day() -> None:
    plan = plan_of("2026-11-20")
    assert plan.end_ns(DAY) == at(SEOUL, "2026-11-20T18:00")
    assert plan.end_ns(TradingSession.REGULAR) == plan.last_ns == plan.close_ns
    assert plan_of("2026-09-25", NOT_ON_KOREAN_HOLIDAYS).end_ns(DAY) == plan_of("2026-09-25").last_ns


@pytest.mark.req("F-94")
def test_the_day_of_everyone_else_begins_with_the_regular_session_as_before() -> None:
    plan = plan_of("2026-11-20")
    assert plan.first_ns == plan.open_ns
    noon = at(SEOUL, "2026-11-20T12:00")
    assert newest_session([Venue.US], noon, NO_OVERRIDES) == "2026-11-19"
    assert newest_session([Venue.US], plan.open_ns, NO_OVERRIDES) == "2026-11-20"


@pytest.mark.req("F-94")
def test_a_trade_in_it_settles_like_one_of_the_session_it_precedes() -> None:
    evening = at(NEW_YORK, "2026-11-19T20:30")
    day = trade_date_of(Venue.US, evening)
    assert day == trade_date_of(Venue.US, at(NEW_YORK, "2026-11-20T10:00"))
    assert settlement_date(Market.US, day) == date(2026, 11, 23)


@pytest.mark.req("F-93")
def test_an_early_opening_ends_it() -> None:
    entry = DayOverride(venue=Venue.US, day=date(2026, 11, 20), open=time(3, 30), close=time(16, 0))
    plan = plan_of("2026-11-20", Overrides(days=(entry,)))
    assert plan.span(DAY) == (at(SEOUL, "2026-11-20T10:00"), plan.open_ns)


@pytest.mark.req("I-57", "I-64")
@given(minutes=st.integers(29_030_000, 30_130_000))
def test_no_instant_is_in_two_phases_and_every_one_of_the_day_market_is_in_seouls_day(minutes: int) -> None:
    moment = minutes * 60 * NS  # 2025 to 2027
    phase, day = phase_at(Venue.US, moment)
    seoul = datetime.fromtimestamp(minutes * 60, tz=SEOUL)
    near = [session_on(Venue.US, seoul.date() + timedelta(days=days)) for days in (-1, 0, 1)]
    holding = [
        (window.phase, plan.trade_date)
        for plan in near
        if plan is not None
        for window in plan.windows
        if window.start_ns <= moment < window.end_ns
    ]
    assert holding == ([] if phase is Phase.CLOSED else [(phase, day)])
    is_daytime = time(10) <= seoul.time() < time(18)
    is_session = session_on(Venue.US, seoul.date()) is not None
    assert (phase is Phase.DAY_MARKET) is (is_daytime and is_session)
    if phase is Phase.DAY_MARKET:
        assert day == seoul.date()
