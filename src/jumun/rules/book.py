"""The book: open orders, positions, cash and reservations, as a fold over the journal (I-24, I-25).

Only `apply` changes it. Closed orders leave: a bounded number of recent ones stay as a cache, which is
not part of the fold, and the shell hands back any other one that a command needs (`admit`).
"""

from collections import OrderedDict
from decimal import Decimal
from typing import Final, TypeVar, assert_never, get_args

import msgspec

from jumun.model.breaks import Break
from jumun.model.days import DayStats
from jumun.model.events import (
    AnyOrderEvent,
    BreakAssigned,
    BreakFound,
    BreakSettled,
    CostsCorrected,
    EntryBooked,
    FillBooked,
    FillReversed,
    IntentDenied,
    MarksRecorded,
    OpeningBooked,
    OrderEvent,
    Recovered,
    ReportKept,
    TradingHalted,
    TradingResumed,
)
from jumun.model.fills import LedgerRow
from jumun.model.ids import AccountId, IdempotencyKey, OrderId
from jumun.model.journal import Record
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, Order, OrderStatus, OrderType, Side
from jumun.model.positions import Position
from jumun.model.reasons import Reason
from jumun.rules.day_stats import count, counts, day_of, keep_newest
from jumun.rules.halts import outranks
from jumun.rules.ledger import apply_rows, cash_change
from jumun.rules.order_machine import evolve
from jumun.rules.reserve import coming_shares, reserved_cash, reserved_shares, ties_up_the_same
from jumun.rules.stops import StopIndex
from jumun.rules.sub_ledger import StrategyKey, entry_positions_after, sub_positions_after

ZERO: Final = Decimal(0)
RECENT_ORDERS_MAX: Final = 4_096  # far longer than a fetch of a closed order takes, at any rate we reach

# Some lists do not tell an auction kind from a plain one (kis.md 3.3.4): they must not look different here.
LISTED_AS: Final = {
    OrderType.LOO: OrderType.LIMIT,
    OrderType.LOC: OrderType.LIMIT,
    OrderType.MOO: OrderType.MARKET,
    OrderType.MOC: OrderType.MARKET,
}

PositionKey = tuple[AccountId, str]
CashKey = tuple[AccountId, str]
Shape = tuple[str, ...]
_Key = TypeVar("_Key")

UNSENT: Final = (OrderStatus.NEW, OrderStatus.ERROR)
_ORDER_EVENTS: Final[tuple[type[OrderEvent], ...]] = get_args(AnyOrderEvent)
BIRTHS: Final = frozenset(kind for kind in _ORDER_EVENTS if "order" in kind.__struct_fields__)
MOVES_MONEY: Final = frozenset(kind for kind in _ORDER_EVENTS if "ledger" in kind.__struct_fields__)


class Halt(msgspec.Struct, frozen=True):
    """Why no new order leaves."""

    reason: Reason
    text: str
    seq: int = 0  # the record of the newest halt: a resume names the one it lifts


class BookImage(msgspec.Struct, frozen=True, kw_only=True):
    """The whole book as a value: what a snapshot holds, and what two books are compared by."""

    seq: int
    ts_ns: int
    orders: list[Order]
    positions: list[Position]
    cash: list[tuple[str, str, Decimal]]
    halt: tuple[Reason, str, int] | None
    openings: list[tuple[str, str]]
    breaks: list[Break]
    explained: list[Break]
    strategies: list[tuple[str, Position]]
    days: list[DayStats]


class Applied(msgspec.Struct, frozen=True):
    """What one record changed, for the tables that are written with it."""

    before: Order | None = None
    after: Order | None = None
    positions: tuple[Position, ...] = ()


class Drafted(msgspec.Struct, frozen=True):
    """What a decision has worked out already for one of its events: its order and position, then and after.

    `held` is the position in the book or the draft before; None where the event moves no shares.
    """

    before: Order | None
    after: Order
    held: Position | None = None
    position: Position | None = None


