"""Faults on the way of a request to KIS, F-01 to F-18, on the whole desk: nothing is ever sent twice.

Each ends with the books held against the exchange's own ledger.
"""

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from jumun.brokers.kis.broker import ANSWER_TIMEOUT_S
from jumun.model.events import OrderRejected, OrderUnknown, SendIntended
from jumun.model.orders import Flag, OrderStatus
from jumun.model.reasons import Reason
from jumun.ports.wire import HttpCall, HttpReply
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from jumun.simulators.kis.weather import Rule
from jumun.testing.kis_stack import ACCOUNT
from tests.scenarios.any_stage import USER, S, until
from tests.scenarios.kis.stage import CHANGE, LIST, ORDER, TOKEN, Stage, a_fault, an_intent, on_stage
from tests.scenarios.plays import request as plays

# Carried out, and the answer says nothing that could be relied on.
SPOILED = {
    "reply lost": a_fault("reply_lost", path=ORDER),
    "reset": a_fault("reset_after", path=ORDER),
    "reset midway": a_fault("reset_midway", path=ORDER),
    "502 page": a_fault("error_after", path=ORDER),
    "EGW00301": a_fault("gateway_timeout", path=ORDER, code="EGW00301"),
    "EGW00302": a_fault("gateway_timeout", path=ORDER, code="EGW00302"),
    "no JSON": a_fault("garbled", path=ORDER),
    "half a body": a_fault("truncated", path=ORDER),
}
# Never carried out, and nothing in the answer proves it.
VANISHED = {
    "request lost": a_fault("request_lost", path=ORDER),
    "reset before": a_fault("reset_before", path=ORDER),
    "503 page": a_fault("error_before", path=ORDER),
    "routing error": a_fault("gateway_refusal", path=ORDER, code="EGW00202"),
    "login page": a_fault("login_page", path=ORDER),
}
NO_NOTICE = a_fault("notice_lost")
NO_LIST = a_fault("error_before", path=LIST)


def each(rules: dict[str, Rule]) -> pytest.MarkDecorator:
    """One case of a scenario for each of these, by name."""
    return pytest.mark.parametrize("fault", rules.values(), ids=rules.keys())


@pytest.mark.req("F-01", "I-07", "I-49")
def test_f01_an_order_that_could_not_leave_is_tried_again_after_1_2_and_4_s_and_leaves_once() -> None:
    async def play(stage: Stage) -> None:
        stage.bad_weather(a_fault("connection_refused", path=ORDER, count=3))
        order_id = await stage.buy()
        await until(lambda: stage.order(order_id).retry_at_ns is not None)
        assert stage.order(order_id).status is OrderStatus.NEW, "nothing left, so nothing is in doubt"
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        first, second, third, fourth = stage.wire.times_s(ORDER)
        assert [round(second - first), round(third - second), round(fourth - third)] == [1, 2, 4]
        assert stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-01", "I-07", "I-49")
def test_f01_an_order_that_never_leaves_ends_soon_and_gives_its_money_back() -> None:
    async def play(stage: Stage) -> None:
        stage.bad_weather(a_fault("connection_refused", path=ORDER))
        await plays.an_order_never_leaves(stage, 15.0)

    on_stage(play)


@pytest.mark.req("F-02", "F-06", "F-08", "F-15", "F-16", "I-07", "I-15")
@each(SPOILED)
def test_f02_f06_f08_f15_whatever_spoils_the_answer_the_order_is_written_once_and_found(fault: Rule) -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(fault, NO_NOTICE):
            order_id = await stage.buy()
            await stage.unknown(order_id)
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] > 0, "in doubt it is as good as working"
        order = await stage.ended(order_id)
        assert (order.status, order.qty_filled) == (OrderStatus.FILLED, 1)
        assert stage.sent(order_id) == stage.arrived(order_id) == 1
        [unknown] = [e for e in await stage.story(order_id) if isinstance(e, OrderUnknown)]
        assert unknown.text, "and it says why"

    on_stage(play)


