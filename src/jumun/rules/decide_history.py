"""EMS-04: what a complete history proves. Idempotent; never sends an order (I-13, I-40, I-41)."""

from collections.abc import Sequence
from datetime import date

from jumun.model.commands import StudyHistory
from jumun.model.events import AttemptNotReceived, ForeignOrderAdopted, OrderCancelled, UnknownNotFound
from jumun.model.ids import IdempotencyKey, OrderId, UserId
from jumun.model.orders import BrokerRef, Flag, Order, OrderStatus, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerState, OrderHistory, OrderReport
from jumun.rules.carry import lives_on, next_open_ns
from jumun.rules.decide_modify import (
    ENDED,
    adopt_successor,
    follow_quantity,
    free_old_price,
    has_successor,
    settle_modify,
)
from jumun.rules.draft import Decision, Draft
from jumun.rules.hear import adopt_ref, flag, hear_order, stop
from jumun.rules.matching import candidates, lookalikes, shape_of_report
from jumun.rules.sessions import NoCalendar, session_on

FOREIGN = UserId("foreign")


def decide_history(command: StudyHistory, draft: Draft) -> Decision:
    """Mapped orders first, then successors of modified ones, then the unknown; what is left is foreign."""
    history, unmapped = command.history, []
    lacking = _lacking(history, command.visible_after_ns, draft)
    for report in history.orders:
        order = draft.by_ref(report.account_id, report.ref)
        if order is None:
            unmapped.append(report)
            continue
        if order.modify_unknown_ns is not None and not lacking:
            # First: what the list says of the order is to be read by the terms that are in force.
            settle_modify(order, report, history, command.visible_after_ns, draft)
        hear_order(report, draft, evidence="history", asked_ns=history.asked_ns)
        _contradiction(order, report, command, draft)
    unmapped = hear_successors(unmapped, command, draft)
    _follow_quantities(command, draft)
    for order_id in list(draft.book.unknown):
        order = draft.order(order_id)
        assert order is not None
        if _of_this_day(order, history) and order.is_unknown:
            unmapped = _settle(order, unmapped, command, draft, is_short=bool(lacking))
    unmapped = hear_successors(unmapped, command, draft)  # also of what was found just now
    _adopt_foreign(unmapped, history, draft)
    hear_successors([report for report in unmapped if report.replaces], command, draft)
    _tell_lacking(lacking, draft)
    return draft.decision()


def hear_successors(unmapped: list[OrderReport], command: StudyHistory, draft: Draft) -> list[OrderReport]:
    """Numbers that took over the rest of one of ours are ours: a modify took effect (F-49). Chains too."""
    history, found = command.history, True
    while found:
        found = False
        for report in unmapped:
            parent = report.replaces and draft.by_ref(report.account_id, report.replaces)
            if parent:
                if _is_successor(report, parent, command):
                    adopt_successor(parent, report, "found in a complete history", draft)
                    hear_order(report, draft, evidence="history", asked_ns=history.asked_ns)
                unmapped = [other for other in unmapped if other is not report]
                found = True
                break
    return unmapped


def _is_successor(report: OrderReport, parent: Order, command: StudyHistory) -> bool:
    """Whether a number took over the rest of its parent: one that ended unfilled may not have (I-11, F-35).

    While the true successor is not listed yet, the row of an earlier partial cancel looks just so. It is none
    where we know the successor of that number; where a modify is under way, only a later list can tell.
    """
    if report.state is BrokerState.REJECTED and not report.qty_filled:
        # Refused after it took over (F-51), or the change was refused and no more: its parent tells.
        history, ref = command.history, report.replaces
        assert ref is not None, "it was asked about as the successor of a number"
        is_taken_over = any(
            other.state is BrokerState.REPLACED for other in history.orders if other.ref == ref
        )
        return is_taken_over and not has_successor(ref, history)
    if report.state not in ENDED or report.qty_filled:
        return True
    if report.replaces != parent.newest_ref or report.is_doubtful:
        return False
    if parent.modify_to is None:
        return True
    since_ns = parent.modify_unknown_ns
    return since_ns is not None and command.history.asked_ns - since_ns >= command.visible_after_ns


def _follow_quantities(command: StudyHistory, draft: Draft) -> None:
    """A list may lack one number of an order for a while, or know less of its fills than is true (F-35)."""
    history = command.history
    listed: set[BrokerRef] = set()
    for report in history.orders:
        order = draft.by_ref(report.account_id, report.ref)
        if order is None or (_is_plain(order) and report.qty == order.qty):
            continue
        listed = listed or {other.ref for other in history.orders}
        of_day = [ref for ref in order.refs if ref.trade_date == history.trade_date]
        settled = history.asked_ns - order.updated_ns >= command.visible_after_ns
        if report.ref == order.newest_ref and settled and all(ref in listed for ref in of_day):
            free_old_price(follow_quantity(order, report, "a complete history", draft), draft)


