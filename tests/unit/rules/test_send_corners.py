"""From intent to send at the edges: what is reserved, sent, refused or put to rest, and at which instant."""

from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.commands import FinishRecovery, HearPrice, HearReport, RecordMarks, SendNext, SubmitOrder
from jumun.model.errors import BadInput
from jumun.model.events import FillBooked, OrderCancelled, OrderCreated, Recovered, SendIntended
from jumun.model.ids import IdempotencyKey, OrderId
from jumun.model.instruments import Venue
from jumun.model.orders import (
    Alarm,
    Flag,
    Order,
    OrderStatus,
    OrderType,
    Side,
    Tally,
    TimeInForce,
    TradingSession,
)
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, BrokerState, Rejected, TradeBust
from jumun.rules.carry import lives_on, next_open_ns, rest_until_next_session
from jumun.rules.cost_tables import KIS_BANKIS, KIS_US
from jumun.rules.decide_submit import key_of, order_as_intent
from jumun.rules.fills import Booking, count_cumulative, count_notice
from jumun.rules.order_kinds import is_time_for
from jumun.rules.sessions import session_on
from jumun.rules.stops import StopIndex
from jumun.rules.trading_days import LAST_DAY, DayOverride, Overrides
from jumun.rules.validation import Valid, validate
from jumun.testing.builders import a_fill, an_order
from tests.unit.rules.desk_values import (
    ACCOUNT,
    APPLE,
    HYNIX,
    SAMSUNG,
    TODAY,
    US_OPEN_NS,
    Bench,
    a_notice,
    a_policy,
    a_ref,
    a_report,
    an_intent,
    at,
    limits,
    names,
)

D = Decimal
S = OrderStatus
GTC: dict[str, Any] = {"time_in_force": TimeInForce.GTC}
TOMORROW = "2025-05-28"
EVENING = at("2025-05-27T18:00:00+09:00")
STOP: dict[str, Any] = {"order_type": OrderType.STOP, "price": None, "stop_price": D(72_000)}


def closed(*days: str) -> Overrides:
    return Overrides(
        days=tuple(DayOverride(venue=Venue.KRX, day=date.fromisoformat(day), closed=True) for day in days)
    )


def sends(bench: Bench) -> list[SendIntended]:
    return [r.event for r in bench.records if isinstance(r.event, SendIntended)]


def ends(bench: Bench) -> list[OrderCancelled]:
    return [r.event for r in bench.records if isinstance(r.event, OrderCancelled)]


# ---- orders of several days ---------------------------------------------------------------------


@pytest.mark.req("C-10", "C-38", "F-58")
def test_only_an_order_of_several_days_that_nobody_cancels_lives_on() -> None:
    gtc = an_order(tif=TimeInForce.GTC)
    assert lives_on(gtc, TODAY)
    assert not lives_on(replace(gtc, cancel_requested_ns=1), TODAY)
    assert not lives_on(an_order(), TODAY)
    till = an_order(tif=TimeInForce.GTD, good_till=TOMORROW)
    assert lives_on(till, TODAY)
    assert not lives_on(till, TOMORROW), "its last day"


@pytest.mark.req("F-58", "F-93", "I-53", "I-49")
def test_an_order_that_no_calendar_can_wake_ends_with_the_reason_and_its_evidence() -> None:
    bench = Bench()
    order = bench.submit(an_intent(**GTC))
    bench.now_ns = at(f"{LAST_DAY.isoformat()}T23:00:00+09:00")
    draft = bench.draft()
    rest_until_next_session(order, "listed", draft)
    [end] = draft.events
    assert isinstance(end, OrderCancelled)
    assert (end.order_id, end.reason, end.evidence) == (order.order_id, Reason.NO_TABLE, "listed")
    assert "calendar covers" in end.text


