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
    CostsCorrected,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    ModifyAnswered,
    ModifyIntended,
    NoticeCounted,
    OrderAccepted,
    OrderAlarmed,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderFlagged,
    OrderModified,
    OrderRejected,
    OrderResting,
    OrderSent,
    OrderUnknown,
    SendIntended,
    SendNotLeft,
    StopTriggered,
    UnknownNotFound,
)
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.orders import Alarm, BrokerRef, Flag, Order, OrderStatus, Side, Tally
from jumun.model.reasons import Reason

ZERO: Final = Decimal(0)

NEW, SENT, ACCEPTED = OrderStatus.NEW, OrderStatus.SENT, OrderStatus.ACCEPTED
PART_FILLED, FILLED = OrderStatus.PART_FILLED, OrderStatus.FILLED
CANCELLED, REJECTED, ERROR = OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.ERROR

NEXT: Final[dict[tuple[OrderStatus, type], OrderStatus]] = {
    (NEW, OrderDenied): REJECTED,
    (NEW, SendIntended): NEW,  # the status moves only when somebody else confirms it (C-2)
    (ERROR, SendIntended): ERROR,  # a resend, after proof that the first attempt never arrived
    (SENT, SendIntended): SENT,  # a multi-day order goes out again in its next session
    (ACCEPTED, SendIntended): ACCEPTED,
    (PART_FILLED, SendIntended): PART_FILLED,
    (NEW, SendNotLeft): NEW,
    (ERROR, SendNotLeft): ERROR,
    (SENT, SendNotLeft): SENT,
    (ACCEPTED, SendNotLeft): ACCEPTED,
    (PART_FILLED, SendNotLeft): PART_FILLED,
    (NEW, OrderResting): NEW,
    (SENT, OrderResting): SENT,
    (ACCEPTED, OrderResting): ACCEPTED,
    (PART_FILLED, OrderResting): PART_FILLED,
    (ERROR, OrderResting): ACCEPTED,  # the broker's own list shows that nothing of it is there any more
    (NEW, StopTriggered): NEW,
    (NEW, OrderSent): SENT,
    (SENT, OrderSent): SENT,
    (ACCEPTED, OrderSent): ACCEPTED,
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
    (NEW, OrderModified): NEW,
    (SENT, OrderModified): SENT,
    (ACCEPTED, OrderModified): ACCEPTED,
    (PART_FILLED, OrderModified): PART_FILLED,
    (ERROR, OrderModified): ERROR,
    (FILLED, OrderModified): FILLED,  # its new number was found after it had filled under it
    (CANCELLED, OrderModified): CANCELLED,
    (REJECTED, OrderModified): REJECTED,
    (SENT, ModifyIntended): SENT,
    (ACCEPTED, ModifyIntended): ACCEPTED,
    (PART_FILLED, ModifyIntended): PART_FILLED,
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
FACTS: Final = (
    OrderFlagged,
    OrderAlarmed,
    NoticeCounted,
    CancelRequested,
    CancelIntended,
    CancelAnswered,
    ModifyAnswered,
    FillReversed,
    CostsCorrected,
)

# The events that every order has: a copy of an order costs half a microsecond, so they make one, not two.
IN_ONE_STEP: Final = frozenset({SendIntended, OrderSent, OrderAccepted, FillBooked})

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
    status = NEXT.get((order.status, type(event)))
    if status is None:
        if isinstance(event, FillBooked):
            complete = order.qty_filled + event.fill.qty >= order.qty
            if not complete and order.status is ERROR and order.attempt_open and order.refs:
                return ERROR  # a fill of an older number says nothing of the attempt that is unknown
            return (AFTER_LAST_FILL if complete else AFTER_PART_FILL)[order.status]
        if isinstance(event, FACTS):
            return order.status
        raise ImpossibleTransition(f"{order.order_id}: {type(event).__name__} cannot follow {order.status}")
    if isinstance(event, OrderModified) and event.terms.qty <= order.qty_filled and not status.is_final:
        return FILLED  # the modify lowered it to what had filled already
    if order.status is ERROR and status in (SENT, ACCEPTED) and order.qty_filled:
        return PART_FILLED  # it had filled before its outcome became unknown
    if isinstance(event, OrderResting) and order.status is ERROR and not order.refs:
        return NEW  # no broker has ever confirmed it
    return status


# What we ask once more, or remark, is no news of the order: a cancel that is repeated every few seconds must
# not make it look as if it had changed just now, or no list would ever be late enough to tell (I-58).
SAYS_NOTHING: Final = frozenset({CancelIntended, CancelAnswered, OrderAlarmed})


def can(order: Order, event_type: type) -> bool:
    """True when the table lets `event_type` follow the order's status."""
    return (order.status, event_type) in NEXT


def evolve(order: Order | None, event: AnyOrderEvent, ts_ns: int) -> Order:
    """Return the order after `event`; the only place where an order changes."""
    if order is None:
        if isinstance(event, (OrderCreated, ForeignOrderAdopted)):
            return event.order
        raise ImpossibleTransition(f"{type(event).__name__} for {event.order_id}, which does not exist")
    after = _with_facts(order, event, ts_ns)
    if type(event) in IN_ONE_STEP:
        return after
    updated_ns = order.updated_ns if type(event) in SAYS_NOTHING else ts_ns
    return replace(after, status=next_status(order, event), updated_ns=updated_ns)


def _with_facts(order: Order, event: AnyOrderEvent, ts_ns: int) -> Order:
    """Everything that changes beside the status, and for `IN_ONE_STEP` the status too."""
    match event:  # the frequent ones first: each case that does not fit costs a tenth of a microsecond
        case SendIntended():
            if event.reserve_price is not None and event.reserve_cost is not None:
                order = replace(order, reserve_price=event.reserve_price, reserve_cost=event.reserve_cost)
            return replace(
                order,
                status=next_status(order, event),
                updated_ns=ts_ns,
                tries=order.tries + 1,
                attempt=event.attempt,
                attempt_open=True,
                attempt_ts_ns=ts_ns,
                attempt_qty=event.request.qty,
                unknown_ns=None,
                retry_at_ns=None,
                absent_ns=None,
                resting=False,
                trade_date=event.request.trade_date,
            )
        case OrderSent():
            ended = order.status.is_final  # a number that comes too late does not erase why
            return replace(
                with_ref(order, event.ref),
                status=next_status(order, event),
                updated_ns=ts_ns,
                attempt_open=False,
                absent_ns=None,
                tries=0,
                reason=order.reason if ended else None,
                reason_text=order.reason_text if ended else "",
            )
        case OrderAccepted():
            status = next_status(order, event)
            return replace(
                order, status=status, updated_ns=ts_ns, attempt_open=False, reason=None, reason_text=""
            )
        case FillBooked():
            return _with_fill(order, event, ts_ns)
        case OrderDenied():
            return replace(order, reason=event.reason, reason_text=event.text)
        case SendNotLeft():
            return replace(order, attempt_open=False, retry_at_ns=event.retry_at_ns, resting=bool(order.refs))
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
            return replace(
                order,
                attempt_open=not event.resend,
                resting=event.resend and bool(order.refs),
                resends=order.resends + event.resend,
                tries=0 if event.resend else order.tries,
                retry_at_ns=event.until_ns,
            )
        case OrderFlagged():
            return replace(order, flags=with_flag(order.flags, event.flag))
        case NoticeCounted():
            # Not added to `qty_noticed`: whose shares it explained is a guess, and its price may differ.
            return replace(order, notices=(*order.notices, event.identity))
        case FillReversed():
            return _without_fill(order, event, ts_ns)
        case CostsCorrected():
            others = tuple(known for known in order.cost_figures if known.ref != event.figure.ref)
            costs = _costs_after(order, event.ledger) if event.ledger else order.costs
            return replace(order, costs=costs, cost_figures=(*others, event.figure))
        case OrderAlarmed():
            return replace(order, alarms=with_alarm(order.alarms, event.alarm))
        case StopTriggered():
            return replace(order, stop_held=False, triggered_ns=ts_ns)
        case OrderResting():
            return replace(
                order,
                attempt_open=False,
                resting=True,
                retry_at_ns=event.until_ns,
                unknown_ns=None,
                absent_ns=None,
                modify_to=None,
                modify_open=False,
                modify_unknown_ns=None,
                modify_absent_ns=None,
                reason=None,
                reason_text="",
            )
        case ModifyIntended() | ModifyAnswered() | OrderModified():
            return _with_modify(order, event, ts_ns)
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
                resting=False,
                stop_held=False,
                modify_to=None,
                modify_open=False,
                modify_unknown_ns=None,
                reason=event.reason,
                reason_text=event.text,
            )
        case OrderCreated() | ForeignOrderAdopted():
            raise ImpossibleTransition(f"{event.order_id} was created twice")
        case _:
            assert_never(event)


