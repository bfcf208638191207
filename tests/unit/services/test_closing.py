"""A position is closed by one order, whoever asks, however often, whatever happens to it."""

import asyncio
from decimal import Decimal as D
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.errors import OrderDenied
from jumun.model.ids import IdempotencyKey, UserId
from jumun.model.orders import Order, OrderStatus, OrderType, Side
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.draft import Decision
from jumun.services import closing
from jumun.services.order_engine import OrderEngine
from jumun.services.position_manager import PositionManager
from tests.unit.services.stage import ACCOUNT, USER, Stage, an_intent, on_stage, until


async def holding(stage: Stage, **named: Any) -> tuple[OrderEngine, PositionManager]:
    """A running desk that holds ten shares of 005930."""
    engine = stage.engine()
    manager = PositionManager(engine, **named)
    await engine.start()
    await engine.submit(an_intent(9))
    await until(lambda: not engine.desk.book.open)
    return engine, manager


@pytest.mark.req("S000-21", "I-08")
def test_twenty_requests_to_close_a_position_are_one_order_that_sells_it_all() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        sends = len(stage.broker.sends)
        users = [USER, UserId("operator")]
        decisions = await asyncio.gather(
            *(manager.close_position("005930", by=users[number % 2]) for number in range(20))
        )
        orders = {decision.order.order_id: decision.order for decision in decisions if decision.order}
        assert len(orders) == 1
        assert sum(not decision.existing for decision in decisions) == 1
        (order,) = orders.values()
        assert (order.side, order.order_type, order.qty) == (Side.SELL, OrderType.MARKET, 10)
        assert order.strategy_id == "test"  # the strategy whose shares they are: its sub-ledger closes too
        await until(lambda: not engine.desk.book.open)
        assert len(stage.broker.sends) == sends + 1
        assert engine.desk.book.positions[ACCOUNT, "005930"].qty == 0
        assert engine.desk.book.strategies[ACCOUNT, "test", "005930"].qty == 0
        nothing = await manager.close_position("005930")
        assert nothing.order is None
        assert nothing.denial is not None
        assert nothing.denial.reason is Reason.SHARES
        assert (await manager.close_position("005930", ACCOUNT)).order is None
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-21", "F-02", "I-15")
def test_a_closing_order_of_unknown_outcome_is_returned_and_never_doubled() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        sends = len(stage.broker.sends)
        stage.broker.lose_reply = 1
        first = await manager.close_position("005930")
        await asyncio.sleep(0.5)
        second = await manager.close_position("005930")
        assert first.order is not None
        assert second.order is None or second.order.order_id == first.order.order_id
        await until(lambda: not engine.desk.book.open)
        assert len(stage.broker.sends) == sends + 1
        assert engine.desk.book.positions[ACCOUNT, "005930"].qty == 0
        assert "005930" not in {s for s, qty in stage.market.balance_of(ACCOUNT).holdings.items() if qty}
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-21")
def test_after_a_closing_order_was_cancelled_the_same_position_can_be_closed_again_also_after_a_restart() -> (
    None
):
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        stage.broker.not_sent = 99  # nothing leaves: the closing order ends as NOT_SENT
        first = await manager.close_position("005930")
        await until(lambda: not engine.desk.book.open)
        assert first.order is not None
        assert (await engine.find(first.order.order_id)).status is OrderStatus.CANCELLED
        stage.broker.not_sent = 0
        await engine.stop()

        stage.broker = stage.new_broker()
        again = stage.engine()
        later = PositionManager(again)
        await again.start()
        again.desk.book.recent.clear()  # the ended one is only in the store
        again.desk.book.keys.clear()
        second = await later.close_position("005930")
        assert second.order is not None
        assert second.order.order_id != first.order.order_id
        await until(lambda: not again.desk.book.open)
        assert again.desk.book.positions[ACCOUNT, "005930"].qty == 0
        await again.stop()

    on_stage(play)


@pytest.mark.req("S000-21", "I-34")
def test_shares_in_other_open_sells_are_not_sold_again() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        far = D(75_000)
        resting = await engine.submit(an_intent(1, side=Side.SELL, qty=D(4), price=far))
        assert resting.denial is None
        decision = await manager.close_position("005930")
        assert decision.order is not None
        assert decision.order.qty == 6
        await until(lambda: engine.desk.book.positions[ACCOUNT, "005930"].qty == 4)
        with pytest.raises(OrderDenied, match="are in open orders"):
            await manager.close_position("005930")
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-21", "I-53")
def test_a_halted_desk_refuses_to_close_and_says_why() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        await engine.halt("a test")
        decision = await manager.close_position("005930")
        assert decision.denial is not None
        assert decision.denial.reason is Reason.HALTED
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-21")
def test_a_position_that_changes_while_the_store_is_asked_is_looked_at_again() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        find, changes = engine.lookup.find, 1
        place = (ACCOUNT, "005930")

        async def find_slowly(key: IdempotencyKey) -> Order | None:
            nonlocal changes
            if changes:
                changes -= 1
                held = engine.desk.book.positions[place]
                engine.desk.book.positions[place] = replace(held, qty=D(8), cost_basis=held.cost_basis - 1)
            return await find(key)

        engine.lookup.find = find_slowly  # type: ignore[method-assign]
        decision = await manager.close_position("005930")
        assert decision.order is not None
        assert decision.order.qty == 8
        await engine.abandon()

    on_stage(play)


