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
    rows = [_fill_row(fill)]
    realised = realised_by(fill, position)
    if realised:
        debit, credit = LedgerAccount.SECURITIES, LedgerAccount.PNL
        rows.append(_row(fill, LedgerKind.REALISED, abs(realised), *_toward(realised, debit, credit)))
    for cost_kind, amount in costs:
        if amount:
            is_tax = cost_kind in TAX_KINDS
            kind = LedgerKind.TAX if is_tax else LedgerKind.FEE
            account = LedgerAccount.TAXES if is_tax else LedgerAccount.FEES
            moved = _toward(amount, account, LedgerAccount.CASH)
            rows.append(replace(_row(fill, kind, abs(amount), *moved), cost_kind=cost_kind))
    return tuple(rows)


def realised_by(fill: Fill, position: Position) -> Decimal:
    """Return the gross profit (loss below zero) that a fill realises against the position before it."""
    signed = fill.qty if fill.side is Side.BUY else -fill.qty
    if not position.qty or (position.qty > ZERO) is (signed > ZERO):
        return ZERO  # opens or enlarges
    closed = min(abs(position.qty), fill.qty)
    basis = _share(position.cost_basis, closed, abs(position.qty))
    amount = _share(fill.amount, closed, fill.qty)
    # A long position has a positive basis and is closed by money coming in; a short one the reverse.
    return amount - basis if position.qty > ZERO else -basis - amount


def apply_rows(position: Position, rows: Iterable[LedgerRow]) -> Position:
    """Return the position after ledger rows of its symbol."""
    qty, basis, realised, costs = position.qty, position.cost_basis, position.realised_gross, position.costs
    for row in rows:
        amount = row.amount
        if row.debit is LedgerAccount.SECURITIES:
            basis += amount
        if row.credit is LedgerAccount.SECURITIES:
            basis -= amount
        qty += row.qty
        if row.kind is LedgerKind.REALISED:
            realised += amount if row.debit is LedgerAccount.SECURITIES else -amount
        elif row.kind in (LedgerKind.FEE, LedgerKind.TAX):
            costs += -amount if row.debit is LedgerAccount.CASH else amount
    return replace(position, qty=qty, cost_basis=basis, realised_gross=realised, costs=costs)


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
