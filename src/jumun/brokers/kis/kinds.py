"""Which orders KIS takes: by venue, session, kind, product, side, service and date (kis.md 4.1, 4.5, 7.3).

Whatever KIS would refuse is refused here with a reason and nothing is sent. A gap in the tables refuses too.
"""

from datetime import date
from typing import Final

import msgspec

from jumun.brokers.kis.access import KisEnvironment
from jumun.brokers.kis.codes import (
    ORDER_KINDS,
    ROUTE_OF_VENUE,
    SOR,
    STOP_LIMIT_CODE,
    US_ORDER_KINDS,
    OrderKind,
    UsOrderKind,
)
from jumun.brokers.kis.switches import DEFAULTS, KisSwitches
from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import OrderType, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.model.reports import SubmitRequest

Kind = tuple[Venue, OrderType, TimeInForce]
_Cell = tuple[Venue, TradingSession, OrderType, TimeInForce]

_S, _T, _F = TradingSession, OrderType, TimeInForce

# What the desk can ask for, and the ORD_DVSN that means it. Absent: not taken there. The close-price sessions
# trade at the close whatever price is given, so a limit would be no limit: they are sent as MARKET only.
CODES: Final[dict[_Cell, str]] = {
    (Venue.KRX, _S.REGULAR, _T.LIMIT, _F.DAY): "00",
    (Venue.KRX, _S.REGULAR, _T.LIMIT, _F.IOC): "11",
    (Venue.KRX, _S.REGULAR, _T.LIMIT, _F.FOK): "12",
    (Venue.KRX, _S.REGULAR, _T.MARKET, _F.DAY): "01",
    (Venue.KRX, _S.REGULAR, _T.MARKET, _F.IOC): "13",
    (Venue.KRX, _S.REGULAR, _T.MARKET, _F.FOK): "14",
    (Venue.KRX, _S.REGULAR, _T.STOP_LIMIT, _F.DAY): STOP_LIMIT_CODE,
    (Venue.KRX, _S.CLOSE_BEFORE, _T.MARKET, _F.DAY): "05",
    (Venue.KRX, _S.CLOSE_AFTER, _T.MARKET, _F.DAY): "06",
    (Venue.KRX, _S.SINGLE_PRICE, _T.LIMIT, _F.DAY): "07",
    (Venue.KRX, _S.AFTER_MARKET, _T.LIMIT, _F.DAY): "41",
    (Venue.KRX, _S.AFTER_MARKET, _T.LIMIT, _F.IOC): "42",
    (Venue.KRX, _S.AFTER_MARKET, _T.LIMIT, _F.FOK): "43",
    (Venue.NXT, _S.REGULAR, _T.LIMIT, _F.DAY): "00",
    (Venue.NXT, _S.REGULAR, _T.LIMIT, _F.IOC): "11",
    (Venue.NXT, _S.REGULAR, _T.LIMIT, _F.FOK): "12",
    (Venue.NXT, _S.REGULAR, _T.MARKET, _F.IOC): "13",
    (Venue.NXT, _S.REGULAR, _T.MARKET, _F.FOK): "14",
    (Venue.NXT, _S.REGULAR, _T.STOP_LIMIT, _F.DAY): STOP_LIMIT_CODE,
    (Venue.NXT, _S.PRE_MARKET, _T.LIMIT, _F.DAY): "27",
    (Venue.NXT, _S.AFTER_MARKET, _T.LIMIT, _F.DAY): "00",
    (Venue.NXT, _S.AFTER_MARKET, _T.LIMIT, _F.IOC): "11",
    (Venue.NXT, _S.AFTER_MARKET, _T.LIMIT, _F.FOK): "12",
    (Venue.US, _S.REGULAR, _T.LIMIT, _F.DAY): "00",
    (Venue.US, _S.REGULAR, _T.MOO, _F.DAY): "31",
    (Venue.US, _S.REGULAR, _T.LOO, _F.DAY): "32",
    (Venue.US, _S.REGULAR, _T.MOC, _F.DAY): "33",
    (Venue.US, _S.REGULAR, _T.LOC, _F.DAY): "34",
    (Venue.US, _S.DAY_MARKET, _T.LIMIT, _F.DAY): "00",
}


class KindRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Refused here; nothing was sent. One reason code and one sentence that says what to do."""

    reason: Reason
    text: str


def order_code(
    request: SubmitRequest,
    instrument: Instrument,
    environment: KisEnvironment,
    on: date,
    switches: KisSwitches = DEFAULTS,
) -> str | KindRefused:
    """Return the ORD_DVSN of a new order on trade date `on`, or why KIS would not take it."""
    if request.symbol != instrument.symbol:
        return _no(
            f"{request.symbol} was looked up as {instrument.symbol}; this order is not sent: report it",
            Reason.INTERNAL,
        )
    if request.session is TradingSession.DAY_MARKET:
        refused = _day_market_problem(request, environment)
        if refused is not None:
            return refused
    code = CODES.get((request.venue, request.session, request.order_type, request.tif))
    if code is None or not _is_switched_on(request.venue, code, switches):
        return _no(
            f"KIS takes no {request.order_type} {request.tif} at {request.venue} in {request.session}; "
            "use LIMIT DAY in the regular session"
        )
    refused = _place_problem(request, instrument, code, environment, on)
    return refused or price_problem(request, code) or code


def home_route(request: SubmitRequest, instrument: Instrument, code: str, *, sor: bool) -> str:
    """Return the EXCG_ID_DVSN_CD of a Korean order.

    `sor` lets KIS choose for an order to KRX that NXT could take too, unless somebody named KRX. A kind, a
    session or an issue that KIS does not route goes where the order says (kis.md 4.1, 4.6).
    """
    can_be = instrument.nxt and request.session is TradingSession.REGULAR and not request.is_venue_asked
    if sor and request.venue is Venue.KRX and can_be and SOR in ORDER_KINDS[code].routes.split():
        return SOR
    return ROUTE_OF_VENUE[request.venue]


def kinds_of(environment: KisEnvironment, switches: KisSwitches = DEFAULTS) -> frozenset[Kind]:
    """Return every (venue, kind, time in force) that is taken in some session, for BrokerTraits."""
    return frozenset(
        (venue, order_type, tif)
        for (venue, _, order_type, tif), code in CODES.items()
        if _is_switched_on(venue, code, switches) and _is_in(venue, code, environment)
    )


def sessions_of(environment: KisEnvironment, on: date) -> frozenset[tuple[Venue, TradingSession]]:
    """Return the sessions beside the regular one that take orders on trade date `on`, for BrokerTraits."""
    return frozenset(
        (venue, session)
        for (venue, session, _, _), code in CODES.items()
        if session is not TradingSession.REGULAR and _runs(venue, session, code, environment, on)
    )


def price_problem(request: SubmitRequest, code: str) -> KindRefused | None:
    """Refuse a price where the kind has none, and a kind with a price that comes without one."""
    is_priced = kind_of_code(request.venue, code).is_priced
    if is_priced and request.price is None:
        return _no(f"{request.order_type} needs a price; give one", Reason.PRICE_MISSING)
    if not is_priced and request.price is not None:
        return _no(
            f"{request.order_type} in {request.session} trades without a price of its own; leave it out",
            Reason.PRICE_NOT_ALLOWED,
        )
    if (code == STOP_LIMIT_CODE and request.venue is not Venue.US) is (request.stop_price is None):
        return _no(
            f"{request.order_type} with stop price {request.stop_price} is contradictory; a stop price goes "
            "with STOP_LIMIT and with nothing else",
            Reason.PRICE_NOT_ALLOWED,
        )
    return None


def kind_of_code(venue: Venue, code: str) -> OrderKind | UsOrderKind:
    """Return the row of a code's table; KeyError for a code that no table holds."""
    return US_ORDER_KINDS[code] if venue is Venue.US else ORDER_KINDS[code]


def _day_market_problem(request: SubmitRequest, environment: KisEnvironment) -> KindRefused | None:
    """Only for US shares, only LIMIT DAY, and only live (kis.md 3.3.9)."""
    if environment is KisEnvironment.PAPER:
        return _no("KIS's paper service has no US day market; wait for the regular session")
    if (request.venue, request.order_type, request.tif) != (Venue.US, OrderType.LIMIT, TimeInForce.DAY):
        return _no("the US day market takes LIMIT DAY orders for US shares only; send one")
    return None


def _runs(venue: Venue, session: TradingSession, code: str, environment: KisEnvironment, on: date) -> bool:
    if session is TradingSession.DAY_MARKET:
        return environment is KisEnvironment.LIVE
    return _is_in(venue, code, environment) and _is_on(code, on)


def _place_problem(
    request: SubmitRequest, instrument: Instrument, code: str, environment: KisEnvironment, on: date
) -> KindRefused | None:
    venue = request.venue
    is_listed = venue is instrument.venue or (venue is Venue.NXT and instrument.nxt)
    if not is_listed:
        return _no(f"{request.symbol} is not traded at {venue}; send it to {instrument.venue}")
    if not _is_in(venue, code, environment):
        name = kind_of_code(venue, code).name
        return _no(f"KIS's paper service takes no {name} order at {venue}; use LIMIT DAY in KRX's day")
    if venue is Venue.US:
        return _us_problem(request, instrument, code)
    if not _is_on(code, on):
        row = ORDER_KINDS[code]
        when = f"ended on {row.last}" if on > row.last else f"begins on {row.first}"
        return _no(f"{row.name} ({code}) {when}; choose another session", Reason.SESSION_CLOSED)
    if venue is Venue.KRX and request.session is TradingSession.AFTER_MARKET and instrument.is_etp:
        return _no(f"{request.symbol} is a fund or note, which KRX does not trade in the evening; wait")
    return None


def _us_problem(request: SubmitRequest, instrument: Instrument, code: str) -> KindRefused | None:
    row = US_ORDER_KINDS[code]
    if request.side not in row.sides:
        return _no(f"KIS takes {row.name} orders as sells only; use LOO or LOC to buy")
    if not instrument.exchange:
        return _no(
            f"the master list does not say where {request.symbol} is listed; add NASD, NYSE or AMEX to it",
            Reason.UNKNOWN_SYMBOL,
        )
    return None


def _is_switched_on(venue: Venue, code: str, switches: KisSwitches) -> bool:
    if venue is Venue.US:
        return True
    if code == STOP_LIMIT_CODE:
        return switches.native_stops
    if venue is Venue.NXT and code in ("13", "14"):
        return switches.nxt_market_immediate
    return True


def _is_in(venue: Venue, code: str, environment: KisEnvironment) -> bool:
    """Whether the service has the kind at that venue; paper has KRX and US limits only (kis.md 7.3)."""
    row = kind_of_code(venue, code)
    if isinstance(row, OrderKind) and ROUTE_OF_VENUE[venue] not in row.routes.split():
        return False
    if environment is KisEnvironment.LIVE:
        return True
    return row.is_paper and venue is not Venue.NXT


def _is_on(code: str, on: date) -> bool:
    row = ORDER_KINDS[code]
    return row.first <= on <= row.last


def _no(text: str, reason: Reason = Reason.KIND_NOT_SUPPORTED) -> KindRefused:
    return KindRefused(reason=reason, text=text)
