"""The checks on the way in: money, shares, sizes; what is missing refuses; risk may always shrink."""

from decimal import Decimal
from typing import Any

import pytest

from jumun.model.orders import OrderType
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.checks import Reserve, check
from jumun.rules.policy import Denial
from jumun.rules.validation import Valid, validate
from tests.unit.rules.desk_values import (
    ACCOUNT,
    APPLE,
    FUND,
    HYNIX,
    SAMSUNG,
    US_OPEN_NS,
    Bench,
    a_policy,
    a_sale,
    an_account,
    an_intent,
    limits,
)

D = Decimal


def judge(bench: Bench, intent: ApprovedOrderIntent) -> Reserve | Denial:
    found = validate(intent, bench.policy, bench.facts())
    assert isinstance(found, Valid), found
    return check(intent, found, bench.book, bench.policy)


def reason(found: Reserve | Denial) -> Reason:
    assert isinstance(found, Denial), found
    return found.reason


def with_limits(**changes: Any) -> Any:
    return a_policy(limits=limits(**changes))


@pytest.mark.req("S000-56", "I-33")
def test_a_buy_that_fits_reserves_its_price_and_its_costs() -> None:
    assert judge(Bench(), an_intent()) == Reserve(price=D(70_000), cost=D(98))


@pytest.mark.req("S000-76", "S000-92", "C-12")
def test_an_order_over_the_largest_value_is_refused_and_one_at_it_passes() -> None:
    bench = Bench(with_limits(max_order_value={"KRW": D(700_000)}))
    assert isinstance(judge(bench, an_intent()), Reserve)
    assert reason(judge(bench, an_intent(qty=D(11)))) is Reason.MAX_ORDER_VALUE
    assert reason(judge(Bench(), an_intent(qty=D(143)))) is Reason.MAX_ORDER_VALUE


@pytest.mark.req("S000-76")
def test_a_sale_over_the_largest_value_is_a_slipped_digit_too() -> None:
    bench = Bench(shares={SAMSUNG: 1_000})
    assert reason(judge(bench, a_sale(qty=D(1_000)))) is Reason.MAX_ORDER_VALUE


@pytest.mark.req("I-53", "F-99", "C-12")
def test_a_currency_without_a_limit_is_not_traded() -> None:
    bench = Bench(with_limits(max_order_value={"KRW": D(1)}), usd=1_000_000, now_ns=US_OPEN_NS)
    found = judge(bench, an_intent(symbol=APPLE, price=D(200)))
    assert reason(found) is Reason.MAX_ORDER_VALUE
    assert isinstance(found, Denial)
    assert "max_order_value.USD" in found.text


@pytest.mark.req("F-65", "S000-76")
def test_a_market_order_is_measured_at_its_worst_price() -> None:
    bench = Bench(with_limits(max_order_value={"KRW": D(700_000)}))
    market = an_intent(order_type=OrderType.MARKET, price=None)
    assert reason(judge(bench, market)) is Reason.MAX_ORDER_VALUE


@pytest.mark.req("S000-75", "I-48")
def test_a_buy_needs_its_value_and_its_costs_in_cash() -> None:
    assert reason(judge(Bench(krw=700_097), an_intent())) is Reason.CASH
    assert isinstance(judge(Bench(krw=700_098), an_intent()), Reserve)


@pytest.mark.req("S000-75", "I-48", "I-33")
def test_cash_reserved_by_another_order_is_not_there_twice() -> None:
    bench = Bench(krw=1_400_195)
    bench.submit(an_intent(1))
    assert reason(judge(bench, an_intent(2))) is Reason.CASH
    assert isinstance(judge(bench, an_intent(2, qty=D(9))), Reserve)


