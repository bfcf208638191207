"""GENERATED prices reach every session and venue that is open, so an order there can fill."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.exchange.market import Market
from jumun.exchange.sample_world import whole_day_world
from jumun.model.instruments import Venue
from jumun.model.orders import TradingSession
from jumun.model.reports import BrokerState
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.simulators.exchange_process import ExchangeServer, PriceDriver
from tests.unit.exchange.builders import ACCOUNT, order, seoul_ns, taken

D = Decimal
SESSION = TradingSession
EVENING = "2026-09-14"  # the first with continuous trading at KRX


class Clock:
    """The exchange's clock, set by hand."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


def a_driven_market(now: str, **switches: Any) -> tuple[Market, PriceDriver, Clock]:
    market = Market(replace(whole_day_world(NO_OVERRIDES), **switches))
    clock = Clock(seoul_ns(now))
    market.open_account(ACCOUNT, cash={"KRW": D(10**9), "USD": D(10**6)}, now_ns=clock.now_ns)
    return market, PriceDriver(ExchangeServer(market, None, clock), seed=1), clock


@pytest.mark.parametrize(
    ("now", "venue", "session"),
    [
        ("2025-06-16 08:31", Venue.KRX, SESSION.CLOSE_BEFORE),
        ("2025-06-16 10:00", Venue.KRX, SESSION.REGULAR),
        ("2025-06-16 15:45", Venue.KRX, SESSION.CLOSE_AFTER),
        (f"{EVENING} 16:30", Venue.KRX, SESSION.AFTER_MARKET),
        ("2025-06-16 08:10", Venue.NXT, SESSION.PRE_MARKET),
        ("2025-06-16 10:00", Venue.NXT, SESSION.REGULAR),
        ("2025-06-16 17:00", Venue.NXT, SESSION.AFTER_MARKET),
    ],
)
def test_an_order_at_the_market_fills_in_every_session_and_at_both_venues(
    now: str, venue: Venue, session: TradingSession
) -> None:
    market, driver, clock = a_driven_market(now)
    fixed = session in (SESSION.CLOSE_BEFORE, SESSION.CLOSE_AFTER)
    asked = order(price=58_000 if fixed else 62_000, qty=1, venue=venue, session=session)
    record = taken(market.submit(asked, clock.now_ns))
    for _ in range(len(market.world.instruments)):
        clock.now_ns += 10**9
        driver.step()
    assert market.orders[record.key].state is BrokerState.FILLED


def test_an_auction_that_collects_is_offered_into_and_a_closed_market_prints_nothing() -> None:
    market, driver, clock = a_driven_market("2025-06-16 08:45", call_auctions=True)
    record = taken(market.submit(order(price=62_000, qty=1), clock.now_ns))
    for _ in range(40):
        driver.step()
    assert market.executions == []
    market.advance(seoul_ns("2025-06-16 09:00"))
    assert market.orders[record.key].state is BrokerState.FILLED
    closed, idle, _ = a_driven_market("2025-06-14 10:00")  # a Saturday
    for _ in range(20):
        idle.step()
    assert all(closed.quote(issue.symbol).last is None for issue in closed.world.instruments)  # type: ignore[union-attr]


def test_without_call_auctions_nothing_is_printed_before_the_opening() -> None:
    market, driver, clock = a_driven_market("2025-06-16 08:45")
    record = taken(market.submit(order(price=62_000, qty=1), clock.now_ns))
    for _ in range(40):
        driver.step()
    assert market.orders[record.key].is_open
