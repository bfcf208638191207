"""A strategy worker built for specification 004: it knows the public proto and nothing of ours."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from jumun.doors.grpc.gen import order_pb2 as pb
from tests.acceptance.asking import EOF, SEEN_AT, TIMEOUT_S, channel_to, orders_stub, until
from tests.acceptance.conftest import wait_ready
from tests.acceptance.processes import Rig

# Requirements part 3.1, rule 1: what the worker was built from, word for word.
ENUMS: Final = {
    "Side": ("BUY", "SELL"),
    "OrderType": ("LIMIT", "MARKET"),
    "OrderStatus": ("PENDING", "ACCEPTED", "REJECTED", "PARTIALLY_FILLED", "FILLED", "CANCELLED"),
}
REQUEST: Final = (
    ("id", "string"),
    ("symbol", "string"),
    ("side", "Side"),
    ("type", "OrderType"),
    ("price", "double"),
    ("quantity", "int64"),
    ("strategy_id", "string"),
    ("timestamp", "int64"),
)
RESPONSE: Final = (
    ("order_id", "string"),
    ("request_id", "string"),
    ("status", "OrderStatus"),
    ("filled_price", "double"),
    ("filled_quantity", "int64"),
    ("message", "string"),
    ("timestamp", "int64"),
)
PENDING, ACCEPTED, REJECTED = 0, 1, 2


class PublicProto:
    """The messages of the public proto, made here so that nothing of ours can leak in."""

    def __init__(self) -> None:
        file = descriptor_pb2.FileDescriptorProto(name="public.proto", package="order", syntax="proto3")
        for name, members in ENUMS.items():
            enum = file.enum_type.add(name=name)
            for number, member in enumerate(members):
                enum.value.add(name=member, number=number)
        for name, fields in (("OrderRequest", REQUEST), ("OrderResponse", RESPONSE)):
            message = file.message_type.add(name=name)
            for number, (field, kind) in enumerate(fields, start=1):
                made = message.field.add(name=field, number=number, label=1)
                if kind in ENUMS:
                    made.type, made.type_name = (
                        descriptor_pb2.FieldDescriptorProto.TYPE_ENUM,
                        f".order.{kind}",
                    )
                else:
                    made.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self.Request: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("order.OrderRequest"))
        self.Response: Any = message_factory.GetMessageClass(
            pool.FindMessageTypeByName("order.OrderResponse")
        )

    def stream(self, channel: grpc.aio.Channel, requests: Any = None, timeout_s: float = TIMEOUT_S) -> Any:
        call: Any = channel.stream_stream(
            "/order.OrderService/StreamOrders",
            request_serializer=self.Request.SerializeToString,
            response_deserializer=self.Response.FromString,
        )
        return call(requests, timeout=timeout_s)

    def request(self, **changes: object) -> Any:
        fields: dict[str, object] = {
            "id": str(uuid4()),
            "symbol": "005930",
            "price": 45_000.0,
            "quantity": 1,
            "strategy_id": "worker",
            "timestamp": SEEN_AT,
        }
        return self.Request(**(fields | changes))


PUBLIC: Final = PublicProto()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One service beside one exchange process for the whole file."""
    rig = Rig(tmp_path_factory.mktemp("stream"), settings={"MAX_QUEUE_SIZE": "50000"}, pace=20.0)
    try:
        rig.start_exchange()
        rig.start_service()
        wait_ready(rig)
        yield rig
    finally:
        rig.stop()


@pytest.mark.req("S004-78", "S004-1", "C-29")
async def test_a_worker_of_the_public_proto_sends_one_order_after_the_other_and_gets_one_answer_each(
    running: Rig,
) -> None:
    async with channel_to(running) as channel:
        stream = PUBLIC.stream(channel)
        for number in range(5):
            request = PUBLIC.request(side=number % 2, price=45_000.0 if number % 2 == 0 else 60_000.0)
            await stream.write(request)
            answer = await stream.read()
            assert answer.request_id == request.id
            if number % 2:  # nothing is held, so nothing can be sold
                assert (answer.status, answer.message.split(":")[0]) == (REJECTED, "SHARES")
                continue
            assert answer.status in (PENDING, ACCEPTED)
            assert answer.order_id == request.id
            assert answer.timestamp >= SEEN_AT
            assert (answer.filled_price, answer.filled_quantity) == (0.0, 0)
        await stream.done_writing()
        assert await stream.read() is EOF, "one answer a request, and none behind the last"
        assert await stream.code() is grpc.StatusCode.OK