@pytest.mark.req("S000-21", "I-08")
def test_two_managers_of_one_desk_close_a_position_once_because_the_key_is_the_positions() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        other = PositionManager(engine)
        first, second = await asyncio.gather(
            manager.close_position("005930"), other.close_position("005930", by=UserId("another"))
        )
        assert first.order is not None
        assert second.order is not None
        assert first.order.order_id == second.order.order_id
        assert second.denial is None
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-21", "S000-116")
def test_a_second_request_waits_for_the_first_though_the_position_moves_in_between() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        submit, place = engine.submit, (ACCOUNT, "005930")

        async def submit_slowly(intent: ApprovedOrderIntent) -> Decision:
            await asyncio.sleep(1)
            return await submit(intent)

        engine.submit = submit_slowly  # type: ignore[method-assign]
        first = asyncio.create_task(manager.close_position("005930"))
        await asyncio.sleep(0.5)
        held = engine.desk.book.positions[place]
        engine.desk.book.positions[place] = replace(held, costs=held.costs + 1)  # another order's cost
        second = await manager.close_position("005930")
        decision = await first
        assert decision.order is not None
        assert second.order is None or second.order.order_id == decision.order.order_id
        assert len([o for o in stage.broker.sends if o[1].side is Side.SELL]) <= 1
        await until(lambda: not engine.desk.book.open)
        assert all(order.status is not OrderStatus.REJECTED for order in engine.desk.book.recent.values())
        await engine.abandon()

    on_stage(play)


@pytest.mark.req("S000-21")
def test_orders_that_keep_ending_without_closing_stop_and_call_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closing, "TRIES_MAX", 1)

    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        stage.broker.not_sent = 99
        await manager.close_position("005930")
        await until(lambda: not engine.desk.book.open)
        with pytest.raises(OrderDenied, match="ended without closing"):
            await manager.close_position("005930")
        await engine.stop()

    on_stage(play)


def test_a_short_position_is_closed_by_buying_back() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        held = engine.desk.book.positions[ACCOUNT, "005930"]
        short = replace(held, qty=D(-3), cost_basis=D(-180_000))
        engine.desk.book.positions[ACCOUNT, "005930"] = short
        decision = await manager.close_position("005930", ACCOUNT)
        assert decision.order is not None
        assert (decision.order.side, decision.order.qty) == (Side.BUY, 3)
        await engine.abandon()

    on_stage(play)


async def held_by(stage: Stage, **shares: int) -> tuple[OrderEngine, PositionManager]:
    """A running desk whose strategies hold so many shares of 005930 each, bought at one price."""
    engine = stage.engine()
    manager = PositionManager(engine)
    await engine.start()
    for number, (strategy_id, qty) in enumerate(shares.items()):
        await engine.submit(
            an_intent(number, qty=D(qty), strategy_id=strategy_id, strategy_version=strategy_id)
        )
    await until(lambda: not engine.desk.book.open)
    return engine, manager


def held(engine: OrderEngine, strategy_id: str) -> D:
    sub = engine.desk.book.strategies.get((ACCOUNT, strategy_id, "005930"))
    return D(0) if sub is None else sub.qty


@pytest.mark.req("S000-21", "S000-44")
def test_one_strategys_shares_are_closed_by_its_own_order_and_the_others_stay() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await held_by(stage, value=7, carry=3)
        sold = await manager.close_position("005930", strategy_id="value")
        again = await manager.close_position("005930", strategy_id="value")
        assert sold.order is not None
        assert (sold.order.qty, sold.order.strategy_id) == (7, "value")
        assert again.order is not None
        assert again.order.order_id == sold.order.order_id
        await until(lambda: not engine.desk.book.open)
        assert (held(engine, "value"), held(engine, "carry")) == (0, 3)
        assert engine.desk.book.positions[ACCOUNT, "005930"].qty == 3
        nothing = await manager.close_position("005930", strategy_id="value")
        assert nothing.denial is not None
        assert "are held by value" in nothing.denial.text
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-21", "I-08")
def test_two_strategies_that_hold_the_same_are_closed_by_two_orders() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await held_by(stage, value=5, carry=5)
        first = await manager.close_position("005930", strategy_id="value")
        second = await manager.close_position("005930", strategy_id="carry")
        assert first.order is not None
        assert second.order is not None
        assert first.order.order_id != second.order.order_id
        assert not second.existing
        await until(lambda: not engine.desk.book.open)
        assert engine.desk.book.positions[ACCOUNT, "005930"].qty == 0
        assert (held(engine, "value"), held(engine, "carry")) == (0, 0)
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-21", "I-34")
def test_a_whole_position_that_several_hold_is_booked_to_nobody_and_still_sums_to_the_account() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await held_by(stage, value=7, carry=3)
        one = await manager.close_position("005930", strategy_id="carry")
        rest = await manager.close_position("005930")  # beside it: only what is free
        assert one.order is not None
        assert rest.order is not None
        assert (rest.order.qty, rest.order.strategy_id) == (7, closing.CLOSING)
        await until(lambda: not engine.desk.book.open)
        assert engine.desk.book.positions[ACCOUNT, "005930"].qty == 0
        parts = {name: held(engine, name) for name in ("value", "carry", closing.CLOSING)}
        assert parts == {"value": 7, "carry": 0, closing.CLOSING: -7}
        assert sum(parts.values()) == 0
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-21", "I-34")
def test_shares_that_the_strategy_sells_already_are_not_closed_again() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await held_by(stage, value=7, carry=3)
        far = D(75_000)
        mine = an_intent(8, side=Side.SELL, qty=D(4), price=far, strategy_id="value")
        await engine.submit(mine)
        sold = await manager.close_position("005930", strategy_id="value")
        assert sold.order is not None
        assert sold.order.qty == 3
        await until(lambda: held(engine, "value") == 4)
        with pytest.raises(OrderDenied, match="of value are in open orders"):
            await manager.close_position("005930", strategy_id="value")
        await engine.stop()

    on_stage(play)
