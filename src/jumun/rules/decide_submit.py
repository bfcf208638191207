"""OMS-01 and EMS-01: from an approved intent to an order, and from a waiting order to an intended send."""

from datetime import date
from decimal import Decimal
from typing import Final, assert_never

from jumun.model import errors
from jumun.model.commands import ConcludeSubmit, SendNext, SubmitOrder
from jumun.model.events import (
    IntentDenied,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderFlagged,
    OrderRejected,
    OrderSent,
    OrderUnknown,
    SendIntended,
    SendNotLeft,
)
from jumun.model.ids import IdempotencyKey, OrderId, idempotency_key
from jumun.model.orders import Flag, Order, OrderType, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, NotSent, Rejected, SubmitRequest, Unknown
from jumun.model.signals import ApprovedOrderIntent
from jumun.model.words import counted
from jumun.rules.book import Book, PositionKey, Shape, is_waiting, shape_of
from jumun.rules.carry import rest_until_next_session, try_again_soon
from jumun.rules.checks import Reserve, check, check_change
from jumun.rules.draft import Decision, Draft
from jumun.rules.hear import flag, stop
from jumun.rules.order_kinds import (
    AUCTION,
    IMMEDIATE,
    MATCHED_AT_ONCE,
    STOPS,
    holds_stop,
    is_time_for,
    wire_tif,
)
from jumun.rules.order_machine import can
from jumun.rules.policy import SECOND_NS, Denial
from jumun.rules.sessions import NoCalendar, phase_at, session_on
from jumun.rules.validation import Valid, validate

ZERO: Final = Decimal(0)
MISSING: Final = frozenset({Reason.NO_BASE_PRICE, Reason.NO_REFERENCE_PRICE, Reason.NO_TABLE})
REGULAR_SESSION: Final = TradingSession.REGULAR


def key_of(intent: ApprovedOrderIntent) -> IdempotencyKey:
    """The client's own id where it gave one, else specification 002's formula (C-3).

    Raises BadInput for a part that could make two intents share a key.
    """
    if intent.client_order_id is not None:
        if "|" in intent.user_id:  # "a|b" with id "c" would be "a" with id "b|c"
            raise errors.BadInput(
                f"user {intent.user_id!r} holds '|'; two users could share a key, so rename it"
            )
        return IdempotencyKey(f"client|{intent.user_id}|{intent.client_order_id}")
    try:
        return idempotency_key(
            intent.account_id,
            intent.strategy_version,
            intent.symbol,
            intent.signal_ts_ns,
            intent.side,
            intent.leg,
        )
    except ValueError as error:
        raise errors.BadInput(str(error), reason=Reason.BAD_SIGNAL) from error


def decide_submit(command: SubmitOrder, draft: Draft) -> Decision:
    """The same key returns the order it made; anything refused on the way in says why (S002-22, I-08)."""
    intent, book = command.intent, draft.book
    key = key_of(intent)
    existing = book.order_by_key(key) or command.existing
    if existing is not None:
        return _same_key_again(intent, existing, draft)
    denial = _cannot_take(intent, draft)
    if denial is not None:
        return draft.decision(denial=denial)
    denial = ask_risk(intent, draft)
    if denial is not None:
        draft.note(IntentDenied(intent=intent, reason=denial.reason, text=denial.text))
        return draft.decision(denial=denial)
    return _create(intent, key, draft)


def ask_risk(intent: ApprovedOrderIntent, draft: Draft) -> Denial | None:
    """The one place where a risk engine plugs in; whatever breaks inside it refuses the order (C-33)."""
    approve = draft.policy.approve
    if approve is None:
        return None
    try:
        return approve(intent, draft.book, draft.facts)
    except Exception as error:  # noqa: BLE001  # supervisor: somebody else's code must not take the desk along
        text = f"the risk engine failed on {intent.symbol} ({type(error).__name__}: {error}); mend it first"
        return Denial(Reason.RISK_ERROR, text)


