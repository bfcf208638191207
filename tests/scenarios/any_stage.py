"""What every stage has, whatever broker it stands at: the engine, ways to trade, and the oracle.

The oracle is the market's own ledger: what arrived, what traded, what is owned. A stage of one broker adds
its line and its weather (`stage.py`, `kis/stage.py`); what is played on it stands in the scenarios.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, ClassVar, Final, Protocol, Self

from jumun.exchange.market import Market
from jumun.exchange.records import NewOrder, OrderRecord, Refusal
from jumun.exchange.world import World
from jumun.model.commands import BookOpening
from jumun.model.errors import OrderDenied
from jumun.model.events import Event
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, OrderId, UserId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import Flag, Order, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.positions import Account
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerState
from jumun.model.signals import ApprovedOrderIntent
from jumun.ports.broker import Broker
from jumun.ports.outside import DaySource, PriceFeed
from jumun.rules.book import Book
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US
from jumun.rules.policy import Limits, Policy
from jumun.services.order_engine import OrderEngine
from jumun.store.memory import MemoryJournal
from jumun.store.memory_disk import MemoryDisk
from jumun.testing.virtual_loop import SeededIds, VirtualClock

S: Final = 1_000_000_000
ZERO: Final = Decimal(0)
USER: Final = UserId("demo")
TODAY: Final = "2025-05-26"
MONDAY: Final = date(2025, 5, 26)
START_NS: Final = 1_748_217_600_000_000_000  # 2025-05-26 09:00 in Seoul, a Monday
UNKNOWN_WITHIN_S: Final = 15.0  # a send ends within ten seconds
ENDS: Final = {
    BrokerState.FILLED: OrderStatus.FILLED,
    BrokerState.CANCELLED: OrderStatus.CANCELLED,
    BrokerState.EXPIRED: OrderStatus.CANCELLED,
    BrokerState.REJECTED: OrderStatus.REJECTED,
}
# One tick above the base of the sample market, where the background offers.
MARKETABLE: Final = {
    "005930": Decimal(58_100),
    "000660": Decimal(248_500),
    "035420": Decimal(205_500),
    "247540": Decimal(96_100),
    "005935": Decimal(48_050),
    "069500": Decimal(38_505),
    "AAPL": Decimal("196.51"),
}


class PricedBroker(Broker, PriceFeed, Protocol):
    """A broker that also tells prices."""


class AnyStage(ABC):
    """Market, broker and engine. `engine` runs while a play is on."""

    account_id: ClassVar[AccountId]
    cash: ClassVar[Mapping[str, Decimal]]  # what the account opens with
    ends_within_s: ClassVar[float]  # how long `ended` waits unless it is told

    engine: OrderEngine
    broker: PricedBroker

    def __init__(
        self,
        world: World,
        *,
        symbols: tuple[str, ...],
        exclusive: bool,
        unknown_order_policy: str,
        limits: Limits | None,
        holdings: dict[str, Decimal] | None,
    ) -> None:
        """`symbols` have prices from the start, `holdings` are the shares that the account brings along."""
        self.clock = VirtualClock()
        self.ids = SeededIds(Random(1))
        self.market = Market(world)
        self.symbols = symbols
        self.holdings = holdings or {}
        self.market.open_account(
            self.account_id, cash=dict(self.cash), holdings=self.holdings, now_ns=self.clock.now_ns()
        )
        self.disk = MemoryDisk()
        self.limits = limits or Limits()
        self.exclusive = exclusive
        self.unknown_order_policy = unknown_order_policy

    # ---- what differs from broker to broker -----------------------------------------------------

    @abstractmethod
    def new_line(self) -> None:
        """A new program reaches the same exchange: line and broker are new."""

    @abstractmethod
    async def leave_line(self) -> None:
        """What the end of a process does to its line."""

    @abstractmethod
    def calm(self) -> None:
        """From now on nothing goes wrong."""

    @property
    @abstractmethod
    def orders_written(self) -> int:
        """How many new orders were written to the line."""

    # ---- the market -----------------------------------------------------------------------------

    def print_prices(self, qty: int = 1_000_000) -> None:
        """Every symbol trades at its base, with deep quotes one tick around it."""
        now_ns = self.clock.now_ns()
        for symbol in self.symbols:
            base = self.market.base_of(symbol, TODAY)
            assert base is not None, f"{symbol} has no base"
            self.market.step(symbol, base, Decimal(qty), now_ns, quote_qty=Decimal(qty))

    def trade(self, symbol: str, price: int, qty: int, **where: Any) -> None:
        """The market trades `qty` at `price`: what rests there fills."""
        self.market.step(symbol, Decimal(price), Decimal(qty), self.clock.now_ns(), quote_qty=ZERO, **where)

    # ---- the engine -----------------------------------------------------------------------------

    def policy(self) -> Policy:
        """The desk's settings."""
        traits = self.broker.traits
        account = Account(
            account_id=self.account_id,
            base_currency=Currency.KRW,
            users=(USER,),
            may_buy=True,
            may_sell=True,
            exclusive=self.exclusive,
            cost_plans={"KRX": KIS_BANKIS.name, "NXT": KIS_BANKIS.name, "US": KIS_US.name},
        )
        return Policy(
            environment="sim",
            instruments=self.market.master,
            accounts={self.account_id: account},
            cost_plans={plan.name: plan for plan in (KIS_BANKIS, KIS_US)},
            sessions=self.market.world.overrides,
            limits=self.limits,
            kinds=traits.kinds,
            carries_reference=traits.carries_reference,
            unknown_order_policy=self.unknown_order_policy,
            visible_after_ns=traits.visible_after_ns,
            settles_after_ns=traits.settles_after_ns,
            modifies=traits.modifies,
            session_kinds=traits.sessions,
        )

    def new_engine(self) -> OrderEngine:
        """An engine on this disk and this line."""
        return OrderEngine(
            broker_client=self.broker,
            journal=MemoryJournal(self.disk),
            policy=self.policy(),
            clock=self.clock,
            ids=self.ids,
            prices=self.broker,
            openings=[BookOpening(account_id=self.account_id, rows=self._opening(), document="opening")],
            days=self.day_source(),
        )

    def day_source(self) -> DaySource | None:
        """Who else knows the trading days."""
        return None

    async def start(self) -> None:
        """Start an engine."""
        self.engine = self.new_engine()
        await self.engine.start()

    async def crash(self) -> None:
        """The process dies where it stands; nothing of it reaches the outside again."""
        await self.engine.abandon()
        await self.engine.journal.close()
        await self.leave_line()
        self.new_line()

    @property
    def book(self) -> Book:
        """The running engine's book."""
        return self.engine.desk.book

    def intent(self, number: int = 0, **changes: Any) -> ApprovedOrderIntent:
        """See `intent_of`."""
        return intent_of(self.account_id, number, **changes)

    async def buy(self, number: int = 0, **changes: Any) -> OrderId:
        """Submit an `intent`; return the id of its order."""
        decision = await self.engine.submit(self.intent(number, **changes))
        assert decision.order is not None, f"refused: {decision.denial}"
        return decision.order.order_id

    async def rest(self, number: int = 0, **changes: Any) -> OrderId:
        """Submit a buy below the market and wait until it works there."""
        order_id = await self.buy(number, **{"price": Decimal(57_800), **changes})
        await until(lambda: self.order(order_id).status is OrderStatus.ACCEPTED)
        return order_id

    async def denial(self, number: int = 20, **changes: Any) -> Reason | None:
        """Why a new order is refused now, in a decision; None when it is taken."""
        decision = await self.engine.submit(self.intent(number, **changes))
        return None if decision.denial is None else decision.denial.reason

    async def refusal(self, number: int = 20) -> Reason | None:
        """Why a new order is refused now, in a decision or before one; None when it is taken."""
        try:
            return await self.denial(number, symbol="000660")
        except OrderDenied as error:
            return error.reason

    def order(self, order_id: OrderId) -> Order:
        """An order the book has."""
        order = self.book.order(order_id)
        assert order is not None, f"{order_id} is not in the book"
        return order

    async def ended(self, order_id: OrderId, seconds: float | None = None) -> Order:
        """Wait for the end of an order."""
        limit_s = self.ends_within_s if seconds is None else seconds
        await until(lambda: self.order(order_id).status.is_final, limit_s)
        return self.order(order_id)

    async def unknown(self, order_id: OrderId, seconds: float = UNKNOWN_WITHIN_S) -> None:
        """Wait until nobody knows what became of an order."""
        await until(lambda: self.order(order_id).is_unknown, seconds)

    async def story(self, order_id: OrderId) -> list[Event]:
        """The events of an order, oldest first."""
        return [record.event for record in await self.engine.journal.story_of(order_id)]

    async def studies(self, count: int = 1) -> None:
        """Wait until the broker was asked about everything `count` more times."""
        wanted = self.engine.reconciler.rounds + count
        await until(lambda: self.engine.reconciler.rounds >= wanted, 60.0 * count)

    # ---- the oracle -----------------------------------------------------------------------------

    def arrived(self, order_id: OrderId) -> int:
        """How often a new order of this id reached the exchange, taken or refused."""
        return sum(arrival.order.tag.split("/")[0] == order_id for arrival in self.market.arrivals)

    def key(self, order_id: OrderId) -> str:
        """The exchange's name of the newest number of an order."""
        ref = self.order(order_id).refs[-1]
        return f"{ref.trade_date}/{ref.branch}/{ref.number}"

    def stranger(self, **changes: Any) -> OrderRecord:
        """Somebody else trades this account past us, at the exchange."""
        values: dict[str, Any] = {
            "account_id": self.account_id,
            "symbol": "005930",
            "venue": Venue.KRX,
            "currency": Currency.KRW,
            "side": Side.BUY,
            "order_type": OrderType.LIMIT,
            "tif": TimeInForce.DAY,
            "qty": Decimal(1),
            "price": Decimal(57_800),
            "client": "human",
        }
        told = self.market.submit(NewOrder(**{**values, **changes}), self.clock.now_ns())
        assert not isinstance(told, Refusal), told
        return told

    async def require_honest_books(self) -> None:
        """What holds whatever happened: no double send, no lost share, books that are the disk's fold."""
        book = self.book
        for order in orders_of(self.engine):
            sent = [a for a in self.market.arrivals if a.order.tag.split("/")[0] == order.order_id]
            taken = [arrival for arrival in sent if arrival.refused is None]
            most = order.attempt if order.is_carried else 1  # a multi-day order goes out again each day
            assert len(taken) <= most, f"I-07: {order.order_id} was taken {len(taken)} times"
            assert len(sent) <= order.attempt, f"I-21: {order.order_id} arrived oftener than it was intended"
            over = Flag.OVERFILL in order.flags
            assert over or order.qty == order.qty_filled + order.qty_left, f"I-02: {order}"
        fold = Book()
        async for record in self.engine.journal.tail(0):
            fold.apply(record)
        assert fold.image() == book.image(), "I-24: the book is not the fold of its records"
        if not book.open:
            assert not any(book.cash_reserved.values()), "I-33: cash stays reserved and nothing is open"
            assert not any(book.shares_reserved.values()), "I-34: shares stay reserved and nothing is open"

    def require_agreement(self) -> None:
        """Orders, shares and cash are the exchange's (I-38, I-09, I-29, I-30)."""
        self._orders_agree()
        book, theirs = self.book, self.market.balance_of(self.account_id)
        for currency, amount in theirs.cash.items():
            assert book.cash.get((self.account_id, currency), ZERO) == amount, f"I-38: {currency}"
        held = {symbol: position.qty for (_, symbol), position in book.positions.items() if position.qty}
        assert held == {symbol: qty for symbol, qty in theirs.holdings.items() if qty}, "I-38: shares"

    def records_of(self, order: Order) -> list[OrderRecord]:
        """Every number of an order at the exchange."""
        return [self.market.orders[f"{ref.trade_date}/{ref.branch}/{ref.number}"] for ref in order.refs]

    def is_order(self, record: OrderRecord) -> bool:
        """Whether a number of the exchange is one that the desk has to know."""
        return record.account_id == self.account_id

    def _orders_agree(self) -> None:
        for order in orders_of(self.engine):
            records = self.records_of(order)
            filled = sum((record.qty_filled for record in records), ZERO)
            amount = sum((record.amount_filled for record in records), ZERO)
            assert (order.qty_filled, order.amount_filled) == (filled, amount), f"I-09: {order.order_id}"
            if records and not records[-1].is_open and not order.busts:
                assert order.status is ENDS[records[-1].state], f"I-38: {order.order_id} {order.status}"
        known = {(ref.trade_date, ref.number) for order in orders_of(self.engine) for ref in order.refs}
        ours = {(r.trade_date, r.number) for r in self.market.orders.values() if self.is_order(r)}
        assert not ours - known, f"I-38: the exchange has {ours - known} and our books do not"

    def _opening(self) -> tuple[LedgerRow, ...]:
        rows = [
            self._opening_row(Currency(code), amount, LedgerAccount.CASH)
            for code, amount in self.cash.items()
        ]
        for symbol, qty in self.holdings.items():
            base = self.market.base_of(symbol, TODAY)
            assert base is not None, f"{symbol} has no base"
            rows.append(self._opening_row(Currency.KRW, base * qty, LedgerAccount.SECURITIES, symbol, qty))
        return tuple(rows)

    def _opening_row(
        self, currency: Currency, amount: Decimal, debit: LedgerAccount, symbol: str = "", qty: Decimal = ZERO
    ) -> LedgerRow:
        return LedgerRow(
            kind=LedgerKind.OPENING,
            account_id=self.account_id,
            currency=currency,
            amount=amount,
            debit=debit,
            credit=LedgerAccount.OUTSIDE,
            symbol=symbol,
            qty=qty,
            trade_date=TODAY,
            settlement_date=TODAY,
        )

    # ---- the play -------------------------------------------------------------------------------

    async def perform(
        self, play: Callable[[Self], Awaitable[None]], *, agrees: bool, settle_s: float
    ) -> None:
        """Play, let the weather calm down, and hold the books against the oracle."""
        await play(self)
        self.calm()
        assert self.engine.stopped is not None
        assert not self.engine.stopped.done(), "the engine stopped in the middle of the play"
        await asyncio.sleep(settle_s)
        await self.engine.desk.quiet()
        await self.require_honest_books()
        if agrees:
            self.require_agreement()
        await self.engine.stop()


def intent_of(account_id: AccountId, number: int = 0, **changes: Any) -> ApprovedOrderIntent:
    """Buy one tick above the base, so that it trades at once; `number` makes key and look its own."""
    symbol = changes.get("symbol", "005930")
    values: dict[str, Any] = {
        "account_id": account_id,
        "symbol": symbol,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "qty": Decimal(1 + number),
        "price": MARKETABLE[symbol],
        "time_in_force": TimeInForce.DAY,
        "strategy_id": "test",
        "strategy_version": "test-1",
        "signal_ts_ns": START_NS + number * 1_000_000,
        "user_id": USER,
    }
    return ApprovedOrderIntent(**{**values, **changes})


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait in virtual time until something is true."""
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    assert condition(), f"it did not come true within {seconds:g} virtual seconds"


def orders_of(engine: OrderEngine) -> list[Order]:
    """Every order the engine has in memory."""
    return [*engine.desk.book.open.values(), *engine.desk.book.recent.values()]


def ns_of(day: date, hour: int, minute: int = 0) -> int:
    """That time in Seoul, which keeps no summer time, as UTC nanoseconds."""
    return ((day.toordinal() - date(1970, 1, 1).toordinal()) * 86_400 + (hour - 9) * 3_600 + minute * 60) * S
