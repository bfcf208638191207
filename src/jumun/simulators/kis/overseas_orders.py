"""Orders in US shares, and the refusals of everything else overseas (kis.md 3.3.1, 3.3.2, 3.3.9, 4.5)."""

from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.line import Mode
from jumun.exchange.records import NewOrder, OrderRecord
from jumun.model.instruments import US_EXCHANGES, Instrument, Venue
from jumun.model.money import Currency
from jumun.model.orders import Side, TradingSession
from jumun.simulators.kis import taking
from jumun.simulators.kis.asking import Ask, Told
from jumun.simulators.kis.figures import ZERO
from jumun.simulators.kis.kinds import US, US_SELL_ONLY, Kind, Pricing
from jumun.simulators.kis.messages import (
    NO_SYMBOL,
    NOT_NOW,
    ORDER_SENT,
    SHARED,
    US_CLOSED,
    KisRefused,
    bad_field,
)
from jumun.simulators.kis.office import Office
from jumun.simulators.kis.requests import OrderNote

REVISE, CANCEL = "01", "02"
LIMIT: Final = "00"
ABROAD: Final = frozenset({"SEHK", "SHAA", "SZAA", "TKSE", "HASE", "VNSE"})  # known, and not traded here


def order_us(office: Office, ask: Ask) -> Told:
    """Take a US order of the regular session; raises KisRefused."""
    return _order(office, ask, TradingSession.REGULAR, office.today(Venue.US))


def daytime_order(office: Office, ask: Ask) -> Told:
    """Take an order of the day market, 10:00 to 18:00 in Korea: limits in selected symbols (kis.md 3.3.9)."""
    _require_day_market(office, ask)
    if ask.text("ORD_DVSN") != LIMIT:
        raise KisRefused(NOT_NOW, f"주문이 불가능한 주문구분입니다. ({ask.text('ORD_DVSN')})")
    selected = {symbol.strip() for symbol in office.switches.daytime_symbols.split(",")}
    if not selected & {"all", ask.text("PDNO")}:
        raise KisRefused(NOT_NOW, "주간거래 대상 종목이 아닙니다. (SELECTED)")
    return _order(office, ask, TradingSession.DAY_MARKET, office.trade_day(Venue.US))


def _require_day_market(office: Office, ask: Ask) -> None:
    symbol = _listed(office, ask).symbol
    if office.market.mode_of(symbol, Venue.US, TradingSession.DAY_MARKET) is Mode.CLOSED:
        raise KisRefused(US_CLOSED)


def _order(office: Office, ask: Ask, session: TradingSession, day: date) -> Told:
    side = Side.BUY if ask.endpoint.side == "buy" else Side.SELL
    instrument = _listed(office, ask)
    kind = _kind(ask, side)
    price = _price(ask, kind)
    order = NewOrder(
        account_id=ask.account_id,
        symbol=instrument.symbol,
        venue=Venue.US,
        currency=Currency.USD,
        side=side,
        order_type=kind.order_type,
        tif=kind.tif,
        qty=_qty(ask),
        price=price,
        tag=ask.tag,
        client=ask.customer.hts_id,
        session=session,
    )
    note = OrderNote(ord_dvsn=kind.code, exchange=ask.text("OVRS_EXCG_CD"), ip=ask.ip)
    ticket = taking.submit(office, ask, order, note, day.isoformat())
    return Told(blocks={"output": ticket}, msg_cd=ORDER_SENT)


def rvsecncl_us(office: Office, ask: Ask) -> Told:
    """Take a revise or a cancel of an order of the regular session."""
    return _change(office, ask, TradingSession.REGULAR, office.today(Venue.US))


def daytime_rvsecncl(office: Office, ask: Ask) -> Told:
    """Take a revise or a cancel of an order of the day market."""
    _require_day_market(office, ask)
    return _change(office, ask, TradingSession.DAY_MARKET, office.trade_day(Venue.US))


