"""What is written with each record: the history row, the broker's number, and what others are told."""

from decimal import Decimal

import pytest

from jumun.model.commands import HaltTrading, RecordMarks, ResumeTrading, StudyBalance, SubmitOrder
from jumun.model.events import OrderSent, OrderUnknown
from jumun.model.ids import UserId
from jumun.model.journal import Entry, Message
from jumun.model.orders import OrderStatus, OrderType
from jumun.model.reasons import Reason
from jumun.model.reports import Accepted, Balance, BrokerState, NotSent, Rejected, Unknown
from jumun.rules.book import Book
from jumun.rules.entries import entries_of, entry_of
from jumun.rules.messages import ALERTS
from jumun.rules.policy import Denial
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    SAMSUNG,
    Bench,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    an_intent,
    refold,
)

D = Decimal
S = OrderStatus


def told(entry: Entry) -> list[str]:
    return [message.event_type for message in entry.messages]


def last_of(bench: Bench, event_type: str) -> Message:
    [*_, message] = [m for entry in bench.entries for m in entry.messages if m.event_type == event_type]
    return message


def history(bench: Bench) -> list[tuple[str | None, str]]:
    rows = [entry.transition for entry in bench.entries if entry.transition is not None]
    return [(None if row.status_from is None else row.status_from.value, row.status.value) for row in rows]


@pytest.mark.req("S002-31", "S002-32", "S002-63", "S000-5", "S002-10")
def test_every_transition_is_a_history_row_creation_included() -> None:
    bench = Bench()
    order = bench.working()
    bench.hear(a_report(order))
    bench.fill(order, 4, 1)
    bench.fill(order, 3, 2)
    bench.fill(order, 3, 3)
    assert history(bench) == [
        (None, "NEW"),
        ("NEW", "SENT"),
        ("SENT", "ACCEPTED"),
        ("ACCEPTED", "PART_FILLED"),
        ("PART_FILLED", "PART_FILLED"),
        ("PART_FILLED", "FILLED"),
    ]


@pytest.mark.req("S002-64", "S002-31")
def test_a_history_row_keeps_the_reason_and_what_the_broker_said() -> None:
    bench = Bench()
    refused = bench.sent(an_intent(1))
    bench.conclude(refused, Rejected(code="40", text="no cash", raw='{"msg": "증거금"}'))
    row = bench.entries[-1].transition
    assert row is not None
    assert (row.status_from, row.status, row.reason, row.text) == (S.NEW, S.REJECTED, "40", "no cash")
    assert row.raw_payload == '{"msg": "증거금"}'
    ended = bench.working(an_intent(2), 2)
    bench.hear(a_report(ended, state=BrokerState.EXPIRED, raw="listed"))
    row = bench.entries[-1].transition
    assert row is not None
    assert (row.reason, row.raw_payload) == ("EXPIRED", "stream: listed")
    denied = bench.submit(an_intent(3, qty=D(0)))
    row = bench.entries[-1].transition
    assert row is not None
    assert (row.order_id, row.reason, row.raw_payload) == (denied.order_id, "QTY_NOT_POSITIVE", "")


def test_facts_beside_the_status_make_no_history_row() -> None:
    bench = Bench()
    order = bench.not_sent(bench.sent())
    assert [type(e.record.event).__name__ for e in bench.entries if e.transition is None] == [
        "OpeningBooked",
        "OpeningBooked",
        "SendIntended",
        "SendNotLeft",
    ]
    assert bench.entries[-1].order == order


@pytest.mark.req("S002-47", "I-11", "C-31")
def test_a_broker_number_is_written_once_with_the_record_that_brought_it() -> None:
    bench = Bench()
    order = bench.working(number=5)
    assert bench.entries[-1].new_ref == a_ref(5)
    bench.hear(a_report(order))
    assert [entry.new_ref for entry in bench.entries[-1:]] == [None]
    bench.study(a_report(order), a_report(order, ref=a_ref(9), symbol=HYNIX))
    assert [entry.new_ref for entry in bench.entries if entry.new_ref] == [a_ref(5), a_ref(9)]


