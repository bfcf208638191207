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
    MOO = "MOO"
    LOO = "LOO"
    MOC = "MOC"
    LOC = "LOC"


class TimeInForce(StrEnum):
    """How long the order lives."""

    DAY = "DAY"
    GTC = "GTC"
    GTD = "GTD"
    IOC = "IOC"
    FOK = "FOK"


class TradingSession(StrEnum):
    """Which part of the venue's day an order is meant for (krx_market.md 3)."""

    REGULAR = "REGULAR"  # the day's auctions and continuous trading
    PRE_MARKET = "PRE_MARKET"  # NXT, before the opening
    CLOSE_BEFORE = "CLOSE_BEFORE"  # KRX 08:30 to 08:40, at the close of the day before
    CLOSE_AFTER = "CLOSE_AFTER"  # KRX 15:40 to 16:00, at the day's close
    SINGLE_PRICE = "SINGLE_PRICE"  # KRX ten-minute auctions, until 2026-09-13
    AFTER_MARKET = "AFTER_MARKET"  # the evening, continuous, limit orders only
    DAY_MARKET = "DAY_MARKET"  # US shares 10:00 to 18:00 in Seoul, before the regular session of that date


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
    BUSTED = "BUSTED"  # a fill was taken back or corrected by the exchange (F-53)


class Alarm(StrEnum):
    """What a person must hear of while an order lives; each is raised once an order (S000-83 to 86)."""

    ACK_DELAY = "ACK_DELAY"  # sent, and no acceptance within ack_alert_s (S002-69)
    FILL_DELAY = "FILL_DELAY"  # accepted, and no fill within fill_alert_s (S000-83)
    PARTIAL_TIMEOUT = "PARTIAL_TIMEOUT"  # part filled for longer than max_partial_fill_time (S000-86)
    ABNORMAL_PRICE = "ABNORMAL_PRICE"  # a fill too far from the market (S000-84)
    FRAGMENTED = "FRAGMENTED"  # more fills than max_fills_per_order (S000-85)
    SMALL_FILL = "SMALL_FILL"  # a fill below min_fill_size that leaves shares open (S000-100)
    PARTIAL_FILL = "PARTIAL_FILL"  # a part fill while enable_partial_fills is off: the rest is cancelled
    CANCEL_STUCK = "CANCEL_STUCK"  # asked to cancel again and again, and it can still execute (F-50)
    COST_DIFFERS = "COST_DIFFERS"  # the broker's cost is not our estimate (I-37, F-63)


class BrokerRef(msgspec.Struct, frozen=True, kw_only=True):
    """A broker's number for an order. Numbers restart daily, so the date is part of the key (I-64)."""

    trade_date: str  # ISO date of the venue's trading day
    branch: str
    number: BrokerOrderNo


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What one broker number of an order has filled: figures of a number start at zero (I-03, I-11)."""

    ref: BrokerRef
    qty: Decimal = ZERO
    amount: Decimal = ZERO
    qty_noticed: Decimal = ZERO


class CostFigure(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker says that one of its numbers has cost so far, in the order's currency (I-37).

    `qty` and `amount` are the fills that it charged for: until our books hold exactly these, our estimate
    stands. Of two figures the newer counts, whichever comes first.
    """

    ref: BrokerRef
    costs: dict[str, Decimal]  # in total, by cost kind; a rebate is below zero
    qty: Decimal
    amount: Decimal
    ts_event_ns: int  # when the broker last changed it


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a modify asks for: the new total quantity in shares, and the new limit price (OMS-04)."""

    qty: Decimal
    price: Decimal | None
    price_raw: Decimal | None = None  # as asked, before it was brought to the tick


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
    cost_figures: tuple[CostFigure, ...] = ()  # the broker's newest, at most one for each of its numbers
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
    # Modifying is a fact beside the status too; until its end is proven both terms count (I-03, I-20)
    modify_to: Terms | None = None  # asked of the broker, and neither confirmed nor refused yet
    modify_open: bool = False  # a modify request is in flight
    modify_unknown_ns: int | None = None  # since when the outcome of the modify is unknown
    modify_absent_ns: int | None = None  # our clock before the first complete history without a trace of it
    modify_count: int = 0
    modify_asked: int = 0  # modifies asked of the broker: an answer names the one that it ends
    loosest_price: Decimal | None = None  # the worst limit ever authorised, once a modify has changed it
    qty_authorised: Decimal | None = None  # the quantity first asked for, once a modify has lowered it
    tallies: tuple[Tally, ...] = ()  # per broker number, from the second number on
    # Held by the desk: a stop until its price is seen, a multi-day order between two sessions
    session: TradingSession = TradingSession.REGULAR
    is_venue_asked: bool = False  # the venue was named, not taken from where the issue is listed
    good_till: str = ""  # GTD: the last trading day, ISO date
    stop_held: bool = False
    triggered_ns: int | None = None  # when the stop price was seen; it is sent as MARKET or LIMIT then
    resting: bool = False  # no attempt is at the broker until `retry_at_ns`: the next session
    attempt_qty: Decimal | None = None  # shares the newest attempt asked for
    tries: int = 0  # attempts since the broker last had it: EMS-02 counts these
    alarms: tuple[Alarm, ...] = ()
    fill_count: int = 0
    first_fill_ns: int | None = None
    busts: int = 0
    bust_ns: int | None = None  # histories asked for before it still show the fill that was taken back
    arrival_price: Decimal | None = None  # the last price when the order was created; slippage is from here
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
    def is_carried(self) -> bool:
        """True for an order that the desk carries from session to session: GTC and GTD."""
        return self.tif in (TimeInForce.GTC, TimeInForce.GTD)

    @property
    def wire_type(self) -> OrderType:
        """The kind the broker sees: a stop that the desk held goes out as MARKET or LIMIT (C-11)."""
        if self.triggered_ns is None:
            return self.order_type
        return OrderType.MARKET if self.order_type is OrderType.STOP else OrderType.LIMIT

    @property
    def newest_ref(self) -> BrokerRef | None:
        """The broker's newest number for this order."""
        return self.refs[-1] if self.refs else None

    def tally(self, ref: BrokerRef) -> Tally:
        """What `ref` has filled; with one number that is what the order has filled."""
        for tally in self.tallies:
            if tally.ref == ref:
                return tally
        if self.tallies:
            return Tally(ref=ref)
        return Tally(ref=ref, qty=self.qty_filled, amount=self.amount_filled, qty_noticed=self.qty_noticed)

    def has_ref_of(self, trade_date: str) -> bool:
        """True when the broker has given it a number on that day."""
        return any(ref.trade_date == trade_date for ref in self.refs)

    def has_ref(self, ref: BrokerRef) -> bool:
        """True when `ref` is one of the broker's numbers for this order."""
        return ref in self.refs