def _change(office: Office, ask: Ask, session: TradingSession, day: date) -> Told:
    """Change an order of that session; the other call does not know it (one client reads APBK0918 so).

    There is no word for "all": a quantity of 0 means it, and so does one that a fill has left behind.
    """
    _listed(office, ask)
    action = ask.choice("RVSE_CNCL_DVSN_CD", (REVISE, CANCEL))
    number = ask.text("ORGN_ODNO")
    if not number:
        raise bad_field("ORGN_ODNO")
    found = office.records.find(ask.account_id, number, day.isoformat(), overseas=True)
    if found is not None and found.session is not session:
        raise KisRefused(SHARED, "원주문 내역이 없습니다. (SESSION)")
    record = taking.require_open(office, found)
    if record.symbol != ask.text("PDNO"):
        raise KisRefused(SHARED, "원주문 내역이 없습니다. (NOT_FOUND)")
    qty = ask.number("ORD_QTY") or record.qty_left
    if qty > record.qty:
        raise KisRefused(SHARED, "정정/취소 가능수량을 초과 했습니다. (QTY)")
    note = msgspec.structs.replace(office.records.note_of(record), ip=ask.ip)
    if action == CANCEL:
        part = qty < record.qty_left
        ticket = (
            taking.cut(office, ask, record, qty, note) if part else taking.cancel(office, ask, record, note)
        )
    else:
        ticket = taking.revise(office, ask, record, _new_price(ask, record, qty), note)
    return Told(blocks={"output": ticket}, msg_cd=ORDER_SENT)


def order_abroad(office: Office, ask: Ask) -> Told:
    """Refuse an order in another country: none of its issues is listed in this market."""
    ask.choice("OVRS_EXCG_CD", tuple(sorted(ABROAD)))
    raise KisRefused(NO_SYMBOL)


def _new_price(ask: Ask, record: OrderRecord, qty: Decimal) -> Decimal:
    if qty < record.qty_left:
        raise KisRefused(SHARED, "일부 정정은 지원하지 않습니다. (PART)")
    price = ask.number("OVRS_ORD_UNPR")
    if price == ZERO:
        raise KisRefused(SHARED, "주문단가를 확인하십시오. (PRICE)")
    return price


def _listed(office: Office, ask: Ask) -> Instrument:
    exchange = ask.text("OVRS_EXCG_CD")
    if exchange not in US_EXCHANGES:
        raise bad_field("OVRS_EXCG_CD")
    instrument = office.instrument(ask.text("PDNO"), overseas=True)
    if instrument is None or instrument.exchange not in ("", exchange):
        raise KisRefused(NO_SYMBOL)
    return instrument


def _kind(ask: Ask, side: Side) -> Kind:
    kind = US.get(ask.text("ORD_DVSN"))
    if kind is None:
        raise bad_field("ORD_DVSN")
    wrong_side = kind.code in US_SELL_ONLY and side is Side.BUY
    if wrong_side or (ask.is_paper and kind.code != "00"):
        raise KisRefused(NOT_NOW, f"주문이 불가능한 주문구분입니다. ({kind.code})")
    if kind.untraded:
        raise KisRefused(
            NOT_NOW, f"모의시장에서 지원하지 않는 주문구분입니다. ({kind.code}: {kind.untraded})"
        )
    return kind


def _price(ask: Ask, kind: Kind) -> Decimal | None:
    price = ask.number("OVRS_ORD_UNPR")
    if kind.pricing is Pricing.NONE:
        return None
    if price == ZERO:
        raise KisRefused(SHARED, "주문단가를 확인하십시오. (PRICE)")
    return price


def _qty(ask: Ask) -> Decimal:
    qty = ask.number("ORD_QTY")
    if qty == ZERO or qty != qty.to_integral_value():
        raise bad_field("ORD_QTY", "is no number of shares")
    return qty
