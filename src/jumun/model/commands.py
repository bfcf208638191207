"""Everything the desk can be asked to do, imperative. `decide` turns each into events."""

from decimal import Decimal

import msgspec

from jumun.model.documents import Document
from jumun.model.fills import LedgerRow
from jumun.model.ids import AccountId, OrderId, UserId
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.model.reports import (
    Balance,
    BrokerReport,
    CancelOutcome,
    ModifyOutcome,
    OrderHistory,
    SubmitOutcome,
)
from jumun.model.signals import ApprovedOrderIntent


class SubmitOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Make an order of an approved intent, once (OMS-01). `existing` is what the store has under its key."""

    intent: ApprovedOrderIntent
    existing: Order | None = None


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Cancel what is left of an order (OMS-05)."""

    order_id: OrderId
    by: UserId
    reason: Reason = Reason.CANCELLED_BY_USER
    closed: Order | None = None  # the row, where the order has left memory


class ModifyOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Change the limit price, or lower the total quantity, of an unfilled order (OMS-04). None: as it is."""

    order_id: OrderId
    by: UserId
    qty: Decimal | None = None
    price: Decimal | None = None
    closed: Order | None = None  # the row, where the order has left memory


class ConcludeSubmit(msgspec.Struct, frozen=True, kw_only=True):
    """A send came to one of its four ends."""

    order_id: OrderId
    attempt: int
    outcome: SubmitOutcome


class ConcludeCancel(msgspec.Struct, frozen=True, kw_only=True):
    """A cancel request came to an end."""

    order_id: OrderId
    outcome: CancelOutcome


class ConcludeModify(msgspec.Struct, frozen=True, kw_only=True):
    """A modify request came to one of its four ends; `number` says which of the order's it was (F-17)."""

    order_id: OrderId
    number: int
    outcome: ModifyOutcome


class HearPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The market traded at this price: held stops look at it. Nothing is written when none is touched."""

    symbol: str
    price: Decimal
    source: str
    ts_ns: int | None = None  # when it traded: an order younger than its price is not triggered by it


class HearReport(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's stream said something; the shell has brought its order back, where it had left memory."""

    report: BrokerReport


class StudyHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A complete history arrived: settle unknowns, count fills, adopt foreign orders (EMS-04).

    The shell has brought the orders behind its numbers back, where they had left memory. `visible_after_ns`
    is how long the broker may hide an order it already has.
    """

    history: OrderHistory
    visible_after_ns: int


class StudyBalance(msgspec.Struct, frozen=True, kw_only=True):
    """A complete balance arrived: compare. A break needs two looks that agree (I-43).

    `suspects` are the differences of the look before, as (subject, ours, theirs).
    """

    balance: Balance
    suspects: tuple[tuple[str, Decimal, Decimal], ...] = ()


class SettleOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A person compared by hand and decided what an order of unknown outcome is.

    `number`: this one of the broker's list, which is in `look`, asked for just now. None: it is not there.
    """

    order_id: OrderId
    by: UserId
    text: str
    number: str | None = None
    look: StudyHistory | None = None


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """Time passed: what is due for these orders (retries, expiries, timeouts)."""

    due: tuple[OrderId, ...]


class BookOpening(msgspec.Struct, frozen=True, kw_only=True):
    """Book opening cash and positions, once per document."""

    account_id: AccountId
    rows: tuple[LedgerRow, ...]
    document: str


class SendNext(msgspec.Struct, frozen=True, kw_only=True):
    """The queue chose this order: decide once more, then intend the send."""

    order_id: OrderId


class BookEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Book a documented entry that is no trade, once per document: dividend, split, transfer, correction.

    It says what the paper says; the rows are counted from the book of the moment it is decided in.
    """

    account_id: AccountId
    document: Document
    by: UserId
    text: str


class AssignBreak(msgspec.Struct, frozen=True, kw_only=True):
    """A person takes care of a difference between our books and the broker's."""

    break_id: str
    owner: UserId
    text: str


class SettleBreak(msgspec.Struct, frozen=True, kw_only=True):
    """A person ends a break: by a correction of our books (`rows`), or by saying why it stands (no rows)."""

    break_id: str
    by: UserId
    text: str
    correct: bool  # True: book what the broker says, as a documented correction


class RecordMarks(msgspec.Struct, frozen=True, kw_only=True):
    """Value positions at these prices."""

    marks: dict[str, Decimal]
    source: str


class HaltTrading(msgspec.Struct, frozen=True, kw_only=True):
    """Stop new orders, durably."""

    reason: Reason
    text: str


class ResumeTrading(msgspec.Struct, frozen=True, kw_only=True):
    """Allow new orders again; needs a name (K-06). `halt_seq` is the record of the halt that is meant."""

    by: UserId
    text: str
    halt_seq: int | None = None


class BeginRecovery(msgspec.Struct, frozen=True, kw_only=True):
    """After a restart: what was in flight has an unknown outcome (F-67, F-68)."""


class FinishRecovery(msgspec.Struct, frozen=True, kw_only=True):
    """Recovery is done; new orders may come."""

    text: str


Command = (
    SubmitOrder
    | CancelOrder
    | ModifyOrder
    | ConcludeSubmit
    | ConcludeCancel
    | ConcludeModify
    | HearPrice
    | HearReport
    | StudyHistory
    | StudyBalance
    | SettleOrder
    | Tick
    | BookOpening
    | BookEntry
    | AssignBreak
    | SettleBreak
    | SendNext
    | RecordMarks
    | HaltTrading
    | ResumeTrading
    | BeginRecovery
    | FinishRecovery
)