@pytest.mark.req("F-58", "F-93", "I-53", "I-49", "F-03")
def test_an_attempt_that_never_arrived_ends_where_no_calendar_knows_the_next_session() -> None:
    bench = Bench()
    order = bench.unknown(an_intent(**GTC))
    bench.now_ns = at(f"{LAST_DAY.isoformat()}T20:11:00+09:00")
    bench.study()
    bench.wait(30)
    assert names(bench.study()) == ["OrderCancelled"]
    [end] = ends(bench)
    assert (end.order_id, end.reason) == (order.order_id, Reason.NO_TABLE)
    assert "absent from complete histories" in end.evidence
    assert "calendar covers" in end.text


@pytest.mark.req("C-38", "I-49")
def test_an_order_after_its_last_day_expires_instead_of_resting() -> None:
    bench = Bench()
    order = bench.submit(an_intent(time_in_force=TimeInForce.GTD, good_till=TODAY))
    bench.now_ns = EVENING
    draft = bench.draft()
    rest_until_next_session(order, "listed", draft)
    [end] = draft.events
    assert isinstance(end, OrderCancelled)
    assert (end.order_id, end.reason, end.evidence) == (order.order_id, Reason.EXPIRED, "listed")
    assert end.text == f"its last day {TODAY} is over"


@pytest.mark.req("F-58", "F-93")
def test_the_next_opening_is_after_now_and_by_the_operators_calendar() -> None:
    order = an_order(tif=TimeInForce.GTC)
    opening = at("2025-05-28T09:00:00+09:00")
    assert next_open_ns(order, opening - 1, Overrides()) == opening
    assert next_open_ns(order, opening, Overrides()) == opening, "what is left of a day counts"
    assert next_open_ns(order, opening, Overrides(), later=True) == at("2025-05-29T09:00:00+09:00")
    had = replace(order, refs=(a_ref(1, "2025-05-28"),))
    assert next_open_ns(had, opening, Overrides()) == at("2025-05-29T09:00:00+09:00")
    nxt = replace(order, venue=Venue.NXT)
    assert next_open_ns(nxt, opening, Overrides()) == at("2025-05-28T09:00:30+09:00"), "NXT opens later"
    saturday = at("2025-05-31T10:00:00+09:00")
    assert next_open_ns(order, saturday, Overrides()) == at("2025-06-02T09:00:00+09:00")
    assert next_open_ns(order, EVENING, closed(TOMORROW)) == at("2025-05-29T09:00:00+09:00")
    early = at("2025-05-28T07:00:00+09:00")
    assert next_open_ns(order, early, closed(TOMORROW)) == at("2025-05-29T09:00:00+09:00")


@pytest.mark.req("C-38", "C-14")
def test_the_last_day_ends_when_it_is_settled_and_a_last_day_that_is_no_session_has_no_clock() -> None:
    bench = Bench()
    order = bench.submit(an_intent(time_in_force=TimeInForce.GTD, good_till=TOMORROW))
    plan = session_on(Venue.KRX, date(2025, 5, 28))
    assert plan is not None
    assert order.expires_ns == plan.last_ns + bench.policy.settles_after_ns
    off = Bench(a_policy(sessions=closed(TOMORROW)))
    assert off.submit(an_intent(time_in_force=TimeInForce.GTD, good_till=TOMORROW)).expires_ns is None


@pytest.mark.req("F-93", "I-57")
def test_an_order_of_the_evening_belongs_to_the_next_day_that_is_open() -> None:
    bench = Bench(a_policy(sessions=closed(TOMORROW)), now_ns=EVENING)
    order = bench.submit(an_intent(**GTC))
    assert (order.trade_date, order.retry_at_ns) == ("2025-05-29", at("2025-05-29T09:00:00+09:00"))


# ---- the last look before a send ----------------------------------------------------------------


@pytest.mark.req("I-57", "F-93", "I-53")
def test_a_day_that_nobody_knows_ends_a_waiting_order_that_was_never_sent() -> None:
    bench = Bench()
    order = bench.submit(an_intent(time_in_force=TimeInForce.DAY))
    bench.now_ns = at("2099-01-05T10:00:00+09:00")
    decision = bench.do(SendNext(order_id=order.order_id))
    assert names(decision) == ["OrderCancelled"]
    assert decision.order is not None
    assert (ends(bench)[0].reason, ends(bench)[0].evidence) == (Reason.NO_TABLE, "never sent")
    assert "calendar covers" in ends(bench)[0].text


