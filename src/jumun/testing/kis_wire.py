"""A simulated KIS in this process, as a Wire: on virtual time, through the same weather as its server.

Only asyncio primitives that also run on a virtual-time loop are used: no threads, no sockets.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from jumun.ports.broker import SendPermit
from jumun.ports.outside import Clock
from jumun.ports.wire import AnswerLost, HttpCall, HttpReply, NothingSent
from jumun.simulators.kis.fates import Ending, Fate
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.streams import Line

MS: Final = 1_000
NS: Final = 1_000_000_000
FRAMES_MAX: Final = 100_000  # nobody reads any more: the session is cut, as the server does


class WiredFrames:
    """One session; frames wait here until they are read."""

    def __init__(self, wire: "KisWire") -> None:
        self._wire = wire
        self._inbox: asyncio.Queue[str | None] = asyncio.Queue()
        self._over = False
        self.line: Line | None = None

    async def send(self, text: str) -> None:
        """See Frames.send."""
        if self._over or self.line is None:
            raise AnswerLost("the session is over")
        self._wire.kis.streams.hear(self.line, text, self._wire.clock.now_ns())

    async def receive(self) -> str | None:
        """See Frames.receive."""
        if self._over and self._inbox.empty():
            return None
        return await self._inbox.get()

    async def ping(self) -> None:
        """See Frames.ping; on a silent line nobody answers."""
        if self._over or self.line is None:
            raise AnswerLost("the session is over")
        if self._wire.clock.now_ns() < self.line.silent_until_ns:
            await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """See Frames.close."""
        if self.line is not None and not self._over:
            self._wire.kis.streams.leave(self.line, self._wire.clock.now_ns())
        self.end()

    def push(self, text: str) -> None:
        """The simulator sends a frame."""
        if self._over:
            return
        if self._inbox.qsize() >= FRAMES_MAX:
            if self.line is not None:  # as on the server, the session gives its app key back
                self._wire.kis.streams.leave(self.line, self._wire.clock.now_ns())
            self.end()
            return
        self._inbox.put_nowait(text)

    def end(self) -> None:
        """The session is over, whoever ended it."""
        if not self._over:
            self._over = True
            self._inbox.put_nowait(None)


class KisWire:
    """See the module. `on_write` is told of every call in the instant of its first byte."""

    def __init__(self, kis: SimulatedKis, clock: Clock) -> None:
        self.kis = kis
        self.clock = clock
        self.is_cut = False
        self.on_write: Callable[[HttpCall], None] = lambda _: None
        self._frames: list[WiredFrames] = []
        self._transits: set[asyncio.Task[HttpReply]] = set()

    @property
    def on_the_way(self) -> int:
        """How many calls have been written and not arrived."""
        return len(self._transits)

    async def call(self, call: HttpCall, permit: SendPermit, *, timeout_s: float) -> HttpReply:
        """See Wire.call."""
        if self.is_cut:
            raise NothingSent("the line to KIS is cut")
        if not permit():
            raise NothingSent("sending was not permitted in the last step")
        self.on_write(call)
        fate = self.kis.fate_of(call)
        if fate.ending is Ending.REFUSED:
            raise NothingSent("connection refused")
        transit = asyncio.get_running_loop().create_task(self._transit(call, fate), name="kis-transit")
        self._transits.add(transit)
        transit.add_done_callback(self._transits.discard)
        try:
            async with asyncio.timeout(timeout_s):
                # The shield lets what was written arrive although its sender stopped waiting.
                reply = await asyncio.shield(transit)
                return await self._ended(fate, reply)
        except TimeoutError:
            raise AnswerLost(f"no answer within {timeout_s:g} s") from None

    async def open_frames(self, path: str) -> WiredFrames:
        """See Wire.open_frames."""
        frames = WiredFrames(self)
        now_ns = self.clock.now_ns()
        line = None if self.is_cut else self.kis.streams.connect(frames.push, frames.end, now_ns)
        if line is None:
            raise NothingSent(f"no session is taken at {path} now")
        frames.line = line
        self._frames = [one for one in self._frames if not one._over] + [frames]
        return frames

    async def close(self) -> None:
        """See Wire.close."""
        for frames in self._frames:
            await frames.close()
        self._frames = []

    async def arrive(self) -> None:
        """Wait until everything that was written has arrived."""
        while self._transits:
            await asyncio.wait(set(self._transits))

    def cut(self) -> None:
        """Break the line: calls are refused and sessions end."""
        self.is_cut = True
        for frames in self._frames:
            if frames.line is not None:
                self.kis.streams.leave(frames.line, self.clock.now_ns())
            frames.end()

    def mend(self) -> None:
        """Bring the line back."""
        self.is_cut = False

    async def _transit(self, call: HttpCall, fate: Fate) -> HttpReply:
        await asyncio.sleep(fate.before_ms / MS)
        return self.kis.arrive(call, fate, self.clock.now_ns())

    async def _ended(self, fate: Fate, reply: HttpReply) -> HttpReply:
        await asyncio.sleep(fate.after_ms / MS)
        if fate.ending is Ending.SILENCE:
            await asyncio.get_running_loop().create_future()
        if fate.ending in (Ending.RESET, Ending.MIDWAY):
            raise AnswerLost(f"the connection ended ({fate.ending}) before the whole answer was there")
        lowered = {name.lower(): text for name, text in reply.headers.items()}
        return msgspec.structs.replace(reply, headers=lowered)


async def pass_time(kis: SimulatedKis, clock: Clock, *, every_s: float = 0.05) -> None:
    """Let late frames leave and signs of life be sent, for ever; a task of the test."""
    while True:
        kis.house.market.advance(clock.now_ns())
        kis.streams.pass_time(clock.now_ns())
        await asyncio.sleep(every_s)
