"""Stands of KIS: the simulated KIS in this process on virtual time, or behind real sockets.

A person at another screen is a second customer of the same account, whose requests go straight to the house.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from jumun.brokers.kis.access import KisEnvironment, parse_account
from jumun.brokers.kis.bodies import (
    KisPost,
    Standing,
    cancel_post,
    modify_post,
    plain_standing,
    standing_for,
    submit_post,
)
from jumun.brokers.kis.broker import KISBrokerClient
from jumun.brokers.kis.http_wire import HttpWire
from jumun.exchange.market import Market
from jumun.model.errors import BrokerUnavailable
from jumun.model.ids import AccountId
from jumun.model.orders import BrokerRef
from jumun.ports.broker import SendPermit
from jumun.ports.wire import Frames, HttpCall, HttpReply, Wire
from jumun.simulators.kis.control import ControlDesk
from jumun.simulators.kis.customers import Environment, demo_customer
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.server import KisServer, SimulatorClock
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.streams import KisStreams
from jumun.simulators.kis.switches import KisSwitches
from jumun.simulators.kis.weather import Match, Rule, Weather
from jumun.testing.kis_stack import a_broker
from jumun.testing.kis_wire import KisWire, pass_time
from tests.contract.broker.listening import WAIT_S
from tests.contract.broker.places import CASH, QTY, SHARES, TODAY, Place
from tests.contract.broker.stands import Fault, Stand, VirtualStand

ACCOUNT: Final = AccountId("12345678-01")
LOCAL: Final = "127.0.0.1"
TOKEN_WAIT_S: Final = 62.0  # one token a minute: a broker that begins again without a file waits for it
LATE_MS: Final = 300
ANSWER_TIMEOUT_S: Final = 1.0  # what a case waits for in vain
TRIES_MAX: Final = 50
ORDER_PATHS: Final = ("order-cash", "order-rvsecncl", "overseas-stock/v1/trading/order", "daytime-order")
CALL_FAULTS: Final = {
    Fault.ANSWER_RESET: ("reset_after", ORDER_PATHS),
    Fault.ANSWER_LATE: ("slow", ORDER_PATHS),
    Fault.SILENCE: ("reply_lost", ORDER_PATHS),
    Fault.SERVER_ERROR: ("error_after", ORDER_PATHS),
    Fault.ANSWER_GARBLED: ("garbled", ORDER_PATHS),
    Fault.REQUEST_LOST: ("reset_before", ORDER_PATHS),
    Fault.NOT_SENT: ("connection_refused", ORDER_PATHS),
    Fault.PAGE_LOST: ("page_lost", ("",)),
    Fault.LIST_EMPTY: ("empty_page", ("inquire-daily-ccld", "inquire-ccnl")),
    Fault.BALANCE_EMPTY: ("empty_page", ("inquire-balance",)),
    Fault.BALANCE_LOST: ("reset_before", ("inquire-balance", "inquire-present-balance")),
}
NOTICE_FAULTS: Final = {
    Fault.NOTICE_DOUBLED: Rule(fault="notice_doubled"),
    Fault.NOTICE_LATE: Rule(fault="notice_late", ms=LATE_MS),
    Fault.NOTICE_GARBLED: Rule(fault="notice_garbled"),
    Fault.NOTICE_LOST: Rule(fault="notice_lost"),
}


class CountingWire:
    """A wire that counts the orders and changes that were written to it."""

    def __init__(self, inner: Wire) -> None:
        self.inner = inner
        self.orders_sent = 0

    async def call(self, call: HttpCall, permit: SendPermit, *, timeout_s: float) -> HttpReply:
        """See Wire.call."""

        def asked() -> bool:
            said = permit()
            self.orders_sent += said and call.path.endswith(ORDER_PATHS)
            return said

        return await self.inner.call(call, asked, timeout_s=timeout_s)

    async def open_frames(self, path: str) -> Frames:
        """See Wire.open_frames."""
        return await self.inner.open_frames(path)

    async def close(self) -> None:
        """See Wire.close."""
        await self.inner.close()


class KisStand(Stand):
    """What all stands of KIS have in common; a transport is added below."""

    broker: KISBrokerClient
    takes_before_the_exchange = True

    def __init__(self, name: str, place: Place, environment: Environment) -> None:
        super().__init__(name, place, ACCOUNT)
        self._environment = environment
        self.kis: SimulatedKis
        self.wire: CountingWire
        self._hand_token = ""

    def a_kis(self, switches: KisSwitches) -> SimulatedKis:
        """A KIS with one account and two customers of it: the broker, and the person at another screen."""
        market = Market(self.place.world)
        holdings = {self.place.symbol: SHARES}
        market.open_account(ACCOUNT, cash=CASH, holdings=holdings, now_ns=self.clock.now_ns())
        customers = tuple(
            demo_customer(self._environment, hts_id=name, accounts=(ACCOUNT,)) for name in ("demo", "hand")
        )
        house = KisHouse(market, switches, customers)
        weather = Weather((), Random("weather"))
        streams = KisStreams(house, StreamSwitches(), Random("streams"), weather)
        return SimulatedKis(house, streams, weather)

    async def connect(self, wire: Wire, *, rate_per_s: int = 0) -> None:
        """Make a broker on a wire and begin to listen."""
        self.wire = CountingWire(wire)
        today = date.fromisoformat(TODAY)
        self.broker = a_broker(
            self.kis,
            self.clock,
            wire=self.wire,
            rate_per_s=rate_per_s,
            answer_timeout_s=ANSWER_TIMEOUT_S,
            today=today,
            sor=self.place.by_sor,
        )
        await self.broker.connect()
        await self.heard.listen(self.broker)

    async def end(self) -> None:
        """Hang up for good."""
        await self.heard.stop()
        await self.broker.leave()

    async def reconnect(self) -> None:
        """What the desk does when the stream has ended: hang up and dial until it works."""
        await self.heard.stop()
        await self.broker.close()
        for _ in range(TRIES_MAX):
            try:
                await self.broker.connect()
                break
            except BrokerUnavailable:
                await self.clock.sleep(0.2)
        else:
            raise AssertionError("KIS cannot be reached again")
        await self.heard.listen(self.broker)

    @property
    def market(self) -> Market:
        """The oracle."""
        return self.kis.house.market

    @property
    def orders_sent(self) -> int:
        """Counted at the wire: what KIS would refuse counts too."""
        return self.wire.orders_sent

    @asynccontextmanager
    async def weather(self, fault: Fault) -> AsyncIterator[None]:
        """Let a fault strike every time while the context lasts."""
        if fault in NOTICE_FAULTS:
            self.kis.weather.add([NOTICE_FAULTS[fault]])
        else:
            name, paths = CALL_FAULTS[fault]
            late_ms = LATE_MS if fault is Fault.ANSWER_LATE else 0
            self.kis.weather.add([Rule(fault=name, match=Match(path=path), ms=late_ms) for path in paths])
        try:
            yield
        finally:
            self.kis.weather.clear()

    def exchange_refuses_after_taking(self) -> None:
        """KIS says yes, and the exchange's no comes by notice (kis.md 3.1.3, F-51)."""
        office = self.kis.house.office
        office.switches = msgspec.structs.replace(office.switches, refusals="notice")

    # ---- the person at another screen ---------------------------------------------------------

    def hand_orders(self, price: Decimal, qty: Decimal = QTY) -> None:
        """See Stand."""
        request = self.order(price=price, qty=qty)
        issue = self.market.master.get(self.place.symbol)
        post = submit_post(
            request,
            issue,
            parse_account(ACCOUNT),
            self._kis_environment,
            date.fromisoformat(request.trade_date),
        )
        self._by_hand(post)

    def hand_cancels(self, ref: BrokerRef) -> None:
        """See Stand."""
        account = parse_account(ACCOUNT)
        standing = self._standing()
        self._by_hand(cancel_post(self.cancel_of(ref), account, self._kis_environment, standing))

    def hand_modifies(self, ref: BrokerRef, price: Decimal) -> None:
        """See Stand."""
        account = parse_account(ACCOUNT)
        standing = self._standing()
        request = self.modify_of(ref, price=price)
        self._by_hand(modify_post(request, account, self._kis_environment, standing))

    def _standing(self) -> Standing:
        plain = plain_standing(self.place.venue, self.market.master.get(self.place.symbol).exchange)
        return standing_for(plain, self.place.session)

    @property
    def _kis_environment(self) -> KisEnvironment:
        return KisEnvironment.PAPER if self._environment == "paper" else KisEnvironment.LIVE

    def _by_hand(self, post: object) -> None:
        assert isinstance(post, KisPost), post
        person = self.kis.house.customers[1]
        keys = {"appkey": person.app_key, "appsecret": person.app_secret}
        if not self._hand_token:
            told = self._at_house("/oauth2/tokenP", {}, {"grant_type": "client_credentials", **keys})
            self._hand_token = told["access_token"]
        headers = {
            **keys,
            "authorization": f"Bearer {self._hand_token}",
            "tr_id": post.tr_id,
            "custtype": "P",
        }
        told = self._at_house(post.path, headers, post.body)
        assert told["rt_cd"] == "0", told

    def _at_house(self, path: str, headers: dict[str, str], body: dict[str, str]) -> dict[str, Any]:
        call = HttpCall(
            method="POST",
            path=path,
            headers={"content-type": "application/json; charset=utf-8", **headers},
            body=json.dumps(body).encode(),
        )
        told: dict[str, Any] = json.loads(self.kis.house.handle(call, self.clock.now_ns()).body)
        return told


