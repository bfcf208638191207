"""The story of one order from its records: when, what, the status after it, why, and the evidence."""

from decimal import Decimal
from typing import Final

import msgspec
from rich.text import Text

from jumun.doors.cli import printing
from jumun.model.events import (
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
    OrderEvent,
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
from jumun.model.fills import LedgerKind
from jumun.model.journal import Record
from jumun.model.orders import Order, Side, Terms, TradingSession
from jumun.model.words import enumerated
from jumun.services.closing import CLOSING
from jumun.services.whereabouts import SOR, UNTOLD, Where

RAW_SHOWN: Final = 160  # characters of evidence in the table; --raw shows all, --json always does

WIDE: Final = ("record", "time (UTC)", "event", "what happened", "evidence")
NARROW: Final = ("time (UTC)", "what happened")


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """One record, told."""

    record: int
    ts_ns: int
    at: str  # UTC
    what: str  # the event's name
    told: str  # one sentence
    cause: str  # the command it follows from
    evidence: str  # raw


def chapters(records: list[Record]) -> list[Chapter]:
    """Return the story, oldest first."""
    stops = [record.event.order.stop_price for record in records if isinstance(record.event, OrderCreated)]
    return [_chapter(record, stops[0] if stops else None) for record in records]


def tell(order: Order, story: list[Chapter], *, full: bool, where: Where | None = None) -> None:
    """Print the story for a person."""
    console = printing.out()
    currency = order.currency.value
    stop = f" stop {printing.exact(order.stop_price, currency)}" if order.stop_price is not None else ""
    wanted = (
        order.price if order.price is not None else order.price_raw
    )  # refused orders have no price to send
    price = printing.exact(wanted, currency) if wanted is not None else "market"
    asked = (
        f" (asked {printing.exact(order.price_raw, currency)})"
        if order.price_raw is not None and order.price_raw != wanted
        else ""
    )
    head = Text(f"{order.order_id}  {printing.status_text(order.status.value)}", style="bold")
    console.print(head)
    console.print(
        f"{order.side} {printing.qty(order.qty)} {order.symbol} {order.order_type} {price}{stop}{asked} "
        f"{currency} {order.tif}{_session(order)}, {_placed(order, where)}, account {order.account_id}, "
        f"by {order.created_by}, strategy {order.strategy_version}"
    )
    average = order.average_fill_price
    if average is not None:
        costs = sum(order.costs.values(), Decimal(0))
        console.print(
            f"filled {printing.qty(order.qty_filled)} at {printing.average(average, currency)}, "
            f"{printing.exact(order.amount_filled, currency)} {currency}, "
            f"costs {printing.exact(costs, currency)}"
        )
    if order.flags:
        console.print(f"flags: {', '.join(order.flags)}", style="bold red")
    narrow = console.width < 140
    columns = NARROW if narrow else WIDE
    table = printing.table(*columns, whole=("record", "time (UTC)", "event"))
    for chapter in story:
        raw = _breakable(chapter.evidence if full else _short(chapter.evidence))
        if narrow:
            told = Text(chapter.told)
            if raw:
                told.append(f"\n{raw}", style="dim")
            table.add_row(chapter.at[11:], told)
        else:
            table.add_row(
                str(chapter.record), chapter.at, chapter.what, Text(chapter.told), Text(raw, style="dim")
            )
    console.print(table)


def _session(order: Order) -> str:
    return "" if order.session is TradingSession.REGULAR else f" {order.session}"


def _placed(order: Order, where: Where | None) -> str:
    """Where it was sent, and where a router filled it."""
    if where is None or where.route != SOR:
        return f"at {order.venue if where is None else where.route}"
    if not where.markets:
        return "by SOR to KRX or NXT, which the broker chooses"
    markets = ["a market that is not told" if name == UNTOLD else name for name in where.markets]
    return f"by SOR, filled at {enumerated(markets)}"


def _chapter(record: Record, stop: Decimal | None) -> Chapter:
    event = record.event
    assert isinstance(event, OrderEvent), "the story of an order has records about orders only"
    told, evidence = _told(event)
    if isinstance(event, StopTriggered) and stop is not None:
        told = f"stop {stop:f}, seen {event.price:f} by {event.source}; it goes out now"
    return Chapter(
        record=record.seq,
        ts_ns=record.ts_ns,
        at=printing.when(record.ts_ns),
        what=type(event).__struct_config__.tag or type(event).__name__,  # type: ignore[arg-type]
        told=told,
        cause=record.causation_id,
        evidence=evidence,
    )


def _told(event: OrderEvent) -> tuple[str, str]:
    """Return a sentence and the raw evidence behind it. Total: an event nobody can tell is a bug."""
    match event:
        case OrderCreated(order=order):
            if order.strategy_version == CLOSING:  # no signal: the position itself was acted on
                return f"created as NEW to close what was held{_held_until(order)}", ""
            key = order.client_order_id or order.idempotency_key
            return f"created as NEW, key {key}{_held_until(order)}", ""
        case ForeignOrderAdopted(order=order, raw=raw):
            return f"found at the broker and adopted: not ours, counted, as {order.status}", raw
        case OrderDenied():
            return f"refused by our own checks: {event.reason.value}: {event.text}", ""
        case SendIntended():
            request = event.request
            price = "market" if request.price is None else f"{request.price:f}"
            return (
                f"attempt {event.attempt} written down before it left: {request.qty:f} at {price}",
                "",
            )
        case SendNotLeft():
            return f"attempt {event.attempt} provably never left: {event.text}", ""
        case OrderSent():
            ref = event.ref
            return f"the broker's number is {ref.number} of {ref.trade_date}, by {event.evidence}", event.raw
        case OrderAccepted():
            return "the exchange confirmed it", event.raw
        case OrderRejected():
            return f"rejected by the broker: {event.code}: {event.text}", event.raw
        case OrderUnknown():
            return f"outcome unknown ({event.reason.value}: {event.text}); the broker is asked", event.raw
        case UnknownNotFound():
            return f"one complete history does not hold attempt {event.attempt}; one is no proof", ""
        case AttemptNotReceived():
            then = "sent once more" if event.resend else "held"
            return f"attempt {event.attempt} never arrived; by policy it is {then}", event.evidence
        case OrderFlagged():
            return f"flagged {event.flag.value}: {event.text}", ""
        case NoticeCounted():
            return (
                f"a notice of {event.qty:f} explains shares booked already; nothing to book",
                event.identity,
            )
        case FillBooked():
            return _fill(event), event.raw
        case CancelRequested():
            return f"a cancel is wanted by {event.by} ({event.reason.value}); it can still fill", ""
        case CancelIntended():
            return f"a cancel of {event.request.qty_left:f} leaves for {event.request.ref.number}", ""
        case CancelAnswered():
            why = f": {event.text}" if event.text else ""
            return f"the cancel was {event.outcome}{why}; an answer ends nothing", event.raw
        case OrderCancelled():
            text = f": {event.text}" if event.text else ""
            return f"ended as CANCELLED, {event.reason.value}{text}", event.evidence
        case _:
            return _told_later(event)


def _told_later(event: OrderEvent) -> tuple[str, str]:
    """What can come between the first send and the end, beside fills and cancels."""
    match event:
        case OrderAlarmed():
            return f"ALARM {event.alarm.value}: {event.text}", ""
        case StopTriggered():
            return f"the stop price was seen: {event.price:f}, by {event.source}; it goes out now", ""
        case OrderResting():
            return f"rests until {printing.when(event.until_ns)} UTC: {event.text}", event.evidence
        case ModifyIntended():
            number = event.request.ref.number
            return f"a change to {_terms(event.terms)} leaves for {number}, by {event.by}", ""
        case ModifyAnswered():
            why = f": {event.text}" if event.text else ""
            return f"the change was {event.outcome}{why}", event.raw
        case OrderModified():
            where = "" if event.ref is None else f", under number {event.ref.number}"
            return f"changed to {_terms(event.terms)} by {event.by}{where}; {event.evidence}", event.raw
        case FillReversed():
            back = "repriced" if not event.qty else f"{printing.qty(event.qty)} taken back"
            return (
                f"the exchange corrected a fill: {back}, {event.amount:f} in money; {event.text}",
                event.raw,
            )
        case CostsCorrected():
            moved = ", as estimated" if not event.ledger else ", our books follow"
            return f"{event.text}{moved}", event.raw
        case _:
            raise AssertionError(f"{type(event).__name__} has no sentence; give it one in story._told")


def _terms(terms: Terms) -> str:
    if terms.price is None:
        return f"{terms.qty:f}"
    asked = f" (asked {terms.price_raw:f})" if terms.price_raw not in (None, terms.price) else ""
    return f"{terms.qty:f} at {terms.price:f}{asked}"


def _held_until(order: Order) -> str:
    """A stop that the desk holds is at no broker until the market trades at its price."""
    if not order.stop_held or order.stop_price is None:
        return ""
    beyond = "above" if order.side is Side.BUY else "below"
    return f", held until {order.symbol} trades at {order.stop_price:f} or {beyond}"


def _fill(event: FillBooked) -> str:
    fill = event.fill
    costs = sum(
        (row.amount for row in event.ledger if row.kind in (LedgerKind.FEE, LedgerKind.TAX)), Decimal(0)
    )
    flags = f", flagged {', '.join(fill.flags)}" if fill.flags else ""
    currency = fill.currency.value
    return (
        f"filled {printing.qty(fill.qty)} at {printing.exact(fill.price, currency)}: "
        f"{printing.exact(fill.amount, currency)} {currency}, costs {printing.exact(costs, currency)}, "
        f"settles {fill.settlement_date}{flags}"
    )


def _short(raw: str) -> str:
    """Cut between two fields: half a number would read as a whole one."""
    if len(raw) <= RAW_SHOWN:
        return raw
    fields = raw[:RAW_SHOWN].rpartition(",")[0]
    return f"{fields}, …" if fields else f"{raw[:RAW_SHOWN]}…"


def _breakable(raw: str) -> str:
    """Let lines break between fields and not within a number; `--json` has the bytes as they came."""
    return raw.replace(',"', ', "').replace(":{", ": {")
