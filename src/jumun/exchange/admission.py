"""Whether an order may enter the market: the checks an exchange and the house in front of it make.

Returns a `Refusal` or an `Admission`; changes nothing. The order of the checks is the order in which a person
would want to hear of them.
"""

from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.accounts import Account, CostBook
from jumun.exchange.line import Mode, Moment
from jumun.exchange.records import NewOrder, Refusal, RejectCode
from jumun.exchange.world import World
from jumun.model.errors import OmsError
from jumun.model.instruments import Instrument, InstrumentMaster, UnknownSymbol, Venue
from jumun.model.money import EXACT
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.rules.bands import PriceBand, price_band
from jumun.rules.sessions import Phase, session_on
from jumun.rules.ticks import floor_to_tick, is_on_tick

QTY_MAX: Final = Decimal(1_000_000_000)  # more than any listed company has free; catches a misplaced comma
US_COLLAR: Final = Decimal("1.3")  # no static band there: a market order may pay 30 % over the last price
TRADING: Final = frozenset({Phase.PRE_OPEN_AUCTION, Phase.CONTINUOUS, Phase.CLOSING_AUCTION})
AUCTION_KINDS: Final = frozenset({OrderType.MOO, OrderType.LOO, OrderType.MOC, OrderType.LOC})
PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LOO, OrderType.LOC})
STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
CARRIED: Final = frozenset({TimeInForce.GTC, TimeInForce.GTD})
FIXED: Final = frozenset({TradingSession.CLOSE_BEFORE, TradingSession.CLOSE_AFTER})
SINGLE_PRICE_RATE: Final = Decimal("0.10")  # around the day's close
FOREVER_NS: Final = 2**62  # an order that only a cancel ends
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
    mode: Mode
    trade_date: str
    expires_ns: int
    worst: Decimal | None
    hold: Decimal


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks look at. `base`, `last` and `close` are None when nobody knows them."""

    world: World
    master: InstrumentMaster
    costs: CostBook
    account: Account | None
    moment: Moment
    mode: Mode
    base: Decimal | None
    last: Decimal | None
    close: Decimal | None  # the newest regular price of the day: its close, once it is over
    now_ns: int


def kinds_of(world: World) -> frozenset[tuple[Venue, OrderType, TimeInForce]]:
    """Return every kind this market takes in some session."""
    kinds = {(venue, kind, tif) for venue in (Venue.KRX, Venue.US) for kind, tif in KINDS}
    kinds |= {(Venue.US, kind, TimeInForce.DAY) for kind in AUCTION_KINDS}
    if any(instrument.nxt for instrument in world.instruments):
        kinds |= {(Venue.NXT, OrderType.LIMIT, tif) for kind, tif in KINDS if kind is OrderType.LIMIT}
    if world.carries_orders:
        kinds |= {(venue, OrderType.LIMIT, tif) for venue in (Venue.KRX, Venue.US) for tif in CARRIED}
    if world.holds_stops:
        kinds |= {(venue, kind, TimeInForce.DAY) for venue in (Venue.KRX, Venue.US) for kind in STOPS}
    return frozenset(kinds)


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
    refused = _listing(order, instrument) or _kind(order, at) or _quantity(order, instrument)
    if refused is not None:
        return refused
    expires_ns = _expiry(order, at)
    if isinstance(expires_ns, Refusal):
        return expires_ns
    day = at.moment.day
    band = band_on(instrument, at.base, at.moment.trade_date)
    refused = price_refused(instrument, order.price, band, at.base, day) or _session_price(order, at)
    if refused is not None:
        return refused
    worst = order.price if order.price is not None else _worst_of_market(order, instrument, band, at, day)
    if worst is None and order.side is Side.BUY:
        return _no(RejectCode.BASE, f"{order.symbol} has no price yet; send a limit or wait for a print")
    return _means(order, instrument, at, at.account, expires_ns, worst)


def _listing(order: NewOrder, instrument: Instrument) -> Refusal | None:
    also_nxt = order.venue is Venue.NXT and instrument.nxt
    if order.venue is not instrument.venue and not also_nxt:
        return _no(RejectCode.VENUE, f"{order.symbol} trades at {instrument.venue}, not at {order.venue}")
    if order.currency is not instrument.currency:
        return _no(RejectCode.CURRENCY, f"{order.symbol} trades in {instrument.currency}; send that")
    evening = order.session is TradingSession.AFTER_MARKET and order.venue is Venue.KRX
    if evening and instrument.is_etp:
        return _no(RejectCode.SESSION, f"{order.symbol} is not traded in the evening; wait for the morning")
    return None


def _kind(order: NewOrder, at: Situation) -> Refusal | None:
    if not _is_taken(order, at.world):
        return _no(
            RejectCode.KIND,
            f"{order.order_type} {order.tif} is not taken at {order.venue} in {order.session}; "
            "send MARKET or LIMIT DAY in the regular session",
        )
    if at.mode is Mode.AUCTION and order.tif in (TimeInForce.IOC, TimeInForce.FOK):
        return _no(RejectCode.KIND, f"{order.tif} is not taken in an auction; send DAY or wait for its end")
    is_fixed = order.session in FIXED
    if (order.order_type in PRICED) is (order.price is None) and not is_fixed:
        return _no(RejectCode.PRICE, f"a {order.order_type} order with price {order.price} is contradictory")
    if (order.order_type in STOPS) is (order.stop_price is None):
        return _no(
            RejectCode.PRICE, f"a {order.order_type} order with stop {order.stop_price} is contradictory"
        )
    return None


def _is_taken(order: NewOrder, world: World) -> bool:
    """Whether this market takes that kind in that session (krx_market.md 4.1)."""
    kind, tif, session = order.order_type, order.tif, order.session
    if session in FIXED:
        return kind in (OrderType.LIMIT, OrderType.MARKET) and tif is TimeInForce.DAY
    if session in (TradingSession.SINGLE_PRICE, TradingSession.DAY_MARKET):
        return kind is OrderType.LIMIT and tif is TimeInForce.DAY
    if session is not TradingSession.REGULAR or order.venue is Venue.NXT:
        return kind is OrderType.LIMIT and (kind, tif) in KINDS
    if kind in AUCTION_KINDS:
        return order.venue is Venue.US and tif is TimeInForce.DAY
    if kind in STOPS:
        return world.holds_stops and tif is TimeInForce.DAY
    if tif in CARRIED:
        return world.carries_orders and kind is OrderType.LIMIT
    return (kind, tif) in KINDS


def _expiry(order: NewOrder, at: Situation) -> int | Refusal:
    """Return when the order ends by itself; refused when its session takes nothing now."""
    plan = at.moment.plan
    if order.order_type in AUCTION_KINDS:
        span = None if plan is None else plan.auction_entry(order.order_type)
        if plan is None or span is None or not span[0] <= at.now_ns < span[1]:
            return _no(
                RejectCode.TOO_LATE,
                f"{order.order_type} is not taken now; send it before the auction's cut-off",
            )
        return plan.close_ns
    if order.session is not TradingSession.REGULAR and order.session not in at.world.sessions:
        return _no(RejectCode.SESSION, f"this market runs no {order.session} session; send REGULAR")
    expires_ns = at.moment.taken.get(order.session)
    if expires_ns is None:
        return _no(
            RejectCode.CLOSED,
            f"{order.venue} is {at.moment.phase} and takes no {order.session} order; send it in its session",
        )
    if at.mode is Mode.HALTED and not at.world.halt_takes_orders:
        return _no(RejectCode.HALTED, f"{order.symbol} is halted; send orders when it trades again")
    if order.tif is TimeInForce.GTC:
        return FOREVER_NS
    if order.tif is TimeInForce.GTD:
        last = session_on(order.venue, date.fromisoformat(order.good_till), at.world.overrides)
        if last is None or last.close_ns <= at.now_ns:
            return _no(RejectCode.KIND, f"GTD until {order.good_till!r} is no session to come; name one")
        return last.close_ns
    return expires_ns


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


def _session_price(order: NewOrder, at: Situation) -> Refusal | None:
    price = order.price
    if price is None:
        return None
    if order.session in FIXED and price != (fixed := fixed_price(order.session, at)):
        return _no(RejectCode.PRICE, f"{order.session} trades at {fixed} only; send that or no price")
    if order.session is TradingSession.SINGLE_PRICE and at.close is not None:
        width = at.close * SINGLE_PRICE_RATE
        if abs(price - at.close) > width:
            return _no(RejectCode.BAND, f"{order.symbol} price {price} is not within 10 % of {at.close}")
    if order.order_type in STOPS and (order.stop_price is None or order.stop_price <= 0):
        return _no(RejectCode.PRICE, f"stop price {order.stop_price} is not above zero; send a valid one")
    return None


def fixed_price(session: TradingSession, at: Situation) -> Decimal | None:
    """Return the only price of a close-price session: the close before, or the day's own."""
    return at.base if session is TradingSession.CLOSE_BEFORE else at.close


def _worst_of_market(
    order: NewOrder, instrument: Instrument, band: PriceBand | None, at: Situation, day: date
) -> Decimal | None:
    if order.session in FIXED:
        return fixed_price(order.session, at)
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
    expires_ns: int,
    worst: Decimal | None,
) -> Admission | Refusal:
    trade_date, hold = at.moment.trade_date, Decimal(0)
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
        mode=at.mode,
        trade_date=trade_date,
        expires_ns=expires_ns,
        worst=worst,
        hold=hold,
    )


def _no(code: RejectCode, text: str) -> Refusal:
    return Refusal(code=code, text=text)
