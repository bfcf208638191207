"""The switches of the simulated KIS: each is documented with its default, and read from texts."""

import re
from decimal import Decimal
from importlib.resources import files

import msgspec
import pytest

from jumun.model.errors import ConfigError
from jumun.simulators.kis.switches import NAMES, KisSwitches, switches_from
from tests.unit.kis_simulator.house_calls import a_client, a_house, number_of, refusal_of

README = files("jumun.simulators.kis").joinpath("README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<name>\w+)` \| `?(?P<default>[\w.]+)`?[^|]* \|", re.MULTILINE)


def test_every_switch_is_documented_with_its_default() -> None:
    documented = {row["name"]: row["default"] for row in ROW.finditer(README) if row["name"] in NAMES}
    defaults = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in msgspec.structs.asdict(KisSwitches()).items()
    }
    assert documented == defaults | {"rate_limit": "default"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate_limit", "off", 0),
        ("rate_limit", "3", 3),
        ("rate_limit", "default", None),
        ("token_limit", "false", False),
        ("token_limit", "", True),
        ("cancel_rows", "true", True),
        ("expired_status", "200", 200),
        ("history_lag_s", "1.5", Decimal("1.5")),
        ("usd_krw", "1390.10", Decimal("1390.10")),
        ("sor", "krx", "krx"),
        ("expired_rows", "remaining", "remaining"),
    ],
)
def test_a_switch_is_read_from_its_text(name: str, text: str, value: object) -> None:
    read = switches_from({name: text})
    assert getattr(read, name) == value
    assert msgspec.structs.replace(read, **{name: getattr(KisSwitches(), name)}) == KisSwitches()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("rate_limits", "off", "did you mean rate_limit"),
        ("nothing_at_all", "1", "use one of"),
        ("sor", "fastest", "sor"),
        ("rate_limit", "-1", "0 or more"),
        ("rate_limit", "many", "rate_limit .*; write for example off"),
        ("history_lag_s", "-1", "0 or more"),
        ("history_lag_s", "soon", "history_lag_s .*; write for example 0"),
        ("expired_status", "404", "expired_status"),
        ("cancel_rows", "maybe", "cancel_rows .*; write true or false"),
        ("token_limit", "off", "token_limit .*; write true or false"),
    ],
)
def test_a_switch_that_cannot_be_is_refused_by_name(name: str, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        switches_from({name: text})


def test_switches_add_to_what_is_already_set() -> None:
    base = KisSwitches(sor="nxt")
    assert switches_from({"old_trs": "false"}, base) == KisSwitches(sor="nxt", old_trs=False)


def test_a_scenario_may_change_switches_during_the_day() -> None:
    client = a_client(a_house())
    number = number_of(client.buy())
    assert client.row(number)["odno"] == number
    client.house.change_switches(KisSwitches(history_lag_s=Decimal(60), rate_limit=1))
    assert client.history() == []
    client.step_ns = 0
    client.ask("inquire-psbl-sell", {"PDNO": "005930"})
    assert refusal_of(client.ask("inquire-psbl-sell", {"PDNO": "005930"})) == "EGW00201"
