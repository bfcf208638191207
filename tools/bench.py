"""`make bench`: the full durable path beside the raw rate of the same statements, in one run on one disk.

One order is: submit, checks, commit, send, accept, fill, ledger, position, events, commits. The broker is
the simulated exchange in the same process, so its work is inside the figure too. The raw rate replays the
very SQL that the path executed, batch by batch, into a copy of the store with the same tables, indexes and
triggers, with nothing else running: the most that this disk and these tables could take.
"""

import argparse
import asyncio
import logging
import os
import platform
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import apsw
import structlog

from jumun.brokers.paper import LocalLink, PaperBroker, paper_traits
from jumun.exchange.market import Market
from jumun.exchange.sample_world import sample_world
from jumun.model.commands import BookOpening
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, UserId
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side
from jumun.model.positions import Account
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.cost_tables import KIS_BANKIS
from jumun.rules.policy import Limits, Policy
from jumun.rules.trading_days import ALWAYS_OPEN
from jumun.services.order_engine import OrderEngine
from jumun.store.sqlite import SqliteJournal
from jumun.store.sqlite.connect import open_writer
from jumun.system import SystemClock, SystemIds

ROOT: Final = Path(__file__).resolve().parents[1]
ACCOUNT: Final = AccountId("BENCH-001")
CASH: Final = Decimal(10) ** 13
IN_FLIGHT: Final = (1, 100, 1_000)
# The named profile `bench`, printed with the figures.
PROFILE: Final = Limits(max_queue_size=100_000, max_concurrent_orders=1_000)
Statements = list[tuple[str, Any]]


