"""Subscribers: all that happens to the account, once, in order, across lost connections and restarts."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.doors.grpc.status import OLDEST_KEY
from jumun.limits import SUBSCRIBERS_MAX
from tests.acceptance.asking import (
    EOF,
    TIMEOUT_S,
    Stub,
    a_request,
    channel_to,
    each,
    orders_stub,
    reason_of,
    until,
)
from tests.acceptance.conftest import wait_ready
from tests.acceptance.processes import Rig


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One service beside one exchange process for the whole file; one test starts the service again."""
    rig = Rig(tmp_path_factory.mktemp("events"), settings={"MAX_QUEUE_SIZE": "50000"})
    try:
        rig.start_exchange()
        rig.start_service()
        wait_ready(rig)
        yield rig
    finally:
        rig.stop()


def subscription(stub: Stub, **asked: Any) -> Any:
    return stub.SubscribeEvents(pb.SubscribeRequest(**asked), timeout=TIMEOUT_S)


async def opened(stub: Stub, **asked: Any) -> Any:
    """Subscribe, and wait for the first sign of life: from here on nothing is missed."""
    call = subscription(stub, **asked)
    first = await call.read()
    assert first.heartbeat
    return call


async def events(call: Any, count: int) -> list[pb.EventEnvelope]:
    got: list[pb.EventEnvelope] = []
    async with asyncio.timeout(TIMEOUT_S):
        while len(got) < count:
            envelope = await call.read()
            assert envelope is not EOF, "the stream ended"
            if not envelope.heartbeat:
                got.append(envelope)
    return got


async def everything(stub: Stub) -> list[pb.EventEnvelope]:
    """All that is kept, up to the next sign of life."""
    call = await opened(stub, from_oldest=True)
    got: list[pb.EventEnvelope] = []
    async with asyncio.timeout(TIMEOUT_S):
        while not (envelope := await call.read()).heartbeat:
            got.append(envelope)
    call.cancel()
    return got


async def to_the_end(call: Any) -> None:
    """Read until the service ends the stream."""
    while await call.read() is not EOF:
        pass


