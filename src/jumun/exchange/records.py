"""What the exchange writes down: orders, executions, requests as they arrived, and accounts.

These are the oracle's own words. Nothing here comes from `services` or `store`, so books that agree with
these records agree with what happened and not with themselves.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.model.reports import BrokerState

ZERO: Final = Decimal(0)


class RejectCode(StrEnum):
    """Why the exchange, or the house in front of it, said no. Closed: a client may count on the list."""

    ACCOUNT = "ACCOUNT"
    SYMBOL = "SYMBOL"
    VENUE = "VENUE"
    CURRENCY = "CURRENCY"
    KIND = "KIND"
    QTY = "QTY"
    PRICE = "PRICE"
    TICK = "TICK"
    BAND = "BAND"
    BASE = "BASE"
    TABLE = "TABLE"  # no calendar, tick or cost table covers that day
    CLOSED = "CLOSED"
    CASH = "CASH"
    SHARES = "SHARES"
    NOT_FOUND = "NOT_FOUND"
    FINISHED = "FINISHED"
    HALTED = "HALTED"
    SESSION = "SESSION"  # this market does not run that session, or the issue is not in it
    TOO_LATE = "TOO_LATE"  # past the cut-off of an auction
    UNCHANGED = "UNCHANGED"  # a modify that asks for what is already in force


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer no: a code from the list and one sentence."""

    code: RejectCode
    text: str


class NewOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order as a client sends it. `tag` is for the oracle's eyes only and never comes back to a client.

    `reference` comes back in every report. `client` names the program or person that sent it.
    """

    account_id: str
    symbol: str
    venue: Venue
    currency: Currency
    side: Side
    order_type: OrderType
    tif: TimeInForce
    qty: Decimal
    price: Decimal | None = None
    reference: str | None = None
    tag: str = ""
    client: str = ""
    session: TradingSession = TradingSession.REGULAR
    stop_price: Decimal | None = None  # STOP and STOP_LIMIT, where the exchange holds them
    good_till: str = ""  # GTD: the last trading day, ISO date


class Charged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that an order was charged, by kind, and when that last changed."""

    costs: dict[str, Decimal]
    ts_ns: int


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One accepted order. Its identity is (trade_date, branch, number): numbers restart daily (I-64)."""

    account_id: str
    trade_date: str
    branch: str
    number: str
    symbol: str
    venue: Venue
    currency: Currency
    side: Side
    order_type: OrderType
    tif: TimeInForce
    qty: Decimal
    price: Decimal | None
    state: BrokerState
    qty_filled: Decimal = ZERO
    amount_filled: Decimal = ZERO
    ts_accepted_ns: int
    ts_changed_ns: int
    expires_ns: int
    text: str = ""
    reference: str | None = None
    tag: str = ""
    client: str = ""
    replaces: str = ""  # key of the number whose rest this one took over
    qty_earlier: Decimal = (
        ZERO  # filled under the numbers it replaces: costs are counted over the whole chain
    )
    amount_earlier: Decimal = ZERO
    session: TradingSession = TradingSession.REGULAR
    stop_price: Decimal | None = None
    qty_busted: Decimal = ZERO  # taken back by the exchange; never worked again
    average_price: Decimal | None = None  # shown to clients only, cut to whole units (F-39)
    charged: Charged | msgspec.UnsetType = msgspec.UNSET  # only in a world that shows it (reports_costs)

    @property
    def key(self) -> str:
        """The identity as one word."""
        return f"{self.trade_date}/{self.branch}/{self.number}"

    @property
    def qty_left(self) -> Decimal:
        """Shares that can still fill; zero after an over-fill."""
        left = self.qty - self.qty_filled - self.qty_busted
        return left if left > ZERO else ZERO

    @property
    def is_open(self) -> bool:
        """Whether it can still fill."""
        return self.state is BrokerState.WORKING


class Execution(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fill of one order, with the money and the shares it moved."""

    execution_id: str
    account_id: str
    trade_date: str
    branch: str
    number: str
    symbol: str
    currency: Currency
    side: Side
    qty: Decimal
    price: Decimal
    qty_cumulative: Decimal
    amount_cumulative: Decimal
    costs: dict[str, Decimal] = {}  # what this fill added to the order's costs, by kind
    cash_change: Decimal  # signed, costs included
    qty_change: Decimal  # signed
    settlement_date: str
    ts_ns: int


