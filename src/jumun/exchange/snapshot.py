"""Everything a market remembers, as one value: what a compacted ledger starts from."""

from decimal import Decimal

import msgspec

from jumun.exchange.line import Line
from jumun.exchange.order_book import BookOrder
from jumun.exchange.records import Arrival, Bust, Execution, ModifyArrival, OrderRecord


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """One account; the holds are by order key: what of, and how much."""

    account_id: str
    cash: dict[str, Decimal]
    holdings: dict[str, Decimal]
    cash_held: dict[str, tuple[str, Decimal]]
    shares_held: dict[str, tuple[str, Decimal]]


class LineState(msgspec.Struct, frozen=True, kw_only=True):
    """One line with its book: the entries in their order."""

    line: Line
    sequence: int
    entries: list[BookOrder]


class MarketState(msgspec.Struct, frozen=True, kw_only=True):
    """See `Floor` for what each is."""

    now_ns: int
    orders: list[OrderRecord]
    executions: list[Execution]
    arrivals: list[Arrival]
    modifies: list[ModifyArrival]
    busts: list[Bust]
    accounts: list[AccountState]
    lines: list[LineState]
    worst: dict[str, Decimal | None]
    numbers: dict[str, int]
    execution_count: int
    bust_count: int
    timers: list[tuple[int, int, str, str]]
    bases: list[tuple[str, str, Decimal]]
    regular: dict[str, tuple[str, Decimal]]
    closes: dict[str, tuple[str, Decimal]]
    halts: dict[str, int | None]
    venue_stops: dict[str, tuple[int, int]]
    cancels_ignored: int
