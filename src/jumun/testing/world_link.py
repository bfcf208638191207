"""The wire between one life of the desk and the exchange: where it is watched, and where the desk may die.

A desk dies at an await: whoever waited there never gets an answer, and nothing of that life reaches the
outside again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Final

import msgspec

from jumun.brokers.paper.link import LinkNotice
from jumun.brokers.paper.wire import (
    Answer,
    Cancel,
    Command,
    Executed,
    Modify,
    OrderCancelled,
    OrderChanged,
    Submit,
)
from jumun.ports.broker import SendPermit
from jumun.testing.world_faults import ToldLink, request_name

OLD_NOTICES_MAX: Final = 200
POINTS: Final = {"submit": "send", "cancel": "cancel", "modify": "modify", "": "query"}


class BrokenTask(RuntimeError):
    """A defect on purpose: what a task raises when nobody expected it (F-75)."""


class OldNotices:
    """Yesterday's notices, which a confused stream may send again (F-31). Outlives a life of the desk."""

    def __init__(self) -> None:
        self.kept: list[OrderChanged | Executed] = []
        self.replayable: list[OrderChanged | Executed] = []

    def keep(self, notice: LinkNotice) -> None:
        """Remember a notice of today."""
        if isinstance(notice, OrderChanged | Executed) and len(self.kept) < OLD_NOTICES_MAX:
            self.kept.append(notice)

    def next_day(self) -> None:
        """Today's become yesterday's."""
        self.replayable, self.kept = self.kept, []


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What the link tells, and asks, the world. `may_die` never returns when the desk dies there."""

    may_die: Callable[[str], Awaitable[None]]
    is_alive: Callable[[], bool]
    may_fall: Callable[[str], None]
    on_write: Callable[[Command], None]
    before_send: Callable[[], None]
    before_change: Callable[[Cancel | Modify], None]
    on_notice: Callable[[LinkNotice], None]
    on_old_notice: Callable[[OrderChanged | Executed], None]
    on_raise: Callable[[], None]
    before_last_fill: Callable[[OrderCancelled], OrderCancelled]


class WatchedLink:
    """A Link that lets the world see each write in its last step, and die around each call."""

    def __init__(
        self,
        inner: ToldLink,
        watch: Watch,
        random: Random,
        *,
        old: OldNotices,
        task_raises: float,
        old_notices: float,
        early_cancel: float,
        crossed: float,
    ) -> None:
        self._inner = inner
        self._watch = watch
        self._random = random
        self._old = old
        self._task_raises = task_raises
        self._old_rate = old_notices
        self._early_cancel = early_cancel
        self._crossed = crossed

    @property
    def worst_case_ns(self) -> int:
        """The inner link's."""
        return self._inner.worst_case_ns

    def calm(self) -> None:
        """No more faults from here."""
        self._task_raises = self._old_rate = self._early_cancel = self._crossed = 0.0

    async def open(self) -> None:
        """Connect."""
        await self._inner.open()

    async def close(self) -> None:
        """Hang up."""
        await self._inner.close()

    async def call(self, command: Command, permit: SendPermit) -> Answer:
        """Carry a call; the permit is asked inside, in the last step before the write."""
        point = POINTS[request_name(command)]
        await self._watch.may_die(f"{point} begun")
        if isinstance(command, Submit):
            self._watch.before_send()
        elif isinstance(command, Cancel | Modify) and self._strikes(self._crossed):
            self._watch.before_change(command)

        def seen() -> bool:
            # A desk that died at this very instant writes nothing more: its process is gone.
            allowed = self._watch.is_alive() and permit()
            if allowed:
                self._watch.on_write(command)
                self._watch.may_fall(f"{point} written")  # what is written arrives, whoever dies
            return allowed

        told = await self._inner.call(command, seen)
        await self._watch.may_die(f"{point} answered")
        if isinstance(told, OrderCancelled) and told.order.qty_filled and self._strikes(self._early_cancel):
            return self._watch.before_last_fill(told)
        return told

    async def notices(self) -> AsyncIterator[LinkNotice]:
        """Yield what gets through, and sometimes what belongs to the day before."""
        async for notice in self._inner.notices():
            await self._watch.may_die("fill")
            if self._strikes(self._task_raises):
                self._watch.on_raise()
                raise BrokenTask("a defect on purpose in the task that hears the broker")
            self._old.keep(notice)
            self._inner.delivered(notice)
            self._watch.on_notice(notice)
            yield notice
            if self._old.replayable and self._strikes(self._old_rate):
                old = self._random.choice(self._old.replayable)
                self._watch.on_old_notice(old)
                yield old

    def _strikes(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate


async def never() -> None:
    """Wait for ever: whoever dies here is cancelled by its supervisor."""
    await asyncio.get_running_loop().create_future()
