"""How well an order was executed, against a pencil."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.days import DayMoney, DayStats
from jumun.model.orders import OrderStatus, Side
from jumun.rules.execution_quality import day_total, fill_ratio, quality_of, slippage
from jumun.testing.builders import ACCOUNT, START_NS, a_fill, an_order

SECOND = 1_000_000_000


@pytest.mark.req("S000-30", "S000-33")
def test_a_part_filled_buy_says_how_much_at_what_price_how_soon_and_how_far_from_arrival() -> None:
    order = an_order(
        status=OrderStatus.PART_FILLED,
        qty=D(10),
        qty_filled=D(4),
        amount_filled=D(4 * 70_050),
        arrival_price=D(70_000),
        fill_count=2,
        first_fill_ns=START_NS + 3 * SECOND,
        created_ns=START_NS,
        updated_ns=START_NS + 9 * SECOND,
        costs={"BROKERAGE": D(30), "TRANSACTION_TAX": D(12)},
    )
    fills = [a_fill(order, 1, qty=D(1)), a_fill(order, 2, qty=D(3))]
    quality = quality_of(order, fills)
    assert (quality.fill_ratio, quality.fill_count) == (D("0.4"), 2)
    assert (quality.average_price, quality.slippage, quality.costs) == (70_050, 200, 42)
    assert quality.slippage_bp is not None
    assert round(quality.slippage_bp, 6) == round(D(200) * 10_000 / D(280_000), 6)
    assert (quality.first_fill_ns, quality.completion_ns) == (3 * SECOND, None)
    assert (quality.smallest_fill, quality.largest_fill) == (1, 3)


@pytest.mark.req("S000-33")
def test_a_filled_order_tells_how_long_it_took_in_all() -> None:
    order = an_order(
        status=OrderStatus.FILLED,
        qty_filled=D(10),
        amount_filled=D(1),
        created_ns=START_NS,
        updated_ns=START_NS + 7,
    )
    assert quality_of(order).completion_ns == 7


def test_what_is_not_known_is_none_and_never_zero() -> None:
    quality = quality_of(an_order())
    assert (quality.average_price, quality.slippage, quality.slippage_bp) == (None, None, None)
    assert (quality.first_fill_ns, quality.smallest_fill) == (None, None)
    assert slippage(an_order(qty_filled=D(1), amount_filled=D(9))) is None


@pytest.mark.req("S000-50")
def test_the_fill_ratio_of_an_order_for_nothing_is_zero_and_no_crash() -> None:
    assert fill_ratio(D(0), D(0)) == 0
    assert fill_ratio(D(3), D(4)) == D("0.75")


@pytest.mark.req("S000-33")
@given(
    st.sampled_from(list(Side)),
    st.lists(st.tuples(st.integers(1, 1_000), st.integers(1, 100_000)), min_size=1),
    st.integers(1, 100_000),
)
def test_slippage_is_the_sum_of_each_fills_own(
    side: Side, fills: list[tuple[int, int]], arrival: int
) -> None:
    order = an_order(
        side=side,
        qty_filled=D(sum(qty for qty, _ in fills)),
        amount_filled=D(sum(qty * price for qty, price in fills)),
        arrival_price=D(arrival),
    )
    each = [qty * (price - arrival if side is Side.BUY else arrival - price) for qty, price in fills]
    assert slippage(order) == sum(each)


@pytest.mark.req("S000-109", "C-19")
def test_two_accounts_days_add_up_and_won_are_never_added_to_dollars() -> None:
    first = DayStats(
        account_id=ACCOUNT,
        trade_date="2025-05-26",
        fills=3,
        fills_bought=2,
        fills_sold=1,
        qty_bought=D(5),
        orders_created=4,
        orders_filled=2,
        first_fills=2,
        first_fill_ns=3 * SECOND,
        completion_ns=5 * SECOND,
        alarms={"FRAGMENTED": 1},
        money={"KRW": DayMoney(bought=D(500), sold=D(200), realised_gross=D(40), costs={"TAX": D(7)})},
    )
    second = DayStats(
        account_id=ACCOUNT,
        trade_date="2025-05-26",
        fills=1,
        orders_created=1,
        alarms={"FRAGMENTED": 2},
        money={
            "KRW": DayMoney(bought=D(1), costs={"TAX": D(1)}, slippage=D(2), slippage_base=D(400)),
            "USD": DayMoney(sold=D("9.5")),
        },
    )
    told = day_total([first, second])
    assert (told["total_fills"], told["buy_fills"], told["sell_fills"]) == (4, 2, 1)
    assert (told["total_orders"], told["order_fill_rate"]) == (5, D("0.4"))
    assert (told["average_first_fill_s"], told["average_completion_s"]) == (D("1.5"), D("2.5"))
    assert told["alarms"] == {"FRAGMENTED": 3}
    money = told["by_currency"]
    assert isinstance(money, dict)
    assert set(money) == {"KRW", "USD"}
    won, dollars = money["KRW"], money["USD"]
    assert (won["bought"], won["filled_amount"], won["total_costs"]) == (501, 701, 8)
    assert (won["realised_net"], won["slippage"], won["slippage_bp"]) == (32, 2, 50)
    assert (dollars["sold"], dollars["slippage"], dollars["slippage_bp"]) == (D("9.5"), None, None)


def test_a_day_without_orders_has_counts_of_zero_and_no_averages() -> None:
    told = day_total([])
    assert told["total_fills"] == 0
    assert told["order_fill_rate"] is told["average_first_fill_s"] is told["average_completion_s"] is None
