"""OMS-02: is this an order that the venue could take? Pure, and before anything is sent (S002-23).

Which part of the day and which kind it is for stands in rules/order_kinds.py; here are the numbers.

`validate` returns the effective price (corrected toward safety, S002-28) or the first Denial. Everything
missing refuses: an unknown symbol, a day without a calendar, a Korean order without a base price (I-53).
"""

from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from jumun.model.errors import OrderDenied
from jumun.model.instruments import Instrument, Venue
from jumun.model.money import PRICE_DIGITS, PRICE_SCALE, QTY_DIGITS, QTY_SCALE, fits_scale
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.model.positions import Account
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.bands import PriceBand, price_band
from jumun.rules.order_kinds import PRICED, STOPS, kind_problem, session_problem
from jumun.rules.policy import SECOND_NS, Denial, Facts, Policy, Quote
from jumun.rules.sessions import phase_at
from jumun.rules.ticks import round_to_tick_safe

ZERO: Final = Decimal(0)


class Valid(msgspec.Struct, frozen=True, kw_only=True):
    """What validation found out about an acceptable order."""

    instrument: Instrument
    tif: TimeInForce
    venue: Venue
    session: TradingSession
    is_open: bool  # False: accepted to rest until the next session (multi-day orders only)
    price: Decimal | None  # effective
    worst_price: Decimal  # what a share can cost at most: what is reserved and counted (P-02, F-65)
    trade_date: str


def validate(intent: ApprovedOrderIntent, policy: Policy, facts: Facts) -> Valid | Denial:
    """Check quantity, kind, permission, session, tick and band, in that order."""
    instrument = policy.instrument(intent.symbol)
    account = policy.accounts[intent.account_id]
    tif = intent.time_in_force or TimeInForce.DAY
    denial = (
        _quantity(intent, instrument)
        or kind_problem(intent, tif, instrument, policy)
        or _prices_given(intent)
        or _permission(intent, account)
    )
    if denial is not None:
        return denial
    venue = intent.venue or instrument.venue
    session = intent.session or TradingSession.REGULAR
    phase, day = phase_at(venue, facts.now_ns, policy.sessions)
    problem = session_problem(intent, tif, venue, phase, facts.now_ns, policy)
    if isinstance(problem, Denial):
        return problem
    disputed = facts.disputed.get((venue, day))
    if disputed is not None:
        return Denial(Reason.NO_TABLE, disputed)
    is_open = problem is None
    if tif is TimeInForce.GTD and intent.good_till < day.isoformat():
        text = f"good_till {intent.good_till} is before the session of {day}; give a later day"
        return Denial(Reason.BAD_TIME, text)
    quote = facts.quote(intent.symbol)
    base = quote.base if quote is not None else None
    last = quote.last if quote is not None else None
    if instrument.venue is not Venue.US and not _usable(base):
        return Denial(
            Reason.NO_BASE_PRICE,
            f"{intent.symbol} has no base price for {day}, so its limits are unknown; load prices first",
        )
    band = price_band(instrument, base, day) if base is not None and _usable(base) else None
    price = _effective_price(intent, instrument, band, day)
    if isinstance(price, Denial):
        return price
    if price is None and quote is not None and _is_old(quote, policy, facts):
        return Denial(
            Reason.NO_REFERENCE_PRICE,
            f"the price of {intent.symbol} is older than {policy.limits.quote_age_max_s} s, too old for a "
            f"{intent.order_type} order; wait for a new one or give a limit",
        )
    worst = _worst_price(intent, price, band, last, policy)
    if isinstance(worst, Denial):
        return worst
    return Valid(
        instrument=instrument,
        tif=tif,
        venue=venue,
        session=session,
        is_open=is_open,
        price=price,
        worst_price=worst,
        trade_date=day.isoformat(),
    )


