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
from jumun.exchange.world import PLANS
from jumun.model.commands import HearReport
from jumun.model.events import CostsCorrected
from jumun.model.events import OrderCancelled as CancelProven
from jumun.model.instruments import UnknownSymbol, Venue
from jumun.model.money import Currency
from jumun.model.orders import Alarm, Flag, Order, OrderStatus, OrderType, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerReport, CostReport, OrderHistory
from jumun.ports.wire import AnswerLost
from jumun.rules.book import Book
from jumun.rules.decide_cancel import CANCELS_BEFORE_ALARM
from jumun.services.nearby import Nearby
from tests.scenarios.any_stage import MONDAY, USER, ZERO, S, ns_of, until
from tests.scenarios.stage import ACCOUNT, CASH, Stage, an_intent, on_stage


async def denial_of(stage: Stage, **changes: object) -> Reason | None:
    """Why a new order is refused now; None when it is taken."""
    decision = await stage.engine.submit(an_intent(20, **changes))
    return None if decision.denial is None else decision.denial.reason


@pytest.mark.req("F-46", "I-02", "I-18", "I-20")
@pytest.mark.parametrize("traded", [10, 4], ids=["all of it", "a part"])
def test_f46_a_cancel_that_crosses_a_fill_ends_where_the_exchange_says(traded: int) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        with stage.bad(notice_lost=1.0, history_fails=1.0):
            await stage.engine.cancel(order_id, USER)
            stage.trade("005930", 57_700, traded)  # before the cancel has arrived
            await asyncio.sleep(0.5)
            if traded == 10:
                order = stage.order(order_id)
                assert not order.status.is_final, "'nothing to cancel' alone says nothing about the order"
                assert stage.book.cash_reserved[ACCOUNT, "KRW"] > 0
        order = await stage.ended(order_id, 40.0)
        assert order.qty_filled == traded
        assert order.status is (OrderStatus.FILLED if traded == 10 else OrderStatus.CANCELLED)

    on_stage(play)


@pytest.mark.req("F-46", "I-18", "I-58")
def test_f46_a_refused_cancel_is_looked_into_at_once() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        await asyncio.sleep(5)  # the questions of the start are over, the next is half a minute off
        with stage.bad(notice_lost=1.0):
            await stage.engine.cancel(order_id, USER)
            stage.trade("005930", 57_700, 10)
            order = await stage.ended(order_id, 3.0)
        assert (order.status, order.qty_filled) == (OrderStatus.FILLED, 10)

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
        with stage.bad(notice_late=1.0, notice_late_ms_max=3_000, history_fails=1.0):
            stage.trade("005930", 57_700, 4)
            await stage.engine.cancel(order_id, USER)
            order = await stage.ended(order_id, 1.0)
            assert (order.status, order.qty_filled) == (OrderStatus.CANCELLED, 0)
            await until(lambda: stage.order(order_id).qty_filled == 4, 4.0)
        order = stage.order(order_id)
        assert order.status is OrderStatus.CANCELLED, "it never comes back to life"
        assert Flag.LATE_FILL in order.flags

    on_stage(play, identity=identity)


@pytest.mark.req("F-48", "I-57")
def test_f48_a_halt_leaves_resting_orders_working_and_the_venue_refuses_new_ones() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.market.halt("005930", stage.clock.now_ns())
        refused = await stage.buy(3)
        assert (await stage.ended(refused, 5.0)).status is OrderStatus.REJECTED
        elsewhere = await stage.buy(3, symbol="000660")
        assert (await stage.ended(elsewhere, 5.0)).status is OrderStatus.FILLED
        await stage.studies(2)
        order = stage.order(order_id)
        assert (order.status, order.flags) == (OrderStatus.ACCEPTED, ())
        stage.market.resume("005930", stage.clock.now_ns())
        stage.trade("005930", 57_700, 10)
        await stage.ended(order_id, 5.0)

    on_stage(play)


@pytest.mark.req("F-48", "I-57", "I-47")
def test_f48_a_circuit_breaker_ends_no_order_of_ours_and_cancels_go_on() -> None:
    async def play(stage: Stage) -> None:
        ids = [await stage.rest(n) for n in range(3)]
        stage.market.break_circuit(Venue.KRX, stage.clock.now_ns())
        await stage.studies(2)
        assert [stage.order(order_id).status for order_id in ids] == [OrderStatus.ACCEPTED] * 3
        assert stage.book.halt is None
        await stage.engine.cancel(ids[0], USER)
        assert (await stage.ended(ids[0], 5.0)).status is OrderStatus.CANCELLED
        assert len(stage.market.arrivals) == 3

    on_stage(play)


