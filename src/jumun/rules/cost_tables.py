"""Dated rates of taxes, regulatory fees and broker plans, each with its source, and how each is rounded.

Rates are exact fractions of the traded value: 0.0140527 % is 0.000140527. Looking up a date no row covers
raises NoCostTable: a guessed tax is a wrong ledger. Grades and sources: krx_market.md sections 7, 8 and 12.
"""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import ClassVar, Final, TypeVar

import msgspec

from jumun.model.errors import ConfigError, OrderDenied
from jumun.model.instruments import Market
from jumun.model.money import ONE, WIDE, ZERO, Currency
from jumun.model.reasons import Reason


class NoCostTable(OrderDenied):
    """No confirmed rate covers that market and date."""

    default_reason: ClassVar[Reason] = Reason.NO_TABLE


class Rounding(StrEnum):
    """How one cost item becomes a payable amount; the name says the unit and the direction."""

    NEAREST_WON = "NEAREST_WON"  # half up; fits every published KIS fee
    FLOOR_WON = "FLOOR_WON"  # Korean taxes, each on its own
    FLOOR_TEN_WON = "FLOOR_TEN_WON"  # fees at some brokers (Kiwoom)
    CENT_HALF_UP = "CENT_HALF_UP"
    CENT_UP = "CENT_UP"  # US regulatory fees


_STEP_AND_MODE: Final = {
    Rounding.NEAREST_WON: (Decimal(1), ROUND_HALF_UP),
    Rounding.FLOOR_WON: (Decimal(1), ROUND_FLOOR),
    Rounding.FLOOR_TEN_WON: (Decimal(10), ROUND_FLOOR),
    Rounding.CENT_HALF_UP: (Decimal("0.01"), ROUND_HALF_UP),
    Rounding.CENT_UP: (Decimal("0.01"), ROUND_CEILING),
}


def round_amount(amount: Decimal, rounding: Rounding) -> Decimal:
    """Return `amount` (not negative) as a whole number of the rounding's unit."""
    step, mode = _STEP_AND_MODE[rounding]
    return WIDE.multiply(WIDE.divide(amount, step).to_integral_value(rounding=mode), step)


class TaxRates(msgspec.Struct, frozen=True, kw_only=True):
    """Sale taxes of one market for settlement dates `valid_from` to `valid_to`, both included.

    `rural` is the special tax for rural development; its base is the sale value, not the other tax (C-20).
    None means the market does not levy it, which is not the same as a rate of zero.
    """

    valid_from: date
    valid_to: date
    transaction: Decimal
    rural: Decimal | None


class DatedRate(msgspec.Struct, frozen=True, kw_only=True):
    """A rate for trade dates `valid_from` to `valid_to`, both included; `cap` bounds the amount per order."""

    valid_from: date
    valid_to: date
    rate: Decimal
    cap: Decimal | None = None


class CostPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one account pays its broker for one currency's markets, by trade date.

    `order_minimum` is charged per order that fills at all, and is not discounted: it is what the broker takes
    at least. `discount_rate` is the part of the brokerage that is waived (0.3 leaves 70 %); taxes and
    regulatory fees never see it. A KIS order routed to NXT is estimated at the KRX rate, since the lower NXT
    rate is not published.
    """

    name: str
    currency: Currency
    share_rate: Decimal
    etp_rate: Decimal
    rounding: Rounding
    order_minimum: Decimal = ZERO
    discount_rate: Decimal = ZERO
    valid_from: date = date(2019, 1, 1)
    valid_to: date = date.max

    def __post_init__(self) -> None:
        """Refuse a plan that would pay us, or waive more than everything."""
        if not (ZERO <= self.share_rate < ONE and ZERO <= self.etp_rate < ONE):
            raise ConfigError(
                f"cost plan {self.name}: rates are fractions of value; give 0.000140527, not percent"
            )
        if not ZERO <= self.discount_rate <= ONE:
            raise ConfigError(f"cost plan {self.name}: discount_rate is {self.discount_rate}; give 0 to 1")
        if not self.order_minimum >= ZERO:
            raise ConfigError(f"cost plan {self.name}: order_minimum is {self.order_minimum}; give 0 or more")


def _taxes(rows: str) -> tuple[TaxRates, ...]:
    """Read "from to transaction% rural%" lines; "-" means the market does not levy it."""
    return tuple(
        TaxRates(
            valid_from=date.fromisoformat(start),
            valid_to=date.fromisoformat(end),
            transaction=_percent(transaction),
            rural=None if rural == "-" else _percent(rural),
        )
        for start, end, transaction, rural in (line.split() for line in rows.strip().splitlines())
    )


def _percent(text: str) -> Decimal:
    return Decimal(text).scaleb(-2)


# By settlement date (krx_market.md 7.1). 2019 is stated by the depository, 2025 and 2026 by the press and the
# ministry's notice, the years between by an audit against the decree. 2027 is not known yet, so trades that
# settle in 2027 have no table until somebody adds the row.
TAXES: Final = {
    Market.KOSPI: _taxes(
        """
        2019-01-01 2019-06-02 0.15 0.15
        2019-06-03 2020-12-31 0.10 0.15
        2021-01-01 2022-12-31 0.08 0.15
        2023-01-01 2023-12-31 0.05 0.15
        2024-01-01 2024-12-31 0.03 0.15
        2025-01-01 2025-12-31 0.00 0.15
        2026-01-01 2026-12-31 0.05 0.15
        """
    ),
    Market.KOSDAQ: _taxes(
        """
        2019-01-01 2019-06-02 0.30 -
        2019-06-03 2020-12-31 0.25 -
        2021-01-01 2022-12-31 0.23 -
        2023-01-01 2023-12-31 0.20 -
        2024-01-01 2024-12-31 0.18 -
        2025-01-01 2025-12-31 0.15 -
        2026-01-01 2026-12-31 0.20 -
        """
    ),
    Market.KONEX: _taxes(
        """
        2019-01-01 2019-06-02 0.30 -
        2019-06-03 2026-12-31 0.10 -
        """
    ),
}


def _rates(rows: str, *, scale: int = 0) -> tuple[DatedRate, ...]:
    """Read "from to rate cap" lines; the rate is moved `scale` digits to the right; "-" means no cap."""
    return tuple(
        DatedRate(
            valid_from=date.fromisoformat(start),
            valid_to=date.fromisoformat(end),
            rate=Decimal(rate).scaleb(-scale),
            cap=None if cap == "-" else Decimal(cap),
        )
        for start, end, rate, cap in (line.split() for line in rows.strip().splitlines())
    )


# Section 31 fee in dollars per million sold (krx_market.md 12.3). The rows from 2022-05-14 to 2024-05-21 are
# from memory there; they matter to replays only. The last one ends with the year: the next advisory moves it.
SEC_FEE: Final = _rates(
    """
    2020-02-18 2021-02-24 22.10 -
    2021-02-25 2022-05-13 5.10 -
    2022-05-14 2023-02-26 22.90 -
    2023-02-27 2024-05-21 8.00 -
    2024-05-22 2025-05-13 27.80 -
    2025-05-14 2026-04-03 0.00 -
    2026-04-04 2026-12-31 20.60 -
    """,
    scale=6,
)
# FINRA trading activity fee in dollars per share sold, with its cap. 2023 is unconfirmed there. The last
# quarter of 2026 is a holiday; 2027 is disputed, so it has no row.
TAF: Final = _rates(
    """
    2023-01-01 2023-12-31 0.000145 7.27
    2024-01-01 2025-12-31 0.000166 8.30
    2026-01-01 2026-09-30 0.000195 9.79
    2026-10-01 2026-12-31 0.000000 0.00
    """
)

# krx_market.md 8.1, 8.3 and 8.4. Korean rates are the same for buys and sells.
KIS_BANKIS: Final = CostPlan(
    name="KIS BanKIS",
    currency=Currency.KRW,
    share_rate=_percent("0.0140527"),
    etp_rate=_percent("0.0146527"),
    rounding=Rounding.NEAREST_WON,
)
KIS_EVENT: Final = CostPlan(
    name="KIS first-customer event",
    currency=Currency.KRW,
    share_rate=_percent("0.0036396"),
    etp_rate=_percent("0.0036396"),
    rounding=Rounding.NEAREST_WON,
)
KIS_US: Final = CostPlan(
    name="KIS United States online",
    currency=Currency.USD,
    share_rate=_percent("0.25"),
    etp_rate=_percent("0.25"),
    rounding=Rounding.CENT_HALF_UP,
)
KIWOOM: Final = CostPlan(
    name="Kiwoom online",
    currency=Currency.KRW,
    share_rate=_percent("0.015"),
    etp_rate=_percent("0.015"),
    rounding=Rounding.FLOOR_TEN_WON,
)
PLANS: Final = {
    "kis-bankis": KIS_BANKIS,
    "kis-event": KIS_EVENT,
    "kis-us": KIS_US,
    "kiwoom": KIWOOM,
}

_Row = TypeVar("_Row", TaxRates, DatedRate)


def taxes_on(market: Market, settlement_date: date) -> TaxRates:
    """Return the sale taxes of a Korean market on `settlement_date`; raises NoCostTable outside coverage."""
    return _in_force(TAXES.get(market, ()), settlement_date, f"{market} sale taxes")


def sec_fee_on(trade_date: date) -> DatedRate:
    """Return the SEC fee per dollar sold on `trade_date`; raises NoCostTable outside coverage."""
    return _in_force(SEC_FEE, trade_date, "the SEC fee")


def taf_on(trade_date: date) -> DatedRate:
    """Return the FINRA fee per share sold on `trade_date`; raises NoCostTable outside coverage."""
    return _in_force(TAF, trade_date, "the FINRA trading activity fee")


def _in_force(rows: Sequence[_Row], day: date, name: str) -> _Row:
    for row in rows:
        if row.valid_from <= day <= row.valid_to:
            return row
    raise NoCostTable(
        f"no confirmed rate for {name} on {day}; add it to rules/cost_tables.py with its source"
    )
