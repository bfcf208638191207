"""Faults of the questions we ask KIS, F-35 to F-45, on the whole desk: an answer in doubt is no answer.

Each ends with the books held against the exchange's own ledger.
"""

import asyncio
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from jumun.brokers.kis.access import KisEnvironment
from jumun.model.orders import OrderStatus
from jumun.ports.wire import HttpCall, HttpReply
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from tests.scenarios.any_stage import S, until
from tests.scenarios.kis.stage import (
    BALANCE,
    LIST,
    ORDER,
    OTHER,
    US_LIST,
    US_ORDER,
    Spoil,
    Stage,
    a_fault,
    as_it_came,
    on_stage,
    spoiling,
)
from tests.scenarios.plays import query as plays

NO_NOTICE = a_fault("notice_lost")
REPLY_LOST = a_fault("reply_lost", path=ORDER)
REPLY_LOST_US = a_fault("reply_lost", path=US_ORDER)


@pytest.mark.req("F-35", "I-15", "I-43", "I-07")
def test_f35_an_order_that_the_list_does_not_show_for_15_s_stays_unknown_and_is_not_sent_again() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(REPLY_LOST, NO_NOTICE):
            order_id = await stage.buy()
            await stage.unknown(order_id)
        await asyncio.sleep(8)
        assert stage.order(order_id).is_unknown, "it is not listed yet"
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        assert stage.sent(order_id) == stage.arrived(order_id) == 1

    on_stage(play, house=HouseSwitches(history_lag_s=Decimal(15)))


@pytest.mark.req("F-35", "I-15", "I-07")
def test_f35_no_lag_below_a_minute_makes_a_second_order() -> None:
    async def play(stage: Stage) -> None:
        stage.bad_weather(NO_NOTICE, a_fault("history_lag", path=LIST, seconds=55))
        stage.bad_weather(REPLY_LOST)
        order_id = await stage.buy()
        await stage.unknown(order_id)
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        assert stage.sent(order_id) == stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-35", "I-43", "I-17")
def test_f35_a_working_order_that_the_list_does_not_show_yet_is_no_dispute() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_list_that_lags_is_no_dispute(stage, nullcontext())

    on_stage(play, house=HouseSwitches(history_lag_s=Decimal(15)))


@pytest.mark.req("F-36", "I-39")
@pytest.mark.parametrize("environment", list(KisEnvironment))
def test_f36_a_list_whose_second_page_is_lost_says_nothing_about_its_first(environment: Any) -> None:
    page = 15 if environment is KisEnvironment.PAPER else 100

    async def play(stage: Stage) -> None:
        for _ in range(page):
            stage.stranger()
        ours = await stage.rest(9)
        await until(lambda: len(stage.book.open) == page + 1, 90.0)
        await stage.studies(1)
        pages = stage.wire.calls(LIST)
        assert [call for call in pages if call.headers["tr_cont"] == "N"]
        with stage.bad(NO_NOTICE, a_fault("page_lost", path=LIST)):
            await plays.a_lost_page_hides_a_cancel(stage, 100)
        await stage.studies(1)
        assert len(stage.book.open) == page + 1, "nothing says why it ended: a revise may not be listed yet"
        await until(lambda: len(stage.book.open) == page, 120.0)
        assert stage.order(ours).status is OrderStatus.ACCEPTED

    on_stage(play, exclusive=False, limits=None, environment=environment)


