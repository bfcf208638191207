"""OMS-05: a cancel is a wish; only the broker's proof ends an order that is at the broker."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from jumun.model.commands import BeginRecovery, CancelOrder, HaltTrading
from jumun.model.events import CancelAnswered, CancelIntended
from jumun.model.orders import Alarm, OrderStatus
from jumun.model.reasons import Reason
from jumun.model.reports import (
    Accepted,
    BrokerState,
    CancelAccepted,
    CancelOutcome,
    CancelRefused,
    NotSent,
    Rejected,
    Unknown,
)
from jumun.rules.decide_cancel import CANCELS_BEFORE_ALARM
from tests.unit.rules.desk_values import (
    ACCOUNT,
    SECOND,
    USER,
    Bench,
    a_ref,
    a_report,
    an_intent,
    names,
)

D = Decimal
S = OrderStatus
REFUSED = CancelRefused(code="40330000", text="nothing to cancel", raw="{}")


@pytest.mark.req("S002-39", "S002-40", "S002-43", "I-49")
def test_an_order_that_never_left_ends_at_once_and_gives_back_what_it_reserved() -> None:
    bench = Bench()
    order = bench.submit()
    decision = bench.cancel(order)
    assert names(decision) == ["CancelRequested", "OrderCancelled"]
    ended = bench.order(order)
    assert (ended.status, ended.reason) == (S.CANCELLED, Reason.CANCELLED_BY_USER)
    assert bench.book.cash_free(ACCOUNT, "KRW") == 100_000_000


@pytest.mark.req("S002-39", "F-01")
def test_an_order_between_two_tries_ends_at_once() -> None:
    bench = Bench()
    order = bench.not_sent(bench.sent())
    bench.cancel(order)
    assert bench.order(order).status is S.CANCELLED


@pytest.mark.req("S002-42", "I-20", "I-47")
def test_a_working_order_is_asked_to_be_cancelled_and_keeps_its_exposure() -> None:
    bench = Bench()
    order = bench.working()
    bench.fill(order, 4)
    decision = bench.cancel(order)
    assert names(decision) == ["CancelRequested", "CancelIntended"]
    [_, event] = decision.events
    assert isinstance(event, CancelIntended)
    assert (event.request.ref, event.request.qty_left) == (a_ref(1), 6)
    now = bench.order(order)
    assert decision.order == now
    assert (now.status, now.cancel_open) == (S.PART_FILLED, True)
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] >= 420_000


@pytest.mark.req("I-20", "S002-39")
def test_a_cancel_wanted_twice_is_sent_once() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    assert bench.cancel(order).events == ()


@pytest.mark.req("I-20", "F-46", "I-59")
def test_a_fill_while_a_cancel_is_on_its_way_or_waits_its_time_sends_no_second_one() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    bench.fill(order, 2, 1)
    assert names(bench.last) == ["FillBooked"]
    bench.conclude_cancel(order, Unknown(text="timeout"))
    bench.fill(order, 2, 2)
    assert names(bench.last) == ["FillBooked"]
    bench.wait(1)
    bench.fill(order, 2, 3)
    assert names(bench.last) == ["FillBooked", "CancelIntended"]
    assert isinstance(bench.last.events[1], CancelIntended)
    assert bench.last.events[1].request.qty_left == 4


@pytest.mark.req("I-20", "I-21")
def test_an_order_in_flight_is_cancelled_as_soon_as_its_number_is_known() -> None:
    bench = Bench()
    order = bench.sent()
    assert names(bench.cancel(order)) == ["CancelRequested"]
    decision = bench.conclude(order, Accepted(ref=a_ref(), raw=""))
    assert names(decision) == ["OrderSent", "CancelIntended"]


@pytest.mark.req("I-20", "F-07")
def test_an_order_that_is_refused_while_its_cancel_waits_just_ends() -> None:
    bench = Bench()
    order = bench.sent()
    bench.cancel(order)
    assert names(bench.conclude(order, Rejected(code="", text="no", raw=""))) == ["OrderRejected"]


@pytest.mark.req("I-15", "I-20", "F-03")
def test_an_unknown_order_stays_unknown_and_is_cancelled_when_it_is_found() -> None:
    bench = Bench()
    lost = bench.unknown()
    assert names(bench.cancel(lost)) == ["CancelRequested"]
    assert bench.order(lost).status is S.ERROR
    decision = bench.study(a_report(lost))
    assert names(decision) == ["OrderSent", "OrderAccepted", "CancelIntended"]


@pytest.mark.req("S002-41")
@pytest.mark.parametrize("end", ["filled", "cancelled", "rejected"])
def test_an_order_that_has_ended_cannot_be_cancelled(end: str) -> None:
    bench = Bench()
    order = bench.submit(an_intent(qty=D(0))) if end == "rejected" else bench.submit()
    if end == "filled":
        bench.conclude(bench.send(order), Accepted(ref=a_ref(), raw=""))
        bench.fill(order)
    elif end == "cancelled":
        bench.cancel(order)
    before = bench.order(order)
    decision = bench.cancel(order)
    assert decision.denial is not None
    assert (decision.denial.reason, decision.events) == (Reason.ALREADY_FINAL, ())
    assert decision.order == before


@pytest.mark.req("S002-41")
def test_an_order_that_left_memory_is_judged_by_the_row_the_shell_found() -> None:
    old = replace(Bench().submit(), status=S.FILLED)
    decision = Bench().do(CancelOrder(order_id=old.order_id, by=USER, closed=old))
    assert decision.denial is not None
    assert decision.order == old


@pytest.mark.req("I-18", "I-44")
def test_a_cancel_of_an_order_nobody_looked_up_is_a_defect_of_ours() -> None:
    order = Bench().submit()
    with pytest.raises(AssertionError, match="looks an order up"):
        Bench().do(CancelOrder(order_id=order.order_id, by=USER))


@pytest.mark.req("I-47", "I-45")
def test_cancels_go_on_while_trading_is_halted() -> None:
    bench = Bench()
    order = bench.working()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="stop"))
    assert names(bench.cancel(order)) == ["CancelRequested", "CancelIntended"]


@pytest.mark.req("I-18", "F-46", "I-20")
@pytest.mark.parametrize(
    ("outcome", "word", "asks"),
    [
        (CancelAccepted(raw="ok"), "accepted", False),
        (REFUSED, "refused", True),
        (NotSent(text="refused"), "not_sent", False),
        (Unknown(text="timeout"), "unknown", False),
    ],
)
def test_no_answer_to_a_cancel_ends_the_order_by_itself(
    outcome: CancelOutcome, word: str, asks: bool
) -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    decision = bench.conclude_cancel(order, outcome)
    [event] = decision.events
    assert isinstance(event, CancelAnswered)
    assert (event.outcome, decision.ask) == (word, asks)
    now = bench.order(order)
    assert (now.status, now.cancel_open) == (S.SENT, False)
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] == 700_098


@pytest.mark.req("I-20", "F-50", "S002-51")
def test_an_unanswered_cancel_is_repeated_after_1_2_4_8_and_then_each_15_seconds() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    waits = []
    for _ in range(7):
        bench.conclude_cancel(order, Unknown(text="timeout"))
        due = bench.order(order).cancel_retry_ns
        assert due is not None
        waits.append((due - bench.now_ns) // SECOND)
        bench.now_ns = due - 1
        assert bench.tick(order).events == ()
        bench.now_ns = due
        assert [name for name in names(bench.tick(order)) if name != "OrderAlarmed"] == ["CancelIntended"]
    assert waits == [1, 2, 4, 8, 15, 15, 15]


@pytest.mark.req("F-50", "I-59", "I-20")
def test_an_order_that_outlives_its_cancels_is_shown_to_a_person_once() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    for count in range(1, CANCELS_BEFORE_ALARM + 3):
        bench.conclude_cancel(order, CancelAccepted(raw="taken"))
        assert (Alarm.CANCEL_STUCK in bench.order(order).alarms) is (count >= CANCELS_BEFORE_ALARM)
        due = bench.order(order).cancel_retry_ns
        assert due is not None
        bench.now_ns = due
        bench.tick(order)
    assert not bench.order(order).status.is_final
    assert bench.order(order).alarms.count(Alarm.CANCEL_STUCK) == 1


@pytest.mark.req("S002-43", "S002-42", "I-17")
def test_a_cancel_ends_the_order_when_the_reply_proves_it_and_what_filled_is_booked_first() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    proof = a_report(
        bench.order(order), state=BrokerState.CANCELLED, qty_filled=D(3), amount_filled=D(210_000)
    )
    decision = bench.conclude_cancel(order, CancelAccepted(raw="ok", report=proof))
    assert names(decision) == ["CancelAnswered", "FillBooked", "OrderCancelled"]
    ended = bench.order(order)
    assert (ended.status, ended.qty_filled, ended.reason) == (S.CANCELLED, 3, Reason.CANCELLED_BY_USER)
    assert not ended.cancel_open
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] == 0


@pytest.mark.req("F-46", "I-18", "I-02")
def test_a_fill_wins_the_race_against_a_cancel() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    bench.fill(order)
    assert names(bench.conclude_cancel(order, REFUSED)) == ["CancelAnswered"]
    ended = bench.order(order)
    assert (ended.status, ended.cancel_open) == (S.FILLED, False)


@pytest.mark.req("I-18")
def test_an_answer_to_a_cancel_that_no_longer_waits_for_one_changes_nothing() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    bench.hear(a_report(bench.order(order), state=BrokerState.CANCELLED))
    assert bench.order(order).status is S.CANCELLED
    decision = bench.conclude_cancel(order, CancelAccepted(raw=""))
    assert decision.events == ()


@pytest.mark.req("F-68", "I-23", "I-20")
def test_a_cancel_in_flight_when_we_stopped_is_sent_again() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    assert names(bench.do(BeginRecovery())) == ["CancelAnswered", "CancelIntended"]
