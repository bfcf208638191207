"""What people see of the books adds up."""

from decimal import Decimal

import pytest

from jumun.model.money import Currency
from jumun.model.orders import OrderStatus, Side
from jumun.services.views import BookView, book_view
from jumun.testing.builders import ACCOUNT, a_position, an_order


def a_view(marks: dict[str, Decimal]) -> BookView:
    return book_view(
        records=7,
        positions=[
            a_position(realised_gross=Decimal(5_000), costs=Decimal(1_000)),
            a_position(symbol="069500", qty=Decimal(0), cost_basis=Decimal(0), realised_gross=Decimal(-300)),
            a_position(symbol="SPMO", currency=Currency.USD, qty=Decimal(2), cost_basis=Decimal("216.42")),
        ],
        cash={(ACCOUNT, "KRW"): Decimal(10_000_000), (ACCOUNT, "USD"): Decimal(500)},
        open_orders=[
            an_order(1, reserve_price=Decimal(70_000), reserve_cost=Decimal(100)),
            an_order(2, side=Side.SELL, qty=Decimal(4)),
            an_order(3, status=OrderStatus.FILLED, reserve_price=Decimal(70_000)),
        ],
        marks=marks,
        marks_source="test",
        marks_ts_ns=1,
    )


@pytest.mark.req("I-33", "I-34", "C-8")
def test_reserved_money_and_shares_are_those_of_open_orders_with_their_costs() -> None:
    view = a_view({})
    won = next(line for line in view.cash if line.currency == "KRW")
    assert (won.reserved, won.free) == (700_100, 9_299_900)
    assert next(row for row in view.positions if row.symbol == "005930").reserved == 4


@pytest.mark.req("C-8", "C-19")
def test_profit_is_shown_before_and_after_costs_and_currencies_are_never_added_up() -> None:
    won, dollars = a_view({"005930": Decimal(71_000), "SPMO": Decimal("108.20")}).results
    assert (won.currency, won.realised_gross, won.costs, won.realised_net) == ("KRW", 4_700, 1_000, 3_700)
    assert (won.unrealised, won.market_value, won.total) == (10_000, 710_000, 13_700)
    assert (dollars.unrealised, dollars.market_value) == (Decimal("-0.02"), Decimal("216.40"))


def test_one_position_without_a_price_makes_its_sums_unknown_not_smaller() -> None:
    won, dollars = a_view({"SPMO": Decimal("108.20")}).results
    assert (won.unrealised, won.market_value, won.total) == (None, None, None)
    assert won.realised_net == 3_700
    assert dollars.total is not None


@pytest.mark.req("S000-20", "C-8")
def test_strategies_are_valued_at_the_accounts_mark_and_unknown_without_one() -> None:
    marked, bare = (
        book_view(
            records=1,
            positions=[a_position(qty=Decimal(3), cost_basis=Decimal(210_000), mark=mark)],
            cash={},
            open_orders=[],
            marks={},
            marks_source="",
            marks_ts_ns=None,
            strategies={
                (ACCOUNT, "alpha", "005930"): a_position(
                    qty=Decimal(5), cost_basis=Decimal(350_000), costs=Decimal(40)
                ),
                (ACCOUNT, "", "005930"): a_position(qty=Decimal(-2), cost_basis=Decimal(-140_000)),
            },
        ).strategies
        for mark in (Decimal(71_000), None)
    )
    assert [(row.strategy_id, row.qty, row.unrealised, row.total) for row in marked] == [
        ("", -2, -2_000, -2_000),
        ("alpha", 5, 5_000, 4_960),
    ]
    assert [row.total for row in bare] == [None, None]
