"""What the market knows and the few steps everything else is made of: listing, filling, ending, telling.

Nothing here decides; `Pit` matches, `Acts` does what exchanges do by themselves, `Market` takes the calls.
"""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from heapq import heappush
from typing import Final

import msgspec

from jumun.exchange.accounts import Account, CostBook
from jumun.exchange.line import Line, Moment, line_name
from jumun.exchange.order_book import OrderBook, Trade
from jumun.exchange.records import (
    AccountBalance,
    Arrival,
    Bust,
    Charged,
    CostsTold,
    Executed,
    Execution,
    MarketEvent,
    ModifyArrival,
    OrderChanged,
    OrderRecord,
    Printed,
)
from jumun.exchange.snapshot import LineState, MarketState
from jumun.exchange.world import World
from jumun.model.errors import BadInput
from jumun.model.instruments import Instrument, InstrumentMaster, Venue
from jumun.model.money import EXACT
from jumun.model.orders import Side, TradingSession
from jumun.model.reports import BrokerState
from jumun.ports.outside import Quote
from jumun.rules.sessions import SESSION_PHASES, SessionPlan, phase_at, session_on

ZERO: Final = Decimal(0)
NS: Final = 1_000_000_000
Listener = Callable[[tuple[MarketEvent, ...]], None]


