"""A stand: one broker with the market behind it, and what the C-cases must be able to do to that world.

Every stand is driven by the same cases through ports.Broker alone. What differs between brokers is here and
nowhere in a case: how a line is cut, how an answer is lost, how a person changes an order by hand.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import Arrival, Execution, NewOrder, OrderRecord
from jumun.exchange.sample_world import sample_world
from jumun.exchange.world import World
from jumun.model.ids import AccountId, OrderId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, OrderType, Side, TimeInForce
from jumun.model.reports import (
    Accepted,
    Balance,
    BrokerReport,
    CancelRequest,
    ModifyRequest,
    OrderReport,
    SubmitRequest,
)
from jumun.ports.broker import Broker
from jumun.ports.outside import Clock
from jumun.rules.sessions import NO_OVERRIDES
from jumun.testing.virtual_loop import VirtualClock, run_virtual

NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * NS
PATIENCE_S: Final = 600.0  # of a whole case, in the stand's own time
WAIT_S: Final = 30.0  # for a report that must come
QTY: Final = Decimal(10)
SHARES: Final = Decimal(100)  # held at the start
CASH: Final = {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}
TODAY: Final = "2025-06-16"  # a Monday; a session in Korea and in the United States
TOMORROW: Final = "2025-06-17"


class Fault(StrEnum):
    """What a case asks of the weather; every stand has its own way to make it."""

    ANSWER_RESET = "the connection is reset after the request was carried out"
    SERVER_ERROR = "carried out and answered with a server error"
    ANSWER_GARBLED = "carried out and answered with something unreadable"
    REQUEST_LOST = "written and never arrived"
    NOT_SENT = "the connection is refused"
    PAGE_LOST = "a later page of a list is lost"
    BALANCE_LOST = "the balance is not answered"
    NOTICE_DOUBLED = "every notice comes twice"
    NOTICE_LATE = "every notice comes late"
    NOTICE_GARBLED = "no notice can be read"
    NOTICE_LOST = "no notice comes"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What is traded on a stand, and from when."""

    venue: Venue
    symbol: str
    currency: Currency
    price: Decimal
    tick: Decimal
    start_ns: int

    @property
    def low(self) -> Decimal:
        """Where a buy rests."""
        return self.price - 10 * self.tick

    @property
    def ask(self) -> Decimal:
        """Where a buy trades at once: the background quotes stand one tick around the print."""
        return self.price + self.tick

    @property
    def world(self) -> World:
        """A market of this one issue, on the real calendar."""
        whole = sample_world(NO_OVERRIDES)
        issue = next(issue for issue in whole.instruments if issue.symbol == self.symbol)
        issue = msgspec.structs.replace(issue, nxt=self.venue is Venue.NXT)
        return msgspec.structs.replace(whole, instruments=(issue,), bases={self.symbol: self.price})


def _ten_o_clock(zone: str) -> int:
    at = datetime.fromisoformat(f"{TODAY}T10:00:00").replace(tzinfo=ZoneInfo(zone))
    return int(at.timestamp()) * NS


def _korean(venue: Venue) -> Place:
    return Place(
        venue=venue,
        symbol="005930",
        currency=Currency.KRW,
        price=Decimal(58_000),
        tick=Decimal(100),
        start_ns=_ten_o_clock("Asia/Seoul"),
    )


KRX: Final = _korean(Venue.KRX)
NXT: Final = _korean(Venue.NXT)
US: Final = Place(
    venue=Venue.US,
    symbol="AAPL",
    currency=Currency.USD,
    price=Decimal("196.50"),
    tick=Decimal("0.01"),
    start_ns=_ten_o_clock("America/New_York"),
)


