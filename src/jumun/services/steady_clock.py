"""Time for decisions: UTC at the start plus what the monotonic clock has counted since (I-62, F-90).

A wall clock may be stepped while orders are out. Waiting times, timeouts and the proof that an order never
arrived are counted on this clock instead, so no step shortens or stretches them. Slow corrections are
followed; a step is not, and stops new orders until the wall clock is back or the service starts again.
"""

from typing import Final

from jumun.ports.outside import Clock

DRIFT_MAX_NS: Final = 100_000_000  # what a disciplined clock is corrected by between two looks, and far more
STEP_MAX_NS: Final = 1_000_000_000  # a larger difference stops new orders


class SteadyClock:
    """ports.Clock around another one. Give the same one to the engine and to the broker's adapter."""

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._anchor_ns = wall.now_ns() - wall.monotonic_ns()

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

    def follow(self) -> None:
        """Take over a small difference; call it every second or so."""
        step_ns = self.step_ns
        if abs(step_ns) <= DRIFT_MAX_NS:
            self._anchor_ns += step_ns
