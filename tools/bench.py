"""`make bench`: what an order costs, measured in one run on one disk, and appended to the pages under bench/.

1. the durable path beside the raw rate of the same SQL, at 1, 100 and 1,000 in flight (durable_path.md);
2. an order after 10,000, 100,000 and 1,000,000 others, memory, and the start of that store (long_run.md);
3. the gRPC door beside an echo server (grpc.md);
4. NautilusTrader's backtest engine on the same orders (nautilus.md).

An order is: submit, checks, commit, send, accept, fill, ledger, position, events, commits. The whole takes
about a quarter of an hour on a quiet machine; part 2 is most of it. `--only path` runs one part.
"""

import argparse
import asyncio
import logging
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import apsw
import structlog

from jumun.system import tune_collector
from tools import bench_grpc, bench_long, bench_nautilus, bench_raw
from tools.bench_stage import PROFILE_TEXT, Run, drive, open_stage

ROOT: Final = Path(__file__).resolve().parents[1]
WORK: Final = ROOT / ".bench"
IN_FLIGHT: Final = (1, 100, 1_000)
NAUTILUS_ORDERS: Final = (10_000, 30_000)
LONG_ORDERS: Final = 1_000_000
ROOM_A_ORDER: Final = 40_000  # bytes of disk: store and write-ahead log
AIM_SLOWER: Final = 1.2


def main() -> int:
    """Measure what was asked for; print it and append it to its page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=sorted(PARTS), help="one part")
    parser.add_argument("--orders", type=int, default=8_000, help="orders for each figure of the path")
    parser.add_argument(
        "--long", type=int, default=LONG_ORDERS, help="orders of the long run; 0 leaves it out"
    )
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    WORK.mkdir(exist_ok=True)
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(options)
    return 0


# ---- 1. the durable path ----------------------------------------------------------------------------


def path_part(options: argparse.Namespace) -> None:
    """Each broker at each number in flight, beside the raw rate."""
    lines = [
        measure(instant, in_flight, options.orders) for instant in (False, True) for in_flight in IN_FLIGHT
    ]
    text = (
        f"{head()}\n\nAt most {options.orders} orders a row; {PROFILE_TEXT}; load before {load()}.\n\n"
        "| broker | in flight | orders/s | p50 ms | p99 ms | µs of processor an order | commits | records |"
        " raw orders/s | share of raw |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        + "\n".join(lines)
    )
    tell(text, "durable_path.md", record=not options.no_record)


def measure(instant: bool, in_flight: int, orders: int) -> str:
    """One line of the table."""
    count = min(orders, max(1_000, in_flight * 40))
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        folder = Path(name)
        found, cpu_s = asyncio.run(one_run(folder / "path.db", instant, in_flight, count))
        batches: list[bench_raw.Statements] = []
        asyncio.run(one_run(folder / "traced.db", instant, in_flight, count, batches))
        raw_s = bench_raw.replay(folder / "raw.db", batches)
    rate, raw = count / found.seconds, count / raw_s
    found.waits.sort()
    p50, p99 = statistics.median(found.waits) * 1e3, found.waits[int(len(found.waits) * 0.99)] * 1e3
    return (
        f"| {'instant' if instant else 'paper'} | {in_flight} | {rate:,.0f} | {p50:.2f} | {p99:.2f} |"
        f" {cpu_s / count * 1e6:.0f} | {found.commits} | {found.records} | {raw:,.0f} | {rate / raw:.2f} |"
    )


async def one_run(
    path: Path,
    instant: bool,
    in_flight: int,
    count: int,
    batches: list[bench_raw.Statements] | None = None,
) -> tuple[Run, float]:
    """Drive a new desk; with `batches`, keep its SQL and the store as it was before the first order."""
    stage = await open_stage(path, instant=instant)
    tune_collector()
    if batches is not None:
        bench_raw.copy(path, path.with_name("raw.db"))
        bench_raw.trace(stage.journal, batches)
    times = os.times()
    found = await drive(stage, 0, count, in_flight)
    now = os.times()
    await stage.engine.stop()
    return found, now.user + now.system - times.user - times.system


# ---- 2. the long run and the start ------------------------------------------------------------------


def long_part(options: argparse.Namespace) -> None:
    """A million orders, then two starts of their store."""
    if not options.long:
        return
    free = shutil.disk_usage(WORK).free
    if free < options.long * ROOM_A_ORDER:
        print(f"bench: {options.long} orders need {options.long * ROOM_A_ORDER >> 30} GiB free; left out")
        return
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        store = Path(name) / "long.db"
        before = load()
        points = bench_long.run(store, options.long)
        starts = [bench_long.start(store), bench_long.start(store)]
    rows = "\n".join(
        f"| {point['orders']:,} | {point['records']:,} | {point['us_an_order']:.0f} | {point['p50_ms']:.1f} |"
        f" {point['p99_ms']:.1f} | {point['rss_mib']:.0f} | {point['store_mib']:,.0f} |"
        for point in points
    )
    grown = points[-1]["us_an_order"] / points[0]["us_an_order"]
    killed, stopped = starts
    text = (
        f"{head()}\n\nInstant broker, {bench_long.IN_FLIGHT} in flight, {points[-1]['seconds']:,.0f} s;"
        f" the cost is that of the {bench_long.WINDOW:,} orders before each point; load before {before}.\n\n"
        "| after orders | records | µs an order | p50 ms | p99 ms | memory MiB | store MiB |\n"
        f"|---:|---:|---:|---:|---:|---:|---:|\n{rows}\n\n"
        f"An order at the end costs {grown:.2f} times one at the first point (aim: {AIM_SLOWER})."
        f" Start with {killed['records']:,} records: {killed['seconds']:.2f} s after a kill"
        f" ({killed['rss_mib']:.0f} MiB), {stopped['seconds']:.2f} s after an orderly stop (aim: 5 s)."
    )
    tell(text, "long_run.md", record=not options.no_record)


# ---- 3. the door, 4. the neighbour ------------------------------------------------------------------


def grpc_part(options: argparse.Namespace) -> None:
    """The door's own tool writes its own page."""
    bench_grpc.main(record=not options.no_record)


