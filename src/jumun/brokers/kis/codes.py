"""KIS's own words: transaction ids and addresses, order kinds, sides, routes and exchanges. Closed tables.

Source: kis.md 3.0 and 3.3.0 (ids), 4.1 to 4.3 and 4.5 to 4.7 (codes). Ticks (4.4) are in rules/ticks.py and
answer codes (6.1 to 6.3) in verdicts.py. Credit, reservation and other countries' orders are not offered.
"""

from datetime import date
from enum import StrEnum
from typing import Final

import msgspec

from jumun.brokers.kis.access import KisEnvironment
from jumun.model.errors import OrderDenied
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side
from jumun.model.reasons import Reason

# ---- functions ----------------------------------------------------------------------------------


class Function(StrEnum):
    """What KIS can be asked for. Authentication has addresses and no transaction id."""

    BUY = "buy"
    SELL = "sell"
    CHANGE = "change"  # revise or cancel
    CHANGEABLE = "changeable"
    DAY_ORDERS = "day_orders"  # orders and fills, last three months
    OLD_ORDERS = "old_orders"  # the same, older
    BUYING_POWER = "buying_power"
    SELLABLE = "sellable"
    BALANCE = "balance"
    BALANCE_REALISED = "balance_realised"
    MARGIN = "margin"
    PRICE = "price"
    BOOK = "book"
    STOCK_INFO = "stock_info"
    HOLIDAYS = "holidays"
    VI_STATUS = "vi_status"
    PRODUCT_INFO = "product_info"
    US_BUY = "us_buy"
    US_SELL = "us_sell"
    US_CHANGE = "us_change"
    US_OPEN_ORDERS = "us_open_orders"
    US_ORDERS = "us_orders"
    US_BALANCE = "us_balance"
    US_PRESENT_BALANCE = "us_present_balance"
    US_BUYING_POWER = "us_buying_power"
    US_PRICE = "us_price"
    DAYTIME_BUY = "daytime_buy"  # US shares in Korean daytime
    DAYTIME_SELL = "daytime_sell"
    DAYTIME_CHANGE = "daytime_change"


class Endpoint(msgspec.Struct, frozen=True):
    """Where a function is, and under which transaction ids; `paper` None means not offered there."""

    path: str
    live: str
    paper: str | None
    old_live: str = ""  # before NXT and SOR; never sent, KIS may block them without notice (kis.md 3)
    old_paper: str = ""
    rows_live: int = 0  # on a page; 0 where there are no pages or nobody says
    rows_paper: int = 0


TOKEN_PATH: Final = "/oauth2/tokenP"
REVOKE_PATH: Final = "/oauth2/revokeP"
APPROVAL_PATH: Final = "/oauth2/Approval"
HASHKEY_PATH: Final = "/uapi/hashkey"

_KR: Final = "/uapi/domestic-stock/v1/trading/"
_KR_QUOTE: Final = "/uapi/domestic-stock/v1/quotations/"
_US: Final = "/uapi/overseas-stock/v1/trading/"
_DAY: Final = _KR + "inquire-daily-ccld"
_BUYABLE: Final = _KR + "inquire-psbl-order"