def main() -> int:
    """Measure, print, and append a row to bench/durable_path.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=4_000, help="orders for each figure")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    lines = [measure(in_flight, options.orders) for in_flight in IN_FLIGHT]
    head = (
        f"### {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, revision {revision()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}\n\n"
        f"`make bench` with {options.orders} orders a row; profile `bench`: max_concurrent_orders "
        f"{PROFILE.max_concurrent_orders}, max_queue_size {PROFILE.max_queue_size}.\n\n"
        "| in flight | orders/s | p50 ms | p99 ms | commits | records | raw orders/s | share of raw |\n"
        "|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    )
    text = head + "\n".join(lines) + "\n"
    print(text)
    if not options.no_record:
        with (ROOT / "bench" / "durable_path.md").open("a") as page:
            page.write("\n" + text)
    return 0


def measure(in_flight: int, orders: int) -> str:
    """One line of the table."""
    count = min(orders, max(200, in_flight * 40))
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        seconds, waits, commits, records, _ = asyncio.run(run(Path(folder) / "path.db", in_flight, count))
        *_, statements = asyncio.run(run(Path(folder) / "traced.db", in_flight, count, trace=True))
        raw_s = replay(Path(folder) / "raw.db", statements)
    rate, raw = count / seconds, count / raw_s
    waits.sort()
    p50, p99 = statistics.median(waits) * 1e3, waits[int(len(waits) * 0.99)] * 1e3
    return (
        f"| {in_flight} | {rate:,.0f} | {p50:.2f} | {p99:.2f} | {commits} | {records} | {raw:,.0f} |"
        f" {rate / raw:.2f} |"
    )


async def run(
    path: Path, in_flight: int, count: int, *, trace: bool = False
) -> tuple[float, list[float], int, int, list[Statements]]:
    """Send `count` orders, `in_flight` at a time; return seconds, waits, commits, records and the SQL."""
    clock = SystemClock()
    market = Market(sample_world())
    market.open_account(ACCOUNT, cash={"KRW": CASH}, now_ns=clock.now_ns())
    broker = PaperBroker(LocalLink(market, clock), paper_traits(), clock)
    journal = SqliteJournal(path, label="bench")
    engine = OrderEngine(
        broker_client=broker,
        journal=journal,
        policy=policy(broker, market),
        clock=clock,
        ids=SystemIds(),
        prices=broker,
        openings=[opening()],
        verify_behind=False,
    )
    await engine.start()
    base = market.world.bases["005930"]
    market.step("005930", base, Decimal(10) ** 9, clock.now_ns(), quote_qty=Decimal(10) ** 9)
    statements: list[Statements] = []
    if trace:
        _copy(path, path.with_name("raw.db"))
        _trace(journal, statements)
    done: dict[str, asyncio.Event] = {}
    waits: list[float] = []
    commits = 0
    heard = engine.desk.on_commit

    def on_commit(entries: Any) -> None:
        nonlocal commits
        commits += 1
        heard(entries)
        for entry in entries:
            if entry.order is not None and entry.order.status.is_final and entry.order.order_id in done:
                done[entry.order.order_id].set()

    engine.desk.on_commit = on_commit
    slots = asyncio.Semaphore(in_flight)
    start_ns = clock.now_ns()

    async def one(number: int) -> None:
        async with slots:
            began = time.perf_counter()
            decision = await engine.submit(intent(number, start_ns))
            assert decision.order is not None
            order_id = decision.order.order_id
            if order_id in engine.desk.book.open:
                done[order_id] = asyncio.Event()
                await done[order_id].wait()
                del done[order_id]
            waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    first = engine.desk.book.seq
    await asyncio.gather(*(one(number) for number in range(count)))
    seconds = time.perf_counter() - began
    records = engine.desk.book.seq - first
    await engine.stop()
    return seconds, waits, commits, records, statements


def _trace(journal: SqliteJournal, batches: list[Statements]) -> None:
    """Keep every statement of the writer, by transaction."""
    assert journal._writer is not None
    connection = journal._writer._connection

    def keep(_: Any, sql: str, bindings: Any) -> bool:
        if sql.startswith("BEGIN"):
            batches.append([])
        elif batches and not sql.startswith(("COMMIT", "ROLLBACK", "PRAGMA")):
            batches[-1].append((sql, bindings))
        return True

    connection.exec_trace = keep


def _copy(source: Path, target: Path) -> None:
    """Copy a store, so that the raw run begins where the traced one began."""
    old, new = apsw.Connection(str(source)), apsw.Connection(str(target))
    with new.backup("main", old, "main") as backup:
        backup.step()
    new.close()
    old.close()


def replay(path: Path, batches: list[Statements]) -> float:
    """Execute the same statements into the copied store, a transaction a batch; return the seconds."""
    connection = open_writer(path)
    began = time.perf_counter()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        for sql, bindings in batch:
            connection.execute(sql, bindings)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def policy(broker: PaperBroker, market: Market) -> Policy:
    """The desk's policy under the bench profile."""
    account = Account(
        account_id=ACCOUNT,
        base_currency=Currency.KRW,
        users=(UserId("bench"),),
        may_buy=True,
        may_sell=True,
        cost_plans={"KRX": KIS_BANKIS.name},
    )
    traits = broker.traits
    return Policy(
        environment="sim",
        instruments=market.master,
        accounts={ACCOUNT: account},
        cost_plans={KIS_BANKIS.name: KIS_BANKIS},
        sessions=ALWAYS_OPEN,
        limits=PROFILE,
        kinds=traits.kinds,
        carries_reference=traits.carries_reference,
        unknown_order_policy="resend_once",
        visible_after_ns=traits.visible_after_ns,
        settles_after_ns=traits.settles_after_ns,
    )


def opening() -> BookOpening:
    """Opening cash, the same on both sides."""
    row = LedgerRow(
        kind=LedgerKind.OPENING,
        account_id=ACCOUNT,
        currency=Currency.KRW,
        amount=CASH,
        debit=LedgerAccount.CASH,
        credit=LedgerAccount.OUTSIDE,
        trade_date="2026-01-02",
        settlement_date="2026-01-02",
    )
    return BookOpening(account_id=ACCOUNT, rows=(row,), document="bench")


def intent(number: int, start_ns: int) -> ApprovedOrderIntent:
    """A limit buy that trades at once; neighbours differ in quantity and price, so they may fly together."""
    return ApprovedOrderIntent(
        account_id=ACCOUNT,
        symbol="005930",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        qty=Decimal(1 + number % 50),
        price=Decimal(58_100 + 100 * (number // 50 % 40)),
        strategy_id="bench",
        strategy_version="1",
        signal_ts_ns=start_ns + number * 1_000_000,
        user_id=UserId("bench"),
    )


def revision() -> str:
    """The commit that is measured."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    raise SystemExit(main())
