"""Faults and habits of KIS and the exchanges behind it, F-48 and F-51 to F-65: the venue has the last word.

Each runs the whole desk and ends with the books held against the exchange's own ledger.
"""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from jumun.model.instruments import Venue
from jumun.model.orders import Flag, OrderStatus, TimeInForce
from jumun.model.reasons import Reason
from jumun.simulators.kis.requests import OrderNote
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from jumun.testing.kis_stack import ACCOUNT
from tests.scenarios.any_stage import MONDAY, USER, S, ns_of, orders_of, until
from tests.scenarios.kis.stage import (
    AT_NXT,
    CASH,
    LIST,
    ORDER,
    PRICE,
    Stage,
    a_fault,
    as_it_came,
    on_stage,
    spoiling,
)
from tests.scenarios.plays import exchange as plays

NO_NOTICE = a_fault("notice_lost")
NO_LIST = a_fault("error_before", path=LIST)
BY_NOTICE = HouseSwitches(refusals="notice")  # KIS says yes, the exchange says no later


@pytest.mark.req("F-48", "I-57")
def test_f48_a_halt_leaves_resting_orders_working_and_kis_refuses_new_ones() -> None:
    on_stage(plays.a_halt_leaves_resting_orders_working)


@pytest.mark.req("F-48", "I-57", "I-47")
def test_f48_a_circuit_breaker_ends_no_order_of_ours_and_cancels_go_on() -> None:
    on_stage(plays.a_circuit_breaker_ends_no_order)


@pytest.mark.req("F-48", "I-57")
def test_f48_prices_that_an_auction_only_indicates_trigger_no_stop_that_the_desk_holds() -> None:
    on_stage(plays.an_indicated_price_triggers_no_stop, world={"call_auctions": True, "vi": True})


@pytest.mark.req("F-51", "I-49", "I-33")
@pytest.mark.parametrize("heard", [True, False], ids=["by notice only", "by the list"])
def test_f51_an_order_the_exchange_refuses_after_kis_took_it_is_rejected_and_frees_its_money(
    heard: bool,
) -> None:
    async def play(stage: Stage) -> None:
        stage.market.halt("005930", stage.clock.now_ns())
        with stage.bad(NO_LIST if heard else NO_NOTICE):
            order = await stage.ended(await stage.buy(9), 1.0 if heard else 40.0)
        assert order.status is OrderStatus.REJECTED
        assert "refused" in order.reason_text
        assert len(order.refs) == 1, "KIS had given it a number"
        assert stage.book.cash_free(ACCOUNT, "KRW") == CASH["KRW"]
        await asyncio.sleep(60)
        assert stage.sent(order.order_id) == stage.arrived(order.order_id) == 1

    on_stage(play, house=BY_NOTICE)


@pytest.mark.req("F-51", "I-49", "I-33")
def test_f51_an_order_that_worked_and_is_refused_later_is_rejected_and_frees_its_money() -> None:
    on_stage(plays.a_working_order_is_refused_later)


@pytest.mark.req("F-52", "I-38", "I-07")
@pytest.mark.parametrize("told", [True, False], ids=["with notices", "without a word"])
def test_f52_orders_the_exchange_cancels_of_its_own_accord_end_and_are_not_entered_again(told: bool) -> None:
    """Where only lists tell it, they must do so for as long as the number of a revise may be missing."""

    async def play(stage: Stage) -> None:
        weather, within_s = stage.bad(*([] if told else [NO_NOTICE])), 40.0 if told else 120.0
        await plays.the_exchange_cancels_everything(stage, weather, within_s)

    on_stage(play)


@pytest.mark.req("F-52", "I-38", "I-01", "I-07")
def test_f52_an_order_that_fills_by_half_and_is_then_cancelled_by_the_exchange_keeps_its_half() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("partial_then_cancel", path=ORDER)):
            order = await stage.ended(await stage.buy(9, price=Decimal(57_800)), 40.0)
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.CANCELLED_BY_BROKER)
        assert order.qty_filled == 5
        await asyncio.sleep(60)
        assert stage.sent(order.order_id) == 1
        assert stage.book.positions[ACCOUNT, "005930"].qty == 5

    on_stage(play)


