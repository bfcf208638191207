"""When the broker is asked for trading days, and what an answer, or none, does to the desk."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jumun.model.errors import BrokerUnavailable
from jumun.model.instruments import Venue
from jumun.model.reports import ToldDay
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.services.told_calendar import ToldCalendar

SEOUL = ZoneInfo("Asia/Seoul")
FRIDAY = date(2026, 11, 20)


class Clock:
    """Time goes on by what is slept; `until` ends the endless task."""

    def __init__(self, at: datetime) -> None:
        self.ns = int(at.timestamp()) * 1_000_000_000
        self.until_ns = self.ns

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        if self.ns >= self.until_ns:
            raise Over
        self.ns += round(seconds * 1_000_000_000)


class Over(Exception):
    """The test has seen enough."""


class Days:
    """Tells `closed` days as closed, all else by the week; fails while `down`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.closed: set[date] = set()
        self.down = False
        self.asked: list[datetime] = []

    async def trading_days(self, first: date) -> Sequence[ToldDay]:
        now = datetime.fromtimestamp(self.clock.ns // 1_000_000_000, SEOUL)
        assert first == now.date()
        self.asked.append(now)
        if self.down:
            raise BrokerUnavailable("no answer")
        days = [first + timedelta(days=count) for count in range(5)]
        return [
            ToldDay(venue=Venue.KRX, day=day, is_open=day.weekday() < 5 and day not in self.closed)
            for day in days
        ]


def stage(at: str) -> tuple[Clock, Days, Any, ToldCalendar]:
    clock = Clock(datetime.fromisoformat(at).replace(tzinfo=SEOUL))
    days = Days(clock)
    desk: Any = SimpleNamespace(clock=clock, policy=SimpleNamespace(sessions=NO_OVERRIDES), disputed={})
    return clock, days, desk, ToldCalendar(desk, days)


async def for_hours(clock: Clock, calendar: ToldCalendar, hours: float) -> None:
    clock.until_ns = clock.ns + round(hours * 3_600) * 1_000_000_000
    with pytest.raises(Over):
        await calendar.run()


@pytest.mark.req("F-93")
async def test_it_is_asked_at_the_start_and_then_once_each_morning_before_the_first_session() -> None:
    clock, days, desk, calendar = stage("2026-11-20T06:50:00")
    await calendar.compare()
    await for_hours(clock, calendar, 73)
    assert [(at.day, at.hour) for at in days.asked] == [(20, 6), (21, 7), (22, 7), (23, 7)]
    assert desk.disputed == {}


@pytest.mark.req("F-93", "I-53")
async def test_a_day_that_is_told_closed_is_blocked_until_another_answer_says_otherwise() -> None:
    clock, days, desk, calendar = stage("2026-11-19T08:00:00")
    days.closed = {FRIDAY}
    await calendar.compare()
    assert set(desk.disputed) == {(Venue.KRX, FRIDAY), (Venue.NXT, FRIDAY)}
    days.down = True
    await for_hours(clock, calendar, 30)
    assert (Venue.KRX, FRIDAY) in desk.disputed, "no answer takes nothing back"
    days.down, days.closed = False, set()
    await for_hours(clock, calendar, 2)
    assert desk.disputed == {}


@pytest.mark.req("F-93", "I-39")
async def test_without_an_answer_our_calendar_decides_alone_and_it_is_asked_less_and_less_often() -> None:
    clock, days, desk, calendar = stage("2026-11-20T08:00:00")
    days.down = True
    await calendar.compare()
    await for_hours(clock, calendar, 4)
    waits = [(b - a).total_seconds() for a, b in zip(days.asked, days.asked[1:], strict=False)]
    assert waits == [60, 300, 3_600, 3_600, 3_600]
    assert desk.disputed == {}
