"""The long runs (`make soak`): many simulated days, and many kills of the real program.

One process for each core. Every outcome is kept in build/soak as it comes, so a run that was stopped goes on
where it was: with the same sources and the same arguments no day is simulated twice. At the end a section is
appended to bench/soak.md: days, orders, faults, how often each invariant was checked, and which cells of
status and fault were never visited. A failing seed is printed with what replays it; it belongs into
tests/simulation/pinned.txt.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = ROOT / "src" / "jumun"
RESULTS: Final = ROOT / "bench" / "soak.md"
KEPT: Final = ROOT / "build" / "soak"
KILL_TEST: Final = ROOT / "tests" / "acceptance" / "test_kill.py"
SEEDS: Final = 1_334  # 2,001 days
FIRST: Final = 100_000  # away from the seeds that `make test` runs
SECONDS: Final = 7_200
KILLS: Final = 100
ORDERS: Final = 300  # a trading day
LEAST_FAULTS: Final = 20  # a day with fewer has shown too little, and counts as failed
TWO_DAYS_EVERY: Final = 2  # every second seed has a second day, with the numbers of the first
AIM: Final = 0.95  # of the reachable cells
TELL_EVERY: Final = 100
FAILURES_TOLD: Final = 20
CELLS_TOLD: Final = 120

Outcome = dict[str, Any]


def one(seed: int) -> Outcome:
    """Run one seed in this process."""
    from jumun.testing.day import simulate_day

    days = 2 if seed % TWO_DAYS_EVERY == 0 else 1
    outcome: Outcome = {"seed": seed, "days": days, "failure": ""}
    try:
        day = simulate_day(seed, ORDERS * days, days=days, stormy=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed has failed and the rest goes on
        return outcome | {"failure": f"{type(error).__name__}: {error}"}
    struck = sum(day.struck.values())
    if struck < LEAST_FAULTS * days:
        outcome["failure"] = f"only {struck} faults struck: draw_scenario must make the day worse"
    return outcome | {
        "orders": day.orders,
        "sent": day.sent,
        "fills": day.fills,
        "struck": struck,
        "faults": day.struck,
        "checked": day.checked,
        "reached": day.reached,
        "cells": day.cells,
    }


def run(seeds: Iterable[int], processes: int, seconds: float) -> Iterator[Outcome]:
    """Yield outcomes as they come, until all seeds or the time are used up."""
    end = time.monotonic() + seconds
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, maxtasksperchild=200) as pool:
        for outcome in pool.imap_unordered(one, seeds, chunksize=1):
            yield outcome
            if time.monotonic() > end:
                pool.terminate()
                return


def kept(path: Path) -> list[Outcome]:
    """Return the outcomes of an earlier part of this run; a line cut off by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line.endswith("}")]


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


