"""Witnesses of every durable record: whose money it is, whose intent, and who let trading go on.

They see each record once, in order, with the order before and after it, and keep sums of their own.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final, Protocol

from jumun.model.events import FillBooked, OrderEvent, OrderFlagged, OrderSent, TradingHalted, TradingResumed
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.journal import Record
from jumun.model.orders import Flag, Order, Side
from jumun.rules.book import Book
from jumun.testing.invariants import Checks

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")  # what rounding each sale's basis to four places may add up to in a day
TRADES: Final = frozenset({LedgerKind.FILL, LedgerKind.REALISED, LedgerKind.FEE, LedgerKind.TAX})


class Witness(Protocol):
    """Whoever looks at every record."""

    def see(self, record: Record, before: Order | None, after: Order | None) -> None:
        """Look at a record that is durable; the shadow book holds it already."""
        ...


class EquityWitness:
    """Equity changes by results, costs, income and money from outside, and by nothing else (I-36).

    Beside the book's figures the cost of what is held is counted a second time, at average cost and without
    rounding, from the fills alone.
    """

    def __init__(self, checks: Checks, book: Book) -> None:
        self._checks = checks
        self._book = book
        self._outside: dict[str, Decimal] = {}  # money and shares brought in, at their basis, by currency
        self._income: dict[str, Decimal] = {}
        self._held: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}  # shares and their cost
        self._gained: dict[tuple[str, str], Decimal] = {}
        self._unlike: set[tuple[str, str]] = (
            set()
        )  # places with entries that are no trades: not counted twice

    def see(self, record: Record, before: Order | None, after: Order | None) -> None:
        """Follow the money of one record."""
        event = record.event
        rows: tuple[LedgerRow, ...] = getattr(event, "ledger", None) or getattr(event, "rows", None) or ()
        if not rows:
            return
        for row in rows:
            self._flow(row)
        if isinstance(event, FillBooked):
            self._trade(event)
        self._balances(rows[0].currency.value)

    def _flow(self, row: LedgerRow) -> None:
        currency = row.currency.value
        for flows, account in ((self._outside, LedgerAccount.OUTSIDE), (self._income, LedgerAccount.INCOME)):
            if row.credit is account:
                flows[currency] = flows.get(currency, ZERO) + row.amount
            if row.debit is account:
                flows[currency] = flows.get(currency, ZERO) - row.amount
        if not row.symbol or row.kind in TRADES:
            return
        place = (row.account_id, row.symbol)
        if row.kind is LedgerKind.OPENING:
            qty, cost = self._held.get(place, (ZERO, ZERO))
            self._held[place] = (qty + row.qty, cost + row.amount)
        else:
            self._unlike.add(place)

    def _trade(self, event: FillBooked) -> None:
        fill, place = event.fill, (event.fill.account_id, event.fill.symbol)
        qty, cost = self._held.get(place, (ZERO, ZERO))
        if fill.side is Side.BUY:
            self._held[place] = (qty + fill.qty, cost + fill.amount)
        elif qty:
            taken = cost * fill.qty / qty
            self._held[place] = (qty - fill.qty, cost - taken)
            self._gained[place] = self._gained.get(place, ZERO) + fill.amount - taken
        if place in self._unlike:
            return
        position = self._book.positions[place]
        gained = self._gained.get(place, ZERO)
        near = abs(position.realised_gross - gained) <= CENT
        self._checks.that("I-36", near, "{} realised {}, not {}", place, position.realised_gross, gained)

    def _balances(self, currency: str) -> None:
        held = [p for p in self._book.positions.values() if p.currency.value == currency]
        basis = sum((p.cost_basis for p in held), ZERO)
        realised = sum((p.realised_gross for p in held), ZERO)
        costs = sum((p.costs for p in held), ZERO)
        cash = sum((amount for (_, of), amount in self._book.cash.items() if of == currency), ZERO)
        given = self._outside.get(currency, ZERO) + self._income.get(currency, ZERO)
        equal = cash + basis == given + realised - costs
        text = "{}: cash {} and shares at {} are not {} given, {} realised, {} costs"
        self._checks.that("I-36", equal, text, currency, cash, basis, given, realised, costs)


class IntentWitness:
    """Whatever the broker says, what was asked for and why stays; and what it said is kept (I-44)."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks

    def see(self, record: Record, before: Order | None, after: Order | None) -> None:
        """Compare what no broker may change."""
        event = record.event
        if not isinstance(event, OrderEvent) or before is None or after is None:
            return
        that = self._checks.that
        that("I-44", _intent(before) == _intent(after), "{} is not what was asked for", after.order_id)
        if isinstance(event, FillBooked | OrderSent):
            that("I-44", bool(event.raw), "{}: nobody kept what the broker said", after.order_id)


class StudyWitness:
    """A history says what was true when it was asked for, and never overwrites what came since (I-19)."""

    def __init__(self, checks: Checks, is_at_exchange: Callable[[Order], bool]) -> None:
        self.ages_hold = True  # False once a life began on a wrong clock
        self._checks = checks
        self._is_at_exchange = is_at_exchange

    def see(self, record: Record, before: Order | None, after: Order | None) -> None:
        """Look at what a study did to an order we had."""
        if before is None or after is None or not record.causation_id.startswith("StudyHistory@"):
            return
        that, name = self._checks.that, after.order_id
        that("I-19", after.qty_filled >= before.qty_filled, "{} was set back by a history", name)
        event = record.event
        missing = (
            isinstance(event, OrderFlagged) and event.flag is Flag.DISPUTED and "does not hold" in event.text
        )
        if missing and self.ages_hold:
            that("I-19", not self._is_at_exchange(after), "{} was called missing and is there", name)


class HaltWitness:
    """A halt ends by a person who has compared the books since (I-50)."""

    def __init__(
        self, checks: Checks, elapsed_ns: Callable[[], int], compared_ns: Callable[[], int], slack_ns: int
    ) -> None:
        """`compared_ns` is when the newest answered balance was asked for; `slack_ns` a commit's time."""
        self._checks = checks
        self._elapsed_ns = elapsed_ns
        self._compared_ns = compared_ns
        self._slack_ns = slack_ns
        self._since_ns = 0

    def see(self, record: Record, before: Order | None, after: Order | None) -> None:
        """Note a halt; question its end."""
        event = record.event
        if isinstance(event, TradingHalted):
            self._since_ns = self._elapsed_ns()
        elif isinstance(event, TradingResumed):
            that, compared_ns = self._checks.that, self._compared_ns()
            that("I-50", bool(event.by and event.text), "trading goes on and nobody says who decided it")
            newer = compared_ns >= self._since_ns - self._slack_ns
            text = "halted at {} ns, resumed on a comparison of {} ns"
            that("I-50", newer, text, self._since_ns, compared_ns)


def _intent(order: Order) -> tuple[object, ...]:
    return (
        *(order.account_id, order.symbol, order.side, order.order_type, order.tif, order.currency),
        *(order.idempotency_key, order.client_order_id, order.created_by, order.strategy_id),
        *(order.strategy_version, order.signal_ts_ns, order.correlation_id, order.created_ns),
    )
