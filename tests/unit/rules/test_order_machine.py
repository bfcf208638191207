"""OMS-03: the order state machine, cell by cell: what may follow what, and that nothing else can."""

from decimal import Decimal
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from jumun.model.events import (
    AnyOrderEvent,
    AttemptNotReceived,
    CancelAnswered,
    CancelIntended,
    CancelRequested,
    CostsCorrected,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    ModifyAnswered,
    ModifyIntended,
    NoticeCounted,
    OrderAccepted,
    OrderAlarmed,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderFlagged,
    OrderModified,
    OrderRejected,
    OrderResting,
    OrderSent,
    OrderUnknown,
    SendIntended,
    SendNotLeft,
    StopTriggered,
    UnknownNotFound,
)
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import OrderId
from jumun.model.money import Currency
from jumun.model.orders import Alarm, CostFigure, Flag, Order, OrderStatus, Terms
from jumun.model.reasons import Reason
from jumun.model.reports import CancelRequest, ModifyRequest, SubmitRequest
from jumun.rules.order_machine import (
    FACTS,
    NEXT,
    SAYS_NOTHING,
    ImpossibleTransition,
    can,
    evolve,
    next_status,
)
from jumun.testing.builders import ACCOUNT, a_fill, a_ref, an_order

D = Decimal
TS = 1_748_300_000_000_000_000
ORDER = an_order(attempt=1, attempt_ts_ns=1)
ID = ORDER.order_id
S = OrderStatus


def a_booking(qty: int, *, notice: bool = True, **changes: Any) -> FillBooked:
    fill = a_fill(ORDER, qty=D(qty), price=D(70_000), **changes)
    return FillBooked(order_id=ID, fill=fill, ledger=(), notice_qty=D(qty if notice else 0), raw="")


def a_request(attempt: int = 2) -> SubmitRequest:
    return SubmitRequest(
        order_id=ID,
        attempt=attempt,
        account_id=ORDER.account_id,
        symbol=ORDER.symbol,
        venue=ORDER.venue,
        currency=ORDER.currency,
        side=ORDER.side,
        order_type=ORDER.order_type,
        tif=ORDER.tif,
        qty=ORDER.qty,
        price=ORDER.price,
        trade_date="2025-05-27",
        reference=None,
    )


def a_cancel_request() -> CancelRequest:
    return CancelRequest(
        order_id=ID, account_id=ACCOUNT, symbol=ORDER.symbol, venue=ORDER.venue, ref=a_ref(), qty_left=D(10)
    )


TERMS = Terms(qty=D(8), price=D(69_000))


def a_modify_request() -> ModifyRequest:
    return ModifyRequest(
        order_id=ID,
        account_id=ACCOUNT,
        symbol=ORDER.symbol,
        venue=ORDER.venue,
        side=ORDER.side,
        order_type=ORDER.order_type,
        tif=ORDER.tif,
        ref=a_ref(),
        qty=TERMS.qty,
        qty_left=TERMS.qty,
        qty_left_before=ORDER.qty,
        price=TERMS.price,
        price_before=ORDER.price,
    )


