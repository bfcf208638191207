"""decide as a whole: the stream, halts, breaks, openings and recovery."""

from decimal import Decimal
from typing import get_args

import pytest

from jumun.model.commands import (
    BeginRecovery,
    BookOpening,
    Command,
    FinishRecovery,
    HaltTrading,
    RecordMarks,
    ResumeTrading,
    SettleBreak,
    StudyBalance,
)
from jumun.model.events import (
    BreakFound,
    MarksRecorded,
    OrderFlagged,
    Recovered,
    ReportKept,
    SendIntended,
    TradingHalted,
    TradingResumed,
)
from jumun.model.ids import UserId
from jumun.model.orders import Flag, OrderStatus
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, Balance, Holding, Rejected, StreamGap, Unknown, UnreadableNotice
from jumun.rules.draft import Draft
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    SAMSUNG,
    Bench,
    a_notice,
    a_ref,
    a_report,
    an_intent,
    cash_row,
    names,
    shares_row,
)

D = Decimal
S = OrderStatus
KIM = UserId("kim")


def a_balance(shares: dict[str, int], krw: int | Decimal = 100_000_000) -> Balance:
    holdings = tuple(Holding(symbol=symbol, qty=D(qty)) for symbol, qty in shares.items())
    return Balance(account_id=ACCOUNT, asked_ns=0, holdings=holdings, cash={"KRW": D(krw)})


# ---- the stream ---------------------------------------------------------------------------------


@pytest.mark.req("F-19", "I-09")
def test_a_gap_in_the_stream_is_settled_by_asking() -> None:
    decision = Bench().hear(StreamGap(text="reconnected"))
    assert (decision.events, decision.ask) == ((), True)


@pytest.mark.req("F-27", "F-28")
def test_a_notice_nobody_can_read_is_kept_and_settled_by_asking() -> None:
    decision = Bench().hear(UnreadableNotice(raw="\x00?", text="41 fields, not 26"))
    assert decision.events == (ReportKept(text="41 fields, not 26", raw="\x00?"),)
    assert decision.ask


@pytest.mark.req("F-21", "F-22", "I-11", "I-48")
def test_what_is_said_of_a_number_nobody_knows_is_parked_and_counts_when_the_number_comes() -> None:
    bench = Bench()
    order = bench.sent()
    for report in (a_notice(order, 4), a_report(order, 1)):
        decision = bench.hear(report)
        assert (decision.park, decision.events) == (True, ())
    bench.conclude(order, Accepted(ref=a_ref(1), raw=""))
    bench.hear(a_notice(order, 4))
    assert bench.order(order).qty_filled == 4


@pytest.mark.req("F-31", "I-64")
def test_a_notice_with_yesterdays_number_is_not_todays_order() -> None:
    bench = Bench()
    order = bench.working(number=1)
    assert bench.hear(a_notice(order, 4, ref=a_ref(1, "2025-05-26"))).park
    assert bench.order(order).qty_filled == 0


@pytest.mark.req("F-34")
def test_a_notice_of_another_account_with_the_same_number_is_not_ours() -> None:
    bench = Bench()
    order = bench.working(number=1)
    assert bench.hear(a_notice(order, 4, account_id="55555555-01")).park


# ---- stopping and going on ----------------------------------------------------------------------


@pytest.mark.req("I-50", "I-45")
def test_each_halt_is_written_the_gravest_is_shown_and_a_name_lifts_it() -> None:
    bench = Bench()
    halt = HaltTrading(reason=Reason.OPERATOR, text="stop")
    assert bench.do(halt).events == (TradingHalted(reason=Reason.OPERATOR, text="stop"),)
    bench.do(HaltTrading(reason=Reason.CLOCK_JUMPED, text="again"))
    worse = bench.do(HaltTrading(reason=Reason.TORN_JOURNAL, text="record 7 is torn"))
    assert worse.events != (), "it must not hide behind a halt that somebody will lift"
    assert bench.book.halt is not None
    assert bench.book.halt.reason is Reason.TORN_JOURNAL
    seen = bench.book.halt.seq
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="me too"))
    assert bench.book.halt.reason is Reason.TORN_JOURNAL, "nobody's halt hides the graver one"
    blind = bench.do(ResumeTrading(by=KIM, text="found it", halt_seq=seen)).denial
    assert blind is not None
    assert blind.reason is Reason.HALTED, "it was halted again meanwhile"
    assert bench.do(ResumeTrading(by=KIM, text="found it", halt_seq=bench.book.halt.seq)).events == (
        TradingResumed(by="kim", text="found it"),
    )
    assert bench.do(ResumeTrading(by=KIM, text="again")).events == ()
    assert bench.book.halt is None


