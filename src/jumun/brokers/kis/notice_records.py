"""The fields of an order notice, from text to values by closed tables (kis.md 5.5, 5.8). Pure.

Two layouts exist of each stream and nobody knows which one the service sends today; the number of fields
tells them apart. A record with a column more or less, or with one moved, fits no table and is refused (F-27).
"""

import re
from collections.abc import Container
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from jumun.brokers.kis.codes import ORDER_KINDS, SIDE_OF_CODE
from jumun.brokers.kis.fields import ZERO, tidy
from jumun.brokers.kis.frames import DataFrame
from jumun.model.errors import UnreadableReply
from jumun.model.ids import BrokerOrderNo
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, Side

NO_NUMBER: Final = BrokerOrderNo("")
SEPARATOR: Final = "^"
HOLDER: Final = "ACNT_NAME"  # no evidence of a trade
PRICE_DIGITS: Final = 9  # of CNTG_UNPR


class Stream(StrEnum):
    """Which market a notice stream tells of."""

    DOMESTIC = "domestic"
    OVERSEAS = "overseas"


class Action(StrEnum):
    """What the order of a notice does (RCTF_CLS)."""

    NEW = "new"
    REVISE = "revise"
    CANCEL = "cancel"


class Happened(StrEnum):
    """What became of it (RFUS_YN, CNTG_YN and ACPT_YN together)."""

    TAKEN = "taken"
    CONFIRMED = "confirmed"
    REST_CANCELLED = "rest_cancelled"
    FILLED = "filled"
    REFUSED = "refused"


STREAM_BY_TR: Final = {
    "H0STCNI0": Stream.DOMESTIC,
    "H0STCNI9": Stream.DOMESTIC,
    "H0GSCNI0": Stream.OVERSEAS,
    "H0GSCNI9": Stream.OVERSEAS,
}
ACTION_BY_CODE: Final = {"0": Action.NEW, "1": Action.REVISE, "2": Action.CANCEL}
# RFUS_YN, CNTG_YN, ACPT_YN. Refusals say "received" by inference only (kis.md part 8, 23), so both are taken.
# "Confirmed" of a new order is in no example; it can mean nothing but that the order works.
HAPPENED_BY_CODES: Final = {
    ("0", "1", "1"): Happened.TAKEN,
    ("0", "1", "2"): Happened.CONFIRMED,
    ("0", "1", "3"): Happened.REST_CANCELLED,
    ("0", "2", "2"): Happened.FILLED,
    ("1", "1", "1"): Happened.REFUSED,
    ("1", "1", "2"): Happened.REFUSED,
}
# 3 and 4 went through SOR, to KRX and to NXT: both count for the home venue, as in the list (codes.py).
VENUE_BY_CODE: Final = {"1": Venue.KRX, "2": Venue.NXT, "3": Venue.KRX, "4": Venue.KRX}
# ODER_COND of the overseas stream. The others, Hong Kong to Vietnam, have other prices: not traded here.
US_MARKET_CODES: Final = frozenset({"6", "7", "8"})  # NASDAQ, NYSE, AMEX

# ODER_KIND2. 6 and 7, odd lots, exist in Hong Kong only.
US_TYPE_BY_KIND: Final = {
    "1": OrderType.MARKET,
    "2": OrderType.LIMIT,
    "A": OrderType.MOO,
    "B": OrderType.LOO,
    "C": OrderType.MOC,
    "D": OrderType.LOC,
}

_DOMESTIC_FIRST: Final = (
    "CUST_ID",
    "ACNT_NO",
    "ODER_NO",
    "OODER_NO",
    "SELN_BYOV_CLS",
    "RCTF_CLS",
    "ODER_KIND",
    "ODER_COND",
    "STCK_SHRN_ISCD",
    "CNTG_QTY",
    "CNTG_UNPR",
    "STCK_CNTG_HOUR",
    "RFUS_YN",
    "CNTG_YN",
    "ACPT_YN",
    "BRNC_NO",
    "ODER_QTY",
    "ACNT_NAME",
)
_OVERSEAS_FIRST: Final = (
    "CUST_ID",
    "ACNT_NO",
    "ODER_NO",
    "OODER_NO",
    "SELN_BYOV_CLS",
    "RCTF_CLS",
    "ODER_KIND2",
    "STCK_SHRN_ISCD",
    "CNTG_QTY",
    "CNTG_UNPR",
    "STCK_CNTG_HOUR",
    "RFUS_YN",
    "CNTG_YN",
    "ACPT_YN",
    "BRNC_NO",
    "ODER_QTY",
    "ACNT_NAME",
    "CNTG_ISNM",
    "ODER_COND",
    "DEBT_GB",
    "DEBT_DATE",
)
LAYOUTS: Final[dict[Stream, tuple[tuple[str, ...], ...]]] = {
    Stream.DOMESTIC: (
        (
            *_DOMESTIC_FIRST,
            "ORD_COND_PRC",
            "ORD_EXG_GB",
            "POPUP_YN",
            "FILLER",
            "CRDT_CLS",
            "CRDT_LOAN_DATE",
            "CNTG_ISNM40",
            "ODER_PRC",
        ),
        (*_DOMESTIC_FIRST, "CNTG_ISNM", "CRDT_CLS", "CRDT_LOAN_DATE", "CNTG_ISNM40", "ODER_PRC"),
    ),
    Stream.OVERSEAS: (
        (*_OVERSEAS_FIRST, "START_TM", "END_TM", "TM_DIV_TP", "CNTG_UNPR12"),
        _OVERSEAS_FIRST,
    ),
}

