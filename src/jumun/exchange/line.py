"""One order book with what surrounds it: an issue at one venue, in one kind of session.

Sessions that cannot trade with each other have lines of their own; at NXT the whole day is one.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from jumun.exchange.order_book import BookOrder
from jumun.exchange.records import Printed
from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import TradingSession
from jumun.rules.sessions import Phase, SessionPlan


class Mode(StrEnum):
    """What a line does with an order now."""

    CLOSED = "CLOSED"
    AUCTION = "AUCTION"  # orders collect until one price clears them
    CONTINUOUS = "CONTINUOUS"
    FIXED = "FIXED"  # trades at the day's close, or the one before, only
    FIXED_ENTRY = "FIXED_ENTRY"  # orders for it collect
    HALTED = "HALTED"


class Moment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a venue's clock says from `start_ns` to `end_ns` (excluded).

    `taken` are the sessions whose orders are taken now, each with the instant its orders expire.
    """

    phase: Phase
    day: date
    trade_date: str
    start_ns: int
    end_ns: int
    plan: SessionPlan | None
    taken: dict[TradingSession, int]


class Line(msgspec.Struct, kw_only=True):
    """Everything but the book itself. Instants are 0 where there is none."""

    name: str
    symbol: str
    venue: Venue
    session: TradingSession
    newest: Printed | None = None
    quotes_end_ns: int = 0
    auction_start_ns: int = 0  # of the auction that runs or comes next
    auction_end_ns: int = 0
    interest: tuple[Decimal, Decimal] | None = None  # background: price, and shares on each side
    extended: bool = False  # this auction has been extended by a VI
    static: tuple[str, Decimal] | None = None  # day and price of the last auction: the static VI's reference
    limit_since_ns: int = 0  # LULD: since when the market is at its band
    recent: list[tuple[int, Decimal]] = []  # LULD: prints of the last five minutes
    opening: list[str] = []  # keys of orders for the opening auction only
    closing: dict[str, BookOrder] = {}  # orders that wait for the closing auction, outside the book
    stops: list[str] = []  # keys of stop orders that wait for their price

    @property
    def is_primary(self) -> bool:
        """Whether this is the regular session where the issue is listed."""
        return self.name == self.symbol

    def in_auction(self, now_ns: int) -> bool:
        """Whether a scheduled auction runs."""
        return self.auction_start_ns <= now_ns < self.auction_end_ns


PHASE_SESSION: Final = {
    Phase.PRE_MARKET: TradingSession.PRE_MARKET,
    Phase.AFTER_CLOSE_ENTRY: TradingSession.CLOSE_AFTER,
    Phase.AFTER_CLOSE: TradingSession.CLOSE_AFTER,
    Phase.SINGLE_PRICE: TradingSession.SINGLE_PRICE,
    Phase.AFTER_MARKET: TradingSession.AFTER_MARKET,
    Phase.DAY_MARKET: TradingSession.DAY_MARKET,
}


def line_name(instrument: Instrument, venue: Venue, session: TradingSession) -> str:
    """Return the symbol for the regular session at home; other lines say what they are."""
    if venue is not instrument.venue:
        return f"{instrument.symbol}@{venue.value}"
    if session is TradingSession.REGULAR:
        return instrument.symbol
    return f"{instrument.symbol}@{venue.value}/{session.value}"
