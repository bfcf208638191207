"""order.OrderService: parse, ask the engine, describe the outcome. No rule lives here (STYLE 14)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from typing import Final, TypeVar, cast

import grpc
import msgspec

from jumun.doors.gate import Gate
from jumun.doors.grpc import translate
from jumun.doors.grpc.event_stream import EventStream
from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.doors.grpc.gen.order_pb2_grpc import OrderServiceServicer
from jumun.doors.grpc.status import refuse
from jumun.doors.grpc.streams import Pipeline
from jumun.limits import (
    BATCH_ORDERS_MAX,
    BULK_PENDING_MAX,
    DEADLINE_ROOM_S,
    PAGE_DEFAULT,
    PAGE_MAX,
    STREAM_PENDING_MAX,
)
from jumun.model.errors import BadInput, OmsError, OrderDenied, StoreUnavailable, UnknownOrder
from jumun.model.ids import UserId
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.services.bulk import Decision, Offer, Posted
from jumun.services.intake import is_near, name, optional_number

CANCEL_ASKED: Final = "a cancel is on its way; the order can still fill until it is confirmed"
CANCEL_KEPT: Final = (
    "its outcome is unknown: the cancel is kept and leaves as soon as the broker's number is known"
)
MODIFY_ASKED: Final = "a modify is on its way; the old terms can still fill until it is confirmed"
Context = grpc.aio.ServicerContext[object, object]
_Answer = TypeVar("_Answer")


class OrderService(OrderServiceServicer):
    """The calls of specification 004, the stream of its public proto, batches and events."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._events = EventStream(gate)

    async def CreateOrder(self, request: pb.OrderRequest, context: Context) -> pb.OrderResponse:
        """Make an order, once."""
        try:
            intent = await self._intent(request)
            decision = await in_time(context, self._decide(intent))
            denial = decision.denial
            if decision.order is None or (denial is not None and denial.reason is Reason.KEY_CONFLICT):
                raise translate.error_of(decision)
            return translate.made_of(request, decision)
        except OmsError as error:
            return await refuse(context, error)

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.OrderResponse:
        """Return an order by our id or its user's."""
        try:
            return translate.response_of(await self._find(request.order_id, request.user_id))
        except OmsError as error:
            return await refuse(context, error)

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.OrderResponse:
        """Ask for a cancel; an order that has ended is FAILED_PRECONDITION with ALREADY_FINAL."""
        try:
            order = await self._find(request.order_id, request.user_id)
            cancelling = self._gate.engine.cancel(order.order_id, order.created_by)
            decision = await in_time(context, self._gate.whole(cancelling))
            if decision.denial is not None:
                raise OrderDenied(decision.denial.text, reason=decision.denial.reason)
            now = decision.order or order
            asked = "" if now.status.is_final else CANCEL_KEPT if now.is_unknown else CANCEL_ASKED
            return translate.response_of(now, request_id=request.order_id, message=asked)
        except OmsError as error:
            return await refuse(context, error)

    async def ModifyOrder(self, request: pb.ModifyOrderRequest, context: Context) -> pb.OrderResponse:
        """Ask for another limit price, or a lower quantity; refused with a code where it cannot be."""
        try:
            qty = optional_number(request.quantity_text, "quantity_text")
            price = optional_number(request.price_text, "price_text")
            order = await self._find(request.order_id, request.user_id)
            modifying = self._gate.engine.modify(order.order_id, order.created_by, qty=qty, price=price)
            decision = await in_time(context, self._gate.whole(modifying))
            if decision.denial is not None:
                raise OrderDenied(decision.denial.text, reason=decision.denial.reason)
            now = decision.order or order
            asked = MODIFY_ASKED if now.modify_to is not None else ""
            return translate.response_of(now, request_id=request.order_id, message=asked)
        except OmsError as error:
            return await refuse(context, error)

    async def GetUserOrders(self, request: pb.GetUserOrdersRequest, context: Context) -> pb.OrderListResponse:
        """Return a user's newest orders, a page at a time."""
        try:
            self._gate.require_open()
            user_id = self._gate.intake.any_user(request.user_id)
            if user_id is None:
                raise BadInput("user_id is missing and there are several accounts; give one")
            if not 0 <= request.limit <= PAGE_MAX:
                raise BadInput(f"limit {request.limit} is not between 0 and {PAGE_MAX}; page with `before`")
            limit = request.limit or PAGE_DEFAULT
            before = name(request.before, "before") if request.before else None
            orders = await self._gate.engine.journal.orders_of_user(user_id, limit, before)
            following = orders[-1].order_id if len(orders) == limit else ""
            return pb.OrderListResponse(
                orders=[translate.response_of(order) for order in orders], next_before=following
            )
        except OmsError as error:
            return await refuse(context, error)

    async def StreamOrders(
        self, requests: AsyncIterator[pb.OrderRequest], context: Context
    ) -> AsyncIterator[pb.OrderResponse]:
        """Answer each request once, in order; a refused one is answered REJECTED and the rest goes on."""
        pipeline = Pipeline[pb.OrderRequest, asyncio.Future[list[Posted]]](
            STREAM_PENDING_MAX, lambda _: 1, self._offer_one
        )
        async with aclosing(pipeline.run(requests)) as offered:
            async for request, waiting in offered:
                yield await self._answer(request, (await waiting)[0])

    async def BulkOrders(
        self, batches: AsyncIterator[pb.OrderBatch], context: Context
    ) -> AsyncIterator[pb.OrderBatchReply]:
        """Answer each batch in one message: one outcome an order, in the order of the batch."""
        pipeline = Pipeline[pb.OrderBatch, asyncio.Future[list[Posted]]](
            BULK_PENDING_MAX, _places_of, self._offer_batch
        )
        async with aclosing(pipeline.run(batches)) as offered:
            async for batch, waiting in offered:
                outcomes = [
                    await self._outcome(request, posted)
                    for request, posted in zip(batch.orders, await waiting, strict=True)
                ]
                yield pb.OrderBatchReply(batch_id=batch.batch_id, outcomes=outcomes)

    async def SubscribeEvents(self, request: pb.SubscribeRequest, context: Context) -> None:
        """Tell what happens to an account; see event_stream."""
        try:
            await self._events.tell(request, context)
        except OmsError as error:
            await refuse(context, error)

    # ---- from requests to orders ----------------------------------------------------------------

    async def _intent(self, request: pb.OrderRequest) -> ApprovedOrderIntent:
        gate = self._gate
        gate.require_open()
        asked = translate.asked_of(request)
        if request.currency or request.venue:
            instrument = gate.engine.desk.policy.instrument(name(request.symbol, "symbol"))
            asked = msgspec.structs.replace(asked, venue=translate.venue_of(request, instrument))
        intent = gate.intake.intent(asked)
        if not is_near(intent, gate.engine.clock.now_ns()):
            await gate.require_near(intent)
        return intent

    async def _offer_of(self, request: pb.OrderRequest) -> Offer:
        try:
            return await self._intent(request)
        except OmsError as error:
            return error

    async def _offer_one(self, request: pb.OrderRequest) -> "asyncio.Future[list[Posted]]":
        return self._offer([await self._offer_of(request)])

    async def _offer_batch(self, batch: pb.OrderBatch) -> "asyncio.Future[list[Posted]]":
        count = len(batch.orders)
        if count > BATCH_ORDERS_MAX:
            error = BadInput(f"the batch holds {count} orders, at most {BATCH_ORDERS_MAX}; split it")
            return _done([error] * count)
        return self._offer([await self._offer_of(request) for request in batch.orders])

    def _offer(self, offers: Sequence[Offer]) -> "asyncio.Future[list[Posted]]":
        try:
            return self._gate.submitter.offer(offers)
        except OmsError as error:
            return _done([error] * len(offers))

    async def _decide(self, intent: ApprovedOrderIntent) -> Decision:
        posted = (await self._gate.submitter.offer((intent,)))[0]
        if isinstance(posted, OmsError):
            raise posted
        return await posted.durable

    async def _answer(self, request: pb.OrderRequest, posted: Posted) -> pb.OrderResponse:
        if isinstance(posted, OmsError):
            return translate.refusal_of(request, posted)
        try:
            return translate.made_of(request, await posted.durable)
        except StoreUnavailable as error:
            return translate.doubt_of(request, error)
        except OmsError as error:
            return translate.refusal_of(request, error)

    async def _outcome(self, request: pb.OrderRequest, posted: Posted) -> pb.OrderOutcome:
        if isinstance(posted, OmsError):
            return translate.outcome_without_order(translate.refusal_of(request, posted))
        try:
            return translate.outcome_of(request, await posted.durable)
        except StoreUnavailable as error:
            return translate.outcome_without_order(translate.doubt_of(request, error))
        except OmsError as error:
            return translate.outcome_without_order(translate.refusal_of(request, error))

    async def _find(self, order_id: str, user_id: str) -> Order:
        gate = self._gate
        gate.require_open()
        if not order_id:
            raise BadInput("order_id is missing; give ours or the one the order was created with")
        named = name(order_id, "order_id")
        user = gate.intake.any_user(user_id)
        order = await gate.engine.find(named.lower() if translate.is_uuid(named) else named, user)
        if user_id and order.created_by != UserId(user_id):
            raise UnknownOrder(f"user {user_id!r} has no order {order_id!r}; list them with GetUserOrders")
        return order


async def in_time(context: Context, work: Awaitable[_Answer]) -> _Answer:
    """Await `work`, at most until shortly before the caller's deadline; raises OrderDenied DEADLINE then.

    The work is begun however little time is left, and its order goes on: only the answer is late.
    """
    left_s = cast("float | None", context.time_remaining())  # None without a deadline; the stubs say float
    if left_s is None:
        return await work
    try:
        async with asyncio.timeout(max(left_s - min(DEADLINE_ROOM_S, left_s / 4), 0)):
            return await work
    except TimeoutError as error:
        text = f"the deadline came before the answer, and what was asked goes on; {translate.ASK_AGAIN}"
        raise OrderDenied(text, reason=Reason.DEADLINE) from error


def _places_of(batch: pb.OrderBatch) -> int:
    """A batch that is too large is refused whole, and takes one place."""
    count = len(batch.orders)
    return count if 0 < count <= BATCH_ORDERS_MAX else 1


def _done(posted: list[Posted]) -> "asyncio.Future[list[Posted]]":
    future: asyncio.Future[list[Posted]] = asyncio.get_running_loop().create_future()
    future.set_result(posted)
    return future
