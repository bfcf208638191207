"""What an order ties up while it can execute."""

from decimal import Decimal

import pytest

from jumun.model.orders import OrderStatus, Side
from jumun.rules.reserve import reserved_cash, reserved_shares
from jumun.testing.builders import an_order

D = Decimal
BUY = an_order(qty=D(10), reserve_price=D(100), reserve_cost=D(7))
SALE = an_order(qty=D(10), side=Side.SELL, reserve_price=D(100), reserve_cost=D(7))


@pytest.mark.req("I-33", "I-20", "I-49")
@pytest.mark.parametrize("status", OrderStatus)
def test_cash_is_reserved_exactly_while_a_buy_can_execute_unknown_included(status: OrderStatus) -> None:
    order = an_order(qty=D(10), reserve_price=D(100), reserve_cost=D(7), status=status)
    assert reserved_cash(order) == (0 if status.is_final else 1_007)
    assert reserved_shares(order) == 0


@pytest.mark.req("I-34", "I-49")
@pytest.mark.parametrize("status", OrderStatus)
def test_shares_are_reserved_exactly_while_a_sale_can_execute(status: OrderStatus) -> None:
    order = an_order(qty=D(10), side=Side.SELL, qty_filled=D(3), status=status)
    assert reserved_shares(order) == (0 if status.is_final else 7)
    assert reserved_cash(order) == 0


@pytest.mark.req("I-33")
def test_what_has_filled_and_what_it_cost_is_no_longer_reserved() -> None:
    part = an_order(qty=D(10), qty_filled=D(4), reserve_price=D(100), reserve_cost=D(7), costs={"B": D(3)})
    assert reserved_cash(part) == 604
    dear = an_order(qty=D(10), qty_filled=D(4), reserve_price=D(100), reserve_cost=D(7), costs={"B": D(9)})
    assert reserved_cash(dear) == 600


def test_nothing_is_reserved_for_an_order_that_does_not_exist() -> None:
    assert reserved_cash(None) == reserved_shares(None) == 0
