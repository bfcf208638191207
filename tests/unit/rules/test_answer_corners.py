"""Answers and lists at the edges: late, crossed, silent ones, and what a person decides."""

from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.commands import ConcludeModify, HearReport, RecordMarks, SettleBreak, SettleOrder
from jumun.model.events import (
    BreakAssigned,
    BreakFound,
    CancelIntended,
    EntryBooked,
    FillReversed,
    ForeignOrderAdopted,
    ModifyAnswered,
    OrderCancelled,
    OrderModified,
)
from jumun.model.fills import LedgerKind
from jumun.model.instruments import Venue
from jumun.model.orders import Flag, Order, OrderStatus, OrderType, Side, Terms, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import (
    Accepted,
    BrokerState,
    CancelAccepted,
    CancelRefused,
    ModifyAccepted,
    ModifyRefused,
    NotSent,
    TradeBust,
    Unknown,
)
from jumun.rules.book import Book, shape_of
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US
from jumun.rules.day_stats import DAYS_MAX
from jumun.rules.decide_breaks import _find as find_break
from jumun.rules.decide_cancel import intend_cancels
from jumun.rules.decide_modify import reserve_for
from jumun.rules.hear import CLOCK_SKEW_NS, hear_bust, hear_order, stop
from jumun.rules.sessions import session_on
from jumun.rules.trading_days import DayOverride, Overrides
from jumun.testing.builders import an_order
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    SAMSUNG,
    SECOND,
    SHARED,
    TODAY,
    USER,
    Bench,
    a_notice,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    an_intent,
    at,
    limits,
    names,
)

D = Decimal
S = OrderStatus
GTC: dict[str, Any] = {"time_in_force": TimeInForce.GTC}
EVENING = at("2025-05-27T18:00:00+09:00")


def a_bench(**changes: Any) -> Bench:
    return Bench(a_policy(modifies=True, **changes))


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
    for order in (waiting, last):
        bench.cancel(order)
        bench.conclude_cancel(order, Unknown(text="no reply"))
    bench.now_ns = EVENING
    bench.study(a_report(carried, state=BrokerState.EXPIRED), a_report(first), a_report(plain))
    draft = bench.draft()
    resting = replace(bench.order(carried), cancel_requested_ns=1)
    late = replace(bench.order(waiting), cancel_retry_ns=bench.now_ns + 1, cancel_open=False)
    due = replace(bench.order(last), cancel_retry_ns=bench.now_ns, cancel_open=False)
    for order in (bench.order(plain), resting, late, due):
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


# ---- modifies -----------------------------------------------------------------------------------


def refused(bench: Bench, order: Order, **changes: Any) -> Any:
    decision = bench.modify(order, **changes)
    assert decision.denial is not None
    assert decision.order == order
    return decision.denial.reason


@pytest.mark.req("S002-35", "S002-36")
def test_a_refused_modify_names_the_order_and_its_reason() -> None:
    bench = a_bench()
    order = bench.working()
    assert refused(bench, order) is Reason.NOTHING_TO_CHANGE
    assert refused(bench, order, qty=10) is Reason.NOTHING_TO_CHANGE
    assert refused(bench, order, qty=11) is Reason.QTY_TOO_LARGE
    market = bench.working(an_intent(2, order_type=OrderType.MARKET, price=None), 2)
    assert refused(bench, market, price=70_000) is Reason.PRICE_NOT_ALLOWED
    closed = bench.fill(order)
    assert refused(bench, closed, price=69_000) is Reason.ALREADY_FINAL
    long_gone = replace(closed, order_id="gone", status=S.CANCELLED)  # type: ignore[arg-type]
    assert refused(bench, long_gone, price=69_000) is Reason.ALREADY_FINAL


