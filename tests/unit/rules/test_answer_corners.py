"""Answers and lists at the edges: late, crossed, silent ones, and what a person decides."""

from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.commands import BookOpening, HearReport, SettleOrder
from jumun.model.events import (
    CancelIntended,
    FillReversed,
    ForeignOrderAdopted,
    OrderCancelled,
)
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import Flag, Order, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import (
    Accepted,
    Balance,
    BrokerState,
    CancelAccepted,
    CancelRefused,
    TradeBust,
    Unknown,
)
from jumun.rules.compare import differences_of
from jumun.rules.decide_cancel import intend_cancels
from jumun.rules.hear import CLOCK_SKEW_NS, hear_bust, hear_order, stop
from jumun.rules.sessions import session_on
from jumun.rules.trading_days import DayOverride, Overrides
from jumun.testing.builders import an_order
from tests.unit.rules.desk_values import (
    ACCOUNT,
    APPLE,
    HYNIX,
    SAMSUNG,
    SECOND,
    SHARED,
    TODAY,
    US_OPEN_NS,
    USER,
    Bench,
    a_notice,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    an_intent,
    at,
    cash_row,
    limits,
    names,
)

D = Decimal
S = OrderStatus
GTC: dict[str, Any] = {"time_in_force": TimeInForce.GTC}
EVENING = at("2025-05-27T18:00:00+09:00")


# ---- a person settles an unknown outcome --------------------------------------------------------


def settle(bench: Bench, order: Order) -> Any:
    return bench.do(SettleOrder(order_id=order.order_id, by=USER, text="the broker has nothing of it"))


@pytest.mark.req("I-15", "I-49")
def test_a_persons_word_ends_an_unknown_order_and_is_its_evidence() -> None:
    bench = Bench()
    order = bench.unknown()
    decision = settle(bench, order)
    [end] = decision.events
    assert end == OrderCancelled(
        order_id=order.order_id,
        reason=Reason.OPERATOR,
        text="the broker has nothing of it",
        evidence=f"decided by {USER}: the broker has nothing of it",
    )
    assert decision.order.status is S.CANCELLED


@pytest.mark.req("I-15")
def test_only_an_unknown_outcome_is_a_persons_to_settle() -> None:
    bench = Bench()
    order = bench.working()
    decision = settle(bench, order)
    assert (decision.denial.reason, decision.order, decision.events) == (Reason.ALREADY_FINAL, order, ())
    assert order.order_id in decision.denial.text


@pytest.mark.req("I-07", "I-15")
def test_an_order_that_is_on_its_way_once_more_is_not_settled_by_an_older_look() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    order = bench.unknown()
    bench.absent_twice()
    again = bench.send(order)
    decision = settle(bench, again)
    assert (decision.denial.reason, decision.order, decision.events) == (Reason.NOT_READY, again, ())
    assert "on its way" in decision.denial.text
    bench.conclude(again, Unknown(text="no reply"))
    assert names(settle(bench, again)) == ["OrderCancelled"], "its answer has come: now it may be settled"


# ---- cancels ------------------------------------------------------------------------------------


@pytest.mark.req("I-20", "S002-39")
def test_one_order_that_cannot_be_cancelled_now_does_not_keep_the_next_from_it() -> None:
    bench = Bench()
    first = bench.working(an_intent(1), 1)
    plain = bench.working(an_intent(2, symbol=HYNIX, price=D(200_000)), 2)
    carried = bench.working(an_intent(3, symbol="100001", price=D(10_000), **GTC), 3)
    waiting = bench.working(an_intent(4, symbol="100002", price=D(10_000)), 4)
    last = bench.working(an_intent(5, symbol="100003", price=D(10_000)), 5)
    asked = bench.working(an_intent(6, symbol="100004", price=D(10_000)), 6)
    for order in (waiting, last):
        bench.cancel(order)
        bench.conclude_cancel(order, Unknown(text="no reply"))
    bench.now_ns = EVENING
    bench.study(a_report(carried, state=BrokerState.EXPIRED), a_report(first), a_report(plain))
    wanted = {"cancel_requested_ns": 1, "cancel_open": False}
    orders = [
        bench.order(plain),
        replace(bench.order(carried), cancel_requested_ns=1),
        replace(bench.order(asked), cancel_requested_ns=1, cancel_open=True),
        replace(bench.order(first), cancel_requested_ns=1, attempt_open=True),
        replace(bench.order(waiting), **wanted, cancel_retry_ns=bench.now_ns + 1),
        replace(bench.order(last), **wanted, cancel_retry_ns=bench.now_ns),
    ]
    for order in orders:
        bench.book.open[order.order_id] = order
    draft = bench.draft()
    for order in orders:
        draft.touch(order)
    intend_cancels(draft)
    assert [e.order_id for e in draft.events if isinstance(e, CancelIntended)] == [last.order_id]


