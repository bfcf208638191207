"""What others are told: specification 000's events and ours, from a record and the order after it (C-16).

Payload numbers are text, so that no reader turns money into a float.
"""

from decimal import Decimal
from typing import Final

from jumun.model.events import (
    BreakAssigned,
    BreakFound,
    BreakSettled,
    CostsCorrected,
    EntryBooked,
    FillBooked,
    FillReversed,
    IntentDenied,
    MarksRecorded,
    ModifyAnswered,
    OrderAccepted,
    OrderAlarmed,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderModified,
    OrderRejected,
    OrderSent,
    OrderUnknown,
    SendIntended,
    StopTriggered,
    TradingHalted,
    TradingResumed,
)
from jumun.model.journal import Message, Record, Transition
from jumun.model.orders import Order
from jumun.model.positions import Position
from jumun.rules.book import Applied

VERSION: Final = 1
SHARD: Final = "0"

# Event types that a person must hear of at once (S002-68).
ALERTS: Final = frozenset(
    {"order_failed", "order_unknown", "order_alarm", "fill_reversed", "trading_halted", "break_found"}
)

# Told, if at all, by a change of status; most records are of these.
SILENT: Final = frozenset({OrderCreated, SendIntended, OrderAccepted})

Parts = list[tuple[str, dict[str, object]]]


def messages_of(
    record: Record, applied: Applied, transition: Transition | None, environment: str
) -> tuple[Message, ...]:
    """Return the messages of one record, in order; their ids are unique and resumable."""
    parts = _parts(record, applied)
    if transition is not None and applied.after is not None:
        parts.append(("order_status_changed", _status(applied.after, transition)))
    if not isinstance(record.event, MarksRecorded):  # a new price is no new position
        parts += [("position_updated", _position(position)) for position in applied.positions]
    if not parts:
        return ()
    account_id = _account(record, applied)
    messages = []
    for index, (event_type, payload) in enumerate(parts):
        message = Message(
            event_id=f"{SHARD}.{record.seq}.{index}",
            event_type=event_type,
            event_ts_ns=record.ts_ns,
            version=VERSION,
            correlation_id=record.correlation_id,
            causation_id=record.causation_id,
            environment=environment,
            account_id=account_id,
            payload=payload,
        )
        messages.append(message)
    return tuple(messages)


def _parts(record: Record, applied: Applied) -> Parts:
    event, order = record.event, applied.after
    if type(event) in SILENT:
        return []
    match event:  # the frequent ones first: each case that does not fit costs a tenth of a microsecond
        case FillBooked():
            return _fill(event, order)
        case OrderSent():
            assert order is not None
            return [("order_placed", {**_order(order), "broker_order_no": event.ref.number})]
        case OrderDenied():
            assert order is not None
            return [("order_failed", {**_order(order), "reason": event.reason.value, "text": event.text})]
        case IntentDenied():
            intent = event.intent
            payload: dict[str, object] = {
                "symbol": intent.symbol,
                "reason": event.reason.value,
                "text": event.text,
            }
            return [("intent_denied", payload)]
        case OrderRejected():
            assert order is not None
            return [("order_failed", {**_order(order), "reason": event.code, "text": event.text})]
        case OrderUnknown():
            assert order is not None
            return [("order_unknown", {**_order(order), "reason": event.reason.value, "text": event.text})]
        case OrderModified():
            assert order is not None
            return [("order_modified", {**_order(order), "by": event.by, "evidence": event.evidence})]
        case ModifyAnswered():
            assert order is not None
            if event.outcome == "absent":
                return []
            return [("modify_failed", {**_order(order), "outcome": event.outcome, "text": event.text})]
        case StopTriggered():
            assert order is not None
            return [("stop_triggered", {**_order(order), "price": _text(event.price)})]
        case OrderAlarmed():
            assert order is not None
            return [("order_alarm", {**_order(order), "alarm": event.alarm.value, "text": event.text})]
        case FillReversed():
            assert order is not None
            taken = {"quantity_back": _text(event.qty), "amount_back": _text(event.amount)}
            return [("fill_reversed", {**_order(order), **taken, "text": event.text})]
        case CostsCorrected():
            assert order is not None
            told = {kind: _text(amount) for kind, amount in event.figure.costs.items()}
            number = {"broker_order_no": event.figure.ref.number, "broker_costs": told}
            return [("costs_corrected", {**_order(order), **number, "text": event.text})]
        case EntryBooked():
            return [("entry_booked", {"document": event.document, "by": event.by, "text": event.text})]
        case BreakAssigned():
            return [("break_assigned", {"break_id": event.break_id, "owner": event.owner})]
        case BreakSettled():
            how = {"how": event.how, "by": event.by, "text": event.text}
            return [("break_settled", {"break_id": event.break_id, **how})]
        case OrderCancelled():
            assert order is not None
            return [("order_cancelled", {**_order(order), "reason": event.reason.value, "text": event.text})]
        case TradingHalted():
            return [("trading_halted", {"reason": event.reason.value, "text": event.text})]
        case TradingResumed():
            return [("trading_resumed", {"by": event.by, "text": event.text})]
        case BreakFound():
            ours, theirs = _text(event.ours), _text(event.theirs)
            what = {"subject": event.subject, "ours": ours, "theirs": theirs}
            return [("break_found", {"break_id": event.break_id, **what})]
        case _:
            return []


def _fill(event: FillBooked, order: Order | None) -> Parts:
    fill = event.fill
    payload: dict[str, object] = {
        "fill_id": fill.fill_id,
        "order_id": fill.order_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": _text(fill.qty),
        "price": _text(fill.price),
        "amount": _text(fill.amount),
        "currency": fill.currency.value,
        "flags": [flag.value for flag in fill.flags],
    }
    parts: Parts = [("order_executed", payload)]
    if order is not None:
        kind = "order_partially_executed" if order.qty_left else "order_fully_executed"
        parts.append((kind, _order(order)))
    return parts


def _order(order: Order) -> dict[str, object]:
    return {
        "order_id": order.order_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "order_type": order.order_type.value,
        "quantity": _text(order.qty),
        "price": None if order.price is None else _text(order.price),
        "status": order.status.value,
        "filled_quantity": _text(order.qty_filled),
        "filled_amount": _text(order.amount_filled),
        "strategy_id": order.strategy_id,
    }


def _status(order: Order, transition: Transition) -> dict[str, object]:
    return {
        "order_id": order.order_id,
        "status_from": None if transition.status_from is None else transition.status_from.value,
        "status": transition.status.value,
        "reason": transition.reason,
    }


def _position(position: Position) -> dict[str, object]:
    return {
        "symbol": position.symbol,
        "quantity": _text(position.qty),
        "cost_basis": _text(position.cost_basis),
        "realised_gross": _text(position.realised_gross),
        "costs": _text(position.costs),
    }


def _account(record: Record, applied: Applied) -> str:
    if applied.after is not None:
        return applied.after.account_id
    if applied.positions:
        return applied.positions[0].account_id
    event = record.event
    if isinstance(event, BreakFound | EntryBooked):
        return event.account_id
    return event.intent.account_id if isinstance(event, IntentDenied) else ""


def _text(value: Decimal) -> str:
    text = str(value)  # three times as fast as a format, and the same unless there is an exponent
    return text if "E" not in text else f"{value:f}"
