"""Figures at their edges: fractions of a share or a won, fills taken back, the last close, sales."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.days import DayMoney, DayStats
from jumun.model.errors import BadInput
from jumun.model.events import FillBooked, FillReversed
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import Side
from jumun.rules.corporate import Booked, cash_moved, shares_moved
from jumun.rules.daily_equity import DailyLedger
from jumun.rules.day_stats import count, keep_newest, newest_session
from jumun.rules.execution_quality import day_total, quality_of
from jumun.rules.portfolio import figures, with_fill
from jumun.rules.risk_metrics import (
    RETURNS_MIN,
    DayValue,
    at_risk,
    daily_results,
    drawdown,
    historical_var,
    not_known,
    volatility,
)
from jumun.rules.sessions import session_on
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.testing.builders import ACCOUNT, a_fill, a_position, a_ref, an_order

D = Decimal
DAY = "2025-05-26"
WON = {Currency.KRW: D(1)}


def booked(side: Side, qty: int, price: int, *ledger: LedgerRow) -> FillBooked:
    fill = a_fill(an_order(side=side), qty=D(qty), price=D(price), amount=D(qty) * price, side=side)
    return FillBooked(order_id=fill.order_id, fill=fill, ledger=ledger, notice_qty=fill.qty, raw="")


def reversed_fill(side: Side, qty: int, amount: int, *ledger: LedgerRow) -> FillReversed:
    return FillReversed(
        order_id=an_order().order_id,
        identity="bust",
        account_id=ACCOUNT,
        strategy_id="momentum",
        side=side,
        currency=Currency.KRW,
        ref=a_ref(),
        qty=D(qty),
        amount=D(amount),
        ledger=ledger,
        text="",
        raw="",
    )


def a_row(kind: LedgerKind, amount: int, debit: LedgerAccount, credit: LedgerAccount) -> LedgerRow:
    return LedgerRow(
        kind=kind,
        account_id=ACCOUNT,
        currency=Currency.KRW,
        amount=D(amount),
        debit=debit,
        credit=credit,
        cost_kind="BROKERAGE",
        trade_date=DAY,
        settlement_date=DAY,
    )


# ---- a day's figures ----------------------------------------------------------------------------


@pytest.mark.req("S000-33", "S000-109")
def test_sales_are_counted_beside_buys_in_fills_shares_and_money() -> None:
    stats = DayStats(account_id=ACCOUNT, trade_date=DAY)
    order = an_order()
    for event in (booked(Side.BUY, 4, 70_000), booked(Side.SELL, 3, 71_000), booked(Side.SELL, 2, 72_000)):
        stats = count(stats, event, order, order)
    assert (stats.fills, stats.fills_bought, stats.fills_sold) == (3, 1, 2)
    assert (stats.qty_bought, stats.qty_sold) == (4, 5)
    assert (stats.money["KRW"].bought, stats.money["KRW"].sold) == (280_000, 357_000)


@pytest.mark.req("F-53", "I-06")
def test_a_sale_that_is_taken_back_leaves_the_sales_and_its_cost_comes_back() -> None:
    paid = a_row(LedgerKind.FEE, 40, LedgerAccount.FEES, LedgerAccount.CASH)
    back = a_row(LedgerKind.FEE, 15, LedgerAccount.CASH, LedgerAccount.FEES)
    order = an_order()
    stats = count(
        DayStats(account_id=ACCOUNT, trade_date=DAY), booked(Side.SELL, 5, 70_000, paid), order, order
    )
    stats = count(stats, reversed_fill(Side.SELL, 2, 140_000, back), order, order)
    money = stats.money["KRW"]
    assert (stats.qty_sold, stats.qty_bought, stats.busts) == (3, 0, 1)
    assert (money.sold, money.bought, money.costs) == (210_000, 0, {"BROKERAGE": D(25)})


def test_a_bust_on_a_day_without_fills_starts_from_nothing() -> None:
    order = an_order()
    stats = count(
        DayStats(account_id=ACCOUNT, trade_date=DAY), reversed_fill(Side.BUY, 2, 140_000), order, order
    )
    assert stats.money["KRW"] == DayMoney(bought=D(-140_000))
    assert stats.qty_bought == -2


@pytest.mark.req("S000-33")
def test_a_new_day_begins_at_the_first_instant_of_its_first_window() -> None:
    plan = session_on(Venue.KRX, date(2025, 5, 27))
    assert plan is not None
    assert newest_session([Venue.KRX], plan.first_ns, NO_OVERRIDES) == "2025-05-27"
    assert newest_session([Venue.KRX], plan.first_ns - 1, NO_OVERRIDES) == "2025-05-26"


def test_fewer_days_than_the_most_are_all_kept() -> None:
    days: dict[tuple[str, str], DayStats] = {
        (ACCOUNT, f"2025-05-{n}"): DayStats(account_id=ACCOUNT, trade_date=f"2025-05-{n}") for n in (26, 27)
    }
    for most, left in ((3, 2), (2, 2), (1, 1)):
        kept: dict[tuple[str, str], DayStats] = dict(days)
        keep_newest(kept, ACCOUNT, most)
        assert len(kept) == left
        assert (ACCOUNT, "2025-05-27") in kept


@pytest.mark.req("S000-109")
def test_adopted_orders_count_as_created_in_the_days_totals() -> None:
    day = DayStats(account_id=ACCOUNT, trade_date=DAY, orders_created=3, orders_adopted=2, orders_filled=1)
    assert D("0.2") in day_total([day]).values(), "one of five was filled"


def test_a_slippage_without_an_arrival_price_is_not_known() -> None:
    order = an_order(qty_filled=D(4), amount_filled=D(280_000), arrival_price=None)
    quality = quality_of(order)
    assert (quality.slippage, quality.slippage_bp) == (None, None)
    fresh = quality_of(an_order(arrival_price=D(70_000)))
    assert (fresh.slippage, fresh.slippage_bp) == (None, None)


# ---- the portfolio ------------------------------------------------------------------------------


def told(**changes: Any) -> Any:
    values: dict[str, Any] = {"qty": D(1), "cost_basis": D("0.4"), "mark": D("0.5")} | changes
    return figures([a_position(**values)], {Currency.KRW: D(0)}, WON)


@pytest.mark.req("S000-80", "S000-107")
def test_values_below_one_are_long_or_short_all_the_same() -> None:
    long, short = told(), told(qty=D(-1), cost_basis=D("-0.4"))
    assert (long.long, long.short, long.gross, long.net) == (D("0.5"), 0, D("0.5"), D("0.5"))
    assert (short.long, short.short, short.gross, short.net) == (0, D("0.5"), D("0.5"), D("-0.5"))
    assert long.leverage == 1
    assert short.leverage is None
    bare = figures([], {Currency.KRW: D(0)}, WON)
    assert bare is not None
    assert bare.leverage is None, "no equity, no leverage"


@pytest.mark.req("S000-43")
def test_a_fill_of_half_a_share_at_half_a_won_is_a_fill() -> None:
    after = with_fill(a_position(qty=D(0), cost_basis=D(0)), Side.BUY, D("0.5"), D("0.5"))
    assert (after.qty, after.cost_basis) == (D("0.5"), D("0.25"))
    for qty, price in ((D(0), D(1)), (D(1), D(0))):
        with pytest.raises(BadInput):
            with_fill(after, Side.BUY, qty, price)


# ---- risk ---------------------------------------------------------------------------------------


def line(days: int, first: str = "100") -> dict[str, Decimal]:
    return {f"2025-{1 + n // 28:02}-{1 + n % 28:02}": D(first) + n % 3 for n in range(days)}


@pytest.mark.req("S000-82")
def test_one_day_more_than_returns_are_needed_is_enough() -> None:
    assert len(daily_results({"A": D(1)}, {"A": line(RETURNS_MIN + 1)})) == RETURNS_MIN
    assert isinstance(daily_results({"A": D(1)}, {"A": line(RETURNS_MIN)}), str)
    both = {"A": line(RETURNS_MIN + 1), "B": dict(list(line(RETURNS_MIN + 2).items())[1:])}
    assert isinstance(daily_results({"A": D(1), "B": D(1)}, both), str), "they share a day too few"
    free = line(RETURNS_MIN + 1) | {"2024-12-31": D(0)}
    assert len(daily_results({"A": D(1)}, {"A": free})) == RETURNS_MIN, "a close of nothing is no close"
    cheap = line(RETURNS_MIN + 1, "0.25")
    assert len(daily_results({"A": D(1)}, {"A": cheap})) == RETURNS_MIN


@pytest.mark.req("S000-82")
def test_the_worst_day_of_a_few_is_the_value_at_risk_and_no_days_are_counted_of_what_is_not_known() -> None:
    assert historical_var([D(-5), D(-3), D(1)]) == 5
    assert historical_var([D(n) for n in range(-20, 0)]) == 20
    assert not_known("why").days == 0
    assert at_risk({}, {}).days == 0


def test_holdings_worth_half_a_won_have_a_volatility_and_those_worth_nothing_have_none() -> None:
    assert volatility([D(1), D(3)], D("0.5")).value is not None
    assert volatility([D(1), D(3)], D(0)).value is None


def a_day(day: int, equity: str, flow: str = "0") -> DayValue:
    return DayValue(date=f"2025-05-{day}", equity=D(equity), flow=D(flow))


@pytest.mark.req("S000-81", "S000-22")
def test_a_fall_below_the_first_day_is_a_fall_also_of_an_account_of_less_than_a_won() -> None:
    fall = drawdown([a_day(26, "50", "100"), a_day(27, "25")])
    assert (fall.worst.value, fall.now.value) == (D("0.75"), D("0.75"))
    small = drawdown([a_day(26, "0.5", "0.5"), a_day(27, "0.25")])
    assert small.worst.value == D("0.5")
    nothing = drawdown([a_day(26, "0"), a_day(27, "5")])
    assert nothing.worst.value is None, "a gain on nothing has no base"


# ---- equity by day ------------------------------------------------------------------------------

DAYS = ("2025-05-26", "2025-05-27", "2025-05-28")


def on(day: str, account: AccountId = ACCOUNT) -> Booked:
    return Booked(account_id=account, document="paper", trade_date=day, settlement_date=day)


@pytest.mark.req("I-36")
def test_a_row_of_the_day_that_was_melted_last_goes_there_too() -> None:
    ledger = DailyLedger(dates_max=1)
    ledger.add(cash_moved(on(DAYS[0]), Currency.KRW, D(100)))
    ledger.add(cash_moved(on(DAYS[1]), Currency.KRW, D(10)))
    ledger.add(cash_moved(on(DAYS[0]), Currency.KRW, D(5)))
    days = ledger.days([ACCOUNT], Currency.KRW, {})
    assert not isinstance(days, str)
    assert [(day.date, day.equity) for day in days] == [(DAYS[1], 115)]


@pytest.mark.req("I-36")
def test_shares_of_other_accounts_and_currencies_are_not_in_it_and_what_left_needs_no_close() -> None:
    other = AccountId("other")
    flat = a_position(qty=D(0), cost_basis=D(0))
    ledger = DailyLedger()
    ledger.add(cash_moved(on(DAYS[0]), Currency.KRW, D(100)))
    ledger.add(shares_moved(on(DAYS[0]), flat, D(3), D(30)))
    ledger.add(
        shares_moved(on(DAYS[0], other), replace(flat, account_id=other, symbol="000660"), D(7), D(70))
    )
    dollars = replace(flat, symbol="AAPL", currency=Currency.USD)
    ledger.add(shares_moved(on(DAYS[0]), dollars, D(9), D(90)))
    held = a_position(qty=D(3), cost_basis=D(30))
    ledger.add(shares_moved(on(DAYS[1]), held, D(-3)))
    ledger.add(cash_moved(on(DAYS[2]), Currency.KRW, D(1)))
    closes = {"005930": {DAYS[0]: D(20)}}
    days = ledger.days([ACCOUNT], Currency.KRW, closes)
    assert not isinstance(days, str)
    assert [day.equity for day in days] == [160], "up to the newest close"
    assert ledger.symbols([ACCOUNT], Currency.KRW) == {"005930"}
    late = {"005930": {DAYS[0]: D(20), DAYS[2]: D(30)}}
    days = ledger.days([ACCOUNT], Currency.KRW, late)
    assert not isinstance(days, str)
    assert [(day.equity, day.flow) for day in days] == [(160, 160), (100, -60), (101, 1)]


def test_the_first_day_of_the_ledger_counts_also_where_closes_are_older() -> None:
    ledger = DailyLedger()
    ledger.add(cash_moved(on(DAYS[1]), Currency.KRW, D(100)))
    days = ledger.days([ACCOUNT], Currency.KRW, {"X": {day: D(1) for day in DAYS}})
    assert not isinstance(days, str)
    assert [day.date for day in days] == [DAYS[1], DAYS[2]]


def test_a_position_that_came_and_went_leaves_no_symbol_behind() -> None:
    ledger = DailyLedger(dates_max=1)
    ledger.add(shares_moved(on(DAYS[0]), a_position(qty=D(0), cost_basis=D(0)), D(3), D(30)))
    ledger.add(shares_moved(on(DAYS[0]), a_position(qty=D(3), cost_basis=D(30)), D(-3)))
    ledger.add(cash_moved(on(DAYS[1]), Currency.KRW, D(1)))
    assert ledger.symbols([ACCOUNT], Currency.KRW) == frozenset()


@pytest.mark.req("S000-33")
def test_only_the_first_fill_of_an_order_is_a_first_fill() -> None:
    fresh, filled = an_order(), an_order(fill_count=1)
    stats = DayStats(account_id=ACCOUNT, trade_date=DAY)
    for before in (fresh, filled, None):
        stats = count(stats, booked(Side.BUY, 1, 70_000), before, before)
    assert (stats.fills, stats.first_fills) == (3, 1)
