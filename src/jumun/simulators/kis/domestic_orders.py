"""Cash orders, revises and cancels at KRX, NXT and SOR (kis.md 3.1.1, 3.1.3, 4.1)."""

from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.line import Mode
from jumun.exchange.records import NewOrder, OrderRecord
from jumun.model.errors import OmsError
from jumun.model.instruments import Instrument, Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side, TradingSession
from jumun.rules.sessions import Phase, is_session, phase_at
from jumun.simulators.kis import taking
from jumun.simulators.kis.asking import Ask, Fields, Told
from jumun.simulators.kis.figures import ZERO
from jumun.simulators.kis.kinds import DOMESTIC, KRX, NXT, PAPER_KINDS, SOR, VENUES, Kind, Pricing
from jumun.simulators.kis.messages import (
    EVENING_KINDS,
    NO_SYMBOL,
    NOT_NOW,
    ORDER_SENT,
    PAPER_HOLIDAY,
    SHARED,
    KisRefused,
    bad_field,
)
from jumun.simulators.kis.office import Office
from jumun.simulators.kis.requests import OrderNote

SELL_TYPES: Final = ("", "00", "01")  # ordinary; nobody lends shares here
REVISE, CANCEL = "01", "02"
NOT_WHOLE: Final = "일부 정정은 지원하지 않습니다. QTY_ALL_ORD_YN=Y (PART)"


def order_cash(office: Office, ask: Ask) -> Told:
    """Take a cash order; raises KisRefused."""
    side = Side.BUY if ask.endpoint.side == "buy" else Side.SELL
    _require_business_day(office, ask)
    instrument = _listed(office, ask)
    exchange = _exchange(ask)
    kind = _kind(office, ask, exchange)
    venue = _route(office, instrument, kind, side, exchange)
    _require_evening_kind(office, kind, venue)
    if side is Side.SELL:
        ask.choice("SLL_TYPE", SELL_TYPES)
    price = _price(office, ask, kind, instrument, venue, side)
    stop = _stop(ask, kind)
    order = NewOrder(
        account_id=ask.account_id,
        symbol=instrument.symbol,
        venue=venue,
        currency=Currency.KRW,
        side=side,
        order_type=kind.order_type,
        tif=kind.tif,
        qty=_qty(ask),
        price=price,
        tag=ask.tag,
        client=ask.customer.hts_id,
        session=kind.session,
        stop_price=stop,
    )
    note = OrderNote(ord_dvsn=kind.code, exchange=exchange, ip=ask.ip, stop_price=stop)
    ticket = taking.submit(office, ask, order, note, office.today().isoformat())
    return Told(blocks={"output": ticket}, msg_cd=ORDER_SENT)


def order_rvsecncl(office: Office, ask: Ask) -> Told:
    """Take a revise or a cancel; raises KisRefused."""
    _require_business_day(office, ask)
    action = ask.choice("RVSE_CNCL_DVSN_CD", (REVISE, CANCEL))
    is_all = ask.choice("QTY_ALL_ORD_YN", ("Y", "N")) == "Y"
    number = ask.text("ORGN_ODNO")
    if not number:
        raise bad_field("ORGN_ODNO")
    found = office.records.find(ask.account_id, number, office.today().isoformat(), overseas=False)
    record = taking.require_open(office, found)
    branch = ask.text("KRX_FWDG_ORD_ORGNO")
    if branch not in ("", record.branch):
        raise KisRefused(SHARED, "원주문 내역이 없습니다. (NOT_FOUND)")
    qty = record.qty_left if is_all else _qty(ask)
    _require_not_more(record, qty)
    ticket = _cancel(office, ask, record, qty) if action == CANCEL else _revise(office, ask, record, qty)
    return Told(blocks={"output": ticket}, msg_cd=ORDER_SENT)


def _cancel(office: Office, ask: Ask, record: OrderRecord, qty: Decimal) -> Fields:
    # The price of a cancel means nothing: one client sends 100 (kis.md 3.1.3).
    note = msgspec.structs.replace(office.records.note_of(record), ip=ask.ip)
    if qty < record.qty_left:
        return taking.cut(office, ask, record, qty, note)
    return taking.cancel(office, ask, record, note)


def _revise(office: Office, ask: Ask, record: OrderRecord, qty: Decimal) -> Fields:
    if qty < record.qty_left:
        raise KisRefused(SHARED, NOT_WHOLE)
    before = office.records.note_of(record)
    kind = DOMESTIC.get(ask.text("ORD_DVSN"))
    if kind is None:
        raise bad_field("ORD_DVSN")
    is_limit = record.order_type is OrderType.LIMIT and kind.order_type is OrderType.LIMIT
    same = kind.session is record.session and kind.tif is record.tif and not kind.untraded
    if kind.code != before.ord_dvsn and not (is_limit and same):
        raise KisRefused(NOT_NOW, "주문구분 변경 정정은 불가능합니다. (KIND)")
    instrument = office.market.master.get(record.symbol)
    price = _price(office, ask, kind, instrument, record.venue, record.side)
    note = msgspec.structs.replace(before, ord_dvsn=kind.code, ip=ask.ip)
    return taking.revise(office, ask, record, price, note)


