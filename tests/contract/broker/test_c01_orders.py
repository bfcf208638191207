"""C-01 to C-19: new orders, their refusals and their fills, alike at every broker."""

from decimal import Decimal

import pytest

from jumun.brokers.kis.whereabouts import place_told
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.model.reports import (
    Accepted,
    BrokerState,
    FillNotice,
    NotSent,
    OrderReport,
    Rejected,
    SubmitRequest,
)
from tests.contract.broker.cases import DIFFERS, NOTHING_SENT, case, declined, takes
from tests.contract.broker.places import QTY, SHARES, TODAY
from tests.contract.broker.stands import Stand, no, yes


@case("C-01", "an order is accepted once, with a number of its own, is announced and is in the list")
@pytest.mark.req("I-07")
async def test_c01_an_order_is_accepted_once_and_the_list_shows_it(stand: Stand) -> None:
    outcome = await stand.broker.submit(stand.order(), yes)
    assert isinstance(outcome, Accepted)
    assert (outcome.ref.trade_date, outcome.ref.number) == (TODAY, "0000000001")
    assert outcome.raw
    told = await stand.heard.state(outcome.ref, "WORKING")
    listed = await stand.listed(outcome.ref)
    for report in (told, listed):
        assert (report.symbol, report.side, report.qty) == (stand.place.symbol, Side.BUY, QTY)
        assert (report.price, report.qty_filled, report.venue) == (stand.place.low, 0, stand.place.venue)
    assert listed.state is BrokerState.WORKING
    (arrival,) = stand.arrivals
    assert arrival.order.tag == "order-1/1" or not arrival.order.tag, "real wires carry no tag"
    assert "order-1" not in listed.raw, "a broker that carries no reference must not leak ours"


async def _rejected(stand: Stand, request: SubmitRequest, word: str) -> None:
    outcome = await stand.broker.submit(request, yes)
    assert isinstance(outcome, Rejected), outcome
    assert outcome.code
    assert word in f"{outcome.code} {outcome.text} {outcome.raw}", outcome
    assert await stand.history() == ()
    assert not [one for one in stand.heard.reports if isinstance(one, FillNotice)]


@case("C-02", "more than the cash can pay for is rejected with the reason")
@pytest.mark.req("F-07", "I-57")
async def test_c02_more_than_the_cash_pays_for_is_rejected(stand: Stand) -> None:
    await _rejected(stand, stand.order(qty=100_000), "CASH")


@case("C-03", "more shares than are held are not sold, with the reason")
@pytest.mark.req("F-07", "I-57")
async def test_c03_shares_that_nobody_holds_are_not_sold(stand: Stand) -> None:
    await _rejected(stand, stand.order(side=Side.SELL, qty=SHARES + 1), "SHARES")


@case("C-04", "a price off the tick is rejected with the reason")
@pytest.mark.req("F-07", "I-57")
async def test_c04_a_price_off_the_tick_is_rejected(stand: Stand) -> None:
    await _rejected(stand, stand.order(price=stand.place.price + stand.place.tick / 10), "TICK")


@case("C-05", "a price outside the day's limits is rejected with the reason")
@pytest.mark.req("F-07", "I-57")
async def test_c05_a_price_outside_the_days_limits_is_rejected(stand: Stand) -> None:
    request = stand.order(side=Side.SELL, price=stand.place.price * 2)
    if stand.name not in DIFFERS["C-05"]:
        await _rejected(stand, request, "BAND")
    else:
        order = await stand.accepted(request)
        assert (await stand.listed(order.ref)).state is BrokerState.WORKING


@case("C-06", "a kind the broker does not take is refused here and never sent")
async def test_c06_a_kind_the_broker_does_not_take_never_leaves(stand: Stand) -> None:
    assert not takes(stand, OrderType.LIMIT, TimeInForce.GTC)
    outcome = await stand.broker.submit(stand.order(tif=TimeInForce.GTC), yes)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.raw) == ("KIND_NOT_SUPPORTED", NOTHING_SENT)
    assert stand.orders_sent == 0
    assert stand.arrivals == []


