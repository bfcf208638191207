"""The long runs (`make soak`): many simulated days, days on KIS after them, and kills of the real program.

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
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = ROOT / "src" / "jumun"
RESULTS: Final = ROOT / "bench" / "soak.md"
KEPT: Final = ROOT / "build" / "soak"
KILL_TEST: Final = ROOT / "tests" / "acceptance" / "test_kill.py"
KIS_KILL_TEST: Final = ROOT / "tests" / "acceptance" / "test_kis_kill.py"
SEEDS: Final = 1_334  # 2,001 days
FIRST: Final = 100_000  # away from the seeds that `make test` runs
SECONDS: Final = 14_400  # the kills at KIS alone take more than an hour
KILLS: Final = 100
KIS_KILLS: Final = 200
KIS_SEEDS: Final = 2_000  # every fifth has a second day
ORDERS: Final = 300  # a trading day
KIS_THIN_MOST: Final = 0.02  # of all days on KIS; beyond it draw_scenario must make the days richer
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


def one_kis(seed: int) -> Outcome:
    """Run one seed of a day on KIS in this process."""
    from jumun.testing.kis_day import ALWAYS, simulate_kis_day

    outcome: Outcome = {"seed": seed, "failure": ""}
    try:
        day = simulate_kis_day(seed)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed has failed and the rest goes on
        return outcome | {"failure": f"{type(error).__name__}: {error}"}
    unchecked = [name for name in ALWAYS if not day.checked.get(name)]
    return outcome | {
        "unchecked": unchecked,  # by chance: a halt or the close came early, or every order filled
        "days": day.days,
        "orders": day.orders,
        "sent": day.sent,
        "fills": day.fills,
        "lives": day.lives,
        "calls": day.calls,
        "struck": sum(day.struck.values()),
        "faults": day.struck,
        "checked": day.checked,
        "reached": day.reached,
        "persons": len(day.for_a_person),
    }


def run(
    seeds: Iterable[int], processes: int, seconds: float, work: Callable[[int], Outcome] = one
) -> Iterator[Outcome]:
    """Yield outcomes as they come, until all seeds or the time are used up."""
    end = time.monotonic() + seconds
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, maxtasksperchild=200) as pool:
        for outcome in pool.imap_unordered(work, seeds, chunksize=1):
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


def kills(count: int, seconds: float, test: Path = KILL_TEST, option: str = "--kills") -> str:
    """Run a kill harness, where it exists; return one word, or what went wrong."""
    if not test.exists() or count <= 0:
        return "not run"
    command = [sys.executable, "-m", "pytest", "-q", str(test), option, str(count)]
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


def section(
    outcomes: list[Outcome], asked: argparse.Namespace, seconds: float, kill_result: str, kis_result: str
) -> str:
    """Return what is appended to bench/soak.md."""
    from jumun.testing.cells import REACHABLE, not_visited

    heading = f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, revision {_revision()}"
    if not outcomes:
        return (
            f"{heading}\n\nPython {platform.python_version()}, {asked.processes} processes. "
            f"Kills {asked.kills}: {kill_result}; kills at KIS {asked.kis_kills}: {kis_result}.\n\n"
        )
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
        heading,
        "",
        f"Python {platform.python_version()}, {asked.processes} processes, {seconds:.0f} s. Seeds from "
        f"{asked.first}; every second one has a second day.",
        "",
        "| seeds | days | intents | orders sent | fills | faults struck | fewest intents a day | "
        "fewest faults a day | checks | failures | kills | kills at KIS |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        f"| {len(outcomes):,} | {total['days']:,} | {total['orders']:,} | {total['sent']:,} | "
        f"{total['fills']:,} | {total['struck']:,} | {least_orders} | {least_faults} | "
        f"{sum(checked.values()):,} | {len(failed)}{f' ({listed})' if failed else ''} | "
        f"{asked.kills}: {kill_result} | {asked.kis_kills}: {kis_result} |",
        "",
        f"Cells of status and fault: {reached} of {len(REACHABLE)} reachable ones visited, "
        f"{reached / len(REACHABLE):.1%}. Not visited: {_grouped(never)}.",
        "",
        "Checks: " + ", ".join(f"{name} {count:,}" for name, count in sorted(checked.items())) + ".",
        "",
    ]
    return "\n".join(lines) + "\n"


def kis_section(outcomes: list[Outcome], asked: argparse.Namespace, seconds: float) -> str:
    """Return what is appended about days on KIS; nothing where none were asked for."""
    if not outcomes:
        return ""
    names = ("days", "orders", "sent", "fills", "lives", "calls", "struck", "persons")
    total = Counter[str]()
    checked, faults = Counter[str](), Counter[str]()
    for outcome in outcomes:
        total.update({name: outcome.get(name, 0) for name in names})
        checked.update(outcome.get("checked", {}))
        faults.update(outcome.get("faults", {}))
    failed = [outcome["seed"] for outcome in outcomes if outcome["failure"]]
    listed = f" ({', '.join(map(str, failed[:FAILURES_TOLD]))})" if failed else ""
    thin = [f"{one['seed']} ({', '.join(one['unchecked'])})" for one in outcomes if one.get("unchecked")]
    lines = [
        f"Days on KIS: seeds from {asked.first}, {seconds:.0f} s; every fifth has a second day. On "
        f"{len(thin)} seeds something was never checked: {', '.join(thin) or 'none'}.",
        "",
        "| seeds | days | intents | orders sent | fills | lives of the desk | calls | faults struck | "
        "left for a person | checks | failures |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        f"| {len(outcomes):,} | "
        + " | ".join(f"{total[name]:,}" for name in names)
        + f" | {sum(checked.values()):,} | {len(failed)}{listed} |",
        "",
        "Faults: " + ", ".join(f"{name} {count:,}" for name, count in sorted(faults.items())) + ".",
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


def simulate(
    asked: argparse.Namespace, began: float, seeds: int, name: str, work: Callable[[int], Outcome]
) -> list[Outcome]:
    """Run what is left of the days; tell failures at once, and keep every outcome in a file of that name."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{name}.jsonl"
    wanted = range(asked.first, asked.first + seeds)
    outcomes = [outcome for outcome in kept(path) if outcome["seed"] in wanted]
    if outcomes:
        print(f"{len(outcomes)} seeds of this run are in {path.relative_to(ROOT)} already", flush=True)
    done = {outcome["seed"] for outcome in outcomes}
    left = [seed for seed in wanted if seed not in done]
    seconds = asked.seconds - (time.monotonic() - began)
    with path.open("a", encoding="utf-8") as file:
        for outcome in run(left, asked.processes, seconds, work):
            outcomes.append(outcome)
            file.write(json.dumps(outcome) + "\n")
            file.flush()
            if outcome["failure"]:
                days = outcome.get("days", "?")
                print(f"seed {outcome['seed']} ({days} days): {outcome['failure']}", file=sys.stderr)
            if len(outcomes) % TELL_EVERY == 0:
                took = time.monotonic() - began
                print(f"{len(outcomes)} of {seeds} seeds, {took:.0f} s", flush=True)
    return outcomes


