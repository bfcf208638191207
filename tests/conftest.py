"""What every test may count on: awaitable tests, one hypothesis profile, and honest skips.

The `req` marker names the requirement, invariant and fault ids that a test shows.
`tools/requirements_map.py` reads the markers from the source; this file adds the other half: a cited
test that was skipped has shown nothing, so the end of the run says which ids it left unshown.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Final

import pytest
import structlog
from hypothesis import settings

# An awaited condition that never comes must end the test, not the build. Sized for the slowest
# acceptance test on a busy machine; no test asserts on it.
ASYNC_TEST_TIMEOUT_S: Final = 180.0

# `check` finds the same examples each time, so a red build can be repeated; `soak` looks further.
settings.register_profile("check", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("soak", deadline=None, max_examples=5_000, database=None, print_blob=True)
settings.load_profile("check")

# What scenarios share asserts as they do: a failure shows the values.
pytest.register_assert_rewrite("tests.scenarios.any_stage", "tests.scenarios.plays")

_UNSHOWN: Final = pytest.StashKey[dict[str, list[str]]]()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test on a fresh event loop, within ASYNC_TEST_TIMEOUT_S."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames  # the one place pytest keeps the arguments it resolved
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def bounded() -> None:
        async with asyncio.timeout(ASYNC_TEST_TIMEOUT_S):
            await pyfuncitem.obj(**arguments)

    asyncio.run(bounded())
    return True


@pytest.fixture(autouse=True)
def _logs_as_at_the_start() -> Iterator[None]:
    """A test that captures logs leaves structlog configured, and then a program would log to its output."""
    yield
    structlog.reset_defaults()


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often the real service is killed: 10 in `make test`, 100 (at KIS 200) in `make soak`."""
    parser.addoption("--kills", type=int, default=10, help="kill -9 runs of tests/acceptance/test_kill.py")
    parser.addoption("--kis-kills", type=int, default=10, help="as many of tests/acceptance/test_kis_kill.py")


def pytest_configure(config: pytest.Config) -> None:
    """Start the run with nothing left unshown."""
    config.stash[_UNSHOWN] = {}
    config.pluginmanager.register(_SkipWitness(config), "jumun-skip-witness")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Carry each test's ids in its report, which also crosses to the main process under xdist."""
    for item in items:
        ids = [str(req) for mark in item.iter_markers("req") for req in mark.args]
        if ids:
            item.user_properties.append(("req", " ".join(ids)))


class _SkipWitness:
    """Remember which cited tests did not run, and say so at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._unshown = config.stash[_UNSHOWN]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.skipped:
            return
        for name, value in report.user_properties:
            if name == "req":
                self._unshown.setdefault(report.nodeid, []).extend(str(value).split())

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._unshown.setdefault(report.nodeid, []).append("(the whole file)")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._unshown:
            return
        terminalreporter.section("cited tests that were skipped, and so show nothing")
        for nodeid, ids in sorted(self._unshown.items()):
            terminalreporter.line(f"WARNING {nodeid}: {', '.join(ids)}")
