"""`CommissionCalculator`: specification 000's façade over the dated cost tables.

Its signature takes and returns floats. They are converted here, through their shortest decimal text, and
never enter the core (C-44). One call prices one fill as if it were the whole order, which is how 000 charges
its minimum; the desk books whole orders with `rules.costs.cost_delta` instead.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Final, Protocol

from jumun.model.errors import BadInput, ConfigError
from jumun.model.instruments import Instrument
from jumun.model.money import ZERO, Currency, decimal_of_double, exact_product, to_decimal
from jumun.model.orders import Side
from jumun.model.reasons import Reason
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US, CostPlan
from jumun.rules.costs import CostItem, order_costs, total_of
from jumun.rules.settlement import settlement_date
from jumun.rules.trading_days import NO_OVERRIDES, Overrides

Number = float | int | str | Decimal

# Every rate is a fraction of value. What is left out comes from the KIS plans.
RATE_KEYS: Final = {
    "brokerage_rate": "Korean shares",
    "min_brokerage_fee": "won per call, at least",
    "etf_brokerage_rate": "Korean ETF and ETN; brokerage_rate when that is given and this is not",
    "us_brokerage_rate": "United States shares and ETFs",
    "us_min_brokerage_fee": "dollars per call, at least",
    "discount_rate": "the part of brokerage that is waived; never touches tax",
}


class HasSideAndSymbol(Protocol):
    """All this calculator needs of an order: ours, 000's dataclass or anything alike."""

    @property
    def side(self) -> Side | str: ...

    @property
    def symbol(self) -> str: ...


class CommissionCalculator:
    """Brokerage, taxes and regulatory fees of one fill, with 000's method name and signature (S000-45)."""

    def __init__(
        self,
        commission_rates: Mapping[str, Number],
        instrument_of: Callable[[str], Instrument],
        *,
        trade_date_of: Callable[[Instrument], date],
        overrides: Overrides = NO_OVERRIDES,
    ) -> None:
        """Take rates by name (see RATE_KEYS), the master's `get`, and what the trade date is now.

        An unknown key raises ConfigError: a misspelt minimum would silently be no minimum.
        """
        unknown = sorted(set(commission_rates) - set(RATE_KEYS))
        if unknown:
            known = ", ".join(RATE_KEYS)
            raise ConfigError(f"commission rate {unknown[0]!r} is unknown; use one of {known}")
        rates = {key: _exact(value, key) for key, value in commission_rates.items()}
        self._instrument_of = instrument_of
        self._trade_date_of = trade_date_of
        self._overrides = overrides
        self._plans = {Currency.KRW: _won_plan(rates), Currency.USD: _dollar_plan(rates)}

    @property
    def plans(self) -> Mapping[Currency, CostPlan]:
        """The rates as cost plans by currency, for a desk that is to book by them."""
        return dict(self._plans)

    def calculate_commission(
        self, order: HasSideAndSymbol, fill_price: Number, fill_quantity: Number
    ) -> float:
        """Return all costs of the fill as a float, in the instrument's currency.

        For 000's callers only; the sum is exact before its conversion. Raises BadNumber, UnknownSymbol,
        NoCostTable or NoCalendar rather than returning a guess.
        """
        # A float leaves here because 000 fixed the signature (S000-45, C-44). Nothing of ours calls this; the
        # desk books by `rules.costs.cost_delta`, which is Decimal throughout.
        return float(total_of(self.itemise(order, fill_price, fill_quantity)))

    def itemise(self, order: HasSideAndSymbol, fill_price: Number, fill_quantity: Number) -> list[CostItem]:
        """Return the same costs item by item and exact."""
        instrument = self._instrument_of(order.symbol)
        qty = _exact(fill_quantity, "fill_quantity")
        trade_amount = exact_product(_exact(fill_price, "fill_price"), qty)
        traded_on = self._trade_date_of(instrument)
        return order_costs(
            self._plans[instrument.currency],
            instrument,
            _side(order.side),
            trade_amount,
            qty,
            traded_on,
            settlement_date(instrument.market, traded_on, self._overrides),
        )


def _won_plan(rates: Mapping[str, Decimal]) -> CostPlan:
    share_rate = rates.get("brokerage_rate", KIS_BANKIS.share_rate)
    inherited = share_rate if "brokerage_rate" in rates else KIS_BANKIS.etp_rate
    return CostPlan(
        name="commission_rates (won)",
        currency=Currency.KRW,
        share_rate=share_rate,
        etp_rate=rates.get("etf_brokerage_rate", inherited),
        rounding=KIS_BANKIS.rounding,
        order_minimum=rates.get("min_brokerage_fee", ZERO),
        discount_rate=rates.get("discount_rate", ZERO),
    )


def _dollar_plan(rates: Mapping[str, Decimal]) -> CostPlan:
    rate = rates.get("us_brokerage_rate", KIS_US.share_rate)
    return CostPlan(
        name="commission_rates (dollars)",
        currency=Currency.USD,
        share_rate=rate,
        etp_rate=rate,
        rounding=KIS_US.rounding,
        order_minimum=rates.get("us_min_brokerage_fee", ZERO),
        discount_rate=rates.get("discount_rate", ZERO),
    )


def _exact(value: Number, field: str) -> Decimal:
    if isinstance(value, float):
        return decimal_of_double(value, field=field)
    return to_decimal(value, field=field)


def _side(side: Side | str) -> Side:
    """000's enums and plain words alike; a guessed side would drop or invent a tax."""
    word = str(getattr(side, "value", side)).upper()
    if word not in Side.__members__:
        raise BadInput(f"order side {side!r} is unknown; send BUY or SELL", reason=Reason.UNKNOWN_SIDE)
    return Side[word]