ENDPOINTS: Final[dict[Function, Endpoint]] = {
    Function.BUY: Endpoint(_KR + "order-cash", "TTTC0012U", "VTTC0012U", "TTTC0802U", "VTTC0802U"),
    Function.SELL: Endpoint(_KR + "order-cash", "TTTC0011U", "VTTC0011U", "TTTC0801U", "VTTC0801U"),
    Function.CHANGE: Endpoint(_KR + "order-rvsecncl", "TTTC0013U", "VTTC0013U", "TTTC0803U", "VTTC0803U"),
    Function.CHANGEABLE: Endpoint(
        _KR + "inquire-psbl-rvsecncl", "TTTC0084R", None, "TTTC8036R", rows_live=50
    ),
    Function.DAY_ORDERS: Endpoint(_DAY, "TTTC0081R", "VTTC0081R", "TTTC8001R", "VTTC8001R", 100, 15),
    Function.OLD_ORDERS: Endpoint(_DAY, "CTSC9215R", "VTSC9215R", "CTSC9115R", "VTSC9115R", 100, 15),
    Function.BUYING_POWER: Endpoint(_BUYABLE, "TTTC8908R", "VTTC8908R"),
    Function.SELLABLE: Endpoint(_KR + "inquire-psbl-sell", "TTTC8408R", None),
    Function.BALANCE: Endpoint(
        _KR + "inquire-balance", "TTTC8434R", "VTTC8434R", rows_live=50, rows_paper=20
    ),
    Function.BALANCE_REALISED: Endpoint(_KR + "inquire-balance-rlz-pl", "TTTC8494R", None, rows_live=100),
    Function.MARGIN: Endpoint(_KR + "intgr-margin", "TTTC0869R", None),
    Function.PRICE: Endpoint(_KR_QUOTE + "inquire-price", "FHKST01010100", "FHKST01010100"),
    Function.BOOK: Endpoint(_KR_QUOTE + "inquire-asking-price-exp-ccn", "FHKST01010200", "FHKST01010200"),
    Function.STOCK_INFO: Endpoint(_KR_QUOTE + "search-stock-info", "CTPF1002R", None),
    Function.HOLIDAYS: Endpoint(_KR_QUOTE + "chk-holiday", "CTCA0903R", None),
    Function.VI_STATUS: Endpoint(_KR_QUOTE + "inquire-vi-status", "FHPST01390000", None),
    Function.PRODUCT_INFO: Endpoint(_KR_QUOTE + "search-info", "CTPF1604R", "CTPF1604R"),
    Function.US_BUY: Endpoint(_US + "order", "TTTT1002U", "VTTT1002U", "JTTT1002U"),
    # The paper id is not the live one with another first letter (kis.md 3.3.1 and part 8, 6).
    Function.US_SELL: Endpoint(_US + "order", "TTTT1006U", "VTTT1001U", "JTTT1006U"),
    Function.US_CHANGE: Endpoint(_US + "order-rvsecncl", "TTTT1004U", "VTTT1004U", "JTTT1004U"),
    Function.US_OPEN_ORDERS: Endpoint(_US + "inquire-nccs", "TTTS3018R", None, rows_live=40),
    Function.US_ORDERS: Endpoint(_US + "inquire-ccnl", "TTTS3035R", "VTTS3035R", rows_live=20, rows_paper=15),
    Function.US_BALANCE: Endpoint(_US + "inquire-balance", "TTTS3012R", "VTTS3012R", rows_live=100),
    Function.US_PRESENT_BALANCE: Endpoint(_US + "inquire-present-balance", "CTRP6504R", "VTRP6504R"),
    Function.US_BUYING_POWER: Endpoint(_US + "inquire-psamount", "TTTS3007R", "VTTS3007R"),
    Function.US_PRICE: Endpoint("/uapi/overseas-price/v1/quotations/price", "HHDFS00000300", "HHDFS00000300"),
    Function.DAYTIME_BUY: Endpoint(_US + "daytime-order", "TTTS6036U", None),
    Function.DAYTIME_SELL: Endpoint(_US + "daytime-order", "TTTS6037U", None),
    Function.DAYTIME_CHANGE: Endpoint(_US + "daytime-order-rvsecncl", "TTTS6038U", None),
}


class NotOffered(OrderDenied):
    """KIS's paper service does not have this function (kis.md 7.3)."""

    default_reason = Reason.KIND_NOT_SUPPORTED


def is_offered(function: Function, environment: KisEnvironment) -> bool:
    """Whether that service has the function."""
    return environment is KisEnvironment.LIVE or ENDPOINTS[function].paper is not None


def tr_id(function: Function, environment: KisEnvironment) -> str:
    """Return the transaction id, which also selects the environment (S000-112); raises NotOffered."""
    endpoint = ENDPOINTS[function]
    if environment is KisEnvironment.LIVE:
        return endpoint.live
    if endpoint.paper is None:
        raise NotOffered(f"KIS's paper service has no {function.value}; use the live one, or do without")
    return endpoint.paper


