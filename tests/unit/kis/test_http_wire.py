"""The wire to KIS on real sockets: written once, permitted last, and honest about what may have arrived."""

import asyncio
import socket
import struct
import traceback
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jumun.brokers.kis.http_wire import HttpWire
from jumun.ports.wire import AnswerLost, HttpCall, NothingSent
from tests.unit.kis.sockets import LOOPBACK, Talk, a_request, answer, closed_port, raw, serving, until

SECRET = "app-secret-of-somebody"
TIMEOUT_S = 5.0


def yes() -> bool:
    return True


def no() -> bool:
    return False


class CountedPermit:
    """Says yes, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return True


def a_post(**changes: Any) -> HttpCall:
    known: dict[str, Any] = {
        "method": "POST",
        "path": "/order",
        "headers": {"appsecret": SECRET, "content-type": "application/json; charset=utf-8"},
        "body": b'{"CANO":"12345678"}',
        "tag": "C-1/1",
    }
    return HttpCall(**known | changes)


def a_get(**changes: Any) -> HttpCall:
    known: dict[str, Any] = {"method": "GET", "path": "/list", "headers": {"appsecret": SECRET}}
    return HttpCall(**known | changes)


BOTH = pytest.mark.parametrize("call", [a_post(), a_get()], ids=["post", "get"])


# ---- what is written and what comes back ------------------------------------------------------------


@pytest.mark.req("S004-10")
async def test_a_call_arrives_as_it_was_given_and_its_answer_comes_back_whole() -> None:
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def order(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen.append((request.method, str(request.rel_url), headers, await request.read()))
        return web.Response(status=500, text='{"rt_cd":"1"}', headers={"Tr_Cont": "M", "tr_id": "X"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", order)
    async with serving(app) as wire:
        reply = await wire.call(a_post(), yes, timeout_s=TIMEOUT_S)
        assert (reply.status, reply.body) == (500, b'{"rt_cd":"1"}')
        assert (reply.headers["tr_cont"], reply.headers["tr_id"]) == ("M", "X")
        assert all(name == name.lower() for name in reply.headers)
        await wire.call(
            a_get(query={"CTX_AREA_NK100": "1^2 & !^" + " " * 3, "PDNO": ""}), yes, timeout_s=TIMEOUT_S
        )
    posted, got = seen
    assert posted[0] == "POST"
    assert posted[3] == b'{"CANO":"12345678"}'
    assert posted[2]["appsecret"] == SECRET
    assert posted[2]["content-type"] == "application/json; charset=utf-8"
    assert "C-1/1" not in str(posted)
    assert got[1] == "/list?CTX_AREA_NK100=1%5E2+%26+!%5E+++&PDNO="
    assert got[3] == b""


async def test_the_continuation_keys_arrive_exactly_as_they_were_received() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response(dict(request.query))

    app = web.Application()
    app.router.add_get("/list", echo)
    query = {"CTX_AREA_FK100": "12345678^01!^N^^한+%5E".ljust(100), "CTX_AREA_NK100": " ".ljust(100)}
    async with serving(app) as wire:
        reply = await wire.call(a_get(query=query), yes, timeout_s=TIMEOUT_S)
    assert reply.body.decode() == web.json_response(query).text


@BOTH
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(call: HttpCall, status: int) -> None:
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", redirect)
    async with serving(app) as wire:
        reply = await wire.call(call, yes, timeout_s=TIMEOUT_S)
    assert (reply.status, asked) == (status, [call.path])


async def test_neither_cookies_nor_proxies_come_in_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    cookies: list[str | None] = []

    async def bake(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "session=1"})

    app = web.Application()
    app.router.add_get("/list", bake)
    async with TestServer(app, host=LOOPBACK) as server:
        # aiohttp's own jar never keeps the cookies of an address, only those of a name.
        wire = HttpWire(f"http://localhost:{server.port}", "ws://localhost:1")
        for _ in range(2):
            await wire.call(a_get(), yes, timeout_s=TIMEOUT_S)
        await wire.close()
    assert cookies == [None, None]


async def test_a_header_that_comes_twice_is_not_one_of_its_values() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await a_request(reader)
        await answer(writer, head=b"tr_cont: M\r\nTr_cont: D\r\n")

    async with raw(talk) as (_, wire):
        reply = await wire.call(a_get(), yes, timeout_s=TIMEOUT_S)
    assert reply.headers["tr_cont"] == "M, D"


async def test_connections_are_kept_for_the_next_call() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            await a_request(reader)
            await answer(writer)

    async with raw(talk) as (server, wire):
        for call in (a_post(), a_get(), a_post()):
            await wire.call(call, yes, timeout_s=TIMEOUT_S)
        assert (len(server.heard), server.requests) == (1, 3)


# ---- never twice --------------------------------------------------------------------------------------


@pytest.mark.req("F-15", "F-16", "I-07")
@BOTH
async def test_a_kept_connection_that_dies_under_a_request_is_not_tried_again(call: HttpCall) -> None:
    """aiohttp itself would write the GET a second time."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await a_request(reader)
        await answer(writer)
        await a_request(reader)
        writer.close()

    async with raw(talk) as (server, wire):
        await wire.call(call, yes, timeout_s=TIMEOUT_S)
        permit = CountedPermit()
        with pytest.raises(AnswerLost):
            await wire.call(call, permit, timeout_s=TIMEOUT_S)
        await asyncio.sleep(0.1)
        assert permit.asked == 1
        assert (len(server.heard), server.requests) == (1, 2)