@case("C-07", "without a permit in the last step nothing is sent")
@pytest.mark.req("I-45")
async def test_c07_an_order_without_permit_never_leaves(stand: Stand) -> None:
    assert isinstance(await stand.broker.submit(stand.order(), no), NotSent)
    assert stand.orders_sent == 0
    assert stand.arrivals == []


@case("C-08", "a resting buy fills when the market comes to it")
async def test_c08_a_resting_buy_fills_when_the_market_comes(stand: Stand) -> None:
    order = await stand.accepted()
    stand.print_price(stand.place.low, volume=100)
    (fill,) = await stand.heard.of(FillNotice)
    assert (fill.ref, fill.qty, fill.price, fill.side) == (order.ref, QTY, stand.place.low, Side.BUY)
    listed = await stand.listed(order.ref)
    if stand.place.by_sor:
        assert (place_told(fill.raw), place_told(listed.raw)) == (("SOR", "NXT"), ("SOR", ""))
    assert (listed.state, listed.qty_filled) == (BrokerState.FILLED, QTY)
    assert listed.amount_filled == QTY * stand.place.low


@case("C-09", "a sell of shares that are held fills")
async def test_c09_a_sell_of_what_is_held_fills(stand: Stand) -> None:
    bid = stand.place.price - stand.place.tick
    order = await stand.accepted(stand.order(side=Side.SELL, price=bid))
    (fill,) = await stand.heard.of(FillNotice)
    assert (fill.ref, fill.qty, fill.price, fill.side) == (order.ref, QTY, bid, Side.SELL)
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.amount_filled, listed.side) == (BrokerState.FILLED, QTY * bid, Side.SELL)


@case("C-10", "a part fills, the rest works on and fills later")
async def test_c10_a_part_fills_and_the_rest_works_on(stand: Stand) -> None:
    stand.print_price(stand.place.price, quote=4)
    order = await stand.accepted(stand.order(price=stand.place.ask))
    (fill,) = await stand.heard.of(FillNotice)
    assert (fill.qty, fill.price) == (4, stand.place.ask)
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty, listed.qty_filled) == (BrokerState.WORKING, QTY, 4)
    stand.print_price(stand.place.ask, volume=6, quote=0)
    fills = await stand.heard.of(FillNotice, 2)
    assert [one.qty for one in fills] == [4, 6]
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.amount_filled) == (BrokerState.FILLED, QTY * stand.place.ask)


@case("C-11", "a market order takes what is offered")
async def test_c11_a_market_order_takes_what_is_offered(stand: Stand) -> None:
    request = stand.order(kind=OrderType.MARKET)
    if await declined(stand, "C-11", request):
        return
    order = await stand.accepted(request)
    await stand.heard.of(FillNotice)
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.FILLED, QTY)
    assert (listed.amount_filled, listed.order_type) == (QTY * stand.place.ask, OrderType.MARKET)


@case("C-12", "IOC fills what it meets, and its rest is cancelled")
async def test_c12_an_ioc_order_fills_what_it_meets_and_its_rest_ends(stand: Stand) -> None:
    stand.print_price(stand.place.price, quote=4)
    request = stand.order(tif=TimeInForce.IOC, price=stand.place.ask)
    if await declined(stand, "C-12", request):
        return
    order = await stand.accepted(request)
    await stand.heard.of(FillNotice)
    await stand.heard.state(order.ref, "CANCELLED")
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.CANCELLED, 4)
    assert listed.amount_filled == 4 * stand.place.ask


@case("C-13", "IOC that meets nothing ends without a fill")
async def test_c13_an_ioc_order_that_meets_nothing_ends(stand: Stand) -> None:
    request = stand.order(tif=TimeInForce.IOC)
    if await declined(stand, "C-13", request):
        return
    order = await stand.accepted(request)
    await stand.heard.state(order.ref, "CANCELLED")
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.CANCELLED, 0)


@case("C-14", "FOK fills as a whole where it can")
async def test_c14_a_fok_order_fills_as_a_whole(stand: Stand) -> None:
    request = stand.order(tif=TimeInForce.FOK, price=stand.place.ask)
    if await declined(stand, "C-14", request):
        return
    order = await stand.accepted(request)
    await stand.heard.of(FillNotice)
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.FILLED, QTY)


