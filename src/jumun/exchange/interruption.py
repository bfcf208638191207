"""When a price interrupts trading: volatility interruption in Korea, limit up and limit down in the US.

Pure tables and arithmetic; `Pit` acts on them. Sources: krx_market.md 5.1 (rates and rounding, checked there
against five logged cases) and 12.2.
"""

from datetime import date
from decimal import Decimal
from typing import Final

from jumun.model.instruments import Instrument
from jumun.model.money import EXACT
from jumun.rules.ticks import ceil_to_tick, floor_to_tick

NS: Final = 1_000_000_000
VI_NS: Final = 120 * NS  # a call auction of two minutes, or as much longer for one that runs
CIRCUIT_HALT_NS: Final = 1_200 * NS
CIRCUIT_AUCTION_NS: Final = 600 * NS
LIMIT_STATE_NS: Final = 15 * NS
LULD_PAUSE_NS: Final = 300 * NS
LULD_MEAN_NS: Final = 300 * NS  # the reference is the mean of the prints of five minutes
LULD_LATE_NS: Final = 1_500 * NS  # the last 25 minutes have doubled bands

# Dynamic rates: (members of the index and funds on it, everything else)
VI_CONTINUOUS: Final = (Decimal("0.03"), Decimal("0.06"))
VI_CLOSING: Final = (Decimal("0.02"), Decimal("0.04"))
VI_STATIC: Final = Decimal("0.10")

_THREE: Final = Decimal(3)
_LOW: Final = Decimal("0.75")


def vi_prices(instrument: Instrument, reference: Decimal, rate: Decimal, on: date) -> tuple[Decimal, Decimal]:
    """Return the lower and the upper trigger price: a trade there, or beyond, starts the interruption."""
    width = EXACT.multiply(reference, rate)
    lower = floor_to_tick(instrument, reference - width, on)
    return lower, ceil_to_tick(instrument, reference + width, on)


def luld_band(
    reference: Decimal, close_before: Decimal, *, is_tier1: bool, is_late: bool
) -> tuple[Decimal, Decimal]:
    """Return the lowest and the highest price that may trade, both included, unrounded.

    `is_late` is true in the last 25 minutes, when bands double for tier 1 and for tier 2 up to 3.00.
    """
    if close_before > _THREE:
        width = reference * (Decimal("0.05") if is_tier1 else Decimal("0.10"))
    elif close_before >= _LOW:
        width = reference * Decimal("0.20")
    else:
        width = min(Decimal("0.15"), reference * Decimal("0.75"))
    if is_late and (is_tier1 or close_before <= _THREE):
        width *= 2
    return max(reference - width, Decimal(0)), reference + width