def nautilus_part(options: argparse.Namespace) -> None:
    """Theirs in memory beside ours on the disk: the same orders, one position, one account."""
    rows, whose = [], ""
    for count in NAUTILUS_ORDERS:
        theirs = bench_nautilus.main(count)
        if isinstance(theirs, str):
            print(f"bench: {theirs}")
            return
        whose = f"NautilusTrader {theirs['version']} on Python {theirs['python']}"
        with tempfile.TemporaryDirectory(dir=WORK) as name:
            ours, _ = asyncio.run(one_run(Path(name) / "path.db", False, 1_000, count))
        rate, their_rate = count / ours.seconds, theirs["orders_per_s"]
        rows.append(f"| {count:,} | {their_rate:,.0f} | {rate:,.0f} | {rate / their_rate:.2f} |")
    text = (
        f"{head()}\n\n{whose}, backtest engine, in memory; ours with paper broker, 1,000 in flight,"
        f" every fact durable; load {load()}.\n\n"
        "| limit orders to fill | NautilusTrader orders/s | ours orders/s | times |\n|---:|---:|---:|---:|\n"
        + "\n".join(rows)
    )
    tell(text, "nautilus.md", record=not options.no_record)


# ---- telling ----------------------------------------------------------------------------------------


def head() -> str:
    """What was measured, when and where."""
    return (
        f"### {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, revision {revision()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    )


def tell(text: str, page: str, *, record: bool) -> None:
    """Print, and append to the page."""
    print(f"{text}\n", flush=True)
    if record:
        with (ROOT / "bench" / page).open("a") as out:
            out.write(f"\n{text}\n")


def load() -> str:
    """How many others wanted the processors in the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def revision() -> str:
    """The commit that is measured; `dirty` when files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


PARTS: Final[dict[str, Callable[[argparse.Namespace], None]]] = {
    "path": path_part,
    "long": long_part,
    "grpc": grpc_part,
    "nautilus": nautilus_part,
}

if __name__ == "__main__":
    sys.exit(main())