def _same_key_again(intent: ApprovedOrderIntent, existing: Order, draft: Draft) -> Decision:
    if _is_same(intent, existing):
        return Decision(order=existing, existing=True)
    if intent.client_order_id is not None:
        text = (
            f"id {intent.client_order_id} was used for {existing.order_id} with other content; use a new id"
        )
        return Decision(
            order=existing, existing=True, mismatch=True, denial=Denial(Reason.KEY_CONFLICT, text)
        )
    if Flag.MISMATCH not in existing.flags:
        text = f"the same signal came again with quantity {intent.qty} and price {intent.price}"
        draft.add(OrderFlagged(order_id=existing.order_id, flag=Flag.MISMATCH, text=text))
    order = draft.order(existing.order_id) or existing
    return Decision(
        events=tuple(draft.events),
        order=order,
        existing=True,
        mismatch=True,
        drafted=tuple(draft.drafted),
    )


def _is_same(intent: ApprovedOrderIntent, made: Order) -> bool:
    """Whether the order is what the intent asks for; a modify since then is no difference of the signal."""
    asked = (intent.account_id, intent.symbol, intent.side, intent.order_type, intent.stop_price)
    if asked != (made.account_id, made.symbol, made.side, made.order_type, made.stop_price):
        return False
    if (intent.time_in_force or TimeInForce.DAY, intent.good_till) != (made.tif, made.good_till):
        return False
    if intent.venue not in (None, made.venue) or (intent.session or REGULAR_SESSION) is not made.session:
        return False
    return bool(made.modify_count) or (intent.qty, intent.price) == (made.qty, made.price_raw)


def _cannot_take(intent: ApprovedOrderIntent, draft: Draft) -> Denial | None:
    """Reasons that make no order: the caller may come again with the same key."""
    book, policy = draft.book, draft.policy
    if book.halt is not None:
        return Denial(
            Reason.HALTED,
            f"trading is halted: {book.halt.text} ({book.halt.reason}); once that is settled, "
            'run `jumun resume "why it is safe" --by you`',
        )
    if intent.account_id not in policy.accounts:
        return Denial(Reason.UNKNOWN_ACCOUNT, f"account {intent.account_id!r} is not configured; add it")
    if len(book.unknown) >= policy.limits.unknown_max:
        text = f"{counted(len(book.unknown), 'order')} of unknown outcome (unknown_max); settle them first"
        return Denial(Reason.TOO_MANY_UNKNOWN, text)
    if len(book.waiting) >= policy.limits.max_queue_size:
        waiting = counted(policy.limits.max_queue_size, "order")
        text = f"{waiting} to be sent already (max_queue_size); try again later"
        return Denial(Reason.QUEUE_FULL, text)
    return None


def _create(intent: ApprovedOrderIntent, key: IdempotencyKey, draft: Draft) -> Decision:
    instrument = draft.policy.instrument(intent.symbol)  # raises UnknownSymbol: nothing can be written of it
    judged, reserved = _judge(intent, draft)
    valid = None if isinstance(judged, Denial) else judged
    reserve = None if isinstance(reserved, Denial) else reserved
    held = valid is not None and _is_held(intent, valid, draft)
    order_id = OrderId(draft.facts.new_id())
    quote = draft.facts.quote(intent.symbol)
    order = Order(
        order_id=order_id,
        account_id=intent.account_id,
        symbol=intent.symbol,
        venue=intent.venue or instrument.venue,
        is_venue_asked=intent.venue is not None,
        session=intent.session or REGULAR_SESSION,
        good_till=intent.good_till,
        arrival_price=None if quote is None else quote.last,
        stop_held=held,
        currency=instrument.currency,
        side=intent.side,
        order_type=intent.order_type,
        tif=intent.time_in_force or TimeInForce.DAY if valid is None else valid.tif,
        qty=intent.qty,
        price_raw=intent.price,
        price=None if valid is None else valid.price,
        stop_price=intent.stop_price,
        idempotency_key=key,
        client_order_id=intent.client_order_id,
        created_by=intent.user_id,
        strategy_id=intent.strategy_id,
        strategy_version=intent.strategy_version,
        signal_ts_ns=intent.signal_ts_ns,
        correlation_id=intent.correlation_id or order_id,
        reserve_price=ZERO if reserve is None else reserve.price,
        reserve_cost=ZERO if reserve is None else reserve.cost,
        trade_date="" if valid is None else valid.trade_date,
        created_ns=draft.now_ns,
        updated_ns=draft.now_ns,
        expires_ns=None if valid is None else _expires_ns(intent, valid, held, draft),
    )
    order = draft.add(OrderCreated(order_id=order_id, order=order))
    denial = judged if isinstance(judged, Denial) else reserved if isinstance(reserved, Denial) else None
    if denial is not None:
        draft.add(OrderDenied(order_id=order_id, reason=denial.reason, text=denial.text))
    elif valid is not None and not valid.is_open and not held:
        rest_until_next_session(order, "no attempt was made: its session is closed", draft)
    return draft.decision(order_id, denial)


