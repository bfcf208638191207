"""Sessions: which days trade, what the venue does at an instant, and refusing what nobody knows."""

from datetime import date, datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.errors import ConfigError
from jumun.model.instruments import Venue
from jumun.model.reasons import Reason
from jumun.rules import calendar_data
from jumun.rules.sessions import (
    ALWAYS_OPEN,
    DayOverride,
    NoCalendar,
    Overrides,
    Phase,
    is_session,
    local_date,
    next_session,
    phase_at,
    session_on,
    trade_date_of,
)
from jumun.rules.trading_days import session_plus

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")
ZONES = {Venue.KRX: SEOUL, Venue.NXT: SEOUL, Venue.US: NEW_YORK}
NS = 1_000_000_000


def at(venue: Venue, moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=ZONES[venue]).timestamp()) * NS


def sessions_of(venue: Venue, year: int) -> int:
    days = (
        date.fromordinal(n) for n in range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal())
    )
    return sum(is_session(venue, day) for day in days)


@pytest.mark.req("I-53", "F-93")
def test_the_year_2026_has_as_many_sessions_as_the_exchanges_held() -> None:
    assert sessions_of(Venue.KRX, 2026) == 244
    assert sessions_of(Venue.NXT, 2026) == 244
    assert sessions_of(Venue.US, 2026) == 251


@pytest.mark.req("F-93")
@pytest.mark.parametrize(
    "day", ["2026-06-03", "2026-07-17", "2026-12-31", "2026-05-01", "2025-06-03", "2022-06-01", "2026-11-21"]
)
def test_korea_is_closed_on_elections_holidays_and_the_last_day_of_the_year(day: str) -> None:
    assert not is_session(Venue.KRX, date.fromisoformat(day))
    assert session_on(Venue.KRX, date.fromisoformat(day)) is None
    assert session_on(Venue.NXT, date(2026, 6, 3)) is None


@pytest.mark.req("F-93")
@pytest.mark.parametrize(
    "day",
    [
        "2019-11-14",
        "2020-12-03",
        "2021-11-18",
        "2022-11-17",
        "2023-11-16",
        "2024-11-14",
        "2025-11-13",
        "2026-11-19",
    ],
)
def test_the_market_runs_an_hour_later_on_the_day_of_the_entrance_exam(day: str) -> None:
    plan = session_on(Venue.KRX, date.fromisoformat(day))
    assert plan is not None
    assert plan.open_ns == at(Venue.KRX, f"{day}T10:00")
    assert plan.close_ns == at(Venue.KRX, f"{day}T16:30")
    assert plan.phase_at(at(Venue.KRX, f"{day}T09:15")) is Phase.CLOSED
    assert plan.phase_at(at(Venue.KRX, f"{day}T09:45")) is Phase.PRE_OPEN_AUCTION
    assert plan.phase_at(at(Venue.KRX, f"{day}T16:00")) is Phase.CONTINUOUS
    assert plan.phase_at(at(Venue.KRX, f"{day}T16:25")) is Phase.CLOSING_AUCTION


@pytest.mark.req("F-93")
def test_the_first_trading_day_opens_at_ten_and_closes_as_always() -> None:
    plan = session_on(Venue.KRX, date(2026, 1, 2))
    assert plan is not None
    assert (plan.open_ns, plan.close_ns) == (
        at(Venue.KRX, "2026-01-02T10:00"),
        at(Venue.KRX, "2026-01-02T15:30"),
    )


@pytest.mark.req("I-57", "F-92")
@pytest.mark.parametrize(
    ("clock", "phase"),
    [
        ("08:20:00", Phase.CLOSED),
        ("08:30:00", Phase.PRE_OPEN_AUCTION),
        ("08:59:59", Phase.PRE_OPEN_AUCTION),
        ("09:00:00", Phase.CONTINUOUS),
        ("15:19:59", Phase.CONTINUOUS),
        ("15:20:00", Phase.CLOSING_AUCTION),
        ("15:30:00", Phase.AFTER_CLOSE_ENTRY),
        ("15:40:00", Phase.AFTER_CLOSE),
        ("16:00:00", Phase.AFTER_MARKET),
        ("19:59:59", Phase.AFTER_MARKET),
    ],
)
def test_a_korean_day_goes_through_its_phases(clock: str, phase: Phase) -> None:
    moment = at(Venue.KRX, f"2026-11-20T{clock}")
    assert phase_at(Venue.KRX, moment) == (phase, date(2026, 11, 20))
    assert trade_date_of(Venue.KRX, moment) == date(2026, 11, 20)


