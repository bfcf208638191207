"""OMS-04: changing the price, or lowering the quantity, of an order that has not filled yet.

A modify never enlarges an order (I-03): shares beyond what was authorised need an order of their own. What
never left is changed here. For the rest a request goes to the broker, durable before its first byte (I-21);
until its end is proven both terms can execute, so the larger reservation counts (I-33, F-49). Its outcome
has the same four ends as a send, and an unknown one is settled by the broker's list, never by a timer.
"""

from decimal import Decimal
from typing import Final, assert_never

from msgspec.structs import replace

from jumun.model import errors
from jumun.model.commands import ConcludeModify, ModifyOrder
from jumun.model.events import ModifyAnswered, ModifyIntended, OrderModified
from jumun.model.orders import BrokerRef, Order, OrderStatus, Side, Terms
from jumun.model.reasons import Reason
from jumun.model.reports import (
    BrokerState,
    ModifyAccepted,
    ModifyRefused,
    ModifyRequest,
    NotSent,
    OrderHistory,
    OrderReport,
    Unknown,
)
from jumun.rules.book import is_idle
from jumun.rules.checks import Reserve, check_change
from jumun.rules.decide_submit import ask_risk, order_as_intent
from jumun.rules.draft import Decision, Draft
from jumun.rules.order_kinds import PRICED
from jumun.rules.policy import Denial
from jumun.rules.validation import validate

ZERO: Final = Decimal(0)
ENDED: Final = (BrokerState.CANCELLED, BrokerState.EXPIRED)
WORKING: Final = (OrderStatus.SENT, OrderStatus.ACCEPTED, OrderStatus.PART_FILLED)


def decide_modify(command: ModifyOrder, draft: Draft) -> Decision:
    """Change at once what never left; ask the broker for the rest; refuse with a reason (S002-35)."""
    order = draft.book.order(command.order_id) or command.closed
    assert order is not None, f"{command.order_id}: the shell looks an order up before it sends a modify"
    wanted = _wanted(command, order, draft)
    if isinstance(wanted, Denial):
        return Decision(order=order, denial=wanted)
    terms, price_raw, reserve = wanted
    if is_idle(order):
        draft.add(
            OrderModified(
                order_id=order.order_id,
                terms=terms,
                price_raw=price_raw,
                ref=None,
                reserve_price=reserve.price,
                reserve_cost=reserve.cost,
                by=command.by,
                evidence="no attempt is open: nothing of it is at the broker",
                raw="",
            )
        )
        return draft.decision(order.order_id)
    draft.add(
        ModifyIntended(
            order_id=order.order_id,
            by=command.by,
            request=_request(order, terms),
            terms=terms,
            reserve_price=max(order.reserve_price, reserve.price),
            reserve_cost=max(order.reserve_cost, reserve.cost),
        )
    )
    return draft.decision(order.order_id)


def decide_modify_conclusion(command: ConcludeModify, draft: Draft) -> Decision:
    """Each of the four ends of a modify."""
    order = draft.book.order(command.order_id)
    assert order is not None, f"{command.order_id} has a modify in flight but is not in the book"
    outcome = command.outcome
    if command.number != order.modify_asked:
        # Settled while its answer was on its way, and another was asked for since: it is not about that one.
        if isinstance(outcome, ModifyAccepted) and not order.has_ref(outcome.ref):
            draft.ask = True
        return draft.decision(order.order_id)
    if isinstance(outcome, ModifyAccepted):
        _accepted(order, outcome, draft)
        return draft.decision(order.order_id)
    if not order.modify_open or order.modify_to is None:
        return draft.decision(order.order_id)  # it was settled while the answer was on its way
    match outcome:
        case ModifyRefused():
            draft.ask = True  # it may have filled or ended meanwhile: the list tells (I-18)
            end_unchanged(order, "refused", f"{outcome.code} {outcome.text}".strip(), outcome.raw, draft)
        case NotSent():
            end_unchanged(order, "not_sent", outcome.text, "", draft)
        case Unknown():
            draft.ask = True
            draft.add(
                ModifyAnswered(order_id=order.order_id, outcome="unknown", text=outcome.text, raw=outcome.raw)
            )
        case _:
            assert_never(outcome)
    return draft.decision(order.order_id)


def adopt_successor(order: Order, report: OrderReport, evidence: str, draft: Draft) -> Order:
    """The broker shows a number that took over the rest of one of ours: the modify took effect (F-49).

    A change that somebody else made is taken over with its price. Its quantity is not lowered yet: what the
    number before it filled may be told later, and a rest that still works must not look filled.
    """
    qty = order.qty if order.modify_to is None else order.modify_to.qty
    raw = None if order.modify_to is None else order.modify_to.price_raw
    terms = Terms(qty=qty, price=report.price, price_raw=raw)
    return _modified(order, terms, report.ref, evidence, report.raw, draft)