# One event of each kind, and the letter of the status it leads to in each status; "." is impossible.
# N new, S sent, A accepted, P part filled, F filled, C cancelled, R rejected, E unknown.
LETTER = dict(zip("NSAPFCRE", S, strict=True))
TABLE: dict[str, tuple[AnyOrderEvent, str]] = {
    "denied": (OrderDenied(order_id=ID, reason=Reason.CASH, text="no"), "R......."),
    "intended": (SendIntended(order_id=ID, attempt=2, request=a_request()), "NSAP...E"),
    "not left": (SendNotLeft(order_id=ID, attempt=1, text="", retry_at_ns=5), "NSAP...E"),
    "sent": (OrderSent(order_id=ID, ref=a_ref(), evidence="reply", raw=""), "SSAPFCRS"),
    "accepted": (OrderAccepted(order_id=ID, ref=a_ref(), raw=""), "AA.....A"),
    "rejected": (OrderRejected(order_id=ID, code="40", text="no", raw=""), "RRR....R"),
    "unknown": (OrderUnknown(order_id=ID, attempt=1, reason=Reason.NO_REPLY, text="", raw=""), "EEEE...E"),
    "not found": (UnknownNotFound(order_id=ID, attempt=1, asked_ns=7), ".......E"),
    "not received": (AttemptNotReceived(order_id=ID, attempt=1, evidence="", resend=True), ".......E"),
    "cancelled": (OrderCancelled(order_id=ID, reason=Reason.EXPIRED, text="", evidence=""), "CCCC...C"),
    "part fill": (a_booking(4), "PPPPFCRP"),
    "last fill": (a_booking(10), "FFFFFCRF"),
    "over-fill": (a_booking(12), "FFFFFCRF"),
    "flagged": (OrderFlagged(order_id=ID, flag=Flag.DISPUTED, text=""), "NSAPFCRE"),
    "notice": (NoticeCounted(order_id=ID, identity="exec:9", qty=D(1)), "NSAPFCRE"),
    "cancel wanted": (CancelRequested(order_id=ID, reason=Reason.OPERATOR, by="kim"), "NSAPFCRE"),
    "cancel intended": (CancelIntended(order_id=ID, request=a_cancel_request()), "NSAPFCRE"),
    "cancel answered": (
        CancelAnswered(order_id=ID, outcome="refused", text="", raw="", retry_at_ns=9),
        "NSAPFCRE",
    ),
    "alarmed": (OrderAlarmed(order_id=ID, alarm=Alarm.ACK_DELAY, text="slow"), "NSAPFCRE"),
    "triggered": (StopTriggered(order_id=ID, price=D(70_000), source="feed"), "N......."),
    "resting": (OrderResting(order_id=ID, until_ns=9, text="", evidence=""), "NSAP...N"),
    "modify intended": (
        ModifyIntended(
            order_id=ID,
            by="kim",
            request=a_modify_request(),
            terms=TERMS,
            reserve_price=D(70_000),
            reserve_cost=D(9),
        ),
        ".SAP....",
    ),
    "modify answered": (ModifyAnswered(order_id=ID, outcome="refused", text="", raw=""), "NSAPFCRE"),
    "modified": (
        OrderModified(
            order_id=ID,
            terms=TERMS,
            price_raw=D(69_000),
            ref=a_ref(2),
            reserve_price=D(69_000),
            reserve_cost=D(8),
            by="broker",
            evidence="reply",
            raw="",
        ),
        "NSAPFCRE",
    ),
    "reversed": (
        FillReversed(
            order_id=ID,
            identity="bust:1",
            account_id=ACCOUNT,
            strategy_id="momentum",
            side=ORDER.side,
            currency=ORDER.currency,
            ref=a_ref(),
            qty=D(0),
            amount=D(10),
            ledger=(),
            text="",
            raw="",
        ),
        "NSAPFCRE",
    ),
    "cost corrected": (
        CostsCorrected(
            order_id=ID,
            account_id=ACCOUNT,
            strategy_id="momentum",
            currency=ORDER.currency,
            figure=CostFigure(
                ref=a_ref(), costs={"BROKERAGE": D(9)}, qty=D(10), amount=D(700_000), ts_event_ns=7
            ),
            ledger=(),
            text="",
            raw="",
        ),
        "NSAPFCRE",
    ),
    "created": (OrderCreated(order_id=ID, order=ORDER), "........"),
    "adopted": (ForeignOrderAdopted(order_id=ID, order=ORDER, raw=""), "........"),
}


def in_status(status: OrderStatus) -> Order:
    filled = {S.FILLED: D(10), S.PART_FILLED: D(3)}.get(status, D(0))
    return replace(ORDER, status=status, qty_filled=filled, amount_filled=filled * 70_000)


@pytest.mark.req("I-16", "S002-30", "C-1", "I-17", "F-21", "F-51")
@pytest.mark.parametrize("place", range(8), ids=list(S))
@pytest.mark.parametrize("event_name", TABLE)
def test_each_event_leads_where_the_table_says_or_is_impossible(event_name: str, place: int) -> None:
    event, letters = TABLE[event_name]
    order = in_status(list(S)[place])
    if letters[place] == ".":
        with pytest.raises(ImpossibleTransition, match=ID):
            evolve(order, event, TS)
        return
    after = evolve(order, event, TS)
    assert after.status is LETTER[letters[place]]
    assert after.updated_ns == (order.updated_ns if type(event) in SAYS_NOTHING else TS)