@pytest.mark.req("S002-35", "I-07")
def test_an_order_whose_next_attempt_is_open_is_not_modified() -> None:
    bench = a_bench()
    order = bench.fill(bench.working(an_intent(**GTC)), 4)
    bench.now_ns = EVENING
    expired = a_report(order, qty_filled=D(4), amount_filled=D(280_000), state=BrokerState.EXPIRED)
    bench.study(expired)
    bench.now_ns = at("2025-05-28T09:01:00+09:00")
    again = bench.send(order)
    assert (again.status, again.attempt_open) == (S.PART_FILLED, True)
    assert refused(bench, again, price=69_000) is Reason.NOT_MODIFIABLE


@pytest.mark.req("I-53", "S002-35")
def test_a_modify_that_no_cost_table_covers_is_refused_with_the_tables_sentence() -> None:
    yesterday = replace(KIS_BANKIS, valid_to=date(2025, 5, 26))
    bench = a_bench()
    order = bench.working()
    bench.policy = a_policy(modifies=True, cost_plans={"kis": yesterday, "kis-us": KIS_US})
    decision = bench.modify(order, price=69_000)
    assert decision.denial is not None
    assert decision.denial.reason is Reason.NO_TABLE
    assert "2025-05-26" in decision.denial.text
    bench.policy = a_policy(modifies=True, cost_plans={})
    assert refused(bench, order, price=69_000) is Reason.NO_TABLE
    bench.policy = a_policy(modifies=True, limits=limits(max_order_value={"KRW": D(600_000)}))
    assert refused(bench, order, price=69_000) is Reason.MAX_ORDER_VALUE


@pytest.mark.req("I-33", "I-48", "S002-35")
@pytest.mark.parametrize(("won", "fits"), [(700_699, True), (700_698, False)])
def test_the_cash_for_dearer_terms_is_counted_to_the_won(won: int, fits: bool) -> None:
    bench = Bench(a_policy(modifies=True), krw=won)
    order = bench.fill(bench.working(), 4)
    decision = bench.modify(order, price=70_100)
    # 4 shares and 39 won of costs are paid; 6 at 70,100 and the other 60 of 99 won are still to come.
    assert (decision.denial is None) is fits
    if not fits:
        assert decision.denial is not None
        assert decision.denial.reason is Reason.CASH


@pytest.mark.req("I-33", "I-34")
def test_a_modified_sale_reserves_no_cash_and_a_modify_keeps_the_larger_cost_until_it_has_ended() -> None:
    bench = Bench(a_policy(modifies=True), shares={SAMSUNG: 10})
    sale = bench.working(a_sale(), 1)
    bench.modify(sale, price=70_500)
    assert (bench.order(sale).reserve_price, bench.order(sale).reserve_cost) == (70_500, 0)
    now = bench.conclude_modify(sale, ModifyAccepted(ref=a_ref(1), raw=""))
    assert (now.reserve_price, now.reserve_cost) == (70_500, 0)
    buy = bench.working(an_intent(2, symbol=HYNIX, price=D(200_000)), 2)
    bench.modify(buy, qty=5)
    assert (bench.order(buy).reserve_price, bench.order(buy).reserve_cost) == (200_000, 281)


@pytest.mark.req("I-33")
def test_what_terms_tie_up_never_falls_faster_than_is_certain() -> None:
    draft = Bench().draft()
    buy = an_order(reserve_price=D(70_000), reserve_cost=D(98))

    def kept(order: Order, price: int | None) -> tuple[Decimal, Decimal]:
        reserve = reserve_for(order, D(5), None if price is None else D(price), draft)
        return reserve.price, reserve.cost

    assert kept(buy, None) == (70_000, 98)
    assert kept(buy, 71_000) == (70_000, 98)
    assert kept(buy, 69_000) == (69_000, 98)
    sale = replace(buy, side=Side.SELL)
    assert kept(sale, 69_000) == (69_000, 0)
    assert kept(sale, None) == (70_000, 0)