class KisVirtualStand(KisStand, VirtualStand):
    """KIS in this process, with all its limits, on virtual time."""

    async def open_world(self) -> None:
        """A KIS as it is: its limits cost nothing here."""
        await super().open_world()
        self.kis = self.a_kis(KisSwitches())
        self._time = asyncio.create_task(pass_time(self.kis, self.clock), name="kis-time")

    async def close_world(self) -> None:
        """End its time; raises what went wrong in it (I-65)."""
        self._time.cancel()
        await asyncio.wait([self._time])
        if not self._time.cancelled() and (failure := self._time.exception()) is not None:
            raise failure

    async def begin(self) -> None:
        """A broker that remembers nothing, not even its token."""
        await self.connect(KisWire(self.kis, self.clock))

    async def restart(self) -> None:
        """KIS gives one token a minute, so a broker without its file of tokens waits that long."""
        await self.end()
        await self.clock.sleep(TOKEN_WAIT_S)
        await self.begin()

    async def cut(self) -> None:
        """Break the line: calls are refused and the session ends."""
        self._in_process().cut()

    async def mend(self) -> None:
        """Bring it back."""
        self._in_process().mend()
        await self.reconnect()

    def _in_process(self) -> KisWire:
        assert isinstance(self.wire.inner, KisWire)
        return self.wire.inner


