"""What is traded on a stand and from when: one issue at one venue, on a Monday in June."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from jumun.exchange.sample_world import sample_world
from jumun.exchange.world import World
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import TradingSession
from jumun.rules.sessions import NO_OVERRIDES

NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * NS
QTY: Final = Decimal(10)
SHARES: Final = Decimal(100)  # held at the start
CASH: Final = {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}
TODAY: Final = "2025-06-16"  # a Monday; a session in Korea and in the United States
TOMORROW: Final = "2025-06-17"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What is traded on a stand, and from when."""

    venue: Venue
    symbol: str
    currency: Currency
    price: Decimal
    tick: Decimal
    start_ns: int
    by_sor: bool = False  # the broker lets KIS choose, and KIS chooses NXT
    session: TradingSession = TradingSession.REGULAR  # of all its orders

    @property
    def trades_at(self) -> Venue:
        """Where its orders are, whatever they asked for."""
        return Venue.NXT if self.by_sor else self.venue

    @property
    def low(self) -> Decimal:
        """Where a buy rests."""
        return self.price - 10 * self.tick

    @property
    def ask(self) -> Decimal:
        """Where a buy trades at once: the background quotes stand one tick around the print."""
        return self.price + self.tick

    @property
    def world(self) -> World:
        """A market of this one issue, on the real calendar."""
        whole = sample_world(NO_OVERRIDES)
        issue = next(issue for issue in whole.instruments if issue.symbol == self.symbol)
        issue = msgspec.structs.replace(issue, nxt=self.trades_at is Venue.NXT)
        sessions = () if self.session is TradingSession.REGULAR else (self.session,)
        return msgspec.structs.replace(
            whole, instruments=(issue,), bases={self.symbol: self.price}, sessions=sessions
        )


def _at(zone: str, time: str = "10:00:00") -> int:
    at = datetime.fromisoformat(f"{TODAY}T{time}").replace(tzinfo=ZoneInfo(zone))
    return int(at.timestamp()) * NS


def _korean(venue: Venue, *, by_sor: bool = False) -> Place:
    return Place(
        venue=venue,
        symbol="005930",
        currency=Currency.KRW,
        price=Decimal(58_000),
        tick=Decimal(100),
        start_ns=_at("Asia/Seoul"),
        by_sor=by_sor,
    )


KRX: Final = _korean(Venue.KRX)
SOR: Final = _korean(Venue.KRX, by_sor=True)
NXT: Final = _korean(Venue.NXT)
US: Final = Place(
    venue=Venue.US,
    symbol="AAPL",
    currency=Currency.USD,
    price=Decimal("196.50"),
    tick=Decimal("0.01"),
    start_ns=_at("America/New_York"),
)
US_DAY: Final = msgspec.structs.replace(
    US,
    session=TradingSession.DAY_MARKET,
    start_ns=_at("Asia/Seoul", "12:30:00"),  # 23:30 of the day before in New York
)
