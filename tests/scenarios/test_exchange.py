"""Faults and habits of brokers and exchanges, F-46 to F-65, on the whole desk: the venue has the last word.

Each ends with the books held against the exchange's own ledger. F-57 and F-60 are about one broker's wire.
"""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from jumun.brokers.paper import FillIdentity
from jumun.brokers.paper.wire import Answer, Command, Modify, OrderCancelled, Submit
from jumun.exchange.sample_world import INSTRUMENTS
from jumun.model.commands import HearReport
from jumun.model.events import CostsCorrected
from jumun.model.instruments import Venue
from jumun.model.orders import Alarm, Flag, OrderStatus
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerReport, CostReport, OrderHistory
from jumun.ports.wire import AnswerLost
from jumun.rules.book import Book
from jumun.rules.decide_cancel import CANCELS_BEFORE_ALARM
from jumun.services.nearby import Nearby
from tests.scenarios.any_stage import MONDAY, USER, ZERO, ns_of, until
from tests.scenarios.plays import exchange as plays
from tests.scenarios.stage import ACCOUNT, Stage, on_stage


@pytest.mark.req("F-46", "I-02", "I-18", "I-20")
@pytest.mark.parametrize("traded", [10, 4], ids=["all of it", "a part"])
def test_f46_a_cancel_that_crosses_a_fill_ends_where_the_exchange_says(traded: int) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        weather = stage.bad(notice_lost=1.0, history_fails=1.0)
        await plays.a_cancel_crosses_a_fill(stage, order_id, traded, weather)

    on_stage(play)


@pytest.mark.req("F-46", "I-18", "I-58")
def test_f46_a_refused_cancel_is_looked_into_at_once() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_refused_cancel_is_looked_into_at_once(stage, stage.bad(notice_lost=1.0))

    on_stage(play)


@pytest.mark.req("F-47", "I-17", "I-01")
@pytest.mark.parametrize("identity", [FillIdentity.CUMULATIVE, FillIdentity.EXECUTION_ID])
def test_f47_a_fill_heard_after_the_cancel_was_confirmed_is_booked_and_flagged(
    identity: FillIdentity,
) -> None:
    async def play(stage: Stage) -> None:
        async def early(command: Command, answer: Answer) -> Answer:
            if not isinstance(answer, OrderCancelled):
                return answer
            empty = msgspec.structs.replace(answer.order, qty_filled=ZERO, amount_filled=ZERO)
            return msgspec.structs.replace(answer, order=empty)

        order_id = await stage.rest(9)
        stage.link.on_answer = early
        weather = stage.bad(notice_late=1.0, notice_late_ms_max=3_000, history_fails=1.0)
        await plays.a_fill_is_heard_after_its_cancel(stage, order_id, weather)

    on_stage(play, identity=identity)


@pytest.mark.req("F-48", "I-57")
def test_f48_a_halt_leaves_resting_orders_working_and_the_venue_refuses_new_ones() -> None:
    on_stage(plays.a_halt_leaves_resting_orders_working)


@pytest.mark.req("F-48", "I-57", "I-47")
def test_f48_a_circuit_breaker_ends_no_order_of_ours_and_cancels_go_on() -> None:
    on_stage(plays.a_circuit_breaker_ends_no_order)


@pytest.mark.req("F-48", "I-57")
def test_f48_prices_that_an_auction_only_indicates_trigger_no_stop() -> None:
    on_stage(plays.an_indicated_price_triggers_no_stop, world={"call_auctions": True, "vi": True})