@pytest.mark.req("I-44", "I-50")
def test_what_the_broker_says_is_booked_while_trading_is_halted() -> None:
    bench = Bench()
    order = bench.working()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="stop"))
    assert bench.fill(order).status is S.FILLED


# ---- openings and marks -------------------------------------------------------------------------


@pytest.mark.req("I-29", "I-30", "F-54")
def test_an_opening_document_is_booked_once() -> None:
    bench = Bench(krw=0)
    opening = BookOpening(
        account_id=ACCOUNT,
        rows=(cash_row(D(5)), shares_row(SAMSUNG, D(3), D(210_000)), shares_row(HYNIX, D(1), D(200_000))),
        document="letter-1",
    )
    assert names(bench.do(opening)) == ["OpeningBooked"]
    assert bench.do(opening).events == ()
    assert bench.book.cash == {(ACCOUNT, "KRW"): 5}
    assert {symbol: held.qty for (_, symbol), held in bench.book.positions.items()} == {SAMSUNG: 3, HYNIX: 1}
    assert {position.symbol for position in bench.entries[-1].positions} == {SAMSUNG, HYNIX}


@pytest.mark.req("S000-65", "S000-20")
def test_marks_value_what_is_held_and_move_no_money() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    cash = dict(bench.book.cash)
    marks = {SAMSUNG: D(71_000), HYNIX: D(1)}
    assert bench.do(RecordMarks(marks=marks, source="close")).events == (
        MarksRecorded(marks=marks, source="close"),
    )
    held = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (held.unrealised, held.mark_ts_ns) == (10_000, bench.now_ns)
    assert bench.book.cash == cash


# ---- breaks -------------------------------------------------------------------------------------


@pytest.mark.req("I-43", "I-38", "F-54", "S002-62")
def test_a_difference_is_a_break_only_when_two_looks_agree_and_then_trading_stops() -> None:
    bench = Bench()
    balance = a_balance({SAMSUNG: 10})
    first = bench.do(StudyBalance(balance=balance))
    assert first.events == ()
    assert first.differences == ((SAMSUNG, D(0), D(10)),)
    second = bench.do(StudyBalance(balance=balance, suspects=first.differences))
    assert names(second) == ["BreakFound", "TradingHalted"]
    [found, halted] = second.events
    assert isinstance(found, BreakFound)
    assert isinstance(halted, TradingHalted)
    assert (found.subject, found.ours, found.theirs) == (SAMSUNG, 0, 10)
    assert halted.reason is Reason.BREAK
    assert bench.book.halt is not None


@pytest.mark.req("I-43", "F-35")
def test_a_difference_that_moves_between_two_looks_is_no_break() -> None:
    bench = Bench()
    first = bench.do(StudyBalance(balance=a_balance({SAMSUNG: 10})))
    second = bench.do(StudyBalance(balance=a_balance({SAMSUNG: 11}), suspects=first.differences))
    assert second.events == ()
    assert bench.do(StudyBalance(balance=a_balance({}), suspects=second.differences)).differences == ()


@pytest.mark.req("I-40", "I-50")
def test_a_known_break_is_not_found_again_until_somebody_settled_it_and_resumed() -> None:
    bench = Bench()
    study = StudyBalance(balance=a_balance({SAMSUNG: 10}), suspects=((SAMSUNG, D(0), D(10)),))
    assert names(bench.do(study)) == ["BreakFound", "TradingHalted"]
    assert bench.do(study).events == ()
    [break_id] = bench.book.breaks
    refused = bench.do(ResumeTrading(by=KIM, text="it is the dividend")).denial
    assert refused is not None
    assert refused.reason is Reason.UNSETTLED_BREAK
    bench.do(SettleBreak(break_id=break_id, by=KIM, text="it is the dividend", correct=False))
    bench.do(ResumeTrading(by=KIM, text="explained"))
    assert bench.do(study).events == (), "the same difference is explained"
    other = StudyBalance(balance=a_balance({SAMSUNG: 12}), suspects=((SAMSUNG, D(0), D(12)),))
    assert names(bench.do(other)) == ["BreakFound", "TradingHalted"], "another one is not"


