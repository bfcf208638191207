"""What a broker says of trading days, beside our calendar: where they differ, nothing is sent (F-93, I-53).

The broker tells days and no hours, so it opens none: a day that it calls closed is blocked, a day that only
it calls open stays as our calendar has it, and a person hears of both.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from jumun.model.instruments import Venue
from jumun.model.reports import ToldDay
from jumun.rules.trading_days import NoCalendar, Overrides, is_session

Day = tuple[Venue, date]
NO_DISPUTES: Final[Mapping[Day, str]] = {}
GOES_WITH: Final = {Venue.KRX: (Venue.KRX, Venue.NXT)}  # NXT trades on KRX days
HOURS: Final = "open = 09:00:00 and close = 15:30:00"


class DayDispute(msgspec.Struct, frozen=True, kw_only=True):
    """One day on which the broker and our calendar do not agree; `text` says so and what to do."""

    venue: Venue
    day: date
    is_told_open: bool
    text: str


def disputes(told: Sequence[ToldDay], calendar: Overrides) -> tuple[DayDispute, ...]:
    """Return the days on which `told` and the calendar differ, in the order they were told."""
    return tuple(found for one in told if (found := _dispute(one, calendar)) is not None)


def blocked(found: Sequence[DayDispute]) -> dict[Day, str]:
    """Return the days on which no new order may leave, with why."""
    return {
        (venue, one.day): one.text
        for one in found
        if not one.is_told_open
        for venue in GOES_WITH.get(one.venue, (one.venue,))
    }


def _dispute(told: ToldDay, calendar: Overrides) -> DayDispute | None:
    override = calendar.find(told.venue, told.day)
    if override is not None and override.despite_broker:
        return None
    try:
        ours: bool | None = is_session(told.venue, told.day, calendar)
    except NoCalendar:
        ours = None
    if ours is told.is_open:
        return None
    return DayDispute(
        venue=told.venue, day=told.day, is_told_open=told.is_open, text=_text(told, is_known=ours is not None)
    )


def _text(told: ToldDay, *, is_known: bool) -> str:
    named = f'venue = "{told.venue}", day = {told.day}'
    if not is_known:
        says, todo = (
            "our calendar does not know it",
            f"{'give its hours' if told.is_open else 'closed = true'}",
        )
    elif told.is_open:
        says, todo = "our calendar has it closed", HOURS
    else:
        says, todo = "our calendar has it open", "closed = true, or its hours with despite_broker = true"
    state = "open" if told.is_open else "closed"
    return (
        f"the broker says that {told.venue} is {state} on {told.day} and {says}: nothing is sent that day; "
        f"find out which is right and write [[days]] {named}, {todo} into OMS_CALENDAR_FILE"
    )
