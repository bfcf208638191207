"""An asyncio event loop on virtual time: it never waits, the clock jumps to the next timer (I-62, I-63).

For our own code only: no threads, no sockets, no processes. What would wait for ever is an error that names
the tasks left waiting, because a simulated day that hangs has found a defect.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from contextvars import Context
from random import Random
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, Unpack

from jumun.model.ids import uuid7

NS: Final = 1_000_000_000
NAMED_MAX: Final = 20  # tasks named in the message of a deadlock

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


class VirtualDeadlock(RuntimeError):
    """Nothing is ready and no timer is set: what waits now would wait for ever."""


class NotInVirtualTime(RuntimeError):
    """Threads, sockets and executors have clocks of their own, which no seed repeats."""


class _Selector:
    """Stands where the loop would wait for the outside world; there is none."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise VirtualDeadlock(self._loop.deadlock())
        if timeout > 0:
            self._loop.jump()
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Time starts at 0 and moves only when nothing is left to do at this instant."""

    def __init__(self, start_ns: int = 0) -> None:
        super().__init__()
        self.start_ns = start_ns
        self.elapsed_ns = 0
        self.failures: list[str] = []  # what nobody awaited (I-65)
        self._clock_resolution = 1 / NS
        self._selector = _Selector(self)
        self.set_exception_handler(_note_failure)

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self.elapsed_ns / NS

    def jump(self) -> None:
        """Move time to the earliest timer."""
        when: float = self._scheduled[0].when()  # type: ignore[attr-defined]
        self.elapsed_ns = max(self.elapsed_ns, math.ceil(when * NS))

    def deadlock(self) -> str:
        """Say who waits for nothing."""
        waiting = sorted(task.get_name() for task in asyncio.all_tasks(self))
        more = f" and {len(waiting) - NAMED_MAX} more" if len(waiting) > NAMED_MAX else ""
        names = ", ".join(waiting[:NAMED_MAX])
        return f"after {self.time():.3f} s nothing can happen any more; waiting: {names}{more}"

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """The same as call_soon: there is one thread. Generators that are dropped come through here."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(
        self, executor: object, func: Callable[[Unpack[_Arguments]], _Result], *args: *_Arguments
    ) -> NoReturn:
        """Refuse: a thread's finish is not repeatable."""
        raise NotInVirtualTime(f"{func} wants a thread; virtual time has none: await it, or pass it in done")

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list, "there is no outside world"

    def _write_to_self(self) -> None:
        raise NotInVirtualTime("another thread called; virtual time has one thread")


def _note_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    assert isinstance(loop, VirtualLoop), "set on this loop only"
    error = context.get("exception")
    loop.failures.append(f"{context.get('message')}: {error!r}")


class VirtualClock:
    """The Clock port. Wall time is start + elapsed + `offset_ns`, which a fault steps; timers ignore it."""

    def __init__(self, loop: VirtualLoop | None = None) -> None:
        """Without a loop: the one that runs."""
        running = loop if loop is not None else asyncio.get_running_loop()
        assert isinstance(running, VirtualLoop), "this clock needs run_virtual"
        self._loop = running
        self.offset_ns = 0

    def now_ns(self) -> int:
        """UTC nanoseconds, as this machine's wall clock has them."""
        return self._loop.start_ns + self._loop.elapsed_ns + self.offset_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds since the start."""
        return self._loop.elapsed_ns

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(seconds)


class SeededIds:
    """The IdSource port: UUIDv7 with chance from a seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def new_id(self, ts_ns: int) -> str:
        """Return the next id."""
        return uuid7(ts_ns, self._random.getrandbits(74))


def run_virtual(main: Coroutine[Any, Any, _Result], start_ns: int = 0) -> _Result:
    """Run `main` to its end on a loop of its own that starts at `start_ns` (UTC).

    Raises what it raises, or VirtualDeadlock. Tasks left over are cancelled. An exception that no task
    awaited raises RuntimeError (I-65).
    """
    loop = VirtualLoop(start_ns)
    try:
        asyncio.set_event_loop(loop)
        try:
            result = loop.run_until_complete(main)
        finally:
            _cancel_rest(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    if loop.failures:
        raise RuntimeError(f"an exception reached nobody (I-65): {'; '.join(loop.failures)}")
    return result


def _cancel_rest(loop: VirtualLoop) -> None:
    rest = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
