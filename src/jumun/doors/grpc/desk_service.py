"""jumun.desk.v1.Desk: what the command line asks of the running service. All numbers are text."""

import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import grpc

from jumun.doors.gate import Gate
from jumun.doors.grpc.desk_books import BookCalls, part_of, reason_text, text_of
from jumun.doors.grpc.gen import desk_pb2 as pb
from jumun.doors.grpc.status import refuse
from jumun.model.errors import BadInput, BrokerUnavailable, OmsError, OrderDenied
from jumun.model.ids import AccountId, UserId
from jumun.model.instruments import Venue
from jumun.model.orders import Order, OrderType, Side, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.services.bulk import Decision
from jumun.services.intake import (
    Asked,
    choice,
    instant_ns,
    name,
    number,
    optional_choice,
    optional_number,
)

Context = grpc.aio.ServicerContext[object, object]


OPERATOR: Final = "operator"  # who cancels everything, where nobody is named


class DeskService(BookCalls):
    """Orders, reconciliation, status, halt and resume; what is about the books is inherited."""

    async def Submit(self, request: pb.SubmitRequest, context: Context) -> pb.OrderReply:
        """Make an order, once."""
        gate = self._gate
        try:
            gate.require_open()
            intent = gate.intake.intent(self._asked(request))
            await gate.require_near(intent)
            return _told(await gate.whole(gate.engine.submit(intent)))
        except OmsError as error:
            return await refuse(context, error)

    async def Cancel(self, request: pb.CancelRequest, context: Context) -> pb.OrderReply:
        """Ask for a cancel."""
        gate = self._gate
        try:
            gate.require_open()
            user = gate.intake.any_user(request.user_id)
            order = await gate.engine.find(name(request.order_id, "order_id"), user)
            decision = await gate.whole(gate.engine.cancel(order.order_id, user or order.created_by))
            now, denial = decision.order or order, decision.denial
            return _reply(now) if denial is None else _denied(now, denial.reason, denial.text)
        except OmsError as error:
            return await refuse(context, error)

    async def Modify(self, request: pb.ModifyRequest, context: Context) -> pb.OrderReply:
        """Ask for another limit price, or a lower quantity."""
        gate = self._gate
        try:
            gate.require_open()
            qty = optional_number(request.quantity, "quantity")
            price = optional_number(request.price, "price")
            user = gate.intake.any_user(request.user_id)
            order = await gate.engine.find(name(request.order_id, "order_id"), user)
            by = user or order.created_by
            decision = await gate.whole(gate.engine.modify(order.order_id, by, qty=qty, price=price))
            now, denial = decision.order or order, decision.denial
            return _reply(now) if denial is None else _denied(now, denial.reason, denial.text)
        except OmsError as error:
            return await refuse(context, error)

    async def CancelAll(self, request: pb.CancelAllRequest, context: Context) -> pb.CancelAllReply:
        """Ask for a cancel of every open order of a symbol, or of every symbol that has one."""
        gate = self._gate
        try:
            gate.require_open()
            account_id: AccountId | None = None
            if request.account_id:
                account_id = gate.intake.account(request.account_id).account_id
            by = name(request.by, "by") if request.by else OPERATOR
            symbol = name(request.symbol, "symbol") if request.symbol else None
            cancelling = gate.engine.cancel_all(UserId(by), symbol=symbol, account_id=account_id)
            asked = await gate.whole(cancelling)
            return pb.CancelAllReply(asked=asked)
        except OmsError as error:
            return await refuse(context, error)

    async def ClosePosition(self, request: pb.ClosePositionRequest, context: Context) -> pb.OrderReply:
        """One closing order for what is held and free; asked again, the same order comes back."""
        gate = self._gate
        try:
            gate.require_open()
            account = gate.intake.account(request.account_id)
            by = gate.intake.user(account, request.by)
            closing = part_of(gate, "portfolio").close_position(
                name(request.symbol, "symbol"),
                account_id=account.account_id,
                by=by,
                strategy_id=name(request.strategy_id, "strategy_id") if request.strategy_id else None,
            )
            reply = _told(await gate.whole(closing))
            if reply.order_id and not reply.denied:
                reply.text = reply.text or self._left(reply, request.strategy_id)
            return reply
        except OmsError as error:
            return await refuse(context, error)

    async def Settle(self, request: pb.SettleRequest, context: Context) -> pb.OrderReply:
        """Record a person's decision about an order of unknown outcome."""
        gate = self._gate
        try:
            gate.require_open()
            user = gate.intake.any_user(name(request.by, "by"))
            assert user is not None, "a named user is itself"
            order = await gate.engine.find(name(request.order_id, "order_id"), user)
            text = reason_text(request.text)
            listed = name(request.number, "number") if request.number else None
            decision = await gate.whole(gate.engine.settle(order.order_id, user, text, listed))
            now, denial = decision.order or order, decision.denial
            return _reply(now) if denial is None else _denied(now, denial.reason, denial.text)
        except OmsError as error:
            return await refuse(context, error)

    async def Reconcile(self, request: pb.ReconcileRequest, context: Context) -> pb.ReconcileReply:
        """One complete look at the broker, now."""
        gate = self._gate
        try:
            gate.require_open()
            decisions = await gate.whole(gate.engine.reconciler.study())
        except BrokerUnavailable as error:
            return await refuse(context, gate.unanswered(error))
        except OmsError as error:
            return await refuse(context, error)
        return pb.ReconcileReply(
            studies=gate.engine.reconciler.rounds,
            unknown=len(gate.engine.desk.book.unknown),
            differences=[
                pb.Difference(subject=subject, ours=text_of(ours), theirs=text_of(theirs))
                for decision in decisions
                for subject, ours, theirs in decision.differences
            ],
        )

    async def Status(self, request: pb.StatusRequest, context: Context) -> pb.StatusReply:
        """How the service is; answers also while it starts or stops."""
        return self._status()

    async def Halt(self, request: pb.HaltRequest, context: Context) -> pb.StatusReply:
        """Stop new orders, durably."""
        try:
            self._gate.require_open()
            await self._gate.whole(self._gate.engine.halt(reason_text(request.text)))
        except OmsError as error:
            return await refuse(context, error)
        return self._status()

    async def Resume(self, request: pb.ResumeRequest, context: Context) -> pb.StatusReply:
        """Allow new orders again; a resume is somebody's decision and carries the name."""
        gate = self._gate
        try:
            gate.require_open()
            by = name(request.by, "by")
            user = gate.intake.any_user(by)
            assert user is not None, "a named user is itself"
            decision = await gate.whole(gate.engine.resume(user, reason_text(request.text)))
            if decision.denial is not None:
                raise OrderDenied(decision.denial.text, reason=decision.denial.reason)
        except OmsError as error:
            return await refuse(context, error)
        return self._status()

    def _left(self, reply: pb.OrderReply, strategy_id: str) -> str:
        """Say what the closing order leaves to other open orders; empty where it closes all."""
        book = self._gate.engine.desk.book
        place = (AccountId(reply.account_id), reply.symbol)
        held = (
            book.strategies.get((place[0], strategy_id, place[1]))
            if strategy_id
            else book.positions.get(place)
        )
        open_here = [book.open[order_id] for order_id in book.open_by_symbol.get(place, {})]
        same_side = [order for order in open_here if order.side.value == reply.side]
        others = [order for order in same_side if order.order_id != reply.order_id]
        closing = sum(order.qty_left for order in same_side if order.order_id == reply.order_id)
        left = (abs(held.qty) if held is not None else 0) - closing
        if left <= 0 or not others:
            return ""
        many = "an open order has them" if len(others) == 1 else f"{len(others)} open orders have them"
        return (
            f"{text_of(Decimal(left))} shares of {reply.symbol} are left out: {many}; to close all, cancel "
            f"first with `jumun cancel-all --symbol {reply.symbol}`"
        )

    def _asked(self, request: pb.SubmitRequest) -> Asked:
        now_ns = self._gate.engine.clock.now_ns()
        signal_ts = instant_ns(request.signal_ts, "signal_ts") if request.signal_ts else now_ns
        if not request.signal_ts and not request.client_order_id:
            raise BadInput(
                "signal_ts and client_order_id are both missing: a repeat would be a second order; give one",
                reason=Reason.BAD_TIME,
            )
        return Asked(
            symbol=request.symbol,
            side=choice(Side, request.side, "side", Reason.UNKNOWN_SIDE),
            order_type=choice(OrderType, request.order_type, "order_type"),
            qty=number(request.quantity, "quantity"),
            price=optional_number(request.price, "price"),
            stop_price=optional_number(request.stop_price, "stop_price"),
            time_in_force=optional_choice(TimeInForce, request.time_in_force, "time_in_force"),
            account_id=request.account_id,
            user_id=request.user_id,
            client_order_id=request.client_order_id,
            strategy_id=request.strategy_id,
            strategy_version=request.strategy_version,
            signal_ts_ns=signal_ts,
            leg=request.leg,
            venue=optional_choice(Venue, request.venue, "venue"),
            session=optional_choice(TradingSession, request.session, "session"),
            good_till=request.good_till,
        )

    def _status(self) -> pb.StatusReply:
        gate, engine = self._gate, self._gate.engine
        desk, book, studied_ns = engine.desk, engine.desk.book, engine.reconciler.studied_ns
        age_s = "" if studied_ns is None else f"{(engine.clock.monotonic_ns() - studied_ns) / 1e9:.1f}"
        return pb.StatusReply(
            environment=gate.environment,
            version=gate.version,
            store=gate.store,
            process=os.getpid(),
            accepting=gate.unready() is None,
            halted="" if book.halt is None else f"{book.halt.reason}: {book.halt.text}",
            failure=gate.failing() or "",
            open_orders=len(book.open),
            waiting=len(book.waiting),
            sending=desk.sending,
            unknown=len(book.unknown),
            records=book.seq,
            studies=engine.reconciler.rounds,
            study_age_s=age_s,
            started=datetime.fromtimestamp(gate.started_ns / 1e9, UTC).isoformat(timespec="seconds"),
            prices=gate.prices,
            broker=_broker_state(gate),
        )


