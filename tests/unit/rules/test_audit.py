"""The independent audit agrees with honest books and finds every kind of dishonest ones."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jumun.model.events import AttemptNotReceived, FillBooked, OrderCancelled, OrderSent
from jumun.model.fills import Fill, LedgerAccount
from jumun.model.ids import FillId, IdempotencyKey
from jumun.model.journal import Record
from jumun.model.money import Currency
from jumun.model.orders import Order, OrderStatus, Side
from jumun.model.positions import Position
from jumun.model.reasons import Reason
from jumun.model.reports import CancelAccepted, Rejected
from jumun.rules.audit import AuditFacts, AuditReport, ExchangeFacts, Traded, audit
from jumun.rules.audit_money import Holding, take_out, trade
from jumun.rules.ledger import apply_rows, rows_of_fill
from tests.unit.rules.desk_values import HYNIX, SAMSUNG, Bench, a_policy, a_report, a_sale, an_intent

D = Decimal
OWNER: Final = "12345678-01"


def a_day() -> Bench:
    """A day with every usual story: part fills at odd prices, sales, a refusal, a cancel, an unknown one."""
    bench = Bench(a_policy(unknown_order_policy="resend_once"), shares={HYNIX: 30})
    bought = bench.working(an_intent(1, qty=D(7), price=D(70_100)), number=1)
    bench.fill(bought, 2, 1, price=D(69_900))
    bench.fill(bought, 4, 2, price=D(70_000))
    bench.fill(bought, 1, 3, price=D(70_100))
    sold = bench.working(a_sale(2, qty=D(3), price=D(70_200)), number=2)
    bench.fill(sold, 3, 4)
    bench.working(an_intent(3, symbol=HYNIX, qty=D(5), price=D(199_000)), number=3)  # rests
    bench.conclude(bench.sent(an_intent(5, price=D(69_000))), Rejected(code="40", text="no", raw="refused"))
    bench.submit(an_intent(6, qty=D(1_000)))  # too large: denied here
    dropped = bench.working(an_intent(7, price=D(68_000)), number=5)
    bench.cancel(dropped)
    listed = a_report(bench.order(dropped), 5, state="CANCELLED")
    bench.conclude_cancel(dropped, CancelAccepted(raw="taken", report=listed))
    bench.unknown(an_intent(8, price=D(67_000)))
    bench.absent_twice()  # proven not received: it is sent once more
    bench.working(a_sale(4, symbol=HYNIX, qty=D(11), price=D(201_000)), number=4)  # rests
    return bench


def facts_of(bench: Bench, **changes: Any) -> AuditFacts:
    book = bench.book
    values: dict[str, Any] = {
        "records": bench.records,
        "orders": [*book.open.values(), *book.recent.values()],
        "positions": list(book.positions.values()),
        "cash": book.cash,
        "instruments": bench.policy.instruments,
        "accounts": bench.policy.accounts,
        "cost_plans": bench.policy.cost_plans,
        "sessions": bench.policy.sessions,
        "cash_reserved": book.cash_reserved,
        "shares_reserved": book.shares_reserved,
    }
    return AuditFacts(**(values | changes))


def exchange_of(bench: Bench, **changes: Any) -> ExchangeFacts:
    orders = [*bench.book.open.values(), *bench.book.recent.values()]
    values: dict[str, Any] = {
        "cash": dict(bench.book.cash),
        "holdings": {place: held.qty for place, held in bench.book.positions.items()},
        "traded": {
            (o.account_id, ref.trade_date, ref.branch, ref.number): Traded(
                qty=o.qty_filled, amount=o.amount_filled, costs=sum(o.costs.values(), D(0))
            )
            for o in orders
            for ref in o.refs
        },
        "received": {o.order_id: 1 for o in orders if o.attempt},
        "accepted": {o.order_id: 1 for o in orders if o.refs},
    }
    return ExchangeFacts(**(values | changes))


@pytest.mark.req("I-01", "I-04", "I-07", "I-29", "I-30", "I-32", "I-33", "I-34", "I-36", "I-38")
def test_honest_books_pass_and_every_check_was_made() -> None:
    bench = a_day()
    report = audit(facts_of(bench), exchange_of(bench))
    assert report.violations == []
    assert report.ok
    money, orders = (29, 30, 32, 33, 34, 35, 36), (1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 16, 21, 24, 26, 49)
    assert set(report.checks) == {f"I-{number:02d}" for number in (*orders, *money, 37, 38, 43)}
    assert all(report.checks.values())


def test_an_audit_of_nothing_is_no_pass() -> None:
    assert not AuditReport(checks={}, violations=[]).ok


# ---- tampering: each lie is found under its own invariant ------------------------------------------


def with_orders(bench: Bench, change: Callable[[Order], Order], status: OrderStatus) -> AuditFacts:
    """Change the first order of a status in the table."""
    facts = facts_of(bench)
    index = next(i for i, order in enumerate(facts.orders) if order.status is status)
    orders = list(facts.orders)
    orders[index] = change(orders[index])
    return replace(facts, orders=orders)


def with_event(bench: Bench, kind: type, change: Callable[[Any], Any]) -> AuditFacts:
    """Change the first event of a kind in the journal."""
    records = list(bench.records)
    index = next(i for i, record in enumerate(records) if isinstance(record.event, kind))
    records[index] = replace(records[index], event=change(records[index].event))
    return facts_of(bench, records=records)


def with_extra(bench: Bench, event: Any) -> AuditFacts:
    """Add an event at the end of the journal."""
    last = bench.records[-1]
    return facts_of(bench, records=[*bench.records, replace(last, seq=last.seq + 1, event=event)])


def event_of(bench: Bench, kind: type) -> Any:
    return next(record.event for record in bench.records if isinstance(record.event, kind))


def with_position(bench: Bench, **changes: Any) -> AuditFacts:
    first, *others = bench.book.positions.values()
    return facts_of(bench, positions=[replace(first, **changes), *others])


def the_same_key_twice(bench: Bench) -> AuditFacts:
    keys: list[IdempotencyKey] = []

    def change(record: Record) -> Record:
        if type(record.event).__name__ != "OrderCreated":
            return record
        order = record.event.order  # type: ignore[union-attr]
        keys.append(order.idempotency_key)
        same = replace(order, idempotency_key=keys[0])
        return replace(record, event=replace(record.event, order=same))

    return facts_of(bench, records=[change(record) for record in bench.records])


def a_fill_at(bench: Bench, **changes: Any) -> AuditFacts:
    return with_event(bench, FillBooked, lambda event: replace(event, fill=replace(event.fill, **changes)))


def a_row_with(bench: Bench, place: int, **changes: Any) -> AuditFacts:
    def change(event: FillBooked) -> FillBooked:
        rows = list(event.ledger)
        rows[place] = replace(rows[place], **changes)
        return replace(event, ledger=tuple(rows))

    return with_event(bench, FillBooked, change)


LIES: Final[list[tuple[str, Callable[[Bench], AuditFacts]]]] = [
    ("I-26", lambda b: facts_of(b, records=[r for r in b.records if r.seq != 9])),
    ("I-01", lambda b: with_orders(b, lambda o: replace(o, qty_filled=D(3)), OrderStatus.FILLED)),
    ("I-01", lambda b: a_fill_at(b, qty=D(70), amount=D(70 * 69_900))),
    ("I-02", lambda b: with_orders(b, lambda o: replace(o, status=OrderStatus.FILLED), OrderStatus.SENT)),
    ("I-04", lambda b: a_fill_at(b, amount=D(139_801))),
    ("I-05", lambda b: a_fill_at(b, price=D(70_200), amount=D(140_400))),
    (
        "I-07",
        lambda b: with_extra(b, next(r.event for r in b.records if "Intended" in type(r.event).__name__)),
    ),
    ("I-08", the_same_key_twice),
    ("I-09", lambda b: with_extra(b, event_of(b, FillBooked))),
    ("I-09", lambda b: a_fill_at(b, symbol=HYNIX)),
    ("I-11", lambda b: with_orders(b, lambda o: replace(o, refs=()), OrderStatus.FILLED)),
    ("I-15", lambda b: with_event(b, AttemptNotReceived, lambda e: replace(e, evidence=""))),
    ("I-16", lambda b: with_orders(b, lambda o: replace(o, status=OrderStatus.ACCEPTED), OrderStatus.SENT)),
    (
        "I-17",
        lambda b: with_extra(
            b,
            OrderCancelled(
                order_id=event_of(b, FillBooked).order_id, reason=Reason.EXPIRED, text="", evidence="x"
            ),
        ),
    ),
    (
        "I-21",
        lambda b: facts_of(b, records=[r for r in b.records if "Intended" not in type(r.event).__name__]),
    ),
    ("I-24", lambda b: facts_of(b, orders=facts_of(b).orders[1:])),
    ("I-24", lambda b: with_extra(b, replace(event_of(b, OrderSent), order_id="nobody"))),
    ("I-29", lambda b: with_position(b, qty=D(31))),
    ("I-30", lambda b: facts_of(b, cash={**b.book.cash, (OWNER, "KRW"): D(1)})),
    ("I-30", lambda b: a_row_with(b, 1, amount=D(21))),
    ("I-30", lambda b: a_fill_at(b, settlement_date="2025-05-28")),
    ("I-32", lambda b: a_row_with(b, 0, debit=LedgerAccount.FEES)),
    ("I-32", lambda b: a_row_with(b, 0, amount=D(139_801))),
    ("I-33", lambda b: facts_of(b, cash_reserved={**b.book.cash_reserved, (OWNER, "KRW"): D(0)})),
    ("I-34", lambda b: facts_of(b, shares_reserved={})),
    ("I-34", lambda b: with_position(b, qty=D(10))),
    ("I-36", lambda b: with_position(b, cost_basis=D(1))),
    ("I-36", lambda b: with_position(b, realised_gross=D(1))),
    ("I-49", lambda b: with_event(b, OrderCancelled, lambda e: replace(e, evidence=""))),
]


@pytest.mark.req("I-24", "I-26", "I-49")
@pytest.mark.parametrize(("invariant", "lie"), LIES, ids=[f"{n}-{name}" for n, (name, _) in enumerate(LIES)])
def test_a_lie_in_the_books_is_found_under_its_invariant(
    invariant: str, lie: Callable[[Bench], AuditFacts]
) -> None:
    report = audit(lie(a_day()))
    assert any(text.startswith(f"{invariant}: ") for text in report.violations), report.violations


def numbered(bench: Bench, **changes: Any) -> dict[Any, Traded]:
    traded = dict(exchange_of(bench).traded)
    first = next(iter(sorted(traded)))
    traded[first] = replace(traded[first], **changes)
    return traded


OTHER_TRUTHS: Final[list[tuple[str, Callable[[Bench], ExchangeFacts]]]] = [
    ("I-38", lambda b: exchange_of(b, cash={**b.book.cash, (OWNER, "KRW"): D(1)})),
    ("I-38", lambda b: exchange_of(b, holdings={})),
    ("I-38", lambda b: exchange_of(b, traded={})),
    (
        "I-38",
        lambda b: exchange_of(
            b,
            traded={
                **exchange_of(b).traded,
                (OWNER, "2025-05-27", "9", "77"): Traded(qty=D(1), amount=D(9), costs=D(0)),
            },
        ),
    ),
    ("I-43", lambda b: exchange_of(b, traded=numbered(b, qty=D(99)))),
    ("I-37", lambda b: exchange_of(b, traded=numbered(b, costs=D(99)))),
    ("I-07", lambda b: exchange_of(b, received=dict.fromkeys(exchange_of(b).received, 5))),
    ("I-07", lambda b: exchange_of(b, accepted=dict.fromkeys(exchange_of(b).accepted, 2))),
    ("I-21", lambda b: exchange_of(b, received={"never heard of": 1})),
]


@pytest.mark.req("I-07", "I-21", "I-37", "I-38", "I-43")
@pytest.mark.parametrize(
    ("invariant", "truth"), OTHER_TRUTHS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(OTHER_TRUTHS)]
)
def test_books_that_differ_from_the_exchange_are_found(
    invariant: str, truth: Callable[[Bench], ExchangeFacts]
) -> None:
    bench = a_day()
    report = audit(facts_of(bench), truth(bench))
    assert any(text.startswith(f"{invariant}: ") for text in report.violations), report.violations


def test_a_hundred_violations_are_named_and_the_rest_are_counted() -> None:
    bench = a_day()
    orders = [
        replace(order, order_id=f"{order.order_id}-{n}")
        for order in facts_of(bench).orders
        for n in range(30)
    ]
    report = audit(facts_of(bench, orders=orders))
    assert len(report.violations) == 101
    assert report.violations[-1].endswith("more violations")


# ---- the arithmetic, against the ledger's -----------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "part", "whole", "out"),
    [
        (D(100), D(1), D(3), D("33.3333")),
        (D("0.0001"), D(1), D(2), D("0.0000")),  # half, to even
        (D("0.0003"), D(1), D(2), D("0.0002")),
        (D("77.7"), D(3), D(3), D("77.7")),  # the last share takes the rest
        (D(-100), D(2), D(3), D("-66.6667")),
    ],
)
def test_what_a_sale_takes_out_of_the_cost_is_rounded_half_even(
    total: Decimal, part: Decimal, whole: Decimal, out: Decimal
) -> None:
    assert take_out(total, part, whole) == out


trades = st.lists(
    st.tuples(
        st.sampled_from(list(Side)),
        st.integers(1, 500),
        st.integers(1, 9_999_999).map(lambda cents: D(cents) / 100),
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.req("I-29", "I-36")
@given(trades)
def test_two_calculations_of_the_average_cost_agree_also_through_zero(
    day: list[tuple[Side, int, Decimal]],
) -> None:
    ours = Position(account_id=OWNER, symbol=SAMSUNG, currency=Currency.KRW)  # type: ignore[arg-type]
    again = Holding()
    for number, (side, qty, price) in enumerate(day):
        fill = a_fill(number, side, D(qty), price)
        ours = apply_rows(ours, rows_of_fill(fill, ours, []))
        trade(again, side, D(qty), D(qty) * price)
        assert (ours.qty, ours.cost_basis, ours.realised_gross) == (again.qty, again.basis, again.realised)


def a_fill(number: int, side: Side, qty: Decimal, price: Decimal) -> Fill:
    return Fill(
        fill_id=FillId(f"F{number}"),
        order_id="O",  # type: ignore[arg-type]
        account_id=OWNER,  # type: ignore[arg-type]
        symbol=SAMSUNG,
        currency=Currency.KRW,
        side=side,
        qty=qty,
        price=price,
        amount=qty * price,
        identity=f"E{number}",
        trade_date="2025-05-27",
        settlement_date="2025-05-29",
        ts_event_ns=number,
    )
