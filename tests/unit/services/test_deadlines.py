"""Deadlines: each order's own time, earliest first, and no more memory than there are orders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.ids import OrderId
from jumun.services.deadlines import SLACK, Deadlines

A, B, C = OrderId("a"), OrderId("b"), OrderId("c")


@pytest.mark.req("S000-16", "S000-98")
def test_orders_come_due_earliest_first_and_once() -> None:
    deadlines = Deadlines()
    for order_id, at in ((A, 30), (B, 10), (C, 20)):
        deadlines.set(order_id, at)
    assert deadlines.next_ns() == 10
    assert list(deadlines.due(20)) == [B, C]
    assert list(deadlines.due(20)) == []
    assert (deadlines.next_ns(), len(deadlines)) == (30, 1)


def test_a_moved_deadline_counts_at_its_new_time_only() -> None:
    deadlines = Deadlines()
    deadlines.set(A, 10)
    deadlines.set(A, 30)
    assert list(deadlines.due(29)) == []
    deadlines.set(A, 5)
    assert list(deadlines.due(5)) == [A]
    assert list(deadlines.due(100)) == []


def test_a_removed_deadline_never_comes() -> None:
    deadlines = Deadlines()
    deadlines.set(A, 10)
    deadlines.set(A, None)
    deadlines.set(B, None)
    assert deadlines.next_ns() is None
    assert list(deadlines.due(100)) == []
    assert len(deadlines) == 0


@pytest.mark.req("I-61", "S000-115")
def test_outdated_entries_are_thrown_away_before_they_pile_up() -> None:
    deadlines = Deadlines()
    for at in range(10 * SLACK):
        deadlines.set(A, at)
    assert len(deadlines._heap) <= SLACK + 2
    assert deadlines.next_ns() == 10 * SLACK - 1


@given(
    steps=st.lists(
        st.tuples(st.sampled_from([A, B, C]), st.one_of(st.none(), st.integers(0, 50))), max_size=40
    )
)
def test_what_is_due_is_what_was_last_set(steps: list[tuple[OrderId, int | None]]) -> None:
    deadlines, truth = Deadlines(), dict[OrderId, int]()
    for number, (order_id, at) in enumerate(steps):
        deadlines.set(order_id, at)
        if at is None:
            truth.pop(order_id, None)
        else:
            truth[order_id] = at
        assert deadlines.next_ns() == min(truth.values(), default=None)
        if number % 5 == 4:
            due = list(deadlines.due(25))
            assert sorted(due) == sorted(o for o, deadline in truth.items() if deadline <= 25)
            truth = {o: deadline for o, deadline in truth.items() if deadline > 25}
