"""Two moving averages: buy when the fast one crosses above the slow one, sell when it crosses below.

    python examples/moving_average.py [number of prices]

GENERATED prices of the simulated market: what it earns here says nothing about the rule. What it shows is a
strategy that decides on prices and leaves everything else to the desk: its signals are orders, once each, and
a sell is never more than what is held.
"""

import asyncio
import sys
import tempfile
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from simulated_market import SimulatedMarket

from jumun import OrderEngine, OrderQueue, PositionManager

SYMBOL = "005930"
FAST, SLOW = 5, 20  # prices
SHARES = 10
PRICES, PRICES_MAX = 400, 100_000


class Crossing:
    """Says "BUY" or "SELL" at the price where the averages cross, and nothing at all others."""

    def __init__(self, fast: int, slow: int) -> None:
        self._prices: deque[Decimal] = deque(maxlen=slow)
        self._fast = fast
        self._above: bool | None = None

    def hear(self, price: Decimal) -> str | None:
        """Take the next price."""
        self._prices.append(price)
        if len(self._prices) < (self._prices.maxlen or 0):
            return None
        newest = list(self._prices)[-self._fast :]
        above = sum(newest) / len(newest) > sum(self._prices) / len(self._prices)
        crossed, self._above = self._above not in (None, above), above
        if not crossed:
            return None
        return "BUY" if above else "SELL"


async def main(folder: Path, prices: int) -> None:
    """Trade until the prices end, close the position, and print the result."""
    market = SimulatedMarket(folder, seed=7)
    positions = PositionManager()
    engine = OrderEngine(
        broker_client=market.broker_client,
        order_queue=OrderQueue(strategy_priorities={"moving-average": 90}),
        position_manager=positions,
        commission_calculator=market.commission_calculator,
        event_bus=market.bus,
        redis_manager=market.surroundings,
    )
    await engine.start()
    crossing, signals = Crossing(FAST, SLOW), 0
    for number in range(prices):
        side = crossing.hear(market.step(SYMBOL))
        if side is None:
            continue
        held = await positions.get_position(SYMBOL)
        if side == "SELL" and not (held and held.quantity):
            continue  # the first crossing may be downward, and there is nothing to sell yet
        signal = {
            "symbol": SYMBOL,
            "side": side,
            "quantity": SHARES if side == "BUY" else held.quantity,
            "order_type": "MARKET",
            "strategy_id": "moving-average",
            "strategy_version": f"moving-average-{FAST}-{SLOW}",
            "account_id": market.account_id,
            "signal_ts": datetime.now(UTC).isoformat(),
            "leg": str(number),  # which price it was: two crossings in one instant are two signals
        }
        await market.bus.publish("trading_signal", {"signal": signal})
        await market.settled(engine)
        signals += 1

    await positions.close_position(SYMBOL)
    await market.settled(engine)
    summary = await positions.get_portfolio_summary()
    won = summary["by_currency"]["KRW"]
    print(f"{prices} GENERATED prices, {signals} signals")
    print(f"before costs {won.realised_gross:,.0f} won, costs {won.costs:,.0f}, net {won.realised_net:,.0f}")
    held = await positions.get_position(SYMBOL)
    print(f"shares left: {held.quantity if held else 0}")
    await engine.stop()


def asked(arguments: list[str]) -> int:
    """Return how many prices to trade; ends the program with a sentence where that is no number of them."""
    if not arguments:
        return PRICES
    if len(arguments) > 1 or not arguments[0].isdecimal() or not 0 < int(arguments[0][:9]) <= PRICES_MAX:
        given = " ".join(arguments)[:80]
        sys.exit(f"{given!r} is no number of prices; give one between 1 and {PRICES_MAX}, or nothing")
    return int(arguments[0][:9])


if __name__ == "__main__":
    wanted = asked(sys.argv[1:])
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(Path(place), wanted))
