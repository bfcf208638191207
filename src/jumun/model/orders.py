"""An order, frozen: every change makes a new value, so a batch can be discarded whole."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from jumun.model.ids import AccountId, BrokerOrderNo, IdempotencyKey, OrderId, UserId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.reasons import Reason

ZERO = Decimal(0)


class Side(StrEnum):
    """Buy or sell; there is no third side, and an unknown one is refused at the door."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """How the price is set (C-10). Which are allowed is decided per broker and venue."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    MOC = "MOC"
    LOC = "LOC"


class TimeInForce(StrEnum):
    """How long the order lives."""

    DAY = "DAY"
    GTC = "GTC"
    GTD = "GTD"
    IOC = "IOC"
    FOK = "FOK"


class OrderStatus(StrEnum):
    """Specification 002's eight statuses (S002-30). ERROR means: outcome unknown; it is not final."""

    NEW = "NEW"
    SENT = "SENT"
    ACCEPTED = "ACCEPTED"
    PART_FILLED = "PART_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    ERROR = "ERROR"

    @property
    def is_final(self) -> bool:
        """FILLED, CANCELLED and REJECTED absorb; later fills are booked and flagged (I-17)."""
        return self in FINAL_STATUSES


FINAL_STATUSES = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED})


class Flag(StrEnum):
    """Facts beside the status that a person must see."""

    LATE_FILL = "LATE_FILL"  # filled after it was final (I-17, F-47)
    OVERFILL = "OVERFILL"  # filled beyond its quantity (I-01, F-62)
    BAD_PRICE = "BAD_PRICE"  # filled outside its limit (I-05)
    DISPUTED = "DISPUTED"  # books and broker disagree; a person decides
    FOREIGN = "FOREIGN"  # placed by hand or by another program (I-42)
    MISMATCH = "MISMATCH"  # the same derived key came again with other content (C-4)


class BrokerRef(msgspec.Struct, frozen=True, kw_only=True):
    """A broker's number for an order. Numbers restart daily, so the date is part of the key (I-64)."""

    trade_date: str  # ISO date of the venue's trading day
    branch: str
    number: BrokerOrderNo


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order. Quantities in shares, prices and amounts in `currency`, instants in UTC nanoseconds."""

    order_id: OrderId
    account_id: AccountId
    symbol: str
    venue: Venue
    currency: Currency
    side: Side
    order_type: OrderType
    tif: TimeInForce
    qty: Decimal
    price_raw: Decimal | None = None  # as asked
    price: Decimal | None = None  # as sent: on the tick, corrected toward safety (S002-28)
    stop_price: Decimal | None = None
    idempotency_key: IdempotencyKey
    client_order_id: str | None = None
    created_by: UserId
    strategy_id: str
    strategy_version: str
    signal_ts_ns: int | None = None
    correlation_id: str
    status: OrderStatus = OrderStatus.NEW
    reason: Reason | None = None
    reason_text: str = ""
    qty_filled: Decimal = ZERO
    amount_filled: Decimal = ZERO  # exact sum of price x quantity; the average is derived (I-04)
    costs: dict[str, Decimal] = {}  # booked so far, by cost kind
    # What the fills were counted from (see rules/fills.py)
    qty_noticed: Decimal = ZERO
    notices: tuple[str, ...] = ()  # identities of notices already counted; bounded by limits
    # What is reserved while it can still execute (I-33, I-34)
    reserve_price: Decimal = ZERO
    reserve_cost: Decimal = ZERO
    # Sending
    attempt: int = 0
    attempt_open: bool = False  # a send is intended and its outcome is not yet known
    attempt_ts_ns: int | None = None  # submit_attempted_at
    retry_at_ns: int | None = None
    trade_date: str = ""  # the venue's trading day of the newest attempt
    refs: tuple[BrokerRef, ...] = ()
    # Cancelling is a fact beside the status (C-1)
    cancel_requested_ns: int | None = None
    cancel_reason: Reason | None = None
    cancel_open: bool = False  # a cancel request is in flight
    cancel_attempts: int = 0
    cancel_retry_ns: int | None = None  # when an unanswered or refused cancel is tried again
    resends: int = 0  # at most one, after proof that the earlier attempt never arrived
    unknown_ns: int | None = None  # since when the attempt's outcome is unknown: it was written before this
    absent_ns: int | None = None  # our clock before the first complete history that did not hold the attempt
    flags: tuple[Flag, ...] = ()
    created_ns: int
    updated_ns: int
    expires_ns: int | None = None  # order_timeout, when it has no explicit time in force

    @property
    def qty_left(self) -> Decimal:
        """Shares that can still execute; never negative, also after an over-fill."""
        left = self.qty - self.qty_filled
        return left if left > ZERO else ZERO

    @property
    def is_executable(self) -> bool:
        """True while the broker may still fill it: counted in every limit (I-20, I-48)."""
        return not self.status.is_final

    @property
    def is_unknown(self) -> bool:
        """Status ERROR, shown to people as UNKNOWN."""
        return self.status is OrderStatus.ERROR

    @property
    def average_fill_price(self) -> Decimal | None:
        """The quantity-weighted fill price, unrounded; None before the first fill."""
        return self.amount_filled / self.qty_filled if self.qty_filled else None

    @property
    def quantity(self) -> Decimal:
        """Specification 000's name for `qty` (S000-51)."""
        return self.qty

    @property
    def filled_quantity(self) -> Decimal:
        """Specification 000's name for `qty_filled` (S000-51)."""
        return self.qty_filled

    @property
    def newest_ref(self) -> BrokerRef | None:
        """The broker's newest number for this order."""
        return self.refs[-1] if self.refs else None

    def has_ref(self, ref: BrokerRef) -> bool:
        """True when `ref` is one of the broker's numbers for this order."""
        return ref in self.refs
