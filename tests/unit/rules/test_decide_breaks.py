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
from jumun.model.documents import (
    CashMoved,
    CostCorrected,
    Dividend,
    Document,
    Fact,
    SharesMoved,
    Split,
)
from jumun.model.events import EntryBooked
from jumun.model.fills import LedgerKind
from jumun.model.ids import AccountId, UserId
from jumun.model.money import Currency
from jumun.model.orders import Side
from jumun.model.reasons import Reason
from jumun.model.reports import Balance, Holding
from jumun.rules.book import Book, document_key
from jumun.rules.decide_breaks import is_known
from jumun.rules.draft import Decision
from tests.unit.rules.desk_values import (
    ACCOUNT,
    APPLE,
    HYNIX,
    SAMSUNG,
    SHARED,
    TODAY,
    Bench,
    D,
    an_intent,
    names,
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


@pytest.mark.req("I-43", "I-40")
def test_a_trade_that_both_sides_know_moves_a_break_at_once_and_its_difference_stays() -> None:
    bench = Bench()
    order = bench.working(an_intent(qty=D(2)))
    look(bench, 7)
    bench.fill(order, 2)
    krw = int(bench.book.cash[ACCOUNT, "KRW"])
    assert look(bench, 10, krw, again=False) == [], "another difference is looked at twice"
    assert look(bench, 9, krw, again=False) == ["BreakFound"]
    [found] = bench.book.breaks.values()
    assert (found.ours, found.theirs) == (2, 9)


@pytest.mark.req("I-38", "I-43")
def test_an_explanation_holds_for_the_difference_it_was_given_for_and_no_other() -> None:
    bench = Bench()
    look(bench, 7)
    settle(bench, correct=False)
    assert look(bench, 7) == [], "explained"
    assert look(bench, 9) == ["BreakFound"], "another difference is another break"
    assert bench.book.explained == {}
    settle(bench, correct=True)
    assert look(bench, 9) == []
    assert look(bench, 16) == ["BreakFound"], "seven more again, and nobody has explained these"


@pytest.mark.req("I-43", "I-52")
def test_a_difference_is_known_while_it_is_an_open_break_or_explained_and_stays_the_same() -> None:
    bench = Bench()
    row = (SAMSUNG, D(0), D(7))
    assert not is_known(ACCOUNT, row, bench.book)
    look(bench, 7)
    assert is_known(ACCOUNT, row, bench.book)
    assert is_known(ACCOUNT, (SAMSUNG, D(3), D(10)), bench.book), "both moved with a trade"
    assert not is_known(ACCOUNT, (SAMSUNG, D(0), D(8)), bench.book)
    assert not is_known(SHARED, row, bench.book)
    settle(bench, correct=False)
    assert is_known(ACCOUNT, row, bench.book)


@pytest.mark.req("I-38", "I-43")
def test_an_explanation_survives_a_break_of_another_thing() -> None:
    bench = Bench()
    look(bench, 7)
    settle(bench, correct=False)
    assert look(bench, 7, CASH - 5) == ["BreakFound"]
    assert [known.subject for known in bench.book.explained.values()] == [SAMSUNG]


@pytest.mark.req("I-50", "I-38", "F-54")
def test_a_break_shows_through_an_operators_halt() -> None:
    bench = Bench()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="lunch"))
    assert look(bench, 7) == ["BreakFound", "TradingHalted"]
    assert bench.book.halt is not None
    assert bench.book.halt.reason is Reason.BREAK


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
    assert document_key(ACCOUNT, entry.document) in bench.book.openings
    assert look(bench, theirs) == [], "the books agree now"


@pytest.mark.req("I-34", "F-54")
@pytest.mark.parametrize(("sold", "theirs", "is_taken"), [(8, 8, True), (8, 7, False), (10, 9, False)])
def test_a_correction_takes_no_shares_that_an_open_order_sells(
    sold: int, theirs: int, *, is_taken: bool
) -> None:
    bench = Bench(shares={SAMSUNG: 10})
    bench.working(an_intent(side=Side.SELL, qty=D(sold)))
    look(bench, theirs)
    [break_id] = bench.book.breaks
    decision = bench.do(SettleBreak(break_id=break_id, by=KIM, text="looked", correct=True))
    assert (decision.denial is None) is is_taken
    assert decision.denial is None or decision.denial.reason is Reason.SHARES


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


def a_paper(fact: Fact, name: str = "paper-1", **changes: str) -> Document:
    return Document(**({"name": name, "trade_date": TODAY, "settlement_date": TODAY, "fact": fact} | changes))  # type: ignore[arg-type]


