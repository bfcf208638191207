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
from jumun.exchange.records import OrderRecord
from jumun.exchange.sample_world import INSTRUMENTS, sample_world
from jumun.model.ids import AccountId, OrderId
from jumun.model.instruments import InstrumentMaster, Venue
from jumun.model.orders import Order
from jumun.model.signals import ApprovedOrderIntent
from jumun.ports.broker import SendPermit
from jumun.ports.outside import DaySource
from jumun.ports.wire import HttpCall, HttpReply
from jumun.rules.policy import Limits
from jumun.rules.trading_days import ALWAYS_OPEN, NO_OVERRIDES
from jumun.simulators.kis.customers import Environment, demo_customer
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.streams import KisStreams
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from jumun.simulators.kis.weather import Match, Rule, Weather
from jumun.testing.kis_stack import ACCOUNT, OPENING_CASH, access_to
from jumun.testing.kis_wire import KisWire, WiredFrames
from jumun.testing.virtual_loop import VirtualClock, run_virtual
from tests.scenarios.any_stage import START_NS, TODAY, AnyStage, S, intent_of, until

CASH: Final = OPENING_CASH
SYMBOLS: Final = ("005930", "000660", "035420")
OTHER: Final = AccountId("87654321-01")  # of the same person, and none of this desk's

ORDER: Final = "/order-cash"
US_ORDER: Final = "/overseas-stock/v1/trading/order"
US_LIST: Final = "/overseas-stock/v1/trading/inquire-ccnl"
CHANGE: Final = "/domestic-stock/v1/trading/order-rvsecncl"
LIST: Final = "/inquire-daily-ccld"
PRICE: Final = "/domestic-stock/v1/quotations/inquire-price"
DAYS: Final = "/chk-holiday"
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
Spoil = Callable[[dict[str, Any]], None]


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


class Stage(AnyStage):
    """Market, simulated KIS, wire, broker and engine. `engine` runs while a play is on."""

    account_id = ACCOUNT
    cash = CASH
    ends_within_s = 180.0

    broker: KISBrokerClient
    wire: ScriptedWire

    def __init__(
        self,
        *,
        environment: KisEnvironment = KisEnvironment.LIVE,
        house: HouseSwitches | None = None,
        stream: StreamSwitches | None = None,
        polls: bool = False,
        asks_days: bool = False,
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
        """`world` names switches of the exchange, `house` and `stream` those of the simulated KIS.

        `asks_days`: KIS is asked for its trading days, as the service does, at the cost of one call more.
        """
        wanted = (*symbols, "AAPL") if us else symbols
        sample = sample_world(ALWAYS_OPEN if always_open else NO_OVERRIDES)
        listed = tuple(issue for issue in sample.instruments if issue.symbol in wanted)
        ours = msgspec.structs.replace(sample, **{"instruments": listed, **(world or {})})
        super().__init__(
            ours,
            symbols=tuple(issue.symbol for issue in ours.instruments),
            exclusive=exclusive,
            unknown_order_policy=unknown_order_policy,
            limits=limits,
            holdings=holdings,
        )
        self.market.open_account(
            OTHER, cash=CASH, holdings={"005930": Decimal(100)}, now_ns=self.clock.now_ns()
        )
        kind: Environment = "paper" if environment is KisEnvironment.PAPER else "real"
        customer = demo_customer(kind, accounts=(ACCOUNT, OTHER))
        self.house = KisHouse(self.market, house or HouseSwitches(), (customer,))
        self.weather = Weather(CALM, Random("weather"))
        self.streams = KisStreams(self.house, stream or StreamSwitches(), Random("streams"), self.weather)
        self.kis = SimulatedKis(self.house, self.streams, self.weather)
        self.access = self._access(hashkey=hashkey)
        self.polls = polls
        self.asks_days = asks_days
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

    def day_source(self) -> DaySource | None:
        """KIS itself, but for its paper service."""
        return self.broker if self.asks_days and self.broker.tells_days else None

    async def leave_line(self) -> None:
        """Close for good."""
        await self.broker.leave()

    @property
    def orders_written(self) -> int:
        """How many new orders were written to the wire."""
        return len(self.wire.calls(ORDER))

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

    async def start(self) -> None:
        """Start an engine on this disk and this line, and wait until prices are known."""
        await super().start()
        symbols = [issue.symbol for issue in self.market.world.instruments]
        await until(lambda: all(self.broker.quote(symbol) is not None for symbol in symbols), 30.0)

    async def pass_time(self) -> None:
        """Let late frames leave, signs of life be sent and sessions end, for ever."""
        while True:
            now_ns = self.clock.now_ns()
            self.market.advance(now_ns)
            self.streams.pass_time(now_ns)
            due_ns = self.streams.next_due_ns()
            wait_s = TICK_S if due_ns is None else min(TICK_S, max(due_ns - now_ns, 1) / S)
            await asyncio.sleep(wait_s)

    # ---- the oracle -----------------------------------------------------------------------------

    def sent(self, order_id: OrderId) -> int:
        """How often a new order of this id was written to the wire."""
        return sum(call.tag.split("/")[0] == order_id for call in self.wire.calls(ORDER))

    async def require_honest_books(self) -> None:
        """What holds whatever happened, and KIS was not asked too often."""
        await super().require_honest_books()
        self.require_budget()

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

    def is_order(self, record: OrderRecord) -> bool:
        """What goes on of an order under a number of its own is no order of its own."""
        return super().is_order(record) and not self.house.office.records.is_continuation(record.key)


async def as_it_came(_: HttpCall, reply: HttpReply) -> HttpReply:
    """No change on the way back."""
    return reply


def an_intent(number: int = 0, **changes: Any) -> ApprovedOrderIntent:
    """See `intent_of`."""
    return intent_of(ACCOUNT, number, **changes)


def spoiling(path: str, spoil: Spoil) -> OnAnswer:
    """Change what answers to one address say."""

    async def spoiled(call: HttpCall, reply: HttpReply) -> HttpReply:
        if not call.path.endswith(path):
            return reply
        body = msgspec.json.decode(reply.body)
        spoil(body)
        return msgspec.structs.replace(reply, body=msgspec.json.encode(body))

    return spoiled


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
        await stage.perform(play, agrees=agrees, settle_s=settle_s)
        assert not ticking.done(), "the simulated KIS stopped"

    run_virtual(main(), start_ns)
