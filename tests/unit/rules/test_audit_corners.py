"""The independent audit over everything that changes an order or the books beside plain fills.

Modified, carried, busted and repriced orders, dividends, splits, transfers and corrections: honest books
pass, and each kind of dishonest ones is found under its own invariant.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pytest
from msgspec.structs import replace

from jumun.model.events import (
    EntryBooked,
    FillBooked,
    FillReversed,
    ModifyIntended,
    OpeningBooked,
    OrderAccepted,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderModified,
    OrderResting,
    OrderSent,
    OrderUnknown,
    SendIntended,
)
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, CommandId
from jumun.model.instruments import Venue
from jumun.model.journal import Record
from jumun.model.money import Currency
from jumun.model.orders import Flag, Order, OrderStatus, Side, Terms, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, BrokerState, ModifyAccepted, SubmitRequest, TradeBust
from jumun.rules.audit import AuditFacts, ExchangeFacts, audit
from jumun.rules.audit_facts import Checks
from jumun.rules.audit_money import Holding, trade
from jumun.rules.audit_orders import stories_of
from jumun.rules.corporate import Booked, cash_moved, dividend, shares_moved, split
from jumun.rules.trading_days import DayOverride, Overrides
from jumun.testing.builders import a_fill, an_order
from tests.unit.rules.desk_values import (
    ACCOUNT,
    APPLE,
    FUND,
    GOLD,
    HYNIX,
    SAMSUNG,
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
)
from tests.unit.rules.test_audit import event_of, facts_of, with_extra

D = Decimal
S = OrderStatus
OTHER: Final = AccountId("87654321-01")
TOMORROW: Final = "2025-05-28"
GTC: Final[dict[str, Any]] = {"time_in_force": TimeInForce.GTC}
PAPER: Final = Booked(account_id=ACCOUNT, document="P-1", trade_date=TODAY, settlement_date=TODAY)


def enter(bench: Bench, rows: tuple[LedgerRow, ...], document: str) -> None:
    bench.apply(EntryBooked(account_id=ACCOUNT, rows=rows, document=document, by=USER, text="paper"))


def bust(bench: Bench, order: Order, qty: int, price: int, new: int | None, identity: str) -> None:
    bench.hear(
        TradeBust(
            account_id=ACCOUNT,
            ref=bench.order(order).refs[0],
            symbol=order.symbol,
            side=order.side,
            qty=D(qty),
            price=D(price),
            price_new=None if new is None else D(new),
            ts_event_ns=bench.now_ns,
            identity=identity,
            raw="busted",
        )
    )


def a_week() -> Bench:
    """Two sessions with everything that is no plain order."""
    policy = a_policy(modifies=True, unknown_order_policy="resend_once")
    bench = Bench(policy, shares={HYNIX: 30, FUND: 25}, usd=10_000)
    # Modified, under a second number, with fills before and after.
    moved = bench.fill(bench.working(an_intent(1), number=1), 4, 1)
    bench.modify(moved, qty=8, price=69_000)
    bench.conclude_modify(moved, ModifyAccepted(ref=a_ref(2), raw="taken 2"))
    bench.hear(a_notice(bench.order(moved), 2, 2, ref=a_ref(2), price=D(69_000)))
    # Modified before it ever left, to a dearer price, and filled at it.
    idle = bench.submit(an_intent(2, symbol=HYNIX, qty=D(5), price=D(199_000)))
    bench.modify(idle, price=200_000)
    bench.conclude(bench.send(idle), taken(3))
    bench.fill(idle, 5, 3, price=D(200_000))
    # Filled and taken back, bought and sold; repriced while held, and when nothing is left.
    gone = bench.fill(bench.working(an_intent(3, price=D(70_300)), number=4), 10, 4, price=D(70_200))
    bust(bench, gone, 10, 70_200, None, "b1")
    sold = bench.fill(bench.working(a_sale(4, symbol=HYNIX, qty=D(3), price=D(201_000)), number=5), 3, 5)
    bust(bench, sold, 3, 201_000, None, "b2")
    dear = bench.fill(bench.working(an_intent(5, symbol=FUND, qty=D(4), price=D(38_500)), number=6), 4, 6)
    bust(bench, dear, 4, 38_500, 38_400, "b3")
    cheap = bench.fill(bench.working(a_sale(6, symbol=FUND, qty=D(2), price=D(38_500)), number=7), 2, 7)
    bust(bench, cheap, 2, 38_500, 38_600, "b4")
    short_lived = bench.fill(bench.working(an_intent(7, symbol="100001", qty=D(3), price=D(10_000)), 8), 3, 8)
    bench.fill(bench.working(a_sale(8, symbol="100001", qty=D(3), price=D(10_010)), number=9), 3, 9)
    bust(bench, short_lived, 3, 10_000, 9_990, "b5")
    # Papers.
    held = bench.book.positions
    enter(bench, dividend(PAPER, held[ACCOUNT, HYNIX], D(9_000), D(1_386), D(7_614)), "dividend")
    enter(bench, split(PAPER, held[ACCOUNT, FUND], 1, 10, cash_for_fraction=D(270_000)), "reverse split")
    enter(bench, split(PAPER, held[ACCOUNT, HYNIX], 2, 1), "split")
    enter(bench, shares_moved(PAPER, held[ACCOUNT, HYNIX], D(-4)), "out")
    enter(bench, shares_moved(PAPER, held[ACCOUNT, SAMSUNG], D(2), D(140_000)), "in")
    enter(bench, cash_moved(PAPER, Currency.KRW, D(-77_000)), "withdrawal")
    enter(bench, cash_moved(PAPER, Currency.USD, D("12.34"), LedgerKind.CORRECTION), "correction")
    # Bought and taken back again: nothing is left of it anywhere.
    undone = bench.fill(bench.working(an_intent(20, symbol="100002", qty=D(3), price=D(10_000)), 20), 3, 20)
    bust(bench, undone, 3, 10_000, None, "b6")
    # Dearer by a modify: a fill at the new price may come before the answer, one at the old price after it.
    bench.modify(bench.order(moved), price=70_100)
    bench.hear(a_notice(bench.order(moved), 1, 21, ref=a_ref(2), price=D(70_100)))
    bench.conclude_modify(moved, ModifyAccepted(ref=a_ref(22), raw="taken 22"))
    bench.hear(a_notice(bench.order(moved), 1, 22, ref=a_ref(1), price=D(70_000)))
    offered = bench.working(a_sale(23, symbol=HYNIX, qty=D(2), price=D(201_000)), number=23)
    bench.modify(offered, price=202_000)
    bench.conclude_modify(offered, ModifyAccepted(ref=a_ref(24), raw="taken 24"))
    bench.hear(a_notice(bench.order(offered), 1, 24, ref=a_ref(23), price=D(201_000)))
    # Refused connections, and an attempt that never arrived: sent again.
    late = bench.not_sent(bench.sent(an_intent(25, price=D(69_200))))
    bench.wait(5)
    bench.conclude(bench.send(late), taken(25))
    lost = bench.unknown(an_intent(26, price=D(68_800)))
    bench.absent_twice()
    bench.conclude(bench.send(bench.order(lost)), taken(26))
    # Unknown, and found again.
    found = bench.unknown(an_intent(9, price=D(69_500)))
    bench.wait(60)
    bench.study(*(a_report(o, **filled(o)) for o in bench.book.open.values() if o.refs), a_report(found, 10))
    # Carried into the next day with a part filled on each; a late fill while it rests.
    carried = bench.fill(bench.working(an_intent(10, **GTC), number=11), 3, 10)
    bench.now_ns = at("2025-05-27T18:00:00+09:00")
    expired: dict[str, Any] = {"state": BrokerState.EXPIRED}
    bench.study(
        a_report(carried, qty_filled=D(3), amount_filled=D(210_000), **expired),
        *(
            a_report(o, **expired, **filled(o))
            for o in bench.book.open.values()
            if o.refs and o.order_id != carried.order_id
        ),
    )
    bench.hear(a_notice(bench.order(carried), 1, 12, ref=a_ref(11)))
    bench.now_ns = at("2025-05-28T09:01:00+09:00")
    bench.not_sent(bench.send(carried))
    bench.wait(5)
    bench.conclude(bench.send(carried), taken(1, TOMORROW))
    bench.hear(a_notice(bench.order(carried), 2, 11, ref=a_ref(1, TOMORROW)))
    return bench


def filled(order: Order) -> dict[str, Any]:
    """What the broker's list says of the newest number."""
    assert order.newest_ref is not None
    tally = order.tally(order.newest_ref)
    return {"qty_filled": tally.qty, "amount_filled": tally.amount}


