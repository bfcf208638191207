"""What clients of the exchange say and what it answers: one set of words for memory, socket and ledger.

On a socket each message is one line of JSON. Every call carries an id; the answer repeats it. Decimals travel
as text.
"""

from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.auction import Clearing
from jumun.exchange.records import (
    AccountBalance,
    Arrival,
    Bust,
    Execution,
    MarketEvent,
    ModifyArrival,
    NewOrder,
    OrderRecord,
)
from jumun.exchange.scripted import Act
from jumun.exchange.snapshot import MarketState
from jumun.exchange.world import World
from jumun.model.instruments import Venue
from jumun.model.orders import TradingSession
from jumun.ports.outside import Quote

VERSION: Final = 1
PAGE_SIZE: Final = 100  # orders in one page of history
LINE_MAX: Final = 64 * 1024 * 1024  # the oracle's dump is one line

# ---- calls ---------------------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="hello"):
    """The first call of a client."""

    client: str
    version: int = VERSION


class Submit(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="submit"):
    """A new order."""

    order: NewOrder


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="cancel"):
    """Cancel what is left of one order."""

    account_id: str
    trade_date: str
    branch: str
    number: str


class Modify(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="modify"):
    """Take shares off what is open of one order, or set another limit price (None: as it is), or both."""

    account_id: str
    trade_date: str
    branch: str
    number: str
    qty_cut: Decimal = Decimal(0)
    price: Decimal | None = None
    tag: str = ""  # for the oracle's eyes only


class AskHistory(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="history"):
    """One page of an account's orders on one day; orders are only ever added at the end."""

    account_id: str
    trade_date: str
    start: int = 0


class AskBalance(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="balance"):
    """Cash and holdings of one account."""

    account_id: str


class AskQuotes(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="quotes"):
    """The newest price and base of every symbol."""


class Subscribe(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="subscribe"):
    """Send notices from now on; of these accounts, or of all when none is named."""

    accounts: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="step"):
    """Control: print a trade of the market."""

    symbol: str
    price: Decimal
    volume: Decimal
    quote_qty: Decimal | None = None
    venue: Venue | None = None
    session: TradingSession | None = None


class SetBase(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="set_base"):
    """Control: fix the base price of one day."""

    symbol: str
    trade_date: str
    price: Decimal


class OpenAccount(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="open_account"):
    """Control: open an account; an account that is already open stays as it is."""

    account_id: str
    cash: dict[str, Decimal]
    holdings: dict[str, Decimal] = {}


class Advance(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="advance"):
    """Control: let orders of ended sessions expire."""


class AskIndicative(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="indicative"):
    """What the auction of a symbol would do with what is there now."""

    symbol: str


class AskOracle(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="oracle"):
    """Control: everything that happened, for a checker."""


class Genesis(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="genesis"):
    """The ledger's first record: the world everything after it happened in."""

    world: World


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="snapshot"):
    """The second record of a compacted ledger: where it goes on from, and what it replaces."""

    state: MarketState
    digest: str
    chain_before: str
    records_before: int


Change = Submit | Cancel | Modify | Step | SetBase | OpenAccount | Advance | Act
Question = Hello | AskHistory | AskBalance | AskQuotes | AskIndicative | Subscribe | AskOracle
Command = Change | Question

# ---- answers -------------------------------------------------------------------------------------------


class Welcome(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="welcome"):
    """Who answers."""

    exchange: str
    version: int
    now_ns: int


class OrderTaken(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="order_taken"):
    """The order is in and has its number."""

    order: OrderRecord


class OrderCancelled(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="order_cancelled"):
    """The rest of the order is cancelled."""

    order: OrderRecord


class OrderModified(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="order_modified"):
    """The new terms are in force; `order` is the number the rest lives under."""

    order: OrderRecord


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="refused"):
    """No: a code from RejectCode, or a reason code for a control call, and one sentence."""

    code: str
    text: str


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="history_page"):
    """Orders from `start` on. `total` is how many there are, so that a lost page is noticed (F-36)."""

    total: int
    start: int
    orders: tuple[OrderRecord, ...]


class BalanceTold(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="balance_told"):
    """Cash and holdings. `total` is how many holdings there are, so that an empty list is noticed (F-40)."""

    balance: AccountBalance
    total: int | None = None


class QuotesTold(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="quotes_told"):
    """Newest prices."""

    quotes: tuple[Quote, ...]


class IndicativeTold(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="indicative_told"):
    """The auction's price as things stand; None where nobody meets. It is no trade (F-48)."""

    clearing: Clearing | None


class Done(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="done"):
    """A control call was carried out."""


class OracleTold(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer", tag="oracle_told"):
    """Everything that happened, and a digest of it."""

    now_ns: int
    orders: tuple[OrderRecord, ...]
    executions: tuple[Execution, ...]
    arrivals: tuple[Arrival, ...]
    modifies: tuple[ModifyArrival, ...] = ()
    busts: tuple[Bust, ...] = ()
    balances: tuple[AccountBalance, ...]
    digest: str


Answer = (
    Welcome
    | OrderTaken
    | OrderCancelled
    | OrderModified
    | Refused
    | HistoryPage
    | BalanceTold
    | QuotesTold
    | IndicativeTold
    | Done
    | OracleTold
)

# ---- lines on a socket -----------------------------------------------------------------------------------


class Call(msgspec.Struct, frozen=True):
    """Client to exchange."""

    id: int
    call: Command


class Reply(msgspec.Struct, frozen=True, tag="reply"):
    """Exchange to client: the answer to call `id`."""

    id: int
    answer: Answer


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Exchange to client: something happened."""

    event: MarketEvent


class Entry(msgspec.Struct, frozen=True):
    """One record of the ledger: what was asked, when, and what came of it."""

    number: int
    ts_ns: int
    command: Genesis | Snapshot | Change
    events: tuple[MarketEvent, ...]