@pytest.mark.req("I-11", "C-31")
def test_a_number_that_an_order_has_already_is_no_new_row() -> None:
    bench = Bench()
    order = bench.working(number=5)
    doubt = OrderUnknown(order_id=order.order_id, attempt=1, reason=Reason.NO_REPLY, text="", raw="")
    bench.apply(doubt)
    again = OrderSent(order_id=order.order_id, ref=a_ref(5), evidence="history", raw="")
    assert bench.apply(again).new_ref is None


@pytest.mark.req("I-28", "S000-44", "S000-19")
def test_a_fill_its_rows_its_position_and_its_order_are_one_entry() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 4)
    entry = bench.entries[-1]
    assert entry.fill is not None
    assert entry.order == order
    assert [position.qty for position in entry.positions] == [4]
    assert [row.kind for row in entry.ledger] == ["FILL", "FEE"]


@pytest.mark.req("I-28", "I-24")
def test_a_rebuild_from_the_journal_gives_the_same_rows() -> None:
    bench = Bench(shares={HYNIX: 3})
    bench.fill(bench.working(an_intent(1), 1))
    bench.unknown(an_intent(2, qty=D(2)))
    bench.submit(an_intent(3, qty=D(0)))
    assert list(entries_of(bench.records, "sim")) == bench.entries


# ---- messages -----------------------------------------------------------------------------------


@pytest.mark.req("S000-59", "S000-68", "C-16")
def test_a_placed_order_is_told_with_its_number() -> None:
    bench = Bench()
    order = bench.working(number=5)
    assert told(bench.entries[-1]) == ["order_placed", "order_status_changed"]
    message = bench.entries[-1].messages[0]
    assert message.payload["broker_order_no"] == a_ref(5).number
    assert message.payload["order_id"] == order.order_id
    assert message.account_id == ACCOUNT


@pytest.mark.req("S000-61", "S000-62", "S000-63", "S000-69", "S000-72", "S000-73", "S000-74", "S002-58")
def test_fills_are_told_in_part_in_full_and_as_positions() -> None:
    bench = Bench()
    order = bench.working()
    bench.fill(order, 4, 1)
    assert told(bench.entries[-1]) == [
        "order_executed",
        "order_partially_executed",
        "order_status_changed",
        "position_updated",
    ]
    bench.fill(order, 6, 2)
    assert told(bench.entries[-1]) == [
        "order_executed",
        "order_fully_executed",
        "order_status_changed",
        "position_updated",
    ]
    assert last_of(bench, "order_executed").payload["quantity"] == "6"
    assert last_of(bench, "order_fully_executed").payload["filled_amount"] == "700000"
    assert last_of(bench, "position_updated").payload["cost_basis"] == "700000"


@pytest.mark.req("S000-70", "S002-68")
def test_a_failed_order_is_told_whoever_refused_it() -> None:
    bench = Bench()
    bench.submit(an_intent(1, qty=D(0)))
    assert told(bench.entries[-1]) == ["order_failed", "order_status_changed"]
    assert last_of(bench, "order_failed").payload["reason"] == "QTY_NOT_POSITIVE"
    bench.conclude(bench.sent(an_intent(2)), Rejected(code="40", text="no", raw=""))
    assert last_of(bench, "order_failed").payload["reason"] == "40"


@pytest.mark.req("S000-71", "C-38")
def test_a_cancelled_order_is_told_with_its_reason_expiry_included() -> None:
    bench = Bench()
    bench.cancel(bench.submit())
    assert told(bench.entries[-1]) == ["order_cancelled", "order_status_changed"]
    order = bench.submit(an_intent(2))
    bench.wait(300)
    bench.tick(order)
    assert last_of(bench, "order_cancelled").payload["reason"] == "EXPIRED"