@pytest.mark.req("F-02", "F-04", "F-12", "F-16", "I-07", "I-15")
@each(VANISHED)
def test_f02_f04_f12_an_order_that_never_came_through_is_sent_again_only_once_the_lists_prove_it(
    fault: Rule,
) -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(fault):
            order_id = await stage.buy()
            await stage.unknown(order_id)
        await asyncio.sleep(45)
        assert stage.order(order_id).is_unknown, "a list may lag: within a minute absence proves nothing"
        assert stage.sent(order_id) == 1
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        assert stage.sent(order_id) == 2
        assert stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-04", "I-15", "I-07")
def test_f04_where_the_desk_holds_unknown_orders_no_passing_of_time_sends_one_again() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(VANISHED["request lost"]):
            order_id = await stage.buy()
            await stage.unknown(order_id)
        await asyncio.sleep(600)
        assert stage.order(order_id).is_unknown
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] > 0
        assert (stage.sent(order_id), stage.arrived(order_id)) == (1, 0)

    on_stage(play, unknown_order_policy="hold")


@pytest.mark.req("F-04", "I-15", "I-49", "I-07")
def test_f04_a_refusal_that_never_came_back_is_no_refusal_until_it_comes_back() -> None:
    async def play(stage: Stage) -> None:
        stage.market.block_cash(ACCOUNT, "KRW", Decimal(99_990_000), stage.clock.now_ns())
        stage.bad_weather(SPOILED["reply lost"], NO_LIST)
        order_id = await stage.buy(9)
        await stage.unknown(order_id)
        await asyncio.sleep(90)
        assert stage.order(order_id).is_unknown
        stage.calm()
        order = await stage.ended(order_id)
        assert order.status is OrderStatus.REJECTED
        refusals = [a.refused for a in stage.market.arrivals if a.order.tag.startswith(order_id)]
        assert None not in refusals
        assert len(refusals) == stage.sent(order_id) == 2
        stage.market.block_cash(ACCOUNT, "KRW", Decimal(0), stage.clock.now_ns())

    on_stage(play)


@pytest.mark.req("F-03", "I-07", "I-11", "I-15")
def test_f03_an_accepted_order_whose_answer_is_lost_is_found_by_its_looks_and_never_sent_again() -> None:
    async def play(stage: Stage) -> None:
        weather = stage.bad(SPOILED["reply lost"], NO_NOTICE)
        await plays.a_lost_answer_is_found_by_its_looks(stage, weather)

    on_stage(play)


@pytest.mark.req("F-03", "F-22", "I-07", "I-11")
def test_f03_f22_notices_of_an_order_whose_answer_is_lost_are_no_strangers_and_make_no_second_order() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(SPOILED["reply lost"]):
            order_id = await stage.buy(4)
            order = await stage.ended(order_id)
        assert (order.status, order.qty_filled) == (OrderStatus.FILLED, 5)
        assert stage.sent(order_id) == len(stage.market.orders) == 1

    on_stage(play)


@pytest.mark.req("F-03", "F-45", "I-11", "I-42", "I-07")
def test_f03_f45_two_orders_that_could_be_the_lost_one_are_a_persons_to_tell_apart() -> None:
    async def play(stage: Stage) -> None:
        weather = stage.bad(SPOILED["EGW00301"], NO_NOTICE)
        await plays.two_orders_could_be_the_lost_one(stage, weather, 180.0)

    on_stage(play, agrees=False)


@pytest.mark.req("F-05", "I-08", "I-11", "I-07")
def test_f05_an_answer_after_its_time_out_makes_no_second_order() -> None:
    async def play(stage: Stage) -> None:
        weather = stage.bad(a_fault("slow", path=ORDER, seconds=8), NO_NOTICE)
        await plays.an_answer_comes_too_late(stage, weather, ANSWER_TIMEOUT_S + 1, still_s=5)

    on_stage(play)


@pytest.mark.req("F-05", "F-18", "I-07", "I-11")
def test_f05_a_request_that_arrives_after_its_time_out_is_found_and_not_sent_again() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("slow_request", path=ORDER, seconds=20)):
            order_id = await stage.buy(price=Decimal(57_800))
            await stage.unknown(order_id)
        assert stage.arrived(order_id) == 0, "it is still on its way"
        await until(lambda: stage.order(order_id).status is OrderStatus.ACCEPTED)
        assert stage.sent(order_id) == stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-07", "I-49")
