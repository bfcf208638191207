"""Specification 000's `CommissionCalculator`: its signature, on exact numbers and dated tables."""

from datetime import date
from decimal import Decimal
from enum import Enum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.errors import BadInput, ConfigError
from jumun.model.instruments import Instrument, InstrumentMaster, Market, Product, UnknownSymbol, Venue
from jumun.model.money import BadNumber, Currency
from jumun.model.orders import Side
from jumun.model.reasons import Reason
from jumun.rules.commission import CommissionCalculator, Number
from jumun.rules.cost_tables import NoCostTable
from jumun.rules.costs import CostKind

TRADED = date(2026, 6, 10)


def listed(symbol: str, market: Market, product: Product = Product.SHARE) -> Instrument:
    home = market is Market.US
    return Instrument(
        symbol=symbol,
        market=market,
        product=product,
        currency=Currency.USD if home else Currency.KRW,
        venue=Venue.US if home else Venue.KRX,
    )


MASTER = InstrumentMaster(
    [
        listed("005930", Market.KOSPI),
        listed("247540", Market.KOSDAQ),
        listed("069500", Market.KOSPI, Product.ETF),
        listed("AAPL", Market.US),
        listed("SPY", Market.US, Product.ETF),
    ]
)


class AnOrder(msgspec.Struct):
    """As little of an order as 000 promises."""

    symbol: str
    side: Side | str


class TheirSide(Enum):
    """000's own enum, lower case."""

    SELL = "sell"


def calculator(traded: date = TRADED, **rates: Number) -> CommissionCalculator:
    return CommissionCalculator(rates, MASTER.get, trade_date_of=lambda _instrument: traded)


@pytest.mark.req("S000-23", "S000-24", "S000-45", "S000-46", "C-44")
def test_a_korean_buy_pays_brokerage_as_a_float() -> None:
    commission = calculator(brokerage_rate=0.000140527).calculate_commission(
        AnOrder("005930", Side.BUY), 70_000.0, 10
    )
    assert isinstance(commission, float)
    assert commission == 98.0


@pytest.mark.req("S000-25", "S000-48", "C-20")
@pytest.mark.parametrize(
    ("symbol", "total"), [("005930", 98 + 350 + 1_050), ("247540", 98 + 1_400), ("069500", 103)]
)
def test_a_sell_adds_the_taxes_of_its_market(symbol: str, total: int) -> None:
    assert calculator().calculate_commission(AnOrder(symbol, Side.SELL), 70_000.0, 10) == total


@pytest.mark.req("S000-25", "C-20")
def test_the_taxes_follow_the_date_the_trade_settles() -> None:
    for traded, tax in ((date(2025, 12, 26), 1_050), (date(2025, 12, 29), 1_400)):
        items = calculator(traded).itemise(AnOrder("247540", Side.SELL), 70_000, 10)
        assert {item.kind: item.amount for item in items}[CostKind.TRANSACTION_TAX] == tax


@pytest.mark.req("S000-26")
def test_a_fund_has_its_own_rate_or_the_configured_one() -> None:
    fund = AnOrder("069500", Side.BUY)
    assert calculator().calculate_commission(fund, 70_000.0, 10) == 103
    assert calculator(brokerage_rate="0.00015").calculate_commission(fund, 70_000.0, 10) == 105
    both = calculator(brokerage_rate="0.00015", etf_brokerage_rate="0.0001")
    assert both.calculate_commission(fund, 70_000.0, 10) == 70


@pytest.mark.req("S000-27")
def test_an_overseas_order_pays_in_dollars_by_its_own_table() -> None:
    assert calculator().calculate_commission(AnOrder("AAPL", Side.BUY), 230.15, 10) == 5.75
    assert calculator().calculate_commission(AnOrder("AAPL", Side.SELL), 230.15, 10) == 5.75 + 0.05 + 0.01
    cheap = calculator(us_brokerage_rate=0.0007, us_min_brokerage_fee=2)
    assert cheap.calculate_commission(AnOrder("SPY", Side.BUY), 230.15, 10) == 2.0
    assert cheap.calculate_commission(AnOrder("SPY", Side.BUY), 2301.5, 10) == 16.11


