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

KEPT_MAX: Final = 10_000


class Ends:
    """Since when each unexplained end is listed. After a restart they are as new."""

    def __init__(self, visible_after_ns: int) -> None:
        self._visible_after_ns = visible_after_ns
        self._since_ns: dict[tuple[AccountId, BrokerRef], int] = {}

    def judged(self, history: OrderHistory, is_explained: Callable[[OrderReport], bool]) -> OrderHistory:
        """Return the list with the doubt taken from every end that is explained or old enough."""
        orders = tuple(
            replace(report, is_doubtful=False) if self._is_sure(report, history, is_explained) else report
            for report in history.orders
        )
        return replace(history, orders=orders)

    def _is_sure(
        self, report: OrderReport, history: OrderHistory, is_explained: Callable[[OrderReport], bool]
    ) -> bool:
        if not report.is_doubtful:
            return False  # as it is
        since_ns = self._since_ns.setdefault((report.account_id, report.ref), history.asked_ns)
        while len(self._since_ns) > KEPT_MAX:
            self._since_ns.pop(next(iter(self._since_ns)))
        return history.asked_ns - since_ns >= self._visible_after_ns or is_explained(report)
