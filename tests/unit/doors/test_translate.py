"""The order service's words and ours: nothing is guessed, and every status has its place."""

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jumun.doors.grpc import translate
from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.exchange.sample_world import INSTRUMENTS
from jumun.model.errors import BadInput, StoreUnavailable
from jumun.model.instruments import Venue
from jumun.model.orders import OrderStatus, OrderType, Side, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.rules.draft import Decision
from jumun.rules.policy import Denial
from jumun.testing.builders import a_ref, an_order

UUID = "0f3c9a52-7d1e-4b6a-9c4f-2a8e5d7b1c03"


def a_request(**changes: Any) -> pb.OrderRequest:
    fields: dict[str, Any] = {
        "id": UUID,
        "symbol": "005930",
        "price": 70_000.0,
        "quantity": 10,
        "timestamp": 1_763_600_000,
    }
    return pb.OrderRequest(**(fields | changes))


def refused(**changes: Any) -> Reason:
    with pytest.raises(BadInput) as caught:
        translate.asked_of(a_request(**changes))
    return caught.value.reason


@pytest.mark.req("C-1", "S002-30")
def test_every_status_has_one_place_in_the_public_proto() -> None:
    assert set(translate.STATUS_OF) == set(OrderStatus)
    assert {status: pb.OrderStatus.Name(translate.STATUS_OF[status]) for status in OrderStatus} == {
        OrderStatus.NEW: "PENDING",
        OrderStatus.SENT: "ACCEPTED",
        OrderStatus.ACCEPTED: "ACCEPTED",
        OrderStatus.PART_FILLED: "PARTIALLY_FILLED",
        OrderStatus.FILLED: "FILLED",
        OrderStatus.CANCELLED: "CANCELLED",
        OrderStatus.REJECTED: "REJECTED",
        OrderStatus.ERROR: "PENDING",
    }


def test_the_public_protos_numbers_are_those_of_specification_004() -> None:
    numbers = {field.name: field.number for field in pb.OrderRequest.DESCRIPTOR.fields if field.number < 20}
    assert numbers == {
        "id": 1,
        "symbol": 2,
        "side": 3,
        "type": 4,
        "price": 5,
        "quantity": 6,
        "strategy_id": 7,
        "timestamp": 8,
    }
    answers = {field.name: field.number for field in pb.OrderResponse.DESCRIPTOR.fields if field.number < 20}
    assert answers == {
        "order_id": 1,
        "request_id": 2,
        "status": 3,
        "filled_price": 4,
        "filled_quantity": 5,
        "message": 6,
        "timestamp": 7,
    }
    assert (pb.BUY, pb.SELL, pb.LIMIT, pb.MARKET) == (0, 1, 0, 1)


@pytest.mark.req("I-15")
def test_an_unknown_outcome_is_pending_with_a_message_that_says_so_and_never_rejected() -> None:
    told = translate.response_of(
        an_order(status=OrderStatus.ERROR, reason=Reason.NO_REPLY, reason_text="no answer")
    )
    assert told.status == pb.PENDING
    assert told.message.startswith("UNKNOWN: no answer")
    assert told.canonical_status == "ERROR"


@pytest.mark.req("C-44", "C-6")
@given(st.decimals(min_value=Decimal("0.01"), max_value=Decimal(10_000_000), places=2))
def test_a_double_price_is_read_back_as_the_text_it_was_made_from(price: Decimal) -> None:
    assert translate.asked_of(a_request(price=float(price))).price == price


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": math.nan}, Reason.BAD_NUMBER),
        ({"price": -math.inf}, Reason.BAD_NUMBER),
        ({"price": -0.01}, Reason.PRICE_NOT_POSITIVE),
        ({"side": 2}, Reason.UNKNOWN_SIDE),
        ({"side": -1}, Reason.UNKNOWN_SIDE),
        ({"side_choice": 3}, Reason.UNKNOWN_SIDE),
        ({"type": 2}, Reason.BAD_INPUT),
        ({"timestamp": 0}, Reason.BAD_TIME),
        ({"timestamp": 123_456}, Reason.BAD_TIME),
        ({"stop_price_text": "0x1"}, Reason.BAD_NUMBER),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(changes: dict[str, Any], reason: Reason) -> None:
    assert refused(**changes) is reason


