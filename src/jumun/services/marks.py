"""Values the positions held: records the newest prices, seldom, and only those that moved."""

from decimal import Decimal
from typing import Final

import structlog

from jumun.limits import MARK_INTERVAL_S
from jumun.model.errors import OmsError
from jumun.ports.outside import Prices
from jumun.services.order_engine import OrderEngine

LOOK_S: Final = 1.0  # a position without any mark gets one this soon

log = structlog.get_logger()


class Marker:
    """One task. `source` labels the prices wherever they are shown, e.g. GENERATED."""

    def __init__(self, engine: OrderEngine, prices: Prices, source: str) -> None:
        self._engine = engine
        self._prices = prices
        self._source = source
        self._recorded: dict[str, Decimal] = {}
        self._next_ns = 0

    async def run(self) -> None:
        """Record for ever."""
        while True:
            await self.look()
            await self._engine.clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Record what moved, when it is time; a symbol that was never marked does not wait."""
        now_ns = self._engine.clock.monotonic_ns()
        moved = self._moved()
        if not moved or (now_ns < self._next_ns and all(symbol in self._recorded for symbol in moved)):
            return
        self._next_ns = now_ns + int(MARK_INTERVAL_S * 1_000_000_000)
        # All of them, so that the newest record alone values the whole book.
        marks: dict[str, object] = {**self._recorded, **moved}
        try:
            await self._engine.record_marks(marks, self._source)
        except OmsError as error:
            log.warning(
                "marks_not_recorded", error=str(error), next_step="nothing; positions keep their marks"
            )
            return
        self._recorded |= moved

    def _moved(self) -> dict[str, Decimal]:
        moved: dict[str, Decimal] = {}
        for (_, symbol), position in self._engine.desk.book.positions.items():
            quote = self._prices.quote(symbol) if position.qty else None
            if quote is not None and quote.last is not None and quote.last != self._recorded.get(symbol):
                moved[symbol] = quote.last
        return moved