@pytest.mark.req("I-57", "F-93")
def test_a_day_that_the_operator_closed_since_ends_it_too() -> None:
    bench = Bench()
    order = bench.submit(an_intent(time_in_force=TimeInForce.DAY))
    bench.policy = a_policy(sessions=closed(TODAY))
    bench.do(SendNext(order_id=order.order_id))
    assert (ends(bench)[0].reason, sends(bench)) == (Reason.EXPIRED, [])


@pytest.mark.req("I-57", "C-10")
def test_an_order_for_now_or_never_is_not_sent_into_an_auction_and_one_for_the_day_is() -> None:
    bench = Bench()
    now = bench.submit(an_intent(1, time_in_force=TimeInForce.IOC))
    later = bench.submit(an_intent(2, time_in_force=TimeInForce.DAY))
    bench.now_ns = at("2025-05-27T15:25:00+09:00")
    bench.do(SendNext(order_id=now.order_id))
    bench.do(SendNext(order_id=later.order_id))
    assert bench.order(now).reason is Reason.EXPIRED
    assert [event.order_id for event in sends(bench)] == [later.order_id]
    prompt = Bench()
    order = prompt.sent(an_intent(time_in_force=TimeInForce.IOC))
    assert order.attempt_open, "in continuous trading it goes"


@pytest.mark.req("C-11", "I-33", "I-57")
def test_a_triggered_stop_is_reserved_at_the_worst_price_of_the_moment_it_leaves() -> None:
    bench = Bench()
    order = bench.submit(an_intent(**STOP))
    assert order.reserve_price == 91_000
    bench.quotes[SAMSUNG] = (D(72_000), D(60_000))
    bench.do(HearPrice(symbol=SAMSUNG, price=D(72_000), source="feed"))
    now = bench.send(order)
    assert (now.reserve_price, sends(bench)[0].reserve_price) == (78_000, 78_000)
    assert sends(bench)[0].reserve_cost == now.reserve_cost == 110  # 780,000 won at 0.0140527 %
    assert sends(bench)[0].request.stop_price is None


@pytest.mark.req("F-58", "I-53")
def test_a_carried_order_without_costs_for_the_new_day_waits_for_the_table() -> None:
    today_only = replace(KIS_BANKIS, valid_to=date.fromisoformat(TODAY))
    bench = Bench(a_policy(cost_plans={"kis": today_only, "kis-us": KIS_US}))
    order = bench.working(an_intent(**GTC))
    bench.now_ns = EVENING
    bench.study(a_report(order, state=BrokerState.EXPIRED))
    bench.now_ns = at("2025-05-28T09:01:00+09:00")
    bench.do(SendNext(order_id=order.order_id))
    waiting = bench.order(order)
    assert (ends(bench), waiting.resting, waiting.attempt) == ([], True, 1)
    assert waiting.retry_at_ns == bench.now_ns + 60_000_000_000


def test_an_order_as_an_intent_is_what_it_would_be_asked_for_now() -> None:
    held = an_order(
        order_type=OrderType.STOP_LIMIT,
        tif=TimeInForce.GTC,
        stop_price=D(72_000),
        venue=Venue.NXT,
        session=TradingSession.AFTER_MARKET,
        stop_held=True,
    )
    intent = order_as_intent(held)
    assert (intent.stop_price, intent.venue, intent.session) == (72_000, Venue.NXT, held.session)
    assert (intent.order_type, intent.time_in_force) == (OrderType.STOP_LIMIT, TimeInForce.GTC)
    assert intent.signal_ts_ns == held.signal_ts_ns
    limit = order_as_intent(replace(held, triggered_ns=1))
    assert (limit.order_type, limit.stop_price, limit.time_in_force) == (
        OrderType.LIMIT,
        None,
        TimeInForce.GTC,
    )
    market = order_as_intent(replace(held, order_type=OrderType.STOP, triggered_ns=1))
    assert (market.order_type, market.time_in_force) == (OrderType.MARKET, TimeInForce.DAY)
    plain = order_as_intent(an_order(order_type=OrderType.MARKET, tif=TimeInForce.IOC, signal_ts_ns=None))
    assert (plain.time_in_force, plain.signal_ts_ns) == (TimeInForce.IOC, 0)


