"""The simulated KIS on real sockets: clients of others could not tell, and none can disturb it."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jumun.exchange.sample_world import sample_world
from jumun.model.errors import ConfigError
from jumun.simulators.kis import server as server_module
from jumun.simulators.kis.control import ControlDesk, is_loopback
from jumun.simulators.kis.customers import Customer, demo_customer
from jumun.simulators.kis.run import KisRun, announcement, built
from jumun.simulators.kis.server import KisServer, SimulatorClock
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.switches import KisSwitches
from jumun.simulators.kis.weather import Match, Rule
from tests.unit.kis_simulator.stage import ACCOUNT, ORDER_CASH, SAMSUNG, registration

LOCAL = "127.0.0.1"
PRICE_PATH = "/uapi/domestic-stock/v1/quotations/inquire-price"
CONTROL = {"X-Control": "1"}


class Site:
    """A running simulator and one client of it."""

    def __init__(self, server: KisServer, client: aiohttp.ClientSession, config: KisRun) -> None:
        self.server = server
        self.client = client
        self.config = config
        self.customer: Customer = demo_customer(accounts=(ACCOUNT,))
        self.rest = "http://{}:{}".format(*server.rest_address)
        self.ws = "ws://{}:{}".format(*server.ws_address)
        self.token = ""

    async def post(self, path: str, said: dict[str, str], headers: dict[str, str] | None = None) -> Any:
        async with self.client.post(self.rest + path, json=said, headers=headers or {}) as reply:
            return await reply.json(content_type=None)

    async def log_in(self) -> str:
        """Take a token; return an approval key."""
        auth = {"grant_type": "client_credentials", "appkey": self.customer.app_key}
        secret = self.customer.app_secret
        self.token = (await self.post("/oauth2/tokenP", auth | {"appsecret": secret}))["access_token"]
        key: str = (await self.post("/oauth2/Approval", auth | {"secretkey": secret}))["approval_key"]
        return key

    def headers(self, tr_id: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self.token}",
            "appkey": self.customer.app_key,
            "appsecret": self.customer.app_secret,
            "tr_id": tr_id,
        }

    async def buy(self, qty: int = 10, price: int = 58_000) -> Any:
        said = {
            "CANO": "12345678",
            "ACNT_PRDT_CD": "01",
            "PDNO": SAMSUNG,
            "ORD_DVSN": "00",
            "ORD_QTY": str(qty),
            "ORD_UNPR": str(price),
            "EXCG_ID_DVSN_CD": "KRX",
        }
        return await self.post(ORDER_CASH, said, self.headers("TTTC0012U"))

    async def control(self, method: str, path: str, said: object = None) -> Any:
        url = f"{self.rest}/control/{path}"
        async with self.client.request(method, url, json=said, headers=CONTROL) as reply:
            return await reply.json()


@asynccontextmanager
async def a_site(*rules: Rule, one_port: bool = False, **stream: Any) -> AsyncIterator[Site]:
    config = KisRun(
        world=sample_world(),
        customers=(demo_customer(accounts=(ACCOUNT,)),),
        rest=KisSwitches(rate_limit=0),
        stream=StreamSwitches(**stream),
        rules=rules,
    )
    clock = SimulatorClock(time.time_ns)
    kis = built(config, clock())
    server = KisServer(kis, clock, ControlDesk(kis, clock, clock.skip))
    await server.start(LOCAL, 0, None if one_port else 0)
    running = asyncio.create_task(server.run())
    try:
        async with aiohttp.ClientSession() as client:
            yield Site(server, client, config)
        assert not running.done(), running
    finally:
        running.cancel()
        await server.stop()


async def receive(session: aiohttp.ClientWebSocketResponse) -> str:
    async with asyncio.timeout(10):
        return await session.receive_str()


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another task brings about."""
    deadline = asyncio.get_running_loop().time() + 10
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it never came"
        await asyncio.sleep(0.01)


@pytest.mark.req("S002-48", "S002-50")
@pytest.mark.parametrize("one_port", [True, False])
async def test_a_client_logs_in_trades_and_hears_of_it(one_port: bool) -> None:
    async with a_site(one_port=one_port) as site:
        approval = await site.log_in()
        assert (site.rest[5:] == site.ws[3:]) is one_port
        for path in ("/", "/tryitout", "/tryitout/H0STCNI0"):
            async with site.client.ws_connect(site.ws + path) as session:
                await session.send_str(registration("H0STCNI0", "demo", approval))
                assert json.loads(await receive(session))["body"]["msg_cd"] == "OPSP0000"
                told = await site.buy()
                assert told["msg_cd"] == "APBK0013"
                assert (await receive(session)).startswith("1|H0STCNI0|001|")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await site.client.ws_connect(site.ws + "/elsewhere")