@pytest.mark.req("I-59", "F-50")
def test_a_cancel_that_ends_the_order_alarms_nobody_however_often_it_was_asked() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    for _ in range(4):
        bench.conclude_cancel(order, CancelRefused(code="1", text="no", raw=""))
        bench.wait(20)
        bench.tick(order)
    assert bench.order(order).cancel_attempts == 5
    ended = a_report(bench.order(order), state=BrokerState.CANCELLED)
    decision = bench.conclude_cancel(order, CancelAccepted(raw="", report=ended))
    assert names(decision) == ["CancelAnswered", "OrderCancelled"]


# ---- lists --------------------------------------------------------------------------------------


@pytest.mark.req("F-90", "F-03", "I-15")
def test_a_look_alike_from_before_the_send_is_for_a_person_and_the_rest_of_the_list_is_not() -> None:
    bench = Bench()
    order = bench.unknown()
    bench.wait(60)
    too_old = a_report(order, 5, ts_event_ns=order.created_ns - 3_600 * SECOND)
    other = a_report(order, 6, symbol=HYNIX, price=D(200_000), account_id=ACCOUNT)
    decision = bench.study(too_old, other)
    flagged = [e for e in decision.events if type(e).__name__ == "OrderFlagged"]
    assert [(e.order_id, e.flag) for e in flagged] == [(order.order_id, Flag.DISPUTED)]  # type: ignore[union-attr]
    assert "0000000005" in flagged[0].text  # type: ignore[union-attr]
    adopted = [e for e in decision.events if isinstance(e, ForeignOrderAdopted)]
    assert [e.order.symbol for e in adopted] == [HYNIX]


@pytest.mark.req("I-42", "F-34", "F-106")
def test_an_order_of_somebody_else_is_adopted_as_the_broker_lists_it() -> None:
    bench = Bench()
    bench.sent(an_intent(1))  # looks like the first of the list: it may be ours
    listed = an_order(2, account_id=SHARED, price=D(69_900), price_raw=D(69_900), qty=D(3))
    mine = a_report(bench.submit(an_intent(1)), 7)
    decision = bench.study(mine, a_report(listed, 8), account=SHARED)
    [event] = [e for e in decision.events if isinstance(e, ForeignOrderAdopted)]
    order = event.order
    assert (order.price, order.price_raw, order.reserve_price) == (69_900, 69_900, 69_900)
    assert (order.status, order.trade_date, order.refs) == (S.SENT, TODAY, (a_ref(8),))
    assert (order.flags, order.tif, order.qty) == ((Flag.FOREIGN,), TimeInForce.DAY, 3)


@pytest.mark.req("F-55", "I-38")
def test_every_working_order_that_a_late_list_lacks_is_marked_also_behind_one_it_holds() -> None:
    bench = Bench()
    waiting = bench.submit(an_intent(0, symbol="100003", price=D(10_000)))
    held = bench.working(an_intent(1), 1)
    lost = bench.working(an_intent(2), 2)
    other = bench.working(an_intent(3, symbol=HYNIX, price=D(200_000)), 3)
    bench.wait(60)
    bench.study(a_report(held))
    assert Flag.DISPUTED not in bench.order(held).flags
    assert Flag.DISPUTED not in bench.order(waiting).flags
    assert Flag.DISPUTED in bench.order(lost).flags
    assert Flag.DISPUTED in bench.order(other).flags


