"""Values for tests of the exchange, with everything a test does not care about filled in."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import NewOrder, OrderRecord, Refusal
from jumun.exchange.sample_world import sample_world
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.rules.trading_days import ALWAYS_OPEN, NO_OVERRIDES, Overrides

ACCOUNT = "A"
SYMBOL = "005930"
PRICE = Decimal(58_000)
NOON_NS = 1_750_042_800_000_000_000  # 2025-06-16 12:00 in Seoul, a Monday


def seoul_ns(text: str) -> int:
    """Return UTC nanoseconds of a Seoul wall clock time such as 2025-06-16 09:00."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Seoul"))
    return int(moment.timestamp()) * 1_000_000_000


def new_york_ns(text: str) -> int:
    """Return UTC nanoseconds of a New York wall clock time."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York"))
    return int(moment.timestamp()) * 1_000_000_000


def a_market(overrides: Overrides = ALWAYS_OPEN, *, now_ns: int = NOON_NS) -> Market:
    """A market with one rich account that also holds shares."""
    market = Market(sample_world(overrides))
    market.open_account(
        ACCOUNT,
        cash={"KRW": Decimal(10_000_000_000), "USD": Decimal(1_000_000)},
        holdings={SYMBOL: Decimal(10_000)},
        now_ns=now_ns,
    )
    return market


def order(
    side: Side = Side.BUY,
    *,
    qty: Decimal | int = 10,
    price: Decimal | int | None = PRICE,
    tif: TimeInForce = TimeInForce.DAY,
    symbol: str = SYMBOL,
    account_id: str = ACCOUNT,
    venue: Venue = Venue.KRX,
    currency: Currency = Currency.KRW,
    order_type: OrderType | None = None,
    session: TradingSession = TradingSession.REGULAR,
    stop_price: Decimal | int | None = None,
    good_till: str = "",
) -> NewOrder:
    """An order; without a price it is a market order."""
    kind = order_type or (OrderType.MARKET if price is None else OrderType.LIMIT)
    return NewOrder(
        account_id=account_id,
        symbol=symbol,
        venue=venue,
        currency=currency,
        side=side,
        order_type=kind,
        tif=tif,
        qty=Decimal(qty),
        price=None if price is None else Decimal(price),
        session=session,
        stop_price=None if stop_price is None else Decimal(stop_price),
        good_till=good_till,
    )


def taken(answer: OrderRecord | Refusal) -> OrderRecord:
    """Insist on acceptance."""
    assert isinstance(answer, OrderRecord), answer
    return answer


def refused(answer: OrderRecord | Refusal) -> str:
    """Insist on refusal and return its code."""
    assert isinstance(answer, Refusal), answer
    assert answer.text
    return answer.code.value


def a_market_with(
    overrides: Overrides = NO_OVERRIDES, *, now: str = "2025-06-16 07:00", **switches: Any
) -> Market:
    """A market on real sessions with switches of its world set; shares of every issue are in the account."""
    world = msgspec.structs.replace(sample_world(overrides), **switches)
    nxt = tuple(
        msgspec.structs.replace(instrument, nxt=instrument.symbol == SYMBOL)
        for instrument in world.instruments
    )
    market = Market(msgspec.structs.replace(world, instruments=nxt))
    market.open_account(
        ACCOUNT,
        cash={"KRW": Decimal(10_000_000_000), "USD": Decimal(1_000_000)},
        holdings={instrument.symbol: Decimal(10_000) for instrument in nxt},
        now_ns=seoul_ns(now),
    )
    return market
