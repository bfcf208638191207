"""Order notices: what happened to an order, in the words of H0STCNI0 and H0GSCNI0 (kis.md 5.5, 5.8).

`NoticeDesk` turns events of the market and requests of the house into notices, once and in order; `values_of`
turns a notice into the fields of its stream.
"""

from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import Executed, Execution, MarketEvent, OrderChanged, OrderRecord
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reports import BrokerState
from jumun.simulators.kis.figures import ZERO, hms, korean
from jumun.simulators.kis.kinds import DOMESTIC, US
from jumun.simulators.kis.records import Records
from jumun.simulators.kis.requests import RequestKind, RequestTaken

IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
HOLDER: Final = "고객명"  # "name of the customer", as in the examples of kis.md 5.5
US_DECIMALS: Final = 4  # implied in prices of US notices (kis.md 5.8)
NAME_MAX: Final = 40

SIDE: Final = {Side.SELL: "01", Side.BUY: "02"}
CHANGE: Final = {RequestKind.NEW: "0", RequestKind.REVISE: "1", RequestKind.CANCEL: "2"}
CONDITION: Final = {TimeInForce.IOC: "1", TimeInForce.FOK: "2"}
MARKET_OF: Final = {"NASD": "6", "NYSE": "7", "AMEX": "8"}  # ODER_COND of overseas notices
US_KIND: Final = {
    OrderType.MARKET: "1",
    OrderType.LIMIT: "2",
    OrderType.MOO: "A",
    OrderType.LOO: "B",
    OrderType.MOC: "C",
    OrderType.LOC: "D",
}
RECEIVED: Final = "1"
CONFIRMED: Final = "2"
REST_CANCELLED: Final = "3"