@pytest.mark.req("F-48", "I-57")
def test_f48_prices_that_an_auction_only_indicates_trigger_no_stop() -> None:
    async def play(stage: Stage) -> None:
        stop = await stage.buy(
            3, order_type=OrderType.STOP, price=None, stop_price=Decimal(58_500), symbol="005930"
        )
        assert stage.order(stop).stop_held
        now_ns = stage.clock.now_ns()
        stage.market.interrupt("005930", now_ns)
        stage.market.offer("005930", Decimal(58_600), Decimal(50), now_ns)
        await asyncio.sleep(60)
        assert stage.order(stop).stop_held, "nobody has traded there"
        assert stage.arrived(stop) == 0
        await stage.engine.cancel(stop, USER)

    on_stage(play, world={"call_auctions": True, "vi": True})


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
        await until(lambda: settled(stage.order(order_id)), 30.0)
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


def settled(order: Order) -> bool:
    """Nobody waits for the end of a modify, or it does not matter any more."""
    return order.modify_to is None or order.status.is_final


@pytest.mark.req("F-50", "I-20", "I-59")
def test_f50_a_cancel_that_the_broker_takes_and_does_not_carry_out_is_asked_again() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.market.ignore_cancels(2)
        await stage.engine.cancel(order_id, USER)
        await asyncio.sleep(0.5)
        order = stage.order(order_id)
        assert order.status is OrderStatus.ACCEPTED, "an answer is no proof"
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] >= 10 * 57_800
        order = await stage.ended(order_id, 30.0)
        assert order.status is OrderStatus.CANCELLED
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
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.market.refuse_later(stage.key(order_id), stage.clock.now_ns())
        order = await stage.ended(order_id, 5.0)
        assert order.status is OrderStatus.REJECTED
        assert "refused by the exchange" in order.reason_text
        assert stage.book.cash_free(ACCOUNT, "KRW") == CASH["KRW"]
        await asyncio.sleep(60)
        assert stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-52", "I-38", "I-07")
@pytest.mark.parametrize("lost", [0.0, 1.0], ids=["with notices", "without a word"])
def test_f52_orders_the_exchange_cancels_of_its_own_accord_say_so_and_are_not_entered_again(
    lost: float,
) -> None:
    async def play(stage: Stage) -> None:
        ids = [await stage.rest(n) for n in range(3)]
        with stage.bad(notice_lost=lost):
            assert stage.market.mass_cancel(stage.clock.now_ns(), text="ex officio") == 3
            await asyncio.sleep(0.1)
        for order_id in ids:
            order = await stage.ended(order_id, 40.0)
            assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.CANCELLED_BY_BROKER)
            assert "ex officio" in order.reason_text
        await asyncio.sleep(120)
        assert len(stage.market.arrivals) == 3

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
        stage.market.adjust(ACCOUNT, stage.clock.now_ns(), holdings={"005930": Decimal(7)})
        await until(lambda: stage.engine.breaks(), 60.0)
        [found] = stage.engine.breaks()
        assert (found.subject, found.ours, found.theirs) == ("005930", 0, 7)
        assert await denial_of(stage) is Reason.HALTED
        assert not stage.link.submits()
        await stage.engine.settle_break(
            found.break_id, USER, "a stock dividend, see the notice", correct=True
        )
        assert stage.book.positions[ACCOUNT, "005930"].qty == 7
        await stage.engine.resume(USER, "documented")
        assert await denial_of(stage) is None

    on_stage(play)


@pytest.mark.req("F-55", "I-58", "I-49")
def test_f55_an_order_that_dies_at_the_close_without_a_word_is_found_expired() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.trade("005930", 57_700, 3)
        stage.weather(notice_lost=1.0)
        await asyncio.sleep(20 * 60)
        order = stage.order(order_id)
        assert (order.status, order.reason, order.qty_filled) == (OrderStatus.CANCELLED, Reason.EXPIRED, 3)
        [proof] = [e for e in await stage.story(order_id) if isinstance(e, CancelProven)]
        assert proof.evidence.startswith("history")

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
        order_id = await stage.rest(9, time_in_force=TimeInForce.GTC)
        await asyncio.sleep(20 * 60)
        assert stage.order(order_id).resting
        stage.market.set_base("005930", "2025-05-27", Decimal(base))
        await stage.crash()
        stage.clock.offset_ns = 18 * 3_600 * S
        stage.market.advance(stage.clock.now_ns())
        await stage.start()
        await asyncio.sleep(60)
        assert stage.arrived(order_id) == sent
        assert stage.order(order_id).resting is (sent == 1), "it rests on, and no order breaks the limits"
        await stage.engine.cancel(order_id, USER)

    on_stage(play, always_open=False, start_ns=ns_of(MONDAY, 15, 15))


@pytest.mark.req("F-59", "I-53")
def test_f59_a_symbol_nobody_knows_is_never_sent() -> None:
    async def play(stage: Stage) -> None:
        strange = msgspec.structs.replace(an_intent(), symbol="999999")
        with pytest.raises(UnknownSymbol):
            await stage.engine.submit(strange)
        assert not stage.link.submits()

    on_stage(play)