def test_the_table_above_holds_every_event_about_an_order() -> None:
    assert {type(event) for event, _ in TABLE.values()} == set(get_args(AnyOrderEvent))


@pytest.mark.req("I-16", "I-17")
def test_nothing_leads_out_of_a_final_status() -> None:
    assert [pair for pair, after in NEXT.items() if pair[0].is_final and after is not pair[0]] == []


@pytest.mark.req("I-16")
def test_can_says_what_the_table_says() -> None:
    for event, letters in TABLE.values():
        if isinstance(event, (FillBooked, OrderCreated, ForeignOrderAdopted, *FACTS)):
            continue
        for status, letter in zip(S, letters, strict=True):
            assert can(in_status(status), type(event)) is (letter != ".")


@pytest.mark.req("I-16")
def test_nothing_happens_to_an_order_that_does_not_exist() -> None:
    with pytest.raises(ImpossibleTransition, match="does not exist"):
        evolve(None, TABLE["sent"][0], TS)


@pytest.mark.req("S002-20", "I-16")
@pytest.mark.parametrize("name", ["created", "adopted"])
def test_an_order_begins_as_the_event_says_and_only_once(name: str) -> None:
    event = TABLE[name][0]
    assert evolve(None, event, TS) == ORDER
    with pytest.raises(ImpossibleTransition, match="created twice"):
        evolve(ORDER, event, TS)
    with pytest.raises(ImpossibleTransition):
        next_status(ORDER, event)


# ---- the facts beside the status ----------------------------------------------------------------


def after(*names_or_events: str | AnyOrderEvent, order: Order = ORDER) -> Order:
    for one in names_or_events:
        order = evolve(order, TABLE[one][0] if isinstance(one, str) else one, TS)
    return order


@pytest.mark.req("S002-29")
def test_a_denied_order_says_why() -> None:
    order = after("denied")
    assert (order.reason, order.reason_text) == (Reason.CASH, "no")


@pytest.mark.req("C-2", "I-21")
def test_an_intended_send_is_open_until_its_outcome_is_known() -> None:
    order = after("not left", "intended")
    assert (order.attempt, order.attempt_open, order.attempt_ts_ns) == (2, True, TS)
    assert (order.retry_at_ns, order.trade_date) == (None, "2025-05-27")
    for outcome in ("not left", "sent", "accepted", "rejected", "part fill", "cancelled"):
        assert not after(outcome, order=order).attempt_open
    assert after("unknown", order=order).attempt_open


@pytest.mark.req("S002-51", "S002-52")
def test_a_send_that_never_left_says_when_it_is_tried_again() -> None:
    assert after("not left").retry_at_ns == 5


@pytest.mark.req("S002-47", "I-11")
def test_a_broker_number_is_kept_once() -> None:
    order = after("sent")
    assert order.refs == (a_ref(),)
    late = replace(order, status=S.ERROR)
    assert after("sent", order=late).refs == (a_ref(),)
    other = OrderSent(order_id=ID, ref=a_ref(2), evidence="history", raw="")
    assert after(other, order=late).refs == (a_ref(), a_ref(2))


@pytest.mark.req("F-03", "I-15")
def test_finding_an_unknown_order_clears_its_reason() -> None:
    lost = after("intended", "unknown", "not found")
    assert (lost.reason, lost.absent_ns) == (Reason.NO_REPLY, 7)
    found = after("sent", order=lost)
    assert (found.reason, found.reason_text, found.absent_ns) == (None, "", None)


@pytest.mark.req("I-17", "S002-29")
@pytest.mark.parametrize("end", ["cancelled", "rejected"])
def test_a_number_that_comes_too_late_does_not_erase_why_the_order_ended(end: str) -> None:
    ended = after(end)
    late = after("sent", order=ended)
    assert (late.status, late.reason, late.reason_text) == (ended.status, ended.reason, ended.reason_text)
    assert late.refs == (a_ref(),)


