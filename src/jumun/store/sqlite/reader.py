"""Reading a store: for the journal's own lookups, and for commands that work without a service."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from jumun.model.errors import BadInput, StoreUnavailable, UnknownOrder
from jumun.model.fills import Fill, LedgerRow
from jumun.model.ids import AccountId, IdempotencyKey, OrderId, UserId
from jumun.model.journal import Message, Record
from jumun.model.money import EXACT
from jumun.model.orders import BrokerRef, Order, OrderStatus
from jumun.model.positions import Position
from jumun.ports.journal import Home
from jumun.store.chain import ChainCheck, decoded
from jumun.store.sqlite import rows
from jumun.store.sqlite.connect import translated
from jumun.store.sqlite.home import stored_home
from jumun.store.sqlite.verify import hash_at, newest_seq, open_existing

RECORDS_A_STEP: Final = 1_000
LIMIT_DEFAULT: Final = 100
_NEWEST_POSSIBLE: Final = (1 << 63) - 1
COUNTED: Final = ("records", "orders", "fills", "ledger_rows", "positions", "outbox")


def _load_queries() -> dict[str, str]:
    text = (files("jumun.store.sqlite") / "queries.sql").read_text(encoding="utf-8")
    columns = {
        "{fills}": ", ".join(rows.FILLS),
        "{ledger}": ", ".join(rows.LEDGER),
        "{positions}": ", ".join(rows.POSITIONS),
    }
    for mark, names in columns.items():
        text = text.replace(mark, names)
    queries = {}
    for part in text.split("-- name: ")[1:]:
        head, _, query = part.partition("\n")
        queries[head.split(".", 1)[0].strip()] = query.strip()
    return queries


QUERIES: Final = _load_queries()


class _ExactSum:
    """SQL's own sum() would go through floating point."""

    def __init__(self) -> None:
        self._total = Decimal(0)

    def step(self, *values: Any) -> None:
        self._total = EXACT.add(self._total, Decimal(values[0]))

    def final(self) -> str:
        return rows.plain(self._total)


