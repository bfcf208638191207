"""From a fill to ledger rows, and from ledger rows to positions and cash.

Every row moves one amount between two accounts, so the books balance by construction (I-32). The FILL row
moves the whole amount at the traded price; a closing fill adds a REALISED row, so that SECURITIES always
holds the shares at cost. Average cost: a sale takes out the same share of the cost basis as of the shares,
rounded half-even to four places, and the last share takes the rest, so nothing is ever lost to rounding.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from msgspec.structs import replace

from jumun.model.fills import Fill, LedgerAccount, LedgerKind, LedgerRow
from jumun.model.orders import Side
from jumun.model.positions import Position

ZERO: Final = Decimal(0)
FOUR_PLACES: Final = Decimal("0.0001")
TAX_KINDS: Final = frozenset({"TRANSACTION_TAX", "RURAL_TAX"})


def rows_of_fill(
    fill: Fill, position: Position, costs: Iterable[tuple[str, Decimal]]
) -> tuple[LedgerRow, ...]:
    """Return the rows of a fill: FILL, REALISED where it closes something, then FEE and TAX.

    `costs` are the increments of this fill by cost kind, in the fill's currency; a negative one gives money
    back (the cost of the whole order turned out lower).
    """
    row = _fill_row(fill)
    return _with_costs((row,), row, position, costs)


def rows_of_reversal(
    fill: Fill, position: Position, price_new: Decimal | None, costs: Iterable[tuple[str, Decimal]]
) -> tuple[LedgerRow, ...]:
    """Return the rows that take a fill back, or correct its price (F-53, I-32).

    The reverse of a buy closes shares like a sale at the price of the buy, so cash is as if it had never
    been. A corrected price moves the difference between cash and the cost of the shares, or the result
    where none are left. `costs` are what the order's costs change by.
    """
    row = replace(_fill_row(fill), kind=LedgerKind.BUST)
    if price_new is None:
        back = replace(row, debit=row.credit, credit=row.debit, qty=-row.qty)
        return _with_costs((back,), row, position, costs)
    too_much = fill.amount - fill.qty * price_new
    debit, credit = (row.credit, row.debit) if too_much > ZERO else (row.debit, row.credit)
    moved = replace(row, amount=abs(too_much), debit=debit, credit=credit, qty=ZERO)
    return _with_costs((moved,) if too_much else (), row, position, costs)


def rows_of_costs(like: LedgerRow, costs: Iterable[tuple[str, Decimal]]) -> tuple[LedgerRow, ...]:
    """Return FEE and TAX rows of these changes by cost kind; money comes back where one is below zero.

    `like` lends them account, symbol, order and dates.
    """
    return tuple(_cost_row(like, cost_kind, amount) for cost_kind, amount in costs if amount)


def realised_row(row: LedgerRow, position: Position) -> LedgerRow | None:
    """Return the REALISED row that a FILL or BUST row brings about against the position before it."""
    if row.kind not in (LedgerKind.FILL, LedgerKind.BUST):
        return None
    realised = _realised(row, position)
    if not realised:
        return None
    debit, credit = _toward(realised, LedgerAccount.SECURITIES, LedgerAccount.PNL)
    return replace(row, kind=LedgerKind.REALISED, amount=abs(realised), debit=debit, credit=credit, qty=ZERO)


def _with_costs(
    moved: tuple[LedgerRow, ...],
    template: LedgerRow,
    position: Position,
    costs: Iterable[tuple[str, Decimal]],
) -> tuple[LedgerRow, ...]:
    rows = list(moved)
    for row in moved:
        realised = realised_row(row, position)
        if realised is not None:
            rows.append(realised)
    return (*rows, *rows_of_costs(template, costs))


def _cost_row(like: LedgerRow, cost_kind: str, amount: Decimal) -> LedgerRow:
    is_tax = cost_kind in TAX_KINDS
    account = LedgerAccount.TAXES if is_tax else LedgerAccount.FEES
    debit, credit = _toward(amount, account, LedgerAccount.CASH)
    return replace(
        like,
        kind=LedgerKind.TAX if is_tax else LedgerKind.FEE,
        amount=abs(amount),
        debit=debit,
        credit=credit,
        qty=ZERO,
        cost_kind=cost_kind,
    )


def _realised(row: LedgerRow, position: Position) -> Decimal:
    """The gross profit (loss below zero) of a row that moves shares against money."""
    money = -row.amount if row.credit is LedgerAccount.SECURITIES else row.amount  # what the basis changes by
    if not row.qty:
        return ZERO if position.qty else -money  # a corrected price of shares that are gone
    if not position.qty or (position.qty > ZERO) is (row.qty > ZERO):
        return ZERO  # opens or enlarges
    closed = min(abs(position.qty), abs(row.qty))
    basis = _share(position.cost_basis, closed, abs(position.qty))
    amount = _share(row.amount, closed, abs(row.qty))
    # A long position has a positive basis and is closed by money coming in; a short one the reverse.
    return amount - basis if position.qty > ZERO else -basis - amount


def apply_rows(position: Position, rows: Iterable[LedgerRow]) -> Position:
    """Return the position after ledger rows of its symbol."""
    qty, basis, realised, costs = position.qty, position.cost_basis, position.realised_gross, position.costs
    mark = position.mark
    for row in rows:
        amount = row.amount
        if row.debit is LedgerAccount.SECURITIES:
            basis += amount
        if row.credit is LedgerAccount.SECURITIES:
            basis -= amount
        qty += row.qty
        if row.kind is LedgerKind.SPLIT and row.qty:
            mark = None  # it was the price of the old shares: no figure is better than a wrong one
        if row.kind is LedgerKind.REALISED:
            realised += amount if row.debit is LedgerAccount.SECURITIES else -amount
        elif row.kind is LedgerKind.DIVIDEND:
            realised += amount if row.credit is LedgerAccount.INCOME else -amount
        elif row.kind in (LedgerKind.FEE, LedgerKind.TAX):
            costs += -amount if row.debit is LedgerAccount.CASH else amount
    mark_ts_ns = position.mark_ts_ns if mark is not None else None
    return replace(
        position,
        qty=qty,
        cost_basis=basis,
        realised_gross=realised,
        costs=costs,
        mark=mark,
        mark_ts_ns=mark_ts_ns,
    )


def cash_change(rows: Iterable[LedgerRow]) -> Decimal:
    """Return what the rows add to cash (I-30)."""
    change = ZERO
    for row in rows:
        if row.debit is LedgerAccount.CASH:
            change += row.amount
        if row.credit is LedgerAccount.CASH:
            change -= row.amount
    return change


def _fill_row(fill: Fill) -> LedgerRow:
    if fill.side is Side.BUY:
        row = _row(fill, LedgerKind.FILL, fill.amount, LedgerAccount.SECURITIES, LedgerAccount.CASH)
        return replace(row, qty=fill.qty)
    row = _row(fill, LedgerKind.FILL, fill.amount, LedgerAccount.CASH, LedgerAccount.SECURITIES)
    return replace(row, qty=-fill.qty)


def _row(
    fill: Fill, kind: LedgerKind, amount: Decimal, debit: LedgerAccount, credit: LedgerAccount
) -> LedgerRow:
    return LedgerRow(
        kind=kind,
        account_id=fill.account_id,
        currency=fill.currency,
        amount=amount,
        debit=debit,
        credit=credit,
        symbol=fill.symbol,
        order_id=fill.order_id,
        fill_id=fill.fill_id,
        trade_date=fill.trade_date,
        settlement_date=fill.settlement_date,
    )


def _toward(
    amount: Decimal, debit: LedgerAccount, credit: LedgerAccount
) -> tuple[LedgerAccount, LedgerAccount]:
    """Turn a signed amount into a positive one: below zero the two accounts change places."""
    return (debit, credit) if amount > ZERO else (credit, debit)


def _share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return `part / whole` of `total` to four places; all of it when nothing is left over."""
    if part == whole:
        return total
    return (total * part / whole).quantize(FOUR_PLACES, rounding=ROUND_HALF_EVEN)
