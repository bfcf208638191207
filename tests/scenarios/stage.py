"""A whole desk in virtual time, a broker whose faults are scripted, and the oracle that has the last word.

The line is the paper broker's own: `LocalLink` to the market, `FaultyLink` for the weather, then two scripts:
`ScriptedLink` for answers, `ScriptedBroker` for lists and notices. When a play is over the weather turns calm
and the books are held against the market's ledger: what arrived, what traded, what is owned.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from jumun.brokers.paper import FaultPlan, FaultyLink, FillIdentity, LocalLink, PaperBroker, paper_traits
from jumun.brokers.paper.link import Link, LinkNotice
from jumun.brokers.paper.wire import Answer, Cancel, Command, Submit
from jumun.exchange.sample_world import sample_world
from jumun.model.errors import BrokerUnavailable
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.reports import Balance, BrokerReport, CancelOutcome, CancelRequest, OrderHistory
from jumun.model.signals import ApprovedOrderIntent
from jumun.ports.broker import SendPermit
from jumun.rules.policy import Limits
from jumun.rules.trading_days import ALWAYS_OPEN, NO_OVERRIDES
from jumun.testing.virtual_loop import run_virtual
from tests.scenarios.any_stage import START_NS, AnyStage, intent_of

ACCOUNT: Final = AccountId("SIM-001")
CASH: Final = {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}
SYMBOLS: Final = ("005930", "000660", "035420", "247540", "005935", "069500")  # print_prices trades them
# Every scripted fault fits in here: the broker promises its slowness once, when it is made.
CALM: Final = FaultPlan(latency_ms_min=10, latency_ms_max=10, history_lag_ms_max=2_000)
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


class Stage(AnyStage):
    """Market, line, broker and engine. `engine` runs while a play is on."""

    account_id = ACCOUNT
    cash = CASH
    ends_within_s = 120.0

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
        sample = sample_world(ALWAYS_OPEN if always_open else NO_OVERRIDES)
        super().__init__(
            msgspec.structs.replace(sample, **(world or {})),
            symbols=SYMBOLS,
            exclusive=exclusive,
            unknown_order_policy=unknown_order_policy,
            limits=limits,
            holdings=holdings,
        )
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

    async def leave_line(self) -> None:
        """Hang up."""
        await self.broker.close()

    @property
    def orders_written(self) -> int:
        """How many new orders were written to the line."""
        return len(self.link.submits())

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


async def as_it_came(_: Command, answer: Answer) -> Answer:
    return answer


def _the_same(told: Any) -> Any:
    return told


def an_intent(number: int = 0, **changes: Any) -> ApprovedOrderIntent:
    """See `intent_of`."""
    return intent_of(ACCOUNT, number, **changes)


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
        await stage.perform(play, agrees=agrees, settle_s=settle_s)

    run_virtual(main(), start_ns)
