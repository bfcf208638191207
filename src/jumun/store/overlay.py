"""What was written to the reserve, as a reader must see it: it lies over the tables until the next start.

Bounded by the reserve. Everything here is durable already; it is lost with the process, and made again from
the reserve's records.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from jumun.model.fills import Fill
from jumun.model.ids import AccountId, IdempotencyKey, OrderId, UserId
from jumun.model.journal import Entry, Message, Record
from jumun.model.orders import BrokerRef, Order
from jumun.model.reasons import Reason
from jumun.store.chain import OUTBOX_STRIDE
from jumun.store.errors import BatchRefused


class Stored(Protocol):
    """The lookups that tell what is taken already; every journal has them."""

    async def order_by_key(self, key: IdempotencyKey) -> Order | None: ...

    async def order_by_ref(self, account_id: AccountId, ref: BrokerRef) -> Order | None: ...

    async def fills_of(self, order_id: OrderId) -> list[Fill]: ...


class Overlay:
    """See the module."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.orders: dict[OrderId, Order] = {}
        self.by_key: dict[IdempotencyKey, OrderId] = {}
        self.by_client_id: dict[tuple[UserId, str], OrderId] = {}
        self.by_ref: dict[tuple[AccountId, BrokerRef], OrderId] = {}
        self.fills: dict[OrderId, list[Fill]] = {}
        self.messages: list[tuple[int, Message]] = []

    def add(self, entries: Sequence[Entry]) -> None:
        """Take in what has become durable."""
        for entry in entries:
            self.records.append(entry.record)
            if entry.order is not None:
                self._add_order(entry.order)
                if entry.new_ref is not None:
                    self.by_ref[entry.order.account_id, entry.new_ref] = entry.order.order_id
            if entry.fill is not None:
                self.fills.setdefault(entry.fill.order_id, []).append(entry.fill)
            first = entry.record.seq * OUTBOX_STRIDE
            self.messages += [(first + place, message) for place, message in enumerate(entry.messages)]

    def newest_of(self, order: Order | None) -> Order | None:
        """Return the order as it stands, where the store's row may be older."""
        return None if order is None else self.orders.get(order.order_id, order)

    def find_by_key(self, key: IdempotencyKey) -> Order | None:
        """Return the order that was created or changed since, by its key."""
        return self._order(self.by_key.get(key))

    def find_by_client_id(self, user_id: UserId, client_order_id: str) -> Order | None:
        """Return the order that was created or changed since, by its user's own id."""
        return self._order(self.by_client_id.get((user_id, client_order_id)))

    def find_by_ref(self, account_id: AccountId, ref: BrokerRef) -> Order | None:
        """Return the order that got this number since."""
        return self._order(self.by_ref.get((account_id, ref)))

    def story_of(self, order_id: OrderId) -> list[Record]:
        """Return the records about an order, oldest first."""
        return [record for record in self.records if getattr(record.event, "order_id", None) == order_id]

    def records_after(self, seq: int) -> Iterator[Record]:
        """Yield the records numbered above `seq`."""
        return (record for record in self.records if record.seq > seq)

    def messages_after(self, number: int, limit: int) -> list[tuple[int, Message]]:
        """Return at most `limit` messages numbered above `number`, in order."""
        return [row for row in self.messages if row[0] > number][: max(limit, 0)]

    def _add_order(self, order: Order) -> None:
        self.orders[order.order_id] = order
        self.by_key[order.idempotency_key] = order.order_id
        if order.client_order_id is not None:
            self.by_client_id[order.created_by, order.client_order_id] = order.order_id

    def _order(self, order_id: OrderId | None) -> Order | None:
        return None if order_id is None else self.orders.get(order_id)


async def refuse_taken(stored: Stored, entries: Sequence[Entry]) -> None:
    """Refuse what the tables would refuse at the next start, when these records are written into them.

    Raises BatchRefused; nothing is written then.
    """
    refs: dict[tuple[AccountId, BrokerRef], OrderId] = {}
    fills: dict[OrderId, set[str]] = {}
    for entry in entries:
        order = entry.order
        if order is not None:
            known = await stored.order_by_key(order.idempotency_key)
            if known is not None and known.order_id != order.order_id:
                raise _taken("an idempotency key")
        if order is not None and entry.new_ref is not None:
            place = (order.account_id, entry.new_ref)
            if place in refs or await stored.order_by_ref(*place) is not None:
                raise _taken("a broker's number of that day")
            refs[place] = order.order_id
        if entry.fill is not None:
            order_id = entry.fill.order_id
            if order_id not in fills:
                fills[order_id] = {fill.identity for fill in await stored.fills_of(order_id)}
            if entry.fill.identity in fills[order_id]:
                raise _taken("a fill")
            fills[order_id].add(entry.fill.identity)


def _taken(what: str) -> BatchRefused:
    return BatchRefused(
        f"{what} of the batch is taken; nothing was written: return what is stored",
        reason=Reason.KEY_CONFLICT,
    )
