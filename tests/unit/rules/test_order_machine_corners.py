"""OMS-03: all that changes beside the status, event by event, on an order with everything under way."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from jumun.model.events import (
    AnyOrderEvent,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    ModifyAnswered,
    ModifyIntended,
    OrderAccepted,
    OrderCancelled,
    OrderModified,
    OrderResting,
    OrderSent,
    OrderUnknown,
    SendIntended,
    SendNotLeft,
)
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.money import Currency
from jumun.model.orders import Flag, Order, OrderStatus, Side, Tally, Terms
from jumun.model.reasons import Reason
from jumun.model.reports import ModifyRequest, SubmitRequest
from jumun.rules.order_machine import ImpossibleTransition, evolve, next_status
from jumun.testing.builders import a_fill, a_ref, an_order

D = Decimal
S = OrderStatus
TS = 1_748_300_000_000_000_000
FIRST, SECOND = a_ref(1), a_ref(2)
TERMS = Terms(qty=D(8), price=D(69_000))

# Everything is under way at once, which no real order manages: whatever an event does not speak of must stay.
BUSY: Order = an_order(
    status=S.PART_FILLED,
    qty_filled=D(4),
    amount_filled=D(280_000),
    qty_noticed=D(3),
    costs={"BROKERAGE": D(39)},
    notices=("exec:E1",),
    reserve_price=D(70_000),
    reserve_cost=D(98),
    attempt=2,
    attempt_open=True,
    attempt_ts_ns=11,
    attempt_qty=D(10),
    tries=2,
    retry_at_ns=12,
    trade_date="2025-05-27",
    refs=(FIRST, SECOND),
    tallies=(
        Tally(ref=FIRST, qty=D(3), amount=D(210_000), qty_noticed=D(2)),
        Tally(ref=SECOND, qty=D(1), amount=D(70_000), qty_noticed=D(1)),
    ),
    cancel_requested_ns=13,
    cancel_reason=Reason.CANCELLED_BY_USER,
    cancel_open=True,
    cancel_attempts=2,
    cancel_retry_ns=14,
    modify_to=TERMS,
    modify_open=True,
    modify_unknown_ns=15,
    modify_absent_ns=16,
    modify_count=1,
    modify_asked=1,
    loosest_price=D(70_100),
    stop_held=True,
    resting=True,
    reason=Reason.NO_REPLY,
    reason_text="no reply",
    unknown_ns=17,
    absent_ns=18,
    busts=1,
    fill_count=2,
    first_fill_ns=10,
)
ID = BUSY.order_id


def a_send() -> SubmitRequest:
    return SubmitRequest(
        order_id=ID,
        attempt=3,
        account_id=BUSY.account_id,
        symbol=BUSY.symbol,
        venue=BUSY.venue,
        currency=BUSY.currency,
        side=BUSY.side,
        order_type=BUSY.order_type,
        tif=BUSY.tif,
        qty=D(6),
        price=BUSY.price,
        trade_date="2025-05-28",
        reference=None,
    )


def a_change(number: int = 2, price: int | None = 69_000) -> ModifyIntended:
    request = ModifyRequest(
        order_id=ID,
        account_id=BUSY.account_id,
        symbol=BUSY.symbol,
        venue=BUSY.venue,
        side=BUSY.side,
        order_type=BUSY.order_type,
        tif=BUSY.tif,
        ref=SECOND,
        qty=D(8),
        qty_left=D(4),
        qty_left_before=D(6),
        price=D(69_000),
        price_before=D(70_000),
        number=number,
    )
    terms = Terms(qty=D(8), price=None if price is None else D(price))
    return ModifyIntended(
        order_id=ID, by="user", request=request, terms=terms, reserve_price=D(70_500), reserve_cost=D(99)
    )


def an_answer(outcome: str, **changes: Any) -> ModifyAnswered:
    return ModifyAnswered(order_id=ID, outcome=outcome, text="", raw="", **changes)


def a_reversal(qty: int, amount: int, ledger: tuple[LedgerRow, ...] = ()) -> FillReversed:
    return FillReversed(
        order_id=ID,
        identity="bust:1",
        account_id=BUSY.account_id,
        strategy_id=BUSY.strategy_id,
        side=Side.BUY,
        currency=Currency.KRW,
        ref=FIRST,
        qty=D(qty),
        amount=D(amount),
        ledger=ledger,
        text="",
        raw="",
    )


MODIFIED = OrderModified(
    order_id=ID,
    terms=TERMS,
    price_raw=D(69_001),
    ref=None,
    reserve_price=D(69_000),
    reserve_cost=D(77),
    by="broker",
    evidence="reply",
    raw="",
)
NO_MODIFY = {"modify_to": None, "modify_open": False, "modify_unknown_ns": None}
FREE = {"reason": None, "reason_text": ""}

# The event, and all that it changes beside `updated_ns`.
CHANGES: dict[str, tuple[AnyOrderEvent, dict[str, Any]]] = {
    "a send is intended": (
        SendIntended(order_id=ID, attempt=3, request=a_send()),
        {
            "tries": 3,
            "attempt": 3,
            "attempt_ts_ns": TS,
            "attempt_qty": D(6),
            "unknown_ns": None,
            "retry_at_ns": None,
            "absent_ns": None,
            "resting": False,
            "trade_date": "2025-05-28",
        },
    ),
    "a send with another worst case": (
        SendIntended(order_id=ID, attempt=3, request=a_send(), reserve_price=D(71_000), reserve_cost=D(101)),
        {
            "reserve_price": D(71_000),
            "reserve_cost": D(101),
            "tries": 3,
            "attempt": 3,
            "attempt_ts_ns": TS,
            "attempt_qty": D(6),
            "unknown_ns": None,
            "retry_at_ns": None,
            "absent_ns": None,
            "resting": False,
            "trade_date": "2025-05-28",
        },
    ),
    "a known number comes again": (
        OrderSent(order_id=ID, ref=SECOND, evidence="reply", raw=""),
        {"attempt_open": False, "absent_ns": None, "tries": 0, **FREE},
    ),
    "a third number": (
        OrderSent(order_id=ID, ref=a_ref(3), evidence="reply", raw=""),
        {
            "attempt_open": False,
            "absent_ns": None,
            "tries": 0,
            "refs": (FIRST, SECOND, a_ref(3)),
            "tallies": (*BUSY.tallies, Tally(ref=a_ref(3))),
            **FREE,
        },
    ),
    "it never left": (
        SendNotLeft(order_id=ID, attempt=2, text="", retry_at_ns=55),
        {"attempt_open": False, "retry_at_ns": 55},
    ),
    "nobody knows": (
        OrderUnknown(order_id=ID, attempt=2, reason=Reason.CRASHED_IN_FLIGHT, text="crashed", raw=""),
        {
            "status": S.ERROR,
            "attempt_open": True,
            "unknown_ns": TS,
            "reason": Reason.CRASHED_IN_FLIGHT,
            "reason_text": "crashed",
        },
    ),
    "it rests": (
        OrderResting(order_id=ID, until_ns=99, text="", evidence="listed"),
        {
            "attempt_open": False,
            "retry_at_ns": 99,
            "unknown_ns": None,
            "absent_ns": None,
            "modify_absent_ns": None,
            **NO_MODIFY,
            **FREE,
        },
    ),
    "it is cancelled": (
        OrderCancelled(order_id=ID, reason=Reason.EXPIRED, text="over", evidence="listed"),
        {
            "status": S.CANCELLED,
            "attempt_open": False,
            "cancel_open": False,
            "retry_at_ns": None,
            "cancel_retry_ns": None,
            "resting": False,
            "stop_held": False,
            **NO_MODIFY,
            "reason": Reason.EXPIRED,
            "reason_text": "over",
        },
    ),
    "a modify is asked for": (
        a_change(),
        {
            "modify_asked": 2,
            "modify_unknown_ns": None,
            "modify_absent_ns": None,
            "reserve_price": D(70_500),
            "reserve_cost": D(99),
        },
    ),
    "a modify at a looser price": (
        a_change(price=70_200),
        {
            "modify_to": Terms(qty=D(8), price=D(70_200)),
            "loosest_price": D(70_200),
            "modify_asked": 2,
            "modify_unknown_ns": None,
            "modify_absent_ns": None,
            "reserve_price": D(70_500),
            "reserve_cost": D(99),
        },
    ),
    "a modify without a price": (
        a_change(price=None),
        {
            "modify_to": Terms(qty=D(8), price=None),
            "modify_asked": 2,
            "modify_unknown_ns": None,
            "modify_absent_ns": None,
            "reserve_price": D(70_500),
            "reserve_cost": D(99),
        },
    ),
    "nobody knows of the modify": (an_answer("unknown"), {"modify_open": False, "modify_unknown_ns": TS}),
    "a list without the modify": (an_answer("absent", asked_ns=44), {"modify_absent_ns": 44}),
    "the modify was refused": (an_answer("refused"), NO_MODIFY),
    "the modify was refused, and less is reserved": (
        an_answer("refused", reserve_price=D(69_500), reserve_cost=D(88)),
        {**NO_MODIFY, "reserve_price": D(69_500), "reserve_cost": D(88)},
    ),
    "one figure alone reserves nothing": (an_answer("refused", reserve_price=D(69_500)), NO_MODIFY),
    "other terms are in force": (
        MODIFIED,
        {
            "qty": D(8),
            "price": D(69_000),
            "price_raw": D(69_001),
            "qty_authorised": D(10),
            "reserve_price": D(69_000),
            "reserve_cost": D(77),
            **NO_MODIFY,
            "modify_absent_ns": None,
            "modify_count": 2,
        },
    ),
}


@pytest.mark.req("S002-30", "I-33", "I-21", "I-20")
@pytest.mark.parametrize("name", CHANGES)
def test_an_event_changes_what_it_speaks_of_and_nothing_else(name: str) -> None:
    event, changes = CHANGES[name]
    expected = asdict(BUSY) | {"updated_ns": TS} | changes
    assert asdict(evolve(BUSY, event, TS)) == expected


def test_a_lowered_quantity_is_authorised_once_and_a_price_alone_lowers_nothing() -> None:
    first = evolve(BUSY, MODIFIED, TS)
    again = evolve(first, replace(MODIFIED, terms=Terms(qty=D(7), price=D(69_000))), TS)
    assert (again.qty, again.qty_authorised) == (7, 10)
    dearer = evolve(BUSY, replace(MODIFIED, terms=Terms(qty=D(10), price=D(69_000))), TS)
    assert dearer.qty_authorised is None


@pytest.mark.req("I-05")
def test_the_loosest_limit_of_a_sale_is_the_lowest_and_a_market_order_has_none() -> None:
    sale = replace(BUSY, side=Side.SELL, loosest_price=None)
    assert evolve(sale, a_change(price=69_500), TS).loosest_price == 69_500
    assert evolve(sale, a_change(price=70_500), TS).loosest_price == 70_000
    assert evolve(replace(BUSY, loosest_price=None), a_change(price=69_500), TS).loosest_price == 70_000
    market = replace(BUSY, loosest_price=None, price=None, price_raw=None)
    assert evolve(market, a_change(price=69_500), TS).loosest_price is None


def test_acceptance_closes_the_attempt_and_clears_the_doubt() -> None:
    unknown = replace(BUSY, status=S.ERROR)
    now = evolve(unknown, OrderAccepted(order_id=ID, ref=SECOND, raw=""), TS)
    assert (now.status, now.attempt_open, now.reason, now.reason_text) == (S.PART_FILLED, False, None, "")


@pytest.mark.req("I-17")
def test_a_number_that_comes_after_the_end_keeps_why_it_ended() -> None:
    ended = replace(BUSY, status=S.CANCELLED, reason=Reason.EXPIRED, reason_text="over")
    now = evolve(ended, OrderSent(order_id=ID, ref=a_ref(3), evidence="reply", raw=""), TS)
    assert (now.reason, now.reason_text, now.refs[-1]) == (Reason.EXPIRED, "over", a_ref(3))


def test_an_attempt_of_an_order_without_a_number_that_never_left_does_not_rest() -> None:
    fresh = an_order(attempt=1, attempt_open=True)
    assert not evolve(fresh, SendNotLeft(order_id=ID, attempt=1, text="", retry_at_ns=5), TS).resting


@pytest.mark.req("I-03", "I-11")
def test_the_second_number_starts_at_zero_and_the_first_keeps_what_it_filled() -> None:
    one = an_order(refs=(FIRST,), qty_filled=D(4), amount_filled=D(280_000), qty_noticed=D(3))
    two = evolve(one, OrderSent(order_id=ID, ref=SECOND, evidence="reply", raw=""), TS)
    kept = Tally(ref=FIRST, qty=D(4), amount=D(280_000), qty_noticed=D(3))
    assert two.tallies == (kept, Tally(ref=SECOND))


@pytest.mark.req("I-03", "I-11", "I-04")
def test_a_fill_is_counted_under_the_number_that_it_names_and_no_other() -> None:
    fill = a_fill(BUSY, qty=D(2), price=D(70_000), ref=SECOND)
    now = evolve(BUSY, FillBooked(order_id=ID, fill=fill, ledger=(), notice_qty=D(2), raw=""), TS)
    assert now.tallies == (
        BUSY.tallies[0],
        Tally(ref=SECOND, qty=D(3), amount=D(210_000), qty_noticed=D(3)),
    )
    assert (now.qty_filled, now.amount_filled, now.qty_noticed) == (6, 420_000, 5)
    assert (now.fill_count, now.first_fill_ns) == (3, 10)


def a_cost(kind: LedgerKind, cost_kind: str, amount: int, *, back: bool) -> LedgerRow:
    sides = (LedgerAccount.CASH, LedgerAccount.FEES)
    debit, credit = sides if back else sides[::-1]
    return LedgerRow(
        kind=kind,
        account_id=BUSY.account_id,
        currency=Currency.KRW,
        amount=D(amount),
        debit=debit,
        credit=credit,
        cost_kind=cost_kind,
        trade_date="2025-05-27",
        settlement_date="2025-05-29",
    )


@pytest.mark.req("F-53", "I-06", "I-11")
def test_a_bust_lowers_the_order_and_the_number_it_names_and_is_counted_once() -> None:
    back = a_cost(LedgerKind.FEE, "BROKERAGE", 20, back=True)
    more = a_cost(LedgerKind.TAX, "TRANSACTION_TAX", 5, back=False)
    now = evolve(BUSY, a_reversal(2, 140_000, (back, more)), TS)
    assert now.tallies == (
        Tally(ref=FIRST, qty=D(1), amount=D(70_000), qty_noticed=D(0)),
        BUSY.tallies[1],
    )
    assert (now.qty_filled, now.amount_filled, now.qty_noticed) == (2, 140_000, 1)
    assert now.costs == {"BROKERAGE": D(19), "TRANSACTION_TAX": D(5)}
    assert (now.busts, now.bust_ns, now.notices) == (2, TS, ("exec:E1", "bust:1"))
    assert now.flags == (Flag.BUSTED,)
    everything = evolve(BUSY, a_reversal(4, 280_000), TS)
    assert (everything.qty_filled, everything.qty_noticed) == (0, 0), "never below nothing"


def test_only_an_order_that_is_created_or_adopted_comes_from_nothing() -> None:
    adopted = ForeignOrderAdopted(order_id=ID, order=BUSY, raw="")
    assert evolve(None, adopted, TS) is BUSY
    with pytest.raises(ImpossibleTransition, match="created twice"):
        evolve(BUSY, adopted, TS)


def test_a_modify_down_to_what_had_filled_completes_the_order_and_does_not_revive_an_ended_one() -> None:
    lowered = replace(MODIFIED, terms=Terms(qty=D(4), price=D(70_000)))
    assert next_status(BUSY, lowered) is S.FILLED
    assert next_status(replace(BUSY, status=S.CANCELLED), lowered) is S.CANCELLED
    assert next_status(replace(BUSY, qty_filled=D(0), status=S.ACCEPTED), MODIFIED) is S.ACCEPTED
    unfilled = replace(BUSY, status=S.ERROR, qty_filled=D(0))
    assert next_status(unfilled, OrderAccepted(order_id=ID, ref=SECOND, raw="")) is S.ACCEPTED
    working = replace(BUSY, status=S.SENT)
    assert next_status(working, OrderAccepted(order_id=ID, ref=SECOND, raw="")) is S.ACCEPTED
