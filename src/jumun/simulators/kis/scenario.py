"""A scenario: what a simulated KIS starts with, and what happens when (YAML; the format is in SCENARIOS.md).

Everything is checked when the file is read: a scenario that stops in the middle has proven nothing.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from jumun.exchange.protocol import Step
from jumun.model.errors import ConfigError, OmsError
from jumun.model.instruments import Venue
from jumun.model.orders import TradingSession
from jumun.simulators.kis.acts import Act, read_act
from jumun.simulators.kis.customers import (
    APP_KEY_LENGTH,
    APP_SECRET_LENGTH,
    Customer,
    Environment,
    demo_customer,
)
from jumun.simulators.kis.figures import NS, SEOUL
from jumun.simulators.kis.stream_switches import StreamSwitches, stream_switches_from
from jumun.simulators.kis.switches import KisSwitches, switches_from
from jumun.simulators.kis.weather import Match, Rule, checked
from jumun.simulators.kis.yaml_file import YamlFile

_AT: Final = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>ms|s|m|h|)")
_UNIT_NS: Final = {"ms": NS // 1_000, "s": NS, "": NS, "m": 60 * NS, "h": 3_600 * NS}
_ACCOUNT: Final = re.compile(r"[0-9]{8}-[0-9]{2}", re.ASCII)

# A working value for every key, for error messages and for the page about them.
EXAMPLES: Final = {
    "environment": "real",
    "seed": "1",
    "pace": "2",
    "sessions": "open",
    "start": '"2026-11-20 09:00"',
    "rest": "{rate_limit: off}",
    "stream": "{notice_layout: 23}",
    "market": "{vi: true}",
    "customers": "[{hts_id: demo, accounts: [12345678-01]}]",
    "accounts": '{12345678-01: {cash: {KRW: 100000000}, holdings: {"005930": 10}}}',
    "prices": '[{at: 1s, symbol: "005930", price: 58000, volume: 100}]',
    "faults": "[{at: 5s, fault: reply_lost, match: {path: order-cash, nth: 1}}]",
    "acts": '[{at: 10s, act: halt, symbol: "005930"}]',
    "app_key": f"{APP_KEY_LENGTH} characters, or leave it out",
    "app_secret": f"{APP_SECRET_LENGTH} characters, or leave it out",
    "hts_id": "demo",
    "cash": "{KRW: 100000000}",
    "holdings": '{"005930": 10}',
    "at": "90s",
    "symbol": '"005930"',
    "price": "58000",
    "volume": "100",
    "venue": "KRX",
    "session": "REGULAR",
    "fault": "reply_lost",
    "match": "{path: order-cash, nth: 1}",
    "clear": "true",
    "seconds": "5",
    "ms": "250",
    "ms_max": "900",
    "code": "EGW00201",
    "status": "502",
    "path": "order-cash",
    "tr_id": "TTTC0012U",
    "account": "12345678-01",
    "nth": "1",
    "count": "1",
    "probability": "0.1",
}


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account opens with: cash by currency, shares by symbol."""

    cash: dict[str, Decimal] = {}
    holdings: dict[str, Decimal] = {}


class CustomerLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One app key; without key and secret it has those of the demo customer of that HTS id."""

    hts_id: str
    accounts: tuple[str, ...]
    app_key: str = ""
    app_secret: str = ""


class PriceLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One print of the market."""

    at: str
    symbol: str
    price: Decimal
    volume: Decimal = Decimal(100)
    venue: Venue | None = None
    session: TradingSession | None = None


class FaultLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule that begins to hold, or `clear: true`: all rules so far stop."""

    at: str = "0s"
    fault: str = ""
    match: Match = Match()
    seconds: float = 0.0
    ms: int = 0
    ms_max: int = 0
    code: str = ""
    status: int = 0
    clear: bool = False


class ScenarioFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is written."""

    environment: Environment | None = None
    seed: int | None = None
    pace: float | None = None
    sessions: Literal["open", "calendar"] | None = None
    start: str = ""
    rest: dict[str, str] = {}
    stream: dict[str, str] = {}
    market: dict[str, str] = {}
    customers: tuple[CustomerLine, ...] = ()
    accounts: dict[str, Opening] = {}
    prices: tuple[PriceLine, ...] = ()
    faults: tuple[FaultLine, ...] = ()
    acts: tuple[dict[str, Any], ...] = ()


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happens so long after the start: an act, a rule, or the end of all rules."""

    at_ns: int
    line: int
    act: Act | None = None
    rule: Rule | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that can be played. None and empty: as the command line says."""

    name: str = ""
    environment: Environment | None = None
    seed: int | None = None
    pace: float | None = None
    sessions: Literal["open", "calendar"] | None = None
    start_ns: int | None = None
    rest: KisSwitches = KisSwitches()
    stream: StreamSwitches = StreamSwitches()
    market: dict[str, str] = {}
    customers: tuple[Customer, ...] = ()
    accounts: dict[str, Opening] = {}
    happenings: tuple[Happening, ...] = ()


class Timeline:
    """Hands out what is due, once and in order."""

    def __init__(self, happenings: Iterable[Happening]) -> None:
        self._left = sorted(happenings, key=lambda one: (one.at_ns, one.line))
        self._next = 0

    def due(self, elapsed_ns: int) -> list[Happening]:
        """Return what falls due until so long after the start."""
        start = self._next
        while self._next < len(self._left) and self._left[self._next].at_ns <= elapsed_ns:
            self._next += 1
        return self._left[start : self._next]

    @property
    def left(self) -> int:
        """How many things are still to come."""
        return len(self._left) - self._next


