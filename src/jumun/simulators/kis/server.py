"""The simulated KIS on real sockets: REST and WebSocket, on one port or on two (kis.md 1.1).

Everything that decides is below (simulated.py, streams.py); here is only waiting, writing and hanging up. A
client that dies, or does not read, costs its own connection and nothing else.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from aiohttp import WSMsgType, web
from multidict import CIMultiDict

from jumun.model.errors import ConfigError
from jumun.ports.wire import HttpCall, HttpReply
from jumun.simulators.kis.control import CONTROL_PATH, ControlDesk
from jumun.simulators.kis.fates import Ending, Fate
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.streams import Line

HOST: Final = "127.0.0.1"  # loopback: the demo key is known to everybody
BODY_MAX: Final = 1024 * 1024  # bytes of a request; the house refuses what is longer than any order
UNSENT_MAX: Final = 10_000  # frames one client may leave unread before it is cut off: minutes of a busy day
CONNECTIONS_MAX: Final = 128  # WebSocket sessions at once
FRAME_MAX: Final = 64 * 1024  # bytes of one frame of a client; a registration has some 300
SILENCE_MAX_S: Final = 120.0  # how long a connection is held that nobody will answer
HANG_UP_S: Final = 1.0  # for connections to end by themselves at the stop
TICK_S: Final = 0.05  # how late a late frame may be, or the end of a session be noticed
MS: Final = 1_000
NowNs = Callable[[], int]
T = TypeVar("T")

log = structlog.get_logger()


class SimulatorClock:
    """The simulator's own clock: the given one, and what acts have skipped."""

    def __init__(self, now_ns: NowNs) -> None:
        self._now_ns = now_ns
        self.skipped_ns = 0

    def __call__(self) -> int:
        """UTC nanoseconds."""
        return self._now_ns() + self.skipped_ns

    def skip(self, by_ns: int) -> None:
        """Move forward."""
        self.skipped_ns += by_ns


