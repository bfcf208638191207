"""What a replay is made of: moments in order, each with prices, signals, and sessions that end."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.prices import Bar, base_for_day, path_of_bar, snapped_bar
from jumun.model.instruments import Instrument, Venue
from jumun.model.signals import TradingSignal
from jumun.rules.sessions import Phase, SessionPlan, session_on
from jumun.rules.trading_days import NO_OVERRIDES

SECOND_NS: Final = 1_000_000_000
LAST_PRINT_NS: Final = 30 * SECOND_NS  # before the end of the session: in Seoul inside the closing auction


class Print(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The market trades `volume` shares at `price`; `quote_qty` shares then stand on each side."""

    symbol: str
    price: Decimal
    volume: Decimal
    quote_qty: Decimal | None = None


class Base(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The price one day's limits are counted from."""

    symbol: str
    trade_date: str
    price: Decimal


class Close(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A venue's regular session ends."""

    venue: Venue
    day: date


class Moment(msgspec.Struct, kw_only=True):
    """Everything that happens at one instant, in this order: bases, prints, signals, closes."""

    ts_ns: int
    bases: list[Base] = []
    prints: list[Print] = []
    signals: list[TradingSignal] = []
    places: list[str] = []  # where each signal came from, empty for one that was generated
    closes: list[Close] = []


class Timeline:
    """Collects what happens and yields it in order."""

    def __init__(self) -> None:
        self._moments: dict[int, Moment] = {}
        self._closes: dict[tuple[Venue, date], None] = {}
        self.prints = 0

    def at(self, ts_ns: int) -> Moment:
        """Return the moment at an instant, new when nothing happens there yet."""
        return self._moments.setdefault(ts_ns, Moment(ts_ns=ts_ns))

    def print_at(self, ts_ns: int, what: Print) -> None:
        """Add a print."""
        self.at(ts_ns).prints.append(what)
        self.prints += 1

    def close(self, plan: SessionPlan) -> None:
        """Add the end of a session, once."""
        if (plan.venue, plan.trade_date) not in self._closes:
            self._closes[plan.venue, plan.trade_date] = None
            self.at(plan.close_ns).closes.append(Close(venue=plan.venue, day=plan.trade_date))

    def add_signals(self, signals: Iterable[TradingSignal], places: Iterable[str] | None = None) -> None:
        """Add signals at their own time, with the place each was read from."""
        given = list(signals)
        for signal, place in zip(given, [""] * len(given) if places is None else places, strict=True):
            moment = self.at(signal.signal_ts_ns)
            moment.signals.append(signal)
            moment.places.append(place)

    @property
    def sessions(self) -> int:
        """How many sessions end in it, over all venues."""
        return len(self._closes)

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last instant, UTC ns; None while it is empty."""
        return (min(self._moments), max(self._moments)) if self._moments else None

    def moments(self) -> list[Moment]:
        """Return all moments, earliest first."""
        return [self._moments[ts_ns] for ts_ns in sorted(self._moments)]


def instants_of(plan: SessionPlan, count: int) -> list[int]:
    """Return `count` instants of a session: even through continuous trading, the last just before its end."""
    assert count > 1, "a session needs a first and a last print"
    continuous = next(window for window in plan.windows if window.phase is Phase.CONTINUOUS)
    span_ns = min(continuous.end_ns, plan.close_ns) - continuous.start_ns
    spread = [continuous.start_ns + span_ns * index // (count - 1) for index in range(count - 1)]
    return [*spread, plan.close_ns - LAST_PRINT_NS]


class BarsLaid(msgspec.Struct, frozen=True, kw_only=True):
    """How laying the bars of one symbol on a timeline went."""

    bars: int
    untraded: int
    snapped: int  # prices that were off the tick in the data
    based: int  # days whose limits had to be counted from their own range


def lay_bars(instrument: Instrument, bars: Sequence[Bar], steps: int, timeline: Timeline) -> BarsLaid:
    """Put the bars of one symbol, in order of their days, on the timeline as prints."""
    close_before: Decimal | None = None
    untraded = snapped = based = laid = 0
    for raw in bars:
        if not raw.traded:
            untraded += 1
            continue
        plan = session_on(instrument.venue, raw.day, NO_OVERRIDES)
        assert plan is not None, f"{raw.symbol} {raw.day} is no session; its reader lets it pass"
        bar = snapped_bar(instrument, raw)
        base, own = base_for_day(instrument, close_before, bar)
        instants = instants_of(plan, steps)
        day = Base(symbol=bar.symbol, trade_date=bar.day.isoformat(), price=base)
        timeline.at(instants[0]).bases.append(day)
        for ts_ns, point in zip(instants, path_of_bar(instrument, bar, steps), strict=True):
            timeline.print_at(ts_ns, Print(symbol=bar.symbol, price=point.price, volume=point.volume))
        timeline.close(plan)
        close_before = bar.close
        laid, snapped, based = laid + 1, snapped + bar.snapped, based + own
    return BarsLaid(bars=laid, untraded=untraded, snapped=snapped, based=based)