# ---- creating -----------------------------------------------------------------------------------


@pytest.mark.req("S002-20", "S002-22", "C-3", "C-4")
def test_an_order_keeps_its_signals_instant_and_session_and_reserves_nothing_when_it_is_refused() -> None:
    evening = frozenset({(Venue.KRX, TradingSession.SINGLE_PRICE)})
    bench = Bench(a_policy(session_kinds=evening), now_ns=at("2025-05-27T16:30:00+09:00"))
    intent = an_intent(session=TradingSession.SINGLE_PRICE)
    order = bench.send(bench.submit(intent))
    assert (order.session, order.signal_ts_ns) == (TradingSession.SINGLE_PRICE, intent.signal_ts_ns)
    assert sends(bench)[0].request.session is TradingSession.SINGLE_PRICE
    again = bench.do(SubmitOrder(intent=replace(intent, session=None)))
    assert (again.existing, again.mismatch) == (True, True), "the same signal for another session"
    refused = bench.submit(an_intent(2, qty=D(0)))
    assert (refused.status, refused.reserve_price, refused.reserve_cost) == (S.REJECTED, 0, 0)


def test_a_part_of_a_key_that_could_make_two_intents_one_is_a_bad_signal() -> None:
    with pytest.raises(BadInput) as caught:
        key_of(an_intent(strategy_version="a|b"))
    assert caught.value.reason is Reason.BAD_SIGNAL


@pytest.mark.req("S002-12", "C-33")
def test_the_risk_engine_is_asked_with_the_intent_the_book_and_the_facts() -> None:
    asked: list[tuple[Any, ...]] = []

    def approve(*values: Any) -> None:
        asked.append(values)

    bench = Bench(a_policy(approve=approve))
    intent = an_intent()
    assert bench.submit(intent).status is S.NEW
    assert asked[0][:2] == (intent, bench.book)
    assert asked[0][2].now_ns == bench.now_ns
    assert len(asked[0]) == 3


# ---- checks -------------------------------------------------------------------------------------


def refusal(policy: Any = None, intent: Any = None, **changes: Any) -> Reason | None:
    bench = Bench(policy)
    return bench.submit(intent or an_intent(**changes)).reason


@pytest.mark.req("C-12")
def test_the_largest_position_is_counted_from_nothing_held_and_nothing_coming() -> None:
    def policy(most: int) -> Any:
        return a_policy(limits=limits(max_position_size=D(most)))

    assert refusal(policy(10)) is None
    assert refusal(policy(9)) is Reason.QTY_TOO_LARGE
    assert refusal(policy(1)) is Reason.QTY_TOO_LARGE
    assert refusal(policy(0)) is Reason.MAX_POSITION_COUNT


@pytest.mark.req("I-53", "S002-23")
def test_a_price_of_one_won_is_outside_the_band_and_one_of_nothing_is_no_price() -> None:
    assert refusal(price=D(1)) is Reason.PRICE_OUTSIDE_BAND
    assert refusal(price=D(0)) is Reason.PRICE_NOT_POSITIVE
    assert refusal(price=D(-5)) is Reason.PRICE_NOT_POSITIVE


@pytest.mark.req("F-65", "C-12")
def test_a_dollar_market_order_of_a_penny_share_is_valued_at_its_penny_price() -> None:
    bench = Bench(usd=10_000, now_ns=US_OPEN_NS)
    bench.quotes[APPLE] = (D("0.50"), None)
    order = bench.submit(an_intent(symbol=APPLE, order_type=OrderType.MARKET, price=None))
    assert (order.status, order.reserve_price) == (S.NEW, D("0.60"))


