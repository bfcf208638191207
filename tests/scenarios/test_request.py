"""Faults of the request path, F-01 to F-18, on the whole desk: what a lost answer may never cost.

Each ends with the books held against the exchange's own ledger. F-09 to F-12 are about one broker's wire.
"""

import asyncio
from decimal import Decimal

import pytest

from jumun.brokers.paper.broker import ANSWER_TIMEOUT_S
from jumun.brokers.paper.wire import Answer, Command, OrderTaken, Submit
from jumun.model.events import OrderUnknown, SendIntended
from jumun.model.orders import OrderStatus
from jumun.model.reasons import Reason
from jumun.rules.policy import Limits
from tests.scenarios.any_stage import until
from tests.scenarios.plays import request as plays
from tests.scenarios.stage import ACCOUNT, SYMBOLS, Stage, an_intent, on_stage

LOST_ANSWERS = ("reply_lost", "reply_reset", "reset_early", "server_error", "reply_garbled")


@pytest.mark.req("F-01", "I-07", "I-49")
def test_f01_an_order_that_could_not_leave_is_tried_again_and_leaves_once() -> None:
    async def play(stage: Stage) -> None:
        stage.weather(not_sent=1.0)
        order_id = await stage.buy()
        await until(lambda: stage.order(order_id).retry_at_ns is not None)
        assert stage.order(order_id).status is OrderStatus.NEW, "nothing left, so nothing is in doubt"
        stage.calm()
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        assert stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-01", "I-07", "I-49")
def test_f01_an_order_that_never_leaves_ends_soon_and_gives_its_money_back() -> None:
    async def play(stage: Stage) -> None:
        stage.weather(not_sent=1.0)
        await plays.an_order_never_leaves(stage, 15.0)

    on_stage(play)


@pytest.mark.req("F-02", "F-16", "I-07", "I-15", "I-49")
@pytest.mark.parametrize(("fault", "sends"), [("request_lost", 2), ("reply_reset", 1), ("reset_early", 1)])
def test_f02_a_reset_after_the_first_byte_proves_nothing_and_the_order_trades_once(
    fault: str, sends: int
) -> None:
    async def play(stage: Stage) -> None:
        stage.weather(**{fault: 1.0})
        order_id = await stage.buy()
        await until(lambda: stage.order(order_id).is_unknown)
        stage.calm()
        assert stage.order(order_id).status is OrderStatus.ERROR
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] > 0, "in doubt it is as good as working"
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        assert len(stage.link.submits()) == sends
        assert stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-03", "I-07", "I-11", "I-15")
def test_f03_an_accepted_order_whose_answer_is_lost_is_found_in_the_list_and_never_sent_again() -> None:
    async def play(stage: Stage) -> None:
        weather = stage.bad(reply_lost=1.0, notice_lost=1.0)
        await plays.a_lost_answer_is_found_by_its_looks(stage, weather)

    on_stage(play)


@pytest.mark.req("F-03", "F-45", "I-11", "I-42", "I-07")
def test_f03_two_orders_that_could_be_the_lost_one_are_a_persons_to_tell_apart() -> None:
    async def play(stage: Stage) -> None:
        weather = stage.bad(reply_lost=1.0, notice_lost=1.0)
        await plays.two_orders_could_be_the_lost_one(stage, weather, 60.0)

    on_stage(play, agrees=False)


@pytest.mark.req("F-04", "I-15", "I-49", "I-07")
def test_f04_a_refusal_that_never_came_back_leaves_an_unknown_order_until_the_list_proves_it_absent() -> None:
    async def play(stage: Stage) -> None:
        await stage.studies(1)
        # Somebody else spends the money at the broker; the desk learns of it only afterwards.
        stage.weather(reply_lost=1.0, notice_lost=1.0, history_fails=1.0)
        for _ in range(10):
            stage.stranger(qty=Decimal(170))
        order_id = await stage.buy(160)
        await until(lambda: stage.order(order_id).is_unknown)
        await asyncio.sleep(60)
        assert stage.order(order_id).is_unknown, "no passing of time turns silence into a refusal"
        assert stage.market.arrivals[-1].refused is not None
        stage.calm()
        order = await stage.ended(order_id)
        assert order.status is OrderStatus.REJECTED
        refusals = [a.refused for a in stage.market.arrivals if a.order.tag.startswith(order_id)]
        assert None not in refusals
        assert len(refusals) == 2

    on_stage(play, exclusive=False)