def taken(number: int, day: str = TODAY) -> Any:
    return Accepted(ref=a_ref(number, day), raw="taken")


@pytest.fixture(scope="module")
def week() -> Bench:
    """Read only: every lie is told on a copy of its records."""
    return a_week()


def kinds(bench: Bench) -> list[type]:
    return [type(record.event) for record in bench.records]


@pytest.mark.req("I-01", "I-03", "I-05", "I-29", "I-30", "I-32", "I-36", "F-53", "F-54", "F-58")
def test_honest_books_pass_whatever_changed_them(week: Bench) -> None:
    report = audit(facts_of(week))
    assert report.violations == []
    told = {
        kind: kinds(week).count(kind) for kind in (FillReversed, EntryBooked, OrderResting, OrderModified)
    }
    assert told == {FillReversed: 6, EntryBooked: 7, OrderResting: 1, OrderModified: 4}
    assert audit(facts_of(week, orders=facts_of(week).orders[::-1])).violations == [], "in any order"


# ---- lies ---------------------------------------------------------------------------------------


def rewritten(bench: Bench, kind: type, change: Callable[[Any], Any], nth: int = 0) -> AuditFacts:
    """The journal with the nth event of a kind changed."""
    records = list(bench.records)
    place = [n for n, record in enumerate(records) if isinstance(record.event, kind)][nth]
    records[place] = replace(records[place], event=change(records[place].event))
    return facts_of(bench, records=records)


