"""What the market lets in, what trades, what it costs, and when a day ends."""

from decimal import Decimal

import pytest

from jumun.exchange.market import PrintRefused
from jumun.exchange.records import MarketEvent, OrderChanged, Printed
from jumun.model.errors import BadInput
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reports import BrokerState
from jumun.rules.trading_days import NO_OVERRIDES
from tests.unit.exchange.builders import (
    ACCOUNT,
    NOON_NS,
    PRICE,
    SYMBOL,
    a_market,
    new_york_ns,
    order,
    refused,
    seoul_ns,
    taken,
)

DAY_NS = 86_400 * 10**9
D = Decimal


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("ACCOUNT", {"account_id": "nobody"}),
        ("SYMBOL", {"symbol": "999999"}),
        ("VENUE", {"venue": Venue.NXT}),
        ("CURRENCY", {"currency": Currency.USD}),
        ("KIND", {"tif": TimeInForce.GTC}),
        ("KIND", {"order_type": OrderType.STOP}),
        ("PRICE", {"order_type": OrderType.MARKET}),
        ("PRICE", {"price": -100}),
        ("PRICE", {"price": D("NaN")}),
        ("QTY", {"qty": 0}),
        ("QTY", {"qty": D("1.5")}),
        ("QTY", {"qty": D("Infinity")}),
        ("QTY", {"qty": 10**10}),
        ("TICK", {"price": 58_050}),
        ("BAND", {"price": 75_500}),
        ("BAND", {"price": 40_500}),
        ("CASH", {"qty": 500_000}),
    ],
)
def test_an_impossible_order_is_refused_with_its_reason(code: str, changes: dict[str, object]) -> None:
    market = a_market()
    assert refused(market.submit(order(**changes), NOON_NS)) == code  # type: ignore[arg-type]
    assert [(arrival.refused, arrival.number) for arrival in market.arrivals] == [(code, "")]
    assert market.orders == {}


@pytest.mark.req("I-57")
def test_the_edges_of_the_daily_limits_are_inside() -> None:
    market = a_market()
    assert taken(market.submit(order(price=75_400), NOON_NS)).is_open
    assert taken(market.submit(order(price=40_600), NOON_NS)).is_open


@pytest.mark.req("I-34", "I-35")
def test_shares_promised_to_one_sell_cannot_be_sold_again() -> None:
    market = a_market()
    first = taken(market.submit(order(Side.SELL, qty=9_000, price=60_000), NOON_NS))
    assert refused(market.submit(order(Side.SELL, qty=1_001, price=60_000), NOON_NS)) == "SHARES"
    market.cancel(ACCOUNT, first.trade_date, first.branch, first.number, NOON_NS)
    assert taken(market.submit(order(Side.SELL, qty=10_000, price=60_000), NOON_NS)).is_open


@pytest.mark.req("F-65", "I-33")
def test_a_market_buy_holds_back_cash_at_the_upper_limit_and_fees() -> None:
    market = a_market()
    market.open_account("B", cash={"KRW": D(754_000)}, now_ns=NOON_NS)
    # 10 x 75,400 is all the cash; 106 won of brokerage on top is not there.
    assert refused(market.submit(order(price=None, account_id="B"), NOON_NS)) == "CASH"
    market.open_account("C", cash={"KRW": D(754_106)}, now_ns=NOON_NS)
    assert taken(market.submit(order(price=None, account_id="C"), NOON_NS)).is_open


@pytest.mark.req("I-04", "I-30")
def test_a_sale_in_parts_costs_what_the_whole_order_costs() -> None:
    market = a_market()
    taken(market.submit(order(Side.SELL, qty=3, price=61_000), NOON_NS))
    for volume in (1, 1, 1):
        market.step(SYMBOL, D(61_000), D(volume), NOON_NS)
    paid: dict[str, Decimal] = {}
    for execution in market.executions:
        for kind, amount in execution.costs.items():
            paid[kind] = paid.get(kind, D(0)) + amount
    # 183,000 won, June 2025: brokerage 25.72 -> 26, no transaction tax, rural tax 274.5 -> 274.
    # Fill by fill it would be 3 x 9 and 3 x 91.
    assert paid == {"BROKERAGE": 26, "RURAL_TAX": 274}
    change = market.balance_of(ACCOUNT).cash["KRW"] - D(10_000_000_000)
    assert change == 183_000 - 26 - 274
    assert {execution.settlement_date for execution in market.executions} == {"2025-06-18"}


