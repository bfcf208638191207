"""A person decides what an order of unknown outcome is: not at the broker, or one number of its list.

Never sends an order (I-41). Whatever is not certain refuses, with a sentence that says what to do.
"""

from jumun.model.commands import SettleOrder, StudyHistory
from jumun.model.events import OrderCancelled
from jumun.model.ids import BrokerOrderNo
from jumun.model.orders import BrokerRef, Order
from jumun.model.reasons import Reason
from jumun.model.reports import OrderHistory, OrderReport
from jumun.rules.decide_history import hear_successors
from jumun.rules.draft import Decision, Draft
from jumun.rules.hear import adopt_ref, hear_order
from jumun.rules.matching import lookalikes
from jumun.rules.policy import Denial


def decide_settlement(command: SettleOrder, draft: Draft) -> Decision:
    """Settle an order of unknown outcome on a person's word, which is kept as the evidence (DESIGN 4).

    Anything whose outcome is known is left to the broker.
    """
    order = draft.book.order(command.order_id)
    assert order is not None, f"{command.order_id}: the shell looks an order up before it is settled"
    known = command.number is not None and _ref_of(order, command.number) is not None
    if known and not order.is_unknown:
        return draft.decision(order.order_id)  # it has that number: said twice, or found meanwhile
    denial = _not_open(order) or (None if command.number is None else _adopt(order, command, draft))
    if denial is not None:
        return Decision(order=order, denial=denial)
    if command.number is None:
        _end(order, command, draft)
    return draft.decision(order.order_id)


def _not_open(order: Order) -> Denial | None:
    if not order.is_unknown:
        text = f"{order.order_id} is {order.status}, not UNKNOWN: only an unknown outcome can be settled"
        return Denial(Reason.ALREADY_FINAL, text)
    if order.attempt_open and order.unknown_ns is None:
        # Sent once more a moment ago: whatever the person compared is older than this attempt.
        text = f"{order.order_id} is on its way to the broker now; wait for the answer, then compare again"
        return Denial(Reason.NOT_READY, text)
    return None


def _end(order: Order, command: SettleOrder, draft: Draft) -> None:
    """It is not at the broker. Where it is, the broker's list shows it later as nobody's order (I-42)."""
    draft.add(
        OrderCancelled(
            order_id=order.order_id,
            reason=Reason.OPERATOR,
            text=command.text,
            evidence=f"decided by {command.by}: {command.text}",
        )
    )


def _adopt(order: Order, command: SettleOrder, draft: Draft) -> Denial | None:
    """It is that number: its fills and its state are ours from now on, and a kept cancel can leave.

    That it was DISPUTED stays written, as every flag does; the evidence of the number says how that ended.
    The other rows that look like it stay as they are: the next list takes them for what they are.
    """
    if command.look is None:
        text = f"{order.order_id} became unknown while it was asked about; settle it again"
        return Denial(Reason.NOT_READY, text)
    found = _row_of(order, command, command.look.history, draft)
    if isinstance(found, Denial):
        return found
    evidence = f"decided by {command.by}: {command.text}"
    adopt_ref(order, found.ref, evidence, found.raw, draft)
    hear_order(found, draft, evidence="history", asked_ns=command.look.history.asked_ns)
    _follow(found.ref, command.look, draft)
    draft.ask = True  # what is left of the list is looked at again without this row
    return None


def _follow(ref: BrokerRef, look: StudyHistory, draft: Draft) -> None:
    """Only numbers that lead back to this one: the rest of the list is for the usual study."""
    family, later = {ref}, list[OrderReport]()
    while grown := [row for row in look.history.orders if row.replaces in family and row.ref not in family]:
        family |= {row.ref for row in grown}
        later += grown
    account_id = look.history.account_id
    hear_successors([row for row in later if draft.by_ref(account_id, row.ref) is None], look, draft)


def _row_of(order: Order, command: SettleOrder, history: OrderHistory, draft: Draft) -> OrderReport | Denial:
    """The one row that the person means, or why it cannot be the order."""
    number, day = command.number, history.trade_date
    older = order.attempt_ts_ns is not None and history.asked_ns < order.attempt_ts_ns
    if older or (history.account_id, day) != (order.account_id, order.trade_date):
        text = f"{order.order_id} was sent once more after the list was asked for; compare again"
        return Denial(Reason.NOT_READY, text)
    if order.has_ref_of(day):
        numbers = ", ".join(ref.number for ref in order.refs if ref.trade_date == day)
        text = f"{order.order_id} has the number {numbers} of {day} already; it takes no other by hand"
        return Denial(Reason.WRONG_NUMBER, text)
    rows = [row for row in history.orders if row.ref.number == number]
    if not rows:
        text = f"{number} is not in the broker's list of {day}; {_choice(order, history, draft)}"
        return Denial(Reason.WRONG_NUMBER, text)
    if len(rows) > 1:
        text = f"{number} is {len(rows)} orders in the broker's list of {day}; ask the broker which is ours"
        return Denial(Reason.AMBIGUOUS, text)
    [row] = rows
    holder = draft.by_ref(row.account_id, row.ref)
    if holder is not None:
        text = f"{number} of {day} is order {holder.order_id} already; {_choice(order, history, draft)}"
        return Denial(Reason.WRONG_NUMBER, text)
    if not _fits(order, row, draft):
        text = f"{number} of {day} is not what {order.order_id} asked for: {_told(row)}"
        return Denial(Reason.WRONG_NUMBER, f"{text}; {_choice(order, history, draft)}")
    return row


def _fits(order: Order, row: OrderReport, draft: Draft) -> bool:
    """The same account, symbol, side, kind, quantity and price; a reference, where there is one, is ours."""
    if not lookalikes(order, [row]):
        return False
    if draft.policy.carries_reference:
        return row.reference == order.order_id
    return row.reference in (None, order.order_id)


def _told(row: OrderReport) -> str:
    if row.replaces is not None:
        return f"it took over from {row.replaces.number}"
    price = "no price" if row.price is None else f"{row.price:f}"
    whose = "" if row.reference is None else f", reference {row.reference}"
    return f"{row.side} {row.qty:f} {row.symbol} {row.order_type} at {price}{whose}"


def _choice(order: Order, history: OrderHistory, draft: Draft) -> str:
    """What the person can do next: the numbers that could be it, or none."""
    free = [
        row.ref.number
        for row in history.orders
        if draft.by_ref(row.account_id, row.ref) is None and _fits(order, row, draft)
    ]
    if free:
        return f"name one of those that look like it: {', '.join(free)}"
    return "none there looks like it: compare again on the broker's screen"


def _ref_of(order: Order, number: str) -> BrokerRef | None:
    wanted = BrokerOrderNo(number)
    return next(
        (ref for ref in order.refs if (ref.trade_date, ref.number) == (order.trade_date, wanted)), None
    )
