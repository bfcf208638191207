"""What a venue does at an instant: its phases of a trading day, in UTC nanoseconds.

Source: krx_market.md sections 3.1 to 3.3 (Korea) and 11.2 (United States). Windows are laid around the
regular session of the day, so a late open or an exam day moves them without a second table. Where relays
disagree the narrower window is used: refusing an order for some minutes costs less than sending it blind.
The Korean close-price session 08:30 to 08:40 runs inside the opening auction's entry time: it is no phase
and is asked for by `SessionPlan.takes`. The United States day market runs from 10:00 to 18:00 in Seoul
(kis.md 3.3.9), so it begins on the evening before in New York and belongs to the date on which it ends. The
press has it an hour earlier in New York's summer; orders leave from 10:00 on and have surely ended at 18:00.
Not modelled: other United States trading before and after the regular session (reads as CLOSED).
"""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, TradingSession
from jumun.rules.trading_days import (
    ALWAYS_OPEN,
    NO_OVERRIDES,
    DayOverride,
    Hours,
    NoCalendar,
    Overrides,
    hours_on,
    is_session,
    next_session,
)

__all__ = [
    "ALWAYS_OPEN",
    "NO_OVERRIDES",
    "DayOverride",
    "NoCalendar",
    "Overrides",
    "Phase",
    "SessionPlan",
    "Window",
    "day_market_date",
    "is_session",
    "local_date",
    "next_session",
    "phase_at",
    "session_on",
    "trade_date_of",
]

ZONE: Final = {
    Venue.KRX: ZoneInfo("Asia/Seoul"),
    Venue.NXT: ZoneInfo("Asia/Seoul"),
    Venue.US: ZoneInfo("America/New_York"),
}
KRX_REFORM: Final = date(2026, 9, 14)  # the evening becomes continuous; the ten-minute auctions end
KRX_SINGLE_PRICE_END: Final = time(18, 0)
EVENING_END: Final = time(20, 0)
NXT_PRE_MARKET: Final = (time(8, 0), time(8, 50))
NS: Final = 1_000_000_000
QUARTER_NS: Final = 900 * NS
CLOSE_BEFORE_START_NS: Final = 30 * 60 * NS  # before the opening
CLOSE_BEFORE_END_NS: Final = 20 * 60 * NS
DAY_MARKET: Final = (time(10, 0), time(18, 0))  # in Seoul, which has no summer time
EVENING_OVER: Final = time(20, 0)  # in New York: what trades then belongs to the session to come
OPENING_ENTRY_NS: Final = 330 * 60 * NS  # 04:00 in New York
OPENING_CUTOFF_NS: Final = 2 * 60 * NS
CLOSING_CUTOFF_NS: Final = 10 * 60 * NS
TS_MAX_NS: Final = 253_402_128_000 * NS  # 9999-12-30: the day after it can still be named

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Phase(StrEnum):
    """What the venue does with an order now."""

    CLOSED = "CLOSED"
    DAY_MARKET = "DAY_MARKET"  # continuous, during the day in Seoul (US shares, where the broker offers it)
    PRE_MARKET = "PRE_MARKET"  # continuous, before the regular session (NXT)
    PRE_OPEN_AUCTION = "PRE_OPEN_AUCTION"  # orders are taken, matched once at the open
    CONTINUOUS = "CONTINUOUS"
    CLOSING_AUCTION = "CLOSING_AUCTION"  # orders are taken, matched once at the close
    PAUSE = "PAUSE"  # between two sessions of the day: do not send
    AFTER_CLOSE_ENTRY = "AFTER_CLOSE_ENTRY"  # close-price orders are taken, nothing matches yet
    AFTER_CLOSE = "AFTER_CLOSE"  # matching at the day's close only
    SINGLE_PRICE = "SINGLE_PRICE"  # ten-minute auctions (KRX until 2026-09-13)
    AFTER_MARKET = "AFTER_MARKET"  # continuous, in the evening

    @property
    def takes_orders(self) -> bool:
        """Whether the venue accepts new orders of some kind in this phase."""
        return self not in (Phase.CLOSED, Phase.PAUSE)


class Window(msgspec.Struct, frozen=True, gc=False):
    """One phase from `start_ns` (included) to `end_ns` (excluded)."""

    phase: Phase
    start_ns: int
    end_ns: int


class SessionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One trading day of a venue. `open_ns` and `close_ns` bound the regular session, auctions included."""

    venue: Venue
    trade_date: date
    open_ns: int
    close_ns: int
    windows: tuple[Window, ...]

    @property
    def first_ns(self) -> int:
        """When the first window of the day starts that everyone can trade in.

        The day market is left out: few brokers offer it, and no day of anyone else begins with it.
        """
        return next(window.start_ns for window in self.windows if window.phase is not Phase.DAY_MARKET)

    @property
    def last_ns(self) -> int:
        """When the last window of the day ends: after it no order of that day can fill."""
        return self.windows[-1].end_ns

    def end_ns(self, session: TradingSession) -> int:
        """When an order of `session` has certainly ended: the day's end, but for one of the day market.

        An order of another session may still rest in a later one; one of the day market ends with it, hours
        before the regular session begins.
        """
        span = self.span(session) if session is TradingSession.DAY_MARKET else None
        return self.last_ns if span is None else span[1]

    def span(self, session: TradingSession) -> tuple[int, int] | None:
        """Return from when to when (excluded) an order of `session` may live; None where the day has none.

        Orders are taken in it except in a PAUSE: see `takes`.
        """
        if session is TradingSession.CLOSE_BEFORE:
            return _close_before(self)
        phases = SESSION_PHASES.get((self.venue, session), frozenset())
        inside = [window for window in self.windows if window.phase in phases]
        return (inside[0].start_ns, inside[-1].end_ns) if inside else None

    def takes(self, session: TradingSession, ts_ns: int) -> bool:
        """Whether the venue takes a new order of `session` at `ts_ns`."""
        span = self.span(session)
        if span is None or not span[0] <= ts_ns < span[1]:
            return False
        is_early = session is TradingSession.CLOSE_BEFORE  # runs inside the opening auction's entry time
        return is_early or self.phase_at(ts_ns) in SESSION_PHASES[self.venue, session]

    def auction_entry(self, order_type: OrderType) -> tuple[int, int] | None:
        """Return from when to when (excluded) an order for one auction only is taken; None for other kinds.

        United States: for the open until two minutes before it, for the close until ten minutes before it,
        also on a short day. Exchanges and brokers differ by minutes; the earliest is used (krx_market.md
        12.5).
        After the end such an order can be neither changed nor cancelled.
        """
        if self.venue is not Venue.US:
            return None
        if order_type in (OrderType.MOO, OrderType.LOO):
            return self.open_ns - OPENING_ENTRY_NS, self.open_ns - OPENING_CUTOFF_NS
        if order_type in (OrderType.MOC, OrderType.LOC):
            return self.open_ns, self.close_ns - CLOSING_CUTOFF_NS
        return None

    def phase_at(self, ts_ns: int) -> Phase:
        """Return the phase at `ts_ns`; CLOSED outside the windows of this day."""
        for window in self.windows:
            if window.start_ns <= ts_ns < window.end_ns:
                return window.phase
        return Phase.CLOSED


# Which phases take the orders of a session, and keep them alive. A regular order at NXT may be entered before
# the opening and lives on into the evening (F-56); one for the pre-market alone ends with it.
SESSION_PHASES: Final = {
    (Venue.KRX, TradingSession.REGULAR): frozenset(
        {Phase.PRE_OPEN_AUCTION, Phase.CONTINUOUS, Phase.CLOSING_AUCTION}
    ),
    (Venue.KRX, TradingSession.CLOSE_AFTER): frozenset({Phase.AFTER_CLOSE_ENTRY, Phase.AFTER_CLOSE}),
    (Venue.KRX, TradingSession.SINGLE_PRICE): frozenset({Phase.SINGLE_PRICE}),
    (Venue.KRX, TradingSession.AFTER_MARKET): frozenset({Phase.AFTER_MARKET}),
    (Venue.NXT, TradingSession.PRE_MARKET): frozenset({Phase.PRE_MARKET}),
    (Venue.NXT, TradingSession.REGULAR): frozenset({Phase.PRE_MARKET, Phase.CONTINUOUS, Phase.AFTER_MARKET}),
    (Venue.NXT, TradingSession.AFTER_MARKET): frozenset({Phase.AFTER_MARKET}),
    (Venue.US, TradingSession.REGULAR): frozenset({Phase.CONTINUOUS}),
    (Venue.US, TradingSession.DAY_MARKET): frozenset({Phase.DAY_MARKET}),
}


def _close_before(plan: SessionPlan) -> tuple[int, int] | None:
    """The ten minutes half an hour before the opening, at KRX (krx_market.md 3.1); moves with a late open."""
    has_auction = any(window.phase is Phase.PRE_OPEN_AUCTION for window in plan.windows)
    if plan.venue is not Venue.KRX or not has_auction:
        return None
    return plan.open_ns - CLOSE_BEFORE_START_NS, plan.open_ns - CLOSE_BEFORE_END_NS


def local_date(venue: Venue, ts_ns: int) -> date:
    """Return the calendar date at the venue; raises NoCalendar for an instant no date can name."""
    if not 0 <= ts_ns < TS_MAX_NS:
        raise NoCalendar(f"instant {ts_ns} ns is outside 1970 to 9999; send UTC nanoseconds since 1970")
    return _date_in_quarter(venue, ts_ns // QUARTER_NS)


# Every offset of these zones since 1970 is a whole number of quarter hours, so no date, and no change to
# summer time, begins inside one.
@lru_cache(maxsize=1_024)
def _date_in_quarter(venue: Venue, quarter: int) -> date:
    return datetime.fromtimestamp(quarter * QUARTER_NS // NS, tz=ZONE[venue]).date()


@lru_cache(maxsize=8_192)  # all days of all venues over the generated years fit
def session_on(venue: Venue, day: date, overrides: Overrides = NO_OVERRIDES) -> SessionPlan | None:
    """Return the plan of `day`, or None when the venue is closed; raises NoCalendar when not known."""
    hours = hours_on(venue, day, overrides)
    if hours is None:
        return None
    if overrides.always_open:
        return _around_the_clock(venue, day)
    open_ns = _ns(venue, day, hours.open)
    windows = tuple(
        Window(phase, _ns(venue, day, start), _ns(venue, day, end))
        for phase, start, end in _WINDOWS[venue](day, hours, overrides)
    )
    if venue is Venue.US and _runs_day_market(day, overrides):
        windows = (*_day_market(day, open_ns), *windows)
    return SessionPlan(
        venue=venue,
        trade_date=day,
        open_ns=open_ns,
        close_ns=_ns(venue, day, hours.close),
        windows=windows,
    )


def phase_at(venue: Venue, ts_ns: int, overrides: Overrides = NO_OVERRIDES) -> tuple[Phase, date]:
    """Return the phase at `ts_ns` and the trade date an order sent then belongs to.

    Raises NoCalendar when the day, or the next session, is not known.
    """
    today = local_date(venue, ts_ns)
    plan = session_on(venue, today, overrides)
    if plan is not None and ts_ns < plan.last_ns:
        return plan.phase_at(ts_ns), today
    day = next_session(venue, today, overrides)
    if venue is not Venue.US:
        return Phase.CLOSED, day
    coming = session_on(venue, day, overrides)  # its day market begins on the evening before
    return Phase.CLOSED if coming is None else coming.phase_at(ts_ns), day


def day_market_date(ts_ns: int, overrides: Overrides = NO_OVERRIDES) -> date | None:
    """Return the trade date of the US day market in whose hours `ts_ns` lies; None outside of them.

    For reading what brokers tell, and wider than the window in which orders are sent: from 20:00 in New York
    on, which in summer is 09:00 in Seoul, nothing belongs to the session that has ended there, and a person's
    order must not pass for an expired one. A regular session that an override put into these hours wins.
    """
    if overrides.always_open:
        return None
    day = local_date(Venue.KRX, ts_ns)
    try:
        plan = session_on(Venue.US, day, overrides)
    except NoCalendar:
        return None
    if plan is None:
        return None
    start_ns = _ns(Venue.US, day - timedelta(days=1), EVENING_OVER)
    end_ns = min(_ns(Venue.KRX, day, DAY_MARKET[1]), plan.open_ns)
    return day if start_ns <= ts_ns < end_ns else None


def trade_date_of(venue: Venue, ts_ns: int, overrides: Overrides = NO_OVERRIDES) -> date:
    """Return the session under way at `ts_ns`, else the next one to start.

    The evening belongs to the day it follows (F-92); after its end the next session has begun for us.
    """
    return phase_at(venue, ts_ns, overrides)[1]


_Spans = list[tuple[Phase, time, time]]


def _krx_windows(day: date, hours: Hours, overrides: Overrides) -> _Spans:
    reformed = day >= KRX_REFORM
    entry_min = 40 if reformed and overrides.auction_entry_from_0820 else 30
    auction = _shift(hours.close, minutes=-10)
    matching = _shift(hours.close, minutes=10)
    evening = _shift(hours.close, minutes=30)
    spans = [
        (Phase.PRE_OPEN_AUCTION, _shift(hours.open, minutes=-entry_min), hours.open),
        (Phase.CONTINUOUS, hours.open, auction),
        (Phase.CLOSING_AUCTION, auction, hours.close),
        (Phase.AFTER_CLOSE_ENTRY, hours.close, matching),
        (Phase.AFTER_CLOSE, matching, evening),
        # On exam days the evening starts later and ends as always (press, each year; 2026 not confirmed).
        (Phase.AFTER_MARKET, evening, EVENING_END)
        if reformed
        else (Phase.SINGLE_PRICE, evening, KRX_SINGLE_PRICE_END),
    ]
    return _that_last(spans)


def _nxt_windows(_day: date, hours: Hours, _overrides: Overrides) -> _Spans:
    main = _shift(hours.open, seconds=30)
    main_end = _shift(hours.close, minutes=-10)
    evening = _shift(hours.close, minutes=10)
    spans = [
        (Phase.CONTINUOUS, main, main_end),
        # Relays call the ten minutes after the close a pause, an entry time and an auction: nothing is sent.
        (Phase.PAUSE, main_end, evening),
        (Phase.AFTER_MARKET, evening, EVENING_END),
    ]
    if not hours.is_late:  # no pre-market on the first trading day and on exam days
        pre_market, pre_market_end = NXT_PRE_MARKET
        spans[:0] = [
            (Phase.PRE_MARKET, pre_market, pre_market_end),
            (Phase.PAUSE, pre_market_end, main),
        ]
    return _that_last(spans)


def _us_windows(_day: date, hours: Hours, _overrides: Overrides) -> _Spans:
    return [(Phase.CONTINUOUS, hours.open, hours.close)]


_WINDOWS: Final = {Venue.KRX: _krx_windows, Venue.NXT: _nxt_windows, Venue.US: _us_windows}


def _runs_day_market(day: date, overrides: Overrides) -> bool:
    """Whether it runs before the regular session of `day`: before every one, unless an override says less.

    No source says what KIS does on a Korean holiday. It is taken to trade, as it does at night: an order
    that KIS does not take is refused, and none is held back that it would have taken.
    """
    if overrides.day_market_on_korean_holidays:
        return True
    try:
        return is_session(Venue.KRX, day, overrides)
    except NoCalendar:
        return False


def _day_market(day: date, open_ns: int) -> tuple[Window, ...]:
    """The window of the date on which it ends, both in Seoul and in New York; none after an early open."""
    start, end = DAY_MARKET
    start_ns, end_ns = _ns(Venue.KRX, day, start), min(_ns(Venue.KRX, day, end), open_ns)
    return (Window(Phase.DAY_MARKET, start_ns, end_ns),) if start_ns < end_ns else ()


def _that_last(spans: _Spans) -> _Spans:
    """Drop windows an override left without length, such as an evening after a very late close."""
    return [(phase, start, end) for phase, start, end in spans if start < end]


def _around_the_clock(venue: Venue, day: date) -> SessionPlan:
    start_ns, end_ns = _ns(venue, day, time.min), _ns(venue, day + timedelta(days=1), time.min)
    window = Window(Phase.CONTINUOUS, start_ns, end_ns)
    return SessionPlan(venue=venue, trade_date=day, open_ns=start_ns, close_ns=end_ns, windows=(window,))


def _shift(at: time, *, minutes: int = 0, seconds: int = 0) -> time:
    """Move a wall clock time within its day; stops at midnight rather than wrapping into another day."""
    whole = timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)
    moved = whole + timedelta(minutes=minutes, seconds=seconds)
    if moved <= timedelta(0):
        return time.min
    return (_EPOCH + moved).time() if moved < timedelta(days=1) else time.max


def _ns(venue: Venue, day: date, at: time) -> int:
    """Return UTC nanoseconds of a venue's wall clock; exact, as integers all the way."""
    since = datetime.combine(day, at, tzinfo=ZONE[venue]).astimezone(UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1_000
