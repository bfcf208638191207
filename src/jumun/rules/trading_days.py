"""Which days a venue trades and from when to when: generated calendars, with an operator's overrides on top.

Fail closed (I-53, F-93): a date outside the generated years, or one nobody has confirmed, raises NoCalendar
unless an override settles it. NXT trades on KRX days and has no days before its first.
"""

from collections.abc import Iterator
from datetime import date, time, timedelta
from functools import lru_cache
from typing import ClassVar, Final

import msgspec

from jumun.model.errors import ConfigError, OrderDenied
from jumun.model.instruments import Venue
from jumun.model.reasons import Reason
from jumun.rules import calendar_data

NXT_FIRST: Final = date(2025, 3, 4)
GAP_DAYS_MAX: Final = 31  # the longest closure searched across; KRX never closed for more than ten days
SESSION_MIN: Final = 60  # minutes; the auctions around the open and the close would overlap below that
_ONE_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


class NoCalendar(OrderDenied):
    """It is not known whether, or when, the venue trades on that day."""

    default_reason: ClassVar[Reason] = Reason.NO_TABLE


class Hours(msgspec.Struct, frozen=True, gc=False):
    """The regular session of one day in venue time: `open` included, `close` excluded."""

    open: time
    close: time

    @property
    def is_late(self) -> bool:
        """Whether KRX opens after nine: exam days and the first trading day of a year."""
        return self.open > KRX_OPEN


