"""Feeds the bus from the outbox: at least once, in order, resuming where it stopped (C-16)."""

import asyncio
from typing import Final

import structlog

from jumun.model.errors import OmsError
from jumun.ports.journal import Journal
from jumun.ports.outside import Bus, Clock

BATCH_MAX: Final = 500
RETRY_S: Final = 1.0

log = structlog.get_logger()


class Publisher:
    """One sink. Without a bus nothing is read, and the outbox keeps what a later bus may want."""

    def __init__(self, journal: Journal, bus: Bus | None, clock: Clock, sink: str = "bus") -> None:
        self._journal = journal
        self._bus = bus
        self._clock = clock
        self._sink = sink
        self._wake = asyncio.Event()
        self._wake.set()

    def wake(self) -> None:
        """Something may be new."""
        self._wake.set()

    async def run(self) -> None:
        """Publish for ever."""
        if self._bus is not None:
            await self._journal.outbox_done(self._sink, 0)  # make the sink known: nothing it needs is dropped
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._bus is not None:
                await self._drain(self._bus)

    async def _drain(self, bus: Bus) -> None:
        cursor = await self._journal.outbox_cursor(self._sink)
        while True:
            rows = await self._journal.outbox_after(cursor, BATCH_MAX)
            if not rows:
                return
            try:
                await bus.publish([message for _, message in rows])
            except OmsError as error:
                log.warning("publish_failed", error=str(error), retry_in_s=RETRY_S)
                await self._clock.sleep(RETRY_S)
                continue
            cursor = rows[-1][0]
            await self._journal.outbox_done(self._sink, cursor)
