"""The replay's clock and ids: time stands still until the driver moves it; chance comes from a seed."""

import asyncio
import heapq
from random import Random
from typing import Final

from jumun.model.ids import uuid7

NS: Final = 1_000_000_000
CHANCE_BITS: Final = 74


class ReplayClock:
    """The Clock port. Only `advance_to` moves it, and only forward."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = 0
        self.sleeping = 0  # who waits for time to move: what the driver looks at before it moves it

    def now_ns(self) -> int:
        """UTC nanoseconds of the replayed day."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """The same: this clock never goes back."""
        return self._now_ns

    async def sleep(self, seconds: float) -> None:
        """Wait until the driver has moved time that far."""
        wake_ns = self._now_ns + round(seconds * NS)
        if wake_ns <= self._now_ns:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._sleepers, (wake_ns, self._arrivals, future))
        self.sleeping += 1
        try:
            await future
        finally:
            if not future.done() or future.cancelled():
                self.sleeping -= 1  # gave up; advance_to has already counted those it woke

    def advance_to(self, ts_ns: int) -> None:
        """Move time and wake whoever waited for it; an earlier instant changes nothing."""
        self._now_ns = max(self._now_ns, ts_ns)
        while self._sleepers and self._sleepers[0][0] <= self._now_ns:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self.sleeping -= 1
                future.set_result(None)


class SeededIds:
    """The IdSource port: the same seed gives the same ids in the same order."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def new_id(self, ts_ns: int) -> str:
        """Return a UUIDv7 for this instant."""
        return uuid7(ts_ns, self._random.getrandbits(CHANCE_BITS))