@pytest.mark.req("F-58", "F-55")
def test_an_order_that_rests_does_not_hide_a_lost_one_behind_it() -> None:
    bench = Bench()
    carried = bench.working(an_intent(1, **GTC), 1)
    lost = bench.working(an_intent(2, symbol=SAMSUNG, price=D(69_000)), 2)
    bench.wait(60)
    bench.study(a_report(carried, state=BrokerState.EXPIRED), a_report(lost))
    bench.wait(60)
    bench.study()
    assert Flag.DISPUTED not in bench.order(carried).flags
    assert Flag.DISPUTED in bench.order(lost).flags


@pytest.mark.req("I-19", "F-44", "F-53")
def test_a_list_asked_for_before_a_bust_counts_no_fill_whatever_its_orders_say() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bust = TradeBust(
        account_id=ACCOUNT,
        ref=a_ref(1),
        symbol=SAMSUNG,
        side=Side.BUY,
        qty=D(10),
        price=D(70_000),
        price_new=None,
        ts_event_ns=bench.now_ns,
        identity="b",
        raw="",
    )
    bench.wait(5)
    bench.hear(bust)
    bust_ns = bench.order(order).bust_ns
    assert bust_ns is not None
    full = a_report(order, qty_filled=D(10), amount_filled=D(700_000), ts_event_ns=bust_ns + 3_600 * SECOND)
    for asked_ns, believed in ((bust_ns + CLOCK_SKEW_NS - 1, False), (bust_ns + CLOCK_SKEW_NS, True)):
        draft = bench.draft()
        hear_order(full, draft, evidence="history", asked_ns=asked_ns)
        assert bool(draft.events) is believed
        assert draft.ask is not believed
    notice = a_notice(order, 10, ts_event_ns=bust_ns, qty_cumulative=D(10))
    decision = bench.decide(HearReport(report=notice))
    assert (decision.events, decision.ask) == ((), True)
    plain = bench.decide(HearReport(report=a_notice(order, 3, 9, ts_event_ns=bust_ns)))
    assert (plain.events, plain.ask) == ((), True), "a list may have counted it already: the next one tells"


@pytest.mark.req("I-57", "F-93", "I-15")
def test_absence_proves_the_end_of_the_day_from_the_instant_it_is_settled() -> None:
    closed = Overrides(
        days=(
            DayOverride(
                venue=Venue.KRX,
                day=date(2025, 5, 27),
                open=time(9, 0),
                close=time(11, 0),
            ),
        )
    )
    bench = Bench(a_policy(sessions=closed))
    order = bench.unknown()
    plan = session_on(Venue.KRX, date(2025, 5, 27), closed)
    assert plan is not None
    settled_ns = plan.last_ns + bench.policy.settles_after_ns
    bench.now_ns = settled_ns - 31 * SECOND
    bench.study()
    bench.now_ns = settled_ns - 1
    assert bench.study().events == ()
    bench.now_ns = settled_ns
    assert names(bench.study()) == ["OrderCancelled"]
    assert bench.order(order).reason is Reason.NOT_RECEIVED


# ---- the stream ---------------------------------------------------------------------------------


@pytest.mark.req("F-17")
@pytest.mark.parametrize("changes", [{"symbol": HYNIX}, {"side": Side.SELL}])
def test_a_fill_of_another_symbol_or_side_is_marked_and_asked_about(changes: dict[str, Any]) -> None:
    bench = Bench()
    order = bench.working()
    decision = bench.hear(a_notice(order, 4, **changes))
    assert (names(decision), decision.ask) == (["OrderFlagged"], True)
    assert Flag.DISPUTED in bench.order(order).flags


@pytest.mark.req("I-11", "F-49")
def test_a_number_that_was_replaced_or_filled_short_is_asked_about() -> None:
    bench = Bench()
    order = bench.working()
    assert bench.hear(a_report(order, state=BrokerState.REPLACED)).ask
    short = bench.hear(a_report(order, state=BrokerState.FILLED))
    assert (names(short), short.ask) == (["OrderFlagged"], True)


