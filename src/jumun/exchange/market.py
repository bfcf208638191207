"""The simulated market: the one place where it is decided what really happened.

Deterministic: time is an argument, and there is no chance inside. The same calls give the same records, which
is how the durable ledger rebuilds it. Sources of the rules: krx_market.md sections 1 to 4.
"""

import hashlib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from heapq import heappop, heappush
from typing import ClassVar, Final

import msgspec

from jumun.exchange.accounts import Account, CostBook
from jumun.exchange.admission import AUCTIONS, TRADING, Admission, Situation, admit, band_on
from jumun.exchange.modify import NewTerms, judge_modify
from jumun.exchange.order_book import BookOrder, OrderBook, Trade
from jumun.exchange.records import (
    AccountBalance,
    AccountOpened,
    Arrival,
    CancelNotDone,
    Executed,
    Execution,
    MarketEvent,
    ModifyArrival,
    ModifyNotDone,
    NewOrder,
    OrderChanged,
    OrderRecord,
    OrderRefused,
    Printed,
    Refusal,
    RejectCode,
)
from jumun.exchange.world import World
from jumun.model.errors import BadInput, OmsError
from jumun.model.instruments import Instrument, InstrumentMaster
from jumun.model.money import EXACT
from jumun.model.orders import Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerState
from jumun.ports.outside import Quote
from jumun.rules.sessions import Phase, phase_at, session_on, trade_date_of
from jumun.rules.ticks import ceil_to_tick, floor_to_tick, is_on_tick, tick_size

ZERO: Final = Decimal(0)
Listener = Callable[[tuple[MarketEvent, ...]], None]


class PrintRefused(BadInput):
    """A price the market cannot print: unknown symbol, off the tick, outside the day's limits, or closed."""

    default_reason: ClassVar[Reason] = Reason.BAD_INPUT


