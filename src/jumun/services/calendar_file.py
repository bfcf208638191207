"""The operator's calendar: a TOML file of days that the generated tables do not know or have wrong.

    auction_entry_from_0820 = false           # optional
    day_market_on_korean_holidays = true      # optional

    [[days]]
    venue = "KRX"
    day = 2026-11-19
    open = 10:00:00
    close = 16:30:00
    note = "university entrance exam"

    [[days]]
    venue = "US"
    day = 2027-01-04
    closed = true

Hours are in venue time. Whatever is not clear refuses the whole file (F-93): half a calendar opens a session
that does not exist.
"""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Final

from jumun.model.errors import ConfigError
from jumun.model.instruments import Venue
from jumun.rules.trading_days import DayOverride, Overrides

DAYS_MAX: Final = 2_000  # eight years of nothing but exceptions
TEXT_MAX: Final = 200
_SWITCHES: Final = {"auction_entry_from_0820": False, "day_market_on_korean_holidays": True}
_TOP: Final = frozenset({"days", *_SWITCHES})
_FIELDS: Final = frozenset({"venue", "day", "closed", "open", "close", "note", "despite_broker"})
_WORKING: Final = 'venue = "KRX", day = 2026-11-19, open = 10:00:00, close = 16:30:00'


def read_calendar(path: Path) -> Overrides:
    """Return the overrides of a file; raises ConfigError naming the day and the field."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"OMS_CALENDAR_FILE {path} cannot be read ({error}); make it a readable TOML file"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"OMS_CALENDAR_FILE {path} is no TOML ({error}); a day is {_WORKING}") from error
    return calendar_of(given, str(path))


def calendar_of(given: Mapping[str, object], name: str) -> Overrides:
    """Return the overrides that the tables of a file describe; `name` is the file's, for sentences."""
    _refuse_others(given, _TOP, name)
    rows = given.get("days", [])
    if not isinstance(rows, list) or len(rows) > DAYS_MAX:
        raise ConfigError(f"{name}: days must be at most {DAYS_MAX} tables [[days]]; a day is {_WORKING}")
    switches: dict[str, bool] = {}
    for switch, default in _SWITCHES.items():
        value = given.get(switch, default)
        if not isinstance(value, bool):
            raise ConfigError(f"{name}: {switch} is {value!r}; write true or false")
        switches[switch] = value
    days = tuple(_day(row, f"{name}: day {number}") for number, row in enumerate(rows, 1))
    return Overrides(days=days, **switches)


def _day(row: object, where: str) -> DayOverride:
    if not isinstance(row, dict):
        raise ConfigError(f"{where} is no table; write {_WORKING}")
    _refuse_others(row, _FIELDS, where)
    day = row.get("day")
    if isinstance(day, str):
        day = _parsed(date.fromisoformat, day, f"{where}: day", "2026-11-19")
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ConfigError(f"{where}: day is {day!r}; write a date such as 2026-11-19")
    venue, closed, note = row.get("venue"), row.get("closed", False), row.get("note", "")
    if not isinstance(venue, str) or venue not in Venue.__members__:
        raise ConfigError(f"{where}: venue is {venue!r}; use one of {', '.join(Venue.__members__)}")
    if not isinstance(closed, bool):
        raise ConfigError(f"{where}: closed is {closed!r}; write true or false")
    if not isinstance(note, str) or len(note) > TEXT_MAX:
        raise ConfigError(f"{where}: note is no text of at most {TEXT_MAX} characters; shorten it")
    despite = row.get("despite_broker", False)
    if not isinstance(despite, bool):
        raise ConfigError(f"{where}: despite_broker is {despite!r}; write true or false")
    return DayOverride(
        venue=Venue[venue],
        day=day,
        closed=closed,
        open=_time(row.get("open"), f"{where}: open"),
        close=_time(row.get("close"), f"{where}: close"),
        note=note,
        despite_broker=despite,
    )


def _time(value: object, where: str) -> time | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = _parsed(time.fromisoformat, value, where, "10:00")
    if not isinstance(value, time) or value.tzinfo is not None or value.second or value.microsecond:
        raise ConfigError(f"{where} is {value!r}; write venue time to the minute, such as 10:00")
    return value


def _parsed(parse: object, text: str, where: str, example: str) -> object:
    assert callable(parse)
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{where} is {text[:TEXT_MAX]!r}; write it like {example}") from error


def _refuse_others(given: Mapping[str, object], known: frozenset[str], where: str) -> None:
    unknown = sorted(str(name) for name in given if name not in known)
    if unknown:
        raise ConfigError(f"{where} has {unknown[0]!r}; use only {', '.join(sorted(known))}")
