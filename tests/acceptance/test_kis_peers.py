"""Clients of KIS that others wrote, at the simulator: nothing of theirs is changed but the addresses.

python-kis gets an environment of its own in .bench/, installed at the first run from its lock.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from jumun.model.orders import Side
from jumun.simulators.kis.customers import demo_customers
from tests.acceptance.kis_processes import ACCOUNT, SYMBOL, KisRig

ROOT: Final = Path(__file__).resolve().parents[2]
HOME: Final = ROOT / ".bench" / "python-kis"
LOCK: Final = ROOT / "requirements" / "peer-python-kis.txt"
PIP: Final = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
LOCKED: Final = ("--require-hashes", "--only-binary", ":all:", "-r", str(LOCK))
INSTALL_S: Final = 120
RUN_S: Final = 60


@pytest.fixture(scope="module")
def python_kis() -> Path:
    """The Python of an environment with python-kis; skips where it cannot be made."""
    python = HOME / "bin" / "python"
    done = HOME / ".done"
    wanted = LOCK.read_text(encoding="utf-8")
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return python
    steps = [
        [sys.executable, "-m", "venv", "--clear", str(HOME)],
        [str(python), *PIP, *LOCKED],
    ]
    for step in steps:
        try:
            made = subprocess.run(step, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"python-kis was not installed within {INSTALL_S} s; look at pip's index")
        if made.returncode:
            last = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.skip(f"python-kis cannot be installed here: {last}")
    done.write_text(wanted, encoding="utf-8")
    return python


@pytest.fixture
def kis(tmp_path: Path) -> Iterator[KisRig]:
    """A simulated KIS as python-kis reads it, with prices that move."""
    made = KisRig(tmp_path)
    try:
        made.start_kis("--preset", "python-kis", pace="20")
        yield made
    finally:
        made.stop()


@pytest.mark.req("S002-44")
def test_python_kis_trades_a_day_at_the_simulator_with_nothing_changed_but_its_addresses(
    python_kis: Path, kis: KisRig
) -> None:
    told = _run(python_kis, kis)
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


def _run(python: Path, kis: KisRig) -> dict[str, Any]:
    customer = next(one for one in demo_customers() if one.environment == "real")
    program = str(Path(__file__).with_name("peer_python_kis.py"))
    arguments = [kis.rest, kis.stream, customer.app_key, customer.app_secret, customer.hts_id, ACCOUNT]
    done = subprocess.run(
        [str(python), program, *arguments],
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