class Book:
    """See the module. Every dictionary keeps insertion order, so a day replays exactly (I-63)."""

    def __init__(self, recent_max: int = RECENT_ORDERS_MAX) -> None:
        self.seq = 0
        self.ts_ns = 0
        self.open: dict[OrderId, Order] = {}
        self.recent: OrderedDict[OrderId, Order] = OrderedDict()
        self.positions: dict[PositionKey, Position] = {}
        self.cash: dict[CashKey, Decimal] = {}
        self.cash_reserved: dict[CashKey, Decimal] = {}
        self.shares_reserved: dict[PositionKey, Decimal] = {}
        self.shares_coming: dict[PositionKey, Decimal] = {}  # open quantity of executable buys
        self.halt: Halt | None = None
        self.openings: dict[str, str] = {}  # fingerprints of documents, by `document_key`
        self.breaks: dict[str, Break] = {}  # open ones, by id
        self.explained: dict[str, Break] = {}  # a person said why they stand; the same difference is no news
        self.strategies: dict[StrategyKey, Position] = {}  # sub-ledgers; per symbol they sum to the position
        # Indexes of `open` and `recent`, so that no decision scans.
        self.keys: dict[IdempotencyKey, OrderId] = {}
        self.client_ids: dict[tuple[str, str], OrderId] = {}
        self.refs: dict[tuple[AccountId, BrokerRef], OrderId] = {}
        self.waiting: dict[OrderId, None] = {}  # may be sent: nothing of them is in flight
        self.in_flight: dict[OrderId, Shape] = {}  # a send without an outcome
        self.shapes: dict[Shape, int] = {}  # how many in flight look alike (F-03: at most one)
        self.unknown: dict[OrderId, None] = {}
        self.modifies_unknown: dict[OrderId, None] = {}
        self.held: dict[PositionKey, int] = {}  # unknown orders by symbol: no new send there
        self.open_by_symbol: dict[PositionKey, dict[OrderId, None]] = {}
        self.occupied: dict[AccountId, dict[str, None]] = {}  # symbols with shares or open buys
        self.stops = StopIndex()  # stops that the desk holds
        self.days: dict[tuple[str, str], DayStats] = {}  # newest trading days of each account
        self._recent_max = recent_max

    # ---- reading ------------------------------------------------------------------------------

    def order(self, order_id: OrderId) -> Order | None:
        """Return an open or recently closed order."""
        return self.open.get(order_id) or self.recent.get(order_id)

    def order_by_key(self, key: IdempotencyKey) -> Order | None:
        """Return the open or recent order with this idempotency key."""
        order_id = self.keys.get(key)
        return None if order_id is None else self.order(order_id)

    def order_by_ref(self, account_id: AccountId, ref: BrokerRef) -> Order | None:
        """Return the open or recent order behind a broker's number of a day (I-64)."""
        order_id = self.refs.get((account_id, ref))
        return None if order_id is None else self.order(order_id)

    def position(self, account_id: AccountId, symbol: str, currency: str) -> Position:
        """Return the position; a flat one where there is none."""
        found = self.positions.get((account_id, symbol))
        if found is not None:
            return found
        return Position(account_id=account_id, symbol=symbol, currency=Currency(currency))

    def cash_free(self, account_id: AccountId, currency: str) -> Decimal:
        """Cash less everything reserved; sells are usable at once (net settlement)."""
        key = (account_id, currency)
        return self.cash.get(key, ZERO) - self.cash_reserved.get(key, ZERO)

    def shares_free(self, account_id: AccountId, symbol: str) -> Decimal:
        """Shares held less everything reserved by open sells."""
        key = (account_id, symbol)
        held = self.positions[key].qty if key in self.positions else ZERO
        return held - self.shares_reserved.get(key, ZERO)

    # ---- changing -----------------------------------------------------------------------------

    def apply(self, record: Record, drafted: Drafted | None = None) -> Applied:
        """Take a record in; the only way the book changes. Records come in order, without gaps.

        `drafted` saves working out a second time what the decision has worked out from the very same
        values; where the book holds others, it is not used.
        """
        assert record.seq == self.seq + 1, f"record {record.seq} cannot follow {self.seq}"
        self.seq = record.seq
        self.ts_ns = record.ts_ns
        event = record.event
        match event:
            case OrderEvent():
                return self._apply_order(event, record.ts_ns, drafted)
            case OpeningBooked():
                return self._book_entry(event)
            case EntryBooked():
                return self._book_entry(event)
            case MarksRecorded():
                return Applied(positions=self._mark(event, record.ts_ns))
            case TradingHalted():
                keep = self.halt is not None and outranks(self.halt.reason, event.reason)
                reason, text = (
                    (self.halt.reason, self.halt.text)
                    if keep and self.halt is not None
                    else (event.reason, event.text)
                )
                self.halt = Halt(reason, text, record.seq)
            case TradingResumed():
                self.halt = None
            case BreakFound():
                self._find_break(event, record.ts_ns)
            case BreakAssigned():
                known = self.breaks[event.break_id]
                self.breaks[event.break_id] = msgspec.structs.replace(
                    known, owner=event.owner, note=event.text
                )
            case BreakSettled():
                settled = self.breaks.pop(event.break_id, None) or self.explained.pop(event.break_id, None)
                if event.how == "explained" and settled is not None:
                    self.explained[event.break_id] = settled
            case IntentDenied() | ReportKept() | Recovered():
                return Applied()
            case _:
                assert_never(event)
        return Applied()

    def admit(self, order: Order) -> None:
        """Put a closed order that the shell fetched back within reach; not a fact, only a cache."""
        if order.order_id in self.open or order.order_id in self.recent:
            return
        assert order.status.is_final, f"{order.order_id} is {order.status} but not in the book"
        self._remember(order)

    def _apply_order(self, event: OrderEvent, ts_ns: int, drafted: Drafted | None) -> Applied:
        before = self.order(event.order_id)
        if drafted is not None and drafted.before is not before:
            drafted = None
        positions: tuple[Position, ...] = ()
        if type(event) in MOVES_MONEY:
            assert isinstance(event, (FillBooked, FillReversed, CostsCorrected)), type(event)
            positions = self._post(event.ledger, drafted)
            self.strategies.update(sub_positions_after(self.strategies, event))
        if before is None and type(event) not in BIRTHS:
            # A late fill of an order closed before the snapshot: the money counts, the order is not here.
            self._count_day(event, None, None)
            return Applied(positions=positions)
        # OrderEvent is the base of the union that evolve takes.
        after = evolve(before, event, ts_ns) if drafted is None else drafted.after  # type: ignore[arg-type]
        self._replace(before, after)
        self._count_day(event, before, after)
        return Applied(before, after, positions)

    def _count_day(self, event: OrderEvent, before: Order | None, after: Order | None) -> None:
        if not counts(event, before, after):
            return
        key = day_of(event, after)
        if key not in self.days:
            self.days[key] = DayStats(account_id=AccountId(key[0]), trade_date=key[1])
            keep_newest(self.days, key[0])
        if key in self.days:
            self.days[key] = count(self.days[key], event, before, after)

    def _book_entry(self, event: OpeningBooked | EntryBooked) -> Applied:
        fingerprint = event.fingerprint if isinstance(event, EntryBooked) else ""
        self.openings[document_key(event.account_id, event.document)] = fingerprint
        held = dict(self.positions)
        positions = self._post(event.rows)
        self.strategies.update(entry_positions_after(self.strategies, held, event.rows))
        return Applied(positions=positions)

    def _find_break(self, event: BreakFound, ts_ns: int) -> None:
        known = self.breaks.get(event.break_id)
        self._forget_explanation(event)
        self.breaks[event.break_id] = Break(
            break_id=event.break_id,
            account_id=event.account_id,
            subject=event.subject,
            ours=event.ours,
            theirs=event.theirs,
            found_ns=ts_ns if known is None else known.found_ns,
            owner="" if known is None else known.owner,
            text=event.text,
            note="" if known is None else known.note,
        )

    def _forget_explanation(self, event: BreakFound) -> None:
        """What explained another difference of the same thing explains this one no more."""
        place = (event.account_id, event.subject)
        for break_id, known in list(self.explained.items()):
            if (known.account_id, known.subject) == place:
                del self.explained[break_id]

    def _replace(self, before: Order | None, after: Order) -> None:
        executable = after.is_executable
        if before is None or not ties_up_the_same(before, after):
            self._reserve(before, after)
        self._index(before, after, executable)
        order_id = after.order_id
        if executable:
            self.open[order_id] = after
            return
        self.open.pop(order_id, None)
        self.recent.pop(order_id, None)
        self._remember(after)

    def _remember(self, order: Order) -> None:
        self.recent[order.order_id] = order
        self._add_names(order)
        while len(self.recent) > self._recent_max:
            _, oldest = self.recent.popitem(last=False)
            self._drop_names(oldest)

    def _reserve(self, before: Order | None, after: Order) -> None:
        place = (after.account_id, after.symbol)
        if after.side is Side.SELL:
            shares = reserved_shares(after) - reserved_shares(before)
            if shares:
                self.shares_reserved[place] = self.shares_reserved.get(place, ZERO) + shares
            return
        cash = reserved_cash(after) - reserved_cash(before)
        if cash:
            key = (after.account_id, after.currency)
            self.cash_reserved[key] = self.cash_reserved.get(key, ZERO) + cash
        coming = coming_shares(after) - coming_shares(before)
        if coming:
            self.shares_coming[place] = self.shares_coming.get(place, ZERO) + coming

    def _index(self, before: Order | None, after: Order, executable: bool) -> None:
        order_id = after.order_id
        if before is None or before.refs is not after.refs:
            self._add_names(after)
        if is_waiting(after):
            self.waiting[order_id] = None
        else:
            self.waiting.pop(order_id, None)
        if before is None or before.status is not after.status:
            self._index_status(before, after)
        if (after.attempt_open and executable) is not (order_id in self.in_flight):
            self._index_flight(after)
        if after.modify_unknown_ns is not None and executable:
            self.modifies_unknown[order_id] = None
        elif before is not None and before.modify_unknown_ns is not None:
            self.modifies_unknown.pop(order_id, None)
        if after.stop_held and executable:
            self.stops.add(after)
        elif before is not None and before.stop_held:
            self.stops.discard(before)

    def _index_status(self, before: Order | None, after: Order) -> None:
        """What follows from a change of status: who is unknown, and which symbols have an open order."""
        order_id, place = after.order_id, (after.account_id, after.symbol)
        was_unknown = before is not None and before.is_unknown
        if was_unknown and not after.is_unknown:
            self.unknown.pop(order_id, None)
            _count(self.held, place, -1)
        if after.is_unknown and not was_unknown:
            self.unknown[order_id] = None
            _count(self.held, place, +1)
        if before is None or before.is_executable is not after.is_executable:
            at_symbol = self.open_by_symbol.setdefault(place, {})
            _set(at_symbol, order_id, after.is_executable)
            if not at_symbol:
                del self.open_by_symbol[place]
            self._occupy(place)

    def _index_flight(self, after: Order) -> None:
        """A send has begun, or has its outcome."""
        was = self.in_flight.pop(after.order_id, None)
        if was is None:
            self.in_flight[after.order_id] = shape = shape_of(after)
            _count(self.shapes, shape, +1)
        else:
            _count(self.shapes, was, -1)

    def _occupy(self, place: PositionKey) -> None:
        account_id, symbol = place
        position = self.positions.get(place)
        used = bool(position is not None and position.qty) or place in self.open_by_symbol
        _set(self.occupied.setdefault(account_id, {}), symbol, used)

    def _add_names(self, order: Order) -> None:
        self.keys[order.idempotency_key] = order.order_id
        if order.client_order_id is not None:
            self.client_ids[order.created_by, order.client_order_id] = order.order_id
        for ref in order.refs:
            self.refs[order.account_id, ref] = order.order_id

    def _drop_names(self, order: Order) -> None:
        self.keys.pop(order.idempotency_key, None)
        if order.client_order_id is not None:
            self.client_ids.pop((order.created_by, order.client_order_id), None)
        for ref in order.refs:
            self.refs.pop((order.account_id, ref), None)

    def _post(self, rows: tuple[LedgerRow, ...], drafted: Drafted | None = None) -> tuple[Position, ...]:
        """Post ledger rows to cash and positions; return the positions that changed."""
        by_place: dict[PositionKey, list[LedgerRow]] = {}
        for row in rows:
            key = (row.account_id, row.currency.value)
            change = cash_change((row,))
            if change or key not in self.cash:
                self.cash[key] = self.cash.get(key, ZERO) + change
            if row.symbol:
                by_place.setdefault((row.account_id, row.symbol), []).append(row)
        for place, its_rows in by_place.items():
            held = self.positions.get(place)
            if drafted is not None and drafted.position is not None and held is drafted.held:
                position = drafted.position
            else:
                position = apply_rows(held or self.position(*place, its_rows[0].currency), its_rows)
            self.positions[place] = position
            if held is None or bool(held.qty) is not bool(position.qty):
                self._occupy(place)
        return tuple(self.positions[place] for place in by_place)

    def _mark(self, event: MarksRecorded, ts_ns: int) -> tuple[Position, ...]:
        marked = []
        for place, position in self.positions.items():
            price = event.marks.get(place[1])
            if price is not None:
                marked.append(msgspec.structs.replace(position, mark=price, mark_ts_ns=ts_ns))
        for position in marked:
            self.positions[position.account_id, position.symbol] = position
        return tuple(marked)

    # ---- snapshots ----------------------------------------------------------------------------

    def image(self) -> BookImage:
        """Return the book as a value, in a canonical order."""
        return BookImage(
            seq=self.seq,
            ts_ns=self.ts_ns,
            orders=sorted(self.open.values(), key=lambda order: order.order_id),
            positions=[self.positions[key] for key in sorted(self.positions)],
            cash=[(*key, self.cash[key]) for key in sorted(self.cash)],
            halt=None if self.halt is None else (self.halt.reason, self.halt.text, self.halt.seq),
            openings=sorted(self.openings.items()),
            breaks=[self.breaks[key] for key in sorted(self.breaks)],
            explained=[self.explained[key] for key in sorted(self.explained)],
            strategies=[(key[1], self.strategies[key]) for key in sorted(self.strategies)],
            days=[self.days[key] for key in sorted(self.days)],
        )

    @classmethod
    def from_image(cls, image: BookImage, recent_max: int = RECENT_ORDERS_MAX) -> "Book":
        """Return the book an image was taken of."""
        book = cls(recent_max)
        book.seq, book.ts_ns = image.seq, image.ts_ns
        for position in image.positions:
            place = (position.account_id, position.symbol)
            book.positions[place] = position
            book._occupy(place)
        for order in image.orders:
            book._replace(None, order)
        book.cash = {(AccountId(account), currency): amount for account, currency, amount in image.cash}
        book.halt = None if image.halt is None else Halt(*image.halt)
        book.openings = dict(image.openings)
        book.breaks = {found.break_id: found for found in image.breaks}
        book.explained = {found.break_id: found for found in image.explained}
        book.strategies = {
            (position.account_id, strategy_id, position.symbol): position
            for strategy_id, position in image.strategies
        }
        book.days = {(stats.account_id, stats.trade_date): stats for stats in image.days}
        return book


