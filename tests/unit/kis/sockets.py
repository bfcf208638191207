"""Servers on loopback for tests of the wire: one that keeps every byte, and one that speaks HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from jumun.brokers.kis.http_wire import HttpWire

LOOPBACK = "127.0.0.1"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """A TCP server that keeps every byte it is sent and then does what `talk` says."""

    def __init__(self, talk: Talk) -> None:
        self.heard: list[bytearray] = []  # by connection
        self._talk = talk
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        kept = bytearray()
        self.heard.append(kept)
        feed = asyncio.StreamReader()

        async def keep() -> None:
            with suppress(ConnectionError):
                while chunk := await reader.read(65_536):
                    kept.extend(chunk)
                    feed.feed_data(chunk)
            feed.feed_eof()

        keeper = asyncio.create_task(keep())
        try:
            await self._talk(feed, writer)
            await keeper
        finally:
            keeper.cancel()
            writer.close()

    @property
    def requests(self) -> int:
        """How many requests have arrived, over all connections."""
        return sum(bytes(kept).count(b"HTTP/1.1\r\n") for kept in self.heard)


@asynccontextmanager
async def raw(talk: Talk, **switches: Any) -> AsyncIterator[tuple[RawServer, HttpWire]]:
    server = RawServer(talk)
    await server.start()
    base = f"{LOOPBACK}:{server.port}"
    wire = HttpWire(f"http://{base}", f"ws://{base}", **switches)
    try:
        yield server, wire
    finally:
        await wire.close()
        await server.stop()


@asynccontextmanager
async def serving(app: web.Application, **switches: Any) -> AsyncIterator[HttpWire]:
    async with TestServer(app, host=LOOPBACK) as server:
        base = f"{LOOPBACK}:{server.port}"
        wire = HttpWire(f"http://{base}", f"ws://{base}", **switches)
        try:
            yield wire
        finally:
            await wire.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the other side tells nobody what it has heard
            await asyncio.sleep(0.005)


async def a_request(reader: asyncio.StreamReader) -> bytes:
    """Read one request, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b"content-length: 19" in head.lower():
        await reader.readexactly(19)
    return head


async def answer(writer: asyncio.StreamWriter, body: bytes = b"{}", head: bytes = b"") -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), head, body))
    await writer.drain()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
