"""A whole desk on KIS in virtual time: KISBrokerClient, its wire, the simulated KIS, and the oracle.

What goes wrong goes wrong where it would: a rule of the simulator's weather strikes a call, a notice or a
session, the market does something, or `ScriptedWire` changes what comes back. When a play is over the weather
turns calm and the books are held against the market's own ledger: what arrived, what traded, what is owned.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from jumun.brokers.kis.access import KisAccess, KisEnvironment, parse_account
from jumun.brokers.kis.broker import KISBrokerClient, kis_traits
from jumun.brokers.kis.budget import Budget
from jumun.brokers.kis.client import KisClient
from jumun.brokers.kis.inquiries import Inquiries
from jumun.brokers.kis.quotes import Quotes
from jumun.brokers.kis.stream import KisStream
from jumun.brokers.kis.tokens import Tokens
from jumun.exchange.market import Market
from jumun.exchange.records import NewOrder, OrderRecord, Refusal
from jumun.exchange.sample_world import INSTRUMENTS, sample_world
from jumun.model.commands import BookOpening
from jumun.model.events import Event
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, OrderId
from jumun.model.instruments import InstrumentMaster, Venue
from jumun.model.money import Currency
from jumun.model.orders import Flag, Order, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.positions import Account
from jumun.ports.broker import SendPermit
from jumun.ports.wire import HttpCall, HttpReply
from jumun.rules.book import Book
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US
from jumun.rules.policy import Limits, Policy
from jumun.rules.trading_days import ALWAYS_OPEN, NO_OVERRIDES
from jumun.services.order_engine import OrderEngine
from jumun.simulators.kis.customers import Environment, demo_customer
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.streams import KisStreams
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from jumun.simulators.kis.weather import Match, Rule, Weather
from jumun.store.memory import MemoryJournal
from jumun.store.memory_disk import MemoryDisk
from jumun.testing.kis_stack import ACCOUNT, OPENING_CASH, access_to
from jumun.testing.kis_wire import KisWire, WiredFrames
from jumun.testing.virtual_loop import SeededIds, VirtualClock, run_virtual
from tests.scenarios.stage import ENDS, START_NS, TODAY, USER, ZERO, orders_of, until
from tests.scenarios.stage import an_intent as any_intent

S: Final = 1_000_000_000
CASH: Final = OPENING_CASH
SYMBOLS: Final = ("005930", "000660", "035420")
OTHER: Final = AccountId("87654321-01")  # of the same person, and none of this desk's

ORDER: Final = "/order-cash"
CHANGE: Final = "/domestic-stock/v1/trading/order-rvsecncl"
LIST: Final = "/inquire-daily-ccld"
BALANCE: Final = "/domestic-stock/v1/trading/inquire-balance"
TOKEN: Final = "/oauth2/tokenP"
AT_NXT: Final = {  # our shares trade at both venues
    "instruments": tuple(
        msgspec.structs.replace(issue, nxt=True) for issue in INSTRUMENTS if issue.symbol in SYMBOLS
    )
}
TICK_S: Final = 0.2  # how often the simulated KIS looks at its clock

OnAnswer = Callable[[HttpCall, HttpReply], Awaitable[HttpReply]]
OnFrame = Callable[[str], list[str]]


def a_fault(fault: str, *, path: str = "", **more: Any) -> Rule:
    """A rule of the weather; what a rule matches and what it takes are told side by side."""
    named = {name: more.pop(name) for name in ("symbol", "nth", "count", "probability") if name in more}
    return Rule(fault=fault, match=Match(path=path, **named), **more)


CALM: Final = (a_fault("slow_request", ms=5), a_fault("slow", ms=5))


class ScriptedFrames:
    """A session whose frames a play may change on their way to us, and which may lose what we say."""

    def __init__(self, inner: WiredFrames, wire: "ScriptedWire") -> None:
        self._inner = inner
        self._wire = wire
        self._waiting: list[str] = []

    async def send(self, text: str) -> None:
        if self._wire.is_heard:
            await self._inner.send(text)

    async def receive(self) -> str | None:
        while not self._waiting:
            text = await self._inner.receive()
            if text is None:
                return None
            self._waiting = self._wire.on_frame(text)
        return self._waiting.pop(0)

    async def ping(self) -> None:
        if not self._wire.pongs:
            await asyncio.Event().wait()
        await self._inner.ping()

    async def close(self) -> None:
        await self._inner.close()


class ScriptedWire:
    """The wire to the simulated KIS; a play may change answers and frames. It notes what was written."""

    def __init__(self, kis: SimulatedKis, clock: VirtualClock) -> None:
        self.inner = KisWire(kis, clock)
        self.inner.on_write = lambda call: self.written.append((clock.monotonic_ns(), call))
        self.written: list[tuple[int, HttpCall]] = []
        self.on_answer: OnAnswer = as_it_came
        self.on_frame: OnFrame = lambda text: [text]
        self.is_heard = True
        self.pongs = True  # nobody has confirmed that KIS answers WebSocket pings

    async def call(self, call: HttpCall, permit: SendPermit, *, timeout_s: float) -> HttpReply:
        return await self.on_answer(call, await self.inner.call(call, permit, timeout_s=timeout_s))

    async def open_frames(self, path: str) -> ScriptedFrames:
        return ScriptedFrames(await self.inner.open_frames(path), self)

    async def close(self) -> None:
        await self.inner.close()

    def calls(self, path: str) -> list[HttpCall]:
        """What was written to addresses that end like this, oldest first."""
        return [call for _, call in self.written if call.path.endswith(path)]

    def times_s(self, path: str) -> list[float]:
        """When."""
        return [at_ns / S for at_ns, call in self.written if call.path.endswith(path)]


class Stage:
    """Market, simulated KIS, wire, broker and engine. `engine` runs while a play is on."""

    engine: OrderEngine
    broker: KISBrokerClient
    wire: ScriptedWire

    def __init__(
        self,
        *,
        environment: KisEnvironment = KisEnvironment.LIVE,
        house: HouseSwitches | None = None,
        stream: StreamSwitches | None = None,
        polls: bool = False,
        hashkey: bool = False,
        us: bool = False,
        exclusive: bool = True,
        unknown_order_policy: str = "resend_once",
        always_open: bool = True,
        limits: Limits | None = None,
        holdings: dict[str, Decimal] | None = None,
        symbols: tuple[str, ...] = SYMBOLS,
        world: dict[str, Any] | None = None,
    ) -> None:
        """`world` names switches of the exchange, `house` and `stream` those of the simulated KIS."""
        self.clock = VirtualClock()
        self.ids = SeededIds(Random(1))
        wanted = (*symbols, "AAPL") if us else symbols
        sample = sample_world(ALWAYS_OPEN if always_open else NO_OVERRIDES)
        listed = tuple(issue for issue in sample.instruments if issue.symbol in wanted)
        self.market = Market(msgspec.structs.replace(sample, **{"instruments": listed, **(world or {})}))
        self.holdings = holdings or {}
        now_ns = self.clock.now_ns()
        self.market.open_account(ACCOUNT, cash=CASH, holdings=self.holdings, now_ns=now_ns)
        self.market.open_account(OTHER, cash=CASH, holdings={"005930": Decimal(100)}, now_ns=now_ns)
        kind: Environment = "paper" if environment is KisEnvironment.PAPER else "real"
        customer = demo_customer(kind, accounts=(ACCOUNT, OTHER))
        self.house = KisHouse(self.market, house or HouseSwitches(), (customer,))
        self.weather = Weather(CALM, Random("weather"))
        self.streams = KisStreams(self.house, stream or StreamSwitches(), Random("streams"), self.weather)
        self.kis = SimulatedKis(self.house, self.streams, self.weather)
        self.access = self._access(hashkey=hashkey)
        self.disk = MemoryDisk()
        self.limits = limits or Limits()
        self.exclusive = exclusive
        self.unknown_order_policy = unknown_order_policy
        self.polls = polls
        self.new_line()
        self.print_prices()

    def _access(self, *, hashkey: bool) -> KisAccess:
        """This desk's own account only, though the person has another one."""
        known = access_to(self.kis)
        return msgspec.structs.replace(known, accounts=(parse_account(ACCOUNT),), use_hashkey=hashkey)

    def new_line(self) -> None:
        """A new program reaches the same KIS: wire, keys and broker are new."""
        access, clock = self.access, self.clock
        self.wire = wire = ScriptedWire(self.kis, clock)
        budget = Budget(access.calls_per_s, clock)
        self.tokens = tokens = Tokens(access, wire, clock, budget)
        client = KisClient(access, wire, clock, tokens, budget)
        instruments = InstrumentMaster(self.market.world.instruments)
        at_home = tuple(issue.symbol for issue in instruments if issue.venue is Venue.KRX)
        self.stream = KisStream(access, wire, tokens, clock, Random("stream"), watched=at_home)
        today = date.fromisoformat(TODAY)
        self.broker = KISBrokerClient(
            access,
            kis_traits(access.environment, today, world="sim", polls=self.polls),
            wire,
            client,
            None if self.polls else self.stream,
            Inquiries(
                access,
                client,
                clock,
                frozenset(issue.venue for issue in instruments),
                self.market.world.overrides,
            ),
            Quotes(access, client, clock, instruments),
            instruments,
            clock,
        )

    def print_prices(self, qty: int = 1_000_000) -> None:
        """Every symbol trades at its base, with deep quotes one tick around it."""
        now_ns = self.clock.now_ns()
        for issue in self.market.world.instruments:
            base = self.market.world.bases[issue.symbol]
            self.market.step(issue.symbol, base, Decimal(qty), now_ns, quote_qty=Decimal(qty))

    def trade(self, symbol: str, price: int, qty: int, **where: Any) -> None:
        """The market trades `qty` at `price`: what rests there fills."""
        self.market.step(symbol, Decimal(price), Decimal(qty), self.clock.now_ns(), quote_qty=ZERO, **where)

    # ---- weather --------------------------------------------------------------------------------

    def bad_weather(self, *rules: Rule) -> None:
        """From now on these rules are in force, beside the ones before."""
        self.weather.add(rules)

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.weather.clear()
        self.weather.add(CALM)

    @contextmanager
    def bad(self, *rules: Rule) -> Iterator[None]:
        """These rules are in force inside."""
        self.bad_weather(*rules)
        yield
        self.calm()

    # ---- the engine -----------------------------------------------------------------------------

    def policy(self) -> Policy:
        """The desk's settings, as the service makes them for KIS."""
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

    async def start(self) -> None:
        """Start an engine on this disk and this line, and wait until prices are known."""
        self.engine = OrderEngine(
            broker_client=self.broker,
            journal=MemoryJournal(self.disk),
            policy=self.policy(),
            clock=self.clock,
            ids=self.ids,
            prices=self.broker,
            openings=[BookOpening(account_id=ACCOUNT, rows=self._opening(), document="opening")],
        )
        await self.engine.start()
        symbols = [issue.symbol for issue in self.market.world.instruments]
        await until(lambda: all(self.broker.quote(symbol) is not None for symbol in symbols), 30.0)

    async def crash(self) -> None:
        """The process dies where it stands; nothing of it reaches the outside again."""
        await self.engine.abandon()
        await self.engine.journal.close()
        await self.broker.leave()
        self.new_line()

    async def pass_time(self) -> None:
        """Let late frames leave, signs of life be sent and sessions end, for ever."""
        while True:
            now_ns = self.clock.now_ns()
            self.market.advance(now_ns)
            self.streams.pass_time(now_ns)
            due_ns = self.streams.next_due_ns()
            wait_s = TICK_S if due_ns is None else min(TICK_S, max(due_ns - now_ns, 1) / S)
            await asyncio.sleep(wait_s)

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
        order_id = await self.buy(number, **{"price": Decimal(57_800), **changes})
        await until(lambda: self.order(order_id).status is OrderStatus.ACCEPTED)
        return order_id

    def order(self, order_id: OrderId) -> Order:
        """An order the book has."""
        order = self.book.order(order_id)
        assert order is not None, f"{order_id} is not in the book"
        return order

    async def ended(self, order_id: OrderId, seconds: float = 180.0) -> Order:
        """Wait for the end of an order."""
        await until(lambda: self.order(order_id).status.is_final, seconds)
        return self.order(order_id)

    async def unknown(self, order_id: OrderId) -> None:
        """Wait until nobody knows what became of an order."""
        await until(lambda: self.order(order_id).is_unknown, 15.0)

    async def story(self, order_id: OrderId) -> list[Event]:
        """The events of an order, oldest first."""
        return [record.event for record in await self.engine.journal.story_of(order_id)]

    async def studies(self, count: int = 1) -> None:
        """Wait until KIS was asked about everything `count` more times."""
        wanted = self.engine.reconciler.rounds + count
        await until(lambda: self.engine.reconciler.rounds >= wanted, 60.0 * count)

    # ---- the oracle -----------------------------------------------------------------------------

    def sent(self, order_id: OrderId) -> int:
        """How often a new order of this id was written to the wire."""
        return sum(call.tag.split("/")[0] == order_id for call in self.wire.calls(ORDER))

    def arrived(self, order_id: OrderId) -> int:
        """How often a new order of this id reached the exchange, taken or refused."""
        return sum(arrival.order.tag.split("/")[0] == order_id for arrival in self.market.arrivals)

    def key(self, order_id: OrderId) -> str:
        """The exchange's name of the newest number of an order."""
        ref = self.order(order_id).refs[-1]
        return f"{ref.trade_date}/{ref.branch}/{ref.number}"

    def stranger(self, **changes: Any) -> OrderRecord:
        """A person trades this account past us, with the same broker."""
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

    def require_budget(self) -> None:
        """No sliding second at the transport has one call too many (kis.md 7.1)."""
        times = [at_ns for at_ns, _ in self.wire.written]
        rate = self.access.calls_per_s
        fast = [b - a for a, b in zip(times, times[rate:], strict=False) if b - a <= S]
        assert not fast, f"S002-52: {rate + 1} calls within a second, {len(fast)} times"

    def records_of(self, order: Order) -> list[OrderRecord]:
        """Every number of an order at the exchange; what KIS itself turned down has none there."""
        found = [f"{ref.trade_date}/{ref.branch}/{ref.number}" for ref in order.refs]
        known = [key for key in found if key in self.market.orders]
        return [record for key in known for record in self.house.office.records.chain(key)]

    def _orders_agree(self) -> None:
        for order in orders_of(self.engine):
            records = self.records_of(order)
            filled = sum((record.qty_filled for record in records), ZERO)
            amount = sum((record.amount_filled for record in records), ZERO)
            assert (order.qty_filled, order.amount_filled) == (filled, amount), f"I-09: {order.order_id}"
            if records and not records[-1].is_open and not order.busts:
                assert order.status is ENDS[records[-1].state], f"I-38: {order.order_id} {order.status}"
        known = {(ref.trade_date, ref.number) for order in orders_of(self.engine) for ref in order.refs}
        goes_on = self.house.office.records.is_continuation
        ours = {
            (record.trade_date, record.number)
            for record in self.market.orders.values()
            if record.account_id == ACCOUNT and not goes_on(record.key)
        }
        assert not ours - known, f"I-38: the exchange has {ours - known} and our books do not"

    def _opening(self) -> tuple[LedgerRow, ...]:
        rows = [_opening_row(Currency(code), amount, LedgerAccount.CASH) for code, amount in CASH.items()]
        for symbol, qty in self.holdings.items():
            cost = self.market.world.bases[symbol] * qty
            rows.append(_opening_row(Currency.KRW, cost, LedgerAccount.SECURITIES, symbol, qty))
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


async def as_it_came(_: HttpCall, reply: HttpReply) -> HttpReply:
    """No change on the way back."""
    return reply


def an_intent(number: int = 0, **changes: Any) -> Any:
    """Buy one tick above the base, so that it trades at once; `number` makes key and look its own."""
    return any_intent(number, **{"account_id": ACCOUNT, **changes})


Play = Callable[[Stage], Awaitable[None]]


def on_stage(
    play: Play,
    *,
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
        ticking = asyncio.get_running_loop().create_task(stage.pass_time(), name="kis-time")
        await stage.start()
        await play(stage)
        stage.calm()
        assert stage.engine.stopped is not None
        assert not stage.engine.stopped.done(), "the engine stopped in the middle of the play"
        await asyncio.sleep(settle_s)
        await stage.engine.desk.quiet()
        await stage.require_honest_books()
        stage.require_budget()
        if agrees:
            stage.require_agreement()
        await stage.engine.stop()
        assert not ticking.done(), "the simulated KIS stopped"

    run_virtual(main(), start_ns)
