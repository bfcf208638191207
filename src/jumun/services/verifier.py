"""Checks, in the background, the records that the start did not: those before the newest snapshot (I-26).

The start verifies from the newest snapshot on, so that it does not grow with the journal's age. What is
older is checked here, a bounded piece at a time. A torn or altered record stops new orders.
"""

from typing import Final

import structlog

from jumun.model.commands import HaltTrading
from jumun.model.errors import TornJournal
from jumun.model.reasons import Reason
from jumun.ports.journal import Journal
from jumun.services.desk import Desk

PIECE: Final = 2_000  # records at a time: some tens of milliseconds
PAUSE_S: Final = 0.25  # between pieces, so that orders go first
ROUND_S: Final = 6 * 3600.0  # after a whole round: a disk can go bad later


class Verifier:
    """Goes round the journal for ever, slowly."""

    def __init__(self, desk: Desk, journal: Journal) -> None:
        self._desk = desk
        self._journal = journal
        self._log = structlog.get_logger()
        self.checked = 0

    async def run(self) -> None:
        """Check everything, rest, and check again."""
        while True:
            await self._round()
            await self._desk.clock.sleep(ROUND_S)

    async def _round(self) -> None:
        newest, low = self._desk.stored_seq, 1
        while low <= newest:
            high = min(low + PIECE - 1, newest)
            try:
                self.checked += await self._journal.verify_range(low, high)
            except TornJournal as error:
                self._log.error("journal_torn", record=error.record, error=str(error))
                await self._desk.execute(HaltTrading(reason=Reason.TORN_JOURNAL, text=str(error)))
                return
            low = high + 1
            await self._desk.clock.sleep(PAUSE_S)
        self._log.info("journal_verified", records=newest)