def _is_plain(order: Order) -> bool:
    """One number and its first terms: nearly every order."""
    return len(order.refs) < 2 and not order.modify_count


def _of_this_day(order: Order, history: OrderHistory) -> bool:
    return order.account_id == history.account_id and order.trade_date == history.trade_date


def _settle(
    order: Order, unmapped: list[OrderReport], command: StudyHistory, draft: Draft, *, is_short: bool
) -> list[OrderReport]:
    """Found once: adopt. Absent twice, far enough apart: not received. Anything else: a person (F-03).

    A list that `is_short`, lacking what the broker must show, proves no absence (F-35, F-41).
    """
    found = candidates(order, unmapped, carries_reference=draft.policy.carries_reference)
    if not found:
        alike = [] if draft.policy.carries_reference else lookalikes(order, unmapped)
        if alike and order.attempt_open:
            # Too old by our clock, which may be wrong: no proof of absence (F-90).
            numbers = ", ".join(report.ref.number for report in alike)
            flag(order, Flag.DISPUTED, f"{numbers} look like it but came before it: compare by hand", draft)
            return [report for report in unmapped if report not in alike]
        # Where no attempt is open its absence is proven, and it only waits to be sent once more.
        if order.attempt_open and not is_short:
            _absent(order, command, draft)
        return unmapped
    account = draft.policy.accounts[order.account_id]
    claimable = draft.policy.carries_reference or account.exclusive
    if len(found) > 1 or not claimable:
        numbers = ", ".join(report.ref.number for report in found)
        flag(order, Flag.DISPUTED, f"its outcome could be {numbers}: compare by hand and decide", draft)
        return [report for report in unmapped if report not in found]
    report = found[0]
    adopt_ref(order, report.ref, "found in a complete history", report.raw, draft)
    hear_order(report, draft, evidence="history", asked_ns=command.history.asked_ns)
    return [other for other in unmapped if other is not report]


def _absent(order: Order, command: StudyHistory, draft: Draft) -> None:
    history, wait_ns = command.history, command.visible_after_ns
    if Flag.DISPUTED in order.flags:
        return  # a list once held what could be it: one that does not is short, and proves nothing (F-35)
    # Counted from when its outcome was given up, not from the decision to send it: a slow commit may lie
    # between, and the order may have been written any time before it was given up.
    if order.unknown_ns is None or history.asked_ns - order.unknown_ns < wait_ns:
        return  # the broker may have it and not show it yet (F-35)
    if order.absent_ns is None:
        draft.add(UnknownNotFound(order_id=order.order_id, attempt=order.attempt, asked_ns=history.asked_ns))
        return
    if history.asked_ns - order.absent_ns < wait_ns:
        return
    evidence = (
        f"absent from complete histories of {history.trade_date} asked at {order.absent_ns} and "
        f"{history.asked_ns} ns, {len(history.orders) + history.left_out} orders in the last"
    )
    over = _day_is_over(order, history, draft)
    if over and lives_on(order, order.trade_date):
        _again_next_session(order, evidence, draft)
        return
    if not over and draft.policy.unknown_order_policy != "resend_once":
        return  # here absence is no proof while the session lasts, whoever wants it cancelled (I-15)
    if over or order.cancel_requested_ns is not None:
        reason = order.cancel_reason or Reason.NOT_RECEIVED
        text = "the attempt never arrived at the broker"
        draft.add(OrderCancelled(order_id=order.order_id, reason=reason, text=text, evidence=evidence))
    elif order.resends == 0:
        draft.add(
            AttemptNotReceived(order_id=order.order_id, attempt=order.attempt, evidence=evidence, resend=True)
        )


def _again_next_session(order: Order, evidence: str, draft: Draft) -> None:
    """Of a multi-day order nothing is at the broker; without a calendar nothing could send it, so it ends."""
    try:
        until_ns = next_open_ns(order, draft.now_ns, draft.policy.sessions)
    except NoCalendar as error:
        draft.add(
            OrderCancelled(order_id=order.order_id, reason=error.reason, text=str(error), evidence=evidence)
        )
        return
    draft.add(
        AttemptNotReceived(
            order_id=order.order_id,
            attempt=order.attempt,
            evidence=evidence,
            resend=True,
            until_ns=until_ns,
        )
    )


def _day_is_over(order: Order, history: OrderHistory, draft: Draft) -> bool:
    plan = session_on(order.venue, date.fromisoformat(order.trade_date), draft.policy.sessions)
    return plan is not None and history.asked_ns >= plan.end_ns(order.session) + draft.policy.settles_after_ns


