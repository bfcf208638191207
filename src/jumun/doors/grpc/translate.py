"""Pure: the order service's messages to our values and back (requirements 3.1). Every map is total."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from uuid import UUID

from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.model.errors import BadInput, OmsError
from jumun.model.money import decimal_of_double
from jumun.model.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.services.intake import Asked, choice, instant_ns, number, optional_number

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
EIGHT_PLACES: Final = Decimal("1E-8")
NS: Final = 1_000_000_000


def asked_of(request: pb.OrderRequest) -> Asked:
    """Return what a request asks for; raises BadInput naming the field. Rules 3 to 5 of part 3.1."""
    order_type = TYPES.get(request.type)
    if order_type is None:
        raise BadInput(f"type {request.type} is not in the list; use LIMIT (0) or MARKET (1)")
    given = optional_number(request.price_text, "price_text")
    indicated = _price(request)
    side = _side(request, given if given is not None else indicated)
    # A market order carries no price; a worker of the public proto may give one as an indication.
    price = given if order_type is OrderType.MARKET or given is not None else indicated
    client_id, leg = _names(request)
    return Asked(
        symbol=request.symbol,
        side=side,
        order_type=_with_stop(order_type, request.stop_price_text),
        qty=number(request.quantity_text, "quantity_text")
        if request.quantity_text
        else Decimal(request.quantity),
        price=price,
        stop_price=optional_number(request.stop_price_text, "stop_price_text"),
        time_in_force=choice(TimeInForce, request.time_in_force, "time_in_force")
        if request.time_in_force
        else None,
        account_id=request.account_id,
        user_id=request.user_id,
        client_order_id=client_id,
        strategy_id=request.strategy_id,
        strategy_version=request.strategy_version,
        signal_ts_ns=instant_ns(request.timestamp, "timestamp"),
        leg=leg,
    )


def response_of(
    order: Order, *, request_id: str = "", message: str = "", existing: bool = False, mismatch: bool = False
) -> pb.OrderResponse:
    """Return an order as the public proto and our fields show it."""
    average = order.average_fill_price
    return pb.OrderResponse(
        order_id=order.client_order_id if is_uuid(order.client_order_id) else order.order_id,
        request_id=request_id,
        status=STATUS_OF[order.status],  # type: ignore[arg-type]  # the enum's members are ints at run time
        filled_price=0.0 if average is None else float(average),  # the public proto's own field is a double
        filled_quantity=int(order.qty_filled),
        message=message or message_of(order),
        timestamp=order.updated_ns // NS,
        filled_price_text="" if average is None else _text(average.quantize(EIGHT_PLACES)),
        filled_quantity_text=_text(order.qty_filled),
        filled_amount_text=_text(order.amount_filled),
        broker_order_no=order.newest_ref.number if order.newest_ref is not None else "",
        reason_code=order.reason.value if order.reason is not None else "",
        canonical_status=order.status.value,
        oms_order_id=order.order_id,
        existing=existing,
        mismatch=mismatch,
        account_id=order.account_id,
        symbol=order.symbol,
        side_choice=pb.SIDE_BUY if order.side is Side.BUY else pb.SIDE_SELL,
        order_type=order.order_type.value,
        quantity_text=_text(order.qty),
        price_text="" if order.price is None else _text(order.price),
        price_raw_text="" if order.price_raw is None else _text(order.price_raw),
        currency=order.currency.value,
        time_in_force=order.tif.value,
        costs_text=_text(sum(order.costs.values(), Decimal(0))),
        flags=[flag.value for flag in order.flags],
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


def message_of(order: Order) -> str:
    """Return the sentence that goes with a status: why it ended, or that its outcome is unknown."""
    if order.is_unknown:
        text = order.reason_text or "no answer came"
        return f"UNKNOWN: {text}; the broker is being asked, do not send it again"
    if order.reason is None:
        return ""
    return f"{order.reason.value}: {order.reason_text}" if order.reason_text else order.reason.value


def check_named(request: pb.OrderRequest, order_currency: str, order_venue: str) -> None:
    """Refuse a currency or venue that is not the instrument's; raises BadInput."""
    if request.currency and request.currency.strip().upper() != order_currency:
        raise BadInput(
            f"{request.symbol} trades in {order_currency}, not {request.currency!r}; correct the currency",
            reason=Reason.CURRENCY_MISMATCH,
        )
    if request.venue and request.venue.strip().upper() != order_venue:
        raise BadInput(f"{request.symbol} trades at {order_venue}, not {request.venue!r}; correct the venue")


def is_uuid(text: str | None) -> bool:
    """Return whether a text is a UUID in the usual spelling."""
    if text is None or len(text) != 36:
        return False
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


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


def _with_stop(order_type: OrderType, stop_price: str) -> OrderType:
    """A stop price makes it a stop order, never silently a plain one (C-11)."""
    if not stop_price:
        return order_type
    return OrderType.STOP_LIMIT if order_type is OrderType.LIMIT else OrderType.STOP


def _text(value: Decimal) -> str:
    return f"{value:f}"
