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
