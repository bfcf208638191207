"""The book and its breaks at the edges: what leaves memory, what is kept, what a correction books."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.commands import BookEntry, RecordMarks, SettleBreak, StudyBalance
from jumun.model.documents import Document, SharesMoved
from jumun.model.events import (
    BreakAssigned,
    BreakFound,
    EntryBooked,
    OrderModified,
)
from jumun.model.fills import LedgerKind
from jumun.model.instruments import Venue
from jumun.model.orders import OrderStatus
from jumun.model.reports import (
    Balance,
    BrokerState,
    Holding,
    ModifyAccepted,
    Unknown,
)
from jumun.rules.book import Book, shape_of
from jumun.rules.day_stats import DAYS_MAX
from jumun.rules.trading_days import DayOverride, Overrides
from jumun.testing.builders import an_order
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    SAMSUNG,
    SHARED,
    TODAY,
    USER,
    Bench,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    an_intent,
    at,
    names,
)

D = Decimal
S = OrderStatus


def a_bench(**changes: Any) -> Bench:
    return Bench(a_policy(modifies=True, **changes))


# ---- the book -----------------------------------------------------------------------------------


def test_nothing_is_free_and_nothing_is_held_where_nothing_was_booked() -> None:
    book = Book()
    assert (book.cash_free(ACCOUNT, "USD"), book.shares_free(ACCOUNT, SAMSUNG)) == (0, 0)
    assert (book.seq, book.ts_ns) == (0, 0)


@pytest.mark.req("I-38")
def test_a_break_that_is_found_again_keeps_its_age_owner_and_note() -> None:
    bench = Bench()
    found = BreakFound(
        break_id="b", account_id=ACCOUNT, subject=SAMSUNG, ours=D(1), theirs=D(2), text="first"
    )
    bench.apply(found)
    first_ns = bench.now_ns
    bench.apply(BreakAssigned(break_id="b", owner="kim", text="I am on it"))
    bench.wait(60)
    bench.apply(replace(found, theirs=D(3), text="again"))
    known = bench.book.breaks["b"]
    assert (known.found_ns, known.owner, known.note) == (first_ns, "kim", "I am on it")
    assert (known.theirs, known.text) == (3, "again")


@pytest.mark.req("I-64", "I-49")
def test_a_closed_order_that_leaves_memory_takes_its_names_along() -> None:
    bench = Bench(recent_max=1)
    first = bench.fill(bench.working(an_intent(1, client_order_id="c1"), 1), 10, 1)
    bench.fill(bench.working(an_intent(2), 2), 10, 2)
    book = bench.book
    assert book.order(first.order_id) is None
    assert first.idempotency_key not in book.keys
    assert (first.created_by, "c1") not in book.client_ids
    assert (ACCOUNT, a_ref(1)) not in book.refs
    assert (ACCOUNT, a_ref(2)) in book.refs


@pytest.mark.req("F-03")
def test_orders_look_alike_by_what_their_newest_attempt_asks_for() -> None:
    order = an_order(qty=D(10), qty_filled=D(4))
    waiting = shape_of(order)
    flying = shape_of(replace(order, attempt=1, attempt_open=True, attempt_qty=D(10)))
    assert waiting != flying
    between = replace(
        order, status=S.PART_FILLED, attempt=1, attempt_qty=D(10), resting=True, refs=(a_ref(),)
    )
    assert shape_of(between) == waiting, "between two sessions: what the next attempt will ask for"
    assert waiting == shape_of(replace(order, qty=D(6), qty_filled=D(0)))
    assert flying == shape_of(replace(order, qty=D(10), qty_filled=D(0)))


def test_days_of_an_account_are_counted_apart_and_only_the_newest_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.submit()
    bench.submit(an_intent(2, account_id=SHARED))
    assert {key[0] for key in bench.book.days} == {ACCOUNT, SHARED}
    assert [day.orders_created for day in bench.book.days.values()] == [1, 1]
    for key, day in bench.book.days.items():
        assert (day.account_id, day.trade_date) == key == (day.account_id, TODAY)
    for n in range(DAYS_MAX + 5):
        old = f"1999-{1 + n // 28:02}-{1 + n % 28:02}"
        bench.book.days[ACCOUNT, old] = replace(bench.book.days[ACCOUNT, TODAY], trade_date=old)
    bench.now_ns = at("2025-05-28T10:00:00+09:00")
    bench.submit(an_intent(3))
    assert sum(key[0] == ACCOUNT for key in bench.book.days) == DAYS_MAX
    assert (ACCOUNT, "2025-05-28") in bench.book.days


# ---- what only happens once in a while ----------------------------------------------------------


@pytest.mark.req("I-11", "F-49")
def test_the_list_of_an_older_number_does_not_settle_a_modify_of_the_newest() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw=""))
    bench.modify(order, price=68_000)
    bench.conclude_modify(order, Unknown(text="no reply"))
    bench.wait(60)
    bench.study(
        a_report(order, ref=a_ref(1), price=D(68_000), state=BrokerState.REPLACED),
        a_report(bench.order(order), price=D(68_000)),
    )
    now = bench.order(order)
    assert (now.modify_to, now.price, now.newest_ref) == (None, 68_000, a_ref(2))
    moved = [r.event.ref for r in bench.records if isinstance(r.event, OrderModified)]
    assert moved == [a_ref(2), a_ref(2)]


@pytest.mark.req("I-42", "F-34")
def test_a_number_that_replaces_one_we_do_not_know_is_somebody_elses() -> None:
    bench = Bench()
    stranger = an_order(2, account_id=SHARED, qty=D(3))
    decision = bench.study(a_report(stranger, 8, replaces=a_ref(7)), account=SHARED)
    assert names(decision)[0] == "ForeignOrderAdopted"


@pytest.mark.req("I-07", "I-15")
def test_an_attempt_that_was_lost_twice_is_not_sent_a_third_time() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    order = bench.unknown()
    bench.absent_twice()
    again = bench.send(order)
    bench.conclude(again, Unknown(text="no reply"))
    decision = bench.absent_twice()
    assert "AttemptNotReceived" not in names(decision)
    assert (bench.order(order).status, bench.order(order).resends) == (S.ERROR, 1)


def test_figures_of_a_day_that_is_too_old_to_be_kept_are_not_kept() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 4)
    [today] = [day for key, day in bench.book.days.items() if key[0] == ACCOUNT]
    for n in range(DAYS_MAX):
        future = f"2099-{1 + n // 28:02}-{1 + n % 28:02}"
        bench.book.days[ACCOUNT, future] = replace(today, trade_date=future)
    del bench.book.days[ACCOUNT, TODAY]
    bench.fill(order, 6, 2)
    assert (ACCOUNT, TODAY) not in bench.book.days
    assert sum(key[0] == ACCOUNT for key in bench.book.days) == DAYS_MAX


# ---- breaks -------------------------------------------------------------------------------------


def a_break(subject: str, ours: str, theirs: str) -> BreakFound:
    return BreakFound(
        break_id="B1", account_id=ACCOUNT, subject=subject, ours=D(ours), theirs=D(theirs), text=""
    )


def corrected(bench: Bench, found: BreakFound) -> Any:
    bench.apply(found)
    decision = bench.decide(SettleBreak(break_id="B1", by=USER, text="the statement says so", correct=True))
    assert decision.denial is None, decision.denial
    [entry] = [e for e in decision.events if isinstance(e, EntryBooked)]
    [row] = entry.rows
    return row


@pytest.mark.req("I-29", "I-30", "I-32")
def test_a_correction_says_that_it_is_one_on_the_trading_day_of_its_market() -> None:
    night = at("2025-05-28T04:00:00+09:00")  # 15:00 of the day before in New York
    won = corrected(Bench(now_ns=night), a_break("CASH:KRW", "100000000", "100000007"))
    dollars = corrected(Bench(now_ns=night), a_break("CASH:USD", "0", "5"))
    assert (won.kind, won.amount, won.trade_date) == (LedgerKind.CORRECTION, 7, "2025-05-28")
    assert (dollars.kind, dollars.amount, dollars.trade_date) == (LedgerKind.CORRECTION, 5, "2025-05-27")
    off = Overrides(days=(DayOverride(venue=Venue.KRX, day=date(2025, 5, 28), closed=True),))
    won_break = a_break("CASH:KRW", "100000000", "100000001")
    late = corrected(Bench(a_policy(sessions=off), now_ns=night), won_break)
    assert late.trade_date == "2025-05-29"
    nobody_knows = Bench(now_ns=at("2099-01-05T10:00:00+09:00"))
    assert corrected(nobody_knows, won_break).trade_date == ""


@pytest.mark.req("I-29", "I-53")
def test_shares_that_appear_come_in_at_the_price_now_and_without_one_at_the_last_mark() -> None:
    half = corrected(Bench(), a_break(SAMSUNG, "0", "0.5"))
    assert (half.kind, half.qty, half.amount) == (LedgerKind.CORRECTION, D("0.5"), 35_000)
    for quote in (None, (None, D(70_000))):
        bench = Bench(shares={SAMSUNG: 2})
        bench.do(RecordMarks(marks={SAMSUNG: D(69_000)}, source="close"))
        if quote is None:
            del bench.quotes[SAMSUNG]
        else:
            bench.quotes[SAMSUNG] = quote
        assert corrected(bench, a_break(SAMSUNG, "2", "3")).amount == 69_000
    gone = corrected(Bench(shares={SAMSUNG: 2}), a_break(SAMSUNG, "2", "1"))
    assert (gone.qty, gone.amount) == (-1, 70_000)


@pytest.mark.req("I-38")
def test_a_second_break_of_an_account_is_a_break_of_its_own_and_a_known_one_keeps_its_name() -> None:
    bench = Bench(shares={SAMSUNG: 2})
    bench.apply(a_break(SAMSUNG, "2", "1"))

    def found(samsung: int) -> list[tuple[bool, str, Decimal]]:
        held = (Holding(symbol=HYNIX, qty=D(9)), Holding(symbol=SAMSUNG, qty=D(samsung)))
        cash = {"KRW": D(100_000_000)}
        balance = Balance(account_id=ACCOUNT, asked_ns=bench.now_ns, holdings=held, cash=cash)
        suspects = ((HYNIX, D(0), D(9)), (SAMSUNG, D(2), D(samsung)))
        decision = bench.decide(StudyBalance(balance=balance, suspects=suspects))
        told = [event for event in decision.events if isinstance(event, BreakFound)]
        return sorted((event.break_id == "B1", event.subject, event.theirs) for event in told)

    assert found(1) == [(False, HYNIX, 9)], "the other is known already"
    assert found(0) == [(False, HYNIX, 9), (True, SAMSUNG, 0)]


@pytest.mark.req("I-34", "F-54")
@pytest.mark.parametrize(("leave", "free"), [(10, False), (6, False), (5, True)])
def test_shares_that_an_open_sale_may_take_do_not_leave_by_a_paper(leave: int, free: bool) -> None:
    bench = Bench(shares={HYNIX: 10})
    bench.working(a_sale(symbol=HYNIX, qty=D(5), price=D(200_000)))
    fact = SharesMoved(symbol=HYNIX, qty=D(-leave))
    paper = Document(name="P-1", trade_date=TODAY, settlement_date=TODAY, fact=fact)
    decision = bench.decide(BookEntry(account_id=ACCOUNT, document=paper, by=USER, text=""))
    assert (decision.denial is None) is free