def followed(bench: Bench, kind: type, extra: Callable[[Any], Any], nth: int = 0) -> AuditFacts:
    """The journal with another event behind the nth of a kind."""
    records: list[Record] = list(bench.records)
    place = [n for n, record in enumerate(records) if isinstance(record.event, kind)][nth]
    records.insert(place + 1, replace(records[place], event=extra(records[place].event)))
    return facts_of(bench, records=[replace(r, seq=n) for n, r in enumerate(records, 1)])


def row_changed(event: Any, place: int, **changes: Any) -> Any:
    rows = list(event.rows if isinstance(event, EntryBooked | OpeningBooked) else event.ledger)
    rows[place] = replace(rows[place], **changes)
    field = "rows" if isinstance(event, EntryBooked | OpeningBooked) else "ledger"
    return replace(event, **{field: tuple(rows)})


def terms(qty: int) -> Terms:
    return Terms(qty=D(qty), price=D(69_000))


def number_of(bench: Bench, nth: int) -> Any:
    return [r.event.ref for r in bench.records if isinstance(r.event, OrderSent)][nth]


LIES: Final[dict[str, tuple[str, Callable[[Bench], AuditFacts]]]] = {
    "created twice": ("I-08: .* was created twice", lambda b: with_extra(b, event_of(b, OrderCreated))),
    "sent twice before any answer": (
        "I-07: .* is sent again",
        lambda b: followed(b, SendIntended, lambda e: replace(e, attempt=2)),
    ),
    "sent again although it works": (
        "I-07: .* is sent again",
        lambda b: followed(b, OrderSent, lambda e: replace(event_of(b, SendIntended), order_id=e.order_id)),
    ),
    "rests without proof": (
        "I-15: .* rests without",
        lambda b: rewritten(b, OrderResting, lambda e: replace(e, evidence="")),
    ),
    "a modify asks for more": (
        "I-03: .* is modified to 11",
        lambda b: rewritten(b, ModifyIntended, lambda e: replace(e, terms=terms(11))),
    ),
    "a modify makes it larger": (
        "I-03: .* grew from 10 to 12 by a modify",
        lambda b: rewritten(b, OrderModified, lambda e: replace(e, terms=terms(12))),
    ),
    "an order is larger than it was born": (
        "I-03: .* grew from 5 to 12$",
        lambda b: rewritten(b, OrderModified, lambda e: replace(e, terms=terms(12)), nth=1),
    ),
    "modified without proof": (
        "I-49: .* is modified without",
        lambda b: rewritten(b, OrderModified, lambda e: replace(e, evidence="")),
    ),
    "taken back twice": ("I-09: .* takes back", lambda b: with_extra(b, event_of(b, FillReversed))),
    "more taken back than said": (
        "I-01: .* keeps",
        lambda b: rewritten(b, FillReversed, lambda e: replace(e, amount=e.amount - 1)),
    ),
    "two orders with one number": (
        "I-11: .* share number",
        lambda b: rewritten(b, OrderSent, lambda e: replace(e, ref=number_of(b, 0)), nth=1),
    ),
    "an unknown order is completed by a modify": (
        "I-15: .* went from ERROR to FILLED by OrderModified",
        lambda b: followed(
            b,
            OrderUnknown,
            lambda e: replace(event_of(b, OrderModified), order_id=e.order_id, terms=terms(0)),
        ),
    ),
    "an opening is a transfer": (
        "I-32: opening .* books a TRANSFER row",
        lambda b: rewritten(b, OpeningBooked, lambda e: row_changed(e, 0, kind=LedgerKind.TRANSFER)),
    ),
    "an entry is a fill": (
        "I-32: opening withdrawal books a FILL row",
        lambda b: rewritten(b, EntryBooked, lambda e: row_changed(e, 0, kind=LedgerKind.FILL), nth=5),
    ),
    "an entry pays a fee": (
        "I-32: entry dividend books a FEE row",
        lambda b: rewritten(b, EntryBooked, lambda e: row_changed(e, 1, kind=LedgerKind.FEE)),
    ),
    "a dividend of nothing": (
        "I-32: entry dividend books a DIVIDEND row",
        lambda b: rewritten(b, EntryBooked, lambda e: row_changed(e, 0, symbol="")),
    ),
    "shares that came in as a fee": (
        "I-32: .* SECURITIES holds",
        lambda b: rewritten(b, EntryBooked, lambda e: row_changed(e, 0, debit=LedgerAccount.FEES), nth=4),
    ),
    "money that went nowhere": (
        "I-36: .* owns",
        lambda b: rewritten(b, EntryBooked, lambda e: row_changed(e, 0, credit=LedgerAccount.FEES), nth=5),
    ),
    "a row of nothing": (
        "I-32: fill .* has the row",
        lambda b: rewritten(b, FillBooked, lambda e: row_changed(e, 1, amount=D(0))),
    ),
    "a row from cash to cash": (
        "I-32: fill .* has the row",
        lambda b: rewritten(b, FillBooked, lambda e: row_changed(e, 1, debit=LedgerAccount.CASH)),
    ),
    "a row of another fill": (
        "I-32: fill .* has the row",
        lambda b: rewritten(b, FillBooked, lambda e: row_changed(e, 1, fill_id="other")),
    ),
    "a fee that was paid back": (
        "I-36: .* basis, realised and costs",
        lambda b: rewritten(
            b,
            FillBooked,
            lambda e: row_changed(e, 1, debit=LedgerAccount.CASH, credit=LedgerAccount.FEES),
        ),
    ),
    "sold short": (
        "I-35: .* shares short",
        lambda b: facts_of(b, records=[r for r in b.records if not isinstance(r.event, OpeningBooked)]),
    ),
    "a fill of no shares": (
        "I-04",
        lambda b: rewritten(
            b, FillBooked, lambda e: replace(e, fill=replace(e.fill, qty=D(0), amount=D("1e-10")))
        ),
    ),
    "a fill of no money": (
        "I-04",
        lambda b: rewritten(
            b,
            FillBooked,
            lambda e: replace(e, fill=replace(e.fill, qty=D("1e-10"), price=D(1), amount=D(0))),
        ),
    ),
    "a fill that is off by dust": (
        "I-04",
        lambda b: rewritten(
            b, FillBooked, lambda e: replace(e, fill=replace(e.fill, amount=e.fill.amount + D("1e-9")))
        ),
    ),
    "cash that is not in the books": (
        "I-30: cash of .* KRW is 0",
        lambda b: facts_of(b, cash={place: sum_ for place, sum_ in b.book.cash.items() if place[1] == "USD"}),
    ),
    "costs without a table": ("I-30: the costs of .* unflagged", lambda b: facts_of(b, cost_plans={})),
}


