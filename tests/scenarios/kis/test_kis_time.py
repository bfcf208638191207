"""Faults of time at KIS's link, F-93: KIS's own trading days beside our calendar, on the whole desk.

Each ends with the books held against the exchange's own ledger.
"""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from jumun.brokers.kis.access import KisEnvironment
from jumun.model.instruments import Venue
from jumun.model.orders import OrderStatus, TimeInForce
from jumun.model.reasons import Reason
from tests.scenarios.any_stage import TODAY, USER, until
from tests.scenarios.kis.stage import DAYS, US_ORDER, Stage, a_fault, on_stage, spoiling

TOMORROW = (date.fromisoformat(TODAY) + timedelta(days=1)).isoformat()


def closed_on(day: str) -> Any:
    """KIS says that one day is closed."""

    def close(body: dict[str, Any]) -> None:
        for row in body["output"]:
            if row["bass_dt"] == day.replace("-", ""):
                row["opnd_yn"] = "N"

    return spoiling(DAYS, close)


async def ask_again(stage: Stage) -> None:
    """The morning's question, now."""
    assert stage.engine.told_calendar is not None
    await stage.engine.told_calendar.compare()


@pytest.mark.req("F-93", "I-53", "S000-112")
def test_f93_on_a_day_that_kis_calls_closed_nothing_is_sent_to_seoul_and_new_york_goes_on() -> None:
    async def play(stage: Stage) -> None:
        working = await stage.rest(9)
        stage.wire.on_answer = closed_on(TODAY)
        await ask_again(stage)
        made = await stage.engine.submit(stage.intent(0))
        assert made.denial is not None
        assert made.denial.reason is Reason.NO_TABLE
        assert f"KRX is closed on {TODAY}" in made.denial.text
        assert "OMS_CALENDAR_FILE" in made.denial.text, "it says what to do"
        abroad = await stage.buy(1, symbol="AAPL", price=Decimal("190.00"))
        await until(lambda: stage.order(abroad).status is OrderStatus.ACCEPTED, 10.0)
        await asyncio.sleep(60)
        assert stage.orders_written == 1, "the one of before"
        assert len(stage.wire.calls(US_ORDER)) == 1
        assert (await stage.engine.get_engine_status())["disputed_days"] == [f"KRX {TODAY}", f"NXT {TODAY}"]
        await stage.engine.cancel(working, USER)
        assert (await stage.ended(working)).status is OrderStatus.CANCELLED, "a cancel is always possible"

    on_stage(play, us=True, asks_days=True)


@pytest.mark.req("F-93", "I-53")
def test_f93_what_waits_when_kis_calls_the_day_closed_is_never_sent_and_a_multi_day_order_rests() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("connection_refused", path="/order-cash")):
            today = await stage.buy(0)
            carried = await stage.buy(1, symbol="000660", time_in_force=TimeInForce.GTC)
            await until(lambda: stage.weather.struck["connection_refused"] >= 2, 10.0)
            stage.wire.on_answer = closed_on(TODAY)
            await ask_again(stage)
        await asyncio.sleep(60)
        assert stage.order(today).status.is_final
        assert stage.order(today).reason is Reason.NO_TABLE
        assert stage.order(carried).resting
        assert stage.market.arrivals == []
        await stage.engine.cancel(carried, USER)

    on_stage(play, asks_days=True)


@pytest.mark.req("F-93")
def test_f93_a_day_to_come_that_kis_calls_closed_is_told_at_once_and_today_goes_on() -> None:
    async def play(stage: Stage) -> None:
        stage.wire.on_answer = closed_on(TOMORROW)
        await ask_again(stage)
        assert set(stage.engine.desk.disputed) == {
            (venue, date.fromisoformat(TOMORROW)) for venue in (Venue.KRX, Venue.NXT)
        }
        assert (await stage.ended(await stage.buy(0))).status is OrderStatus.FILLED

    on_stage(play, asks_days=True)


@pytest.mark.req("F-93", "I-53", "I-39")
@pytest.mark.parametrize("fault", ["reset_after", "garbled", "gateway_refusal", "empty_page", "refused"])
def test_f93_where_kis_does_not_answer_at_the_start_our_calendar_decides_until_it_does(fault: str) -> None:
    async def play(stage: Stage) -> None:
        await stage.crash()
        with stage.bad(a_fault(fault, path=DAYS)):
            await stage.start()
            first = await stage.buy(0)
            assert (await stage.ended(first)).status is OrderStatus.FILLED
            assert stage.engine.desk.disputed == {}
            stage.wire.on_answer = closed_on(TODAY)
        await until(lambda: bool(stage.engine.desk.disputed), 100.0)
        assert await stage.denial(3) is Reason.NO_TABLE

    on_stage(play, asks_days=True)


@pytest.mark.req("F-93")
@pytest.mark.parametrize("environment", list(KisEnvironment))
def test_f93_kis_is_asked_for_its_days_once_at_the_start_and_its_paper_service_never(
    environment: KisEnvironment,
) -> None:
    async def play(stage: Stage) -> None:
        await asyncio.sleep(600)
        asked = len(stage.wire.calls(DAYS))
        assert asked == (1 if environment is KisEnvironment.LIVE else 0)

    on_stage(play, asks_days=True, environment=environment)


@pytest.mark.req("F-93", "I-53", "I-07")
def test_f93_a_start_on_a_day_that_kis_calls_closed_sends_nothing_at_all() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("connection_refused", path="/order-cash")):
            order_id = await stage.buy(0)
            await until(lambda: stage.weather.struck["connection_refused"] >= 1, 10.0)
            await stage.crash()
        stage.wire.on_answer = closed_on(TODAY)
        await stage.start()
        await asyncio.sleep(30)
        assert stage.order(order_id).status.is_final
        assert stage.market.arrivals == []

    on_stage(play, asks_days=True)
