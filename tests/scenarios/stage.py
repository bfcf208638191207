"""A whole desk in virtual time, a broker whose faults are scripted, and the oracle that has the last word.

The line is the paper broker's own: `LocalLink` to the market, `FaultyLink` for the weather, then two scripts:
`ScriptedLink` for answers, `ScriptedBroker` for lists and notices. When a play is over the weather turns calm
and the books are held against the market's ledger: what arrived, what traded, what is owned.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from jumun.brokers.paper import FaultPlan, FaultyLink, FillIdentity, LocalLink, PaperBroker, paper_traits
from jumun.brokers.paper.link import Link, LinkNotice
from jumun.brokers.paper.wire import Answer, Cancel, Command, NewOrder, Submit
from jumun.exchange.market import Market
from jumun.exchange.records import OrderRecord, Refusal
from jumun.exchange.sample_world import sample_world
from jumun.model.commands import BookOpening
from jumun.model.errors import BrokerUnavailable
from jumun.model.events import Event
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, OrderId, UserId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import Flag, Order, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.positions import Account
from jumun.model.reports import Balance, BrokerReport, BrokerState, CancelOutcome, CancelRequest, OrderHistory
from jumun.model.signals import ApprovedOrderIntent
from jumun.ports.broker import SendPermit
from jumun.rules.book import Book
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US
from jumun.rules.policy import Limits, Policy
from jumun.rules.trading_days import ALWAYS_OPEN, NO_OVERRIDES
from jumun.services.order_engine import OrderEngine
from jumun.store.memory import MemoryJournal
from jumun.store.memory_disk import MemoryDisk
from jumun.testing.virtual_loop import SeededIds, VirtualClock, run_virtual

S: Final = 1_000_000_000
ZERO: Final = Decimal(0)
ACCOUNT: Final = AccountId("SIM-001")
USER: Final = UserId("demo")
TODAY: Final = "2025-05-26"
START_NS: Final = 1_748_217_600_000_000_000  # 2025-05-26 09:00 in Seoul, a Monday
CASH: Final = {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}
SYMBOLS: Final = ("005930", "000660", "035420", "247540", "005935", "069500")  # print_prices trades them
# Every scripted fault fits in here: the broker promises its slowness once, when it is made.
CALM: Final = FaultPlan(latency_ms_min=10, latency_ms_max=10, history_lag_ms_max=2_000)
ENDS: Final = {
    BrokerState.FILLED: OrderStatus.FILLED,
    BrokerState.CANCELLED: OrderStatus.CANCELLED,
    BrokerState.EXPIRED: OrderStatus.CANCELLED,
    BrokerState.REJECTED: OrderStatus.REJECTED,
}
Play = Callable[["Stage"], Awaitable[None]]
OnAnswer = Callable[[Command, Answer], Awaitable[Answer]]


class ScriptedLink:
    """A link whose answers a play may change on their way back, and which counts what was written."""

    def __init__(self, inner: Link) -> None:
        self.inner = inner
        self.written: list[Command] = []
        self.on_answer: OnAnswer = as_it_came

    @property
    def worst_case_ns(self) -> int:
        """The inner link's."""
        return self.inner.worst_case_ns

    async def open(self) -> None:
        """Connect."""
        await self.inner.open()

    async def close(self) -> None:
        """Hang up."""
        await self.inner.close()

    async def call(self, command: Command, permit: SendPermit) -> Answer:
        """Carry a call, note when it is written, and let the play have its answer."""

        def noted() -> bool:
            allowed = permit()
            if allowed:
                self.written.append(command)
            return allowed

        return await self.on_answer(command, await self.inner.call(command, noted))

    def notices(self) -> AsyncIterator[LinkNotice]:
        """Yield what gets through."""
        return self.inner.notices()

    def submits(self) -> list[Submit]:
        """The new orders that were written, in order."""
        return [command for command in self.written if isinstance(command, Submit)]

    def cancels(self) -> list[Cancel]:
        """The cancels that were written, in order."""
        return [command for command in self.written if isinstance(command, Cancel)]