@pytest.mark.req("F-16")
@BOTH
async def test_a_connection_that_kis_closed_while_idle_is_replaced(call: HttpCall) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await a_request(reader)
        await answer(writer)
        writer.close()

    async with raw(talk) as (server, wire):
        for _ in range(3):
            await wire.call(call, yes, timeout_s=TIMEOUT_S)
            await asyncio.sleep(0.05)
        assert (len(server.heard), server.requests) == (3, 3)


async def test_a_connection_that_was_idle_long_is_not_used_again() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await a_request(reader)
            await answer(writer)

    async with raw(talk, keep_alive_s=0.05) as (server, wire):
        await wire.call(a_post(), yes, timeout_s=TIMEOUT_S)
        await asyncio.sleep(0.2)
        await wire.call(a_post(), yes, timeout_s=TIMEOUT_S)
        assert len(server.heard) == 2


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    await asyncio.sleep(60)


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    writer.close()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()


async def _cut_short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"rt_cd":"0"')
    writer.close()


async def _cut_chunk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    writer.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n{"rt_cd":"0"\r\n')
    writer.close()


async def _half_a_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-")
    writer.close()


async def _no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    writer.write(b"login please\r\n\r\n")
    await writer.drain()


async def _long_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    await answer(writer, head=b"x: " + b"y" * 100_000 + b"\r\n")


async def _too_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    await answer(writer, b"x" * 10_001)


async def _too_much_without_an_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await a_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    with suppress(ConnectionError):
        while True:
            writer.write(b"x" * 1_000)
            await writer.drain()


@pytest.mark.req("F-02", "F-03", "F-06", "F-08", "I-07", "I-66")
@BOTH
@pytest.mark.parametrize(
    "talk",
    [
        _hold,
        _hang_up,
        _reset,
        _cut_short,
        _cut_chunk,
        _half_a_head,
        _no_http,
        _long_head,
        _too_much,
        _too_much_without_an_end,
    ],
)
async def test_after_the_first_byte_everything_but_a_whole_answer_is_unknown(
    talk: Talk, call: HttpCall
) -> None:
    async with raw(talk, body_max=10_000) as (server, wire):
        with pytest.raises(AnswerLost) as caught:
            await wire.call(call, yes, timeout_s=1.5)
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert SECRET not in shown
        assert "12345678" not in shown
        await until(lambda: server.requests)
        assert server.requests == 1


# ---- never at all ---------------------------------------------------------------------------------------


@pytest.mark.req("I-45")
@BOTH
async def test_a_permit_that_turns_false_after_connecting_sends_not_one_byte(call: HttpCall) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw(talk) as (server, wire):
        asked: list[int] = []

        def halted() -> bool:
            asked.append(len(server.heard))
            return False

        with pytest.raises(NothingSent, match="not permitted"):
            await wire.call(call, halted, timeout_s=TIMEOUT_S)
        await until(lambda: server.heard)
        await asyncio.sleep(0.1)
        assert len(asked) == 1
        assert server.heard == [bytearray()]


@pytest.mark.req("I-45")
@BOTH
async def test_on_a_kept_connection_the_permit_is_the_last_word_too(call: HttpCall) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await a_request(reader)
        await answer(writer)
        await reader.read()

    async with raw(talk) as (server, wire):
        await wire.call(call, yes, timeout_s=TIMEOUT_S)
        with pytest.raises(NothingSent):
            await wire.call(call, no, timeout_s=TIMEOUT_S)
        await asyncio.sleep(0.1)
        assert server.requests == 1
        assert await _succeeds(wire, call) is False, "this server answers once for each connection"
        assert len(server.heard) == 2, "the connection of the refused call was not kept"


async def _succeeds(wire: HttpWire, call: HttpCall) -> bool:
    try:
        await wire.call(call, yes, timeout_s=1.0)
    except AnswerLost:
        return True
    return False


@pytest.mark.req("I-45")
@BOTH
async def test_nothing_runs_between_the_permit_and_the_first_byte(call: HttpCall) -> None:
    """A halt that another task sets while the permit is asked comes too late, one before it in time."""
    order: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await a_request(reader)
        await answer(writer)

    async with raw(talk) as (_, wire):
        write = asyncio.selector_events._SelectorSocketTransport.write  # type: ignore[attr-defined]

        def noted(transport: object, data: bytes) -> None:
            if b"HTTP/1.1\r\n" in bytes(data):
                order.append("written")
            write(transport, data)

        def permit() -> bool:
            asyncio.get_running_loop().call_soon(order.append, "something else")
            order.append("permitted")
            return True

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio.selector_events._SelectorSocketTransport, "write", noted)  # type: ignore[attr-defined]
            await wire.call(call, permit, timeout_s=TIMEOUT_S)
    assert order[:2] == ["permitted", "written"]