@pytest.mark.req("I-57", "I-64", "F-92")
def test_after_the_evening_an_order_belongs_to_the_next_session() -> None:
    friday_night = at(Venue.KRX, "2026-11-20T20:00")
    assert phase_at(Venue.KRX, friday_night) == (Phase.CLOSED, date(2026, 11, 23))
    assert trade_date_of(Venue.KRX, at(Venue.KRX, "2026-11-21T12:00")) == date(2026, 11, 23)
    assert trade_date_of(Venue.KRX, at(Venue.KRX, "2026-11-23T00:00")) == date(2026, 11, 23)


@pytest.mark.req("I-57")
def test_the_evening_became_continuous_on_the_fourteenth_of_september_2026() -> None:
    assert phase_at(Venue.KRX, at(Venue.KRX, "2026-09-11T16:30"))[0] is Phase.SINGLE_PRICE
    assert phase_at(Venue.KRX, at(Venue.KRX, "2026-09-11T18:00"))[0] is Phase.CLOSED
    assert phase_at(Venue.KRX, at(Venue.KRX, "2026-09-14T16:30"))[0] is Phase.AFTER_MARKET
    assert phase_at(Venue.KRX, at(Venue.KRX, "2026-11-19T16:35"))[0] is Phase.AFTER_CLOSE_ENTRY


@pytest.mark.req("I-53")
def test_the_early_auction_entry_is_believed_only_when_an_operator_says_so() -> None:
    early = Overrides(auction_entry_from_0820=True)
    moment = at(Venue.KRX, "2026-11-20T08:25")
    assert phase_at(Venue.KRX, moment)[0] is Phase.CLOSED
    assert phase_at(Venue.KRX, moment, early)[0] is Phase.PRE_OPEN_AUCTION
    assert phase_at(Venue.KRX, at(Venue.KRX, "2026-09-11T08:25"), early)[0] is Phase.CLOSED


@pytest.mark.req("I-57")
@pytest.mark.parametrize(
    ("clock", "phase"),
    [
        ("07:59:59", Phase.CLOSED),
        ("08:00:00", Phase.PRE_MARKET),
        ("08:50:00", Phase.PAUSE),
        ("09:00:29", Phase.PAUSE),
        ("09:00:30", Phase.CONTINUOUS),
        ("15:20:00", Phase.PAUSE),
        ("15:35:00", Phase.PAUSE),
        ("15:40:00", Phase.AFTER_MARKET),
        ("20:00:00", Phase.CLOSED),
    ],
)
def test_nextrade_pauses_around_the_auctions_of_the_main_exchange(clock: str, phase: Phase) -> None:
    assert phase_at(Venue.NXT, at(Venue.NXT, f"2026-11-20T{clock}"))[0] is phase


@pytest.mark.req("F-93")
@pytest.mark.parametrize(
    ("day", "main_end"), [("2026-01-02", "15:20"), ("2025-11-13", "16:20"), ("2026-11-19", "16:20")]
)
def test_nextrade_has_no_morning_when_korea_opens_late(day: str, main_end: str) -> None:
    assert phase_at(Venue.NXT, at(Venue.NXT, f"{day}T08:30"))[0] is Phase.CLOSED
    assert phase_at(Venue.NXT, at(Venue.NXT, f"{day}T10:00"))[0] is Phase.CLOSED
    plan = session_on(Venue.NXT, date.fromisoformat(day))
    assert plan is not None
    assert plan.first_ns == at(Venue.NXT, f"{day}T10:00:30")
    assert plan.windows[0].end_ns == at(Venue.NXT, f"{day}T{main_end}")


@pytest.mark.req("I-53")
def test_nextrade_did_not_exist_before_its_first_day() -> None:
    with pytest.raises(NoCalendar, match="use KRX"):
        is_session(Venue.NXT, date(2025, 3, 3))
    assert is_session(Venue.NXT, date(2025, 3, 4))


@pytest.mark.req("I-57", "F-91")
@pytest.mark.parametrize(
    ("day", "open_utc", "close_utc"),
    [
        ("2026-03-06", "14:30", "21:00"),
        ("2026-03-09", "13:30", "20:00"),
        ("2026-10-30", "13:30", "20:00"),
        ("2026-11-02", "14:30", "21:00"),
        ("2026-11-27", "14:30", "18:00"),
        ("2026-12-24", "14:30", "18:00"),
    ],
)
def test_new_york_keeps_its_hours_through_daylight_saving_and_half_days(
    day: str, open_utc: str, close_utc: str
) -> None:
    plan = session_on(Venue.US, date.fromisoformat(day))
    assert plan is not None
    utc = ZoneInfo("UTC")
    assert plan.open_ns == datetime.fromisoformat(f"{day}T{open_utc}").replace(tzinfo=utc).timestamp() * NS
    assert plan.close_ns == datetime.fromisoformat(f"{day}T{close_utc}").replace(tzinfo=utc).timestamp() * NS
    assert plan.phase_at(plan.open_ns) is Phase.CONTINUOUS
    assert plan.phase_at(plan.close_ns) is Phase.CLOSED


