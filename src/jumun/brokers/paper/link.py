"""How calls reach the exchange and notices come back. `LocalLink` does it in memory, in this process.

Only asyncio primitives that also run on a virtual-time loop are used here: no threads, no sockets.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

import msgspec

from jumun.brokers.paper.wire import Answer, Command
from jumun.exchange.market import Market
from jumun.exchange.records import MarketEvent
from jumun.exchange.service import answer, is_change, public_events
from jumun.ports.broker import SendPermit
from jumun.ports.outside import Clock
from jumun.ports.wire import NothingSent

INBOX_MAX: Final = 100_000  # notices nobody read yet; a burst of every order of a day fits
INBOX_BYTES_MAX: Final = 64 * 1024 * 1024  # the same burst as lines on a socket, twice over
NOTICE_BYTES: Final = 512  # of a notice that never was a line: what an execution takes
NOT_CONNECTED: Final = "not connected; connect first"


class Gap(msgspec.Struct, frozen=True):
    """Notices may be missing from before this point (F-19)."""

    text: str


class Garbled(msgspec.Struct, frozen=True):
    """A notice that cannot be read (F-28)."""

    raw: str
    text: str


LinkNotice = MarketEvent | Gap | Garbled


class Link(Protocol):
    """One connection to the exchange."""

    @property
    def worst_case_ns(self) -> int:
        """The longest a written request may travel, and an order the exchange has stay invisible."""
        ...

    async def open(self) -> None:
        """Connect; raises NothingSent when the exchange cannot be reached. Safe to call again."""
        ...

    async def close(self) -> None:
        """Hang up; calls in flight raise AnswerLost and the notices end."""
        ...

    async def call(self, command: Command, permit: SendPermit) -> Answer:
        """Ask `permit`, write at once, and wait for the answer.

        Raises NothingSent, AnswerLost, or UnreadableReply.
        """
        ...

    def notices(self) -> AsyncIterator[LinkNotice]:
        """Yield what happened, until closed."""
        ...


def always() -> bool:
    """Permit a call that needs no permission: questions and cancels."""
    return True


class Inbox:
    """Notices on their way to one reader. When the reader falls too far behind they become one gap (F-32)."""

    def __init__(self, size_max: int = INBOX_MAX, bytes_max: int = INBOX_BYTES_MAX) -> None:
        self._items: deque[tuple[LinkNotice, int]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._size_max = size_max
        self._bytes_max = bytes_max
        self._closed = False
        self._failure: BaseException | None = None

    def put(self, notice: LinkNotice, size_bytes: int = NOTICE_BYTES) -> None:
        """Add a notice; never blocks."""
        if self._closed:
            return
        if len(self._items) >= self._size_max or self._bytes + size_bytes > self._bytes_max:
            dropped = len(self._items)
            self._items.clear()
            self._items.append((Gap(f"{dropped} notices were not read in time and were dropped"), 0))
            self._bytes = 0
        self._items.append((notice, size_bytes))
        self._bytes += size_bytes
        self._filled.set()

    def close(self, failure: BaseException | None = None) -> None:
        """End the reader after what is there; with `failure`, by raising it (I-65)."""
        self._closed = True
        self._failure = self._failure or failure
        self._filled.set()

    async def read(self) -> AsyncIterator[LinkNotice]:
        """Yield until closed."""
        while True:
            while self._items:
                notice, size_bytes = self._items.popleft()
                self._bytes -= size_bytes
                yield notice
            if self._closed:
                if self._failure is not None:
                    raise self._failure
                return
            self._filled.clear()
            await self._filled.wait()


class LocalLink:
    """The exchange in this process. `cut` and `mend` play a broken line."""

    def __init__(self, market: Market, clock: Clock, *, accounts: frozenset[str] = frozenset()) -> None:
        self.market = market
        self._clock = clock
        self._accounts = accounts  # whose notices are wanted; empty means all
        self._inbox = Inbox()
        self._stop: Callable[[], None] | None = None
        self._is_cut = False
        self._was_cut = False

    @property
    def worst_case_ns(self) -> int:
        """Nothing travels: a call is carried out when it is made."""
        return 0

    async def open(self) -> None:
        """Connect. After an interruption the stream starts with a Gap."""
        if self._is_cut:
            raise NothingSent("the line to the exchange is cut; try again when it is back")
        if self._stop is not None:
            return
        self._inbox = Inbox()
        self._stop = self.market.listen(self._hear)
        if self._was_cut:
            self._was_cut = False
            self._inbox.put(Gap("connected again"))

    async def close(self) -> None:
        """Hang up."""
        self._was_cut = self._was_cut or self._stop is not None
        self._unhook()
        self._inbox.close()

    async def call(self, command: Command, permit: SendPermit) -> Answer:
        """Carry the call out at once: from the permit to the answer nothing else runs."""
        if self._stop is None or self._is_cut:
            raise NothingSent("the line to the exchange is cut" if self._is_cut else NOT_CONNECTED)
        if not permit():
            raise NothingSent("sending was not permitted in the last step")
        now_ns = self._clock.now_ns()
        if not is_change(command):
            self.market.advance(now_ns)
        return answer(self.market, command, now_ns)

    def notices(self) -> AsyncIterator[LinkNotice]:
        """Yield what happened, until closed."""
        return self._inbox.read()

    def cut(self) -> None:
        """Break the line: calls raise NothingSent, and notices from now on never arrive."""
        self._is_cut = True

    def mend(self) -> None:
        """Bring the line back: the stream goes on behind a Gap."""
        if self._is_cut:
            self._is_cut = False
            self._inbox.put(Gap("the line was interrupted"))

    def _hear(self, events: tuple[MarketEvent, ...]) -> None:
        if not self._is_cut:
            for event in public_events(events, self._accounts):
                self._inbox.put(event)

    def _unhook(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None
