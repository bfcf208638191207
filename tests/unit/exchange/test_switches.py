"""The switches of the simulated market from the settings: each one reaches it, and a wrong one is refused."""

from decimal import Decimal

import msgspec
import pytest

from jumun import app
from jumun.brokers.paper import paper_traits
from jumun.config import load
from jumun.exchange.sample_world import sample_world, whole_day_world
from jumun.exchange.switches import FIXED, SWITCHES, with_switches
from jumun.exchange.world import World
from jumun.model.errors import ConfigError
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, TimeInForce, TradingSession
from jumun.rules.trading_days import NO_OVERRIDES

D = Decimal
PLAIN = sample_world()


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"vi": ""}, True),
        ({"vi": "true"}, True),
        ({"modify_renumbers": "False"}, False),
        ({"auction_qty": "500"}, D(500)),
        ({"random_end_s": "30"}, 30),
        ({"vi_narrow": "247540"}, ("247540",)),
        ({"luld_tier1": "AAPL+ SPMO"}, ("AAPL", "SPMO")),
    ],
)
def test_a_switch_is_read_from_its_text(given: dict[str, str], value: object) -> None:
    [name] = given
    world = with_switches(PLAIN, given)
    assert getattr(world, name) == value
    assert msgspec.structs.replace(world, **{name: getattr(PLAIN, name)}) == PLAIN, "nothing else changed"


@pytest.mark.parametrize("name", sorted(SWITCHES))
def test_every_switch_of_the_market_can_be_set(name: str) -> None:
    default = SWITCHES[name]
    text = {bool: str(not default), tuple: "005930"}.get(type(default), "7")
    assert getattr(with_switches(PLAIN, {name: text}), name) != default


def test_what_the_market_consists_of_is_no_switch() -> None:
    assert {field.name for field in msgspec.structs.fields(World)} - set(SWITCHES) == FIXED


@pytest.mark.req("F-103", "I-53")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"vii": "true"}, "did you mean vi?"),
        ({"instruments": ""}, "is no switch"),
        ({"zebra": ""}, "use one of "),
        ({"vi": "yes"}, "vi is 'yes'; write true or false"),
        ({"random_end_s": "-1"}, "whole number"),
        ({"random_end_s": "1.5"}, "whole number"),
        ({"auction_qty": "-5"}, "0 or above"),
        ({"auction_qty": "NaN"}, "0 or above"),
        ({"auction_qty": "many"}, "0 or above"),
        ({"vi_narrow": ""}, "names no symbol"),
        ({"vi_narrow": "005930+XYZ"}, "'XYZ', which this market does not trade"),
    ],
)
def test_a_switch_that_cannot_be_is_refused_by_name(given: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        with_switches(PLAIN, given)
    assert words in str(refused.value)
    assert "OMS_SIM_SWITCHES" in str(refused.value)


def world_of(monkeypatch: pytest.MonkeyPatch, sessions: str, switches: str) -> World:
    monkeypatch.setenv("OMS_SIM_SESSIONS", sessions)
    monkeypatch.setenv("OMS_SIM_SWITCHES", switches)
    return app.world_of(load().settings)


def test_the_settings_reach_the_market_and_what_it_takes_the_broker_offers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of(monkeypatch, "calendar", "carries_orders,holds_stops=true,auction_qty=500")
    assert (world.carries_orders, world.holds_stops, world.auction_qty) == (True, True, 500)
    assert set(world.sessions) == set(TradingSession) - {TradingSession.REGULAR}
    traits = paper_traits(world=world)
    assert (Venue.KRX, OrderType.LIMIT, TimeInForce.GTC) in traits.kinds
    assert (Venue.US, OrderType.STOP, TimeInForce.DAY) in traits.kinds
    assert (Venue.NXT, OrderType.LIMIT, TimeInForce.DAY) in traits.kinds
    assert (Venue.NXT, TradingSession.PRE_MARKET) in traits.sessions
    plain = paper_traits(world=world_of(monkeypatch, "open", ""))
    assert (Venue.KRX, OrderType.LIMIT, TimeInForce.GTC) not in plain.kinds


def test_an_auction_on_a_market_that_never_closes_is_a_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="has call_auctions"):
        world_of(monkeypatch, "open", "call_auctions")
    assert world_of(monkeypatch, "calendar", "call_auctions").call_auctions


def test_the_shares_of_the_whole_day_trade_at_nxt_and_its_funds_do_not() -> None:
    at_nxt = {issue.symbol for issue in whole_day_world(NO_OVERRIDES).instruments if issue.nxt}
    assert at_nxt == {"005930", "000660", "035420", "247540"}
