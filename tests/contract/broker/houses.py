"""The brokers under test, and what the suite must be able to do to the world behind each.

A house is one broker with one exchange behind it. A broker that joins later brings a house of its own.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec

from jumun.brokers.paper import FaultPlan, FaultyLink, Link, LocalLink, PaperBroker, SocketLink, paper_traits
from jumun.exchange.ledger_file import LedgerFile
from jumun.exchange.market import Market
from jumun.exchange.protocol import Answer, Cancel, Change, Done, Modify, OpenAccount, Step, Submit
from jumun.exchange.records import Arrival, Execution, NewOrder
from jumun.exchange.sample_world import sample_world
from jumun.exchange.service import answer
from jumun.exchange.world import World
from jumun.model.ids import AccountId, OrderId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.model.reports import Accepted, BrokerReport, CancelRequest, ModifyRequest, SubmitRequest
from jumun.simulators.exchange_process import ExchangeServer

ACCOUNT = AccountId("81234567-01")
SYMBOL = "005930"
START_NS = 1_750_000_000_000_000_000  # 2025-06-16 00:06:40 in Seoul
DAY_NS = 86_400 * 1_000_000_000
TODAY = "2025-06-16"
TOMORROW = "2025-06-17"
PRICE = Decimal(58_000)
WAIT_S = 20.0
NO_FAULTS = FaultPlan()


class ManualClock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.ns = START_NS

    def now_ns(self) -> int:
        return self.ns

    def monotonic_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.ns += int(seconds * 1_000_000_000)
        await asyncio.sleep(0)


class Heard:
    """Collects a broker's reports; tests wait for what they need."""

    def __init__(self, broker: PaperBroker) -> None:
        self.reports: list[BrokerReport] = []
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._read(broker), name="heard")

    async def _read(self, broker: PaperBroker) -> None:
        async for report in broker.reports():
            self.reports.append(report)
            self._changed.set()

    async def until(self, met: Callable[[list[BrokerReport]], bool]) -> list[BrokerReport]:
        """Wait until the reports so far meet a condition."""
        async with asyncio.timeout(WAIT_S):
            while not met(self.reports):
                self._changed.clear()
                await self._changed.wait()
        return self.reports

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


class House(ABC):
    """One broker and the exchange behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.bare: Link
        self.faults: FaultyLink
        self.broker: PaperBroker
        self.heard: Heard

    async def start(self) -> None:
        """Open the exchange, an account, a price and the broker."""
        await self._open_exchange()
        self.control(
            OpenAccount(
                account_id=ACCOUNT,
                cash={"KRW": Decimal(100_000_000), "USD": Decimal(100_000)},
                holdings={SYMBOL: Decimal(100)},
            )
        )
        self.print_price(PRICE)
        self.bare = self._link()
        self.faults = FaultyLink(self.bare, NO_FAULTS, Random(1), self.clock)
        self.broker = self.a_broker(self.faults)
        await self.broker.connect()
        self.heard = Heard(self.broker)

    async def stop(self) -> None:
        await self.heard.stop()
        await self.broker.close()
        await self._close_exchange()

    def a_broker(self, link: Link, *, answer_timeout_s: float = WAIT_S, modifies: bool = True) -> PaperBroker:
        traits = paper_traits(modifies=modifies)
        return PaperBroker(link, traits, self.clock, answer_timeout_s=answer_timeout_s)

    def print_price(
        self, price: Decimal, volume: Decimal = Decimal(0), quote: Decimal = Decimal(500)
    ) -> None:
        told = self.control(Step(symbol=SYMBOL, price=price, volume=volume, quote_qty=quote))
        assert isinstance(told, Done), told

    def other_client_buys(self, price: Decimal) -> None:
        """A person enters an order at the broker's own screen."""
        self.control(Submit(order=an_order(price=price)))

    @property
    @abstractmethod
    def market(self) -> Market: ...

    @abstractmethod
    def control(self, command: Change) -> Answer:
        """Do something to the exchange, past the broker under test."""

    @abstractmethod
    async def cut(self) -> None:
        """Break the line; returns when the broker must know."""

    @abstractmethod
    async def mend(self) -> None:
        """Bring the line back; returns when the broker can call again."""

    @abstractmethod
    def _link(self) -> Link: ...

    @abstractmethod
    async def _open_exchange(self) -> None: ...

    @abstractmethod
    async def _close_exchange(self) -> None: ...

    @property
    def arrivals(self) -> list[Arrival]:
        return self.market.arrivals

    @property
    def executions(self) -> list[Execution]:
        return self.market.executions