@case("C-15", "FOK that cannot fill as a whole fills nothing")
async def test_c15_a_fok_order_that_cannot_fill_as_a_whole_fills_nothing(stand: Stand) -> None:
    stand.print_price(stand.place.price, quote=4)
    request = stand.order(tif=TimeInForce.FOK, price=stand.place.ask)
    if await declined(stand, "C-15", request):
        return
    order = await stand.accepted(request)
    await stand.heard.state(order.ref, "CANCELLED")
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.CANCELLED, 0)
    assert stand.executions == []


@case("C-16", "fill notices add up to the list and to what the market knows")
@pytest.mark.req("I-05")
async def test_c16_fill_notices_add_up_to_the_list(stand: Stand) -> None:
    order = await stand.accepted(stand.order(qty=12))
    for volume, price in ((4, stand.place.low), (5, stand.place.low - stand.place.tick)):
        stand.print_price(price, volume=volume, quote=0)
    fills = await stand.heard.of(FillNotice, 2)
    listed = await stand.listed(order.ref)
    assert sum(fill.qty for fill in fills) == listed.qty_filled == 9
    assert sum(fill.qty * fill.price for fill in fills) == listed.amount_filled
    assert [(fill.qty, fill.price) for fill in fills] == [(one.qty, one.price) for one in stand.executions]
    states = [one.state for one in stand.heard.reports if isinstance(one, OrderReport)]
    assert states == [BrokerState.WORKING], "an order that fills in part is still what it was"


@case("C-17", "positions and cash follow the fills to the last won or cent")
@pytest.mark.req("I-39")
async def test_c17_positions_and_cash_follow_the_fills_to_the_last_won(stand: Stand) -> None:
    before = await stand.balance()
    await stand.accepted(stand.order(price=stand.place.ask))
    bid = stand.place.price - stand.place.tick
    await stand.accepted(stand.order(order_id="order-2", side=Side.SELL, qty=3, price=bid))
    await stand.heard.of(FillNotice, 2)
    after = await stand.balance()
    held = {one.symbol: one.qty for one in after.holdings}
    assert held == {stand.place.symbol: SHARES + QTY - 3}
    currency = stand.place.currency.value
    if stand.name in DIFFERS["C-17"]:
        assert after.cash_untold == (currency,)
        assert currency not in after.cash
        return
    change = sum((one.cash_change for one in stand.executions), Decimal(0))
    assert after.cash[currency] - before.cash[currency] == change
    assert after.cash[currency] == stand.market.balance_of(stand.account).cash[currency]
    assert change < 3 * bid - QTY * stand.place.ask, "fees and taxes are in it"


@case("C-18", "an order for a venue where the issue is not traded is refused and never works")
async def test_c18_an_order_for_another_venue_never_works(stand: Stand) -> None:
    elsewhere = {Venue.KRX: Venue.NXT, Venue.NXT: Venue.US, Venue.US: Venue.NXT}[stand.place.trades_at]
    outcome = await stand.broker.submit(stand.order(venue=elsewhere), yes)
    assert isinstance(outcome, Rejected)
    assert outcome.code in ("KIND_NOT_SUPPORTED", "VENUE")
    assert [one for one in stand.arrivals if not one.refused] == []
    assert await stand.history() == ()


@case("C-19", "an order for a session that the venue does not run is refused here and never sent")
async def test_c19_an_order_for_another_session_never_leaves(stand: Stand) -> None:
    is_nxt = stand.place.venue is Venue.NXT
    session = TradingSession.CLOSE_AFTER if is_nxt else TradingSession.AFTER_MARKET
    assert (stand.place.venue, session) not in stand.broker.traits.sessions
    outcome = await stand.broker.submit(stand.order(session=session), yes)
    assert isinstance(outcome, Rejected)
    assert (outcome.code in ("KIND_NOT_SUPPORTED", "SESSION_CLOSED"), outcome.raw) == (True, NOTHING_SENT)
    assert (stand.orders_sent, stand.arrivals) == (0, [])
