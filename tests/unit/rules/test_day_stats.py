"""A day's figures are what a person with a pencil would add up."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jumun.model.days import DayStats
from jumun.model.events import (
    CancelRequested,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    OrderAlarmed,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderEvent,
    OrderUnknown,
)
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.orders import Alarm, Order, OrderStatus, Side
from jumun.model.reasons import Reason
from jumun.rules.day_stats import DAYS_MAX, count, counts, day_of, keep_newest, newest_session
from jumun.rules.ledger import apply_rows, rows_of_fill
from jumun.rules.order_machine import evolve
from jumun.rules.trading_days import NO_OVERRIDES, DayOverride, NoCalendar, Overrides
from jumun.testing.builders import ACCOUNT, START_NS, a_fill, a_position, a_ref, an_order

SECOND = 1_000_000_000
DAY = "2025-05-26"


def empty() -> DayStats:
    return DayStats(account_id=ACCOUNT, trade_date=DAY)


def tell(stats: DayStats, order: Order | None, *events: tuple[int, OrderEvent]) -> tuple[DayStats, Order]:
    """Let events (seconds after creation, event) happen to an order and count each."""
    for second, event in events:
        after = evolve(order, event, START_NS + second * SECOND)  # type: ignore[arg-type]
        stats = count(stats, event, order, after)
        order = after
    assert order is not None
    return stats, order


def created(order: Order) -> tuple[int, OrderEvent]:
    return 0, OrderCreated(order_id=order.order_id, order=order)


def booked(
    order: Order, number: int, qty: int, price: int, costs: Sequence[tuple[str, int]] = ()
) -> OrderEvent:
    fill = a_fill(order, number, qty=Decimal(qty), price=Decimal(price))
    position = a_position(qty=Decimal(1_000), cost_basis=Decimal(70_000_000))
    ledger = rows_of_fill(fill, position, [(kind, Decimal(amount)) for kind, amount in costs])
    return FillBooked(order_id=order.order_id, fill=fill, ledger=ledger, notice_qty=fill.qty, raw="")


def busted(order: Order, qty: int, amount: int) -> FillReversed:
    return FillReversed(
        order_id=order.order_id,
        identity="bust-1",
        account_id=order.account_id,
        strategy_id=order.strategy_id,
        side=order.side,
        currency=order.currency,
        ref=a_ref(),
        qty=Decimal(qty),
        amount=Decimal(amount),
        ledger=(),
        text="",
        raw="",
    )


@pytest.mark.req("S000-33", "S000-109")
def test_a_buy_that_filled_in_two_parts_is_one_order_two_fills_and_its_slippage_in_won() -> None:
    order = an_order(created_ns=START_NS, qty=Decimal(10), arrival_price=Decimal(69_900), trade_date=DAY)
    stats, _ = tell(
        empty(),
        None,
        created(order),
        (3, booked(order, 1, 4, 70_000, [("BROKERAGE", 40)])),
        (9, booked(order, 2, 6, 69_800, [("BROKERAGE", 60)])),
    )
    money = stats.money["KRW"]
    assert (stats.orders_created, stats.fills, stats.fills_bought, stats.fills_sold) == (1, 2, 2, 0)
    assert (stats.orders_part_filled, stats.orders_filled) == (1, 1)
    assert (stats.first_fill_ns, stats.completion_ns) == (3 * SECOND, 9 * SECOND)
    assert (money.bought, money.sold, money.costs_total) == (4 * 70_000 + 6 * 69_800, 0, 100)
    assert (money.slippage, money.slippage_base) == (4 * 100 - 6 * 100, 10 * 69_900)


@pytest.mark.req("S000-33", "C-8")
def test_a_sale_below_its_arrival_price_slipped_and_realised_what_it_realised() -> None:
    order = an_order(
        side=Side.SELL, created_ns=START_NS, qty=Decimal(10), arrival_price=Decimal(71_000), trade_date=DAY
    )
    stats, _ = tell(empty(), order, (1, booked(order, 1, 10, 70_900, [("TRANSACTION_TAX", 1_063)])))
    money = stats.money["KRW"]
    assert money.slippage == 10 * 100
    assert money.realised_gross == 10 * (70_900 - 70_000)
    assert (money.costs, stats.qty_sold, stats.orders_part_filled) == ({"TRANSACTION_TAX": 1_063}, 10, 0)


@pytest.mark.req("F-53", "I-06")
def test_a_fill_that_is_taken_back_leaves_the_sums_and_is_counted_as_a_bust() -> None:
    order = an_order(created_ns=START_NS, qty=Decimal(10), arrival_price=Decimal(69_900), trade_date=DAY)
    once = booked(order, 1, 4, 70_000)
    before, order = tell(empty(), order, (1, once))
    bust = busted(order, 4, 280_000)
    after, _ = tell(before, order, (2, bust))
    money = after.money["KRW"]
    assert (after.fills, after.busts, after.qty_bought) == (1, 1, 0)
    assert (money.bought, money.amount_filled) == (0, 0)
    assert (money.slippage, money.slippage_base) == (400, 4 * 69_900)  # how it was executed stays as it was


def test_refused_expired_unknown_and_alarmed_orders_are_each_counted_under_their_name() -> None:
    order = an_order(created_ns=START_NS, trade_date=DAY)
    oid = order.order_id
    denied = OrderDenied(order_id=oid, reason=Reason.CASH, text="")
    stats, _ = tell(empty(), None, created(order), (0, denied))
    unknown = OrderUnknown(order_id=oid, attempt=1, reason=Reason.NO_REPLY, text="", raw="")
    expired = OrderCancelled(order_id=oid, reason=Reason.EXPIRED, text="", evidence="history")
    alarmed = OrderAlarmed(order_id=oid, alarm=Alarm.FILL_DELAY, text="")
    stats, _ = tell(stats, order, (1, unknown), (2, alarmed), (3, expired))
    assert (stats.orders_denied, stats.orders_rejected) == (1, 1)
    assert (stats.orders_unknown, stats.orders_cancelled, stats.orders_expired) == (1, 1, 1)
    assert stats.alarms == {"FILL_DELAY": 1}


@pytest.mark.req("S000-109")
def test_a_fill_counts_on_the_day_it_traded_and_not_when_we_heard_of_it() -> None:
    order = an_order(trade_date="2025-05-27")
    assert day_of(booked(order, 1, 1, 70_000), order)[1] == DAY
    cancelled = OrderCancelled(order_id=order.order_id, reason=Reason.EXPIRED, text="", evidence="")
    assert day_of(cancelled, order) == (order.account_id, "2025-05-27")
    assert day_of(cancelled, replace(order, trade_date=""))[1] == DAY  # by the venue's calendar, in Seoul


def test_a_late_fill_of_an_order_out_of_reach_still_counts_shares_and_money() -> None:
    event = booked(an_order(), 1, 3, 70_000)
    stats = count(empty(), event, None, None)
    assert (stats.fills, stats.qty_bought, stats.money["KRW"].bought) == (1, 3, 210_000)
    bust = busted(an_order(), 1, 1)
    assert count(stats, bust, None, None).busts == 1


@pytest.mark.req("S000-115")
def test_the_book_keeps_the_newest_dates_of_an_account_and_no_more() -> None:
    other = AccountId("other")
    days: dict[tuple[str, str], DayStats] = {(ACCOUNT, f"2025-05-{day:02}"): empty() for day in range(1, 20)}
    days[other, "2025-05-01"] = empty()
    keep_newest(days, ACCOUNT)
    assert len(days) == DAYS_MAX + 1
    assert min(date for account, date in days if account == ACCOUNT) == "2025-05-10"
    assert (other, "2025-05-01") in days


FILLS = st.lists(
    st.tuples(
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 50),
        st.integers(60_000, 80_000),
        st.integers(0, 500),
        st.one_of(st.none(), st.integers(60_000, 80_000)),
    ),
    max_size=20,
)


@pytest.mark.req("S000-33", "S000-109")
@given(FILLS)
def test_the_sums_of_any_day_are_those_of_a_plain_list(
    fills: list[tuple[Side, int, int, int, int | None]],
) -> None:
    stats, position = empty(), a_position(qty=Decimal(2_000), cost_basis=Decimal(140_000_000))
    for number, (side, qty, price, cost, arrival) in enumerate(fills):
        order = an_order(
            number,
            side=side,
            qty=Decimal(qty),
            arrival_price=None if arrival is None else Decimal(arrival),
        )
        fill = a_fill(order, 1, qty=Decimal(qty), price=Decimal(price))
        ledger = rows_of_fill(fill, position, [("BROKERAGE", Decimal(cost))])
        position = apply_rows(position, ledger)
        event = FillBooked(order_id=order.order_id, fill=fill, ledger=ledger, notice_qty=fill.qty, raw="")
        stats, _ = tell(stats, order, (1, event))
    sign = {Side.BUY: 1, Side.SELL: -1}
    money = stats.money.get("KRW")
    assert stats.fills == stats.orders_filled == stats.first_fills == len(fills)
    if money is None:
        assert not fills
        return
    assert money.bought == sum(q * p for s, q, p, _, _ in fills if s is Side.BUY)
    assert money.sold == sum(q * p for s, q, p, _, _ in fills if s is Side.SELL)
    assert money.costs_total == sum(c for *_, c, _ in fills)
    assert money.slippage == sum(sign[s] * q * (p - a) for s, q, p, _, a in fills if a is not None)
    assert money.slippage_base == sum(q * a for _, q, _, _, a in fills if a is not None)
    assert money.realised_gross == position.realised_gross


@pytest.mark.req("S000-109")
def test_the_newest_session_lasts_until_the_next_one_begins_and_not_to_midnight() -> None:
    def at(text: str) -> int:
        return int(datetime.fromisoformat(text).timestamp()) * SECOND

    both = (Venue.KRX, Venue.US)
    assert newest_session(both, at("2025-05-26T10:00:00+09:00"), NO_OVERRIDES) == "2025-05-26"
    assert newest_session([Venue.KRX], at("2025-05-27T00:30:00+09:00"), NO_OVERRIDES) == "2025-05-26"
    assert newest_session([Venue.KRX], at("2025-05-27T08:31:00+09:00"), NO_OVERRIDES) == "2025-05-27"
    # A Saturday night in Seoul is still Friday's session, of both.
    assert newest_session(both, at("2025-05-31T23:00:00+09:00"), NO_OVERRIDES) == "2025-05-30"
    # Memorial Day: New York is closed, Seoul is not.
    assert newest_session([Venue.US], at("2025-05-26T23:00:00+09:00"), NO_OVERRIDES) == "2025-05-23"
    # New York trades while Seoul sleeps: the same date goes on.
    assert newest_session(both, at("2025-05-28T02:00:00+09:00"), NO_OVERRIDES) == "2025-05-27"


def test_a_day_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(NoCalendar):
        newest_session([Venue.US], 0, NO_OVERRIDES)
    closed = Overrides(
        days=tuple(
            DayOverride(venue=Venue.KRX, day=date(2025, 5, 1) + timedelta(days=back), closed=True)
            for back in range(40)
        )
    )
    with pytest.raises(NoCalendar, match="had no session"):
        newest_session([Venue.KRX], START_NS + 13 * 86_400 * SECOND, closed)


@pytest.mark.req("I-25", "I-42")
def test_money_always_counts_and_anything_else_only_while_its_order_is_open() -> None:
    order = an_order(trade_date=DAY)
    closed = replace(order, status=OrderStatus.CANCELLED)
    flagged = OrderAlarmed(order_id=order.order_id, alarm=Alarm.FILL_DELAY, text="")
    cancelled = OrderCancelled(order_id=order.order_id, reason=Reason.EXPIRED, text="", evidence="")
    requested = CancelRequested(order_id=order.order_id, reason=Reason.OPERATOR, by="a test")
    adopted = ForeignOrderAdopted(order_id=order.order_id, order=order, raw="")
    assert counts(booked(order, 1, 1, 70_000), None, None)
    assert counts(adopted, None, order)
    assert counts(flagged, order, order)
    assert counts(cancelled, order, closed)
    assert not counts(flagged, closed, closed)
    assert not counts(flagged, None, None)
    assert not counts(requested, order, order)
    stats = count(count(empty(), adopted, None, order), requested, order, order)
    assert (stats.orders_adopted, stats.orders_created, stats.orders_cancelled) == (1, 0, 0)
