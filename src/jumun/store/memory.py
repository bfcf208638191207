"""The journal in memory: the same promises as a real one, on a disk that can lose what was not synced.

For simulation and tests. Everything passes through the real encoding, so nothing survives here that
would not survive a file. Single-threaded: use from one event loop only.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final

from jumun.model.errors import StoreFull, StoreLocked, StoreUnavailable, UnknownOrder
from jumun.model.fills import Fill
from jumun.model.ids import AccountId, IdempotencyKey, OrderId, UserId
from jumun.model.journal import GENESIS, Entry, Message, Record
from jumun.model.orders import BrokerRef, Order
from jumun.ports.journal import Home, Snapshot
from jumun.store.chain import (
    SNAPSHOTS_KEPT,
    ChainCheck,
    check_numbers,
    decoded,
    refuse_snapshot_ahead,
    seal,
    torn,
    unwritable,
)
from jumun.store.errors import BatchRefused
from jumun.store.home import Traces, require_home
from jumun.store.memory_disk import (
    Batch,
    MemoryDisk,
    StoredSnapshot,
    Taken,
    fill_decoder,
    message_decoder,
    order_decoder,
    ref_key,
)
from jumun.store.overlay import Overlay, refuse_taken

__all__ = ["MemoryDisk", "MemoryJournal"]

WHERE: Final = "the memory journal"

SyncDelay = Callable[[], Awaitable[None]]


class MemoryJournal:
    """The Journal port on a MemoryDisk. A restart is a new MemoryJournal on the same disk."""

    def __init__(
        self, disk: MemoryDisk | None = None, *, label: str = "a test", sync_delay: SyncDelay | None = None
    ) -> None:
        """`sync_delay` is awaited between writing and syncing a batch; simulation crashes in there."""
        self.disk = disk if disk is not None else MemoryDisk()
        self.label = label
        self._sync_delay = sync_delay
        self._one_commit = asyncio.Lock()
        self._open = False
        self._failed: str | None = None
        self._is_full = False  # it failed, but nothing was written and what is there can be read
        self._hash = GENESIS
        self._pending: list[Record] = []  # in the reserve, and not in the records yet
        self._overlay = Overlay()
        self._emergency = False
        self._cursors: dict[str, int] = {}

    async def start(self, home: Home | None = None, accounts: Collection[AccountId] = ()) -> Snapshot | None:
        """See ports.Journal.start."""
        holder = self.disk.writer
        if holder is not None:
            raise StoreLocked(f"{WHERE} is being written by {holder.label}; stop that first")
        if home is not None:
            require_home(WHERE, self.disk.home, home, accounts, self._traces)
        found = self._newest_snapshot()
        check = ChainCheck(WHERE, *((found.seq, found.chain_hash) if found else (0, GENESIS)))
        self._step_over(check, len(self.disk.records))
        self._hash = check.hash
        self._read_reserve(check)
        self.disk.home = self.disk.home or home
        self.disk.writer = self
        self._open = True
        return Snapshot(seq=found.seq, body=found.body) if found else None

    async def append(self, entries: Sequence[Entry]) -> None:
        """See ports.Journal.append. Raises BatchRefused, which leaves the journal usable."""
        async with self._one_commit:
            if self._emergency:
                await self._append_to_reserve(entries)
                return
            self._refuse_unless_writable()
            if self._pending and [entry.record for entry in entries] != self._pending:
                raise BatchRefused(f"the reserve of {WHERE} holds records that come first; append those")
            check_numbers(entries, len(self.disk.records))
            try:
                batch = Batch(entries, self._hash)
            except UnicodeEncodeError as error:
                raise unwritable(error) from error
            self._check_rows(entries)
            self._fail_if_told()
            self.disk.unsynced = batch
            if self._sync_delay is not None:
                await self._delayed(batch)
            self.disk.unsynced = None
            self.disk.apply(batch)
            self._hash = batch.records[-1].hash if batch.records else self._hash

    async def snapshot(self) -> Snapshot | None:
        """See ports.Journal.snapshot."""
        self._refuse_unless_open()
        found = self._newest_snapshot()
        return Snapshot(seq=found.seq, body=found.body) if found else None

    async def begin_emergency(self) -> None:
        """See ports.Journal.begin_emergency."""
        self._refuse_unless_open()
        if self._failed is not None and not self._is_full:
            self._refuse_unless_writable()
        if not self.disk.reserve_max:
            raise StoreUnavailable(f"no space is kept aside beside {WHERE}; cancel at the broker")
        self._emergency = True

    async def reserved(self) -> AsyncIterator[Record]:
        """See ports.Journal.reserved."""
        self._refuse_unless_open()
        for record in tuple(self._pending):
            yield record

    async def clear_reserve(self) -> None:
        """See ports.Journal.clear_reserve."""
        self._refuse_unless_open()
        newest = self.disk.records[-1].hash if self.disk.records else GENESIS
        if self.disk.reserve and self.disk.reserve[-1].hash != newest:
            raise StoreUnavailable(f"the reserve of {WHERE} holds records that it lacks; append them first")
        self.disk.reserve.clear()
        self._pending = []

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """See ports.Journal.save_snapshot."""
        self._refuse_unless_writable()
        refuse_snapshot_ahead(snapshot, len(self.disk.records))
        hash_ = self.disk.records[snapshot.seq - 1].hash
        kept = [old for old in self.disk.snapshots if old.seq != snapshot.seq]
        kept.append(
            StoredSnapshot(
                seq=snapshot.seq,
                body=snapshot.body,
                sha256=seal(snapshot.seq, hash_, snapshot.body),
                chain_hash=hash_,
            )
        )
        kept.sort(key=lambda stored: stored.seq)
        self.disk.snapshots = kept[-SNAPSHOTS_KEPT:]

    async def tail(self, after_seq: int) -> AsyncIterator[Record]:
        """See ports.Journal.tail."""
        self._refuse_unless_open()
        if after_seq > len(self.disk.records):
            raise torn(WHERE, after_seq, "is missing")
        check = ChainCheck(WHERE, after_seq, self._hash_at(after_seq))
        while check.seq < len(self.disk.records):
            stored = self.disk.records[check.seq]
            yield check.read(check.seq + 1, stored.body, stored.hash)
        for record in self._overlay.records_after(after_seq):
            yield record

    async def order(self, order_id: OrderId) -> Order | None:
        """See ports.Journal.order."""
        self._refuse_unless_open()
        return self._overlay.orders.get(order_id) or self._order(order_id)

    async def order_by_key(self, key: IdempotencyKey) -> Order | None:
        """See ports.Journal.order_by_key."""
        self._refuse_unless_open()
        return self._overlay.find_by_key(key) or self._order(self.disk.by_key.get(key))

    async def orders_by_keys(self, keys: Sequence[IdempotencyKey]) -> dict[IdempotencyKey, Order]:
        """See ports.Journal.orders_by_keys."""
        self._refuse_unless_open()
        found = {key: await self.order_by_key(key) for key in keys}
        return {key: order for key, order in found.items() if order is not None}

    async def order_by_client_id(self, user_id: UserId, client_order_id: str) -> Order | None:
        """See ports.Journal.order_by_client_id."""
        self._refuse_unless_open()
        found = self._overlay.find_by_client_id(user_id, client_order_id)
        return found or self._order(self.disk.by_client_id.get((user_id, client_order_id)))

    async def order_by_ref(self, account_id: AccountId, ref: BrokerRef) -> Order | None:
        """See ports.Journal.order_by_ref."""
        self._refuse_unless_open()
        found = self._overlay.find_by_ref(account_id, ref)
        return found or self._overlay.newest_of(self._order(self.disk.by_ref.get(ref_key(account_id, ref))))

    async def orders_by_refs(
        self, account_id: AccountId, refs: Sequence[BrokerRef]
    ) -> dict[BrokerRef, Order]:
        """See ports.Journal.orders_by_refs."""
        self._refuse_unless_open()
        found = {ref: await self.order_by_ref(account_id, ref) for ref in refs}
        return {ref: order for ref, order in found.items() if order is not None}

    async def orders_of_user(self, user_id: UserId, limit: int, before: str | None = None) -> list[Order]:
        """See ports.Journal.orders_of_user. Raises UnknownOrder when `before` is no order."""
        self._refuse_unless_open()
        edge = len(self.disk.records) + 1
        if before is not None:
            if before not in self.disk.created:
                raise UnknownOrder(f"no order has id {before!r}; page from an order of the list before")
            edge = self.disk.created[before]
        ids = self.disk.by_user.get(user_id, [])
        end = bisect_left(ids, edge, key=self.disk.created.__getitem__)
        page = reversed(ids[max(end - max(limit, 0), 0) : end])
        found = [order_decoder.decode(self.disk.orders[order_id]) for order_id in page]
        return [self._overlay.orders.get(order.order_id, order) for order in found]

    async def fills_of(self, order_id: OrderId) -> list[Fill]:
        """See ports.Journal.fills_of."""
        self._refuse_unless_open()
        found = [fill_decoder.decode(body) for body in self.disk.fills.get(order_id, [])]
        return [*found, *self._overlay.fills.get(order_id, ())]

    async def story_of(self, order_id: OrderId) -> list[Record]:
        """See ports.Journal.story_of."""
        self._refuse_unless_open()
        numbers = self.disk.stories.get(order_id, [])
        found = [decoded(WHERE, seq, self.disk.records[seq - 1].body) for seq in numbers]
        return [*found, *self._overlay.story_of(order_id)]

    async def outbox_after(self, seq: int, limit: int) -> list[tuple[int, Message]]:
        """Return at most `limit` messages numbered above `seq`, in order."""
        self._refuse_unless_open()
        numbers = self.disk.outbox_numbers
        first = bisect_right(numbers, seq)
        page = numbers[first : first + max(limit, 0)]
        found = [(number, message_decoder.decode(self.disk.outbox[number])) for number in page]
        return found or self._overlay.messages_after(seq, limit)

    async def outbox_cursor(self, sink: str) -> int:
        """Return the number up to which `sink` has published; 0 for a new one."""
        self._refuse_unless_open()
        return max(self.disk.cursors.get(sink, 0), self._cursors.get(sink, 0))

    async def outbox_done(self, sink: str, seq: int) -> None:
        """Note that `sink` has everything up to `seq`; what all known sinks have is deleted."""
        if self._is_full or self._emergency:
            self._cursors[sink] = max(seq, self._cursors.get(sink, 0))
            return
        self._refuse_unless_writable()
        self.disk.cursors[sink] = max(seq, self.disk.cursors.get(sink, 0))
        self.disk.prune_outbox()

    async def verify(self) -> int:
        """See ports.Journal.verify."""
        self._refuse_unless_open()
        check = ChainCheck(WHERE)
        self._step_over(check, len(self.disk.records))
        return check.seq

    async def verify_range(self, low: int, high: int) -> int:
        """Check records `low` to `high`, trusting the hash stored before them; return how many."""
        self._refuse_unless_open()
        if not 1 <= low <= high:
            raise ValueError(f"records {low} to {high} are no range; count from 1, lowest first")
        self._step_over(ChainCheck(WHERE, low - 1, self._hash_at(low - 1)), high)
        return high - low + 1

    async def close(self) -> None:
        """See ports.Journal.close. Safe to call twice."""
        async with self._one_commit:
            self._open = False
            if self.disk.writer is self:
                self.disk.writer = None

    # ---- the steps of an append -----------------------------------------------------------------

    def _fail_if_told(self) -> None:
        error, self.disk.fail_next = self.disk.fail_next, None
        if error is not None:
            self._failed = f"an append failed before ({error})"
            self._is_full = isinstance(error, StoreFull)
            raise error

    async def _append_to_reserve(self, entries: Sequence[Entry]) -> None:
        self._refuse_unless_open()
        if self.disk.writer is not self:
            raise StoreUnavailable(f"{WHERE} was taken over after a power loss; start again")
        if self._pending:
            if [entry.record for entry in entries] != self._pending:
                raise BatchRefused(f"the reserve of {WHERE} holds records that come first; append those")
            self._pending = []
        else:
            await refuse_taken(self, entries)
            check_numbers(entries, len(self.disk.records) + len(self.disk.reserve))
            if not isinstance(self.disk.fail_next, StoreFull):  # which is what the space is there for
                self._fail_if_told()
            if len(self.disk.reserve) + len(entries) > self.disk.reserve_max:
                raise StoreUnavailable(f"the reserve of {WHERE} is used up; cancel at the broker")
            newest = self.disk.reserve[-1].hash if self.disk.reserve else self._hash
            self.disk.reserve += Batch(entries, newest).records
        self._overlay.add(entries)

    def _read_reserve(self, check: ChainCheck) -> None:
        """What the records have already must be the same; the rest comes first in the next append."""
        self._pending = []
        if not self.disk.reserve:
            return
        hashes = {stored.hash for stored in self.disk.records[-len(self.disk.reserve) :]}
        for stored in self.disk.reserve:
            if stored.hash not in hashes:
                self._pending.append(check.read(check.seq + 1, stored.body, stored.hash))
        if not self._pending:
            self.disk.reserve.clear()

    async def _delayed(self, batch: Batch) -> None:
        """Wait for the sync. Whatever ends the wait early, this journal no longer knows what is stored."""
        assert self._sync_delay is not None, "asked for only where there is one"
        self._failed = "a sync did not end"
        await self._sync_delay()
        if self.disk.unsynced is not batch:
            self._failed = "the power was lost during a sync"
            raise StoreUnavailable(f"{WHERE} lost its power during a sync; start again")
        self._failed = None

    def _check_rows(self, entries: Iterable[Entry]) -> None:
        """Refuse what the unique keys and triggers of a real store refuse."""
        batch = Taken(self.disk)
        for entry in entries:
            if entry.order is not None:
                batch.take_order(entry.order)
            if entry.transition is not None:
                batch.need_order(entry.transition.order_id)
            if entry.new_ref is not None:
                assert entry.order is not None, "a broker's number comes with the order it belongs to"
                batch.take_ref(ref_key(entry.order.account_id, entry.new_ref))
            if entry.fill is not None:
                batch.take_fill(entry.fill)

    def _traces(self) -> Traces:
        messages = map(message_decoder.decode, self.disk.outbox.values())
        orders = map(order_decoder.decode, self.disk.orders.values())
        return Traces(
            environments=frozenset(message.environment for message in messages),
            accounts=frozenset(order.account_id for order in orders),
        )

    # ---- the rest -------------------------------------------------------------------------------

    def _order(self, order_id: str | None) -> Order | None:
        body = self.disk.orders.get(order_id) if order_id is not None else None
        return order_decoder.decode(body) if body is not None else None

    def _hash_at(self, seq: int) -> bytes:
        return self.disk.records[seq - 1].hash if seq else GENESIS

    def _step_over(self, check: ChainCheck, high: int) -> None:
        while check.seq < high:
            if check.seq >= len(self.disk.records):
                raise torn(WHERE, check.seq + 1, "is missing")
            stored = self.disk.records[check.seq]
            check.step(check.seq + 1, stored.body, stored.hash)

    def _newest_snapshot(self) -> StoredSnapshot | None:
        records = self.disk.records
        for stored in reversed(self.disk.snapshots):
            if seal(stored.seq, stored.chain_hash, stored.body) != stored.sha256:
                continue  # damaged: an older one only means a longer start
            if stored.seq > len(records):
                raise torn(WHERE, len(records) + 1, f"is missing: a snapshot of record {stored.seq} exists")
            if records[stored.seq - 1].hash != stored.chain_hash:
                raise torn(WHERE, stored.seq, "is not the one that was there when a snapshot was taken")
            return stored
        return None

    def _refuse_unless_open(self) -> None:
        if not self._open:
            raise StoreUnavailable(f"{WHERE} is not open; start it first")

    def _refuse_unless_writable(self) -> None:
        self._refuse_unless_open()
        if self._failed is not None:
            kind = StoreFull if self._is_full else StoreUnavailable
            raise kind(f"{WHERE} takes no more records: {self._failed}; start again")
        if self.disk.writer is not self:
            raise StoreUnavailable(f"{WHERE} was taken over after a power loss; start again")
