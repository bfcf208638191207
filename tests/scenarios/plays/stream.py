"""A stream that goes wrong, F-19 to F-34, where it is the same story at every broker: each fill counts once.

The scenarios say which fault strikes and how it strikes on their broker's line (`weather`), and add what only
that broker shows.
"""

import asyncio
from contextlib import AbstractContextManager
from decimal import Decimal

from structlog.testing import capture_logs

from jumun.model.ids import OrderId
from jumun.model.instruments import Venue
from jumun.model.orders import Flag, OrderStatus
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerReport
from jumun.services.liveness import ALERT_MAX_S, UNREADABLE_MAX
from tests.scenarios.any_stage import AnyStage, orders_of, until

Weather = AbstractContextManager[None]


async def nothing_leaves_before_a_study(stage: AnyStage, order_id: OrderId) -> None:
    """F-19, F-27: the order waits until the broker has been asked about everything."""
    rounds = stage.engine.reconciler.rounds
    while not stage.arrived(order_id):
        await asyncio.sleep(0.05)
        if stage.engine.reconciler.rounds == rounds:
            assert stage.arrived(order_id) == 0, "it left before the desk had caught up"


async def three_fills_make_ten(stage: AnyStage, order_id: OrderId) -> None:
    """F-20: in weather that repeats what is told."""
    for qty in (3, 2, 5):
        stage.trade("005930", 57_700, qty)
        await asyncio.sleep(1.2)
    assert (await stage.ended(order_id)).qty_filled == 10


async def four_fills_overtake_each_other(stage: AnyStage) -> None:
    """F-21: in weather that tells late, or in another order."""
    order_id = await stage.buy(9, price=Decimal(57_800))
    for qty in (1, 2, 3, 4):
        await asyncio.sleep(0.3)
        stage.trade("005930", 57_700, qty)
    assert (await stage.ended(order_id)).qty_filled == 10


async def a_fill_comes_before_the_answer(stage: AnyStage) -> None:
    """F-22: in weather where answers are slow and no list helps."""
    order_id = await stage.buy(4)
    await until(lambda: len(stage.engine.parking))
    order = stage.order(order_id)
    assert (order.status, order.qty_filled, order.refs) == (OrderStatus.NEW, 0, ())
    assert stage.book.cash_reserved[stage.account_id, "KRW"] >= 5 * 58_100
    assert (await stage.ended(order_id, 5.0)).qty_filled == 5
    assert len(stage.engine.parking) == 0


async def one_notice_is_lost(stage: AnyStage, weather: Weather) -> None:
    """F-24: on a healthy line; the next look finds what it told."""
    order_id = await stage.rest(9)
    with weather:
        stage.trade("005930", 57_700, 10)
        await asyncio.sleep(0.1)
    assert stage.order(order_id).qty_filled == 0
    await stage.ended(order_id, 35.0)
    assert stage.book.halt is None


async def nobody_can_read_the_notices(stage: AnyStage, resting: OrderId) -> None:
    """F-27, F-28: in weather that spoils each; an alert, no new orders, and the books go on by questions."""
    with capture_logs() as logs:
        for _ in range(UNREADABLE_MAX):
            stage.trade("005930", 57_700, 2)
        await until(lambda: stage.engine.desk.deaf, ALERT_MAX_S)
    assert [line["log_level"] for line in logs if line["event"] == "broker_not_heard"] == ["error"]
    await until(lambda: stage.order(resting).qty_filled == 6, 15.0)
    assert await stage.refusal() is Reason.BROKER_UNAVAILABLE
    stage.calm()
    stage.trade("005930", 57_700, 2)
    await until(lambda: not stage.engine.desk.deaf, 30.0)
    assert await stage.refusal() is None


async def two_fills_look_the_same(stage: AnyStage, order_id: OrderId) -> None:
    """F-30: same instant, price and quantity; both count, and the order fills later."""
    stage.trade("005930", 57_700, 4)
    stage.trade("005930", 57_700, 4)
    one, other = stage.market.executions
    assert (one.ts_ns, one.price, one.qty) == (other.ts_ns, other.price, other.qty)
    await until(lambda: stage.order(order_id).qty_filled == 8, 40.0)
    stage.calm()
    await stage.studies(2)
    assert stage.order(order_id).qty_filled == 8
    stage.trade("005930", 57_700, 2)
    await stage.ended(order_id, 40.0)


async def fifty_notices_wait_unread(stage: AnyStage, within_s: float) -> None:
    """F-32: more than there is room for, while the engine hears nothing for a second."""
    order_id = await stage.rest(99)
    gate = asyncio.Event()
    hear = stage.engine.hear

    async def slow(report: BrokerReport) -> None:
        await gate.wait()
        await hear(report)

    stage.engine.hear = slow  # type: ignore[method-assign]
    for _ in range(50):
        stage.trade("005930", 57_700, 2)
    await asyncio.sleep(1)
    gate.set()
    assert (await stage.ended(order_id, within_s)).qty_filled == 100
    assert stage.book.halt is None


async def a_flood_of_prices(stage: AnyStage, prints: int) -> OrderId:
    """F-32: twenty fills come in between; none is lost, and the newest price is known. Return the order."""
    order_id = await stage.rest(99)
    for step in range(prints):
        stage.trade("000660", 248_000 + 500 * (step % 2), 1)
        if step % (prints // 20) == 0:
            stage.trade("005930", 57_700, 5)
    await stage.ended(order_id, 5.0)
    quote = stage.broker.quote("000660")
    assert quote is not None
    assert quote.last == 248_500
    return order_id


async def a_person_trades_beside_us(stage: AnyStage, venue: Venue) -> None:
    """F-34, F-106: the order is recorded as foreign, its shares count, and it is never sent."""
    record = stage.stranger(qty=Decimal(3), price=Decimal(58_100), venue=venue)
    assert record.qty_filled == 3
    await until(lambda: stage.book.positions, 40.0)
    [order] = orders_of(stage.engine)
    assert order.flags == (Flag.FOREIGN,)
    assert (order.status, order.qty_filled, order.venue) == (OrderStatus.FILLED, 3, venue)
    assert order.strategy_id == ""
    assert stage.book.halt is None
    assert stage.orders_written == 0, "it is counted, never claimed or sent again"


async def a_stranger_in_an_account_of_ours_alone(stage: AnyStage) -> None:
    """F-34, F-106: nobody but us should trade here, so new orders stop."""
    stage.stranger(qty=Decimal(3))
    await until(lambda: stage.book.halt is not None, 40.0)
    assert await stage.refusal() is Reason.HALTED
