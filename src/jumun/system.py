"""The real clock and real chance: the only place that reads them (I-63)."""

import asyncio
import gc
import secrets
import time
from typing import Final

from jumun.model.ids import uuid7

CHANCE_BITS: Final = 74  # what RFC 9562 leaves of a version 7 UUID
STEP_BITS: Final = 32  # how far one id may lie behind the one before, within a millisecond
STEPS_AT_ONCE: Final = 256
# Young objects until a pass, young passes until a middle one, middle ones until a full one.
COLLECT_AFTER: Final = (50_000, 20, 100)
_MS: Final = 1_000_000


class SystemClock:
    """ports.Clock on this machine. The wall clock may be stepped; the monotonic one is not (I-62)."""

    def now_ns(self) -> int:
        """UTC nanoseconds since 1970."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds that only go forward."""
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock."""
        await asyncio.sleep(seconds)


class SystemIds:
    """ports.IdSource with the system's chance. Ids of one source only grow, whatever the clock does."""

    def __init__(self) -> None:
        self._ms = -1
        self._chance = 0
        self._steps: list[int] = []  # chance for the ids to come: one call of the system serves many

    def new_id(self, ts_ns: int) -> str:
        """Return a UUIDv7 that sorts after every id this source gave before."""
        ms = ts_ns // _MS
        if ms > self._ms:
            self._ms = ms
            # The top bit stays free, so that a millisecond has room for 2^41 ids before it is used up.
            self._chance = secrets.randbits(CHANCE_BITS - 1)
        else:
            self._chance += 1 + self._step()
            if self._chance >> CHANCE_BITS:  # used up: borrow the next millisecond
                self._ms += 1
                self._chance = secrets.randbits(CHANCE_BITS - 1)
        return uuid7(self._ms * _MS, self._chance)

    def _step(self) -> int:
        if not self._steps:
            chance = secrets.token_bytes(STEPS_AT_ONCE * STEP_BITS // 8)
            self._steps = list(memoryview(chance).cast("I"))
        return self._steps.pop()


def tune_collector() -> None:
    """Let the cyclic garbage collector rest. Call it once, when the service has started.

    What exists by then lives as long as the process, and what comes later is freed by its reference counts;
    only cycles wait for the collector. Its passes over everything were a tenth of the time and most of the
    slowest answers (bench/profile.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