@pytest.mark.req("I-03", "I-07", "I-08", "I-09", "I-11", "I-15", "I-30", "I-32", "I-35", "I-36", "I-49")
@pytest.mark.parametrize("name", LIES)
def test_a_lie_about_a_week_is_found(name: str, week: Bench) -> None:
    found, lie = LIES[name]
    report = audit(lie(week))
    assert [text for text in report.violations if re.match(found, text)], report.violations


@pytest.mark.req("I-04")
def test_a_fill_of_one_won_is_a_fill_and_dust_of_a_division_is_none() -> None:
    bench = Bench()
    bench.fill(bench.working(an_intent(price=D(60_000))), 3, price=D("59999.9999999999"))
    changed = rewritten(
        bench, FillBooked, lambda e: replace(e, fill=replace(e.fill, qty=D(1), price=D(1), amount=D(1)))
    )
    assert not [text for text in audit(changed).violations if text.startswith("I-04")]
    dusty = rewritten(
        bench, FillBooked, lambda e: replace(e, fill=replace(e.fill, amount=e.fill.amount + D("1e-10")))
    )
    assert not [text for text in audit(dusty).violations if text.startswith("I-04")]


@pytest.mark.req("I-49", "S002-29")
def test_a_refusal_of_our_own_needs_its_sentence_and_no_attempt() -> None:
    bench = Bench()
    bench.submit(an_intent(qty=D(1_000)))
    mute = rewritten(bench, OrderDenied, lambda e: replace(e, text=""))
    assert any(text.startswith("I-49") for text in audit(mute).violations)
    assert audit(facts_of(bench)).violations == []
    denied = event_of(bench, OrderDenied)
    sent = Bench()
    order = sent.sent()
    late = with_extra(sent, replace(denied, order_id=order.order_id))
    assert any(text.startswith("I-49") for text in audit(late).violations)


