"""OMS-04 at the edges: late and crossed answers, what is reserved to the won, what may not be changed."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.commands import ConcludeModify
from jumun.model.events import (
    ModifyAnswered,
    OrderModified,
)
from jumun.model.ids import OrderId
from jumun.model.orders import Order, OrderStatus, OrderType, Side, Terms, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import (
    BrokerState,
    ModifyAccepted,
    ModifyRefused,
    NotSent,
    Unknown,
)
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US
from jumun.rules.decide_modify import reserve_for
from jumun.testing.builders import an_order
from tests.unit.rules.desk_values import (
    HYNIX,
    SAMSUNG,
    Bench,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    an_intent,
    at,
    limits,
)

D = Decimal
S = OrderStatus
GTC: dict[str, Any] = {"time_in_force": TimeInForce.GTC}
EVENING = at("2025-05-27T18:00:00+09:00")


def a_bench(**changes: Any) -> Bench:
    return Bench(a_policy(modifies=True, **changes))


# ---- modifies -----------------------------------------------------------------------------------


def refused(bench: Bench, order: Order, **changes: Any) -> Any:
    decision = bench.modify(order, **changes)
    assert decision.denial is not None
    assert decision.order == order
    return decision.denial.reason


@pytest.mark.req("S002-35", "S002-36")
def test_a_refused_modify_names_the_order_and_its_reason() -> None:
    bench = a_bench()
    order = bench.working()
    assert refused(bench, order) is Reason.NOTHING_TO_CHANGE
    assert refused(bench, order, qty=10) is Reason.NOTHING_TO_CHANGE
    assert refused(bench, order, qty=11) is Reason.QTY_TOO_LARGE
    market = bench.working(an_intent(2, order_type=OrderType.MARKET, price=None), 2)
    assert refused(bench, market, price=70_000) is Reason.PRICE_NOT_ALLOWED
    closed = bench.fill(order)
    assert refused(bench, closed, price=69_000) is Reason.ALREADY_FINAL
    long_gone = replace(closed, order_id=OrderId("gone"), status=S.CANCELLED)
    assert refused(bench, long_gone, price=69_000) is Reason.ALREADY_FINAL


@pytest.mark.req("S002-35", "I-07")
def test_an_order_whose_next_attempt_is_open_is_not_modified() -> None:
    bench = a_bench()
    order = bench.fill(bench.working(an_intent(**GTC)), 4)
    bench.now_ns = EVENING
    expired = a_report(order, qty_filled=D(4), amount_filled=D(280_000), state=BrokerState.EXPIRED)
    bench.study(expired)
    bench.now_ns = at("2025-05-28T09:01:00+09:00")
    again = bench.send(order)
    assert (again.status, again.attempt_open) == (S.PART_FILLED, True)
    assert refused(bench, again, price=69_000) is Reason.NOT_MODIFIABLE


@pytest.mark.req("I-53", "S002-35")
def test_a_modify_that_no_cost_table_covers_is_refused_with_the_tables_sentence() -> None:
    yesterday = replace(KIS_BANKIS, valid_to=date(2025, 5, 26))
    bench = a_bench()
    order = bench.working()
    bench.policy = a_policy(modifies=True, cost_plans={"kis": yesterday, "kis-us": KIS_US})
    decision = bench.modify(order, price=69_000)
    assert decision.denial is not None
    assert decision.denial.reason is Reason.NO_TABLE
    assert "2025-05-26" in decision.denial.text
    bench.policy = a_policy(modifies=True, cost_plans={})
    assert refused(bench, order, price=69_000) is Reason.NO_TABLE
    bench.policy = a_policy(modifies=True, limits=limits(max_order_value={"KRW": D(600_000)}))
    assert refused(bench, order, price=69_000) is Reason.MAX_ORDER_VALUE


@pytest.mark.req("I-33", "I-48", "S002-35")
@pytest.mark.parametrize(("won", "fits"), [(700_699, True), (700_698, False)])
def test_the_cash_for_dearer_terms_is_counted_to_the_won(won: int, fits: bool) -> None:
    bench = Bench(a_policy(modifies=True), krw=won)
    order = bench.fill(bench.working(), 4)
    decision = bench.modify(order, price=70_100)
    # 4 shares and 39 won of costs are paid; 6 at 70,100 and the other 60 of 99 won are still to come.
    assert (decision.denial is None) is fits
    if not fits:
        assert decision.denial is not None
        assert decision.denial.reason is Reason.CASH


@pytest.mark.req("I-33", "I-34")
def test_a_modified_sale_reserves_no_cash_and_a_modify_keeps_the_larger_cost_until_it_has_ended() -> None:
    bench = Bench(a_policy(modifies=True), shares={SAMSUNG: 10})
    sale = bench.working(a_sale(), 1)
    bench.modify(sale, price=70_500)
    assert (bench.order(sale).reserve_price, bench.order(sale).reserve_cost) == (70_500, 0)
    now = bench.conclude_modify(sale, ModifyAccepted(ref=a_ref(1), raw=""))
    assert (now.reserve_price, now.reserve_cost) == (70_500, 0)
    buy = bench.working(an_intent(2, symbol=HYNIX, price=D(200_000)), 2)
    bench.modify(buy, qty=5)
    assert (bench.order(buy).reserve_price, bench.order(buy).reserve_cost) == (200_000, 281)


@pytest.mark.req("I-33")
def test_what_terms_tie_up_never_falls_faster_than_is_certain() -> None:
    buy = an_order(reserve_price=D(70_000), reserve_cost=D(98))

    def kept(order: Order, price: int | None) -> tuple[Decimal, Decimal]:
        reserve = reserve_for(order, None if price is None else D(price))
        return reserve.price, reserve.cost

    assert kept(buy, None) == (70_000, 98)
    assert kept(buy, 71_000) == (70_000, 98)
    assert kept(buy, 69_000) == (69_000, 98)
    sale = replace(buy, side=Side.SELL)
    assert kept(sale, 69_000) == (69_000, 0)
    assert kept(sale, None) == (70_000, 0)


@pytest.mark.req("I-09", "I-18", "S002-37")
def test_the_answer_to_an_earlier_modify_says_nothing_of_a_later_one() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    assert bench.order(order).modify_asked == 1
    late = bench.order(order)
    bench.conclude_modify(order, ModifyRefused(code="1", text="no", raw=""))
    bench.modify(order, price=68_900)
    asked = bench.order(order)
    assert asked.modify_asked == 2

    def answer(outcome: Any) -> Any:
        return bench.decide(ConcludeModify(order_id=late.order_id, number=1, outcome=outcome))

    for outcome, ask in (
        (ModifyAccepted(ref=a_ref(9), raw=""), True),
        (ModifyAccepted(ref=a_ref(1), raw=""), False),
        (ModifyRefused(code="1", text="no", raw=""), False),
    ):
        decision = answer(outcome)
        assert (decision.events, decision.ask, decision.order) == ((), ask, asked)


@pytest.mark.req("I-09", "F-05")
def test_a_late_answer_to_a_modify_that_was_settled_changes_nothing_and_a_new_number_is_asked_about() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, NotSent(text="refused connection"))
    for outcome, ask in (
        (ModifyAccepted(ref=a_ref(9), raw=""), True),
        (ModifyAccepted(ref=a_ref(1), raw=""), False),
        (ModifyRefused(code="1", text="no", raw=""), False),
        (Unknown(text="no reply"), False),
    ):
        bench.conclude_modify(order, outcome)
        assert (bench.last.events, bench.last.ask) == ((), ask)


@pytest.mark.req("F-17", "I-11")
def test_a_modify_answered_with_another_orders_number_is_unknown() -> None:
    bench = a_bench()
    order = bench.working(an_intent(1), 1)
    bench.working(an_intent(2, symbol=HYNIX, price=D(200_000)), 2)
    bench.modify(order, price=69_000)
    now = bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw="crossed"))
    [event] = bench.last.events
    assert isinstance(event, ModifyAnswered)
    assert (event.outcome, event.raw, bench.last.ask) == ("unknown", "crossed", True)
    assert (now.modify_to, now.modify_open) == (Terms(qty=D(10), price=D(69_000), price_raw=D(69_000)), False)


@pytest.mark.req("I-44", "I-03")
def test_terms_below_what_crossed_them_are_what_has_filled() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, qty=6)
    bench.fill(order, 8)
    now = bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw=""))
    assert (now.qty, now.qty_filled, now.status) == (8, 8, S.FILLED)
    [modified] = [r.event for r in bench.records if isinstance(r.event, OrderModified)]
    assert modified.terms.qty == 8


@pytest.mark.req("I-52", "I-17")
def test_an_ended_order_of_two_numbers_that_is_listed_as_filled_is_not_asked_about_for_ever() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, qty=6)
    now = bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw=""))
    bench.hear(a_report(now, ref=a_ref(2), state=BrokerState.CANCELLED))
    filled = a_report(now, ref=a_ref(2), qty_filled=D(4), amount_filled=D(280_000), state=BrokerState.FILLED)
    bench.hear(filled)
    assert bench.order(order).status is S.CANCELLED
    assert not bench.hear(filled).ask, "it says nothing new, and nothing is left to find"


@pytest.mark.req("S002-37")
def test_a_modify_that_keeps_the_number_writes_no_new_one() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(1), raw=""))
    bench.modify(order, price=68_900)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw=""))
    idle = bench.submit(an_intent(3, symbol=HYNIX, price=D(200_000)))
    bench.modify(idle, price=199_000)
    told = [e.new_ref for e in bench.entries if isinstance(e.record.event, OrderModified)]
    assert told == [None, a_ref(2), None]


@pytest.mark.req("I-18", "I-33")
def test_a_refusal_after_the_outcome_was_given_up_leaves_it_to_the_list() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, Unknown(text="no reply"))
    now = bench.conclude_modify(order, ModifyRefused(code="1", text="no", raw=""))
    assert bench.last.events == ()
    assert now.modify_to == Terms(qty=D(10), price=D(69_000), price_raw=D(69_000))


@pytest.mark.req("S002-37", "F-35")
def test_one_list_without_the_modify_tells_nobody_and_the_second_tells_that_it_failed() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, Unknown(text="no reply"))

    def told() -> list[str]:
        known = len(bench.entries)
        bench.wait(60)
        bench.study(a_report(order))
        return [message.event_type for entry in bench.entries[known:] for message in entry.messages]

    assert "modify_failed" not in told()
    assert "modify_failed" in told()


def test_numbers_are_told_without_an_exponent() -> None:
    bench = a_bench()
    order = bench.working(an_intent(price=D("7E+4"), qty=D("1E+1")))
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, ModifyRefused(code="1", text="no", raw=""))
    [payload] = [m.payload for m in bench.entries[-1].messages if m.event_type == "modify_failed"]
    assert (payload["price"], payload["quantity"]) == ("70000", "10")
