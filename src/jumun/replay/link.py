"""The exchange in this process with a durable ledger: what it answered survives a kill, as a real one's does.

Every change is written and synced before its answer and its notices go out. Whoever waits for the disk shares
one sync. `is_idle` tells the driver that nothing is on its way, so that time may move.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Final

from jumun.brokers.paper.link import LinkNotice
from jumun.exchange.ledger_file import LedgerFile, perform
from jumun.exchange.market import Market
from jumun.exchange.protocol import Advance, Answer, Change, Command, Refused
from jumun.exchange.records import MarketEvent
from jumun.exchange.service import CHANGES, answer, public_events
from jumun.model.errors import OmsError
from jumun.ports.broker import SendPermit
from jumun.ports.outside import Clock
from jumun.ports.wire import NothingSent

EVERYBODY: Final[frozenset[str]] = frozenset()


class LedgerLink:
    """brokers.paper.Link on a market and its ledger file."""

    def __init__(self, market: Market, ledger: LedgerFile, clock: Clock) -> None:
        self.market = market
        self.failure: OmsError | None = None
        self._ledger = ledger
        self._clock = clock
        self._calls = 0
        self._undelivered = 0  # events whose call is answered and that the inbox does not hold yet
        self._inbox: deque[LinkNotice] = deque()  # bounded by what one instant can cause
        self._filled = asyncio.Event()
        self._reading = False
        self._open = False

    @property
    def worst_case_ns(self) -> int:
        """Nothing travels: a call is carried out when it is made."""
        return 0

    @property
    def is_idle(self) -> bool:
        """No call is under way, and every notice was taken in."""
        return not (self._calls or self._undelivered or self._inbox or self._reading)

    async def open(self) -> None:
        """Connect; safe to call again."""
        self._open = True

    async def close(self) -> None:
        """Hang up; the notices end."""
        self._open = False
        self._filled.set()

    async def call(self, command: Command, permit: SendPermit) -> Answer:
        """Ask `permit`, carry the call out at once, and answer when it is on disk."""
        if not self._open:
            raise NothingSent("not connected; connect first")
        if not permit():
            raise NothingSent("sending was not permitted in the last step")
        if not isinstance(command, CHANGES):
            return answer(self.market, command, self._clock.now_ns())
        told, events = self._perform(command)
        await self._finish(events)
        return told

    async def control(self, commands: Iterable[Change]) -> list[Refused]:
        """Carry out calls of the driver's own, such as prints, with one sync; return what was refused.

        Prints are synced too: recovery may have to send an order again before anything is printed anew.
        """
        refused: list[Refused] = []
        events: list[MarketEvent] = []
        for command in commands:
            told, caused = self._perform(command)
            events += caused
            if isinstance(told, Refused):
                refused.append(told)
        await self._finish(events)
        return refused

    async def notices(self) -> AsyncIterator[LinkNotice]:
        """Yield what happened, until closed."""
        while self._open:
            while self._inbox:
                self._reading = True
                yield self._inbox.popleft()
            self._reading = False
            self._filled.clear()
            if self._open:
                await self._filled.wait()

    def _perform(self, command: Change) -> tuple[Answer, list[MarketEvent]]:
        # The ledger must say the time the market acted on, and the market's clock never goes back.
        ts_ns = max(self._clock.now_ns(), self.market.now_ns)
        before: tuple[MarketEvent, ...] = ()
        if not isinstance(command, Advance):
            _, before = perform(self.market, self._ledger, Advance(), ts_ns)
        told, events = perform(self.market, self._ledger, command, ts_ns)
        return told, [*before, *events]

    async def _finish(self, events: list[MarketEvent]) -> None:
        """Make durable, then tell. The notices come a turn after the answer, as from a second connection."""
        self._calls += 1
        self._undelivered += 1
        try:
            await self._sync()
        except OmsError as error:
            self.failure = error  # nothing of it may be told: the exchange has stopped
            raise
        finally:
            self._calls -= 1
            asyncio.get_running_loop().call_soon(self._deliver, events)

    async def _sync(self) -> None:
        """Write what is collected, with a turn's patience for others to share it.

        Written in place: a replay has nothing else to do meanwhile, and a thread costs more than the disk.
        """
        await asyncio.sleep(0)
        self._ledger.sync()

    def _deliver(self, events: list[MarketEvent]) -> None:
        self._undelivered -= 1
        if self.failure is not None:
            return
        self._inbox.extend(public_events(events, EVERYBODY))
        self._filled.set()