@pytest.mark.req("F-52", "I-38")
@pytest.mark.parametrize(("tif", "filled"), [(TimeInForce.IOC, 4), (TimeInForce.FOK, 0)])
def test_f52_what_an_immediate_order_leaves_is_cancelled_as_it_asked_to_be(
    tif: TimeInForce, filled: int
) -> None:
    async def play(stage: Stage) -> None:
        stage.market.step("005930", Decimal(58_000), Decimal(4), stage.clock.now_ns(), quote_qty=Decimal(4))
        order = await stage.ended(await stage.buy(9, time_in_force=tif), 40.0)
        assert (order.status, order.qty_filled) == (OrderStatus.CANCELLED, filled)
        assert not any(stage.book.cash_reserved.values())

    on_stage(play)


@pytest.mark.req("F-53", "I-06", "I-32", "I-44")
def test_f53_a_fill_the_exchange_takes_back_is_told_by_lists_alone_and_stops_new_orders_for_a_person() -> (
    None
):
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.trade("005930", 57_700, 10)
        await stage.ended(order_id, 5.0)
        [execution] = stage.market.executions
        stage.market.bust(execution.execution_id, stage.clock.now_ns())
        await until(lambda: stage.engine.breaks(), 120.0)
        assert stage.order(order_id).qty_filled == 10, "no list takes a fill away by itself"
        assert await stage.denial() is Reason.HALTED
        assert {found.subject for found in stage.engine.breaks()} >= {"005930"}

    on_stage(play, agrees=False)


@pytest.mark.req("F-54", "I-29", "I-38")
def test_f54_shares_that_appear_without_a_fill_stop_new_orders_until_somebody_documents_them() -> None:
    async def play(stage: Stage) -> None:
        await plays.shares_appear_without_a_fill(stage, 120.0)

    on_stage(play)


@pytest.mark.req("F-55", "I-58", "I-49")
@pytest.mark.parametrize("rows", ["cancelled", "remaining"])
def test_f55_an_order_that_dies_at_the_close_without_a_word_is_found_expired(rows: Any) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.trade("005930", 57_700, 3)
        stage.bad_weather(NO_NOTICE)
        await asyncio.sleep(20 * 60)
        if rows == "remaining":  # KIS lists it as working: nothing is concluded before the day is over
            assert not stage.order(order_id).status.is_final
            assert stage.book.cash_reserved[ACCOUNT, "KRW"] >= 7 * 57_800
            await stage.crash()
            stage.clock.offset_ns = 6 * 3_600 * S
            stage.market.advance(stage.clock.now_ns())
            await stage.start()
            await asyncio.sleep(60)
        await plays.require_found_expired(stage, order_id)

    on_stage(
        play,
        always_open=False,
        start_ns=ns_of(MONDAY, 15, 15),
        house=HouseSwitches(expired_rows=rows),
    )


@pytest.mark.req("F-56", "F-55", "I-20", "I-49")
def test_f56_an_order_at_nxt_lives_on_into_the_evening_and_one_at_krx_ends_at_half_past_three() -> None:
    async def play(stage: Stage) -> None:
        there = await stage.rest(9, venue=Venue.NXT)
        here = await stage.rest(8)
        await asyncio.sleep(1_800)  # 15:45: KRX has closed
        assert stage.order(here).reason is Reason.EXPIRED
        assert stage.order(there).status is OrderStatus.ACCEPTED
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] >= 10 * 57_800
        stage.trade("005930", 57_700, 4, venue=Venue.NXT)
        await until(lambda: stage.order(there).qty_filled == 4, 40.0)
        await stage.engine.cancel(there, USER)
        assert (await stage.ended(there, 40.0)).status is OrderStatus.CANCELLED

    on_stage(play, always_open=False, start_ns=ns_of(MONDAY, 15, 15), world=AT_NXT)