def _is_held(intent: ApprovedOrderIntent, valid: Valid, draft: Draft) -> bool:
    return holds_stop(valid.venue, intent.order_type, valid.tif, draft.policy.kinds)


def _expires_ns(intent: ApprovedOrderIntent, valid: Valid, held: bool, draft: Draft) -> int | None:
    """When time ends it: order_timeout is for signals without a time in force that could trade now (C-14)."""
    policy = draft.policy
    if intent.time_in_force is None and intent.order_type not in AUCTION and not held:
        return draft.now_ns + policy.limits.order_timeout_s * SECOND_NS
    last_day = intent.good_till if valid.tif is TimeInForce.GTD else valid.trade_date if held else ""
    if not last_day or valid.tif is TimeInForce.GTC:
        return None
    plan = session_on(valid.venue, date.fromisoformat(last_day), policy.sessions)
    if plan is None:
        return None  # its last day is no session: the one before ends it, and the next never opens for it
    return plan.close_ns if held else plan.last_ns + policy.settles_after_ns


def _judge(intent: ApprovedOrderIntent, draft: Draft) -> tuple[Valid | Denial, Reserve | Denial]:
    """Validate and check. A missing table (costs, calendar) refuses like any other reason (I-53)."""
    try:
        valid = validate(intent, draft.policy, draft.facts)
        if isinstance(valid, Denial):
            return valid, valid
        return valid, check(intent, valid, draft.book, draft.policy)
    except errors.OrderDenied as error:
        denial = Denial(error.reason, str(error))
        return denial, denial


def decide_send(command: SendNext, draft: Draft) -> Decision:
    """The last look before a send is intended: the session may have ended while the order waited (I-57)."""
    order = draft.book.order(command.order_id)
    if order is None or not is_waiting(order) or draft.book.halt is not None:
        return draft.decision(command.order_id)
    try:
        phase, day = phase_at(order.venue, draft.now_ns, draft.policy.sessions)
    except NoCalendar as error:
        _never_sent(order, error.reason, str(error), draft)
        return draft.decision(order.order_id)
    too_late = order.tif in IMMEDIATE and phase not in MATCHED_AT_ONCE
    now = is_time_for(order.session, order.order_type, order.venue, draft.now_ns, draft.policy)
    if order.is_carried:
        if not now:
            rest_until_next_session(order, f"{order.venue} is {phase}: nothing of it was sent", draft)
            return draft.decision(order.order_id)
    elif not now or too_late or day.isoformat() != order.trade_date:
        text = f"it waited until {order.venue} was {phase} and was never sent"
        _never_sent(order, Reason.EXPIRED, text, draft)
        return draft.decision(order.order_id)
    disputed = draft.facts.disputed.get((order.venue, day))
    if disputed is not None:
        _wait_or_end(order, disputed, draft)
        return draft.decision(order.order_id)
    reserve: Reserve | None = None
    if order.is_carried or order.triggered_ns is not None:
        looked = _look_again(order, draft)
        if looked is None:
            return draft.decision(order.order_id)
        reserve = looked
    _intend_send(order, day.isoformat(), reserve, draft)
    return draft.decision(order.order_id)


