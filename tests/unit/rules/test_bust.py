"""Trade busts and price corrections: reversed once, by rows that balance, and alarmed (F-53, I-06, I-32)."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.events import FillReversed
from jumun.model.orders import Flag, Order, OrderStatus, Side
from jumun.model.reports import TradeBust
from tests.unit.rules.desk_values import (
    ACCOUNT,
    SAMSUNG,
    Bench,
    D,
    a_ref,
    a_report,
    a_sale,
    an_intent,
    names,
)

S = OrderStatus
CASH = D(100_000_000)


def a_bust(order: Order, qty: int = 10, price: int = 70_000, **changes: Any) -> TradeBust:
    values: dict[str, Any] = {
        "account_id": order.account_id,
        "ref": order.newest_ref or a_ref(),
        "symbol": order.symbol,
        "side": order.side,
        "qty": D(qty),
        "price": D(price),
        "price_new": None,
        "ts_event_ns": order.created_ns,
        "identity": "bust-1",
        "raw": "busted",
    }
    return TradeBust(**(values | changes))


@pytest.mark.req("F-53", "I-06", "I-29", "I-30", "I-32")
def test_a_bust_takes_shares_money_and_costs_back_as_if_the_fill_had_never_been() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    assert bench.book.cash[ACCOUNT, "KRW"] < CASH - 700_000
    decision = bench.hear(a_bust(order))
    assert names(decision) == ["FillReversed"]
    assert decision.ask, "the broker's list must confirm it"
    now = bench.order(order)
    assert (now.status, now.flags, now.qty_filled, now.amount_filled) == (S.FILLED, (Flag.BUSTED,), 0, 0)
    assert bench.book.cash[ACCOUNT, "KRW"] == CASH
    position = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (position.qty, position.cost_basis, position.costs, position.realised_net) == (0, 0, 0, 0)
    assert bench.entries[-1].messages[0].event_type == "fill_reversed"


@pytest.mark.req("F-53", "I-09", "F-20")
def test_the_same_bust_counts_once() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(a_bust(order))
    assert bench.hear(a_bust(bench.order(order))).events == ()


@pytest.mark.req("F-53", "I-36")
def test_a_corrected_price_moves_the_difference_between_cash_and_the_cost_of_the_shares() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(a_bust(order, price_new=D(69_000)))
    now = bench.order(order)
    assert (now.qty_filled, now.amount_filled) == (10, 690_000)
    position = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (position.qty, position.cost_basis) == (10, 690_000)
    assert bench.book.cash[ACCOUNT, "KRW"] == CASH - 690_000 - position.costs


@pytest.mark.req("F-53", "I-36")
def test_a_corrected_price_of_shares_that_are_gone_is_a_result() -> None:
    bench = Bench()
    order = bench.fill(bench.working(an_intent(1)), 10)
    bench.fill(bench.working(a_sale(2), number=2), 10, number=2)
    bench.hear(a_bust(order, price_new=D(69_000)))
    position = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (position.qty, position.cost_basis, position.realised_gross) == (0, 0, 10_000)


@pytest.mark.req("I-19", "F-44", "F-53", "I-06")
def test_a_list_from_before_the_bust_does_not_bring_the_fill_back() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(a_bust(order))
    stale = a_report(order, qty_filled=D(10), amount_filled=D(700_000))
    assert bench.study(stale).events == ()
    bench.wait(60)
    bench.study(a_report(order, qty_filled=D(0), amount_filled=D(0)))
    assert bench.order(order).qty_filled == 0
    bench.study(a_report(order, qty_filled=D(4), amount_filled=D(280_000)))
    again = bench.order(order)
    assert (again.qty_filled, again.status) == (4, S.FILLED), (
        "what really filled since counts, and is flagged"
    )
    assert Flag.LATE_FILL in again.flags


@pytest.mark.req("F-53", "F-17")
@pytest.mark.parametrize("changes", [{"side": Side.SELL}, {"symbol": "000660"}])
def test_a_bust_that_fits_no_fill_of_ours_is_left_to_a_person(changes: dict[str, Any]) -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    decision = bench.hear(a_bust(order, **changes))
    assert names(decision) == ["OrderFlagged"]
    assert bench.order(order).qty_filled == 10


@pytest.mark.req("F-53", "I-09", "F-21")
def test_a_bust_that_overtakes_its_fill_waits_for_it() -> None:
    bench = Bench()
    order = bench.working()
    early = bench.hear(a_bust(order))
    assert (early.park, early.ask, early.events) == (True, True, ())
    order = bench.fill(order, 10)
    bench.hear(a_bust(order))
    assert bench.order(order).qty_filled == 0
    assert bench.book.cash[ACCOUNT, "KRW"] == CASH


@pytest.mark.req("F-53", "I-34")
def test_a_bust_ends_the_newest_sales_of_shares_that_are_gone() -> None:
    bench = Bench(shares={SAMSUNG: 5})
    order = bench.fill(bench.working(an_intent(1)), 10)
    first = bench.working(a_sale(2, qty=D(4)), number=2)
    second = bench.working(a_sale(3, qty=D(6), price=D(71_000)), number=3)
    third = bench.submit(a_sale(4, qty=D(5), price=D(71_500)))
    decision = bench.hear(a_bust(order))
    assert [type(event).__name__ for event in decision.events].count("CancelRequested") == 2
    assert bench.order(first).cancel_requested_ns is None
    assert bench.order(second).cancel_open, "the broker is asked"
    assert bench.order(third).status is S.CANCELLED, "it had not left"
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 5


@pytest.mark.req("F-21", "F-53")
def test_a_bust_of_a_number_nobody_knows_is_parked() -> None:
    bench = Bench()
    order = bench.working()
    assert bench.hear(a_bust(order, ref=a_ref(9))).park


@pytest.mark.req("F-53", "I-35")
def test_a_bust_of_a_buy_whose_shares_were_sold_shows_the_account_short() -> None:
    bench = Bench()
    order = bench.fill(bench.working(an_intent(1)), 10)
    bench.fill(bench.working(a_sale(2), number=2), 10, number=2)
    bench.hear(a_bust(order))
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == -10, "it is so, and a person must know"


@pytest.mark.req("F-53", "I-32", "I-36", "S000-25")
@given(
    trades=st.lists(
        st.tuples(st.sampled_from(Side), st.integers(1, 9), st.integers(680, 720)), min_size=1, max_size=6
    ),
    which=st.integers(0, 5),
    repriced=st.booleans(),
)
def test_after_a_bust_the_books_are_those_of_a_day_without_that_fill(
    trades: list[tuple[Side, int, int]], which: int, repriced: bool
) -> None:
    """Cash, shares and total result agree with a second desk that never had the fill, or had it right."""
    which = which % len(trades)
    busted, plain = Bench(shares={SAMSUNG: 100}), Bench(shares={SAMSUNG: 100})
    orders = {}
    for bench in (busted, plain):
        for number, (side, qty, hundreds) in enumerate(trades):
            price = D(hundreds * 100)
            make = an_intent if side is Side.BUY else a_sale
            limit = D(72_000) if side is Side.BUY else D(68_000)
            order = bench.working(make(number, qty=D(qty), price=limit), number=number + 1)
            orders[number] = order
            if bench is plain and number == which:
                if repriced:
                    bench.fill(order, qty, number=number, price=D(70_000))
                continue
            bench.fill(order, qty, number=number, price=price)
    _, qty, hundreds = trades[which]
    new = D(70_000) if repriced else None
    bust = a_bust(orders[which], qty=qty, price=hundreds * 100, price_new=new)
    busted.hear(TradeBust(**{f: getattr(bust, f) for f in bust.__struct_fields__}))
    assert busted.book.cash == plain.book.cash
    ours, theirs = (bench.book.positions[ACCOUNT, SAMSUNG] for bench in (busted, plain))
    assert (ours.qty, ours.costs) == (theirs.qty, theirs.costs)
    mark = D(71_000)
    assert _total(ours, mark) == _total(theirs, mark)


def _total(position: Any, mark: Decimal) -> Decimal:
    total: Decimal = position.realised_gross + position.qty * mark - position.cost_basis - position.costs
    return total


def test_a_bust_says_whose_it_was() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(a_bust(order, qty=4))
    [event] = [r.event for r in bench.records if isinstance(r.event, FillReversed)]
    assert (event.side, event.strategy_id, event.qty, event.amount) == (Side.BUY, "momentum", 4, 280_000)
    assert bench.book.strategies[ACCOUNT, "momentum", SAMSUNG].qty == 6
