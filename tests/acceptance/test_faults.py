"""Faults of disk and process on the real service: a full disk, a frozen process, a crash loop."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jumun.exchange.protocol import OracleTold
from jumun.services.steady_clock import PAUSE_MAX_NS
from jumun.store.starts import STARTS_MAX
from tests.acceptance.conftest import http_get, wait_ready, wait_status
from tests.acceptance.processes import READY_S, Program, Rig

SUBMIT = ("submit", "--symbol", "005930", "--side", "BUY", "--quantity", "1")
REST = (*SUBMIT, "--price", "50000", "--tif", "DAY")


def until(condition: Callable[[], Any], what: str, rig: Rig) -> Any:
    deadline = time.monotonic() + READY_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never {what}:\n{rig.service.text() if rig.service else ''}"
        time.sleep(0.05)
    return found


def pid_of(program: Program | None) -> int:
    assert program is not None
    assert program.process is not None
    return program.process.pid


def alive(rig: Rig) -> None:
    """Wait until the service has finished its start, halted or not."""
    assert rig.service is not None
    service = rig.service
    until(lambda: "service_ready" in service.text().rsplit("journal_loaded", 1)[-1], "started", rig)


def arrivals(rig: Rig) -> int:
    told: OracleTold = rig.oracle()
    return len(told.arrivals)


def started(rig: Rig) -> Rig:
    rig.start_exchange()
    rig.start_service()
    wait_ready(rig)
    return rig


def use_the_disk_up(rig: Rig) -> None:
    """No file of the service may grow any more; what is there can be read and written in place."""
    size = max(path.stat().st_size for path in rig.folder.glob("jumun.db*") if "reserve" not in path.name)
    resource.prlimit(pid_of(rig.service), resource.RLIMIT_FSIZE, (size, size))


def fill_it(rig: Rig, prefix: str = "full") -> str:
    """Send orders until one finds the disk full; return what the caller was told."""
    for number in range(200):
        done = rig.jumun(*REST, "--id", f"{prefix}-{number}")
        if done.returncode:
            return done.stderr
    raise AssertionError("the disk never became full")


@pytest.mark.req("F-81", "I-21", "I-47", "I-22", "I-50", "S002-72", "F-79")
def test_f81_a_full_disk_stops_new_orders_cancels_go_on_and_the_next_start_has_them(rig: Rig) -> None:
    started(rig)
    for name in ("one", "two"):
        rig.jumun_json(*REST, "--id", name)
        wait_status(rig, name, "ACCEPTED")
    use_the_disk_up(rig)
    told = fill_it(rig)
    assert told.startswith("STORE_UNAVAILABLE: "), told
    status, body = http_get(rig.http_port, "/readyz")
    assert status == 503
    assert "STORE_UNAVAILABLE" in body
    before = arrivals(rig)
    assert rig.jumun("cancel", "one").returncode == 0
    until(
        lambda: [order.is_open for order in rig.oracle().orders].count(False) == 1,
        "cancelled at the market",
        rig,
    )
    refused = rig.jumun(*REST, "--id", "late")
    assert refused.returncode == 1
    assert refused.stderr.startswith("STORE_UNAVAILABLE: ")
    assert arrivals(rig) == before
    # Killed in the emergency: what was done there is in the books of the next start, and the halt stays.
    assert rig.service is not None
    rig.service.kill()
    rig.start_service()
    alive(rig)
    assert http_get(rig.http_port, "/readyz")[0] == 503
    wait_status(rig, "one", "CANCELLED")
    assert rig.jumun("cancel", "two").returncode == 0
    wait_status(rig, "two", "CANCELLED")
    assert rig.jumun("resume", "there is room again", "--by", "demo").returncode == 0
    rig.jumun_json(*REST, "--id", "after")
    wait_status(rig, "after", "ACCEPTED")
    assert rig.service.terminate() == 0
    verified = rig.jumun("db", "verify")
    assert verified.returncode == 0, verified.stderr


@pytest.mark.req("F-79", "F-81", "I-65")
def test_f79_a_stop_after_the_store_failed_ends_with_a_failure_that_a_supervisor_sees(rig: Rig) -> None:
    rig.settings["OMS_EXCHANGE"] = ""
    rig.start_service()
    wait_ready(rig)
    reserve = rig.folder / "jumun.db.reserve"
    assert reserve.stat().st_blocks * 512 >= reserve.stat().st_size, "real bytes"
    use_the_disk_up(rig)
    fill_it(rig)
    assert rig.service is not None
    assert rig.service.terminate() == 1
    assert "Traceback" not in rig.service.text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB of its own; a machine that lets nobody mount skips the test."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("this machine has no mount")
    if done.returncode:
        pytest.skip(f"this machine lets us mount nothing: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=False)


@pytest.mark.req("F-81", "I-47", "I-22")
def test_f81_a_disk_that_somebody_else_fills_is_no_different(rig: Rig, small_disk: Path) -> None:
    rig.settings["OMS_STORE_PATH"] = str(small_disk / "jumun.db")
    started(rig)
    rig.jumun_json(*REST, "--id", "one")
    wait_status(rig, "one", "ACCEPTED")
    with (small_disk / "somebody-elses.bin").open("wb", buffering=0) as other:
        try:
            while other.write(b"x" * 65_536):
                pass
        except OSError:
            pass
    told = fill_it(rig)
    assert told.startswith("STORE_UNAVAILABLE: "), told
    assert "the disk is full" in told
    assert rig.jumun("cancel", "one").returncode == 0
    until(lambda: not rig.oracle().orders[0].is_open, "cancelled at the market", rig)
    assert rig.service is not None
    rig.service.kill()
    (small_disk / "somebody-elses.bin").unlink()
    rig.start_service()
    alive(rig)
    wait_status(rig, "one", "CANCELLED")
    assert rig.service.terminate() == 0


@pytest.mark.req("F-67", "F-68", "I-07", "I-23", "I-15")
@pytest.mark.parametrize("reaches_the_market", [True, False])
def test_f68_a_killed_send_is_settled_by_asking_and_arrives_once(rig: Rig, reaches_the_market: bool) -> None:
    started(rig)
    assert rig.exchange is not None
    os.kill(pid_of(rig.exchange), signal.SIGSTOP)  # it takes the bytes and answers nothing
    rig.jumun_json(*REST, "--id", "lost")
    until(
        lambda: "send_intended" in [step["what"] for step in rig.jumun_json("trace", "lost")["story"]],  # type: ignore[index]
        "intended",
        rig,
    )
    assert rig.service is not None
    if reaches_the_market:
        rig.service.kill()
        os.kill(pid_of(rig.exchange), signal.SIGCONT)
        until(lambda: arrivals(rig) == 1, "arrived", rig)
    else:
        rig.exchange.kill()
        rig.service.kill()
        rig.start_exchange()
    rig.start_service()
    wait_ready(rig)
    wait_status(rig, "lost", "ACCEPTED")
    assert arrivals(rig) == 1
    assert rig.service.terminate() == 0


@pytest.mark.req("F-72", "I-27")
def test_f72_a_second_instance_refuses_even_while_the_first_one_is_frozen(rig: Rig) -> None:
    rig.settings["OMS_EXCHANGE"] = ""
    rig.start_service()
    wait_ready(rig)
    os.kill(pid_of(rig.service), signal.SIGSTOP)
    try:
        second = rig.jumun("serve")
    finally:
        os.kill(pid_of(rig.service), signal.SIGCONT)
    assert second.returncode == 1
    assert second.stderr.startswith("STORE_LOCKED: ")
    rig.jumun_json(*REST, "--id", "first")
    wait_status(rig, "first", "ACCEPTED")


@pytest.mark.req("F-74", "I-27", "I-62")
def test_f74_a_service_that_was_frozen_asks_the_broker_before_it_takes_new_orders(rig: Rig) -> None:
    started(rig)
    rig.jumun_json(*REST, "--id", "before")
    wait_status(rig, "before", "ACCEPTED")
    assert rig.exchange is not None
    os.kill(pid_of(rig.service), signal.SIGSTOP)
    time.sleep(PAUSE_MAX_NS / 1e9 + 1)  # the fault itself: nothing is waited for
    os.kill(pid_of(rig.exchange), signal.SIGSTOP)
    os.kill(pid_of(rig.service), signal.SIGCONT)
    try:
        refused = rig.jumun(*REST, "--id", "asleep")
        assert refused.returncode == 1
        assert refused.stderr.startswith("NOT_READY: "), refused.stderr
        assert http_get(rig.http_port, "/readyz")[0] == 503
    finally:
        os.kill(pid_of(rig.exchange), signal.SIGCONT)
    wait_ready(rig)
    rig.jumun_json(*REST, "--id", "asleep")
    wait_status(rig, "asleep", "ACCEPTED")
    assert arrivals(rig) == 2
    assert rig.service is not None
    assert "process_paused" in rig.service.text()


@pytest.mark.req("F-78", "I-47", "I-65")
def test_f78_without_descriptors_nothing_breaks_and_when_they_are_back_a_cancel_goes_through(
    rig: Rig,
) -> None:
    started(rig)
    rig.jumun_json(*REST, "--id", "one")
    wait_status(rig, "one", "ACCEPTED")
    pid = pid_of(rig.service)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, hard))
    assert http_get(rig.http_port, "/readyz")[0] == 0, "no new connection is possible"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: http_get(rig.http_port, "/readyz")[0] == 200, "ready", rig)
    assert rig.jumun("cancel", "one").returncode == 0
    wait_status(rig, "one", "CANCELLED")
    assert rig.service is not None
    assert rig.service.terminate() == 0


@pytest.mark.req("F-80", "F-71", "I-50", "I-13")
def test_f80_a_service_that_keeps_dying_stays_halted_until_a_named_person_resumes(rig: Rig) -> None:
    rig.settings["OMS_EXCHANGE"] = ""
    for _ in range(STARTS_MAX - 1):
        rig.start_service()
        assert rig.service is not None
        rig.service.kill()
    rig.start_service()
    alive(rig)
    status, body = http_get(rig.http_port, "/readyz")
    assert status == 503
    assert "CRASH_LOOP" in body
    refused = rig.jumun(*REST, "--id", "too-soon")
    assert refused.stderr.startswith("HALTED: ")
    assert rig.jumun("resume", "the log is read", "--by", "demo").returncode == 0
    wait_ready(rig)
    rig.jumun_json(*REST, "--id", "now")
    wait_status(rig, "now", "ACCEPTED")
    assert rig.service is not None
    assert rig.service.terminate() == 0
    rig.start_service()
    wait_ready(rig)


@pytest.mark.req("I-50", "I-39", "F-43")
def test_i50_no_halt_ends_before_the_broker_was_compared_with(rig: Rig) -> None:
    started(rig)
    rig.jumun_json("halt", "looking at something odd")
    assert rig.exchange is not None
    rig.exchange.kill()
    refused = rig.jumun("resume", "it will be fine", "--by", "demo")
    assert refused.returncode == 1
    assert refused.stderr.startswith("BROKER_UNAVAILABLE: "), refused.stderr
    assert "HALTED" in http_get(rig.http_port, "/readyz")[1]
    rig.start_exchange()
    until(lambda: rig.jumun("resume", "compared", "--by", "demo").returncode == 0, "resumed", rig)
    wait_ready(rig)


@pytest.mark.req("I-61", "C-36")
def test_connections_that_never_ask_do_not_keep_a_monitor_out(rig: Rig) -> None:
    import socket

    from jumun.limits import HTTP_CONNECTIONS_MAX

    rig.settings |= {"OMS_EXCHANGE": "", "SERVER_READ_TIMEOUT": "60s"}
    rig.start_service()
    wait_ready(rig)
    silent = [socket.create_connection(("127.0.0.1", rig.http_port)) for _ in range(HTTP_CONNECTIONS_MAX + 5)]
    try:
        for connection in silent[::2]:
            connection.sendall(b"GET /readyz HT")
        assert [http_get(rig.http_port, "/readyz")[0] for _ in range(3)] == [200] * 3
    finally:
        for connection in silent:
            connection.close()
