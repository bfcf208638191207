"""How well an order, and a day, was executed: fill ratio, average price, times, slippage and cost.

Slippage is measured against the arrival price, the last trade when the order was created: what was paid
above it, or received below it. A gain is negative. Without an arrival price it is not known, which is None
and never 0. Everything is computed from the order and its fills, so the answer is the same after the order
has closed and after a restart (S000-108).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from jumun.model.days import DayMoney, DayStats
from jumun.model.fills import Fill
from jumun.model.money import EXACT, WIDE, ZERO, exact_product, exact_sum
from jumun.model.orders import Order, OrderStatus, Side

BASIS_POINTS: Final = Decimal(10_000)


class ExecutionQuality(msgspec.Struct, frozen=True, kw_only=True):
    """One order's execution. Prices and amounts in the order's currency, times in nanoseconds.

    `completion_ns` is None until the order is filled whole; `slippage` covers what has filled so far.
    """

    fill_ratio: Decimal  # filled / ordered; above 1 after an over-fill
    fill_count: int
    average_price: Decimal | None
    arrival_price: Decimal | None
    slippage: Decimal | None  # money
    slippage_bp: Decimal | None  # of what the filled shares were worth at arrival
    costs: Decimal
    first_fill_ns: int | None  # creation to first fill
    completion_ns: int | None  # creation to last fill
    smallest_fill: Decimal | None
    largest_fill: Decimal | None


def quality_of(order: Order, fills: Iterable[Fill] = ()) -> ExecutionQuality:
    """Return the quality of one order; `fills` only add the smallest and the largest of them."""
    sizes = [fill.qty for fill in fills]
    slipped = slippage(order)
    base = None if order.arrival_price is None else exact_product(order.arrival_price, order.qty_filled)
    filled_whole = order.status is OrderStatus.FILLED
    return ExecutionQuality(
        fill_ratio=fill_ratio(order.qty_filled, order.qty),
        fill_count=order.fill_count,
        average_price=order.average_fill_price,
        arrival_price=order.arrival_price,
        slippage=slipped,
        slippage_bp=None if slipped is None or base is None else in_basis_points(slipped, base),
        costs=exact_sum(order.costs.values()),
        first_fill_ns=None if order.first_fill_ns is None else order.first_fill_ns - order.created_ns,
        completion_ns=order.updated_ns - order.created_ns if filled_whole else None,
        smallest_fill=min(sizes, default=None),
        largest_fill=max(sizes, default=None),
    )


def fill_ratio(qty_filled: Decimal, qty: Decimal) -> Decimal:
    """Return filled / total; 0 for a total of 0, because nothing of nothing has filled (S000-50)."""
    return WIDE.divide(qty_filled, qty) if qty else ZERO


def slippage(order: Order) -> Decimal | None:
    """Return what the fills cost beyond the arrival price; None while nothing filled or it is not known."""
    if order.arrival_price is None or not order.qty_filled:
        return None
    base = exact_product(order.arrival_price, order.qty_filled)
    worse = EXACT.subtract(order.amount_filled, base)
    return worse if order.side is Side.BUY else -worse


def in_basis_points(amount: Decimal, base: Decimal) -> Decimal | None:
    """Return `amount` in hundredths of a per cent of `base`; None of nothing."""
    return WIDE.divide(exact_product(amount, BASIS_POINTS), base) if base else None


def day_total(days: Iterable[DayStats]) -> dict[str, object]:
    """Return the figures of accounts' days under the names of specification 000 (S000-109).

    Counts and shares are summed; money stays apart by currency. A ratio or an average of nothing is None.
    """
    all_days = tuple(days)

    def total(name: str) -> int:
        return sum(getattr(day, name) for day in all_days)

    filled, created = total("orders_filled"), total("orders_created") + total("orders_adopted")
    first_fills = total("first_fills")
    alarms: dict[str, int] = {}
    for day in all_days:
        for alarm, times in day.alarms.items():
            alarms[alarm] = alarms.get(alarm, 0) + times
    return {
        "total_fills": total("fills"),
        "buy_fills": total("fills_bought"),
        "sell_fills": total("fills_sold"),
        "busted_fills": total("busts"),
        "filled_quantity": exact_sum(day.qty_filled for day in all_days),
        "total_orders": created,
        "foreign_orders": total("orders_adopted"),
        "filled_orders": filled,
        "partially_filled_orders": total("orders_part_filled"),
        "cancelled_orders": total("orders_cancelled"),
        "expired_orders": total("orders_expired"),
        "rejected_orders": total("orders_rejected"),
        "denied_orders": total("orders_denied"),
        "unknown_outcomes": total("orders_unknown"),
        "order_fill_rate": WIDE.divide(Decimal(filled), Decimal(created)) if created else None,
        "average_first_fill_s": _mean_seconds(total("first_fill_ns"), first_fills),
        "average_completion_s": _mean_seconds(total("completion_ns"), filled),
        "alarms": alarms,
        "by_currency": {
            currency: _money_of([day.money[currency] for day in all_days if currency in day.money])
            for currency in sorted({currency for day in all_days for currency in day.money})
        },
    }


def _money_of(sums: list[DayMoney]) -> dict[str, object]:
    costs: dict[str, Decimal] = {}
    for money in sums:
        for kind, amount in money.costs.items():
            costs[kind] = EXACT.add(costs.get(kind, ZERO), amount)
    gross = exact_sum(money.realised_gross for money in sums)
    paid = exact_sum(costs.values())
    base = exact_sum(money.slippage_base for money in sums)
    slipped = exact_sum(money.slippage for money in sums)
    return {
        "bought": exact_sum(money.bought for money in sums),
        "sold": exact_sum(money.sold for money in sums),
        "filled_amount": exact_sum(money.amount_filled for money in sums),
        "realised_gross": gross,
        "costs": costs,
        "total_costs": paid,
        "realised_net": EXACT.subtract(gross, paid),
        "slippage": slipped if base else None,
        "slippage_bp": in_basis_points(slipped, base),
    }


def _mean_seconds(total_ns: int, count: int) -> Decimal | None:
    return WIDE.divide(Decimal(total_ns).scaleb(-9), Decimal(count)) if count else None