class Reader:
    """One read-only connection, for one thread at a time. Sees what is committed, never blocks the writer."""

    def __init__(self, path: Path) -> None:
        """Open the store at `path`; raises StoreUnavailable when there is none or it cannot be read."""
        self._path = path
        with translated(path, "being opened for reading"):
            self._connection = open_existing(path)
            self._connection.create_aggregate_function("exact_sum", _ExactSum)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._connection.close()

    # ---- orders -------------------------------------------------------------------------------

    def order(self, order_id: OrderId) -> Order | None:
        """Return the order as it stands, or None."""
        return self._order("order_by_id", order_id)

    def order_by_key(self, key: IdempotencyKey) -> Order | None:
        """Return the order that has this idempotency key, or None."""
        return self._order("order_by_key", key)

    def orders_by_keys(self, keys: tuple[IdempotencyKey, ...]) -> dict[IdempotencyKey, Order]:
        """Return the orders that have one of these keys, by key."""
        found = self._all("orders_by_keys", msgspec.json.encode(keys).decode())
        return {IdempotencyKey(key): self._decoded(body) for key, body in found}

    def order_by_client_id(self, user_id: UserId, client_order_id: str) -> Order | None:
        """Return the order this user named so, or None."""
        return self._order("order_by_client_id", user_id, client_order_id)

    def order_by_ref(self, account_id: AccountId, ref: BrokerRef) -> Order | None:
        """Return the order behind a broker's number of a day, or None."""
        return self._order("order_by_ref", account_id, ref.trade_date, ref.branch, ref.number)

    def orders_by_refs(self, account_id: AccountId, refs: tuple[BrokerRef, ...]) -> dict[BrokerRef, Order]:
        """Return the orders behind these numbers, by number."""
        asked = msgspec.json.encode([(ref.trade_date, ref.branch, ref.number) for ref in refs]).decode()
        found = self._all("orders_by_refs", asked, account_id)
        return {refs[place]: self._decoded(body) for place, body in found}

    def order_by_prefix(self, prefix: str) -> Order:
        """Return the one order whose id begins with `prefix`; UnknownOrder, or BadInput when several do."""
        found = self._all("orders_by_prefix", prefix) if prefix else []
        if not found:
            raise UnknownOrder(f"no order id begins with {prefix!r}; list them with `jumun orders`")
        if len(found) > 1:
            raise BadInput(f"several order ids begin with {prefix!r}; give more of the id")
        return self._decoded(found[0][0])

    def orders_of_user(self, user_id: UserId, limit: int, before: str | None = None) -> list[Order]:
        """Return a user's newest orders, newest first; older than order `before`, which must exist."""
        edge = _NEWEST_POSSIBLE
        if before is not None:
            found = self._one("created_seq", before)
            if found is None:
                raise UnknownOrder(f"no order has id {before!r}; page from an order of the list before")
            edge = found[0]
        return [self._decoded(row[0]) for row in self._all("orders_of_user", user_id, edge, max(limit, 0))]

    def orders(
        self,
        *,
        account_id: str | None = None,
        symbol: str | None = None,
        status: OrderStatus | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> list[Order]:
        """Return the newest orders that pass every given filter, newest first."""
        found = self._all("orders_like", account_id, symbol, status, max(limit, 0))
        return [self._decoded(row[0]) for row in found]

    # ---- fills, books, history ----------------------------------------------------------------

    def fills_of(self, order_id: OrderId) -> list[Fill]:
        """Return an order's fills, oldest first."""
        return [rows.fill_of(row) for row in self._all("fills_of", order_id)]

    def fills(
        self, *, account_id: str | None = None, symbol: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> list[Fill]:
        """Return the newest fills that pass every given filter, newest first."""
        return [rows.fill_of(row) for row in self._all("fills_newest", account_id, symbol, max(limit, 0))]

    def positions(self, account_id: str | None = None) -> list[Position]:
        """Return positions, flat ones included, by account and symbol."""
        return [rows.position_of(row) for row in self._all("positions", account_id)]

    def cash(self) -> dict[tuple[str, str], Decimal]:
        """Return cash by (account, currency): the exact sum of the ledger, not settled by date."""
        return {(account, currency): Decimal(total) for account, currency, total in self._all("cash")}

    def has_account(self, account_id: str) -> bool:
        """Whether anything was ever booked for an account, or ordered by it."""
        found = self._one("has_account", account_id)
        return found is not None and bool(found[0])

    def ledger(
        self, *, account_id: str | None = None, after_seq: int = 0, limit: int = LIMIT_DEFAULT
    ) -> list[tuple[int, LedgerRow]]:
        """Return ledger rows with their record numbers, oldest first, after record `after_seq`."""
        found = self._all("ledger", account_id, after_seq, max(limit, 0))
        return [(row[0], rows.ledger_of(row)) for row in found]

    def story_of(self, order_id: OrderId) -> list[Record]:
        """Return every record about an order, oldest first."""
        found = self._all("story_of", order_id)
        return [decoded(str(self._path), seq, body) for seq, body in found]

    def newest_of_type(self, event_type: str) -> Record | None:
        """Return the newest record whose event has this tag, or None; quick where one is recent."""
        found = self._one("newest_of_type", event_type)
        return decoded(str(self._path), *found) if found is not None else None

    def records(self, after_seq: int) -> Iterator[list[Record]]:
        """Yield the verified records after `after_seq` in lists of a bounded length."""
        with self._translated():
            trusted = hash_at(self._connection, self._path, after_seq)
        check = ChainCheck(str(self._path), after_seq, trusted)
        while found := self._all("tail", check.seq, RECORDS_A_STEP):
            yield [check.read(*row) for row in found]

    # ---- the store itself ---------------------------------------------------------------------

    def outbox_after(self, seq: int, limit: int) -> list[tuple[int, Message]]:
        """Return at most `limit` messages numbered above `seq`, in order."""
        found = self._all("outbox_after", seq, max(limit, 0))
        return [(number, rows.decode_message(envelope)) for number, envelope in found]

    def outbox_cursor(self, sink: str) -> int:
        """Return the number up to which `sink` has published; 0 for a new one."""
        found = self._one("outbox_cursor", sink)
        return found[0] if found is not None else 0

    def newest(self) -> tuple[int, int | None]:
        """Return the newest record's number and instant (UTC ns); (0, None) for an empty journal."""
        found = self._one("newest")
        return (found[0], found[1]) if found is not None else (0, None)

    def newest_seq(self) -> int:
        """Return the newest record's number; 0 for an empty journal."""
        with self._translated():
            return newest_seq(self._connection)

    def home(self) -> Home | None:
        """Return whose books these are; None where the store does not say it."""
        with self._translated():
            return stored_home(self._connection)

    def counts(self) -> dict[str, int]:
        """Return how many rows of each kind there are; reads every index once."""
        found = self._one("counts")
        assert found is not None, "an aggregate always has a row"
        return dict(zip(COUNTED, found, strict=True))

    def orders_by_status(self) -> dict[str, int]:
        """Return how many orders stand at each status that occurs."""
        return dict(self._all("orders_by_status"))

    def _order(self, query: str, *values: object) -> Order | None:
        found = self._one(query, *values)
        return self._decoded(found[0]) if found is not None else None

    def _decoded(self, body: bytes) -> Order:
        try:
            return rows.decode_order(body)
        except (msgspec.DecodeError, ValueError) as error:
            raise StoreUnavailable(
                f"a row of orders in {self._path} cannot be read ({error}); run `jumun db rebuild`"
            ) from error

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        found = self._all(query, *values)
        return found[0] if found else None

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._translated():
            return self._connection.execute(QUERIES[query], values).fetchall()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with translated(self._path, "being read"):
            yield


def open_reader(path: Path) -> Reader:
    """Open a store for reading, beside the service or without it. Use it in a `with` block."""
    return Reader(path)
