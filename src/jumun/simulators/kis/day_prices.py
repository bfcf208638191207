"""What each issue traded at today, for the price inquiries: from the market's prints, by place.

A place is where the issue is listed, NXT, or the two together (UN). The day before is kept for its volume.
"""

from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import Interrupted, MarketEvent, Printed
from jumun.model.instruments import Instrument, Venue
from jumun.model.money import EXACT
from jumun.model.orders import TradingSession
from jumun.simulators.kis.figures import ZERO, local

HOME: Final = "HOME"
NXT: Final = "NXT"
BOTH: Final = "UN"
PLACE_OF_CODE: Final = {"J": HOME, "NX": NXT, "UN": BOTH}  # FID_COND_MRKT_DIV_CODE
INTERRUPTIONS_MAX: Final = 1_000  # remembered for inquire-vi-status; more happen in no simulated day


class DayPrices(msgspec.Struct, kw_only=True):
    """One day of one issue at one place. Prices in the issue's currency, volume in shares."""

    day: str  # ISO date at the venue
    opened: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    ts_ns: int
    volume: Decimal = ZERO
    amount: Decimal = ZERO
    volume_before: Decimal = ZERO  # of the day before that it traded on


class Board:
    """The newest day of every issue, and the volatility interruptions."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._days: dict[tuple[str, str], DayPrices] = {}
        self.interruptions: list[Interrupted] = []

    def hear(self, event: MarketEvent) -> None:
        """Follow prints and interruptions."""
        if isinstance(event, Printed):
            if event.session is TradingSession.DAY_MARKET:
                return  # its prices have codes of their own (kis.md 4.7), which nobody answers here
            home = self._market.master.get(event.symbol).venue
            for place in (HOME if event.venue in (None, home) else NXT, BOTH):
                self._count(event, place, event.venue or home)
        elif isinstance(event, Interrupted) and event.what in ("VI", "EXTENDED"):
            self.interruptions = [*self.interruptions[1 - INTERRUPTIONS_MAX :], event]

    def today(self, instrument: Instrument, place: str = HOME) -> DayPrices | None:
        """Return today's figures; None before the first print of the day."""
        known = self._days.get((instrument.symbol, place))
        day = local(instrument.venue, self._market.now_ns).date().isoformat()
        return known if known is not None and known.day == day else None

    def price(self, instrument: Instrument, place: str = HOME) -> Decimal:
        """Return the newest price at a place; before any print the day's base; 0 when unknown."""
        known = self._days.get((instrument.symbol, place))
        if known is not None:
            return known.last
        quote = self._market.quote(instrument.symbol)
        if quote is None:
            return ZERO
        return quote.last or quote.base or ZERO

    def base(self, instrument: Instrument) -> Decimal:
        """Return the price the day's change is counted from; 0 where nobody knows it."""
        quote = self._market.quote(instrument.symbol)
        return ZERO if quote is None or quote.base is None else quote.base

    def _count(self, event: Printed, place: str, venue: Venue) -> None:
        key = (event.symbol, place)
        today = local(venue, event.ts_ns).date().isoformat()
        day = self._days.get(key)
        if day is None or day.day != today:
            before = ZERO if day is None else day.volume
            day = DayPrices(
                day=today,
                opened=event.price,
                high=event.price,
                low=event.price,
                last=event.price,
                ts_ns=event.ts_ns,
                volume_before=before,
            )
            self._days[key] = day
        day.high, day.low = max(day.high, event.price), min(day.low, event.price)
        day.last, day.ts_ns = event.price, event.ts_ns
        day.volume = EXACT.add(day.volume, event.volume)
        day.amount = EXACT.add(day.amount, EXACT.multiply(event.price, event.volume))
