"""Requests of ours as KIS wants them: path, transaction id, and a body in which every value is text.

Source: kis.md 3.1.1, 3.1.3, 3.3.1, 3.3.2 and 3.3.9. Pure. There is no order id of ours in any of them: the
same body sent twice is two orders.

A change keeps the rest of the order whole. Revising a part would leave the remainder at work under the old
number at the old terms, so the total would not fall. Hence: fewer shares at the same price is a cancel of the
difference, and the number stays; another price is a revise of everything that is left, under a new number;
both at once is refused, unless the switch `revise_part_drops_rest` says that KIS drops the rest.
"""

from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import Final

import msgspec

from jumun.brokers.kis.access import KisAccount, KisEnvironment
from jumun.brokers.kis.codes import (
    ALL_OF_IT,
    CANCEL,
    ENDPOINTS,
    LIMIT_CODE,
    PART_OF_IT,
    REVISE,
    ROUTE_OF_VENUE,
    SELL_TYPE,
    STOP_LIMIT_CODE,
    US_EXCHANGES,
    US_SELL_TYPE,
    Function,
    is_offered,
    tr_id,
)
from jumun.brokers.kis.kinds import KindRefused, home_route, kind_of_code, order_code
from jumun.brokers.kis.switches import DEFAULTS, KisSwitches
from jumun.model.instruments import Instrument, Venue
from jumun.model.money import EXACT
from jumun.model.orders import Side, TradingSession
from jumun.model.reasons import Reason
from jumun.model.reports import CancelRequest, ModifyRequest, SubmitRequest

QTY_DIGITS: Final = 10
PRICE_LENGTH: Final = 19
NO_PRICE: Final = "0"
_CENT, _TENTH_OF_CENT, _DOLLAR = Decimal("0.01"), Decimal("0.0001"), Decimal(1)


