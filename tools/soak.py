"""The long runs (`make soak`): many simulated days, and many kills of the real program.

Appends a dated row to bench/soak.md. Stops after `--seconds`, whatever was left to do, and says how far it
came. A failing seed is printed with the command that replays it; it belongs into tests/simulation/pinned.txt.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "bench" / "soak.md"
KILL_TEST: Final = ROOT / "tests" / "acceptance" / "test_kill.py"
SEEDS: Final = 2_000
FIRST: Final = 100_000  # away from the seeds that `make test` runs
SECONDS: Final = 7_200
KILLS: Final = 100
PROCESSES: Final = 2
TWO_DAYS_EVERY: Final = 10  # every tenth seed has a second day, with the numbers of the first
HEADER: Final = (
    "# Soak\n\n"
    "Long runs of `make soak`: simulated days checked against the exchange's own ledger, and kills of the\n"
    "real service against an exchange process. Rows are appended, never edited.\n\n"
    "| date (UTC) | revision | Python | processes | seeds | first seed | intents | orders sent | fills | "
    "faults struck | invariants checked | failures | seconds | kills | kill result |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


class Outcome(NamedTuple):
    """What one seed came to; `failure` is empty when every invariant held."""

    seed: int
    days: int
    orders: int
    sent: int
    fills: int
    struck: int
    checked: int
    failure: str


def one(seed: int) -> Outcome:
    """Run one seed in this process."""
    from jumun.testing.day import simulate_day

    days = 2 if seed % TWO_DAYS_EVERY == 0 else 1
    try:
        day = simulate_day(seed, days=days)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed has failed and the rest goes on
        return Outcome(seed, days, 0, 0, 0, 0, 0, f"{type(error).__name__}: {error}")
    struck, checked = sum(day.struck.values()), sum(day.checked.values())
    return Outcome(seed, days, day.orders, day.sent, day.fills, struck, checked, "")


def run(first: int, seeds: int, seconds: float) -> Iterator[Outcome]:
    """Yield outcomes as they come, until all seeds or the time are used up."""
    end = time.monotonic() + seconds
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES, maxtasksperchild=200) as pool:
        for outcome in pool.imap_unordered(one, range(first, first + seeds), chunksize=1):
            yield outcome
            if time.monotonic() > end:
                pool.terminate()
                return


def kills(count: int, seconds: float) -> str:
    """Run the kill harness, where it exists; return one word, or what went wrong."""
    if not KILL_TEST.exists() or count <= 0:
        return "not run"
    command = [sys.executable, "-m", "pytest", "-q", str(KILL_TEST), "--kills", str(count)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=max(seconds, 1)
        )
    except subprocess.TimeoutExpired:
        return f"stopped after {seconds:.0f} s"
    if done.returncode == 0:
        return "ok"
    print(done.stdout[-4_000:], file=sys.stderr)
    return "FAILED"


def row(outcomes: list[Outcome], first: int, seconds: float, kill_count: int, kill_result: str) -> str:
    """Return the line for bench/soak.md."""
    total = Counter[str]()
    for outcome in outcomes:
        total.update(
            {name: getattr(outcome, name) for name in ("orders", "sent", "fills", "struck", "checked")}
        )
    failures = [outcome.seed for outcome in outcomes if outcome.failure]
    cells = [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        _revision(),
        platform.python_version(),
        PROCESSES,
        len(outcomes),
        first,
        f"{total['orders']:,}",
        f"{total['sent']:,}",
        f"{total['fills']:,}",
        f"{total['struck']:,}",
        f"{total['checked']:,}",
        f"{len(failures)} ({', '.join(map(str, failures[:5]))})" if failures else 0,
        f"{seconds:.0f}",
        kill_count,
        kill_result,
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def _revision() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def main() -> int:
    """Run, print, append; exit 1 when anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=SEEDS, help="simulated days")
    parser.add_argument("--first", type=int, default=FIRST, help="the first seed")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at most so long, kills included")
    parser.add_argument("--kills", type=int, default=KILLS, help="kills of the real service; 0 for none")
    asked = parser.parse_args()
    began = time.monotonic()
    outcomes: list[Outcome] = []
    for outcome in run(asked.first, asked.seeds, asked.seconds):
        outcomes.append(outcome)
        if outcome.failure:
            print(f"seed {outcome.seed} ({outcome.days} days) failed: {outcome.failure}", file=sys.stderr)
        if len(outcomes) % 100 == 0:
            print(f"{len(outcomes)} of {asked.seeds} seeds, {time.monotonic() - began:.0f} s", flush=True)
    took = time.monotonic() - began
    kill_result = kills(asked.kills, asked.seconds - took)
    line = row(outcomes, asked.first, took, asked.kills, kill_result)
    if not RESULTS.exists():
        RESULTS.write_text(HEADER, encoding="utf-8")
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(line)
    print(line, end="")
    failed = any(outcome.failure for outcome in outcomes) or kill_result == "FAILED"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