@pytest.mark.req("I-01", "I-03", "F-62")
def test_an_over_fill_is_honest_when_it_is_flagged_and_a_lie_when_it_is_not() -> None:
    bench = Bench()
    order = bench.working()
    bench.fill(order, 12)
    assert audit(facts_of(bench)).violations == []
    hidden = rewritten(bench, FillBooked, lambda e: replace(e, fill=replace(e.fill, flags=())))
    found = [text for text in audit(hidden).violations if "filled 12 of 10" in text]
    assert [text[:4] for text in found] == ["I-01", "I-03"]


@pytest.mark.req("I-30")
def test_costs_that_no_table_tells_are_honest_when_a_person_was_told() -> None:
    bench = Bench()
    order = bench.working()
    bench.policy = a_policy(cost_plans={})
    bench.fill(order)
    assert Flag.DISPUTED in bench.order(order).flags
    report = audit(facts_of(bench, cost_plans={}))
    assert (report.violations, report.checks["I-30"]) == ([], 3), "cash of both accounts, and the costs"


# ---- statuses, retold ---------------------------------------------------------------------------


def steps(*events: Any) -> OrderStatus:
    """Where the history of an order that was sent leads."""
    records = [Record(seq=1, ts_ns=0, causation_id=CommandId("c"), correlation_id="s", event=BORN)]
    for event in (SENDING, *events):
        records.append(replace(records[-1], seq=len(records) + 1, event=event))
    checks = Checks()
    story = stories_of(records, checks).orders[ORDER.order_id]
    assert checks.violations == []
    return story.status