async def opened_when_free(stub: Stub) -> Any:
    """Subscribe; the service learns of a cancelled subscription a moment later."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                return await opened(stub)
            except grpc.aio.AioRpcError as error:
                if reason_of(error) != "OVERLOADED":
                    raise
                await asyncio.sleep(0.02)


def told(envelopes: list[pb.EventEnvelope]) -> list[tuple[int, str]]:
    return [(envelope.seq, envelope.event_id) for envelope in envelopes]


@pytest.mark.req("C-16", "S000-61")
async def test_a_subscriber_hears_of_its_order_in_the_one_envelope_with_numbers_as_text(running: Rig) -> None:
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        call = await opened(stub, types=["order_status_changed", "order_placed"])
        made = await stub.CreateOrder(a_request(), timeout=TIMEOUT_S)
        heard: list[pb.EventEnvelope] = []
        while not heard or json.loads(heard[-1].payload_json)["status"] != "ACCEPTED":
            heard += await events(call, 1)
        call.cancel()
    assert {envelope.event_type for envelope in heard} == {"order_status_changed", "order_placed"}
    assert {json.loads(envelope.payload_json)["order_id"] for envelope in heard} == {made.oms_order_id}
    assert {envelope.account_id for envelope in heard} == {"SIM-001"}
    assert {envelope.environment for envelope in heard} == {"sim"}
    placed = next(envelope for envelope in heard if envelope.event_type == "order_placed")
    assert json.loads(placed.payload_json)["quantity"] == "1"
    seqs = [envelope.seq for envelope in heard]
    assert seqs == sorted(set(seqs))


@pytest.mark.req("C-16")
async def test_after_a_lost_connection_a_subscriber_goes_on_behind_its_last_number(running: Rig) -> None:
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        call = await opened(stub)
        await stub.CreateOrder(a_request(), timeout=TIMEOUT_S)
        first = await events(call, 2)
        call.cancel()
        missed = a_request()
        await stub.CreateOrder(missed, timeout=TIMEOUT_S)
        await until(stub, missed.id, "ACCEPTED")
        rest = subscription(stub, after_seq=first[-1].seq)
        kept = await everything(stub)
        expected = [pair for pair in told(kept) if pair[0] >= first[0].seq]
        got = told(first) + told(await events(rest, len(expected) - 2))
        rest.cancel()
    assert got == expected


@pytest.mark.req("C-16", "F-79")
async def test_a_subscriber_resumes_across_a_restart_of_the_service_without_a_gap_or_a_repeat(
    running: Rig,
) -> None:
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        call = await opened(stub)
        request = a_request()
        await stub.CreateOrder(request, timeout=TIMEOUT_S)
        await until(stub, request.id, "ACCEPTED")
        heard = await events(call, 2)
        assert running.service is not None
        stopping = asyncio.create_task(asyncio.to_thread(running.service.terminate))
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await to_the_end(call)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await stopping == 0
    running.start_service()
    wait_ready(running)
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        call = subscription(stub, after_seq=heard[-1].seq)
        again = a_request()
        await stub.CreateOrder(again, timeout=TIMEOUT_S)
        await until(stub, again.id, "ACCEPTED")
        kept = told(await everything(stub))
        expected = [pair for pair in kept if pair[0] > heard[-1].seq]
        assert told(await events(call, len(expected))) == expected
        assert set(told(heard)) <= set(kept)
        call.cancel()


async def test_a_subscriber_that_does_not_read_slows_nobody_and_then_hears_everything(running: Rig) -> None:
    async with channel_to(running) as channel, channel_to(running) as busy:
        call = await opened(orders_stub(channel))
        batches = [
            pb.OrderBatch(orders=[a_request(quantity=0) for _ in range(1_000)], batch_id=number)
            for number in range(10)
        ]
        replies = [
            reply async for reply in orders_stub(busy).BulkOrders(each(batches), timeout=TIMEOUT_S)
        ]  # refused orders exist too, and cost the exchange nothing
        assert [reply.batch_id for reply in replies] == list(range(10))
        made = [one.oms_order_id for reply in replies for one in reply.outcomes]
        heard: list[str] = []
        async with asyncio.timeout(TIMEOUT_S):
            while len(heard) < len(made):
                envelope = await call.read()
                if envelope.event_type == "order_failed":
                    heard.append(json.loads(envelope.payload_json)["order_id"])
        call.cancel()
    assert heard == made


@pytest.mark.parametrize(
    ("asked", "code", "reason"),
    [
        ({"account_id": "SOMEBODY"}, grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_ACCOUNT"),
        ({"after_seq": -1}, grpc.StatusCode.INVALID_ARGUMENT, "BAD_INPUT"),
        ({"after_seq": 5_000, "from_oldest": True}, grpc.StatusCode.INVALID_ARGUMENT, "BAD_INPUT"),
        ({"types": ["x"] * 1_000}, grpc.StatusCode.INVALID_ARGUMENT, "BAD_INPUT"),
        ({"types": ["a|b"]}, grpc.StatusCode.INVALID_ARGUMENT, "BAD_INPUT"),
        ({"after_seq": 1}, grpc.StatusCode.OUT_OF_RANGE, "EVENTS_GONE"),
        ({"after_seq": 1 << 62}, grpc.StatusCode.OUT_OF_RANGE, "EVENTS_GONE"),
    ],
)
async def test_a_subscription_that_cannot_be_served_whole_is_refused_with_its_reason(
    running: Rig, asked: dict[str, Any], code: grpc.StatusCode, reason: str
) -> None:
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await subscription(stub, **asked).read()
        assert (refused.value.code(), reason_of(refused.value)) == (code, reason)
        if code is grpc.StatusCode.OUT_OF_RANGE:
            metadata: dict[str, Any] = dict(refused.value.trailing_metadata() or ())  # type: ignore[arg-type]
            call = await opened(stub, after_seq=int(metadata[OLDEST_KEY]))
            call.cancel()


async def test_one_subscriber_too_many_is_refused_and_a_place_given_back_can_be_taken(running: Rig) -> None:
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        calls = [await opened(stub) for _ in range(SUBSCRIBERS_MAX)]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await subscription(stub).read()
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(refused.value) == "OVERLOADED"
        calls.pop().cancel()
        calls.append(await opened_when_free(stub))
        for call in calls:
            call.cancel()