def _broker_state(gate: Gate) -> str:
    silent = gate.broker_silent_since()
    if silent is not None:
        return f"unavailable since {silent}"
    return "unavailable" if gate.start_waits_for() else "answers"


def _told(decision: Decision) -> pb.OrderReply:
    denial = decision.denial
    if decision.order is None:
        assert denial is not None, "a decision without an order says why"
        return pb.OrderReply(denied=True, reason=denial.reason.value, text=denial.text)
    reply = _reply(decision.order, existing=decision.existing, mismatch=decision.mismatch)
    if denial is not None:
        reply.denied, reply.reason, reply.text = True, denial.reason.value, denial.text
    return reply


def _denied(order: Order, reason: Reason, text: str) -> pb.OrderReply:
    reply = _reply(order)
    reply.denied, reply.reason, reply.text = True, reason.value, text
    return reply


def _reply(order: Order, *, existing: bool = False, mismatch: bool = False) -> pb.OrderReply:
    asked = order.modify_to
    return pb.OrderReply(
        order_id=order.order_id,
        client_order_id=order.client_order_id or "",
        account_id=order.account_id,
        symbol=order.symbol,
        side=order.side.value,
        order_type=order.order_type.value,
        quantity=text_of(order.qty),
        price="" if order.price is None else text_of(order.price),
        price_raw="" if order.price_raw is None else text_of(order.price_raw),
        status=order.status.value,
        reason="" if order.reason is None else order.reason.value,
        text=order.reason_text,
        filled_quantity=text_of(order.qty_filled),
        filled_amount=text_of(order.amount_filled),
        currency=order.currency.value,
        existing=existing,
        mismatch=mismatch,
        cancel_requested=order.cancel_requested_ns is not None,
        time_in_force=order.tif.value,
        stop_price="" if order.stop_price is None else text_of(order.stop_price),
        modify_requested=asked is not None,
        modify_quantity="" if asked is None else text_of(asked.qty),
        modify_price="" if asked is None or asked.price is None else text_of(asked.price),
    )