@pytest.mark.parametrize("code", ["APBK0952", "APBK0400", "APBK0656", "APBK0918", "APBK1943"])
def test_f07_a_business_refusal_is_final_says_its_code_and_frees_the_money(code: str) -> None:
    async def play(stage: Stage) -> None:
        weather = stage.bad(a_fault("refused", path=ORDER, code=code))
        await plays.a_business_refusal_is_final(stage, weather, code)

    on_stage(play)


@pytest.mark.req("F-08", "I-15")
def test_f08_half_an_answer_is_kept_as_it_came_and_read_as_nothing() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(SPOILED["half a body"]):
            order_id = await stage.buy()
            await stage.ended(order_id)
        [unknown] = [e for e in await stage.story(order_id) if isinstance(e, OrderUnknown)]
        assert unknown.raw.startswith("{")
        assert stage.sent(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-09", "I-07", "I-49", "I-52")
@pytest.mark.parametrize("code", ["EGW00201", "EGW00215"])
def test_f09_a_throttled_order_is_known_unsent_and_tried_again_after_1_2_and_4_s(code: str) -> None:
    async def play(stage: Stage) -> None:
        stage.bad_weather(a_fault("gateway_refusal", path=ORDER, code=code, count=3))
        order_id = await stage.buy()
        order = await stage.ended(order_id, 15.0)
        assert order.status is OrderStatus.FILLED
        assert not [e for e in await stage.story(order_id) if isinstance(e, OrderUnknown)]
        times = stage.wire.times_s(ORDER)
        assert [round(after - before) for before, after in pairwise(times)] == [1, 2, 4]
        assert stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-09", "I-07", "I-49")
def test_f09_an_order_that_is_throttled_to_the_end_never_left_and_its_money_is_free() -> None:
    async def play(stage: Stage) -> None:
        stage.bad_weather(a_fault("gateway_refusal", path=ORDER))
        order = await plays.an_order_never_leaves(stage, 20.0)
        assert "EGW00201" in str(await stage.story(order.order_id))
        assert stage.sent(order.order_id) == 4

    on_stage(play)


@pytest.mark.req("F-09", "I-47", "I-52")
def test_f09_where_orders_queue_for_the_budget_a_cancel_goes_first() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(40)
        await asyncio.sleep(5)
        ids = [await stage.buy(n, symbol="000660", price=Decimal(247_000), qty=Decimal(1)) for n in range(60)]
        await asyncio.sleep(1.5)
        waiting = [order_id for order_id in ids if not stage.sent(order_id)]
        assert waiting, "more was asked for than two seconds carry"
        asked_s = stage.clock.monotonic_ns() / S
        await stage.engine.cancel(resting, USER)
        await stage.ended(resting, 2.0)
        [written_s] = stage.wire.times_s(CHANGE)
        assert written_s - asked_s < 0.2
        await until(lambda: all(stage.arrived(order_id) == 1 for order_id in ids), 60.0)

    on_stage(play, limits=None)


def tokens(stage: Stage) -> int:
    """How often a token was asked for."""
    return len(stage.wire.calls(TOKEN))


@pytest.mark.req("F-10", "I-07")
@pytest.mark.parametrize("status", [200, 500])
def test_f10_a_token_that_ends_in_mid_day_is_renewed_once_and_the_refused_order_leaves_by_the_desk_alone(
    status: Any,
) -> None:
    async def play(stage: Stage) -> None:
        await asyncio.sleep(65)
        before = tokens(stage)
        stage.house.tokens.expire_all(stage.clock.now_ns())
        ids = [await stage.buy(n, symbol=symbol) for n, symbol in enumerate(("005930", "000660", "035420"))]
        for order_id in ids:
            assert (await stage.ended(order_id, 10.0)).status is OrderStatus.FILLED
        assert tokens(stage) == before + 1, "one renewal for all that wait for it"
        for order_id in ids:
            intended = [e for e in await stage.story(order_id) if isinstance(e, SendIntended)]
            assert stage.sent(order_id) == len(intended) == 2, "the client repeats nothing by itself"
            assert stage.arrived(order_id) == 1

    on_stage(play, house=HouseSwitches(expired_status=status))


@pytest.mark.req("F-10", "F-11", "I-07", "I-65")
def test_f10_f11_a_token_that_ends_while_none_is_given_out_holds_orders_unsent_until_there_is_one() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        await asyncio.sleep(65)
        stage.bad_weather(a_fault("token_limit"))
        stage.house.tokens.expire_all(stage.clock.now_ns())
        asked = tokens(stage)
        order = await stage.ended(await stage.buy(), 20.0)
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.NOT_SENT)
        assert stage.arrived(order.order_id) == 0
        assert tokens(stage) == asked + 1, "within a minute KIS is not asked a second time"
        stage.calm()
        await asyncio.sleep(125)
        assert tokens(stage) <= asked + 3
        assert (await stage.ended(await stage.buy(1))).status is OrderStatus.FILLED
        assert stage.order(resting).status is OrderStatus.ACCEPTED

    on_stage(play)


