"""Small bugs put into the rules one by one: some unit test must go red for each (`make mutation`).

One pytest process collects the unit tests of rules and model, notes which test runs which line, and then, for
each mutant, forks: the child gets the changed function's code, runs the tests that reach the line, and ends
at the first red one. Nothing is imported again, so a mutant costs a fraction of a second
(docs/decisions/0016-mutation.md). What was found is kept under build/mutation, one file a module, and
`bench/mutation.md` is written from it.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import os
import resource
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

import coverage
import pytest
from _pytest.runner import runtestprotocol

from tools.mutation_sites import Site, sites_of

ROOT: Final = Path(__file__).resolve().parents[1]
RULES: Final = ROOT / "src" / "jumun" / "rules"
STATE: Final = ROOT / "build" / "mutation"
RESULTS: Final = ROOT / "bench" / "mutation.md"
EXPLAINED: Final = ROOT / "tools" / "mutation_survivors.toml"
TESTS: Final = ("tests/unit/rules", "tests/unit/model")
AT_IMPORT: Final = ""  # coverage's name for what ran before the first test
AIM: Final = 90  # per cent of the mutants of the rules
CPU_SLACK_S: Final = 3  # over four times what the tests take without a bug: then it loops
WALL_MAX_S: Final = 300
MEMORY_MAX: Final = 4 << 30
LEFT_OUT: Final = {"__init__": "empty"}


class Outcome(NamedTuple):
    """How one mutant ended."""

    line: int
    function: str
    name: str
    end: str  # killed | timeout | survived | not reached


class Laboratory:
    """The pytest plugin: takes over the loop that would run the tests."""

    def __init__(self, stems: list[str]) -> None:
        self.stems = stems
        self.seconds: dict[str, float] = {}
        self.reach: dict[tuple[str, int], set[str]] = {}
        self.items: dict[str, pytest.Item] = {}
        self.lens = coverage.Coverage(data_file=None, branch=False, source=[str(RULES)], config_file=False)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """The same few examples each time, and no search for a smaller one: red is all we ask."""
        from hypothesis import Phase, settings  # pytest rewrites it at its own start, so not before

        settings.register_profile(
            "mutation",
            deadline=None,
            derandomize=True,
            database=None,
            max_examples=25,
            phases=[Phase.explicit, Phase.generate],
        )
        settings.load_profile("mutation")
        self.lens.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn what reaches what, then try every mutant."""
        from hypothesis import settings

        for item in session.items:
            case = getattr(getattr(item, "cls", None), "settings", None)
            if isinstance(case, settings):
                item.cls.settings = settings(settings.default, max_examples=8, stateful_step_count=60)  # type: ignore[attr-defined]
        self._learn(session.items)
        functions = _functions_by_place()
        for stem in self.stems:
            self._try_all(stem, functions)
        return True

    def _learn(self, items: list[pytest.Item]) -> None:
        lens, red = self.lens, []
        for item, following in zip(items, [*items[1:], None], strict=True):
            lens.switch_context(item.nodeid)
            start = time.process_time()
            if _is_red(item, following):
                red.append(item.nodeid)
            self.seconds[item.nodeid] = time.process_time() - start
            self.items[item.nodeid] = item
        lens.stop()
        for node in red:
            print(f"mutation: {node} is red without any bug and is left out", flush=True)
        data = lens.get_data()
        for file in data.measured_files():
            for line, contexts in data.contexts_by_lineno(file).items():
                self.reach[Path(file).stem, line] = set(contexts) - set(red)

    def _try_all(self, stem: str, functions: dict[tuple[str, str, int], FunctionType]) -> None:
        path = RULES / f"{stem}.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        start, outcomes = time.monotonic(), []
        for site in sites_of(tree):
            function = functions.get((stem, site.function, site.first_line))
            if function is None:
                print(f"mutation: {stem}.{site.function} is not in memory", flush=True)
                continue
            tests = self._tests_for(stem, site)
            end = "not reached"
            if tests == [AT_IMPORT]:
                continue  # it fills a module-level table, and the table has tests of its own
            if tests:
                site.put_in()
                code = _code_of(compile(tree, str(path), "exec"), site)
                site.take_out()
                end = self._try(function, code, tests)
            outcomes.append(Outcome(site.line, site.function, site.name, end))
            if end not in ("killed", "timeout"):
                print(f"  {stem}.py:{site.line} {site.function}: {site.name}: {end}", flush=True)
        seconds = time.monotonic() - start
        killed = sum(outcome.end in ("killed", "timeout") for outcome in outcomes)
        print(f"{stem}: {killed} of {len(outcomes)} killed in {seconds:.0f} s", flush=True)
        kept = {
            "seconds": seconds,
            "outcomes": outcomes,
            "revision": _revision(),
            "day": f"{datetime.now(UTC):%Y-%m-%d}",
        }
        (STATE / f"{stem}.json").write_text(json.dumps(kept), encoding="utf-8")

    def _tests_for(self, stem: str, site: Site) -> list[str]:
        reached = self.reach.get((stem, site.line), set())
        if reached == {AT_IMPORT}:
            return [AT_IMPORT]
        if not reached:  # a line within a statement of many lines
            lines = [line for line in range(site.line, site.first_line, -1) if self.reach.get((stem, line))]
            reached = self.reach[stem, lines[0]] if lines else set()
        reached = reached - {AT_IMPORT}
        return sorted(reached, key=lambda node: (f"test_{stem}" not in node, self.seconds[node]))

    def _try(self, function: FunctionType, code: CodeType, tests: list[str]) -> str:
        cpu = 4 * sum(self.seconds[node] for node in tests) + CPU_SLACK_S
        child = os.fork()
        if child == 0:
            self._run_child(function, code, tests, cpu)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return "timeout" if os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGPROF) else "killed"
        return "survived" if os.WEXITSTATUS(status) == 0 else "killed"

    def _run_child(self, function: FunctionType, code: CodeType, tests: list[str], cpu: float) -> None:
        """Never returns: whatever happens here, the process ends, and only 0 means that all stayed green."""
        try:
            signal.setitimer(signal.ITIMER_PROF, cpu)
            signal.setitimer(signal.ITIMER_REAL, WALL_MAX_S)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            function.__code__ = code
            for cached in _caches():
                cached.cache_clear()
            items = [self.items[node] for node in tests]
            for item, following in zip(items, [*items[1:], None], strict=True):
                if _is_red(item, following):
                    os._exit(1)
            os._exit(0)
        finally:
            os._exit(2)


