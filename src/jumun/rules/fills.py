"""Counting fills so that a repeat changes nothing and two genuine twins both count (DESIGN, Never twice 5).

Two witnesses are joined. The broker's cumulative figure (a query, or a notice that carries it) is the
truth about how much traded; it only grows. Notices without a cumulative figure are counted by identity:
the execution id, or second, price and quantity where there is none. A notice is booked only while every
share booked so far came from a notice. Once a cumulative figure has booked some, a notice may describe
those, at another price than the shares still missing, so from then on only cumulative figures book. Both
are monotone, so no duplication, delay or order of arrival changes where they end (I-09, I-12, F-20, F-21,
F-30).
"""

from decimal import Decimal

import msgspec

from jumun.model.orders import BrokerRef, Order
from jumun.model.reports import FillNotice

ZERO = Decimal(0)
NOTICES_MAX = 1_000  # identities an order remembers; ten times what fragments an order badly (S000-101)
ONE_SECOND_NS = 1_000_000_000


class Nothing(msgspec.Struct, frozen=True):
    """Nothing to book; `ask` when only a complete history can tell a repeat from a twin."""

    ask: bool


class Explained(msgspec.Struct, frozen=True):
    """The notice explains shares already booked; a history is asked for, in case it does not."""

    identity: str
    qty: Decimal


class Booking(msgspec.Struct, frozen=True):
    """Shares to book: `amount` is exact, `price` derived from it where a cumulative figure proved it."""

    identity: str
    qty: Decimal
    price: Decimal
    amount: Decimal
    notice_qty: Decimal


Counted = Nothing | Explained | Booking


def count_notice(order: Order, notice: FillNotice) -> Counted:
    """Return what a fill notice adds to the order, counted under the number that it names."""
    if notice.qty <= ZERO or notice.price <= ZERO:
        return Nothing(ask=True)
    if notice.qty_cumulative is not None:
        return _count_cumulative_notice(order, notice, notice.qty_cumulative)
    identity = notice_identity(notice)
    if notice.execution_id is None and order.refs and notice.ref != order.refs[0]:
        identity = f"{identity}:{notice.ref.trade_date}:{notice.ref.number}"  # a twin under another number
    if len(order.notices) >= NOTICES_MAX:
        return Nothing(ask=True)  # from here on the cumulative figure alone counts
    if identity in order.notices:
        return Nothing(ask=notice.execution_id is None)
    tally = order.tally(notice.ref)
    if tally.qty_noticed != tally.qty:
        return Explained(identity, notice.qty)
    return Booking(identity, notice.qty, notice.price, notice.qty * notice.price, notice.qty)


def count_cumulative(order: Order, ref: BrokerRef, qty: Decimal, amount: Decimal) -> Counted:
    """Return what a number's cumulative figure adds. A lower one is stale: nothing changes (I-06, F-38)."""
    tally = order.tally(ref)
    added = qty - tally.qty
    if added <= ZERO:
        return Nothing(ask=False)
    value = amount - tally.amount
    if value <= ZERO:
        return Nothing(ask=True)
    return Booking(_cumulative_identity(order, ref, qty), added, value / added, value, ZERO)


def notice_identity(notice: FillNotice) -> str:
    """The execution id, or what there is instead: whole second, price and quantity."""
    if notice.execution_id is not None:
        return f"exec:{notice.execution_id}"
    second, price, qty = notice.ts_event_ns // ONE_SECOND_NS, notice.price.normalize(), notice.qty.normalize()
    return f"seen:{second}:{price:f}:{qty:f}"


def _count_cumulative_notice(order: Order, notice: FillNotice, cumulative: Decimal) -> Counted:
    if notice.amount_cumulative is not None:
        return count_cumulative(order, notice.ref, cumulative, notice.amount_cumulative)
    added = cumulative - order.tally(notice.ref).qty
    if added <= ZERO:
        return Nothing(ask=False)
    if added != notice.qty:
        return Nothing(ask=True)  # an earlier notice is missing: its price is not known
    identity = _cumulative_identity(order, notice.ref, cumulative)
    return Booking(identity, added, notice.price, added * notice.price, ZERO)


def _cumulative_identity(order: Order, ref: BrokerRef, qty: Decimal) -> str:
    """Unique for an order: its first number is the common case; a bust lets a figure come a second time."""
    identity = f"cum:{qty.normalize():f}"
    if order.refs and ref != order.refs[0]:
        identity = f"{identity}:{ref.trade_date}:{ref.number}"
    return f"{identity}:after-bust-{order.busts}" if order.busts else identity