class Heard:
    """Collects a broker's reports; cases wait for what they need."""

    def __init__(self) -> None:
        self.reports: list[BrokerReport] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def listen(self, broker: Broker) -> None:
        """Read this broker's reports from now on."""
        await self.stop()
        self._task = asyncio.create_task(self._read(broker), name="heard")

    async def stop(self) -> None:
        """Stop reading; raises what the reading ended with, if it was an error (I-65)."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (failure := task.exception()) is not None:
                raise failure

    async def until(self, met: Callable[[list[BrokerReport]], bool]) -> list[BrokerReport]:
        """Wait until the reports so far meet a condition."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not met(self.reports):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"it was never heard; so far: {self.reports}") from None
        return self.reports

    async def of(self, kind: type[BrokerReport], count: int = 1) -> list[Any]:
        """Wait for so many reports of one kind and return all of that kind."""
        await self.until(lambda all_: sum(isinstance(one, kind) for one in all_) >= count)
        return [one for one in self.reports if isinstance(one, kind)]

    async def state(self, ref: BrokerRef, state: str) -> OrderReport:
        """Wait until an order is reported in a state."""

        def told(all_: list[BrokerReport]) -> list[OrderReport]:
            orders = [one for one in all_ if isinstance(one, OrderReport)]
            return [one for one in orders if one.ref == ref and one.state == state]

        return told(await self.until(lambda all_: bool(told(all_))))[-1]

    async def _read(self, broker: Broker) -> None:
        async for report in broker.reports():
            self.reports.append(report)
            self._changed.set()


