"""The book: a fold, whole or from a snapshot; and a bounded memory of what is closed."""

from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from jumun.model.commands import HaltTrading, RecordMarks, ResumeTrading, SettleBreak, StudyBalance
from jumun.model.events import FillBooked, OrderFlagged
from jumun.model.ids import CommandId, IdempotencyKey, UserId
from jumun.model.journal import Record, decode_record, encode_record
from jumun.model.orders import Flag, OrderStatus
from jumun.model.reasons import Reason
from jumun.model.reports import Balance, BrokerState
from jumun.rules.book import Applied, Book, BookImage, is_waiting, shape_of
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
    assert_sound,
    refold,
    through_bytes,
)

D = Decimal
S = OrderStatus
decode_image = msgspec.json.Decoder(BookImage).decode


def a_busy_bench() -> Bench:
    """Something of everything: every status, a halt, a break, marks, a foreign order, costs, cancels."""
    bench = Bench(a_policy(unknown_order_policy="resend_once"), usd=77, shares={HYNIX: 5})
    bench.submit(an_intent(1, qty=D(1)))
    bench.not_sent(bench.sent(an_intent(2, qty=D(2))))
    bench.sent(an_intent(3, qty=D(3)))
    part = bench.working(an_intent(4, qty=D(4)), 4)
    bench.fill(part, 1)
    bench.cancel(part)
    done = bench.working(an_intent(5, qty=D(5)), 5)
    bench.fill(done, 5, 5)
    bench.submit(an_intent(6, qty=D(0)))
    sale = bench.working(a_sale(7, symbol=HYNIX, price=D(200_000), qty=D(2)), 7)
    bench.hear(a_report(sale, 7))
    bench.study(
        a_report(bench.order(part), 4),
        a_report(bench.order(done), 5, state=BrokerState.FILLED, qty_filled=D(5), amount_filled=D(350_000)),
        a_report(bench.order(sale), 7),
        a_report(part, 9, ref=a_ref(9), symbol=HYNIX, qty=D(1), price=D(200_000)),
    )
    assert bench.book.halt is not None, "an order we do not know, in an account that is ours alone"
    bench.do(ResumeTrading(by=UserId("kim"), text="it was me"))
    lost = bench.unknown(an_intent(8, qty=D(8)))
    bench.fill(done, 1, 99)
    bench.do(RecordMarks(marks={SAMSUNG: D("70500")}, source="close"))
    bench.do(HaltTrading(reason=Reason.OPERATOR, text="lunch"))
    assert bench.order(lost).is_unknown
    return bench


@pytest.mark.req("I-24", "I-14", "I-63")
def test_folding_the_journal_again_gives_the_same_book() -> None:
    bench = a_busy_bench()
    again = refold(decode_record(encode_record(record)) for record in bench.records)
    assert again.image() == bench.book.image()
    assert list(again.open) == list(bench.book.open)
    assert again.recent == bench.book.recent
    assert_sound(again)


@pytest.mark.req("I-25")
def test_a_snapshot_at_any_record_and_the_tail_give_the_book_of_the_whole_journal() -> None:
    bench = a_busy_bench()
    for cut in range(len(bench.records) + 1):
        begun = through_bytes(refold(bench.records[:cut]), decode_image)
        assert_sound(begun)
        assert refold(bench.records[cut:], begun).image() == bench.book.image(), f"snapshot at {cut}"


@pytest.mark.req("I-25")
def test_an_image_comes_back_from_its_bytes_exactly() -> None:
    bench = a_busy_bench()
    book = through_bytes(bench.book, decode_image)
    assert book.image() == bench.book.image()
    assert book.halt == bench.book.halt
    assert (book.seq, book.ts_ns) == (bench.book.seq, bench.book.ts_ns)
    for index in ("cash_reserved", "shares_reserved", "waiting", "in_flight", "shapes", "unknown", "held"):
        ours = {key: value for key, value in getattr(bench.book, index).items() if value != 0}
        assert {key: value for key, value in getattr(book, index).items() if value != 0} == ours, index


@pytest.mark.req("I-25", "I-43")
def test_an_image_holds_breaks_and_a_book_without_a_halt() -> None:
    bench = Bench()
    balance = Balance(account_id=ACCOUNT, asked_ns=0, holdings=(), cash={})
    bench.do(StudyBalance(balance=balance, suspects=(("CASH:KRW", D(100_000_000), D(0)),)))
    book = through_bytes(bench.book, decode_image)
    [found] = book.breaks.values()
    assert (found.account_id, found.subject) == (ACCOUNT, "CASH:KRW")
    assert (found.ours, found.theirs, found.found_ns) == (D(100_000_000), D(0), bench.now_ns)
    bench.do(SettleBreak(break_id=found.break_id, by=UserId("kim"), text="the bank", correct=False))
    bench.do(ResumeTrading(by=UserId("kim"), text="ok"))
    assert through_bytes(bench.book, decode_image).halt is None
    assert bench.book.breaks == {}


