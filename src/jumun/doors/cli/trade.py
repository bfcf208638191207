"""submit, cancel, status, reconcile, halt, resume: what only the running service can do."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

if TYPE_CHECKING:
    from jumun.doors.grpc.gen import desk_pb2


def submit(
    *,
    symbol: Annotated[str, Parameter(help="What to trade, e.g. 005930 or SPMO.")],
    side: Annotated[str, Parameter(help="BUY or SELL.")],
    quantity: Annotated[str, Parameter(help="How many shares.")],
    price: Annotated[
        str, Parameter(help="The limit, in the instrument's currency; with it the order is LIMIT.")
    ] = "",
    order_type: Annotated[
        str, Parameter(name=["--type"], help="LIMIT or MARKET; LIMIT when a price is given.")
    ] = "",
    time_in_force: Annotated[
        str, Parameter(name=["--tif"], help="DAY, IOC, FOK, …; DAY with order_timeout.")
    ] = "",
    account: Annotated[str, Parameter(help="The account; may be left out when there is one.")] = "",
    user: Annotated[str, Parameter(help="Whose order it is; the account's first user.")] = "",
    order_name: Annotated[
        str, Parameter(name=["--id"], help="Your own id: the same id gives the same order.")
    ] = "",
    strategy: Annotated[str, Parameter(help="The strategy it belongs to.")] = "",
    as_json: AsJson = False,
) -> int:
    """Send an order to the running service. The answer comes when the order is safely on disk."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.errors import BadInput

    if not order_type and not price:
        raise BadInput("neither --price nor --type is given; add --price for a LIMIT order, or --type MARKET")
    own = order_name or app.new_id()
    request = desk_pb2.SubmitRequest(
        account_id=account,
        user_id=user,
        client_order_id=own,
        symbol=symbol,
        side=side,
        order_type=order_type or "LIMIT",
        quantity=quantity,
        price=price,
        time_in_force=time_in_force,
        strategy_id=strategy,
    )
    return _tell_order(service.ask(load().settings, "Submit", request, desk_pb2.OrderReply), as_json)


def cancel(
    order_id: Annotated[str, Parameter(help="The order's id, a unique beginning of it, or your own id.")],
    /,
    *,
    user: Annotated[str, Parameter(help="Whose id it is.")] = "",
    as_json: AsJson = False,
) -> int:
    """Ask for a cancel. The order can still fill until the market confirms."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.errors import StoreUnavailable, UnknownOrder

    settings = load().settings
    try:
        with app.open_books(settings) as books:
            order_id = app.find_order(books, settings, order_id).order_id
    except (StoreUnavailable, UnknownOrder):
        # The store may be on another machine, or the order newer than our look: the service knows.
        order_id = order_id.strip()
    request = desk_pb2.CancelRequest(order_id=order_id, user_id=user)
    return _tell_order(service.ask(settings, "Cancel", request, desk_pb2.OrderReply), as_json)


def status(*, as_json: AsJson = False) -> int:
    """Say how the running service is; exit 1 when it does not take new orders."""
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2

    told = service.ask(load().settings, "Status", desk_pb2.StatusRequest(), desk_pb2.StatusReply)
    _tell_status(told, as_json)
    return 0 if told.accepting else 1


def reconcile(*, as_json: AsJson = False) -> int:
    """Compare the books with the broker's now; sends no orders. Exit 1 when they differ."""
    from jumun.config import load
    from jumun.doors.cli import printing, service
    from jumun.doors.grpc.gen import desk_pb2

    told = service.ask(load().settings, "Reconcile", desk_pb2.ReconcileRequest(), desk_pb2.ReconcileReply)
    rows = [{"subject": row.subject, "ours": row.ours, "theirs": row.theirs} for row in told.differences]
    if as_json:
        printing.as_json({"studies": told.studies, "unknown": told.unknown, "differences": rows})
    elif rows:
        figures = printing.Figures("what", "ours", "theirs", left=("what",))
        for row in rows:
            figures.add(row["subject"], row["ours"], row["theirs"])
        figures.show(printing.out())
    else:
        printing.out().print(
            f"The books agree with the broker's; {told.unknown} orders with an unknown outcome."
        )
    return 1 if rows else 0


def settle(
    order_id: Annotated[str, Parameter(help="The order of unknown outcome.")],
    /,
    *,
    because: Annotated[str, Parameter(help="What was compared; it is kept as the evidence.")],
    by: Annotated[str, Parameter(help="Who decides it.")],
    as_json: AsJson = False,
) -> int:
    """Record that an UNKNOWN order is not at the broker, after a person compared by hand."""
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2

    request = desk_pb2.SettleRequest(order_id=order_id.strip(), by=by, text=because)
    return _tell_order(service.ask(load().settings, "Settle", request, desk_pb2.OrderReply), as_json)


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
    """Allow new orders again."""
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.doors.grpc.gen import desk_pb2

    request = desk_pb2.ResumeRequest(by=by, text=reason)
    told = service.ask(load().settings, "Resume", request, desk_pb2.StatusReply)
    _tell_status(told, as_json)
    return 0


def _tell_order(told: "desk_pb2.OrderReply", as_json: bool) -> int:
    from jumun.doors.cli import printing

    refused = told.denied or told.status == "REJECTED"  # a rejected order that is sent again is no new answer
    if as_json:
        printing.as_json({field.name: getattr(told, field.name) for field in told.DESCRIPTOR.fields})
        return 1 if refused else 0
    if refused:
        about = f" ({told.order_id})" if told.order_id and told.order_id not in told.text else ""
        printing.warn(f"{told.reason}: {told.text}{about}")
        return 1
    price = f" at {told.price}" if told.price else ""
    corrected = f" (asked {told.price_raw})" if told.price_raw and told.price_raw != told.price else ""
    again = " It was there before: the same id gives the same order." if told.existing else ""
    asked = _about_the_cancel(told)
    status = printing.status_text(told.status)
    what = f"{told.side} {told.quantity} {told.symbol}{price}{corrected}"
    line = f"{what} is {status}, filled {told.filled_quantity}."
    console = printing.out()
    console.print(told.order_id)
    console.print(f"{line}{again}{asked}", soft_wrap=True)
    return 0


def _about_the_cancel(told: "desk_pb2.OrderReply") -> str:
    if not told.cancel_requested or told.status == "CANCELLED":
        return ""
    if told.status == "ERROR":
        return " The cancel is kept until its outcome is known; `jumun settle` records what a person finds."
    return " A cancel is on its way."


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
