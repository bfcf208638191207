"""A small market for demonstrations and simulated days: real names, GENERATED prices.

Base prices are round numbers near the prices of June 2025 and say nothing about today.
"""

from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from jumun.exchange.world import World
from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.model.money import Currency
from jumun.model.orders import TradingSession
from jumun.rules.trading_days import ALWAYS_OPEN, Overrides


def _krx(
    symbol: str, name: str, market: Market = Market.KOSPI, product: Product = Product.SHARE
) -> Instrument:
    return Instrument(
        symbol=symbol, market=market, product=product, currency=Currency.KRW, venue=Venue.KRX, name=name
    )


def _us(symbol: str, name: str, product: Product, exchange: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        market=Market.US,
        product=product,
        currency=Currency.USD,
        venue=Venue.US,
        name=name,
        exchange=exchange,
    )


INSTRUMENTS: Final = (
    _krx("005930", "Samsung Electronics"),
    _krx("000660", "SK hynix"),
    _krx("035420", "NAVER"),
    _krx("247540", "EcoPro BM", Market.KOSDAQ),
    _krx("005935", "Samsung Electronics preferred", product=Product.PREFERRED),
    _krx("069500", "KODEX 200", product=Product.ETF),
    _krx("0197X0", "a fund with a letter in its code", product=Product.ETF),
    _us("AAPL", "Apple", Product.SHARE, "NASD"),
    _us("SPMO", "Invesco S&P 500 Momentum", Product.ETF, "AMEX"),
    _us("IAU", "iShares Gold Trust", Product.ETF, "AMEX"),
    _us("SMH", "VanEck Semiconductor", Product.ETF, "NASD"),
)

BASES: Final = {
    "005930": Decimal(58_000),
    "000660": Decimal(248_000),
    "035420": Decimal(205_000),
    "247540": Decimal(96_000),
    "005935": Decimal(48_000),
    "069500": Decimal(38_500),
    "0197X0": Decimal(10_250),
    "AAPL": Decimal("196.50"),
    "SPMO": Decimal("108.20"),
    "IAU": Decimal("63.90"),
    "SMH": Decimal("259.40"),
}


def sample_world(overrides: Overrides = ALWAYS_OPEN) -> World:
    """Return the sample market; open around the clock unless real `overrides` are given."""
    return World(name="sample", instruments=INSTRUMENTS, bases=BASES, overrides=overrides)


def whole_day_world(overrides: Overrides) -> World:
    """Return the sample market with every session of KRX and NXT; its Korean shares trade at both."""
    world = sample_world(overrides)
    sessions = tuple(session for session in TradingSession if session is not TradingSession.REGULAR)
    listed = tuple(
        replace(issue, nxt=issue.venue is Venue.KRX and issue.product is Product.SHARE)
        for issue in world.instruments
    )
    return replace(world, sessions=sessions, instruments=listed)
