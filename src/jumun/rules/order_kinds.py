"""Which kinds of order exist here, who carries them, and in which part of the day they may be sent (C-10).

A broker says which (venue, type, time in force) it takes. What it does not take, the desk may carry itself:
a stop by holding it until its price is seen (C-11), a multi-day order by sending it anew each session.
"""

from datetime import date
from typing import Final

from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import OrderType, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.model.words import enumerated
from jumun.rules.policy import KIND, Denial, Policy
from jumun.rules.sessions import Phase, session_on, trade_date_of

PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LOO, OrderType.LOC})
STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
OPENING: Final = frozenset({OrderType.MOO, OrderType.LOO})
AUCTION: Final = OPENING | {OrderType.MOC, OrderType.LOC}
IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
CARRIED: Final = frozenset({TimeInForce.GTC, TimeInForce.GTD})
SENT_AS: Final = {OrderType.STOP: OrderType.MARKET, OrderType.STOP_LIMIT: OrderType.LIMIT}

MATCHED_AT_ONCE: Final = frozenset({Phase.CONTINUOUS, Phase.AFTER_MARKET, Phase.PRE_MARKET})


def holds_stop(venue: Venue, order_type: OrderType, tif: TimeInForce, kinds: frozenset[KIND]) -> bool:
    """True when the desk must hold a stop itself: the broker would not take it as it is."""
    return order_type in STOPS and not is_native(venue, order_type, tif, kinds)


def is_native(venue: Venue, order_type: OrderType, tif: TimeInForce, kinds: frozenset[KIND]) -> bool:
    """True when the broker takes the kind as it is, or as an order for the day that the desk renews."""
    return (venue, order_type, tif) in kinds or (
        tif in CARRIED and (venue, order_type, TimeInForce.DAY) in kinds
    )


def wire_tif(venue: Venue, order_type: OrderType, tif: TimeInForce, kinds: frozenset[KIND]) -> TimeInForce:
    """The time in force the broker sees: DAY where the desk carries the order over the days."""
    if tif in CARRIED and (venue, order_type, tif) not in kinds:
        return TimeInForce.DAY
    return tif


def kind_problem(
    intent: ApprovedOrderIntent, tif: TimeInForce, instrument: Instrument, policy: Policy
) -> Denial | None:
    """Refuse what neither the broker takes nor the desk can carry."""
    venue = intent.venue or instrument.venue
    taken = sorted({kind[0].value for kind in policy.kinds})
    if venue.value not in taken:
        text = (
            f"this broker takes no orders at {venue}, only at {enumerated(taken)}; leave the venue out, or "
            f"choose {instrument.venue}"
        )
        return Denial(Reason.KIND_NOT_SUPPORTED, text)
    if venue is not instrument.venue and not (venue is Venue.NXT and instrument.nxt):
        text = f"{intent.symbol} is not traded at {venue}; leave the venue out, or choose {instrument.venue}"
        if venue is Venue.NXT and policy.sessions.always_open:
            text = (
                "NXT has no market while the simulation trades around the clock (OMS_SIM_SESSIONS=open); "
                f"leave the venue out of {intent.symbol}, or set OMS_SIM_SESSIONS=calendar for its hours"
            )
        return Denial(Reason.KIND_NOT_SUPPORTED, text)
    session = intent.session or TradingSession.REGULAR
    never_comes = policy.sessions.always_open or (venue, session) not in policy.session_kinds
    if session is not TradingSession.REGULAR and never_comes:
        text = _session_text(session, venue, policy)
        return Denial(Reason.KIND_NOT_SUPPORTED, text)
    if session is TradingSession.DAY_MARKET and (intent.order_type, tif) != (
        OrderType.LIMIT,
        TimeInForce.DAY,
    ):
        text = f"the US day market takes LIMIT DAY orders only, not {intent.order_type} {tif}; send one"
        return Denial(Reason.KIND_NOT_SUPPORTED, text)
    sent_as = SENT_AS.get(intent.order_type, intent.order_type)
    native = is_native(venue, intent.order_type, tif, policy.kinds)
    if not native and not (intent.order_type in STOPS and is_native(venue, sent_as, tif, policy.kinds)):
        return Denial(
            Reason.KIND_NOT_SUPPORTED,
            f"{intent.order_type} {tif} at {venue} is not taken by this broker; use LIMIT DAY",
        )
    return _carrying_problem(intent, tif, session, policy)


def _session_text(session: TradingSession, venue: Venue, policy: Policy) -> str:
    if policy.sessions.always_open:
        return (
            f"there is no {session} while the simulation trades around the clock (OMS_SIM_SESSIONS=open); "
            "leave the session out, or set OMS_SIM_SESSIONS=calendar"
        )
    taken = [TradingSession.REGULAR, *sorted(one for at, one in policy.session_kinds if at is venue)]
    way = "choose one of these" if taken[1:] else "leave the session out"
    return f"this broker takes no {session} orders at {venue}, only {enumerated(taken)}; {way}"


def session_problem(
    intent: ApprovedOrderIntent, tif: TimeInForce, venue: Venue, phase: Phase, now_ns: int, policy: Policy
) -> Denial | bool | None:
    """Return None when it may be sent now, True when it may only rest until the next session, or why not."""
    session = intent.session or TradingSession.REGULAR
    if not is_time_for(session, intent.order_type, venue, now_ns, policy):
        if tif in CARRIED:
            return True
        text = f"{venue} is {phase} now, so {intent.symbol} cannot be sent; wait for its session"
        return Denial(Reason.SESSION_CLOSED, text)
    if tif in IMMEDIATE and phase not in MATCHED_AT_ONCE:
        text = f"{tif} needs continuous trading and {venue} is in {phase}; send it later or as DAY"
        return Denial(Reason.SESSION_CLOSED, text)
    return None


def is_time_for(
    session: TradingSession, order_type: OrderType, venue: Venue, now_ns: int, policy: Policy
) -> bool:
    """Whether an order of this session and kind may leave now (I-57)."""
    plan = session_on(venue, trade_date_of(venue, now_ns, policy.sessions), policy.sessions)
    if plan is None:
        return False
    entry = plan.auction_entry(order_type)
    if entry is not None:
        return entry[0] <= now_ns < entry[1]
    return plan.takes(session, now_ns)


def _carrying_problem(
    intent: ApprovedOrderIntent, tif: TimeInForce, session: TradingSession, policy: Policy
) -> Denial | None:
    if tif is not TimeInForce.GTD and intent.good_till:
        text = f"good_till {intent.good_till} goes with GTD only, not with {tif}; leave it out"
        return Denial(Reason.KIND_NOT_SUPPORTED, text)
    if tif not in CARRIED:
        return None
    if session is not TradingSession.REGULAR:
        return Denial(Reason.KIND_NOT_SUPPORTED, f"{tif} is for the regular session only; use DAY")
    if intent.order_type is OrderType.MARKET or intent.order_type in AUCTION:
        return Denial(Reason.KIND_NOT_SUPPORTED, f"a {intent.order_type} order is for one session; use DAY")
    if tif is TimeInForce.GTC:
        return None
    try:
        date.fromisoformat(intent.good_till)
    except ValueError:
        text = f"GTD needs its last day, not {intent.good_till!r}; give good_till as 2026-12-30"
        return Denial(Reason.BAD_TIME, text)
    return None
