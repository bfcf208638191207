"""Whether a working order may change, and into what: the exchange's rules for a modify (OMS-04).

A modify sets another limit price, or takes shares off what is open, or both. It never enlarges. A new price
loses the place in the queue; a pure reduction keeps it (krx_market.md 4.1).
"""

from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.admission import AUCTION_KINDS, FIXED, Situation, band_on, price_refused
from jumun.exchange.line import Mode
from jumun.exchange.records import OrderRecord, Refusal, RejectCode
from jumun.model.errors import OmsError
from jumun.model.instruments import Instrument
from jumun.model.money import EXACT
from jumun.model.orders import Side

ZERO: Final = Decimal(0)


class NewTerms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is in force after the modify: open quantity, price, worst price, and the cash a buy holds back."""

    instrument: Instrument
    qty_left: Decimal
    price: Decimal | None
    worst: Decimal | None
    hold: Decimal
    is_repriced: bool


def judge_modify(
    record: OrderRecord, qty_cut: Decimal, price: Decimal | None, worst: Decimal | None, at: Situation
) -> NewTerms | Refusal:
    """Decide; `price` None keeps the price in force. A missing table or calendar refuses (fail closed)."""
    try:
        return _judge(record, qty_cut, price, worst, at)
    except OmsError as error:
        return Refusal(code=RejectCode.TABLE, text=str(error))


def _judge(
    record: OrderRecord, qty_cut: Decimal, price: Decimal | None, worst: Decimal | None, at: Situation
) -> NewTerms | Refusal:
    instrument = at.master.get(record.symbol)
    day = at.moment.day
    if record.order_type in AUCTION_KINDS or record.stop_price is not None or record.session in FIXED:
        return _no(RejectCode.KIND, f"{record.order_type} orders of {record.session} cannot be modified")
    if at.mode is Mode.HALTED:
        return _no(RejectCode.HALTED, f"{record.symbol} is halted; modify it when it trades again")
    if at.mode is Mode.CLOSED:
        return _no(RejectCode.CLOSED, f"{record.venue} is {at.moment.phase}; modify orders in their session")
    refused = _cut_refused(record, qty_cut, instrument)
    if refused is not None:
        return refused
    is_repriced = price is not None and price != record.price
    if not is_repriced and qty_cut == ZERO:
        return _no(RejectCode.UNCHANGED, f"order {record.key} has these terms already; nothing is changed")
    if is_repriced:
        assert price is not None
        if record.price is None:
            return _no(RejectCode.PRICE, f"order {record.key} is a market order; it has no price to change")
        band = band_on(instrument, at.base, day.isoformat())
        refused = price_refused(instrument, price, band, at.base, day)
        if refused is not None:
            return refused
        worst = price
    qty_left = record.qty_left - qty_cut
    return _means(record, instrument, qty_left, price if is_repriced else record.price, worst, at)


def _cut_refused(record: OrderRecord, qty_cut: Decimal, instrument: Instrument) -> Refusal | None:
    if not qty_cut.is_finite() or qty_cut < ZERO:
        return _no(
            RejectCode.QTY, f"a modify of {record.key} by {qty_cut} would enlarge it; send a new order"
        )
    if qty_cut >= record.qty_left:
        return _no(
            RejectCode.QTY,
            f"order {record.key} has {record.qty_left} left and {qty_cut} would go; cancel it instead",
        )
    if not instrument.fractional and qty_cut % instrument.lot:
        return _no(RejectCode.QTY, f"quantity {qty_cut} is not a multiple of {instrument.lot}; round it down")
    return None


def _means(
    record: OrderRecord,
    instrument: Instrument,
    qty_left: Decimal,
    price: Decimal | None,
    worst: Decimal | None,
    at: Situation,
) -> NewTerms | Refusal:
    hold = ZERO
    if record.side is Side.BUY:
        assert worst is not None, "a buy without a worst price was let in"
        assert at.account is not None, "an order without an account was let in"
        after = msgspec.structs.replace(record, qty=record.qty_filled + qty_left)
        hold = EXACT.add(EXACT.multiply(worst, qty_left), at.costs.of_rest(instrument, after, worst))
        free = EXACT.add(at.account.cash_free(instrument.currency.value), at.account.held_for(record.key))
        if hold > free:
            return _no(RejectCode.CASH, f"{record.symbol} needs {hold} {record.currency} and {free} is free")
    return NewTerms(
        instrument=instrument,
        qty_left=qty_left,
        price=price,
        worst=worst,
        hold=hold,
        is_repriced=price != record.price,
    )


def _no(code: RejectCode, text: str) -> Refusal:
    return Refusal(code=code, text=text)
