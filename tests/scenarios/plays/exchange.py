"""What exchanges do, F-46 to F-65, where it is the same story at every broker: the venue has the last word.

The scenarios say which fault strikes and how it strikes on their broker's line (`weather`), and add what only
that broker shows.
"""

import asyncio
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest

from jumun.exchange.world import PLANS
from jumun.model.events import OrderCancelled as CancelProven
from jumun.model.ids import OrderId
from jumun.model.instruments import UnknownSymbol, Venue
from jumun.model.money import Currency
from jumun.model.orders import Flag, Order, OrderStatus, OrderType, TimeInForce
from jumun.model.reasons import Reason
from tests.scenarios.any_stage import USER, ZERO, AnyStage, S, until

Weather = AbstractContextManager[None]

# The exchange takes more than our tables say.
DEARER: Final[dict[str, Any]] = {
    "plans": {
        **PLANS,
        Currency.KRW: msgspec.structs.replace(PLANS[Currency.KRW], share_rate=Decimal("0.005")),
    }
}


def settled(order: Order) -> bool:
    """Nobody waits for the end of a modify, or it does not matter any more."""
    return order.modify_to is None or order.status.is_final


async def a_cancel_crosses_a_fill(stage: AnyStage, order_id: OrderId, traded: int, weather: Weather) -> None:
    """F-46: an order of ten shares trades before its cancel has arrived."""
    with weather:
        await stage.engine.cancel(order_id, USER)
        stage.trade("005930", 57_700, traded)  # before the cancel has arrived
        await asyncio.sleep(0.5)
        if traded == 10:
            order = stage.order(order_id)
            assert not order.status.is_final, "'nothing to cancel' alone says nothing about the order"
            assert stage.book.cash_reserved[stage.account_id, "KRW"] > 0
    order = await stage.ended(order_id, 40.0)
    assert order.qty_filled == traded
    assert order.status is (OrderStatus.FILLED if traded == 10 else OrderStatus.CANCELLED)


async def a_refused_cancel_is_looked_into_at_once(stage: AnyStage, weather: Weather) -> None:
    """F-46: no notice tells of the fill; the refusal alone makes the desk ask."""
    order_id = await stage.rest(9)
    await asyncio.sleep(5)  # the questions of the start are over, the next is half a minute off
    with weather:
        await stage.engine.cancel(order_id, USER)
        stage.trade("005930", 57_700, 10)
        order = await stage.ended(order_id, 3.0)
    assert (order.status, order.qty_filled) == (OrderStatus.FILLED, 10)


async def a_fill_is_heard_after_its_cancel(stage: AnyStage, order_id: OrderId, weather: Weather) -> None:
    """F-47: four shares trade, the cancel is confirmed, and only then is the fill told."""
    with weather:
        stage.trade("005930", 57_700, 4)
        await stage.engine.cancel(order_id, USER)
        order = await stage.ended(order_id, 1.0)
        assert (order.status, order.qty_filled) == (OrderStatus.CANCELLED, 0)
        await until(lambda: stage.order(order_id).qty_filled == 4, 4.0)
    order = stage.order(order_id)
    assert order.status is OrderStatus.CANCELLED, "it never comes back to life"
    assert Flag.LATE_FILL in order.flags


async def a_halt_leaves_resting_orders_working(stage: AnyStage) -> None:
    """F-48: one issue is halted: its new orders are refused, and the rest goes on."""
    order_id = await stage.rest(9)
    stage.market.halt("005930", stage.clock.now_ns())
    refused = await stage.ended(await stage.buy(3), 5.0)
    assert refused.status is OrderStatus.REJECTED
    assert refused.reason_text
    elsewhere = await stage.buy(3, symbol="000660")
    assert (await stage.ended(elsewhere, 5.0)).status is OrderStatus.FILLED
    await stage.studies(2)
    order = stage.order(order_id)
    assert (order.status, order.flags) == (OrderStatus.ACCEPTED, ())
    stage.market.resume("005930", stage.clock.now_ns())
    stage.trade("005930", 57_700, 10)
    await stage.ended(order_id, 5.0)


async def a_circuit_breaker_ends_no_order(stage: AnyStage) -> None:
    """F-48: the whole market stops: orders rest on, and cancels go on."""
    ids = [await stage.rest(n) for n in range(3)]
    stage.market.break_circuit(Venue.KRX, stage.clock.now_ns())
    await stage.studies(2)
    assert [stage.order(order_id).status for order_id in ids] == [OrderStatus.ACCEPTED] * 3
    assert stage.book.halt is None
    await stage.engine.cancel(ids[0], USER)
    assert (await stage.ended(ids[0], 5.0)).status is OrderStatus.CANCELLED
    assert len(stage.market.arrivals) == 3


