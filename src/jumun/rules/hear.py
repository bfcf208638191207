"""What a broker's claim about one order makes true in our books (EMS-03).

The same function serves the stream, the replies and the histories, so the order of their arrival does
not matter. Money that moved is always booked, whatever the status (I-17, I-44).
"""

from datetime import date
from decimal import Decimal
from typing import Final, assert_never

from jumun.model.errors import OmsError
from jumun.model.events import (
    CancelRequested,
    FillBooked,
    FillReversed,
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
from jumun.model.reports import BrokerState, FillNotice, OrderReport, TradeBust
from jumun.rules.carry import lives_on, rest_until_next_session
from jumun.rules.decide_costs import changes, costs_due, hear_listed_costs, traded_by_number, watch_costs
from jumun.rules.draft import Draft
from jumun.rules.expiry import is_too_early
from jumun.rules.fills import Booking, Counted, Explained, Nothing, count_cumulative, count_notice
from jumun.rules.halts import outranks
from jumun.rules.ledger import rows_of_fill, rows_of_reversal
from jumun.rules.order_kinds import PRICED
from jumun.rules.order_machine import can
from jumun.rules.settlement import settlement_date
from jumun.rules.watch import DESK, watch_fill

ZERO: Final = Decimal(0)
CLOCK_SKEW_NS: Final = 2_000_000_000
Costs = list[tuple[str, Decimal]]


def hear_fill(order: Order, notice: FillNotice, draft: Draft) -> None:
    """Count a fill notice. One that names another symbol or side than its order is not believed (F-17)."""
    if (notice.symbol, notice.side) != (order.symbol, order.side):
        text = f"a fill of {notice.ref.number} says {notice.side} {notice.symbol}: a history decides"
        flag(order, Flag.DISPUTED, text, draft)
        draft.ask = True
        return
    if _is_before_bust(order, notice.ts_event_ns):
        draft.ask = True  # it may still count what was taken back since (I-19)
        return
    book_counted(order, count_notice(order, notice), notice.ref, notice.ts_event_ns, notice.raw, draft)


def hear_order(report: OrderReport, draft: Draft, *, evidence: str, asked_ns: int | None = None) -> None:
    """Take in what the broker says of an order that we have: its number, its fills, then its state.

    `asked_ns` is our clock before the question that this answers; None for a notice of the stream.
    """
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
    if _is_before_bust(order, report.ts_event_ns if asked_ns is None else asked_ns):
        draft.ask = True  # it may still count what was taken back since (I-19)
        return
    counted = count_cumulative(order, report.ref, report.qty_filled, report.amount_filled)
    order = book_counted(order, counted, report.ref, report.ts_event_ns, report.raw, draft)
    order = hear_listed_costs(order, report, draft)
    if not _speaks_for(report.ref, order):
        return  # an older number of it: its fills count, what became of it does not end the order
    match report.state:
        case BrokerState.WORKING:
            if can(order, OrderAccepted):
                draft.add(OrderAccepted(order_id=order.order_id, ref=report.ref, raw=report.raw))
        case BrokerState.FILLED:
            if len(order.refs) > 1:
                # A complete list tells what is left of it.
                draft.ask = draft.ask or (bool(order.qty_left) and not order.status.is_final)
            elif order.qty_left and not order.status.is_final and order.modify_to is None:
                flag(order, Flag.DISPUTED, "the broker calls it filled but lists fewer shares", draft)
                draft.ask = True
        case BrokerState.CANCELLED | BrokerState.EXPIRED:
            if order.modify_to is not None and asked_ns is not None:
                draft.ask = True  # a number that the list does not show yet may have taken over (F-35, I-49)
            elif report.is_doubtful:
                return  # the same, by somebody's hand: only time tells, so the usual pace will do
            elif report.state is BrokerState.EXPIRED and is_too_early(order, report.ref, draft):
                draft.ask = draft.ask or asked_ns is None  # a list says it again, until it can be so
            else:
                _end(order, report, evidence, draft)
        case BrokerState.REPLACED:
            draft.ask = True  # its rest lives under a number that we have not heard of yet
        case BrokerState.REJECTED:
            _refuse(order, report, evidence, draft)
        case _:
            assert_never(report.state)


def came_before_its_fill(order: Order, bust: TradeBust) -> bool:
    """A bust of more than has filled waits for the fill's own notice, which is on its way or lost (I-09).

    Where that never comes, the broker's list shows neither, and there is nothing to take back.
    """
    return (bust.symbol, bust.side) == (order.symbol, order.side) and bust.qty > order.tally(bust.ref).qty


def hear_bust(bust: TradeBust, draft: Draft) -> None:
    """The exchange took a fill back or corrected its price: a reversing entry, once, alarmed (F-53)."""
    order = draft.by_ref(bust.account_id, bust.ref)
    assert order is not None, f"{bust.ref.number} is mapped to no order"
    identity = f"bust:{bust.identity}"
    if identity in order.notices:
        return
    draft.ask = True
    if (bust.symbol, bust.side) != (order.symbol, order.side):
        text = f"a bust of {bust.qty:f} {bust.symbol} does not fit {bust.ref.number}: compare by hand"
        flag(order, Flag.DISPUTED, text, draft)
        return
    busted = _busted_fill(order, bust, draft)
    held = draft.position(order.account_id, order.symbol, order.currency)
    back = busted.amount if bust.price_new is None else busted.amount - bust.qty * bust.price_new
    qty = bust.qty if bust.price_new is None else ZERO
    *_, costs, problem = _costs_of(order, Booking(identity, -qty, bust.price, -back, ZERO), bust.ref, draft)
    rows = rows_of_reversal(busted, held, bust.price_new, costs)
    what = "taken back" if bust.price_new is None else f"repriced to {bust.price_new:f}"
    text = f"{bust.qty:f} at {bust.price:f} {what} by the exchange"
    after = draft.add(
        FillReversed(
            order_id=order.order_id,
            identity=identity,
            account_id=order.account_id,
            strategy_id=order.strategy_id,
            side=order.side,
            currency=order.currency,
            ref=bust.ref,
            qty=qty,
            amount=back,
            ledger=rows,
            text=text,
            raw=bust.raw,
        ),
        rows,
    )
    if problem:
        flag(after, Flag.DISPUTED, problem, draft)
    _cover_sells(after, draft)


def _cover_sells(order: Order, draft: Draft) -> None:
    """Shares that were taken back may be on sale already: the newest sales beyond what is held end (I-34)."""
    place = (order.account_id, order.symbol)
    held = draft.position(*place, order.currency.value).qty
    short = draft.book.shares_reserved.get(place, ZERO) - held
    for order_id in reversed(draft.book.open_by_symbol.get(place, {})):
        sale = draft.order(order_id)
        if short <= ZERO:
            return
        if sale is None or sale.side is not Side.SELL or sale.status.is_final:
            continue
        short -= sale.qty_left
        if sale.cancel_requested_ns is None:
            draft.add(CancelRequested(order_id=order_id, reason=Reason.SHARES, by=DESK))


def _busted_fill(order: Order, bust: TradeBust, draft: Draft) -> Fill:
    """The fill as it was announced, so that its rows can be turned round."""
    return Fill(
        fill_id=FillId(draft.facts.new_id()),
        order_id=order.order_id,
        account_id=order.account_id,
        symbol=order.symbol,
        currency=order.currency,
        side=order.side,
        qty=bust.qty,
        price=bust.price,
        amount=bust.qty * bust.price,
        identity=f"bust:{bust.identity}",
        trade_date=bust.ref.trade_date,
        settlement_date=bust.ref.trade_date,
        ts_event_ns=bust.ts_event_ns,
        strategy_id=order.strategy_id,
        ref=bust.ref,
    )


def _speaks_for(ref: BrokerRef, order: Order) -> bool:
    """Only the newest number of the newest attempt tells where the order stands (I-11, F-49)."""
    return ref == order.newest_ref and not (order.attempt_open and order.is_carried)


def _is_before_bust(order: Order, ts_ns: int) -> bool:
    """What is older than a bust may still count the fill that was taken back; clocks differ by seconds."""
    return order.bust_ns is not None and ts_ns < order.bust_ns + CLOCK_SKEW_NS


def adopt_ref(order: Order, ref: BrokerRef, evidence: str, raw: str, draft: Draft) -> Order:
    """Map a broker's number to an order that did not know it yet."""
    if order.has_ref(ref):
        return order
    return draft.add(OrderSent(order_id=order.order_id, ref=ref, evidence=evidence, raw=raw))


def stop(text: str, draft: Draft) -> None:
    """The broker contradicts our books in a way that no order explains: no new orders (DESIGN 8, M-03)."""
    told = any(isinstance(event, TradingHalted) for event in draft.events)
    halted = draft.book.halt is not None and not outranks(Reason.BREAK, draft.book.halt.reason)
    if not halted and not told:
        draft.note(TradingHalted(reason=Reason.BREAK, text=f"{text}; find the cause, then resume"))


def flag(order: Order, what: Flag, text: str, draft: Draft) -> None:
    """Flag once."""
    if what not in order.flags:
        draft.add(OrderFlagged(order_id=order.order_id, flag=what, text=text))


def book_counted(
    order: Order, counted: Counted, ref: BrokerRef, ts_event_ns: int, raw: str, draft: Draft
) -> Order:
    """Turn a count into events; return the order after them."""
    match counted:
        case Nothing():
            draft.ask = draft.ask or counted.ask
            return order
        case Booking():
            return _book(order, counted, ref, ts_event_ns, raw, draft)
        case Explained():
            draft.ask = True
            identity, qty = counted.identity, counted.qty
            return draft.add(NoticeCounted(order_id=order.order_id, identity=identity, qty=qty))
        case _:
            assert_never(counted)


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
        strategy_id=order.strategy_id,
        ref=ref,
        flags=_flags_of(order, booking),
    )
    held = draft.position(order.account_id, order.symbol, order.currency)
    rows = rows_of_fill(fill, held, costs)
    event = FillBooked(
        order_id=order.order_id, fill=fill, ledger=rows, notice_qty=booking.notice_qty, raw=raw
    )
    after = draft.add(event, rows)
    authorised = order.qty if order.qty_authorised is None else order.qty_authorised
    if after.qty_filled > authorised:
        # The shares are ours, whoever erred, and nobody knows how many more will come (F-62).
        problem = f"{order.order_id} asked for {authorised:f} shares and {after.qty_filled:f} have filled"
        stop(problem, draft)
    if problem:
        flag(after, Flag.DISPUTED, problem, draft)
    if after.cost_figures:
        after = watch_costs(after, draft)
    return watch_fill(after, booking.qty, booking.price, draft)


