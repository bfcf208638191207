"""Equity by day is what cash and shares were worth at each close, and its results are the books' results."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jumun.model.events import EntryBooked, FillBooked, OpeningBooked, Recovered
from jumun.model.fills import LedgerRow
from jumun.model.ids import AccountId, UserId
from jumun.model.money import Currency
from jumun.model.orders import Side
from jumun.model.positions import Position
from jumun.rules.corporate import Booked, cash_moved, shares_moved, split
from jumun.rules.daily_equity import DailyLedger, rows_of
from jumun.rules.ledger import apply_rows, rows_of_fill
from jumun.rules.risk_metrics import results_by_day
from jumun.testing.builders import ACCOUNT, a_fill, a_position, an_order

DATES = [f"2025-05-{day}" for day in (26, 27, 28, 29, 30)]


def on(day: str) -> Booked:
    return Booked(account_id=ACCOUNT, document="paper", trade_date=day, settlement_date=day)


def deposit(day: str, amount: int) -> tuple[LedgerRow, ...]:
    return cash_moved(on(day), Currency.KRW, D(amount))


def flat(symbol: str = "005930") -> Position:
    return a_position(symbol=symbol, qty=D(0), cost_basis=D(0))


def traded(
    day: str, side: Side, qty: int, price: int, held: Position, cost: int = 0
) -> tuple[LedgerRow, ...]:
    fill = a_fill(an_order(side=side), 1, qty=D(qty), price=D(price), trade_date=day)
    return rows_of_fill(fill, held, [("BROKERAGE", D(cost))])


@pytest.mark.req("I-36")
def test_each_close_values_what_was_held_on_that_day_and_costs_are_losses() -> None:
    ledger = DailyLedger()
    ledger.add(deposit(DATES[0], 1_000_000))
    ledger.add(traded(DATES[1], Side.BUY, 10, 70_000, flat(), cost=500))
    closes = {"005930": {DATES[1]: D(71_000), DATES[2]: D(69_000)}}
    days = ledger.days([ACCOUNT], Currency.KRW, closes)
    assert not isinstance(days, str)
    assert [(day.date, day.equity, day.flow) for day in days] == [
        (DATES[0], 1_000_000, 1_000_000),
        (DATES[1], 1_009_500, 0),
        (DATES[2], 989_500, 0),
    ]
    assert [result for _, result in results_by_day(days)] == [0, 9_500, -20_000]


@pytest.mark.req("I-36", "F-54")
def test_a_split_brings_shares_and_no_result_and_shares_brought_in_are_a_deposit() -> None:
    ledger = DailyLedger()
    came = shares_moved(on(DATES[0]), flat(), D(4), D(200_000))
    held = apply_rows(flat(), came)
    ledger.add(came)
    ledger.add(split(on(DATES[1]), held, 5, 1))
    closes = {"005930": {DATES[0]: D(60_000), DATES[1]: D(12_500)}}
    days = ledger.days([ACCOUNT], Currency.KRW, closes)
    assert not isinstance(days, str)
    assert [(day.equity, day.flow) for day in days] == [(240_000, 240_000), (250_000, 0)]


@pytest.mark.req("I-53")
def test_a_day_without_a_price_is_not_valued_at_nothing() -> None:
    ledger = DailyLedger()
    ledger.add(traded(DATES[1], Side.BUY, 1, 70_000, flat()))
    why = ledger.days([ACCOUNT], Currency.KRW, {"005930": {DATES[2]: D(1)}})
    assert why == "005930 has no close on 2025-05-27 or before; load its history from then on"
    assert ledger.symbols([ACCOUNT], Currency.KRW) == {"005930"}
    assert ledger.symbols([ACCOUNT], Currency.USD) == frozenset()


def test_other_accounts_other_currencies_and_days_after_the_last_close_stay_out() -> None:
    ledger = DailyLedger()
    ledger.add(deposit(DATES[0], 100))
    ledger.add([replace(row, account_id=AccountId("other")) for row in deposit(DATES[0], 7)])
    ledger.add([replace(row, currency=Currency.USD) for row in deposit(DATES[0], 9)])
    ledger.add(traded(DATES[1], Side.BUY, 1, 40, flat()))
    ledger.add(deposit(DATES[3], 1_000))
    days = ledger.days([ACCOUNT], Currency.KRW, {"005930": {DATES[1]: D(50), DATES[2]: D(60)}})
    assert not isinstance(days, str)
    assert [day.equity for day in days] == [100, 110, 120]
    assert DailyLedger().days([ACCOUNT], Currency.KRW, {}) == ()


def test_only_events_that_move_money_or_shares_have_rows() -> None:
    rows = deposit(DATES[0], 5)
    order = an_order()
    fill = FillBooked(order_id=order.order_id, fill=a_fill(order), ledger=rows, notice_qty=D(1), raw="")
    opening = OpeningBooked(account_id=ACCOUNT, rows=rows, document="opening")
    entry = EntryBooked(account_id=ACCOUNT, rows=rows, document="paper", by=UserId("u"), text="")
    assert rows_of(fill) == rows_of(opening) == rows_of(entry) == rows
    assert rows_of(Recovered(unknown=0, adopted=0, text="")) == ()


TRADES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(list(Side)),
        st.integers(1, 20),
        st.integers(1, 900),
        st.integers(0, 9),
    ),
    max_size=15,
)


@pytest.mark.req("I-36")
@given(TRADES, st.lists(st.integers(1, 900), min_size=5, max_size=5), st.sampled_from([2, 3, 400]))
def test_the_days_results_sum_to_the_books_result_however_few_days_are_kept(
    trades: list[tuple[int, Side, int, int, int]], prices: list[int], kept: int
) -> None:
    ledger, held = DailyLedger(kept), flat()
    ledger.add(deposit(DATES[0], 10_000))
    spent, shares = [0] * 5, [0] * 5
    for day, side, qty, price, cost in sorted(trades, key=lambda trade: trade[0]):
        rows = traded(DATES[day], side, qty, price, held, cost)
        held = apply_rows(held, rows)
        ledger.add(rows)
        sign = 1 if side is Side.BUY else -1
        for later in range(day, 5):
            spent[later] += sign * qty * price + cost
            shares[later] += sign * qty
    closes = {"005930": {day: D(price) for day, price in zip(DATES, prices, strict=True)}}
    days = ledger.days([ACCOUNT], Currency.KRW, closes)
    assert not isinstance(days, str)
    equity = {
        day: 10_000 - spent[number] + shares[number] * prices[number] for number, day in enumerate(DATES)
    }
    assert {day.date: day.equity for day in days} == {day.date: equity[day.date] for day in days}
    assert days[-1].date == DATES[-1]
    if kept == 400:
        total = held.realised_net + shares[4] * prices[4] - held.cost_basis
        assert sum(result for _, result in results_by_day(days)) == total


def test_a_row_of_a_day_that_is_no_longer_kept_apart_still_counts() -> None:
    ledger = DailyLedger(2)
    for day in DATES[:3]:
        ledger.add(deposit(day, 100))
    ledger.add(deposit(DATES[0], 50))  # a correction of a day that has been melted
    days = ledger.days([ACCOUNT], Currency.KRW, {})
    assert not isinstance(days, str)
    assert [(day.date, day.equity, day.flow) for day in days] == [(DATES[1], 250, 250), (DATES[2], 350, 100)]
