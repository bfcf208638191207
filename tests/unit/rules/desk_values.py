"""The desk's decisions without a desk: a policy, a book and a clock that a test holds in its hand.

`Bench.do` decides a command, applies what follows, and holds the book against the invariants after every
step, so that each test of a decision is also a test of the books.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from jumun.model.commands import (
    BookOpening,
    CancelOrder,
    Command,
    ConcludeCancel,
    ConcludeModify,
    ConcludeSubmit,
    HearReport,
    ModifyOrder,
    SendNext,
    StudyHistory,
    SubmitOrder,
    Tick,
)
from jumun.model.events import Event, FillReversed
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, BrokerOrderNo, CommandId, ExecutionId, OrderId, UserId
from jumun.model.instruments import Instrument, InstrumentMaster, Market, Product, Venue
from jumun.model.journal import Entry, Record
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, Order, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.positions import Account
from jumun.model.reports import (
    Accepted,
    BrokerState,
    CancelOutcome,
    FillNotice,
    ModifyOutcome,
    NotSent,
    OrderHistory,
    OrderReport,
    Unknown,
)
from jumun.model.signals import ApprovedOrderIntent
from jumun.ports.outside import Quote
from jumun.rules.book import Book, Drafted, is_waiting, shape_of
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US
from jumun.rules.decide import decide
from jumun.rules.draft import Decision, Draft
from jumun.rules.entries import entry_of
from jumun.rules.ledger import cash_change
from jumun.rules.policy import Facts, Limits, Policy
from jumun.rules.reserve import coming_shares, reserved_cash, reserved_shares
from jumun.rules.told_days import Day
from jumun.rules.trading_days import NO_OVERRIDES

D = Decimal
SECOND: Final = 1_000_000_000
ACCOUNT: Final = AccountId("12345678-01")
SHARED: Final = AccountId("87654321-01")  # people trade here too
USER: Final = UserId("user-1")
SAMSUNG, HYNIX, FUND, APPLE, GOLD = "005930", "000660", "069500", "AAPL", "IAU"
VISIBLE_NS: Final = 30 * SECOND
SETTLES_NS: Final = 600 * SECOND


def at(text: str) -> int:
    """UTC nanoseconds of an ISO time with its zone."""
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


OPEN_NS: Final = at("2025-05-27T10:00:00+09:00")  # a Tuesday, an hour into the session
US_OPEN_NS: Final = at("2025-05-27T10:00:00-04:00")
TODAY: Final = "2025-05-27"


def _krx(symbol: str, market: Market = Market.KOSPI, product: Product = Product.SHARE) -> Instrument:
    return Instrument(symbol=symbol, market=market, product=product, currency=Currency.KRW, venue=Venue.KRX)


def _us(symbol: str, *, fractional: bool = False) -> Instrument:
    return Instrument(
        symbol=symbol,
        market=Market.US,
        product=Product.SHARE,
        currency=Currency.USD,
        venue=Venue.US,
        fractional=fractional,
    )


INSTRUMENTS: Final = InstrumentMaster(
    [
        _krx(SAMSUNG),
        _krx(HYNIX),
        _krx(FUND, product=Product.ETF),
        *(_krx(f"10000{n}", Market.KOSDAQ) for n in range(10)),
        _us(APPLE),
        _us(GOLD, fractional=True),
    ]
)
QUOTES: Final = {
    SAMSUNG: (D(70_000), D(70_000)),
    HYNIX: (D(200_000), D(200_000)),
    FUND: (D(38_500), D(38_500)),
    **{f"10000{n}": (D(10_000), D(10_000)) for n in range(10)},
    APPLE: (D("200.00"), D("198.00")),
    GOLD: (D("64.00"), None),
}
KINDS: Final = frozenset(
    {
        (Venue.KRX, OrderType.LIMIT, TimeInForce.DAY),
        (Venue.KRX, OrderType.LIMIT, TimeInForce.IOC),
        (Venue.KRX, OrderType.MARKET, TimeInForce.DAY),
        (Venue.US, OrderType.LIMIT, TimeInForce.DAY),
        (Venue.US, OrderType.MARKET, TimeInForce.DAY),
        (Venue.US, OrderType.LOC, TimeInForce.DAY),
    }
)


def an_account(account_id: AccountId = ACCOUNT, **changes: Any) -> Account:
    """An account that may buy and sell in Korea and the United States."""
    values: dict[str, Any] = {
        "account_id": account_id,
        "base_currency": Currency.KRW,
        "users": (USER,),
        "may_buy": True,
        "may_sell": True,
        "cost_plans": {"KRX": "kis", "US": "kis-us"},
    }
    return Account(**(values | changes))


def a_policy(**changes: Any) -> Policy:
    """The policy of a broker that carries no reference of ours, holding what is unknown (KIS, live)."""
    accounts = {ACCOUNT: an_account(), SHARED: an_account(SHARED, exclusive=False)}
    values: dict[str, Any] = {
        "environment": "sim",
        "instruments": INSTRUMENTS,
        "accounts": accounts,
        "cost_plans": {"kis": KIS_BANKIS, "kis-us": KIS_US},
        "sessions": NO_OVERRIDES,
        "limits": Limits(),
        "kinds": KINDS,
        "carries_reference": False,
        "unknown_order_policy": "hold",
        "visible_after_ns": VISIBLE_NS,
        "settles_after_ns": SETTLES_NS,
    }
    return Policy(**(values | changes))


def limits(**changes: Any) -> Limits:
    """The default limits with some changed."""
    return Limits(**changes)


def an_intent(number: int = 1, **changes: Any) -> ApprovedOrderIntent:
    """Buy 10 Samsung at 70,000 won, limit; `number` makes it an intent of its own."""
    values: dict[str, Any] = {
        "account_id": ACCOUNT,
        "symbol": SAMSUNG,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "qty": D(10),
        "price": D(70_000),
        "strategy_id": "momentum",
        "strategy_version": "momentum-3",
        "signal_ts_ns": OPEN_NS + number * 1_000_000,
        "user_id": USER,
    }
    return ApprovedOrderIntent(**(values | changes))


def a_sale(number: int = 1, **changes: Any) -> ApprovedOrderIntent:
    """Sell 10 Samsung at 70,000 won."""
    return an_intent(number, **({"side": Side.SELL} | changes))


def cash_row(amount: Decimal, currency: Currency = Currency.KRW, account: AccountId = ACCOUNT) -> LedgerRow:
    """Opening cash."""
    return LedgerRow(
        kind=LedgerKind.OPENING,
        account_id=account,
        currency=currency,
        amount=amount,
        debit=LedgerAccount.CASH,
        credit=LedgerAccount.OUTSIDE,
        trade_date=TODAY,
        settlement_date=TODAY,
    )


def shares_row(symbol: str, qty: Decimal, cost: Decimal, account: AccountId = ACCOUNT) -> LedgerRow:
    """An opening position."""
    return LedgerRow(
        kind=LedgerKind.OPENING,
        account_id=account,
        currency=INSTRUMENTS.get(symbol).currency,
        amount=cost,
        debit=LedgerAccount.SECURITIES,
        credit=LedgerAccount.OUTSIDE,
        symbol=symbol,
        qty=qty,
        trade_date=TODAY,
        settlement_date=TODAY,
    )


def a_ref(number: int = 1, trade_date: str = TODAY) -> BrokerRef:
    """A broker's number of the day."""
    return BrokerRef(trade_date=trade_date, branch="91252", number=BrokerOrderNo(f"{number:010d}"))


