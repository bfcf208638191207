"""What the house keeps beside the market: how orders were asked for, its own numbers, who goes on where.

The market numbers orders; KIS numbers requests. A cancel, and a request the exchange refused after KIS had
taken it, have numbers here alone, from 0900000001 upward each day, which the market never reaches. A partial
cancel makes a new order in the market and leaves the old number standing at KIS: that rest is a continuation.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import Executed, MarketEvent, OrderChanged, OrderRecord, TradeBusted
from jumun.model.instruments import Venue
from jumun.model.orders import Side
from jumun.simulators.kis.kinds import code_of
from jumun.simulators.kis.requests import OrderNote, RequestKind

OWN_NUMBERS_FROM: Final = 900_000_001


class OwnRow(msgspec.Struct, frozen=True, kw_only=True):
    """A request that has a number of its own and is no order of the market.

    `rejected`: the exchange refused it. Otherwise it is a cancel, and `confirmed` says that it was done.
    """

    kind: RequestKind
    account_id: str
    trade_date: str
    number: str
    original: str  # number of the order it is about; empty for a new order that was refused
    symbol: str
    venue: Venue
    side: Side
    qty: Decimal
    price: Decimal | None
    note: OrderNote
    ts_ns: int
    rejected: bool = False
    confirmed: bool = True
    text: str = ""


class Records:
    """The house's memory of one market. Grows with the market's; `forget_before` lets old days go."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._notes: dict[str, OrderNote] = {}
        self._heads: dict[str, str] = {}  # continuation: the order whose number it goes on under
        self._rests: dict[str, list[str]] = {}  # the other way round
        self._own: dict[tuple[str, str], list[OwnRow]] = {}
        self._numbers: dict[str, int] = {}
        self._open: dict[str, dict[str, None]] = {}
        for key, record in market.orders.items():
            if record.is_open:
                self._open.setdefault(record.account_id, {})[key] = None

    # ---- hearing ----------------------------------------------------------------------------------------

    def hear(self, event: MarketEvent) -> str:
        """Follow which orders are open; return the key under whose number something changed, or nothing."""
        match event:
            case OrderChanged(order=order):
                key = order.key
            case Executed(execution=fill):
                key = f"{fill.trade_date}/{fill.branch}/{fill.number}"
            case TradeBusted(bust=bust):
                key = f"{bust.trade_date}/{bust.branch}/{bust.number}"
            case _:
                return ""
        record = self._market.orders.get(key)
        if record is None:
            return ""
        mine = self._open.setdefault(record.account_id, {})
        if record.is_open:
            mine.setdefault(key)
        else:
            mine.pop(key, None)
        return self.head_of(key)

    # ---- writing ----------------------------------------------------------------------------------------

    def note(self, key: str, note: OrderNote) -> None:
        """Remember how an order was asked for."""
        self._notes[key] = note

    def go_on(self, key: str, rest: str) -> None:
        """`rest` is what a partial cancel left of `key`: it goes on under the same number."""
        head = self._heads.get(key, key)
        self._heads[rest] = head
        self._rests.setdefault(head, []).append(rest)

    def own_number(self, trade_date: str) -> str:
        """Return the day's next number outside the market's."""
        number = self._numbers.get(trade_date, OWN_NUMBERS_FROM)
        self._numbers[trade_date] = number + 1
        return f"{number:010d}"

    def add(self, row: OwnRow) -> None:
        """Keep a request that is no order of the market."""
        self._own.setdefault((row.account_id, row.trade_date), []).append(row)

    def forget_before(self, trade_date: str) -> None:
        """Drop what belongs to orders that the market has forgotten, and requests of days before."""
        known = self._market.orders
        self._notes = {key: note for key, note in self._notes.items() if key in known}
        self._heads = {rest: head for rest, head in self._heads.items() if rest in known or head in known}
        rests: dict[str, list[str]] = {}
        for rest, head in self._heads.items():
            rests.setdefault(head, []).append(rest)
        self._rests = rests
        self._own = {of: rows for of, rows in self._own.items() if of[1] >= trade_date}
        self._numbers = {day: number for day, number in self._numbers.items() if day >= trade_date}

    # ---- asking -----------------------------------------------------------------------------------------

    def is_continuation(self, key: str) -> bool:
        """Whether the market's order is the rest of a partial cancel, known by its head's number."""
        return key in self._heads

    def head_of(self, key: str) -> str:
        """Return the key of the order under whose number `key` is known."""
        return self._heads.get(key, key)

    def number_of(self, key: str) -> str:
        """Return the number (ODNO) under which an order of the market is known at KIS."""
        return self.head_of(key).rpartition("/")[2]

    def chain(self, key: str) -> list[OrderRecord]:
        """Return an order with its continuations, oldest first."""
        head = self.head_of(key)
        orders = self._market.orders
        return [orders[one] for one in (head, *self._rests.get(head, ())) if one in orders]

    def note_of(self, record: OrderRecord) -> OrderNote:
        """Return how an order was asked for; of one that nobody asked this house for, how it looks."""
        known = self._notes.get(self.head_of(record.key))
        if known is not None:
            return known
        place = record.venue.value
        if record.venue is Venue.US:
            place = self._market.master.get(record.symbol).exchange
        return OrderNote(ord_dvsn=code_of(record), exchange=place, stop_price=record.stop_price)

    def own_rows(self, account_id: str, trade_date: str) -> tuple[OwnRow, ...]:
        """Return the requests of an account on a day that are no orders of the market, oldest first."""
        return tuple(self._own.get((account_id, trade_date), ()))

    def open_orders(self, account_id: str) -> Iterator[OrderRecord]:
        """Yield the open orders of an account, in the order in which they came."""
        for key in tuple(self._open.get(account_id, ())):
            yield self._market.orders[key]

    def find(self, account_id: str, number: str, day: str, *, overseas: bool) -> OrderRecord | None:
        """Return the order under a number: the one of that day, else an older open one (I-64)."""
        wanted = number.rjust(10, "0")
        today = self._market.orders.get(f"{day}/{self._market.world.branch}/{wanted}")
        is_mine = today is not None and today.account_id == account_id
        if today is not None and is_mine and (today.venue is Venue.US) is overseas:
            return None if self.is_continuation(today.key) else self.chain(today.key)[-1]
        for record in self.open_orders(account_id):
            if (record.venue is Venue.US) is overseas and self.number_of(record.key) == wanted:
                return record
        return None
