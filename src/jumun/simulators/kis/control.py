"""The control address of the simulated KIS: faults, acts, and what really happened (SCENARIOS.md).

    POST   /control/faults   {"rules": [{"fault": "reply_lost", "match": {"path": "order-cash", "nth": 2}}]}
    GET    /control/faults   the rules in force, what struck how often, and all names
    DELETE /control/faults   all faults stop
    POST   /control/market   {"act": "step", "symbol": "005930", "price": "58000", "volume": "100"}
    GET    /control/oracle   orders, executions, arrivals, modifies, busts, balances: the ledger
    GET    /control/state    clock, sessions, counts

Only for callers on this machine that send the header `X-Control: 1`: a page in a browser cannot.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

import msgspec
from aiohttp import web

from jumun.exchange.protocol import AskOracle
from jumun.exchange.service import answer
from jumun.model.errors import OmsError
from jumun.simulators.kis.acts import NAMES, Skip, perform, read_act
from jumun.simulators.kis.faults import FAULTS
from jumun.simulators.kis.figures import korean
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.weather import Rule

CONTROL_PATH: Final = "/control/"
HEADER: Final = "X-Control"
OK, CREATED, BAD, FORBIDDEN, NOT_FOUND = 200, 201, 400, 403, 404
_ENCODER: Final = msgspec.json.Encoder()


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /control/faults."""

    rules: tuple[Rule, ...]


class ControlDesk:
    """Answers control calls. `now_ns` and `skip` are the simulator's clock; None: not ours to move."""

    def __init__(self, kis: SimulatedKis, now_ns: Any, skip: Skip | None = None) -> None:
        self._kis = kis
        self._now_ns = now_ns
        self._skip = skip

    def answer(self, request: web.BaseRequest, body: bytes) -> web.Response:
        """Answer one request, or refuse whoever must not ask."""
        if not is_loopback(request.remote) or not request.headers.get(HEADER):
            return _json(
                FORBIDDEN, {"error": f"control is for this machine only; send the header {HEADER}: 1"}
            )
        status, said = self.tell(request.method, request.path, body)
        return _json(status, said)

    def tell(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        """Carry out one control call; return its HTTP status and its answer. Refusals are one sentence."""
        try:
            match method, path.removeprefix(CONTROL_PATH).rstrip("/"):
                case "POST", "faults":
                    return CREATED, self._add_faults(body)
                case "GET", "faults":
                    return OK, self._faults()
                case "DELETE", "faults":
                    self._kis.weather.clear()
                    return OK, self._faults()
                case "POST", "market":
                    self.act(msgspec.json.decode(body, type=dict[str, Any]))
                    return OK, {"now_ns": self._now_ns()}
                case "GET", "oracle":
                    return OK, self._oracle()
                case "GET", "state":
                    return OK, self._state()
                case _:
                    return NOT_FOUND, {"error": f"{method} {path} is no control call; see jumun simulate kis"}
        except (OmsError, msgspec.MsgspecError) as error:
            return BAD, {"error": str(error)}

    def act(self, said: Mapping[str, object]) -> None:
        """Make an act happen now; raises OmsError."""
        house = self._kis.house
        now_ns = self._now_ns()
        house.market.advance(now_ns)
        perform(read_act(said), house, self._kis.streams, now_ns, self._skip)
        house.market.advance(self._now_ns())

    def _add_faults(self, body: bytes) -> dict[str, object]:
        rules = msgspec.json.decode(body, type=Rules, strict=False).rules
        self._kis.weather.add(rules)
        return {"added": len(rules), "in_force": len(self._kis.weather.rules)}

    def _faults(self) -> dict[str, object]:
        struck = {name: times for name, times in self._kis.weather.struck.items() if times}
        known = {name: fault.text for name, fault in FAULTS.items()}
        return {"rules": self._kis.weather.rules, "struck": struck, "known": known}

    def _oracle(self) -> object:
        now_ns = self._now_ns()
        self._kis.house.market.advance(now_ns)
        return answer(self._kis.house.market, AskOracle(), now_ns)

    def _state(self) -> dict[str, object]:
        now_ns = self._now_ns()
        market = self._kis.house.market
        return {
            "now_ns": now_ns,
            "korean_time": korean(now_ns).strftime("%Y-%m-%d %H:%M:%S"),
            "calls": self._kis.calls,
            "orders": len(market.orders),
            "open_orders": sum(order.is_open for order in market.orders.values()),
            "executions": len(market.executions),
            "accounts": market.accounts(),
            "sessions": self._kis.streams.states(now_ns),
            "struck": {name: times for name, times in self._kis.weather.struck.items() if times},
            "acts": NAMES,
        }


def is_loopback(remote: str | None) -> bool:
    """Whether a peer is on this machine."""
    return remote is not None and ip_address(remote.partition("%")[0]).is_loopback


def _json(status: int, said: object) -> web.Response:
    return web.Response(status=status, body=_ENCODER.encode(said), content_type="application/json")
