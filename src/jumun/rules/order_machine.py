"""The order state machine, as a table (OMS-03, I-16). The docs and the database triggers are made from it.

An absent pair is a defect of ours and raises; what a broker says is turned into an allowed event first.
"""

from decimal import Decimal
from typing import Final, assert_never

from msgspec.structs import replace

from jumun.model.events import (
    AnyOrderEvent,
    AttemptNotReceived,
    CancelAnswered,
    CancelIntended,
    CancelRequested,
    FillBooked,
    ForeignOrderAdopted,
    NoticeCounted,
    OrderAccepted,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderFlagged,
    OrderRejected,
    OrderSent,
    OrderUnknown,
    SendIntended,
    SendNotLeft,
    UnknownNotFound,
)
from jumun.model.fills import LedgerKind
from jumun.model.orders import Flag, Order, OrderStatus
from jumun.model.reasons import Reason

NEW, SENT, ACCEPTED = OrderStatus.NEW, OrderStatus.SENT, OrderStatus.ACCEPTED
PART_FILLED, FILLED = OrderStatus.PART_FILLED, OrderStatus.FILLED
CANCELLED, REJECTED, ERROR = OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.ERROR

NEXT: Final[dict[tuple[OrderStatus, type], OrderStatus]] = {
    (NEW, OrderDenied): REJECTED,
    (NEW, SendIntended): NEW,  # the status moves only when somebody else confirms it (C-2)
    (ERROR, SendIntended): ERROR,  # a resend, after proof that the first attempt never arrived
    (NEW, SendNotLeft): NEW,
    (ERROR, SendNotLeft): ERROR,
    (NEW, OrderSent): SENT,
    (ERROR, OrderSent): SENT,  # an unknown one was found at the broker (F-03)
    (PART_FILLED, OrderSent): PART_FILLED,  # a fill came before our reply (F-21)
    (FILLED, OrderSent): FILLED,
    (CANCELLED, OrderSent): CANCELLED,
    (REJECTED, OrderSent): REJECTED,
    (NEW, OrderAccepted): ACCEPTED,
    (SENT, OrderAccepted): ACCEPTED,
    (ERROR, OrderAccepted): ACCEPTED,
    (NEW, OrderRejected): REJECTED,
    (SENT, OrderRejected): REJECTED,
    (ACCEPTED, OrderRejected): REJECTED,  # accepted by the broker, refused later by the exchange (F-51)
    (ERROR, OrderRejected): REJECTED,
    (NEW, OrderUnknown): ERROR,
    (SENT, OrderUnknown): ERROR,
    (ACCEPTED, OrderUnknown): ERROR,
    (PART_FILLED, OrderUnknown): ERROR,
    (ERROR, OrderUnknown): ERROR,
    (ERROR, UnknownNotFound): ERROR,
    (ERROR, AttemptNotReceived): ERROR,  # only the broker, or the session's end, ends it
    (NEW, OrderCancelled): CANCELLED,
    (SENT, OrderCancelled): CANCELLED,
    (ACCEPTED, OrderCancelled): CANCELLED,
    (PART_FILLED, OrderCancelled): CANCELLED,
    (ERROR, OrderCancelled): CANCELLED,
}

# Facts beside the status. They are possible in every status, the final ones included: a late fill is
# booked and flagged, a cancel crosses a fill (I-17, I-20).
FACTS: Final = (OrderFlagged, NoticeCounted, CancelRequested, CancelIntended, CancelAnswered)

# A fill leads here while shares are left, and there when none are.
AFTER_PART_FILL: Final = {
    NEW: PART_FILLED,  # a fill before our reply (F-21, F-22)
    SENT: PART_FILLED,
    ACCEPTED: PART_FILLED,
    PART_FILLED: PART_FILLED,
    ERROR: PART_FILLED,
    FILLED: FILLED,  # an over-fill: booked and flagged (F-62)
    CANCELLED: CANCELLED,  # a late fill: booked, flagged, alarmed; money that moved beats our opinion
    REJECTED: REJECTED,
}
AFTER_LAST_FILL: Final = {
    status: status if status in (CANCELLED, REJECTED) else FILLED for status in OrderStatus
}


class ImpossibleTransition(AssertionError):
    """Our own code tried a transition that is not in the table: a defect, never bad weather."""


def next_status(order: Order, event: AnyOrderEvent) -> OrderStatus:
    """Return the status after `event`; raises ImpossibleTransition when the table has no such row."""
    if isinstance(event, FACTS):
        return order.status
    if isinstance(event, FillBooked):
        complete = order.qty_filled + event.fill.qty >= order.qty
        return (AFTER_LAST_FILL if complete else AFTER_PART_FILL)[order.status]
    status = NEXT.get((order.status, type(event)))
    if status is None:
        raise ImpossibleTransition(f"{order.order_id}: {type(event).__name__} cannot follow {order.status}")
    return status


