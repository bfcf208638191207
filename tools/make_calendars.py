"""Write src/jumun/rules/calendar_data.py from exchange-calendars plus our corrections.

Run it when a year is added or a correction is learned (`make tools` installs what it needs):

    .venv/bin/python tools/make_calendars.py            write the file
    .venv/bin/python tools/make_calendars.py --check    fail when the file is not what would be written

The library is right about most days and wrong about some, and the product must not import it (it brings
pandas), so its answer is frozen into the repository together with what it misses.
"""

import sys
from datetime import date
from pathlib import Path
from typing import Final

import exchange_calendars
import pandas

FIRST: Final = date(2019, 1, 1)
LAST: Final = date(2027, 12, 31)
TARGET: Final = Path(__file__).resolve().parents[1] / "src" / "jumun" / "rules" / "calendar_data.py"

Hours = tuple[str, str]
CALENDARS: Final[dict[str, tuple[str, Hours]]] = {
    "KRX": ("XKRX", ("09:00", "15:30")),
    "US": ("XNYS", ("09:30", "16:00")),
}

# Closed in truth, open in the library.
CLOSED_TOO: Final[dict[str, dict[date, str]]] = {
    "KRX": {
        date(2026, 6, 3): "local elections; KRX announcement relayed with press references",
        date(2026, 7, 17): "Constitution Day, a public holiday again; KRX announcement, relayed likewise",
    },
    "US": {},
}

# Hours that differ in truth. On the day of the college entrance exam KRX runs one hour later. The library
# knows 2019-11-14 and 2020-12-03; the same hours were announced by KRX before each day below.
HOURS_TOO: Final[dict[str, dict[date, tuple[Hours, str]]]] = {
    "KRX": {
        date(2021, 11, 18): (("10:00", "16:30"), "exam; KRX notice in Donga and Business Post, 2021-11-04"),
        date(2022, 11, 17): (("10:00", "16:30"), "exam; KRX notice in Korea Economic TV, 2022-11-03"),
        date(2023, 11, 16): (("10:00", "16:30"), "exam; press"),
        date(2024, 11, 14): (("10:00", "16:30"), "exam; KRX notice in Kyunghyang and Asia Today, 2024-10-31"),
        date(2025, 11, 13): (("10:00", "16:30"), "exam; KRX notice in Edaily, 2025-11-12"),
        date(2026, 11, 19): (("10:00", "16:30"), "exam; KRX notice relayed by brokers"),
    },
    "US": {},
}

# Days nobody has confirmed yet. The product refuses them until an operator's override settles them or this
# list shrinks: a wrong guess either trades on a holiday or settles on the wrong day.
DOUBTFUL: Final[dict[str, dict[date, str]]] = {
    "KRX": {
        date(2027, 5, 3): "2027-05-01 is a Saturday; whether Labour Day is moved is not announced",
        date(2027, 7, 19): "2027-07-17 is a Saturday; whether Constitution Day is moved is not announced",
        date(2027, 11, 18): "expected exam day; hours not announced",
    },
    "US": {},
}

HEADER: Final = '''\
"""Weekday closures and unusual hours of KRX and the US exchanges. Generated: do not edit.

Written by tools/make_calendars.py from exchange-calendars {version} and the corrections listed there.
Dates are venue dates, times are venue times (Asia/Seoul, America/New_York).
"""

from typing import Final

FIRST: Final = "{first}"
LAST: Final = "{last}"

'''


def main(arguments: list[str]) -> int:
    """Write the file, or with --check compare it; returns the exit code."""
    text = render()
    if "--check" in arguments:
        if TARGET.read_text(encoding="utf-8") == text:
            return 0
        print("calendar_data.py is stale; run tools/make_calendars.py", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET.name}")
    return 0


def render() -> str:
    """Return the module text, the same for the same library version."""
    parts = [HEADER.format(version=exchange_calendars.__version__, first=FIRST, last=LAST)]
    closed: dict[str, list[date]] = {}
    hours: dict[str, dict[date, Hours]] = {}
    for venue in CALENDARS:
        closed[venue], hours[venue] = corrected(venue)
    parts.append("# MMDD of each closed weekday.\nCLOSED: Final[dict[str, dict[int, str]]] = {\n")
    for venue, days in closed.items():
        parts.append(f'    "{venue}": {{\n')
        for year in range(FIRST.year, LAST.year + 1):
            words = [f"{day:%m%d}" for day in days if day.year == year]
            parts.append(year_entry(year, words))
        parts.append("    },\n")
    parts.append("}\n\n")
    normal = {venue: usual for venue, (_, usual) in CALENDARS.items()}
    parts.append("# The regular session, open and close.\nHOURS: Final[dict[str, tuple[str, str]]] = {\n")
    parts.extend(f'    "{venue}": ("{open_}", "{close}"),\n' for venue, (open_, close) in normal.items())
    parts.append("}\n\n# Days with another regular session.\n")
    parts.append("SPECIAL_HOURS: Final[dict[str, dict[str, tuple[str, str]]]] = {\n")
    for venue, special in hours.items():
        parts.append(f'    "{venue}": {{\n')
        parts.extend(f'        "{day}": ("{o}", "{c}"),\n' for day, (o, c) in sorted(special.items()))
        parts.append("    },\n")
    parts.append("}\n\n# Days nobody has confirmed; refused until an override settles them.\n")
    parts.append("DOUBTFUL: Final[dict[str, dict[str, str]]] = {\n")
    for venue, doubts in DOUBTFUL.items():
        if not doubts:
            parts.append(f'    "{venue}": {{}},\n')
            continue
        parts.append(f'    "{venue}": {{\n')
        parts.extend(f'        "{day}": "{why}",\n' for day, why in sorted(doubts.items()))
        parts.append("    },\n")
    parts.append("}\n")
    return "".join(parts)


def corrected(venue: str) -> tuple[list[date], dict[date, Hours]]:
    """Return the closed weekdays and the unusual hours of `venue`, corrections applied."""
    name, usual = CALENDARS[venue]
    calendar = exchange_calendars.get_calendar(name, start=FIRST.isoformat(), end=LAST.isoformat())
    sessions = {}
    for stamp, row in calendar.schedule.iterrows():
        times = (row["open"].tz_convert(calendar.tz), row["close"].tz_convert(calendar.tz))
        sessions[stamp.date()] = (f"{times[0]:%H:%M}", f"{times[1]:%H:%M}")
    for day in CLOSED_TOO[venue]:
        # A correction the library has learned meanwhile is deleted here, so the list stays honest.
        assert sessions.pop(day, None), f"{day} is closed in the library now: remove the correction"
    for day, (times_, _) in HOURS_TOO[venue].items():
        assert sessions[day] != times_, f"{day} is right in the library now: remove the correction"
        sessions[day] = times_
    weekdays = [stamp.date() for stamp in pandas.bdate_range(FIRST, LAST)]
    assert set(sessions) <= set(weekdays), "a session on a weekend: the data format has no room for it"
    closed = [day for day in weekdays if day not in sessions]
    return closed, {day: times for day, times in sessions.items() if times != usual}


def year_entry(year: int, words: list[str]) -> str:
    """Return one dictionary entry, wrapped the way the formatter would wrap it."""
    text = " ".join(words)
    line = f'        {year}: "{text}",\n'
    return line if len(line) <= 111 else f'        {year}: (\n            "{text}"\n        ),\n'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