def _require_not_more(record: OrderRecord, qty: Decimal) -> None:
    if record.is_open and qty > record.qty_left:
        raise KisRefused(SHARED, "정정/취소 가능수량을 초과 했습니다. (QTY)")


def _require_business_day(office: Office, ask: Ask) -> None:
    """Paper has a code of its own for a day without a session (kis.md 6.2)."""
    if ask.is_paper and not is_session(Venue.KRX, office.today(), office.market.world.overrides):
        raise KisRefused(PAPER_HOLIDAY)


def _listed(office: Office, ask: Ask) -> Instrument:
    instrument = office.instrument(ask.text("PDNO"), overseas=False)
    if instrument is None:
        raise KisRefused(NO_SYMBOL)
    return instrument


def _exchange(ask: Ask) -> str:
    """Return the venue asked for; the old TR ids know KRX only."""
    exchange = KRX if ask.is_old else (ask.text("EXCG_ID_DVSN_CD") or KRX)
    if exchange not in VENUES or (ask.is_paper and exchange != KRX):
        raise bad_field("EXCG_ID_DVSN_CD")
    return exchange


def _kind(office: Office, ask: Ask, exchange: str) -> Kind:
    kind = DOMESTIC.get(ask.text("ORD_DVSN"))
    if kind is None:
        raise bad_field("ORD_DVSN")
    offered = exchange in kind.venues and kind.is_in_force(office.today())
    if not offered or (ask.is_paper and kind.code not in PAPER_KINDS):
        raise KisRefused(NOT_NOW, f"{exchange}에서 주문이 불가능한 주문구분입니다. ({kind.code})")
    if kind.untraded:
        raise KisRefused(
            NOT_NOW, f"모의시장에서 지원하지 않는 주문구분입니다. ({kind.code}: {kind.untraded})"
        )
    return kind


def _require_evening_kind(office: Office, kind: Kind, venue: Venue) -> None:
    """In the KRX after-market only its own kinds are taken (APBK3013)."""
    if venue is not Venue.KRX or kind.is_evening:
        return
    phase, _ = phase_at(Venue.KRX, office.market.now_ns, office.market.world.overrides)
    if phase is Phase.AFTER_MARKET:
        raise KisRefused(EVENING_KINDS)


def _route(office: Office, instrument: Instrument, kind: Kind, side: Side, exchange: str) -> Venue:
    """Return where an order goes: SOR takes NXT when its price is better, or when KRX takes nothing now."""
    if exchange != SOR:
        return Venue.NXT if exchange == NXT else Venue.KRX
    rule = office.switches.sor
    if rule == "krx" or not instrument.nxt or kind.order_type is not OrderType.LIMIT:
        return Venue.KRX
    if rule == "nxt":
        return Venue.NXT
    open_at = {venue for venue in (Venue.KRX, Venue.NXT) if _is_open(office, instrument, venue)}
    if open_at != {Venue.KRX, Venue.NXT}:
        return Venue.NXT if open_at == {Venue.NXT} else Venue.KRX
    other = Side.SELL if side is Side.BUY else Side.BUY
    here, there = (office.best(instrument, venue, other) for venue in (Venue.KRX, Venue.NXT))
    if there is None or here is None:
        return Venue.KRX if there is None else Venue.NXT
    return Venue.NXT if (there < here if side is Side.BUY else there > here) else Venue.KRX


def _is_open(office: Office, instrument: Instrument, venue: Venue) -> bool:
    try:
        return office.market.mode_of(instrument.symbol, venue, TradingSession.REGULAR) is not Mode.CLOSED
    except OmsError:  # no calendar for that venue on that day
        return False


def _price(
    office: Office, ask: Ask, kind: Kind, instrument: Instrument, venue: Venue, side: Side
) -> Decimal | None:
    given = ask.number("ORD_UNPR")
    if kind.pricing is Pricing.GIVEN:
        if given == ZERO:
            raise KisRefused(SHARED, "주문단가를 확인하십시오. (PRICE)")
        return given
    if given and office.switches.priceless == "refused":
        raise KisRefused(SHARED, "가격을 입력할 수 없는 주문구분입니다. (PRICE)")
    if kind.pricing is Pricing.NONE:
        return None
    other = Side.SELL if side is Side.BUY else Side.BUY
    price = office.best(instrument, venue, other if kind.pricing is Pricing.BEST else side)
    if price is None:
        raise KisRefused(SHARED, "상대 호가가 없어 주문이 불가능합니다. (PRICE)")
    return price


def _stop(ask: Ask, kind: Kind) -> Decimal | None:
    stop = ask.number("CNDT_PRIC")
    if kind.order_type is not OrderType.STOP_LIMIT:
        return None
    if stop == ZERO:
        raise bad_field("CNDT_PRIC")
    return stop


def _qty(ask: Ask) -> Decimal:
    qty = ask.number("ORD_QTY")
    if qty == ZERO or qty != qty.to_integral_value():
        raise bad_field("ORD_QTY", "is no number of shares")
    return qty
