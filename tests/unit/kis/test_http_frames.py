"""WebSocket sessions with KIS on real sockets: text both ways, pings, and the end whoever brings it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from jumun.brokers.kis import http_frames, http_wire
from jumun.brokers.kis.http_wire import HttpWire
from jumun.ports.wire import AnswerLost, NothingSent
from tests.unit.kis.sockets import LOOPBACK, a_request, closed_port, raw, serving, until


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    await asyncio.sleep(60)


class Sessions:
    """A WebSocket server that keeps what it hears."""

    def __init__(self, greet: Callable[[web.WebSocketResponse], Awaitable[None]] | None = None) -> None:
        self.heard: list[tuple[WSMsgType, Any]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.answers_pings = True
        self._greet = greet
        self.app = web.Application()
        self.app.router.add_get("/tryitout", self._serve)

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        session = web.WebSocketResponse(autoping=False)
        await session.prepare(request)
        self.sockets.append(session)
        if self._greet is not None:
            await self._greet(session)
        async for message in session:
            self.heard.append((message.type, message.data))
            if message.type is WSMsgType.TEXT:
                await session.send_str(message.data[::-1])
            if message.type is WSMsgType.PING and self.answers_pings:
                await session.pong(message.data)
        return session


async def test_text_goes_both_ways_in_order() -> None:
    server = Sessions()
    async with serving(server.app) as wire:
        frames = await wire.open_frames("/tryitout")
        for text in ("abc", "한국"):
            await frames.send(text)
        assert [await frames.receive(), await frames.receive()] == ["cba", "국한"]
        await frames.close()
        await frames.close()
        assert await frames.receive() is None


@pytest.mark.req("F-25", "I-60")
async def test_a_ping_returns_when_the_other_side_has_answered_it() -> None:
    server = Sessions()
    async with serving(server.app) as wire:
        frames = await wire.open_frames("/tryitout")
        reading = asyncio.create_task(frames.receive())
        await asyncio.gather(frames.ping(), frames.ping())
        await frames.send("still reading")
        assert await reading == "gnidaer llits"


@pytest.mark.req("F-25", "I-60")
async def test_a_ping_without_an_answer_tells_that_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_frames, "PING_TIMEOUT_S", 0.1)
    server = Sessions()
    server.answers_pings = False
    async with serving(server.app) as wire:
        frames = await wire.open_frames("/tryitout")
        reading = asyncio.create_task(frames.receive())
        with pytest.raises(AnswerLost, match="ping"):
            await frames.ping()
        pinging = asyncio.create_task(frames.ping())
        await until(lambda: len(server.heard) == 2)
        await frames.close()
        with pytest.raises(AnswerLost, match="over"):
            await pinging
        with pytest.raises(AnswerLost, match="over"):
            await frames.ping()
        assert await reading is None


@pytest.mark.req("F-33")
async def test_pings_of_kis_are_answered_and_foreign_pongs_ignored() -> None:
    async def greet(session: web.WebSocketResponse) -> None:
        await session.pong(b"7")
        await session.ping(b"are you there")
        await session.send_str("notice")

    server = Sessions(greet)
    async with serving(server.app) as wire:
        frames = await wire.open_frames("/tryitout")
        assert await frames.receive() == "notice"
        await until(lambda: (WSMsgType.PONG, bytearray(b"are you there")) in server.heard or server.heard)
        assert bytes(server.heard[0][1]) == b"are you there"


@pytest.mark.req("F-19")
async def test_a_session_that_kis_ends_is_over_for_both_directions() -> None:
    async def greet(session: web.WebSocketResponse) -> None:
        await session.send_str("last")
        await session.close()

    async with serving(Sessions(greet).app) as wire:
        frames = await wire.open_frames("/tryitout")
        assert [await frames.receive(), await frames.receive(), await frames.receive()] == [
            "last",
            None,
            None,
        ]
        with pytest.raises(AnswerLost, match="over"):
            await frames.send("too late")


@pytest.mark.req("F-19")
async def test_a_session_that_breaks_off_is_over() -> None:
    async def greet(session: web.WebSocketResponse) -> None:
        assert session._req is not None
        assert session._req.transport is not None
        session._req.transport.abort()

    async with serving(Sessions(greet).app) as wire:
        frames = await wire.open_frames("/tryitout")
        assert await frames.receive() is None


async def test_closing_wakes_who_receives() -> None:
    async with serving(Sessions().app) as wire:
        frames = await wire.open_frames("/tryitout")
        reading = asyncio.create_task(frames.receive())
        await asyncio.sleep(0.01)
        await frames.close()
        assert await reading is None


async def test_hanging_up_ends_sessions() -> None:
    async with serving(Sessions().app) as wire:
        frames = await wire.open_frames("/tryitout")
        reading = asyncio.create_task(frames.receive())
        await asyncio.sleep(0.01)
        await wire.close()
        assert await reading is None
        with pytest.raises(AnswerLost):
            await frames.send("x")


@pytest.mark.req("I-61")
async def test_a_frame_beyond_the_bound_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_wire, "FRAME_BYTES_MAX", 1_000)

    async def greet(session: web.WebSocketResponse) -> None:
        await session.send_str("x" * 999)
        await session.send_str("x" * 1_001)

    async with serving(Sessions(greet).app) as wire:
        frames = await wire.open_frames("/tryitout")
        assert await frames.receive() == "x" * 999
        assert await frames.receive() is None


async def test_bytes_where_text_belongs_are_kept_as_an_unreadable_text() -> None:
    async def greet(session: web.WebSocketResponse) -> None:
        await session.send_bytes(b"\xff1|H0")

    async with serving(Sessions(greet).app) as wire:
        frames = await wire.open_frames("/tryitout")
        assert await frames.receive() == "\\xff1|H0"


async def test_a_session_that_cannot_be_begun_has_sent_nothing() -> None:
    async with serving(Sessions().app) as wire:
        with pytest.raises(NothingSent, match="WSServerHandshakeError"):
            await wire.open_frames("/nowhere")
    wire = HttpWire("http://127.0.0.1:1", f"ws://{LOOPBACK}:{closed_port()}")
    with pytest.raises(NothingSent):
        await wire.open_frames("/tryitout")
    await wire.close()


async def test_a_handshake_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_wire, "OPEN_TIMEOUT_S", 0.1)
    async with raw(_hold) as (_, wire):
        with pytest.raises(NothingSent, match="within"):
            await wire.open_frames("/tryitout")
