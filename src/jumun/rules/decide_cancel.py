"""OMS-05: cancelling. A cancel asked for is a fact; the order fills until its end is proven (I-20)."""

from jumun.model.commands import CancelOrder, ConcludeCancel
from jumun.model.events import CancelAnswered, CancelIntended, CancelRequested, OrderCancelled
from jumun.model.orders import Alarm, Order, OrderStatus
from jumun.model.reasons import Reason
from jumun.model.reports import CancelAccepted, CancelRefused, CancelRequest, NotSent
from jumun.rules.book import is_idle
from jumun.rules.draft import Decision, Draft
from jumun.rules.hear import hear_order
from jumun.rules.policy import SECOND_NS, Denial
from jumun.rules.watch import raise_alarm

CANCELS_BEFORE_ALARM = 5  # half a minute, with the pauses of `cancel_retry_s`: weather is over by then
WORKING = (OrderStatus.SENT, OrderStatus.ACCEPTED, OrderStatus.PART_FILLED)


def decide_cancel(command: CancelOrder, draft: Draft) -> Decision:
    """Cancel at once what never left; ask the broker for the rest; refuse what has ended."""
    order = draft.book.order(command.order_id) or command.closed
    assert order is not None, f"{command.order_id}: the shell looks an order up before it sends a cancel"
    if order.status.is_final:
        text = f"{order.order_id} is {order.status} already, so there is nothing left to cancel"
        return Decision(order=order, denial=Denial(Reason.ALREADY_FINAL, text))
    if order.cancel_requested_ns is None:
        draft.add(CancelRequested(order_id=order.order_id, reason=command.reason, by=command.by))
    end_if_never_left(order, command.reason, f"asked by {command.by}", draft)
    return draft.decision(order.order_id)


def end_if_never_left(order: Order, reason: Reason, text: str, draft: Draft) -> None:
    """An order of which nothing is at the broker ends here and now."""
    if is_idle(order):
        evidence = "no attempt is open: nothing of it is at the broker"
        draft.add(OrderCancelled(order_id=order.order_id, reason=reason, text=text, evidence=evidence))


def intend_cancels(draft: Draft) -> None:
    """After every decision: whoever wants to be cancelled and can be now, gets its cancel on the way."""
    for order_id in draft.touched:
        order = draft.order(order_id)
        assert order is not None
        if order.cancel_requested_ns is None:
            continue
        if is_idle(order):
            reason = order.cancel_reason or Reason.CANCELLED_BY_USER
            end_if_never_left(order, reason, order.reason_text, draft)
            continue
        if order.cancel_open or order.status not in WORKING:
            continue
        if order.attempt_open:
            continue  # the number it will have today is not known yet
        if order.cancel_retry_ns is not None and order.cancel_retry_ns > draft.now_ns:
            continue
        ref = order.newest_ref
        assert ref is not None, f"{order_id} is {order.status} without a broker number"
        request = CancelRequest(
            order_id=order_id,
            account_id=order.account_id,
            symbol=order.symbol,
            venue=order.venue,
            ref=ref,
            qty_left=order.qty_left,
            session=order.session,
        )
        draft.add(CancelIntended(order_id=order_id, request=request))


def decide_cancel_conclusion(command: ConcludeCancel, draft: Draft) -> Decision:
    """An answer ends the request, never the order; a refusal is looked into (I-18)."""
    order = draft.book.order(command.order_id)
    assert order is not None, f"{command.order_id} has a cancel in flight but is not in the book"
    if not order.cancel_open:
        return draft.decision(order.order_id)  # the order ended while the answer was on its way
    outcome = command.outcome
    answer = {"CancelAccepted": "accepted", "CancelRefused": "refused", "NotSent": "not_sent"}.get(
        type(outcome).__name__, "unknown"
    )
    text = "" if isinstance(outcome, CancelAccepted) else outcome.text
    raw = "" if isinstance(outcome, NotSent) else outcome.raw
    delays = draft.policy.limits.cancel_retry_s
    delay_s = delays[min(order.cancel_attempts, len(delays)) - 1]
    draft.add(
        CancelAnswered(
            order_id=order.order_id,
            outcome=answer,
            text=text,
            raw=raw,
            retry_at_ns=draft.now_ns + delay_s * SECOND_NS,
        )
    )
    if isinstance(outcome, CancelAccepted) and outcome.report is not None:
        hear_order(outcome.report, draft, evidence="cancel reply")
    if isinstance(outcome, CancelRefused):
        draft.ask = True
    _watch_cancels(draft.order(order.order_id) or order, draft)
    return draft.decision(order.order_id)


def _watch_cancels(order: Order, draft: Draft) -> None:
    """Show an order to a person that goes on living, however often it was asked to end (F-50, I-59)."""
    if order.is_executable and order.cancel_attempts >= CANCELS_BEFORE_ALARM:
        text = f"asked to cancel {order.cancel_attempts} times and it can still execute: call the broker"
        raise_alarm(order, Alarm.CANCEL_STUCK, text, draft)
