"""A minute of load on a local KIS, a process of its own: does the budget hold on real sockets?

More new orders and questions than fit, and cancels beside them, through the client that the broker uses. A
call is noted where its permit is asked, in the last step before its first byte. Then: the most calls in any
sliding second, and for each cancel how long it waited and how many new orders left meanwhile.

    python -m tools.bench_kis [--seconds 60] [--dry]
"""

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec

from jumun.brokers.kis.access import RATE_MAX, KisAccess, KisEnvironment, Secret, parse_account
from jumun.brokers.kis.budget import Budget, Lane
from jumun.brokers.kis.client import KisClient
from jumun.brokers.kis.http_wire import HttpWire
from jumun.brokers.kis.tokens import Tokens
from jumun.model.errors import BrokerUnavailable
from jumun.ports.broker import SendPermit
from jumun.ports.wire import AnswerLost, Frames, HttpCall, HttpReply, NothingSent
from jumun.simulators.kis.customers import demo_customer
from jumun.system import SystemClock

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "bench" / "kis_budget.md"
READY: Final = re.compile(r"ready on (http://[0-9.:]+) (ws://[0-9.:]+) ")
READY_S: Final = 60.0
SENDERS: Final = 20  # together they ask for far more than 18 a second
ASKERS: Final = 4
CANCEL_EVERY_S: Final = 0.25
NS: Final = 1_000_000_000
MS: Final = 1_000_000
HOME: Final = "/uapi/domestic-stock/v1/trading/"
SEND, CHANGE = HOME + "order-cash", HOME + "order-rvsecncl"
SYMBOL: Final = "005930"
ACCOUNT: Final = {"CANO": "12345678", "ACNT_PRDT_CD": "01"}


class Witness:
    """The real wire; notes when the permit of each call was asked, and what KIS said of the pace."""

    def __init__(self, wire: HttpWire) -> None:
        self._wire = wire
        self.left: list[tuple[int, str]] = []  # when, and which path
        self.said = Counter[str]()

    async def call(self, call: HttpCall, permit: SendPermit, *, timeout_s: float) -> HttpReply:
        """See ports.Wire.call."""

        def noted() -> bool:
            if not permit():
                return False
            self.left.append((time.monotonic_ns(), call.path))
            return True

        reply = await self._wire.call(call, noted, timeout_s=timeout_s)
        if reply.status != 200:
            self.said[msgspec.json.decode(reply.body).get("msg_cd", str(reply.status))] += 1
        return reply

    async def open_frames(self, path: str) -> Frames:
        """See ports.Wire.open_frames."""
        return await self._wire.open_frames(path)

    async def close(self) -> None:
        """See ports.Wire.close."""
        await self._wire.close()


