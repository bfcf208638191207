"""What a strategy says: a signal, and the intent that risk approved."""

from decimal import Decimal

import msgspec

from jumun.model.ids import AccountId, UserId
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession


class TradingSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy's wish (S000-34). Not yet approved, not yet an order."""

    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType = OrderType.LIMIT
    price: Decimal | None = None
    strategy_id: str = ""
    strategy_version: str = ""
    account_id: AccountId
    signal_ts_ns: int  # UTC
    time_in_force: TimeInForce | None = None
    stop_price: Decimal | None = None
    leg: str = ""


class ApprovedOrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An intent that passed risk: the only thing that becomes an order (S002-12, S002-13)."""

    account_id: AccountId
    symbol: str
    side: Side
    order_type: OrderType
    qty: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None  # None: DAY with the desk's order_timeout (C-14)
    strategy_id: str
    strategy_version: str
    signal_ts_ns: int
    leg: str = ""
    venue: Venue | None = None  # None: where the issue is listed
    session: TradingSession | None = None  # None: the regular one
    good_till: str = ""  # GTD only: the last trading day, ISO date
    user_id: UserId
    client_order_id: str | None = None  # explicit key: other content is refused as a conflict (C-4)
    correlation_id: str = ""