@pytest.mark.req("F-56", "F-55", "I-49")
def test_f56_an_order_at_nxt_ends_with_the_evening() -> None:
    async def play(stage: Stage) -> None:
        there = await stage.rest(9, venue=Venue.NXT)
        await stage.crash()
        stage.clock.offset_ns = 17_000 * S  # 19:58
        await stage.start()
        assert stage.order(there).status is OrderStatus.ACCEPTED
        await asyncio.sleep(20 * 60)
        assert stage.order(there).reason is Reason.EXPIRED
        assert not any(stage.book.cash_reserved.values())

    on_stage(play, always_open=False, start_ns=ns_of(MONDAY, 15, 15), world=AT_NXT)


@pytest.mark.req("F-57", "F-34", "I-42", "I-01", "I-11")
def test_f57_a_persons_order_by_smart_routing_is_one_foreign_order_at_the_venue_that_took_it() -> None:
    async def play(stage: Stage) -> None:
        now_ns = stage.clock.now_ns()
        stage.market.step("005930", Decimal(58_000), Decimal(1), now_ns, venue=Venue.NXT)
        ids = []
        for venue, route in ((Venue.NXT, "SOR"), (Venue.KRX, "SOR")):
            record = stage.stranger(venue=venue, qty=Decimal(3))
            stage.house.office.records.note(record.key, OrderNote(ord_dvsn="00", exchange=route))
            ids.append(record.key)
        await until(lambda: len(stage.book.open) == 2, 40.0)
        orders = orders_of(stage.engine)
        assert all(order.flags == (Flag.FOREIGN,) for order in orders)
        stage.trade("005930", 57_700, 2)
        stage.trade("005930", 57_700, 2, venue=Venue.NXT)
        await until(lambda: stage.book.positions and stage.book.positions[ACCOUNT, "005930"].qty == 4, 40.0)
        assert stage.book.halt is None
        assert not stage.wire.calls(ORDER)

    on_stage(play, exclusive=False, world=AT_NXT)


@pytest.mark.req("F-58", "I-57", "I-53")
@pytest.mark.parametrize(("base", "sent"), [(58_000, 2), (30_000, 1)], ids=["still fits", "no longer fits"])
def test_f58_a_multi_day_order_is_held_against_the_new_days_limits_before_it_goes_out(
    base: int, sent: int
) -> None:
    async def play(stage: Stage) -> None:
        await plays.a_multi_day_order_meets_a_new_day(stage, base, sent)

    on_stage(play, always_open=False, start_ns=ns_of(MONDAY, 15, 15))


@pytest.mark.req("F-59", "I-53")
def test_f59_a_symbol_nobody_knows_is_never_sent_and_one_that_kis_no_longer_knows_is_refused() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_symbol_nobody_knows_is_never_sent(stage)
        with stage.bad(a_fault("refused", path=ORDER, code="APBK0656")):
            order = await stage.ended(await stage.buy(), 5.0)
        assert order.status is OrderStatus.REJECTED
        assert "APBK0656" in order.reason_text

    on_stage(play)


@pytest.mark.req("F-60", "I-53", "I-49")
@pytest.mark.parametrize(
    ("fault", "code"),
    [("gateway_refusal", "EGW00206"), ("gateway_refusal", "EGW00213"), ("refused", "OPSQ0002")],
)
def test_f60_a_function_that_kis_has_withdrawn_rejects_the_order_and_stops_new_ones(
    fault: str, code: str
) -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9, symbol="000660", price=Decimal(247_000))
        with stage.bad(a_fault(fault, path=ORDER, code=code)):
            order = await stage.ended(await stage.buy(), 5.0)
        assert order.status is OrderStatus.REJECTED
        assert code in order.reason_text
        assert await stage.denial(symbol="035420") is Reason.HALTED
        assert stage.sent(order.order_id) == 1
        await stage.engine.cancel(resting, USER)
        assert (await stage.ended(resting, 5.0)).status is OrderStatus.CANCELLED

    on_stage(play)