@pytest.mark.req("S004-78", "F-96")
async def test_whatever_a_worker_sends_is_answered_in_order_and_the_stream_goes_on(running: Rig) -> None:
    requests = [
        PUBLIC.request(),
        PUBLIC.request(price=math.nan),
        PUBLIC.request(price=-45_000.0),
        PUBLIC.request(side=9),
        PUBLIC.request(type=9),
        PUBLIC.Request(),
        PUBLIC.request(quantity=-1),
        PUBLIC.request(quantity=0),
        PUBLIC.request(symbol="NOSUCH"),
        PUBLIC.request(timestamp=0),
        PUBLIC.request(),
    ]
    async with channel_to(running) as channel:
        stream = PUBLIC.stream(channel)
        for request in requests:
            await stream.write(request)
        await stream.done_writing()  # closed before anything is read: every answer still comes
        answers = [answer async for answer in stream]
        assert await stream.code() is grpc.StatusCode.OK
    assert [answer.request_id for answer in answers] == [request.id for request in requests]
    assert [answer.status == REJECTED for answer in answers] == [False, *[True] * 9, False]
    assert all(answer.message for answer in answers if answer.status == REJECTED)


@pytest.mark.req("F-14", "I-08")
async def test_an_id_sent_twice_on_one_stream_is_one_order_and_other_content_is_refused(running: Rig) -> None:
    request = PUBLIC.request()
    request.quantity = 13  # nobody else's, so that it can be told from orders that are still on their way
    other = PUBLIC.Request()
    other.CopyFrom(request)
    other.quantity = 17
    async with channel_to(running) as channel:
        stream = PUBLIC.stream(channel)
        for message in (request, request, other):
            await stream.write(message)
        await stream.done_writing()
        first, again, conflict = [answer async for answer in stream]
        assert (again.order_id, again.status) == (first.order_id, first.status)
        assert conflict.status == REJECTED
        assert conflict.message.startswith("KEY_CONFLICT: ")
        await until(orders_stub(channel), request.id, "ACCEPTED")
    arrived = [arrival.order.qty for arrival in running.oracle().arrivals]
    assert (arrived.count(Decimal(13)), arrived.count(Decimal(17))) == (1, 0)


@pytest.mark.req("C-29")
async def test_a_worker_that_disconnects_stops_none_of_the_orders_that_were_taken(running: Rig) -> None:
    requests = [PUBLIC.request(strategy_id="leaver") for _ in range(30)]
    async with channel_to(running) as channel:
        stream = PUBLIC.stream(channel)
        for request in requests:
            await stream.write(request)
        first = await stream.read()  # one answer is read, the others are not
        assert first.request_id == requests[0].id
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        await until(stub, requests[0].id, "ACCEPTED")
        stream = PUBLIC.stream(channel)
        for request in requests:  # the way to ask again: the same ids
            await stream.write(request)
        await stream.done_writing()
        answers = [answer async for answer in stream]
        assert {answer.order_id for answer in answers} == {request.id for request in requests}
        for request in requests:
            await until(stub, request.id, "ACCEPTED")
    ours = [arrival for arrival in running.oracle().arrivals if arrival.order.tag]
    tags = [arrival.order.tag for arrival in ours]
    assert len(tags) == len(set(tags)), "nothing was sent twice"


async def test_three_thousand_requests_sent_before_one_answer_is_read_are_all_answered_in_order(
    running: Rig,
) -> None:
    requests = [PUBLIC.request(price=math.nan if number % 3 else 45_000.0) for number in range(3_000)]

    async def sent() -> AsyncIterator[Any]:
        for request in requests:
            yield request

    async with channel_to(running) as channel, asyncio.timeout(TIMEOUT_S):
        stream = PUBLIC.stream(channel, sent())
        answers = [answer async for answer in stream]
    assert [answer.request_id for answer in answers] == [request.id for request in requests]
    assert [answer.status == REJECTED for answer in answers] == [number % 3 != 0 for number in range(3_000)]


async def test_a_stream_whose_deadline_passes_ends_and_its_orders_go_on(running: Rig) -> None:
    request = PUBLIC.request()
    async with channel_to(running) as channel:
        stream = PUBLIC.stream(channel, timeout_s=1.0)
        await stream.write(request)
        assert (await stream.read()).request_id == request.id
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert (await until(orders_stub(channel), request.id, "ACCEPTED")).order_id == request.id


@pytest.mark.req("C-29")
def test_our_messages_hold_the_public_ones_field_by_field() -> None:
    ours = pb.OrderRequest.FromString(PUBLIC.request(side=1, type=1).SerializeToString())
    assert (ours.side, ours.type, ours.price, ours.quantity) == (pb.SELL, pb.MARKET, 45_000.0, 1)
    answer = pb.OrderResponse(order_id="o", status=pb.CANCELLED, message="m", oms_order_id="ours")
    theirs = PUBLIC.Response.FromString(answer.SerializeToString())
    assert (theirs.order_id, theirs.status, theirs.message) == ("o", 5, "m")