def test_what_is_valid_names_its_session() -> None:
    policy = a_policy(session_kinds=frozenset({(Venue.KRX, TradingSession.SINGLE_PRICE)}))
    bench = Bench(policy, now_ns=at("2025-05-27T16:30:00+09:00"))
    valid = validate(an_intent(session=TradingSession.SINGLE_PRICE), policy, bench.facts())
    assert isinstance(valid, Valid)
    assert valid.session is TradingSession.SINGLE_PRICE


@pytest.mark.req("I-57")
def test_an_order_for_the_close_is_taken_from_the_instant_of_the_opening() -> None:
    policy = a_policy()
    plan = session_on(Venue.US, date(2025, 5, 27))
    assert plan is not None
    entry = plan.auction_entry(OrderType.MOC)
    assert entry is not None

    def taken(now_ns: int) -> bool:
        return is_time_for(TradingSession.REGULAR, OrderType.MOC, Venue.US, now_ns, policy)

    assert [taken(entry[0] - 1), taken(entry[0]), taken(entry[1] - 1), taken(entry[1])] == [
        False,
        True,
        True,
        False,
    ]


# ---- stops --------------------------------------------------------------------------------------


@pytest.mark.req("C-11")
def test_a_symbol_without_stops_is_no_longer_watched() -> None:
    index = StopIndex()
    buy = an_order(1, stop_price=D(72_000))
    sell = an_order(2, stop_price=D(68_000), side=Side.SELL, symbol=HYNIX)
    index.add(buy)
    index.add(sell)
    assert set(index.symbols) == {SAMSUNG, HYNIX}
    index.discard(buy)
    assert index.symbols == (HYNIX,)
    index.discard(sell)
    index.discard(sell)
    assert (index.symbols, len(index)) == ((), 0)


@pytest.mark.req("C-11", "S002-39")
def test_a_stop_that_is_being_cancelled_is_not_triggered_and_the_next_one_is() -> None:
    bench = Bench()
    wanted = bench.submit(an_intent(1, **STOP))
    leaving = replace(
        wanted,
        order_id=OrderId("id-0"),
        idempotency_key=IdempotencyKey("another"),
        cancel_requested_ns=1,
        stop_price=D(71_900),
    )
    bench.apply(OrderCreated(order_id=leaving.order_id, order=leaving))
    decision = bench.decide(HearPrice(symbol=SAMSUNG, price=D(72_000), source="feed"))
    triggered = [e.order_id for e in decision.events if type(e).__name__ == "StopTriggered"]  # type: ignore[union-attr]
    assert triggered == [wanted.order_id]


# ---- numbers ------------------------------------------------------------------------------------


@pytest.mark.req("I-11", "F-05", "F-17")
def test_a_number_of_another_order_stops_trading_and_marks_the_order() -> None:
    bench = Bench()
    bench.working(an_intent(1), number=1)
    order = bench.sent(an_intent(2, symbol=HYNIX, price=D(200_000)))
    decision = bench.conclude(order, Accepted(ref=a_ref(1), raw=""))
    assert names(decision) == ["TradingHalted", "OrderFlagged"]
    assert bench.book.halt is not None
    assert Flag.DISPUTED in bench.order(order).flags


@pytest.mark.req("I-11", "F-05")
def test_a_second_number_of_one_day_is_a_persons_to_settle_also_for_an_order_of_several_days() -> None:
    bench = Bench()
    order = bench.working(an_intent(**GTC), number=1)
    decision = bench.conclude(order, Accepted(ref=a_ref(2), raw=""))
    assert (names(decision), decision.ask) == (["OrderFlagged"], True)
    assert bench.order(order).refs == (a_ref(1),)


@pytest.mark.req("I-17", "F-05")
def test_an_order_that_ended_and_was_taken_after_all_is_asked_about() -> None:
    bench = Bench(a_policy(unknown_order_policy="resend_once"))
    order = bench.unknown()
    bench.cancel(order)
    bench.absent_twice()
    assert bench.order(order).status is S.CANCELLED
    decision = bench.conclude(order, Accepted(ref=a_ref(1), raw=""))
    assert (names(decision)[:1], decision.ask) == (["OrderSent"], True)
    assert Flag.DISPUTED in bench.order(order).flags