@pytest.mark.req("I-26")
def test_a_record_out_of_its_place_is_refused() -> None:
    bench = Bench()
    first, second = bench.records
    with pytest.raises(AssertionError, match="cannot follow"):
        Book().apply(second)
    with pytest.raises(AssertionError, match="cannot follow"):
        bench.book.apply(first)


@pytest.mark.req("S000-115")
def test_only_a_bounded_number_of_closed_orders_stays_in_memory_with_their_names() -> None:
    bench = Bench(recent_max=3)
    orders = [bench.submit(an_intent(number, qty=D(0), client_order_id=f"c{number}")) for number in range(5)]
    assert list(bench.book.recent) == [order.order_id for order in orders[2:]]
    assert bench.book.order(orders[0].order_id) is None
    assert bench.book.order_by_key(orders[0].idempotency_key) is None
    assert bench.book.order_by_key(orders[4].idempotency_key) == orders[4]
    assert set(bench.book.client_ids) == {("user-1", f"c{number}") for number in range(2, 5)}


def test_the_numbers_of_a_forgotten_order_are_forgotten_too() -> None:
    bench = Bench(recent_max=1)
    first = bench.fill(bench.working(an_intent(1), 1))
    assert bench.book.order_by_ref(ACCOUNT, a_ref(1)) == first
    bench.submit(an_intent(2, qty=D(0)))
    assert bench.book.order_by_ref(ACCOUNT, a_ref(1)) is None


@pytest.mark.req("F-47", "I-25")
def test_a_late_fill_counts_whether_or_not_its_order_is_still_in_memory() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    begun = through_bytes(bench.book, decode_image)
    assert begun.order(order.order_id) is None
    known = len(bench.records)
    bench.fill(order, 1, 2)
    late, *others = bench.records[known:]
    assert isinstance(late.event, FillBooked)
    applied = begun.apply(late)
    assert applied.after is None
    assert [position.qty for position in applied.positions] == [11]
    for record in others:  # more than was asked for: flagged, and no new orders (F-62)
        begun.apply(record)
    assert begun.image() == bench.book.image()


def test_a_fact_about_an_order_that_left_memory_changes_nothing() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    begun = through_bytes(bench.book, decode_image)
    event = OrderFlagged(order_id=order.order_id, flag=Flag.DISPUTED, text="")
    record = Record(seq=begun.seq + 1, ts_ns=1, causation_id=CommandId("c"), correlation_id="s", event=event)
    assert begun.apply(record) == Applied()


def test_a_closed_order_can_be_admitted_and_an_open_one_that_is_missing_is_a_defect() -> None:
    bench = Bench()
    closed = replace(bench.submit(), status=S.FILLED, refs=(a_ref(3),), idempotency_key=IdempotencyKey("k"))
    other = Book()
    other.admit(closed)
    assert other.order_by_ref(ACCOUNT, a_ref(3)) == closed
    other.admit(replace(closed, qty_filled=D(1)))
    assert other.order(closed.order_id) == closed, "what is in memory is newer than any row"
    with pytest.raises(AssertionError, match="not in the book"):
        Book().admit(bench.submit(an_intent(2)))


def test_an_open_order_is_not_admitted_over() -> None:
    bench = Bench()
    order = bench.submit()
    bench.book.admit(replace(order, status=S.FILLED))
    assert bench.book.open[order.order_id] == order
    assert not bench.book.recent


@pytest.mark.req("I-07")
def test_only_an_order_of_which_nothing_can_be_at_the_broker_waits() -> None:
    order = Bench().submit()
    assert is_waiting(order)
    assert is_waiting(replace(order, status=S.ERROR))
    assert not is_waiting(replace(order, attempt_open=True))
    assert not is_waiting(replace(order, refs=(a_ref(),)))
    assert not is_waiting(replace(order, cancel_requested_ns=1))
    for status in set(S) - {S.NEW, S.ERROR}:
        assert not is_waiting(replace(order, status=status))


def test_a_shape_is_what_a_broker_could_tell_two_orders_apart_by() -> None:
    order = Bench().submit()
    assert shape_of(replace(order, qty=D("10.0"), price=D("70000.00"))) == shape_of(order)
    assert shape_of(replace(order, price=None)) != shape_of(order)
    assert shape_of(replace(order, order_id="x")) == shape_of(order)


def test_a_position_nobody_ever_held_is_flat() -> None:
    flat = Book().position(ACCOUNT, SAMSUNG, "KRW")
    assert (flat.qty, flat.currency) == (0, "KRW")
