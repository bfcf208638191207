"""SubscribeEvents: one subscriber at a time, written as fast as it reads and no faster."""

import asyncio
from contextlib import aclosing
from typing import Final

import grpc
import msgspec

from jumun.doors.gate import STOPPING, Gate
from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.limits import EVENT_WRITE_S, HEARTBEAT_S, SUBSCRIBERS_MAX
from jumun.model.errors import BadInput, OrderDenied
from jumun.model.journal import Message
from jumun.model.reasons import Reason
from jumun.services.event_feed import EventFeed, Told
from jumun.services.intake import name

TYPES_MAX: Final = 64  # more than there are event types
Context = grpc.aio.ServicerContext[object, object]


class EventStream:
    """Feeds the subscribers of one service."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        engine = gate.engine
        self.feed = EventFeed(
            engine.journal, stored_seq=lambda: engine.desk.stored_seq, subscribers_max=SUBSCRIBERS_MAX
        )
        gate.engine.listeners.append(self.feed.hear)
        gate.on_close.append(lambda: self.feed.close(f"{STOPPING}; subscribe again after the last seq"))

    async def tell(self, request: pb.SubscribeRequest, context: Context) -> None:
        """Write envelopes until the subscriber leaves or the service stops; raises OmsError.

        A subscriber that takes longer than EVENT_WRITE_S for one message gives its place to another.
        """
        self._gate.require_open()
        account = self._gate.intake.account(request.account_id)
        following = self.feed.follow(
            account_id=account.account_id,
            types=_types(request),
            after=_after(request),
            from_oldest=request.from_oldest,
            heartbeat_s=HEARTBEAT_S,
        )
        async with aclosing(following) as told:
            async for news in told:
                for envelope in _envelopes(news):
                    await _write(context, envelope)


def _envelopes(told: Told) -> list[pb.EventEnvelope]:
    if not told.messages:
        return [pb.EventEnvelope(seq=told.seq, heartbeat=True)]
    return [_envelope(number, message) for number, message in told.messages]


def _envelope(number: int, message: Message) -> pb.EventEnvelope:
    return pb.EventEnvelope(
        seq=number,
        event_id=message.event_id,
        event_type=message.event_type,
        event_ts_ns=message.event_ts_ns,
        version=message.version,
        correlation_id=message.correlation_id,
        causation_id=message.causation_id,
        environment=message.environment,
        account_id=message.account_id,
        payload_json=msgspec.json.encode(message.payload).decode(),
    )


async def _write(context: Context, envelope: pb.EventEnvelope) -> None:
    try:
        async with asyncio.timeout(EVENT_WRITE_S):
            await context.write(envelope)
    except TimeoutError as error:
        raise OrderDenied(
            f"a message waited {EVENT_WRITE_S:.0f} s to be read; subscribe again after the last seq you have",
            reason=Reason.OVERLOADED,
        ) from error


def _after(request: pb.SubscribeRequest) -> int | None:
    if not request.HasField("after_seq"):
        return None
    if request.from_oldest:
        raise BadInput("after_seq and from_oldest contradict each other; give one")
    if request.after_seq < 0:
        raise BadInput(
            f"after_seq {request.after_seq} is negative; give the seq of the last message you have"
        )
    return request.after_seq


def _types(request: pb.SubscribeRequest) -> frozenset[str]:
    if len(request.types) > TYPES_MAX:
        raise BadInput(f"types has {len(request.types)} entries, at most {TYPES_MAX}; leave it empty for all")
    return frozenset(name(word, "types") for word in request.types)