_ACCOUNT = re.compile(r"[0-9]{10}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_BRANCH = re.compile(r"[0-9]{1,5}", re.ASCII)
_QTY = re.compile(r"[0-9]{1,10}", re.ASCII)
_PRICE = re.compile(r"[0-9]{1,9}", re.ASCII)
_WIDE_PRICE = re.compile(r"[0-9]{12}", re.ASCII)
_TIME = re.compile(r"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]", re.ASCII)


class NoticeSwitches(msgspec.Struct, frozen=True, kw_only=True):
    """What kis.md leaves open about notices, with our defaults."""

    venue_untold: Venue = Venue.KRX  # of the 23-field layout, which names no venue
    us_decimals: int = 4  # implied in CNTG_UNPR and CNTG_UNPR12
    us_wide_price: bool = True  # read CNTG_UNPR12 where it is there; it must agree with CNTG_UNPR
    us_zone: str = "Asia/Seoul"  # of the time in overseas notices


class NoticeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One notice as KIS tells it.

    `qty` and `price` are CNTG_QTY and CNTG_UNPR: the fill's on a fill, else the order's. `price` is None
    where it says zero: an order without a price. ODER_QTY and ODER_PRC are not read: taking a fill from
    them is a known accident (kis.md 5.5).
    """

    stream: Stream
    account: str  # account and product, ten digits
    number: BrokerOrderNo
    original: BrokerOrderNo  # the number that a revise or cancel is about; empty otherwise
    branch: str
    side: Side
    action: Action
    happened: Happened
    order_type: OrderType
    symbol: str
    venue: Venue
    qty: Decimal
    price: Decimal | None
    time: str  # HHMMSS, no date
    raw: str


def split_records(frame: DataFrame, plain: str) -> list[dict[str, str]]:
    """Return the named fields of every record, or raise UnreadableReply: all or nothing (F-29)."""
    layouts = LAYOUTS[_stream_of(frame, plain)]
    fields = plain.split(SEPARATOR)
    for layout in layouts:
        size = len(layout)
        if len(fields) == frame.count * size:
            starts = range(0, len(fields), size)
            return [dict(zip(layout, fields[at : at + size], strict=True)) for at in starts]
    known = " or ".join(str(len(layout)) for layout in layouts)
    raise UnreadableReply(
        f"{frame.count} records of {frame.tr_id} have {len(fields)} fields, not {known} each; "
        "look for a notice of a new layout",
        raw=plain,
    )


def account_of(fields: dict[str, str]) -> str:
    """Return whose notice it is, before anything else of it is read."""
    return _matched(fields, "ACNT_NO", _ACCOUNT)


def read_record(tr_id: str, fields: dict[str, str], switches: NoticeSwitches) -> NoticeRecord:
    """Return the notice of one record; raises UnreadableReply, naming the field that fits no table."""
    stream = STREAM_BY_TR[tr_id]
    action = ACTION_BY_CODE[_listed(fields, "RCTF_CLS", ACTION_BY_CODE)]
    happened = _happened(fields)
    number, original = _number(fields, "ODER_NO"), _number(fields, "OODER_NO")
    if not number:
        raise _odd(fields, "ODER_NO", "it names no order")
    if action is Action.CANCEL and happened is Happened.CONFIRMED and not original:
        original = number  # nobody asked: the exchange cancelled the order itself (F-52, inferred)
    if action is not Action.NEW and happened is not Happened.FILLED and not original:
        raise _odd(fields, "OODER_NO", "a revise or cancel names no original")
    qty = Decimal(_matched(fields, "CNTG_QTY", _QTY))
    price = _price_krw(fields) if stream is Stream.DOMESTIC else _price_usd(fields, switches)
    if happened is Happened.FILLED and (qty == ZERO or price is None):
        raise _odd(fields, "CNTG_UNPR", "a fill of nothing, or for nothing")
    return NoticeRecord(
        stream=stream,
        account=account_of(fields),
        number=number,
        original=original,
        branch=_matched(fields, "BRNC_NO", _BRANCH).zfill(5),
        side=SIDE_OF_CODE[_listed(fields, "SELN_BYOV_CLS", SIDE_OF_CODE)],
        action=action,
        happened=happened,
        order_type=_order_type(stream, fields, price),
        symbol=_text(fields, "STCK_SHRN_ISCD"),
        venue=_venue(stream, fields, switches),
        qty=qty,
        price=price,
        time=_matched(fields, "STCK_CNTG_HOUR", _TIME),
        raw=SEPARATOR.join("" if name == HOLDER else value for name, value in fields.items()),
    )


def _stream_of(frame: DataFrame, plain: str) -> Stream:
    if frame.tr_id not in STREAM_BY_TR:
        raise UnreadableReply(f"{frame.tr_id} is no stream of order notices; unregister it", raw=plain)
    return STREAM_BY_TR[frame.tr_id]


def _happened(fields: dict[str, str]) -> Happened:
    names = ("RFUS_YN", "CNTG_YN", "ACPT_YN")
    refused, filled, accepted = (_text(fields, name) for name in names)
    codes = (refused, filled, accepted)
    if codes not in HAPPENED_BY_CODES:
        raise _odd(fields, "/".join(names), f"{'/'.join(codes)} together mean nothing that is known")
    return HAPPENED_BY_CODES[codes]


def _number(fields: dict[str, str], name: str) -> BrokerOrderNo:
    """An order number in its one spelling, ten digits; empty for blanks and zeros."""
    if not _text(fields, name).strip("0"):
        return NO_NUMBER
    return BrokerOrderNo(_matched(fields, name, _NUMBER).zfill(10))


def _order_type(stream: Stream, fields: dict[str, str], price: Decimal | None) -> OrderType:
    """The kind on a fill notice says nothing (kis.md 5.5), but it must be one that exists."""
    if stream is Stream.OVERSEAS:
        return US_TYPE_BY_KIND[_listed(fields, "ODER_KIND2", US_TYPE_BY_KIND)]
    known = ORDER_KINDS[_listed(fields, "ODER_KIND", ORDER_KINDS)].order_type
    if known is not None:
        return known
    return OrderType.MARKET if price is None else OrderType.LIMIT  # a kind that only a person sends


def _venue(stream: Stream, fields: dict[str, str], switches: NoticeSwitches) -> Venue:
    if stream is Stream.OVERSEAS:
        _listed(fields, "ODER_COND", US_MARKET_CODES)
        return Venue.US
    if "ORD_EXG_GB" not in fields:
        return switches.venue_untold
    return VENUE_BY_CODE[_listed(fields, "ORD_EXG_GB", VENUE_BY_CODE)]


def _price_krw(fields: dict[str, str]) -> Decimal | None:
    price = Decimal(_matched(fields, "CNTG_UNPR", _PRICE))
    return price if price else None


def _price_usd(fields: dict[str, str], switches: NoticeSwitches) -> Decimal | None:
    """The wide price has the decimals of the narrow one and must end in its digits.

    If it ever came in another scale, the two would disagree and a history would settle the notice: a price
    is never guessed.
    """
    digits = _matched(fields, "CNTG_UNPR", _PRICE)
    if switches.us_wide_price and _text(fields, "CNTG_UNPR12", default=""):
        wide = _matched(fields, "CNTG_UNPR12", _WIDE_PRICE)
        if not wide.endswith(digits.zfill(PRICE_DIGITS)):
            raise _odd(fields, "CNTG_UNPR12", f"{wide} does not end in CNTG_UNPR {digits}")
        digits = wide
    price = tidy(Decimal(digits).scaleb(-switches.us_decimals))
    return price if price else None


def _text(fields: dict[str, str], name: str, *, default: str | None = None) -> str:
    # Fixed-width fields are padded with blanks behind (F-41); a blank in front is a moved column.
    if name not in fields and default is not None:
        return default
    return fields[name].rstrip(" ")


def _matched(fields: dict[str, str], name: str, pattern: re.Pattern[str]) -> str:
    text = _text(fields, name)
    if not pattern.fullmatch(text):
        raise _odd(fields, name, f"it says {text[:40]!r}")
    return text


def _listed(fields: dict[str, str], name: str, table: Container[str]) -> str:
    text = _text(fields, name)
    if text not in table:
        raise _odd(fields, name, f"code {text[:40]!r} is unknown")
    return text


def _odd(fields: dict[str, str], name: str, what: str) -> UnreadableReply:
    return UnreadableReply(
        f"{name} of a notice: {what}; a history settles it, add the code with a fixture if it is right",
        raw=SEPARATOR.join(fields.values()),
    )
