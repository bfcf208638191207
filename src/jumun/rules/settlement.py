"""When a trade settles: the day shares and cash change hands, and the day that picks the tax rate.

Source: krx_market.md section 11 (Korea T+2, no move to T+1 yet) and 7.3 (worked dates).
"""

from datetime import date
from functools import lru_cache
from typing import Final

import msgspec

from jumun.model.instruments import Market, Venue
from jumun.rules.trading_days import NO_OVERRIDES, Overrides, sessions_after

KRX_DAYS: Final = 2
US_DAYS: Final = 1
US_DAYS_BEFORE: Final = 2
US_ONE_DAY_FROM: Final = date(2024, 5, 28)  # trade date

_MONDAY: Final = 0


def settlement_date(market: Market, trade_date: date, overrides: Overrides = NO_OVERRIDES) -> date:
    """Return the settlement date of a trade in `market`; raises NoCalendar outside the calendars.

    NXT trades settle with KRX. `trade_date` need not be a session: a market simulated around the clock still
    settles on real business days, because tax tables are keyed by them.
    """
    return _settlement_date(market, trade_date, overrides)


@lru_cache(maxsize=8_192)  # every fill asks, and nearly always about today
def _settlement_date(market: Market, trade_date: date, overrides: Overrides) -> date:
    if overrides.always_open:
        overrides = msgspec.structs.replace(overrides, always_open=False)
    if market is Market.US:
        days = US_DAYS if trade_date >= US_ONE_DAY_FROM else US_DAYS_BEFORE
        return _nth_business_day(Venue.US, trade_date, days, overrides)
    return _nth_business_day(Venue.KRX, trade_date, KRX_DAYS, overrides)


def is_us_bank_holiday(day: date) -> bool:
    """Return whether US exchanges trade but nothing settles: Columbus Day and Veterans Day.

    Veterans Day on a Sunday is kept on Monday; on a Saturday the banks keep no other day.
    """
    columbus = day.month == 10 and day.weekday() == _MONDAY and 8 <= day.day <= 14
    veterans = day.month == 11 and (day.day == 11 or (day.day == 12 and day.weekday() == _MONDAY))
    return columbus or veterans


def _nth_business_day(venue: Venue, trade_date: date, count: int, overrides: Overrides) -> date:
    settling = (
        day
        for day in sessions_after(venue, trade_date, overrides)
        if venue is not Venue.US or not is_us_bank_holiday(day)
    )
    for _ in range(count - 1):
        next(settling)
    return next(settling)
