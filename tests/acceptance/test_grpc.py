"""The order service of specification 004, asked by a client that knows nothing but its proto."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.doors.grpc.gen import order_pb2_grpc
from jumun.doors.grpc.status import REASON_KEY
from tests.acceptance.conftest import wait_ready
from tests.acceptance.processes import Rig

TIMEOUT_S = 60
SEEN_AT = int(time.time())  # seconds since 1970
Stub = Any  # protoc writes untyped code


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One service beside one exchange process for the whole file; no test depends on another's orders."""
    rig = Rig(tmp_path_factory.mktemp("grpc"), pace=20.0)
    try:
        rig.start_exchange()
        rig.start_service()
        wait_ready(rig)
        yield rig
    finally:
        rig.stop()


def channel_to(rig: Rig) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"127.0.0.1:{rig.grpc_port}")


def stub_of(channel: grpc.aio.Channel) -> Stub:
    return order_pb2_grpc.OrderServiceStub(channel)  # type: ignore[no-untyped-call]


def a_request(**changes: object) -> pb.OrderRequest:
    """A limit order to buy 2 shares that nobody sells so low."""
    fields: dict[str, object] = {
        "id": str(uuid4()),
        "symbol": "005930",
        "side": pb.BUY,
        "type": pb.LIMIT,
        "price": 45_000.0,
        "quantity": 2,
        "strategy_id": "momentum",
        "timestamp": SEEN_AT,
    }
    return pb.OrderRequest(**(fields | changes))  # type: ignore[arg-type]


