"""Whether an order may enter the market: the checks an exchange and the house in front of it make.

Returns a `Refusal` or an `Admission`; changes nothing. The order of the checks is the order in which a person
would want to hear of them.
"""

from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.accounts import Account, CostBook
from jumun.exchange.records import NewOrder, Refusal, RejectCode
from jumun.exchange.world import World
from jumun.model.errors import OmsError
from jumun.model.instruments import Instrument, InstrumentMaster, UnknownSymbol
from jumun.model.money import EXACT
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.rules.bands import PriceBand, price_band
from jumun.rules.sessions import Phase, phase_at, session_on
from jumun.rules.ticks import floor_to_tick, is_on_tick

QTY_MAX: Final = Decimal(1_000_000_000)  # more than any listed company has free; catches a misplaced comma
US_COLLAR: Final = Decimal("1.3")  # no static band there: a market order may pay 30 % over the last price
TRADING: Final = frozenset({Phase.PRE_OPEN_AUCTION, Phase.CONTINUOUS, Phase.CLOSING_AUCTION})
AUCTIONS: Final = frozenset({Phase.PRE_OPEN_AUCTION, Phase.CLOSING_AUCTION})
KINDS: Final = frozenset(
    (order_type, tif)
    for order_type in (OrderType.MARKET, OrderType.LIMIT)
    for tif in (TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK)
)


class Admission(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order that may enter. `worst` is the least favourable price it may trade at (None: any).

    `hold` is the cash to hold back for a buy.
    """

    instrument: Instrument
    phase: Phase
    trade_date: str
    expires_ns: int
    worst: Decimal | None
    hold: Decimal


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks look at. `base` and `last` are None when nobody knows them."""

    world: World
    master: InstrumentMaster
    costs: CostBook
    account: Account | None
    base: Decimal | None
    last: Decimal | None
    now_ns: int


def admit(order: NewOrder, at: Situation) -> Admission | Refusal:
    """Decide; a missing table or calendar refuses as well (fail closed)."""
    try:
        return _admit(order, at)
    except UnknownSymbol as error:
        return Refusal(code=RejectCode.SYMBOL, text=str(error))
    except OmsError as error:
        return Refusal(code=RejectCode.TABLE, text=str(error))


def band_on(instrument: Instrument, base: Decimal | None, trade_date: str) -> PriceBand | None:
    """Return the day's limits; None for the United States and where no base is known."""
    return None if base is None else price_band(instrument, base, date.fromisoformat(trade_date))


def _admit(order: NewOrder, at: Situation) -> Admission | Refusal:
    if at.account is None:
        return _no(RejectCode.ACCOUNT, f"account {order.account_id!r} is not open here; open it first")
    instrument = at.master.get(order.symbol)
    phase, day = phase_at(order.venue, at.now_ns, at.world.overrides)
    refused = _listing(order, instrument) or _kind(order, phase) or _quantity(order, instrument)
    if refused is not None:
        return refused
    plan = session_on(order.venue, day, at.world.overrides)
    if phase not in TRADING or plan is None:
        return _no(RejectCode.CLOSED, f"{order.venue} is {phase}; send orders in the regular session")
    band = band_on(instrument, at.base, day.isoformat())
    refused = price_refused(instrument, order.price, band, at.base, day)
    if refused is not None:
        return refused
    worst = order.price if order.price is not None else _worst_of_market(order, instrument, band, at, day)
    if worst is None and order.side is Side.BUY:
        return _no(RejectCode.BASE, f"{order.symbol} has no price yet; send a limit or wait for a print")
    return _means(order, instrument, at, at.account, phase, day, plan.close_ns, worst)


def _listing(order: NewOrder, instrument: Instrument) -> Refusal | None:
    if order.venue is not instrument.venue:
        return _no(RejectCode.VENUE, f"{order.symbol} trades at {instrument.venue}, not at {order.venue}")
    if order.currency is not instrument.currency:
        return _no(RejectCode.CURRENCY, f"{order.symbol} trades in {instrument.currency}; send that")
    return None


def _kind(order: NewOrder, phase: Phase) -> Refusal | None:
    if (order.order_type, order.tif) not in KINDS:
        return _no(RejectCode.KIND, f"{order.order_type} {order.tif} is not taken; send MARKET or LIMIT DAY")
    if phase in AUCTIONS and order.tif is not TimeInForce.DAY:
        return _no(RejectCode.KIND, f"{order.tif} is not taken in an auction; send DAY or wait for its end")
    if (order.order_type is OrderType.LIMIT) is (order.price is None):
        return _no(RejectCode.PRICE, f"a {order.order_type} order with price {order.price} is contradictory")
    return None


def _quantity(order: NewOrder, instrument: Instrument) -> Refusal | None:
    qty = order.qty
    if not qty.is_finite() or not 0 < qty <= QTY_MAX:
        return _no(RejectCode.QTY, f"quantity {qty} is not between 0 and {QTY_MAX}; send shares to trade")
    if not instrument.fractional and qty % instrument.lot:
        return _no(RejectCode.QTY, f"quantity {qty} is not a multiple of {instrument.lot}; round it down")
    return None


def price_refused(
    instrument: Instrument, price: Decimal | None, band: PriceBand | None, base: Decimal | None, day: date
) -> Refusal | None:
    """Return why a price cannot be entered that day; None also for a market order, which has none."""
    symbol = instrument.symbol
    if base is None and instrument.currency.value == "KRW":
        return _no(RejectCode.BASE, f"{symbol} has no base price on {day}; set one before trading it")
    if price is None:
        return None
    if not price.is_finite() or price <= 0:
        return _no(RejectCode.PRICE, f"price {price} is not above zero; send a valid price")
    if not is_on_tick(instrument, price, day):
        return _no(RejectCode.TICK, f"{symbol} price {price} is off the tick; round it to the tick")
    if band is not None and not band.contains(price):
        return _no(RejectCode.BAND, f"{symbol} price {price} is outside {band.lower} to {band.upper}")
    return None


def _worst_of_market(
    order: NewOrder, instrument: Instrument, band: PriceBand | None, at: Situation, day: date
) -> Decimal | None:
    if order.side is Side.SELL:
        return None
    if band is not None:
        return band.upper
    reference = at.last if at.last is not None else at.base
    return None if reference is None else floor_to_tick(instrument, reference * US_COLLAR, day)


def _means(
    order: NewOrder,
    instrument: Instrument,
    at: Situation,
    account: Account,
    phase: Phase,
    day: date,
    expires_ns: int,
    worst: Decimal | None,
) -> Admission | Refusal:
    trade_date, hold = day.isoformat(), Decimal(0)
    reference = worst if worst is not None else Decimal(0)
    value = EXACT.multiply(reference, order.qty)
    # Asked for sells too: a day without a cost table must refuse here, because a fill cannot be refused.
    cost = at.costs.total(instrument, order.side, value, order.qty, trade_date)
    if order.side is Side.BUY:
        hold = EXACT.add(value, cost)
        free = account.cash_free(instrument.currency)
        if hold > free:
            return _no(RejectCode.CASH, f"{order.symbol} needs {hold} {order.currency} and {free} is free")
    elif order.qty > account.shares_free(order.symbol):
        free = account.shares_free(order.symbol)
        return _no(RejectCode.SHARES, f"{order.symbol}: {order.qty} shares to sell and {free} are free")
    return Admission(
        instrument=instrument,
        phase=phase,
        trade_date=trade_date,
        expires_ns=expires_ns,
        worst=worst,
        hold=hold,
    )


def _no(code: RejectCode, text: str) -> Refusal:
    return Refusal(code=code, text=text)
