"""The budget of calls: never one too many in any second, cancels first, and nobody forgotten."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.brokers.kis.budget import Budget, Lane
from jumun.ports.wire import NothingSent
from jumun.testing.virtual_loop import VirtualClock, run_virtual

NS = 1_000_000_000
SECOND = NS
WINDOW = 1_020_000_000
ROUNDING = 10  # a timer's seconds are a float


class Tape:
    """What left, in order: when and of which lane."""

    def __init__(self, rate: int, **switches: Any) -> None:
        self.clock = VirtualClock()
        self.rate = rate
        self.budget = Budget(rate, self.clock, **{"is_spent": False, **switches})
        self.written: list[tuple[int, Lane, str]] = []

    def restart(self) -> None:
        """A new process: it knows of no call that was written before."""
        self.budget = Budget(self.rate, self.clock)

    async def send(self, lane: Lane, name: str = "", *, at_s: float = 0, connect_s: float = 0) -> None:
        """Arrive at `at_s` and write once granted and connected."""
        await self.clock.sleep(at_s)
        async with self.budget.turn(lane) as turn:
            await self.clock.sleep(connect_s)
            turn.stamp()
            self.written.append((self.clock.monotonic_ns(), lane, name))

    @property
    def names(self) -> list[str]:
        return [name for _, _, name in self.written]

    @property
    def times_s(self) -> list[float]:
        return [at / NS for at, _, _ in self.written]

    def worst(self, window_ns: int = SECOND, lanes: tuple[Lane, ...] = tuple(Lane)) -> int:
        """The most that left in any sliding window."""
        times = sorted(at for at, lane, _ in self.written if lane in lanes)
        return max((sum(1 for other in times if 0 <= other - at < window_ns) for at in times), default=0)


def play(rate: int, script: Callable[[Tape], Awaitable[object]], **switches: Any) -> Tape:
    async def main() -> Tape:
        tape = Tape(rate, **switches)
        await script(tape)
        return tape

    return run_virtual(main())


async def together(*calls: Coroutine[Any, Any, object]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for call in calls:
            tasks.create_task(call)


ARRIVALS = st.lists(
    st.tuples(st.sampled_from(Lane), st.integers(0, 4_000), st.integers(0, 700)), min_size=1, max_size=60
)


@pytest.mark.req("I-47", "I-52", "S004-9")
@given(rate=st.integers(1, 20), arrivals=ARRIVALS)
def test_no_sliding_second_at_the_transport_has_one_call_too_many(
    rate: int, arrivals: list[tuple[Lane, int, int]]
) -> None:
    """Whenever calls arrive and however long each takes to connect; and every one of them gets out."""

    async def script(tape: Tape) -> None:
        await together(
            *(
                tape.send(lane, at_s=arrive_ms / 1_000, connect_s=connect_ms / 1_000)
                for lane, arrive_ms, connect_ms in arrivals
            )
        )

    tape = play(rate, script)
    assert len(tape.written) == len(arrivals)
    assert tape.worst(SECOND) <= rate
    assert tape.worst(WINDOW) <= rate
    if rate >= 5:
        assert tape.worst(WINDOW, (Lane.REPEATED_CANCEL, Lane.SEND, Lane.QUERY)) <= rate - 1
    assert tape.worst(WINDOW, (Lane.QUERY,)) <= max(1, rate // 2)


@pytest.mark.req("I-52", "F-18", "I-22")
@given(rate=st.integers(1, 20), before=ARRIVALS, after=ARRIVALS, killed_ms=st.integers(0, 3_000))
def test_no_sliding_second_over_a_kill_and_a_restart_has_one_call_too_many(
    rate: int,
    before: list[tuple[Lane, int, int]],
    after: list[tuple[Lane, int, int]],
    killed_ms: int,
) -> None:
    """What the killed process wrote in its last second counts at KIS, though nobody here remembers it."""

    async def script(tape: Tape) -> None:
        calls = [tape.send(lane, at_s=ms / 1_000, connect_s=slow / 1_000) for lane, ms, slow in before]
        first = [asyncio.create_task(call) for call in calls]
        await tape.clock.sleep(killed_ms / 1_000)
        for task in first:
            task.cancel()
        await asyncio.wait(first)
        tape.restart()
        await together(
            *(tape.send(lane, at_s=ms / 1_000, connect_s=slow / 1_000) for lane, ms, slow in after)
        )

    tape = play(rate, script)
    assert tape.worst(SECOND) <= rate
    assert tape.worst(WINDOW) <= rate


@pytest.mark.req("I-52")
def test_the_first_call_of_a_process_waits_one_window_and_a_cancel_is_the_first_to_leave() -> None:
    async def script(tape: Tape) -> None:
        tape.restart()
        await together(*(tape.send(lane, lane.name) for lane in (Lane.QUERY, Lane.SEND, Lane.CANCEL)))

    tape = play(18, script)
    assert tape.times_s == [1.02] * 3
    assert tape.names[0] == "CANCEL"


def test_the_margin_is_a_switch() -> None:
    async def script(tape: Tape) -> None:
        await together(*(tape.send(Lane.SEND) for _ in range(3)))

    assert play(1, script).times_s == [0, 1.02, 2.04]
    assert play(1, script, window_s=Decimal(1)).times_s == [0, 1, 2]


def test_a_place_is_not_free_a_moment_early() -> None:
    async def script(tape: Tape) -> None:
        await together(tape.send(Lane.SEND), tape.send(Lane.SEND, at_s=1.019), tape.send(Lane.SEND, at_s=2.5))

    assert play(1, script).times_s == [0, 1.02, 2.5]


@pytest.mark.req("I-47")
@given(
    sends=st.integers(0, 10),
    repeats=st.integers(0, 40),
    arrive_ms=st.integers(0, 3_000),
    rate=st.sampled_from([1, 2, 4, 5, 18]),
)
def test_a_cancel_waits_behind_nothing_that_was_not_granted_before_it(
    sends: int, repeats: int, arrive_ms: int, rate: int
) -> None:
    async def script(tape: Tape) -> None:
        await together(
            *(tape.send(Lane.REPEATED_CANCEL) for _ in range(repeats)),
            *(tape.send(Lane.SEND) for _ in range(sends)),
            *(tape.send(Lane.QUERY) for _ in range(5)),
            tape.send(Lane.CANCEL, "cancel", at_s=arrive_ms / 1_000),
        )

    tape = play(rate, script)
    index = tape.names.index("cancel")
    cancelled_ns, asked_ns = tape.written[index][0], arrive_ms * 1_000_000
    between = [at for at, _, name in tape.written[:index] if at > asked_ns]
    assert between == []
    assert cancelled_ns - asked_ns <= WINDOW
    if rate >= 5:
        assert cancelled_ns == asked_ns, "one place of each window is kept for it"


async def repeat_for_ever(tape: Tape) -> None:
    """An order that lives on: its cancel is given up unsent after 3 s, and asked for again after 15 s."""
    while True:
        with suppress(NothingSent):
            async with tape.budget.turn(Lane.REPEATED_CANCEL, wait_s=Decimal(3)) as turn:
                turn.stamp()
        await tape.clock.sleep(15)


@pytest.mark.req("I-58", "I-59", "I-47")
@pytest.mark.parametrize("lane", [Lane.SEND, Lane.QUERY])
@pytest.mark.parametrize(("rate", "orders"), [(1, 16), (1, 200), (18, 300), (18, 1_000)])
def test_cancels_that_are_repeated_for_ever_leave_room_for_what_ends_their_orders(
    rate: int, orders: int, lane: Lane
) -> None:
    async def script(tape: Tape) -> None:
        stuck = [asyncio.create_task(repeat_for_ever(tape)) for _ in range(orders)]
        await tape.clock.sleep(60)
        for _ in range(20):
            asked_ns = tape.clock.monotonic_ns()
            await tape.send(lane)
            assert tape.clock.monotonic_ns() - asked_ns <= 2 * WINDOW + ROUNDING, (
                "one repeated cancel goes before it"
            )
        for task in stuck:
            task.cancel()

    play(rate, script)


@pytest.mark.req("I-58")
def test_a_page_is_heard_in_time_beside_repeated_cancels_and_sends_without_end() -> None:
    async def script(tape: Tape) -> None:
        stuck = [asyncio.create_task(repeat_for_ever(tape)) for _ in range(60)]
        sends = [asyncio.create_task(tape.send(Lane.SEND)) for _ in range(100)]
        await tape.clock.sleep(30)
        for _ in range(5):
            asked_ns = tape.clock.monotonic_ns()
            await tape.send(Lane.QUERY)
            assert tape.clock.monotonic_ns() - asked_ns <= 5 * SECOND + 2 * WINDOW + ROUNDING
        for task in (*stuck, *sends):
            task.cancel()

    play(1, script)


@pytest.mark.req("I-47")
@pytest.mark.parametrize("lane", [Lane.SEND, Lane.QUERY])
def test_a_repeated_cancel_waits_behind_one_other_call_at_most(lane: Lane) -> None:
    async def script(tape: Tape) -> None:
        await together(
            *(tape.send(lane) for _ in range(12)),
            *(tape.send(Lane.REPEATED_CANCEL, "again", at_s=0.5) for _ in range(3)),
            tape.send(Lane.REPEATED_CANCEL, "alone", at_s=8),
        )

    tape = play(1, script)
    assert [index for index, name in enumerate(tape.names) if name == "again"] == [1, 3, 5]
    assert tape.names.index("alone") == 8, "the next one after it came"


def test_a_repeated_cancel_on_a_quiet_desk_goes_at_once() -> None:
    async def script(tape: Tape) -> None:
        await together(*(tape.send(Lane.REPEATED_CANCEL, at_s=3 * n) for n in range(4)))

    assert play(1, script).times_s == [0, 3, 6, 9]


def test_a_cancel_behind_a_send_that_still_connects_is_next_after_it() -> None:
    async def script(tape: Tape) -> None:
        await together(
            tape.send(Lane.SEND, "first", connect_s=0.5),
            tape.send(Lane.SEND, "second"),
            tape.send(Lane.CANCEL, "cancel", at_s=0.1),
        )

    tape = play(1, script)
    assert tape.names == ["first", "cancel", "second"]
    assert tape.times_s == [0.5, 1.52, 2.54]


def test_within_a_lane_who_came_first_goes_first() -> None:
    async def script(tape: Tape) -> None:
        await together(*(tape.send(Lane.SEND, str(n), at_s=n / 1_000) for n in range(9)))

    assert play(2, script).names == [str(n) for n in range(9)]


def test_queries_never_fill_a_window_so_a_send_goes_at_once() -> None:
    async def script(tape: Tape) -> None:
        await together(
            *(tape.send(Lane.QUERY) for _ in range(40)),
            *(tape.send(Lane.SEND, "send", at_s=0.5) for _ in range(8)),
        )

    tape = play(18, script)
    sent = [at for at, _, name in tape.written if name]
    assert sent == [SECOND // 2] * 8
    assert tape.worst(WINDOW, (Lane.QUERY,)) == 9


def test_queries_may_be_given_the_whole_window() -> None:
    async def script(tape: Tape) -> None:
        await together(*(tape.send(Lane.QUERY) for _ in range(18)))

    assert play(18, script, query_share=Decimal(1)).times_s == [0] * 17 + [1.02]


def test_under_sends_without_end_a_query_is_still_heard_now_and_then() -> None:
    async def script(tape: Tape) -> None:
        await together(
            *(tape.send(Lane.SEND, at_s=n / 1_000) for n in range(20)),
            *(tape.send(Lane.QUERY, "query", at_s=0.5) for _ in range(3)),
        )

    tape = play(1, script)
    queries = [index for index, name in enumerate(tape.names) if name]
    assert queries == [6, 11, 16], "one in five seconds, and sends between them"


@pytest.mark.req("F-09")
def test_a_throttle_reply_halves_the_rate_for_a_second_and_then_it_recovers() -> None:
    async def script(tape: Tape) -> None:
        async def throttled() -> None:
            await tape.clock.sleep(0.9)
            tape.budget.slow_down()

        await together(throttled(), *(tape.send(Lane.CANCEL) for _ in range(60)))

    times = play(18, script).times_s
    assert times == [0] * 18 + [1.02] * 9 + [1.9] * 9 + [2.04] * 9 + [2.92] * 9 + [3.06] * 6


def test_at_one_call_a_second_a_throttle_reply_is_a_second_without_calls() -> None:
    async def script(tape: Tape) -> None:
        tape.budget.slow_down()
        await tape.send(Lane.CANCEL)

    assert play(1, script).times_s == [1]


def test_a_limit_of_one_function_holds_back_only_that_function() -> None:
    async def script(tape: Tape) -> None:
        tape.budget.pause("TTTC8434R", Decimal("0.5"))

        async def ask(pause: str) -> None:
            async with tape.budget.turn(Lane.QUERY, pause=pause) as turn:
                turn.stamp()
                tape.written.append((tape.clock.monotonic_ns(), Lane.QUERY, pause))

        await together(ask("TTTC8434R"), ask("TTTC0081R"), tape.send(Lane.SEND, "send"))
        tape.budget.pause("TTTC8434R", Decimal(9))
        with pytest.raises(NothingSent):
            async with tape.budget.turn(Lane.QUERY, pause="TTTC8434R", wait_s=Decimal(8)):
                pass

    tape = play(18, script)
    assert tape.names == ["TTTC0081R", "send", "TTTC8434R"]
    assert tape.times_s == [0, 0, 0.5]


def test_a_call_that_never_wrote_gives_its_place_back_at_once() -> None:
    async def script(tape: Tape) -> None:
        async def refused() -> None:
            async with tape.budget.turn(Lane.SEND) as turn:
                await tape.clock.sleep(0.3)
                assert turn.permit(lambda: False)() is False

        await together(refused(), tape.send(Lane.SEND, "next"))

    assert play(1, script).times_s == [0.3]


def test_the_permit_that_says_yes_starts_the_window() -> None:
    async def script(tape: Tape) -> None:
        async def call() -> None:
            async with tape.budget.turn(Lane.SEND) as turn:
                await tape.clock.sleep(0.3)
                assert turn.permit(lambda: True)() is True
                turn.stamp()  # asking twice is one call
                await tape.clock.sleep(5)

        await together(call(), tape.send(Lane.SEND, "next"))

    assert play(1, script).times_s == [1.32]


def test_a_waiter_that_leaves_gives_its_turn_on() -> None:
    async def script(tape: Tape) -> None:
        await tape.budget.acquire(Lane.SEND)
        leaving = [asyncio.create_task(tape.send(Lane.SEND, f"gone {n}")) for n in range(3)]
        staying = asyncio.create_task(tape.send(Lane.SEND, "stays", at_s=0.1))
        await tape.clock.sleep(0.5)
        for task in leaving:
            task.cancel()
        await staying

    tape = play(1, script)
    assert (tape.names, tape.times_s) == (["stays"], [1.02])


def test_a_waiter_that_leaves_in_the_instant_of_its_grant_gives_its_turn_on() -> None:
    async def script(tape: Tape) -> None:
        holding = asyncio.Event()

        async def hold() -> None:
            async with tape.budget.turn(Lane.SEND):
                await holding.wait()
            leaving.cancel()  # in the same step in which its place went to that one

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0)
        leaving = asyncio.create_task(tape.send(Lane.SEND, "gone"))
        staying = asyncio.create_task(tape.send(Lane.SEND, "stays"))
        await asyncio.sleep(0)
        holding.set()
        await holder
        await asyncio.wait_for(staying, 1)
        assert leaving.cancelled()

    tape = play(1, script)
    assert (tape.names, tape.times_s) == (["stays"], [0])


@given(arrivals=ARRIVALS, cancels=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 4_000)), max_size=30))
def test_however_waiters_come_and_go_no_place_is_lost_or_doubled(
    arrivals: list[tuple[Lane, int, int]], cancels: list[tuple[int, int]]
) -> None:
    async def script(tape: Tape) -> None:
        tasks = [
            asyncio.create_task(tape.send(lane, at_s=arrive_ms / 1_000, connect_s=connect_ms / 1_000))
            for lane, arrive_ms, connect_ms in arrivals
        ]

        async def cancel(index: int, at_ms: int) -> None:
            await tape.clock.sleep(at_ms / 1_000)
            if index < len(tasks):
                tasks[index].cancel()

        await together(*(cancel(index, at_ms) for index, at_ms in cancels))
        await asyncio.gather(*tasks, return_exceptions=True)
        await tape.clock.sleep(2)
        before = tape.clock.monotonic_ns()
        await together(*(tape.send(Lane.CANCEL) for _ in range(6)))
        assert tape.clock.monotonic_ns() == before, "all six places are free again"

    assert play(6, script).worst(WINDOW) <= 6


@pytest.mark.req("F-18")
def test_waiting_is_bounded_in_time_and_the_refusal_says_that_nothing_was_sent() -> None:
    async def script(tape: Tape) -> None:
        await tape.budget.acquire(Lane.SEND)
        held = asyncio.create_task(tape.send(Lane.SEND, "first", at_s=0.01, connect_s=9))
        await tape.clock.sleep(0.5)
        with pytest.raises(NothingSent, match="in time for a send"):
            async with tape.budget.turn(Lane.SEND, wait_s=Decimal(3)):
                pass
        assert tape.clock.monotonic_ns() == 3.5 * NS
        await held

    play(1, script)


@pytest.mark.req("I-61")
def test_waiting_is_bounded_in_number() -> None:
    async def script(tape: Tape) -> None:
        waiting = [asyncio.create_task(tape.budget.acquire(Lane.QUERY)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(NothingSent, match="2 calls of lane QUERY wait"):
            await tape.budget.acquire(Lane.QUERY)
        await tape.budget.acquire(Lane.CANCEL)  # another lane has its own bound
        waiting[-1].cancel()
        await asyncio.sleep(0)
        waiting[-1] = asyncio.create_task(tape.budget.acquire(Lane.QUERY))  # who left waits no more
        await asyncio.gather(*waiting)

    play(1, script, waiting_max=2)


def test_a_bug_in_the_budget_reaches_who_waits() -> None:
    async def script(tape: Tape) -> None:
        await tape.budget.acquire(Lane.SEND)

        async def broken(seconds: float) -> None:
            raise ZeroDivisionError

        tape.clock.sleep = broken  # type: ignore[method-assign]
        with pytest.raises(ZeroDivisionError):
            await tape.budget.acquire(Lane.SEND)

    play(1, script)
