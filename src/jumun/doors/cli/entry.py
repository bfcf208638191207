"""entry: book from a paper what is no trade. The same document is booked once, however often it is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

if TYPE_CHECKING:
    from jumun.config import Settings
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.fills import LedgerRow
    from jumun.model.instruments import Instrument
    from jumun.model.positions import Position
    from jumun.services.documents import Paper

    Rows = tuple[LedgerRow, ...]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Document:
    """What every documented entry must say."""

    document: Annotated[str, Parameter(help="The paper's name: the same one is booked once.")]
    date: Annotated[str, Parameter(help="The day it counts from, as 2026-11-20.")]
    by: Annotated[str, Parameter(help="Who books it.")]
    why: Annotated[str, Parameter(help="What it is; it is written down.")]
    settles: Annotated[str, Parameter(help="The day it settles; the same day when left out.")] = ""
    account: Annotated[str, Parameter(help="The account; may be left out when there is one.")] = ""


def dividend(
    symbol: Annotated[str, Parameter(help="What paid it.")],
    /,
    *,
    gross: Annotated[str, Parameter(help="The amount before tax, in the instrument's currency.")],
    tax: Annotated[str, Parameter(help="The tax that was withheld; 0 for none.")],
    net: Annotated[str, Parameter(help="The amount that came in: gross less tax.")],
    document: Document,
    as_json: AsJson = False,
) -> int:
    """Book a cash dividend: gross, the tax withheld and the net. Copy all three from the paper."""

    def rows(paper: "Paper", settings: "Settings") -> "Rows":
        held, _ = _position(paper, settings, symbol)
        return paper.dividend(held, gross, tax, net)

    return _book(document, as_json, rows)


def split(
    symbol: Annotated[str, Parameter(help="What was split.")],
    /,
    *,
    ratio: Annotated[str, Parameter(help="New shares for old ones, as 50:1.")],
    cash_for_fraction: Annotated[str, Parameter(help="What was paid for a fraction of a share.")] = "",
    document: Document,
    as_json: AsJson = False,
) -> int:
    """Book a split, a reverse split or bonus shares. The cost stays whole; a fraction is paid in cash."""

    def rows(paper: "Paper", settings: "Settings") -> "Rows":
        held, instrument = _position(paper, settings, symbol, still=True)
        return paper.split(held, instrument, ratio, cash_for_fraction)

    return _book(document, as_json, rows)


def transfer(
    what: Annotated[str, Parameter(help="A symbol, or CASH:KRW or CASH:USD.")],
    /,
    *,
    quantity: Annotated[str, Parameter(help="Shares or money that came in; below zero: that left.")],
    cost: Annotated[str, Parameter(help="What shares that came in had cost, as a whole.")] = "",
    document: Document,
    as_json: AsJson = False,
) -> int:
    """Book cash or shares that were brought in or taken out."""
    return _moved("TRANSFER", what, quantity, cost, document, as_json)


def correction(
    what: Annotated[str, Parameter(help="A symbol, or CASH:KRW or CASH:USD.")],
    /,
    *,
    quantity: Annotated[
        str, Parameter(help="Shares or money that our books lack; below zero: too many.")
    ] = "",
    cost: Annotated[
        str, Parameter(help="What the shares cost, as a whole; alone, it corrects what those held cost.")
    ] = "",
    document: Document,
    as_json: AsJson = False,
) -> int:
    """Correct our books by a documented entry. For a break, `jumun breaks settle --correct` does it."""
    return _moved("CORRECTION", what, quantity, cost, document, as_json)


def _moved(kind: str, what: str, quantity: str, cost: str, document: Document, as_json: bool) -> int:
    from jumun.model.errors import BadInput
    from jumun.model.fills import LedgerKind
    from jumun.services.documents import currency_of

    currency = currency_of(what)
    if currency is not None and cost:
        raise BadInput(f"{what} has no cost; leave --cost out")

    def rows(paper: "Paper", settings: "Settings") -> "Rows":
        if currency is not None:
            return paper.cash(currency, quantity, LedgerKind[kind])
        held, _ = _position(paper, settings, what, still=True)
        return paper.shares(held, quantity, cost, LedgerKind[kind])

    return _book(document, as_json, rows)


def _position(
    paper: "Paper", settings: "Settings", symbol: str, *, still: bool = False
) -> "tuple[Position, Instrument]":
    from jumun import app

    return app.position_of(settings, paper.account_id, symbol, still=still)


def _book(given: Document, as_json: bool, rows_of: "Callable[[Paper, Settings], Rows]") -> int:
    """Count the rows from the books as they stand, and send them."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing, service
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.services.documents import Paper

    settings = load().settings
    account_id = app.account_named(settings, given.account)
    paper = Paper.read(account_id, given.document, given.date, given.settles)
    rows = rows_of(paper, settings)
    request = desk_pb2.BookEntryRequest(
        account_id=account_id,
        document=paper.document,
        by=given.by,
        text=given.why,
        rows=[_wire(row) for row in rows],
    )
    reply = service.ask(settings, "BookEntry", request, desk_pb2.BookEntryReply)
    if as_json:
        told = [{name: getattr(row, name) for name in row.__struct_fields__} for row in rows]
        printing.as_json({"existing": reply.existing, "booked": reply.booked, "rows": told})
    elif reply.existing:
        printing.out().print(f"{paper.document} was booked before; nothing is booked twice.", soft_wrap=True)
    else:
        _show(paper.document, rows)
    return 0


def _wire(row: "LedgerRow") -> "desk_pb2.EntryRow":
    from jumun.doors.grpc.gen import desk_pb2

    return desk_pb2.EntryRow(
        kind=row.kind.value,
        currency=row.currency.value,
        amount=f"{row.amount:f}",
        debit=row.debit.value,
        credit=row.credit.value,
        trade_date=row.trade_date,
        settlement_date=row.settlement_date,
        symbol=row.symbol,
        quantity=f"{row.qty:f}" if row.qty else "",
        note=row.note,
        cost_kind=row.cost_kind,
    )


def _show(document: str, rows: "tuple[LedgerRow, ...]") -> None:
    from jumun.doors.cli import printing

    left = ("kind", "to", "from", "symbol")
    figures = printing.Figures(*left, "shares", "amount", " ", left=(*left, " "), title=f"Booked {document}")
    for row in rows:
        amount = printing.exact(row.amount, row.currency.value)
        shares = printing.qty(row.qty) if row.qty else ""
        figures.add(
            row.kind.value, row.debit.value, row.credit.value, row.symbol, shares, amount, row.currency.value
        )
    figures.show(printing.out())
