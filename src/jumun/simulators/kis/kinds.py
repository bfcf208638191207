"""ORD_DVSN, the kind of an order, in the market's words: the tables of kis.md 4.1 and 4.5.

Kinds whose price follows the book (best, priority) become limits at the price of the moment they arrive.
Kinds that live on inside the exchange (conditional, mid-price) are known and refused: this market has none.
"""

from datetime import date
from enum import StrEnum
from typing import Final

import msgspec

from jumun.exchange.records import OrderRecord
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, TimeInForce, TradingSession
from jumun.rules.sessions import KRX_REFORM

KRX, NXT, SOR = "KRX", "NXT", "SOR"
VENUES: Final = (KRX, NXT, SOR)
PAPER_KINDS: Final = frozenset({"00", "01", "02", "03", "04"})
_ALL: Final = frozenset({KRX, NXT, SOR})
_BOTH: Final = frozenset({KRX, NXT})


class Pricing(StrEnum):
    """Where the price of an order comes from."""

    GIVEN = "given"
    NONE = "none"
    BEST = "best"  # the other side's best price on arrival
    PRIORITY = "priority"  # the own side's best price on arrival


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One order kind. `untraded` says why this market cannot do it; empty where it can."""

    code: str
    name: str
    order_type: OrderType = OrderType.LIMIT
    tif: TimeInForce = TimeInForce.DAY
    session: TradingSession = TradingSession.REGULAR
    pricing: Pricing = Pricing.GIVEN
    venues: frozenset[str] = _ALL
    first: date | None = None
    last: date | None = None
    untraded: str = ""

    @property
    def is_evening(self) -> bool:
        """Whether it is one of the kinds of the KRX after-market."""
        return self.session is TradingSession.AFTER_MARKET

    def is_in_force(self, day: date) -> bool:
        """Whether the exchange knows the kind on that day."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


def _kind(code: str, name: str, **more: object) -> Kind:
    return msgspec.convert({"code": code, "name": name, **more}, Kind)


_IOC, _FOK = {"tif": "IOC"}, {"tif": "FOK"}
_MARKET: Final = {"order_type": "MARKET", "pricing": "none"}
_EVENING: Final = {"session": "AFTER_MARKET", "venues": [KRX], "first": KRX_REFORM}
_EARLY: Final = {"session": "PRE_MARKET", "venues": [NXT], "first": KRX_REFORM}
_BEST, _PRIORITY = {"pricing": "best"}, {"pricing": "priority"}
_MID: Final = {"untraded": "no mid-price orders", "pricing": "none", "venues": [KRX, NXT]}
_BEFORE_REFORM: Final = date.fromordinal(KRX_REFORM.toordinal() - 1)

DOMESTIC: Final = {
    kind.code: kind
    for kind in (
        _kind("00", "지정가"),
        _kind("01", "시장가", **_MARKET, venues=[KRX, SOR]),
        _kind("02", "조건부지정가", venues=[KRX], untraded="no order that turns into a market order"),
        _kind("03", "최유리지정가", **_BEST),
        _kind("04", "최우선지정가", **_PRIORITY),
        _kind("05", "장전시간외", **_MARKET, session="CLOSE_BEFORE", venues=[KRX]),
        _kind("06", "장후시간외", **_MARKET, session="CLOSE_AFTER", venues=[KRX]),
        _kind("07", "시간외단일가", session="SINGLE_PRICE", venues=[KRX], last=_BEFORE_REFORM),
        _kind("11", "IOC지정가", **_IOC),
        _kind("12", "FOK지정가", **_FOK),
        _kind("13", "IOC시장가", **_MARKET, **_IOC),
        _kind("14", "FOK시장가", **_MARKET, **_FOK),
        _kind("15", "IOC최유리", **_BEST, **_IOC),
        _kind("16", "FOK최유리", **_BEST, **_FOK),
        _kind("21", "중간가", **_MID),
        _kind("22", "스톱지정가", order_type="STOP_LIMIT", venues=[KRX, NXT]),
        _kind("23", "중간가IOC", **_MID, **_IOC),
        _kind("24", "중간가FOK", **_MID, **_FOK),
        _kind("27", "GTP지정가", **_EARLY),
        _kind("28", "GTP최유리", **_EARLY, **_BEST),
        _kind("29", "GTP최우선", **_EARLY, **_PRIORITY),
        _kind("41", "애프터지정가", **_EVENING),
        _kind("42", "애프터IOC지정가", **_EVENING, **_IOC),
        _kind("43", "애프터FOK지정가", **_EVENING, **_FOK),
        _kind("44", "애프터최유리", **_EVENING, **_BEST),
        _kind("45", "애프터IOC최유리", **_EVENING, **_BEST, **_IOC),
        _kind("46", "애프터FOK최유리", **_EVENING, **_BEST, **_FOK),
        _kind("47", "애프터최우선", **_EVENING, **_PRIORITY),
    )
}
US: Final = {
    kind.code: kind
    for kind in (
        _kind("00", "지정가"),
        _kind("31", "장개시시장가", order_type="MOO", pricing="none"),
        _kind("32", "장개시지정가", order_type="LOO"),
        _kind("33", "장마감시장가", order_type="MOC", pricing="none"),
        _kind("34", "장마감지정가", order_type="LOC"),
        _kind("35", "TWAP", untraded="no algorithms"),
        _kind("36", "VWAP", untraded="no algorithms"),
    )
}
US_SELL_ONLY: Final = frozenset({"31", "33"})

_SESSION_CODES: Final = {
    TradingSession.CLOSE_BEFORE: "05",
    TradingSession.CLOSE_AFTER: "06",
    TradingSession.SINGLE_PRICE: "07",
    TradingSession.PRE_MARKET: "27",
}
_EVENING_CODES: Final = {TimeInForce.IOC: "42", TimeInForce.FOK: "43"}
_US_CODES: Final = {kind.order_type: kind.code for kind in US.values() if not kind.untraded}
_CODES: Final = {
    (OrderType.MARKET, TimeInForce.DAY): "01",
    (OrderType.LIMIT, TimeInForce.IOC): "11",
    (OrderType.LIMIT, TimeInForce.FOK): "12",
    (OrderType.MARKET, TimeInForce.IOC): "13",
    (OrderType.MARKET, TimeInForce.FOK): "14",
}


def code_of(record: OrderRecord) -> str:
    """Return the code an order of the market shows when nobody asked this house for it."""
    if record.venue is Venue.US:
        return _US_CODES.get(record.order_type, "00")
    if record.session in _SESSION_CODES:
        return _SESSION_CODES[record.session]
    if record.session is TradingSession.AFTER_MARKET and record.venue is Venue.KRX:
        return _EVENING_CODES.get(record.tif, "41")
    if record.order_type is OrderType.STOP_LIMIT:
        return "22"
    return _CODES.get((record.order_type, record.tif), "00")


def name_of(code: str, venue: Venue) -> str:
    """Return the Korean name of a kind."""
    table = US if venue is Venue.US else DOMESTIC
    return table[code].name if code in table else ""
