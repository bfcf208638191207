"""The simulated market: the one place where it is decided what really happened.

Deterministic: time is an argument, and there is no chance inside. The same calls give the same records, which
is how the durable ledger rebuilds it. Sources of the rules: krx_market.md sections 1 to 5 and 12.
"""

from decimal import Decimal

import msgspec

from jumun.exchange.accounts import Account
from jumun.exchange.acts import Acts
from jumun.exchange.admission import AUCTION_KINDS, STOPS, Admission, Situation, admit
from jumun.exchange.floor import ZERO
from jumun.exchange.modify import NewTerms, judge_modify
from jumun.exchange.pit import PrintRefused
from jumun.exchange.records import (
    AccountOpened,
    Arrival,
    CancelNotDone,
    ModifyArrival,
    ModifyNotDone,
    NewOrder,
    OrderChanged,
    OrderRecord,
    OrderRefused,
    Refusal,
    RejectCode,
)
from jumun.model.errors import BadInput, OmsError
from jumun.model.instruments import Venue
from jumun.model.money import EXACT
from jumun.model.orders import Side, TradingSession
from jumun.model.reports import BrokerState

__all__ = ["Market", "PrintRefused"]


class Market(Acts):
    """One market with its accounts. Every call takes the time; the market's own clock never goes back."""

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
        if order.order_type in STOPS:
            self._line_of(record).stops.append(record.key)
        else:
            self._enter(record, admission.instrument, admission.mode, admission.worst)
        self._publish()
        return self.orders[record.key]

    def cancel(
        self, account_id: str, trade_date: str, branch: str, number: str, now_ns: int
    ) -> OrderRecord | Refusal:
        """Cancel what is left of an order; refused when it is unknown or has ended."""
        self._advance(now_ns)
        key = f"{trade_date}/{branch}/{number}"
        record = self._own_open_order(account_id, key)
        if isinstance(record, Refusal):
            answer: OrderRecord | Refusal = record
        elif self._is_frozen(record):
            answer = Refusal(
                code=RejectCode.TOO_LATE, text=f"order {key} is past the cut-off of its auction; it stands"
            )
        elif self._cancels_ignored:
            self._cancels_ignored -= 1
            answer = record  # "taken", and nothing happens
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
        one (World.modify_renumbers). Refused when the order is unknown, has ended, would grow or end by it.
        What trades at once at the new price is already in the returned record.
        """
        self._advance(now_ns)
        key = f"{trade_date}/{branch}/{number}"
        record = self._own_open_order(account_id, key)
        if isinstance(record, Refusal):
            answer: NewTerms | Refusal = record
        else:
            answer = self._judge(record, qty_cut, price)
        arrival = ModifyArrival(
            account_id=account_id, key=key, qty_cut=qty_cut, price=price, tag=tag, ts_ns=self.now_ns
        )
        if isinstance(answer, Refusal):
            arrival = msgspec.structs.replace(arrival, refused=answer.code)
            self._events.append(ModifyNotDone(arrival=arrival, text=answer.text))
            told: OrderRecord | Refusal = answer
        else:
            assert isinstance(record, OrderRecord), "terms for no order"
            after = self._replace(record, answer)
            arrival = msgspec.structs.replace(arrival, made=after.key)
            told = self.orders[after.key]
        self.modifies.append(arrival)
        self._publish()
        return told

    def _own_open_order(self, account_id: str, key: str) -> OrderRecord | Refusal:
        record = self.orders.get(key)
        if record is None or record.account_id != account_id:
            return Refusal(code=RejectCode.NOT_FOUND, text=f"no order {key} of account {account_id}")
        if not record.is_open:
            return Refusal(code=RejectCode.FINISHED, text=f"order {key} is already {record.state}")
        return record

    def _is_frozen(self, record: OrderRecord) -> bool:
        """Whether an order for one auction is past the cut-off: it can be neither changed nor cancelled."""
        if record.order_type not in AUCTION_KINDS:
            return False
        plan = self._moment(record.venue).plan
        span = None if plan is None else plan.auction_entry(record.order_type)
        return span is None or self.now_ns >= span[1]

    # ---- deciding -----------------------------------------------------------------------------------------

    def _decide(self, order: NewOrder) -> Admission | Refusal:
        if order.symbol not in self.master:
            return Refusal(
                code=RejectCode.SYMBOL, text=f"symbol {order.symbol!r} is not listed here; correct it"
            )
        try:
            situation = self._situation(order.symbol, order.account_id, order.venue, order.session)
        except OmsError as error:  # no calendar for today: fail closed
            return Refusal(code=RejectCode.TABLE, text=str(error))
        return admit(order, situation)

    def _judge(self, record: OrderRecord, qty_cut: Decimal, price: Decimal | None) -> NewTerms | Refusal:
        try:
            situation = self._situation(record.symbol, record.account_id, record.venue, record.session)
        except OmsError as error:
            return Refusal(code=RejectCode.TABLE, text=str(error))
        return judge_modify(record, qty_cut, price, self._worst[record.key], situation)

    def _situation(self, symbol: str, account_id: str, venue: Venue, session: TradingSession) -> Situation:
        home = self.master.get(symbol).venue
        place = venue if venue is Venue.NXT and home is Venue.KRX else home
        moment = self._moment(place)
        line = self._lines.get(symbol)
        newest = None if line is None else line.newest
        return Situation(
            world=self.world,
            master=self.master,
            costs=self._costs,
            account=self._accounts.get(account_id),
            moment=moment,
            mode=self.mode_of(symbol, place, session),
            base=self.base_of(symbol, moment.trade_date),
            last=None if newest is None else newest.price,
            close=self.close_of(symbol, moment.trade_date),
            now_ns=self.now_ns,
        )

    # ---- taking in and changing -------------------------------------------------------------------------

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
            session=order.session,
            stop_price=order.stop_price,
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
        book = self._books[self._line_of(record).name]
        if not terms.is_repriced:
            book.cut(record.key, terms.qty_left, after.key)
            return after
        book.remove(record.key)
        self._enter(
            after, terms.instrument, self.mode_of(after.symbol, after.venue, after.session), terms.worst
        )
        return after

    def _renumbered(self, record: OrderRecord, terms: NewTerms) -> OrderRecord:
        replaced = msgspec.structs.replace(
            record, state=BrokerState.REPLACED, text="modified by client", ts_changed_ns=self.now_ns
        )
        self.orders[record.key] = replaced
        self._worst.pop(record.key)
        self._events.append(OrderChanged(order=replaced, ts_ns=self.now_ns))
        self._tell_costs(replaced)
        alone = self.world.costs_per_number
        after = msgspec.structs.replace(
            record,
            number=self._next_number(record.trade_date),
            qty=terms.qty_left,
            price=terms.price,
            qty_filled=ZERO,
            amount_filled=ZERO,
            charged=msgspec.UNSET,
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
