"""Faults of time and calendar (trading_controls.md 8.7): monotonic durations, the venue's own sessions."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from jumun.exchange.market import Market
from jumun.exchange.sample_world import sample_world
from jumun.model.errors import OrderDenied
from jumun.model.orders import OrderStatus, TimeInForce
from jumun.model.reasons import Reason
from jumun.rules.policy import Policy
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.services.order_engine import OrderEngine
from jumun.services.steady_clock import SteadyClock
from jumun.testing.virtual_loop import VirtualClock, VirtualLoop, run_virtual
from tests.unit.services.stage import ACCOUNT, CASH, Stage, an_intent, on_stage, until

S = 1_000_000_000
LOW = Decimal(50_000)  # far below the market: it rests


class RealDays(Stage):
    """A stage whose venues keep their real hours."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.market = Market(sample_world(NO_OVERRIDES))
        self.market.open_account(ACCOUNT, cash=CASH, now_ns=self.clock.now_ns())
        self.broker = self.new_broker()

    def policy(self) -> Policy:
        return msgspec.structs.replace(super().policy(), sessions=NO_OVERRIDES)

    def trade_at(self, symbol: str) -> Decimal:
        """Print one price, so that the symbol can be traded; return it."""
        day = datetime.fromtimestamp(self.clock.now_ns() // S, UTC).date().isoformat()
        base = self.market.base_of(symbol, day)
        assert base is not None
        self.market.step(symbol, base, Decimal(100_000), self.clock.now_ns(), quote_qty=Decimal(100_000))
        return base


def at(moment: str, play: Callable[[RealDays], Awaitable[None]]) -> None:
    """Run a play that begins at this UTC instant."""

    async def main() -> None:
        await play(RealDays())

    run_virtual(main(), int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * S)


@pytest.mark.req("F-90", "I-62")
@pytest.mark.parametrize("step_s", [-3_600, -1, 1, 3_600])
def test_f90_a_step_of_the_wall_clock_shortens_no_timer_and_stretches_none(step_s: int) -> None:
    async def play(stage: Stage) -> None:
        wall = stage.clock
        assert isinstance(wall, VirtualClock)
        stage.clock = SteadyClock(wall)  # type: ignore[assignment]
        stage.broker = stage.new_broker()
        stage.print_prices()
        engine = stage.engine()
        await engine.start()
        resting = await engine.submit(an_intent(0, price=LOW))  # no time in force: it lives 300 s
        assert resting.order is not None
        order_id = resting.order.order_id
        began_ns = wall.monotonic_ns()
        await asyncio.sleep(100)
        wall.offset_ns = step_s * S + step_s // abs(step_s)
        await asyncio.sleep(150)
        assert order_id in engine.desk.book.open, "250 s are not 300 s, whatever the clock on the wall says"
        with pytest.raises(OrderDenied) as refused:
            await engine.submit(an_intent(1))
        assert refused.value.reason is Reason.CLOCK_JUMPED
        await until(lambda: order_id not in engine.desk.book.open, 120)
        lived_s = (wall.monotonic_ns() - began_ns) / S
        assert 300 <= lived_s < 305
        wall.offset_ns = 0
        assert (await engine.submit(an_intent(1))).denial is None
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-91", "I-57")
@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2025-03-07T13:45:00", False),  # Friday, before the change: New York opens at 14:30 UTC
        ("2025-03-07T14:45:00", True),
        ("2025-03-10T13:45:00", True),  # Monday, after it: at 13:30 UTC
        ("2025-03-10T20:15:00", False),
    ],
)
def test_f91_new_york_opens_by_its_own_clock_before_and_after_daylight_saving(
    moment: str, is_open: bool
) -> None:
    async def play(stage: RealDays) -> None:
        engine = stage.engine()
        await engine.start()
        price = stage.trade_at("AAPL") if is_open else Decimal("190.00")
        made = await engine.submit(an_intent(0, symbol="AAPL", price=price, time_in_force=TimeInForce.DAY))
        await asyncio.sleep(5)
        assert bool(stage.market.arrivals) is is_open
        if not is_open:
            assert made.denial is not None
        await engine.stop()

    at(moment, play)


@pytest.mark.req("F-92", "I-64", "F-55", "F-31")
def test_f92_the_same_number_on_two_days_is_two_orders_and_midnight_in_seoul_ends_no_day_in_new_york() -> (
    None
):
    async def play(stage: RealDays) -> None:
        engine = stage.engine()
        await engine.start()
        price = stage.trade_at("AAPL")
        low = (price * Decimal("0.9")).quantize(Decimal("0.01"))
        first = await engine.submit(an_intent(0, symbol="AAPL", price=low, time_in_force=TimeInForce.DAY))
        assert first.order is not None
        first_id = first.order.order_id
        await until(lambda: engine.desk.book.open[first_id].status is OrderStatus.ACCEPTED)
        await until(lambda: stage.clock.now_ns() > _ns("2025-05-27T15:01:00"), 300)  # in Seoul it is tomorrow
        assert engine.desk.book.open[first_id].trade_date == "2025-05-27"
        assert engine.desk.book.open[first_id].is_executable
        engine = await sleep_until(stage, engine, "2025-05-27T21:00:00")
        await until(lambda: first_id not in engine.desk.book.open)
        engine = await sleep_until(stage, engine, "2025-05-28T14:00:00")
        stage.trade_at("AAPL")
        second = await engine.submit(
            an_intent(86_400_000, symbol="AAPL", price=low, time_in_force=TimeInForce.DAY)
        )
        assert second.order is not None
        second_id = second.order.order_id
        await until(lambda: engine.desk.book.open[second_id].status is OrderStatus.ACCEPTED)
        old, new = await engine.find(first_id), await engine.find(second_id)
        assert old.status is OrderStatus.CANCELLED
        assert old.reason is Reason.EXPIRED
        assert old.refs[0] != new.refs[0]
        assert new.trade_date == "2025-05-28"
        assert engine.desk.book.order_by_ref(ACCOUNT, old.refs[0]) in (None, old)
        await engine.stop()

    at("2025-05-27T14:58:00", play)


@pytest.mark.req("F-93", "I-53")
@pytest.mark.parametrize("day", ["2025-06-03", "2025-06-06", "2025-06-07"])  # election, holiday, Saturday
def test_f93_on_a_day_without_a_session_nothing_is_sent_and_the_caller_hears_why(day: str) -> None:
    async def play(stage: RealDays) -> None:
        engine = stage.engine()
        await engine.start()
        made = await engine.submit(an_intent(0, time_in_force=TimeInForce.DAY))
        await asyncio.sleep(60)
        assert made.denial is not None
        assert made.order is not None
        assert (await engine.find(made.order.order_id)).status.is_final
        assert stage.broker.sends == []
        await engine.stop()

    at(f"{day}T01:00:00", play)


async def sleep_until(stage: RealDays, engine: OrderEngine, moment: str) -> OrderEngine:
    """Stop the engine, let the market's time pass, and start another engine."""
    await engine.stop()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.elapsed_ns += _ns(moment) - stage.clock.now_ns()
    stage.broker = stage.new_broker()
    again = stage.engine()
    await again.start()
    return again


def _ns(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * S