def a_report(order: Order, number: int = 1, **changes: Any) -> OrderReport:
    """The order as the broker lists it: working, nothing filled, taken in when we sent it."""
    values: dict[str, Any] = {
        "account_id": order.account_id,
        "ref": order.newest_ref or a_ref(number),
        "symbol": order.symbol,
        "venue": order.venue,
        "currency": order.currency,
        "side": order.side,
        "order_type": order.order_type,
        "qty": order.qty,
        "price": order.price,
        "state": BrokerState.WORKING,
        "qty_filled": D(0),
        "amount_filled": D(0),
        "ts_event_ns": order.attempt_ts_ns or order.created_ns,
        "raw": f"listed {number}",
    }
    return OrderReport(**(values | changes))


def a_notice(order: Order, qty: int | Decimal = 10, number: int | None = 1, **changes: Any) -> FillNotice:
    """A fill notice with execution id `number`; without one for None."""
    values: dict[str, Any] = {
        "account_id": order.account_id,
        "ref": order.newest_ref or a_ref(),
        "symbol": order.symbol,
        "side": order.side,
        "qty": D(qty),
        "price": order.price,
        "ts_event_ns": OPEN_NS,
        "execution_id": None if number is None else ExecutionId(f"E{number}"),
        "raw": f"filled {qty}",
    }
    return FillNotice(**(values | changes))


