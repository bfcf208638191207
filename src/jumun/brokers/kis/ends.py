"""Ends that a list tells and nothing explains: a person may have revised the order in KIS's own app.

The old number may be shown as cancelled before the new one is shown at all (kis.md 3.1.5, F-35). So such an
end is doubtful until lists have told it for as long as KIS may be behind itself (I-49).
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from jumun.model.ids import AccountId
from jumun.model.orders import BrokerRef
from jumun.model.reports import OrderHistory, OrderReport

LISTS_MAX: Final = 100  # days of accounts; of each, no more than its newest list holds

_Since = dict[BrokerRef, int]


class Ends:
    """Since when list after list has told each unexplained end. After a restart they are as new."""

    def __init__(self, visible_after_ns: int) -> None:
        self._visible_after_ns = visible_after_ns
        self._since_ns: dict[tuple[AccountId, str], _Since] = {}

    def judged(self, history: OrderHistory, is_explained: Callable[[OrderReport], bool]) -> OrderHistory:
        """Return the list with the doubt taken from every end that is explained or old enough.

        An end that a list no longer tells is forgotten: told again, it waits anew.
        """
        day = (history.account_id, history.trade_date)
        before = self._since_ns.pop(day, {})
        doubtful = [report for report in history.orders if report.is_doubtful]
        since = {report.ref: before.get(report.ref, history.asked_ns) for report in doubtful}
        self._since_ns[day] = since
        while len(self._since_ns) > LISTS_MAX:
            self._since_ns.pop(next(iter(self._since_ns)))
        old_ns = history.asked_ns - self._visible_after_ns
        sure = {one.ref for one in doubtful if since[one.ref] <= old_ns or is_explained(one)}
        orders = tuple(
            replace(report, is_doubtful=False) if report.ref in sure else report for report in history.orders
        )
        return replace(history, orders=orders)