def _is_red(item: pytest.Item, following: pytest.Item | None) -> bool:
    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=following))


def _functions_by_place() -> dict[tuple[str, str, int], FunctionType]:
    """Every function of the rules in memory, by module, qualified name and first line."""
    found: dict[tuple[str, str, int], FunctionType] = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType and str(thing.__module__).startswith("jumun.rules."):
            code = thing.__code__
            found[str(thing.__module__).rsplit(".", 1)[1], code.co_qualname, code.co_firstlineno] = thing
    return found


def _caches() -> list[Any]:
    """Remembered results of the rules, which the mutant must not live on."""
    modules = [module for name, module in sys.modules.items() if name.startswith("jumun.")]
    return [thing for module in modules for thing in vars(module).values() if hasattr(thing, "cache_clear")]


def _code_of(module: CodeType, site: Site) -> CodeType:
    waiting = [module]
    while waiting:
        code = waiting.pop()
        if (code.co_qualname, code.co_firstlineno) == (site.function, site.first_line) and code is not module:
            return code
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]
    raise LookupError(f"{site.function} at line {site.first_line} is not in the compiled module")


# ---- the page ----------------------------------------------------------------------------------


def write_page() -> bool:
    """`bench/mutation.md` from what is kept; True when the aim is met and every survivor is explained."""
    explained: dict[str, dict[str, str]] = (
        tomllib.loads(EXPLAINED.read_text("utf-8")) if EXPLAINED.exists() else {}
    )
    rows, survivors, total, killed, mute = [], [], 0, 0, 0
    day, revisions, seconds = "", set(), 0.0
    for stem in _stems():
        kept_file = STATE / f"{stem}.json"
        if not kept_file.exists():
            rows.append(f"| `{stem}` | not run | | |")
            continue
        kept = json.loads(kept_file.read_text("utf-8"))
        outcomes = [Outcome(*outcome) for outcome in kept["outcomes"]]
        day = max(day, kept["day"])
        revisions.add(kept["revision"])
        seconds += kept["seconds"]
        dead = sum(outcome.end in ("killed", "timeout") for outcome in outcomes)
        total, killed = total + len(outcomes), killed + dead
        rows.append(f"| `{stem}` | {len(outcomes)} | {dead} | {_share(dead, len(outcomes))} |")
        for outcome in outcomes:
            if outcome.end in ("killed", "timeout"):
                continue
            key = f"{outcome.function}: {outcome.name}"
            why = explained.get(stem, {}).get(key, "")
            mute += not why
            shown = outcome.name.replace("|", "\\|").replace("`", "'")
            survivors.append(f"| `{stem}.{outcome.function}` | `{shown}` | {why or 'not explained yet'} |")
    heading = (
        "# Mutation score of the rules\n\n"
        "`make mutation` puts one small bug at a time into a function of `src/jumun/rules` and runs the\n"
        "unit tests of rules and model that reach the line; one that leaves all of them green survived.\n"
        "What is changed and what is left alone (sentences, asserts, module-level tables) stands in\n"
        "`tools/mutation_sites.py`, and why it is so in `docs/decisions/0016-mutation.md`.\n\n"
    )
    score = f"{killed} of {total} killed, **{_share(killed, total)}**"
    run = f"{day}, revision {', '.join(sorted(revisions))}, {seconds / 60:.0f} minutes on one processor"
    text = (
        f"{heading}{run}: {score}.\n\n"
        "| file | mutants | killed | score |\n|---|---:|---:|---:|\n" + "\n".join(rows) + "\n\n"
        "## Survivors\n\n| where | change | why it lives |\n|---|---|---|\n" + "\n".join(survivors) + "\n"
    )
    RESULTS.write_text(text, encoding="utf-8")
    told = f"{killed} of {total} killed ({_share(killed, total)}), {mute} survivors not explained"
    print(f"{told}; see {RESULTS.relative_to(ROOT)}")
    return total > 0 and killed * 100 >= AIM * total and not mute


def _share(part: int, whole: int) -> str:
    return f"{part * 1000 // whole / 10:.1f} %" if whole else "-"


def _stems() -> list[str]:
    return sorted(path.stem for path in RULES.glob("*.py") if path.stem not in LEFT_OUT)


def _revision() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def main(arguments: Iterable[str] | None = None) -> int:
    """Exit 0 when the aim is met and every survivor has its line of explanation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="*", help="names in src/jumun/rules without .py; all by default")
    parser.add_argument("--page", action="store_true", help="only write the page from what is kept")
    parser.add_argument("--tests", action="append", help="test files instead of all of rules and model")
    chosen = parser.parse_args(list(arguments) if arguments is not None else None)
    STATE.mkdir(parents=True, exist_ok=True)
    if not chosen.page:
        laboratory = Laboratory(chosen.files or _stems())
        tests = chosen.tests or [str(ROOT / folder) for folder in TESTS]
        pytest.main(
            ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--capture=no", *tests], plugins=[laboratory]
        )
    return 0 if write_page() else 1


if __name__ == "__main__":
    raise SystemExit(main())