@pytest.mark.req("S000-28")
def test_a_discount_never_touches_the_tax() -> None:
    free = calculator(discount_rate=1.0)
    assert free.calculate_commission(AnOrder("005930", Side.SELL), 70_000.0, 10) == 1_400
    assert free.calculate_commission(AnOrder("005930", Side.BUY), 70_000.0, 10) == 0
    assert calculator(discount_rate=0.5).calculate_commission(AnOrder("AAPL", Side.BUY), 230.15, 10) == 2.88


@pytest.mark.req("S000-47")
def test_brokerage_never_falls_below_its_minimum() -> None:
    floor = calculator(brokerage_rate=0.00015, min_brokerage_fee=1_000)
    assert floor.calculate_commission(AnOrder("005930", Side.BUY), 70_000.0, 10) == 1_000
    assert floor.calculate_commission(AnOrder("005930", Side.BUY), 70_000.0, 1_000) == 10_500
    assert floor.calculate_commission(AnOrder("005930", Side.SELL), 70_000.0, 10) == 1_000 + 1_400


@pytest.mark.req("S000-46", "C-44", "I-31")
def test_a_double_is_multiplied_as_the_decimal_it_was_written_as() -> None:
    # 1.15 x 3 is 3.4499999999999997 in doubles; a tenth of that would round to 0.34.
    items = calculator(us_brokerage_rate=0.1).itemise(AnOrder("AAPL", Side.BUY), 1.15, 3)
    assert items[0].amount == Decimal("0.35")
    exact = calculator(us_brokerage_rate="0.1").itemise(
        AnOrder("AAPL", Side.BUY), Decimal("1.15"), Decimal(3)
    )
    assert exact == items


@pytest.mark.req("S000-45")
@pytest.mark.parametrize("side", [Side.SELL, "SELL", "sell", TheirSide.SELL])
def test_any_spelling_of_a_side_is_understood(side: Side | str) -> None:
    assert calculator().calculate_commission(AnOrder("005930", side), 70_000, 10) == 1_498


@pytest.mark.parametrize("side", ["SHORT", "", "매도"])
def test_an_unknown_side_is_refused_not_taken_for_a_buy(side: str) -> None:
    with pytest.raises(BadInput, match="send BUY or SELL") as refusal:
        calculator().calculate_commission(AnOrder("005930", side), 70_000, 10)
    assert refusal.value.reason is Reason.UNKNOWN_SIDE


@pytest.mark.req("F-96")
@pytest.mark.parametrize(("price", "qty"), [(float("nan"), 1), (float("inf"), 1), (70_000.0, -1), (True, 1)])
def test_a_nonsensical_fill_is_refused(price: float, qty: int) -> None:
    with pytest.raises(BadNumber):
        calculator().calculate_commission(AnOrder("005930", Side.BUY), price, qty)


@pytest.mark.req("I-53")
def test_an_unknown_symbol_or_date_has_no_commission() -> None:
    with pytest.raises(UnknownSymbol):
        calculator().calculate_commission(AnOrder("000000", Side.BUY), 70_000, 10)
    with pytest.raises(NoCostTable):
        calculator(date(2026, 12, 30)).calculate_commission(AnOrder("005930", Side.SELL), 70_000, 10)


def test_a_misspelt_rate_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="min_brokerage_fee"):
        calculator(minimum_fee=1_000)
    with pytest.raises(BadNumber, match="brokerage_rate"):
        calculator(brokerage_rate="0.015%")


@pytest.mark.req("S000-113")
@given(price=st.integers(1, 2_000_000), qty=st.integers(1, 10_000))
def test_a_sell_never_costs_less_than_a_buy(price: int, qty: int) -> None:
    buy = calculator().calculate_commission(AnOrder("005930", Side.BUY), price, qty)
    sell = calculator().calculate_commission(AnOrder("005930", Side.SELL), price, qty)
    assert 0 <= buy <= sell
