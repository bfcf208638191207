"""The positions of a PositionManager without a desk: 000's example, in memory, by the desk's ledger rules.

Nothing is written down and nothing is sent. For strategies under test and programs that only count; money
that is real belongs to a desk.
"""

import asyncio
from collections import OrderedDict
from decimal import Decimal
from typing import Final, Protocol

from msgspec.structs import replace

from jumun.model.errors import BadInput
from jumun.model.money import Currency
from jumun.model.orders import Side
from jumun.model.positions import Position
from jumun.services.trackers import Number, PositionTracker, exact, side_of

SEEN_MAX: Final = 100_000  # fill ids that are remembered, so that a repeat counts once
SYMBOLS_MAX: Final = 10_000  # far above what one program trades


class FillLike(Protocol):
    """What is read of a fill: ours, 000's dataclass or anything alike. `commission` is optional."""

    @property
    def fill_id(self) -> str: ...

    @property
    def side(self) -> Side | str: ...

    @property
    def quantity(self) -> Number: ...

    @property
    def price(self) -> Number: ...


class OwnPositions:
    """Positions by symbol, all in one currency."""

    def __init__(self, currency: Currency) -> None:
        self.currency = currency
        self._positions: dict[str, PositionTracker] = {}
        self._marks: dict[str, Decimal] = {}
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = asyncio.Lock()  # specification 000 asks for it: one fill at a time (S000-116)

    async def update(self, symbol: str, fill: FillLike) -> Position:
        """Take a fill in, once per fill id, and return the position after it. Raises BadInput, BadNumber."""
        of_fill = getattr(fill, "symbol", symbol)
        if of_fill != symbol:
            raise BadInput(f"fill {fill.fill_id} is of {of_fill} and not of {symbol}; name its own symbol")
        async with self._lock:
            seen = (symbol, fill.fill_id)
            tracker = self._positions.get(symbol)
            if seen in self._seen and tracker is not None:
                return self._marked(tracker)
            if tracker is None:
                if len(self._positions) >= SYMBOLS_MAX:
                    raise BadInput(f"{symbol} would be symbol {SYMBOLS_MAX + 1}; use a desk for that many")
                tracker = PositionTracker(symbol, currency=self.currency)
            commission: Number = getattr(fill, "commission", 0)
            tracker.add_fill(side_of(fill.side), fill.quantity, fill.price, commission)
            self._positions[symbol] = tracker  # only now: a fill that was refused makes no position
            self._seen[seen] = None
            while len(self._seen) > SEEN_MAX:
                self._seen.popitem(last=False)
            return self._marked(tracker)

    def mark(self, symbol: str, price: Number) -> None:
        """Value a symbol at this price from now on."""
        mark = exact(price, "price")
        if mark <= 0:
            raise BadInput(f"the price of {symbol} is {mark:f}; send one above 0")
        self._marks[symbol] = mark

    def get(self, symbol: str) -> Position | None:
        """Return a position, or None where nothing was ever held."""
        tracker = self._positions.get(symbol)
        return None if tracker is None else self._marked(tracker)

    def all(self) -> tuple[Position, ...]:
        """Return every position, flat ones included."""
        return tuple(self._marked(tracker) for tracker in self._positions.values())

    def _marked(self, tracker: PositionTracker) -> Position:
        return replace(tracker.position, mark=self._marks.get(tracker.symbol))
