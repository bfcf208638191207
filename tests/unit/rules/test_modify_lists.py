"""What lists tell of a modify nobody answered, while they may not show the new number yet (F-35, F-49)."""

import pytest
from msgspec.structs import replace

from jumun.model.orders import Order, OrderStatus
from jumun.model.reports import BrokerState, CancelRefused, ModifyAccepted, Unknown
from tests.unit.rules.desk_values import ACCOUNT, SAMSUNG, Bench, D, a_ref, a_report, names
from tests.unit.rules.test_decide_modify import a_bench, a_successor

S = OrderStatus
TAKEN = ModifyAccepted(ref=a_ref(2), raw="taken 2")
LOST = Unknown(text="no reply")


def unanswered() -> tuple[Bench, Order]:
    """A working order, and its modify to 69,000 that nobody answered."""
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, LOST)
    return bench, order


@pytest.mark.req("I-49", "F-35", "F-49")
@pytest.mark.parametrize("state", [BrokerState.CANCELLED, BrokerState.EXPIRED])
def test_a_list_that_ends_the_old_number_before_it_names_the_new_one_ends_nothing(state: BrokerState) -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    gone = a_report(order, state=state)
    assert bench.study(gone).ask
    assert not bench.order(order).status.is_final, "its answer is still on the way"
    bench.conclude_modify(order, LOST)
    bench.wait(30)
    bench.study(gone)
    assert not bench.order(order).status.is_final, "one list without a new number proves nothing"
    bench.wait(30)
    bench.study(gone, a_successor(order, price=D(69_000)))
    now = bench.order(order)
    assert (now.refs, now.price, now.status, now.modify_to) == (
        (a_ref(1), a_ref(2)),
        69_000,
        S.ACCEPTED,
        None,
    )


@pytest.mark.req("I-49", "F-35", "F-106")
def test_an_end_that_nothing_explains_ends_nothing_and_the_number_that_took_over_is_ours() -> None:
    bench = a_bench()
    order = bench.working()
    gone = a_report(order, state=BrokerState.CANCELLED, is_doubtful=True)
    assert not bench.study(gone).ask, "only time tells"
    assert not bench.order(order).status.is_final
    bench.study(gone, a_successor(order, price=D(69_000)))
    now = bench.order(order)
    assert (now.refs, now.price, now.status) == ((a_ref(1), a_ref(2)), 69_000, S.ACCEPTED)


@pytest.mark.req("I-11", "I-49", "F-35", "F-106")
def test_a_row_whose_end_nothing_explains_took_nothing_over_yet() -> None:
    """A person revised the order; until that number is listed, the row of our own cut looks like it."""
    bench = a_bench()
    order = bench.working()
    taken = a_report(order, state=BrokerState.REPLACED)
    cut = a_successor(order, 3, replaces=a_ref(1), qty=D(1), state=BrokerState.CANCELLED, is_doubtful=True)
    bench.study(taken, cut)
    assert bench.order(order).refs == (a_ref(1),)
    bench.study(taken, a_successor(order, price=D(69_000)))
    assert bench.order(order).refs == (a_ref(1), a_ref(2))


@pytest.mark.req("I-58", "F-03", "F-106")
def test_a_modify_that_never_arrived_ends_where_what_a_person_left_of_the_order_has_filled() -> None:
    bench, order = unanswered()
    rows = (
        a_report(order, ref=a_ref(1), state=BrokerState.REPLACED),
        a_successor(order, qty=D(4), state=BrokerState.WORKING),
    )
    bench.study(*rows)
    bench.modify(order, price=68_000)
    bench.conclude_modify(order, LOST)
    filled = replace(rows[1], qty_filled=D(4), amount_filled=D(280_000), state=BrokerState.FILLED)
    for _ in range(3):
        bench.wait(30)
        bench.study(rows[0], filled)
    now = bench.order(order)
    assert (now.status, now.qty, now.qty_filled, now.modify_to) == (S.FILLED, 4, 4, None)


@pytest.mark.req("I-58", "I-59", "F-106")
def test_a_person_cut_it_and_cancels_that_are_repeated_for_ever_do_not_hold_up_its_end() -> None:
    bench = a_bench()
    order = bench.working()
    bench.cancel(order)
    rows = (
        a_report(order, ref=a_ref(1), state=BrokerState.REPLACED),
        a_successor(order, qty=D(2), qty_filled=D(2), amount_filled=D(140_000), state=BrokerState.FILLED),
    )
    bench.study(*rows)
    for _ in range(4):
        bench.wait(15)
        bench.conclude_cancel(order, CancelRefused(code="APBK0344", text="nothing is left", raw=""))
        bench.tick(order)
        bench.study(*rows)
    now = bench.order(order)
    assert (now.status, now.qty, now.qty_filled) == (S.FILLED, 2, 2)


@pytest.mark.req("I-58", "I-49", "F-03")
def test_two_lists_without_a_new_number_end_an_order_whose_modify_never_arrived() -> None:
    bench, order = unanswered()
    gone = a_report(order, state=BrokerState.CANCELLED)
    bench.wait(30)
    bench.study(gone)
    bench.wait(29)
    bench.study(gone)
    assert not bench.order(order).status.is_final
    bench.wait(1)
    assert names(bench.study(gone)) == ["ModifyAnswered", "OrderCancelled"]
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] == 0


@pytest.mark.req("I-18", "I-20")
def test_a_notice_that_the_order_was_cancelled_ends_it_whatever_became_of_its_modify() -> None:
    bench, order = unanswered()
    bench.hear(a_report(order, state=BrokerState.CANCELLED))
    assert bench.order(order).status is S.CANCELLED


