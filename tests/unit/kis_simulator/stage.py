"""A simulated KIS for tests of its moving half: one customer, a market at noon, sessions kept as lists."""

import json
from decimal import Decimal
from random import Random
from typing import Any

from jumun.exchange.market import Market
from jumun.exchange.sample_world import sample_world
from jumun.exchange.world import World
from jumun.ports.wire import HttpCall, HttpReply
from jumun.rules.trading_days import ALWAYS_OPEN, Overrides
from jumun.simulators.kis.cipher import StreamCipher
from jumun.simulators.kis.customers import Customer, Environment, demo_customer
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.streams import KisStreams, Line
from jumun.simulators.kis.switches import KisSwitches
from jumun.simulators.kis.weather import Rule, Weather

D = Decimal
NS = 1_000_000_000
NOON_NS = 1_750_042_800 * NS  # 2025-06-16 12:00 in Seoul, a Monday
ACCOUNT = "12345678-01"
SAMSUNG = "005930"
ORDER_CASH = "/uapi/domestic-stock/v1/trading/order-cash"
RVSECNCL = "/uapi/domestic-stock/v1/trading/order-rvsecncl"
DAILY_CCLD = "/uapi/domestic-stock/v1/trading/inquire-daily-ccld"
US_ORDER = "/uapi/overseas-stock/v1/trading/order"


class Client:
    """One WebSocket client: what it was sent, and the key it was given."""

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage
        self.frames: list[str] = []
        self.hung_up = 0
        self.cipher: StreamCipher | None = None
        line = stage.streams.connect(self.frames.append, self._hang_up, stage.now_ns)
        assert line is not None, "the stage takes no session now"
        self.line: Line = line

    def _hang_up(self) -> None:
        self.hung_up += 1

    def say(self, text: str) -> dict[str, Any]:
        """Send a frame; return its ack."""
        before = len(self.frames)
        self.stage.streams.hear(self.line, text, self.stage.now_ns)
        (told,) = self.frames[before:]
        ack: dict[str, Any] = json.loads(told)
        self.frames.pop()
        return ack

    def register(
        self, tr_id: str, tr_key: str = "", *, tr_type: str = "1", key: str | None = None
    ) -> dict[str, Any]:
        """Register a stream, the notices by default under the HTS id; return the ack's body."""
        approval = self.stage.approval if key is None else key
        text = registration(tr_id, tr_key or self.stage.customer.hts_id, approval, tr_type)
        body: dict[str, Any] = self.say(text)["body"]
        output = body.get("output")
        if output:
            self.cipher = StreamCipher(output["key"], output["iv"])
        return body

    def take(self) -> list[str]:
        """Return what came since the last time."""
        told, self.frames[:] = list(self.frames), []
        return told

    def notices(self) -> list[list[str]]:
        """Return the notices that came since the last time, decrypted, as their fields."""
        assert self.cipher is not None, "register a notice stream first"
        told = [frame.split("|", 3) for frame in self.take()]
        return [self.cipher.decrypt(parts[3]).split("^") for parts in told if parts[0] == "1"]

    def rows(self, tr_id: str) -> list[list[str]]:
        """Return the plain records of a stream that came since the last time."""
        told = [frame.split("|", 3) for frame in self.take()]
        return [parts[3].split("^") for parts in told if parts[:2] == ["0", tr_id]]


