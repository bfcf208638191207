"""A stand: one broker with the market behind it, and what the C-cases must be able to do to that world.

Every stand is driven by the same cases through ports.Broker alone. What differs between brokers is here and
nowhere in a case: how a line is cut, how an answer is lost, how a person changes an order by hand.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from jumun.exchange.market import Market
from jumun.exchange.records import Arrival, Execution, NewOrder, OrderRecord
from jumun.model.ids import AccountId, OrderId
from jumun.model.instruments import Venue
from jumun.model.orders import BrokerRef, OrderType, Side, TimeInForce, TradingSession
from jumun.model.reports import (
    Accepted,
    Balance,
    CancelRequest,
    ModifyRequest,
    OrderReport,
    SubmitRequest,
)
from jumun.ports.broker import Broker
from jumun.ports.outside import Clock
from jumun.rules.sessions import Phase, phase_at
from jumun.testing.virtual_loop import VirtualClock, run_virtual
from tests.contract.broker.listening import Heard
from tests.contract.broker.places import QTY, TODAY, Place

PATIENCE_S: Final = 600.0  # of a whole case, in the stand's own time


class Fault(StrEnum):
    """What a case asks of the weather; every stand has its own way to make it."""

    ANSWER_RESET = "the connection is reset after the request was carried out"
    ANSWER_LATE = "carried out and answered some time later"
    SILENCE = "carried out and never answered"
    SERVER_ERROR = "carried out and answered with a server error"
    ANSWER_GARBLED = "carried out and answered with something unreadable"
    REQUEST_LOST = "written and never arrived"
    NOT_SENT = "the connection is refused"
    PAGE_LOST = "a later page of a list is lost"
    LIST_EMPTY = "a list is answered without its rows"
    BALANCE_EMPTY = "a balance is answered without its rows"
    BALANCE_LOST = "the balance is not answered"
    NOTICE_DOUBLED = "every notice comes twice"
    NOTICE_LATE = "every notice comes late"
    NOTICE_GARBLED = "no notice can be read"
    NOTICE_LOST = "no notice comes"


class Stand(ABC):
    """One broker and its world. A case runs between `start` and `stop`."""

    broker: Broker
    clock: Clock
    takes_before_the_exchange = False  # says yes to a change before the exchange has

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
        """Let somebody trade at that price, where this stand's orders are; at home too while it trades."""
        for venue in dict.fromkeys((self.place.trades_at, self.place.venue)):
            if venue is not self.place.trades_at and not self._trades(venue):
                continue
            self.market.step(
                self.place.symbol,
                price,
                Decimal(volume),
                self.clock.now_ns(),
                quote_qty=Decimal(quote),
                venue=venue,
            )

    def _trades(self, venue: Venue) -> bool:
        phase, _ = phase_at(venue, self.clock.now_ns(), self.market.world.overrides)
        return phase is Phase.CONTINUOUS

    @abstractmethod
    def skip(self, by_ns: int) -> None:
        """Move everybody's clock forward."""

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
                session=self.place.session,
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
        session: TradingSession | None = None,
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
            session=session or self.place.session,
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
            session=self.place.session,
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
            session=self.place.session,
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


class SkippingClock(VirtualClock):
    """Virtual time that can be moved forward at once: both clocks move, timers go on as they were."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since the start, what was skipped included."""
        return super().monotonic_ns() + self.offset_ns


class VirtualStand(Stand):
    """A stand on virtual time."""

    virtual: SkippingClock

    async def open_world(self) -> None:
        """Take the clock of the running loop."""
        self.virtual = SkippingClock()
        self.clock = self.virtual

    def skip(self, by_ns: int) -> None:
        """Move the clock forward."""
        self.virtual.offset_ns += by_ns
        self.market.advance(self.clock.now_ns())
