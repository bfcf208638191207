"""What every durable record must satisfy, checked once, in order, the moment it is on the disk.

The records are read from the disk's bytes. A shadow book folds them; beside it, sums are kept that do not
come from our rules, and the exchange is asked what really happened.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from jumun.exchange.market import Market
from jumun.exchange.records import OrderRecord
from jumun.model.events import (
    AttemptNotReceived,
    BreakFound,
    CancelAnswered,
    CancelIntended,
    CancelRequested,
    CostsCorrected,
    EntryBooked,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    ModifyAnswered,
    ModifyIntended,
    NoticeCounted,
    OpeningBooked,
    OrderAccepted,
    OrderCancelled,
    OrderCreated,
    OrderEvent,
    OrderFlagged,
    OrderModified,
    OrderRejected,
    OrderResting,
    OrderSent,
    OrderUnknown,
    Recovered,
    SendIntended,
    SendNotLeft,
    StopTriggered,
    UnknownNotFound,
)
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.journal import GENESIS, Record, chain_hash, decode_record
from jumun.model.orders import BrokerRef, Flag, Order, OrderStatus, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import ModifyRequest, SubmitRequest
from jumun.rules.book import Book
from jumun.rules.order_machine import ImpossibleTransition
from jumun.store.memory_disk import StoredRecord
from jumun.store.transitions import may_follow
from jumun.testing.cells import Cells
from jumun.testing.day_witness import Witness
from jumun.testing.invariants import Checks

ZERO: Final = Decimal(0)
NS: Final = 1_000_000_000
EVIDENCE: Final = (OrderSent, OrderAccepted, OrderRejected, OrderCancelled, OrderResting, FillBooked)
BESIDE: Final = (CancelAnswered, CancelRequested, CancelIntended, ModifyAnswered, ModifyIntended)
OURS: Final = "jumun"


class RecordChecks:
    """Folds what is durable and checks each record. `book` never forgets a closed order."""

    def __init__(
        self,
        checks: Checks,
        market: Market,
        elapsed_ns: Callable[[], int],
        *,
        timeout_s: int,
        queue_timeout_s: int,
        slack_ns: int,
        visible_after_ns: int,
    ) -> None:
        self.book = Book(recent_max=1_000_000)
        self.intended: dict[tuple[str, int], SubmitRequest] = {}
        self.proven_absent: set[tuple[str, int]] = set()  # attempts that never left or never arrived
        self.jumps: set[str] = set()  # subjects whose balance somebody changed without a word (F-54)
        self.modify_intended: dict[str, list[ModifyRequest]] = {}
        self.prices_of: dict[
            str, set[Decimal | None]
        ] = {}  # every limit that a number has had at the exchange
        self._busted: set[str] = set()  # orders with a fill that was taken back: their sums have a history
        self._by_number: dict[str, tuple[Decimal, Decimal]] = {}  # what we booked under each
        self.oracle_order_of: dict[str, list[str]] = {}  # our order id: the exchange's keys
        self.fills: dict[str, list[FillBooked]] = {}
        self.created_ns: dict[str, int] = {}  # virtual instants
        self.cash: dict[tuple[str, str], Decimal] = {}
        self.shares: dict[tuple[str, str], Decimal] = {}
        self.cells = Cells()
        self.witnesses: list[Witness] = []
        self.ages_hold = True  # False once a life began on a stepped wall clock: then ages are its guess
        self._checks = checks
        self._market = market
        self._elapsed_ns = elapsed_ns
        self._timeout_ns = timeout_s * NS - slack_ns
        self.slack_ns = slack_ns
        self._queue_timeout_ns = queue_timeout_s * NS - slack_ns
        self._visible_after_ns = visible_after_ns
        self.attempt_ns: dict[tuple[str, int], int] = {}
        self._mapped: dict[tuple[str, str, str], str] = {}
        self._hash = GENESIS
        self._trial: dict[tuple[str, str], Decimal] = {}

    def take(self, stored: StoredRecord) -> Record:
        """Check the next record and fold it."""
        that = self._checks.that
        self._hash = chain_hash(self._hash, stored.body)
        that("I-26", self._hash == stored.hash, "record {} does not follow in the chain", self.book.seq + 1)
        record = decode_record(stored.body)
        that("I-26", record.seq == self.book.seq + 1, "record {} follows {}", record.seq, self.book.seq)
        event = record.event
        before = after = None
        if isinstance(event, OrderEvent):
            before, after = self._order_event(record, event)
        else:
            self.book.apply(record)
            self._other_event(event)
        for witness in self.witnesses:
            witness.see(record, before, after)
        return record

    def busted_keys(self) -> set[str]:
        """The exchange's orders of which a fill was taken back or repriced."""
        return {f"{bust.trade_date}/{bust.branch}/{bust.number}" for bust in self._market.busts}

    def oracle_orders(self, order_id: str) -> list[OrderRecord]:
        """The exchange's orders that carry our id in their tag."""
        return [self._market.orders[key] for key in self.oracle_order_of.get(order_id, ())]

    # ---- events about one order --------------------------------------------------------------------

    def _order_event(self, record: Record, event: OrderEvent) -> tuple[Order | None, Order]:
        before = self.book.order(event.order_id)
        if isinstance(event, SendIntended):
            self._intended(record, event)
        try:
            after = self.book.apply(record).after
        except ImpossibleTransition as error:
            self._checks.fail("I-16", str(error))
            raise
        assert after is not None, "the shadow book remembers every order"
        if before is None:
            self.created_ns[after.order_id] = self._elapsed_ns()
        else:
            self._change(event, before, after)
        self.cells.change(before, after)
        self._what_happened(event, after, record)
        return before, after

    def _change(self, event: OrderEvent, before: Order, after: Order) -> None:
        that, name = self._checks.that, after.order_id
        that(
            "I-16", may_follow(before.status, after.status), "{}: {} to {}", name, before.status, after.status
        )
        if not isinstance(event, FillReversed):
            that("I-06", after.qty_filled >= before.qty_filled, "{} lost filled shares", name)
            that("I-06", after.amount_filled >= before.amount_filled, "{} lost filled money", name)
        that("I-01", ZERO <= after.qty_filled <= after.qty, "{}: {} of {}", name, after.qty_filled, after.qty)
        that("I-02", after.qty == after.qty_filled + after.qty_left, "{} lost shares", name)
        if before.status.is_final:
            that(
                "I-17", after.status is before.status, "{} left {} for {}", name, before.status, after.status
            )
        if before.is_unknown:
            known = after.is_unknown or isinstance(event, EVIDENCE)
            that("I-15", known, "{} left UNKNOWN by {}", name, type(event).__name__)
        that("I-03", after.qty <= before.qty, "{} grew from {} to {}", name, before.qty, after.qty)
        if isinstance(event, BESIDE):
            that("I-18", after.status is before.status, "{}: {} moved it", name, type(event).__name__)
            that("I-20", after.qty_left == before.qty_left, "{}: a request is no proof", name)

    def _what_happened(self, event: OrderEvent, after: Order, record: Record) -> None:
        match event:
            case FillBooked():
                self._fill(event, after, record)
            case FillReversed():
                self._reversed(event, after)
            case CostsCorrected():
                for row in event.ledger:
                    self._enter(row)
                self._post(event.ledger)
            case OrderSent():
                self._sent(event, after)
            case OrderCancelled():
                self._cancelled(event, after)
            case OrderRejected():
                self._ended(after, event.raw)
            case AttemptNotReceived():
                self._not_received(event)
            case SendNotLeft():
                self.proven_absent.add((event.order_id, event.attempt))
                self._not_at_exchange(event.order_id, event.attempt)
            case ForeignOrderAdopted():
                theirs = self._market.orders[_key_of(after)]
                self._checks.that("I-42", theirs.client != OURS, "{} is ours, taken for foreign", theirs.key)
                self._checks.reach("foreign order adopted")
                self._map(after)
            case CancelRequested():
                if event.reason is Reason.ORDER_TIMEOUT:
                    self._lived_long_enough(after, self._timeout_ns)
            case ModifyIntended():
                self._modify_intended(event, record)
            case ModifyAnswered():
                self._checks.reach(f"a modify ended as {event.outcome}")
            case OrderModified():
                self._modified(event, after)
            case OrderResting():
                self._rests(event, after)
            case StopTriggered():
                self._checks.reach("a stop was triggered")
            case OrderUnknown() | UnknownNotFound() | NoticeCounted() | OrderFlagged():
                self._rare(event)
            case OrderCreated() | SendIntended() | CancelAnswered() | CancelIntended():
                return
            case _:
                return

    def _intended(self, record: Record, event: SendIntended) -> None:
        that = self._checks.that
        that("I-41", record.causation_id.startswith("SendNext@"), "{} sends", record.causation_id)
        that("I-45", self.book.halt is None, "a send of {} was intended in a halt", event.order_id)
        earlier = (event.order_id, event.attempt - 1)
        proven = event.attempt == 1 or earlier in self.proven_absent
        that("I-07", proven, "{} attempt {}: the one before may have arrived", event.order_id, event.attempt)
        self.intended[event.order_id, event.attempt] = event.request
        self.attempt_ns[event.order_id, event.attempt] = self._elapsed_ns()

    def _reversed(self, event: FillReversed, after: Order) -> None:
        """A fill that the exchange took back, and nobody else (F-53): money and shares follow (I-32)."""
        key = _ref_key(event.ref)
        known = [bust for bust in self._market.busts if f"bust:{bust.identity}" == event.identity]
        self._checks.that("I-06", bool(known), "{} took back {} by itself", after.order_id, event.identity)
        self._busted.add(after.order_id)
        qty, amount = self._by_number.get(key, (ZERO, ZERO))
        self._by_number[key] = (qty - event.qty, amount - event.amount)
        for row in event.ledger:
            self._enter(row)
        self._post(event.ledger)
        self._checks.reach("a fill was reversed in the books")

    def _modify_intended(self, event: ModifyIntended, record: Record) -> None:
        asked = record.causation_id.startswith("ModifyOrder@")
        self._checks.that("I-41", asked, "{} asks for a modify", record.causation_id)
        self.modify_intended.setdefault(event.order_id, []).append(event.request)

    def _modified(self, event: OrderModified, after: Order) -> None:
        """New terms in force: the number is ours, and the exchange has these terms for it, or had (I-11)."""
        self._map(after)
        if event.ref is None:
            self._checks.reach("an order was modified before it left")
            return
        theirs = self._market.orders.get(_key_of(after))
        claimed = theirs is not None and theirs.tag.split("/")[0] == after.order_id
        self._checks.that(
            "I-11", claimed, "{} has new terms as {}, which is {}", after.order_id, event.ref, theirs
        )
        known = event.terms.price in self.prices_of.get(_key_of(after), ())
        self._checks.that("I-03", known, "{} never had the price {}", after.order_id, event.terms.price)
        if "reply" not in event.evidence:
            self._checks.reach("a modify was found without its reply")

    def _rests(self, event: OrderResting, after: Order) -> None:
        """An order rests only when nothing of it can execute any more (I-49)."""
        self.proven_absent.add((after.order_id, after.attempt))
        alive = [order.key for order in self.oracle_orders(after.order_id) if order.is_open]
        self._checks.that("I-49", not alive, "{} rests here but {} can still fill", after.order_id, alive)
        self._checks.that("I-15", bool(event.evidence), "{} rests without evidence", after.order_id)
        self._checks.reach("an order rests until the next session")

    def _sent(self, event: OrderSent, after: Order) -> None:
        self._map(after)
        theirs = self._market.orders.get(_key_of(after))
        claimed = theirs is not None and theirs.tag.split("/")[0] == after.order_id
        self._checks.that(
            "I-11", claimed, "{} claims {}, which is {}", after.order_id, event.ref.number, theirs
        )
        if event.evidence != "reply":
            self._checks.reach("unknown order found in the history")

    def _map(self, after: Order) -> None:
        for ref in after.refs:
            key = (after.account_id, ref.trade_date, ref.branch + ref.number)
            owner = self._mapped.setdefault(key, after.order_id)
            self._checks.that("I-11", owner == after.order_id, "{} has two orders: {}", key, owner)

    def _cancelled(self, event: OrderCancelled, after: Order) -> None:
        self._ended(after, event.evidence)
        if event.reason is Reason.NOT_RECEIVED:
            self._checks.reach("unknown order ended as not received")
        if after.qty_filled:
            self._checks.reach("cancelled with a part filled")
        waited = event.reason is Reason.EXPIRED and not after.refs and not after.attempt
        if waited and event.text.startswith("it waited too long"):
            self._lived_long_enough(after, min(self._timeout_ns, self._queue_timeout_ns))

    def _ended(self, after: Order, evidence: str) -> None:
        """An end needs evidence, and the exchange must agree that nothing of it can execute (I-49)."""
        that = self._checks.that
        that("I-15", bool(evidence), "{} ended without evidence", after.order_id)
        alive = [order.key for order in self.oracle_orders(after.order_id) if order.is_open]
        that("I-49", not alive, "{} ended here but {} can still fill", after.order_id, alive)

    def _not_received(self, event: AttemptNotReceived) -> None:
        self.proven_absent.add((event.order_id, event.attempt))
        self._not_at_exchange(event.order_id, event.attempt)
        waited = self._elapsed_ns() - self.attempt_ns[event.order_id, event.attempt]
        enough = waited >= self._visible_after_ns or not self.ages_hold
        self._checks.that("I-62", enough, "{} was called absent after {} ns", event.order_id, waited)
        self._checks.reach("unknown order not received, sent again")

    def _not_at_exchange(self, order_id: str, attempt: int) -> None:
        tag = f"{order_id}/{attempt}"
        arrived = [order.key for order in self.oracle_orders(order_id) if order.tag == tag]
        self._checks.that("I-07", not arrived, "{} was called not received but is {}", tag, arrived)

    def _lived_long_enough(self, after: Order, least_ns: int) -> None:
        if after.tif is TimeInForce.GTD or after.stop_price is not None:
            return  # these end with their session
        age = self._elapsed_ns() - self.created_ns[after.order_id]
        enough = age >= least_ns or not self.ages_hold
        self._checks.that("I-62", enough, "{} timed out at the age of {} ns", after.order_id, age)

    # ---- fills ------------------------------------------------------------------------------------------

    def _fill(self, event: FillBooked, after: Order, record: Record) -> None:
        that, fill, name = self._checks.that, event.fill, after.order_id
        mine = self.fills.setdefault(name, [])
        identities = {other.fill.identity for other in mine}
        that("I-12", fill.identity not in identities, "{} booked {} twice", name, fill.identity)
        twins = [o for o in mine if _look(o) == _look(event)]
        if twins:
            self._checks.reach("identical twin fills")
        mine.append(event)
        if name not in self._busted:
            booked = sum((f.fill.amount for f in mine), ZERO)
            that("I-04", after.amount_filled == booked, "{} amount", name)
        limits = [price for price in self.prices_of.get(_ref_key(fill.ref), ()) if price is not None]
        if limits:
            good = fill.price <= max(limits) if after.side is Side.BUY else fill.price >= min(limits)
            that("I-05", good, "{} filled at {} against {}", name, fill.price, limits)
        self._against_oracle(event, after)
        self._money(event, after)
        if after.status in (OrderStatus.CANCELLED, OrderStatus.REJECTED):
            that("I-17", Flag.LATE_FILL in after.flags, "{} filled late without a flag", name)
            self._checks.reach("late fill")
        if after.cancel_requested_ns is not None:
            self._checks.reach("cancel crosses a fill")
        if record.causation_id.startswith("Study"):
            self._checks.reach("fill learnt from the history")

    def _against_oracle(self, event: FillBooked, after: Order) -> None:
        """What we booked under each number is at most what traded there, and equal once we know all of it."""
        that, name, fill = self._checks.that, after.order_id, event.fill
        key = _ref_key(fill.ref)
        theirs = self._market.orders.get(key)
        assert theirs is not None, f"{name} filled under a number the exchange never gave"
        mine = theirs.tag.split("/")[0] == name if theirs.client == OURS else Flag.FOREIGN in after.flags
        that("I-64", mine, "{} took a fill of {}, which is {}", name, key, theirs.tag or theirs.client)
        qty, amount = self._by_number.get(key, (ZERO, ZERO))
        qty, amount = qty + fill.qty, amount + fill.amount
        self._by_number[key] = (qty, amount)
        traded = theirs.qty_filled + theirs.qty_busted  # what was taken back may be heard of later
        that("I-43", qty <= traded, "{}: we booked more than traded", name)
        if any(key in (one.key for one in self.oracle_orders(name)) for key in self.busted_keys()):
            return
        if qty == theirs.qty_filled:
            that(
                "I-09",
                amount == theirs.amount_filled,
                "{}: {} here, {} there",
                name,
                amount,
                theirs.amount_filled,
            )
        whole = self.oracle_orders(name) or [theirs]
        if after.qty_filled == sum((one.qty_filled for one in whole), ZERO):
            self._costs(after, whole)

    def _costs(self, after: Order, whole: list[OrderRecord]) -> None:
        """Fees and taxes are those the exchange took, by kind, from the first fill on (I-37, F-63)."""
        taken: dict[str, Decimal] = {}
        executions = (done for one in whole for done in self._market.executions_of(one.key))
        for execution in executions:
            for kind, amount in execution.costs.items():
                taken[kind] = taken.get(kind, ZERO) + amount
        ours = {kind: amount for kind, amount in after.costs.items() if amount}
        same = ours == {kind: amount for kind, amount in taken.items() if amount}
        self._checks.that("I-37", same, "{} costs {} here, {} there", after.order_id, ours, taken)

    def _money(self, event: FillBooked, after: Order) -> None:
        fill, that = event.fill, self._checks.that
        sign = 1 if fill.side is Side.BUY else -1
        costs = sum((_cost(row) for row in event.ledger), ZERO)
        place, purse = (fill.account_id, fill.symbol), (fill.account_id, fill.currency.value)
        self.shares[place] = self.shares.get(place, ZERO) + sign * fill.qty
        self.cash[purse] = self.cash.get(purse, ZERO) - sign * fill.amount - costs
        self._post(event.ledger)
        held = self.book.positions[fill.account_id, fill.symbol]
        that("I-29", held.qty == self.shares[place], "{}: {} but {}", place, held.qty, self.shares[place])
        that("I-35", held.qty >= ZERO, "{} is short: {}", place, held.qty)
        cash = self.book.cash[fill.account_id, fill.currency.value]
        that("I-30", cash == self.cash[purse], "{}: {} but {}", purse, cash, self.cash[purse])

    def _post(self, rows: tuple[LedgerRow, ...]) -> None:
        that = self._checks.that
        for row in rows:
            that("I-32", row.amount > ZERO and row.debit is not row.credit, "{} moves nothing", row)
            self._trial_add(row.currency.value, row.debit, row.amount)
            self._trial_add(row.currency.value, row.credit, -row.amount)
        if rows:
            currency = rows[0].currency.value
            total = sum((v for (of, _), v in self._trial.items() if of == currency), ZERO)
            that("I-32", total == ZERO, "the {} accounts sum to {}", currency, total)
            booked = sum((v for (_, of), v in self.book.cash.items() if of == currency), ZERO)
            entered = self._trial[currency, LedgerAccount.CASH.value]
            that("I-32", entered == booked, "CASH holds {} in the ledger, {} in the book", entered, booked)

    def _trial_add(self, currency: str, account: LedgerAccount, amount: Decimal) -> None:
        key = (currency, account.value)
        self._trial[key] = self._trial.get(key, ZERO) + amount

    # ---- the rest ---------------------------------------------------------------------------------------

    def _other_event(self, event: object) -> None:
        if isinstance(event, OpeningBooked):
            for row in event.rows:
                if row.debit is LedgerAccount.CASH:
                    purse = (row.account_id, row.currency.value)
                    self.cash[purse] = self.cash.get(purse, ZERO) + row.amount
                if row.qty:
                    place = (row.account_id, row.symbol)
                    self.shares[place] = self.shares.get(place, ZERO) + row.qty
            for row in event.rows:
                self._trial_add(row.currency.value, row.debit, row.amount)
                self._trial_add(row.currency.value, row.credit, -row.amount)
        elif isinstance(event, EntryBooked):
            for row in event.rows:
                self._enter(row)
            self._post(event.rows)
        elif isinstance(event, BreakFound):
            known = event.subject in self.jumps
            self._checks.that("I-43", known, "a break was declared: {}", event.text)
            self._checks.reach("a break was found")
        elif isinstance(event, Recovered):
            self._recovered()

    def _enter(self, row: LedgerRow) -> None:
        purse = (row.account_id, row.currency.value)
        for account, sign in ((row.debit, 1), (row.credit, -1)):
            if account is LedgerAccount.CASH:
                self.cash[purse] = self.cash.get(purse, ZERO) + sign * row.amount
        if row.qty:
            place = (row.account_id, row.symbol)
            self.shares[place] = self.shares.get(place, ZERO) + row.qty

    def _recovered(self) -> None:
        """Nothing in flight may be left without a name for its state (I-23)."""
        for order in self.book.open.values():
            named = not (order.attempt_open and order.status is OrderStatus.NEW)
            self._checks.that("I-23", named, "{} is in flight and nobody waits for it", order.order_id)
        self._checks.that("I-23", True, "")

    def _rare(self, event: OrderEvent) -> None:
        if isinstance(event, OrderUnknown):
            crashed = event.reason is Reason.CRASHED_IN_FLIGHT
            self._checks.reach("unknown after a crash" if crashed else "unknown after no reply")
        elif isinstance(event, UnknownNotFound):
            self._checks.reach("unknown order absent once")
        elif isinstance(event, NoticeCounted):
            self._checks.reach("notice explained a fill booked before")
        elif isinstance(event, OrderFlagged):
            self._checks.reach(f"flag {event.flag.value}")


def _key_of(order: Order) -> str:
    ref = order.newest_ref
    assert ref is not None, f"{order.order_id} has no number"
    return f"{ref.trade_date}/{ref.branch}/{ref.number}"


def _ref_key(ref: BrokerRef | None) -> str:
    assert ref is not None, "a fill names the number that filled"
    return f"{ref.trade_date}/{ref.branch}/{ref.number}"


def _look(event: FillBooked) -> tuple[int, Decimal, Decimal]:
    return (event.fill.ts_event_ns // NS, event.fill.price, event.fill.qty)


def _cost(row: LedgerRow) -> Decimal:
    if row.kind not in (LedgerKind.FEE, LedgerKind.TAX):
        return ZERO
    return row.amount if row.credit is LedgerAccount.CASH else -row.amount
