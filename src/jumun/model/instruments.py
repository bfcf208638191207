"""What can be traded: venues, markets, products, and the master list that says what exists.

Source: krx_market.md section 10 (symbols). A symbol carries no meaning here: preferred shares, funds and
notes are told apart by the master, because KRX keeps widening where letters may stand.
"""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final

import msgspec

from jumun.model.errors import BadInput, OrderDenied
from jumun.model.money import Currency
from jumun.model.reasons import Reason


class Venue(StrEnum):
    """Where an order is sent. NXT trades issues that are listed at KRX."""

    KRX = "KRX"
    NXT = "NXT"
    US = "US"


class Market(StrEnum):
    """Where an issue is listed; decides tick, band and tax."""

    KOSPI = "KOSPI"
    KOSDAQ = "KOSDAQ"
    KONEX = "KONEX"
    US = "US"


class Product(StrEnum):
    """What kind of issue it is; decides tick, band, fee and tax exemption."""

    SHARE = "SHARE"
    PREFERRED = "PREFERRED"
    ETF = "ETF"
    ETN = "ETN"


class UnknownSymbol(OrderDenied):
    """The master list does not hold this symbol, so nothing about it can be decided."""

    default_reason: ClassVar[Reason] = Reason.UNKNOWN_SYMBOL


class BadSymbol(BadInput):
    """The text cannot be a symbol of that market."""

    default_reason: ClassVar[Reason] = Reason.UNKNOWN_SYMBOL


class BadInstrument(BadInput):
    """A row of the master list contradicts itself or another row."""


# REITs and SPACs trade by the share rules (ticks, bands, taxes), so the desk treats them as shares.
# ELW, warrants and subscription rights have no daily limit and other ticks: refused until rules exist.
PRODUCT_BY_NAME: Final = {
    "SHARE": Product.SHARE,
    "REIT": Product.SHARE,
    "SPAC": Product.SHARE,
    "PREFERRED": Product.PREFERRED,
    "ETF": Product.ETF,
    "ETN": Product.ETN,
}

US_EXCHANGES: Final = frozenset({"NASD", "NYSE", "AMEX"})  # NYSE Arca counts as AMEX (kis.md 4.7)
_KRX_SYMBOL = re.compile(r"[0-9A-Z]{6}|Q[0-9A-Z]{6}", re.ASCII)
_US_SYMBOL = re.compile(r"[A-Z][A-Z0-9.\-]{0,9}", re.ASCII)
_ONE: Final = Decimal(1)


class Instrument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One tradable issue.

    `lot` is the smallest quantity step in shares; `fractional` lets the account trade below one share (US).
    `leverage` is the signed daily multiple of a fund (2, -1, -2); 1 for everything else. `venue` is the
    primary one; a KRX issue may also be sent to NXT.
    """

    symbol: str
    market: Market
    product: Product
    currency: Currency
    venue: Venue
    lot: Decimal = _ONE
    fractional: bool = False
    leverage: Decimal = _ONE
    name: str = ""
    nxt: bool = False  # a KRX issue that NXT trades as well
    exchange: str = ""  # where a US issue is listed, as brokers ask for it: NASD, NYSE or AMEX

    def __post_init__(self) -> None:
        """Refuse a row that contradicts itself; a wrong row here would be a wrong order later."""
        parse_symbol(self.symbol, self.market)
        _require_finite(self.symbol, "lot", self.lot)
        _require_finite(self.symbol, "leverage", self.leverage)
        if self.lot <= 0:
            raise BadInstrument(f"{self.symbol}: lot is {self.lot}; give a quantity above zero")
        if self.leverage == 0:
            raise BadInstrument(f"{self.symbol}: leverage is 0; give the signed daily multiple, 1 for shares")
        home_currency = Currency.USD if self.market is Market.US else Currency.KRW
        if self.currency is not home_currency:
            raise BadInstrument(
                f"{self.symbol}: {self.market} trades in {home_currency}, not {self.currency}"
            )
        if self.exchange and (self.market is not Market.US or self.exchange not in US_EXCHANGES):
            known = ", ".join(sorted(US_EXCHANGES))
            raise BadInstrument(
                f"{self.symbol}: exchange {self.exchange!r} is none of {known}, which only US issues have"
            )
        if (self.market is Market.US) is not (self.venue is Venue.US):
            raise BadInstrument(f"{self.symbol}: {self.market} issues are not traded at {self.venue}")

    @property
    def is_etp(self) -> bool:
        """Whether this is an exchange traded fund or note: other ticks and fees, and no Korean sales tax."""
        return self.product in (Product.ETF, Product.ETN)

    @property
    def key(self) -> str:
        """The name under which books and queues keep this issue; see `instrument_key`."""
        return instrument_key(self.symbol, self.market)


def parse_symbol(text: str, market: Market) -> str:
    """Return `text` unchanged when it can be a symbol of `market`.

    Korea: six of 0-9A-Z, or Q and six (notes). United States: a letter, then up to nine of A-Z 0-9 . and -.
    Membership is the master's question. Raises BadSymbol.
    """
    pattern = _US_SYMBOL if market is Market.US else _KRX_SYMBOL
    if not pattern.fullmatch(text):
        shape = "AAPL or BRK.B" if market is Market.US else "005930, 0197X0 or Q500067"
        raise BadSymbol(f"{text!r} cannot be a {market} symbol; send one shaped like {shape}")
    return text


def parse_product(text: str) -> Product:
    """Return the product for a master-file word; REIT and SPAC count as shares. Raises BadInstrument."""
    if text not in PRODUCT_BY_NAME:
        known = ", ".join(sorted(PRODUCT_BY_NAME))
        raise BadInstrument(f"product {text!r} is not traded here; use one of {known}")
    return PRODUCT_BY_NAME[text]


def instrument_key(symbol: str, market: Market) -> str:
    """Return a key that is unique over all markets: a US ticker of six letters can look like a KRX code."""
    return f"{'US' if market is Market.US else 'KRX'}:{symbol}"


class InstrumentMaster:
    """The issues that exist today, by symbol. Built from rows, never changed; load a new one each day."""

    __slots__ = ("_by_symbol",)

    def __init__(self, rows: Iterable[Instrument]) -> None:
        """Take `rows`; a symbol that appears twice with different content raises BadInstrument."""
        self._by_symbol: dict[str, Instrument] = {}
        for row in rows:
            known = self._by_symbol.setdefault(row.symbol, row)
            if known != row:
                raise BadInstrument(f"{row.symbol} is listed twice with different content; keep one row")

    def get(self, symbol: str) -> Instrument:
        """Return the instrument, or raise UnknownSymbol: an issue we know nothing about is not traded."""
        instrument = self._by_symbol.get(symbol)
        if instrument is None:
            raise UnknownSymbol(
                f"symbol {symbol!r} is not in the master list; load today's list or correct it"
            )
        return instrument

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._by_symbol

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._by_symbol.values())

    def __len__(self) -> int:
        return len(self._by_symbol)


def _require_finite(symbol: str, field: str, value: object) -> None:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise BadInstrument(f"{symbol}: {field} is {value!r}; give a finite Decimal")
