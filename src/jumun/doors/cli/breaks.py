"""breaks: where our books and the broker's differ, who takes care of it, and how it ended."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

if TYPE_CHECKING:
    from jumun.doors.cli.service import Connection
    from jumun.doors.grpc.gen import desk_pb2

Told = dict[str, Any]  # an object of the service; numbers are text


def listed(
    *, account: Annotated[str, Parameter(help="Only this account.")] = "", as_json: AsJson = False
) -> int:
    """List the open breaks, oldest first, with age and owner. Exit 1 when there are any.

    Where none is open, it says what differs at the broker all the same.
    """
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2

    settings = load().settings
    request = desk_pb2.BreaksRequest(account_id=account)
    with service.connect(settings) as connection:
        reply = connection.ask("Breaks", request, desk_pb2.BreaksReply)
        if reply.breaks or as_json:
            _tell(reply, as_json)
        else:
            names = [account] if account else [entry.account_id for entry in settings.accounts]
            _tell_none(_differences(connection, names))
    return 1 if reply.breaks else 0


def _differences(connection: "Connection", names: list[str]) -> "list[Told] | str":
    """Return what the broker counts otherwise now, or why nobody knows."""
    import json

    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.errors import OmsError

    found: list[Told] = []
    for account_id in names:
        request = desk_pb2.BalanceRequest(account_id=account_id)
        try:
            view = json.loads(connection.ask("Balance", request, desk_pb2.JsonReply).json)
        except OmsError as error:
            return f"{account_id} cannot be compared with the broker now: {error}"
        lines = [line for line in view["lines"] if line["ours"] != line["theirs"]]
        found += [{**line, "account_id": account_id} for line in lines]
    return found


def _tell_none(found: "list[Told] | str") -> None:
    """No break is open; that is no proof that the books agree."""
    from jumun.doors.cli import printing

    console = printing.out()
    console.print("No open break.")
    if isinstance(found, str):
        console.print(f"Whether the books agree is not known: {found}", soft_wrap=True)
        return
    for line in found:
        ours, theirs = _amount(line["subject"], line["ours"]), _amount(line["subject"], line["theirs"])
        why = (
            "an order on its way may explain it" if line["open"] else "not confirmed yet, or explained before"
        )
        what = f"{line['account_id']} {line['subject']}: ours {ours}, the broker's {theirs}; {why}."
        console.print(what, soft_wrap=True)


def assign(
    break_id: Annotated[str, Parameter(help="The break's id, from the list.")],
    /,
    *,
    to: Annotated[str, Parameter(help="Who takes care of it.")],
    why: Annotated[str, Parameter(help="What is known so far; it is written down.")],
    as_json: AsJson = False,
) -> int:
    """Name who takes care of a break."""
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2

    request = desk_pb2.AssignBreakRequest(break_id=break_id.strip(), owner=to, text=why)
    _tell(service.ask(load().settings, "AssignBreak", request, desk_pb2.BreaksReply), as_json)
    return 0


def settle(
    break_id: Annotated[str, Parameter(help="The break's id, from the list.")],
    /,
    *,
    by: Annotated[str, Parameter(help="Who decides it.")],
    why: Annotated[str, Parameter(help="What was found; it is kept as the evidence.")],
    correct: Annotated[
        bool, Parameter(negative=(), help="Book what the broker says, as a documented correction.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """End a break: explained, and the books stay as they are, or corrected to what the broker says."""
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2

    request = desk_pb2.SettleBreakRequest(break_id=break_id.strip(), by=by, text=why, correct=correct)
    _tell(service.ask(load().settings, "SettleBreak", request, desk_pb2.BreaksReply), as_json)
    return 0


def _tell(reply: "desk_pb2.BreaksReply", as_json: bool) -> None:
    from jumun.doors.cli import printing

    if as_json:
        rows = [
            {field.name: getattr(row, field.name) for field in row.DESCRIPTOR.fields} for row in reply.breaks
        ]
        printing.as_json({"breaks": rows})
        return
    console = printing.out()
    if not reply.breaks:
        console.print("No open break.")
        return
    left = ("break", "account", "what", "owner")
    figures = printing.Figures(
        *left[:3], "ours", "theirs", "difference", "age", "owner", left=left, optional=("account",)
    )
    for row in reply.breaks:
        amounts = [_amount(row.subject, text) for text in (row.ours, row.theirs, row.difference)]
        owner = row.owner or "nobody"
        figures.add(row.break_id, row.account_id, row.subject, *amounts, printing.age(row.age_s), owner)
    figures.show(console)
    for row in reply.breaks:
        if row.note:
            console.print(f"{row.break_id}: {row.note}", soft_wrap=not console.is_terminal)


def _amount(subject: str, text: str) -> str:
    from decimal import Decimal

    from jumun.doors.cli import printing

    kind, _, currency = subject.partition(":")
    return printing.exact(Decimal(text), currency) if kind == "CASH" else printing.qty(Decimal(text))