@pytest.mark.req("I-64", "F-55")
def test_orders_expire_at_the_close_and_numbers_start_again_the_next_day() -> None:
    market = a_market(NO_OVERRIDES, now_ns=seoul_ns("2025-06-16 08:00"))
    first = taken(market.submit(order(), seoul_ns("2025-06-16 10:00")))
    market.advance(seoul_ns("2025-06-16 15:29"))
    assert market.orders[first.key].is_open
    heard: list[MarketEvent] = []
    market.listen(heard.extend)
    market.advance(seoul_ns("2025-06-16 15:30"))
    assert market.orders[first.key].state is BrokerState.EXPIRED
    assert [type(event) for event in heard] == [OrderChanged]
    assert refused(market.submit(order(), seoul_ns("2025-06-16 15:45"))) == "CLOSED"
    second = taken(market.submit(order(), seoul_ns("2025-06-17 10:00")))
    assert (first.number, second.number) == ("0000000001", "0000000001")
    assert first.key != second.key


def test_an_order_before_the_open_rests_and_trades_at_the_opening_print() -> None:
    market = a_market(NO_OVERRIDES, now_ns=seoul_ns("2025-06-16 08:00"))
    early = taken(market.submit(order(price=59_000), seoul_ns("2025-06-16 08:45")))
    assert refused(market.submit(order(tif=TimeInForce.IOC), seoul_ns("2025-06-16 08:46"))) == "KIND"
    market.step(SYMBOL, D(58_200), D(100), seoul_ns("2025-06-16 09:00"))
    assert market.orders[early.key].amount_filled == 10 * 58_200, "the auction's price, not the limit"


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        ("2025-06-16 08:29", "CLOSED"),
        ("2025-06-16 16:30", "CLOSED"),
        ("2025-06-14 10:00", "CLOSED"),
        ("2031-01-02 10:00", "TABLE"),
    ],
)
@pytest.mark.req("F-93", "I-53")
def test_nothing_is_taken_outside_the_session_or_beyond_the_calendar(moment: str, code: str) -> None:
    market = a_market(NO_OVERRIDES, now_ns=seoul_ns("2025-06-13 08:00"))
    assert refused(market.submit(order(), seoul_ns(moment))) == code


def test_a_day_without_a_cost_table_is_refused_because_its_fill_could_not_be_booked() -> None:
    market = a_market(now_ns=seoul_ns("2026-12-30 10:00"))
    sell = order(Side.SELL)
    assert refused(market.submit(sell, seoul_ns("2026-12-30 10:00"))) == "TABLE", "settles in 2027"


def test_an_immediate_order_takes_what_is_there_and_a_fill_or_kill_all_or_nothing() -> None:
    market = a_market()
    market.step(SYMBOL, PRICE, D(0), NOON_NS, quote_qty=D(4))
    killed = taken(market.submit(order(price=PRICE + 100, tif=TimeInForce.FOK), NOON_NS))
    assert (killed.state, killed.qty_filled) == (BrokerState.CANCELLED, D(0))
    taken_part = taken(market.submit(order(price=PRICE + 100, tif=TimeInForce.IOC), NOON_NS))
    assert (taken_part.state, taken_part.qty_filled) == (BrokerState.CANCELLED, D(4))
    market.step(SYMBOL, PRICE, D(0), NOON_NS, quote_qty=D(10))
    whole = taken(market.submit(order(price=PRICE + 100, tif=TimeInForce.FOK), NOON_NS))
    assert whole.state is BrokerState.FILLED