@pytest.mark.req("I-34", "I-35")
def test_a_sale_needs_its_shares_and_those_of_another_sale_are_not_there_twice() -> None:
    bench = Bench(shares={SAMSUNG: 15})
    assert judge(bench, a_sale(qty=D(15))) == Reserve(price=D(70_000), cost=D(0))
    assert reason(judge(bench, a_sale(qty=D(16)))) is Reason.SHARES
    bench.submit(a_sale(1))
    assert reason(judge(bench, a_sale(2, qty=D(6)))) is Reason.SHARES
    assert isinstance(judge(bench, a_sale(2, qty=D(5))), Reserve)


@pytest.mark.req("I-35")
def test_what_was_never_held_cannot_be_sold() -> None:
    assert reason(judge(Bench(), a_sale())) is Reason.SHARES


@pytest.mark.req("S000-77", "S000-93")
def test_a_new_symbol_beyond_the_limit_is_refused_but_not_more_of_a_held_one() -> None:
    bench = Bench(with_limits(max_position_count=2), shares={HYNIX: 1})
    bench.submit(an_intent(1, symbol=FUND, price=D(38_500)))
    assert reason(judge(bench, an_intent(2))) is Reason.MAX_POSITION_COUNT
    assert isinstance(judge(bench, an_intent(2, symbol=FUND, price=D(38_500))), Reserve)
    assert isinstance(judge(bench, an_intent(2, symbol=HYNIX, price=D(200_000))), Reserve)


@pytest.mark.req("S000-77", "S000-93")
def test_the_eleventh_symbol_is_refused_by_default() -> None:
    bench = Bench()
    for number in range(10):
        order = bench.submit(an_intent(number, symbol=f"10000{number}", price=D(10_000)))
        assert order.reason is None
    assert reason(judge(bench, an_intent(11))) is Reason.MAX_POSITION_COUNT


@pytest.mark.req("S000-79", "S004-53")
def test_a_position_never_grows_past_its_largest_size_open_buys_included() -> None:
    bench = Bench(with_limits(max_position_size=D(25)), shares={SAMSUNG: 10})
    bench.submit(an_intent(1))
    assert isinstance(judge(bench, an_intent(2, qty=D(5))), Reserve)
    assert reason(judge(bench, an_intent(2, qty=D(6)))) is Reason.QTY_TOO_LARGE


@pytest.mark.req("S000-79")
def test_open_sales_do_not_make_room_for_a_larger_position() -> None:
    bench = Bench(with_limits(max_position_size=D(20)), shares={SAMSUNG: 20})
    bench.submit(a_sale(1))
    assert reason(judge(bench, an_intent(2, qty=D(1)))) is Reason.QTY_TOO_LARGE


@pytest.mark.req("I-53")
def test_a_largest_size_of_zero_allows_no_position_at_all() -> None:
    bench = Bench(with_limits(max_position_size=D(0)))
    assert reason(judge(bench, an_intent())) is Reason.MAX_POSITION_COUNT


@pytest.mark.req("I-46")
def test_no_limit_on_growth_keeps_anybody_from_selling_what_is_held() -> None:
    policy = with_limits(max_position_size=D(0), max_position_count=0)
    assert isinstance(judge(Bench(policy, krw=0, shares={SAMSUNG: 10}), a_sale()), Reserve)


@pytest.mark.req("I-53", "I-37")
@pytest.mark.parametrize("plans", [{}, {"US": "kis-us"}, {"KRX": "a plan nobody wrote"}])
def test_an_account_whose_costs_nobody_knows_does_not_buy(plans: dict[str, str]) -> None:
    bench = Bench(a_policy(accounts={ACCOUNT: an_account(cost_plans=plans)}))
    assert reason(judge(bench, an_intent())) is Reason.NO_TABLE


@pytest.mark.req("C-19", "S000-75")
def test_won_do_not_pay_for_dollars() -> None:
    bench = Bench(usd=100, now_ns=US_OPEN_NS)
    found = judge(bench, an_intent(symbol=APPLE, qty=D(1), price=D(200)))
    assert reason(found) is Reason.CASH
