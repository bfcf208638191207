"""What an order ties up while it can still execute, unknown ones included (I-33, I-34, I-49)."""

from decimal import Decimal
from typing import Final

from jumun.model.orders import Order, Side

ZERO: Final = Decimal(0)


def reserved_cash(order: Order | None) -> Decimal:
    """Open quantity at its reserve price, plus the cost still to come; 0 unless an executable buy."""
    if order is None or order.side is not Side.BUY or order.status.is_final:
        return ZERO
    cost_left = order.reserve_cost - sum(order.costs.values(), ZERO) if order.costs else order.reserve_cost
    return order.qty_left * order.reserve_price + max(cost_left, ZERO)


def reserved_shares(order: Order | None) -> Decimal:
    """Open quantity of an executable sell."""
    if order is None or order.side is not Side.SELL or order.status.is_final:
        return ZERO
    return order.qty_left


def coming_shares(order: Order | None) -> Decimal:
    """Open quantity of an executable buy: what the position could still grow by."""
    if order is None or order.side is not Side.BUY or order.status.is_final:
        return ZERO
    return order.qty_left


def ties_up_the_same(before: Order, after: Order) -> bool:
    """Tell at a glance that nothing changed of what is tied up: most events of an order move no money.

    A value that an event did not touch is the very same object, so nothing is calculated.
    """
    return (
        before.qty_filled is after.qty_filled
        and before.qty is after.qty
        and before.reserve_price is after.reserve_price
        and before.reserve_cost is after.reserve_cost
        and before.costs is after.costs
        and (before.status is after.status or before.is_executable is after.is_executable)
    )
