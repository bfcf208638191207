"""A person says which number of the broker's list an order of unknown outcome is."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.commands import SettleOrder, StudyHistory
from jumun.model.events import OrderSent, OrderUnknown
from jumun.model.ids import AccountId, BrokerOrderNo
from jumun.model.orders import Flag, Order, OrderStatus, Side
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, BrokerState, OrderHistory, OrderReport
from jumun.rules.draft import Decision
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    SAMSUNG,
    SHARED,
    TODAY,
    USER,
    Bench,
    a_policy,
    a_ref,
    a_report,
    an_intent,
    names,
)

D = Decimal
S = OrderStatus
CARRIES = a_policy(unknown_order_policy="resend_once", carries_reference=True)


def settled(
    bench: Bench,
    order: Order,
    number: int,
    *rows: OrderReport,
    account: AccountId = ACCOUNT,
    day: str = TODAY,
    asked_ns: int | None = None,
) -> Decision:
    """A person says that the order is `number` of a list that holds exactly these rows."""
    at_ns = bench.now_ns if asked_ns is None else asked_ns
    history = OrderHistory(account_id=account, trade_date=day, asked_ns=at_ns, orders=rows)
    look = StudyHistory(history=history, visible_after_ns=bench.policy.visible_after_ns)
    said = BrokerOrderNo(a_ref(number).number)
    return bench.do(
        SettleOrder(order_id=order.order_id, by=USER, text="the time on the screen", number=said, look=look)
    )


def refused(decision: Decision) -> tuple[Reason, str]:
    assert decision.denial is not None
    assert decision.events == ()
    return decision.denial.reason, decision.denial.text


def two_candidates(bench: Bench, **changes: Any) -> tuple[Order, OrderReport, OrderReport]:
    """An unknown order, disputed because two rows of the list fit it."""
    lost = bench.unknown()
    first, second = a_report(lost, 2), a_report(lost, 3, **changes)
    bench.study(first, second)
    assert bench.order(lost).flags == (Flag.DISPUTED,)
    return bench.order(lost), first, second


@pytest.mark.req("I-15", "I-58", "F-03", "F-45", "S002-61")
def test_a_person_says_which_of_two_rows_the_lost_order_is_and_its_fills_are_booked() -> None:
    bench = Bench()
    lost, first, second = two_candidates(bench, qty_filled=D(4), amount_filled=D(279_600))
    decision = settled(bench, lost, 3, first, second)
    assert names(decision) == ["OrderSent", "FillBooked"]
    [sent] = [event for event in decision.events if isinstance(event, OrderSent)]
    assert sent.evidence == "decided by user-1: the time on the screen"
    now = bench.order(lost)
    assert (now.status, now.refs, now.qty_filled, now.attempt_open) == (S.PART_FILLED, (a_ref(3),), 4, False)
    assert now.flags == (Flag.DISPUTED,), "that it was disputed stays written"
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 4
    assert not bench.book.held


@pytest.mark.req("I-42", "F-45")
def test_the_row_that_was_not_chosen_is_left_alone_until_the_next_list_calls_it_a_strangers() -> None:
    bench = Bench()
    lost, first, second = two_candidates(bench)
    settled(bench, lost, 3, first, second)
    assert [order.order_id for order in bench.book.open.values()] == [lost.order_id]
    bench.study(first, second)
    [stranger] = [order for order in bench.book.open.values() if Flag.FOREIGN in order.flags]
    assert (stranger.refs, bench.order(lost).refs) == ((a_ref(2),), (a_ref(3),))
    assert bench.book.halt is not None, "nobody else trades in this account: a person looks"


@pytest.mark.req("I-58", "I-20", "S002-40")
def test_a_cancel_that_was_kept_for_the_lost_order_leaves_for_the_number_a_person_names() -> None:
    bench = Bench()
    lost, first, second = two_candidates(bench)
    assert names(bench.cancel(lost)) == ["CancelRequested"]
    decision = settled(bench, lost, 2, first, second)
    assert names(decision) == ["OrderSent", "OrderAccepted", "CancelIntended"]
    now = bench.order(lost)
    assert (now.cancel_open, now.newest_ref) == (True, a_ref(2))


@pytest.mark.req("I-41", "I-07")
def test_to_name_a_number_never_sends_an_order_not_even_one_that_waited_to_be_sent_once_more() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    lost = bench.unknown()
    bench.absent_twice()
    assert lost.order_id in bench.book.waiting
    decision = settled(bench, lost, 2, a_report(lost, 2))
    assert "SendIntended" not in names(decision)
    assert lost.order_id not in bench.book.waiting
    assert bench.order(lost).status is S.ACCEPTED


@pytest.mark.req("I-13", "I-40")
def test_to_name_the_same_number_again_changes_nothing_and_another_one_is_refused() -> None:
    bench = Bench()
    lost, first, second = two_candidates(bench)
    settled(bench, lost, 3, first, second)
    again = settled(bench, lost, 3, first, second)
    assert (again.denial, again.events, again.order) == (None, (), bench.order(lost))
    reason, _ = refused(settled(bench, lost, 2, first, second))
    assert reason is Reason.ALREADY_FINAL


@pytest.mark.req("I-15", "I-42")
def test_a_number_that_the_list_does_not_hold_is_refused_and_those_that_fit_are_named() -> None:
    bench = Bench()
    lost, first, second = two_candidates(bench)
    reason, text = refused(settled(bench, lost, 9, first, second))
    assert reason is Reason.WRONG_NUMBER
    assert a_ref(9).number in text
    assert text.endswith(f"name one of those that look like it: {a_ref(2).number}, {a_ref(3).number}")
    _, text = refused(settled(bench, lost, 9))
    assert "compare again on the broker's screen" in text


@pytest.mark.req("I-11", "I-42")
def test_a_number_that_is_another_order_of_ours_is_refused_and_that_order_is_named() -> None:
    bench = Bench()
    twin = bench.working(an_intent(1), number=1)
    lost = bench.unknown(an_intent(2))
    reason, text = refused(settled(bench, lost, 1, a_report(twin, 1), a_report(lost, 2)))
    assert reason is Reason.WRONG_NUMBER
    assert twin.order_id in text
    assert bench.order(twin).refs == (a_ref(1),)


@pytest.mark.req("I-42", "F-45", "I-11")
@pytest.mark.parametrize(
    "change",
    [
        {"symbol": HYNIX},
        {"side": Side.SELL},
        {"qty": D(9)},
        {"price": D(69_900)},
        {"price": None},
        {"account_id": SHARED},
        {"reference": "somebody-else"},
        {"replaces": a_ref(1)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_row_that_is_not_what_the_order_asked_for_is_refused(change: dict[str, Any]) -> None:
    bench = Bench()
    lost = bench.unknown()
    row = replace(a_report(lost, 2), **change)
    reason, text = refused(settled(bench, lost, 2, row))
    assert reason is Reason.WRONG_NUMBER
    assert a_ref(2).number in text
    assert bench.order(lost).is_unknown


@pytest.mark.req("I-42", "F-03")
def test_where_the_broker_carries_our_reference_no_word_of_a_person_replaces_it() -> None:
    bench = Bench(CARRIES)
    lost = bench.unknown()
    assert refused(settled(bench, lost, 2, a_report(lost, 2)))[0] is Reason.WRONG_NUMBER
    ours = [a_report(lost, n, reference=lost.order_id) for n in (2, 3)]
    assert names(settled(bench, lost, 3, *ours)) == ["OrderSent", "OrderAccepted"]


@pytest.mark.req("I-64", "I-15")
def test_one_number_of_two_rows_is_no_answer() -> None:
    bench = Bench()
    lost = bench.unknown()
    row = a_report(lost, 2)
    other = replace(row, ref=replace(row.ref, branch="09999"))
    assert refused(settled(bench, lost, 2, row, other))[0] is Reason.AMBIGUOUS


@pytest.mark.req("I-15", "I-19", "I-64")
def test_a_list_of_another_day_or_account_or_older_than_the_send_takes_no_number() -> None:
    bench = Bench()
    lost = bench.unknown()
    row = a_report(lost, 2)
    assert lost.attempt_ts_ns is not None
    for look in (
        {"day": "2025-05-26"},
        {"account": SHARED},
        {"asked_ns": lost.attempt_ts_ns - 1},
    ):
        assert refused(settled(bench, lost, 2, row, **look))[0] is Reason.NOT_READY
    unasked = bench.do(SettleOrder(order_id=lost.order_id, by=USER, text="seen", number="2"))
    assert refused(unasked)[0] is Reason.NOT_READY


@pytest.mark.req("I-15", "I-49")
def test_an_order_whose_answer_may_still_come_takes_no_number_by_hand() -> None:
    bench = Bench()
    sent = bench.sent()
    assert refused(settled(bench, sent, 2, a_report(sent, 2)))[0] is Reason.ALREADY_FINAL


@pytest.mark.req("I-07", "I-15")
def test_while_the_order_is_on_its_way_once_more_no_number_of_an_older_look_is_taken() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    lost = bench.unknown()
    row = a_report(lost, 2)
    bench.absent_twice()
    again = bench.send(lost)
    assert refused(settled(bench, again, 2, row))[0] is Reason.NOT_READY


@pytest.mark.req("I-11", "I-15", "I-03")
def test_an_order_that_has_a_number_of_the_day_takes_no_second_one_and_stays_unknown() -> None:
    bench = Bench()
    order = bench.working(number=1)
    bench.apply(
        OrderUnknown(
            order_id=order.order_id, attempt=1, reason=Reason.CRASHED_IN_FLIGHT, text="stopped", raw=""
        )
    )
    for number in (1, 2):
        reason, text = refused(settled(bench, order, number, a_report(order, 1), a_report(order, 2)))
        assert reason is Reason.WRONG_NUMBER
        assert f"has the number {a_ref(1).number}" in text
    assert bench.order(order).is_unknown


@pytest.mark.req("F-05", "I-11", "I-42", "F-45")
def test_an_answer_that_contradicts_the_person_later_moves_nothing_and_its_number_stops_new_orders() -> None:
    bench = Bench()
    lost, first, second = two_candidates(bench)
    settled(bench, lost, 3, first, second)
    bench.conclude(lost, Accepted(ref=a_ref(2), raw="late"))
    assert bench.order(lost).refs == (a_ref(3),)
    bench.study(first, second)
    assert bench.book.halt is not None
    assert a_ref(2).number in bench.book.halt.text


@pytest.mark.req("F-49", "I-11", "I-58")
def test_what_somebody_made_of_the_number_at_the_broker_follows_it_and_no_other_row_does() -> None:
    bench = Bench()
    lost = bench.unknown()
    first = a_report(lost, 2, state=BrokerState.REPLACED)
    second = a_report(lost, 4, replaces=a_ref(2), price=D(69_900), state=BrokerState.REPLACED)
    third = replace(second, ref=a_ref(5), replaces=a_ref(4), price=D(69_800), state=BrokerState.WORKING)
    stranger = a_report(lost, 6, replaces=a_ref(3))
    bench.cancel(lost)
    settled(bench, lost, 2, third, first, stranger, a_report(lost, 3), second)
    now = bench.order(lost)
    assert (now.refs, now.price) == ((a_ref(2), a_ref(4), a_ref(5)), 69_800)
    assert now.cancel_open, "the cancel goes to the number that works"
    assert set(bench.book.open) == {lost.order_id}


@pytest.mark.req("I-15", "F-45")
@pytest.mark.parametrize(
    ("state", "filled", "status"),
    [
        (BrokerState.FILLED, 10, S.FILLED),
        (BrokerState.CANCELLED, 0, S.CANCELLED),
        (BrokerState.EXPIRED, 3, S.CANCELLED),
        (BrokerState.REJECTED, 0, S.REJECTED),
    ],
)
def test_the_order_becomes_what_the_broker_says_of_the_number(
    state: BrokerState, filled: int, status: OrderStatus
) -> None:
    bench = Bench()
    lost = bench.unknown(an_intent(account_id=SHARED))
    row = a_report(lost, 2, state=state, qty_filled=D(filled), amount_filled=D(filled * 70_000))
    settled(bench, lost, 2, row, account=SHARED)
    now = bench.order(lost)
    assert (now.status, now.qty_filled) == (status, filled)
