"""Asks the store for idempotency keys that are not in memory.

Whoever waits while one question is out shares the next: a burst of a thousand intents costs a handful of
questions, not a thousand (DESIGN, The picture 5).
"""

import asyncio
from typing import Final

from jumun.model.errors import OmsError
from jumun.model.ids import IdempotencyKey
from jumun.model.orders import Order
from jumun.ports.journal import Journal

ASKED_AT_ONCE: Final = 1_000  # keys in one question: a few milliseconds of reading

_Waiting = dict[IdempotencyKey, "asyncio.Future[Order | None]"]


class KeyLookup:
    """One question is out at a time."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: _Waiting = {}
        self._asking: asyncio.Task[None] | None = None

    async def find(self, key: IdempotencyKey) -> Order | None:
        """Return the stored order with this key, or None; raises StoreUnavailable."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = asyncio.get_running_loop().create_future()
            self._waiting[key] = answer
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask(), name="key-lookup")
        return await asyncio.shield(answer)

    async def _ask(self) -> None:
        while self._waiting:
            keys = list(self._waiting)[:ASKED_AT_ONCE]
            asked = {key: self._waiting.pop(key) for key in keys}
            try:
                found = await self._journal.orders_by_keys(keys)
            except OmsError as error:
                for answer in asked.values():
                    answer.set_exception(error)
                    answer.exception()  # a caller that left must not make a warning of it
                continue
            for key, answer in asked.items():
                answer.set_result(found.get(key))
