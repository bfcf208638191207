"""One budget of calls for each app key (kis.md 7.1): who may write next, and when.

A place is taken when a turn is granted and counts until a window after the first byte was written, so that at
the transport no second ever sees more calls than allowed, however long a connection takes in between. The
kind of window that KIS counts in is not published; a sliding one satisfies every other kind.

A new budget begins with its window spent: whoever ran before, and crashed a moment ago, may have spent it,
and KIS counts on. So the first call of a process, a cancel too, waits one window (I-52).

Cancels go before sends and sends before queries. A cancel waits behind nothing but what was granted before it
came; queries never fill a window, so that a send finds room at once.

A cancel that was written before and is asked for again has a lane of its own. While others wait it takes
every second place at most, and waits behind one of them at most: many orders whose cancels are repeated
could use every place there is, and what ends such orders is the complete list, which takes queries (I-58).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from enum import IntEnum
from typing import Final

from jumun.ports.broker import SendPermit
from jumun.ports.outside import Clock
from jumun.ports.wire import NothingSent

NS: Final = 1_000_000_000
WINDOW_S: Final = Decimal("1.02")  # a second, and 20 ms for calls that travel at different speeds
QUERY_SHARE: Final = Decimal("0.5")
QUERY_PATIENCE_S: Final = Decimal(5)  # under sends without end a query is heard once in this time
SLOW_S: Final = Decimal(1)  # how long a throttle reply halves the rate
RESERVE_FROM: Final = 5  # calls a second from which one of each window is kept for first cancels
WAIT_MAX_S: Final = Decimal(120)  # longer than any lane's bound at one call a second is worth waiting for
WAITING_MAX: Final = 1_000  # each lane; at 18 a second the last of them would wait a minute


class Lane(IntEnum):
    """What a call is for; the smaller goes first."""

    CANCEL = 0
    REPEATED_CANCEL = 1  # of an order whose cancel was written before
    SEND = 2
    QUERY = 3


class Turn:
    """One place. It ends by `stamp`, in the same step as the first byte, or unused with its context."""

    __slots__ = ("_budget", "is_written", "lane")

    def __init__(self, budget: "Budget", lane: Lane) -> None:
        self.lane = lane
        self.is_written = False
        self._budget = budget

    def stamp(self) -> None:
        """Say that the call is being written now."""
        if not self.is_written:
            self.is_written = True
            self._budget._written(self.lane)

    def permit(self, permit: SendPermit) -> SendPermit:
        """Return `permit`, stamping the turn when it says yes."""

        def ask() -> bool:
            if not permit():
                return False
            self.stamp()
            return True

        return ask


class _Waiter:
    __slots__ = ("deadline_ns", "lane", "since_ns", "turn")

    def __init__(self, lane: Lane, since_ns: int, deadline_ns: int) -> None:
        self.lane = lane
        self.since_ns = since_ns
        self.deadline_ns = deadline_ns
        self.turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()


class Budget:
    """At most `rate_per_s` calls in any `window_s`, by `clock` alone, so that any day can be replayed.

    `query_share` of a window, at least one call, is what queries may use of it. `is_spent`: calls of a
    process that ended just now count; False only where it is known that none ran.
    """

    def __init__(
        self,
        rate_per_s: int,
        clock: Clock,
        *,
        window_s: Decimal = WINDOW_S,
        query_share: Decimal = QUERY_SHARE,
        query_patience_s: Decimal = QUERY_PATIENCE_S,
        waiting_max: int = WAITING_MAX,
        is_spent: bool = True,
    ) -> None:
        assert rate_per_s >= 1, "a budget of nothing would wait for ever"
        self._rate = rate_per_s
        self._clock = clock
        self._window_ns = int(window_s * NS)
        self._query_share = query_share
        self._patience_ns = int(query_patience_s * NS)
        self._waiting_max = waiting_max
        self._waiting: tuple[deque[_Waiter], ...] = tuple(deque() for _ in Lane)
        self._held = [0] * len(Lane)  # granted and not written yet, by lane
        self._stamped = [0] * len(Lane)  # written within the window, by lane
        self._stamps: deque[tuple[int, Lane]] = deque()
        if is_spent:
            self._stamps.extend([(clock.monotonic_ns(), Lane.SEND)] * rate_per_s)
            self._stamped[Lane.SEND] = rate_per_s
        self._slow_until_ns = 0
        self._query_let_through_ns = 0  # before a send
        self._had_repeat = False  # whether the last place that was no first cancel's went to a repeated one
        self._paused: dict[str, int] = {}
        self._timer: asyncio.Task[None] | None = None
        self._timer_ns = 0

    async def acquire(self, lane: Lane) -> None:
        """Wait for a place and use it now; for calls that do not go through a Wire."""
        async with self.turn(lane) as turn:
            turn.stamp()

    @asynccontextmanager
    async def turn(self, lane: Lane, *, wait_s: Decimal = WAIT_MAX_S, pause: str = "") -> AsyncIterator[Turn]:
        """Wait for a place, first come first served within the lane; it is given back if it was not stamped.

        Raises NothingSent after `wait_s`, or at once when too many wait. `pause` names what `pause` may hold
        back by itself.
        """
        deadline_ns = self._clock.monotonic_ns() + int(wait_s * NS)
        await self._wait_out(pause, lane, deadline_ns)
        turn = await self._granted(lane, deadline_ns)
        try:
            yield turn
        finally:
            if not turn.is_written:
                self._held[lane] -= 1
                self._serve()

    def slow_down(self) -> None:
        """Halve the rate for a second, rounding down: KIS counts otherwise than we do (F-09)."""
        self._slow_until_ns = self._clock.monotonic_ns() + int(SLOW_S * NS)

    def pause(self, what: str, pause_s: Decimal) -> None:
        """Hold back calls of one name only: the limit of EGW00215 is that of all customers together."""
        now = self._clock.monotonic_ns()
        self._paused = {name: until for name, until in self._paused.items() if until > now}
        self._paused[what] = now + int(pause_s * NS)

    async def _wait_out(self, what: str, lane: Lane, deadline_ns: int) -> None:
        while (left_ns := self._paused.get(what, 0) - self._clock.monotonic_ns()) > 0:
            if self._clock.monotonic_ns() + left_ns > deadline_ns:
                raise _too_late(lane)
            await self._clock.sleep(left_ns / NS)

    async def _granted(self, lane: Lane, deadline_ns: int) -> Turn:
        queue = self._waiting[lane]
        if len(queue) >= self._waiting_max:
            raise NothingSent(
                f"{len(queue)} calls of lane {lane.name} wait for the KIS budget already; send less at once"
            )
        waiter = _Waiter(lane, self._clock.monotonic_ns(), deadline_ns)
        queue.append(waiter)
        self._serve()
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def _leave(self, waiter: _Waiter) -> None:
        """A waiter that is gone gives its turn on, also one that was granted in the same instant."""
        if not waiter.turn.done() or waiter.turn.cancelled():
            if waiter in self._waiting[waiter.lane]:
                self._waiting[waiter.lane].remove(waiter)
        elif waiter.turn.exception() is None:
            self._held[waiter.lane] -= 1
        self._serve()

    def _written(self, lane: Lane) -> None:
        self._held[lane] -= 1
        self._stamped[lane] += 1
        now = self._clock.monotonic_ns()
        self._stamps.append((now, lane))
        self._arm(now)  # the place now has a time at which it comes free

    # ---- who is next --------------------------------------------------------------------------

    def _serve(self) -> None:
        """Grant all that can be granted now, send away who waited too long, and wake again for the rest."""
        now = self._clock.monotonic_ns()
        while self._stamps and now - self._stamps[0][0] >= self._window_ns:
            self._stamped[self._stamps.popleft()[1]] -= 1
        while (lane := self._next_lane(now)) is not None:
            waiter = self._waiting[lane].popleft()
            if not waiter.turn.done():  # else cancelled in this very instant
                self._held[lane] += 1
                waiter.turn.set_result(Turn(self, lane))
        for queue in self._waiting:
            for waiter in [waiter for waiter in queue if waiter.deadline_ns <= now]:
                queue.remove(waiter)
                if not waiter.turn.done():
                    waiter.turn.set_exception(_too_late(waiter.lane))
        self._arm(now)

    def _next_lane(self, now: int) -> Lane | None:
        for lane in self._order(now):
            if self._waiting[lane] and self._has_room(lane, now):
                if lane is Lane.QUERY and self._waiting[Lane.SEND]:
                    self._query_let_through_ns = now
                if lane is not Lane.CANCEL:
                    self._had_repeat = lane is Lane.REPEATED_CANCEL
                return lane
        return None

    def _order(self, now: int) -> tuple[Lane, ...]:
        """The lanes by precedence: a repeated cancel goes before the others, but not twice running."""
        others = (Lane.SEND, Lane.QUERY)
        if self._waiting[Lane.QUERY] and self._waiting[Lane.SEND] and now >= self._due_ns():
            others = (Lane.QUERY, Lane.SEND)
        if self._had_repeat:
            return (Lane.CANCEL, *others, Lane.REPEATED_CANCEL)
        return (Lane.CANCEL, Lane.REPEATED_CANCEL, *others)

    def _due_ns(self) -> int:
        """When the first query has waited long enough to go before a send."""
        return max(self._waiting[Lane.QUERY][0].since_ns, self._query_let_through_ns) + self._patience_ns

    def _has_room(self, lane: Lane, now: int) -> bool:
        used = [held + stamped for held, stamped in zip(self._held, self._stamped, strict=True)]
        rate = self._rate // 2 if now < self._slow_until_ns else self._rate
        if sum(used) >= rate:
            return False
        if lane is Lane.CANCEL:
            return True
        if rate >= RESERVE_FROM and sum(used) - used[Lane.CANCEL] >= rate - 1:
            return False
        return lane is not Lane.QUERY or used[Lane.QUERY] < max(1, int(rate * self._query_share))

    # ---- time ---------------------------------------------------------------------------------

    def _arm(self, now: int) -> None:
        """See to it that `_serve` runs when time alone lets somebody go."""
        wake_ns = self._next_change_ns(now)
        if wake_ns is None or (self._timer is not None and self._timer_ns <= wake_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ns = wake_ns
        self._timer = asyncio.create_task(self._wake(wake_ns - now), name="kis-budget")
        self._timer.add_done_callback(self._tell_failure)

    async def _wake(self, after_ns: int) -> None:
        await self._clock.sleep(max(after_ns, 1) / NS)
        if self._timer is asyncio.current_task():
            self._timer = None
        self._serve()

    def _next_change_ns(self, now: int) -> int | None:
        """The next instant that could let somebody go; None where only a call's end or a new call can."""
        times = [waiter.deadline_ns for queue in self._waiting for waiter in queue]
        if not times:
            return None
        if self._stamps:
            times.append(self._stamps[0][0] + self._window_ns)
        if now < self._slow_until_ns:
            times.append(self._slow_until_ns)
        if self._waiting[Lane.QUERY] and self._waiting[Lane.SEND] and now < self._due_ns():
            times.append(self._due_ns())
        return min(times)

    def _tell_failure(self, timer: asyncio.Task[None]) -> None:
        # A bug here must reach who waits, not the garbage collector (I-65).
        if timer.cancelled() or (failure := timer.exception()) is None:
            return
        for queue in self._waiting:
            while queue:
                waiter = queue.popleft()
                if not waiter.turn.done():
                    waiter.turn.set_exception(failure)


def _too_late(lane: Lane) -> NothingSent:
    what = lane.name.lower().replace("_", " ")
    return NothingSent(f"no place in the KIS budget came free in time for a {what}; try again")
