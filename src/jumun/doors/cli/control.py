"""status, reconcile, settle, halt, resume: how the running service is, and whether it may trade."""

from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson
from jumun.doors.cli.trade import ORDER_ID, whole_id

if TYPE_CHECKING:
    from jumun.doors.grpc.gen import desk_pb2


THEN_RESUME: Final = 'look at that, then `jumun resume "why it is safe" --by you`'


def status(*, as_json: AsJson = False) -> int:
    """Say how the running service is; exit 1 when it does not take new orders."""
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2

    told = service.ask(load().settings, "Status", desk_pb2.StatusRequest(), desk_pb2.StatusReply)
    _tell_status(told, as_json)
    return 0 if told.accepting else 1


def reconcile(*, as_json: AsJson = False) -> int:
    """Look once at the broker now and compare; sends no orders. Exit 1 when something differs.

    One look proves nothing: a difference that still stands at a later look is a break.
    """
    from jumun.config import load
    from jumun.doors.cli import printing, service
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.words import counted

    told = service.ask(load().settings, "Reconcile", desk_pb2.ReconcileRequest(), desk_pb2.ReconcileReply)
    rows = [{"subject": row.subject, "ours": row.ours, "theirs": row.theirs} for row in told.differences]
    if as_json:
        printing.as_json({"studies": told.studies, "unknown": told.unknown, "differences": rows})
    elif rows:
        figures = printing.Figures("what", "ours", "theirs", left=("what",))
        for row in rows:
            figures.add(row["subject"], row["ours"], row["theirs"])
        figures.show(printing.out())
        printing.out().print(
            "This is one look; what still differs at a later one is a break (`jumun breaks`)."
        )
    else:
        unknown = f"{counted(told.unknown, 'order')} of unknown outcome"
        printing.out().print(f"The books agree with the broker's; {unknown}.")
    return 1 if rows else 0


def settle(
    order_id: Annotated[str, Parameter(help=f"The order of unknown outcome. {ORDER_ID}")],
    /,
    *,
    because: Annotated[str, Parameter(help="What was compared; it is kept as the evidence.")],
    by: Annotated[str, Parameter(help="Who decides it.")],
    number: Annotated[str, Parameter(help="The broker's number that it is, as the broker lists it.")] = "",
    as_json: AsJson = False,
) -> int:
    """Record what an UNKNOWN order is, after a person compared by hand.

    With --number it is that order of the broker's list: its fills are booked, and a kept cancel leaves.
    Without, it is not at the broker and ends here; should it be there, it shows later as a foreign order.
    """
    from jumun.config import load
    from jumun.doors.cli import service, told
    from jumun.doors.grpc.gen import desk_pb2

    settings = load().settings
    whole = whole_id(settings, order_id)
    request = desk_pb2.SettleRequest(order_id=whole, by=by, text=because, number=number)
    return told.order(service.ask(settings, "Settle", request, desk_pb2.OrderReply), as_json)


def halt(
    reason: Annotated[str, Parameter(help="Why; it is written down.")], /, *, as_json: AsJson = False
) -> int:
    """Stop new orders, durably: it survives a restart. Cancels and reports go on."""
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2

    told = service.ask(load().settings, "Halt", desk_pb2.HaltRequest(text=reason), desk_pb2.StatusReply)
    _tell_status(told, as_json)
    return 0


def resume(
    reason: Annotated[str, Parameter(help="Why it is safe again; it is written down.")],
    /,
    *,
    by: Annotated[str, Parameter(help="Who decides it.")],
    as_json: AsJson = False,
) -> int:
    """Allow new orders again. Exit 1 when trading stays halted, or was halted again meanwhile."""
    from jumun.config import load
    from jumun.doors.cli import printing, service
    from jumun.doors.grpc.gen import desk_pb2

    request = desk_pb2.ResumeRequest(by=by, text=reason)
    told = service.ask(load().settings, "Resume", request, desk_pb2.StatusReply)
    _tell_status(told, as_json)
    if told.halted:
        printing.warn(f"trading is halted: {told.halted}; {THEN_RESUME}")
    return 1 if told.halted else 0


def _tell_status(told: "desk_pb2.StatusReply", as_json: bool) -> None:
    from jumun.doors.cli import printing

    fields = {field.name: getattr(told, field.name) for field in told.DESCRIPTOR.fields}
    if as_json:
        printing.as_json(fields)
        return
    table = printing.table("name", "value", whole=("name",))
    table.show_header = False
    for name, value in fields.items():
        shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        table.add_row(name.replace("_", " "), shown or "-")
    printing.out().print(table)
