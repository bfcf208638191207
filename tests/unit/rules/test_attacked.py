"""What an attack on the desk found once, each as the shortest story that shows it."""

from typing import Any

import pytest

from jumun.model.commands import HaltTrading, HearPrice, ResumeTrading, SettleBreak, StudyBalance
from jumun.model.ids import UserId
from jumun.model.orders import Flag, OrderStatus, OrderType, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, Balance, BrokerState, Holding, TradeBust, Unknown
from tests.unit.rules.desk_values import (
    ACCOUNT,
    OPEN_NS,
    SAMSUNG,
    Bench,
    D,
    a_notice,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    an_intent,
    at,
)

S = OrderStatus
KIM = UserId("kim")
GTC: dict[str, Any] = {"time_in_force": TimeInForce.GTC}
TOMORROW = "2025-05-28"


def second_day(bench: Bench, *, filled: int = 0) -> Any:
    """An order of several days whose second attempt has just been intended."""
    order = bench.working(an_intent(**GTC))
    if filled:
        bench.fill(order, filled)
    bench.now_ns = at("2025-05-27T18:00:00+09:00")
    bench.study(
        a_report(order, state=BrokerState.EXPIRED, qty_filled=D(filled), amount_filled=D(filled) * 70_000)
    )
    bench.now_ns = at("2025-05-28T09:01:00+09:00")
    return bench.send(bench.order(order))


@pytest.mark.req("I-15", "I-38", "F-03", "F-31")
def test_a_late_fill_of_yesterday_leaves_todays_lost_reply_unknown_until_the_list_tells() -> None:
    bench = Bench()
    order = second_day(bench)
    bench.conclude(order, Unknown(text="lost"))
    bench.hear(a_notice(order, 3, ref=a_ref(1)))
    assert bench.order(order).status is S.ERROR
    found = a_report(order, ref=a_ref(8, TOMORROW), qty_filled=D(7), amount_filled=D(490_000))
    bench.study(found, day=TOMORROW)
    now = bench.order(order)
    assert (now.status, now.qty_filled) == (S.FILLED, 10)


@pytest.mark.req("I-15", "I-49", "F-04")
def test_a_second_day_that_never_arrived_can_go_again_or_be_cancelled() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    order = second_day(bench)
    bench.conclude(order, Unknown(text="lost"))
    bench.wait(30)
    bench.study(day=TOMORROW)
    bench.wait(30)
    bench.study(day=TOMORROW)
    assert bench.order(order).resting
    again = bench.send(bench.order(order))
    bench.conclude(again, Accepted(ref=a_ref(9, TOMORROW), raw=""))
    assert bench.order(order).refs[-1] == a_ref(9, TOMORROW)


@pytest.mark.req("I-45", "I-50", "F-105")
def test_a_halt_pressed_while_another_is_being_lifted_is_not_lifted_with_it() -> None:
    bench = Bench()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="lunch"))
    assert bench.book.halt is not None
    meant = bench.book.halt.seq
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="lunch"))
    denial = bench.do(ResumeTrading(by=KIM, text="back", halt_seq=meant)).denial
    assert denial is not None
    assert denial.reason is Reason.HALTED
    assert bench.book.halt is not None


@pytest.mark.req("I-50", "F-106", "F-107")
def test_a_break_shows_through_an_operators_halt() -> None:
    bench = Bench()
    order = bench.submit()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="lunch"))
    bench.study(a_report(order, 7, ref=a_ref(7), symbol="000660"))
    assert bench.book.halt is not None
    assert bench.book.halt.reason is Reason.BREAK


@pytest.mark.req("I-29", "I-09", "F-24")
def test_a_correction_is_refused_when_the_missing_fill_has_come_since() -> None:
    bench = Bench()
    order = bench.working()
    holdings = (Holding(symbol=SAMSUNG, qty=D(10)),)
    balance = Balance(account_id=ACCOUNT, asked_ns=0, holdings=holdings, cash={"KRW": D(100_000_000)})
    bench.do(StudyBalance(balance=balance, suspects=((SAMSUNG, D(0), D(10)),)))
    [break_id] = bench.book.breaks
    bench.fill(order, 10)
    denial = bench.do(SettleBreak(break_id=break_id, by=KIM, text="it is so", correct=True)).denial
    assert denial is not None
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 10