# ---- sides, routes, exchanges -------------------------------------------------------------------

SIDE_OF_CODE: Final = {"01": Side.SELL, "02": Side.BUY}  # SLL_BUY_DVSN_CD; 00 is both, in filters only
CODE_OF_SIDE: Final = {Side.SELL: "01", Side.BUY: "02"}
ANY: Final = "00"  # a filter that lets everything through: sides, fills, kinds

SELL_TYPE: Final = {Side.BUY: "", Side.SELL: "01"}  # SLL_TYPE at home: 01 is an ordinary sale
US_SELL_TYPE: Final = {Side.BUY: "", Side.SELL: "00"}

REVISE: Final = "01"  # RVSE_CNCL_DVSN_CD
CANCEL: Final = "02"
ALL_OF_IT: Final = "Y"  # QTY_ALL_ORD_YN
PART_OF_IT: Final = "N"

ROUTE_OF_VENUE: Final = {Venue.KRX: "KRX", Venue.NXT: "NXT"}  # EXCG_ID_DVSN_CD
SOR: Final = "SOR"  # KIS chooses between KRX and NXT; live only
ALL_ROUTES: Final = "ALL"  # filter of daily-ccld, live only
# An order that KIS routes itself rests at KRX or NXT and only KIS knows where. It counts for the home venue:
# hours and dates are the same, and a person may place one at any time (F-57, F-106).
VENUE_OF_ROUTE: Final = {"KRX": Venue.KRX, "NXT": Venue.NXT, SOR: Venue.KRX}

QUOTE_MARKETS: Final = {Venue.KRX: "J", Venue.NXT: "NX"}  # FID_COND_MRKT_DIV_CODE; UN is both together


class Exchange(msgspec.Struct, frozen=True):
    """One exchange abroad under its three names (kis.md 4.7); `venue` None: jumun does not trade there."""

    quote: str
    quote_daytime: str
    currency: str
    venue: Venue | None = None


EXCHANGES: Final[dict[str, Exchange]] = {  # by OVRS_EXCG_CD
    "NASD": Exchange("NAS", "BAQ", Currency.USD, Venue.US),
    "NYSE": Exchange("NYS", "BAY", Currency.USD, Venue.US),
    "AMEX": Exchange("AMS", "BAA", Currency.USD, Venue.US),
    "SEHK": Exchange("HKS", "", "HKD"),
    "SHAA": Exchange("SHS", "", "CNY"),
    "SZAA": Exchange("SZS", "", "CNY"),
    "TKSE": Exchange("TSE", "", "JPY"),
    "HASE": Exchange("HNX", "", "VND"),
    "VNSE": Exchange("HSX", "", "VND"),
}
US_EXCHANGES: Final = tuple(name for name, row in EXCHANGES.items() if row.venue is Venue.US)

# ---- order kinds --------------------------------------------------------------------------------


class OrderKind(msgspec.Struct, frozen=True, kw_only=True):
    """One ORD_DVSN of kis.md 4.1: where it is taken, from when to when, and whether ORD_UNPR holds a price.

    `order_type` None: no kind of ours; it is read by whether its row shows a price.
    """

    name: str
    routes: str
    is_priced: bool
    order_type: OrderType | None
    is_paper: bool = False
    first: date = date.min
    last: date = date.max


REFORM: Final = date(
    2026, 9, 14
)  # the evening of KRX became continuous, NXT got orders for its morning alone
_EVE: Final = date(2026, 9, 13)
_L, _M = OrderType.LIMIT, OrderType.MARKET


def _kind(
    name: str,
    routes: str,
    order_type: OrderType | None,
    *,
    price: bool,
    paper: bool = False,
    first: date = date.min,
    last: date = date.max,
) -> OrderKind:
    return OrderKind(
        name=name,
        routes=routes,
        order_type=order_type,
        is_priced=price,
        is_paper=paper,
        first=first,
        last=last,
    )


