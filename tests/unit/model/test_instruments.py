"""Instruments: symbols of both countries, contradictions refused, and a master list that fails closed."""

from decimal import Decimal
from typing import Any

import pytest

from jumun.model.instruments import (
    BadInstrument,
    BadSymbol,
    Instrument,
    InstrumentMaster,
    Market,
    Product,
    UnknownSymbol,
    Venue,
    instrument_key,
    parse_product,
    parse_symbol,
)
from jumun.model.money import Currency
from jumun.model.reasons import Reason


def samsung(**changes: Any) -> Instrument:
    fields: dict[str, Any] = {
        "symbol": "005930",
        "market": Market.KOSPI,
        "product": Product.SHARE,
        "currency": Currency.KRW,
        "venue": Venue.KRX,
    }
    return Instrument(**(fields | changes))


def apple(**changes: Any) -> Instrument:
    fields = {"symbol": "AAPL", "market": Market.US, "currency": Currency.USD, "venue": Venue.US}
    return samsung(**(fields | changes))


@pytest.mark.parametrize("text", ["005930", "0197X0", "0000D0", "00104K", "Q500067", "900110"])
@pytest.mark.parametrize("market", [Market.KOSPI, Market.KOSDAQ, Market.KONEX])
def test_korean_codes_with_letters_are_valid(text: str, market: Market) -> None:
    assert parse_symbol(text, market) == text


@pytest.mark.parametrize("text", ["AAPL", "F", "BRK.B", "BF-B", "ABCDEF1234"])
def test_us_tickers_are_valid(text: str) -> None:
    assert parse_symbol(text, Market.US) == text


@pytest.mark.req("F-41", "F-97")
@pytest.mark.parametrize(
    ("text", "market"),
    [
        ("", Market.KOSPI),
        ("5930", Market.KOSPI),
        ("A005930", Market.KOSPI),
        ("005930 ", Market.KOSPI),
        ("005930\n", Market.KOSPI),
        ("0197x0", Market.KOSPI),
        ("00593\N{FULLWIDTH DIGIT ZERO}", Market.KOSPI),
        ("aapl", Market.US),
        ("1AAPL", Market.US),
        ("ABCDEFGHIJK", Market.US),
        ("AA PL", Market.US),
    ],
)
def test_text_that_cannot_be_a_symbol_is_refused(text: str, market: Market) -> None:
    with pytest.raises(BadSymbol, match="send one shaped like") as refusal:
        parse_symbol(text, market)
    assert refusal.value.reason is Reason.UNKNOWN_SYMBOL


def test_a_us_ticker_never_shares_a_key_with_a_korean_code() -> None:
    assert instrument_key("ABCDEF", Market.US) == "US:ABCDEF"
    assert instrument_key("ABCDEF", Market.KOSPI) == "KRX:ABCDEF"
    assert (samsung().key, apple().key) == ("KRX:005930", "US:AAPL")


def test_only_funds_and_notes_count_as_exchange_traded_products() -> None:
    assert {product for product in Product if samsung(product=product).is_etp} == {Product.ETF, Product.ETN}


def test_reits_and_spacs_trade_by_the_share_rules_and_warrants_do_not_trade() -> None:
    assert parse_product("REIT") is parse_product("SPAC") is parse_product("SHARE") is Product.SHARE
    assert parse_product("ETN") is Product.ETN
    for word in ("ELW", "DR", "", "etf"):
        with pytest.raises(BadInstrument, match="is not traded here"):
            parse_product(word)


@pytest.mark.req("F-97", "I-31")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lot": Decimal(0)}, "lot is 0"),
        ({"lot": Decimal("NaN")}, "finite Decimal"),
        ({"lot": 1.0}, "finite Decimal"),
        ({"leverage": Decimal(0)}, "leverage is 0"),
        ({"leverage": 2}, "finite Decimal"),
        ({"currency": Currency.USD}, "trades in KRW"),
        ({"venue": Venue.US}, "not traded at US"),
        ({"exchange": "NASD"}, "which only US issues have"),
    ],
)
def test_an_instrument_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInstrument, match=message) as refusal:
        samsung(**changes)
    assert refusal.value.reason is Reason.BAD_INPUT


@pytest.mark.req("F-97")
def test_a_us_share_in_won_or_at_a_korean_venue_is_refused() -> None:
    with pytest.raises(BadInstrument, match="trades in USD"):
        apple(currency=Currency.KRW)
    with pytest.raises(BadInstrument, match="not traded at NXT"):
        apple(venue=Venue.NXT)
    with pytest.raises(BadInstrument, match="none of AMEX, NASD, NYSE"):
        apple(exchange="ARCA")
    assert apple(exchange="NASD").exchange == "NASD"
    assert apple(fractional=True, lot=Decimal("0.0001")).fractional
    assert samsung(venue=Venue.NXT).venue is Venue.NXT


@pytest.mark.req("I-53", "F-59")
def test_a_symbol_that_is_not_listed_is_refused() -> None:
    master = InstrumentMaster([samsung(), apple()])
    assert master.get("005930") == samsung()
    assert "AAPL" in master
    assert "000000" not in master
    assert len(master) == len(list(master)) == 2
    with pytest.raises(UnknownSymbol, match="load today's list") as refusal:
        master.get("000000")
    assert refusal.value.reason is Reason.UNKNOWN_SYMBOL


@pytest.mark.req("F-97")
def test_one_symbol_with_two_meanings_is_refused() -> None:
    assert len(InstrumentMaster([samsung(), samsung()])) == 1
    with pytest.raises(BadInstrument, match="listed twice"):
        InstrumentMaster([samsung(), samsung(market=Market.KOSDAQ)])