class Notice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the event table of kis.md 5.5, before it is laid out."""

    account_id: str
    symbol: str
    venue: Venue
    name: str  # of the issue
    listed_at: str  # NASD, NYSE or AMEX; empty in Korea
    number: str
    original: str  # empty for a new order
    side: Side
    change: str  # RCTF_CLS
    ord_dvsn: str
    order_type: OrderType
    tif: TimeInForce
    exchange: str  # KRX, NXT or SOR as the order was asked for
    stage: str  # ACPT_YN
    qty: Decimal  # of the fill, or of the order
    price: Decimal | None  # of the fill, or of the order; None without one
    qty_ordered: Decimal
    price_ordered: Decimal | None
    branch: str
    ts_ns: int
    refused: bool = False
    filled: bool = False
    stop_price: Decimal | None = None


class NoticeDesk:
    """Remembers only the requests whose confirmation by the exchange is still to come.

    Hears requests before the events they caused (requests.RequestTaken). The two switches are those of
    StreamSwitches.
    """

    def __init__(
        self, market: Market, records: Records, *, notes_expiry: bool = False, notes_ex_officio: bool = True
    ) -> None:
        self._market = market
        self._records = records
        self._notes_expiry = notes_expiry
        self._notes_ex_officio = notes_ex_officio
        self._asked: dict[str, RequestTaken] = {}  # by the key of the order that is changed

    def hear(self, event: MarketEvent | RequestTaken) -> Notice | None:
        """Return what the owner of the order is told; most events are told to nobody."""
        match event:
            case RequestTaken():
                return self._request(event)
            case OrderChanged(order=order):
                return self._changed(order)
            case Executed(execution=execution):
                return self._fill(execution)
            case _:
                return None

    def _request(self, asked: RequestTaken) -> Notice | None:
        if asked.kind is RequestKind.NEW and asked.taken:
            return None  # the market's own event says "received"
        if asked.taken and asked.confirmed:
            self._asked[asked.key] = asked
        return self._of_request(asked, stage=RECEIVED, refused=not asked.taken)

    def _changed(self, order: OrderRecord) -> Notice | None:
        key = order.key
        if order.state is BrokerState.WORKING:
            asked = self._asked.pop(order.replaces or key, None)
            if asked is not None:
                return self._of_request(asked, stage=CONFIRMED)
            return self._of_order(order, stage=RECEIVED)
        if order.state is BrokerState.REPLACED:
            return None  # the number that takes over says it
        asked = self._asked.pop(key, None)
        if order.state is BrokerState.CANCELLED:
            if asked is not None:
                return self._of_request(asked, stage=CONFIRMED)
            return self._ended_by_itself(order)
        if order.state is BrokerState.REJECTED:
            return self._of_order(order, stage=RECEIVED, refused=True)
        if order.state is BrokerState.EXPIRED and self._notes_expiry:
            return self._of_order(order, stage=CONFIRMED, change=CHANGE[RequestKind.CANCEL])
        return None

    def _ended_by_itself(self, order: OrderRecord) -> Notice | None:
        if order.tif in IMMEDIATE:
            return self._of_order(order, stage=REST_CANCELLED)
        if self._notes_ex_officio:
            return self._of_order(order, stage=CONFIRMED, change=CHANGE[RequestKind.CANCEL])
        return None

    def _fill(self, execution: Execution) -> Notice:
        order = self._market.orders[f"{execution.trade_date}/{execution.branch}/{execution.number}"]
        revised = bool(order.replaces) and not self._records.is_continuation(order.key)
        change = CHANGE[RequestKind.REVISE if revised else RequestKind.NEW]
        told = self._of_order(order, stage=CONFIRMED, change=change)
        return msgspec.structs.replace(
            told, filled=True, qty=execution.qty, price=execution.price, ts_ns=execution.ts_ns
        )

    def _of_order(
        self, order: OrderRecord, *, stage: str, refused: bool = False, change: str = "0"
    ) -> Notice:
        instrument, records = self._market.master.get(order.symbol), self._records
        note, number = records.note_of(order), records.number_of(order.key)
        original = records.number_of(order.replaces) if order.replaces else ""
        ended = order.state in (BrokerState.CANCELLED, BrokerState.EXPIRED)
        return Notice(
            account_id=order.account_id,
            symbol=order.symbol,
            venue=order.venue,
            name=instrument.name,
            listed_at=instrument.exchange,
            number=number,
            original="" if original == number else original,
            side=order.side,
            change=change,
            ord_dvsn=note.ord_dvsn,
            order_type=order.order_type,
            tif=order.tif,
            exchange=note.exchange,
            stage=stage,
            qty=order.qty_left if ended else order.qty,
            price=order.price,
            qty_ordered=records.chain(order.key)[0].qty,
            price_ordered=order.price,
            branch=order.branch,
            ts_ns=order.ts_changed_ns,
            refused=refused,
            stop_price=order.stop_price,
        )

    def _of_request(self, asked: RequestTaken, *, stage: str, refused: bool = False) -> Notice:
        instrument = self._market.master.get(asked.symbol)
        overseas = asked.venue is Venue.US
        kind = (US if overseas else DOMESTIC)[asked.ord_dvsn]
        return Notice(
            account_id=asked.account_id,
            symbol=asked.symbol,
            venue=asked.venue,
            name=instrument.name,
            listed_at=instrument.exchange,
            number=asked.number,
            original=asked.original,
            side=asked.side,
            change=CHANGE[asked.kind],
            ord_dvsn=asked.ord_dvsn,
            order_type=kind.order_type,
            tif=kind.tif,
            exchange=asked.exchange,
            stage=stage,
            qty=asked.qty,
            price=asked.price,
            qty_ordered=asked.qty,
            price_ordered=asked.price,
            branch=asked.branch,
            ts_ns=asked.ts_ns,
            refused=refused,
        )


def padded(value: Decimal | None, width: int, decimals: int = 0) -> str:
    """Return a number as notices print it: zero padded, with implied decimals."""
    number = ZERO if value is None else value.scaleb(decimals)
    assert number == number.to_integral_value(), f"{value} has more than {decimals} decimals"
    return f"{int(number):0{width}d}"


def domestic_values(notice: Notice, hts_id: str, *, zero_kind_on_fills: bool) -> dict[str, str]:
    """Return the fields of H0STCNI0 in both layouts; a layout picks what it has."""
    routed = notice.exchange == "SOR"
    venue = {Venue.KRX: ("1", "3"), Venue.NXT: ("2", "4")}[notice.venue][routed]
    order_price = padded(notice.price_ordered, 9)
    return {
        "CUST_ID": hts_id,
        "ACNT_NO": notice.account_id.replace("-", ""),
        "ODER_NO": notice.number.zfill(10),
        "OODER_NO": notice.original,
        "SELN_BYOV_CLS": SIDE[notice.side],
        "RCTF_CLS": notice.change,
        "ODER_KIND": "00" if notice.filled and zero_kind_on_fills else notice.ord_dvsn,
        "ODER_COND": CONDITION.get(notice.tif, "0"),
        "STCK_SHRN_ISCD": notice.symbol,
        "CNTG_QTY": padded(notice.qty, 10),
        "CNTG_UNPR": padded(notice.price, 9),
        "STCK_CNTG_HOUR": hms(korean(notice.ts_ns)),
        "RFUS_YN": "1" if notice.refused else "0",
        "CNTG_YN": "2" if notice.filled else "1",
        "ACPT_YN": notice.stage,
        "BRNC_NO": notice.branch,
        "ODER_QTY": padded(notice.qty_ordered, 9),
        "ACNT_NAME": HOLDER,
        "ORD_COND_PRC": padded(notice.stop_price, 9),
        "ORD_EXG_GB": venue,
        "POPUP_YN": "Y",
        "FILLER": "   ",
        "CRDT_CLS": "10",
        "CRDT_LOAN_DATE": "00000000",
        "CNTG_ISNM": notice.name[:NAME_MAX],
        "CNTG_ISNM40": notice.name[:NAME_MAX],
        "ODER_PRC": order_price if notice.filled else padded(None, 9),
    }


def overseas_values(notice: Notice, hts_id: str) -> dict[str, str]:
    """Return the fields of H0GSCNI0: prices with four implied decimals, quantities where kis.md 5.8 says."""
    return {
        "CUST_ID": hts_id,
        "ACNT_NO": notice.account_id.replace("-", ""),
        "ODER_NO": notice.number.zfill(10),
        "OODER_NO": notice.original,
        "SELN_BYOV_CLS": SIDE[notice.side],
        "RCTF_CLS": notice.change,
        "ODER_KIND2": US_KIND.get(notice.order_type, "2"),
        "STCK_SHRN_ISCD": notice.symbol,
        "CNTG_QTY": padded(notice.qty, 10),
        "CNTG_UNPR": padded(notice.price, 9, US_DECIMALS),
        "STCK_CNTG_HOUR": hms(korean(notice.ts_ns)),
        "RFUS_YN": "1" if notice.refused else "0",
        "CNTG_YN": "2" if notice.filled else "1",
        "ACPT_YN": notice.stage,
        "BRNC_NO": notice.branch,
        "ODER_QTY": padded(notice.qty_ordered, 9) if notice.filled else "",
        "ACNT_NAME": HOLDER,
        "CNTG_ISNM": notice.name[:NAME_MAX],
        "ODER_COND": MARKET_OF.get(notice.listed_at, "6"),
        "DEBT_GB": "10",
        "DEBT_DATE": "",
        "START_TM": "",
        "END_TM": "",
        "TM_DIV_TP": "",
        "CNTG_UNPR12": padded(notice.price, 12, US_DECIMALS),
    }
