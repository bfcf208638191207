"""Clock, ids, prices and bus: the small ports."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

import msgspec

from jumun.model.journal import Message
from jumun.model.reports import ToldDay


class Clock(Protocol):
    """Time. `now_ns` is UTC for records; durations use `monotonic_ns`, which no wall step moves (I-62)."""

    def now_ns(self) -> int:
        """UTC nanoseconds since 1970."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds that only go forward."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock."""
        ...


class IdSource(Protocol):
    """New ids; chance comes from here and nowhere else (I-63)."""

    def new_id(self, ts_ns: int) -> str:
        """Return a UUIDv7 for this instant."""
        ...


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a symbol's price, in its currency."""

    symbol: str
    last: Decimal | None  # newest trade
    base: Decimal | None  # the price the daily band is counted from: the previous close
    ts_ns: int


class Prices(Protocol):
    """Newest known prices; None when nothing is known, never a default (I-53)."""

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest quote of a symbol."""
        ...


PriceListener = Callable[[Quote], None]


class PriceFeed(Prices, Protocol):
    """Prices that are also pushed: a stop must not miss a price between two looks."""

    def on_price(self, listener: PriceListener) -> None:
        """Call `listener` with every new quote, in order."""
        ...


class DailyClose(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The close of one trading day, in the symbol's currency."""

    date: str  # ISO date of the venue's trading day
    close: Decimal  # as it traded: values what was held on that day
    adjusted: Decimal  # for splits since then: what returns are computed from


class PriceHistory(Protocol):
    """Daily closes. What is not known is missing, never filled in (I-53)."""

    async def closes(self, symbol: str, count: int) -> Sequence[DailyClose]:
        """Return at most `count` newest closes of a symbol, oldest first, each date once."""
        ...


class DaySource(Protocol):
    """Somebody else's calendar, to hold ours against."""

    async def trading_days(self, first: date) -> Sequence[ToldDay]:
        """Return days from `first` on, as far as it tells; raises BrokerUnavailable."""
        ...


Subscriber = Callable[[Message], Awaitable[None]]


class Bus(Protocol):
    """Carries messages out. The outbox feeds it, at least once, in order."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Hand over; returns when the bus has them. Raises OmsError to be asked again later."""
        ...