ORDER: Final = an_order()
A_REQUEST: Final = SubmitRequest(
    order_id=ORDER.order_id,
    attempt=1,
    account_id=ORDER.account_id,
    symbol=ORDER.symbol,
    venue=ORDER.venue,
    currency=ORDER.currency,
    side=ORDER.side,
    order_type=ORDER.order_type,
    tif=ORDER.tif,
    qty=ORDER.qty,
    price=ORDER.price,
    trade_date=TODAY,
    reference=None,
)
BORN: Final = OrderCreated(order_id=ORDER.order_id, order=ORDER)
SENDING: Final = SendIntended(order_id=ORDER.order_id, attempt=1, request=A_REQUEST)
NUMBER: Final = OrderSent(order_id=ORDER.order_id, ref=a_ref(), evidence="reply", raw="")
TAKEN: Final = OrderAccepted(order_id=ORDER.order_id, ref=a_ref(), raw="")
LOST: Final = OrderUnknown(order_id=ORDER.order_id, attempt=1, reason=Reason.NO_REPLY, text="", raw="")
RESTS: Final = OrderResting(order_id=ORDER.order_id, until_ns=1, text="", evidence="listed")
OVER: Final = OrderCancelled(order_id=ORDER.order_id, reason=Reason.EXPIRED, text="", evidence="listed")
FOUR: Final = FillBooked(
    order_id=ORDER.order_id, fill=a_fill(ORDER, qty=D(4), ref=a_ref()), ledger=(), notice_qty=D(4), raw=""
)


def lowered(qty: int) -> OrderModified:
    return OrderModified(
        order_id=ORDER.order_id,
        terms=Terms(qty=D(qty), price=D(70_000)),
        price_raw=D(70_000),
        ref=None,
        reserve_price=D(70_000),
        reserve_cost=D(0),
        by="broker",
        evidence="listed",
        raw="",
    )


@pytest.mark.req("S002-30", "I-16", "I-17")
@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((NUMBER,), S.SENT),
        ((NUMBER, TAKEN), S.ACCEPTED),
        ((NUMBER, TAKEN, NUMBER), S.ACCEPTED),
        ((NUMBER, FOUR, NUMBER), S.PART_FILLED),
        ((LOST, NUMBER), S.SENT),
        ((LOST, TAKEN), S.ACCEPTED),
        ((NUMBER, FOUR, LOST, NUMBER), S.PART_FILLED),
        ((NUMBER, FOUR, LOST, TAKEN), S.PART_FILLED),
        ((LOST, RESTS), S.NEW),
        ((NUMBER, LOST, RESTS), S.ACCEPTED),
        ((NUMBER, FOUR, LOST, RESTS), S.PART_FILLED),
        ((NUMBER, RESTS), S.SENT),
        ((NUMBER, FOUR, lowered(4)), S.FILLED),
        ((NUMBER, FOUR, lowered(5)), S.PART_FILLED),
        ((NUMBER, FOUR, OVER, lowered(4)), S.CANCELLED),
    ],
)
def test_the_history_leads_to_a_status_of_its_own(events: tuple[Any, ...], status: OrderStatus) -> None:
    assert steps(*events) is status


# ---- the arithmetic -----------------------------------------------------------------------------


def test_half_a_share_more_of_what_is_held_realises_nothing() -> None:
    held = Holding(qty=D("0.5"), basis=D(50))
    assert trade(held, Side.BUY, D(1), D(100)) == 0
    assert (held.qty, held.basis) == (D("1.5"), 150)


