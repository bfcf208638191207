"""Decisions count time that no step of the wall clock can stretch or shorten."""

import pytest

from jumun.services.steady_clock import SteadyClock
from jumun.testing.virtual_loop import VirtualClock, run_virtual

NS = 1_000_000_000


@pytest.mark.req("I-62", "F-90")
def test_a_step_is_seen_and_not_followed() -> None:
    async def stepped() -> tuple[int, bool, bool]:
        wall = VirtualClock()
        steady = SteadyClock(wall)
        before_ns = steady.now_ns()
        wall.offset_ns = 3_600 * NS
        await wall.sleep(5)
        steady.follow()
        jumped, passed_ns = steady.is_stepped, steady.now_ns() - before_ns
        wall.offset_ns = 0
        return passed_ns, jumped, steady.is_stepped

    assert run_virtual(stepped(), 1_748_217_600 * NS) == (5 * NS, True, False)


@pytest.mark.req("I-62")
def test_a_slow_correction_is_followed() -> None:
    async def corrected() -> int:
        wall = VirtualClock()
        steady = SteadyClock(wall)
        wall.offset_ns = 50_000_000
        steady.follow()
        return steady.step_ns

    assert run_virtual(corrected()) == 0
