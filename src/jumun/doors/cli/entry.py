"""entry: book from a paper what is no trade. The same document is booked once, however often it is sent.

Only what the paper says is sent: the service counts the rows from its books at the moment it books them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

if TYPE_CHECKING:
    from jumun.doors.grpc.gen import desk_pb2


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
    from jumun.doors.grpc.gen import desk_pb2

    paid = desk_pb2.DividendEntry(symbol=symbol, gross=gross, tax=tax, net=net)
    return _book(document, desk_pb2.BookEntryRequest(dividend=paid), as_json)


def split(
    symbol: Annotated[str, Parameter(help="What was split.")],
    /,
    *,
    ratio: Annotated[str, Parameter(help="New shares for old ones, as 50:1.")],
    cash_for_fraction: Annotated[str, Parameter(help="What was paid for a fraction of a share.")] = "",
    held: Annotated[
        str, Parameter(help="Shares before it, as the paper says; refused where the books hold others.")
    ] = "",
    document: Document,
    as_json: AsJson = False,
) -> int:
    """Book a split, a reverse split or bonus shares. The cost stays whole; a fraction is paid in cash."""
    from jumun.doors.grpc.gen import desk_pb2

    made = desk_pb2.SplitEntry(symbol=symbol, ratio=ratio, cash_for_fraction=cash_for_fraction, held=held)
    return _book(document, desk_pb2.BookEntryRequest(split=made), as_json)


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
    from jumun.doors.grpc.gen import desk_pb2

    moved = desk_pb2.MovedEntry(what=what, quantity=quantity, cost=cost)
    return _book(document, desk_pb2.BookEntryRequest(transfer=moved), as_json)


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
    held: Annotated[
        str, Parameter(help="With a cost alone: the shares that it is about; refused where others are held.")
    ] = "",
    document: Document,
    as_json: AsJson = False,
) -> int:
    """Correct our books by a documented entry. For a break, `jumun breaks settle --correct` does it."""
    from jumun.doors.grpc.gen import desk_pb2

    moved = desk_pb2.MovedEntry(what=what, quantity=quantity, cost=cost, held=held)
    return _book(document, desk_pb2.BookEntryRequest(correction=moved), as_json)


def _book(given: Document, request: "desk_pb2.BookEntryRequest", as_json: bool) -> int:
    """Send what the paper says, and show the rows that the service made of it."""
    from jumun.config import load
    from jumun.doors.cli import printing, service
    from jumun.doors.grpc.gen import desk_pb2

    request.account_id, request.document = given.account, given.document
    request.trade_date, request.settlement_date = given.date, given.settles
    request.by, request.text = given.by, given.why
    reply = service.ask(load().settings, "BookEntry", request, desk_pb2.BookEntryReply)
    if as_json:
        names = [field.name for field in desk_pb2.EntryRow.DESCRIPTOR.fields]
        told = [{name: getattr(row, name) for name in names} for row in reply.rows]
        printing.as_json({"existing": reply.existing, "booked": reply.booked, "rows": told})
    elif reply.existing:
        printing.out().print(f"{given.document} was booked before; nothing is booked twice.", soft_wrap=True)
    else:
        _show(given.document, reply)
    return 0


def _show(document: str, reply: "desk_pb2.BookEntryReply") -> None:
    from decimal import Decimal

    from jumun.doors.cli import printing

    left = ("kind", "to", "from", "symbol")
    figures = printing.Figures(*left, "shares", "amount", " ", left=(*left, " "), title=f"Booked {document}")
    for row in reply.rows:
        amount = printing.exact(Decimal(row.amount), row.currency)
        shares = printing.qty(Decimal(row.quantity)) if row.quantity else ""
        figures.add(row.kind, row.debit, row.credit, row.symbol, shares, amount, row.currency)
    figures.show(printing.out())
