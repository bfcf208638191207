"""Real processes: each test has a folder, free ports and its own environment; nothing is left running."""

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import READY_S, Rig


def http_get(port: int, path: str) -> tuple[int, str]:
    """Return (status, body); (0, '') while nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def wait_ready(rig: Rig) -> None:
    """Wait until the service takes orders; fails with its log when it ends first."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if http_get(rig.http_port, "/readyz")[0] == 200:
            return
        assert rig.service is not None
        assert rig.service.process is not None
        assert rig.service.process.poll() is None, f"the service ended:\n{rig.service.text()}"
        time.sleep(0.05)
    assert rig.service is not None
    raise AssertionError(f"never ready:\n{rig.service.text()}")


def wait_status(rig: Rig, order: str, *wanted: str) -> dict[str, Any]:
    """Wait until an order has one of the statuses and return what `trace --json` says of it."""
    deadline = time.monotonic() + READY_S
    told: dict[str, Any] = {}
    while time.monotonic() < deadline:
        done = rig.jumun("trace", order, "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        if told["order"]["status"] in wanted:
            return told
        time.sleep(0.1)
    raise AssertionError(f"{order} is {told['order']['status']}, waited for {wanted}")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A rig that is not started; whatever the test starts is ended by its id."""
    made = Rig(tmp_path)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def service(rig: Rig) -> Rig:
    """A running service with the exchange inside it, ready for orders."""
    rig.settings["OMS_EXCHANGE"] = ""
    rig.start_service()
    wait_ready(rig)
    return rig


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One running service for tests that only look, or that do not mind each other's orders."""
    made = Rig(tmp_path_factory.mktemp("shared"), settings={"OMS_EXCHANGE": ""})
    try:
        made.start_service()
        wait_ready(made)
        yield made
    finally:
        made.stop()
