"""Tick sizes by market, product and date, and the only rounding of an order price we allow.

Source: krx_market.md section 1 (tables and grades) and 12.1 (United States). The tick follows from the order
price itself. Each tick divides the next larger one and each band starts on its own grid, so a price rounded
across a band border is still on the grid of the band it lands in.
"""

from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import ClassVar, Final

import msgspec

from jumun.model.errors import OrderDenied
from jumun.model.instruments import Instrument, Market
from jumun.model.money import WIDE
from jumun.model.reasons import Reason


class NoTickTable(OrderDenied):
    """No tick table is known for this issue and date, so no price can be called valid."""

    default_reason: ClassVar[Reason] = Reason.NO_TABLE


class PriceNotPositive(OrderDenied):
    """A price is zero, negative, not finite, or would become zero when rounded down."""

    default_reason: ClassVar[Reason] = Reason.PRICE_NOT_POSITIVE


class TickTable(msgspec.Struct, frozen=True, kw_only=True):
    """Ticks valid from `valid_from` to `valid_to`, both included; `valid_to` None means still in force.

    `bands` are (lower bound included, tick) pairs in the issue's currency, highest bound first.
    """

    valid_from: date
    valid_to: date | None
    bands: tuple[tuple[Decimal, Decimal], ...]


def _table(valid_from: str, valid_to: str | None, bands: str) -> TickTable:
    pairs = [(Decimal(low), Decimal(tick)) for low, tick in (pair.split(":") for pair in bands.split())]
    return TickTable(
        valid_from=date.fromisoformat(valid_from),
        valid_to=date.fromisoformat(valid_to) if valid_to else None,
        bands=tuple(sorted(pairs, reverse=True)),
    )


# Coverage starts with our calendars (2019). The older tables are older than that, but their first day is not
# confirmed and nobody trades it.
_STOCK_2023: Final = _table(
    "2023-01-25", None, "0:1 2000:5 5000:10 20000:50 50000:100 200000:500 500000:1000"
)
_KOSPI_OLD: Final = _table(
    "2019-01-01", "2023-01-24", "0:1 1000:5 5000:10 10000:50 50000:100 100000:500 500000:1000"
)
_KOSDAQ_OLD: Final = _table("2019-01-01", "2023-01-24", "0:1 1000:5 5000:10 10000:50 50000:100")
_STOCK_TABLES: Final[dict[Market, tuple[TickTable, ...]]] = {
    Market.KOSPI: (_KOSPI_OLD, _STOCK_2023),
    Market.KOSDAQ: (_KOSDAQ_OLD, _STOCK_2023),
    Market.KONEX: (_STOCK_2023,),  # that KONEX used the KOSDAQ table before is not confirmed
}
# Reports name 2023-12-08, 12-11 and 12-18 as the first day of the 1-won tick. Between the first and the last
# nobody here knows, so those days have no table.
_ETP_TABLES: Final = (
    _table("2019-01-01", "2023-12-07", "0:5"),
    _table("2023-12-19", None, "0:1 2000:5"),
)
# Rule 612. The half-penny tick starts in November 2027 (Release 34-105656); cents stay on its grid.
_US_TABLES: Final = (_table("2019-01-01", None, "0:0.0001 1:0.01"),)


def tick_table(instrument: Instrument, on: date) -> TickTable:
    """Return the tick table for `instrument` on trade date `on`; raises NoTickTable outside coverage."""
    table = _table_on(instrument.market, instrument.is_etp, on)
    if table is not None:
        return table
    raise NoTickTable(
        f"{instrument.symbol}: no confirmed tick table for {instrument.market} {instrument.product} on {on}; "
        "add it to rules/ticks.py with its source"
    )


def tick_size(instrument: Instrument, price: Decimal, on: date) -> Decimal:
    """Return the price step at `price` on trade date `on`, in the issue's currency.

    Raises NoTickTable outside coverage and PriceNotPositive for a price that is not above zero.
    """
    _require_positive(instrument, price)
    bands = tick_table(instrument, on).bands  # the highest first; the lowest starts at zero
    return next(tick for low, tick in bands if price >= low)


def is_on_tick(instrument: Instrument, price: Decimal, on: date) -> bool:
    """Return whether `price` is a valid order price on `on`; raises as `tick_size` does."""
    return not WIDE.remainder(price, tick_size(instrument, price, on))


def floor_to_tick(instrument: Instrument, price: Decimal, on: date) -> Decimal:
    """Return the highest valid price at or below `price`; raises PriceNotPositive when there is none."""
    floored = _to_grid(price, tick_size(instrument, price, on), ROUND_FLOOR)
    _require_positive(instrument, floored)
    return floored


def ceil_to_tick(instrument: Instrument, price: Decimal, on: date) -> Decimal:
    """Return the lowest valid price at or above `price`."""
    return _to_grid(price, tick_size(instrument, price, on), ROUND_CEILING)


def round_to_tick_safe(instrument: Instrument, price: Decimal, on: date, *, side_is_buy: bool) -> Decimal:
    """Return the nearest valid price that is no more aggressive: a buy goes down, a sell goes up.

    A price already on the tick is returned with the same value. Raises NoTickTable outside coverage and
    PriceNotPositive for a price that is not above zero, or a buy below the smallest tick.
    """
    if side_is_buy:
        return floor_to_tick(instrument, price, on)
    return ceil_to_tick(instrument, price, on)


@lru_cache(maxsize=8_192)
def _table_on(market: Market, is_etp: bool, on: date) -> TickTable | None:
    for table in _tables_for(market, is_etp):
        if table.valid_from <= on and (table.valid_to is None or on <= table.valid_to):
            return table
    return None


def _tables_for(market: Market, is_etp: bool) -> tuple[TickTable, ...]:
    if market is Market.US:
        return _US_TABLES
    return _ETP_TABLES if is_etp else _STOCK_TABLES[market]


def _to_grid(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    steps = WIDE.divide(price, tick).to_integral_value(rounding=rounding)
    return WIDE.multiply(steps, tick)


def _require_positive(instrument: Instrument, price: Decimal) -> None:
    if not price.is_finite() or price <= 0:
        raise PriceNotPositive(f"{instrument.symbol}: price {price} is not above zero; send a valid price")
