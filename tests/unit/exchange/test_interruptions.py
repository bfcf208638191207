"""Volatility interruptions in Korea, limit up and limit down in the United States."""

from datetime import date
from decimal import Decimal

import pytest

from jumun.exchange.interruption import luld_band, vi_prices
from jumun.exchange.line import Mode
from jumun.exchange.market import Market
from jumun.exchange.records import Interrupted
from jumun.model.instruments import Instrument, Product, Venue
from jumun.model.instruments import Market as Listing
from jumun.model.money import Currency
from jumun.model.orders import Side, TimeInForce
from jumun.model.reports import BrokerState
from tests.unit.exchange.builders import SYMBOL, a_market_with, new_york_ns, order, refused, seoul_ns, taken

D = Decimal
TEN = seoul_ns("2025-06-16 10:00")
SECOND = 10**9
SHARE = Instrument(
    symbol="000001",
    market=Listing.KOSDAQ,
    product=Product.SHARE,
    currency=Currency.KRW,
    venue=Venue.KRX,
)


def told(market: Market) -> list[Interrupted]:
    heard: list[Interrupted] = []
    market.listen(lambda events: heard.extend(e for e in events if isinstance(e, Interrupted)))
    return heard


@pytest.mark.parametrize(
    ("base", "side", "trigger"),
    [(5_060, 1, 5_570), (3_030, 0, 2_725), (1_770, 0, 1_590), (773, 1, 851), (18_000, 0, 16_200)],
)
def test_the_static_triggers_are_those_logged_on_2021_06_11(base: int, side: int, trigger: int) -> None:
    assert vi_prices(SHARE, D(base), D("0.10"), date(2021, 6, 11))[side] == trigger


@pytest.mark.req("F-48")
@pytest.mark.parametrize(
    ("narrow", "price", "interrupts"),
    [(False, 61_400, False), (False, 61_500, True), (True, 59_700, False), (True, 59_800, True)],
)
def test_a_price_too_far_from_the_last_starts_two_minutes_of_auction(
    narrow: bool, price: int, interrupts: bool
) -> None:
    market = a_market_with(vi=True, vi_narrow=(SYMBOL,) if narrow else ())
    market.step(SYMBOL, D(58_000), D(1), TEN)
    heard = told(market)
    sell = taken(market.submit(order(Side.SELL, price=58_300), TEN))
    market.step(SYMBOL, D(price), D(4), TEN)
    assert [e.what for e in heard] == (["VI"] if interrupts else [])
    assert market.orders[sell.key].qty_filled == (0 if interrupts else 4)
    if interrupts:
        assert market.mode_of(SYMBOL) is Mode.AUCTION
        assert refused(market.submit(order(tif=TimeInForce.IOC), TEN)) == "KIND"
        market.advance(TEN + 120 * SECOND)
        assert market.orders[sell.key].qty_filled == 4
        assert market.mode_of(SYMBOL) is Mode.CONTINUOUS


@pytest.mark.req("F-48")
def test_small_steps_that_add_up_to_ten_percent_start_a_static_interruption() -> None:
    market = a_market_with(vi=True)
    heard = told(market)
    for price in range(58_000, 64_000, 1_000):
        market.step(SYMBOL, D(price), D(1), TEN)
    assert [e.text for e in heard] == []
    market.step(SYMBOL, D(63_800), D(1), TEN)
    assert [e.text for e in heard] == ["static: 63800 against 58000"]


@pytest.mark.req("F-48")
def test_two_clients_cannot_trade_beyond_the_trigger_either() -> None:
    market = a_market_with(vi=True)
    market.step(SYMBOL, D(58_000), D(0), TEN, quote_qty=D(0))
    sell = taken(market.submit(order(Side.SELL, price=62_000), TEN))
    buy = taken(market.submit(order(price=62_000), TEN))
    assert (buy.qty_filled, market.mode_of(SYMBOL)) == (0, Mode.AUCTION)
    market.advance(TEN + 120 * SECOND)
    assert market.orders[sell.key].state is BrokerState.FILLED


@pytest.mark.req("F-48")
def test_an_interruption_that_runs_into_the_closing_auction_becomes_part_of_it() -> None:
    market = a_market_with(vi=True, call_auctions=True)
    late = seoul_ns("2025-06-16 15:19") + 30 * SECOND
    market.step(SYMBOL, D(58_000), D(0), late, quote_qty=D(0))
    buy = taken(market.submit(order(price=58_000), late))
    market.interrupt(SYMBOL, late)
    market.step(SYMBOL, D(57_900), D(4), seoul_ns("2025-06-16 15:22"))
    assert market.executions == []
    market.advance(seoul_ns("2025-06-16 15:30"))
    assert market.orders[buy.key].qty_filled == 4


