"""The service as a process: when it is ready, how it stops, and what it refuses to start on."""

import asyncio
import json
import os
import signal
import stat
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.doors.grpc.gen import order_pb2_grpc
from jumun.exchange.protocol import Step
from tests.acceptance.conftest import http_get, wait_ready, wait_status
from tests.acceptance.processes import READY_S, Program, Rig, ask

CALLS = 1_500  # at once; the cash of the account is enough for all of them


@pytest.mark.req("S004-28", "C-36")
def test_a_service_without_its_broker_is_up_but_not_ready_until_the_broker_answers(rig: Rig) -> None:
    rig.start_service()
    assert http_get(rig.http_port, "/healthz") == (200, '{"status":"up"}')
    status, body = http_get(rig.http_port, "/readyz")
    assert status == 503
    assert "has not finished its start" in json.loads(body)["reason"]
    refused = rig.jumun(
        "submit", "--symbol", "005930", "--side", "BUY", "--quantity", "1", "--price", "58000"
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("NOT_READY: the service has not finished its start")
    rig.start_exchange()
    wait_ready(rig)
    assert http_get(rig.http_port, "/readyz") == (200, '{"status":"ready"}')


@pytest.mark.req("S004-29", "S004-66", "F-79", "I-22")
def test_a_stopped_service_exits_0_and_its_orders_and_openings_are_there_after_the_next_start(
    rig: Rig,
) -> None:
    rig.start_exchange()
    rig.start_service()
    wait_ready(rig)
    order = [
        "submit",
        "--symbol",
        "005930",
        "--side",
        "BUY",
        "--quantity",
        "3",
        "--price",
        "50000",
        "--id",
        "stays",
    ]
    first = rig.jumun_json(*order)
    wait_status(rig, "stays", "ACCEPTED")
    cash = rig.jumun_json("book")["cash"]  # type: ignore[index]
    assert rig.service is not None
    assert rig.service.terminate() == 0, rig.service.text()
    rig.start_service()
    wait_ready(rig)
    again = rig.jumun_json(*order)
    assert again["order_id"] == first["order_id"]  # type: ignore[index]
    assert again["existing"] is True  # type: ignore[index]
    assert rig.jumun_json("book")["cash"] == cash, "opening cash is booked once"  # type: ignore[index]
    assert len(rig.oracle().arrivals) == 1


@pytest.mark.req("EMS-04", "S002-59", "S002-60", "F-79", "F-02", "F-68", "I-07", "I-15")
def test_a_second_signal_ends_a_stop_that_waits_and_the_next_start_settles_the_order_once(rig: Rig) -> None:
    rig.settings["OMS_UNKNOWN_ORDER_POLICY"] = "resend_once"
    rig.start_exchange()
    rig.start_service()
    wait_ready(rig)
    ask(rig.exchange_port, Step(symbol="005930", price=Decimal(58_000), volume=Decimal(10)))
    assert rig.exchange is not None
    assert rig.exchange.process is not None
    rig.exchange.process.send_signal(signal.SIGSTOP)  # an exchange that answers nothing
    try:
        rig.jumun_json(
            "submit",
            "--symbol",
            "005930",
            "--side",
            "BUY",
            "--quantity",
            "2",
            "--price",
            "50000",
            "--id",
            "x",
        )
        assert rig.service is not None
        assert rig.service.process is not None
        rig.service.process.send_signal(signal.SIGTERM)
        _wait_for_text(rig.service, "stop_asked")
        rig.service.process.send_signal(signal.SIGTERM)
        assert rig.service.process.wait(READY_S) == 1
    finally:
        rig.exchange.process.send_signal(signal.SIGCONT)
    rig.start_service()
    wait_ready(rig)
    told = wait_status(rig, "x", "ACCEPTED")
    tags = [arrival.order.tag.split("/")[0] for arrival in rig.oracle().arrivals]
    assert tags.count(told["order"]["order_id"]) == 1


@pytest.mark.req("I-27", "F-72")
def test_a_second_writer_on_the_same_store_is_refused_with_the_name_of_the_first(service: Rig) -> None:
    second = service.jumun("serve")
    assert second.returncode == 1
    assert second.stderr.startswith("STORE_LOCKED: ")
    assert "`jumun serve` (process" in second.stderr
    assert service.service is not None
    assert service.service.process is not None
    assert str(service.service.process.pid) in second.stderr
    assert http_get(service.http_port, "/readyz")[0] == 200, "the first goes on"


@pytest.mark.req("I-55", "F-101")
@pytest.mark.parametrize("environment", ["sim", "paper", "live"])
def test_a_store_of_another_broker_or_environment_is_refused_before_anything_is_begun(
    service: Rig, environment: str
) -> None:
    own = dict(service.settings)
    assert service.service is not None
    assert service.service.terminate() == 0
    toml = '[[accounts]]\naccount_id = "12345678-01"\nmay_buy = true\nmay_sell = true\n'
    (service.folder / "kis.toml").write_text(toml)
    service.settings |= {
        "OMS_BROKER": "kis",
        "OMS_ENVIRONMENT": environment,
        "OMS_CONFIG": "kis.toml",
        "OMS_SIM_SESSIONS": "calendar",
        "KIS_BASE_URL": "http://127.0.0.1:9",  # wrong in paper and live: no such start can reach KIS
        "KIS_ACCOUNT_NO": "12345678-01",
        **dict.fromkeys(("KIS_APP_KEY", "KIS_APP_SECRET", "KIS_HTS_ID"), "demo"),
    }
    before = _sizes(service.folder)
    refused = service.jumun("serve")
    assert refused.returncode == 1, refused.stdout
    assert refused.stderr == (
        f"BAD_SETTING: the store {service.store} belongs to OMS_ENVIRONMENT=sim with OMS_BROKER=paper, and "
        f"this start has OMS_ENVIRONMENT={environment} with OMS_BROKER=kis; use another store "
        "(OMS_STORE_PATH; in a replay --store)\n"
    )
    assert _sizes(service.folder) == before, "no start was counted, no exchange or token made"
    told = service.jumun_json("db", "info")
    assert (told["environment"], told["broker"]) == ("sim", "paper")  # type: ignore[index]
    assert service.jumun("db", "verify").returncode == 0, "who only reads may read any store"
    service.settings = own
    service.start_service()
    wait_ready(service)


def _sizes(folder: Path) -> dict[str, int]:
    """Every file but the two that SQLite makes for whoever reads."""
    mine = [path for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm"))]
    return {path.name: path.stat().st_size for path in mine}


@pytest.mark.req("S002-72")
def test_a_store_whose_folder_cannot_be_made_is_refused_with_one_sentence(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    rig.settings |= {"OMS_STORE_PATH": str(tmp_path / "file" / "jumun.db"), "OMS_EXCHANGE": ""}
    refused = rig.jumun("serve")
    assert refused.returncode == 1
    assert refused.stderr.startswith("STORE_UNAVAILABLE: ")
    assert "OMS_STORE_PATH" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_the_stores_folder_is_made_for_its_owner_only(service: Rig, tmp_path: Path) -> None:
    service.settings["OMS_STORE_PATH"] = str(tmp_path / "deep" / "er" / "jumun.db")
    made = service.jumun("db", "upgrade")
    assert made.returncode == 0, made.stderr
    assert stat.S_IMODE(os.stat(tmp_path / "deep" / "er").st_mode) == 0o700


def test_a_port_that_is_taken_is_refused_with_the_setting_to_change(service: Rig, tmp_path: Path) -> None:
    service.settings["OMS_STORE_PATH"] = str(tmp_path / "other.db")
    refused = service.jumun("serve")
    assert refused.returncode == 1
    assert "OMS_GRPC_PORT" in refused.stderr


@pytest.mark.req("F-103")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"OMS_GRPC_PROT": "1"}, "did you mean OMS_GRPC_PORT?"),
        ({"MAX_QUEUE_SIZE": "many"}, "a working value is 1000"),
        ({"OMS_STORE": "postgres"}, "use sqlite"),
        ({"OMS_ENVIRONMENT": "live"}, "use sim"),
        ({"OMS_CONFIG": "nowhere.toml"}, "no file"),
    ],
)
def test_a_missing_or_impossible_setting_refuses_the_start_with_its_key(
    rig: Rig, settings: dict[str, str], words: str
) -> None:
    rig.settings |= settings
    refused = rig.jumun("serve")
    assert refused.returncode == 1
    assert refused.stderr.startswith("BAD_SETTING: ")
    assert words in refused.stderr
    assert next(iter(settings)) in refused.stderr


