"""The real clock and ids, and the names users import."""

import gc
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

import jumun
from jumun.system import COLLECT_AFTER, SystemClock, SystemIds, tune_collector

SRC = Path(__file__).resolve().parents[3] / "src"


@pytest.mark.req("I-63")
def test_ids_grow_within_a_millisecond_and_when_the_clock_steps_back() -> None:
    ids = SystemIds()
    now_ns = 1_763_600_000_000_000_000
    made = [ids.new_id(now_ns) for _ in range(5_000)]
    made += [ids.new_id(now_ns - 10**9) for _ in range(10)] + [ids.new_id(now_ns + 10**6)]
    assert made == sorted(set(made))
    assert {UUID(one).version for one in made} == {7}


def test_two_sources_do_not_share_ids() -> None:
    assert SystemIds().new_id(10**18) != SystemIds().new_id(10**18)


def test_a_started_service_lets_the_collector_rest_and_still_collects() -> None:
    before = gc.get_threshold()
    try:
        tune_collector()
        assert gc.isenabled()
        assert gc.get_threshold() == COLLECT_AFTER
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


async def test_the_clock_tells_utc_and_its_monotonic_side_goes_forward() -> None:
    clock = SystemClock()
    before = clock.monotonic_ns()
    await clock.sleep(0)
    assert clock.monotonic_ns() >= before
    assert clock.now_ns() > 1_700_000_000 * 10**9


@pytest.mark.req("S000-3")
@pytest.mark.parametrize("name", jumun.__all__)
def test_the_names_of_the_specifications_are_importable_from_jumun(name: str) -> None:
    assert getattr(jumun, name).__name__ in (name, "Side")
    assert name in dir(jumun)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchThing"):
        jumun.NoSuchThing  # noqa: B018


def test_importing_jumun_imports_nothing_else_of_ours() -> None:
    code = "import sys, jumun; print([name for name in sys.modules if name.startswith('jumun.')])"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
