"""What a simulated market consists of before anything happens. A value: the ledger's first record."""

from decimal import Decimal
from typing import Final

import msgspec

from jumun.model.instruments import Instrument
from jumun.model.money import Currency
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US, CostPlan
from jumun.rules.trading_days import NO_OVERRIDES, Overrides

BRANCH: Final = "91252"
QUOTE_QTY: Final = Decimal(500)
PLANS: Final = {Currency.KRW: KIS_BANKIS, Currency.USD: KIS_US}


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Instruments, calendar and costs of one market.

    `bases` are the prices the first day's limits are counted from; later days use the close before.
    `quote_qty` is the size of each background quote in shares. `branch` is part of every order's identity.
    """

    name: str
    instruments: tuple[Instrument, ...]
    bases: dict[str, Decimal] = {}
    overrides: Overrides = NO_OVERRIDES
    plans: dict[Currency, CostPlan] = msgspec.field(default_factory=lambda: dict(PLANS))
    quote_qty: Decimal = QUOTE_QTY
    branch: str = BRANCH
