"""account, positions: the running desk's books, beside the broker's figures and by strategy."""

import json
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from jumun.services.views import BookView, StrategyView

Told = dict[str, Any]  # an object of the service; numbers are text


def account(
    *,
    account: Annotated[str, Parameter(help="The account; may be left out when there is one.")] = "",
    as_json: AsJson = False,
) -> int:
    """Show cash and holdings as the broker counts them, beside ours. Exits 1 when they differ.

    The broker is asked at most once in ten seconds unless something traded. Whether a difference is a break,
    `jumun reconcile` finds out.
    """
    from jumun.config import load
    from jumun.doors.cli import printing, service
    from jumun.doors.grpc.gen import desk_pb2

    request = desk_pb2.BalanceRequest(account_id=account)
    told: Told = json.loads(service.ask(load().settings, "Balance", request, desk_pb2.JsonReply).json)
    if as_json:
        printing.as_json(told)
    else:
        show_account(printing.out(), told)
    return 0 if told["agrees"] else 1


def show_account(console: "Console", told: Told) -> None:
    """Print both counts, and how old the broker's is."""
    from decimal import Decimal

    from jumun.doors.cli import printing

    console.print(f"Account {told['account_id']}", soft_wrap=True)
    figures = printing.Figures("", "ours", "the broker's", "difference", " ", left=("", " "))
    for line in told["lines"]:
        difference = Decimal(line["difference"])
        note = "" if not difference else "an order is on its way" if line["open"] else "DIFFERS"
        subject = line["subject"]
        figures.add(
            subject.removeprefix("CASH:"),
            _count(subject, line["ours"]),
            _count(subject, line["theirs"]),
            _count(subject, line["difference"]) if difference else "",
            note,
        )
    if figures.has_rows:
        figures.show(console)
    else:
        console.print("Neither we nor the broker count anything.")
    console.print(
        f"The broker was asked {printing.seconds(Decimal(told['age_s']))} ago"
        + ("." if told["agrees"] else "; `jumun reconcile` asks again, and `jumun breaks` lists what lasts."),
        soft_wrap=not console.is_terminal,
    )


def _count(subject: str, text: str) -> str:
    """Cash with every place it has, shares without needless zeros."""
    from decimal import Decimal

    from jumun.doors.cli import printing

    is_cash = subject.startswith("CASH:")
    value = Decimal(text)
    return printing.exact(value, subject.removeprefix("CASH:")) if is_cash else printing.qty(value)


def positions(
    *,
    by_strategy: Annotated[
        bool, Parameter(negative=(), help="Whose shares they are: each strategy's, and their sum.")
    ] = False,
    account: Annotated[str, Parameter(help="Only this account.")] = "",
    as_json: AsJson = False,
) -> int:
    """Show what the running desk holds, at the newest prices. `jumun book` reads the same from the store."""
    import msgspec

    from jumun.config import load
    from jumun.doors.cli import look, printing, service
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.services.views import BookView

    request = desk_pb2.PortfolioRequest(account_id=account)
    reply = service.ask(load().settings, "Positions", request, desk_pb2.JsonReply)
    view = msgspec.json.decode(reply.json, type=BookView)
    if as_json:
        printing.as_json(
            {"positions": view.positions, "strategies": view.strategies, "prices": view.marks_source}
        )
        return 0
    console = printing.out()
    if by_strategy:
        show_strategies(console, view)
    else:
        look.show_positions(console, view)
    if view.positions:
        console.print(f"Prices: {view.marks_source}, the newest. net: realised less costs; ?: not known.")
    return 0


def show_strategies(console: "Console", view: "BookView") -> None:
    """Print each position in its parts. A line `all` is their sum, which is the position."""
    if not view.strategies:
        console.print("No positions.")
        return
    for currency in sorted({row.currency for row in view.strategies}):
        _strategies(console, currency, [row for row in view.strategies if row.currency == currency])


def _strategies(console: "Console", currency: str, rows: "list[StrategyView]") -> None:
    from jumun.doors.cli import printing
    from jumun.doors.cli.holdings import NOBODY

    who = ("account",) if len({row.account_id for row in rows}) > 1 else ()
    left = (*who, "symbol", "strategy")
    numbers = ("qty", "cost", "unrealised", "net", "total")
    figures = printing.Figures(
        *left, *numbers, left=left, optional=("cost",), title=f"Positions in {currency}"
    )
    places: dict[tuple[str, str], list[StrategyView]] = {}
    for row in rows:
        places.setdefault((row.account_id, row.symbol), []).append(row)
    for place, parts in sorted(places.items()):
        of = place if who else place[1:]
        for row in parts:
            figures.add(*of, row.strategy_id or NOBODY, *_figures(currency, [row]))
        if len(parts) > 1:
            figures.add(*of, "all", *_figures(currency, parts))
    figures.show(console)


def _figures(currency: str, parts: "list[StrategyView]") -> list[str]:
    """The sums of one or several parts; one without a price makes a sum unknown."""
    from decimal import Decimal

    from jumun.doors.cli import printing

    sums = [
        None if None in values else sum((value for value in values if value is not None), Decimal(0))
        for values in (
            [row.cost_basis for row in parts],
            [row.unrealised for row in parts],
            [row.realised_net for row in parts],
            [row.total for row in parts],
        )
    ]
    held = sum((row.qty for row in parts), Decimal(0))
    return [printing.qty(held), *(printing.money(value, currency) for value in sums)]
