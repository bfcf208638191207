"""A fill, and the rows of the ledger that it makes."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from jumun.model.ids import AccountId, FillId, OrderId
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, Flag, Side


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """Shares that traded. `amount` is exact and is the truth; `price` is what the broker printed.

    `identity` is the broker's execution id, or the notice's content, or the cumulative count that
    proved it; it is unique for an order, so the same fill never counts twice (I-09, I-12).
    """

    fill_id: FillId
    order_id: OrderId
    account_id: AccountId
    symbol: str
    currency: Currency
    side: Side
    qty: Decimal  # shares in this fill, not in total
    price: Decimal  # amount / qty when derived from cumulative amounts
    amount: Decimal  # in `currency`
    identity: str
    trade_date: str
    settlement_date: str
    ts_event_ns: int  # when it happened at the venue
    strategy_id: str = ""  # whose sub-ledger it belongs to
    ref: BrokerRef | None = None  # the broker number that filled
    flags: tuple[Flag, ...] = ()

    @property
    def quantity(self) -> Decimal:
        """Specification 000's name for `qty` (S000-52)."""
        return self.qty


class LedgerKind(StrEnum):
    """Why a ledger row exists. Every row debits one account and credits another (I-32)."""

    FILL = "FILL"
    FEE = "FEE"
    TAX = "TAX"
    REALISED = "REALISED"
    OPENING = "OPENING"
    CORRECTION = "CORRECTION"
    BUST = "BUST"  # a fill that the exchange took back (F-53)
    DIVIDEND = "DIVIDEND"
    SPLIT = "SPLIT"
    TRANSFER = "TRANSFER"  # cash or shares brought in or taken out


class LedgerAccount(StrEnum):
    """The accounts of the double entry, per trading account and currency."""

    CASH = "CASH"
    SECURITIES = "SECURITIES"  # at cost
    FEES = "FEES"
    TAXES = "TAXES"
    PNL = "PNL"
    INCOME = "INCOME"  # dividends
    OUTSIDE = "OUTSIDE"  # money and shares that came from or went to elsewhere, documented


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` (positive) moves from `credit` to `debit`; both always change together (I-32)."""

    kind: LedgerKind
    account_id: AccountId
    currency: Currency
    amount: Decimal
    debit: LedgerAccount
    credit: LedgerAccount
    symbol: str = ""
    qty: Decimal = Decimal(0)  # signed change of the position, on FILL and OPENING rows
    order_id: OrderId | None = None
    fill_id: FillId | None = None
    cost_kind: str = ""  # BROKERAGE, TRANSACTION_TAX, … on FEE and TAX rows
    trade_date: str
    settlement_date: str
    note: str = ""