@pytest.mark.req("F-61", "I-48", "I-49")
def test_f61_when_kis_has_less_money_for_us_than_we_think_its_refusal_costs_nothing() -> None:
    async def play(stage: Stage) -> None:
        await plays.the_broker_has_less_money_than_we_think(stage, "APBK0952")

    on_stage(play)


@pytest.mark.req("F-62", "I-01", "I-44")
@pytest.mark.parametrize("heard", [True, False], ids=["told", "listed only"])
def test_f62_more_shares_than_ordered_are_booked_disputed_and_stop_new_orders(heard: bool) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        with stage.bad(*([] if heard else [NO_NOTICE])):
            stage.market.over_fill(stage.key(order_id), Decimal(13), Decimal(57_800), stage.clock.now_ns())
        await until(lambda: stage.order(order_id).qty_filled == 13, 40.0)
        await plays.require_overfill_is_shown(stage, order_id)

    on_stage(play)


@pytest.mark.req("F-63", "I-37", "I-44")
def test_f63_a_fee_that_is_not_our_tables_shows_in_the_balance_and_ends_as_the_brokers_figure() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_fee_is_not_our_tables(stage, 120.0)

    on_stage(play, world=plays.DEARER)


@pytest.mark.req("F-64", "I-07", "I-15")
def test_f64_what_is_unknown_in_new_york_is_not_sent_to_seoul_and_seoul_goes_on() -> None:
    async def play(stage: Stage) -> None:
        us_order, us_list = "/overseas-stock/v1/trading/order", "/overseas-stock/v1/trading/inquire-ccnl"
        stage.bad_weather(
            a_fault("reset_after", path=us_order), a_fault("error_before", path=us_list), NO_NOTICE
        )
        lost = await plays.new_york_is_unknown_and_seoul_goes_on(stage)
        await stage.engine.cancel(lost, USER)
        assert (await stage.ended(lost, 30.0)).status is OrderStatus.CANCELLED

    on_stage(play, us=True)


@pytest.mark.req("F-64", "I-07")
def test_f64_an_order_that_nxt_did_not_answer_for_is_not_sent_to_krx() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("request_lost", path=ORDER)):
            order_id = await stage.buy(9, venue=Venue.NXT, price=Decimal(57_800))
            await stage.unknown(order_id)
        await until(lambda: stage.order(order_id).status is OrderStatus.ACCEPTED, 180.0)
        assert [a.order.venue for a in stage.market.arrivals] == [Venue.NXT]

    on_stage(play, world=AT_NXT)


@pytest.mark.req("F-65", "I-33", "I-48")
def test_f65_an_order_without_a_price_ties_up_at_least_what_kis_holds_for_it() -> None:
    async def play(stage: Stage) -> None:
        await plays.an_order_without_a_price_ties_up_enough(stage)
        [call] = stage.wire.calls(ORDER)
        assert b'"ORD_UNPR":"0"' in call.body

    on_stage(play)


@pytest.mark.req("F-98", "I-57", "I-53")
@pytest.mark.parametrize(
    ("field", "told"), [("stck_mxpr", "75300"), ("stck_llam", "40700"), ("aspr_unit", "50")]
)
def test_f98_a_symbol_whose_limits_kis_tells_otherwise_is_not_traded_until_both_agree(
    field: str, told: str
) -> None:
    def other_table(body: dict[str, Any]) -> None:
        if body["output"]["stck_shrn_iscd"] == "005930":
            body["output"][field] = told

    async def play(stage: Stage) -> None:
        stage.wire.on_answer = spoiling(PRICE, other_table)
        await asyncio.sleep(70)
        assert await stage.denial(9) is Reason.NO_BASE_PRICE
        other = await stage.buy(1, symbol="000660")
        assert (await stage.ended(other)).status is OrderStatus.FILLED, "what agrees is traded"
        stage.wire.on_answer = as_it_came
        await asyncio.sleep(70)
        assert (await stage.ended(await stage.buy(2, symbol="005930"))).status is OrderStatus.FILLED
        assert stage.orders_written == 2

    on_stage(play)
