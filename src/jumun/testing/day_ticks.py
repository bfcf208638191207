"""Valid prices, computed a second time from the published tables, so that a wrong table is seen (I-57).

Only what the simulated market lists: Korean shares since 2023-01-25, Korean funds since 2023-12-19, United
States issues above one dollar. Source: krx_market.md sections 1 and 12.1. Integers only, on purpose.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from jumun.model.instruments import Instrument, Market
from jumun.model.orders import Side

SHARE_STEPS: Final = (
    (2_000, 1),
    (5_000, 5),
    (20_000, 10),
    (50_000, 50),
    (200_000, 100),
    (500_000, 500),
)
SHARE_TOP: Final = 1_000
FUND_STEPS: Final = ((2_000, 1),)
FUND_TOP: Final = 5
CENTS: Final = 100


def expected_price(instrument: Instrument, asked: Decimal, side: Side) -> Decimal:
    """Return the valid price next to `asked` that is no more aggressive."""
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    if instrument.market is Market.US:
        return Decimal(int((asked * CENTS).to_integral_value(rounding=rounding))) / CENTS
    steps, top = (FUND_STEPS, FUND_TOP) if instrument.is_etp else (SHARE_STEPS, SHARE_TOP)
    step = next((size for below, size in steps if asked < below), top)
    count = int((asked / step).to_integral_value(rounding=rounding))
    return Decimal(count * step)
