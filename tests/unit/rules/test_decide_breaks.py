"""Breaks: found twice, owned, settled by a person or by the books agreeing again (M-03, I-43, I-29)."""

from decimal import Decimal

import pytest

from jumun.model.commands import (
    AssignBreak,
    BookEntry,
    HaltTrading,
    ResumeTrading,
    SettleBreak,
    StudyBalance,
)
from jumun.model.events import EntryBooked
from jumun.model.fills import LedgerKind
from jumun.model.ids import AccountId, UserId
from jumun.model.reasons import Reason
from jumun.model.reports import Balance, Holding
from jumun.rules.corporate import Booked, dividend, split
from tests.unit.rules.desk_values import (
    ACCOUNT,
    SAMSUNG,
    TODAY,
    Bench,
    D,
    an_intent,
    cash_row,
    names,
    shares_row,
)

KIM = UserId("kim")
CASH = 100_000_000


def look(bench: Bench, shares: int, krw: int = CASH, *, again: bool = True) -> list[str]:
    """A complete balance says so many Samsung and won, for the second time."""
    holdings = (Holding(symbol=SAMSUNG, qty=D(shares)),) if shares else ()
    balance = Balance(account_id=ACCOUNT, asked_ns=bench.now_ns, holdings=holdings, cash={"KRW": D(krw)})
    first = bench.decide(StudyBalance(balance=balance))
    return names(bench.do(StudyBalance(balance=balance, suspects=first.differences if again else ())))


def settle(bench: Bench, *, correct: bool) -> list[str]:
    [break_id] = bench.book.breaks
    return names(bench.do(SettleBreak(break_id=break_id, by=KIM, text="looked", correct=correct)))


@pytest.mark.req("I-38", "I-43", "F-54", "I-50")
def test_a_break_has_an_age_and_an_owner_and_stands_in_the_way_of_a_resume() -> None:
    bench = Bench()
    assert look(bench, 7, again=False) == []
    assert look(bench, 7) == ["BreakFound", "TradingHalted"]
    [found] = bench.book.breaks.values()
    assert (found.subject, found.ours, found.theirs, found.difference) == (SAMSUNG, 0, 7, 7)
    assert (found.found_ns, found.owner) == (bench.now_ns, "")
    bench.do(AssignBreak(break_id=found.break_id, owner=KIM, text="mine"))
    assert bench.book.breaks[found.break_id].owner == "kim"
    assert bench.do(ResumeTrading(by=KIM, text="go")).denial is not None
    assert bench.book.halt is not None
    assert settle(bench, correct=False) == ["BreakSettled"]
    assert names(bench.do(ResumeTrading(by=KIM, text="go"))) == ["TradingResumed"]


@pytest.mark.req("I-43", "I-40")
def test_a_break_that_moves_keeps_its_name_its_age_and_its_owner() -> None:
    bench = Bench()
    look(bench, 7)
    [first] = bench.book.breaks.values()
    bench.do(AssignBreak(break_id=first.break_id, owner=KIM, text="mine"))
    bench.wait(60)
    assert look(bench, 7) == []
    assert look(bench, 9) == ["BreakFound"]
    [moved] = bench.book.breaks.values()
    assert (moved.break_id, moved.owner, moved.found_ns) == (first.break_id, "kim", first.found_ns)
    assert moved.theirs == 9


@pytest.mark.req("I-38", "I-44")
def test_books_that_agree_again_end_their_break_and_leave_the_halt_to_a_person() -> None:
    bench = Bench()
    look(bench, 7)
    assert look(bench, 0) == ["BreakSettled"]
    assert bench.book.breaks == {}
    assert bench.book.halt is not None


@pytest.mark.req("I-29", "I-32", "F-54", "I-38")
@pytest.mark.parametrize("theirs", [4, 13])
def test_a_correction_books_the_brokers_shares_as_a_documented_entry(theirs: int) -> None:
    bench = Bench(shares={SAMSUNG: 10})
    look(bench, theirs)
    assert settle(bench, correct=True) == ["EntryBooked", "BreakSettled"]
    position = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (position.qty, position.cost_basis) == (theirs, theirs * 70_000)
    [entry] = [r.event for r in bench.records if isinstance(r.event, EntryBooked)]
    assert [row.kind for row in entry.rows] == [LedgerKind.CORRECTION]
    assert (entry.by, entry.rows[0].trade_date) == ("kim", TODAY)
    assert entry.document in bench.book.openings
    assert look(bench, theirs) == [], "the books agree now"