@pytest.mark.req("I-11", "I-42", "F-35")
def test_a_row_that_ended_unfilled_is_not_the_successor_of_a_number_whose_successor_is_known() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)
    partial_cancel = a_successor(order, 9, replaces=a_ref(1), qty=D(1), state=BrokerState.CANCELLED)
    bench.study(a_report(order, ref=a_ref(1), state=BrokerState.REPLACED), partial_cancel)
    now = bench.order(order)
    assert (now.refs, now.status) == ((a_ref(1), a_ref(2)), S.SENT)
    assert not bench.last.ask
    assert bench.book.open_by_symbol[ACCOUNT, SAMSUNG].keys() == {order.order_id}, "nor is it a stranger's"
    assert bench.book.halt is None


@pytest.mark.req("I-11", "I-49", "F-35")
def test_a_row_that_ended_unfilled_counts_as_the_successor_once_the_true_one_must_be_listed() -> None:
    bench, order = unanswered()
    rows = (
        a_report(order, state=BrokerState.REPLACED),
        a_successor(order, price=D(69_000), state=BrokerState.CANCELLED),
    )
    bench.wait(29)
    bench.study(*rows)
    assert bench.order(order).refs == (a_ref(1),)
    bench.wait(1)
    bench.study(*rows)
    now = bench.order(order)
    assert (now.refs, now.status) == ((a_ref(1), a_ref(2)), S.CANCELLED)


@pytest.mark.req("I-11", "I-42", "F-106")
def test_a_change_by_hand_that_ended_unfilled_ends_the_order() -> None:
    bench = a_bench()
    order = bench.working()
    bench.study(
        a_report(order, state=BrokerState.REPLACED),
        a_successor(order, price=D(69_000), state=BrokerState.CANCELLED),
    )
    now = bench.order(order)
    assert (now.refs, now.status) == ((a_ref(1), a_ref(2)), S.CANCELLED)


@pytest.mark.req("F-35", "I-17")
def test_an_order_that_an_older_number_filled_needs_no_newer_one_in_the_list() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)
    bench.wait(30)
    bench.study(a_report(order, ref=a_ref(1), qty_filled=D(10), amount_filled=D(700_000)))
    now = bench.order(order)
    assert (now.status, now.flags) == (S.FILLED, ())


@pytest.mark.req("I-11", "I-42", "F-51")
def test_a_refused_row_that_names_one_of_our_numbers_is_no_successor_and_no_strangers() -> None:
    bench = a_bench()
    order = bench.working()
    rows = a_report(order), a_successor(order, price=D(69_000), state=BrokerState.REJECTED)
    bench.study(*rows)
    now = bench.order(order)
    assert (now.refs, now.status) == ((a_ref(1),), S.ACCEPTED)
    assert bench.book.open_by_symbol[ACCOUNT, SAMSUNG].keys() == {order.order_id}


@pytest.mark.req("I-58", "F-51", "F-49")
@pytest.mark.parametrize("parent", [BrokerState.REPLACED, BrokerState.CANCELLED, BrokerState.EXPIRED])
def test_a_modify_of_unknown_outcome_that_was_refused_in_the_end_ends_the_order(parent: BrokerState) -> None:
    """Whether its parent was taken over first or ended otherwise, nobody can say: the number is ours."""
    bench, order = unanswered()
    rows = (
        a_report(order, ref=a_ref(1), state=parent),
        a_successor(order, price=D(69_000), state=BrokerState.REJECTED),
    )
    bench.wait(30)
    bench.study(*rows)
    if parent is not BrokerState.REPLACED:
        assert not bench.order(order).status.is_final, "the true successor may not be listed yet (I-49)"
    bench.wait(30)
    bench.study(*rows)
    now = bench.order(order)
    assert (now.refs, now.status) == ((a_ref(1), a_ref(2)), S.REJECTED)


@pytest.mark.req("I-49", "F-51", "F-106")
def test_a_refused_change_beside_an_end_that_nothing_explains_ends_nothing() -> None:
    """Ours was refused, and a second ago a person revised the order: their number is not listed yet."""
    bench, order = unanswered()
    refused = a_successor(order, price=D(69_000), state=BrokerState.REJECTED)
    bench.wait(30)
    bench.study(a_report(order), refused)
    bench.wait(30)
    bench.study(a_report(order, state=BrokerState.CANCELLED, is_doubtful=True), refused)
    assert not bench.order(order).status.is_final
    live = a_successor(order, 3, replaces=a_ref(1), price=D(69_500))
    bench.study(a_report(order, state=BrokerState.REPLACED), refused, live)
    now = bench.order(order)
    assert (now.refs, now.price, now.status) == ((a_ref(1), a_ref(3)), 69_500, S.ACCEPTED)


@pytest.mark.req("I-49", "I-58", "F-35", "F-51")
def test_a_refused_change_ends_nothing_where_another_number_took_over() -> None:
    bench, order = unanswered()
    gone = a_report(order, ref=a_ref(1), state=BrokerState.CANCELLED)
    refused = a_successor(order, price=D(69_000), state=BrokerState.REJECTED)
    bench.wait(30)
    bench.study(gone, refused)
    bench.wait(30)
    bench.study(gone, refused, a_successor(order, 3, replaces=a_ref(1), price=D(69_000)))
    now = bench.order(order)
    assert (now.refs, now.status) == ((a_ref(1), a_ref(3)), S.ACCEPTED)