@pytest.mark.req("I-09", "I-18", "S002-37")
def test_the_answer_to_an_earlier_modify_says_nothing_of_a_later_one() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    assert bench.order(order).modify_asked == 1
    late = bench.order(order)
    bench.conclude_modify(order, ModifyRefused(code="1", text="no", raw=""))
    bench.modify(order, price=68_900)
    asked = bench.order(order)
    assert asked.modify_asked == 2

    def answer(outcome: Any) -> Any:
        return bench.decide(ConcludeModify(order_id=late.order_id, number=1, outcome=outcome))

    for outcome, ask in (
        (ModifyAccepted(ref=a_ref(9), raw=""), True),
        (ModifyAccepted(ref=a_ref(1), raw=""), False),
        (ModifyRefused(code="1", text="no", raw=""), False),
    ):
        decision = answer(outcome)
        assert (decision.events, decision.ask, decision.order) == ((), ask, asked)


@pytest.mark.req("I-09", "F-05")
def test_a_late_answer_to_a_modify_that_was_settled_changes_nothing_and_a_new_number_is_asked_about() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, NotSent(text="refused connection"))
    for outcome, ask in (
        (ModifyAccepted(ref=a_ref(9), raw=""), True),
        (ModifyAccepted(ref=a_ref(1), raw=""), False),
        (ModifyRefused(code="1", text="no", raw=""), False),
        (Unknown(text="no reply"), False),
    ):
        bench.conclude_modify(order, outcome)
        assert (bench.last.events, bench.last.ask) == ((), ask)


@pytest.mark.req("F-17", "I-11")
def test_a_modify_answered_with_another_orders_number_is_unknown() -> None:
    bench = a_bench()
    order = bench.working(an_intent(1), 1)
    bench.working(an_intent(2, symbol=HYNIX, price=D(200_000)), 2)
    bench.modify(order, price=69_000)
    now = bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw="crossed"))
    [event] = bench.last.events
    assert isinstance(event, ModifyAnswered)
    assert (event.outcome, event.raw, bench.last.ask) == ("unknown", "crossed", True)
    assert (now.modify_to, now.modify_open) == (Terms(qty=D(10), price=D(69_000)), False)


@pytest.mark.req("I-44", "I-03")
def test_terms_below_what_crossed_them_are_what_has_filled() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, qty=6)
    bench.fill(order, 8)
    now = bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw=""))
    assert (now.qty, now.qty_filled, now.status) == (8, 8, S.FILLED)
    [modified] = [r.event for r in bench.records if isinstance(r.event, OrderModified)]
    assert modified.terms.qty == 8


@pytest.mark.req("S002-37")
def test_a_modify_that_keeps_the_number_writes_no_new_one() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(1), raw=""))
    assert bench.entries[-1].new_ref is None
    bench.modify(order, price=68_900)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw=""))
    assert bench.entries[-1].new_ref == a_ref(2)
    idle = bench.submit(an_intent(3, symbol=HYNIX, price=D(200_000)))
    bench.modify(idle, price=199_000)
    assert bench.entries[-1].new_ref is None


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
    assert names(plain)[:1] == ["FillBooked"], "a fill with an identity of its own is news"


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


# ---- the book -----------------------------------------------------------------------------------


def test_nothing_is_free_and_nothing_is_held_where_nothing_was_booked() -> None:
    book = Book()
    assert (book.cash_free(ACCOUNT, "USD"), book.shares_free(ACCOUNT, SAMSUNG)) == (0, 0)
    assert (book.seq, book.ts_ns) == (0, 0)


@pytest.mark.req("I-38")
def test_a_break_that_is_found_again_keeps_its_age_owner_and_note() -> None:
    bench = Bench()
    found = BreakFound(
        break_id="b", account_id=ACCOUNT, subject=SAMSUNG, ours=D(1), theirs=D(2), text="first"
    )
    bench.apply(found)
    first_ns = bench.now_ns
    bench.apply(BreakAssigned(break_id="b", owner="kim", text="I am on it"))
    bench.wait(60)
    bench.apply(replace(found, theirs=D(3), text="again"))
    known = bench.book.breaks["b"]
    assert (known.found_ns, known.owner, known.note) == (first_ns, "kim", "I am on it")
    assert (known.theirs, known.text) == (3, "again")


