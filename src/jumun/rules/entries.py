"""From a record and what it changed to the rows that are written with it, and from a journal to all rows."""

from collections.abc import Iterable, Iterator
from typing import Final

from jumun.model.events import (
    CostsCorrected,
    EntryBooked,
    Event,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    OpeningBooked,
    OrderAccepted,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderModified,
    OrderRejected,
    OrderResting,
    OrderSent,
    OrderUnknown,
    SendIntended,
    StopTriggered,
)
from jumun.model.fills import LedgerRow
from jumun.model.journal import Entry, Record, Transition
from jumun.model.orders import BrokerRef, Order
from jumun.rules.book import Applied, Book
from jumun.rules.messages import messages_of

# The events that make a row in order_status_history, also when the status stays (a second part fill).
TRANSITIONS: Final = frozenset(
    {
        OrderCreated,
        OrderDenied,
        OrderSent,
        OrderAccepted,
        OrderRejected,
        OrderUnknown,
        FillBooked,
        OrderCancelled,
        OrderModified,
        OrderResting,
        StopTriggered,
        FillReversed,
        ForeignOrderAdopted,
    }
)

# A look at a type in a set costs a fifth of asking whether an event is one of several types.
UNEXPLAINED: Final = frozenset({OrderCreated, OrderSent, OrderAccepted, FillBooked})
WITHOUT_NUMBER: Final = frozenset({OrderCreated, SendIntended, OrderAccepted, FillBooked})
WITHOUT_MONEY: Final = frozenset({OrderCreated, SendIntended, OrderSent, OrderAccepted})


def entry_of(record: Record, applied: Applied, environment: str) -> Entry:
    """Return the record with every row that it implies."""
    event = record.event
    transition = transition_of(event, applied)
    return Entry(
        record=record,
        order=applied.after,
        transition=transition,
        new_ref=_new_ref(event, applied),
        fill=event.fill if isinstance(event, FillBooked) else None,
        ledger=() if type(event) in WITHOUT_MONEY else _rows(event),
        positions=applied.positions,
        messages=messages_of(record, applied, transition, environment),
    )


def transition_of(event: Event, applied: Applied) -> Transition | None:
    """Return the history row of an event, with what the broker said where it spoke (S002-64)."""
    if type(event) not in TRANSITIONS or applied.after is None:
        return None
    before, after = applied.before, applied.after
    reason, text = ("", "") if type(event) in UNEXPLAINED else _why(event, before)
    raw = event.evidence if isinstance(event, OrderCancelled) else getattr(event, "raw", "")
    return Transition(
        order_id=after.order_id,
        status_from=None if before is None else before.status,
        status=after.status,
        reason=reason,
        text=text,
        raw_payload=raw,
    )


def _why(event: Event, before: Order | None) -> tuple[str, str]:
    """Reason and text of a history row."""
    match event:
        case OrderDenied() | OrderUnknown() | OrderCancelled():
            return event.reason.value, event.text
        case OrderRejected():
            return event.code, event.text
        case OrderModified():
            return "MODIFIED", _terms(event, before)
        case OrderResting():
            return "RESTING", event.text
        case StopTriggered():
            return "STOP_TRIGGERED", f"{event.price:f} seen by {event.source}"
        case FillReversed():
            return "BUSTED", event.text
        case _:
            return "", ""


def _rows(event: Event) -> tuple[LedgerRow, ...]:
    match event:
        case FillBooked() | FillReversed() | CostsCorrected():
            return event.ledger
        case OpeningBooked() | EntryBooked():
            return event.rows
        case _:
            return ()


def _terms(event: OrderModified, before: Order | None) -> str:
    """What a modify changed, for people (S002-37)."""
    assert before is not None, f"{event.order_id} was modified before it was created"
    return (
        f"quantity {before.qty:f} to {event.terms.qty:f}, price {before.price} to {event.terms.price}, "
        f"by {event.by}"
    )


def entries_of(records: Iterable[Record], environment: str) -> Iterator[Entry]:
    """Fold a whole journal from its first record and yield what each record wrote; for a rebuild."""
    book = Book(recent_max=1_000_000_000)  # a rebuild must still find every closed order
    for record in records:
        yield entry_of(record, book.apply(record), environment)


def _new_ref(event: Event, applied: Applied) -> BrokerRef | None:
    if type(event) in WITHOUT_NUMBER:
        return None
    if isinstance(event, OrderModified):
        known = event.ref is None or (applied.before is not None and applied.before.has_ref(event.ref))
        return None if known else event.ref
    if isinstance(event, OrderSent):
        known = applied.before is not None and applied.before.has_ref(event.ref)
        return None if known else event.ref
    if isinstance(event, ForeignOrderAdopted):
        return event.order.newest_ref
    return None
