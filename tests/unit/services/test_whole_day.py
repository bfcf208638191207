"""Every session, venue and kind of order that the settings can switch on, from a request to a fill."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from jumun import app
from jumun.brokers.paper import LocalLink, PaperBroker, paper_traits
from jumun.config import Settings, load
from jumun.doors.gate import Gate
from jumun.doors.grpc.desk_service import DeskService
from jumun.doors.grpc.gen import desk_pb2 as pb
from jumun.exchange.market import Market
from jumun.exchange.records import NewOrder
from jumun.model.errors import BrokerUnavailable
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderStatus, OrderType, Side, TimeInForce, TradingSession
from jumun.model.reports import OrderHistory
from jumun.rules.sessions import trade_date_of
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.services.intake import Intake
from jumun.services.order_engine import OrderEngine
from jumun.store.memory import MemoryJournal
from jumun.store.memory_disk import MemoryDisk
from jumun.testing.virtual_loop import VirtualClock, run_virtual
from tests.unit.services.stage import until

D = Decimal
NS = 1_000_000_000
KRX, NXT, US = Venue.KRX, Venue.NXT, Venue.US
DAY, REFORMED = "2025-06-16", "2026-09-14"


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NS


class House:
    """The service on virtual time: settings, market, desk and the door that the command line uses."""

    def __init__(self, settings: Settings) -> None:
        self.clock = VirtualClock()
        world = app.world_of(settings)
        self.market = Market(world)
        self.market.step("SPMO", D("108.20"), D(1000), ns("2025-06-13T15:00:00-04:00"))  # the session before
        for account in app.exchange_accounts(settings):
            self.market.open_account(account.account_id, cash=account.cash, now_ns=self.clock.now_ns())
        broker = PaperBroker(LocalLink(self.market, self.clock), paper_traits(world=world), self.clock)
        journal = MemoryJournal(MemoryDisk())
        self.engine: OrderEngine = app.build_engine(settings, broker, broker, self.clock, journal)
        gate = Gate(self.engine, Intake(self.engine.desk.policy.accounts), environment="sim", prices="test")
        gate.open()
        self.desk = DeskService(gate)

    def at_ns(self, time: str) -> int:
        """The instant of a wall time of this day, where the day began."""
        first = datetime.fromtimestamp(self.clock.now_ns() / NS, self.zone)
        hour, minute = time.split(":")
        return int(first.replace(hour=int(hour), minute=int(minute), second=0).timestamp()) * NS

    zone: Any = None

    async def wait_for(self, time: str) -> None:
        """Let time pass; the market sees it."""
        until_ns = self.at_ns(time)
        await asyncio.sleep((until_ns - self.clock.now_ns()) / NS)
        self.market.advance(until_ns)

    def trade(self, symbol: str, price: str, **where: Any) -> None:
        """The market trades a thousand shares."""
        self.market.step(symbol, D(price), D(1000), self.clock.now_ns(), **where)

    async def buy(self, symbol: str, **fields: str) -> str:
        """Send an order to buy ten, as `jumun buy` does; it must be taken by the exchange."""
        asked = pb.SubmitRequest(
            symbol=symbol, side="BUY", quantity="10", client_order_id="it", time_in_force="DAY", **fields
        )
        told = await self.desk.Submit(asked, None)  # type: ignore[arg-type]  # no refusal, so no context
        assert not told.denied, told.text
        await until(lambda: self.status(told.order_id) is not OrderStatus.NEW)
        assert self.status(told.order_id) in (OrderStatus.ACCEPTED, OrderStatus.FILLED), self.why(
            told.order_id
        )
        return str(told.order_id)

    def status(self, order_id: str) -> OrderStatus:
        order = self.engine.desk.book.order(order_id)  # type: ignore[arg-type]
        assert order is not None
        return order.status

    def why(self, order_id: str) -> str:
        order = self.engine.desk.book.order(order_id)  # type: ignore[arg-type]
        assert order is not None
        return f"{order.reason}: {order.reason_text}"

    async def filled(self, order_id: str) -> None:
        await until(lambda: self.status(order_id) is OrderStatus.FILLED)


def in_a_day(begins: str, play: Callable[[House], Awaitable[None]], **switches: str) -> None:
    """Run a play on a market with real hours, from an instant with its zone on."""
    with pytest.MonkeyPatch.context() as setting:
        setting.setenv("OMS_SIM_SESSIONS", "calendar")
        setting.setenv("OMS_SIM_SWITCHES", ",".join(f"{name}={text}" for name, text in switches.items()))
        settings = load().settings

    async def main() -> None:
        house = House(settings)
        house.zone = datetime.fromisoformat(begins).tzinfo
        await house.engine.start()
        await play(house)
        await house.engine.stop()

    run_virtual(main(), ns(begins))


@pytest.mark.req("I-57")
@pytest.mark.parametrize(
    ("day", "time", "venue", "session", "price", "trades_at"),
    [
        (DAY, "08:31", KRX, "CLOSE_BEFORE", "58000", "08:32"),
        (DAY, "16:01", KRX, "SINGLE_PRICE", "58500", "16:05"),
        (REFORMED, "16:30", KRX, "AFTER_MARKET", "58000", "16:31"),
        (DAY, "08:10", NXT, "PRE_MARKET", "58000", "08:11"),
        (DAY, "10:00", NXT, "", "58000", "10:01"),
        (DAY, "16:30", NXT, "AFTER_MARKET", "58000", "16:31"),
        (DAY, "10:00", KRX, "REGULAR", "58000", "10:01"),
    ],
)
def test_an_order_for_each_session_of_krx_and_nxt_is_taken_in_its_hours_and_fills_there(
    day: str, time: str, venue: Venue, session: str, price: str, trades_at: str
) -> None:
    async def play(house: House) -> None:
        where = {"session": TradingSession[session]} if session and session != "REGULAR" else {}
        order = await house.buy("005930", order_type="LIMIT", price=price, venue=venue.value, session=session)
        await house.wait_for(trades_at)
        house.trade("005930", price, venue=venue, **where)
        await house.wait_for("16:10" if session == "SINGLE_PRICE" else trades_at)
        await house.filled(order)
        found = house.engine.desk.book.order(order)  # type: ignore[arg-type]
        assert found is not None
        assert (found.venue, found.session) == (venue, TradingSession[session or "REGULAR"])

    in_a_day(f"{day}T{time}:00+09:00", play)


@pytest.mark.req("I-57")
def test_after_the_close_an_order_waits_until_1540_and_trades_at_the_days_close() -> None:
    async def play(house: House) -> None:
        house.trade("005930", "58700")
        await house.wait_for("15:31")
        order = await house.buy("005930", order_type="MARKET", session="CLOSE_AFTER")
        await house.wait_for("15:41")
        house.trade("005930", "58700", session=TradingSession.CLOSE_AFTER)
        await house.filled(order)

    in_a_day(f"{DAY}T15:19:00+09:00", play)


@pytest.mark.parametrize(
    ("kind", "price", "sent", "trades_at"),
    [
        ("MOO", "", "09:00", "09:30"),
        ("LOO", "110.00", "09:00", "09:30"),
        ("MOC", "", "15:30", "16:00"),
        ("LOC", "110.00", "15:30", "16:00"),
    ],
)
def test_an_order_for_one_auction_in_the_united_states_fills_in_it(
    kind: str, price: str, sent: str, trades_at: str
) -> None:
    async def play(house: House) -> None:
        await house.wait_for(sent)
        order = await house.buy("SPMO", order_type=kind, price=price)
        assert house.status(order) is OrderStatus.ACCEPTED
        await house.wait_for(trades_at)
        if kind in ("MOO", "LOO"):
            house.trade("SPMO", "108.50")
        await house.filled(order)

    begins = "15:20" if kind in ("MOC", "LOC") else "08:50"
    in_a_day(f"{DAY}T{begins}:00-04:00", play, auction_qty="500")  # somebody on the other side


@pytest.mark.req("I-42", "I-43", "F-92", "F-106")
def test_in_the_evening_what_a_stranger_traded_by_day_is_still_found_and_no_break() -> None:
    async def play(house: House) -> None:
        house.trade("005930", "58000")
        by_hand = NewOrder(
            account_id="SIM-001",
            symbol="005930",
            venue=KRX,
            currency=Currency.KRW,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.DAY,
            qty=D(3),
            price=D(58_100),
            client="by hand",
        )
        answering, down = house.engine.broker.history, True

        async def down_until_the_evening(account_id: AccountId, trade_date: str) -> OrderHistory:
            if down:
                raise BrokerUnavailable("the list is not answered")
            return await answering(account_id, trade_date)

        house.engine.broker.history = down_until_the_evening  # type: ignore[method-assign]
        house.market.submit(by_hand, house.clock.now_ns())
        await house.wait_for("20:30")
        assert trade_date_of(KRX, house.clock.now_ns(), NO_OVERRIDES).isoformat() == "2025-06-20"
        down = False
        await asyncio.sleep(60)
        assert not house.engine.breaks()
        position = house.engine.get_position("005930", AccountId("SIM-001"))
        assert position is not None
        assert position.qty == 3

    in_a_day("2025-06-19T15:00:00+09:00", play)  # New York rests: no other venue has this day
