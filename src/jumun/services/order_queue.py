"""OrderQueue: who goes first, how many at once, and what waits for a retry (S000-13 to S000-17).

A view of the book, not a second truth: it is rebuilt from the journal after a crash. A lower number goes
first; equal numbers go in the order they came. Four lanes: cancels and queries never stand in this line
(the dispatcher and the reconciler carry them at once, I-47); sells reduce, and share the line with new buys.
"""

import heapq
from collections.abc import Callable, Hashable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from jumun.model.ids import OrderId
from jumun.model.orders import Order, OrderType, Side

BASE_PRIORITY: Final = 100
MARKET_BONUS: Final = 20
SELL_BONUS: Final = 5
CANCELS_AT_ONCE: Final = 8  # a lane of its own: a kill must not wait behind new orders


class Lane(StrEnum):
    """What a request is for."""

    CANCEL = "cancel"
    REDUCE = "reduce"
    NEW = "new"
    QUERY = "query"


class _Place(NamedTuple):
    """A place in line; places compare by priority, then by arrival, which is unique."""

    priority: int
    arrival: int
    order_id: OrderId
    lane: Lane


class OrderQueue:
    """Orders that may be sent, by priority. At most `max_concurrent_orders` sends are in flight."""

    def __init__(
        self,
        max_queue_size: int = 1000,
        max_concurrent_orders: int = 10,
        priority_timeout: int = 300,
        strategy_priorities: Mapping[str, int] | None = None,
    ) -> None:
        self.max_queue_size = max_queue_size
        self.max_concurrent_orders = max_concurrent_orders
        self.priority_timeout = priority_timeout
        self.strategy_priorities = dict(strategy_priorities or {})
        self._lines: dict[Lane, list[_Place]] = {Lane.REDUCE: [], Lane.NEW: []}
        self._ready: dict[OrderId, int] = {}  # order -> the entry number that counts
        self._arrivals = 0
        self._passed_over = 0  # buys taken in a row while sells waited
        self._aside: dict[Hashable, list[_Place]] = {}

    def __len__(self) -> int:
        return len(self._ready)

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._ready

    def priority(self, order: Order) -> int:
        """100, less 20 for a market order, less 5 for a sell; a strategy may have its own (S000-37 to 41)."""
        priority = self.strategy_priorities.get(order.strategy_id, BASE_PRIORITY)
        if order.order_type is OrderType.MARKET:
            priority -= MARKET_BONUS
        if order.side is Side.SELL:
            priority -= SELL_BONUS
        return priority

    def lane(self, order: Order) -> Lane:
        """Sells reduce: they can only sell what is held."""
        return Lane.REDUCE if order.side is Side.SELL else Lane.NEW

    def add_order(self, order: Order) -> bool:
        """Put an order in line; False when it is there already (no order twice)."""
        if order.order_id in self._ready:
            return False
        self._arrivals += 1
        self._ready[order.order_id] = self._arrivals
        lane = self.lane(order)
        place = _Place(self.priority(order), self._arrivals, order.order_id, lane)
        heapq.heappush(self._lines[lane], place)
        return True

    def discard(self, order_id: OrderId) -> None:
        """Take an order out of line; its heap entry is dropped when it comes up."""
        self._ready.pop(order_id, None)

    def take(self, obstacle: Callable[[OrderId], Hashable | None]) -> OrderId | None:
        """Take the best order that may be sent now; None when there is none.

        `obstacle` names what stops an order (a look-alike in flight, a symbol on hold) or returns None. A
        stopped order steps aside until `release` is called with that name, so every order is looked at a
        bounded number of times, however long the line behind an obstacle is.
        """
        while (lane := self._next_lane()) is not None:
            place = heapq.heappop(self._lines[lane])
            order_id = place.order_id
            name = obstacle(order_id)
            if name is None:
                del self._ready[order_id]
                sells_wait = lane is Lane.NEW and self._lines[Lane.REDUCE]
                self._passed_over = self._passed_over + 1 if sells_wait else 0
                return order_id
            heapq.heappush(self._aside.setdefault(name, []), place)
        return None

    def _next_lane(self) -> Lane | None:
        """The lane whose first order has the lowest number.

        A flood of urgent buys cannot hold a sell for ever: after `max_concurrent_orders` buys in a row it is
        the sell's turn.
        """
        for line in self._lines.values():
            while line and self._ready.get(line[0].order_id) != line[0].arrival:
                heapq.heappop(line)
        reduce, new = self._lines[Lane.REDUCE], self._lines[Lane.NEW]
        if not reduce:
            return Lane.NEW if new else None
        if not new or self._passed_over >= self.max_concurrent_orders:
            return Lane.REDUCE
        return Lane.REDUCE if reduce[0] < new[0] else Lane.NEW

    def release(self, name: Hashable) -> None:
        """An obstacle is gone: its best order comes back; the others follow when that one has passed."""
        line = self._aside.get(name)
        while line:
            place = heapq.heappop(line)
            if self._ready.get(place.order_id) == place.arrival:
                heapq.heappush(self._lines[place.lane], place)
                break
        if not line:
            self._aside.pop(name, None)

    def release_all(self, name: Hashable) -> None:
        """An obstacle is gone for everyone behind it."""
        for place in self._aside.pop(name, ()):
            heapq.heappush(self._lines[place.lane], place)

    @property
    def has_aside(self) -> bool:
        """True when orders wait behind an obstacle."""
        return bool(self._aside)
