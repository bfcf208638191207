"""Three pages on one port: /healthz, /readyz, /metrics. Nothing here changes anything or shows a secret."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from jumun.doors.gate import Gate
from jumun.doors.http.metrics import Metrics
from jumun.limits import HTTP_BACKLOG, HTTP_CONNECTIONS_MAX
from jumun.model.errors import ConfigError

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def pages(gate: Gate, metrics: Metrics) -> Starlette:
    """Return the application."""

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "up"})

    async def readyz(request: Request) -> Response:
        why = gate.unready()
        if why is not None:
            return JSONResponse({"status": "not ready", "reason": why}, status_code=503)
        return JSONResponse({"status": "ready"})

    async def figures(request: Request) -> Response:
        return Response(metrics.text(), headers={"content-type": PROMETHEUS})

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", figures)]
    )


class _Hurried(H11Protocol):
    """Whoever connects must ask within the idle time, or make room when others come (I-61)."""

    _since = 0.0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._wait()
        open_now = [other for other in self.connections if not other.transport.is_closing()]
        too_many = len(open_now) - HTTP_CONNECTIONS_MAX + 1  # a request at the limit is refused
        silent = [other for other in open_now if isinstance(other, _Hurried) and other.is_silent]
        for oldest in sorted(silent, key=lambda other: other._since)[: max(too_many, 0)]:
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._since = self.loop.time()
        self._wait()

    @property
    def is_silent(self) -> bool:
        """Whether no whole request of it is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request, whatever it says
        return cycle is None or cycle.response_complete

    def _wait(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(self.timeout_keep_alive, self._give_up)

    def _give_up(self) -> None:
        if self.is_silent and not self.transport.is_closing():
            self.transport.abort()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The program handles signals for all its doors."""
        yield


class HttpDoor:
    """One listening server, run as a task of the service."""

    def __init__(self, gate: Gate, metrics: Metrics) -> None:
        self._pages = pages(gate, metrics)
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self, host: str, port: int, *, idle_s: Decimal, write_s: Decimal) -> None:
        """Listen; raises ConfigError when the port is taken. `port` is then known."""
        try:
            listening = socket.create_server((host, port), backlog=HTTP_BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"HTTP cannot listen on {host}:{port} ({error.strerror}); stop that or set OMS_HTTP_PORT"
            ) from error
        self.port = listening.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._pages,
                http=_Hurried,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=HTTP_CONNECTIONS_MAX,
                backlog=HTTP_BACKLOG,
                timeout_keep_alive=max(1, int(idle_s)),
                timeout_graceful_shutdown=max(1, int(write_s)),
            )
        )
        self._task = asyncio.create_task(self._server.serve([listening]), name="http")

    async def stop(self) -> None:
        """Let replies end, then close."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