class Bench:
    """A book, a clock and a policy."""

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        krw: int = 100_000_000,
        usd: int = 0,
        shares: Mapping[str, int | Decimal] | None = None,
        now_ns: int = OPEN_NS,
        recent_max: int = 1_000,
    ) -> None:
        self.policy = policy if policy is not None else a_policy()
        self.book = Book(recent_max)
        self.now_ns = now_ns
        self.quotes: dict[str, tuple[Decimal | None, Decimal | None]] = dict(QUOTES)
        self.quote_ts_ns: int | None = None
        self.disputed: dict[Day, str] = {}
        self.records: list[Record] = []
        self.entries: list[Entry] = []
        self.last: Decision = Decision()
        self._ids = 0
        for account_id in self.policy.accounts:
            rows = [cash_row(D(krw), account=account_id)] if krw else []
            rows += [cash_row(D(usd), Currency.USD, account_id)] if usd else []
            rows += [
                shares_row(symbol, D(qty), qty * (QUOTES[symbol][0] or D(0)), account_id)
                for symbol, qty in (shares or {}).items()
            ]
            if rows:
                self.do(BookOpening(account_id=account_id, rows=tuple(rows), document=f"open-{account_id}"))

    # ---- time and chance ----------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += round(seconds * SECOND)

    def facts(self) -> Facts:
        """What is known now."""
        return Facts(now_ns=self.now_ns, new_id=self._new_id, quote=self._quote, disputed=self.disputed)

    def _new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids:06d}"

    def _quote(self, symbol: str) -> Quote | None:
        if symbol not in self.quotes:
            return None
        last, base = self.quotes[symbol]
        ts_ns = self.now_ns if self.quote_ts_ns is None else self.quote_ts_ns
        return Quote(symbol=symbol, last=last, base=base, ts_ns=ts_ns)

    def draft(self) -> Draft:
        """A draft on the book as it is."""
        return Draft(self.book, self.policy, self.facts())

    # ---- deciding -----------------------------------------------------------------------------

    def decide(self, command: Command) -> Decision:
        """Decide without applying."""
        return decide(self.book, command, self.facts(), self.policy)

    def do(self, command: Command) -> Decision:
        """Decide, apply, and hold the book against the invariants."""
        before = self.book.image()
        decision = self.decide(command)
        assert self.book.image() == before, "decide changed the book"
        for event, drafted in zip(decision.events, decision.drafted, strict=True):
            self.apply(event, drafted)
        assert_sound(self.book)
        assert_balanced(self)
        if decision.order is not None and decision.events:
            assert decision.order == self.book.order(decision.order.order_id), "decided and applied differ"
        self.last = decision
        return decision

    def apply(self, event: Event, drafted: Drafted | None = None) -> Entry:
        """Apply one event as the next record, with what the decision has worked out of it already."""
        seq = self.book.seq + 1
        record = Record(
            seq=seq,
            ts_ns=self.now_ns,
            causation_id=CommandId(f"command-{seq}"),
            correlation_id=f"story-{seq}",
            event=event,
        )
        entry = entry_of(record, self.book.apply(record, drafted), self.policy.environment)
        self.records.append(record)
        self.entries.append(entry)
        return entry

    def order(self, order: Order | OrderId) -> Order:
        """The order as it stands now."""
        found = self.book.order(order.order_id if isinstance(order, Order) else order)
        assert found is not None
        return found

    # ---- the usual steps ----------------------------------------------------------------------

    def submit(self, intent: ApprovedOrderIntent | None = None) -> Order:
        """An order from an intent, refused or not."""
        order = self.do(SubmitOrder(intent=intent or an_intent())).order
        assert order is not None
        return order

    def sent(self, intent: ApprovedOrderIntent | None = None) -> Order:
        """An order whose send is intended and has no outcome yet."""
        return self.send(self.submit(intent))

    def send(self, order: Order) -> Order:
        """Intend the send of a waiting order."""
        self.do(SendNext(order_id=order.order_id))
        return self.order(order)

    def conclude(self, order: Order, outcome: Any, attempt: int | None = None) -> Decision:
        """Bring the outcome of the order's newest attempt."""
        attempt = self.order(order).attempt if attempt is None else attempt
        return self.do(ConcludeSubmit(order_id=order.order_id, attempt=attempt, outcome=outcome))

    def working(self, intent: ApprovedOrderIntent | None = None, number: int = 1) -> Order:
        """An order the broker took under `number`: status SENT."""
        order = self.sent(intent)
        self.conclude(order, Accepted(ref=a_ref(number), raw=f"taken {number}"))
        return self.order(order)

    def unknown(self, intent: ApprovedOrderIntent | None = None) -> Order:
        """An order whose reply never came: status ERROR."""
        order = self.sent(intent)
        self.conclude(order, Unknown(text="no reply within 10 s"))
        return self.order(order)

    def not_sent(self, order: Order) -> Order:
        """The newest attempt provably never left."""
        self.conclude(order, NotSent(text="connection refused"))
        return self.order(order)

    def hear(self, report: Any) -> Decision:
        """The stream says something."""
        return self.do(HearReport(report=report))

    def fill(self, order: Order, qty: int | Decimal = 10, number: int = 1, **changes: Any) -> Order:
        """A fill notice of the order."""
        self.hear(a_notice(self.order(order), qty, number, **changes))
        return self.order(order)

    def study(self, *reports: OrderReport, account: AccountId = ACCOUNT, day: str = TODAY) -> Decision:
        """A complete history asked for now holds exactly these orders."""
        history = OrderHistory(account_id=account, trade_date=day, asked_ns=self.now_ns, orders=reports)
        return self.do(StudyHistory(history=history, visible_after_ns=self.policy.visible_after_ns))

    def absent_twice(self, account: AccountId = ACCOUNT) -> Decision:
        """Two histories without the order, the visibility delay apart; what else works is in them."""
        self.wait(30)
        self.study(*self.rows(account), account=account)
        self.wait(30)
        return self.study(*self.rows(account), account=account)

    def rows(self, account: AccountId = ACCOUNT) -> list[OrderReport]:
        """Every order that the broker works under a number, as its list tells it: nothing new."""
        told = []
        for order in self.book.open.values():
            ref = order.newest_ref
            if ref is None or order.account_id != account or order.resting:
                continue
            tally = order.tally(ref)
            qty = order.qty - (order.qty_filled - tally.qty)
            told.append(a_report(order, qty=qty, qty_filled=tally.qty, amount_filled=tally.amount))
        return told

    def cancel(self, order: Order) -> Decision:
        """A user wants it cancelled."""
        return self.do(CancelOrder(order_id=order.order_id, by=USER, closed=order))

    def modify(self, order: Order, qty: int | None = None, price: object = None) -> Decision:
        """A user wants other terms."""
        return self.do(
            ModifyOrder(
                order_id=order.order_id,
                by=USER,
                qty=None if qty is None else D(qty),
                price=None if price is None else D(str(price)),
                closed=order,
            )
        )

    def conclude_modify(self, order: Order, outcome: ModifyOutcome) -> Order:
        """The broker answers a modify."""
        number = self.order(order).modify_asked
        self.do(ConcludeModify(order_id=order.order_id, number=number, outcome=outcome))
        return self.order(order)

    def conclude_cancel(self, order: Order, outcome: CancelOutcome) -> Decision:
        """The broker answers a cancel."""
        return self.do(ConcludeCancel(order_id=order.order_id, outcome=outcome))

    def tick(self, *orders: Order) -> Decision:
        """Time is up for these orders."""
        return self.do(Tick(due=tuple(order.order_id for order in orders)))


