"""What the gRPC tests ask with: a channel, a stub, a quiet order, and waiting for a status."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar
from uuid import uuid4

import grpc

from jumun.doors.grpc.gen import desk_pb2_grpc, order_pb2_grpc
from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.doors.grpc.status import REASON_KEY
from tests.acceptance.processes import Rig

TIMEOUT_S = 60
SEEN_AT = int(time.time())  # seconds since 1970
Stub = Any  # protoc writes untyped code
EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # the stubs lack it
_Message = TypeVar("_Message")


def channel_to(rig: Rig) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"127.0.0.1:{rig.grpc_port}")


def orders_stub(channel: grpc.aio.Channel) -> Stub:
    return order_pb2_grpc.OrderServiceStub(channel)  # type: ignore[no-untyped-call]


def desk_stub(channel: grpc.aio.Channel) -> Stub:
    return desk_pb2_grpc.DeskStub(channel)  # type: ignore[no-untyped-call]


def a_request(**changes: object) -> pb.OrderRequest:
    """A limit order to buy one share that nobody sells so low."""
    fields: dict[str, object] = {
        "id": str(uuid4()),
        "symbol": "005930",
        "side": pb.BUY,
        "type": pb.LIMIT,
        "price": 45_000.0,
        "quantity": 1,
        "strategy_id": "momentum",
        "timestamp": SEEN_AT,
    }
    return pb.OrderRequest(**(fields | changes))  # type: ignore[arg-type]


async def each(messages: Iterable[_Message]) -> AsyncIterator[_Message]:
    for message in messages:
        yield message


async def until(stub: Stub, order_id: str, *wanted: str) -> pb.OrderResponse:
    """Wait until an order has one of the statuses."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            order: pb.OrderResponse = await stub.GetOrder(
                pb.GetOrderRequest(order_id=order_id), timeout=TIMEOUT_S
            )
            if order.canonical_status in wanted:
                return order
            await asyncio.sleep(0.02)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The reason code of a refusal."""
    metadata: dict[str, Any] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type]
    return str(metadata.get(REASON_KEY))
