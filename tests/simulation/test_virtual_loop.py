"""Virtual time: it jumps, it never waits, and it says so when it would wait for ever."""

import asyncio

import pytest

from jumun.testing.virtual_loop import (
    NotInVirtualTime,
    SeededIds,
    VirtualClock,
    VirtualDeadlock,
    run_virtual,
)

DAY_NS = 86_400_000_000_000
START_NS = 1_748_217_600_000_000_000


@pytest.mark.req("I-62")
def test_a_day_passes_at_once_and_to_the_nanosecond() -> None:
    async def sleeper() -> tuple[int, int]:
        clock = VirtualClock()
        await clock.sleep(86_400)
        return clock.now_ns(), clock.monotonic_ns()

    assert run_virtual(sleeper(), START_NS) == (START_NS + DAY_NS, DAY_NS)


@pytest.mark.req("I-62", "F-90")
def test_a_step_of_the_wall_clock_moves_no_timer() -> None:
    async def sleeper() -> tuple[int, int]:
        clock = VirtualClock()
        clock.offset_ns = -DAY_NS
        async with asyncio.timeout(10):
            await clock.sleep(5)
        return clock.now_ns(), clock.monotonic_ns()

    assert run_virtual(sleeper(), START_NS) == (START_NS - DAY_NS + 5_000_000_000, 5_000_000_000)


@pytest.mark.req("I-63")
def test_timers_fire_in_the_order_of_their_times() -> None:
    async def many() -> list[int]:
        fired: list[int] = []

        async def fire(after_s: int) -> None:
            await asyncio.sleep(after_s)
            fired.append(after_s)

        await asyncio.gather(*(fire(after_s) for after_s in (3, 1, 2, 1)))
        return fired

    assert run_virtual(many()) == [1, 1, 2, 3]


def test_what_would_wait_for_ever_is_named() -> None:
    async def waits() -> None:
        asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="the forgotten reader")
        await asyncio.Event().wait()

    with pytest.raises(VirtualDeadlock, match="the forgotten reader"):
        run_virtual(waits())


def test_threads_are_refused() -> None:
    async def threads() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(NotInVirtualTime, match="thread"):
        run_virtual(threads())


@pytest.mark.req("I-65")
def test_an_exception_nobody_awaited_is_not_lost() -> None:
    async def breaks() -> None:
        raise ValueError("nobody looks")

    async def leaves() -> None:
        task = asyncio.get_running_loop().create_task(breaks())
        await asyncio.sleep(1)
        del task

    with pytest.raises(RuntimeError, match="nobody looks"):
        run_virtual(leaves())


@pytest.mark.req("I-63")
def test_a_seed_gives_the_same_ids() -> None:
    from random import Random

    first, again = SeededIds(Random(7)), SeededIds(Random(7))
    ids = [first.new_id(START_NS) for _ in range(3)]
    assert ids == [again.new_id(START_NS) for _ in range(3)]
    assert len(set(ids)) == 3