def _with_modify(order: Order, event: ModifyIntended | ModifyAnswered | OrderModified, ts_ns: int) -> Order:
    """Until a modify has ended, the larger reservation counts; then that of the terms in force (I-33)."""
    if isinstance(event, ModifyIntended):
        return replace(
            order,
            modify_to=event.terms,
            modify_asked=event.request.number,
            loosest_price=_loosest(order, event.terms.price),
            modify_open=True,
            modify_unknown_ns=None,
            modify_absent_ns=None,
            reserve_price=event.reserve_price,
            reserve_cost=event.reserve_cost,
        )
    if isinstance(event, ModifyAnswered):
        if event.outcome == "unknown":
            return replace(order, modify_open=False, modify_unknown_ns=ts_ns)
        if event.outcome == "absent":
            return replace(order, modify_absent_ns=event.asked_ns)
        kept = replace(order, modify_to=None, modify_open=False, modify_unknown_ns=None)
        if event.reserve_price is None or event.reserve_cost is None:
            return kept
        return replace(kept, reserve_price=event.reserve_price, reserve_cost=event.reserve_cost)
    moved = order if event.ref is None else with_ref(order, event.ref)
    return replace(
        moved,
        qty=event.terms.qty,
        price=event.terms.price,
        price_raw=event.price_raw,
        qty_authorised=order.qty_authorised or (order.qty if event.terms.qty != order.qty else None),
        reserve_price=event.reserve_price,
        reserve_cost=event.reserve_cost,
        modify_to=None,
        modify_open=False,
        modify_unknown_ns=None,
        modify_absent_ns=None,
        modify_count=order.modify_count + 1,
    )