@pytest.mark.req("F-37", "I-39", "I-15")
@pytest.mark.parametrize("path", [LIST, BALANCE], ids=["orders", "balance"])
@pytest.mark.parametrize("fault", ["reset_after", "error_after", "reply_lost", "garbled", "gateway_refusal"])
def test_f37_questions_that_fail_change_nothing_are_asked_again_and_their_age_shows(
    fault: str, path: str
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        with stage.bad(NO_NOTICE, a_fault(fault, path=path)):
            stage.trade("005930", 57_700, 4)
            await asyncio.sleep(45)
            seq = stage.book.seq
            await asyncio.sleep(45)
            since_ns = stage.engine.reconciler.failing_since_ns
            assert since_ns is not None
            assert stage.clock.monotonic_ns() - since_ns > 30 * S
            assert stage.weather.struck[fault] >= 3
            assert stage.order(order_id).qty_filled == (0 if path == LIST else 4), "a list that came counts"
            assert stage.book.seq == seq
        await stage.studies(1)
        assert stage.engine.reconciler.failing_since_ns is None
        assert stage.order(order_id).qty_filled == 4

    on_stage(play)


@pytest.mark.req("F-38", "F-44", "I-06", "I-19", "I-43")
def test_f38_f44_a_list_that_is_behind_what_we_heard_takes_no_fill_away_and_is_shown_to_a_person() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        await stage.studies(1)
        stage.bad_weather(a_fault("stale", path=LIST))
        stage.trade("005930", 57_700, 4)
        await until(lambda: stage.order(order_id).qty_filled == 4, 2.0)
        await plays.require_the_fill_is_kept_and_disputed(stage, order_id)
        assert stage.weather.struck["stale"] >= 3

    on_stage(play)


@pytest.mark.req("F-39", "I-04", "I-31")
def test_f39_amounts_are_booked_whole_where_the_average_price_is_cut() -> None:
    async def play(stage: Stage) -> None:
        await plays.two_prices_make_no_round_average(stage, OTHER, stage.bad(NO_NOTICE))

    on_stage(play, world={"truncates_averages": True})


@pytest.mark.req("F-40", "I-39", "I-07", "I-15")
@pytest.mark.parametrize("environment", list(KisEnvironment))
def test_f40_an_empty_page_that_says_all_is_well_never_proves_an_order_absent(environment: Any) -> None:
    async def play(stage: Stage) -> None:
        working = await stage.rest(9)
        with stage.bad(REPLY_LOST, NO_NOTICE):
            lost = await stage.buy(1, symbol="000660")
            await stage.unknown(lost)
        stage.bad_weather(a_fault("empty_page", path=LIST))
        rounds = stage.engine.reconciler.rounds
        await asyncio.sleep(180)
        assert stage.engine.reconciler.rounds == rounds, "its totals say that there are orders"
        assert stage.order(lost).is_unknown
        assert stage.sent(lost) == stage.arrived(lost) == 1
        assert stage.order(working).flags == ()
        stage.calm()
        assert (await stage.ended(lost)).status is OrderStatus.FILLED
        assert stage.sent(lost) == 1

    on_stage(play, environment=environment)


@pytest.mark.req("F-40", "I-40", "I-07", "I-15")
@pytest.mark.parametrize("environment", list(KisEnvironment))
def test_f40_a_us_list_that_is_empty_at_first_sight_never_proves_an_order_absent(environment: Any) -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(REPLY_LOST_US, NO_NOTICE, a_fault("empty_page", path=US_LIST)):
            lost = await stage.buy(1, symbol="AAPL", price=Decimal("190.00"))
            await stage.unknown(lost)
            await asyncio.sleep(240)
            assert stage.order(lost).is_unknown, (
                "no list has named a row, and none has said that there is none"
            )
            assert stage.weather.struck["empty_page"] >= 3
        await until(lambda: stage.order(lost).status is OrderStatus.ACCEPTED, 120.0)
        assert len(stage.wire.calls(US_ORDER)) == stage.arrived(lost) == 1

    on_stage(play, us=True, environment=environment)


@pytest.mark.req("F-40", "I-15", "I-40")
def test_f40_a_us_list_that_says_nothing_was_found_twice_proves_that_an_order_never_came() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("request_lost", path=US_ORDER, nth=1), NO_NOTICE):
            lost = await stage.buy(1, symbol="AAPL", price=Decimal("190.00"))
            await stage.unknown(lost)
        await until(lambda: stage.order(lost).status is OrderStatus.ACCEPTED, 240.0)
        assert len(stage.wire.calls(US_ORDER)) == 2, "sent again: the first one is proven never to have come"
        assert stage.arrived(lost) == 1

    on_stage(play, us=True)


@pytest.mark.req("F-40", "I-39", "I-29")
def test_f40_a_balance_without_rows_and_with_totals_is_no_loss_of_shares() -> None:
    async def play(stage: Stage) -> None:
        await stage.ended(await stage.buy(4))
        await stage.studies(1)
        with stage.bad(a_fault("empty_page", path=BALANCE)):
            rounds = stage.engine.reconciler.rounds
            await asyncio.sleep(120)
            assert stage.engine.reconciler.rounds == rounds
            assert stage.engine.breaks() == ()
            assert stage.book.halt is None
        await stage.studies(1)

    on_stage(play)


