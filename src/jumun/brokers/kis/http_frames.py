"""ports.Frames on an aiohttp WebSocket: text both ways, pings of both sides answered, one reader."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Final

import structlog
from aiohttp import ClientError, ClientWebSocketResponse, WSMsgType

from jumun.ports.wire import AnswerLost

PING_TIMEOUT_S: Final = 10.0
OVER: Final = "the session is over; begin another"

log = structlog.get_logger()


class HttpFrames:
    """See ports.Frames. `ended` is called once, when the session is over."""

    def __init__(self, socket: ClientWebSocketResponse[bool], ended: Callable[["HttpFrames"], None]) -> None:
        self._socket = socket
        self._ended = ended
        self._numbers = count(1)
        self._pings: dict[bytes, asyncio.Future[None]] = {}

    async def send(self, text: str) -> None:
        """Write one frame; see ports.Frames.send."""
        try:
            await self._socket.send_str(text)
        except (ClientError, OSError):
            raise AnswerLost(OVER) from None

    async def receive(self) -> str | None:
        """Return the next text; see ports.Frames.receive. Pings and pongs are dealt with on the way."""
        while True:
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    return str(message.data)
                case WSMsgType.BINARY:  # KIS sends none; as text it is an unreadable frame, and kept
                    return bytes(message.data).decode(errors="backslashreplace")
                case WSMsgType.PING:
                    await self._pong(message.data)
                case WSMsgType.PONG:
                    self._answered(bytes(message.data))
                case _:
                    if message.type is WSMsgType.ERROR:
                        log.warning("kis_session_broken", why=type(message.data).__name__)
                    self._over()
                    return None

    async def ping(self) -> None:
        """Wait for the answer to a ping; see ports.Frames.ping. Somebody must be receiving meanwhile."""
        payload = str(next(self._numbers)).encode()
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pings[payload] = answered
        try:
            await self._socket.ping(payload)
            async with asyncio.timeout(PING_TIMEOUT_S):
                await answered
        except TimeoutError:
            raise AnswerLost(f"no answer to a ping within {PING_TIMEOUT_S:g} s") from None
        except (ClientError, OSError):
            raise AnswerLost(OVER) from None
        finally:
            self._pings.pop(payload, None)

    async def close(self) -> None:
        """End the session; see ports.Frames.close."""
        await self._socket.close()
        self._over()

    async def _pong(self, payload: bytes) -> None:
        try:
            await self._socket.pong(payload)
        except (ClientError, OSError) as error:
            # The next `receive` tells that it is over.
            log.info("kis_pong_not_sent", why=type(error).__name__)

    def _answered(self, payload: bytes) -> None:
        answered = self._pings.get(payload)
        if answered is not None and not answered.done():
            answered.set_result(None)

    def _over(self) -> None:
        for answered in self._pings.values():
            if not answered.done():
                answered.set_exception(AnswerLost(OVER))
        self._ended(self)
