"""Requests that go wrong, F-01 to F-18, where it is the same story at every broker: nothing is sent twice.

The scenarios say which fault strikes and how it strikes on their broker's line (`weather`), and add what only
that broker shows.
"""

import asyncio
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any, Generic, TypeVar

from jumun.model.orders import Flag, Order, OrderStatus, Side
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from tests.scenarios.any_stage import USER, AnyStage, until

Weather = AbstractContextManager[None]
Told = TypeVar("Told")


async def an_order_never_leaves(stage: AnyStage, within_s: float) -> Order:
    """F-01, F-09: in weather that lets no order out; its money is free again."""
    order = await stage.ended(await stage.buy(), within_s)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.NOT_SENT)
    assert stage.book.cash_free(stage.account_id, "KRW") == stage.cash["KRW"]
    assert stage.arrived(order.order_id) == 0
    return order


async def a_lost_answer_is_found_by_its_looks(stage: AnyStage, weather: Weather) -> None:
    """F-03: the order works, we were not told, and a second one of its symbol waits until we know."""
    with weather:
        order_id = await stage.buy(price=Decimal(57_800))
        await stage.unknown(order_id)
        assert len(stage.market.orders) == 1
        behind = await stage.buy(1)
        await asyncio.sleep(1)
        assert stage.arrived(behind) == 0, "one unknown order of a symbol at a time, so that it can be told"
    await until(lambda: stage.order(order_id).status is OrderStatus.ACCEPTED)
    [record] = [r for r in stage.market.orders.values() if r.tag.startswith(order_id)]
    assert [ref.number for ref in stage.order(order_id).refs] == [record.number]
    await stage.ended(behind)
    assert stage.arrived(order_id) == stage.arrived(behind) == 1


async def two_orders_could_be_the_lost_one(stage: AnyStage, weather: Weather, within_s: float) -> None:
    """F-03, F-45: a person has to tell them apart, and ours is not sent again meanwhile."""
    with weather:
        order_id = await stage.buy(price=Decimal(57_800))
        stage.stranger()
        await stage.unknown(order_id)
    await until(lambda: Flag.DISPUTED in stage.order(order_id).flags, within_s)
    await asyncio.sleep(60)
    assert stage.order(order_id).is_unknown
    assert stage.order(order_id).refs == ()
    assert stage.book.cash_reserved[stage.account_id, "KRW"] > 0
    assert stage.arrived(order_id) == 1, "and it is not sent again meanwhile"


async def an_answer_comes_too_late(
    stage: AnyStage, weather: Weather, unknown_within_s: float, still_s: float
) -> None:
    """F-05: it comes `still_s` after the order became unknown, or before that."""
    with weather:
        order_id = await stage.buy()
        await stage.unknown(order_id, unknown_within_s)
        await asyncio.sleep(still_s)
    order = await stage.ended(order_id)
    assert order.status is OrderStatus.FILLED
    assert stage.orders_written == stage.arrived(order_id) == len(order.refs) == 1


async def a_business_refusal_is_final(stage: AnyStage, weather: Weather, code: str) -> None:
    """F-07: it says its code, frees the money, and the order is not sent again."""
    with weather:
        order = await stage.ended(await stage.buy(), 5.0)
    assert order.status is OrderStatus.REJECTED
    assert code in order.reason_text
    assert stage.book.cash_free(stage.account_id, "KRW") == stage.cash["KRW"]
    await asyncio.sleep(30)
    assert stage.orders_written == 1


async def a_caller_repeats_itself(stage: AnyStage, weather: Weather) -> ApprovedOrderIntent:
    """F-13: twenty times at once, and again while nothing is known; return what it asked for."""
    intent = stage.intent()
    with weather:
        first = await asyncio.gather(*(stage.engine.submit(intent) for _ in range(20)))
        await until(lambda: stage.book.unknown)
        again = await stage.engine.submit(intent)
    told = [decision.order for decision in (*first, again)]
    assert len({order.order_id for order in told if order is not None}) == 1
    assert [decision.existing for decision in first].count(False) == 1
    await until(lambda: not stage.book.open)
    assert len(stage.market.arrivals) == stage.orders_written == 1
    return intent


async def the_same_id_with_other_content_is_a_conflict(stage: AnyStage) -> None:
    """F-14: the first order is untouched, and nothing else leaves."""
    order_id = await stage.rest(client_order_id="mine-1")
    before = stage.order(order_id)
    for changes in ({"qty": Decimal(9)}, {"price": Decimal(57_700)}, {"side": Side.SELL}):
        values: dict[str, Any] = {"price": Decimal(57_800), **changes}
        told = await stage.engine.submit(stage.intent(client_order_id="mine-1", **values))
        assert told.denial is not None
        assert told.denial.reason is Reason.KEY_CONFLICT
    assert stage.order(order_id) == before
    assert len(stage.market.arrivals) == stage.orders_written == 1


class Crossed(Generic[Told]):
    """F-17: the answers of the first two orders are exchanged on their way back."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._both = asyncio.Event()

    async def exchanged(self, answer: Told) -> Told:
        """Return what comes back instead of the answer to a new order."""
        if len(self._told) == 2:
            return answer
        place = len(self._told)
        self._told.append(answer)
        if len(self._told) == 2:
            self._both.set()
        await self._both.wait()
        return self._told[1 - place]


async def slow_answers_hold_only_their_slots(stage: AnyStage, weather: Weather, within_s: float) -> None:
    """F-18: three orders of 005930 wait for their answers, and nobody else waits for them."""
    resting = await stage.rest(40, price=Decimal(190_000), symbol="035420")
    with weather:
        slow = [await stage.buy(n, symbol="005930") for n in range(3)]
        await until(lambda: stage.engine.desk.sending == 3)
    fast = await stage.buy(symbol="000660")
    assert (await stage.ended(fast, 3.0)).status is OrderStatus.FILLED
    await stage.engine.cancel(resting, USER)
    await stage.ended(resting, 3.0)
    assert stage.engine.desk.sending == 3, "the slow ones still wait, and nobody waited for them"
    for order_id in slow:
        assert (await stage.ended(order_id, within_s)).status is OrderStatus.FILLED
        assert stage.arrived(order_id) == 1
