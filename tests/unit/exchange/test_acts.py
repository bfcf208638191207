"""What exchanges, houses and other people do to orders and accounts by themselves."""

from decimal import Decimal

import pytest

from jumun.exchange.market import Market
from jumun.exchange.records import Interrupted, MarketEvent, OrderChanged, OrderRecord, TradeBusted
from jumun.model.errors import BadInput
from jumun.model.instruments import Venue
from jumun.model.orders import Side
from jumun.model.reports import BrokerState
from tests.unit.exchange.builders import ACCOUNT, NOON_NS, PRICE, SYMBOL, a_market, order, refused, taken

D = Decimal
SECOND = 10**9


def filled(market: Market, *, qty: int = 10, volume: int = 100, side: Side = Side.BUY) -> OrderRecord:
    """An order of `qty` at the price, of which `volume` has traded."""
    record = taken(market.submit(order(side, qty=qty), NOON_NS))
    market.step(SYMBOL, PRICE, D(volume), NOON_NS, quote_qty=D(0))
    return market.orders[record.key]


def cash(market: Market) -> Decimal:
    return market.balance_of(ACCOUNT).cash["KRW"]


@pytest.mark.req("F-53", "I-06", "I-30")
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_bust_gives_back_cash_shares_and_costs_to_the_won(side: Side) -> None:
    market = a_market()
    before = market.balance_of(ACCOUNT)
    record = filled(market, side=side)
    heard: list[MarketEvent] = []
    market.listen(heard.extend)
    bust = market.bust(market.executions[0].execution_id, NOON_NS)
    assert market.balance_of(ACCOUNT) == before
    after = market.orders[record.key]
    assert (after.state, after.qty_filled, after.amount_filled) == (BrokerState.CANCELLED, 0, 0)
    assert heard == [TradeBusted(bust=bust)]
    with pytest.raises(BadInput, match="already corrected"):
        market.bust(market.executions[0].execution_id, NOON_NS)


@pytest.mark.req("F-53")
def test_a_corrected_price_moves_the_difference_and_no_shares() -> None:
    market = a_market()
    record = filled(market)
    paid = cash(market)
    bust = market.bust(market.executions[0].execution_id, NOON_NS, price_new=PRICE - 1_000)
    after = market.orders[record.key]
    assert (after.state, after.qty_filled) == (BrokerState.FILLED, 10)
    assert after.amount_filled == 10 * (PRICE - 1_000)
    assert (bust.qty_change, bust.qty, bust.price) == (0, 10, PRICE)
    # 580,000 won cost 81.5 -> 82, 570,000 cost 80.1 -> 80
    assert cash(market) - paid == 10_000 + 2


@pytest.mark.req("F-53", "I-01", "I-33")
def test_shares_taken_back_are_not_worked_again_and_the_rest_lives_on() -> None:
    market = a_market()
    record = filled(market, volume=4)
    market.bust(market.executions[0].execution_id, NOON_NS)
    after = market.orders[record.key]
    assert (after.state, after.qty_filled, after.qty_left) == (BrokerState.WORKING, 0, 6)
    market.step(SYMBOL, PRICE, D(100), NOON_NS)
    ended = market.orders[record.key]
    assert (ended.state, ended.qty_filled) == (BrokerState.CANCELLED, 6)


@pytest.mark.req("F-53")
def test_a_bust_of_shares_that_were_sold_since_is_refused() -> None:
    market = a_market()
    market.open_account("B", cash={"KRW": D(10_000_000)}, now_ns=NOON_NS)
    taken(market.submit(order(account_id="B"), NOON_NS))
    market.step(SYMBOL, PRICE, D(100), NOON_NS, quote_qty=D(0))
    bought = market.executions[0].execution_id
    taken(market.submit(order(Side.SELL, account_id="B", qty=5), NOON_NS))
    market.step(SYMBOL, PRICE, D(100), NOON_NS)
    with pytest.raises(BadInput, match="no longer has"):
        market.bust(bought, NOON_NS)
    assert market.busts == []


