"""Lists at the edges: other terms than ours, several numbers, rows that fit more than one order (EMS-04)."""

from decimal import Decimal
from typing import Any

import pytest

from jumun.model.orders import Flag, Order, OrderStatus, OrderType
from jumun.model.reports import BrokerState, ModifyAccepted, OrderReport, Unknown
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    SAMSUNG,
    Bench,
    a_policy,
    a_ref,
    a_report,
    an_intent,
)
from tests.unit.rules.test_decide_modify import TAKEN, a_bench, a_successor

D = Decimal
S = OrderStatus
CARRIES = a_policy(carries_reference=True)


def modified(bench: Bench, *, filled: int = 4) -> Order:
    """Ten at 70,000, some of it filled, the rest moved to 69,000 under number 2."""
    order = bench.fill(bench.working(), filled)
    bench.modify(order, price=69_000)
    return bench.conclude_modify(order, TAKEN)


def old_row(order: Order, filled: int = 4) -> OrderReport:
    return a_report(
        order,
        ref=a_ref(1),
        state=BrokerState.REPLACED,
        qty_filled=D(filled),
        amount_filled=D(filled * 70_000),
    )


# ---- terms that nobody here asked for -----------------------------------------------------------


@pytest.mark.req("I-43", "F-106", "I-45")
@pytest.mark.parametrize(
    ("changes", "is_strange"),
    [
        ({}, False),
        ({"price": D(69_900)}, True),
        ({"qty": D(11)}, True),
        ({"qty": D(9)}, False),  # a person left less of it: taken over
    ],
)
def test_terms_that_nobody_here_asked_for_stop_new_orders(
    changes: dict[str, Any], *, is_strange: bool
) -> None:
    bench = a_bench()
    order = bench.working()
    bench.wait(30)
    bench.study(a_report(order, **changes))
    assert (bench.book.halt is not None) is is_strange
    assert (Flag.DISPUTED in bench.order(order).flags) is is_strange


@pytest.mark.req("I-43", "I-44")
def test_a_later_number_may_count_more_shares_than_the_first_attempt_asked_for() -> None:
    bench = a_bench()
    order = modified(bench)
    bench.wait(30)
    bench.study(old_row(order), a_report(order, ref=a_ref(2), qty=D(11), price=D(69_000)))
    assert bench.book.halt is None
    bench.wait(30)
    bench.study(old_row(order), a_report(order, ref=a_ref(2), qty=D(6), price=D(68_900)))
    assert bench.book.halt is not None, "but not another price"


# ---- one row among others -----------------------------------------------------------------------


@pytest.mark.req("I-44", "F-106")
def test_a_plain_order_before_it_does_not_hide_what_a_person_lowered() -> None:
    bench = a_bench()
    plain = bench.working(an_intent(1, symbol=HYNIX, price=D(200_000)), number=1)
    lowered = bench.working(an_intent(2), number=2)
    rows = a_report(plain, ref=a_ref(1)), a_report(lowered, ref=a_ref(2), qty=D(6))
    bench.study(*rows)
    bench.wait(30)
    bench.study(*rows)
    assert (bench.order(plain).qty, bench.order(lowered).qty) == (10, 6)


@pytest.mark.req("F-03", "I-42")
def test_rows_that_could_be_the_lost_order_are_left_alone_and_a_strangers_is_adopted() -> None:
    bench = Bench()
    lost = bench.unknown()
    strangers = a_report(lost, 3, symbol=HYNIX, price=D(200_000))
    bench.study(a_report(lost, 1), a_report(lost, 2), strangers)
    foreign = [order for order in bench.book.open.values() if Flag.FOREIGN in order.flags]
    assert [order.symbol for order in foreign] == [HYNIX]
    assert bench.order(lost).is_unknown


@pytest.mark.req("I-42", "I-24")
def test_a_row_with_the_reference_of_an_order_on_its_way_is_no_strangers() -> None:
    bench = Bench(CARRIES)
    order = bench.sent()
    bench.study(a_report(order, 7, reference=order.order_id))
    assert list(bench.book.open) == [order.order_id]
    assert bench.book.halt is None
    bench.study(a_report(order, 8, reference="another"))
    assert len(bench.book.open) == 2, "without it, it is"


@pytest.mark.req("F-35", "F-41", "I-49")
def test_a_short_list_does_not_give_up_a_modify() -> None:
    bench = a_bench()
    bench.working(an_intent(1, qty=D(9)), number=1)
    order = bench.working(an_intent(2), number=2)
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, Unknown(text="no reply"))
    for _ in range(3):
        bench.wait(30)
        bench.study(a_report(order, ref=a_ref(2)))
    now = bench.order(order)
    assert (now.modify_to is not None, now.modify_absent_ns) == (True, None)


