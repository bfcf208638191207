"""What a simulated market consists of before anything happens. A value: the ledger's first record."""

from decimal import Decimal
from typing import Final

import msgspec

from jumun.model.instruments import Instrument
from jumun.model.money import Currency
from jumun.model.orders import TradingSession
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US, CostPlan
from jumun.rules.trading_days import NO_OVERRIDES, Overrides

BRANCH: Final = "91252"
QUOTE_QTY: Final = Decimal(500)
PLANS: Final = {Currency.KRW: KIS_BANKIS, Currency.USD: KIS_US}


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Instruments, calendar and costs of one market.

    `bases` are the prices the first day's limits are counted from; later days use the close before.
    `quote_qty` is the size of each background quote in shares. `branch` is part of every order's identity.
    The switches below them are listed in docs/reference/simulated-market.md.
    """

    name: str
    instruments: tuple[Instrument, ...]
    bases: dict[str, Decimal] = {}
    overrides: Overrides = NO_OVERRIDES
    plans: dict[Currency, CostPlan] = msgspec.field(default_factory=lambda: dict(PLANS))
    quote_qty: Decimal = QUOTE_QTY
    branch: str = BRANCH
    # Orders
    modify_renumbers: bool = True  # a modify moves the rest to a new number, as at KIS; off: as at IBKR
    costs_per_number: bool = False  # costs are rounded for each number alone, not over a modify chain
    reports_costs: bool = False  # what a number cost is announced when it ends, and listed in histories
    carries_orders: bool = False  # GTC and GTD live on from day to day
    holds_stops: bool = False  # STOP and STOP_LIMIT wait at the exchange
    truncates_averages: bool = False  # clients are shown an average price cut to whole units (F-39)
    # Sessions
    sessions: tuple[TradingSession, ...] = ()  # beside the regular one
    # Auctions
    call_auctions: bool = False  # orders collect and one price clears; off: each print fills them
    auction_qty: Decimal = Decimal(0)  # background shares on each side of an auction nobody offered into
    random_end_s: int = 0  # an auction ends up to so many seconds late, by day and venue
    random_end_seed: int = 0
    # Interruptions
    vi: bool = False
    vi_narrow: tuple[str, ...] = ()  # symbols of the narrow group: 3 % instead of 6 %
    luld: bool = False
    luld_tier1: tuple[str, ...] = ()
    halt_takes_orders: bool = False  # new orders rest during a halt; off: they are refused