def _flags_of(order: Order, booking: Booking) -> tuple[Flag, ...]:
    """Mark what a person must see; nothing here ever refuses the fill."""
    flags = []
    if order.status.is_final:
        flags.append(Flag.LATE_FILL)
    if order.qty_filled + booking.qty > order.qty:
        flags.append(Flag.OVERFILL)
    limit = order.loosest_price if order.loosest_price is not None else order.price
    if limit is not None and order.order_type in PRICED:
        worse = booking.price > limit if order.side is Side.BUY else booking.price < limit
        if worse:
            flags.append(Flag.BAD_PRICE)
    return tuple(flags)


def _costs_of(order: Order, booking: Booking, ref: BrokerRef, draft: Draft) -> tuple[str, str, Costs, str]:
    """Return trade date, settlement date, the cost increments, and a problem if a table is missing.

    Costs are those of the whole order so far less what was booked before, so the increments of all fills
    add up to the cost of the order, rounded once (krx_market.md 7.2). An order carried over days is another
    one to the broker each day, so each day is rounded by itself. Taxes follow the settlement date. Where the
    broker has named its own figure for these very fills, that is what is due (rules/decide_costs.py).
    """
    policy = draft.policy
    try:
        instrument = policy.instrument(order.symbol)
        day = date.fromisoformat(ref.trade_date)
        settles = settlement_date(instrument.market, day, policy.sessions)
        traded = traded_by_number(order, ref, booking.amount, booking.qty)
        due = costs_due(order, order.cost_figures, traded, policy)
    except (OmsError, KeyError) as error:
        # The shares moved, so they are booked; the cost is corrected when somebody adds the table.
        return ref.trade_date, ref.trade_date, [], f"its costs are not known and were booked as 0: {error}"
    return ref.trade_date, settles.isoformat(), changes(order.costs, due), ""


def _end(order: Order, report: OrderReport, evidence: str, draft: Draft) -> None:
    if not can(order, OrderCancelled) or order.resting:
        return
    if report.state is BrokerState.EXPIRED and lives_on(order, report.ref.trade_date):
        rest_until_next_session(order, f"{evidence}: {report.raw}", draft)
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
