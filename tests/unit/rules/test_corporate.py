"""Entries that are no trade: every row balances, the cost is conserved, cash is what the paper says."""

from collections.abc import Iterable
from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jumun.model.errors import BadInput
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId
from jumun.model.money import Currency
from jumun.model.positions import Position
from jumun.rules.corporate import (
    DIVIDEND_TAX,
    Booked,
    basis_corrected,
    cash_moved,
    dividend,
    shares_moved,
    split,
)
from jumun.rules.ledger import apply_rows, cash_change
from jumun.testing.builders import ACCOUNT, a_position

PAPER = Booked(
    account_id=ACCOUNT, document="KSD-2025-0117", trade_date="2025-05-26", settlement_date="2025-05-28"
)


def balances(rows: Iterable[LedgerRow]) -> dict[LedgerAccount, D]:
    """Each row debits one account and credits another: what is left in each, debits above zero."""
    left: dict[LedgerAccount, D] = {}
    for row in rows:
        assert row.amount >= 0
        assert row.debit is not row.credit
        left[row.debit] = left.get(row.debit, D(0)) + row.amount
        left[row.credit] = left.get(row.credit, D(0)) - row.amount
    assert sum(left.values()) == 0
    return left


@pytest.mark.req("I-29", "I-32", "F-54")
def test_a_fifty_for_one_split_makes_fifty_times_the_shares_at_the_same_cost_and_no_cash() -> None:
    held = a_position(qty=D(7), cost_basis=D("18550000"))
    rows = split(PAPER, held, 50, 1)
    after = apply_rows(held, rows)
    assert (after.qty, after.cost_basis, after.realised_gross) == (350, held.cost_basis, 0)
    assert cash_change(rows) == 0
    assert {row.note for row in rows} == {"KSD-2025-0117"}


@pytest.mark.req("I-29", "I-30", "I-32")
def test_a_reverse_split_pays_its_fraction_in_cash_and_realises_only_that_fraction() -> None:
    held = a_position(qty=D(25), cost_basis=D(250_000))
    rows = split(PAPER, held, 1, 10, cash_for_fraction=D(60_000))
    after = apply_rows(held, rows)
    # 2.5 new shares at 100,000 each: half a share cost 50,000 and brought 60,000.
    assert (after.qty, after.cost_basis, after.realised_gross) == (2, 200_000, 10_000)
    assert cash_change(rows) == 60_000
    balances(rows)


@pytest.mark.req("I-53")
@pytest.mark.parametrize(
    ("qty", "new", "old", "cash"),
    [
        (25, 1, 10, None),  # a fraction, and no cash for it
        (30, 1, 10, D(5)),  # cash for no fraction
        (25, 1, 10, D(-1)),
        (10, 1, 1, None),
        (10, 0, 1, None),
        (10, -2, 1, None),
        (10, 20_000, 1, None),
        (0, 2, 1, None),
        (-5, 2, 1, None),
    ],
)
def test_a_split_that_does_not_add_up_books_nothing(qty: int, new: int, old: int, cash: D | None) -> None:
    held = a_position(qty=D(qty), cost_basis=D(1_000) if qty else D(0))
    with pytest.raises(BadInput, match="KSD-2025-0117"):
        split(PAPER, held, new, old, cash_for_fraction=cash)


@pytest.mark.req("I-30", "I-32", "F-54")
def test_a_dividend_is_gross_income_less_the_tax_withheld_and_net_in_cash() -> None:
    held = a_position(qty=D(100), cost_basis=D(7_000_000))
    rows = dividend(PAPER, held, gross=D(36_100), tax=D(5_550), net=D(30_550))
    left = balances(rows)
    assert left[LedgerAccount.CASH] == cash_change(rows) == 30_550
    assert left[LedgerAccount.INCOME] == -36_100
    assert left[LedgerAccount.TAXES] == 5_550
    after = apply_rows(held, rows)
    assert (after.qty, after.cost_basis) == (held.qty, held.cost_basis)
    assert after.realised_net - held.realised_net == 30_550
    assert rows[1].cost_kind == DIVIDEND_TAX


def test_a_dividend_without_tax_has_one_row_and_one_that_does_not_add_up_is_refused() -> None:
    assert len(dividend(PAPER, a_position(), D(100), D(0), D(100))) == 1
    for gross, tax, net in ((100, 15, 84), (0, 0, 0), (100, -15, 115)):
        with pytest.raises(BadInput, match="copy all three"):
            dividend(PAPER, a_position(), D(gross), D(tax), D(net))