def enter(bench: Bench, paper: Document, account: AccountId = ACCOUNT) -> Decision:
    return bench.do(BookEntry(account_id=account, document=paper, by=KIM, text="paper"))


def refused(bench: Bench, fact: Fact, **changes: str) -> tuple[Reason, str]:
    """Enter it and return why not; nothing may have moved."""
    before = (dict(bench.book.positions), dict(bench.book.cash), dict(bench.book.openings))
    decision = enter(bench, a_paper(fact, **changes))
    assert (bench.book.positions, bench.book.cash, bench.book.openings) == before
    assert decision.events == ()
    assert decision.denial is not None
    return decision.denial.reason, decision.denial.text


def split(new: int = 2, old: int = 1, **changes: Decimal) -> Split:
    return Split(symbol=SAMSUNG, new=new, old=old, **changes)


@pytest.mark.req("I-29", "I-30", "I-13")
def test_a_document_is_booked_once_however_often_it_comes() -> None:
    bench = Bench()
    cash = a_paper(CashMoved(currency=Currency.KRW, amount=D(1_000)))
    shares = a_paper(SharesMoved(symbol=SAMSUNG, qty=D(2), cost=D(140_000)), "paper-2")
    assert names(enter(bench, cash)) == ["EntryBooked"]
    message = bench.entries[-1].messages[0]
    assert (message.event_type, message.account_id) == ("entry_booked", ACCOUNT)
    assert names(enter(bench, shares)) == ["EntryBooked"]
    for paper in (cash, shares):
        again = enter(bench, paper)
        assert (again.events, again.existing) == ((), True)
    assert bench.book.cash[ACCOUNT, "KRW"] == CASH + 1_000
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 2


@pytest.mark.req("I-53")
def test_an_entry_of_an_account_or_a_symbol_nobody_knows_is_refused() -> None:
    bench = Bench()
    stranger = enter(bench, a_paper(split()), account=AccountId("99999999-01"))
    assert stranger.denial is not None
    assert stranger.denial.reason is Reason.UNKNOWN_ACCOUNT
    nobody = Dividend(symbol="999999", gross=D(1), tax=D(0), net=D(1))
    assert refused(bench, nobody)[0] is Reason.UNKNOWN_SYMBOL


@pytest.mark.req("I-53", "I-29", "F-96")
@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (Dividend(symbol=SAMSUNG, gross=D(10), tax=D(2), net=D(9)), "gross 10 less tax 2 is not net 9"),
        (CashMoved(currency=Currency.KRW, amount=D(0)), "0 KRW moves nothing"),
        (CashMoved(currency=Currency.KRW, amount=D(5), kind=LedgerKind.REALISED), "made by the desk alone"),
        (SharesMoved(symbol=SAMSUNG, qty=D(5), cost=D(1), kind=LedgerKind.FILL), "made by the desk alone"),
        (SharesMoved(symbol=SAMSUNG, qty=D(5)), "need their whole cost"),
        (SharesMoved(symbol=SAMSUNG, qty=D(-11)), "cannot leave 10"),
        (split(2, 2), "no split ratio"),
        (split(held=D(9)), "is about 9 shares"),
        (CostCorrected(symbol=SAMSUNG, cost=D(5), held=D(11)), "is about 11 shares"),
        (CostCorrected(symbol=SAMSUNG, cost=D(700_000)), "changes nothing"),
    ],
)
def test_a_paper_that_cannot_be_right_books_nothing_and_says_why(fact: Fact, words: str) -> None:
    reason, text = refused(Bench(shares={SAMSUNG: 10}), fact)
    assert reason is Reason.BAD_INPUT
    assert words in text


@pytest.mark.parametrize(
    "days",
    [{"trade_date": ""}, {"settlement_date": "soon"}, {"settlement_date": "2025-05-26"}, {"name": " "}],
)
def test_a_paper_without_a_name_or_with_days_that_cannot_be_is_refused(days: dict[str, str]) -> None:
    reason, _ = refused(Bench(), CashMoved(currency=Currency.KRW, amount=D(5)), **days)
    assert reason in (Reason.BAD_TIME, Reason.BAD_INPUT)


@pytest.mark.req("I-29", "F-54")
def test_a_split_counts_the_shares_of_the_moment_it_is_booked_and_waits_for_orders_to_end() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    order = bench.working(an_intent(qty=D(30)))
    reason, text = refused(bench, split())
    assert reason is Reason.DENIED
    assert f"jumun cancel-all --symbol {SAMSUNG}" in text
    assert refused(bench, CostCorrected(symbol=SAMSUNG, cost=D(1)))[0] is Reason.DENIED
    bench.fill(order, 30)  # between a person's look at the books and the entry
    assert names(enter(bench, a_paper(split()))) == ["EntryBooked"]
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 80


