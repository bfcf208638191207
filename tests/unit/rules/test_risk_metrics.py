"""Value at risk, volatility and drawdown, against the standard library's own statistics."""

import math
import statistics
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.rules.risk_metrics import (
    RETURNS_MIN,
    DayValue,
    annual,
    at_risk,
    daily_results,
    deviation,
    drawdown,
    historical_var,
    parametric_var,
    results_by_day,
    volatility,
)

Closes = dict[str, dict[str, D]]


def closes_of(**prices: list[int]) -> Closes:
    """Closes by symbol on numbered days."""
    return {
        symbol: {f"2025-{1 + day // 28:02}-{1 + day % 28:02}": D(price) for day, price in enumerate(line)}
        for symbol, line in prices.items()
    }


def wave(days: int, size: int = 30) -> list[int]:
    """Prices that rise and fall without a pattern a test could lean on."""
    return [1_000 + (day * 37) % 41 + size * (day % 7) for day in range(days)]


@pytest.mark.req("S000-82")
def test_the_historical_value_at_risk_is_the_loss_that_opens_the_worst_twentieth() -> None:
    results = [D(result) for result in range(-100, 0)]  # a hundred losses, 100 down to 1
    assert historical_var(results) == 96
    assert historical_var(results[:60]) == 98  # the third worst of sixty
    assert historical_var([D(5)] * 60) == 0  # where even the worst days gained, nothing is at risk


@pytest.mark.req("S000-82", "S000-22")
def test_both_values_at_risk_and_the_volatility_agree_with_plain_statistics() -> None:
    prices = {"A": wave(90), "B": wave(90, 11)}
    held = {"A": D(700_000), "B": D(-200_000)}
    risk = at_risk(held, closes_of(**prices))
    results = [
        sum(
            float(value) * (prices[symbol][day + 1] - prices[symbol][day]) / prices[symbol][day]
            for symbol, value in held.items()
        )
        for day in range(89)
    ]
    assert risk.days == 89
    assert risk.historical_95.value is not None
    assert risk.parametric_95.value is not None
    assert risk.volatility.value is not None
    assert risk.volatility_annual.value is not None
    spread = statistics.stdev(results)
    quantile = statistics.NormalDist().inv_cdf(0.95)
    assert math.isclose(risk.historical_95.value, -sorted(results)[math.ceil(0.05 * 89) - 1], rel_tol=1e-9)
    assert math.isclose(risk.parametric_95.value, quantile * spread, rel_tol=1e-9)
    assert math.isclose(risk.volatility.value, spread / 500_000, rel_tol=1e-9)
    assert math.isclose(risk.volatility_annual.value, spread / 500_000 * math.sqrt(252), rel_tol=1e-9)


@pytest.mark.req("I-53", "S000-82")
def test_a_short_history_gives_no_figure_and_says_which_symbol_lacks_what() -> None:
    risk = at_risk({"A": D(1), "B": D(1)}, closes_of(A=wave(90), B=wave(RETURNS_MIN)))
    for figure in (risk.historical_95, risk.parametric_95, risk.volatility, risk.volatility_annual):
        assert figure.value is None
        assert figure.why == "B has 60 daily closes and 61 are needed; load its history"
    assert at_risk({"C": D(1)}, {}).historical_95.value is None
    assert at_risk({"B": D(1)}, closes_of(B=wave(RETURNS_MIN + 1))).historical_95.value is not None


@pytest.mark.req("I-53")
def test_days_that_only_one_symbol_has_are_not_compared() -> None:
    closes = closes_of(A=wave(100), B=wave(100))
    for day in sorted(closes["B"])[:45]:
        del closes["B"][day]
    for day in sorted(closes["A"])[-30:]:
        del closes["A"][day]
    why = daily_results({"A": D(1), "B": D(1)}, closes)
    assert why == "B has 55 daily closes and 61 are needed; load its history"
    closes = closes_of(A=wave(140), B=wave(140))
    for symbol, gone in (("A", slice(None, 70)), ("B", slice(70, None))):
        for day in sorted(closes[symbol])[gone]:
            del closes[symbol][day]
    why = daily_results({"A": D(1), "B": D(1)}, closes)
    assert why == "A, B share 0 days and 61 are needed; load the missing days"


def test_holding_nothing_risks_nothing_and_holdings_worth_nothing_net_have_no_volatility() -> None:
    nothing = at_risk({"A": D(0)}, {})
    assert (nothing.historical_95.value, nothing.volatility.value, nothing.days) == (0, 0, 0)
    hedged = at_risk({"A": D(5), "B": D(-5)}, closes_of(A=wave(90), B=wave(90, 11)))
    assert hedged.historical_95.value is not None
    assert hedged.volatility.value is None
    assert hedged.volatility_annual == hedged.volatility
    assert volatility([D(1), D(2)], D(-1)).value is None


@given(st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=60))
def test_the_deviation_is_the_sample_deviation(results: list[int]) -> None:
    exact = statistics.variance([D(result) for result in results])
    found = deviation([D(result) for result in results])
    assert math.isclose(float(found) ** 2, float(exact), rel_tol=1e-9, abs_tol=1e-9)
    assert math.isclose(
        float(parametric_var([D(r) for r in results])), 1.6448536 * float(found), rel_tol=1e-6
    )


def test_a_year_is_252_trading_days() -> None:
    assert round(annual(D("0.01")), 6) == D("0.158745")


def days_of(*values: tuple[int, int]) -> list[DayValue]:
    return [
        DayValue(date=f"2025-05-{day:02}", equity=D(equity), flow=D(flow))
        for day, (equity, flow) in enumerate(values, 1)
    ]


@pytest.mark.req("S000-22")
def test_the_drawdown_is_the_fall_from_the_highest_and_a_deposit_does_not_hide_it() -> None:
    fall = drawdown(days_of((1_000, 1_000), (1_200, 0), (900, 0), (1_900, 1_000), (2_090, 0)))
    assert fall.worst.value == D("0.25")
    # 1.2, then 0.9, then 0.9 (a deposit moves nothing), then 0.99 of the first won.
    assert fall.now.value is not None
    assert round(fall.now.value, 12) == D("0.175")


def test_a_loss_on_the_first_day_counts_from_what_was_put_in() -> None:
    assert drawdown(days_of((900, 1_000), (900, 0))).worst.value == D("0.1")


@pytest.mark.req("I-53")
def test_without_a_second_day_or_anything_invested_there_is_no_drawdown() -> None:
    assert drawdown(days_of((1_000, 1_000))).worst.value is None
    assert drawdown(days_of((1_000, 1_000))).worst.why.startswith("1 day of equity and 2")
    assert "nothing was invested" in drawdown(days_of((0, 0), (50, 0))).worst.why
    assert drawdown(days_of((0, 0), (100, 100))).worst.value == 0


@pytest.mark.req("I-36")
@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), max_size=20))
def test_the_days_results_are_what_equity_gained_beyond_what_came_in(days: list[tuple[int, int]]) -> None:
    equity, values = 0, []
    for number, (result, flow) in enumerate(days):
        equity += result + flow
        values.append(DayValue(date=str(number), equity=D(equity), flow=D(flow)))
    assert [result for _, result in results_by_day(values)] == [result for result, _ in days]