@pytest.mark.req("F-53", "I-32", "I-30")
def test_a_bust_without_a_cost_table_moves_the_position_and_tells_a_person() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.policy = a_policy(cost_plans={})
    bust = TradeBust(
        account_id=ACCOUNT,
        ref=a_ref(1),
        symbol=SAMSUNG,
        side=Side.BUY,
        qty=D(4),
        price=D(70_000),
        price_new=None,
        ts_event_ns=bench.now_ns,
        identity="b",
        raw="",
    )
    draft = bench.draft()
    hear_bust(bust, draft)
    assert [type(e).__name__ for e in draft.events] == ["FillReversed", "OrderFlagged"]
    assert draft.position(ACCOUNT, SAMSUNG, "KRW").qty == 6
    assert isinstance(draft.events[0], FillReversed)
    assert draft.events[0].qty == 4
    assert bench.order(order).qty_filled == 10, "the book is not touched by deciding"


@pytest.mark.req("I-43", "F-58")
def test_the_tax_of_a_sale_follows_the_operators_settlement_day() -> None:
    late = Overrides(days=(DayOverride(venue=Venue.KRX, day=date(2025, 12, 30), closed=True),))
    costs = []
    for sessions in (Overrides(), late):
        bench = Bench(
            a_policy(sessions=sessions), shares={SAMSUNG: 10}, now_ns=at("2025-12-26T10:00:00+09:00")
        )
        order = bench.sent(a_sale(qty=D(10)))
        day = "2025-12-26"
        bench.conclude(order, Accepted(ref=a_ref(1, day), raw=""))
        costs.append(bench.fill(order, 10).costs)
    assert costs[0] != costs[1]


@pytest.mark.req("I-50")
def test_trading_is_stopped_once_and_not_while_it_stands_still() -> None:
    bench = Bench()
    draft = bench.draft()
    stop("first", draft)
    stop("second", draft)
    assert len(draft.events) == 1
    bench.apply(draft.events[0])
    halted = bench.draft()
    stop("third", halted)
    assert halted.events == []


@pytest.mark.req("C-2", "S002-43")
def test_the_end_that_was_asked_for_keeps_the_reason_it_was_asked_for() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    cancelled = bench.order(order)
    bench.hear(a_report(order, state=BrokerState.CANCELLED))
    assert bench.order(order).reason is cancelled.cancel_reason is Reason.CANCELLED_BY_USER
    enabled = Bench(a_policy(limits=limits(enable_partial_fills=False)))
    part = enabled.fill(enabled.working(), 4)
    state = a_report(part, qty_filled=D(4), amount_filled=D(280_000), state=BrokerState.CANCELLED)
    enabled.hear(state)
    assert enabled.order(part).reason is Reason.PARTIAL_FILLS_OFF


def test_a_market_order_has_no_limit_to_be_beyond() -> None:
    bench = Bench()
    order = bench.working(an_intent(order_type=OrderType.MARKET, price=None))
    assert bench.fill(order, 10, price=D(75_000)).flags == ()


@pytest.mark.req("F-93", "I-15")
def test_absence_on_a_day_that_the_operator_opened_proves_its_end_too() -> None:
    opened = Overrides(
        days=(DayOverride(venue=Venue.KRX, day=date(2025, 5, 31), open=time(9, 0), close=time(15, 30)),)
    )
    bench = Bench(a_policy(sessions=opened), now_ns=at("2025-05-31T10:00:00+09:00"))
    order = bench.unknown()
    bench.now_ns = at("2025-05-31T20:00:00+09:00")
    bench.study(day="2025-05-31")
    bench.wait(30)
    assert names(bench.study(day="2025-05-31")) == ["OrderCancelled"]
    assert bench.order(order).reason is Reason.NOT_RECEIVED