class DayOverride(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator knows about one day. Closed, or both `open` and `close` in venue time.

    `despite_broker`: the operator knows that the broker will call this day closed, and is wrong.
    """

    venue: Venue
    day: date
    closed: bool = False
    open: time | None = None
    close: time | None = None
    note: str = ""
    despite_broker: bool = False

    def __post_init__(self) -> None:
        """Refuse half an answer, which would be read as the wrong one."""
        hours_given = self.open is not None and self.close is not None
        if self.closed is hours_given or (self.open is None) is not (self.close is None):
            raise ConfigError(
                f"calendar override {self.venue} {self.day} is unclear; "
                'give closed = true, or both hours, for example open = "10:00" and close = "16:30"'
            )
        if self.open is None or self.close is None:
            return
        minutes = (self.close.hour - self.open.hour) * 60 + self.close.minute - self.open.minute
        if minutes < SESSION_MIN:
            raise ConfigError(
                f"calendar override {self.venue} {self.day}: {self.open} to {self.close} is too short; "
                f'give at least {SESSION_MIN} minutes in venue time, like open = "10:00", close = "16:30"'
            )


class Overrides(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """The operator's file as a value; it wins over the generated calendar.

    `always_open` is for a simulated market around the clock: each local date is one continuous session.
    `auction_entry_from_0820` takes opening-auction orders ten minutes earlier since 2026-09-14; relays
    disagree about it (krx_market.md 3.1), so it is off until somebody has seen it.
    `day_market_on_korean_holidays`: the US day market runs although KRX is closed that day.
    """

    days: tuple[DayOverride, ...] = ()
    always_open: bool = False
    auction_entry_from_0820: bool = False
    day_market_on_korean_holidays: bool = True

    def __post_init__(self) -> None:
        """Refuse two answers for one day."""
        keys = [(entry.venue, entry.day) for entry in self.days]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError(f"calendar override {key[0]} {key[1]} is given twice; keep one entry")

    def find(self, venue: Venue, day: date) -> DayOverride | None:
        """Return the entry for that venue and day, or None."""
        return next((entry for entry in self.days if entry.day == day and entry.venue is venue), None)


NO_OVERRIDES: Final = Overrides()
ALWAYS_OPEN: Final = Overrides(always_open=True)

FIRST_DAY: Final = date.fromisoformat(calendar_data.FIRST)
LAST_DAY: Final = date.fromisoformat(calendar_data.LAST)
ALL_DAY: Final = Hours(time.min, time.max)

_HOURS: Final = {
    Venue(name): Hours(time.fromisoformat(open_), time.fromisoformat(close))
    for name, (open_, close) in calendar_data.HOURS.items()
}
KRX_OPEN: Final = _HOURS[Venue.KRX].open
_CLOSED: Final = {
    Venue(name): frozenset(
        date(year, int(word[:2]), int(word[2:])) for year, words in years.items() for word in words.split()
    )
    for name, years in calendar_data.CLOSED.items()
}
_SPECIAL: Final = {
    Venue(name): {
        date.fromisoformat(day): Hours(time.fromisoformat(open_), time.fromisoformat(close))
        for day, (open_, close) in days.items()
    }
    for name, days in calendar_data.SPECIAL_HOURS.items()
}
_DOUBTFUL: Final = {
    Venue(name): {date.fromisoformat(day): why for day, why in days.items()}
    for name, days in calendar_data.DOUBTFUL.items()
}


@lru_cache(maxsize=8_192)  # all days of all venues over the generated years fit
def hours_on(venue: Venue, day: date, overrides: Overrides = NO_OVERRIDES) -> Hours | None:
    """Return the regular session of `venue` on `day`, or None when it is closed; raises NoCalendar.

    For NXT these are the KRX hours of the day, from which its own sessions follow, unless an NXT override
    says otherwise.
    """
    if overrides.always_open:
        return ALL_DAY
    override = overrides.find(venue, day)
    if override is not None:
        return _hours_of(override)
    if venue is Venue.NXT:
        if day < NXT_FIRST:
            raise NoCalendar(f"NXT has no sessions before {NXT_FIRST}, asked for {day}; use KRX")
        return hours_on(Venue.KRX, day, overrides)
    return _generated(venue, day)


def is_session(venue: Venue, day: date, overrides: Overrides = NO_OVERRIDES) -> bool:
    """Return whether `venue` trades on `day`; raises NoCalendar when that is not known."""
    return hours_on(venue, day, overrides) is not None


def sessions_after(venue: Venue, day: date, overrides: Overrides = NO_OVERRIDES) -> Iterator[date]:
    """Yield the sessions strictly after `day`, in order, without end until NoCalendar."""
    last_seen = day
    while True:
        day += _ONE_DAY
        if is_session(venue, day, overrides):
            last_seen = day
            yield day
        elif (day - last_seen).days > GAP_DAYS_MAX:
            raise NoCalendar(
                f"{venue} has no session in the {GAP_DAYS_MAX} days after {last_seen}; check the overrides"
            )


def next_session(venue: Venue, day: date, overrides: Overrides = NO_OVERRIDES) -> date:
    """Return the first session strictly after `day`."""
    return next(sessions_after(venue, day, overrides))


def session_plus(venue: Venue, day: date, count: int, overrides: Overrides = NO_OVERRIDES) -> date:
    """Return the session `count` sessions strictly after `day`, which need not be a session itself."""
    if count < 1:
        raise ValueError(f"count is {count}; ask for one session or more")
    sessions = sessions_after(venue, day, overrides)
    for _ in range(count - 1):
        next(sessions)
    return next(sessions)


def _hours_of(override: DayOverride) -> Hours | None:
    if override.open is None or override.close is None:
        return None
    return Hours(override.open, override.close)


def _generated(venue: Venue, day: date) -> Hours | None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise NoCalendar(
            f"the {venue} calendar covers {FIRST_DAY} to {LAST_DAY}, not {day}; "
            "regenerate it with tools/make_calendars.py or add an override for that day"
        )
    if day in _DOUBTFUL[venue]:
        raise NoCalendar(f"{venue} on {day} is not confirmed: {_DOUBTFUL[venue][day]}; add an override")
    if day.weekday() >= _SATURDAY or day in _CLOSED[venue]:
        return None
    return _SPECIAL[venue].get(day, _HOURS[venue])