@pytest.mark.req("F-04", "I-15", "I-07", "I-49")
@pytest.mark.parametrize("policy", ["resend_once", "hold"])
def test_f04_silence_about_an_order_that_never_arrived_ends_by_proof_alone(policy: str) -> None:
    async def play(stage: Stage) -> None:
        stage.weather(request_vanishes=1.0)
        order_id = await stage.buy()
        await until(lambda: stage.order(order_id).is_unknown)
        stage.calm()
        if policy == "resend_once":
            assert (await stage.ended(order_id)).status is OrderStatus.FILLED
            assert stage.arrived(order_id) == 1
        else:
            await asyncio.sleep(600)
            assert stage.order(order_id).is_unknown, "while the session lasts, absence is no proof here"
            assert stage.arrived(order_id) == 0
            assert stage.book.cash_reserved[ACCOUNT, "KRW"] > 0

    on_stage(play, unknown_order_policy=policy)


@pytest.mark.req("F-05", "I-08", "I-11", "I-07")
def test_f05_an_answer_after_its_time_out_makes_no_second_order() -> None:
    async def play(stage: Stage) -> None:
        async def late(command: Command, answer: Answer) -> Answer:
            if isinstance(command, Submit):
                await asyncio.sleep(ANSWER_TIMEOUT_S + 1)
            return answer

        stage.link.on_answer = late
        weather = stage.bad(notice_lost=1.0)
        await plays.an_answer_comes_too_late(stage, weather, ANSWER_TIMEOUT_S + 1, still_s=2)

    on_stage(play)


@pytest.mark.req("F-06", "F-08", "F-15", "I-07", "I-15")
@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_f06_f08_f15_whatever_spoils_the_answer_the_request_is_written_once(fault: str) -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(**{fault: 1.0}):
            order_id = await stage.buy()
            await until(lambda: stage.order(order_id).is_unknown)
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        intended = [e for e in await stage.story(order_id) if isinstance(e, SendIntended)]
        assert len(stage.link.submits()) == len(intended) == 1
        assert stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-08", "I-15")
def test_f08_half_an_answer_is_kept_as_it_came_and_read_as_nothing() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(reply_garbled=1.0):
            order_id = await stage.buy()
            await until(lambda: stage.order(order_id).is_unknown)
        [unknown] = [e for e in await stage.story(order_id) if isinstance(e, OrderUnknown)]
        assert unknown.raw.startswith("{")
        await stage.ended(order_id)

    on_stage(play)


@pytest.mark.req("F-07", "I-49")
def test_f07_a_refusal_is_final_says_its_code_and_frees_the_money() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_business_refusal_is_final(stage, stage.bad(refused=1.0), "REFUSED_BY_FAULT")

    on_stage(play)


@pytest.mark.req("F-13", "I-08")
def test_f13_a_caller_that_repeats_itself_gets_the_same_order_also_while_its_outcome_is_unknown() -> None:
    async def play(stage: Stage) -> None:
        intent = await plays.a_caller_repeats_itself(stage, stage.bad(reply_lost=1.0, notice_lost=1.0))
        await stage.crash()
        await stage.start()
        after = await stage.engine.submit(intent)
        assert after.existing
        assert len(stage.market.arrivals) == 1

    on_stage(play)


@pytest.mark.req("F-14", "I-10")
def test_f14_the_same_id_with_other_content_is_a_conflict_and_changes_nothing() -> None:
    on_stage(plays.the_same_id_with_other_content_is_a_conflict)