@pytest.mark.req("I-64", "I-49")
def test_a_closed_order_that_leaves_memory_takes_its_names_along() -> None:
    bench = Bench(recent_max=1)
    first = bench.fill(bench.working(an_intent(1, client_order_id="c1"), 1), 10, 1)
    bench.fill(bench.working(an_intent(2), 2), 10, 2)
    book = bench.book
    assert book.order(first.order_id) is None
    assert first.idempotency_key not in book.keys
    assert (first.created_by, "c1") not in book.client_ids
    assert (ACCOUNT, a_ref(1)) not in book.refs
    assert (ACCOUNT, a_ref(2)) in book.refs


@pytest.mark.req("F-03")
def test_orders_look_alike_by_what_their_newest_attempt_asks_for() -> None:
    order = an_order(qty=D(10), qty_filled=D(4))
    waiting = shape_of(order)
    flying = shape_of(replace(order, attempt=1, attempt_open=True, attempt_qty=D(10)))
    assert waiting != flying
    assert waiting == shape_of(replace(order, qty=D(6), qty_filled=D(0)))
    assert flying == shape_of(replace(order, qty=D(10), qty_filled=D(0)))


def test_days_of_an_account_are_counted_apart_and_only_the_newest_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.submit()
    bench.submit(an_intent(2, account_id=SHARED))
    assert {key[0] for key in bench.book.days} == {ACCOUNT, SHARED}
    assert [day.orders_created for day in bench.book.days.values()] == [1, 1]
    for key, day in bench.book.days.items():
        assert (day.account_id, day.trade_date) == key == (day.account_id, TODAY)
    for n in range(DAYS_MAX + 5):
        old = f"1999-{1 + n // 28:02}-{1 + n % 28:02}"
        bench.book.days[ACCOUNT, old] = replace(bench.book.days[ACCOUNT, TODAY], trade_date=old)
    bench.now_ns = at("2025-05-28T10:00:00+09:00")
    bench.submit(an_intent(3))
    assert sum(key[0] == ACCOUNT for key in bench.book.days) == DAYS_MAX
    assert (ACCOUNT, "2025-05-28") in bench.book.days


# ---- what only happens once in a while ----------------------------------------------------------


@pytest.mark.req("I-11", "F-49")
def test_the_list_of_an_older_number_does_not_settle_a_modify_of_the_newest() -> None:
    bench = a_bench()
    order = bench.working()
    bench.modify(order, price=69_000)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw=""))
    bench.modify(order, price=68_000)
    bench.conclude_modify(order, Unknown(text="no reply"))
    bench.wait(60)
    bench.study(
        a_report(order, ref=a_ref(1), price=D(68_000), state=BrokerState.REPLACED),
        a_report(bench.order(order), price=D(68_000)),
    )
    now = bench.order(order)
    assert (now.modify_to, now.price, now.newest_ref) == (None, 68_000, a_ref(2))


@pytest.mark.req("I-42", "F-34")
def test_a_number_that_replaces_one_we_do_not_know_is_somebody_elses() -> None:
    bench = Bench()
    stranger = an_order(2, account_id=SHARED, qty=D(3))
    decision = bench.study(a_report(stranger, 8, replaces=a_ref(7)), account=SHARED)
    assert names(decision)[0] == "ForeignOrderAdopted"


@pytest.mark.req("I-07", "I-15")
def test_an_attempt_that_was_lost_twice_is_not_sent_a_third_time() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    order = bench.unknown()
    bench.absent_twice()
    again = bench.send(order)
    bench.conclude(again, Unknown(text="no reply"))
    decision = bench.absent_twice()
    assert "AttemptNotReceived" not in names(decision)
    assert (bench.order(order).status, bench.order(order).resends) == (S.ERROR, 1)


