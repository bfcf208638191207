"""The day beside the regular session: close-price sessions, ten-minute auctions, the evening, and NXT."""

from decimal import Decimal
from typing import Any

import pytest

from jumun.exchange.market import Market, PrintRefused
from jumun.exchange.records import NewOrder
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.model.reports import BrokerState
from tests.unit.exchange.builders import SYMBOL, a_market_with, order, refused, seoul_ns, taken

D = Decimal
BEFORE, AFTER = TradingSession.CLOSE_BEFORE, TradingSession.CLOSE_AFTER
SINGLE, EVENING, PRE = TradingSession.SINGLE_PRICE, TradingSession.AFTER_MARKET, TradingSession.PRE_MARKET
ALL = tuple(session for session in TradingSession if session is not TradingSession.REGULAR)
MINUTE = 60 * 10**9


def at(time: str, day: str = "2025-06-16") -> int:
    return seoul_ns(f"{day} {time}")


def a_day(**switches: Any) -> Market:
    return a_market_with(sessions=ALL, **switches)


def nxt(
    side: Side = Side.BUY, *, price: int = 58_000, session: TradingSession = TradingSession.REGULAR
) -> NewOrder:
    return order(side, price=price, venue=Venue.NXT, session=session)


@pytest.mark.parametrize("session", ALL)
def test_a_market_runs_no_session_that_is_not_switched_on(session: TradingSession) -> None:
    market = a_market_with()
    assert refused(market.submit(order(session=session), at("10:00"))) == "SESSION"


@pytest.mark.parametrize(
    ("session", "time", "code"),
    [
        (BEFORE, "08:29", "CLOSED"),
        (BEFORE, "08:40", "CLOSED"),
        (AFTER, "15:29", "CLOSED"),
        (AFTER, "16:00", "CLOSED"),
        (SINGLE, "15:59", "CLOSED"),
        (SINGLE, "18:00", "CLOSED"),
        (EVENING, "17:00", "CLOSED"),
        (TradingSession.REGULAR, "15:45", "CLOSED"),
    ],
)
@pytest.mark.req("I-57")
def test_each_session_takes_orders_in_its_own_hours_only(
    session: TradingSession, time: str, code: str
) -> None:
    assert refused(a_day().submit(order(session=session), at(time))) == code


def test_before_the_open_shares_trade_at_the_close_of_the_day_before_only() -> None:
    market = a_day()
    now = at("08:31")
    assert refused(market.submit(order(price=58_100, session=BEFORE), now)) == "PRICE"
    assert refused(market.submit(order(tif=TimeInForce.IOC, session=BEFORE), now)) == "KIND"
    buy = taken(market.submit(order(session=BEFORE), now))
    sell = taken(market.submit(order(Side.SELL, qty=4, price=None, session=BEFORE), now))
    assert market.orders[sell.key].amount_filled == 4 * 58_000
    auction = taken(market.submit(order(Side.SELL, price=57_000), now))
    assert auction.qty_filled == 0, "the opening auction is another book"
    with pytest.raises(PrintRefused, match="58000"):
        market.step(SYMBOL, D(58_100), D(3), now, session=BEFORE)
    market.step(SYMBOL, D(58_000), D(3), now, session=BEFORE)
    assert market.orders[buy.key].qty_filled == 7
    market.advance(at("08:40"))
    assert market.orders[buy.key].state is BrokerState.EXPIRED


def test_after_the_close_orders_collect_and_trade_at_the_days_close_from_1540() -> None:
    market = a_day()
    market.step(SYMBOL, D(58_700), D(1), at("15:29"))
    buy = taken(market.submit(order(price=None, session=AFTER), at("15:31")))
    sell = taken(market.submit(order(Side.SELL, qty=4, price=58_700, session=AFTER), at("15:32")))
    assert market.executions == []
    with pytest.raises(PrintRefused):
        market.step(SYMBOL, D(58_700), D(1), at("15:33"))
    market.advance(at("15:40"))
    assert (market.orders[sell.key].state, market.orders[buy.key].amount_filled) == ("FILLED", 4 * 58_700)
    market.step(SYMBOL, D(58_700), D(2), at("15:41"))
    assert market.orders[buy.key].qty_filled == 6
    assert market.base_of(SYMBOL, "2025-06-17") == 58_700


def test_until_the_reform_the_evening_is_an_auction_every_ten_minutes_within_ten_percent() -> None:
    market = a_day()
    market.step(SYMBOL, D(58_000), D(1), at("15:29"))
    assert refused(market.submit(order(price=63_900, session=SINGLE), at("16:01"))) == "BAND"
    assert refused(market.submit(order(price=None, session=SINGLE), at("16:01"))) == "KIND"
    buy = taken(market.submit(order(price=58_500, session=SINGLE), at("16:01")))
    market.step(SYMBOL, D(58_400), D(6), at("16:05"))
    assert market.executions == []
    market.advance(at("16:10"))
    assert market.orders[buy.key].amount_filled == 6 * 58_500
    assert market.executions[0].ts_ns == at("16:10")
    market.step(SYMBOL, D(58_500), D(6), at("16:15"))
    market.advance(at("16:20"))
    assert market.orders[buy.key].state is BrokerState.FILLED
    assert market.base_of(SYMBOL, "2025-06-17") == 58_000, "the evening makes no close"


REFORM = "2026-09-14"