@pytest.mark.req("I-29")
def test_an_order_of_another_symbol_or_account_is_no_reason_to_wait_with_a_split() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    bench.working(an_intent(symbol=HYNIX, qty=D(1), price=D(190_000)))
    assert names(enter(bench, a_paper(split()))) == ["EntryBooked"]


@pytest.mark.req("I-34")
def test_shares_that_an_open_order_sells_do_not_leave_as_well() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    bench.working(an_intent(side=Side.SELL, qty=D(8)))
    reason, text = refused(bench, SharesMoved(symbol=SAMSUNG, qty=D(-3)))
    assert reason is Reason.SHARES
    assert "all but 2" in text
    assert names(enter(bench, a_paper(SharesMoved(symbol=SAMSUNG, qty=D(-2))))) == ["EntryBooked"]
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 8


@pytest.mark.req("I-29", "I-30", "I-36")
def test_a_dividend_is_income_and_a_split_scales_every_strategys_shares() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    bench.fill(bench.working(an_intent(qty=D(30))), 30)
    held = bench.book.positions[ACCOUNT, SAMSUNG]
    enter(bench, a_paper(Dividend(symbol=SAMSUNG, gross=D(10_000), tax=D(1_540), net=D(8_460)), "div"))
    paid = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (paid.realised_gross, paid.costs - held.costs) == (10_000, 1_540)
    enter(bench, a_paper(split(5, 1, held=D(40)), "split"))
    after = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (after.qty, after.cost_basis) == (200, paid.cost_basis)
    parts = {key[1]: part.qty for key, part in bench.book.strategies.items() if key[0] == ACCOUNT}
    assert parts == {"": 50, "momentum": 150}
    assert sum(parts.values()) == Decimal(200)


@pytest.mark.req("I-29")
def test_a_correction_of_the_cost_alone_moves_no_share_and_no_cash() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    enter(bench, a_paper(CostCorrected(symbol=SAMSUNG, cost=D(690_000), held=D(10))))
    after = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (after.qty, after.cost_basis, bench.book.cash[ACCOUNT, "KRW"]) == (10, 690_000, CASH)


def paid_in(
    amount: str, currency: Currency = Currency.KRW, kind: LedgerKind = LedgerKind.TRANSFER
) -> CashMoved:
    return CashMoved(currency=currency, amount=D(amount), kind=kind)


@pytest.mark.req("I-13", "I-30")
def test_a_paper_of_a_known_name_with_another_content_is_a_conflict_also_after_a_restart() -> None:
    bench = Bench()
    enter(bench, a_paper(paid_in("1000")))
    bench.book = Book.from_image(bench.book.image())
    assert enter(bench, a_paper(paid_in("1000.00"))).existing, "the same amount in other digits"
    for other, changes in (
        (paid_in("1001"), {}),
        (paid_in("1000", kind=LedgerKind.CORRECTION), {}),
        (paid_in("1000"), {"trade_date": "2025-05-01"}),
        (SharesMoved(symbol=SAMSUNG, qty=D(1_000), cost=D(0)), {}),
    ):
        reason, text = refused(bench, other, **changes)
        assert reason is Reason.KEY_CONFLICT
        assert "paper-1 was booked with another content" in text


@pytest.mark.req("I-30")
def test_two_accounts_can_have_a_paper_of_one_name() -> None:
    bench = Bench()
    for account in (ACCOUNT, SHARED):
        assert names(enter(bench, a_paper(paid_in("100")), account)) == ["EntryBooked"]
        assert bench.book.cash[account, "KRW"] == CASH + 100


@pytest.mark.req("I-30")
@pytest.mark.parametrize("kind", [LedgerKind.TRANSFER, LedgerKind.CORRECTION])
def test_no_paper_takes_cash_below_zero(kind: LedgerKind) -> None:
    bench = Bench()
    reason, text = refused(bench, paid_in(f"-{CASH + 1}", kind=kind))
    assert reason is Reason.CASH
    assert f"{CASH} of {CASH} can" in text
    assert names(enter(bench, a_paper(paid_in(f"-{CASH}", kind=kind)))) == ["EntryBooked"]
    assert bench.book.cash[ACCOUNT, "KRW"] == 0