@pytest.mark.req("I-38", "I-50")
def test_many_breaks_halt_once_and_a_halt_that_is_there_is_not_repeated() -> None:
    bench = Bench()
    suspects = ((SAMSUNG, D(0), D(10)), ("CASH:KRW", D(100_000_000), D(1)))
    study = StudyBalance(balance=a_balance({SAMSUNG: 10}, 1), suspects=suspects)
    assert names(bench.do(study)) == ["BreakFound", "TradingHalted", "BreakFound"]
    other = StudyBalance(balance=a_balance({SAMSUNG: 12}), suspects=((SAMSUNG, D(0), D(12)),))
    assert names(bench.do(other)) == ["BreakSettled", "BreakFound"]  # the cash agrees again


# ---- recovery -----------------------------------------------------------------------------------


@pytest.mark.req("I-23", "F-67", "F-68", "I-15", "I-13", "F-71", "S002-59")
def test_what_was_in_flight_when_we_stopped_is_unknown_and_nothing_is_sent() -> None:
    bench = Bench()
    flying = bench.sent(an_intent(1))
    waiting = bench.submit(an_intent(2, qty=D(9)))
    working = bench.working(an_intent(3, qty=D(8)))
    decision = bench.do(BeginRecovery())
    assert names(decision) == ["OrderUnknown"]
    assert decision.ask
    lost = bench.order(flying)
    assert (lost.status, lost.reason) == (S.ERROR, Reason.CRASHED_IN_FLIGHT)
    assert bench.order(waiting) == waiting
    assert bench.order(working) == working
    assert bench.do(BeginRecovery()).events == (), "recovering twice is recovering once"
    assert not any(isinstance(event, SendIntended) for event in decision.events)


@pytest.mark.req("I-23", "I-58")
def test_recovery_ends_with_a_record_of_what_is_still_unknown() -> None:
    bench = Bench()
    bench.unknown()
    [event] = bench.do(FinishRecovery(text="1 order in 2 s")).events
    assert isinstance(event, Recovered)
    assert (event.unknown, event.text) == (1, "1 order in 2 s")


# ---- the draft ----------------------------------------------------------------------------------


def test_a_draft_sees_its_own_changes_and_the_book_does_not() -> None:
    bench = Bench()
    order = bench.working()
    draft = bench.draft()
    assert draft.order(order.order_id) is bench.book.open[order.order_id]
    assert list(draft.touched) == []
    draft.touch(order)
    assert list(draft.touched) == [order.order_id]
    assert draft.by_ref(ACCOUNT, a_ref(99)) is None
    assert draft.now_ns == bench.now_ns


def test_an_event_about_an_order_goes_through_the_order_machine() -> None:
    bench = Bench()
    order = bench.submit()
    draft: Draft = bench.draft()
    with pytest.raises(AssertionError, match="use add"):
        draft.note(OrderFlagged(order_id=order.order_id, flag=Flag.DISPUTED, text=""))


def test_there_is_a_decision_for_every_command() -> None:
    handled = {
        "SubmitOrder", "CancelOrder", "ConcludeSubmit", "ConcludeCancel", "HearReport", "StudyHistory",
        "StudyBalance", "Tick", "BookOpening", "SendNext", "RecordMarks", "HaltTrading", "ResumeTrading",
        "BeginRecovery", "FinishRecovery", "SettleOrder", "ModifyOrder", "ConcludeModify", "HearPrice",
        "BookEntry", "AssignBreak", "SettleBreak",
    }  # fmt: skip
    assert {kind.__name__ for kind in get_args(Command)} == handled


@pytest.mark.req("F-17", "I-11", "I-45")
@pytest.mark.parametrize("what", ["order", "cancel", "modify"])
def test_an_answer_about_another_order_stops_new_ones(what: str) -> None:
    bench = Bench()
    crossed = Unknown(text="it names another order", crossed=True)
    if what == "order":
        order = bench.sent()
        bench.conclude(order, crossed)
        assert bench.order(order).is_unknown
    else:
        order = bench.working()
        if what == "cancel":
            bench.cancel(order)
            bench.conclude_cancel(order, crossed)
        else:
            bench.modify(order, qty=5)
            bench.conclude_modify(order, crossed)
        assert not bench.order(order).status.is_final
    assert bench.book.halt is not None
    assert order.order_id in bench.book.halt.text


@pytest.mark.req("F-60", "I-45")
@pytest.mark.parametrize("withdrawn", [True, False])
def test_only_a_refusal_of_the_whole_function_stops_new_orders(*, withdrawn: bool) -> None:
    bench = Bench()
    order = bench.sent()
    bench.conclude(order, Rejected(code="EGW00213", text="not offered", raw="", withdrawn=withdrawn))
    assert bench.order(order).status is OrderStatus.REJECTED
    assert (bench.book.halt is not None) is withdrawn