@pytest.mark.req("F-96")
def test_side_type_and_price_that_may_have_been_forgotten_are_not_a_buy() -> None:
    assert refused(price=0.0) is Reason.UNKNOWN_SIDE
    assert refused(price=0.0, price_text="0") is Reason.UNKNOWN_SIDE
    chosen = translate.asked_of(a_request(price=0.0, side_choice=pb.SIDE_BUY))
    assert (chosen.side, chosen.price) == (Side.BUY, None), "the desk then asks for the price"
    assert translate.asked_of(a_request(price=0.0, side=pb.SELL)).side is Side.SELL


def test_a_side_that_is_chosen_wins_over_an_omitted_one_and_never_over_a_contradiction() -> None:
    assert translate.asked_of(a_request(side_choice=pb.SIDE_SELL)).side is Side.SELL
    assert refused(side=pb.SELL, side_choice=pb.SIDE_BUY) is Reason.UNKNOWN_SIDE


def test_a_market_order_of_the_public_proto_sends_no_price_and_an_exact_price_is_not_dropped() -> None:
    assert translate.asked_of(a_request(type=pb.MARKET)).price is None
    assert translate.asked_of(a_request(type=pb.MARKET, price_text="70000")).price == 70_000, (
        "the desk refuses it"
    )


@pytest.mark.req("C-11")
def test_a_stop_price_makes_a_stop_order_never_a_plain_one() -> None:
    assert translate.asked_of(a_request(stop_price_text="69000")).order_type is OrderType.STOP_LIMIT
    assert translate.asked_of(a_request(type=pb.MARKET, stop_price_text="69000")).order_type is OrderType.STOP


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_the_unit_of_the_timestamp_is_told_by_its_size(unit: int) -> None:
    assert translate.asked_of(a_request(timestamp=1_763_600_000 * unit)).signal_ts_ns == 1_763_600_000 * 10**9


@pytest.mark.req("C-3")
def test_a_uuid_is_the_orders_name_and_any_other_id_only_keeps_signals_apart() -> None:
    assert translate.asked_of(a_request(id=UUID.upper())).client_order_id == UUID
    other = translate.asked_of(a_request(id="order-7", leg="2"))
    assert (other.client_order_id, other.leg) == ("", "order-7/2")
    assert translate.asked_of(a_request(id="order-7", idempotency_key="mine")).client_order_id == "mine"


def test_the_answer_carries_the_clients_uuid_else_our_id_and_exact_texts() -> None:
    order = an_order(
        client_order_id=UUID,
        refs=(a_ref(),),
        qty_filled=Decimal(3),
        amount_filled=Decimal("209999.99"),
        costs={"BROKERAGE": Decimal(29), "TRANSACTION_TAX": Decimal(100)},
        status=OrderStatus.PART_FILLED,
        tif=TimeInForce.DAY,
    )
    told = translate.response_of(order, request_id="r")
    assert (told.order_id, told.oms_order_id, told.request_id) == (UUID, order.order_id, "r")
    assert (told.filled_price_text, told.filled_amount_text) == ("69999.99666667", "209999.99")
    assert (told.filled_quantity, told.costs_text) == (3, "129")
    assert told.broker_order_no == order.refs[0].number
    assert translate.response_of(an_order(client_order_id="mine")).order_id == an_order().order_id


