"""Stop orders that the desk holds, because the broker has none (C-11).

A buy stop triggers when the market trades at its stop price or above, a sell stop at or below. What was
seen is written down before the order may leave, as MARKET for STOP and LIMIT for STOP_LIMIT. A price that
was never seen (the service was down, the feed was silent) triggers nothing: the next one seen decides.
"""

from bisect import bisect_left, bisect_right, insort
from decimal import Decimal

from jumun.model.ids import OrderId
from jumun.model.orders import Order, Side

_Entry = tuple[Decimal, str]


class StopIndex:
    """Held stops by symbol, sorted by stop price, so that a price finds what it touches without a scan."""

    def __init__(self) -> None:
        self._buys: dict[str, list[_Entry]] = {}
        self._sells: dict[str, list[_Entry]] = {}

    def add(self, order: Order) -> None:
        """Take a held stop in; twice is once."""
        line, entry = self._line(order), self._entry(order)
        place = bisect_left(line, entry)
        if place == len(line) or line[place] != entry:
            insort(line, entry)

    def discard(self, order: Order) -> None:
        """Take it out: triggered, or ended."""
        line, entry = self._line(order), self._entry(order)
        place = bisect_left(line, entry)
        if place < len(line) and line[place] == entry:
            del line[place]
        if not line:
            (self._buys if order.side is Side.BUY else self._sells).pop(order.symbol, None)

    def touched(self, symbol: str, price: Decimal) -> list[OrderId]:
        """The orders that a trade at `price` triggers, nearest stop first."""
        buys = self._buys.get(symbol, [])
        sells = self._sells.get(symbol, [])
        up = buys[: bisect_right(buys, (price, "\x7f"))]
        down = sells[bisect_left(sells, (price, "")) :]
        return [OrderId(order_id) for _, order_id in (*up, *reversed(down))]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols whose price matters to a stop."""
        return tuple(dict.fromkeys((*self._buys, *self._sells)))

    def __len__(self) -> int:
        return sum(len(line) for lines in (self._buys, self._sells) for line in lines.values())

    def _line(self, order: Order) -> list[_Entry]:
        return (self._buys if order.side is Side.BUY else self._sells).setdefault(order.symbol, [])

    @staticmethod
    def _entry(order: Order) -> _Entry:
        assert order.stop_price is not None, f"{order.order_id} is held without a stop price"
        return (order.stop_price, order.order_id)
