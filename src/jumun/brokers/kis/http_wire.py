"""ports.Wire on aiohttp: one session, nothing followed, nothing repeated (F-01, F-02, F-15, F-16).

aiohttp writes a GET again when a kept connection turns out to be dead. So every call carries a gate: it asks
the permit in the last step before the first byte, lets one request through and knows whether it went.
"""

import asyncio
import errno
from collections.abc import Mapping
from typing import Final, NoReturn
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWSTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection

from jumun.brokers.kis.access import is_local
from jumun.brokers.kis.http_frames import HttpFrames
from jumun.brokers.kis.replies import BODY_MAX
from jumun.ports.broker import SendPermit
from jumun.ports.wire import AnswerLost, Frames, HttpCall, HttpReply, NothingSent

CALLS_MAX: Final = 64  # at once; three seconds of the live budget (F-18)
SESSIONS_MAX: Final = 4  # WebSocket sessions beside them; KIS allows one
# A kept connection that the other side has given up makes an order's outcome unknown (F-16), and a new one
# costs some milliseconds: those that were idle longer are not used again.
KEEP_ALIVE_S: Final = 5.0
OPEN_TIMEOUT_S: Final = 10.0
FRAME_BYTES_MAX: Final = 4_000_000
CLOSED: Final = "the wire was closed"
CHUNK: Final = 65_536