def follow_quantity(order: Order, report: OrderReport, evidence: str, draft: Draft) -> Order:
    """A complete list tells what every number filled, and so how much is left under the newest one (I-44).

    `report` is about the newest number. Return the order after it.
    """
    earlier = order.qty_filled - order.tally(report.ref).qty
    if order.modify_to is not None or order.status.is_final or earlier + report.qty >= order.qty:
        return order
    if len(order.refs) < 2 and report.state is not BrokerState.WORKING:
        return order  # what became of the rest is told otherwise
    terms = Terms(qty=earlier + report.qty, price=order.price, price_raw=order.price_raw)
    return _modified(order, terms, report.ref, evidence, report.raw, draft)


def settle_modify(
    order: Order, report: OrderReport | None, history: OrderHistory, wait_ns: int, draft: Draft
) -> None:
    """Look for the outcome of an unknown modify in a complete history.

    Brokers that keep the number show the new terms under it. Where two complete histories, far enough
    apart, show the old terms, at work, filled or ended, and no successor, the request was not received.
    """
    terms, since_ns = order.modify_to, order.modify_unknown_ns
    if terms is None or since_ns is None or report is None or report.ref != order.newest_ref:
        return
    # A number counts its own shares; the terms count those that filled under older ones as well.
    earlier = order.qty_filled - order.tally(report.ref).qty
    if (earlier + report.qty, report.price) == (terms.qty, terms.price):
        # Also where it has filled or ended under them already, and nobody had told us of the change.
        _modified(order, terms, report.ref, "new terms in a complete history", report.raw, draft)
        return
    if report.state not in (BrokerState.WORKING, BrokerState.FILLED, *ENDED) or report.is_doubtful:
        return  # nothing says why it ended: the number that took over may not be listed yet
    if has_successor(report.ref, history):
        return
    if history.asked_ns - since_ns < wait_ns:
        return
    if order.modify_absent_ns is None:
        draft.add(
            ModifyAnswered(
                order_id=order.order_id,
                outcome="absent",
                text="the broker's list shows the old terms",
                raw=report.raw,
                asked_ns=history.asked_ns,
            )
        )
    elif history.asked_ns - order.modify_absent_ns >= wait_ns:
        refused = _refused_successor(report, history)
        if refused is not None:
            adopt_successor(order, refused, "two complete histories show its end and a refused change", draft)
            return
        text = "two complete histories show the old terms: the modify was not received"
        end_unchanged(order, "not_received", text, report.raw, draft)


def _refused_successor(report: OrderReport, history: OrderHistory) -> OrderReport | None:
    """The number that was refused after it took over, where nothing else took over what has ended (F-51)."""
    if report.state not in ENDED:
        return None
    rows = (other for other in history.orders if other.replaces == report.ref)
    return next((other for other in rows if other.state is BrokerState.REJECTED), None)


def has_successor(ref: BrokerRef, history: OrderHistory) -> bool:
    """Whether the list names a number that took over from `ref`; one that was refused is none."""
    rows = (other for other in history.orders if other.replaces == ref)
    return any(other.state is not BrokerState.REJECTED or other.qty_filled for other in rows)


def end_unchanged(order: Order, outcome: str, text: str, raw: str, draft: Draft) -> None:
    """The old terms alone are in force: only they are reserved for (I-49)."""
    reserve = reserve_for(order, order.price)
    draft.add(
        ModifyAnswered(
            order_id=order.order_id,
            outcome=outcome,
            text=text,
            raw=raw,
            reserve_price=reserve.price,
            reserve_cost=reserve.cost,
        )
    )


def reserve_for(order: Order, price: Decimal | None) -> Reserve:
    """What terms tie up. Where a table is missing the larger, present reservation stays (I-33)."""
    if order.side is Side.SELL:
        return Reserve(price=price if price is not None else order.reserve_price, cost=ZERO)
    if price is None or price >= order.reserve_price:
        return Reserve(price=order.reserve_price, cost=order.reserve_cost)
    # Costs fall with the value, and a modify never enlarges it: the old ones are at least enough.
    return Reserve(price=price, cost=order.reserve_cost)


def _wanted(
    command: ModifyOrder, order: Order, draft: Draft
) -> tuple[Terms, Decimal | None, Reserve] | Denial:
    denial = _cannot(order, draft) or _bad_change(command, order)
    if denial is not None:
        return denial
    qty = order.qty if command.qty is None else command.qty
    asked_price = order.price_raw if command.price is None else command.price
    intent = order_as_intent(order, qty, asked_price)
    try:
        valid = validate(intent, draft.policy, draft.facts)
        if isinstance(valid, Denial):
            return valid
        if (qty, valid.price) == (order.qty, order.price):
            text = (
                f"{order.order_id} has quantity {qty:f} and price {valid.price} already; change one of them"
            )
            return Denial(Reason.NOTHING_TO_CHANGE, text)
        reserve = check_change(order, intent, valid, draft.book, draft.policy)
    except errors.OrderDenied as error:  # a table is missing: fail closed (I-53)
        return Denial(error.reason, str(error))
    if isinstance(reserve, Denial):
        return reserve
    refused = ask_risk(intent, draft)
    if refused is not None:
        return refused
    return Terms(qty=qty, price=valid.price, price_raw=asked_price), asked_price, reserve