async def an_indicated_price_triggers_no_stop(stage: AnyStage) -> None:
    """F-48: an auction indicates a price at which nobody has traded."""
    stop = await stage.buy(3, order_type=OrderType.STOP, price=None, stop_price=Decimal(58_500))
    assert stage.order(stop).stop_held
    now_ns = stage.clock.now_ns()
    stage.market.interrupt("005930", now_ns)
    stage.market.offer("005930", Decimal(58_600), Decimal(50), now_ns)
    await asyncio.sleep(60)
    assert stage.order(stop).stop_held, "nobody has traded there"
    assert stage.arrived(stop) == 0
    await stage.engine.cancel(stop, USER)


async def a_cancel_is_taken_and_not_carried_out(stage: AnyStage, within_s: float) -> None:
    """F-50: the answer to a cancel says yes, twice, and nothing happens; the third works."""
    order_id = await stage.rest(9)
    stage.market.ignore_cancels(2)
    await stage.engine.cancel(order_id, USER)
    await asyncio.sleep(0.5)
    order = stage.order(order_id)
    assert order.status is OrderStatus.ACCEPTED, "an answer is no proof"
    assert stage.book.cash_reserved[stage.account_id, "KRW"] >= 10 * 57_800
    order = await stage.ended(order_id, within_s)
    assert order.status is OrderStatus.CANCELLED


async def a_working_order_is_refused_later(stage: AnyStage) -> None:
    """F-51: the exchange refuses what the broker had taken; the order never goes out again."""
    order_id = await stage.rest(9)
    stage.market.refuse_later(stage.key(order_id), stage.clock.now_ns())
    order = await stage.ended(order_id, 5.0)
    assert order.status is OrderStatus.REJECTED
    assert "refused by the exchange" in order.reason_text
    assert stage.book.cash_free(stage.account_id, "KRW") == stage.cash["KRW"]
    await asyncio.sleep(60)
    assert stage.orders_written == stage.arrived(order_id) == 1


async def the_exchange_cancels_everything(
    stage: AnyStage, weather: Weather, within_s: float = 40.0
) -> list[Order]:
    """F-52: three orders end ex officio, and none is entered again; return them as they ended."""
    ids = [await stage.rest(n) for n in range(3)]
    with weather:
        assert stage.market.mass_cancel(stage.clock.now_ns(), text="ex officio") == 3
        await asyncio.sleep(0.1)
    ended = [await stage.ended(order_id, within_s) for order_id in ids]
    for order in ended:
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.CANCELLED_BY_BROKER)
    await asyncio.sleep(120)
    assert len(stage.market.arrivals) == 3
    return ended


async def shares_appear_without_a_fill(stage: AnyStage, within_s: float) -> None:
    """F-54: seven shares more than we bought stop new orders until a person has said whose they are."""
    stage.market.adjust(stage.account_id, stage.clock.now_ns(), holdings={"005930": Decimal(7)})
    await until(lambda: stage.engine.breaks(), within_s)
    [found] = stage.engine.breaks()
    assert (found.subject, found.ours, found.theirs) == ("005930", 0, 7)
    assert await stage.denial() is Reason.HALTED
    assert stage.orders_written == 0
    await stage.engine.settle_break(found.break_id, USER, "a stock dividend, see the notice", correct=True)
    assert stage.book.positions[stage.account_id, "005930"].qty == 7
    await stage.engine.resume(USER, "documented")
    assert await stage.denial() is None


async def require_found_expired(stage: AnyStage, order_id: OrderId) -> None:
    """F-55: three shares had traded, the day took the rest, and the list is the proof."""
    order = stage.order(order_id)
    assert (order.status, order.reason, order.qty_filled) == (OrderStatus.CANCELLED, Reason.EXPIRED, 3)
    [proof] = [e for e in await stage.story(order_id) if isinstance(e, CancelProven)]
    assert proof.evidence.startswith("history")


