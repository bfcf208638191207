"""Whole-book checks: the books in memory, on disk and at the exchange, held against each other."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeVar

from jumun.exchange.market import Market
from jumun.model.ids import AccountId
from jumun.model.orders import BrokerRef, Flag, Order, OrderStatus, Side
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerState
from jumun.rules.book import Book, CashKey, PositionKey
from jumun.store.memory_disk import MemoryDisk, fill_decoder, order_decoder
from jumun.testing.day_records import OURS, RecordChecks
from jumun.testing.invariants import Checks

ZERO: Final = Decimal(0)
_Key = TypeVar("_Key")
ENDS: Final = {
    BrokerState.FILLED: OrderStatus.FILLED,
    BrokerState.CANCELLED: OrderStatus.CANCELLED,
    BrokerState.EXPIRED: OrderStatus.CANCELLED,
    BrokerState.REJECTED: OrderStatus.REJECTED,
}


class BookChecks:
    """`shared`: others trade the account too, so cash and shares can go without our doing."""

    def __init__(
        self, checks: Checks, market: Market, records: RecordChecks, disk: MemoryDisk, *, shared: bool
    ) -> None:
        self._checks = checks
        self._market = market
        self._records = records
        self._disk = disk
        self._shared = shared

    # ---- in memory ------------------------------------------------------------------------------------

    def reservations(self, book: Book) -> None:
        """What is tied up is exactly what can still execute, and there is enough of it."""
        that = self._checks.that
        cash: dict[CashKey, Decimal] = {}
        shares: dict[PositionKey, Decimal] = {}
        for order in book.open.values():
            if order.side is Side.BUY:
                purse = (order.account_id, order.currency.value)
                cash[purse] = cash.get(purse, ZERO) + _tied_cash(order)
            else:
                place = (order.account_id, order.symbol)
                shares[place] = shares.get(place, ZERO) + order.qty_left
        that("I-33", _same(cash, book.cash_reserved), "cash tied up: {} but {}", cash, book.cash_reserved)
        that("I-34", _same(shares, book.shares_reserved), "shares: {} but {}", shares, book.shares_reserved)
        self._sub_ledgers(book)
        if self._shared:
            return
        for account_id, currency in book.cash:
            free = book.cash_free(account_id, currency)
            that("I-48", free >= ZERO, "{} {} free", free, currency)
        for account_id, symbol in book.shares_reserved:
            left = book.shares_free(account_id, symbol)
            # Shares that the exchange took back while they were on sale: the sales are being cancelled.
            ending = any(
                sale.cancel_reason is Reason.SHARES
                for order_id in book.open_by_symbol.get((account_id, symbol), ())
                if (sale := book.order(order_id)) is not None
            )
            that("I-34", left >= ZERO or ending, "{} {} free to sell", left, symbol)

    def _sub_ledgers(self, book: Book) -> None:
        """What the strategies hold in a symbol is together what the account holds (I-29, S000-44)."""
        held: dict[PositionKey, Decimal] = {}
        for (account_id, _, symbol), sub in book.strategies.items():
            place = (account_id, symbol)
            held[place] = held.get(place, ZERO) + sub.qty
        whole = {place: position.qty for place, position in book.positions.items()}
        self._checks.that("I-29", _same(held, whole), "strategies hold {}, the account {}", held, whole)

    def same_as_disk(self, book: Book, invariant: str = "I-24") -> None:
        """The book in memory is the fold of every record on disk (I-24), also after a snapshot (I-25)."""
        ours, folded = book.image(), self._records.book.image()
        if ours != folded:
            fields = [name for name in ours.__struct_fields__ if getattr(ours, name) != getattr(folded, name)]
            self._checks.fail(invariant, f"the book differs from the fold of the disk in {fields}")
        self._checks.that(invariant, True, "")

    # ---- on disk --------------------------------------------------------------------------------------

    def rows_match_records(self) -> None:
        """Orders and fills on disk are those of the records: they were written together (I-28)."""
        that, book = self._checks.that, self._records.book
        known = {**book.open, **book.recent}
        that("I-28", set(self._disk.orders) == set(known), "the orders table differs from the records")
        for order_id, order in known.items():
            stored = order_decoder.decode(self._disk.orders[order_id])
            that("I-28", stored == order, "the row of {} differs from its records", order_id)
        for name, events in self._records.fills.items():
            rows = [fill_decoder.decode(body) for body in self._disk.fills[name]]
            that("I-28", rows == [event.fill for event in events], "the fills of {} differ", name)

    # ---- against the exchange ---------------------------------------------------------------------------

    def agrees_with_exchange(self, account_id: AccountId) -> int:
        """Orders, shares, cash and costs equal the exchange's; return how many orders need a person.

        What only a person can decide (a disputed unknown order) is left out on both sides.
        """
        left_out = self._orders_agree()
        book, that = self._records.book, self._checks.that
        theirs = self._market.balance_of(account_id)
        cash, shares = dict(theirs.cash), dict(theirs.holdings)
        for key in left_out:
            for execution in self._market.executions_of(key):
                cash[execution.currency.value] -= execution.cash_change
                shares[execution.symbol] = shares.get(execution.symbol, ZERO) - execution.qty_change
        hidden = self._hidden()
        for currency, amount in cash.items():
            if f"CASH:{currency}" in hidden:
                continue
            ours = book.cash.get((account_id, currency), ZERO)
            that("I-38", ours == amount, "{}: {} here, {} at the exchange", currency, ours, amount)
        symbols = {*shares, *(symbol for _, symbol in book.positions)}
        for symbol in sorted(symbols - hidden):
            held = book.positions.get((account_id, symbol))
            ours = held.qty if held is not None else ZERO
            there = shares.get(symbol, ZERO)
            that("I-38", ours == there, "{}: {} here, {} at the exchange", symbol, ours, there)
        return len(left_out)

    def _hidden(self) -> set[str]:
        """Jumps that an order of unknown outcome hides until a person has decided about it (I-43)."""
        unknown = [order for order in self._records.book.open.values() if order.is_unknown]
        subjects = {order.symbol for order in unknown} | {f"CASH:{order.currency}" for order in unknown}
        return subjects & self._records.jumps

    def _orders_agree(self) -> list[str]:
        that, book = self._checks.that, self._records.book
        owners = {
            (o.account_id, ref): o for o in (*book.open.values(), *book.recent.values()) for ref in o.refs
        }
        numbers = {f"{ref.trade_date}/{ref.branch}/{ref.number}": o for (_, ref), o in owners.items()}
        left_out = []
        for key, theirs in self._market.orders.items():
            ours = numbers.get(key)
            if ours is None:
                mine = book.order(theirs.tag.split("/")[0]) if theirs.client == OURS else None  # type: ignore[arg-type]
                waits = mine is not None and mine.is_unknown and Flag.DISPUTED in mine.flags
                named = waits or (theirs.client != OURS and self._is_disputed_twin(key))
                that("I-38", named, "{} ({}) is at the exchange and in no book", key, theirs.client)
                left_out.append(key)
                continue
            if theirs.key != _newest(ours):
                continue  # an older number of it: counted with the newest
            whole = [self._market.orders[_key(ref)] for ref in ours.refs]
            qty = sum((one.qty_filled for one in whole), ZERO)
            amount = sum((one.amount_filled for one in whole), ZERO)
            same = (ours.qty_filled, ours.amount_filled) == (qty, amount)
            that("I-09", same, "{}: {} filled here, {} there", key, ours.qty_filled, qty)
            costs: dict[str, Decimal] = {}
            for execution in (done for one in whole for done in self._market.executions_of(one.key)):
                for kind, amount in execution.costs.items():
                    costs[kind] = costs.get(kind, ZERO) + amount
            for bust in self._market.busts:
                if f"{bust.trade_date}/{bust.branch}/{bust.number}" in (one.key for one in whole):
                    for kind, amount in bust.costs.items():
                        costs[kind] = costs.get(kind, ZERO) + amount
            that("I-30", _same(costs, ours.costs), "{} costs {} here, {} there", key, ours.costs, costs)
            if ours.resting or ours.attempt_open or ours.trade_date != theirs.trade_date:
                continue  # its day is over there, and it lived on here
            if not theirs.is_open:
                end = ENDS[theirs.state]
                if theirs.qty_busted and ours.status is OrderStatus.FILLED:
                    continue  # what is taken back of a filled order is not worked again: it stays filled
                refused = end is OrderStatus.REJECTED and ours.status is OrderStatus.CANCELLED
                if refused and ours.qty_filled:
                    continue  # refused later, when a part had filled under an older number
                that("I-38", ours.status is end, "{}: {} here, {} there", key, ours.status, theirs.state)
        return left_out

    def _is_disputed_twin(self, key: str) -> bool:
        """Somebody else's order that looks like an unknown one of ours: a person tells them apart (F-45)."""
        theirs = self._market.orders[key]
        look = (theirs.symbol, theirs.side, theirs.order_type, theirs.qty, theirs.price)
        unknown = (o for o in self._records.book.open.values() if o.is_unknown)
        return any((o.symbol, o.side, o.wire_type, o.qty, o.price) == look for o in unknown)


def _key(ref: BrokerRef) -> str:
    return f"{ref.trade_date}/{ref.branch}/{ref.number}"


def _newest(order: Order) -> str:
    assert order.newest_ref is not None, "it was found by a number"
    return _key(order.newest_ref)


def _tied_cash(order: Order) -> Decimal:
    left = order.qty - order.qty_filled
    cost = order.reserve_cost - sum(order.costs.values(), ZERO)
    return left * order.reserve_price + (cost if cost > ZERO else ZERO)


def _same(left: Mapping[_Key, Decimal], right: Mapping[_Key, Decimal]) -> bool:
    """Whether two tables of amounts agree; nothing and zero are the same."""
    return {k: v for k, v in left.items() if v} == {k: v for k, v in right.items() if v}
