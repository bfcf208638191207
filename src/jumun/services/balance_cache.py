"""Answers outside questions about holdings and cash without asking the broker each time (S000-87, S000-88).

For people and programs that look; the reconciler asks the broker itself, because a comparison of the books
needs what is true now.
"""

import asyncio
from typing import Final

from jumun.model.ids import AccountId
from jumun.model.reports import Balance
from jumun.ports.broker import Broker
from jumun.ports.outside import Clock

BALANCE_AGE_MAX_S: Final = 10.0
_NS: Final = 1_000_000_000


class BalanceCache:
    """The newest balance of each account, for ten seconds. As many entries as there are accounts."""

    def __init__(self, broker: Broker, clock: Clock, age_max_s: float = BALANCE_AGE_MAX_S) -> None:
        self._broker = broker
        self._clock = clock
        self._age_max_ns = int(age_max_s * _NS)
        self._known: dict[AccountId, tuple[int, Balance]] = {}
        self._asking: dict[AccountId, asyncio.Lock] = {}

    async def balance(self, account_id: AccountId) -> Balance:
        """Return the account's balance, at most ten seconds old; raises BrokerUnavailable.

        Whoever asks while a question is out gets its answer. A failure is told and never kept: the next
        caller asks again. The age counts from before the question, so an answer that was slow is no younger.
        """
        async with self._asking.setdefault(account_id, asyncio.Lock()):
            now_ns = self._clock.monotonic_ns()
            known = self._known.get(account_id)
            if known is not None and now_ns - known[0] < self._age_max_ns:
                return known[1]
            self._known.pop(account_id, None)
            balance = await self._broker.balance(account_id)
            self._known[account_id] = (now_ns, balance)
            return balance

    def forget(self, account_id: AccountId) -> None:
        """Something traded: ask again at the next question."""
        self._known.pop(account_id, None)