async def test_header_names_are_written_as_the_clients_of_others_need_them() -> None:
    async with a_site() as site:
        await site.log_in()
        host, port = site.server.rest_address
        reader, writer = await asyncio.open_connection(host, port)
        lines = [
            f"GET {PRICE_PATH}?fid_cond_mrkt_div_code=J&fid_input_iscd={SAMSUNG} HTTP/1.1",
            f"Host: {host}",
            *(f"{name}: {text}" for name, text in site.headers("FHKST01010100").items()),
            "Connection: close",
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = (await reader.read()).decode()
        head = answer.partition("\r\n\r\n")[0].split("\r\n")
        assert head[0].startswith("HTTP/1.1 200"), answer
        names = [line.partition(":")[0] for line in head[1:]]
        assert {"tr_id", "tr_cont", "gt_uid", "Content-Type"} <= set(names)
        assert not [name for name in names if "-" in name and name.islower()], names
        writer.close()


@pytest.mark.req("F-02", "F-03", "F-06")
@pytest.mark.parametrize(
    "fault", ["reset_before", "reset_after", "reset_midway", "reply_lost", "error_after"]
)
async def test_the_weather_breaks_real_connections_and_the_ledger_knows(fault: str) -> None:
    async with a_site(Rule(fault=fault, match=Match(path="order-cash", nth=1))) as site:
        await site.log_in()
        with pytest.raises((aiohttp.ClientError, json.JSONDecodeError, TimeoutError)):
            async with asyncio.timeout(0.3 if fault == "reply_lost" else 10):
                await site.buy()
        oracle = await site.control("GET", "oracle")
        assert len(oracle["orders"]) == (fault != "reset_before")
        assert (await site.buy())["rt_cd"] == "0", "the next call is as always"


async def test_slow_answers_hold_up_nobody_else() -> None:
    async with a_site(Rule(fault="slow", seconds=30, match=Match(path="order-cash", nth=1))) as site:
        await site.log_in()
        slow = asyncio.create_task(site.buy())
        await until(lambda: site.server.kis.house.market.orders)
        assert (await site.buy())["rt_cd"] == "0"
        assert not slow.done()
        slow.cancel()


@pytest.mark.req("F-19")
async def test_sessions_are_cut_and_refused_during_the_outage() -> None:
    async with a_site() as site:
        approval = await site.log_in()
        session = await site.client.ws_connect(site.ws)
        await session.send_str(registration("H0STCNI0", "demo", approval))
        await receive(session)
        await site.control("POST", "market", {"act": "cut_sessions", "seconds": 60})
        assert (await session.receive(timeout=10)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await site.client.ws_connect(site.ws)
        await site.control("POST", "market", {"act": "skip_time", "seconds": 61})
        async with site.client.ws_connect(site.ws) as again:
            await again.send_str(registration("H0STCNI0", "demo", approval))
            assert json.loads(await receive(again))["body"]["msg_cd"] == "OPSP0000"


@pytest.mark.req("F-33")
async def test_pongs_of_the_official_client_count_and_pings_of_ours_are_answered() -> None:
    async with a_site(pingpong_s=30, pingpong_misses=1) as site:
        session = await site.client.ws_connect(site.ws, autoping=False)
        for _ in range(2):
            site.server.clock.skip(30 * 10**9)
            ping = await receive(session)
            assert json.loads(ping)["header"]["tr_id"] == "PINGPONG", "the pong was a sign of life"
            await session.pong(ping.encode())
            await session.ping(b"are you there")
            pong = await session.receive(timeout=10)
            assert (pong.type, pong.data) == (aiohttp.WSMsgType.PONG, b"are you there")
        site.server.clock.skip(30 * 10**9)
        await receive(session)
        site.server.clock.skip(30 * 10**9)
        ended = await session.receive(timeout=10)
        assert ended.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


@pytest.mark.req("F-32")
async def test_a_client_that_does_not_read_is_cut_off_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "UNSENT_MAX", 50)
    async with a_site() as site:
        approval = await site.log_in()
        session = await site.client.ws_connect(site.ws)
        await session.send_str(registration("H0STCNT0", SAMSUNG, approval))
        await receive(session)
        streams = site.server.kis.streams
        step = {"act": "step", "symbol": SAMSUNG, "price": 58_000, "volume": 1}
        desk = ControlDesk(site.server.kis, site.server.clock)
        for _ in range(60):
            desk.act(step)  # no await: nothing is sent meanwhile
        await until(lambda: not streams.states(0))
        assert (await site.buy())["rt_cd"] == "0"


async def test_a_killed_client_releases_its_app_key() -> None:
    async with a_site() as site:
        approval = await site.log_in()
        code = (
            "import asyncio, aiohttp, sys\n"
            "async def main():\n"
            "    async with aiohttp.ClientSession() as client:\n"
            "        async with client.ws_connect(sys.argv[1]) as session:\n"
            "            await session.send_str(sys.argv[2])\n"
            "            print(await session.receive_str(), flush=True)\n"
            "            await asyncio.sleep(600)\n"
            "asyncio.run(main())\n"
        )
        frame = registration("H0STCNI0", "demo", approval)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, site.ws, frame, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        assert b"OPSP0000" in await child.stdout.readline()
        async with site.client.ws_connect(site.ws) as session:
            await session.send_str(frame)
            assert json.loads(await receive(session))["body"]["msg_cd"] == "OPSP8996"
            child.send_signal(signal.SIGKILL)
            await child.wait()
            await until(lambda: len(site.server.kis.streams.states(0)) == 1)
            await session.send_str(frame)
            assert json.loads(await receive(session))["body"]["msg_cd"] == "OPSP0000"


# ---- control -----------------------------------------------------------------------------------------------


async def test_control_injects_faults_shows_the_ledger_and_moves_the_market() -> None:
    async with a_site() as site:
        await site.log_in()
        rule = {"fault": "gateway_timeout", "match": {"path": "order-cash", "nth": 1}}
        assert await site.control("POST", "faults", {"rules": [rule]}) == {"added": 1, "in_force": 1}
        assert (await site.buy())["msg_cd"] == "EGW00301"
        assert (await site.control("GET", "faults"))["struck"] == {"gateway_timeout": 1}
        assert (await site.control("DELETE", "faults"))["rules"] == []
        step = {"act": "step", "symbol": SAMSUNG, "price": "58000", "volume": "100"}
        await site.control("POST", "market", step)
        oracle = await site.control("GET", "oracle")
        assert (len(oracle["arrivals"]), oracle["executions"][0]["qty"]) == (1, "10")
        assert oracle["balances"][0]["account_id"] == ACCOUNT
        state = await site.control("GET", "state")
        assert (state["orders"], state["struck"]) == (1, {"gateway_timeout": 1})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "problem"),
    [
        ("POST", "faults", b'{"rules": [{"fault": "x"}]}', 400, "known are"),
        ("POST", "faults", b'{"rule": []}', 400, "unknown field"),
        ("POST", "market", b'{"act": "x"}', 400, "known are"),
        ("POST", "market", b"[", 400, "Expected `object`"),
        ("GET", "nothing", b"", 404, "no control call"),
    ],
)
async def test_a_control_call_that_cannot_be_is_one_sentence(
    method: str, path: str, body: bytes, status: int, problem: str
) -> None:
    async with a_site() as site:
        desk = ControlDesk(site.server.kis, site.server.clock)
        told, said = desk.tell(method, f"/control/{path}", body)
        assert told == status
        assert isinstance(said, dict)
        assert problem in said["error"]


