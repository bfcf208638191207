"""How an answer of the service about one order is told: the same words for every command."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jumun.doors.grpc.gen import desk_pb2


def order(reply: "desk_pb2.OrderReply", as_json: bool) -> int:
    """Print the answer and return the exit code: 1 when it was refused."""
    from jumun.doors.cli import printing

    # A rejected order that is sent again is no new answer.
    refused = reply.denied or reply.status == "REJECTED"
    if as_json:
        printing.as_json({field.name: getattr(reply, field.name) for field in reply.DESCRIPTOR.fields})
        return 1 if refused else 0
    if refused:
        about = f" ({reply.order_id})" if reply.order_id and reply.order_id not in reply.text else ""
        printing.warn(f"{reply.reason}: {reply.text}{about}")
        return 1
    again = " It was there before: the same id gives the same order." if reply.existing else ""
    line = f"{_what(reply)} is {printing.status_text(reply.status)}, filled {reply.filled_quantity}."
    console = printing.out()
    console.print(reply.order_id)
    console.print(f"{line}{again}{_on_its_way(reply)}", soft_wrap=True)
    return 0


def _what(reply: "desk_pb2.OrderReply") -> str:
    price = f" at {reply.price}" if reply.price else ""
    stop = f" stop {reply.stop_price}" if reply.stop_price else ""
    corrected = f" (asked {reply.price_raw})" if reply.price_raw not in ("", reply.price) else ""
    return f"{reply.side} {reply.quantity} {reply.symbol}{price}{stop}{corrected}"


def _on_its_way(reply: "desk_pb2.OrderReply") -> str:
    """What was asked of the broker and has no proven end yet."""
    told = ""
    if reply.modify_requested:
        price = f" at {reply.modify_price}" if reply.modify_price else ""
        told += f" A change to {reply.modify_quantity}{price} is on its way; both count until it ends."
    if reply.cancel_requested and reply.status != "CANCELLED":
        told += (
            " The cancel is kept until its outcome is known; `jumun settle` records what a person finds."
            if reply.status == "ERROR"
            else " A cancel is on its way."
        )
    return told
