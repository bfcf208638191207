"""Answers that come when their question is no longer open (F-05, F-17), and costs of an order of two days."""

from decimal import Decimal

import pytest

from jumun.model.commands import ConcludeModify
from jumun.model.orders import OrderStatus, Terms
from jumun.model.reports import ModifyAccepted
from tests.unit.rules.desk_values import Bench, a_policy, a_ref, a_report
from tests.unit.rules.test_decide_modify import a_successor


@pytest.mark.req("S002-35", "I-03", "I-33", "F-05", "F-49")
def test_the_late_answer_to_one_modify_does_not_confirm_the_next() -> None:
    bench = Bench(a_policy(modifies=True))
    order = bench.working()
    bench.modify(order, price=70_200)
    bench.study(a_successor(order, price=Decimal(70_200), qty=order.qty))
    bench.modify(bench.order(order), price=69_800)
    waiting = bench.order(order)
    answer = ModifyAccepted(ref=a_ref(2), raw="the answer to the first")
    bench.do(ConcludeModify(order_id=order.order_id, number=1, outcome=answer))
    assert bench.order(order) == waiting
    assert waiting.modify_to == Terms(qty=order.qty, price=Decimal(69_800), price_raw=Decimal(69_800))
    assert waiting.reserve_price == Decimal(70_200), "the larger one counts until the second has ended"
    bench.do(ConcludeModify(order_id=order.order_id, number=2, outcome=ModifyAccepted(ref=a_ref(3), raw="2")))
    assert bench.order(order).price == Decimal(69_800)


@pytest.mark.req("S002-38", "I-19")
def test_what_was_lowered_and_filled_before_anybody_heard_is_filled() -> None:
    from jumun.model.reports import BrokerState, Unknown

    bench = Bench(a_policy(modifies=True))
    order = bench.working()
    bench.modify(order, qty=4)
    bench.conclude_modify(order, Unknown(text="no answer"))
    filled = a_report(
        order,
        qty=Decimal(4),
        qty_filled=Decimal(4),
        amount_filled=4 * Decimal(70_000),
        state=BrokerState.FILLED,
    )
    bench.study(filled)
    after = bench.order(order)
    assert (after.status, after.qty, after.flags) == (OrderStatus.FILLED, Decimal(4), ())
