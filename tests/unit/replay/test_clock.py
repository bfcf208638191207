"""The replay's clock stands still until the driver moves it."""

import asyncio

import pytest

from jumun.replay.clock import ReplayClock, SeededIds

SECOND = 1_000_000_000


async def started(clock: ReplayClock, seconds: float, woken: list[float]) -> "asyncio.Task[None]":
    async def sleeper() -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    task = asyncio.get_running_loop().create_task(sleeper())
    await asyncio.sleep(0)
    return task


@pytest.mark.req("I-62")
async def test_sleepers_wake_in_order_when_time_has_passed_and_not_before() -> None:
    clock, woken = ReplayClock(100 * SECOND), list[float]()
    tasks = [await started(clock, seconds, woken) for seconds in (30, 1, 5)]
    assert clock.sleeping == 3
    clock.advance_to(104 * SECOND)
    await tasks[1]
    assert woken == [1]
    assert clock.sleeping == 2
    clock.advance_to(200 * SECOND)
    await asyncio.gather(*tasks)
    assert woken == [1, 5, 30]
    assert clock.sleeping == 0


async def test_time_never_goes_back() -> None:
    clock = ReplayClock(100)
    clock.advance_to(99)
    assert clock.now_ns() == clock.monotonic_ns() == 100


async def test_a_sleeper_that_gives_up_is_not_waited_for() -> None:
    clock, woken = ReplayClock(0), list[float]()
    task = await started(clock, 5, woken)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleeping == 0
    clock.advance_to(10 * SECOND)
    assert not woken


async def test_sleeping_for_no_time_only_lets_others_run() -> None:
    clock = ReplayClock(0)
    await clock.sleep(0)
    assert clock.sleeping == 0


@pytest.mark.req("I-63")
def test_the_same_seed_gives_the_same_ids_and_another_run_draws_others() -> None:
    first, again, other = SeededIds("demo/1/0"), SeededIds("demo/1/0"), SeededIds("demo/1/5075")
    drawn = [first.new_id(SECOND) for _ in range(50)]
    assert drawn == [again.new_id(SECOND) for _ in range(50)]
    assert not set(drawn) & {other.new_id(SECOND) for _ in range(50)}