def document_key(account_id: AccountId, name: str) -> str:
    """Names of documents are per account: two accounts can have a paper of one name."""
    return f"{account_id}|{name}"


def is_idle(order: Order) -> bool:
    """True when nothing of the order is at the broker, and it may still come to that.

    It was never sent, or is proven not received, or rests between two sessions.
    """
    if order.attempt_open or order.status.is_final:
        return False
    return order.resting or (not order.refs and order.status in UNSENT)


def is_waiting(order: Order) -> bool:
    """True when the order may be sent as soon as its time has come."""
    # The cheap looks first: most orders have an attempt at the broker, and every change of one asks here.
    if order.attempt_open or order.stop_held or order.cancel_requested_ns is not None:
        return False
    return is_idle(order)


def shape_of(order: Order) -> Shape:
    """What a broker without client ids could tell orders apart by; equal shapes are sent one at a time."""
    asked = order.qty_left if order.attempt_qty is None or is_idle(order) else order.attempt_qty
    price = "" if order.price is None else f"{order.price.normalize():f}"
    kind = LISTED_AS.get(order.wire_type, order.wire_type)
    return (order.account_id, order.symbol, order.side, kind, _digits(asked), price)


def _digits(qty: Decimal) -> str:
    return f"{qty.normalize():f}"


def _set(index: dict[_Key, None], key: _Key, present: bool) -> None:
    if present:
        index[key] = None
    else:
        index.pop(key, None)


def _count(index: dict[_Key, int], key: _Key, change: int) -> None:
    count = index.get(key, 0) + change
    assert count >= 0, f"{key} counted below zero"
    if count:
        index[key] = count
    else:
        index.pop(key, None)