def names(decision: Decision) -> list[str]:
    """The kinds of events that followed."""
    return [type(event).__name__ for event in decision.events]


def assert_sound(book: Book) -> None:
    """Every index and reservation of the book follows from its open orders (I-33, I-34, I-49)."""
    orders = book.open.values()
    assert all(order.is_executable for order in orders)
    assert _without_zeros(book.cash_reserved) == _sums(
        ((o.account_id, o.currency.value), reserved_cash(o)) for o in orders
    ), "reserved cash leaks"
    assert _without_zeros(book.shares_reserved) == _sums(
        ((o.account_id, o.symbol), reserved_shares(o)) for o in orders
    ), "reserved shares leak"
    assert _without_zeros(book.shares_coming) == _sums(
        ((o.account_id, o.symbol), coming_shares(o)) for o in orders
    ), "coming shares leak"
    assert set(book.waiting) == {o.order_id for o in orders if is_waiting(o)}
    assert set(book.unknown) == {o.order_id for o in orders if o.is_unknown}
    modifies = {o.order_id for o in orders if o.modify_unknown_ns is not None and o.is_executable}
    assert set(book.modifies_unknown) == modifies
    flying = {o.order_id: shape_of(o) for o in orders if o.attempt_open}
    assert book.in_flight == flying
    assert book.shapes == {shape: list(flying.values()).count(shape) for shape in flying.values()}
    held = [(o.account_id, o.symbol) for o in orders if o.is_unknown]
    assert book.held == {place: held.count(place) for place in held}
    by_symbol: dict[tuple[AccountId, str], set[OrderId]] = {}
    for o in orders:
        by_symbol.setdefault((o.account_id, o.symbol), set()).add(o.order_id)
        assert book.order_by_key(o.idempotency_key) is o
        assert all(book.order_by_ref(o.account_id, ref) is o for ref in o.refs)
    assert {place: set(ids) for place, ids in book.open_by_symbol.items()} == by_symbol
    used = {place for place, position in book.positions.items() if position.qty} | set(by_symbol)
    assert {(owner, symbol) for owner, its in book.occupied.items() for symbol in its} == used


