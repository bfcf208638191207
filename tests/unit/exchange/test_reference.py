"""The page on the simulated market names every switch with its default, every act and every fault."""

import re
from decimal import Decimal

import msgspec
import pytest

from jumun.brokers.paper.faults import FaultPlan
from jumun.exchange.acts import Acts
from jumun.exchange.world import World
from jumun.model.orders import TradingSession
from tests.unit.house.repository import ROOT

PAGE = (ROOT / "docs/reference/simulated-market.md").read_text(encoding="utf-8")
BASICS = {"name", "instruments", "bases", "overrides", "plans", "quote_qty", "branch"}
SWITCHES = [field for field in msgspec.structs.fields(World) if field.name not in BASICS]


def said(default: object) -> str:
    """The default as the page says it."""
    if isinstance(default, bool):
        return "on" if default else "off"
    return "none" if default == () else str(default)


@pytest.mark.parametrize("field", SWITCHES, ids=lambda field: field.name)
def test_every_switch_is_listed_with_its_default(field: msgspec.structs.FieldInfo) -> None:
    row = re.search(rf"^\| `{field.name}` \| (?P<default>[^|]+) \|", PAGE, re.MULTILINE)
    assert row is not None, f"docs/reference/simulated-market.md does not list {field.name}"
    assert row["default"] == said(field.default)


def test_the_page_lists_no_switch_that_is_gone() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (?:on|off|none|\d+) \|", PAGE, re.MULTILINE)
    assert set(listed) == {field.name for field in SWITCHES}


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(FaultPlan)])
def test_every_fault_of_the_line_is_listed(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_every_act_and_every_session_is_listed() -> None:
    acts = [name for name in vars(Acts) if not name.startswith("_")]
    missing = [name for name in (*acts, *(session.value for session in TradingSession)) if name not in PAGE]
    assert not missing


def test_everything_beyond_a_plain_day_is_off_by_default() -> None:
    plain = World(name="plain", instruments=())
    on = [field.name for field in SWITCHES if getattr(plain, field.name) not in (False, (), 0, Decimal(0))]
    assert on == ["modify_renumbers"]
