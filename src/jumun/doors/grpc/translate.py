"""Pure: the order service's messages to our values and back (requirements 3.1). Every map is total."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.limits import TEXT_MAX
from jumun.model.errors import BadInput, OmsError, OrderDenied
from jumun.model.instruments import Instrument, Venue
from jumun.model.money import ZERO, decimal_of_double
from jumun.model.orders import Order, OrderStatus, OrderType, Side, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.services.bulk import Decision
from jumun.services.intake import Asked, choice, instant_ns, number, optional_choice, optional_number

STATUS_OF: Final[Mapping[OrderStatus, int]] = {
    OrderStatus.NEW: pb.PENDING,
    OrderStatus.SENT: pb.ACCEPTED,
    OrderStatus.ACCEPTED: pb.ACCEPTED,
    OrderStatus.PART_FILLED: pb.PARTIALLY_FILLED,
    OrderStatus.FILLED: pb.FILLED,
    OrderStatus.CANCELLED: pb.CANCELLED,
    OrderStatus.REJECTED: pb.REJECTED,
    OrderStatus.ERROR: pb.PENDING,  # with the message UNKNOWN (C-1)
}
SIDES: Final[Mapping[int, Side]] = {pb.BUY: Side.BUY, pb.SELL: Side.SELL}
CHOSEN_SIDES: Final[Mapping[int, Side]] = {pb.SIDE_BUY: Side.BUY, pb.SIDE_SELL: Side.SELL}
TYPES: Final[Mapping[int, OrderType]] = {pb.LIMIT: OrderType.LIMIT, pb.MARKET: OrderType.MARKET}
# Beside these the public proto's price is an indication, and is dropped.
WITHOUT_PRICE: Final = frozenset({OrderType.MARKET, OrderType.STOP, OrderType.MOO, OrderType.MOC})
STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
EIGHT_PLACES: Final = Decimal("1E-8")
NS: Final = 1_000_000_000
_UUID: Final = re.compile(
    "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)
ASK_AGAIN: Final = "send it again with the same id, or ask GetOrder: the same id never makes a second order"


def asked_of(request: pb.OrderRequest) -> Asked:
    """Return what a request asks for; raises BadInput naming the field. Rules 3 to 5 of part 3.1."""
    order_type = _type(request)
    given = optional_number(request.price_text, "price_text")
    indicated = _price(request)
    side = _side(request, given if given is not None else indicated)
    # A market order carries no price; a worker of the public proto may give one as an indication.
    price = given if given is not None or order_type in WITHOUT_PRICE else indicated
    client_id, leg = _names(request)
    quantity = request.quantity_text
    return Asked(
        symbol=request.symbol,
        side=side,
        order_type=order_type,
        qty=number(quantity, "quantity_text") if quantity else Decimal(request.quantity),
        price=price,
        stop_price=optional_number(request.stop_price_text, "stop_price_text"),
        time_in_force=optional_choice(TimeInForce, request.time_in_force, "time_in_force"),
        account_id=request.account_id,
        user_id=request.user_id,
        client_order_id=client_id,
        strategy_id=request.strategy_id,
        strategy_version=request.strategy_version,
        signal_ts_ns=instant_ns(request.timestamp, "timestamp"),
        leg=leg,
        session=optional_choice(TradingSession, request.session, "session"),
        good_till=request.good_till,
    )


def response_of(
    order: Order, *, request_id: str = "", message: str = "", existing: bool = False, mismatch: bool = False
) -> pb.OrderResponse:
    """Return an order as the public proto and our fields show it."""
    average = order.average_fill_price
    costs = order.costs
    return pb.OrderResponse(
        order_id=_public_id(order),
        request_id=request_id,
        status=STATUS_OF[order.status],  # type: ignore[arg-type]  # the enum's members are ints at run time
        filled_price=0.0 if average is None else float(average),  # the public proto's own field is a double
        filled_quantity=int(order.qty_filled),
        message=message or message_of(order),
        timestamp=order.updated_ns // NS,
        filled_price_text="" if average is None else _text(average.quantize(EIGHT_PLACES)),
        filled_quantity_text=_text(order.qty_filled),
        filled_amount_text=_text(order.amount_filled),
        broker_order_no=order.refs[-1].number if order.refs else "",
        reason_code=order.reason or "",
        canonical_status=order.status,
        oms_order_id=order.order_id,
        existing=existing,
        mismatch=mismatch,
        account_id=order.account_id,
        symbol=order.symbol,
        side_choice=pb.SIDE_BUY if order.side is Side.BUY else pb.SIDE_SELL,
        order_type=order.order_type,
        quantity_text=_text(order.qty),
        price_text="" if order.price is None else _text(order.price),
        price_raw_text="" if order.price_raw is None else _text(order.price_raw),
        currency=order.currency,
        time_in_force=order.tif,
        costs_text=_text(sum(costs.values(), ZERO)) if costs else "0",
        flags=order.flags,
        created_ns=order.created_ns,
        updated_ns=order.updated_ns,
    )


def refusal_of(request: pb.OrderRequest, error: OmsError) -> pb.OrderResponse:
    """Return the answer of a stream to a request that made no order."""
    return pb.OrderResponse(
        request_id=request.id,
        status=pb.REJECTED,
        message=f"{error.code}: {error}",
        reason_code=error.code,
        canonical_status=OrderStatus.REJECTED.value,
    )


def doubt_of(request: pb.OrderRequest, error: OmsError) -> pb.OrderResponse:
    """Return the answer to a request of which nobody knows whether its order was written.

    Never REJECTED: a worker would send it again under another id, and the first may be there after a start.
    """
    return pb.OrderResponse(
        request_id=request.id,
        status=pb.PENDING,
        message=f"UNKNOWN: {error}; {ASK_AGAIN}",
        reason_code=error.code,
        canonical_status=OrderStatus.ERROR.value,
    )


def outcome_of(request: pb.OrderRequest, decision: Decision) -> pb.OrderOutcome:
    """Return what a batch says of a decision."""
    order, denial = decision.order, decision.denial
    if order is None or (denial is not None and denial.reason is Reason.KEY_CONFLICT):
        return outcome_without_order(refusal_of(request, error_of(decision)))
    return pb.OrderOutcome(
        request_id=request.id,
        order_id=_public_id(order),
        oms_order_id=order.order_id,
        status=STATUS_OF[order.status],  # type: ignore[arg-type]  # the enum's members are ints at run time
        canonical_status=order.status,
        reason_code=order.reason or "",
        message=message_of(order) if denial is None else f"{denial.reason.value}: {denial.text}",
        existing=decision.existing,
        mismatch=decision.mismatch,
    )


def outcome_without_order(answer: pb.OrderResponse) -> pb.OrderOutcome:
    """Return what a batch says of a refusal or a doubt."""
    return pb.OrderOutcome(
        request_id=answer.request_id,
        status=answer.status,
        canonical_status=answer.canonical_status,
        reason_code=answer.reason_code,
        message=answer.message,
    )


def made_of(request: pb.OrderRequest, decision: Decision) -> pb.OrderResponse:
    """Return the answer of a stream to a decision; without an order of its own it is a refusal."""
    order, denial = decision.order, decision.denial
    if order is None or (denial is not None and denial.reason is Reason.KEY_CONFLICT):
        return refusal_of(request, error_of(decision))
    return response_of(
        order,
        request_id=request.id,
        message="" if denial is None else f"{denial.reason.value}: {denial.text}",
        existing=decision.existing,
        mismatch=decision.mismatch,
    )


def error_of(decision: Decision) -> OmsError:
    """Return why a decision made no order."""
    denial = decision.denial
    assert denial is not None, "a decision without an order says why"
    return OrderDenied(denial.text, reason=denial.reason)


def message_of(order: Order) -> str:
    """Return the sentence that goes with a status: why it ended, or that its outcome is unknown."""
    if order.is_unknown:
        text = order.reason_text or "no answer came"
        return f"UNKNOWN: {text}; the broker is being asked, do not send it again"
    if order.reason is None:
        return ""
    return f"{order.reason.value}: {order.reason_text}" if order.reason_text else order.reason.value


def venue_of(request: pb.OrderRequest, instrument: Instrument) -> Venue | None:
    """Return the venue that is asked for beside the listing one; check the currency. Raises BadInput."""
    if request.currency and request.currency.strip().upper() != instrument.currency.value:
        raise BadInput(
            f"{instrument.symbol} trades in {instrument.currency}, not {request.currency[:TEXT_MAX]!r}; "
            "correct the currency",
            reason=Reason.CURRENCY_MISMATCH,
        )
    venue = optional_choice(Venue, request.venue, "venue")
    if venue is None or venue is instrument.venue:
        return None
    if venue is Venue.NXT and instrument.nxt:
        return venue
    raise BadInput(f"{instrument.symbol} trades at {instrument.venue}, not {venue}; correct the venue")


def is_uuid(text: str | None) -> bool:
    """Return whether a text is a UUID in the usual spelling."""
    return text is not None and _UUID.fullmatch(text) is not None


def _public_id(order: Order) -> str:
    client_id = order.client_order_id
    return client_id if client_id is not None and is_uuid(client_id) else order.order_id


def _side(request: pb.OrderRequest, price: Decimal | None) -> Side:
    """An omitted side reads as BUY: believed only beside a price above zero, which nobody sends by accident.

    Requirements part 3.1, rule 5. It holds for MARKET too: there the price is an indication, and is dropped.
    """
    if request.side not in SIDES:
        raise BadInput(
            f"side {request.side} is not in the list; use BUY (0) or SELL (1)", reason=Reason.UNKNOWN_SIDE
        )
    if request.side_choice == pb.SIDE_UNSPECIFIED:
        if request.side == pb.BUY and (price is None or price <= 0):
            raise BadInput(
                "side and price are both zero, as if forgotten; set side_choice, or give a price above zero",
                reason=Reason.UNKNOWN_SIDE,
            )
        return SIDES[request.side]
    chosen = CHOSEN_SIDES.get(request.side_choice)
    if chosen is None or (request.side == pb.SELL and chosen is not Side.SELL):
        raise BadInput(
            f"side_choice {request.side_choice} is unknown or contradicts side; use SIDE_BUY or SIDE_SELL",
            reason=Reason.UNKNOWN_SIDE,
        )
    return chosen


def _price(request: pb.OrderRequest) -> Decimal | None:
    """The double through its shortest text; 0 is what an omitted price reads as."""
    try:
        price = decimal_of_double(request.price, field="price")
    except OmsError as error:
        raise BadInput(str(error), reason=Reason.BAD_NUMBER) from error
    if price < 0:
        raise BadInput(
            f"price {request.price} is negative; give one above zero", reason=Reason.PRICE_NOT_POSITIVE
        )
    return price or None


def _names(request: pb.OrderRequest) -> tuple[str, str]:
    """Return the client's own name for the order, and the leg of the derived key.

    A UUID is a name. Any other id is no promise of being unique, so it only keeps two signals of one second
    apart; `idempotency_key` is a name by declaration.
    """
    if is_uuid(request.id):
        return request.id.lower(), request.leg
    if request.idempotency_key:
        return request.idempotency_key, request.leg
    if request.id and request.leg:
        return "", f"{request.id}/{request.leg}"
    return "", request.id or request.leg


def _type(request: pb.OrderRequest) -> OrderType:
    """A stop price makes it a stop order, never silently a plain one (C-11)."""
    given = TYPES.get(request.type)
    if given is None:
        raise BadInput(f"type {request.type} is not in the list; use LIMIT (0) or MARKET (1)")
    if request.order_type_text:
        named = choice(OrderType, request.order_type_text, "order_type_text")
        if bool(request.stop_price_text) is not (named in STOPS):
            raise BadInput(
                f"order_type_text {named} and stop_price_text contradict each other; a stop price goes with "
                "STOP and STOP_LIMIT, and they need one"
            )
        return named
    if not request.stop_price_text:
        return given
    return OrderType.STOP_LIMIT if given is OrderType.LIMIT else OrderType.STOP


def _text(value: Decimal) -> str:
    """Plain digits. `str` is the quicker way to them unless the number has an exponent."""
    text = str(value)
    return text if "E" not in text else f"{value:f}"