class Load:
    """What is asked of the client, and the orders that may be cancelled."""

    def __init__(self, client: KisClient) -> None:
        self._client = client
        self._numbers: deque[tuple[str, str]] = deque()
        self.asked = Counter[str]()
        self.unsent = 0
        self.cancels: list[int] = []  # when each was asked for

    async def send(self) -> None:
        """One buy after the other, far below the market."""
        body = {**ACCOUNT, "PDNO": SYMBOL, "ORD_DVSN": "00", "ORD_QTY": "1", "ORD_UNPR": "50000"}
        while True:
            self.asked["sends"] += 1
            said = await self._post(Lane.SEND, SEND, "TTTC0012U", {**body, "EXCG_ID_DVSN_CD": "KRX"})
            output = (said or {}).get("output")
            if output:
                self._numbers.append((output["KRX_FWDG_ORD_ORGNO"], output["ODNO"]))

    async def ask(self) -> None:
        """One question after the other."""
        query = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": SYMBOL}
        while True:
            self.asked["questions"] += 1
            with suppress(BrokerUnavailable):
                await self._client.get(
                    "/uapi/domestic-stock/v1/quotations/inquire-price", "FHKST01010100", query
                )

    async def cancel(self) -> None:
        """A cancel at its times, whatever else waits."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(CANCEL_EVERY_S)
                if self._numbers:
                    tasks.create_task(self._cancel(*self._numbers.popleft()))

    async def _cancel(self, branch: str, number: str) -> None:
        self.asked["cancels"] += 1
        self.cancels.append(time.monotonic_ns())
        body = {**ACCOUNT, "KRX_FWDG_ORD_ORGNO": branch, "ORGN_ODNO": number, "ORD_DVSN": "00"}
        rest = {"RVSE_CNCL_DVSN_CD": "02", "ORD_QTY": "0", "ORD_UNPR": "0", "QTY_ALL_ORD_YN": "Y"}
        await self._post(Lane.CANCEL, CHANGE, "TTTC0013U", {**body, **rest, "EXCG_ID_DVSN_CD": "KRX"})

    async def _post(self, lane: Lane, path: str, tr_id: str, body: dict[str, str]) -> dict[str, Any] | None:
        try:
            reply = await self._client.post(lane, path, tr_id, body, lambda: True)
        except (NothingSent, AnswerLost):
            self.unsent += 1
            return None
        return msgspec.json.decode(reply.body)  # type: ignore[no-any-return]


@contextmanager
def simulator(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a local KIS with its usual limits; yield its addresses."""
    log = folder / "kis.log"
    command = [sys.executable, "-m", "jumun", "simulate", "kis", "--port", "0", "--ws-port", "0"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "HOME": str(folder)}
    with log.open("wb") as sink:
        process = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink, cwd=folder)
    try:
        deadline = time.monotonic() + READY_S
        while (found := READY.search(log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the local KIS did not start"
            time.sleep(0.05)
        yield found[1], found[2]
    finally:
        process.terminate()
        process.wait(READY_S)


async def run(rest: str, stream: str, token_file: Path, seconds: float) -> tuple[Witness, Load]:
    """Load the client for so long."""
    customer = demo_customer("real")
    access = KisAccess(
        environment=KisEnvironment.LIVE,
        app_key=Secret(customer.app_key),
        app_secret=Secret(customer.app_secret),
        accounts=(parse_account(customer.accounts[0]),),
        hts_id=customer.hts_id,
        rate_per_s=RATE_MAX[KisEnvironment.LIVE],
        rest_base=rest,
        ws_base=stream,
    )
    clock = SystemClock()
    wire = Witness(HttpWire(rest, stream))
    budget = Budget(access.calls_per_s, clock)
    load = Load(KisClient(access, wire, clock, Tokens(access, wire, clock, budget, token_file), budget))
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                for _ in range(SENDERS):
                    tasks.create_task(load.send())
                for _ in range(ASKERS):
                    tasks.create_task(load.ask())
                tasks.create_task(load.cancel())
    finally:
        await wire.close()
    return wire, load


def most_in_a_second(stamps: list[int]) -> int:
    """Return the most calls in any sliding second: one that ends with each call."""
    window: deque[int] = deque()
    most = 0
    for stamp in sorted(stamps):
        window.append(stamp)
        while stamp - window[0] >= NS:
            window.popleft()
        most = max(most, len(window))
    return most


def waits(wire: Witness, load: Load) -> list[tuple[float, int]]:
    """Return for each cancel the ms until it left, and how many new orders left meanwhile.

    Cancels leave in the order in which they were asked for; those that the end cut off are left out.
    """
    sends = [stamp for stamp, path in wire.left if path == SEND]
    leaving = [stamp for stamp, path in wire.left if path == CHANGE]
    pairs = zip(load.cancels, leaving, strict=False)
    return [((left - asked) / MS, sum(asked < stamp < left for stamp in sends)) for asked, left in pairs]


def row(wire: Witness, load: Load, seconds: float) -> tuple[str, bool]:
    """Return the row of the table, and whether the budget held."""
    most = most_in_a_second([stamp for stamp, _ in wire.left])
    left = Counter(path.rpartition("/")[2] for _, path in wire.left)
    waited = waits(wire, load)
    times = sorted(ms for ms, _ in waited)
    behind = Counter(sends for _, sends in waited)
    allowed = RATE_MAX[KisEnvironment.LIVE]
    cells = [
        f"{seconds:g} s",
        f"{len(wire.left):,}",
        f"{len(wire.left) / seconds:.1f}",
        f"{left['order-cash']:,} / {left['inquire-price']:,} / {left['order-rvsecncl']:,}",
        f"{most} of {allowed}",
        str(wire.said["EGW00201"]),
        f"{median(times):.0f} / {times[int(len(times) * 0.99)]:.0f} / {times[-1]:.0f} ms",
        ", ".join(f"{sends}: {count}" for sends, count in sorted(behind.items())),
    ]
    return f"| {' | '.join(cells)} |", most <= allowed and not wire.said["EGW00201"]


def main() -> int:
    """Run, print, append; exit 1 when the budget did not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--dry", action="store_true", help="print and append nothing")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with simulator(folder) as (rest, stream):
            wire, load = asyncio.run(run(rest, stream, folder / "token.json", asked.seconds))
    line, held = row(wire, load, asked.seconds)
    text = "\n".join(
        [
            f"### {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} processors, "
            f"Python {platform.python_version()}",
            "",
            f"`python -m tools.bench_kis --seconds {asked.seconds:g}`",
            "",
            "| load | calls | a second | sends / questions / cancels | most in a sliding second | refused "
            "(EGW00201) | cancel waits: median / p99 / most | sends meanwhile: cancels |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
            line,
            "",
        ]
    )
    print(text)
    overtaken = [(round(ms, 1), sends) for ms, sends in waits(wire, load) if sends > 1]
    print(json.dumps({"waited_ms_behind_sends": overtaken}))
    print(json.dumps({"asked": load.asked, "unsent": load.unsent, "said": wire.said, "held": held}))
    if not asked.dry:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write("\n" + text)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
