"""The audit of what is held back, and how it counts its own checks."""

from decimal import Decimal
from typing import Final

import pytest

from jumun.model.ids import AccountId
from jumun.model.orders import Order, OrderStatus, OrderType, Side
from jumun.model.reports import ModifyAccepted
from jumun.rules.audit import ExchangeFacts, audit
from jumun.rules.audit_facts import VIOLATIONS_MAX, Checks, Place
from jumun.rules.audit_money import check_reserved
from jumun.testing.builders import an_order
from tests.unit.rules.desk_values import (
    ACCOUNT,
    SAMSUNG,
    Bench,
    a_policy,
    a_ref,
    an_intent,
)
from tests.unit.rules.test_audit import a_day, facts_of

D = Decimal
S = OrderStatus
OTHER: Final = AccountId("87654321-01")


# ---- reservations -------------------------------------------------------------------------------


def reserved(*orders: Order, cash: int | str = 0, shares: int | str = 0, held: int | str = 99) -> list[str]:
    checks = Checks()
    of_cash: dict[Place, Decimal] = {(ACCOUNT, "KRW"): D(cash)} if cash else {}
    of_shares: dict[Place, Decimal] = {(ACCOUNT, SAMSUNG): D(shares)} if shares else {}
    of_positions: dict[Place, Decimal] = {(ACCOUNT, SAMSUNG): D(held)} if held else {}
    check_reserved(orders, of_positions, of_cash, of_shares, checks)
    return [text[:4] for text in checks.violations]


@pytest.mark.req("I-33", "I-34", "I-48")
def test_what_open_orders_can_still_cost_is_reserved_and_nothing_else() -> None:
    buy = an_order(qty_filled=D(4), reserve_price=D(70_000), reserve_cost=D(98), costs={"BROKERAGE": D(39)})
    assert reserved(buy, cash=6 * 70_000 + 59) == []
    assert reserved(buy, cash=6 * 70_000 + 60) == ["I-33"]
    assert reserved(buy) == ["I-33"]
    over = an_order(2, qty_filled=D(12), reserve_price=D(70_000), reserve_cost=D(10), costs={"X": D(39)})
    assert reserved(over) == []
    nearly = an_order(
        2, qty_filled=D("9.5"), reserve_price=D(70_000), reserve_cost=D("39.5"), costs={"X": D(39)}
    )
    assert reserved(nearly, cash="35000.5") == []
    ended = an_order(3, status=S.CANCELLED, reserve_price=D(70_000))
    assert reserved(ended, buy, cash=6 * 70_000 + 59) == []
    assert reserved(cash=1) == ["I-33"]


@pytest.mark.req("I-34")
def test_shares_that_open_sales_can_still_take_are_held() -> None:
    sale = an_order(side=Side.SELL, qty_filled=D(4))
    assert reserved(sale, shares=6, held=6) == []
    assert reserved(sale, shares=6, held=5) == ["I-34"]
    assert reserved(sale, shares=6, held=0) == ["I-34"]
    assert reserved(sale, shares=14) == ["I-34"]
    half = an_order(side=Side.SELL, qty=D("0.5"))
    assert reserved(half, shares="0.5") == []
    sold = an_order(side=Side.SELL, qty_filled=D(12))
    assert reserved(sold) == []


def test_shares_are_checked_only_where_the_book_in_memory_is_at_hand() -> None:
    week = a_day()
    for changes in ({"cash_reserved": None}, {"shares_reserved": None}):
        report = audit(facts_of(week, **changes))
        assert report.violations == []
        assert not {"I-33", "I-34"} & set(report.checks)


# ---- the exchange, and the counting -------------------------------------------------------------


def test_nothing_here_and_nothing_there_is_the_same() -> None:
    bench = Bench(krw=0)
    ours = {(ACCOUNT, "KRW"): D(0)}
    theirs = ExchangeFacts(cash={(OTHER, "KRW"): D(0)}, holdings={}, traded={})
    assert audit(facts_of(bench, cash=ours), theirs).violations == []


def test_every_check_is_counted_once_and_so_is_what_is_not_named() -> None:
    checks = Checks()
    checks.expect("I-01", True, "")
    checks.expect("I-01", True, "")
    assert checks.report().checks == {"I-01": 2}
    for _ in range(VIOLATIONS_MAX + 2):
        checks.expect("I-02", False, "no")
    report = checks.report()
    assert report.checks["I-02"] == VIOLATIONS_MAX + 2
    assert report.violations[-1] == "and 2 more violations"


@pytest.mark.req("I-01", "I-03", "I-05")
def test_a_market_order_is_modified_and_filled_without_any_limit() -> None:
    bench = Bench(a_policy(modifies=True))
    order = bench.working(an_intent(order_type=OrderType.MARKET, price=None))
    bench.modify(order, qty=6)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(1), raw="taken"))
    bench.fill(order, 6, price=D(75_000))
    assert bench.order(order).status is S.FILLED
    assert audit(facts_of(bench)).violations == []
