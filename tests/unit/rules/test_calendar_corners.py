"""Sessions and settlement at their edges: the minute of a window, the first day known, a late close."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from jumun.model.errors import ConfigError
from jumun.model.instruments import Market, Venue
from jumun.model.orders import TradingSession
from jumun.rules.sessions import (
    ALWAYS_OPEN,
    DayOverride,
    NoCalendar,
    Overrides,
    local_date,
    phase_at,
    session_on,
    trade_date_of,
)
from jumun.rules.settlement import is_us_bank_holiday, settlement_date
from jumun.rules.trading_days import (
    FIRST_DAY,
    GAP_DAYS_MAX,
    LAST_DAY,
    SESSION_MIN,
    hours_on,
    next_session,
    session_plus,
)

SEOUL = ZoneInfo("Asia/Seoul")
DAY, EVE = date(2025, 5, 27), date(2025, 5, 28)  # Tuesday and Wednesday
REFORMED = date(2026, 10, 20)
NS = 1_000_000_000


def ns(day: date, at: str) -> int:
    since = datetime.combine(day, time.fromisoformat(at), tzinfo=SEOUL) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1_000


def hours(open_: str, close: str, venue: Venue = Venue.KRX, day: date = DAY) -> Overrides:
    at = (time.fromisoformat(open_), time.fromisoformat(close))
    return Overrides(days=(DayOverride(venue=venue, day=day, open=at[0], close=at[1]),))


def closed(*days: date, venue: Venue = Venue.KRX) -> Overrides:
    return Overrides(days=tuple(DayOverride(venue=venue, day=day, closed=True) for day in days))


def windows(venue: Venue, day: date, overrides: Overrides | None = None) -> list[str]:
    """Each phase with its first and last instant in Seoul, end excluded."""
    plan = session_on(venue, day, overrides or Overrides())
    assert plan is not None

    def clock(ts_ns: int) -> str:
        return datetime.fromtimestamp(ts_ns // NS, tz=SEOUL).strftime("%H:%M:%S")

    return [f"{w.phase} {clock(w.start_ns)} {clock(w.end_ns)}" for w in plan.windows]


@pytest.mark.req("I-57", "F-92", "F-93")
def test_the_korean_day_minute_by_minute_before_and_after_the_reform() -> None:
    day = [
        "PRE_OPEN_AUCTION 08:30:00 09:00:00",
        "CONTINUOUS 09:00:00 15:20:00",
        "CLOSING_AUCTION 15:20:00 15:30:00",
        "AFTER_CLOSE_ENTRY 15:30:00 15:40:00",
        "AFTER_CLOSE 15:40:00 16:00:00",
    ]
    assert windows(Venue.KRX, DAY) == [*day, "SINGLE_PRICE 16:00:00 18:00:00"]
    assert windows(Venue.KRX, REFORMED) == [*day, "AFTER_MARKET 16:00:00 20:00:00"]
    early = Overrides(auction_entry_from_0820=True)
    assert windows(Venue.KRX, REFORMED, early)[0] == "PRE_OPEN_AUCTION 08:20:00 09:00:00"
    assert windows(Venue.KRX, DAY, early)[0] == day[0], "not before the reform"


@pytest.mark.req("I-57", "F-56")
def test_the_day_of_the_second_exchange_minute_by_minute() -> None:
    assert windows(Venue.NXT, DAY) == [
        "PRE_MARKET 08:00:00 08:50:00",
        "PAUSE 08:50:00 09:00:30",
        "CONTINUOUS 09:00:30 15:20:00",
        "PAUSE 15:20:00 15:40:00",
        "AFTER_MARKET 15:40:00 20:00:00",
    ]
    odd = hours("09:00:15", "15:30", Venue.NXT)
    assert "CONTINUOUS 09:00:45 15:20:00" in windows(Venue.NXT, DAY, odd)


def test_a_close_so_late_that_a_window_has_no_length_leaves_it_out() -> None:
    late = hours("10:00", "19:30", day=REFORMED)
    assert windows(Venue.KRX, REFORMED, late)[-1] == "AFTER_CLOSE 19:40:00 20:00:00"


@pytest.mark.parametrize("close", ["23:30", "23:40", "23:50"])
def test_a_window_stops_at_midnight_and_does_not_wrap_into_the_next_day(close: str) -> None:
    plan = session_on(Venue.KRX, DAY, hours("10:00", close))
    assert plan is not None
    assert plan.windows[-1].end_ns == ns(DAY, "23:59:59.999999")
    assert [w.phase.value for w in plan.windows[:3]] == ["PRE_OPEN_AUCTION", "CONTINUOUS", "CLOSING_AUCTION"]
    assert len(plan.windows) == {"23:30": 5, "23:40": 5, "23:50": 4}[close]


def test_a_session_that_the_venue_does_not_have_has_no_span() -> None:
    plan = session_on(Venue.NXT, DAY)
    assert plan is not None
    assert plan.span(TradingSession.CLOSE_AFTER) is None
    assert plan.span(TradingSession.CLOSE_BEFORE) is None


def test_the_close_price_session_before_the_opening_needs_an_opening_auction() -> None:
    plan, always = session_on(Venue.KRX, DAY), session_on(Venue.KRX, DAY, ALWAYS_OPEN)
    assert plan is not None
    assert always is not None
    assert plan.span(TradingSession.CLOSE_BEFORE) == (ns(DAY, "08:30"), ns(DAY, "08:40"))
    assert always.span(TradingSession.CLOSE_BEFORE) is None


def test_the_first_instant_has_a_date_and_the_one_before_has_none() -> None:
    assert local_date(Venue.KRX, 0) == date(1970, 1, 1)
    with pytest.raises(NoCalendar):
        local_date(Venue.KRX, -1)


@pytest.mark.req("F-93", "I-57")
def test_a_day_the_operator_closed_is_skipped_wherever_the_next_session_is_asked_for() -> None:
    off = closed(EVE)
    evening = ns(DAY, "21:00")
    assert phase_at(Venue.KRX, evening, off)[1] == date(2025, 5, 29)
    assert trade_date_of(Venue.KRX, evening, off) == date(2025, 5, 29)
    assert next_session(Venue.KRX, DAY, off) == date(2025, 5, 29)
    assert session_plus(Venue.KRX, DAY, 2, off) == date(2025, 5, 30)


def test_a_closure_of_a_month_is_searched_across_and_a_longer_one_is_doubted() -> None:
    monday = date(2025, 5, 26)  # the day after the closure is a Friday

    def off(days: int) -> Overrides:
        return closed(*(date.fromordinal(monday.toordinal() + n) for n in range(1, days + 1)))

    assert next_session(Venue.KRX, monday, off(GAP_DAYS_MAX)) == date(2025, 6, 27)
    with pytest.raises(NoCalendar, match="no session in the 31 days"):
        next_session(Venue.KRX, monday, off(GAP_DAYS_MAX + 1))


def test_the_calendar_covers_its_first_and_its_last_day_and_no_more() -> None:
    for venue in (Venue.KRX, Venue.US):
        for edge, beyond in ((FIRST_DAY, -1), (LAST_DAY, 1)):
            hours_on(venue, edge)
            with pytest.raises(NoCalendar, match="covers"):
                hours_on(venue, date.fromordinal(edge.toordinal() + beyond))


def test_an_override_of_an_hour_is_a_session_and_of_a_minute_less_is_none() -> None:
    assert SESSION_MIN == 60
    hours("09:30", "10:30")
    hours("09:10", "10:50")
    for open_, close in (("09:30", "10:29"), ("09:50", "10:49"), ("09:10", "10:09")):
        with pytest.raises(ConfigError, match="too short"):
            hours(open_, close)


@pytest.mark.req("I-43")
@pytest.mark.parametrize(
    ("day", "holiday"),
    [
        ("2018-10-08", True),
        ("2024-10-14", True),
        ("2018-10-01", False),
        ("2018-10-15", False),
        ("2024-10-07", False),
        ("2024-11-11", True),
        ("2018-11-12", True),  # the eleventh was a Sunday
        ("2024-11-12", False),
    ],
)
def test_banks_rest_on_the_second_monday_of_october_and_on_veterans_day(day: str, holiday: bool) -> None:
    assert is_us_bank_holiday(date.fromisoformat(day)) is holiday


@pytest.mark.req("I-43")
def test_settlement_waits_for_a_day_that_the_operator_closed() -> None:
    assert settlement_date(Market.KOSPI, DAY, closed(EVE)) == date(2025, 5, 30)