@pytest.mark.req("F-61", "I-48", "I-49")
def test_f61_when_the_broker_has_less_money_for_us_than_we_think_its_refusal_costs_nothing() -> None:
    async def play(stage: Stage) -> None:
        now_ns = stage.clock.now_ns()
        stage.market.block_cash(ACCOUNT, "KRW", Decimal(99_900_000), now_ns)
        refused = await stage.buy(9)
        order = await stage.ended(refused, 5.0)
        assert order.status is OrderStatus.REJECTED
        assert "CASH" in order.reason_text
        assert stage.book.cash_free(ACCOUNT, "KRW") == CASH["KRW"]
        small = await stage.ended(await stage.buy(0))
        assert small.status is OrderStatus.FILLED
        stage.market.block_cash(ACCOUNT, "KRW", ZERO, stage.clock.now_ns())

    on_stage(play)


@pytest.mark.req("F-62", "I-01", "I-44")
@pytest.mark.parametrize("identity", [FillIdentity.CUMULATIVE, FillIdentity.EXECUTION_ID])
def test_f62_more_shares_than_ordered_are_booked_disputed_and_stop_new_orders(identity: FillIdentity) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.market.over_fill(stage.key(order_id), Decimal(13), Decimal(57_800), stage.clock.now_ns())
        order = await stage.ended(order_id, 40.0)
        assert order.qty_filled == 13, "never clipped: the shares are there"
        assert stage.book.positions[ACCOUNT, "005930"].qty == 13
        assert Flag.OVERFILL in order.flags
        assert Flag.DISPUTED in order.flags
        assert await denial_of(stage) is Reason.HALTED

    on_stage(play, identity=identity)


@pytest.mark.req("F-63", "I-37", "I-44")
def test_f63_a_fee_that_is_not_our_tables_is_an_alarm_and_ends_as_the_brokers_figure() -> None:
    async def play(stage: Stage) -> None:
        await stage.ended(await stage.buy(50))
        await until(lambda: stage.engine.breaks(), 60.0)
        [found] = stage.engine.breaks()
        assert found.subject == "CASH:KRW"
        assert stage.book.halt is not None
        await stage.engine.settle_break(found.break_id, USER, "the new tariff of May", correct=True)
        assert stage.book.cash[ACCOUNT, "KRW"] == stage.market.balance_of(ACCOUNT).cash["KRW"]

    dearer = msgspec.structs.replace(PLANS[Currency.KRW], share_rate=Decimal("0.005"))
    on_stage(play, world={"plans": {**PLANS, Currency.KRW: dearer}})


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

    dearer = msgspec.structs.replace(PLANS[Currency.KRW], share_rate=Decimal("0.005"))
    on_stage(play, world={"plans": {**PLANS, Currency.KRW: dearer}, "reports_costs": True})


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

    dearer = msgspec.structs.replace(PLANS[Currency.KRW], share_rate=Decimal("0.005"))
    on_stage(play, world={"plans": {**PLANS, Currency.KRW: dearer}, "reports_costs": True})


@pytest.mark.req("F-64", "I-07", "I-15")
def test_f64_what_is_unknown_at_one_venue_is_not_sent_to_another() -> None:
    async def play(stage: Stage) -> None:
        async def us_is_down(command: Command, answer: Answer) -> Answer:
            if isinstance(command, Submit) and command.order.symbol == "AAPL":
                raise AnswerLost("the connection was reset")
            return answer

        stage.link.on_answer = us_is_down
        stage.weather(history_fails=1.0, notice_lost=1.0)
        lost = await stage.buy(0, symbol="AAPL", price=Decimal("190.00"))
        await until(lambda: stage.order(lost).is_unknown)
        korean = await stage.buy(0)
        await until(lambda: stage.arrived(korean))
        await asyncio.sleep(60)
        assert stage.order(lost).is_unknown
        assert stage.arrived(lost) == 1
        assert [a.order.venue for a in stage.market.arrivals if a.order.tag.startswith(lost)] == ["US"]
        stage.calm()
        await until(lambda: stage.order(lost).status is OrderStatus.ACCEPTED)
        await stage.ended(korean)

    on_stage(play)


@pytest.mark.req("F-65", "I-33", "I-48")
def test_f65_an_order_without_a_price_ties_up_at_least_what_the_broker_holds_for_it() -> None:
    async def play(stage: Stage) -> None:
        account = stage.market._accounts[ACCOUNT]
        stage.market.step("005930", Decimal(58_000), Decimal(4), stage.clock.now_ns(), quote_qty=Decimal(4))
        order_id = await stage.buy(19, order_type=OrderType.MARKET, price=None)
        await until(lambda: stage.order(order_id).qty_filled == 4)
        theirs = account.cash["KRW"] - account.cash_free("KRW")
        assert theirs >= 16 * 75_400, "the broker counts at the upper limit of the day"
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] >= theirs
        stage.trade("005930", 58_000, 100)
        await stage.ended(order_id, 5.0)

    on_stage(play)
