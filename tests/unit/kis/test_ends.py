"""An end that nothing explains is no end until lists have told it for long enough."""

import pytest
from msgspec.structs import replace

from jumun.brokers.kis.ends import KEPT_MAX, Ends
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


@pytest.mark.req("I-49", "F-52")
def test_an_end_that_a_cancel_explains_is_one_at_once() -> None:
    sure = a_report(BrokerState.CANCELLED, 2)
    history = Ends(60 * S).judged(a_list(100, DOUBTFUL, sure), lambda report: report == DOUBTFUL)
    assert history.orders == (replace(DOUBTFUL, is_doubtful=False), sure)


def test_what_is_remembered_of_ends_is_bounded_and_the_oldest_wait_anew() -> None:
    ends = Ends(60 * S)
    many = [a_report(BrokerState.CANCELLED, number, is_doubtful=True) for number in range(KEPT_MAX + 1)]
    ends.judged(a_list(100, *many), lambda _: False)
    assert doubts(ends.judged(a_list(160, many[-1], many[0]), lambda _: False)) == [False, True]