# Best (03), priority (04) and mid-price orders are given "0" for their price, which is inferred (part 8, 20).
ORDER_KINDS: Final[dict[str, OrderKind]] = {
    "00": _kind("limit", "KRX NXT SOR", _L, price=True, paper=True),
    "01": _kind("market", "KRX SOR", _M, price=False, paper=True),
    "02": _kind("conditional limit", "KRX", _L, price=True, paper=True),
    "03": _kind("best limit", "KRX NXT SOR", None, price=False, paper=True),
    "04": _kind("priority limit", "KRX NXT SOR", None, price=False, paper=True),
    "05": _kind("close of the day before", "KRX", _M, price=False),
    "06": _kind("close of the day", "KRX", _M, price=False),
    "07": _kind("evening single price", "KRX", _L, price=True, last=_EVE),
    "11": _kind("limit IOC", "KRX NXT SOR", _L, price=True),
    "12": _kind("limit FOK", "KRX NXT SOR", _L, price=True),
    "13": _kind("market IOC", "KRX NXT SOR", _M, price=False),
    "14": _kind("market FOK", "KRX NXT SOR", _M, price=False),
    "15": _kind("best IOC", "KRX NXT SOR", None, price=False),
    "16": _kind("best FOK", "KRX NXT SOR", None, price=False),
    "21": _kind("mid price", "KRX NXT", None, price=False),
    "22": _kind("stop limit", "KRX NXT", OrderType.STOP_LIMIT, price=True),
    "23": _kind("mid price IOC", "KRX NXT", None, price=False),
    "24": _kind("mid price FOK", "KRX NXT", None, price=False),
    "27": _kind("pre-market limit", "NXT", _L, price=True, first=REFORM),
    "28": _kind("pre-market best", "NXT", None, price=False, first=REFORM),
    "29": _kind("pre-market priority", "NXT", None, price=False, first=REFORM),
    "41": _kind("after-market limit", "KRX", _L, price=True, first=REFORM),
    "42": _kind("after-market limit IOC", "KRX", _L, price=True, first=REFORM),
    "43": _kind("after-market limit FOK", "KRX", _L, price=True, first=REFORM),
    "44": _kind("after-market best", "KRX", None, price=False, first=REFORM),
    "45": _kind("after-market best IOC", "KRX", None, price=False, first=REFORM),
    "46": _kind("after-market best FOK", "KRX", None, price=False, first=REFORM),
    "47": _kind("after-market priority", "KRX", None, price=False, first=REFORM),
}
STOP_LIMIT_CODE: Final = "22"
IMMEDIATE_CODES: Final = frozenset({"11", "12", "13", "14", "15", "16", "23", "24", "42", "43", "45", "46"})
# Unfilled at KRX, these are cancelled when its regular session closes (kis.md 3.1.1).
REGULAR_CODES: Final = frozenset({"00", "01", "02", "03", "04", "05", "21", "22"})


class UsOrderKind(msgspec.Struct, frozen=True, kw_only=True):
    """One ORD_DVSN for US shares (kis.md 4.5)."""

    name: str
    sides: frozenset[Side]
    is_priced: bool
    order_type: OrderType | None
    is_paper: bool = False


_BOTH: Final = frozenset(Side)
_SELL: Final = frozenset({Side.SELL})
US_ORDER_KINDS: Final[dict[str, UsOrderKind]] = {
    "00": UsOrderKind(name="limit", sides=_BOTH, is_priced=True, order_type=_L, is_paper=True),
    "31": UsOrderKind(name="market on open", sides=_SELL, is_priced=False, order_type=OrderType.MOO),
    "32": UsOrderKind(name="limit on open", sides=_BOTH, is_priced=True, order_type=OrderType.LOO),
    "33": UsOrderKind(name="market on close", sides=_SELL, is_priced=False, order_type=OrderType.MOC),
    "34": UsOrderKind(name="limit on close", sides=_BOTH, is_priced=True, order_type=OrderType.LOC),
    "35": UsOrderKind(name="TWAP", sides=_BOTH, is_priced=True, order_type=None),
    "36": UsOrderKind(name="VWAP", sides=_BOTH, is_priced=True, order_type=None),
}
LIMIT_CODE: Final = "00"
