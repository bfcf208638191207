"""Call auctions: how the one price is found, who trades at it, and when."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.exchange.auction import Clearing, clearing
from jumun.exchange.market import Market
from jumun.exchange.order_book import BookOrder
from jumun.exchange.records import OrderRecord, Printed
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reports import BrokerState
from tests.unit.exchange.builders import (
    ACCOUNT,
    PRICE,
    SYMBOL,
    a_market_with,
    new_york_ns,
    order,
    refused,
    seoul_ns,
    taken,
)

D = Decimal
EARLY = seoul_ns("2025-06-16 08:45")
OPEN = seoul_ns("2025-06-16 09:00")
LATE = seoul_ns("2025-06-16 15:25")
CLOSE = seoul_ns("2025-06-16 15:30")
SECOND = 10**9


def entry(side: Side, qty: int, price: int | None) -> BookOrder:
    worst = None if price is None else D(price)
    return BookOrder(key="k", side=side, price=worst, worst=worst, qty_left=D(qty))


def clear(buys: list[tuple[int, int | None]], sells: list[tuple[int, int | None]], last: int) -> object:
    return clearing(
        [entry(Side.BUY, qty, price) for qty, price in buys],
        [entry(Side.SELL, qty, price) for qty, price in sells],
        D(last),
    )


def test_the_price_at_which_most_can_trade_wins() -> None:
    found = clear([(10, 103), (10, 101)], [(5, 99), (15, 101)], 90)
    assert found == Clearing(price=D(101), volume=D(20), surplus=D(0))


def test_of_equal_volumes_the_smaller_surplus_wins() -> None:
    found = clear([(10, 103), (5, 100)], [(10, 99)], 90)
    assert found == Clearing(price=D(103), volume=D(10), surplus=D(0))


def test_of_equal_surplus_the_price_nearest_to_the_last_wins() -> None:
    assert clear([(10, 105)], [(10, 95)], 97) == Clearing(price=D(97), volume=D(10), surplus=D(0))
    assert clear([(10, 105)], [(10, 95)], 200) == Clearing(price=D(105), volume=D(10), surplus=D(0))


def test_market_orders_trade_at_any_price_and_meet_at_the_last() -> None:
    assert clear([(10, None)], [(4, None)], 97) == Clearing(price=D(97), volume=D(4), surplus=D(6))
    assert clear([(10, 94)], [(10, 95)], 97) is None


ORDERS = st.lists(st.tuples(st.integers(1, 20), st.none() | st.integers(95, 105)), max_size=8)


@given(buys=ORDERS, sells=ORDERS, last=st.integers(90, 110))
def test_no_price_would_have_traded_more(
    buys: list[tuple[int, int | None]], sells: list[tuple[int, int | None]], last: int
) -> None:
    def volume(price: int) -> int:
        wanted = sum(qty for qty, limit in buys if limit is None or limit >= price)
        return min(wanted, sum(qty for qty, limit in sells if limit is None or limit <= price))

    best = max(volume(price) for price in range(80, 120))
    found = clear(buys, sells, last)
    assert (0 if found is None else found.volume) == best  # type: ignore[attr-defined]
    if found is not None:
        assert volume(int(found.price)) == best  # type: ignore[attr-defined]


def prices_of(market: Market, record: OrderRecord) -> set[Decimal]:
    return {execution.price for execution in market.executions_of(record.key)}


def test_an_opening_auction_collects_and_clears_at_one_price_when_its_time_is_over() -> None:
    market = a_market_with(call_auctions=True)
    high = taken(market.submit(order(qty=10, price=59_000), EARLY))
    low = taken(market.submit(order(qty=10, price=57_000), EARLY))
    sell = taken(market.submit(order(Side.SELL, qty=6, price=56_000), EARLY))
    assert market.executions == []
    assert market.indicative(SYMBOL) == Clearing(price=D(58_000), volume=D(6), surplus=D(4))
    printed: list[Printed] = []
    market.listen(lambda events: printed.extend(e for e in events if isinstance(e, Printed)))
    market.advance(OPEN)
    assert (market.orders[sell.key].state, market.orders[high.key].qty_filled) == (BrokerState.FILLED, 6)
    assert market.orders[low.key].qty_filled == 0
    assert prices_of(market, sell) == prices_of(market, high) == {D(58_000)}
    assert [(p.price, p.volume, p.ts_ns) for p in printed] == [(58_000, 6, OPEN)]
    market.step(SYMBOL, D(57_000), D(100), OPEN + SECOND)
    assert market.orders[low.key].amount_filled == 10 * 57_000, "the rest goes on as an ordinary order"


def test_the_background_takes_part_in_an_auction_with_the_volume_of_the_print() -> None:
    market = a_market_with(call_auctions=True)
    first = taken(market.submit(order(qty=10, price=59_000), EARLY))
    second = taken(market.submit(order(qty=10, price=58_500), EARLY))
    market.step(SYMBOL, D(58_200), D(15), EARLY + SECOND)
    assert market.executions == []
    market.advance(OPEN)
    assert (market.orders[first.key].qty_filled, market.orders[second.key].qty_filled) == (10, 5)
    assert prices_of(market, first) == {D(58_500)}, "the price that leaves the smallest surplus"


def test_a_closing_auction_includes_what_rested_and_expires_the_rest() -> None:
    market = a_market_with(call_auctions=True)
    resting = taken(market.submit(order(qty=10, price=57_900), seoul_ns("2025-06-16 14:00")))
    away = taken(market.submit(order(qty=10, price=50_000), seoul_ns("2025-06-16 14:00")))
    sell = taken(market.submit(order(Side.SELL, qty=4, price=None), LATE))
    assert refused(market.submit(order(tif=TimeInForce.IOC), LATE)) == "KIND"
    market.advance(CLOSE)
    assert prices_of(market, sell) == {D(57_900)}
    assert (market.orders[resting.key].qty_filled, market.orders[resting.key].state) == (4, "EXPIRED")
    assert market.orders[away.key].state is BrokerState.EXPIRED
    assert market.base_of(SYMBOL, "2025-06-17") == 57_900, "the auction's price is the close"


def test_an_auction_may_end_late_and_as_late_again_in_a_replay() -> None:
    def end_of(seed: int) -> int:
        market = a_market_with(call_auctions=True, random_end_s=30, random_end_seed=seed)
        taken(market.submit(order(qty=10, price=59_000), EARLY))
        taken(market.submit(order(Side.SELL, qty=10, price=58_000), EARLY))
        market.advance(OPEN + 60 * SECOND)
        return market.executions[0].ts_ns - OPEN

    ends = [end_of(seed) for seed in range(8)]
    assert ends == [end_of(seed) for seed in range(8)]
    assert len(set(ends)) > 1
    assert all(0 <= end <= 30 * SECOND for end in ends)


def test_orders_of_a_late_closing_auction_live_until_it_clears() -> None:
    market = a_market_with(call_auctions=True, random_end_s=30, random_end_seed=3)
    buy = taken(market.submit(order(qty=10, price=58_000), LATE))
    taken(market.submit(order(Side.SELL, qty=4, price=58_000), LATE))
    market.advance(CLOSE)
    assert market.orders[buy.key].state is BrokerState.WORKING
    market.advance(CLOSE + 31 * SECOND)
    assert (market.orders[buy.key].state, market.orders[buy.key].qty_filled) == (BrokerState.EXPIRED, 4)


def us(kind: OrderType, side: Side = Side.BUY, price: str | None = None, qty: int = 10) -> object:
    return order(
        side,
        qty=qty,
        symbol="AAPL",
        venue=Venue.US,
        currency=Currency.USD,
        order_type=kind,
        price=None if price is None else D(price),
    )


@pytest.mark.parametrize(
    ("kind", "price", "moment", "code"),
    [
        (OrderType.MOO, None, "2025-06-16 09:28", "TOO_LATE"),
        (OrderType.LOO, "200", "2025-06-16 03:59", "TOO_LATE"),
        (OrderType.MOC, None, "2025-06-16 15:50", "TOO_LATE"),
        (OrderType.LOC, "200", "2025-06-16 09:29", "TOO_LATE"),
        (OrderType.LOC, None, "2025-06-16 12:00", "PRICE"),
        (OrderType.LOC, "200", "2025-07-03 12:50", "TOO_LATE"),
    ],
)
def test_orders_for_one_auction_are_taken_until_its_cut_off(
    kind: OrderType, price: str | None, moment: str, code: str
) -> None:
    market = a_market_with()
    assert refused(market.submit(us(kind, price=price), new_york_ns(moment))) == code  # type: ignore[arg-type]


@pytest.mark.parametrize("call_auctions", [False, True])
def test_orders_for_the_open_trade_at_its_price_or_die(call_auctions: bool) -> None:
    market = a_market_with(call_auctions=call_auctions)
    early = new_york_ns("2025-06-16 09:00")
    at_any = taken(market.submit(us(OrderType.MOO), early))  # type: ignore[arg-type]
    limited = taken(market.submit(us(OrderType.LOO, price="190"), early))  # type: ignore[arg-type]
    if call_auctions:
        market.offer("AAPL", D("196.50"), D(100), early)
        market.advance(new_york_ns("2025-06-16 09:30"))
    else:
        market.step("AAPL", D("196.50"), D(100), new_york_ns("2025-06-16 09:30"))
    assert market.orders[at_any.key].amount_filled == 10 * D("196.50")
    assert market.orders[limited.key].state is BrokerState.EXPIRED


def test_orders_for_the_close_wait_outside_the_book_and_trade_at_the_close() -> None:
    market = a_market_with()
    noon, close = new_york_ns("2025-06-16 12:00"), new_york_ns("2025-06-16 16:00")
    moc = taken(market.submit(us(OrderType.MOC), noon))  # type: ignore[arg-type]
    loc = taken(market.submit(us(OrderType.LOC, price="190"), noon))  # type: ignore[arg-type]
    market.step("AAPL", D("196.50"), D(100), noon)
    assert market.executions == []
    market.offer("AAPL", D("197.00"), D(100), noon)
    frozen = new_york_ns("2025-06-16 15:50")
    assert refused(market.cancel(ACCOUNT, moc.trade_date, moc.branch, moc.number, frozen)) == "TOO_LATE"
    market.advance(close)
    assert market.orders[moc.key].amount_filled == 10 * 197
    assert market.executions[0].trade_date == "2025-06-16"
    assert market.orders[loc.key].state is BrokerState.EXPIRED
    assert market.base_of("AAPL", "2025-06-17") == 197


def test_an_order_for_the_close_may_be_cancelled_before_the_cut_off() -> None:
    market = a_market_with()
    noon = new_york_ns("2025-06-16 12:00")
    moc = taken(market.submit(us(OrderType.MOC), noon))  # type: ignore[arg-type]
    ended = taken(market.cancel(ACCOUNT, moc.trade_date, moc.branch, moc.number, noon))
    assert ended.state is BrokerState.CANCELLED
    market.offer("AAPL", D("197.00"), D(100), noon)
    market.advance(new_york_ns("2025-06-16 16:00"))
    assert market.executions == []


def test_market_orders_of_both_sides_meet_at_the_base_in_the_first_auction() -> None:
    market = a_market_with(call_auctions=True)
    buy = taken(market.submit(order(price=None), EARLY))
    taken(market.submit(order(Side.SELL, price=None), EARLY))
    market.advance(OPEN)
    assert prices_of(market, buy) == {PRICE}
