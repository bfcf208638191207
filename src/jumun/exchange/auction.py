"""The price of a call auction: the one at which most can trade.

Maximum executable volume first, then the smallest surplus, then nearest to the reference price, then the
higher. Pure; it knows prices and quantities only. Source: krx_market.md 3.1 and 5.1.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.order_book import BookOrder

ZERO: Final = Decimal(0)


class Clearing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an auction would do now: shares that trade at `price`, and what would be left over.

    `surplus` is above zero when buyers are left over, below when sellers are.
    """

    price: Decimal
    volume: Decimal
    surplus: Decimal


def clearing(
    buys: Iterable[BookOrder], sells: Iterable[BookOrder], reference: Decimal | None
) -> Clearing | None:
    """Return the auction's price, None where nobody meets; orders without a price trade at any.

    `reference` is the last price, or the base before the first. Two market orders meet only with one.
    """
    wanted, any_buy = _by_price(buys)
    offered, any_sell = _by_price(sells)
    prices = set(wanted) | set(offered)
    if reference is not None:
        prices.add(reference)
    best: Clearing | None = None
    ascending = sorted(prices)
    demand = any_buy + sum(wanted.values(), ZERO)
    supply = any_sell
    for price in ascending:
        supply += offered.get(price, ZERO)
        found = Clearing(price=price, volume=min(demand, supply), surplus=demand - supply)
        if found.volume > ZERO and (best is None or _is_better(found, best, reference)):
            best = found
        demand -= wanted.get(price, ZERO)
    return best


def _by_price(orders: Iterable[BookOrder]) -> tuple[dict[Decimal, Decimal], Decimal]:
    """Return the shares by worst price, and those that trade at any price."""
    priced: dict[Decimal, Decimal] = {}
    anywhere = ZERO
    for order in orders:
        if order.worst is None:
            anywhere += order.qty_left
        else:
            priced[order.worst] = priced.get(order.worst, ZERO) + order.qty_left
    return priced, anywhere


def _is_better(found: Clearing, best: Clearing, reference: Decimal | None) -> bool:
    if found.volume != best.volume:
        return found.volume > best.volume
    if abs(found.surplus) != abs(best.surplus):
        return abs(found.surplus) < abs(best.surplus)
    if reference is None:
        return True  # ascending: the higher
    return abs(found.price - reference) <= abs(best.price - reference)
