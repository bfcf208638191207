"""A stage for the engine: the real desk and paper broker on virtual time, and the broker's levers."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any, Final

from jumun.brokers.paper.broker import PaperBroker, paper_traits
from jumun.brokers.paper.link import LocalLink
from jumun.exchange.market import Market
from jumun.exchange.records import NewOrder, OrderRecord
from jumun.exchange.sample_world import sample_world
from jumun.model.commands import BookOpening
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, UserId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import Order, OrderType, Side, TimeInForce
from jumun.model.positions import Account
from jumun.model.reports import CancelOutcome, CancelRequest, NotSent, SubmitOutcome, SubmitRequest, Unknown
from jumun.model.signals import ApprovedOrderIntent
from jumun.ports.broker import SendPermit
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US
from jumun.rules.policy import Limits, Policy
from jumun.rules.trading_days import ALWAYS_OPEN
from jumun.services.order_engine import OrderEngine
from jumun.store.memory import MemoryJournal
from jumun.store.memory_disk import MemoryDisk
from jumun.testing.virtual_loop import SeededIds, VirtualClock, run_virtual

ACCOUNT: Final = AccountId("SIM-001")
USER: Final = UserId("demo")
START_NS: Final = 1_748_217_600_000_000_000  # 2025-05-26 09:00 in Seoul
CASH: Final = {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}


class LeveredBroker(PaperBroker):
    """The paper broker with levers: refuse to send, lose the reply, be slow, keep what was asked for."""

    sends: list[tuple[int, SubmitRequest]]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.sends = []
        self.in_flight = self.in_flight_most = 0
        self.not_sent = 0  # how many of the next sends never leave
        self.lose_reply = 0  # how many of the next replies are lost
        self.lose_request = 0  # how many of the next requests are lost on the way
        self.delay_s = 0.01
        self.cancel_delay_s = 0.0
        self.before_write: Callable[[], None] = lambda: None

    async def submit(self, request: SubmitRequest, permit: SendPermit) -> SubmitOutcome:
        """As the paper broker, behind the levers."""
        self.sends.append((self._clock.now_ns(), request))
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)
        try:
            await asyncio.sleep(self.delay_s)
            if self.not_sent:
                self.not_sent -= 1
                return NotSent(text="connection refused")
            if self.lose_request:
                self.lose_request -= 1
                return Unknown(text="no answer")
            self.before_write()
            outcome = await super().submit(request, permit)
            if self.lose_reply:
                self.lose_reply -= 1
                return Unknown(text="no answer")
            return outcome
        finally:
            self.in_flight -= 1

    async def cancel(self, request: CancelRequest) -> CancelOutcome:
        """As the paper broker, slowly where a test wants it."""
        await asyncio.sleep(self.cancel_delay_s)
        return await super().cancel(request)


class Stage:
    """Everything an engine needs. `engine()` makes a new one on the same disk and the same exchange."""

    def __init__(self, **limits: Any) -> None:
        self.clock = VirtualClock()
        self.ids = SeededIds(Random(1))
        self.market = Market(sample_world())
        self.market.open_account(ACCOUNT, cash=CASH, now_ns=self.clock.now_ns())
        self.disk = MemoryDisk()
        self.limits = Limits(**limits)
        self.broker = self.new_broker()
        self.print_prices()

    def new_broker(self) -> LeveredBroker:
        return LeveredBroker(LocalLink(self.market, self.clock), paper_traits(), self.clock)

    def print_prices(self, qty: int = 1_000_000) -> None:
        for symbol in ("005930", "000660", "AAPL"):
            base = self.market.base_of(symbol, "2025-05-26")
            assert base is not None
            self.market.step(symbol, base, Decimal(qty), self.clock.now_ns(), quote_qty=Decimal(qty))

    def by_hand(self, **changes: Any) -> OrderRecord:
        """A person buys past us, in the same account."""
        values: dict[str, Any] = {
            "account_id": ACCOUNT,
            "symbol": "005930",
            "venue": Venue.KRX,
            "currency": Currency.KRW,
            "side": Side.BUY,
            "order_type": OrderType.LIMIT,
            "tif": TimeInForce.DAY,
            "qty": Decimal(1),
            "client": "human",
        }
        told = self.market.submit(NewOrder(**(values | changes)), self.clock.now_ns())
        assert isinstance(told, OrderRecord), told
        return told

    def policy(self) -> Policy:
        plans = {"KRX": KIS_BANKIS.name, "US": KIS_US.name}
        account = Account(
            account_id=ACCOUNT,
            base_currency=Currency.KRW,
            users=(USER,),
            may_buy=True,
            may_sell=True,
            cost_plans=plans,
        )
        traits = self.broker.traits
        return Policy(
            environment="sim",
            instruments=self.market.master,
            accounts={ACCOUNT: account},
            cost_plans={plan.name: plan for plan in (KIS_BANKIS, KIS_US)},
            sessions=ALWAYS_OPEN,
            limits=self.limits,
            kinds=traits.kinds,
            carries_reference=traits.carries_reference,
            unknown_order_policy="resend_once",
            visible_after_ns=traits.visible_after_ns,
            settles_after_ns=traits.settles_after_ns,
            modifies=traits.modifies,
            session_kinds=traits.sessions,
        )

    def engine(self, **named: Any) -> OrderEngine:
        rows = tuple(
            LedgerRow(
                kind=LedgerKind.OPENING,
                account_id=ACCOUNT,
                currency=Currency(currency),
                amount=amount,
                debit=LedgerAccount.CASH,
                credit=LedgerAccount.OUTSIDE,
                trade_date="2025-05-26",
                settlement_date="2025-05-26",
            )
            for currency, amount in CASH.items()
        )
        return OrderEngine(
            broker_client=self.broker,
            journal=MemoryJournal(self.disk),
            policy=self.policy(),
            clock=self.clock,
            ids=self.ids,
            prices=self.broker,
            openings=[BookOpening(account_id=ACCOUNT, rows=rows, document="opening")],
            **named,
        )


def an_intent(number: int = 0, **changes: Any) -> ApprovedOrderIntent:
    """Buy one share of 005930 at a limit that trades at once; `number` makes its key its own."""
    values: dict[str, Any] = {
        "account_id": ACCOUNT,
        "symbol": "005930",
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "qty": Decimal(1 + number % 50),
        "price": Decimal(58_100),
        "strategy_id": "test",
        "strategy_version": "test-1",
        "signal_ts_ns": START_NS + number * 1_000_000,
        "user_id": USER,
    }
    return ApprovedOrderIntent(**{**values, **changes})


def on_stage(play: Callable[[Stage], Awaitable[None]], **limits: Any) -> None:
    """Run a play in virtual time."""

    async def main() -> None:
        await play(Stage(**limits))

    run_virtual(main(), START_NS)


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait in virtual time until something is true."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it did not come true within {seconds} virtual seconds")


def orders_of(engine: OrderEngine) -> list[Order]:
    """Every order the engine has in memory."""
    book = engine.desk.book
    return [*book.open.values(), *book.recent.values()]
