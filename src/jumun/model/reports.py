"""What a broker claims, in our words: outcomes of requests, notices of its stream, answers to queries.

A report is never a fact of ours until the desk has decided what follows from it (I-44).
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from jumun.model.ids import AccountId, ExecutionId, OrderId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, OrderType, Side, TimeInForce, TradingSession

# ---- requests ---------------------------------------------------------------------------------


class SubmitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly what is asked of the broker; durable before the first byte leaves (I-21)."""

    order_id: OrderId
    attempt: int
    account_id: AccountId
    symbol: str
    venue: Venue
    currency: Currency
    side: Side
    order_type: OrderType
    tif: TimeInForce
    qty: Decimal
    price: Decimal | None
    trade_date: str
    reference: str | None  # our id, where the broker carries one
    stop_price: Decimal | None = None  # only where the broker itself waits for it
    session: TradingSession = TradingSession.REGULAR
    is_venue_asked: bool = False  # somebody named the venue: the broker may not choose another


class ModifyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Change the price, or lower the quantity, of what is left of one broker order (OMS-04)."""

    order_id: OrderId
    account_id: AccountId
    symbol: str
    venue: Venue
    side: Side
    order_type: OrderType
    tif: TimeInForce
    ref: BrokerRef  # the number to be changed; the broker may answer with a new one
    qty: Decimal  # new total of the order in shares, what has filled included
    qty_left: Decimal  # new open quantity, by our count: `qty` less what has filled
    qty_left_before: Decimal  # open quantity before, by our count
    price: Decimal | None
    price_before: Decimal | None
    number: int = 1  # counts the modifies of this order: an answer that comes late must not end a later one
    session: TradingSession = TradingSession.REGULAR  # of the order: some need a call of their own


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Cancel what is left of one broker order."""

    order_id: OrderId
    account_id: AccountId
    symbol: str
    venue: Venue
    ref: BrokerRef
    qty_left: Decimal
    session: TradingSession = TradingSession.REGULAR  # of the order: some need a call of their own


# ---- outcomes: exactly four for a submit (DESIGN, Never twice 2) --------------------------------


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag="accepted"):
    """The broker has the order and gave it a number."""

    ref: BrokerRef
    raw: str


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag="rejected"):
    """The broker answered no. `code` and `text` are the broker's own.

    `withdrawn`: it no longer takes what we send, whatever the order; somebody must see to that (F-60).
    """

    code: str
    text: str
    raw: str
    withdrawn: bool = False


class NotSent(msgspec.Struct, frozen=True, kw_only=True, tag="not_sent"):
    """The request provably never left (F-01): nothing reached the broker, so it may be tried again."""

    text: str


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag="unknown"):
    """Anything else: a timeout, a reset after sending, a 5xx, an unreadable reply (F-02 to F-08).

    `crossed`: an answer came, and it was about another order. Whose answers are whose nobody knows (F-17).
    """

    text: str
    raw: str = ""
    crossed: bool = False


SubmitOutcome = Accepted | Rejected | NotSent | Unknown


class CancelAccepted(msgspec.Struct, frozen=True, kw_only=True, tag="cancel_accepted"):
    """The broker took the cancel. `report`, where it comes along, proves the end; else it is awaited."""

    raw: str
    report: "OrderReport | None" = None


class CancelRefused(msgspec.Struct, frozen=True, kw_only=True, tag="cancel_refused"):
    """Nothing to cancel, or not now. By itself it never ends an order (I-18): a query decides."""

    code: str
    text: str
    raw: str


CancelOutcome = CancelAccepted | CancelRefused | NotSent | Unknown


class ModifyAccepted(msgspec.Struct, frozen=True, kw_only=True, tag="modify_accepted"):
    """The broker took the modify. `ref` is the number the rest now lives under: a new one, or the same."""

    ref: BrokerRef
    raw: str


class ModifyRefused(msgspec.Struct, frozen=True, kw_only=True, tag="modify_refused"):
    """The old terms stay in force, unless a query says otherwise."""

    code: str
    text: str
    raw: str


ModifyOutcome = ModifyAccepted | ModifyRefused | NotSent | Unknown

# ---- what the stream and the queries say --------------------------------------------------------


class BrokerState(StrEnum):
    """The state of an order in the broker's own list."""

    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    REPLACED = "REPLACED"  # a modify moved its rest to another number


