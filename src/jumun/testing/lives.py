"""One life of the desk after another, as both simulated days have them: born, watched, fallen, buried.

What a life is made of, and what may kill it, differs between the days: `world_desk` for the paper broker,
`kis_machine` for KIS. Disk and exchange go on.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, ClassVar, Generic, TypeVar

from jumun.model.errors import OmsError
from jumun.model.reasons import Reason
from jumun.services.order_engine import OrderEngine
from jumun.store.memory_disk import Batch, MemoryDisk, StoredRecord
from jumun.testing.invariants import Checks

_Result = TypeVar("_Result")


class Crashed(OmsError):
    """The desk died while somebody waited for its answer."""

    default_reason = Reason.INTERNAL


class WatchedDisk(MemoryDisk):
    """A disk that tells when a batch has become durable."""

    def __init__(self) -> None:
        super().__init__()
        self.on_durable: Callable[[Sequence[StoredRecord]], None] = lambda _: None

    def apply(self, batch: Batch) -> None:
        """Make the batch durable, then tell."""
        first = len(self.records)
        super().apply(batch)
        self.on_durable(self.records[first:])


class Life:
    """One incarnation of the desk."""

    def __init__(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self.is_dead = False
        self.died: asyncio.Future[str] = loop.create_future()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.calls: dict[asyncio.Task[Any], None] = {}
        self.engine: OrderEngine

    def fall(self, why: str) -> None:
        """Die: from this instant nothing of this life counts."""
        if not self.is_dead:
            self.is_dead = True
            self.died.set_result(why)


_Life = TypeVar("_Life", bound=Life)


class Supervisor(ABC, Generic[_Life]):
    """Starts a life, watches it, and starts the next when it ends. `run` ends after `switch_off`."""

    restart_s: ClassVar[tuple[float, float]]  # how long the machine stands still between two lives
    ready_within_s: ClassVar[float]
    ready_look_s: ClassVar[float]
    ends: ClassVar[tuple[type[Exception], ...]] = (OmsError,)  # a life may end by these; a day ends by others

    def __init__(self, checks: Checks, disk: WatchedDisk, random: Random) -> None:
        """`random` decides how long a restart takes, and what a crash leaves on the disk."""
        self.checks = checks
        self.disk = disk
        self.life: _Life | None = None
        self.lives = 0
        self.is_calm = False
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._random = random
        self._off = False
        self._farewells: set[asyncio.Task[None]] = set()
        checks.on_violation = self.broken

    async def run(self) -> None:
        """One life after another."""
        while not self._off:
            life = self._new_life()
            why = await self._live(life)
            life.fall(why)
            self.checks.step(f"life {life.number} ended: {why}")
            await self._bury(life)
            if not self._off:
                await asyncio.sleep(round(self._random.uniform(*self.restart_s), 3))

    async def switch_off(self) -> None:
        """End the life in order, as an operator does at night; the caller awaits `run`."""
        self._off = True
        life = self.life
        if life is not None and not life.is_dead:
            if life.ready.done():
                await life.engine.stop()
            life.fall("switched off")

    def broken(self, error: BaseException) -> None:
        """A check does not hold, or the world itself failed: end the day with it."""
        if not self.failed.done():
            self.failed.set_exception(error)

    async def ready(self) -> _Life:
        """Wait for a life that takes orders; raises Violation when none comes."""
        looks = round(self.ready_within_s / self.ready_look_s)
        for look in range(looks):
            if look == looks // 2:
                self._half_waited()
            life = self.life
            if life is not None and not life.is_dead and life.ready.done():
                return life
            await asyncio.sleep(self.ready_look_s)
        self.checks.fail("I-58", f"life {self.lives} takes no orders after {self.ready_within_s:g} s")
        raise AssertionError("fail raises")

    async def ask(self, life: _Life, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Await the engine's answer; raises Crashed when the desk dies first."""
        task = asyncio.get_running_loop().create_task(work, name=f"caller of life {life.number}")
        life.calls[task] = None
        try:
            return await task
        except asyncio.CancelledError:
            if life.is_dead:
                raise Crashed("the desk died before it answered; ask again with the same key") from None
            raise
        finally:
            life.calls.pop(task, None)

    # ---- what differs from day to day ---------------------------------------------------------------------

    @abstractmethod
    def _new_life(self) -> _Life:
        """Count it, keep it as `life`, and build all of it but what `start` does."""

    @abstractmethod
    async def _hang_up(self, life: _Life) -> None:
        """Close the line of a life that is buried."""

    def _half_waited(self) -> None:
        """Half of the time in which a life must be ready is over."""

    def _recovered(self, life: _Life) -> None:
        """The engine of a life has started, and nobody has been told yet."""

    async def _watch(self, life: _Life, other: asyncio.Future[None]) -> str:
        """Wait for `other` or for the end of the life; return why it ended, empty while it goes on."""
        ends: list[asyncio.Future[Any]] = [other, life.died]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        return life.died.result() if life.is_dead else ""

    def _lose_or_keep_unsynced(self) -> None:
        """What was on its way to the disk may be on it or not; nobody was told (I-22)."""
        if self.disk.has_unsynced and self._random.random() < 0.5:
            self.disk.keep_unsynced()
        self.disk.lose_unsynced()

    # ---- the course of a life -----------------------------------------------------------------------------

    async def _live(self, life: _Life) -> str:
        """Start a life and watch it; return why it ended."""
        starting = asyncio.get_running_loop().create_task(
            life.engine.start(), name=f"start of life {life.number}"
        )
        why = await self._watch(life, starting)
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
            return why
        failure = starting.exception()
        if failure is not None:
            return self._expected(failure)
        if life.is_dead:
            return why
        self._recovered(life)
        life.ready.set_result(None)
        stopped = life.engine.stopped
        assert stopped is not None, "set by start"
        why = await self._watch(life, stopped)
        return self._expected(stopped.exception()) if stopped.done() else why

    async def _bury(self, life: _Life) -> None:
        self._lose_or_keep_unsynced()
        await life.engine.abandon()
        for task in list(life.calls):
            task.cancel()
        if life.engine.stopped is not None and life.engine.stopped.done():
            life.engine.stopped.exception()
        farewell = asyncio.get_running_loop().create_task(self._hang_up(life), name="hang up")
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    def _expected(self, failure: BaseException | None) -> str:
        """Return how a life ended; what nobody expected ends the day instead."""
        if isinstance(failure, self.ends):
            return f"{type(failure).__name__}: {failure}"
        assert failure is not None, "a life ends by an error or by a fall"
        raise failure
