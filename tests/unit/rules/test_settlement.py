"""Settlement dates, which pick the tax rate and the day the cash can be withdrawn."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.instruments import Market, Venue
from jumun.rules.sessions import ALWAYS_OPEN, DayOverride, NoCalendar, Overrides, is_session
from jumun.rules.settlement import is_us_bank_holiday, settlement_date


@pytest.mark.req("C-20")
@pytest.mark.parametrize(
    ("traded", "settled"),
    [
        ("2019-05-29", "2019-05-31"),
        ("2019-05-30", "2019-06-03"),
        ("2020-12-28", "2020-12-30"),
        ("2020-12-29", "2021-01-04"),
        ("2022-12-28", "2023-01-02"),
        ("2023-12-27", "2024-01-02"),
        ("2024-12-26", "2024-12-30"),
        ("2024-12-27", "2025-01-02"),
        ("2025-12-26", "2025-12-30"),
        ("2025-12-29", "2026-01-02"),
        ("2026-06-01", "2026-06-04"),
        ("2026-07-16", "2026-07-21"),
    ],
)
@pytest.mark.parametrize("market", [Market.KOSPI, Market.KOSDAQ, Market.KONEX])
def test_a_korean_trade_settles_two_sessions_later(market: Market, traded: str, settled: str) -> None:
    assert settlement_date(market, date.fromisoformat(traded)) == date.fromisoformat(settled)


@pytest.mark.parametrize(
    ("traded", "settled"),
    [
        ("2024-05-24", "2024-05-29"),
        ("2024-05-28", "2024-05-29"),
        ("2026-11-20", "2026-11-23"),
        ("2026-11-25", "2026-11-27"),
        ("2026-10-09", "2026-10-13"),
        ("2026-10-12", "2026-10-13"),
        ("2026-11-10", "2026-11-12"),
    ],
)
def test_a_us_trade_settles_one_business_day_later_since_may_2024(traded: str, settled: str) -> None:
    assert settlement_date(Market.US, date.fromisoformat(traded)) == date.fromisoformat(settled)


def test_banks_rest_on_two_days_on_which_new_york_trades() -> None:
    rest = [date.fromordinal(n) for n in range(date(2026, 1, 1).toordinal(), date(2028, 1, 1).toordinal())]
    assert [day for day in rest if is_us_bank_holiday(day)] == [
        date(2026, 10, 12),
        date(2026, 11, 11),
        date(2027, 10, 11),
        date(2027, 11, 11),
    ]
    assert is_us_bank_holiday(date(2023, 11, 11)), "a Saturday has no session to move"
    assert is_us_bank_holiday(date(2018, 11, 12)), "Sunday's holiday is kept on Monday"


@pytest.mark.req("F-93")
def test_an_operator_s_closed_day_moves_settlement() -> None:
    closed = Overrides(days=(DayOverride(venue=Venue.KRX, day=date(2026, 11, 23), closed=True),))
    assert settlement_date(Market.KOSPI, date(2026, 11, 20)) == date(2026, 11, 24)
    assert settlement_date(Market.KOSPI, date(2026, 11, 20), closed) == date(2026, 11, 25)


def test_a_market_simulated_around_the_clock_settles_on_real_business_days() -> None:
    saturday = date(2026, 11, 21)
    assert settlement_date(Market.KOSPI, saturday, ALWAYS_OPEN) == date(2026, 11, 24)


@pytest.mark.req("I-53")
def test_settlement_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(NoCalendar):
        settlement_date(Market.KOSPI, date(2027, 12, 30))


@given(day=st.dates(date(2019, 1, 1), date(2027, 4, 20)), market=st.sampled_from(list(Market)))
def test_settlement_is_a_later_session_and_never_goes_back(day: date, market: Market) -> None:
    settled = settlement_date(market, day)
    venue = Venue.US if market is Market.US else Venue.KRX
    assert settled > day
    assert is_session(venue, settled)
    assert settlement_date(market, date.fromordinal(day.toordinal() + 1)) >= settled
