"""Daily price limits against the worked values of the market reference."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.model.money import Currency
from jumun.model.reasons import Reason
from jumun.rules.bands import NoBandRule, PriceBand, price_band
from jumun.rules.ticks import NoTickTable, PriceNotPositive, floor_to_tick, is_on_tick

NOW = date(2026, 11, 20)


def korean(
    market: Market = Market.KOSPI, product: Product = Product.SHARE, leverage: str = "1"
) -> Instrument:
    return Instrument(
        symbol="005930",
        market=market,
        product=product,
        currency=Currency.KRW,
        venue=Venue.KRX,
        leverage=Decimal(leverage),
    )


def band_of(instrument: Instrument, base: str, on: date = NOW, *, new_listing: bool = False) -> PriceBand:
    band = price_band(instrument, Decimal(base), on, new_listing=new_listing)
    assert band is not None
    return band


def limits(band: PriceBand) -> tuple[str, str]:
    return str(band.lower), str(band.upper)


@pytest.mark.req("I-05", "I-57")
@pytest.mark.parametrize(
    ("base", "upper", "lower"),
    [
        (500, 650, 350),
        (999, 1_298, 700),
        (1_999, 2_595, 1_400),
        (2_000, 2_600, 1_400),
        (2_005, 2_605, 1_405),  # the 1.5 won under a tick are lost before the lower end, not there
        (3_850, 5_000, 2_695),
        (4_995, 6_490, 3_500),
        (9_940, 12_920, 6_960),
        (15_400, 20_000, 10_780),
        (19_990, 25_950, 14_000),
        (20_050, 26_050, 14_050),
        (49_950, 64_900, 35_000),
        (50_000, 65_000, 35_000),
        (70_000, 91_000, 49_000),
        (154_000, 200_000, 107_800),
        (199_900, 259_500, 140_000),
        (385_000, 500_000, 269_500),
        (499_500, 649_000, 350_000),
        (538_000, 699_000, 377_000),
        (1_000_000, 1_300_000, 700_000),
    ],
)
@pytest.mark.parametrize("market", [Market.KOSPI, Market.KOSDAQ])
def test_a_share_may_move_thirty_percent_a_day(market: Market, base: int, upper: int, lower: int) -> None:
    band = band_of(korean(market), str(base))
    assert limits(band) == (str(lower), str(upper))
    assert band.base == base


@pytest.mark.req("I-05", "I-57")
def test_the_exchange_s_own_example_holds_under_the_table_it_was_written_for() -> None:
    assert band_of(korean(), "9940", date(2022, 6, 2)).upper == 12_900


@pytest.mark.req("I-57")
@pytest.mark.parametrize(
    ("leverage", "base", "upper", "lower"),
    [
        ("1", 1_540, 2_000, 1_078),
        ("1", 1_995, 2_590, 1_397),
        ("1", 6_220, 8_085, 4_355),
        ("2", 10_005, 16_005, 4_005),
        ("-2", 10_005, 16_005, 4_005),
        ("-1", 6_220, 8_085, 4_355),
    ],
)
def test_a_fund_moves_by_its_multiple(leverage: str, base: int, upper: int, lower: int) -> None:
    band = band_of(korean(product=Product.ETF, leverage=leverage), str(base))
    assert limits(band) == (str(lower), str(upper))


@pytest.mark.req("I-57")
def test_konex_moves_half_as_far() -> None:
    band = band_of(korean(Market.KONEX), "10000")
    assert limits(band) == ("8500", "11500")


@pytest.mark.req("I-57")
def test_a_share_may_quadruple_on_its_first_day() -> None:
    band = band_of(korean(Market.KOSDAQ), "25000", date(2023, 6, 26), new_listing=True)
    assert limits(band) == ("15000", "100000")
    fund = band_of(korean(product=Product.ETF), "10000", new_listing=True)
    assert limits(fund) == ("7000", "13000"), "a fund has no first-day band"


@pytest.mark.req("I-53")
@pytest.mark.parametrize(
    ("market", "day"), [(Market.KOSPI, date(2023, 6, 23)), (Market.KONEX, date(2026, 11, 20))]
)
def test_a_first_day_without_a_known_rule_is_refused(market: Market, day: date) -> None:
    with pytest.raises(NoBandRule, match="wait for the second day") as refusal:
        price_band(korean(market), Decimal(25_000), day, new_listing=True)
    assert refusal.value.reason is Reason.NO_TABLE


@pytest.mark.parametrize(("base", "lower", "upper"), [("1", 1, 2), ("2", 1, 3), ("3", 2, 4), ("4", 3, 5)])
def test_a_penny_share_still_moves_one_won_and_never_to_nothing(base: str, lower: int, upper: int) -> None:
    band = band_of(korean(), base)
    assert limits(band) == (str(lower), str(upper))


def test_the_united_states_have_no_daily_band() -> None:
    apple = Instrument(
        symbol="AAPL", market=Market.US, product=Product.SHARE, currency=Currency.USD, venue=Venue.US
    )
    assert price_band(apple, Decimal(230), NOW) is None


@pytest.mark.req("I-57")
def test_a_price_is_inside_up_to_both_limits_and_nan_never_is() -> None:
    band = band_of(korean(), "70000")
    assert band.contains(Decimal(49_000))
    assert band.contains(Decimal(91_000))
    assert not band.contains(Decimal(48_950))
    assert not band.contains(Decimal(91_100))
    assert not band.contains(Decimal("NaN"))


@pytest.mark.req("I-53")
def test_a_band_without_a_base_or_a_tick_table_is_refused() -> None:
    with pytest.raises(PriceNotPositive):
        price_band(korean(), Decimal(0), NOW)
    with pytest.raises(NoTickTable):
        price_band(korean(product=Product.ETF), Decimal(1_500), date(2023, 12, 11))


@pytest.mark.req("I-05", "I-57")
@given(price=st.integers(min_value=1, max_value=3_000_000), leverage=st.sampled_from(["1", "2", "-2"]))
def test_both_limits_are_valid_prices_around_the_base(price: int, leverage: str) -> None:
    for product in (Product.SHARE, Product.ETF):
        issue = korean(product=product, leverage=leverage)
        base = floor_to_tick(issue, Decimal(price), NOW)
        band = band_of(issue, str(base))
        assert is_on_tick(issue, band.lower, NOW)
        assert is_on_tick(issue, band.upper, NOW)
        assert band.lower <= base <= band.upper
        multiple = abs(Decimal(leverage)) if product is Product.ETF else Decimal(1)
        assert band.upper <= max(base + base * multiple * Decimal("0.3"), base + 1)


@pytest.mark.req("I-63")
def test_a_band_keeps_the_base_as_it_was_written_whoever_asked_before() -> None:
    plain, padded = price_band(korean(), Decimal(58_000), NOW), price_band(korean(), Decimal("58000.00"), NOW)
    assert plain is not None
    assert padded is not None
    assert (str(plain.base), str(padded.base)) == ("58000", "58000.00")
    assert (plain.lower, plain.upper) == (padded.lower, padded.upper)
