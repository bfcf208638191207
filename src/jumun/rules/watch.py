"""What a person must hear of while an order lives (S000-83 to 86, S002-69). Alarms change no status.

Each is raised once an order and is durable, so a restart neither forgets nor repeats it.
"""

from decimal import Decimal
from typing import Final

from jumun.model.events import CancelRequested, OrderAlarmed
from jumun.model.ids import UserId
from jumun.model.orders import Alarm, Order, OrderStatus, OrderType
from jumun.model.reasons import Reason
from jumun.rules.draft import Draft
from jumun.rules.policy import SECOND_NS, Limits

ZERO: Final = Decimal(0)
DESK: Final = UserId("desk")
AUCTION: Final = frozenset({OrderType.MOO, OrderType.LOO, OrderType.MOC, OrderType.LOC})
UNCONFIRMED: Final = frozenset({OrderStatus.NEW, OrderStatus.SENT, OrderStatus.ERROR})


def watch_fill(order: Order, qty: Decimal, price: Decimal, draft: Draft) -> Order:
    """Look at a fill that was just booked; `order` is as it stands after it. Returns the order after that.

    A fill is never refused: the shares moved. With enable_partial_fills off, a part fill ends the order's
    rest (S000-95): what the venue filled stays, what is left is cancelled.
    """
    limits = draft.policy.limits
    open_left = ZERO if order.status.is_final else order.qty_left
    if qty < limits.min_fill_size and open_left:
        text = f"a fill of {qty:f} is below min_fill_size {limits.min_fill_size:f}"
        order = raise_alarm(order, Alarm.SMALL_FILL, text, draft)
    if order.fill_count > limits.max_fills_per_order:
        text = f"{order.fill_count} fills, more than max_fills_per_order {limits.max_fills_per_order}"
        order = raise_alarm(order, Alarm.FRAGMENTED, text, draft)
    order = _watch_price(order, price, draft)
    if open_left and not limits.enable_partial_fills and order.cancel_requested_ns is None:
        text = f"{order.qty_filled:f} of {order.qty:f} filled; the rest is cancelled"
        order = raise_alarm(order, Alarm.PARTIAL_FILL, text, draft)
        order = draft.add(CancelRequested(order_id=order.order_id, reason=Reason.PARTIAL_FILLS_OFF, by=DESK))
    return order


def next_alarm_ns(order: Order, limits: Limits) -> int | None:
    """When time alone will raise the next alarm; None when it will not."""
    due = _due(order, limits)
    return None if due is None else due[1]


def watch_time(order: Order, draft: Draft) -> Order:
    """Raise what is due by now."""
    limits = draft.policy.limits
    due = _due(order, limits)
    if due is None or draft.now_ns < due[1]:
        return order
    return raise_alarm(order, due[0], _told(due[0], limits), draft)


def raise_alarm(order: Order, alarm: Alarm, text: str, draft: Draft) -> Order:
    """Raise an alarm once; a second time is no news."""
    if alarm in order.alarms:
        return order
    return draft.add(OrderAlarmed(order_id=order.order_id, alarm=alarm, text=text))


def _due(order: Order, limits: Limits) -> tuple[Alarm, int] | None:
    """The one alarm that time can raise in the order's status, and when; None once it was raised."""
    sent_ns, status = order.attempt_ts_ns, order.status
    if sent_ns is None or order.resting:
        return None
    if status in UNCONFIRMED:
        alarm, at_ns = Alarm.ACK_DELAY, sent_ns + limits.ack_alert_s * SECOND_NS
    elif status is OrderStatus.PART_FILLED:
        since_ns = order.first_fill_ns or sent_ns
        alarm, at_ns = Alarm.PARTIAL_TIMEOUT, since_ns + limits.max_partial_fill_time_s * SECOND_NS
    elif status is OrderStatus.ACCEPTED and not order.qty_filled and not _waits_by_nature(order):
        alarm, at_ns = Alarm.FILL_DELAY, sent_ns + limits.fill_alert_s * SECOND_NS
    else:
        return None
    return None if alarm in order.alarms else (alarm, at_ns)


def _waits_by_nature(order: Order) -> bool:
    return order.is_carried or order.order_type in AUCTION


def _told(alarm: Alarm, limits: Limits) -> str:
    if alarm is Alarm.ACK_DELAY:
        return f"no acceptance within {limits.ack_alert_s} s of the send"
    if alarm is Alarm.FILL_DELAY:
        return f"no fill within {limits.fill_alert_s} s of the send"
    return f"part filled for longer than {limits.max_partial_fill_time_s} s"


def _watch_price(order: Order, price: Decimal, draft: Draft) -> Order:
    quote = draft.facts.quote(order.symbol)
    last = quote.last if quote is not None and quote.last else order.arrival_price
    if last is None or last <= ZERO:
        return order  # nothing to hold it against: no alarm, and no figure made up
    ratio = draft.policy.limits.abnormal_price_ratio
    if abs(price - last) <= last * ratio:
        return order
    text = f"filled at {price:f} while the market is at {last:f}, further than {ratio:%} away"
    return raise_alarm(order, Alarm.ABNORMAL_PRICE, text, draft)
