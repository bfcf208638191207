"""The market around the orders: GENERATED prices that walk tick by tick, and time that passes there."""

import asyncio
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from random import Random
from typing import Final

from jumun.exchange.admission import TRADING
from jumun.exchange.market import Market
from jumun.exchange.prices import PathPoint, generated_prices
from jumun.rules.sessions import phase_at
from jumun.testing.virtual_loop import VirtualClock
from jumun.testing.world import INSTRUMENTS, Scenario

STORM_GAP_S: Final = (0.1, 0.5)  # between two prints of any symbol
CALM_GAP_S: Final = 5.0
TWINS: Final = "twins"  # a print often comes in two halves: fills that look alike (F-30)
TWINS_SHARE: Final = 0.5


class PriceWalk:
    """Prints until cancelled. `is_calm` slows it down."""

    def __init__(self, scenario: Scenario, market: Market, clock: VirtualClock) -> None:
        self.is_calm = False
        self._random = Random(f"prices {scenario.seed}")
        self._twins = Random(f"twins {scenario.seed}") if TWINS in scenario.habits else None
        self._market = market
        self._clock = clock
        self._paths: dict[str, Iterator[PathPoint]] = {}

    def open_day(self, day: date) -> None:
        """Start every symbol's walk at the base of the day."""
        for instrument in INSTRUMENTS:
            base = self._market.base_of(instrument.symbol, day.isoformat())
            assert base is not None, "the world gives every symbol a base"
            self._paths[instrument.symbol] = generated_prices(instrument, base, day, self._random)

    async def run(self) -> None:
        """Print one symbol after another, in no order anybody could guess."""
        low, high = STORM_GAP_S
        while True:
            await asyncio.sleep(CALM_GAP_S if self.is_calm else round(self._random.uniform(low, high), 3))
            now_ns = self._clock.now_ns()
            instrument = self._random.choice(INSTRUMENTS)
            phase, _ = phase_at(instrument.venue, now_ns, self._market.world.overrides)
            if phase not in TRADING:
                self._market.advance(now_ns)
                continue
            point = next(self._paths[instrument.symbol])
            self._print(instrument.symbol, point.price, point.volume // 12, now_ns)

    def _print(self, symbol: str, price: Decimal, volume: Decimal, now_ns: int) -> None:
        halves = self._twins is not None and self._twins.random() < TWINS_SHARE
        for _ in range(2 if halves else 1):
            self._market.step(symbol, price, volume // 2 if halves else volume, now_ns)