class ScriptedBroker(PaperBroker):
    """The paper broker; a play may change what its lists and its cancels say. Exceptions pass through."""

    on_history: Callable[[OrderHistory], OrderHistory]
    on_balance: Callable[[Balance], Balance]
    on_report: Callable[[BrokerReport], BrokerReport | None]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.on_history = self.on_balance = self.on_report = _the_same
        self.silent = self.stays_silent = False  # the stream says nothing, not even its heartbeat
        self.on_cancel: Callable[[CancelRequest], CancelOutcome | None] = lambda _: None

    async def history(self, account_id: AccountId, trade_date: str) -> OrderHistory:
        """As listed, then as scripted."""
        return self.on_history(await super().history(account_id, trade_date))

    async def balance(self, account_id: AccountId) -> Balance:
        """As held, then as scripted."""
        return self.on_balance(await super().balance(account_id))

    async def ping(self) -> None:
        """No sign of life from a stream that is `silent`, whatever its questions answer."""
        if self.silent:
            raise BrokerUnavailable("no heartbeat")
        await super().ping()

    async def cancel(self, request: CancelRequest) -> CancelOutcome:
        """What the script says; where it says nothing, what the exchange says."""
        return self.on_cancel(request) or await super().cancel(request)

    async def reports(self) -> AsyncIterator[BrokerReport]:
        """Yield what the script lets through."""
        async for report in super().reports():
            told = None if self.silent else self.on_report(report)
            if told is not None:
                yield told

    async def connect(self) -> None:
        """Connect; a new connection hears again, unless the play keeps it from that."""
        await super().connect()
        self.silent = self.silent and self.stays_silent


class Stage:
    """Market, line, broker and engine. `engine` runs while a play is on."""

    engine: OrderEngine
    line: LocalLink
    link: ScriptedLink
    faulty: FaultyLink
    broker: ScriptedBroker

    def __init__(
        self,
        *,
        identity: FillIdentity = FillIdentity.CUMULATIVE,
        exclusive: bool = True,
        cancel_proves: bool = True,
        carries_reference: bool = False,
        unknown_order_policy: str = "resend_once",
        always_open: bool = True,
        limits: Limits | None = None,
        holdings: dict[str, Decimal] | None = None,
        world: dict[str, Any] | None = None,
    ) -> None:
        """`world` names switches of the exchange, `holdings` the shares that the account brings along."""
        self.clock = VirtualClock()
        self.ids = SeededIds(Random(1))
        sample = sample_world(ALWAYS_OPEN if always_open else NO_OVERRIDES)
        self.market = Market(msgspec.structs.replace(sample, **(world or {})))
        self.holdings = holdings or {}
        now_ns = self.clock.now_ns()
        self.market.open_account(ACCOUNT, cash=CASH, holdings=self.holdings, now_ns=now_ns)
        self.disk = MemoryDisk()
        self.limits = limits or Limits()
        self.exclusive = exclusive
        self.unknown_order_policy = unknown_order_policy
        self._identity, self._cancel_proves = identity, cancel_proves
        traits = paper_traits(carries_reference=carries_reference)
        at_nxt = {(Venue.NXT, kind, tif) for venue, kind, tif in traits.kinds if venue is Venue.KRX}
        self._traits = msgspec.structs.replace(traits, kinds=traits.kinds | at_nxt)
        self.new_line()
        self.print_prices()

    def new_line(self) -> None:
        """A new program reaches the same exchange: link and broker are new."""
        self.line = LocalLink(self.market, self.clock)
        self.faulty = FaultyLink(self.line, CALM, Random(7), self.clock)
        self.link = ScriptedLink(self.faulty)
        self.broker = ScriptedBroker(
            self.link,
            self._traits,
            self.clock,
            identity=self._identity,
            cancel_proves=self._cancel_proves,
        )

    def print_prices(self, qty: int = 1_000_000) -> None:
        """Every symbol trades at its base, with deep quotes one tick around it."""
        now_ns = self.clock.now_ns()
        for symbol in SYMBOLS:
            base = self.market.base_of(symbol, TODAY)
            assert base is not None, f"{symbol} has no base"
            self.market.step(symbol, base, Decimal(qty), now_ns, quote_qty=Decimal(qty))

    def trade(self, symbol: str, price: int, qty: int) -> None:
        """The market trades `qty` at `price`: what rests there fills."""
        self.market.step(symbol, Decimal(price), Decimal(qty), self.clock.now_ns(), quote_qty=ZERO)

    # ---- weather --------------------------------------------------------------------------------

    def weather(self, **faults: Any) -> None:
        """From now on the line misbehaves like this."""
        self.faulty.become(msgspec.structs.replace(CALM, **faults))

    def calm(self) -> None:
        """From now on it does not."""
        self.faulty.become(CALM)

    @contextmanager
    def bad(self, **faults: Any) -> Iterator[None]:
        """The line misbehaves inside."""
        self.weather(**faults)
        yield
        self.calm()

    # ---- the engine -----------------------------------------------------------------------------

    def policy(self) -> Policy:
        """The desk's settings."""
        traits = self.broker.traits
        account = Account(
            account_id=ACCOUNT,
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
            accounts={ACCOUNT: account},
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
            openings=[BookOpening(account_id=ACCOUNT, rows=self._opening(), document="opening")],
        )

    async def start(self) -> None:
        """Start an engine."""
        self.engine = self.new_engine()
        await self.engine.start()

    async def crash(self) -> None:
        """The process dies where it stands; nothing of it reaches the outside again."""
        await self.engine.abandon()
        await self.engine.journal.close()
        await self.broker.close()
        self.new_line()

    @property
    def book(self) -> Book:
        """The running engine's book."""
        return self.engine.desk.book

    async def buy(self, number: int = 0, **changes: Any) -> OrderId:
        """Submit `an_intent`; return the id of its order."""
        decision = await self.engine.submit(an_intent(number, **changes))
        assert decision.order is not None, f"refused: {decision.denial}"
        return decision.order.order_id

    async def rest(self, number: int = 0, **changes: Any) -> OrderId:
        """Submit a buy below the market and wait until it works there."""
        order_id = await self.buy(number, **{"price": Decimal(57_800), "symbol": "005930", **changes})
        await until(lambda: self.order(order_id).status is OrderStatus.ACCEPTED)
        return order_id

    def order(self, order_id: OrderId) -> Order:
        """An order the book has."""
        order = self.book.order(order_id)
        assert order is not None, f"{order_id} is not in the book"
        return order

    async def ended(self, order_id: OrderId, seconds: float = 120.0) -> Order:
        """Wait for the end of an order."""
        await until(lambda: self.order(order_id).status.is_final, seconds)
        return self.order(order_id)

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
            "account_id": ACCOUNT,
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
        book, theirs = self.book, self.market.balance_of(ACCOUNT)
        for currency, amount in theirs.cash.items():
            assert book.cash.get((ACCOUNT, currency), ZERO) == amount, f"I-38: {currency}"
        held = {symbol: position.qty for (_, symbol), position in book.positions.items() if position.qty}
        assert held == {symbol: qty for symbol, qty in theirs.holdings.items() if qty}, "I-38: shares"

    def _orders_agree(self) -> None:
        for order in orders_of(self.engine):
            records = [
                self.market.orders[f"{ref.trade_date}/{ref.branch}/{ref.number}"] for ref in order.refs
            ]
            filled = sum((record.qty_filled for record in records), ZERO)
            amount = sum((record.amount_filled for record in records), ZERO)
            assert (order.qty_filled, order.amount_filled) == (filled, amount), f"I-09: {order.order_id}"
            if records and not records[-1].is_open and not order.busts:
                assert order.status is ENDS[records[-1].state], f"I-38: {order.order_id} {order.status}"
        known = {ref.number for order in orders_of(self.engine) for ref in order.refs}
        ours = {r.number for r in self.market.orders.values() if r.account_id == ACCOUNT}
        strange = ours - known
        assert not strange, f"I-38: the exchange has {strange} and our books do not"

    def _opening(self) -> tuple[LedgerRow, ...]:
        rows = [_opening_row(Currency(code), amount, LedgerAccount.CASH) for code, amount in CASH.items()]
        for symbol, qty in self.holdings.items():
            base = self.market.base_of(symbol, TODAY)
            assert base is not None, f"{symbol} has no base"
            rows.append(_opening_row(Currency.KRW, base * qty, LedgerAccount.SECURITIES, symbol, qty))
        return tuple(rows)