class OrderReport(msgspec.Struct, frozen=True, kw_only=True, tag="order_report"):
    """One order as the broker lists or announces it, with cumulative figures (I-04, I-06).

    `ts_event_ns` is when the broker took the order in (queries) or when the change happened (stream).
    `is_doubtful`: the broker calls it ended and nothing says why; a number that took over may not be shown
    yet, so it ends nothing (I-49).
    """

    account_id: AccountId
    ref: BrokerRef
    symbol: str
    venue: Venue
    currency: Currency
    side: Side
    order_type: OrderType
    qty: Decimal
    price: Decimal | None
    state: BrokerState
    qty_filled: Decimal
    amount_filled: Decimal
    ts_event_ns: int
    reference: str | None = None
    replaces: BrokerRef | None = None  # the number whose rest this one took over
    costs: dict[str, Decimal] | None = None  # all that this number has cost, by kind; None: not said
    costs_ts_ns: int = 0  # when the broker last changed them
    text: str = ""
    raw: str = ""
    is_doubtful: bool = False


class FillNotice(msgspec.Struct, frozen=True, kw_only=True, tag="fill_notice"):
    """One execution from the stream. Which of the three identities it has depends on the broker:
    an execution id, a cumulative count, or neither (then a twin and a repeat look the same, F-30).
    """

    account_id: AccountId
    ref: BrokerRef
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    ts_event_ns: int
    execution_id: ExecutionId | None = None
    qty_cumulative: Decimal | None = None
    amount_cumulative: Decimal | None = None
    raw: str = ""


class TradeBust(msgspec.Struct, frozen=True, kw_only=True, tag="trade_bust"):
    """The exchange took a fill back, or corrected its price (F-53).

    `qty` and `price` are those of the fill as it was announced; `price_new` is None when the whole fill is
    taken back.
    """

    account_id: AccountId
    ref: BrokerRef
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    price_new: Decimal | None
    ts_event_ns: int
    identity: str  # of this correction: the same one counts once
    raw: str = ""


class CostReport(msgspec.Struct, frozen=True, kw_only=True, tag="cost_report"):
    """What the broker charged for one of its numbers, in total and by cost kind (I-37, F-63).

    In the currency of the order; an adapter that is told another one says UnreadableNotice. `qty_filled` and
    `amount_filled` are what the number had filled when this was counted: a report may overtake a fill.
    """

    account_id: AccountId
    ref: BrokerRef
    costs: dict[str, Decimal]
    qty_filled: Decimal
    amount_filled: Decimal
    ts_event_ns: int  # when the broker counted it: of two reports the newer counts
    identity: str  # the broker's name for it, for people
    raw: str = ""


class UnreadableNotice(msgspec.Struct, frozen=True, kw_only=True, tag="unreadable_notice"):
    """A notice nobody could read: kept, raised, and settled by a query (F-27, F-28)."""

    raw: str
    text: str


class StreamGap(msgspec.Struct, frozen=True, kw_only=True, tag="stream_gap"):
    """The stream was interrupted: what came before this point may be missing until a query (F-19)."""

    text: str


class LookAgain(msgspec.Struct, frozen=True, kw_only=True, tag="look_again"):
    """Something changed at the broker that only its complete list can tell: a study is asked for."""

    text: str


BrokerReport = OrderReport | FillNotice | TradeBust | CostReport | UnreadableNotice | StreamGap | LookAgain


class OrderHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Every order of one account on one trading day, over every page and venue.

    Only complete histories exist: a query that lost a page raises BrokerUnavailable instead (I-39).
    `asked_ns` is our clock before the first page was asked for: the watermark of what it can prove (I-19).
    `left_out` counts rows that the list has and that are not here: ended orders of ours, nothing new.
    """

    account_id: AccountId
    trade_date: str
    asked_ns: int
    orders: tuple[OrderReport, ...]
    left_out: int = 0


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of one symbol as the broker counts them."""

    symbol: str
    qty: Decimal


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """All holdings and cash of an account as the broker counts them; complete or not at all (I-39)."""

    account_id: AccountId
    asked_ns: int
    holdings: tuple[Holding, ...]
    cash: dict[str, Decimal]  # by currency
    cash_untold: tuple[str, ...] = ()  # currencies this broker says nothing of: they are not compared


class ToldDay(msgspec.Struct, frozen=True, kw_only=True):
    """What a broker says of one day at a venue; never its hours."""

    venue: Venue
    day: date
    is_open: bool