async def test_control_is_for_this_machine_and_never_for_a_page_in_a_browser() -> None:
    async with a_site() as site, site.client.get(f"{site.rest}/control/oracle") as reply:
        assert (reply.status, list(await reply.json())) == (403, ["error"])
    assert [is_loopback(peer) for peer in ("127.0.0.1", "::1", "10.0.0.1", "fe80::1%eth0", None)] == [
        True,
        True,
        False,
        False,
        False,
    ]


# ---- the program -------------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_refused_with_what_to_do() -> None:
    async with a_site() as site:
        clock = SimulatorClock(time.time_ns)
        other = KisServer(site.server.kis, clock, ControlDesk(site.server.kis, clock))
        with pytest.raises(ConfigError, match=r"cannot listen on 127.0.0.1:\d+ .*; use another port, or 0"):
            await other.start(LOCAL, site.server.rest_address[1], None)
        await other.stop()


async def test_an_error_of_its_own_ends_the_simulator_rather_than_going_on_wrong() -> None:
    config = KisRun(world=sample_world())
    clock = SimulatorClock(time.time_ns)
    kis = built(config, clock())
    server = KisServer(kis, clock, ControlDesk(kis, clock))
    await server.start(LOCAL, 0, None)
    kis.arrive = None  # type: ignore[method-assign,assignment]
    host, port = server.rest_address
    try:
        async with aiohttp.ClientSession() as client, client.get(f"http://{host}:{port}/") as reply:
            assert reply.status == 500
        with pytest.raises(TypeError):
            await server.run()
    finally:
        await server.stop()


async def test_the_announcement_names_addresses_demo_keys_and_one_line_to_try() -> None:
    async with a_site() as site:
        text = "\n".join(announcement(site.config, site.server))
        for part in (site.rest, site.ws, site.customer.app_key, "HTS id demo", ACCOUNT, "curl -s "):
            assert part in text
        assert f"OMS_ENVIRONMENT=sim KIS_BASE_URL={site.rest} KIS_WS_URL={site.ws}" in text
        assert "koreainvestment" not in text
        assert "KIS_SIM_AS" not in text
        assert len(site.customer.app_key) == 36
        assert len(site.customer.app_secret) == 180


async def test_the_command_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    words = ["simulate", "kis", "--port", "0", "--ws-port", "0", "--pace", "50", "--preset", "python-kis"]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jumun",
        *words,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    async with asyncio.timeout(60):
        ready = (await child.stdout.readline()).decode()
    assert ready.startswith("KIS simulator ready on http://127.0.0.1:"), ready
    rest = ready.split()[4]
    state = f"{rest}/control/state"
    async with aiohttp.ClientSession() as client, client.get(state, headers=CONTROL) as reply:
        assert (await reply.json())["accounts"] == [ACCOUNT]
    child.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        assert await child.wait() == 0