@pytest.mark.req("F-52")
def test_a_mass_cancel_ends_every_open_order_with_its_cause() -> None:
    market = a_market()
    market.open_account("B", cash={"KRW": D(10_000_000)}, now_ns=NOON_NS)
    mine = taken(market.submit(order(price=57_000), NOON_NS))
    other = taken(market.submit(order(price=57_000, account_id="B"), NOON_NS))
    assert market.mass_cancel(NOON_NS, account_id=ACCOUNT, text="quote flood") == 1
    assert (market.orders[mine.key].state, market.orders[mine.key].text) == ("CANCELLED", "quote flood")
    assert market.orders[other.key].is_open
    assert market.mass_cancel(NOON_NS, symbol=SYMBOL) == 1
    market.step(SYMBOL, D(57_000), D(100), NOON_NS)
    assert market.executions == []


@pytest.mark.req("F-51", "I-49")
def test_an_accepted_order_may_be_refused_later_and_gives_back_what_it_held() -> None:
    market = a_market()
    market.open_account("B", cash={"KRW": D(600_000)}, now_ns=NOON_NS)
    record = taken(market.submit(order(price=57_000, account_id="B"), NOON_NS))
    assert market.refuse_later(record.key, NOON_NS).state is BrokerState.REJECTED
    assert taken(market.submit(order(price=57_000, account_id="B"), NOON_NS)).is_open
    part = filled(market, volume=4)
    with pytest.raises(BadInput, match="only an unfilled order"):
        market.refuse_later(part.key, NOON_NS)


@pytest.mark.req("F-50", "I-20")
def test_a_cancel_may_be_taken_and_the_order_lives_on() -> None:
    market = a_market()
    record = taken(market.submit(order(price=57_000), NOON_NS))
    market.ignore_cancels(1)
    told = taken(market.cancel(ACCOUNT, record.trade_date, record.branch, record.number, NOON_NS))
    assert told.is_open
    market.step(SYMBOL, D(57_000), D(4), NOON_NS)
    assert market.orders[record.key].qty_filled == 4
    told = taken(market.cancel(ACCOUNT, record.trade_date, record.branch, record.number, NOON_NS))
    assert told.state is BrokerState.CANCELLED, "the second cancel works"


@pytest.mark.req("F-62", "I-01")
def test_an_over_fill_books_more_than_was_ordered() -> None:
    market = a_market()
    record = taken(market.submit(order(price=57_000), NOON_NS))
    before = market.balance_of(ACCOUNT).holdings[SYMBOL]
    execution = market.over_fill(record.key, D(13), D(57_000), NOON_NS)
    after = market.orders[record.key]
    assert (after.state, after.qty, after.qty_filled, after.qty_left) == (BrokerState.FILLED, 10, 13, 0)
    assert execution.qty_cumulative == 13
    assert market.balance_of(ACCOUNT).holdings[SYMBOL] == before + 13
    assert not market.book_of(SYMBOL).resting(Side.BUY)
    with pytest.raises(BadInput, match="has ended"):
        market.over_fill(record.key, D(1), D(57_000), NOON_NS)


@pytest.mark.req("F-62")
def test_an_over_fill_beyond_the_means_of_the_account_is_refused() -> None:
    market = a_market()
    record = taken(market.submit(order(Side.SELL, qty=9_000, price=60_000), NOON_NS))
    with pytest.raises(BadInput, match="means"):
        market.over_fill(record.key, D(10_001), D(60_000), NOON_NS)


@pytest.mark.req("F-54", "I-29")
def test_shares_and_cash_may_appear_and_vanish_without_a_fill() -> None:
    market = a_market()
    before = cash(market)
    market.adjust(ACCOUNT, NOON_NS, holdings={"000660": D(1_000)}, cash={"KRW": D(-5)}, text="ghost shares")
    assert market.balance_of(ACCOUNT).holdings["000660"] == 1_000
    assert cash(market) == before - 5
    taken(market.submit(order(Side.SELL, qty=9_000, price=60_000), NOON_NS))
    with pytest.raises(BadInput, match="free"):
        market.adjust(ACCOUNT, NOON_NS, holdings={SYMBOL: D(-1_001)})