def assert_balanced(bench: Bench) -> None:
    """Cash and positions are what the ledger rows say, and every row has two sides (I-29, I-30, I-32)."""
    cash: dict[tuple[str, str], Decimal] = {}
    shares: dict[tuple[str, str], Decimal] = {}
    at_cost: dict[tuple[str, str], Decimal] = {}
    for row in (row for entry in bench.entries for row in entry.ledger):
        assert row.amount > 0 or row.kind is LedgerKind.SPLIT  # shares change, nothing is paid
        assert row.debit is not row.credit
        key = (row.account_id, row.currency.value)
        cash[key] = cash.get(key, D(0)) + cash_change((row,))
        if row.symbol:
            place = (row.account_id, row.symbol)
            shares[place] = shares.get(place, D(0)) + row.qty
            moved = (row.debit is LedgerAccount.SECURITIES) - (row.credit is LedgerAccount.SECURITIES)
            at_cost[place] = at_cost.get(place, D(0)) + moved * row.amount
    assert bench.book.cash == cash
    of_strategies: dict[tuple[str, str], Decimal] = {}
    for (owner, _, symbol), part in bench.book.strategies.items():
        of_strategies[owner, symbol] = of_strategies.get((owner, symbol), D(0)) + part.qty
    whole = {place: position.qty for place, position in bench.book.positions.items()}
    assert _without_zeros(of_strategies) == _without_zeros(whole), "sub-ledgers do not sum to the account"
    assert {place: position.qty for place, position in bench.book.positions.items()} == shares
    assert {place: position.cost_basis for place, position in bench.book.positions.items()} == at_cost
    filled: dict[OrderId, Decimal] = {}
    for entry in bench.entries:
        if entry.fill is not None:
            filled[entry.fill.order_id] = filled.get(entry.fill.order_id, D(0)) + entry.fill.qty
        if isinstance(entry.record.event, FillReversed):
            filled[entry.record.event.order_id] -= entry.record.event.qty
    for order_id, qty in filled.items():
        order = bench.book.order(order_id)  # None: closed, and no longer in memory
        assert order is None or order.qty_filled == qty


def refold(records: Iterable[Record], book: Book | None = None) -> Book:
    """Fold records into a book."""
    book = book if book is not None else Book()
    for record in records:
        book.apply(record)
    return book


def through_bytes(book: Book, decode: Callable[[bytes], Any]) -> Book:
    """The book after its image went to disk and back."""
    body = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode(book.image())
    return Book.from_image(decode(body))


def _sums(pairs: Iterable[tuple[tuple[str, str], Decimal]]) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for key, value in pairs:
        sums[key] = sums.get(key, D(0)) + value
    return _without_zeros(sums)


def _without_zeros(values: Any) -> dict[tuple[str, str], Decimal]:
    return {key: value for key, value in values.items() if value}


FINAL: Final = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED)
