"""The matrix of states and faults: what is called unreachable must never be seen, and gaps are named."""

from collections import Counter

import pytest

from jumun.model.orders import OrderStatus
from jumun.testing.builders import an_order
from jumun.testing.cells import (
    FAULTS,
    REACHABLE,
    STATES,
    Cells,
    impossible,
    not_visited,
    states_of,
    unreachable,
)
from jumun.testing.day import simulate_day


@pytest.mark.req("I-16")
def test_every_cell_is_reachable_or_says_why_it_is_not() -> None:
    reasons = {(fault, state): unreachable(fault, state) for fault in FAULTS for state in STATES}
    assert len(REACHABLE) + sum(bool(reason) for reason in reasons.values()) == len(FAULTS) * len(STATES)
    assert len(REACHABLE) > 500


def test_an_order_with_a_cancel_and_a_modify_on_the_way_stands_in_three_states() -> None:
    order = an_order(status=OrderStatus.PART_FILLED, cancel_open=True, modify_open=True)
    assert states_of(order) == ("PART_FILLED", "cancel open", "modify open")
    assert states_of(an_order(status=OrderStatus.FILLED, cancel_open=True)) == ("FILLED",)


def test_a_crash_visits_the_states_that_orders_are_in_and_no_others() -> None:
    cells, order = Cells(), an_order()
    cells.change(None, order)
    cells.change(order, an_order(status=OrderStatus.SENT))
    cells.strike_all("power loss")
    assert cells.visited == {"power loss | SENT": 1}
    assert "power loss | NEW" in not_visited(cells.visited)


def test_a_cell_that_was_called_unreachable_is_told_when_it_is_visited() -> None:
    assert impossible({"submit not_sent | FILLED": 1, "power loss | SENT": 1}) == ["submit not_sent | FILLED"]


def test_bad_days_visit_no_cell_that_is_called_unreachable() -> None:
    visited = Counter[str]()
    for seed in range(4_000, 4_006):
        visited.update(simulate_day(seed, stormy=True).cells)
    assert impossible(visited) == []
    assert len(REACHABLE) - len(not_visited(visited)) > 100
