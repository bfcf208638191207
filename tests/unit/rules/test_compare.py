"""Our positions and cash against the broker's."""

from decimal import Decimal

import pytest

from jumun.model.reports import Balance, Holding
from jumun.rules.compare import differences_of
from tests.unit.rules.desk_values import ACCOUNT, HYNIX, SAMSUNG, SHARED, Bench, a_sale, an_intent

D = Decimal


def a_balance(shares: dict[str, int], cash: dict[str, int]) -> Balance:
    return Balance(
        account_id=ACCOUNT,
        asked_ns=0,
        holdings=tuple(Holding(symbol=symbol, qty=D(qty)) for symbol, qty in shares.items()),
        cash={currency: D(amount) for currency, amount in cash.items()},
    )


@pytest.mark.req("I-38", "I-29", "I-30")
def test_equal_books_have_no_differences() -> None:
    bench = Bench(shares={SAMSUNG: 10}, usd=5)
    assert differences_of(a_balance({SAMSUNG: 10}, {"KRW": 100_000_000, "USD": 5}), bench.book) == []


@pytest.mark.req("I-38", "F-54")
def test_each_difference_names_its_subject_and_both_figures_in_a_fixed_order() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    found = differences_of(a_balance({HYNIX: 1}, {"USD": 3}), bench.book)
    assert found == [
        (HYNIX, 0, 1),
        (SAMSUNG, 10, 0),
        ("CASH:KRW", 100_000_000, 0),
        ("CASH:USD", 0, 3),
    ]


def test_a_closed_position_equals_one_the_broker_no_longer_lists() -> None:
    bench = Bench()
    bench.fill(bench.working())
    sale = bench.working(a_sale(2), 2)
    bench.fill(sale, number=2)
    cash = bench.book.cash[ACCOUNT, "KRW"]
    assert differences_of(a_balance({}, {"KRW": int(cash)}), bench.book) == []


@pytest.mark.req("I-43", "F-35")
def test_nothing_is_compared_while_an_order_of_the_account_is_unknown() -> None:
    bench = Bench()
    bench.unknown()
    assert differences_of(a_balance({SAMSUNG: 10}, {}), bench.book) == []


@pytest.mark.req("I-43", "F-02")
def test_nothing_is_compared_while_a_send_of_the_account_is_on_its_way() -> None:
    bench = Bench()
    bench.sent()
    assert differences_of(a_balance({SAMSUNG: 10}, {}), bench.book) == []


@pytest.mark.req("I-43")
def test_an_unknown_order_of_another_account_hides_nothing_here() -> None:
    bench = Bench()
    bench.unknown(an_intent(account_id=SHARED))
    assert differences_of(a_balance({SAMSUNG: 10}, {"KRW": 100_000_000}), bench.book) == [(SAMSUNG, 0, 10)]
