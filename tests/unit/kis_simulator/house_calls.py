"""A client of the simulated KIS as small as can be: it signs, asks and reads, at the time the test says."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.sample_world import sample_world, whole_day_world
from jumun.exchange.world import World
from jumun.model.instruments import Instrument
from jumun.ports.wire import HttpCall, HttpReply
from jumun.rules.trading_days import ALWAYS_OPEN, NO_OVERRIDES
from jumun.simulators.kis.contract import Endpoint, contract
from jumun.simulators.kis.customers import Customer, demo_customer
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.requests import RequestTaken
from jumun.simulators.kis.switches import KisSwitches

ACCOUNT = "12345678-01"
PAPER_ACCOUNT = "50012345-01"
SAMSUNG = "005930"
PRICE = 58_000
D = Decimal


def seoul_ns(text: str) -> int:
    """UTC nanoseconds of a Seoul wall clock time such as 2026-11-20 09:00."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Seoul")).timestamp()) * 10**9


MORNING = seoul_ns("2026-11-20 10:00")  # a Friday, after the reform of September 2026
REAL = demo_customer("real", hts_id="demo", accounts=(ACCOUNT,))
PAPER = demo_customer("paper", hts_id="demopaper", accounts=(PAPER_ACCOUNT,))


class Caller:
    """One customer of one house. Every call is a second later than the last one, unless told otherwise."""

    def __init__(
        self,
        house: KisHouse,
        customer: Customer = REAL,
        *,
        now_ns: int = MORNING,
        step_ns: int = 10**9,
    ) -> None:
        self.house = house
        self.customer = customer
        self.now_ns = now_ns
        self.step_ns = step_ns
        self.tag = ""
        self.told: list[RequestTaken] = []
        house.on_request(self.told.append)
        self.token = ""
        self.log_in()

    def log_in(self) -> None:
        """Fetch a token."""
        granted = self.send("POST", "/oauth2/tokenP", body=self.keys("appsecret"))
        self.token = msgspec.json.decode(granted.body)["access_token"]

    def wait(self, *, days: int = 0, seconds: int = 0) -> None:
        """Let time pass, and log in again after days."""
        self.now_ns += (days * 86_400 + seconds) * 10**9
        if days:
            self.log_in()

    def keys(self, secret_name: str) -> dict[str, str]:
        """The body of every grant."""
        return {
            "grant_type": "client_credentials",
            "appkey": self.customer.app_key,
            secret_name: self.customer.app_secret,
        }

    def headers(self, tr_id: str, **more: str) -> dict[str, str]:
        """What a signed call carries."""
        return {
            "content-type": "application/json; charset=utf-8",
            "authorization": f"Bearer {self.token}",
            "appkey": self.customer.app_key,
            "appsecret": self.customer.app_secret,
            "tr_id": tr_id,
            "custtype": "P",
        } | more

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> HttpReply:
        """Send anything."""
        call = HttpCall(
            method=method,
            path=path,
            headers=headers if headers is not None else {"content-type": "application/json"},
            query=query or {},
            body=b"" if body is None else msgspec.json.encode(body),
            tag=self.tag,
        )
        self.now_ns += self.step_ns
        return self.house.handle(call, self.now_ns)

    def reply(self, name: str, fields: dict[str, Any] | None = None, **headers: str) -> HttpReply:
        """Call an endpoint by its name, signed, with the account filled in and every other column empty."""
        endpoint = contract().named(name)
        cano, _, product = self.customer.accounts[0].partition("-")
        known = {"CANO": cano, "ACNT_PRDT_CD": product} | (fields or {})
        every = {column.name: known.get(column.name, "") for column in endpoint.request}
        every |= {
            name: text for name, text in known.items() if name not in every and name[:2] in ("CT", "x_")
        }
        tr_id = headers.pop("tr_id", "") or self.tr_id(endpoint)
        if endpoint.method == "GET":
            return self.send("GET", endpoint.path, headers=self.headers(tr_id, **headers), query=every)
        return self.send("POST", endpoint.path, headers=self.headers(tr_id, **headers), body=every)

    def tr_id(self, endpoint: Endpoint) -> str:
        """The TR id of this customer's environment."""
        ids = endpoint.tr_id
        return (ids.real if self.customer.environment == "real" else ids.paper) or ids.real or ""

    def ask(self, name: str, fields: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Call an endpoint and read its body."""
        body: dict[str, Any] = msgspec.json.decode(self.reply(name, fields, **headers).body)
        return body

    # ---- what tests do all day ----------------------------------------------------------------------------

    def buy(self, qty: int = 10, price: int = PRICE, **fields: Any) -> dict[str, Any]:
        """Send a cash buy."""
        return self.order("order-cash-buy", qty, price, **fields)

    def sell(self, qty: int = 10, price: int = PRICE, **fields: Any) -> dict[str, Any]:
        """Send a cash sell."""
        return self.order("order-cash-sell", qty, price, **fields)

    def order(self, name: str, qty: int, price: int, **fields: Any) -> dict[str, Any]:
        """Send a cash order."""
        known = {"PDNO": SAMSUNG, "ORD_DVSN": "00", "ORD_QTY": str(qty), "ORD_UNPR": str(price)}
        return self.ask(name, known | fields)

    def change(self, number: str, action: str, **fields: str) -> dict[str, Any]:
        """Send a revise (01) or a cancel (02) of all that is left."""
        known = {
            "ORGN_ODNO": number,
            "ORD_DVSN": "00",
            "RVSE_CNCL_DVSN_CD": action,
            "ORD_QTY": "0",
            "ORD_UNPR": "0",
            "QTY_ALL_ORD_YN": "Y",
        }
        return self.ask("order-rvsecncl", known | fields)

    def cancel(self, number: str, **fields: str) -> dict[str, Any]:
        """Cancel all that is left."""
        return self.change(number, "02", **fields)

    def revise(self, number: str, price: int, **fields: str) -> dict[str, Any]:
        """Set another price on all that is left."""
        return self.change(number, "01", ORD_UNPR=str(price), **fields)

    def history(self, day: str = "20261120", **fields: str) -> list[dict[str, str]]:
        """Every row of a day, over all pages, oldest first."""
        known = {
            "INQR_STRT_DT": day,
            "INQR_END_DT": day,
            "SLL_BUY_DVSN_CD": "00",
            "CCLD_DVSN": "00",
            "INQR_DVSN": "01",
            "INQR_DVSN_3": "00",
            "EXCG_ID_DVSN_CD": "KRX" if self.customer.environment == "paper" else "ALL",
        } | fields
        return self.pages("inquire-daily-ccld-recent", known, "output1")

    def pages(self, name: str, fields: dict[str, str], block: str) -> list[dict[str, str]]:
        """Every row of an inquiry, page by page as kis.md 1.5 says."""
        rows: list[dict[str, str]] = []
        context: dict[str, str] = {}
        for _ in range(100):
            reply = self.reply(name, fields | context, tr_cont="N" if context else "")
            body = msgspec.json.decode(reply.body)
            assert body["rt_cd"] == "0", body
            rows += body[block]
            if reply.headers["tr_cont"] in ("D", "E"):
                return rows
            context = {key.upper(): text for key, text in body.items() if key.startswith("ctx_area")}
        raise AssertionError("the pages never end")

    def row(self, number: str, day: str = "20261120") -> dict[str, str]:
        """The row of one number."""
        (row,) = (row for row in self.history(day) if row["odno"] == number)
        return row


def number_of(body: dict[str, Any]) -> str:
    """Insist on a yes to an order request and return its number."""
    assert body["rt_cd"] == "0", body
    number: str = body["output"]["ODNO"]
    return number


def refusal_of(body: dict[str, Any]) -> str:
    """Insist on a no and return its code."""
    assert body["rt_cd"] != "0", body
    assert body["msg1"].strip(), body
    code: str = body["msg_cd"]
    return code


def with_nxt(*symbols: str) -> tuple[Instrument, ...]:
    """The sample issues, some of them traded at NXT as well."""
    return tuple(
        msgspec.structs.replace(issue, nxt=issue.symbol in symbols) for issue in sample_world().instruments
    )


def a_house(
    *,
    world: World | None = None,
    cash: int = 100_000_000,
    dollars: int = 100_000,
    holdings: dict[str, int] | None = None,
    now_ns: int = MORNING,
    customers: tuple[Customer, ...] = (REAL, PAPER),
    **switches: Any,
) -> KisHouse:
    """A house on a market around the clock, where two accounts have money and shares."""
    market = Market(world or sample_world(ALWAYS_OPEN))
    for account in (ACCOUNT, PAPER_ACCOUNT):
        market.open_account(
            account,
            cash={"KRW": D(cash), "USD": D(dollars)},
            holdings={symbol: D(qty) for symbol, qty in (holdings or {SAMSUNG: 1_000, "AAPL": 100}).items()},
            now_ns=now_ns,
        )
    return KisHouse(market, KisSwitches(**switches), customers)


def a_day(**more: Any) -> KisHouse:
    """A house on a market that keeps the real hours, with every session."""
    return a_house(world=more.pop("world", None) or whole_day_world(NO_OVERRIDES), **more)


def a_client(house: KisHouse | None = None, customer: Customer = REAL, **more: Any) -> Caller:
    """A client who has a token; nothing has traded yet."""
    now_ns, step_ns = more.pop("now_ns", MORNING), more.pop("step_ns", 10**9)
    return Caller(house or a_house(now_ns=now_ns, **more), customer, now_ns=now_ns, step_ns=step_ns)


def trade(client: Caller, price: int | str, volume: int, symbol: str = SAMSUNG, **more: Any) -> None:
    """Let the market print a trade."""
    client.house.market.step(symbol, D(price), D(volume), client.now_ns, **more)