def _intend_send(order: Order, day: str, reserve: Reserve | None, draft: Draft) -> None:
    attempt = order.attempt + 1
    native_stop = order.order_type in STOPS and order.triggered_ns is None
    request = SubmitRequest(
        order_id=order.order_id,
        attempt=attempt,
        account_id=order.account_id,
        symbol=order.symbol,
        venue=order.venue,
        currency=order.currency,
        side=order.side,
        order_type=order.wire_type,
        tif=wire_tif(order.venue, order.wire_type, order.tif, draft.policy.kinds),
        qty=order.qty_left,
        price=order.price,
        trade_date=day,
        reference=order.order_id if draft.policy.carries_reference else None,
        stop_price=order.stop_price if native_stop else None,
        session=order.session,
        is_venue_asked=order.is_venue_asked,
    )
    draft.add(
        SendIntended(
            order_id=order.order_id,
            attempt=attempt,
            request=request,
            reserve_price=None if reserve is None else reserve.price,
            reserve_cost=None if reserve is None else reserve.cost,
        )
    )


def _look_again(order: Order, draft: Draft) -> Reserve | None:
    """Check an order of an earlier moment as if it came now: tick, band, cash of today (F-58, I-57).

    One whose price today's limits refuse rests one session more; any other reason ends it.
    """
    intent = order_as_intent(order)
    try:
        valid = validate(intent, draft.policy, draft.facts)
        looked = (
            valid
            if isinstance(valid, Denial)
            else check_change(order, intent, valid, draft.book, draft.policy)
        )
    except errors.OrderDenied as error:
        looked = Denial(error.reason, str(error))
    if isinstance(looked, Reserve):
        return looked
    if order.is_carried and looked.reason is Reason.PRICE_OUTSIDE_BAND:
        rest_until_next_session(order, looked.text, draft, later=True)
    elif order.is_carried and looked.reason in MISSING:
        try_again_soon(order, looked.text, draft)
    elif order.triggered_ns is not None and looked.reason is Reason.NO_REFERENCE_PRICE:
        # The price was seen, which is why it goes; what it was valued at when it came is reserved.
        return Reserve(price=order.reserve_price, cost=order.reserve_cost)
    else:
        _never_sent(order, looked.reason, looked.text, draft)
    return None


def _wait_or_end(order: Order, text: str, draft: Draft) -> None:
    """Of a disputed day nothing is sent: what lives longer waits for the next one (F-93)."""
    if order.is_carried:
        rest_until_next_session(order, text, draft, later=True)
    else:
        _never_sent(order, Reason.NO_TABLE, text, draft)


def _never_sent(order: Order, reason: Reason, text: str, draft: Draft) -> None:
    evidence = "nothing of it is at the broker" if order.refs else "never sent"
    draft.add(OrderCancelled(order_id=order.order_id, reason=reason, text=text, evidence=evidence))


def order_as_intent(
    order: Order, qty: Decimal | None = None, price: Decimal | None = None
) -> ApprovedOrderIntent:
    """The order as it would be asked for now, with other terms where given: the same rules check it again.

    A stop that was triggered is what it goes out as; one that is held is still a stop.
    """
    triggered = order.triggered_ns is not None
    return ApprovedOrderIntent(
        account_id=order.account_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.wire_type,
        qty=order.qty if qty is None else qty,
        price=order.price_raw if price is None else price,
        stop_price=None if triggered else order.stop_price,
        time_in_force=TimeInForce.DAY if triggered and order.wire_type is OrderType.MARKET else order.tif,
        strategy_id=order.strategy_id,
        strategy_version=order.strategy_version,
        signal_ts_ns=order.signal_ts_ns or 0,
        venue=order.venue,
        session=order.session,
        good_till=order.good_till if order.tif is TimeInForce.GTD else "",
        user_id=order.created_by,
    )


def obstacle_to(order: Order, book: Book) -> Shape | PositionKey | None:
    """Return what stops a send now: an unknown order in the symbol, or a look-alike in flight (F-03).

    At most one order of a shape is in flight, so that a later match of an unknown one is unique.
    """
    place = (order.account_id, order.symbol)
    # One that is to be sent once more is unknown itself: were it to wait for the others of its symbol, and
    # they for it, none would ever go. Its look still has to be the only one.
    if place in book.held and not order.is_unknown:
        return place
    shape = shape_of(order)
    return shape if shape in book.shapes else None


