"""What the house tells of a request that KIS took in: the notices "received", "confirmed" and "refused".

A request that was refused in its reply has no number and is not told. The market tells the rest itself.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from jumun.model.instruments import Venue
from jumun.model.orders import Side
from jumun.simulators.kis.customers import Customer


class RequestKind(StrEnum):
    """What was asked."""

    NEW = "new"
    REVISE = "revise"
    CANCEL = "cancel"


class RequestTaken(msgspec.Struct, frozen=True, kw_only=True):
    """One request that has an order number of its own (ODNO).

    It is told before the market's own events of the same call. `taken` is False when the exchange refused it
    after KIS had said yes: nothing follows then. `confirmed` is False when KIS took a revise or cancel and
    the exchange does nothing about it (F-50).
    """

    kind: RequestKind
    customer: Customer
    account_id: str
    trade_date: str  # ISO date of the venue
    branch: str
    number: str  # ODNO of this request
    original: str  # ODNO of the order it changes; empty for a new order
    key: str  # the market's key of the order it is about: the changed one, or the new one; empty if refused
    made: str  # the market's key under which the order goes on after a revise; empty otherwise
    symbol: str
    venue: Venue
    side: Side
    ord_dvsn: str
    exchange: str  # KRX, NXT or SOR as it was asked for; NASD, NYSE or AMEX
    qty: Decimal  # ordered, revised or cancelled
    price: Decimal | None
    ts_ns: int
    taken: bool = True
    confirmed: bool = True
    text: str = ""


class OrderNote(msgspec.Struct, frozen=True, kw_only=True):
    """What the market does not keep of an order: how it was asked for."""

    ord_dvsn: str
    exchange: str  # KRX, NXT, SOR; NASD, NYSE, AMEX
    ip: str = ""
    stop_price: Decimal | None = None
