"""What an order costs: brokerage, Korean sale taxes and US sale fees, each rounded by its own rule.

Source: krx_market.md sections 7 to 9 and 12.4. Costs are computed once per order and trade date, on the
summed value of its fills: rounding each fill by itself gives another total (worked example 27). When a fill
arrives `cost_delta` books the difference, so the increments add up to the cost of the whole order exactly.
The result is an estimate until the broker reports its own figure, which then replaces it (I-37).
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from jumun.model.instruments import Instrument, Market
from jumun.model.money import EXACT, ONE, ZERO, BadNumber, Currency, CurrencyMismatch, exact_sum
from jumun.model.orders import Side
from jumun.rules.cost_tables import (
    CostPlan,
    DatedRate,
    NoCostTable,
    Rounding,
    round_amount,
    sec_fee_on,
    taf_on,
    taxes_on,
)


class CostKind(StrEnum):
    """What a cost is for; the ledger keeps a row for each."""

    BROKERAGE = "BROKERAGE"
    TRANSACTION_TAX = "TRANSACTION_TAX"
    RURAL_TAX = "RURAL_TAX"
    SEC_FEE = "SEC_FEE"
    TAF = "TAF"

    @property
    def is_tax(self) -> bool:
        """Whether the ledger books it as TAX rather than FEE."""
        return self in (CostKind.TRANSACTION_TAX, CostKind.RURAL_TAX)


class CostItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One cost: `amount` is what is paid, after `rounding`; `rate` is per unit of value (TAF: per share).

    A rate of zero is kept as an item of amount zero: it was looked up and nothing was due.
    """

    kind: CostKind
    amount: Decimal
    currency: Currency
    rounding: Rounding
    rate: Decimal


def order_costs(
    plan: CostPlan,
    instrument: Instrument,
    side: Side,
    value: Decimal,
    qty: Decimal,
    trade_date: date,
    settlement_date: date,
) -> list[CostItem]:
    """Return the costs of `qty` shares of one order that traded for `value` in total on `trade_date`.

    `value` is the exact sum of price times quantity, never average times quantity. An order that has not
    filled costs nothing, also under a minimum. Taxes follow `settlement_date`, fees `trade_date`.
    Raises NoCostTable outside coverage, CurrencyMismatch for a plan of another currency, BadNumber for a
    negative value or quantity.
    """
    _require_sane(plan, instrument, value, qty)
    items = [_brokerage(plan, instrument, value, qty, trade_date)]
    if side is Side.SELL:
        if instrument.market is Market.US:
            items += _us_sale_fees(value, qty, trade_date)
        elif not instrument.is_etp:  # funds and notes are exempt
            items += _korean_sale_taxes(instrument.market, value, settlement_date)
    return items


def cost_delta(
    plan: CostPlan,
    instrument: Instrument,
    side: Side,
    *,
    value_before: Decimal,
    qty_before: Decimal,
    value_after: Decimal,
    qty_after: Decimal,
    trade_date: date,
    settlement_date: date,
) -> list[CostItem]:
    """Return what a new fill adds to the costs of its order, item by item.

    "Before" and "after" are the order's totals on this trade date. The increments of any sequence of fills
    add up to `order_costs` of the last totals. A correction that takes value back gives negative increments.
    """
    before = order_costs(plan, instrument, side, value_before, qty_before, trade_date, settlement_date)
    after = order_costs(plan, instrument, side, value_after, qty_after, trade_date, settlement_date)
    return [
        msgspec.structs.replace(new, amount=EXACT.subtract(new.amount, old.amount))
        for old, new in zip(before, after, strict=True)
    ]


def total_of(items: Iterable[CostItem]) -> Decimal:
    """Return the sum of `items`, which are of one currency."""
    return exact_sum(item.amount for item in items)


def _require_sane(plan: CostPlan, instrument: Instrument, value: Decimal, qty: Decimal) -> None:
    if plan.currency is not instrument.currency:
        raise CurrencyMismatch(
            f"cost plan {plan.name} is in {plan.currency} and {instrument.symbol} trades in "
            f"{instrument.currency}; give the account a plan for that market"
        )
    for field, number in (("value", value), ("quantity", qty)):
        if not number.is_finite() or number < ZERO:
            raise BadNumber(f"{instrument.symbol}: traded {field} is {number}; send a total of zero or more")


def _brokerage(
    plan: CostPlan, instrument: Instrument, value: Decimal, qty: Decimal, trade_date: date
) -> CostItem:
    if not plan.valid_from <= trade_date <= plan.valid_to:
        raise NoCostTable(
            f"cost plan {plan.name} covers {plan.valid_from} to {plan.valid_to}, not {trade_date}; "
            "configure the plan of that date"
        )
    listed = plan.etp_rate if instrument.is_etp else plan.share_rate
    rate = EXACT.multiply(listed, ONE - plan.discount_rate)
    amount = round_amount(EXACT.multiply(value, rate), plan.rounding)
    if qty > ZERO:
        amount = max(amount, plan.order_minimum)
    return CostItem(
        kind=CostKind.BROKERAGE, amount=amount, currency=plan.currency, rounding=plan.rounding, rate=rate
    )


def _korean_sale_taxes(market: Market, value: Decimal, settlement_date: date) -> list[CostItem]:
    """Each tax is cut below one won by itself: 447,500 won at KOSPI pays 223 and 671, not 895."""
    rates = taxes_on(market, settlement_date)
    dues = [(CostKind.TRANSACTION_TAX, rates.transaction), (CostKind.RURAL_TAX, rates.rural)]
    return [
        CostItem(
            kind=kind,
            amount=round_amount(EXACT.multiply(value, rate), Rounding.FLOOR_WON),
            currency=Currency.KRW,
            rounding=Rounding.FLOOR_WON,
            rate=rate,
        )
        for kind, rate in dues
        if rate is not None
    ]


def _us_sale_fees(value: Decimal, qty: Decimal, trade_date: date) -> list[CostItem]:
    return [
        _regulatory_fee(CostKind.SEC_FEE, value, sec_fee_on(trade_date)),
        _regulatory_fee(CostKind.TAF, qty, taf_on(trade_date)),
    ]


def _regulatory_fee(kind: CostKind, base: Decimal, due: DatedRate) -> CostItem:
    amount = round_amount(EXACT.multiply(base, due.rate), Rounding.CENT_UP)
    if due.cap is not None:
        amount = min(amount, due.cap)
    return CostItem(kind=kind, amount=amount, currency=Currency.USD, rounding=Rounding.CENT_UP, rate=due.rate)