@pytest.mark.req("F-11", "I-52", "I-65")
def test_f11_a_storm_of_reconnects_asks_for_no_token_and_shares_the_one_there_is() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        asked = tokens(stage)
        for _ in range(6):
            stage.wire.inner.cut()
            await asyncio.sleep(4)
            stage.wire.inner.mend()
            await until(lambda: not stage.engine.desk.deaf, 60.0)
        assert tokens(stage) == asked
        assert stage.order(order_id).status is OrderStatus.ACCEPTED

    on_stage(play)


@pytest.mark.req("F-11", "I-65")
def test_f11_a_start_within_a_minute_of_the_last_token_waits_for_it_and_trades_then() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        await stage.crash()
        began_ns = stage.clock.monotonic_ns()
        await stage.start()
        assert stage.clock.monotonic_ns() - began_ns < 200 * S
        stage.trade("005930", 57_700, 10)
        await stage.ended(order_id)

    on_stage(play)


@pytest.mark.req("F-12", "I-53", "I-15")
def test_f12_a_proxy_that_answers_everything_with_its_own_page_proves_nothing_and_stops_new_orders() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.bad_weather(a_fault("login_page"))
        order_id = await stage.buy(1, symbol="000660")
        await stage.unknown(order_id)
        with capture_logs() as logs:
            await asyncio.sleep(60)
        assert [line for line in logs if line["event"] == "study_failed" and "JSON" in str(line["error"])]
        assert stage.order(order_id).is_unknown
        assert stage.order(resting).status is OrderStatus.ACCEPTED
        stage.calm()
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        assert (stage.sent(order_id), stage.arrived(order_id)) == (2, 1)

    on_stage(play)


@pytest.mark.req("F-13", "I-08")
def test_f13_a_caller_that_repeats_itself_gets_the_same_order_also_while_kis_has_not_answered() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_caller_repeats_itself(stage, stage.bad(SPOILED["reply lost"], NO_NOTICE))

    on_stage(play)


@pytest.mark.req("F-14", "I-10")
def test_f14_the_same_id_with_other_content_is_a_conflict_and_nothing_goes_to_kis() -> None:
    on_stage(plays.the_same_id_with_other_content_is_a_conflict)


@pytest.mark.req("F-17", "I-11", "I-15")
def test_f17_an_answer_with_the_number_of_another_order_is_believed_for_neither_and_both_are_found() -> None:
    async def play(stage: Stage) -> None:
        first = await stage.rest(0, price=Decimal(57_700))
        with stage.bad(a_fault("swapped", path=ORDER), NO_NOTICE, NO_LIST):
            second = await stage.buy(4)
            await stage.unknown(second)
            refused = await stage.engine.submit(an_intent(9, symbol="035420"))
            assert refused.denial is not None, "somebody must find out whose answers these are"
        order = await stage.ended(second)
        assert (order.status, order.qty_filled) == (OrderStatus.FILLED, 5)
        assert stage.order(first).qty_filled == 0
        assert stage.arrived(first) == stage.arrived(second) == 1
        assert stage.order(first).refs[0].number != order.refs[0].number

    on_stage(play)


