"""What a broker's claim about one order makes true in our books (EMS-03).

The same function serves the stream, the replies and the histories, so the order of their arrival does
not matter. Money that moved is always booked, whatever the status (I-17, I-44).
"""

from datetime import date
from decimal import Decimal
from typing import Final, assert_never

from jumun.model.errors import OmsError
from jumun.model.events import (
    FillBooked,
    NoticeCounted,
    OrderAccepted,
    OrderCancelled,
    OrderFlagged,
    OrderRejected,
    OrderSent,
    TradingHalted,
)
from jumun.model.fills import Fill
from jumun.model.ids import FillId
from jumun.model.orders import BrokerRef, Flag, Order, Side
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerState, FillNotice, OrderReport
from jumun.rules.costs import order_costs
from jumun.rules.draft import Draft
from jumun.rules.fills import Booking, Counted, Explained, count_cumulative, count_notice
from jumun.rules.ledger import rows_of_fill
from jumun.rules.order_machine import can
from jumun.rules.settlement import settlement_date
from jumun.rules.validation import PRICED

ZERO: Final = Decimal(0)
Costs = list[tuple[str, Decimal]]


def hear_fill(order: Order, notice: FillNotice, draft: Draft) -> None:
    """Count a fill notice. One that names another symbol or side than its order is not believed (F-17)."""
    if (notice.symbol, notice.side) != (order.symbol, order.side):
        text = f"a fill of {notice.ref.number} says {notice.side} {notice.symbol}: a history decides"
        flag(order, Flag.DISPUTED, text, draft)
        draft.ask = True
        return
    book_counted(order, count_notice(order, notice), notice.ref, notice.ts_event_ns, notice.raw, draft)


def hear_order(report: OrderReport, draft: Draft, *, evidence: str) -> None:
    """Take in what the broker says of an order that we have: its number, its fills, then its state."""
    order = draft.by_ref(report.account_id, report.ref)
    assert order is not None, f"{report.ref.number} is mapped to no order"
    if (report.symbol, report.side) != (order.symbol, order.side):
        stop(
            f"{report.ref.number} of {report.ref.trade_date} is {report.side} {report.symbol} at the broker",
            draft,
        )
        flag(
            order, Flag.DISPUTED, f"the broker calls {report.ref.number} {report.side} {report.symbol}", draft
        )
        return
    counted = count_cumulative(order, report.qty_filled, report.amount_filled)
    order = book_counted(order, counted, report.ref, report.ts_event_ns, report.raw, draft)
    match report.state:
        case BrokerState.WORKING:
            if can(order, OrderAccepted):
                draft.add(OrderAccepted(order_id=order.order_id, ref=report.ref, raw=report.raw))
        case BrokerState.FILLED:
            if order.qty_left and not order.status.is_final:
                flag(order, Flag.DISPUTED, "the broker calls it filled but lists fewer shares", draft)
                draft.ask = True
        case BrokerState.CANCELLED | BrokerState.EXPIRED:
            _end(order, report, evidence, draft)
        case BrokerState.REJECTED:
            _refuse(order, report, evidence, draft)
        case _:
            assert_never(report.state)


def adopt_ref(order: Order, ref: BrokerRef, evidence: str, raw: str, draft: Draft) -> Order:
    """Map a broker's number to an order that did not know it yet."""
    if order.has_ref(ref):
        return order
    return draft.add(OrderSent(order_id=order.order_id, ref=ref, evidence=evidence, raw=raw))


def stop(text: str, draft: Draft) -> None:
    """The broker contradicts our books in a way that no order explains: no new orders (DESIGN 8, M-03)."""
    told = any(isinstance(event, TradingHalted) for event in draft.events)
    if draft.book.halt is None and not told:
        draft.note(TradingHalted(reason=Reason.BREAK, text=f"{text}; find the cause, then resume"))


def flag(order: Order, what: Flag, text: str, draft: Draft) -> None:
    """Flag once."""
    if what not in order.flags:
        draft.add(OrderFlagged(order_id=order.order_id, flag=what, text=text))


def book_counted(
    order: Order, counted: Counted, ref: BrokerRef, ts_event_ns: int, raw: str, draft: Draft
) -> Order:
    """Turn a count into events; return the order after them."""
    if isinstance(counted, Explained):
        draft.ask = True
        return draft.add(NoticeCounted(order_id=order.order_id, identity=counted.identity, qty=counted.qty))
    if not isinstance(counted, Booking):
        draft.ask = draft.ask or counted.ask
        return order
    return _book(order, counted, ref, ts_event_ns, raw, draft)