class HttpWire:
    """See ports.Wire. `rest_base` and `ws_base` are scheme, host and port, such as https://host:9443.

    Made anywhere, used on one event loop. It takes no proxy from the environment and keeps no cookies.
    """

    def __init__(
        self,
        rest_base: str,
        ws_base: str,
        *,
        calls_max: int = CALLS_MAX,
        body_max: int = BODY_MAX,
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        self._rest, self._ws = rest_base.rstrip("/"), ws_base.rstrip("/")
        self._rest_host, self._ws_host = urlsplit(rest_base).netloc, urlsplit(ws_base).netloc
        self._calls_max = calls_max
        self._body_max = body_max
        self._keep_alive_s = keep_alive_s
        self._places = asyncio.Semaphore(calls_max)
        self._session: ClientSession | None = None
        self._frames: set[HttpFrames] = set()
        self._limits: set[asyncio.Timeout] = set()  # of the calls in flight
        self._is_closed = False

    async def call(self, call: HttpCall, permit: SendPermit, *, timeout_s: float) -> HttpReply:
        """Write once and wait for the whole answer; see ports.Wire.call."""
        gate = _Gate(permit, has_body=bool(call.body))
        limit = asyncio.timeout(timeout_s)
        self._limits.add(limit)
        try:
            async with limit, self._places:
                return await self._exchange(call, gate)
        except TimeoutError:
            why = f"gave no whole answer within {timeout_s:g} s"
            gate.fail(CLOSED if self._is_closed else f"{self._rest_host} {why}")
        except (ClientError, OSError) as error:
            gate.fail(CLOSED if self._is_closed else f"{self._rest_host}: {_why(error)}")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._is_closed or task is None or task.cancelling():
                raise
            gate.fail(CLOSED)  # aiohttp ends what waits inside it by cancellation
        finally:
            self._limits.discard(limit)

    async def open_frames(self, path: str) -> Frames:
        """Begin a WebSocket session; see ports.Wire.open_frames."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                socket = await self._open_session().ws_connect(
                    self._ws + path,
                    timeout=ClientWSTimeout(ws_close=1.0),
                    autoping=False,  # HttpFrames hears the pongs
                    max_msg_size=FRAME_BYTES_MAX,
                )
        except TimeoutError:
            raise NothingSent(
                f"{self._ws_host} began no session within {OPEN_TIMEOUT_S:g} s; try again later"
            ) from None
        except (ClientError, OSError) as error:
            raise NothingSent(f"no session with {self._ws_host}: {_why(error)}; try again later") from None
        frames = HttpFrames(socket, self._frames.discard)
        self._frames.add(frames)
        return frames

    async def close(self) -> None:
        """Hang up; see ports.Wire.close."""
        self._is_closed = True
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now)
        for frames in list(self._frames):
            await frames.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(self, call: HttpCall, gate: "_Gate") -> HttpReply:
        async with self._open_session().request(
            call.method,
            self._rest + call.path,
            params=call.query,
            headers=call.headers,
            data=call.body or None,
            allow_redirects=False,
            middlewares=(gate.attach,),
        ) as response:
            return HttpReply(
                status=response.status,
                headers=_lower(response.headers),
                body=await self._body(response),
            )

    async def _body(self, response: ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK):
            body += chunk
            if len(body) > self._body_max:
                response.close()
                raise AnswerLost(f"{self._rest_host} answered more than {self._body_max} bytes")
        return bytes(body)

    def _open_session(self) -> ClientSession:
        if self._is_closed:
            raise NothingSent(CLOSED)
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(
                    # Never waited for, as the places are fewer.
                    limit=self._calls_max + SESSIONS_MAX,
                    keepalive_timeout=self._keep_alive_s,
                ),
                cookie_jar=DummyCookieJar(),
                request_class=_GatedRequest,
                timeout=ClientTimeout(total=None, sock_connect=None),  # each call has its own
                headers={"User-Agent": "jumun"},
            )
        return self._session


class _Gate:
    """Lets one request of one call through, and knows whether a byte of it can have left."""

    def __init__(self, permit: SendPermit, *, has_body: bool) -> None:
        self.has_body = has_body
        self.is_written = False
        self._permit = permit

    async def attach(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """The middleware of this call: what it raises is not aiohttp's, so aiohttp does not try again."""
        assert isinstance(request, _GatedRequest), "the session makes no others"
        request.gate = self
        try:
            return await handler(request)
        except (ClientError, OSError) as error:
            self.fail(f"{request.url.authority}: {_why(error)}")

    def ask(self, connection: Connection) -> None:
        """Return when the first byte may be written now; raises NothingSent."""
        assert not self.is_written, "a request is written once"
        transport = connection.transport
        if transport is None or transport.is_closing():
            raise NothingSent("the connection was closed before anything was written; try again")
        if not self._permit():
            raise NothingSent("sending was not permitted in the last step")
        self.is_written = True

    def fail(self, why: str) -> NoReturn:
        """Raise what is known: nothing was sent, or the answer is lost."""
        if self.is_written:
            raise AnswerLost(f"{why}; it may have been carried out") from None
        raise NothingSent(f"{why}; nothing was sent") from None


class _GatedRequest(ClientRequest):
    """A request that asks its gate where aiohttp writes: in `send` without a body, else in `write_bytes`.

    From there to the transport nothing else runs. WebSocket handshakes have no gate.
    """

    gate: _Gate | None = None

    async def send(self, conn: Connection) -> ClientResponse:
        if self.gate is not None and not self.gate.has_body:
            self.gate.ask(conn)
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        if self.gate is not None and self.gate.has_body:
            try:
                self.gate.ask(conn)
            except NothingSent as refusal:
                # This is a task of its own; whoever waits for the answer is told.
                if conn.protocol is not None:
                    conn.protocol.set_exception(refusal)
                return
        await super().write_bytes(writer, conn, content_length)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    """One value for each name; a name that came twice holds both, and so fits no table."""
    lower: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        lower[key] = f"{lower[key]}, {value}" if key in lower else value
    return lower


def _why(error: ClientError | OSError) -> str:
    """Say what happened without the request, whose headers and query hold keys and accounts (I-66)."""
    if isinstance(error, ClientConnectorError):
        if error.os_error.errno == errno.ECONNREFUSED:
            start = "start `jumun simulate kis`, or " if is_local(f"//{error.host}") else ""
            return f"nobody listens there; {start}check KIS_BASE_URL and KIS_WS_URL"
        return f"no connection ({error.os_error.strerror or type(error.os_error).__name__})"
    return type(error).__name__
