"""Questions in doubt, F-35 to F-45, where it is the same story at every broker: no answer is no proof.

The scenarios say which fault strikes and how it strikes on their broker's line (`weather`), and add what only
that broker shows.
"""

import asyncio
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Protocol

from jumun.model.events import FillBooked
from jumun.model.fills import LedgerAccount
from jumun.model.ids import AccountId, OrderId
from jumun.model.orders import Flag, OrderStatus, Side
from tests.scenarios.any_stage import TODAY, USER, ZERO, AnyStage, orders_of, until

Weather = AbstractContextManager[None]


class Line(Protocol):
    """What reaches the broker, and can break."""

    def cut(self) -> None: ...
    def mend(self) -> None: ...


async def a_list_that_lags_is_no_dispute(stage: AnyStage, weather: Weather) -> None:
    """F-35: an order works, and the list does not show it yet."""
    with weather:
        order_id = await stage.rest()
        stage.engine.reconciler.ask()
        await stage.studies(1)
    assert stage.order(order_id).flags == ()
    await stage.studies(2)
    assert stage.order(order_id).flags == ()
    assert stage.order(order_id).status is OrderStatus.ACCEPTED


async def a_lost_page_hides_a_cancel(stage: AnyStage, seconds: float) -> None:
    """F-36: in weather that loses second pages, the first order of the list is cancelled at the exchange."""
    first = next(iter(stage.market.orders.values()))
    stage.market.cancel(stage.account_id, TODAY, first.branch, first.number, stage.clock.now_ns())
    rounds, seq = stage.engine.reconciler.rounds, stage.book.seq
    await asyncio.sleep(seconds)
    assert stage.engine.reconciler.rounds == rounds, "not one look was complete"
    assert stage.book.seq == seq, "and none of them changed anything"
    assert stage.engine.reconciler.failing_since_ns is not None


async def require_the_fill_is_kept_and_disputed(stage: AnyStage, order_id: OrderId) -> None:
    """F-38: we heard of four shares, and three looks at a list say none."""
    await stage.studies(3)
    order = stage.order(order_id)
    assert (order.qty_filled, order.status) == (4, OrderStatus.PART_FILLED)
    assert Flag.DISPUTED in order.flags


async def two_prices_make_no_round_average(stage: AnyStage, other: AccountId, weather: Weather) -> None:
    """F-39: seven shares at two prices, found by asking; `other` sells three of them."""
    stage.stranger(account_id=other, side=Side.SELL, qty=Decimal(3), price=Decimal(58_000))
    with weather:
        order_id = await stage.buy(6)
        await asyncio.sleep(0.1)
    await stage.ended(order_id, 40.0)
    amount = stage.order(order_id).amount_filled
    assert amount == 3 * 58_000 + 4 * 58_100
    assert amount % 7, "an average would have had to be rounded"


async def require_the_same_money_each_settlement_day(stage: AnyStage) -> None:
    """F-42: what moves on each of two days is the exchange's figure, not only their sum."""
    ours: dict[str, Decimal] = {}
    async for record in stage.engine.journal.tail(0):
        for row in record.event.ledger if isinstance(record.event, FillBooked) else ():
            change = {row.debit: row.amount, row.credit: -row.amount}.get(LedgerAccount.CASH, ZERO)
            ours[row.settlement_date] = ours.get(row.settlement_date, ZERO) + change
    theirs: dict[str, Decimal] = {}
    for execution in stage.market.executions:
        day = execution.settlement_date
        theirs[day] = theirs.get(day, ZERO) + execution.cash_change
    assert len(theirs) == 2
    assert ours == theirs


async def the_broker_is_away(stage: AnyStage, line: Line, seconds: float, heard_within_s: float) -> None:
    """F-43: it is gone for `seconds`, an order trades meanwhile, and it is asked before the next one."""
    resting = await stage.rest(9)
    line.cut()
    await asyncio.sleep(seconds)
    assert stage.order(resting).status is OrderStatus.ACCEPTED
    assert stage.order(resting).flags == ()
    stage.trade("005930", 57_700, 10)
    rounds = stage.engine.reconciler.rounds
    line.mend()
    stage.print_prices()
    await until(lambda: not stage.engine.desk.deaf, heard_within_s)
    assert stage.engine.reconciler.rounds > rounds
    fresh = await stage.buy(1, symbol="000660")
    assert stage.order(resting).status is OrderStatus.FILLED
    await stage.ended(fresh)


async def an_older_list_undoes_nothing(
    stage: AnyStage, filled: OrderId, cancelled: OrderId, within_s: float
) -> None:
    """F-44: both orders work in the list that the broker goes on giving."""
    await stage.engine.cancel(cancelled, USER)
    await stage.ended(cancelled, 1.0)
    stage.trade("005930", 57_700, 10)
    await stage.ended(filled, 1.0)
    before = {order.order_id: order for order in orders_of(stage.engine)}
    rounds = stage.engine.reconciler.rounds
    stage.engine.reconciler.ask()
    await until(lambda: stage.engine.reconciler.rounds > rounds, within_s)
    assert {order.order_id: order for order in orders_of(stage.engine)} == before


async def a_lost_order_has_a_twin(stage: AnyStage, weather: Weather) -> tuple[OrderId, str]:
    """F-45: ours vanishes while somebody enters one like it; return ours, and the twin's number."""
    with weather:
        order_id = await stage.buy(price=Decimal(57_800))
        twin = stage.stranger()
        await stage.unknown(order_id)
    return order_id, twin.number


async def the_twin_is_never_claimed(stage: AnyStage, order_id: OrderId, twin: str) -> None:
    """F-45: ours stays unknown and disputed until a person says whose the twin is."""
    order = stage.order(order_id)
    assert order.is_unknown
    assert order.refs == ()
    assert Flag.DISPUTED in order.flags
    assert stage.arrived(order_id) == 0, "nor is ours sent again while the twin may be it"
    await stage.engine.settle(order_id, USER, f"{twin} was entered by hand")
    assert stage.order(order_id).status is OrderStatus.CANCELLED
    await until(lambda: any(Flag.FOREIGN in o.flags for o in stage.book.open.values()))
