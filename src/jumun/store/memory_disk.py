"""The disk under the memory journal: what is durable, and one batch that may be on its way there."""

from bisect import bisect_right
from collections.abc import Container, Sequence
from typing import Final, Protocol

import msgspec

from jumun.model.errors import StoreUnavailable
from jumun.model.fills import Fill
from jumun.model.journal import Entry, Message, chain_hash, encode_record
from jumun.model.orders import BrokerRef, Order, OrderStatus
from jumun.model.reasons import Reason
from jumun.ports.journal import Home
from jumun.store.chain import OUTBOX_STRIDE
from jumun.store.errors import BatchRefused
from jumun.store.transitions import may_follow

_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="string")
order_decoder: Final = msgspec.json.Decoder(Order)
fill_decoder: Final = msgspec.json.Decoder(Fill)
message_decoder: Final = msgspec.json.Decoder(Message)

RESERVE_RECORDS: Final = 4_096  # kept aside for cancels and reports in an emergency

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


class Batch:
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


class Writer(Protocol):
    """Whoever holds the writer's place."""

    label: str


class MemoryDisk:
    """What outlives a journal: the synced part, and one batch that may be on its way there.

    `fail_next` makes the next append fail once with that error. `lose_unsynced` is a power loss.
    `reserve` is the space kept aside for an emergency: `reserve_max` records.
    """

    def __init__(self) -> None:
        """An empty disk."""
        self.records: list[StoredRecord] = []
        self.snapshots: list[StoredSnapshot] = []
        self.fail_next: StoreUnavailable | None = None
        self.reserve: list[StoredRecord] = []
        self.reserve_max = RESERVE_RECORDS
        self.appends = 0  # batches that were synced
        self.unsynced: Batch | None = None
        self.writer: Writer | None = None
        self.orders: dict[str, bytes] = {}
        self.statuses: dict[str, OrderStatus] = {}
        self.created: dict[str, int] = {}
        self.by_user: dict[str, list[str]] = {}
        self.by_key: dict[str, str] = {}
        self.by_client_id: dict[tuple[str, str], str] = {}
        self.by_ref: dict[RefKey, str] = {}
        self.fills: dict[str, list[bytes]] = {}
        self.fill_ids: set[str] = set()
        self.fill_identities: set[tuple[str, str]] = set()
        self.stories: dict[str, list[int]] = {}
        self.outbox: dict[int, bytes] = {}
        self.outbox_numbers: list[int] = []  # the keys of `outbox`, which only grow
        self.cursors: dict[str, int] = {}
        self.home: Home | None = None

    def lose_unsynced(self) -> None:
        """A power loss before the sync: the batch on its way is gone, and so is every process."""
        self.unsynced = None
        self.writer = None

    def keep_unsynced(self) -> None:
        """A power loss after the sync and before anybody was told: the batch is there, unacknowledged."""
        if self.unsynced is not None:
            self.apply(self.unsynced)
        self.lose_unsynced()

    @property
    def has_unsynced(self) -> bool:
        """Whether a batch is on its way."""
        return self.unsynced is not None

    def apply(self, batch: Batch) -> None:
        """Make a batch durable: its records, and the rows that follow from them."""
        first = len(self.records)
        self.records.extend(batch.records)
        self.appends += 1
        for index, entry in enumerate(batch.entries):
            seq = first + index + 1
            order_id = getattr(entry.record.event, "order_id", None)
            if order_id is not None:
                self.stories.setdefault(order_id, []).append(seq)
            self._apply_order(entry, batch.orders[index], seq)
            fill = batch.fills[index]
            if entry.fill is not None and fill is not None:
                self.fills.setdefault(entry.fill.order_id, []).append(fill)
                self.fill_ids.add(entry.fill.fill_id)
                self.fill_identities.add((entry.fill.order_id, entry.fill.identity))
            for place, message in enumerate(batch.messages[index]):
                self.outbox[seq * OUTBOX_STRIDE + place] = message
                self.outbox_numbers.append(seq * OUTBOX_STRIDE + place)
        self.prune_outbox()

    def _apply_order(self, entry: Entry, body: bytes | None, seq: int) -> None:
        order = entry.order
        if order is None or body is None:
            return
        if order.order_id not in self.orders:
            self.created[order.order_id] = seq
            self.by_user.setdefault(order.created_by, []).append(order.order_id)
            self.by_key[order.idempotency_key] = order.order_id
            if order.client_order_id is not None:
                self.by_client_id[order.created_by, order.client_order_id] = order.order_id
        self.orders[order.order_id] = body
        self.statuses[order.order_id] = order.status
        if entry.new_ref is not None:
            self.by_ref[ref_key(order.account_id, entry.new_ref)] = order.order_id

    def prune_outbox(self) -> None:
        """Delete what every sink has published. With no sink yet, nothing is deleted."""
        if not self.cursors:
            return
        done = bisect_right(self.outbox_numbers, min(self.cursors.values()))
        for number in self.outbox_numbers[:done]:
            del self.outbox[number]
        del self.outbox_numbers[:done]


class Taken:
    """What is taken already: by the disk, or by this batch so far."""

    def __init__(self, disk: MemoryDisk) -> None:
        """Begin a batch."""
        self._disk = disk
        self._statuses: dict[str, OrderStatus] = {}
        self._new: set[object] = set()

    def take_order(self, order: Order) -> None:
        """An order comes to be, or changes."""
        before = self._statuses.get(order.order_id) or self._disk.statuses.get(order.order_id)
        if before is None:
            self._take(order.idempotency_key, self._disk.by_key, "an idempotency key")
            if order.client_order_id is not None:
                named = (order.created_by, order.client_order_id)
                self._take(named, self._disk.by_client_id, "a client order id")
        elif not may_follow(before, order.status):
            raise BatchRefused(
                f"order {order.order_id} cannot go from {before} to {order.status}; nothing was written"
            )
        self._statuses[order.order_id] = order.status

    def need_order(self, order_id: str) -> None:
        """Something refers to an order."""
        if order_id not in self._statuses and order_id not in self._disk.statuses:
            raise BatchRefused(f"order {order_id} of the batch does not exist; nothing was written")

    def take_ref(self, key: RefKey) -> None:
        """A broker's number begins to mean an order."""
        self._take(key, self._disk.by_ref, "a broker's number of that day")

    def take_fill(self, fill: Fill) -> None:
        """A fill is booked."""
        self.need_order(fill.order_id)
        self._take(("fill", fill.fill_id), (), "a fill id", taken=fill.fill_id in self._disk.fill_ids)
        self._take((fill.order_id, fill.identity), self._disk.fill_identities, "a fill")

    def _take(self, key: object, stored: Container[object], what: str, *, taken: bool = False) -> None:
        if taken or key in self._new or key in stored:
            raise BatchRefused(
                f"{what} of the batch is taken ({key}); nothing was written: return what is stored",
                reason=Reason.KEY_CONFLICT,
            )
        self._new.add(key)


def ref_key(account_id: str, ref: BrokerRef) -> RefKey:
    """A broker's number of one day, as a key."""
    return (account_id, ref.trade_date, ref.branch, ref.number)
