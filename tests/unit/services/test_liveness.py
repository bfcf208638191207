"""The liveness watch beside the scenarios F-19, F-23, F-25: connections that end, hang, or never come."""

import asyncio
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from jumun.model.errors import BrokerUnavailable
from jumun.model.orders import TimeInForce
from jumun.services.liveness import PING_EVERY_S, RECONNECT_TIMEOUT_S
from tests.unit.services.stage import Stage, an_intent, on_stage, until


class Pulse:
    """A broker's heartbeat that a test may stop, and how often the broker was connected meanwhile."""

    def __init__(self, stage: Stage) -> None:
        self.stopped = False
        self.connects = 0
        self._connect, self._ping = stage.broker.connect, stage.broker.ping
        stage.broker.connect = self.connect  # type: ignore[method-assign]
        stage.broker.ping = self.ping  # type: ignore[method-assign]

    async def connect(self) -> None:
        self.connects += 1
        await self._connect()

    async def ping(self) -> None:
        if self.stopped:
            raise BrokerUnavailable("no heartbeat")
        await self._ping()


@pytest.mark.req("F-25", "F-23")
def test_a_line_that_came_back_is_dialled_once_and_heard_again() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        pulse = Pulse(stage)
        pulse.stopped = True
        await until(lambda: pulse.connects)
        pulse.stopped = False
        await until(lambda: not engine.desk.deaf)
        await asyncio.sleep(20 * PING_EVERY_S)
        assert pulse.connects == 1, "our own hanging up is no silence, and a healthy line is left alone"
        resting = await engine.submit(an_intent(0, price=Decimal(57_900), time_in_force=TimeInForce.DAY))
        assert resting.order is not None
        await until(lambda: not engine.desk.sending)
        stage.market.step("005930", Decimal(57_800), Decimal(1_000), stage.clock.now_ns())
        await until(lambda: not engine.desk.book.open, 1.0)
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-25", "I-65")
def test_a_connection_that_hangs_while_it_is_made_is_given_up_and_tried_again() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        pulse = Pulse(stage)
        hangs, connect = True, pulse._connect

        async def slow() -> None:
            if hangs:
                await asyncio.Event().wait()
            await connect()

        pulse._connect = slow
        pulse.stopped = True
        with capture_logs() as logs:
            await asyncio.sleep(3 * RECONNECT_TIMEOUT_S)
        assert [line["event"] for line in logs].count("reconnect_failed") >= 2
        assert engine.desk.deaf
        hangs = pulse.stopped = False
        await until(lambda: not engine.desk.deaf)
        assert engine.stopped is not None
        assert not engine.stopped.done()
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-93", "I-53")
def test_on_a_day_without_a_calendar_the_broker_is_listened_for_all_the_same() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.clock.offset_ns = 6 * 365 * 86_400 * 1_000_000_000
        pulse = Pulse(stage)
        pulse.stopped = True
        await until(lambda: engine.desk.deaf, 5.0)
        await engine.stop()

    on_stage(play)