@pytest.mark.req("F-17", "I-11", "I-15")
@pytest.mark.parametrize("symbol", ["005930", "000660"], ids=["one symbol", "two symbols"])
def test_f17_answers_that_name_another_order_are_believed_for_neither_and_stop_new_orders(
    symbol: str,
) -> None:
    async def play(stage: Stage) -> None:
        both: plays.Crossed[Answer] = plays.Crossed()

        async def crossed(command: Command, answer: Answer) -> Answer:
            is_taken = isinstance(command, Submit) and isinstance(answer, OrderTaken)
            return await both.exchanged(answer) if is_taken else answer

        stage.link.on_answer = crossed
        with stage.bad(history_fails=1.0, notice_late=1.0, notice_late_ms_max=2_000):
            ids = [await stage.buy(0), await stage.buy(4, symbol=symbol)]
            await until(lambda: len(stage.book.unknown) == 2, 10.0)
            refused = await stage.engine.submit(an_intent(9, symbol="035420"))
            assert refused.denial is not None, "somebody must find out whose answers these are"
        for order_id in ids:
            order = await stage.ended(order_id)
            [execution] = stage.market.executions_of(_key(stage, order_id))
            assert (order.status, order.qty_filled) == (OrderStatus.FILLED, execution.qty)
            assert stage.arrived(order_id) == 1

    on_stage(play)


def _key(stage: Stage, order_id: str) -> str:
    [key] = [record.key for record in stage.market.orders.values() if record.tag.startswith(order_id)]
    return key


@pytest.mark.req("F-18", "I-61", "I-47")
def test_f18_slow_answers_hold_only_the_slots_they_use_and_the_rest_goes_on() -> None:
    async def play(stage: Stage) -> None:
        await plays.slow_answers_hold_only_their_slots(stage, stage.bad(request_vanishes=1.0), 300.0)

    on_stage(play)


@pytest.mark.req("F-18", "I-61", "I-48")
def test_f18_too_many_unknown_orders_stop_new_ones_until_some_are_known() -> None:
    async def play(stage: Stage) -> None:
        stage.weather(reply_lost=1.0, notice_lost=1.0, history_fails=1.0)
        for number in range(stage.limits.unknown_max):
            await stage.buy(number, price=Decimal(57_800))
        waiting = stage.limits.max_concurrent_orders
        assert stage.engine.desk.sending <= waiting
        await until(lambda: len(stage.book.unknown) == stage.limits.unknown_max, 30.0)
        refused = await stage.engine.submit(an_intent(20, symbol="000660"))
        assert refused.denial is not None
        assert refused.denial.reason is Reason.TOO_MANY_UNKNOWN
        stage.calm()
        await until(lambda: not stage.book.unknown)
        taken = await stage.engine.submit(an_intent(20, symbol="000660"))
        assert taken.denial is None

    on_stage(play, limits=Limits(unknown_max=10))


@pytest.mark.req("F-18", "I-61", "I-48")
def test_f18_orders_that_wait_do_not_leave_either_while_too_many_are_unknown() -> None:
    async def play(stage: Stage) -> None:
        stage.weather(reply_lost=1.0, notice_lost=1.0, history_fails=1.0)
        ids = [await stage.buy(0, symbol=symbol) for symbol in SYMBOLS]
        assert stage.engine.desk.sending == 3
        await until(lambda: len(stage.book.unknown) >= 3, 10.0)
        await asyncio.sleep(20)
        # Two more left in the instant in which the first of the three became unknown; the sixth did not.
        assert [stage.arrived(order_id) for order_id in ids] == [1, 1, 1, 1, 1, 0]
        stage.calm()
        for order_id in ids:
            assert (await stage.ended(order_id)).status is OrderStatus.FILLED

    on_stage(play, limits=Limits(unknown_max=3, max_concurrent_orders=3))