def test_since_the_reform_the_evening_is_continuous_and_takes_limits_only() -> None:
    market = a_day()
    market.set_base(SYMBOL, REFORM, D(58_000))
    market.step(SYMBOL, D(58_000), D(1), at("15:29", REFORM))
    assert refused(market.submit(order(session=SINGLE), at("16:30", REFORM))) == "CLOSED"
    assert refused(market.submit(order(price=None, session=EVENING), at("16:30", REFORM))) == "KIND"
    fund = order(symbol="069500", price=38_500, session=EVENING)
    assert refused(market.submit(fund, at("16:30", REFORM))) == "SESSION"
    buy = taken(market.submit(order(price=58_500, session=EVENING), at("16:30", REFORM)))
    market.step(SYMBOL, D(58_200), D(4), at("18:30", REFORM))
    assert market.orders[buy.key].amount_filled == 4 * 58_500
    quote = market.quote(SYMBOL)
    assert quote is not None
    assert quote.last == 58_200
    assert market.base_of(SYMBOL, "2026-09-15") == 58_000, "nor is the evening's last price the next base"
    market.advance(at("20:00", REFORM))
    assert market.orders[buy.key].state is BrokerState.EXPIRED


def test_nxt_is_another_book_beside_krx_with_the_same_account() -> None:
    market = a_day()
    now = at("10:00")
    there = taken(market.submit(nxt(), now))
    here = taken(market.submit(order(Side.SELL, price=57_000), now))
    assert (market.orders[there.key].qty_filled, here.qty_filled) == (0, 0)
    market.step(SYMBOL, D(57_900), D(4), now, venue=Venue.NXT)
    assert (market.orders[there.key].qty_filled, market.orders[here.key].qty_filled) == (4, 0)
    quote = market.quote(SYMBOL)
    assert quote is not None
    assert quote.last is None, "a print at NXT is not the price at home"
    assert len(market.orders_of("A", "2025-06-16")) == 2
    assert refused(market.submit(order(symbol="000660", price=240_000, venue=Venue.NXT), now)) == "VENUE"
    assert refused(market.submit(order(price=None, venue=Venue.NXT), now)) == "KIND"


@pytest.mark.req("F-56", "I-20")
def test_a_regular_order_at_nxt_lives_on_into_the_evening_and_one_for_the_pre_market_does_not() -> None:
    market = a_day()
    short = taken(market.submit(nxt(price=57_000, session=PRE), at("08:10")))
    long = taken(market.submit(nxt(price=57_000), at("08:10")))
    market.advance(at("08:50"))
    assert market.orders[short.key].state is BrokerState.EXPIRED
    assert refused(market.submit(nxt(), at("08:55"))) == "CLOSED"
    krx = taken(market.submit(order(price=57_000), at("10:00")))
    market.advance(at("15:35"))
    assert market.orders[krx.key].state is BrokerState.EXPIRED
    assert market.orders[long.key].is_open
    market.step(SYMBOL, D(57_000), D(100), at("19:00"), venue=Venue.NXT)
    assert market.orders[long.key].state is BrokerState.FILLED


@pytest.mark.req("F-56")
def test_what_is_left_at_nxt_expires_at_the_end_of_its_evening() -> None:
    market = a_day()
    record = taken(market.submit(nxt(price=57_000), at("10:00")))
    market.advance(at("19:59"))
    assert market.orders[record.key].is_open
    market.advance(at("20:00"))
    assert market.orders[record.key].state is BrokerState.EXPIRED


def test_no_pre_market_at_nxt_on_a_late_day() -> None:
    market = a_day()
    day = "2025-11-13"
    market.set_base(SYMBOL, day, D(58_000))
    assert refused(market.submit(nxt(session=PRE), at("08:10", day))) == "CLOSED"


def test_a_halt_at_home_stops_nxt_as_well() -> None:
    market = a_day()
    market.halt(SYMBOL, at("10:00"))
    assert refused(market.submit(nxt(), at("10:01"))) == "HALTED"


def test_an_exchange_may_hold_stops_until_their_price_is_printed() -> None:
    market = a_market_with(holds_stops=True)
    now = at("10:00")
    market.step(SYMBOL, D(58_000), D(1), now)
    stop = order(Side.SELL, price=None, order_type=OrderType.STOP, stop_price=57_500)
    record = taken(market.submit(stop, now))
    limit = order(price=58_600, order_type=OrderType.STOP_LIMIT, stop_price=58_500)
    buy = taken(market.submit(limit, now))
    market.step(SYMBOL, D(57_600), D(100), now)
    assert market.executions == []
    market.step(SYMBOL, D(57_500), D(0), now)
    market.step(SYMBOL, D(57_400), D(100), now)
    assert (market.orders[record.key].state, market.orders[buy.key].qty_filled) == ("FILLED", 0)
    ended = taken(market.cancel("A", buy.trade_date, buy.branch, buy.number, now))
    assert ended.state is BrokerState.CANCELLED
    market.step(SYMBOL, D(58_500), D(100), now)
    assert len({e.number for e in market.executions}) == 1
    assert refused(market.submit(order(order_type=OrderType.STOP, price=None), now)) == "PRICE"


def test_an_exchange_may_carry_orders_from_day_to_day() -> None:
    market = a_market_with(carries_orders=True)
    forever = taken(market.submit(order(price=57_000, tif=TimeInForce.GTC), at("10:00")))
    dated = taken(
        market.submit(order(price=57_000, tif=TimeInForce.GTD, good_till="2025-06-17"), at("10:00"))
    )
    past = order(price=57_000, tif=TimeInForce.GTD, good_till="2025-06-13")
    assert refused(market.submit(past, at("10:00"))) == "KIND"
    market.advance(at("10:00", "2025-06-17"))
    assert market.orders[forever.key].is_open
    assert market.orders[dated.key].is_open
    market.advance(at("15:30", "2025-06-17"))
    assert market.orders[dated.key].state is BrokerState.EXPIRED
    market.step(SYMBOL, D(57_000), D(100), at("10:00", "2025-06-18"))
    assert market.orders[forever.key].state is BrokerState.FILLED