class Bust(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fill taken back, or repriced to `price_new`, with the money and the shares that moved (F-53)."""

    identity: str
    execution_id: str
    account_id: str
    trade_date: str
    branch: str
    number: str
    symbol: str
    currency: Currency
    side: Side
    qty: Decimal  # of the fill
    price: Decimal  # as it was announced
    price_new: Decimal | None
    qty_cumulative: Decimal  # of the order, after it
    amount_cumulative: Decimal
    costs: dict[str, Decimal] = {}  # what it added to the order's costs, by kind: negative
    cash_change: Decimal
    qty_change: Decimal
    ts_ns: int


class Arrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A new order that reached the exchange, accepted or not: a checker counts double sends with these."""

    order: NewOrder
    ts_ns: int
    number: str = ""  # empty when refused
    trade_date: str = ""
    refused: RejectCode | None = None


class ModifyArrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A modify that reached the exchange: `key` is the order it names, `made` what its rest lives under."""

    account_id: str
    key: str
    qty_cut: Decimal
    price: Decimal | None
    tag: str
    ts_ns: int
    made: str = ""  # empty when refused
    refused: RejectCode | None = None


# ---- events: what every call returns, what the ledger keeps, what clients are told ------------------


class OrderChanged(msgspec.Struct, frozen=True, kw_only=True, tag="order_changed"):
    """An order was accepted, modified, replaced, cancelled or expired; fills have their own event."""

    order: OrderRecord
    ts_ns: int


class Executed(msgspec.Struct, frozen=True, kw_only=True, tag="executed"):
    """An order traded."""

    execution: Execution


class OrderRefused(msgspec.Struct, frozen=True, kw_only=True, tag="order_refused"):
    """A new order was refused."""

    arrival: Arrival
    text: str


class CancelNotDone(msgspec.Struct, frozen=True, kw_only=True, tag="cancel_not_done"):
    """A cancel was refused."""

    account_id: str
    key: str
    refusal: Refusal
    ts_ns: int


class ModifyNotDone(msgspec.Struct, frozen=True, kw_only=True, tag="modify_not_done"):
    """A modify was refused."""

    arrival: ModifyArrival
    text: str


class AccountOpened(msgspec.Struct, frozen=True, kw_only=True, tag="account_opened"):
    """An account received its opening cash and shares."""

    account_id: str
    cash: dict[str, Decimal]
    holdings: dict[str, Decimal]
    ts_ns: int


class Printed(msgspec.Struct, frozen=True, kw_only=True, tag="printed"):
    """The market traded; `base` is the price today's limits are counted from.

    `venue` is None where the issue is listed; `session` names the part of the day.
    """

    symbol: str
    price: Decimal
    volume: Decimal
    base: Decimal | None
    ts_ns: int
    venue: Venue | None = None
    session: TradingSession = TradingSession.REGULAR


class TradeBusted(msgspec.Struct, frozen=True, kw_only=True, tag="trade_busted"):
    """A fill was taken back or repriced."""

    bust: Bust


class CostsTold(msgspec.Struct, frozen=True, kw_only=True, tag="costs_told"):
    """What the house charged for a number that has ended, in total and by kind (F-63)."""

    account_id: str
    trade_date: str
    branch: str
    number: str
    costs: dict[str, Decimal]
    qty: Decimal  # all that it has filled
    amount: Decimal
    identity: str
    ts_ns: int


class AccountAdjusted(msgspec.Struct, frozen=True, kw_only=True, tag="account_adjusted"):
    """Cash or shares moved, or cash was blocked, without any fill; nobody is told (F-54, F-61)."""

    account_id: str
    cash: dict[str, Decimal]
    holdings: dict[str, Decimal]
    blocked: dict[str, Decimal]
    text: str
    ts_ns: int


class Interrupted(msgspec.Struct, frozen=True, kw_only=True, tag="interrupted"):
    """Trading changed its manner: VI, HALT, PAUSE, CIRCUIT_BREAKER, EXTENDED, RESUMED. No symbol: the venue.

    `until_ns` is None where nobody knows.
    """

    symbol: str
    venue: Venue
    what: str
    until_ns: int | None
    text: str
    ts_ns: int


MarketEvent = (
    OrderChanged
    | Executed
    | OrderRefused
    | CancelNotDone
    | ModifyNotDone
    | AccountOpened
    | Printed
    | TradeBusted
    | CostsTold
    | AccountAdjusted
    | Interrupted
)


class AccountBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds. `cash` counts trades at once, settled or not, costs taken off."""

    account_id: str
    cash: dict[str, Decimal]
    holdings: dict[str, Decimal]