@pytest.mark.req("F-61", "I-48")
def test_buying_power_may_shrink_while_the_balance_stays() -> None:
    market = a_market()
    before = cash(market)
    market.block_cash(ACCOUNT, "KRW", before - 500_000, NOON_NS)
    assert cash(market) == before
    assert refused(market.submit(order(), NOON_NS)) == "CASH"
    market.block_cash(ACCOUNT, "KRW", D(0), NOON_NS)
    assert taken(market.submit(order(), NOON_NS)).is_open


@pytest.mark.req("F-48")
def test_orders_rest_through_a_halt_and_new_ones_are_refused() -> None:
    market = a_market()
    record = taken(market.submit(order(price=57_000), NOON_NS))
    market.halt(SYMBOL, NOON_NS, until_ns=NOON_NS + 60 * SECOND)
    assert refused(market.submit(order(), NOON_NS)) == "HALTED"
    with pytest.raises(BadInput, match="HALTED"):
        market.step(SYMBOL, D(57_000), D(100), NOON_NS + SECOND)
    assert market.orders[record.key].is_open
    told = market.modify(ACCOUNT, record.trade_date, record.branch, record.number, NOON_NS, qty_cut=D(1))
    assert refused(told) == "HALTED"
    taken(market.submit(order(symbol="000660", price=240_000), NOON_NS))
    market.step(SYMBOL, D(57_000), D(100), NOON_NS + 60 * SECOND)
    assert market.orders[record.key].state is BrokerState.FILLED


@pytest.mark.req("F-48")
def test_a_resting_order_can_be_cancelled_during_a_halt() -> None:
    market = a_market()
    record = taken(market.submit(order(price=57_000), NOON_NS))
    market.halt(SYMBOL, NOON_NS)
    ended = taken(market.cancel(ACCOUNT, record.trade_date, record.branch, record.number, NOON_NS))
    assert ended.state is BrokerState.CANCELLED
    market.resume(SYMBOL, NOON_NS)
    with pytest.raises(BadInput, match="not halted"):
        market.resume(SYMBOL, NOON_NS)


@pytest.mark.req("F-48", "F-52")
def test_a_circuit_breaker_stops_the_market_collects_and_goes_on() -> None:
    market = a_market()
    heard: list[Interrupted] = []
    market.listen(lambda events: heard.extend(e for e in events if isinstance(e, Interrupted)))
    resting = taken(market.submit(order(price=57_000), NOON_NS))
    market.break_circuit(Venue.KRX, NOON_NS)
    assert [(told.venue, told.what) for told in heard] == [
        (Venue.KRX, "CIRCUIT_BREAKER"),
        (Venue.NXT, "CIRCUIT_BREAKER"),
    ]
    assert refused(market.submit(order(), NOON_NS + 1_199 * SECOND)) == "HALTED"
    later = NOON_NS + 1_200 * SECOND
    crossing = taken(market.submit(order(Side.SELL, price=57_000), later))
    assert crossing.qty_filled == 0, "orders collect for ten minutes"
    market.advance(NOON_NS + 1_800 * SECOND)
    assert market.orders[crossing.key].state is BrokerState.FILLED
    assert market.orders[resting.key].state is BrokerState.FILLED
    market.break_circuit(Venue.KRX, NOON_NS + 1_900 * SECOND, stage=3)
    assert refused(market.submit(order(), NOON_NS + 7_200 * SECOND)) == "HALTED"


@pytest.mark.req("F-48")
def test_the_third_stage_of_the_breaker_ends_the_day_of_every_order() -> None:
    market = a_market()
    record = taken(market.submit(order(price=57_000), NOON_NS))
    ended: list[OrderRecord] = []
    market.listen(lambda events: ended.extend(e.order for e in events if isinstance(e, OrderChanged)))
    market.break_circuit(Venue.KRX, NOON_NS, stage=3)
    assert [(o.key, o.state) for o in ended] == [(record.key, BrokerState.EXPIRED)]
