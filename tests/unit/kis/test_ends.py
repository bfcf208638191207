"""An end that nothing explains is no end until lists have told it for long enough."""

import pytest
from msgspec.structs import replace

from jumun.brokers.kis.ends import LISTS_MAX, Ends
from jumun.model.reports import BrokerState, OrderHistory, OrderReport
from tests.unit.kis.test_changes import ACCOUNT, a_report

S = 1_000_000_000
DOUBTFUL = a_report(BrokerState.CANCELLED, is_doubtful=True)


def a_list(at_s: int, *reports: OrderReport) -> OrderHistory:
    return OrderHistory(account_id=ACCOUNT, trade_date="2026-11-20", asked_ns=at_s * S, orders=reports)


def doubts(history: OrderHistory) -> list[bool]:
    return [report.is_doubtful for report in history.orders]


@pytest.mark.req("I-49", "F-35", "F-106")
def test_an_end_that_nothing_explains_is_doubtful_until_kis_cannot_be_behind_itself_any_more() -> None:
    ends = Ends(60 * S)
    told = [doubts(ends.judged(a_list(at_s, DOUBTFUL), lambda _: False)) for at_s in (100, 159, 160)]
    assert told == [[True], [True], [False]]


@pytest.mark.req("I-49", "F-44")
def test_an_end_that_was_taken_back_by_a_list_waits_anew_when_it_is_told_again() -> None:
    ends, works = Ends(60 * S), a_report(BrokerState.WORKING)
    lists = [a_list(100, DOUBTFUL), a_list(130, works), a_list(170, DOUBTFUL), a_list(230, DOUBTFUL)]
    told = [doubts(ends.judged(one, lambda _: False)) for one in lists]
    assert told == [[True], [False], [True], [False]]


@pytest.mark.req("I-49", "F-52")
def test_an_end_that_a_cancel_explains_is_one_at_once() -> None:
    sure = a_report(BrokerState.CANCELLED, 2)
    history = Ends(60 * S).judged(a_list(100, DOUBTFUL, sure), lambda report: report == DOUBTFUL)
    assert history.orders == (replace(DOUBTFUL, is_doubtful=False), sure)


def test_ends_of_more_orders_than_memory_has_room_for_days_all_grow_old() -> None:
    ends = Ends(60 * S)
    many = [a_report(BrokerState.CANCELLED, number, is_doubtful=True) for number in range(20_000)]
    assert all(doubts(ends.judged(a_list(100, *many), lambda _: False)))
    assert not any(doubts(ends.judged(a_list(160, *many), lambda _: False)))


def test_what_is_remembered_is_the_newest_days_and_older_ones_wait_anew() -> None:
    ends = Ends(60 * S)
    for number in range(LISTS_MAX + 1):
        ends.judged(replace(a_list(100, DOUBTFUL), trade_date=f"day {number}"), lambda _: False)
    again = [replace(a_list(160, DOUBTFUL), trade_date=day) for day in (f"day {LISTS_MAX}", "day 0")]
    assert [doubts(ends.judged(one, lambda _: False)) for one in again] == [[False], [True]]