@pytest.mark.req("F-48", "F-55")
def test_a_closing_price_too_far_away_extends_the_auction_and_the_life_of_its_orders() -> None:
    market = a_market_with(vi=True, call_auctions=True)
    heard = told(market)
    market.step(SYMBOL, D(58_000), D(0), seoul_ns("2025-06-16 15:10"), quote_qty=D(0))
    late = seoul_ns("2025-06-16 15:25")
    buy = taken(market.submit(order(price=61_000), late))
    sell = taken(market.submit(order(Side.SELL, qty=4, price=60_500), late))
    close = seoul_ns("2025-06-16 15:30")
    market.advance(close)
    assert [e.what for e in heard] == ["EXTENDED"]
    assert market.orders[buy.key].is_open
    market.advance(close + 120 * SECOND)
    assert (market.orders[sell.key].state, market.orders[buy.key].state) == ("FILLED", "EXPIRED")


@pytest.mark.parametrize(
    ("before", "reference", "tier1", "late", "band"),
    [
        ("100", "100", True, False, ("95", "105")),
        ("100", "100", False, False, ("90", "110")),
        ("100", "100", True, True, ("90", "110")),
        ("100", "100", False, True, ("90", "110")),
        ("2", "2", False, False, ("1.6", "2.4")),
        ("2", "2", False, True, ("1.2", "2.8")),
        ("0.5", "0.5", False, False, ("0.35", "0.65")),
        ("0.1", "0.1", True, False, ("0.025", "0.175")),
    ],
)
def test_luld_bands_follow_tier_price_and_time(
    before: str, reference: str, tier1: bool, late: bool, band: tuple[str, str]
) -> None:
    found = luld_band(D(reference), D(before), is_tier1=tier1, is_late=late)
    assert found == (D(band[0]), D(band[1]))


@pytest.mark.req("F-48")
def test_fifteen_seconds_at_the_band_pause_trading_for_five_minutes() -> None:
    market = a_market_with(luld=True, luld_tier1=("AAPL",))
    heard = told(market)
    now = new_york_ns("2025-06-16 10:00")
    market.step("AAPL", D("196.50"), D(1), now)
    sell = order(Side.SELL, symbol="AAPL", venue=Venue.US, currency=Currency.USD, price=D("200"))
    record = taken(market.submit(sell, now))
    market.step("AAPL", D("207"), D(100), now)
    assert market.orders[record.key].qty_filled == 0, "no trade outside the band"
    market.advance(now + 14 * SECOND)
    assert heard == []
    market.advance(now + 15 * SECOND)
    assert [(e.what, e.until_ns) for e in heard] == [("PAUSE", now + 315 * SECOND)]
    assert refused(market.submit(sell, now + 20 * SECOND)) == "HALTED"
    market.advance(now + 315 * SECOND)
    assert [e.what for e in heard] == ["PAUSE", "RESUMED"]
    assert market.mode_of("AAPL") is Mode.CONTINUOUS


@pytest.mark.req("F-48")
def test_a_price_back_inside_the_band_ends_the_limit_state() -> None:
    market = a_market_with(luld=True, luld_tier1=("AAPL",))
    heard = told(market)
    now = new_york_ns("2025-06-16 10:00")
    market.step("AAPL", D("196.50"), D(1), now)
    market.step("AAPL", D("207"), D(1), now)
    market.step("AAPL", D("197"), D(1), now + 10 * SECOND)
    market.step("AAPL", D("207"), D(1), now + 12 * SECOND)
    market.advance(now + 16 * SECOND)
    assert heard == []
    market.advance(now + 27 * SECOND)
    assert [e.what for e in heard] == ["PAUSE"]


def test_orders_taken_during_a_halt_meet_at_one_price_when_it_ends() -> None:
    market = a_market_with(halt_takes_orders=True)
    market.step(SYMBOL, D(58_000), D(0), TEN, quote_qty=D(0))
    market.halt(SYMBOL, TEN, until_ns=TEN + 60 * SECOND)
    buy = taken(market.submit(order(price=58_500), TEN))
    sell = taken(market.submit(order(Side.SELL, price=57_500), TEN))
    assert market.executions == []
    market.advance(TEN + 60 * SECOND)
    assert {e.price for e in market.executions} == {D(58_000)}
    assert market.orders[buy.key].state is market.orders[sell.key].state is BrokerState.FILLED
