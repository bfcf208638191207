"""Prices for a simulated market: generated ones, and bars turned into a path of prints.

Generated prices are invented: whatever prints them must carry GENERATED beside them.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Final

import msgspec

from jumun.model.errors import OmsError
from jumun.model.instruments import Instrument
from jumun.rules.bands import PriceBand, price_band
from jumun.rules.ticks import ceil_to_tick, floor_to_tick, tick_size

GENERATED: Final = "GENERATED"
STEP_TICKS_MAX: Final = 3
VOLUME_MAX: Final = 400  # shares in one generated print; small enough that orders fill in parts
PATH_MIN: Final = 4  # open, two extremes, close


class PathPoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One print: a price on the tick and the shares that trade at it."""

    price: Decimal
    volume: Decimal


class Bar(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One day of one symbol. `snapped` counts the prices that were off the tick in the data."""

    symbol: str
    day: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    traded: bool = True  # false on a day the share did not trade
    snapped: int = 0


def generated_prices(
    instrument: Instrument, base: Decimal, day: date, random: Random, *, start: Decimal | None = None
) -> Iterator[PathPoint]:
    """Yield a seeded random walk on the tick, inside the day's limits, without end. GENERATED, not real.

    Starts at `start`, else at `base`, the close before from which the limits are counted. The same `random`
    state gives the same walk. A `start` outside the limits is ignored.
    """
    band = price_band(instrument, base, day)
    price = floor_to_tick(instrument, base, day)
    if start is not None and (band is None or band.contains(start)):
        price = floor_to_tick(instrument, start, day)
    while True:
        yield PathPoint(price=price, volume=Decimal(random.randint(0, VOLUME_MAX)))
        price = _walk(instrument, price, day, band, random)


def snap(instrument: Instrument, price: Decimal, day: date) -> Decimal:
    """Return the valid price nearest to `price`; a tie goes down. Adjusted prices are rarely on the tick."""
    up = ceil_to_tick(instrument, price, day)
    tick = tick_size(instrument, price, day)
    down = floor_to_tick(instrument, price, day) if price >= tick else up
    return down if price - down <= up - price else up


def snapped_bar(instrument: Instrument, bar: Bar) -> Bar:
    """Return the bar with every price on the tick, and how many had to move."""
    if not bar.traded:
        return bar
    names = ("open", "high", "low", "close")
    prices = {name: snap(instrument, getattr(bar, name), bar.day) for name in names}
    moved = sum(prices[name] != getattr(bar, name) for name in names)
    return msgspec.structs.replace(bar, snapped=moved, **prices)


def base_for_day(instrument: Instrument, close_before: Decimal | None, bar: Bar) -> tuple[Decimal, bool]:
    """Return the price the day's limits are counted from, and whether it had to be taken from the bar itself.

    It is the close before, unless the bar leaves the limits around it (a first day, a split, adjusted data):
    then the middle of the bar's own range.
    """
    if close_before is not None:
        band = _band_or_none(instrument, close_before, bar.day)
        if band is None or (band.contains(bar.low) and band.contains(bar.high)):
            return close_before, False
    return snap(instrument, (bar.low + bar.high) / 2, bar.day), True


def path_of_bar(instrument: Instrument, bar: Bar, steps: int) -> tuple[PathPoint, ...]:
    """Return `steps` prints from open over both extremes to close; volumes add up to the bar's.

    A falling day visits the high first, a rising one the low: deterministic, no chance. Every price is on the
    tick and inside the bar. `bar` must be snapped. A day without trading has no path.
    """
    if steps < PATH_MIN:
        raise ValueError(f"steps is {steps}; a bar needs at least {PATH_MIN}")
    if not bar.traded:
        return ()
    middle = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    corners = (bar.open, *middle, bar.close)
    prices: list[Decimal] = []
    for leg, (start, end) in enumerate(pairwise(corners)):
        count = (steps - 1) // 3 + (1 if leg < (steps - 1) % 3 else 0)
        prices += [_between(instrument, start, end, index, count, bar.day) for index in range(count)]
    prices.append(bar.close)
    volumes = _split(bar.volume, len(prices))
    return tuple(PathPoint(price=p, volume=v) for p, v in zip(prices, volumes, strict=True))


def _walk(
    instrument: Instrument, price: Decimal, day: date, band: PriceBand | None, random: Random
) -> Decimal:
    moved = price
    ticks = random.randint(-STEP_TICKS_MAX, STEP_TICKS_MAX)
    for _ in range(abs(ticks)):
        tick = tick_size(instrument, moved, day)
        if ticks > 0:
            following = ceil_to_tick(instrument, moved + tick, day)
        elif moved > tick:
            # One tick down from a border belongs to the finer grid below; flooring keeps it valid.
            following = floor_to_tick(instrument, moved - tick, day)
        else:
            break
        if band is not None and not band.contains(following):
            break
        moved = following
    return moved


def _between(
    instrument: Instrument, start: Decimal, end: Decimal, index: int, count: int, day: date
) -> Decimal:
    exact = start + (end - start) * index / count
    low, high = min(start, end), max(start, end)
    return min(max(snap(instrument, exact, day), low), high)


def _split(volume: Decimal, parts: int) -> list[Decimal]:
    """Split whole shares evenly; the first prints take what does not divide."""
    share, rest = divmod(volume, parts)
    split = [share] * parts
    index = 0
    while rest > 0:
        bit = min(rest, Decimal(1))
        split[index] += bit
        rest -= bit
        index += 1
    return split


def _band_or_none(instrument: Instrument, base: Decimal, day: date) -> PriceBand | None:
    try:
        return price_band(instrument, snap(instrument, base, day), day)
    except OmsError:  # no tick table for that day: the market will refuse its prints with the reason
        return None