def read_scenario(
    path: Path,
    *,
    rest: KisSwitches | None = None,
    stream: StreamSwitches | None = None,
    environment: Environment = "real",
) -> Scenario:
    """Read a file; raises ConfigError with line, key and a working value.

    `rest` and `stream` are what its switches change; `environment` holds where the file names none.
    """
    return scenario_of(YamlFile.open(path), rest=rest, stream=stream, environment=environment)


def scenario_of(
    file: YamlFile,
    *,
    rest: KisSwitches | None = None,
    stream: StreamSwitches | None = None,
    environment: Environment = "real",
) -> Scenario:
    """Return the scenario of a file that was read; raises ConfigError."""
    said = file.convert(ScenarioFile, EXAMPLES)
    environment = said.environment or environment
    return Scenario(
        name=file.name,
        environment=said.environment,
        seed=said.seed,
        pace=_pace(file, said.pace),
        sessions=said.sessions,
        start_ns=_start(file, said.start),
        rest=_switched(file, "rest", lambda: switches_from(said.rest, rest)),
        stream=_switched(file, "stream", lambda: stream_switches_from(said.stream, stream)),
        market=dict(said.market),
        customers=tuple(
            _customer(file, index, line, environment) for index, line in enumerate(said.customers)
        ),
        accounts=_accounts(file, said),
        happenings=(*_prices(file, said), *_faults(file, said), *_acts(file, said)),
    )


def _switched(file: YamlFile, key: str, make: Any) -> Any:
    try:
        return make()
    except ConfigError as error:
        raise file.error(f"$.{key}", f"cannot be: {error}") from error


def _pace(file: YamlFile, pace: float | None) -> float | None:
    if pace is not None and not 0 <= pace <= 10_000:
        raise file.error("$.pace", f"is {pace}; it is generated prints a second", EXAMPLES["pace"])
    return pace


def _start(file: YamlFile, text: str) -> int | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise file.error("$.start", f"{text!r} is no time", f"start: {EXAMPLES['start']}") from error
    at = at.replace(tzinfo=SEOUL) if at.tzinfo is None else at
    return int(at.timestamp()) * NS


def _customer(file: YamlFile, index: int, line: CustomerLine, environment: Environment) -> Customer:
    path = f"$.customers[{index}]"
    for number, account in enumerate(line.accounts):
        _require_account(file, f"{path}.accounts[{number}]", account)
    if not line.accounts:
        raise file.error(path, "has no accounts", "accounts: [12345678-01]")
    demo = demo_customer(environment, hts_id=line.hts_id, accounts=line.accounts)
    for name, text, length in (
        ("app_key", line.app_key, APP_KEY_LENGTH),
        ("app_secret", line.app_secret, APP_SECRET_LENGTH),
    ):
        if text and len(text) != length:
            raise file.error(
                f"{path}.{name}", f"has {len(text)} characters; KIS's have {length}", EXAMPLES[name]
            )
    return msgspec.structs.replace(
        demo, app_key=line.app_key or demo.app_key, app_secret=line.app_secret or demo.app_secret
    )


def _accounts(file: YamlFile, said: ScenarioFile) -> dict[str, Opening]:
    for account, opening in said.accounts.items():
        path = f"$.accounts.{account}"
        _require_account(file, path, account)
        for kind, amounts in (("cash", opening.cash), ("holdings", opening.holdings)):
            for name, amount in amounts.items():
                if not amount.is_finite() or amount < 0:
                    raise file.error(f"{path}.{kind}.{name}", f"is {amount}; give 0 or more", f"{name}: 10")
    return dict(said.accounts)


def _require_account(file: YamlFile, path: str, account: str) -> None:
    if not _ACCOUNT.fullmatch(account):
        raise file.error(path, f"{account!r} is no account number", "12345678-01")


def _prices(file: YamlFile, said: ScenarioFile) -> Iterable[Happening]:
    for index, line in enumerate(said.prices):
        path = f"$.prices[{index}]"
        act = Step(
            symbol=line.symbol, price=line.price, volume=line.volume, venue=line.venue, session=line.session
        )
        yield Happening(at_ns=_at(file, f"{path}.at", line.at), line=file.line_of(path), act=act)


def _faults(file: YamlFile, said: ScenarioFile) -> Iterable[Happening]:
    for index, line in enumerate(said.faults):
        path = f"$.faults[{index}]"
        at_ns = _at(file, f"{path}.at", line.at)
        if line.clear is bool(line.fault):
            raise file.error(path, "needs either a fault or clear", f"fault: {EXAMPLES['fault']}")
        rule = None
        if line.fault:
            values = {field: getattr(line, field) for field in Rule.__struct_fields__}
            try:
                rule = checked(Rule(**values))
            except ConfigError as error:
                raise file.error(f"{path}.fault", f"cannot be: {error}") from error
        yield Happening(at_ns=at_ns, line=file.line_of(path), rule=rule)


def _acts(file: YamlFile, said: ScenarioFile) -> Iterable[Happening]:
    for index, line in enumerate(said.acts):
        path = f"$.acts[{index}]"
        at_ns = _at(file, f"{path}.at", str(line.get("at", "0s")))
        try:
            act = read_act({name: value for name, value in line.items() if name != "at"})
        except OmsError as error:
            raise file.error(f"{path}.act", f"cannot be: {error}") from error
        yield Happening(at_ns=at_ns, line=file.line_of(path), act=act)


def _at(file: YamlFile, path: str, text: str) -> int:
    """Return how long after the start, in nanoseconds: 500ms, 90s, 2m, 1h, or seconds without a unit."""
    found = _AT.fullmatch(text.strip())
    if found is None:
        raise file.error(path, f"{text!r} is no time after the start", f"at: {EXAMPLES['at']}")
    return int(Decimal(found["number"]) * _UNIT_NS[found["unit"]])
