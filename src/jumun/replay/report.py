"""Prints a summary: tables for people, one JSON object for programs. Errors and progress go to stderr."""

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Final, Self

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from jumun.model.positions import Position
from jumun.replay.summary import Summary, plain, shown

MARKUP: Final = False  # titles hold file names, which may look like markup
PADDING: Final = (0, 1, 0, 0)  # the widest table must fit in 80 columns
PLACES: Final = {"KRW": 0, "USD": 2}


def say(text: str) -> None:
    """Print one sentence for a person, beside the output."""
    print(text, file=sys.stderr)


class Bar:
    """A progress bar on a terminal, and nothing anywhere else."""

    def __init__(self, title: str, *, shown: bool) -> None:
        self._progress: Progress | None = None
        if shown and sys.stderr.isatty():
            self._progress = Progress(
                TextColumn("{task.description}", markup=MARKUP),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, done: int, total: int) -> None:
        """Say how far it is."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)


def print_summary(summary: Summary, *, json: bool) -> None:
    """Print to stdout."""
    if json:
        print(msgspec.json.encode(plain(summary)).decode())
        return
    console = Console(highlight=False, markup=MARKUP)
    console.print(summary.title)
    for note in summary.notes:
        console.print(note)
    for row in shown(summary.rows_named, summary.rows_refused):
        console.print(row)
    for mismatch in shown(summary.mismatches, summary.run["mismatched"]):
        console.print(mismatch)
    for table in (_run(summary), _orders(summary), _costs(summary), *_positions(summary), _money(summary)):
        console.print(table)
    console.print(_verdict(summary))


def _run(summary: Summary) -> Table:
    table = _table("What happened", "", ">this run", ">in the store")
    run, books = summary.run, summary.books
    table.add_row("sessions (KRX and US)", f"{summary.sessions:,}", "")
    table.add_row("prints", f"{run['prints']:,}", f"{run['prints'] + run['prints_of_earlier_runs']:,}")
    table.add_row("signals", f"{summary.signals:,}", "")
    table.add_row("rows refused", f"{summary.rows_refused:,}", "")
    table.add_row("orders", f"{run['new_orders']:,} new", f"{sum(books.orders.values()):,}")
    table.add_row("sends", f"{run['sends']:,}", f"{books.sends:,}")
    table.add_row("fills", "", f"{books.fills:,}")
    table.add_row("orders filled in parts", "", f"{books.part_filled:,}")
    table.add_row("prices corrected to the tick", "", f"{books.corrected:,}")
    table.add_row("journal records", "", f"{books.records:,}")
    return table


def _orders(summary: Summary) -> Table:
    table = _table("Orders by status and reason", "", ">orders")
    for status, count in summary.books.orders.items():
        table.add_row(status, f"{count:,}")
    table.add_section()
    for reason, count in summary.books.refusals.items():
        table.add_row(reason, f"{count:,}")
    for reason, count in summary.refused_without_order.items():
        table.add_row(f"no order: {reason}", f"{count:,}")
    return table


def _costs(summary: Summary) -> Table:
    table = _table("Costs", "", ">amount", "")
    for currency, kinds in summary.books.costs.items():
        for kind, amount in kinds.items():
            table.add_row(kind, _amount(amount, currency), currency)
    return table


def _positions(summary: Summary) -> list[Table]:
    """One table for each account and currency: narrow enough for 80 columns."""
    tables: dict[tuple[str, str], Table] = {}
    several = len(summary.books.cash_by_account) > 1
    for position in summary.books.positions:
        code = position.currency.value
        place = (position.account_id, code)
        if place not in tables:
            owner = f" of {position.account_id}" if several else ""
            columns = (">shares", ">average", ">mark", ">unrealised", ">realised", ">costs", ">net")
            tables[place] = _table(f"Positions{owner} in {code}", "symbol", *columns)
        tables[place].add_row(*_position(position))
    return list(tables.values())


def _position(position: Position) -> list[str]:
    currency = position.currency.value
    unrealised = position.unrealised
    return [
        position.symbol,
        f"{position.qty:,f}",
        _amount(position.average_price, currency),
        "" if position.mark is None else f"{position.mark:,f}",
        "" if unrealised is None else _amount(unrealised, currency),
        _amount(position.realised_gross, currency),
        _amount(position.costs, currency),
        _amount(position.realised_net, currency),
    ]


def _money(summary: Summary) -> Table:
    owners = " of all accounts" if len(summary.books.cash_by_account) > 1 else ""
    table = _table(f"Cash, and profit and loss{owners}", "", *(f">{code}" for code in summary.books.cash))
    codes = list(summary.books.cash)
    books = summary.books
    several = len(books.cash_by_account) > 1
    for name, cash in books.cash_by_account.items() if several else ():
        theirs = books.cash_at_exchange_by_account.get(name, {})
        table.add_row(f"cash of {name}", *_amounts(cash, codes))
        table.add_row("  at the exchange", *_amounts(theirs, codes))
    if several:
        table.add_section()
    table.add_row("cash of all accounts" if several else "cash", *_amounts(books.cash, codes))
    table.add_row("cash at the exchange", *_amounts(books.cash_at_exchange, codes))
    table.add_section()
    for label, name in (
        ("realised, gross", "gross"),
        ("costs", "costs"),
        ("realised, net", "net"),
        ("unrealised", "unrealised"),
    ):
        values = (getattr(summary.pnl.get(code), name, Decimal(0)) for code in codes)
        table.add_row(label, *(_amount(value, code) for value, code in zip(values, codes, strict=True)))
    return table


def _amounts(amounts: Mapping[str, Decimal], codes: Sequence[str]) -> list[str]:
    return [_amount(amounts.get(code, Decimal(0)), code) for code in codes]


def _verdict(summary: Summary) -> str:
    speed = f"{summary.seconds:.1f} s, {summary.orders_per_s:,.0f} orders/s, store {summary.store}"
    total = sum(summary.checks.values())
    if summary.ok:
        counts = ", ".join(f"{name} {count:,}" for name, count in summary.checks.items())
        return f"Invariants: ok, {total:,} checks ({counts})\n{speed}"
    named = "\n".join(f"  {text}" for text in summary.invariants)
    return f"Invariants: VIOLATED, {total:,} checks\n{named}\n{speed}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=PADDING, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", no_wrap=True)
    return table


def _amount(amount: Decimal, currency: str) -> str:
    return f"{amount:,.{PLACES.get(currency, 2)}f}"