def totals_gone(body: dict[str, Any]) -> None:
    """Rows hold shares, and the totals say there are none."""
    totals = body["output2"][0] if isinstance(body["output2"], list) else body["output2"]
    for name in ("pchs_amt_smtl_amt", "evlu_amt_smtl_amt"):
        totals[name] = "0"


def no_totals(body: dict[str, Any]) -> None:
    """The block of totals is missing."""
    del body["output2"]


def same_lot_twice(body: dict[str, Any]) -> None:
    """One holding is listed on two lines."""
    body["output1"] += body["output1"]


def blank_cash(body: dict[str, Any]) -> None:
    """The cash is blank."""
    totals = body["output2"][0] if isinstance(body["output2"], list) else body["output2"]
    totals["prvs_rcdl_excc_amt"] = " "


@pytest.mark.req("F-40", "F-41", "F-42", "I-39", "I-30")
@pytest.mark.parametrize("spoil", [totals_gone, no_totals, same_lot_twice, blank_cash])
def test_f40_f41_f42_a_balance_that_contradicts_itself_is_no_balance(spoil: Spoil) -> None:
    async def play(stage: Stage) -> None:
        await stage.ended(await stage.buy(4))
        await stage.studies(1)
        stage.wire.on_answer = spoiling(BALANCE, spoil)
        rounds = stage.engine.reconciler.rounds
        await asyncio.sleep(60)
        assert stage.engine.reconciler.rounds == rounds
        assert stage.engine.breaks() == ()
        assert stage.book.halt is None
        stage.wire.on_answer = as_it_came
        await stage.studies(1)

    on_stage(play)


def _rows(body: dict[str, Any]) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = body["output1"]
    return rows


def blanks(body: dict[str, Any]) -> None:
    """Something no parser of ours reads."""
    for row in _rows(body):
        row["tot_ccld_qty"] = "  +10-"


def lines_twice(body: dict[str, Any]) -> None:
    """One order is listed on two lines."""
    body["output1"] = _rows(body) + _rows(body)


def sums_wrong(body: dict[str, Any]) -> None:
    """What is left and what filled do not make what was ordered."""
    for row in _rows(body):
        row["rmn_qty"] = "3"


def side_unknown(body: dict[str, Any]) -> None:
    """A code that is in no table."""
    for row in _rows(body):
        row["sll_buy_dvsn_cd"] = "03"


def other_day(body: dict[str, Any]) -> None:
    """Orders of another day were not asked for."""
    for row in _rows(body):
        row["ord_dt"] = "20250523"


def totals_of_orders_wrong(body: dict[str, Any]) -> None:
    """A row is gone, and the totals still count it."""
    body["output1"] = _rows(body)[:-1]


def no_rows_block(body: dict[str, Any]) -> None:
    """There is no list in the answer."""
    del body["output1"]


@pytest.mark.req("F-36", "F-40", "F-41", "I-39", "I-15")
@pytest.mark.parametrize(
    "spoil",
    [blanks, lines_twice, sums_wrong, side_unknown, other_day, totals_of_orders_wrong, no_rows_block],
)
def test_f40_f41_a_list_that_contradicts_itself_or_cannot_be_read_gives_no_verdict(spoil: Spoil) -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        with stage.bad(REPLY_LOST, NO_NOTICE):
            lost = await stage.buy(1, symbol="000660")
            await stage.unknown(lost)
            stage.wire.on_answer = spoiling(LIST, spoil)
        seq, rounds = stage.book.seq, stage.engine.reconciler.rounds
        await asyncio.sleep(150)
        assert stage.engine.reconciler.rounds == rounds
        assert stage.book.seq - seq <= 2, "nothing was concluded; an alarm about age may have come"
        assert stage.order(lost).is_unknown
        assert stage.arrived(lost) == 1
        assert stage.order(resting).flags == ()
        stage.wire.on_answer = as_it_came
        assert (await stage.ended(lost)).status is OrderStatus.FILLED
        assert stage.sent(lost) == 1

    on_stage(play)


def padded(body: dict[str, Any]) -> None:
    """Leading zeros and blanks behind, as fixed columns have them."""
    for row in _rows(body):
        for name in ("ord_qty", "tot_ccld_qty", "rmn_qty", "ord_unpr"):
            row[name] = row[name].zfill(10) + "  "
        row["pdno"] += "      "
        row["orgn_odno"] = row["orgn_odno"] or "0000000000"


