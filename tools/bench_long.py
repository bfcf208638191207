"""A long run and a start: does an order cost more after a million others, does memory grow, is a start quick?

The run sends real orders through the whole durable path, with the instant broker, and measures a window of
orders before each point. It ends without a shutdown, as a kill would. Each start is a process of its own, on
the store that the run left: first after that kill, then after the orderly stop of the first start.
"""

import argparse
import asyncio
import json
import logging
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
POINTS: Final = (10_000, 100_000, 1_000_000)
WINDOW: Final = 5_000  # orders before each point
STEP: Final = 5_000
IN_FLIGHT: Final = 100
TIMEOUT_S: Final = 3_600


def run(path: Path, orders: int) -> list[dict[str, Any]]:
    """Send `orders` orders into a new store in a process of its own; return a row for each point."""
    return [json.loads(line) for line in _self("--run", str(path), "--orders", str(orders)).splitlines()]


def start(path: Path) -> dict[str, Any]:
    """Start a service on the store in a process of its own, and stop it in an orderly way."""
    found: dict[str, Any] = json.loads(_self("--start", str(path)).splitlines()[-1])
    return found


def _self(*arguments: str) -> str:
    command = [sys.executable, "-m", "tools.bench_long", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=True)
    return done.stdout.strip()


def rss_mib() -> float:
    """Resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("this system does not tell how much memory a process has")


async def _run(path: Path, orders: int) -> None:
    from jumun.system import tune_collector
    from tools.bench_stage import drive, open_stage

    stage = await open_stage(path, instant=True)
    tune_collector()
    points = {point for point in POINTS if point < orders} | {orders}
    began, sent = time.perf_counter(), 0
    while sent < orders:
        found = await drive(stage, sent, STEP, IN_FLIGHT)
        sent += STEP
        if sent in points:
            row = {
                "orders": sent,
                "records": stage.engine.desk.book.seq,
                "us_an_order": found.seconds / STEP * 1e6,
                "p50_ms": statistics.median(found.waits) * 1e3,
                "p99_ms": sorted(found.waits)[int(STEP * 0.99)] * 1e3,
                "rss_mib": rss_mib(),
                "store_mib": os.stat(path).st_size / 2**20,
                "seconds": time.perf_counter() - began,
            }
            print(json.dumps(row), flush=True)
    await stage.engine.desk.quiet()
    os._exit(0)  # what a kill leaves: no last snapshot, nothing closed


async def _start(path: Path) -> dict[str, Any]:
    from jumun.store.sqlite.reader import open_reader
    from tools.bench_stage import ACCOUNT, SYMBOL, open_stage

    with open_reader(path) as reader:  # what the broker holds: not part of the start
        held = {position.symbol: position.qty for position in reader.positions(ACCOUNT)}
        cash = reader.cash()
    began = time.perf_counter()
    stage = await open_stage(path, instant=True, held=(held[SYMBOL], cash[ACCOUNT, "KRW"]))
    seconds = time.perf_counter() - began
    assert stage.engine.desk.book.halt is None, stage.engine.desk.book.halt
    found = {"seconds": seconds, "records": stage.engine.desk.book.seq, "rss_mib": rss_mib()}
    await stage.engine.stop()
    return found


def _main() -> None:
    import structlog

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--orders", type=int, default=POINTS[-1])
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if options.run:
        asyncio.run(_run(options.run, options.orders))
    else:
        print(json.dumps(asyncio.run(_start(options.start))))


if __name__ == "__main__":
    _main()