@pytest.mark.req("F-17", "I-11", "I-42")
@pytest.mark.parametrize("symbol", ["005930", "000660"], ids=["one symbol", "two symbols"])
def test_f17_two_crossed_answers_are_found_out_by_the_first_notice_or_list_and_stop_new_orders(
    symbol: str,
) -> None:
    async def play(stage: Stage) -> None:
        both: plays.Crossed[HttpReply] = plays.Crossed()

        async def crossed(call: HttpCall, reply: HttpReply) -> HttpReply:
            return await both.exchanged(reply) if call.path.endswith(ORDER) else reply

        stage.wire.on_answer = crossed
        ids = [await stage.buy(0), await stage.buy(4, symbol=symbol)]
        await until(lambda: stage.book.halt is not None, 60.0)
        refused = await stage.engine.submit(an_intent(9, symbol="035420"))
        assert refused.denial is not None
        assert [stage.arrived(order_id) for order_id in ids] == [1, 1]
        assert any(Flag.DISPUTED in stage.order(order_id).flags for order_id in ids)

    on_stage(play, agrees=False)


@pytest.mark.req("F-17", "I-11", "I-15")
def test_f17_an_answer_that_names_another_function_of_kis_makes_the_order_unknown() -> None:
    async def play(stage: Stage) -> None:
        async def as_a_sell(call: HttpCall, reply: HttpReply) -> HttpReply:
            if call.path.endswith(ORDER):
                reply.headers["tr_id"] = "TTTC0011U"
            return reply

        stage.wire.on_answer = as_a_sell
        with stage.bad(NO_NOTICE, NO_LIST):
            order_id = await stage.buy(4)
            await stage.unknown(order_id)
            refused = await stage.engine.submit(an_intent(9, symbol="035420"))
            assert refused.denial is not None
        order = await stage.ended(order_id)
        assert (order.status, stage.arrived(order_id)) == (OrderStatus.FILLED, 1)

    on_stage(play)


@pytest.mark.req("F-18", "I-61", "I-47")
def test_f18_slow_answers_hold_only_the_places_they_use_and_cancels_go_on() -> None:
    async def play(stage: Stage) -> None:
        weather = stage.bad(a_fault("slow", path=ORDER, symbol="005930", seconds=30), NO_NOTICE)
        await plays.slow_answers_hold_only_their_slots(stage, weather, 180.0)

    on_stage(play)


@pytest.mark.req("F-15", "I-07")
@pytest.mark.parametrize(
    "fault", [None, "garbled", "gateway_refusal"], ids=["works", "unreadable", "throttled"]
)
def test_f15_in_hashkey_mode_an_order_whose_digest_fails_never_left(fault: str | None) -> None:
    async def play(stage: Stage) -> None:
        if fault is not None:
            stage.bad_weather(a_fault(fault, path="/uapi/hashkey", count=2))
        order_id = await stage.buy()
        assert (await stage.ended(order_id, 20.0)).status is OrderStatus.FILLED
        [call] = stage.wire.calls(ORDER)
        assert len(call.headers["hashkey"]) == 64
        assert stage.arrived(order_id) == 1

    on_stage(play, hashkey=True)


@pytest.mark.req("F-07", "F-15", "I-49")
def test_f07_in_hashkey_mode_a_digest_of_another_body_is_refused_before_the_ledger() -> None:
    async def play(stage: Stage) -> None:
        async def wrong(call: HttpCall, reply: HttpReply) -> HttpReply:
            if not call.path.endswith("/uapi/hashkey"):
                return reply
            return HttpReply(status=200, headers={}, body=b'{"BODY":{},"HASH":"' + b"0" * 64 + b'"}')

        stage.wire.on_answer = wrong
        order = await stage.ended(await stage.buy(), 5.0)
        assert order.status is OrderStatus.REJECTED
        [rejected] = [e for e in await stage.story(order.order_id) if isinstance(e, OrderRejected)]
        assert "EGW00131" in str(rejected)
        assert (stage.sent(order.order_id), stage.arrived(order.order_id)) == (1, 0)

    on_stage(play, hashkey=True)
