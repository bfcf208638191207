"""EMS-03: what the broker says of an order, in any order, becomes fills, money and a status."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.events import FillBooked, ForeignOrderAdopted, OrderCancelled, OrderRejected
from jumun.model.fills import LedgerKind
from jumun.model.orders import Flag, OrderStatus, OrderType, Side, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerState, FillNotice, LookAgain, OrderReport
from jumun.rules.expiry import is_too_early
from jumun.rules.hear import adopt_ref, hear_order
from tests.unit.rules.desk_values import (
    ACCOUNT,
    APPLE,
    SAMSUNG,
    US_OPEN_NS,
    Bench,
    a_notice,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    an_account,
    an_intent,
    at,
    names,
)

D = Decimal
S = OrderStatus
US_OPENING_NS = at("2025-05-27T09:30:00-04:00")
US_CLOSE_NS = at("2025-05-27T16:00:00-04:00")


# ---- fills and money ----------------------------------------------------------------------------


@pytest.mark.req("S000-6", "S000-43", "S002-54", "S002-57", "I-29", "I-30", "S000-45", "S000-47")
def test_a_fill_moves_shares_and_money_and_books_the_costs_of_the_order() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    assert (order.status, order.costs) == (S.FILLED, {"BROKERAGE": D(98)})
    assert bench.book.cash[ACCOUNT, "KRW"] == 100_000_000 - 700_000 - 98
    held = bench.book.positions[ACCOUNT, SAMSUNG]
    assert (held.qty, held.cost_basis, held.costs) == (10, 700_000, 98)
    [fill] = [entry.fill for entry in bench.entries if entry.fill is not None]
    assert (fill.trade_date, fill.settlement_date) == ("2025-05-27", "2025-05-29")


@pytest.mark.req("S000-30", "S002-56", "I-37", "C-8")
@given(pieces=st.permutations([1, 2, 3, 4]))
def test_the_costs_of_the_pieces_add_up_to_the_costs_of_the_whole_order(pieces: list[int]) -> None:
    bench = Bench(shares={SAMSUNG: 10})
    order = bench.working(a_sale())
    for number, qty in enumerate(pieces):
        order = bench.fill(order, qty, number)
    assert order.status is S.FILLED
    assert order.costs == {"BROKERAGE": D(98), "RURAL_TAX": D(1_050)}  # 2025: no transaction tax at KOSPI
    kinds = {row.kind for entry in bench.entries for row in entry.ledger}
    assert kinds == {LedgerKind.OPENING, LedgerKind.FILL, LedgerKind.FEE, LedgerKind.TAX}


@pytest.mark.req("C-20", "S000-27")
def test_a_sale_in_new_york_pays_its_own_fees_in_dollars() -> None:
    bench = Bench(usd=10_000, shares={APPLE: 10}, now_ns=US_OPEN_NS)
    order = bench.fill(bench.working(a_sale(symbol=APPLE, price=D(200))), 10)
    assert order.costs == {"BROKERAGE": D("5.00"), "TAF": D("0.01")}  # the SEC fee was 0 that month
    assert bench.book.cash[ACCOUNT, "USD"] == 10_000 + 2_000 - D("5.01")


@pytest.mark.req("I-37", "I-44")
@pytest.mark.parametrize(
    "changes",
    [
        {"cost_plans": {}},
        {"accounts": {ACCOUNT: an_account(cost_plans={})}},
        {"accounts": {}},
    ],
)
def test_a_fill_whose_costs_nobody_knows_is_booked_and_shown_to_a_person(changes: dict[str, Any]) -> None:
    bench = Bench()
    order = bench.working()
    bench.policy = a_policy(**changes)
    order = bench.fill(order, 4)
    assert (order.qty_filled, order.costs, order.flags) == (4, {}, (Flag.DISPUTED,))
    bench.policy = a_policy()
    order = bench.fill(order, 6, 2)
    assert order.costs == {"BROKERAGE": D(98)}, "the next fill catches up"


@pytest.mark.req("I-44", "F-59")
def test_a_fill_of_a_symbol_that_left_the_list_is_booked_all_the_same() -> None:
    bench = Bench()
    bench.study(a_report(bench.submit(), 9, symbol="555555", qty_filled=D(1), amount_filled=D(5_000)))
    [adopted] = [e.record.event for e in bench.entries if isinstance(e.record.event, ForeignOrderAdopted)]
    order = bench.order(adopted.order_id)
    assert (order.qty_filled, set(order.flags)) == (1, {Flag.FOREIGN, Flag.DISPUTED})


@pytest.mark.req("I-09", "F-20")
def test_a_repeated_notice_changes_nothing() -> None:
    bench = Bench()
    order = bench.working()
    bench.fill(order, 4)
    assert bench.hear(a_notice(order, 4)).events == ()


@pytest.mark.req("I-09", "I-43", "F-44")
def test_a_notice_of_shares_a_history_already_booked_asks_and_books_nothing() -> None:
    bench = Bench()
    order = bench.working()
    bench.study(a_report(order, qty_filled=D(4), amount_filled=D(280_000)))
    decision = bench.hear(a_notice(order, 4))
    assert (names(decision), decision.ask) == (["NoticeCounted"], True)
    assert bench.order(order).qty_filled == 4


@pytest.mark.req("F-30", "I-12")
def test_a_notice_that_may_be_a_twin_or_a_repeat_asks() -> None:
    bench = Bench()
    order = bench.working()
    bench.hear(a_notice(order, 4, None))
    decision = bench.hear(a_notice(order, 4, None))
    assert (decision.events, decision.ask) == ((), True)


# ---- what a person must see ----------------------------------------------------------------------


@pytest.mark.req("I-17", "F-47", "I-44", "I-29")
@pytest.mark.parametrize("state", [BrokerState.CANCELLED, BrokerState.REJECTED])
def test_a_fill_after_the_end_is_booked_and_flagged_and_the_status_stays(state: BrokerState) -> None:
    bench = Bench()
    order = bench.working()
    bench.hear(a_report(order, state=state))
    ended = bench.order(order)
    late = bench.fill(order, 4)
    assert (late.status, late.reason, late.flags) == (ended.status, ended.reason, (Flag.LATE_FILL,))
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 4
    assert order.order_id not in bench.book.open


@pytest.mark.req("I-01", "F-62", "I-44")
def test_shares_beyond_the_order_are_booked_and_flagged() -> None:
    bench = Bench()
    order = bench.working()
    assert bench.fill(order, 12).flags == (Flag.OVERFILL, Flag.DISPUTED)
    assert bench.book.halt is not None, "nobody knows how many more will come"
    more = bench.fill(order, 1, 2)
    assert (more.status, more.qty_filled, more.qty_left) == (S.FILLED, 13, 0)
    assert set(more.flags) == {Flag.OVERFILL, Flag.DISPUTED, Flag.LATE_FILL}
    assert bench.book.positions[ACCOUNT, SAMSUNG].qty == 13


@pytest.mark.req("I-05")
@pytest.mark.parametrize(
    ("side", "price", "flags"),
    [
        (Side.BUY, 70_000, ()),
        (Side.BUY, 69_900, ()),
        (Side.BUY, 70_100, (Flag.BAD_PRICE,)),
        (Side.SELL, 70_000, ()),
        (Side.SELL, 70_100, ()),
        (Side.SELL, 69_900, (Flag.BAD_PRICE,)),
    ],
)
def test_a_price_worse_than_the_limit_is_booked_and_flagged(
    side: Side, price: int, flags: tuple[Flag, ...]
) -> None:
    bench = Bench(shares={SAMSUNG: 10})
    order = bench.fill(bench.working(an_intent(side=side)), 10, price=D(price))
    assert (order.status, order.flags) == (S.FILLED, flags)


@pytest.mark.req("I-05", "C-10")
def test_a_limit_at_the_close_is_a_limit_too() -> None:
    bench = Bench(usd=10_000, now_ns=US_OPEN_NS)
    order = bench.working(an_intent(symbol=APPLE, order_type=OrderType.LOC, price=D(200)))
    assert bench.fill(order, 10, price=D("200.01")).flags == (Flag.BAD_PRICE,)


def test_a_market_order_has_no_price_to_be_worse_than() -> None:
    bench = Bench()
    order = bench.working(an_intent(order_type=OrderType.MARKET, price=None))
    assert bench.fill(order, 10, price=D(91_000)).flags == ()


# ---- states --------------------------------------------------------------------------------------


@pytest.mark.req("C-2", "S000-67", "S002-57")
def test_an_order_the_exchange_works_is_accepted_once() -> None:
    bench = Bench()
    order = bench.working()
    assert names(bench.hear(a_report(order))) == ["OrderAccepted"]
    assert bench.hear(a_report(order)).events == ()


@pytest.mark.req("I-17", "I-19", "F-44")
@pytest.mark.parametrize("end", [BrokerState.CANCELLED, BrokerState.REJECTED, BrokerState.EXPIRED])
@pytest.mark.parametrize("later", list(BrokerState))
def test_nothing_a_broker_says_later_brings_an_ended_order_back(end: BrokerState, later: BrokerState) -> None:
    bench = Bench()
    order = bench.working()
    bench.hear(a_report(order, state=end))
    ended = bench.order(order)
    bench.hear(a_report(order, state=later))
    assert bench.order(order) == ended


@pytest.mark.req("I-38", "F-50")
def test_a_broker_that_says_look_again_changes_nothing_and_is_asked() -> None:
    bench = Bench()
    bench.working()
    decision = bench.hear(LookAgain(text="a part of an order was cancelled by hand"))
    assert (names(decision), decision.ask) == ([], True)


@pytest.mark.req("F-39", "I-39", "I-44")
def test_an_order_called_filled_without_its_shares_is_disputed_and_asked_about() -> None:
    bench = Bench()
    order = bench.working()
    decision = bench.hear(
        a_report(order, state=BrokerState.FILLED, qty_filled=D(4), amount_filled=D(280_000))
    )
    assert (names(decision), decision.ask) == (["FillBooked", "OrderFlagged"], True)
    assert bench.order(order).flags == (Flag.DISPUTED,)
    full = a_report(order, state=BrokerState.FILLED, qty_filled=D(10), amount_filled=D(700_000))
    bench.hear(full)
    assert bench.order(order).status is S.FILLED


@pytest.mark.req("F-52", "S002-43", "I-49")
@pytest.mark.parametrize(
    ("state", "text", "reason", "words"),
    [
        (BrokerState.CANCELLED, "", Reason.CANCELLED_BY_BROKER, "the broker cancelled it"),
        (BrokerState.CANCELLED, "mass cancel", Reason.CANCELLED_BY_BROKER, "mass cancel"),
        (BrokerState.EXPIRED, "", Reason.EXPIRED, "the session ended"),
        (BrokerState.EXPIRED, "day done", Reason.EXPIRED, "day done"),
    ],
)
def test_an_order_that_nobody_of_ours_cancelled_says_who_did(
    state: BrokerState, text: str, reason: Reason, words: str
) -> None:
    bench = Bench()
    order = bench.working()
    [event] = bench.hear(a_report(order, state=state, text=text, raw="the record")).events
    assert isinstance(event, OrderCancelled)
    assert (event.reason, event.text, event.evidence) == (reason, words, "stream: the record")
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] == 0


@pytest.mark.req("I-49", "I-33")
@pytest.mark.parametrize("told_by", ["stream", "list"])
def test_an_order_in_new_york_that_is_called_expired_while_its_session_runs_works_on(told_by: str) -> None:
    bench = Bench(usd=10_000, now_ns=US_OPEN_NS)
    order = bench.working(an_intent(symbol=APPLE, price=D(200)))
    reserved = bench.book.cash_reserved[ACCOUNT, "USD"]
    report = a_report(order, state=BrokerState.EXPIRED)
    tell = bench.hear if told_by == "stream" else bench.study
    decision = tell(report)
    assert not bench.order(order).status.is_final
    assert bench.book.cash_reserved[ACCOUNT, "USD"] == reserved > 0
    assert told_by == "list" or decision.ask, "what the stream says too early, a list must tell"
    bench.now_ns = US_CLOSE_NS
    tell(report)
    assert (bench.order(order).status, bench.order(order).reason) == (S.CANCELLED, Reason.EXPIRED)
    assert bench.book.cash_reserved[ACCOUNT, "USD"] == 0


@pytest.mark.req("I-49")
@pytest.mark.parametrize(
    ("changes", "now_ns", "ends"),
    [
        ({}, US_CLOSE_NS - 1, False),
        ({}, US_CLOSE_NS, True),
        ({"order_type": OrderType.LOO}, US_OPENING_NS - 1, False),
        ({"order_type": OrderType.LOO}, US_OPENING_NS, True),
        ({"tif": TimeInForce.IOC}, US_OPENING_NS, True),
        ({"session": TradingSession.DAY_MARKET}, US_OPENING_NS - 1, True),
        ({"flags": (Flag.FOREIGN,)}, US_OPENING_NS - 1, True),
    ],
)
def test_an_order_in_new_york_expires_no_sooner_than_its_kind_can(
    changes: dict[str, Any], now_ns: int, ends: bool
) -> None:
    bench = Bench(usd=10_000, now_ns=US_OPEN_NS)
    order = msgspec.structs.replace(bench.working(an_intent(symbol=APPLE, price=D(200))), **changes)
    bench.now_ns = now_ns
    assert is_too_early(order, order.refs[0], bench.draft()) is not ends


@pytest.mark.req("S002-39", "S002-43")
def test_an_order_cancelled_because_we_wanted_it_says_so() -> None:
    bench = Bench()
    order = bench.working()
    bench.cancel(order)
    bench.hear(a_report(order, state=BrokerState.CANCELLED))
    assert bench.order(order).reason is Reason.CANCELLED_BY_USER


@pytest.mark.req("F-51", "I-49")
def test_an_order_the_exchange_refuses_later_is_rejected() -> None:
    bench = Bench()
    order = bench.working()
    bench.hear(a_report(order))
    [event] = bench.hear(a_report(order, state=BrokerState.REJECTED, text="limit", raw="{}")).events
    assert isinstance(event, OrderRejected)
    assert (event.text, event.raw) == ("limit", "{}")
    assert bench.book.cash_reserved[ACCOUNT, "KRW"] == 0


@pytest.mark.req("F-51", "I-01")
def test_an_order_refused_after_it_filled_in_part_keeps_what_filled_and_ends() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 4)
    bench.hear(
        a_report(order, state=BrokerState.REJECTED, text="no", qty_filled=D(4), amount_filled=D(280_000))
    )
    ended = bench.order(order)
    assert (ended.status, ended.reason, ended.qty_filled) == (S.CANCELLED, Reason.BROKER_REJECTED, 4)


def test_an_order_refused_after_it_filled_whole_stays_filled() -> None:
    bench = Bench()
    order = bench.fill(bench.working())
    assert bench.hear(a_report(order, state=BrokerState.REJECTED)).events == ()


@pytest.mark.req("I-11")
def test_a_number_that_is_known_is_not_adopted_twice() -> None:
    bench = Bench()
    order = bench.working()
    draft = bench.draft()
    assert adopt_ref(order, a_ref(1), "history", "", draft) is order
    assert draft.events == []


@pytest.mark.req("I-11", "I-16")
def test_a_report_of_a_number_that_nobody_mapped_is_a_defect_of_ours() -> None:
    bench = Bench()
    with pytest.raises(AssertionError, match="mapped to no order"):
        hear_order(a_report(bench.submit(), 77), bench.draft(), evidence="stream")


# ---- any order of arrival -------------------------------------------------------------------------


def _story(bench: Bench) -> list[FillNotice | OrderReport]:
    """All that can be heard of one order that fills in three pieces; two of them look alike."""
    order = bench.working()
    notices = [
        a_notice(order, 4, 1, price=D(69_900)),
        a_notice(order, 3, 2),
        a_notice(order, 3, 3),
    ]
    figures = [(0, 0), (4, 279_600), (7, 489_600), (10, 699_600)]
    reports = [
        a_report(
            order,
            qty_filled=D(qty),
            amount_filled=D(amount),
            state=BrokerState.FILLED if qty == 10 else BrokerState.WORKING,
        )
        for qty, amount in figures
    ]
    return [*notices, *reports]


@pytest.mark.req("I-09", "I-12", "I-14", "F-20", "F-21", "F-30", "F-38", "I-29", "I-30")
@given(data=st.data())
def test_however_the_broker_talks_the_books_end_the_same(data: st.DataObject) -> None:
    bench = Bench()
    story = _story(bench)
    heard = data.draw(st.permutations(story)) + data.draw(st.lists(st.sampled_from(story), max_size=6))
    for report in heard:
        bench.hear(report)
    [order] = bench.book.recent.values()
    assert (order.status, order.qty_filled, order.amount_filled) == (S.FILLED, 10, 699_600)
    assert order.costs == {"BROKERAGE": D(98)}
    assert bench.book.cash[ACCOUNT, "KRW"] == 100_000_000 - 699_600 - 98
    assert set(order.flags) <= {Flag.BAD_PRICE, Flag.DISPUTED}


def test_every_fill_has_an_id_of_its_own() -> None:
    bench = Bench()
    order = bench.working()
    for number in range(3):
        bench.fill(order, 2, number)
    ids = [e.record.event.fill.fill_id for e in bench.entries if isinstance(e.record.event, FillBooked)]
    assert len(set(ids)) == 3
