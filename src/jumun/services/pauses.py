"""Whoever slept must look at the broker before anything new leaves (F-73, F-74, I-27).

A stopped process, a frozen machine, a blocked loop: they wake with decisions of another time, and act on
them in one burst. So a pause is noticed in the last step before a send, wherever the loop wakes first.
"""

from collections.abc import Callable

import structlog

from jumun.model.orders import Order
from jumun.ports.outside import Clock
from jumun.services.steady_clock import SteadyClock

log = structlog.get_logger()


class Pauses:
    """Watches the real service's clock; a clock that is moved by hand (a replay's) has no pauses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock if isinstance(clock, SteadyClock) else None
        self._woke_ns: int | None = None  # monotonic, while what happened meanwhile is not in the books
        self._stale_before_ns = 0

    @property
    def is_behind(self) -> bool:
        """Whether we woke and have not looked at the broker since."""
        return self._woke_ns is not None

    def watch(self) -> None:
        """From now on somebody looks at least once a second."""
        if self._clock is not None:
            self._clock.watch()

    def notice(self, ask: Callable[[], None]) -> None:
        """Look; after a pause `ask` for a study, and be behind until it is done."""
        pause_ns = self._clock.pause_ns() if self._clock is not None else 0
        if self._clock is None or not pause_ns:
            return
        self._woke_ns = self._clock.monotonic_ns()
        self._stale_before_ns = self._clock.now_ns()
        log.error(
            "process_paused",
            seconds=round(pause_ns / 1_000_000_000, 1),
            next_step="nothing; no new order leaves before the broker was asked",
        )
        ask()

    def ends_with(self, began_ns: int) -> bool:
        """A complete study that began then (monotonic) is in the books; return whether it ends a pause."""
        if self._woke_ns is None or began_ns < self._woke_ns:
            return False
        self._woke_ns = None
        log.info("pause_over", next_step="new orders are taken again")
        return True

    def is_stale(self, order: Order) -> bool:
        """Decided before a pause and not sent by then: its strategy may decide again (F-73).

        Orders that are meant to wait go on waiting: GTC, GTD, and a stop.
        """
        waits = order.is_carried or order.triggered_ns is not None
        return order.created_ns < self._stale_before_ns and not waits
