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
                http="h11",
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