class KisServer:
    """Serves one simulated KIS until `stop`. `control` is answered on the REST port, to loopback only."""

    def __init__(self, kis: SimulatedKis, clock: SimulatorClock, control: ControlDesk) -> None:
        self.kis = kis
        self.clock = clock
        self._control = control
        self._stopping = asyncio.Event()
        self._failure: Exception | None = None
        self._runners: list[web.ServerRunner] = []
        self._open: set[int] = set()
        self.rest_address = ("", 0)
        self.ws_address = ("", 0)

    # ---- life ----------------------------------------------------------------------------------------------

    async def start(self, host: str, port: int, ws_port: int | None) -> None:
        """Listen; port 0 takes a free one, `ws_port` None shares the REST port. Addresses are then known."""
        self.rest_address = await self._listen(host, port)
        self.ws_address = self.rest_address if ws_port is None else await self._listen(host, ws_port)

    async def run(self) -> None:
        """Let time pass until cancelled: late frames, signs of life, ends of sessions.

        Raises what went wrong inside a call: an oracle that is wrong once must not go on (I-65).
        """
        while True:
            if self._failure is not None:
                raise self._failure
            self.pass_time()
            await asyncio.sleep(TICK_S)

    def pass_time(self) -> None:
        """Do what is due now."""
        now_ns = self.clock()
        self.kis.house.market.advance(now_ns)
        self.kis.streams.pass_time(now_ns)

    async def stop(self) -> None:
        """Take no more calls and hang up."""
        self._stopping.set()
        self.kis.streams.cut(self.clock())
        for runner in self._runners:
            await runner.cleanup()

    async def _listen(self, host: str, port: int) -> tuple[str, int]:
        server = web.Server(self._handle, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=HANG_UP_S)
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(
                f"the simulated KIS cannot listen on {host}:{port} ({error.strerror}); use another port, or 0"
            ) from error
        name = runner.addresses[0]
        return str(name[0]), int(name[1])

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._session(request)
        body = await _read(request)
        if body is None:
            return web.Response(status=413)
        if request.path.startswith(CONTROL_PATH):
            return self._sure(lambda: self._control.answer(request, body))
        return await self._call(request, body)

    def _sure(self, call: Callable[[], T]) -> T:
        """Carry out what must not fail; if it does, the server ends with that (`run`)."""
        try:
            return call()
        except Exception as error:  # what ends the process ends the loop, and `run` with it, by itself
            self._failure = error
            raise

    # ---- REST ----------------------------------------------------------------------------------------------

    async def _call(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        call = HttpCall(
            method=request.method,
            path=request.path,
            headers=dict(request.headers),
            query=dict(request.query),
            body=body,
        )
        fate = self.kis.fate_of(call)
        await self._wait_ms(fate.before_ms)
        reply = self._sure(lambda: self.kis.arrive(call, fate, self.clock()))
        await self._wait_ms(fate.after_ms)
        return await self._end(request, fate, reply)

    async def _end(self, request: web.BaseRequest, fate: Fate, reply: HttpReply) -> web.StreamResponse:
        match fate.ending:
            case Ending.ANSWER:
                return web.Response(status=reply.status, headers=CIMultiDict(reply.headers), body=reply.body)
            case Ending.SILENCE:
                await self._wait_ms(int(SILENCE_MAX_S * MS))
            case Ending.MIDWAY:
                await _half(request, reply)
            case Ending.RESET | Ending.REFUSED:
                pass
        _reset(request)
        return web.Response()  # nobody is there to read it

    async def _wait_ms(self, ms: int) -> None:
        """Wait, or until the stop."""
        if ms <= 0:
            return
        try:
            async with asyncio.timeout(ms / MS):
                await self._stopping.wait()
        except TimeoutError:
            return

    # ---- WebSocket -----------------------------------------------------------------------------------------

    async def _session(self, request: web.BaseRequest) -> web.StreamResponse:
        streams = self.kis.streams
        is_ours = request.path == "/" or request.path == "/tryitout" or request.path.startswith("/tryitout/")
        if not is_ours:
            return web.Response(status=404)
        if self._stopping.is_set() or streams.is_down(self.clock()) or len(self._open) >= CONNECTIONS_MAX:
            return web.Response(status=503)
        # Pings are answered here: aiohttp would swallow the pong frames that count as signs of life.
        socket_ = web.WebSocketResponse(
            timeout=HANG_UP_S, autoping=False, max_msg_size=FRAME_MAX, compress=False
        )
        await socket_.prepare(request)
        outbox: asyncio.Queue[str | None] = asyncio.Queue(UNSENT_MAX + 1)
        line = streams.connect(
            lambda text: _put(outbox, text, request), lambda: _hang_up(outbox), self.clock()
        )
        if line is None:
            await socket_.close()
            return socket_
        number = line.session.number
        self._open.add(number)
        writer = asyncio.create_task(_write(socket_, outbox, request), name=f"kis-session-{number}")
        try:
            await self._listen_to(socket_, line)
        finally:
            streams.leave(line, self.clock())
            self._open.discard(number)
            _hang_up(outbox)
            await asyncio.wait({writer}, timeout=HANG_UP_S)
            writer.cancel()
        return socket_

    async def _listen_to(self, socket_: web.WebSocketResponse, line: Line) -> None:
        async for message in socket_:
            if message.type is WSMsgType.TEXT:
                self._hear(line, message.data)
            elif message.type is WSMsgType.BINARY:
                self._hear(line, message.data.decode(errors="replace"))
            elif message.type is WSMsgType.PONG:
                line.session.pong()
            elif message.type is WSMsgType.PING:
                await _pong(socket_, message.data)

    def _hear(self, line: Line, text: str) -> None:
        self._sure(lambda: self.kis.streams.hear(line, text, self.clock()))


async def _write(
    socket_: web.WebSocketResponse, outbox: asyncio.Queue[str | None], request: web.BaseRequest
) -> None:
    """Send what is in the outbox, in order; None ends the session."""
    try:
        while (text := await outbox.get()) is not None:
            await socket_.send_str(text)
        await socket_.close()
    except ConnectionError:
        _reset(request)  # the client is gone; its session ends with its connection


async def _pong(socket_: web.WebSocketResponse, data: bytes) -> None:
    try:
        await socket_.pong(data)
    except ConnectionError:
        return  # it went away after asking; the next read ends the session


def _put(outbox: asyncio.Queue[str | None], text: str, request: web.BaseRequest) -> None:
    if outbox.qsize() < UNSENT_MAX:
        outbox.put_nowait(text)
        return
    log.warning("slow_client_cut", waiting=outbox.qsize(), next_step="read frames as they come")
    _reset(request)


def _hang_up(outbox: asyncio.Queue[str | None]) -> None:
    # What waits is not sent any more: this session has been cut, or its client is gone.
    while not outbox.empty():
        outbox.get_nowait()
    outbox.put_nowait(None)


async def _read(request: web.BaseRequest) -> bytes | None:
    """Return the body; None for one that is too long."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_MAX:
            return None
    return bytes(body)


async def _half(request: web.BaseRequest, reply: HttpReply) -> None:
    """Promise the whole answer and write half of it."""
    response = web.StreamResponse(status=reply.status, headers=CIMultiDict(reply.headers))
    response.content_length = len(reply.body)
    try:
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])
    except ConnectionError:
        return  # it is over already


def _reset(request: web.BaseRequest) -> None:
    """End the connection with a reset, as a broken network does, rather than with a farewell."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
