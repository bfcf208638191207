"""A draft: the events of one decision, and the book as it would stand after them.

`decide` never changes the book. Where one event depends on the one before it (a fill on a fill), the
draft evolves its own copies of the few orders and positions that the decision touches.
"""

from decimal import Decimal

import msgspec

from jumun.model.events import AnyOrderEvent, Event, OrderEvent
from jumun.model.fills import LedgerRow
from jumun.model.ids import AccountId, OrderId
from jumun.model.orders import BrokerRef, Order
from jumun.model.positions import Position
from jumun.rules.book import Book, Drafted
from jumun.rules.ledger import apply_rows
from jumun.rules.order_machine import evolve
from jumun.rules.policy import Denial, Facts, Policy


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a command: the events, and what the shell needs to answer and go on."""

    events: tuple[Event, ...] = ()
    order: Order | None = None  # the order the command was about, as it stands now
    existing: bool = False  # it was there before: the same key came again (I-08)
    mismatch: bool = False  # … with other content (C-4)
    denial: Denial | None = None
    ask: bool = False  # only a complete history can tell: ask for one soon
    park: bool = False  # the report is about a number nobody knows yet (F-21, F-22)
    differences: tuple[tuple[str, Decimal, Decimal], ...] = ()
    drafted: tuple[Drafted | None, ...] = ()  # beside each event, where its order is known already


class Draft:
    """See the module."""

    __slots__ = ("_orders", "_positions", "ask", "book", "drafted", "events", "facts", "policy")

    def __init__(self, book: Book, policy: Policy, facts: Facts) -> None:
        self.book = book
        self.policy = policy
        self.facts = facts
        self.events: list[Event] = []
        self.drafted: list[Drafted | None] = []
        self.ask = False
        self._orders: dict[OrderId, Order] = {}
        self._positions: dict[tuple[AccountId, str], Position] = {}

    @property
    def now_ns(self) -> int:
        """The instant of this decision."""
        return self.facts.now_ns

    @property
    def touched(self) -> tuple[OrderId, ...]:
        """The orders this decision changed so far."""
        return tuple(self._orders)

    def order(self, order_id: OrderId) -> Order | None:
        """Return the order as the draft leaves it."""
        return self._orders.get(order_id) or self.book.order(order_id)

    def by_ref(self, account_id: AccountId, ref: BrokerRef) -> Order | None:
        """Return the order behind a broker's number, also one that this draft just mapped."""
        order_id = self.book.refs.get((account_id, ref))
        found = None if order_id is None else self.order(order_id)
        if found is not None:
            return found
        for order in self._orders.values():
            if order.account_id == account_id and order.has_ref(ref):
                return order
        return None

    def position(self, account_id: AccountId, symbol: str, currency: str) -> Position:
        """Return the position as the draft leaves it."""
        return self._positions.get((account_id, symbol)) or self.book.position(account_id, symbol, currency)

    def add(self, event: AnyOrderEvent, rows: tuple[LedgerRow, ...] = ()) -> Order:
        """Add an event about an order; return the order after it. `rows` are the ledger rows it carries."""
        before = self.order(event.order_id)
        after = evolve(before, event, self.facts.now_ns)
        self._orders[event.order_id] = after
        self.events.append(event)
        if not rows:
            self.drafted.append(Drafted(before, after))
            return after
        held = self.position(after.account_id, after.symbol, after.currency)
        of_symbol = [row for row in rows if row.symbol == after.symbol]
        position = apply_rows(held, of_symbol)
        self._positions[after.account_id, after.symbol] = position
        self.drafted.append(Drafted(before, after, held, position))
        return after

    def touch(self, order: Order) -> None:
        """Look at an order again without a new fact about it (a cancel that is due once more)."""
        self._orders.setdefault(order.order_id, order)

    def note(self, event: Event) -> None:
        """Add an event that is about no single order."""
        assert not isinstance(event, OrderEvent), "use add, so that the draft evolves the order"
        self.events.append(event)
        self.drafted.append(None)

    def decision(self, order_id: OrderId | None = None, denial: Denial | None = None) -> Decision:
        """Close the draft."""
        order = None if order_id is None else self.order(order_id)
        return Decision(
            events=tuple(self.events),
            order=order,
            ask=self.ask,
            denial=denial,
            drafted=tuple(self.drafted),
        )
