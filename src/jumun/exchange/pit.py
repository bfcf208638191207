"""Where orders meet: prints, auctions, stops, interruptions, and what the passing of time brings about."""

from datetime import date
from decimal import Decimal
from heapq import heappop, heappush
from typing import ClassVar, Final

from jumun.exchange.admission import band_on
from jumun.exchange.auction import Clearing, clearing
from jumun.exchange.floor import NS, RANKS, ZERO, Floor
from jumun.exchange.interruption import (
    LIMIT_STATE_NS,
    LULD_LATE_NS,
    LULD_MEAN_NS,
    LULD_PAUSE_NS,
    VI_CLOSING,
    VI_CONTINUOUS,
    VI_NS,
    VI_STATIC,
    luld_band,
    vi_prices,
)
from jumun.exchange.line import PHASE_SESSION, Line, Mode, Moment
from jumun.exchange.order_book import BookOrder
from jumun.exchange.records import Interrupted, OrderRecord, Printed
from jumun.model.errors import BadInput
from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerState
from jumun.rules.sessions import Phase
from jumun.rules.ticks import ceil_to_tick, floor_to_tick, is_on_tick, tick_size

IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
OPENING: Final = frozenset({OrderType.MOO, OrderType.LOO})
CLOSING: Final = frozenset({OrderType.MOC, OrderType.LOC})
STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
AUCTION_PHASES: Final = frozenset({Phase.PRE_OPEN_AUCTION, Phase.CLOSING_AUCTION})
CONTINUOUS_PHASES: Final = frozenset(
    {Phase.PRE_MARKET, Phase.CONTINUOUS, Phase.AFTER_MARKET, Phase.DAY_MARKET}
)
FIXED_SESSIONS: Final = frozenset({TradingSession.CLOSE_BEFORE, TradingSession.CLOSE_AFTER})
TEN_MINUTES_NS: Final = 600 * NS


class PrintRefused(BadInput):
    """A price the market cannot print: unknown symbol, off the tick, outside the day's limits, or closed."""

    default_reason: ClassVar[Reason] = Reason.BAD_INPUT