def _loosest(order: Order, price: Decimal | None) -> Decimal | None:
    """A fill at any limit that was ever at the broker is fair (I-05): its news may come late."""
    known = order.loosest_price if order.loosest_price is not None else order.price
    if known is None or price is None:
        return known
    return max(known, price) if order.side is Side.BUY else min(known, price)


def with_ref(order: Order, ref: BrokerRef) -> Order:
    """Add a broker number. From the second one on, what each has filled is kept apart (I-03, I-11)."""
    if ref in order.refs:
        return order
    tallies = order.tallies
    if order.refs and not tallies:
        tallies = (order.tally(order.refs[0]),)
    if order.refs:
        tallies = (*tallies, Tally(ref=ref))
    return replace(order, refs=(*order.refs, ref), tallies=tallies)


def _retallied(order: Order, ref: BrokerRef | None, qty: Decimal, amount: Decimal, noticed: Decimal) -> Order:
    """Move the figures of one broker number, where they are kept apart."""
    if not order.tallies:
        return order
    assert ref is not None, f"{order.order_id} has several numbers, so a fill must name its own"
    tallies = tuple(
        replace(
            tally,
            qty=tally.qty + qty,
            amount=tally.amount + amount,
            qty_noticed=tally.qty_noticed + noticed,
        )
        if tally.ref == ref
        else tally
        for tally in order.tallies
    )
    return replace(order, tallies=tallies)


def _costs_after(order: Order, ledger: tuple[LedgerRow, ...]) -> dict[str, Decimal]:
    costs = dict(order.costs)
    for row in ledger:
        if row.kind in (LedgerKind.FEE, LedgerKind.TAX):
            paid = row.amount if row.credit is LedgerAccount.CASH else -row.amount
            costs[row.cost_kind] = costs.get(row.cost_kind, ZERO) + paid
    return costs


def _without_fill(order: Order, event: FillReversed, ts_ns: int) -> Order:
    """A recorded bust is the one thing that makes filled figures smaller (I-06)."""
    lowered = _retallied(order, event.ref, -event.qty, -event.amount, -event.qty)
    return replace(
        lowered,
        qty_filled=order.qty_filled - event.qty,
        amount_filled=order.amount_filled - event.amount,
        qty_noticed=max(order.qty_noticed - event.qty, Decimal(0)),
        costs=_costs_after(order, event.ledger),
        notices=(*order.notices, event.identity),
        busts=order.busts + 1,
        bust_ns=ts_ns,
        flags=with_flag(order.flags, Flag.BUSTED),
    )


def _with_fill(order: Order, event: FillBooked, ts_ns: int) -> Order:
    fill = event.fill
    costs = _costs_after(order, event.ledger)
    noticed = bool(event.notice_qty)
    flags = order.flags
    for flag in fill.flags:
        flags = with_flag(flags, flag)
    return replace(
        _retallied(order, fill.ref, fill.qty, fill.amount, event.notice_qty),
        status=next_status(order, event),
        updated_ns=ts_ns,
        # A fill names a number that is known. While a further attempt is open, it is an older one's.
        attempt_open=order.attempt_open and bool(order.refs),
        fill_count=order.fill_count + 1,
        first_fill_ns=order.first_fill_ns or ts_ns,
        qty_filled=order.qty_filled + fill.qty,
        amount_filled=order.amount_filled + fill.amount,
        costs=costs,
        qty_noticed=order.qty_noticed + event.notice_qty,
        notices=(*order.notices, fill.identity) if noticed else order.notices,
        flags=flags,
    )


def with_alarm(alarms: tuple[Alarm, ...], alarm: Alarm) -> tuple[Alarm, ...]:
    """Add an alarm once, keeping order."""
    return alarms if alarm in alarms else (*alarms, alarm)


def with_flag(flags: tuple[Flag, ...], flag: Flag) -> tuple[Flag, ...]:
    """Add a flag once, keeping order."""
    return flags if flag in flags else (*flags, flag)