@pytest.mark.req("F-91", "F-92")
def test_a_new_york_session_keeps_one_trade_date_while_korea_passes_midnight() -> None:
    after_midnight_in_seoul = at(Venue.KRX, "2026-11-21T02:00")
    assert phase_at(Venue.US, after_midnight_in_seoul) == (Phase.CONTINUOUS, date(2026, 11, 20))
    assert local_date(Venue.KRX, after_midnight_in_seoul) == date(2026, 11, 21)


@pytest.mark.req("I-53", "F-93")
@pytest.mark.parametrize("venue", [Venue.KRX, Venue.NXT, Venue.US])
@pytest.mark.parametrize("day", [date(2018, 12, 31), date(2028, 1, 3)])
def test_a_day_outside_the_calendar_is_unknown_not_open(venue: Venue, day: date) -> None:
    with pytest.raises(NoCalendar) as refusal:
        session_on(venue, day)
    assert refusal.value.reason is Reason.NO_TABLE


@pytest.mark.req("I-53", "F-93")
def test_the_calendar_never_hands_out_a_session_past_its_end() -> None:
    assert next_session(Venue.KRX, date(2027, 12, 29)) == date(2027, 12, 30)
    with pytest.raises(NoCalendar, match="regenerate it"):
        next_session(Venue.KRX, date(2027, 12, 30))


@pytest.mark.req("I-53", "F-93")
def test_a_day_nobody_has_confirmed_is_refused_until_an_operator_decides() -> None:
    day = date(2027, 7, 19)
    with pytest.raises(NoCalendar, match="Constitution Day"):
        is_session(Venue.KRX, day)
    closed = Overrides(days=(DayOverride(venue=Venue.KRX, day=day, closed=True),))
    assert not is_session(Venue.KRX, day, closed)
    assert next_session(Venue.KRX, date(2027, 7, 16), closed) == date(2027, 7, 20)


@pytest.mark.req("F-93")
def test_an_operator_s_closed_day_wins_and_closes_both_korean_venues() -> None:
    day = date(2026, 11, 23)
    overrides = Overrides(days=(DayOverride(venue=Venue.KRX, day=day, closed=True, note="outage"),))
    assert not is_session(Venue.KRX, day, overrides)
    assert not is_session(Venue.NXT, day, overrides)
    assert is_session(Venue.US, day, overrides)
    assert phase_at(Venue.KRX, at(Venue.KRX, "2026-11-23T10:00"), overrides) == (
        Phase.CLOSED,
        date(2026, 11, 24),
    )


@pytest.mark.req("F-93")
def test_an_operator_s_hours_move_every_window_of_the_day() -> None:
    day = date(2026, 11, 23)
    entry = DayOverride(venue=Venue.KRX, day=day, open=time(11, 0), close=time(19, 50))
    plan = session_on(Venue.KRX, day, Overrides(days=(entry,)))
    assert plan is not None
    assert plan.phase_at(at(Venue.KRX, "2026-11-23T10:45")) is Phase.PRE_OPEN_AUCTION
    assert plan.phase_at(at(Venue.KRX, "2026-11-23T19:45")) is Phase.CLOSING_AUCTION
    assert Phase.AFTER_MARKET not in {window.phase for window in plan.windows}, "no time is left for it"


@pytest.mark.req("F-93")
def test_an_override_near_midnight_stays_inside_its_day() -> None:
    day = date(2026, 11, 23)
    entry = DayOverride(venue=Venue.KRX, day=day, open=time(0, 10), close=time(23, 55))
    plan = session_on(Venue.KRX, day, Overrides(days=(entry,)))
    assert plan is not None
    assert plan.first_ns == at(Venue.KRX, "2026-11-23T00:00")
    assert plan.last_ns <= at(Venue.KRX, "2026-11-24T00:00")


@pytest.mark.req("I-53")
@pytest.mark.parametrize(
    ("closed", "open_", "close"),
    [
        (False, None, None),
        (True, time(9), time(15)),
        (True, time(9), None),
        (False, time(9), None),
        (False, None, time(15)),
        (False, time(15), time(9)),
        (False, time(9), time(9, 30)),
    ],
)
def test_half_an_override_is_refused(closed: bool, open_: time | None, close: time | None) -> None:
    with pytest.raises(ConfigError, match="KRX 2026-11-23") as refusal:
        DayOverride(venue=Venue.KRX, day=date(2026, 11, 23), closed=closed, open=open_, close=close)
    assert refusal.value.reason is Reason.BAD_SETTING