class Pit(Floor):
    """Matching. `step` is the only way a price comes in from outside."""

    def step(
        self,
        symbol: str,
        price: Decimal,
        volume: Decimal,
        now_ns: int,
        *,
        quote_qty: Decimal | None = None,
        venue: Venue | None = None,
        session: TradingSession | None = None,
    ) -> None:
        """Print a trade of the market: resting orders it came through fill, then new quotes are placed.

        `volume` (shares) bounds what each side of our clients can take from the print. Quotes of `quote_qty`
        stand one tick around the price in continuous trading, none in auctions. In a call auction nothing
        trades yet: price and volume are the background's interest in it, the newest counts. `venue` is where
        the issue is listed unless told, `session` the one under way. Raises PrintRefused.
        """
        self._advance(now_ns)
        instrument = self.master.get(symbol)
        place = venue or instrument.venue
        moment = self._moment(place)
        chosen = session or (
            TradingSession.REGULAR  # at NXT the whole day is one line
            if place is Venue.NXT
            else PHASE_SESSION.get(moment.phase, TradingSession.REGULAR)
        )
        mode = self.mode_of(symbol, place, chosen)
        self._require_printable(instrument, price, volume, mode, moment, chosen)
        line = self._line(instrument, place, chosen)
        self._schedule(line, moment)
        if mode is Mode.AUCTION and self._collects(line):
            line.interest = (price, volume)
        elif mode is Mode.CONTINUOUS and self._interrupts(instrument, line, price, moment):
            line.interest = (price, volume) if line.in_auction(self.now_ns) else None
        else:
            self._print(instrument, line, price, volume, moment)
            if mode is Mode.CONTINUOUS:
                self._place_quotes(instrument, line, price, moment, quote_qty)
        self._publish()

    def offer(self, symbol: str, price: Decimal, volume: Decimal, now_ns: int) -> None:
        """Bring background interest into the next auction of the regular session; raises PrintRefused.

        At venues that show no auction phase, such as the US close, this is the only way.
        """
        self._advance(now_ns)
        instrument = self.master.get(symbol)
        moment = self._moment(instrument.venue)
        self._require_price(instrument, price, volume, moment)
        line = self._line(instrument, instrument.venue, TradingSession.REGULAR)
        line.interest = (price, volume)
        self._schedule(line, moment)
        self._publish()

    def advance(self, now_ns: int) -> None:
        """Let time pass: auctions clear, interruptions end, orders of ended sessions expire (F-55)."""
        self._advance(now_ns)
        self._publish()

    def mode_of(
        self,
        symbol: str,
        venue: Venue | None = None,
        session: TradingSession = TradingSession.REGULAR,
    ) -> Mode:
        """Return what the market does with an order of a session now. Let time pass first (`advance`)."""
        instrument = self.master.get(symbol)
        place = venue or instrument.venue
        moment = self._moment(place)
        line = self._line(instrument, place, session)
        stop = self._venue_stops.get(place)
        if symbol in self._halts or (stop is not None and self.now_ns < stop[0]):
            return Mode.HALTED
        if session not in moment.taken:
            return Mode.CLOSED
        if session is TradingSession.CLOSE_AFTER:
            return Mode.FIXED if moment.phase is Phase.AFTER_CLOSE else Mode.FIXED_ENTRY
        if session is TradingSession.CLOSE_BEFORE:
            return Mode.FIXED
        if line.in_auction(self.now_ns) or (stop is not None and self.now_ns < stop[1]):
            return Mode.AUCTION
        if moment.phase in AUCTION_PHASES or moment.phase is Phase.SINGLE_PRICE:
            return Mode.AUCTION
        return Mode.CONTINUOUS if moment.phase in CONTINUOUS_PHASES else Mode.CLOSED

    def indicative(self, symbol: str) -> Clearing | None:
        """Return what the auction under way, or the next one, would do with what is there now."""
        instrument = self.master.get(symbol)
        line = self._line(instrument, instrument.venue, TradingSession.REGULAR)
        book = self._books[line.name]
        clients = [e for e in (*book.resting(Side.BUY), *book.resting(Side.SELL)) if not e.is_quote]
        entries = [*clients, *line.closing.values(), *self._background(instrument, line)]
        return self._clearing_of(entries, line)

    # ---- entering ---------------------------------------------------------------------------------------

    def _enter(self, record: OrderRecord, instrument: Instrument, mode: Mode, worst: Decimal | None) -> None:
        """Bring an accepted order into its line: it trades, rests, waits, or dies."""
        line = self._line_of(record)
        book = self._books[line.name]
        moment = self._moment(line.venue)
        if self.now_ns >= line.quotes_end_ns:
            book.clear_quotes()
        entry = BookOrder(
            key=record.key,
            side=record.side,
            price=worst if line.session in FIXED_SESSIONS else record.price,
            worst=worst,
            qty_left=record.qty_left,
            at_print=mode in (Mode.AUCTION, Mode.FIXED_ENTRY) or record.order_type in OPENING,
        )
        if record.order_type in CLOSING:
            line.closing[entry.key] = entry
        elif entry.at_print or mode is Mode.HALTED:
            book.rest(entry)
            if record.order_type in OPENING:
                line.opening.append(entry.key)
        else:
            self._match(record, instrument, line, entry, moment)
        self._schedule(line, moment)

    def _match(
        self, record: OrderRecord, instrument: Instrument, line: Line, entry: BookOrder, moment: Moment
    ) -> None:
        book = self._books[line.name]
        reference = None if line.newest is None else line.newest.price
        if record.tif is TimeInForce.FOK and book.available(entry, reference) < record.qty_left:
            self._end(record, BrokerState.CANCELLED, "fill or kill: too few shares", self.now_ns)
            return
        if self.world.vi or self.world.luld:
            first = book.first_price(entry, reference)
            if first is not None and self._interrupts(instrument, line, first, moment):
                if record.tif in IMMEDIATE:
                    self._end(record, BrokerState.CANCELLED, "trading was interrupted", self.now_ns)
                else:
                    book.rest(entry)
                return
        self._book_trades(instrument, book.take(entry, reference))
        if entry.qty_left == ZERO:
            return
        if record.tif in IMMEDIATE:
            left = self.orders[entry.key]
            self._end(left, BrokerState.CANCELLED, "immediate or cancel", self.now_ns)
        else:
            book.rest(entry)

    # ---- prints -----------------------------------------------------------------------------------------

    def _print(
        self, instrument: Instrument, line: Line, price: Decimal, volume: Decimal, moment: Moment
    ) -> None:
        self._remember_print(line, price, volume, moment)
        self._book_trades(instrument, self._books[line.name].print_at(price, volume))
        if line.opening:
            self._end_opening(line)
        if line.stops:
            self._trigger_stops(instrument, line, price)

    def _remember_print(self, line: Line, price: Decimal, volume: Decimal, moment: Moment) -> None:
        symbol = line.symbol
        base = self.base_of(symbol, moment.trade_date)
        home = self.master.get(symbol).venue
        printed = Printed(
            symbol=symbol,
            price=price,
            volume=volume,
            base=base,
            ts_ns=self.now_ns,
            venue=None if line.venue is home else line.venue,
            session=line.session,
        )
        if line.is_primary:
            before = self._regular.get(symbol)
            if before is not None and before[0] < moment.trade_date:
                self._closes[symbol] = before
            self._regular[symbol] = (moment.trade_date, price)
        line.newest = printed
        if self.world.luld and line.venue is Venue.US:
            line.recent = [
                *(seen for seen in line.recent if seen[0] > self.now_ns - LULD_MEAN_NS),
                (self.now_ns, price),
            ]
        self._events.append(printed)

    def _place_quotes(
        self, instrument: Instrument, line: Line, price: Decimal, moment: Moment, qty: Decimal | None
    ) -> None:
        size = self.world.quote_qty if qty is None else qty
        if size <= ZERO:
            return
        book, day = self._books[line.name], moment.day
        tick = tick_size(instrument, price, day)
        band = band_on(instrument, self.base_of(instrument.symbol, moment.trade_date), moment.trade_date)
        ask = ceil_to_tick(instrument, price + tick, day)
        if band is None or band.contains(ask):
            book.quote(Side.SELL, ask, size)
        if price > tick:
            bid = floor_to_tick(instrument, price - tick, day)
            if band is None or band.contains(bid):
                book.quote(Side.BUY, bid, size)
        line.quotes_end_ns = moment.end_ns

    def _require_printable(
        self,
        instrument: Instrument,
        price: Decimal,
        volume: Decimal,
        mode: Mode,
        moment: Moment,
        session: TradingSession,
    ) -> None:
        if mode in (Mode.CLOSED, Mode.HALTED, Mode.FIXED_ENTRY):
            raise PrintRefused(
                f"{instrument.symbol} cannot trade: it is {mode} in {session} ({moment.phase}); "
                "print when it trades"
            )
        self._require_price(instrument, price, volume, moment)
        if mode is Mode.FIXED and price != (fixed := self._fixed_price(instrument.symbol, session, moment)):
            raise PrintRefused(f"{instrument.symbol} trades at {fixed} only in {session}; print that")

    def _require_price(self, instrument: Instrument, price: Decimal, volume: Decimal, moment: Moment) -> None:
        symbol = instrument.symbol
        if not price.is_finite() or price <= ZERO or not volume.is_finite() or volume < ZERO:
            raise PrintRefused(f"{symbol}: price {price} volume {volume} cannot be; both must be positive")
        if not is_on_tick(instrument, price, moment.day):
            raise PrintRefused(f"{symbol}: price {price} is off the tick; snap it first")
        band = band_on(instrument, self.base_of(symbol, moment.trade_date), moment.trade_date)
        if band is not None and not band.contains(price):
            raise PrintRefused(
                f"{symbol}: price {price} is outside {band.lower} to {band.upper}; set the day's base price"
            )

    def _fixed_price(self, symbol: str, session: TradingSession, moment: Moment) -> Decimal | None:
        """Return the only price of a close-price session."""
        if session is TradingSession.CLOSE_BEFORE:
            return self.base_of(symbol, moment.trade_date)
        return self.close_of(symbol, moment.trade_date)

    def _trigger_stops(self, instrument: Instrument, line: Line, price: Decimal) -> None:
        for key in list(line.stops):
            record = self.orders[key]
            stop = record.stop_price
            assert stop is not None, "a stop order without a stop price was let in"
            if price >= stop if record.side is Side.BUY else price <= stop:
                line.stops.remove(key)
                self._enter(record, instrument, Mode.CONTINUOUS, self._worst[key])

    # ---- auctions ---------------------------------------------------------------------------------------

    def _collects(self, line: Line) -> bool:
        """Whether orders wait for one price now, rather than for the next print."""
        return line.auction_end_ns > self.now_ns or line.session is TradingSession.SINGLE_PRICE

    def _schedule(self, line: Line, moment: Moment) -> None:
        """See to it that the line's next auction clears, once something is in it."""
        if line.auction_end_ns > self.now_ns or moment.plan is None:
            return
        span = self._next_auction(line, moment)
        if span is not None and span[1] > self.now_ns:
            self._set_auction(line, *span)

    def _next_auction(self, line: Line, moment: Moment) -> tuple[int, int] | None:
        plan = moment.plan
        assert plan is not None, "no auction without a session"
        stop = self._venue_stops.get(line.venue)
        if stop is not None and self.now_ns < stop[1]:
            return stop
        if moment.phase is Phase.AFTER_CLOSE_ENTRY and line.session is TradingSession.CLOSE_AFTER:
            return moment.start_ns, moment.end_ns
        if line.session is TradingSession.SINGLE_PRICE:
            done = (self.now_ns - moment.start_ns) // TEN_MINUTES_NS
            return moment.start_ns, moment.start_ns + (done + 1) * TEN_MINUTES_NS
        if not line.is_primary:
            return None
        if line.venue is Venue.US:
            return self._us_auction(line, moment)
        if not self.world.call_auctions:
            return None
        for phase, which in ((Phase.PRE_OPEN_AUCTION, "open"), (Phase.CLOSING_AUCTION, "close")):
            window = next((window for window in plan.windows if window.phase is phase), None)
            if window is not None:
                end_ns = window.end_ns + self._random_end_ns(plan, which)
                if self.now_ns < end_ns:
                    return window.start_ns, end_ns
        return None

    def _us_auction(self, line: Line, moment: Moment) -> tuple[int, int] | None:
        plan = moment.plan
        assert plan is not None, "no auction without a session"
        if line.opening and self.now_ns < plan.open_ns and self.world.call_auctions:
            return plan.open_ns, plan.open_ns
        if (line.closing or line.interest) and plan.open_ns <= self.now_ns < plan.close_ns:
            return plan.close_ns, plan.close_ns
        return None

    def _set_auction(self, line: Line, start_ns: int, end_ns: int) -> None:
        line.auction_start_ns, line.auction_end_ns = start_ns, end_ns
        heappush(self._timers, (end_ns, RANKS["auction"], "auction", line.name))

    def _clear(self, line: Line) -> None:
        """Clear the line's auction at one price; what is left goes on, rests, or expires by itself."""
        instrument, book = self.master.get(line.symbol), self._books[line.name]
        moment = self._moment_before(line.venue)
        book.clear_quotes()
        # Closing orders wait outside the book; every auction outside the day's close leaves them there.
        closing = line.closing if self._is_close(line, moment) else {}
        for entry in (*closing.values(), *self._background(instrument, line)):
            book.rest(entry)
        found = self._clearing_of([*book.resting(Side.BUY), *book.resting(Side.SELL)], line)
        if found is not None and self._extends(instrument, line, found.price, moment):
            for key in closing:
                book.remove(key)
            book.clear_quotes()
            return
        if closing:
            line.closing = {}
        line.auction_start_ns = line.auction_end_ns = 0
        line.interest, line.extended = None, False
        if found is None:
            book.end_auction()
        else:
            self._remember_print(line, found.price, found.volume, moment)
            self._book_trades(instrument, book.cross_all(found.price))
            line.static = (moment.trade_date, found.price)
        if line.opening:
            self._end_opening(line)
        if found is not None and line.stops:
            self._trigger_stops(instrument, line, found.price)
        if len(book):
            self._schedule(line, self._moment(line.venue))

    def _moment_before(self, venue: Venue) -> Moment:
        """Return what the clock said just before now: an auction belongs to the session it ends."""
        now_ns = self.now_ns
        self.now_ns = now_ns - 1
        try:
            return self._read_clock(venue)
        finally:
            self.now_ns = now_ns

    def _is_close(self, line: Line, moment: Moment) -> bool:
        return moment.plan is not None and bool(line.closing) and self.now_ns >= moment.plan.close_ns

    def _clearing_of(self, entries: list[BookOrder], line: Line) -> Clearing | None:
        buys = [entry for entry in entries if entry.side is Side.BUY]
        sells = [entry for entry in entries if entry.side is Side.SELL]
        return clearing(buys, sells, self._reference(line))

    def _reference(self, line: Line) -> Decimal | None:
        """Return the price an auction leans on: the last one of its line, else the day's base on the tick."""
        if line.newest is not None:
            return line.newest.price
        moment = self._moment(line.venue)
        base = self.base_of(line.symbol, moment.trade_date)
        return None if base is None else floor_to_tick(self.master.get(line.symbol), base, moment.day)

    def _background(self, instrument: Instrument, line: Line) -> list[BookOrder]:
        """Return the background's orders for an auction: as offered, else as the world says."""
        price, qty = line.interest or (self._reference(line), self.world.auction_qty)
        if price is None or qty <= ZERO:
            return []
        return [
            BookOrder(key="", side=side, price=price, worst=price, qty_left=qty, at_print=True)
            for side in (Side.BUY, Side.SELL)
        ]

    def _end_opening(self, line: Line) -> None:
        """Orders for the opening only do not outlive it."""
        keys, line.opening = line.opening, []
        for key in keys:
            if self.orders[key].is_open:
                self._end(self.orders[key], BrokerState.EXPIRED, "the opening auction is over", self.now_ns)

    # ---- interruptions ------------------------------------------------------------------------------------

    def _interrupts(self, instrument: Instrument, line: Line, price: Decimal, moment: Moment) -> bool:
        """Whether a trade at `price` must not happen; starts what happens instead."""
        if self.world.vi and line.venue is not Venue.US:
            return self._vi(instrument, line, price, moment)
        if self.world.luld and line.venue is Venue.US and line.is_primary:  # the day market has no bands
            return self._luld(line, price, moment)
        return False

    def _vi(self, instrument: Instrument, line: Line, price: Decimal, moment: Moment) -> bool:
        text = self._vi_text(instrument, line, price, moment.day, moment.trade_date, VI_CONTINUOUS)
        if text:
            self._start_vi(line, text)
        return bool(text)

    def _start_vi(self, line: Line, text: str) -> None:
        line.extended = True  # its own auction is not lengthened by the price that caused it
        self._set_auction(line, self.now_ns, self.now_ns + VI_NS)
        self._tell(line.symbol, line.venue, "VI", line.auction_end_ns, text)

    def _vi_text(
        self,
        instrument: Instrument,
        line: Line,
        price: Decimal,
        day: date,
        trade_date: str,
        rates: tuple[Decimal, Decimal],
    ) -> str:
        """Return why a price triggers an interruption, nothing when it does not."""
        static = line.static
        base = static[1] if static and static[0] == trade_date else self.base_of(line.symbol, trade_date)
        last = base if line.newest is None else line.newest.price
        rate = rates[0] if line.symbol in self.world.vi_narrow else rates[1]
        for name, reference, width in (("dynamic", last, rate), ("static", base, VI_STATIC)):
            if reference is not None:
                low, high = vi_prices(instrument, reference, width, day)
                if not low < price < high:
                    return f"{name}: {price} against {reference}"
        return ""

    def _extends(self, instrument: Instrument, line: Line, price: Decimal, moment: Moment) -> bool:
        """Whether an auction must go on for two minutes rather than clear at `price`; once each."""
        if not self.world.vi or line.venue is Venue.US or line.extended or not line.is_primary:
            return False
        if line.newest is None:
            return False
        closing = moment.plan is not None and self.now_ns >= moment.plan.close_ns
        rates = VI_CLOSING if closing else VI_CONTINUOUS
        text = self._vi_text(instrument, line, price, moment.day, moment.trade_date, rates)
        if not text:
            return False
        line.extended = True
        self._set_auction(line, line.auction_start_ns, self.now_ns + VI_NS)
        self._tell(line.symbol, line.venue, "EXTENDED", line.auction_end_ns, text)
        return True

    def _luld(self, line: Line, price: Decimal, moment: Moment) -> bool:
        lower, upper = self._luld_band(line, moment)
        if lower <= price <= upper:
            line.limit_since_ns = 0
            return False
        if not line.limit_since_ns:
            line.limit_since_ns = self.now_ns
            heappush(self._timers, (self.now_ns + LIMIT_STATE_NS, RANKS["luld"], "luld", line.name))
        return True

    def _luld_band(self, line: Line, moment: Moment) -> tuple[Decimal, Decimal]:
        recent = [price for ts_ns, price in line.recent if ts_ns > self.now_ns - LULD_MEAN_NS]
        reference = sum(recent, ZERO) / len(recent) if recent else self._reference(line)
        before = self.base_of(line.symbol, moment.trade_date)
        if reference is None or before is None or moment.plan is None:
            return ZERO, Decimal("Infinity")
        return luld_band(
            reference,
            before,
            is_tier1=line.symbol in self.world.luld_tier1,
            is_late=self.now_ns >= moment.plan.close_ns - LULD_LATE_NS,
        )

    def _stop_symbol(self, symbol: str, until_ns: int | None, what: str, text: str) -> None:
        self._halts[symbol] = until_ns
        if until_ns is not None:
            heappush(self._timers, (until_ns, RANKS["resume"], "resume", symbol))
        self._tell(symbol, self.master.get(symbol).venue, what, until_ns, text)

    def _resume_symbol(self, symbol: str) -> None:
        """Trade again: orders that met during the halt trade at one price first."""
        del self._halts[symbol]
        self._tell(symbol, self.master.get(symbol).venue, "RESUMED", None, "")
        for line in self._lines_of(symbol):
            if not line.in_auction(self.now_ns) and len(self._books[line.name]):
                line.limit_since_ns = 0
                self._clear(line)

    def _tell(self, symbol: str, venue: Venue, what: str, until_ns: int | None, text: str) -> None:
        self._events.append(
            Interrupted(
                symbol=symbol, venue=venue, what=what, until_ns=until_ns, text=text, ts_ns=self.now_ns
            )
        )

    # ---- time -------------------------------------------------------------------------------------------

    def _advance(self, now_ns: int) -> None:
        """Do what falls due until `now_ns`, each thing at its own instant."""
        until_ns = max(self.now_ns, now_ns)
        while self._timers and self._timers[0][0] <= until_ns:
            due_ns, _, what, name = heappop(self._timers)
            self.now_ns = max(self.now_ns, due_ns)
            if what == "expire":
                self._expire(name, due_ns)
            elif what == "auction":
                if self._lines[name].auction_end_ns == due_ns:
                    self._auction_due(self._lines[name])
            elif what == "luld":
                self._limit_state_over(self._lines[name], due_ns)
            elif self._halts.get(name) == due_ns:
                self._resume_symbol(name)
        self.now_ns = until_ns

    def _auction_due(self, line: Line) -> None:
        if line.symbol in self._halts:
            line.auction_start_ns = line.auction_end_ns = 0  # it resumes with an auction of its own
            return
        phase = self._moment(line.venue).phase
        if phase is Phase.CLOSING_AUCTION and self.world.call_auctions and line.is_primary:
            line.auction_start_ns = line.auction_end_ns = 0  # an interruption that runs into the close
            self._schedule(line, self._moment(line.venue))
            return
        self._clear(line)

    def _limit_state_over(self, line: Line, due_ns: int) -> None:
        if line.limit_since_ns and line.limit_since_ns + LIMIT_STATE_NS == due_ns:
            line.limit_since_ns = 0
            self._stop_symbol(line.symbol, due_ns + LULD_PAUSE_NS, "PAUSE", "15 seconds at the price band")

    def _expire(self, key: str, due_ns: int) -> None:
        record = self.orders.get(key)
        if record is None or not record.is_open:
            return
        line = self._line_of(record)
        if line.in_auction(due_ns):  # extended: its orders live until it clears
            heappush(self._timers, (line.auction_end_ns, RANKS["expire"], "expire", key))
            return
        self._end(record, BrokerState.EXPIRED, "session ended", due_ns)