class Stand(ABC):
    """One broker and its world. A case runs between `start` and `stop`."""

    broker: Broker
    clock: Clock

    def __init__(self, name: str, place: Place, account: AccountId) -> None:
        self.name = name
        self.place = place
        self.account = account
        self.heard = Heard()
        self.declined = False  # a case was refused here by design, as declared

    # ---- the life of a stand ------------------------------------------------------------------

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        """Run a case to its end, on virtual time."""
        run_virtual(case, self.place.start_ns)

    async def whole(self, case: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start, run the case, stop whatever happens."""
        async with asyncio.timeout(PATIENCE_S):
            await self.start()
            try:
                await case()
            finally:
                await self.stop()

    async def start(self) -> None:
        """Open the market with its account and one price, and connect the broker."""
        await self.open_world()
        self.print_price(self.place.price)
        await self.begin()

    async def stop(self) -> None:
        """Hang up and close the market."""
        await self.end()
        await self.close_world()

    async def restart(self) -> None:
        """End the broker and begin another on the same world, which remembers nothing."""
        await self.end()
        await self.begin()

    @abstractmethod
    async def begin(self) -> None:
        """Make a broker, connect it and listen to it."""

    @abstractmethod
    async def end(self) -> None:
        """Hang up for good."""

    @abstractmethod
    async def open_world(self) -> None:
        """Open the market."""

    @abstractmethod
    async def close_world(self) -> None:
        """Close it."""

    # ---- the world ----------------------------------------------------------------------------

    @property
    @abstractmethod
    def market(self) -> Market:
        """The oracle."""

    @property
    @abstractmethod
    def orders_sent(self) -> int:
        """How many new orders and modifies left the broker."""

    @property
    def arrivals(self) -> list[Arrival]:
        """New orders that reached the market, refused ones too."""
        return self.market.arrivals

    @property
    def executions(self) -> list[Execution]:
        """What traded."""
        return self.market.executions

    def print_price(self, price: Decimal, volume: int = 0, quote: int = 500) -> None:
        """Let somebody else trade at that price, where this stand's orders are."""
        venue = self.place.venue
        self.market.step(
            self.place.symbol,
            price,
            Decimal(volume),
            self.clock.now_ns(),
            quote_qty=Decimal(quote),
            venue=venue if venue is Venue.NXT else None,
        )

    @abstractmethod
    def skip(self, by_ns: int) -> None:
        """Move everybody's clock forward."""

    async def pass_time(self, seconds: float) -> None:
        """Let things on their way arrive."""
        await asyncio.sleep(seconds)

    @abstractmethod
    def weather(self, fault: Fault) -> AbstractAsyncContextManager[None]:
        """Let a fault strike while the context lasts."""

    @abstractmethod
    async def cut(self) -> None:
        """Break the line to the broker."""

    @abstractmethod
    async def mend(self) -> None:
        """Bring it back; returns when the broker is connected again, as the desk would have it."""

    @abstractmethod
    def exchange_refuses_after_taking(self) -> None:
        """Let the exchange refuse changes after the broker took them, where brokers do that."""

    def crowd(self, count: int) -> None:
        """Let somebody enter many orders that rest, past all doors."""
        for _ in range(count):
            order = NewOrder(
                account_id=self.account,
                symbol=self.place.symbol,
                venue=self.place.venue,
                currency=self.place.currency,
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                tif=TimeInForce.DAY,
                qty=Decimal(1),
                price=self.place.low,
                client="crowd",
            )
            assert isinstance(self.market.submit(order, self.clock.now_ns()), OrderRecord)

    @abstractmethod
    def hand_orders(self, price: Decimal, qty: Decimal = QTY) -> None:
        """A person enters an order for this account at another screen."""

    @abstractmethod
    def hand_cancels(self, ref: BrokerRef) -> None:
        """A person cancels an order of this account at another screen."""

    @abstractmethod
    def hand_modifies(self, ref: BrokerRef, price: Decimal) -> None:
        """A person sets another price at another screen."""

    # ---- requests and questions ---------------------------------------------------------------

    def order(
        self,
        *,
        order_id: str = "order-1",
        side: Side = Side.BUY,
        kind: OrderType = OrderType.LIMIT,
        tif: TimeInForce = TimeInForce.DAY,
        qty: Decimal | int = QTY,
        price: Decimal | None = None,
        venue: Venue | None = None,
        trade_date: str = TODAY,
    ) -> SubmitRequest:
        """A request with everything a case does not care about; a buy that rests, unless said otherwise."""
        priced = kind in (OrderType.LIMIT, OrderType.LOO, OrderType.LOC)
        return SubmitRequest(
            order_id=OrderId(order_id),
            attempt=1,
            account_id=self.account,
            symbol=self.place.symbol,
            venue=venue or self.place.venue,
            currency=self.place.currency,
            side=side,
            order_type=kind,
            tif=tif,
            qty=Decimal(qty),
            price=(self.place.low if price is None else price) if priced else None,
            trade_date=trade_date,
            reference=None,
        )

    def cancel_of(self, ref: BrokerRef, qty_left: Decimal | int = QTY) -> CancelRequest:
        """Cancel what is left of an order."""
        return CancelRequest(
            order_id=OrderId("order-1"),
            account_id=self.account,
            symbol=self.place.symbol,
            venue=self.place.venue,
            ref=ref,
            qty_left=Decimal(qty_left),
        )

    def modify_of(
        self,
        ref: BrokerRef,
        *,
        price: Decimal | None = None,
        price_before: Decimal | None = None,
        qty: int = 10,
        qty_before: int = 10,
        filled: int = 0,
    ) -> ModifyRequest:
        """Change an order; `qty` and `qty_before` are totals, `filled` is what we know to have filled."""
        before = self.place.low if price_before is None else price_before
        return ModifyRequest(
            order_id=OrderId("order-1"),
            account_id=self.account,
            symbol=self.place.symbol,
            venue=self.place.venue,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.DAY,
            ref=ref,
            qty=Decimal(qty),
            qty_left=Decimal(qty - filled),
            qty_left_before=Decimal(qty_before - filled),
            price=before if price is None else price,
            price_before=before,
        )

    async def accepted(self, request: SubmitRequest | None = None) -> Accepted:
        """Submit and insist."""
        outcome = await self.broker.submit(request or self.order(), yes)
        assert isinstance(outcome, Accepted), outcome
        return outcome

    async def history(self, trade_date: str = TODAY) -> tuple[OrderReport, ...]:
        """The orders of a day, in the order in which they were taken."""
        told = await self.broker.history(self.account, trade_date)
        return tuple(sorted(told.orders, key=lambda order: order.ref.number))

    async def listed(self, ref: BrokerRef, trade_date: str = TODAY) -> OrderReport:
        """One order of a day's list."""
        (order,) = (order for order in await self.history(trade_date) if order.ref == ref)
        return order

    async def balance(self) -> Balance:
        """What the account holds."""
        return await self.broker.balance(self.account)


def key(ref: BrokerRef) -> str:
    """An order's name at the market."""
    return f"{ref.trade_date}/{ref.branch}/{ref.number}"


def yes() -> bool:
    """The permit of a case that is not about permits."""
    return True


def no() -> bool:
    """A permit that is refused."""
    return False


class VirtualStand(Stand):
    """A stand on virtual time."""

    virtual: VirtualClock

    async def open_world(self) -> None:
        """Take the clock of the running loop."""
        self.virtual = VirtualClock()
        self.clock = self.virtual

    def skip(self, by_ns: int) -> None:
        """Move the wall clock; timers go on as they were."""
        self.virtual.offset_ns += by_ns
        self.market.advance(self.clock.now_ns())