async def a_multi_day_order_meets_a_new_day(stage: AnyStage, base: int, sent: int) -> None:
    """F-58: the next day's base price is `base`; by its evening the order went out `sent` times."""
    order_id = await stage.rest(9, time_in_force=TimeInForce.GTC)
    await asyncio.sleep(20 * 60)
    assert stage.order(order_id).resting
    stage.market.set_base("005930", "2025-05-27", Decimal(base))
    await stage.crash()
    stage.clock.offset_ns = 18 * 3_600 * S
    stage.market.advance(stage.clock.now_ns())
    await stage.start()
    await asyncio.sleep(60)
    assert stage.arrived(order_id) == sent
    assert stage.order(order_id).resting is (sent == 1), "it rests on, and no order breaks the limits"
    await stage.engine.cancel(order_id, USER)


async def a_symbol_nobody_knows_is_never_sent(stage: AnyStage) -> None:
    """F-59: the master does not have it."""
    strange = msgspec.structs.replace(stage.intent(), symbol="999999")
    with pytest.raises(UnknownSymbol):
        await stage.engine.submit(strange)
    assert stage.orders_written == 0


async def the_broker_has_less_money_than_we_think(stage: AnyStage, code: str) -> None:
    """F-61: its refusal says `code`, costs nothing, and a smaller order goes through."""
    stage.market.block_cash(stage.account_id, "KRW", Decimal(99_900_000), stage.clock.now_ns())
    order = await stage.ended(await stage.buy(9), 5.0)
    assert order.status is OrderStatus.REJECTED
    assert code in order.reason_text
    assert stage.book.cash_free(stage.account_id, "KRW") == stage.cash["KRW"]
    assert (await stage.ended(await stage.buy(0))).status is OrderStatus.FILLED
    stage.market.block_cash(stage.account_id, "KRW", ZERO, stage.clock.now_ns())


async def require_overfill_is_shown(stage: AnyStage, order_id: OrderId) -> None:
    """F-62: thirteen shares came where ten were ordered."""
    order = stage.order(order_id)
    assert order.qty_filled == 13, "never clipped: the shares are there"
    assert stage.book.positions[stage.account_id, "005930"].qty == 13
    assert Flag.OVERFILL in order.flags
    assert Flag.DISPUTED in order.flags
    assert await stage.denial() is Reason.HALTED


async def a_fee_is_not_our_tables(stage: AnyStage, within_s: float) -> None:
    """F-63: cash differs at a broker that is DEARER, and a person takes its figure over."""
    await stage.ended(await stage.buy(50))
    await until(lambda: stage.engine.breaks(), within_s)
    [found] = stage.engine.breaks()
    assert found.subject == "CASH:KRW"
    assert stage.book.halt is not None
    await stage.engine.settle_break(found.break_id, USER, "the new tariff of May", correct=True)
    theirs = stage.market.balance_of(stage.account_id).cash["KRW"]
    assert stage.book.cash[stage.account_id, "KRW"] == theirs


async def new_york_is_unknown_and_seoul_goes_on(stage: AnyStage) -> OrderId:
    """F-64: in weather that loses what New York answers; return its order, which works in the end."""
    lost = await stage.buy(0, symbol="AAPL", price=Decimal("190.00"))
    await stage.unknown(lost)
    korean = await stage.buy(0)
    await until(lambda: stage.arrived(korean))
    await asyncio.sleep(60)
    assert stage.order(lost).is_unknown
    assert stage.arrived(lost) == 1
    assert [a.order.venue for a in stage.market.arrivals if a.order.tag.startswith(lost)] == [Venue.US]
    stage.calm()
    await until(lambda: stage.order(lost).status is OrderStatus.ACCEPTED)
    await stage.ended(korean)
    assert stage.arrived(lost) == 1
    return lost


async def an_order_without_a_price_ties_up_enough(stage: AnyStage) -> None:
    """F-65: sixteen shares wait at the market, and we reserve no less than the broker does."""
    account = stage.market._accounts[stage.account_id]
    stage.market.step("005930", Decimal(58_000), Decimal(4), stage.clock.now_ns(), quote_qty=Decimal(4))
    order_id = await stage.buy(19, order_type=OrderType.MARKET, price=None)
    await until(lambda: stage.order(order_id).qty_filled == 4)
    theirs = account.cash["KRW"] - account.cash_free("KRW")
    assert theirs >= 16 * 75_400, "the broker counts at the upper limit of the day"
    assert stage.book.cash_reserved[stage.account_id, "KRW"] >= theirs
    stage.trade("005930", 58_000, 100)
    await stage.ended(order_id, 5.0)
