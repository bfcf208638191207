"""Ledger, papers, sub-ledgers and costs at their edges: cents, halves, the first and the last day."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.documents import CashMoved, Document, SharesMoved, Split
from jumun.model.errors import BadInput, ConfigError
from jumun.model.events import FillBooked
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.instruments import Instrument, InstrumentMaster, Market, Product, Venue
from jumun.model.money import Currency
from jumun.model.orders import Side
from jumun.model.positions import Position
from jumun.model.reasons import Reason
from jumun.rules.commission import CommissionCalculator
from jumun.rules.corporate import Booked, basis_corrected, cash_moved, dividend, rows_of, shares_moved, split
from jumun.rules.cost_tables import CostPlan, NoCostTable, Rounding
from jumun.rules.costs import order_costs
from jumun.rules.ledger import apply_rows, cash_change, realised_row, rows_of_fill, rows_of_reversal
from jumun.rules.sub_ledger import NOBODY, StrategyKey, entry_positions_after, sub_positions_after
from jumun.rules.trading_days import DayOverride, Overrides
from jumun.testing.builders import ACCOUNT, a_fill, a_position, an_order

D = Decimal
CASH, SECURITIES, OUTSIDE = LedgerAccount.CASH, LedgerAccount.SECURITIES, LedgerAccount.OUTSIDE
PNL = LedgerAccount.PNL
PAPER = Booked(account_id=ACCOUNT, document="P-1", trade_date="2025-05-26", settlement_date="2025-05-28")


def held(qty: str = "10", basis: str = "700000", **changes: Any) -> Position:
    return a_position(qty=D(qty), cost_basis=D(basis), **changes)


def bought(qty: str, price: str, side: Side = Side.BUY) -> Any:
    return a_fill(an_order(side=side), qty=D(qty), price=D(price), amount=D(qty) * D(price), side=side)


def sides(row: LedgerRow) -> tuple[LedgerAccount, LedgerAccount]:
    return row.debit, row.credit


# ---- the ledger ---------------------------------------------------------------------------------


@pytest.mark.req("F-53", "I-32")
@pytest.mark.parametrize(
    ("price_new", "amount", "toward"),
    [("69999.95", "0.5", (CASH, SECURITIES)), ("70000.05", "0.5", (SECURITIES, CASH))],
)
def test_a_price_corrected_by_cents_moves_the_cents_the_right_way(
    price_new: str, amount: str, toward: tuple[LedgerAccount, LedgerAccount]
) -> None:
    [row] = rows_of_reversal(bought("10", "70000"), held(), D(price_new), [])
    assert (row.kind, row.amount, row.qty, sides(row)) == (LedgerKind.BUST, D(amount), 0, toward)


@pytest.mark.req("F-53", "I-32")
def test_every_row_of_a_bust_says_that_it_is_one_and_a_price_that_stays_moves_nothing() -> None:
    rows = rows_of_reversal(bought("10", "70000"), held("10", "690000"), None, [("BROKERAGE", D(-98))])
    assert [row.kind for row in rows] == [LedgerKind.BUST, LedgerKind.REALISED, LedgerKind.FEE]
    assert rows_of_reversal(bought("10", "70000"), held(), D(70_000), []) == ()


@pytest.mark.req("I-36", "F-53")
def test_a_correction_realises_nothing_while_shares_are_held_and_all_of_it_when_none_are() -> None:
    row = replace(
        rows_of_reversal(bought("10", "70000"), held(), D(69_000), [])[0], credit=SECURITIES, debit=CASH
    )
    assert realised_row(row, held()) is None
    assert realised_row(row, held("-1", "-70000")) is None
    gone = realised_row(row, held("0", "0"))
    assert gone is not None
    assert (gone.amount, sides(gone)) == (10_000, (SECURITIES, PNL))


@pytest.mark.req("C-7", "I-29")
@pytest.mark.parametrize("start", ["0.5", "-0.5"])
def test_half_a_share_more_on_the_same_side_realises_nothing_and_on_the_other_it_closes(start: str) -> None:
    side, other = (Side.BUY, Side.SELL) if D(start) > 0 else (Side.SELL, Side.BUY)
    position = held(start, str(D(start) * 100))
    assert [row.kind for row in rows_of_fill(bought("0.5", "110", side), position, [])] == [LedgerKind.FILL]
    rows = rows_of_fill(bought("0.5", "110", other), position, [])
    assert [(row.kind, row.amount) for row in rows] == [(LedgerKind.FILL, 55), (LedgerKind.REALISED, 5)]
    assert apply_rows(position, rows).cost_basis == 0


def test_a_mark_survives_every_row_but_a_split_that_changes_the_shares() -> None:
    position = held(mark=D(71_000), mark_ts_ns=5)
    after = apply_rows(position, rows_of_fill(bought("1", "70000"), position, []))
    assert (after.mark, after.mark_ts_ns) == (71_000, 5)
    paid = LedgerRow(
        kind=LedgerKind.SPLIT,
        account_id=ACCOUNT,
        currency=Currency.KRW,
        amount=D(5),
        debit=CASH,
        credit=SECURITIES,
        symbol=position.symbol,
        trade_date="2025-05-26",
        settlement_date="2025-05-28",
    )
    assert apply_rows(position, [paid]).mark == 71_000
    after = apply_rows(position, [replace(paid, qty=D(3))])
    assert (after.mark, after.mark_ts_ns) == (None, None)


@pytest.mark.req("I-36")
def test_a_dividend_that_is_taken_back_lowers_what_was_earned() -> None:
    rows = dividend(PAPER, held(), D(900), D(0), D(900))
    back = replace(rows[0], debit=LedgerAccount.INCOME, credit=CASH)
    after = apply_rows(held(), [*rows, back, back])
    assert after.realised_gross == -900
    assert cash_change([*rows, back]) == 0


# ---- papers -------------------------------------------------------------------------------------


@pytest.mark.req("I-29", "I-30", "F-54")
def test_cents_and_halves_move_the_right_way() -> None:
    [came] = cash_moved(PAPER, Currency.USD, D("0.5"))
    [left] = cash_moved(PAPER, Currency.USD, D("-0.5"))
    assert (sides(came), sides(left)) == ((CASH, OUTSIDE), (OUTSIDE, CASH))
    [half] = shares_moved(PAPER, held(), D("0.5"), D("0.5"))
    assert (half.qty, half.amount, sides(half)) == (D("0.5"), D("0.5"), (SECURITIES, OUTSIDE))
    [gift] = shares_moved(PAPER, held(), D(1), D(0))
    assert gift.amount == 0
    [dearer] = basis_corrected(PAPER, held(basis="700000"), D("700000.5"))
    assert (dearer.amount, sides(dearer)) == (D("0.5"), (SECURITIES, OUTSIDE))
    [cheaper] = basis_corrected(PAPER, held(basis="700000"), D("699999.5"))
    assert sides(cheaper) == (OUTSIDE, SECURITIES)
    [small] = dividend(PAPER, held(), D("0.5"), D(0), D("0.5"))
    assert small.amount == D("0.5")
    for amount in ("0", "-1"):
        with pytest.raises(BadInput):
            dividend(PAPER, held(), D(amount), D(0), D(amount))


@pytest.mark.req("I-29", "I-32", "F-54")
def test_a_fraction_that_was_paid_with_nothing_or_a_cent_is_realised_to_the_cent() -> None:
    position = held("25", "100")
    worthless = split(PAPER, position, 1, 10, cash_for_fraction=D(0))
    after = apply_rows(position, worthless)
    assert (after.qty, after.cost_basis, after.realised_gross) == (2, 80, -20)
    for cash, result in (("20.5", "0.5"), ("19.5", "-0.5"), ("20", "0"), ("0.5", "-19.5")):
        after = apply_rows(position, split(PAPER, position, 1, 10, cash_for_fraction=D(cash)))
        assert (after.cost_basis, after.realised_gross) == (80, D(result))


@pytest.mark.req("I-29", "I-53")
def test_a_split_of_half_a_share_is_one_and_of_the_largest_ratio_too() -> None:
    assert apply_rows(held("0.5", "10"), split(PAPER, held("0.5", "10"), 2, 1)).qty == 1
    assert apply_rows(held("1", "10"), split(PAPER, held("1", "10"), 10_000, 1)).qty == 10_000
    assert apply_rows(held("10000", "10"), split(PAPER, held("10000", "10"), 1, 10_000)).qty == 1
    for new, old in ((10_001, 1), (1, 10_001), (1, 0), (0, 1)):
        with pytest.raises(BadInput, match="split ratio"):
            split(PAPER, held("10000", "10"), new, old)
    with pytest.raises(BadInput, match="nothing to split"):
        split(PAPER, held("0", "0"), 2, 1)


def test_what_a_paper_leaves_of_a_fraction_is_named_in_its_refusal() -> None:
    with pytest.raises(BadInput, match="leave 1/2 of a share"):
        split(PAPER, held("25", "100"), 1, 10)
    with pytest.raises(BadInput, match="leave no fraction"):
        split(PAPER, held("20", "100"), 1, 10, cash_for_fraction=D(5))


# ---- strategies ---------------------------------------------------------------------------------


def a_split_row(qty: int, symbol: str = "005930") -> LedgerRow:
    [row] = split(PAPER, held(symbol=symbol), 2, 1)
    return replace(row, qty=D(qty))


@pytest.mark.req("S000-44")
def test_a_split_scales_the_strategies_of_its_account_and_symbol_and_no_other() -> None:
    def key(strategy: str, symbol: str = "005930", account: Any = ACCOUNT) -> StrategyKey:
        return account, strategy, symbol

    parts: dict[StrategyKey, Position] = {
        key("a"): held("3", "30"),
        key("b", symbol="000660"): held("4", "40", symbol="000660"),
        key("c", account="other"): held("5", "50", account_id="other"),
        key("d"): held("0.4", "4"),
        key("e"): held("6", "60"),
    }
    whole = {(ACCOUNT, "005930"): held("9.4", "94")}
    changed = entry_positions_after(parts, whole, [a_split_row(9)])
    assert {name[1]: position.qty for name, position in changed.items()} == {"a": 6, "e": 12, NOBODY: 0}
    flat = entry_positions_after(parts, {(ACCOUNT, "005930"): held("0", "0")}, [a_split_row(9)])
    assert {name[1]: position.qty for name, position in flat.items()} == {NOBODY: 9}


@pytest.mark.req("S000-44")
def test_every_row_of_a_paper_counts_also_behind_one_about_cash_and_one_that_splits() -> None:
    rows = [
        *cash_moved(PAPER, Currency.KRW, D(5)),
        a_split_row(10),
        *shares_moved(PAPER, held(symbol="000660"), D(2), D(20)),
    ]
    whole = {(ACCOUNT, "005930"): held()}
    changed = entry_positions_after({(ACCOUNT, "a", "005930"): held()}, whole, rows)
    assert {(name[1], name[2]): position.qty for name, position in changed.items()} == {
        ("a", "005930"): 20,
        (NOBODY, "005930"): 0,
        (NOBODY, "000660"): 2,
    }


@pytest.mark.req("S000-44", "I-36")
def test_a_sub_ledger_realises_by_its_own_cost_and_a_fill_without_rows_changes_none() -> None:
    fill = bought("4", "71000", Side.SELL)
    mine = {(ACCOUNT, fill.strategy_id, fill.symbol): held("10", "690000")}
    rows = rows_of_fill(fill, held("10", "700000"), [("BROKERAGE", D(7))])
    event = FillBooked(order_id=fill.order_id, fill=fill, ledger=rows, notice_qty=fill.qty, raw="")
    [after] = sub_positions_after(mine, event).values()
    assert (after.qty, after.cost_basis, after.realised_gross, after.costs) == (6, 414_000, 8_000, 7)
    assert sub_positions_after(mine, replace(event, ledger=())) == {}


# ---- costs --------------------------------------------------------------------------------------


def a_plan(**changes: Any) -> CostPlan:
    values: dict[str, Any] = {
        "name": "a plan",
        "currency": Currency.KRW,
        "share_rate": D("0.001"),
        "etp_rate": D("0.001"),
        "rounding": Rounding.NEAREST_WON,
    }
    return CostPlan(**(values | changes))


@pytest.mark.req("I-53")
def test_a_rate_of_nothing_is_a_rate_and_one_of_everything_is_none() -> None:
    assert a_plan(share_rate=D(0), etp_rate=D(0)).share_rate == 0
    for field in ("share_rate", "etp_rate"):
        for rate in ("1", "1.5", "-0.001"):
            with pytest.raises(ConfigError, match="fractions of value"):
                a_plan(**{field: D(rate)})


SHARE = Instrument(
    symbol="005930", market=Market.KOSPI, product=Product.SHARE, currency=Currency.KRW, venue=Venue.KRX
)


@pytest.mark.req("I-53")
def test_a_plan_covers_its_first_and_its_last_day() -> None:
    first, last = date(2025, 5, 26), date(2025, 5, 27)
    plan = a_plan(valid_from=first, valid_to=last)

    def charge(day: date) -> Any:
        return order_costs(plan, SHARE, Side.BUY, D(1_000_000), D(10), day, date(2025, 5, 28))

    assert charge(first)[0].amount == charge(last)[0].amount == 1_000
    for day in (date(2025, 5, 25), date(2025, 5, 28)):
        with pytest.raises(NoCostTable):
            charge(day)


@pytest.mark.req("I-43", "S000-46")
def test_the_calculator_knows_its_plans_and_settles_by_the_operators_calendar() -> None:
    def of(overrides: Overrides) -> CommissionCalculator:
        return CommissionCalculator(
            {"brokerage_rate": 0.0001},
            InstrumentMaster([SHARE]).get,
            trade_date_of=lambda _instrument: date(2025, 12, 26),
            overrides=overrides,
        )

    late = Overrides(days=(DayOverride(venue=Venue.KRX, day=date(2025, 12, 30), closed=True),))
    plain = of(Overrides())
    assert plain.plans[Currency.KRW].share_rate == D("0.0001")
    assert set(plain.plans) == {Currency.KRW, Currency.USD}
    sale = an_order(side=Side.SELL)
    this_year = plain.itemise(sale, 70_000, 10)
    next_year = of(late).itemise(sale, 70_000, 10)
    assert this_year != next_year, "with the thirtieth closed it settles in the next year, by its tax"


def a_paper(fact: Any, **changes: Any) -> Document:
    values: dict[str, Any] = {"name": "P-1", "trade_date": "2025-05-26", "settlement_date": "2025-05-28"}
    return Document(fact=fact, **(values | changes))


@pytest.mark.req("I-29", "I-30", "F-54")
def test_a_papers_kind_its_cash_for_a_fraction_and_the_smallest_quantity_reach_the_rows() -> None:
    kind = LedgerKind.CORRECTION
    [cash] = rows_of(a_paper(CashMoved(currency=Currency.KRW, amount=D(5), kind=kind)), ACCOUNT, None)
    shares = SharesMoved(symbol="005930", qty=D(2), cost=D(9), kind=kind)
    [moved] = rows_of(a_paper(shares), ACCOUNT, held())
    assert (cash.kind, moved.kind) == (kind, kind)
    reverse = Split(symbol="005930", new=1, old=10, cash_for_fraction=D(70_000))
    [change, paid, *_] = rows_of(a_paper(reverse), ACCOUNT, held("25", "100"))
    assert (change.qty, paid.amount) == (-23, 70_000)
    [change, *_] = rows_of(a_paper(reverse), ACCOUNT, held("25", "100"), D(2))
    assert change.qty == -23
    [change, *_] = rows_of(a_paper(replace(reverse, old=5)), ACCOUNT, held("25", "100"), D(2))
    assert change.qty == -21, "five shares are two lots and one share that is paid"


@pytest.mark.req("I-53", "F-54")
def test_a_paper_without_a_day_is_a_bad_time() -> None:
    with pytest.raises(BadInput) as caught:
        rows_of(a_paper(CashMoved(currency=Currency.KRW, amount=D(5)), trade_date="soon"), ACCOUNT, None)
    assert caught.value.reason is Reason.BAD_TIME
