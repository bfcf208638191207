"""The journal in memory: the same promises as a real one, on a disk that can lose what was not synced.

For simulation and tests. Everything passes through the real encoding, so nothing survives here that
would not survive a file. Single-threaded: use from one event loop only.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable, Sequence
from itertools import islice
from typing import Final

import msgspec

from jumun.model.errors import StoreLocked, StoreUnavailable, UnknownOrder
from jumun.model.fills import Fill
from jumun.model.ids import AccountId, IdempotencyKey, OrderId, UserId
from jumun.model.journal import GENESIS, Entry, Message, Record, chain_hash, encode_record
from jumun.model.orders import BrokerRef, Order
from jumun.model.reasons import Reason
from jumun.ports.journal import Snapshot
from jumun.store.chain import (
    OUTBOX_STRIDE,
    SNAPSHOTS_KEPT,
    ChainCheck,
    check_numbers,
    decoded,
    refuse_snapshot_ahead,
    seal,
    torn,
)
from jumun.store.errors import BatchRefused
from jumun.store.transitions import may_follow

WHERE: Final = "the memory journal"

_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_order_decoder = msgspec.json.Decoder(Order)
_fill_decoder = msgspec.json.Decoder(Fill)
_message_decoder = msgspec.json.Decoder(Message)

SyncDelay = Callable[[], Awaitable[None]]
RefKey = tuple[str, str, str, str]


class StoredRecord(msgspec.Struct, kw_only=True):
    """A record as it lies on the disk. Not frozen: tests damage it."""

    body: bytes
    hash: bytes


class StoredSnapshot(msgspec.Struct, kw_only=True):
    """A snapshot as it lies on the disk. Not frozen: tests damage it."""

    seq: int
    body: bytes
    sha256: bytes
    chain_hash: bytes


class _Batch:
    """One append on its way to the disk."""

    def __init__(self, entries: Sequence[Entry], hash_: bytes) -> None:
        self.entries = entries
        self.records: list[StoredRecord] = []
        for entry in entries:
            body = encode_record(entry.record)
            hash_ = chain_hash(hash_, body)
            self.records.append(StoredRecord(body=body, hash=hash_))
        self.orders = [_encoder.encode(entry.order) if entry.order is not None else None for entry in entries]
        self.fills = [_encoder.encode(entry.fill) if entry.fill is not None else None for entry in entries]
        self.messages = [[_encoder.encode(message) for message in entry.messages] for entry in entries]


class MemoryDisk:
    """What outlives a journal: the synced part, and one batch that may be on its way there.

    `fail_next` makes the next append fail once with that error. `lose_unsynced` is a power loss.
    """

    def __init__(self) -> None:
        """An empty disk."""
        self.records: list[StoredRecord] = []
        self.snapshots: list[StoredSnapshot] = []
        self.fail_next: StoreUnavailable | None = None
        self.appends = 0  # batches that were synced
        self._unsynced: _Batch | None = None
        self._writer: MemoryJournal | None = None
        self._orders: dict[str, bytes] = {}
        self._created: dict[str, int] = {}
        self._by_user: dict[str, list[str]] = {}
        self._by_key: dict[str, str] = {}
        self._by_client_id: dict[tuple[str, str], str] = {}
        self._by_ref: dict[RefKey, str] = {}
        self._fills: dict[str, list[bytes]] = {}
        self._fill_ids: set[str] = set()
        self._fill_identities: set[tuple[str, str]] = set()
        self._stories: dict[str, list[int]] = {}
        self._outbox: dict[int, bytes] = {}  # in order of its numbers
        self._cursors: dict[str, int] = {}

    def lose_unsynced(self) -> None:
        """A power loss before the sync: the batch on its way is gone, and so is every process."""
        self._unsynced = None
        self._writer = None

    def keep_unsynced(self) -> None:
        """A power loss after the sync and before anybody was told: the batch is there, unacknowledged."""
        if self._unsynced is not None:
            self._apply(self._unsynced)
        self.lose_unsynced()

    @property
    def has_unsynced(self) -> bool:
        """Whether a batch is on its way."""
        return self._unsynced is not None

    def _apply(self, batch: _Batch) -> None:
        """Make a batch durable: its records, and the rows that follow from them."""
        first = len(self.records)
        self.records.extend(batch.records)
        self.appends += 1
        for index, entry in enumerate(batch.entries):
            seq = first + index + 1
            order_id = getattr(entry.record.event, "order_id", None)
            if order_id is not None:
                self._stories.setdefault(order_id, []).append(seq)
            self._apply_order(entry, batch.orders[index], seq)
            fill = batch.fills[index]
            if entry.fill is not None and fill is not None:
                self._fills.setdefault(entry.fill.order_id, []).append(fill)
                self._fill_ids.add(entry.fill.fill_id)
                self._fill_identities.add((entry.fill.order_id, entry.fill.identity))
            for place, message in enumerate(batch.messages[index]):
                self._outbox[seq * OUTBOX_STRIDE + place] = message
        self._prune_outbox()

    def _apply_order(self, entry: Entry, body: bytes | None, seq: int) -> None:
        order = entry.order
        if order is None or body is None:
            return
        if order.order_id not in self._orders:
            self._created[order.order_id] = seq
            self._by_user.setdefault(order.created_by, []).append(order.order_id)
            self._by_key[order.idempotency_key] = order.order_id
            if order.client_order_id is not None:
                self._by_client_id[order.created_by, order.client_order_id] = order.order_id
        self._orders[order.order_id] = body
        if entry.new_ref is not None:
            self._by_ref[_ref_key(order.account_id, entry.new_ref)] = order.order_id

    def _prune_outbox(self) -> None:
        if self._cursors:
            published = min(self._cursors.values())
            for number in [number for number in self._outbox if number <= published]:
                del self._outbox[number]


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
        self._hash = GENESIS

    async def start(self) -> Snapshot | None:
        """See ports.Journal.start."""
        holder = self.disk._writer
        if holder is not None:
            raise StoreLocked(f"{WHERE} is being written by {holder.label}; stop that first")
        found = self._newest_snapshot()
        check = ChainCheck(WHERE, *((found.seq, found.chain_hash) if found else (0, GENESIS)))
        self._step_over(check, len(self.disk.records))
        self._hash = check.hash
        self.disk._writer = self
        self._open = True
        return Snapshot(seq=found.seq, body=found.body) if found else None

    async def append(self, entries: Sequence[Entry]) -> None:
        """See ports.Journal.append. Raises BatchRefused, which leaves the journal usable."""
        async with self._one_commit:
            self._refuse_unless_writable()
            check_numbers(entries, len(self.disk.records))
            batch = _Batch(entries, self._hash)
            self._check_rows(entries)
            self._fail_if_told()
            self.disk._unsynced = batch
            if self._sync_delay is not None:
                await self._delayed(batch)
            self.disk._unsynced = None
            self.disk._apply(batch)
            self._hash = batch.records[-1].hash if batch.records else self._hash

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

    async def order(self, order_id: OrderId) -> Order | None:
        """See ports.Journal.order."""
        self._refuse_unless_open()
        return self._order(order_id)

    async def order_by_key(self, key: IdempotencyKey) -> Order | None:
        """See ports.Journal.order_by_key."""
        self._refuse_unless_open()
        return self._order(self.disk._by_key.get(key))

    async def order_by_client_id(self, user_id: UserId, client_order_id: str) -> Order | None:
        """See ports.Journal.order_by_client_id."""
        self._refuse_unless_open()
        return self._order(self.disk._by_client_id.get((user_id, client_order_id)))

    async def order_by_ref(self, account_id: AccountId, ref: BrokerRef) -> Order | None:
        """See ports.Journal.order_by_ref."""
        self._refuse_unless_open()
        return self._order(self.disk._by_ref.get(_ref_key(account_id, ref)))

    async def orders_of_user(self, user_id: UserId, limit: int, before: str | None = None) -> list[Order]:
        """See ports.Journal.orders_of_user. Raises UnknownOrder when `before` is no order."""
        self._refuse_unless_open()
        edge = len(self.disk.records) + 1
        if before is not None:
            if before not in self.disk._created:
                raise UnknownOrder(f"no order has id {before!r}; page from an order of the list before")
            edge = self.disk._created[before]
        ids = self.disk._by_user.get(user_id, [])
        older = (order_id for order_id in reversed(ids) if self.disk._created[order_id] < edge)
        page = islice(older, max(limit, 0))
        return [_order_decoder.decode(self.disk._orders[order_id]) for order_id in page]

    async def fills_of(self, order_id: OrderId) -> list[Fill]:
        """See ports.Journal.fills_of."""
        self._refuse_unless_open()
        return [_fill_decoder.decode(body) for body in self.disk._fills.get(order_id, [])]

    async def story_of(self, order_id: OrderId) -> list[Record]:
        """See ports.Journal.story_of."""
        self._refuse_unless_open()
        numbers = self.disk._stories.get(order_id, [])
        return [decoded(WHERE, seq, self.disk.records[seq - 1].body) for seq in numbers]

    async def outbox_after(self, seq: int, limit: int) -> list[tuple[int, Message]]:
        """Return at most `limit` messages numbered above `seq`, in order."""
        self._refuse_unless_open()
        later = (number for number in self.disk._outbox if number > seq)
        return [
            (number, _message_decoder.decode(self.disk._outbox[number]))
            for number in islice(later, max(limit, 0))
        ]

    async def outbox_cursor(self, sink: str) -> int:
        """Return the number up to which `sink` has published; 0 for a new one."""
        self._refuse_unless_open()
        return self.disk._cursors.get(sink, 0)

    async def outbox_done(self, sink: str, seq: int) -> None:
        """Note that `sink` has everything up to `seq`; what all sinks have is deleted."""
        self._refuse_unless_writable()
        self.disk._cursors[sink] = max(seq, self.disk._cursors.get(sink, 0))
        self.disk._prune_outbox()

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
            if self.disk._writer is self:
                self.disk._writer = None

    # ---- the steps of an append -----------------------------------------------------------------

    def _fail_if_told(self) -> None:
        error, self.disk.fail_next = self.disk.fail_next, None
        if error is not None:
            self._failed = f"an append failed before ({error})"
            raise error

    async def _delayed(self, batch: _Batch) -> None:
        """Wait for the sync. Whatever ends the wait early, this journal no longer knows what is stored."""
        assert self._sync_delay is not None, "asked for only where there is one"
        self._failed = "a sync did not end"
        await self._sync_delay()
        if self.disk._unsynced is not batch:
            self._failed = "the power was lost during a sync"
            raise StoreUnavailable(f"{WHERE} lost its power during a sync; start again")
        self._failed = None

    def _check_rows(self, entries: Iterable[Entry]) -> None:
        """Refuse what the unique keys and triggers of a real store refuse."""
        batch = _Taken(self.disk)
        for entry in entries:
            if entry.order is not None:
                batch.take_order(entry.order)
            if entry.transition is not None:
                batch.need_order(entry.transition.order_id)
            if entry.new_ref is not None:
                assert entry.order is not None, "a broker's number comes with the order it belongs to"
                batch.take_ref(_ref_key(entry.order.account_id, entry.new_ref))
            if entry.fill is not None:
                batch.take_fill(entry.fill)

    # ---- the rest -------------------------------------------------------------------------------

    def _order(self, order_id: str | None) -> Order | None:
        body = self.disk._orders.get(order_id) if order_id is not None else None
        return _order_decoder.decode(body) if body is not None else None

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
            raise StoreUnavailable(f"{WHERE} takes no more records: {self._failed}; start again")
        if self.disk._writer is not self:
            raise StoreUnavailable(f"{WHERE} was taken over after a power loss; start again")


class _Taken:
    """What is taken already: by the disk, or by this batch so far."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._orders: dict[str, Order] = {}
        self._new: set[object] = set()

    def take_order(self, order: Order) -> None:
        before = self._orders.get(order.order_id)
        if before is None:
            body = self._disk._orders.get(order.order_id)
            before = _order_decoder.decode(body) if body is not None else None
        if before is None:
            self._take(order.idempotency_key, self._disk._by_key, "an idempotency key")
            if order.client_order_id is not None:
                named = (order.created_by, order.client_order_id)
                self._take(named, self._disk._by_client_id, "a client order id")
        elif not may_follow(before.status, order.status):
            raise BatchRefused(
                f"order {order.order_id} cannot go from {before.status} to {order.status}; nothing was written"
            )
        self._orders[order.order_id] = order

    def need_order(self, order_id: str) -> None:
        if order_id not in self._orders and order_id not in self._disk._orders:
            raise BatchRefused(f"order {order_id} of the batch does not exist; nothing was written")

    def take_ref(self, key: RefKey) -> None:
        self._take(key, self._disk._by_ref, "a broker's number of that day")

    def take_fill(self, fill: Fill) -> None:
        self.need_order(fill.order_id)
        self._take(("fill", fill.fill_id), (), "a fill id", taken=fill.fill_id in self._disk._fill_ids)
        self._take((fill.order_id, fill.identity), self._disk._fill_identities, "a fill")

    def _take(self, key: object, stored: Container[object], what: str, *, taken: bool = False) -> None:
        if taken or key in self._new or key in stored:
            raise BatchRefused(
                f"{what} of the batch is taken ({key}); nothing was written: return what is stored",
                reason=Reason.KEY_CONFLICT,
            )
        self._new.add(key)


def _ref_key(account_id: str, ref: BrokerRef) -> RefKey:
    return (account_id, ref.trade_date, ref.branch, ref.number)
