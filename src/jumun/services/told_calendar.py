"""Asks the broker for trading days, at the start and once a day, and blocks what is disputed (F-93).

An answer that does not come changes nothing: our own calendar goes on deciding, and a warning says that it
does so alone.
"""

from datetime import datetime, time, timedelta
from typing import Final

import structlog

from jumun.model.errors import BrokerUnavailable
from jumun.model.instruments import Venue
from jumun.ports.outside import DaySource
from jumun.rules.sessions import ZONE, local_date
from jumun.rules.told_days import blocked, disputes
from jumun.services.desk import Desk

ASK_AT: Final = time(7)  # in Seoul: an hour before the first session of a day
RETRY_S: Final = (60, 300, 3_600)  # the last one repeats; brokers ask for one such question a day
LOOK_S: Final = 30.0  # the wall clock may be set, so it is looked at rather than waited for
NS: Final = 1_000_000_000

log = structlog.get_logger()


class ToldCalendar:
    """Keeps `desk.disputed`: the newest answer's disputes stay in force until the next answer."""

    def __init__(self, desk: Desk, source: DaySource) -> None:
        self._desk = desk
        self._source = source
        self._failures = 0
        self._due_ns = 0

    async def run(self) -> None:
        """Compare whenever it is due, for ever."""
        while True:
            await self._desk.clock.sleep(LOOK_S)
            if self._desk.clock.now_ns() >= self._due_ns:
                await self.compare()

    async def compare(self) -> None:
        """Ask once, block the days that are disputed, and say which."""
        now_ns = self._desk.clock.now_ns()
        today = local_date(Venue.KRX, now_ns)
        try:
            told = await self._source.trading_days(today)
        except BrokerUnavailable as error:
            retry_s = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
            self._failures += 1
            self._due_ns = now_ns + retry_s * NS
            log.warning(
                "calendar_not_told",
                error=str(error),
                retry_in_s=retry_s,
                next_step=f"our own calendar decides alone; look whether {today} is a trading day",
            )
            return
        self._failures = 0
        next_ask = datetime.combine(today + timedelta(days=1), ASK_AT, tzinfo=ZONE[Venue.KRX])
        self._due_ns = int(next_ask.timestamp()) * NS
        found = disputes(told, self._desk.policy.sessions)
        self._desk.disputed = blocked(found)
        for one in found:
            log.error("calendar_disputed", venue=one.venue.value, day=one.day.isoformat(), why=one.text)
        if not found:
            log.info("calendar_agrees", days=len(told), first=today.isoformat())
