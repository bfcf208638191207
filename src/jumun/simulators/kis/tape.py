"""What the market did, for the price streams: prints with the figures of their day, and interruptions.

One tape per market, fed from the start, so that a client who registers late is told the day's true open,
high, low and volume. Figures are kept by issue and by place: KRX, NXT, the two together (UN), or the US.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import Executed, Interrupted, MarketEvent, OrderChanged, Printed
from jumun.model.errors import OmsError
from jumun.model.instruments import Instrument, Venue
from jumun.model.money import EXACT
from jumun.model.orders import TradingSession
from jumun.rules.bands import PriceBand, price_band
from jumun.rules.sessions import NoCalendar, Phase, phase_at

ZERO: Final = Decimal(0)
BOTH: Final = "UN"


class Print(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One trade of the market with the figures of its day at one place, this print included."""

    symbol: str
    place: str  # KRX, NXT, UN or US
    price: Decimal
    volume: Decimal
    base: Decimal
    lower: Decimal | None  # the day's limits; None where there are none
    upper: Decimal | None
    rises: bool  # at or above the print before: said to be bought, else sold
    opened: Decimal
    high: Decimal
    low: Decimal
    opened_ns: int
    high_ns: int
    low_ns: int
    volume_day: Decimal
    amount_day: Decimal
    trade_date: str  # YYYYMMDD
    phase: Phase
    ts_ns: int


class BookMoved(msgspec.Struct, frozen=True, gc=False):
    """The order book of an issue may have changed at this venue."""

    symbol: str
    venue: Venue
    ts_ns: int


