"""Tick sizes: the tables by date, and rounding that is never more aggressive than asked."""

import csv
import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.model.money import Currency
from jumun.model.reasons import Reason
from jumun.rules.ticks import (
    NoTickTable,
    PriceNotPositive,
    ceil_to_tick,
    floor_to_tick,
    is_on_tick,
    round_to_tick_safe,
    tick_size,
)

NOW = date(2026, 11, 20)
DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "krx_daily_2025-05_06.csv.gz"


def korean(market: Market = Market.KOSPI, product: Product = Product.SHARE) -> Instrument:
    return Instrument(symbol="005930", market=market, product=product, currency=Currency.KRW, venue=Venue.KRX)


AAPL = Instrument(
    symbol="AAPL", market=Market.US, product=Product.SHARE, currency=Currency.USD, venue=Venue.US
)


@pytest.mark.req("S002-25", "I-57")
@pytest.mark.parametrize("market", [Market.KOSPI, Market.KOSDAQ, Market.KONEX])
@pytest.mark.parametrize(
    ("price", "tick"),
    [
        ("1", "1"),
        ("1999", "1"),
        ("2000", "5"),
        ("4995", "5"),
        ("5000", "10"),
        ("19990", "10"),
        ("20000", "50"),
        ("49950", "50"),
        ("50000", "100"),
        ("199900", "100"),
        ("200000", "500"),
        ("499500", "500"),
        ("500000", "1000"),
        ("1250000", "1000"),
    ],
)
def test_a_korean_share_moves_in_the_tick_of_its_price(market: Market, price: str, tick: str) -> None:
    assert tick_size(korean(market), Decimal(price), NOW) == Decimal(tick)


@pytest.mark.req("S002-25", "I-57")
@pytest.mark.parametrize(
    ("market", "price", "before", "after"),
    [
        (Market.KOSPI, "1500", "5", "1"),
        (Market.KOSPI, "12000", "50", "10"),
        (Market.KOSPI, "150000", "500", "100"),
        (Market.KOSPI, "600000", "1000", "1000"),
        (Market.KOSDAQ, "150000", "100", "100"),
        (Market.KOSDAQ, "600000", "100", "1000"),
    ],
)
def test_the_tick_changes_on_the_day_the_exchange_changed_it(
    market: Market, price: str, before: str, after: str
) -> None:
    assert tick_size(korean(market), Decimal(price), date(2023, 1, 24)) == Decimal(before)
    assert tick_size(korean(market), Decimal(price), date(2023, 1, 25)) == Decimal(after)


@pytest.mark.req("S002-25", "I-57")
@pytest.mark.parametrize("product", [Product.ETF, Product.ETN])
def test_a_fund_moves_in_one_won_below_two_thousand_and_five_above(product: Product) -> None:
    fund = korean(product=product)
    assert tick_size(fund, Decimal(1999), NOW) == 1
    assert tick_size(fund, Decimal(2000), NOW) == 5
    assert tick_size(fund, Decimal(99_995), NOW) == 5
    assert tick_size(fund, Decimal(1999), date(2023, 12, 7)) == 5


@pytest.mark.req("I-53", "F-98")
@pytest.mark.parametrize("day", [date(2023, 12, 8), date(2023, 12, 11), date(2023, 12, 18)])
def test_a_fund_price_is_refused_on_days_whose_tick_nobody_confirmed(day: date) -> None:
    with pytest.raises(NoTickTable, match="with its source") as refusal:
        tick_size(korean(product=Product.ETF), Decimal(1500), day)
    assert refusal.value.reason is Reason.NO_TABLE
    assert tick_size(korean(), Decimal(1500), day) == 1, "shares were never in doubt on those days"
    assert tick_size(korean(product=Product.ETF), Decimal(1500), date(2023, 12, 19)) == 1


@pytest.mark.req("I-53")
@pytest.mark.parametrize(
    ("instrument", "day"),
    [
        (korean(), date(2018, 12, 31)),
        (korean(Market.KONEX), date(2023, 1, 24)),
        (AAPL, date(2018, 12, 31)),
    ],
)
def test_no_table_means_no_price_is_valid(instrument: Instrument, day: date) -> None:
    with pytest.raises(NoTickTable):
        is_on_tick(instrument, Decimal(100), day)


@pytest.mark.req("S002-25")
def test_a_us_share_moves_in_cents_and_below_a_dollar_in_hundredths_of_a_cent() -> None:
    assert tick_size(AAPL, Decimal("1.00"), NOW) == Decimal("0.01")
    assert tick_size(AAPL, Decimal("0.9999"), NOW) == Decimal("0.0001")
    assert is_on_tick(AAPL, Decimal("230.15"), NOW)
    assert not is_on_tick(AAPL, Decimal("230.155"), NOW)
    assert round_to_tick_safe(AAPL, Decimal("0.99999"), NOW, side_is_buy=False) == Decimal("1.00")


