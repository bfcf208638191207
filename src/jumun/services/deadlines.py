"""When each order must be looked at next: a heap whose outdated entries are dropped when they come up."""

import heapq
from collections.abc import Iterator
from typing import Final

from jumun.model.ids import OrderId

SLACK: Final = 1_024  # outdated entries kept before the heap is built anew


class Deadlines:
    """One deadline per order; memory is bounded by the number of open orders."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, OrderId]] = []
        self._current: dict[OrderId, int] = {}

    def __len__(self) -> int:
        return len(self._current)

    def set(self, order_id: OrderId, deadline_ns: int | None) -> None:
        """Set, move or (None) remove an order's deadline."""
        known_ns = self._current.get(order_id)
        if deadline_ns == known_ns:
            return
        if deadline_ns is None:
            del self._current[order_id]
        else:
            self._current[order_id] = deadline_ns
            heapq.heappush(self._heap, (deadline_ns, order_id))
        if len(self._heap) > 2 * len(self._current) + SLACK:
            self._heap = [(deadline, order) for order, deadline in self._current.items()]
            heapq.heapify(self._heap)

    def next_ns(self) -> int | None:
        """Return the earliest deadline."""
        while self._heap and self._current.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now_ns: int) -> Iterator[OrderId]:
        """Yield and forget the orders whose deadline has passed, earliest first."""
        while (earliest := self.next_ns()) is not None and earliest <= now_ns:
            _, order_id = heapq.heappop(self._heap)
            del self._current[order_id]
            yield order_id