class LocalHouse(House):
    """The exchange in this process."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__()
        self._market = Market(world or sample_world())
        self._local = LocalLink(self._market, self.clock)

    @property
    def market(self) -> Market:
        return self._market

    def control(self, command: Change) -> Answer:
        return answer(self._market, command, self.clock.now_ns())

    async def cut(self) -> None:
        self._local.cut()

    async def mend(self) -> None:
        self._local.mend()

    def _link(self) -> Link:
        return self._local

    async def _open_exchange(self) -> None:
        await asyncio.sleep(0)

    async def _close_exchange(self) -> None:
        await asyncio.sleep(0)


class SocketHouse(House):
    """The exchange behind a socket, with its ledger on disk; a cut is a restart of the exchange."""

    def __init__(self, folder: Path, world: World | None = None) -> None:
        super().__init__()
        self._world = world or sample_world()
        self._path = folder / "exchange.ledger"
        self._port = 0
        self._ledger: LedgerFile
        self._server: ExchangeServer
        self._committer: asyncio.Task[None]
        self._socket: SocketLink

    @property
    def market(self) -> Market:
        return self._server.market

    def control(self, command: Change) -> Answer:
        return self._server.change(command)

    async def cut(self) -> None:
        await self._close_exchange()
        async with asyncio.timeout(WAIT_S):
            while self._socket.is_up:  # noqa: ASYNC110  # each turn lets the loop notice the hang-up
                await asyncio.sleep(0)

    async def mend(self) -> None:
        await self._open_exchange()
        async with asyncio.timeout(WAIT_S):
            await self._socket.wait_up()

    def _link(self) -> Link:
        self._socket = SocketLink("127.0.0.1", self._port, random=Random(2))
        return self._socket

    async def _open_exchange(self) -> None:
        self._ledger, market = LedgerFile.open(self._path, self._world)
        self._server = ExchangeServer(market, self._ledger, self.clock.now_ns)
        await self._server.start("127.0.0.1", self._port)
        self._port = self._server.address[1]
        self._committer = asyncio.create_task(self._server.run(), name="exchange")

    async def _close_exchange(self) -> None:
        self._committer.cancel()
        await asyncio.wait([self._committer])
        await self._server.stop()
        self._ledger.close()


def a_request(
    *,
    order_id: str = "order-1",
    side: Side = Side.BUY,
    order_type: OrderType = OrderType.LIMIT,
    tif: TimeInForce = TimeInForce.DAY,
    qty: int = 10,
    price: Decimal | None = PRICE,
    attempt: int = 1,
    reference: str | None = None,
    session: TradingSession = TradingSession.REGULAR,
) -> SubmitRequest:
    """A request with everything a test does not care about."""
    return SubmitRequest(
        order_id=OrderId(order_id),
        attempt=attempt,
        account_id=ACCOUNT,
        symbol=SYMBOL,
        venue=Venue.KRX,
        currency=Currency.KRW,
        side=side,
        order_type=order_type,
        tif=tif,
        qty=Decimal(qty),
        price=price if order_type is OrderType.LIMIT else None,
        trade_date=TODAY,
        reference=reference,
        session=session,
    )


def an_order(*, price: Decimal = PRICE, qty: int = 10) -> NewOrder:
    """An order by another client of the same account."""
    return NewOrder(
        account_id=ACCOUNT,
        symbol=SYMBOL,
        venue=Venue.KRX,
        currency=Currency.KRW,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.DAY,
        qty=Decimal(qty),
        price=price,
        client="by hand",
    )


def a_cancel(accepted: Accepted, qty: int = 10) -> CancelRequest:
    """Cancel an accepted order."""
    return CancelRequest(
        order_id=OrderId("order-1"),
        account_id=ACCOUNT,
        symbol=SYMBOL,
        venue=Venue.KRX,
        ref=accepted.ref,
        qty_left=Decimal(qty),
    )


def cancel_of(accepted: Accepted) -> Cancel:
    """The same cancel, by another client."""
    ref = accepted.ref
    return Cancel(account_id=ACCOUNT, trade_date=ref.trade_date, branch=ref.branch, number=ref.number)


def a_modify(
    accepted: Accepted,
    *,
    qty: int = 10,
    qty_before: int = 10,
    price: Decimal | None = PRICE,
    price_before: Decimal | None = None,
) -> ModifyRequest:
    """Change an accepted order of which nothing has filled, as far as its sender knows."""
    return ModifyRequest(
        order_id=OrderId("order-1"),
        account_id=ACCOUNT,
        symbol=SYMBOL,
        venue=Venue.KRX,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.DAY,
        ref=accepted.ref,
        qty=Decimal(qty),
        qty_left=Decimal(qty),
        qty_left_before=Decimal(qty_before),
        price=price,
        price_before=price if price_before is None else price_before,
    )


def modify_of(accepted: Accepted, *, price: Decimal) -> Modify:
    """A modify of the same order, by another client."""
    ref = accepted.ref
    return Modify(
        account_id=ACCOUNT, trade_date=ref.trade_date, branch=ref.branch, number=ref.number, price=price
    )


def only(fault: str) -> FaultPlan:
    """A plan in which one fault always strikes."""
    return msgspec.structs.replace(NO_FAULTS, **{fault: 1.0})


def yes() -> bool:
    """The permit of a test that is not about permits."""
    return True


def no() -> bool:
    """A permit that is refused."""
    return False


async def accepted(house: House, request: SubmitRequest) -> Accepted:
    """Submit and insist."""
    outcome = await house.broker.submit(request, yes)
    assert isinstance(outcome, Accepted), outcome
    return outcome
