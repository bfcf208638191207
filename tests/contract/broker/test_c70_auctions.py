"""C-70 to C-76: orders for the opening or the closing auction alone, which the United States have."""

import pytest

from jumun.model.orders import OrderType, Side
from jumun.model.reports import BrokerState, CancelAccepted, SubmitRequest
from tests.contract.broker.cases import case, declined
from tests.contract.broker.places import NS, QTY, TODAY, TOMORROW
from tests.contract.broker.stands import Stand

EARLY_NS = 22 * 3_600 * NS  # from ten o'clock to eight the next morning


async def _works_and_ends(stand: Stand, number: str, request: SubmitRequest) -> None:
    """It is taken as what it is, rests until its auction, and can be cancelled before the cut-off."""
    if await declined(stand, number, request):
        return
    order = await stand.accepted(request)
    listed = await stand.listed(order.ref, request.trade_date)
    assert (listed.state, listed.side, listed.qty) == (BrokerState.WORKING, request.side, QTY)
    (arrival,) = stand.arrivals
    assert (arrival.order.order_type, arrival.order.price) == (request.order_type, request.price)
    outcome = await stand.broker.cancel(stand.cancel_of(order.ref))
    assert isinstance(outcome, CancelAccepted), outcome
    listed = await stand.listed(order.ref, request.trade_date)
    assert (listed.state, listed.qty_filled) == (BrokerState.CANCELLED, 0)


@case("C-70", "LOC buy: rests for the close, can be cancelled before the cut-off")
@pytest.mark.req("S000-10")
async def test_c70_a_limit_on_close_buy(stand: Stand) -> None:
    await _works_and_ends(stand, "C-70", stand.order(kind=OrderType.LOC))


@case("C-71", "LOC sell: rests for the close, can be cancelled before the cut-off")
async def test_c71_a_limit_on_close_sell(stand: Stand) -> None:
    price = stand.place.price + 10 * stand.place.tick
    await _works_and_ends(stand, "C-71", stand.order(kind=OrderType.LOC, side=Side.SELL, price=price))


@case("C-72", "MOC sell: rests for the close, can be cancelled before the cut-off")
async def test_c72_a_market_on_close_sell(stand: Stand) -> None:
    await _works_and_ends(stand, "C-72", stand.order(kind=OrderType.MOC, side=Side.SELL))


@case("C-73", "MOC buy: rests for the close, can be cancelled before the cut-off")
async def test_c73_a_market_on_close_buy(stand: Stand) -> None:
    await _works_and_ends(stand, "C-73", stand.order(kind=OrderType.MOC))


async def _opening(stand: Stand, number: str, kind: OrderType, side: Side) -> None:
    stand.skip(EARLY_NS)
    await _works_and_ends(stand, number, stand.order(kind=kind, side=side, trade_date=TOMORROW))
    assert await stand.history(TODAY) == ()


@case("C-74", "LOO buy: rests for the opening of the next session")
async def test_c74_a_limit_on_open_buy(stand: Stand) -> None:
    await _opening(stand, "C-74", OrderType.LOO, Side.BUY)


@case("C-75", "MOO sell: rests for the opening of the next session")
async def test_c75_a_market_on_open_sell(stand: Stand) -> None:
    await _opening(stand, "C-75", OrderType.MOO, Side.SELL)


@case("C-76", "MOO buy: rests for the opening of the next session")
async def test_c76_a_market_on_open_buy(stand: Stand) -> None:
    await _opening(stand, "C-76", OrderType.MOO, Side.BUY)
