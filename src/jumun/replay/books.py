"""The books at the end of a replay, and what the independent audit and the exchange say about them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from jumun.exchange.market import Market
from jumun.model.events import SendIntended
from jumun.model.fills import LedgerKind
from jumun.model.journal import Record
from jumun.model.orders import Order
from jumun.model.positions import Position
from jumun.replay.rig import Rig
from jumun.rules.audit import AuditFacts, AuditReport, ExchangeFacts, Traded, audit
from jumun.rules.book import Book
from jumun.store.sqlite.reader import open_reader

ZERO: Final = Decimal(0)
ORDERS_MAX: Final = 1_000_000  # of one store in one audit, which holds them in memory


class Pnl(msgspec.Struct, kw_only=True):
    """Profit and loss in one currency. `net` is realised less all costs booked, those of buys included."""

    gross: Decimal = ZERO
    costs: Decimal = ZERO
    net: Decimal = ZERO
    unrealised: Decimal = ZERO


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed of a store."""

    orders: dict[str, int]  # by status
    refusals: dict[str, int]  # orders REJECTED or CANCELLED, by reason
    corrected: int  # prices moved to the tick, toward safety
    fills: int
    part_filled: int  # orders that filled in more than one part
    sends: int
    costs: dict[str, dict[str, Decimal]]  # currency -> kind -> amount
    positions: list[Position]
    cash: dict[str, Decimal]  # all accounts together
    cash_at_exchange: dict[str, Decimal]
    cash_by_account: dict[str, dict[str, Decimal]]
    cash_at_exchange_by_account: dict[str, dict[str, Decimal]]
    pnl: dict[str, Pnl]
    records: int


async def examine(rig: Rig, store: Path) -> tuple[Books, AuditReport]:
    """Read the store back, audit it against the book in memory and the exchange's ledger."""
    verified = await rig.journal.verify()
    with open_reader(store) as reader:
        records = [record for step in reader.records(0) for record in step]
        orders = reader.orders(limit=ORDERS_MAX)
        tables = AuditFacts(
            records=records,
            orders=orders,
            positions=reader.positions(),
            cash=reader.cash(),
            instruments=rig.policy.instruments,
            accounts=rig.policy.accounts,
            cost_plans=rig.policy.cost_plans,
            sessions=rig.policy.sessions,
            cash_reserved=dict(_book(rig).cash_reserved.items()),
            shares_reserved=dict(_book(rig).shares_reserved.items()),
        )
    report = audit(tables, exchange_facts(rig.market))
    report = _with_book(report, tables, _book(rig))
    report.checks["I-26"] = report.checks.get("I-26", 0) + verified  # each link of the hash chain
    return _books(records, orders, rig), report


def exchange_facts(market: Market) -> ExchangeFacts:
    """Return the exchange's ledger as plain values."""
    costs: dict[str, Decimal] = {}
    for execution in market.executions:
        key = f"{execution.trade_date}/{execution.branch}/{execution.number}"
        costs[key] = costs.get(key, ZERO) + sum(execution.costs.values(), ZERO)
    received: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for arrival in market.arrivals:
        order_id = arrival.order.tag.split("/")[0]
        received[order_id] += 1
        accepted[order_id] += arrival.refused is None
    balances = [market.balance_of(name) for name in market.accounts()]
    return ExchangeFacts(
        cash={(one.account_id, code): amount for one in balances for code, amount in one.cash.items()},
        holdings={(one.account_id, symbol): qty for one in balances for symbol, qty in one.holdings.items()},
        traded={
            (order.account_id, order.trade_date, order.branch, order.number): Traded(
                qty=order.qty_filled, amount=order.amount_filled, costs=costs.get(key, ZERO)
            )
            for key, order in market.orders.items()
        },
        received=received,
        accepted=accepted,
    )


def _book(rig: Rig) -> Book:
    return rig.engine.desk.book


def _with_book(report: AuditReport, tables: AuditFacts, book: Book) -> AuditReport:
    """Compare the tables with the book in memory: both must be the same fold (I-24)."""
    checks, violations = dict(report.checks), list(report.violations)
    kept = {(one.account_id, one.symbol): one for one in tables.positions}
    for place, position in book.positions.items():
        row = kept.get(place)
        same = row is not None and _unmarked(row) == _unmarked(position)
        checks["I-24"] = checks.get("I-24", 0) + 1
        if not same:
            violations.append(f"I-24: position {place} is {position} in memory and {row} in the table")
    for (owner, code), amount in book.cash.items():
        checks["I-24"] = checks.get("I-24", 0) + 1
        if tables.cash.get((owner, code), ZERO) != amount:
            violations.append(f"I-24: cash of {owner} in {code} differs between memory and table")
    return AuditReport(checks=dict(sorted(checks.items())), violations=violations)


def _unmarked(position: Position) -> Position:
    return msgspec.structs.replace(position, mark=None, mark_ts_ns=None)


def _books(records: list[Record], orders: list[Order], rig: Rig) -> Books:
    book, costs = _book(rig), dict[str, dict[str, Decimal]]()
    fills: Counter[str] = Counter()
    for record in records:
        event = record.event
        for row in getattr(event, "ledger", ()):
            if row.kind in (LedgerKind.FEE, LedgerKind.TAX):
                kinds = costs.setdefault(row.currency.value, {})
                sign = 1 if row.credit.value == "CASH" else -1
                kinds[row.cost_kind] = kinds.get(row.cost_kind, ZERO) + sign * row.amount
        if getattr(event, "fill", None) is not None:
            fills[event.fill.order_id] += 1  # type: ignore[union-attr]  # only FillBooked has one
    ended = [order for order in orders if order.reason is not None and order.status.is_final]
    cash = _by_account(book.cash.items())
    theirs = _by_account(exchange_facts(rig.market).cash.items())
    positions = [book.positions[place] for place in sorted(book.positions)]
    return Books(
        orders=dict(sorted(Counter(order.status.value for order in orders).items())),
        refusals=dict(Counter(f"{order.status}: {order.reason}" for order in ended).most_common()),
        corrected=sum(order.price is not None and order.price != order.price_raw for order in orders),
        fills=sum(fills.values()),
        part_filled=sum(count > 1 for count in fills.values()),
        sends=sum(isinstance(record.event, SendIntended) for record in records),
        costs={code: dict(sorted(kinds.items())) for code, kinds in sorted(costs.items())},
        positions=positions,
        cash=_together(cash),
        cash_at_exchange=_together(theirs),
        cash_by_account=cash,
        cash_at_exchange_by_account=theirs,
        pnl=_pnl(positions),
        records=len(records),
    )


def _by_account(cash: Iterable[tuple[tuple[str, str], Decimal]]) -> dict[str, dict[str, Decimal]]:
    accounts: dict[str, dict[str, Decimal]] = {}
    for (name, code), amount in sorted(cash):
        accounts.setdefault(name, {})[code] = amount
    return accounts


def _together(accounts: Mapping[str, Mapping[str, Decimal]]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for cash in accounts.values():
        for code, amount in cash.items():
            total[code] = total.get(code, ZERO) + amount
    return dict(sorted(total.items()))


def _pnl(positions: list[Position]) -> dict[str, Pnl]:
    by_currency: dict[str, Pnl] = {}
    for position in positions:
        total = by_currency.setdefault(position.currency.value, Pnl())
        total.gross += position.realised_gross
        total.costs += position.costs
        total.net += position.realised_net
        total.unrealised += position.unrealised or ZERO
    return dict(sorted(by_currency.items()))