class KisPost(msgspec.Struct, frozen=True, kw_only=True):
    """One request that changes something. `keeps_number`: a partial cancel, the order keeps its number."""

    path: str
    tr_id: str
    body: dict[str, str]
    keeps_number: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an order stands at KIS, which a later change must repeat: its kind, its route and its session.

    `route` is KRX, NXT or SOR at home and NASD, NYSE or AMEX for US shares. `daytime`: an order of the US day
    market, which has calls of its own.
    """

    route: str
    code: str = LIMIT_CODE
    daytime: bool = False


def submit_post(
    request: SubmitRequest,
    instrument: Instrument,
    account: KisAccount,
    environment: KisEnvironment,
    on: date,
    switches: KisSwitches = DEFAULTS,
    *,
    sor: bool = False,
) -> KisPost | KindRefused:
    """Return the request for a new order on trade date `on`, or why it is not sent.

    `sor` lets KIS choose between KRX and NXT where it can.
    """
    _require_account(account, request.account_id)
    code = order_code(request, instrument, environment, on, switches)
    if isinstance(code, KindRefused):
        return code
    qty = _qty_text(request.qty, request.symbol)
    if isinstance(qty, KindRefused):
        return qty
    price = _price_text(request.price, request.venue, request.symbol)
    if isinstance(price, KindRefused):
        return price
    if request.venue is Venue.US:
        return _us_submit(request, instrument, account, environment, code, qty, price)
    trigger: str | KindRefused = ""
    if code == STOP_LIMIT_CODE:
        trigger = _price_text(request.stop_price, request.venue, request.symbol)
    if isinstance(trigger, KindRefused):
        return trigger
    function = Function.BUY if request.side is Side.BUY else Function.SELL
    body = {
        "CANO": account.cano,
        "ACNT_PRDT_CD": account.product,
        "PDNO": request.symbol,
        "SLL_TYPE": SELL_TYPE[request.side],
        "ORD_DVSN": code,
        "ORD_QTY": qty,
        "ORD_UNPR": price,
        "CNDT_PRIC": trigger,
        "EXCG_ID_DVSN_CD": home_route(request, instrument, code, sor=sor),
    }
    return _post(function, environment, body)


def standing_of(post: KisPost) -> Standing:
    """Return how the order of a `submit_post` will stand at KIS."""
    daytime = post.path == ENDPOINTS[Function.DAYTIME_BUY].path
    route = post.body.get("EXCG_ID_DVSN_CD") or post.body["OVRS_EXCG_CD"]
    return Standing(route=route, code=post.body["ORD_DVSN"], daytime=daytime)


def plain_standing(venue: Venue, exchange: str) -> Standing:
    """Return the standing of a limit order of the regular session, for one that nobody remembers sending."""
    return Standing(route=exchange if venue is Venue.US else ROUTE_OF_VENUE[venue])


def standing_for(known: Standing, session: TradingSession) -> Standing:
    """Return how an order stands of which the desk knows the session.

    The session decides which call changes it, whatever a list made of its time (after a restart, F-80).
    """
    is_daytime = known.daytime or session is TradingSession.DAY_MARKET
    return msgspec.structs.replace(known, daytime=is_daytime)


def cancel_post(
    request: CancelRequest,
    account: KisAccount,
    environment: KisEnvironment,
    standing: Standing,
    switches: KisSwitches = DEFAULTS,
) -> KisPost | KindRefused:
    """Return the request that cancels all that is left of an order."""
    _require_account(account, request.account_id)
    if request.venue is not Venue.US:
        body = _home_change(request, account, standing, CANCEL, "0", NO_PRICE, ALL_OF_IT, switches)
        return _post(Function.CHANGE, environment, body)
    qty = _qty_text(request.qty_left, request.symbol)
    if isinstance(qty, KindRefused):
        return qty
    return _us_change(request, account, environment, standing, CANCEL, qty, NO_PRICE)


def modify_post(
    request: ModifyRequest,
    account: KisAccount,
    environment: KisEnvironment,
    standing: Standing,
    switches: KisSwitches = DEFAULTS,
) -> KisPost | KindRefused:
    """Return the request that changes an order, or why KIS could not do that in one step (I-03)."""
    _require_account(account, request.account_id)
    cut = EXACT.subtract(request.qty_left_before, request.qty_left)
    is_repriced = request.price != request.price_before
    refused = _change_problem(request, cut, standing, is_repriced=is_repriced)
    if refused is not None:
        return refused
    if cut and is_repriced:
        if not switches.revise_part_drops_rest:
            return _no(
                f"KIS changes the price or the quantity of {request.ref.number}, not both at once; ask "
                "for one, then for the other"
            )
        return _reprice(request, account, environment, standing, switches, PART_OF_IT)
    if cut:
        return _cut(request, account, environment, standing, switches, cut)
    return _reprice(request, account, environment, standing, switches, ALL_OF_IT)


def _change_problem(
    request: ModifyRequest, cut: Decimal, standing: Standing, *, is_repriced: bool
) -> KindRefused | None:
    number = request.ref.number
    if cut < 0:
        text = f"a modify never enlarges order {number}; send a new one for the difference"
        return _no(text, Reason.QTY_TOO_LARGE)
    if request.qty_left <= 0:
        return _no(f"nothing would be left of order {number}; cancel it instead", Reason.QTY_NOT_POSITIVE)
    if not cut and not is_repriced:
        return _no(f"order {number} has these terms already; change one", Reason.NOTHING_TO_CHANGE)
    if not is_repriced:
        return None
    is_priced = kind_of_code(request.venue, standing.code).is_priced
    if request.price is None or request.price_before is None or not is_priced:
        text = f"order {number} carries no price (kind {standing.code}); cancel it and send a new one"
        return _no(text, Reason.PRICE_NOT_ALLOWED)
    if standing.code == STOP_LIMIT_CODE and request.venue is not Venue.US:
        return _no(f"the stop of order {number} would have to be given again; cancel it and send a new one")
    return None


def _reprice(
    request: ModifyRequest,
    account: KisAccount,
    environment: KisEnvironment,
    standing: Standing,
    switches: KisSwitches,
    share: str,
) -> KisPost | KindRefused:
    price = _price_text(request.price, request.venue, request.symbol)
    if isinstance(price, KindRefused):
        return price
    qty = _qty_text(request.qty_left, request.symbol)
    if isinstance(qty, KindRefused):
        return qty
    if request.venue is Venue.US:
        return _us_change(request, account, environment, standing, REVISE, qty, price)
    # Everything that is left when KIS reads it, not what we believe is left: a fill may be on its way (F-49).
    asked = qty if share == PART_OF_IT else "0"
    body = _home_change(request, account, standing, REVISE, asked, price, share, switches)
    return _post(Function.CHANGE, environment, body)


def _cut(
    request: ModifyRequest,
    account: KisAccount,
    environment: KisEnvironment,
    standing: Standing,
    switches: KisSwitches,
    cut: Decimal,
) -> KisPost | KindRefused:
    qty = _qty_text(cut, request.symbol)
    if isinstance(qty, KindRefused):
        return qty
    if request.venue is not Venue.US:
        body = _home_change(request, account, standing, CANCEL, qty, NO_PRICE, PART_OF_IT, switches)
        return _post(Function.CHANGE, environment, body, keeps_number=True)
    if not switches.us_partial_cancel:
        text = (
            f"nobody has seen KIS cancel a part of a US order; cancel {request.ref.number} and send a new one"
        )
        return _no(text)
    return _us_change(request, account, environment, standing, CANCEL, qty, NO_PRICE, keeps_number=True)


def _us_submit(
    request: SubmitRequest,
    instrument: Instrument,
    account: KisAccount,
    environment: KisEnvironment,
    code: str,
    qty: str,
    price: str,
) -> KisPost | KindRefused:
    if instrument.exchange not in US_EXCHANGES:
        text = f"the master list does not say where {request.symbol} is listed; add NASD, NYSE or AMEX to it"
        return _no(text, Reason.UNKNOWN_SYMBOL)
    is_buy = request.side is Side.BUY
    body = {
        "CANO": account.cano,
        "ACNT_PRDT_CD": account.product,
        "OVRS_EXCG_CD": instrument.exchange,
        "PDNO": request.symbol,
        "ORD_QTY": qty,
        "OVRS_ORD_UNPR": price,
        "CTAC_TLNO": "",
        "MGCO_APTM_ODNO": "",
    }
    if request.session is TradingSession.DAY_MARKET:
        body |= {"ORD_SVR_DVSN_CD": "0", "ORD_DVSN": code}
        return _post(Function.DAYTIME_BUY if is_buy else Function.DAYTIME_SELL, environment, body)
    body |= {"SLL_TYPE": US_SELL_TYPE[request.side], "ORD_SVR_DVSN_CD": "0", "ORD_DVSN": code}
    return _post(Function.US_BUY if is_buy else Function.US_SELL, environment, body)


def _home_change(
    request: ModifyRequest | CancelRequest,
    account: KisAccount,
    standing: Standing,
    action: str,
    qty: str,
    price: str,
    share: str,
    switches: KisSwitches,
) -> dict[str, str]:
    return {
        "CANO": account.cano,
        "ACNT_PRDT_CD": account.product,
        "KRX_FWDG_ORD_ORGNO": request.ref.branch if switches.send_branch else "",
        "ORGN_ODNO": request.ref.number,
        "ORD_DVSN": standing.code,
        "RVSE_CNCL_DVSN_CD": action,
        "ORD_QTY": qty,
        "ORD_UNPR": price,
        "QTY_ALL_ORD_YN": share,
        "CNDT_PRIC": "",
        "EXCG_ID_DVSN_CD": standing.route,
    }


def _us_change(
    request: ModifyRequest | CancelRequest,
    account: KisAccount,
    environment: KisEnvironment,
    standing: Standing,
    action: str,
    qty: str,
    price: str,
    *,
    keeps_number: bool = False,
) -> KisPost | KindRefused:
    if standing.route not in US_EXCHANGES:
        text = f"the master list does not say where {request.symbol} is listed; add NASD, NYSE or AMEX to it"
        return _no(text, Reason.UNKNOWN_SYMBOL)
    function = Function.DAYTIME_CHANGE if standing.daytime else Function.US_CHANGE
    if not is_offered(function, environment):
        return _no("KIS's paper service has no US day market; its orders are changed live only")
    body = {
        "CANO": account.cano,
        "ACNT_PRDT_CD": account.product,
        "OVRS_EXCG_CD": standing.route,
        "PDNO": request.symbol,
        "ORGN_ODNO": request.ref.number,
        "RVSE_CNCL_DVSN_CD": action,
        "ORD_QTY": qty,
        "OVRS_ORD_UNPR": price,
        "MGCO_APTM_ODNO": "",
        "ORD_SVR_DVSN_CD": "0",
    }
    if standing.daytime:
        body["CTAC_TLNO"] = ""
    return _post(function, environment, body, keeps_number=keeps_number)


def _post(
    function: Function, environment: KisEnvironment, body: dict[str, str], *, keeps_number: bool = False
) -> KisPost:
    path = ENDPOINTS[function].path
    return KisPost(path=path, tr_id=tr_id(function, environment), body=body, keeps_number=keeps_number)


def _qty_text(qty: Decimal, symbol: str) -> str | KindRefused:
    if not qty.is_finite() or qty <= 0:
        return _no(f"{symbol}: quantity {qty} is not above zero; send whole shares", Reason.QTY_NOT_POSITIVE)
    if qty != qty.to_integral_value(rounding=ROUND_DOWN):
        return _no(f"{symbol}: KIS takes whole shares only, not {qty}; round it down", Reason.QTY_NOT_LOT)
    text = str(int(qty))
    if len(text) > QTY_DIGITS:
        return _no(f"{symbol}: quantity {text} is longer than KIS can read; split it", Reason.QTY_TOO_LARGE)
    return text


def _price_text(price: Decimal | None, venue: Venue, symbol: str) -> str | KindRefused:
    """Whole won; dollars with two decimals, below one dollar with four (kis.md 3.3.1)."""
    if price is None:
        return NO_PRICE
    if not price.is_finite() or price <= 0:
        return _no(f"{symbol}: price {price} is not above zero; send a valid one", Reason.PRICE_NOT_POSITIVE)
    step = _DOLLAR
    if venue is Venue.US:
        step = _CENT if price >= _DOLLAR else _TENTH_OF_CENT
    if price % step:
        return _no(
            f"{symbol}: price {price} is finer than {step}; round it to the tick", Reason.PRICE_OFF_TICK
        )
    text = f"{price.quantize(step):f}"
    if len(text) > PRICE_LENGTH:
        return _no(f"{symbol}: price {text} is longer than KIS can read; send a valid one", Reason.BAD_NUMBER)
    return text


def _require_account(account: KisAccount, account_id: str) -> None:
    assert account.account_id == account_id, "a request was given to another account's adapter"


def _no(text: str, reason: Reason = Reason.NOT_MODIFIABLE) -> KindRefused:
    return KindRefused(reason=reason, text=text)