def _book(order: Order, booking: Booking, ref: BrokerRef, ts_event_ns: int, raw: str, draft: Draft) -> Order:
    day, settles, costs, problem = _costs_of(order, booking, ref, draft)
    fill = Fill(
        fill_id=FillId(draft.facts.new_id()),
        order_id=order.order_id,
        account_id=order.account_id,
        symbol=order.symbol,
        currency=order.currency,
        side=order.side,
        qty=booking.qty,
        price=booking.price,
        amount=booking.amount,
        identity=booking.identity,
        trade_date=day,
        settlement_date=settles,
        ts_event_ns=ts_event_ns,
        flags=_flags_of(order, booking),
    )
    held = draft.position(order.account_id, order.symbol, order.currency.value)
    rows = rows_of_fill(fill, held, costs)
    event = FillBooked(
        order_id=order.order_id, fill=fill, ledger=rows, notice_qty=booking.notice_qty, raw=raw
    )
    after = draft.add(event, rows)
    if problem:
        flag(after, Flag.DISPUTED, problem, draft)
    return after


def _flags_of(order: Order, booking: Booking) -> tuple[Flag, ...]:
    """Mark what a person must see; nothing here ever refuses the fill."""
    flags = []
    if order.status.is_final:
        flags.append(Flag.LATE_FILL)
    if order.qty_filled + booking.qty > order.qty:
        flags.append(Flag.OVERFILL)
    if order.price is not None and order.order_type in PRICED:
        worse = booking.price > order.price if order.side is Side.BUY else booking.price < order.price
        if worse:
            flags.append(Flag.BAD_PRICE)
    return tuple(flags)


def _costs_of(order: Order, booking: Booking, ref: BrokerRef, draft: Draft) -> tuple[str, str, Costs, str]:
    """Return trade date, settlement date, the cost increments, and a problem if a table is missing.

    Costs are those of the whole order so far less what was booked before, so the increments of all fills
    add up to the cost of the order, rounded once (krx_market.md 7.2). Taxes follow the settlement date.
    """
    policy = draft.policy
    try:
        instrument = policy.instrument(order.symbol)
        day = date.fromisoformat(ref.trade_date)
        settles = settlement_date(instrument.market, day, policy.sessions)
        account = policy.accounts[order.account_id]
        plan = policy.cost_plans[account.cost_plans[order.venue.value]]
        value, qty = order.amount_filled + booking.amount, order.qty_filled + booking.qty
        items = order_costs(plan, instrument, order.side, value, qty, day, settles)
    except (OmsError, KeyError) as error:
        # The shares moved, so they are booked; the cost is corrected when somebody adds the table.
        return ref.trade_date, ref.trade_date, [], f"its costs are not known and were booked as 0: {error}"
    total: dict[str, Decimal] = {}
    for item in items:
        total[item.kind.value] = total.get(item.kind.value, ZERO) + item.amount
    increments = [(kind, amount - order.costs.get(kind, ZERO)) for kind, amount in total.items()]
    return ref.trade_date, settles.isoformat(), increments, ""


def _end(order: Order, report: OrderReport, evidence: str, draft: Draft) -> None:
    if not can(order, OrderCancelled):
        return
    if report.state is BrokerState.EXPIRED:
        reason, text = Reason.EXPIRED, report.text or "the session ended"
    elif order.cancel_requested_ns is not None:
        reason, text = order.cancel_reason or Reason.CANCELLED_BY_USER, report.text
    else:
        reason, text = Reason.CANCELLED_BY_BROKER, report.text or "the broker cancelled it"
    draft.add(
        OrderCancelled(
            order_id=order.order_id, reason=reason, text=text, evidence=f"{evidence}: {report.raw}"
        )
    )


def _refuse(order: Order, report: OrderReport, evidence: str, draft: Draft) -> None:
    """Accepted by the broker, refused by the exchange (F-51); what had filled stays filled."""
    if can(order, OrderRejected):
        draft.add(OrderRejected(order_id=order.order_id, code=evidence, text=report.text, raw=report.raw))
    elif can(order, OrderCancelled):
        draft.add(
            OrderCancelled(
                order_id=order.order_id,
                reason=Reason.BROKER_REJECTED,
                text=report.text,
                evidence=f"{evidence}: {report.raw}",
            )
        )
