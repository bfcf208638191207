"""Daily price limits: how far from the base price an order may be.

Source: krx_market.md section 2; the computation is 2.1. Prefer the limits the broker reports for the day and
use these as the cross-check: a difference means one of us has the wrong base price (F-98).
"""

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar, Final

import msgspec

from jumun.model.errors import OrderDenied
from jumun.model.instruments import Instrument, Market
from jumun.model.money import EXACT
from jumun.model.reasons import Reason
from jumun.rules.ticks import ceil_to_tick, floor_to_tick, tick_size

PERCENT_MAIN: Final = Decimal(30)  # KOSPI and KOSDAQ since 2015-06-15, NXT since it opened
PERCENT_KONEX: Final = Decimal(15)
LISTING_LOW: Final = Decimal("0.6")  # of the offer price, on the first day
LISTING_HIGH: Final = Decimal(4)
LISTING_FROM: Final = date(2023, 6, 26)
_PERCENT: Final = Decimal("0.01")


class NoBandRule(OrderDenied):
    """No confirmed price limit rule fits this issue and date."""

    default_reason: ClassVar[Reason] = Reason.NO_TABLE


class PriceBand(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The lowest and highest valid order price of one day, both included, both on the tick."""

    base: Decimal
    lower: Decimal
    upper: Decimal

    def contains(self, price: Decimal) -> bool:
        """Return whether `price` is inside; NaN never is."""
        return not price.is_nan() and self.lower <= price <= self.upper


def price_band(
    instrument: Instrument, base: Decimal, on: date, *, new_listing: bool = False
) -> PriceBand | None:
    """Return the daily price limits around `base` (previous close, or the adjusted base) on trade date `on`.

    None for the United States: there is no static daily band there, only moving ones (LULD) that a client
    cannot compute; a sanity collar is the risk engine's. With `new_listing`, `base` is the offer price of a
    share on its first day. A fund's band widens with its multiple, also a negative one.
    Raises NoBandRule, or NoTickTable and PriceNotPositive as `rules.ticks` does.
    """
    return _price_band(instrument, str(base), on, new_listing)


# Kept by the text of the base, not its value: 1.0 and 1.00 are equal, but a price is written as it was given.
@lru_cache(maxsize=8_192)  # a day's bands of all issues; each order asks for one of them
def _price_band(instrument: Instrument, base_text: str, on: date, new_listing: bool) -> PriceBand | None:
    base = Decimal(base_text)
    if instrument.market is Market.US:
        return None
    if new_listing and not instrument.is_etp:
        return _listing_band(instrument, base, on)
    tick = tick_size(instrument, base, on)
    width = EXACT.multiply(base, EXACT.multiply(_percent(instrument), _PERCENT))
    # Anything under one tick of the base is dropped; a band that vanishes still allows one tick.
    band = max(width - width % tick, tick)
    return PriceBand(
        base=base,
        # Below the first tick there is no price: base 1, or a fund whose multiple reaches 100 %.
        lower=ceil_to_tick(instrument, max(base - band, tick), on),
        upper=floor_to_tick(instrument, base + band, on),
    )


def _percent(instrument: Instrument) -> Decimal:
    if instrument.market is Market.KONEX:
        return PERCENT_KONEX
    return PERCENT_MAIN * abs(instrument.leverage) if instrument.is_etp else PERCENT_MAIN


def _listing_band(instrument: Instrument, offer: Decimal, on: date) -> PriceBand:
    """60 to 400 % of the offer price; the exact cut is not published, so both ends round inward."""
    if on < LISTING_FROM or instrument.market is Market.KONEX:
        raise NoBandRule(
            f"{instrument.symbol}: no first-day band is known for {instrument.market} on {on}; "
            "wait for the second day or add the rule to rules/bands.py with its source"
        )
    return PriceBand(
        base=offer,
        lower=ceil_to_tick(instrument, offer * LISTING_LOW, on),
        upper=floor_to_tick(instrument, offer * LISTING_HIGH, on),
    )