@pytest.mark.req("F-41", "I-39")
def test_f41_columns_that_are_padded_read_as_what_they_are() -> None:
    async def play(stage: Stage) -> None:
        stage.wire.on_answer = spoiling(LIST, padded)
        with stage.bad(NO_NOTICE):
            order_id = await stage.rest(9)
            stage.trade("005930", 57_700, 4)
            await until(lambda: stage.order(order_id).qty_filled == 4, 40.0)
        assert stage.order(order_id).flags == ()

    on_stage(play)


@pytest.mark.req("F-17", "F-37", "I-39")
def test_f17_f37_a_page_that_answers_another_question_is_no_answer() -> None:
    async def play(stage: Stage) -> None:
        async def other(call: HttpCall, reply: HttpReply) -> HttpReply:
            if call.path.endswith(LIST):
                return msgspec.structs.replace(reply, headers={**reply.headers, "tr_id": "TTTC8434R"})
            return reply

        with stage.bad(REPLY_LOST, NO_NOTICE):
            order_id = await stage.buy()
            await stage.unknown(order_id)
            stage.wire.on_answer = other
        rounds = stage.engine.reconciler.rounds
        await asyncio.sleep(120)
        assert stage.engine.reconciler.rounds == rounds
        assert stage.sent(order_id) == 1
        stage.wire.on_answer = as_it_came
        await stage.ended(order_id)

    on_stage(play)


@pytest.mark.req("F-42", "I-30")
def test_f42_money_is_the_exchanges_on_every_settlement_day_and_kis_shows_that_of_d_plus_2() -> None:
    async def play(stage: Stage) -> None:
        for number, symbol in enumerate(("005930", "000660", "035420")):
            await stage.ended(await stage.buy(number, symbol=symbol))
        await stage.studies(2)
        await stage.crash()
        stage.clock.offset_ns = 86_400 * S
        await stage.start()  # the next day; nothing has settled yet
        stage.print_prices()
        await stage.ended(await stage.buy(9, symbol="005930"))
        await stage.studies(2)
        await plays.require_the_same_money_each_settlement_day(stage)
        assert stage.engine.breaks() == ()

    on_stage(play)


@pytest.mark.req("F-43", "I-38", "I-39", "F-19")
def test_f43_a_kis_that_is_away_for_an_hour_proves_nothing_and_is_asked_before_the_first_order() -> None:
    async def play(stage: Stage) -> None:
        await plays.the_broker_is_away(stage, stage.wire.inner, 3_600, heard_within_s=120.0)

    on_stage(play)


@pytest.mark.req("F-44", "I-19", "I-17", "I-18", "I-20")
def test_f44_a_cached_list_undoes_neither_a_fill_nor_a_cancel() -> None:
    async def play(stage: Stage) -> None:
        filled, cancelled = await stage.rest(9), await stage.rest(10)
        await stage.studies(1)
        stage.bad_weather(a_fault("stale", path=LIST))
        await plays.an_older_list_undoes_nothing(stage, filled, cancelled, 5.0)
        assert stage.weather.struck["stale"] >= 1

    on_stage(play)


@pytest.mark.req("F-44", "I-07", "I-15")
def test_f44_a_cached_list_from_before_the_order_never_proves_it_absent_while_it_is_younger() -> None:
    async def play(stage: Stage) -> None:
        await stage.studies(1)
        with stage.bad(REPLY_LOST, NO_NOTICE, a_fault("stale", path=LIST, seconds=50)):
            order_id = await stage.buy()
            await stage.unknown(order_id)
            await asyncio.sleep(60)
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        assert stage.sent(order_id) == stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-45", "I-42", "I-11", "I-07")
def test_f45_a_persons_order_that_looks_like_our_lost_one_is_never_claimed() -> None:
    async def play(stage: Stage) -> None:
        lost = stage.bad(a_fault("request_lost", path=ORDER))
        order_id, twin = await plays.a_lost_order_has_a_twin(stage, lost)
        await asyncio.sleep(240)
        assert stage.sent(order_id) == 1, "nor is ours sent again while the twin may be it"
        await plays.the_twin_is_never_claimed(stage, order_id, twin)

    on_stage(play, exclusive=False)