def section(outcomes: list[Outcome], asked: argparse.Namespace, seconds: float, kill_result: str) -> str:
    """Return what is appended to bench/soak.md."""
    from jumun.testing.cells import REACHABLE, not_visited

    total = Counter[str]()
    checked, cells = Counter[str](), Counter[str]()
    for outcome in outcomes:
        total.update({name: outcome.get(name, 0) for name in ("days", "orders", "sent", "fills", "struck")})
        checked.update(outcome.get("checked", {}))
        cells.update(outcome.get("cells", {}))
    good = [outcome for outcome in outcomes if not outcome["failure"]]
    failed = [outcome["seed"] for outcome in outcomes if outcome["failure"]]
    never = not_visited(cells)
    reached = len(REACHABLE) - len(never)
    least_orders = min((o["orders"] // o["days"] for o in good), default=0)
    least_faults = min((o["struck"] // o["days"] for o in good), default=0)
    listed = ", ".join(map(str, failed[:FAILURES_TOLD]))
    lines = [
        f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, revision {_revision()}",
        "",
        f"Python {platform.python_version()}, {asked.processes} processes, {seconds:.0f} s. Seeds from "
        f"{asked.first}; every second one has a second day.",
        "",
        "| seeds | days | intents | orders sent | fills | faults struck | fewest intents a day | "
        "fewest faults a day | checks | failures | kills |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        f"| {len(outcomes):,} | {total['days']:,} | {total['orders']:,} | {total['sent']:,} | "
        f"{total['fills']:,} | {total['struck']:,} | {least_orders} | {least_faults} | "
        f"{sum(checked.values()):,} | {len(failed)}{f' ({listed})' if failed else ''} | "
        f"{asked.kills}: {kill_result} |",
        "",
        f"Cells of status and fault: {reached} of {len(REACHABLE)} reachable ones visited, "
        f"{reached / len(REACHABLE):.1%}. Not visited: {_grouped(never)}.",
        "",
        "Checks: " + ", ".join(f"{name} {count:,}" for name, count in sorted(checked.items())) + ".",
        "",
    ]
    return "\n".join(lines) + "\n"


def _grouped(cells: list[str]) -> str:
    """Name cells by their fault; of a short run, which leaves most of them, only how many."""
    if len(cells) > CELLS_TOLD:
        return f"{len(cells)}, too many to name"
    by_fault: dict[str, list[str]] = {}
    for cell in cells:
        fault, state = cell.split(" | ")
        by_fault.setdefault(fault, []).append(state)
    return "; ".join(f"{fault}: {', '.join(states)}" for fault, states in by_fault.items()) or "none"


def fingerprint(asked: argparse.Namespace) -> str:
    """Return what a run is known by: the bytes of the program, and where the seeds begin."""
    hashed = hashlib.sha256(f"{asked.first} {ORDERS} {TWO_DAYS_EVERY}".encode())
    for path in sorted(SOURCES.rglob("*.py")):
        hashed.update(path.relative_to(SOURCES).as_posix().encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]


def _revision() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def simulate(asked: argparse.Namespace, began: float) -> list[Outcome]:
    """Run what is left of the days; tell failures at once, and keep every outcome."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{fingerprint(asked)}.jsonl"
    wanted = range(asked.first, asked.first + asked.seeds)
    outcomes = [outcome for outcome in kept(path) if outcome["seed"] in wanted]
    if outcomes:
        print(f"{len(outcomes)} seeds of this run are in {path.relative_to(ROOT)} already", flush=True)
    done = {outcome["seed"] for outcome in outcomes}
    left = [seed for seed in wanted if seed not in done]
    with path.open("a", encoding="utf-8") as file:
        for outcome in run(left, asked.processes, asked.seconds):
            outcomes.append(outcome)
            file.write(json.dumps(outcome) + "\n")
            file.flush()
            if outcome["failure"]:
                print(
                    f"seed {outcome['seed']} ({outcome['days']} days): {outcome['failure']}", file=sys.stderr
                )
            if len(outcomes) % TELL_EVERY == 0:
                took = time.monotonic() - began
                print(f"{len(outcomes)} of {asked.seeds} seeds, {took:.0f} s", flush=True)
    return outcomes


def main() -> int:
    """Run, print, append; exit 1 when anything failed or too few cells were visited."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=SEEDS, help="seeds, one or two days each")
    parser.add_argument("--first", type=int, default=FIRST, help="the first seed")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at most so long, kills included")
    parser.add_argument("--kills", type=int, default=KILLS, help="kills of the real service; 0 for none")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dry", action="store_true", help="print the section and append nothing")
    asked = parser.parse_args()
    began = time.monotonic()
    outcomes = simulate(asked, began)
    took = time.monotonic() - began
    kill_result = kills(asked.kills, asked.seconds - took)
    text = section(outcomes, asked, took, kill_result)
    if not asked.dry:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write("\n" + text)
    print(text, end="")
    if any(outcome["failure"] for outcome in outcomes) or kill_result == "FAILED":
        return 1
    return 0 if len(outcomes) < asked.seeds else _enough(outcomes)


def _enough(outcomes: list[Outcome]) -> int:
    """A full run must have visited the cells; a short one says only how many it did."""
    from jumun.testing.cells import REACHABLE, not_visited

    cells = Counter[str]()
    for outcome in outcomes:
        cells.update(outcome.get("cells", {}))
    share = 1 - len(not_visited(cells)) / len(REACHABLE)
    return 0 if share >= AIM or len(outcomes) < SEEDS else 1


if __name__ == "__main__":
    sys.exit(main())
