"""Everything that happened, past tense. The journal holds these; the book is a fold over them.

An event carries what followed from it (the ledger rows, the reserve price), so an old journal folds
to the same book after a rule has changed.
"""

from decimal import Decimal

import msgspec

from jumun.model.fills import Fill, LedgerRow
from jumun.model.ids import AccountId, OrderId
from jumun.model.money import Currency
from jumun.model.orders import Alarm, BrokerRef, CostFigure, Flag, Order, Side, Terms
from jumun.model.reasons import Reason
from jumun.model.reports import CancelRequest, ModifyRequest, SubmitRequest
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
    reserve_price: Decimal | None = None  # where looking again, on another day, found another worst case
    reserve_cost: Decimal | None = None


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
    until_ns: int | None = None  # a multi-day order waits for its next session


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


class OrderAlarmed(OrderEvent, frozen=True, kw_only=True, tag="order_alarmed"):
    """A person must look at this order; the status is untouched. Each alarm comes once an order."""

    alarm: Alarm
    text: str


class StopTriggered(OrderEvent, frozen=True, kw_only=True, tag="stop_triggered"):
    """The stop price was seen: the order goes out as MARKET or LIMIT (C-11)."""

    price: Decimal
    source: str


class OrderResting(OrderEvent, frozen=True, kw_only=True, tag="order_resting"):
    """A multi-day order is at no broker until the next session opens at `until_ns` (F-58)."""

    until_ns: int
    text: str
    evidence: str


class ModifyIntended(OrderEvent, frozen=True, kw_only=True, tag="modify_intended"):
    """A modify is about to leave; until its end is proven the larger reservation counts (I-21, I-33)."""

    by: str
    request: ModifyRequest
    terms: Terms
    reserve_price: Decimal
    reserve_cost: Decimal


class ModifyAnswered(OrderEvent, frozen=True, kw_only=True, tag="modify_answered"):
    """A modify ended without a change, or nobody knows how it ended (then its terms stay asked for).

    `settled` comes after a change that was made: nothing that filled at the old price is missing any more.
    """

    outcome: str  # refused | not_sent | unknown | absent (once) | not_received | settled
    text: str
    raw: str
    reserve_price: Decimal | None = None  # of the terms that alone are in force again
    reserve_cost: Decimal | None = None
    asked_ns: int | None = None  # of the history, with `absent`


class OrderModified(OrderEvent, frozen=True, kw_only=True, tag="order_modified"):
    """New terms are in force, and `evidence` proves it; `ref` is the number of its rest (S002-37)."""

    terms: Terms
    price_raw: Decimal | None
    ref: BrokerRef | None  # None: it never left, so no broker was asked
    reserve_price: Decimal
    reserve_cost: Decimal
    by: str
    evidence: str
    raw: str


class FillReversed(OrderEvent, frozen=True, kw_only=True, tag="fill_reversed"):
    """A fill was taken back or repriced: a reversing entry, position and cash follow (F-53, I-06, I-32)."""

    identity: str
    account_id: AccountId
    strategy_id: str
    side: Side  # of the fill that was taken back
    currency: Currency
    ref: BrokerRef
    qty: Decimal  # shares taken back; 0 when only the price changed
    amount: Decimal  # money taken back, signed like the fill's amount: old amount less new
    ledger: tuple[LedgerRow, ...]
    text: str
    raw: str


class CostsCorrected(OrderEvent, frozen=True, kw_only=True, tag="costs_corrected"):
    """The broker named its own figure for one of its numbers, and the costs booked follow (I-37, F-63).

    `ledger` moves the difference, and is empty where our estimate was right or fills are still missing.
    """

    account_id: AccountId
    strategy_id: str
    currency: Currency
    figure: CostFigure
    ledger: tuple[LedgerRow, ...]
    text: str
    raw: str


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


class EntryBooked(msgspec.Struct, frozen=True, kw_only=True, tag="entry_booked"):
    """A documented entry that is no trade: dividend, split, transfer, correction (I-29, I-30)."""

    account_id: AccountId
    rows: tuple[LedgerRow, ...]
    document: str
    by: str
    text: str
    fingerprint: str = ""  # of what the paper says; "" where the desk itself wrote it


class BreakAssigned(msgspec.Struct, frozen=True, kw_only=True, tag="break_assigned"):
    """Somebody takes care of a break."""

    break_id: str
    owner: str
    text: str


class BreakSettled(msgspec.Struct, frozen=True, kw_only=True, tag="break_settled"):
    """A break ended: corrected, explained by a person, or gone by itself (`by` is the broker then)."""

    break_id: str
    by: str
    how: str  # corrected | explained | agrees
    text: str


class BreakFound(msgspec.Struct, frozen=True, kw_only=True, tag="break_found"):
    """Our books and the broker's differ in a way that two complete looks agree on."""

    break_id: str
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
    | OrderAlarmed
    | StopTriggered
    | OrderResting
    | ModifyIntended
    | ModifyAnswered
    | OrderModified
    | FillReversed
    | CostsCorrected
    | OrderCancelled
    | ForeignOrderAdopted
)
Event = (
    AnyOrderEvent
    | IntentDenied
    | OpeningBooked
    | EntryBooked
    | MarksRecorded
    | TradingHalted
    | TradingResumed
    | BreakFound
    | BreakAssigned
    | BreakSettled
    | ReportKept
    | Recovered
)