@pytest.mark.req("S002-28", "I-57")
@pytest.mark.parametrize(
    ("price", "buy", "sell"),
    [
        ("70050", "70000", "70100"),
        ("70000", "70000", "70000"),
        ("49999", "49950", "50000"),
        ("1999.5", "1999", "2000"),
        ("199999", "199900", "200000"),
        ("500499", "500000", "501000"),
    ],
)
def test_a_buy_rounds_down_and_a_sell_rounds_up(price: str, buy: str, sell: str) -> None:
    assert round_to_tick_safe(korean(), Decimal(price), NOW, side_is_buy=True) == Decimal(buy)
    assert round_to_tick_safe(korean(), Decimal(price), NOW, side_is_buy=False) == Decimal(sell)


@pytest.mark.req("F-96")
@pytest.mark.parametrize("price", ["0", "-70000", "NaN", "Infinity"])
def test_a_price_that_is_not_above_zero_has_no_tick(price: str) -> None:
    with pytest.raises(PriceNotPositive, match="005930"):
        tick_size(korean(), Decimal(price), NOW)


def test_a_buy_below_the_smallest_tick_is_refused_instead_of_becoming_free() -> None:
    with pytest.raises(PriceNotPositive):
        round_to_tick_safe(korean(), Decimal("0.5"), NOW, side_is_buy=True)
    assert round_to_tick_safe(korean(), Decimal("0.5"), NOW, side_is_buy=False) == 1


INSTRUMENTS = st.sampled_from(
    [korean(market) for market in (Market.KOSPI, Market.KOSDAQ, Market.KONEX)]
    + [korean(product=Product.ETF), korean(product=Product.ETN), AAPL]
)
PRICES = st.decimals(min_value="1", max_value="5000000", allow_nan=False, places=6)
DAYS = st.sampled_from([NOW, date(2025, 6, 2), date(2024, 1, 2)])


@pytest.mark.req("S002-25", "S002-28", "I-57")
@given(instrument=INSTRUMENTS, price=PRICES, on=DAYS)
def test_a_rounded_price_is_on_the_tick_of_where_it_landed(
    instrument: Instrument, price: Decimal, on: date
) -> None:
    sell = ceil_to_tick(instrument, price, on)
    assert is_on_tick(instrument, sell, on)
    assert sell >= price
    assert ceil_to_tick(instrument, sell, on) == sell
    if price >= tick_size(instrument, price, on):
        buy = floor_to_tick(instrument, price, on)
        assert is_on_tick(instrument, buy, on)
        assert buy <= price
        assert floor_to_tick(instrument, buy, on) == buy
        assert sell - buy in (0, tick_size(instrument, price, on))


@pytest.mark.req("S002-25")
@given(price=st.decimals(min_value="1", max_value="2000000", allow_nan=False, places=2))
def test_older_tables_round_the_same_safe_way(price: Decimal) -> None:
    for market in (Market.KOSPI, Market.KOSDAQ):
        share, day = korean(market), date(2022, 6, 2)
        buy = round_to_tick_safe(share, price, day, side_is_buy=True)
        sell = round_to_tick_safe(share, price, day, side_is_buy=False)
        assert buy <= price <= sell
        assert is_on_tick(share, buy, day)
        assert is_on_tick(share, sell, day)


@pytest.mark.req("S002-25", "F-98")
def test_real_prices_of_every_korean_share_are_on_our_ticks() -> None:
    if not DATA.exists():
        pytest.skip("no recorded prices: put krx_daily_2025-05_06.csv.gz in ../shared/data to run this")
    seen: dict[tuple[str, date], int] = {}
    with gzip.open(DATA, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            if Decimal(row["open"]) == 0:  # a day on which the share did not trade
                continue
            day = date.fromisoformat(row["date"])
            for column in ("open", "high", "low", "close"):
                seen[row[column], day] = seen.get((row[column], day), 0) + 1
    share = korean()  # KOSPI, KOSDAQ and KONEX have had one table since 2023
    good = sum(n for (text, day), n in seen.items() if is_on_tick(share, Decimal(text), day))
    total = sum(seen.values())
    assert total > 100_000, f"only {total} prices were read"
    assert good >= 0.99 * total, f"{good} of {total} prices ({good / total:.3%}) are on a valid tick"
