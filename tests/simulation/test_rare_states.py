"""Rare states must be reached: an invariant that never met its danger has shown nothing."""

from typing import Final

import pytest

from jumun.testing.day import simulate_day

# State: the fault classes under which a day should meet it. Without them chance would need many more days.
RARE: Final = {
    "late fill": ("early_cancel",),
    "identical twin fills": ("notice_doubled", "notice_late"),
    "fill before the acknowledgement": ("latency",),
    "fill learnt from the history": ("notice_lost",),
    "cancel crosses a fill": ("latency", "notice_late"),
    "cancel of an ended order": ("notice_lost",),
    "cancel during a halt": ("halts",),
    "cancelled with a part filled": (),
    "unknown order found in the history": ("reply_lost",),
    "unknown order absent once": ("request_lost",),
    "unknown order not received, sent again": ("request_lost",),
    "unknown order ended as not received": ("request_lost",),
    "unknown after a crash": ("crash", "latency"),
    "notice explained a fill booked before": ("notice_late", "history_lag"),
    "crash during recovery": ("crash", "history_broken"),
    "crash after the sync, before the answer": ("crash", "slow_disk"),
    "power loss dropped a batch": ("crash", "slow_disk"),
    "a caller asked again after a crash": ("crash", "slow_disk"),
    "a task raised": ("task_raises",),
    "a start on a wrong clock": ("crash", "clock_step"),
    "foreign order adopted": ("foreign",),
    "the same key with other content": (),
}
SEEDS: Final = range(3_000, 3_040)


@pytest.mark.req("I-12", "I-17", "I-42", "F-30", "F-45", "F-47", "F-68", "F-71", "F-90", "F-106")
@pytest.mark.parametrize("state", RARE)
def test_bad_weather_reaches_the_rare_state(state: str) -> None:
    for seed in SEEDS:
        if simulate_day(seed, orders=120, faults=RARE[state]).reached.get(state):
            return
    raise AssertionError(f"{state!r} was not reached in {len(SEEDS)} days of {RARE[state]}")


# State: the habit of the traders that leads to it, the faults, and how many days it needs.
HABITS: Final = {
    "a modify made a new number": (("modifies",), (), 1),
    "an order was modified before it left": (("modifies",), (), 1),
    "a modify was found without its reply": (("modifies",), ("reply_lost",), 1),
    "a modify ended as unknown": (("modifies",), ("reply_lost",), 1),
    "a modify ended as not_received": (("modifies",), ("request_lost",), 1),
    "a stop was triggered": (("stops",), (), 1),
    "an order rests until the next session": (("carried",), (), 2),
    "an order went out on another day": (("carried",), (), 2),
    "mass cancel of a symbol": (("mass cancel",), (), 1),
    "the kill switch was pulled": (("kill",), ("latency",), 1),
    "orders were cancelled ex officio": (("ex officio",), (), 1),
    "an accepted order was refused later": (("refused later",), (), 1),
    "a fill was reversed in the books": (("busts",), (), 1),
    "a documented entry was booked": (("entries",), ("crash",), 1),
    "a break was settled by a person": (("jumps",), (), 1),
    "a halt survived a restart": ((), ("halts", "task_raises"), 1),
}


@pytest.mark.req("I-03", "I-06", "I-50", "I-59", "F-49", "F-51", "F-52", "F-53", "F-54", "S000-105")
@pytest.mark.parametrize("state", HABITS)
def test_a_habit_of_the_traders_reaches_its_state(state: str) -> None:
    habits, faults, days = HABITS[state]
    for seed in SEEDS:
        day = simulate_day(seed, orders=120 * days, faults=faults, habits=habits, days=days)
        if day.reached.get(state):
            return
    raise AssertionError(f"{state!r} was not reached in {len(SEEDS)} days of {habits} under {faults}")
