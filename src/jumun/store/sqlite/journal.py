"""SqliteJournal: the Journal port on one SQLite file, with a thread that writes and a thread that reads."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from jumun.model.errors import StoreFull, StoreUnavailable
from jumun.model.fills import Fill
from jumun.model.ids import AccountId, IdempotencyKey, OrderId, UserId
from jumun.model.journal import Entry, Message, Record
from jumun.model.orders import BrokerRef, Order
from jumun.ports.journal import Home, Snapshot
from jumun.store.overlay import Overlay, refuse_taken
from jumun.store.sqlite.kept_aside import KeptAside
from jumun.store.sqlite.lock import WriterLock
from jumun.store.sqlite.reader import Reader
from jumun.store.sqlite.verify import Progress, verify_range, verify_store
from jumun.store.sqlite.writer import Writer

P = ParamSpec("P")
R = TypeVar("R")


class SqliteJournal:
    """The embedded journal. One per store and process: `start` takes the writer's place.

    Batches are committed one at a time, in the order of the calls. A caller that is cancelled while its
    batch is being written does not stop the write; the next batch then has to follow it.
    """

    def __init__(
        self, path: Path, *, label: str, now_ns: Callable[[], int] = time.time_ns, reserve_bytes: int = 0
    ) -> None:
        """`label` names this process to a second one that finds the store taken, e.g. its command line.

        `reserve_bytes` are kept aside for an emergency; without them a full disk stops everything.
        """
        self._path = path
        self._label = label
        self._now_ns = now_ns
        self._lock: WriterLock | None = None
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._reserve_bytes = reserve_bytes
        self._aside: KeptAside | None = None
        self._overlay = Overlay()  # in an emergency: what the tables do not have yet
        self._emergency = False
        self._cursors: dict[str, int] = {}  # of sinks, where the store could not take them any more
        self._write_thread: ThreadPoolExecutor | None = None
        self._read_thread: ThreadPoolExecutor | None = None

    async def start(self, home: Home | None = None, accounts: Collection[AccountId] = ()) -> Snapshot | None:
        """See ports.Journal.start. Creates the store where there is none."""
        if self._write_thread is not None:
            raise StoreUnavailable(
                f"{self._path} is already started by this journal; use it, or close it first"
            )
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="journal-writer")
        self._read_thread = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")
        try:
            return await self._in(self._write_thread, self._open, home, accounts)
        except BaseException:  # also a cancelled start: the writer's place must not stay taken
            await self.close()
            raise

    async def append(self, entries: Sequence[Entry]) -> None:
        """See ports.Journal.append. Raises BatchRefused, which leaves the journal usable."""
        thread, writer = self._for_writing()
        assert self._aside is not None, "opened with the writer"
        if not self._emergency:
            self._aside.require_merged_first(entries)
            await self._in(thread, writer.append, entries)
            return
        if not self._aside.pending:
            await refuse_taken(self, entries)
        await self._in(thread, self._aside.append, entries)
        self._overlay.add(entries)

    async def snapshot(self) -> Snapshot | None:
        """See ports.Journal.snapshot."""
        thread, writer = self._for_writing()
        return await self._in(thread, writer.snapshot)

    async def begin_emergency(self) -> None:
        """See ports.Journal.begin_emergency."""
        thread, _ = self._for_writing()
        assert self._aside is not None, "opened with the writer"
        await self._in(thread, self._aside.begin)
        self._emergency = True

    async def reserved(self) -> AsyncIterator[Record]:
        """See ports.Journal.reserved."""
        self._for_writing()
        assert self._aside is not None, "opened with the writer"
        for record in tuple(self._aside.pending):
            yield record

    async def clear_reserve(self) -> None:
        """See ports.Journal.clear_reserve."""
        thread, _ = self._for_writing()
        assert self._aside is not None, "opened with the writer"
        await self._in(thread, self._aside.clear)

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """See ports.Journal.save_snapshot."""
        thread, writer = self._for_writing()
        await self._in(thread, writer.save_snapshot, snapshot)

    async def tail(self, after_seq: int) -> AsyncIterator[Record]:
        """See ports.Journal.tail."""
        thread, reader = self._for_reading()
        steps = reader.records(after_seq)
        while (step := await self._in(thread, next, steps, None)) is not None:
            for record in step:
                yield record
        for record in self._overlay.records_after(after_seq):
            yield record

    async def order(self, order_id: OrderId) -> Order | None:
        """See ports.Journal.order."""
        thread, reader = self._for_reading()
        return self._overlay.orders.get(order_id) or await self._in(thread, reader.order, order_id)

    async def order_by_key(self, key: IdempotencyKey) -> Order | None:
        """See ports.Journal.order_by_key."""
        thread, reader = self._for_reading()
        return self._overlay.find_by_key(key) or await self._in(thread, reader.order_by_key, key)

    async def orders_by_keys(self, keys: Sequence[IdempotencyKey]) -> dict[IdempotencyKey, Order]:
        """See ports.Journal.orders_by_keys."""
        thread, reader = self._for_reading()
        found = await self._in(thread, reader.orders_by_keys, tuple(keys))
        return found | {key: order for key in keys if (order := self._overlay.find_by_key(key)) is not None}

    async def order_by_client_id(self, user_id: UserId, client_order_id: str) -> Order | None:
        """See ports.Journal.order_by_client_id."""
        thread, reader = self._for_reading()
        found = self._overlay.find_by_client_id(user_id, client_order_id)
        return found or await self._in(thread, reader.order_by_client_id, user_id, client_order_id)

    async def order_by_ref(self, account_id: AccountId, ref: BrokerRef) -> Order | None:
        """See ports.Journal.order_by_ref."""
        thread, reader = self._for_reading()
        found = self._overlay.find_by_ref(account_id, ref)
        return found or self._overlay.newest_of(await self._in(thread, reader.order_by_ref, account_id, ref))

    async def orders_by_refs(
        self, account_id: AccountId, refs: Sequence[BrokerRef]
    ) -> dict[BrokerRef, Order]:
        """See ports.Journal.orders_by_refs."""
        thread, reader = self._for_reading()
        found = await self._in(thread, reader.orders_by_refs, account_id, tuple(refs))
        stands = {ref: self._overlay.newest_of(order) or order for ref, order in found.items()}
        since = {ref: self._overlay.find_by_ref(account_id, ref) for ref in refs}
        return stands | {ref: order for ref, order in since.items() if order is not None}

    async def orders_of_user(self, user_id: UserId, limit: int, before: str | None = None) -> list[Order]:
        """See ports.Journal.orders_of_user. Raises UnknownOrder when `before` is no order."""
        thread, reader = self._for_reading()
        found = await self._in(thread, reader.orders_of_user, user_id, limit, before)
        return [self._overlay.orders.get(order.order_id, order) for order in found]

    async def fills_of(self, order_id: OrderId) -> list[Fill]:
        """See ports.Journal.fills_of."""
        thread, reader = self._for_reading()
        found = await self._in(thread, reader.fills_of, order_id)
        return [*found, *self._overlay.fills.get(order_id, ())]

    async def story_of(self, order_id: OrderId) -> list[Record]:
        """See ports.Journal.story_of."""
        thread, reader = self._for_reading()
        found = await self._in(thread, reader.story_of, order_id)
        return [*found, *self._overlay.story_of(order_id)]

    async def outbox_after(self, seq: int, limit: int) -> list[tuple[int, Message]]:
        """Return at most `limit` messages numbered above `seq`, in order."""
        thread, reader = self._for_reading()
        found = await self._in(thread, reader.outbox_after, seq, limit)
        return found or self._overlay.messages_after(seq, limit)

    async def outbox_cursor(self, sink: str) -> int:
        """Return the number up to which `sink` has published; 0 for a new one."""
        thread, reader = self._for_reading()
        stored = await self._in(thread, reader.outbox_cursor, sink)
        return max(stored, self._cursors.get(sink, 0))

    async def outbox_done(self, sink: str, seq: int) -> None:
        """Note that `sink` has everything up to `seq`. What all known sinks have is deleted, part by part.

        A sink makes itself known with `seq` 0 before the first is served, or it may miss what is deleted.
        """
        thread, writer = self._for_writing()
        try:
            await self._in(thread, writer.outbox_done, sink, seq)
        except StoreFull:
            # The next append says so. The cursor stays in memory: after a restart the sink hears some twice.
            self._cursors[sink] = max(seq, self._cursors.get(sink, 0))

    async def verify(self, progress: Progress | None = None) -> int:
        """See ports.Journal.verify. Runs beside the writer on a connection of its own."""
        self._for_reading()
        return await asyncio.to_thread(verify_store, self._path, progress)

    async def verify_range(self, low: int, high: int) -> int:
        """Check records `low` to `high` beside the writer; return how many. For checks in the background."""
        self._for_reading()
        return await asyncio.to_thread(verify_range, self._path, low, high)

    async def limit_pages(self, pages: int) -> None:
        """Bound the size of the store, in pages of 4 KiB; a full store fails like a full disk (F-81)."""
        thread, writer = self._for_writing()
        await self._in(thread, writer.limit_pages, pages)

    async def close(self) -> None:
        """See ports.Journal.close. A batch that is being written is finished first; safe to call twice."""
        writing, reading = self._write_thread, self._read_thread
        self._write_thread = self._read_thread = None
        if writing is None or reading is None:
            return
        await asyncio.to_thread(reading.shutdown)
        await asyncio.to_thread(writing.shutdown)
        reader, writer, lock, aside = self._reader, self._writer, self._lock, self._aside
        self._reader = self._writer = self._lock = self._aside = None
        if reader is not None:
            reader.close()
        if writer is not None:
            writer.close()
        if aside is not None:
            aside.close()
        if lock is not None:
            lock.release()

    def _open(self, home: Home | None, accounts: Collection[AccountId]) -> Snapshot | None:
        self._lock = WriterLock.take(self._path, self._label, self._now_ns())
        self._writer = Writer(self._path, self._now_ns)
        snapshot = self._writer.start(home, accounts)
        self._aside = KeptAside(self._path, self._reserve_bytes, self._writer)
        self._reader = Reader(self._path)
        return snapshot

    def _for_writing(self) -> tuple[ThreadPoolExecutor, Writer]:
        if self._write_thread is None or self._writer is None:
            raise self._not_open()
        return self._write_thread, self._writer

    def _for_reading(self) -> tuple[ThreadPoolExecutor, Reader]:
        if self._read_thread is None or self._reader is None:
            raise self._not_open()
        return self._read_thread, self._reader

    def _not_open(self) -> StoreUnavailable:
        return StoreUnavailable(f"the journal at {self._path} is not open; start it first")

    @staticmethod
    async def _in(thread: ThreadPoolExecutor, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        assert not kwargs, "executors take positional arguments only"
        return await asyncio.get_running_loop().run_in_executor(thread, work, *args)
