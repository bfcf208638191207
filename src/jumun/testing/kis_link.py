"""The wire between one life of the desk and the simulated KIS: watched, and where the desk may die.

A desk dies at an await: who waited there gets no answer, and nothing of that life reaches the wire again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from jumun.ports.broker import SendPermit
from jumun.ports.wire import Frames, HttpCall, HttpReply
from jumun.testing.invariants import Checks
from jumun.testing.kis_wire import KisWire

NS: Final = 1_000_000_000


class Graves:
    """Keeps what dead lives wait for: asyncio complains of a task that nothing refers to."""

    def __init__(self) -> None:
        self._kept: list[asyncio.Future[None]] = []

    async def never(self) -> None:
        """Wait for ever: whoever dies here is cancelled with the day."""
        self._kept.append(asyncio.get_running_loop().create_future())
        await self._kept[-1]


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What the link asks the world. `may_die` never returns when the desk dies there."""

    may_die: Callable[[str], Awaitable[None]]
    is_alive: Callable[[], bool]
    on_write: Callable[[HttpCall], None]
    graves: Graves


class WatchedWire:
    """A Wire of one life."""

    def __init__(self, inner: KisWire, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch
        inner.on_write = watch.on_write

    async def call(self, call: HttpCall, permit: SendPermit, *, timeout_s: float) -> HttpReply:
        """See Wire.call."""
        point = point_of(call)
        await self._watch.may_die(f"{point} begun")
        reply = await self._inner.call(call, lambda: self._watch.is_alive() and permit(), timeout_s=timeout_s)
        await self._watch.may_die(f"{point} answered")
        return reply

    async def open_frames(self, path: str) -> Frames:
        """See Wire.open_frames."""
        if not self._watch.is_alive():
            await self._watch.graves.never()
        return WatchedFrames(await self._inner.open_frames(path), self._watch)

    async def close(self) -> None:
        """See Wire.close."""
        await self._inner.close()


class WatchedFrames:
    """One session of one life."""

    def __init__(self, inner: Frames, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    async def send(self, text: str) -> None:
        """See Frames.send."""
        if not self._watch.is_alive():
            await self._watch.graves.never()
        await self._inner.send(text)

    async def receive(self) -> str | None:
        """See Frames.receive."""
        text = await self._inner.receive()
        if text is not None and text[:1] == "1":  # encrypted: a notice
            await self._watch.may_die("notice")
        if not self._watch.is_alive():
            await self._watch.graves.never()
        return text

    async def ping(self) -> None:
        """See Frames.ping."""
        await self._inner.ping()

    async def close(self) -> None:
        """See Frames.close."""
        await self._inner.close()


class Meter:
    """Counts calls at the transport, over all lives of the desk: KIS counts by app key (S004-52, I-52)."""

    def __init__(self, checks: Checks, rate_per_s: int) -> None:
        self._checks = checks
        self._rate = rate_per_s
        self._written: deque[int] = deque()
        self.most = 0

    def count(self, now_ns: int) -> None:
        """A call is written now."""
        self._written.append(now_ns)
        while self._written[0] <= now_ns - NS:
            self._written.popleft()
        self.most = max(self.most, len(self._written))
        held = len(self._written) <= self._rate
        self._checks.that("I-52", held, "{} calls in a second of {}", len(self._written), self._rate)


def point_of(call: HttpCall) -> str:
    """Name what a call does: send, cancel, modify, query, or key for those of authentication."""
    if call.method == "GET":
        return "query"
    if "/trading/" not in call.path:
        return "key"
    if "rvsecncl" not in call.path:
        return "send"
    return "modify" if b'"RVSE_CNCL_DVSN_CD":"01"' in call.body else "cancel"