@pytest.mark.req("S004-29", "S004-66", "F-79", "I-21")
async def test_every_call_inside_a_stop_gets_its_order_or_is_told_to_come_again(rig: Rig) -> None:
    rig.settings |= {"OMS_EXCHANGE": "", "MAX_QUEUE_SIZE": "100000"}
    rig.start_service()
    await asyncio.to_thread(wait_ready, rig)
    assert rig.service is not None
    service = rig.service
    made: list[str] = []
    told: list[tuple[grpc.StatusCode, str]] = []
    answered = asyncio.Event()

    async def one(stub: Any) -> None:
        request = pb.OrderRequest(
            id=str(uuid4()),
            symbol="005930",
            side_choice=pb.SIDE_BUY,
            price=45_000,
            quantity=1,
            strategy_id="stop",
            timestamp=int(time.time()),
        )
        try:
            made.append((await stub.CreateOrder(request, timeout=READY_S)).oms_order_id)
        except grpc.aio.AioRpcError as error:
            told.append((error.code(), error.details() or ""))
        answered.set()

    async with grpc.aio.insecure_channel(f"127.0.0.1:{rig.grpc_port}") as channel:
        stub = order_pb2_grpc.OrderServiceStub(channel)  # type: ignore[no-untyped-call]
        calls = [asyncio.create_task(one(stub)) for _ in range(CALLS)]
        await answered.wait()  # the rest is on its way: on the wire, in the server, or in the desk
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*calls)
    assert len(made) + len(told) == CALLS
    assert made
    assert told, "the stop must come while calls are inside"
    assert await asyncio.to_thread(service.process.wait, READY_S) == 0, service.text()
    assert {code for code, _ in told} == {grpc.StatusCode.UNAVAILABLE}, told
    assert all(text.startswith("NOT_READY: the service is stopping") for _, text in told), told
    kept = {order["order_id"] for order in rig.jumun_json("orders", "--all", "--limit", "10000")["orders"]}  # type: ignore[index]
    assert set(made) == kept, "what was answered is there, and nothing that was not"


