"""Cancels and modifies that meet a fill on their way to KIS, F-46, F-47, F-49, F-50: the exchange decides.

Each runs the whole desk and ends with the books held against the exchange's own ledger.
"""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from jumun.brokers.kis.access import KisEnvironment
from jumun.brokers.kis.budget import Lane
from jumun.brokers.kis.client import KisClient
from jumun.model.orders import Alarm, OrderStatus
from jumun.model.reasons import Reason
from jumun.ports.wire import HttpReply, NothingSent
from jumun.rules.decide_cancel import CANCELS_BEFORE_ALARM
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from jumun.testing.kis_stack import ACCOUNT
from tests.scenarios.any_stage import USER, until
from tests.scenarios.kis.stage import CHANGE, LIST, Stage, a_fault, on_stage
from tests.scenarios.plays import exchange as plays

NO_NOTICE = a_fault("notice_lost")
NO_LIST = a_fault("error_before", path=LIST)
BY_NOTICE = HouseSwitches(refusals="notice")  # KIS says yes, the exchange says no later


@pytest.mark.req("F-46", "I-02", "I-18", "I-20")
@pytest.mark.parametrize("house", [HouseSwitches(), BY_NOTICE], ids=["refused by reply", "refused by notice"])
@pytest.mark.parametrize("traded", [10, 4], ids=["all of it", "a part"])
def test_f46_a_cancel_that_crosses_a_fill_ends_where_the_exchange_says(
    traded: int, house: HouseSwitches
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        await asyncio.sleep(5)
        weather = stage.bad(a_fault("notice_lost", count=1 if traded == 10 else 0), NO_LIST)
        await plays.a_cancel_crosses_a_fill(stage, order_id, traded, weather)

    on_stage(play, house=house)


@pytest.mark.req("F-46", "I-18", "I-58")
def test_f46_a_refused_cancel_is_looked_into_at_once() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_refused_cancel_is_looked_into_at_once(stage, stage.bad(NO_NOTICE))

    on_stage(play)


@pytest.mark.req("F-47", "I-17", "I-01")
def test_f47_a_fill_heard_after_the_cancel_was_confirmed_is_booked_and_flagged() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        weather = stage.bad(a_fault("notice_late", nth=1, seconds=3), NO_LIST)
        await plays.a_fill_is_heard_after_its_cancel(stage, order_id, weather)

    on_stage(play)


@pytest.mark.req("F-49", "I-03", "I-33", "I-01")
@pytest.mark.parametrize("crossing", [0, 2, 4, 10])
@pytest.mark.parametrize("fault", ["", "reply_lost", "gateway_timeout", "reset_before"])
def test_f49_a_revise_that_crosses_a_fill_never_makes_more_than_was_authorised(
    crossing: int, fault: str
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.bad_weather(*([a_fault(fault, path=CHANGE)] if fault else []))
        await stage.engine.modify(order_id, USER, price=Decimal(57_700))
        if crossing:
            stage.trade("005930", 57_600, crossing)  # before the revise has arrived
        await asyncio.sleep(6)
        stage.calm()
        await until(lambda: plays.settled(stage.order(order_id)), 400.0)
        stage.trade("005930", 57_000, 100)
        order = await stage.ended(order_id, 40.0)
        assert order.qty_filled == sum(e.qty for e in stage.market.executions) == 10
        assert len(stage.wire.calls(CHANGE)) == 1

    on_stage(play)


@pytest.mark.req("F-49", "I-03", "I-33")
@pytest.mark.parametrize("crossing", [0, 2, 7])
@pytest.mark.parametrize("fault", ["", "reply_lost"])
def test_f49_a_quantity_that_is_cut_while_it_fills_never_makes_more_than_was_authorised(
    crossing: int, fault: str
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.bad_weather(*([a_fault(fault, path=CHANGE)] if fault else []))
        await stage.engine.modify(order_id, USER, qty=Decimal(5))
        if crossing:
            stage.trade("005930", 57_700, crossing)
        await asyncio.sleep(6)
        stage.calm()
        await until(lambda: plays.settled(stage.order(order_id)), 400.0)
        stage.trade("005930", 57_000, 100)
        order = await stage.ended(order_id, 40.0)
        assert order.qty_filled == sum(e.qty for e in stage.market.executions)
        assert order.qty_filled == (5 if crossing < 5 else 10), "what is gone cannot be taken away"
        assert len(stage.wire.calls(CHANGE)) == 1

    on_stage(play)


@pytest.mark.req("F-49", "I-03", "I-58")
def test_f49_a_revise_taken_by_kis_and_refused_by_notice_because_all_had_filled_changes_nothing() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        with stage.bad(a_fault("slow_request", path=CHANGE, ms=300)):
            await stage.engine.modify(order_id, USER, price=Decimal(57_700))
            await asyncio.sleep(0.1)
            stage.trade("005930", 57_700, 10)  # nothing is left when the revise arrives
            order = await stage.ended(order_id, 40.0)
        assert (order.status, order.qty_filled, len(order.refs)) == (OrderStatus.FILLED, 10, 1)
        assert order.amount_filled == sum(e.qty * e.price for e in stage.market.executions)
        assert len(stage.wire.calls(CHANGE)) == 1

    on_stage(play, house=BY_NOTICE)


@pytest.mark.req("F-49", "I-03", "I-33")
@pytest.mark.parametrize("heard", [True, False], ids=["heard", "notice lost"])
def test_f49_a_revise_taken_by_kis_and_refused_by_the_exchange_leaves_the_old_terms_in_force(
    heard: bool,
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        reserved = stage.book.cash_reserved[ACCOUNT, "KRW"]
        stage.market.halt("005930", stage.clock.now_ns())
        with stage.bad(*([] if heard else [NO_NOTICE])):
            await stage.engine.modify(order_id, USER, price=Decimal(57_700))
            await until(lambda: len(stage.wire.calls(CHANGE)) == 1)
            await until(lambda: plays.settled(stage.order(order_id)), 3.0 if heard else 400.0)
        order = stage.order(order_id)
        assert (order.status, order.price, len(order.refs)) == (OrderStatus.ACCEPTED, 57_800, 1)
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] == reserved
        stage.market.resume("005930", stage.clock.now_ns())
        stage.trade("005930", 57_700, 10)
        assert (await stage.ended(order_id, 40.0)).amount_filled == 10 * 57_800

    on_stage(play, house=BY_NOTICE)


@pytest.mark.req("F-50", "I-20", "I-59")
def test_f50_a_cancel_that_kis_takes_and_the_exchange_does_not_carry_out_is_asked_again() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_cancel_is_taken_and_not_carried_out(stage, 60.0)
        assert len(stage.wire.calls(CHANGE)) == 3

    on_stage(play)


@pytest.mark.req("F-50", "I-20", "I-59", "I-60")
def test_f50_an_order_that_cannot_be_cancelled_is_shown_to_a_person_keeps_its_exposure_and_may_fill() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.market.ignore_cancels(50)
        await stage.engine.cancel(order_id, USER)
        await until(lambda: Alarm.CANCEL_STUCK in stage.order(order_id).alarms, 90.0)
        assert len(stage.wire.calls(CHANGE)) == CANCELS_BEFORE_ALARM
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] >= 10 * 57_800
        stage.trade("005930", 57_700, 10)
        order = await stage.ended(order_id, 30.0)
        assert (order.status, order.qty_filled) == (OrderStatus.FILLED, 10)
        stage.market.ignore_cancels(0)

    on_stage(play)


@pytest.mark.req("F-50", "I-20", "I-47")
@pytest.mark.parametrize(
    "fault", ["reply_lost", "request_lost", "gateway_timeout", "gateway_refusal", "garbled"]
)
def test_f50_a_cancel_nobody_answered_is_asked_again_until_the_list_proves_the_end(fault: str) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        with stage.bad(a_fault(fault, path=CHANGE, count=2), NO_NOTICE):
            await stage.engine.cancel(order_id, USER)
            order = await stage.ended(order_id, 60.0)
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.CANCELLED_BY_USER)

    on_stage(play)


@pytest.mark.req("I-58", "I-59", "I-52")
def test_many_cancels_that_nobody_answers_do_not_keep_the_list_out_that_ends_their_orders() -> None:
    """At KIS paper's one call a second, with more orders than cancels can be repeated for in their pauses."""

    async def play(stage: Stage) -> None:
        ids = [await stage.rest(number, qty=Decimal(1)) for number in range(20)]
        await asyncio.sleep(30)
        with stage.bad(a_fault("reply_lost", path=CHANGE), NO_NOTICE):
            for order_id in ids:
                await stage.engine.cancel(order_id, USER)
            for order_id in ids:
                assert (await stage.ended(order_id, 180.0)).status is OrderStatus.CANCELLED

    on_stage(play, environment=KisEnvironment.PAPER, limits=None)


@pytest.mark.req("I-47")
def test_a_cancel_is_repeated_only_once_it_was_written_and_until_then_goes_before_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lanes: list[Lane] = []
    post = KisClient.post

    async def watched(client: KisClient, lane: Lane, *call: Any, **options: Any) -> HttpReply:
        lanes.append(lane)
        if len(lanes) <= 2:
            raise NothingSent("no place in the budget came free in time")
        return await post(client, lane, *call, **options)

    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        monkeypatch.setattr(KisClient, "post", watched)
        with stage.bad(a_fault("request_lost", path=CHANGE)):
            await stage.engine.cancel(order_id, USER)
            await until(lambda: stage.order(order_id).cancel_attempts == 4)
            await until(lambda: not stage.order(order_id).cancel_open)
        await stage.ended(order_id, 60.0)
        assert lanes == [Lane.CANCEL, Lane.CANCEL, Lane.CANCEL, *[Lane.REPEATED_CANCEL] * 2]

    on_stage(play)
