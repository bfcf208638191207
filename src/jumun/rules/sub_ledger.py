"""Strategy sub-ledgers: whose shares and whose profit. Per symbol they sum to the account (S000-44, P-28).

Quantities, cash flows and total results add up to the account's exactly. How much of a result is realised
differs: each strategy has an average cost of its own, and one that sells what another bought is short.
Entries that are no trades belong to nobody (strategy "") except a split, which scales every holding.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from jumun.model.events import CostsCorrected, FillBooked, FillReversed
from jumun.model.fills import LedgerKind, LedgerRow
from jumun.model.ids import AccountId
from jumun.model.positions import Position
from jumun.rules.ledger import apply_rows, realised_row

ZERO: Final = Decimal(0)
NOBODY: Final = ""

StrategyKey = tuple[AccountId, str, str]  # account, strategy, symbol
_COSTS: Final = (LedgerKind.FEE, LedgerKind.TAX)


def sub_positions_after(
    held: Mapping[StrategyKey, Position], event: FillBooked | FillReversed | CostsCorrected
) -> dict[StrategyKey, Position]:
    """Return the sub-position that a fill, its reversal, or the broker's own cost of it changed."""
    rows = [row for row in event.ledger if row.symbol and row.kind is not LedgerKind.REALISED]
    if not rows:
        return {}
    first = rows[0]
    strategy_id = event.fill.strategy_id if isinstance(event, FillBooked) else event.strategy_id
    key = (first.account_id, strategy_id, first.symbol)
    before = held.get(key) or _flat(first)
    own: list[LedgerRow] = []
    for row in rows:
        own.append(row)
        realised = realised_row(row, before)
        if realised is not None:
            own.append(realised)
    return {key: apply_rows(before, own)}


def entry_positions_after(
    held: Mapping[StrategyKey, Position],
    positions: Mapping[tuple[AccountId, str], Position],
    rows: Iterable[LedgerRow],
) -> dict[StrategyKey, Position]:
    """Return the sub-positions that a documented entry changed; `positions` are the account's before it."""
    changed: dict[StrategyKey, Position] = {}
    for row in rows:
        if not row.symbol:
            continue
        place = (row.account_id, row.symbol)
        if row.kind is LedgerKind.SPLIT and row.qty and place in positions:
            changed.update(_split({**held, **changed}, positions[place], row))
            continue
        key = (row.account_id, NOBODY, row.symbol)
        before = changed.get(key) or held.get(key) or _flat(row)
        changed[key] = apply_rows(before, [row])
    return changed


def _split(
    held: Mapping[StrategyKey, Position], position: Position, row: LedgerRow
) -> dict[StrategyKey, Position]:
    """Share the change out by holding; what rounding leaves over is nobody's."""
    changed: dict[StrategyKey, Position] = {}
    left = row.qty
    for key, sub in held.items():
        if key[0] != row.account_id or key[2] != row.symbol or not position.qty:
            continue
        part = (row.qty * sub.qty / position.qty).quantize(Decimal(1))
        if key[1] != NOBODY and part:
            changed[key] = replace(sub, qty=sub.qty + part)
            left -= part
    key = (row.account_id, NOBODY, row.symbol)
    nobody = held.get(key) or _flat(row)
    rest = replace(row, qty=left)
    changed[key] = apply_rows(nobody, [rest])
    return changed


def _flat(row: LedgerRow) -> Position:
    return Position(account_id=row.account_id, symbol=row.symbol, currency=row.currency)