@pytest.mark.req("I-30")
def test_cash_that_an_open_order_needs_does_not_leave_by_a_transfer() -> None:
    bench = Bench()
    bench.working(an_intent(qty=D(30)))
    free = bench.book.cash_free(ACCOUNT, "KRW")
    assert free < CASH
    assert refused(bench, paid_in(f"{-free.to_integral_value() - 1:f}"))[0] is Reason.CASH


@pytest.mark.req("I-53", "F-96")
@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (paid_in("0.5"), "whole won"),
        (paid_in("1e18"), "no amount of KRW"),
        (paid_in("0.001", Currency.USD), "dollars and cents"),
        (Dividend(symbol=SAMSUNG, gross=D("10.5"), tax=D("0.5"), net=D(10)), "gross 10.5 is no amount"),
        (Dividend(symbol=SAMSUNG, gross=D(10), tax=D(11), net=D(-1)), "net -1 is below zero"),
        (Dividend(symbol=HYNIX, gross=D(10), tax=D(0), net=D(10)), "never held 000660"),
        (SharesMoved(symbol=SAMSUNG, qty=D(1), cost=D("0.1")), "cost 0.1 is no amount"),
        (SharesMoved(symbol=SAMSUNG, qty=D(1), cost=D(-1)), "cost -1 is below zero"),
        (SharesMoved(symbol=SAMSUNG, qty=D("0.5"), cost=D(1)), "no multiple of its lot 1"),
        (SharesMoved(symbol=SAMSUNG, qty=D("0.0000001"), cost=D(1)), "at most 6 places"),
        (CostCorrected(symbol=SAMSUNG, cost=D(-5)), "cost -5 is below zero"),
        (CostCorrected(symbol=SAMSUNG, cost=D("5.5")), "cost 5.5 is no amount"),
        (split(cash_for_fraction=D("0.5")), "cash_for_fraction 0.5 is no amount"),
    ],
)
def test_a_figure_that_no_paper_can_say_is_refused_by_its_name(fact: Fact, words: str) -> None:
    _, text = refused(Bench(shares={SAMSUNG: 10}), fact)
    assert words in text


def test_cents_are_amounts_of_dollars() -> None:
    bench = Bench(usd=100)
    assert names(enter(bench, a_paper(paid_in("0.25", Currency.USD), trade_date="2025-05-23"))) == [
        "EntryBooked"
    ]
    shares = a_paper(
        SharesMoved(symbol=APPLE, qty=D(1), cost=D("190.25")), "paper-2", trade_date="2025-05-23"
    )
    assert names(enter(bench, shares)) == ["EntryBooked"]


@pytest.mark.req("I-53")
def test_a_paper_of_a_day_to_come_waits_for_its_day_at_its_venue() -> None:
    bench = Bench()
    later = {"trade_date": "2025-05-28", "settlement_date": "2025-05-28"}
    reason, text = refused(bench, paid_in("5"), **later)
    assert reason is Reason.BAD_TIME
    assert "is after today" in text
    usd = paid_in("5", Currency.USD)
    assert refused(bench, usd)[0] is Reason.BAD_TIME, "in New York it is still the day before"
    bench.wait(86_400 * 2)
    assert names(enter(bench, a_paper(paid_in("5"), **later))) == ["EntryBooked"]


@pytest.mark.req("I-30")
def test_what_an_account_never_had_cannot_leave_it() -> None:
    reason, text = refused(Bench(krw=0), paid_in("-1", kind=LedgerKind.CORRECTION))
    assert reason is Reason.CASH
    assert "0 of 0 can" in text


@pytest.mark.req("I-53")
@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (paid_in("0.5"), Reason.BAD_NUMBER),
        (SharesMoved(symbol=SAMSUNG, qty=D("0.0000001"), cost=D(1)), Reason.BAD_NUMBER),
        (SharesMoved(symbol=SAMSUNG, qty=D("0.5"), cost=D(1)), Reason.QTY_NOT_LOT),
        (SharesMoved(symbol=SAMSUNG, qty=D("10.5"), cost=D(1)), Reason.QTY_NOT_LOT),
    ],
)
def test_a_figure_that_no_paper_can_say_has_its_reason(fact: Fact, reason: Reason) -> None:
    assert refused(Bench(shares={SAMSUNG: D("10.5")}), fact)[0] is reason


@pytest.mark.req("I-29")
def test_an_odd_rest_may_leave_as_a_whole() -> None:
    bench = Bench(shares={SAMSUNG: D("10.5")})
    assert names(enter(bench, a_paper(SharesMoved(symbol=SAMSUNG, qty=D("-10.5"))))) == ["EntryBooked"]