def _contradiction(order: Order, report: OrderReport, command: StudyHistory, draft: Draft) -> None:
    """The list says less than we know for certain: a person must see it (F-38, F-50); nothing is undone.

    An answer out of some cache says the same for a moment, so only what is older than the broker may be
    behind itself counts (F-44, I-19).
    """
    if command.history.asked_ns - order.updated_ns < command.visible_after_ns:
        return
    if report.qty_filled < order.tally(report.ref).qty:
        text = (
            f"the broker lists {report.qty_filled:f} shares filled under {report.ref.number}, our books more"
        )
        flag(order, Flag.DISPUTED, text, draft)
    if report.state is BrokerState.WORKING and report.ref == order.newest_ref and order.modify_to is None:
        _other_terms(order, report, draft)
    ended = order.status in (OrderStatus.CANCELLED, OrderStatus.REJECTED)
    if ended and report.state is BrokerState.WORKING and report.ref == order.newest_ref:
        text = f"it ended as {order.status} but the broker still lists it as working"
        flag(order, Flag.DISPUTED, text, draft)


def _other_terms(order: Order, report: OrderReport, draft: Draft) -> None:
    """The broker works it at a price, or for more shares, that nobody here asked for: no new orders (M-03).

    Fewer shares are what a person left of it: they are taken over (`follow_quantity`).
    """
    once = _is_plain(order) and order.attempt_qty is not None
    enough = not once or order.attempt_qty is None or report.qty <= order.attempt_qty
    if (report.price == order.price and enough) or Flag.FOREIGN in order.flags or order.status.is_final:
        return
    if Flag.DISPUTED not in order.flags:
        text = f"{report.ref.number} works for {report.qty:f} at {report.price} at the broker"
        stop(text, draft)
        flag(order, Flag.DISPUTED, f"{text}, here for {order.qty:f} at {order.price}", draft)


def _adopt_foreign(unmapped: Sequence[OrderReport], history: OrderHistory, draft: Draft) -> None:
    """What no order of ours can explain was placed by somebody else (I-42, F-34, F-106).

    A number that took over from another one of the list is no order of its own: it follows its parent, or
    waits with it for whoever decides what that one is.
    """
    listed = {report.ref for report in history.orders} if unmapped else set()
    for report in unmapped:
        if report.replaces in listed:
            continue
        if _may_be_ours(report, draft) or report.account_id not in draft.policy.accounts:
            continue  # a reply may be on its way
        order = _foreign_order(report, OrderId(draft.facts.new_id()), draft.now_ns)
        draft.add(ForeignOrderAdopted(order_id=order.order_id, order=order, raw=report.raw))
        if draft.policy.accounts[report.account_id].exclusive:
            # Nobody else trades here: our store does not know all we sent (F-87), or a key leaked (F-107).
            number = f"{report.ref.number} of {report.ref.trade_date}"
            stop(f"{report.account_id} has an order {number} that we do not know", draft)
        hear_order(report, draft, evidence="history")


def _may_be_ours(report: OrderReport, draft: Draft) -> bool:
    """Whether it could be a send of ours without an outcome: by its reference, else by its look (I-42)."""
    if draft.policy.carries_reference:
        return report.reference in draft.book.in_flight
    return shape_of_report(report) in draft.book.shapes


def _foreign_order(report: OrderReport, order_id: OrderId, now_ns: int) -> Order:
    ref: BrokerRef = report.ref
    key = f"foreign|{report.account_id}|{ref.trade_date}|{ref.branch}|{ref.number}"
    return Order(
        order_id=order_id,
        account_id=report.account_id,
        symbol=report.symbol,
        venue=report.venue,
        currency=report.currency,
        side=report.side,
        order_type=report.order_type,
        tif=TimeInForce.DAY,
        qty=report.qty,
        price_raw=report.price,
        price=report.price,
        idempotency_key=IdempotencyKey(key),
        created_by=FOREIGN,
        strategy_id="",
        strategy_version="",
        correlation_id=order_id,
        status=OrderStatus.SENT,
        reserve_price=report.price or report.qty * 0,
        trade_date=ref.trade_date,
        refs=(ref,),
        flags=(Flag.FOREIGN,),
        created_ns=now_ns,
        updated_ns=now_ns,
    )


def _lacking(history: OrderHistory, visible_after_ns: int, draft: Draft) -> list[OrderId]:
    """Working orders that a complete, late enough list should hold and does not."""
    listed = {report.ref for report in history.orders}
    lacking = []
    for places in draft.book.open_by_symbol.values():
        for order_id in places:
            order = draft.order(order_id)
            assert order is not None
            ref = order.newest_ref
            if ref is None or ref in listed or not _of_this_day(order, history):
                continue
            if ref.trade_date != history.trade_date or order.resting:
                continue  # nothing of it is at the broker on this day
            if history.asked_ns - order.updated_ns >= visible_after_ns:
                lacking.append(order_id)
    return lacking


def _tell_lacking(lacking: Sequence[OrderId], draft: Draft) -> None:
    """Flagged, and never ended by a list."""
    for order_id in lacking:
        order = draft.order(order_id)
        assert order is not None
        if order.newest_ref is not None and not order.status.is_final:
            text = f"the broker's list of the day does not hold {order.newest_ref.number}"
            flag(order, Flag.DISPUTED, text, draft)