async def refusal(stub: Stub, request: pb.OrderRequest) -> tuple[grpc.StatusCode, str, str]:
    """Return code, reason code and sentence of a refused CreateOrder."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.CreateOrder(request, timeout=TIMEOUT_S)
    reasons: dict[str, Any] = dict(caught.value.trailing_metadata() or ())  # type: ignore[arg-type]
    return caught.value.code(), str(reasons.get(REASON_KEY)), caught.value.details() or ""


@pytest.mark.req("I-08", "I-07", "F-13", "S002-21", "S002-22", "S004-74")
async def test_fifty_identical_intents_at_once_are_one_order_one_send_and_fifty_equal_answers(
    running: Rig,
) -> None:
    request = a_request()
    async with channel_to(running) as channel:
        stub = stub_of(channel)
        answers = await asyncio.gather(*(stub.CreateOrder(request, timeout=TIMEOUT_S) for _ in range(50)))
        await _settled(stub, request.id)
    told = {
        (answer.order_id, answer.oms_order_id, answer.quantity_text, answer.price_text) for answer in answers
    }
    assert len(told) == 1
    assert [answer.existing for answer in answers].count(False) == 1
    sent = [
        arrival
        for arrival in running.oracle().arrivals
        if arrival.order.tag.startswith(answers[0].oms_order_id)
    ]
    assert len(sent) == 1


@pytest.mark.req("S004-75", "S004-76", "S004-77", "S004-7", "C-1", "C-3")
async def test_an_order_is_made_found_under_either_id_listed_and_cancelled(running: Rig) -> None:
    request = a_request(symbol="000660", price=200_000.0)
    async with channel_to(running) as channel:
        stub = stub_of(channel)
        made = await stub.CreateOrder(request, timeout=TIMEOUT_S)
        assert made.order_id == request.id
        assert (made.status, made.canonical_status) == (pb.PENDING, "NEW")
        working = await _settled(stub, request.id)
        assert (working.status, working.canonical_status) == (pb.ACCEPTED, "ACCEPTED")
        assert working.broker_order_no
        ours = await stub.GetOrder(pb.GetOrderRequest(order_id=made.oms_order_id), timeout=TIMEOUT_S)
        assert ours.order_id == request.id
        listed = await stub.GetUserOrders(pb.GetUserOrdersRequest(user_id="demo", limit=1), timeout=TIMEOUT_S)
        assert [order.oms_order_id for order in listed.orders] == [made.oms_order_id]
        older = await stub.GetUserOrders(
            pb.GetUserOrdersRequest(limit=500, before=listed.next_before), timeout=TIMEOUT_S
        )
        assert made.oms_order_id not in [order.oms_order_id for order in older.orders]
        asked = await stub.CancelOrder(pb.CancelOrderRequest(order_id=request.id), timeout=TIMEOUT_S)
        assert asked.canonical_status in ("ACCEPTED", "CANCELLED")
        ended = await _until(stub, request.id, "CANCELLED")
        assert ended.status == pb.CANCELLED
        with pytest.raises(grpc.aio.AioRpcError) as again:
            await stub.CancelOrder(pb.CancelOrderRequest(order_id=request.id), timeout=TIMEOUT_S)
        assert again.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert (again.value.details() or "").startswith("ALREADY_FINAL: ")


@pytest.mark.req("F-96", "S002-23", "C-11")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": math.nan}, "BAD_NUMBER"),
        ({"price": math.inf}, "BAD_NUMBER"),
        ({"price": -1.0}, "PRICE_NOT_POSITIVE"),
        ({"price_text": "1e5"}, "BAD_NUMBER"),
        ({"quantity_text": "NaN"}, "BAD_NUMBER"),
        ({"side": 7}, "UNKNOWN_SIDE"),
        ({"side_choice": 9}, "UNKNOWN_SIDE"),
        ({"side": pb.SELL, "side_choice": pb.SIDE_BUY}, "UNKNOWN_SIDE"),
        ({"side": 0, "type": 0, "price": 0.0}, "UNKNOWN_SIDE"),  # side, type and price left out
        ({"type": 4}, "BAD_INPUT"),
        ({"time_in_force": "FOREVER"}, "BAD_INPUT"),
        ({"timestamp": 0}, "BAD_TIME"),
        ({"timestamp": 12}, "BAD_TIME"),
        ({"timestamp": -SEEN_AT}, "BAD_TIME"),
        ({"timestamp": 1_000_000_000}, "BAD_TIME"),  # 2001
        ({"timestamp": 9_999_999_999}, "BAD_TIME"),  # 2286
        ({"timestamp": SEEN_AT - 8 * 86_400}, "BAD_TIME"),
        ({"timestamp": SEEN_AT + 2 * 86_400}, "BAD_TIME"),
        ({"strategy_version": "v\x001"}, "BAD_INPUT"),
        ({"symbol": ""}, "BAD_INPUT"),
        ({"symbol": "NOSUCH"}, "UNKNOWN_SYMBOL"),
        ({"symbol": "00|930"}, "BAD_INPUT"),
        ({"account_id": "SOMEBODY"}, "UNKNOWN_ACCOUNT"),
        ({"user_id": "somebody"}, "PERMISSION"),
        ({"currency": "USD"}, "CURRENCY_MISMATCH"),
        ({"venue": "US"}, "BAD_INPUT"),
        ({"id": "", "strategy_id": ""}, "BAD_INPUT"),
        ({"strategy_id": "x" * 300}, "BAD_INPUT"),
    ],
)
async def test_a_request_that_cannot_be_read_is_refused_with_a_code_and_a_sentence_and_the_next_one_passes(
    running: Rig, changes: dict[str, object], reason: str
) -> None:
    before = len(running.oracle().arrivals)
    async with channel_to(running) as channel:
        stub = stub_of(channel)
        code, named, text = await refusal(stub, a_request(**changes))
        assert named == reason
        assert text.startswith(f"{reason}: ")
        assert code is not grpc.StatusCode.INTERNAL
        good = a_request(symbol="035420", price=150_000.0)
        assert (await stub.CreateOrder(good, timeout=TIMEOUT_S)).order_id == good.id
        await _settled(stub, good.id)
    assert len(running.oracle().arrivals) == before + 1, "the refused one must not reach the exchange"


@pytest.mark.req("S004-78", "S004-1", "C-29")
async def test_a_stream_answers_in_order_and_a_refused_request_does_not_end_it(running: Rig) -> None:
    requests = [
        a_request(),
        a_request(price=math.nan),
        a_request(side_choice=pb.SIDE_BUY, quantity=0),
        a_request(),
    ]

    async def sent() -> AsyncIterator[pb.OrderRequest]:
        for request in requests:
            yield request

    async with channel_to(running) as channel:
        answers = [answer async for answer in stub_of(channel).StreamOrders(sent(), timeout=TIMEOUT_S)]
    assert [answer.request_id for answer in answers] == [request.id for request in requests]
    assert [answer.status == pb.REJECTED for answer in answers] == [False, True, True, False]
    assert answers[1].message.startswith("BAD_NUMBER: ")
    assert answers[2].message.startswith("QTY_NOT_POSITIVE: ")


@pytest.mark.req("F-14", "S004-74")
async def test_an_id_that_comes_again_with_other_content_is_a_conflict_and_the_first_order_stays(
    running: Rig,
) -> None:
    request = a_request()
    other = pb.OrderRequest()
    other.CopyFrom(request)
    other.quantity = 3
    async with channel_to(running) as channel:
        stub = stub_of(channel)
        first = await stub.CreateOrder(request, timeout=TIMEOUT_S)
        code, reason, _ = await refusal(stub, other)
        assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "KEY_CONFLICT")
        now = await stub.GetOrder(pb.GetOrderRequest(order_id=request.id), timeout=TIMEOUT_S)
        assert (now.oms_order_id, now.quantity_text) == (first.oms_order_id, "2")


@pytest.mark.req("C-4", "S002-19")
async def test_without_an_id_the_signal_is_the_key_and_other_content_is_flagged_not_sent(
    running: Rig,
) -> None:
    signal = {"id": "", "strategy_id": f"s-{uuid4()}"}
    async with channel_to(running) as channel:
        stub = stub_of(channel)
        first = await stub.CreateOrder(a_request(**signal), timeout=TIMEOUT_S)
        again = await stub.CreateOrder(a_request(**signal), timeout=TIMEOUT_S)
        other = await stub.CreateOrder(a_request(**signal, quantity=5), timeout=TIMEOUT_S)
    assert {first.oms_order_id} == {again.oms_order_id, other.oms_order_id}
    assert (again.existing, again.mismatch) == (True, False)
    assert (other.existing, other.mismatch, other.quantity_text) == (True, True, "2")


@pytest.mark.req("C-5", "C-6", "C-44", "S002-28")
async def test_exact_texts_win_over_doubles_and_the_price_is_brought_to_the_safe_tick(running: Rig) -> None:
    request = a_request(price=1.0, price_text="45049.5", quantity=99, quantity_text="4")
    async with channel_to(running) as channel:
        made = await stub_of(channel).CreateOrder(request, timeout=TIMEOUT_S)
    assert (made.price_raw_text, made.price_text, made.quantity_text) == ("45049.5", "45000", "4")


async def test_an_order_nobody_knows_is_not_found_whatever_is_asked_of_it(running: Rig) -> None:
    nobody = str(uuid4())
    async with channel_to(running) as channel:
        stub = stub_of(channel)
        for call, request in (
            (stub.GetOrder, pb.GetOrderRequest(order_id=nobody)),
            (stub.CancelOrder, pb.CancelOrderRequest(order_id=nobody)),
            (stub.ModifyOrder, pb.ModifyOrderRequest(order_id=nobody, price_text="45000")),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as unknown:
                await call(request, timeout=TIMEOUT_S)
            assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.aio.AioRpcError) as attack:
            await stub.GetOrder(pb.GetOrderRequest(order_id="x" * 300_000), timeout=TIMEOUT_S)
        assert attack.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.req("S004-68", "S004-27")
async def test_health_says_serving_and_reflection_lists_the_services(running: Rig) -> None:
    async with channel_to(running) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "order.OrderService", "jumun.desk.v1.Desk"):
            told = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)
            assert told.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        async for answer in reflection.ServerReflectionInfo(iter([question]), timeout=TIMEOUT_S):
            names = {service.name for service in answer.list_services_response.service}
            assert {"order.OrderService", "jumun.desk.v1.Desk", "grpc.health.v1.Health"} <= names


@pytest.mark.req("F-79")
async def test_a_message_over_the_limit_is_refused_and_the_service_goes_on(running: Rig) -> None:
    async with channel_to(running) as channel:
        stub = stub_of(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.CreateOrder(a_request(strategy_id="x" * 600_000), timeout=TIMEOUT_S)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await stub.CreateOrder(a_request(), timeout=TIMEOUT_S)).oms_order_id


async def _settled(stub: Stub, order_id: str) -> pb.OrderResponse:
    """Wait until an order is at the exchange."""
    return await _until(stub, order_id, "ACCEPTED", "PART_FILLED", "FILLED", "CANCELLED", "REJECTED")


async def _until(stub: Stub, order_id: str, *wanted: str) -> pb.OrderResponse:
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            order: pb.OrderResponse = await stub.GetOrder(
                pb.GetOrderRequest(order_id=order_id), timeout=TIMEOUT_S
            )
            if order.canonical_status in wanted:
                return order
            await asyncio.sleep(0.02)