@pytest.mark.req("F-53", "I-30")
def test_a_dollar_sale_that_is_taken_back_gives_its_fee_by_the_share_back() -> None:
    bench = Bench(usd=100, shares={APPLE: 100}, now_ns=US_OPEN_NS)
    before = bench.book.cash[ACCOUNT, "USD"]
    order = bench.fill(bench.working(a_sale(symbol=APPLE, qty=D(100), price=D("99.50"))), 100)
    assert order.costs["TAF"] == D("0.02")
    bust = TradeBust(
        account_id=ACCOUNT,
        ref=a_ref(1),
        symbol=APPLE,
        side=Side.SELL,
        qty=D(100),
        price=D("99.50"),
        price_new=None,
        ts_event_ns=bench.now_ns,
        identity="b",
    )
    bench.hear(bust)
    assert set(bench.order(order).costs.values()) == {D(0)}
    assert bench.book.cash[ACCOUNT, "USD"] == before


def test_the_currencies_of_another_account_are_no_difference_and_one_the_broker_lacks_is() -> None:
    bench = Bench(usd=0)
    bench.do(BookOpening(account_id=SHARED, rows=(cash_row(D(5), Currency.USD, SHARED),), document="dollars"))
    balance = Balance(account_id=ACCOUNT, asked_ns=bench.now_ns, holdings=(), cash={"KRW": D(100_000_000)})
    assert differences_of(balance, bench.book) == []
    theirs = replace(balance, account_id=SHARED)
    assert differences_of(theirs, bench.book) == [("CASH:USD", D(5), D(0))]


@pytest.mark.req("I-34", "F-53")
@pytest.mark.parametrize(
    ("taken_back", "ended"), [(5, ["second"]), (6, ["second"]), (7, ["first", "second"])]
)
def test_the_newest_sales_end_that_sell_shares_which_a_bust_took_back(
    taken_back: int, ended: list[str]
) -> None:
    bench = Bench()
    bought = bench.fill(bench.working(an_intent(1), 1), 10)
    first = bench.working(a_sale(2, qty=D(4), price=D(70_100)), 2)
    second = bench.working(a_sale(3, qty=D(6), price=D(70_200)), 3)
    bench.working(an_intent(4, price=D(69_000)), 4)  # a purchase, newer than both
    bust = TradeBust(
        account_id=ACCOUNT,
        ref=a_ref(1),
        symbol=SAMSUNG,
        side=Side.BUY,
        qty=D(taken_back),
        price=D(70_000),
        price_new=None,
        ts_event_ns=bench.now_ns,
        identity="b",
    )
    bench.hear(bust)
    sales = {"first": first, "second": second}
    assert [name for name, sale in sales.items() if bench.order(sale).cancel_requested_ns] == ended
    assert bench.order(bought).qty_filled == 10 - taken_back


def test_the_first_limits_of_an_order_are_ten_million_won_and_ten_thousand_dollars() -> None:
    assert limits().max_order_value == {"KRW": 10_000_000, "USD": 10_000}


@pytest.mark.req("F-53", "I-09", "F-20", "I-34")
def test_a_part_of_a_fill_is_taken_back_once_and_a_sale_that_is_being_cancelled_is_not_asked_again() -> None:
    bench = Bench()
    order = bench.fill(bench.working(an_intent(1), 1), 10)
    sale = bench.working(a_sale(2, qty=D(10), price=D(70_100)), 2)
    bench.cancel(sale)
    bust = TradeBust(
        account_id=ACCOUNT,
        ref=a_ref(1),
        symbol=SAMSUNG,
        side=Side.BUY,
        qty=D(4),
        price=D(70_000),
        price_new=None,
        ts_event_ns=bench.now_ns,
        identity="b",
    )
    assert names(bench.hear(bust)) == ["FillReversed"]
    assert bench.hear(bust).events == ()
    assert bench.order(order).qty_filled == 6


@pytest.mark.req("I-49", "S002-43")
def test_an_order_that_is_at_no_broker_any_more_ends_for_the_reason_it_was_to_end_for() -> None:
    bench = Bench()
    order = replace(bench.submit(), cancel_requested_ns=1, cancel_reason=Reason.SHARES)
    bench.book.open[order.order_id] = order
    draft = bench.draft()
    draft.touch(order)
    intend_cancels(draft)
    [end] = draft.events
    assert isinstance(end, OrderCancelled)
    assert end.reason is Reason.SHARES
