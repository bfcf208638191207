"""From a record and what it changed to the rows that are written with it, and from a journal to all rows."""

from collections.abc import Iterable, Iterator
from typing import Final

from jumun.model.events import (
    Event,
    FillBooked,
    EntryBooked,
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
    StopTriggered,
)
from jumun.model.journal import Entry, Record, Transition
from jumun.model.orders import BrokerRef, Order
from jumun.rules.book import Applied, Book
from jumun.rules.messages import messages_of

# The events that make a row in order_status_history, also when the status stays (a second part fill).
TRANSITIONS: Final = (
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
)


def entry_of(record: Record, applied: Applied, environment: str) -> Entry:
    """Return the record with every row that it implies."""
    event = record.event
    transition = transition_of(event, applied)
    rows = event.ledger if isinstance(event, FillBooked | FillReversed) else ()
    if isinstance(event, OpeningBooked | EntryBooked):
        rows = event.rows
    return Entry(
        record=record,
        order=applied.after,
        transition=transition,
        new_ref=_new_ref(event, applied),
        fill=event.fill if isinstance(event, FillBooked) else None,
        ledger=rows,
        positions=applied.positions,
        messages=messages_of(record, applied, transition, environment),
    )


def transition_of(event: Event, applied: Applied) -> Transition | None:
    """Return the history row of an event, with what the broker said where it spoke (S002-64)."""
    if not isinstance(event, TRANSITIONS) or applied.after is None:
        return None
    before, after = applied.before, applied.after
    reason = text = ""
    if isinstance(event, OrderDenied | OrderUnknown | OrderCancelled):
        reason, text = event.reason.value, event.text
    elif isinstance(event, OrderRejected):
        reason, text = event.code, event.text
    elif isinstance(event, OrderModified):
        reason, text = "MODIFIED", _terms(event, before)
    elif isinstance(event, OrderResting):
        reason, text = "RESTING", event.text
    elif isinstance(event, StopTriggered):
        reason, text = "STOP_TRIGGERED", f"{event.price:f} seen by {event.source}"
    elif isinstance(event, FillReversed):
        reason, text = "BUSTED", event.text
    raw = event.evidence if isinstance(event, OrderCancelled) else getattr(event, "raw", "")
    return Transition(
        order_id=after.order_id,
        status_from=None if before is None else before.status,
        status=after.status,
        reason=reason,
        text=text,
        raw_payload=raw,
    )


def _terms(event: OrderModified, before: Order | None) -> str:
    """What a modify changed, for people (S002-37)."""
    if before is None:
        return f"quantity {event.terms.qty:f}, price {event.terms.price}"
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
    if isinstance(event, OrderModified):
        known = event.ref is None or (applied.before is not None and applied.before.has_ref(event.ref))
        return None if known else event.ref
    if isinstance(event, OrderSent):
        known = applied.before is not None and applied.before.has_ref(event.ref)
        return None if known else event.ref
    if isinstance(event, ForeignOrderAdopted):
        return event.order.newest_ref
    return None
