"""Multi-day orders that the desk carries where a venue knows only orders for a day (GTC, GTD; F-56, F-58).

The broker gets an order for the rest of the day. When its session ends without a fill of the whole, nothing
of it is at the broker any more: it rests here, keeps its reservation and its fills, and goes out again, for
what is left and under a new number, when the next session opens and its price still fits that day.
"""

from typing import Final

from jumun.model.events import OrderCancelled, OrderResting
from jumun.model.orders import Order, TimeInForce
from jumun.model.reasons import Reason
from jumun.rules.draft import Draft
from jumun.rules.sessions import NoCalendar, SessionPlan, local_date, next_session, session_on
from jumun.rules.trading_days import Overrides

MISSING_RETRY_NS: Final = 60_000_000_000
SESSION_AT_NEXT: Final = "it goes out again when the next session opens"


def lives_on(order: Order, day: str) -> bool:
    """True when the order was meant to live longer than the session of `day`."""
    if not order.is_carried or order.cancel_requested_ns is not None:
        return False
    return order.tif is TimeInForce.GTC or day < order.good_till


def rest_until_next_session(order: Order, evidence: str, draft: Draft, *, later: bool = False) -> None:
    """Put an order to rest; without a calendar for the next days it ends, because nothing could send it.

    `later` leaves out what is left of today: today's limits refuse its price.
    """
    try:
        until_ns = next_open_ns(order, draft.now_ns, draft.policy.sessions, later=later)
    except NoCalendar as error:
        draft.add(
            OrderCancelled(order_id=order.order_id, reason=error.reason, text=str(error), evidence=evidence)
        )
        return
    if until_ns is None:
        text = f"its last day {order.good_till} is over"
        draft.add(
            OrderCancelled(order_id=order.order_id, reason=Reason.EXPIRED, text=text, evidence=evidence)
        )
        return
    draft.add(
        OrderResting(order_id=order.order_id, until_ns=until_ns, text=SESSION_AT_NEXT, evidence=evidence)
    )


def next_open_ns(order: Order, now_ns: int, sessions: Overrides, *, later: bool = False) -> int | None:
    """When the venue takes it next; None when that is after the order's last day.

    What is left of today counts, unless it had a number today already: its session is over then.
    """
    day = local_date(order.venue, now_ns)
    plan = session_on(order.venue, day, sessions)
    over = later or order.has_ref_of(day.isoformat())
    at_ns = None if plan is None or over else _entry_ns(order, plan, now_ns)
    if plan is None or at_ns is None:
        plan = session_on(order.venue, next_session(order.venue, day, sessions), sessions)
        assert plan is not None, f"{order.venue} has no session on a session day"
        at_ns = _entry_ns(order, plan, now_ns)
    if order.tif is TimeInForce.GTD and plan.trade_date.isoformat() > order.good_till:
        return None
    return plan.open_ns if at_ns is None else at_ns


def _entry_ns(order: Order, plan: SessionPlan, now_ns: int) -> int | None:
    """The first instant from the regular opening on at which the venue takes the order's session."""
    first = max(now_ns, plan.open_ns)
    marks = (first, *(window.start_ns for window in plan.windows if window.start_ns > first))
    return next((ts_ns for ts_ns in marks if plan.takes(order.session, ts_ns)), None)


def try_again_soon(order: Order, evidence: str, draft: Draft) -> None:
    """What is missing may come any moment (a base price, a table): look again in a minute."""
    until_ns = draft.now_ns + MISSING_RETRY_NS
    draft.add(OrderResting(order_id=order.order_id, until_ns=until_ns, text=evidence, evidence=evidence))
