"""Counting fills: whatever the order of arrival, however often, the broker's own total is where it ends."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.events import FillBooked, NoticeCounted
from jumun.model.ids import ExecutionId
from jumun.model.orders import Order, OrderStatus
from jumun.model.reports import FillNotice
from jumun.rules.fills import (
    Booking,
    Counted,
    Explained,
    Nothing,
    count_cumulative,
    count_notice,
    notice_identity,
)
from jumun.rules.order_machine import evolve
from jumun.testing.builders import START_NS, a_fill, a_ref, an_order

D = Decimal
SECOND = 1_000_000_000
ORDER = an_order(qty=D(1_000_000), price=None, status=OrderStatus.ACCEPTED, refs=(a_ref(),))


class Trade(msgspec.Struct, frozen=True):
    """What really happened at the exchange."""

    qty: Decimal
    price: Decimal
    second: int


class Figure(msgspec.Struct, frozen=True):
    """A cumulative figure of the broker."""

    qty: Decimal
    amount: Decimal


def a_notice(
    qty: object = 10, price: object = 70_000, number: int | None = 1, **changes: object
) -> FillNotice:
    values: dict[str, object] = {
        "account_id": ORDER.account_id,
        "ref": a_ref(),
        "symbol": ORDER.symbol,
        "side": ORDER.side,
        "qty": D(str(qty)),
        "price": D(str(price)),
        "ts_event_ns": START_NS,
        "execution_id": None if number is None else ExecutionId(f"E{number}"),
    }
    return FillNotice(**(values | changes))  # type: ignore[arg-type]


def book(order: Order, counted: Counted) -> Order:
    """What the desk does with a count, ledger aside."""
    if isinstance(counted, Explained):
        event = NoticeCounted(order_id=order.order_id, identity=counted.identity, qty=counted.qty)
        return evolve(order, event, START_NS)
    if isinstance(counted, Booking):
        assert counted.qty > 0
        assert counted.amount > 0
        fill = a_fill(
            order,
            qty=counted.qty,
            price=counted.price,
            amount=counted.amount,
            identity=counted.identity,
        )
        booked = FillBooked(
            order_id=order.order_id, fill=fill, ledger=(), notice_qty=counted.notice_qty, raw=""
        )
        return evolve(order, booked, START_NS)
    return order


def hear(order: Order, what: FillNotice | Figure) -> Order:
    if isinstance(what, Figure):
        return book(order, count_cumulative(order, a_ref(), what.qty, what.amount))
    return book(order, count_notice(order, what))


def totals(trades: list[Trade]) -> Figure:
    return Figure(
        sum((trade.qty for trade in trades), D(0)), sum((trade.qty * trade.price for trade in trades), D(0))
    )


# ---- single counts --------------------------------------------------------------------------------


@pytest.mark.req("F-20", "I-09")
def test_the_same_execution_counts_once() -> None:
    first = count_notice(ORDER, a_notice(10))
    assert first == Booking("exec:E1", D(10), D(70_000), D(700_000), D(10))
    assert count_notice(book(ORDER, first), a_notice(10)) == Nothing(ask=False)


@pytest.mark.req("F-30", "I-12")
def test_two_executions_that_look_alike_both_count() -> None:
    order = hear(hear(ORDER, a_notice(10, number=1)), a_notice(10, number=2))
    assert (order.qty_filled, order.amount_filled) == (20, 1_400_000)


@pytest.mark.req("F-30", "I-12")
def test_without_execution_ids_a_twin_waits_for_the_cumulative_figure() -> None:
    twin = a_notice(10, number=None)
    order = hear(ORDER, twin)
    assert count_notice(order, twin) == Nothing(ask=True)
    order = hear(order, Figure(D(20), D(1_400_000)))
    assert (order.qty_filled, order.amount_filled) == (20, 1_400_000)


@pytest.mark.req("I-09")
def test_a_notice_that_a_figure_came_before_books_nothing_and_asks() -> None:
    order = hear(ORDER, Figure(D(10), D(700_000)))
    assert count_notice(order, a_notice(10)) == Explained("exec:E1", D(10))
    order = hear(order, a_notice(10))
    assert (order.qty_filled, order.amount_filled) == (10, 700_000)
    assert count_notice(order, a_notice(10)) == Nothing(ask=False)


@pytest.mark.req("I-06", "F-38", "F-44", "I-19")
def test_a_figure_that_goes_back_changes_nothing() -> None:
    order = hear(ORDER, Figure(D(10), D(700_000)))
    for stale in (Figure(D(4), D(280_000)), Figure(D(0), D(0)), Figure(D(10), D(700_000))):
        assert count_cumulative(order, a_ref(), stale.qty, stale.amount) == Nothing(ask=False)


@pytest.mark.req("I-04", "F-39")
def test_the_price_of_a_figure_is_derived_from_the_amounts() -> None:
    order = hear(ORDER, Figure(D(3), D(210_100)))
    counted = count_cumulative(order, a_ref(), D(6), D(420_400))
    assert counted == Booking("cum:6", D(3), D(210_300) / 3, D(210_300), D(0))


@pytest.mark.req("F-39", "I-39")
@pytest.mark.parametrize("amount", [0, 700_000, 600_000])
def test_more_shares_for_no_more_money_book_nothing_and_ask(amount: int) -> None:
    order = hear(ORDER, Figure(D(10), D(700_000)))
    assert count_cumulative(order, a_ref(), D(12), D(amount)) == Nothing(ask=True)


@pytest.mark.req("F-41", "I-39")
@pytest.mark.parametrize(("qty", "price"), [(0, 70_000), (-1, 70_000), (10, 0), (10, -5)])
def test_a_notice_of_nothing_or_for_nothing_is_not_booked(qty: int, price: int) -> None:
    assert count_notice(ORDER, a_notice(qty, price)) == Nothing(ask=True)


def test_identity_is_the_execution_or_what_can_be_seen_of_it() -> None:
    assert notice_identity(a_notice(number=7)) == "exec:E7"
    seen = a_notice("10.0", "70000.00", number=None, ts_event_ns=START_NS + 999_999_999)
    assert notice_identity(seen) == notice_identity(a_notice(10, 70_000, number=None))
    assert notice_identity(seen) != notice_identity(a_notice(number=None, ts_event_ns=START_NS + SECOND))
    assert notice_identity(seen) != notice_identity(a_notice(1, 700_000, number=None))


# ---- notices that carry a count --------------------------------------------------------------------


@pytest.mark.req("F-20", "I-12")
def test_a_notice_with_both_figures_is_as_good_as_a_history() -> None:
    first = a_notice(10, qty_cumulative=D(10), amount_cumulative=D(700_000))
    twin = a_notice(10, qty_cumulative=D(20), amount_cumulative=D(1_400_000))
    order = hear(hear(hear(ORDER, first), twin), first)
    assert (order.qty_filled, order.amount_filled) == (20, 1_400_000)


@pytest.mark.req("F-30", "I-12")
def test_a_notice_with_a_count_of_shares_tells_a_twin_from_a_repeat() -> None:
    first, twin = a_notice(10, qty_cumulative=D(10)), a_notice(10, qty_cumulative=D(20))
    order = hear(hear(hear(ORDER, first), first), twin)
    assert (order.qty_filled, order.amount_filled) == (20, 1_400_000)
    assert count_notice(order, twin) == Nothing(ask=False)


@pytest.mark.req("F-24", "I-09")
def test_a_count_that_jumps_means_a_notice_is_missing_and_asks() -> None:
    assert count_notice(ORDER, a_notice(10, qty_cumulative=D(20))) == Nothing(ask=True)


# ---- any arrival -----------------------------------------------------------------------------------

TRADES = st.lists(
    st.builds(
        Trade,
        st.integers(1, 3).map(D),
        st.sampled_from([D(70_000), D(70_100), D("69900.5")]),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def arrivals(draw: st.DrawFn, *, ids: bool) -> tuple[list[Trade], list[FillNotice | Figure]]:
    """Trades, and what is heard of them: each notice none to three times, figures of any moment, shuffled."""
    trades = draw(TRADES)
    heard: list[FillNotice | Figure] = []
    for number, trade in enumerate(trades):
        notice = a_notice(
            trade.qty,
            trade.price,
            number if ids else None,
            ts_event_ns=START_NS + trade.second * SECOND,
        )
        heard += [notice] * draw(st.integers(0, 3))
    for moment in draw(st.lists(st.integers(0, len(trades)), max_size=3)):
        heard.append(totals(trades[:moment]))
    return trades, draw(st.permutations(heard))


@pytest.mark.req("I-09", "I-12", "F-20", "F-21", "F-30", "I-06", "F-38")
@given(story=st.booleans().flatmap(lambda ids: arrivals(ids=ids)))
def test_any_arrival_ends_at_the_exchanges_figures_once_a_last_one_comes(
    story: tuple[list[Trade], list[FillNotice | Figure]],
) -> None:
    trades, heard = story
    truth, order = totals(trades), ORDER
    for what in heard:
        before, order = order, hear(order, what)
        assert before.qty_filled <= order.qty_filled <= truth.qty, "shares were lost or invented"
        assert before.amount_filled <= order.amount_filled
    order = hear(order, truth)
    assert (order.qty_filled, order.amount_filled) == (truth.qty, truth.amount)
    for what in heard:
        order = hear(order, what)
    assert (order.qty_filled, order.amount_filled) == (truth.qty, truth.amount)


@pytest.mark.req("I-09", "F-20", "F-21")
@given(trades=TRADES, data=st.data())
def test_with_execution_ids_every_notice_at_least_once_is_enough(
    trades: list[Trade], data: st.DataObject
) -> None:
    notices = [a_notice(trade.qty, trade.price, number) for number, trade in enumerate(trades)]
    order = ORDER
    for notice in data.draw(st.permutations(notices + data.draw(st.lists(st.sampled_from(notices))))):
        order = hear(order, notice)
    truth = totals(trades)
    assert (order.qty_filled, order.amount_filled) == (truth.qty, truth.amount)


@pytest.mark.req("I-09", "I-12")
@given(trades=TRADES, both=st.booleans(), data=st.data())
def test_counted_notices_in_any_order_end_at_the_truth(
    trades: list[Trade], both: bool, data: st.DataObject
) -> None:
    notices = []
    for end, trade in enumerate(trades, 1):
        so_far = totals(trades[:end])
        amount = so_far.amount if both else None
        notices.append(
            a_notice(trade.qty, trade.price, None, qty_cumulative=so_far.qty, amount_cumulative=amount)
        )
    order = ORDER
    for notice in data.draw(st.permutations(notices + notices[:2])):
        order = hear(order, notice)
        assert order.qty_filled <= totals(trades).qty
    truth = totals(trades)
    order = hear(order, truth)
    assert (order.qty_filled, order.amount_filled) == (truth.qty, truth.amount)


@pytest.mark.req("S000-115", "S000-101")
def test_beyond_a_thousand_notices_only_the_cumulative_figure_counts() -> None:
    crowded = an_order(
        qty=D(1_000_000),
        status=OrderStatus.PART_FILLED,
        refs=(a_ref(),),
        notices=tuple(f"exec:{number}" for number in range(1_000)),
    )
    assert count_notice(crowded, a_notice(number=5_000)) == Nothing(ask=True)
    assert isinstance(count_cumulative(crowded, a_ref(), D(10), D(700_000)), Booking)
