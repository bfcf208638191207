"""What a decision has worked out already is what its records fold to, and is used for nothing else."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from jumun.model.commands import BookEntry, HearReport
from jumun.model.documents import Document, SharesMoved
from jumun.model.events import FillBooked, OrderFlagged
from jumun.model.ids import UserId
from jumun.model.orders import Flag, Order
from jumun.model.reports import FillNotice
from jumun.rules.book import Drafted
from jumun.rules.draft import Decision, Draft
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    SAMSUNG,
    TODAY,
    Bench,
    a_policy,
    a_ref,
    an_intent,
    refold,
)
from tests.unit.rules.test_book import a_busy_bench

D = Decimal


def second_fill(bench: Bench, order: Order) -> Decision:
    """Decide, and do not apply yet, a fill of two shares of an order that has one already."""
    notice = FillNotice(
        account_id=order.account_id,
        ref=a_ref(1),
        symbol=SAMSUNG,
        side=order.side,
        qty=D(2),
        price=D(70_000),
        ts_event_ns=bench.now_ns,
        qty_cumulative=D(3),
        amount_cumulative=D(210_000),
        raw="",
    )
    return bench.decide(HearReport(report=notice))


def part_filled() -> tuple[Bench, Order]:
    """An order of five shares of which one has filled."""
    bench = Bench(a_policy())
    order = bench.working(an_intent(1, qty=D(5)), 1)
    bench.fill(order, 1)
    return bench, bench.order(order)


@pytest.mark.req("I-24", "I-25")
def test_a_day_applied_with_its_drafts_is_the_day_folded_from_its_records() -> None:
    bench = a_busy_bench()
    assert any(isinstance(record.event, FillBooked) for record in bench.records)
    assert bench.book.image() == refold(bench.records).image()


@pytest.mark.req("I-24", "I-25")
def test_the_book_takes_over_the_order_and_position_that_a_fill_was_decided_with() -> None:
    bench, order = part_filled()
    decision = second_fill(bench, order)
    drafted = decision.drafted[0]
    assert drafted is not None
    assert drafted.before is order
    bench.apply(decision.events[0], drafted)
    assert bench.order(order) is drafted.after
    assert bench.book.positions[order.account_id, SAMSUNG] is drafted.position
    assert bench.book.image() == refold(bench.records).image()


@pytest.mark.req("I-24", "I-25")
def test_a_draft_made_from_another_order_than_the_book_holds_is_not_believed() -> None:
    bench, order = part_filled()
    decision = second_fill(bench, order)
    (event,) = decision.events
    drafted = decision.drafted[0]
    assert drafted is not None
    wrong = replace(drafted.after, qty_filled=D(5), strategy_id="somebody else")
    assert drafted.position is not None
    too_many = replace(drafted.position, qty=D(99))
    stale = Drafted(replace(order), wrong, drafted.held, too_many)
    bench.apply(event, stale)
    assert bench.order(order) == drafted.after
    assert bench.book.positions[order.account_id, SAMSUNG] == drafted.position


@pytest.mark.req("I-24", "I-25")
def test_a_draft_made_from_another_position_than_the_book_holds_is_not_believed() -> None:
    bench, order = part_filled()
    decision = second_fill(bench, order)
    drafted = decision.drafted[0]
    assert drafted is not None
    assert drafted.held is not None
    assert drafted.position is not None
    too_many = replace(drafted.position, qty=D(99))
    bench.apply(decision.events[0], Drafted(order, drafted.after, replace(drafted.held), too_many))
    assert bench.book.positions[order.account_id, SAMSUNG] == drafted.position


@pytest.mark.req("I-24")
def test_every_event_of_a_decision_has_its_draft_beside_it() -> None:
    bench, order = part_filled()
    decision = second_fill(bench, order)
    assert len(decision.drafted) == len(decision.events)
    flagged = OrderFlagged(order_id=order.order_id, flag=Flag.DISPUTED, text="by hand")
    bench.apply(flagged)  # a record without a draft is folded
    assert bench.order(order).flags == (Flag.DISPUTED,)


@pytest.mark.req("I-24")
def test_a_number_leads_to_the_order_as_this_decision_leaves_it() -> None:
    bench, order = part_filled()
    draft = Draft(bench.book, bench.policy, bench.facts())
    flagged = draft.add(OrderFlagged(order_id=order.order_id, flag=Flag.DISPUTED, text="by hand"))
    assert draft.by_ref(order.account_id, a_ref(1)) is flagged
    assert bench.book.order_by_ref(order.account_id, a_ref(1)) is order


@pytest.mark.req("S000-93")
def test_shares_that_leave_free_their_place_among_the_symbols_and_take_it_again_when_they_return() -> None:
    bench = Bench(a_policy(), shares={HYNIX: 5})
    assert HYNIX in bench.book.occupied[ACCOUNT]
    for name, qty, cost in (("out", D(-5), None), ("back", D(2), D(400_000)), ("more", D(1), D(200_000))):
        moved = SharesMoved(symbol=HYNIX, qty=qty, cost=cost)
        paper = Document(name=name, trade_date=TODAY, settlement_date=TODAY, fact=moved)
        decision = bench.do(BookEntry(account_id=ACCOUNT, document=paper, by=UserId("kim"), text=name))
        assert decision.denial is None
        assert (HYNIX in bench.book.occupied[ACCOUNT]) is (name != "out")