def test_a_named_order_type_wins_and_a_stop_price_goes_with_stops_alone() -> None:
    assert translate.asked_of(a_request(order_type_text="loc")).order_type is OrderType.LOC
    closing = translate.asked_of(a_request(order_type_text="MOC"))
    assert (closing.order_type, closing.price) == (OrderType.MOC, None)
    stop = translate.asked_of(a_request(order_type_text="STOP_LIMIT", stop_price_text="69000"))
    assert (stop.order_type, stop.stop_price, stop.price) == (OrderType.STOP_LIMIT, 69_000, 70_000)
    assert refused(order_type_text="STOP") is Reason.BAD_INPUT
    assert refused(order_type_text="LIMIT", stop_price_text="69000") is Reason.BAD_INPUT
    assert refused(order_type_text="PEGGED") is Reason.BAD_INPUT


def test_session_and_last_day_are_read_or_refused() -> None:
    asked = translate.asked_of(a_request(session="close_after", time_in_force="GTD", good_till="2026-12-01"))
    assert (asked.session, asked.good_till) == (TradingSession.CLOSE_AFTER, "2026-12-01")
    assert refused(session="NIGHT") is Reason.BAD_INPUT


def test_a_venue_is_the_listing_one_or_nxt_where_the_issue_trades_there() -> None:
    listed = INSTRUMENTS[0]
    both = replace(listed, nxt=True)
    assert translate.venue_of(a_request(), listed) is None
    assert translate.venue_of(a_request(venue="krx", currency="krw"), listed) is None
    assert translate.venue_of(a_request(venue="NXT"), both) is Venue.NXT
    for venue, instrument in (("NXT", listed), ("US", both), ("MOON", both)):
        with pytest.raises(BadInput):
            translate.venue_of(a_request(venue=venue), instrument)
    with pytest.raises(BadInput) as wrong:
        translate.venue_of(a_request(currency="USD"), listed)
    assert wrong.value.reason is Reason.CURRENCY_MISMATCH


@pytest.mark.req("I-15", "F-82")
def test_when_nobody_knows_whether_an_order_was_written_the_answer_is_never_rejected() -> None:
    told = translate.doubt_of(a_request(), StoreUnavailable("the disk failed"))
    assert told.status == pb.PENDING
    assert told.message.startswith("UNKNOWN: the disk failed; send it again with the same id")
    assert (told.canonical_status, told.reason_code) == ("ERROR", "STORE_UNAVAILABLE")


def test_an_outcome_of_a_batch_says_the_same_as_the_answer_of_a_stream() -> None:
    denial = Denial(Reason.CASH, "too little")
    request = a_request()
    for decision in (
        Decision(order=an_order(client_order_id=UUID)),
        Decision(order=an_order(), existing=True, mismatch=True),
        Decision(order=an_order(status=OrderStatus.REJECTED, reason=Reason.CASH), denial=denial),
        Decision(order=an_order(), existing=True, denial=Denial(Reason.KEY_CONFLICT, "other content")),
        Decision(denial=Denial(Reason.QUEUE_FULL, "full")),
        Decision(order=an_order(status=OrderStatus.ERROR, reason=Reason.NO_REPLY)),
    ):
        answer, outcome = translate.made_of(request, decision), translate.outcome_of(request, decision)
        for field in outcome.DESCRIPTOR.fields:
            assert getattr(outcome, field.name) == getattr(answer, field.name), (decision, field.name)


@pytest.mark.parametrize("number", ["0", "5", "12.50", "1E+3", "1E-7", "123456789.00000001"])
def test_a_number_is_told_in_plain_digits(number: str) -> None:
    told = translate.response_of(an_order(qty=Decimal(number))).quantity_text
    assert "E" not in told
    assert Decimal(told) == Decimal(number)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (UUID, True),
        (UUID.upper(), True),
        ("{" + UUID[1:-1] + "}", False),
        (UUID.replace("-", ""), False),
        (UUID + "\n", False),
        (UUID[:-1] + "g", False),
        (UUID[:-1] + "\u0663", False),
        ("", False),
    ],
)
def test_only_the_usual_spelling_is_a_uuid(text: str, is_one: bool) -> None:
    assert translate.is_uuid(text) is is_one