@pytest.mark.req("C-36", "F-24", "I-39")
def test_a_service_whose_exchange_goes_away_says_so_and_is_ready_again_when_it_is_back(rig: Rig) -> None:
    rig.start_exchange()
    rig.start_service()
    wait_ready(rig)
    assert rig.jumun_json("status")["broker"] == "answers"  # type: ignore[index]
    assert rig.exchange is not None
    rig.exchange.kill()
    lost = rig.jumun("reconcile")
    assert lost.returncode == 1
    where = f"127.0.0.1:{rig.exchange_port}"
    assert lost.stderr.startswith(f"BROKER_UNAVAILABLE: the exchange at {where} does not answer"), lost.stderr
    assert "OMS_EXCHANGE" in lost.stderr
    _wait_for_text(rig.service, "study_failed")  # type: ignore[arg-type]
    _, body = _wait_for_readyz(rig, 503)
    assert json.loads(body)["reason"].startswith(
        f"BROKER_UNAVAILABLE: the broker at {where} has not answered"
    )
    told = rig.jumun("status", "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["broker"].startswith("unavailable since 20")
    assert "unavailable since" in rig.jumun("status").stdout
    rig.start_exchange()
    assert _wait_for_readyz(rig, 200)[0] == 200


@pytest.mark.req("I-15", "F-03", "I-49")
def test_only_a_named_person_settles_an_order_of_unknown_outcome_and_only_that(rig: Rig) -> None:
    rig.settings["OMS_UNKNOWN_ORDER_POLICY"] = "hold"
    rig.start_exchange()
    rig.start_service()
    wait_ready(rig)
    assert rig.exchange is not None
    assert rig.exchange.process is not None
    rig.exchange.process.send_signal(signal.SIGSTOP)  # it takes the bytes and answers nothing
    buy = ("submit", "--symbol", "005930", "--side", "BUY", "--quantity", "2", "--price", "50000")
    rig.jumun_json(*buy, "--id", "lost")
    _wait_for_event(rig, "lost", "send_intended")
    rig.exchange.kill()
    wait_status(rig, "lost", "ERROR")
    assert rig.jumun("settle", "lost", "--because", "not in their list").returncode == 2, "it needs a name"
    stranger = rig.jumun("settle", "no-such-order", "--because", "x", "--by", "demo")
    assert stranger.stderr.startswith("UNKNOWN_ORDER: ")
    settle = ("settle", "lost", "--because", "not in their list", "--by", "demo")
    done = rig.jumun(*settle)
    assert done.returncode == 0, done.stderr
    assert "CANCELLED" in done.stdout
    told = wait_status(rig, "lost", "CANCELLED")
    assert told["order"]["reason"] == "OPERATOR"
    assert "decided by demo: not in their list" in told["story"][-1]["evidence"]
    again = rig.jumun(*settle)
    assert again.returncode == 1
    assert again.stderr.startswith("ALREADY_FINAL: ")


@pytest.mark.req("I-50", "I-45")
def test_a_halt_survives_a_restart_and_shows_in_readyz_until_a_named_person_resumes(service: Rig) -> None:
    halted = service.jumun_json("halt", "looking at something odd")
    assert halted["halted"] == "OPERATOR: looking at something odd"  # type: ignore[index]
    assert service.service is not None
    assert service.service.terminate() == 0
    service.start_service()
    _wait_for_text(service.service, "service_ready", count=2)
    status, body = http_get(service.http_port, "/readyz")
    assert (status, "looking at something odd" in body) == (503, True)
    refused = service.jumun(
        "submit", "--symbol", "005930", "--side", "BUY", "--quantity", "1", "--price", "58000"
    )
    assert refused.stderr.startswith("HALTED: ")
    assert service.jumun("resume", "explained").returncode == 2, "a resume needs a name"
    assert service.jumun_json("resume", "explained", "--by", "demo")["accepting"] is True  # type: ignore[index]


def _wait_for_readyz(rig: Rig, wanted: int) -> tuple[int, str]:
    deadline = time.monotonic() + 2 * READY_S  # quiet books are looked at twice a minute
    while (answer := http_get(rig.http_port, "/readyz"))[0] != wanted:
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    return answer


def _wait_for_event(rig: Rig, order: str, event: str) -> None:
    deadline = time.monotonic() + READY_S
    while event not in [chapter["what"] for chapter in rig.jumun_json("trace", order)["story"]]:  # type: ignore[index]
        assert time.monotonic() < deadline, f"{order} never had {event}"
        time.sleep(0.1)


def _wait_for_text(program: Program, text: str, count: int = 1) -> None:
    deadline = time.monotonic() + READY_S
    while program.text().count(text) < count:
        assert time.monotonic() < deadline, f"never said {text!r}:\n{program.text()}"
        time.sleep(0.02)
