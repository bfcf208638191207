"""The ten steps of specification 000, seen from outside: what the bus tells, in which order, and why."""

import asyncio
from typing import Any

import pytest

from jumun.bus.memory import MemoryBus
from jumun.model.journal import Message
from jumun.model.orders import OrderStatus
from jumun.model.reasons import Reason
from tests.unit.services.stage import ACCOUNT, Stage, an_intent, on_stage, until

SIGNAL: dict[str, Any] = {
    "symbol": "005930",
    "side": "BUY",
    "quantity": 3,
    "price": 58_100,
    "order_type": "LIMIT",
    "strategy_id": "ma",
    "strategy_version": "ma-1",
    "account_id": str(ACCOUNT),
    "signal_ts": "2025-05-26T09:00:00+09:00",
}


def a_bus() -> tuple[MemoryBus, list[Message]]:
    """A bus, and everything it tells."""
    bus, told = MemoryBus(), []

    async def hear(message: Message) -> None:
        told.append(message)

    bus.subscribe("*", hear)
    return bus, told


@pytest.mark.req("S000-2", "S000-5", "S000-7", "S000-56", "S000-57", "S000-59", "S000-60", "S000-61")
@pytest.mark.req(
    "S000-62", "S000-63", "S000-90", "S000-91", "S000-111", "S002-32", "S002-58", "S002-65", "S004-4"
)
def test_a_signal_walks_through_all_ten_steps_and_each_is_told_in_order() -> None:
    async def play(stage: Stage) -> None:
        bus, told = a_bus()
        engine = stage.engine(event_bus=bus)
        await engine.start()
        decision = await engine.handle_signal({"signal": SIGNAL}, "demo")
        assert decision.order is not None
        await until(lambda: any(message.event_type == "order_fully_executed" for message in told))
        order_id = decision.order.order_id
        mine = [message for message in told if message.payload.get("order_id") == order_id]
        kinds = [message.event_type for message in mine]
        milestones = ["order_placed", "order_executed", "order_fully_executed"]
        assert [kind for kind in kinds if kind in milestones] == milestones
        statuses = [m.payload["status"] for m in mine if m.event_type == "order_status_changed"]
        assert statuses == ["NEW", "SENT", "ACCEPTED", "FILLED"]
        [moved] = [message for message in told if message.event_type == "position_updated"]
        assert moved.payload["quantity"] == "3"
        story = await engine.journal.story_of(order_id)
        kinds_of_record = [type(record.event).__name__ for record in story]
        assert kinds_of_record == [
            "OrderCreated",
            "SendIntended",
            "OrderSent",
            "OrderAccepted",
            "FillBooked",
        ], "the story of one order, with its evidence"
        assert {message.correlation_id for message in mine} == {order_id}
        assert all(message.environment == "sim" and message.version == 1 for message in told)
        assert len({message.event_id for message in told}) == len(told)
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S002-3", "S002-65", "S000-64", "I-08")
def test_every_event_is_told_again_after_a_crash_until_the_bus_has_it() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()  # without a bus: everything stays in the outbox
        await engine.start()
        await engine.submit(an_intent())
        await until(lambda: not engine.desk.book.open)
        await engine.abandon()
        await engine.journal.close()
        bus, told = a_bus()
        stage.broker = stage.new_broker()
        second = stage.engine(event_bus=bus)
        await second.start()
        await until(lambda: any(message.event_type == "order_fully_executed" for message in told))
        numbers = [tuple(int(part) for part in message.event_id.split(".")) for message in told]
        assert numbers == sorted(numbers)
        await second.stop()

    on_stage(play)


@pytest.mark.req("S002-66", "S004-2", "S002-12", "S002-68", "S000-70")
def test_what_risk_or_the_desk_refuses_never_reaches_the_broker_and_is_told() -> None:
    async def play(stage: Stage) -> None:
        bus, told = a_bus()
        engine = stage.engine(event_bus=bus)
        await engine.start()
        refused = await engine.handle_signal({"signal": {**SIGNAL, "quantity": 100_000}}, "demo")
        assert refused.denial is not None
        assert refused.denial.reason is Reason.MAX_ORDER_VALUE
        await until(lambda: any(message.event_type == "order_failed" for message in told))
        assert not stage.market.arrivals
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S002-71", "S002-1", "S002-2", "S002-6", "I-44")
def test_the_status_is_what_the_broker_says_not_what_we_asked_for() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        decision = await engine.submit(an_intent(0, price=an_intent().price))
        assert decision.order is not None
        order_id = decision.order.order_id
        cancel = asyncio.create_task(engine.cancel(order_id, an_intent().user_id))
        await until(lambda: not engine.desk.book.open)
        await asyncio.wait([cancel])
        order = await engine.find(order_id)
        record = next(iter(stage.market.orders.values()), None)
        if record is None:
            assert order.status is OrderStatus.CANCELLED, "it never left"
        else:
            assert order.qty_filled == record.qty_filled, "asked to cancel, filled all the same"
        await engine.stop()

    on_stage(play)
