"""Time for decisions: UTC at the start plus what the monotonic clock has counted since (I-62, F-90).

A wall clock may be stepped while orders are out. Waiting times, timeouts and the proof that an order never
arrived are counted on this clock instead, so no step shortens or stretches them. Slow corrections are
followed; a step is not, and stops new orders until the wall clock is back or the service starts again.
Between two looks at this clock nobody may be away for long either: a stopped process, a frozen machine or a
blocked loop wakes with decisions of another time (F-73, F-74).
"""

from typing import Final

from jumun.ports.outside import Clock

DRIFT_MAX_NS: Final = 100_000_000  # what a disciplined clock is corrected by between two looks, and far more
STEP_MAX_NS: Final = 1_000_000_000  # a larger difference stops new orders
PAUSE_MAX_NS: Final = 10_000_000_000  # a busy machine holds us up for a second or two; longer, and we slept


class SteadyClock:
    """ports.Clock around another one. Give the same one to the engine and to the broker's adapter."""

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._anchor_ns = wall.now_ns() - wall.monotonic_ns()
        self._looked_ns: int | None = None  # monotonic, the newest look; None while nobody watches

    def now_ns(self) -> int:
        """UTC nanoseconds, as steady as the monotonic clock."""
        return self._anchor_ns + self._wall.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds that only go forward."""
        return self._wall.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock."""
        await self._wall.sleep(seconds)

    @property
    def step_ns(self) -> int:
        """How far the wall clock is ahead of this one (negative: behind)."""
        return self._wall.now_ns() - self.now_ns()

    @property
    def is_stepped(self) -> bool:
        """Whether the wall clock has jumped."""
        return abs(self.step_ns) > STEP_MAX_NS

    def watch(self) -> None:
        """From now on somebody looks at least once a second: a longer time between two looks is a pause."""
        self._looked_ns = self._wall.monotonic_ns()

    def pause_ns(self) -> int:
        """Look: return how long nobody had, when that was longer than PAUSE_MAX_NS; 0 else."""
        if self._looked_ns is None:
            return 0
        now_ns = self._wall.monotonic_ns()
        away_ns, self._looked_ns = now_ns - self._looked_ns, now_ns
        return away_ns if away_ns > PAUSE_MAX_NS else 0

    def follow(self) -> None:
        """Take over a small difference; call it every second or so."""
        step_ns = self.step_ns
        if abs(step_ns) <= DRIFT_MAX_NS:
            self._anchor_ns += step_ns
