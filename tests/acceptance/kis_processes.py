"""A simulated KIS and a service beside each other, as processes, in one folder."""

import http.client
import json
import re
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import apsw
import msgspec

from jumun.exchange.protocol import Answer, OracleTold
from jumun.simulators.kis.customers import demo_customers
from tests.acceptance.processes import READY_S, Program, Rig

ACCOUNT: Final = "12345678-01"
SYMBOL: Final = "005930"
PRICE: Final = 58_000  # of its opening day in the sample world
READY: Final = re.compile(r"ready on (http://[0-9.:]+) (ws://[0-9.:]+) ")


@dataclass
class KisRig(Rig):
    """A rig whose exchange is a KIS. Its clock, market and faults are moved over its control address."""

    rest: str = ""
    stream: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The service's settings, all explicit; the keys are those that the simulator prints."""
        customer = next(one for one in demo_customers() if one.environment == "real")
        return {
            "OMS_BROKER": "kis",
            "OMS_ENVIRONMENT": "sim",
            "OMS_STORE_PATH": str(self.store),
            "OMS_GRPC_PORT": str(self.grpc_port),
            "OMS_HTTP_PORT": str(self.http_port),
            "LOG_FORMAT": "json",
            "KIS_BASE_URL": self.rest,
            "KIS_WS_URL": self.stream,
            "KIS_APP_KEY": customer.app_key,
            "KIS_APP_SECRET": customer.app_secret,
            "KIS_ACCOUNT_NO": ACCOUNT,
            "KIS_HTS_ID": customer.hts_id,
            **self.settings,
        }

    def start_kis(self, *arguments: str, pace: str = "0") -> None:
        """Start the simulator on free ports and learn its addresses from what it prints."""
        command = ["simulate", "kis", "--port", "0", "--ws-port", "0", "--pace", pace, *arguments]
        market = {name: text for name, text in self.settings.items() if name.startswith("OMS_SIM_")}
        self.exchange = Program(command, market, self.folder / "kis.log").start()
        deadline = time.monotonic() + READY_S
        while (found := READY.search(self.exchange.text())) is None:
            assert self.exchange.process is not None
            assert self.exchange.process.poll() is None, self.exchange.text()
            assert time.monotonic() < deadline, self.exchange.text()
            time.sleep(0.02)
        self.rest, self.stream = found.groups()

    # ---- its control address --------------------------------------------------------------------

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """Make one control call; fails with what it says."""
        host, _, port = self.rest.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=READY_S)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/control/{path}", text, {"X-Control": "1"})
            reply = connection.getresponse()
            said = reply.read()
        finally:
            connection.close()
        assert reply.status < 400, f"{method} {path} {body}: {said.decode()}"
        return said

    def act(self, act: str, **arguments: Any) -> None:
        """Let the market or the house do something."""
        self.control("POST", "market", {"act": act, **arguments})

    def step(self, price: int, *, symbol: str = SYMBOL, qty: int = 1_000) -> None:
        """Print a trade of the market, with so many shares on offer around it."""
        self.act("step", symbol=symbol, price=str(price), volume=str(qty), quote_qty=str(qty))

    def fault(self, name: str, *, path: str = "", seconds: float = 0.0, **match: Any) -> None:
        """Put one fault in force."""
        rule: dict[str, Any] = {"fault": name, "match": {"path": path, **match}}
        if seconds:
            rule["seconds"] = seconds
        self.control("POST", "faults", {"rules": [rule]})

    def fair(self) -> None:
        """Let all faults stop."""
        self.control("DELETE", "faults")

    def struck(self, name: str) -> int:
        """How often a fault has struck."""
        return int(json.loads(self.control("GET", "faults"))["struck"].get(name, 0))

    def oracle(self) -> OracleTold:
        """Ask the simulator what really happened."""
        told: Answer = msgspec.json.decode(self.control("GET", "oracle"), type=Answer)
        assert isinstance(told, OracleTold)
        return told

    # ---- books ----------------------------------------------------------------------------------

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the service's store."""
        connection = apsw.Connection(str(self.store), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(5_000)
            return list(connection.execute(query))
        finally:
            connection.close()

    def differences(self) -> list[str]:
        """Positions and cash of the store beside the oracle's; empty when they are the same."""
        [balance] = self.oracle().balances
        held = {row[0]: Decimal(row[1]) for row in self.rows("SELECT symbol, qty FROM positions")}
        cash: dict[str, Decimal] = {}
        for currency, debit, credit, amount in self.rows(
            "SELECT currency, debit, credit, amount FROM ledger"
        ):
            sign = (debit == "CASH") - (credit == "CASH")
            cash[currency] = cash.get(currency, Decimal(0)) + sign * Decimal(amount)
        beside = [(name, held.get(name), balance.holdings.get(name)) for name in {*held, *balance.holdings}]
        beside += [(name, cash.get(name), balance.cash.get(name)) for name in {*cash, *balance.cash}]
        return [
            f"{name}: {ours} / {theirs}"
            for name, ours, theirs in sorted(beside)
            if (ours or Decimal(0)) != (theirs or Decimal(0))
        ]