class Floor:
    """State and its small steps.

    `orders`, `executions`, `arrivals`, `modifies` and `busts` grow without bound: this is the oracle, its
    memory is its purpose. `forget_before` lets a long-lived exchange drop old days.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.master = InstrumentMaster(world.instruments)
        self.now_ns = 0
        self.orders: dict[str, OrderRecord] = {}
        self.executions: list[Execution] = []
        self.arrivals: list[Arrival] = []
        self.modifies: list[ModifyArrival] = []
        self.busts: list[Bust] = []
        self._costs = CostBook({code.value: plan for code, plan in world.plans.items()}, world.overrides)
        self._accounts: dict[str, Account] = {}
        self._books: dict[str, OrderBook] = {}
        self._lines: dict[str, Line] = {}
        self._worst: dict[str, Decimal | None] = {}  # of open orders
        self._numbers: dict[str, int] = {}  # by trade date: numbers restart every day (I-64)
        self._execution_count = 0
        self._bust_count = 0
        self._by_day: dict[tuple[str, str], list[str]] = {}
        self._fills_of: dict[str, list[Execution]] = {}
        self._timers: list[tuple[int, int, str, str]] = []  # when, rank, what, of whom
        self._bases: dict[tuple[str, str], Decimal] = {}
        self._regular: dict[str, tuple[str, Decimal]] = {}  # day and price of the newest regular print
        self._closes: dict[str, tuple[str, Decimal]] = {}  # the same of an earlier day than `_regular`
        self._halts: dict[str, int | None] = {}  # symbols that do not trade, until when (None: nobody knows)
        self._venue_stops: dict[Venue, tuple[int, int]] = {}  # ends of the halt and of its auction
        self._cancels_ignored = 0
        self._moments: dict[Venue, Moment] = {}
        self._events: list[MarketEvent] = []
        self._listeners: list[Listener] = []

    # ---- questions ----------------------------------------------------------------------------------

    def orders_of(self, account_id: str, trade_date: str) -> list[OrderRecord]:
        """Return every order of an account on a trading day, in the order of their numbers."""
        return [self.orders[key] for key in self._by_day.get((account_id, trade_date), ())]

    def history_size(self, account_id: str, trade_date: str) -> int:
        """Return how many orders `orders_of` would list."""
        return len(self._by_day.get((account_id, trade_date), ()))

    def has_account(self, account_id: str) -> bool:
        """Return whether an account is open."""
        return account_id in self._accounts

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts, in the order they were opened."""
        return tuple(self._accounts)

    def balance_of(self, account_id: str) -> AccountBalance:
        """Return cash and holdings; raises BadInput for an account that is not open."""
        return self._account(account_id).balance()

    def executions_of(self, key: str) -> list[Execution]:
        """Return the fills of one order, in order, also those taken back later."""
        return list(self._fills_of.get(key, ()))

    def base_of(self, symbol: str, trade_date: str) -> Decimal | None:
        """Return the base price of a day: as set, else the close before it, else the world's first price.

        The close is the last print of a regular session where the issue is listed, never one of the evening.
        """
        explicit = self._bases.get((symbol, trade_date))
        if explicit is not None:
            return explicit
        for known in (self._regular.get(symbol), self._closes.get(symbol)):
            if known is not None and known[0] < trade_date:
                return known[1]
        return self.world.bases.get(symbol)

    def close_of(self, symbol: str, trade_date: str) -> Decimal | None:
        """Return the newest regular price of a day, which is its close once it has ended; else its base."""
        newest = self._regular.get(symbol)
        if newest is not None and newest[0] == trade_date:
            return newest[1]
        return self.base_of(symbol, trade_date)

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest price at home and today's base (ports.Prices); None for an unknown symbol."""
        if symbol not in self.master:
            return None
        newest = self._newest_at_home(symbol)
        return Quote(
            symbol=symbol,
            last=None if newest is None else newest.price,
            base=self.base_of(symbol, self._moment(self.master.get(symbol).venue).trade_date),
            ts_ns=0 if newest is None else newest.ts_ns,
        )

    def book_of(
        self, symbol: str, venue: Venue | None = None, session: TradingSession = TradingSession.REGULAR
    ) -> OrderBook:
        """Return the order book of a symbol, for looking at."""
        instrument = self.master.get(symbol)
        return self._books[self._line(instrument, venue or instrument.venue, session).name]

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the events of each call, after it; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def digest(self) -> str:
        """Return a hash over everything that can matter later: two equal markets have equal digests."""
        state = {
            "orders": list(self.orders.values()),
            "executions": self.executions,
            "arrivals": self.arrivals,
            "modifies": self.modifies,
            "busts": self.busts,
            "accounts": [(a.balance(), a.held()) for a in self._accounts.values()],
            "worst": self._worst,
            "numbers": self._numbers,
            "counts": [self._execution_count, self._bust_count],
            "bases": [[*key, price] for key, price in self._bases.items()],
            "closes": [self._regular, self._closes],
            "halts": [self._halts, self._venue_stops, self._cancels_ignored],
            "timers": sorted(self._timers),
            "lines": self._line_states(),
        }
        return hashlib.sha256(msgspec.json.encode(state, order="deterministic")).hexdigest()

    # ---- memory -----------------------------------------------------------------------------------------

    def forget_before(self, trade_date: str) -> int:
        """Drop ended orders of earlier days with all that happened to them; return how many orders went.

        Accounts, prices and what is still open stay; the numbers of those days are never used again.
        """
        old = [o.key for o in self.orders.values() if o.trade_date < trade_date and not o.is_open]
        gone = set(old)
        for key in old:
            del self.orders[key]
            self._fills_of.pop(key, None)
        self.executions = [e for e in self.executions if _key_of(e) not in gone]
        self.busts = [bust for bust in self.busts if _key_of(bust) not in gone]
        self.modifies = [modify for modify in self.modifies if modify.key not in gone]
        horizon_ns = min((o.ts_accepted_ns for o in self.orders.values()), default=self.now_ns)
        self.arrivals = [
            a for a in self.arrivals if (a.trade_date >= trade_date if a.number else a.ts_ns >= horizon_ns)
        ]
        self._by_day = {
            day: kept
            for day, keys in self._by_day.items()
            if (kept := [key for key in keys if key not in gone])
        }
        self._numbers = {day: n for day, n in self._numbers.items() if day >= trade_date}
        self._bases = {of: price for of, price in self._bases.items() if of[1] >= trade_date}
        return len(old)

    def dump(self) -> MarketState:
        """Return everything there is, for a snapshot; not to be changed."""
        return MarketState(
            now_ns=self.now_ns,
            orders=list(self.orders.values()),
            executions=self.executions,
            arrivals=self.arrivals,
            modifies=self.modifies,
            busts=self.busts,
            accounts=[account.dump() for account in self._accounts.values()],
            lines=self._line_states(),
            worst=self._worst,
            numbers=self._numbers,
            execution_count=self._execution_count,
            bust_count=self._bust_count,
            timers=sorted(self._timers),
            bases=[(*of, price) for of, price in self._bases.items()],
            regular=self._regular,
            closes=self._closes,
            halts=self._halts,
            venue_stops={venue.value: ends for venue, ends in self._venue_stops.items()},
            cancels_ignored=self._cancels_ignored,
        )

    def _line_states(self) -> list[LineState]:
        """Return every line in which something is; who only looked at one has changed nothing."""
        states: list[LineState] = []
        for name, line in sorted(self._lines.items()):
            sequence, entries = self._books[name].dump()
            blank = Line(name=name, symbol=line.symbol, venue=line.venue, session=line.session)
            if sequence or entries or line != blank:
                states.append(LineState(line=line, sequence=sequence, entries=entries))
        return states

    def load(self, state: MarketState) -> None:
        """Become the market of a snapshot; only for a market in which nothing has happened yet."""
        assert not self.orders, "a snapshot is loaded into a fresh market"
        assert not self._accounts, "a snapshot is loaded into a fresh market"
        self.now_ns = state.now_ns
        self.executions, self.arrivals = list(state.executions), list(state.arrivals)
        self.modifies, self.busts = list(state.modifies), list(state.busts)
        self._accounts = {known.account_id: Account.load(known) for known in state.accounts}
        for known in state.lines:
            self._lines[known.line.name] = known.line
            self._books[known.line.name] = OrderBook.load(known.sequence, known.entries)
        for order in state.orders:
            self.orders[order.key] = order
            self._by_day.setdefault((order.account_id, order.trade_date), []).append(order.key)
        for execution in state.executions:
            self._fills_of.setdefault(_key_of(execution), []).append(execution)
        self._worst, self._numbers = dict(state.worst), dict(state.numbers)
        self._execution_count, self._bust_count = state.execution_count, state.bust_count
        self._timers = list(state.timers)  # sorted, which is a heap
        self._bases = {(symbol, day): price for symbol, day, price in state.bases}
        self._regular, self._closes = dict(state.regular), dict(state.closes)
        self._halts, self._cancels_ignored = dict(state.halts), state.cancels_ignored
        self._venue_stops = {Venue(name): ends for name, ends in state.venue_stops.items()}

    # ---- the venue's clock ----------------------------------------------------------------------------

    def _moment(self, venue: Venue) -> Moment:
        """Return what the clock says now; raises NoCalendar where no calendar covers it."""
        known = self._moments.get(venue)
        if known is not None and known.start_ns <= self.now_ns < known.end_ns:
            return known
        moment = self._read_clock(venue)
        self._moments[venue] = moment
        return moment

    def _read_clock(self, venue: Venue) -> Moment:
        now_ns = self.now_ns
        phase, day = phase_at(venue, now_ns, self.world.overrides)
        plan = session_on(venue, day, self.world.overrides)
        start_ns, end_ns = now_ns, now_ns + 1
        for window in plan.windows if plan is not None else ():
            if window.start_ns <= now_ns < window.end_ns:
                start_ns, end_ns = window.start_ns, window.end_ns
        taken: dict[TradingSession, int] = {}
        for session in (TradingSession.REGULAR, *self.world.sessions):
            span = None if plan is None else plan.span(session)
            if plan is None or span is None:
                continue
            for edge in span:  # such as the pre-hours session inside the opening auction
                start_ns, end_ns = (
                    max(start_ns, edge if edge <= now_ns else 0),
                    min(end_ns, edge if edge > now_ns else end_ns),
                )
            if plan.takes(session, now_ns):
                taken[session] = span[1] + self._late_ns(plan, session)
        return Moment(
            phase=phase,
            day=day,
            trade_date=day.isoformat(),
            start_ns=start_ns,
            end_ns=end_ns,
            plan=plan,
            taken=taken,
        )

    def _late_ns(self, plan: SessionPlan, session: TradingSession) -> int:
        if session is not TradingSession.REGULAR or plan.venue is not Venue.KRX:
            return 0
        return self._random_end_ns(plan, "close")

    def _random_end_ns(self, plan: SessionPlan, which: str) -> int:
        """Return how late an auction ends: a value of the world, so that a replay ends it as late again."""
        if not self.world.call_auctions or not self.world.random_end_s:
            return 0
        text = f"{self.world.random_end_seed}/{plan.venue.value}/{plan.trade_date}/{which}"
        drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        return drawn % (self.world.random_end_s * NS + 1)

    # ---- lines and accounts ---------------------------------------------------------------------------

    def _line(self, instrument: Instrument, venue: Venue, session: TradingSession) -> Line:
        name = line_name(instrument, venue, session)
        line = self._lines.get(name)
        if line is None:
            at_home = venue is instrument.venue
            line = Line(
                name=name,
                symbol=instrument.symbol,
                venue=venue,
                session=session if at_home else TradingSession.REGULAR,
            )
            self._lines[name] = line
            self._books[name] = OrderBook()
        return line

    def _line_of(self, record: OrderRecord) -> Line:
        return self._line(self.master.get(record.symbol), record.venue, record.session)

    def _lines_of(self, symbol: str) -> list[Line]:
        return [line for _, line in sorted(self._lines.items()) if line.symbol == symbol]

    def _account(self, account_id: str) -> Account:
        account = self._accounts.get(account_id)
        if account is None:
            raise BadInput(f"account {account_id!r} is not open here; open it first")
        return account

    def _newest_at_home(self, symbol: str) -> Printed | None:
        """Return the newest print where the issue is listed, of any session but the day market.

        That one is thin and apart: its prices neither trigger a stop nor value anything in the regular one.
        """
        venue = self.master.get(symbol).venue
        prints = [
            line.newest
            for session in SESSION_PHASES
            if session[0] is venue
            and session[1] is not TradingSession.DAY_MARKET
            and (line := self._lines.get(line_name(self.master.get(symbol), venue, session[1]))) is not None
            and line.newest is not None
        ]
        return max(prints, key=lambda printed: printed.ts_ns, default=None)

    # ---- listing, filling, ending -----------------------------------------------------------------------

    def _next_number(self, trade_date: str) -> str:
        count = self._numbers.get(trade_date, 0) + 1
        self._numbers[trade_date] = count
        return f"{count:010d}"

    def _list(self, record: OrderRecord, worst: Decimal | None) -> None:
        key = record.key
        self.orders[key] = record
        self._by_day.setdefault((record.account_id, record.trade_date), []).append(key)
        self._worst[key] = worst
        heappush(self._timers, (record.expires_ns, RANKS["expire"], "expire", key))

    def _end(self, record: OrderRecord, state: BrokerState, text: str, ts_ns: int) -> OrderRecord:
        ended = msgspec.structs.replace(record, state=state, text=text, ts_changed_ns=ts_ns)
        key = ended.key
        self.orders[key] = ended
        line = self._line_of(record)
        if self._books[line.name].remove(key) is None:
            line.closing.pop(key, None)
            if key in line.stops:
                line.stops.remove(key)
        self._accounts[record.account_id].release(key)
        self._worst.pop(key, None)
        self._events.append(OrderChanged(order=ended, ts_ns=ts_ns))
        self._tell_costs(ended)
        return ended

    def _book_trades(self, instrument: Instrument, trades: list[Trade]) -> None:
        for trade in trades:
            for key in (trade.buyer, trade.seller):
                if key:
                    self._fill(instrument, self.orders[key], trade.qty, trade.price)

    def _fill(
        self, instrument: Instrument, before: OrderRecord, qty: Decimal, price: Decimal, *, over: bool = False
    ) -> None:
        amount = EXACT.multiply(qty, price)
        qty_filled = before.qty_filled + qty
        assert over or qty <= before.qty_left, f"{before.key} would be filled beyond its quantity (I-01)"
        after = msgspec.structs.replace(
            before,
            qty_filled=qty_filled,
            amount_filled=EXACT.add(before.amount_filled, amount),
            ts_changed_ns=self.now_ns,
        )
        if before.is_open and after.qty_left == ZERO:
            # What was taken back is not worked again: such an order ends without being filled.
            state = BrokerState.CANCELLED if after.qty_busted else BrokerState.FILLED
            after = msgspec.structs.replace(after, state=state)
        costs = self._costs.added(instrument, before, after)
        after = self._charged(after, costs)
        paid = sum(costs.values(), ZERO)
        is_buy = after.side is Side.BUY
        self._execution_count += 1
        execution = Execution(
            execution_id=f"{after.trade_date.replace('-', '')}-{self._execution_count:09d}",
            account_id=after.account_id,
            trade_date=after.trade_date,
            branch=after.branch,
            number=after.number,
            symbol=after.symbol,
            currency=after.currency,
            side=after.side,
            qty=qty,
            price=price,
            qty_cumulative=after.qty_filled,
            amount_cumulative=after.amount_filled,
            costs=costs,
            cash_change=(-amount if is_buy else amount) - paid,
            qty_change=qty if is_buy else -qty,
            settlement_date=self._costs.settles(instrument, after.trade_date).isoformat(),
            ts_ns=self.now_ns,
        )
        key = after.key
        self.orders[key] = after
        self.executions.append(execution)
        self._fills_of.setdefault(key, []).append(execution)
        account = self._accounts[after.account_id]
        account.book(after.currency.value, execution.cash_change, after.symbol, execution.qty_change)
        self._hold_rest(instrument, account, after)
        self._events.append(Executed(execution=execution))
        self._tell_costs(after)

    def _charged(self, record: OrderRecord, costs: dict[str, Decimal]) -> OrderRecord:
        """Count costs on the record, in a world that shows them."""
        if not self.world.reports_costs:
            return record
        total = {} if record.charged is msgspec.UNSET else dict(record.charged.costs)
        for kind, amount in costs.items():
            total[kind] = EXACT.add(total.get(kind, ZERO), amount)
        return msgspec.structs.replace(record, charged=Charged(costs=total, ts_ns=self.now_ns))

    def _tell_costs(self, record: OrderRecord) -> None:
        """Announce what a number that has ended was charged; again after each later change of it."""
        charged = record.charged
        if charged is msgspec.UNSET or record.is_open:
            return
        told = CostsTold(
            account_id=record.account_id,
            trade_date=record.trade_date,
            branch=record.branch,
            number=record.number,
            costs=dict(charged.costs),
            qty=record.qty_filled,
            amount=record.amount_filled,
            identity=f"costs-{record.number}-{charged.ts_ns}",
            ts_ns=charged.ts_ns,
        )
        self._events.append(told)

    def _hold_rest(self, instrument: Instrument, account: Account, record: OrderRecord) -> None:
        """Shrink what an order holds back to what it can still cost; nothing once it has ended."""
        key = record.key
        if not record.is_open:
            account.release(key)
            self._worst.pop(key, None)
            return
        if record.side is Side.SELL:
            account.hold_shares(key, record.symbol, record.qty_left)
            return
        worst = self._worst[key]
        assert worst is not None, "a buy without a worst price was let in"
        rest = EXACT.multiply(worst, record.qty_left)
        costs = self._costs.of_rest(instrument, record, worst)
        account.hold_cash(key, record.currency.value, EXACT.add(rest, costs))

    def _publish(self) -> None:
        events, self._events = tuple(self._events), []
        if events:
            for listener in tuple(self._listeners):
                listener(events)


def _key_of(event: Execution | Bust) -> str:
    return f"{event.trade_date}/{event.branch}/{event.number}"


# Of two things at one instant: an auction clears before the orders in it expire.
RANKS: Final = {"auction": 0, "resume": 1, "luld": 2, "expire": 3}