def test_a_market_order_that_empties_the_quotes_waits_in_front_for_the_next_print() -> None:
    market = a_market()
    market.step(SYMBOL, PRICE, D(0), NOON_NS, quote_qty=D(4))
    record = taken(market.submit(order(price=None), NOON_NS))
    assert (record.state, record.qty_filled) == (BrokerState.WORKING, D(4))
    market.step(SYMBOL, PRICE + 500, D(100), NOON_NS)
    assert market.orders[record.key].amount_filled == 4 * (PRICE + 100) + 6 * (PRICE + 500)


@pytest.mark.parametrize(
    ("symbol", "price", "moment"),
    [
        (SYMBOL, "58050", "2025-06-16 10:00"),
        (SYMBOL, "75500", "2025-06-16 10:00"),
        (SYMBOL, "0", "2025-06-16 10:00"),
        (SYMBOL, "NaN", "2025-06-16 10:00"),
        (SYMBOL, "58000", "2025-06-16 17:00"),
    ],
)
def test_the_market_cannot_print_what_no_exchange_could(symbol: str, price: str, moment: str) -> None:
    market = a_market(NO_OVERRIDES, now_ns=seoul_ns("2025-06-16 08:00"))
    with pytest.raises(PrintRefused):
        market.step(symbol, D(price), D(1), seoul_ns(moment))


def test_the_limits_of_a_day_count_from_the_close_before_unless_set() -> None:
    market = a_market()
    market.step(SYMBOL, D(60_000), D(1), NOON_NS)
    assert market.base_of(SYMBOL, "2025-06-16") == PRICE
    assert market.base_of(SYMBOL, "2025-06-17") == 60_000
    market.step(SYMBOL, D(61_000), D(1), NOON_NS + DAY_NS)
    assert market.base_of(SYMBOL, "2025-06-17") == 60_000
    market.set_base(SYMBOL, "2025-06-17", D(30_000))
    assert market.base_of(SYMBOL, "2025-06-17") == 30_000


def test_the_clock_of_the_market_never_goes_back() -> None:
    market = a_market()
    market.step(SYMBOL, PRICE, D(1), NOON_NS)
    record = taken(market.submit(order(), NOON_NS - DAY_NS))
    assert record.ts_accepted_ns == NOON_NS


def test_us_shares_trade_in_dollars_with_a_collar_for_market_orders() -> None:
    market = a_market(NO_OVERRIDES, now_ns=new_york_ns("2025-06-16 09:00"))
    now = new_york_ns("2025-06-16 10:00")
    market.step("AAPL", D("196.50"), D(10), now)
    buy = order(price=None, symbol="AAPL", venue=Venue.US, currency=Currency.USD, qty=3)
    record = taken(market.submit(buy, now))
    assert (record.state, record.amount_filled) == (BrokerState.FILLED, 3 * D("196.51"))
    assert market.executions[0].costs == {"BROKERAGE": D("1.47")}
    assert market.executions[0].settlement_date == "2025-06-17"


def test_an_order_of_another_account_cannot_be_cancelled() -> None:
    market = a_market()
    market.open_account("B", cash={}, now_ns=NOON_NS)
    record = taken(market.submit(order(), NOON_NS))
    assert (
        refused(market.cancel("B", record.trade_date, record.branch, record.number, NOON_NS)) == "NOT_FOUND"
    )


def test_questions_about_unknown_things_are_refused() -> None:
    market = a_market()
    with pytest.raises(BadInput):
        market.balance_of("nobody")
    with pytest.raises(BadInput):
        market.open_account(ACCOUNT, cash={}, now_ns=NOON_NS)
    with pytest.raises(BadInput):
        market.set_base(SYMBOL, "2025-06-16", D(0))
    assert market.quote("999999") is None


def test_prints_are_told_with_the_base_of_their_day() -> None:
    market = a_market()
    heard: list[MarketEvent] = []
    stop = market.listen(heard.extend)
    market.step(SYMBOL, PRICE, D(7), NOON_NS)
    stop()
    market.step(SYMBOL, PRICE, D(8), NOON_NS)
    assert heard == [Printed(symbol=SYMBOL, price=PRICE, volume=D(7), base=PRICE, ts_ns=NOON_NS)]
    quote = market.quote(SYMBOL)
    assert quote is not None
    assert (quote.last, quote.base) == (PRICE, PRICE)