@pytest.mark.req("I-30", "F-63")
@pytest.mark.parametrize("theirs", [CASH - 5, CASH + 5])
def test_a_correction_of_cash_moves_exactly_the_difference(theirs: int) -> None:
    bench = Bench()
    look(bench, 0, theirs)
    settle(bench, correct=True)
    assert bench.book.cash[ACCOUNT, "KRW"] == theirs


@pytest.mark.req("I-53")
def test_shares_without_any_known_price_are_not_valued_by_guess() -> None:
    bench = Bench()
    look(bench, 7)
    bench.quotes[SAMSUNG] = (None, D(70_000))
    [break_id] = bench.book.breaks
    decision = bench.do(SettleBreak(break_id=break_id, by=KIM, text="looked", correct=True))
    assert decision.denial is not None
    assert decision.denial.reason is Reason.NO_REFERENCE_PRICE
    assert list(bench.book.breaks) == [break_id]


def test_a_break_nobody_knows_is_refused() -> None:
    bench = Bench()
    for command in (
        AssignBreak(break_id="B99", owner=KIM, text=""),
        SettleBreak(break_id="B99", by=KIM, text="", correct=True),
    ):
        decision = bench.do(command)
        assert decision.denial is not None
        assert decision.denial.reason is Reason.UNKNOWN_BREAK
    assert bench.do(ResumeTrading(by=KIM, text="nothing to resume")).events == ()


@pytest.mark.req("I-50")
def test_a_halt_without_a_break_is_lifted_by_a_name() -> None:
    bench = Bench()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="lunch"))
    assert names(bench.do(ResumeTrading(by=KIM, text="back"))) == ["TradingResumed"]


# ---- documented entries -------------------------------------------------------------------------


def enter(bench: Bench, rows: tuple, document: str = "paper-1", account: AccountId = ACCOUNT):  # type: ignore[no-untyped-def,type-arg]
    return bench.do(BookEntry(account_id=account, rows=rows, document=document, by=KIM, text="paper"))


@pytest.mark.req("I-29", "I-30", "I-13")
def test_a_document_is_booked_once_however_often_it_comes() -> None:
    bench = Bench()
    rows = (cash_row(D(1_000)), shares_row(SAMSUNG, D(2), D(140_000)))
    assert names(enter(bench, rows)) == ["EntryBooked"]
    again = enter(bench, rows)
    assert (again.events, again.existing) == ((), True)
    assert bench.book.cash[ACCOUNT, "KRW"] == CASH + 1_000
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 2
    message = bench.entries[-1].messages[0]
    assert (message.event_type, message.account_id) == ("entry_booked", ACCOUNT)


@pytest.mark.req("I-53")
def test_an_entry_of_another_account_or_without_rows_is_refused() -> None:
    bench = Bench()
    stranger = AccountId("99999999-01")
    refused = [
        enter(bench, (cash_row(D(1), account=stranger),), account=stranger),
        enter(bench, (cash_row(D(1), account=stranger),)),
        enter(bench, ()),
    ]
    reasons = [decision.denial.reason for decision in refused]
    assert reasons == [Reason.UNKNOWN_ACCOUNT, Reason.BAD_INPUT, Reason.BAD_INPUT]


@pytest.mark.req("I-29", "I-30", "I-36")
def test_a_dividend_is_income_and_a_split_scales_every_strategys_shares() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    bench.fill(bench.working(an_intent(qty=D(30))), 30)
    held = bench.book.positions[ACCOUNT, SAMSUNG]
    booked = Booked(account_id=ACCOUNT, document="div", trade_date=TODAY, settlement_date=TODAY)
    enter(bench, dividend(booked, held, D(10_000), D(1_540), D(8_460)), "div")
    paid = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (paid.realised_gross, paid.costs - held.costs) == (10_000, 1_540)
    enter(bench, split(booked, paid, 5, 1), "split")
    after = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (after.qty, after.cost_basis) == (200, paid.cost_basis)
    parts = {key[1]: part.qty for key, part in bench.book.strategies.items() if key[0] == ACCOUNT}
    assert parts == {"": 50, "momentum": 150}
    assert sum(parts.values()) == Decimal(200)