def _cannot(order: Order, draft: Draft) -> Denial | None:
    name = order.order_id
    if order.status.is_final:
        return Denial(Reason.ALREADY_FINAL, f"{name} is {order.status} already; place a new order")
    if draft.book.halt is not None:
        return Denial(Reason.HALTED, f"trading is halted: {draft.book.halt.text}; cancel {name} instead")
    if order.cancel_requested_ns is not None:
        return Denial(Reason.NOT_MODIFIABLE, f"{name} is being cancelled; wait for its end")
    if order.modify_to is not None:
        return Denial(Reason.NOT_MODIFIABLE, f"{name} has a modify on its way; wait for its end")
    if order.stop_held or is_idle(order):
        return None
    if order.attempt_open or order.status not in WORKING:
        return Denial(Reason.NOT_MODIFIABLE, f"the outcome of {name} is not known yet; wait for it")
    if not draft.policy.modifies:
        return Denial(Reason.NOT_MODIFIABLE, f"this broker cannot change {name}; cancel it and order anew")
    return None


def _bad_change(command: ModifyOrder, order: Order) -> Denial | None:
    if command.qty is None and command.price is None:
        return Denial(Reason.NOTHING_TO_CHANGE, "neither a quantity nor a price was given; give one")
    if command.price is not None and order.order_type not in PRICED:
        text = f"a {order.order_type} order carries no price; change its quantity, or cancel it"
        return Denial(Reason.PRICE_NOT_ALLOWED, text)
    if command.qty is None:
        return None
    if not command.qty.is_finite() or command.qty <= ZERO:
        text = f"quantity {command.qty} must be above zero; to end the order, cancel it"
        return Denial(Reason.QTY_NOT_POSITIVE, text)
    if command.qty > order.qty:
        text = (
            f"a modify never enlarges an order ({order.qty:f} to {command.qty:f}); "
            "send a new one for the difference"
        )
        return Denial(Reason.QTY_TOO_LARGE, text)
    if command.qty <= order.qty_filled:
        text = f"{order.qty_filled:f} of it have filled already; cancel the rest instead"
        return Denial(Reason.NOT_MODIFIABLE, text)
    return None


def _request(order: Order, terms: Terms) -> ModifyRequest:
    ref = order.newest_ref
    assert ref is not None, f"{order.order_id} is {order.status} without a broker number"
    return ModifyRequest(
        order_id=order.order_id,
        account_id=order.account_id,
        symbol=order.symbol,
        venue=order.venue,
        side=order.side,
        order_type=order.wire_type,
        tif=order.tif,
        ref=ref,
        qty=terms.qty,
        qty_left=terms.qty - order.qty_filled,
        qty_left_before=order.qty_left,
        price=terms.price,
        price_before=order.price,
        number=order.modify_asked + 1,
        session=order.session,
    )


def _accepted(order: Order, outcome: ModifyAccepted, draft: Draft) -> None:
    if order.modify_to is None:
        if not order.has_ref(outcome.ref):
            draft.ask = True  # settled otherwise meanwhile: the list shows what this number is
        return
    other = draft.by_ref(order.account_id, outcome.ref)
    if other is not None and other.order_id != order.order_id:
        draft.ask = True  # a number of another order: not believed, the list decides
        draft.add(
            ModifyAnswered(
                order_id=order.order_id,
                outcome="unknown",
                text=f"the reply named {outcome.ref.number}, which is {other.order_id}",
                raw=outcome.raw,
            )
        )
        return
    _modified(order, order.modify_to, outcome.ref, "reply", outcome.raw, draft)


def _modified(order: Order, terms: Terms, ref: BrokerRef, evidence: str, raw: str, draft: Draft) -> Order:
    qty = max(terms.qty, order.qty_filled)  # a fill that crossed the modify counts, whatever it says (I-44)
    reserve = _reserve_until_listed(order, terms.price)
    return draft.add(
        OrderModified(
            order_id=order.order_id,
            terms=replace(terms, qty=qty),
            price_raw=_asked_price(order, terms),
            ref=ref,
            reserve_price=reserve.price,
            reserve_cost=reserve.cost,
            by="broker",
            evidence=evidence,
            raw=raw,
        )
    )


def _reserve_until_listed(order: Order, price: Decimal | None) -> Reserve:
    """What filled at the old price before the modify may be told after it: its cash stays reserved (I-33)."""
    if order.side is Side.SELL or price is None:
        return reserve_for(order, price)
    return Reserve(price=max(order.reserve_price, price), cost=order.reserve_cost)


def free_old_price(order: Order, draft: Draft) -> None:
    """A complete list has told what each number filled: from here on the terms in force are enough (I-49)."""
    if order.side is Side.SELL or order.price is None or not order.modify_count or order.status.is_final:
        return
    if order.modify_to is None and order.reserve_price > order.price:
        end_unchanged(order, "settled", "a complete list tells what filled at the old price", "", draft)


def _asked_price(order: Order, terms: Terms) -> Decimal | None:
    """What somebody asked for; where the broker alone knows of the change, what it says."""
    if terms.price_raw is not None:
        return terms.price_raw
    return order.price_raw if terms.price == order.price else terms.price