def _quantity(intent: ApprovedOrderIntent, instrument: Instrument) -> Denial | None:
    qty = intent.qty
    if not qty.is_finite() or qty <= ZERO:
        return Denial(Reason.QTY_NOT_POSITIVE, f"quantity {qty} of {intent.symbol} must be above zero")
    if not fits_scale(qty, QTY_SCALE, QTY_DIGITS):
        return Denial(
            Reason.QTY_TOO_LARGE, f"quantity {qty} of {intent.symbol} has too many digits; shorten it"
        )
    if qty % instrument.lot:
        if instrument.fractional and intent.order_type is OrderType.LIMIT:
            return None
        return Denial(
            Reason.QTY_NOT_LOT,
            f"quantity {qty} of {intent.symbol} is not a multiple of its lot {instrument.lot}; round it",
        )
    return None


def _prices_given(intent: ApprovedOrderIntent) -> Denial | None:
    """Each kind carries exactly the prices it needs: a stop price without its kind would trade at once."""
    stop = intent.stop_price
    if intent.order_type in STOPS:
        if stop is None:
            return Denial(Reason.PRICE_MISSING, f"a {intent.order_type} order needs a stop price; give one")
        if not stop.is_finite() or stop <= ZERO or not fits_scale(stop, PRICE_SCALE, PRICE_DIGITS):
            return Denial(Reason.PRICE_NOT_POSITIVE, f"stop price {stop} must be a price above zero")
    elif stop is not None:
        return Denial(
            Reason.PRICE_NOT_ALLOWED,
            f"a {intent.order_type} order carries no stop price, but {stop} was given; "
            "use STOP or STOP_LIMIT",
        )
    if intent.order_type in PRICED:
        if intent.price is None:
            return Denial(Reason.PRICE_MISSING, f"a {intent.order_type} order needs a price; give one")
        if not intent.price.is_finite() or intent.price <= ZERO:
            return Denial(Reason.PRICE_NOT_POSITIVE, f"price {intent.price} must be above zero")
    elif intent.price is not None and intent.price != ZERO:
        return Denial(
            Reason.PRICE_NOT_ALLOWED,
            f"a {intent.order_type} order carries no price, but {intent.price} was given; leave it out",
        )
    return None


def _permission(intent: ApprovedOrderIntent, account: Account) -> Denial | None:
    allowed = account.may_buy if intent.side is Side.BUY else account.may_sell
    if allowed:
        return None
    return Denial(
        Reason.PERMISSION,
        f"account {account.account_id} may not {intent.side}; change its permissions if it should",
    )


def _effective_price(
    intent: ApprovedOrderIntent, instrument: Instrument, band: PriceBand | None, day: date
) -> Decimal | Denial | None:
    """Round toward safety, then hold it against the daily limits (P-05, I-57)."""
    if intent.order_type not in PRICED or intent.price is None:
        return None
    try:
        price = round_to_tick_safe(instrument, intent.price, day, side_is_buy=intent.side is Side.BUY)
    except OrderDenied as error:  # below the first tick, or no tick table for that day
        return Denial(error.reason, str(error))
    if not fits_scale(price, PRICE_SCALE, PRICE_DIGITS):
        return Denial(Reason.BAD_NUMBER, f"price {price} of {intent.symbol} has too many digits; shorten it")
    if band is not None and not band.contains(price):
        return Denial(
            Reason.PRICE_OUTSIDE_BAND,
            f"price {price} of {intent.symbol} is outside today's limits {band.lower} to {band.upper}",
        )
    return price


def _worst_price(
    intent: ApprovedOrderIntent,
    price: Decimal | None,
    band: PriceBand | None,
    last: Decimal | None,
    policy: Policy,
) -> Decimal | Denial:
    """A limit buy costs its limit; an unpriced order is valued at the upper price limit (P-02)."""
    if price is not None:
        return price
    if band is not None:
        return band.upper
    if _usable(last):
        assert last is not None
        return max(last, intent.stop_price or ZERO) * policy.limits.us_market_reserve
    return Denial(
        Reason.NO_REFERENCE_PRICE,
        f"a {intent.order_type} order in {intent.symbol} needs a known price to be valued; load prices first",
    )


def _is_old(quote: Quote, policy: Policy, facts: Facts) -> bool:
    age_max_ns = policy.limits.quote_age_max_s * SECOND_NS
    return 0 < age_max_ns < facts.now_ns - quote.ts_ns


def _usable(price: Decimal | None) -> bool:
    return price is not None and price.is_finite() and price > ZERO