# ---- marks, recovery, alarms, drafts ------------------------------------------------------------


@pytest.mark.req("I-53")
@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_a_mark_that_is_no_price_is_refused_with_its_reason(price: str) -> None:
    bench = Bench()
    with pytest.raises(BadInput) as caught:
        bench.decide(RecordMarks(marks={SAMSUNG: D(price)}, source="feed"))
    assert caught.value.reason is Reason.BAD_NUMBER


def test_a_recovery_that_adopted_nothing_says_so() -> None:
    bench = Bench()
    [event] = bench.do(FinishRecovery(text="done")).events
    assert event == Recovered(unknown=0, adopted=0, text="done")


def alarms(last: str | None, price: str, arrival: str | None = None) -> tuple[Alarm, ...]:
    bench = Bench()
    order = bench.working(an_intent(price=D(70_000)))
    if arrival is not None:
        bench.book.open[order.order_id] = replace(order, arrival_price=D(arrival))
    bench.quotes[SAMSUNG] = (None if last is None else D(last), D(70_000))
    decision = bench.decide(fill_of(order, price))
    assert decision.events
    return tuple(e.alarm for e in decision.events if type(e).__name__ == "OrderAlarmed")  # type: ignore[union-attr]


def fill_of(order: Order, price: str) -> Any:
    return HearReport(report=a_notice(order, 10, price=D(price)))


@pytest.mark.req("S000-84")
def test_a_fill_is_abnormal_only_beyond_the_ratio_of_a_price_that_is_one() -> None:
    assert alarms("60000", "63000") == ()
    assert alarms("60000", "63001") == (Alarm.ABNORMAL_PRICE,)
    assert alarms("60000", "57000") == ()
    assert alarms("0.5", "0.6") == (Alarm.ABNORMAL_PRICE,)
    assert alarms("0", "60000", arrival="0") == ()
    assert alarms(None, "60000", arrival="60000") == ()


def test_a_draft_moves_the_position_of_the_rows_that_are_about_its_symbol() -> None:
    bench = Bench()
    order = bench.working()
    bench.fill(order, 1)
    row = next(row for entry in bench.entries for row in entry.ledger if row.symbol == SAMSUNG and row.qty)
    draft = bench.draft()
    fill = a_fill(bench.order(order), 9, qty=D(2), ref=a_ref())
    event = FillBooked(order_id=order.order_id, fill=fill, ledger=(), notice_qty=D(2), raw="")
    rows = (replace(row, qty=D(2)), replace(row, symbol=HYNIX, qty=D(5)))
    draft.add(event, rows)
    assert draft.position(ACCOUNT, SAMSUNG, "KRW").qty == 3


