"""What became of an order and of a day is answered while it runs, after it ended and after a restart."""

import asyncio
from decimal import Decimal as D

import pytest

from jumun.model.errors import BadInput, OrderDenied, UnknownOrder
from jumun.model.fills import Fill
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.orders import Side
from jumun.rules.day_stats import DAYS_MAX
from jumun.services import execution_manager
from jumun.services.execution_manager import ExecutionManager
from jumun.services.trackers import ExecutionTracker
from tests.unit.services.stage import ACCOUNT, Stage, an_intent, on_stage, until

DAY = "2025-05-26"


@pytest.mark.req("S000-29", "S000-108", "S000-33")
def test_an_order_answers_for_its_execution_after_it_completed_and_after_a_restart() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = ExecutionManager(engine)
        await engine.start()
        decision = await engine.submit(an_intent(9))
        assert decision.order is not None
        order_id = decision.order.order_id
        assert (await manager.get_execution_status(order_id))["fill_ratio"] == 0
        await until(lambda: not engine.desk.book.open)
        told = await manager.get_execution_status(order_id)
        assert (told["status"], told["fill_ratio"], told["remaining_quantity"]) == ("FILLED", 1, 0)
        assert f"{told['fill_ratio']:.1%}" == "100.0%"
        fills = told["fills"]
        assert isinstance(fills, list)
        assert sum(fill.qty for fill in fills) == 10
        amount = sum(fill.amount for fill in fills)
        assert told["average_fill_price"] == amount / 10
        order = await engine.find(order_id)
        assert told["commission"] == sum(order.costs.values())
        assert order.arrival_price is not None
        assert told["slippage"] == amount - 10 * order.arrival_price
        assert told["time_to_completion_ns"] == order.updated_ns - order.created_ns
        await engine.stop()

        again = stage.engine()
        later = ExecutionManager(again)
        await again.start()
        again.desk.book.recent.clear()  # it has left memory
        assert again.desk.book.order(order_id) is None
        assert await later.get_execution_status(order_id) == told
        await again.stop()

    on_stage(play)


@pytest.mark.req("S000-109", "S000-33")
def test_the_days_figures_survive_a_crash_and_are_those_of_the_fills() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = ExecutionManager(engine)
        await engine.start()
        for number in range(5):
            await engine.submit(an_intent(number))
        await until(lambda: not engine.desk.book.open)
        await engine.submit(an_intent(99, qty=D(10_000_000)))  # refused: there is no such money
        told = await manager.get_daily_execution_stats()
        fills = list(manager.fills)
        assert told["trade_date"] == DAY
        assert told["accounts"] == [ACCOUNT]
        assert told["total_fills"] == len(fills) >= 5
        assert told["filled_quantity"] == sum(fill.qty for fill in fills) == 1 + 2 + 3 + 4 + 5
        assert (told["total_orders"], told["filled_orders"], told["denied_orders"]) == (6, 5, 1)
        money = told["by_currency"]
        assert isinstance(money, dict)
        assert money["KRW"]["bought"] == sum(fill.amount for fill in fills)
        held = engine.get_position("005930", ACCOUNT)
        assert held is not None
        assert money["KRW"]["total_costs"] == held.costs
        await engine.abandon()  # a crash: no last snapshot
        stage.disk.writer = None

        again = stage.engine()
        later = ExecutionManager(again)
        await again.start()
        assert await later.get_daily_execution_stats() == told
        assert await later.get_daily_execution_stats(DAY, ACCOUNT, Venue.KRX) == told
        other = await later.get_daily_execution_stats(account_id=AccountId("other"))
        assert (other["total_fills"], other["accounts"]) == (0, [])
        await again.stop()

    on_stage(play)


@pytest.mark.req("S000-109")
def test_the_next_session_starts_at_nothing_and_yesterday_is_still_told_by_its_date() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = ExecutionManager(engine)
        await engine.start()
        await engine.submit(an_intent(0))
        await until(lambda: not engine.desk.book.open)
        await asyncio.sleep(15.1 * 3600)  # past midnight in Seoul; the sessions of this market are days
        today = await manager.get_daily_execution_stats(venue=Venue.KRX)
        assert (today["trade_date"], today["total_fills"]) == ("2025-05-27", 0)
        yesterday = await manager.get_daily_execution_stats(DAY)
        assert yesterday["total_fills"] == 1
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-53", "S000-115")
def test_a_day_that_was_dropped_is_refused_and_not_told_as_a_day_without_fills() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = ExecutionManager(engine)
        await engine.start()
        await engine.submit(an_intent(0))
        await until(lambda: not engine.desk.book.open)
        days = engine.desk.book.days
        ((_, stats),) = days.items()
        for number in range(1, DAYS_MAX):
            days[ACCOUNT, f"2025-06-{number:02}"] = stats
        with pytest.raises(BadInput, match="no longer in memory"):
            await manager.get_daily_execution_stats("2025-05-23")
        assert (await manager.get_daily_execution_stats("2025-07-01"))["total_fills"] == 0
        await engine.abandon()

    on_stage(play)