@pytest.mark.req("F-53", "I-09", "I-19")
def test_a_delayed_notice_of_a_fill_that_was_taken_back_does_not_bring_it_back() -> None:
    bench = Bench()
    order = bench.working()
    bench.study(a_report(order, qty_filled=D(10), amount_filled=D(700_000), state=BrokerState.FILLED))
    bench.wait(5)
    bust: dict[str, Any] = {"qty": D(10), "price": D(70_000), "price_new": None, "identity": "b1"}
    bench.hear(
        TradeBust(
            account_id=ACCOUNT,
            ref=a_ref(),
            symbol=SAMSUNG,
            side=order.side,
            ts_event_ns=bench.now_ns,
            **bust,
        )
    )
    bench.wait(1)
    bench.hear(a_notice(order, 10, 1, ts_event_ns=OPEN_NS))
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 0


@pytest.mark.req("I-34", "F-54")
def test_a_correction_takes_no_shares_away_that_an_open_order_sells() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    bench.working(a_sale(**GTC))
    balance = Balance(account_id=ACCOUNT, asked_ns=0, holdings=(), cash={"KRW": D(100_000_000)})
    bench.do(StudyBalance(balance=balance, suspects=((SAMSUNG, D(10), D(0)),)))
    [break_id] = bench.book.breaks
    denial = bench.do(SettleBreak(break_id=break_id, by=KIM, text="gone", correct=True)).denial
    assert denial is not None
    assert denial.reason is Reason.SHARES


@pytest.mark.req("F-49", "I-44", "I-11")
def test_a_successor_heard_before_its_parents_fills_does_not_look_filled() -> None:
    bench = Bench(a_policy(modifies=True))
    order = bench.working()
    new = a_report(order, 2, ref=a_ref(2), replaces=a_ref(1), qty=D(7), price=D(69_000))
    bench.hear(new)
    bench.hear(a_notice(order, 3, number=1, ref=a_ref(1)))
    bench.hear(a_notice(order, 3, number=2, ref=a_ref(2), price=D(69_000)))
    now = bench.order(order)
    assert (now.status, now.qty_left) == (S.PART_FILLED, 4)


@pytest.mark.req("I-44", "I-48")
def test_a_broker_that_works_other_terms_stops_new_orders() -> None:
    bench = Bench()
    order = bench.working()
    bench.wait(60)
    bench.study(a_report(order, qty=D(500), price=D(80_000)))
    assert Flag.DISPUTED in bench.order(order).flags
    assert bench.book.halt is not None
    bench.do(ResumeTrading(by=KIM, text="the desk at the broker was called"))
    bench.wait(60)
    assert bench.study(a_report(order, qty=D(500), price=D(80_000))).events == (), "it is known"
    assert bench.book.halt is None


@pytest.mark.req("C-11", "I-45")
def test_a_price_seen_while_trading_is_halted_triggers_no_stop() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    stop: dict[str, Any] = {"order_type": OrderType.STOP, "price": None, "stop_price": D(68_000)}
    order = bench.submit(a_sale(**stop))
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="lunch"))
    bench.do(HearPrice(symbol=SAMSUNG, price=D(67_000), source="feed"))
    assert bench.order(order).stop_held
    bench.do(ResumeTrading(by=KIM, text="back"))
    bench.do(HearPrice(symbol=SAMSUNG, price=D(67_500), source="feed"))
    now = bench.order(order)
    assert now.triggered_ns is not None
    bench.now_ns = (
        now.triggered_ns + 400 * 1_000_000_000
    )  # it waits behind others for longer than the queue's end
    bench.tick(now)
    assert bench.order(order).status is S.NEW


@pytest.mark.req("I-42", "F-106", "F-45")
def test_where_our_reference_travels_a_strangers_look_alike_is_not_taken_for_ours() -> None:
    bench = Bench(a_policy(carries_reference=True))
    order = bench.unknown()
    other = a_report(order, 5, ref=a_ref(5), reference=None, qty_filled=D(4), amount_filled=D(280_000))
    bench.study(other)
    assert bench.order(order).status is S.ERROR
    [foreign] = [one for one in bench.book.open.values() if Flag.FOREIGN in one.flags]
    assert (foreign.refs, foreign.qty_filled) == ((a_ref(5),), 4)
