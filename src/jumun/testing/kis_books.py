"""The desk's records of a day on KIS, held against the market: each when it is durable, all at the end.

The records are read from the disk's bytes and folded beside the desk; the market is asked what happened.
"""

from decimal import Decimal
from typing import Final

from jumun.exchange.records import OrderRecord
from jumun.model.events import (
    AttemptNotReceived,
    BreakFound,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    ModifyIntended,
    OrderCancelled,
    OrderEvent,
    OrderModified,
    OrderRejected,
    OrderSent,
    OrderUnknown,
    SendIntended,
    SendNotLeft,
)
from jumun.model.ids import BrokerOrderNo
from jumun.model.journal import GENESIS, chain_hash, decode_record
from jumun.model.orders import BrokerRef, Flag, Order
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerState
from jumun.rules.book import Book
from jumun.store.memory_disk import StoredRecord
from jumun.testing.invariants import Checks
from jumun.testing.kis_oracle import ZERO, Oracle
from jumun.testing.kis_stack import ACCOUNT

NEVER_CAME: Final = (Reason.NOT_RECEIVED, Reason.NOT_SENT)


class KisBooks:
    """Folds what is durable into `book`, which never forgets a closed order."""

    def __init__(self, checks: Checks, oracle: Oracle) -> None:
        self.book = Book(recent_max=1_000_000)
        self._checks = checks
        self._oracle = oracle
        self._hash = GENESIS
        self._booked: dict[BrokerRef, tuple[Decimal, Decimal]] = {}
        self._owners: dict[BrokerRef, str] = {}

    # ---- each record --------------------------------------------------------------------------------------

    def take(self, stored: StoredRecord) -> None:
        """Check the next record and fold it."""
        self._hash = chain_hash(self._hash, stored.body)
        record = decode_record(stored.body)
        follows = self._hash == stored.hash and record.seq == self.book.seq + 1
        self._checks.that("I-26", follows, "record {} does not follow in the chain", record.seq)
        self._checks.step(
            f"{record.seq} {type(record.event).__name__} {getattr(record.event, 'order_id', '')}"
        )
        event = record.event
        if isinstance(event, SendIntended):
            self._intended(event)
        elif isinstance(event, ModifyIntended):
            meant = self._oracle.modifies_intended
            meant[event.order_id] = meant.get(event.order_id, 0) + 1
        change = self.book.apply(record)
        if isinstance(event, OrderEvent):
            assert change.after is not None, "this book remembers every order"
            self._happened(event, change.after)
        elif isinstance(event, BreakFound):
            self._checks.fail("I-43", f"a break was declared: {event.text}")

    def _intended(self, event: SendIntended) -> None:
        key = (event.order_id, event.attempt - 1)
        proven = event.attempt == 1 or key in self._oracle.absent or self._oracle.rests(*key)
        self._checks.that(
            "I-07", proven, "{} attempt {}: the one before may be there", event.order_id, event.attempt
        )
        self._oracle.intended.add((event.order_id, event.attempt))

    def _happened(self, event: OrderEvent, after: Order) -> None:
        match event:
            case FillBooked():
                self._filled(event, after)
            case FillReversed():
                self._checks.fail("I-43", f"{after.order_id} took a fill back, and no exchange did")
            case SendNotLeft():
                self._never_came(after, event.attempt)
            case AttemptNotReceived():
                self._never_came(after, event.attempt)
                self._checks.reach("unknown order not received")
            case OrderSent() | OrderModified():
                self._numbered(after)
                if isinstance(event, OrderSent) and event.evidence != "reply":
                    self._checks.reach("unknown order found in the list")
            case OrderCancelled():
                self._ended(after, event.evidence)
                if event.reason in NEVER_CAME:
                    for attempt in range(1, after.attempt + 1):
                        self._never_came(after, attempt)
            case OrderRejected():
                self._ended(after, event.raw)
            case ForeignOrderAdopted():
                self._adopted(after)
            case OrderUnknown():
                self._checks.reach(f"unknown: {event.reason}")

    def _filled(self, event: FillBooked, after: Order) -> None:
        """Under each number at most what traded there, and all its money once all of it is known."""
        that, fill = self._checks.that, event.fill
        ref = fill.ref
        assert ref is not None, "a fill names the number that filled"
        foreign = Flag.FOREIGN in after.flags
        mine = self._oracle.owner(ref) == ("" if foreign else after.order_id)
        that(
            "I-64", mine, "{} took a fill of {}, which is {}'s", after.order_id, ref, self._oracle.owner(ref)
        )
        qty, amount = self._booked.get(ref, (ZERO, ZERO))
        qty, amount = qty + fill.qty, amount + fill.amount
        self._booked[ref] = (qty, amount)
        traded, worth = self._oracle.traded(ref)
        that("I-43", qty <= traded, "{}: {} booked of {} under {}", after.order_id, qty, traded, ref)
        if qty == traded:
            that("I-09", amount == worth, "{}: {} booked for {} under {}", after.order_id, amount, worth, ref)

    def _never_came(self, after: Order, attempt: int) -> None:
        self._oracle.absent.add((after.order_id, attempt))
        there = self._oracle.is_taken(after.order_id, attempt)
        # A multi-day order ends as never received for the attempt of its last day alone.
        there = there and not self._oracle.rests(after.order_id, attempt)
        self._checks.that("I-07", not there, "{} attempt {} is there", after.order_id, attempt)

    def _numbered(self, after: Order) -> None:
        mine = "" if Flag.FOREIGN in after.flags else after.order_id
        for ref in after.refs:
            owner = self._oracle.owner(ref)
            self._checks.that("I-11", owner == mine, "{} claims {}, of {}", after.order_id, ref, owner)
            first = self._owners.setdefault(ref, after.order_id)
            self._checks.that("I-11", first == after.order_id, "{} has two orders", ref)

    def _ended(self, after: Order, evidence: str) -> None:
        self._checks.that("I-15", bool(evidence), "{} ended without evidence", after.order_id)
        alive = self._oracle.open_of(after.order_id)
        self._checks.that("I-49", not alive, "{} ended and {} can still fill", after.order_id, alive)

    def _adopted(self, after: Order) -> None:
        for ref in after.refs:
            there = bool(self._oracle.under(ref))
            self._checks.that("I-42", there, "{} is nobody's number", ref)
            owner = self._oracle.owner(ref)
            self._checks.that("I-42", not owner, "{} of {} was taken for foreign", ref, owner)
        self._checks.reach("foreign order adopted")

    # ---- all of them --------------------------------------------------------------------------------------

    def same_as(self, book: Book, invariant: str) -> None:
        """The desk's book is the fold of every record on the disk."""
        ours, folded = book.image(), self.book.image()
        differ = [name for name in ours.__struct_fields__ if getattr(ours, name) != getattr(folded, name)]
        self._checks.that(invariant, not differ, "the book differs from the fold of the disk in {}", differ)

    def agree(self) -> None:
        """Orders, fills, shares and cash equal the market's; what only a person can decide is left out."""
        left_out = self._orders()
        balance = self._oracle.market.balance_of(ACCOUNT)
        cash, shares = dict(balance.cash), dict(balance.holdings)
        for key in left_out:
            for done in self._oracle.market.executions_of(key):
                cash[done.currency.value] -= done.cash_change
                shares[done.symbol] = shares.get(done.symbol, ZERO) - done.qty_change
        for currency, there in cash.items():
            ours = self.book.cash.get((ACCOUNT, currency), ZERO)
            self._checks.that("I-38", ours == there, "{}: {} here, {} there", currency, ours, there)
        for symbol in sorted({*shares, *(symbol for _, symbol in self.book.positions)}):
            held = self.book.positions.get((ACCOUNT, symbol))
            ours = ZERO if held is None else held.qty
            there = shares.get(symbol, ZERO)
            self._checks.that("I-38", ours == there, "{}: {} here, {} there", symbol, ours, there)

    def _orders(self) -> list[str]:
        orders = {**self.book.open, **self.book.recent}
        owners = {ref: order for order in orders.values() for ref in order.refs}
        left_out = []
        for key, theirs in self._oracle.market.orders.items():
            if self._oracle.records.is_continuation(key):
                continue
            ref = BrokerRef(
                trade_date=theirs.trade_date, branch=theirs.branch, number=BrokerOrderNo(theirs.number)
            )
            if ref not in owners:
                refused = theirs.state is BrokerState.REJECTED and not theirs.qty_filled
                by_hand = key in self._oracle.by_hand or theirs.client != self._oracle.client
                if refused and by_hand:
                    continue  # a person asked for it, and nothing of it can trade
                named = self._is_for_a_person(theirs)
                self._checks.that("I-38", named, "{} ({} {}) is in no book", key, theirs.client, theirs.tag)
                left_out += [one.key for one in self._oracle.under(ref)]
        for order in orders.values():
            if order.refs:
                self._order(order)
        return left_out

    def _order(self, order: Order) -> None:
        traded = [self._oracle.traded(ref) for ref in order.refs]
        there = (sum((qty for qty, _ in traded), ZERO), sum((amount for _, amount in traded), ZERO))
        ours = (order.qty_filled, order.amount_filled)
        self._checks.that("I-09", ours == there, "{}: {} filled here, {} there", order.order_id, ours, there)
        lives = any(one.is_open for ref in order.refs for one in self._oracle.under(ref))
        waits = order.is_carried or order.is_unknown or order.attempt_open  # … for a session or a decision
        self._checks.that(
            "I-38",
            lives or waits or order.status.is_final,
            "{} is {} here and over there",
            order.order_id,
            order.status,
        )

    def _is_for_a_person(self, theirs: OrderRecord) -> bool:
        """An order of ours that is disputed, or somebody else's that looks like an unknown one (F-45).

        What a person made of that one waits with it.
        """
        while theirs.replaces:
            theirs = self._oracle.market.orders[theirs.replaces]
        unknown = [order for order in self.book.open.values() if order.is_unknown]
        if theirs.client == self._oracle.client:
            mine = theirs.tag.partition("/")[0]
            return any(order.order_id == mine and Flag.DISPUTED in order.flags for order in unknown)
        look = (theirs.symbol, theirs.side, theirs.qty, theirs.price)
        return any((one.symbol, one.side, one.qty, one.price) == look for one in unknown)