class Stage:
    """The simulator with its clock, and the calls that tests make."""

    def __init__(
        self,
        *rules: Rule,
        environment: Environment = "real",
        now_ns: int = NOON_NS,
        overrides: Overrides = ALWAYS_OPEN,
        world: World | None = None,
        rest: KisSwitches | None = None,
        **stream: Any,
    ) -> None:
        self.now_ns = now_ns
        self.customer: Customer = demo_customer(environment, accounts=(ACCOUNT,))
        self.market = Market(world or sample_world(overrides))
        self.market.open_account(
            ACCOUNT,
            cash={"KRW": D(1_000_000_000), "USD": D(1_000_000)},
            holdings={SAMSUNG: D(1_000)},
            now_ns=now_ns,
        )
        self.house = KisHouse(self.market, rest or KisSwitches(rate_limit=0), (self.customer,))
        self.weather = Weather(rules, Random(5))
        self.streams = KisStreams(self.house, StreamSwitches(**stream), Random(7), self.weather)
        self.kis = SimulatedKis(self.house, self.streams, self.weather)
        auth = {"grant_type": "client_credentials", "appkey": self.customer.app_key}
        secret = self.customer.app_secret
        token = self.house.handle(post("/oauth2/tokenP", auth | {"appsecret": secret}), now_ns)
        approved = self.house.handle(post("/oauth2/Approval", auth | {"secretkey": secret}), now_ns)
        self.token = json.loads(token.body)["access_token"]
        self.approval = json.loads(approved.body)["approval_key"]

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(seconds * NS)
        self.market.advance(self.now_ns)
        self.streams.pass_time(self.now_ns)

    def call(self, call: HttpCall) -> HttpReply:
        """Send a call through the weather and let it end at once, whatever its delays."""
        return self.kis.arrive(call, self.kis.fate_of(call), self.now_ns)

    def asked(self, method: str, path: str, tr_id: str, said: dict[str, str], tag: str = "") -> HttpCall:
        """Return a call as a client writes it."""
        headers = {
            "content-type": "application/json; charset=utf-8",
            "authorization": f"Bearer {self.token}",
            "appkey": self.customer.app_key,
            "appsecret": self.customer.app_secret,
            "tr_id": tr_id,
            "custtype": "P",
        }
        if method == "GET":
            return HttpCall(method=method, path=path, headers=headers, query=said, tag=tag)
        return HttpCall(method=method, path=path, headers=headers, body=json.dumps(said).encode(), tag=tag)

    def order(self, qty: int = 10, price: int = 58_000, **more: str) -> HttpCall:
        """Return a call for a buy at a limit."""
        said = {
            "CANO": "12345678",
            "ACNT_PRDT_CD": "01",
            "PDNO": SAMSUNG,
            "ORD_DVSN": "00",
            "ORD_QTY": str(qty),
            "ORD_UNPR": str(price),
            "EXCG_ID_DVSN_CD": "KRX",
        }
        tr_id = "TTTC0012U" if self.customer.environment == "real" else "VTTC0012U"
        return self.asked("POST", ORDER_CASH, tr_id, said | more)

    def buy(self, qty: int = 10, price: int = 58_000, **more: str) -> str:
        """Place a buy and return its number."""
        return number_in(self.call(self.order(qty, price, **more)))

    def change(self, original: str, action: str, qty: int = 0, price: int = 0) -> str:
        """Revise (01) or cancel (02); all that is left unless a quantity is given. Returns the new number."""
        said = {
            "CANO": "12345678",
            "ACNT_PRDT_CD": "01",
            "KRX_FWDG_ORD_ORGNO": "",
            "ORGN_ODNO": original,
            "ORD_DVSN": "00",
            "RVSE_CNCL_DVSN_CD": action,
            "ORD_QTY": str(qty),
            "ORD_UNPR": str(price),
            "QTY_ALL_ORD_YN": "N" if qty else "Y",
            "EXCG_ID_DVSN_CD": "KRX",
        }
        return number_in(self.call(self.asked("POST", RVSECNCL, "TTTC0013U", said)))

    def history(self, tr_cont: str = "") -> HttpCall:
        """Return a call for the day's orders."""
        said = {
            "CANO": "12345678",
            "ACNT_PRDT_CD": "01",
            "INQR_STRT_DT": "20250616",
            "INQR_END_DT": "20250616",
            "SLL_BUY_DVSN_CD": "00",
            "PDNO": "",
            "ORD_GNO_BRNO": "",
            "ODNO": "",
            "CCLD_DVSN": "00",
            "INQR_DVSN": "00",
            "INQR_DVSN_1": "",
            "INQR_DVSN_3": "00",
            "EXCG_ID_DVSN_CD": "ALL",
            "CTX_AREA_FK100": "",
            "CTX_AREA_NK100": "",
        }
        call = self.asked("GET", DAILY_CCLD, "TTTC0081R", said)
        call.headers["tr_cont"] = tr_cont
        return call

    def print(self, price: int | str, volume: int = 100, symbol: str = SAMSUNG) -> None:
        """Let the market trade."""
        self.market.step(symbol, D(price), D(volume), self.now_ns)

    @property
    def newest(self) -> str:
        """The key of the newest order of the market."""
        return next(reversed(self.market.orders))


def post(path: str, said: dict[str, str]) -> HttpCall:
    """Return a call without keys in its headers."""
    headers = {"content-type": "application/json"}
    return HttpCall(method="POST", path=path, headers=headers, body=json.dumps(said).encode())


def registration(tr_id: str, tr_key: str, approval_key: str, tr_type: str = "1") -> str:
    """Return a client's frame (kis.md 5.1)."""
    header = {
        "approval_key": approval_key,
        "custtype": "P",
        "tr_type": tr_type,
        "content-type": "utf-8",
    }
    return json.dumps({"header": header, "body": {"input": {"tr_id": tr_id, "tr_key": tr_key}}})


def number_in(reply: HttpReply) -> str:
    """Return the order number of a yes."""
    said = json.loads(reply.body)
    assert said["rt_cd"] == "0", said
    number: str = said["output"]["ODNO"]
    return number