# ---- several numbers ----------------------------------------------------------------------------


@pytest.mark.req("S002-38", "S002-33")
def test_what_somebody_asked_for_stays_beside_what_was_sent_also_when_a_list_tells_of_it() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_050)
    assert (sent := bench.order(order).modify_to) is not None
    assert sent.price == 69_000
    bench.conclude_modify(order, Unknown(text="no reply"))
    bench.study(a_report(order, state=BrokerState.REPLACED), a_successor(order, price=D(69_000)))
    now = bench.order(order)
    assert (now.price_raw, now.price) == (69_050, 69_000)


@pytest.mark.req("S002-38", "F-106")
@pytest.mark.parametrize(("price", "raw"), [(70_000, 70_050), (69_500, 69_500)])
def test_of_a_change_by_hand_only_another_price_replaces_what_was_asked_for(price: int, raw: int) -> None:
    bench = a_bench()
    order = bench.working(an_intent(price=D(70_050)))
    assert (order.price_raw, order.price) == (70_050, 70_000)
    bench.study(a_report(order, state=BrokerState.REPLACED), a_successor(order, price=D(price)))
    assert (bench.order(order).price_raw, bench.order(order).price) == (raw, price)


@pytest.mark.req("I-44", "I-06")
def test_a_lower_quantity_under_the_newest_number_counts_what_the_older_ones_filled() -> None:
    bench = a_bench()
    order = modified(bench)
    bench.fill(order, 1, number=2, ref=a_ref(2), price=D(69_000))
    bench.wait(30)
    newest = a_report(
        order, ref=a_ref(2), qty=D(3), price=D(69_000), qty_filled=D(1), amount_filled=D(69_000)
    )
    bench.study(old_row(order), newest)
    now = bench.order(order)
    assert (now.qty, now.qty_filled, now.price_raw) == (7, 5, 69_000)


@pytest.mark.req("I-44", "I-17")
def test_a_newest_number_that_was_lowered_by_hand_and_filled_fills_the_order() -> None:
    bench = a_bench()
    order = modified(bench)
    bench.fill(order, 3, number=2, ref=a_ref(2), price=D(69_000))
    bench.wait(30)
    newest = a_report(
        order,
        ref=a_ref(2),
        qty=D(3),
        price=D(69_000),
        state=BrokerState.FILLED,
        qty_filled=D(3),
        amount_filled=D(207_000),
    )
    bench.study(old_row(order), newest)
    now = bench.order(order)
    assert (now.status, now.qty, now.qty_filled) == (S.FILLED, 7, 7)


@pytest.mark.req("F-35", "I-12")
def test_a_newest_number_that_filled_asks_what_became_of_the_older_ones_before_anybody_doubts() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, TAKEN)
    filled = a_successor(
        order,
        qty=D(6),
        price=D(69_000),
        state=BrokerState.FILLED,
        qty_filled=D(6),
        amount_filled=D(414_000),
    )
    bench.hear(filled)
    assert bench.last.ask
    assert bench.order(order).flags == ()


@pytest.mark.req("S002-38", "F-49")
def test_a_lower_quantity_of_a_part_filled_order_is_recognised_where_the_number_stays() -> None:
    bench = a_bench()
    order = bench.fill(bench.working(), 4)
    bench.modify(order, qty=8)
    bench.conclude_modify(order, Unknown(text="no reply"))
    bench.study(a_report(order, qty=D(8), qty_filled=D(4), amount_filled=D(280_000)))
    now = bench.order(order)
    assert (now.qty, now.modify_to) == (8, None)


@pytest.mark.req("S002-33")
def test_one_share_is_a_quantity_to_change_to() -> None:
    bench = a_bench()
    order = bench.working()
    assert bench.modify(order, qty=1).denial is None


@pytest.mark.req("I-33", "S002-33")
def test_a_market_order_of_fewer_shares_has_no_old_price_to_free() -> None:
    bench = a_bench()
    order = bench.working(an_intent(order_type=OrderType.MARKET, price=None))
    bench.modify(order, qty=8)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw=""))
    rows = (
        a_report(order, ref=a_ref(1), state=BrokerState.REPLACED),
        a_report(order, ref=a_ref(2), qty=D(7)),
    )
    bench.study(*rows)
    bench.wait(30)
    bench.study(*rows)
    now = bench.order(order)
    assert (now.qty, now.price) == (7, None)
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] > 0
    assert (ACCOUNT, SAMSUNG) in bench.book.open_by_symbol