def can(order: Order, event_type: type) -> bool:
    """True when the table lets `event_type` follow the order's status."""
    return (order.status, event_type) in NEXT


def evolve(order: Order | None, event: AnyOrderEvent, ts_ns: int) -> Order:
    """Return the order after `event`; the only place where an order changes."""
    if isinstance(event, OrderCreated | ForeignOrderAdopted):
        if order is not None:
            raise ImpossibleTransition(f"{event.order_id} was created twice")
        return event.order
    if order is None:
        raise ImpossibleTransition(f"{type(event).__name__} for {event.order_id}, which does not exist")
    status = next_status(order, event)
    return replace(_with_facts(order, event, ts_ns), status=status, updated_ns=ts_ns)


def _with_facts(order: Order, event: AnyOrderEvent, ts_ns: int) -> Order:
    """Everything that changes beside the status."""
    match event:
        case OrderDenied():
            return replace(order, reason=event.reason, reason_text=event.text)
        case SendIntended():
            return replace(
                order,
                attempt=event.attempt,
                attempt_open=True,
                attempt_ts_ns=ts_ns,
                unknown_ns=None,
                retry_at_ns=None,
                absent_ns=None,
                trade_date=event.request.trade_date,
            )
        case SendNotLeft():
            return replace(order, attempt_open=False, retry_at_ns=event.retry_at_ns)
        case OrderSent():
            refs = order.refs if event.ref in order.refs else (*order.refs, event.ref)
            found = replace(order, attempt_open=False, absent_ns=None, refs=refs)
            if order.status.is_final:
                return found  # a number that comes too late does not erase why the order ended
            return replace(found, reason=None, reason_text="")
        case OrderAccepted():
            return replace(order, attempt_open=False, reason=None, reason_text="")
        case OrderRejected():
            text = f"{event.code} {event.text}".strip()
            return replace(order, attempt_open=False, reason=Reason.BROKER_REJECTED, reason_text=text)
        case OrderUnknown():
            return replace(
                order, attempt_open=True, unknown_ns=ts_ns, reason=event.reason, reason_text=event.text
            )
        case UnknownNotFound():
            return replace(order, absent_ns=event.asked_ns)
        case AttemptNotReceived():
            return replace(order, attempt_open=not event.resend, resends=order.resends + event.resend)
        case OrderFlagged():
            return replace(order, flags=with_flag(order.flags, event.flag))
        case NoticeCounted():
            # Not added to `qty_noticed`: whose shares it explained is a guess, and its price may differ.
            return replace(order, notices=(*order.notices, event.identity))
        case FillBooked():
            return _with_fill(order, event)
        case CancelRequested():
            return replace(order, cancel_requested_ns=ts_ns, cancel_reason=event.reason)
        case CancelIntended():
            return replace(
                order, cancel_open=True, cancel_attempts=order.cancel_attempts + 1, cancel_retry_ns=None
            )
        case CancelAnswered():
            return replace(order, cancel_open=False, cancel_retry_ns=event.retry_at_ns)
        case OrderCancelled():
            return replace(
                order,
                attempt_open=False,
                cancel_open=False,
                retry_at_ns=None,
                cancel_retry_ns=None,
                reason=event.reason,
                reason_text=event.text,
            )
        case OrderCreated() | ForeignOrderAdopted():
            raise ImpossibleTransition(f"{event.order_id} was created twice")
        case _:
            assert_never(event)


def _with_fill(order: Order, event: FillBooked) -> Order:
    fill = event.fill
    costs = dict(order.costs)
    for row in event.ledger:
        if row.kind in (LedgerKind.FEE, LedgerKind.TAX):
            sign = Decimal(1) if row.credit.value == "CASH" else Decimal(-1)
            costs[row.cost_kind] = costs.get(row.cost_kind, Decimal(0)) + sign * row.amount
    noticed = bool(event.notice_qty)
    flags = order.flags
    for flag in fill.flags:
        flags = with_flag(flags, flag)
    return replace(
        order,
        attempt_open=False,
        qty_filled=order.qty_filled + fill.qty,
        amount_filled=order.amount_filled + fill.amount,
        costs=costs,
        qty_noticed=order.qty_noticed + event.notice_qty,
        notices=(*order.notices, fill.identity) if noticed else order.notices,
        flags=flags,
    )


def with_flag(flags: tuple[Flag, ...], flag: Flag) -> tuple[Flag, ...]:
    """Add a flag once, keeping order."""
    return flags if flag in flags else (*flags, flag)