@pytest.mark.req("F-49", "I-03", "I-33", "I-01")
@pytest.mark.parametrize("crossing", [0, 2, 4, 7, 10])
@pytest.mark.parametrize("renumbers", [True, False], ids=["new number", "same number"])
@pytest.mark.parametrize("fault", ["", "reply_lost"])
def test_f49_a_modify_that_crosses_a_fill_never_makes_more_than_was_authorised(
    crossing: int, renumbers: bool, fault: str
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.weather(**({fault: 1.0} if fault else {}))
        await stage.engine.modify(order_id, USER, qty=Decimal(5), price=Decimal(57_700))
        if crossing:
            stage.trade("005930", 57_600, crossing)  # before the modify has arrived
        await asyncio.sleep(6)
        stage.calm()
        await until(lambda: plays.settled(stage.order(order_id)), 30.0)
        stage.trade("005930", 57_000, 100)
        order = await stage.ended(order_id, 40.0)
        assert order.qty_filled == sum(e.qty for e in stage.market.executions)
        taken = crossing < 5  # else the exchange had nothing left to take away, and the old terms stand
        assert order.qty_filled == (5 if taken else 10)
        assert len([c for c in stage.link.written if isinstance(c, Modify)]) == 1

    on_stage(play, world={"modify_renumbers": renumbers})


@pytest.mark.req("F-49", "I-03", "I-33", "I-58")
@pytest.mark.parametrize("renumbers", [True, False], ids=["new number", "same number"])
@pytest.mark.parametrize("asked", [{"qty": 5}, {"price": 57_700}, {"qty": 1, "price": 57_700}])
def test_f49_a_modify_nobody_answered_that_filled_at_once_leaves_nothing_open(
    renumbers: bool, asked: dict[str, int]
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        wanted = {name: Decimal(value) for name, value in asked.items()}
        with stage.bad(reply_lost=1.0, notice_lost=1.0, history_fails=1.0):
            await stage.engine.modify(order_id, USER, **wanted)
            await asyncio.sleep(0.5)
            stage.trade("005930", 57_000, 100)
            await asyncio.sleep(6)
        order = await stage.ended(order_id, 30.0)
        assert (order.status, order.qty_filled) == (OrderStatus.FILLED, asked.get("qty", 10))
        assert Flag.DISPUTED not in order.flags
        assert not any(stage.book.cash_reserved.values())

    on_stage(play, world={"modify_renumbers": renumbers})


@pytest.mark.req("F-50", "I-20", "I-59")
def test_f50_a_cancel_that_the_broker_takes_and_does_not_carry_out_is_asked_again() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_cancel_is_taken_and_not_carried_out(stage, 30.0)
        assert len(stage.link.cancels()) == 3

    on_stage(play, cancel_proves=False)


@pytest.mark.req("F-50", "I-20", "I-59", "I-60")
def test_f50_an_order_that_cannot_be_cancelled_is_shown_to_a_person_and_keeps_its_exposure() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.market.ignore_cancels(50)
        await stage.engine.cancel(order_id, USER)
        await until(lambda: Alarm.CANCEL_STUCK in stage.order(order_id).alarms, 60.0)
        assert len(stage.link.cancels()) == CANCELS_BEFORE_ALARM
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] >= 10 * 57_800
        stage.market.ignore_cancels(0)
        await stage.ended(order_id, 30.0)

    on_stage(play, cancel_proves=False)


@pytest.mark.req("F-51", "I-49", "I-33")
def test_f51_an_order_the_exchange_refuses_after_the_broker_took_it_is_rejected_and_frees_its_money() -> None:
    on_stage(plays.a_working_order_is_refused_later)


@pytest.mark.req("F-52", "I-38", "I-07")
@pytest.mark.parametrize("lost", [0.0, 1.0], ids=["with notices", "without a word"])
def test_f52_orders_the_exchange_cancels_of_its_own_accord_say_so_and_are_not_entered_again(
    lost: float,
) -> None:
    async def play(stage: Stage) -> None:
        ended = await plays.the_exchange_cancels_everything(stage, stage.bad(notice_lost=lost))
        assert all("ex officio" in order.reason_text for order in ended)

    on_stage(play)


@pytest.mark.req("F-53", "I-06", "I-32", "I-36")
@pytest.mark.parametrize("price_new", [None, 57_500], ids=["taken back", "repriced"])
@pytest.mark.parametrize("repeats", [1, 3])
def test_f53_a_fill_the_exchange_takes_back_is_reversed_once_and_shown(
    price_new: int | None, repeats: int
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.trade("005930", 57_700, 10)
        await stage.ended(order_id, 5.0)
        [execution] = stage.market.executions
        with stage.bad(notice_doubled=1.0 if repeats > 1 else 0.0):
            price = None if price_new is None else Decimal(price_new)
            stage.market.bust(execution.execution_id, stage.clock.now_ns(), price_new=price)
            await until(lambda: stage.order(order_id).busts)
        order = stage.order(order_id)
        assert order.qty_filled == (0 if price_new is None else 10)
        assert order.amount_filled == (0 if price_new is None else 10 * price_new)
        assert Flag.BUSTED in order.flags
        await stage.studies(3)
        assert stage.order(order_id).busts == 1
        assert stage.book.halt is None

    on_stage(play)


@pytest.mark.req("F-54", "I-29", "I-38")
def test_f54_shares_that_appear_without_a_fill_stop_new_orders_until_somebody_documents_them() -> None:
    async def play(stage: Stage) -> None:
        await plays.shares_appear_without_a_fill(stage, 60.0)

    on_stage(play)


@pytest.mark.req("F-55", "I-58", "I-49")
def test_f55_an_order_that_dies_at_the_close_without_a_word_is_found_expired() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.trade("005930", 57_700, 3)
        stage.weather(notice_lost=1.0)
        await asyncio.sleep(20 * 60)
        await plays.require_found_expired(stage, order_id)

    on_stage(play, always_open=False, start_ns=ns_of(MONDAY, 15, 15))


@pytest.mark.req("F-56", "I-20", "I-49")
def test_f56_an_order_at_nxt_lives_on_into_the_evening_and_so_does_its_reservation() -> None:
    async def play(stage: Stage) -> None:
        there = await stage.rest(9, venue=Venue.NXT)
        here = await stage.rest(8)
        await asyncio.sleep(2 * 3_600)  # 17:15: KRX has closed
        assert stage.order(here).reason is Reason.EXPIRED
        assert stage.order(there).status is OrderStatus.ACCEPTED
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] >= 10 * 57_800
        await asyncio.sleep(3 * 3_600)
        assert stage.order(there).reason is Reason.EXPIRED
        assert not any(stage.book.cash_reserved.values())

    both = tuple(msgspec.structs.replace(i, nxt=i.symbol == "005930") for i in INSTRUMENTS)
    on_stage(play, always_open=False, start_ns=ns_of(MONDAY, 15, 15), world={"instruments": both})


@pytest.mark.req("F-58", "I-57", "I-53")
@pytest.mark.parametrize(("base", "sent"), [(58_000, 2), (30_000, 1)], ids=["still fits", "no longer fits"])
def test_f58_a_multi_day_order_is_held_against_the_new_days_limits_before_it_goes_out(
    base: int, sent: int
) -> None:
    async def play(stage: Stage) -> None:
        await plays.a_multi_day_order_meets_a_new_day(stage, base, sent)

    on_stage(play, always_open=False, start_ns=ns_of(MONDAY, 15, 15))


@pytest.mark.req("F-59", "I-53")
def test_f59_a_symbol_nobody_knows_is_never_sent() -> None:
    on_stage(plays.a_symbol_nobody_knows_is_never_sent)


@pytest.mark.req("F-61", "I-48", "I-49")
def test_f61_when_the_broker_has_less_money_for_us_than_we_think_its_refusal_costs_nothing() -> None:
    async def play(stage: Stage) -> None:
        await plays.the_broker_has_less_money_than_we_think(stage, "CASH")

    on_stage(play)


@pytest.mark.req("F-62", "I-01", "I-44")
@pytest.mark.parametrize("identity", [FillIdentity.CUMULATIVE, FillIdentity.EXECUTION_ID])
def test_f62_more_shares_than_ordered_are_booked_disputed_and_stop_new_orders(identity: FillIdentity) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.market.over_fill(stage.key(order_id), Decimal(13), Decimal(57_800), stage.clock.now_ns())
        await stage.ended(order_id, 40.0)
        await plays.require_overfill_is_shown(stage, order_id)

    on_stage(play, identity=identity)


@pytest.mark.req("F-63", "I-37", "I-44")
def test_f63_a_fee_that_is_not_our_tables_is_an_alarm_and_ends_as_the_brokers_figure() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_fee_is_not_our_tables(stage, 60.0)

    on_stage(play, world=plays.DEARER)


@pytest.mark.req("F-63", "I-37", "I-30", "I-38", "I-44")
@pytest.mark.parametrize(
    "weather",
    [{}, {"notice_lost": 1.0}, {"notice_doubled": 1.0}, {"notice_late": 0.5, "notice_late_ms_max": 3_000}],
    ids=["told", "lost", "doubled", "late"],
)
def test_f63_a_broker_that_names_its_fee_is_believed_to_the_won_and_nothing_breaks(
    weather: dict[str, float],
) -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(**weather):
            order_id = await stage.rest(9)
            stage.trade("005930", 57_800, 4)
            await until(lambda: stage.order(order_id).qty_filled == 4, 60.0)
            await stage.engine.modify(order_id, USER, price=Decimal(57_700))
            await until(lambda: len(stage.order(order_id).refs) == 2, 60.0)
            stage.trade("005930", 57_700, 6)
            await stage.ended(order_id)
            await until(lambda: len(stage.order(order_id).cost_figures) == 2, 60.0)
        order = stage.order(order_id)
        taken = [done.costs["BROKERAGE"] for done in stage.market.executions]
        assert order.costs == {"BROKERAGE": sum(taken)}
        assert Alarm.COST_DIFFERS in order.alarms
        await stage.studies(3)
        assert stage.engine.breaks() == ()
        assert stage.book.halt is None
        assert stage.book.cash[ACCOUNT, "KRW"] == stage.market.balance_of(ACCOUNT).cash["KRW"]
        corrected = [e for e in await stage.story(order_id) if isinstance(e, CostsCorrected)]
        assert sum(bool(event.ledger) for event in corrected) == 2, "the difference of each number, once"

    on_stage(play, world={**plays.DEARER, "reports_costs": True})


@pytest.mark.req("F-63", "I-37", "I-17")
def test_f63_a_fee_named_after_the_order_has_left_memory_is_booked_all_the_same() -> None:
    async def play(stage: Stage) -> None:
        held: list[CostReport] = []

        def keep_costs(report: BrokerReport) -> BrokerReport | None:
            if isinstance(report, CostReport):
                held.append(report)
                return None
            return report

        def no_costs(history: OrderHistory) -> OrderHistory:
            orders = tuple(msgspec.structs.replace(report, costs=None) for report in history.orders)
            return msgspec.structs.replace(history, orders=orders)

        stage.broker.on_report, stage.broker.on_history = keep_costs, no_costs
        order_id = await stage.buy(0)
        await stage.ended(order_id)
        await until(lambda: bool(held))
        stage.book.recent.clear()
        stage.book.refs.clear()
        anew = Book()  # one that was made anew has to be brought it too
        await Nearby(stage.engine.journal).bring(HearReport(report=held[0]), anew)
        assert anew.order(order_id) is not None
        await stage.engine.hear(held[0])
        await until(lambda: stage.book.order(order_id) is not None)
        assert stage.book.cash[ACCOUNT, "KRW"] == stage.market.balance_of(ACCOUNT).cash["KRW"]
        assert stage.order(order_id).costs == held[0].costs
        stage.broker.on_report, stage.broker.on_history = (lambda report: report), (lambda history: history)

    on_stage(play, world={**plays.DEARER, "reports_costs": True})


@pytest.mark.req("F-64", "I-07", "I-15")
def test_f64_what_is_unknown_at_one_venue_is_not_sent_to_another() -> None:
    async def play(stage: Stage) -> None:
        async def us_is_down(command: Command, answer: Answer) -> Answer:
            if isinstance(command, Submit) and command.order.symbol == "AAPL":
                raise AnswerLost("the connection was reset")
            return answer

        stage.link.on_answer = us_is_down
        stage.weather(history_fails=1.0, notice_lost=1.0)
        await plays.new_york_is_unknown_and_seoul_goes_on(stage)

    on_stage(play)


@pytest.mark.req("F-65", "I-33", "I-48")
def test_f65_an_order_without_a_price_ties_up_at_least_what_the_broker_holds_for_it() -> None:
    on_stage(plays.an_order_without_a_price_ties_up_enough)
