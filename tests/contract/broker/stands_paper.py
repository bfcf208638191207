"""Stands of the paper broker: the simulated exchange in this process, through a line that can misbehave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Final

import msgspec

from jumun.brokers.paper import FaultPlan, FaultyLink, LocalLink, PaperBroker, paper_traits
from jumun.exchange.market import Market
from jumun.exchange.records import NewOrder, OrderRecord, Refusal
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.orders import BrokerRef, OrderType, Side, TimeInForce
from tests.contract.broker.places import CASH, QTY, SHARES, Place
from tests.contract.broker.stands import Fault, VirtualStand

ACCOUNT: Final = AccountId("81234567-01")
LATE_MS: Final = 500
PLANS: Final = {
    Fault.ANSWER_RESET: "reply_reset",
    Fault.ANSWER_LATE: "reply_late",
    Fault.SILENCE: "reply_lost",
    Fault.SERVER_ERROR: "server_error",
    Fault.ANSWER_GARBLED: "reply_garbled",
    Fault.REQUEST_LOST: "request_lost",
    Fault.NOT_SENT: "not_sent",
    Fault.PAGE_LOST: "history_page_lost",
    Fault.LIST_EMPTY: "history_empty",
    Fault.BALANCE_EMPTY: "balance_empty",
    Fault.BALANCE_LOST: "balance_fails",
    Fault.NOTICE_DOUBLED: "notice_doubled",
    Fault.NOTICE_LATE: "notice_late",
    Fault.NOTICE_GARBLED: "notice_garbled",
    Fault.NOTICE_LOST: "notice_lost",
}


class PaperStand(VirtualStand):
    """The paper broker in memory."""

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, place, ACCOUNT)
        self._market: Market
        self._link: LocalLink
        self._line: FaultyLink

    async def open_world(self) -> None:
        """A market with one account."""
        await super().open_world()
        self._market = Market(self.place.world)
        self._market.open_account(
            ACCOUNT, cash=CASH, holdings={self.place.symbol: SHARES}, now_ns=self.clock.now_ns()
        )

    async def close_world(self) -> None:
        """Nothing outlives the process."""

    async def begin(self) -> None:
        """A broker on a line of its own."""
        self._link = LocalLink(self._market, self.clock)
        plan = FaultPlan(notice_late_ms_max=LATE_MS, reply_late_ms_max=LATE_MS)
        self._line = FaultyLink(self._link, plan, Random(1), self.clock)
        world = self.place.world
        is_plain = self.place.venue is not Venue.NXT and not world.sessions
        traits = paper_traits(world=None if is_plain else world)
        self.broker = PaperBroker(self._line, traits, self.clock)
        await self.broker.connect()
        await self.heard.listen(self.broker)

    async def end(self) -> None:
        """Hang up."""
        await self.heard.stop()
        await self.broker.close()

    @property
    def market(self) -> Market:
        """The oracle."""
        return self._market

    @property
    def orders_sent(self) -> int:
        """Whatever leaves reaches the market, and is noted there also when it is refused."""
        return len(self._market.arrivals) + len(self._market.modifies)

    @asynccontextmanager
    async def weather(self, fault: Fault) -> AsyncIterator[None]:
        """Let a fault strike every time while the context lasts."""
        fair = self._line.plan
        self._line.become(msgspec.structs.replace(fair, **{PLANS[fault]: 1.0}))
        try:
            yield
        finally:
            self._line.become(fair)

    async def cut(self) -> None:
        """Break the line."""
        self._link.cut()

    async def mend(self) -> None:
        """Bring it back; the stream goes on by itself."""
        self._link.mend()

    def exchange_refuses_after_taking(self) -> None:
        """This exchange's answer is its own word: nothing is taken that is refused later."""

    def hand_orders(self, price: Decimal, qty: Decimal = QTY) -> None:
        """See Stand."""
        place = self.place
        order = NewOrder(
            account_id=ACCOUNT,
            symbol=place.symbol,
            venue=place.venue,
            currency=place.currency,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.DAY,
            qty=qty,
            price=price,
            client="by hand",
            session=place.session,
        )
        _done(self._market.submit(order, self.clock.now_ns()))

    def hand_cancels(self, ref: BrokerRef) -> None:
        """See Stand."""
        _done(self._market.cancel(ACCOUNT, *_named(ref), self.clock.now_ns()))

    def hand_modifies(self, ref: BrokerRef, price: Decimal) -> None:
        """See Stand."""
        _done(self._market.modify(ACCOUNT, *_named(ref), self.clock.now_ns(), price=price))


def _named(ref: BrokerRef) -> tuple[str, str, str]:
    return ref.trade_date, ref.branch, ref.number


def _done(answer: OrderRecord | Refusal) -> None:
    assert isinstance(answer, OrderRecord), answer
