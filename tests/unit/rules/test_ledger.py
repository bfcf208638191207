"""From fills to rows, from rows to books: two sides to everything, average cost, nothing lost to rounding."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.fills import Fill, LedgerAccount, LedgerKind, LedgerRow
from jumun.model.orders import Side
from jumun.model.positions import Position
from jumun.rules.costs import CostKind
from jumun.rules.ledger import apply_rows, cash_change, realised_row, rows_of_fill
from jumun.testing.builders import a_fill, a_position, an_order

D = Decimal
FLAT = a_position(qty=D(0), cost_basis=D(0))
PRICES = st.decimals("0.0001", "999999", places=4, allow_nan=False, allow_infinity=False)
QTYS = st.one_of(
    st.integers(1, 5_000).map(D),
    st.decimals("0.000001", "50", places=6, allow_nan=False, allow_infinity=False),
)


class Trade(msgspec.Struct, frozen=True):
    """One fill and its costs."""

    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    tax: Decimal


COSTS = st.decimals("-9", "99", places=2, allow_nan=False, allow_infinity=False)
TRADES = st.lists(st.builds(Trade, st.sampled_from(Side), QTYS, PRICES, COSTS, COSTS), max_size=12)


def fill_of(side: Side, qty: object, price: object) -> Fill:
    order = an_order(side=side, price=None)
    return a_fill(order, qty=D(str(qty)), price=D(str(price)))


def trade(
    position: Position, side: Side, qty: object, price: object
) -> tuple[Position, tuple[LedgerRow, ...]]:
    rows = rows_of_fill(fill_of(side, qty, price), position, [])
    return apply_rows(position, rows), rows


def kinds(rows: tuple[LedgerRow, ...]) -> list[LedgerKind]:
    return [row.kind for row in rows]


@pytest.mark.req("C-7", "I-29", "I-30", "S000-43")
def test_a_buy_moves_the_whole_amount_from_cash_to_shares_at_cost() -> None:
    held, rows = trade(FLAT, Side.BUY, 10, "70000.5")
    assert kinds(rows) == [LedgerKind.FILL]
    assert (rows[0].debit, rows[0].credit) == (LedgerAccount.SECURITIES, LedgerAccount.CASH)
    assert (held.qty, held.cost_basis, held.realised_gross) == (10, D("700005.0"), 0)
    assert cash_change(rows) == D("-700005.0")


@pytest.mark.req("C-7", "C-8", "S000-20")
def test_a_sale_takes_out_its_share_of_the_average_cost_and_realises_the_rest() -> None:
    held, _ = trade(FLAT, Side.BUY, 10, 100)
    held, _ = trade(held, Side.BUY, 10, 110)
    held, rows = trade(held, Side.SELL, 5, 130)
    assert kinds(rows) == [LedgerKind.FILL, LedgerKind.REALISED]
    assert (held.qty, held.cost_basis, held.realised_gross) == (15, 1575, 125)
    assert held.average_price == 105
    assert cash_change(rows) == 650


@pytest.mark.req("C-8")
def test_a_loss_is_a_row_with_its_sides_exchanged() -> None:
    held, rows = trade(a_position(), Side.SELL, 4, 69_000)
    assert rows[1].amount == 4_000
    assert (rows[1].debit, rows[1].credit) == (LedgerAccount.PNL, LedgerAccount.SECURITIES)
    assert (held.realised_gross, held.cost_basis) == (-4_000, 420_000)


def test_a_sale_at_cost_realises_nothing_and_writes_no_row_of_zero() -> None:
    held, rows = trade(a_position(), Side.SELL, 10, 70_000)
    assert kinds(rows) == [LedgerKind.FILL]
    assert (held.qty, held.cost_basis) == (0, 0)


@pytest.mark.req("I-29", "I-36")
def test_a_sale_through_zero_closes_the_old_side_and_opens_the_new_one_at_its_price() -> None:
    held, _ = trade(a_position(qty=D(10), cost_basis=D(1_000)), Side.SELL, 15, 110)
    assert (held.qty, held.cost_basis, held.realised_gross) == (-5, -550, 100)
    back, _ = trade(held, Side.BUY, 8, 100)
    assert (back.qty, back.cost_basis, back.realised_gross) == (3, 300, 150)


def test_enlarging_a_short_position_realises_nothing() -> None:
    held, _ = trade(FLAT, Side.SELL, 5, 100)
    held, rows = trade(held, Side.SELL, 5, 120)
    assert kinds(rows) == [LedgerKind.FILL]
    assert (held.qty, held.cost_basis) == (-10, -1_100)


@pytest.mark.req("I-36", "C-7")
def test_thirds_are_rounded_once_and_the_last_share_takes_the_rest() -> None:
    held, _ = trade(FLAT, Side.BUY, 3, "33.3333")
    held = msgspec.structs.replace(held, cost_basis=D(100))
    held, _ = trade(held, Side.SELL, 1, 50)
    assert (held.cost_basis, held.realised_gross) == (D("66.6667"), D("16.6667"))
    held, _ = trade(held, Side.SELL, 2, 50)
    assert (held.cost_basis, held.realised_gross) == (0, 50)


@pytest.mark.req("C-8", "S000-48", "I-30")
def test_fees_and_taxes_are_rows_of_their_own_and_stay_out_of_the_gross() -> None:
    costs = [("BROKERAGE", D(98)), ("TRANSACTION_TAX", D(0)), ("RURAL_TAX", D(1_050)), ("SEC_FEE", D(1))]
    rows = rows_of_fill(fill_of(Side.SELL, 10, 70_000), a_position(), costs)
    assert [(row.kind, row.cost_kind, row.amount) for row in rows[1:]] == [
        (LedgerKind.FEE, "BROKERAGE", 98),
        (LedgerKind.TAX, "RURAL_TAX", 1_050),
        (LedgerKind.FEE, "SEC_FEE", 1),
    ]
    assert [row.debit for row in rows[1:]] == [
        LedgerAccount.FEES,
        LedgerAccount.TAXES,
        LedgerAccount.FEES,
    ]
    held = apply_rows(a_position(), rows)
    assert (held.realised_gross, held.costs, held.realised_net) == (0, 1_149, -1_149)
    assert cash_change(rows) == 700_000 - 1_149


def test_a_cost_that_turns_out_lower_comes_back_to_cash() -> None:
    rows = rows_of_fill(fill_of(Side.BUY, 1, 100), FLAT, [("BROKERAGE", D(-3))])
    assert (rows[1].debit, rows[1].credit) == (LedgerAccount.CASH, LedgerAccount.FEES)
    assert apply_rows(FLAT, rows).costs == -3
    assert cash_change(rows) == -97


def test_every_tax_kind_of_the_cost_rules_is_booked_as_a_tax() -> None:
    for kind in CostKind:
        rows = rows_of_fill(fill_of(Side.BUY, 1, 100), FLAT, [(kind.value, D(1))])
        assert (rows[1].kind is LedgerKind.TAX) is kind.is_tax


@pytest.mark.req("I-29", "I-30", "I-32", "I-36", "I-31")
@given(trades=TRADES, mark=PRICES)
def test_whatever_is_traded_the_books_balance_and_the_equity_is_explained(
    trades: list[Trade], mark: Decimal
) -> None:
    accounts = dict.fromkeys(LedgerAccount, D(0))
    position, paid, shares, costs = FLAT, D(0), D(0), D(0)
    for one in trades:
        fill = fill_of(one.side, one.qty, one.price)
        rows = rows_of_fill(fill, position, [("BROKERAGE", one.fee), ("RURAL_TAX", one.tax)])
        position = apply_rows(position, rows)
        for row in rows:
            assert row.amount > 0
            accounts[row.debit] += row.amount
            accounts[row.credit] -= row.amount
        sign = 1 if one.side is Side.BUY else -1
        paid += sign * one.qty * one.price + one.fee + one.tax
        shares += sign * one.qty
        costs += one.fee + one.tax
        # A flat position has no cost: nothing was lost to rounding on the way.
        assert position.qty == shares
        assert (position.cost_basis == 0) or position.qty
    assert sum(accounts.values()) == 0
    assert accounts[LedgerAccount.CASH] == -paid
    assert accounts[LedgerAccount.SECURITIES] == position.cost_basis
    assert accounts[LedgerAccount.PNL] == -position.realised_gross
    assert position.costs == costs
    equity = accounts[LedgerAccount.CASH] + shares * mark
    unrealised = shares * mark - position.cost_basis
    assert equity == position.realised_gross + unrealised - position.costs


@given(qty=QTYS, price=PRICES)
def test_a_round_trip_at_one_price_realises_nothing_whatever_the_pieces(qty: Decimal, price: Decimal) -> None:
    held, _ = trade(FLAT, Side.BUY, qty * 3, price)
    for _ in range(3):
        held, _ = trade(held, Side.SELL, qty, price)
    assert (held.qty, held.cost_basis) == (0, 0)
    assert held.realised_gross == 0


def test_an_opening_or_enlarging_fill_realises_nothing() -> None:
    bought = rows_of_fill(fill_of(Side.BUY, 1, 10), FLAT, ())[0]
    assert realised_row(bought, FLAT) is None
    assert realised_row(bought, a_position()) is None


@pytest.mark.req("I-36", "C-7")
@given(qty=QTYS, bought=PRICES, sold=PRICES)
def test_what_is_bought_and_sold_whole_realises_the_difference_to_the_last_digit(
    qty: Decimal, bought: Decimal, sold: Decimal
) -> None:
    held, _ = trade(FLAT, Side.BUY, qty, bought)
    held, _ = trade(held, Side.SELL, qty, sold)
    assert (held.qty, held.cost_basis) == (D(0), D(0))
    assert held.realised_gross == qty * sold - qty * bought