@pytest.mark.req("I-58")
def test_an_attempt_that_never_arrived_may_be_sent_once_more() -> None:
    lost = after("intended", "unknown")
    again = after("not received", order=lost)
    assert (again.attempt_open, again.resends) == (False, 1)
    kept = AttemptNotReceived(order_id=ID, attempt=2, evidence="", resend=False)
    held = after(kept, order=lost)
    assert (held.attempt_open, held.resends) == (True, 0)


def test_a_flag_is_raised_once() -> None:
    assert after("flagged", "flagged").flags == (Flag.DISPUTED,)


@pytest.mark.req("S002-56", "I-04", "I-09")
def test_fills_add_up_and_keep_what_a_notice_proved_apart() -> None:
    order = after(a_booking(4, identity="exec:1"), a_booking(3, notice=False, identity="cum:7"))
    assert (order.qty_filled, order.amount_filled) == (7, 490_000)
    assert (order.qty_noticed, order.notices) == (4, ("exec:1",))


@pytest.mark.req("I-09", "I-12")
def test_a_notice_of_shares_already_booked_books_nothing() -> None:
    order = after(a_booking(4, notice=False), "notice")
    assert (order.qty_filled, order.amount_filled) == (4, 280_000)
    assert order.notices == ("exec:9",)


@pytest.mark.req("I-17", "I-05")
def test_the_flags_of_a_fill_stay_on_its_order() -> None:
    order = after(a_booking(4, flags=(Flag.BAD_PRICE,)), a_booking(4, flags=(Flag.BAD_PRICE, Flag.LATE_FILL)))
    assert order.flags == (Flag.BAD_PRICE, Flag.LATE_FILL)


@pytest.mark.req("C-8", "S000-47")
def test_costs_paid_and_given_back_are_kept_by_kind() -> None:
    def row(kind: LedgerKind, cost: str, amount: int, *, back: bool = False) -> LedgerRow:
        account = LedgerAccount.TAXES if kind is LedgerKind.TAX else LedgerAccount.FEES
        debit, credit = (LedgerAccount.CASH, account) if back else (account, LedgerAccount.CASH)
        return LedgerRow(
            kind=kind,
            account_id=ACCOUNT,
            currency=Currency.KRW,
            amount=D(amount),
            debit=debit,
            credit=credit,
            cost_kind=cost,
            trade_date="2025-05-26",
            settlement_date="2025-05-28",
        )

    rows = (row(LedgerKind.FEE, "BROKERAGE", 50), row(LedgerKind.TAX, "RURAL_TAX", 20))
    back = (row(LedgerKind.FEE, "BROKERAGE", 8, back=True),)
    order = after(replace(a_booking(4), ledger=rows), replace(a_booking(4), ledger=back))
    assert order.costs == {"BROKERAGE": D(42), "RURAL_TAX": D(20)}
    assert ORDER.costs == {}


@pytest.mark.req("I-20", "S002-39")
def test_a_cancel_on_its_way_is_a_fact_beside_the_status() -> None:
    wanted = after("sent", "cancel wanted")
    assert (wanted.status, wanted.cancel_requested_ns, wanted.cancel_reason) == (S.SENT, TS, Reason.OPERATOR)
    flying = after("cancel intended", order=wanted)
    assert (flying.status, flying.cancel_open, flying.cancel_attempts) == (S.SENT, True, 1)
    answered = after("cancel answered", order=flying)
    assert (answered.status, answered.cancel_open, answered.cancel_retry_ns) == (S.SENT, False, 9)
    again = after("cancel intended", order=answered)
    assert (again.cancel_attempts, again.cancel_retry_ns) == (2, None)


@pytest.mark.req("S002-43", "I-49")
def test_a_cancelled_order_has_nothing_open_and_nothing_to_wait_for() -> None:
    order = after("not left", "cancel intended", "cancelled")
    assert not order.attempt_open
    assert not order.cancel_open
    assert (order.retry_at_ns, order.cancel_retry_ns, order.reason) == (None, None, Reason.EXPIRED)


@pytest.mark.req("F-51")
def test_a_rejected_order_keeps_the_words_of_the_broker() -> None:
    order = after("rejected")
    assert (order.reason, order.reason_text) == (Reason.BROKER_REJECTED, "40 no")
    short = OrderRejected(order_id=OrderId(ID), code="", text="no", raw="")
    assert after(short).reason_text == "no"
