"""Notices about numbers nobody knows yet (F-21, F-22), kept until the number is mapped, within bounds.

Nothing is lost when one is dropped: every parked notice also asks for a history, and a history carries
cumulative figures.
"""

from typing import Final

from jumun.model.ids import AccountId
from jumun.model.orders import BrokerRef
from jumun.model.reports import CostReport, FillNotice, OrderReport, TradeBust

PARKED_MAX: Final = 1_000  # a second of notices at the highest rate seen
PARKED_NS: Final = 120_000_000_000  # a reply takes ten seconds at most, a history a few more

Parked = FillNotice | OrderReport | TradeBust | CostReport
_Key = tuple[AccountId, BrokerRef]


class Parking:
    """In the order of arrival, by account and broker number."""

    def __init__(self) -> None:
        self._notices: dict[_Key, list[Parked]] = {}
        self._since: dict[_Key, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def park(self, notice: Parked, now_ns: int) -> int:
        """Keep a notice; return how many of the oldest had to go."""
        key = (notice.account_id, notice.ref)
        self._since.setdefault(key, now_ns)
        self._notices.setdefault(key, []).append(notice)
        self._count += 1
        dropped = 0
        while self._count > PARKED_MAX:
            dropped += self._drop(next(iter(self._since)))
        return dropped

    def take(self, account_id: AccountId, ref: BrokerRef) -> list[Parked]:
        """Give back what waits for this number."""
        key = (account_id, ref)
        notices = self._notices.get(key, [])
        self._drop(key)
        return notices

    def forget(self, now_ns: int) -> None:
        """Drop what is too old: whatever it said, a history has said since."""
        while self._since:
            key, since_ns = next(iter(self._since.items()))
            if now_ns - since_ns < PARKED_NS:
                return
            self._drop(key)

    def _drop(self, key: _Key) -> int:
        self._since.pop(key, None)
        dropped = len(self._notices.pop(key, ()))
        self._count -= dropped
        return dropped
