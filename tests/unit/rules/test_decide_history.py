"""EMS-04: what a complete history proves about orders whose fate nobody knew, and about those of others."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from jumun.model.commands import SendNext
from jumun.model.events import AttemptNotReceived, OrderSent
from jumun.model.orders import Flag, Order, OrderStatus, Side
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, BrokerState, Unknown
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    SAMSUNG,
    SECOND,
    SHARED,
    TODAY,
    VISIBLE_NS,
    Bench,
    a_policy,
    a_ref,
    a_report,
    an_intent,
    at,
    names,
)

D = Decimal
S = OrderStatus
RESEND = a_policy(unknown_order_policy="resend_once")
CARRIES = a_policy(unknown_order_policy="resend_once", carries_reference=True)
DAY_OVER = at("2025-05-27T18:10:00+09:00")  # the last window ends at 18:00; ten minutes to settle
KRW = (ACCOUNT, "KRW")


def foreign_orders(bench: Bench) -> list[Order]:
    return [
        order
        for order in (*bench.book.open.values(), *bench.book.recent.values())
        if Flag.FOREIGN in order.flags
    ]


# ---- found --------------------------------------------------------------------------------------


@pytest.mark.req("F-03", "F-06", "F-69", "I-15", "I-58", "S002-59", "S002-60", "I-23")
def test_an_unknown_order_found_once_is_adopted_with_its_number_and_its_fills() -> None:
    bench = Bench()
    lost = bench.unknown()
    bench.wait(2)
    decision = bench.study(a_report(lost, 7, qty_filled=D(4), amount_filled=D(279_600)))
    assert names(decision) == ["OrderSent", "FillBooked"]
    assert isinstance(decision.events[0], OrderSent)
    assert decision.events[0].evidence == "found in a complete history"
    found = bench.order(lost)
    assert (found.status, found.refs, found.qty_filled, found.amount_filled) == (
        S.PART_FILLED,
        (a_ref(7),),
        4,
        279_600,
    )
    assert not bench.book.held


@pytest.mark.req("F-03", "F-55")
@pytest.mark.parametrize(
    ("state", "filled", "status"),
    [
        (BrokerState.WORKING, 0, S.ACCEPTED),
        (BrokerState.FILLED, 10, S.FILLED),
        (BrokerState.CANCELLED, 0, S.CANCELLED),
        (BrokerState.EXPIRED, 3, S.CANCELLED),
        (BrokerState.REJECTED, 0, S.REJECTED),
    ],
)
def test_an_unknown_order_that_is_found_becomes_what_the_broker_says(
    state: BrokerState, filled: int, status: OrderStatus
) -> None:
    bench = Bench()
    lost = bench.unknown()
    bench.study(a_report(lost, state=state, qty_filled=D(filled), amount_filled=D(filled * 70_000)))
    found = bench.order(lost)
    assert (found.status, found.qty_filled) == (status, filled)


@pytest.mark.req("F-03", "I-11", "F-45")
def test_two_listed_orders_that_fit_are_a_persons_to_tell_apart_and_neither_is_claimed() -> None:
    bench = Bench()
    lost = bench.unknown()
    reports = a_report(lost, 1), a_report(lost, 2)
    assert names(bench.study(*reports)) == ["OrderFlagged"]
    now = bench.order(lost)
    assert (now.status, now.refs, now.flags) == (S.ERROR, (), (Flag.DISPUTED,))
    assert foreign_orders(bench) == []
    assert bench.study(*reports).events == ()
    assert bench.book.held == {(ACCOUNT, SAMSUNG): 1}


@pytest.mark.req("F-03", "I-11")
def test_an_order_whose_number_is_already_ours_is_no_candidate() -> None:
    bench = Bench()
    twin = bench.working(an_intent(1), number=1)
    lost = bench.unknown(an_intent(2))
    bench.study(a_report(bench.order(twin), 1), a_report(lost, 2))
    assert bench.order(lost).refs == (a_ref(2),)
    assert bench.order(twin).refs == (a_ref(1),)


@pytest.mark.req("F-03", "F-45", "I-42")
def test_in_an_account_where_others_trade_no_order_is_claimed_by_its_looks() -> None:
    bench = Bench()
    lost = bench.unknown(an_intent(account_id=SHARED))
    bench.study(a_report(lost), account=SHARED)
    now = bench.order(lost)
    assert (now.status, now.refs, now.flags) == (S.ERROR, (), (Flag.DISPUTED,))


@pytest.mark.req("F-03", "F-35", "I-15", "I-49")
def test_an_order_that_a_list_once_seemed_to_hold_is_never_ended_by_lists_that_do_not() -> None:
    bench = Bench(RESEND)
    lost = bench.unknown(an_intent(account_id=SHARED))
    bench.study(a_report(lost), account=SHARED)
    for _ in range(3):
        bench.wait(40)
        assert bench.study(account=SHARED).events == ()
    assert (bench.order(lost).status, bench.order(lost).attempt_open) == (S.ERROR, True)


@pytest.mark.req("F-03", "I-42")
def test_our_reference_is_proof_also_where_others_trade() -> None:
    bench = Bench(CARRIES)
    lost = bench.unknown(an_intent(account_id=SHARED))
    alike = a_report(lost, 1)
    ours = a_report(lost, 2, reference=lost.order_id)
    bench.study(alike, ours, account=SHARED)
    assert bench.order(lost).refs == (a_ref(2),)


@pytest.mark.req("F-03", "I-11", "I-42")
def test_two_listed_orders_with_our_reference_are_disputed_and_neither_is_taken_for_a_strangers() -> None:
    bench = Bench(CARRIES)
    lost = bench.unknown()
    bench.study(
        a_report(lost, 1, reference=lost.order_id), a_report(lost, 2, qty=D(9), reference=lost.order_id)
    )
    assert (bench.order(lost).refs, bench.order(lost).flags) == ((), (Flag.DISPUTED,))
    assert foreign_orders(bench) == []


@pytest.mark.req("F-03", "F-35", "I-64")
def test_a_history_of_another_day_or_account_says_nothing_about_it() -> None:
    bench = Bench(RESEND)
    lost = bench.unknown()
    for account, day in ((ACCOUNT, "2025-05-26"), (SHARED, TODAY)):
        bench.wait(60)
        assert bench.study(account=account, day=day).events == ()
    assert bench.order(lost).absent_ns is None


# ---- absent -------------------------------------------------------------------------------------


@pytest.mark.req("F-35", "F-04", "I-15")
def test_absence_inside_the_visibility_delay_proves_nothing() -> None:
    bench = Bench(RESEND)
    lost = bench.unknown()
    for _ in range(29):
        bench.wait(1)
        assert bench.study().events == ()
    assert bench.order(lost).status is S.ERROR


@pytest.mark.req("F-35", "F-04", "I-15", "I-58")
def test_absence_counts_twice_and_the_second_time_only_after_the_delay_again() -> None:
    bench = Bench(RESEND)
    bench.unknown()
    bench.wait(30)
    assert names(bench.study()) == ["UnknownNotFound"]
    bench.wait(29)
    assert bench.study().events == ()
    bench.wait(1)
    decision = bench.study()
    [event] = decision.events
    assert isinstance(event, AttemptNotReceived)
    assert event.resend
    assert "asked at" in event.evidence


@pytest.mark.req("I-15", "F-35", "I-49", "C-15")
def test_where_absence_is_no_proof_the_order_its_money_and_its_symbol_stay_held() -> None:
    bench = Bench()
    lost = bench.unknown()
    for _ in range(5):
        assert bench.absent_twice().events in ((), bench.last.events)
    now = bench.order(lost)
    assert (now.status, now.attempt_open) == (S.ERROR, True)
    assert bench.book.cash_reserved[KRW] == 700_098
    assert bench.book.held == {(ACCOUNT, SAMSUNG): 1}


@pytest.mark.req("I-15", "I-49", "I-20", "C-15")
def test_neither_a_users_cancel_nor_a_timeout_makes_absence_a_proof_where_it_is_none() -> None:
    bench = Bench()
    lost, late = bench.unknown(an_intent(1)), bench.unknown(an_intent(2, qty=D(9)))
    bench.cancel(lost)
    bench.wait(300)
    bench.tick(late)
    assert bench.order(late).cancel_requested_ns is not None
    bench.absent_twice()
    bench.absent_twice()
    for order in (lost, late):
        assert bench.order(order).status is S.ERROR
    assert bench.book.held == {(ACCOUNT, SAMSUNG): 2}


@pytest.mark.req("I-15", "I-58", "F-55")
def test_after_the_sessions_end_two_absences_end_it_with_their_evidence() -> None:
    bench = Bench()
    lost = bench.unknown()
    bench.now_ns = DAY_OVER - 40 * 10**9
    bench.absent_twice()
    assert bench.order(lost).status is S.CANCELLED
    assert bench.order(lost).reason is Reason.NOT_RECEIVED
    assert bench.book.cash_reserved[KRW] == 0


@pytest.mark.req("I-15")
def test_a_second_absence_one_second_before_the_day_has_settled_ends_nothing() -> None:
    bench = Bench()
    lost = bench.unknown()
    bench.now_ns = DAY_OVER - 61 * 10**9
    bench.absent_twice()
    assert bench.order(lost).status is S.ERROR


@pytest.mark.req("I-07", "I-58", "C-15", "F-04")
def test_an_attempt_proven_absent_is_sent_once_more_and_never_twice_more() -> None:
    bench = Bench(RESEND)
    lost = bench.unknown()
    bench.absent_twice()
    waiting = bench.order(lost)
    assert (waiting.status, waiting.attempt_open, waiting.resends) == (S.ERROR, False, 1)
    assert lost.order_id in bench.book.waiting
    again = bench.send(lost)
    assert (again.status, again.attempt, again.attempt_open) == (S.ERROR, 2, True)
    for _ in range(3):
        bench.absent_twice()
    assert (bench.order(lost).resends, bench.order(lost).attempt) == (1, 2)
    assert bench.do(SendNext(order_id=lost.order_id)).events == ()


@pytest.mark.req("I-15", "I-07", "F-35", "F-41")
def test_a_list_that_lacks_an_order_that_it_must_show_proves_no_absence() -> None:
    bench = Bench(RESEND)
    other = bench.working(an_intent(1, qty=D(9)))
    lost = bench.unknown(an_intent(2))
    for _ in range(3):
        bench.wait(30)
        bench.study()
    assert bench.order(lost).absent_ns is None
    assert Flag.DISPUTED in bench.order(other).flags
    bench.absent_twice()  # it is back: now the lists can be believed
    assert bench.order(lost).resends == 1


@pytest.mark.req("F-03", "I-58")
def test_a_resent_order_that_is_taken_goes_on_as_if_nothing_had_happened() -> None:
    bench = Bench(RESEND)
    lost = bench.unknown()
    bench.absent_twice()
    bench.conclude(bench.send(lost), Accepted(ref=a_ref(4), raw=""))
    assert bench.order(lost).status is S.SENT
    bench.fill(lost)
    assert bench.order(lost).status is S.FILLED


@pytest.mark.req("I-20", "I-58", "F-04")
def test_an_unknown_order_somebody_wants_cancelled_is_not_resent_but_ended_by_the_proof() -> None:
    bench = Bench(RESEND)
    lost = bench.unknown()
    bench.cancel(lost)
    assert names(bench.absent_twice()) == ["OrderCancelled"]
    ended = bench.order(lost)
    assert (ended.status, ended.reason) == (S.CANCELLED, Reason.CANCELLED_BY_USER)


@pytest.mark.req("I-07", "F-35", "I-42")
@pytest.mark.parametrize("policy", [CARRIES, RESEND], ids=["by reference", "by looks"])
def test_an_order_that_turns_up_while_it_waits_to_be_resent_is_adopted_and_not_resent(policy: object) -> None:
    bench = Bench(policy)  # type: ignore[arg-type]
    lost = bench.unknown()
    bench.absent_twice()
    reference = lost.order_id if bench.policy.carries_reference else None
    bench.study(a_report(lost, 3, reference=reference))
    assert foreign_orders(bench) == []
    assert (bench.order(lost).status, bench.order(lost).refs) == (S.ACCEPTED, (a_ref(3),))
    assert not bench.book.waiting


@pytest.mark.req("I-15", "F-35")
def test_an_order_waiting_to_be_resent_is_not_found_absent_again() -> None:
    bench = Bench(RESEND)
    bench.unknown()
    bench.absent_twice()
    assert bench.absent_twice().events == ()


@pytest.mark.req("F-35", "I-15")
def test_a_new_attempt_starts_with_no_absence_on_record() -> None:
    bench = Bench(RESEND)
    lost = bench.unknown()
    bench.absent_twice()
    assert bench.send(lost).absent_ns is None


# ---- mapped orders ------------------------------------------------------------------------------


@pytest.mark.req("I-13", "I-40", "I-14")
def test_the_same_history_twice_changes_nothing_the_second_time() -> None:
    bench = Bench()
    order, lost = bench.working(an_intent(1)), bench.unknown(an_intent(2, qty=D(9)))
    reports = (
        a_report(order, 1, qty_filled=D(4), amount_filled=D(280_000)),
        a_report(lost, 2),
        a_report(replace(order, refs=()), 3, symbol=HYNIX, price=D(200_000)),
    )
    assert bench.study(*reports).events != ()
    assert bench.study(*reports).events == ()


@pytest.mark.req("I-41")
def test_no_history_ever_sends_an_order() -> None:
    bench = Bench(RESEND)
    order = bench.unknown()
    for reports in ((), (a_report(order),)):
        decision = bench.study(*reports)
        assert "SendIntended" not in names(decision)


@pytest.mark.req("F-24", "I-43", "S002-55")
def test_a_lost_notice_is_found_by_the_next_history() -> None:
    bench = Bench()
    order = bench.working()
    bench.study(a_report(order, qty_filled=D(10), amount_filled=D(699_000), state=BrokerState.FILLED))
    filled = bench.order(order)
    assert (filled.status, filled.amount_filled) == (S.FILLED, 699_000)


@pytest.mark.req("F-55", "C-38")
def test_a_day_order_ends_as_expired_when_the_history_after_the_close_says_so() -> None:
    bench = Bench()
    order = bench.working()
    bench.study(a_report(order, state=BrokerState.EXPIRED))
    assert (bench.order(order).status, bench.order(order).reason) == (S.CANCELLED, Reason.EXPIRED)


@pytest.mark.req("F-50", "I-20", "I-59")
def test_a_broker_that_still_works_what_it_cancelled_is_shown_to_a_person() -> None:
    bench = Bench()
    order = bench.working()
    bench.hear(a_report(order, state=BrokerState.CANCELLED))
    bench.study(a_report(order))
    bench.wait(VISIBLE_NS // SECOND - 1)
    bench.study(a_report(order))
    assert bench.order(order).flags == (), "the answer may be as old as the broker is behind itself"
    bench.wait(1)
    bench.study(a_report(order))
    assert bench.order(order).flags == (Flag.DISPUTED,)
    assert bench.order(order).status is S.CANCELLED
    assert bench.study(a_report(order)).events == ()


@pytest.mark.req("F-38", "I-06", "I-19", "I-43")
def test_a_list_that_shows_fewer_shares_than_we_have_booked_is_shown_once_it_cannot_be_old() -> None:
    bench = Bench()
    order = bench.working()
    bench.fill(order, 4)
    bench.wait(VISIBLE_NS // SECOND - 1)
    bench.study(a_report(order))
    assert bench.order(order).flags == ()
    bench.wait(1)
    bench.study(a_report(order))
    assert (bench.order(order).flags, bench.order(order).qty_filled) == ((Flag.DISPUTED,), 4)
    bench.wait(VISIBLE_NS // SECOND)
    assert bench.study(a_report(order)).events == ()


@pytest.mark.req("F-35", "I-43", "I-49")
def test_a_working_order_the_history_lacks_is_flagged_after_the_delay_and_never_ended() -> None:
    bench = Bench()
    order = bench.working()
    bench.wait(29)
    assert bench.study().events == ()
    bench.wait(1)
    assert names(bench.study()) == ["OrderFlagged"]
    assert (bench.order(order).status, bench.order(order).flags) == (S.SENT, (Flag.DISPUTED,))
    assert bench.study().events == ()


@pytest.mark.req("F-35", "I-64")
def test_an_order_of_another_day_or_without_a_number_is_not_missing() -> None:
    bench = Bench()
    bench.working()
    bench.submit(an_intent(2, qty=D(3)))
    bench.wait(60)
    assert bench.study(day="2025-05-26").events == ()
    assert bench.study(account=SHARED).events == ()


@pytest.mark.req("F-35")
def test_an_order_that_the_same_history_ended_is_not_missing() -> None:
    bench = Bench()
    order = bench.working()
    bench.wait(60)
    bench.study(a_report(order, state=BrokerState.CANCELLED))
    assert bench.order(order).flags == ()


# ---- orders of others ---------------------------------------------------------------------------


@pytest.mark.req("I-42", "F-34", "F-106", "F-107", "S002-61")
def test_an_order_placed_by_hand_is_adopted_labelled_counted_and_never_sent() -> None:
    bench = Bench()
    hand = a_report(bench.submit(), 9, symbol=HYNIX, price=D(200_000), qty=D(3), raw="by hand")
    bench.study(replace(hand, qty_filled=D(1), amount_filled=D(199_000)))
    [order] = foreign_orders(bench)
    assert (order.status, order.qty_filled, order.refs) == (S.PART_FILLED, 1, (a_ref(9),))
    assert (order.created_by, order.strategy_id) == ("foreign", "")
    assert bench.book.positions[ACCOUNT, HYNIX].qty == 1
    assert order.order_id not in bench.book.waiting
    assert bench.book.cash_reserved[KRW] == 700_098 + 400_000


@pytest.mark.req("I-42", "I-33")
def test_a_foreign_market_order_reserves_nothing_that_nobody_can_know() -> None:
    bench = Bench()
    bench.study(a_report(bench.submit(), 9, price=None, symbol=HYNIX))
    [order] = foreign_orders(bench)
    assert order.reserve_price == 0


@pytest.mark.req("I-42", "I-34")
def test_a_foreign_sale_holds_its_shares() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    bench.study(a_report(bench.submit(), 9, side=Side.SELL, qty=D(7)))
    assert bench.book.shares_free(ACCOUNT, SAMSUNG) == 3


@pytest.mark.req("I-42", "F-106")
def test_a_foreign_order_can_be_cancelled_by_a_person() -> None:
    bench = Bench()
    bench.study(a_report(bench.submit(), 9, symbol=HYNIX))
    [order] = foreign_orders(bench)
    assert names(bench.cancel(order)) == ["CancelRequested", "CancelIntended"]


@pytest.mark.req("I-42", "I-11", "F-49", "F-106")
def test_an_order_that_a_person_placed_and_changed_is_one_order_with_all_its_numbers() -> None:
    bench = Bench()
    hand = a_report(bench.submit(), 7, symbol=HYNIX, price=D(200_000), qty=D(3), state=BrokerState.REPLACED)
    second = replace(hand, ref=a_ref(8), replaces=a_ref(7), price=D(199_500))
    third = replace(second, ref=a_ref(9), replaces=a_ref(8), price=D(199_000), state=BrokerState.WORKING)
    bench.study(third, hand, second)
    [order] = foreign_orders(bench)
    assert (order.refs, order.price, order.status) == ((a_ref(7), a_ref(8), a_ref(9)), 199_000, S.ACCEPTED)
    bench.study(hand, second, third)
    assert foreign_orders(bench) == [order]


@pytest.mark.req("I-42", "I-11", "F-03", "F-49", "F-106")
def test_what_a_person_made_of_an_order_that_we_did_not_know_yet_is_still_ours() -> None:
    bench = Bench()
    lost = bench.unknown()
    bench.wait(2)
    ours = a_report(lost, 7, state=BrokerState.REPLACED)
    bench.study(ours, a_report(lost, 8, replaces=a_ref(7), price=D(69_000)))
    assert foreign_orders(bench) == []
    found = bench.order(lost)
    assert (found.refs, found.price, found.status) == ((a_ref(7), a_ref(8)), 69_000, S.ACCEPTED)


@pytest.mark.req("I-42", "I-11", "F-22")
def test_what_a_person_made_of_an_order_in_flight_waits_for_its_reply_as_well() -> None:
    bench = Bench()
    order = bench.sent()
    rows = (
        a_report(order, 7, state=BrokerState.REPLACED),
        a_report(order, 8, replaces=a_ref(7), price=D(69_000)),
    )
    assert bench.study(*rows).events == ()
    bench.conclude(order, Accepted(ref=a_ref(7), raw=""))
    bench.study(*rows)
    assert foreign_orders(bench) == []
    assert bench.order(order).refs == (a_ref(7), a_ref(8))


@pytest.mark.req("I-42", "F-22", "I-11")
def test_a_look_alike_of_an_order_in_flight_is_left_until_the_reply_is_here() -> None:
    bench = Bench()
    order = bench.sent()
    report = a_report(order, 9)
    assert bench.study(report).events == ()
    bench.conclude(order, Accepted(ref=a_ref(9), raw=""))
    bench.study(report)
    assert foreign_orders(bench) == []
    assert bench.order(order).status is S.ACCEPTED


@pytest.mark.req("I-42", "I-53")
def test_an_order_of_an_account_we_do_not_keep_is_not_taken_in() -> None:
    bench = Bench(a_policy(accounts={ACCOUNT: a_policy().accounts[ACCOUNT]}))
    assert (
        bench.study(a_report(bench.submit(), 9, account_id=SHARED, symbol=HYNIX), account=SHARED).events == ()
    )


@pytest.mark.req("F-31", "I-64")
def test_yesterdays_number_is_not_todays_order() -> None:
    bench = Bench()
    order = bench.working(number=1)
    old = a_report(order, ref=a_ref(1, "2025-05-26"), qty_filled=D(10), amount_filled=D(700_000))
    bench.study(old, day="2025-05-26")
    assert bench.order(order).qty_filled == 0


@pytest.mark.req("F-87", "F-107", "I-42")
def test_an_order_we_do_not_know_in_an_account_that_is_ours_alone_stops_new_orders() -> None:
    bench = Bench()
    bench.study(a_report(bench.submit(), 9, symbol=HYNIX, raw="by hand"))
    assert bench.book.halt is not None
    assert bench.book.halt.reason is Reason.BREAK
    shared = Bench()
    shared.study(a_report(shared.submit(), 9, symbol=HYNIX, account_id=SHARED, raw="by hand"))
    assert shared.book.halt is None


@pytest.mark.req("F-17", "I-11", "I-64")
def test_a_number_that_names_another_symbol_at_the_broker_books_nothing_and_stops_new_orders() -> None:
    bench = Bench()
    order = bench.working()
    wrong = a_report(bench.order(order), 1, symbol=HYNIX, qty_filled=D(7), amount_filled=D(1_400_000))
    bench.study(replace(wrong, ref=bench.order(order).refs[0]))
    assert bench.order(order).qty_filled == 0
    assert Flag.DISPUTED in bench.order(order).flags
    assert bench.book.halt is not None


@pytest.mark.req("F-35", "F-86", "I-07")
def test_absence_is_counted_from_when_the_outcome_was_given_up_not_from_the_decision_to_send() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    order = bench.sent()
    bench.wait(60)  # a commit of a minute lies between the decision and the write
    bench.conclude(order, Unknown(text="no answer"))
    assert names(bench.study()) == [], "it may have been written a moment ago"
