"""Clients of KIS that others wrote, at the simulator: nothing of theirs is changed but the addresses.

Each gets an environment of its own in .bench/, installed at the first run from its lock. What was tried with
each of them, and with those that have no test here, is in docs/reference/kis-clients.md.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from jumun.model.orders import Side
from jumun.simulators.kis.customers import demo_customers
from tests.acceptance.kis_processes import ACCOUNT, SYMBOL, KisRig

ROOT: Final = Path(__file__).resolve().parents[2]
PIP: Final = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
LOCKED: Final = ("--require-hashes", "--only-binary", ":all:", "-r")
INSTALL_S: Final = 120
RUN_S: Final = 60

StartKis = Callable[..., KisRig]


def python_of(peer: str) -> Path:
    """The Python of an environment with that client; skips where it cannot be made."""
    home, lock = ROOT / ".bench" / peer, ROOT / "requirements" / f"peer-{peer}.txt"
    python, done = home / "bin" / "python", home / ".done"
    wanted = lock.read_text(encoding="utf-8")
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return python
    steps = [
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [str(python), *PIP, *LOCKED, str(lock)],
    ]
    for step in steps:
        try:
            made = subprocess.run(step, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{peer} was not installed within {INSTALL_S} s; look at pip's index")
        if made.returncode:
            last = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.skip(f"{peer} cannot be installed here: {last}")
    done.write_text(wanted, encoding="utf-8")
    return python


@pytest.fixture
def start_kis(tmp_path: Path) -> Iterator[StartKis]:
    """Starts a simulated KIS with prices that move, as the client needs it."""
    made = KisRig(tmp_path)

    def start(*arguments: str) -> KisRig:
        made.start_kis(*arguments, pace="20")
        return made

    try:
        yield start
    finally:
        made.stop()


@pytest.mark.req("S002-44")
def test_python_kis_trades_a_day_at_the_simulator_with_nothing_changed_but_its_addresses(
    start_kis: StartKis,
) -> None:
    python = python_of("python-kis")
    kis = start_kis("--preset", "python-kis")
    told = _run(python, "peer_python_kis.py", kis)
    oracle = kis.oracle()
    first, second, bought = told["numbers"]
    orders = {order.number: order for order in oracle.orders}
    assert Decimal(told["cash_before"]) == 100_000_000
    assert Decimal(told["usd_before"]) == 100_000
    assert told["asks"] == 10
    assert told["quote"] > 0
    assert told["prices"] > 0
    assert told["pending"] == [[first, 50_000, 3]]
    assert told["moved"] == [[second, 50_100, 3]], "a revise has a number of its own (kis.md 3.1.3)"
    assert told["left"] == 0
    assert orders[second].replaces == orders[first].key
    assert not orders[second].is_open
    assert orders[bought].side is Side.BUY
    assert orders[bought].qty_filled == 2
    assert told["daily"][bought] == 2
    assert told["held"] == {SYMBOL: 2}
    heard = [tuple(one) for one in told["heard"]]
    assert (SYMBOL, "buy", 50_000, 0) in heard, "the receipt of the first order"
    assert (SYMBOL, "buy", 50_100, 3) in heard, "the confirmed revise"
    filled = [int(execution.price) for execution in oracle.executions]
    assert [(SYMBOL, "buy", price, 2) for price in filled] == [one for one in heard if one[3] == 2]


@pytest.mark.req("S002-44")
def test_mojito2_trades_a_day_at_home_and_in_the_us_with_nothing_changed_but_its_addresses(
    start_kis: StartKis,
) -> None:
    python = python_of("mojito2")
    kis = start_kis("--preset", "mojito2")
    told = _run(python, "peer_mojito2.py", kis)
    oracle = kis.oracle()
    orders = {order.number: order for order in oracle.orders}
    first, second, cancel, bought, abroad = told["numbers"]
    assert told["price"] > 0
    assert Decimal(told["cash_before"]) == 100_000_000
    assert 0 < told["affordable"] < 2_000
    assert told["pending"] == [[first, 50_000, 3]]
    assert told["moved"] == [[second, 50_100, 3]]
    assert told["left"] == []
    assert orders[second].replaces == orders[first].key
    assert not orders[second].is_open
    assert (orders[bought].side, orders[bought].qty_filled) == (Side.BUY, 2)
    assert told["held"] == {SYMBOL: 2}
    assert Decimal(told["us_price"]) > 0
    assert Decimal(told["usd"]) == 100_000
    assert (orders[abroad].symbol, orders[abroad].price, orders[abroad].is_open) == ("AAPL", 150, True)
    heard = [tuple(one) for one in told["heard"]]
    assert (first, "1", 50_000, 3) in heard, "the receipt of the first order"
    assert (second, "1", 50_100, 3) in heard, "the confirmed revise"
    assert any(number == cancel for number, *_ in heard), "the cancel, under its own number"
    filled = [(bought, "2", int(execution.price), int(execution.qty)) for execution in oracle.executions]
    assert filled == [one for one in heard if one[1] == "2"]
    assert told["trades"] > 0
    assert told["books"] > 0


@pytest.mark.req("S002-44")
def test_kis_wrapper_trades_a_day_with_nothing_changed_but_its_addresses(start_kis: StartKis) -> None:
    python = python_of("kis-wrapper")
    kis = start_kis()
    told = _run(python, "peer_kis_wrapper.py", kis)
    orders = {order.number: order for order in kis.oracle().orders}
    first, second, third, bought, abroad = told["numbers"]
    assert told["price"] > 0
    assert told["ask"] > told["bid"] > 0
    assert Decimal(told["cash_before"]) == 100_000_000
    assert told["pending"] == [[first, 50_000, 3]], "it names no branch in a change (kis.md part 8 row 18)"
    assert told["moved"] == [[second, 50_100, 3]]
    assert told["left"] == []
    assert orders[second].replaces == orders[first].key
    assert not orders[second].is_open
    assert not orders[third].is_open, "the rest is cancelled without a quantity"
    assert orders[bought].qty_filled == 2
    assert told["held"] == 2
    assert told["us_pending"] == [[abroad, "AAPL", 1]]
    assert (orders[abroad].symbol, orders[abroad].is_open) == ("AAPL", True)
    assert told["refused"] == "OPSQ2001", "KIS calls Nasdaq NASD in orders and NAS in prices (kis.md 4.7)"


@pytest.mark.req("S002-44")
def test_pykis_trades_a_day_with_nothing_changed_but_its_address(start_kis: StartKis) -> None:
    python = python_of("pykis")
    kis = start_kis()
    told = _run(python, "peer_pykis.py", kis)
    orders = {order.number: order for order in kis.oracle().orders}
    first, second, bought, sold = told["numbers"]
    assert 0 < told["lower"] < told["price"] < told["upper"]
    assert told["deposit"] == 100_000_000
    assert told["pending"] == [[first, 50_000, 3]]
    assert told["moved"] == [[second, 50_100, 3]], "found by tr_cont and the keys of its pages"
    assert told["left"] == []
    assert not orders[second].is_open
    assert orders[bought].qty_filled == 2
    assert told["held"] == {SYMBOL: 2}
    assert (orders[sold].side, orders[sold].qty_filled) == (Side.SELL, 1)


def _run(python: Path, program: str, kis: KisRig) -> dict[str, Any]:
    customer = next(one for one in demo_customers() if one.environment == "real")
    path = str(Path(__file__).with_name(program))
    arguments = [kis.rest, kis.stream, customer.app_key, customer.app_secret, customer.hts_id, ACCOUNT]
    done = subprocess.run(
        [str(python), path, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(kis.folder)},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        cwd=kis.folder,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said
