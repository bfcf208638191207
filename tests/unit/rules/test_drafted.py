"""What a decision has worked out already is what its records fold to, and is used for nothing else."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from jumun.model.commands import HearReport
from jumun.model.events import FillBooked, OrderFlagged
from jumun.model.orders import Flag, Order
from jumun.model.reports import FillNotice
from jumun.rules.book import Drafted
from jumun.rules.draft import Decision
from tests.unit.rules.desk_values import SAMSUNG, Bench, a_policy, a_ref, an_intent, refold
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