@pytest.mark.req("S000-31")
def test_orders_that_have_not_filled_are_listed_with_their_age_the_oldest_first() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = ExecutionManager(engine)
        await engine.start()
        far = D(50_000)
        base = stage.market.base_of("000660", DAY)
        assert base is not None
        low = base * 9 // 10 // 1_000 * 1_000
        first = await engine.submit(an_intent(1, price=far))
        await asyncio.sleep(30)
        second = await engine.submit(an_intent(2, symbol="000660", price=low))
        await asyncio.sleep(5)
        waiting = await manager.get_unfilled_orders()
        assert first.order is not None
        assert second.order is not None
        ids = [first.order.order_id, second.order.order_id]
        assert [one.order.order_id for one in waiting] == ids
        assert [one.age_ns // 1_000_000_000 for one in waiting] == [35, 5]
        assert waiting[0].since_fill_ns is None
        assert waiting[0].qty_left == 2
        assert [one.order.order_id for one in await manager.get_unfilled_orders(older_than_s=10)] == ids[:1]
        assert [one.order.order_id for one in await manager.get_unfilled_orders("000660")] == ids[1:]
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-115")
def test_the_history_in_memory_is_bounded_and_keeps_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_manager, "HISTORY_MAX", 3)

    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = ExecutionManager(engine)
        all_of_them: list[Fill] = []
        engine.listeners.append(lambda entries: all_of_them.extend(e.fill for e in entries if e.fill))
        await engine.start()
        for number in range(6):
            await engine.submit(an_intent(number))
        await until(lambda: not engine.desk.book.open)
        assert len(all_of_them) == 6
        assert list(manager.fills) == all_of_them[-3:]
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-32", "S000-83", "S000-84", "S000-86", "S000-114")
def test_alarms_of_the_desk_are_told_with_the_order_and_counted_into_its_day() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = ExecutionManager(engine)
        await engine.start()
        decision = await engine.submit(an_intent(0, price=D(50_000)))
        assert decision.order is not None
        await until(lambda: manager.alarms, 300)
        assert manager.alarms[0].alarm == "FILL_DELAY"
        told = await manager.get_execution_status(decision.order.order_id)
        assert told["alarms"] == ["FILL_DELAY"]
        assert (await manager.get_daily_execution_stats())["alarms"] == {"FILL_DELAY": 1}
        await engine.stop()

    on_stage(play, fill_alert_s=60)


@pytest.mark.req("S000-99", "S000-100", "S000-101", "S000-95")
def test_the_managers_configuration_is_the_one_the_desk_works_by() -> None:
    async def play(stage: Stage) -> None:
        manager = ExecutionManager(stage.engine())
        assert manager.config == {
            "max_partial_fill_time": 300,
            "min_fill_size": 1,
            "max_fills_per_order": 7,
            "enable_partial_fills": True,
        }

    on_stage(play, max_fills_per_order=7)


@pytest.mark.req("S000-49", "S000-50")
def test_a_tracker_is_made_as_in_the_specification_and_survives_a_total_of_nothing() -> None:
    tracker = ExecutionTracker("order-1", "005930", 10)
    assert (tracker.filled_quantity, tracker.average_fill_price, tracker.fills) == (0, 0.0, [])
    tracker.filled_quantity = 4
    assert tracker.fill_ratio == 0.4
    assert ExecutionTracker(order_id="order-2", symbol="005930", total_quantity=0).fill_ratio == 0.0


@pytest.mark.req("S000-49")
def test_the_tracker_of_a_filled_order_holds_its_fills_and_its_average() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = ExecutionManager(engine)
        await engine.start()
        decision = await engine.submit(an_intent(2, side=Side.BUY))
        assert decision.order is not None
        await until(lambda: not engine.desk.book.open)
        tracker = await manager.get_tracker(decision.order.order_id)
        assert (tracker.total_quantity, tracker.filled_quantity, tracker.fill_ratio) == (3, 3, 1.0)
        assert sum(fill.qty for fill in tracker.fills) == 3
        assert isinstance(tracker.average_fill_price, float)
        with pytest.raises(UnknownOrder):
            await manager.get_tracker("nobody-knows-it")
        await engine.stop()

    on_stage(play)


def test_a_manager_without_a_desk_says_so() -> None:
    async def play() -> None:
        with pytest.raises(OrderDenied, match="has no desk"):
            await ExecutionManager().get_daily_execution_stats()

    asyncio.run(play())


def test_a_manager_listens_to_its_desk_once() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = ExecutionManager(engine)
        before = list(engine.listeners)
        manager.attach(engine)
        assert engine.listeners == before
        with pytest.raises(AssertionError):
            manager.attach(stage.engine())

    on_stage(play)
