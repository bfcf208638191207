"""Many orders in a message: each has its own outcome, and none is lost, doubled or moved."""

import asyncio
import math
from collections.abc import Iterator

import grpc
import pytest

from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.limits import BATCH_ORDERS_MAX
from tests.acceptance.asking import TIMEOUT_S, Stub, a_request, channel_to, each, orders_stub, until
from tests.acceptance.conftest import wait_ready
from tests.acceptance.processes import Rig


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One service beside one exchange process for the whole file."""
    rig = Rig(tmp_path_factory.mktemp("bulk"), settings={"MAX_QUEUE_SIZE": "50000"})
    try:
        rig.start_exchange()
        rig.start_service()
        wait_ready(rig)
        yield rig
    finally:
        rig.stop()


def a_batch(count: int, batch_id: int = 0) -> pb.OrderBatch:
    return pb.OrderBatch(batch_id=batch_id, orders=[a_request() for _ in range(count)])


async def answered(stub: Stub, *batches: pb.OrderBatch) -> list[pb.OrderBatchReply]:
    return [reply async for reply in stub.BulkOrders(each(batches), timeout=TIMEOUT_S)]


async def test_a_hundred_orders_in_one_message_are_a_hundred_orders_each_named_in_its_place(
    running: Rig,
) -> None:
    batch = a_batch(100, batch_id=7)
    before = len(running.oracle().arrivals)
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        (reply,) = await answered(stub, batch)
        assert reply.batch_id == 7
        assert [one.request_id for one in reply.outcomes] == [request.id for request in batch.orders]
        assert [one.order_id for one in reply.outcomes] == [request.id for request in batch.orders]
        assert len({one.oms_order_id for one in reply.outcomes}) == 100
        assert {one.reason_code for one in reply.outcomes} == {""}
        for request in batch.orders:
            await until(stub, request.id, "ACCEPTED")
    assert len(running.oracle().arrivals) == before + 100


@pytest.mark.req("F-96", "F-13", "F-14")
async def test_what_is_wrong_in_a_batch_is_refused_alone_and_the_rest_is_made(running: Rig) -> None:
    good, other = a_request(), a_request()
    conflict = pb.OrderRequest()
    conflict.CopyFrom(good)
    conflict.quantity = 9
    batch = [
        (good, ""),
        (a_request(price=math.nan), "BAD_NUMBER"),
        (a_request(price=math.inf), "BAD_NUMBER"),
        (a_request(price=-1.0), "PRICE_NOT_POSITIVE"),
        (a_request(price_text="1e5"), "BAD_NUMBER"),
        (a_request(side=7), "UNKNOWN_SIDE"),
        (a_request(side_choice=9), "UNKNOWN_SIDE"),
        (a_request(type=4), "BAD_INPUT"),
        (a_request(order_type_text="SPOOF"), "BAD_INPUT"),
        (a_request(order_type_text="STOP"), "BAD_INPUT"),  # without a stop price
        (a_request(session="NIGHT"), "BAD_INPUT"),
        (a_request(good_till="tomorrow"), "BAD_TIME"),
        (a_request(account_id="SOMEBODY"), "UNKNOWN_ACCOUNT"),
        (a_request(user_id="somebody"), "PERMISSION"),
        (a_request(symbol="NOSUCH"), "UNKNOWN_SYMBOL"),
        (a_request(venue="US"), "BAD_INPUT"),
        (a_request(timestamp=12), "BAD_TIME"),
        (a_request(quantity=0), "QTY_NOT_POSITIVE"),
        (pb.OrderRequest(), "UNKNOWN_SIDE"),
        (good, ""),
        (conflict, "KEY_CONFLICT"),
        (other, ""),
    ]
    before = len(running.oracle().arrivals)
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        (reply,) = await answered(stub, pb.OrderBatch(orders=[request for request, _ in batch]))
        assert [one.reason_code for one in reply.outcomes] == [reason for _, reason in batch]
        assert [one.request_id for one in reply.outcomes] == [request.id for request, _ in batch]
        for one, (_, reason) in zip(reply.outcomes, batch, strict=True):
            assert (one.status == pb.REJECTED) is bool(reason)
            assert one.message.startswith(f"{reason}: " if reason else "")
        assert [one.existing for one in reply.outcomes if not one.reason_code] == [False, True, False]
        await until(stub, good.id, "ACCEPTED")
        await until(stub, other.id, "ACCEPTED")
    assert len(running.oracle().arrivals) == before + 2, "nothing refused may reach the exchange"


async def test_batches_behind_each_other_are_answered_in_order_and_an_empty_one_too(running: Rig) -> None:
    batches = [a_batch(size, number) for number, size in enumerate((3, 0, 40, 1, 0, 5))]
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        replies = await answered(stub, *batches)
        for batch in batches:
            for request in batch.orders:
                await until(stub, request.id, "ACCEPTED")
    assert [reply.batch_id for reply in replies] == list(range(6))
    for batch, reply in zip(batches, replies, strict=True):
        assert [one.request_id for one in reply.outcomes] == [request.id for request in batch.orders]


@pytest.mark.req("F-79", "F-86")
async def test_a_batch_over_the_limit_is_refused_order_by_order_and_the_stream_goes_on(running: Rig) -> None:
    small = [pb.OrderRequest(symbol="005930") for _ in range(10_000)]
    assert len(small) > BATCH_ORDERS_MAX
    before = len(running.oracle().arrivals)
    async with channel_to(running) as channel:
        refused, fine = await answered(orders_stub(channel), pb.OrderBatch(orders=small), a_batch(1, 2))
    assert len(refused.outcomes) == 10_000
    assert {one.reason_code for one in refused.outcomes} == {"BAD_INPUT"}
    assert f"at most {BATCH_ORDERS_MAX}" in refused.outcomes[0].message
    assert fine.outcomes[0].oms_order_id
    async with channel_to(running) as channel:
        await until(orders_stub(channel), fine.outcomes[0].oms_order_id, "ACCEPTED")
    assert len(running.oracle().arrivals) == before + 1


@pytest.mark.req("F-79")
async def test_a_batch_of_too_many_bytes_ends_its_stream_and_the_service_goes_on(running: Rig) -> None:
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await answered(stub, a_batch(10_000))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        (reply,) = await answered(stub, a_batch(1))
        assert reply.outcomes[0].oms_order_id


@pytest.mark.req("I-08", "C-29")
async def test_a_client_that_leaves_in_the_middle_asks_again_with_the_same_ids_and_nothing_is_doubled(
    running: Rig,
) -> None:
    batches = [a_batch(200, number) for number in range(5)]
    async with channel_to(running) as channel:
        call = orders_stub(channel).BulkOrders(timeout=TIMEOUT_S)
        for batch in batches:
            await call.write(batch)
        assert len((await call.read()).outcomes) == 200
    before = running.oracle()
    async with channel_to(running) as channel, asyncio.timeout(TIMEOUT_S):
        stub = orders_stub(channel)
        replies = await answered(stub, *batches)
        outcomes = [one for reply in replies for one in reply.outcomes]
        assert len({one.oms_order_id for one in outcomes}) == 1_000
        assert all(one.existing for one in replies[0].outcomes)
        for one in outcomes:
            await until(stub, one.oms_order_id, "ACCEPTED")
    tags = [arrival.order.tag for arrival in running.oracle().arrivals]
    assert len(tags) == len(set(tags)), "nothing was sent twice"
    assert len(tags) >= len(before.arrivals)


async def test_ten_thousand_orders_in_full_batches_are_all_made_once(running: Rig) -> None:
    batches = [a_batch(BATCH_ORDERS_MAX, number) for number in range(10)]
    async with channel_to(running) as channel:
        replies = await answered(orders_stub(channel), *batches)
    outcomes = [one for reply in replies for one in reply.outcomes]
    asked = [request.id for batch in batches for request in batch.orders]
    assert [one.order_id for one in outcomes] == asked
    assert len({one.oms_order_id for one in outcomes}) == 10_000
