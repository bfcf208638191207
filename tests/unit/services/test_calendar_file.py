"""The operator's calendar: a day is clear, or the whole file is refused."""

from datetime import date, time
from pathlib import Path

import pytest

from jumun import app
from jumun.config import load
from jumun.model.errors import ConfigError
from jumun.model.instruments import Venue
from jumun.rules.trading_days import NO_OVERRIDES, Hours, Overrides, hours_on
from jumun.services.calendar_file import calendar_of, read_calendar

OVERRULED = """
[[days]]
venue = "KRX"
day = 2026-11-24
open = 09:00:00
close = 15:30:00
despite_broker = true
"""
GOOD = """
[[days]]
venue = "KRX"
day = 2026-11-19
open = 10:00:00
close = "16:30"
note = "수능"

[[days]]
venue = "US"
day = "2026-11-20"
closed = true
"""


@pytest.mark.req("F-93", "F-94")
def test_a_late_open_and_a_closed_day_of_the_file_win_over_the_calendar(tmp_path: Path) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text(GOOD, encoding="utf-8")
    found = read_calendar(path)
    assert hours_on(Venue.KRX, date(2026, 11, 19), found) == Hours(time(10), time(16, 30))
    assert hours_on(Venue.US, date(2026, 11, 20), found) is None
    assert hours_on(Venue.KRX, date(2026, 11, 18), found) == hours_on(Venue.KRX, date(2026, 11, 18))


@pytest.mark.req("F-93")
def test_only_a_day_that_says_so_overrules_a_broker_that_calls_it_closed(tmp_path: Path) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text(f"{GOOD}\n{OVERRULED}", encoding="utf-8")
    late, _, overruled = read_calendar(path).days
    assert (late.despite_broker, overruled.despite_broker) == (False, True)


def test_the_switches_above_the_days_are_taken_over_and_left_alone_otherwise() -> None:
    assert calendar_of({}, "none") == NO_OVERRIDES
    given = calendar_of({"auction_entry_from_0820": True, "day_market_on_korean_holidays": False}, "both")
    assert given == Overrides(auction_entry_from_0820=True, day_market_on_korean_holidays=False)


@pytest.mark.req("F-93")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("days = 5", "[[days]]"),
        ("[[day]]", "'day'"),
        ("days = [1]", "no table"),
        ('[[days]]\nvenue = "LSE"\nday = 2026-11-19\nclosed = true', "KRX, NXT, US"),
        ("[[days]]\nvenue = []\nday = 2026-11-19\nclosed = true", "KRX, NXT, US"),
        ('[[days]]\nvenue = "KRX"\nday = 2026-11-19T00:00:00\nclosed = true', "2026-11-19"),
        ('[[days]]\nvenue = "KRX"\nday = "soon"\nclosed = true', "2026-11-19"),
        ('[[days]]\nvenue = "KRX"\nclosed = true', "day is None"),
        ('[[days]]\nvenue = "KRX"\nday = 2026-11-19\nclosed = "yes"', "true or false"),
        ('[[days]]\nvenue = "KRX"\nday = 2026-11-19', "is unclear"),
        ('[[days]]\nvenue = "KRX"\nday = 2026-11-19\nopen = 10:00:00', "is unclear"),
        ('[[days]]\nvenue = "KRX"\nday = 2026-11-19\nopen = "25:00"\nclose = "16:00"', "10:00"),
        ('[[days]]\nvenue = "KRX"\nday = 2026-11-19\nopen = 1000\nclose = 1600', "10:00"),
        ('[[days]]\nvenue = "KRX"\nday = 2026-11-19\nopen = 10:00:30\nclose = 16:00:00', "to the minute"),
        ('[[days]]\nvenue = "KRX"\nday = 2026-11-19\nclosed = true\nclose_early = true', "close_early"),
        (
            '[[days]]\nvenue = "KRX"\nday = 2026-11-19\nclosed = true\ndespite_broker = "yes"',
            "true or false",
        ),
        (f"{GOOD}\n{GOOD}", "given twice"),
        ('auction_entry_from_0820 = "no"', "true or false"),
        ("day_market_on_korean_holidays = 0", "day_market_on_korean_holidays is 0; write true or false"),
        ("[[days]", "no TOML"),
    ],
)
def test_an_unclear_day_refuses_the_whole_file_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_calendar(path)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_file_that_the_settings_name_is_the_calendar_of_the_desk_and_of_the_market(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("calendar.toml").write_text(GOOD, encoding="utf-8")
    monkeypatch.setenv("OMS_CALENDAR_FILE", "calendar.toml")
    monkeypatch.setenv("OMS_SIM_SESSIONS", "calendar")
    settings = load().settings
    assert len(app.overrides_of(settings).days) == 2
    assert app.world_of(settings).overrides == app.overrides_of(settings)


def test_a_file_that_is_not_there_refuses_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="OMS_CALENDAR_FILE"):
        read_calendar(tmp_path / "gone.toml")
