"""The paper broker's own words. The exchange is ours, so they are defined there, once, and named here.

Beside them stands what a broker shows of an execution when it gives no identity, as KIS does: whole seconds,
no execution id, no running total (DESIGN, Never twice).
"""

from decimal import Decimal

import msgspec

from jumun.exchange.protocol import (
    LINE_MAX,
    PAGE_SIZE,
    Answer,
    AskBalance,
    AskHistory,
    AskQuotes,
    BalanceTold,
    Call,
    Cancel,
    Command,
    Hello,
    HistoryPage,
    Modify,
    Notice,
    OrderCancelled,
    OrderModified,
    OrderTaken,
    QuotesTold,
    Refused,
    Reply,
    Submit,
    Subscribe,
)
from jumun.exchange.records import Executed, Execution, NewOrder, OrderChanged, OrderRecord, Printed

__all__ = [
    "LINE_MAX",
    "PAGE_SIZE",
    "Answer",
    "AskBalance",
    "AskHistory",
    "AskQuotes",
    "BalanceTold",
    "Call",
    "Cancel",
    "Command",
    "Executed",
    "Execution",
    "Hello",
    "HistoryPage",
    "Modify",
    "NamelessExecution",
    "NewOrder",
    "Notice",
    "OrderCancelled",
    "OrderChanged",
    "OrderModified",
    "OrderRecord",
    "OrderTaken",
    "Printed",
    "QuotesTold",
    "Refused",
    "Reply",
    "Submit",
    "Subscribe",
]


class NamelessExecution(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An execution without identity: two twins in one second read the same, letter for letter (F-30)."""

    account_id: str
    trade_date: str
    branch: str
    number: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    ts_s: int  # whole seconds
