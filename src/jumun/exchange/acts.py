"""What exchanges and houses do by themselves, and other people to an account: called by a test or a scenario.

Each act names the fault of trading_controls.md 8.4 it plays. None of them happens by chance.
"""

from decimal import Decimal

import msgspec

from jumun.exchange.accounts import Account
from jumun.exchange.floor import ZERO
from jumun.exchange.interruption import CIRCUIT_AUCTION_NS, CIRCUIT_HALT_NS
from jumun.exchange.pit import Pit
from jumun.exchange.records import AccountAdjusted, Bust, Execution, OrderRecord, TradeBusted
from jumun.model.errors import BadInput
from jumun.model.instruments import Venue
from jumun.model.money import EXACT
from jumun.model.orders import Side, TradingSession
from jumun.model.reports import BrokerState

BLOCKED = "blocked"  # the key under which cash is held back for no order
CLOSED_BY_STAGE = 3


class Acts(Pit):
    """Scripted acts. Each takes the time like every call, and raises BadInput where it cannot be."""

    # ---- interruptions ----------------------------------------------------------------------------------

    def halt(self, symbol: str, now_ns: int, *, until_ns: int | None = None, text: str = "halted") -> None:
        """Stop trading of one issue at every venue; resting orders stay (F-48)."""
        self._advance(now_ns)
        self.master.get(symbol)
        if until_ns is not None and until_ns <= self.now_ns:
            raise BadInput(f"{symbol} cannot be halted until {until_ns}, which is past; give a later instant")
        self._stop_symbol(symbol, until_ns, "HALT", text)
        self._publish()

    def resume(self, symbol: str, now_ns: int) -> None:
        """End a halt; orders that meet trade at one price first."""
        self._advance(now_ns)
        if symbol not in self._halts:
            raise BadInput(f"{symbol} is not halted; nothing to resume")
        self._resume_symbol(symbol)
        self._publish()

    def interrupt(self, symbol: str, now_ns: int, *, text: str = "by hand") -> None:
        """Start a volatility interruption without a price: two minutes of call auction (F-48)."""
        self._advance(now_ns)
        instrument = self.master.get(symbol)
        self._start_vi(self._line(instrument, instrument.venue, TradingSession.REGULAR), text)
        self._publish()

    def break_circuit(self, venue: Venue, now_ns: int, *, stage: int = 1) -> None:
        """Stop a whole market for 20 minutes, then collect for 10; stage 3 ends its day (krx_market.md 5.2).

        A breaker of KRX stops NXT as well.
        """
        self._advance(now_ns)
        venues = (Venue.KRX, Venue.NXT) if venue is not Venue.US else (venue,)
        for place in venues:
            if stage >= CLOSED_BY_STAGE:
                self._close_day(place)
            else:
                halt_end = self.now_ns + CIRCUIT_HALT_NS
                self._venue_stops[place] = (halt_end, halt_end + CIRCUIT_AUCTION_NS)
                for _, line in sorted(self._lines.items()):
                    if line.venue is place:
                        self._set_auction(line, *self._venue_stops[place])
            until_ns = self._venue_stops[place][1]
            self._tell("", place, "CIRCUIT_BREAKER", until_ns, f"stage {stage}")
        self._publish()

    def _close_day(self, venue: Venue) -> None:
        plan = self._moment(venue).plan
        end_ns = self.now_ns + 1 if plan is None else max(plan.last_ns, self.now_ns + 1)
        self._venue_stops[venue] = (end_ns, end_ns)
        for record in [record for record in self.orders.values() if record.is_open]:
            if record.venue is venue:
                self._end(record, BrokerState.EXPIRED, "the market was closed for the day", self.now_ns)

    # ---- orders -----------------------------------------------------------------------------------------

    def mass_cancel(
        self,
        now_ns: int,
        *,
        symbol: str | None = None,
        account_id: str | None = None,
        text: str = "cancelled by the exchange",
    ) -> int:
        """Cancel open orders ex officio, of one symbol or account or of all; return how many (F-52)."""
        self._advance(now_ns)
        chosen = [
            record
            for record in self.orders.values()
            if record.is_open and symbol in (None, record.symbol) and account_id in (None, record.account_id)
        ]
        for record in chosen:
            self._end(record, BrokerState.CANCELLED, text, self.now_ns)
        self._publish()
        return len(chosen)

    def refuse_later(self, key: str, now_ns: int, *, text: str = "refused by the exchange") -> OrderRecord:
        """Reject an order that was accepted and has not filled (F-51)."""
        self._advance(now_ns)
        record = self._open_order(key)
        if record.qty_filled:
            raise BadInput(f"order {key} has filled {record.qty_filled}; only an unfilled order is refused")
        rejected = self._end(record, BrokerState.REJECTED, text, self.now_ns)
        self._publish()
        return rejected

    def ignore_cancels(self, count: int) -> None:
        """Answer the next `count` cancels as if they were carried out, and let the orders live (F-50)."""
        self._cancels_ignored = count

    def over_fill(self, key: str, qty: Decimal, price: Decimal, now_ns: int) -> Execution:
        """Fill an open order by `qty`, also beyond what it asked for (F-62); it ends when nothing is left.

        Raises BadInput when the account could not have paid or delivered that.
        """
        self._advance(now_ns)
        record = self._open_order(key)
        account = self._accounts[record.account_id]
        self._require_means(account, record, qty, price)
        instrument = self.master.get(record.symbol)
        book = self._books[self._line_of(record).name]
        entry = book.find(key)
        if entry is not None:
            if qty >= entry.qty_left:
                book.remove(key)
            else:
                book.cut(key, entry.qty_left - qty, key)
        self._fill(instrument, record, qty, price, over=True)
        self._publish()
        return self.executions[-1]

    def bust(self, execution_id: str, now_ns: int, *, price_new: Decimal | None = None) -> Bust:
        """Take a fill back, or correct its price (F-53): the order's figures, cash and shares follow.

        What was taken back is not worked again. A fill can be corrected once. Raises BadInput when there is
        no such fill, or when the account no longer has what it must give back.
        """
        self._advance(now_ns)
        execution = next((e for e in self.executions if e.execution_id == execution_id), None)
        if execution is None or any(bust.execution_id == execution_id for bust in self.busts):
            raise BadInput(f"execution {execution_id} is unknown or already corrected; name another")
        key = f"{execution.trade_date}/{execution.branch}/{execution.number}"
        before = self.orders[key]
        after = self._without(before, execution, price_new)
        bust = self._reversal(execution, before, after, price_new)
        after = self._charged(after, bust.costs)
        account = self._accounts[execution.account_id]
        self._require_returnable(account, bust)
        self.orders[key] = after
        account.book(bust.currency.value, bust.cash_change, bust.symbol, bust.qty_change)
        self._hold_rest(self.master.get(after.symbol), account, after)
        self._bust_count += 1
        self.busts.append(bust)
        self._events.append(TradeBusted(bust=bust))
        self._tell_costs(after)
        self._publish()
        return bust

    def _without(self, record: OrderRecord, execution: Execution, price_new: Decimal | None) -> OrderRecord:
        qty_gone = execution.qty if price_new is None else ZERO
        price_gone = execution.price if price_new is None else execution.price - price_new
        state = record.state
        if price_new is None and state is BrokerState.FILLED:
            state = BrokerState.CANCELLED
        return msgspec.structs.replace(
            record,
            qty_filled=record.qty_filled - qty_gone,
            qty_busted=record.qty_busted + qty_gone,
            amount_filled=EXACT.subtract(record.amount_filled, EXACT.multiply(execution.qty, price_gone)),
            state=state,
            text="a fill was taken back" if price_new is None else "a fill was repriced",
            ts_changed_ns=self.now_ns,
        )

    def _reversal(
        self, execution: Execution, before: OrderRecord, after: OrderRecord, price_new: Decimal | None
    ) -> Bust:
        costs = self._costs.added(self.master.get(after.symbol), before, after)
        amount = EXACT.subtract(before.amount_filled, after.amount_filled)
        is_buy = execution.side is Side.BUY
        qty_gone = before.qty_filled - after.qty_filled
        return Bust(
            identity=f"bust-{self._bust_count + 1:06d}",
            execution_id=execution.execution_id,
            account_id=execution.account_id,
            trade_date=execution.trade_date,
            branch=execution.branch,
            number=execution.number,
            symbol=execution.symbol,
            currency=execution.currency,
            side=execution.side,
            qty=execution.qty,
            price=execution.price,
            price_new=price_new,
            qty_cumulative=after.qty_filled,
            amount_cumulative=after.amount_filled,
            costs=costs,
            cash_change=(amount if is_buy else -amount) - sum(costs.values(), ZERO),
            qty_change=-qty_gone if is_buy else qty_gone,
            ts_ns=self.now_ns,
        )

    # ---- accounts ---------------------------------------------------------------------------------------

    def adjust(
        self,
        account_id: str,
        now_ns: int,
        *,
        cash: dict[str, Decimal] | None = None,
        holdings: dict[str, Decimal] | None = None,
        text: str = "",
    ) -> None:
        """Add to, or take from, cash and shares without a fill; nobody is told (F-54).

        Raises BadInput when more would be taken than no open order holds back.
        """
        self._advance(now_ns)
        account = self._account(account_id)
        for currency, amount in (cash or {}).items():
            if amount < ZERO and account.cash_free(currency) < -amount:
                raise BadInput(f"account {account_id} has not {-amount} {currency} free; take less")
        for symbol, qty in (holdings or {}).items():
            if qty < ZERO and account.shares_free(symbol) < -qty:
                raise BadInput(f"account {account_id} has not {-qty} {symbol} free; take less")
        for currency, amount in (cash or {}).items():
            account.book(currency, amount, "", ZERO)
        for symbol, qty in (holdings or {}).items():
            account.book("", ZERO, symbol, qty)
        self._adjusted(account_id, cash or {}, holdings or {}, {}, text)

    def block_cash(self, account_id: str, currency: str, amount: Decimal, now_ns: int) -> None:
        """Hold back cash for no order: buying power shrinks and the balance stays (F-61); 0 gives it back."""
        self._advance(now_ns)
        account = self._account(account_id)
        if not ZERO <= amount <= account.cash_free(currency) + account.held_for(BLOCKED):
            raise BadInput(f"account {account_id} has not {amount} {currency} free; block less")
        account.hold_cash(BLOCKED, currency, amount)
        self._adjusted(account_id, {}, {}, {currency: amount}, "blocked")

    def _adjusted(
        self,
        account_id: str,
        cash: dict[str, Decimal],
        holdings: dict[str, Decimal],
        blocked: dict[str, Decimal],
        text: str,
    ) -> None:
        self._events.append(
            AccountAdjusted(
                account_id=account_id,
                cash=dict(cash),
                holdings=dict(holdings),
                blocked=blocked,
                text=text,
                ts_ns=self.now_ns,
            )
        )
        self._publish()

    def _open_order(self, key: str) -> OrderRecord:
        record = self.orders.get(key)
        if record is None or not record.is_open:
            raise BadInput(f"order {key} is unknown or has ended; name one that is open")
        return record

    def _require_means(self, account: Account, record: OrderRecord, qty: Decimal, price: Decimal) -> None:
        if qty <= ZERO or price <= ZERO:
            raise BadInput(f"order {record.key} cannot fill {qty} at {price}; both must be positive")
        currency = record.currency.value
        if record.side is Side.SELL:
            short = qty > account.shares_free(record.symbol) + min(qty, record.qty_left)
        else:
            short = 2 * qty * price > account.cash_free(currency) + account.held_for(record.key)
        if short:
            raise BadInput(f"account {record.account_id} has not the means to fill {qty} at {price}")

    def _require_returnable(self, account: Account, bust: Bust) -> None:
        shares = account.holdings.get(bust.symbol, ZERO) + bust.qty_change
        cash = account.cash.get(bust.currency.value, ZERO) + bust.cash_change
        if shares < ZERO or (bust.cash_change < ZERO and cash < ZERO):
            raise BadInput(f"account {bust.account_id} no longer has what {bust.execution_id} moved")
