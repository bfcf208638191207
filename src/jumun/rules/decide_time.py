"""What time alone may do: retry what never left, end what was never sent, ask to cancel what is too old.

It never turns an unknown outcome into a known one (I-15).
"""

from jumun.model.commands import Tick
from jumun.model.events import CancelRequested, OrderCancelled
from jumun.model.ids import UserId
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.rules.book import is_idle, is_waiting
from jumun.rules.draft import Decision, Draft
from jumun.rules.policy import SECOND_NS, Limits
from jumun.rules.watch import next_alarm_ns, watch_time

CLOCK = UserId("clock")


def next_deadline_ns(order: Order, limits: Limits) -> int | None:
    """Return when a Tick should next look at this order; None when time means nothing to it."""
    if order.status.is_final:
        return None
    earliest = _earlier(order.cancel_retry_ns, next_alarm_ns(order, limits))
    if is_waiting(order):
        earliest = _earlier(earliest, _earlier(order.retry_at_ns, _queue_end_ns(order, limits)))
    if order.cancel_requested_ns is None:
        earliest = _earlier(earliest, order.expires_ns)
    return earliest


def _earlier(one_ns: int | None, other_ns: int | None) -> int | None:
    """The earlier of two moments of which either may never come."""
    if one_ns is None:
        return other_ns
    return one_ns if other_ns is None or one_ns <= other_ns else other_ns


def decide_tick(command: Tick, draft: Draft) -> Decision:
    """Look at each order that is due."""
    for order_id in command.due:
        order = draft.book.order(order_id)
        if order is not None and not order.status.is_final:
            _look_at(order, draft)
    return draft.decision()


def _look_at(order: Order, draft: Draft) -> None:
    order = watch_time(order, draft)
    expired = order.expires_ns is not None and draft.now_ns >= order.expires_ns
    if is_idle(order):
        queue_end_ns = _queue_end_ns(order, draft.policy.limits) if is_waiting(order) else None
        if expired or (queue_end_ns is not None and draft.now_ns >= queue_end_ns):
            _expire(order, draft)
    elif expired and order.cancel_requested_ns is None:
        draft.add(CancelRequested(order_id=order.order_id, reason=Reason.ORDER_TIMEOUT, by=CLOCK))
    elif order.cancel_retry_ns is not None and draft.now_ns >= order.cancel_retry_ns:
        draft.touch(order)


def _expire(order: Order, draft: Draft) -> None:
    if order.stop_held:
        text = "its stop price was never seen"
    elif order.refs:
        text = "its last day is over"
    else:
        text = "it never left in time" if order.attempt else "it waited too long and was never sent"
    draft.add(
        OrderCancelled(
            order_id=order.order_id, reason=Reason.EXPIRED, text=text, evidence="no attempt is open"
        )
    )


def _queue_end_ns(order: Order, limits: Limits) -> int | None:
    """The longest wait in the queue; an order of several days waits for its session instead."""
    if order.is_carried or order.triggered_ns is not None:
        return None
    return order.created_ns + limits.priority_timeout_s * SECOND_NS