def decide_conclusion(command: ConcludeSubmit, draft: Draft) -> Decision:
    """Each of the four ends of a send (DESIGN, Never twice 2)."""
    order = draft.book.order(command.order_id)
    assert order is not None, f"{command.order_id} has a send in flight but is not in the book"
    outcome = command.outcome
    current = order.attempt_open and order.attempt == command.attempt
    match outcome:
        case Accepted():
            _accepted(order, command.attempt, outcome, draft)
        case Rejected():
            if current:
                _rejected(order, outcome, draft)
        case NotSent():
            if current:
                _not_sent(order, outcome, draft)
        case Unknown():
            if current:
                draft.ask = True
                if can(order, OrderUnknown) and order.unknown_ns is None:
                    _unknown(order, outcome, draft)
        case _:
            assert_never(outcome)
    return draft.decision(order.order_id)


def _rejected(order: Order, outcome: Rejected, draft: Draft) -> None:
    """The broker's no ends it. What an order of several days filled before stays filled."""
    if not order.qty_filled and can(order, OrderRejected):
        draft.add(
            OrderRejected(order_id=order.order_id, code=outcome.code, text=outcome.text, raw=outcome.raw)
        )
    elif can(order, OrderCancelled):  # part filled, also where a bust took its fills back since
        text = f"{outcome.code} {outcome.text}".strip()
        draft.add(
            OrderCancelled(
                order_id=order.order_id,
                reason=Reason.BROKER_REJECTED,
                text=text,
                evidence=f"reply: {outcome.raw}",
            )
        )


def _accepted(order: Order, attempt: int, outcome: Accepted, draft: Draft) -> None:
    """The broker has it under a number; more than one number for an order is a person's to settle (F-05)."""
    number = outcome.ref.number
    if order.has_ref(outcome.ref):
        return
    other = draft.by_ref(order.account_id, outcome.ref)
    if other is not None:
        stop(f"the broker gave {order.order_id} the number {number}, which {other.order_id} has", draft)
        flag(order, Flag.DISPUTED, f"its number {number} is another order's: compare by hand", draft)
        return
    renewed = order.is_carried and order.attempt_open and not order.has_ref_of(outcome.ref.trade_date)
    if (order.refs and not renewed) or order.attempt != attempt:
        # Not mapped: cumulative figures of two numbers must not be counted as one order's. A history
        # lists it, and what it fills is booked from there.
        draft.ask = True
        flag(order, Flag.DISPUTED, f"attempt {attempt} was taken as {number} beside another one", draft)
        return
    draft.add(OrderSent(order_id=order.order_id, ref=outcome.ref, evidence="reply", raw=outcome.raw))
    if order.status.is_final:
        draft.ask = True
        flag(order, Flag.DISPUTED, f"it ended as {order.status} but was taken as {number}", draft)


def _unknown(order: Order, outcome: Unknown, draft: Draft) -> None:
    draft.add(
        OrderUnknown(
            order_id=order.order_id,
            attempt=order.attempt,
            reason=Reason.NO_REPLY,
            text=outcome.text,
            raw=outcome.raw,
        )
    )


def _not_sent(order: Order, outcome: NotSent, draft: Draft) -> None:
    """EMS-02: it provably never left, so it may be tried again after 1, 2 and 4 s, and then no more."""
    delays = draft.policy.limits.send_retry_s
    tries = order.tries
    wanted = order.cancel_requested_ns is None
    retry_at = draft.now_ns + delays[tries - 1] * SECOND_NS if tries <= len(delays) and wanted else None
    draft.add(
        SendNotLeft(order_id=order.order_id, attempt=order.attempt, text=outcome.text, retry_at_ns=retry_at)
    )
    if retry_at is None:
        reason = Reason.NOT_SENT if wanted else order.cancel_reason or Reason.NOT_SENT
        draft.add(
            OrderCancelled(
                order_id=order.order_id,
                reason=reason,
                text=f"it never left after {tries} tries: {outcome.text}",
                evidence=f"attempt {order.attempt} provably never left",
            )
        )
