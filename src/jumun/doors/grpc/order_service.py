"""order.OrderService: parse, ask the engine, describe the outcome. No rule lives here (STYLE 14)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import grpc

from jumun.doors.gate import Gate
from jumun.doors.grpc import translate
from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.doors.grpc.gen.order_pb2_grpc import OrderServiceServicer
from jumun.doors.grpc.status import refuse
from jumun.limits import PAGE_DEFAULT, PAGE_MAX, STREAM_PENDING_MAX
from jumun.model.errors import BadInput, OmsError, OrderDenied, UnknownOrder
from jumun.model.ids import UserId
from jumun.model.orders import Order
from jumun.model.reasons import Reason

CANCEL_ASKED: Final = "a cancel is on its way; the order can still fill until it is confirmed"
CANCEL_KEPT: Final = (
    "its outcome is unknown: the cancel is kept and leaves as soon as the broker's number is known"
)
Context = grpc.aio.ServicerContext[object, object]


class OrderService(OrderServiceServicer):
    """The four unary calls of specification 004 and the stream of its public proto."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def CreateOrder(self, request: pb.OrderRequest, context: Context) -> pb.OrderResponse:
        """Make an order, once."""
        try:
            return await self._create(request)
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
            decision = await self._gate.whole(self._gate.engine.cancel(order.order_id, order.created_by))
            if decision.denial is not None:
                raise OrderDenied(decision.denial.text, reason=decision.denial.reason)
            now = decision.order or order
            asked = "" if now.status.is_final else CANCEL_KEPT if now.is_unknown else CANCEL_ASKED
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
            orders = await self._gate.engine.journal.orders_of_user(user_id, limit, request.before or None)
            following = orders[-1].order_id if len(orders) == limit else ""
            return pb.OrderListResponse(
                orders=[translate.response_of(order) for order in orders], next_before=following
            )
        except OmsError as error:
            return await refuse(context, error)

    async def StreamOrders(
        self, requests: AsyncIterator[pb.OrderRequest], context: Context
    ) -> AsyncIterator[pb.OrderResponse]:
        """Answer each request, in order; a refused one is answered REJECTED and the rest goes on.

        Requests are taken while earlier ones commit, a bounded number at a time, so that one stream fills a
        group commit.
        """
        answers: asyncio.Queue[asyncio.Task[pb.OrderResponse] | None] = asyncio.Queue()
        room = asyncio.Semaphore(STREAM_PENDING_MAX)  # what bounds the queue

        async def take() -> None:
            try:
                async for request in requests:
                    await room.acquire()
                    answers.put_nowait(asyncio.create_task(self._create_or_refuse(request)))
            finally:
                answers.put_nowait(None)

        taking = asyncio.create_task(take(), name="order-stream")
        try:
            while (answer := await answers.get()) is not None:
                yield await answer
                room.release()
            await taking
        finally:
            taking.cancel()

    async def ModifyOrder(self, request: pb.ModifyOrderRequest, context: Context) -> pb.OrderResponse:
        """Not in this version, and says so."""
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "ModifyOrder arrives with the milestone `desk`; until then cancel the order and send a new one",
        )
        raise AssertionError("abort raises")

    async def _create_or_refuse(self, request: pb.OrderRequest) -> pb.OrderResponse:
        try:
            return await self._create(request)
        except OmsError as error:
            return translate.refusal_of(request, error)

    async def _create(self, request: pb.OrderRequest) -> pb.OrderResponse:
        gate = self._gate
        gate.require_open()
        intent = gate.intake.intent(translate.asked_of(request))
        if request.currency or request.venue:
            instrument = gate.engine.desk.policy.instrument(intent.symbol)
            translate.check_named(request, instrument.currency.value, instrument.venue.value)
        await gate.require_near(intent)
        decision = await gate.whole(gate.engine.submit(intent))
        denial, order = decision.denial, decision.order
        if order is None or (denial is not None and denial.reason is Reason.KEY_CONFLICT):
            assert denial is not None, "a decision without an order says why"
            raise OrderDenied(denial.text, reason=denial.reason)
        message = f"{denial.reason.value}: {denial.text}" if denial is not None else ""
        return translate.response_of(
            order,
            request_id=request.id,
            message=message,
            existing=decision.existing,
            mismatch=decision.mismatch,
        )

    async def _find(self, order_id: str, user_id: str) -> Order:
        gate = self._gate
        gate.require_open()
        if not order_id:
            raise BadInput("order_id is missing; give ours or the one the order was created with")
        user = gate.intake.any_user(user_id)
        named = order_id.lower() if translate.is_uuid(order_id) else order_id
        order = await gate.engine.find(named, user)
        if user_id and order.created_by != UserId(user_id):
            raise UnknownOrder(f"user {user_id!r} has no order {order_id!r}; list them with GetUserOrders")
        return order
