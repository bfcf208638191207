"""The journal port: one writer, append only, durable before anyone is told yes."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

import msgspec

from jumun.model.fills import Fill
from jumun.model.ids import AccountId, IdempotencyKey, OrderId, UserId
from jumun.model.journal import Entry, Message, Record
from jumun.model.orders import BrokerRef, Order


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A book as of record `seq`. `body` is opaque to the store; it verifies it by hash on loading."""

    seq: int
    body: bytes


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """Whose books a store holds; never changed: numbers, positions and cash mean nothing elsewhere (I-55)."""

    environment: str  # sim | paper | live
    broker: str


class Journal(Protocol):
    """Holds the records and the tables made from them. Without a disk it raises StoreUnavailable."""

    async def start(self, home: Home | None = None, accounts: Collection[AccountId] = ()) -> Snapshot | None:
        """Take the writer's place (StoreLocked if taken), verify from the newest good snapshot on, return it.

        The first start that names a `home` gives it to the store; a later one that names another raises
        ConfigError (I-55). `accounts` are those of this start, for a store that holds records and no home.
        Raises TornJournal naming the first record that is torn or altered (I-26).
        """
        ...

    def tail(self, after_seq: int) -> AsyncIterator[Record]:
        """Yield the records after `after_seq`, in order, verified."""
        ...

    async def append(self, entries: Sequence[Entry]) -> None:
        """Write all entries in one transaction and sync; on return they survive a power loss (I-22).

        Raises StoreUnavailable with nothing written; after a failed sync the journal stays failed (F-82).
        StoreFull and StoreBusy say that nothing was written for certain: `begin_emergency` may follow.
        BatchRefused says that the batch contradicts what is stored, and that the next good one is welcome.
        Records must follow the newest one without a gap.
        """
        ...

    async def snapshot(self) -> Snapshot | None:
        """Return the newest good snapshot once more: a book that holds what is not durable is made anew."""
        ...

    async def begin_emergency(self) -> None:
        """From now on `append` writes to the space kept aside, with the same promise (I-21, F-81).

        Every lookup sees what is there. Raises StoreUnavailable where no space is kept aside, or where
        nobody can say what the store holds (F-82).
        """
        ...

    def reserved(self) -> AsyncIterator[Record]:
        """Yield the records in the space kept aside that the journal lacks, in order, verified.

        Append them before anything else, then `clear_reserve`: until then nothing else may be appended.
        """
        ...

    async def clear_reserve(self) -> None:
        """Empty the space kept aside: the journal has all of it. Harmless where there is none."""
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; old ones beyond a few are dropped. A failure here never harms records."""
        ...

    async def order(self, order_id: OrderId) -> Order | None:
        """Return the order as it stands, or None."""
        ...

    async def order_by_key(self, key: IdempotencyKey) -> Order | None:
        """Return the order that has this idempotency key, or None."""
        ...

    async def orders_by_keys(self, keys: Sequence[IdempotencyKey]) -> dict[IdempotencyKey, Order]:
        """Return the orders that have one of these keys, by key; one question for a whole burst."""
        ...

    async def order_by_client_id(self, user_id: UserId, client_order_id: str) -> Order | None:
        """Return the order this user named so, or None."""
        ...

    async def order_by_ref(self, account_id: AccountId, ref: BrokerRef) -> Order | None:
        """Return the order behind a broker's number of a day, or None (I-64)."""
        ...

    async def orders_by_refs(
        self, account_id: AccountId, refs: Sequence[BrokerRef]
    ) -> dict[BrokerRef, Order]:
        """Return the orders behind these numbers of an account, by number; one question for a whole list."""
        ...

    async def orders_of_user(self, user_id: UserId, limit: int, before: str | None = None) -> list[Order]:
        """Return a user's newest orders, newest first, at most `limit`, older than order id `before`."""
        ...

    async def fills_of(self, order_id: OrderId) -> list[Fill]:
        """Return an order's fills, oldest first."""
        ...

    async def story_of(self, order_id: OrderId) -> list[Record]:
        """Return every record about an order, oldest first (S002-73)."""
        ...

    async def outbox_cursor(self, sink: str) -> int:
        """Return the record number up to which this sink has been served; 0 at first."""
        ...

    async def outbox_after(self, seq: int, limit: int) -> list[tuple[int, Message]]:
        """Return (number, message) after number `seq`, in order, at most `limit`."""
        ...

    async def outbox_done(self, sink: str, seq: int) -> None:
        """This sink has everything up to record `seq`; what every sink has may be dropped."""
        ...

    async def verify(self) -> int:
        """Check the whole chain from the first record; return how many; raises TornJournal."""
        ...

    async def verify_range(self, low: int, high: int) -> int:
        """Check records `low` to `high` against the chain; return how many; raises TornJournal."""
        ...

    async def close(self) -> None:
        """Give the writer's place back."""
        ...