def main() -> int:
    """Run, print, append; exit 1 when anything failed or too few cells were visited."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=SEEDS, help="seeds, one or two days each")
    parser.add_argument("--first", type=int, default=FIRST, help="the first seed")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at most so long, kills included")
    parser.add_argument("--kills", type=int, default=KILLS, help="kills of the real service; 0 for none")
    parser.add_argument("--kis-kills", type=int, default=KIS_KILLS, help="as many at a local KIS")
    parser.add_argument("--kis", type=int, default=KIS_SEEDS, help="seeds of days on KIS; 0 for none")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dry", action="store_true", help="print the section and append nothing")
    asked = parser.parse_args()
    began = time.monotonic()
    known = fingerprint(asked)
    outcomes = simulate(asked, began, asked.seeds, known, one)
    days_took = time.monotonic() - began
    on_kis = simulate(asked, began, asked.kis, f"{known}-kis", one_kis) if asked.kis else []
    took = time.monotonic() - began
    kill_result = kills(asked.kills, asked.seconds - took)
    left_s = asked.seconds - (time.monotonic() - began)
    kis_result = kills(asked.kis_kills, left_s, KIS_KILL_TEST, "--kis-kills")
    text = section(outcomes, asked, days_took, kill_result, kis_result)
    text += kis_section(on_kis, asked, took - days_took)
    if not asked.dry:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write("\n" + text)
    print(text, end="")
    if any(outcome["failure"] for outcome in (*outcomes, *on_kis)) or "FAILED" in (kill_result, kis_result):
        return 1
    if sum(bool(outcome.get("unchecked")) for outcome in on_kis) > KIS_THIN_MOST * len(on_kis):
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
