"""The values a decision depends on besides the book: settings, tables, and what is known right now."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from jumun.model.ids import AccountId
from jumun.model.instruments import Instrument, InstrumentMaster, Venue
from jumun.model.orders import OrderType, TimeInForce, TradingSession
from jumun.model.positions import Account
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.book import Book
from jumun.rules.cost_tables import CostPlan
from jumun.rules.told_days import NO_DISPUTES, Day
from jumun.rules.trading_days import Overrides

SECOND_NS: Final = 1_000_000_000

KIND = tuple[Venue, OrderType, TimeInForce]


def _default_order_values() -> dict[str, Decimal]:
    return {"KRW": Decimal(10_000_000), "USD": Decimal(10_000)}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits and times of specifications 000 and 002. A missing currency limit refuses (I-53)."""

    max_order_value: dict[str, Decimal] = msgspec.field(default_factory=_default_order_values)
    max_position_count: int = 10
    max_position_size: Decimal = Decimal(1_000_000)  # shares per symbol (C-12, S004-53)
    max_queue_size: int = 1000
    max_concurrent_orders: int = 10
    order_timeout_s: int = 300  # life of an order without an explicit time in force (C-14)
    priority_timeout_s: int = 300  # longest wait in the queue
    send_retry_s: tuple[int, ...] = (1, 2, 4)  # EMS-02: only after a send that provably never left
    cancel_retry_s: tuple[int, ...] = (1, 2, 4, 8, 15)  # the last one repeats
    us_market_reserve: Decimal = Decimal(
        "1.20"
    )  # a US market order is reserved at this multiple of the last price
    max_partial_fill_time_s: int = 300  # part filled for longer raises an alarm (S000-86, S000-99)
    min_fill_size: Decimal = Decimal(1)  # a smaller fill that leaves shares open raises an alarm (S000-100)
    max_fills_per_order: int = 100  # more fills raise an alarm (S000-85, S000-101)
    enable_partial_fills: bool = True  # False: the rest is cancelled at the first part fill (S000-95)
    ack_alert_s: int = 30  # sent and not accepted for longer raises an alarm (C-14, S002-69)
    fill_alert_s: int = 120  # accepted and without any fill for longer raises an alarm (S000-83)
    abnormal_price_ratio: Decimal = Decimal("0.05")  # a fill further from the last price (S000-84)
    cost_tolerance: Decimal = Decimal("0.01")  # of our estimate; further off it is an alarm (I-37)
    unknown_max: int = 20  # so many orders of unknown outcome, and no new one is taken or sent (F-18)
    quote_age_max_s: int = 0  # 0: no limit; above it a market order without a fresh price is refused


class Quote(Protocol):
    """What a decision may know of a price (ports.outside.Quote fits)."""

    @property
    def last(self) -> Decimal | None: ...
    @property
    def base(self) -> Decimal | None: ...
    @property
    def ts_ns(self) -> int: ...


class Denial(msgspec.Struct, frozen=True):
    """Why something is refused: a code and one sentence."""

    reason: Reason
    text: str


Approve = Callable[[ApprovedOrderIntent, Book, "Facts"], Denial | None]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Everything fixed for the life of a desk."""

    environment: str
    instruments: InstrumentMaster
    accounts: dict[AccountId, Account]
    cost_plans: dict[str, CostPlan]
    sessions: Overrides
    limits: Limits
    kinds: frozenset[KIND]  # what the broker takes
    carries_reference: bool
    unknown_order_policy: str  # hold | resend_once
    visible_after_ns: int
    settles_after_ns: int
    modifies: bool = False  # whether the broker can change a working order
    session_kinds: frozenset[tuple[Venue, TradingSession]] = frozenset()  # beside the regular session
    approve: "Approve | None" = None  # where the risk engine plugs in

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument; raises UnknownSymbol (F-59)."""
        return self.instruments.get(symbol)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at the moment of a decision; all that is not in the book or the policy."""

    now_ns: int
    new_id: Callable[[], str]
    quote: Callable[[str], Quote | None]
    disputed: Mapping[Day, str] = NO_DISPUTES  # days on which the broker and our calendar differ, and why
