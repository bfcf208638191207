"""Which expiry that a broker tells cannot be true yet (I-49).

United States only: of Korea's venues the broker alone knows in which session an order rests (F-56).
"""

from datetime import date
from typing import Final

from jumun.model.instruments import Venue
from jumun.model.orders import BrokerRef, Flag, Order, OrderType, TimeInForce, TradingSession
from jumun.rules.draft import Draft
from jumun.rules.sessions import NoCalendar, session_on

FOR_THE_OPENING: Final = frozenset({OrderType.MOO, OrderType.LOO})
IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def is_too_early(order: Order, ref: BrokerRef, draft: Draft) -> bool:
    """Whether a US order that we sent for the regular session is called expired while that goes on.

    To believe it would free its money while it works on (I-33). One for the opening, or for now, may end as
    soon as the session begins. Of a stranger's order nobody knows the session.
    """
    sessions = draft.policy.sessions
    is_ours = order.venue is Venue.US and Flag.FOREIGN not in order.flags
    if not is_ours or order.session is not TradingSession.REGULAR or sessions.always_open:
        return False
    try:
        plan = session_on(order.venue, date.fromisoformat(ref.trade_date), sessions)
    except NoCalendar:
        return False  # the broker alone knows
    if plan is None:
        return False
    is_brief = order.order_type in FOR_THE_OPENING or order.tif in IMMEDIATE
    return draft.now_ns < (plan.open_ns if is_brief else plan.last_ns)
