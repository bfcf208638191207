"""OMS-01, EMS-01 and EMS-02: one intent, one order, at most one send that could have left."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.commands import HaltTrading, ResumeTrading, SendNext, SubmitOrder
from jumun.model.errors import BadInput
from jumun.model.events import OrderCreated, OrderDenied, OrderSent, SendIntended
from jumun.model.ids import AccountId, OrderId, UserId
from jumun.model.instruments import UnknownSymbol, Venue
from jumun.model.orders import Flag, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, NotSent, Rejected, Unknown
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.book import shape_of
from jumun.rules.cost_tables import KIS_BANKIS
from jumun.rules.decide_submit import key_of, obstacle_to
from jumun.rules.policy import Denial
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    OPEN_NS,
    SAMSUNG,
    SECOND,
    TODAY,
    Bench,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    an_intent,
    at,
    limits,
    names,
)

D = Decimal
S = OrderStatus

# ---- an order comes into being ---------------------------------------------------------------------


@pytest.mark.req("S002-12", "S002-13", "S002-18", "S002-20", "S002-21", "S000-55", "S002-28")
def test_an_approved_intent_becomes_a_new_order_that_keeps_what_was_asked() -> None:
    bench = Bench()
    intent = an_intent(price=D(70_050), correlation_id="signal-7")
    decision = bench.do(SubmitOrder(intent=intent))
    assert names(decision) == ["OrderCreated"]
    order = decision.order
    assert order is not None
    assert (order.status, order.qty, order.price_raw, order.price) == (S.NEW, 10, 70_050, 70_000)
    assert (order.reserve_price, order.reserve_cost) == (70_000, 98)
    assert (order.account_id, order.symbol, order.side) == (ACCOUNT, SAMSUNG, Side.BUY)
    assert (order.tif, order.trade_date, order.correlation_id) == (TimeInForce.DAY, TODAY, "signal-7")
    assert (order.created_by, order.strategy_id, order.strategy_version) == (
        "user-1",
        "momentum",
        "momentum-3",
    )
    assert order.idempotency_key == key_of(intent)
    assert order.order_id in bench.book.waiting
    assert decision.denial is None
    assert not decision.existing


@pytest.mark.req("C-14", "S000-94")
def test_only_an_order_without_a_time_in_force_gets_the_timeout() -> None:
    assert Bench().submit().expires_ns == OPEN_NS + 300 * SECOND
    assert Bench().submit(an_intent(time_in_force=TimeInForce.DAY)).expires_ns is None


def test_an_order_without_a_story_begins_its_own() -> None:
    order = Bench().submit()
    assert order.correlation_id == order.order_id


@pytest.mark.req("S002-29", "S002-31", "S000-36", "I-49")
@pytest.mark.parametrize(
    ("changes", "why"),
    [({"qty": D(0)}, Reason.QTY_NOT_POSITIVE), ({"qty": D(1_000)}, Reason.MAX_ORDER_VALUE)],
)
def test_a_refused_order_is_written_down_with_its_reason_and_reserves_nothing(
    changes: dict[str, Any], why: Reason
) -> None:
    bench = Bench()
    decision = bench.do(SubmitOrder(intent=an_intent(**changes)))
    assert [type(event) for event in decision.events] == [OrderCreated, OrderDenied]
    assert decision.denial is not None
    assert decision.order is not None
    assert (decision.order.status, decision.order.reason) == (S.REJECTED, why)
    assert decision.denial.reason is why
    assert not bench.book.open
    assert not bench.book.waiting


@pytest.mark.req("S002-29", "I-53", "I-37")
def test_an_order_that_no_cost_table_covers_is_refused_and_written_down() -> None:
    old = replace(KIS_BANKIS, valid_to=KIS_BANKIS.valid_from)
    bench = Bench(a_policy(cost_plans={"kis": old}))
    order = bench.submit()
    assert (order.status, order.reason) == (S.REJECTED, Reason.NO_TABLE)


@pytest.mark.req("F-59", "I-53")
def test_an_unknown_symbol_makes_no_order() -> None:
    bench = Bench()
    with pytest.raises(UnknownSymbol):
        bench.do(SubmitOrder(intent=an_intent(symbol="999999")))
    assert not bench.book.keys


@pytest.mark.req("I-53")
def test_an_account_nobody_configured_makes_no_order() -> None:
    decision = Bench().do(SubmitOrder(intent=an_intent(account_id=AccountId("0"))))
    assert decision.denial is not None
    assert (decision.denial.reason, decision.events) == (Reason.UNKNOWN_ACCOUNT, ())


@pytest.mark.req("I-45", "I-50")
def test_a_halted_desk_takes_no_order_and_takes_the_same_one_after_it_resumes() -> None:
    bench = Bench()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="lunch"))
    decision = bench.do(SubmitOrder(intent=an_intent()))
    assert decision.denial is not None
    assert (decision.denial.reason, decision.order) == (Reason.HALTED, None)
    assert decision.denial.text.endswith('run `jumun resume "why it is safe" --by you`'), "the whole command"
    bench.do(ResumeTrading(by=UserId("kim"), text="back"))
    assert bench.submit().status is S.NEW


@pytest.mark.req("S000-96", "I-61")
def test_a_full_queue_takes_no_more_and_an_order_in_flight_makes_room() -> None:
    bench = Bench(a_policy(limits=limits(max_queue_size=2)))
    first = bench.submit(an_intent(1))
    bench.submit(an_intent(2, symbol=HYNIX, price=D(200_000), qty=D(1)))
    decision = bench.do(SubmitOrder(intent=an_intent(3)))
    assert decision.denial is not None
    assert (decision.denial.reason, decision.events) == (Reason.QUEUE_FULL, ())
    bench.send(first)
    assert bench.submit(an_intent(3)).status is S.NEW


@pytest.mark.req("S002-12", "C-33", "S000-117")
def test_an_intent_that_risk_refuses_becomes_no_order_but_is_written_down() -> None:
    no = Denial(Reason.RISK_DENIED, "the day's loss is spent; wait for tomorrow")
    bench = Bench(
        a_policy(approve=lambda intent, *_: no if intent.side is Side.BUY else None), shares={SAMSUNG: 10}
    )
    decision = bench.do(SubmitOrder(intent=an_intent()))
    assert (names(decision), decision.order, decision.denial) == (["IntentDenied"], None, no)
    assert bench.submit(a_sale(2)).status is S.NEW


@pytest.mark.req("C-33", "I-53")
def test_a_risk_engine_that_fails_lets_nothing_through() -> None:
    def broken(intent: ApprovedOrderIntent, *_: object) -> Denial | None:
        raise ZeroDivisionError(intent.symbol)

    bench = Bench(a_policy(approve=broken))
    decision = bench.do(SubmitOrder(intent=an_intent()))
    assert names(decision) == ["IntentDenied"]
    assert decision.denial is not None
    assert decision.denial.reason is Reason.RISK_ERROR
    assert not bench.book.open


# ---- the same again ---------------------------------------------------------------------------------


@pytest.mark.req("S002-22", "I-08", "F-13", "I-07")
def test_the_same_intent_gives_the_same_order_however_far_it_has_come() -> None:
    bench = Bench()
    intent = an_intent()
    order = bench.submit(intent)
    for step in (
        lambda: bench.send(order),
        lambda: bench.conclude(order, Accepted(ref=a_ref(), raw="")),
        lambda: bench.fill(order, 10),
    ):
        step()
        decision = bench.do(SubmitOrder(intent=intent))
        assert decision.existing
        assert decision.events == ()
        assert decision.order == bench.order(order)
        assert not decision.mismatch


@pytest.mark.req("S002-22", "I-08")
def test_an_order_that_left_memory_is_returned_from_the_row_the_shell_found() -> None:
    old = replace(Bench().submit(), status=S.FILLED)
    bench = Bench()
    decision = bench.do(SubmitOrder(intent=an_intent(), existing=old))
    assert (decision.existing, decision.order, decision.events) == (True, old, ())


@pytest.mark.req("I-08", "S002-22")
def test_a_refused_order_is_returned_too_and_never_tried_again() -> None:
    bench = Bench()
    refused = bench.submit(an_intent(qty=D(0)))
    decision = bench.do(SubmitOrder(intent=an_intent(qty=D(0))))
    assert (decision.existing, decision.order) == (True, refused)


@pytest.mark.req("C-4", "I-08")
@pytest.mark.parametrize("changes", [{"qty": D(11)}, {"price": D(70_100)}, {"order_type": OrderType.MARKET}])
def test_the_same_signal_with_other_content_returns_the_first_order_and_flags_it_once(
    changes: dict[str, Any],
) -> None:
    bench = Bench()
    first = bench.submit()
    decision = bench.do(SubmitOrder(intent=an_intent(**changes)))
    assert (decision.existing, decision.mismatch, decision.denial) == (True, True, None)
    assert names(decision) == ["OrderFlagged"]
    assert bench.order(first) == replace(first, flags=(Flag.MISMATCH,))
    again = bench.do(SubmitOrder(intent=an_intent(**changes)))
    assert (again.events, again.mismatch) == ((), True)
    assert len(bench.book.open) == 1


@pytest.mark.req("C-4", "F-14", "I-10")
@pytest.mark.parametrize(
    "changes", [{"qty": D(11)}, {"symbol": HYNIX, "price": D(200_000)}, {"side": Side.SELL}]
)
def test_an_explicit_key_with_other_content_is_a_conflict_and_leaves_the_first_order_alone(
    changes: dict[str, Any],
) -> None:
    bench = Bench(shares={SAMSUNG: 10})
    first = bench.submit(an_intent(client_order_id="mine-1"))
    decision = bench.do(SubmitOrder(intent=an_intent(2, client_order_id="mine-1", **changes)))
    assert decision.denial is not None
    assert (decision.denial.reason, decision.events) == (Reason.KEY_CONFLICT, ())
    assert (decision.existing, decision.mismatch, decision.order) == (True, True, first)
    assert bench.order(first) == first


@pytest.mark.req("C-3", "I-08")
def test_an_explicit_key_belongs_to_its_user() -> None:
    bench = Bench()
    mine = bench.submit(an_intent(client_order_id="1"))
    yours = bench.submit(an_intent(client_order_id="1", user_id=UserId("user-2")))
    assert mine.order_id != yours.order_id
    assert bench.do(SubmitOrder(intent=an_intent(client_order_id="1"))).order == mine


@pytest.mark.req("C-3", "I-08")
def test_two_users_can_never_be_given_the_same_explicit_key() -> None:
    one = an_intent(user_id=UserId("a|b"), client_order_id="c")
    other = an_intent(user_id=UserId("a"), client_order_id="b|c")
    with pytest.raises(BadInput, match="two users could share a key"):
        key_of(one)
    assert key_of(other) == "client|a|b|c"


@pytest.mark.req("S002-19", "F-96")
@pytest.mark.parametrize("changes", [{"leg": "day|2"}, {"strategy_version": ""}, {"symbol": "a|b"}])
def test_a_signal_that_could_share_a_key_is_bad_input_with_a_reason(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="two signals could share a key"):
        key_of(an_intent(**changes))


@pytest.mark.req("C-4")
def test_two_legs_of_one_signal_are_two_orders() -> None:
    bench = Bench()
    assert bench.submit(an_intent(leg="day-1")).order_id != bench.submit(an_intent(leg="day-2")).order_id


# ---- the last look before a send ----------------------------------------------------------------------


@pytest.mark.req("C-2", "I-21", "S002-44")
def test_a_send_is_intended_before_it_happens_with_exactly_what_will_be_asked() -> None:
    bench = Bench()
    order = bench.submit(an_intent(price=D(70_050)))
    decision = bench.do(SendNext(order_id=order.order_id))
    [event] = decision.events
    assert isinstance(event, SendIntended)
    assert (event.attempt, event.request.qty, event.request.price) == (1, 10, 70_000)
    assert (event.request.reference, event.request.trade_date) == (None, TODAY)
    sent = bench.order(order)
    assert (sent.status, sent.attempt_open, sent.attempt_ts_ns) == (S.NEW, True, OPEN_NS)
    assert order.order_id not in bench.book.waiting


@pytest.mark.req("F-03", "I-11")
def test_our_id_travels_along_where_the_broker_carries_one() -> None:
    bench = Bench(a_policy(carries_reference=True))
    order = bench.submit()
    [event] = bench.do(SendNext(order_id=order.order_id)).events
    assert isinstance(event, SendIntended)
    assert event.request.reference == order.order_id


@pytest.mark.req("I-07")
def test_an_order_in_flight_at_the_broker_or_ended_is_not_sent_again() -> None:
    bench = Bench()
    flying = bench.sent(an_intent(1))
    assert bench.do(SendNext(order_id=flying.order_id)).events == ()
    bench.conclude(flying, Accepted(ref=a_ref(), raw=""))
    assert bench.do(SendNext(order_id=flying.order_id)).events == ()
    bench.fill(flying, 10)
    assert bench.do(SendNext(order_id=flying.order_id)).events == ()
    assert bench.do(SendNext(order_id=OrderId("nobody"))).order is None


@pytest.mark.req("I-45")
def test_nothing_is_sent_while_halted_and_the_order_waits() -> None:
    bench = Bench()
    order = bench.submit()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="stop"))
    assert bench.do(SendNext(order_id=order.order_id)).events == ()
    assert order.order_id in bench.book.waiting


@pytest.mark.req("I-57", "I-64", "C-38")
@pytest.mark.parametrize("moment", ["2025-05-27T15:40:00+09:00", "2025-05-28T10:00:00+09:00"])
def test_an_order_that_waited_past_its_session_is_never_sent(moment: str) -> None:
    bench = Bench()
    order = bench.submit(an_intent(time_in_force=TimeInForce.DAY))
    bench.now_ns = at(moment)
    ended = bench.send(order)
    assert (ended.status, ended.reason, ended.attempt) == (S.CANCELLED, Reason.EXPIRED, 0)


@pytest.mark.req("F-03", "I-11")
def test_two_orders_that_look_alike_are_never_in_flight_together() -> None:
    bench = Bench()
    bench.sent(an_intent(1))
    twin, other = bench.submit(an_intent(2)), bench.submit(an_intent(3, qty=D(9)))
    assert obstacle_to(twin, bench.book) == shape_of(twin)
    assert obstacle_to(other, bench.book) is None


@pytest.mark.req("F-03", "I-15")
def test_a_symbol_with_an_unknown_order_is_held_for_every_other_order() -> None:
    bench = Bench()
    lost = bench.unknown(an_intent(1))
    behind = bench.submit(an_intent(2, qty=D(9)))
    assert obstacle_to(behind, bench.book) == (ACCOUNT, SAMSUNG)
    assert obstacle_to(bench.submit(an_intent(3, symbol=HYNIX, price=D(200_000))), bench.book) is None
    bench.study(a_report(lost))
    assert obstacle_to(behind, bench.book) is None


@pytest.mark.req("F-03", "I-07", "I-58")
def test_orders_to_be_sent_once_more_do_not_wait_for_each_other_unless_they_look_alike() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    first = bench.sent(an_intent(1))
    second = bench.sent(an_intent(2, qty=D(9)))
    for order in (first, second):
        bench.conclude(order, Unknown(text=""))
    twin = bench.submit(an_intent(3))
    bench.absent_twice()
    assert obstacle_to(bench.order(first), bench.book) is None
    assert obstacle_to(bench.order(second), bench.book) is None
    assert obstacle_to(twin, bench.book) == (ACCOUNT, SAMSUNG)
    bench.send(first)
    assert obstacle_to(bench.order(first), bench.book) == shape_of(first)
    assert obstacle_to(bench.order(second), bench.book) is None


# ---- the four ends of a send -------------------------------------------------------------------------


@pytest.mark.req("S002-47", "S002-48", "C-2")
def test_a_broker_number_makes_the_order_sent() -> None:
    order = Bench().working()
    assert (order.status, order.refs, order.attempt_open) == (S.SENT, (a_ref(1),), False)


@pytest.mark.req("F-07", "I-49")
def test_a_refusal_ends_the_order_and_gives_back_what_it_reserved() -> None:
    bench = Bench()
    order = bench.sent()
    bench.conclude(order, Rejected(code="APBK0013", text="no cash", raw="{}"))
    ended = bench.order(order)
    assert (ended.status, ended.reason, ended.reason_text) == (
        S.REJECTED,
        Reason.BROKER_REJECTED,
        "APBK0013 no cash",
    )
    assert bench.book.cash_free(ACCOUNT, "KRW") == 100_000_000


@pytest.mark.req("F-02", "F-03", "F-04", "F-06", "F-08", "I-15", "I-20", "I-48", "C-1")
def test_an_outcome_nobody_knows_keeps_everything_reserved_and_asks() -> None:
    bench = Bench()
    order = bench.sent()
    decision = bench.conclude(order, Unknown(text="502", raw="<html>"))
    lost = bench.order(order)
    assert decision.ask
    assert (lost.status, lost.reason, lost.attempt_open) == (S.ERROR, Reason.NO_REPLY, True)
    assert bench.book.cash_free(ACCOUNT, "KRW") == 100_000_000 - 700_098


@pytest.mark.req("F-01", "S002-49", "S002-51", "S002-52", "S002-53", "I-07", "C-15")
def test_a_send_that_never_left_is_tried_after_1_2_and_4_seconds_and_then_no_more() -> None:
    bench = Bench()
    order = bench.sent()
    for delay in (1, 2, 4):
        waiting = bench.not_sent(order)
        assert (waiting.status, waiting.retry_at_ns) == (S.NEW, bench.now_ns + delay * SECOND)
        bench.wait(delay)
        order = bench.send(order)
    assert order.attempt == 4
    ended = bench.not_sent(order)
    assert (ended.status, ended.reason) == (S.CANCELLED, Reason.NOT_SENT)
    assert bench.book.cash_free(ACCOUNT, "KRW") == 100_000_000


@pytest.mark.req("F-01", "S002-39")
def test_a_send_that_never_left_is_not_tried_again_when_somebody_wants_it_cancelled() -> None:
    bench = Bench()
    order = bench.sent()
    bench.cancel(order)
    ended = bench.not_sent(order)
    assert (ended.status, ended.reason) == (S.CANCELLED, Reason.CANCELLED_BY_USER)


@pytest.mark.req("F-05", "I-08", "I-11")
def test_an_answer_after_the_timeout_joins_the_unknown_order() -> None:
    bench = Bench()
    lost = bench.unknown()
    bench.conclude(lost, Accepted(ref=a_ref(5), raw="late"))
    found = bench.order(lost)
    assert (found.status, found.refs, found.flags, found.reason) == (S.SENT, (a_ref(5),), (), None)


@pytest.mark.req("F-05", "F-04")
def test_a_refusal_after_the_timeout_ends_the_unknown_order() -> None:
    bench = Bench()
    lost = bench.unknown()
    bench.conclude(lost, Rejected(code="1", text="no", raw=""))
    assert bench.order(lost).status is S.REJECTED


@pytest.mark.req("F-05", "I-11")
def test_an_answer_with_the_number_a_history_already_found_changes_nothing() -> None:
    bench = Bench()
    lost = bench.unknown()
    bench.study(a_report(lost, 5))
    assert bench.conclude(lost, Accepted(ref=a_ref(5), raw="")).events == ()


@pytest.mark.req("F-05", "F-17", "I-11", "I-16")
def test_an_answer_with_another_number_than_the_one_we_know_is_a_persons_to_settle() -> None:
    bench = Bench()
    order = bench.working(number=1)
    decision = bench.conclude(order, Accepted(ref=a_ref(2), raw=""))
    now = bench.order(order)
    assert (now.status, now.flags) == (S.SENT, (Flag.DISPUTED,))
    assert decision.ask
    assert now.refs == (a_ref(1),), "fills of two numbers must not be counted as if they were one order's"


@pytest.mark.req("F-05", "I-11", "I-07")
def test_a_late_answer_to_an_earlier_attempt_is_not_taken_for_the_open_one() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    lost = bench.unknown()
    bench.absent_twice()
    again = bench.send(lost)
    assert again.attempt == 2
    bench.conclude(again, Accepted(ref=a_ref(1), raw=""), attempt=1)
    both = bench.order(again)
    assert (both.flags, both.attempt_open, both.refs) == ((Flag.DISPUTED,), True, ())
    bench.conclude(again, Accepted(ref=a_ref(2), raw=""), attempt=2)
    assert bench.order(again).refs == (a_ref(2),)


@pytest.mark.req("F-05", "I-17")
def test_an_answer_that_comes_after_the_order_ended_is_mapped_and_shown_to_a_person() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    lost = bench.unknown()
    bench.cancel(lost)
    bench.absent_twice()
    assert bench.order(lost).status is S.CANCELLED
    decision = bench.conclude(lost, Accepted(ref=a_ref(1), raw=""))
    ended = bench.order(lost)
    assert isinstance(decision.events[0], OrderSent)
    assert (ended.status, ended.refs, ended.flags) == (S.CANCELLED, (a_ref(1),), (Flag.DISPUTED,))
    assert ended.reason is Reason.CANCELLED_BY_USER


@pytest.mark.req("F-05", "I-15")
@pytest.mark.parametrize(
    "outcome",
    [Rejected(code="1", text="no", raw=""), NotSent(text="refused"), Unknown(text="late")],
)
def test_an_end_of_an_attempt_that_is_no_longer_open_says_nothing_about_the_order(outcome: Any) -> None:
    bench = Bench()
    order = bench.working()
    assert bench.conclude(order, outcome).events == ()
    assert bench.order(order) == order


@pytest.mark.req("I-15", "I-13")
def test_an_unknown_order_that_is_unknown_again_stays_as_it_is() -> None:
    bench = Bench()
    lost = bench.unknown()
    decision = bench.conclude(lost, Unknown(text="again"))
    assert (decision.events, decision.ask) == ((), True)


@pytest.mark.req("I-07", "S002-52", "I-58")
def test_a_resend_that_never_left_is_retried_within_the_same_bounds() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    order = bench.unknown()
    bench.absent_twice()
    for delay in (1, 2, 4):
        order = bench.send(order)
        waiting = bench.not_sent(order)
        assert (waiting.status, waiting.retry_at_ns) == (S.ERROR, bench.now_ns + delay * SECOND)
        bench.wait(delay)
    ended = bench.not_sent(bench.send(order))
    assert (ended.status, ended.reason) == (S.CANCELLED, Reason.NOT_SENT)


@pytest.mark.req("F-18", "I-61")
def test_too_many_unknown_outcomes_stop_new_orders() -> None:
    bench = Bench(a_policy(limits=limits(unknown_max=2)))
    for number, symbol in enumerate(("100001", "100002")):
        bench.unknown(an_intent(number, symbol=symbol, price=D(10_000)))
    decision = bench.do(SubmitOrder(intent=an_intent(9)))
    assert decision.denial is not None
    assert decision.denial.reason is Reason.TOO_MANY_UNKNOWN
    assert decision.events == ()


@pytest.mark.req("S002-46")
@pytest.mark.parametrize(("venue", "is_asked"), [(None, False), (Venue.KRX, True)])
def test_the_broker_is_told_whether_somebody_named_the_venue(venue: Venue | None, *, is_asked: bool) -> None:
    bench = Bench()
    order = bench.sent(an_intent(venue=venue))
    [intended] = [record.event for record in bench.records if isinstance(record.event, SendIntended)]
    assert (order.venue, intended.request.venue) == (Venue.KRX, Venue.KRX)
    assert (order.is_venue_asked, intended.request.is_venue_asked) == (is_asked, is_asked)