class StateChanged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Trading of an issue changed its manner, or its venue entered another phase. `symbol` empty: all."""

    symbol: str
    venue: Venue
    code: str = ""  # MKOP_CLS_CODE; empty where the phase stays
    halted: bool = False
    vi: bool = False
    text: str = ""
    ts_ns: int


News = Print | BookMoved | StateChanged

# MKOP_CLS_CODE when a phase begins (kis.md 5.7); sent on phase changes is inferred there.
PHASE_CODE: Final = {
    Phase.PRE_OPEN_AUCTION: "110",
    Phase.CONTINUOUS: "112",
    Phase.CLOSING_AUCTION: "121",
    Phase.AFTER_CLOSE_ENTRY: "129",
    Phase.AFTER_CLOSE: "140",
    Phase.SINGLE_PRICE: "150",
}
ENDED_CODE: Final = "129"
CIRCUIT_CODE: Final = "174"
CIRCUIT_OVER_CODE: Final = "175"


class _Day(msgspec.Struct):
    trade_date: str
    opened: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    opened_ns: int
    high_ns: int
    low_ns: int
    volume: Decimal = ZERO
    amount: Decimal = ZERO


class Tape:
    """Turns market events into news for the streams, in order."""

    def __init__(self, market: Market, *, tells_phases: bool = True) -> None:
        self._market = market
        self._tells_phases = tells_phases
        self._days: dict[tuple[str, str], _Day] = {}  # by symbol and place
        self._phases: dict[Venue, Phase] = {}
        self._halts: set[str] = set()
        self._vi_until_ns: dict[tuple[str, Venue], int] = {}
        self._circuit_until_ns: dict[Venue, int] = {}

    def hear(self, events: Iterable[MarketEvent]) -> list[News]:
        """Return what the price streams say of what one call brought about; books come last, each once."""
        news: list[News] = []
        moved: dict[tuple[str, Venue], int] = {}
        for event in events:
            match event:
                case Printed():
                    news += self._prints(event)
                    moved[event.symbol, event.venue or self._home(event.symbol)] = event.ts_ns
                case Interrupted():
                    news += self._interrupted(event)
                case OrderChanged(order=order):
                    moved[order.symbol, order.venue] = event.ts_ns
                case Executed(execution=fill):
                    order = self._market.orders[f"{fill.trade_date}/{fill.branch}/{fill.number}"]
                    moved[order.symbol, order.venue] = fill.ts_ns
                case _:
                    pass  # nobody but the account's owner can see the others
        return news + [BookMoved(symbol, venue, ts_ns) for (symbol, venue), ts_ns in moved.items()]

    def pass_time(self, now_ns: int) -> list[News]:
        """Return what time alone brings about: interruptions that end, phases that begin."""
        news: list[News] = []
        for (symbol, venue), until_ns in sorted(self._vi_until_ns.items()):
            if now_ns >= until_ns:
                del self._vi_until_ns[symbol, venue]
                news.append(self._state(symbol, venue, until_ns))
        for venue, until_ns in sorted(self._circuit_until_ns.items()):
            if now_ns >= until_ns:
                del self._circuit_until_ns[venue]
                news.append(StateChanged(symbol="", venue=venue, code=CIRCUIT_OVER_CODE, ts_ns=until_ns))
        if self._tells_phases:
            news += self._new_phases(now_ns)
        return news

    def day_of(self, symbol: str, place: str) -> tuple[Decimal, Decimal, Decimal, Decimal] | None:
        """Return open, high, low and volume of the newest day at a place; None before its first print."""
        day = self._days.get((symbol, place))
        return None if day is None else (day.opened, day.high, day.low, day.volume)

    # ---- prints -------------------------------------------------------------------------------------------

    def _home(self, symbol: str) -> Venue:
        return self._market.master.get(symbol).venue

    def _prints(self, printed: Printed) -> Iterator[News]:
        if printed.session is TradingSession.DAY_MARKET:
            return  # its trades have keys of their own (kis.md 4.7), which nobody can register here
        instrument = self._market.master.get(printed.symbol)
        venue = printed.venue or instrument.venue
        phase, day = phase_at(venue, printed.ts_ns, self._market.world.overrides)
        trade_date = f"{day:%Y%m%d}"
        places = (venue.value,) if venue is Venue.US else (venue.value, BOTH)
        for place in places:
            yield self._print(instrument, printed, place, trade_date, phase)

    def _print(
        self, instrument: Instrument, printed: Printed, place: str, trade_date: str, phase: Phase
    ) -> Print:
        key = (printed.symbol, place)
        before = self._days.get(key)
        base = printed.base if printed.base is not None else printed.price
        rises = printed.price >= (base if before is None else before.last)
        day = self._counted(before, printed, trade_date)
        self._days[key] = day
        band = self._band(instrument, base, printed)
        return Print(
            symbol=printed.symbol,
            place=place,
            price=printed.price,
            volume=printed.volume,
            base=base,
            lower=None if band is None else band.lower,
            upper=None if band is None else band.upper,
            rises=rises,
            opened=day.opened,
            high=day.high,
            low=day.low,
            opened_ns=day.opened_ns,
            high_ns=day.high_ns,
            low_ns=day.low_ns,
            volume_day=day.volume,
            amount_day=day.amount,
            trade_date=trade_date,
            phase=_phase_of(printed.session, phase),
            ts_ns=printed.ts_ns,
        )

    def _counted(self, before: _Day | None, printed: Printed, trade_date: str) -> _Day:
        price, ts_ns = printed.price, printed.ts_ns
        day = before
        if day is None or day.trade_date != trade_date:
            day = _Day(trade_date, price, price, price, price, ts_ns, ts_ns, ts_ns)
        if price > day.high:
            day.high, day.high_ns = price, ts_ns
        if price < day.low:
            day.low, day.low_ns = price, ts_ns
        day.last = price
        day.volume = EXACT.add(day.volume, printed.volume)
        day.amount = EXACT.add(day.amount, EXACT.multiply(price, printed.volume))
        return day

    def _band(self, instrument: Instrument, base: Decimal, printed: Printed) -> PriceBand | None:
        venue = instrument.venue
        day = phase_at(venue, printed.ts_ns, self._market.world.overrides)[1]
        try:
            return price_band(instrument, base, day)
        except OmsError:  # no table covers that day: then no price is a limit price
            return None

    # ---- interruptions and phases --------------------------------------------------------------------------

    def _interrupted(self, event: Interrupted) -> list[News]:
        symbol, venue = event.symbol, event.venue
        if event.what in ("VI", "EXTENDED") and event.until_ns is not None:
            self._vi_until_ns[symbol, venue] = event.until_ns
        elif event.what == "HALT":
            self._halts.add(symbol)
        elif event.what == "RESUMED":
            self._halts.discard(symbol)
        elif event.what == "CIRCUIT_BREAKER":
            if event.until_ns is not None:
                self._circuit_until_ns[venue] = event.until_ns
            return [
                StateChanged(symbol="", venue=venue, code=CIRCUIT_CODE, text=event.text, ts_ns=event.ts_ns)
            ]
        return [self._state(symbol, venue, event.ts_ns, event.text)]

    def _state(self, symbol: str, venue: Venue, ts_ns: int, text: str = "") -> StateChanged:
        return StateChanged(
            symbol=symbol,
            venue=venue,
            halted=symbol in self._halts,
            vi=(symbol, venue) in self._vi_until_ns,
            text=text if symbol in self._halts else "",
            ts_ns=ts_ns,
        )

    def _new_phases(self, now_ns: int) -> list[News]:
        news: list[News] = []
        for venue in (Venue.KRX, Venue.NXT):
            try:
                phase, _ = phase_at(venue, now_ns, self._market.world.overrides)
            except NoCalendar:  # such as NXT before its first day
                continue
            before = self._phases.get(venue)
            self._phases[venue] = phase
            code = PHASE_CODE.get(phase, ENDED_CODE)
            if before is not None and before is not phase:
                news.append(StateChanged(symbol="", venue=venue, code=code, ts_ns=now_ns))
        return news


def _phase_of(session: TradingSession, phase: Phase) -> Phase:
    """Return the phase a print belongs to: an auction's clearing is told after its phase has ended."""
    if session is TradingSession.AFTER_MARKET:
        return Phase.AFTER_MARKET
    return phase