class Market:
    """One market with its accounts. Every call takes the time; the market's own clock never goes back.

    `orders`, `executions` and `arrivals` grow without bound: this is the oracle, its memory is its purpose.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.master = InstrumentMaster(world.instruments)
        self.now_ns = 0
        self.orders: dict[str, OrderRecord] = {}
        self.executions: list[Execution] = []
        self.arrivals: list[Arrival] = []
        self.modifies: list[ModifyArrival] = []
        self._costs = CostBook({code.value: plan for code, plan in world.plans.items()}, world.overrides)
        self._accounts: dict[str, Account] = {}
        self._books: dict[str, OrderBook] = {}
        self._quotes_end_ns: dict[str, int] = {}
        self._worst: dict[str, Decimal | None] = {}  # of open orders
        self._numbers: dict[str, int] = {}  # by trade date: numbers restart every day (I-64)
        self._by_day: dict[tuple[str, str], list[str]] = {}
        self._fills_of: dict[str, list[Execution]] = {}
        self._expiries: list[tuple[int, str]] = []
        self._bases: dict[tuple[str, str], Decimal] = {}
        self._prints: dict[str, Printed] = {}
        self._closes: dict[str, tuple[str, Decimal]] = {}  # newest print of an earlier day than `_prints`
        self._events: list[MarketEvent] = []
        self._listeners: list[Listener] = []

    # ---- calls that change something --------------------------------------------------------------

    def open_account(
        self,
        account_id: str,
        *,
        cash: dict[str, Decimal],
        holdings: dict[str, Decimal] | None = None,
        now_ns: int,
    ) -> None:
        """Open an account with what it brings along; opening it again with anything raises BadInput."""
        if account_id in self._accounts:
            raise BadInput(f"account {account_id!r} is already open; use another name")
        self._advance(now_ns)
        account = Account(account_id, cash, holdings or {})
        self._accounts[account_id] = account
        brought, shares = account.cash.copy(), account.holdings.copy()
        self._events.append(
            AccountOpened(account_id=account_id, cash=brought, holdings=shares, ts_ns=self.now_ns)
        )
        self._publish()

    def set_base(self, symbol: str, trade_date: str, price: Decimal) -> None:
        """Fix the price the limits of one day are counted from; without it the close before is used."""
        self.master.get(symbol)
        if not price.is_finite() or price <= ZERO:
            raise BadInput(f"{symbol} base {price} is not above zero; give the close of the day before")
        self._bases[symbol, trade_date] = price

    def submit(self, order: NewOrder, now_ns: int) -> OrderRecord | Refusal:
        """Take an order in, or refuse it; what trades at once is already in the returned record."""
        self._advance(now_ns)
        admission = self._decide(order)
        if isinstance(admission, Refusal):
            arrival = Arrival(order=order, ts_ns=self.now_ns, refused=admission.code)
            self.arrivals.append(arrival)
            self._events.append(OrderRefused(arrival=arrival, text=admission.text))
            self._publish()
            return admission
        record = self._accept(order, admission)
        self._enter(record, admission.instrument, admission.phase, admission.worst)
        self._publish()
        return self.orders[record.key]

    def cancel(
        self, account_id: str, trade_date: str, branch: str, number: str, now_ns: int
    ) -> OrderRecord | Refusal:
        """Cancel what is left of an order; refused when it is unknown or has ended."""
        self._advance(now_ns)
        key = f"{trade_date}/{branch}/{number}"
        record = self.orders.get(key)
        if record is None or record.account_id != account_id:
            answer: OrderRecord | Refusal = Refusal(
                code=RejectCode.NOT_FOUND, text=f"no order {key} of account {account_id}"
            )
        elif not record.is_open:
            answer = Refusal(code=RejectCode.FINISHED, text=f"order {key} is already {record.state}")
        else:
            answer = self._end(record, BrokerState.CANCELLED, "cancelled by client", self.now_ns)
        if isinstance(answer, Refusal):
            self._events.append(
                CancelNotDone(account_id=account_id, key=key, refusal=answer, ts_ns=self.now_ns)
            )
        self._publish()
        return answer

    def modify(
        self,
        account_id: str,
        trade_date: str,
        branch: str,
        number: str,
        now_ns: int,
        *,
        qty_cut: Decimal = ZERO,
        price: Decimal | None = None,
        tag: str = "",
    ) -> OrderRecord | Refusal:
        """Take `qty_cut` shares off what is open, or set another limit price, or both.

        Returns the record that holds the rest: a new number, whose fill figures start at zero, or the same
        one (World.modify_renumbers). Refused when the order is unknown, has ended, or would grow or end by it.
        What trades at once at the new price is already in the returned record.
        """
        self._advance(now_ns)
        key = f"{trade_date}/{branch}/{number}"
        record = self.orders.get(key)
        if record is None or record.account_id != account_id:
            answer: NewTerms | Refusal = Refusal(
                code=RejectCode.NOT_FOUND, text=f"no order {key} of account {account_id}"
            )
        elif not record.is_open:
            answer = Refusal(code=RejectCode.FINISHED, text=f"order {key} is already {record.state}")
        else:
            situation = self._situation(record.symbol, account_id, record.trade_date)
            answer = judge_modify(record, qty_cut, price, self._worst[key], situation)
        arrival = ModifyArrival(
            account_id=account_id, key=key, qty_cut=qty_cut, price=price, tag=tag, ts_ns=self.now_ns
        )
        if isinstance(answer, Refusal):
            arrival = msgspec.structs.replace(arrival, refused=answer.code)
            self._events.append(ModifyNotDone(arrival=arrival, text=answer.text))
            told: OrderRecord | Refusal = answer
        else:
            assert record is not None
            after = self._replace(record, answer)
            arrival = msgspec.structs.replace(arrival, made=after.key)
            told = self.orders[after.key]
        self.modifies.append(arrival)
        self._publish()
        return told

    def step(
        self,
        symbol: str,
        price: Decimal,
        volume: Decimal,
        now_ns: int,
        *,
        quote_qty: Decimal | None = None,
    ) -> None:
        """Print a trade of the market: resting orders it came through fill, then new quotes are placed.

        `volume` (shares) bounds what each side of our clients can take from the print. Quotes of `quote_qty`
        stand one tick around the price in continuous trading, none in auctions. Raises PrintRefused.
        """
        self._advance(now_ns)
        instrument = self.master.get(symbol)
        phase, day = phase_at(instrument.venue, self.now_ns, self.world.overrides)
        self._require_printable(instrument, price, volume, phase, day)
        book = self._book(symbol)
        self._remember_print(symbol, price, volume, day.isoformat())
        self._book_trades(instrument, book.print_at(price, volume))
        if phase is Phase.CONTINUOUS:
            self._place_quotes(instrument, book, price, day, quote_qty)
        self._publish()

    def advance(self, now_ns: int) -> None:
        """Let time pass: orders of ended sessions expire (F-55)."""
        self._advance(now_ns)
        self._publish()

    # ---- questions ----------------------------------------------------------------------------------

    def orders_of(self, account_id: str, trade_date: str) -> list[OrderRecord]:
        """Return every order of an account on a trading day, in the order of their numbers."""
        return [self.orders[key] for key in self._by_day.get((account_id, trade_date), ())]

    def has_account(self, account_id: str) -> bool:
        """Return whether an account is open."""
        return account_id in self._accounts

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts, in the order they were opened."""
        return tuple(self._accounts)

    def balance_of(self, account_id: str) -> AccountBalance:
        """Return cash and holdings; raises BadInput for an account that is not open."""
        if account_id not in self._accounts:
            raise BadInput(f"account {account_id!r} is not open here; open it first")
        return self._accounts[account_id].balance()

    def executions_of(self, key: str) -> list[Execution]:
        """Return the fills of one order, in order."""
        return list(self._fills_of.get(key, ()))

    def base_of(self, symbol: str, trade_date: str) -> Decimal | None:
        """Return the base price of a day: as set, else the close before it, else the world's first price."""
        explicit = self._bases.get((symbol, trade_date))
        if explicit is not None:
            return explicit
        newest = self._prints.get(symbol)
        if newest is not None and self._day_of(symbol, newest.ts_ns) < trade_date:
            return newest.price
        earlier = self._closes.get(symbol)
        if earlier is not None and earlier[0] < trade_date:
            return earlier[1]
        return self.world.bases.get(symbol)

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest price and today's base (ports.Prices); None for an unknown symbol."""
        if symbol not in self.master:
            return None
        newest = self._prints.get(symbol)
        base = self.base_of(symbol, self._day_of(symbol, self.now_ns))
        return Quote(
            symbol=symbol,
            last=None if newest is None else newest.price,
            base=base,
            ts_ns=0 if newest is None else newest.ts_ns,
        )

    def book_of(self, symbol: str) -> OrderBook:
        """Return the order book of a symbol, for looking at."""
        return self._book(symbol)

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
            "accounts": [(a.balance(), a.held()) for a in self._accounts.values()],
            "numbers": self._numbers,
            "bases": [[*key, price] for key, price in self._bases.items()],
            "prints": self._prints,
            "closes": self._closes,
            "books": {
                symbol: [*book.resting(Side.BUY), *book.resting(Side.SELL)]
                for symbol, book in self._books.items()
            },
        }
        return hashlib.sha256(msgspec.json.encode(state, order="deterministic")).hexdigest()

    # ---- taking in and ending -------------------------------------------------------------------------

    def _decide(self, order: NewOrder) -> Admission | Refusal:
        try:
            today = self._day_of(order.symbol, self.now_ns) if order.symbol in self.master else ""
        except OmsError as error:  # no calendar for today: fail closed
            return Refusal(code=RejectCode.TABLE, text=str(error))
        return admit(order, self._situation(order.symbol, order.account_id, today))

    def _situation(self, symbol: str, account_id: str, trade_date: str) -> Situation:
        newest = self._prints.get(symbol)
        return Situation(
            world=self.world,
            master=self.master,
            costs=self._costs,
            account=self._accounts.get(account_id),
            base=self.base_of(symbol, trade_date) if trade_date else None,
            last=None if newest is None else newest.price,
            now_ns=self.now_ns,
        )

    def _accept(self, order: NewOrder, admission: Admission) -> OrderRecord:
        trade_date = admission.trade_date
        record = OrderRecord(
            account_id=order.account_id,
            trade_date=trade_date,
            branch=self.world.branch,
            number=self._next_number(trade_date),
            symbol=order.symbol,
            venue=order.venue,
            currency=order.currency,
            side=order.side,
            order_type=order.order_type,
            tif=order.tif,
            qty=order.qty,
            price=order.price,
            state=BrokerState.WORKING,
            ts_accepted_ns=self.now_ns,
            ts_changed_ns=self.now_ns,
            expires_ns=admission.expires_ns,
            reference=order.reference,
            tag=order.tag,
            client=order.client,
        )
        self.arrivals.append(
            Arrival(order=order, ts_ns=self.now_ns, number=record.number, trade_date=trade_date)
        )
        self._list(record, admission.worst)
        account = self._accounts[order.account_id]
        if order.side is Side.BUY:
            account.hold_cash(record.key, order.currency.value, admission.hold)
        else:
            account.hold_shares(record.key, order.symbol, order.qty)
        self._events.append(OrderChanged(order=record, ts_ns=self.now_ns))
        return record

    def _next_number(self, trade_date: str) -> str:
        count = self._numbers.get(trade_date, 0) + 1
        self._numbers[trade_date] = count
        return f"{count:010d}"

    def _list(self, record: OrderRecord, worst: Decimal | None) -> None:
        self.orders[record.key] = record
        self._by_day.setdefault((record.account_id, record.trade_date), []).append(record.key)
        self._worst[record.key] = worst
        heappush(self._expiries, (record.expires_ns, record.key))

    def _replace(self, record: OrderRecord, terms: NewTerms) -> OrderRecord:
        """Put new terms in force; the rest goes to a new number or stays under the old one."""
        after = (
            self._renumbered(record, terms) if self.world.modify_renumbers else self._retermed(record, terms)
        )
        account = self._accounts[after.account_id]
        if record.key != after.key:
            account.release(record.key)
        if after.side is Side.BUY:
            account.hold_cash(after.key, after.currency.value, terms.hold)
        else:
            account.hold_shares(after.key, after.symbol, terms.qty_left)
        self._events.append(OrderChanged(order=after, ts_ns=self.now_ns))
        book = self._book(record.symbol)
        if not terms.is_repriced:
            book.cut(record.key, terms.qty_left, after.key)
            return after
        book.remove(record.key)
        phase, _ = phase_at(after.venue, self.now_ns, self.world.overrides)
        self._enter(after, terms.instrument, phase, terms.worst)
        return after

    def _renumbered(self, record: OrderRecord, terms: NewTerms) -> OrderRecord:
        replaced = msgspec.structs.replace(
            record, state=BrokerState.REPLACED, text="modified by client", ts_changed_ns=self.now_ns
        )
        self.orders[record.key] = replaced
        self._worst.pop(record.key)
        self._events.append(OrderChanged(order=replaced, ts_ns=self.now_ns))
        alone = self.world.costs_per_number
        after = msgspec.structs.replace(
            record,
            number=self._next_number(record.trade_date),
            qty=terms.qty_left,
            price=terms.price,
            qty_filled=ZERO,
            amount_filled=ZERO,
            ts_accepted_ns=self.now_ns,
            ts_changed_ns=self.now_ns,
            replaces=record.key,
            qty_earlier=ZERO if alone else EXACT.add(record.qty_earlier, record.qty_filled),
            amount_earlier=ZERO if alone else EXACT.add(record.amount_earlier, record.amount_filled),
        )
        self._list(after, terms.worst)
        return after

    def _retermed(self, record: OrderRecord, terms: NewTerms) -> OrderRecord:
        after = msgspec.structs.replace(
            record, qty=record.qty_filled + terms.qty_left, price=terms.price, ts_changed_ns=self.now_ns
        )
        self.orders[after.key] = after
        self._worst[after.key] = terms.worst
        return after

    def _enter(
        self, record: OrderRecord, instrument: Instrument, phase: Phase, worst: Decimal | None
    ) -> None:
        book = self._book(record.symbol)
        if self.now_ns >= self._quotes_end_ns.get(record.symbol, 0):
            book.clear_quotes()
        auction = phase in AUCTIONS
        entry = BookOrder(
            key=record.key,
            side=record.side,
            price=record.price,
            worst=worst,
            qty_left=record.qty_left,
            at_print=auction,
        )
        if auction:
            book.rest(entry)
            return
        newest = self._prints.get(record.symbol)
        reference = None if newest is None else newest.price
        if record.tif is TimeInForce.FOK and book.available(entry, reference) < record.qty_left:
            self._end(record, BrokerState.CANCELLED, "fill or kill: too few shares", self.now_ns)
            return
        self._book_trades(instrument, book.take(entry, reference))
        if entry.qty_left == ZERO:
            return
        if record.tif is TimeInForce.DAY:
            book.rest(entry)
        else:
            left = self.orders[record.key]
            self._end(left, BrokerState.CANCELLED, "immediate or cancel", self.now_ns)

    def _end(self, record: OrderRecord, state: BrokerState, text: str, ts_ns: int) -> OrderRecord:
        ended = msgspec.structs.replace(record, state=state, text=text, ts_changed_ns=ts_ns)
        self.orders[record.key] = ended
        self._book(record.symbol).remove(record.key)
        self._accounts[record.account_id].release(record.key)
        self._worst.pop(record.key, None)
        self._events.append(OrderChanged(order=ended, ts_ns=ts_ns))
        return ended

    def _advance(self, now_ns: int) -> None:
        self.now_ns = max(self.now_ns, now_ns)
        while self._expiries and self._expiries[0][0] <= self.now_ns:
            expires_ns, key = heappop(self._expiries)
            record = self.orders[key]
            if record.is_open:
                self._end(record, BrokerState.EXPIRED, "session ended", expires_ns)

    # ---- trades -----------------------------------------------------------------------------------------

    def _book_trades(self, instrument: Instrument, trades: list[Trade]) -> None:
        for trade in trades:
            for key in (trade.buyer, trade.seller):
                if key:
                    self._fill(instrument, self.orders[key], trade.qty, trade.price)

    def _fill(self, instrument: Instrument, before: OrderRecord, qty: Decimal, price: Decimal) -> None:
        amount = EXACT.multiply(qty, price)
        qty_filled = before.qty_filled + qty
        assert qty_filled <= before.qty, f"{before.key} would be filled beyond its quantity (I-01)"
        after = msgspec.structs.replace(
            before,
            qty_filled=qty_filled,
            amount_filled=EXACT.add(before.amount_filled, amount),
            state=BrokerState.FILLED if qty_filled == before.qty else BrokerState.WORKING,
            ts_changed_ns=self.now_ns,
        )
        costs = self._costs.added(instrument, before, after)
        paid = sum(costs.values(), ZERO)
        is_buy = after.side is Side.BUY
        execution = Execution(
            execution_id=f"{after.trade_date.replace('-', '')}-{len(self.executions) + 1:09d}",
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
        self.orders[after.key] = after
        self.executions.append(execution)
        self._fills_of.setdefault(after.key, []).append(execution)
        account = self._accounts[after.account_id]
        account.book(after.currency.value, execution.cash_change, after.symbol, execution.qty_change)
        self._hold_rest(instrument, account, after)
        self._events.append(Executed(execution=execution))

    def _hold_rest(self, instrument: Instrument, account: Account, record: OrderRecord) -> None:
        """Shrink what an order holds back to what it can still cost; nothing once it is filled."""
        if not record.is_open:
            account.release(record.key)
            self._worst.pop(record.key, None)
            return
        if record.side is Side.SELL:
            account.hold_shares(record.key, record.symbol, record.qty_left)
            return
        worst = self._worst[record.key]
        assert worst is not None, "a buy without a worst price was let in"
        rest = EXACT.multiply(worst, record.qty_left)
        costs = self._costs.of_rest(instrument, record, worst)
        account.hold_cash(record.key, record.currency.value, EXACT.add(rest, costs))

    # ---- prices -----------------------------------------------------------------------------------------

    def _require_printable(
        self, instrument: Instrument, price: Decimal, volume: Decimal, phase: Phase, day: date
    ) -> None:
        symbol = instrument.symbol
        if phase not in TRADING:
            raise PrintRefused(f"{symbol} cannot trade: {instrument.venue} is {phase}; print in a session")
        if not price.is_finite() or price <= ZERO or not volume.is_finite() or volume < ZERO:
            raise PrintRefused(f"{symbol}: price {price} volume {volume} cannot be; both must be positive")
        if not is_on_tick(instrument, price, day):
            raise PrintRefused(f"{symbol}: price {price} is off the tick; snap it first")
        band = band_on(instrument, self.base_of(symbol, day.isoformat()), day.isoformat())
        if band is not None and not band.contains(price):
            raise PrintRefused(
                f"{symbol}: price {price} is outside {band.lower} to {band.upper}; set the day's base price"
            )

    def _remember_print(self, symbol: str, price: Decimal, volume: Decimal, trade_date: str) -> None:
        base = self.base_of(symbol, trade_date)
        before = self._prints.get(symbol)
        if before is not None and self._day_of(symbol, before.ts_ns) < trade_date:
            self._closes[symbol] = (self._day_of(symbol, before.ts_ns), before.price)
        printed = Printed(symbol=symbol, price=price, volume=volume, base=base, ts_ns=self.now_ns)
        self._prints[symbol] = printed
        self._events.append(printed)

    def _place_quotes(
        self, instrument: Instrument, book: OrderBook, price: Decimal, day: date, qty: Decimal | None
    ) -> None:
        size = self.world.quote_qty if qty is None else qty
        plan = session_on(instrument.venue, day, self.world.overrides)
        if size <= ZERO or plan is None:
            return
        tick = tick_size(instrument, price, day)
        band = band_on(instrument, self.base_of(instrument.symbol, day.isoformat()), day.isoformat())
        ask = ceil_to_tick(instrument, price + tick, day)
        if band is None or band.contains(ask):
            book.quote(Side.SELL, ask, size)
        if price > tick:
            bid = floor_to_tick(instrument, price - tick, day)
            if band is None or band.contains(bid):
                book.quote(Side.BUY, bid, size)
        self._quotes_end_ns[instrument.symbol] = next(
            window.end_ns for window in plan.windows if window.start_ns <= self.now_ns < window.end_ns
        )

    def _day_of(self, symbol: str, ts_ns: int) -> str:
        return trade_date_of(self.master.get(symbol).venue, ts_ns, self.world.overrides).isoformat()

    def _book(self, symbol: str) -> OrderBook:
        return self._books.setdefault(self.master.get(symbol).symbol, OrderBook())

    def _publish(self) -> None:
        events, self._events = tuple(self._events), []
        if events:
            for listener in tuple(self._listeners):
                listener(events)
