"""What people and programs are shown of the books: sums of what the desk keeps, nothing decided."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from jumun.model.ids import AccountId
from jumun.model.orders import Order
from jumun.model.positions import Position
from jumun.rules.portfolio import total_result
from jumun.rules.reserve import reserved_cash, reserved_shares

ZERO: Final = Decimal(0)


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """One position. `mark` and `unrealised` are None while no price is known: 0 would read as a figure."""

    account_id: str
    symbol: str
    currency: str
    qty: Decimal
    reserved: Decimal  # in open sells
    average_price: Decimal | None
    cost_basis: Decimal
    mark: Decimal | None
    unrealised: Decimal | None
    realised_gross: Decimal
    costs: Decimal
    realised_net: Decimal


class CashView(msgspec.Struct, frozen=True, kw_only=True):
    """Cash of one account in one currency; `reserved` is held back by open buys, costs included."""

    account_id: str
    currency: str
    cash: Decimal
    reserved: Decimal
    free: Decimal


class ResultView(msgspec.Struct, frozen=True, kw_only=True):
    """Profit and loss of one account in one currency. Gross, costs and net are kept apart (C-8)."""

    account_id: str
    currency: str
    market_value: Decimal | None
    unrealised: Decimal | None
    realised_gross: Decimal
    costs: Decimal
    realised_net: Decimal
    total: Decimal | None


class StrategyView(msgspec.Struct, frozen=True, kw_only=True):
    """Shares and profit of one strategy in one symbol; per symbol the strategies sum to the position.

    `strategy_id` is empty for what belongs to none: openings, dividends, corrections.
    """

    account_id: str
    strategy_id: str
    symbol: str
    currency: str
    qty: Decimal
    cost_basis: Decimal
    unrealised: Decimal | None
    realised_net: Decimal
    total: Decimal | None


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """The books at record `records`. `marks_source` says where the marks come from.

    `oldest_mark_ns` is when the oldest mark of a position held was recorded, where that was before
    `marks_ts_ns`: a symbol without a price since then keeps the one it had.
    """

    records: int
    marks_source: str
    marks_ts_ns: int | None
    oldest_mark_ns: int | None = None
    positions: tuple[PositionView, ...]
    cash: tuple[CashView, ...]
    results: tuple[ResultView, ...]
    strategies: tuple[StrategyView, ...] = ()


def book_view(
    *,
    records: int,
    positions: Iterable[Position],
    cash: Mapping[tuple[str, str], Decimal],
    open_orders: Iterable[Order],
    marks: Mapping[str, Decimal],
    marks_source: str,
    marks_ts_ns: int | None,
    strategies: Mapping[tuple[AccountId, str, str], Position] | None = None,
) -> BookView:
    """Return the view. Positions that were never held are left out; flat ones with a result stay."""
    reserved: dict[tuple[str, str], Decimal] = {}
    shares: dict[tuple[str, str], Decimal] = {}
    for order in open_orders:
        at, of = (order.account_id, order.currency.value), (order.account_id, order.symbol)
        reserved[at] = reserved.get(at, ZERO) + reserved_cash(order)
        shares[of] = shares.get(of, ZERO) + reserved_shares(order)
    all_held = tuple(positions)
    rows = tuple(_position(held, shares, marks) for held in all_held)
    return BookView(
        records=records,
        marks_source=marks_source,
        marks_ts_ns=marks_ts_ns,
        oldest_mark_ns=_oldest_mark_ns(all_held, marks),
        positions=rows,
        cash=tuple(_cash(key, amount, reserved.get(key, ZERO)) for key, amount in sorted(cash.items())),
        results=_results(rows),
        strategies=_strategies(strategies or {}, {(row.account_id, row.symbol): row.mark for row in rows}),
    )


def _strategies(
    subs: Mapping[tuple[AccountId, str, str], Position], marks: Mapping[tuple[str, str], Decimal | None]
) -> tuple[StrategyView, ...]:
    """Sub-positions are valued at the mark of the position that they are parts of."""
    rows = []
    for (account_id, strategy_id, symbol), sub in sorted(subs.items()):
        marked = msgspec.structs.replace(sub, mark=marks.get((account_id, symbol)))
        rows.append(
            StrategyView(
                account_id=account_id,
                strategy_id=strategy_id,
                symbol=symbol,
                currency=sub.currency.value,
                qty=sub.qty,
                cost_basis=sub.cost_basis,
                unrealised=marked.unrealised,
                realised_net=sub.realised_net,
                total=total_result(marked),
            )
        )
    return tuple(rows)


def _oldest_mark_ns(positions: tuple[Position, ...], marks: Mapping[str, Decimal]) -> int | None:
    older = [held.mark_ts_ns for held in positions if held.qty and held.symbol not in marks]
    return min((ts_ns for ts_ns in older if ts_ns is not None), default=None)


def _position(
    held: Position, shares: Mapping[tuple[str, str], Decimal], marks: Mapping[str, Decimal]
) -> PositionView:
    mark = marks.get(held.symbol, held.mark)
    marked = msgspec.structs.replace(held, mark=mark)
    return PositionView(
        account_id=held.account_id,
        symbol=held.symbol,
        currency=held.currency.value,
        qty=held.qty,
        reserved=shares.get((held.account_id, held.symbol), ZERO),
        average_price=held.average_price if held.qty else None,
        cost_basis=held.cost_basis,
        mark=mark,
        unrealised=marked.unrealised,
        realised_gross=held.realised_gross,
        costs=held.costs,
        realised_net=held.realised_net,
    )


def _cash(key: tuple[str, str], amount: Decimal, reserved: Decimal) -> CashView:
    account_id, currency = key
    return CashView(
        account_id=account_id, currency=currency, cash=amount, reserved=reserved, free=amount - reserved
    )


def _results(rows: tuple[PositionView, ...]) -> tuple[ResultView, ...]:
    groups: dict[tuple[str, str], list[PositionView]] = {}
    for row in rows:
        groups.setdefault((row.account_id, row.currency), []).append(row)
    return tuple(_result(key, members) for key, members in sorted(groups.items()))


def _result(key: tuple[str, str], rows: list[PositionView]) -> ResultView:
    account_id, currency = key
    gross = sum((row.realised_gross for row in rows), ZERO)
    costs = sum((row.costs for row in rows), ZERO)
    # One position without a price makes every sum that holds it unknown.
    unrealised = _sum([row.unrealised for row in rows])
    value = _sum(
        [row.mark * row.qty if row.mark is not None else ZERO if not row.qty else None for row in rows]
    )
    return ResultView(
        account_id=account_id,
        currency=currency,
        market_value=value,
        unrealised=unrealised,
        realised_gross=gross,
        costs=costs,
        realised_net=gross - costs,
        total=None if unrealised is None else gross - costs + unrealised,
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    total = ZERO
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