@pytest.mark.req("F-01", "F-12", "I-66")
@BOTH
@pytest.mark.parametrize("base", ["http://127.0.0.1:{closed}", "http://no-such-host.invalid:9443"])
async def test_a_connection_that_cannot_be_made_has_sent_nothing(call: HttpCall, base: str) -> None:
    wire = HttpWire(base.format(closed=closed_port()), "ws://127.0.0.1:1")
    permit = CountedPermit()
    with pytest.raises(NothingSent) as caught:
        await wire.call(call, permit, timeout_s=TIMEOUT_S)
    await wire.close()
    assert permit.asked == 0
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.req("F-12")
@BOTH
@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_tls_handshake_that_fails_or_hangs_has_sent_nothing(call: HttpCall, greeting: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()

    async with raw(talk) as (server, plain):
        wire = HttpWire(f"https://{LOOPBACK}:{server.port}", "wss://127.0.0.1:1")
        with pytest.raises(NothingSent):
            await wire.call(call, yes, timeout_s=1.5)
        await wire.close()
        await plain.close()
        assert SECRET.encode() not in bytes(server.heard[0])


@pytest.mark.req("F-18")
async def test_calls_in_flight_are_bounded_and_one_that_waited_in_vain_has_sent_nothing() -> None:
    async with raw(_hold, calls_max=1) as (server, wire):
        first = asyncio.create_task(wire.call(a_post(), yes, timeout_s=1.5))
        await until(lambda: server.requests)
        with pytest.raises(NothingSent):
            await wire.call(a_post(), yes, timeout_s=1.0)
        with pytest.raises(AnswerLost):
            await first
        assert server.requests == 1


@BOTH
async def test_a_caller_that_leaves_before_the_first_byte_sends_none(call: HttpCall) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    for steps in range(12):
        async with raw(talk) as (server, wire):
            permit = CountedPermit()
            task = asyncio.create_task(wire.call(call, permit, timeout_s=TIMEOUT_S))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.02)
            assert server.requests == permit.asked


# ---- hanging up -------------------------------------------------------------------------------------------


@BOTH
async def test_hanging_up_loses_the_answers_of_calls_in_flight(call: HttpCall) -> None:
    async with raw(_hold) as (server, wire):
        task = asyncio.create_task(wire.call(call, yes, timeout_s=TIMEOUT_S))
        await until(lambda: server.requests)
        await wire.close()
        with pytest.raises(AnswerLost, match="closed"):
            await asyncio.wait_for(task, 1)
        await wire.close()
        with pytest.raises(NothingSent, match="closed"):
            await wire.call(call, yes, timeout_s=TIMEOUT_S)
        with pytest.raises(NothingSent, match="closed"):
            await wire.open_frames("/")


async def test_hanging_up_while_connecting_has_sent_nothing_and_cancels_nobody() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw(talk) as (server, plain):
        for base in (f"https://{LOOPBACK}:{server.port}", "http://no-such-host.invalid:9443"):
            wire = HttpWire(base, "ws://127.0.0.1:1")
            task = asyncio.create_task(wire.call(a_post(), yes, timeout_s=TIMEOUT_S))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await wire.close()
            with pytest.raises(NothingSent):
                await asyncio.wait_for(task, 1)
        await plain.close()
