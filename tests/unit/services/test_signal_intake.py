"""Signals and prices from the bus: once, in order of priority, and nothing that is refused is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jumun import app
from jumun.bus.memory import MemoryBus
from jumun.config import load
from jumun.model.journal import Message
from jumun.model.orders import OrderStatus
from jumun.services.order_engine import OrderEngine
from jumun.services.order_queue import OrderQueue
from jumun.store.memory import MemoryJournal
from tests.unit.services.stage import ACCOUNT, START_NS, Stage, on_stage, orders_of, until

NOW = datetime.fromtimestamp(START_NS / 1e9, UTC)


def a_signal(**changes: Any) -> dict[str, object]:
    """Buy ten 005930 at a limit that trades at once."""
    values: dict[str, object] = {
        "symbol": "005930",
        "side": "BUY",
        "quantity": 10,
        "order_type": "LIMIT",
        "price": 58_100.0,
        "strategy_id": "momentum",
        "strategy_version": "momentum-3",
        "account_id": ACCOUNT,
        "signal_ts": NOW.isoformat(),
    }
    return {**values, **changes}


class Room:
    """An engine that hears a bus, and what the bus said."""

    def __init__(self, stage: Stage, engine: OrderEngine, bus: MemoryBus) -> None:
        self.stage, self.engine, self.bus = stage, engine, bus
        assert engine.signals is not None, "this bus carries signals"
        self.intake = engine.signals
        self.refused: list[dict[str, object]] = []
        bus.subscribe("signal_refused", self._hear)

    async def _hear(self, message: Message) -> None:
        self.refused.append(message.payload)

    async def signal(self, **changes: Any) -> None:
        await self.bus.publish("trading_signal", {"signal": a_signal(**changes)})


def in_a_room(play: Callable[[Room], Awaitable[None]], **named: Any) -> None:
    async def on(stage: Stage) -> None:
        bus = MemoryBus(stage.clock)
        engine = stage.engine(event_bus=bus, **named)
        await engine.start()
        await play(Room(stage, engine, bus))
        await engine.stop()

    on_stage(on)


@pytest.mark.req("S000-34", "S000-35", "S000-64", "S000-4", "S000-54", "S000-106")
def test_a_published_signal_becomes_an_order_and_its_fill_a_position() -> None:
    async def play(room: Room) -> None:
        await room.signal()
        [order] = orders_of(room.engine)
        assert (order.symbol, order.qty, order.strategy_id) == ("005930", Decimal(10), "momentum")
        await until(lambda: not room.engine.desk.book.open)
        position = room.engine.get_position("005930", ACCOUNT)
        assert position is not None
        assert position.quantity == 10
        assert room.refused == []

    in_a_room(play)


@pytest.mark.req("I-08", "S000-64")
def test_a_bus_that_delivers_a_signal_fifty_times_makes_one_order() -> None:
    async def play(room: Room) -> None:
        await asyncio.gather(*(room.signal() for _ in range(50)))
        await until(lambda: not room.engine.desk.book.open)
        assert len(orders_of(room.engine)) == len(room.stage.broker.sends) == 1
        assert room.refused == []

    in_a_room(play)


@pytest.mark.req("F-96", "S000-64")
@pytest.mark.parametrize(
    ("event_data", "reason"),
    [
        ({}, "BAD_SIGNAL"),
        ({"signal": None}, "BAD_SIGNAL"),
        ({"signal": [a_signal()]}, "BAD_SIGNAL"),
        ({"signal": a_signal(side="HOLD")}, "UNKNOWN_SIDE"),
        ({"signal": a_signal(quantity=float("nan"))}, "BAD_NUMBER"),
        ({"signal": a_signal(quantity=True)}, "BAD_NUMBER"),
        ({"signal": a_signal(symbol="999999")}, "UNKNOWN_SYMBOL"),
        ({"signal": a_signal(account_id="NOBODY")}, "UNKNOWN_ACCOUNT"),
        ({"signal": a_signal(colour="red")}, "BAD_SIGNAL"),
        ({"signal": a_signal(signal_ts="2025-05-26T09:00:00")}, "BAD_TIME"),
        ({"signal": a_signal(signal_ts=(NOW + timedelta(days=2)).isoformat())}, "BAD_TIME"),
        ({"signal": a_signal(), "user_id": "mallory"}, "PERMISSION"),
        ({"signal": a_signal(), "user_id": 7}, "BAD_SIGNAL"),
    ],
)
def test_a_bad_signal_makes_no_order_and_is_reported_on_the_bus(
    event_data: dict[str, object], reason: str
) -> None:
    async def play(room: Room) -> None:
        await room.bus.publish("trading_signal", event_data)
        [told] = room.refused
        assert told["reason"] == reason
        assert told["event_type"] == "trading_signal"
        assert (
            "005930" in str(told["event"]) or not event_data.get("signal") or "999999" in str(told["event"])
        )
        assert orders_of(room.engine) == []
        await room.signal()
        assert len(orders_of(room.engine)) == 1, "the next one is taken"

    in_a_room(play)


@pytest.mark.req("C-4")
def test_the_same_signal_with_another_quantity_leaves_the_first_order_and_is_reported() -> None:
    async def play(room: Room) -> None:
        await room.signal()
        await room.signal(quantity=11)
        [told] = room.refused
        assert told["reason"] == "KEY_CONFLICT"
        [order] = orders_of(room.engine)
        assert order.qty == 10

    in_a_room(play)


@pytest.mark.req("F-96")
def test_a_signal_before_the_desk_is_ready_is_reported_and_not_lost_in_silence() -> None:
    async def on(stage: Stage) -> None:
        bus = MemoryBus(stage.clock)
        engine = stage.engine(event_bus=bus)
        room = Room(stage, engine, bus)
        await room.signal()
        assert [told["reason"] for told in room.refused] == ["NOT_READY"]
        await engine.start()
        await room.signal()
        assert len(orders_of(engine)) == 1, "the same signal, once it can be taken"
        await engine.stop()

    on_stage(on)


def test_a_signal_during_a_halt_is_reported_and_may_come_again() -> None:
    async def play(room: Room) -> None:
        await room.engine.halt("a look is needed")
        await room.signal()
        assert [told["reason"] for told in room.refused] == ["HALTED"]
        assert orders_of(room.engine) == []

    in_a_room(play)


@pytest.mark.req("S000-65")
def test_market_data_from_the_bus_revalues_the_position() -> None:
    async def play(room: Room) -> None:
        await room.signal()
        await until(lambda: not room.engine.desk.book.open)
        held = room.engine.get_position("005930", ACCOUNT)
        assert held is not None
        await room.bus.publish("market_data_received", {"symbol": "005930", "price": 60_000})
        position = room.engine.get_position("005930", ACCOUNT)
        assert position is not None
        assert position.unrealized_pnl == 10 * Decimal(60_000) - held.cost_basis
        for bad in ({}, {"symbol": "005930"}, {"symbol": "005930", "price": -1}):
            await room.bus.publish("market_data_received", bad)
        assert [told["event_type"] for told in room.refused] == ["market_data_received"] * 3
        after = room.engine.get_position("005930", ACCOUNT)
        assert after == position

    in_a_room(play)


@pytest.mark.req("S000-40", "S000-41")
def test_the_signal_of_the_strategy_with_the_lower_priority_number_is_sent_first() -> None:
    async def play(room: Room) -> None:
        room.stage.broker.delay_s = 5.0
        strategies = ("plain", "plain", "late", "urgent", "plain")
        for number, strategy in enumerate(strategies):
            at = (NOW + timedelta(milliseconds=number)).isoformat()
            await room.signal(
                symbol=("005930", "000660")[number % 2],
                quantity=number + 1,
                price={0: 58_100, 1: 248_500}[number % 2],
                strategy_id=strategy,
                strategy_version=f"{strategy}-{number}",
                signal_ts=at,
            )
        await until(lambda: not room.engine.desk.book.open, 300)
        by_id = {order.order_id: order for order in orders_of(room.engine)}
        sent = [by_id[request.order_id].strategy_id for _, request in room.stage.broker.sends]
        assert sent[0] == "plain", "the first one finds an empty queue"
        assert sent[1:] == ["urgent", "plain", "plain", "late"]
        assert all(order.status is OrderStatus.FILLED for order in by_id.values())

    in_a_room(play, order_queue=OrderQueue(100, 1, 300, {"urgent": 10, "late": 500}))


def test_who_stops_listening_hears_nothing_more() -> None:
    async def play(room: Room) -> None:
        room.intake.listen()
        await room.signal()
        assert room.intake.taken == 1, "listening twice is listening once"
        room.intake.stop()
        await room.signal(quantity=20)
        assert (len(orders_of(room.engine)), room.refused) == (1, [])

    in_a_room(play)


@pytest.mark.req("S000-41", "S000-96", "S000-97")
def test_the_priorities_and_sizes_of_the_settings_are_those_of_the_queue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRATEGY_PRIORITIES", "momentum=80,value=110")
    monkeypatch.setenv("MAX_QUEUE_SIZE", "7")
    settings = load().settings

    async def on(stage: Stage) -> None:
        engine = app.build_engine(
            settings, stage.broker, stage.broker, stage.clock, MemoryJournal(stage.disk)
        )
        assert engine.queue.strategy_priorities == {"momentum": 80, "value": 110}
        assert engine.queue.max_queue_size == 7
        assert engine.signals is not None, "the service hears signals on its bus"

    on_stage(on)