@pytest.mark.req("I-49", "F-53", "F-51")
def test_a_rejection_after_a_bust_took_every_fill_back_ends_the_order() -> None:
    bench = Bench()
    order = bench.fill(bench.working(an_intent(**GTC)), 4)
    bench.now_ns = EVENING
    expired = BrokerState.EXPIRED
    bench.study(a_report(order, qty_filled=D(4), amount_filled=D(280_000), state=expired))
    bench.hear(
        TradeBust(
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
    )
    bench.now_ns = at("2025-05-28T09:01:00+09:00")
    again = bench.send(order)
    assert (again.status, again.qty_filled, again.attempt_open) == (S.PART_FILLED, 0, True)
    bench.conclude(again, Rejected(code="40", text="suspended", raw="r"))
    ended = bench.order(order)
    assert (ended.status, ended.reason, ended.reason_text) == (
        S.CANCELLED,
        Reason.BROKER_REJECTED,
        "40 suspended",
    )


@pytest.mark.req("I-17", "I-64")
def test_a_rejection_of_todays_attempt_says_nothing_when_yesterdays_number_has_filled_it_all() -> None:
    bench = Bench()
    order = bench.working(an_intent(**GTC))
    bench.now_ns = EVENING
    bench.study(a_report(order, state=BrokerState.EXPIRED))
    bench.now_ns = at("2025-05-28T09:01:00+09:00")
    again = bench.send(order)
    bench.hear(a_notice(again, 10, ref=a_ref(1)))
    assert bench.order(order).status is S.FILLED
    assert bench.conclude(again, Rejected(code="40", text="no", raw="")).events == ()


@pytest.mark.req("I-08", "C-4")
def test_the_same_signal_for_another_life_is_a_mismatch() -> None:
    bench = Bench()
    intent = an_intent(time_in_force=TimeInForce.DAY)
    bench.submit(intent)
    assert not bench.do(SubmitOrder(intent=intent)).mismatch
    assert bench.do(SubmitOrder(intent=replace(intent, time_in_force=TimeInForce.IOC))).mismatch
    fresh = Bench()
    fresh.submit(intent)
    assert fresh.do(SubmitOrder(intent=replace(intent, venue=Venue.NXT))).mismatch


@pytest.mark.req("I-09", "F-30", "I-11")
def test_a_twin_without_an_execution_id_under_another_number_is_another_fill() -> None:
    first, second = a_ref(1), a_ref(2)
    order = an_order(refs=(first, second), tallies=(Tally(ref=first), Tally(ref=second)))
    told = [count_notice(order, a_notice(order, 3, None, ref=ref)) for ref in (first, second)]
    with_id = count_notice(order, a_notice(order, 3, 7, ref=second))
    assert all(isinstance(one, Booking) for one in (*told, with_id))
    identities = [one.identity for one in (*told, with_id) if isinstance(one, Booking)]
    assert identities[1] == f"{identities[0]}:{second.trade_date}:{second.number}"
    assert identities[2] == "exec:E7"
    assert order.tally(a_ref(9)) == Tally(ref=a_ref(9)), "a number that is new has filled nothing"


@pytest.mark.req("I-04", "I-06")
def test_a_cumulative_figure_counts_halves_and_a_repeat_of_it_counts_nothing() -> None:
    order = an_order(refs=(a_ref(),), qty=D(10))
    half = count_cumulative(order, a_ref(), D("0.5"), D("0.5"))
    assert isinstance(half, Booking)
    assert (half.qty, half.amount, half.price, half.notice_qty) == (D("0.5"), D("0.5"), 1, 0)
    notice = a_notice(order, D("0.5"), 1, price=D(10), qty_cumulative=D("0.5"))
    counted = count_notice(order, notice)
    assert isinstance(counted, Booking)
    assert (counted.qty, counted.amount, counted.notice_qty) == (D("0.5"), 5, 0)


SATURDAY_OPEN = Overrides(
    days=(DayOverride(venue=Venue.KRX, day=date(2025, 5, 31), open=time(9, 0), close=time(15, 30)),)
)


@pytest.mark.req("F-93", "I-57")
def test_a_day_that_the_operator_opened_is_a_trading_day_wherever_it_is_asked_for() -> None:
    bench = Bench(a_policy(sessions=SATURDAY_OPEN), now_ns=at("2025-05-31T10:00:00+09:00"))
    order = bench.sent(an_intent(time_in_force=TimeInForce.DAY))
    assert (order.trade_date, sends(bench)[0].request.trade_date) == ("2025-05-31", "2025-05-31")
    friday_evening = at("2025-05-30T18:00:00+09:00")
    carried = an_order(tif=TimeInForce.GTC)
    assert next_open_ns(carried, friday_evening, SATURDAY_OPEN) == at("2025-05-31T09:00:00+09:00")
    weekday = at("2025-05-27T10:00:00+09:00")
    regular = (TradingSession.REGULAR, OrderType.LIMIT, Venue.KRX, weekday)
    assert is_time_for(*regular, a_policy())
    assert not is_time_for(*regular, a_policy(sessions=closed(TODAY)))


def test_every_row_of_a_fill_names_its_order_and_its_fill() -> None:
    bench = Bench()
    order = bench.fill(bench.working())
    rows = [row for entry in bench.entries for row in entry.ledger if row.fill_id is not None]
    assert {row.order_id for row in rows} == {order.order_id}
    assert len(rows) == 2
