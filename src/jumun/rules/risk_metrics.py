"""Risk of what is held now: value at risk, volatility, drawdown (S000-22, S000-82).

Value at risk asks what today's holdings would have lost on each past day. The historical one reads the
answer off the sorted losses; the parametric one takes their spread and assumes a normal distribution with
mean zero. Both are one day ahead and both are blind to what never happened in the window. Where history is
short they are None with a reason: 0 would read as no risk.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise
from typing import Final

import msgspec

from jumun.model.money import ONE, ZERO
from jumun.model.words import counted

RETURNS_MIN: Final = 60  # three months of days: below it the worst twentieth is fewer than three days
TAIL_95: Final = Decimal("0.05")
NORMAL_95: Final = Decimal("1.6448536269514722")  # the 95 % quantile of the standard normal distribution
TRADING_DAYS: Final = Decimal(252)  # a year, by convention

# Ratios, squares and roots of statistics: 34 digits are far beyond what the data can say.
_STATS: Final = Context(prec=34, rounding=ROUND_HALF_EVEN)


class Figure(msgspec.Struct, frozen=True):
    """A figure, or None and why there is none."""

    value: Decimal | None
    why: str = ""


class DayValue(msgspec.Struct, frozen=True, kw_only=True):
    """Equity at the end of one trading day, and what came in (or left, below zero) from outside on it."""

    date: str
    equity: Decimal
    flow: Decimal = ZERO


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """How far the value of one unit fell from its highest; fractions between 0 and 1."""

    worst: Figure
    now: Figure


class AtRisk(msgspec.Struct, frozen=True, kw_only=True):
    """What holdings may lose in a day, in their currency; volatility is a fraction of their net value."""

    historical_95: Figure
    parametric_95: Figure
    volatility: Figure
    volatility_annual: Figure
    days: int  # past days that it was computed from


def at_risk(values: Mapping[str, Decimal], closes: Mapping[str, Mapping[str, Decimal]]) -> AtRisk:
    """Return the risk of holdings of these values by symbol; short ones are negative.

    Holding nothing risks nothing: 0 is then the answer and not a gap.
    """
    held = {symbol: value for symbol, value in values.items() if value}
    if not held:
        nothing = Figure(ZERO)
        return AtRisk(
            historical_95=nothing,
            parametric_95=nothing,
            volatility=nothing,
            volatility_annual=nothing,
            days=0,
        )
    results = daily_results(held, closes)
    if isinstance(results, str):
        return not_known(results)
    daily = volatility(results, _summed(held.values()))
    yearly = daily if daily.value is None else Figure(annual(daily.value))
    return AtRisk(
        historical_95=Figure(historical_var(results)),
        parametric_95=Figure(parametric_var(results)),
        volatility=daily,
        volatility_annual=yearly,
        days=len(results),
    )


def not_known(why: str) -> AtRisk:
    """Return the risk of holdings whose figures cannot be had."""
    gap = Figure(None, why)
    return AtRisk(historical_95=gap, parametric_95=gap, volatility=gap, volatility_annual=gap, days=0)


def daily_results(
    values: Mapping[str, Decimal], closes: Mapping[str, Mapping[str, Decimal]]
) -> tuple[Decimal, ...] | str:
    """Return what holdings of these values would have gained on each past day, oldest first.

    `closes` are split-adjusted, by symbol and ISO date. Only dates that every symbol has are used, so that
    the symbols' losses of one day meet. Returns a sentence where history is short.
    """
    held = {symbol: value for symbol, value in values.items() if value}
    common: set[str] | None = None
    for symbol in held:
        dates = {day for day, close in closes.get(symbol, {}).items() if close > ZERO}
        if len(dates) <= RETURNS_MIN:
            return (
                f"{symbol} has {len(dates)} daily closes and {RETURNS_MIN + 1} are needed; load its history"
            )
        common = dates if common is None else common & dates
    days = sorted(common or ())
    if held and len(days) <= RETURNS_MIN:
        return (
            f"{', '.join(sorted(held))} share {len(days)} days and {RETURNS_MIN + 1} are needed; "
            "load the missing days"
        )
    return tuple(
        _summed(
            _STATS.multiply(value, _return(closes[symbol][before], closes[symbol][day]))
            for symbol, value in held.items()
        )
        for before, day in pairwise(days)
    )


def historical_var(results: Sequence[Decimal], tail: Decimal = TAIL_95) -> Decimal:
    """Return the loss of the day that opens the worst `tail` of the days, counted up: never too mild.

    With 100 days and 5 % that is the fifth worst, with 60 the third. A gain there is no loss: 0.
    """
    rank = int((tail * len(results)).to_integral_value(rounding=ROUND_CEILING))
    return max(-sorted(results)[max(rank, 1) - 1], ZERO)


def parametric_var(results: Sequence[Decimal], quantile: Decimal = NORMAL_95) -> Decimal:
    """Return `quantile` standard deviations of the daily results, around zero."""
    return _STATS.multiply(quantile, deviation(results))


def deviation(results: Sequence[Decimal]) -> Decimal:
    """Return the sample standard deviation; needs two results at least."""
    assert len(results) > 1, "one result has no spread"
    count = Decimal(len(results))
    mean = _STATS.divide(_summed(results), count)
    squares = _summed(_square(_STATS.subtract(result, mean)) for result in results)
    return _STATS.sqrt(_STATS.divide(squares, count - ONE))


def volatility(results: Sequence[Decimal], value: Decimal) -> Figure:
    """Return the daily volatility of holdings worth `value` (net) as a fraction of that value."""
    if value <= ZERO:
        return Figure(None, "holdings are worth nothing net, so there is nothing to take a fraction of")
    return Figure(_STATS.divide(deviation(results), value))


def annual(daily: Decimal) -> Decimal:
    """Return a daily volatility over a year of trading days, as if days were independent."""
    return _STATS.multiply(daily, _STATS.sqrt(TRADING_DAYS))


def drawdown(days: Sequence[DayValue]) -> Drawdown:
    """Return the worst and the present fall of one unit of the account, oldest day first.

    A unit is what neither deposits nor withdrawals move: each day's return is its result over the equity
    of the day before and what came in on the day.
    """
    missing = Figure(None, f"{counted(len(days), 'day')} of equity and 2 are needed; come back tomorrow")
    if len(days) < 2:  # a fall needs a before and an after
        return Drawdown(worst=missing, now=missing)
    unit = peak = ONE
    worst, before = ZERO, ZERO
    for day in days:
        invested = before + day.flow
        if invested <= ZERO:
            if day.equity:
                bare = Figure(None, f"nothing was invested on {day.date}; a fall has no base there")
                return Drawdown(worst=bare, now=bare)
        else:
            unit = _STATS.multiply(unit, _STATS.divide(day.equity, invested))
        peak = max(peak, unit)
        worst = max(worst, _fall(peak, unit))
        before = day.equity
    return Drawdown(worst=Figure(worst), now=Figure(_fall(peak, unit)))


def results_by_day(days: Sequence[DayValue]) -> tuple[tuple[str, Decimal], ...]:
    """Return each day's result: the change of equity less what came from outside (I-36)."""
    results, before = [], ZERO
    for day in days:
        results.append((day.date, day.equity - before - day.flow))
        before = day.equity
    return tuple(results)


def _fall(peak: Decimal, unit: Decimal) -> Decimal:
    return _STATS.divide(_STATS.subtract(peak, unit), peak)


def _return(before: Decimal, after: Decimal) -> Decimal:
    return _STATS.divide(_STATS.subtract(after, before), before)


def _square(number: Decimal) -> Decimal:
    return _STATS.multiply(number, number)


def _summed(numbers: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for number in numbers:
        total = _STATS.add(total, number)
    return total