@pytest.mark.req("I-53")
def test_two_overrides_for_one_day_are_refused() -> None:
    entry = DayOverride(venue=Venue.KRX, day=date(2026, 11, 23), closed=True)
    with pytest.raises(ConfigError, match="given twice"):
        Overrides(days=(entry, entry))


@pytest.mark.req("I-53")
def test_overrides_that_close_everything_end_the_search_for_a_session() -> None:
    start = date(2026, 3, 3).toordinal()
    shut = tuple(
        DayOverride(venue=Venue.KRX, day=date.fromordinal(start + n), closed=True) for n in range(40)
    )
    with pytest.raises(NoCalendar, match="check the overrides"):
        next_session(Venue.KRX, date(2026, 3, 2), Overrides(days=shut))


@pytest.mark.parametrize("venue", list(Venue))
def test_the_simulated_market_is_open_around_the_clock_on_every_date(venue: Venue) -> None:
    sunday = date(2031, 6, 15)
    moment = at(venue, "2031-06-15T03:00")
    assert phase_at(venue, moment, ALWAYS_OPEN) == (Phase.CONTINUOUS, sunday)
    plan = session_on(venue, sunday, ALWAYS_OPEN)
    assert plan is not None
    assert plan.first_ns == plan.open_ns == at(venue, "2031-06-15T00:00")
    assert plan.last_ns == plan.close_ns == at(venue, "2031-06-16T00:00")
    assert next_session(venue, sunday, ALWAYS_OPEN) == date(2031, 6, 16)


@pytest.mark.parametrize("ts_ns", [-1, 253_402_128_000 * NS])
def test_an_instant_no_date_can_name_is_refused(ts_ns: int) -> None:
    with pytest.raises(NoCalendar, match="UTC nanoseconds"):
        phase_at(Venue.KRX, ts_ns, ALWAYS_OPEN)


def test_counting_sessions_needs_at_least_one() -> None:
    assert session_plus(Venue.KRX, date(2026, 11, 20), 1) == date(2026, 11, 23)
    assert session_plus(Venue.KRX, date(2026, 11, 20), 3) == date(2026, 11, 25)
    with pytest.raises(ValueError, match="one session or more"):
        session_plus(Venue.KRX, date(2026, 11, 20), 0)


def test_nothing_is_sent_into_a_pause_or_a_closed_market() -> None:
    shut = {phase for phase in Phase if not phase.takes_orders}
    assert shut == {Phase.CLOSED, Phase.PAUSE}


@pytest.mark.req("I-57")
@given(day=st.dates(date(2025, 3, 4), date(2027, 4, 29)), venue=st.sampled_from(list(Venue)))
def test_the_windows_of_a_day_are_in_order_and_never_overlap(day: date, venue: Venue) -> None:
    plan = session_on(venue, day)
    if plan is None:
        return
    for earlier, later in pairwise(plan.windows):
        assert earlier.start_ns < earlier.end_ns <= later.start_ns < later.end_ns
    assert local_date(venue, plan.first_ns) == local_date(venue, plan.last_ns - 1) == day
    assert next_session(venue, day) > day


@pytest.mark.req("I-57", "I-64")
@given(seconds=st.integers(1_741_500_000, 1_808_000_000), venue=st.sampled_from(list(Venue)))
def test_every_instant_belongs_to_exactly_one_coming_or_running_session(seconds: int, venue: Venue) -> None:
    moment = seconds * NS
    phase, trade_date = phase_at(venue, moment)
    plan = session_on(venue, trade_date)
    assert plan is not None
    assert moment < plan.last_ns
    assert plan.phase_at(moment) is phase
    assert trade_date >= local_date(venue, moment)


def test_the_generated_calendar_lists_weekdays_only() -> None:
    for years in calendar_data.CLOSED.values():
        for year, words in years.items():
            days = [date(year, int(word[:2]), int(word[2:])) for word in words.split()]
            assert days == sorted(set(days))
            assert all(day.weekday() < 5 for day in days)


@pytest.mark.req("F-92")
@given(
    venue=st.sampled_from(list(Venue)),
    quarter=st.integers(0, 253_402_128_000 // 900 - 1),
    into=st.integers(0, 2),
)
def test_the_date_is_that_of_the_instant_at_both_ends_of_a_quarter_hour(
    venue: Venue, quarter: int, into: int
) -> None:
    moment = quarter * 900 * NS + (0, 1, 900 * NS - 1)[into]
    assert local_date(venue, moment) == datetime.fromtimestamp(moment // NS, tz=ZONES[venue]).date()