@pytest.mark.req("I-15", "S002-68", "I-60")
def test_an_unknown_outcome_a_halt_and_a_break_are_alerts() -> None:
    bench = Bench()
    bench.unknown()
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="stop"))
    bench.do(ResumeTrading(by=UserId("kim"), text="go"))
    lost = bench.entries[-3]
    assert told(lost)[0] == "order_unknown"
    assert told(bench.entries[-2]) == ["trading_halted"]
    assert told(bench.entries[-1]) == ["trading_resumed"]
    clean = Bench()
    balance = Balance(account_id=ACCOUNT, asked_ns=0, holdings=(), cash={})
    clean.do(StudyBalance(balance=balance, suspects=(("CASH:KRW", D(100_000_000), D(0)),)))
    found = last_of(clean, "break_found")
    assert (found.account_id, found.payload["subject"]) == (ACCOUNT, "CASH:KRW")
    assert set(ALERTS) == {
        "order_unknown",
        "trading_halted",
        "break_found",
        "order_failed",
        "order_alarm",
        "fill_reversed",
    }


def test_an_intent_that_risk_refused_is_told_to_its_account() -> None:
    bench = Bench(a_policy(approve=lambda *_: Denial(Reason.RISK_DENIED, "no")))
    bench.do(SubmitOrder(intent=an_intent()))
    [message] = bench.entries[-1].messages
    assert (message.event_type, message.account_id) == ("intent_denied", ACCOUNT)


def test_a_market_order_has_no_price_to_tell() -> None:
    bench = Bench()
    bench.conclude(
        bench.sent(an_intent(order_type=OrderType.MARKET, price=None)), Accepted(ref=a_ref(), raw="")
    )
    assert bench.entries[-1].messages[0].payload["price"] is None


@pytest.mark.req("C-16", "S002-67", "S002-72")
def test_every_message_has_the_one_envelope_and_an_id_of_its_own() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    bench.fill(bench.working(a_sale()), 4)
    bench.not_sent(bench.sent(an_intent(2)))
    bench.conclude(bench.sent(an_intent(3)), Unknown(text=""))
    messages = [(entry, message) for entry in bench.entries for message in entry.messages]
    ids = [message.event_id for _, message in messages]
    assert len(set(ids)) == len(ids)
    for entry, message in messages:
        record = entry.record
        shard, seq, index = message.event_id.split(".")
        assert (shard, int(seq)) == ("0", record.seq)
        assert entry.messages[int(index)] is message
        assert (message.event_ts_ns, message.environment, message.version) == (record.ts_ns, "sim", 1)
        assert (message.correlation_id, message.causation_id) == (record.correlation_id, record.causation_id)


@pytest.mark.req("C-6", "I-31")
def test_no_payload_holds_a_number_that_a_reader_could_make_a_float_of() -> None:
    bench = Bench()
    bench.fill(bench.working(), 4)
    bench.conclude(bench.sent(an_intent(2)), NotSent(text=""))
    for entry in bench.entries:
        for message in entry.messages:
            assert not [v for v in message.payload.values() if isinstance(v, float | int | Decimal)]


def test_new_prices_are_written_with_their_positions_but_are_no_position_updates() -> None:
    bench = Bench(shares={SAMSUNG: 1})
    bench.do(RecordMarks(marks={SAMSUNG: D(1)}, source="s"))
    assert [position.mark for position in bench.entries[-1].positions] == [1] * len(bench.policy.accounts)
    assert bench.entries[-1].messages == ()


@pytest.mark.req("F-47")
def test_a_late_fill_of_an_order_that_left_memory_is_told_without_the_order() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    image = len(bench.records)
    bench.fill(order, 1, 2)
    late = bench.records[image]
    begun = Book.from_image(refold(bench.records[:image]).image())
    entry = entry_of(late, begun.apply(late), "sim")
    assert told(entry) == ["order_executed", "position_updated"]
    assert entry.messages[0].account_id == ACCOUNT
    assert (entry.order, entry.transition) == (None, None)
