"""Orders and requests as KIS lists them: one row for each number, with figures that add up (kis.md 3.1.5).

ordered = filled + remaining + rejected + cancelled for a row that nothing took over; a revised row shows what
went to the new number nowhere, unless `replaced_rows` says so.
"""

from decimal import Decimal

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import OrderRecord
from jumun.model.instruments import Venue
from jumun.model.money import EXACT
from jumun.model.orders import Side
from jumun.model.reports import BrokerState
from jumun.simulators.kis.figures import NS, ZERO
from jumun.simulators.kis.records import OwnRow, Records
from jumun.simulators.kis.requests import OrderNote, RequestKind
from jumun.simulators.kis.switches import KisSwitches


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One number. Quantities in shares; `amount` is the exact sum of price times quantity."""

    kind: RequestKind
    account_id: str
    trade_date: str
    number: str
    original: str
    symbol: str
    venue: Venue
    side: Side
    qty: Decimal
    price: Decimal | None
    note: OrderNote
    ts_ns: int
    changed_ns: int
    filled: Decimal = ZERO
    amount: Decimal = ZERO
    left: Decimal = ZERO
    rejected: Decimal = ZERO
    cancelled: Decimal = ZERO
    cancel_yn: bool = False
    costs: Decimal = ZERO
    text: str = ""

    @property
    def place(self) -> str:
        """Where a page ends: date and number."""
        return f"{self.trade_date.replace('-', '')}{self.number}"


class Rows:
    """The rows of one market. A row is made once and kept until something happens to its order."""

    def __init__(self, market: Market, records: Records, switches: KisSwitches) -> None:
        self._market = market
        self._records = records
        self.switches = switches
        self._made: dict[str, Row] = {}

    def forget(self, key: str) -> None:
        """Make the row of an order anew when it is next asked for."""
        self._made.pop(key, None)

    def forget_all(self) -> None:
        """Make every row anew."""
        self._made.clear()

    def of_day(self, account_id: str, trade_date: str, *, overseas: bool) -> list[Row]:
        """Return what KIS lists of a day, oldest first; `history_lag_s` keeps the newest away (F-35)."""
        newest_ns = self._market.now_ns - int(self.switches.history_lag_s * NS)
        rows = [
            self._made.get(record.key) or self._make(record)
            for record in self._market.orders_of(account_id, trade_date)
            if (record.venue is Venue.US) is overseas
            and record.ts_accepted_ns <= newest_ns
            and not self._records.is_continuation(record.key)
        ]
        for own in self._records.own_rows(account_id, trade_date):
            hidden = own.kind is RequestKind.CANCEL and not self.switches.cancel_rows
            if (own.venue is Venue.US) is overseas and own.ts_ns <= newest_ns and not hidden:
                rows.append(_own_row(own))
        rows.sort(key=_age)
        return rows

    def _make(self, record: OrderRecord) -> Row:
        row = order_row(self._market, self._records, self.switches, record)
        self._made[record.key] = row
        return row


def order_row(market: Market, records: Records, switches: KisSwitches, head: OrderRecord) -> Row:
    """Return the row of an order, with all its continuations counted in."""
    chain = records.chain(head.key)
    last = chain[-1]
    filled = sum((one.qty_filled for one in chain), ZERO)
    amount = ZERO
    for one in chain:
        amount = EXACT.add(amount, one.amount_filled)
    rest = last.qty_left
    waits = last.is_open or (last.state is BrokerState.EXPIRED and switches.expired_rows == "remaining")
    left = rest if waits else ZERO
    rejected = rest if last.state is BrokerState.REJECTED else ZERO
    moved = rest if last.state is BrokerState.REPLACED and switches.replaced_rows == "zero" else ZERO
    cancelled = max(head.qty - filled - left - rejected - moved, ZERO)
    original = records.number_of(head.replaces) if head.replaces else ""
    return Row(
        kind=RequestKind.REVISE if original else RequestKind.NEW,
        account_id=head.account_id,
        trade_date=head.trade_date,
        number=head.number,
        original=original,
        symbol=head.symbol,
        venue=head.venue,
        side=head.side,
        qty=head.qty,
        price=last.price,
        note=records.note_of(head),
        ts_ns=head.ts_accepted_ns,
        changed_ns=last.ts_changed_ns,
        filled=filled,
        amount=amount,
        left=left,
        rejected=rejected,
        cancelled=cancelled,
        cancel_yn=cancelled > ZERO and left == ZERO and last.state is not BrokerState.REPLACED,
        costs=_costs(market, chain),
        text=last.text,
    )


def _own_row(own: OwnRow) -> Row:
    done = own.qty if own.confirmed and not own.rejected else ZERO
    refused = own.qty if own.rejected else ZERO
    return Row(
        kind=own.kind,
        account_id=own.account_id,
        trade_date=own.trade_date,
        number=own.number,
        original=own.original,
        symbol=own.symbol,
        venue=own.venue,
        side=own.side,
        qty=own.qty,
        price=own.price,
        note=own.note,
        ts_ns=own.ts_ns,
        changed_ns=own.ts_ns,
        left=own.qty - done - refused,
        rejected=refused,
        cancelled=done,
        cancel_yn=own.kind is RequestKind.CANCEL,
        text=own.text,
    )


def _age(row: Row) -> tuple[int, str]:
    return row.ts_ns, row.number


def _costs(market: Market, chain: list[OrderRecord]) -> Decimal:
    total = ZERO
    for one in chain:
        for fill in market.executions_of(one.key):
            total = EXACT.add(total, EXACT.add(sum(fill.costs.values(), ZERO), ZERO))
    return total