@pytest.mark.req("I-36", "I-32")
def test_a_gain_and_a_loss_of_cents_are_rows_of_their_own() -> None:
    bench = Bench(usd=10_000, now_ns=US_OPEN_NS)
    bench.fill(bench.working(an_intent(1, symbol=APPLE, price=D("200.00")), 1), 10, 1)
    for number, price in ((2, "200.05"), (3, "199.95")):
        sale = a_sale(number, symbol=APPLE, qty=D(5), price=D(price))
        bench.fill(bench.working(sale, number), 5, number)
    assert audit(facts_of(bench)).violations == []


@pytest.mark.req("I-30", "I-36")
def test_dollars_and_shares_that_nobody_brought_at_the_opening_count_from_nothing() -> None:
    bench = Bench(usd=0)
    for number, rows in enumerate(
        (
            dividend(PAPER, bench.book.position(ACCOUNT, APPLE, "USD"), D(10), D(0), D(10)),
            cash_moved(PAPER, Currency.USD, D(-10)),
        )
    ):
        enter(bench, rows, f"paper {number}")
    without = {place: amount for place, amount in bench.book.cash.items() if place[1] != "USD"}
    assert bench.book.cash[ACCOUNT, "USD"] == 0
    assert audit(facts_of(bench, cash=without)).violations == []
    empty = {**bench.book.cash, (OTHER, "EUR"): D(0)}
    flat = [*bench.book.positions.values(), bench.book.position(ACCOUNT, HYNIX, "KRW")]
    assert audit(facts_of(bench, cash=empty, positions=flat)).violations == []
    only_dividend = Bench(usd=0)
    enter(only_dividend, dividend(PAPER, bench.book.position(ACCOUNT, GOLD, "USD"), D(9), D(0), D(9)), "d")
    assert audit(facts_of(only_dividend)).violations == []
    only_shares = Bench(usd=0)
    enter(only_shares, shares_moved(PAPER, bench.book.position(ACCOUNT, GOLD, "USD"), D(2), D(50)), "s")
    assert audit(facts_of(only_shares)).violations == []


def test_a_position_that_is_gone_without_a_trace_need_not_be_told(week: Bench) -> None:
    told = [held for held in week.book.positions.values() if held.symbol != "100002"]
    assert len(told) < len(week.book.positions)
    assert audit(facts_of(week, positions=told)).violations == []


@pytest.mark.req("I-30", "I-43")
def test_costs_and_settlement_follow_the_operators_calendar() -> None:
    closed = DayOverride(venue=Venue.KRX, day=date(2025, 5, 28), closed=True)
    bench = Bench(a_policy(sessions=Overrides(days=(closed,))), shares={HYNIX: 5})
    bench.fill(bench.working(), 10)
    bench.fill(bench.working(a_sale(2, symbol=HYNIX, qty=D(5), price=D(200_000)), number=2), 5, 2)
    assert event_of(bench, FillBooked).fill.settlement_date == "2025-05-30"
    assert audit(facts_of(bench)).violations == []


@pytest.mark.req("I-07")
def test_the_exchange_may_accept_an_order_once_for_each_number_and_once_where_none_is_known(
    week: Bench,
) -> None:
    carried = next(r.event.order_id for r in week.records if isinstance(r.event, OrderResting))
    unknown = Bench()
    lost = unknown.unknown()

    def doubled(bench: Bench, order_id: str, times: int) -> bool:
        truth = ExchangeFacts(
            cash={}, holdings={}, traded={}, received={order_id: 1}, accepted={order_id: times}
        )
        report = audit(facts_of(bench), truth)
        return any(text.startswith("I-07: ") for text in report.violations)

    assert [doubled(week, carried, times) for times in (2, 3)] == [False, True]
    assert [doubled(unknown, lost.order_id, times) for times in (1, 2)] == [False, True]