def _opening_row(
    currency: Currency, amount: Decimal, debit: LedgerAccount, symbol: str = "", qty: Decimal = ZERO
) -> LedgerRow:
    return LedgerRow(
        kind=LedgerKind.OPENING,
        account_id=ACCOUNT,
        currency=currency,
        amount=amount,
        debit=debit,
        credit=LedgerAccount.OUTSIDE,
        symbol=symbol,
        qty=qty,
        trade_date=TODAY,
        settlement_date=TODAY,
    )


async def as_it_came(_: Command, answer: Answer) -> Answer:
    return answer


def _the_same(told: Any) -> Any:
    return told


def an_intent(number: int = 0, **changes: Any) -> ApprovedOrderIntent:
    """Buy one tick above the base, so that it trades at once; `number` makes key and look its own."""
    symbol = changes.get("symbol", "005930")
    values: dict[str, Any] = {
        "account_id": ACCOUNT,
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


def on_stage(
    play: Play,
    *,
    start: bool = True,
    agrees: bool = True,
    start_ns: int = START_NS,
    settle_s: float = 90.0,
    **options: Any,
) -> None:
    """Run a play in virtual time, let the weather calm down, and hold the books against the oracle.

    `agrees` false: a person has to decide something, so only what always holds is checked.
    """

    async def main() -> None:
        stage = Stage(**options)
        if start:
            await stage.start()
        await play(stage)
        stage.calm()
        assert stage.engine.stopped is not None
        assert not stage.engine.stopped.done(), "the engine stopped in the middle of the play"
        await asyncio.sleep(settle_s)
        await stage.engine.desk.quiet()
        await stage.require_honest_books()
        if agrees:
            stage.require_agreement()
        await stage.engine.stop()

    run_virtual(main(), start_ns)


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
