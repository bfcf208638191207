"""OMS-04: other terms for an order, once, never larger, and never by guess (S002-33 to 38, I-03, F-49)."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.commands import BeginRecovery, HaltTrading, ModifyOrder
from jumun.model.events import ModifyIntended, OrderModified
from jumun.model.orders import Flag, Order, OrderStatus, OrderType, Terms
from jumun.model.reasons import Reason
from jumun.model.reports import (
    BrokerState,
    CancelRefused,
    ModifyAccepted,
    ModifyRefused,
    NotSent,
    OrderReport,
    Unknown,
)
from jumun.rules.policy import Denial
from tests.unit.rules.desk_values import (
    ACCOUNT,
    SAMSUNG,
    TODAY,
    USER,
    Bench,
    D,
    a_notice,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    an_intent,
    names,
)

S = OrderStatus
TAKEN = ModifyAccepted(ref=a_ref(2), raw="taken 2")


def a_bench(**changes: Any) -> Bench:
    return Bench(a_policy(modifies=True, **changes))


def refusal(bench: Bench, order: Order, **changes: Any) -> Reason:
    decision = bench.modify(order, **changes)
    assert decision.denial is not None
    assert decision.events == ()
    return decision.denial.reason


def a_successor(order: Order, number: int = 2, **changes: Any) -> OrderReport:
    """The number that took over the rest."""
    values: dict[str, Any] = {"ref": a_ref(number), "replaces": a_ref(number - 1)} | changes
    return a_report(order, number, **values)


@pytest.mark.req("S002-33", "S002-34", "S002-37", "I-21")
def test_a_modify_is_written_down_with_its_exact_request_before_it_leaves() -> None:
    bench = a_bench()
    order = bench.fill(bench.working(), 4)
    decision = bench.modify(order, qty=8, price=69_000)
    [intended] = decision.events
    assert isinstance(intended, ModifyIntended)
    request = intended.request
    assert (request.ref, request.qty, request.qty_left, request.price) == (a_ref(1), 8, 4, 69_000)
    assert (request.qty_left_before, request.price_before) == (6, 70_000)
    now = bench.order(order)
    assert (now.modify_open, now.modify_to) == (True, Terms(qty=D(8), price=D(69_000), price_raw=D(69_000)))
    assert (now.qty, now.price, now.status) == (10, 70_000, S.PART_FILLED), (
        "old terms until the end is proven"
    )


@pytest.mark.req("S002-38", "I-11", "C-31", "S002-37")
def test_a_taken_modify_moves_the_order_to_its_new_number() -> None:
    bench = a_bench()
    order = bench.fill(bench.working(), 4)
    bench.modify(order, qty=8, price=69_000)
    now = bench.conclude_modify(order, TAKEN)
    assert (now.qty, now.price, now.price_raw, now.status) == (8, 69_000, 69_000, S.PART_FILLED)
    assert now.refs == (a_ref(1), a_ref(2))
    assert (now.modify_to, now.modify_open, now.modify_count) == (None, False, 1)
    assert now.qty_authorised == 10
    entry = bench.entries[-1]
    assert entry.new_ref == a_ref(2)
    assert entry.transition is not None
    assert entry.transition.text == "quantity 10 to 8, price 70000 to 69000, by broker"
    assert [message.event_type for message in entry.messages] == ["order_modified", "order_status_changed"]


@pytest.mark.req("I-03", "I-06", "I-09", "F-49", "I-12")
def test_each_number_of_an_order_counts_its_fills_from_zero() -> None:
    bench = a_bench()
    order = bench.fill(bench.working(), 4)
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)
    new = a_successor(order, qty=D(6), price=D(69_000), qty_filled=D(2), amount_filled=D(138_000))
    old = a_report(order, state=BrokerState.REPLACED, qty_filled=D(4), amount_filled=D(280_000))
    bench.study(old, new)
    now = bench.order(order)
    assert (now.qty_filled, now.amount_filled, now.status) == (6, 418_000, S.PART_FILLED)
    assert bench.study(old, new).events == (), "a history is idempotent (I-40)"
    assert [tally.qty for tally in now.tallies] == [4, 2]
    late = a_notice(order, 1, number=9, ref=a_ref(1))  # it crossed the modify, under the old number
    bench.hear(late)
    assert bench.order(order).qty_filled == 7
    bench.study(a_report(order, state=BrokerState.REPLACED, qty_filled=D(5), amount_filled=D(350_000)), new)
    assert bench.order(order).qty_filled == 7, "the notice was that very share"


@pytest.mark.req("I-33", "I-20", "I-48")
@pytest.mark.parametrize(("price", "in_flight"), [(69_000, 70_000), (71_000, 71_000)])
def test_until_its_end_is_proven_a_modify_reserves_the_larger_of_both_terms(
    price: int, in_flight: int
) -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=price)
    assert bench.order(order).reserve_price == in_flight
    bench.conclude_modify(order, TAKEN)
    assert bench.order(order).reserve_price == in_flight, "a fill at the old price may be told later"


@pytest.mark.req("I-49", "I-18", "S002-35")
@pytest.mark.parametrize(
    ("outcome", "asks"),
    [
        (ModifyRefused(code="40", text="nothing left", raw="r"), True),
        (NotSent(text="connection refused"), False),
    ],
)
def test_a_modify_that_did_not_happen_leaves_the_old_terms_and_their_reservation(
    outcome: Any, asks: bool
) -> None:
    bench = a_bench()
    order = bench.working()
    reserved = bench.book.cash_reserved[ACCOUNT, "KRW"]
    bench.modify(order, price=71_000)
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] > reserved
    now = bench.conclude_modify(order, outcome)
    assert (now.price, now.modify_to, now.modify_open, now.reserve_price) == (70_000, None, False, 70_000)
    assert bench.last.ask is asks
    assert bench.modify(order, price=69_000).denial is None, "it may be asked for again"


@pytest.mark.req("I-03")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"qty": 11}, Reason.QTY_TOO_LARGE),
        ({"qty": 4}, Reason.NOT_MODIFIABLE),
        ({"qty": 3}, Reason.NOT_MODIFIABLE),
        ({}, Reason.NOTHING_TO_CHANGE),
        ({"qty": 10, "price": 70_000}, Reason.NOTHING_TO_CHANGE),
        ({"price": 0}, Reason.PRICE_NOT_POSITIVE),
        ({"price": 200_000}, Reason.PRICE_OUTSIDE_BAND),
    ],
)
def test_a_modify_never_enlarges_and_must_change_something_possible(
    changes: dict[str, int], reason: Reason
) -> None:
    bench = a_bench()
    order = bench.fill(bench.working(), 4)
    assert refusal(bench, order, **changes) is reason


@pytest.mark.req("S002-35", "S002-41")
def test_only_an_order_whose_state_is_known_and_that_can_still_fill_is_modified() -> None:
    bench = a_bench()
    done = bench.fill(bench.working(an_intent(1)), 10)
    assert refusal(bench, done, price=69_000) is Reason.ALREADY_FINAL
    flying = bench.sent(an_intent(2, price=D(69_500)))
    assert refusal(bench, flying, price=69_000) is Reason.NOT_MODIFIABLE
    bench.conclude(flying, Unknown(text="no reply"))
    assert refusal(bench, bench.order(flying), price=69_000) is Reason.NOT_MODIFIABLE


@pytest.mark.req("S002-35", "I-20")
def test_an_order_with_a_change_or_a_cancel_on_its_way_waits_for_its_end() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    assert refusal(bench, bench.order(order), price=68_000) is Reason.NOT_MODIFIABLE
    other = bench.working(an_intent(2, price=D(69_500)), number=5)
    bench.cancel(other)
    assert refusal(bench, bench.order(other), price=68_000) is Reason.NOT_MODIFIABLE


@pytest.mark.req("I-45", "I-47", "S002-35")
def test_a_halt_a_priceless_kind_and_a_broker_without_modify_refuse_with_what_to_do() -> None:
    bench = a_bench()
    order = bench.working()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="stop"))
    assert refusal(bench, order, price=69_000) is Reason.HALTED
    market = Bench(a_policy(modifies=True))
    priceless = market.working(an_intent(order_type=OrderType.MARKET, price=None))
    assert refusal(market, priceless, price=69_000) is Reason.PRICE_NOT_ALLOWED
    assert market.modify(priceless, qty=5).denial is None
    plain = Bench(a_policy(modifies=False))
    assert refusal(plain, plain.working(), price=69_000) is Reason.NOT_MODIFIABLE


@pytest.mark.req("S002-33", "S002-28")
def test_what_never_left_is_changed_here_and_the_broker_is_not_asked() -> None:
    bench = a_bench()
    order = bench.submit()
    decision = bench.modify(order, qty=5, price=69_050)
    assert names(decision) == ["OrderModified"]
    now = bench.order(order)
    assert (now.qty, now.price, now.price_raw, now.refs) == (5, 69_000, 69_050, ()), "rounded toward safety"
    assert now.reserve_price == 69_000
    sent = bench.send(now)
    assert (sent.attempt_qty, sent.price) == (5, 69_000)


@pytest.mark.req("I-30", "S000-75")
def test_a_higher_price_needs_the_cash_for_it() -> None:
    bench = Bench(a_policy(modifies=True), krw=700_200)
    order = bench.working()
    assert refusal(bench, order, price=71_000) is Reason.CASH
    assert bench.modify(order, price=69_000).denial is None


@pytest.mark.req("F-49", "I-15", "I-11")
def test_a_lost_reply_is_settled_by_the_successor_that_the_broker_lists() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    lost = bench.conclude_modify(order, Unknown(text="no reply"))
    assert (lost.modify_open, lost.modify_to is not None, bench.last.ask) == (False, True, True)
    old = a_report(order, state=BrokerState.REPLACED)
    bench.study(old, a_successor(order, price=D(69_000)))
    now = bench.order(order)
    assert (now.price, now.modify_to, now.refs) == (69_000, None, (a_ref(1), a_ref(2)))
    assert now.status is S.ACCEPTED, "the list shows it at work"


@pytest.mark.req("I-15", "F-35")
def test_a_lost_modify_is_given_up_only_after_two_lists_with_the_old_terms() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=71_000)
    bench.conclude_modify(order, Unknown(text="no reply"))
    old = a_report(order)
    bench.study(old)  # too soon to prove anything
    assert bench.order(order).modify_absent_ns is None
    bench.wait(30)
    bench.study(old)
    assert bench.order(order).modify_to is not None
    bench.wait(29)
    bench.study(old)
    assert bench.order(order).modify_to is not None
    bench.wait(1)
    bench.study(old)
    now = bench.order(order)
    assert (now.modify_to, now.price, now.reserve_price) == (None, 70_000, 70_000)


@pytest.mark.req("F-49")
def test_a_broker_that_keeps_the_number_shows_the_new_terms_under_it() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, qty=6, price=69_000)
    bench.conclude_modify(order, Unknown(text="no reply"))
    bench.study(a_report(order, qty=D(6), price=D(69_000)))
    now = bench.order(order)
    assert (now.qty, now.price, now.refs, now.modify_to) == (6, 69_000, (a_ref(1),), None)


@pytest.mark.req("F-21", "F-49")
def test_a_notice_of_the_new_number_may_come_before_the_reply() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.hear(a_successor(order, price=D(69_000)))
    now = bench.order(order)
    assert (now.price, now.refs, now.modify_to) == (69_000, (a_ref(1), a_ref(2)), None)
    bench.conclude_modify(order, TAKEN)
    assert bench.order(order).modify_count == 1, "the reply says nothing new"


@pytest.mark.req("I-44", "I-42")
def test_a_change_made_by_hand_at_the_broker_is_taken_over() -> None:
    bench = a_bench()
    order = bench.fill(bench.working(), 4)
    listed = (
        a_report(order, state=BrokerState.REPLACED, qty_filled=D(4), amount_filled=D(280_000)),
        a_successor(order, qty=D(3), price=D(69_000)),
    )
    bench.study(*listed)
    now = bench.order(order)
    assert (now.qty, now.price, now.flags) == (10, 69_000, ()), "the list may be behind itself"
    bench.wait(30)
    bench.study(*listed)
    assert bench.order(order).qty == 7


@pytest.mark.req("I-40", "I-03")
def test_a_list_that_says_what_is_known_of_every_number_changes_nothing() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)
    bench.wait(60)
    old, new = a_report(order, state=BrokerState.REPLACED), a_successor(order, price=D(69_000))
    assert names(bench.study(old, new)) == ["OrderAccepted"]
    bench.wait(60)
    assert names(bench.study(old, new)) == ["ModifyAnswered"], "what the old price tied up is free"
    bench.wait(60)
    assert bench.study(old, new).events == ()


@pytest.mark.req("I-33", "I-49", "F-49", "F-21")
def test_cash_for_fills_at_the_old_price_stays_reserved_until_a_list_tells_that_none_is_missing() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)
    assert bench.order(order).reserve_price == 70_000, "six may have filled at 70,000 and not be told yet"
    late = bench.fill(order, 6, price=D(70_000), ref=a_ref(1))
    assert (late.qty_filled, late.amount_filled, late.flags) == (6, 420_000, ())
    old = a_report(order, state=BrokerState.REPLACED, qty_filled=D(6), amount_filled=D(420_000))
    new = a_successor(order, qty=D(4), price=D(69_000))
    bench.study(old, new)
    assert bench.order(order).reserve_price == 70_000, "the list may be behind itself"
    bench.wait(60)
    bench.study(old, new)
    now = bench.order(order)
    assert (now.reserve_price, now.price, now.qty_left) == (69_000, 69_000, 4)


@pytest.mark.req("I-33", "I-40")
def test_a_list_frees_nothing_while_the_next_modify_is_on_its_way_and_a_sale_ties_up_shares_only() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)
    old, new = a_report(order, state=BrokerState.REPLACED), a_successor(order, price=D(69_000))
    bench.study(old, new)
    bench.modify(order, price=68_000)
    bench.wait(60)
    assert bench.study(old, new).events == ()
    assert bench.order(order).reserve_price == 70_000
    seller = Bench(a_policy(modifies=True), shares={SAMSUNG: 10})
    sale = seller.working(a_sale())
    seller.modify(sale, price=71_000)
    seller.conclude_modify(sale, TAKEN)
    gone, now = a_report(sale, state=BrokerState.REPLACED), a_successor(sale, price=D(71_000))
    seller.study(gone, now)
    seller.wait(60)
    assert seller.study(gone, now).events == ()


@pytest.mark.req("F-49", "I-01", "I-15")
def test_the_rest_of_an_order_that_looks_like_the_new_total_is_not_taken_for_it() -> None:
    bench = a_bench()
    order = bench.fill(bench.working(), 4)
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)  # number 2 holds the six that are left
    bench.modify(order, qty=6)  # two more, six in all
    bench.conclude_modify(order, Unknown(text="reset"))
    old = a_report(order, state=BrokerState.REPLACED, qty_filled=D(4), amount_filled=D(280_000))
    standing = a_successor(order, qty=D(6), price=D(69_000))
    bench.study(old, standing)
    assert bench.order(order).modify_to is not None, "six under that number are ten in all: not changed yet"
    bench.study(old, a_successor(order, qty=D(2), price=D(69_000)))
    now = bench.order(order)
    assert (now.modify_to, now.qty, now.qty_left) == (None, 6, 2)


@pytest.mark.req("S002-35", "C-33")
def test_risk_is_asked_about_a_modify_too() -> None:
    no = Denial(Reason.RISK_DENIED, "the day's loss is spent; wait for tomorrow")
    bench = a_bench(approve=lambda intent, *_: no if intent.price == 69_000 else None)
    order = bench.working()
    assert refusal(bench, order, price=69_000) is Reason.RISK_DENIED
    assert bench.modify(order, price=69_100).denial is None


@pytest.mark.req("S002-35", "F-96")
@pytest.mark.parametrize("qty", ["0", "-1", "NaN"])
def test_a_quantity_that_is_none_is_refused(qty: str) -> None:
    bench = a_bench()
    order = bench.working()
    command = ModifyOrder(order_id=order.order_id, by=USER, qty=D(qty), price=None, closed=order)
    denial = bench.do(command).denial
    assert denial is not None
    assert denial.reason is Reason.QTY_NOT_POSITIVE


@pytest.mark.req("I-44", "I-42", "F-106")
def test_a_part_that_a_person_cancelled_at_the_broker_is_taken_over_under_the_same_number() -> None:
    bench = a_bench()
    order = bench.working()
    fewer = a_report(order, qty=D(6))
    bench.study(fewer)
    assert bench.order(order).qty == 10, "the list may be behind itself"
    bench.wait(30)
    bench.study(fewer)
    now = bench.order(order)
    assert (now.qty, now.qty_left, now.flags, bench.book.halt) == (6, 6, (), None)
    bench.wait(30)
    bench.study(a_report(order, qty=D(3), state=BrokerState.REPLACED))
    assert bench.order(order).qty == 6, "its successor will say what became of the rest"


@pytest.mark.req("F-35", "I-01", "I-33", "I-44")
def test_a_list_without_the_older_number_does_not_lower_the_quantity() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, qty=8)
    bench.conclude_modify(order, Unknown(text="500"))
    new = a_successor(order, qty=D(2))  # the older number filled 6, and the list does not show it yet
    bench.study(new)
    bench.wait(30)
    bench.study(new)
    assert bench.order(order).qty == 8
    bench.study(a_report(order, state=BrokerState.REPLACED, qty_filled=D(6), amount_filled=D(420_000)), new)
    now = bench.order(order)
    assert (now.qty, now.qty_filled, now.flags) == (8, 6, ())


@pytest.mark.req("F-46", "F-49", "I-17", "I-44")
def test_an_order_that_filled_while_it_was_modified_is_filled_whatever_the_reply() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    filled = bench.fill(order, 10)
    assert filled.status is S.FILLED
    refused = bench.conclude_modify(order, ModifyRefused(code="40", text="filled", raw=""))
    assert (refused.status, refused.qty_filled, refused.modify_to) == (S.FILLED, 10, None)


@pytest.mark.req("F-49", "I-44")
def test_a_modify_down_to_what_had_filled_meanwhile_ends_the_order_as_filled() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, qty=6)
    bench.fill(order, 6)
    now = bench.conclude_modify(order, TAKEN)
    assert (now.status, now.qty, now.qty_filled) == (S.FILLED, 6, 6)
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] == 0


@pytest.mark.req("I-05")
def test_a_fill_at_a_limit_that_was_in_force_is_fair_however_late_its_notice() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)
    crossed = bench.fill(order, 2, number=1, ref=a_ref(1), price=D(70_000))
    assert crossed.flags == ()
    beyond = bench.fill(order, 2, number=2, ref=a_ref(2), price=D(70_500))
    assert beyond.flags == (Flag.BAD_PRICE,)


@pytest.mark.req("I-11", "F-17")
def test_a_reply_that_names_another_orders_number_is_not_believed() -> None:
    bench = a_bench()
    order = bench.working(an_intent(1), number=1)
    other = bench.working(an_intent(2, price=D(69_500)), number=2)
    bench.modify(order, price=69_000)
    now = bench.conclude_modify(order, TAKEN)  # number 2 is the other order's
    assert (now.refs, now.modify_to is not None, bench.last.ask) == ((a_ref(1),), True, True)
    assert bench.order(other).refs == (a_ref(2),)


@pytest.mark.req("F-50", "I-20", "I-18")
def test_a_cancel_of_an_order_whose_modify_is_unknown_reaches_its_new_number() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, Unknown(text="no reply"))
    assert names(bench.cancel(order)) == ["CancelRequested", "CancelIntended"]
    bench.conclude_cancel(order, CancelRefused(code="40", text="nothing under it", raw=""))
    bench.study(a_report(order, state=BrokerState.REPLACED), a_successor(order, price=D(69_000)))
    bench.wait(1)
    decision = bench.tick(order)
    [intended] = [event for event in decision.events if type(event).__name__ == "CancelIntended"]
    assert intended.request.ref == a_ref(2)  # type: ignore[union-attr]


@pytest.mark.req("F-68", "I-23", "I-13")
def test_a_modify_that_was_in_flight_at_a_crash_is_unknown_and_is_asked_about() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    decision = bench.do(BeginRecovery())
    assert names(decision) == ["ModifyAnswered"]
    assert decision.ask
    assert bench.order(order).modify_unknown_ns == bench.now_ns
    assert bench.do(BeginRecovery()).events == ()


@pytest.mark.req("I-11", "F-49")
def test_a_chain_of_modifies_is_followed_over_every_number_at_once() -> None:
    bench = a_bench()
    order = bench.working()
    first = a_report(order, state=BrokerState.REPLACED)
    second = a_successor(order, 2, state=BrokerState.REPLACED, price=D(69_000))
    third = a_successor(order, 3, price=D(68_000))
    bench.study(first, second, third)
    now = bench.order(order)
    assert (now.refs, now.price) == ((a_ref(1), a_ref(2), a_ref(3)), 68_000)
    assert bench.study(first, second, third).events == ()


@pytest.mark.req("C-4")
def test_the_signal_of_a_modified_order_coming_again_is_still_the_same_signal() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)
    again = bench.submit()
    assert (again.order_id, again.flags) == (order.order_id, ())


@pytest.mark.req("I-03", "I-33", "I-01", "I-06")
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["modify", "take", "refuse", "lose", "fill", "list"]),
            st.integers(1, 10),
            st.sampled_from([68_000, 69_000, 70_000]),
        ),
        max_size=12,
    )
)
def test_no_chain_of_modifies_ever_executes_more_than_was_authorised(
    steps: list[tuple[str, int, int]],
) -> None:
    """Books, reservations and sub-ledgers are checked by the bench after every step."""
    bench = a_bench()
    order = bench.working()
    numbers = 1
    for what, qty, price in steps:
        now = bench.order(order)
        if what == "modify":
            bench.modify(now, qty=qty, price=price)
        elif what == "take" and now.modify_open:
            numbers += 1
            bench.conclude_modify(now, ModifyAccepted(ref=a_ref(numbers), raw=""))
        elif what == "refuse" and now.modify_open:
            bench.conclude_modify(now, ModifyRefused(code="40", text="no", raw=""))
        elif what == "lose" and now.modify_open:
            bench.conclude_modify(now, Unknown(text="lost"))
        elif what == "fill" and not now.status.is_final:
            bench.fill(now, min(D(qty), now.qty_left), number=len(bench.records), price=now.price)
        elif what == "list" and not now.status.is_final:
            tally = now.tally(now.refs[-1])
            bench.study(a_report(now, qty=now.qty, qty_filled=tally.qty, amount_filled=tally.amount))
        now = bench.order(order)
        assert now.qty <= D(10)
        assert now.qty_filled <= D(10)
        assert sum((tally.qty for tally in now.tallies), D(0)) == (now.qty_filled if now.tallies else 0)


def test_a_modified_event_folds_the_same_from_its_bytes() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, qty=6)
    bench.conclude_modify(order, TAKEN)
    [event] = [r.event for r in bench.records if isinstance(r.event, OrderModified)]
    assert (event.terms.qty, event.by, event.evidence) == (Decimal(6), "broker", "reply")
    assert bench.order(order).refs[-1].trade_date == TODAY
