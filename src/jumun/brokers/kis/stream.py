"""The notice session at KIS: begun, registered, verified, read (kis.md 5, 7.2). One at a time for an app key.

The notice streams are registered before anything else and must be acknowledged (F-26). A session that ends is
not begun again here: the desk notices the silence, and its next `open` waits longer after each failure.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from json import dumps
from random import Random
from typing import Final

import structlog

from jumun.brokers.kis.access import WS_PATH, KisAccess, KisEnvironment
from jumun.brokers.kis.advice import who_asks
from jumun.brokers.kis.cipher import StreamKeys
from jumun.brokers.kis.frames import Ack, DataFrame, PingPong, read_frame
from jumun.brokers.kis.tokens import Tokens
from jumun.model.errors import BrokerUnavailable, UnreadableReply
from jumun.model.reports import UnreadableNotice
from jumun.ports.outside import Clock
from jumun.ports.wire import AnswerLost, Frames, NothingSent, Wire

ACK_TIMEOUT_S: Final = 5.0
BACKOFF_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # OPSP8996: the old session is released after a while
FRESH_S: Final = 2.0  # as often as the desk asks
PONG_TIMEOUT_S: Final = 1.5  # below the desk's own patience
SILENCE_S: Final = 90.0  # three keep-alives of KIS are missing; their period is not confirmed (part 8, 25)
# One keep-alive is overdue. The session is not given up for that, but fills are asked for meanwhile.
QUIET_S: Final = SILENCE_S / 3 + 5
REGISTRATIONS_MAX: Final = 41  # notices and prices together (kis.md 7.1)
NOTICES: Final = {
    KisEnvironment.LIVE: ("H0STCNI0", "H0GSCNI0"),
    KisEnvironment.PAPER: ("H0STCNI9", "H0GSCNI9"),
}
TRADES: Final = "H0STCNT0"
REGISTER: Final = "1"
NS: Final = 1_000_000_000

log = structlog.get_logger()


class KisStream:
    """`open`, then `read` until it ends; both again after the desk has hung up."""

    def __init__(
        self,
        access: KisAccess,
        wire: Wire,
        tokens: Tokens,
        clock: Clock,
        random: Random,
        *,
        watched: tuple[str, ...] = (),
    ) -> None:
        """`watched` are the Korean symbols whose trades are wanted; those beyond the limit are left out."""
        self._access = access
        self._wire = wire
        self._tokens = tokens
        self._clock = clock
        self._random = random
        self._notices = NOTICES[access.environment]
        self._watched = watched[: REGISTRATIONS_MAX - len(self._notices)]
        self._frames: Frames | None = None
        self._keys: dict[str, StreamKeys] = {}
        self._failures = 0
        self._refused = ""  # why the newest beginning failed
        self._not_before_ns = 0
        self._heard_ns = 0  # monotonic: the newest frame, of any kind
        self._has_ponged = False  # in this process: then a missing pong is a sign
        self.sessions = 0  # how many were begun

    @property
    def keys(self) -> Mapping[str, StreamKeys]:
        """The keys of this session, by stream."""
        return self._keys

    @property
    def is_open(self) -> bool:
        """Whether a session is there; it may be silent all the same."""
        return self._frames is not None

    @property
    def is_quiet(self) -> bool:
        """Whether a session is there that has said nothing for too long, not even a keep-alive."""
        return self._frames is not None and self._silent_s() > QUIET_S

    async def open(self) -> None:
        """Begin a session and register the notices; raises BrokerUnavailable. Safe to call again."""
        if self._frames is not None:
            return
        wait_ns = self._not_before_ns - self._clock.monotonic_ns()
        if wait_ns > 0:
            # With the reason: it is what a person who asks meanwhile must read.
            raise BrokerUnavailable(
                f"the stream of KIS is begun again in {wait_ns / NS:.0f} s, not before: {self._refused}"
            )
        try:
            await self._begin()
        except (BrokerUnavailable, UnreadableReply, TimeoutError) as error:
            await self.close()
            self._wait_longer()
            told = str(error) or f"no acknowledgement within {ACK_TIMEOUT_S:g} s"
            self._refused = f"the notices of KIS cannot be registered: {told}"
            raise BrokerUnavailable(self._refused) from error
        self._failures = 0
        self._heard_ns = self._clock.monotonic_ns()
        self.sessions += 1

    async def close(self) -> None:
        """End the session; `read` ends with it."""
        frames, self._frames = self._frames, None
        self._keys = {}
        if frames is not None:
            await frames.close()

    async def ping(self) -> None:
        """Return when the session is proven to be alive; raises BrokerUnavailable.

        A frame of this moment is proof, and so is a pong. Whether KIS answers WebSocket pings nobody has
        confirmed: until it has answered one, silence counts only after SILENCE_S, in which KIS itself pings.
        """
        frames = self._frames
        if frames is None:
            raise BrokerUnavailable("the stream of KIS is not open")
        if self._silent_s() < FRESH_S:
            return
        try:
            async with asyncio.timeout(PONG_TIMEOUT_S):
                await frames.ping()
        except TimeoutError:
            if self._has_ponged or self._silent_s() > SILENCE_S:
                raise BrokerUnavailable(
                    f"the stream of KIS has said nothing for {self._silent_s():.0f} s and answers no ping"
                ) from None
            return
        self._has_ponged = True
        self._heard_ns = self._clock.monotonic_ns()

    def _silent_s(self) -> float:
        return (self._clock.monotonic_ns() - self._heard_ns) / NS

    async def read(self) -> AsyncIterator[DataFrame | UnreadableNotice]:
        """Yield data frames until the session ends; keep-alives are answered here (F-33)."""
        frames = self._frames
        while frames is not None and frames is self._frames:
            text = await frames.receive()
            if text is None:
                return
            self._heard_ns = self._clock.monotonic_ns()
            try:
                frame = read_frame(text)
            except UnreadableReply as error:
                yield UnreadableNotice(raw=error.raw, text=str(error))
                continue
            if isinstance(frame, DataFrame):
                yield frame
            else:
                await self._answer(frame, frames)

    # ---- beginning ----------------------------------------------------------------------------

    async def _begin(self) -> None:
        approval = await self._tokens.approval_key()
        self._frames = frames = await self._wire.open_frames(WS_PATH)
        async with asyncio.timeout(ACK_TIMEOUT_S):
            for tr_id in self._notices:
                await frames.send(self._registration(approval.reveal(), tr_id, self._access.hts_id))
            await self._acknowledged(frames)
        for symbol in self._watched:
            await frames.send(self._registration(approval.reveal(), TRADES, symbol))

    async def _acknowledged(self, frames: Frames) -> None:
        missing = set(self._notices)
        while missing:
            text = await frames.receive()
            if text is None:
                raise AnswerLost("the session ended before the notices were registered")
            frame = read_frame(text)
            if isinstance(frame, Ack) and frame.tr_id in missing:
                self._take(frame)
                missing.discard(frame.tr_id)
            elif isinstance(frame, Ack) and not frame.is_taken:
                raise NothingSent(self._refusal(frame))
            elif isinstance(frame, PingPong):
                await frames.send(frame.text)

    def _take(self, ack: Ack) -> None:
        if not ack.is_taken:
            raise NothingSent(self._refusal(ack))
        if ack.keys is None:
            raise NothingSent(f"{ack.tr_id} was registered without a key to read it; begin again")
        self._keys[ack.tr_id] = ack.keys

    def _refusal(self, ack: Ack) -> str:
        told = f"{ack.tr_id}: {ack.code} {ack.text}".removeprefix(": ")
        advice = who_asks(ack.code, self._access)
        return f"{told}; {advice}" if advice else told

    async def _answer(self, frame: Ack | PingPong, frames: Frames) -> None:
        if isinstance(frame, PingPong):
            try:
                await frames.send(frame.text)
            except AnswerLost:
                return  # the session is over, as `receive` says next
        elif not frame.is_taken:
            # Prices only: the notices were verified at the beginning, and orders do not wait for prices.
            log.warning("kis_registration_refused", tr_id=frame.tr_id, tr_key=frame.tr_key, code=frame.code)
        elif frame.keys is not None and frame.tr_id in self._notices:
            self._keys[frame.tr_id] = frame.keys

    def _registration(self, approval_key: str, tr_id: str, tr_key: str) -> str:
        header = {
            "approval_key": approval_key,
            "custtype": self._access.custtype,
            "tr_type": REGISTER,
            "content-type": "utf-8",
        }
        return dumps({"header": header, "body": {"input": {"tr_id": tr_id, "tr_key": tr_key}}})

    def _wait_longer(self) -> None:
        """Back off, with chance in it: several desks must not come back in step (I-52)."""
        seconds = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)] * self._random.uniform(0.8, 1.2)
        self._failures += 1
        self._not_before_ns = self._clock.monotonic_ns() + int(seconds * NS)
