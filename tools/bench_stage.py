"""The stage of `make bench`: a profile, an order stream, a desk on a real store, and two brokers for it.

`paper` is the simulated exchange in the same process: its work is inside the figures. `instant` takes and
fills every order at once and remembers totals only: the desk's own path, and memory that does not grow.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from jumun.brokers.paper import LocalLink, PaperBroker, paper_traits
from jumun.exchange.market import Market
from jumun.exchange.sample_world import sample_world
from jumun.model.commands import BookOpening
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, BrokerOrderNo, UserId
from jumun.model.journal import Entry
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, OrderType, Side
from jumun.model.positions import Account
from jumun.model.reports import (
    Accepted,
    Balance,
    BrokerReport,
    BrokerState,
    CancelOutcome,
    CancelRequest,
    FillNotice,
    Holding,
    ModifyOutcome,
    ModifyRequest,
    OrderHistory,
    OrderReport,
    SubmitOutcome,
    SubmitRequest,
    Unknown,
)
from jumun.model.signals import ApprovedOrderIntent
from jumun.ports.broker import BrokerTraits, SendPermit
from jumun.ports.outside import Quote
from jumun.rules.cost_tables import KIS_BANKIS
from jumun.rules.costs import order_costs, total_of
from jumun.rules.policy import Limits, Policy
from jumun.rules.settlement import settlement_date
from jumun.rules.trading_days import ALWAYS_OPEN
from jumun.services.order_engine import OrderEngine
from jumun.store.sqlite import SqliteJournal
from jumun.system import SystemClock, SystemIds

ACCOUNT: Final = AccountId("BENCH-001")
SYMBOL: Final = "005930"
ASK: Final = Decimal(58_100)
CASH: Final = Decimal(10) ** 13
# The named profile `bench`, printed with the figures.
PROFILE: Final = Limits(
    max_queue_size=100_000, max_concurrent_orders=1_000, max_position_size=Decimal(10) ** 9
)
PROFILE_TEXT: Final = (
    f"profile `bench`: max_concurrent_orders {PROFILE.max_concurrent_orders}, "
    f"max_queue_size {PROFILE.max_queue_size}, max_position_size {PROFILE.max_position_size}"
)


class InstantBroker:
    """ports.Broker and ports.Prices: fills whatever comes at the asking price, within the same turn."""

    def __init__(self, clock: SystemClock, market: Market, qty: Decimal = Decimal(0), cash: Decimal = CASH):
        self._clock = clock
        self._market = market
        self._traits = paper_traits(name="instant")
        self._told: asyncio.Queue[BrokerReport] = asyncio.Queue()
        self._taken = 0
        self.qty = qty
        self.cash = cash

    @property
    def traits(self) -> BrokerTraits:
        """Those of the paper broker."""
        return self._traits

    async def connect(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def submit(self, request: SubmitRequest, permit: SendPermit) -> SubmitOutcome:
        """Take it, and tell of the acceptance and the fill."""
        assert permit(), "the bench never halts"
        assert request.price is not None, "the bench sends limit orders"
        self._taken += 1
        now_ns = self._clock.now_ns()
        number = BrokerOrderNo(f"{self._clock.monotonic_ns() // 1_000:016d}{self._taken:08d}")
        ref = BrokerRef(trade_date=request.trade_date, branch="91252", number=number)
        day = date.fromisoformat(request.trade_date)
        instrument = self._market.master.get(request.symbol)
        value = request.qty * ASK
        settles = settlement_date(instrument.market, day, ALWAYS_OPEN)
        costs = order_costs(KIS_BANKIS, instrument, request.side, value, request.qty, day, settles)
        self.qty += request.qty
        self.cash -= value + total_of(costs)
        raw = (
            f'{{"answer":"order_taken","account_id":"{request.account_id}","trade_date":"{ref.trade_date}",'
            f'"branch":"{ref.branch}","number":"{number}","symbol":"{request.symbol}","venue":"KRX",'
            f'"currency":"KRW","side":"BUY","order_type":"LIMIT","tif":"DAY","qty":"{request.qty}",'
            f'"price":"{request.price}","state":"FILLED","qty_filled":"{request.qty}",'
            f'"amount_filled":"{value}","ts_accepted_ns":{now_ns},"ts_changed_ns":{now_ns},"text":""}}'
        )
        accepted = OrderReport(
            account_id=request.account_id,
            ref=ref,
            symbol=request.symbol,
            venue=request.venue,
            currency=request.currency,
            side=request.side,
            order_type=request.order_type,
            qty=request.qty,
            price=request.price,
            state=BrokerState.WORKING,
            qty_filled=Decimal(0),
            amount_filled=Decimal(0),
            ts_event_ns=now_ns,
            raw=raw,
        )
        filled = FillNotice(
            account_id=request.account_id,
            ref=ref,
            symbol=request.symbol,
            side=request.side,
            qty=request.qty,
            price=ASK,
            ts_event_ns=now_ns,
            qty_cumulative=request.qty,
            amount_cumulative=value,
            raw=raw,
        )
        self._told.put_nowait(accepted)
        self._told.put_nowait(filled)
        return Accepted(ref=ref, raw=raw)

    async def cancel(self, request: CancelRequest) -> CancelOutcome:
        """Nothing is ever open here."""
        return Unknown(text="the bench cancels nothing")

    async def modify(self, request: ModifyRequest, permit: SendPermit) -> ModifyOutcome:
        """Nothing is ever open here."""
        return Unknown(text="the bench modifies nothing")

    async def history(self, account_id: AccountId, trade_date: str) -> OrderHistory:
        """No order is ever in doubt here, so none has to be listed."""
        now_ns = self._clock.now_ns()
        return OrderHistory(account_id=account_id, trade_date=trade_date, asked_ns=now_ns, orders=())

    async def balance(self, account_id: AccountId) -> Balance:
        """The totals."""
        held = (Holding(symbol=SYMBOL, qty=self.qty),) if self.qty else ()
        now_ns = self._clock.now_ns()
        return Balance(account_id=account_id, asked_ns=now_ns, holdings=held, cash={"KRW": self.cash})

    async def ping(self) -> None:
        """It is always there."""

    async def reports(self) -> AsyncIterator[BrokerReport]:
        """Whatever `submit` told."""
        while True:
            yield await self._told.get()

    def quote(self, symbol: str) -> Quote | None:
        """The asking price, as of now."""
        base = self._market.world.bases[symbol]
        return Quote(symbol=symbol, last=ASK, base=base, ts_ns=self._clock.now_ns())


class Stage(NamedTuple):
    """A running desk."""

    engine: OrderEngine
    journal: SqliteJournal
    start_ns: int


async def open_stage(path: Path, *, instant: bool, held: tuple[Decimal, Decimal] | None = None) -> Stage:
    """Start a desk on the store at `path`. `held` is what the instant broker has: quantity and cash."""
    clock = SystemClock()
    market = Market(sample_world())
    broker: Any
    if instant:
        broker = InstantBroker(clock, market, *(held or ()))
    else:
        market.open_account(ACCOUNT, cash={"KRW": CASH}, now_ns=clock.now_ns())
        broker = PaperBroker(LocalLink(market, clock), paper_traits(), clock)
    journal = SqliteJournal(path, label="bench")
    engine = OrderEngine(
        broker_client=broker,
        journal=journal,
        policy=policy(broker.traits, market),
        clock=clock,
        ids=SystemIds(),
        prices=broker,
        openings=[opening()],
        verify_behind=False,
    )
    await engine.start()
    if not instant:
        base = market.world.bases[SYMBOL]
        market.step(SYMBOL, base, Decimal(10) ** 9, clock.now_ns(), quote_qty=Decimal(10) ** 9)
    return Stage(engine, journal, clock.now_ns())


class Run(NamedTuple):
    """What a drive measured."""

    seconds: float
    waits: list[float]  # seconds from the call to the commit of the fill, of each order
    commits: int
    records: int


async def drive(stage: Stage, first: int, count: int, in_flight: int) -> Run:
    """Send orders `first` to `first + count`, `in_flight` at a time, and wait for each fill to be durable."""
    engine = stage.engine
    done: dict[str, asyncio.Event] = {}
    waits: list[float] = []
    numbers = iter(range(first, first + count))
    commits = filled = 0
    heard = engine.desk.on_commit

    def on_commit(entries: Sequence[Entry]) -> None:
        nonlocal commits, filled
        commits += 1
        heard(entries)
        for entry in entries:
            filled += entry.fill is not None
            if entry.order is not None and entry.order.status.is_final and entry.order.order_id in done:
                done[entry.order.order_id].set()

    async def trader() -> None:
        for number in numbers:
            began = time.perf_counter()
            decision = await engine.submit(intent(number, stage.start_ns))
            assert decision.denial is None, decision.denial
            assert decision.order is not None, "an intent that is taken makes an order"
            order_id = decision.order.order_id
            if order_id in engine.desk.book.open:
                done[order_id] = asyncio.Event()
                await done[order_id].wait()
                del done[order_id]
            waits.append(time.perf_counter() - began)

    engine.desk.on_commit = on_commit
    seq = engine.desk.book.seq
    began = time.perf_counter()
    assert engine.stopped is not None, "start the engine first"
    work = asyncio.gather(*(trader() for _ in range(in_flight)))
    waiting: list[asyncio.Future[Any]] = [work, engine.stopped]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if engine.stopped.done():
        engine.stopped.result()  # raises what ended the engine: nobody would answer the rest
    await work
    seconds = time.perf_counter() - began
    engine.desk.on_commit = heard
    assert filled == count, f"{filled} of {count} orders filled: what was measured is not the whole path"
    return Run(seconds, waits, commits, engine.desk.book.seq - seq)


def policy(traits: BrokerTraits, market: Market) -> Policy:
    """The desk's policy under the bench profile."""
    account = Account(
        account_id=ACCOUNT,
        base_currency=Currency.KRW,
        users=(UserId("bench"),),
        may_buy=True,
        may_sell=True,
        cost_plans={"KRX": KIS_BANKIS.name},
    )
    return Policy(
        environment="sim",
        instruments=market.master,
        accounts={ACCOUNT: account},
        cost_plans={KIS_BANKIS.name: KIS_BANKIS},
        sessions=ALWAYS_OPEN,
        limits=PROFILE,
        kinds=traits.kinds,
        carries_reference=traits.carries_reference,
        unknown_order_policy="resend_once",
        visible_after_ns=traits.visible_after_ns,
        settles_after_ns=traits.settles_after_ns,
    )


def opening() -> BookOpening:
    """Opening cash, the same on both sides."""
    row = LedgerRow(
        kind=LedgerKind.OPENING,
        account_id=ACCOUNT,
        currency=Currency.KRW,
        amount=CASH,
        debit=LedgerAccount.CASH,
        credit=LedgerAccount.OUTSIDE,
        trade_date="2026-01-02",
        settlement_date="2026-01-02",
    )
    return BookOpening(account_id=ACCOUNT, rows=(row,), document="bench")


def intent(number: int, start_ns: int) -> ApprovedOrderIntent:
    """A limit buy that trades at once; neighbours differ in quantity and price, so they may fly together."""
    return ApprovedOrderIntent(
        account_id=ACCOUNT,
        symbol=SYMBOL,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        qty=Decimal(1 + number % 50),
        price=ASK + 100 * (number // 50 % 40),
        strategy_id="bench",
        strategy_version="1",
        signal_ts_ns=start_ns + number * 1_000_000,
        user_id=UserId("bench"),
    )