class KisSorStand(KisVirtualStand):
    """Orders for KRX by SOR, which rest at NXT here: what the broker asked for and where they are differ."""

    def a_kis(self, switches: KisSwitches) -> SimulatedKis:
        """A KIS whose SOR sends every limit order to NXT."""
        return super().a_kis(msgspec.structs.replace(switches, sor="nxt"))


class SteppedClock:
    """Real time, set to the day of the cases."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns - time.monotonic_ns()
        self.offset_ns = 0

    def now_ns(self) -> int:
        """UTC nanoseconds of the cases' day."""
        return self._start_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds since some instant, what was skipped included."""
        return time.monotonic_ns() + self.offset_ns

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class KisSocketStand(KisStand):
    """KIS as a server on this machine, and the broker's own HTTP and WebSocket client.

    Time is real here, so its limits are off.
    """

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        """Run a case in real time."""
        asyncio.run(case)

    async def open_world(self) -> None:
        """Listen on a free port."""
        self.stepped = SteppedClock(self.place.start_ns)
        self.clock = self.stepped
        self.kis = self.a_kis(KisSwitches(rate_limit=0, token_limit=False, approval_limit=0))
        self._port = 0
        await self._listen()

    async def close_world(self) -> None:
        """Stop listening; raises what went wrong in a call (I-65)."""
        self._time.cancel()
        await asyncio.wait([self._time])
        await self._server.stop()
        if not self._time.cancelled() and (failure := self._time.exception()) is not None:
            raise failure

    async def begin(self) -> None:
        """A broker on a wire of its own; its first question for a price has been answered."""
        address = f"{LOCAL}:{self._port}"
        await self.connect(HttpWire(f"http://{address}", f"ws://{address}"), rate_per_s=1_000)
        priced = asyncio.Event()
        self.broker.on_price(lambda _: priced.set())
        if self.broker.quote(self.place.symbol) is None:
            async with asyncio.timeout(WAIT_S):
                await priced.wait()

    def skip(self, by_ns: int) -> None:
        """Move everybody's clock forward."""
        self.stepped.offset_ns += by_ns
        self.market.advance(self.clock.now_ns())

    @asynccontextmanager
    async def weather(self, fault: Fault) -> AsyncIterator[None]:
        """A connection is refused by nobody listening; all else is the simulator's."""
        if fault is not Fault.NOT_SENT:
            async with super().weather(fault):
                yield
            return
        await self.cut()
        yield
        await self.mend()

    async def cut(self) -> None:
        """The server is gone."""
        await self.close_world()

    async def mend(self) -> None:
        """It is back, at the same port."""
        await self._listen()
        await self.reconnect()

    async def _listen(self) -> None:
        clock = SimulatorClock(self.clock.now_ns)
        self._server = KisServer(self.kis, clock, ControlDesk(self.kis, clock))
        await self._server.start(LOCAL, self._port, None)
        self._port = self._server.rest_address[1]
        self._time = asyncio.create_task(self._server.run(), name="kis-server")
