"""Everything that happened, past tense. The journal holds these; the book is a fold over them.

An event carries what followed from it (the ledger rows, the reserve price), so an old journal folds
to the same book after a rule has changed.
"""

from decimal import Decimal

import msgspec

from jumun.model.fills import Fill, LedgerRow
from jumun.model.ids import AccountId, OrderId
from jumun.model.orders import BrokerRef, Flag, Order
from jumun.model.reasons import Reason
from jumun.model.reports import CancelRequest, SubmitRequest
from jumun.model.signals import ApprovedOrderIntent


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event about one order."""

    order_id: OrderId


class OrderCreated(OrderEvent, frozen=True, kw_only=True, tag="order_created"):
    """An order exists, status NEW (OMS-01, S002-20)."""

    order: Order


class OrderDenied(OrderEvent, frozen=True, kw_only=True, tag="order_denied"):
    """Our own checks refused it: REJECTED with a reason, nothing was sent (S002-29)."""

    reason: Reason
    text: str


class IntentDenied(msgspec.Struct, frozen=True, kw_only=True, tag="intent_denied"):
    """The risk engine said no, so no order came into being (S002-12)."""

    intent: ApprovedOrderIntent
    reason: Reason
    text: str


class SendIntended(OrderEvent, frozen=True, kw_only=True, tag="send_intended"):
    """Durable before the first byte leaves (I-21, P-27)."""

    attempt: int
    request: SubmitRequest


class SendNotLeft(OrderEvent, frozen=True, kw_only=True, tag="send_not_left"):
    """The attempt provably never left; tried again at `retry_at_ns`, or never when None (EMS-02)."""

    attempt: int
    text: str
    retry_at_ns: int | None


class OrderSent(OrderEvent, frozen=True, kw_only=True, tag="order_sent"):
    """The broker's number is known (C-2). `evidence` says how it was found."""

    ref: BrokerRef
    evidence: str
    raw: str


class OrderAccepted(OrderEvent, frozen=True, kw_only=True, tag="order_accepted"):
    """The exchange confirmed it."""

    ref: BrokerRef
    raw: str


class OrderRejected(OrderEvent, frozen=True, kw_only=True, tag="order_rejected"):
    """The broker or exchange refused it; the record that proves it is kept."""

    code: str
    text: str
    raw: str


class OrderUnknown(OrderEvent, frozen=True, kw_only=True, tag="order_unknown"):
    """Nobody knows the outcome of the attempt: status ERROR, counted at its worst case (I-15)."""

    attempt: int
    reason: Reason
    text: str
    raw: str


class UnknownNotFound(OrderEvent, frozen=True, kw_only=True, tag="unknown_not_found"):
    """One complete history did not hold the attempt. One is no proof (F-35)."""

    attempt: int
    asked_ns: int


class AttemptNotReceived(OrderEvent, frozen=True, kw_only=True, tag="attempt_not_received"):
    """Two complete histories far enough apart did not hold it: the attempt never arrived."""

    attempt: int
    evidence: str
    resend: bool  # what the unknown_order_policy decided


class OrderFlagged(OrderEvent, frozen=True, kw_only=True, tag="order_flagged"):
    """A fact a person must see; the status is untouched."""

    flag: Flag
    text: str


class NoticeCounted(OrderEvent, frozen=True, kw_only=True, tag="notice_counted"):
    """A notice explained shares that were already booked from a cumulative figure: nothing to book."""

    identity: str
    qty: Decimal


class FillBooked(OrderEvent, frozen=True, kw_only=True, tag="fill_booked"):
    """Shares and money moved (EMS-03). `ledger` is what the books took from it, to the won and the cent."""

    fill: Fill
    ledger: tuple[LedgerRow, ...]
    notice_qty: Decimal  # how much of it a notice explained; 0 when a cumulative figure proved it
    raw: str


class CancelRequested(OrderEvent, frozen=True, kw_only=True, tag="cancel_requested"):
    """Somebody or something wants it cancelled; the order can still fill (I-20)."""

    reason: Reason
    by: str


class CancelIntended(OrderEvent, frozen=True, kw_only=True, tag="cancel_intended"):
    """A cancel is about to leave."""

    request: CancelRequest


class CancelAnswered(OrderEvent, frozen=True, kw_only=True, tag="cancel_answered"):
    """The broker answered a cancel, or did not; by itself it ends nothing (I-18)."""

    outcome: str  # accepted | refused | not_sent | unknown
    text: str
    raw: str
    retry_at_ns: int | None  # when it is tried again, unless the order has ended by then


class OrderCancelled(OrderEvent, frozen=True, kw_only=True, tag="order_cancelled"):
    """It cannot execute any more, and `evidence` proves it."""

    reason: Reason
    text: str
    evidence: str


class ForeignOrderAdopted(OrderEvent, frozen=True, kw_only=True, tag="foreign_order_adopted"):
    """An order we did not place: labelled and counted, never claimed or resent (I-42, F-34, F-106)."""

    order: Order
    raw: str


class OpeningBooked(msgspec.Struct, frozen=True, kw_only=True, tag="opening_booked"):
    """A documented entry that is no trade: opening cash and positions (I-29, I-30)."""

    account_id: AccountId
    rows: tuple[LedgerRow, ...]
    document: str


class MarksRecorded(msgspec.Struct, frozen=True, kw_only=True, tag="marks_recorded"):
    """Prices the positions were valued at."""

    marks: dict[str, Decimal]
    source: str


class TradingHalted(msgspec.Struct, frozen=True, kw_only=True, tag="trading_halted"):
    """No new orders; survives a restart (I-50). Cancels and reports go on."""

    reason: Reason
    text: str


class TradingResumed(msgspec.Struct, frozen=True, kw_only=True, tag="trading_resumed"):
    """A named person allowed new orders again."""

    by: str
    text: str


class BreakFound(msgspec.Struct, frozen=True, kw_only=True, tag="break_found"):
    """Our books and the broker's differ in a way that two complete looks agree on."""

    account_id: AccountId
    subject: str  # a symbol, or CASH:<currency>
    ours: Decimal
    theirs: Decimal
    text: str


class ReportKept(msgspec.Struct, frozen=True, kw_only=True, tag="report_kept"):
    """A notice that fits nothing we know or cannot be read: kept for a person, settled by a query."""

    text: str
    raw: str


class Recovered(msgspec.Struct, frozen=True, kw_only=True, tag="recovered"):
    """A start finished its recovery; how many of what it found."""

    unknown: int
    adopted: int
    text: str


AnyOrderEvent = (
    OrderCreated
    | OrderDenied
    | SendIntended
    | SendNotLeft
    | OrderSent
    | OrderAccepted
    | OrderRejected
    | OrderUnknown
    | UnknownNotFound
    | AttemptNotReceived
    | OrderFlagged
    | NoticeCounted
    | FillBooked
    | CancelRequested
    | CancelIntended
    | CancelAnswered
    | OrderCancelled
    | ForeignOrderAdopted
)
Event = (
    AnyOrderEvent
    | IntentDenied
    | OpeningBooked
    | MarksRecorded
    | TradingHalted
    | TradingResumed
    | BreakFound
    | ReportKept
    | Recovered
)