@pytest.mark.req("I-29", "I-30")
def test_cash_comes_and_goes_from_outside_and_nothing_moves_nothing() -> None:
    assert cash_change(cash_moved(PAPER, Currency.KRW, D(1_000))) == 1_000
    assert cash_change(cash_moved(PAPER, Currency.USD, D("-12.34"))) == D("-12.34")
    opening = cash_moved(PAPER, Currency.KRW, D(5), LedgerKind.OPENING)
    assert opening[0].kind is LedgerKind.OPENING
    with pytest.raises(BadInput):
        cash_moved(PAPER, Currency.KRW, D(0))


@pytest.mark.req("I-29")
def test_shares_come_with_their_cost_and_leave_with_their_part_of_ours() -> None:
    flat = Position(account_id=ACCOUNT, symbol="005930", currency=Currency.KRW)
    came = apply_rows(flat, shares_moved(PAPER, flat, D(3), D(200_000)))
    assert (came.qty, came.cost_basis) == (3, 200_000)
    left = apply_rows(came, shares_moved(PAPER, came, D(-1)))
    assert (left.qty, left.cost_basis, left.realised_gross) == (2, D("133333.3333"), 0)
    gone = apply_rows(left, shares_moved(PAPER, left, D(-2)))
    assert (gone.qty, gone.cost_basis) == (0, 0)


def test_a_transfer_without_a_cost_or_beyond_what_is_held_is_refused() -> None:
    held = a_position()
    for qty, basis in ((D(1), None), (D(1), D(-1)), (D(-1), D(5)), (D(-11), None), (D(0), None)):
        with pytest.raises(BadInput):
            shares_moved(PAPER, held, qty, basis)
    with pytest.raises(BadInput, match="book it where it belongs"):
        shares_moved(PAPER, a_position(account_id=AccountId("other")), D(1), D(1))


def test_a_corrected_cost_changes_the_basis_and_nothing_else() -> None:
    held = a_position()
    for basis in (D(690_000), D(710_000)):
        rows = basis_corrected(PAPER, held, basis)
        after = apply_rows(held, rows)
        assert (after.qty, after.cost_basis, cash_change(rows)) == (10, basis, 0)
        balances(rows)
    with pytest.raises(BadInput):
        basis_corrected(PAPER, held, held.cost_basis)
    with pytest.raises(BadInput):
        basis_corrected(PAPER, a_position(qty=D(0), cost_basis=D(0)), D(5))


@pytest.mark.req("I-29", "I-30", "I-32")
@given(
    st.integers(1, 100_000),
    st.integers(1, 10**10),
    st.integers(1, 100),
    st.integers(1, 100),
    st.integers(0, 10**6),
)
def test_no_split_makes_or_loses_a_won(qty: int, basis: int, new: int, old: int, paid: int) -> None:
    assume(new != old)
    exact = Fraction(qty * new, old)
    whole = qty * new // old
    cash = None if exact == whole else D(paid)
    held = a_position(qty=D(qty), cost_basis=D(basis), realised_gross=D(17), costs=D(3))
    assume(whole != qty or cash)
    rows = split(PAPER, held, new, old, cash_for_fraction=cash)
    after = apply_rows(held, rows)
    assert after.qty == whole
    assert cash_change(rows) == (cash or 0)
    # What the shares held cost is what they cost before, less what the fraction's cash did not realise.
    assert after.cost_basis == basis - (cash or 0) + (after.realised_gross - 17)
    assert abs(Fraction(after.cost_basis) - basis * Fraction(whole) / exact) <= Fraction(1, 20_000)
    balances(rows)


@pytest.mark.req("I-29")
def test_a_bonus_share_that_leaves_only_a_fraction_pays_it_in_cash_and_books_no_empty_paper() -> None:
    held = a_position(qty=D(1), cost_basis=D(90))
    rows = split(PAPER, held, 3, 2, cash_for_fraction=D(40))
    after = apply_rows(held, rows)
    assert (after.qty, after.cost_basis, after.realised_gross) == (1, 60, 10)
    worthless = a_position(qty=D(1), cost_basis=D(0))
    with pytest.raises(BadInput, match="changes nothing"):
        split(PAPER, worthless, 3, 2, cash_for_fraction=D(0))


def test_a_fractional_instrument_keeps_the_parts_its_step_allows() -> None:
    held = a_position(qty=D("0.5"), cost_basis=D(100), currency=Currency.USD)
    after = apply_rows(held, split(PAPER, held, 3, 1, step=D("0.000001")))
    assert (after.qty, after.cost_basis) == (D("1.5"), 100)