def test_figures_of_a_day_that_is_too_old_to_be_kept_are_not_kept() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 4)
    [today] = [day for key, day in bench.book.days.items() if key[0] == ACCOUNT]
    for n in range(DAYS_MAX):
        future = f"2099-{1 + n // 28:02}-{1 + n % 28:02}"
        bench.book.days[ACCOUNT, future] = replace(today, trade_date=future)
    del bench.book.days[ACCOUNT, TODAY]
    bench.fill(order, 6, 2)
    assert (ACCOUNT, TODAY) not in bench.book.days
    assert sum(key[0] == ACCOUNT for key in bench.book.days) == DAYS_MAX


# ---- breaks -------------------------------------------------------------------------------------


def a_break(subject: str, ours: str, theirs: str) -> BreakFound:
    return BreakFound(
        break_id="B1", account_id=ACCOUNT, subject=subject, ours=D(ours), theirs=D(theirs), text=""
    )


def corrected(bench: Bench, found: BreakFound) -> Any:
    bench.apply(found)
    decision = bench.decide(SettleBreak(break_id="B1", by=USER, text="the statement says so", correct=True))
    assert decision.denial is None, decision.denial
    [entry] = [e for e in decision.events if isinstance(e, EntryBooked)]
    [row] = entry.rows
    return row


@pytest.mark.req("I-29", "I-30", "I-32")
def test_a_correction_says_that_it_is_one_on_the_trading_day_of_its_market() -> None:
    night = at("2025-05-28T04:00:00+09:00")  # 15:00 of the day before in New York
    won = corrected(Bench(now_ns=night), a_break("CASH:KRW", "100000000", "100000007"))
    dollars = corrected(Bench(now_ns=night), a_break("CASH:USD", "0", "5"))
    assert (won.kind, won.amount, won.trade_date) == (LedgerKind.CORRECTION, 7, "2025-05-28")
    assert (dollars.kind, dollars.amount, dollars.trade_date) == (LedgerKind.CORRECTION, 5, "2025-05-27")
    off = Overrides(days=(DayOverride(venue=Venue.KRX, day=date(2025, 5, 28), closed=True),))
    late = corrected(Bench(a_policy(sessions=off), now_ns=night), a_break("CASH:KRW", "1", "2"))
    assert late.trade_date == "2025-05-29"
    nobody_knows = Bench(now_ns=at("2099-01-05T10:00:00+09:00"))
    assert corrected(nobody_knows, a_break("CASH:KRW", "1", "2")).trade_date == ""


@pytest.mark.req("I-29", "I-53")
def test_shares_that_appear_come_in_at_the_price_now_and_without_one_at_the_last_mark() -> None:
    half = corrected(Bench(), a_break(SAMSUNG, "0", "0.5"))
    assert (half.kind, half.qty, half.amount) == (LedgerKind.CORRECTION, D("0.5"), 35_000)
    for quote in (None, (None, D(70_000))):
        bench = Bench(shares={SAMSUNG: 2})
        bench.do(RecordMarks(marks={SAMSUNG: D(69_000)}, source="close"))
        if quote is None:
            del bench.quotes[SAMSUNG]
        else:
            bench.quotes[SAMSUNG] = quote
        assert corrected(bench, a_break(SAMSUNG, "2", "3")).amount == 69_000
    gone = corrected(Bench(shares={SAMSUNG: 2}), a_break(SAMSUNG, "2", "1"))
    assert (gone.qty, gone.amount) == (-1, 70_000)


@pytest.mark.req("I-38")
def test_a_second_break_of_an_account_is_a_break_of_its_own_and_a_known_one_keeps_its_name() -> None:
    bench = Bench(shares={SAMSUNG: 2})
    bench.apply(a_break(SAMSUNG, "2", "1"))
    for subject, theirs in (("000660", "9"), (SAMSUNG, "0")):
        draft = bench.draft()
        find_break(ACCOUNT, (subject, D(2), D(theirs)), draft)
        found = draft.events[0]
        assert isinstance(found, BreakFound)
        assert (found.break_id == "B1") is (subject == SAMSUNG)
    draft = bench.draft()
    find_break(ACCOUNT, (SAMSUNG, D(2), D(1)), draft)
    assert draft.events == [], "nothing new"
