"""What happened, for those who subscribe: durable, in order, without a gap, resumable by number (C-16).

The newest messages are kept in memory while somebody listens. Who is slow or comes back reads the store
until the memory holds what follows, so nobody makes the desk wait and nobody loses a message. The store
keeps the newest RECORDS_KEPT records' messages; what is asked from before that is refused, never skipped.

A message's number is that of the outbox: it grows from message to message, with gaps between records.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import structlog

from jumun.model.errors import OmsError, OrderDenied, StoreUnavailable
from jumun.model.journal import Entry, Message
from jumun.model.reasons import Reason
from jumun.ports.journal import Journal

SINK: Final = "subscribers"  # its cursor is the end of what may be forgotten
STRIDE: Final = 1_024  # numbers of one record, as the stores count them; a test compares
RECORDS_KEPT: Final = 200_000  # some 40,000 orders, about 100 MB of the store
KEEP_STEP: Final = 10_000  # records between two moves of the cursor: each move is a commit of its own
MEMORY_MAX: Final = 20_000  # messages in memory: seconds of the busiest stream
READ_MAX: Final = 500  # messages in one step, from memory or from the store

log = structlog.get_logger()


class EventsGone(OmsError):
    """What follows the number asked for is not kept, or was never there; `oldest` can be asked for."""

    default_reason = Reason.EVENTS_GONE

    def __init__(self, message: str, *, oldest: int) -> None:
        super().__init__(message)
        self.oldest = oldest


class Told(NamedTuple):
    """Messages with their numbers, and how far the subscriber is after them. No messages: a sign of life."""

    messages: Sequence[tuple[int, Message]]
    seq: int


class EventFeed:
    """One for a service. `hear` is called after each commit; `follow` is one subscriber."""

    def __init__(
        self,
        journal: Journal,
        *,
        stored_seq: Callable[[], int],
        subscribers_max: int,
        records_kept: int = RECORDS_KEPT,
        memory_max: int = MEMORY_MAX,
        keep_step: int = KEEP_STEP,
    ) -> None:
        self._journal = journal
        self._stored_seq = stored_seq  # the newest record that the store itself holds
        self._subscribers_max = subscribers_max
        self._records_kept = records_kept
        self._memory_max = memory_max
        self._keep_step = keep_step
        self.subscribers = 0
        self.newest = 0  # no message that is durable has a greater number
        self.oldest: int | None = None  # asking after this number or a greater one leaves nothing out
        self._numbers: list[int] = []
        self._messages: list[Message] = []
        self._floor = 0  # memory holds every message after this number
        self._news = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._closed: str | None = None

    def hear(self, entries: Sequence[Entry]) -> None:
        """Take in what has just become durable. Bounded, and never waits."""
        if not entries:
            return
        self.newest = entries[-1].record.seq * STRIDE + STRIDE - 1
        if self.subscribers:
            for entry in entries:
                first = entry.record.seq * STRIDE
                for place, message in enumerate(entry.messages):
                    self._numbers.append(first + place)
                    self._messages.append(message)
            self._bound_memory()
            self._tell()
        else:
            self._floor = self.newest
        if self._keeping is None and self._is_keeping_due():
            self._keeping = asyncio.get_running_loop().create_task(self._keep(), name="events-kept")
            self._keeping.add_done_callback(self._kept)

    def close(self, why: str) -> None:
        """End every subscription, in words; each can go on later from where it is."""
        self._closed = why
        self._tell()

    async def follow(
        self,
        *,
        account_id: str,
        types: frozenset[str],
        after: int | None,
        from_oldest: bool,
        heartbeat_s: float,
    ) -> AsyncGenerator[Told, None]:
        """Yield what happens to an account, from the store until caught up, then live.

        `after` None begins now, unless `from_oldest`. Empty `types` means all. Without messages it is a sign
        of life: at the beginning, when first caught up, and after `heartbeat_s` of silence. Raises
        EventsGone, and OrderDenied when there are too many subscribers or the service stops.
        """
        if self.subscribers >= self._subscribers_max:
            raise OrderDenied(
                f"{self.subscribers} subscribers are connected already; close one, or raise SUBSCRIBERS_MAX",
                reason=Reason.OVERLOADED,
            )
        self.subscribers += 1
        try:
            seq, time_s = self._start(after, from_oldest), asyncio.get_running_loop().time
            yield Told((), seq)  # the number to come back with, before anything has happened
            told_s, is_live = time_s(), seq >= self.newest
            while True:
                if self._closed is not None:
                    raise OrderDenied(self._closed, reason=Reason.NOT_READY)
                read, reached = await self._after(seq)
                assert reached > seq or reached >= self.newest, "a step that leads nowhere never ends"
                seq = reached
                wanted = [
                    (number, message)
                    for number, message in read
                    if message.account_id in (account_id, "") and (not types or message.event_type in types)
                ]
                quiet_s, has_all = time_s() - told_s, seq >= self.newest
                if wanted or quiet_s >= heartbeat_s or (has_all and not is_live):
                    yield Told(wanted, seq)
                    told_s, is_live = time_s(), is_live or (has_all and not wanted)
                elif seq >= self.newest:
                    await self._news_within(heartbeat_s - quiet_s)
        finally:
            self.subscribers -= 1
            if not self.subscribers:
                self._numbers.clear()
                self._messages.clear()
                self._floor = self.newest

    # ---- reading --------------------------------------------------------------------------------

    def _start(self, after: int | None, from_oldest: bool) -> int:
        if self.oldest is None:
            raise StoreUnavailable("the events cannot be read yet; try again shortly")
        if from_oldest:
            return self.oldest
        if after is None:
            return self.newest
        if after < self.oldest:
            raise self._gone(f"the events after {after} are not kept any more")
        if after > self.newest:
            raise self._gone(f"{after} is ahead of the newest event, {self.newest}: it is of another store")
        return after

    async def _after(self, seq: int) -> tuple[Sequence[tuple[int, Message]], int]:
        """Return the next messages after `seq`, some of them, and how far that is."""
        if seq >= self._floor:
            return self._from_memory(seq)
        floor, stored = self._floor, self._stored_seq()
        rows = await self._journal.outbox_after(seq, READ_MAX)
        assert self.oldest is not None, "a subscription begins when it is known"
        if seq < self.oldest:  # looked at after reading: what was deleted meanwhile was not read
            raise self._gone(f"this subscriber is at {seq}, and what follows is not kept any more")
        if rows:
            return rows, rows[-1][0]
        if floor // STRIDE > stored:  # what follows is durable, but beside the store (F-81)
            raise StoreUnavailable(
                f"the events after {seq} cannot be read from the store now; subscribe again later after {seq}"
            )
        return (), floor

    def _from_memory(self, seq: int) -> tuple[Sequence[tuple[int, Message]], int]:
        start = bisect_right(self._numbers, seq)
        end = min(start + READ_MAX, len(self._numbers))
        found = list(zip(self._numbers[start:end], self._messages[start:end], strict=True))
        return found, self._numbers[end - 1] if end < len(self._numbers) else max(seq, self.newest)

    async def _news_within(self, seconds: float) -> None:
        news = self._news
        with suppress(TimeoutError):  # then it is time for a sign of life
            async with asyncio.timeout(seconds):
                await news.wait()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _bound_memory(self) -> None:
        """Forget the older half at once: one move for many messages."""
        if len(self._numbers) <= 2 * self._memory_max:
            return
        drop = len(self._numbers) - self._memory_max
        self._floor = self._numbers[drop - 1]
        del self._numbers[:drop]
        del self._messages[:drop]

    def _gone(self, what: str) -> EventsGone:
        assert self.oldest is not None, "nothing is refused before it is known"
        return EventsGone(
            f"{what}; take the books anew, then subscribe without after_seq or with {self.oldest} or more",
            oldest=self.oldest,
        )

    # ---- keeping --------------------------------------------------------------------------------

    def _is_keeping_due(self) -> bool:
        if self.oldest is None:
            return True
        return self.newest // STRIDE - self._records_kept >= self.oldest // STRIDE + self._keep_step

    async def _keep(self) -> None:
        """Claim what the store keeps for us, and let go what is older than we promise."""
        try:
            if self.oldest is None:
                self.oldest = await self._claimed()
            elif self._is_keeping_due():
                # First the promise, then the deletion: a reader looks at the promise after it has read.
                self.oldest = (self.newest // STRIDE - self._records_kept) * STRIDE
                await self._journal.outbox_done(SINK, self.oldest)
        except OmsError as error:
            log.warning("events_not_kept", error=str(error), next_step="look at the store; it is tried again")

    async def _claimed(self) -> int:
        """Return from which number on nothing is missing, now and from now on.

        Before the claim others may have deleted; so a new claim begins at the oldest message that is there.
        """
        cursor = await self._journal.outbox_cursor(SINK)
        if cursor >= STRIDE:
            return cursor
        await self._journal.outbox_done(SINK, 1)  # from here on nothing is deleted before our cursor
        newest = self.newest
        first = await self._journal.outbox_after(0, 1)
        oldest = first[0][0] - 1 if first else newest
        await self._journal.outbox_done(SINK, oldest)
        return oldest

    def _kept(self, task: asyncio.Task[None]) -> None:
        self._keeping = None
        if not task.cancelled():
            task.result()  # a defect is told to the loop's handler, loudly
